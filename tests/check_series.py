#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges captured xdp.flow.* metrics, and the tenants that spans and metrics name.

  check_series.py exact SINK_FOLDER TRUTH.json TENANTS
      split by port, type, transport and tenant they are what tshark counts; TENANTS is a --tenant-map
  check_series.py tenants SINK_FOLDER TENANTS
      each span has those of its addresses, link metrics that of the interface
  check_series.py whole SINK_FOLDER CAP TIMES
      over all series they are what the exact counters say of IP; at most CAP series and the overflow;
      they were sent so many times, at least
  check_series.py estimates SINK_FOLDER TRUTH.json N
      each flow that was told of counts N times; the sums are near the truth
"""
import collections
import ipaddress
import json
import math
import sys

import otlp_read

UNITS = {"xdp.flow.packets": "{packet}", "xdp.flow.bytes": "By", "xdp.flow.count": "{flow}"}
OVERFLOW = {"otel.metric.overflow": True}
KNOWN = ("tcp", "udp", "icmp", "icmpv6", "sctp")


def demand(holds, *text):
    if not holds:
        sys.exit("check_series: " + " ".join(str(t) for t in text))


def read_tenants(path):
    """A function (address → tenant or None), and tenants by interface."""
    networks, interfaces = [], {}
    with open(path) as lines:
        for line in lines:
            words = line.split("#")[0].split()
            if words and words[0] == "interface":
                interfaces[words[1]] = words[2]
            elif words:
                networks.append((ipaddress.ip_network(words[0]), words[1]))
    networks.sort(key=lambda n: -n[0].prefixlen)

    def of(address):
        return next((t for n, t in networks if ipaddress.ip_address(address) in n), None)
    return of, interfaces


def tenants_of(of, interface, source, destination):
    """(tenant, tenant.peer)"""
    a, b = of(source), of(destination)
    return a or b or interface, b if a and b and a != b else None


def series(sink):
    """{metric: {attributes: value}}: the last value of a cumulative series, the sum of a delta one."""
    ret = {name: collections.Counter() for name in UNITS}
    for point in otlp_read.metrics(sink):
        name = point["metric"]
        if name not in UNITS:
            continue
        demand((point["kind"], point["monotonic"], point["unit"]) == ("sum", True, UNITS[name]),
               "not a counter:", point)
        demand(point["attributes"] == OVERFLOW or "network.interface.name" in point["attributes"],
               "attributes of", point)
        key = tuple(sorted(point["attributes"].items()))
        demand(point["value"] >= (0 if point["delta"] else ret[name][key]), "fell:", point)
        ret[name][key] = point["value"] + (ret[name][key] if point["delta"] else 0)
    return ret


def last(sink, name):
    return [p["value"] for p in otlp_read.metrics(sink) if p["metric"] == name][-1]


def exact(sink, truth, tenants):
    of, interfaces = read_tenants(tenants)
    wanted = {name: collections.Counter() for name in UNITS}
    with open(truth) as lines:
        flows = json.load(lines)["flows"]
    for flow in flows:
        tenant, _ = tenants_of(of, interfaces["va"], flow["source"], flow["destination"])
        key = [6 if ":" in flow["source"] else 4, flow["transport"], tenant]
        has_port = flow["known"] and flow["transport"] in ("tcp", "udp", "sctp")
        key = tuple(key + [flow["destination_port"] if has_port else None])
        wanted["xdp.flow.packets"][key] += flow["pkts"] + flow["reverse_pkts"]
        wanted["xdp.flow.bytes"][key] += flow["bytes"] + flow["reverse_bytes"]
        wanted["xdp.flow.count"][key] += 1
    for name, points in series(sink).items():
        seen = collections.Counter()
        for attributes, value in points.items():
            a = dict(attributes)
            demand(a.pop("network.interface.name") == "va", attributes)
            transport = a.pop("network.transport")
            key = (6 if a.pop("network.type") == "ipv6" else 4,
                   transport if transport in KNOWN else "other", a.pop("tenant"),
                   a.pop("server.port", None))
            demand(not a, "more attributes:", a)
            seen[key] += value
        wrong = {k: (seen[k], wanted[name][k]) for k in seen | wanted[name]
                 if seen[k] != wanted[name][k]}
        demand(not wrong, name, "(seen, in the capture):", wrong)
        print("%s: %d series, exact" % (name, len(points)))
    ports = {k[3] for k in wanted["xdp.flow.count"]} - {None}
    demand(len(ports) > 3, "too few ports to tell them apart:", ports)


def tenants(sink, path):
    of, interfaces = read_tenants(path)
    seen = collections.Counter()
    for span in otlp_read.spans(sink):
        a = span["attributes"]
        wanted = tenants_of(of, interfaces["va"], a["source.address"], a["destination.address"])
        demand((a.get("tenant"), a.get("tenant.peer")) == wanted, wanted, "are the tenants of", span)
        seen[wanted] += 1
    demand(len(seen) >= 4 and any(peer for _, peer in seen), "too few kinds:", seen)
    links = [p for p in otlp_read.metrics(sink)
             if p["metric"].startswith("xdp.") and p["metric"] not in UNITS]
    demand(links, "no link metrics")
    for point in links:
        demand(point["attributes"].get("tenant") == interfaces["va"], "tenant of", point)
    print("tenants of %d spans: %s" % (sum(seen.values()), dict(seen)))


def whole(sink, cap, times):
    sent = {p["time"] for p in otlp_read.metrics(sink) if p["metric"] in UNITS}
    demand(len(sent) >= int(times), "sent only", len(sent), "times")
    links = {"xdp.flow.packets": "xdp.packets.total", "xdp.flow.bytes": "xdp.bytes.total"}
    seen, exact_ones = series(sink), collections.defaultdict(dict)
    for point in otlp_read.metrics(sink):
        if point["attributes"].get("network.type") not in ("ipv4", "ipv6"):
            continue
        of, key = exact_ones[point["metric"]], tuple(sorted(point["attributes"].items()))
        if "value" in point:
            of[key] = point["value"] + (of.get(key, 0) if point["delta"] else 0)
    overflow = tuple(OVERFLOW.items())
    for name in UNITS:
        points = len(seen[name]) - (overflow in seen[name])
        demand(points <= int(cap), points, "series of", name)
        if name in links:
            demand(sum(seen[name].values()) == sum(exact_ones[links[name]].values()) > 0, name,
                   sum(seen[name].values()), "not", sum(exact_ones[links[name]].values()))
            demand(last(sink, "ringspan.series.held") == points, points, "series not held")
            demand((overflow in seen[name]) == (points == int(cap)), "overflow of", name)
    reports = sum(p["value"] for p in otlp_read.metrics(sink)
                  if p["metric"] == "ringspan.series.overflowed" and p["delta"]) or last(
                      sink, "ringspan.series.overflowed")
    demand((reports > 0) == (overflow in seen["xdp.flow.packets"]), reports, "reports overflowed")
    print("%s series, %d packets, %d of them in the overflow: the whole" %
          ([len(seen[n]) for n in UNITS], sum(seen["xdp.flow.packets"].values()),
           seen["xdp.flow.packets"][overflow]))


def estimates(sink, truth, n):
    with open(truth) as lines:
        flows = json.load(lines)["flows"]
    seen = {name: sum(points.values()) for name, points in series(sink).items()}
    told, pkts = 0, 0
    for span in otlp_read.flows(sink):
        a = span["attributes"]
        told += 1
        pkts += a["flow.packets.total"] + a["flow.reverse.packets.total"]
    demand(seen["xdp.flow.count"] == told * int(n) > 0, seen, "of", told, "flows")
    demand(seen["xdp.flow.packets"] == pkts * int(n), seen, "of", pkts, "packets")
    error = abs(seen["xdp.flow.count"] / len(flows) - 1)
    demand(error < 3.29 / math.sqrt(told), "off by", error)  # 99.9 %; the key is fixed
    print("%d flows of %d kept: estimated %d, off by %.1f %%" %
          (told, len(flows), seen["xdp.flow.count"], 100 * error))


if __name__ == "__main__":
    {"exact": exact, "tenants": tenants, "whole": whole, "estimates": estimates}[sys.argv[1]](
        *sys.argv[2:])
