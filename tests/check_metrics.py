#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges captured metrics beyond their counts.

  check_metrics.py exemplars SINK_FOLDER
      points of the link metrics name spans that arrived, with values that they tell
  check_metrics.py no-exemplars SINK_FOLDER
  check_metrics.py delta SINK_FOLDER PACKETS
      monotonic sums and histograms are deltas whose windows join; all packets are there; what goes up
      and down is cumulative
  check_metrics.py cost SINK_FOLDER
      what packets cost in the kernel, both directions, is told and grows
  check_metrics.py lowmemory SINK_FOLDER PACKETS
      histograms are deltas, sums are not
  check_metrics.py sdk SINK_FOLDER ADDRESS PORT
      the export by the names of the semantic conventions agrees with ringspan's own
"""
import collections
import sys

import otlp_read

LINKS = ("xdp.packets.total", "xdp.bytes.total", "xdp.packet.size")
SIDES = (("flow.packets.total", "flow.bytes.total"),
         ("flow.reverse.packets.total", "flow.reverse.bytes.total"))


def demand(holds, *text):
    if not holds:
        sys.exit("check_metrics: " + " ".join(str(t) for t in text))


def has_size(point, value):
    """Whether the bucket of @value holds something."""
    index = (value - 1).bit_length() - 1 - point["offset"]
    return 0 <= index < len(point["buckets"]) and point["buckets"][index] > 0


def exemplars(sink):
    spans = {(s["trace_id"], s["span_id"]): s for s in otlp_read.spans(sink)}
    seen, told_of = collections.Counter(), set()
    for point in otlp_read.metrics(sink):
        for x in point["exemplars"]:
            name = point["metric"]
            demand(name in LINKS, "an exemplar on", name)
            span = spans.get((x["trace_id"], x["span_id"]))
            demand(span, "no such span arrived:", x, point)
            demand(span["end"] == x["time"] <= point["time"], "time of", x, span, point)
            demand(not span["parent_span_id"], "not a root:", span)
            told = [(span["attributes"][p], span["attributes"][b]) for p, b in SIDES]
            values = {"xdp.packets.total": [p for p, b in told],
                      "xdp.bytes.total": [b for p, b in told],
                      "xdp.packet.size": [b // p for p, b in told if p]}[name]
            demand(x["value"] in values, name, x, "not of", span)
            if name == "xdp.packet.size":
                demand(has_size(point, x["value"]), "nothing of this size:", x, point)
            else:
                demand(x["value"] <= point["value"], "more than counted:", x, point)
            series = (name, tuple(sorted(point["attributes"].items())))
            # not by its time: what ended earlier may be told of later
            demand((series, x["span_id"]) not in told_of, "told before:", x, point)
            told_of.add((series, x["span_id"]))
            seen[name] += 1
    demand(len(seen) == len(LINKS), "exemplars only on", dict(seen))
    print("exemplars, each of a span that arrived:", dict(seen))


def no_exemplars(sink):
    found = [p["metric"] for p in otlp_read.metrics(sink) if p["exemplars"]]
    demand(not found, "exemplars on", found)


def temporality(sink, packets, sums):
    ends, total, deltas = {}, 0, 0
    for point in otlp_read.metrics(sink):
        is_delta = point["kind"] == "exponential_histogram" or (sums and point["monotonic"])
        demand(point["delta"] == (is_delta and point["kind"] != "gauge"), "temporality of", point)
        if not is_delta:
            continue
        series = (point["metric"], tuple(sorted(point["attributes"].items())))
        demand(point["start"] == ends.get(series, point["start"]) and
               point["start"] <= point["time"], "windows do not join:", point)
        ends[series] = point["time"]
        deltas += 1
        if point["metric"] == "xdp.packet.size":
            demand(point["count"] == sum(point["buckets"]) + point["zero"], "count of", point)
            total += point["count"]
    demand(total == int(packets), total, "packets in histograms, not", packets)
    if sums:
        total = sum(p["value"] for p in otlp_read.metrics(sink) if p["metric"] == LINKS[0])
        demand(total == int(packets), total, "packets in sums, not", packets)
    print("%d deltas of %d series" % (deltas, len(ends)))


def sdk(sink, address, port):
    ours, last = {}, {}
    for point in otlp_read.metrics(sink):
        attributes = point["attributes"]
        if point["metric"].startswith("otel.sdk."):
            if ".exporter." in point["metric"]:
                demand(attributes["server.address"] == address and
                       attributes["server.port"] == int(port), "address of", point)
            name = attributes["otel.component.name"]
            demand(name == attributes["otel.component.type"] + "/0", "name of", point)
            last[point["metric"]] = point
        elif point["metric"] == "ringspan.spans":
            ours[attributes["stage"]] = point["value"]
    spans = last["otel.sdk.exporter.span.exported"]
    demand(spans["kind"] == "sum" and spans["monotonic"] and spans["unit"] == "{span}", spans)
    demand(spans["value"] == ours["exported"] > 0, spans, ours)
    for name in ("exporter.span.inflight", "processor.span.queue.size"):
        point = last["otel.sdk." + name]
        demand(point["kind"] == "sum" and not point["monotonic"], "kind of", point)
    demand("otel.sdk.processor.span.processed" in last, "nothing processed", list(last))
    print("%d names of the SDK" % len(last))


def cost(sink):
    points = collections.defaultdict(list)
    for point in otlp_read.metrics(sink):
        if point["metric"] == "ringspan.packet.duration":
            attributes = point["attributes"]
            demand(set(attributes) == {"network.interface.name", "network.io.direction"}, point)
            demand(point["kind"] == "exponential_histogram" and point["unit"] == "s", point)
            demand(point["count"] == sum(point["buckets"]) + point["zero"] > 0, "count of", point)
            low = sum(n * 2.0 ** (point["offset"] + i) for i, n in enumerate(point["buckets"]))
            # the last bucket has all that is longer
            demand(low <= point["sum"] and (point["offset"] + len(point["buckets"]) > -8 or
                                            point["sum"] <= 2 * low), "sum of", point)
            points[attributes["network.io.direction"]].append(point)
    demand(set(points) == {"receive", "transmit"}, "directions:", list(points))
    for told in points.values():
        told.sort(key=lambda p: p["time"])
        demand(told[0]["count"] < told[-1]["count"], "no more packets timed:", told)
    print("a packet cost, in ns:", {d: int(1e9 * p[-1]["sum"] / p[-1]["count"]) for d, p in points.items()})


def main():
    what = sys.argv[1]
    if what in ("delta", "lowmemory"):
        temporality(sys.argv[2], sys.argv[3], what == "delta")
    else:
        {"exemplars": exemplars, "no-exemplars": no_exemplars, "sdk": sdk,
         "cost": cost}[what](*sys.argv[2:])


if __name__ == "__main__":
    main()
