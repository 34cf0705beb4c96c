"""Measures how fast images move in and out: Sampan, and Debian's dockerd, podman and skopeo, beside tar and cp on the same disk.

Every figure is one command from its start to its exit; the engines take turns. The image has four layers of mixed content (half of it does not
compress), and every engine reads the same archive. A registry, Debian's docker-registry, listens on the loopback of each engine's own network
namespace and keeps its data on the same disk.
"""
import argparse
import json
import os
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from engines import Engine, Machine, kib

REGISTRY = '127.0.0.1:5099'
FIGURES = {
    'load': 'load of the archive', 'save': 'save', 'export_import': 'export | import', 'commit': 'commit of the change', 'push': 'push', 'pull': 'pull',
    'load_rss': 'daemon while it loads, most resident (MiB)',
}
REGISTRY_CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: '{address}'}}
"""


class Podman(Machine):
    """podman, which has no daemon: every command is a process of its own."""

    daemon = None

    def __init__(self, name, folder, peers):
        own = os.path.join(folder, name)
        super().__init__(name, [os.path.join(peers, 'podman'), '--root', own + '/root', '--runroot', own + '/run', '--storage-driver', 'overlay',
                                '--cgroup-manager', 'cgroupfs'], folder, peers)
        self.cli = [*self.enter('mount', 'net', 'pid', 'uts', 'ipc'), *self.cli]
        with open(os.path.join(own, 'config.json'), 'w') as config:
            config.write('{}')  # podman wants the file that DOCKER_CONFIG promises
        self.policy = ['--signature-policy', os.path.join(os.path.dirname(peers), 'policy.json')]

    def run(self, verb, *words):
        return super().run(verb, *(self.policy if verb in ('load', 'pull', 'push') else []), *words)


def enter(engine):
    return engine.enter('mount', 'net', 'pid', 'uts', 'ipc')


def seconds(work):
    started = time.monotonic()
    work()
    return time.monotonic() - started


def make_archive(folder, megabytes, image):
    """A Docker archive of four layers in deterministic bytes, by `docker save`'s own layout."""
    import hashlib
    import io
    import tarfile
    rng = random.Random(4)
    layers = []
    per_layer = megabytes * 1_000_000 // 4
    for number in range(4):
        path = os.path.join(folder, f'layer{number}.tar')
        with tarfile.open(path, 'w', format=tarfile.USTAR_FORMAT) as tar:
            left, index = per_layer, 0
            while left > 0:
                size = min(left, rng.choice([4_000, 40_000, 400_000, 4_000_000]))
                half = size // 2
                data = rng.randbytes(half) + (b'%08d sampan bench ' % index * (size // 20 + 1))[:size - half]
                entry = tarfile.TarInfo(f'opt/l{number}/d{index % 97}/f{index}')
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
                left, index = left - size, index + 1
        with open(path, 'rb') as content:
            layers.append((path, hashlib.file_digest(content, 'sha256').hexdigest()))
    config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['/x']},
                         'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + digest for _, digest in layers]}}).encode()
    name = hashlib.sha256(config).hexdigest() + '.json'
    archive = os.path.join(folder, 'image.tar')
    with tarfile.open(archive, 'w') as tar:
        for path, digest in layers:
            tar.add(path, f'{digest}/layer.tar')
            os.remove(path)
        for file, data in ((name, config), ('manifest.json', json.dumps(
                [{'Config': name, 'RepoTags': [image], 'Layers': [f'{digest}/layer.tar' for _, digest in layers]}]).encode())):
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return archive


def start_registry(engine, options, folder):
    """docker-registry in an engine's namespaces."""
    root = os.path.join(folder, 'registry-' + engine.name)
    config = root + '.yml'
    with open(config, 'w') as out:
        out.write(REGISTRY_CONFIG.format(root=root, address=REGISTRY))
    process = subprocess.Popen([*enter(engine), os.path.join(options.peers, 'docker-registry'), 'serve', config], stdout=engine.log, stderr=engine.log, stdin=subprocess.DEVNULL)
    for _ in range(500):
        probe = f'exec 3<>/dev/tcp/{REGISTRY.replace(":", "/")}'
        if subprocess.run([*enter(engine), 'bash', '-c', probe], capture_output=True).returncode == 0:
            return process
        time.sleep(0.02)
    raise RuntimeError('docker-registry does not start')


class Peak:
    """The most that a daemon had resident while something ran."""

    def __init__(self, pid):
        self.pid, self.most, self.ended = pid, 0, threading.Event()

    def __enter__(self):
        def watch():
            while not self.ended.wait(0.02):
                self.most = max(self.most, kib(self.pid, 'status', 'VmRSS') / 1024)
        self.thread = threading.Thread(target=watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def one_round(engine, options, folder, archive, image):
    """All figures of one engine, once; afterwards it has no image of ours."""
    run, figures = engine.run, {}
    if engine.daemon:
        with Peak(engine.daemon) as peak:
            figures['load'] = seconds(lambda: run('load', '-q', '-i', archive))
        figures['load_rss'] = peak.most
    else:
        figures['load'] = seconds(lambda: run('load', '-q', '-i', archive))
    saved = os.path.join(folder, 'saved.tar')
    figures['save'] = seconds(lambda: run('save', '-o', saved, image))
    os.remove(saved)
    run('create', '--name', 'bench', image)
    pipe = f'{shlex.join([*engine.cli, "export", "bench"])} | {shlex.join([*engine.cli, "import", "-", "flat:1"])}'
    figures['export_import'] = seconds(lambda: subprocess.run(['bash', '-o', 'pipefail', '-c', pipe], env=engine.env, check=True,
                                                              stdout=subprocess.DEVNULL, stderr=engine.log))
    run('cp', options.change, 'bench:/change')
    figures['commit'] = seconds(lambda: run('commit', 'bench', 'changed:1'))
    run('rm', '-f', 'bench')
    run('rmi', '-f', 'flat:1', 'changed:1')
    remote = f'{REGISTRY}/bench/image:1'
    insecure = ['--tls-verify=false'] if isinstance(engine, Podman) else []
    run('tag', image, remote)
    shutil.rmtree(os.path.join(folder, 'registry-' + engine.name), ignore_errors=True)
    figures['push'] = seconds(lambda: run('push', *insecure, remote))
    run('rmi', '-f', remote, image)
    if not isinstance(engine, Podman):
        run('image', 'prune', '-a', '-f')
    figures['pull'] = seconds(lambda: run('pull', '-q', *insecure, remote))
    run('rmi', '-f', remote)
    return figures


def disk(folder, archive):
    """What tar and cp reach with the same bytes."""
    target = os.path.join(folder, 'disk')
    os.makedirs(target)
    figures = {'cp': seconds(lambda: subprocess.run(['sh', '-c', f'cp {archive} {target}/copy && sync -f {target}/copy'], check=True)),
               'tar -x': seconds(lambda: subprocess.run(['sh', '-c', f'tar -xf {archive} -C {target} && cd {target} && for l in */layer.tar; do '
                                                         'mkdir -p x && tar -xf $l -C x && rm $l; done; sync -f x'], check=True))}
    figures['tar -c'] = seconds(lambda: subprocess.run(['sh', '-c', f'tar -cf {target}/again -C {target} x && sync -f {target}/again'], check=True))
    shutil.rmtree(target)
    return figures


def report(figures, disks):
    names = list(figures)
    print(f'{"":48}' + ''.join(f'{name:>10}' for name in names) + f'{"ratio":>8}')
    for key, text in FIGURES.items():
        row = {name: figures[name].get(key) for name in names}
        peers = [value for name, value in row.items() if name != 'sampan' and value]
        ratio = f'{min(peers) / row["sampan"]:.2f}' if peers and row.get('sampan') else ''
        print(f'{text:48}' + ''.join(f'{"" if value is None else format(value, ".2f"):>10}' for value in row.values()) + f'{ratio:>8}')
    print('the same disk: ' + ', '.join(f'{name} {value:.2f} s' for name, value in disks.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sampan', required=True)
    parser.add_argument('--reference', help="the folder with Debian's dockerd")
    parser.add_argument('--peers', required=True, type=os.path.abspath, help="the folder with Debian's docker-registry and podman (scripts/peers.sh)")
    parser.add_argument('--podman', action='store_true', help='with podman')
    parser.add_argument('--megabytes', type=int, default=600)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--json', default='out/bench-images.json')
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit('bench: containers need root')
    folder = tempfile.mkdtemp(prefix='sampan-bench-')
    image, engines = 'bench/image:local', []
    try:
        archive = make_archive(folder, options.megabytes, image)
        options.change = os.path.join(folder, 'change')
        os.makedirs(options.change)
        for number in range(200):
            with open(os.path.join(options.change, f'f{number}'), 'wb') as out:
                out.write(random.Random(number).randbytes(options.megabytes * 1_000_000 // 3 // 200))
        sampan = os.path.abspath(options.sampan)
        engines.append(Engine('sampan', [sampan, 'daemon'], sampan, folder))
        if options.reference:
            reference = os.path.abspath(options.reference)
            engines.append(Engine('dockerd', [os.path.join(reference, 'dockerd')], os.path.join(reference, 'docker'), folder, reference))
        if options.podman:
            engines.append(Podman('podman', folder, options.peers))
        registries = [start_registry(engine, options, folder) for engine in engines]
        rounds = {engine.name: [] for engine in engines}
        disks = []
        for number in range(options.runs):
            disks.append(disk(folder, archive))
            for engine in engines:
                rounds[engine.name].append(one_round(engine, options, folder, archive, image))
                print(f'round {number + 1}: {engine.name} ' + ', '.join(f'{k} {v:.2f}' for k, v in rounds[engine.name][-1].items()), file=sys.stderr)
        for registry in registries:
            registry.kill()
    finally:
        for engine in engines:
            engine.stop()
        subprocess.run(['rm', '-rf', '--one-file-system', folder], check=False)
    figures = {name: {key: statistics.median(r[key] for r in all_rounds if key in r) for key in FIGURES if any(key in r for r in all_rounds)}
               for name, all_rounds in rounds.items()}
    disk_figures = {key: statistics.median(d[key] for d in disks) for key in disks[0]}
    report(figures, disk_figures)
    with open(options.json, 'w') as out:
        json.dump({'runs': options.runs, 'megabytes': options.megabytes, 'kernel': os.uname().release, 'processors': os.cpu_count(),
                   'load': os.getloadavg()[0], 'figures': figures, 'disk': disk_figures}, out, indent=2)
        out.write('\n')


if __name__ == '__main__':
    main()
