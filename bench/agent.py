# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a running program costs: its CPU time and memory, and the BPF programs that it owns.

BPF run statistics are switched on by a descriptor, for as long as it is open; other processes' programs
are left out, as they are on the same machine and not on the same account.
"""
import ctypes
import json
import os
import subprocess
import time

STATS_RUN_TIME = 0


def hold_statistics():
    """Switches BPF run statistics on until the descriptor that comes back is closed."""
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fd = libbpf.bpf_enable_stats(STATS_RUN_TIME)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "BPF_ENABLE_STATS (root?)")
    return fd


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


class Agent:
    """A process, by its id."""

    def __init__(self, pid):
        self.pid = pid

    def programs(self):
        """The ids of its BPF programs."""
        ids = set()
        for fd in os.listdir(f"/proc/{self.pid}/fdinfo"):
            try:
                text = read(f"/proc/{self.pid}/fdinfo/{fd}")
            except FileNotFoundError:
                continue
            ids |= {int(line.split()[1]) for line in text.splitlines() if line.startswith("prog_id:")}
        return sorted(ids)

    def runs(self):
        """Nanoseconds and runs of all of them, since statistics were first on."""
        ns = count = 0
        for program in self.programs():
            done = subprocess.run(["bpftool", "-j", "prog", "show", "id", str(program)], check=True,
                                  capture_output=True)
            info = json.loads(done.stdout)
            ns += info.get("run_time_ns", 0)
            count += info.get("run_cnt", 0)
        return ns, count

    def cpu_seconds(self):
        """Of all its threads that live, user and system."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            total += int(read(f"/proc/{self.pid}/task/{task}/schedstat").split()[0])
        return total / 1e9

    def memory_mb(self, what="VmRSS"):
        """Resident now; VmHWM: at most so far."""
        for line in read(f"/proc/{self.pid}/status").splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        raise ValueError(what)


def wait_until(seconds, what, test, pause=0.02):
    """Looks again and again: what test() says once it is true; TimeoutError after the deadline."""
    end = time.monotonic() + seconds
    while True:
        result = test()
        if result:
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(pause)
