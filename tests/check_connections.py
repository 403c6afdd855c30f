#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares spans with what an HTTP client and the kernel counted: each connection exactly once, as its
own trace, and no packet or byte more or less.

  check_connections.py CLIENT_COUNTS SINK_FOLDER --packets OUT BACK --bytes OUT BACK
"""
import argparse
import collections
import sys

import otlp_read

PORT = 80


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts")
    parser.add_argument("sink")
    parser.add_argument("--packets", nargs=2, type=int, required=True)
    parser.add_argument("--bytes", nargs=2, type=int, required=True)
    options = parser.parse_args()
    wanted = {}
    with open(options.counts) as lines:
        connections = int(next(lines).split()[1])
        for line in lines:
            port, count = line.split()
            wanted[int(port)] = int(count)
    seen, sums = collections.Counter(), collections.Counter()
    ids, faults, other = set(), collections.Counter(), collections.Counter()
    for span in otlp_read.flows(options.sink):
        has = span["attributes"]
        if has["network.transport"] != "tcp":
            other[span["name"]] += 1
            continue
        ids.add(span["trace_id"])
        seen[has["source.port"]] += 1
        faults["not tcp http"] += span["name"] != "tcp http"
        faults["not to port 80"] += has["destination.port"] != PORT
        faults["not forward"] += has["flow.direction"] != "forward"
        faults["not ended"] += has["flow.end_reason"] != "end of flow detected"
        faults["too few packets"] += has["flow.packets.total"] < 4
        for name in ("packets", "bytes"):
            sums[name, 0] += has["flow.%s.total" % name]
            sums[name, 1] += has["flow.reverse.%s.total" % name]
    total = sum(seen.values())
    print("%d connections on %d ports, %d spans, %d traces, %s" % (
        connections, len(wanted), total, len(ids), dict(sums)))
    faults["spans not as many as connections"] += total != connections
    faults["traces not as many as spans"] += len(ids) != total
    faults["ports with another number of spans"] += sum(
        seen[port] != wanted.get(port, 0) for port in seen.keys() | wanted.keys())
    for way in (0, 1):
        faults["packets, way %d: %d" % (way, options.packets[way])] += (
            sums["packets", way] != options.packets[way])
        faults["bytes, way %d: %d" % (way, options.bytes[way])] += (
            sums["bytes", way] != options.bytes[way])
    faults["ports reused less than several times"] += connections < 3 * len(wanted)
    if +faults:
        sys.exit(str(dict(+faults)))


if __name__ == "__main__":
    main()
