#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tunnelled frames, one a line: name, kind (enum flow_tunnel), id, and the tuple inside:
protocol, source, port, destination, port; then the frame in hex."""
import logging

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import GRE, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.contrib.geneve import GENEVE, GeneveOptions  # noqa: E402

NONE, VXLAN_, GENEVE_, GRE_, IPIP_ = range(5)
ports = iter(range(30000, 31000))


def outer4(**f):
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="192.0.2.1", dst="192.0.2.2", **f)


def outer6(**f):
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IPv6(src="2001:db8:f::1", dst="2001:db8:f::2", **f)


def inside(v6=False, udp=False):
    port = next(ports)
    ip = IPv6(src="2001:db8::9", dst="2001:db8::1") if v6 else IP(src="10.9.0.9", dst="10.9.0.1")
    l4 = UDP(sport=port, dport=53) if udp else TCP(sport=port, dport=443, flags="S", seq=7)
    return ip / l4 / Raw(b"x" * 40)


def show(name, kind, ident, frame, inner):
    ip = inner.getlayer(IPv6) or inner.getlayer(IP)
    l4 = inner.getlayer(TCP) or inner.getlayer(UDP)
    print(name, kind, ident, 6 if isinstance(l4, TCP) else 17, ip.src, l4.sport, ip.dst, l4.dport,
          bytes(frame).hex())


def mac():
    return Ether(src="02:00:00:00:01:01", dst="02:00:00:00:01:02")


def main():
    for out, tag in ((outer4, ""), (outer6, "6")):
        udp = lambda port: UDP(sport=50000, dport=port, chksum=0)
        for v6 in (False, True):
            suffix = tag + ("in6" if v6 else "")
            i = inside(v6)
            show("vxlan" + suffix, VXLAN_, 4711, out() / udp(4789) / VXLAN(flags=8, vni=4711) / mac() / i, i)
            i = inside(v6, True)
            show("vlan" + suffix, VXLAN_, 5, out() / udp(4789) / VXLAN(flags=8, vni=5) / mac()
                 / Dot1Q(vlan=3) / Dot1Q(vlan=4) / i, i)
            i = inside(v6)
            show("geneve" + suffix, GENEVE_, 0xabcdef,
                 out() / udp(6081) / GENEVE(vni=0xabcdef, proto=0x6558) / mac() / i, i)
            i = inside(v6)
            show("options" + suffix, GENEVE_, 9,
                 out() / udp(6081) / GENEVE(vni=9, proto=0x86dd if v6 else 0x800, options=[
                     GeneveOptions(classid=1, type=1, data=b"y" * 12)]) / i, i)
            i = inside(v6)
            show("gre" + suffix, GRE_, 0, out() / GRE() / i, i)
            i = inside(v6)
            show("grekey" + suffix, GRE_, 0xfedcba98,
                 out() / GRE(chksum_present=1, key_present=1, key=0xfedcba98,
                             seqnum_present=1, sequence_number=1) / i, i)
            i = inside(v6)
            show("teb" + suffix, GRE_, 77, out() / GRE(proto=0x6558, key_present=1, key=77) / mac() / i, i)
            i = inside(v6)
            show("ipip" + suffix, IPIP_, 0, out() / i, i)


main()
