#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""live - the whole system on live traffic: packets in, spans out. Started by world.sh.

Two links from namespace "out" to "in": one that ringspan watches, one with a program that does nothing at
the same hook, which tells the floor of BPF run statistics. Loads alternate between them (floor, ringspan,
floor); ns a packet is ringspan's own programs' time less the floor around it. The sender has the last
processor, ringspan the others. CPU time, not the clock, as the machine may be shared; on the clock are only
packets in and spans out: of a second in which packets came, statistics switched on.

What ringspan leaves of the packet rate is against a program that counts, statistics switched off.
"""
import os
import sys
import time

from agent import Agent, hold_statistics
from rows import Rows
from world import IDLE_S, Ringspan, open_world, stop

PACKETS = 1_050_000           # over all rounds at 1/1, more of them where few are kept
PACKETS_SAMPLED = 4_200_000
FLOOR_LOAD = 100_000
ROUNDS = 7
NS_TARGETS = {("flow", 1, 10_000): 200, ("flow", 1, 100_000): 400, ("flow", 100, 10_000): 20,
              ("packet", 100, 10_000): 12}
CPU_TARGETS = {1: 0.10, 100: 0.005}
MEMORY_TARGETS = {10_000: 16, 100_000: 40}
# mode, N, flows, hook
CASES = [("flow", 1, 10_000, "tc"), ("flow", 1, 100_000, "tc"), ("flow", 100, 10_000, "tc"),
         ("packet", 100, 10_000, "tc"), ("flow", 10, 10_000, "tc"), ("flow", 1000, 10_000, "tc"),
         ("packet", 1, 10_000, "tc"), ("packet", 10, 10_000, "tc"), ("packet", 1000, 10_000, "tc"),
         ("flow", 1, 1_000, "tc"), ("flow", 1, 200_000, "tc"),
         ("flow", 1, 10_000, "native"), ("flow", 100, 10_000, "native"), ("packet", 100, 10_000, "native")]
QUICK = CASES[:4]
RATE_CASES = [("flow", 100, "native"), ("packet", 100, "native"), ("flow", 1, "native"), ("flow", 100, "tc"),
              ("packet", 100, "tc"), ("flow", 1, "tc")]
RATE_QUICK = RATE_CASES[:1]
RATE_LOAD = 200_000
RATE_FLOWS = 10_000
RATE_TARGETS = {(100, "native"): 0.6}
HOOKS = {"native": "XDP", "tc": "TC"}


def rounds_of(world, rs, flows, rounds, load):
    """ns a packet of each round, and the seconds on the clock in which ringspan got packets."""
    floor = Agent(world.floor.pid)

    def measure(agent, interface, packets):
        before, begun = agent.runs(), time.monotonic()
        world.send(interface, flows, packets)
        seconds, after = time.monotonic() - begun, agent.runs()
        return (after[0] - before[0]) / max(1, after[1] - before[1]), seconds

    net, clock = [], 0
    before = measure(floor, "vs", FLOOR_LOAD)
    for _ in range(rounds):
        own = measure(rs.agent, "vb", load)
        after = measure(floor, "vs", FLOOR_LOAD)
        net.append(own[0] - (before[0] + after[0]) / 2)
        clock += own[1]
        before = after
    return net, clock


def begin_case(world, mode, n, hook, flows, does):
    """ringspan that knows all flows, beside the reference link; its CPU time a second before that."""
    world.hold(hook, does)
    world.link("va", "vb")
    rs = Ringspan(world, "--sample", f"1/{n}", "--sample-mode", mode, "--idle-timeout", IDLE_S, "--xdp-mode",
                  hook)
    idle_cpu = rs.idle_cpu() if does == "pass" else 0
    world.send("vb", flows, flows)
    return rs, idle_cpu


def end_case(world, rs):
    if stop(rs.process):
        raise RuntimeError("ringspan did not end with 0")
    world.unlink("va")


def add_losses(rows, name, status, sent):
    rows.add(f"{name}: packets sent and not counted", sent - status["interfaces"][0]["receive"]["packets"], "",
             at_most=0)
    lost = {}
    for stage in status["ledger"]:
        lost[stage["stage"]] = lost.get(stage["stage"], 0) + sum(stage["lost"].values())
    rows.add(f"{name}: records lost", lost.pop("records"), "", better="lower")
    rows.add(f"{name}: all else lost", sum(lost.values()), "", at_most=0)


def run_case(world, rows, case, rounds):
    mode, n, flows, hook = case
    name = f"{mode} mode 1/{n}, {flows} flows, {HOOKS[hook]}"
    load = max(PACKETS_SAMPLED // ROUNDS if n >= 100 else PACKETS // rounds, flows * 2)
    rs, idle_cpu = begin_case(world, mode, n, hook, flows, "pass")
    cpu, began = rs.agent.cpu_seconds(), time.monotonic()
    net, clock = rounds_of(world, rs, flows, rounds, load)
    held_mb = rs.agent.memory_mb()
    status, ended, settled = rs.settle()
    sent = flows + rounds * load
    millions = rounds * load / 1e6
    rows.add(f"{name}: kernel, a packet", net, "ns", at_most=NS_TARGETS.get(case[:3]), better="lower")
    rows.add(f"{name}: agent CPU a million packets, less idle",
             (ended - cpu - idle_cpu * (settled - began)) / millions, "s",
             at_most=CPU_TARGETS.get(n) if flows == 10_000 else None, better="lower")
    memory_target = MEMORY_TARGETS.get(flows) if (mode, n) == ("flow", 1) else None
    rows.add(f"{name}: resident memory", held_mb, "MB", at_most=memory_target, better="lower")
    rows.add(f"{name}: resident memory, most of it, while all flows end at once", rs.agent.memory_mb("VmHWM"),
             "MB", at_most=memory_target, better="lower")
    rows.add(f"{name}: packets in, a second", rounds * load / clock, "")
    rows.add(f"{name}: spans out, a second of packets", status["spans"] / clock, "")
    rows.add(f"{name}: spans of a million packets", status["spans"] / millions, "")
    add_losses(rows, name, status, sent)
    print(f"  ({sent} packets in {settled - began:.1f} s; idle {idle_cpu * 100:.2f} % of a core; "
          f"lost: { {stage['stage']: stage['lost'] for stage in status['ledger'] if any(stage['lost'].values())} })",
          flush=True)
    end_case(world, rs)


def run_rate(world, rows, case, rounds):
    """Packets a CPU second of the sender, the receiving path in it, against a program that counts."""
    mode, n, hook = case
    rs, _ = begin_case(world, mode, n, hook, RATE_FLOWS, "count")

    def rate(interface):
        return RATE_LOAD / world.send(interface, RATE_FLOWS, RATE_LOAD)

    rate("vs")
    ratios, before = [], rate("vs")
    for _ in range(rounds):
        own, after = rate("vb"), rate("vs")
        ratios.append(own / ((before + after) / 2))
        before = after
    rows.add(f"{mode} mode 1/{n}, {HOOKS[hook]}: packet rate against counting only", ratios, "x",
             at_least=RATE_TARGETS.get(case[1:]), better="higher")
    end_case(world, rs)


def main():
    world, only, is_quick = open_world()
    rows = Rows("bench_live")
    rounds = 3 if is_quick else ROUNDS
    for case in RATE_QUICK if is_quick else RATE_CASES:
        if only in " ".join(map(str, ("rate", *case))):
            run_rate(world, rows, case, rounds)
    fd = hold_statistics()
    for case in QUICK if is_quick else CASES:
        if only in " ".join(map(str, case)):
            run_case(world, rows, case, rounds)
    world.release()
    os.close(fd)
    return 0


if __name__ == "__main__":
    sys.exit(main())
