#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Builds ringspan and shows it at work: on a link made for the purpose, or on a real interface.
set -euo pipefail

usage() {
	cat <<'U'
Usage: sudo compose/quickstart.sh [--interface IF] [--duration SECONDS] [--otlp-endpoint URL]
                                  [RINGSPAN OPTION...]

Installs what is missing (Debian 12), builds ringspan and runs it with spans as lines on the terminal.

  --interface IF        watch this interface; without it, two network namespaces with a link between
                        them are made, with HTTP, DNS-like, ping, refused and bulk traffic
  --duration SECONDS    end by itself; without it, Ctrl-C ends
  --otlp-endpoint URL   send spans and metrics there, too, such as http://localhost:4318 of compose/up.sh
  --help                this text

Further options go to ringspan. OTEL_EXPORTER_OTLP_ENDPOINT in the environment means the same as the option.
U
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repo/compose/packages.sh"
export PATH=$PATH:/usr/sbin:/sbin

interface=
options=()
while [ $# -gt 0 ]; do
	case $1 in
	--interface | -i) interface=${2:?--interface wants a name} && shift 2 ;;
	--interface=*) interface=${1#*=} && shift ;;
	--duration) options+=("--duration=${2:?--duration wants seconds}") && shift 2 ;;
	--otlp-endpoint | --otel-endpoint)
		export OTEL_EXPORTER_OTLP_ENDPOINT="${2:?$1 wants a URL}" && shift 2 ;;
	--otlp-endpoint=* | --otel-endpoint=*) export OTEL_EXPORTER_OTLP_ENDPOINT="${1#*=}" && shift ;;
	--help | -h) usage && exit 0 ;;
	*) options+=("$1") && shift ;;
	esac
done
[ "$(id -u)" = 0 ] || {
	echo "quickstart: needs root, to load BPF programs: sudo compose/quickstart.sh" >&2
	exit 1
}

packages_install "${packages_build[@]}" "${packages_demo[@]}"
log=$repo/build/quickstart.log
mkdir -p "$repo/build"
echo "==> building ringspan in build/release"
(cd "$repo" && cmake --preset release >"$log" 2>&1 &&
	cmake --build --preset release --target ringspan >>"$log" 2>&1) || {
	tail -n 30 "$log" >&2
	echo "quickstart: the build failed" >&2
	exit 1
}
ringspan=$repo/build/release/user/ringspan
mount_bpffs

exporter=console
[ -z "${OTEL_EXPORTER_OTLP_ENDPOINT:-}" ] || exporter=console,otlp

children=()
watcher=
name=ringspan-demo
cleanup() {
	local rc=$? i
	trap - EXIT INT TERM HUP
	for ((i = ${#children[@]} - 1; i >= 0; i--)); do # the client first, which would miss its server
		{ kill "${children[i]}" && wait "${children[i]}"; } 2>/dev/null || :
	done
	if [ -z "$interface" ]; then
		rm -f "${begin:-}"
		ip netns del "$name-a-$$" 2>/dev/null || :
		ip netns del "$name-b-$$" 2>/dev/null || :
	fi
	exit "$rc"
}
stop() { [ -z "$watcher" ] || kill -TERM "$watcher" 2>/dev/null || :; }
trap cleanup EXIT
trap stop INT TERM HUP

# Waits for ringspan itself, also when a signal interrupts the wait; its exit code is ours. It has a
# session of its own: a terminal's Ctrl-C goes to all of a session, and a second signal, ours, would end it
# before it has sent and printed what is left.
watch() { # COMMAND...
	local rc
	setsid setpriv --pdeathsig TERM "$@" &
	watcher=$!
	while :; do
		rc=0
		wait "$watcher" || rc=$?
		kill -0 "$watcher" 2>/dev/null || return "$rc"
	done
}

if [ -n "$interface" ]; then
	echo "==> watching $interface; Ctrl-C ends"
	watch "$ringspan" --interface "$interface" --exporter "$exporter" "${options[@]}"
	exit
fi

# Namespaces that a killed quickstart left behind.
for ns in $(ip netns list | awk -v n="$name" 'index($1, n) == 1 {print $1}'); do
	kill -0 "${ns##*-}" 2>/dev/null || ip netns del "$ns"
done

a=$name-a-$$ b=$name-b-$$
begin=$(mktemp -u /tmp/ringspan-demo.XXXXXX)
echo "==> two namespaces, $a (10.90.0.1, fd90::1) and $b (10.90.0.2, fd90::2), with a link between them"
ip netns add "$a"
ip netns add "$b"
ip link add demo0 netns "$a" type veth peer name demo1 netns "$b"
for end in "$a demo0 1" "$b demo1 2"; do
	read -r ns if n <<<"$end"
	ip -n "$ns" link set lo up
	ip -n "$ns" addr add "10.90.0.$n/24" dev "$if"
	ip -n "$ns" addr add "fd90::$n/64" dev "$if" nodad
	ip -n "$ns" link set "$if" up
done

# Starts a helper in a namespace (not by "ip netns exec", which hides the bpffs) and waits for its line
# "listening".
start_listener() { # NAMESPACE ARGUMENT...
	local ns=$1 out
	shift
	exec {out}< <(exec nsenter --net="/run/netns/$ns" -- setpriv --pdeathsig KILL /usr/bin/python3 "$repo/compose/demo_traffic.py" "$@")
	children+=("$!")
	read -rt 20 -u "$out" || {
		echo "quickstart: the demo's $1 did not start" >&2
		exit 1
	}
}

start_listener "$b" server
environment=()
if [ "$exporter" != console ]; then
	case $OTEL_EXPORTER_OTLP_ENDPOINT in
	http://*) ;;
	*)
		echo "quickstart: the demo's namespace reaches http:// endpoints only; use --interface for $OTEL_EXPORTER_OTLP_ENDPOINT" >&2
		exit 64
		;;
	esac
	rest=${OTEL_EXPORTER_OTLP_ENDPOINT#http://}
	path=/${rest#*/}
	[ "$path" != "/$rest" ] || path=
	host=${rest%%/*}
	[[ $host =~ :[0-9]+$ ]] || host=$host:80
	exec {here}</proc/self/ns/net
	start_listener "$b" forward 4318 "$host" "$here"
	environment=(env "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318$path")
	echo "==> spans and metrics go to $OTEL_EXPORTER_OTLP_ENDPOINT as well, through a forwarder into $b"
fi

echo "==> ringspan watches demo1 in $b; traffic comes from $a; Ctrl-C ends"
# the traffic begins when ringspan's lines on stderr say that it watches, so that it misses nothing
exec 3>&2 2> >(
	trap '' INT
	while IFS= read -r line; do
		printf '%s\n' "$line" >&3
		case $line in "ringspan ready:"*) touch "$begin" ;; esac
	done
)
(
	until [ -e "$begin" ]; do
		kill -0 $$ 2>/dev/null || exit 0
		read -rt 0.1 <> <(:) || :
	done
	exec nsenter --net="/run/netns/$a" -- setpriv --pdeathsig KILL \
		/usr/bin/python3 "$repo/compose/demo_traffic.py" client 10.90.0.2 fd90::2
) &
children+=("$!")
watch nsenter --net="/run/netns/$b" -- "${environment[@]}" "$ringspan" --interface demo1 --xdp-mode native --exporter "$exporter" \
	--idle-timeout 5 --interval 2 "${options[@]}"
