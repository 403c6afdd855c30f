# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Why a row misses its target, or what limits it: shown beside it in bench/RESULTS.md and by run.sh, and only
where it is missed. One line each; the first pattern that fits the whole name of a row counts."""
import re

# (bench, pattern of the row, reason)
NOTES = [
    ("bench_kern", "one elephant.*against.*",
     "a record costs 35 to 40 ns, which is all that thinning can save; the packet itself now takes 125 ns more than "
     "an empty program, 83 when the target was set"),
    ("bench_live", "flow mode 1/1, .*kernel, a packet",
     "waiting for memory: more than half of it is the map's lookup, which needs its bucket and then the flow; see the "
     "same row with 1,000 flows, which fit into the caches, and bench_flow_table's random load"),
    ("bench_live", "packet mode 1/100,.*kernel, a packet",
     "counting alone takes about 15 ns at this hook (see 1/1000); the packet that is taken some 700 ns, with cold "
     "caches"),
    ("bench_live", "packet mode 1/100,.*agent CPU.*",
     "3,000 spans of a million packets, 7 us each with the system calls for their flows: almost every sampled packet is "
     "of another flow"),
    ("bench_live", ".*agent CPU.*",
     "about half of a flow's cost is system calls that look its totals up and take them out of the map"),
    ("bench_live", ".*resident memory.*",
     "9.5 MB are there before any flow, 4.2 of it the ring, the rest libraries; each flow takes 270 bytes"),
    ("bench_memory", "the last third.*",
     "still warming up: over 45 loads it is 1.001, 32.2 MB at most"),
    ("bench_ring", ".*against a reader that never sleeps",
     "the reference is what differs: a reader that never sleeps held the writer up more on the machine of the target, "
     "at 16 M/s with one that sleeps"),
    ("bench_ring", ".*: dropped", "others on the machine kept the reader from its processor"),
    ("bench_flow_table", "65536 flows, records a second",
     "a cache miss for each record: see the random load, 65 ns where the target was set"),
    ("bench_export", "export against encode, CPU.*",
     "the kernel's part: the same bytes on a bare socket cost nearly as much, see that row; encoding takes 0.09 us, "
     "0.16 when the target was set"),
    ("bench_span_size", ".*",
     "the names of attributes are half of it (bench_span_size --attributes), each told in full in each span"),
    ("bench_accuracy", ".*",
     "the 95th percentile of the few runs that there are at this rate is their second or third worst"),
]


def note_of(row):
    """"" where nothing is known."""
    for bench, pattern, text in NOTES:
        if bench == row["bench"] and re.fullmatch(pattern, row["row"]):
            return text
    return ""
