#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# official_protobuf - our requests, decoded by the official definitions of OTLP.
#
# Without arguments: random requests by our encoder and by nanopb's must decode, without unknown
# fields, into equal messages; split into pieces, theirs and those of the official encoder must have
# the same items. With folders: so must the request bodies in them decode (official_protobuf.py).
# The definitions come from PyPI into a cache, once.
set -euo pipefail

tests=$(cd "$(dirname "$0")" && pwd)
build=${RINGSPAN_BUILD:-${tests%/tests}/build/dev}
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringspan-tests
venv=$cache/venv
export PYTHONDONTWRITEBYTECODE=1

skip() {
	echo "official_protobuf: skipped: $*"
	exit 77
}

# Made aside and moved into place, so that a run that is cut off leaves no half of it.
make_venv() {
	local new
	mkdir -p "$cache" && new=$(mktemp -d "$cache/new.XXXXXX") || return
	/usr/bin/python3 -m venv "$new" &&
		"$new/bin/python" -m pip install -q --disable-pip-version-check \
			'opentelemetry-proto>=1.30' 'protobuf>=5' &&
		mv -T "$new" "$venv" && return
	rm -rf "$new"
	[ -x "$venv/bin/python" ]
}

if [ ! -x "$venv/bin/python" ]; then
	reason=$(make_venv 2>&1) || skip "no virtual environment: ${reason##*$'\n'}"
fi
check() { "$venv/bin/python" "$tests/official_protobuf.py" "$@"; }

if [ $# -gt 0 ]; then
	check "$@"
	exit
fi
samples=$build/tests/encode_samples
[ -x "$samples" ] || skip "$samples is not built"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$samples" "$dir"
check --same "$dir/ours" "$dir/reference"
split() { # NAME LIMIT
	"$build/tests/split_samples" "$2" "$dir/$1" "$dir/$1.pieces"
	check --pieces "$dir/$1" "$dir/$1.pieces" "$2"
}
split ours 1000000
check --make "$dir/official"
split official 2000
