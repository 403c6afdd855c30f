#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# peers - ringspan and others under the same load in the same run: what they cost, and what they report of
# it. See peers.md for the method, the flags and the variables that name other binaries.
#
#   peers.sh [--quick] [--only NAME,…] [--rounds N] [--list]     root; RINGSPAN_BUILD: the build
#
# Fails where xdp_count, tc_count or ringspan at 1/1 count or report not all that was sent.
RINGSPAN_BUILD=$(realpath -m "${RINGSPAN_BUILD:-$(dirname "$0")/../build/release}")
. "$(dirname "$0")/../tests/lib.sh"

bench=$repo/bench
all=(none xdp_pass xdp_count tc_pass tc_count ringspan_tc_1 ringspan_tc_100 ringspan_tc_100p ringspan_xdp_1
	ringspan_xdp_100 ringspan_xdp_100p softflowd pmacctd tcpdump netobserv mermin obi hsflowd)
is_quick='' only='' rounds=''
while [ $# -gt 0 ]; do
	case $1 in
	--quick) is_quick=1 ;;
	--only) only=${2:?} && shift ;;
	--rounds) rounds=${2:?} && shift ;;
	--list) printf '%s\n' "${all[@]}" && exit ;;
	*) echo "peers: unknown option $1; there are --quick, --only NAME,…, --rounds N, --list" >&2 && exit 64 ;;
	esac
	shift
done
# begin runs this again, in a namespace of its own
begin ${is_quick:+--quick} ${only:+--only "$only"} ${rounds:+--rounds "$rounds"}
need tcpreplay
attach=$build/bench/peers_attach sink=$build/tests/flow_sink load_http=$build/tests/http_load
for made in "$attach" "$sink" "$load_http"; do
	[ -x "$made" ] || fail "$made is not built"
done
sink_port=9995

# ---- which tools ----

declare -A missing=() flags=()
has() { command -v "$1" >/dev/null || missing[$2]="no $1: apt install $3"; } # COMMAND TOOL PACKAGE
given() { # VARIABLE TOOL
	if [ -z "${!1:-}" ]; then
		missing[$2]="$1 does not name its binary"
	elif [ ! -x "${!1}" ]; then
		missing[$2]="$1: ${!1} cannot be run"
	fi
}
has softflowd softflowd softflowd
has pmacctd pmacctd pmacct
has tcpdump tcpdump tcpdump
given RINGSPAN_PEER_NETOBSERV netobserv
given RINGSPAN_PEER_MERMIN mermin
[ -n "${missing[mermin]:-}" ] || [ -r "${RINGSPAN_PEER_MERMIN_CONFIG:-}" ] ||
	missing[mermin]="RINGSPAN_PEER_MERMIN_CONFIG does not name its configuration"
given RINGSPAN_PEER_OBI obi
given RINGSPAN_PEER_HSFLOWD hsflowd

is_wanted() { # TOOL: the references always are
	local want
	case $1 in none | xdp_pass | tc_pass) return 0 ;; esac
	[ -n "$only" ] || return 0
	for want in ${only//,/ }; do
		[[ $1 = "$want" || $1 = "$want"_* ]] && return 0
	done
	return 1
}
tools=()
for tool in "${all[@]}"; do
	is_wanted "$tool" || continue
	if [ -n "${missing[$tool]:-}" ]; then
		say "$tool skipped: ${missing[$tool]}"
	else
		tools+=("$tool")
	fi
done

# hook, layer at which it counts bytes, 1/N, whether what it reports says how to scale, whether an agent
facts() { # TOOL
	case $1 in
	none) echo none 2 1 0 0 ;;
	xdp_*) echo xdp 2 1 0 0 ;;
	tc_*) echo tc 2 1 0 0 ;;
	ringspan_*_1) echo "$(cut -d_ -f2 <<<"$1")" 2 1 0 1 ;;
	ringspan_*_100p) echo "$(cut -d_ -f2 <<<"$1")" 2 100 0 1 ;; # spans have estimates
	ringspan_*) echo "$(cut -d_ -f2 <<<"$1")" 2 100 1 1 ;;
	softflowd | pmacctd) echo pcap 3 1 0 1 ;;
	tcpdump) echo pcap 2 1 0 1 ;;
	hsflowd) echo tc 2 100 1 1 ;;
	*) echo tc 2 1 0 1 ;;
	esac
}
reports_flows() { case $1 in ringspan_*_1 | softflowd | pmacctd | netobserv | mermin) ;; *) return 1 ;; esac; }

# ---- starting and stopping one; ID is LOAD.TOOL ----

udp_sink() { # ID NS
	spawn "$1.sink" "$2" "$py" "$bench/peers_sink.py" "$sink_port"
	wait_for 20 "the receiver of $1 listens" grep -qs listening "$dir/$1.sink.out"
}
otlp_sink() { # ID NS: its address in $otlp
	spawn "$1.sink" "$2" "$sink"
	wait_for 20 "the receiver of $1 listens" grep -qs '^listening on ' "$dir/$1.sink.out"
	otlp=$(sed -n 's/^listening on /http:\/\//p' "$dir/$1.sink.out")
}
captures() { # ID NS: it has a packet socket
	is_gone "${pid_of[$1]}" && fail "$1 ended before it was ready: $(tail -n 3 "$dir/$1.err")"
	in_ns "$2" awk 'END { exit NR < 2 }' /proc/net/packet
}
holds_programs() { # ID
	is_gone "${pid_of[$1]}" && fail "$1 ended before it was ready: $(tail -n 3 "$dir/$1.err")"
	grep -qs '^run_cnt' "/proc/${pid_of[$1]}"/fdinfo/*
}
run_tool() { # ID NS COMMAND…: and remembers its flags
	local tool=${1#*.}
	flags[$tool]="${*:3}"
	spawn "$@"
}

start_ringspan() { # ID NS IF HOOK RATE
	local options=(--interface "$3" --xdp-mode "$4" --active-timeout 5 --idle-timeout 4)
	case $5 in
	1) options+=(--sample 1/1) ;;
	100) options+=(--sample 1/100) ;;
	100p) options+=(--sample 1/100 --sample-mode packet) ;;
	esac
	[ "$4" != xdp ] || options[3]=native
	otlp_sink "$1" "$2"
	run_tool "$1" "$2" "$ringspan" "${options[@]}" --otlp-endpoint "$otlp" --control none --events none
	wait_for 60 "$1 is ready" ringspan_is_ready "$1"
}

start_softflowd() { # ID NS IF
	local timeout timeouts=()
	for timeout in tcp tcp.rst tcp.fin udp icmp general maxlife; do
		timeouts+=(-t "$timeout=5")
	done
	udp_sink "$1" "$2"
	run_tool "$1" "$2" softflowd -d -i "$3" -v 10 -n "127.0.0.1:$sink_port" -m 200000 "${timeouts[@]}" \
		-t expint=1 -p "$dir/$1.pid" -c "$dir/$1.ctl"
	wait_for 20 "$1 is ready" captures "$1" "$2"
}

start_pmacctd() { # ID NS IF
	cat >"$dir/$1.conf" <<-C
		daemonize: false
		pcap_interface: $3
		aggregate: src_host, dst_host, src_port, dst_port, proto, tos
		plugins: nfprobe
		plugin_buffer_size: 10240
		plugin_pipe_size: 10240000
		nfprobe_receiver: 127.0.0.1:$sink_port
		nfprobe_version: 10
		nfprobe_timeouts: tcp=5:tcp.rst=5:tcp.fin=5:udp=5:icmp=5:general=5:maxlife=5:expint=1
	C
	udp_sink "$1" "$2"
	run_tool "$1" "$2" pmacctd -f "$dir/$1.conf"
	flags[pmacctd]+=" with $(tr -s '\n' ';' <"$dir/$1.conf")"
	wait_for 20 "$1 is ready" captures "$1" "$2"
}

start_peer() { # ID NS IF: one whose binary a variable names
	local tool=${1#*.}
	case $tool in
	netobserv)
		udp_sink "$1" "$2"
		run_tool "$1" "$2" env INTERFACES="$3" EXPORT=ipfix+udp TARGET_HOST=127.0.0.1 \
			TARGET_PORT="$sink_port" CACHE_MAX_FLOWS=120000 CACHE_ACTIVE_TIMEOUT=5s \
			DIRECTION=both "$RINGSPAN_PEER_NETOBSERV"
		;;
	mermin)
		otlp_sink "$1" "$2"
		sed "s|@IF@|$3|g; s|@ENDPOINT@|$otlp|g" "$RINGSPAN_PEER_MERMIN_CONFIG" >"$dir/$1.hcl"
		run_tool "$1" "$2" "$RINGSPAN_PEER_MERMIN" --config "$dir/$1.hcl"
		;;
	obi)
		otlp_sink "$1" "$2"
		run_tool "$1" "$2" env OTEL_EBPF_NETWORK_METRICS=true OTEL_EBPF_METRICS_FEATURES=network \
			OTEL_EBPF_NETWORK_INTERFACES="$3" \
			OTEL_EBPF_NETWORK_SOURCE=tc OTEL_EBPF_NETWORK_CACHE_MAX_FLOWS=120000 \
			OTEL_EBPF_NETWORK_CACHE_ACTIVE_TIMEOUT=5s OTEL_EXPORTER_OTLP_ENDPOINT="$otlp" \
			OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf "$RINGSPAN_PEER_OBI"
		;;
	hsflowd)
		printf 'sflow {\n  sampling = 100\n  sampling.10G = 100\n  polling = 20\n  collector { ip = 127.0.0.1 udpport = %s }\n  epcap { dev = %s }\n}\n' \
			"$sink_port" "$3" >"$dir/$1.conf"
		run_tool "$1" "$2" "$RINGSPAN_PEER_HSFLOWD" -d -f "$dir/$1.conf" -p "$dir/$1.pid"
		;;
	esac
	wait_for 60 "$1 is ready" holds_programs "$1"
}

start_tool() { # ID NS IF
	local tool=${1#*.}
	case $tool in
	none) pid_of[$1]=0 ;;
	xdp_* | tc_*)
		run_tool "$1" "$2" "$attach" "$3" "$tool"
		wait_for 20 "$1 is ready" grep -qs ready "$dir/$1.out"
		;;
	ringspan_*) start_ringspan "$1" "$2" "$3" "$(cut -d_ -f2 <<<"$tool")" "$(cut -d_ -f3 <<<"$tool")" ;;
	softflowd) start_softflowd "$@" ;;
	pmacctd) start_pmacctd "$@" ;;
	tcpdump)
		run_tool "$1" "$2" tcpdump -n -i "$3" -w /dev/null
		wait_for 20 "$1 is ready" grep -qs 'listening on' "$dir/$1.err"
		;;
	*) start_peer "$@" ;;
	esac
}

end_process() { # ID [SIGNAL]
	kill "-${2:-TERM}" "${pid_of[$1]}" 2>/dev/null || :
	tries_until 30 is_gone "${pid_of[$1]}" || kill -KILL "${pid_of[$1]}" 2>/dev/null || :
	wait "${pid_of[$1]}" 2>/dev/null || :
}
# What a receiver has summed, of these keys, with the names that the table uses.
summed() { sed 's/^tuples=/flows=/' < <(tail -n 1 "$dir/$1.sink.out" | tr ' ' '\n' | grep -E "^($2)=") | tr '\n' ' '; } # ID KEYS
number() { grep -oE '[0-9]+' <<<"$1" | head -n 1 || echo 0; } # TEXT

stop_ringspan() { # ID
	local keys="tuples|packets|bytes"
	ringspan_stop "$1"
	end_process "$1.sink"
	[[ $1 != *100p ]] || keys="tuples|guessed"
	summed "$1" "$keys" | sed 's/guessed=/packets=/'
	echo "connections=$(summed "$1" roots | tr -dc 0-9)"
	awk '$1 == "kept_packets" { print "said=" $6 } $1 == "packets" { print "counted=" $2 }' "$dir/$1.err"
}

# Writes what it and its receiver say to ID.said.
stop_tool() { # ID
	local tool=${1#*.} lost=0
	case $tool in
	none) ;;
	*_pass) end_process "$1" ;;
	xdp_count | tc_count) end_process "$1" && cat "$dir/$1.out" ;;
	ringspan_*) stop_ringspan "$1" ;;
	tcpdump)
		end_process "$1" INT
		echo "packets=$(number "$(grep 'packets captured' "$dir/$1.err")")" \
			"said=$(number "$(grep 'dropped by kernel' "$dir/$1.err")")"
		;;
	obi | hsflowd) end_process "$1" ;;
	mermin)
		end_process "$1"
		end_process "$1.sink"
		summed "$1" "tuples|packets|bytes"
		echo "connections=$(summed "$1" roots | tr -dc 0-9)"
		;;
	*)
		if [ "$tool" = softflowd ]; then
			softflowctl -c "$dir/$1.ctl" statistics >"$dir/$1.statistics" 2>&1 || :
			lost=$(awk '/dropped/ && /libpcap|kernel/ { n = $NF } END { print n + 0 }' "$dir/$1.statistics")
		fi
		end_process "$1" INT
		[ "$tool" != pmacctd ] || lost=$(sed -n 's/.*dropped_packets=//p' "$dir/$1.err" | tail -n 1)
		end_process "$1.sink"
		summed "$1" "tuples|packets|bytes|asked" | sed 's/asked=/connections=/'
		echo "said=${lost:-0}"
		grep -q 'dropped=0 unread=0' "$dir/$1.sink.out" || say "$1: the receiver: $(tail -n 1 "$dir/$1.sink.out")" >&2
		;;
	esac >"$dir/$1.said"
}

# ---- loads ----

# In the background, so that this script ends at once when it is told to, and the step with it.
step() { # COMMAND ARGUMENT…
	setpriv --pdeathsig KILL -- "$py" "$bench/peers.py" "$@" &
	started+=("$!")
	wait "$!"
}

# frames_load LOAD FLOWS EACH LOOPS REPEATS ROUNDS STATISTICS TOOL…: a part is FLOWS * EACH * LOOPS packets,
# REPEATS of them come one after the other, and that in each round
frames_load() {
	local load=$1 flows=$2 each=$3 loops=$4 repeats=$5 count=$6 statistics=$7 tool id plan=() hook layer interval scale agent
	shift 7
	"$py" "$bench/peers.py" capture "$flows" "$each" "$dir/$load.pcap"
	for tool; do
		id=$load.$tool macs=0
		ns_add "in-$id" "out-$id"
		link_add_mute "in-$id" va "out-$id" vb
		link_queue "out-$id" vb
		start_tool "$id" "in-$id" va
		read -r hook layer interval scale agent < <(facts "$tool")
		plan+=("$(printf '{"name":"%s","pid":%d,"ns":"out-%s","hook":"%s","layer":%d,"interval":%d,"scale":%d,"is_agent":%d}' \
			"$tool" "${pid_of[$id]}" "$id" "$hook" "$layer" "$interval" "$scale" "$agent")")
	done
	printf '{"load":"%s","flows":%d,"capture":"%s","loops":%d,"repeats":%d,"rounds":%d,"statistics":%s,"tools":[%s]}\n' \
		"$load" "$flows" "$dir/$load.pcap" "$loops" "$repeats" "$count" "$statistics" \
		"$(IFS=,; echo "${plan[*]}")" >"$dir/$load.plan"
	step run "$dir/$load.plan" || fail "$load: not measured"
	for tool; do
		stop_tool "$load.$tool"
		ip netns del "in-$load.$tool"
		ip netns del "out-$load.$tool"
	done
	say "$load: done after $SECONDS s"
}

connections_load() { # TOOL
	local id=connections.$1 ns=in-connections.$1 out=out-connections.$1
	macs=0
	ns_add "$ns" "$out"
	link_add_mute "$ns" va "$out" vb
	ip -n "$ns" addr add 10.77.1.1/24 dev va
	ip -n "$out" addr add 10.77.1.2/24 dev vb
	ip -n "$ns" neigh replace 10.77.1.2 lladdr "$(mac_of "$out" vb)" dev va nud permanent
	ip -n "$out" neigh replace 10.77.1.1 lladdr "$(mac_of "$ns" va)" dev vb nud permanent
	# few ports: each carries one connection after another
	ns_sysctl "$out" net/ipv4/ip_local_port_range "20000 22999"
	start_tool "$id" "$ns" va
	spawn "$id.server" "$ns" "$load_http" server 10.77.1.1 80
	wait_for 10 "the server listens" grep -qs listening "$dir/$id.server.out"
	in_ns "$out" "$load_http" client 10.77.1.1 80 5 16 "$connections" >"$dir/$id.counts" ||
		fail "$id: the client lost connections"
	step settle "${pid_of[$id]}"
	stop_tool "$id"
	end_process "$id.server" KILL
	sed -n '1s/connections /truth=/p' "$dir/$id.counts" >>"$dir/$id.said"
	ip netns del "$ns"
	ip netns del "$out"
}

flow_tools() { for tool in "${tools[@]}"; do reports_flows "$tool" && echo "$tool"; done; }
mapfile -t reporting < <(flow_tools)
references=("${tools[@]:1}") # all but none
if [ -n "$is_quick" ]; then
	connections=6000
	frames_load 10k 10000 10 2 2 1 1 "${references[@]}"
else
	connections=12000
	# six seconds without a pause: longer than the timeouts, so that flows are reported under load
	frames_load 10k 10000 10 6 3 1 1 "${references[@]}"
	frames_load 100k 100000 4 1 3 1 1 tc_pass xdp_pass "${reporting[@]}"
	frames_load 10k-pairs 10000 10 1 1 "${rounds:-7}" 0 "${tools[@]}"
fi
for tool in $(flow_tools); do
	[ "$tool" = ringspan_xdp_1 ] || connections_load "$tool"
done

# ---- the tables ----

echo
awk -F': ' '/model name/ { print "machine: " $2; exit }' /proc/cpuinfo
echo "kernel $(uname -r), $(nproc) CPUs, $("$ringspan" --version)"
for tool in "${tools[@]}"; do
	line=${flags[$tool]:-}
	line=${line//$dir\//}
	[ -z "$line" ] || echo "$tool: ${line//$build\//}"
done
for package in softflowd pmacct tcpdump tcpreplay; do
	dpkg-query -W -f '${Package} ${Version}\n' "$package" 2>/dev/null || :
done
echo
"$py" "$bench/peers.py" table "$dir"
