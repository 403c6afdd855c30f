#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares captured metrics with what was sent.

  check_counters.py truth SINK_FOLDER --interface IF --direction D --truth FILE [--loops N]
      exact, by network type and transport; nothing in the other direction
  check_counters.py peers SINK_A IF_A SINK_B IF_B
      TCP and UDP: what one end sent is what the other received, both ways
  check_counters.py total SINK_FOLDER --interface IF --direction D --transport T --packets N [--bytes N]
"""
import argparse
import collections
import json
import sys

import otlp_read

OTHER = {"receive": "transmit", "transmit": "receive"}
NAMES = {"packets": "xdp.packets.total", "bytes": "xdp.bytes.total"}


def read(sink, interface):
    """{(direction, net, transport, what): value}; zeros left out."""
    ret = {}
    for what, name in NAMES.items():
        for (direction, net, transport), value in otlp_read.totals(sink, name, interface).items():
            if value:
                ret[direction, net or "other", transport or "other", what] = value
    if not ret:
        sys.exit("no xdp counters for %s in %s" % (interface, sink))
    return ret


def check_sizes(sink, interface, counters):
    """The size histogram is another view of the same packets and bytes."""
    last = {}
    for point in otlp_read.metrics(sink):
        attributes = point["attributes"]
        if (point["metric"] == "xdp.packet.size" and
                attributes["network.interface.name"] == interface):
            last[attributes["network.io.direction"]] = point
    for direction, point in last.items():
        sums = collections.Counter()
        for (way, _, _, what), value in counters.items():
            if way == direction:
                sums[what] += value
        in_buckets = point["zero"] + sum(point["buckets"])
        if (point["count"], in_buckets, point["sum"]) != (sums["packets"], sums["packets"],
                                                          sums["bytes"]):
            sys.exit("sizes %s: count %d, buckets %d, sum %d, not %s" % (
                direction, point["count"], in_buckets, point["sum"], dict(sums)))
    if not last:
        sys.exit("no xdp.packet.size for %s" % interface)


def demand(seen, wanted):
    if seen == wanted:
        return
    for key in sorted(seen.keys() | wanted.keys(), key=str):
        if seen.get(key) != wanted.get(key):
            print("  %s: %s seen, %s expected" % (" ".join(key), seen.get(key, 0),
                                                  wanted.get(key, 0)), file=sys.stderr)
    sys.exit("counters are not exact")


def check_truth(options):
    with open(options.truth) as text:
        truth = json.load(text)
    wanted = {}
    for net, transport, what, value in truth["counters"]:
        wanted[options.direction, net or "other", transport, what] = value * options.loops
    seen = read(options.sink, options.interface)
    demand(seen, wanted)
    check_sizes(options.sink, options.interface, seen)
    print("%d packets, %d bytes: exact" % tuple(
        sum(v for k, v in seen.items() if k[3] == what) for what in ("packets", "bytes")))


def check_peers(options):
    a, b = read(options.sink, options.interface), read(options.sink_b, options.interface_b)
    # the rest is the hosts' own chatter, which may fall between the two starts
    a = {(OTHER[k[0]],) + k[1:]: value for k, value in a.items() if k[2] in ("tcp", "udp")}
    b = {k: value for k, value in b.items() if k[2] in ("tcp", "udp")}
    demand(a, b)
    print(" ".join("%s/%s/%s/%s=%d" % (k + (v,)) for k, v in sorted(b.items())))


def check_total(options):
    seen = collections.Counter()
    for key, value in read(options.sink, options.interface).items():
        if key[0] == options.direction and options.transport in (None, key[2]):
            seen[key[3]] += value
    wanted = {"packets": options.packets, "bytes": options.bytes}
    for what, value in wanted.items():
        if value is not None and seen[what] != value:
            sys.exit("%s %s: %d seen, %d expected" % (options.direction, what, seen[what], value))
    print("%s %s: %s: exact" % (options.direction, options.transport, dict(seen)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, function in (("truth", check_truth), ("peers", check_peers), ("total", check_total)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("sink")
        if name == "peers":
            command.add_argument("interface")
            command.add_argument("sink_b")
            command.add_argument("interface_b")
            continue
        command.add_argument("--interface", required=True)
        command.add_argument("--direction", required=True, choices=sorted(OTHER))
        if name == "truth":
            command.add_argument("--truth", required=True)
            command.add_argument("--loops", type=int, default=1)
        else:
            command.add_argument("--transport")
            command.add_argument("--packets", type=int)
            command.add_argument("--bytes", type=int)
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
