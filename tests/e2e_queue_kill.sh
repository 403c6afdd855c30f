#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A queue on disk keeps its promise: whatever was on disk when the process was killed arrives, at least
# once; under load, with a server that comes and goes, takes data and says nothing, and with a full disk.
. "$(dirname "$0")/lib.sh"
begin "$@"
need protoc mountpoint

load=$build/tests/queue_load
[ -x "$load" ] || fail "$load is not built"
kills=${RINGSPAN_KILLS:-50}
away=3
[ -z "${RINGSPAN_LONG_TESTS:-}" ] || away=60
ns_add a

has() { grep -q "$2" "$dir/$1.out"; } # NAME PATTERN
safe_of() { awk '$1 == "safe" { n = $2 } END { print n + 0 }' "$dir/$1.out"; } # NAME
arrived() { find "$dir/$1" -name 'traces-*.bin' | wc -l; } # SINK
arrived_more() { [ "$(arrived "$1")" -ge "$2" ]; } # SINK COUNT
port_of() { sed 's/.*://' <<<"$1"; } # URL

# What the process said of its account adds up.
account_is_closed() { # NAME
	tail -n 1 "$dir/$1.out" | tr ' ' '\n' | awk -F= '
		{ v[$1] = $2; if ($1 ~ /exported|queue_full|shutdown|damaged|queued/) sum += $2 }
		END { exit !(sum > 0 && v["submitted"] == sum) }' ||
		fail "$1: the account is open: $(tail -n 1 "$dir/$1.out")"
}

kill_now() { # NAME
	kill -KILL "${pid_of[$1]}"
	wait "${pid_of[$1]}" 2>/dev/null || :
}

# Sends what is left in a queue to a server that works.
drain() { # NAME QUEUE URL
	spawn "$1" a "$load" "$3" "$2" 1 0
	wait_exit "$1" 60
	has "$1" ' queued=0 ' || fail "$1: something is left: $(tail -n 1 "$dir/$1.out")"
	has "$1" ' damaged=0 ' || fail "$1: damage after a kill: $(tail -n 1 "$dir/$1.out")"
}

# ---- killed at random moments, again and again ----

killed_again_and_again() {
	local n first=1 safe ranges=() url port
	sink_start kill-sink a
	url=$sink_url/v1/traces port=$(port_of "$sink_url")
	RANDOM=${RINGSPAN_SEED:-$$}
	say "seed ${RINGSPAN_SEED:-$$}"
	for ((n = 1; n <= kills; n++)); do
		# every other time the server is away
		if [ $((n % 4)) = 2 ]; then
			sink_stop kill-sink
		elif [ $((n % 4)) = 0 ]; then
			sink_start kill-sink a --listen "127.0.0.1:$port"
		fi
		spawn "kill-$n" a "$load" "$url" "$dir/kill-queue" "$first" 10000000
		wait_for 20 "something is safe" has "kill-$n" '^safe'
		tick "0.$(printf %03d $((RANDOM % 120)))"
		kill_now "kill-$n"
		safe=$(safe_of "kill-$n")
		ranges+=("$first" "$safe")
		first=$((first + 1000000))
	done
	is_gone "${pid_of[kill-sink]}" && sink_start kill-sink a --listen "127.0.0.1:$port"
	drain kill-end "$dir/kill-queue" "$url"
	sink_stop kill-sink
	say "$kills kills: $("$py" "$tests/check_numbers.py" "$dir/kill-sink" "${ranges[@]}")"
}

# ---- a server that is away, and one that takes the data and drops the connection ----

server_goes_away() {
	local url port safe before
	sink_start away-sink a
	url=$sink_url/v1/traces port=$(port_of "$sink_url")
	spawn away a "$load" "$url" "$dir/away-queue" 1 10000000
	wait_for 20 "requests arrive" arrived_more away-sink 20
	sink_stop away-sink
	before=$(arrived away-sink)
	tick "$away"
	kill_now away
	safe=$(safe_of away)
	[ "$safe" -gt $((before * 10 + away * 1000)) ] || fail "only $safe spans are safe"
	sink_start away-sink a --listen "127.0.0.1:$port"
	drain away-end "$dir/away-queue" "$url"
	sink_stop away-sink
	say "away for $away s, then killed: $("$py" "$tests/check_numbers.py" "$dir/away-sink" 1 "$safe")"
}

server_drops_the_connection() {
	sink_start drop-sink a --drop-answers 30
	spawn drop a "$load" "$sink_url/v1/traces" "$dir/drop-queue" 1 500
	wait_exit drop 60
	account_is_closed drop
	has drop ' exported=500 ' || fail "drop: $(tail -n 1 "$dir/drop.out")"
	sink_stop drop-sink
	say "answers dropped: $("$py" "$tests/check_numbers.py" "$dir/drop-sink" 1 500)"
}

# ---- a disk that is full, and one where others make room again ----

disk_is_full() {
	local safe url port
	mkdir "$dir/disk"
	mount -t tmpfs -o size=3m tmpfs "$dir/disk"
	sink_start full-sink a
	url=$sink_url/v1/traces port=$(port_of "$sink_url")
	sink_stop full-sink
	head -c 2500000 /dev/zero >"$dir/disk/ballast"
	spawn full a "$load" "$url" "$dir/disk/queue" 1 30000
	wait_for 30 "the full disk is told of" grep -q 'no space left' "$dir/full.err"
	rm "$dir/disk/ballast"
	wait_for 30 "the disk is used again" grep -q 'can be written again' "$dir/full.err"
	wait_for 60 "all is safe" has full '^safe 30000'
	kill_now full
	safe=$(safe_of full)
	sink_start full-sink a --listen "127.0.0.1:$port"
	drain full-end "$dir/disk/queue" "$url"
	sink_stop full-sink
	umount "$dir/disk"
	say "full disk: $("$py" "$tests/check_numbers.py" "$dir/full-sink" 1 "$safe")"
}

# More than disk and memory hold: the oldest go, and are counted.
disk_stays_full() {
	sink_start small-sink a
	local url=$sink_url/v1/traces port
	port=$(port_of "$sink_url")
	sink_stop small-sink
	spawn small a "$load" "$url" "$dir/small-queue" 1 100000 1000000
	wait_for 60 "the queue is full" grep -q 'on disk is full' "$dir/small.err"
	wait_for 60 "the last span is safe" has small '^safe 100000'
	sink_start small-sink a --listen "127.0.0.1:$port"
	wait_exit small 60
	account_is_closed small
	has small 'queue_full=0 ' && fail "small: nothing was dropped: $(tail -n 1 "$dir/small.out")"
	sink_stop small-sink
	# the newest are what arrives
	say "small queue: $(tail -n 1 "$dir/small.out"): $(
		"$py" "$tests/check_numbers.py" "$dir/small-sink" 99000 100000)"
}

killed_again_and_again
server_goes_away
server_drops_the_connection
disk_is_full
disk_stays_full
