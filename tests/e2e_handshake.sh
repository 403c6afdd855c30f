#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The span of a handshake has the times at which its segments passed, and says whose share of the round
# trip is whose; half a handshake has none.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc

ns_add in out
link_add_mute in va out vb
sink_start sink in
for mode in native tc; do
	ringspan_start "rs-$mode" in --interface va --xdp-mode "$mode" --exporter otlp \
		--otlp-endpoint "$sink_url"
	in_ns out "$py" "$tests/send_handshakes.py" vb >"$dir/sent-$mode.json"
	ringspan_stop "rs-$mode"
	say "$mode: $("$py" "$tests/send_handshakes.py" --check "$dir/sent-$mode.json" "$dir/sink")"
	rm "$dir"/sink/traces-*
done
sink_stop sink
