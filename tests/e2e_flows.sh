#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every flow of a capture of known truth, at 1/1: exactly once, exact in both directions, in time.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc

capture_mixed
for mode in native tc; do
	ns_add "in-$mode" "out-$mode"
	link_add_mute "in-$mode" va "out-$mode" vb
	sink_start "sink-$mode" "in-$mode"
	ringspan_start "rs-$mode" "in-$mode" --interface va --xdp-mode "$mode" --sample 1/1 \
		--exporter otlp --otlp-endpoint "$sink_url"
	begun=$(now_ns)
	replay "out-$mode" vb "$capture"
	ended=$(now_ns)
	ringspan_stop "rs-$mode"
	sink_stop "sink-$mode"
	"$tests/check_flows.py" "$truth" "$dir/sink-$mode" --interface va --from "$begun" --to "$ended"
	"$tests/check_counters.py" truth "$dir/sink-$mode" --interface va --direction receive \
		--truth "$truth"
	official "sink-$mode"
	say "$mode: every flow once and exact"
done
