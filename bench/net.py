"""Measures networks: Sampan beside Debian's dockerd, podman with netavark, and a veth pair and bridge made by hand, in one run.

Throughput is iperf3's, both ends in the network namespaces of idle containers. The ways alternate in rounds, each side right after the other;
figures are medians of the rounds, ratios medians of the rounds' ratios with their quartiles, so that what else the machine does falls on both.
By hand, `localhost` is loopback itself, with nothing between client and server: no way to a container can be quicker. What a way costs of the
processor is the whole machine's, so nothing else may run. Attach costs are what the daemon itself uses (user and system), read from /proc.
"""
import argparse
import os
import signal
import statistics
import sys
import tempfile

import engines
from sides import DATAGRAM_MBITS, ByHand, Daemon, Podman, PodmanMachine

ATTACH_MS, FLAT, RANGE_MS, LIKE_BY_HAND, BESIDE_PROXY = 5, 0.2, 50, 0.95, 3  # the aims of the issue on networking

# What is measured in rounds: how, and what the figures are called. The last of each of localhost's is better when it is less.
WAYS = {
    'containers': (lambda side, seconds: side.containers(seconds), ['containers_gbits']),
    'published': (lambda side, seconds: side.published(seconds), ['published_gbits']),
    'localhost': (lambda side, seconds: side.localhost(seconds, 1), ['localhost_gbits', 'localhost_cpu_s_per_GB']),
    'localhost-4': (lambda side, seconds: side.localhost(seconds, 4), ['localhost_4_gbits', 'localhost_4_cpu_s_per_GB']),
    'localhost-8': (lambda side, seconds: side.localhost(seconds, 8), ['localhost_8_gbits', 'localhost_8_cpu_s_per_GB']),
    'datagrams': (lambda side, seconds: side.datagrams(seconds), ['datagrams_mbits', 'datagrams_lost_%', 'datagrams_cpu_s_per_GB']),
    'small': (lambda side, seconds: side.small(seconds / 2), ['localhost_trip_us', 'localhost_connects_s', 'localhost_connect_cpu_us']),
}
PARTS = [*WAYS, 'networks', 'crowd', 'range']


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--sampan', required=True)
    parser.add_argument('--reference', help="folder of dockerd's programs")
    parser.add_argument('--peers', help="folder of podman's programs; its runtime is dockerd's runc")
    parser.add_argument('--busybox', required=True)
    parser.add_argument('--part', choices=PARTS, action='append', help='what to measure, everything when not given; may be given several times')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--seconds', type=int, default=1, help='of each measurement; iperf3 knows whole ones only')
    parser.add_argument('--many', type=int, default=1000, help="how many networks and containers Sampan's costs of attaching are measured with")
    parser.add_argument('--few', type=int, default=40, help="how many a peer's are")
    parser.add_argument('--ports', type=int, default=10000)
    options = parser.parse_args()
    options.part = options.part or PARTS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('net: stopped'))  # containers leave control groups, which no namespace removes
    options.reference = options.reference and os.path.abspath(options.reference)
    with tempfile.TemporaryDirectory(prefix='sampan-net-') as folder:
        sides = []
        try:
            sides.append(ByHand())
            commands = [('sampan', [os.path.abspath(options.sampan), 'daemon'], os.path.abspath(options.sampan), None)]
            if options.reference:
                commands.append(('dockerd', [options.reference + '/dockerd'], options.reference + '/docker', options.reference))
            for name, daemon, cli, path in commands:
                engine = engines.Engine(name, daemon, cli, folder, path)
                engine.import_image(options.busybox, 'busybox:latest')
                sides.append(Daemon(engine))
            if options.peers:
                podman = PodmanMachine(folder, os.path.abspath(options.peers), options.reference + '/runc')
                podman.run('import', os.path.abspath(options.busybox), 'busybox')
                sides.append(Podman(podman))
            report(sides, options)
        finally:
            for side in sides:
                side.stop()


def in_rounds(sides, options):
    """All values of each figure of each side, in the order of the rounds."""
    values = {side.name: {} for side in sides}
    for way in (way for way in options.part if way in WAYS):
        measure, names = WAYS[way]
        for side in sides:
            measure(side, 1)  # what is slow the first time
        for _ in range(options.rounds):
            for side in sides:
                for name, value in zip(names, measure(side, options.seconds)):
                    values[side.name].setdefault(name, []).append(value)
    return values


def touch(megabytes):
    """Uses memory once: what a virtual machine has not used for long costs 0.6 ms a megabyte more, and a crowd takes 3 GB of it little by little."""
    memory = bytearray(megabytes << 20)
    for page in range(0, len(memory), 4096):
        memory[page] = 1


def attaching(side, options):
    """Costs of attaching, in ms: as `each` gives them."""
    count, costs = options.many if side.name == 'sampan' else options.few, {}
    if 'networks' in options.part:
        costs |= dict(zip(('create', 'attach'), side.networks(count)))
    if 'crowd' in options.part:
        touch(4 * count)
        costs |= dict(zip(('start', 'attach_crowd'), side.crowd(count)))
    print(f'{side.name}: {costs}', file=sys.stderr, flush=True)  # the rest may take long
    return costs


def report(sides, options):
    values = in_rounds(sides, options)
    figures = {side: {name: round(statistics.median(found), 2) for name, found in names.items()} for side, names in values.items()}
    costs = {side.name: attaching(side, options) for side in sides[1:]}
    if 'crowd' in options.part:
        touch(4 * options.many)
        costs['by hand'] = {'attach_crowd': sides[0].crowd(options.many)}
    for name, whats in costs.items():
        for what, (cpu, wall, first, last) in whats.items():
            figures[name] |= {f'{what}_cpu_ms': round(cpu, 2), f'{what}_wall_ms': round(wall, 1),
                              f'{what}_first_tenth_ms': round(first, 2), f'{what}_last_tenth_ms': round(last, 2)}
    if 'range' in options.part:
        for side in sides[1:]:
            # dockerd makes a proxy and a rule for each port: a hundredth of the ports are enough to see it.
            ports = options.ports if side.name == 'sampan' else options.ports // 100
            figures[side.name][f'range_of_{ports}_ms'] = round(side.range_ms(ports), 1)
    rows = list(dict.fromkeys(name for found in figures.values() for name in found))
    print(f'{"":26}' + ''.join(f'{name:>12}' for name in figures))
    for row in rows:
        print(f'{row:26}' + ''.join(f'{"-" if found.get(row) is None else found[row]:>12}' for found in figures.values()))
    print(f'\nmedians of {options.rounds} rounds of {options.seconds:g} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; datagrams of 1,400 bytes at {DATAGRAM_MBITS} Mbit/s')
    compare(values, costs, figures, options)


def ratio(values, name, ours, theirs, inverse=False):
    """The rounds' ratios as text: the median, and its quartiles."""
    found = sorted((b / a if inverse else a / b) for a, b in zip(values[ours][name], values[theirs][name]))
    quartiles = statistics.quantiles(found, n=4) if len(found) > 1 else [found[0]] * 3
    return statistics.median(found), f'{statistics.median(found):.2f} ({quartiles[0]:.2f} to {quartiles[2]:.2f})'


def met(is_met):
    return 'met' if is_met else 'MISSED'


def compare(values, costs, figures, options):
    """Everything the issue has an aim for, beside its aim."""
    for name in ('containers_gbits', 'published_gbits', 'localhost_gbits'):
        if name in values['sampan']:
            median, text = ratio(values, name, 'sampan', 'by hand')
            aim = '' if name.startswith('localhost') else f'  aim {LIKE_BY_HAND} {met(median >= LIKE_BY_HAND)}'
            print(f'{name} of by hand: {text}{aim}')
    if 'dockerd' in values:
        for name in (name for _, names in WAYS.values() for name in names if name in values['sampan'] and name.startswith(('localhost', 'datagrams'))):
            less_is_better = name.endswith(('_per_GB', '_us'))
            if name == 'datagrams_lost_%':
                print(f'{name}: {figures["sampan"][name]} beside {figures["dockerd"][name]}')
                continue
            median, text = ratio(values, name, 'sampan', 'dockerd', less_is_better)
            print(f'{name}, times better than dockerd with docker-proxy: {text}  aim {BESIDE_PROXY} {met(median >= BESIDE_PROXY)}')
    for what, (cpu, _, first, last) in costs['sampan'].items():
        aim = f'; at most {ATTACH_MS} ms {met(cpu <= ATTACH_MS)}' if what.startswith('attach') else ''
        print(f'{what}: the last tenth of {options.many} takes {last / first:.2f} of the first, aim {1 + FLAT} {met(last / first <= 1 + FLAT)}{aim}')
        if what in costs.get('by hand', {}):
            _, _, kernel_first, kernel_last = costs['by hand'][what]
            print(f'{what} by hand: {kernel_last / kernel_first:.2f}; of the {last - first:.2f} ms more at the end the kernel takes {kernel_last - kernel_first:.2f}')
    if (took := figures['sampan'].get(f'range_of_{options.ports}_ms')) is not None:
        print(f'{options.ports} ports in one range: {took} ms, aim {RANGE_MS} {met(took <= RANGE_MS)}')


if __name__ == '__main__':
    main()
