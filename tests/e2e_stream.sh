#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Ended flows as other programs see them: each exactly once and equal to what the OTLP server got; a
# subscriber that is stopped loses, is counted and is in nobody's way; rude ones; sockets left behind.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tcpreplay protoc

export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"
mkdir -p /run/ringspan
mount -t tmpfs -o mode=755 tmpfs /run/ringspan
socket=/run/ringspan/events-va.sock

tail_() { "$ringspan" tail "$@"; }
# refused CODE WHAT PATTERN ARGUMENT…: one line that says it
refused() {
	local code=$1 what=$2 pattern=$3 rc=0
	shift 3
	tail_ "$@" >"$dir/refused.out" 2>"$dir/refused.err" </dev/null || rc=$?
	[ "$rc" = "$code" ] || fail "$what: exit code $rc, not $code: $(cat "$dir/refused.err")"
	grep -q -- "$pattern" "$dir/refused.err" ||
		fail "$what: it does not say '$pattern': $(cat "$dir/refused.err")"
	[ "$(wc -l <"$dir/refused.err")" = 1 ] || fail "$what: not one line: $(cat "$dir/refused.err")"
}
status() { # EXPRESSION [OPTION…]: of ctl status, d, its stream, s
	local expression=$1
	shift
	"$ringspan" ctl status --json "$@" |
		"$py" -c "import json,sys; d = json.load(sys.stdin); s = d.get('stream'); print($expression)"
}
status_is() { [ "$(status "$2")" = "$1" ]; }
is_equal() { [ "$1" = "$2" ] || fail "$3: $1, not $2"; }
subscriber() { # NAME: a raw one
	mkdir -p "$dir/$1.got"
	spawn "$1" in "$py" "$tests/stream_subscriber.py" "$socket" "$dir/$1.got"
	wait_for 10 "$1 has joined" grep -qs joined "$dir/$1.out"
}
lines_are() { [ "$(wc -l <"$1")" = "$2" ]; }

# ---- nobody there ----
refused 1 "no ringspan" 'no ringspan is running'
refused 1 "none on an interface" 'no ringspan is running on va' va
refused 1 "no such path" 'there is no' --events "$dir/none.sock"
refused 1 "a file" 'is not a socket' --events "$tests/lib.sh"
refused 64 "a bad filter" "--filter '10.0.0.0/99'" --filter 10.0.0.0/99

# ---- each flow exactly once, as the server got it ----
ns_add in out
link_add_mute in va out vb
link_address_4() {
	ip -n in addr add 10.77.1.1/24 dev va
	ip -n out addr add 10.77.1.2/24 dev vb
}
link_address_4
sink_start sink in
ringspan_start rs in --interface va --workers 2 --idle-timeout 1 --tcp-idle-timeout 1 --interval 1 --otlp-endpoint "$sink_url"
is_equal "$(stat -c %a "$socket")" 600 "mode of the socket"
is_equal "$(status 's["subscribers"], s["flows"], s["messages"]')" "0 0 0" "stream at the start"
refused 1 "the control socket" 'is no event stream' --events /run/ringspan/ctl-va.sock
made pcap make_capture.py many --flows 500 --rounds 3
capture=$made_path
replay out vb "$capture"
wait_for 20 "flows that nobody listens to" status_is 500 'd["flows"]["ended"]'
is_equal "$(status 's["flows"]')" 0 "published without a subscriber"
subscriber raw
spawn lines in "$ringspan" tail
spawn json in "$ringspan" tail va --json
spawn some in "$ringspan" tail --json --filter '10.77.1.2 tcp 443'
spawn two in "$ringspan" tail --otlp --count 2
wait_for 10 "all have joined" status_is 5 's["subscribers"]'
replay out vb "$capture"
cat >"$dir/refuse.py" <<'P'
import socket
s = socket.socket()
try:
    s.connect(("10.77.1.1", 443))
except ConnectionRefusedError:
    pass
P
in_ns out "$py" "$dir/refuse.py"
wait_for 20 "all lines" eval 'lines_are "$dir/lines.out" 501 && lines_are "$dir/json.out" 501'
wait_for 10 "one line" lines_are "$dir/some.out" 1
wait_exit two 10
is_equal "$status" 0 "exit code at --count"
is_equal "$(protoc "-I$repo/proto" --decode=opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest \
	traces_service.proto <"$dir/two.out" | grep -c '^ *spans {')" 2 "spans that protoc reads"

# ---- who ends, and how ----
kill -INT "${pid_of[lines]}"
wait_exit lines 5
is_equal "$status" 0 "exit code at SIGINT"
grep -q '  ERROR connection refused$' "$dir/lines.out" || fail "no line tells of the refused connection"
mkfifo "$dir/pipe"
spawn piped in sh -c "exec '$ringspan' tail >'$dir/pipe'"
exec {pipe}<"$dir/pipe"
wait_for 10 "it has joined" status_is 4 's["subscribers"]'
exec {pipe}<&-
wait_exit piped 5
is_equal "$status" 0 "exit code when nobody reads the pipe"
rc=0
tail_ --duration 0.2 >/dev/null || rc=$?
is_equal "$rc" 0 "exit code at --duration"

# ---- one that is stopped ----
cat >"$dir/flood.py" <<'P'
import socket, struct
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("vb", 0))
for i in range(20000):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 29, 0, 0, 64, 17, 0, bytes((10, 9, i >> 8, 1)), bytes((10, 9, 99, 1)))
    out.send(b"\2" * 6 + b"\4" * 6 + b"\x08\0" + ip + struct.pack(">HHHH", 1000 + (i & 255), 53, 9, 0) + b"x")
P
for name in json some; do
	kill -INT "${pid_of[$name]}" 2>/dev/null || :
done
wait_exit json 5
is_equal "$status" 0 "exit code of json"
subscriber stuck
wait_for 10 "two are left" status_is 2 's["subscribers"]'
kill -STOP "${pid_of[stuck]}"
in_ns out "$py" "$dir/flood.py"
wait_for 60 "all flows have ended" status_is 21001 'd["flows"]["ended"]'
wait_for 20 "the other one got them" lines_are "$dir/raw.got/json" 20501
lost=$(status 's["lost"]')
[ "$lost" -gt 30000 ] || fail "only $lost messages lost by one that is stopped"
"$ringspan" ctl status | grep -q "stream: 2 subscribers; 20501 flows published, $lost messages lost" ||
	fail "status does not say it: $("$ringspan" ctl status | grep stream)"
kill -CONT "${pid_of[stuck]}"
wait_for 20 "what waited has left" eval '[ "$(status "s[\"waiting\"]")" -le 512 ]'
before=$(status 's["lost"]')
ringspan_stop rs
wait_exit raw 10
wait_exit stuck 10
is_equal "$(awk '$1 == "stream" { print $6 }' "$dir/rs.err")" "$before" "lost in the ledger"
"$py" - "$tests" "$dir" "$before" <<'P'
import json, sys
tests, folder, lost = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, tests)
import otlp_read

def lines(name):
    with open(folder + "/" + name) as f:
        return [json.loads(line) for line in f]

def key(flow):
    return flow["trace_id"], flow["span_id"]

sent = {key(span): span for span in otlp_read.flows(folder + "/sink")}
raw = lines("raw.got/json")
assert len(sent) == 21001, len(sent)
assert [flow["seq"] for flow in raw] == list(range(1, 20502)), "a gap, or something twice"
assert len({key(flow) for flow in raw}) == len(raw), "a flow twice"
for flow in raw:
    span = sent[key(flow)]
    attributes = {name: value for name, value in flow.items() if "." in name}
    assert attributes == span["attributes"], (attributes, span["attributes"])
    assert flow["name"] == span["name"] and flow["trace_state"] == span["trace_state"]
    assert abs(flow["duration"] * 1e9 - (span["end"] - span["start"])) < 0.5
    assert flow["time"].endswith("%09dZ" % (span["start"] % 10**9))
    assert (flow["status"] == "error") == (span["status"] == 2)
refused = [flow for flow in raw if flow["status"] == "error"]
assert [flow["message"] for flow in refused] == ["connection refused"], refused
assert [key(flow) for flow in lines("some.out")] == [key(refused[0])]
assert lines("json.out")[:501] == raw[:501]
# the raw bodies, with the resource that the server got
bodies = list(otlp_read.spans(folder + "/raw.got"))
assert [key(span) for span in bodies] == [key(flow) for flow in raw[:len(bodies)]] and len(bodies) == 300
assert all(span == sent[key(span)] for span in bodies)
# one that was stopped: what came and what was lost is all there was
stuck = lines("stuck.got/json")
seqs = [flow["seq"] for flow in stuck]
assert seqs == sorted(set(seqs)) and seqs[-1] == 20501, "out of order, or twice"
with open(folder + "/stuck.out") as f:
    got = int(f.read().split()[-1])
assert got + lost == 2 * 20000, (got, lost)
print("stream: 20501 flows as the server got them; stopped: %d messages came, %d lost" % (got, lost))
last = {}
for point in otlp_read.metrics(folder + "/sink"):
    a = point["attributes"]
    last[point["metric"], a.get("stage"), a.get("reason")] = point["value"] if "value" in point else None
assert last["ringspan.losses", "stream", "slow_subscriber"] == lost, last
assert last["ringspan.stream.flows", None, None] == 20501
assert last["ringspan.stream.subscribers", None, None] == 0
P
official raw.got

# ---- rude ones: who listens has to connect again, at most ----
ringspan_start polite in --interface va --exporter console --idle-timeout 1
spawn before in "$ringspan" tail --json
wait_for 10 "it has joined" status_is 1 's["subscribers"]'
"$py" - "$socket" "$tests" <<'P'
import os, socket, sys
sys.path.insert(0, sys.argv[2])
from stream_subscriber import connect
held = []
for _ in range(20):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)                                  # says nothing, ever
for _ in range(50):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.close()                                       # gone at once
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(os.urandom(100))                          # another protocol
s.close()
P
spawn after in "$ringspan" tail --json
wait_for 10 "one that comes after rude ones" status_is 2 's["subscribers"]'
in_ns out "$py" "$dir/refuse.py"
wait_for 10 "both get a flow" eval 'lines_are "$dir/after.out" 1 && lines_are "$dir/before.out" 1'
"$py" - "$socket" "$tests" <<'P'
import socket, sys
sys.path.insert(0, sys.argv[2])
from stream_subscriber import Closed, connect, read
s = connect(sys.argv[1], 0x30, 0x20)                # asks: is sent away
try:
    read(s, 1)
    raise SystemExit("something was sent to REQ")
except (Closed, ConnectionResetError):
    pass
s = connect(sys.argv[1], 0x21, 0x20)                # SUB has nothing to say: too much is too much
try:
    s.sendall(b"\1\x3f" + b"\xff" * 7 + b"x" * 1000)
    read(s, 1)
    raise SystemExit("one that talks is kept")
except (Closed, ConnectionResetError, BrokenPipeError):
    pass
P
wait_for 10 "they are gone" status_is 2 's["subscribers"]'
for i in {1..14}; do spawn "more$i" in "$ringspan" tail; done
wait_for 20 "all places are taken" status_is 16 's["subscribers"]'
refused 1 "one too many" 'has 16 subscribers already'
for i in {1..14}; do kill -INT "${pid_of[more$i]}"; done
wait_for 10 "places are free" status_is 2 's["subscribers"]'
ringspan_stop polite

# ---- a socket that was left behind, one that is used, two instances, none ----
ns_add in2 out2
link_add_mute in2 va out2 vb
ringspan_start killed in --interface va --exporter console
spawn left in "$ringspan" tail
wait_for 10 "it has joined" status_is 1 's["subscribers"]'
{ kill -KILL "${pid_of[killed]}" && wait "${pid_of[killed]}"; } 2>/dev/null || :
wait_exit left 5
is_equal "$status" 1 "exit code when ringspan is killed"
grep -q 'was closed' "$dir/left.err" || fail "it does not say that ringspan is gone"
[ -S "$socket" ] || fail "no socket was left behind: nothing to see"
refused 1 "nobody runs" 'no ringspan is running'
refused 1 "nobody listens" 'nobody listens at' --events "$socket"
ringspan_start one in --interface va --exporter console
ringspan_start two in2 --interface va --exporter console
refused 1 "two run" 'several run: name one with --events: .*events-va.2.sock, .*events-va.sock'
tail_ --events /run/ringspan/events-va.2.sock --duration 0.2 || fail "the second one is not heard"
ringspan_stop two
rc=0
in_ns in2 "$ringspan" --interface va --events "$socket" >"$dir/taken.out" 2>"$dir/taken.err" || rc=$?
[ "$rc" = 1 ] && grep -q 'another process listens there' "$dir/taken.err" ||
	fail "a socket that is used: exit code $rc: $(cat "$dir/taken.err")"
setpriv --reuid 65534 --regid 65534 --clear-groups "$ringspan" tail --events "$socket" \
	2>"$dir/other.err" && fail "another user was let in" || :
grep -qi 'permission denied' "$dir/other.err" || fail "another user: $(cat "$dir/other.err")"
kill -STOP "${pid_of[one]}"
refused 1 "a process that is stopped" 'no answer .* within 6 s'
kill -CONT "${pid_of[one]}"
ringspan_stop one
[ ! -e "$socket" ] || fail "the socket is still there"
ringspan_start own in --interface va --exporter console --events "$dir/own.sock"
is_equal "$(stat -c %a "$dir/own.sock")" 600 "mode of its own socket"
tail_ --events "$dir/own.sock" --duration 0.2 || fail "its own socket is not heard"
ringspan_stop own
ringspan_start none in --interface va --exporter console --events none
refused 1 "no stream wanted" 'no ringspan is running'
is_equal "$(status 's')" None "stream in status"
ringspan_stop none
grep -q '^stream ' "$dir/none.err" && fail "the ledger tells of a stream that is not there" || :
say "as it should be"
