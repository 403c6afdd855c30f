#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tunnelled frames, one a line: name, kind (enum flow_tunnel), id, and the tuple inside:
protocol, source, port, destination, port, where its IP header begins; then the frame in hex."""
import logging

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.all import (GRE, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, IPv6,  # noqa: E402
                       IPv6ExtHdrFragment, Raw)
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
    l4 = ip.payload
    ports = (l4.sport, l4.dport) if isinstance(l4, (TCP, UDP)) else (0, 0)
    print(name, kind, ident, 6 if isinstance(l4, TCP) else 17, ip.src, ports[0], ip.dst, ports[1],
          bytes(frame).index(bytes(inner)), bytes(frame).hex())


def tagged(frame):
    """The same on a VLAN in a VLAN."""
    return Ether(src=frame.src, dst=frame.dst, type=0x88A8) / Dot1AD(vlan=7, type=0x8100) / Dot1Q(vlan=8) / frame.payload


def pieces(net):
    """First and later fragments: flows without ports."""
    yield "first", IP(src=f"10.9.{net}.8", dst="10.9.0.1", proto=17, flags="MF", id=9) / Raw(b"y" * 4)
    yield "later", IP(src=f"10.9.{net}.7", dst="10.9.0.1", proto=17, frag=3, id=9) / Raw(b"y" * 2)
    yield "later6", IPv6(src=f"fd00::{net}:8", dst="fd00::1") / IPv6ExtHdrFragment(nh=17, offset=3, id=9) / Raw(b"y" * 2)


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
            i = inside(v6)
            show("tagged" + suffix, VXLAN_, 12, tagged(out() / udp(4789) / VXLAN(flags=8, vni=12) / mac() / i), i)
            i = inside(v6)
            show("padded" + suffix, VXLAN_, 13, out() / udp(4789) / VXLAN(flags=8, vni=13)
                 / Raw(bytes(mac() / i) + b"p" * 6), i)
        for name, i in pieces(6 if tag else 4):
            show(name + tag, GRE_, 3, out() / GRE(key_present=1, key=3) / i, i)
    # one level is taken off: inside is another tunnel's packet
    i = IP(src="10.8.0.1", dst="10.8.0.2") / UDP(sport=50001, dport=4789, chksum=0) / VXLAN(flags=8, vni=1)
    i = i / mac() / inside()
    show("nested", GRE_, 0, outer4() / GRE() / i, i)


main()
