# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the tools of peers.sh send, read into sums: NetFlow 5, 9 and IPFIX; sFlow 5; the protobuf of
NetObserv's agent (its proto/flow.proto); OTLP metrics, of OBI's network.flow.bytes.

Each reader takes one message after another by datagram(data, sender), and has its sums."""
import struct

ADDRESSES, PORTS, PROTO = (8, 12, 27, 28), (7, 11), 4
PACKETS, BYTES = (2, 24), (1, 23)


class Sums:
    """Flows reported, distinct tuples, those records that go to port 80, and their packets and bytes;
    lost: packets that the sender says it lost."""

    def __init__(self):
        self.records = self.packets = self.bytes = self.asked = self.lost = 0
        self.tuples = set()

    def add(self, key, port, packets, size):
        self.records += 1
        self.tuples.add(key)
        self.asked += port == 80
        self.packets += packets
        self.bytes += size

    def unread(self):
        return 0


class Template:
    """Where in a record of so many bytes the fields are; those of no fixed length are not read."""

    def __init__(self, fields):
        self.size, self.key, places = 0, [], {}
        for number, size in fields:
            if size == 0xFFFF:
                self.size = 0
                return
            here = (self.size, self.size + size)
            self.size += size
            places[number] = here
            if number in ADDRESSES or number in PORTS or number == PROTO:
                self.key.append(here)
        nowhere = (0, 0)
        self.counts = [next((places[n] for n in numbers if n in places), nowhere)
                       for numbers in ((11,), PACKETS, BYTES)]
        if self.counts[1:] == [nowhere] * 2:
            self.counts = []


class NetFlow(Sums):
    def __init__(self):
        super().__init__()
        self.templates, self.waiting, self.options = {}, {}, set()

    def unread(self):
        return sum(len(sets) for which, sets in self.waiting.items() if which not in self.options)

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
                template = self.templates[source, kind] = Template(fields)
                for old in self.waiting.pop((source, kind), ()):
                    self.read(template, old)

    def read(self, template, body):
        if not template.size or not template.counts:
            return
        for at in range(0, len(body) - template.size + 1, template.size):
            key = b"".join([body[at + i:at + j] for i, j in template.key])
            numbers = [int.from_bytes(body[at + i:at + j], "big") for i, j in template.counts]
            self.add(key, numbers[0], numbers[1], numbers[2])

    def datagram(self, data, sender):
        version = struct.unpack_from("!H", data)[0]
        if version == 5:
            self.version5(data)
        elif version == 9:
            self.sets(data, 20, (sender, data[16:20]), 0, 1)
        elif version == 10:
            self.sets(data, 16, (sender, data[12:16]), 2, 3)


class SFlow(Sums):
    """Flow samples; each stands for as many packets as its rate says. A frame's length is that without
    what the agent says was stripped of it, the checksum."""

    def datagram(self, data, _):
        at = 8 + (4 if struct.unpack_from("!I", data, 4)[0] == 1 else 16) + 12
        count = struct.unpack_from("!I", data, at)[0]
        at += 4
        for _ in range(count):
            kind, size = struct.unpack_from("!II", data, at)
            if kind in (1, 3):
                self.sample(data, at + 8, kind == 3)
            at += 8 + size

    def sample(self, data, at, is_expanded):
        at += 12 if is_expanded else 8
        rate, _, drops = struct.unpack_from("!III", data, at)
        self.lost = max(self.lost, drops)
        at += 12 + (16 if is_expanded else 8)
        count = struct.unpack_from("!I", data, at)[0]
        at += 4
        for _ in range(count):
            kind, size = struct.unpack_from("!II", data, at)
            if kind == 1:
                _, length, stripped, have = struct.unpack_from("!IIII", data, at + 8)
                header = data[at + 24:at + 24 + have]
                key, port = ipv4_key(header)
                self.add(key, port, rate, rate * (length - stripped))
            at += 8 + size


def ipv4_key(frame):
    """Addresses, ports and protocol of a frame, and its destination port."""
    if frame[12:14] != b"\x08\x00" or len(frame) < 38:
        return frame[:14], 0
    at = 14 + 4 * (frame[14] & 15)
    return frame[26:34] + frame[at:at + 4] + frame[23:24], int.from_bytes(frame[at + 2:at + 4], "big")


def fields_of(data):
    """(number, value) of a protobuf message: an integer, or bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 4 if kind == 5 else 8
            value, at = int.from_bytes(data[at:at + size], "little"), at + size
        yield tag >> 3, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


class PbFlow(Sums):
    """Records { Record entries = 1 } of NetObserv's agent."""

    def datagram(self, data, _):
        for _, record in fields_of(data):
            packets = size = 0
            network = transport = b""
            for number, value in fields_of(record):
                if number == 6:
                    network = value
                elif number == 7:
                    transport = value
                elif number == 8:
                    size = value
                elif number == 9:
                    packets = value
            self.add((network, transport), dict(fields_of(transport)).get(2, 0), packets, size)


class FlowMetrics(Sums):
    """OTLP metrics whose name ends in network.flow.bytes; cumulative sums: the last of each series is
    what counts. A series with attributes of one flow is a tuple; without such there are none."""

    def __init__(self):
        super().__init__()
        self.series = {}

    def datagram(self, data, _):
        for _, resource in fields_of(data):
            for scope in (value for number, value in fields_of(resource) if number == 2):
                for metric in (value for number, value in fields_of(scope) if number == 2):
                    self.metric(list(fields_of(metric)))
        self.bytes = sum(self.series.values())
        self.records = len(self.series)
        self.tuples = {labels for labels, _ in self.series if b"src.port" in labels}

    def metric(self, words):
        name = dict(words).get(1, b"")
        if not name.endswith(b"network.flow.bytes"):
            return
        for number, body in words:
            for what, point in fields_of(body) if number == 7 else ():
                if what == 1:
                    self.point(list(fields_of(point)))

    def point(self, words):
        labels = b"".join(sorted(value for number, value in words if number == 7))
        values = dict(words)
        whole = values.get(6)
        if whole is None:
            whole = int(struct.unpack("<d", values.get(4, 0).to_bytes(8, "little"))[0])
        self.series[labels, values.get(2, 0)] = whole


READERS = {"netflow": NetFlow, "sflow": SFlow, "pbflow": PbFlow, "metrics": FlowMetrics}
