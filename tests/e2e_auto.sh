#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# --sample auto: a quiet link at 1/1, a step to forty times the budget kept within five seconds, a rate
# that stays, an end of the load and the way back; by what ringspan says and by the spans that arrive.
. "$(dirname "$0")/lib.sh"
begin "$@"

export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"
load=$build/tests/flow_load
[ -x "$load" ] || fail "$load is not built"
budget=500
quiet=100
step=20000
quiet_s=10 step_s=20 back_s=32
[ -z "${RINGSPAN_LONG_TESTS:-}" ] || step_s=300

ns_add in out
link_add_mute in va out vb
sink_start sink in
socket=$dir/rs.sock
spawn rs in "$ringspan" --interface va --logs --interval 1 --idle-timeout 0.5 --budget "$budget spans/s, 0%cpu" \
	--control "$socket" --otlp-endpoint "$sink_url"
wait_for 60 "rs is ready" ringspan_is_ready rs
grep -qx "ringspan ready: watching 1 interface, keeping 1 flow in 1 (auto: at most $budget spans/s, 200000 records/s, 50% of a ring)" \
	"$dir/rs.err" || fail "the ready line: $(grep '^ringspan ready' "$dir/rs.err")"

# The load in stages, and what ctl status says meanwhile, every quarter of a second.
spawn load out "$load" vb $quiet 1 $quiet_s $step 1 $step_s $quiet 1 $back_s
"$py" - "$ringspan" "$socket" "$((quiet_s + step_s + back_s - 1))" $quiet_s $step_s $budget >"$dir/seen" <<'P' ||
import json, subprocess, sys, time
ringspan, socket = sys.argv[1:3]
seconds, quiet_s, step_s, budget = map(float, sys.argv[3:])
begin, rows, failed = time.monotonic(), [], 0
while time.monotonic() - begin < seconds:
    answer = subprocess.run([ringspan, "ctl", "status", "--json", "--control", socket], capture_output=True)
    if answer.returncode:                         # the machine is busy: no answer in three seconds
        failed += 1
        assert failed < 4, answer.stderr
        continue
    d = json.loads(answer.stdout)
    rows.append((time.monotonic() - begin, d["sampling"]["interval"], d["flows"]["begun"], d["spans"]))
    assert d["sampling"]["auto"] and d["sampling"]["budget"]["spans"]["limit"] == budget, d["sampling"]
    assert "cpu" not in d["sampling"]["budget"], d["sampling"]
    time.sleep(max(0, begin + 0.25 * len(rows) - time.monotonic()))
def rate(column, a, b):                           # the worst in about two seconds
    worst = 0
    for i, x in enumerate(rows):
        for y in rows[i + 1:]:
            if x[0] >= a and y[0] <= b and y[0] - x[0] >= 2:
                worst = max(worst, (y[column] - x[column]) / (y[0] - x[0]))
                break
    return worst
def changes(a, b):
    n = [r[1] for r in rows if a <= r[0] <= b]
    return sum(x != y for x, y in zip(n, n[1:]))
end = quiet_s + step_s
settled = quiet_s + 5.5                           # the generator itself takes a moment to start
assert all(r[1] == 1 for r in rows if r[0] < quiet_s - 0.5), "not 1/1 on a quiet link"
begun, spans = rate(2, settled, end), rate(3, settled + 1, end)
n = [r[1] for r in rows if settled <= r[0] <= end]
assert begun <= 1.2 * budget, "%.0f flows/s begin" % begun
assert spans <= 1.2 * budget, "%.0f spans/s" % spans
assert begun >= 0.3 * budget, "only %.0f flows/s of a budget of %g" % (begun, budget)
assert changes(quiet_s - 1, settled) <= 3, "%d changes at the step" % changes(quiet_s - 1, settled)
assert changes(settled, end) <= 2, "%d changes under constant load" % changes(settled, end)
assert rows[-1][1] == 1, "still 1/%d after the load" % rows[-1][1]
assert changes(end, seconds) <= 4, "%d changes on the way back" % changes(end, seconds)
print("at 1/%d: at most %.0f flows begin and %.0f spans are made a second, budget %g; %d changes" %
      (n[-1], begun, spans, budget, changes(0, seconds)))
P
	fail "$(cat "$dir/seen")"
say "$(cat "$dir/seen")"
wait_exit load 20
[ "$status" = 0 ] || fail "the load: $(cat "$dir/load.err")"
[ ! -s "$dir/load.err" ] || say "note: $(cat "$dir/load.err")"
link_dropped_nothing out vb

# A person's rate stays; auto goes on from there.
ctl() { "$ringspan" ctl "$@" --control "$socket"; }
rate_is() { [ "$(ctl status --json | "$py" -c 'import json,sys; print(json.load(sys.stdin)["sampling"]["interval"])')" = "$1" ]; }
[ "$(ctl sample 1/64)" = "keeping 1 flow in 64, before: 1 in 1" ] || fail "sample 1/64"
ctl status | grep -q '^sampling: 1 flow in 64 (th:fc)' || fail "status: $(ctl status | grep '^sampling')"
ctl status | grep -q 'auto' && fail "a fixed rate is called auto" || :
[ "$(ctl sample auto)" = "keeping 1 flow in 64 (auto), before: 1 in 64" ] || fail "sample auto"
ctl status | grep -q "^sampling: 1 flow in 64 (th:fc), auto; budget: .* % of $budget spans/s in use" ||
	fail "status: $(ctl status | grep '^sampling')"
wait_for 40 "auto comes back from 1/64" rate_is 1

ringspan_stop rs
sink_stop sink
"$py" - "$tests" "$dir/sink" "$dir/rs.err" <<'P' || fail "what was exported does not tell of it"
import re, sys
sys.path.insert(0, sys.argv[1])
import otlp_read
said = [(int(a), int(b)) for a, b in re.findall(r"sampling changed from 1 flow in (\d+) to 1 in (\d+): ", open(sys.argv[3]).read())]
logs = [log["attributes"] for log in otlp_read.logs(sys.argv[2]) if log["event"] == "ringspan.sampling.change"]
assert [(a["ringspan.sampling.interval.before"], a["ringspan.sampling.interval"]) for a in logs] == said, (logs, said)
reasons = [a["ringspan.sampling.reason"] for a in logs]
assert reasons[0] == "spans" and "eased" in reasons and reasons.count("asked") == 1, reasons
for a in logs:
    up = a["ringspan.sampling.interval"] > a["ringspan.sampling.interval.before"]
    assert up == (a["ringspan.sampling.reason"] != "eased"), a
    assert (a["ringspan.sampling.interval"] & (a["ringspan.sampling.interval"] - 1)) == 0, a
P
say "the budget is kept, and every change is told"
