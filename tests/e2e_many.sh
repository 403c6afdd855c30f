#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# 10,000 and 100,000 flows at the same time, at 1/1 with the default settings: all flows, all packets.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc

many() { # FLOWS PACKETS_OF_EACH
	made pcap make_capture.py many --flows "$1" --rounds "$2"
	capture=$made_path
	made json truth.py "$capture"
	truth=$made_path
	ns_add "in-$1" "out-$1"
	link_add_mute "in-$1" va "out-$1" vb
	sink_start "sink-$1" "in-$1"
	ringspan_start "rs-$1" "in-$1" --interface va --xdp-mode native --exporter otlp \
		--otlp-endpoint "$sink_url"
	begun=$(now_ns)
	replay "out-$1" vb "$capture"
	ended=$(now_ns)
	ringspan_stop "rs-$1"
	sink_stop "sink-$1"
	"$tests/check_flows.py" "$truth" "$dir/sink-$1" --interface va --from "$begun" --to "$ended"
	say "$1 concurrent flows: all of them, all packets"
}

many 10000 4
many 100000 3
