#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs the fuzz targets with libFuzzer, each for a while, from the committed seeds on.
set -euo pipefail

usage() {
	cat <<'U'
Usage: tests/fuzz.sh [--seconds N] [TARGET...]

Builds with clang in build/fuzz (ASan, UBSan) and runs each TARGET (default: all) for N seconds
(default: 60). What it learns stays in build/fuzz/corpus; an input that fails is kept in
build/fuzz/crashes, and is fed again with build/fuzz/tests/TARGET FILE.

As a test it runs only in the long mode (RINGSPAN_LONG_TESTS=1); with a TARGET always.
U
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$repo/build/fuzz
seconds=60
targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--seconds) seconds=${2:?--seconds wants a number} && shift 2 ;;
	--help | -h) usage && exit 0 ;;
	-*) echo "tests/fuzz.sh: there is no option $1; --help says which there are" >&2 && exit 64 ;;
	*) targets+=("$1") && shift ;;
	esac
done
all=(fuzz_answer fuzz_chunked fuzz_control fuzz_env fuzz_filter fuzz_head fuzz_pull fuzz_tenants fuzz_traceparent fuzz_url fuzz_wal)
for target in "${targets[@]}"; do
	[[ " ${all[*]} " == *" $target "* ]] || {
		echo "tests/fuzz.sh: there is no target $target, but ${all[*]}" >&2
		exit 64
	}
done

if [ ${#targets[@]} = 0 ]; then
	[ -z "${RINGSPAN_BUILD:-}" ] || [ "${RINGSPAN_LONG_TESTS:-}" = 1 ] || {
		echo "skipped: fuzzing takes minutes; RINGSPAN_LONG_TESTS=1 runs it"
		exit 77
	}
	targets=("${all[@]}")
fi
clang=$(command -v clang-14 || command -v clang) || {
	echo "skipped: no clang (apt install clang-14)"
	exit 77
}
ls "$("$clang" --print-resource-dir)"/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 || {
	echo "skipped: $clang has no libFuzzer (apt install libclang-rt-14-dev)"
	exit 77
}

mkdir -p "$build" && cd "$repo"
{
	cmake -G Ninja -S . -B "$build" -DCMAKE_C_COMPILER="$clang" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DRINGSPAN_FUZZ=ON -DRINGSPAN_SANITIZE=fuzzer-no-link,address,undefined &&
		cmake --build "$build" --target "${targets[@]}"
} >"$build/build.log" 2>&1 || {
	tail -n 40 "$build/build.log" >&2
	echo "tests/fuzz.sh: the build failed" >&2
	exit 1
}

mkdir -p "$build/crashes"
bad=0
for target in "${targets[@]}"; do
	corpus=$build/corpus/$target log=$build/$target.log
	mkdir -p "$corpus"
	# what a target says itself is not shown: libFuzzer keeps a stderr of its own
	if "$build/tests/$target" -max_total_time="$seconds" -timeout=10 -max_len=4096 \
		-close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$build/crashes/$target-" \
		"$corpus" "tests/seeds/$target" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "$target: clean, $runs inputs in $seconds s"
	else
		bad=1
		grep -v '^#' "$log" | tail -n 40 >&2
		echo "$target: failed, see above and $build/crashes" >&2
	fi
done
exit "$bad"
