#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Metrics that are fetched are those that were sent: every series of an OTLP request is at /metrics, in
# both formats, and nothing else; clients that are slow, wrong or many hold nobody up; what else
# reads it (Prometheus, promtool, its Python library) agrees, where it can be had.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc ping curl
load=$build/tests/http_load
[ -x "$load" ] || fail "$load is not built"
here=127.0.0.1:9101

ns_add client server
link_add client va server vb
link_address client va server vb 1
spawn server server "$load" server 10.77.1.2 80
wait_for 10 "the server listens" grep -qs listening "$dir/server.out"

ask() { in_ns client curl -sS --max-time 10 "$@"; }
status_is() { [ "$(ask -o "$dir/answer" -w '%{http_code}' "$2" 2>/dev/null)" = "$1" ]; } # STATUS URL
# A pipe would be closed too early: into a file, and looked at there.
got() { ask "$1" >"$dir/got" && grep -q -- "$2" "$dir/got"; } # URL PATTERN
check() { in_ns client "$py" "$tests/check_pull.py" "$@" || fail "$1"; }

# ---- equal to OTLP ----


sink_start sink client
ringspan_start rs client --interface va --interval 1 --active-timeout 0.4 --exporter otlp \
	--otlp-endpoint "$sink_url" --metrics-listen "$here" \
	--metric-attributes network.io.direction,network.transport,server.port
grep -q 'whoever can reach' "$dir/rs.err" && fail "a warning about localhost"
in_ns client "$load" client 10.77.1.2 80 1 4 >"$dir/counts" || fail "connections were lost"
in_ns client ping -q -c 5 -i 0.1 10.77.1.2 >/dev/null
in_ns client ping -q -c 5 -i 0.1 fd77:1::2 >/dev/null
has_exemplar() {
	ask -H 'Accept: application/openmetrics-text' "http://$here/metrics" >"$dir/open.txt"
	[ "$(grep -c '^xdp_packet_size_bytes_bucket.* # {trace_id=' "$dir/open.txt")" = 2 ] &&
		grep -q '^xdp_packets_total.*"icmpv6".* # {trace_id=' "$dir/open.txt"
}
wait_for 20 "exemplars" has_exemplar
bodies() { find "$dir/sink" -name 'metrics-*.bin' | wc -l; }
more_bodies() { [ "$(bodies)" -gt "$so_far" ]; }
so_far=$(($(bodies) + 1))
wait_for 20 "metrics of the silence after" more_bodies
check fetch "http://$here" "$dir/text.txt" "$dir/open.txt"
so_far=$(bodies)
wait_for 20 "metrics of that moment" more_bodies
check equal "$dir/sink" "$dir/text.txt" "$dir/open.txt" "$repo/README.md"

# ---- rates do not suffer from those who ask ----

spawn ping client ping -q -i 0.02 -w 60 10.77.1.2
rate_is_near() { # about 50 a second, less on a busy machine
	ask "http://$here/metrics" >"$dir/rate" &&
		awk '/^xdp_packets_rate.*transmit/ {exit !($2 > 15 && $2 < 80)}' "$dir/rate"
}
wait_for 10 "the rate of a ping" rate_is_near
for _ in {1..40}; do
	rate_is_near || fail "the rate: $(grep ^xdp_packets_rate "$dir/rate")"
	tick
done
kill -INT "${pid_of[ping]}" && wait_exit ping 10

check manners 127.0.0.1 9101

# ---- other readers ----

promtool=$("$tests/interop/build.sh" --path promtool 2>/dev/null) || promtool=
if [ -x "$promtool" ]; then
	"$promtool" check metrics <"$dir/text.txt" >"$dir/promtool.log" 2>&1 ||
		fail "promtool: $(cat "$dir/promtool.log")"
	say "promtool has nothing to say"
else
	say "promtool is not built: not asked"
fi

# The venv of official_protobuf.sh is not this one: what is in a cache stays as it was made.
venv=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringspan-tests/venv-prometheus
if [ ! -x "$venv/bin/python" ] && new=$(mkdir -p "${venv%/*}" && mktemp -d "${venv%/*}/new.XXXXXX"); then
	{ "$py" -m venv "$new" && "$new/bin/python" -m pip install -q --disable-pip-version-check \
		'prometheus_client>=0.20' && mv -T "$new" "$venv"; } >"$dir/venv.log" 2>&1 || rm -rf "$new"
fi
if [ -x "$venv/bin/python" ]; then
	"$venv/bin/python" - "$dir/open.txt" <<'PY' >"$dir/parser.log" 2>&1 || fail "parser: $(tail -n 1 "$dir/parser.log")"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(open(sys.argv[1], encoding="utf-8").read()))
found = [s for f in families for s in f.samples if s.exemplar]
assert len(families) > 30 and found, (len(families), found)
PY
	say "Prometheus' Python library reads OpenMetrics"
else
	say "no virtual environment: $(tail -n 1 "$dir/venv.log")"
fi

prometheus=$("$tests/interop/build.sh" --path prometheus 2>/dev/null) || prometheus=
has_up() { got "http://127.0.0.1:9090/api/v1/query?query=xdp_packets_total" '"icmpv6"' 2>/dev/null; }
if [ -x "$prometheus" ]; then
	cat >"$dir/prometheus.yaml" <<Y
scrape_configs:
  - {job_name: ringspan, scrape_interval: 1s, static_configs: [{targets: ["$here"]}]}
Y
	mkdir "$dir/tsdb"
	spawn prometheus client "$prometheus" --config.file "$dir/prometheus.yaml" \
		--storage.tsdb.path "$dir/tsdb" --web.listen-address 127.0.0.1:9090 \
		--enable-feature=exemplar-storage
	wait_for 60 "Prometheus has it" has_up
	ask "http://127.0.0.1:9090/api/v1/label/__name__/values" >"$dir/names"
	for name in $(sed -n 's/^# TYPE \([a-z_]*\) \(counter\|gauge\)$/\1/p' "$dir/text.txt"); do
		grep -q "\"$name\"" "$dir/names" || fail "Prometheus has no $name"
	done
	got "http://127.0.0.1:9090/api/v1/query_exemplars?query=xdp_packets_total&start=$((EPOCHSECONDS - 600))&end=$((EPOCHSECONDS + 60))" \
		'"trace_id":"[0-9a-f]\{32\}"' || fail "Prometheus has no exemplar"
	got "http://127.0.0.1:9090/api/v1/targets" '"health":"up"' || fail "the target is not up"
	say "Prometheus scrapes it, with exemplars"
else
	say "Prometheus is not built: not asked"
fi

# ---- a port that is taken; an end in the middle of scrapes ----

status=0
in_ns client timeout 30 "$ringspan" --interface lo --duration 5 --control none --events none \
	--metrics-listen "$here" >"$dir/taken.out" 2>"$dir/taken.err" || status=$?
[ "$status" = 1 ] || fail "port taken: exit code $status"
[ "$(grep -c 'error' "$dir/taken.err")" = 1 ] &&
	grep -q -- "--metrics-listen $here: another process listens there: give another port" "$dir/taken.err" ||
	fail "port taken: $(cat "$dir/taken.err")"

spawn hurry client sh -c "while :; do curl -s -o /dev/null http://$here/metrics; done"
ringspan_stop rs
kill "${pid_of[hurry]}"
[ -z "${pid_of[prometheus]:-}" ] || kill "${pid_of[prometheus]}"
sink_stop sink
check traces "$dir/sink" "$dir/open.txt"

# ---- without an exporter, over IPv6, beyond the host; readiness until it stops ----

spawn rs6 client env OTEL_TRACES_EXPORTER=otlp "$ringspan" --sample 1/1 --interface va \
	--otlp-endpoint http://127.0.0.1:1 --interval 0.2 --shutdown-timeout 4 --metrics-listen '[::]:9102'
is_unready() { status_is 503 "http://[::1]:9102/readyz" && grep -q stopping "$dir/answer"; }
wait_for 30 "ready" ringspan_is_ready rs6
wait_for 5 "/readyz" status_is 200 "http://[::1]:9102/readyz"
grep -q 'warning.*whoever can reach this host can read' "$dir/rs6.err" || fail "no warning"
in_ns client ping -q -c 2 -i 0.1 10.77.1.2 >/dev/null
kill -TERM "${pid_of[rs6]}"
wait_for 4 "/readyz says that it stops" is_unready
wait_exit rs6 30

ringspan_start plain client --interface va --interval 3600 --exporter console --metrics-listen :9103 \
	--metric-attributes network.transport
in_ns client ping -q -c 3 -i 0.1 10.77.1.2 >/dev/null
has_all() { got http://127.0.0.1:9103/metrics '^xdp_packets_total{.*icmp"} 3$'; }
wait_for 15 "numbers without an exporter" has_all
grep -q '^otel_sdk' "$dir/got" && fail "an exporter that is not there"
ringspan_stop plain
say "what is fetched is what was sent"
