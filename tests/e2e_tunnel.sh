#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Pings, TCP and datagrams through every kind of tunnel, with --decap and without. The witness is tshark
# on the far side of a bridge that takes segment trains apart: so what it sees are packets as on a wire,
# and ringspan, at native XDP and at TC, where whole trains come by, must count the same.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpdump protoc ping

kinds=(vxlan geneve gre gretap ipip sit ip6tnl)
declare -A device_of=(
	[vxlan]='type vxlan id 4711 dstport 4789 local LOCAL4 remote REMOTE4'
	[geneve]='type geneve id 815 remote REMOTE4'
	[gre]='type gre key 77 local LOCAL4 remote REMOTE4'
	[gretap]='type gretap key 78 local LOCAL4 remote REMOTE4'
	[ipip]='type ipip local LOCAL4 remote REMOTE4'
	[sit]='type sit local LOCAL4 remote REMOTE4'
	[ip6tnl]='type ip6tnl mode any local LOCAL6 remote REMOTE6')
declare -A id_of=([vxlan]=4711 [geneve]=815 [gre]=77 [gretap]=78 [ipip]=0 [sit]=0 [ip6tnl]=0)
addresses=() # of the far ends

# One end of a tunnel: the kernel's, where it has the kind, else tests/tunnel_end.py.
end_add() { # NS KIND NET ME OTHER
	local ns=$1 kind=$2 net=$3 me=$4 other=$5 dev=t-$2 how
	how=${device_of[$kind]//LOCAL4/10.77.1.$me}
	how=${how//REMOTE4/10.77.1.$other}
	how=${how//LOCAL6/fd77:1::$me}
	how=${how//REMOTE6/fd77:1::$other}
	# shellcheck disable=SC2086
	if ! ip -n "$ns" link add "$dev" $how 2>"$dir/link.log"; then
		[ -e /dev/net/tun ] || return 1
		case $kind in
		ip6tnl) how="fd77:1::$me fd77:1::$other" ;;
		*) how="10.77.1.$me 10.77.1.$other" ;;
		esac
		# shellcheck disable=SC2086
		spawn "end-$kind-$ns" "$ns" "$py" "$tests/tunnel_end.py" "$kind" "$dev" $how "${id_of[$kind]}"
		wait_for 20 "an end of $kind" grep -q ready "$dir/end-$kind-$ns.out"
		made_by="tunnel_end.py: this kernel has none"
	fi
	ip -n "$ns" link set "$dev" addrgenmode none mtu 1400 # no packets of its own
	ip -n "$ns" link set "$dev" up
	[ "$kind" = sit ] || ip -n "$ns" addr add "10.88.$net.$me/24" dev "$dev"
	[ "$kind" = ipip ] || ip -n "$ns" addr add "fd88:$net::$me/64" dev "$dev" nodad
}

tunnel_add() { # KIND NET
	made_by=kernel
	if ! end_add a "$1" "$2" 1 2 || ! end_add d "$1" "$2" 2 1; then
		say "$1: skipped: $(head -n 1 "$dir/link.log"), and there is no /dev/net/tun"
		return
	fi
	[ "$1" = sit ] || addresses+=("10.88.$2.2")
	[ "$1" = ipip ] || addresses+=("fd88:$2::2")
	say "$1: $made_by"
}

# a va - vb r(bridge) vc - vd d
network_make() {
	local net=0 kind ns
	ns_add a r d
	for ns in a d; do # multicast reports come at once, before anybody counts
		ns_sysctl "$ns" net/ipv6/conf/default/mldv2_unsolicited_report_interval 0
	done
	ns_sysctl r net/ipv6/conf/all/disable_ipv6 1 # the bridge says nothing of its own
	ns_sysctl r net/ipv6/conf/default/disable_ipv6 1
	link_add a va r vb 9000
	link_add r vc d vd 9000
	link_address a va d vd 1
	ip -n r link add name br0 mtu 9000 type bridge mcast_snooping 0
	ip -n r link set dev br0 addrgenmode none up
	ip -n r link set vb master br0
	ip -n r link set vc master br0 gso_max_segs 1
	for kind in "${kinds[@]}"; do
		net=$((net + 1))
		tunnel_add "$kind" "$net"
	done
}

talk() {
	local address
	for address in "${addresses[@]}"; do
		in_ns a ping -q -c 5 -i 0.01 -W 10 "$address" >"$dir/ping.log" ||
			fail "ping $address: $(tail -n 3 "$dir/ping.log")"
	done
	in_ns a timeout 100 "$py" "$tests/tunnel_talk.py" d va 10.77.1.2 "${addresses[@]}" ||
		fail "tunnel_talk: exit code $?"
}

is_quiet() { # all connections are closed and all that was sent has arrived
	local ns
	for ns in a d; do
		[ -z "$(in_ns "$ns" ss -Htan state connected exclude time-wait)" ] || return 1
	done
	local before
	before=$(ip -n r -s link show vc | cksum)
	tick "${1:-0.3}"
	[ "$before" = "$(ip -n r -s link show vc | cksum)" ]
}

crossed() { # vc, both ways: what tcpdump there has to see
	ip -n r -s -j link show dev vc | "$py" -c 'import json,sys
stats = json.load(sys.stdin)[0]["stats64"]
print(stats["rx"]["packets"] + stats["tx"]["packets"])'
}

has_packets() { # CAPTURE COUNT
	[ "$(tcpdump -n -r "$1" 2>/dev/null | wc -l)" -ge "$2" ]
}

buffers_sent() { # by va, a segment train being one
	ip -n a -s -j link show dev va |
		"$py" -c 'import json,sys; print(json.load(sys.stdin)[0]["stats64"]["tx"]["packets"])'
}

round() { # inner|outer OPTION…
	local what=$1 at ns if mode mac buffers before
	shift
	before=$(crossed)
	spawn "tcpdump-$what" r tcpdump -i vc -s 256 -B 65536 -U -w "$dir/$what.pcap"
	wait_for 20 "tcpdump listens" grep -q 'listening on' "$dir/tcpdump-$what.err"
	for at in 'a va tc' 'r vb tc' 'd vd native'; do
		read -r ns if mode <<<"$at"
		sink_start "sink-$what-$if" "$ns"
		ringspan_start "rs-$what-$if" "$ns" --interface "$if" --xdp-mode "$mode" --exporter otlp \
			--otlp-endpoint "$sink_url" "$@"
	done
	buffers=$(buffers_sent)
	talk
	wait_for 30 "silence" is_quiet
	for if in va vb vd; do
		ringspan_stop "rs-$what-$if"
		sink_stop "sink-$what-$if"
	done
	wait_for 30 "a whole capture" has_packets "$dir/$what.pcap" $(($(crossed) - before))
	kill -TERM "${pid_of[tcpdump-$what]}"
	wait_exit "tcpdump-$what" 20
	grep -q '^0 packets dropped by kernel' "$dir/tcpdump-$what.err" || skip "tcpdump lost packets"
	mac=$(mac_of a va)
	buffers=$(($(buffers_sent) - buffers))
	[ "$buffers" -lt "$(tcpdump -n -r "$dir/$what.pcap" "ether src $mac" 2>/dev/null | wc -l)" ] ||
		fail "$buffers buffers: no segment trains came by"
	for at in 'va --near' 'vb --far' 'vd --far'; do
		read -r if mode <<<"$at"
		"$tests/check_tunnels.py" "$what" "$dir/$what.pcap" "$dir/sink-$what-$if" --interface "$if" \
			"$mode" "$mac" --least "$least"
	done
	say "$what: every flow and all counters exact"
}

network_make
# addresses that are new are reported to multicast routers, again within seconds
wait_for 60 "hosts that have said who they are" is_quiet 4
least=3
[ -e /dev/net/tun ] || least=1
round inner --decap
least=0
round outer
