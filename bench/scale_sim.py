# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""ringspan, simulated: what it keeps of a list of packets, the records and spans it makes, their bytes.

The rules are those of kern/emit.bpf.h (records), kern/sample.bpf.h (packet mode), user/flow_life.c and
user/flow_table.c (reports), user/flow_otlp.c (spans) and user/outbox.c (requests). Nothing is ever full here,
and nothing is lost. Times are nanoseconds from the first packet's second on.
"""
import bisect
import collections
import os
import random
import sys

import scale_bytes
from scale_model import ACK, FIN, RST, SYN, TCP

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
import check_sampling  # noqa: E402  the hash, whose test vectors are frozen

SECOND = 1_000_000_000
TICK = 50_000_000  # of the timing wheel: user/flow_wheel.h


class Options:
    def __init__(self, mode="flow", interval=1, active=60.0, idle=30.0, tcp_idle=300.0, linger=2.0, batch=512,
                 delay=1.0, interface="va"):
        self.mode, self.interval, self.interface = mode, interval, interface
        self.active, self.idle, self.tcp_idle, self.linger = (int(s * SECOND)
                                                              for s in (active, idle, tcp_idle, linger))
        self.batch, self.delay = batch, int(delay * SECOND)
        self.th = threshold_text(interval)


def threshold(interval):
    """OpenTelemetry's rejection threshold for 1/interval: four digits after the leading f ones."""
    if interval == 1:
        return 0
    value = (1 << 56) - ((1 << 56) + interval // 2) // interval
    text = "%014x" % value
    shift = max(4 * (10 - (14 - len(text.lstrip("f")))), 0)
    return ((value + (1 << shift >> 1)) >> shift) << shift


def threshold_text(interval):
    return ("%014x" % threshold(interval)).rstrip("0") or "0"


def kept_flows(heads, interval, key):
    """The numbers of the flows that the keyed hash keeps at 1/interval, and R of each."""
    kept, least = {}, threshold(interval)
    for number, (source, destination, ports, proto) in enumerate(heads):
        r = check_sampling.randomness({"source": source, "destination": destination, "source_port": ports[0],
                                       "destination_port": ports[1], "transport": "tcp" if proto == TCP else "udp"},
                                      key)
        if r >= least:
            kept[number] = r
    return kept


def take_packets(packets, interval, rng):
    """Packet mode: one packet in interval, the gaps uniform in 1..2N-1."""
    if interval == 1:
        return packets
    taken, at = [], min(rng.randrange(2 * interval), rng.randrange(2 * interval - 1))
    while at < len(packets):
        taken.append(packets[at])
        at += rng.randint(1, 2 * interval - 1)
    return taken


class Flow:
    """One kept flow from its first packet in the kernel's map to its last report."""

    def __init__(self, options, head, first):
        self.options, self.head, self.proto = options, head, head[3]
        self.first, self.first_from = first, None
        self.packets, self.bytes, self.flags = [0, 0], [0, 0], [0, 0]
        self.emitted = [-1 << 62, -1 << 62]
        self.last = first
        self.reported = (0, 0, 0, 0)
        self.reports = self.records = 0
        self.active = ceil_tick(first) + ceil_tick(options.active)
        self.times = {}
        self.has_data = False
        self.answer = None
        self.resets = []
        self.spans = []  # (time of the report, kind, bytes)
        self.end = None

    # ---- the kernel ----

    def packet(self, at, sender, size, payload, flags):
        before = self.packets[sender]
        self.packets[sender] += 1
        self.bytes[sender] += size
        self.flags[sender] |= flags
        self.last = at
        self.has_data |= payload > 0
        if self.first_from is None:
            self.first_from = sender
        now, age = at // 1_000_000, (at - self.first) // 1_000_000
        since = now - self.emitted[sender]
        if (before < 4 or before ^ (before + 1) > before or flags & (SYN | FIN | RST) or
                since >= max(age // 8, 1000)):
            self.emitted[sender] = now
            self.records += 1
            self.note(at, sender, flags)

    # ---- the flow table ----

    def note(self, at, sender, flags):
        if self.proto != TCP:
            if sender != self.first_from and self.answer is None and self.packets[sender] <= 4:
                self.answer = at - self.first
            return
        if flags & RST:
            self.resets.append(at)
        elif not flags & FIN:
            if flags & SYN:
                self.times.setdefault("synack" if flags & ACK else "syn", at)
            elif flags & ACK and self.flags[sender] & SYN:
                self.times.setdefault("ack" if "synack" in self.times else "early", at)

    def is_over(self):
        a, b = self.flags
        return self.proto == TCP and bool((a | b) & RST or a & b & FIN)

    def deadline(self):
        options = self.options
        if self.is_over():
            patience = options.linger
        elif self.proto == TCP and all(self.packets):
            patience = options.tcp_idle
        else:
            patience = options.idle
        return ceil_tick(self.last + patience)

    def advance(self, now):
        """Reports what is due before now; false: the flow has ended."""
        while True:
            deadline = self.deadline()
            if self.is_over() or self.active >= deadline:
                if deadline > now:
                    return True
                self.report(deadline, "end of flow detected" if self.is_over() else "idle timeout")
                self.end = deadline
                return False
            if self.active > now:
                return True
            at, self.active = self.active, self.active + ceil_tick(self.options.active)
            if self.reported[:2] != tuple(self.packets):
                self.report(at, "active timeout")

    def finish(self, now):
        if self.advance(now):
            self.report(now, "end of flow detected" if self.is_over() else "forced end")
            self.end = now

    def report(self, at, reason):
        is_final = reason != "active timeout"
        kind = "root" if not self.reports else "end" if is_final else "interval"
        self.spans.append((at, kind, scale_bytes.span(self, kind, reason)))
        has_all = self.options.mode == "flow" or self.options.interval == 1
        if kind == "root" and has_all and all(k in self.times for k in ("syn", "synack", "ack")):
            self.spans.append((at, "handshake", scale_bytes.handshake(self)))
        self.reports += 1
        self.resets = []
        self.reported = tuple(self.packets) + tuple(self.bytes)


def ceil_tick(ns):
    return -(-ns // TICK) * TICK


def frame_bytes(proto, payload):
    return max(60, 34 + (20 if proto == TCP else 8) + payload)


def watch(heads, packets, options, stop):
    """Flows kept, as they end; packets: of kept flows or samples, by time; stop: seconds."""
    flows, alive = [], {}
    for at, number, payload, sender, flags in packets:
        flow = alive.get(number)
        if flow and not flow.advance(at):
            flow = None
        if flow is None:
            flow = alive[number] = Flow(options, heads[number], at)
            flows.append(flow)
        flow.packet(at, sender, frame_bytes(flow.proto, payload), payload, flags)
    for flow in alive.values():
        if flow.end is None:
            flow.finish(int(stop * SECOND))
    return flows


def requests(spans, options):
    """How many requests spans (by time) leave in, with one worker."""
    count, begun, items = 0, None, 0
    for at, _, _ in spans:
        if begun is not None and (items >= options.batch or at - begun >= options.delay):
            count, begun, items = count + 1, None, 0
        if begun is None:
            begun = at
        items += 1
    return count + (items > 0)


def most_at_once(flows):
    begins, ends = sorted(f.first for f in flows), sorted(f.end for f in flows)
    return max((i + 1 - bisect.bisect_left(ends, at) for i, at in enumerate(begins)), default=0)


def summary(flows, options):
    spans = sorted(span for flow in flows for span in flow.spans)
    kinds = collections.Counter(kind for _, kind, _ in spans)
    return {
        "flows": len(flows), "packets": sum(sum(f.packets) for f in flows),
        "records": sum(f.records for f in flows), "spans": len(spans), "root": kinds["root"],
        "handshake": kinds["handshake"], "interval": kinds["interval"], "end": kinds["end"],
        "span_bytes": sum(size for _, _, size in spans),
        "bytes": sum(size for _, _, size in spans) + requests(spans, options) * scale_bytes.REQUEST,
        "held": most_at_once(flows),
    }


def simulate(heads, packets, options, stop, key=None, rounds=1, seed=1):
    """The summary; packet mode: the mean of so many rounds of chance."""
    if options.mode == "flow":
        kept = kept_flows(heads, options.interval, key)
        return summary(watch(heads, [p for p in packets if p[1] in kept], options, stop), options), kept
    rng, results = random.Random(seed), []
    for _ in range(rounds):
        results.append(summary(watch(heads, take_packets(packets, options.interval, rng), options, stop), options))
    return {name: sum(r[name] for r in results) / rounds for name in results[0]}, None
