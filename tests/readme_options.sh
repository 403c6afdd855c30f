#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The README shows the options as the program itself does.
set -eu

readme=$(dirname "$0")/../README.md
program=${RINGSPAN_BUILD:?names the build folder}/user/ringspan

if ! [ -x "$program" ]; then
	echo "skipped: $program is not built"
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# between the markers stands a fenced block, and nothing else
sed -n '/^<!-- help begin -->$/,/^<!-- help end -->$/p' "$readme" >"$work/section"
sed -e '1,2d' -e '$d' "$work/section" | sed '$d' >"$work/readme"
env -u ARGP_HELP_FMT "$program" --help >"$work/program"

if ! [ -s "$work/readme" ]; then
	echo "README.md has no block between '<!-- help begin -->' and '<!-- help end -->'"
	exit 1
fi
if ! diff -u "$work/readme" "$work/program"; then
	echo "README.md differs from ringspan --help: copy the output of --help between the markers"
	exit 1
fi
