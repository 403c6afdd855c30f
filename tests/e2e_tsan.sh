#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Scenarios again with ThreadSanitizer: a race ends ringspan with another exit code than the 0 that they
# demand. The test programs are the other build's.
set -euo pipefail
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$tests/.."
export RINGSPAN_BUILD=${RINGSPAN_BUILD:-$PWD/build/dev}
log=$RINGSPAN_BUILD/tsan.log
(cmake --preset tsan && cmake --build --preset tsan --target ringspan) >"$log" 2>&1 || {
	tail -n 30 "$log" >&2
	exit 1
}
export RINGSPAN_BINARY=$PWD/build/tsan/user/ringspan
export TSAN_OPTIONS=suppressions=$tests/tsan.supp
for scenario in e2e_two_ends e2e_flows; do
	"$tests/$scenario.sh"
done
