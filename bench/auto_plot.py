#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""auto_plot.py CSV SVG --spans N --records N --stages "SECONDS:FLOWS …": what auto_step.sh wrote, as a
picture and as a table of the worst of each stage, from six seconds after its begin."""
import argparse
import csv
import math

args = argparse.ArgumentParser()
args.add_argument("csv")
args.add_argument("svg")
args.add_argument("--spans", type=float)
args.add_argument("--records", type=float)
args.add_argument("--stages")
args = args.parse_args()
rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(open(args.csv))]
stages, at = [], 0
for stage in args.stages.split():
    seconds, flows = map(float, stage.split(":"))
    stages.append((at, at + seconds, flows))
    at += seconds

W, H, LEFT, TOP, GAP = 900, 150, 80, 30, 45
out = []


def x_of(t):
    return LEFT + t / at * (W - LEFT - 20)


def panel(index, title, top, lines, limit=None, log=False):
    """One diagram: lines of (colour, column, name)."""
    y0 = TOP + index * (H + GAP)

    def y_of(v):
        share = math.log2(max(v, 1)) / math.log2(top) if log else min(v, top) / top
        return y0 + H - share * H
    out.append(f'<rect x="{LEFT}" y="{y0}" width="{W - LEFT - 20}" height="{H}" fill="none" stroke="#999"/>')
    out.append(f'<text x="{LEFT}" y="{y0 - 6}">{title}</text>')
    for v in ([1, 4, 16, 64, 256] if log else [0, top / 4, top / 2, top * 3 / 4, top]):
        if v <= top:
            out.append(f'<text x="{LEFT - 6}" y="{y_of(v) + 4:.1f}" text-anchor="end">{v:g}</text>')
    for begin, end, flows in stages:
        out.append(f'<line x1="{x_of(begin):.1f}" x2="{x_of(begin):.1f}" y1="{y0}" y2="{y0 + H}" stroke="#ccc"/>')
        if index == 0:
            out.append(f'<text x="{x_of((begin + end) / 2):.1f}" y="{y0 + 14}" text-anchor="middle" '
                       f'fill="#777">{flows / 1000:g}k/s</text>')
    if limit:
        out.append(f'<line x1="{LEFT}" x2="{W - 20}" y1="{y_of(limit):.1f}" y2="{y_of(limit):.1f}" '
                   'stroke="#c00" stroke-dasharray="6 4"/>')
    for n, (colour, column, name) in enumerate(lines):
        points, before = [], None
        for r in rows:
            y = y_of(r[column])
            if log and before is not None:
                points.append(f"{x_of(r['seconds']):.1f},{before:.1f}")
            points.append(f"{x_of(r['seconds']):.1f},{y:.1f}")
            before = y
        out.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(points)}"/>')
        out.append(f'<text x="{W - 25}" y="{y0 - 6 - 14 * n}" text-anchor="end" fill="{colour}">{name}</text>')


panel(0, "N: one flow in N is kept", 512, [("#333", "interval", "")], log=True)
panel(1, "per second, up to twice the budget (dashed: the budget)", 2 * args.spans,
      [("#06c", "spans_per_s", "spans"), ("#0a0", "flows_per_s", "flows that begin")], args.spans)
panel(2, "records per second", 2 * args.records, [("#a50", "records_per_s", "")], args.records)
for second in range(0, int(at) + 1, 10):
    out.append(f'<text x="{x_of(second):.1f}" y="{TOP + 3 * (H + GAP) - GAP + 16}" text-anchor="middle">{second} s</text>')
with open(args.svg, "w") as f:
    f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{W}" height="{TOP + 3 * (H + GAP)}" '
            'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
            + "\n".join(out) + "</svg>\n")

print("%-22s %8s %12s %12s %14s" % ("stage", "N", "flows begun", "spans", "records (worst two seconds, from 6 s on)"))
for begin, end, flows in stages:
    seen = [r for r in rows if begin + 6 <= r["seconds"] < end] or [r for r in rows if r["seconds"] < end][-2:]
    # means of about two seconds: what is read is up to a tenth of a second old
    groups = [seen[i:i + 4] for i in range(max(1, len(seen) - 3))]
    worst = [max(sum(r[c] for r in g) / len(g) for g in groups) for c in ("flows_per_s", "spans_per_s", "records_per_s")]
    print("%-22s %8d %12.0f %12.0f %14.0f" % ("%g s of %g flows/s" % (end - begin, flows), seen[-1]["interval"], *worst))
