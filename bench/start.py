#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""start - how long ringspan takes to be ready and to end, and what it costs while nothing comes, with one
interface and with more. Started by world.sh."""
import sys
import time

from rows import Rows
from world import Ringspan, open_world, stop

ROUNDS = 7
INTERFACES = {1: ROUNDS, 8: 3} # how often


def run_case(world, rows, count, rounds):
    """One row each of so many interfaces."""
    names = [f"va{i}" for i in range(count)]
    for i, name in enumerate(names):
        world.link(name, f"vb{i}")
    ready, cpu, idle, memory, ended = [], [], [], [], []
    for _ in range(rounds):
        rs = Ringspan(world, "--sample", "1/1", interfaces=names)
        ready.append(rs.ready_s)
        cpu.append(rs.agent.cpu_seconds())
        idle.append(rs.idle_cpu(1) * 100)
        memory.append(rs.agent.memory_mb())
        begun = time.monotonic()
        if stop(rs.process):
            raise RuntimeError("ringspan did not end with 0")
        ended.append(time.monotonic() - begun)
    name = f"{count} interface{'s' if count > 1 else ''}"
    rows.add(f"{name}: from start to ready, clock", ready, "s", better="lower")
    rows.add(f"{name}: from start to ready, CPU", cpu, "s", better="lower")
    rows.add(f"{name}: idle, of a core", idle, "%", better="lower")
    rows.add(f"{name}: idle, resident memory", memory, "MB", better="lower")
    rows.add(f"{name}: from SIGTERM to the end, clock", ended, "s", better="lower")
    for name in names:
        world.unlink(name)


def main():
    world, only, is_quick = open_world()
    rows = Rows("bench_start")
    for count, rounds in INTERFACES.items():
        if only in str(count) and (count == 1 or not is_quick):
            run_case(world, rows, count, 3 if is_quick else rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
