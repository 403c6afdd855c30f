# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The machine that results are of: without it they say nothing."""
import glob
import os
import platform
import subprocess


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "none"


def read(path, default="unknown"):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read().strip()
    except OSError:
        return default


def from_lines(path, key):
    for line in read(path, "").splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def governor():
    seen = {read(path) for path in glob.glob("/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")}
    return ", ".join(sorted(seen)) or "none (a guest, or no frequency driver)"


def build_type(build):
    """Figures of a build with sanitizers are no figures."""
    cache = dict(line.split("=", 1) for line in read(f"{build}/CMakeCache.txt", "").splitlines() if "=" in line)
    sanitizers = cache.get("RINGSPAN_SANITIZE:STRING")
    return cache.get("CMAKE_BUILD_TYPE:STRING", "unknown") + (f", with sanitizers {sanitizers}" if sanitizers else "")


def describe(repo, build):
    """(what, value) in the order in which they are printed."""
    load = os.getloadavg()
    flags = from_lines("/proc/cpuinfo", "flags").split()
    kib = int(from_lines("/proc/meminfo", "MemTotal").split()[0])
    return [
        ("CPU", from_lines("/proc/cpuinfo", "model name")),
        ("cores", f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}"
                  + (", a virtual machine" if "hypervisor" in flags else "")),
        ("memory", f"{kib / 1048576:.0f} GiB"),
        ("kernel", platform.release()),
        ("BPF JIT", read("/proc/sys/net/core/bpf_jit_enable")),
        ("governor", governor()),
        ("load at the start", " ".join(f"{x:.2f}" for x in load)),
        ("system", from_os_release()),
        ("ringspan", first_line(f"{build}/user/ringspan", "--version")),
        ("commit", first_line("git", "-C", repo, "describe", "--always", "--dirty")),
        ("build", build_type(build)),
        ("gcc", first_line("gcc", "--version")),
        ("clang", first_line("clang-14", "--version")),
        ("libbpf", first_line("pkg-config", "--modversion", "libbpf")),
        ("bpftool", first_line("bpftool", "version")),
    ]


def from_os_release():
    for line in read("/etc/os-release", "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return platform.system()
