#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What a person can get wrong, or a machine can lack: one clear line each, the right exit code, and where
# it is no reason to end, none.
. "$(dirname "$0")/lib.sh"
begin "$@"
need setarch

ns_add bad peer
link_add bad bad0 peer peer0

# refused CODE PATTERN COMMAND…: ends with CODE and one line that says what the pattern says
refused() {
	local code=$1 pattern=$2 rc=0
	shift 2
	in_ns bad "$@" >"$dir/refused.out" 2>"$dir/refused.err" </dev/null || rc=$?
	[ "$rc" = "$code" ] || fail "$*: exit code $rc, not $code: $(cat "$dir/refused.err")"
	grep -qiE -- "$pattern" "$dir/refused.err" || fail "$*: says: $(cat "$dir/refused.err")"
	[ "$(wc -l <"$dir/refused.err")" = 1 ] || fail "$*: more than one line: $(cat "$dir/refused.err")"
	[ ! -s "$dir/refused.out" ] || fail "$*: writes to standard output"
}

for sample in 0/5 1/0 -1 abc 1/99999999999 2/5 0% 101% 1/ /5 "1/5 " 1/5x 1e3; do
	refused 64 sample "$ringspan" --interface bad0 "--sample=$sample"
done
for url in localhost:4318 ftp://host grpc://host:4317 http:// http://:4318 http://host:0 http://host:99999 \
	http://user:secret@host "http://[::1" "http://[::1]:0" "http://ho st" "http://host/v1?key=secret"; do
	refused 64 endpoint "$ringspan" --interface bad0 --otlp-endpoint "$url"
	refused 64 endpoint "$ringspan" --interface bad0 --otlp-endpoint http://other --otlp-endpoint "$url"
	! grep -q secret "$dir/refused.err" || fail "a password is shown"
done
refused 64 'given twice' "$ringspan" --interface bad0 --otlp-endpoint http://h --otlp-endpoint http://H:80/
refused 64 interface "$ringspan"
refused 64 xdp-mode "$ringspan" --interface bad0 --xdp-mode fast
refused 64 workers "$ringspan" --interface bad0 --workers 0
refused 64 duration "$ringspan" --interface bad0 --duration -5
refused 64 interval "$ringspan" --interface bad0 --interval 0
refused 64 site-key "$ringspan" --interface bad0 --site-key "$dir/nothing"
refused 64 queue-dir "$ringspan" --interface bad0 --queue-dir=
refused 64 queue-size "$ringspan" --interface bad0 --queue-size 1K
refused 64 queue-sync "$ringspan" --interface bad0 --queue-sync 0
refused 64 retry-budget "$ringspan" --interface bad0 --retry-budget -1
refused 64 connections "$ringspan" --interface bad0 --connections 0
for command in queue "queue rm $dir" "queue ls" "queue send" "queue send $dir $dir"; do
	# shellcheck disable=SC2086
	refused 64 queue "$ringspan" $command
done
say "options: each mistake is one line and exit code 64"

# certificates: a path, a pair, a file that can be read; never what is in it
otlp=OTEL_EXPORTER_OTLP
echo secret >"$dir/pem"
send=("$ringspan" --interface bad0 --otlp-endpoint https://localhost:1)
refused 64 "${otlp}_CLIENT_KEY is not" env "${otlp}_CLIENT_CERTIFICATE=$dir/pem" "${send[@]}"
refused 64 "${otlp}_CLIENT_CERTIFICATE is not" env "${otlp}_CLIENT_KEY=$dir/pem" "${send[@]}"
refused 64 "${otlp}_CERTIFICATE='$dir/none': .*No such file.*give" env "${otlp}_CERTIFICATE=$dir/none" "${send[@]}"
refused 64 "${otlp}_CERTIFICATE='$dir': .*give" env "${otlp}_CERTIFICATE=$dir" "${send[@]}"
refused 64 "${otlp}_CLIENT_KEY='…'.*path" env "${otlp}_CLIENT_CERTIFICATE=$dir/pem" \
	"${otlp}_CLIENT_KEY=-----BEGIN PRIVATE KEY-----secret" "${send[@]}"
! grep -q secret "$dir/refused.err" || fail "a key is shown"
chmod 0 "$dir/pem"
refused 64 "${otlp}_CERTIFICATE='$dir/pem': .*Permission denied" env "${otlp}_CERTIFICATE=$dir/pem" \
	setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all "${send[@]}"
refused 64 "${otlp}_ENDPOINT='localhost:4317'.*scheme" env "${otlp}_ENDPOINT=localhost:4317" \
	"$ringspan" --interface bad0

# warned about, and running all the same: each in one line
in_ns bad env "${otlp}_HEADERS=a=1,b=secret%0d%0ax:1" "${otlp}_PROTOCOL=grpc" OTEL_BSP_MAX_QUEUE_SIZE=many \
	"$ringspan" --interface bad0 --otlp-endpoint http://localhost:1 --duration 0.2 --shutdown-timeout 0 \
	>"$dir/warned.out" 2>"$dir/warned.err" || fail "a warning ends it: $(cat "$dir/warned.err")"
for line in 'HEADERS: pair 2 ignored: .*line break' "PROTOCOL='grpc' ignored: .*4318" "QUEUE_SIZE='many' ignored"; do
	[ "$(grep -c "$line" "$dir/warned.err")" = 1 ] || fail "no '$line' in: $(cat "$dir/warned.err")"
done
! grep -q secret "$dir/warned.err" || fail "the value of a header is shown"
say "environment: what would go wrong is refused, the rest is said, secrets are not"

refused 1 'no interface nope.*ip link' "$ringspan" --interface nope
for cap in bpf net_admin perfmon; do
	refused 1 "CAP_${cap^^} is missing" \
		setpriv --inh-caps=-all --bounding-set="-sys_admin,-$cap" "$ringspan" --interface bad0
done
refused 1 'kernel 2\.6.* is too old' setarch "$(uname -m)" --uname-2.6 "$ringspan" --interface bad0
say "no such interface, no privileges, kernel too old: said"

# a second one on the same interface, and an interface that somebody else's XDP program has
ringspan_start first bad --interface bad0 --exporter console
refused 1 "already watched by the ringspan process ${pid_of[first]}" "$ringspan" --interface bad0
ringspan_stop first

# neither a bpffs nor the kernel's BTF is needed
nothing_mounted() { # COMMAND…
	unshare --mount --propagation private -- sh -c 'while umount /sys/fs/bpf 2>/dev/null; do :; done
		[ ! -e /sys/kernel/btf ] || mount -t tmpfs tmpfs /sys/kernel/btf
		exec "$@"' sh "$@"
}
nothing_mounted nsenter --net=/run/netns/bad -- "$ringspan" --interface bad0 --xdp-mode native \
	--exporter console --duration 0.5 >"$dir/bare.out" 2>"$dir/bare.err" ||
	fail "without bpffs and BTF: $(cat "$dir/bare.err")"
[ "$(grep -c 'no bpffs is mounted' "$dir/bare.err")" = 1 ] ||
	fail "the missing bpffs is not said once: $(cat "$dir/bare.err")"
ledger_is_closed bare
say "no bpffs, no BTF: runs, says so once"

# an endpoint that is not there: said once, tried again, nothing lost when it comes
sink_start probe bad
address=${sink_url#http://}
sink_stop probe
ringspan_start patient bad --interface bad0 --sample 1/1 --interval 1 --otlp-endpoint "http://$address"
in_ns peer "$py" - <<'P'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("peer0", 0))
header = bytes.fromhex("0200000000010200000000020800" "4500002100000000401100000a0000010a000002")
for port in range(1, 101):
    s.send(header + port.to_bytes(2, "big") + bytes.fromhex("0035000d0000") + b"hello")
P
wait_for 20 "the outage is said" grep -q "$address.*retrying" "$dir/patient.err"
sink_start late bad --listen "$address"
wait_for 60 "the metrics of the outage arrive" test -s "$dir/late/metrics-000001.bin"
ringspan_stop patient
sink_stop late
[ "$(grep -c "$address.*retrying" "$dir/patient.err")" = 1 ] ||
	fail "the outage is said more than once: $(cat "$dir/patient.err")"
"$tests/otlp_read.py" "$dir/late" >"$dir/late.json"
[ "$(grep -c '"parent_span_id"' "$dir/late.json")" = 100 ] || fail "not all spans arrived after the outage"
say "unreachable endpoint: said once, all spans arrive later"
