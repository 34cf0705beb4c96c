"""Names: Sampan's resolver beside dockerd's in one run. Questions for a container's name are sent from within another container's network.

Printed for each: answers per second as fast as they come, answers per second of the answering process's processor time (one core), and
the times until an answer at 5,000 questions a second.
"""
import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

SERVER = ('127.0.0.11', 53)
WINDOW, RATE, NAME = 64, 5000, b'\x06target\x00'
TARGETS = {'per_core': ('min', 20_000), 'p99_ms': ('max', 1.0)}


def question(number):
    return struct.pack('>HHHHHH', number, 0x0100, 1, 0, 0, 0) + NAME + struct.pack('>HH', 1, 1)


def processor_seconds(pid):
    with open(f'/proc/{pid}/stat') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def saturate(client, seconds):
    """Keeps a window of questions on their way; gives the answers per second."""
    client.settimeout(1)
    questions, answers, waiting = [question(i) for i in range(65536)], 0, 0
    started = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < started + seconds:
        while waiting < WINDOW:
            client.send(questions[sent & 0xffff])
            sent, waiting = sent + 1, waiting + 1
        try:
            for _ in range(WINDOW // 2):
                client.recv(512)
                answers, waiting = answers + 1, waiting - 1
        except TimeoutError:
            waiting = 0  # lost
    return answers / (now - started)


def pace(client, seconds):
    """Sends at the rate, whatever comes back; gives the sorted times until answers in milliseconds, and how many never came."""
    client.setblocking(False)
    count = int(seconds * RATE)
    sent_at, times, sent = [0.0] * count, [], 0
    started = time.perf_counter()
    while len(times) < count:
        now = time.perf_counter()
        if sent < count and now >= started + sent / RATE:
            client.send(question(sent & 0xffff))
            sent_at[sent] = now
            sent += 1
        try:
            answer = client.recv(512)
        except BlockingIOError:
            if sent == count and now > started + seconds + 1:
                break
            continue
        number = struct.unpack('>H', answer[:2])[0]
        number += (sent - 1 - number) // 65536 * 65536
        times.append((time.perf_counter() - sent_at[number]) * 1000)
    return sorted(times), count - len(times)


def load(pid, seconds):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(SERVER)
        client.settimeout(5)
        client.send(question(1))
        if client.recv(512)[3] & 15 != 0:
            sys.exit('the name is not known')
        saturate(client, 0.5)
        before = processor_seconds(pid)
        per_second = saturate(client, seconds)
        used = processor_seconds(pid) - before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(SERVER)
        times, lost = pace(client, seconds)
    print(json.dumps({
        'per_second': round(per_second), 'per_core': round(per_second * seconds / max(used, 0.01)),
        'p50_ms': round(times[len(times) // 2], 3), 'p99_ms': round(times[len(times) * 99 // 100], 3), 'lost': lost,
    }))


def process_named(name):
    for pid in os.listdir('/proc'):
        try:
            with open(f'/proc/{pid}/comm') as comm:
                if comm.read().strip() == name:
                    return int(pid)
        except OSError:
            pass
    sys.exit(f'no process {name}')


def measure(engine, answering, seconds):
    engine.run('network', 'create', 'names')
    for name in ('target', 'asker'):
        engine.run('run', '-d', '--name', name, '--network', 'names', 'busybox', 'sleep', '1000')
    # Into the engine's machine, where the container has the number that the engine tells, and from there into its network.
    done = subprocess.run(
        ['nsenter', '--target', str(engine.first), '--mount', '--net', '--pid', '--', 'nsenter', '--target',
         engine.run('inspect', '-f', '{{.State.Pid}}', 'asker'), '--net', sys.executable, os.path.abspath(__file__), '--load', answering,
         '--seconds', str(seconds)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f'{engine.name}: {done.stderr}')
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sampan')
    parser.add_argument('--reference')
    parser.add_argument('--busybox')
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--load', help='(within a container) the process whose time is counted')
    options = parser.parse_args()
    if options.load:
        load(process_named(options.load), options.seconds)
        return
    from versus import Engine
    results = {}
    with tempfile.TemporaryDirectory(prefix='sampan-bench-dns-') as folder:
        sampan, path = os.path.abspath(options.sampan), os.path.abspath(options.reference)
        for name, daemon, cli, where, answering in (
                ('sampan', [sampan, 'daemon'], sampan, None, 'sampan-resolver'),
                ('dockerd', [os.path.join(path, 'dockerd')], os.path.join(path, 'docker'), path, 'dockerd')):
            engine = Engine(name, daemon, cli, where, folder)
            try:
                engine.run('import', options.busybox, 'busybox')
                results[name] = measure(engine, answering, options.seconds)
            finally:
                engine.stop()
    print(f'{"names":32}{"sampan":>12}{"dockerd":>12}')
    for key, text in (('per_second', 'answers per second'), ('per_core', 'answers per second of one core'),
                      ('p50_ms', 'half within (ms, 5,000/s)'), ('p99_ms', '99 % within (ms, 5,000/s)'), ('lost', 'lost')):
        print(f'{text:32}{results["sampan"][key]:>12}{results["dockerd"][key]:>12}')
    for key, (kind, limit) in TARGETS.items():
        value = results['sampan'][key]
        print(f'{key}: {value}, target {"at least" if kind == "min" else "at most"} {limit}: '
              + ('met' if (value >= limit if kind == 'min' else value <= limit) else 'MISSED'))


if __name__ == '__main__':
    main()
