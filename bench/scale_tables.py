# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The tables of SCALE.md, from the formula and from what was measured."""
import math

import scale_bytes
import scale_formula
import scale_model
import scale_sim

# Measured: scale_check.sh prints the first four, scale_store.sh the next two, and each demands that they are about
# right; what a core does is the machine's and printed only.
GZIP = 5.2  # spans, at the zlib level of otlp/gzip.c
METRIC_BYTES = 9700  # a request of metrics of one interface, before gzip
METRIC_GZIP = 3.2
METRIC_POINTS = 85
JAEGER_BYTES = 1475  # on disk of a span, badger
GATEWAY_SPANS = 69000  # a second and core of a Collector: in, batch, out, gzip both ways
# Asserted as the most by tests/e2e_million.sh, of a flow at 1/1.
KERNEL_FLOW_BYTES = USER_FLOW_BYTES = 330
# Assumed.
PROMETHEUS_BYTES = 2  # a sample: "1-2 bytes", Prometheus' documentation, Storage
GATEWAY_LOAD = 0.5  # of its cores a gateway should use
LINK_BYTES = 38  # of a packet on an Ethernet beside the IP packet: headers, check sum, preamble, gap
MEAN_BYTES = {"campus": scale_model.PACKET_BYTES, "short": 250.0, "bulk": 1200.0}  # the last two are assumed
BUDGET = 1000  # spans a second, --sample auto
METRIC_INTERVAL = 10
DAY = 86400


def is_about(constant, value):
    return abs(value / constant - 1) <= 0.15


def rounded(value):
    """Three digits, thousands apart."""
    if value == 0:
        return "0"
    digits = max(0, 2 - int(math.floor(math.log10(abs(value)))))
    return "{:,.{}f}".format(round(value, 2 - int(math.floor(math.log10(abs(value))))), digits)


def row(*cells):
    return "| %s |" % " | ".join(str(cell) for cell in cells)


def head(*cells):
    return row(*cells) + "\n" + "|" + "---|" * len(cells)


class Tables:
    def __init__(self):
        self.shapes = {kind: scale_model.shapes(kind, 5) for kind in scale_model.KINDS}
        self.packets = {kind: sum(w * s.total for w, s in shapes) for kind, shapes in self.shapes.items()}
        self.known = {}

    def cost(self, kind, mode, n):
        key = kind, mode, n
        if key not in self.known:
            self.known[key] = scale_formula.expect(self.shapes[kind], scale_sim.Options(mode, n))
        return self.known[key]

    def model(self):
        yield head("kind of traffic", "packets of a direction", "packets of a flow", "mean duration, s",
                   "under 2 s", "over 15 min", "of the packets, in flows over 15 min")
        for kind, shapes in self.shapes.items():
            least, most = scale_model.KINDS[kind]
            long = sum(w * s.total for w, s in shapes if s.duration > 900) / self.packets[kind]
            yield row(kind, "%d to %d" % (least, most) if most < 1e6 else "%d and more" % least,
                      rounded(self.packets[kind]), rounded(sum(w * s.duration for w, s in shapes)),
                      "%.0f %%" % (100 * sum(w for w, s in shapes if s.duration < 2)),
                      "%.1f %%" % (100 * sum(w for w, s in shapes if s.duration > 900)), "%.0f %%" % (100 * long))

    def rates(self):
        yield head("kind", "mode, N", "kept flows/s", "records/s", "spans/s", "OTLP kB/s", "with gzip",
                   "Jaeger GB/day", "flows held", "memory, MB")
        for kind in self.shapes:
            for mode, n in (("flow", 1), ("flow", 10), ("flow", 100), ("flow", 1000), ("packet", 10),
                            ("packet", 100), ("packet", 1000)):
                flows = 1e6 / self.packets[kind]
                yield row(kind, "%s 1/%d" % (mode, n), *map(rounded, self.second(kind, mode, n, flows)))

    def second(self, kind, mode, n, flows):
        cost = self.cost(kind, mode, n)
        spans = cost.spans * flows
        octets = cost.bytes * flows + max(spans / 512, min(spans, 1)) * scale_bytes.REQUEST
        held = cost.held * flows
        return (cost.flows * flows, cost.records * flows, spans, octets / 1e3, octets / 1e3 / GZIP,
                spans * DAY * JAEGER_BYTES / 1e9, held, held * (KERNEL_FLOW_BYTES + USER_FLOW_BYTES) / 1e6)

    def least_n(self, kind, flows, budget):
        """The least power of two that keeps to a budget of spans a second."""
        n, spans = 1, self.cost(kind, "flow", 1).spans * flows
        while spans / n > budget:
            n *= 2
        return n

    def link_flows(self, kind, gbit):
        """(packets, flows) a second of a full link, both directions together."""
        packets = gbit * 1e9 / 8 / (MEAN_BYTES[kind] + LINK_BYTES)
        return packets, packets / self.packets[kind]

    def links(self):
        yield head("link, full", "kind", "packets/s", "flows/s", "spans/s at 1/1", "N", "spans/s", "records/s",
                   "with gzip, kB/s", "Jaeger GB/day", "flows held", "flows of a minute to within")
        for gbit in (1, 10, 40, 100):
            for kind in self.shapes:
                packets, flows = self.link_flows(kind, gbit)
                all_spans = self.cost(kind, "flow", 1).spans * flows
                n = self.least_n(kind, flows, BUDGET)
                kept, records, spans, _, zipped, stored, held, _ = self.second(kind, "flow", n, flows)
                yield row("%d Gbit/s" % gbit, kind, rounded(packets), rounded(flows), rounded(all_spans), "1/%d" % n,
                          rounded(spans), rounded(records), rounded(zipped), rounded(stored), rounded(held),
                          "0" if n == 1 else "%.1f %%" % (196 / math.sqrt(60 * kept)))

    def fleet(self):
        per_span = self.cost("campus", "flow", 10)
        zipped = per_span.bytes / per_span.spans / GZIP
        flows = [self.link_flows("campus", gbit)[1] for gbit in (0.1, 1)]
        yield head("hosts", "spans/s a host", "N at 0.1 Gbit/s", "N at 1 Gbit/s", "spans/s", "gateway cores", "to the gateways, Mbit/s",
                   "Jaeger GB/day", "Prometheus samples/s", "Prometheus GB/day")
        for hosts, budgets in ((10, (BUDGET, 100)), (1000, (BUDGET, 100, 10)), (10000, (BUDGET, 100, 10, 2))):
            for budget in budgets:
                spans = hosts * budget
                samples = hosts * METRIC_POINTS / METRIC_INTERVAL
                octets = spans * zipped + hosts * METRIC_BYTES / METRIC_INTERVAL / METRIC_GZIP
                yield row("{:,}".format(hosts), "{:,}".format(budget),
                          *("1/%d" % self.least_n("campus", x, budget) for x in flows), "{:,}".format(spans),
                          max(2, math.ceil(spans / GATEWAY_SPANS / GATEWAY_LOAD)), rounded(octets * 8 / 1e6),
                          rounded(spans * DAY * JAEGER_BYTES / 1e9), rounded(samples),
                          rounded(samples * DAY * PROMETHEUS_BYTES / 1e9))

    def lines(self, name):
        return list(getattr(self, name)())


NAMES = ("model", "rates", "links", "fleet")


def begin_of(name):
    return "<!-- scale.py %s begin -->" % name


def end_of(name):
    return "<!-- scale.py %s end -->" % name


def write_into(text):
    """The text with each table made anew between its marks."""
    tables = Tables()
    for name in NAMES:
        before, rest = text.split(begin_of(name) + "\n")
        after = rest.split(end_of(name), 1)[1]
        text = "\n".join([before + begin_of(name)] + tables.lines(name) + [end_of(name) + after])
    return text
