#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Each connection seen at two places is one trace of two spans that agree on all that passed, and no
span lacks its parent.

  check_traces.py CONNECTIONS SINK_FOLDER [SINK_FOLDER]

With two folders the places are two processes, with one they are two interfaces.
"""
import collections
import sys

import otlp_read

SAME = ("source.address source.port destination.address destination.port flow.community_id"
        " flow.packets.total flow.bytes.total flow.reverse.packets.total"
        " flow.reverse.bytes.total").split()


def orphans(sink):
    """Spans whose parent is no root of the same trace that the same process sent."""
    spans = list(otlp_read.spans(sink))
    roots = {(s["trace_id"], s["span_id"]) for s in spans if not s["parent_span_id"]}
    children = [(s["trace_id"], s["parent_span_id"]) for s in spans if s["parent_span_id"]]
    assert children, "no span has a parent: nothing was looked at"
    return sum(child not in roots for child in children)


def main():
    connections, sinks = int(sys.argv[1]), sys.argv[2:]
    traces = collections.defaultdict(list)
    for sink in sinks:
        for span in otlp_read.flows(sink):
            if span["name"] == "tcp http":
                place = span["attributes"]["network.interface.name"]
                traces[span["trace_id"]].append((sink, place, span))
    faults = collections.Counter()
    for sink in sinks:
        faults["orphans in %s" % sink] += orphans(sink)
    for views in traces.values():
        if len(views) != 2:
            faults["%d spans in a trace" % len(views)] += 1
            continue
        (sink_a, if_a, a), (sink_b, if_b, b) = views
        faults["both from one place"] += (sink_a, if_a) == (sink_b, if_b)
        faults["one span id"] += a["span_id"] == b["span_id"]
        faults["not both roots"] += bool(a["parent_span_id"] or b["parent_span_id"])
        for name in SAME:
            faults[name + " differs"] += a["attributes"][name] != b["attributes"][name]
    faults["%d traces of %d connections" % (len(traces), connections)] += len(traces) != connections
    print("%d connections, %d traces" % (connections, len(traces)))
    if +faults:
        sys.exit(str(dict(+faults)))


if __name__ == "__main__":
    main()
