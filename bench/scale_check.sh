#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# scale_check - is the simulator of scale.py right? The same list of flows goes over veth to a real ringspan and
# through the simulator, in four settings at once; kept flows, records, spans of each kind and bytes must agree
# within 5 %. In flow mode the kept set itself must be the one that the keyed hash names; in packet mode, where chance
# decides, the simulator's is the mean of some draws. Timeouts are short, so that it takes half a minute.
#
#   scale_check.sh     root; RINGSPAN_BUILD: the build (default: release)
RINGSPAN_BUILD=${RINGSPAN_BUILD:-$(dirname "$0")/../build/release}
. "$(dirname "$0")/../tests/lib.sh"
begin "$@"
need protoc
export LSAN_OPTIONS="suppressions=$tests/lsan.supp:print_suppressions=0"

bench=$repo/bench send=$build/bench/scale_send
[ -x "$send" ] || fail "$send is not built"
settings="flow:1 flow:10 flow:100 packet:10"
active=4 idle=2 tcp_idle=6
printf '%s\n' 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f >"$dir/key"
chmod 600 "$dir/key"

say "$("$py" "$bench/scale.py" list --out "$dir/list" --seconds 10 --duration-max 10)"
begun() { "$ringspan" ctl status --json --control "$dir/$1.sock" >"$dir/$1.json"; }
all_ended() {
	begun "$1"
	"$py" -c 'import json,sys; f = json.load(open(sys.argv[1]))["flows"]; sys.exit(f["held"] > 0)' "$dir/$1.json"
}
for setting in $settings; do
	mode=${setting%:*} n=${setting#*:} name=$mode-${setting#*:}
	ns_add "in-$name" "out-$name"
	link_add_mute "in-$name" va "out-$name" vb
	link_queue "out-$name" vb
	sink_start "sink-$name" "in-$name"
	spawn "$name" "in-$name" "$ringspan" --interface va --xdp-mode native --sample "1/$n" --sample-mode "$mode" \
		--site-key "$dir/key" --active-timeout $active --idle-timeout $idle --tcp-idle-timeout $tcp_idle \
		--workers 1 --events none --control "$dir/$name.sock" --otlp-endpoint "$sink_url"
	wait_for 60 "$name is ready" ringspan_is_ready "$name"
done
for setting in $settings; do
	name=${setting/:/-}
	spawn "load-$name" "out-$name" "$send" vb "$dir/list"
done
for setting in $settings; do
	name=${setting/:/-}
	wait_exit "load-$name" 60
	[ "$status" = 0 ] || fail "the load: $(cat "$dir/load-$name.err")"
	link_dropped_nothing "out-$name" vb
done
say "each was sent: $(cat "$dir/load-$name.out")"
for setting in $settings; do
	name=${setting/:/-}
	wait_for 30 "the flows of $name end" all_ended "$name"
	ringspan_stop "$name"
	sink_stop "sink-$name"
done
"$py" "$bench/scale.py" compare "$dir/list" --runs "$dir" --settings $settings --site-key "$dir/key" \
	--active $active --idle $idle --tcp-idle $tcp_idle
