"""Measures builds of Sampan beside those of Debian's dockerd (classic builder): the same Dockerfiles and contexts, in turn, in one run.

Each engine has a copy of the context of its own, so that a changed file is changed for it alone. Times are medians of whole commands.
"""
import argparse
import os
import subprocess
import sys
import tempfile

from versus import Engine, alternate


class LocalEngine(Engine):
    """Runs its commands in the daemon's own namespaces, as on one machine: a daemon cannot see a client of a process namespace above it."""

    def run(self, *words):
        enter = ['nsenter', '--target', str(self.first), '--mount', '--pid', '--']
        done = subprocess.run([*enter, self.cli, *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f'{self.name}: {" ".join(words)}: exit code {done.returncode}: {done.stderr.decode()}')
        return done.stdout.decode().strip()


CASES = {
    'cold': '10 RUN and a COPY of the files, no cache (ms)', 'cached': 'the same, all cached (ms)',
    'changed': 'the same, one file changed (ms)', 'big': 'large context, unchanged, COPY cached (ms)', 'stages': 'two stages of a second each (ms)',
}


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


def measure(engines, options, folder):
    figures = {engine.name: {} for engine in engines}
    place = {engine: os.path.join(folder, 'context-' + engine.name) for engine in engines}
    for engine in engines:
        engine.run('import', '--change', 'CMD ["sh"]', os.path.abspath(options.busybox), 'busybox:latest')
        context(os.path.join(place[engine], 'small'), options.files, 4096, steps())
        context(os.path.join(place[engine], 'big'), options.big_files, options.big_mib * (1 << 20) // options.big_files, 'FROM busybox\nCOPY src /src\n')
        context(os.path.join(place[engine], 'stages'), 0, 8,
                'FROM busybox AS a\nRUN sleep 1; echo >/a\nFROM busybox AS b\nRUN sleep 1; echo >/b\nFROM busybox\nCOPY --from=a /a /a\nCOPY --from=b /b /b\n')

    def case(name, which, *flags, before=lambda engine: None):
        def once(engine, _):
            before(engine)
            return engine.milliseconds('build', *flags, '-t', which, os.path.join(place[engine], which))
        values, _ = alternate(engines, options.runs, lambda engine: None, once)
        for engine, value in values.items():
            figures[engine.name][name] = value

    changes = iter(range(1 << 30))

    def change(engine):
        with open(os.path.join(place[engine], 'small', 'src', 'd0000', 'f000001'), 'w') as file:
            file.write(f'change {next(changes)}\n')

    case('cold', 'small', '--no-cache')
    case('cached', 'small')
    case('changed', 'small', before=change)
    case('big', 'big')
    case('stages', 'stages', '--no-cache')
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sampan', required=True)
    parser.add_argument('--reference', required=True, help="the folder with Debian's dockerd")
    parser.add_argument('--busybox', required=True)
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--files', type=int, default=2000)
    parser.add_argument('--big-files', type=int, default=50000)
    parser.add_argument('--big-mib', type=int, default=1024)
    parser.add_argument('--only', choices=['sampan', 'dockerd'])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit('bench: containers need root')
    os.environ['DOCKER_BUILDKIT'] = '0'
    folder = tempfile.mkdtemp(prefix='sampan-bench-')
    engines = []
    try:
        if options.only != 'dockerd':
            sampan = os.path.abspath(options.sampan)
            engines.append(LocalEngine('sampan', [sampan, 'daemon'], sampan, None, folder))
        if options.only != 'sampan':
            reference = os.path.abspath(options.reference)
            engines.append(LocalEngine('dockerd', [os.path.join(reference, 'dockerd')], os.path.join(reference, 'docker'), reference, folder))
        figures = measure(engines, options, folder)
    finally:
        for engine in engines:
            engine.stop()
        subprocess.run(['rm', '-rf', '--one-file-system', folder], check=False)
    print(f'{"":52}{"Sampan":>10}{"dockerd":>10}{"ratio":>8}')
    for name, text in CASES.items():
        ours, theirs = (figures.get(engine, {}).get(name) for engine in ('sampan', 'dockerd'))
        print(f'{text:52}{"" if ours is None else format(ours, ".0f"):>10}{"" if theirs is None else format(theirs, ".0f"):>10}'
              f'{f"{theirs / ours:.1f}" if ours and theirs else "":>8}')


if __name__ == '__main__':
    main()
