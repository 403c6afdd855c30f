#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares captured xdp.tcp.segments with what was sent.

  check_segments.py exact SINK_FOLDER IF DIRECTION SYN SYN_ACK FIN RST
      exactly these; nothing in the other direction
  check_segments.py peers SINK_A IF_A SINK_B IF_B LEAST
      what one end sent is what the other received, both ways; LEAST connections at least
"""
import sys

import otlp_read

FLAGS = ("syn", "syn_ack", "fin", "rst")


def read(sink, interface):
    """{direction: {flag: value}}"""
    last = {}
    for point in otlp_read.metrics(sink):
        attributes = point["attributes"]
        if (point["metric"] != "xdp.tcp.segments" or
                attributes["network.interface.name"] != interface):
            continue
        if (point["kind"], point["monotonic"], point["unit"]) != ("sum", True, "{segment}"):
            sys.exit("not a counter of {segment}: %s" % point)
        if set(attributes) != {"network.interface.name", "network.io.direction", "tcp.flag"}:
            sys.exit("attributes: %s" % attributes)
        way = last.setdefault(attributes["network.io.direction"], {})
        flag = attributes["tcp.flag"]
        if point["value"] < way.get(flag, 0):
            sys.exit("%s fell" % flag)
        way[flag] = point["value"]
    for direction, counts in last.items():
        if set(counts) != set(FLAGS):
            sys.exit("%s: flags %s" % (direction, sorted(counts)))
    return last


def exact(sink, interface, direction, *wanted):
    wanted = {direction: dict(zip(FLAGS, map(int, wanted)))}
    seen = read(sink, interface)
    if seen != wanted:
        sys.exit("%s seen, %s expected" % (seen, wanted))
    print("%s: exact" % seen)


def peers(sink_a, if_a, sink_b, if_b, least):
    a, b = read(sink_a, if_a), read(sink_b, if_b)
    if a["transmit"] != b["receive"] or a["receive"] != b["transmit"]:
        sys.exit("%s on one end, %s on the other" % (a, b))
    if min(a["transmit"]["syn"] + b["transmit"]["syn"], a["transmit"]["fin"],
           b["transmit"]["fin"]) < int(least):
        sys.exit("%s: fewer than %s connections" % (a, least))
    print("%s: equal on both ends" % a)


if __name__ == "__main__":
    {"exact": exact, "peers": peers}[sys.argv[1]](*sys.argv[2:])
