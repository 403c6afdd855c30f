#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Looks at what 1/100 kept of a capture: exactly the flows that the documented hash names, whole, with
trace ids that say so, and as many as chance allows.

  check_sampling.py TRUTH.json SINK_FOLDER --site-key FILE
"""
import argparse
import json
import math
import socket
import struct
import sys

import otlp_read

MASK = (1 << 64) - 1
M1, M2, M3, M4 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93
THRESHOLD, TH = 0xFD70A000000000, "ot=th:fd70a"
PROTO = {"tcp": 6, "udp": 17}


def mix(word, key):
    x = ((word ^ key) * M1) & MASK
    x ^= x >> 32
    x = (x * M4) & MASK
    return x ^ x >> 29


def endpoint(address, port, proto, key):
    port = socket.htons(port)
    if ":" not in address:
        (number,) = struct.unpack("<I", socket.inet_aton(address))
        return proto << 48 | number << 16 | port
    high, low = struct.unpack("<QQ", socket.inet_pton(socket.AF_INET6, address))
    x = ((high ^ key[2]) * M1) & MASK
    x ^= x >> 32
    x = ((x + low + key[3]) * M4) & MASK
    x ^= x >> 29
    return (x + (proto << 16 | port) * M2) & MASK


def randomness(flow, key):
    """R: the low 56 bits of the flow's hash."""
    proto = PROTO[flow["transport"]]
    x = mix(endpoint(flow["source"], flow["source_port"], proto, key), key[0])
    x += mix(endpoint(flow["destination"], flow["destination_port"], proto, key), key[0])
    x = (x & MASK) ^ key[1]
    x ^= x >> 32
    x = (x * M2) & MASK
    x ^= x >> 29
    x = (x * M3) & MASK
    return (x ^ x >> 32) & ((1 << 56) - 1)


def interval(n, p, tail):
    """The smallest range of a binomial count with at most @tail outside on each side."""
    logs = (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) +
            (n - k) * math.log1p(-p) for k in range(n + 1))
    low = high = None
    total = 0.0
    for k, log in enumerate(logs):
        total += math.exp(log)
        if low is None and total > tail:
            low = k
        if total >= 1 - tail:
            high = k
            break
    return low, high


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth")
    parser.add_argument("sink")
    parser.add_argument("--site-key", required=True)
    options = parser.parse_args()
    with open(options.site_key) as text:
        digits = text.read().strip()
    key = [int(digits[i:i + 16], 16) for i in range(0, 64, 16)]
    with open(options.truth) as text:
        flows = json.load(text)["flows"]
    wanted = {}
    for flow in flows:
        flow["r"] = randomness(flow, key)
        if flow["r"] >= THRESHOLD:
            wanted[flow["community_id"]] = flow
    faults = []
    seen = set()
    for span in otlp_read.flows(options.sink):
        has = span["attributes"]
        cid = has["flow.community_id"]
        r = int(span["trace_id"][-14:], 16)
        flow = wanted.get(cid)
        if cid in seen:
            faults.append("%s twice" % cid)
        seen.add(cid)
        if r < THRESHOLD or span["trace_state"] != TH:
            faults.append("%s: R %014x, trace state %r" % (cid, r, span["trace_state"]))
        if flow is None:
            faults.append("%s: kept against the hash" % cid)
            continue
        whole = {"flow.packets.total": flow["pkts"], "flow.bytes.total": flow["bytes"],
                 "flow.reverse.packets.total": flow["reverse_pkts"],
                 "flow.reverse.bytes.total": flow["reverse_bytes"]}
        if r != flow["r"]:
            faults.append("%s: R %014x, the hash says %014x" % (cid, r, flow["r"]))
        for name, value in whole.items():
            if has.get(name) != value:
                faults.append("%s: %s %r, not %d" % (cid, name, has.get(name), value))
    low, high = interval(len(flows), 0.01, 0.0005)
    if not low <= len(seen) <= high:
        faults.append("%d kept of %d, not within %d..%d" % (len(seen), len(flows), low, high))
    if seen != set(wanted):
        faults.append("%d kept, %d named by the hash" % (len(seen), len(wanted)))
    print("%d of %d flows kept (%d..%d allowed), %d faults" % (len(seen), len(flows), low, high,
                                                            len(faults)))
    if faults or len(flows) < 20000:
        sys.exit("\n".join(faults[:12]))


if __name__ == "__main__":
    main()
