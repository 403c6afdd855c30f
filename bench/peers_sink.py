#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A receiver of NetFlow 5, 9 and IPFIX for peers.sh: peers_sink.py PORT

Listens on 127.0.0.1 and keeps datagrams as they are, so that it never holds up who sends; reads them
after SIGTERM and prints one line:
  records   flows reported, each as often as it was
  tuples    distinct addresses, ports and protocols
  asked     records towards port 80
  packets, bytes   their sums
  dropped   datagrams that this receiver had no room for
  unread    sets whose template never came
"""
import signal
import socket
import struct
import sys

SO_RCVBUFFORCE = 33
ADDRESSES, PORTS, PROTO = (8, 12, 27, 28), (7, 11), 4
PACKETS, BYTES = (2, 24), (1, 23)


class Sums:
    def __init__(self):
        self.templates, self.waiting, self.options = {}, {}, set()
        self.records = self.packets = self.bytes = self.asked = 0
        self.tuples = set()

    def add(self, key, port, packets, size):
        self.records += 1
        self.tuples.add(key)
        self.asked += port == 80
        self.packets += packets
        self.bytes += size

    def version5(self, data):
        for at in range(24, 24 + 48 * struct.unpack_from("!H", data, 2)[0], 48):
            packets, size = struct.unpack_from("!II", data, at + 16)
            port = struct.unpack_from("!H", data, at + 34)[0]
            self.add(data[at:at + 8] + data[at + 32:at + 36] + data[at + 38:at + 39], port, packets, size)

    def sets(self, data, at, source, templates, options):
        while at + 4 <= len(data):
            kind, size = struct.unpack_from("!HH", data, at)
            if size < 4:
                return
            body = data[at + 4:at + size]
            if kind == templates:
                self.learn(source, body, templates == 2)
            elif kind >= 256:
                if (source, kind) in self.templates:
                    self.read(self.templates[source, kind], body)
                else:
                    self.waiting.setdefault((source, kind), []).append(body)
            elif kind == options and len(body) >= 2:
                self.options.add((source, struct.unpack_from("!H", body)[0]))
            at += size

    def learn(self, source, body, is_ipfix):
        at = 0
        while at + 4 <= len(body):
            kind, count = struct.unpack_from("!HH", body, at)
            at += 4
            fields = []
            for _ in range(count):
                if at + 4 > len(body):
                    return
                number, size = struct.unpack_from("!HH", body, at)
                at += 4
                if is_ipfix and number & 0x8000:
                    at, number = at + 4, -1
                fields.append((number, size))
            if kind >= 256:
                self.templates[source, kind] = fields
                for old in self.waiting.pop((source, kind), ()):
                    self.read(fields, old)

    def read(self, fields, body):
        at, least = 0, sum(1 if size == 0xFFFF else size for _, size in fields)
        while least and at + least <= len(body):
            key, port, counts = b"", 0, {}
            for number, size in fields:
                if size == 0xFFFF:
                    size, at = body[at], at + 1
                    if size == 255:
                        size, at = struct.unpack_from("!H", body, at)[0], at + 2
                value = body[at:at + size]
                at += size
                if number in ADDRESSES or number in PORTS or number == PROTO:
                    key += value
                if number == 11:
                    port = int.from_bytes(value, "big")
                elif number in PACKETS or number in BYTES:
                    counts[number] = int.from_bytes(value, "big")
            if counts:
                self.add(key, port, sum(counts.get(n, 0) for n in PACKETS),
                         sum(counts.get(n, 0) for n in BYTES))

    def datagram(self, data, sender):
        version = struct.unpack_from("!H", data)[0]
        if version == 5:
            self.version5(data)
        elif version == 9:
            self.sets(data, 20, (sender, data[16:20]), 0, 1)
        elif version == 10:
            self.sets(data, 16, (sender, data[12:16]), 2, 3)


def own_drops(port):
    with open("/proc/self/net/udp") as f:
        return sum(int(line.split()[-1]) for line in f if ":%04X " % port in line.split(" 0000")[0])


class Ended(Exception):
    pass


def end(*_):
    raise Ended


def main():
    port = int(sys.argv[1])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    sock.bind(("127.0.0.1", port))
    signal.signal(signal.SIGTERM, end)
    print("listening", flush=True)
    kept = []
    try:
        while True:
            kept.append(sock.recvfrom(65535))
    except Ended:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sock.setblocking(False)
    try:
        while True:
            kept.append(sock.recvfrom(65535))
    except BlockingIOError:
        pass
    dropped = own_drops(port)
    sums = Sums()
    for data, sender in kept:
        sums.datagram(data, sender)
    print("records=%d tuples=%d asked=%d packets=%d bytes=%d dropped=%d unread=%d" % (
        sums.records, len(sums.tuples), sums.asked, sums.packets, sums.bytes, dropped,
        sum(len(sets) for which, sets in sums.waiting.items() if which not in sums.options)))


if __name__ == "__main__":
    main()
