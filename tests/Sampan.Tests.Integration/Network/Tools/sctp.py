"""SCTP without the kernel's: sctp.py listen SECONDS prints who asks for an association at which port; sctp.py ask ADDRESS PORT asks for one."""
import socket
import struct
import sys

SCTP = 132


def checksum(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return struct.pack('<I', crc ^ 0xffffffff)


with socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP) as raw:
    if sys.argv[1] == 'listen':
        raw.settimeout(float(sys.argv[2]))
        print('ready', flush=True)
        packet, (client, _) = raw.recvfrom(2000)
        print(client, struct.unpack('>H', packet[22:24])[0], flush=True)
    else:
        header = struct.pack('>HHI', 40132, int(sys.argv[3]), 0)
        init = struct.pack('>BBHIIHHI', 1, 0, 20, 0x12345678, 65536, 1, 1, 0x1000)
        raw.sendto(header + checksum(header + b'\0\0\0\0' + init) + init, (sys.argv[2], 0))
