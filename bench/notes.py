# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Why a row misses its target, or what limits it: shown beside it in bench/RESULTS.md and by run.sh, and only
where it is missed. One line each; the first pattern that fits the whole name of a row counts."""
import re

# (bench, pattern of the row, reason)
NOTES = []


def note_of(row):
    """"" where nothing is known."""
    for bench, pattern, text in NOTES:
        if bench == row["bench"] and re.fullmatch(pattern, row["row"]):
            return text
    return ""
