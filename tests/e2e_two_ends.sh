#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The same connection seen twice is one trace: by two processes that share a site key, one at each end of
# a link, and by one process on two interfaces of a router.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc
load=$build/tests/http_load
[ -x "$load" ] || fail "$load is not built"

head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$dir/key"
chmod 600 "$dir/key"

connections() { # CLIENT SERVER ADDRESS: 500 of them
	spawn "server-$2" "$2" "$load" server "$3" 80
	wait_for 10 "the server listens" grep -qs listening "$dir/server-$2.out"
	in_ns "$1" "$load" client "$3" 80 30 8 500 >"$dir/counts"
	[ "$(head -n 1 "$dir/counts")" = "connections 500" ] || fail "$(head -n 1 "$dir/counts")"
}

two_processes() {
	local end
	ns_add a b
	link_add a va b vb
	link_address a va b vb 1
	for end in a b; do
		sink_start "sink-$end" "$end"
		ringspan_start "rs-$end" "$end" --interface "v$end" --site-key "$dir/key" \
			--exporter otlp --otlp-endpoint "$sink_url"
	done
	connections a b 10.77.1.2
	ringspan_stop rs-a
	ringspan_stop rs-b
	sink_stop sink-a
	sink_stop sink-b
	"$tests/check_traces.py" 500 "$dir/sink-a" "$dir/sink-b"
	say "two processes, one site key: one trace, two spans"
}

two_interfaces() {
	ns_add left router right
	link_add left vl router r1
	link_address left vl router r1 1
	link_add router r2 right vr
	link_address router r2 right vr 2
	ip -n left route add default via 10.77.1.2
	ip -n right route add default via 10.77.2.1
	ns_sysctl router net/ipv4/ip_forward 1
	sink_start sink-router router
	ringspan_start rs-router router --interface r1 --interface r2 \
		--exporter otlp --otlp-endpoint "$sink_url"
	connections left right 10.77.2.2
	ringspan_stop rs-router
	sink_stop sink-router
	"$tests/check_traces.py" 500 "$dir/sink-router"
	official sink-router
	say "one process on two interfaces: one trace, two spans"
}

two_processes
two_interfaces
