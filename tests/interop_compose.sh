#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# compose/up.sh with podman: the real Collector, Jaeger and Prometheus, as compose.yaml describes them, with
# its configuration, users, capabilities and limits; they answer, know each other, survive a second up.sh,
# keep their data over down.sh, and down.sh --purge leaves nothing.
#
# Their images are made here, from the programs that interop/build.sh built, under the very tags of
# compose.yaml. A Grafana cannot be built; it is left out.
. "$(dirname "$0")/lib.sh"
. "$tests/podman.sh"
. "$tests/interop/lib.sh"
podman_isolate --net "$@"
begin "$@"
command -v podman-compose >/dev/null || skip "podman-compose is not installed"
command -v busybox >/dev/null || skip "busybox is not installed (it stands for the wget in the images)"
need curl
servers_need collector jaeger prometheus
podman_begin
ip link set lo up
unset "${!COLLECTOR_@}" "${!PROMETHEUS_@}" "${!JAEGER_@}" COMPOSE_PROJECT_NAME

# ---- images ----

# The program, the libraries it wants, and wget, which the health checks call.
image() { # SERVER TAG_PATTERN PATH
	local folder=$dir/image-$1 tag library
	tag=$(sed -nE "s#^ *image: *(.*/$2:.*)#\1#p" "$repo/compose/compose.yaml")
	[ -n "$tag" ] || fail "compose.yaml has no image $2"
	mkdir -p "$folder/root/usr/bin" "$folder/root/bin" "$(dirname "$folder/root/$3")"
	cp "${program[$1]}" "$folder/root/$3"
	cp "$(command -v busybox)" "$folder/root/bin/busybox"
	ln -s busybox "$folder/root/bin/sh"
	ln -s /bin/busybox "$folder/root/usr/bin/wget"
	{ ldd "${program[$1]}" 2>/dev/null || :; } | grep -oE '/[^ ]+' | while read -r library; do
		install -D "$(realpath "$library")" "$folder/root$library"
	done
	cat >"$folder/Containerfile" <<C
FROM scratch
COPY root /
ENTRYPOINT ["/$3"]
USER ${4:-65534}
CMD ["--config", "/etc/otelcol-contrib/config.yaml"]
C
	podman build -q -t "$tag" "$folder" >"$dir/image.log" 2>&1 ||
		fail "$tag: $(tail -n 3 "$dir/image.log")"
	rm -rf "$folder"
}
image collector opentelemetry-collector-contrib otelcol-contrib 10001
image jaeger jaeger cmd/jaeger/jaeger-linux 10001
image prometheus prometheus bin/prometheus 0
say "images made under the tags of compose.yaml"

# ---- up ----

up() { # OPTION…
	"$repo/compose/up.sh" --engine podman --without grafana --timeout 60 "$@" >"$dir/up.out" 2>"$dir/up.err" ||
		fail "up.sh: $(cat "$dir/up.out" "$dir/up.err")"
}
down() { # OPTION…
	"$repo/compose/down.sh" --engine podman "$@" >"$dir/down.out" 2>"$dir/down.err" </dev/null ||
		fail "down.sh: $(cat "$dir/down.err")"
}
ids() { podman ps -q --no-trunc | sort; }
get() { curl -sSf --max-time 10 -o "$dir/answer" "$@"; }

up
for url in 13133/ 9090/-/ready 16686/api/services; do
	get "http://127.0.0.1:$url" || fail "no answer at $url after up.sh"
done
grep -q 'quickstart.sh --otlp-endpoint http://localhost:4318' "$dir/up.out" || fail "no next command is printed"
address=$(podman inspect -f '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}' ringspan_prometheus_1)
! get "http://$address:9090/-/ready" 2>/dev/null || fail "Prometheus answers on $address, not only on localhost"
for service in prometheus jaeger; do
	podman healthcheck run "ringspan_${service}_1" >"$dir/health.log" 2>&1 ||
		fail "the health check of $service fails: $(cat "$dir/health.log")"
done
for service in otel-collector prometheus jaeger; do
	[ "$(podman inspect -f '{{.EffectiveCaps}} {{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}}' \
		"ringspan_${service}_1")" = "[] false true" ] || fail "$service has more than it should"
	[ "$(podman inspect -f '{{gt .HostConfig.Memory 0}}' "ringspan_${service}_1")" = true ] ||
		fail "$service has no limit of memory"
done
say "up: all answer on localhost, health checks pass, no capabilities"

# A span and a metric, in at the Collector and out at the others: by their names inside the network.
now=$(now_ns)
resource='"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"probe"}}]}'
send() { # SIGNAL JSON
	get -H 'Content-Type: application/json' --data "$2" "http://127.0.0.1:4318/v1/$1" || fail "sending $1"
}
send traces '{"resourceSpans":[{'"$resource"',"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
"spanId":"b7ad6b7169203331","name":"probe","kind":1,"startTimeUnixNano":"'"$now"'","endTimeUnixNano":"'"$now"'"}]}]}]}'
send metrics '{"resourceMetrics":[{'"$resource"',"scopeMetrics":[{"metrics":[{"name":"probe.seen","sum":{
"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"42","startTimeUnixNano":"'"$now"'",
"timeUnixNano":"'"$now"'"}]}}]}]}]}'
has_trace() { get http://127.0.0.1:16686/api/traces/0af7651916cd43dd8448eb211c80319c 2>/dev/null && grep -q '"probe"' "$dir/answer"; }
has_series() { # NAME
	get -G http://127.0.0.1:9090/api/v1/query --data-urlencode "query=last_over_time($1[1h])" && grep -q '"42"' "$dir/answer"
}
wait_for 40 "the span is in Jaeger" has_trace
wait_for 40 "the metric is in Prometheus, by OTLP" has_series probe_seen_total
wait_for 60 "the metric is in Prometheus, scraped" has_series xdp_probe_seen_total
say "a span and a metric go through, the metric both ways"

# ---- again, down, up again, purge ----

before=$(ids)
up
[ "$(ids)" = "$before" ] || fail "a second up.sh made other containers"
down
[ -z "$(podman ps -aq)" ] || fail "down.sh leaves $(podman ps -a --format '{{.Names}}')"
[ "$(podman volume ls -q | wc -l)" = 3 ] || fail "down.sh does not keep the volumes"
down
up
wait_for 30 "the span is still in Jaeger" has_trace
wait_for 30 "the metric is still in Prometheus" has_series probe_seen_total
say "a second up changes nothing; down keeps what was stored"

! "$repo/compose/down.sh" --engine podman --purge >"$dir/down.out" 2>"$dir/down.err" </dev/null ||
	fail "--purge does not ask"
grep -q 'ringspan_jaeger-data' "$dir/down.err" || fail "--purge does not say what it would remove"
down --purge --yes
[ -z "$(podman ps -aq)$(podman volume ls -q)$(podman pod ls -q)" ] || fail "--purge leaves something"
! podman network ls --format '{{.Name}}' | grep -q monitoring || fail "--purge leaves the network"
say "down --purge leaves nothing"
