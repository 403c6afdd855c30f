#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""growth - the same load, in flow mode at 1/1 over 10,000 flows, on more interfaces, with more workers, and
from more processors at once. Started by world.sh.

Kernel time of a packet is as in live.py: BPF run statistics, less an empty program's on a link beside it. Not
of more interfaces: these get their parts one after the other, each with fewer flows than all, which the
caches like.
"""
import os
import subprocess
import sys
import time

from agent import Agent, hold_statistics
from rows import Rows
from world import IDLE_S, Ringspan, open_world, stop

FLOWS = 9_600                 # divides by all numbers of interfaces and processors below
PACKETS = 1_000_000
ROUNDS = 7
# names, interfaces, workers, processors that send; the first is where each curve begins
CASES = [(["1 interfaces", "1 workers", "1 sending processors"], 1, 1, 1), (["4 interfaces"], 4, 1, 1),
         (["16 interfaces"], 16, 1, 1), (["2 workers"], 1, 2, 1), (["4 workers"], 1, 4, 1),
         (["2 sending processors"], 1, 1, 2), (["4 sending processors"], 1, 1, 4)]


def send(world, interfaces, cpus, packets, done):
    """The packets in equal parts over links and processors, each its own flows. done: sent so far, each."""
    flows, packets = FLOWS // interfaces // cpus, packets // interfaces // cpus
    have = sorted(os.sched_getaffinity(0))
    for link in range(interfaces):
        senders = [subprocess.Popen(world.command(
            "out", [f"{world.build}/bench/live_frames", f"vb{link}", flows, packets, done, flows * cpu],
            str(have[-1 - cpu])), stdout=subprocess.DEVNULL) for cpu in range(cpus)]
        if any([sender.wait() for sender in senders]):
            raise RuntimeError("live_frames failed")
    return done + packets


def run_case(world, rows, case, rounds):
    _, interfaces, workers, cpus = case
    names = [f"va{i}" for i in range(interfaces)]
    for i, inside in enumerate(names):
        world.link(inside, f"vb{i}")
    world.hold("tc")
    rs = Ringspan(world, "--sample", "1/1", "--idle-timeout", IDLE_S, "--workers", workers, "--xdp-mode", "tc",
                  interfaces=names)
    floor = Agent(world.floor.pid)
    idle = rs.idle_cpu()
    done = send(world, interfaces, cpus, FLOWS, 0)
    cpu, begun = rs.agent.cpu_seconds(), time.monotonic()
    net = []
    for _ in range(rounds):
        marks = [floor.runs(), rs.agent.runs()]
        world.send("vs", FLOWS, PACKETS // rounds // 4)
        done = send(world, interfaces, cpus, PACKETS // rounds, done)
        world.send("vs", FLOWS, PACKETS // rounds // 4)
        each = [(a[0] - b[0]) / (a[1] - b[1]) for a, b in zip([floor.runs(), rs.agent.runs()], marks)]
        net.append(each[1] - each[0])
    memory = rs.agent.memory_mb()
    _, ended, settled = rs.settle()
    for name in case[0]:
        if interfaces == 1 and "interfaces" not in name:
            rows.add(f"{name}: kernel, a packet", net, "ns", better="lower")
        rows.add(f"{name}: agent CPU a million packets, less idle",
                 (ended - cpu - idle * (settled - begun)) / (PACKETS / 1e6), "s", better="lower")
        rows.add(f"{name}: resident memory", memory, "MB", better="lower")
    if stop(rs.process):
        raise RuntimeError("ringspan did not end with 0")
    for inside in names:
        world.unlink(inside)


def main():
    world, only, is_quick = open_world()
    rows = Rows("bench_growth")
    fd = hold_statistics()
    have = len(os.sched_getaffinity(0))
    for case in CASES:
        if any(only in name for name in case[0]) and case[3] <= have:
            run_case(world, rows, case, 3 if is_quick else ROUNDS)
    world.release()
    os.close(fd)
    return 0


if __name__ == "__main__":
    sys.exit(main())
