#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares the "icmp error" events of captured spans with the ICMP errors in a capture, as tshark dissects
them: who reports what about which flow.

  check_icmp.py CAPTURE SINK_FOLDER --least N --unanswered MESSAGE…
"""
import argparse
import collections
import subprocess
import sys

import otlp_read

FIELDS = ("ip.src ip.dst ipv6.src ipv6.dst tcp.srcport tcp.dstport udp.srcport udp.dstport icmp.type icmp.code"
          " icmp.mtu icmpv6.type icmpv6.code icmpv6.mtu").split()
ERRORS = ("(icmp && icmp.type in {3, 4, 5, 11, 12}) || (icmpv6 && icmpv6.type in {1, 2, 3, 4})")


def expected(path):
    """How often (reporter, type, code, MTU, source, port, destination, port) occurs."""
    command = ["tshark", "-n", "-r", path, "-Y", ERRORS, "-T", "fields", "-E", "occurrence=a", "-E",
               "separator=/t", "-E", "aggregator=,"]
    for field in FIELDS:
        command += ["-e", field]
    ret = collections.Counter()
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in out.stdout.splitlines():
        has = dict(zip(FIELDS, (value.split(",") for value in line.split("\t"))))
        ip, icmp = ("ip", "icmp") if has["ip.src"][0] else ("ipv6", "icmpv6")
        transport = "tcp" if has["tcp.srcport"][0] else "udp"
        ret[has[ip + ".src"][0], int(has[icmp + ".type"][0]), int(has[icmp + ".code"][0]),
            int(has[icmp + ".mtu"][0] or 0), has[ip + ".src"][1], int(has[transport + ".srcport"][0]),
            has[ip + ".dst"][1], int(has[transport + ".dstport"][0])] += 1
    return ret


def seen(sink):
    events, messages = collections.Counter(), []
    for span in otlp_read.flows(sink):
        has = span["attributes"]
        if span["status"] == 2:
            messages.append(span["message"])
        for name, event in zip(span["events"], span["event_attributes"]):
            if name != "icmp error":
                continue
            ends = [(has["source.address"], has["source.port"]),
                    (has["destination.address"], has["destination.port"])]
            if event["flow.event.from"] == "destination":
                ends.reverse()
            events[(event["flow.icmp.reporter"], event["flow.icmp.type"], event["flow.icmp.code"],
                    event.get("flow.icmp.mtu", 0)) + ends[0] + ends[1]] += 1
    return events, messages


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("capture")
    parser.add_argument("sink")
    parser.add_argument("--least", type=int, required=True)
    parser.add_argument("--unanswered", nargs="+", required=True)
    options = parser.parse_args()
    wanted = expected(options.capture)
    events, messages = seen(options.sink)
    for key in sorted(wanted.keys() | events.keys(), key=str):
        if wanted[key] != events[key]:
            sys.exit("%s: %d times, not %d" % (key, events[key], wanted[key]))
    if sum(wanted.values()) < options.least:
        sys.exit("only %d errors" % sum(wanted.values()))
    if sorted(messages) != sorted(options.unanswered):
        sys.exit("failures: %s" % sorted(messages))
    print("%d errors, %d kinds: told of by their flows" % (
        sum(wanted.values()), len({key[1:3] for key in wanted})))


main()
