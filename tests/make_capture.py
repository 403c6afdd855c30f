#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Makes captures for replay, the same for the same arguments: every kind of traffic ("mixed"), a
large number of equal flows that all live at once ("many"), or SYNs from everywhere ("flood").

What is in them is for tshark to say (truth.py), not for this program. All frames go to a hardware
address that nobody has, so that no host answers.
"""
import argparse
import ipaddress
import random
import struct
import sys
import zlib

MAC_A, MAC_B = bytes.fromhex("027700000001"), bytes.fromhex("027700000002")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TCP, UDP, ICMP, ICMPV6, SCTP = 6, 17, 1, 58, 132


# ---- layers ----

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def pseudo(src, dst, proto, length):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, length)
    return src + dst + struct.pack("!II", length, proto)


def summed(head, at, src, dst, proto):
    """@head with its checksum at offset @at, over itself and the pseudo header."""
    value = checksum(pseudo(src, dst, proto, len(head)) + head)
    return head[:at] + struct.pack("!H", value or 0xFFFF) + head[at + 2:]


def tcp(src, dst, sport, dport, seq, ack, flags, data=b""):
    options = b"\x02\x04\x05\xb4" if flags & SYN else b""
    offset = (20 + len(options)) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset << 4,
                       flags, 64240, 0, 0)
    return summed(head + options + data, 16, src, dst, TCP)


def udp(src, dst, sport, dport, data):
    return summed(struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data, 6, src, dst, UDP)


def icmp(kind, code, rest, data):
    body = struct.pack("!BBH", kind, code, 0) + rest + data
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def icmpv6(src, dst, kind, code, rest, data):
    return summed(struct.pack("!BBH", kind, code, 0) + rest + data, 2, src, dst, ICMPV6)


def sctp(sport, dport, chunk):
    # zlib has no CRC-32C; receivers that nobody asked do not check it
    return struct.pack("!HHII", sport, dport, 7, zlib.crc32(chunk)) + chunk


def ipv4(src, dst, proto, payload, options=b"", ident=0, frag=0):
    head = struct.pack("!BBHHHBBH", 0x40 | (20 + len(options)) // 4, 0, 20 + len(options) + len(payload),
                       ident, frag, 64, proto, 0) + src + dst + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, proto, payload):
    return struct.pack("!IHBB", 0x60000000, len(payload), proto, 64) + src + dst + payload


def ip(src, dst, proto, payload):
    return (ipv4 if len(src) == 4 else ipv6)(src, dst, proto, payload)


def ether(packet, forward=True, tags=(), kind=None):
    if kind is None:
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    head = MAC_B + MAC_A if forward else MAC_A + MAC_B
    for i, tag in enumerate(tags):
        head += struct.pack("!HH", 0x88A8 if i + 1 < len(tags) else 0x8100, tag)
    frame = head + struct.pack("!H", kind) + packet
    return frame + bytes(max(0, 60 - len(frame)))


# ---- conversations: each returns its frames in order ----

class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.hosts = 0

    def pair(self, v6=False):
        """A client nobody had before, and one of a few servers; either may be the smaller address."""
        self.hosts += 1
        server = self.random.randrange(40)
        if v6:
            low, high = ipaddress.ip_address("2001:db8::"), ipaddress.ip_address("fd00::")
            client = (high if self.hosts % 2 else low) + (self.hosts << 20)
            return client.packed, (ipaddress.ip_address("2001:db8:ffff::1") + server).packed
        base = ipaddress.ip_address("10.0.0.0" if self.hosts % 2 else "198.18.0.0")
        return (base + self.hosts).packed, (ipaddress.ip_address("172.16.0.1") + server).packed

    def data(self, most):
        return self.random.randbytes(self.random.randint(1, most))

    def port(self):
        return self.random.randint(1024, 65535)

    def tcp_connection(self, ends=None, start="syn", end="fin", segments=None, tags=(), v6=False,
                       wrap=None):
        src, dst = ends[:2] if ends else self.pair(v6)
        sport, dport = ends[2:] if ends else (self.port(), self.random.choice((80, 443, 22, 5432)))
        seq = [self.random.getrandbits(32), self.random.getrandbits(32)]
        frames = []

        def send(way, flags, data=b""):
            a, b, p, q = (src, dst, sport, dport) if way == 0 else (dst, src, dport, sport)
            ack = seq[1 - way] if flags & ACK else 0
            packet = (wrap or ip)(a, b, TCP, tcp(a, b, p, q, seq[way], ack, flags, data))
            seq[way] += len(data) + (1 if flags & (SYN | FIN) else 0)
            frames.append(ether(packet, way == 0, tags))

        if start == "syn":
            send(0, SYN)
            if end == "refused":
                send(1, RST | ACK)
                return frames
            if end == "silence":
                return frames + frames
            send(1, SYN | ACK)
            send(0, ACK)
        elif start == "synack":
            send(1, SYN | ACK)
            send(0, ACK)
        for _ in range(segments or self.random.randint(1, 24)):
            way = self.random.randrange(2)
            send(way, PSH | ACK, self.data(1400 if not tags else 1200))
            send(1 - way, ACK)
        if end == "fin":
            send(0, FIN | ACK)
            send(1, FIN | ACK)
            send(0, ACK)
        elif end == "rst":
            send(1, RST | ACK)
        return frames

    def tcp_reuse(self, times=3, end=None):
        """Connections one after another on the same ports."""
        ends = self.pair() + (self.port(), 80)
        frames = []
        for _ in range(times):
            frames += self.tcp_connection(ends, end=end or self.random.choice(("fin", "rst")),
                                          segments=3)
        return frames

    def tcp_second_try(self):
        """Two SYNs without an answer, then a connection with a new sequence number."""
        ends = self.pair() + (self.port(), 443)
        return self.tcp_connection(ends, end="silence") + self.tcp_connection(ends, segments=2)

    def udp_talk(self, answers=True, v6=False, tags=(), wrap=None, port=53):
        src, dst = self.pair(v6)
        sport = self.port()
        frames = []
        for _ in range(self.random.randint(1, 12)):
            packet = (wrap or ip)(src, dst, UDP, udp(src, dst, sport, port, self.data(1100)))
            frames.append(ether(packet, True, tags))
            if answers:
                packet = (wrap or ip)(dst, src, UDP, udp(dst, src, port, sport, self.data(1100)))
                frames.append(ether(packet, False, tags))
        return frames

    def echo(self, v6=False, tags=()):
        src, dst = self.pair(v6)
        frames = []
        for i in range(self.random.randint(1, 6)):
            rest, data = struct.pack("!HH", 77, i), self.data(200)
            for a, b, kind in ((src, dst, 0), (dst, src, 1)):
                if v6:
                    packet = ipv6(a, b, ICMPV6, icmpv6(a, b, 128 + kind, 0, rest, data))
                else:
                    packet = ipv4(a, b, ICMP, icmp(0 if kind else 8, 0, rest, data))
                frames.append(ether(packet, kind == 0, tags))
        return frames

    def unreachable(self, v6=False):
        """A datagram, and the error that quotes it: the quotation is nobody's packet."""
        src, dst = self.pair(v6)
        asked = ip(src, dst, UDP, udp(src, dst, self.port(), 33434, self.data(60)))
        if v6:
            said = ipv6(dst, src, ICMPV6, icmpv6(dst, src, 1, 4, bytes(4), asked))
        else:
            said = ipv4(dst, src, ICMP, icmp(3, 3, bytes(4), asked[:28]))
        return [ether(asked), ether(said, False)]

    def neighbours(self):
        src, dst = self.pair(True)
        ask = icmpv6(src, dst, 135, 0, bytes(4), dst)
        tell = icmpv6(dst, src, 136, 0, bytes(4), dst)
        return [ether(ipv6(src, dst, ICMPV6, ask)), ether(ipv6(dst, src, ICMPV6, tell), False)]

    def sctp_talk(self, v6=False):
        src, dst = self.pair(v6)
        sport, frames = self.port(), []
        for _ in range(self.random.randint(1, 5)):
            chunk = struct.pack("!BBHIHHI", 0, 3, 20, 1, 0, 0, 0) + bytes(4)
            frames.append(ether(ip(src, dst, SCTP, sctp(sport, 2905, chunk))))
            frames.append(ether(ip(dst, src, SCTP, sctp(2905, sport, chunk)), False))
        return frames

    def fragments4(self):
        """Datagrams in three pieces, both ways, and in between one that is whole."""
        src, dst = self.pair()
        frames, sport = [], self.port()
        for ident in range(1, 5):
            a, b = (src, dst) if ident % 2 else (dst, src)
            whole = udp(a, b, sport, 4000, self.random.randbytes(2400))
            for at in (0, 1000, 2000):
                frag = at // 8 | (0x2000 if at < 2000 else 0)
                frames.append(ether(ipv4(a, b, UDP, whole[at:at + 1000], ident=ident, frag=frag)))
            frames.append(ether(ipv4(a, b, UDP, udp(a, b, sport, 4000, b"whole"))))
        return frames

    def fragments6(self):
        src, dst = self.pair(True)
        frames, sport = [], self.port()
        for ident in range(1, 4):
            whole = udp(src, dst, sport, 4000, self.random.randbytes(2400))
            for at in (0, 1000, 2000):
                head = struct.pack("!BBHI", UDP, 0, at | (1 if at < 2000 else 0), ident)
                frames.append(ether(ipv6(src, dst, 44, head + whole[at:at + 1000])))
        return frames

    def other(self):
        """Protocols without ports, and tunnels, whose outer header alone counts."""
        src, dst = self.pair()
        inner = ipv4(dst, src, TCP, tcp(dst, src, 1, 2, 3, 4, SYN))
        frames = [ether(ipv4(src, dst, 47, struct.pack("!HH", 0, 0x0800) + inner)),
                  ether(ipv4(src, dst, 4, inner)), ether(ipv4(dst, src, 4, inner), False),
                  ether(ipv4(src, dst, 50, self.random.randbytes(80))),
                  ether(ipv4(src, dst, 112, self.random.randbytes(20)))]
        src, dst = self.pair(True)
        return frames + [ether(ipv6(src, dst, 50, self.random.randbytes(80))),
                         ether(ipv6(src, dst, 59, b""))]

    def not_ip(self):
        arp = bytes.fromhex("0001080006040001") + MAC_A + bytes([192, 0, 2, 1]) + bytes(6) + bytes(
            [192, 0, 2, 2])
        lldp = bytes.fromhex("0207040277000000010403053104060200780000")
        return [ether(arp, kind=0x0806), ether(arp, kind=0x0806, tags=(7,)),
                ether(lldp, kind=0x88CC), ether(self.random.randbytes(300), kind=0x88B5)]


def with_options(a, b, proto, payload):
    return ipv4(a, b, proto, payload, options=b"\x94\x04\0\0" + b"\x01" * 8)


def with_extensions(a, b, proto, payload):
    """Hop-by-hop, destination options, then the payload."""
    return ipv6(a, b, 0, bytes((60, 0, 1, 4, 0, 0, 0, 0)) + bytes((proto, 0, 1, 4, 0, 0, 0, 0)) + payload)


def with_routing(a, b, proto, payload):
    return ipv6(a, b, 43, bytes((proto, 2, 0, 0)) + bytes(20) + payload)


def mixed(maker):
    """All conversations, in an order that has every kind all over the capture."""
    m, talks = maker, []
    for i in range(420):
        talks.append(m.tcp_connection(v6=i % 4 == 0))
        talks.append(m.udp_talk(v6=i % 5 == 0))
    for i in range(100):
        talks.append(m.tcp_connection(end="rst", v6=i % 3 == 0))
        talks.append(m.tcp_connection(end="refused", v6=i % 3 == 0))
        talks.append(m.udp_talk(answers=False, v6=i % 3 == 0, port=514))
        talks.append(m.echo(v6=i % 2 == 0))
        talks.append(m.tcp_reuse(times=2 + i % 3))
    for i in range(60):
        talks.append(m.tcp_connection(start="none", end="none", v6=i % 3 == 0))
        talks.append(m.tcp_connection(start="synack", v6=i % 3 == 0))
        talks.append(m.unreachable(v6=i % 2 == 0))
        talks.append(m.tcp_second_try())
        talks.append(m.sctp_talk(v6=i % 3 == 0))
        talks.append(m.tcp_connection(tags=(5,), v6=i % 3 == 0))
        talks.append(m.udp_talk(tags=(100, 6), v6=i % 3 == 0))
    for i in range(40):
        talks.append(m.echo(tags=(9,)))
        talks.append(m.udp_talk(wrap=with_options))
        talks.append(m.tcp_connection(wrap=with_options))
        talks.append(m.udp_talk(v6=True, wrap=with_extensions))
        talks.append(m.tcp_connection(v6=True, wrap=with_routing))
        talks.append(m.fragments4())
        talks.append(m.fragments6())
        talks.append(m.other())
        talks.append(m.neighbours())
        talks.append(m.not_ip())
    m.random.shuffle(talks)
    return talks


def interleaved(maker, talks, width=120):
    """Frames of up to @width conversations mixed, each in its own order."""
    waiting = [iter(talk) for talk in reversed(talks)]
    active = []
    while waiting or active:
        while waiting and len(active) < width:
            active.append(waiting.pop())
        at = maker.random.randrange(len(active))
        frame = next(active[at], None)
        if frame is None:
            active[at] = active[-1]
            active.pop()
        else:
            yield frame


def filled(maker, frames, count):
    """@count frames: the rest are datagrams of one long flow."""
    frames = list(frames)
    if len(frames) > count:
        sys.exit("make_capture: %d frames are already more than %d" % (len(frames), count))
    src, dst = maker.pair()
    for i in range(count - len(frames)):
        a, b, p, q = (src, dst, 9000, 9001) if i % 3 else (dst, src, 9001, 9000)
        frames.append(ether(ipv4(a, b, UDP, udp(a, b, p, q, maker.random.randbytes(i % 1400)))))
    return frames


def many(flows, rounds):
    """@flows UDP and TCP flows over IPv4 and IPv6; one packet of each, then the next of each."""
    for turn in range(rounds):
        for i in range(flows):
            client = ipaddress.ip_address(0x0A000000 + i // 20)
            ends = (client.packed, b"\xc0\xa8\x01\x01", 20000 + i % 20, 53)
            if i % 4 == 3:
                v6 = (0x20010DB8 << 96) + (i // 20)
                ends = (v6.to_bytes(16, "big"), ((0x20010DB8 << 96) + (1 << 64)).to_bytes(16, "big"),
                        20000 + i % 20, 53)
            src, dst, sport, dport = ends
            if turn % 2:
                src, dst, sport, dport = dst, src, dport, sport
            if i % 4 == 1:  # mid-stream TCP
                yield ether(ip(src, dst, TCP, tcp(src, dst, sport, dport, turn, turn, ACK, b"x")))
            else:
                yield ether(ip(src, dst, UDP, udp(src, dst, sport, dport, bytes(turn + 1))))


def flood(maker, count):
    """@count SYNs from anywhere to one port, some of them the first of two fragments; what of it is
    answered or reset; and, hardly seen among them, segments in which flags occur that never should."""
    target = ipaddress.ip_address("172.16.0.1").packed, ipaddress.ip_address("2001:db8:ffff::1").packed
    for i in range(count):
        dst = target[i % 4 == 0]
        src, sport, isn = maker.random.randbytes(len(dst)), maker.port(), maker.random.getrandbits(32)
        if len(src) == 4:
            src = b"\x0b" + src[1:]
        if i % 50 == 1:  # IPv4
            whole = tcp(src, dst, sport, 80, isn, 0, SYN, bytes(60))
            yield ether(ipv4(src, dst, TCP, whole[:40], ident=i & 0xFFFF, frag=0x2000))
            yield ether(ipv4(src, dst, TCP, whole[40:], ident=i & 0xFFFF, frag=5))
        elif i % 100 == 0:  # IPv6
            whole = tcp(src, dst, sport, 80, isn, 0, SYN, bytes(60))
            for at in (0, 40):
                head = struct.pack("!BBHI", TCP, 0, at | (not at), i)
                yield ether(ipv6(src, dst, 44, head + whole[at:at + 40]))
        else:
            yield ether(ip(src, dst, TCP, tcp(src, dst, sport, 80, isn, 0, SYN | (i % 7 == 0) << 6)))
        if i % 3 == 0:
            yield ether(ip(dst, src, TCP, tcp(dst, src, 80, sport, 1, isn + 1, SYN | ACK)), False)
        if i % 10 == 0:
            yield ether(ip(src, dst, TCP, tcp(src, dst, sport, 80, isn + 1, 0, RST)))
        if i % 100 == 0:
            yield ether(ip(src, dst, TCP, tcp(src, dst, sport, 80, isn, 0, maker.random.randrange(256))))


def write(path, frames):
    count = 0
    with open(path, "wb", buffering=1 << 20) as out:
        out.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for count, frame in enumerate(frames, 1):
            micros = count * 20
            out.write(struct.pack("=IIII", 1700000000 + micros // 1000000, micros % 1000000,
                                  len(frame), len(frame)))
            out.write(frame)
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("mixed", "many", "flood"))
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packets", type=int, help="mixed: exactly so many")
    parser.add_argument("--flows", type=int, default=10000, help="many: flows")
    parser.add_argument("--rounds", type=int, default=4, help="many: packets of each flow")
    parser.add_argument("--syns", type=int, default=20000, help="flood: SYNs")
    options = parser.parse_args()
    if options.kind == "many":
        write(options.out, many(options.flows, options.rounds))
        return
    maker = Maker(options.seed)
    if options.kind == "flood":
        write(options.out, flood(maker, options.syns))
        return
    frames = interleaved(maker, mixed(maker))
    write(options.out, filled(maker, frames, options.packets) if options.packets else frames)


if __name__ == "__main__":
    main()
