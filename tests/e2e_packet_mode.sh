#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Packet mode on a link: counters exact, every sample accounted for, estimates as good as they say, and
# the rate changed twice without bending a sum.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tcpreplay tshark protoc

export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"

mkdir -p /run/ringspan
mount -t tmpfs -o mode=755 tmpfs /run/ringspan
made pcap make_capture.py many --flows 500 --rounds 40
capture=$made_path
made json truth.py "$capture"
truth=$made_path
ns_add in out
link_add_mute in va out vb

sample() { # N BEFORE
	"$ringspan" ctl sample "1/$1" >"$dir/answer"
	[ "$(cat "$dir/answer")" = "taking 1 packet in $1, before: 1 in $2" ] ||
		fail "ctl sample says: $(cat "$dir/answer")"
}

# ---- one rate ----
sink_start steady_sink in
ringspan_start steady in --interface va --xdp-mode native --sample 1/10 --sample-mode packet \
	--otlp-endpoint "$sink_url"
grep -q '^ringspan ready: .*keeping 1 packet in 10$' "$dir/steady.err" || fail "it does not say how"
replay out vb "$capture"
"$ringspan" ctl status >"$dir/status"
grep -q '^sampling: 1 packet in 10$' "$dir/status" || fail "status: $(cat "$dir/status")"
"$ringspan" ctl status --json | "$py" -c 'import json,sys; s = json.load(sys.stdin)["sampling"]
sys.exit(s != {"mode": "packet", "interval": 10, "auto": False})' || fail "status in JSON"
"$ringspan" ctl flows --json --limit 1000 | "$py" -c 'import json,sys
for f in json.load(sys.stdin)["flows"]:
	for end in f["source"], f["destination"]:
		assert end["packets_estimated"] == 10 * end["packets_sampled"] and "packets" not in end, f'
ringspan_stop steady
sink_stop steady_sink
"$tests/check_packets.py" "$truth" "$dir/steady_sink" --ledger "$dir/steady.err" --rate 10
"$tests/check_counters.py" truth "$dir/steady_sink" --interface va --direction receive \
	--truth "$truth"
official steady_sink

# ---- the same at three rates ----
sink_start sink in
ringspan_start rs in --interface va --xdp-mode native --sample 1/10 --sample-mode packet \
	--otlp-endpoint "$sink_url"
replay out vb "$capture"
sample 50 10
replay out vb "$capture"
sample 2 50
replay out vb "$capture"
ringspan_stop rs
sink_stop sink
"$tests/check_packets.py" "$truth" "$dir/sink" --ledger "$dir/rs.err" --rate 10 --rate 50 --rate 2
"$tests/check_counters.py" truth "$dir/sink" --interface va --direction receive --truth "$truth" \
	--loops 3
say "samples, estimates and counters are what they should be"
