#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A million flows alive at once, each with a packet in two rounds, and then the same with room for a
# third of them: every packet in exactly one report, no flow reported twice, memory as configured; then a
# worker that is held up among them. A build with sanitizers counts the same on a fifth of it, unless
# RINGSPAN_LONG_TESTS is set; memory and the worker held up are for builds without them only.
. "$(dirname "$0")/lib.sh"
begin "$@"

load=$build/tests/flow_load sink=$build/tests/flow_sink
[ -x "$load" ] && [ -x "$sink" ] || fail "$load or $sink is not built"
is_sanitized=
if grep -q __asan_init "$ringspan"; then is_sanitized=1; fi
flows=1000000
[ -z "$is_sanitized" ] || [ -n "${RINGSPAN_LONG_TESTS:-}" ] || flows=200000
round_s=4 workers=2 ring_kb=16384
export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"

status_kb() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/${pid_of[$1]}/status"; } # NAME KEY
# What the kernel holds of a map of so many entries: what fdinfo says, in kB.
map_kb() { # NAME ENTRIES
	grep -lx "max_entries:	$2" "/proc/${pid_of[$1]}"/fdinfo/* 2>/dev/null | head -n 1 |
		xargs -r awk '$1 == "memlock:" { print int($2 / 1024) }'
}
ctl() { "$ringspan" ctl "$2" "${@:3}" --control "$dir/$1.sock"; }
held() { ctl "$1" status --json | "$py" -c 'import json,sys; f = json.load(sys.stdin)["flows"]; print(f["held"])'; }
all_held() { [ "$(held "$1")" -ge "$2" ]; }
row() { awk -v s="$2" '$1 == s { print $2, $3, $4, $6 }' "$dir/$1.err"; } # NAME STAGE: in, out, held, lost
note() { sed -n "s/^note: \([0-9]*\) $2.*/\1/p" "$dir/$1.err" | grep . || echo 0; }
ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# run NAME MAX_FLOWS: $stats is what arrived.
run() {
	local name=$1 warm_kb full_kb seen stop_ms
	ns_add "in-$name" "out-$name"
	link_add_mute "in-$name" va "out-$name" vb
	spawn "sink-$name" "in-$name" "$sink"
	wait_for 20 "the sink listens" grep -qs '^listening on ' "$dir/sink-$name.out"
	ringspan_start "$name" "in-$name" --interface va --xdp-mode native --max-flows "$2" \
		--workers $workers --ring-size ${ring_kb}K --idle-timeout 600 --active-timeout 600 \
		--queue-size 2G --shutdown-timeout 60 --events none --control "$dir/$name.sock" \
		--otlp-endpoint "$(sed -n 's/^listening on /http:\/\//p' "$dir/sink-$name.out")"
	warm_kb=$(status_kb "$name" VmRSS)
	link_queue "out-$name" vb
	in_ns "out-$name" "$load" -r 2 vb $((flows / round_s)) 1 $round_s >"$dir/load.out" 2>"$dir/load.err" ||
		fail "the load: $(cat "$dir/load.err")"
	[ "$(cat "$dir/load.out")" = "flows=$flows packets=$((2 * flows))" ] || fail "the load: $(cat "$dir/load.out")"
	link_dropped_nothing "out-$name" vb
	[ "$2" -lt "$flows" ] || wait_for 30 "all flows are held" all_held "$name" "$flows"
	full_kb=$(status_kb "$name" VmHWM)
	held_now=$(held "$name")
	user_kb=$((full_kb - warm_kb)) kernel_kb=$(map_kb "$name" "$2")
	stop_ms=$(ms)
	ringspan_stop "$name"
	stop_ms=$(($(ms) - stop_ms))
	peak_kb=$full_kb
	kill -TERM "${pid_of[sink-$name]}"
	wait_exit "sink-$name" 60
	stats=$(tail -n 1 "$dir/sink-$name.out")
	say "$name: $held_now flows held: resident $warm_kb kB at first, $full_kb kB with them:" \
		"$((user_kb * 1024 / held_now)) bytes a flow; the flow map ${kernel_kb:-?} kB," \
		"stopped in $stop_ms ms"
	say "$name: $stats"
	eval "declare -gA got=($(sed 's/\([a-z]*\)=\([0-9]*\)/[\1]=\2/g' <<<"$stats"))"
	[ "${got[unread]}" = 0 ] || fail "$name: ${got[unread]} bodies could not be read"
	seen=$(row "$name" packets)
	[ "${seen%% *}" = $((2 * flows)) ] || fail "$name: packets: $seen, not $((2 * flows)) in"
	[ "${got[spans]}" = "${got[roots]}" ] || fail "$name: spans that are no roots"
	[ "${got[spans]}" = "${got[ids]}" ] || fail "$name: spans with the same ids"
	# no record lost, so every packet is in exactly one report, with or without room for its flow
	[ "$(row "$name" records | awk '{ print $4 }')" = 0 ] || fail "$name: records were lost: $(row "$name" records)"
	[ "${got[packets]}" = $((2 * flows)) ] || fail "$name: reports tell of ${got[packets]} packets"
	[ "${got[tuples]} ${got[least]} ${got[most]}" = "$flows 2 2" ] ||
		fail "$name: ${got[tuples]} flows of ${got[least]} to ${got[most]} packets"
}

# Bytes of a flow in user space: struct flow, what its incomplete kind takes more, its place in the
# index, which doubles and is at least a quarter full, and in the pool of events.
flow_bytes=$((248 + 96 + 32 + 6))
# The rings, twice as each is mapped in a row with itself, tables of MAX_FLOWS and an eighth, batches.
memory_is_as_configured() { # NAME MAX_FLOWS
	local configured=$((2 * workers * ring_kb + ($2 + $2 / 8) * flow_bytes / 1024 + 2 * 1024))
	[ -z "$is_sanitized" ] || return 0
	say "$1: $peak_kb kB of at most 1.2 x $configured kB + 16 MiB"
	[ "$peak_kb" -le $((configured * 12 / 10 + 16384)) ] || fail "$1: more memory than configured"
}

run all $((flows + flows / 5))
[ "$(row all flows)" = "$flows $flows 0 0" ] || fail "flows: $(row all flows)"
[ "${got[spans]} ${got[traces]} ${got[repeated]} ${got[incomplete]}" = "$flows $flows 0 0" ] ||
	fail "not each flow once, whole"
memory_is_as_configured all $((flows + flows / 5))
if [ -z "$is_sanitized" ]; then
	[ $((user_kb * 1024 / flows)) -le 330 ] || fail "$((user_kb * 1024 / flows)) bytes a flow"
	[ $((kernel_kb * 1024 / flows)) -le 330 ] || fail "$((kernel_kb * 1024 / flows)) bytes a flow in the kernel"
fi

run third $((flows * 3 / 10))
# an eighth more than the map has, and what chance deals out unevenly
[ "$held_now" -le $((flows * 3 / 10 * 9 / 8 + 130)) ] || fail "$held_now flows are held"
[ "$(note third 'packets met a full flow map')" -gt "$flows" ] || fail "the pressure on the map is not counted"
[ "$(note third 'flows ended early to make room')" -gt 0 ] || fail "nor is the one on the table"
[ "$(note third 'flows reported from records alone')" = "${got[incomplete]}" ] ||
	fail "incomplete flows: $(note third 'flows reported from records alone') in the ledger, ${got[incomplete]} in spans"
[ "$(row third flows)" = "${got[spans]} ${got[spans]} 0 0" ] || fail "flows: $(row third flows)"
memory_is_as_configured third $((flows * 3 / 10))
# A worker that was held up for a moment under load, with a million flows to look through for those that it
# missed: it catches up, and no more records are lost.
records_lost() {
	ctl stall status --json | "$py" -c 'import json,sys
print([sum(r["lost"].values()) for r in json.load(sys.stdin)["ledger"] if r["stage"] == "records"][0])'
}
loses_no_more() {
	local before
	before=$(records_lost)
	tick 2
	[ "$(records_lost)" = "$before" ]
}
if [ -z "$is_sanitized" ]; then
	ns_add in-stall out-stall
	link_add_mute in-stall va out-stall vb
	ringspan_start stall in-stall --interface va --xdp-mode native --max-flows $((flows + flows / 5)) \
		--workers 1 --idle-timeout 600 --active-timeout 600 --events none --control "$dir/stall.sock" \
		--otlp-endpoint http://127.0.0.1:9 --shutdown-timeout 1
	link_queue out-stall vb
	in_ns out-stall "$load" vb $((flows / round_s)) 1 $round_s >"$dir/load.out" 2>"$dir/load.err"
	wait_for 30 "all flows are held" all_held stall "$flows"
	spawn load out-stall "$load" -r 3 vb $((flows / 10)) 1 10
	before=$(records_lost)
	kill -STOP "${pid_of[stall]}"
	tick 1.5
	kill -CONT "${pid_of[stall]}"
	wait_for 10 "the stall cost records" eval '[ "$(records_lost)" -gt "$before" ]'
	wait_for 15 "no more records are lost" loses_no_more
	is_gone "${pid_of[load]}" && fail "the load ended too early"
	say "stall: $(($(records_lost) - before)) records lost, and then no more"
	{ kill -KILL "${pid_of[load]}" && wait "${pid_of[load]}"; } 2>/dev/null || :
	ringspan_stop stall
fi
say "every packet in one report, no flow twice, memory as configured"
