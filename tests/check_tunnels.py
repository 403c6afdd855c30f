#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares captured spans and counters with a capture of the same link, as tshark dissects it.

  check_tunnels.py inner|outer CAPTURE SINK_FOLDER --interface IF --far MAC

inner: a flow is that of the second IP header, where there is one; outer: of the first. Every direction of
every flow has exactly the capture's packets and bytes. MAC sends what the interface receives; the other
way with --near.
"""
import argparse
import collections
import subprocess
import sys

import otlp_read

FIELDS = ("frame.len eth.src frame.protocols ip.src ip.dst ip.proto ipv6.src ipv6.dst ipv6.nxt"
          " ipv6.hopopts.nxt tcp.srcport tcp.dstport udp.srcport udp.dstport icmp.type icmpv6.type vxlan.vni geneve.vni gre.key").split()
TRANSPORTS = {"1": "icmp", "4": "ipip", "6": "tcp", "17": "udp", "41": "ipv6", "47": "gre", "58": "icmpv6"}


def dissected(path):
    command = ["tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-o",
               "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "occurrence=a", "-E",
               "separator=/t", "-E", "aggregator=,"]
    for field in FIELDS:
        command += ["-e", field]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        for line in run.stdout:
            values = line.rstrip("\n").split("\t")
            yield {name: [v for v in value.split(",") if v] for name, value in zip(FIELDS, values)}
    if run.returncode:
        sys.exit("check_tunnels: tshark failed")


def layers(frame):
    """[[transport, source, port, destination, port], …] and what carries the second: (type, id)."""
    take = {name: iter(frame[name]) for name in FIELDS}
    found, tunnel = [], ("", 0)
    for token in frame["frame.protocols"][0].split(":"):
        if token in ("ip", "ipv6"):
            if found and not tunnel[0]:
                tunnel = ("ipip", 0)
            number = next(take["ip.proto" if token == "ip" else "ipv6.nxt"])
            if number == "0":  # multicast listener reports
                number = next(take["ipv6.hopopts.nxt"])
            found.append([TRANSPORTS[number], next(take[token + ".src"]), 0,
                          next(take[token + ".dst"]), 0])
        elif token in ("tcp", "udp"):
            found[-1][2::2] = int(next(take[token + ".srcport"])), int(next(take[token + ".dstport"]))
        elif token in ("vxlan", "geneve") and not tunnel[0]:
            tunnel = (token, int(next(take[token + ".vni"]), 0))
        elif token == "gre" and not tunnel[0]:
            tunnel = (token, int(next(take["gre.key"], "0"), 0))
    return found, tunnel


def expected(path, is_inner):
    """{flow and direction: [packets, bytes]}, {MAC: [packets, bytes]}"""
    flows, links = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(lambda: [0, 0])
    for frame in dissected(path):
        found, tunnel = layers(frame)
        sums = [links[frame["eth.src"][0]]]
        if is_inner and len(found) > 1:
            sums.append(flows[tunnel + tuple(found[1])])
        elif found:
            sums.append(flows[("", 0) + tuple(found[0])])
        for each in sums:
            each[0] += 1
            each[1] += int(frame["frame.len"][0])
    return flows, links


def seen(sink, interface):
    flows = collections.defaultdict(lambda: [0, 0])
    for span in otlp_read.flows(sink):
        has = span["attributes"]
        if has["network.interface.name"] != interface:
            continue
        transport = has["network.transport"]
        ends = [(has["source.address"], has["source.port"]),
                (has["destination.address"], has["destination.port"])]
        if transport.startswith("icmp"):
            ends = [(address, 0) for address, _ in ends]
        if "flow.packets.total" not in has or span["parent_span_id"]:
            sys.exit("a span without its totals: %s" % has)
        for way, (source, sink_) in (("", ends), ("reverse.", ends[::-1])):
            key = (has.get("flow.tunnel.type", ""), has.get("flow.tunnel.id", 0), transport)
            sums = flows[key + source + sink_]
            sums[0] += has["flow.%spackets.total" % way]
            sums[1] += has["flow.%sbytes.total" % way]
    return {key: value for key, value in flows.items() if value[0]}


def check_flows(options, flows):
    has = seen(options.sink, options.interface)
    bad = 0
    for key in sorted(flows.keys() | has.keys(), key=str):
        if flows.get(key) != has.get(key):
            print("  %s: %s, not %s" % (key, has.get(key), flows.get(key)), file=sys.stderr)
            bad += 1
    if bad:
        sys.exit("%d directions of flows are not exact" % bad)
    kinds = {key[0] for key in flows} - {""}
    print("%s: %d directions of flows exact, in %s" % (
        options.interface, len(has), ", ".join(sorted(kinds)) or "no tunnel"))
    if options.least and len(kinds) < options.least:
        sys.exit("%s: fewer kinds of tunnels than %d" % (kinds, options.least))


def check_counters(options, links):
    way = {options.far: "receive"} if options.far else {options.near: "transmit"}
    for what, name in enumerate(("xdp.packets.total", "xdp.bytes.total")):
        sums = collections.Counter()
        for (direction, _, _), value in otlp_read.totals(options.sink, name, options.interface).items():
            sums[direction] += value
        for mac, (packets, size) in links.items():
            other = {"receive": "transmit", "transmit": "receive"}
            (known, direction), = way.items()
            direction = direction if mac == known else other[direction]
            if sums[direction] != (packets, size)[what]:
                sys.exit("%s, %s %s: %d, not %d" % (options.interface, name, direction, sums[direction],
                                                    (packets, size)[what]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("inner", "outer"))
    parser.add_argument("capture")
    parser.add_argument("sink")
    parser.add_argument("--interface", required=True)
    parser.add_argument("--far")
    parser.add_argument("--near")
    parser.add_argument("--least", type=int, default=0)
    options = parser.parse_args()
    flows, links = expected(options.capture, options.what == "inner")
    if len(links) != 2:
        sys.exit("frames of %s" % sorted(links))
    check_flows(options, flows)
    check_counters(options, links)


main()
