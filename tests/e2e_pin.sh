#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The pinned xdp_stats_map that other programs read: the receive totals, exact; one for each process; gone
# with it, and after a kill replaced by the next start.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tcpreplay

pins=/sys/fs/bpf/ringspan
made pcap make_capture.py mixed
read -r packets bytes < <("$py" - "$made_path" <<'P'
import struct, sys
data, at, packets, size = open(sys.argv[1], "rb").read(), 24, 0, 0
while at < len(data):
    length = struct.unpack_from("<I", data, at + 8)[0]
    at += 16 + length
    packets += 1
    size += length
print(packets, size)
P
)

# What a scraper finds: key 0, two 64-bit numbers.
mirror() { # PIN
	bpftool -j map dump pinned "$1" | "$py" -c 'import json, struct, sys
(entry,) = json.load(sys.stdin)
assert bytes(int(b, 16) for b in entry["key"]) == bytes(4)
print(*struct.unpack("<QQ", bytes(int(b, 16) for b in entry["value"])))'
}
mirror_is() { [ "$(mirror "$1")" = "$2 $3" ]; }

for id in 1 2; do
	ns_add "in-$id" "out-$id"
	link_add_mute "in-$id" va "out-$id" vb
	ringspan_start "rs-$id" "in-$id" --interface va --exporter console
done
one=$pins/xdp_stats_map two=$pins/xdp_stats_map_${pid_of[rs-2]}
mirror_is "$one" 0 0 || fail "not there from the start: $(mirror "$one")"
mirror_is "$two" 0 0 || fail "the second process has no map of its own: $(ls "$pins")"
replay out-1 vb "$made_path"
wait_for 10 "$packets packets, $bytes bytes in $one" mirror_is "$one" "$packets" "$bytes"
mirror_is "$two" 0 0 || fail "the second process's map shows the first one's packets"
ringspan_stop rs-1
[ ! -e "$one" ] || fail "the pin is left"
kill -KILL "${pid_of[rs-2]}"
wait_exit rs-2 10 2>/dev/null
[ -e "$two" ] || fail "a killed process's pin went by itself: this tests nothing"
ringspan_start rs-3 in-1 --interface va --exporter console
mirror_is "$one" 0 0 || fail "the next start has no pin"
kill -KILL "${pid_of[rs-3]}"
wait_exit rs-3 10 2>/dev/null
ringspan_start rs-4 in-1 --interface va --exporter console
replay out-1 vb "$made_path"
wait_for 10 "the pin left by a kill is replaced" mirror_is "$one" "$packets" "$bytes"
ringspan_stop rs-4
[ -z "$(ls -A "$pins" 2>/dev/null)" ] || fail "left: $(ls "$pins")"
say "exact, one a process, gone or replaced"
