#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sends the segments of TCP handshakes with pauses of known length, and checks what was told of them.

  send_handshakes.py IF >SENT.json
  send_handshakes.py --check SENT.json SINK_FOLDER
"""
import json
import socket
import sys
import time

import make_capture as make
import otlp_read

CLIENT, SERVER = b"\x0a\x05\x00\x01", b"\x0a\x05\x00\x02"
PORTS = range(30000, 30100)
SYN, SYNACK, ACK = make.SYN, make.SYN | make.ACK, make.ACK
# pause before, in ms; who sends, what; the kinds that this is sent of
STEPS = ((0, 0, SYN, ("whole", "again", "half", "unanswered")), (5, 0, SYN, ("again",)),
         (25, 1, SYNACK, ("whole", "again", "half")), (10, 0, ACK, ("whole", "again")))
KINDS = ("whole", "again", "half", "unanswered")
SLACK_NS = 2000000  # between a packet's sending and its sight


def kind_of(port):
    return KINDS[port % len(KINDS)]


def frame(port, way, flags):
    a, b, p, q = (CLIENT, SERVER, port, 80) if way == 0 else (SERVER, CLIENT, 80, port)
    segment = make.tcp(a, b, p, q, 1000 + (way == 0 and flags == ACK), 1001 if flags & ACK else 0, flags)
    return make.ether(make.ipv4(a, b, make.TCP, segment), way == 0)


def send(interface):
    """Prints, for each port, its segments' [flags, before, after] in ns of the wall clock."""
    sent = {port: [] for port in PORTS}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((interface, 0))
        for pause, way, flags, kinds in STEPS:
            time.sleep(pause / 1000)
            for port in PORTS:
                if kind_of(port) in kinds:
                    data, before = frame(port, way, flags), time.time_ns()
                    link.send(data)
                    sent[port].append((flags, before, time.time_ns()))
    json.dump(sent, sys.stdout)


def check(path, folder):
    with open(path) as text:
        sent = {int(port): steps for port, steps in json.load(text).items()}
    spans = list(otlp_read.spans(folder))
    roots = {s["span_id"]: s for s in spans if s["name"] != otlp_read.HANDSHAKE}
    told = {s["attributes"]["source.port"]: s for s in spans if s["name"] == otlp_read.HANDSHAKE}
    wanted = {port for port in PORTS if kind_of(port) in ("whole", "again")}
    if len(roots) != len(PORTS) or set(told) != wanted:
        sys.exit("%d connections, handshakes of %s" % (len(roots), sorted(set(told) ^ wanted)))
    for port, span in told.items():
        first = {}
        for flags, before, after in sent[port]:
            first.setdefault(flags, (before, after))
        seen = {SYN: span["start"], SYNACK: span["event_times"][0], ACK: span["end"]}
        for flags, (before, after) in first.items():
            if not before - SLACK_NS <= seen[flags] <= after + SLACK_NS:
                sys.exit("port %d, flags %d: seen at %d, sent %d..%d" % (port, flags, seen[flags],
                                                                      before, after))
        root, has = roots[span["parent_span_id"]], span["attributes"]
        shares = [has["flow.tcp.handshake.%s.duration" % who] for who in ("server", "client")]
        times = [(seen[SYNACK] - seen[SYN]) / 1e9, (seen[ACK] - seen[SYNACK]) / 1e9]
        if any(abs(a - b) > 1e-7 for a, b in zip(shares, times)) or min(shares) < 0.008:
            sys.exit("port %d: shares %s of %s" % (port, shares, times))
        if root["trace_id"] != span["trace_id"] or root["attributes"]["source.port"] != port:
            sys.exit("port %d: child of another flow" % port)
    print("%d handshakes of %d connections: their times and shares" % (len(told), len(roots)))


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2], sys.argv[3])
    else:
        send(sys.argv[1])
