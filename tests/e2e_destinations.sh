#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Two backends, each with its own account: one takes all, one nothing. With a queue on disk what could not
# be sent at the end is held, not lost, and the next start sends it. And one on a host whose only IPv4
# address is 127.0.0.1.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc

ns_add client server
link_add_mute client va server vb
# who is there says nothing: it is sent what is not for it
ip -n client addr add 10.77.1.1/24 dev va
ip -n client neigh replace 10.77.1.9 lladdr "$(mac_of server vb)" dev va nud permanent

# UDP datagrams from so many ports: as many flows.
flows() { # COUNT
	in_ns client "$py" - "$1" <<'P'
import socket, sys
for port in range(20000, 20000 + int(sys.argv[1])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("10.77.1.1", port))
        s.sendto(b"x", ("10.77.1.9", 4000))
P
}

spans_in() { "$tests/otlp_read.py" "$dir/$1" | grep -c '"parent_span_id"'; } # SINK
# in out held lost of a row
row() { awk -v stage="$2" '$1 == stage {print $2, $3, $4, $6}' "$dir/$1.err"; } # NAME STAGE
demand_row() { # NAME STAGE "IN OUT HELD LOST"
	[ "$(row "$1" "$2")" = "$3" ] || fail "$1: row $2 is $(row "$1" "$2"), not $3"
}
demand_note() { grep -q "^note: $2" "$dir/$1.err" || fail "$1: no note: $2"; } # NAME PATTERN

two_destinations() {
	local good refusing
	sink_start good client
	good=$sink_url
	sink_start refusing client --fail 1000000 --status 400
	refusing=$sink_url
	ringspan_start rs client --interface va --interval 0.5 --exporter otlp \
		--otlp-endpoint "$good" --otlp-endpoint "$refusing"
	flows 40
	wait_for 20 "metrics" test -e "$dir/good/metrics-000003.bin"
	ringspan_stop rs
	sink_stop good
	sink_stop refusing
	[ "$(spans_in good)" = 40 ] || fail "$(spans_in good) spans arrived, not 40"
	demand_row rs spans "40 40 0 0"
	demand_row rs spans_otlp/1 "40 40 0 0"
	demand_row rs spans_otlp/2 "40 0 0 40"
	demand_note rs "destination 1 is $good/v1/traces, $good/v1/metrics$"
	demand_note rs "destination 2 is $refusing/v1/traces, $refusing/v1/metrics$"
	"$tests/otlp_read.py" "$dir/good" |
		grep '"ringspan.losses"' | grep '"metric_points"' | grep '"refused"' |
		grep '"destination": 2' >"$dir/losses" || fail "the second's losses are no metric"
	say "two backends: each with its own account"
}

queue_on_disk() {
	local address
	sink_start probe client
	address=${sink_url#http://}
	sink_stop probe
	ringspan_start away client --interface va --interval 0.5 --exporter otlp \
		--otlp-endpoint "http://$address" --queue-dir "$dir/queue" --shutdown-timeout 1
	flows 30
	wait_for 20 "the outage is said" grep -q "retrying" "$dir/away.err"
	ringspan_stop away
	demand_row away spans "30 30 0 0"
	demand_row away spans_otlp "30 0 30 0"
	demand_note away "30 spans, [0-9]* metric points wait in $dir/queue and are sent at the"
	sink_start back client --listen "$address"
	ringspan_start again client --interface va --interval 0.5 --exporter otlp \
		--otlp-endpoint "http://$address" --queue-dir "$dir/queue"
	flows 5
	ringspan_stop again
	sink_stop back
	demand_row again spans "5 5 0 0"
	demand_row again spans_otlp "35 35 0 0"
	demand_note again "[0-9]* items were found in the queue directory$"
	[ "$(spans_in back)" = 35 ] || fail "$(spans_in back) spans arrived, not 35"
	say "what waits on disk is held, and sent at the next start"
}

ipv6_only_host() {
	local host
	ns_add six peer
	link_add six v6 peer p6
	ip -n six addr add fd77:9::1/64 dev v6 nodad
	for host in 127.0.0.1 localhost; do
		sink_start "six-$host" six
		ringspan_start rs-six six --interface v6 --interval 0.2 --exporter otlp \
			--otlp-endpoint "http://$host:${sink_url##*:}"
		wait_for 20 "metrics at $host" test -e "$dir/six-$host/metrics-000001.bin"
		ringspan_stop rs-six
		sink_stop "six-$host"
	done
	say "a host with IPv6 only: 127.0.0.1 is reached"
}

two_destinations
queue_on_disk
ipv6_only_host
