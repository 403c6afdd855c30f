#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Log records of failed connections stand beside the spans that arrived.

  check_logs.py connections SINK_FOLDER EVENT=SOURCE_PORT:ADDRESS:PORT...
      exactly one record of each, with the ids of the span of that connection, and no other
  check_logs.py losses SINK_FOLDER STAGE REASON
      records of losses there, and the counter of the same name told as much
"""
import sys

import otlp_read

WARN = 13
BODIES = {"refused": " refused after ", "unanswered": " got no answer", "reset": " reset before "}


def demand(holds, *text):
    if not holds:
        sys.exit("check_logs: " + " ".join(str(t) for t in text))


def check_record(log):
    demand(log["severity"] == WARN and log["severity_text"] == "WARN", "severity of", log)
    demand(0 < log["time"] <= log["observed"], "times of", log)
    demand(isinstance(log["body"], str) and log["body"], "no body in", log)
    demand(log["resource"].get("service.name"), "no service name in", log)


def endpoints(item):
    attributes = item["attributes"]
    return "%d:%s:%d" % (attributes["source.port"], attributes["destination.address"],
                         attributes["destination.port"])


def connections(sink, wanted):
    wanted = dict(pair.split("=") for pair in wanted)
    spans = {(s["trace_id"], s["span_id"]): s for s in otlp_read.spans(sink)}
    seen = {}
    for log in otlp_read.logs(sink):
        check_record(log)
        kind = log["event"].rsplit(".", 1)[-1]
        demand(log["event"] == "flow.connection." + kind, "event", log["event"])
        demand(kind not in seen, "twice:", kind, log)
        seen[kind] = endpoints(log)
        demand(BODIES[kind] in log["body"], "body of", log)
        span = spans.get((log["trace_id"], log["span_id"]))
        demand(span, "no such span arrived:", log)
        demand(span["status"] == 2, "span without an error:", span)
        demand(log["time"] == span["end"], "not the span's time:", log, span)
        for name, value in log["attributes"].items():
            demand(span["attributes"].get(name) == value, name, "differs:", log, span)
        demand("flow.community_id" in log["attributes"], "no community id", log)
    demand(seen == wanted, "seen", seen, "wanted", wanted)
    print("%d records, each beside its span" % len(seen))


def losses(sink, stage, reason):
    counted, told = 0, 0
    for log in otlp_read.logs(sink):
        attributes = log["attributes"]
        if log["event"] != "ringspan.loss":
            continue
        check_record(log)
        demand(not log["trace_id"], "a loss has no trace:", log)
        demand(not attributes["ringspan.stage"].startswith("log"), "a log about logs:", log)
        if (attributes["ringspan.stage"], attributes["ringspan.reason"]) == (stage, reason):
            told += attributes["ringspan.count"]
    for point in otlp_read.metrics(sink):
        if (point["metric"] == "ringspan.losses" and
                point["attributes"] == {"stage": stage, "reason": reason}):
            counted = max(counted, point["value"])
    demand(told, "no record of", stage, reason)
    demand(told == counted, "told of", told, "counted", counted)
    print("told of %d lost at %s: %s" % (told, stage, reason))


def main():
    if sys.argv[1] == "connections":
        connections(sys.argv[2], sys.argv[3:])
    else:
        losses(*sys.argv[2:])


if __name__ == "__main__":
    main()
