#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# With --trace-links a connection's span links to the traces that its HTTP requests belong to, on both
# hooks; without, no byte of them is looked at.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc

ns_add in out
link_add in va out vb
link_address in va out vb 1
sink_start sink in
spawn server in "$py" "$tests/trace_context.py" serve 10.77.1.1
wait_for 10 "the server listens" grep -qs listening "$dir/server.out"
see() { # MODE MOST OPTION…
	local mode=$1 most=$2
	shift 2
	ringspan_start "rs$most-$mode" in --interface va --xdp-mode "$mode" --exporter otlp \
		--otlp-endpoint "$sink_url" "$@"
	in_ns out "$py" "$tests/trace_context.py" ask 10.77.1.1 >"$dir/requests"
	ringspan_stop "rs$most-$mode"
	"$py" "$tests/trace_context.py" check "$dir/requests" "$dir/sink" "$most" >"$dir/checked" ||
		fail "$mode: the links are not what the requests were"
	say "$mode: $(cat "$dir/checked")"
	rm "$dir"/sink/traces-*
}
for mode in native tc; do
	see "$mode" 12 --trace-links
done
see native 0
sink_stop sink
