#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""memory - resident memory against what was configured, and whether it stays there: loads of new flows, one
after the other, twice as many each as there is room for. Started by world.sh."""
import sys

from agent import wait_until
from rows import Rows
from world import Ringspan, open_world, stop

MAX_FLOWS = 50_000
LOAD_FLOWS = 100_000
RING_MIB = 1
QUEUE_MIB = 4
LOADS = 16
# Bytes of a flow: its struct, what belongs to it beside that, its place in the index, which doubles and is
# at least a quarter full, and in the pool of events.
FLOW_BYTES = 248 + 96 + 32 + 6
BATCH_MIB = 2                 # of spans and of metrics


def configured_mb():
    """Rings, each mapped twice in a row, a table with an eighth to spare, what batches and queues may hold."""
    mib = 2 * RING_MIB + MAX_FLOWS * 9 / 8 * FLOW_BYTES / 1048576 + BATCH_MIB + QUEUE_MIB
    return mib * 1.048576


def measure(world, loads):
    """Resident memory after each load, and the most that there was."""
    world.link("va", "vb")
    rs = Ringspan(world, "--sample", "1/1", "--workers", 1, "--max-flows", MAX_FLOWS, "--ring-size",
                  f"{RING_MIB}M", "--queue-size", f"{QUEUE_MIB}M", "--idle-timeout", 1, "--tcp-idle-timeout", 1)
    resident = []
    for i in range(loads):
        world.send("vb", LOAD_FLOWS, LOAD_FLOWS * 2, i * LOAD_FLOWS)
        resident.append(rs.agent.memory_mb())
        wait_until(30, "all flows have ended", lambda: rs.status()["flows"]["held"] == 0, 0.1)
        resident.append(rs.agent.memory_mb())
    peak = rs.agent.memory_mb("VmHWM")
    if stop(rs.process):
        raise RuntimeError("ringspan did not end with 0")
    world.unlink("va")
    return resident, peak


def main():
    world, _, is_quick = open_world()
    rows = Rows("bench_memory")
    resident, peak = measure(world, 5 if is_quick else LOADS)
    third = len(resident) // 3
    early, late = max(resident[third:2 * third]), max(resident[2 * third:])
    configured = configured_mb()
    rows.add("configured: rings, table, batches, queue", configured, "MB")
    rows.add("resident memory at most", peak, "MB", better="lower")
    rows.add("at most, against 1.2 x configured + 16 MiB", peak / (1.2 * configured + 16.777216), "x", at_most=1)
    rows.add("the last third of the time against the second", late / early, "x", at_most=1.02)
    print("  (after each load and its end: " + " ".join(f"{mb:.1f}" for mb in resident) + " MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
