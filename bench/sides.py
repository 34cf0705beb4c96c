"""The sides that bench/net.py measures: by hand, and engines with two containers on a network; and how each is measured."""
import atexit
import http.client
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

import engines

PORT, PUBLISHED, HOST = 5201, 15201, '203.0.113.1'
DATAGRAM_MBITS = 600
TICK = os.sysconf('SC_CLK_TCK')
SCHEDULERS_CLOCK = 2  # with a process id in it, a clock id of the kernel's own: clock_getcpuclockid(3)


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
import os, socket, sys, time
def worked():
    with open('/proc/stat') as stat:
        columns = list(map(int, stat.readline().split()[1:9]))
    return (sum(columns) - columns[3] - columns[4]) / os.sysconf('SC_CLK_TCK')
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
begun, end = worked(), time.monotonic() + seconds
while time.monotonic() < end:
    with socket.create_connection((address, port)) as connection:
        trip(connection)
    connections += 1
print(sorted(trips)[len(trips) // 2] * 1e6, connections / seconds, (worked() - begun) / connections * 1e6)
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

    def iperf(self, client, address, port, seconds, *options):
        return json.loads(run(*client, 'iperf3', '-J', '-t', str(seconds), '-c', address, '-p', str(port), *options))['end']

    def containers(self, seconds):
        """Throughput from one container to the other."""
        return (self.iperf(self.first, self.address, PORT, seconds)['sum_received']['bits_per_second'] / 1e9,)

    def published(self, seconds):
        """Throughput from the host to a published port; by hand to the container itself."""
        where = (self.address, PORT) if self.local_port == PORT else (HOST, PUBLISHED)
        return (self.iperf(self.host, *where, seconds)['sum_received']['bits_per_second'] / 1e9,)

    def localhost(self, seconds, streams):
        """Throughput through localhost, and processor seconds a gigabyte."""
        worked = machine_seconds()
        gbits = self.iperf(self.host, '127.0.0.1', self.local_port, seconds, '-P', str(streams))['sum_received']['bits_per_second'] / 1e9
        return gbits, (machine_seconds() - worked) / (gbits * seconds / 8)

    def datagrams(self, seconds):
        """Datagrams through localhost: what arrives of a rate, and processor seconds a gigabyte that arrives."""
        worked = machine_seconds()
        end = self.iperf(self.host, '127.0.0.1', self.local_port, seconds, '-u', '-b', f'{DATAGRAM_MBITS}M', '-l', '1400')['sum']
        arrived = end['bits_per_second'] / 1e6 * (1 - end['lost_percent'] / 100)
        return arrived, end['lost_percent'], (machine_seconds() - worked) / (arrived / 1000 * seconds / 8)

    def small(self, seconds):
        """The middle of round trips of a byte over one connection in us, connections a second, and processor us of one, through localhost."""
        trip, connects, worked = map(float, run(*self.host, sys.executable, '-c', ASK_BYTES, '127.0.0.1', str(self.local_port + 1), str(seconds)).split())
        return trip, connects, worked


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

    def crowd(self, count):
        """What the kernel itself takes for a pair and its port on a bridge that fills up: as `Engine.each` gives it."""
        host, peers, tenth = self.host, self.first, max(count // 10, 1)
        run(*host, 'ip', 'link', 'add', 'crowd', 'type', 'bridge')
        run(*host, 'ip', 'link', 'set', 'crowd', 'up')
        spent, start = [], time.monotonic()
        for first in range(0, count, tenth):
            numbers = range(first, min(first + tenth, count))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            for where, lines in (
                    (host, [f'link add c{n} type veth peer name p{n} netns {self.holders[1].pid}\nlink set c{n} addrgenmode none\nlink set c{n} master crowd up\n' for n in numbers]),
                    (peers, [f'link set p{n} addrgenmode none\nlink set p{n} up\n' for n in numbers])):
                run(*where, 'ip', '-batch', '-', input=''.join(lines))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000 / len(numbers))
        wall = (time.monotonic() - start) * 1000 / count
        run(*host, 'ip', 'link', 'delete', 'crowd')
        return statistics.mean(spent), wall, spent[0], spent[-1]


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
        self.docker('run', '-d', '--name', 'second', '--network', 'bench', '-p', f'{PUBLISHED}-{PUBLISHED + 1}:{PORT}-{PORT + 1}',
                    '-p', f'{PUBLISHED}:{PORT}/udp', 'busybox', 'sleep', '100000')
        self.way = engine.enter('mount', 'pid', 'net')
        address = self.docker('inspect', '--format', '{{.NetworkSettings.Networks.bench.IPAddress}}', 'second')
        super().__init__(engine.name, self.way, self.inside('first'), self.inside('second'), address)

    def docker(self, *words):
        return self.engine.run(*words)

    def inside(self, container):
        """The way into a container's network: the engine tells process ids of its own namespace."""
        return [*self.way, 'nsenter', '--target', self.docker('inspect', '--format', '{{.State.Pid}}', container), '--net', '--']

    def processor_ms(self):
        """What the engine's processes have used, by the scheduler's count, and what children of theirs that have ended had used, in ticks."""
        used = 0
        for pid in self.engine.processes():
            try:
                used += time.clock_gettime((~pid << 3) | SCHEDULERS_CLOCK) * 1000
                with open(f'/proc/{pid}/stat', encoding='utf-8') as stat:
                    used += sum(map(int, stat.read().rsplit(')', 1)[1].split()[13:15])) * 1000 / TICK
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

    def crowd(self, count):
        """
        Starting containers on one network, everything of it, and connecting all of them to another one. What the first cost is measured before
        the crowd and after it, and is the mean of both: machines become slower and quicker meanwhile.
        """
        for name, third in (('crowd', 0), ('second', 128)):
            self.api('POST', '/networks/create', {'Name': name, 'IPAM': {'Config': [{'Subnet': f'10.199.{third}.0/17'}]}})
        costs, again = self.gather(count), self.gather(max(count // 10, 1))
        for name in ('crowd', 'second'):
            self.api('DELETE', f'/networks/{name}')
        return [(cpu, wall, (first + after) / 2, last) for (cpu, wall, first, last), (after, *_) in zip(costs, again)]

    def gather(self, count):
        started = self.each(count, lambda number: self.start(f'crowd{number}', 'crowd'))
        joined = self.each(count, lambda number: self.api('POST', '/networks/second/connect', {'Container': f'crowd{number}'}))
        for number in range(count):
            self.api('DELETE', f'/containers/crowd{number}?force=1')
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
        pairs = [(start('-p', f'20000-{19999 + ports}:20000-{19999 + ports}'), start()) for _ in range(5)]
        return statistics.median(published for published, _ in pairs) - statistics.median(plain for _, plain in pairs)

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

    def crowd(self, count):
        self.docker('network', 'create', 'crowd')
        self.docker('network', 'create', 'second')
        started = self.each(count, lambda number: self.docker('run', '-d', '--name', f'crowd{number}', '--network', 'crowd', 'busybox', 'sleep', '100000'))
        return started, self.each(count, lambda number: self.docker('network', 'connect', 'second', f'crowd{number}'))


