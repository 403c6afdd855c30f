#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# 500 random TCP conversations over bad paths, given to the TC program in real time: what it concludes
# is what the ends know that they did, and what tshark concludes. Options: first seed, how many.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: loading BPF programs needs root"; exit 77; }
command -v tshark >/dev/null || { echo "skipped: tshark is not installed"; exit 77; }
tests=$(cd "$(dirname "$0")" && pwd)
build=${RINGSPAN_BUILD:-${tests%/tests}/build/dev}
dir=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-test.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

/usr/bin/python3 "$tests/tcp_conversations.py" "${1:-0}" "${2:-500}" "$dir/planned.pcap"
"$build/tests/tcp_facts" --replay "$dir/planned.pcap" "$dir/seen.pcap" >"$dir/facts"
/usr/bin/python3 "$tests/check_tcp_facts.py" "$dir/facts" "$dir/seen.pcap" "$dir/planned.pcap.truth"
