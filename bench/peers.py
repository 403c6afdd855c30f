#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Measures for peers.sh: each command below is one step of it.

  capture FLOWS EACH FILE   64-byte frames of so many flows in random order
  run PLAN                  sends to each tool of a plan in turn, and writes what it cost
  settle SECONDS PID...     waits until processes have reported what they held, so many seconds at least
  table FOLDER BUILD [FILE]  all results of a folder as tables, and as rows; FILE: in Markdown, too
"""
import argparse
import ctypes
import glob
import json
import os
import random
import re
import struct
import subprocess
import sys
import time

FRAME, HEADER = 64, 14
BPF_PROG_GET_FD_BY_ID, BPF_ENABLE_STATS = 13, 32
LIBC = ctypes.CDLL(None, use_errno=True)


# ---- the load ----

def ones_sum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(flow):
    """Of flow so and so, half of them UDP, half TCP in the middle of a connection."""
    proto = 6 if flow % 2 else 17
    src = struct.pack("!I", 0x0A000000 + 1 + flow // 16)
    dst = bytes((192, 168, 1, 1 + flow % 4))
    ports = struct.pack("!HH", 20000 + flow % 16, 443 if flow % 2 else 53)
    size = FRAME - HEADER - 20
    if proto == 6:
        rest = ports + struct.pack("!IIBBHHH", 1, 1, 0x50, 0x10, 1000, 0, 0) + bytes(size - 20)
    else:
        rest = ports + struct.pack("!HH", size, 0) + bytes(size - 8)
    check = struct.pack("!H", ones_sum(src + dst + struct.pack("!HH", proto, size) + rest))
    at = 16 if proto == 6 else 6
    rest = rest[:at] + check + rest[at + 2:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, 64, proto, 0) + src + dst
    ip = ip[:10] + struct.pack("!H", ones_sum(ip)) + ip[12:]
    return bytes.fromhex("0277000000020277000000010800") + ip + rest


def capture(flows, each, path):
    order = list(range(flows)) * each
    random.Random(1).shuffle(order)
    frames = [struct.pack("=IIII", 1700000000, 0, FRAME, FRAME) + frame(i) for i in range(flows)]
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        out.write(b"".join(frames[i] for i in order))


# ---- what a process costs ----

def family(pid):
    """A process and all that it has started."""
    found, todo = [], [pid] if pid else []
    while todo:
        one = todo.pop()
        found.append(one)
        for path in glob.glob("/proc/%d/task/*/children" % one):
            with open(path) as f:
                todo += [int(word) for word in f.read().split()]
    return found


def lines_of(path):
    try:
        with open(path) as f:
            return f.read().splitlines()
    except OSError:  # ended just now
        return []


def cpu_ns(pid):
    return sum(int(line.split()[0]) for one in family(pid)
               for path in glob.glob("/proc/%d/task/*/schedstat" % one) for line in lines_of(path))


def peak_kb(pid):
    return sum(int(line.split()[1]) for one in family(pid)
               for line in lines_of("/proc/%d/status" % one) if line.startswith("VmHWM:"))


def bpf(command, number):
    """A bpf(2) call whose only attribute is a number; a descriptor."""
    attributes = (ctypes.c_uint32 * 3)(number)
    call = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    fd = LIBC.syscall(call, command, attributes, ctypes.sizeof(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d): %s" % (command, os.strerror(ctypes.get_errno())))
    return fd


def fields(path):
    return dict(line.split(":\t", 1) for line in lines_of(path) if ":\t" in line)


def programs(pid):
    """(time in ns, runs) of all BPF programs that it holds, itself or by a link, and nobody else's."""
    ids = {int(words["prog_id"]) for one in family(pid) for path in glob.glob("/proc/%d/fdinfo/*" % one)
           for words in (fields(path),) if "prog_id" in words}
    time_ns = runs = 0
    for number in ids:
        fd = bpf(BPF_PROG_GET_FD_BY_ID, number)
        words = fields("/proc/self/fdinfo/%d" % fd)
        os.close(fd)
        time_ns += int(words["run_time_ns"])
        runs += int(words["run_cnt"])
    return time_ns, runs


class Statistics:
    """The kernel takes the time of BPF programs while this is open; a descriptor, as the sysctl is
    everybody's."""

    def __enter__(self):
        self.fd = bpf(BPF_ENABLE_STATS, 0)

    def __exit__(self, *_):
        os.close(self.fd)


# ---- sending ----

def interface_dropped(tool):
    text = subprocess.run(["ip", "-n", tool["ns"], "-s", "-j", "link", "show", "dev", tool["interface"]],
                          capture_output=True, check=True).stdout
    return json.loads(text)[0]["stats64"]["tx"]["dropped"]


def send(tool, path, loops):
    """(packets, CPU ns of the sender)"""
    before = interface_dropped(tool)
    command = ["setpriv", "--pdeathsig", "KILL", "--", "nsenter", "--net=/run/netns/" + tool["ns"], "--",
               "tcpreplay", "-q", "-K", "--topspeed", "--loop", str(loops), "-i", tool["interface"], path]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    found = re.search(r"Successful packets: *(\d+)", said)
    if status or not found:
        sys.exit("peers: tcpreplay: " + said)
    return (int(found.group(1)) - (interface_dropped(tool) - before),
            (usage.ru_utime + usage.ru_stime) * 1e9)


def segment(tool, path, loops):
    before = programs(tool["pid"])
    packets, sender_ns = send(tool, path, loops)
    after = programs(tool["pid"])
    return {"packets": packets, "sender_ns": sender_ns / packets,
            "bpf_ns": after[0] - before[0], "runs": after[1] - before[1]}


def several(tool, plan, number):
    """As many segments as the plan wants, one right after the other."""
    for i in range(plan["repeats"]):
        result = segment(tool, plan["capture"], plan["loops"])
        tool["segments"].append(result | {"round": number * plan["repeats"] + i})


def settle(pids, quiet_s, most_s=40):
    """Until timeouts are over and nobody has anything left to do."""
    begun, last = time.monotonic(), None
    while time.monotonic() - begun < most_s:
        time.sleep(0.5)
        now = [cpu_ns(pid) for pid in pids]
        is_quiet = last and all(a - b < 20e6 for a, b in zip(now, last))
        if is_quiet and time.monotonic() - begun > quiet_s:
            return
        last = now


def idle(watch_s=5.2):
    """One interval of those that look every five seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < watch_s:
        time.sleep(0.1)


def now_of(tool):
    return cpu_ns(tool["pid"]), time.monotonic()


def mark_reported(tools, after_s):
    """Of each tool whose last packet is so long ago that it has reported them."""
    for t in tools:
        if "ended" in t and "reported" not in t and time.monotonic() - t["ended"] >= after_s:
            t["reported"] = now_of(t)


def account(tool):
    """What it spent from its first packet until it had reported, less what it spends idle: in a run of many
    tools each waits most of the time, before its turn and after its reports."""
    began, first, reported, last = (tool.pop(mark) for mark in ("began", "first", "reported", "last"))
    idle_s = first[1] - began[1] + last[1] - reported[1]
    idle = (first[0] - began[0] + last[0] - reported[0]) / idle_s if idle_s > 4 else 0
    tool["idle_ns"] = idle
    tool["spent"] = reported[0] - first[0] - idle * (reported[1] - first[1])


def run(plan_path):
    """A plan: tools in one run, each on a link of its own; the order is another one in each round,
    the link without a tool comes first, between and last."""
    with open(plan_path) as f:
        plan = json.load(f)
    tools, base = plan["tools"], [t for t in plan["tools"] if t["name"] == "none"]
    others = [t for t in tools if t["name"] != "none"]
    dice = random.Random(1)
    for t in tools:
        t["segments"], t["spent"], t["began"] = [], None, now_of(t)
    if plan["statistics"]:
        idle()
    for number in range(plan["rounds"]):
        dice.shuffle(others)
        half = len(others) // 2
        if plan["statistics"]:
            with Statistics():
                for t in others:
                    t["first"] = now_of(t)
                    several(t, plan, number)
                    t["ended"] = time.monotonic()
                    mark_reported(others, plan["quiet_s"])
        else:
            for t in base + others[:half] + base + others[half:] + base:
                several(t, plan, number)
    settle([t["pid"] for t in others], plan["quiet_s"])
    mark_reported(others, 0)
    for t in tools:
        t["peak_kb"], t["last"] = peak_kb(t["pid"]), now_of(t)
        if "reported" in t:
            account(t)
    with open(plan_path + ".done", "w") as f:
        json.dump(plan, f)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("step", choices=("capture", "run", "settle", "table"))
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    words = options.words
    if options.step == "capture":
        capture(int(words[0]), int(words[1]), words[2])
    elif options.step == "run":
        run(words[0])
    elif options.step == "settle":
        settle([int(word) for word in words[1:]], float(words[0]))
    else:
        import peers_table
        peers_table.main(*words)


if __name__ == "__main__":
    main()
