#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Traffic of known flows over a link, and the kernel's own count of it as JSON. To be started in the
network namespace that is watched; servers stay there, clients move to the other end's.

  traffic.py CLIENT_NETNS SERVER_ADDRESS --out FILE

A flow's packets are those that the client's socket counted. Directions are those of the watched end.
The traffic has to be all that moves in the client's namespace, else this fails.
"""
import argparse
import collections
import contextlib
import ctypes
import json
import os
import socket
import struct
import sys
import threading
import time

ETHERNET, IP_UDP, IP_ICMP = 14, 28, 28
CONNECTIONS, REFUSED, QUESTIONS, ECHOES = 600, 5, 300, 20
HTTP, NOBODY, DOMAIN = 80, 81, 53
TCP_INFO_SEGMENTS = 136  # tcpi_segs_out, tcpi_segs_in in struct tcp_info
TCP_CLOSE = 7
DEADLINE = 10
CLONE_NEWNET = 0x40000000


def served(address):
    """Answers as many bytes as it was asked, then waits for the client to close first."""
    tcp = socket.create_server((address, HTTP), backlog=64)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, DOMAIN))

    def connections():
        while True:
            connection, _ = tcp.accept()
            with connection:
                while part := connection.recv(65536):
                    connection.sendall(part)

    def questions():
        while True:
            question, client = udp.recvfrom(2048)
            udp.sendto(question * 2, client)

    for function in (connections, questions):
        threading.Thread(target=function, daemon=True).start()


def move_to(netns):
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/run/netns/" + netns) as target:
        if libc.setns(target.fileno(), CLONE_NEWNET):
            sys.exit("traffic: setns: " + os.strerror(ctypes.get_errno()))


def flow(transport, client, server, packets, sizes=(None, None), failure=None):
    return {"transport": transport, "source.address": client[0], "source.port": client[1],
            "destination.address": server[0], "destination.port": server[1],
            "packets": packets[0], "reverse_packets": packets[1], "bytes": sizes[0],
            "reverse_bytes": sizes[1], "failure": failure}


def segments(s):
    return struct.unpack_from("=II", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256),
                              TCP_INFO_SEGMENTS)


def connection(server, size):
    with socket.create_connection(server, timeout=DEADLINE) as s:
        s.sendall(bytes(size))
        left = size
        while left:
            left -= len(s.recv(left))
        client = s.getsockname()
        s.shutdown(socket.SHUT_WR)
        if s.recv(1):
            sys.exit("traffic: more than was asked for")
        # its last acknowledgement is counted, too: the state is that of after it
        if s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_CLOSE:
            sys.exit("traffic: a connection is not over")
        return flow("tcp", client, server, segments(s))


def refused(server):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.bind(("", 0))
        port = s.getsockname()[1]
        client = source_towards(server)[0], port
        if not s.connect_ex(server):
            sys.exit("traffic: somebody listens at %s port %d" % server)
        return flow("tcp", client, server, (1, 1), failure="refused")


def source_towards(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(server)
        return s.getsockname()


def question(server, size, keep):
    """Its socket stays open in @keep, so that no other flow has its port."""
    s = keep.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s.settimeout(DEADLINE)
    s.connect(server)
    s.send(bytes(size))
    if len(s.recv(2048)) != 2 * size:
        sys.exit("traffic: another answer")
    sizes = ETHERNET + IP_UDP + size, ETHERNET + IP_UDP + 2 * size
    return flow("udp", s.getsockname(), server, (1, 1), sizes)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def echoes(server):
    """All between two addresses are one flow, whose ports are the types."""
    size = 56
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(DEADLINE)
        s.connect((server, 0))
        for number in range(ECHOES):
            tail = struct.pack("!HH", 77, number) + bytes(size)
            s.send(struct.pack("!BBH", 8, 0, checksum(b"\x08\0\0\0" + tail)) + tail)
            s.recv(2048)
        client = s.getsockname()[0], 8
    total = ECHOES * (ETHERNET + IP_ICMP + size)
    return flow("icmp", client, (server, 0), (ECHOES, ECHOES), (total, total))


# ---- what the kernel counted ----

def table(path, prefix):
    """A pair of lines, names and values, as /proc/net/snmp and netstat have them."""
    with open("/proc/thread-self/net/" + path) as lines:
        names, values = [line.split()[1:] for line in lines if line.startswith(prefix + ":")][:2]
    return dict(zip(names, map(int, values)))


def kernel_counts():
    """Of this namespace: {(direction of the watched end, what): count}."""
    tcp, udp, icmp = (table("snmp", name) for name in ("Tcp", "Udp", "Icmp"))
    octets = table("netstat", "IpExt")
    counts = collections.Counter({
        ("receive", "tcp"): tcp["OutSegs"] + tcp["RetransSegs"], ("transmit", "tcp"): tcp["InSegs"],
        ("receive", "udp"): udp["OutDatagrams"], ("transmit", "udp"): udp["InDatagrams"],
        ("receive", "icmp"): icmp["OutMsgs"], ("transmit", "icmp"): icmp["InMsgs"],
        ("receive", "octets"): octets["OutOctets"], ("transmit", "octets"): octets["InOctets"]})
    with open("/proc/thread-self/net/dev") as lines:
        for line in list(lines)[2:]:
            values = list(map(int, line.partition(":")[2].split()))
            counts["transmit", "link_bytes"] += values[0]
            counts["transmit", "link_packets"] += values[1]
            counts["receive", "link_bytes"] += values[8]
            counts["receive", "link_packets"] += values[9]
    return counts


def counted(before, after):
    """The protocols' counters and the link's are two views of the same."""
    ret = {}
    for direction in ("receive", "transmit"):
        delta = {what: after[way, what] - before[way, what] for way, what in after if way == direction}
        packets = delta["tcp"] + delta["udp"] + delta["icmp"]
        size = delta["octets"] + ETHERNET * packets
        if (packets, size) != (delta["link_packets"], delta["link_bytes"]):
            sys.exit("traffic: not alone: %s: %s" % (direction, delta))
        ret[direction] = {"tcp": delta["tcp"], "udp": delta["udp"], "icmp": delta["icmp"],
                          "packets": packets, "bytes": size}
    return ret


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("netns")
    parser.add_argument("address")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    address = options.address
    served(address)
    move_to(options.netns)
    before, begun = kernel_counts(), time.time_ns()
    flows = [connection((address, HTTP), 1 + i * 7 % 1200) for i in range(CONNECTIONS)]
    flows += [refused((address, NOBODY)) for _ in range(REFUSED)]
    with contextlib.ExitStack() as keep:
        flows += [question((address, DOMAIN), 1 + i * 3 % 600, keep) for i in range(QUESTIONS)]
    flows += [echoes(address)]
    kernel, ended = counted(before, kernel_counts()), time.time_ns()
    keys = {(f["transport"], f["source.port"], f["destination.port"]) for f in flows}
    if len(keys) != len(flows):
        sys.exit("traffic: a port was used twice")
    for ours, way in (("packets", "receive"), ("reverse_packets", "transmit")):
        if sum(f[ours] for f in flows) != kernel[way]["packets"]:
            sys.exit("traffic: sockets and kernel differ: %s" % kernel)
    with open(options.out, "w") as out:
        json.dump({"begun_ns": begun, "ended_ns": ended, "flows": flows, "kernel": kernel}, out)
    print("%d flows, %d packets received, %d sent" % (
        len(flows), kernel["receive"]["packets"], kernel["transmit"]["packets"]))


if __name__ == "__main__":
    main()
