#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# However ringspan ends, nothing of it is left, nothing of others is touched, and the next start works;
# and while it runs, interfaces and receivers may come and go.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc

capture_mixed

# ---- what there is in the kernel ----

programs_of() { # NAME: ids of the BPF programs that a process holds
	awk '$1 == "prog_id:" { print $2 }' "/proc/${pid_of[$1]}"/fdinfo/* | sort -u
}

programs_gone() { # ID…
	local id
	for id in "$@"; do
		! bpftool prog show id "$id" >/dev/null 2>&1 || return 1
	done
}

# Programs, qdiscs and filters of others and ours on an interface, as text to compare.
attached() { # NS IF
	ip -n "$1" -d link show dev "$2" | grep -o 'xdp.*' || :
	tc -n "$1" qdisc show dev "$2"
	tc -n "$1" filter show dev "$2" ingress
	tc -n "$1" filter show dev "$2" egress
}

nothing_left() { # NS ID…: programs, pins and locks of a ringspan that ended by itself
	local ns=$1 inode
	shift
	wait_for 10 "its programs are gone" programs_gone "$@"
	[ -z "$(ls -A /sys/fs/bpf/ringspan 2>/dev/null)" ] || fail "a pin is left: $(ls /sys/fs/bpf/ringspan)"
	inode=$(stat -Lc %i "/run/netns/$ns")
	[ -z "$(find /run/ringspan -name "if-$(printf %x "$inode")-*" 2>/dev/null)" ] ||
		fail "a lock is left in /run/ringspan"
}

received_at_least() { # NS IF PACKETS
	[ "$(ip -n "$1" -s -j link show dev "$2" |
		"$py" -c 'import json,sys; print(json.load(sys.stdin)[0]["stats64"]["rx"]["packets"])')" -ge "$3" ]
}

pair() { # ID: namespaces in-ID and out-ID
	ns_add "in-$1" "out-$1"
	link_add_mute "in-$1" va "out-$1" vb
}

load_start() { # ID: packets without end
	link_queue "out-$1" vb
	spawn "load-$1" "out-$1" tcpreplay -q --topspeed --loop 1000000 -i vb "$capture"
	wait_for 30 "packets flow" received_at_least "in-$1" va 20000
}

load_stop() {
	kill -KILL "${pid_of[load-$1]}"
	wait "${pid_of[load-$1]}" 2>/dev/null || :
}

# ---- the scenes ----

term_under_load() { # MODE
	local id=term-$1 before ids
	pair "$id"
	before=$(attached "in-$id" va)
	sink_start "sink-$id" "in-$id"
	ringspan_start "rs-$id" "in-$id" --interface va --xdp-mode "$1" --interval 0.5 \
		--exporter otlp --otlp-endpoint "$sink_url"
	mapfile -t ids < <(programs_of "rs-$id")
	[ "${#ids[@]}" -ge 2 ] || fail "only ${#ids[@]} programs are loaded"
	load_start "$id"
	wait_for 30 "metrics arrive" test -e "$dir/sink-$id/metrics-000002.bin"
	ringspan_stop "rs-$id"
	load_stop "$id"
	sink_stop "sink-$id"
	nothing_left "in-$id" "${ids[@]}"
	[ "$(attached "in-$id" va)" = "$before" ] || fail "the interface is not as it was"
	[ "$("$tests/otlp_read.py" "$dir/sink-$id" | grep -c '"parent_span_id"')" -ge 1000 ] || fail "few spans"
	say "SIGTERM under load, $1: flushed, closed, nothing left"
}

xdp_attached() { # NS IF: id of the program there
	ip -n "$1" -d link show dev "$2" | awk '$1 == "prog/xdp" { print $3 }'
}

kill_and_restart() { # NAME OPTION…
	local id=kill-$1 killed ids begun ended
	shift
	pair "$id"
	sink_start "sink-$id" "in-$id"
	ringspan_start "killed-$id" "in-$id" --interface va "$@" --exporter otlp \
		--otlp-endpoint "$sink_url"
	mapfile -t killed < <(programs_of "killed-$id")
	load_start "$id"
	kill -KILL "${pid_of[killed-$id]}"
	wait "${pid_of[killed-$id]}" 2>/dev/null || :
	load_stop "$id"
	# what hangs on links goes with the process; what libxdp attached stays for the next start
	[ "$id" = kill-dispatcher ] || wait_for 10 "its programs are gone" programs_gone "${killed[@]}"
	rm -f "$dir/sink-$id"/*.bin
	ringspan_start "rs-$id" "in-$id" --interface va "$@" --exporter otlp --otlp-endpoint "$sink_url"
	wait_for 10 "the killed one's programs are gone" programs_gone "${killed[@]}"
	mapfile -t ids < <(programs_of "rs-$id")
	if [ "$id" = kill-native ] || [ "$id" = kill-dispatcher ]; then
		[[ " ${ids[*]} " = *" $(xdp_attached "in-$id" va) "* ]] ||
			fail "the program on va is not the new process's"
	fi
	begun=$(now_ns)
	replay "out-$id" vb "$capture"
	ended=$(now_ns)
	ringspan_stop "rs-$id"
	sink_stop "sink-$id"
	"$tests/check_flows.py" "$truth" "$dir/sink-$id" --interface va --from "$begun" --to "$ended"
	"$tests/check_counters.py" truth "$dir/sink-$id" --interface va --direction receive \
		--truth "$truth"
	nothing_left "in-$id" "${ids[@]}" "${killed[@]}"
	[ -z "$(xdp_attached "in-$id" va)" ] || fail "an XDP program is left"
	say "kill -9, then a start, $*: works, one program, exact"
}

others_stay() {
	local before
	pair others
	ip -n in-others link set dev va xdpdrv obj "$build/tests/xdp_pass.bpf.o" sec xdp
	tc -n in-others qdisc add dev va clsact
	tc -n in-others qdisc add dev va root pfifo limit 777
	for way in ingress egress; do
		tc -n in-others filter add dev va $way prio 1 handle 1 bpf direct-action \
			obj "$build/tests/tc_pass.bpf.o" sec tc
	done
	before=$(attached in-others va)
	sink_start sink-others in-others
	ringspan_start rs-others in-others --interface va --exporter otlp --otlp-endpoint "$sink_url"
	replay out-others vb "$capture"
	ringspan_stop rs-others
	sink_stop sink-others
	"$tests/check_counters.py" truth "$dir/sink-others" --interface va --direction receive \
		--truth "$truth"
	[ "$(attached in-others va)" = "$before" ] ||
		fail "others' programs were touched: $before → $(attached in-others va)"
	spawn busy in-others "$ringspan" --interface va --xdp-mode native --xdp-attach link
	wait_exit busy 20
	[ "$status" = 1 ] || fail "native XDP beside another program: exit code $status, not 1"
	grep -q 'another XDP program' "$dir/busy.err" || fail "does not name the other XDP program"
	[ "$(attached in-others va)" = "$before" ] || fail "others' programs were touched by a failed start"
	say "others' XDP program, filters and qdisc: as they were"
}

one_each() {
	pair one
	ringspan_start rs-one in-one --interface va --exporter console
	spawn second in-one "$ringspan" --interface va --exporter console
	wait_exit second 20
	[ "$status" = 1 ] || fail "a second ringspan on an interface: exit code $status, not 1"
	grep -q "${pid_of[rs-one]}" "$dir/second.err" || fail "the second does not name the first"
	ringspan_stop rs-one
	say "a second ringspan on an interface is refused"
}

says() { grep -q "$2" "$dir/$1.err"; } # NAME PATTERN

interfaces_change() {
	pair if
	link_add_mute in-if vc out-if vd
	ringspan_start rs-if in-if --interface va --interface vc --exporter console
	ip -n in-if link set vc down
	wait_for 10 "vc is said to be down" says rs-if 'vc.*down'
	ip -n in-if link set vc name vnew
	wait_for 10 "the new name is said" says rs-if 'vc.*vnew'
	ip -n in-if link set vnew up
	wait_for 10 "vnew is said to be up" says rs-if 'vnew.*up'
	replay out-if vd "$capture"
	ip -n in-if link del vnew
	wait_for 10 "vnew is said to be gone" says rs-if 'vnew.*gone'
	kill -0 "${pid_of[rs-if]}" || fail "ended with an interface left"
	replay out-if vb "$capture"
	ip -n in-if link del va
	wait_exit rs-if 30
	[ "$status" = 1 ] || fail "without interfaces: exit code $status, not 1"
	says rs-if 'no interface' || fail "does not say that no interface is left"
	ledger_is_closed rs-if
	grep -q '^packets  *78076 ' "$dir/rs-if.err" || fail "not all packets are in the ledger"
	say "interfaces down, up, renamed, deleted: said, counted, closed"
}

mirror_is() { # PACKETS BYTES
	bpftool -j map lookup pinned /sys/fs/bpf/ringspan/xdp_stats_map key 0 0 0 0 2>/dev/null | "$py" -c '
import json, sys
value = json.load(sys.stdin).get("value", [])
data = bytes(int(byte, 16) for byte in value)
seen = [int.from_bytes(data[i:i + 8], "little") for i in (0, 8)]
sys.exit(seen != [int(text) for text in sys.argv[1:]])' "$1" "$2" 2>/dev/null
}

receiver_comes_later() {
	local begun ended
	pair late
	ringspan_start rs-late in-late --interface va --xdp-mode native --interval 0.5 \
		--exporter otlp --otlp-endpoint http://127.0.0.1:4318
	begun=$(now_ns)
	replay out-late vb "$capture"
	ended=$(now_ns)
	wait_for 10 "xdp_stats_map has the totals" mirror_is 39038 15049862
	wait_for 20 "the failure is said" says rs-late '127.0.0.1:4318'
	sink_start sink-late in-late --listen 127.0.0.1:4318
	wait_for 60 "metrics arrive" test -e "$dir/sink-late/metrics-000001.bin"
	ringspan_stop rs-late
	sink_stop sink-late
	[ "$(grep -c '127.0.0.1:4318' "$dir/rs-late.err")" -le 4 ] || fail "says it again and again"
	"$tests/check_flows.py" "$truth" "$dir/sink-late" --interface va --from "$begun" --to "$ended"
	say "no receiver at the start: runs on, says so once, delivers all later"
}

term_under_load native
term_under_load tc
kill_and_restart native --xdp-mode native
kill_and_restart tc --xdp-mode tc
kill_and_restart dispatcher --xdp-mode native --xdp-attach dispatcher
others_stay
one_each
interfaces_change
receiver_comes_later
