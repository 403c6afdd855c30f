#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares what Prometheus has of one service with the truth, under the names that people use.

  ask_prometheus.py URL --service NAME --interface IF --truth FILE --log FILE [--lost metrics]
"""
import collections
import json
import sys
import urllib.parse
import urllib.request

import expect

LABELS = ["__name__", "instance", "job", "network_interface_name", "network_io_direction"]
CLASS_LABELS = sorted(LABELS + ["network_transport", "network_type"])


def query(options, expression):
    url = "%s/api/v1/query?%s" % (options.where, urllib.parse.urlencode({"query": expression}))
    with urllib.request.urlopen(url, timeout=30) as answer:
        answer = json.load(answer)
    if answer["status"] != "success" or answer.get("warnings") or answer.get("infos"):
        sys.exit("Prometheus: %s: %s" % (expression, answer))
    return answer["data"]["result"]


def series(options, name, labels, faults, span=""):
    ret = query(options, '%s{job="%s"}%s' % (name, options.service, span))
    faults.demand("series of %s there" % name, bool(ret), True)
    for one in ret:
        metric = one["metric"]
        faults.demand("labels of " + name, sorted(metric), labels)
        faults.demand("interface of " + name, metric["network_interface_name"], options.interface)
    return ret


def check_totals(options):
    faults, seen = expect.Faults(), {}
    for what in ("packets", "bytes"):
        for one in series(options, "xdp_%s_total" % what, CLASS_LABELS, faults):
            metric = one["metric"]
            faults.demand("network_type", metric["network_type"], "ipv4")
            key = metric["network_io_direction"], metric["network_transport"], what
            seen[key] = int(one["value"][1])
    faults.end("labels of the totals")
    expect.check_counters(seen, options)


def check_histogram(options):
    """A native one: the answer's value is a histogram, and functions on it work."""
    faults, sizes = expect.Faults(), {}
    name = "xdp_packet_size_bytes"
    for one in series(options, name, LABELS, faults):
        way, histogram = one["metric"]["network_io_direction"], one["histogram"][1]
        for rule, _, _, _ in histogram["buckets"]:
            faults.demand("open on the left", rule, 0)
        buckets = [(float(low), float(high), int(n)) for _, low, high, n in histogram["buckets"]]
        sizes[way] = int(histogram["count"]), int(histogram["sum"]), buckets
    for function, what in (("histogram_count", "packets"), ("histogram_sum", "bytes")):
        expression = 'sum(%s(%s{job="%s"}))' % (function, name, options.service)
        faults.demand(function, int(query(options, expression)[0]["value"][1]),
                      sum(way[what] for way in options.truth["kernel"].values()))
    faults.end("labels of the histograms")
    expect.check_sizes(sizes, options)


def check_rates(options):
    faults, readings = expect.Faults(), {}
    so_far = collections.Counter()
    for one in series(options, "xdp_packets_total", CLASS_LABELS, faults, "[1h]"):
        for time, value in one["values"]:
            so_far[one["metric"]["network_io_direction"], time] += int(value)
    for one in series(options, "xdp_packets_rate_per_second", LABELS, faults, "[1h]"):
        way = one["metric"]["network_io_direction"]
        readings[way] = [(t, so_far[way, t], float(rate)) for t, rate in one["values"]]
    faults.end("labels of the rates")
    expect.check_rates(readings, options)


def check_rest(options):
    faults = expect.Faults()
    target = query(options, 'target_info{job="%s"}' % options.service)
    faults.demand("target_info", len(target), 1)
    for label in ("host_name", "host_id", "instance", "service_version"):
        faults.demand("target_info has " + label, bool(target and target[0]["metric"].get(label)),
                      True)
    losses = query(options, 'ringspan_losses_total{job="%s"}' % options.service)
    faults.demand("losses are told", len(losses) > 10, True)
    faults.demand("losses", [one["metric"] for one in losses if one["value"][1] != "0"], [])
    faults.end("target_info and losses")


def samples(options):
    """All points of the service that are stored; target_info is Prometheus' own."""
    stored = query(options, '{__name__!="target_info",job="%s"}[1h]' % options.service)
    return sum(len(one.get("values", [])) + len(one.get("histograms", [])) for one in stored)


def main():
    options = expect.options_of(__doc__)
    if "metrics" in options.lost:
        if query(options, '{job="%s"}' % options.service):
            sys.exit("Prometheus has series of %s nevertheless" % options.service)
        expect.check_ledger(options, {"metrics": 0})
        return
    check_totals(options)
    check_histogram(options)
    check_rates(options)
    check_rest(options)
    expect.check_ledger(options, {"metrics": samples(options)})


if __name__ == "__main__":
    main()
