#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# queue_compare - what otlp/'s queue on disk and the OpenTelemetry Collector's (sending_queue with
# file_storage) keep of the same load when things go wrong, and what they cost. Prints figures, no verdicts.
#
#   queue_compare.sh [--quick]     root; RINGSPAN_BUILD: the release build; RINGSPAN_SEED, RINGSPAN_KILLS
#
# Ours is tests/queue_load, which submits the spans itself; the Collector gets the same spans from
# bench/queue_push, and has accepted what it answered with success.
RINGSPAN_BUILD=${RINGSPAN_BUILD:-$(dirname "$0")/../build/release}
RINGSPAN_BINARY=$RINGSPAN_BUILD/tests/queue_load
. "$(dirname "$0")/../tests/lib.sh"
begin "$@"
need curl protoc

bench=$repo/bench
load=$build/tests/queue_load push=$build/bench/queue_push
[ -x "$push" ] || fail "$push is not built"
kills=${RINGSPAN_KILLS:-10} flips=8 cost_spans=30000 outage=6
if [ "${1:-}" = --quick ]; then
	kills=3 flips=3 cost_spans=10000 outage=4
fi
RANDOM=${RINGSPAN_SEED:-1}
columns=(ours)
server=$("$tests/interop/build.sh" --path collector)
if [ -x "$server" ]; then
	columns+=(default fsync one)
else
	say "the Collector is not built, only ours is shown; with Go: tests/interop/build.sh collector"
fi

# Queues lie on the disk, all else in memory: what is measured is the queue.
top=$dir
trap 'rc=$?; dir=$top; (exit $rc); cleanup' EXIT
mkdir "$top/disk" "$top/ram"
mount -t tmpfs tmpfs "$top/ram"
dir=$top/ram disk=$top/disk
ns_add a
sink_port=14319 to=http://127.0.0.1:14319/v1/traces
memory=0 window=100 elapsed=0

declare -A title=([ours]="ours" [default]="Collector, fsync: false" [fsync]="Collector, fsync: true"
	[one]="Collector, fsync: true, num_consumers: 1") cell
rows=()

put() { # ROW COLUMN TEXT
	[[ " ${rows[*]@Q} " == *" ${1@Q} "* ]] || rows+=("$1")
	cell[$1,$2]=$3
}

# ---- the candidates ----

collector_config() { # COLUMN QUEUE
	local fsync=true consumers=10
	[ "$1" != default ] || fsync=false
	[ "$1" != one ] || consumers=1
	cat <<-Y
		extensions:
		  file_storage: {directory: $2, fsync: $fsync}
		receivers:
		  otlp: {protocols: {http: {endpoint: "127.0.0.1:14318"}}}
		exporters:
		  otlp_http:
		    endpoint: http://127.0.0.1:$sink_port
		    compression: none
		    sending_queue: {storage: file_storage, queue_size: 1000000, num_consumers: $consumers}
		    retry_on_failure: {initial_interval: 20ms, max_interval: 200ms, max_elapsed_time: $elapsed}
		service:
		  extensions: [file_storage]
		  telemetry:
		    metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 18888}}}}]}
		  pipelines:
		    traces: {receivers: [otlp], exporters: [otlp_http]}
	Y
}

collector_is_up() { grep -qs 'Everything is ready' "$dir/$1.err" || is_gone "${pid_of[$1]}"; } # NAME
collector_start() { # COLUMN NAME QUEUE: false if it does not start
	mkdir -p "$3"
	collector_config "$1" "$3" >"$dir/$2.yaml"
	spawn "$2" a "$server" --config "$dir/$2.yaml"
	wait_for 20 "$2 starts" collector_is_up "$2"
	! is_gone "${pid_of[$2]}"
}

# Sum of a counter of the Collector's, 0 if it does not exist.
collector_count() { # PATTERN
	in_ns a curl -s --max-time 5 http://127.0.0.1:18888/metrics |
		awk -v p="^otelcol_($1)[{ ]" '$0 ~ p { n += $NF } END { printf "%d\n", n }'
}
collector_is_idle() {
	[ "$(collector_count 'exporter_queue_size|exporter_in_flight_requests')" = 0 ]
}

# Loads COUNT spans from FIRST on; the program is NAME, who said what is in $dir/NAME.said.
run() { # COLUMN NAME QUEUE FIRST COUNT CONNECTIONS
	if [ "$1" = ours ]; then
		spawn "$2" a "$load" "$to" "$3" "$4" "$5" 0 "$window" "$memory"
		ln -sf "$2.out" "$dir/$2.said"
	else
		collector_start "$1" "$2" "$3" || fail "$2: $(tail -n 3 "$dir/$2.err")"
		spawn "$2-push" a "$push" http://127.0.0.1:14318/v1/traces "$4" "$5" "$6"
		ln -sf "$2-push.out" "$dir/$2.said"
	fi
}
promised() { grep -qE '^(safe|accepted)' "$dir/$1.said"; } # NAME
offered() { awk '{n++} /^submitted/ {s++} END {print 10 * (s ? s : n)}' "$dir/$1.said"; } # NAME
offered_at_least() { [ "$(offered "$1")" -ge "$2" ]; } # NAME COUNT
finish_push() { # NAME
	[ -z "${pid_of[$1-push]:-}" ] || {
		kill -TERM "${pid_of[$1-push]}" 2>/dev/null || :
		wait_exit "$1-push" 30
	}
}
kill_run() { # NAME
	kill -KILL "${pid_of[$1]}" 2>/dev/null || :
	wait "${pid_of[$1]}" 2>/dev/null || :
	finish_push "$1"
}

# What it counted as lost, and how often its log complained (not of attempts that are repeated).
lost_said=0 complaints=0
listen_to() { # COLUMN NAME
	if [ "$1" = ours ]; then
		lost_said=$(tail -n 1 "$dir/$2.out" | tr ' ' '\n' | awk -F= '
			$1 ~ /queue_full|shutdown|damaged/ { n += $2 } END { print n + 0 }')
		complaints=$(grep -cvE '^event [01]:' "$dir/$2.err" || :)
	else
		lost_said=$(collector_count 'exporter_(enqueue|send)_failed_spans')
		complaints=$(grep -cE $'\t(warn|error|fatal)\t|panic|fatal' "$dir/$2.err" || :)
	fi
}

# Delivers what waits, while the program NAME runs, and ends it.
finish() { # COLUMN NAME
	if [ "$1" = ours ]; then
		wait_exit "$2" 60
		listen_to "$1" "$2"
	else
		finish_push "$2"
		tries_until 60 collector_is_idle || say "$2: not idle: $(collector_count exporter_queue_size) left"
		listen_to "$1" "$2"
		kill -TERM "${pid_of[$2]}"
		wait_exit "$2" 20
	fi
}
drain() { # COLUMN NAME QUEUE: a new process, and no load; false if it does not start
	if [ "$1" = ours ]; then
		spawn "$2" a "$load" "$to" "$3" 1 0 0 "$window" "$memory"
	else
		lost_said=0 complaints=1
		collector_start "$@" || return 1
	fi
	finish "$@"
}

receiver() { sink_start "$1" a --listen "127.0.0.1:$sink_port"; } # NAME
receiver_is_there() { [ -n "${pid_of[$1]:-}" ] && ! is_gone "${pid_of[$1]}"; } # NAME

seen() { # [--submitted] SINK OUT…: sets n_offered, n_accepted, …
	local words word
	words=$("$py" "$bench/queue_seen.py" "$@")
	for word in $words; do
		declare -g "n_${word%=*}=${word#*=}"
	done
}

# ---- the rows ----

killed() { # COLUMN
	local c=$1 n name first=1 said=()
	receiver "kill-$c"
	for ((n = 1; n <= kills; n++)); do
		name=kill-$c-$n
		if [ $((n % 4)) = 2 ]; then
			sink_stop "kill-$c"
		elif [ $((n % 4)) = 0 ]; then
			receiver "kill-$c"
		fi
		run "$c" "$name" "$disk/kill-$c" "$first" 10000000 4
		wait_for 20 "something is promised" promised "$name"
		tick "${pauses[n - 1]}"
		kill_run "$name"
		said+=("$dir/$name.said")
		first=$((first + 1000000))
	done
	receiver_is_there "kill-$c" || receiver "kill-$c"
	drain "$c" "kill-$c-end" "$disk/kill-$c" || fail "$c does not start after a kill"
	sink_stop "kill-$c"
	seen "$dir/kill-$c" "${said[@]}"
	put "1. kill -9, $kills times: handed over" "$c" "$n_offered"
	put "1. … of those promised (answered 200; ours: on disk)" "$c" "$n_accepted"
	put "1. … promised and lost" "$c" "$n_lost"
	put "1. … not promised, and did not arrive (the caller of ours isn't told; the Collector's is)" \
		"$c" "$((n_unkept - n_lost))"
	put "1. … arrived more than once" "$c" "$n_twice"
}

# The disk is full 0.5 MB from the start, and gets room 2 s later.
disk_full() { # COLUMN ROW
	local c=$1 row=$2 name=full-$1-$memory small=$disk/full-$1-$memory
	mkdir "$small"
	mount -t tmpfs -o size=32m tmpfs "$small"
	head -c $((32 * 1024 * 1024 - 524288)) /dev/zero >"$small/ballast"
	run "$c" "$name" "$small/queue" 1 40000 4
	tick 2
	rm "$small/ballast"
	wait_for 60 "the load ends" offered_at_least "$name" 40000
	receiver "$name-sink"
	finish "$c" "$name"
	sink_stop "$name-sink"
	umount "$small"
	seen --submitted "$dir/$name-sink" "$dir/$name.said"
	put "$row: accepted, of 40000" "$c" "$n_accepted"
	row=${row%%.*}
	put "$row. … refused (the sender is told)" "$c" "$n_refused"
	put "$row. … accepted and lost" "$c" "$n_lost"
	put "$row. … refused, and arrived all the same" "$c" "$((n_refused - n_unkept + n_lost))"
	put "$row. … spans its counters call lost, refused or failed" "$c" "$lost_said"
	put "$row. … lines of its log about it" "$c" "$complaints"
}

listening_ms() { date -r "$dir/$1.out" +%s%3N; } # SINK
last_ms() { # SINK: when the last request came
	find "$dir/$1" -name '*.bin' -printf '%T@\n' | awk '$1 > t { t = $1 } END { printf "%.0f\n", t * 1000 }'
}
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# Loaded by one connection, so that there is an order to keep.
away() { # COLUMN
	local c=$1 before
	run "$c" "away-$c" "$disk/away-$c" 1 20000 1
	wait_for 60 "the load ends" offered_at_least "away-$c" 20000
	receiver "away-$c-sink"
	before=$(listening_ms "away-$c-sink")
	finish "$c" "away-$c"
	put "3. receiver away, and back: ms until 20000 spans are delivered" "$c" \
		"$(($(last_ms "away-$c-sink") - before))"
	sink_stop "away-$c-sink"
	seen --submitted "$dir/away-$c-sink" "$dir/away-$c.said"
	put "3. … requests out of order, of 2000" "$c" "$n_disorder"
	put "3. … lost / more than once" "$c" "$n_lost / $n_twice"
}
away_and_killed() { # COLUMN
	local c=$1
	run "$c" "again-$c" "$disk/again-$c" 1 10000 1
	wait_for 60 "the load ends" offered_at_least "again-$c" 10000
	tick 0.5
	kill_run "again-$c"
	receiver "again-$c-sink"
	drain "$c" "again-$c-end" "$disk/again-$c" || fail "$c does not start after a kill"
	sink_stop "again-$c-sink"
	seen --submitted "$dir/again-$c-sink" "$dir/again-$c.said"
	put "3. … killed and started between: requests out of order, of 1000" "$c" "$n_disorder"
	put "3. … … lost / more than once" "$c" "$n_lost / $n_twice"
}
away_for_long() { # COLUMN
	local c=$1 elapsed=2s
	run "$c" "long-$c" "$disk/long-$c" 1 5000 4
	tick "$outage"
	receiver "long-$c-sink"
	finish "$c" "long-$c"
	sink_stop "long-$c-sink"
	seen --submitted "$dir/long-$c-sink" "$dir/long-$c.said"
	put "3. away $outage s, max_elapsed_time 2 s (ours: no such limit): lost, of 5000" "$c" "$n_lost"
	put "3. … its counters say lost" "$c" "$lost_said"
}

flip() { # FILE FRACTION: one bit of the byte at that fraction, of 32768, of what is not zero at the end
	"$py" - "$@" <<-'P'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    data = f.read()
		    at = len(data.rstrip(b"\0")) * int(sys.argv[2]) // 32768
		    f.seek(at)
		    f.write(bytes([data[at] ^ 0x10]))
	P
}
damaged() { # COLUMN
	local c=$1 n name lost=0 altered=0 hit=0 silent=0 dead=0 counted=0 file is_started
	run "$c" "damage-$c" "$disk/damage-$c" 1 3000 1
	wait_for 60 "the load ends" offered_at_least "damage-$c" 3000
	tick 0.5
	kill_run "damage-$c"
	for ((n = 0; n < flips; n++)); do
		name=damage-$c-$n
		cp -a "$disk/damage-$c" "$disk/$name"
		file=$(find "$disk/$name" -type f \( -name '*.wal' -o -name 'exporter_*' \) | head -n 1)
		flip "$file" "${places[n]}"
		receiver "$name-sink"
		is_started=1
		drain "$c" "$name" "$disk/$name" || is_started=0
		dead=$((dead + 1 - is_started))
		sink_stop "$name-sink"
		[ "$is_started" = 1 ] || continue
		seen --submitted "$dir/$name-sink" "$dir/damage-$c.said"
		lost=$((lost + n_lost)) altered=$((altered + n_altered)) counted=$((counted + lost_said))
		[ $((n_lost + n_altered)) = 0 ] || {
			hit=$((hit + 1))
			[ $((complaints + lost_said)) != 0 ] || silent=$((silent + 1))
		}
	done
	put "4. one bit flipped in the queue's file, $flips times, 3000 spans each: trials with spans lost" \
		"$c" "$hit"
	put "4. … of those: not said by counter or log" "$c" "$silent"
	put "4. … spans lost" "$c" "$lost"
	put "4. … its counters say lost" "$c" "$counted"
	put "4. … spans that arrived altered" "$c" "$altered"
	put "4. … trials in which it did not start, with all 3000 in its file" "$c" "$dead"
}

# utime + stime in ms, KiB written to the disk, RSS and its peak in MiB
usage() { # PID
	awk -v hz="$(getconf CLK_TCK)" '
		FILENAME ~ /stat$/ { sub(/.*\) /, ""); cpu = ($12 + $13) * 1000 / hz }
		$1 == "write_bytes:" { written = $2 / 1024 }
		$1 == "VmRSS:" { rss = $2 / 1024 }
		$1 == "VmHWM:" { peak = $2 / 1024 }
		END { printf "%d %d %.1f %.1f\n", cpu, written, rss, peak }' \
		"/proc/$1/stat" "/proc/$1/io" "/proc/$1/status"
}
cost() { # COLUMN healthy|away
	local c=$1 name=cost-$1-$2 row="5. receiver $2" before took count cpu written rss peak
	[ "$2" = away ] || receiver "$name-sink"
	before=$(now_ms)
	run "$c" "$name" "$disk/$name" 1 100000000 4
	wait_for 120 "the load" offered_at_least "$name" "$cost_spans"
	read -r cpu written rss peak < <(usage "${pid_of[$name]}")
	count=$(offered "$name") took=$(($(now_ms) - before))
	kill_run "$name"
	[ "$2" = away ] || sink_stop "$name-sink"
	put "$row: spans/s taken, of about 9000 offered" "$c" "$((count * 1000 / took))"
	put "$row: CPU s per 100000 spans (ours: with making them)" "$c" \
		"$(awk "BEGIN {printf \"%.2f\", $cpu * 100 / $count}")"
	put "$row: MiB written to the disk per 100000 spans" "$c" \
		"$(awk "BEGIN {printf \"%.1f\", $written / 1024 * 100000 / $count}")"
	put "$row: resident MiB, and at most" "$c" "$rss, $peak"
	[ "$2" != away ] || put "$row: MiB of queue on disk per 100000 spans" "$c" \
		"$(du -sk "$disk/$name" | awk "{printf \"%.1f\", \$1 / 1024 * 100000 / $count}")"
	rm -rf "${disk:?}/$name"
}

# A power cut: what the file system has given to its device so far is all that is found again. Once
# short after the start, once after somebody else's sync in between.
cut_once() { # COLUMN NAME SYNC
	local c=$1 name=$2 image=$disk/$2.img
	truncate -s 256M "$image"
	mkfs.ext4 -q "$image"
	mkdir "$disk/$name"
	mount -o loop "$image" "$disk/$name"
	mkdir "$disk/$name/queue"
	sync -f "$disk/$name"
	run "$c" "$name" "$disk/$name/queue" 1 10000000 4
	tick 1.5
	[ -z "$3" ] || sync -f "$disk/$name"
	tick 1.5
	cp "$dir/$name.said" "$dir/$name.until" # what is promised till now must be in the image
	kill -STOP "${pid_of[$name]}"
	cp --sparse=always "$image" "$image.cut"
	kill -CONT "${pid_of[$name]}"
	kill_run "$name"
	umount "$disk/$name"
	mount -o loop "$image.cut" "$disk/$name"
	receiver "$name-sink"
	drain "$c" "$name-end" "$disk/$name/queue" && is_started=1 || is_started=0
	sink_stop "$name-sink"
	umount "$disk/$name"
	rm "$image" "$image.cut"
	seen "$dir/$name-sink" "$dir/$name.until"
}
power_cut() { # COLUMN
	local c=$1 way is_started accepted=() lost=() lines=() dead=0 said=()
	for way in "" sync; do
		cut_once "$c" "cut-$c-$way" "$way"
		accepted+=("$n_accepted") lost+=("$n_lost") lines+=("$complaints")
		dead=$((dead + 1 - is_started)) said+=("$lost_said")
	done
	put "6. power cut after 3 s, and with a sync by others after 1.5 s: promised" "$c" "${accepted[*]}"
	put "6. … promised and lost" "$c" "${lost[*]}"
	put "6. … its counters say lost" "$c" "${said[*]}"
	put "6. … lines of its log about it" "$c" "${lines[*]}"
	put "6. … trials in which it did not start" "$c" "$dead"
}

# ---- all of it ----

# The same moments and places for all.
places=() pauses=()
for ((i = 0; i < kills; i++)); do
	pauses+=("0.$(printf %03d $((RANDOM % 600)))")
done
for ((i = 0; i < flips; i++)); do
	places+=("$RANDOM")
done
for c in "${columns[@]}"; do
	killed "$c"
	[ "$c" = one ] || disk_full "$c" "2. disk full for about 2 s"
	[ "$c" != ours ] || memory=262144 disk_full "$c" "2b. the same, with 256 KiB of memory, not 32 MiB"
	away "$c"
	away_and_killed "$c"
	[ "$c" = one ] || away_for_long "$c"
	# how it was written does not matter for how it is read
	[ "$c" = one ] || [ "$c" = default ] || damaged "$c"
	cost "$c" healthy
	cost "$c" away
	[ "$c" = one ] || power_cut "$c"
	say "${title[$c]}: done after $SECONDS s"
done

# ---- the table ----

echo "Settings: ours: queue_dir, retries after 20 to 200 ms without end, one connection, no gzip; defaults:"
echo "window $window ms, memory 32 MiB, disk 1 GiB. Seed ${RINGSPAN_SEED:-1}, $SECONDS s. The Collector:"
echo
[ ! -x "$server" ] || collector_config fsync QUEUE | sed 's/^/    /'
echo
line="|"
for c in "${columns[@]}"; do
	line+=" | ${title[$c]}"
done
echo "$line |"
echo "|-$(printf '|--%.0s' "${columns[@]}")|"
for row in "${rows[@]}"; do
	line="| $row"
	for c in "${columns[@]}"; do
		line+=" | ${cell[$row,$c]:-–}"
	done
	echo "$line |"
done
