"""Measures how fast images move in and out: Sampan, and Debian's dockerd, podman and skopeo, beside tar and cp on the same disk.

Every figure is one command from its start to its exit; the engines take turns. The image has four layers of mixed content (half of it does not
compress), and every engine reads the same archive. A registry, Debian's docker-registry, listens on the loopback of each engine's own network
namespace and keeps its data on the same disk. What is pulled was pushed by skopeo, and is the same for all.

With --work the archive is kept for the next run, and --figure takes figures one at a time, so that each run is short:
    bench/run.sh images --work out/bench-images --prepare; bench/run.sh images --work out/bench-images --figure push
"""
import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

from engines import Engine, Machine, kib

REGISTRY = '127.0.0.1:5099'
IMAGE, REMOTE = 'docker.io/bench/image:local', REGISTRY + '/bench/image:1'
FIGURES = {
    'load': 'load of the archive', 'save': 'save', 'export_import': 'export | import', 'commit': 'commit of the change', 'push': 'push', 'pull': 'pull',
    'load_rss': 'daemon while it loads, most resident (MiB)', 'big_load': 'load of a big archive from a pipe',
    'big_rss': 'daemon while it loads that, most resident (MiB)',
}
# What the disk or the best inflater gives for the same work, and the share of its speed that is asked for.
# Inflating alone takes a tenth of a pull: what is inflated has to be hashed before and after, written, and made durable.
YARDSTICKS = {'load': [('tar -x', 0.8)], 'save': [('cp', 0.8)], 'export_import': [('tar -c | tar -x', 0.8)], 'commit': [('cp -a change', 0.8)],
              'pull': [('inflate on 2', 0.9), ('inflate, hash, tar -x and sync', 0.9)]}
REGISTRY_CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: '{address}'}}
"""


class Daemon(Engine):
    """sampan and dockerd: what is timed are commands of their command line."""

    def load(self, archive):
        self.run('load', '-q', '-i', archive)

    def save(self, path):
        self.run('save', '-o', path, IMAGE)

    def push(self):
        self.run('push', REMOTE)

    def pull(self):
        self.run('pull', '-q', REMOTE)

    def clean(self):
        self.run('image', 'prune', '-a', '-f')


class Podman(Machine):
    """podman, which has no daemon: every command is a process of its own."""

    daemon = None

    def __init__(self, name, folder, peers):
        own = os.path.join(folder, name)
        super().__init__(name, [os.path.join(peers, 'podman'), '--root', own + '/root', '--runroot', own + '/run', '--storage-driver', 'overlay',
                                '--cgroup-manager', 'cgroupfs'], folder, peers)
        self.cli = [*enter(self), *self.cli]
        with open(os.path.join(own, 'config.json'), 'w') as config:
            config.write('{}')  # podman wants the file that DOCKER_CONFIG promises
        self.policy = ['--signature-policy', os.path.join(os.path.dirname(peers), 'policy.json')]

    def load(self, archive):
        self.run('load', *self.policy, '-q', '-i', archive)

    def save(self, path):
        self.run('save', '-q', '-o', path, IMAGE)

    def push(self):
        self.run('push', *self.policy, '-q', '--tls-verify=false', REMOTE)

    def pull(self):
        self.run('pull', *self.policy, '-q', '--tls-verify=false', REMOTE)

    def clean(self):
        self.run('rmi', '-a', '-f')


class Skopeo(Machine):
    """skopeo copies between archives, registries and a store of Podman's kind; it has no containers."""

    daemon = None

    def __init__(self, name, folder, peers):
        own = os.path.join(folder, name)
        super().__init__(name, [os.path.join(peers, 'skopeo'), '--insecure-policy'], folder, peers)
        self.cli = [*enter(self), *self.cli]
        with open(os.path.join(own, 'config.json'), 'w') as config:
            config.write('{}')
        self.store = f'containers-storage:[overlay@{own}/root+{own}/run]'

    def copy(self, source, target):
        self.run('copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', source, target)

    def load(self, archive):
        self.copy('docker-archive:' + archive, self.store + IMAGE)

    def save(self, path):
        self.copy(self.store + IMAGE, f'docker-archive:{path}:{IMAGE}')

    def push(self):
        self.copy(self.store + IMAGE, 'docker://' + REMOTE)

    def pull(self):
        self.copy('docker://' + REMOTE, self.store + REMOTE)

    def clean(self):
        for image in (IMAGE, REMOTE):
            subprocess.run([*self.cli, 'delete', self.store + image], env=self.env, capture_output=True)  # one of the two may be absent


def enter(engine):
    return engine.enter('mount', 'net', 'pid', 'uts', 'ipc')


def seconds(work):
    started = time.monotonic()
    work()
    return time.monotonic() - started


def shell(script):
    subprocess.run(['bash', '-eo', 'pipefail', '-c', script], check=True, stdout=subprocess.DEVNULL)


def content(rng, size, index):
    half = size // 2
    return rng.randbytes(half) + (b'%08d sampan bench ' % index * (size // 20 + 1))[:size - half]


def make_archive(archive, megabytes):
    """A Docker archive of four layers in deterministic bytes, by `docker save`'s own layout."""
    rng, layers = random.Random(4), []
    for number in range(4):
        path = f'{archive}.layer{number}'
        with tarfile.open(path, 'w', format=tarfile.USTAR_FORMAT) as tar:
            left, index = megabytes * 1_000_000 // 4, 0
            while left > 0:
                data = content(rng, min(left, rng.choice([4_000, 40_000, 400_000, 4_000_000])), index)
                add(tar, f'opt/l{number}/d{index % 97}/f{index}', data)
                left, index = left - len(data), index + 1
        with open(path, 'rb') as file:
            layers.append((path, hashlib.file_digest(file, 'sha256').hexdigest()))
    with tarfile.open(archive + '.new', 'w') as tar:
        for path, digest in layers:
            tar.add(path, f'{digest}/layer.tar')
            os.remove(path)
        describe(tar, IMAGE, [digest for _, digest in layers], [f'{digest}/layer.tar' for _, digest in layers])
    os.rename(archive + '.new', archive)


def add(tar, name, data):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def describe(tar, image, digests, layers):
    """The configuration and manifest.json at the end of a Docker archive."""
    config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['/x']},
                         'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + digest for digest in digests]}}).encode()
    name = hashlib.sha256(config).hexdigest() + '.json'
    add(tar, name, config)
    add(tar, 'manifest.json', json.dumps([{'Config': name, 'RepoTags': [image], 'Layers': layers}]).encode())


class BigLayer:
    """A layer of any size, read as it is made: files of 64 MB."""

    FILE = 64_000_000

    def __init__(self, gigabytes):
        self.files, self.hash = gigabytes * 1_000_000_000 // self.FILE, hashlib.sha256()
        self.size = self.files * (512 + self.FILE) + 1024
        self.pieces, self.left = self.make(), b''

    def make(self):
        for index in range(self.files):
            entry = tarfile.TarInfo(f'big/f{index}')
            entry.size = self.FILE
            yield entry.tobuf(tarfile.USTAR_FORMAT)
            block = (b'%08d sampan bench ' % index * 40_000)[:640_000]
            for _ in range(self.FILE // len(block)):
                yield block
        yield bytes(1024)

    def read(self, size):
        while len(self.left) < size and (piece := next(self.pieces, b'')):
            self.hash.update(piece)
            self.left += piece
        data, self.left = self.left[:size], self.left[size:]
        return data


def load_big(engine, gigabytes):
    """Loads an archive of one layer, which is on no disk, from a pipe."""
    loading = subprocess.Popen([*engine.cli, 'load', '-q'], env=engine.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=engine.log)
    layer = BigLayer(gigabytes)
    with tarfile.open(fileobj=loading.stdin, mode='w|', bufsize=1 << 20) as tar:
        entry = tarfile.TarInfo('layer/layer.tar')
        entry.size = layer.size
        tar.addfile(entry, layer)
        describe(tar, 'bench/big:1', [layer.hash.hexdigest()], [entry.name])
    loading.stdin.close()
    if loading.wait() != 0:
        with open(engine.log.name) as log:
            raise RuntimeError(f'{engine.name}: load from a pipe: exit code {loading.returncode}: {log.read()[-500:]}')


@contextlib.contextmanager
def registry(engine, peers, root):
    """docker-registry in an engine's namespaces."""
    os.makedirs(root, exist_ok=True)
    config = os.path.join(engine.folder, 'registry.yml')
    with open(config, 'w') as out:
        out.write(REGISTRY_CONFIG.format(root=root, address=REGISTRY))
    process = subprocess.Popen([*enter(engine), os.path.join(peers, 'docker-registry'), 'serve', config],
                               stdout=engine.log, stderr=engine.log, stdin=subprocess.DEVNULL)
    try:
        for _ in range(500):
            probe = f'exec 3<>/dev/tcp/{REGISTRY.replace(":", "/")}'
            if subprocess.run([*enter(engine), 'bash', '-c', probe], capture_output=True).returncode == 0:
                break
            time.sleep(0.02)
        else:
            raise RuntimeError('docker-registry does not start')
        yield
    finally:
        process.kill()
        process.wait()


class Peak:
    """The most that a daemon had resident while something ran; nothing for engines without one."""

    def __init__(self, pid):
        self.pid, self.most, self.ended = pid, 0, threading.Event()

    def __enter__(self):
        def watch():
            while self.pid and not self.ended.wait(0.02):
                self.most = max(self.most, kib(self.pid, 'status', 'VmRSS') / 1024)
        self.thread = threading.Thread(target=watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def one_round(engine, options):
    """The wanted figures of one engine, once; afterwards it has no image."""
    figures, wanted, has_containers = {}, options.figure, not isinstance(engine, Skopeo)
    store = os.path.join(engine.folder, 'registry')
    if {'load', 'save', 'export_import', 'commit', 'push'} & set(wanted):
        with Peak(engine.daemon) as peak:
            figures['load'] = seconds(lambda: engine.load(options.archive))
        if engine.daemon:
            figures['load_rss'] = peak.most
    if 'save' in wanted:
        saved = os.path.join(engine.folder, 'saved.tar')
        figures['save'] = seconds(lambda: engine.save(saved))
        os.remove(saved)
    if has_containers and {'export_import', 'commit'} & set(wanted):
        engine.run('create', '--name', 'bench', IMAGE)
        if 'export_import' in wanted:
            pipe = f'{shlex.join([*engine.cli, "export", "bench"])} | {shlex.join([*engine.cli, "import", "-", "flat:1"])}'
            figures['export_import'] = seconds(lambda: subprocess.run(['bash', '-o', 'pipefail', '-c', pipe], env=engine.env, check=True,
                                                                      stdout=subprocess.DEVNULL, stderr=engine.log))
            engine.run('rmi', '-f', 'flat:1')
        if 'commit' in wanted:
            engine.run('cp', options.change, 'bench:/change')
            figures['commit'] = seconds(lambda: engine.run('commit', 'bench', 'changed:1'))
        engine.run('rm', '-f', 'bench')
    if 'push' in wanted:
        if has_containers:
            engine.run('tag', IMAGE, REMOTE)
        with registry(engine, options.peers, store):
            figures['push'] = seconds(engine.push)
        figures['pushed'] = sum(os.path.getsize(os.path.join(at, file)) for at, _, files in os.walk(store) for file in files) / 1e6
        shutil.rmtree(store)
    engine.clean()
    if 'pull' in wanted:
        subprocess.run(['cp', '-al', options.seed, store], check=True)
        with registry(engine, options.peers, store):
            figures['pull'] = seconds(engine.pull)
        shutil.rmtree(store)
        engine.clean()
    if 'big_load' in wanted and engine.daemon:
        with Peak(engine.daemon) as peak:
            figures['big_load'] = seconds(lambda: load_big(engine, options.gigabytes))
        figures['big_rss'] = peak.most
        engine.clean()
    subprocess.run(['sync', '-f', engine.folder], check=True)  # what one leaves unwritten, the next shall not wait for
    return figures


def disk(options):
    """What tar and cp reach with the same bytes, and how long inflating takes with one thread of the best library."""
    target, figures, wanted = os.path.join(options.folder, 'disk'), {}, options.figure
    os.makedirs(target)
    if 'save' in wanted:
        figures['cp'] = seconds(lambda: shell(f'cp {options.archive} {target}/copy'))
        os.remove(f'{target}/copy')
    if {'load', 'export_import'} & set(wanted):
        figures['tar -x'] = seconds(lambda: shell(
            f'mkdir {target}/x; for l in $(tar -tf {options.archive} | grep layer.tar); do tar -xOf {options.archive} $l | tar -xf - -C {target}/x; done'))
        shell(f'sync -f {target}')
        figures['tar -c | tar -x'] = seconds(lambda: shell(f'mkdir {target}/y; tar -cf - -C {target}/x . | tar -xf - -C {target}/y'))
    if 'commit' in wanted:
        figures['cp -a change'] = seconds(lambda: shell(f'cp -a {options.change} {target}/change'))
    if 'pull' in wanted:
        blobs = [f'{at}/data' for at, _, files in os.walk(options.seed) if 'data' in files and os.path.getsize(f'{at}/data') > 1_000_000]
        figures['inflate'] = seconds(lambda: [shell(f'{options.inflate} <{blob} >/dev/null') for blob in blobs])
        figures['inflate on 2'] = figures['inflate'] / min(2, os.cpu_count())
        # Two layers at a time, each into a directory of its own.
        digest = 'tee >(openssl dgst -sha256 >/dev/null)'
        unpack = f'd=$(mktemp -d -p {target}); {digest} <"$1" | {options.inflate} | {digest} | tar -xf - -C "$d"'
        figures['inflate, hash, tar -x and sync'] = seconds(lambda: shell(
            f"printf '%s\\n' {shlex.join(blobs)} | xargs -n 1 -P 2 bash -c {shlex.quote(unpack)} bash; sync -f {target}"))
    shell(f'sync -f {target}')
    shutil.rmtree(target)
    return figures


def report(figures, disks):
    names = list(figures)
    print(f'{"":48}' + ''.join(f'{name:>10}' for name in names) + f'{"ratio":>8}  beside')
    for key, text in FIGURES.items():
        row = {name: figures[name].get(key) for name in names}
        if not any(row.values()):
            continue
        peers = [value for name, value in row.items() if name != 'sampan' and value]
        ratio = f'{min(peers) / row["sampan"]:.2f}' if peers and row.get('sampan') else ''
        beside = '; '.join(f'{name} {disks[name]:.2f}: {disks[name] / row["sampan"]:.0%} of its speed, {share:.0%} asked'
                           for name, share in YARDSTICKS.get(key, []) if name in disks and row.get('sampan'))
        print(f'{text:48}' + ''.join(f'{"" if value is None else format(value, ".2f"):>10}' for value in row.values()) + f'{ratio:>8}  {beside}')
    pushed = {name: round(values['pushed']) for name, values in figures.items() if 'pushed' in values}
    if pushed:
        print('megabytes that the registry has after push: ' + ', '.join(f'{name} {size}' for name, size in pushed.items()))
    print('the same machine, seconds: ' + ', '.join(f'{name} {value:.2f}' for name, value in disks.items()))


def prepare(options):
    """The archive, the change, and what skopeo pushed of the archive: made once in --work."""
    options.archive, options.change, options.seed = (os.path.join(options.work, name) for name in (f'image{options.megabytes}.tar', 'change', 'seed'))
    if not os.path.exists(options.archive):
        make_archive(options.archive, options.megabytes)
    if not os.path.exists(options.change):
        os.makedirs(options.change)
        for number in range(200):
            with open(os.path.join(options.change, f'f{number}'), 'wb') as out:
                out.write(random.Random(number).randbytes(options.megabytes * 1_000_000 // 3 // 200))
    if 'pull' in options.figure and not os.path.exists(options.seed):
        skopeo = Skopeo('seeding', options.folder, options.peers)
        try:
            with registry(skopeo, options.peers, options.seed + '.new'):
                skopeo.copy('docker-archive:' + options.archive, 'docker://' + REMOTE)
            os.rename(options.seed + '.new', options.seed)
        finally:
            skopeo.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sampan', required=True, type=os.path.abspath)
    parser.add_argument('--reference', type=os.path.abspath, help="the folder with Debian's dockerd")
    parser.add_argument('--peers', required=True, type=os.path.abspath, help="the folder with Debian's docker-registry, podman and skopeo (scripts/peers.sh)")
    parser.add_argument('--only', choices=['sampan', 'dockerd', 'podman', 'skopeo'], action='append', help='one engine; may be given several times')
    parser.add_argument('--figure', choices=['load', 'save', 'export_import', 'commit', 'push', 'pull', 'big_load'], action='append',
                        help='one figure; may be given several times (all but big_load)')
    parser.add_argument('--work', type=os.path.abspath, help='a folder that keeps what is prepared')
    parser.add_argument('--prepare', action='store_true', help='only fill --work')
    parser.add_argument('--megabytes', type=int, default=600)
    parser.add_argument('--gigabytes', type=int, default=10, help='of big_load')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--inflate', default='igzip -d' if shutil.which('igzip') else 'gzip -d', help='inflates its input with one thread')
    parser.add_argument('--json', default='out/bench-images.json')
    options = parser.parse_args()
    options.figure = options.figure or ['load', 'save', 'export_import', 'commit', 'push', 'pull']
    if os.geteuid() != 0:
        sys.exit('bench: containers need root')
    options.folder = folder = tempfile.mkdtemp(prefix='sampan-bench-')
    options.work = options.work or os.path.join(folder, 'work')
    os.makedirs(options.work, exist_ok=True)
    dockerd, docker = (os.path.join(options.reference or '', name) for name in ('dockerd', 'docker'))
    start = {
        'sampan': lambda name: Daemon(name, [options.sampan, 'daemon'], options.sampan, folder),
        'dockerd': lambda name: Daemon(name, [dockerd], docker, folder, options.reference),
        'podman': lambda name: Podman(name, folder, options.peers),
        'skopeo': lambda name: Skopeo(name, folder, options.peers),
    }
    engines = []
    try:
        prepare(options)
        if options.prepare:
            return
        for name in options.only or [name for name in start if name != 'dockerd' or options.reference]:
            engines.append(start[name](name))
        rounds, disks = {engine.name: [] for engine in engines}, []
        for number in range(options.runs):
            disks.append(disk(options))
            for engine in engines:
                rounds[engine.name].append(one_round(engine, options))
                print(f'round {number + 1}: {engine.name} ' + ', '.join(f'{k} {v:.2f}' for k, v in rounds[engine.name][-1].items()), file=sys.stderr)
    finally:
        for engine in engines:
            engine.stop()
        subprocess.run(['rm', '-rf', '--one-file-system', folder], check=False)
    figures = {name: {key: statistics.median(r[key] for r in all_rounds) for key in all_rounds[0]} for name, all_rounds in rounds.items()}
    disk_figures = {key: statistics.median(d[key] for d in disks) for key in disks[0]}
    report(figures, disk_figures)
    with open(options.json, 'w') as out:
        json.dump({'runs': options.runs, 'megabytes': options.megabytes, 'kernel': os.uname().release, 'processors': os.cpu_count(),
                   'load': os.getloadavg()[0], 'figures': figures, 'disk': disk_figures}, out, indent=2)
        out.write('\n')


if __name__ == '__main__':
    main()
