#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares the spans of stories with what tshark says of the frames as they were sent: retransmissions,
segments out of order, zero windows, resets, marks of congestion, how many and when; round trips; begin
and end of each connection.

  check_stories.py PLAYED SINK_FOLDER CAPTURE…

PLAYED is what send_stories.py wrote of the captures.
"""
import collections
import subprocess
import sys

import otlp_read
import story_tree

SLACK = 0.01  # s, between a frame's sending and its sight
FIELDS = ("tcp.stream", "frame.time_epoch", "ip.src", "ipv6.src", "tcp.analysis.retransmission",
          "tcp.analysis.out_of_order", "tcp.analysis.zero_window", "tcp.flags.reset", "tcp.flags.syn",
          "tcp.flags.ack", "ip.dsfield.ecn",
          "tcp.analysis.ack_rtt", "tcp.analysis.initial_rtt")
# attribute, event, what tshark says of such a segment
NOTES = (("retransmissions", "tcp retransmission", "tcp.analysis.retransmission"),
         ("out_of_order", "tcp out_of_order", "tcp.analysis.out_of_order"),
         ("zero_windows", "tcp zero_window", "tcp.analysis.zero_window"),
         (None, "tcp reset", "tcp.flags.reset"),
         (None, "ip congestion_experienced", "ip.dsfield.ecn"))
MEANS = {"tcp.flags.reset": "1", "ip.dsfield.ecn": "3"}  # where a value, not its being there, says it

# Where we say something else: {(story, fact, side): (tshark's, ours, why)}
OTHERWISE = {
    ("simultaneous_open", "retransmissions", "source"):
        (1, 0, "the SYN/ACK has the number of the SYN, but is the first of its kind"),
    ("simultaneous_open", "retransmissions", "destination"): (1, 0, "the same"),
    ("simultaneous_open", "handshake", None):
        (True, False, "each end opens and answers: there are no two shares of one round trip"),
    ("refused", "handshake", None):
        (True, False, "tshark times the RST; what is refused has no handshake"),
    ("packet_too_big", "out_of_order", "source"):
        (1, 0, "what comes again a bit later than it was first seen was not overtaken: no segment is missing"),
    ("packet_too_big", "retransmissions", "source"): (1, 2, "both pieces, then, come again"),
}
# Where its initial round trip begins with the last SYN: ours is what the client waited.
FROM_LAST_SYN = {"retransmitted_syn"}


def frames(path):
    """{story number: {tcp stream: [{field: value}]}}, of the innermost headers"""
    command = ["tshark", "-n", "-r", path, "-Y", "tcp && !icmp && !icmpv6", "-T", "fields",
               "-E", "occurrence=l"]
    for field in FIELDS:
        command += ["-e", field]
    text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                          universal_newlines=True).stdout
    stories = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in text.splitlines():
        frame = dict(zip(FIELDS, line.split("\t")))
        frame["time"] = float(frame["frame.time_epoch"])
        frame["from"] = frame["ip.src"] or frame["ipv6.src"]
        number = story_tree.story_of(frame["from"])
        stories[number][int(frame["tcp.stream"])].append(frame)
    return stories


def told_times(span, event, side):
    """{how manieth: when} of the events of one kind."""
    ret = {}
    for name, at, has in zip(span["events"], span["event_times"], span["event_attributes"]):
        if name == event and has["flow.event.from"] == side:
            ret[has.get("flow.tcp.event.count", 1)] = at / 1e9
    return ret


def note_faults(story, span, stream, side, address):
    prefix = "flow.tcp." if side == "source" else "flow.reverse.tcp."
    for name, event, field in NOTES:
        seen = [f["time"] for f in stream if f["from"] == address and
                (f[field] == MEANS[field] if field in MEANS else f[field])]
        wanted = len(seen)
        if (story, name, side) in OTHERWISE:
            said, wanted, _ = OTHERWISE[story, name, side]
            if said != len(seen):
                yield "%s of the %s: the table is wrong about tshark" % (name, side)
            seen = []
        if name and span["attributes"].get(prefix + name, 0) != wanted:
            yield "%s of the %s: tshark has %d" % (name, side, wanted)
        told = told_times(span, event, side)
        most = wanted if name else min(wanted, 1)  # congestion: the first one is an event
        if set(told) != {1 << i for i in range(most.bit_length())}:
            yield "events %s of the %s: %s of %d" % (event, side, sorted(told), wanted)
        for number, at in told.items():
            if number <= len(seen) and abs(at - seen[number - 1]) > SLACK:
                yield "event %s %d of the %s: %.1f ms off" % (
                    event, number, side, 1e3 * (at - seen[number - 1]))


def rtt_faults(span, stream, side, address):
    name = "flow.%stcp.rtt.smoothed" % ("" if side == "source" else "reverse.")
    if name not in span["attributes"]:
        return
    # the acknowledgements come from the other side; that of the SYN belongs to the handshake
    seen = [float(f["tcp.analysis.ack_rtt"]) for f in stream
            if f["from"] != address and f["tcp.analysis.ack_rtt"]]
    rtt = span["attributes"][name]
    if not seen or not min(seen) - SLACK <= rtt <= max(seen) + SLACK:
        yield "round trip of the %s: %.1f ms, tshark has %s" % (side, 1e3 * rtt, seen)
    rtts_compared.append(rtt)


rtts_compared = []


def time_faults(span, stream):
    for name, at, frame in (("begin", span["start"], stream[0]), ("end", span["end"], stream[-1])):
        if abs(at / 1e9 - frame["time"]) > SLACK:
            yield "%s: %.1f ms off" % (name, 1e3 * (at / 1e9 - frame["time"]))


def shake_faults(story, stream, shake):
    initial = [float(f["tcp.analysis.initial_rtt"]) for f in stream if f["tcp.analysis.initial_rtt"]]
    said, wanted, _ = OTHERWISE.get((story, "handshake", None), (bool(initial), bool(initial), ""))
    if said != bool(initial) or wanted != bool(shake):
        yield "handshake: tshark %s one, the span %s" % (bool(initial), bool(shake))
    elif shake:
        took = (shake["end"] - shake["start"]) / 1e9
        if story in FROM_LAST_SYN:
            syns = [f["time"] for f in stream if f["tcp.flags.syn"] == "1" and
                    f["tcp.flags.ack"] == "0"]
            initial[0] += syns[-1] - syns[0]
        if abs(took - initial[0]) > SLACK:
            yield "handshake: %.1f ms, tshark has %.1f ms" % (1e3 * took, 1e3 * initial[0])


def story_faults(story, streams, roots, ends, shakes):
    if len(streams) != len(roots):
        yield "%d connections, %d spans" % (len(streams), len(roots))
        return
    for number, root in zip(sorted(streams), sorted(roots, key=lambda s: s["start"])):
        stream = streams[number]
        span = ends.get(root["span_id"], root)  # has the totals
        for side in ("source", "destination"):
            address = span["attributes"][side + ".address"]
            yield from note_faults(story, span, stream, side, address)
            yield from rtt_faults(span, stream, side, address)
        yield from time_faults(span, stream)
        yield from shake_faults(story, stream, shakes.get(root["span_id"]))


def main():
    played, sink, *captures = sys.argv[1:]
    roots, ends, shakes, inside = collections.defaultdict(list), {}, {}, False
    for span in otlp_read.spans(sink):
        has = span["attributes"]
        if span["name"] == otlp_read.HANDSHAKE:
            shakes[span["parent_span_id"]] = span
        elif has["network.transport"] == "tcp" and not span["parent_span_id"]:
            roots[story_tree.story_of(has["source.address"])].append(span)
        elif span["name"].endswith(" end"):
            ends[span["parent_span_id"]] = span
        inside |= "flow.tunnel.type" in has
    faults, connections, stories = [], 0, frames(played)
    for number, story in map(story_tree.name_of, captures):
        streams = {} if story == "vxlan" and not inside else stories[number]
        connections += len(streams)
        faults += ["%s: %s" % (story, fault)
                   for fault in story_faults(story, streams, roots[number], ends, shakes)]
    if faults:
        sys.exit("\n".join(faults))
    if not connections or not rtts_compared:
        sys.exit("nothing to compare")
    print("tshark agrees: %d connections, %d round trips" % (connections, len(rtts_compared)))


if __name__ == "__main__":
    main()
