# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a flow costs on average, in closed form: the simulator's rules for packets at even distances.

A direction of n packets, a gap apart, has its first 4 in records, then the next that doubles the count or comes
max(1 s, age/8) after the last record, whichever is earlier, and the last one of a TCP connection (FIN). A flow has a
span at its end and one at each active timeout with something new; a TCP connection a handshake.

Packet mode: a flow of n packets has k samples, Poisson with mean n/N; k at random in its duration D. A gap between two
of them is longer than P with (1 - P/D)^k: there the flow falls apart. P is the idle timeout, or, once a TCP
connection was seen both ways, the one of TCP: a chain of two states, solved.
"""
import math

import scale_bytes
import scale_sim
from scale_model import ACK, FIN, PACKET_BYTES, RST, SYN, TCP

SECOND = scale_sim.SECOND


def records_even(packets, gap_ms, has_end):
    """Records of one direction."""
    count, last = min(packets, 4), min(packets, 4)
    while last < packets:
        at = (last - 1) * gap_ms
        by_doubling = 1 << last.bit_length()
        by_time = math.ceil(max(at + 1000, at * 8 / 7) / gap_ms - 1e-9) + 1 if gap_ms else by_doubling
        last = max(min(by_doubling, by_time), last + 1)
        count += last <= packets or has_end
    return count


def actives(duration, patience, active, is_over):
    """Reports at active timeouts."""
    reach = duration if is_over else duration + patience
    if reach <= active:
        return 0
    return max(min(math.ceil(reach / active) - 1, math.ceil(duration / active)), 1)


class Cost:
    """Sums over flows; each is a mean of one flow of the model."""
    NAMES = ("flows", "packets", "records", "spans", "bytes", "held")

    def __init__(self):
        for name in self.NAMES:
            setattr(self, name, 0.0)

    def add(self, weight, other):
        for name in self.NAMES:
            setattr(self, name, getattr(self, name) + weight * getattr(other, name))


def typical(shape, options, packets):
    """A flow of that shape whose packets were all seen, for its spans' bytes."""
    head = ("10.0.100.100", "192.168.100.100", (40000, 443), shape.proto)
    flow = scale_sim.Flow(options, head, 0)
    flow.first_from, flow.packets = 0, [max(round(x), 0) for x in packets]
    flow.bytes = [round(x * PACKET_BYTES) for x in flow.packets]
    if shape.proto == TCP:
        flow.flags = [SYN, RST | ACK if shape.is_refused else 0] if shape.is_failed else [SYN | FIN | ACK] * 2
        flow.resets = [0] * shape.is_refused
        flow.has_data = not shape.is_failed
        if not shape.is_failed and options.mode == "flow":
            flow.times = {"syn": 0, "synack": 20_000_000, "ack": 40_000_000}
    elif shape.packets[1] and options.mode == "flow":
        flow.answer = 1
    if options.mode == "packet" and shape.proto == TCP:
        flow.flags = [ACK if x else 0 for x in flow.packets]
    return flow


def span_bytes(shape, options, packets, lives, between):
    """All spans of a flow: lives roots, so many reports between, and their ends."""
    flow = typical(shape, options, packets)
    size = scale_bytes.span(flow, "root", "idle timeout") * lives
    if flow.times:
        size += scale_bytes.handshake(flow)
    if between:
        per_life = between / lives
        ends = min(per_life, 1.0) * lives
        size += ends * scale_bytes.span(flow, "end", "idle timeout")
        size += max(between - ends, 0.0) * scale_bytes.span(flow, "interval", "active timeout")
    return size


def flow_cost(shape, options):
    """Of a kept flow."""
    cost, total = Cost(), shape.total
    is_over = shape.proto == TCP and shape.packets[1] > 0
    is_long = shape.proto == TCP and not shape.is_failed
    patience = (options.linger if is_over else options.idle) / SECOND
    waits = (options.tcp_idle if is_long else options.idle) / SECOND
    if shape.gap / (2 if shape.packets[1] else 1) > waits:
        lives, between, duration = total, 0, 0.0
        cost.records = total
    else:
        lives, duration = 1, shape.duration
        between = actives(duration, patience, options.active / SECOND, is_over)
        cost.records = sum(records_even(n, shape.gap * 1000, is_long) for n in shape.packets)
    cost.flows, cost.packets = lives, total
    cost.spans = lives + between + (is_long and lives == 1)
    cost.bytes = span_bytes(shape, options, shape.packets, lives, between)
    cost.held = lives * (duration + patience)
    return cost


def records_random(packets, gap_ms):
    """Records of a direction whose samples come at random, on average a gap apart."""
    count, last = min(packets, 4), float(min(packets, 4))
    while gap_ms and last < packets:
        at = (last - 1) * gap_ms
        last = min(2.0 ** (math.floor(math.log2(last)) + 1), last + max(1000, at / 7) / gap_ms + 1)
        count += last <= packets
    return count + (0 if gap_ms else max(int(math.log2(max(packets, 1))) - 2, 0))


def lives_of(samples, single, both):
    """(flows that so many samples of one make, the chance that the last one has seen both directions); single and
    both: the chance that a gap between two samples is too long, while one direction or both were seen."""
    if samples <= 1:
        return 1.0, 0.0
    if both is None:
        return 1 + (samples - 1) * single, 0.0
    fading = (1 + single) / 2 - both
    rest = 2 * both / (2 * both + 1 - single) if both or single < 1 else 1.0
    in_single = (samples - 1) * rest
    if fading < 1:
        in_single += (1 - rest) * (1 - fading ** (samples - 1)) / (1 - fading)
    in_single = min(in_single, samples - 1)
    lives = 1 + in_single * single + (samples - 1 - in_single) * both
    return lives, 1 - rest - (1 - rest) * fading ** (samples - 1)


def chances(mean):
    """(chance, samples): Poisson, or where there are many their mean."""
    if mean > 12:
        return [(1.0, mean)]
    chance, ret = math.exp(-mean), []
    for k in range(1, int(mean + 6 * math.sqrt(mean)) + 3):
        chance *= mean / k
        ret.append((chance, k))
    return ret


def packet_cost(shape, options):
    """Of a flow, seen or not, whose packets are sampled."""
    p, cost = 1 / options.interval, Cost()
    idle, tcp_idle, active = (x / SECOND for x in (options.idle, options.tcp_idle, options.active))
    has_two = shape.packets[1] > 0
    cost.packets = p * shape.total
    for chance, k in chances(cost.packets):
        alone = max(0.0, 1 - idle / shape.duration) ** k if shape.duration else 0.0
        both = max(0.0, 1 - tcp_idle / shape.duration) ** k if shape.duration else 0.0
        lives, seen_both = lives_of(k, alone, both if shape.proto == TCP and has_two else None)
        duration = max(k / lives - 1, 0) * shape.duration / k
        between = 0.0
        for share, patience in ((seen_both, tcp_idle), (1 - seen_both, idle)):
            new = 1 - math.exp(-k * active / shape.duration) if shape.duration else 1.0
            if not shape.is_refused and duration + patience > active:
                between += share * lives * (1 + max(duration / active - 1, 0) * new)
            cost.held += chance * share * lives * (duration + patience)
        parts = [k / lives * n / shape.total for n in shape.packets]
        gap_ms = shape.duration * 1000 / (k / 2 if has_two else k)
        for part in parts:
            cost.records += chance * lives * (part if part < 4 else records_random(part, gap_ms))
        cost.flows += chance * lives
        cost.spans += chance * (lives + between)
        cost.bytes += chance * span_bytes(shape, options, [part or 0 for part in parts], lives, between)
    return cost


def one(shape, options):
    if options.mode == "packet":
        return packet_cost(shape, options)
    return flow_cost(shape, options)


def expect(shapes, options):
    """The mean over a model's flows, seen or not: of weighted shapes."""
    mean, share = Cost(), 1 / options.interval if options.mode == "flow" else 1.0
    for weight, shape in shapes:
        mean.add(weight * share, one(shape, options))
    return mean
