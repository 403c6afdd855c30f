# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Rows of results as tables: for the terminal, and for bench/RESULTS.md."""


def number(value):
    """Four digits that count, without an exponent."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4g}" if abs(value) >= 0.001 else f"{value:.2g}"


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


HEAD = ["", "median", "", "p10 .. p90", "target", ""]


def summary(ends, rows):
    with_target = [row for row in rows if "target" in row]
    missed = [row for row in with_target if is_missed(row)]
    text = f"{len(rows)} rows; {len(with_target) - len(missed)} of {len(with_target)} targets met"
    failed = sum(end.startswith("FAILED") for _, end, _ in ends)
    skipped = sum(end.startswith("skipped") for _, end, _ in ends)
    return text + (f"; {skipped} benches skipped" if skipped else "") + (f"; {failed} FAILED" if failed else "")


def for_terminal(ends, rows):
    out = []
    for bench, end, _ in ends:
        table = [cells(row) for row in rows if row["bench"] == bench.name]
        out.append(f"\n{bench.title}" + ("" if end == "ok" else f"\n  {end}"))
        if not table:
            continue
        width = [max(len(line[i]) for line in [HEAD, *table]) for i in range(len(HEAD))]
        for line in [HEAD, *table]:
            out.append("  " + "  ".join(text.rjust(w) if i == 1 else text.ljust(w)
                                        for i, (text, w) in enumerate(zip(line, width))).rstrip())
    return "\n".join(out) + "\n\n" + summary(ends, rows)


def for_markdown(facts, ends, rows):
    out = ["<!-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause -->", "# One run of bench/run.sh", "",
           "Medians; p10 .. p90 over the runs of one row.", "", "| | |", "|---|---|"]
    out += [f"| {what} | {value} |" for what, value in facts]
    for bench, end, seconds in ends:
        out += ["", f"## {bench.title}", "", f"`{bench.name}`, {seconds:.0f} s"
                + ("" if end == "ok" else f", {end}"), ""]
        table = [cells(row) for row in rows if row["bench"] == bench.name]
        if table:
            out += ["| what | median | unit | p10 .. p90 | target | |", "|---|---:|---|---|---|---|"]
            out += ["| " + " | ".join(line) + " |" for line in table]
    return "\n".join(out + ["", summary(ends, rows)]) + "\n"
