"""Measures networks: Sampan beside Debian's dockerd, podman with netavark, and a veth pair and bridge made by hand, in one run.

Throughput is iperf3's, in Gbit/s, both ends in the network namespaces of idle containers; the ways alternate, and figures are medians. By
hand, `localhost` is loopback itself, with nothing between client and server: no way to a container can be quicker. What a way costs of the
processor is the whole machine's, so nothing else may run. Attach costs are what the daemon itself uses (user and system), read from /proc.
"""
import argparse
import atexit
import http.client
import json
import os
import resource
import socket
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


def machine_seconds():
    """What all processors have worked since the machine started."""
    with open('/proc/stat', encoding='utf-8') as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / TICK


# Both ends of round trips of a byte: over one connection, then with a connection for each. Their times go to the client's output.
SERVE_BYTES = f"""
import socket
listener = socket.create_server(('', {PORT + 1}), backlog=512)
while True:
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := client.recv(1):
        client.sendall(data)
    client.close()
"""
ASK_BYTES = """
import socket, sys, time
def trip(connection):
    connection.sendall(b'x')
    return connection.recv(1)
address, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
trips, connections = [], 0
with socket.create_connection((address, port)) as connection:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end = time.monotonic() + seconds
    while (start := time.monotonic()) < end:
        trip(connection)
        trips.append(time.monotonic() - start)
end = time.monotonic() + seconds
while time.monotonic() < end:
    with socket.create_connection((address, port)) as connection:
        trip(connection)
    connections += 1
print(sorted(trips)[len(trips) // 2] * 1e6, connections / seconds)
"""


def network_of(process):
    return ['nsenter', '--target', str(process.pid), '--net', '--']


class Side:
    """The ways into two containers' network namespaces and their host's, and the second's address."""

    def __init__(self, name, host, first, second, address):
        self.name, self.host, self.first, self.second, self.address = name, host, first, second, address
        run(*host, 'ip', 'link', 'add', 'outside', 'type', 'bridge')
        run(*host, 'ip', 'address', 'add', HOST + '/24', 'dev', 'outside')
        run(*host, 'ip', 'link', 'set', 'outside', 'up')
        self.servers = [self.serve(second, 'iperf3', '-s', '-p', str(PORT)), self.serve(second, sys.executable, '-c', SERVE_BYTES)]

    def serve(self, where, *words):
        return subprocess.Popen([*where, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def measure(self, client, address, port, seconds):
        text = run(*client, 'iperf3', '-J', '-t', str(seconds), '-c', address, '-p', str(port))
        return json.loads(text)['end']['sum_received']['bits_per_second'] / 1e9

    def localhost(self, seconds):
        """Throughput, and processor seconds a gigabyte."""
        worked = machine_seconds()
        gbits = self.measure(self.host, '127.0.0.1', self.local_port, seconds)
        return gbits, (machine_seconds() - worked) / (gbits * seconds / 8)

    def small(self, seconds):
        """The middle of round trips of a byte over one connection in us, and connections a second, through localhost."""
        return tuple(map(float, run(*self.host, sys.executable, '-c', ASK_BYTES, '127.0.0.1', str(self.local_port + 1), str(seconds)).split()))


class ByHand(Side):
    """What an administrator would type."""

    local_port = PORT

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
        self.servers += [self.serve(host, 'iperf3', '-s', '-p', str(PORT)), self.serve(host, sys.executable, '-c', SERVE_BYTES)]

    def stop(self):
        for server in self.servers:
            server.kill()
        for holder in self.holders:
            holder.kill()


class PodmanMachine(engines.Machine):
    """podman with netavark, which has no daemon: every command is a process of its own."""

    def __init__(self, folder, peers, runc):
        own = os.path.join(folder, 'podman')
        super().__init__('podman', [os.path.join(peers, 'podman'), '--root', own + '/root', '--runroot', own + '/run', '--storage-driver', 'overlay',
                                    '--network-config-dir', own + '/networks', '--cgroup-manager', 'cgroupfs', '--runtime', runc], folder, peers)
        self.cli = [*self.enter('mount', 'net', 'pid', 'uts', 'ipc'), *self.cli]
        with open(os.path.join(own, 'config.json'), 'w', encoding='utf-8') as config:
            config.write('{}')  # podman wants the file that DOCKER_CONFIG promises

    def stop(self):
        self.run('rm', '--all', '--force', '--time', '0')
        super().stop()


class Daemon(Side):
    """An engine with two containers on a network."""

    local_port = PUBLISHED

    def __init__(self, engine):
        self.engine = engine
        self.docker('network', 'create', 'bench')
        self.docker('run', '-d', '--name', 'first', '--network', 'bench', 'busybox', 'sleep', '100000')
        self.docker('run', '-d', '--name', 'second', '--network', 'bench', '-p', f'{PUBLISHED}-{PUBLISHED + 1}:{PORT}-{PORT + 1}', 'busybox', 'sleep', '100000')
        self.way = engine.enter('mount', 'pid', 'net')
        address = self.docker('inspect', '--format', '{{.NetworkSettings.Networks.bench.IPAddress}}', 'second')
        super().__init__(engine.name, self.way, self.inside('first'), self.inside('second'), address)

    def docker(self, *words):
        return self.engine.run(*words)

    def inside(self, container):
        """The way into a container's network: the engine tells process ids of its own namespace."""
        return [*self.way, 'nsenter', '--target', self.docker('inspect', '--format', '{{.State.Pid}}', container), '--net', '--']

    def processor_ms(self):
        """What the engine's processes have used: the daemon, in ticks, and its monitors, of which each uses less than a tick, by the scheduler's count."""
        used = 0
        for pid in self.engine.processes():
            try:
                if pid != self.engine.daemon and len(os.listdir(f'/proc/{pid}/task')) == 1:
                    with open(f'/proc/{pid}/schedstat', encoding='utf-8') as stat:
                        used += int(stat.read().split()[0]) / 1e6
                else:
                    with open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
                        used += sum(map(int, stat.read().rsplit(')', 1)[1].split()[11:15])) * 1000 / TICK
            except OSError:
                pass
        return used

    def api(self, method, path, body=None):
        """Asks the daemon itself: the command line would take longer than the daemon."""
        connection = http.client.HTTPConnection('localhost')
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.engine.socket)
        connection.request(method, path, json.dumps(body) if body is not None else None, {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            sys.exit(f'{self.name}: {method} {path}: {answer.status} {text.decode()}')

    def each(self, count, step):
        """Processor and wall time of a step in ms, both the mean of all, and processor time of one of the first and of the last tenth."""
        tenth, marks, start = max(count // 10, 1), {}, time.monotonic()
        marks[0] = self.processor_ms()
        for number in range(count):
            step(number)
            if number + 1 in (tenth, count - tenth, count):
                marks[number + 1] = self.processor_ms()
        wall = (time.monotonic() - start) * 1000 / count
        return (marks[count] - marks[0]) / count, wall, (marks[tenth] - marks[0]) / tenth, (marks[count] - marks[count - tenth]) / tenth

    def networks(self, count):
        """Making networks, and connecting running containers to them, twenty to each container."""
        containers = max(count // 20, 1)
        for number in range(containers):
            self.start(f'joins{number}', 'bridge')
        made = self.each(count, lambda number: self.api('POST', '/networks/create', {
            'Name': f'attach{number}', 'IPAM': {'Config': [{'Subnet': f'10.{200 + number // 256}.{number % 256}.0/24'}]}}))
        joined = self.each(count, lambda number: self.api('POST', f'/networks/attach{number}/connect', {'Container': f'joins{number % containers}'}))
        for number in range(containers):
            self.api('DELETE', f'/containers/joins{number}?force=1')
        for number in range(count):
            self.api('DELETE', f'/networks/attach{number}')
        return made, joined

    def start(self, name, network):
        self.api('POST', f'/containers/create?name={name}', {'Image': 'busybox', 'Cmd': ['sleep', '100000'], 'HostConfig': {'NetworkMode': network}})
        self.api('POST', f'/containers/{name}/start')

    def containers(self, count):
        """Starting containers on one network, everything of it, and connecting all of them to another one."""
        for name, third in (('crowd', 0), ('second', 128)):
            self.api('POST', '/networks/create', {'Name': name, 'IPAM': {'Config': [{'Subnet': f'10.199.{third}.0/17'}]}})
        started = self.each(count, lambda number: self.start(f'crowd{number}', 'crowd'))
        joined = self.each(count, lambda number: self.api('POST', '/networks/second/connect', {'Container': f'crowd{number}'}))
        for number in range(count):
            self.api('DELETE', f'/containers/crowd{number}?force=1')
        for name in ('crowd', 'second'):
            self.api('DELETE', f'/networks/{name}')
        return started, joined

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
        for server in self.servers:
            server.kill()
        self.engine.stop()


class Podman(Daemon):
    """The same words, each a process, and what all those processes use."""

    def processor_ms(self):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (used.ru_utime + used.ru_stime) * 1000

    def networks(self, count):
        made = self.each(count, lambda number: self.docker('network', 'create', '--subnet', f'10.{200 + number // 256}.{number % 256}.0/24', f'attach{number}'))
        joined = self.each(count, lambda number: self.docker('network', 'connect', f'attach{number}', 'first'))
        return made, joined

    def containers(self, count):
        self.docker('network', 'create', 'crowd')
        self.docker('network', 'create', 'second')
        started = self.each(count, lambda number: self.docker('run', '-d', '--name', f'crowd{number}', '--network', 'crowd', 'busybox', 'sleep', '100000'))
        return started, self.each(count, lambda number: self.docker('network', 'connect', 'second', f'crowd{number}'))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--sampan', required=True)
    parser.add_argument('--reference', help="folder of dockerd's programs")
    parser.add_argument('--peers', help="folder of podman's programs; its runtime is dockerd's runc")
    parser.add_argument('--busybox', required=True)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=2)
    parser.add_argument('--many', type=int, default=1000, help="how many networks and containers Sampan's costs of attaching are measured with")
    parser.add_argument('--few', type=int, default=40, help="how many a peer's are")
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
            if options.peers:
                podman = PodmanMachine(folder, os.path.abspath(options.peers), os.path.abspath(options.reference) + '/runc')
                podman.run('import', os.path.abspath(options.busybox), 'busybox')
                sides.append(Podman(podman))
            report(sides, options)
        finally:
            for side in sides:
                side.stop()


def report(sides, options):
    ways = {
        'containers': lambda s: s.measure(s.first, s.address, PORT, options.seconds),
        'published': lambda s: s.measure(s.host, *((HOST, PUBLISHED) if isinstance(s, Daemon) else (s.address, PORT)), options.seconds),
        'localhost': lambda s: s.localhost(options.seconds),
        'small': lambda s: s.small(options.seconds / 2),
    }
    rows_of = {'localhost': ('localhost_gbits', 'localhost_cpu_s_per_GB'), 'small': ('localhost_trip_us', 'localhost_connects_s')}
    figures = {side.name: {} for side in sides}
    for way, measure in ways.items():
        found = {side.name: [] for side in sides}
        for _ in range(options.rounds):
            for side in sides:
                answer = measure(side)
                found[side.name].append(answer if isinstance(answer, tuple) else (answer,))
        for name, values in found.items():
            for row, column in zip(rows_of.get(way, (way + '_gbits',)), zip(*values)):
                figures[name][row] = round(statistics.median(column), 2)
    for side in sides[1:]:
        count = options.many if side.name == 'sampan' else options.few
        made, joined = side.networks(count)
        started, crowded = side.containers(count)
        for what, (cpu, wall, first, last) in {'create': made, 'attach': joined, 'start': started, 'attach_all': crowded}.items():
            figures[side.name] |= {f'{what}_cpu_ms': round(cpu, 2), f'{what}_wall_ms': round(wall, 1),
                                   f'{what}_first_tenth_ms': round(first, 2), f'{what}_last_tenth_ms': round(last, 2)}
    figures['sampan'][f'range_{options.ports}_ms'] = round(next(s for s in sides if s.name == 'sampan').range_ms(options.ports), 1)
    rows = list(dict.fromkeys(key for values in figures.values() for key in values))
    print(f'{"":24}' + ''.join(f'{name:>12}' for name in figures))
    for row in rows:
        print(f'{row:24}' + ''.join(f'{"-" if values.get(row) is None else values[row]:>12}' for values in figures.values()))
    for way, least in TARGETS.items():
        ratio = figures['sampan'][way + '_gbits'] / figures['by hand'][way + '_gbits']
        print(f'{way}: {ratio:.2f} of by hand (aim {least})')
    ours, proxy = figures['sampan'], figures.get('dockerd')
    print(f'localhost: {ours["localhost_gbits"] / figures["by hand"]["localhost_gbits"]:.2f} of loopback itself')
    if proxy:
        print(f'localhost beside docker-proxy (aim 3, which for throughput is beyond loopback where {3 * proxy["localhost_gbits"]:.1f} is): '
              f'{ours["localhost_gbits"] / proxy["localhost_gbits"]:.1f} times the throughput, '
              f'{proxy["localhost_cpu_s_per_GB"] / ours["localhost_cpu_s_per_GB"]:.1f} times less processor time, '
              f'{proxy["localhost_trip_us"] / ours["localhost_trip_us"]:.1f} times quicker round trips, '
              f'{ours["localhost_connects_s"] / proxy["localhost_connects_s"]:.1f} times the connections')


if __name__ == '__main__':
    main()
