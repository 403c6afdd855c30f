#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# build - the servers of other people that take OTLP, built from Go modules of pinned versions into a
# cache: minutes each when nothing of it is there yet.
set -euo pipefail
servers=(collector prometheus promtool jaeger)

usage() {
	cat <<'U'
Usage: tests/interop/build.sh [SERVER...]
       tests/interop/build.sh --path SERVER

Builds those of collector, prometheus, promtool (which checks Prometheus' files) and jaeger that the
cache lacks (these, if none is named), one after the other. --path prints where one is or would be, and
builds nothing.

Exit codes: 0 all are there; 77 they cannot be built here (no Go, or no way to the modules).
U
}

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringspan-tests/servers
declare -A package=([collector]=.
	[prometheus]=github.com/prometheus/prometheus/cmd/prometheus
	[promtool]=github.com/prometheus/prometheus/cmd/promtool
	[jaeger]=github.com/jaegertracing/jaeger/cmd/jaeger)
declare -A folder=([promtool]=prometheus) # of the module, where it is not the program's name
tags=remove_all_sd # Prometheus without its service discoveries
flags=(-trimpath -buildvcs=false -ldflags "-s -w")
# what is pinned is what is built: no other toolchain, no workspace, no newer module
export PATH=$PATH:/usr/local/go/bin GOTOOLCHAIN=local GOWORK=off GOFLAGS=-mod=readonly

skip() {
	echo "build.sh: skipped: $*" >&2
	exit 77
}

# Everything that decides what comes out decides the folder.
path_of() { # SERVER
	local key
	key=$({
		cd "$here/${folder[$1]:-$1}"
		cat go.mod go.sum
		find . -name '*.go' | LC_ALL=C sort | xargs -r cat
		echo "${package[$1]} $tags ${flags[*]}"
	} | sha256sum | cut -c1-16)
	echo "$cache/$key/$1"
}

need_go() { # SERVER
	local have want
	command -v go >/dev/null || skip "Go is not installed"
	have=$(go env GOVERSION) have=${have#go}
	want=$(sed -n 's/^go //p' "$here/${folder[$1]:-$1}/go.mod")
	[ "$(printf '%s\n' "$want" "${have%%[- ]*}" | sort -V | head -n 1)" = "$want" ] ||
		skip "$1 wants Go $want, this is $have"
}

build_one() { # SERVER
	local name=$1 to new log
	to=$(path_of "$name")
	[ ! -x "$to" ] || return 0
	need_go "$name"
	mkdir -p "${to%/*}"
	new=$to.$$ log=${to%/*}/build.log
	cd "$here/${folder[$name]:-$name}"
	echo "build.sh: $name: fetching its modules"
	nice -n 19 go list -deps -tags "$tags" "${package[$name]}" >/dev/null 2>"$log" ||
		skip "$name: not all modules can be had: $(tail -n 1 "$log")"
	echo "build.sh: $name: building into ${to%/*}"
	nice -n 19 go build -tags "$tags" "${flags[@]}" -o "$new" "${package[$name]}" >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		rm -f "$new"
		echo "build.sh: $name: the build failed" >&2
		exit 1
	}
	mv "$new" "$to"
	rm -f "$log"
	echo "build.sh: $name: $(du -h "$to" | cut -f1), $SECONDS s"
}

case ${1:-} in
--help | -h) usage && exit 0 ;;
--path) path_of "${2:?--path wants a server}" && exit 0 ;;
esac
[ $# -eq 0 ] || servers=("$@")
for name in "${servers[@]}"; do
	[ -n "${package[$name]:-}" ] || {
		echo "build.sh: $name is none of ${!package[*]}" >&2
		exit 64
	}
done
mkdir -p "$cache"
exec {lock}>"$cache/lock" # two at once would only be slower
flock "$lock"
for name in "${servers[@]}"; do
	build_one "$name"
done
