#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# interop_configs - the files of compose/ for the Collector and Prometheus, read by the real programs: no
# mistake in them, and each alert fires when it should and is silent when it should not.
#
# They are programs from the cache that interop/build.sh fills.
. "$(dirname "$0")/lib.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

is_built() { # SERVER: its path in $program
	program=$("$tests/interop/build.sh" --path "$1")
	[ -x "$program" ] || say "$1 is not built; with Go, and minutes: tests/interop/build.sh $1"
	[ -x "$program" ]
}
run() { # WHAT COMMAND…
	local what=$1
	shift
	"$@" >"$dir/said" 2>&1 || fail "$what: $(cat "$dir/said")"
}

prometheus_files() {
	cd "$repo/compose/prometheus"
	run "promtool check config" "$program" check config --lint=all --lint-fatal prometheus.yaml
	run "promtool check rules" "$program" check rules --lint=all --lint-fatal rules/ringspan.yaml
	run "promtool test rules" "$program" test rules rules/ringspan.test.yaml
	# an alert without a test proves nothing
	local alert
	for alert in $(sed -n 's/^ *- alert: //p' rules/ringspan.yaml); do
		grep -q "alertname=\"$alert\",.*severity" rules/ringspan.test.yaml ||
			fail "no test in which $alert fires"
	done
	say "Prometheus: configuration, rules and their tests are right"
}

# Of datadog.yaml all but its exporter, which is not in this build: another takes its place.
collector_files() {
	local config=$repo/compose/collector/config.yaml file
	export QUEUE_DIRECTORY=$dir/queue NEW_RELIC_LICENSE_KEY=k GRAFANA_CLOUD_AUTH=a \
		GRAFANA_CLOUD_OTLP_ENDPOINT=https://example.com/otlp DD_API_KEY=k RECEIVER_TOKEN=t
	run "the Collector's file" "$program" validate --config "$config"
	RINGSPAN_METRICS_EXPORTERS='[prometheus]' run "one way" "$program" validate --config "$config"
	! RINGSPAN_METRICS_EXPORTERS='[nobody]' "$program" validate --config "$config" \
		>"$dir/said" 2>&1 || fail "an exporter that does not exist is taken"
	for file in "$repo"/compose/collector/examples/*.yaml; do
		sed -e 's/^  datadog:$/  otlp_http\/datadog:\n    endpoint: http:\/\/localhost/' \
			-e '/^    api:$/,/^      site:/d' -e 's/\bdatadog\]/otlp_http\/datadog]/' \
			"$file" >"$dir/${file##*/}"
		run "${file##*/}" "$program" validate --config "$config" --config "$dir/${file##*/}"
	done
	say "Collector: its file and the examples are taken"
}

seen=0
! is_built promtool || { prometheus_files && seen=1; }
! is_built collector || { collector_files && seen=1; }
[ $seen = 1 ] || skip "neither promtool nor the Collector is built"
