#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What became of numbered spans, for queue_compare.sh: queue_seen.py [--submitted] SINK OUT…

SINK is a folder of tests/otlp_sink.py, OUT what tests/queue_load or bench/queue_push printed. A span is
accepted when queue_load calls it safe (with --submitted: when it was submitted), or when queue_push got
a success for it. Prints NAME=COUNT words:

  offered   spans handed over
  accepted  of those: promised
  refused   of those: answered with an error, or not at all
  lost      accepted, and did not arrive
  unkept    offered, and did not arrive
  twice     arrived more than once
  altered   arrived with another content than was sent
  disorder  requests that arrived after one with higher numbers
"""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
import otlp_read  # noqa: E402

SPANS = 10


def promises(path, is_submitted_enough):
    """(offered, accepted) numbers of one output."""
    offered, accepted = set(), set()
    first = submitted = safe = None
    with open(path) as lines:
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in ("accepted", "refused", "unanswered"):
                number = int(rest.split()[0])
                offered.update(range(number, number + SPANS))
                if word == "accepted":
                    accepted.update(range(number, number + SPANS))
            elif word == "submitted":
                submitted = int(rest)
                first = submitted - SPANS + 1 if first is None else first
            elif word == "safe":
                safe = int(rest)
    if first is not None:
        offered.update(range(first, submitted + 1))
        last = submitted if is_submitted_enough else safe
        accepted.update(range(first, (last or 0) + 1))
    return offered, accepted


def is_as_sent(span):
    number = int(span.name)
    return (span.trace_id == b"\1" * 16 and span.span_id == number.to_bytes(8, "little")
            and span.start_time_unix_nano == span.end_time_unix_nano == number and span.kind == 1
            and not span.parent_span_id and not span.attributes and not span.status.code)


def number_of(span):
    return int(span.name) if span.name.isdecimal() and is_as_sent(span) else None


def main():
    words = sys.argv[1:]
    is_submitted_enough = words[0] == "--submitted"
    sink, outputs = words[is_submitted_enough], words[is_submitted_enough + 1:]
    offered, accepted = set(), set()
    for path in outputs:
        more = promises(path, is_submitted_enough)
        offered |= more[0]
        accepted |= more[1]
    seen, altered, disorder, highest = collections.Counter(), 0, 0, 0
    for request in otlp_read.bodies(sink, "traces"):
        numbers = []
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                is_ours = scope.scope.name == "queue_load"
                for span in scope.spans:
                    number = number_of(span) if is_ours else None
                    altered += number is None
                    numbers += [number] if number is not None else []
        seen.update(numbers)
        if numbers:
            disorder += min(numbers) < highest
            highest = max(highest, max(numbers))
    print("offered=%d accepted=%d refused=%d lost=%d unkept=%d twice=%d altered=%d disorder=%d" % (
        len(offered), len(accepted), len(offered - accepted), len(accepted - seen.keys()),
        len(offered - seen.keys()), sum(1 for n in seen.values() if n > 1), altered, disorder))


if __name__ == "__main__":
    main()
