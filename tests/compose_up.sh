#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What up.sh and down.sh say where something is missing, taken or wrong: one line, that says what to do, and
# nothing is started. The engine is a stub, which writes down what it is asked.
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-test.XXXXXX")
listener=
cleanup() {
	local rc=$?
	[ -z "$listener" ] || kill "$listener" 2>/dev/null || :
	rm -rf "$dir"
	exit "$rc"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
unset "${!COLLECTOR_@}" "${!PROMETHEUS_@}" "${!GRAFANA_@}" "${!JAEGER_@}" "${!RINGSPAN_@}" "${!COMPOSE_@}"

fail() {
	echo "compose_up: FAILED: $*" >&2
	exit 1
}

# A copy, so that files can be missing; PATH with ordinary programs but no engine.
mkdir -p "$dir/compose" "$dir/bin"
cp "$repo"/compose/*.sh "$repo/compose/compose.yaml" "$dir/compose/"
for folder in collector prometheus grafana jaeger; do
	mkdir -p "$dir/compose/$folder"
	echo "of $folder" >"$dir/compose/$folder/file.yaml"
done
for tool in bash sh cat sed grep sort head tail find xargs sha256sum cut env mktemp rm timeout id tr sleep dirname ss wc; do
	path=$(command -v "$tool") && ln -s "$path" "$dir/bin/$tool"
done
# engine.sh adds these to PATH: an engine of this machine must not be found there
sed -i 's#PATH=\$PATH:/usr/sbin:/sbin#PATH=$PATH#' "$dir/compose/engine.sh"

stub() { # NAME SCRIPT
	printf '#!/bin/bash\necho "${0##*/} $*" >>"%s/asked"\n%s\n' "$dir" "$2" >"$dir/bin/$1"
	chmod +x "$dir/bin/$1"
}

# says CODE SCRIPT PATTERN OPTION…: one line on stderr, which fits, and this exit code.
says() {
	local code=$1 script=$2 pattern=$3 rc=0
	shift 3
	: >"$dir/asked"
	PATH=$dir/bin "$dir/compose/$script" "$@" >"$dir/out" 2>"$dir/err" </dev/null || rc=$?
	[ "$rc" = "$code" ] || fail "$script $*: exit code $rc, not $code: $(cat "$dir/err")"
	[ "$(wc -l <"$dir/err")" = 1 ] || fail "$script $*: not one line: $(cat "$dir/err")"
	grep -qE -- "^$script: .*$pattern" "$dir/err" || fail "$script $*: says $(cat "$dir/err")"
	! grep -qE ' (up|run|create|start|rm) ' "$dir/asked" || fail "$script $*: did $(cat "$dir/asked")"
}

for script in up.sh down.sh; do
	PATH=$dir/bin "$dir/compose/$script" --help | grep -q '^Usage: ' || fail "$script --help"
	says 1 "$script" 'neither is installed: apt install podman'
	says 1 "$script" 'looked for docker: it is not installed' --engine docker
	says 64 "$script" "'lxc': not an engine: give podman or docker" --engine lxc
	says 64 "$script" 'nothing follows' --engine
	says 64 "$script" "'--frob': not an option" --frob
done
says 64 up.sh "'kafka': not a service: give otel-collector" --without kafka
says 64 up.sh "'soon': not a number" --timeout soon
says 64 up.sh "'no-such-if': this host has no such interface" --with-ringspan no-such-if
says 64 up.sh 'nothing is left' --without jaeger --without grafana --without prometheus --without otel-collector

stub docker 'echo "Cannot connect to the Docker daemon" >&2; exit 1'
says 1 up.sh 'docker.*Cannot connect to the Docker daemon.*systemctl start docker' --engine docker
says 1 down.sh 'docker.*Cannot connect' --engine docker
says 1 up.sh 'docker.*Cannot connect' # the only one there is
stub podman '[ "$1" != info ] || { echo "Error: no runtime" >&2; exit 125; }'
says 1 up.sh 'asked podman .*no runtime' # the first where both are

stub podman '[ "$1" != compose ]'
says 1 up.sh 'neither works: apt install podman-compose'
stub docker '[ "$1" != compose ]'
says 1 up.sh 'neither works: apt install docker-compose' --engine docker
stub podman-compose 'echo "podman-compose version 1.3.0"'

# ports
exec {listening}< <(exec /usr/bin/python3 -c '
import signal, socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
signal.pause()')
listener=$!
read -rt 20 -u "$listening" port || fail "no listener"
holder='another process'
! command -v ss >/dev/null || [ "$(id -u)" != 0 ] || holder="python3[^ ]* \\(pid $listener\\)"
free=$(/usr/bin/python3 -c '
import socket
s = [socket.create_server(("127.0.0.1", 0)) for _ in range(7)]
print(*(x.getsockname()[1] for x in s))')
read -r -a free <<<"$free"
export COLLECTOR_GRPC_PORT=${free[0]} COLLECTOR_HTTP_PORT=${free[1]} COLLECTOR_METRICS_PORT=${free[2]}
export COLLECTOR_HEALTH_PORT=${free[3]} PROMETHEUS_PORT=${free[4]} GRAFANA_PORT=${free[5]} JAEGER_PORT=${free[6]}
for variable in COLLECTOR_HTTP_PORT GRAFANA_PORT; do
	was=${!variable}
	export "$variable=$port"
	says 1 up.sh "port $port .*$holder listens there.*set $variable"
	export "$variable=eighty"
	says 64 up.sh "$variable='eighty': not a port"
	export "$variable=70000"
	says 64 up.sh "$variable='70000': not a port"
	export "$variable=$PROMETHEUS_PORT"
	says 64 up.sh "the same as"
	export "$variable=$was"
done
# a port of what is left out may be taken
rc=0
GRAFANA_PORT=$port PATH=$dir/bin "$dir/compose/up.sh" --without grafana >"$dir/out" 2>"$dir/err" </dev/null || rc=$?
[ "$rc" = 1 ] && grep -q 'was to start otel-collector' "$dir/err" || # the stub starts nothing
	fail "a taken port of a service left out: $(cat "$dir/err")"

# files
chmod 700 "$dir/compose/jaeger"
says 1 up.sh 'jaeger is to read .*/jaeger: only its owner may: chmod -R o'
chmod 755 "$dir/compose/jaeger"
chmod 600 "$dir/compose/prometheus/file.yaml"
says 1 up.sh 'prometheus is to read .*file.yaml: only its owner may'
chmod 644 "$dir/compose/prometheus/file.yaml"
rm -r "$dir/compose/grafana"
says 1 up.sh 'configuration of grafana: .* is not there'
mkdir "$dir/compose/grafana"
echo "compose_up: every refusal is one line and starts nothing"

# a start that fails, and one that never answers
failing() { # PATTERN OPTION…
	local pattern=$1 rc=0
	shift
	PATH=$dir/bin "$dir/compose/up.sh" "$@" >"$dir/out" 2>"$dir/err" </dev/null || rc=$?
	[ "$rc" = 1 ] && [ "$(wc -l <"$dir/err")" = 1 ] && grep -qE "$pattern" "$dir/err" ||
		fail "up.sh $*: $rc: $(cat "$dir/err")"
}
stub podman-compose '[ "$1" != --version ] || { echo "podman-compose version 1.3.0"; exit; }
echo "Error: manifest unknown" >&2; exit 1'
failing 'podman-compose was to start otel-collector .*manifest unknown'
stub podman-compose 'echo "podman-compose version 1.3.0"'
stub podman 'case $1 in ps) echo 0123456789ab ;; inspect) echo other ;; logs) echo "cannot open /badger"; echo "giving up" ;; esac'
failing 'waited 1 s for otel-collector prometheus grafana jaeger: no answer; otel-collector said last: cannot open /badger giving up' --timeout 1
echo "compose_up: a failed start and a silent service are named"

# down.sh asks before it removes
stub podman 'case "$1 $2" in "volume ls") echo ringspan_jaeger-data ;; esac'
says 1 down.sh '--purge: would remove ringspan_jaeger-data, and cannot ask here: give --yes' --purge
PATH=$dir/bin "$dir/compose/down.sh" >"$dir/out" 2>&1 || fail "down.sh with nothing there"
grep -q 'kept.*ringspan_jaeger-data' "$dir/out" || fail "down.sh does not say what it keeps"
: >"$dir/asked"
PATH=$dir/bin "$dir/compose/down.sh" --purge --yes >"$dir/out" 2>&1 || fail "down.sh --purge --yes"
grep -q 'podman volume rm ringspan_jaeger-data' "$dir/asked" || fail "--purge --yes removes nothing"
echo "compose_up: down.sh asks before it removes"
