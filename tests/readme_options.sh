#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The README shows the options as the program itself does, and names every variable that is read.
set -eu

root=$(dirname "$0")/..
readme=$root/README.md
program=${RINGSPAN_BUILD:?names the build folder}/user/ringspan

if ! [ -x "$program" ]; then
	echo "skipped: $program is not built"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shows MARKER ARGUMENT…: between the markers stands a fenced block, and nothing else
shows() {
	marker=$1
	shift
	sed -n "/^<!-- $marker begin -->\$/,/^<!-- $marker end -->\$/p" "$readme" >"$work/section"
	sed -e '1,2d' -e '$d' "$work/section" | sed '$d' >"$work/readme"
	env -u ARGP_HELP_FMT "$program" "$@" >"$work/program"
	if ! [ -s "$work/readme" ]; then
		echo "README.md has no block between '<!-- $marker begin -->' and '<!-- $marker end -->'"
		exit 1
	fi
	if ! diff -u "$work/readme" "$work/program"; then
		echo "README.md differs from ringspan $*: copy its output between the markers"
		exit 1
	fi
}

shows help --help
shows 'help queue ls' queue ls --help
shows 'help queue send' queue send --help
shows 'help ctl' ctl --help
shows 'help tail' tail --help

# variables with whole names; those that are put together from a prefix are in the table, too
grep -ohE '"(OTEL|RINGSPAN)_[A-Z_]*[A-Z]"' "$root"/user/options*.c | tr -d '"' | sort -u >"$work/variables"
for prefix in OTEL_EXPORTER_OTLP RINGSPAN_OTLP_; do
	case $prefix in *_) prefix="$prefix<k>" ;; esac
	for rest in HEADERS COMPRESSION TIMEOUT CERTIFICATE CLIENT_CERTIFICATE CLIENT_KEY; do
		echo "${prefix}_$rest"
	done
done >>"$work/variables"
echo 'RINGSPAN_OTLP_<k>_HEADERS_FILE' >>"$work/variables"
missing=$(while read -r name; do grep -qF "\`$name\`" "$readme" || echo "$name"; done <"$work/variables")
if [ -n "$missing" ]; then
	echo "README.md does not name these variables:"
	echo "$missing"
	exit 1
fi
