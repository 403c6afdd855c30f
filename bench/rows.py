#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rows of results, as bench/bench.h writes them, for benches that are scripts.

As a module: Rows("bench_live").add("1/1, 10k flows", [181, 190], "ns", at_most=200).
From a shell: rows.py BENCH ROW UNIT VALUE... [--at-most X | --at-least X | --better lower|higher]
"""
import argparse
import json
import os
import sys


def quantiles(values):
    """p10, median, p90: the same ones of a sorted list as bench_stat() takes."""
    values = sorted(values)
    n = len(values)
    return values[n // 10], values[n // 2], values[n - 1 - n // 10]


class Rows:
    """Prints each row for people; appends it to the file named by BENCH_JSON, if there is one."""

    def __init__(self, bench, out=None):
        self.bench = bench
        self.out = out or sys.stdout

    def add(self, row, values, unit, at_most=None, at_least=None, better="none"):
        """values: a number, or those of the runs. at_most, at_least: the target."""
        values = list(values) if hasattr(values, "__iter__") else [values]
        p10, median, p90 = quantiles(values)
        target = at_least if at_most is None else at_most
        if target is not None:
            better = "lower" if at_most is not None else "higher"
        line = {"bench": self.bench, "row": row, "value": rounded(median), "unit": unit}
        text = f"{row:52} {median:10.4g} {unit}"
        if len(values) > 1:
            line |= {"p10": rounded(p10), "p90": rounded(p90)}
            text += f"  ({p10:.4g} .. {p90:.4g})"
        if target is not None:
            line["target"] = target
            inside = median <= target if better == "lower" else median >= target
            text += f"  target {'<=' if better == 'lower' else '>='} {target:.4g}: "
            text += "inside" if inside else "MISSED"
        line |= {"runs": len(values), "better": better}
        print(text, file=self.out, flush=True)
        path = os.environ.get("BENCH_JSON")
        if path:
            with open(path, "a", encoding="utf-8") as f:
                f.write(json.dumps(line) + "\n")
        return median


def rounded(value):
    return float(f"{value:.6g}")


def main():
    parser = argparse.ArgumentParser(description="Prints one row of results.")
    parser.add_argument("bench")
    parser.add_argument("row")
    parser.add_argument("unit")
    parser.add_argument("values", metavar="VALUE", nargs="+", type=float)
    parser.add_argument("--at-most", type=float)
    parser.add_argument("--at-least", type=float)
    parser.add_argument("--better", choices=["lower", "higher", "none"], default="none")
    o = parser.parse_args()
    Rows(o.bench).add(o.row, o.values, o.unit, o.at_most, o.at_least, o.better)


if __name__ == "__main__":
    main()
