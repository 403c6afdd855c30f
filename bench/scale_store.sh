#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# scale_store - what SCALE.md says of other people's servers, measured: bytes on disk of a span in Jaeger with its
# badger storage, and spans that a core of a Collector takes in, batches and sends on (with gzip both ways).
# The servers are those that tests/interop/build.sh has built; one that is not there is skipped.
#
#   scale_store.sh     root; RINGSPAN_BUILD: the build (default: release)
RINGSPAN_BUILD=${RINGSPAN_BUILD:-$(dirname "$0")/../build/release}
. "$(dirname "$0")/../tests/lib.sh"
begin "$@"
need protoc curl
export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"

bench=$repo/bench send=$build/bench/scale_send
[ -x "$send" ] || fail "$send is not built"
jaeger=$("$tests/interop/build.sh" --path jaeger) collector=$("$tests/interop/build.sh" --path collector)
[ -x "$jaeger" ] || [ -x "$collector" ] || skip "neither Jaeger nor the Collector is built (tests/interop/build.sh)"

say "$("$py" "$bench/scale.py" list --out "$dir/list" --flows 30000 --seconds 7 --packets-max 20 --duration-max 4)"
ns_add in out
link_add_mute in va out vb
link_queue out vb
sink_start sink in
ringspan_start rs in --interface va --xdp-mode native --idle-timeout 1 --events none --otlp-endpoint "$sink_url"
in_ns out "$send" vb "$dir/list" >"$dir/send.out"
ringspan_stop rs
sink_stop sink

answers() { in_ns in curl -sS --max-time 10 -o "$dir/answer" -f "$1" 2>/dev/null; }
listens() { in_ns in ss -Hltn "sport = :$1" | grep -q .; } # PORT

if [ -x "$jaeger" ]; then
	mkdir -p "$dir/badger/values" "$dir/badger/keys"
	sed -e "s#^\( *\)memory:\$#\1store:#; s#traces: memory#traces: store#; s#trace_storage: memory#trace_storage: store#" \
		-e "s#^\( *\)  memory:\$#\1  badger:#" "$tests/interop/jaeger/config.yaml" |
		"$py" -c 'import re,sys
folder, text = sys.argv[1], sys.stdin.read()
print(re.sub(r"      store:\n.*?max_traces: \d+\n", """      store:
        badger:
          ephemeral: false
          consistency: true
          directories:
            keys: %s/keys
            values: %s/values
""" % (folder, folder), text, flags=re.S))' "$dir/badger" >"$dir/jaeger.yaml"
	spawn jaeger in "$jaeger" --config "$dir/jaeger.yaml"
	wait_for 60 "Jaeger is ready" answers http://127.0.0.1:16686/api/services
	read -r spans _ <<<"$(in_ns in "$py" "$bench/scale_post.py" "$dir/sink" http://127.0.0.1:4318/v1/traces)"
	kill -TERM "${pid_of[jaeger]}"
	wait_exit jaeger 60
	bytes=$(du -s --block-size=1 "$dir/badger" | cut -f1)
	say "Jaeger, badger: $spans spans, $bytes bytes on disk: $((bytes / spans)) bytes a span"
	PYTHONPATH=$bench "$py" -c "import scale_tables as t; exit(not t.is_about(t.JAEGER_BYTES, $bytes / $spans))" ||
		fail "scale_tables.py has another JAEGER_BYTES"
fi

if [ -x "$collector" ]; then
	spawn discard in "$py" "$bench/scale_post.py" --discard
	wait_for 20 "the receiver listens" grep -qs '^listening on ' "$dir/discard.out"
	cat >"$dir/collector.yaml" <<-Y
		receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:4318}}}}
		processors: {batch: {}}
		exporters: {otlp_http: {endpoint: "http://$(sed -n 's/^listening on //p' "$dir/discard.out")"}}
		service:
		  telemetry: {metrics: {level: none}}
		  pipelines: {traces: {receivers: [otlp], processors: [batch], exporters: [otlp_http]}}
	Y
	spawn collector in "$collector" --config "$dir/collector.yaml"
	wait_for 60 "the Collector listens" listens 4318
	in_ns in "$py" "$bench/scale_post.py" "$dir/sink" http://127.0.0.1:4318/v1/traces >"$dir/warm"
	read -r spans cpu <<<"$(in_ns in "$py" "$bench/scale_post.py" "$dir/sink" http://127.0.0.1:4318/v1/traces \
		--times 6 --pid "${pid_of[collector]}")"
	say "Collector: $spans spans, $cpu s of CPU: $("$py" -c "print(round($spans / $cpu))") spans a second and core"
fi
