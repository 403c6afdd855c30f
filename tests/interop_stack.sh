#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The stack of compose/ with its very files: the real Collector, Jaeger and Prometheus take what ringspan
# sees of known traffic, and are asked what people would ask them; back ends go away and come back.
#
# They are programs from the cache that interop/build.sh fills; with RINGSPAN_BUILD_SERVERS=1 it is
# called here. Their names are those of the containers, by an /etc/hosts of this test's own.
. "$(dirname "$0")/lib.sh"
. "$tests/interop/lib.sh"
begin "$@"
need curl

servers_need collector prometheus jaeger

# ---- the network ----

# va-vb is watched and carries only what a test sends; over ua-ub the other end reaches the Collector.
watched_link
link_add_mute watch ua peer ub
ip -n watch addr add 10.78.1.1/24 dev ua
ip -n peer addr add 10.78.1.2/24 dev ub

cat >"$dir/hosts" <<H
127.0.0.1 localhost
10.78.1.1 otel-collector
127.0.0.3 jaeger
127.0.0.4 prometheus
H
mount --bind "$dir/hosts" /etc/hosts

# ---- the servers ----

# Their environment is all that differs from the containers.
collector_start() { # NAME ADDRESS [VARIABLE=VALUE…]
	local name=$1 address=$2
	shift 2
	mkdir -p "$dir/$name.d"
	spawn "$name" watch env "LISTEN_ADDRESS=$address" "QUEUE_DIRECTORY=$dir/$name.d" "$@" \
		"${program[collector]}" --config "${config:-$repo/compose/collector/config.yaml}"
}
collector_is_up() { # NAME ADDRESS
	wait_for 60 "$1 is healthy" answers "http://$2:13133/"
}
jaeger_start() {
	spawn jaeger watch env LISTEN_ADDRESS=127.0.0.3 "BADGER_DIRECTORY=$dir/badger" \
		"${program[jaeger]}" --config "$repo/compose/jaeger/config.yaml"
}
prometheus_start() {
	spawn prometheus watch "${program[prometheus]}" --web.listen-address 127.0.0.4:9090 \
		--config.file "$repo/compose/prometheus/prometheus.yaml" \
		--web.enable-otlp-receiver --enable-feature=exemplar-storage \
		--storage.tsdb.retention.time=15d --storage.tsdb.path "$dir/prometheus.d"
}
stop() { # NAME
	kill -TERM "${pid_of[$1]}"
	wait_exit "$1" 30
}

# ---- asking ----

stack() { # WHAT OPTION…: see interop/ask_stack.py
	in_ns watch "$py" "$tests/interop/ask_stack.py" "$@" >"$dir/asked" 2>&1
}
eventually() { # SECONDS WHAT OPTION…
	tries_until "$1" stack "${@:2}" || fail "not within $1 s: ${*:2}: $(cat "$dir/asked")"
}
check() { stack "$@" || fail "$*: $(cat "$dir/asked")"; }
value() { # EXPRESSION: of one series; 0 if there is none
	ask -G http://prometheus:9090/api/v1/query --data-urlencode "query=$1" |
		"$py" -c 'import json,sys
r = json.load(sys.stdin)["data"]["result"]
print(int(float(r[0]["value"][1])) if r else 0)'
}
is_at_least() { [ "$(value "$2")" -ge "$1" ]; } # COUNT EXPRESSION
readings() { echo "max(count_over_time(xdp_packets_rate_per_second{job=\"$1\"}[1h]))"; } # SERVICE

# ---- ringspan ----

endpoint=http://otel-collector:4318
by=network.io.direction,network.transport,source.address,destination.address,server.port
head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$dir/key"
chmod 600 "$dir/key"

# As the container is started, but for the interval; auto, under a budget that nothing here reaches.
watch_start() { # SERVICE NS INTERFACE [OPTION…]
	local name=$1 ns=$2 interface=$3
	shift 3
	OTEL_SERVICE_NAME=$name ringspan_start "$name" "$ns" --interface "$interface" --interval 1 \
		--sample auto --budget 1000000spans/s,10000000records/s,10000%cpu,100%ring \
		--metric-attributes "$by" --environment demo --idle-timeout 300 --site-key "$dir/key" \
		--otlp-endpoint "$endpoint" --control none --events none --logs "$@"
}
traffic() { # SERVICE
	in_ns watch "$py" "$tests/interop/traffic.py" peer 10.77.1.1 --out "$dir/$1.truth" \
		>"$dir/traffic.log" 2>"$dir/traffic.err" || fail "$(cat "$dir/traffic.err")"
}
about() { # SERVICE: what a check wants to know of it
	echo --service "$1" --interface va --truth "$dir/$1.truth" --log "$dir/$1.err"
}

# ---- the switch of the metrics' ways ----

# Two more Collectors, one for each way; what they get is one counter.
counter_send() { # ADDRESS SERVICE
	ask -f -o "$dir/answer" -H 'Content-Type: application/json' "http://$1:4318/v1/metrics" -d '{
		"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{
		"stringValue":"'"$2"'"}}]},"scopeMetrics":[{"metrics":[{"name":"xdp.packets.total",
		"unit":"{packet}","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{
		"timeUnixNano":"'"$(now_ns)"'","startTimeUnixNano":"'"$(now_ns)"'","asInt":"42"}]}}]}]}]}'
}
is_scraped() { # ADDRESS SERVICE
	ask "http://$1:8889/metrics" | grep -q "^xdp_xdp_packets_total{.*job=\"$2\".* 42"
}

ways_begin() {
	collector_start way-scrape 127.0.0.5 'RINGSPAN_METRICS_EXPORTERS=[prometheus]'
	collector_start way-otlp 127.0.0.6 'RINGSPAN_METRICS_EXPORTERS=[otlp_http/prometheus]'
	collector_is_up way-scrape 127.0.0.5
	collector_is_up way-otlp 127.0.0.6
	counter_send 127.0.0.5 way-scrape
	counter_send 127.0.0.6 way-otlp
}
ways_end() {
	wait_for 20 "the exporter has it" is_scraped 127.0.0.5 way-scrape
	wait_for 20 "it comes by OTLP" is_at_least 42 'xdp_packets_total{job="way-otlp"}'
	! answers http://127.0.0.6:8889/metrics || fail "the exporter is there though it is off"
	stop way-scrape
	stop way-otlp
	[ "$(value 'xdp_packets_total{job="way-scrape"}')" = 0 ] || fail "it came by OTLP, too"
	say "metrics: each way can be had alone"
}

# ---- the scenes ----

# Jaeger isn't there yet.
first_traffic() {
	watch_start xdp-packet-counter watch va
	wait_for 40 "a first reading" is_at_least 1 "$(readings xdp-packet-counter)"
	traffic xdp-packet-counter
	local so_far
	so_far=$(value "$(readings xdp-packet-counter)")
	wait_for 40 "the traffic arrives" is_at_least $((so_far + 2)) "$(readings xdp-packet-counter)"
	wait_for 40 "what waits for Jaeger is seen" is_at_least 1 \
		'otelcol_exporter_queue_size{exporter="otlp_http/jaeger"}'
	say "Jaeger is away: $(value 'otelcol_exporter_queue_size{exporter="otlp_http/jaeger"}') bytes wait"
	jaeger_start
	wait_for 60 "Jaeger is healthy" answers http://jaeger:13133/status
	eventually 60 scraped $(about xdp-packet-counter)
	eventually 60 connections $(about xdp-packet-counter)
	eventually 60 rules $(about xdp-packet-counter)
	say "rules: all evaluated, each recording rule has data"
	check exemplars $(about xdp-packet-counter)
	say "exemplars: $(tail -n 1 "$dir/asked")"
	eventually 60 expressions $(about xdp-packet-counter)
	say "expressions: $(tail -n 1 "$dir/asked")"
	ringspan_stop xdp-packet-counter
	eventually 40 arrived $(about xdp-packet-counter)
	check metrics $(about xdp-packet-counter)
	check traces $(about xdp-packet-counter)
	say "metrics and traces: as the kernel counted; nothing lost while Jaeger was away"
}

# A SYN/ACK that goes astray comes again after a second.
slow_handshake() {
	ip -n watch neigh replace 10.77.1.2 lladdr 02:00:00:00:00:ff dev va nud permanent
	spawn slow peer "$py" -c 'import socket
socket.create_connection(("10.77.1.1", 8080), 10).close()'
	wait_for 10 "a SYN is there" half_open
	ip -n watch neigh replace 10.77.1.2 lladdr "$(mac_of peer vb)" dev va nud permanent
	wait_exit slow 20
	[ "$status" = 0 ] || fail "no connection: $(cat "$dir/slow.err")"
}
half_open() { in_ns watch ss -Htn state syn-recv | grep -q .; }

# Jaeger is stopped meanwhile, so that what it had must come from its disk.
both_ends() {
	stop jaeger
	OTEL_RESOURCE_ATTRIBUTES=host.name=alpha watch_start both-alpha watch va
	OTEL_RESOURCE_ATTRIBUTES=host.name=beta watch_start both-beta peer vb
	spawn server watch "$py" -c 'import socket
s = socket.create_server(("10.77.1.1", 8080))
print("listening", flush=True)
while True:
    s.accept()[0].close()'
	wait_for 10 "a server" grep -qs listening "$dir/server.out"
	slow_handshake
	ringspan_stop both-alpha
	ringspan_stop both-beta
	jaeger_start
	wait_for 60 "Jaeger is healthy" answers http://jaeger:13133/status
	eventually 60 both $(about xdp-packet-counter)
	say "one trace with both hosts; slow handshakes found"
	check searches $(about xdp-packet-counter)
	say "Jaeger restarted: what it had is there; by address, port, community id, failure"
}

queue_is_long() { # of metrics that were made one after the other, so that the later tell of the former
	in_ns watch "$ringspan" ctl status --json --control "$dir/outage.ctl" | "$py" -c 'import json, sys
sys.exit(not any(q["signal"] == "metrics" and q["requests"] >= 3 for q in json.load(sys.stdin)["queues"]))'
}

collector_away() {
	watch_start outage watch va --control "$dir/outage.ctl"
	wait_for 40 "a first reading" is_at_least 1 "$(readings outage)"
	stop collector
	traffic outage
	wait_for 20 "ringspan repeats" grep -q 'refused' "$dir/outage.err"
	wait_for 20 "a queue" queue_is_long
	collector_start collector 10.78.1.1
	collector_is_up collector 10.78.1.1
	eventually 60 totals $(about outage)
	ringspan_stop outage
	eventually 40 arrived $(about outage)
	check metrics $(about outage)
	check no_gap $(about outage)
	is_at_least 1 'max(max_over_time(ringspan_queue_items{job="outage"}[10m]))' ||
		fail "nothing is seen of the queue"
	is_at_least 1 'max(max_over_time(ringspan_export_retries_total{job="outage"}[10m]))' ||
		fail "nothing is seen of the retries"
	say "the Collector away: nothing lost, no gap, queue and retries are seen"
}

# The example in the Collector's file, as its comment says: with every second # taken away.
wrong_token() {
	sed -e 's/^  # \(bearertokenauth:\)/  \1/' -e 's/^  #   \(token:\)/    \1/' \
		-e 's/^\( *\)# \(auth:.*\)/\1\2/' -e 's/^\( *\)#   \(authenticator:.*\)/\1  \2/' \
		-e 's/^\( *extensions: \[.*file_storage\).*/\1, bearertokenauth]/' \
		"$repo/compose/collector/config.yaml" >"$dir/token.yaml"
	config=$dir/token.yaml collector_start token 127.0.0.7 RECEIVER_TOKEN=right+token \
		'RINGSPAN_METRICS_EXPORTERS=[otlp_http/prometheus]'
	collector_is_up token 127.0.0.7
	endpoint=http://127.0.0.7:4318
	OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20right+token \
		OTEL_EXPORTER_OTLP_TRACES_HEADERS=authorization=Bearer%20wrong \
		watch_start wrong-token watch va
	endpoint=http://otel-collector:4318
	traffic wrong-token
	wait_for 40 "metrics tell of it" is_at_least 1 \
		'sum(ringspan_losses_total{job="wrong-token",stage="spans_otlp",reason="refused"})'
	ringspan_stop wrong-token
	stop token
	check totals $(about wrong-token)
	[ "$(grep -c '401' "$dir/wrong-token.err")" = 1 ] ||
		fail "401 is not said in one line: $(grep -n 401 "$dir/wrong-token.err")"
	! grep -qE 'right\+token|Bearer' "$dir/wrong-token.err" || fail "the token is in the log"
	say "a wrong token: $(grep 401 "$dir/wrong-token.err")"
}

# Only what has its reason here: those that were away.
servers_are_content() {
	local name
	for name in collector jaeger prometheus; do
		! grep -E $'\t(error|fatal)\t|level=ERROR|panic' "$dir/$name.err" |
			grep -vE 'Exporting failed|connection refused' >"$dir/complaints" ||
			fail "$name complains: $(head -n 3 "$dir/complaints")"
	done
}

prometheus_start
collector_start collector 10.78.1.1
wait_for 60 "Prometheus is ready" answers http://prometheus:9090/-/ready
collector_is_up collector 10.78.1.1
ways_begin
first_traffic
ways_end
both_ends
collector_away
wrong_token
servers_are_content
say "$SECONDS s"
