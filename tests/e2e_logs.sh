#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# With --logs a connection that came to nothing is a log record beside its span, and so is a loss;
# signals that nobody takes are not made, and are nobody's loss.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc

ns_add client server
link_add client va server vb
link_address client va server vb 1
# an address behind the peer, which forwards nothing and says nothing
ip -n client neigh replace 10.77.1.9 lladdr "$(mac_of server vb)" dev va nud permanent
ns_sysctl server net/ipv4/ip_forward 0

# What came of it, and the port it was tried from: connect ADDRESS PORT SECONDS
connect() {
	in_ns client "$py" - "$@" <<'P'
import socket, sys
s = socket.socket()
s.bind(("10.77.1.1", 0))
s.settimeout(float(sys.argv[3]))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.sendall(b"x")
    said = "connected"
except ConnectionRefusedError:
    said = "refused"
except socket.timeout:
    said = "silence"
print(said, s.getsockname()[1])
P
}

bodies() { find "$dir/$1" -name "$2-*.bin" | wc -l; } # SINK SIGNAL
has_bodies() { [ "$(bodies "$1" "$2")" -ge "$3" ]; }
row() { awk -v stage="$2" '$1 == stage {print $2, $3, $6}' "$dir/$1.err"; } # NAME STAGE: in out lost

failed_connections() {
	local refused unanswered
	sink_start sink client
	ringspan_start rs client --interface va --logs --exporter otlp \
		--otlp-endpoint "$sink_url"
	read -r said refused < <(connect 10.77.1.2 81 5)
	[ "$said" = refused ] || fail "port 81: $said"
	read -r said unanswered < <(connect 10.77.1.9 443 1.3)
	[ "$said" = silence ] || fail "no answer was to come: $said"
	spawn listener server "$py" -c 'import socket
s = socket.create_server(("10.77.1.2", 80))
print("listening", flush=True)
s.accept()[0].recv(1)'
	wait_for 10 "the server listens" grep -qs listening "$dir/listener.out"
	read -r said _ < <(connect 10.77.1.2 80 5)
	[ "$said" = connected ] || fail "port 80: $said"
	wait_for 20 "a record arrives" has_bodies sink logs 1 # the other one leaves at the end
	ringspan_stop rs
	sink_stop sink
	"$tests/check_logs.py" connections "$dir/sink" "refused=$refused:10.77.1.2:81" \
		"unanswered=$unanswered:10.77.1.9:443"
	[ "$(row rs logs)" = "2 2 0" ] || fail "ledger row logs: $(row rs logs)"
	[ "$(row rs log_records)" = "2 2 0" ] || fail "row log_records: $(row rs log_records)"
	official sink
	say "refused and unanswered: records beside their spans"
}

without_logs() {
	sink_start quiet client
	ringspan_start rs-quiet client --interface va --exporter otlp --otlp-endpoint "$sink_url"
	connect 10.77.1.2 81 5 >/dev/null
	ringspan_stop rs-quiet
	sink_stop quiet
	[ "$(bodies quiet logs)" = 0 ] || fail "log records without --logs"
	has_bodies quiet traces 1 || fail "no spans"
	! grep -q '^log' "$dir/rs-quiet.err" || fail "the ledger has rows of logs"
	say "without --logs: none"
}

losses() {
	sink_start unkind client --fail 1 --status 400
	ringspan_start rs-lossy client --interface va --logs --interval 0.5 --exporter otlp \
		--otlp-endpoint "$sink_url"
	wait_for 20 "the loss is told" has_bodies unkind logs 1
	wait_for 20 "and counted" has_bodies unkind metrics 3
	ringspan_stop rs-lossy
	sink_stop unkind
	"$tests/check_logs.py" losses "$dir/unkind" metric_points refused
	[ "$(bodies unkind logs)" = 1 ] || fail "one loss, $(bodies unkind logs) requests of records"
	say "a loss is told once"
}

no_traces() {
	sink_start metrics client
	OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=$sink_url \
		ringspan_start rs-metrics client --interface va
	connect 10.77.1.2 81 5 >/dev/null
	ringspan_stop rs-metrics
	sink_stop metrics
	[ "$(bodies metrics traces)" = 0 ] || fail "spans in spite of OTEL_TRACES_EXPORTER=none"
	has_bodies metrics metrics 1 || fail "no metrics"
	! grep -q '^spans' "$dir/rs-metrics.err" || fail "the ledger has rows of spans"
	[ "$(awk '$1 == "stage", /^ledger/ {lost += $6} END {print lost + 0}' "$dir/rs-metrics.err")" = 0 ] ||
		fail "something counts as lost"
	say "OTEL_TRACES_EXPORTER=none: nothing made, nothing lost"
}

failed_connections
without_logs
losses
no_traces
