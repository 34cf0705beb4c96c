"""Measures builds of Sampan beside Debian's dockerd (classic builder, and BuildKit inside it) and buildah: the same Dockerfiles and contexts, in turn.

Each engine has a copy of the context of its own, so that a changed file is changed for it alone. Times are medians of whole commands.
"""
import json
import os
import subprocess

from engines import alternate, arguments, machines, milliseconds

CASES = {
    'cold': '10 RUN and a COPY of the files, no cache (ms)', 'cached': 'the same, all cached (ms)',
    'changed': 'the same, one file changed (ms)', 'first': 'large context, first time (ms)', 'again': 'large context, unchanged (ms)',
    'stages': 'two stages of a second each (ms)',
}
AIMS = {  # from the issue about builds: at most so many milliseconds, and so many times faster than the fastest peer
    'cold': (None, 4), 'cached': (60, 5),
}
ENGINES = ['sampan', 'dockerd', 'buildkit', 'buildah']


def context(folder, files, size, dockerfile):
    os.makedirs(folder)
    for i in range(files):
        directory = os.path.join(folder, 'src', f'd{i // 100:04}')
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f'f{i:06}'), 'wb') as file:
            file.write((b'%08d' % i) * (size // 8))
    with open(os.path.join(folder, 'Dockerfile'), 'w') as file:
        file.write(dockerfile)


def steps():
    runs = [f'RUN echo {i} >/r{i}\n' for i in range(10)]
    return 'FROM busybox\n' + ''.join(runs[:5]) + 'COPY src /src\n' + ''.join(runs[5:])


STAGES = '''FROM busybox AS a
RUN sleep 1; echo >/a
FROM busybox AS b
RUN sleep 1; echo >/b
FROM busybox
COPY --from=a /a /a
COPY --from=b /b /b
'''


def bytes_read(pid):
    """What a process has asked the kernel to read so far, from files and sockets."""
    with open(f'/proc/{pid}/io') as lines:
        return int(dict(line.split(': ') for line in lines)['rchar'])


def copied(source, target):
    """What the disk allows: the same files copied by cp and synced."""
    subprocess.run(['cp', '-r', source, target], check=True)
    subprocess.run(['sync', '-f', target], check=True)


def measure(engines, options):
    figures = {engine.name: {} for engine in engines}
    place = {engine: os.path.join(engine.folder, 'contexts') for engine in engines}
    for engine in engines:
        engine.import_image(options.busybox, 'busybox:latest')
        context(os.path.join(place[engine], 'small'), options.files, 4096, steps())
        context(os.path.join(place[engine], 'stages'), 0, 8, STAGES)

    def case(name, which, *flags, before=lambda engine: None, runs=options.runs):
        if name not in options.case:
            return

        def once(engine, _):
            before(engine)
            return milliseconds(lambda: engine.build(which, os.path.join(place[engine], which), *flags))
        values, _ = alternate(engines, runs, lambda engine: None, once)
        for engine, value in values.items():
            figures[engine.name][name] = value

    changes = iter(range(1 << 30))

    def change(engine):
        with open(os.path.join(place[engine], 'small', 'src', 'd0000', 'f000001'), 'w') as file:
            file.write(f'change {next(changes)}\n')

    case('cold', 'small', '--no-cache')
    case('cached', 'small')
    case('changed', 'small', before=change)
    case('stages', 'stages', '--no-cache')
    if options.big_files > 0 and {'first', 'again'} & set(options.case):
        for engine in engines:  # one at a time, as each takes a gigabyte three times
            folder = os.path.join(place[engine], 'big')
            context(folder, options.big_files, options.big_mib * (1 << 20) // options.big_files, 'FROM busybox\nCOPY src /src\n')
            os.sync()
            figures[engine.name]['first'] = milliseconds(lambda: engine.build('big', folder))
            if engine.name == 'sampan':
                figures['sampan']['copied'] = milliseconds(lambda: copied(folder, os.path.join(engine.folder, 'copied')))
        case('again', 'big', runs=min(options.runs, 2))
        if sampan := next((engine for engine in engines if engine.name == 'sampan'), None):
            before = bytes_read(sampan.daemon)
            sampan.build('big', os.path.join(place[sampan], 'big'))
            figures['sampan']['again_read_kib'] = (bytes_read(sampan.daemon) - before) / 1024
    return figures


def verdict(case, ours, theirs):
    most, times = AIMS[case]
    texts = ([f'at most {most} ms'] if most else []) + [f'{times} times faster than each']
    met = (most is None or ours <= most) and all(value / ours >= times for value in theirs)
    return f'   {", ".join(texts)}: {"met" if met else "MISSED"}'


def report(figures):
    peers = [name for name in ENGINES[1:] if name in figures]
    print(f'{"":48}{"sampan":>8}' + ''.join(f'{name:>10}{"ratio":>7}' for name in peers))
    for case, text in CASES.items():
        ours, theirs = figures.get('sampan', {}).get(case), {name: figures[name].get(case) for name in peers}
        line = f'{text:48}{"" if ours is None else format(ours, ".0f"):>8}'
        for value in theirs.values():
            line += f'{"" if value is None else format(value, ".0f"):>10}{f"{value / ours:.1f}" if ours and value else "":>7}'
        print(line + (verdict(case, ours, [value for value in theirs.values() if value]) if ours and case in AIMS else ''))
    if 'copied' in figures.get('sampan', {}):
        print(f'cp -r and sync of the large context, in the same run: {figures["sampan"]["copied"]:.0f} ms')
    if 'again_read_kib' in figures.get('sampan', {}):
        print(f'bytes that the daemon read for the unchanged large context: {figures["sampan"]["again_read_kib"]:.0f} KiB')


def main():
    parser = arguments(__doc__, ENGINES, runs=5)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--big-files', type=int, default=50000, help='0 leaves the large context out')
    parser.add_argument('--big-mib', type=int, default=1024)
    parser.add_argument('--case', choices=list(CASES), action='append', help='one figure; may be given several times')
    parser.add_argument('--json', default='out/bench-build.json')
    options = parser.parse_args()
    options.case = options.case or list(CASES)
    with machines(options, inside=True) as engines:
        figures = measure(engines, options)
    report(figures)
    with open(options.json, 'w') as out:
        json.dump({'runs': options.runs, 'kernel': os.uname().release, 'processors': os.cpu_count(), 'load': os.getloadavg()[0],
                   'figures': figures}, out, indent=2)
        out.write('\n')
    print(f'\nmedians of {options.runs} runs; {options.json} has them as JSON')


if __name__ == '__main__':
    main()
