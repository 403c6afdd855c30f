#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Makes ringspan(8): the hand-written text, with the program's version and its own words for each
# command's options, so that the two cannot differ.
#
#   manual.sh RINGSPAN TEMPLATE OUTPUT.gz
set -eu
program=$1 template=$2 output=$3
unset ARGP_HELP_FMT
export ASAN_OPTIONS=detect_leaks=0

# A preformatted block: a backslash is an escape, a leading dot or quote a request, a hyphen a dash.
block() {
	"$program" "$@" --help | sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/'/\\\\(aq/g" -e 's/^\./\\\&./'
}

version=$("$program" --version | sed 's/^ringspan \([^ ]*\).*/\1/')
while IFS= read -r line; do
	case $line in
	@help*@)
		words=${line#@help}
		printf '.nf\n.ft CW\n'
		# shellcheck disable=SC2086
		block ${words%@}
		printf '.ft\n.fi\n'
		;;
	*@version@*) printf '%s\n' "${line%%@version@*}$version${line#*@version@}" ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$template" >"${output%.gz}"
gzip -9nf "${output%.gz}"
