#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Prints the traces of stories as trees, and compares them with what is expected.

  story_tree.py EXPECTED_FOLDER SUFFIX CLIENT_SINK SERVER_SINK CAPTURE…
  story_tree.py --update EXPECTED_FOLDER …     the same, but writes what is expected

The sinks are of what was seen at the client's side (its packets leave) and at the server's (they come
in). Lines of one of them only begin with "C" and "S". EXPECTED_FOLDER/<story>SUFFIX.txt is what is to
be seen of CAPTURE .../NN-<story>.pcap.

After a change that is meant to change a tree: run tests/e2e_stories.sh with STORIES_UPDATE=1 and read the
difference in version control, line by line, before believing it.
"""
import collections
import difflib
import os
import re
import sys

import otlp_read

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
TIMES = re.compile(r"\.(duration|smoothed)$")
GRID_MS = 20
# constant here; or by the addresses alone, and tested elsewhere
LEFT_OUT = {"network.interface.name", "flow.community_id"}
WHO = ("source.address", "source.port", "destination.address", "destination.port")


def value_text(name, value):
    if TIMES.search(name):
        return "about %d ms" % (round(value * 1000 / GRID_MS) * GRID_MS)
    return str(value)


def attribute_lines(attributes):
    for name in sorted(attributes):
        yield "%s = %s" % (name, value_text(name, attributes[name]))


def story_of(address):
    """The number of the story that an address is of, or 0."""
    match = re.match(r"(?:10\.(?:10)?6\.|fd06:)(\d+)[.:]", address)
    return int(match.group(1)) if match else 0


def name_of(capture):
    """Number and name of a capture's story."""
    number, story = re.match(r"(\d+)-(.*)\.pcap", os.path.basename(capture)).groups()
    return int(number), story


def span_lines(span, depth, spans):
    pad = "    " * depth
    has = dict(span["attributes"])
    who = [has.pop(name) for name in WHO]
    yield "%s%s: %s %d -> %s %d" % ((pad, span["name"]) + tuple(who))
    pad += "    "
    yield pad + "kind " + KINDS.get(span["kind"], "unspecified")
    if span["status"]:
        yield "%sstatus %s: %s" % (pad, {1: "ok", 2: "ERROR"}[span["status"]], span["message"])
    for end, name in (("client", "source"), ("server", "destination")):
        if end + ".address" in has:
            same = [has.pop("%s.%s" % (end, part)) for part in ("address", "port")] == \
                   [span["attributes"]["%s.%s" % (name, part)] for part in ("address", "port")]
            yield "%s%s is the %s" % (pad, name, end if same else "NOT " + end)
    for name in LEFT_OUT:
        has.pop(name, None)
    for line in attribute_lines(has):
        yield pad + line
    for name, attributes in zip(span["events"], span["event_attributes"]):
        facts = ", ".join(attribute_lines(attributes))
        yield "%sevent %s%s" % (pad, name, ": " + facts if facts else "")
    for link in span["links"]:
        yield pad + "link to " + ("its own trace" if link["trace_id"] == span["trace_id"] else "another trace")
    for child in sorted(spans, key=lambda s: (s["start"], s["end"], s["name"])):
        if child["parent_span_id"] == span["span_id"]:
            yield from span_lines(child, depth + 1, spans)


def trees(folder):
    """{story number: lines}"""
    traces, ret = collections.defaultdict(list), collections.defaultdict(list)
    for span in otlp_read.spans(folder):
        traces[span["trace_id"]].append(span)
    for spans in sorted(traces.values(), key=lambda spans: min(s["start"] for s in spans)):
        lines, printed = ["trace"], []
        ids = {s["span_id"] for s in spans}
        for span in sorted(spans, key=lambda s: s["start"]):
            if span["parent_span_id"] not in ids:
                orphan = "ORPHAN " if span["parent_span_id"] else ""
                printed += [orphan + line for line in span_lines(span, 1, spans)]
        ret[story_of(spans[0]["attributes"]["source.address"])] += lines + printed
    return ret


def merged(client, server):
    for line in difflib.ndiff(client, server):
        if line[0] != "?":
            yield {" ": " ", "-": "C", "+": "S"}[line[0]] + line[1:] + "\n"


def main():
    update = sys.argv[1] == "--update"
    expected, suffix, *sinks = sys.argv[1 + update:5 + update]
    seen = [trees(sink) for sink in sinks]
    faults = 0
    wanted = set()
    for capture in sys.argv[5 + update:]:
        number, story = name_of(capture)
        wanted.add(number)
        path = os.path.join(expected, story + suffix + ".txt")
        text = list(merged(*(side[number] for side in seen)))
        if update:
            with open(path, "w") as out:
                out.writelines(text)
            continue
        with open(path) as lines:
            difference = list(difflib.unified_diff(list(lines), text, path, "what was seen of it"))
        sys.stdout.writelines(difference)
        faults += bool(difference)
    strangers = (set(seen[0]) | set(seen[1])) - wanted
    if strangers:
        sys.exit("traces of no story: %s" % sorted(strangers))
    if faults:
        sys.exit("%d stories are told differently" % faults)
    print("%d stories, as expected" % len(wanted))


if __name__ == "__main__":
    main()
