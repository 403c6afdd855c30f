#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Metrics of flows by port, type, transport and tenant: what tshark counts, at 1/1. With a cap, as deltas,
# from several workers, nothing is missing. At 1/10 they are estimates. Tenants on spans and metrics.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc

capture_mixed
cat >"$dir/tenants" <<'T'
# in the capture: clients in 10.0.0.0/16, 198.18.0.0/16, 2001:db8::/32 and fd00::/8
10.0.0.0/8          ten
10.0.4.0/22         four      # in ten
198.18.0.0/22       bench
172.16.0.0/28       servers   # some of them
2001:db8:ffff::/48  servers
fd00::/8            private
interface va        links
interface vb        nobody
T
printf '%064x\n' 4711 >"$dir/key"

# watched NAME LOOPS PPS OPTION…: the capture arrives so often and so fast
watched() {
	local id=$1 loops=$2 pps=$3
	shift 3
	ns_add "in-$id" "out-$id"
	link_add_mute "in-$id" va "out-$id" vb
	sink_start "sink-$id" "in-$id"
	ringspan_start "rs-$id" "in-$id" --interface va --xdp-mode native --exporter otlp \
		--otlp-endpoint "$sink_url" "$@"
	replay "out-$id" vb "$capture" "$loops" --pps "$pps"
	ringspan_stop "rs-$id"
	sink_stop "sink-$id"
}

watched exact 1 100000 --metric-attributes server.port,network.type,network.transport \
	--tenant-map "$dir/tenants"
"$tests/check_series.py" exact "$dir/sink-exact" "$truth" "$dir/tenants"
"$tests/check_series.py" tenants "$dir/sink-exact" "$dir/tenants"
"$tests/check_series.py" whole "$dir/sink-exact" 2000 1
official sink-exact
say "by port, type, transport and tenant: exact"

watched cap 10 120000 --metric-attributes source.subnet,network.io.direction --subnets 24,48 \
	--metric-cap 5 --workers 4 --interval 0.2 --active-timeout 0.2
"$tests/check_series.py" whole "$dir/sink-cap" 5 3
say "cap: 5 series and the overflow are the whole"

seen() { awk '$1 == "packets" {print $2}' "$dir/$1.err"; } # NAME
all=source.address,destination.address,source.subnet,destination.subnet,server.port
all=$all,network.type,network.transport,network.io.direction
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta watched delta 3 36000 --metric-attributes "$all" \
	--metric-cap 2000 --workers 4 --interval 0.2 --active-timeout 0.2
"$tests/check_series.py" whole "$dir/sink-delta" 2000 3
"$tests/check_metrics.py" delta "$dir/sink-delta" "$(seen rs-delta)"
say "deltas: 2000 series and the overflow are the whole"

watched sampled 1 100000 --metric-attributes server.port --sample 1/10 --site-key "$dir/key"
"$tests/check_series.py" estimates "$dir/sink-sampled" "$truth" 10
say "1/10: each flow counts ten times"
