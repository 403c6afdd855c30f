# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# lib - what the end-to-end scripts share: namespaces and links, ringspan started and stopped, events
# waited for. To be sourced; a script calls begin "$@" first.
#
# Each script lives in a mount namespace with its own /run/netns and bpffs, and each process it starts
# dies with it. So scripts run side by side, and nothing stays behind even if one is killed.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=${tests%/tests}
build=${RINGSPAN_BUILD:-$repo/build/dev}
ringspan=${RINGSPAN_BINARY:-$build/user/ringspan}
py=/usr/bin/python3
scenario=$(basename "$0" .sh)
export PATH=$PATH:/usr/sbin:/sbin PYTHONDONTWRITEBYTECODE=1
unset "${!OTEL_@}"

dir=
started=()
declare -A pid_of
macs=0
exec {tick_fd}<> <(:)

say() { printf '%s: %s\n' "$scenario" "$*"; }
fail() {
	printf '%s: FAILED: %s\n' "$scenario" "$*" >&2
	exit 1
}
skip() {
	printf '%s: skipped: %s\n' "$scenario" "$*"
	exit 77
}

# ---- waiting ----

# A pause between two looks at something: the read has nothing to read and gives up.
tick() { read -rt "${1:-0.05}" -u "$tick_fd" || :; }

# tries_until SECONDS COMMAND…: looks again and again; false after the deadline.
tries_until() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		tick
	done
}

# wait_for SECONDS WHAT COMMAND…: the same, and a failure after the deadline.
wait_for() {
	local seconds=$1 what=$2
	shift 2
	tries_until "$seconds" "$@" || fail "not within $seconds s: $what"
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# ---- set up and tear down ----

cleanup() {
	local rc=$? pid log
	trap - EXIT INT TERM
	for pid in "${started[@]}"; do
		{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || :
	done
	if [ "$rc" != 0 ] && [ "$rc" != 77 ]; then
		find "$dir" -maxdepth 1 -name '*.err' -size +0 -printf '%T@ %p\n' | sort -n | tail -n 3 |
			while read -r _ log; do
				printf -- '--- end of %s:\n%s\n' "${log##*/}" "$(tail -n 40 "$log")" >&2
			done
	fi
	if [ -n "${RINGSPAN_KEEP:-}" ]; then
		say "files kept in $dir"
	else
		awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' /proc/mounts | xargs -r umount -l
		rm -rf "$dir"
	fi
	exit "$rc"
}

need() { # COMMAND…: tools without which this scenario cannot be seen
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed (tests/run.sh installs it)"
	done
}

begin() { # "$@" of the script
	[ "$(id -u)" = 0 ] || skip "needs root for network namespaces and BPF"
	need ip nsenter unshare setpriv bpftool "$py"
	[ -x "$ringspan" ] || fail "$ringspan is not built"
	if [ "${RINGSPAN_ISOLATED:-}" != $$ ]; then
		RINGSPAN_ISOLATED=$$ exec unshare --mount --propagation private -- "$0" "$@"
	fi
	mkdir -p /run/netns
	mount -t tmpfs tmpfs /run/netns
	mount -t bpf bpf /sys/fs/bpf
	dir=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-test.XXXXXX")
	trap cleanup EXIT
	trap 'exit 130' INT TERM
}

# ---- namespaces and links ----

# Not "ip netns exec": that hides the bpffs.
in_ns() { # NS COMMAND…
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" -- "$@"
}

ns_sysctl() { in_ns "$1" sh -c "echo '$3' >/proc/sys/$2"; } # NS KEY/WITH/SLASHES VALUE

ns_add() { # NS…
	local ns
	for ns in "$@"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
	done
}

# A veth pair of known addresses, silent by itself: no autoconfiguration, no link-local address.
link_add() { # NS_A IF_A NS_B IF_B [MTU]
	local end ns if
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	for end in "$1 $2" "$3 $4"; do
		read -r ns if <<<"$end"
		macs=$((macs + 1))
		ip -n "$ns" link set "$if" address "02:00:00:00:00:0$macs" mtu "${5:-1500}" \
			addrgenmode none
		ns_sysctl "$ns" "net/ipv6/conf/$if/router_solicitations" 0
		ns_sysctl "$ns" "net/ipv6/conf/$if/accept_ra" 0
	done
	ip -n "$1" link set "$2" up
	ip -n "$3" link set "$4" up
}

# A link over which only what a test sends travels: no IPv6, no addresses.
link_add_mute() { # as link_add
	ns_sysctl "$1" net/ipv6/conf/all/disable_ipv6 1
	ns_sysctl "$1" net/ipv6/conf/default/disable_ipv6 1
	ns_sysctl "$3" net/ipv6/conf/all/disable_ipv6 1
	ns_sysctl "$3" net/ipv6/conf/default/disable_ipv6 1
	link_add "$@"
}

mac_of() { ip -n "$1" -br link show dev "$2" | awk '{print $3}'; } # NS IF

# Addresses 10.77.N.1 and .2, and neighbours known, so that none are asked for.
link_address4() { # NS_A IF_A NS_B IF_B N
	ip -n "$1" addr add "10.77.$5.1/24" dev "$2"
	ip -n "$3" addr add "10.77.$5.2/24" dev "$4"
	ip -n "$1" neigh replace "10.77.$5.2" lladdr "$(mac_of "$3" "$4")" dev "$2" nud permanent
	ip -n "$3" neigh replace "10.77.$5.1" lladdr "$(mac_of "$1" "$2")" dev "$4" nud permanent
}

# And fd77:N::1 and ::2.
link_address() { # NS_A IF_A NS_B IF_B N
	local a=$1 b=$3 mac_a mac_b
	link_address4 "$@"
	mac_a=$(mac_of "$1" "$2") mac_b=$(mac_of "$3" "$4")
	ip -n "$a" addr add "fd77:$5::1/64" dev "$2" nodad
	ip -n "$b" addr add "fd77:$5::2/64" dev "$4" nodad
	ip -n "$a" neigh replace "fd77:$5::2" lladdr "$mac_b" dev "$2" nud permanent
	ip -n "$b" neigh replace "fd77:$5::1" lladdr "$mac_a" dev "$4" nud permanent
}

# ---- processes ----

# spawn NAME NS COMMAND…: in the background; output in $dir/NAME.out and .err, id in pid_of[NAME].
spawn() {
	local name=$1 ns=$2
	shift 2
	: >"$dir/$name.out" >"$dir/$name.err"
	nsenter --net="/run/netns/$ns" -- setpriv --pdeathsig KILL -- "$@" \
		>"$dir/$name.out" 2>"$dir/$name.err" </dev/null &
	pid_of[$name]=$!
	started+=("$!")
}

# wait_exit NAME SECONDS: its exit status in $status.
wait_exit() {
	wait_for "$2" "$1 ends" is_gone "${pid_of[$1]}"
	status=0
	wait "${pid_of[$1]}" || status=$?
}

# A line of an OTLP receiver on 127.0.0.1 of a namespace; its address comes back in $sink_url.
sink_start() { # NAME NS [OPTION…]
	local name=$1 ns=$2
	shift 2
	mkdir -p "$dir/$name"
	spawn "$name" "$ns" "$py" "$tests/otlp_sink.py" --dir "$dir/$name" "$@"
	wait_for 20 "$name listens" grep -qs '^listening on ' "$dir/$name.out"
	sink_url=$(sed -n 's/^listening on /http:\/\//p' "$dir/$name.out")
}

sink_stop() { # NAME
	kill -TERM "${pid_of[$1]}"
	wait_exit "$1" 20
}

ringspan_is_ready() {
	is_gone "${pid_of[$1]}" && fail "$1 ended before it was ready: $(tail -n 3 "$dir/$1.err")"
	grep -qs '^ringspan ready:' "$dir/$1.err"
}

# ringspan_start NAME NS OPTION…: at 1/1 where the options do not say otherwise, so that what a test
# sees does not hang on how fast the machine is.
ringspan_start() {
	local name=$1 ns=$2
	shift 2
	spawn "$name" "$ns" "$ringspan" --sample 1/1 "$@"
	wait_for 60 "$name is ready" ringspan_is_ready "$name"
}

# Stops as a person does, and demands what must hold every time: exit 0, every account closed.
ringspan_stop() { # NAME [SIGNAL]
	local name=$1
	kill "-${2:-TERM}" "${pid_of[$name]}" 2>/dev/null || :
	wait_exit "$name" 60
	[ "$status" = 0 ] || fail "$name: exit code $status, not 0"
	ledger_is_closed "$name"
}

ledger_is_closed() { # NAME
	[ "$(grep '^ledger: ' "$dir/$1.err" | tail -n 1)" = "ledger: closed" ] ||
		fail "$1: $(grep '^ledger: ' "$dir/$1.err" | tail -n 1 || echo 'no ledger printed')"
}

# The captured bodies, read by the official definitions where those are installed.
official() { # SINK
	local rc=0
	[ -x "$tests/official_protobuf.sh" ] || return 0
	"$tests/official_protobuf.sh" "$dir/$1" >"$dir/official.log" 2>&1 || rc=$?
	case $rc in
	0) say "$1: read without unknown fields by the official definitions" ;;
	77) say "$1: official definitions not available: $(tail -n 1 "$dir/official.log")" ;;
	*) fail "$1: official definitions: $(tail -n 5 "$dir/official.log")" ;;
	esac
}

# ---- traffic ----

# A generated file, kept in the build folder under a name that its making decides.
made() { # SUFFIX SCRIPT OPTION…: its path in $made_path
	local suffix=$1 script=$2 sum
	shift 2
	sum=$(cat "$tests/$script" - <<<"$*" | sha256sum | cut -c1-16)
	mkdir -p "$build/tests/made"
	made_path=$build/tests/made/${script%.py}-$sum.$suffix
	if [ ! -s "$made_path" ]; then
		"$py" "$tests/$script" "$@" --out "$made_path.$$"
		mv "$made_path.$$" "$made_path"
	fi
}

tx_dropped() { # NS IF
	ip -n "$1" -s -j link show dev "$2" |
		"$py" -c 'import json,sys; print(json.load(sys.stdin)[0]["stats64"]["tx"]["dropped"])'
}

# A full link pushes back on the queue put here instead of dropping, so that what was sent is what
# arrives; link_dropped_nothing says whether it was so, else a scenario would prove nothing.
link_queue() { tc -n "$1" qdisc replace dev "$2" root pfifo limit 1000; } # NS IF
link_dropped_nothing() { # NS IF
	[ "$(tx_dropped "$1" "$2")" = 0 ] || fail "the link itself dropped packets of $2"
}

# Sends a capture as fast as the link takes it.
replay() { # NS IF FILE [LOOPS [TCPREPLAY OPTION…]]
	local ns=$1 if=$2 file=$3 loops=${4:-1}
	shift $(($# < 4 ? 3 : 4))
	link_queue "$ns" "$if"
	[ $# -gt 0 ] || set -- --topspeed
	in_ns "$ns" tcpreplay -q -K --loop "$loops" "$@" -i "$if" "$file" >"$dir/replay.log" 2>&1 ||
		fail "tcpreplay: $(tail -n 3 "$dir/replay.log")"
	grep -q 'Failed packets: *0$' "$dir/replay.log" ||
		fail "tcpreplay: $(grep Failed "$dir/replay.log")"
	link_dropped_nothing "$ns" "$if"
}

# The generated capture and what is in it: $capture and $truth. Options are make_capture.py's.
capture_mixed() {
	made pcap make_capture.py mixed "$@"
	capture=$made_path
	made json truth.py "$capture"
	truth=$made_path
}

now_ns() { echo "${EPOCHREALTIME/./}000"; }

# What the kernel's own TCP counted in a namespace: see kernel_counts.py. So that a packet on loopback is
# a segment, count_begin comes first.
count_begin() { ip -n "$1" link set lo gso_max_segs 1; } # NS
count() { in_ns "$1" "$py" "$tests/kernel_counts.py" "$2"; } # NS sent|exchange
