"""Measures networks: Sampan beside Debian's dockerd and a veth pair and bridge made by hand, in one run.

Throughput is iperf3's, in Gbit/s, both ends in the network namespaces of idle containers; the ways alternate, and figures are medians.
Costs are what the daemon itself uses of the processor (user and system), read from /proc.
"""
import argparse
import atexit
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import engines

PORT, PUBLISHED, HOST = 5201, 15201, '203.0.113.1'
TARGETS = {'containers': 0.95, 'published': 0.95}
TICK = os.sysconf('SC_CLK_TCK')


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f'{" ".join(command)}: {done.stderr or done.stdout}')
    return done.stdout.strip()


def network_of(process):
    return ['nsenter', '--target', str(process.pid), '--net', '--']


class Side:
    """The ways into two containers' network namespaces and their host's, and the second's address."""

    def __init__(self, name, host, first, second, address):
        self.name, self.host, self.first, self.second, self.address = name, host, first, second, address
        run(*host, 'ip', 'link', 'add', 'outside', 'type', 'bridge')
        run(*host, 'ip', 'address', 'add', HOST + '/24', 'dev', 'outside')
        run(*host, 'ip', 'link', 'set', 'outside', 'up')
        self.server = subprocess.Popen([*second, 'iperf3', '-s', '-p', str(PORT)], stdout=subprocess.DEVNULL)

    def measure(self, client, address, port, seconds):
        text = run(*client, 'iperf3', '-J', '-t', str(seconds), '-c', address, '-p', str(port))
        return json.loads(text)['end']['sum_received']['bits_per_second'] / 1e9


class ByHand(Side):
    """What an administrator would type."""

    def __init__(self):
        self.holders = [subprocess.Popen(['unshare', '--net', 'sleep', '10000']) for _ in range(3)]
        atexit.register(lambda: [holder.kill() for holder in self.holders])
        host, first, second = map(network_of, self.holders)
        time.sleep(0.3)

        def in_host(*words):
            run(*host, 'ip', *words)

        in_host('link', 'set', 'lo', 'up')
        in_host('link', 'add', 'br0', 'type', 'bridge')
        in_host('address', 'add', '10.99.0.1/24', 'dev', 'br0')
        in_host('link', 'set', 'br0', 'up')
        for number, holder, inside in ((2, self.holders[1], first), (3, self.holders[2], second)):
            in_host('link', 'add', f'v{number}', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', str(holder.pid))
            in_host('link', 'set', f'v{number}', 'master', 'br0', 'up')
            run(*inside, 'ip', 'address', 'add', f'10.99.0.{number}/24', 'dev', 'eth0')
            run(*inside, 'ip', 'link', 'set', 'eth0', 'up')
            run(*inside, 'ip', 'link', 'set', 'lo', 'up')
        super().__init__('by hand', host, first, second, '10.99.0.3')

    def stop(self):
        self.server.kill()
        for holder in self.holders:
            holder.kill()


class Daemon(Side):
    """An engine with two containers on a network."""

    def __init__(self, engine):
        self.engine = engine
        self.docker('network', 'create', 'bench')
        self.docker('run', '-d', '--name', 'first', '--network', 'bench', 'busybox', 'sleep', '100000')
        self.docker('run', '-d', '--name', 'second', '--network', 'bench', '-p', f'{PUBLISHED}:{PORT}', 'busybox', 'sleep', '100000')
        self.way = engine.enter('mount', 'pid', 'net')
        address = self.docker('inspect', '--format', '{{.NetworkSettings.Networks.bench.IPAddress}}', 'second')
        super().__init__(engine.name, self.way, self.inside('first'), self.inside('second'), address)

    def docker(self, *words):
        return self.engine.run(*words)

    def inside(self, container):
        """The way into a container's network: the engine tells process ids of its own namespace."""
        return [*self.way, 'nsenter', '--target', self.docker('inspect', '--format', '{{.State.Pid}}', container), '--net', '--']

    def processor_ms(self):
        """What the daemon has used, its waited-for children included."""
        with open(f'/proc/{self.engine.daemon}/stat', encoding='utf-8') as stat:
            fields = stat.read().rsplit(')', 1)[1].split()
        return sum(map(int, fields[11:15])) * 1000 / TICK

    def attach_ms(self, count):
        """Processor and wall time of connecting a running container to a network, the mean of many."""
        for number in range(count):
            self.docker('network', 'create', '--subnet', f'10.{200 + number // 256}.{number % 256}.0/24', f'attach{number}')
        used, walls = self.processor_ms(), []
        for number in range(count):
            start = time.monotonic()
            self.docker('network', 'connect', f'attach{number}', 'first')
            walls.append((time.monotonic() - start) * 1000)
        used = (self.processor_ms() - used) / count
        tenth = max(count // 10, 1)
        growth = statistics.median(walls[-tenth:]) / statistics.median(walls[:tenth])
        for number in range(count):
            self.docker('network', 'disconnect', '-f', f'attach{number}', 'first')
            self.docker('network', 'rm', f'attach{number}')
        return used, statistics.median(walls), growth

    def range_ms(self, ports):
        """What publishing a range adds to the start of a container."""
        def start(*options):
            self.docker('create', '--name', 'range', *options, 'busybox', 'sleep', '100000')
            begin = time.monotonic()
            self.docker('start', 'range')
            took = (time.monotonic() - begin) * 1000
            self.docker('rm', '-f', 'range')
            return took
        return start('-p', f'20000-{19999 + ports}:20000-{19999 + ports}') - start()

    def stop(self):
        self.server.kill()
        self.engine.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--sampan', required=True)
    parser.add_argument('--reference', help="folder of dockerd's programs")
    parser.add_argument('--busybox', required=True)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=2)
    parser.add_argument('--attach', type=int, default=30, help='how many networks a container is connected to')
    parser.add_argument('--ports', type=int, default=10000)
    options = parser.parse_args()
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
            report(sides, options)
        finally:
            for side in sides:
                side.stop()


def report(sides, options):
    ways = {
        'containers': lambda s: s.measure(s.first, s.address, PORT, options.seconds),
        'published': lambda s: s.measure(s.host, *((HOST, PUBLISHED) if isinstance(s, Daemon) else (s.address, PORT)), options.seconds),
        'localhost': lambda s: s.measure(s.host, '127.0.0.1', PUBLISHED, options.seconds) if isinstance(s, Daemon) else None,
    }
    figures = {side.name: {} for side in sides}
    for way, measure in ways.items():
        found = {side.name: [] for side in sides}
        for _ in range(options.rounds):
            for side in sides:
                found[side.name].append(measure(side))
        for name, values in found.items():
            figures[name][way + '_gbits'] = None if None in values else round(statistics.median(values), 2)
    for side in sides[1:]:
        cpu, wall, growth = side.attach_ms(options.attach)
        figures[side.name] |= {'attach_cpu_ms': round(cpu, 2), 'attach_wall_ms': round(wall, 1), 'attach_growth': round(growth, 2)}
    figures['sampan'][f'range_{options.ports}_ms'] = round(next(s for s in sides if s.name == 'sampan').range_ms(options.ports), 1)
    rows = list(dict.fromkeys(key for values in figures.values() for key in values))
    print(f'{"":22}' + ''.join(f'{name:>12}' for name in figures))
    for row in rows:
        print(f'{row:22}' + ''.join(f'{"-" if values.get(row) is None else values[row]:>12}' for values in figures.values()))
    for way, least in TARGETS.items():
        ratio = figures['sampan'][way + '_gbits'] / figures['by hand'][way + '_gbits']
        print(f'{way}: {ratio:.2f} of by hand (aim {least})')
    if 'dockerd' in figures:
        print(f'localhost: {figures["sampan"]["localhost_gbits"] / figures["dockerd"]["localhost_gbits"]:.1f} times docker-proxy (aim 3)')


if __name__ == '__main__':
    main()
