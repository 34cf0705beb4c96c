"""A registry whose repositories misbehave, each as its name says, and a proxy: strange_registry.py ADDRESS PORT. Prints every request."""
import gzip
import hashlib
import io
import json
import random
import socket
import sys
import tarfile
import threading

SEEN, LOCK = {}, threading.Lock()


def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def make_image():
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode='w') as archive:
        entry = tarfile.TarInfo('file')
        data = random.Random(1).randbytes(300_000)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    layer = gzip.compress(tar.getvalue(), mtime=0)
    config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': [digest(tar.getvalue())]}}).encode()
    manifest = json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                           'config': {'mediaType': 'application/vnd.oci.image.config.v1+json', 'digest': digest(config), 'size': len(config)},
                           'layers': [{'mediaType': 'application/vnd.oci.image.layer.v1.tar+gzip', 'digest': digest(layer), 'size': len(layer)}]}).encode()
    return layer, config, manifest


LAYER, CONFIG, MANIFEST = make_image()


def answer(connection, status, body=b'', length=None, **headers):
    head = f'HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {len(body) if length is None else length}\r\n'
    head += ''.join(f'{name.replace("_", "-")}: {value}\r\n' for name, value in headers.items())
    connection.sendall(head.encode() + b'\r\n' + body)


def serve(connection, method, path, headers):
    if path == '/v2/':
        return answer(connection, 200, b'{}')
    how = path.split('/')[2]
    with LOCK:
        times = SEEN[method, path] = SEEN.get((method, path), 0) + 1
    if how == 'loop':
        return answer(connection, 307, Location=path)
    if how == 'busy' and times < 3:
        return answer(connection, 429 if times == 1 else 503, Retry_After=0)
    if '/manifests/' in path:
        body = b'{"schemaVersion": 2, "layers": ' if how == 'garbage' else MANIFEST
        return answer(connection, 200, b'' if method == 'HEAD' else body, len(body),
                      Content_Type='application/vnd.oci.image.manifest.v1+json', Docker_Content_Digest=digest(body))
    if path.endswith(digest(CONFIG)):
        return answer(connection, 200, CONFIG)
    start = int(headers.get('range', 'bytes=0-')[len('bytes='):].split('-')[0])
    if how == 'short' or (how == 'torn' and start == 0):
        return answer(connection, 200, LAYER[:len(LAYER) // 2], len(LAYER))
    if how == 'long':
        return answer(connection, 200, LAYER + bytes(1000))
    if how == 'wrong':
        return answer(connection, 200, LAYER[:-9] + b'x' + LAYER[-8:])
    return answer(connection, 206 if start else 200, LAYER[start:], Content_Range=f'bytes {start}-{len(LAYER) - 1}/{len(LAYER)}')


def pump(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def forward(connection, address, first, rest):
    host, port = address.rsplit(':', 1)
    with socket.create_connection((host, int(port))) as other:
        if first:
            other.sendall(first)
        else:
            connection.sendall(b'HTTP/1.1 200 Connected\r\n\r\n')
        other.sendall(rest)
        back = threading.Thread(target=pump, args=(other, connection))
        back.start()
        pump(connection, other)
        back.join()


def accept(connection):
    with connection:
        data = b''
        while b'\r\n\r\n' not in data:
            more = connection.recv(65536)
            data += more
            if not more or data[:1] == b'\x16':
                return  # a client that speaks TLS learns that this side does not
        head, rest = data.split(b'\r\n\r\n', 1)
        lines = head.decode().split('\r\n')
        print(lines[0], flush=True)
        method, target, _ = lines[0].split(' ')
        headers = {name.lower(): value.strip() for name, value in (line.split(':', 1) for line in lines[1:])}
        try:
            if method == 'CONNECT':
                forward(connection, target, b'', rest)
            elif target.startswith('http://'):
                address, path = target[len('http://'):].split('/', 1)
                kept = [f'{method} /{path} HTTP/1.1', *(line for line in lines[1:] if not line.lower().startswith('connection:')), 'Connection: close']
                forward(connection, address, '\r\n'.join(kept).encode() + b'\r\n\r\n', rest)
            else:
                serve(connection, method, target, headers)
        except OSError as e:
            print(e, flush=True)  # a client that has had enough


listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print('ready', flush=True)
while True:
    threading.Thread(target=accept, args=(listener.accept()[0],)).start()
