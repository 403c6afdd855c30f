#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The README's first command, as a new user runs it: it ends by itself with 0, shows the kinds of traffic
# it makes with both directions' packets, closes its ledger and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
begin "$@"
need ping

namespaces() { find /run/netns -mindepth 1 -name 'ringspan-demo-*'; }

spawn_here() { # NAME COMMAND…: as spawn, in this namespace
	local name=$1
	shift
	# a script's background commands start with Ctrl-C ignored: undone
	env --default-signal=INT setpriv --pdeathsig KILL -- "$@" >"$dir/$name.out" 2>"$dir/$name.err" </dev/null &
	pid_of[$name]=$!
	started+=("$!")
}

shows() { # WHAT PATTERN: a span line with packets both ways
	grep -qE "$2 .* [1-9][0-9]* pkts .*⇄ +[1-9][0-9]* pkts" "$dir/demo.out" ||
		fail "no span of $1 with packets both ways"
}

spawn_here demo "$repo/compose/quickstart.sh" --duration 20
wait_exit demo 300
[ "$status" = 0 ] || fail "exit code $status: $(tail -n 5 "$dir/demo.err")"
shows "HTTP over IPv4" 'tcp http +10\.90\.0\.1:[0-9]+ → 10\.90\.0\.2:80'
shows "HTTP over IPv6" 'tcp http +\[fd90::1\]:[0-9]+ → \[fd90::2\]:80'
shows "DNS-like requests" 'udp domain .*:53'
shows "ICMP" 'icmp echo +10\.90\.0\.1 →'
shows "ICMPv6" 'icmpv6 echo +fd90::1 →'
shows "a refused connection" 'tcp +10\.90\.0\.1:[0-9]+ → 10\.90\.0\.2:81'
grep -q 'ERROR connection refused' "$dir/demo.out" || fail "the refused connection is not called so"
grep -qE 'demo1 +rx .* pps' "$dir/demo.out" || fail "no live rates"
ledger_is_closed demo
[ -z "$(namespaces)" ] || fail "namespaces are left: $(namespaces)"
say "by itself: all kinds of traffic shown, nothing left"

# Ctrl-C, and what a kill leaves is swept by the next start
spawn_here killed "$repo/compose/quickstart.sh"
wait_for 120 "the demo runs" grep -qs 'tcp http' "$dir/killed.out"
kill -KILL "${pid_of[killed]}"
wait_exit killed 10 2>/dev/null
wait_for 30 "the killed demo's ringspan ends, too" grep -q '^ledger: closed' "$dir/killed.err"
# as at a terminal, where Ctrl-C reaches every process of the session
cat >"$dir/terminal.py" <<'P'
import os, pty, select, sys

go, command = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
asked = False
while True:
    if os.path.exists(go) and not asked:
        os.write(terminal, b"\x03")
        asked = True
    if not select.select([terminal], [], [], 0.1)[0]:
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data.replace(b"\r", b""))
    sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
spawn_here stopped "$py" "$dir/terminal.py" "$dir/go" "$repo/compose/quickstart.sh"
wait_for 120 "the demo runs again" grep -qs 'tcp http' "$dir/stopped.out"
[ "$(namespaces | wc -l)" = 2 ] || fail "the killed demo's namespaces are still there"
touch "$dir/go"
wait_exit stopped 60
[ "$status" = 0 ] || fail "exit code $status after Ctrl-C: $(tail -n 5 "$dir/stopped.out")"
grep -q '^ledger: closed' "$dir/stopped.out" || fail "Ctrl-C: no closed ledger"
[ -z "$(namespaces)" ] || fail "namespaces are left after Ctrl-C: $(namespaces)"
say "Ctrl-C and kill: nothing left"

# with an endpoint, the spans go there, too: out of the demo's namespace
ip link set lo up 2>/dev/null || :
mkdir -p "$dir/sink"
spawn_here sink "$py" "$tests/otlp_sink.py" --dir "$dir/sink"
wait_for 20 "the receiver listens" grep -qs '^listening on ' "$dir/sink.out"
OTEL_EXPORTER_OTLP_ENDPOINT=http://$(sed -n 's/^listening on //p' "$dir/sink.out") \
	spawn_here exporting "$repo/compose/quickstart.sh" --duration 8
wait_exit exporting 120
[ "$status" = 0 ] || fail "exit code $status with an endpoint"
ledger_is_closed exporting
kill -TERM "${pid_of[sink]}"
wait_exit sink 20
ls "$dir"/sink/traces-*.bin "$dir"/sink/metrics-*.bin >/dev/null || fail "nothing arrived at the endpoint"
say "exported as well"
