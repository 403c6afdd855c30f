#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# auto_step - how --sample auto follows a load: quiet, a step, a burst on top of it, quiet again, on veth.
# Writes what ringspan ctl status says each half second to bench/results/auto_step.csv, and a picture of it
# to auto_step.svg beside it; prints the worst of each stage against the budget.
#
#   auto_step.sh     root; RINGSPAN_BUILD: the build (default: release)
RINGSPAN_BUILD=${RINGSPAN_BUILD:-$(dirname "$0")/../build/release}
. "$(dirname "$0")/../tests/lib.sh"
begin "$@"

export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"
load=$build/tests/flow_load
[ -x "$load" ] || fail "$load is not built"
results=$repo/bench/results
mkdir -p "$results"
spans=1000 records=20000
# seconds:flows a second; a flow is 4 packets, and silent from then on
stages="12:300 25:20000 5:60000 20:20000 33:300"

ns_add in out
link_add_mute in va out vb
link_queue out vb
socket=$dir/rs.sock
spawn rs in "$ringspan" --interface va --idle-timeout 0.5 --control "$socket" --exporter console \
	--sample auto --budget "${spans}spans/s,${records}records/s"
wait_for 60 "rs is ready" ringspan_is_ready rs
args=() seconds=0
for stage in $stages; do
	args+=("${stage#*:}" 4 "${stage%:*}")
	seconds=$((seconds + ${stage%:*}))
done
spawn load out "$load" vb "${args[@]}"
"$py" - "$ringspan" "$socket" "$seconds" >"$results/auto_step.csv" <<'P'
import json, subprocess, sys, time
ringspan, socket, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
begin, step, last, failed = time.monotonic(), 0, None, 0
print("seconds,interval,flows_per_s,spans_per_s,records_per_s,cpu_used,ring_pressure")
while time.monotonic() - begin < seconds:
    answer = subprocess.run([ringspan, "ctl", "status", "--json", "--control", socket], capture_output=True)
    if answer.returncode:                         # the machine is busy: no answer in three seconds
        failed += 1
        assert failed < 4, answer.stderr
        continue
    d = json.loads(answer.stdout)
    records = next(r for r in d["ledger"] if r["stage"] == "records")
    now = (time.monotonic() - begin, d["flows"]["begun"], d["spans"], records["in"])
    if last:
        t = now[0] - last[0]
        rates = [(a - b) / t for a, b in zip(now[1:], last[1:])]
        print("%.2f,%d,%.0f,%.0f,%.0f,%.3f,%.3f" % (now[0], d["sampling"]["interval"], *rates,
              d["sampling"]["budget"]["cpu"]["used"], d["ring_pressure"]), flush=True)
    last = now
    step += 1
    time.sleep(max(0, begin + step / 2 - time.monotonic()))
P
wait_exit load 30
say "the load: $(cat "$dir/load.out" "$dir/load.err")"
ringspan_stop rs
"$py" "$repo/bench/auto_plot.py" "$results/auto_step.csv" "$results/auto_step.svg" \
	--spans "$spans" --records "$records" --stages "$stages"
grep 'sampling changed' "$dir/rs.err" | sed 's/^ringspan: /  /'
say "$results/auto_step.csv and .svg"
