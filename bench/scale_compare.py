# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a real ringspan made of a list of flows beside what the simulator says: see scale_check.sh."""
import collections
import glob
import os
import re
import sys
import zlib

import scale_sim
import scale_tables

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
import otlp_read  # noqa: E402

TOLERANCE = 0.05
ROWS = ("flows", "packets", "records", "spans", "root", "handshake", "interval", "end", "bytes")
MUST = ("flows", "packets", "records", "spans", "bytes")  # the others within four standard deviations of a count, too,
MANY = 400  # where they are so many
SPAN_TOLERANCE = 0.015  # bytes of a span: neither chance nor time moves them


def kind_of(span):
    if span["name"] == otlp_read.HANDSHAKE:
        return "handshake"
    word = span["name"].rsplit(" ", 1)[-1]
    return word if word in ("interval", "end") else "root"


def bodies_of(sink, signal="traces"):
    for path in sorted(glob.glob(os.path.join(sink, signal + "-*.bin"))):
        with open(path, "rb") as file:
            yield file.read()


def ledger(path):
    """Stage: what came in, of the balance that ringspan prints at its end."""
    with open(path) as text:
        return {m[1]: int(m[2]) for m in re.finditer(r"^(\w+) +(\d+) ", text.read(), re.M)}


def zipped(body):
    """As otlp/gzip.c does it."""
    z = zlib.compressobj(1, zlib.DEFLATED, 31, 8)
    return len(z.compress(body) + z.flush())


def measured(runs, name):
    sink, stages = os.path.join(runs, "sink-" + name), ledger(os.path.join(runs, name + ".err"))
    spans = list(otlp_read.spans(sink))
    kinds = collections.Counter(kind_of(span) for span in spans)
    bodies = list(bodies_of(sink))
    metrics = list(bodies_of(sink, "metrics"))
    total = sum(map(len, bodies))
    if len(spans) != stages["spans"]:
        raise SystemExit("%s: %d spans came, %d were made" % (name, len(spans), stages["spans"]))
    return {
        "flows": stages["flows"], "packets": stages["kept_packets"], "records": stages["records"],
        "spans": len(spans), **{kind: kinds[kind] for kind in ("root", "handshake", "interval", "end")},
        "bytes": total, "gzip": total / sum(map(zipped, bodies)),
        "metrics": sum(map(len, metrics)) / len(metrics),
        "metrics_gzip": sum(map(zipped, metrics)) / len(metrics),
        "points": len(list(otlp_read.metrics(sink))) / len(metrics),
        "r": {span["trace_id"][-14:] for span in spans},
    }


def differences(name, real, model, kept):
    """Prints a line a row; yields what is too far off."""
    for row in ROWS:
        if not model[row] and not real[row]:
            continue
        off = real[row] / model[row] - 1 if model[row] else float("inf")
        is_judged = row in MUST or model[row] >= MANY
        print("| %s | %s | %.0f | %d | %+.2f %% |%s" % (name, row, model[row], real[row], 100 * off,
                                                    "" if is_judged else " few"))
        allowed = TOLERANCE if row in MUST else max(TOLERANCE, 4 / model[row] ** 0.5)
        if is_judged and abs(off) > allowed:
            yield "%s: %s: %d, simulated %.0f" % (name, row, real[row], model[row])
    off = real["bytes"] / real["spans"] / (model["bytes"] / model["spans"]) - 1
    if abs(off) > SPAN_TOLERANCE:
        yield "%s: a span is %+.1f %% larger than simulated" % (name, 100 * off)
    if kept is not None and {"%014x" % r for r in kept.values()} != real["r"]:
        yield "%s: kept flows are not those that the hash names" % name


def compare(heads, packets, options_of, settings, runs, key, stop):
    """Faults; options_of(mode, interval) are what ringspan ran with."""
    faults = []
    print("| setting | | simulated | real | |\n|---|---|---|---|---|")
    seen = {}
    for setting in settings:
        mode, interval = setting.split(":")
        real = seen[setting] = measured(runs, "%s-%s" % (mode, interval))
        model, kept = scale_sim.simulate(heads, packets, options_of(mode, int(interval)), stop, key, 6)
        faults += differences("%s 1/%s" % (mode, interval), real, model, kept)
    for setting, real in seen.items():
        print("%s: gzip %.2f times smaller; a request of metrics: %.0f bytes, %.0f with gzip, %.0f points" % (
            setting, real["gzip"], real["metrics"], real["metrics_gzip"], real["points"]))
    first = seen[settings[0]]  # the most spans, so that requests are full
    for name, constant, value in (("GZIP", scale_tables.GZIP, first["gzip"]),
                                  ("METRIC_BYTES", scale_tables.METRIC_BYTES, first["metrics"]),
                                  ("METRIC_GZIP", scale_tables.METRIC_GZIP, first["metrics"] / first["metrics_gzip"]),
                                  ("METRIC_POINTS", scale_tables.METRIC_POINTS, first["points"])):
        if not scale_tables.is_about(constant, value):
            faults.append("scale_tables.py has %s = %g, measured %g" % (name, constant, value))
    return faults
