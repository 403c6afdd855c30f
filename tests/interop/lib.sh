# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# lib - what the tests with other people's servers share: the programs, the watched link, questions by
# HTTP. To be sourced after ../lib.sh.

# servers_need SERVER…: their paths in program[SERVER], from the cache that build.sh fills; with
# RINGSPAN_BUILD_SERVERS=1 it is called here.
declare -A program
servers_need() {
	local server rc said
	for server in "$@"; do
		if [ "${RINGSPAN_BUILD_SERVERS:-}" = 1 ]; then
			rc=0 said=$("$tests/interop/build.sh" "$server" 2>&1) || rc=$?
			[ "$rc" != 77 ] || skip "${said##*skipped: }"
			[ "$rc" = 0 ] || fail "$said"
		fi
		program[$server]=$("$tests/interop/build.sh" --path "$server")
		[ -x "${program[$server]}" ] ||
			skip "$server is not built; with Go, and minutes: tests/interop/build.sh $server"
	done
}

# va of the namespace watch, 10.77.1.1, and vb of peer, 10.77.1.2: only what a test sends travels over it.
watched_link() {
	ns_add watch peer
	link_add_mute watch va peer vb
	link_address4 watch va peer vb 1
}

ask() { in_ns watch curl -sS --max-time 10 "$@"; }
answers() { ask -o "$dir/answer" -f "$1" 2>/dev/null; } # URL
