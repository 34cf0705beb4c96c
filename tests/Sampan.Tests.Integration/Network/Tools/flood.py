"""Sends a name server what it should not be sent, from where it is started: flood.py SECONDS. Prints what it got back for a good question."""
import os
import random
import socket
import struct
import sys
import time

SERVER = ('127.0.0.11', 53)
good = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + b'\x05flood\x00' + struct.pack('>HH', 1, 1)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(SERVER)
udp.setblocking(False)
loop = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + b'\xc0\x0c' + struct.pack('>HH', 1, 1)
odd = [os.urandom(65000), loop, good[:-1], good[:5], b'', b'\xff' * 4096]
end = time.monotonic() + float(sys.argv[1])
sent = 0
while time.monotonic() < end:
    try:
        udp.send(random.choice(odd) if sent % 8 == 0 else good)
    except (BlockingIOError, ConnectionRefusedError):
        pass
    sent += 1
for size, body in ((65535, os.urandom(65535)), (2, b'x'), (len(good), good[:4])):
    with socket.create_connection(SERVER) as tcp:
        try:
            tcp.sendall(struct.pack('>H', size) + body)
        except OSError:
            pass  # cut off, as it should be
udp.close()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(5)
udp.sendto(good, SERVER)
print('answered', udp.recv(512)[:2] == good[:2])
