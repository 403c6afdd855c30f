#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Traffic that means harm: floods of SYNs from random sources, a port scan, frames whose lengths
# contradict each other, and more records than the rings hold. Each time: every packet counted, every
# loss counted, memory within what was configured, an answer at any moment, a prompt end, and every
# packet handed on to the host, by the count of nftables behind ringspan.
. "$(dirname "$0")/lib.sh"
begin "$@"
need nft protoc

load=$build/tests/flow_load sink=$build/tests/flow_sink
[ -x "$load" ] && [ -x "$sink" ] || fail "$load or $sink is not built"
is_sanitized=
if grep -q __asan_init "$ringspan"; then is_sanitized=1; fi
# below a second on a machine of one's own; what is asked here is that nothing is stuck
patience_ms=20000
queue_mb=8 ring_kb=1024 max_flows=20000
export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
rss_kb() { awk '$1 == "VmHWM:" { print $2 }' "/proc/${pid_of[$1]}/status"; }
ctl() { "$ringspan" ctl "$2" "${@:3}" --control "$dir/$1.sock"; }
row() { awk -v s="$2" '$1 == s { print $'"$3"' }' "$dir/$1.err"; } # NAME STAGE COLUMN: 2 in, 6 lost
share() { sed -n "s/^$2 .* $3=\([0-9]*\).*/\1/p" "$dir/$1.err" | grep . || echo 0; } # NAME STAGE REASON
note() { sed -n "s/^note: \([0-9]*\) $2.*/\1/p" "$dir/$1.err" | grep . || echo 0; }

# What came through to the host's own stack, behind XDP and TC.
host_counts() { # NAME
	in_ns "in-$1" nft -j list counter netdev after passed |
		"$py" -c 'import json,sys; print([x["counter"]["packets"] for x in json.load(sys.stdin)["nftables"] if "counter" in x][0])'
}
host_count_begin() { # NAME
	in_ns "in-$1" nft -f - <<'N' || skip "this kernel has no nftables hook on a device"
table netdev after {
	counter passed { }
	chain behind { type filter hook ingress device va priority 0; policy accept; counter name passed; }
}
N
}

# Asks for the status as long as the load runs; the longest wait, the sampling intervals met.
watch() { # NAME
	local begun took
	worst_ms=0 asked=0
	: >"$dir/$1.intervals"
	until is_gone "${pid_of[load-$1]}"; do
		begun=$(ms)
		ctl "$1" status --json >"$dir/status" || fail "$1: no answer to ctl status"
		took=$(($(ms) - begun))
		[ "$took" -le "$worst_ms" ] || worst_ms=$took
		asked=$((asked + 1))
		sed -n 's/.*"interval":\([0-9]*\).*/\1/p' "$dir/status" >>"$dir/$1.intervals"
		tick 0.2
	done
}

# attack NAME XDP_MODE KIND FLOWS_PER_S PACKETS SECONDS [OPTION…]: ringspan at 1/1 with a small table,
# traces to a fast receiver, metrics to one that keeps them; what must hold of any traffic is checked.
attack() {
	local name=$1 mode=$2 kind=$3 rate=$4 packets=$5 seconds=$6 warm_kb stop_ms
	shift 6
	ns_add "in-$name" "out-$name"
	link_add_mute "in-$name" va "out-$name" vb
	host_count_begin "$name"
	spawn "traces-$name" "in-$name" "$sink"
	wait_for 20 "the receiver listens" grep -qs '^listening on ' "$dir/traces-$name.out"
	sink_start "metrics-$name" "in-$name"
	OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=$sink_url/v1/metrics \
		OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=$(sed -n 's/^listening on /http:\/\//p' "$dir/traces-$name.out")/v1/traces \
		ringspan_start "$name" "in-$name" --interface va --xdp-mode "$mode" --max-flows $max_flows \
		--workers 2 --ring-size ${ring_kb}K --idle-timeout 2 --interval 1 --queue-size ${queue_mb}M \
		--exporter otlp --control "$dir/$name.sock" --events none "$@"
	warm_kb=$(rss_kb "$name")
	link_queue "out-$name" vb
	spawn "load-$name" "out-$name" "$load" -k "$kind" vb "$rate" "$packets" "$seconds"
	watch "$name"
	wait_exit "load-$name" 5
	[ "$status" = 0 ] || fail "the load: $(cat "$dir/load-$name.err")"
	link_dropped_nothing "out-$name" vb
	sent=$(sed 's/.*packets=//' "$dir/load-$name.out")
	peak_kb=$(rss_kb "$name")
	stop_ms=$(ms)
	ringspan_stop "$name"
	stop_ms=$(($(ms) - stop_ms))
	sink_stop "metrics-$name"
	kill -TERM "${pid_of[traces-$name]}"
	wait_exit "traces-$name" 20
	eval "declare -gA got=($(tail -n 1 "$dir/traces-$name.out" | sed 's/\([a-z]*\)=\([0-9]*\)/[\1]=\2/g'))"
	say "$name: $sent packets in $seconds s, ${got[spans]} spans arrived; resident $warm_kb kB before and at" \
		"most $peak_kb kB after; $asked answers, the slowest in $worst_ms ms; stopped in $stop_ms ms"
	[ "$(row "$name" packets 2)" = "$sent" ] || fail "$name: $(row "$name" packets 2) packets counted"
	[ "$(host_counts "$name")" = "$sent" ] || fail "$name: $(host_counts "$name") packets reached the host"
	[ "$worst_ms" -le $patience_ms ] || fail "$name: an answer took $worst_ms ms"
	[ "$asked" -ge 3 ] || fail "$name: asked $asked times only"
	[ "$stop_ms" -le 13000 ] || fail "$name: stopped in $stop_ms ms"
	[ "${got[spans]} ${got[unread]}" = "${got[ids]} 0" ] || fail "$name: ${got[*]}"
	[ -n "$is_sanitized" ] || memory_is_bounded "$warm_kb"
}

# Tables of flows, 382 bytes each with all that belongs to them, rings mapped twice in a row, what may
# wait for two receivers, and batches.
memory_is_bounded() { # WARM_KB
	local most=$((max_flows * 9 / 8 * 382 / 1024 + 2 * 2 * ring_kb + 2 * queue_mb * 1024 + 2048))
	[ $((peak_kb - $1)) -le $((most + 16384)) ] || fail "$((peak_kb - $1)) kB more, configured are $most"
}

segments_are_exact() { # NAME
	"$tests/check_segments.py" exact "$dir/metrics-$1" va receive "$sent" 0 0 0 ||
		fail "$1: the counts of segments"
}

attack flood native syn 0 1 4 --exporter otlp,console
segments_are_exact flood
[ "$(note flood 'packets met a full flow map')" -gt 0 ] || fail "the flow map never was full: no attack"
[ "$(note flood 'flows ended early to make room')" -gt 0 ] || fail "the table never was full: no attack"
shown=$(row flood spans_console 3)
[ "$(grep -c ' tcp http ' "$dir/flood.out")" = "$shown" ] || fail "$shown lines were to be shown"
[ $((shown + $(share flood spans_console not_shown))) = "$(row flood spans_console 2)" ] ||
	fail "the console in a flood: $(grep '^spans_console' "$dir/flood.err")"
say "flood: lost: $(awk '$1 ~ /^[a-z_]+$/ && $6 ~ /^[1-9]/ { printf "%s ", $0 }' "$dir/flood.err" | tr -s ' ')"

attack auto native syn 0 1 12 --sample auto --budget 1000spans/s,200000records/s,0%cpu
segments_are_exact auto
# what was kept in the last seconds, and how often it had to be thought over
settled=$(tail -n "$(($(wc -l <"$dir/auto.intervals") / 3))" "$dir/auto.intervals")
changes=$(uniq <<<"$settled" | wc -l)
n=$(tail -n 1 <<<"$settled")
say "auto: at 1/$n in the end; met $(uniq "$dir/auto.intervals" | xargs); $(row auto records 2) records"
[ "$n" -gt 1 ] && [ "$changes" -le 2 ] || fail "auto does not settle: $(uniq "$dir/auto.intervals" | xargs)"
[ $((sent / 8 / n)) -le 1500 ] || fail "about $((sent / 8 / n)) flows a second are kept at 1/$n"

attack scan tc scan 20000 1 4 --metric-attributes server.port --metric-cap 100
segments_are_exact scan
"$py" - "$tests" "$dir/metrics-scan" "$sent" <<'P' || fail "the series of a scan"
import sys
sys.path.insert(0, sys.argv[1])
import otlp_read
last, most = {}, {}
for p in otlp_read.metrics(sys.argv[2]):
    if p["metric"] == "xdp.flow.packets":
        last[tuple(sorted(p["attributes"].items()))] = p["value"]
over = [v for k, v in last.items() if dict(k).get("otel.metric.overflow")]
assert len(last) <= 101, "%d series" % len(last)
assert len(over) == 1, "%d overflow series" % len(over)
assert sum(last.values()) == int(sys.argv[3]), "%d packets in series" % sum(last.values())
print("scan: %d series, %d packets in the one for the rest" % (len(last), over[0]))
P

for mode in native tc; do
	attack "bent-$mode" $mode bent 40000 1 4
	[ "$sent" -ge 100000 ] || fail "$sent bent frames only"
	say "bent-$mode: no part of a flow: $(share "bent-$mode" packets no_flow)"
	[ "$(share "bent-$mode" packets no_flow)" -gt 1000 ] || fail "the frames are not bent"
done

# Rings of 64 KiB hold 390 records, and a worker sleeps longer than they last.
ring_kb=64
attack ring native udp 0 6 4 --max-flows 200000
[ "$(share ring records ring_full)" -gt 0 ] || fail "the rings never were full: no attack"
say "ring: of $(row ring records 2) records $(share ring records ring_full) lost; kept packets:" \
	"$(grep '^kept_packets' "$dir/ring.err" | tr -s ' ')"
say "all is counted, nothing is stuck, every packet went on"
