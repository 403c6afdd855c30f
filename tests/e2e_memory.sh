#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A minute of replay at full speed: memory does not grow after the warm-up, and the accounts close. The
# release build, since sanitizers keep what was freed.
. "$(dirname "$0")/lib.sh"
[ -n "${RINGSPAN_LONG_TESTS:-}" ] || skip "takes more than a minute: tests/run.sh --long"
need tcpreplay cmake ninja
(cd "$repo" && cmake --preset release && cmake --build --preset release --target ringspan) \
	>"$build/memory.log" 2>&1 || fail "the release build: $(tail -n 5 "$build/memory.log")"
ringspan=$repo/build/release/user/ringspan
begin "$@"

resident_kb() { awk '$1 == "VmRSS:" { print $2 }' "/proc/${pid_of[rs]}/status"; }

# Most of it between two moments, in $most.
watch_for() { # SECONDS
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) now
	most=0
	while [ "${EPOCHREALTIME/./}" -lt "$end" ]; do
		now=$(resident_kb)
		[ "$now" -le "$most" ] || most=$now
		tick 0.25
	done
}

made pcap make_capture.py mixed
ns_add in out
link_add_mute in va out vb
sink_start sink in
ringspan_start rs in --interface va --xdp-mode native --sample 1/1 --interval 1 \
	--idle-timeout 5 --exporter otlp --otlp-endpoint "$sink_url"
link_queue out vb
spawn load out tcpreplay -q -K --topspeed --loop 1000000 -i vb "$made_path"
watch_for 15
warm=$most
for part in 1 2 3; do
	watch_for 15
	say "resident: $warm kB at most in the first 15 s, $most kB in part $part"
	[ "$most" -le $((warm + warm / 20 + 1024)) ] || fail "memory grows"
done
ringspan_stop rs
kill -KILL "${pid_of[load]}"
say "no growth; $(grep '^packets ' "$dir/rs.err")"
