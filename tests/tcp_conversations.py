#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tcp_conversations FIRST_SEED COUNT OUT: a capture of random TCP conversations, one a seed, and in
OUT.truth a line for each direction: from, port, to, port, segments sent again, segments overtaken.

Two ends talk over a path with a probe somewhere on it, and the capture is what the probe sees. The
path loses segments before the probe and behind it, doubles some and lets some be overtaken; the
ends do what TCP does: acknowledge, repeat after three equal acknowledgements or a timer, close
their windows, are probed, keep the connection alive. Port 20000 + seed tells a conversation.
"""
import heapq
import random
import struct
import sys

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
M32 = 0xFFFFFFFF
MS = 1_000_000  # ns


class Segment:
    def __init__(self, flags, seq, length, ack, window, stamp):
        self.flags, self.seq, self.length = flags, seq, length
        self.ack, self.window, self.stamp = ack, window, stamp

        self.is_again = self.is_question = False

    def end(self):
        return self.seq + self.length + (1 if self.flags & (SYN | FIN) else 0)


class End:
    """Numbers are offsets from the ISN, so that they do not wrap here; the wire has them wrapped."""

    def __init__(self, talk, index):
        self.talk, self.index, self.rng = talk, index, talk.rng
        self.isn = self.rng.choice([self.rng.getrandbits(32), M32 - self.rng.randrange(20000)])
        self.stamp_base = self.rng.choice([self.rng.getrandbits(32), M32 - self.rng.randrange(500)])
        self.una = self.next = self.rcv = self.echo = self.dups = self.recover = 0
        self.rto, self.unacked = 200 * MS, 0
        self.flight, self.early = [], set()  # (begin, end, flags) sent; pieces beyond a hole
        self.window = 65535
        self.highest, self.again, self.late, self.seen = 0, 0, 0, set()  # at the probe
        self.done = lambda: None

    def stamp(self):
        if not self.talk.has_stamps:
            return None
        return ((self.talk.now // self.talk.tick + self.stamp_base) & M32, self.echo)

    def send(self, flags, begin, length, lossless=False, is_again=False):
        seg = Segment(flags, begin, length, self.rcv if flags & ACK else 0, self.window,
                      self.stamp())
        seg.is_again = is_again
        seg.is_question = lossless
        self.unacked = 0
        self.talk.sent(self.index, seg, lossless)

    def send_new(self, flags, length):
        begin, self.next = self.next, self.next + length + (1 if flags & (SYN | FIN) else 0)
        self.flight.append((begin, self.next, flags))
        self.send(flags, begin, length)

    def send_again(self):
        begin, end, flags = self.flight[0]
        self.send(flags, begin, 0 if flags & (SYN | FIN) else end - begin, is_again=True)

    def arm(self):
        mark, rto = self.una, self.rto

        def expired():
            if self.flight and self.una == mark:
                self.rto, self.recover, self.dups = 2 * rto, self.next, 0
                self.send_again()
                self.arm()
        self.talk.after(rto, expired)

    def acked(self, seg):
        if seg.ack > self.una:
            self.una, self.dups, self.rto = seg.ack, 0, 200 * MS
            self.flight = [f for f in self.flight if f[1] > seg.ack]
            if not self.flight:
                self.done()
                return
            if self.una < self.recover:
                self.send_again()
            self.arm()
        elif seg.ack == self.una and self.flight and not seg.length and self.una >= self.recover:
            self.dups += 1
            if self.dups == 3:
                self.recover = self.next
                self.send_again()

    def receive(self, seg):
        if seg.end() <= self.rcv:
            if seg.length or seg.flags & (SYN | FIN) or seg.seq < self.rcv:
                self.acknowledge()
        elif seg.seq > self.rcv:
            self.early.add((seg.seq, seg.end()))
            self.acknowledge()
        else:
            if seg.stamp:
                self.echo = self.echo if self.unacked else seg.stamp[0]
            self.rcv = seg.end()
            while any(b <= self.rcv < e for b, e in self.early):
                self.rcv = max(e for b, e in self.early if b <= self.rcv)
            self.unacked += 1
            if self.unacked >= 2 or self.early or seg.flags & (SYN | FIN | PSH):
                self.acknowledge()
        if seg.flags & ACK:
            self.acked(seg)

    def acknowledge(self):
        if self.rcv:
            self.send(ACK | (SYN if not self.next else 0), self.next, 0) if self.next else \
                self.send_new(SYN | ACK, 0)
            if len(self.flight) == 1 and self.flight[0][2] & SYN:
                self.arm()


class Talk:
    def __init__(self, seed, out):
        self.rng = rng = random.Random(seed)
        self.seed, self.out, self.events, self.count = seed, out, [], 0
        self.now = rng.randrange(2000) * MS
        self.tick = rng.choice([1, 1, 4]) * MS
        self.has_stamps = rng.random() < 0.7
        self.is_v6, self.is_tagged = rng.random() < 0.3, rng.random() < 0.2
        self.delay = [rng.randrange(1, 15) * MS, rng.randrange(5, 25) * MS]
        rng.shuffle(self.delay)
        self.loss = rng.choice([0, 0, 0.02, 0.06])
        self.overtaken = rng.choice([0, 0, 0.04, 0.1])
        self.doubled = rng.choice([0, 0, 0.02])
        self.free = [0, 0]
        self.ends = [End(self, 0), End(self, 1)]
        self.rounds = rng.randrange(4, 9)

    def after(self, ns, what):
        self.count += 1
        heapq.heappush(self.events, (self.now + ns, self.count, what))

    def sent(self, index, seg, lossless):
        rng = self.rng
        # segments of one end leave one after the other
        start = self.free[index] = max(self.now, self.free[index] + rng.randrange(300, 600) * 1000)
        if not lossless and rng.random() < self.loss:
            return
        late = rng.randrange(600, 1900) * 1000 if rng.random() < self.overtaken else 0
        jitter = rng.randrange(20) * 1000
        self.after(start - self.now + self.delay[index] + jitter + late,
                   lambda: self.probed(index, seg, lossless))
        if not lossless and rng.random() < self.doubled:
            self.after(start - self.now + self.delay[index] + jitter + late + 150_000,
                       lambda: self.probed(index, seg, lossless))

    def probed(self, index, seg, lossless):
        self.capture(index, seg)
        self.judge(self.ends[index], seg)
        if not lossless and self.rng.random() < self.loss:
            return
        self.after(self.delay[1 - index], lambda: self.ends[1 - index].receive(seg))

    @staticmethod
    def judge(end, seg):
        """What comes after others although it was sent before them was overtaken."""
        if seg.is_question or seg.end() == seg.seq:
            end.highest = max(end.highest, seg.seq)
            return
        if seg.end() > end.highest:
            end.highest = seg.end()
        elif seg.is_again or seg.seq in end.seen:
            end.again += 1
        else:
            end.late += 1
        end.seen.add(seg.seq)

    def names(self, index):
        host = ('fd00::1', 'fd00::2') if self.is_v6 else ('10.1.0.1', '10.1.0.2')
        port = (20000 + self.seed, 80)
        return f'{host[index]} {port[index]} {host[1 - index]} {port[1 - index]}'

    def capture(self, index, seg):
        a, b = self.ends[index], self.ends[1 - index]
        options = b''
        if seg.stamp:
            options = struct.pack('>4BII', 1, 1, 8, 10, *seg.stamp)
        ports = (20000 + self.seed, 80) if index == 0 else (80, 20000 + self.seed)
        tcp = struct.pack('>HHIIBBHHH', *ports, (a.isn + seg.seq) & M32,
                          (b.isn + seg.ack) & M32 if seg.flags & ACK else 0,
                          (5 + len(options) // 4) << 4, seg.flags, seg.window, 0, 0)
        data = tcp + options + b'x' * seg.length
        if self.is_v6:
            ip = struct.pack('>IHBB', 6 << 28, len(data), 6, 64)
            ip += b'\xfd' + bytes(14) + bytes([1 + index]) + b'\xfd' + bytes(14) + bytes([2 - index])
        else:
            ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(data), 0, 0, 64, 6, 0)
            ip += bytes([10, 1, 0, 1 + index, 10, 1, 0, 2 - index])
        ether = struct.pack('>H', 0x86dd if self.is_v6 else 0x0800)
        if self.is_tagged:
            ether = struct.pack('>HH', 0x8100, 7) + ether
        frame = bytes([2, 0, 0, 0, 0, 2 - index, 2, 0, 0, 0, 0, 1 + index]) + ether + ip + data
        self.out.append((self.now, len(self.out), frame))

    # ---- what the ends do, one after the other ----

    def run(self):
        a = self.ends[0]
        a.done = lambda: self.after(self.rng.randrange(1, 30) * MS, self.act)
        a.send_new(SYN, 0)
        a.arm()
        while self.events:
            self.now, _, what = heapq.heappop(self.events)
            what()

    def act(self):
        for end in self.ends:
            end.done = lambda: None
        if self.rounds == 0:
            for end in self.ends:
                end.send_new(FIN | ACK, 0)
                end.arm()
            return
        self.rounds -= 1
        self.rng.choice([lambda: self.burst(self.rng.choice(self.ends))] * 3 +
                        [self.closed, self.alive])()

    def then(self, ms=(1, 30)):
        self.after(self.rng.randrange(*ms) * MS, self.act)

    def burst(self, end):
        end.done = self.then
        count = self.rng.randrange(1, 14)
        for i in range(count):
            end.send_new(ACK | (PSH if i == count - 1 else 0), self.rng.randrange(2, 1400))
        end.arm()

    def closed(self):
        """One end has no room; the other one asks, with a new octet or an old one, until it has."""
        sender = self.rng.choice(self.ends)
        receiver = self.ends[1 - sender.index]
        receiver.window = 0
        receiver.send(ACK, receiver.next, 0, True)
        octet = self.rng.random() < 0.5
        for i in range(self.rng.randrange(1, 4)):
            self.after((60 + 90 * i) * MS, lambda: self.ask(sender, receiver, octet))

        def opened():
            receiver.window = 65535
            receiver.send(ACK, receiver.next, 0, True)
            self.after(60 * MS, lambda: self.burst(sender))
        self.after(360 * MS, opened)

    def ask(self, sender, receiver, octet):
        if octet:
            sender.send(ACK, sender.next, 1, True)
        else:
            sender.send(ACK, sender.next - 1, 0, True)

    def alive(self):
        end = self.rng.choice(self.ends)
        octets = self.rng.randrange(2)
        for i in range(self.rng.randrange(1, 3)):
            self.after((80 + 80 * i) * MS, lambda: end.send(ACK, end.next - 1, octets, True))
        self.then((240, 260))


# A closed window takes no octet: what was asked with is not received.
def refusing(receive):
    def wrapped(self, seg):
        if not self.window and seg.length and seg.end() > self.rcv:
            self.send(ACK, self.next, 0, True)
            return
        receive(self, seg)
    return wrapped


End.receive = refusing(End.receive)


def main():
    first, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    frames = []
    with open(path + '.truth', 'w', encoding='ascii') as truth:
        for seed in range(first, first + count):
            talk = Talk(seed, frames)
            talk.run()
            for end in talk.ends:
                truth.write(f'{talk.names(end.index)} {end.again} {end.late}\n')
    frames.sort()
    with open(path, 'wb') as out:
        out.write(struct.pack('=IHHIIII', 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for ns, _, frame in frames:
            out.write(struct.pack('=IIII', ns // 10**9, ns % 10**9, len(frame), len(frame)))
            out.write(frame)


main()
