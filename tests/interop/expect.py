# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a server must have been told of the traffic that traffic.py made."""
import argparse
import collections
import json
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import truth as dissection  # noqa: E402

PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
HANDSHAKE = "tcp handshake"
NAMES = {("tcp", 80): "tcp http", ("udp", 53): "udp domain", ("icmp", 0): "icmp echo"}
WAYS = {"receive": ("packets", "bytes"), "transmit": ("reverse_packets", "reverse_bytes")}
UNSET, ERROR = 0, 2


def options_of(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("where")
    parser.add_argument("--service", required=True)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--truth", required=True)
    parser.add_argument("--log", required=True, help="what ringspan said: its ledger")
    parser.add_argument("--lost", nargs="*", default=[], choices=("traces", "metrics", "logs"),
                        help="signals that must not have arrived")
    options = parser.parse_args()
    with open(options.truth) as text:
        options.truth = json.load(text)
    return options


class Faults:
    """Counts by kind; shows the first of each."""

    def __init__(self):
        self.counts, self.shown = collections.Counter(), []

    def demand(self, kind, seen, wanted, where=""):
        if seen == wanted:
            return
        self.counts[kind] += 1
        if self.counts[kind] <= 3:
            self.shown.append("%s is %r, not %r %s" % (kind, seen, wanted, where))

    def end(self, what):
        if self.counts:
            sys.exit("\n".join(self.shown + ["%s: %s" % (what, dict(self.counts))]))
        print(what + ": as it was")


# ---- spans ----

def key_of(attributes):
    return tuple(attributes.get(name) for name in (
        "network.transport", "source.address", "source.port", "destination.address",
        "destination.port"))


def name_of(flow):
    return NAMES.get((flow["transport"], flow["destination.port"]), flow["transport"])


def expected(flow, interface):
    ports = flow["source.port"], flow["destination.port"]
    ret = {name: flow[name] for name in ("source.address", "source.port", "destination.address",
                                         "destination.port")}
    ret.update({
        "network.transport": flow["transport"], "network.type": "ipv4",
        "network.interface.name": interface,
        "flow.packets.total": flow["packets"], "flow.reverse.packets.total": flow["reverse_packets"],
        "flow.direction": "unknown" if flow["transport"] == "udp" else "forward",
        "flow.end_reason": "end of flow detected" if flow["transport"] == "tcp" else "forced end",
        "flow.community_id": dissection.community_id(
            4, flow["source.address"], flow["destination.address"], PROTOCOLS[flow["transport"]],
            ports, False)})
    if flow["bytes"]:
        ret["flow.bytes.total"] = flow["bytes"]
        ret["flow.reverse.bytes.total"] = flow["reverse_bytes"]
    if flow["transport"] == "tcp":
        ret.update({"client.address": flow["source.address"], "client.port": ports[0],
                    "server.address": flow["destination.address"], "server.port": ports[1]})
    return ret


def check_span(span, flow, truth, interface, faults):
    for name, value in expected(flow, interface).items():
        faults.demand(name, span["attributes"].get(name), value, key_of(span["attributes"]))
    faults.demand("name", span["name"], name_of(flow))
    faults.demand("parent", span["parent"], "")
    faults.demand("status", span["status"], ERROR if flow["failure"] else UNSET)
    faults.demand("failure in the message", flow["failure"] in span["message"] if flow["failure"]
                  else not span["message"], True, span["message"])
    faults.demand("trace state", span["trace_state"], "ot=th:0")
    faults.demand("times in order", truth["begun_ns"] <= span["start"] <= span["end"] <=
                  truth["ended_ns"], True, (truth["begun_ns"], span["start"], span["end"]))
    faults.demand("warnings", [k for k in span["attributes"] if k.startswith("@")], [])


def check_spans(spans, options):
    """Each flow as one trace of one span that says what it was, and of its handshake if it had one."""
    faults, truth = Faults(), options.truth
    handshakes = {span["trace_id"]: span for span in spans if span["name"] == HANDSHAKE}
    spans = [span for span in spans if span["name"] != HANDSHAKE]
    by_key = collections.defaultdict(list)
    for span in spans:
        by_key[key_of(span["attributes"])].append(span)
    flows = {(f["transport"], f["source.address"], f["source.port"], f["destination.address"],
              f["destination.port"]): f for f in truth["flows"]}
    faults.demand("spans", len(spans), len(flows))
    for ids in ("trace_id", "span_id"):
        faults.demand("different " + ids, len({span[ids] for span in spans}), len(spans))
    for key in by_key.keys() - flows.keys():
        faults.demand("a flow that was not", key, None)
    for key, flow in flows.items():
        faults.demand("spans of a flow", len(by_key[key]), 1, key)
        for span in by_key[key]:
            check_span(span, flow, truth, options.interface, faults)
            faults.demand("handshake", span["trace_id"] in handshakes,
                          flow["transport"] == "tcp" and flow["packets"] > 2, key)
    roots = {span["trace_id"]: span["span_id"] for span in spans}
    for trace, span in handshakes.items():
        faults.demand("parent of a handshake", span["parent"], roots.get(trace))
    for way, (_, size) in WAYS.items():
        name = "flow.reverse.bytes.total" if size.startswith("reverse") else "flow.bytes.total"
        faults.demand("sum of " + name, sum(span["attributes"].get(name, 0) for span in spans),
                      truth["kernel"][way]["bytes"])
    for span in spans:
        check_resource(span["resource"], faults)
    faults.end("%d spans" % len(spans))


def check_resource(resource, faults):
    for name in ("service.instance.id", "host.name", "host.id"):
        faults.demand(name + " is there", bool(resource.get(name)), True)


# ---- counters ----

def counters_of(truth):
    """{(direction, transport, packets or bytes): count}; the kernel's total less what sockets know
    gives the bytes of TCP."""
    ret = {}
    for way, (packets, size) in WAYS.items():
        rest = truth["kernel"][way]["bytes"]
        for transport in ("udp", "icmp"):
            known = sum(f[size] for f in truth["flows"] if f["transport"] == transport)
            ret[way, transport, "bytes"] = known
            rest -= known
        ret[way, "tcp", "bytes"] = rest
        for transport in PROTOCOLS:
            ret[way, transport, "packets"] = truth["kernel"][way][transport]
            assert ret[way, transport, "packets"] == sum(
                f[packets] for f in truth["flows"] if f["transport"] == transport)
    return ret


def check_counters(seen, options):
    faults, wanted = Faults(), counters_of(options.truth)
    for key in sorted(seen.keys() | wanted.keys()):
        faults.demand(" ".join(key), seen.get(key), wanted.get(key))
    faults.end("%d counters" % len(wanted))


def check_sizes(sizes, options):
    """@sizes: {direction: (count, sum, [(above, up to, count)…])}, another view of the same packets."""
    faults = Faults()
    faults.demand("directions", sorted(sizes), sorted(WAYS))
    for way, (count, total, buckets) in sizes.items():
        truth = options.truth["kernel"][way]
        faults.demand("count " + way, count, truth["packets"])
        faults.demand("sum " + way, total, truth["bytes"])
        faults.demand("in buckets " + way, sum(n for _, _, n in buckets), truth["packets"])
        faults.demand("bounds " + way, sum(low * n for low, _, n in buckets) < truth["bytes"] <=
                      sum(high * n for _, high, n in buckets), True, buckets)
        faults.demand("factor 2", {high / low for low, high, _ in buckets}, {2.0})
    faults.end("size histograms")


def check_rates(readings, options):
    """@readings: {direction: [(time in s, packets so far, rate)…]}: each rate is that of the packets
    since the reading before."""
    faults = Faults()
    faults.demand("directions", sorted(readings), sorted(WAYS))
    for way, list_of in readings.items():
        told = 0
        for (before, old, _), (now, new, rate) in zip(list_of, list_of[1:]):
            told += new - old
            faults.demand("rate over %.3f s" % (now - before),
                          abs(rate * (now - before) - (new - old)) <= 0.02 * (new - old), True,
                          (rate, new - old))
        faults.demand("packets in the rates " + way, told, options.truth["kernel"][way]["packets"])
    faults.end("rates")


# ---- the ledger ----

def ledger(log):
    """{stage: {column: count}} as ringspan printed it at its end."""
    ret, columns = {}, []
    with open(log) as lines:
        for line in lines:
            words = line.split()
            if words[:1] == ["stage"]:
                columns = words[1:-1]
            elif columns and len(words) > len(columns) and words[1].isdigit():
                ret[words[0]] = dict(zip(columns, map(int, words[1:])))
    return ret


def check_ledger(options, arrived):
    """ringspan's own account agrees with the kernel's; @arrived: {signal: items that the server has}."""
    faults, rows = Faults(), ledger(options.log)
    stages = {"traces": "spans_otlp", "metrics": "metric_points", "logs": "log_records"}
    faults.demand("packets in the ledger", rows["packets"]["in"], sum(
        way["packets"] for way in options.truth["kernel"].values()))
    for signal, count in arrived.items():
        row = rows[stages[signal]]
        faults.demand(signal + " sent", row["out"], count)
        faults.demand(signal + " not sent", row["in"] - row["out"],
                      row["lost"] if signal in options.lost else 0)
        faults.demand(signal + " are lost", row["lost"] > 0, signal in options.lost)
    faults.end("ledger")
