#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""run - measures everything: builds the release preset, runs each bench, prints its rows as tables with
targets, and writes them to bench/results/TIME/ as JSON and pictures. What is missing is said.
Started by run.sh."""
import argparse
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import machine
import plots
import tables

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(HERE)
SKIPPED = 77
GRACE_S = 20                  # from the deadline's SIGTERM to SIGKILL


@dataclasses.dataclass
class Bench:
    name: str
    title: str
    command: list             # {build}, {bench}: folders
    deadline_s: int
    root: bool = True
    in_quick: bool = True
    quick: list = dataclasses.field(default_factory=list)  # more arguments with --quick
    text_from: str = ""       # what it prints from this line on is shown; of its rows those with a target


BENCHES = [
    Bench("bench_kern", "The XDP program by itself (BPF_PROG_RUN), against an empty one",
          ["{build}/bench/bench_kern"], 400),
    Bench("bench_live", "The whole system on live traffic: packets in, spans out",
          ["{bench}/world.sh", "live.py"], 420),
    Bench("bench_start", "Start, end, and what it costs while nothing comes",
          ["{bench}/world.sh", "start.py"], 180),
    Bench("bench_growth", "Cost as interfaces, workers and sending processors grow",
          ["{bench}/world.sh", "growth.py"], 300, in_quick=False),
    Bench("bench_memory", "Resident memory against what was configured, loads of new flows one after the other",
          ["{bench}/world.sh", "memory.py"], 180),
    Bench("bench_ring", "The ring buffer: by its size, the reader's sleep, and writers",
          ["{build}/bench/bench_ring"], 180),
    Bench("bench_flow_table", "The flow table: records a second by number of flows",
          ["{build}/bench/bench_flow_table"], 120, root=False),
    Bench("bench_encode", "OTLP encode", ["{build}/bench/bench_encode"], 60, root=False),
    Bench("bench_export", "Export: encode and POST to a receiver that throws it away",
          ["{build}/bench/bench_export"], 120, root=False),
    Bench("bench_span_size", "Bytes of a flow's span, before gzip", ["{build}/bench/bench_span_size"], 30,
          root=False),
    Bench("bench_guard", "Instructions of the hot paths, compared with bench/baseline.json",
          ["{bench}/guard.py", "--build", "{build}"], 120, root=False),
    Bench("bench_accuracy", "Error of estimates against its bound",
          ["{build}/bench/bench_accuracy"], 300, in_quick=False),
    Bench("bench_peers", "Other tools under the same load in the same run (peers.md)", ["{bench}/peers.sh"], 900,
          text_from="tools and their flags"),
]


class Runner:
    """Runs one bench at a time, and ends it when this program is ended."""

    def __init__(self, build, folder, is_quick):
        self.build, self.folder, self.is_quick = build, folder, is_quick
        self.process = None

    def log_of(self, bench):
        return os.path.join(self.folder, bench.name + ".txt")

    def end(self):
        """Asks first, so that the bench can clean up after itself."""
        for sign, seconds in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
            if self.process.poll() is None:
                try:
                    os.killpg(self.process.pid, sign)
                    self.process.wait(seconds)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass

    def run(self, bench):
        """"ok", "skipped: …" or "FAILED: …"."""
        if bench.root and os.geteuid():
            return "skipped: needs root"
        command = [part.format(build=self.build, bench=HERE) for part in bench.command]
        if not os.access(command[0], os.X_OK):
            return f"skipped: {os.path.basename(command[0])} is not there"
        environment = os.environ | {"BENCH_JSON": os.path.join(self.folder, "results.jsonl"),
                                    "RINGSPAN_BUILD": self.build, "PYTHONDONTWRITEBYTECODE": "1"}
        if self.is_quick:
            environment["BENCH_QUICK"] = "1"
            command += bench.quick
        log = self.log_of(bench)
        with open(log, "wb") as out:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], stdout=out,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            env=environment, start_new_session=True)
            try:
                code = self.process.wait(bench.deadline_s)
            except subprocess.TimeoutExpired:
                return f"FAILED: not done within {bench.deadline_s} s, see {log}"
            finally:
                self.end()
        if code == SKIPPED:
            return "skipped: " + last_line(log).split("skipped: ", 1)[-1]
        return "ok" if code == 0 else f"FAILED: exit code {code}: {last_line(log)}"


def last_line(path):
    try:
        with open(path, errors="replace", encoding="utf-8") as f:
            return ([line.strip() for line in f if line.strip()] or [""])[-1]
    except FileNotFoundError:
        return ""


class Progress:
    """A line for each bench; on a terminal with its seconds, and what it has come to."""

    def __init__(self, text, log):
        self.text, self.log, self.done = text, log, threading.Event()
        self.began = time.monotonic()
        self.is_terminal = sys.stdout.isatty()

    def __enter__(self):
        self.thread = threading.Thread(target=self.count, daemon=True)
        self.thread.start()
        return self

    def count(self):
        while self.is_terminal and not self.done.wait(1):
            line = f"{self.text}: {self.seconds():.0f} s  {last_line(self.log)}"
            print(f"\r{line[:shutil.get_terminal_size().columns - 1]}\033[K", end="", flush=True)

    def seconds(self):
        return time.monotonic() - self.began

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        print("\r\033[K" if self.is_terminal else "", end="", flush=True)


def read_rows(folder):
    try:
        with open(os.path.join(folder, "results.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]
    except FileNotFoundError:
        return []


def build_release():
    """The folder of the build: RINGSPAN_BUILD as it is, else the release preset, built."""
    if os.environ.get("RINGSPAN_BUILD"):
        return os.path.abspath(os.environ["RINGSPAN_BUILD"])
    print("==> building the release preset", flush=True)
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"run: {' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return os.path.join(REPO, "build", "release")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(64, f"run: {message}\n")


def parse():
    parser = Parser(
        prog="bench/run.sh", epilog="Exit codes: 0 all done or skipped, 1 a bench failed, 64 usage. A target that is "
        "missed is no failure.", description="Measures everything and prints it as tables with targets; JSON and "
        "pictures go to bench/results/TIME/. As root; a bench that can't run says why. Installs what building and "
        "measuring take where it is missing (Debian 12); of other tools to compare with only tcpdump.")
    parser.add_argument("--quick", action="store_true", help="fewer runs: less than 3 minutes, wider bounds")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these benches, see --list")
    parser.add_argument("--list", action="store_true", help="the names of the benches, and what they measure")
    parser.add_argument("--reference", action="store_true",
                        help="write the machine and the tables to bench/RESULTS.md, too")
    o = parser.parse_args()
    if o.reference and (o.quick or o.only):
        parser.error("a reference is a whole run: without --quick and --only")
    unknown = set(o.only or ()) - {bench.name for bench in BENCHES}
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; --list names them")
    if o.only:
        o.benches = [bench for bench in BENCHES if bench.name in o.only]
    else:
        o.benches = [bench for bench in BENCHES if bench.in_quick or not o.quick]
    return o


def text_of(bench, log):
    """What it prints for people besides rows."""
    if not bench.text_from or not os.path.exists(log):
        return ""
    with open(log, encoding="utf-8", errors="replace") as f:
        _, mark, rest = f.read().partition("\n" + bench.text_from + "\n")
    return (mark + rest).strip("\n")


def measure(o, runner):
    """What came of each, for tables.py."""
    ends = []
    for i, bench in enumerate(o.benches):
        text = f"==> {i + 1}/{len(o.benches)} {bench.name}"
        with Progress(text, runner.log_of(bench)) as progress:
            end = runner.run(bench)
        print(f"{text}: {end} ({progress.seconds():.0f} s)", flush=True)
        ends.append({"name": bench.name, "title": bench.title, "end": end, "seconds": round(progress.seconds(), 1),
                     "text": text_of(bench, runner.log_of(bench))})
    return ends


def main():
    o = parse()
    if o.list:
        for bench in BENCHES:
            print(f"{bench.name:20} {bench.title}{'' if bench.in_quick else ' (not with --quick)'}")
        return 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    build = build_release()
    folder = os.path.join(HERE, "results", time.strftime("%Y-%m-%d_%H-%M-%S"))
    try:
        os.makedirs(folder)
    except OSError as why:
        sys.exit(f"run: {folder} cannot be made: {why.strerror}")
    facts = machine.describe(REPO, build)
    text = "".join(f"{what:20} {value}\n" for what, value in facts)
    with open(os.path.join(folder, "machine.txt"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text, flush=True)
    try:
        ends = measure(o, Runner(build, folder, o.quick))
    except KeyboardInterrupt:
        print(f"\nrun: interrupted; what was measured before is in {os.path.relpath(folder)}", file=sys.stderr)
        return 130
    rows = read_rows(folder)
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as f:
        json.dump({"machine": facts, "quick": o.quick, "benches": ends, "rows": rows}, f, indent=1)
    print(tables.for_terminal(ends, rows))
    print(plots.draw(rows, folder))
    print(f"results: {os.path.relpath(folder)}")
    if o.reference:
        tables.write_results(folder)
    return 1 if any(end["end"].startswith("FAILED") for end in ends) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
