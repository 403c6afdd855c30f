#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Starts Collector, Prometheus, Grafana and Jaeger with podman or docker, and waits until they answer.
set -euo pipefail
program=up.sh

usage() {
	cat <<'U'
Usage: sudo compose/up.sh [--engine podman|docker] [--with-ringspan IF] [--without SERVICE]...
                          [--timeout SECONDS]

Checks what is needed, starts the services of compose.yaml, waits until each answers on its port of
127.0.0.1, and prints the addresses. Running it again is fine: what runs and is unchanged stays.

  --engine NAME         podman or docker; without it, podman where it is installed, else docker
  --with-ringspan IF    build and start ringspan, too, watching this interface of the host
  --without SERVICE     leave out otel-collector, prometheus, grafana or jaeger
  --timeout SECONDS     how long all may take to answer (default: 180)
  --help                this text

Ports can be moved: COLLECTOR_GRPC_PORT, COLLECTOR_HTTP_PORT, COLLECTOR_METRICS_PORT,
COLLECTOR_HEALTH_PORT, PROMETHEUS_PORT, GRAFANA_PORT, JAEGER_PORT. Through sudo they pass as
sudo GRAFANA_PORT=3001 compose/up.sh.

Exit codes: 0 all answer; 1 something failed, which the last line says; 64 usage.
U
}

. "$(dirname "${BASH_SOURCE[0]}")/engine.sh"

wanted_engine='' interface='' timeout=180
services=(otel-collector prometheus grafana jaeger)
left_out=()

leave_out() { # SERVICE
	local service kept=()
	[[ " otel-collector prometheus grafana jaeger " == *" $1 "* ]] ||
		usage_error "--without '$1': not a service: give otel-collector, prometheus, grafana or jaeger"
	for service in "${services[@]}"; do
		[ "$service" = "$1" ] || kept+=("$service")
	done
	services=("${kept[@]}")
	left_out+=("$1")
}

wants() { [ -n "${2:-}" ] || usage_error "$1: nothing follows: give $3"; } # OPTION VALUE WHAT

while [ $# -gt 0 ]; do
	case $1 in
	--engine) wants "$1" "${2:-}" "podman or docker" && wanted_engine=$2 && shift 2 ;;
	--with-ringspan) wants "$1" "${2:-}" "an interface" && interface=$2 && shift 2 ;;
	--without) wants "$1" "${2:-}" "a service" && leave_out "$2" && shift 2 ;;
	--timeout) wants "$1" "${2:-}" "seconds" && timeout=$2 && shift 2 ;;
	--help | -h) usage && exit 0 ;;
	*) usage_error "'$1': not an option" ;;
	esac
done
[[ $timeout =~ ^[1-9][0-9]{0,4}$ ]] || usage_error "--timeout '$timeout': not a number of seconds: give 1 to 99999"
[ ${#services[@]} -gt 0 ] || usage_error "--without: nothing is left to start"
[ -z "$interface" ] || [ -e "/sys/class/net/$interface" ] ||
	usage_error "--with-ringspan '$interface': this host has no such interface: 'ip link' lists them"

# ---- ports ----

# variable, default, service, name
ports='COLLECTOR_GRPC_PORT 4317 otel-collector OTLP/gRPC
COLLECTOR_HTTP_PORT 4318 otel-collector OTLP/HTTP
COLLECTOR_METRICS_PORT 8889 otel-collector metrics
COLLECTOR_HEALTH_PORT 13133 otel-collector health
PROMETHEUS_PORT 9090 prometheus web
GRAFANA_PORT 3000 grafana web
JAEGER_PORT 16686 jaeger web'

port_is_open() { timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null; } # PORT

# Which process listens: "NAME (pid N)", as far as it can be known.
holder_of() { # PORT
	command -v ss >/dev/null || return 0
	ss -Hltnp "sport = :$1" 2>/dev/null </dev/null |
		sed -nE 's/.*users:\(\("([^"]+)",pid=([0-9]+).*/\1 (pid \2)/p' | head -n 1
}

check_ports() {
	local variable default service name port holder other
	declare -A seen
	while read -r variable default service name; do
		port=${!variable:-$default}
		[[ $port =~ ^[1-9][0-9]{0,4}$ ]] && [ "$port" -le 65535 ] ||
			usage_error "$variable='$port': not a port: give 1 to 65535"
		printf -v "$variable" %s "$port" && export "${variable?}"
		[[ " ${services[*]} " == *" $service "* ]] || continue
		other=${seen[$port]:-}
		[ -z "$other" ] || usage_error "$variable=$port: the same as $other: give each its own"
		seen[$port]=$variable
		[ -z "$(container_of "$service")" ] || continue
		port_is_open "$port" || continue
		holder=$(holder_of "$port")
		die "wanted port $port of 127.0.0.1 for $service ($name): ${holder:-another process} listens there: end that, or set $variable to a free port"
	done <<<"$ports"
}

# ---- files and memory ----

# The services run as others than their owner, and see the files as they are.
check_files() {
	local service file bad
	for service in "${services[@]}"; do
		file=$here/${service#otel-}
		[ -d "$file" ] || die "wanted the configuration of $service: $file is not there: take a whole copy of the repository"
		bad=$(find "$file" \( -type d ! -perm -005 -o -type f ! -perm -004 \) -print -quit 2>/dev/null)
		[ -z "$bad" ] || die "$service is to read $bad: only its owner may: chmod -R o+rX $here"
	done
}

check_memory() {
	local kib
	kib=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
	[ "${kib:-2000000}" -ge 1000000 ] ||
		echo "$program: only $((kib / 1024)) MiB of memory are free; all together take about 1 GiB: going on" >&2
}

# Labels are given by the engine (":z" in compose.yaml); where it cannot, the services read nothing.
selinux_advice() {
	[ "$(cat /sys/fs/selinux/enforce 2>/dev/null)" != 1 ] ||
		echo " (SELinux enforces: 'ausearch -m avc -ts recent' shows refusals; 'chcon -Rt container_file_t $here' labels the files)"
}

# ---- start ----

engine_find "$wanted_engine"
engine_answers
compose_find
check_ports
check_files
check_memory
[ -z "$interface" ] || {
	[ "$(id -u)" = 0 ] || die "--with-ringspan: loading BPF programs takes root: sudo compose/up.sh …"
	export RINGSPAN_INTERFACE=$interface COMPOSE_PROFILES=ringspan
	services+=(ringspan)
}

log=$(mktemp "${TMPDIR:-/tmp}/ringspan-up.XXXXXX")
trap 'rm -f "$log"' EXIT

# What decides what runs: a change of it makes new containers.
sum=$({
	find "$here" -path "$here/pictures" -prune -o -type f \( -name '*.yaml' -o -name '*.json' -o -name Containerfile \) -print |
		LC_ALL=C sort | xargs -r -d '\n' cat
	env | LC_ALL=C sort | grep -E '^(COLLECTOR|PROMETHEUS|GRAFANA|JAEGER|RINGSPAN_METRICS)_'
} | sha256sum | cut -c1-16)
export RINGSPAN_CONFIG_SUM=$sum

is_current() { # SERVICE: it runs, and was made from what is there now
	local id
	id=$(container_of "$1")
	[ -n "$id" ] && [ "$(ask_engine inspect -f '{{index .Config.Labels "ringspan.config"}}' "$id" </dev/null)" = "$sum" ] &&
		{ [ "$1" != ringspan ] || ask_engine inspect -f '{{.Config.Cmd}}' "$id" </dev/null | grep -q -- "--interface=$interface "; }
}

missing=()
for service in "${services[@]}"; do
	is_current "$service" || missing+=("$service")
done

if [ ${#missing[@]} -gt 0 ]; then
	echo "==> $engine starts ${missing[*]} (pulling images the first time takes minutes)"
	# compose's own way of finding changes differs from one to the next: what is to be new is taken away first
	for service in "${missing[@]}"; do
		id=$(container_of "$service" -a)
		[ -z "$id" ] || timeout 60 "$engine" rm -f "$id" >>"$log" 2>&1 </dev/null || :
	done
	[ -z "$interface" ] || "${compose[@]}" build ringspan >>"$log" 2>&1 </dev/null ||
		die "$engine was to build ringspan's image: $(tail -n 1 "$log")"
	"${compose[@]}" up -d "${missing[@]}" >>"$log" 2>&1 </dev/null ||
		die "${compose[0]} was to start ${missing[*]}: $(grep -v '^ *$' "$log" | tail -n 1)$(selinux_advice)"
fi
for service in "${services[@]}"; do
	# not every podman-compose ends with an error when a container did not start
	[ -n "$(container_of "$service" -a)" ] ||
		die "$engine was to start $service: $(grep -iE 'error|denied|refused' "$log" | tail -n 1 | grep . || tail -n 1 "$log"): is the image there ($engine images), and may it be pulled?"
done

# ---- wait ----

http_answers() { # PORT PATH
	timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$1" >&3 &&
		read -r -t 4 _ code _ <&3 && [ "$code" = 200 ]' "$1" "$2" 2>/dev/null
}

answers() { # SERVICE
	case $1 in
	otel-collector) http_answers "$COLLECTOR_HEALTH_PORT" / && port_is_open "$COLLECTOR_HTTP_PORT" ;;
	prometheus) http_answers "$PROMETHEUS_PORT" /-/ready ;;
	grafana) http_answers "$GRAFANA_PORT" /api/health ;;
	jaeger) http_answers "$JAEGER_PORT" /api/services ;;
	ringspan) ask_engine exec "$(container_of ringspan)" ringspan ctl status >/dev/null 2>&1 </dev/null ;;
	esac
}

last_words() { # SERVICE: one line of its log
	ask_engine logs --tail 20 "$(container_of "$1" -a)" 2>&1 </dev/null | tail -n 3 | tr '\n\t' '  ' | cut -c1-400
}

waiting=("${services[@]}")
begin=$SECONDS said=$SECONDS
while :; do
	still=()
	for service in "${waiting[@]}"; do
		if answers "$service"; then
			echo "    $service answers after $((SECONDS - begin)) s"
		else
			still+=("$service")
		fi
	done
	waiting=("${still[@]}")
	[ ${#waiting[@]} -gt 0 ] || break
	[ $((SECONDS - begin)) -lt "$timeout" ] ||
		die "waited $timeout s for ${waiting[*]}: no answer; ${waiting[0]} said last: $(last_words "${waiting[0]}")$(selinux_advice)"
	if [ $((SECONDS - said)) -ge 10 ]; then
		echo "    waiting for ${waiting[*]}, $((SECONDS - begin)) s"
		said=$SECONDS
	fi
	sleep 0.5
done

# ---- say ----

has() { [[ " ${services[*]} " == *" $1 "* ]]; } # SERVICE
echo
! has grafana || echo "Grafana      http://localhost:$GRAFANA_PORT"
! has jaeger || echo "Jaeger       http://localhost:$JAEGER_PORT"
! has prometheus || echo "Prometheus   http://localhost:$PROMETHEUS_PORT"
! has otel-collector || echo "Collector    http://localhost:$COLLECTOR_HTTP_PORT (OTLP/HTTP), localhost:$COLLECTOR_GRPC_PORT (OTLP/gRPC)"
for service in "${left_out[@]}"; do
	[ -n "$(container_of "$service")" ] || case $service in
	jaeger | prometheus) echo "$service is left out: what is for it waits in the Collector's queue, at most 512 MiB" ;;
	*) echo "$service is left out" ;;
	esac
done
! has otel-collector || cat <<U

Next, traffic to look at:
  sudo compose/quickstart.sh --otlp-endpoint http://localhost:$COLLECTOR_HTTP_PORT --environment demo \\
      --metric-attributes network.io.direction,network.transport,source.address,destination.address,server.port
U
echo "The end: sudo compose/down.sh"
