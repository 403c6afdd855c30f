#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# peers - ringspan and others under the same load in the same run: what they cost, and what they report of
# it. See peers.md for the method, the flags and the variables that name other binaries.
#
#   peers.sh [--quick] [--only NAME,…] [--rounds N] [--markdown FILE] [--list]
#
# As root; RINGSPAN_BUILD: the build; BENCH_QUICK: as --quick. FILE gets the tables in Markdown, too.
#
# Fails where xdp_count, tc_count or ringspan at 1/1 count or report not all that was sent.
RINGSPAN_BUILD=$(realpath -m "${RINGSPAN_BUILD:-$(dirname "$0")/../build/release}")
. "$(dirname "$0")/../tests/lib.sh"

bench=$repo/bench
all=(none xdp_pass xdp_count tc_pass tc_count ringspan_tc_1 ringspan_tc_100 ringspan_tc_100p ringspan_xdp_1
	ringspan_xdp_100 ringspan_xdp_100p softflowd pmacctd tcpdump netobserv netobserv_100 mermin obi obi_tuples
	obi_100 hsflowd)
is_quick=${BENCH_QUICK:-} only='' rounds='' markdown=''
while [ $# -gt 0 ]; do
	case $1 in
	--quick) is_quick=1 ;;
	--only) only=${2:?} && shift ;;
	--rounds) rounds=${2:?} && shift ;;
	--markdown) markdown=$(realpath -m "${2:?}") && shift ;;
	--list) printf '%s\n' "${all[@]}" && exit ;;
	*) echo "peers: unknown option $1; see the top of peers.sh" >&2 && exit 64 ;;
	esac
	shift
done
# begin runs this again, in a namespace of its own
begin ${is_quick:+--quick} ${only:+--only "$only"} ${rounds:+--rounds "$rounds"} ${markdown:+--markdown "$markdown"}
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
[ -n "${missing[netobserv]:-}" ] || "$py" -c 'import grpc' 2>/dev/null ||
	missing[netobserv]="its receiver needs gRPC: apt install python3-grpcio"
given RINGSPAN_PEER_MERMIN mermin
[ -n "${missing[mermin]:-}" ] || [ -r "${RINGSPAN_PEER_MERMIN_CONFIG:-}" ] ||
	missing[mermin]="RINGSPAN_PEER_MERMIN_CONFIG does not name its configuration"
given RINGSPAN_PEER_OBI obi
given RINGSPAN_PEER_HSFLOWD hsflowd
for tool in netobserv_100 obi_tuples obi_100; do
	missing[$tool]=${missing[${tool%_*}]:-}
done

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
		flags[$tool]="skipped: ${missing[$tool]}"
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
	netobserv_100) echo tc 2 100 1 1 ;; # the rate is in each record
	obi_100) echo tc 2 100 0 1 ;;
	hsflowd) echo tc 2 100 0 1 ;; # scaled by the reader, as sFlow says
	*) echo tc 2 1 0 1 ;;
	esac
}
reports_flows() { case $1 in ringspan_*_1 | softflowd | pmacctd | netobserv | mermin | obi_tuples) ;; *) return 1 ;; esac; }
# OBI's are series of tuples, and with XDP it is the same user space as with TC
reports_connections() { reports_flows "$1" && [ "$1" != obi_tuples ] && [ "$1" != ringspan_xdp_1 ]; }

# ---- starting and stopping one; ID is LOAD.TOOL ----

peer_sink() { # ID NS KIND
	spawn "$1.sink" "$2" "$py" "$bench/peers_sink.py" "$3" "$sink_port"
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
watches() { # ID NS IF: its programs are loaded, and one of them attached there
	is_gone "${pid_of[$1]}" && fail "$1 ended before it was ready: $(tail -n 3 "$dir/$1.out" "$dir/$1.err")"
	grep -qs '^run_cnt' "/proc/${pid_of[$1]}"/fdinfo/* || return 1
	grep -qs '^link_type:.tcx' "/proc/${pid_of[$1]}"/fdinfo/* || tc -n "$2" filter show dev "$3" ingress | grep -q bpf
}
run_tool() { # ID NS COMMAND…: and remembers its flags
	local tool=${1#*.}
	[ -n "${flags[$tool]:-}" ] || flags[$tool]="${*:3}"
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
	peer_sink "$1" "$2" netflow
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
	peer_sink "$1" "$2" netflow
	run_tool "$1" "$2" pmacctd -f "$dir/$1.conf"
	[[ ${flags[pmacctd]} = *with* ]] || flags[pmacctd]+=" with $(tr -s '\n' ';' <"$dir/$1.conf")"
	wait_for 20 "$1 is ready" captures "$1" "$2"
}

start_peer() { # ID NS IF: one whose binary a variable names
	local tool=${1#*.}
	case $tool in
	netobserv*)
		peer_sink "$1" "$2" pbflow
		run_tool "$1" "$2" env INTERFACES="$3" AGENT_IP=127.0.0.1 TARGET_HOST=127.0.0.1 \
			TARGET_PORT="$sink_port" CACHE_MAX_FLOWS=120000 CACHE_ACTIVE_TIMEOUT=5s \
			SAMPLING=$([ "$tool" = netobserv ] && echo 0 || echo 100) "$RINGSPAN_PEER_NETOBSERV"
		;;
	mermin)
		otlp_sink "$1" "$2"
		sed "s|@IF@|$3|g; s|@ENDPOINT@|$otlp|g" "$RINGSPAN_PEER_MERMIN_CONFIG" >"$dir/$1.hcl"
		run_tool "$1" "$2" "$RINGSPAN_PEER_MERMIN" --config "$dir/$1.hcl"
		;;
	obi*)
		peer_sink "$1" "$2" metrics
		echo 'attributes: { select: { "*network_flow_bytes": { include: [src.address, dst.address, src.port, dst.port, transport] } } }' \
			>"$dir/$1.yml"
		run_tool "$1" "$2" env OTEL_EBPF_NETWORK_METRICS=true OTEL_EBPF_OTEL_METRICS_FEATURES=network \
			OTEL_EBPF_NETWORK_INTERFACES="$3" OTEL_EBPF_NETWORK_AGENT_IP=127.0.0.1 \
			OTEL_EBPF_NETWORK_SOURCE=tc OTEL_EBPF_NETWORK_CACHE_MAX_FLOWS=120000 \
			OTEL_EBPF_NETWORK_CACHE_ACTIVE_TIMEOUT=5s OTEL_EBPF_METRICS_INTERVAL=5s \
			OTEL_EBPF_NETWORK_SAMPLING=$([ "$tool" = obi_100 ] && echo 100 || echo 0) \
			OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:$sink_port" \
			OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf "$RINGSPAN_PEER_OBI" \
			$([ "$tool" != obi_tuples ] || echo "-config $dir/$1.yml")
		;;
	hsflowd)
		peer_sink "$1" "$2" sflow
		printf 'sflow {\n  agentIP = 127.0.0.1\n  sampling = 100\n  sampling.10G = 100\n  polling = 20\n  collector { ip = 127.0.0.1 udpport = %s }\n  epcap { dev = %s }\n}\n' \
			"$sink_port" "$3" >"$dir/$1.conf"
		run_tool "$1" "$2" "$RINGSPAN_PEER_HSFLOWD" -d -f "$dir/$1.conf" -p "$dir/$1.pid"
		[[ ${flags[hsflowd]} = *with* ]] || flags[hsflowd]+=" with $(tr -s '\n ' '; ' <"$dir/$1.conf")"
		;;
	esac
	wait_for 60 "$1 is ready" watches "$1" "$2" "$3"
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
	tries_until 60 is_gone "${pid_of[$1]}" || { say "$1 had to be killed" >&2 && kill -KILL "${pid_of[$1]}"; } || :
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
	obi* | hsflowd)
		end_process "$1"
		end_process "$1.sink"
		# OBI counts bytes alone, as does its default of labels no flows
		summed "$1" "$([ "$tool" = hsflowd ] && echo "tuples|packets|bytes|lost" ||
			([ "$tool" = obi ] && echo bytes || echo "tuples|bytes"))" | sed 's/lost=/said=/'
		;;
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
			softflowctl -c "$dir/$1.ctl" shutdown >/dev/null 2>&1 || : # without traffic it sees no signal
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
	local number=0
	shift 7
	"$py" "$bench/peers.py" capture "$flows" "$each" "$dir/$load.pcap"
	for tool; do
		id=$load.$tool macs=0 number=$((number + 1))
		ns_add "in-$id" "out-$id"
		# names of their own: NetObserv goes to all interfaces of a name, in whichever namespace
		link_add_mute "in-$id" "va$number" "out-$id" "vb$number"
		link_queue "out-$id" "vb$number"
		start_tool "$id" "in-$id" "va$number"
		read -r hook layer interval scale agent < <(facts "$tool")
		plan+=("$(printf '{"name":"%s","pid":%d,"ns":"out-%s","interface":"vb%d","hook":"%s","layer":%d,"interval":%d,"scale":%d,"is_agent":%d}' \
			"$tool" "${pid_of[$id]}" "$id" "$number" "$hook" "$layer" "$interval" "$scale" "$agent")")
	done
	printf '{"load":"%s","flows":%d,"capture":"%s","loops":%d,"repeats":%d,"rounds":%d,"statistics":%s,"quiet_s":%s,"tools":[%s]}\n' \
		"$load" "$flows" "$dir/$load.pcap" "$loops" "$repeats" "$count" "$statistics" "$quiet_s" \
		"$(IFS=,; echo "${plan[*]}")" >"$dir/$load.plan"
	step run "$dir/$load.plan" || fail "$load: not measured"
	for tool; do
		stop_tool "$load.$tool"
		ip netns del "in-$load.$tool"
		ip netns del "out-$load.$tool"
	done
	say "$load: done after $SECONDS s"
}

# connections_load NUMBER TOOL…: so many to a server beside each, then all have time to report
connections_load() {
	local count=$1 tool id ns out if number=0 pids=()
	shift
	for tool; do
		id=connections.$tool ns=in-connections.$tool out=out-connections.$tool macs=0 number=$((number + 1))
		if=va$number
		ns_add "$ns" "$out"
		link_add_mute "$ns" "$if" "$out" vb
		link_address4 "$ns" "$if" "$out" vb 1
		# few ports: each carries one connection after another
		ns_sysctl "$out" net/ipv4/ip_local_port_range "20000 22999"
		start_tool "$id" "$ns" "$if"
		pids+=("${pid_of[$id]}")
		spawn "$id.server" "$ns" "$load_http" server 10.77.1.1 80
		wait_for 10 "the server listens" grep -qs listening "$dir/$id.server.out"
		in_ns "$out" "$load_http" client 10.77.1.1 80 5 16 "$count" >"$dir/$id.counts" ||
			fail "$id: the client lost connections"
		end_process "$id.server" KILL
	done
	step settle "$quiet_s" "${pids[@]}"
	for tool; do
		id=connections.$tool
		stop_tool "$id"
		sed -n '1s/connections /truth=/p' "$dir/$id.counts" >>"$dir/$id.said"
		ip netns del "in-$id"
		ip netns del "out-$id"
	done
	say "connections: done after $SECONDS s"
}

those() { for tool in "${tools[@]}"; do "$1" "$tool" && echo "$tool"; done; } # FUNCTION that says which
mapfile -t reporting < <(those reports_flows)
mapfile -t connecting < <(those reports_connections)
references=("${tools[@]:1}") # all but none
# timeouts, and for OBI the interval of its metrics, too
quiet_s=6.5
[[ " ${tools[*]} " != *" obi "* ]] || quiet_s=12
if [ -n "$is_quick" ]; then
	frames_load 10k 10000 10 3 1 1 1 "${references[@]}"
else
	# six seconds without a pause: longer than the timeouts, so that flows are reported under load
	frames_load 10k 10000 10 6 3 1 1 "${references[@]}"
	frames_load 100k 100000 4 1 3 1 1 tc_pass xdp_pass "${reporting[@]}"
	frames_load 10k-pairs 10000 10 1 1 "${rounds:-7}" 0 "${tools[@]}"
	connections_load 12000 "${connecting[@]}"
fi

# ---- the tables ----

for tool in "${all[@]}"; do
	line=${flags[$tool]:-}
	line=${line//$dir\//}
	for given in "${!RINGSPAN_PEER_@}"; do line=${line//${!given}/${!given##*/}}; done
	[ -z "$line" ] || printf '%s\t%s\n' "$tool" "${line//$build\//}"
done >"$dir/flags"
dpkg-query -W -f '${Package} ${Version}\n' softflowd pmacct tcpdump tcpreplay >"$dir/versions" 2>/dev/null || :
status=0
"$py" "$bench/peers.py" table "$dir" "$build" ${markdown:+"$markdown"} || status=$?
say "done after $SECONDS s"
exit "$status"
