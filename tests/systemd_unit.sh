#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The unit as it is installed: systemd understands each line of it, finds it tight, and its list of
# system calls leaves out what nobody but an attacker would ask for.
set -euo pipefail
build=${RINGSPAN_BUILD:?names the build folder}
skip() { echo "skipped: $*" && exit 77; }
fail() { echo "FAILED: $*" >&2 && exit 1; }
command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed (package systemd)"
[ -x "$build/user/ringspan" ] || skip "ringspan is not built"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
DESTDIR=$dir/root cmake --install "$build" --prefix /opt/ringspan >"$dir/log" 2>&1 ||
	fail "cmake --install: $(tail -n 3 "$dir/log")"
installed=$dir/root/opt/ringspan/lib/systemd/system/ringspan@.service
grep -q '^ExecStart=/opt/ringspan/sbin/ringspan ' "$installed" || fail "the unit names another program"
! grep -n '@[A-Z_]*@' "$installed" || fail "something is not filled in"
sed "s|^ExecStart=/opt|ExecStart=$dir/root/opt|" "$installed" >"$dir/ringspan@eth0.service"
systemd-analyze verify --man=no "$dir/ringspan@eth0.service" >"$dir/log" 2>&1 || fail "$(cat "$dir/log")"
[ ! -s "$dir/log" ] || fail "systemd-analyze verify: $(cat "$dir/log")"
systemd-analyze security --no-pager --offline=yes --threshold=30 "$dir/ringspan@eth0.service" >"$dir/log" 2>&1 ||
	fail "exposed more than 3.0: $(tail -n 3 "$dir/log")"
tail -n 1 "$dir/log"

# another install leaves the administrator's settings alone
echo '# mine' >"$dir/root/etc/ringspan/ringspan.env"
DESTDIR=$dir/root cmake --install "$build" --prefix /opt/ringspan >"$dir/log" 2>&1 || fail "again: $(cat "$dir/log")"
[ "$(cat "$dir/root/etc/ringspan/ringspan.env")" = '# mine' ] || fail "the settings are overwritten"
