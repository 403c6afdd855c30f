#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rows of results as tables: for the terminal, for bench/RESULTS.md, and the short one for README.md.

  tables.py results FOLDER    writes RESULTS.md again from results.json there
  tables.py readme            whether the short table of README.md is that of RESULTS.md
  tables.py readme --write    makes it so
"""
import argparse
import difflib
import json
import os
import sys

from notes import note_of

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS_MD = os.path.join(HERE, "RESULTS.md")
README_MD = os.path.join(HERE, "..", "README.md")
BEGIN, END = "<!-- bench short begin -->\n", "<!-- bench short end -->\n"

# what it is called in the short table, bench, row
SHORT = [
    ("kernel time of a packet, every flow kept, 10,000 flows", "bench_live",
     "flow mode 1/1, 10000 flows, TC: kernel, a packet"),
    ("the same, 100,000 flows", "bench_live", "flow mode 1/1, 100000 flows, TC: kernel, a packet"),
    ("the same, one flow in 100 kept", "bench_live", "flow mode 1/100, 10000 flows, TC: kernel, a packet"),
    ("the same, one packet in 100 taken", "bench_live", "packet mode 1/100, 10000 flows, TC: kernel, a packet"),
    ("CPU of the agent for a million packets beyond what it takes idle, every flow kept", "bench_live",
     "flow mode 1/1, 10000 flows, TC: agent CPU a million packets, less idle"),
    ("the same, one flow in 100 kept", "bench_live",
     "flow mode 1/100, 10000 flows, TC: agent CPU a million packets, less idle"),
    ("resident memory with 10,000 flows", "bench_live", "flow mode 1/1, 10000 flows, TC: resident memory"),
    ("the same, 100,000 flows", "bench_live", "flow mode 1/1, 100000 flows, TC: resident memory"),
    ("records that a worker takes in, 65,536 flows", "bench_flow_table", "65536 flows, records a second"),
    ("OTLP encode of a span against memcpy of it", "bench_encode", "encode against memcpy of its output"),
    ("encode and send a span against encode alone", "bench_export", "export against encode, CPU, batches of 512"),
    ("bytes of the span of a short HTTP connection", "bench_span_size", "TCP HTTP, short, a span"),
]


def number(value):
    """Three or four digits that count, without an exponent; thousands apart."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.2g}"


def spread(row):
    return f"{number(row['p10'])} .. {number(row['p90'])}" if "p10" in row else ""


def target(row):
    if "target" not in row:
        return ""
    return ("<= " if row["better"] == "lower" else ">= ") + number(row["target"])


def is_missed(row):
    if "target" not in row:
        return False
    return row["value"] > row["target"] if row["better"] == "lower" else row["value"] < row["target"]


def verdict(row):
    if "target" not in row:
        return ""
    if not is_missed(row):
        return "inside"
    if not row["target"]:
        return f"missed by {number(row['value'])}"
    return f"missed by {abs(row['value'] / row['target'] - 1) * 100:.0f} %"


def cells(row):
    return [row["row"], number(row["value"]), row["unit"], spread(row), target(row), verdict(row)]


def with_unit(row):
    return f"{number(row['value'])} {row['unit']}".strip()


HEAD = ["", "median", "", "p10 .. p90", "target", ""]


def missed_rows(rows):
    return [row for row in rows if is_missed(row)]


def summary(ends, rows):
    with_target = [row for row in rows if "target" in row]
    text = f"{len(rows)} rows; {len(with_target) - len(missed_rows(rows))} of {len(with_target)} targets met"
    failed = sum(end["end"].startswith("FAILED") for end in ends)
    skipped = sum(end["end"].startswith("skipped") for end in ends)
    return text + (f"; {skipped} benches skipped" if skipped else "") + (f"; {failed} FAILED" if failed else "")


# ---- for the terminal ----

def in_columns(table):
    """Lines; the second column to the right."""
    width = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return ["  " + "  ".join(text.rjust(w) if i == 1 else text.ljust(w)
                             for i, (text, w) in enumerate(zip(line, width))).rstrip() for line in table]


def rows_of(end, rows):
    """Of a bench with a text of its own only those with a target."""
    return [row for row in rows if row["bench"] == end["name"] and ("target" in row or not end["text"])]


def for_terminal(ends, rows):
    out = []
    for end in ends:
        table = [cells(row) for row in rows_of(end, rows)]
        out.append(f"\n{end['title']}" + ("" if end["end"] == "ok" else f"\n  {end['end']}"))
        out += ["  " + line if line else "" for line in end["text"].splitlines()]
        if table:
            out += in_columns([HEAD, *table])
    missed = missed_rows(rows)
    if missed:
        out.append("\nTargets that were missed")
        for row in missed:
            out.append(f"  {row['row']}: {with_unit(row)}, {target(row)}: {verdict(row)}")
            if note_of(row):
                out.append(f"    {note_of(row)}")
    return "\n".join(out) + "\n\n" + summary(ends, rows)


# ---- for RESULTS.md and README.md ----

def markdown(head, align, table):
    return ["| " + " | ".join(head) + " |", "|" + "|".join(align) + "|",
            *("| " + " | ".join(line) + " |" for line in table)]


def short_table(rows):
    """Of those rows that there are."""
    found = {(row["bench"], row["row"]): row for row in rows}
    table = []
    for label, bench, name in SHORT:
        row = found.get((bench, name))
        if row:
            table.append([label, with_unit(row), target(row),
                          verdict(row) if is_missed(row) else ""])
    has_missed = any(line[3] for line in table)
    keep = 4 if has_missed else 3
    return markdown(["", "measured", "target", ""][:keep], ["---", "---:", "---", "---"][:keep],
                    [line[:keep] for line in table])


def cases_table(rows):
    """Rows "CASE: WHAT" of a bench as one line a case and one column a WHAT; none where that is no gain."""
    cases, whats = {}, {}
    for row in rows:
        case, _, what = row["row"].rpartition(": ")
        if case:
            cases.setdefault(case, {})[what] = row
            whats[what] = row["unit"]
    if len(whats) < 3 or len(cases) < 3:
        return []
    head = ["", *(f"{what}, {unit}" if unit else what for what, unit in whats.items())]
    table = [[case, *(bold_if_missed(found.get(what)) for what in whats)] for case, found in cases.items()]
    return markdown(head, ["---"] + ["---:"] * len(whats), table)


def bold_if_missed(row):
    if not row:
        return ""
    return f"**{number(row['value'])}**" if is_missed(row) else number(row["value"])


def of_bench(end, rows):
    out = ["", f"## {end['title']}", "", f"`{end['name']}`, {end['seconds']:.0f} s"
           + ("" if end["end"] == "ok" else f": {end['end']}")]
    if end["text"]:
        out += ["", "```", *end["text"].splitlines(), "```"]
    table = cases_table(rows)
    if table:
        out += ["", *table]
    if rows:
        out += ["", *(["<details><summary>with p10 .. p90 and targets</summary>", ""] if table else []),
                *markdown(["what", "median", "unit", "p10 .. p90", "target", ""],
                          ["---", "---:", "---", "---", "---", "---"], map(cells, rows)),
                *(["", "</details>"] if table else [])]
    return out


def for_markdown(facts, ends, rows):
    out = ["<!-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause -->", "# What ringspan costs: one run", "",
           "Written by `bench/run.sh --reference`. Medians; p10 .. p90 over the runs of one row; ratios compare what "
           "was measured in turn. A frame has 64 bytes, the worst case of a packet; half of the flows are TCP. "
           f"{summary(ends, rows)}.", "", BEGIN.strip(), *short_table(rows), END.strip()]
    missed = missed_rows(rows)
    if missed:
        out += ["", "## Targets that were missed", "",
                *markdown(["what", "measured", "target", "", "why"], ["---", "---:", "---", "---", "---"],
                          [[row["row"], with_unit(row), target(row), verdict(row), note_of(row)]
                           for row in missed])]
    out += ["", "## The machine", "", *markdown(["", ""], ["---", "---"], [[w, str(v)] for w, v in facts])]
    for end in ends:
        out += of_bench(end, rows_of(end, rows))
    return "\n".join(out) + "\n"


def between_markers(text, path):
    """(before, the table, after), the markers with the outer two."""
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        sys.exit(f"{os.path.relpath(path)} has no table between {BEGIN.strip()} and {END.strip()}")
    begin += len(BEGIN)
    return text[:begin], text[begin:end], text[end:]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def readme(is_write):
    table = between_markers(read(RESULTS_MD), RESULTS_MD)[1]
    text = read(README_MD)
    before, _, after = between_markers(text, README_MD)
    made = before + table + after
    if is_write:
        with open(README_MD, "w", encoding="utf-8") as f:
            f.write(made)
    elif made != text:
        sys.exit("".join(difflib.unified_diff(text.splitlines(True), made.splitlines(True), "README.md",
                                              "RESULTS.md"))
                 + "README.md has other figures than bench/RESULTS.md: bench/tables.py readme --write")


def write_results(folder):
    run = json.loads(read(os.path.join(folder, "results.json")))
    with open(RESULTS_MD, "w", encoding="utf-8") as f:
        f.write(for_markdown(run["machine"], run["benches"], run["rows"]))


def main():
    parser = argparse.ArgumentParser(description="Tables of bench/RESULTS.md and README.md.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("results", help="write RESULTS.md again, say with other notes.py").add_argument("folder")
    commands.add_parser("readme", help="compare README.md's table with that of RESULTS.md").add_argument(
        "--write", action="store_true", help="put it there")
    o = parser.parse_args()
    if o.command == "results":
        write_results(o.folder)
    else:
        readme(o.write)


if __name__ == "__main__":
    main()
