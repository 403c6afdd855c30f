#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Traffic between two network namespaces, from the one it runs in: a TCP transfer and datagrams to and from
each address of the other; then buffers that tunnels of the kernel do not send.

  tunnel_talk.py OTHER_NS DEVICE UNDERLAY ADDRESS…
"""
import ctypes
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_capture as mc  # noqa: E402

LIBC = ctypes.CDLL(None)
UDP_SEGMENT, PACKET_VNET_HDR = 103, 15


def there(ns, what):
    """Calls @what in another namespace: a socket stays where it was made."""
    ret = []

    def run():
        if LIBC.setns(os.open("/run/netns/" + ns, os.O_RDONLY), 0x40000000):
            sys.exit("setns")
        ret.append(what())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return ret[0]


def receive(server, size):
    while size:
        got = len(server.recv(1 << 16))
        if not got:
            sys.exit("closed early")
        size -= got


def transfer(ns, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = there(ns, lambda: socket.create_server((address, 9000), family=family))
    client = socket.create_connection((address, 9000), timeout=60)
    server, _ = listener.accept()
    taker = threading.Thread(target=receive, args=(server, 2000000))
    taker.start()
    client.sendall(bytes(2000000))
    taker.join()
    server.sendall(b"thanks")
    receive(client, 6)
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    server.close()
    client.recv(1)
    client.close()
    listener.close()


def datagrams(ns, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def bound():
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((address, 9001))
        server.settimeout(30)
        return server

    server = there(ns, bound)
    client = socket.socket(family, socket.SOCK_DGRAM)
    client.settimeout(30)
    client.connect((address, 9001))
    for size in range(1, 51):
        client.send(bytes(20 * size))
        _, who = server.recvfrom(2000)
    server.sendto(b"thanks", who)
    client.recv(100)


def inside(port, size):
    """A packet of VXLAN, from the VXLAN header on."""
    ends = (b"\x0a\1\0\1", b"\x0a\1\0\2")
    packet = mc.ipv4(*ends, mc.UDP, mc.udp(*ends, port, 7001, bytes(size)))
    return b"\x08\0\0\0\0\0\x63\0" + mc.ether(packet)


def strange(device, underlay):
    """Datagrams of VXLAN as one train, each with its own tunnel's headers; frames of which only the first
    14 bytes are linear, of VXLAN and, in turn with them, of no tunnel."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one = inside(7000, 1000)
    out.setsockopt(socket.SOL_UDP, UDP_SEGMENT, len(one))
    out.sendto(one * 20, (underlay, 4789))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.setsockopt(263, PACKET_VNET_HDR, 1)
    raw.bind((device, 0))
    mac = raw.getsockname()[4]
    ends = (socket.inet_aton("10.77.1.1"), socket.inet_aton(underlay))
    for port in range(7100, 7110):
        for datagram in (mc.udp(*ends, 50000, 4789, inside(port, 6000)),
                         mc.udp(*ends, 50000, port, bytes(6000))):
            frame = mc.ether(mc.ipv4(*ends, mc.UDP, datagram))
            frame = frame[:6] + mac + frame[12:]
            raw.send(struct.pack("=BBHHHH", 0, 0, 14, 0, 0, 0) + frame)


def main():
    ns, device, underlay = sys.argv[1:4]
    for address in sys.argv[4:]:
        transfer(ns, address)
        datagrams(ns, address)
    strange(device, underlay)


main()
