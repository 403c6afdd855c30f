#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes one small capture for each story that a trace is to tell: FOLDER/NN-<story>.pcap.

  story_captures.py FOLDER

The client of story NN is 10.6.NN.1 (fd06:NN::1), its server is .2 (::2), a router between them .254;
what the client's side sends comes from CLIENT_MAC. The place of capture lies 40 ms, there and back,
from the server and 20 ms from the client, so that no two shares of a round trip are equal.
"""
import os
import sys

from scapy.all import (GRE, ICMP, IP, TCP, UDP, VXLAN, Ether, ICMPv6PacketTooBig, IPv6, Raw, SCTP,
                       SCTPChunkCookieAck, SCTPChunkCookieEcho, SCTPChunkData, SCTPChunkInit,
                       SCTPChunkInitAck, SCTPChunkSACK, SCTPChunkShutdown, SCTPChunkShutdownAck,
                       SCTPChunkShutdownComplete, fragment, wrpcap)

CLIENT_MAC, SERVER_MAC = "02:00:00:00:06:01", "02:00:00:00:06:02"
CLIENT, SERVER = 0, 1
TO_SERVER, TO_CLIENT = 40, 20  # ms, there and back
EPOCH = 1700000000


class Story:
    """Frames with their times; `now` is in ms."""

    def __init__(self, number, v6=False):
        prefix = "fd06:%d::" % number if v6 else "10.6.%d." % number
        self.ends = [prefix + "1", prefix + "2"]
        self.router = prefix + ("fe" if v6 else "254")
        self.v6, self.now, self.frames = v6, 0, []

    def ip(self, way, **fields):
        return (IPv6 if self.v6 else IP)(src=self.ends[way], dst=self.ends[1 - way], **fields)

    def put(self, way, packet, after=0):
        """The client's side (0) or the server's (1) sends @packet, so many ms after the last one."""
        self.now += after
        macs = (CLIENT_MAC, SERVER_MAC)
        frame = Ether(src=macs[way], dst=macs[1 - way]) / packet
        frame = Ether(frame.build())
        frame.time = EPOCH + self.now / 1000
        self.frames.append(frame)

    def tcp(self, **options):
        return Tcp(self, **options)


class Tcp:
    """A connection: sequence and acknowledgement numbers, and timestamps, as of a simple TCP."""

    def __init__(self, story, sport=40000, dport=80, isn=(1000, 5000), inside=None, stamps=True):
        self.story, self.ports, self.isn = story, (sport, dport), isn
        self.next = list(isn)       # what each side sends next
        self.seen = [None, None]    # what each side has of the other
        self.acked = [None, None]   # what of it each side has said so
        self.stamp = [0, 0]         # the timestamp of the other that each side echoes (RFC 7323, 4.3)
        self.inside, self.stamps = inside, stamps

    def put(self, way, flags, data=0, after=0, seq=None, ack=None, window=8192, ecn=0):
        """A segment; @seq: repeats what was sent before, or goes ahead of it."""
        at = self.next[way] if seq is None else seq
        size = data + ("S" in flags) + ("F" in flags)
        options = []
        value = 100000 * (way + 1) + self.story.now + after
        if self.stamps and "R" not in flags:
            options = [("NOP", None), ("NOP", None),
                       ("Timestamp", (int(value), self.stamp[way] if "A" in flags else 0))]
        has = self.seen[way] if ack is None else ack
        segment = TCP(sport=self.ports[way], dport=self.ports[1 - way], flags=flags, seq=at,
                      ack=has if "A" in flags else 0, window=window, options=options)
        packet = self.story.ip(way, **({"tc": ecn} if self.story.v6 else {"tos": ecn}))
        packet = packet / segment / Raw(bytes(data)) if data else packet / segment
        self.story.put(way, self.inside(way, packet) if self.inside else packet, after)
        self.next[way] = max(self.next[way], at + size)
        other = 1 - way
        if "A" in flags:
            self.acked[way] = has
        if self.seen[other] is None or at <= self.seen[other] or "S" in flags:
            self.seen[other] = max(self.seen[other] or 0, at + size)
            if options and (self.acked[other] is None or at <= self.acked[other]):
                self.stamp[other] = int(value)
        return at

    def lost(self, way, data):
        """Sent, but lost before it came here."""
        at = self.next[way]
        self.next[way] += data
        return at

    def shake(self):
        self.put(0, "S")
        self.put(1, "SA", after=TO_SERVER)
        self.put(0, "A", after=TO_CLIENT)
        return self

    def ask(self, data=100, after=5):
        self.put(0, "PA", data, after=after)
        return self

    def answer(self, *sizes, after=TO_SERVER):
        for i, size in enumerate(sizes):
            self.put(1, "PA", size, after=0 if i else after)
        self.put(0, "A", after=TO_CLIENT)
        return self

    def close(self):
        self.put(0, "FA", after=5)
        self.put(1, "FA", after=TO_SERVER)
        self.put(0, "A", after=TO_CLIENT)
        return self


# ---- the stories ----

def normal(s):
    s.tcp().shake().ask().answer(1000, 1000, 500).close()


def normal_ipv6(s):
    s.tcp(dport=443).shake().ask(300).answer(1200).close()


def refused(s):
    t = s.tcp(dport=443)
    t.put(0, "S")
    t.put(1, "RA", after=TO_SERVER)


def unanswered(s):
    t = s.tcp(dport=443)
    t.put(0, "S")
    t.put(0, "S", after=300, seq=t.isn[0])
    t.put(0, "S", after=300, seq=t.isn[0])


def host_unreachable(s):
    t = s.tcp(dport=22)
    t.put(0, "S")
    quoted = s.frames[-1][IP].build()[:28]
    s.put(1, IP(src=s.router, dst=s.ends[0]) / ICMP(type=3, code=1) / Raw(quoted), 30)
    t.put(0, "S", after=300, seq=t.isn[0])


def reset_before_data(s):
    t = s.tcp(dport=25).shake()
    t.put(1, "R", after=TO_SERVER)


def reset_in_the_middle(s):
    t = s.tcp().shake().ask().answer(1000, 1000)
    t.ask(200)
    t.put(1, "RA", after=TO_SERVER)


def client_aborts(s):
    t = s.tcp().shake().ask().answer(1000, 1000)
    t.put(0, "RA", after=30)


def half_close(s):
    """The client has no more to say, the server goes on, and closes in its turn."""
    t = s.tcp(dport=25).shake().ask()
    t.put(0, "FA", after=0)
    t.put(1, "A", after=TO_SERVER)
    t.answer(1000, after=100).answer(1000, after=100)
    t.put(1, "FA", after=5)
    t.put(0, "A", after=TO_CLIENT)


def half_closed_for_good(s):
    t = s.tcp(dport=25).shake().ask()
    t.put(0, "FA", after=0)
    t.put(1, "A", after=TO_SERVER)
    t.answer(1000, after=100)


def half_open(s):
    """The answer to the SYN comes again and again: the client does not hear it."""
    t = s.tcp()
    t.put(0, "S")
    for after in (TO_SERVER, 200, 400):
        t.put(1, "SA", after=after, seq=t.isn[1])


def mid_stream(s):
    t = s.tcp(dport=443)
    t.seen, t.acked, t.stamp = [t.next[1], t.next[0]], [t.next[1], t.next[0]], [1, 1]
    t.ask().answer(1000).ask().answer(1000)


def retransmitted_syn(s):
    t = s.tcp()
    t.put(0, "S")
    t.put(0, "S", after=300, seq=t.isn[0])
    t.put(1, "SA", after=TO_SERVER)
    t.put(0, "A", after=TO_CLIENT)
    t.ask().answer(700).close()


def retransmitted_data(s):
    """The request, seen here, is lost behind us; one of the answer's segments, too, before us."""
    t = s.tcp().shake()
    at = t.put(0, "PA", 100, after=5)
    t.put(0, "PA", 100, after=240, seq=at)
    t.answer(1000)
    at = t.put(1, "PA", 1000, after=TO_SERVER)
    t.put(1, "PA", 1000, after=240, seq=at)
    t.put(0, "A", after=TO_CLIENT)
    t.close()


def fast_retransmit(s):
    """A segment lost before us: three acknowledgements ask for it, and it comes a round trip later; plus
    what the server takes to answer, else tshark, which compares with the handshake's round trip, could
    hold it for one that was overtaken."""
    t = s.tcp().shake().ask()
    t.put(1, "A", 1000, after=TO_SERVER)
    hole = t.lost(1, 1000)
    for _ in range(3):
        t.put(1, "A", 1000, after=1)
    for _ in range(4):
        t.put(0, "A", after=TO_CLIENT if not _ else 1)
    t.put(1, "A", 1000, after=TO_SERVER + 15, seq=hole)
    t.seen[0] = t.next[1]
    t.put(0, "A", after=TO_CLIENT)
    t.close()


def out_of_order(s):
    """The third segment overtakes the second one."""
    t = s.tcp().shake().ask()
    t.put(1, "A", 1000, after=TO_SERVER)
    late = t.lost(1, 1000)
    t.put(1, "PA", 1000, after=1)
    t.put(1, "A", 1000, after=1, seq=late)
    t.put(0, "A", after=TO_CLIENT - 1, ack=late)
    t.seen[0] = t.next[1]
    t.put(0, "A", after=1)
    t.close()


def zero_window(s):
    """The client cannot take more; the server asks until it can."""
    t = s.tcp().shake().ask()
    t.put(1, "PA", 1000, after=TO_SERVER)
    t.put(0, "A", after=TO_CLIENT, window=0)
    for _ in range(2):  # the octet before: what probes a closed window in Linux
        t.put(1, "A", after=200, seq=t.next[1] - 1)
        t.put(0, "A", after=TO_CLIENT, window=0)
    t.put(0, "A", after=100)
    t.answer(1000).close()


def keep_alive(s):
    t = s.tcp(dport=22).shake().ask().answer(100)
    for data in (0, 1):  # some send an octet with it
        t.put(0, "A", data, after=250, seq=t.next[0] - 1)
        t.put(1, "A", after=TO_SERVER)
    t.close()


def simultaneous_open(s):
    """Both open at once, and each answers the other's SYN (RFC 9293, figure 7)."""
    t = s.tcp(sport=179, dport=179)
    t.put(0, "S")
    t.put(1, "S", after=5)
    t.put(0, "SA", after=TO_CLIENT, seq=t.isn[0])
    t.put(1, "SA", after=TO_SERVER - TO_CLIENT, seq=t.isn[1])
    t.ask(60, after=TO_CLIENT).answer(60).close()


def port_reuse(s):
    s.tcp().shake().ask().answer(1000).close()
    s.now += 100
    s.tcp(isn=(9000000, 7000000)).shake().ask(50).answer(300).close()


def port_reuse_after_reset(s):
    t = s.tcp().shake().ask()
    t.put(1, "RA", after=TO_SERVER)
    s.now += 20
    s.tcp(isn=(9000000, 7000000)).shake().ask(50).answer(300).close()


def congestion(s):
    t = s.tcp(dport=443)
    t.put(0, "SEC")
    t.put(1, "SAE", after=TO_SERVER)
    t.put(0, "A", after=TO_CLIENT)
    t.put(0, "PA", 100, after=5, ecn=2)
    t.put(1, "PA", 1000, after=TO_SERVER, ecn=3)
    t.put(0, "AE", after=TO_CLIENT)
    t.close()


def udp_answer(s):
    s.put(0, s.ip(0) / UDP(sport=40000, dport=53) / Raw(bytes(40)))
    s.put(1, s.ip(1) / UDP(sport=53, dport=40000) / Raw(bytes(120)), TO_SERVER)


def udp_port_unreachable(s):
    s.put(0, s.ip(0) / UDP(sport=40000, dport=161) / Raw(bytes(40)))
    quoted = s.frames[-1][IP].build()[:28]
    s.put(1, s.ip(1) / ICMP(type=3, code=3) / Raw(quoted), TO_SERVER)


def packet_too_big(s):
    """A router's link is too small, which it says; the client sends smaller pieces."""
    t = s.tcp(dport=443).shake()
    at = t.put(0, "PA", 1400, after=5)
    quoted = s.frames[-1][IPv6].build()[:1000]
    s.put(1, IPv6(src=s.router, dst=s.ends[0]) / ICMPv6PacketTooBig(mtu=1280) / Raw(quoted), 30)
    t.put(0, "A", 1000, after=TO_CLIENT, seq=at)
    t.put(0, "PA", 400, seq=at + 1000)
    t.answer(500).close()


def icmp_echo(s):
    for i in range(3):
        s.put(0, s.ip(0) / ICMP(type=8, id=77, seq=i) / Raw(bytes(56)), 100 if i else 0)
        s.put(1, s.ip(1) / ICMP(type=0, id=77, seq=i) / Raw(bytes(56)), TO_SERVER)


def fragments(s):
    """One datagram that needs three packets, and its answer, which needs two."""
    for way, size, after in ((0, 4000, 0), (1, 2500, TO_SERVER)):
        whole = s.ip(way, id=1 + way) / UDP(sport=(40000, 2049)[way], dport=(2049, 40000)[way]) / \
            Raw(bytes(size))
        for i, piece in enumerate(fragment(whole, 1480)):
            s.put(way, piece, 0 if i else after)


def sctp(s):
    tags, ports = (0x11111111, 0x22222222), (40000, 3868)

    def put(way, *chunks, after=0, tag=None):
        packet = SCTP(sport=ports[way], dport=ports[1 - way], tag=tags[1 - way] if tag is None else tag)
        for chunk in chunks:
            packet = packet / chunk
        s.put(way, s.ip(way) / packet, after)

    cookie = bytes(32)
    put(0, SCTPChunkInit(init_tag=tags[0], init_tsn=1, a_rwnd=65536, n_in_streams=1, n_out_streams=1),
        tag=0)
    put(1, SCTPChunkInitAck(init_tag=tags[1], init_tsn=1, a_rwnd=65536, n_in_streams=1,
                            n_out_streams=1), after=TO_SERVER)
    put(0, SCTPChunkCookieEcho(cookie=cookie), after=TO_CLIENT)
    put(1, SCTPChunkCookieAck(), after=TO_SERVER)
    put(0, SCTPChunkData(tsn=1, data=bytes(100)), after=TO_CLIENT)
    put(1, SCTPChunkSACK(cumul_tsn_ack=1, a_rwnd=65536), after=TO_SERVER)
    put(0, SCTPChunkShutdown(cumul_tsn_ack=0), after=TO_CLIENT)
    put(1, SCTPChunkShutdownAck(), after=TO_SERVER)
    put(0, SCTPChunkShutdownComplete(), after=TO_CLIENT)


def vxlan(s):
    """A connection between two machines on two hosts; each host's source port is its own."""
    def inside(way, packet):
        macs = ("02:00:00:00:06:11", "02:00:00:00:06:12")
        return s.ip(way) / UDP(sport=(50001, 50002)[way], dport=4789) / VXLAN(vni=4100) / \
            Ether(src=macs[way], dst=macs[1 - way]) / packet

    inner = Story.__new__(Story)
    inner.__dict__ = dict(s.__dict__)
    inner.ends = [end.replace("10.6.", "10.106.") for end in s.ends]
    inner.tcp(inside=inside).shake().ask().answer(1000).close()


def gre(s):
    def put(way, after=0):
        ends = [end.replace("10.6.", "10.106.") for end in s.ends]
        inner = IP(src=ends[way], dst=ends[1 - way]) / ICMP(type=(8, 0)[way], id=9) / Raw(bytes(56))
        s.put(way, s.ip(way) / GRE(key_present=1, key=7) / inner, after)

    put(0)
    put(1, TO_SERVER)


def long_connection(s):
    """With pauses: where the active timeout is 0.4 s, there are two reports before the last one."""
    t = s.tcp(dport=22).shake().ask().answer(1000)
    for pause, size in ((530, 1200), (370, 50)):
        t.ask(20, after=pause).answer(size)
    t.close()


STORIES = (normal, normal_ipv6, refused, unanswered, host_unreachable, reset_before_data,
           reset_in_the_middle, client_aborts, half_close, half_closed_for_good, half_open, mid_stream,
           retransmitted_syn, retransmitted_data, fast_retransmit, out_of_order, zero_window, keep_alive,
           simultaneous_open, port_reuse, port_reuse_after_reset, congestion, udp_answer,
           udp_port_unreachable, packet_too_big, icmp_echo, fragments, sctp, vxlan, gre,
           long_connection)
IN_IPV6 = (normal_ipv6, packet_too_big)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for number, tell in enumerate(STORIES, 1):
        story = Story(number, tell in IN_IPV6)
        tell(story)
        wrpcap(os.path.join(folder, "%02d-%s.pcap" % (number, tell.__name__)), story.frames)


if __name__ == "__main__":
    main()
