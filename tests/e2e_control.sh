#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ringspan ctl against the truth: what it shows, a rate that changes ten times under load, clients that
# misbehave, sockets left behind, two instances, an end.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tcpreplay tshark protoc

export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"

mkdir -p /run/ringspan
mount -t tmpfs -o mode=755 tmpfs /run/ringspan
made pcap make_capture.py many --flows 2000 --rounds 5
capture=$made_path
made json truth.py "$capture"
truth=$made_path

ctl() { "$ringspan" ctl "$@"; }
# refused WHAT PATTERN ARGUMENT…: exit code 1, one line that says it
refused() {
	local what=$1 pattern=$2 rc=0
	shift 2
	ctl "$@" >"$dir/refused.out" 2>"$dir/refused.err" || rc=$?
	[ "$rc" = 1 ] || fail "$what: exit code $rc, not 1"
	grep -q -- "$pattern" "$dir/refused.err" ||
		fail "$what: it does not say '$pattern': $(cat "$dir/refused.err")"
	[ "$(wc -l <"$dir/refused.err")" = 1 ] || fail "$what: not one line: $(cat "$dir/refused.err")"
}
# json EXPRESSION ARGUMENT…: of the answer, d
json() {
	local expression=$1
	shift
	ctl "$@" --json | "$py" -c "import json,sys; d = json.load(sys.stdin); v = ($expression); print(v)"
}
is_equal() { [ "$1" = "$2" ] || fail "$3: $1, not $2"; }
json_is() { # VALUE EXPRESSION ARGUMENT…
	local value=$1
	shift
	[ "$(json "$@")" = "$value" ]
}
rx='d["interfaces"][0]["receive"]["packets"]'

# ---- nobody there ----
refused "no socket" 'no ringspan is running' status
refused "no such path" 'there is no' status --control "$dir/none.sock"
refused "a file" 'is not a socket' status --control "$capture"

# ---- status and flows ----
ns_add in out
link_add_mute in va out vb
sink_start sink in
ringspan_start rs in --interface va --xdp-mode native --workers 2 --logs --otlp-endpoint "$sink_url"
socket=/run/ringspan/ctl-va.sock
is_equal "$(stat -c %a "$socket")" 600 "mode of the socket"
is_equal "$(stat -c %a /run/ringspan)" 700 "mode of its folder"
replay out vb "$capture"
packets=$("$py" -c 'import json,sys; print(json.load(open(sys.argv[1]))["frames"])' "$truth")
flows=2000
wait_for 10 "all flows are known" json_is $flows 'd["flows"]["held"]' status
is_equal "$(json "$rx" status)" "$packets" "packets in status"
is_equal "$(json 'all(r["closed"] for r in d["ledger"])' status)" True "closed ledger"
is_equal "$(json 'd["sampling"]["interval"], d["sampling"]["threshold"]' status)" "(1, '0')" "rate"
is_equal "$(json 'd["pid"]' status)" "${pid_of[rs]}" "process"
ctl status >"$dir/status"
for words in "process ${pid_of[rs]}," 'sampling: 1 flow in 1 ' 'va (up): receive by native XDP' "so far $packets packets" \
	"flows: $flows held" 'ledger: closed' "wait for $sink_url/v1/traces"; do
	grep -q -- "$words" "$dir/status" || fail "status does not say '$words': $(cat "$dir/status")"
done
each='{f["source"]["packets"] + f["destination"]["packets"] for f in d["flows"]}, len(d["flows"]), d["held"]'
is_equal "$(json "$each" flows --limit 1000)" "({5}, 1000, $flows)" "packets of each flow"
is_equal "$(json 'len(d["flows"]), d["fitting"]' flows)" "(20, $flows)" "flows by default"
is_equal "$(json 'd["flows"] == sorted(d["flows"], key=lambda f: -f["source"]["bytes"] - f["destination"]["bytes"])' \
	flows --sort bytes --limit 1000)" True "sorted by bytes"
is_equal "$(json 'd["flows"] == sorted(d["flows"], key=lambda f: -f["age_seconds"])' \
	flows --sort age --limit 1000)" True "sorted by age"
ctl flows --json --limit 1000 >"$dir/flows.json"
"$py" - "$dir/flows.json" >"$dir/words" <<'P'
import json, sys
f = json.load(open(sys.argv[1]))["flows"][0]
print(f["source"]["address"], f["transport"], f["source"].get("port", ""), "va")
P
[ "$(json 'd["fitting"]' flows --filter "$(cat "$dir/words")")" -ge 1 ] || fail "the filter finds no flow"
is_equal "$(json 'd["fitting"]' flows --filter 203.0.113.77)" 0 "flows of nobody"
is_equal "$(ctl flows --limit 3 | wc -l)" 5 "lines of flows"
ctl top --limit 3 | grep -q '^3 of 2000 flows' || fail "top into a pipe is not one table"
refused "an interface that is not watched" "no interface that is watched" flows --filter vb

# ---- flush: long before the batch would leave ----
ctl flush >"$dir/flush"
is_equal "$(cat "$dir/flush")" flushed "flush"

# ---- clients that misbehave: none of them is in the way of the next ----
"$py" - "$socket" <<'P'
import os, socket, struct, sys
path = sys.argv[1]
head = b"\0SP\0\0\x30\0\0"
def talk(*parts, wait=True):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(path)
    for part in parts:
        try:
            s.sendall(part)
        except OSError:
            break
    answer = b""
    if wait:
        try:
            while len(answer) < 17 or answer[17:] and len(answer) < 17 + struct.unpack(">Q", answer[9:17])[0]:
                more = s.recv(65536)
                if not more:
                    break
                answer += more
        except OSError:
            pass
    s.close()
    return answer
def message(body, size=None):
    return b"\x01" + struct.pack(">Q", len(body) if size is None else size) + body
held = []
for _ in range(20):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    held.append(s)                                 # says nothing, ever
for _ in range(50):
    talk(wait=False)                               # gone at once
talk(os.urandom(4000), wait=False)                 # another protocol
talk(head, message(b"", 1 << 62), wait=False)      # a size that nobody has
talk(head, b"\x01\0\0\0", wait=False)              # gone in the middle
talk(head, message(b"\x80\0\0\x01status"), wait=False)  # does not wait for the answer
talk(head, message(b"\0" * 400), wait=False)       # hops without an end
P
for _ in 1 2 3; do is_equal "$(json 'd["pid"]' status)" "${pid_of[rs]}" "status after rude clients"; done
"$py" - "$socket" >"$dir/garbage" <<'P'
import os, socket, struct, sys
head = b"\0SP\0\0\x30\0\0"
def ask(body):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sys.argv[1])
    s.sendall(head)
    got = b""
    while len(got) < 8:
        got += s.recv(8 - len(got))
    body = b"\x80\0\0\x07" + body
    s.sendall(b"\x01" + struct.pack(">Q", len(body)) + body)
    got = b""
    while len(got) < 9 or len(got) < 9 + struct.unpack(">Q", got[1:9])[0]:
        more = s.recv(65536)
        if not more:
            return None
        got += more
    return got[13:]
for body in (b"", b"\0\0\0", b"sample 1/7 please", b"STOP", b"stop now", b"sample 1/0", b"flows limit=100000",
             b"status\nstop", os.urandom(600), b"s" * 4096, b"sample 1/9\xff"):
    answer = ask(body)
    assert answer and answer.startswith(b"error\n") and answer.count(b"\n") == 2, (body, answer)
try:
    answer = ask(b"status" + b" " * 8000)           # over the bound: cut off
except OSError:
    answer = None
assert not answer, answer
assert ask(b"status").startswith(b"ok\n")
print("as it should")
P
is_equal "$(cat "$dir/garbage")" "as it should" "answers to garbage"
is_equal "$(json 'd["sampling"]["interval"]' status)" 1 "rate after garbage"

# ---- the rate, ten times under load: flows of each stage begin in it and go on to the end ----
rates="2 10 100 1000 3 50 7 400 20 5"
cat >"$dir/send.py" <<'P'
import ipaddress, socket, struct, sys
stage = int(sys.argv[1])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("vb", 0))
for begun in range(stage + 1):
    for i in range(500):
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 29, 0, 0, 64, 17, 0, bytes((10, 9, begun, 1)), bytes((10, 9, 99, 1)))
        out.send(b"\2" * 6 + b"\4" * 6 + b"\x08\0" + ip + struct.pack(">HHHH", 1000 + i, 10000 + begun, 9, 0) + b"x")
P
in_ns out tcpreplay -q -K --loop 6 --pps 5000 -i vb "$capture" >"$dir/load.log" 2>&1 &
load=$!
stage=0
before=1
for n in $rates; do
	ctl sample "1/$n" >"$dir/sample"
	is_equal "$(cat "$dir/sample")" "keeping 1 flow in $n, before: 1 in $before" "sample"
	in_ns out "$py" "$dir/send.py" $stage
	is_equal "$(json 'd["sampling"]["interval"]' status)" "$n" "rate in force"
	stage=$((stage + 1)) before=$n
done
kill -0 $load 2>/dev/null || fail "the load ended before the last change: too few of them"
wait $load || fail "tcpreplay: $(tail -n 3 "$dir/load.log")"
link_dropped_nothing out vb
sent=$((7 * packets + 500 * stage * (stage + 1) / 2))
wait_for 10 "all packets are counted" json_is $sent "$rx" status
is_equal "$(json 'd["ledger"][0]["in"]' status)" $sent "packets in the ledger"
grep -c 'sampling changed from 1 flow in' "$dir/rs.err" | grep -qx 10 || fail "not ten log lines"

# ---- an end, and what has arrived ----
is_equal "$(ctl stop)" stopping "stop"
wait_exit rs 60
is_equal "$status" 0 "exit code after ctl stop"
ledger_is_closed rs
[ ! -e "$socket" ] || fail "the socket is still there"
sink_stop sink
"$py" - "$tests" "$dir/sink" "$sent" $rates <<'P' || fail "what was exported is not what was sent"
import sys
sys.path.insert(0, sys.argv[1])
import otlp_read
from check_sampling import interval
sink, sent, rates = sys.argv[2], int(sys.argv[3]), [int(n) for n in sys.argv[4:]]
old = kept = late = total = 0
began = [0] * len(rates)
def share_rejected(th):
    return int(th[len("ot=th:"):].ljust(14, "0"), 16)
for span in otlp_read.spans(sink):
    has = span["attributes"]
    r, t = int(span["trace_id"][-14:], 16), share_rejected(span["trace_state"])
    pkts = has["flow.packets.total"] + has["flow.reverse.packets.total"]
    n = has.get("flow.sampling.interval", 1)
    total += pkts
    assert r >= t, span
    assert abs((1 - t / 2**56) * n - 1) < 0.01, span
    stage = max(has["destination.port"], has["source.port"]) - 10000
    if not 0 <= stage < len(rates):
        assert n == 1 and pkts == 35, span          # begun before the first change: whole
        old += 1
        continue
    if n == rates[stage] and pkts == len(rates) - stage:
        began[stage] += 1
        continue
    # one that its own stage rejected, seen from its middle on when more were kept
    assert n in rates[stage + 1:] and n < rates[stage] and pkts < len(rates) - stage, span
    late += 1
assert old == 2000, old
for n, count in zip(rates, began):
    low, high = interval(500, 1 / n, 1e-6)
    assert low <= count <= high, (n, count, low, high)
changes = [(log["attributes"]["ringspan.sampling.interval.before"], log["attributes"]["ringspan.sampling.interval"])
           for log in otlp_read.logs(sink) if log["event"] == "ringspan.sampling.change"]
assert changes == list(zip([1] + rates, rates)), changes
print("control: %d flows from before whole, %s of 500 kept at 1/%s, %d from their middle" % (
    old, began, rates, late))
P

# ---- what a change costs ends with the flows that it was for ----
ringspan_start brief in --interface va --exporter console --idle-timeout 1 --control "$dir/brief.sock"
in_ns out "$py" "$dir/send.py" 0
brief() { json "$1" status --control "$dir/brief.sock"; }
wait_for 5 "the flows are known" eval '[ "$(brief "d[\"flows\"][\"held\"]")" = 500 ]'
ctl sample 1/1000 --control "$dir/brief.sock" >"$dir/sample"
is_equal "$(brief 'd["sampling"]["lowest_interval_alive"]')" 1 "flows from before"
ctl status --control "$dir/brief.sock" | grep -q '; flows that began at up to 1 in 1 go on$' ||
	fail "status does not say that flows from before go on"
wait_for 20 "no flow from before is left" \
	eval '[ "$(brief "d[\"sampling\"][\"lowest_interval_alive\"]")" = 1000 ]'
ringspan_stop brief

# ---- a socket that was left behind, one that is used, two instances, none ----
ns_add in2 out2
link_add_mute in2 va out2 vb
link_add_mute in2 vb2 out2 va2
ringspan_start killed in --interface va --exporter console
{ kill -KILL "${pid_of[killed]}" && wait "${pid_of[killed]}"; } 2>/dev/null || :
[ -S "$socket" ] || fail "no socket was left behind: nothing to see"
refused "nobody runs" 'no ringspan is running' status
refused "nobody listens" 'nobody listens at' status --control "$socket"
ringspan_start one in --interface va --exporter console
is_equal "$(json 'd["pid"]' status)" "${pid_of[one]}" "who answers on the socket that was left behind"
ringspan_start two in2 --interface va --exporter console
is_equal "$(json 'd["pid"]' status --control "$socket")" "${pid_of[one]}" "who answers on the first socket"
is_equal "$(json 'd["pid"]' status --control /run/ringspan/ctl-va.2.sock)" "${pid_of[two]}" "and on the second"
refused "two run on va" 'several run: name one with --control' status --interface va
refused "none on vb" 'no ringspan is running on vb' status --interface vb
refused "two run" 'several run: name one with --control: .*ctl-va.2.sock, .*ctl-va.sock' status
ringspan_stop two
ringspan_start two in2 --interface vb2 --exporter console
is_equal "$(json 'd["pid"]' status --interface vb2)" "${pid_of[two]}" "the one on vb2"
is_equal "$(json 'd["pid"]' status --interface va)" "${pid_of[one]}" "the one on va"
ringspan_stop two
is_equal "$(json 'd["pid"]' status)" "${pid_of[one]}" "the one that is left"
rc=0
in_ns in2 "$ringspan" --interface va --control "$socket" >"$dir/taken.out" 2>"$dir/taken.err" || rc=$?
[ "$rc" = 1 ] && grep -q 'another process listens there' "$dir/taken.err" ||
	fail "a socket that is used: exit code $rc: $(cat "$dir/taken.err")"
kill -STOP "${pid_of[one]}"
refused "a process that is stopped" 'no answer .* within 5 s' status
kill -CONT "${pid_of[one]}"
setpriv --reuid 65534 --regid 65534 --clear-groups "$ringspan" ctl status --control "$socket" \
	2>"$dir/other.err" && fail "another user was answered" || :
grep -qi 'permission denied' "$dir/other.err" || fail "another user: $(cat "$dir/other.err")"
ringspan_stop one
ringspan_start own in --interface va --exporter console --control "$dir/own.sock"
is_equal "$(json 'd["pid"]' status --control "$dir/own.sock")" "${pid_of[own]}" "who answers on its own path"
is_equal "$(stat -c %a "$dir/own.sock")" 600 "mode of its own socket"
ringspan_stop own
ringspan_start none in --interface va --exporter console --control none
refused "no socket wanted" 'no ringspan is running' status
ringspan_stop none
say "as it should be"
