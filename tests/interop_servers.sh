#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Other people's servers take what ringspan sends, with gzip and without, and tell of the traffic
# what the kernel counted: the OpenTelemetry Collector (also by TLS and mutual TLS), Jaeger and
# Prometheus.
#
#   interop_servers.sh [collector] [jaeger] [prometheus]     all, if none is named
#
# They are programs from the cache that interop/build.sh fills; with RINGSPAN_BUILD_SERVERS=1 it is
# called here.
. "$(dirname "$0")/lib.sh"
. "$tests/interop/lib.sh"
begin "$@"
need curl openssl ss
[ $# -gt 0 ] || set -- collector jaeger prometheus

servers_need "$@"

# ---- the link ----

# Servers listen on localhost of the watched end.
watched_link

server_start() { # SERVER OPTION…: in a folder of its own
	local name=$1
	shift
	mkdir -p "$dir/$name"
	spawn "$name" watch env -C "$dir/$name" "${program[$name]}" "$@"
}

server_stop() { # SERVER
	kill -TERM "${pid_of[$1]}"
	wait_exit "$1" 30
}

# What a server itself found worth complaining about.
server_is_content() { # SERVER [WITHOUT]
	! grep -E $'\t(warn|error|fatal)\t|level=(WARN|ERROR)|panic' "$dir/$1.err" |
		grep -vE -- "${2:-^$}" >"$dir/complaints" ||
		fail "$1 complains: $(head -n 3 "$dir/complaints")"
}

# ---- one run of ringspan ----

bytes_sent() { # CASE: by the kernel's account of its open connections
	in_ns watch ss -Htinp state established | tr '\n' ' ' | sed 's/users:/\n&/g' |
		awk -v pid="pid=${pid_of[$1]}," 'index($0, pid) && match($0, /bytes_sent:[0-9]+/) {
			sum += substr($0, RSTART + 11, RLENGTH - 11)} END {print sum + 0}'
}

at_least() { [ "$("${@:2}")" -ge "$1" ]; } # COUNT COMMAND…

# A case is a service name, so that a server can tell the cases apart. Its endpoint and the rest
# are in the environment; spans leave soon, so that there is something to see before the end.
case_begin() { # CASE OPTION…
	local name=$1
	shift
	OTEL_SERVICE_NAME=$name OTEL_BSP_SCHEDULE_DELAY=100 ringspan_start "$name" watch \
		--interface va --interval 0.5 --sample 1/1 "$@"
}

traffic() { # CASE
	in_ns watch "$py" "$tests/interop/traffic.py" peer 10.77.1.1 --out "$dir/$1.truth" \
		>"$dir/traffic.log" 2>"$dir/traffic.err" || fail "$(cat "$dir/traffic.err")"
}

declare -A sent # by case: bytes that went to the server before ringspan was stopped
case_end() { # CASE
	sent[$1]=$(bytes_sent "$1")
	ringspan_stop "$1"
}

# For a server of metrics: a reading before the traffic and two after it, so that one interval holds
# all of it.
metrics_case() { # SERVER CASE OPTION…
	local count=$1_readings name=$2 so_far
	shift 2
	case_begin "$name" "$@"
	wait_for 30 "$name: a first reading arrives" at_least 1 "$count" "$name"
	traffic "$name"
	so_far=$("$count" "$name")
	wait_for 30 "$name: the traffic arrives" at_least $((so_far + 2)) "$count" "$name"
}

check_case() { # SERVER CASE WHERE OPTION…
	local server=$1 name=$2 where=$3
	shift 3
	in_ns watch "$py" "$tests/interop/ask_$server.py" "$where" --service "$name" --interface va \
		--truth "$dir/$name.truth" --log "$dir/$name.err" "$@" >"$dir/$name.asked" 2>&1 ||
		fail "$name: $(cat "$dir/$name.asked")"
}

gzip_is_smaller() { # CASE_PLAIN CASE_GZIP
	[ $((sent[$2] * 2)) -lt "${sent[$1]}" ] && [ "${sent[$2]}" -gt 0 ] ||
		fail "$2 sent ${sent[$2]} bytes, $1 ${sent[$1]}"
}

wrong_path_is_said() { # CASE
	grep -q 'warning.*404' "$dir/$1.err" ||
		fail "$1: the answer 404 is not said: $(cat "$dir/$1.err")"
}

# ---- the OpenTelemetry Collector ----

certificates() { # FOLDER: ca.pem; server and client, .pem and .key
	local name
	(
		cd "$1"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
			-subj "/CN=ringspan test" -keyout ca.key -out ca.pem
		for name in server client; do
			openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
				-subj "/CN=$name" -keyout "$name.key" -out "$name.csr"
			openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
				-days 2 -extfile <(echo "subjectAltName=DNS:localhost") -out "$name.pem"
		done
	) >"$dir/openssl.log" 2>&1 || fail "openssl: $(tail -n 3 "$dir/openssl.log")"
}

collector_readings() { # CASE
	grep -c "\"stringValue\":\"$1\".*\"xdp.packets.rate\"" "$dir/collector/received.jsonl" || :
}

collector_connections() { # CASE: spans of them so far
	grep "\"stringValue\":\"$1\"" "$dir/collector/received.jsonl" |
		grep -o '"name":"tcp http"' | wc -l
}

collector_case() { # CASE BASE_URL
	OTEL_EXPORTER_OTLP_ENDPOINT=$2 metrics_case collector "$1" "${options[@]}"
	wait_for 30 "$1: spans arrive" at_least 600 collector_connections "$1"
	case_end "$1"
	check_case collector "$1" "$dir/collector/received.jsonl" --logs
	say "Collector: $1: every span, point and log record as sent"
}

# The server side of TLS, by a client other than ours.
collector_wants_certificates() {
	local tls=(--cacert "$dir/collector/ca.pem" -o /dev/null -w '%{http_code}'
		-H 'Content-Type: application/x-protobuf' --data-binary "")
	local client=(--cert "$dir/collector/client.pem" --key "$dir/collector/client.key")
	[ "$(ask "${tls[@]}" https://localhost:4319/v1/traces)" = 200 ] || fail "no TLS at 4319"
	[ "$(ask "${tls[@]}" "${client[@]}" https://localhost:4320/v1/traces)" = 200 ] ||
		fail "no mutual TLS at 4320"
	! ask "${tls[@]}" https://localhost:4320/v1/traces >"$dir/answer" 2>&1 ||
		fail "mutual TLS without a client's certificate: $(cat "$dir/answer")"
}

test_collector() {
	local base=http://127.0.0.1:4318 tls=$dir/collector options=(--exporter otlp --logs)
	mkdir -p "$tls"
	certificates "$tls"
	server_start collector --config "$tests/interop/collector/config.yaml"
	wait_for 60 "the Collector is ready" grep -qs 'Everything is ready' "$dir/collector.err"

	OTEL_EXPORTER_OTLP_COMPRESSION=none collector_case collector-none "$base"
	OTEL_EXPORTER_OTLP_COMPRESSION=gzip collector_case collector-gzip "$base"
	gzip_is_smaller collector-none collector-gzip

	OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=$base/v1/spans OTEL_EXPORTER_OTLP_ENDPOINT=$base \
		metrics_case collector collector-404 "${options[@]}"
	case_end collector-404
	check_case collector collector-404 "$tls/received.jsonl" --lost traces
	wrong_path_is_said collector-404
	say "Collector: a wrong path for spans: said, counted, metrics unharmed"

	export OTEL_EXPORTER_OTLP_CERTIFICATE=$tls/ca.pem
	collector_case collector-tls https://localhost:4319
	OTEL_EXPORTER_OTLP_COMPRESSION=gzip OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=$tls/client.pem \
		OTEL_EXPORTER_OTLP_CLIENT_KEY=$tls/client.key \
		collector_case collector-mtls https://localhost:4320
	unset OTEL_EXPORTER_OTLP_CERTIFICATE
	server_is_content collector
	collector_wants_certificates
	server_stop collector
}

# ---- Jaeger ----

jaeger_url=http://127.0.0.1:16686
jaeger_connections() { # CASE: traces of them so far
	ask -G "$jaeger_url/api/traces" -d "service=$1" -d limit=1500 -d 'operation=tcp+http' |
		grep -o '"processes"' | wc -l
}

test_jaeger() {
	local base=http://127.0.0.1:4318 name
	server_start jaeger --config "$tests/interop/jaeger/config.yaml"
	wait_for 60 "Jaeger is ready" answers "$jaeger_url/api/services"

	for name in jaeger-none jaeger-gzip; do
		OTEL_EXPORTER_OTLP_COMPRESSION=${name#*-} \
			OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=$base/v1/traces case_begin "$name"
		traffic "$name"
		wait_for 30 "$name: spans arrive" at_least 600 jaeger_connections "$name"
		case_end "$name"
		check_case jaeger "$name" "$jaeger_url"
		say "Jaeger: $name: every flow a trace, found by attributes, without warnings"
	done
	gzip_is_smaller jaeger-none jaeger-gzip

	OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=$base/api/traces case_begin jaeger-404
	traffic jaeger-404
	case_end jaeger-404
	check_case jaeger jaeger-404 "$jaeger_url" --lost traces
	wrong_path_is_said jaeger-404
	say "Jaeger: a wrong path: said and counted"
	server_is_content jaeger 'ui assets not embedded'
	server_stop jaeger
}

# ---- Prometheus ----

prometheus_url=http://127.0.0.1:9090
prometheus_readings() { # CASE
	ask -G "$prometheus_url/api/v1/query" --data-urlencode \
		"query=max(count_over_time(xdp_packets_rate_per_second{job=\"$1\"}[1h]))" |
		sed -n 's/.*"value":\[[^,]*,"\([0-9]*\)".*/\1/p' | grep . || echo 0
}

# By its own count of requests and samples: all were taken.
prometheus_refused_nothing() {
	local own=$dir/prometheus.metrics requests='^prometheus_http_requests_total\{code='
	local samples='^prometheus_tsdb_(out_of_order|out_of_bound|too_old)_samples_total'
	ask "$prometheus_url/metrics" >"$own"
	grep -qE "$requests"'"200",handler="/api/v1/otlp/v1/metrics"\}' "$own" ||
		fail "Prometheus counts no OTLP request"
	! grep -E "$requests"'"[345].*otlp|'"$samples.* [1-9]" "$own" ||
		fail "Prometheus refused something"
}

test_prometheus() {
	local otlp=$prometheus_url/api/v1/otlp name readings
	server_start prometheus --config.file "$tests/interop/prometheus/config.yaml" \
		--web.enable-otlp-receiver --web.listen-address "${prometheus_url#http://}" \
		--storage.tsdb.path .
	wait_for 60 "Prometheus is ready" answers "$prometheus_url/-/ready"

	for name in prometheus-none prometheus-gzip; do
		OTEL_EXPORTER_OTLP_COMPRESSION=${name#*-} \
			OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=$otlp/v1/metrics \
			metrics_case prometheus "$name"
		readings=$(prometheus_readings "$name")
		case_end "$name"
		sent[$name]=$((sent[$name] / readings)) # one run may send more of them
		check_case prometheus "$name" "$prometheus_url"
		say "Prometheus: $name: every series by its name, as the kernel counted"
	done
	gzip_is_smaller prometheus-none prometheus-gzip

	OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=$otlp \
		metrics_case prometheus prometheus-base
	case_end prometheus-base
	check_case prometheus prometheus-base "$prometheus_url"
	prometheus_refused_nothing
	say "Prometheus: its base URL serves as well; nothing was refused"

	# what one tries first
	OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=$prometheus_url \
		case_begin prometheus-404
	traffic prometheus-404
	case_end prometheus-404
	check_case prometheus prometheus-404 "$prometheus_url" --lost metrics
	wrong_path_is_said prometheus-404
	say "Prometheus: a wrong path: said and counted"
	server_is_content prometheus
	server_stop prometheus
}

for server in "$@"; do
	"test_$server"
done
