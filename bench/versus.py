"""Measures Sampan beside Debian's dockerd: whole commands on one machine in one run, each with its own command line.

Both daemons run at the same time, each in namespaces of its own (network, mounts, processes) with roots of its own, and the timed
commands alternate between them, so that what else the machine does falls on both alike. Times are medians.
"""
import json
import os
import resource
import statistics
import subprocess
import time

from engines import alternate, arguments, kib, machines

TARGETS = {  # from the project's first issue: at least so many times faster, or at most so much
    'run_ms': ('ratio', 8), 'exec_ms': ('ratio', 8), 'daemon_rss_mib': ('max', 40), 'container_pss_mib': ('max', 3),
    'binary_mib': ('max', 40), 'version_cpu_ms': ('max', 20), 'ready_ms': ('max', 100),
}
NAMES = {
    'run_ms': 'run --rm of true, bridge network (ms)', 'exec_ms': 'exec true (ms)', 'ready_ms': 'daemon start to first answer (ms)',
    'daemon_rss_mib': 'idle daemon, resident (MiB)', 'container_pss_mib': 'each idle container, overhead (MiB PSS)',
    'binary_mib': 'binary (MiB)', 'version_cpu_ms': 'version, processor time (ms)',
}


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
        subprocess.run([*cli, 'version'], env=env, stdout=subprocess.DEVNULL, check=True)
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
        engine.import_image(options.busybox, 'busybox:latest')
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
    parser = arguments(__doc__, ['sampan', 'dockerd'], runs=15)
    parser.add_argument('--containers', type=int, default=50)
    parser.add_argument('--json', default='out/bench.json')
    options = parser.parse_args()
    with machines(options) as engines:
        figures = measure(engines, options)
        if 'sampan' in figures:
            figures['sampan']['binary_mib'] = files_mib(options.sampan)
        if 'dockerd' in figures:
            figures['dockerd']['binary_mib'] = files_mib(*(os.path.join(options.reference, name) for name in (
                'docker', 'dockerd', 'containerd', 'containerd-shim-runc-v2', 'runc', 'docker-init', 'docker-proxy')))
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
