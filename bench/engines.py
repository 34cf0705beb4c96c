"""Engines to measure side by side: each on a machine of its own (namespaces) with roots of its own, and the timing of their commands.

All run at the same time, and the timed commands alternate between them, so that what else the machine does falls on all alike.
"""
import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


class Machine:
    """Namespaces of their own (network, mounts, processes) with a folder, and a command line that works in them or from outside."""

    def __init__(self, name, cli, folder, path=None, inside=False, **env):
        self.name, self.cli, self.inside, self.folder = name, cli, inside, os.path.join(folder, name)
        os.makedirs(self.folder)
        self.env = dict(os.environ, DOCKER_CONFIG=self.folder, PATH=path + ':' + os.environ['PATH'] if path else os.environ['PATH'], **env)
        self.log = open(os.path.join(self.folder, 'log'), 'wb')
        # The first process reaps orphans until its input, which only we hold, ends; all others end with it.
        init = 'exec 3<&0; ip link set lo up; mount -t tmpfs none /run; cat <&3 >/dev/null & echo ready; wait $!'
        self.host = subprocess.Popen(
            ['unshare', '--mount', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', init],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.host.stdout.readline()
        self.first = children(self.host.pid)[0]

    def enter(self, *namespaces):
        return ['nsenter', '--target', str(self.first), *(f'--{name}' for name in namespaces), '--']

    def run(self, *words):
        """Runs a command and returns its output; a failure ends the benchmark."""
        enter = self.enter('mount', 'pid') if self.inside else []
        done = subprocess.run([*enter, *self.cli, *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f'{self.name}: {" ".join(words)}: exit code {done.returncode}: {done.stderr.decode()}')
        return done.stdout.decode().strip()

    def import_image(self, tar, name):
        self.run('import', '--change', 'CMD ["sh"]', tar, name)

    def build(self, name, folder, *flags):
        self.run('build', *flags, '-t', name, folder)

    def milliseconds(self, *words):
        """From the command line to its exit, with as little as can be around it: subprocess alone takes 3 ms to start and collect a command."""
        command = [*(self.enter('mount', 'pid') if self.inside else []), *self.cli, *words]
        null = [(os.POSIX_SPAWN_OPEN, fd, '/dev/null', os.O_RDWR, 0) for fd in range(3)]
        started = time.monotonic()
        pid = os.posix_spawnp(command[0], command, self.env, file_actions=null)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        elapsed = (time.monotonic() - started) * 1000
        if code != 0:
            raise RuntimeError(f'{self.name}: {" ".join(words)}: exit code {code}')
        return elapsed

    def stop(self):
        self.host.kill()
        try:
            os.kill(self.first, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.host.wait()
        self.log.close()


class Engine(Machine):
    """A daemon on a machine of its own."""

    def __init__(self, name, daemon, cli, folder, path=None, inside=False, **env):
        socket_path = os.path.join(folder, name, 'docker.sock')
        super().__init__(name, [cli], folder, path, inside, DOCKER_HOST='unix://' + socket_path, **env)
        self.socket = socket_path
        started = time.monotonic()
        entered = subprocess.Popen(
            [*self.enter('mount', 'net', 'pid', 'uts', 'ipc'), *daemon,
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
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self.socket)
                connection.sendall(b'GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n')
                return b' 200 ' in connection.recv(200)
            except OSError:
                return False

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
        except (RuntimeError, OSError):
            pass
        super().stop()


class Buildah(Machine):
    """buildah, which has no daemon. Its steps share the machine's network, for want of the plugins that would make them one."""

    def __init__(self, name, folder, path):
        own = os.path.join(folder, name)
        super().__init__(name, ['buildah', '--root', os.path.join(own, 'data'), '--runroot', os.path.join(own, 'exec'), '--storage-driver', 'overlay'],
                         folder, path, inside=True)
        with open(os.path.join(own, 'config.json'), 'w') as config:
            config.write('{}')  # buildah wants the file that DOCKER_CONFIG promises

    def import_image(self, tar, name):
        container = self.run('from', 'scratch')
        self.run('add', container, tar, '/')
        self.run('config', '--cmd', 'sh', container)
        self.run('commit', '--quiet', container, name)
        self.run('rm', container)

    def build(self, name, folder, *flags):
        self.run('bud', '--layers', '--network', 'host', '--runtime', 'runc', *flags, '-t', name, folder)


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


def milliseconds(work):
    started = time.monotonic()
    work()
    return (time.monotonic() - started) * 1000


def arguments(description, names, runs):
    """What all benchmarks understand."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--sampan', required=True, type=os.path.abspath)
    parser.add_argument('--reference', required=True, type=os.path.abspath, help="the folder with Debian's dockerd")
    parser.add_argument('--busybox', required=True, type=os.path.abspath)
    parser.add_argument('--runs', type=int, default=runs)
    parser.add_argument('--only', choices=names, action='append', help='one engine; may be given several times')
    parser.set_defaults(engines=names)
    return parser


@contextlib.contextmanager
def machines(options, **engine):
    """The engines that the options ask for; all is gone afterwards."""
    if os.geteuid() != 0:
        sys.exit('bench: containers need root')
    folder = tempfile.mkdtemp(prefix='sampan-bench-')
    dockerd, docker = (os.path.join(options.reference, name) for name in ('dockerd', 'docker'))
    start = {
        'sampan': lambda name: Engine(name, [options.sampan, 'daemon'], options.sampan, folder, **engine),
        'dockerd': lambda name: Engine(name, [dockerd], docker, folder, options.reference, DOCKER_BUILDKIT='0', **engine),
        'buildkit': lambda name: Engine(name, [dockerd], docker, folder, options.reference, DOCKER_BUILDKIT='1', **engine),
        'buildah': lambda name: Buildah(name, folder, options.reference),
    }
    started = []
    try:
        for name in options.only or options.engines:
            started.append(start[name](name))
        yield started
    finally:
        for machine in started:
            machine.stop()
        subprocess.run(['rm', '-rf', '--one-file-system', folder], check=False)
