# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What peers.sh has measured, as tables for people, and as rows (rows.py). Reads from a folder
LOAD.plan.done (what "peers.py run" wrote), LOAD.TOOL.said (what the tool and its receiver said) and
connections.TOOL.said, flags, versions."""
import glob
import io
import json
import os
import sys

import machine
import rows

# whom ringspan is to be ahead of: those that report flows of every packet, those that look at a part
AHEAD = {"ringspan_tc_1": ("softflowd", "pmacctd", "netobserv", "mermin", "obi", "obi_tuples"),
         "ringspan_tc_100": ("netobserv_100", "obi_100", "hsflowd")}
UNITS = {"kernel": "ns/packet", "sender": "ns/packet", "cpu": "s/Mpacket", "rss": "MB",
         "seen": "% of truth", "unsaid": "packets", "connections": "% of truth"}
TITLES = {"kernel": "kernel, floor off", "sender": "sender CPU, paired", "cpu": "agent CPU",
          "rss": "resident peak", "seen": "packets reported", "unsaid": "loss unsaid",
          "connections": "connections reported"}


def words_of(path):
    found = {}
    if os.path.exists(path):
        with open(path) as f:
            for word in f.read().split():
                key, is_pair, value = word.partition("=")
                if is_pair and value.isdecimal():
                    found[key] = int(value)
    return found


def median(values):
    return rows.quantiles(values)[1]


def mean(values):
    return sum(values) / len(values)


def of_round(tool, number):
    return [s for s in tool["segments"] if s["round"] == number]


class Load:
    """One plan and what came of it."""

    def __init__(self, path):
        with open(path) as f:
            self.plan = json.load(f)
        self.name = self.plan["load"]
        self.folder = os.path.dirname(path)
        self.tools = {t["name"]: t for t in self.plan["tools"]}

    def rounds(self):
        return range(self.plan["rounds"] * self.plan["repeats"])

    def kernel(self, tool):
        """ns a packet, one value a round; the floor is that of the empty program in the same round."""
        empty = self.tools.get(tool["hook"] + "_pass")
        values = []
        for number in self.rounds() if empty and self.plan["statistics"] else ():
            floor = mean([e["bpf_ns"] / e["runs"] for e in of_round(empty, number)])
            values += [(s["bpf_ns"] - floor * s["runs"]) / s["packets"]
                       for s in of_round(tool, number) if s["runs"]]
        return values

    def floor(self, hook):
        empty = self.tools.get(hook + "_pass")
        if not empty or not self.plan["statistics"]:
            return 0
        return median([s["bpf_ns"] / s["runs"] for s in empty["segments"]])

    def sender(self, tool):
        """ns a packet more than on a link without any tool, in the same round."""
        values = []
        for number in self.rounds() if not self.plan["statistics"] else ():
            base = mean([b["sender_ns"] for b in of_round(self.tools["none"], number)])
            values += [s["sender_ns"] - base for s in of_round(tool, number)]
        return values

    def result(self, tool):
        """All columns of a tool; None where it has nothing to say."""
        said = words_of("%s/%s.%s.said" % (self.folder, self.name, tool["name"]))
        packets = sum(s["packets"] for s in tool["segments"])
        interval = tool["interval"]
        kernel = self.kernel(tool) if tool["hook"] in ("tc", "xdp") else []
        r = {"truth": packets, "kernel": kernel or None, "sender": self.sender(tool) or None,
             "cpu": None, "idle": None, "rss": None, "flows": said.get("flows"), "seen": None, "bytes": None,
             "said": said.get("said"), "unsaid": None}
        if tool["is_agent"]:
            r["rss"] = tool["peak_kb"] / 1024
            if tool["spent"] is not None:
                r["idle"] = tool["idle_ns"] / 1e7
                r["cpu"] = max(0, tool["spent"]) / 1e9 / (packets / 1e6)
        scale, size = interval if tool["scale"] else 1, 64 if tool["layer"] == 2 else 50
        if "packets" in said:
            r["seen"] = 100 * scale * said["packets"] / packets
        if said.get("bytes"):
            r["bytes"] = 100 * scale * said["bytes"] / (packets * size)
        if interval == 1 and ("packets" in said or "bytes" in said):
            r["unsaid"] = packets - said.get("packets", said.get("bytes", 0) // size) - said.get("said", 0)
        r["counted"] = said.get("counted")
        return r


def text(value, form="%.4g"):
    return "–" if value is None else form % value


def spread(values):
    return "–" if not values else "%.0f (%.0f..%.0f)" % (rows.quantiles(values)[1], *rows.quantiles(values)[::2])


class Page:
    """Lines and tables: for people at once, and in Markdown for a file."""

    def __init__(self):
        self.markdown = []

    def line(self, words=""):
        print(words)
        self.markdown += [words, ""] if words else []

    def head(self, words):
        print(words)
        self.markdown += ["### " + words, ""]

    def table(self, titles, lines):
        widths = [max(len(line[i]) for line in [titles] + lines) for i in range(len(titles))]
        for line in [titles] + lines:
            print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                            for i, (cell, w) in enumerate(zip(line, widths))).rstrip())
        print()
        self.markdown += ["| %s |" % " | ".join(line) for line in [titles, ["---"] + ["---:"] * (len(titles) - 1)] + lines]
        self.markdown.append("")

    def listing(self, pairs):
        for name, words in pairs:
            print("%-18s %s" % (name, words))
        self.markdown += ["- %s: %s" % (name, words if " " not in words else "`%s`" % words) for name, words in pairs]
        self.markdown.append("")


def write_row(row, values, unit, at_most=None, better="lower"):
    """For programs only: people have the table."""
    if values is not None:
        rows.Rows("bench_peers", io.StringIO()).add(row, values, unit, at_most=at_most, better=better)


COLUMNS = ("kernel ns/packet", "Δ sender ns/packet", "CPU s/Mpacket", "idle CPU %", "RSS MB", "flows", "packets %",
           "bytes %", "loss said", "unsaid", "counter %")


def cells(load, r):
    return [spread(r["kernel"]), spread(r["sender"]), text(r["cpu"], "%.4f"), text(r["idle"], "%.2f"),
            text(r["rss"], "%.1f"), text("%d of %d" % (r["flows"], load.plan["flows"]) if r["flows"] else None, "%s"),
            text(r["seen"], "%.3f"), text(r["bytes"], "%.3f"), text(r["said"], "%d"), text(r["unsaid"], "%d"),
            text(r["counted"] and 100 * r["counted"] / r["truth"], "%.4f")]


def write_rows(load, name, r):
    columns = ("kernel", "cpu", "rss", "unsaid") if load.plan["statistics"] else ("sender",)
    for column in columns:
        is_ours = name.startswith("ringspan") and column == "unsaid"
        write_row("%s: %s, %s" % (load.name, name, TITLES[column]), r[column], UNITS[column],
                  at_most=0 if is_ours else None)
    if load.plan["statistics"]:
        write_row("%s: %s, %s" % (load.name, name, TITLES["seen"]), r["seen"], UNITS["seen"], better="none")


def figure(value):
    return median(value) if isinstance(value, list) else value


def show_ahead(page, load, results):
    """Each column of ringspan against the best of the others; what the hook costs at the same hook only, and
    what the sender spends not where it is less than that column can tell."""
    for own, others in AHEAD.items():
        columns = ("kernel", "cpu", "rss") if load.plan["statistics"] else ("sender",) if own.endswith("_1") else ()
        for column in columns:
            have = {n: figure(results[n][column]) for n in others if n in results and results[n][column] is not None
                    and (column in ("cpu", "rss") or load.tools[n]["hook"] == load.tools[own]["hook"])}
            mine = figure(results[own][column]) if own in results else None
            if not have or mine is None:
                continue
            best = min(have, key=have.get)
            ratio = mine / have[best] if have[best] > 0 else float(mine > have[best])
            write_row("%s: %s against the best other, %s" % (load.name, own, TITLES[column]), ratio, "x", at_most=1)
            page.line("%s: %s has %.4g %s, the best of the others, %s, %.4g%s" % (
                TITLES[column], own, mine, UNITS[column], best, have[best],
                "" if ratio <= 1 else ": ringspan is BEHIND"))


def check(load, name, r):
    """What must be exact on any machine: the receivers and the truth are checked by it, too."""
    wrong = []
    if name in ("xdp_count", "tc_count") and (r["seen"], r["bytes"]) != (100, 100):
        wrong.append("%s counted %s %% of the packets, %s %% of the bytes" % (name, r["seen"], r["bytes"]))
    if name.startswith("ringspan") and r["counted"] != r["truth"]:
        wrong.append("%s counted %s packets of %d" % (name, r["counted"], r["truth"]))
    if name.startswith("ringspan") and r["unsaid"]:
        wrong.append("%s: %d packets in no report and in no account" % (name, r["unsaid"]))
    if name in ("ringspan_tc_1", "ringspan_xdp_1") and not r["said"] and r["flows"] != load.plan["flows"]:
        wrong.append("%s reported %s flows" % (name, r["flows"]))
    if name.startswith("ringspan") and load.plan["statistics"] and not r["kernel"]:
        wrong.append("%s: its BPF programs were not found" % name)
    return ["%s flows: %s" % (load.name, line) for line in wrong]


def show_load(page, load):
    page.head("%s: %d flows, 64-byte frames in random order, %d packets to each tool in %d parts" % (
        load.name, load.plan["flows"], sum(s["packets"] for s in next(
            t for n, t in load.tools.items() if n != "none")["segments"]), len(load.rounds())))
    for hook in ("tc", "xdp"):
        if load.floor(hook):
            page.line("floor of BPF statistics at %s: %.1f ns" % (hook, load.floor(hook)))
    if "none" in load.tools and not load.plan["statistics"]:
        page.line("the sender alone: %s ns a packet" % spread(
            [s["sender_ns"] for s in load.tools["none"]["segments"]]))
    lines, wrong, results = [], [], {}
    for name, tool in load.tools.items():
        if name != "none":
            r = results[name] = load.result(tool)
            write_rows(load, name, r)
            wrong += check(load, name, r)
            lines.append([name, tool["hook"]] + cells(load, r))
    shown = [i for i in range(len(lines[0])) if any(line[i] != "–" for line in lines)]
    titles = ("tool", "hook") + COLUMNS
    page.table([titles[i] for i in shown], [[line[i] for i in shown] for line in lines])
    show_ahead(page, load, results)
    print()
    return wrong


def show_connections(page, folder):
    lines = []
    for path in sorted(glob.glob(folder + "/connections.*.said")):
        said, name = words_of(path), os.path.basename(path).split(".")[1]
        if said.get("truth") and "connections" in said:
            share = 100 * said["connections"] / said["truth"]
            write_row("connections: %s, %s" % (name, TITLES["connections"]), share, UNITS["connections"],
                      better="none")
            lines.append([name, str(said["truth"]), str(said["connections"]), "%.2f" % share])
    if lines:
        page.head("short TCP connections, each local port used again and again")
        page.table(["tool", "connections", "reported", "%"], lines)


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return f.read().splitlines()


LEGEND = (
    "kernel: BPF run statistics of the tool's own programs less the empty program's at the same hook, median"
    " (p10..p90).",
    "Δ sender: CPU of the sender, which runs the receive path, less that on a link without a tool; rows at xdp"
    " contain what the veth itself does for any XDP program: see xdp_pass.",
    "CPU: user and system of the agent above what it spends when idle. RSS: its peak, all its processes.",
    "packets, bytes: of what was sent; sampled rows that say how to scale are scaled. Loss unsaid: sent, not"
    " reported, not admitted. counter: exact counters beside the flows, where a tool has them.",
)


def main(folder, build, markdown=None):
    page, wrong = Page(), []
    repo = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    page.head("machine")
    page.listing(machine.describe(repo, build) + [tuple(line.split(" ", 1)) for line in lines_of(folder + "/versions")])
    page.head("tools and their flags")
    page.listing([tuple(line.split("\t", 1)) for line in lines_of(folder + "/flags")])
    print()
    for path in sorted(glob.glob(folder + "/*.plan.done"), key=len):
        wrong += show_load(page, Load(path))
    show_connections(page, folder)
    for line in LEGEND:
        page.line(line)
    if markdown:
        with open(markdown, "w") as f:
            f.write("\n".join(page.markdown))
    if wrong:
        sys.exit("\n".join("peers: FAILED: " + line for line in wrong))
