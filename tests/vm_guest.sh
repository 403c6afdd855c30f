#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What depends on the kernel: the programs load, attach in every way to a veth link, count exactly,
# share the interface through libxdp's dispatcher, and leave nothing behind, killed or not. Runs as
# root on the kernel that is there; vm_kernels.sh runs it on Debian's, in an emulated machine.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pings=20
pass=$build/tests/xdp_pass.bpf.o
# The programs in the dispatcher, by name.
guests() {
	in_ns a xdp-loader status va | sed -nE 's/^ *=> +[0-9]+ +([^ ]+).*/\1/p' | sort | xargs
}
guests_are() { [ "$(guests)" = "$1" ]; }
xdp_is_native() { in_ns a ip -d link show dev va | grep -qE 'prog/xdp id|xdpdrv'; }
xdp_is_free() { ! in_ns a ip -d link show dev va | grep -q 'prog/xdp'; }
filters() { in_ns a tc filter show dev va "$1" | grep -c ' handle ' || :; }
links_are_gone() { [ -z "$(bpftool link show)" ]; }
programs_are_gone() { ! bpftool prog show | grep -q ringspan_; }

has_tcx=
case $(uname -r) in
[1-5].* | 6.[0-5].*) ;;
*) has_tcx=1 ;;
esac

# A link over which only the pings of this test go, from b to a's va.
network_make() {
	ns_add a b
	link_add_mute a va b vb
	link_address4 a va b vb 1
}

ping_all() {
	in_ns b ping -q -c "$pings" -i 0.02 -W 5 10.77.1.1 >"$dir/ping.log" ||
		fail "ping: $(tail -n 3 "$dir/ping.log")"
}

passed() {
	bpftool -j map dump name xdp_pass.bss |
		"$py" -c 'import json, sys
print(json.load(sys.stdin)[0]["formatted"]["value"][".bss"][0]["passed"])'
}

# Each ping is one packet in and one out, and all of them one flow.
stop_and_count() { # NAME
	local seen spans
	ringspan_stop "$1"
	seen=$(awk '$1 == "packets" { print $2 }' "$dir/$1.err")
	[ "$seen" = $((2 * pings)) ] || fail "$1: ${seen:-no} packets in the ledger, not $((2 * pings))"
	spans=$(grep -c '10\.77\.1\.2.*10\.77\.1\.1' "$dir/$1.out" || :)
	[ "$spans" = 1 ] || fail "$1: $spans span lines of the pings, not 1"
}

filters_are() { # INGRESS EGRESS
	[ "$(filters ingress) $(filters egress)" = "$1 $2" ] ||
		fail "$(filters ingress) filters on ingress and $(filters egress) on egress, not $1 and $2"
}

# Where there is no TCX, TC programs are clsact filters.
filters_are_attached() { if [ -n "$has_tcx" ]; then filters_are 0 0; else filters_are "$@"; fi; }

nothing_is_left() {
	wait_for 20 "no XDP program on va" xdp_is_free
	filters_are 0 0
	wait_for 20 "no BPF link in the kernel" links_are_gone
}

# In the background: the rest only waits for the kernel's verifier too.
check_programs_start() { spawn test_kern a "$build/tests/test_kern"; }

check_programs_end() {
	wait_exit test_kern 200
	[ "$status" = 0 ] || fail "test_kern: exit code $status: $(
		cat "$dir"/test_kern.{out,err} | grep -A 3 -m 5 ERROR
	)"
	say "the programs load, test_kern passes"
	# packet mode is another program to the verifier; all of its tests would take too long here
	spawn test_kern_packet a "$build/tests/test_kern_packet" 'test_kern_packet_b*'
	wait_exit test_kern_packet 200
	[ "$status" = 0 ] || fail "test_kern_packet: exit code $status: $(
		cat "$dir"/test_kern_packet.{out,err} | grep -A 3 -m 5 ERROR
	)"
	say "the same in packet mode"
	for test in test_kern_filter_beside test_kern_quote_stays_in; do
		spawn "$test" a "$build/tests/$(cut -d_ -f1-3 <<<"$test")" "$test*"
		wait_exit "$test" 200
		[ "$status" = 0 ] || fail "$test: exit code $status: $(
			cat "$dir/$test".{out,err} | grep -A 3 -m 5 ERROR
		)"
	done
	say "with tunnels opened, trace links and a filter, too"
	wait_for 20 "no program of ringspan's in the kernel" programs_are_gone
}

kill_hard() { # NAME
	kill -KILL "${pid_of[$1]}"
	wait_for 20 "$1 is gone" is_gone "${pid_of[$1]}"
	wait "${pid_of[$1]}" 2>/dev/null || :
}

is_attached() { # native|tc
	case $1 in
	native) xdp_is_native && filters_are_attached 0 1 ;;
	tc) xdp_is_free && filters_are_attached 1 1 ;;
	esac
}

# What a link holds goes with its process; what stays is replaced by the next start, not added to.
check_alone() { # native|tc OPTION…
	local mode=$1
	shift
	ringspan_start "$mode-killed" a --interface va --exporter console "$@"
	is_attached "$mode" || fail "not attached as $mode"
	kill_hard "$mode-killed"
	wait_for 20 "no XDP program on va after a kill" xdp_is_free
	if [ "$mode" = tc ]; then filters_are_attached 1 1; else filters_are_attached 0 1; fi

	ringspan_start "$mode" a --interface va --exporter console "$@"
	is_attached "$mode" || fail "not attached as $mode after a kill"
	ping_all
	stop_and_count "$mode"
	nothing_is_left
	say "$mode: attached, started again after a kill, $pings pings counted exactly, nothing left"
}

check_shared() {
	local before
	in_ns a xdp-loader load -m native va "$pass" || fail "xdp-loader load: exit code $?"
	guests_are xdp_pass || fail "XDP programs before the start: $(guests)"

	ringspan_start shared-killed a --interface va --xdp-attach dispatcher --exporter console
	guests_are "ringspan_xdp xdp_pass" || fail "XDP programs after the start: $(guests)"
	kill_hard shared-killed
	guests_are "ringspan_xdp xdp_pass" || fail "XDP programs after a kill: $(guests)"

	ringspan_start shared a --interface va --xdp-attach dispatcher --exporter console
	guests_are "ringspan_xdp xdp_pass" || fail "XDP programs after the next start: $(guests)"
	before=$(passed)
	ping_all
	[ $(($(passed) - before)) = "$pings" ] || fail "the other program saw $before to $(passed) packets"
	stop_and_count shared
	guests_are xdp_pass || fail "XDP programs after the end: $(guests)"
	before=$(passed)
	ping_all
	[ $(($(passed) - before)) = "$pings" ] || fail "the other program is deaf after the end"

	in_ns a xdp-loader unload va --all || fail "xdp-loader unload: exit code $?"
	nothing_is_left
	say "shared: the dispatcher's two programs both see $pings pings, a killed one is replaced," \
		"the other one stays"
}

begin "$@"
need xdp-loader ping tc
say "kernel $(uname -r)"
network_make
check_programs_start
# all that makes the programs larger, in both sampling modes
pings_only='icmp and net 10.77.1.0/24 and not port 80'
check_alone native --xdp-mode native --xdp-attach link --filter "$pings_only" --decap --sample-mode packet
check_alone tc --xdp-mode tc --filter "$pings_only" --decap
check_shared
check_programs_end
