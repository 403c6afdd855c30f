#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A router that says what it cannot do: unreachable, prohibited, time exceeded, too big; and a host without
# that port. Each error is an event of the span of the flow that it quotes, as tshark dissects it.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpdump protoc

# c va - vb r vc - vd s
network_make() {
	local ns
	ns_add c r s
	link_add c va r vb
	link_add r vc s vd
	link_address c va r vb 1
	link_address r vc s vd 2
	ns_sysctl r net/ipv4/ip_forward 1
	ns_sysctl r net/ipv6/conf/all/forwarding 1
	for ns in r s; do
		ns_sysctl "$ns" net/ipv4/icmp_ratelimit 0
		ns_sysctl "$ns" net/ipv6/icmp/ratelimit 0
	done
	ip -n r link set dev vc mtu 1300
	ip -n r route add unreachable 10.78.1.0/24
	ip -n r route add prohibit 10.78.2.0/24
	ip -n r route add unreachable fd78:1::/64
	ip -n r route add prohibit fd78:2::/64
	ip -n c route add default via 10.77.1.2
	ip -n c route add default via fd77:1::2
	ip -n s route add default via 10.77.2.1
	ip -n s route add default via fd77:2::1
}

errors_in() { # CAPTURE COUNT
	[ "$(tcpdump -n -r "$1" 'icmp or icmp6' 2>/dev/null | wc -l)" -ge "$2" ]
}

round() { # MODE PORT
	local mode=$1
	spawn "tcpdump-$mode" c tcpdump -i va -U -w "$dir/$mode.pcap"
	wait_for 20 "tcpdump listens" grep -q 'listening on' "$dir/tcpdump-$mode.err"
	sink_start "sink-$mode" c
	ringspan_start "rs-$mode" c --interface va --xdp-mode "$mode" --exporter otlp \
		--otlp-endpoint "$sink_url" --site-key "$dir/key"
	in_ns c "$py" - "$2" <<'PY'
import socket
import sys

port = int(sys.argv[1])
PROBE = 3  # whatever the path is known to take


def blame(kind, target, size=100, hops=0):
    """Sends until something comes back: a router sends one host unreachable a second. Ports are fixed, so
    are the flows' hashes then."""
    global port
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    out = socket.socket(family, kind)
    out.settimeout(20 if kind == socket.SOCK_STREAM else 0.3)
    out.bind(("", port))
    port += 1
    if family == socket.AF_INET6:
        out.setsockopt(socket.IPPROTO_IPV6, 23, PROBE)
        out.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR: soft errors are told, too
        if hops:
            out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    else:
        out.setsockopt(socket.IPPROTO_IP, 10, PROBE)
        out.setsockopt(socket.IPPROTO_IP, 11, 1)
        if hops:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
    for _ in range(60):
        try:
            out.connect((target, 33434))
            out.send(bytes(size))
            out.recv(1)
        except TimeoutError:
            continue
        except OSError as error:
            print(target, error)
            return
    sys.exit("no error about " + target)


for net in ("10.77.2.2", "fd77:2::2"):
    blame(socket.SOCK_DGRAM, net)
    blame(socket.SOCK_DGRAM, net, hops=1)
    blame(socket.SOCK_DGRAM, net, size=1400)
for net in ("10.78.1.2", "10.78.2.2", "fd78:1::2", "fd78:2::2"):
    blame(socket.SOCK_DGRAM, net)
    blame(socket.SOCK_STREAM, net)
PY
	wait_for 20 "all errors are captured" errors_in "$dir/$mode.pcap" 14
	ringspan_stop "rs-$mode"
	sink_stop "sink-$mode"
	kill -TERM "${pid_of[tcpdump-$mode]}"
	wait_exit "tcpdump-$mode" 20
	"$tests/check_icmp.py" "$dir/$mode.pcap" "$dir/sink-$mode" --least 14 \
		--unanswered 'SYN without answer: ICMP host unreachable' \
		'SYN without answer: ICMP administratively prohibited' \
		'SYN without answer: ICMP no route' \
		'SYN without answer: ICMP administratively prohibited'
	say "$mode: each error is told of by the flow it is about"
}

printf '%064x\n' 77 >"$dir/key"
chmod 600 "$dir/key"
network_make
round native 41000
round tc 42000
