#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Five seconds of short HTTP connections at 1/1, each client port used many times: every connection
# once, as its own trace; the client's count and the kernel's TCP counters are the truth.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc
load=$build/tests/http_load
[ -x "$load" ] || fail "$load is not built"

ns_add client server
link_add client va server vb
link_address client va server vb 1
# a narrow range: each port carries one connection after another
ns_sysctl client net/ipv4/ip_local_port_range "20000 21999"
sink_start sink client
ringspan_start rs client --interface va --sample 1/1 --exporter otlp --otlp-endpoint "$sink_url"
spawn server server "$load" server 10.77.1.2 80
wait_for 10 "the server listens" grep -qs listening "$dir/server.out"
in_ns client "$load" client 10.77.1.2 80 5 16 >"$dir/counts" || fail "the client lost connections"
ringspan_stop rs
sink_stop sink
read -r packets packets_back bytes bytes_back < <(count server exchange)
"$tests/check_connections.py" "$dir/counts" "$dir/sink" --packets "$packets" "$packets_back" \
	--bytes "$bytes" "$bytes_back"
official sink
say "every connection once and exact"
