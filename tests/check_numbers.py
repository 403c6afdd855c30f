#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Which numbered spans of tests/queue_load.c arrived: check_numbers.py SINK [FIRST LAST]…

Every number of each range FIRST..LAST must have arrived at least once. Prints how many did, how many of
them more than once, and how many others came beside them.
"""
import collections
import sys

import otlp_read


def main():
    folder, numbers = sys.argv[1], [int(n) for n in sys.argv[2:]]
    seen = collections.Counter(
        int(span.name)
        for request in otlp_read.bodies(folder, "traces")
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans)
    wanted = 0
    missing = []
    for first, last in zip(numbers[::2], numbers[1::2]):
        wanted += last - first + 1
        missing += [n for n in range(first, last + 1) if not seen[n]]
    twice = sum(1 for n in seen.values() if n > 1)
    print("%d wanted, %d missing, %d arrived, %d of them more than once" %
          (wanted, len(missing), len(seen), twice))
    if missing:
        sys.exit("missing: %s" % missing[:20])


if __name__ == "__main__":
    main()
