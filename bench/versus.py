"""Measures Sampan beside Debian's dockerd: whole commands on one machine in one run, each with its own command line.

Both daemons run at the same time, each in namespaces of its own (network, mounts, processes) with roots of its own, and the timed
commands alternate between them, so that what else the machine does falls on both alike. Times are medians.
"""
import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

TARGETS = {  # from the project's first issue: at least so many times faster, or at most so much
    'run_ms': ('ratio', 8), 'exec_ms': ('ratio', 8), 'daemon_rss_mib': ('max', 40), 'container_pss_mib': ('max', 3),
    'binary_mib': ('max', 40), 'version_cpu_ms': ('max', 20), 'ready_ms': ('max', 100),
}
NAMES = {
    'run_ms': 'run --rm of true, bridge network (ms)', 'exec_ms': 'exec true (ms)', 'ready_ms': 'daemon start to first answer (ms)',
    'daemon_rss_mib': 'idle daemon, resident (MiB)', 'container_pss_mib': 'each idle container, overhead (MiB PSS)',
    'binary_mib': 'binary (MiB)', 'version_cpu_ms': 'version, processor time (ms)',
}


class Engine:
    """One daemon in namespaces of its own, and its command line."""

    def __init__(self, name, daemon, cli, path, folder):
        self.name, self.cli, self.folder = name, cli, os.path.join(folder, name)
        os.makedirs(self.folder)
        self.socket = os.path.join(self.folder, 'docker.sock')
        self.env = dict(os.environ, DOCKER_HOST='unix://' + self.socket, DOCKER_CONFIG=self.folder,
                        PATH=path + ':' + os.environ['PATH'] if path else os.environ['PATH'])
        self.log = open(os.path.join(self.folder, 'log'), 'wb')
        # The first process reaps orphans until its input, which only we hold, ends; all others end with it.
        init = 'exec 3<&0; ip link set lo up; mount -t tmpfs none /run; cat <&3 >/dev/null & echo ready; wait $!'
        self.host = subprocess.Popen(
            ['unshare', '--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', init],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.host.stdout.readline()
        self.first = children(self.host.pid)[0]
        started = time.monotonic()
        entered = subprocess.Popen(
            ['nsenter', '--target', str(self.first), '--mount', '--net', '--pid', '--uts', '--ipc', '--', *daemon,
             '--data-root', os.path.join(self.folder, 'data'), '--exec-root', os.path.join(self.folder, 'exec'),
             '--pidfile', os.path.join(self.folder, 'pid'), '-H', 'unix://' + self.socket],
            env=self.env, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        while not self.answers():
            if entered.poll() is not None or time.monotonic() - started > 60:
                self.stop()
                sys.exit(f'{name}: the daemon does not start, see {self.log.name}:\n' + open(self.log.name).read()[-2000:])
            time.sleep(0.002)
        self.ready_ms = (time.monotonic() - started) * 1000
        self.daemon = children(entered.pid)[0]

    def answers(self):
        import socket
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.socket)
                connection.sendall(b'GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n')
                return b' 200 ' in connection.recv(200)
            except OSError:
                return False

    def run(self, *words):
        """Runs a command and returns its output; a failure ends the benchmark."""
        done = subprocess.run([self.cli, *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f'{self.name}: {" ".join(words)}: exit code {done.returncode}: {done.stderr.decode()}')
        return done.stdout.decode().strip()

    def milliseconds(self, *words):
        started = time.monotonic()
        self.run(*words)
        return (time.monotonic() - started) * 1000

    def processes(self):
        """All processes of this engine's machine but the first and its helper."""
        namespace = os.readlink(f'/proc/{self.first}/ns/pid')
        found = []
        for pid in pids():
            try:
                # A container has a namespace of its own below ours; its processes are told by their depth.
                if os.readlink(f'/proc/{pid}/ns/pid') == namespace:
                    found.append(pid)
            except OSError:
                pass
        skip = {self.first, *children(self.first, comm='cat')}
        return [pid for pid in found if pid not in skip]

    def stop(self):
        try:
            ids = self.run('ps', '-aq').split()
            if ids:
                self.run('rm', '-f', *ids)
        except (RuntimeError, AttributeError, OSError):
            pass
        self.host.kill()
        try:
            os.kill(self.first, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.host.wait()


def pids():
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def children(parent, comm=None):
    found = []
    for pid in pids():
        try:
            with open(f'/proc/{pid}/stat') as stat:
                text = stat.read()
        except OSError:
            continue
        name, rest = text[text.index('(') + 1:text.rindex(')')], text[text.rindex(')') + 2:].split()
        if int(rest[1]) == parent and comm in (None, name):
            found.append(pid)
    return found


def kib(pid, file, field):
    try:
        with open(f'/proc/{pid}/{file}') as lines:
            for line in lines:
                if line.startswith(field + ':'):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def alternate(engines, runs, prepare, measure):
    """Medians of one command, measured in turn on each engine; the first round of each is not counted."""
    state = {engine: prepare(engine) for engine in engines}
    taken = {engine: [] for engine in engines}
    for round_number in range(runs + 1):
        for engine in engines:
            value = measure(engine, state[engine])
            if round_number > 0:
                taken[engine].append(value)
    return {engine: statistics.median(values) for engine, values in taken.items()}, state


def container_pss(engine, count):
    """PSS of everything that `count` more idle containers bring along, without the containers' own processes, for each (MiB)."""
    time.sleep(1)
    before = sum(kib(pid, 'smaps_rollup', 'Pss') for pid in engine.processes())
    names = [f'idle{i}' for i in range(count)]
    for name in names:
        engine.run('run', '-d', '--name', name, 'busybox', 'sleep', '1000')
    time.sleep(2)
    after = sum(kib(pid, 'smaps_rollup', 'Pss') for pid in engine.processes())
    engine.run('rm', '-f', *names)
    return (after - before) / 1024 / count


def processor_ms(cli, env, runs):
    """Processor time of `version`, user and system; the daemon's part is not in it."""
    values = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([cli, 'version'], env=env, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        values.append((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000)
    return statistics.median(values)


def files_mib(*paths):
    return sum(os.path.getsize(os.path.realpath(path)) for path in paths) / (1 << 20)


def measure(engines, options):
    figures = {engine: {'ready_ms': engine.ready_ms} for engine in engines}

    def figure(name, values):
        for engine, value in values.items():
            figures[engine][name] = value

    for engine in engines:
        engine.run('import', '--change', 'CMD ["sh"]', options.busybox, 'busybox:latest')
        engine.run('run', '--rm', 'busybox', 'true')
    time.sleep(2)
    for engine in engines:
        own = engine.processes()
        figures[engine]['daemon_rss_mib'] = sum(kib(pid, 'status', 'VmRSS') for pid in own) / 1024
    values, _ = alternate(engines, options.runs, lambda engine: None,
                          lambda engine, _: engine.milliseconds('run', '--rm', 'busybox', 'true'))
    figure('run_ms', values)
    values, _ = alternate(engines, options.runs, lambda engine: engine.run('run', '-d', 'busybox', 'sleep', '1000'),
                          lambda engine, container: engine.milliseconds('exec', container, 'true'))
    figure('exec_ms', values)
    for engine in engines:
        figures[engine]['container_pss_mib'] = container_pss(engine, options.containers)
        figures[engine]['version_cpu_ms'] = processor_ms(engine.cli, engine.env, options.runs)
    return {engine.name: values for engine, values in figures.items()}


def verdict(name, ours, theirs):
    kind, bound = TARGETS[name]
    if kind == 'max':
        return f'at most {bound}', ours <= bound
    return f'{bound} times faster', theirs is not None and theirs / ours >= bound


def report(figures):
    print(f'{"":46}{"Sampan":>10}{"dockerd":>10}{"ratio":>8}   aim')
    missed = 0
    for name, text in NAMES.items():
        ours, theirs = figures.get('sampan', {}).get(name), figures.get('dockerd', {}).get(name)
        ratio = f'{theirs / ours:.1f}' if ours and theirs else ''
        aim = ''
        if ours is not None:
            goal, met = verdict(name, ours, theirs)
            aim = f'{goal}: {"met" if met else "MISSED"}'
            missed += not met
        print(f'{text:46}{"" if ours is None else format(ours, ".1f"):>10}{"" if theirs is None else format(theirs, ".1f"):>10}{ratio:>8}   {aim}')
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sampan', required=True)
    parser.add_argument('--reference', required=True, help="the folder with Debian's dockerd")
    parser.add_argument('--busybox', required=True)
    parser.add_argument('--runs', type=int, default=15)
    parser.add_argument('--containers', type=int, default=50)
    parser.add_argument('--only', choices=['sampan', 'dockerd'])
    parser.add_argument('--json', default='out/bench.json')
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit('bench: containers need root')
    reference = os.path.abspath(options.reference)
    docker = os.path.join(reference, 'docker')
    folder = tempfile.mkdtemp(prefix='sampan-bench-')
    engines = []
    try:
        if options.only != 'dockerd':
            sampan = os.path.abspath(options.sampan)
            engines.append(Engine('sampan', [sampan, 'daemon'], sampan, None, folder))
        if options.only != 'sampan':
            engines.append(Engine('dockerd', [os.path.join(reference, 'dockerd')], docker, reference, folder))
        figures = measure(engines, options)
        if 'sampan' in figures:
            figures['sampan']['binary_mib'] = files_mib(options.sampan)
        if 'dockerd' in figures:
            figures['dockerd']['binary_mib'] = files_mib(*(os.path.join(reference, name) for name in (
                'docker', 'dockerd', 'containerd', 'containerd-shim-runc-v2', 'runc', 'docker-init', 'docker-proxy')))
    finally:
        for engine in engines:
            engine.stop()
        subprocess.run(['rm', '-rf', '--one-file-system', folder], check=False)
    missed = report(figures)
    with open(options.json, 'w') as out:
        json.dump({'runs': options.runs, 'containers': options.containers, 'kernel': os.uname().release,
                   'processors': os.cpu_count(), 'load': os.getloadavg()[0], 'figures': figures}, out, indent=2)
        out.write('\n')
    print(f'\nmedians of {options.runs} runs, {options.containers} containers; {options.json} has them as JSON')
    if 'sampan' in figures and missed:
        print(f'{missed} aims missed')


if __name__ == '__main__':
    main()
