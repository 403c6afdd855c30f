#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Far too many flows for the map and far too many records for the rings: counters stay exact, what is lost
# is counted, and every account closes.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tcpreplay

made pcap make_capture.py mixed
loops=20
for workers in 1 2; do
	ns_add "in-$workers" "out-$workers"
	link_add_mute "in-$workers" va "out-$workers" vb
	ringspan_start "rs-$workers" "in-$workers" --interface va --exporter console \
		--max-flows 200 --ring-size 64K --workers "$workers"
	replay "out-$workers" vb "$made_path" "$loops"
	ringspan_stop "rs-$workers"
	seen=$(awk '$1 == "packets" { print $2 }' "$dir/rs-$workers.err")
	[ "$seen" = $((39038 * loops)) ] || fail "$seen packets counted, not $((39038 * loops))"
	grep -q 'met a full flow map' "$dir/rs-$workers.err" || fail "the flow map never was full: no overload"
	grep -q 'ended early to make room' "$dir/rs-$workers.err" || fail "the table never was full: no overload"
	say "$workers workers: $(grep '^kept_packets' "$dir/rs-$workers.err" | tr -s ' ')"
done
