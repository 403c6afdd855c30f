# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Pictures of rows: SVG, by matplotlib, where it is installed.

A curve takes the rows of a bench whose name matches a pattern; the group in it is the place on the x axis.
"""
import os
import re

# file, title, x axis, y axis, {curve: (bench, pattern)}
PLOTS = [
    ("cost_by_n", "Kernel time of a packet, 10,000 flows", "one in N", "ns", {
        f"{mode} mode, {hook}": ("bench_live", rf"{mode} mode 1/(\d+), 10000 flows, {hook}: kernel, a packet")
        for mode in ("flow", "packet") for hook in ("TC", "XDP")}),
    ("agent_by_n", "CPU of the agent for a million packets, 10,000 flows", "one in N", "s", {
        f"{mode} mode": ("bench_live", rf"{mode} mode 1/(\d+), 10000 flows, TC: agent CPU a million packets, less idle")
        for mode in ("flow", "packet")}),
    ("scale_flows", "Cost as flows grow, at 1/1", "flows", "ns", {
        "kernel, a packet": ("bench_live", r"flow mode 1/1, (\d+) flows, TC: kernel, a packet"),
        "flow table, a record": ("bench_flow_table", r"(\d+) flows, a record")}),
    ("memory_flows", "Resident memory as flows grow, at 1/1", "flows", "MB", {
        "flows held": ("bench_live", r"flow mode 1/1, (\d+) flows, TC: resident memory"),
        "most, while all end at once": ("bench_live", r"flow mode 1/1, (\d+) flows, TC: resident memory, most.*")}),
    ("scale_cpu", "Agent CPU for a million packets as they grow, at 1/1", "so many", "s", {
        what: ("bench_growth", rf"(\d+) {what}: agent CPU a million packets, less idle")
        for what in ("workers", "interfaces", "sending processors")}),
    ("scale_kernel", "Kernel time of a packet as they grow, at 1/1", "so many", "ns", {
        what: ("bench_growth", rf"(\d+) {what}: kernel, a packet")
        for what in ("workers", "sending processors")}),
    ("ring", "Records that find the ring full, written as fast as can be", "reader sleeps, us", "%", {
        f"{kib} KiB": ("bench_ring", rf"ring of {kib} KiB, reader sleeps (\d+) us, 1 writing: dropped")
        for kib in (1024, 4096, 16384)}),
]


def points(rows, bench, pattern):
    found = []
    for row in rows:
        match = re.fullmatch(pattern, row["row"])
        if row["bench"] == bench and match:
            found.append((float(match[1]), row["value"], row.get("p10", row["value"]),
                          row.get("p90", row["value"])))
    return sorted(found)


def draw_one(path, title, x, y, curves):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot, ticker
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, found in curves.items():
        xs, ys, low, high = zip(*found)
        axes.errorbar(xs, ys, [[max(0, b - a) for a, b in zip(low, ys)], [max(0, b - a) for a, b in
                      zip(ys, high)]], marker="o", capsize=3, label=name)
    values = [value for found in curves.values() for _, value, *_ in found]
    axes.set(title=title, xlabel=x, ylabel=y, xscale="log")
    if min(values) > 0 and max(values) > 10 * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        axes.set_ylim(0, 1.15 * max(high for found in curves.values() for *_, high in found) or 1)
    ticks = sorted({place for found in curves.values() for place, *_ in found})
    axes.set_xticks(ticks, [f"{tick / 1000:.0f}k" if tick >= 1000 else f"{tick:.0f}" for tick in ticks])
    axes.tick_params(axis="x", which="minor", bottom=False)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def draw(rows, folder):
    """Draws what there are two points for; says which files."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return "no pictures: python3-matplotlib is not installed"
    made = []
    for name, title, x, y, wanted in PLOTS:
        curves = {label: found for label, (bench, pattern) in wanted.items()
                  if len(found := points(rows, bench, pattern)) > 1}
        if curves:
            draw_one(os.path.join(folder, name + ".svg"), title, x, y, curves)
            made.append(name + ".svg")
    return "pictures: " + (", ".join(made) or "none, too few rows")
