# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bytes of a span in an OTLP request before compression, attribute by attribute, as user/flow_otlp.c makes
them. Without what a plain flow has not: tenants, tunnels, fragments, round trips from TCP timestamps.
"""
from scale_model import ACK, FIN, RST, SYN, TCP

REQUEST = 267  # bytes of a request before its first span: resource and scope; with host name and the like
SERVICES = {(6, 80): "http", (6, 443): "https", (6, 22): "ssh", (6, 8080): "http-alt", (17, 53): "domain",
            (17, 123): "ntp", (17, 443): "https"}


def varint(value):
    return max(1, (value.bit_length() + 6) // 7)


def field(size):
    """A tag below 16, a length, and so many bytes."""
    return 1 + varint(size) + size


def text(key, value):
    return field(field(len(key)) + field(field(len(value))))


def integer(key, value):
    return field(field(len(key)) + field(1 + varint(value)))


def double(key):
    return field(field(len(key)) + field(9))


def flag_names(flags):
    return ",".join(name for bit, name in ((SYN, "SYN"), (ACK, "ACK"), (FIN, "FIN"), (RST, "RST")) if flags & bit)


def initiator(flow):
    """(endpoint, whether it is known)."""
    a, b = flow.flags
    if flow.proto == TCP and (a | b) & SYN:  # of the lists: endpoint 0 opens
        return 0, True
    return flow.first_from, False


def who(flow):
    source, known = initiator(flow)
    address, ports = flow.head[:2], flow.head[2]
    size = text("flow.direction", "forward" if known else "unknown") + text("flow.community_id", "1:" + "x" * 28)
    roles = [("source", source), ("destination", 1 - source)]
    if known:
        roles += [("client", source), ("server", 1 - source)]
    for role, end in roles:
        size += text(role + ".address", address[end]) + integer(role + ".port", ports[end])
    return size


def where(flow):
    return (text("network.transport", "tcp" if flow.proto == TCP else "udp") + text("network.type", "ipv4") +
            text("network.interface.name", flow.options.interface))


def exact_counts(flow, kind, source):
    size = 0
    for end, reverse in ((source, ""), (1 - source, "reverse.")):
        for i, what in ((0, "packets"), (2, "bytes")):
            value = (flow.packets if i == 0 else flow.bytes)[end]
            if kind == "interval":
                size += integer("flow.%s%s.delta" % (reverse, what), value - flow.reported[i + end])
            else:
                size += integer("flow.%s%s.total" % (reverse, what), value)
    return size


def sampled_counts(flow, kind, source):
    size, ending = 0, ".delta" if kind == "interval" else ""
    for end, reverse in ((source, ""), (1 - source, "reverse.")):
        packets, octets = flow.packets[end], flow.bytes[end]
        if kind == "interval":
            packets, octets = packets - flow.reported[end], octets - flow.reported[2 + end]
        if not packets:
            continue
        n = flow.options.interval
        size += (integer("flow.%ssampled.packets%s" % (reverse, ending), packets) +
                 integer("flow.%ssampled.bytes%s" % (reverse, ending), octets) +
                 integer("flow.%spackets.estimated%s" % (reverse, ending), packets * n) +
                 integer("flow.%sbytes.estimated%s" % (reverse, ending), octets * n) +
                 double("flow.%sestimate.error" % reverse))
    return size


def tcp_state(flow):
    a, b = flow.flags
    if a & b & FIN:
        return "closed"
    if (a | b) & RST:
        return "refused" if a & SYN and b & RST and not flow.has_data else "reset"
    if (a | b) & FIN:
        return "half-closed"
    if not (a | b) & SYN:
        return "mid-stream"
    if not a & ACK and not b & SYN:
        return "syn sent"
    return "established" if a & ACK or b & ACK and flow.has_data else "half-open"


def trace_state(flow):
    return field(len("ot=th:" + flow.options.th)) if flow.options.mode == "flow" else 0


def failure(flow, kind):
    """Bytes of the status of a connection that came to nothing."""
    a, b = flow.flags
    if flow.options.mode != "flow" or flow.proto != TCP or kind == "interval" or flow.has_data:
        return 0
    words = None
    if a & SYN and b & RST:
        words = "connection refused"
    elif (a | b) & RST:
        words = "reset before data"
    elif a & SYN and not a & ACK and not flow.packets[1]:
        words = "SYN without answer"
    return field(field(len(words)) + 2) if words else 0


def span(flow, kind, reason):
    options = flow.options
    source, known = initiator(flow)
    name = "tcp" if flow.proto == TCP else "udp"
    service = SERVICES.get((flow.proto, flow.head[2][1]))
    if service and (known or flow.proto != TCP):
        name += " " + service
    name += {"root": "", "interval": " interval", "end": " end"}[kind]
    size = 18 + 10 + trace_state(flow) + field(len(name)) + 2 + 9 + 9 + 6 + (10 if kind != "root" else 0)
    size += who(flow) + where(flow)
    size += (exact_counts if options.mode == "flow" else sampled_counts)(flow, kind, source)
    size += text("flow.end_reason", reason)
    if flow.proto == TCP:
        for end, key in ((source, "flow.tcp.flags"), (1 - source, "flow.reverse.tcp.flags")):
            if flag_names(flow.flags[end]):
                size += text(key, flag_names(flow.flags[end]))
        size += text("flow.tcp.state", tcp_state(flow)) if options.mode == "flow" else 0
    elif flow.answer is not None and kind != "interval" and options.mode == "flow":
        size += double("flow.response.duration")
    if options.mode == "packet" or options.interval > 1:
        size += text("flow.sampling.mode", options.mode) + integer("flow.sampling.interval", options.interval)
    for _ in flow.resets:
        size += field(9 + field(len("tcp reset")) + text("flow.event.from", "destination"))
    size += failure(flow, kind)
    return field(size)


def handshake(flow):
    ms = (flow.times["ack"] - flow.times["syn"]) // 1_000_000
    name = "1s" if ms >= 1000 else "100ms" if ms >= 100 else "10ms" if ms >= 10 else "1ms" if ms else "0ms"
    size = 18 + 10 + trace_state(flow) + field(len("tcp handshake")) + 2 + 9 + 9 + 6 + 10
    size += who(flow) + where(flow) + field(9 + field(len("tcp syn_ack")))
    size += double("flow.tcp.handshake.server.duration") + double("flow.tcp.handshake.client.duration")
    size += text("flow.tcp.handshake.class", name)
    return field(size)
