#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares captured spans with the truth of a capture: each flow exactly once, as its own trace, with
both directions' exact packets and bytes and times inside the replay's.

  check_flows.py TRUTH.json SINK_FOLDER --interface IF --from UNIX_NS --to UNIX_NS
"""
import argparse
import collections
import json
import sys

import otlp_read

MUST = ("source.address source.port destination.address destination.port network.transport"
        " network.type network.interface.name flow.packets.total flow.bytes.total"
        " flow.reverse.packets.total flow.reverse.bytes.total flow.end_reason"
        " flow.community_id").split()


def expected(flow):
    ret = {
        "source.address": flow["source"], "source.port": flow["source_port"],
        "destination.address": flow["destination"], "destination.port": flow["destination_port"],
        "flow.packets.total": flow["pkts"], "flow.bytes.total": flow["bytes"],
        "flow.reverse.packets.total": flow["reverse_pkts"],
        "flow.reverse.bytes.total": flow["reverse_bytes"],
        "flow.community_id": flow["community_id"],
        "flow.direction": "forward" if flow["known"] else "unknown",
        "network.type": "ipv6" if ":" in flow["source"] else "ipv4",
    }
    if flow["transport"] != "other":
        ret["network.transport"] = flow["transport"]
    if flow["ended"]:
        ret["flow.end_reason"] = "end of flow detected"
    return ret


def differences(flow, span):
    """What of a span is not as the truth has it."""
    has, ret = span["attributes"], []
    for name, value in expected(flow).items():
        if has.get(name) != value:
            ret.append("%s is %r, not %r" % (name, has.get(name), value))
    return ret


def pairs(flows, spans):
    """Flows and spans of one community id, both in the order they began."""
    of_flow, of_span = collections.defaultdict(list), collections.defaultdict(list)
    for flow in sorted(flows, key=lambda f: f["first"]):
        of_flow[flow["community_id"]].append(flow)
    for span in sorted(spans, key=lambda s: s["start"]):
        of_span[span["attributes"]["flow.community_id"]].append(span)
    for cid in of_flow.keys() | of_span.keys():
        yield cid, of_flow[cid], of_span[cid]


def check_handshake(span, root, report):
    """A child of the root of its flow, inside its time, with the answer in between."""
    if root is None or span["trace_id"] != root["trace_id"]:
        report("of no flow: %s" % span["attributes"], "handshake")
        return
    times = [root["start"], span["start"]] + span["event_times"] + [span["end"], root["end"]]
    shares = [span["attributes"]["flow.tcp.handshake.%s.duration" % who] for who in ("server", "client")]
    if span["events"] != ["tcp syn_ack"] or times != sorted(times):
        report("times %s of %s" % (times, span["events"]), "handshake")
    if abs(sum(shares) - (span["end"] - span["start"]) / 1e9) > 1e-7:
        report("shares %s are not its duration" % shares, "handshake")
    for name in ("source.address", "source.port", "flow.community_id", "network.interface.name"):
        if span["attributes"].get(name) != root["attributes"][name]:
            report("%s is not its flow's" % name, "handshake")


def check_handshakes(spans, told, report):
    """@told: pairs of flow and root."""
    roots = {span["span_id"]: span for _, span in told}
    parents = collections.Counter(span["parent_span_id"] for span in spans)
    for span in spans:
        check_handshake(span, roots.get(span["parent_span_id"]), report)
    for flow, root in told:
        count = parents[root["span_id"]]
        if count > 1 or (flow["handshake"] is not None and count != flow["handshake"]):
            report("%d handshakes of %s" % (count, flow), "handshake")


def check_span(span, options, report):
    for name in MUST:
        if name not in span["attributes"]:
            report("a span without %s: %s" % (name, span["name"]))
    if span["attributes"].get("network.interface.name") != options.interface:
        report("interface %r" % span["attributes"].get("network.interface.name"))
    if span["parent_span_id"]:
        report("%s has a parent" % span["name"])
    if not options.begin <= span["start"] <= span["end"] <= options.end:
        report("%s: times %d..%d not in %d..%d" % (span["name"], span["start"], span["end"],
                                                 options.begin, options.end))
    if span["trace_state"] != "ot=th:0":
        report("trace state %r, although all is kept" % span["trace_state"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth")
    parser.add_argument("sink")
    parser.add_argument("--interface", required=True)
    parser.add_argument("--from", dest="begin", type=int, required=True)
    parser.add_argument("--to", dest="end", type=int, required=True)
    options = parser.parse_args()
    with open(options.truth) as text:
        flows = json.load(text)["flows"]
    spans = list(otlp_read.flows(options.sink))
    handshakes = [s for s in otlp_read.spans(options.sink) if s["name"] == otlp_read.HANDSHAKE]
    told = []
    faults = collections.Counter()
    shown = []

    def report(text, kind="span"):
        faults[kind] += 1
        if faults[kind] <= 8:
            shown.append("%s: %s" % (kind, text))

    for span in spans:
        check_span(span, options, report)
    for name in ("trace_id", "span_id"):
        if len({span[name] for span in spans}) != len(spans):
            report("%s not unique" % name, name)
    for cid, wanted, seen in pairs(flows, spans):
        if len(wanted) != len(seen):
            report("%d spans for %d flows: %s" % (len(seen), len(wanted),
                                                (wanted or [seen[0]["attributes"]])[0]), "count")
            continue
        if len({span["trace_id"][-14:] for span in seen}) != 1:
            report("one tuple, several R: %s" % cid, "trace id")
        told += zip(wanted, seen)
        for flow, span in zip(wanted, seen):
            for text in differences(flow, span):
                report("%s %s: %s" % (flow["transport"], cid, text), text.split(" is ")[0])
    check_handshakes(handshakes, told, report)
    print("%d flows expected, %d spans, %d handshakes, %d faults" % (
        len(flows), len(spans), len(handshakes), sum(faults.values())))
    if faults or len(flows) < 2000:
        sys.exit("\n".join(shown + [str(dict(faults))]))


if __name__ == "__main__":
    main()
