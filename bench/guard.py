#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Instructions that the hot paths take, compared with what they took before (bench/baseline.json).

Counts do not depend on the machine's load or clock, but on the compiler: a baseline belongs to one
version of it. Without one for this compiler, or without what counts, that part is skipped.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.json")
TOLERANCE = 0.03
SKIP = 77

# Row: what guard_user works at, and the function of which every call is counted, its callees
# included. What is counted is divided by the items that guard_user says it worked on.
USER_ROWS = {
    "encode, a span": ("encode", "guard_measured"),
    "outbox, a span": ("outbox", "guard_measured"),
    "flow to span, UDP DNS": ("span_dns", "guard_measured"),
    "flow to span, TCP HTTP": ("span_http", "guard_measured"),
    "flow to span, TCP over IPv6": ("span_https6", "guard_measured"),
    "flow to span, TCP interval": ("span_interval", "guard_measured"),
    "flow to span, TCP with everything": ("span_all", "guard_measured"),
    "flow to handshake span": ("handshake", "guard_measured"),
    "community id": ("community_id", "guard_measured"),
    "flow table, a record": ("records", "guard_measured"),
    "flows to their ends, a span": ("flow_ends", "guard_measured"),
    "records to spans, a span": ("flows", "guard_measured"),
    "records to spans: community id, a span": ("flows", "flow_id_community"),
    "metrics as text, a line": ("metrics", "guard_measured"),
}
SELF_TEST_ROWS = ["community id", "outbox, a span"]


class Skip(Exception):
    """There is no counting this part here; the text says why."""


def fail(text):
    sys.exit("guard: " + text)


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)
    if done.returncode == SKIP:
        raise Skip(done.stdout.strip() or done.stderr.strip())
    if done.returncode:
        fail(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done


# The C library chooses string functions by what the processor has; here they are the same everywhere.
STEADY = {
    "PATH": os.defpath,
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-EVEX,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2",
}


def count_user(build, name, slow):
    work, function = USER_ROWS[name]
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               "--toggle-collect=" + function, os.path.join(build, "bench", "guard_user"), work]
    done = run(command + ["slow"] * slow, env=STEADY)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if not counted or counted[1] == "0":
        fail(f"{name}: valgrind counted nothing in {function}:\n{done.stderr}")
    return int(counted[1]) / int(done.stdout)


def user_part(build, rows=None, slow=False):
    """(key, {row: instructions})"""
    if not shutil.which("valgrind"):
        raise Skip("valgrind is not installed")
    key = run([os.path.join(build, "bench", "guard_user"), "--key"]).stdout.strip()
    rows = rows or list(USER_ROWS)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        counts = list(pool.map(lambda row: count_user(build, row, slow), rows))
    return key, dict(zip(rows, counts))


def kern_part(build):
    """The same of the BPF programs, a packet."""
    program = os.path.join(build, "bench", "guard_kern")
    lines = run([program]).stdout.splitlines()
    key = run([program, "--key"]).stdout.strip()
    return key, {row: float(n) for row, n in (line.split("\t") for line in lines)}


PARTS = {"user": user_part, "kern": kern_part}


def compare(counts, baseline, tolerance):
    """[(row, count, baseline or None, verdict)]; the verdict is "", "slower", "faster", "new" or
    "gone"."""
    rows = []
    for row, count in counts.items():
        before = baseline.get(row)
        if before is None:
            verdict = "new"
        elif count > before * (1 + tolerance):
            verdict = "slower"
        elif count < before * (1 - tolerance):
            verdict = "faster"
        else:
            verdict = ""
        rows.append((row, count, before, verdict))
    rows += [(row, None, baseline[row], "gone") for row in baseline if row not in counts]
    return rows


def show(rows):
    for row, count, before, verdict in rows:
        change = f"{(count / before - 1) * 100:+7.1f} %" if count and before else " " * 9
        now, then = (f"{n:12.3f}" if n is not None else f"{'-':>12}" for n in (count, before))
        print(f"  {row:50}{now}  before{then} {change}  {verdict}".rstrip())


def load():
    try:
        with open(BASELINE, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def record(build, parts):
    known = load()
    for part in parts:
        try:
            key, counts = PARTS[part](build)
        except Skip as why:
            print(f"{part}: not recorded: {why}")
            continue
        print(f"{part}: recorded for {key}")
        show(compare(counts, known.get(part, {}).get(key, {}), TOLERANCE))
        known.setdefault(part, {})[key] = {row: round(n, 4) for row, n in counts.items()}
    with open(BASELINE, "w", encoding="utf-8") as file:
        json.dump(known, file, indent="\t", sort_keys=True)
        file.write("\n")


def check(build, parts):
    known = load()
    bad, skipped = [], 0
    for part in parts:
        try:
            key, counts = PARTS[part](build)
            if key not in known.get(part, {}):
                raise Skip(f"{BASELINE} has nothing of {key}; bench/guard.py --record, on a state "
                           "that is known to be good, adds it")
        except Skip as why:
            print(f"{part}: skipped: {why}")
            skipped += 1
            continue
        rows = compare(counts, known[part][key], TOLERANCE)
        print(f"{part}: {key}")
        show(rows)
        bad += [row for row in rows if row[3] in ("slower", "new", "gone")]
        if any(row[3] == "faster" for row in rows):
            print("  faster than before: bench/guard.py --record, so that it stays so")
    if bad:
        print(f"guard: {len(bad)} rows are not as before (tolerance {TOLERANCE * 100:g} %). If that is "
              "meant, bench/guard.py --record, and say in the commit what it buys.")
        return 1
    return SKIP if skipped == len(parts) else 0


def self_test(build):
    """A needless copy for each item has to be noticed, and the same work twice is not."""
    try:
        _, good = user_part(build, SELF_TEST_ROWS)
        _, same = user_part(build, SELF_TEST_ROWS)
        _, slow = user_part(build, SELF_TEST_ROWS, slow=True)
    except Skip as why:
        print(f"skipped: {why}")
        return SKIP
    show(compare(slow, good, TOLERANCE))
    if [row[3] for row in compare(same, good, 0.001)] != [""] * len(good):
        fail("the same work was counted differently:\n" + str(same) + str(good))
    if [row[3] for row in compare(slow, good, TOLERANCE)] != ["slower"] * len(good):
        fail("a needless copy was not noticed")
    if compare({"a": 1.0}, {"b": 1.0}, 0.1) != [("a", 1.0, None, "new"), ("b", None, 1.0, "gone")]:
        fail("rows that only one side has were not noticed")
    if [compare({"a": n}, {"a": 100.0}, 0.03)[0][3] for n in (96.0, 97.5, 102.5, 103.5)] != \
            ["faster", "", "", "slower"]:
        fail("the tolerance is not what it says")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.environ.get("RINGSPAN_BUILD") or
                        os.path.join(HERE, "..", "build", "dev"),
                        help="build folder (default: RINGSPAN_BUILD, or build/dev)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one (default: all)")
    parser.add_argument("--record", action="store_true", help="make these counts the baseline")
    parser.add_argument("--self-test", action="store_true", help="check that the guard notices")
    o = parser.parse_args()
    if not os.path.exists(os.path.join(o.build, "bench", "guard_user")):
        fail(f"there is no {o.build}/bench/guard_user: build the project, or name its folder by --build")
    if o.record:
        return record(o.build, o.part or list(PARTS))
    return self_test(o.build) if o.self_test else check(o.build, o.part or list(PARTS))


if __name__ == "__main__":
    sys.exit(main())
