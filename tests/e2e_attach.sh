#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Which way is chosen for which kind of link, and the line that says so; whatever was chosen, packets are
# counted and nothing is left.
. "$(dirname "$0")/lib.sh"
begin "$@"
[ -e /dev/net/tun ] || skip "no /dev/net/tun here"

ns_add here there
link_add_mute here veth0 there veth1
ip -n here tuntap add tap0 mode tap
ip -n here tuntap add taken0 mode tap
ip -n here tuntap add tun0 mode tun # no link-layer header
for if in tap0 taken0 tun0; do
	ip -n here link set "$if" up
done
in_ns here ip link set dev taken0 xdpdrv obj "$build/tests/xdp_pass.bpf.o" sec xdp
taken=$(in_ns here ip -d link show dev taken0 | grep -o 'prog/xdp id [0-9]*')

# chosen IF PATTERN OPTION…
chosen() {
	local if=$1 pattern=$2
	shift 2
	ringspan_start "$if" here --interface "$if" --exporter console "$@"
	grep -qE "^ringspan: $if: receive by $pattern; transmit by TC egress" "$dir/$if.err" ||
		fail "$if $*: not \"$pattern\": $(head -n 1 "$dir/$if.err")"
	[ "$if" != tun0 ] || in_ns here "$py" - <<'P'
import fcntl, os, struct

tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
four = bytes.fromhex("4500002100000000401100000a0900010a090002") + bytes.fromhex("03e90035000d0000") + b"hello"
six = bytes.fromhex("60000000000d1140") + bytes(15) + b"\1" + bytes(15) + b"\2" + four[20:]
for packet in [four] * 5 + [six] * 3:
    os.write(tun, packet)
P
	ringspan_stop "$if"
	! in_ns here ip -d link show dev "$if" | grep -v "$taken" | grep -q 'prog/xdp' ||
		fail "$if: an XDP program is left"
}

chosen veth0 'TC ingress .*: native XDP on veth would switch segmentation offload off.*'
chosen veth0 'native XDP \(own link\): as asked' --xdp-mode native
chosen veth0 'generic XDP \(own link\): as asked' --xdp-mode generic
chosen veth0 'TC ingress .*: as asked' --xdp-mode tc
chosen tap0 'native XDP \(own link\): the driver offers it'
chosen lo 'TC ingress .*: loopback has no native XDP'
chosen tun0 'TC ingress .*: no native XDP here'
for line in 'udp domain .*10\.9\.0\.1:1001 .*10\.9\.0\.2:53 +5 pkts +165 B' \
	'udp domain .*\[::1\]:1001 .*\[::2\]:53 +3 pkts +159 B'; do
	grep -qE "$line" "$dir/tun0.out" || fail "tun0: no line \"$line\": $(cat "$dir/tun0.out")"
done
chosen taken0 'TC ingress .*: the XDP program that is there cannot be shared'
[ "$(in_ns here ip -d link show dev taken0 | grep -o 'prog/xdp id [0-9]*')" = "$taken" ] ||
	fail "the other XDP program was touched"
say "each kind of link gets its way, and a line that says why"
