#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# --filter on a capture of all kinds of traffic: everything is counted, what tshark finds is in flows, the
# rest is said to be filtered, in the status and in the balance.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay

ctl() { "$ringspan" ctl --control "$dir/ctl.sock" "$@"; }
is_equal() { [ "$1" = "$2" ] || fail "$3: $1, not $2"; }

# Packets of the outermost header that tshark takes, and that are no fragments.
witness() { # DISPLAY-FILTER
	tshark -n -r "$capture" -o ip.defragment:FALSE -o ipv6.defragment:FALSE \
		-Y "($1) && !icmp && !icmpv6 && !(ip.proto in {4, 47}) && !(ip.flags.mf==1) && !ipv6.fraghdr" \
		-T fields -e frame.number 2>/dev/null | wc -l
}

json() { # EXPRESSION: of the status, d, and its row of packets, p
	ctl status --json | "$py" -c "import json, sys
d = json.load(sys.stdin)
p = next(r for r in d['ledger'] if r['stage'] == 'packets')
print($1)"
}
has_seen() { [ "$(json 'p["in"]')" = "$1" ]; }

filtered() { # NAME MODE INTERFACE FILTER DISPLAY-FILTER
	local id=$1 ns=in-$1 want all
	[ "$3" = va ] || ns=out-$1
	want=$(witness "$5")
	[ "$want" -ge 100 ] || fail "the capture has $want packets of '$5'"
	all=$(tshark -n -r "$capture" -T fields -e frame.number 2>/dev/null | wc -l)
	ns_add "in-$id" "out-$id"
	link_add_mute "in-$id" va "out-$id" vb
	ringspan_start "rs-$id" "$ns" --interface "$3" --xdp-mode "$2" --exporter console \
		--control "$dir/ctl.sock" --filter "$4"
	replay "out-$id" vb "$capture"
	wait_for 20 "$all packets are seen" has_seen "$all"
	is_equal "$(json 'd["filter"]')" "$4" "filter in the status"
	ctl status >"$dir/status"
	grep -qxF "filter: $4" "$dir/status" || fail "no filter in the status: $(cat "$dir/status")"
	is_equal "$(json 'p["out"]')" "$want" "packets in flows of '$4'"
	is_equal "$(json 'p["aside"]["filtered"]')" \
		"$((all - want - $(json 'p["aside"]["no_flow"]')))" "packets filtered by '$4'"
	ringspan_stop "rs-$id"
	grep -q "^packets .* filtered=" "$dir/rs-$id.err" || fail "nothing filtered in the balance"
	say "$4, $2, $3: $want of $all packets are in flows"
}

capture_mixed --packets 50000
filtered web native va 'tcp port 443 and not net 172.16.0.0/30' \
	'tcp.port==443 && !(ip.addr==172.16.0.0/30)'
filtered names tc va 'udp port 53 or sctp' 'udp.port==53 || sctp'
filtered six tc vb 'ip6 and (tcp or udp) and portrange 1-1023' \
	'ipv6 && ((tcp.port>=1 && tcp.port<=1023) || (udp.port>=1 && udp.port<=1023))'
