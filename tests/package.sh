#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The packages that cpack makes of this build: what is in them, where, what they depend on; the manual
# says what --help says. With root, the Debian one is installed, updated and removed in an overlay of this host.
set -euo pipefail
build=${RINGSPAN_BUILD:?names the build folder}
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "skipped: $*" && exit 77; }
fail() { echo "FAILED: $*" >&2 && exit 1; }
for tool in cpack dpkg-deb dpkg-shlibdeps man; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done
[ -x "$build/user/ringspan" ] || skip "ringspan is not built"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export ASAN_OPTIONS=detect_leaks=0

pack() { # GENERATOR
	(cd "$dir" && cpack --config "$build/CPackConfig.cmake" -G "$1" -B "$dir/$1") >"$dir/log" 2>&1 ||
		fail "cpack -G $1: $(tail -n 5 "$dir/log")"
}

files='/etc/ringspan/ringspan.env
/usr/lib/systemd/system/ringspan@.service
/usr/lib/sysusers.d/ringspan.conf
/usr/sbin/ringspan
/usr/share/doc/ringspan/INSTALL.md
/usr/share/doc/ringspan/README.md
/usr/share/doc/ringspan/copyright
/usr/share/man/man8/ringspan.8.gz'
has_files() { # PACKAGE: its list is on standard input
	local list path
	list=$(cat)
	for path in $files; do
		grep -qx "$path" <<<"$list" || fail "$1 lacks $path"
	done
	! grep -q '^/usr/local\|^/opt\|^/tmp' <<<"$list" || fail "$1 has files in odd places"
}

pack DEB
deb=$(echo "$dir"/DEB/*.deb)
dpkg-deb -c "$deb" | awk '{ print substr($6, 2) }' | has_files deb
for field in Package:ringspan Section:net "Architecture:$(dpkg --print-architecture)"; do
	[ "$(dpkg-deb -f "$deb" "${field%:*}")" = "${field#*:}" ] || fail "deb: ${field%:*} is not ${field#*:}"
done
for library in libbpf1 libxdp1 libnng1 libc6; do
	dpkg-deb -f "$deb" Depends | grep -q "$library" || fail "deb: does not depend on $library"
done
dpkg-deb -e "$deb" "$dir/control"
[ "$(cat "$dir/control/conffiles")" = /etc/ringspan/ringspan.env ] || fail "deb: conffiles"
for script in postinst prerm postrm; do sh -n "$dir/control/$script" || fail "deb: $script"; done
dpkg-deb -x "$deb" "$dir/root"
"$dir/root/usr/sbin/ringspan" --version | grep -q "^ringspan $(dpkg-deb -f "$deb" Version) " ||
	fail "deb: another version than its program"
grep -q '^ExecStart=/usr/sbin/ringspan ' "$dir/root/usr/lib/systemd/system/ringspan@.service" || fail "deb: the unit's program"
if command -v lintian >/dev/null; then
	# no mail address is known; a build with sanitizers is not for packages
	lintian --allow-root --fail-on error --suppress-tags \
		bogus-mail-host,bogus-mail-host-in-debian-changelog "$deb" >"$dir/log" 2>/dev/null ||
		fail "lintian: $(grep '^E' "$dir/log")"
fi
echo "deb: ${deb##*/}, as it should be"

# Inside: in $dir/host, which dpkg may change.
install_and_remove() {
	has() { chroot "$dir/host" sh -c "$1" >/dev/null 2>&1 || fail "$2"; }
	apply() { chroot "$dir/host" dpkg "$@" >"$dir/log" 2>&1 || fail "dpkg $*: $(tail -n 5 "$dir/log")"; }
	mount -t tmpfs tmpfs "$dir/over"
	mkdir "$dir/over/upper" "$dir/over/work"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/over/upper,workdir=$dir/over/work" "$dir/host"
	mount -t tmpfs tmpfs "$dir/host/run"
	mount -t tmpfs tmpfs "$dir/host/tmp"
	mount --bind /proc "$dir/host/proc"
	mount --bind /dev "$dir/host/dev"
	cp "$deb" "$dir/host/tmp/ringspan.deb"
	apply -i /tmp/ringspan.deb
	has 'ASAN_OPTIONS=detect_leaks=0 ringspan --version' "the installed program does not run"
	has 'getent passwd ringspan' "no user was made"
	echo '# mine' >>"$dir/host/etc/ringspan/ringspan.env"
	mkdir -p "$dir/host/var/lib/ringspan/eth0"
	apply -i /tmp/ringspan.deb
	has 'grep -q "# mine" /etc/ringspan/ringspan.env' "an update overwrote the settings"
	apply -r ringspan
	has '! test -e /usr/sbin/ringspan && test -e /etc/ringspan/ringspan.env && test -d /var/lib/ringspan' \
		"a removal leaves the program, or takes settings or what waits to be sent"
	apply -P ringspan
	has '! test -e /etc/ringspan && ! test -e /var/lib/ringspan' "a purge leaves something"
}
if [ "$(id -u)" = 0 ]; then
	mkdir "$dir/over" "$dir/host"
	export -f install_and_remove fail
	export dir deb
	unshare --mount --propagation private bash -euc install_and_remove
	echo "deb: installed, updated, removed and purged"
fi

# each line of --help is in the manual, as it stands
MANWIDTH=200 LC_ALL=C man -l "$dir/root/usr/share/man/man8/ringspan.8.gz" | col -bx | sed 's/^ *//' >"$dir/manual"
for command in '' 'queue ls' 'queue send' ctl tail; do
	# shellcheck disable=SC2086
	"$build/user/ringspan" $command --help | sed 's/^ *//' >"$dir/help"
	! grep -vxFf "$dir/manual" "$dir/help" || fail "the manual lacks these lines of $command --help"
done
[ -z "$(LC_ALL=C man --warnings=w -l "$dir/root/usr/share/man/man8/ringspan.8.gz" 2>&1 >/dev/null)" ] ||
	fail "man has warnings"

# what the documentation quotes, ringspan says
sed -n '/^| `/s/^| `\([^`]*\)`.*/\1/p' "$here/../compose/INSTALL.md" >"$dir/quotes"
[ -s "$dir/quotes" ] || fail "INSTALL.md quotes nothing"
cat "$here"/../user/*.c "$here"/../otlp/*.c | tr '\n' ' ' | sed 's/"[[:space:]]*"//g' >"$dir/sources"
while IFS= read -r quote; do
	while IFS= read -r part; do
		[ -z "$part" ] || grep -qF -- "$part" "$dir/sources" || fail "ringspan never says: $part"
	done < <(sed 's/ *… */\n/g' <<<"$quote")
done <"$dir/quotes"

command -v rpm >/dev/null && command -v rpmbuild >/dev/null || {
	echo "no RPM: rpmbuild is not installed (package rpm)"
	exit 0
}
pack RPM
rpm=$(echo "$dir"/RPM/*.rpm)
rpm -qlp "$rpm" 2>/dev/null | has_files rpm
[ "$(rpm -qcp "$rpm")" = /etc/ringspan/ringspan.env ] || fail "rpm: configuration files"
rpm -qp --requires "$rpm" | grep -q '^libbpf.so.1' || fail "rpm: does not require libbpf"
[ "$(rpm -qp --qf '%{LICENSE}' "$rpm")" = "GPL-2.0-only OR BSD-2-Clause" ] || fail "rpm: licence"
echo "rpm: ${rpm##*/}, as it should be"
