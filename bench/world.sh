#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# world - the namespaces in which a bench on live traffic runs, and its end, however it ends: see world.py.
#
#   world.sh SCRIPT [OPTION…]     root; SCRIPT: live.py, start.py, …; RINGSPAN_BUILD: the build (default: release)
RINGSPAN_BUILD=${RINGSPAN_BUILD:-$(cd "$(dirname "$0")/.." && pwd)/build/release}
. "$(dirname "$0")/../tests/lib.sh"
begin "$@"
need setpriv taskset ethtool
script=$repo/bench/${1:?which script}
shift
[ -x "$build/bench/live_frames" ] || fail "$build/bench/live_frames is not built"

ns_add in out
ns_sysctl in net/ipv6/conf/default/disable_ipv6 1
ns_sysctl out net/ipv6/conf/default/disable_ipv6 1
setpriv --pdeathsig KILL -- "$py" "$script" --build "$build" --dir "$dir" "$@" &
started+=("$!")
status=0
wait "$!" || status=$?
exit "$status"
