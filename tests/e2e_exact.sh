#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A million packets, counted to the packet and byte: receive and transmit, native XDP and TC, at 1/1 and
# 1/100. Then bulk TCP with segmentation offload and jumbo frames, where the other end and the kernel's
# own TCP counters are the witnesses.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc iperf3

capture_mixed --packets 50000

million() { # MODE DIRECTION SAMPLE
	local id=$1-$2-${3#1/} if=va ns
	ns_add "in-$id" "out-$id"
	link_add_mute "in-$id" va "out-$id" vb
	ns=in-$id
	[ "$2" = receive ] || ns=out-$id if=vb
	sink_start "sink-$id" "$ns"
	ringspan_start "rs-$id" "$ns" --interface "$if" --xdp-mode "$1" --sample "$3" \
		--exporter otlp --otlp-endpoint "$sink_url"
	replay "out-$id" vb "$capture" 20
	ringspan_stop "rs-$id"
	sink_stop "sink-$id"
	"$tests/check_counters.py" truth "$dir/sink-$id" --interface "$if" --direction "$2" \
		--truth "$truth" --loops 20
	say "1,000,000 packets, $1, $2, $3: exact"
	rm -rf "$dir/sink-$id"
}

# The last data and the closing may leave after the programs have ended: what one end then sends and the
# other receives must not fall between the two stops.
all_closed() { # NS…
	local ns
	for ns in "$@"; do
		[ -z "$(in_ns "$ns" ss -Htan state connected exclude time-wait)" ] || return 1
	done
}

iperf() { # IN OUT ADDRESS
	spawn "iperf-$1" "$1" iperf3 -s -1 --forceflush -B "$3"
	wait_for 20 "iperf3 listens" grep -qs listening "$dir/iperf-$1.out"
	in_ns "$2" iperf3 -c "$3" -n 200M >"$dir/iperf.log" 2>&1 || fail "iperf3: $(tail -n 2 "$dir/iperf.log")"
	wait_exit "iperf-$1" 20
}

bulk() { # MODE MTU: from b to a, ringspan on both ends
	local id=$1-$2 end ns
	ns_add "a-$id" "b-$id"
	link_add "a-$id" va "b-$id" vb "$2"
	link_address "a-$id" va "b-$id" vb 1
	for end in a b; do
		ns=$end-$id
		count_begin "$ns"
		link_queue "$ns" "v$end"
		sink_start "sink-$ns" "$ns"
		ringspan_start "rs-$ns" "$ns" --interface "v$end" --xdp-mode "$1" \
			--exporter otlp --otlp-endpoint "$sink_url"
	done
	iperf "a-$id" "b-$id" 10.77.1.1
	iperf "a-$id" "b-$id" fd77:1::1
	wait_for 20 "all connections are closed" all_closed "a-$id" "b-$id"
	ringspan_stop "rs-a-$id"
	ringspan_stop "rs-b-$id"
	sink_stop "sink-a-$id"
	sink_stop "sink-b-$id"
	link_dropped_nothing "a-$id" va
	link_dropped_nothing "b-$id" vb
	"$tests/check_counters.py" peers "$dir/sink-a-$id" va "$dir/sink-b-$id" vb
	"$tests/check_counters.py" total "$dir/sink-b-$id" --interface vb --direction transmit \
		--transport tcp --packets "$(count "b-$id" sent)"
	"$tests/check_counters.py" total "$dir/sink-a-$id" --interface va --direction transmit \
		--transport tcp --packets "$(count "a-$id" sent)"
	say "bulk TCP, $1, MTU $2: exact"
}

million native receive 1/1
million native receive 1/100
million tc receive 1/1
million tc receive 1/100
million tc transmit 1/1
million tc transmit 1/100
bulk native 1500
bulk tc 1500
bulk native 9000
bulk tc 9000

# UDP segmentation: one buffer through the stack, its datagrams on the wire.
udp_trains() { # MODE
	local id=udp-$1
	ns_add "a-$id" "b-$id"
	link_add "a-$id" va "b-$id" vb
	link_address "a-$id" va "b-$id" vb 1
	for end in a b; do
		sink_start "sink-$end-$id" "$end-$id"
		ringspan_start "rs-$end-$id" "$end-$id" --interface "v$end" --xdp-mode "$1" \
			--exporter otlp --otlp-endpoint "$sink_url"
	done
	link_queue "b-$id" vb
	# 500 trains of 20 datagrams of 1000 bytes, half over IPv6, to a port where somebody listens
	in_ns "a-$id" "$py" - "b-$id" <<'P'
import os, socket, sys

receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
receiver.bind(("::", 9000))
libc = __import__("ctypes").CDLL(None)
if libc.setns(os.open("/run/netns/" + sys.argv[1], os.O_RDONLY), 0x40000000):
    sys.exit("setns")
for family, address in ((socket.AF_INET, "10.77.1.1"), (socket.AF_INET6, "fd77:1::1")):
    sender = socket.socket(family, socket.SOCK_DGRAM)
    sender.setsockopt(17, 103, 1000)  # UDP_SEGMENT
    for train in range(250):
        sender.sendto(bytes(20000), (address, 9000))
P
	for end in a b; do
		ringspan_stop "rs-$end-$id"
		sink_stop "sink-$end-$id"
	done
	link_dropped_nothing "b-$id" vb
	"$tests/check_counters.py" total "$dir/sink-b-$id" --interface vb --direction transmit \
		--transport udp --packets 10000 --bytes $((5000 * 1042 + 5000 * 1062))
	"$tests/check_counters.py" total "$dir/sink-a-$id" --interface va --direction receive \
		--transport udp --packets 10000 --bytes $((5000 * 1042 + 5000 * 1062))
	say "UDP segment trains, $1: exact"
}
udp_trains native
udp_trains tc
