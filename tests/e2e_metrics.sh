#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Metrics lead to traces: points name spans that arrived; as deltas they add up to what was counted; and
# the export is told by OpenTelemetry's own names, too. And what packets cost in the kernel.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc ping
load=$build/tests/http_load
[ -x "$load" ] || fail "$load is not built"

ns_add client server
link_add client va server vb
link_add client vc server vd
link_address client va server vb 1
spawn server server "$load" server 10.77.1.2 80
wait_for 10 "the server listens" grep -qs listening "$dir/server.out"

packets() { awk '$1 == "packets" {print $2}' "$dir/$1.err"; } # NAME: seen
has_bodies() { [ "$(find "$dir/$1" -name "metrics-*.bin" | wc -l)" -ge "$2" ]; }

# watch NAME [OPTION…]: connections, with pauses, while metrics leave
watch() {
	local name=$1
	shift
	sink_start "sink-$name" client
	ringspan_start "rs-$name" client --interface va --interval 0.3 --active-timeout 0.4 \
		--exporter otlp --otlp-endpoint "$sink_url" "$@"
	in_ns client "$load" client 10.77.1.2 80 1 4 >"$dir/counts" || fail "connections were lost"
	# a flow that goes on, told of in several spans
	in_ns client ping -q -c 15 -i 0.1 10.77.1.2 >/dev/null
	in_ns client "$load" client 10.77.1.2 80 1 4 >"$dir/counts" || fail "connections were lost"
	# a span leaves some time after its flow: the 2 s that the kernel may hold its element, and 1 s
	wait_for 20 "spans" test -e "$dir/sink-$name/traces-000002.bin"
	wait_for 20 "metrics after them" has_bodies "sink-$name" 18
	ringspan_stop "rs-$name"
	sink_stop "sink-$name"
	official "sink-$name"
}

watch plain --interface vc
"$tests/check_metrics.py" exemplars "$dir/sink-plain"
"$tests/check_metrics.py" cost "$dir/sink-plain"
IFS=/: read -r _ _ _ address port <<<"$sink_url"
"$tests/check_metrics.py" sdk "$dir/sink-plain" "$address" "$port"
OTEL_METRICS_EXEMPLAR_FILTER=always_off \
	OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta watch delta
"$tests/check_metrics.py" delta "$dir/sink-delta" "$(packets rs-delta)"
"$tests/check_metrics.py" no-exemplars "$dir/sink-delta"
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=lowmemory watch low
"$tests/check_metrics.py" lowmemory "$dir/sink-low" "$(packets rs-low)"
say "points name spans; deltas add up; the export by the SDK's names"
