#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A transfer over a link that loses one packet in 50: what was sent again, as counted at the sender's
# interface, is what its TCP says that it sent again: exactly, as a rule. A segment that repeats something
# and adds something new is new here, and one that was sent again there.
. "$(dirname "$0")/lib.sh"
begin "$@"
need iperf3 nft nstat
facts=$build/tests/tcp_facts
[ -x "$facts" ] || fail "$facts is not built"

ns_add a b
link_add a va b vb
link_address a va b vb 1
in_ns b nft -f - <<'RULES' || skip "nft cannot drop at random here"
table ip loss {
	chain drops {
		type filter hook prerouting priority -300
		tcp dport 5201 numgen random mod 50 == 0 drop
	}
}
RULES
spawn server b iperf3 --forceflush -s -1
wait_for 10 "the server listens" grep -qs listening "$dir/server.out"
in_ns a "$facts" va iperf3 -c 10.77.1.2 -n 40M >"$dir/facts" || fail "$(tail -n 3 "$dir/facts")"
told=$(in_ns a nstat -asz TcpRetransSegs | awk '$1 == "TcpRetransSegs" { print $2 }')
seen=$(awk 'NF == 9 && $4 == 5201 { sum += $6 } END { print sum + 0 }' "$dir/facts")
[ "$told" -gt 100 ] || fail "only $told segments were sent again: no test"
apart=$((seen > told ? seen - told : told - seen))
[ $((100 * apart)) -le "$told" ] || fail "$seen segments counted as sent again, TCP says $told"
say "$seen segments counted as sent again, TCP says $told"
