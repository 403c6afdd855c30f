#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One end of a tunnel, for kernels that have none of its kind: carries what comes through a new tun or tap
device in packets to the other end, and back.

  tunnel_end.py geneve|gre|gretap|ipip|sit|ip6tnl DEVICE LOCAL REMOTE ID
"""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454CA, 1, 2, 0x1000
ETHERNET, GRE_KEY = 0x6558, 0x2000


def version(packet):
    return packet[0] >> 4


class Geneve:
    def __init__(self, local, remote, ident):
        self.head = struct.pack("!BBH", 0, 0, 0)[:2], ident.to_bytes(3, "big") + b"\0"
        self.remote = (remote, 6081)
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.bind((local, 6081))
        self.sockets = [out]

    def send(self, packet):
        ether = struct.pack("!H", 0x86DD if version(packet) == 6 else 0x800)
        self.sockets[0].sendto(self.head[0] + ether + self.head[1] + packet, self.remote)

    def receive(self, _, data):
        return data[8 + 4 * (data[0] & 63):]


class Gre:
    def __init__(self, local, remote, ident, is_tap):
        self.remote, self.is_tap, self.ident = (remote, 0), is_tap, ident
        out = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
        out.bind((local, 0))
        self.sockets = [out]

    def send(self, packet):
        kind = ETHERNET if self.is_tap else 0x86DD if version(packet) == 6 else 0x800
        self.sockets[0].sendto(struct.pack("!HHI", GRE_KEY, kind, self.ident) + packet, self.remote)

    def receive(self, _, data):
        data = data[(data[0] & 15) * 4:]
        _, kind, ident = struct.unpack("!HHI", data[:8])
        return data[8:] if ident == self.ident and (kind == ETHERNET) == self.is_tap else None


class InIp:
    """IP in IPv4 or IPv6, the protocol number says which IP."""

    def __init__(self, local, remote, numbers):
        self.family = socket.AF_INET6 if ":" in local else socket.AF_INET
        self.remote, self.by_version, self.sockets = (remote, 0), {}, []
        for number in numbers:
            out = socket.socket(self.family, socket.SOCK_RAW, number)
            out.bind((local, 0))
            self.sockets.append(out)
            self.by_version[6 if number == 41 else 4] = out

    def send(self, packet):
        if version(packet) in self.by_version:
            self.by_version[version(packet)].sendto(packet, self.remote)

    def receive(self, _, data):
        return data if self.family == socket.AF_INET6 else data[(data[0] & 15) * 4:]


def main():
    kind, device, local, remote, ident = sys.argv[1:5] + [int(sys.argv[5])]
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", device.encode(),
                                            (IFF_TAP if kind == "gretap" else IFF_TUN) | IFF_NO_PI))
    if kind == "geneve":
        end = Geneve(local, remote, ident)
    elif kind in ("gre", "gretap"):
        end = Gre(local, remote, ident, kind == "gretap")
    else:
        end = InIp(local, remote, {"ipip": [4], "sit": [41], "ip6tnl": [4, 41]}[kind])
    for each in end.sockets:
        each.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    print("ready", flush=True)
    while True:
        for source in select.select([tun] + end.sockets, [], [])[0]:
            if source is tun:
                try:
                    end.send(os.read(tun, 65536))
                except OSError:
                    pass  # the device is down, or nobody is there yet
                continue
            packet = end.receive(source, source.recv(65536))
            if packet:
                try:
                    os.write(tun, packet)
                except OSError:
                    pass


main()
