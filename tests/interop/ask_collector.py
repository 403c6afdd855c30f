#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares what the Collector received of one service with the truth.

  ask_collector.py FILE --service NAME --interface IF --truth FILE --log FILE [--logs] [--lost SIGNAL…]
"""
import collections
import json
import sys

import expect
import otlp_json

METRICS = {"xdp.packets.total": ("sum", "{packet}"), "xdp.bytes.total": ("sum", "By"),
           "xdp.packets.rate": ("gauge", "{packet}/s"),
           "xdp.packet.size": ("exponentialHistogram", "By")}


def received(path, service):
    ret = {"spans": [], "points": [], "logs": []}
    with open(path) as lines:
        for line in lines:
            document = json.loads(line)
            for name in ret:
                ret[name] += [item for item in getattr(otlp_json, name)(document)
                              if item["resource"]["service.name"] == service]
    return ret


def check_metrics(points, options):
    faults, last = expect.Faults(), {}
    totals, rates = collections.Counter(), collections.defaultdict(list)
    sizes = {}
    for point in sorted(points, key=lambda p: p["time"]):
        name, attributes = point["metric"], point["attributes"]
        if name not in METRICS:
            continue
        faults.demand("kind and unit of " + name, (point["kind"], point["unit"]), METRICS[name])
        faults.demand("interface", attributes["network.interface.name"], options.interface)
        way = attributes["network.io.direction"]
        if point["kind"] == "sum":
            faults.demand("cumulative and monotonic", (point["cumulative"], point["monotonic"]),
                          (True, True))
            faults.demand("network.type", attributes["network.type"], "ipv4")
            key = way, attributes["network.transport"], name.split(".")[1]
            faults.demand("%s falls" % name, point["value"] < last.get(key, 0), False)
            last[key] = point["value"]
            totals[way, point["time"]] += point["value"] if name == "xdp.packets.total" else 0
        elif point["kind"] == "gauge":
            rates[way].append((point["time"], point["value"]))
        else:
            sizes[way] = size_of(point["point"], faults)
        expect.check_resource(point["resource"], faults)
    faults.demand("metrics", sorted({p["metric"] for p in points} & METRICS.keys()), sorted(METRICS))
    faults.end("%d metric points" % len(points))
    expect.check_counters(last, options)
    expect.check_sizes(sizes, options)
    expect.check_rates({way: [(t / 1e9, totals[way, t], rate) for t, rate in list_of]
                        for way, list_of in rates.items()}, options)


def size_of(point, faults):
    faults.demand("scale", point.get("scale", 0), 0)
    positive = point["positive"]
    first = positive.get("offset", 0)
    buckets = [(2.0 ** (first + i), 2.0 ** (first + i + 1), int(n))
               for i, n in enumerate(positive["bucketCounts"])]
    return int(point["count"]), point["sum"], buckets


def check_exemplars(points, spans):
    """A point's example is a span that arrived."""
    faults, ids = expect.Faults(), {(s["trace_id"], s["span_id"]) for s in spans}
    exemplars = [e for point in points for e in point["point"].get("exemplars", [])]
    faults.demand("exemplars there", bool(exemplars), True)
    for e in exemplars:
        faults.demand("exemplar's span arrived", (e["traceId"], e["spanId"]) in ids, True, e)
    faults.end("%d exemplars" % len(exemplars))


def check_logs(logs, spans, options):
    """One record for each connection that failed, with the ids of its span."""
    faults = expect.Faults()
    failed = {(s["trace_id"], s["span_id"]): s for s in spans if s["status"] == expect.ERROR}
    told = [(r["trace_id"], r["span_id"]) for r in logs if r["trace_id"]]
    faults.demand("records of failed connections", sorted(told), sorted(failed))
    for record in logs:
        faults.demand("body is there", bool(record["body"]), True)
        faults.demand("time", options.truth["begun_ns"] <= record["time"], True)
        expect.check_resource(record["resource"], faults)
    faults.end("%d log records" % len(logs))


def main():
    has_logs = "--logs" in sys.argv and not sys.argv.remove("--logs")
    options = expect.options_of(__doc__)
    seen = received(options.where, options.service)
    for signal, name in (("traces", "spans"), ("metrics", "points"), ("logs", "logs")):
        if signal in options.lost and seen[name]:
            sys.exit("%d %s arrived nevertheless" % (len(seen[name]), name))
    if "traces" not in options.lost:
        expect.check_spans(seen["spans"], options)
    if "metrics" not in options.lost:
        check_metrics(seen["points"], options)
    if not options.lost:
        check_exemplars(seen["points"], seen["spans"])
    if has_logs:
        check_logs(seen["logs"], seen["spans"], options)
    arrived = {"traces": len(seen["spans"]), "metrics": len(seen["points"])}
    expect.check_ledger(options, {**arrived, "logs": len(seen["logs"])} if has_logs else arrived)


if __name__ == "__main__":
    main()
