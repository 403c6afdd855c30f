#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Builds ringspan with sanitizers and runs its tests.
set -euo pipefail

usage() {
	cat <<'U'
Usage: sudo tests/run.sh [--label LABEL] [--no-vm] [--long] [--servers] [CTEST OPTION...]

Installs what is missing (Debian 12), builds the dev preset (AddressSanitizer, UBSan, warnings are
errors) and runs every test through CTest, whose summary comes last and whose exit code is this one's.

  --label LABEL   only tests of this kind: unit, kern, e2e, interop, vm, fuzz, bench-guard
  --no-vm         leave out the tests on other kernels, which take an emulator (a package of 100 MB)
  --long          soaks, too: minutes more
  --servers       build other people's servers first, once, which takes Go and about a quarter of an
                  hour (RINGSPAN_BUILD_SERVERS=1 does so, too); tests with those not built are skipped
  --help          this text

Further options go to ctest, for example -R test_encode.
U
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repo/compose/packages.sh"
export PATH=$PATH:/usr/sbin:/sbin

ctest_options=()
has_vm=1
while [ $# -gt 0 ]; do
	case $1 in
	--label) ctest_options+=(-L "^${2:?--label wants a name}\$") && shift 2 ;;
	--no-vm) has_vm= && ctest_options+=(-LE '^vm$') && shift ;;
	--long) export RINGSPAN_LONG_TESTS=1 && shift ;;
	--servers) export RINGSPAN_BUILD_SERVERS=1 && shift ;;
	--help | -h) usage && exit 0 ;;
	*) ctest_options+=("$1") && shift ;;
	esac
done
[ "$(id -u)" = 0 ] || {
	echo "tests/run.sh: needs root, for network namespaces and BPF: sudo tests/run.sh" >&2
	exit 1
}

cd "$repo"
packages_install "${packages_build[@]}" "${packages_demo[@]}" "${packages_test[@]}" \
	${has_vm:+"${packages_vm[@]}"}
mount_bpffs
echo "==> building in build/dev, with sanitizers"
mkdir -p build
(cmake --preset dev && cmake --build --preset dev) >build/dev.log 2>&1 || {
	tail -n 50 build/dev.log >&2
	echo "tests/run.sh: the build failed" >&2
	exit 1
}
if [ "${RINGSPAN_BUILD_SERVERS:-}" = 1 ]; then
	echo "==> building other people's servers, unless they are built already"
	tests/interop/build.sh || [ $? = 77 ]
fi
echo "==> testing"
exec ctest --preset dev -j "$(nproc)" "${ctest_options[@]}"
