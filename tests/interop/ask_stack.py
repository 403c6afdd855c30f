#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Asks the stack of compose/ what people would ask it, and compares with the truth.

  ask_stack.py WHAT --service NAME --interface IF --truth FILE --log FILE

WHAT is one of the functions below that begin with do_. The truth is traffic.py's, the log ringspan's.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import ask_jaeger
import ask_prometheus
import expect

PROMETHEUS, JAEGER = "http://prometheus:9090", "http://jaeger:16686"
PROMOTED = ["deployment_environment", "host_name", "service_name", "service_version"]
# of what ringspan sent: not what Prometheus makes of it, nor what the scrape brings once more
SENT = '{__name__!~"target_info|xdp_(xdp|ringspan|otel|target)_.*",job="%s"}[1h]'
WINDOW_S = 3600


def at(options, where):
    return argparse.Namespace(**{**vars(options), "where": where})


def get(path, **query):
    url = "%s%s?%s" % (PROMETHEUS, path, urllib.parse.urlencode(query))
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]


def query(options, expression):
    return ask_prometheus.query(at(options, PROMETHEUS), expression)


# ---- Prometheus ----

def do_totals(options):
    """The counters by OTLP are the kernel's."""
    ask_prometheus.check_totals(at(options, PROMETHEUS))


def do_scraped(options):
    """The same numbers by the other way, under the names with the prefix."""
    do_totals(options)
    faults = expect.Faults()
    for what in ("packets", "bytes"):
        seen = {}
        for one in query(options, 'xdp_xdp_%s_total{job="%s"}' % (what, options.service)):
            metric = one["metric"]
            seen[metric["network_io_direction"], metric["network_transport"], what] = int(
                one["value"][1])
            for name in PROMOTED + ["instance"]:
                faults.demand("label " + name, bool(metric.get(name)), True)
        wanted = {k: v for k, v in expect.counters_of(options.truth).items() if k[2] == what}
        faults.demand("xdp_xdp_%s_total" % what, seen, wanted)
    size = 'sum(%s(xdp_xdp_packet_size_bytes{job="' + options.service + '"}))'
    for function, what in (("histogram_count", "packets"), ("histogram_sum", "bytes")):
        answer = query(options, size % function)
        faults.demand(function + ", scraped", [int(one["value"][1]) for one in answer],
                      [sum(way[what] for way in options.truth["kernel"].values())])
    rate = query(options, 'xdp_xdp_packets_rate_per_second{job="%s"}' % options.service)
    faults.demand("rates, scraped", len(rate), len(expect.WAYS))
    faults.end("scraped")


def do_metrics(options):
    """Names, labels, values, the histogram and the rates, and no point missing."""
    there = at(options, PROMETHEUS)
    ask_prometheus.check_totals(there)
    ask_prometheus.check_histogram(there)
    ask_prometheus.check_rates(there)
    ask_prometheus.check_rest(there)


def samples(options):
    stored = query(options, SENT % options.service)
    return sum(len(one.get("values", [])) + len(one.get("histograms", [])) for one in stored)


def do_no_gap(options):
    """A reading each second, also while the Collector was away."""
    faults = expect.Faults()
    for one in query(options, 'xdp_packets_total{job="%s"}[1h]' % options.service):
        times = [when for when, _ in one["values"]]
        numbers = [int(value) for _, value in one["values"]]
        most = max(b - a for a, b in zip(times, times[1:]))
        faults.demand("longest pause below 3 s", most < 3, True, most)
        faults.demand("falls", numbers == sorted(numbers), True)
    faults.end("no gap")


def do_rules(options):
    """All rules are evaluated without error, and each recording rule has data."""
    faults, rules = expect.Faults(), []
    for group in get("/api/v1/rules")["groups"]:
        rules += group["rules"]
    faults.demand("rules", len(rules) > 20, True)
    for rule in rules:
        faults.demand("health of " + rule["name"], (rule["health"], rule.get("lastError", "")),
                      ("ok", ""))
        if rule["type"] == "recording":
            faults.demand("data of " + rule["name"], bool(query(options, rule["name"])), True)
    firing = [a for a in get("/api/v1/alerts")["alerts"] if a["state"] == "firing"]
    unjust = [a["labels"] for a in firing if a["labels"]["alertname"] != "StackTargetDown"]
    faults.demand("alerts", unjust, [])
    faults.end("%d rules" % len(rules))


def do_expressions(options):
    """What expressions.py prints: all are evaluated, and all but alerts have data."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expressions.py")
    lines = subprocess.run([sys.executable, script], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    faults = expect.Faults()
    faults.demand("expressions", len(lines) > 10, True)
    for line in map(json.loads, lines):
        said, data = "", []
        try:
            data = get("/api/v1/query", query=line["expr"])["result"]
        except urllib.error.HTTPError as error:
            said = error.read().decode()
        faults.demand("error of " + line["place"], said, "", line["expr"])
        if line["kind"] not in ("alert", "annotation"):
            faults.demand("data of " + line["place"], bool(data), True, line["expr"])
    faults.end("%d expressions" % len(lines))


# ---- Jaeger ----

def tags_of(item):
    return {tag["key"]: tag["value"] for tag in item["tags"]}


def trace(trace_id):
    return ask_jaeger.get(JAEGER, "/api/traces/" + trace_id)["data"][0]


def search(service, **words):
    """Traces, by the words of the search form."""
    tags = words.pop("tags", None)
    if tags:
        words["tags"] = json.dumps({name: str(value) for name, value in tags.items()})
    return ask_jaeger.get(JAEGER, "/api/traces", service=service, limit=ask_jaeger.MOST,
                          **words)["data"]


def do_connections(options):
    """All that end by themselves: UDP and ICMP wait for ringspan's end."""
    connections = [f for f in options.truth["flows"] if f["transport"] == "tcp"]
    faults = expect.Faults()
    faults.demand("connections", len(search(options.service, tags={
        "network.transport": "tcp"})), len(connections))
    faults.end("%d connections" % len(connections))


def do_arrived(options):
    """As many spans and points as ringspan's ledger says went out."""
    spans = 0
    if options.service in ask_jaeger.get(JAEGER, "/api/services")["data"]:
        # a trace may have spans of others, such as pings between the same two
        spans = sum(span["resource"]["service.name"] == options.service
                    for span in ask_jaeger.spans_v3(at(options, JAEGER)))
    expect.check_ledger(options, {"traces": spans, "metrics": samples(options)})


def do_traces(options):
    there = at(options, JAEGER)
    spans = ask_jaeger.spans_v3(there)
    expect.check_spans(spans, options)
    ask_jaeger.check_warnings(ask_jaeger.search(there), options)
    ask_jaeger.check_search(there, spans)


def do_searches(options):
    """The questions of compose/README.md."""
    faults, flows = expect.Faults(), options.truth["flows"]
    client, port = flows[0]["source.address"], flows[0]["destination.port"]
    failed = [f for f in flows if f["failure"]]
    wanted = expect.expected(flows[0], options.interface)
    same_port = [f for f in flows if f["destination.port"] == port]
    for tags, count in (({"source.address": client}, len(flows)),
                        ({"destination.port": port}, len(same_port)),
                        ({"flow.community_id": wanted["flow.community_id"]}, 1),
                        ({"error": "true"}, len(failed)),
                        ({"source.address": "10.0.0.1"}, 0)):
        faults.demand("found by %s" % tags, len(search(options.service, tags=tags)), count)
    faults.end("searches")


def do_both(options):
    """A slow handshake, found by its class, is one trace with both hosts."""
    faults = expect.Faults()
    slow = search("both-alpha", tags={"flow.tcp.handshake.class": "1s"})
    faults.demand("slow handshakes", len(slow), 1)
    faults.demand("of a tenth", len(search("both-alpha", tags={
        "flow.tcp.handshake.class": "100ms"})), 0)
    for one in slow:
        hosts = {tags_of(process)["host.name"] for process in one["processes"].values()}
        faults.demand("hosts", hosts, {"alpha", "beta"})
        names = sorted(span["operationName"] for span in one["spans"])
        faults.demand("spans", names, [expect.HANDSHAKE] * 2 + ["tcp http-alt"] * 2)
    faults.demand("traces of both-beta", {t["traceID"] for t in search("both-beta")},
                  {t["traceID"] for t in search("both-alpha")})
    faults.end("both hosts")


# ---- from Prometheus to Jaeger ----

def do_exemplars(options):
    """From the query of a rate panel to the trace, which is about what the series is about."""
    expression = "sum by (network_io_direction, network_transport) (rate(xdp_packets_total[1m]))"
    now = time.time()
    series = get("/api/v1/query_exemplars", query=expression, start=now - WINDOW_S, end=now)
    faults, count = expect.Faults(), 0
    ways = {"receive": "flow.packets.total", "transmit": "flow.reverse.packets.total"}
    for one in series:
        labels = one["seriesLabels"]
        faults.demand("name", labels["__name__"], "xdp_packets_total")
        for exemplar in one["exemplars"]:
            ids, count = exemplar["labels"], count + 1
            spans = {span["spanID"]: span for span in trace(ids["trace_id"])["spans"]}
            faults.demand("its span is in the trace", ids["span_id"] in spans, True, ids)
            tags = tags_of(spans[ids["span_id"]]) if ids["span_id"] in spans else {}
            for label in ("network.transport", "network.type", "network.interface.name"):
                faults.demand(label, tags.get(label), labels[label.replace(".", "_")], ids)
            faults.demand("packets", float(exemplar["value"]),
                          float(tags.get(ways[labels["network_io_direction"]], -1)), ids)
    faults.demand("some", count > 1, True)
    faults.end("%d, each with its trace" % count)


def main():
    options = expect.options_of(__doc__)
    # by this way resources reach the series
    for labels in (ask_prometheus.LABELS, ask_prometheus.CLASS_LABELS):
        labels[:] = sorted(labels + PROMOTED)
    globals()["do_" + options.where](options)


if __name__ == "__main__":
    main()
