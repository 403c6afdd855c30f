#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What is in a capture, by tshark's dissection: flows with both directions' packets and bytes, and
packets by network type and transport. Written as JSON; nothing here knows how ringspan does it.

  truth.py CAPTURE --out FILE

A flow is a pair of endpoints and a protocol. ICMP's ports are its types as Community ID v1 pairs them;
all fragments between two addresses are one flow with ports 0, as is each protocol without ports. A
TCP SYN with another sequence number on a connection that is over begins another flow.
"""
import argparse
import base64
import collections
import hashlib
import ipaddress
import json
import subprocess
import sys

FIELDS = ("frame.len frame.protocols ip.src ip.dst ip.proto ip.flags.mf ip.frag_offset ipv6.src ipv6.dst"
          " ipv6.nxt ipv6.hopopts.nxt ipv6.routing.nxt ipv6.dstopts.nxt ipv6.fraghdr.nxt tcp.srcport"
          " tcp.dstport udp.srcport udp.dstport sctp.srcport sctp.dstport icmp.type icmp.code"
          " icmpv6.type icmpv6.code tcp.flags tcp.seq_raw communityid").split()
EXTENSIONS = {"0": "ipv6.hopopts.nxt", "43": "ipv6.routing.nxt", "60": "ipv6.dstopts.nxt"}
TRANSPORTS = {(4, 1): "icmp", (6, 58): "icmpv6"}
TRANSPORTS.update({(v, p): name for v in (4, 6) for p, name in ((6, "tcp"), (17, "udp"), (132, "sctp"))})
PAIRS4 = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 10: 9, 9: 10, 17: 18, 18: 17}
PAIRS6 = {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 144: 145,
          145: 144, 139: 140, 140: 139}
ASKS = {"icmp": {8, 13, 15, 17, 10}, "icmpv6": {128, 133, 135, 130, 144, 139}}
FIN, SYN, RST, ACK = 1, 2, 4, 16


def dissected(path):
    """One dictionary a frame; of headers that occur twice, the outer one."""
    command = ["tshark", "-n", "-r", path, "--enable-protocol", "communityid", "-o",
               "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE", "-o",
               "tcp.analyze_sequence_numbers:FALSE", "-T", "fields", "-E", "occurrence=f", "-E",
               "separator=/t"]
    for field in FIELDS:
        command += ["-e", field]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        for line in run.stdout:
            yield dict(zip(FIELDS, line.rstrip("\n").split("\t")))
    if run.returncode:
        sys.exit("truth: tshark failed")


def network(frame):
    """IP version of the outermost network header, or None."""
    for name in frame["frame.protocols"].split(":"):
        if name in ("ip", "ipv6"):
            return 4 if name == "ip" else 6
        if name not in ("eth", "ethertype", "vlan", "ieee8021ad"):
            break
    return None


def protocol(frame, version):
    """(protocol number, whether it is a fragment)"""
    if version == 4:
        return int(frame["ip.proto"]), frame["ip.flags.mf"] == "1" or frame["ip.frag_offset"] != "0"
    number = frame["ipv6.nxt"]
    while number in EXTENSIONS:
        number = frame[EXTENSIONS[number]]
    if number == "44":
        return int(frame["ipv6.fraghdr.nxt"]), True
    return int(number), False


def community_id(version, src, dst, proto, ports, one_way):
    """Community ID v1, seed 0. @ports is None where the flow has none."""
    ends = [(ipaddress.ip_address(src).packed, ports[0] if ports else 0),
            (ipaddress.ip_address(dst).packed, ports[1] if ports else 0)]
    if not one_way:
        ends.sort()
    data = b"\0\0" + ends[0][0] + ends[1][0] + bytes((proto, 0))
    if ports:
        data += ends[0][1].to_bytes(2, "big") + ends[1][1].to_bytes(2, "big")
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()


def endpoints(frame, version, transport, is_fragment):
    """(ports or None, one_way): as the sender has them."""
    if is_fragment or transport == "other":
        return None, False
    if transport in ("icmp", "icmpv6"):
        kind, code = int(frame[transport + ".type"]), int(frame[transport + ".code"])
        other = (PAIRS4 if version == 4 else PAIRS6).get(kind)
        return (kind, code if other is None else other), other is None
    return (int(frame[transport + ".srcport"]), int(frame[transport + ".dstport"])), False


class Flow:
    def __init__(self, frame_number, key, transport, cid, asks):
        self.first = self.last = frame_number
        self.key, self.transport, self.cid = key, transport, cid
        self.pkts, self.bytes = collections.Counter(), collections.Counter()
        self.flags, self.isn = collections.Counter(), {}
        self.initiator, self.is_known = None, False
        self.opener = None
        self.asks = asks
        self.handshake = {}  # frame and how many of the flow came before, of each of its segments

    def is_over(self, sender, other):
        flags = self.flags
        unanswered = flags[sender] & SYN and not flags[sender] & ACK and not self.pkts[other]
        return bool((flags[sender] | flags[other]) & RST or flags[sender] & flags[other] & FIN or
                    unanswered)

    def add(self, number, sender, other, length, flags, isn):
        if self.initiator is None:
            self.initiator = sender
        if flags & SYN and not self.is_known:
            self.initiator, self.is_known = (other if flags & ACK else sender), True
        if self.asks and not self.is_known:
            self.initiator, self.is_known = sender, True
        self.last = number
        if flags & SYN and not flags & (RST | FIN):
            self.handshake.setdefault("synack" if flags & ACK else "syn", self.place(number))
            self.opener = self.opener or (None if flags & ACK else sender)
        elif flags & ACK and not flags & (RST | FIN) and sender == self.opener:
            self.handshake.setdefault("ack", self.place(number))
        self.pkts[sender] += 1
        self.bytes[sender] += length
        self.flags[sender] |= flags
        if flags & SYN:
            self.isn.setdefault(sender, isn)

    def place(self, number):
        return number, sum(self.pkts.values())

    def has_handshake(self):
        """True; None: all of it is there, but it may be told of too late, as not each packet is."""
        seen = [self.handshake.get(name) for name in ("syn", "synack", "ack")]
        if None in seen or seen != sorted(seen):
            return False
        return True if seen[2][1] < 4 else None

    def as_dict(self):
        ends = sorted(set(self.pkts) | {self.initiator} | set(self.key[:2]))
        source = self.initiator
        target = [end for end in ends if end != source][0] if len(ends) > 1 else source
        flags = [self.flags[end] for end in (source, target)]
        return {"community_id": self.cid, "transport": self.transport, "proto": self.key[2],
                "known": self.is_known, "ended": bool((flags[0] | flags[1]) & RST or
                                                      flags[0] & flags[1] & FIN),
                "source": source[0], "source_port": source[1],
                "destination": target[0], "destination_port": target[1],
                "pkts": self.pkts[source], "bytes": self.bytes[source],
                "reverse_pkts": self.pkts[target], "reverse_bytes": self.bytes[target],
                "first": self.first, "last": self.last, "handshake": self.has_handshake()}


class Truth:
    def __init__(self):
        self.live, self.flows = {}, []
        self.counters = collections.Counter()
        self.mismatched_ids = 0

    def frame(self, number, frame):
        version, length = network(frame), int(frame["frame.len"])
        if version is None:
            self.count(None, "other", length)
            return
        proto, is_fragment = protocol(frame, version)
        transport = TRANSPORTS.get((version, proto), "other")
        self.count("ipv%d" % version, transport, length)
        ports, one_way = endpoints(frame, version, transport, is_fragment)
        layer = "ip" if version == 4 else "ipv6"
        src, dst = frame[layer + ".src"], frame[layer + ".dst"]
        cid = community_id(version, src, dst, proto, ports, one_way)
        if ports and cid != frame["communityid"]:
            self.mismatched_ids += 1
        sender, other = (src, ports[0] if ports else 0), (dst, ports[1] if ports else 0)
        if one_way:  # type and code are no endpoints: each way is a flow of its own
            key = (sender, other, proto, "one way")
        else:
            key = tuple(sorted((sender, other))) + (proto, "fragments" if is_fragment else "")
        flags, isn = 0, None
        if transport == "tcp" and not is_fragment:
            flags, isn = int(frame["tcp.flags"], 16), int(frame["tcp.seq_raw"])
        flow = self.live.get(key)
        if flow and flags & SYN and not flags & ACK and flow.isn.get(sender) != isn and flow.is_over(
                sender, other):
            flow = None
        if flow is None:
            asks = transport in ASKS and not is_fragment and ports[0] in ASKS[transport]
            flow = self.live[key] = Flow(number, key, transport, cid, asks)
            self.flows.append(flow)
        flow.add(number, sender, other, length, flags, isn)

    def count(self, net, transport, length):
        self.counters[net, transport, "packets"] += 1
        self.counters[net, transport, "bytes"] += length


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    truth = Truth()
    number = 0
    for number, frame in enumerate(dissected(options.capture), 1):
        truth.frame(number, frame)
    if truth.mismatched_ids:
        sys.exit("truth: %d community ids differ from tshark's" % truth.mismatched_ids)
    with open(options.out, "w") as out:
        json.dump({"frames": number, "flows": [flow.as_dict() for flow in truth.flows],
                   "counters": [list(key) + [value] for key, value in truth.counters.items()]}, out)


if __name__ == "__main__":
    main()
