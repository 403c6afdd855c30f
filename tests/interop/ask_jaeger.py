#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares what Jaeger shows of one service with the truth: all of it by either API, and single flows
by the attributes that a person would search for.

  ask_jaeger.py QUERY_URL --service NAME --interface IF --truth FILE --log FILE [--lost traces]
"""
import json
import sys
import urllib.parse
import urllib.request

import expect
import otlp_json

MOST = 1500


def get(base, path, **query):
    url = "%s%s?%s" % (base, path, urllib.parse.urlencode(query))
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def search(options, **tags):
    """Traces by Jaeger's own API; tags are those of one span."""
    answer = get(options.where, "/api/traces", service=options.service, limit=MOST,
                 tags=json.dumps({name: str(value) for name, value in tags.items()}))
    if answer["errors"]:
        sys.exit("Jaeger: %s" % answer["errors"])
    return answer["data"]


def spans_v3(options):
    answer = get(options.where, "/api/v3/traces", **{
        "query.service_name": options.service, "query.num_traces": MOST,
        "query.start_time_min": "2000-01-01T00:00:00Z",
        "query.start_time_max": "2200-01-01T00:00:00Z"})
    return list(otlp_json.spans(answer["result"]))


def check_warnings(traces, options):
    faults = expect.Faults()
    faults.demand("traces", len(traces), len(options.truth["flows"]))
    for trace in traces:
        faults.demand("warnings of a trace", trace["warnings"] or [], [])
        roots = [span for span in trace["spans"] if span["operationName"] != expect.HANDSHAKE]
        faults.demand("roots of a trace", len(roots), 1)
        for span in trace["spans"]:
            faults.demand("warnings of a span", span["warnings"] or [], [])
            faults.demand("parents", [r["spanID"] for r in span["references"]],
                          [] if span in roots else [roots[0]["spanID"]])
    faults.end("%d traces without warnings" % len(traces))


def check_classes(options, spans, faults):
    """Slow handshakes are found by an attribute, as durations are of the trace in some storages."""
    least = {"0ms": 0, "1ms": 10 ** 6, "10ms": 10 ** 7, "100ms": 10 ** 8, "1s": 10 ** 9}
    wanted = {name: set() for name in least}
    for span in spans:
        if span["name"] == expect.HANDSHAKE:
            fits = [name for name, ns in least.items() if ns <= span["end"] - span["start"]]
            wanted[fits[-1]].add(span["trace_id"])
    faults.demand("handshakes", sum(map(len, wanted.values())) > 0, True)
    for name, traces in wanted.items():
        found = search(options, **{"flow.tcp.handshake.class": name})
        faults.demand("handshakes of %s" % name, {trace["traceID"] for trace in found}, traces)


def check_search(options, spans):
    faults, flows = expect.Faults(), options.truth["flows"]
    some = [flows[0], flows[-1]] + [f for f in flows if f["transport"] == "udp"][:1]
    for flow in some:
        wanted = expect.expected(flow, options.interface)
        by_ports = {name: wanted[name] for name in ("source.port", "destination.port",
                                                    "network.transport")}
        for tags in (by_ports, {"flow.community_id": wanted["flow.community_id"]}):
            found = search(options, **tags)
            faults.demand("found by %s" % tags, len(found), 1)
    failed = [f for f in flows if f["failure"]]
    port = {"destination.port": failed[0]["destination.port"]}
    faults.demand("found by %s" % port, len(search(options, **port)), len(failed))
    faults.demand("found by an address that is not", len(search(options, **{
        "source.address": "10.0.0.1"})), 0)
    names = {expect.name_of(flow) for flow in flows} | {expect.HANDSHAKE}
    operations = get(options.where, "/api/services/%s/operations" % options.service)["data"]
    faults.demand("operations", sorted(operations), sorted(names))
    check_classes(options, spans, faults)
    faults.end("searches")


def main():
    options = expect.options_of(__doc__)
    services = get(options.where, "/api/services")["data"] or []
    if "traces" in options.lost:
        if options.service in services:
            sys.exit("Jaeger knows %s nevertheless" % options.service)
        expect.check_ledger(options, {"traces": 0})
        return
    if options.service not in services:
        sys.exit("Jaeger knows %s, not %s" % (services, options.service))
    spans = spans_v3(options)
    expect.check_spans(spans, options)
    check_warnings(search(options), options)
    check_search(options, spans)
    expect.check_ledger(options, {"traces": len(spans)})


if __name__ == "__main__":
    main()
