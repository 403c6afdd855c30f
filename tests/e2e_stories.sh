#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Connections whose stories are known, played with their pauses, all at the same time: what their traces
# tell, as trees, at the client's side and at the server's; tshark is the witness for what it has a word
# for. STORIES_UPDATE=1 writes the expectations anew: see story_tree.py.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc tshark
"$py" -c 'import scapy' 2>/dev/null || skip "scapy is not installed (tests/run.sh installs it)"

"$py" "$tests/story_captures.py" "$dir/captures"

flows_are_over() { # SIDE
	[ "$(in_ns "a-$1" "$ringspan" ctl flows --json --control "$dir/$1.ctl" |
		"$py" -c 'import json,sys; print(len(json.load(sys.stdin)["flows"]))')" = 0 ]
}

# Sets $status to 75 if the times did not turn out as they should.
play_once() { # SIDE CAPTURES OPTION…
	local side=$1 captures=$2 ends
	shift 2
	rm -rf "$dir/$side"
	mkdir -p "$dir/$side"
	ends="a-$side va b-$side vb"
	[ "$side" != server ] || ends="b-$side vb a-$side va"
	sink_start "$side/sink" "a-$side"
	ringspan_start "rs-$side" "a-$side" --interface va --xdp-mode tc --exporter otlp \
		--otlp-endpoint "$sink_url" --idle-timeout 1.5 --tcp-idle-timeout 1.5 \
		--control "$dir/$side.ctl" --events none "$@"
	# shellcheck disable=SC2086
	spawn "play-$side" "a-$side" "$py" "$tests/send_stories.py" $ends "$dir/$side/played.pcap" $captures
}

finish_once() { # SIDE
	wait_exit "play-$1" 30
	[ "$status" = 0 ] || [ "$status" = 75 ] || fail "the player: $(tail -n 3 "$dir/play-$1.err")"
	local played=$status
	wait_for 30 "all flows at the $1's side have ended" flows_are_over "$1"
	ringspan_stop "rs-$1"
	sink_stop "$1/sink"
	say "$1's side: $(cat "$dir/play-$1.out")"
	[ "$played" = 0 ] || late=1
}

# Both sides at the same time, from the beginning again where the machine was too slow.
tell() { # SUFFIX CAPTURES OPTION…
	local suffix=$1 captures=$2 try side late
	shift 2
	for try in 1 2 3 4 5 6; do
		late=0
		for side in client server; do play_once "$side" "$captures" "$@"; done
		for side in client server; do finish_once "$side"; done
		[ "$late" = 1 ] || break
		[ "$try" != 6 ] || fail "six times too slow to send what is to be seen"
	done
	# shellcheck disable=SC2086
	"$py" "$tests/story_tree.py" ${STORIES_UPDATE:+--update} "$tests/stories" "$suffix" \
		"$dir/client/sink" "$dir/server/sink" $captures || fail "see the difference above"
	for side in client server; do
		# shellcheck disable=SC2086
		"$py" "$tests/check_stories.py" "$dir/$side/played.pcap" "$dir/$side/sink" $captures ||
			fail "$side's side: tshark saw something else"
	done
}

for side in client server; do
	ns_add "a-$side" "b-$side"
	link_add_mute "a-$side" va "b-$side" vb
done
tell "" "$(echo "$dir"/captures/*.pcap)"
tell .intervals "$(echo "$dir"/captures/*-long_connection.pcap)" --active-timeout 0.4
if "$ringspan" --help | grep -e --decap >/dev/null; then # -q would break the pipe
	tell .decap "$(echo "$dir"/captures/*-vxlan.pcap "$dir"/captures/*-gre.pcap)" --decap
fi
