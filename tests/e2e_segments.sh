#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# At 1/10000, where hardly a flow is kept: SYN, SYN/ACK, FIN and RST are exact. tshark counts what is in
# the captures: all kinds of traffic, and a flood of 20,000 SYNs from random sources. Then buffers that
# captures do not have: headers outside the linear part, and the kernel's own TCP with its trains.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc

# What tshark sees by flag, of the outermost header: "SYN SYN_ACK FIN RST".
witness() { # CAPTURE
	local filter
	for filter in 'tcp.flags.syn==1 && tcp.flags.ack==0' 'tcp.flags.syn==1 && tcp.flags.ack==1' \
		'tcp.flags.fin==1' 'tcp.flags.reset==1'; do
		tshark -n -r "$1" -o ip.defragment:FALSE -o ipv6.defragment:FALSE \
			-Y "$filter && !icmp && !icmpv6 && !(ip.proto in {4, 47})" \
			-T fields -e frame.number 2>/dev/null | wc -l
	done | xargs
}

pair_start() { # ID IF: namespaces in-ID and out-ID; ringspan on va or vb, options follow
	local id=$1 if=$2 ns=in-$1
	shift 2
	[ "$if" = va ] || ns=out-$id
	sink_start "sink-$id" "$ns"
	ringspan_start "rs-$id" "$ns" --interface "$if" --sample 1/10000 --exporter otlp \
		--otlp-endpoint "$sink_url" "$@"
}

pair_stop() { # ID IF DIRECTION SYN SYN_ACK FIN RST
	local id=$1
	shift
	ringspan_stop "rs-$id"
	sink_stop "sink-$id"
	"$tests/check_segments.py" exact "$dir/sink-$id" "$@"
}

replayed() { # NAME CAPTURE COUNTS MODE DIRECTION
	local id=$1-$4-$5 if=va
	[ "$5" = receive ] || if=vb
	ns_add "in-$id" "out-$id"
	link_add_mute "in-$id" va "out-$id" vb
	pair_start "$id" "$if" --xdp-mode "$4"
	replay "out-$id" vb "$2"
	# shellcheck disable=SC2086
	pair_stop "$id" "$if" "$5" $3
	say "$1, $4, $5: exact"
}

made pcap make_capture.py mixed
mixed=$made_path
made pcap make_capture.py flood
flood=$made_path
in_mixed=$(witness "$mixed")
in_flood=$(witness "$flood")
[ "${in_flood%% *}" -ge 20000 ] || fail "the flood has $in_flood segments"
for way in 'native receive' 'tc receive' 'tc transmit'; do
	# shellcheck disable=SC2086
	replayed mixed "$mixed" "$in_mixed" $way
	# shellcheck disable=SC2086
	replayed flood "$flood" "$in_flood" $way
done

# Frames of which only the first 14 bytes are linear: 100 SYNs over IPv4, 200 FINs over IPv6, 300 RSTs in
# first fragments, and as many later ones.
scattered() { # DIRECTION
	local id=scattered-$1 if=va
	[ "$1" = receive ] || if=vb
	ns_add "in-$id" "out-$id"
	link_add "in-$id" va "out-$id" vb 9000
	pair_start "$id" "$if" --xdp-mode tc
	in_ns "out-$id" "$py" - "$tests" <<'P'
import socket
import struct
import sys

sys.path.insert(0, sys.argv[1])
import make_capture as mc

v4, v6 = (b"\x0a\1\0\1", b"\x0a\1\0\2"), (b"\xfd" + bytes(15), b"\xfd" + bytes(14) + b"\1")
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.setsockopt(263, 15, 1)  # PACKET_VNET_HDR: says how much is to be linear
out.bind(("vb", 0))


def segment(ends, flags):
    return mc.tcp(*ends, 1000, 80, 1, 1, flags, bytes(6000))


def send(packet):
    out.send(struct.pack("=BBHHHH", 0, 0, 14, 0, 0, 0) + mc.ether(packet))


for i in range(300):
    if i < 100:
        send(mc.ipv4(*v4, mc.TCP, segment(v4, mc.SYN)))
    if i < 200:
        send(mc.ipv6(*v6, mc.TCP, segment(v6, mc.FIN | mc.ACK)))
    send(mc.ipv4(*v4, mc.TCP, segment(v4, mc.RST), ident=i, frag=0x2000))
    send(mc.ipv4(*v4, mc.TCP, segment(v4, mc.RST), ident=i, frag=751))
P
	pair_stop "$id" "$if" "$1" 100 0 200 300
	say "headers outside the linear part, $1: exact"
}
scattered transmit
scattered receive

# 100 connections of the kernel's own TCP, half over IPv6; data and FIN often leave in one train.
talk() { # MODE
	local id=talk-$1 end
	ns_add "a-$id" "b-$id"
	link_add "a-$id" va "b-$id" vb
	link_address "a-$id" va "b-$id" vb 1
	for end in a b; do
		sink_start "sink-$end-$id" "$end-$id"
		ringspan_start "rs-$end-$id" "$end-$id" --interface "v$end" --xdp-mode "$1" \
			--sample 1/10000 --exporter otlp --otlp-endpoint "$sink_url"
	done
	in_ns "a-$id" "$py" - "b-$id" <<'P'
import ctypes
import os
import socket
import sys

listener = socket.create_server(("::", 9000), family=socket.AF_INET6, dualstack_ipv6=True)
if ctypes.CDLL(None).setns(os.open("/run/netns/" + sys.argv[1], os.O_RDONLY), 0x40000000):
    sys.exit("setns")
for i in range(100):
    with socket.create_connection(("10.77.1.1" if i % 2 else "fd77:1::1", 9000)) as client:
        server, _ = listener.accept()
        with server:
            client.sendall(bytes(30000))
            client.shutdown(socket.SHUT_WR)
            while server.recv(1 << 20):
                pass
        while client.recv(1):
            pass
P
	wait_for 20 "all connections are closed" all_closed "a-$id" "b-$id"
	for end in a b; do
		ringspan_stop "rs-$end-$id"
		sink_stop "sink-$end-$id"
	done
	"$tests/check_segments.py" peers "$dir/sink-a-$id" va "$dir/sink-b-$id" vb 100
	say "the kernel's own TCP, $1: equal on both ends"
}

all_closed() { # NS…
	local ns
	for ns in "$@"; do
		[ -z "$(in_ns "$ns" ss -Htan state connected exclude time-wait)" ] || return 1
	done
}
talk native
talk tc
