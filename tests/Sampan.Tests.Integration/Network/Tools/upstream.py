"""A name server for tests, UDP and TCP: upstream.py ADDRESS LABEL LOG. Each question is a line of the log: LABEL udp|tcp NAME TYPE.

Names say what they want: *.nowhere does not exist, *.refused is refused, *.silent gets no answer, big.* has 60 addresses (and is cut
where it does not fit), everything else is 192.0.2.LAST-OF-ADDRESS with a time to live of 60 s.
"""
import socket
import struct
import sys
import threading

ADDRESS, LABEL, LOG = sys.argv[1:4]


def answer(query, limit, way):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    kind = struct.unpack('>H', query[at + 1:at + 3])[0]
    question = query[12:at + 5]
    if query[11]:  # EDNS is the only thing that may be added
        limit = max(limit, struct.unpack('>H', query[at + 8:at + 10])[0])
    with open(LOG, 'a') as log:
        log.write(f'{LABEL} {way} {".".join(labels)} {kind}\n')
    if labels[-1] == 'silent':
        return None
    code = {'nowhere': 3, 'refused': 5}.get(labels[-1], 0)
    records = []
    if code == 0 and kind == 1:
        last = int(ADDRESS.split('.')[-1])
        hosts = range(1, 61) if labels[0] == 'big' else [last]
        records = [struct.pack('>HHHIH4B', 0xC00C, 1, 1, 60, 4, 192, 0, 2, host) for host in hosts]
    body = question + b''.join(records)
    flags = 0x8180 | code
    if len(body) + 12 > limit:
        body, records, flags = question, [], flags | 0x0200
    return query[:2] + struct.pack('>HHHHH', flags, 1, len(records), 0, 0) + body


def serve_tcp(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            size = connection.recv(2, socket.MSG_WAITALL)
            if len(size) == 2:
                reply = answer(connection.recv(struct.unpack('>H', size)[0], socket.MSG_WAITALL), 65535, 'tcp')
                if reply:
                    connection.sendall(struct.pack('>H', len(reply)) + reply)


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((ADDRESS, 53))
tcp = socket.create_server((ADDRESS, 53))
threading.Thread(target=serve_tcp, args=(tcp,), daemon=True).start()
print('ready', flush=True)
while True:
    question, client = udp.recvfrom(65535)
    reply = answer(question, 512, 'udp')
    if reply:
        udp.sendto(reply, client)
