#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Looks at what packet mode told of captures whose contents are known: samples as the ledger counted
them, each flow's estimate what its samples and its error say, nothing that claims to be exact, and sums
within six standard deviations of the truth, so that chance never fails it.

  check_packets.py TRUTH.json SINK_FOLDER --ledger FILE --rate N [--rate N…]
      the capture was sent once at each rate
"""
import argparse
import collections
import json
import math
import sys

import otlp_read

EXACT = [way + what + kind for way in ("flow.", "flow.reverse.") for what in ("packets.", "bytes.")
         for kind in ("total", "delta")]


def ledger_packets(path):
    """seen, taken, {aside: count} of the last table."""
    with open(path) as text:
        rows = [line.split() for line in text if line.startswith("packets ")]
    seen, taken = int(rows[-1][1]), int(rows[-1][2])
    return seen, taken, dict((k, int(v)) for k, v in (w.split("=") for w in rows[-1][6:]))


def check_direction(has, prefix, rates, faults):
    """Samples and estimated packets of one direction of one span."""
    taken = has.get(prefix + "sampled.packets")
    names = [prefix + name for name in ("sampled.bytes", "packets.estimated", "bytes.estimated",
                                        "estimate.error")]
    if taken is None:
        faults += ["%s without samples" % name for name in names if name in has]
        return 0, 0
    taken_bytes, packets, size, error = (has.get(name) for name in names)
    if None in (taken_bytes, packets, size, error):
        faults.append("%s: something is missing of %s" % (has["flow.community_id"], names))
        return 0, 0
    if len(rates) == 1:
        n = rates[0]
        if (packets, size) != (n * taken, n * taken_bytes):
            faults.append("%d samples stand for %d" % (taken, packets))
        if abs(error - (1.96 / math.sqrt(taken) if n > 1 else 0)) > 1e-9:
            faults.append("error of %d samples: %r" % (taken, error))
    elif not taken * min(rates) <= packets <= taken * max(rates):
        faults.append("%d samples stand for %d" % (taken, packets))
    return taken, packets


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth")
    parser.add_argument("sink")
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--rate", type=int, action="append", required=True)
    options = parser.parse_args()
    rates = options.rate
    with open(options.truth) as text:
        truth = json.load(text)
    faults = []
    taken, estimated = 0, collections.Counter()
    for span in otlp_read.flows(options.sink):
        has = span["attributes"]
        if span["trace_state"]:
            faults.append("trace state %r" % span["trace_state"])
        if has.get("flow.sampling.mode") != "packet" or has["flow.sampling.interval"] not in rates:
            faults.append("mode %r, interval %r" % (has.get("flow.sampling.mode"),
                                                    has.get("flow.sampling.interval")))
        faults += [name for name in EXACT if name in has]
        if span["status"] == 2:
            faults.append("a judgment on what was not seen: %r" % span)
        for prefix in ("flow.", "flow.reverse."):
            samples, packets = check_direction(has, prefix, rates, faults)
            taken += samples
            estimated[has["network.transport"]] += packets
    seen, kept, aside = ledger_packets(options.ledger)
    if seen != truth["frames"] * len(rates):
        faults.append("%d packets seen, %d sent" % (seen, truth["frames"] * len(rates)))
    if taken != kept or seen != kept + sum(aside.values()) or "skipped" not in aside:
        faults.append("%d samples in spans, %d in the ledger, aside %r" % (taken, kept, aside))
    if len(rates) == 1 and sum(estimated.values()) != rates[0] * taken:
        faults.append("the sum of estimates is not N times the samples")
    sent = collections.Counter()
    for flow in truth["flows"]:
        sent[flow["transport"]] += flow["pkts"] + flow["reverse_pkts"]
    for transport, once in sent.items():
        within = 6 * math.sqrt(once * sum(rates))
        error = estimated[transport] - once * len(rates)
        print("%s: %d sent, %d estimated (%+d, 6 sigma are %d)" % (
            transport, once * len(rates), estimated[transport], error, within))
        if abs(error) > within:
            faults.append("%s: off by %d" % (transport, error))
    print("%d of %d packets taken, %d faults" % (taken, seen, len(faults)))
    if faults or not taken:
        sys.exit("\n".join(map(str, faults[:12])))


if __name__ == "__main__":
    main()
