# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Why a row misses its target, or what limits it: shown beside it in bench/RESULTS.md and by run.sh, and only
where it is missed. One line each; the first pattern that fits the whole name of a row counts."""
import re

# (bench, pattern of the row, reason)
NOTES = [
    ("bench_kern", "one elephant.*against.*",
     "a record costs some 40 ns, and that is what thinning saves; accounting for the packet itself has grown since "
     "the target was set (events, round trips)"),
    ("bench_live", "flow mode 1/1, .*kernel, a packet",
     "most of it is waiting for memory: the map's lookup takes two cache misses, one after the other (its bucket, "
     "then the flow), and writing the totals one or two; one is what bench_flow_table calls a random load. One "
     "flow alone takes some 120 ns (bench_kern)"),
    ("bench_live", "packet mode 1/100,.*kernel, a packet",
     "the hundredth packet looks up and writes its flow, at 400 ns and more with cold caches: 4 ns of it for each "
     "packet, beside counting"),
    ("bench_live", "packet mode 1/100,.*agent CPU.*",
     "3,000 spans of a million packets, as almost each sampled flow becomes one; and a worker wakes up every 0.2 ms "
     "while records come, however few"),
    ("bench_live", ".*agent CPU.*",
     "about half of a flow's cost is system calls to look its totals up and take them out of the map"),
    ("bench_live", ".*resident memory.*",
     "13.7 MB are there before any flow, libraries included; each takes 280 bytes"),
    ("bench_ring", ".*against a reader that never sleeps",
     "a reader that never sleeps costs the writer less on this machine than on the one of the target: it gets half "
     "of the rate, there a fifth; the rate itself is beyond the 16 M/s of that one"),
    ("bench_ring", ".*: dropped", "others on the machine kept the reader from its processor"),
    ("bench_flow_table", "65536 flows, records a second",
     "a random load takes longer here than it did where the target was set (65 ns): see that row"),
    ("bench_export", "export against encode, CPU.*",
     "encoding has become twice as fast since the target was set; the kernel's part of sending is the rest: the same "
     "bytes on a bare socket are the row below"),
    ("bench_span_size", ".*",
     "keys are the semantic conventions' full names, and both pairs of addresses that these want are told: names alone "
     "are half of the bytes. gzip takes it to a fifth"),
    ("bench_accuracy", ".*",
     "the 95th percentile of the few runs that there are at this rate is their second or third worst"),
]


def note_of(row):
    """"" where nothing is known."""
    for bench, pattern, text in NOTES:
        if bench == row["bench"] and re.fullmatch(pattern, row["row"]):
            return text
    return ""
