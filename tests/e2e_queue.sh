#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ringspan with a queue on disk: nothing is lost while the server is away, across a kill and a stop; and
# `ringspan queue` shows and sends what waits.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc tcpreplay tshark

capture_mixed
read -r flows spans < <("$py" -c 'import json,sys; f = json.load(open(sys.argv[1]))["flows"]
print(len(f), len(f) + sum(flow["handshake"] is True for flow in f))' "$truth")
ns_add in out
link_add_mute in va out vb

url_of_nobody() { # starts a server and stops it: its address is free
	sink_start nobody in
	sink_stop nobody
	url=$sink_url
	port=${url##*:}
}

items_of() { # QUEUE SIGNAL: items that wait on disk
	"$ringspan" queue ls "$1" | awk -v s="$2" '$1 == s { n += $3 } END { print n + 0 }'
}
items_are() { [ "$(items_of "$1" "$2")" -ge "$3" ]; }

spans_in() { # SINK: flows that have a final span
	"$py" "$tests/otlp_read.py" "$dir/$1" | grep -c '"flow.end_reason"' || :
}

# ---- killed while the server is away ----

url_of_nobody
ringspan_start first in --interface va --xdp-mode native --idle-timeout 0.2 --tcp-idle-timeout 0.2 \
	--interval 1 --exporter otlp --otlp-endpoint "$url" --queue-dir "$dir/queue" --logs
replay out vb "$capture"
wait_for 60 "all flows are on disk" items_are "$dir/queue" traces "$spans"
wait_for 60 "metrics are on disk" items_are "$dir/queue" metrics 1
"$ringspan" queue ls "$dir/queue" | grep -q 'in use by a running process' || fail "ls: not in use"
rc=0
"$ringspan" queue send "$dir/queue" 2>"$dir/busy.err" || rc=$?
[ "$rc" = 1 ] && grep -q 'another ringspan uses it' "$dir/busy.err" ||
	fail "queue send beside a running ringspan: exit code $rc, $(cat "$dir/busy.err")"
waiting=$(items_of "$dir/queue" traces)
kill -KILL "${pid_of[first]}"
wait "${pid_of[first]}" 2>/dev/null || :
[ "$(items_of "$dir/queue" traces)" = "$waiting" ] || fail "ls shows something else after the kill"
say "$waiting spans of $flows flows wait after a kill"

# ---- the next start sends them, and says that it found them ----

sink_start second-sink in --listen "127.0.0.1:$port"
ringspan_start second in --interface va --xdp-mode native --exporter otlp --otlp-endpoint "$url" \
	--queue-dir "$dir/queue"
queue_is_empty() { [ "$(items_of "$dir/queue" traces)" = 0 ]; }
wait_for 30 "the queue is empty" queue_is_empty
ringspan_stop second
sink_stop second-sink
grep -q "found in the queue" "$dir/second.err" || fail "second: says nothing of what it found"
[ "$(spans_in second-sink)" = "$flows" ] ||
	fail "$(spans_in second-sink) of $flows flows arrived after the kill"
official second-sink

# ---- an orderly stop without a server keeps the rest, and queue send delivers it elsewhere ----

url_of_nobody
ringspan_start third in --interface va --xdp-mode native --exporter otlp --otlp-endpoint "$url" \
	--queue-dir "$dir/queue3" --shutdown-timeout 0.2
replay out vb "$capture"
ringspan_stop third
grep -q "wait in $dir/queue3" "$dir/third.err" || fail "third: does not say what waits: $(tail -n 5 "$dir/third.err")"
grep -q 'spans_otlp .* shutdown=' "$dir/third.err" && fail "third: counts as lost what is on disk"
sink_start third-sink in
in_ns in "$ringspan" queue send "$dir/queue3" --otlp-endpoint "$sink_url" --duration 60 \
	>"$dir/send.out" 2>"$dir/send.err" || fail "queue send: $(cat "$dir/send.out" "$dir/send.err")"
sink_stop third-sink
[ "$(spans_in third-sink)" = "$flows" ] || fail "queue send delivered $(spans_in third-sink) of $flows flows"
grep -q ' 0 left$' "$dir/send.out" || fail "queue send: $(cat "$dir/send.out")"
"$ringspan" queue send "$dir/queue3" | grep -q 'nothing waits' || fail "queue send: not empty"
say "$(cat "$dir/send.out")"

# ---- two destinations, each with its own queue; several servers need to be named ----

url_of_nobody
ringspan_start fourth in --interface va --xdp-mode native --exporter otlp --otlp-endpoint "$url" \
	--otlp-endpoint "$url/other" --otlp-endpoint "http://127.0.0.2:$port" \
	--queue-dir "$dir/queue4" --shutdown-timeout 0.2
replay out vb "$capture"
ringspan_stop fourth
grep -q '^spans_otlp/3 ' "$dir/fourth.err" || fail "no ledger row for the third destination"
[ "$("$ringspan" queue ls "$dir/queue4" | grep -c '^traces ')" = 3 ] || fail "queue ls: not three queues of traces"
rc=0
"$ringspan" queue send "$dir/queue4" 2>"$dir/several.err" || rc=$?
[ "$rc" = 1 ] && grep -q 'several servers' "$dir/several.err" || fail "queue send to several: $(cat "$dir/several.err")"
sink_start fourth-sink in --listen "127.0.0.1:$port"
in_ns in "$ringspan" queue send "$dir/queue4" --otlp-endpoint "$url" --otlp-endpoint "$url/other" \
	--duration 60 >"$dir/send4.out" 2>"$dir/send4.err" || fail "queue send: $(cat "$dir"/send4.*)"
sink_stop fourth-sink
[ "$(spans_in fourth-sink)" = $((2 * flows)) ] || fail "$(spans_in fourth-sink) flows arrived for two destinations"
grep -q 'they are left alone' "$dir/send4.err" || fail "queue send: says nothing of the third"
[ "$(items_of "$dir/queue4" traces)" -ge "$spans" ] || fail "the third queue is not as it was"

# ---- the library in another program ----

sink_start one-sink in
in_ns in "$build/bench/send_one_span" "$sink_url/v1/traces" >"$dir/one.out" || fail "send_one_span: $(cat "$dir/one.out")"
sink_stop one-sink
"$py" "$tests/otlp_read.py" "$dir/one-sink" | grep -q '"name": "hello"' || fail "send_one_span: no such span arrived"
in_ns in "$build/bench/send_one_span" localhost:4318 2>"$dir/one.err" && fail "send_one_span: takes a URL without scheme"
grep -q 'must begin with http' "$dir/one.err" || fail "send_one_span: $(cat "$dir/one.err")"

# ---- directories that cannot be used ----

refused() { # DIRECTORY WHAT-IT-SAYS
	local rc=0
	in_ns in timeout 20 "$ringspan" --interface va --otlp-endpoint "$url" --queue-dir "$1" --duration 1 \
		2>"$dir/refused.err" >/dev/null || rc=$?
	[ "$rc" = 1 ] || fail "--queue-dir $1: exit code $rc, not 1"
	grep -q "$2" "$dir/refused.err" || fail "--queue-dir $1: $(cat "$dir/refused.err")"
	[ "$(grep -c '^ringspan: ' "$dir/refused.err")" -le 2 ] || fail "more than a line: $(cat "$dir/refused.err")"
}
mkdir "$dir/foreign" && echo hello >"$dir/foreign/letter"
refused "$dir/foreign" 'queue'
mkdir "$dir/newer" && echo 'ringspan queue 2' >"$dir/newer/FORMAT"
refused "$dir/newer" 'newer'
mkdir "$dir/ro" && mount -t tmpfs -o ro tmpfs "$dir/ro"
refused "$dir/ro" 'read-only\|Read-only'
echo file >"$dir/file"
refused "$dir/file" 'directory'
refused "$dir/no/such/place" 'no such directory'
