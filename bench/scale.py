#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How records, spans, bytes and memory grow with traffic and N: see SCALE.md.

  scale.py list --out FILE [...]        a list of flows, for scale_send and for sim
  scale.py sim FILE --mode M -n N [...] what ringspan makes of it, as JSON
  scale.py compare FILE [...]           that beside a real run: scale_check.sh
  scale.py formula                      the closed formula beside the simulation
  scale.py tables [--write]             whether the tables of SCALE.md are those of today
"""
import argparse
import difflib
import json
import os
import sys

import scale_formula
import scale_model
import scale_sim
import scale_tables

SCALE_MD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "SCALE.md")


def make_list(o):
    heads, packets, _ = scale_model.make_list(o.flows, o.seconds, o.packets_max, o.duration_max, o.seed)
    scale_model.write_list(o.out, heads, packets)
    print("%d flows, %d packets in %.1f s" % (len(heads), len(packets), packets[-1][0] / 1e9))


def check_formula(o):
    """The formula beside the simulation, for the same flows, at the default timeouts."""
    heads, packets, shapes = scale_model.make_list(o.flows, 600, 3000, 3600, o.seed)
    worst = 0.0
    print("| | | formula | simulated | |\n|---|---|---|---|---|")
    for mode, n in (("flow", 1), ("packet", 10), ("packet", 100)):
        options = scale_sim.Options(mode, n)
        mean = scale_formula.expect([(1.0, shape) for shape in shapes], options)
        model, _ = scale_sim.simulate(heads, packets, options, 20000, [0] * 4, 4)
        for name in ("flows", "records", "spans", "bytes"):
            said, true = getattr(mean, name), model["span_bytes" if name == "bytes" else name]
            worst = max(worst, abs(said / true - 1) / (0.05 if mode == "flow" else 0.15))
            print("| %s 1/%d | %s | %.0f | %.0f | %+.1f %% |" % (mode, n, name, said, true, 100 * (said / true - 1)))
    print("a million packets one way in an hour: %d records" % scale_formula.records_even(1000000, 3.6, False))
    if worst > 1:
        sys.exit("more than 5 % apart, in packet mode 15 %")


def tables(o):
    with open(SCALE_MD, encoding="utf-8") as file:
        text = file.read()
    made = scale_tables.write_into(text)
    if o.write:
        with open(SCALE_MD, "w", encoding="utf-8") as file:
            file.write(made)
    elif made != text:
        sys.exit("".join(difflib.unified_diff(text.splitlines(True), made.splitlines(True), "SCALE.md", "made")) +
                 "SCALE.md is not what scale.py makes: scale.py tables --write")


def read_key(path):
    with open(path) as file:
        digits = file.read().strip()
    return [int(digits[i:i + 16], 16) for i in range(0, 64, 16)]


def simulate(o):
    heads, packets = scale_model.read_list(o.list)
    options = scale_sim.Options(o.mode, o.n, o.active, o.idle, o.tcp_idle, delay=o.delay, interface=o.interface)
    result, kept = scale_sim.simulate(heads, packets, options, o.stop, read_key(o.site_key), o.rounds, o.seed)
    if kept is not None:
        result["r"] = sorted("%014x" % r for r in kept.values())
    json.dump(result, sys.stdout)


def compare(o):
    import scale_compare  # needs protoc
    heads, packets = scale_model.read_list(o.list)

    def options_of(mode, interval):
        return scale_sim.Options(mode, interval, o.active, o.idle, o.tcp_idle)
    faults = scale_compare.compare(heads, packets, options_of, o.settings, o.runs, read_key(o.site_key), o.stop)
    if faults:
        sys.exit("\n".join(faults))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("list")
    command.add_argument("--flows", type=int, default=10000)
    command.add_argument("--seconds", type=float, default=12)
    command.add_argument("--packets-max", type=int, default=300)
    command.add_argument("--duration-max", type=float, default=14)
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--out", required=True)
    command = commands.add_parser("sim")
    command.add_argument("list")
    command.add_argument("--mode", choices=("flow", "packet"), default="flow")
    command.add_argument("-n", type=int, default=1)
    command.add_argument("--site-key", required=True)
    command.add_argument("--active", type=float, default=60)
    command.add_argument("--idle", type=float, default=30)
    command.add_argument("--tcp-idle", type=float, default=300)
    command.add_argument("--delay", type=float, default=1, help="OTEL_BSP_SCHEDULE_DELAY, in seconds")
    command.add_argument("--stop", type=float, required=True, help="when ringspan ends, in seconds of the list")
    command.add_argument("--interface", default="va")
    command.add_argument("--rounds", type=int, default=6, help="packet mode: the mean of so many")
    command.add_argument("--seed", type=int, default=1)
    command = commands.add_parser("compare")
    command.add_argument("list")
    command.add_argument("--runs", required=True, help="folder of scale_check.sh")
    command.add_argument("--settings", nargs="+", required=True)
    command.add_argument("--site-key", required=True)
    command.add_argument("--active", type=float, default=60)
    command.add_argument("--idle", type=float, default=30)
    command.add_argument("--tcp-idle", type=float, default=300)
    command.add_argument("--stop", type=float, default=3600)
    command = commands.add_parser("formula")
    command.add_argument("--flows", type=int, default=4000)
    command.add_argument("--seed", type=int, default=1)
    command = commands.add_parser("tables")
    command.add_argument("--write", action="store_true", help="write them, instead of comparing")
    options = parser.parse_args()
    {"list": make_list, "sim": simulate, "compare": compare, "formula": check_formula,
     "tables": tables}[options.command](options)


if __name__ == "__main__":
    main()
