"""Names: Sampan's resolver beside dockerd's in one run. Questions for a container's name are sent from within another container's network.

Printed for each: answers per second as fast as they come, answers per second of the answering process's processor time (one core), and
the times until an answer at 5,000 questions a second; and the times of one container while another asks 50,000 questions a second.
"""
import json
import os
import socket
import struct
import statistics
import subprocess
import sys
import time

SERVER = ('127.0.0.11', 53)
WINDOW, RATE, NAME = 64, 5000, b'\x06target\x00'
FLOOD, OTHERS_RATE = 50_000, 500
ANSWERING = {'sampan': 'sampan-resolver', 'dockerd': 'dockerd'}
NAMES = {
    'per_second': 'answers per second', 'per_core': 'answers per second of one core', 'p50_ms': 'half within (ms, at 5,000/s)',
    'p99_ms': '99 % within (ms, at 5,000/s)', 'lost': 'lost',
    'flood': 'another container asks per second', 'flood_p50_ms': '  half within (ms, at 500/s)',
    'flood_p99_ms': '  99 % within (ms, at 500/s)', 'flood_lost_%': '  lost (%)',
}
TARGETS = {  # from the issue on networking
    'per_core': ('min', 20_000), 'p99_ms': ('max', 1.0), 'flood_lost_%': ('max', 0.0),
}


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


def pace(client, seconds, rate=RATE):
    """Sends at the rate, whatever comes back; gives the sorted times until answers in milliseconds, and how many never came."""
    client.setblocking(False)
    count = int(seconds * rate)
    sent_at, times, sent = [0.0] * count, [], 0
    started = time.perf_counter()
    while len(times) < count:
        now = time.perf_counter()
        if sent < count and now >= started + sent / rate:
            client.send(question(sent & 0xffff))
            sent_at[sent] = now
            sent += 1
        try:
            answer = client.recv(512)
        except BlockingIOError:
            if rate < RATE:
                time.sleep(0.0001)  # the answering process and the flood need the two processors
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


def flood(seconds):
    """Sends at the rate of a flood, and reads what comes back now and then; prints the rate that was reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(SERVER)
        client.setblocking(False)
        message, sent, started = question(1), 0, time.monotonic()
        while (now := time.monotonic()) < started + seconds:
            if sent >= (now - started) * FLOOD:
                time.sleep(0.0005)
                continue
            for _ in range(25):
                try:
                    client.send(message)
                except BlockingIOError:
                    pass  # its own buffer is full
                sent += 1
        print(round(sent / (now - started)))


def during_flood(seconds):
    """The others' answers: times and losses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(SERVER)
        times, lost = pace(client, seconds, OTHERS_RATE)
    count = int(seconds * OTHERS_RATE)
    print(json.dumps({
        'flood_p50_ms': round(times[len(times) // 2], 3) if times else float('inf'), 'flood_p99_ms': round(times[len(times) * 99 // 100], 3) if times else float('inf'),
        'flood_lost_%': round(100 * lost / count, 2),
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


def prepare(engine, options):
    engine.import_image(options.busybox, 'busybox')
    engine.run('network', 'create', 'names')
    for name in ('target', 'asker', 'flooder'):
        engine.run('run', '-d', '--name', name, '--network', 'names', 'busybox', 'sleep', '1000')


def measure(engine, seconds):
    def start(container, *words):
        # Into the engine's machine, where the container has the number that the engine tells, and from there into its network.
        return subprocess.Popen(
            [*engine.enter('mount', 'net', 'pid'), 'nsenter', '--target', engine.run('inspect', '-f', '{{.State.Pid}}', container), '--net',
             sys.executable, os.path.abspath(__file__), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(process):
        output, error = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f'{engine.name}: {error}')
        return json.loads(output)

    figures = finish(start('asker', '--load', ANSWERING[engine.name], str(seconds)))
    flooding = start('flooder', '--flood', str(seconds + 1))
    time.sleep(0.5)
    figures |= finish(start('asker', '--during-flood', str(seconds)))
    return figures | {'flood': finish(flooding)}


def main():
    parser = arguments(__doc__, list(ANSWERING), runs=5)
    parser.add_argument('--seconds', type=float, default=2, help='for each of the two measurements of a run')
    parser.add_argument('--json', default='out/bench-dns.json')
    options = parser.parse_args()
    with machines(options) as engines:
        for engine in engines:
            prepare(engine, options)
        runs = [{engine.name: measure(engine, options.seconds) for engine in engines} for _ in range(options.runs)]
    figures = {name: {key: statistics.median(run[name][key] for run in runs) for key in NAMES} for name in runs[0]}
    print(f'{"names":36}' + ''.join(f'{name:>12}' for name in figures) + '  aim')
    for key, text in NAMES.items():
        kind, limit = TARGETS.get(key, (None, None))
        ours = figures.get('sampan', {}).get(key)
        aim = '' if kind is None or ours is None else f'  {">=" if kind == "min" else "<="} {limit:,} ' + (
            'met' if (ours >= limit if kind == 'min' else ours <= limit) else 'MISSED')
        print(f'{text:36}' + ''.join(f'{f[key]:>12,}' for f in figures.values()) + aim)
    with open(options.json, 'w') as out:
        json.dump({'runs': options.runs, 'processors': os.cpu_count(), 'load': os.getloadavg()[0], 'figures': figures}, out, indent=2)
        out.write('\n')
    print(f'\nmedians of {options.runs} runs, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; {options.json} has them as JSON')


if __name__ == '__main__':
    if sys.argv[1:2] == ['--load']:
        load(process_named(sys.argv[2]), float(sys.argv[3]))
    elif sys.argv[1:2] == ['--flood']:
        flood(float(sys.argv[2]))
    elif sys.argv[1:2] == ['--during-flood']:
        during_flood(float(sys.argv[2]))
    else:
        from engines import arguments, machines
        main()
