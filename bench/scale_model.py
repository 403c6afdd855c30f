# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The flow model of scale.py: how many packets flows have, how fast they come, and lists of such flows.

Packets of a flow in one direction: the mixtures that Jurkiewicz, Rzym and Borylo, "Flow length and size
distributions in campus Internet traffic" (Computer Communications, 2021) fitted to 4 billion NetFlow records
of a campus' Internet link, TCP and UDP apart; their data set is agh_2015. The mean, 78.6 packets, is theirs,
too (README of the data set), and 870.6 bytes a packet.
Packets a second of a flow: lognormal, after Zhang, Breslau, Paxson and Shenker, "On the characteristics and
origins of Internet flow rates" (2002), which found rates near lognormal. The two parameters (RATE) are
ours; SCALE.md shows what follows from them.

Assumed: a TCP connection has in both directions what the mixture says of one (3 packets and more); 1 and 2
packets are a SYN that is refused or never answered, half each. An exchange over UDP has as many answers as
requests (7 of 10), or none. The packets of a direction are evenly spaced.
"""
import math
import random
import socket
import struct

TCP_FLOWS, UDP_FLOWS = 2171291495, 1737523167  # of the data set
TCP, UDP = 6, 17
SYN, FIN, RST, ACK = 2, 1, 4, 16

# weight, and: packets uniform in 1..b; or lognormal of sigma and median
MIX = {
    TCP: ((0.058043754929, 1), (0.310524991983, 2), (0.055097316587, 3), (0.047754043432, 4),
          (0.005882528205, 5), (0.125291128847, 6), (0.206543283413, (0.512238156149, 7.95433199501)),
          (0.121895836956, (0.750762734169, 21.7415732777)), (0.052507436336, (1.10854422721, 115.968893834)),
          (0.016459679312, (1.99321189579, 845.912178802))),
    UDP: ((0.582734080906, 1), (0.187225867169, 2), (0.091470523727, 3), (0.056223518653, 4),
          (0.029447542559, (0.489467551429, 9.67443648655)), (0.040227837685, (0.260264676227, 4.88383630752)),
          (0.004722552788, (0.449429947008, 29.4109085806)), (0.005631263609, (0.92471733978, 67.4812191771)),
          (0.001811827156, (1.04980876519, 594.492187819)), (0.000320770170, (1.85477291674, 7892.50362589)),
          (0.000156499319, (1.1263636801, 19824.0001896)), (0.000027567170, (0.401289708294, 90369.6108815)),
          (0.000000149092, (0.573387778157, 12757029.4728))),
}
TCP_SHARE = TCP_FLOWS / (TCP_FLOWS + UDP_FLOWS)
UDP_ANSWERED = 0.7
PACKETS_MAX = 50_000_000  # of one direction
PACKET_BYTES = 870.6      # mean of the data set
DURATION_MAX = 4 * 3600.0  # a flow with more packets than fit at its rate is faster

RATE = (5.0, 1.7)  # median packets a second of one direction, sigma

# What tables are made for: the least and the most packets of a direction.
KINDS = {"campus": (1, PACKETS_MAX), "short": (1, 20), "bulk": (1000, PACKETS_MAX)}


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def normal_quantile(p):
    low, high = -9.0, 9.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if normal_cdf(middle) < p else (low, middle)
    return (low + high) / 2


def share_up_to(proto, packets):
    """The share of flows with at most so many packets in a direction."""
    share = 0.0
    for weight, law in MIX[proto]:
        if isinstance(law, tuple):
            share += weight * normal_cdf(math.log(packets / law[1]) / law[0]) if packets > 0 else 0.0
        else:
            share += weight * min(packets, law) / law
    return share


class Shape:
    """A flow as it comes: packets of both directions, seconds between two packets of one."""

    def __init__(self, proto, packets, is_answered, rate):
        self.proto = proto
        self.is_refused = proto == TCP and packets <= 2 and is_answered
        self.is_failed = proto == TCP and packets <= 2
        if self.is_failed:
            packets = 1
        self.packets = (packets, packets if is_answered and not self.is_failed else int(self.is_refused))
        duration = max(min((packets - 1) / rate, DURATION_MAX), 0.0)
        self.gap = duration / (packets - 1) if packets > 1 else 0.0
        self.duration = duration + self.gap / 2 * (self.packets[1] > 0)

    @property
    def total(self):
        return sum(self.packets)


def rate_points(count):
    return [RATE[0] * math.exp(RATE[1] * normal_quantile((i + 0.5) / count)) for i in range(count)]


def packet_points(least, most):
    """Ranges of packets: each number up to 64, then steps of 8 %."""
    low = least
    while low <= most:
        high = low if low < 64 else min(int(low * 1.08), most)
        yield low, high
        low = high + 1


def shapes(kind, rates=9):
    """(weight, Shape)…, weights sum to 1: the model, cut up finely."""
    least, most = KINDS[kind]
    speeds = rate_points(rates)
    points = []
    for proto, share in ((TCP, TCP_SHARE), (UDP, 1 - TCP_SHARE)):
        for low, high in packet_points(least, most):
            weight = share * (share_up_to(proto, high) - share_up_to(proto, low - 1))
            if weight < 1e-13:
                continue
            middle = round((low + high) / 2)
            for answered in (True, False):
                if proto == TCP and middle > 2:
                    part = 1.0 if answered else 0.0
                else:
                    part = 0.5 if proto == TCP else UDP_ANSWERED if answered else 1 - UDP_ANSWERED
                for rate in speeds if part else ():
                    points.append((weight * part / rates, Shape(proto, middle, answered, rate)))
    total = sum(weight for weight, _ in points)
    return [(weight / total, shape) for weight, shape in points]


# ---- lists of flows, to be sent and to be simulated ----

HEAD, FLOW, PACKET = struct.Struct("=8sII"), struct.Struct("=4s4s2s2sB3x"), struct.Struct("=QIHBB")
MAGIC = b"RSFLOWS1"
SERVERS = {TCP: (80, 443, 22, 8080), UDP: (53, 123, 443, 5000)}


def draw_packets(rng, proto, most):
    pick = rng.random()
    for weight, law in MIX[proto]:
        pick -= weight
        if pick < 0:
            break
    packets = rng.randint(1, law) if not isinstance(law, tuple) else math.ceil(rng.lognormvariate(math.log(law[1]), law[0]))
    return min(max(packets, 1), most)


def payload_of(rng, proto, sender, flags):
    if proto == UDP:
        return rng.randint(20, 1300)
    if flags & (SYN | FIN | RST):
        return 0
    return 1400 if sender else rng.choice((0, 0, 0, 400))


def flow_packets(rng, shape):
    """(seconds from the flow's begin, payload, endpoint, TCP flags)… of one flow."""
    for sender in (0, 1):
        count = shape.packets[sender]
        for i in range(count):
            flags = 0
            if shape.proto == TCP:
                flags = ACK
                if shape.is_failed:
                    flags = RST | ACK if sender else SYN
                elif i == 0:
                    flags = SYN | ACK if sender else SYN
                elif i == count - 1:
                    flags = FIN | ACK
            at = (i + sender / 2) * shape.gap + (0.0002 if sender else 0.0)
            yield at, payload_of(rng, shape.proto, sender, flags), sender, flags


def draw_shape(rng, packets_max, duration_max):
    proto = TCP if rng.random() < TCP_SHARE else UDP
    count = draw_packets(rng, proto, packets_max)
    answered = rng.random() < (UDP_ANSWERED if proto == UDP else 0.5) or (proto == TCP and count > 2)
    return Shape(proto, count, answered, max(rng.lognormvariate(math.log(RATE[0]), RATE[1]), (count - 1) / duration_max))


def make_list(flows, seconds, packets_max, duration_max, seed):
    """Flows as (addresses, ports, proto), packets as (ns, flow, payload, endpoint, flags), by time."""
    rng = random.Random(seed)
    heads, packets, shapes_of = [], [], []
    for number in range(flows):
        shape = draw_shape(rng, packets_max, duration_max)
        shapes_of.append(shape)
        begin = rng.random() * seconds
        client = socket.inet_ntoa(struct.pack(">I", 0x0a000000 | rng.randrange(1 << 16)))
        server = socket.inet_ntoa(struct.pack(">I", 0xc0a80000 | rng.randrange(1 << 10)))
        ports = (20000 + number % 40000, rng.choice(SERVERS[shape.proto]))
        heads.append((client, server, ports, shape.proto))
        for at, payload, sender, flags in flow_packets(rng, shape):
            packets.append((int((begin + at) * 1e9), number, payload, sender, flags))
    packets.sort()
    return heads, packets, shapes_of


def write_list(path, heads, packets):
    with open(path, "wb") as out:
        out.write(HEAD.pack(MAGIC, len(heads), len(packets)))
        for client, server, ports, proto in heads:
            out.write(FLOW.pack(socket.inet_aton(client), socket.inet_aton(server),
                                *(struct.pack(">H", port) for port in ports), proto))
        for packet in packets:
            out.write(PACKET.pack(*packet))


def read_list(path):
    with open(path, "rb") as file:
        data = file.read()
    magic, flows, count = HEAD.unpack_from(data)
    if magic != MAGIC or len(data) != HEAD.size + flows * FLOW.size + count * PACKET.size:
        raise ValueError("%s is no flow list" % path)
    middle = HEAD.size + flows * FLOW.size
    heads = []
    for client, server, a, b, proto in FLOW.iter_unpack(data[HEAD.size:middle]):
        heads.append((socket.inet_ntoa(client), socket.inet_ntoa(server),
                      (int.from_bytes(a, "big"), int.from_bytes(b, "big")), proto))
    return heads, list(PACKET.iter_unpack(data[middle:]))
