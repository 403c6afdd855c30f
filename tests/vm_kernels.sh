#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Boots Debian's cloud kernel of a release in an emulated machine that runs on this host's files,
# and runs a script in it as root: vm_guest.sh, unless another is named. Its output and its exit
# code are this script's. No hardware virtualisation is needed; nothing of the host is written.
#
#   vm_kernels.sh 6.1|6.12 [SCRIPT]
#
# RINGSPAN_BUILD is the build folder that the script tests. Kernels are fetched by apt and kept in
# ${XDG_CACHE_HOME:-~/.cache}/ringspan-tests/kernels.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

release=${1:?usage: vm_kernels.sh 6.1|6.12 [SCRIPT]}
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script=$(realpath "${2:-$tests/vm_guest.sh}")
build=$(realpath -m "${RINGSPAN_BUILD:-${tests%/tests}/build/dev}")
kernels=${XDG_CACHE_HOME:-$HOME/.cache}/ringspan-tests/kernels
virtiofsd=/usr/lib/qemu/virtiofsd
deadline_s=${RINGSPAN_VM_DEADLINE:-240}

# The first two are for the machine, the others for the tests.
modules=(virtio_pci virtiofs veth 8021q sch_ingress cls_bpf act_bpf)
key=$(cksum <<<"${modules[*]}")
key=${key%% *}

skip() {
	echo "vm_kernels: skipped: $*"
	exit 77
}
fail() {
	echo "vm_kernels: FAILED: $*" >&2
	exit 1
}

dir=
started=()
cleanup() {
	local rc=$? pid
	trap - EXIT
	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null || :
	done
	[ -z "$dir" ] || rm -rf "$dir"
	exit "$rc"
}

need() { # COMMAND PACKAGE
	command -v "$1" >/dev/null || skip "$1 is missing (package $2)"
}

check_host() {
	[ "$(id -u)" = 0 ] || skip "needs root to share the host's files"
	[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64"
	need qemu-system-x86_64 qemu-system-x86
	need "$virtiofsd" qemu-system-common
	need /bin/busybox busybox-static
	need cpio cpio
	need xz xz-utils
	need modprobe kmod
	need setpriv util-linux
	need apt-get apt
	need dpkg-deb dpkg
}

# The package behind the meta-package, else the newest one by name.
kernel_package() {
	local pattern="linux-image-${release//./\\.}[.+~0-9a-z-]*-cloud-amd64(-unsigned)?" meta name
	for meta in "linux-image-$release-cloud-amd64" linux-image-cloud-amd64; do
		name=$(apt-cache depends "$meta" 2>/dev/null |
			sed -nE "s/^ *Depends: ($pattern)\$/\\1/p" | head -n 1) || :
		[ -z "$name" ] || break
	done
	[ -n "$name" ] || name=$(apt-cache pkgnames "linux-image-$release." 2>/dev/null |
		grep -xE "$pattern" | sort -V | tail -n 1 || :)
	echo "$name"
}

# Unpacks a kernel's image and modules, in the order in which they are loaded, into a new folder.
kernel_unpack() { # PACKAGE-FILE FOLDER
	local tree=$dir/tree version how path n=10
	mkdir -p "$tree" "$2/modules"
	dpkg-deb -x "$1" "$tree"
	version=$(ls "$tree/lib/modules")
	mv "$tree/boot/vmlinuz-$version" "$2/vmlinuz"
	depmod -b "$tree" "$version"
	modprobe -d "$tree" -S "$version" --show-depends -a "${modules[@]}" >"$dir/depends"
	while read -r how path _; do
		[ "$how" = insmod ] || continue
		[ -z "$(find "$2/modules" -name "[0-9]*-$(basename "${path%.xz}")")" ] || continue
		case $path in
		*.xz) xz -dc "$path" ;;
		*) cat "$path" ;;
		esac >"$2/modules/$n-$(basename "${path%.xz}")"
		n=$((n + 1))
	done <"$dir/depends"
	rm -rf "$tree"
}

# Sets $kernel to a folder with a kernel of the release: the newest that apt offers, or one kept.
kernel_get() {
	local package version kept
	package=$(kernel_package)
	version=$(apt-cache show --no-all-versions "${package:-none}" 2>/dev/null |
		sed -n 's/^Version: //p' | head -n 1)
	kernel=$kernels/${package}_${version}_$key
	[ -z "$version" ] || [ ! -e "$kernel/vmlinuz" ] || return 0
	if [ -n "$version" ] && (cd "$dir" && apt-get download "$package=$version") >"$dir/apt" 2>&1; then
		kernel_unpack "$dir"/linux-image-*.deb "$dir/kernel"
		mkdir -p "$kernels"
		mv -T "$dir/kernel" "$kernel" 2>/dev/null || [ -e "$kernel/vmlinuz" ] ||
			fail "cannot keep $kernel"
		return 0
	fi
	kept=$(ls -d "$kernels/linux-image-$release."*"_$key" 2>/dev/null | sort -V | tail -n 1)
	[ -n "$kept" ] || skip "no kernel: ${package:-apt offers no linux-image-$release…-cloud-amd64}" \
		"$(tail -n 1 "$dir/apt" 2>/dev/null || :)"
	kernel=$kept
}

initramfs_make() {
	local root=$dir/initramfs
	mkdir -p "$root/bin" "$root/vm"
	cp /bin/busybox "$root/bin/busybox"
	cp "$tests/vm_init.sh" "$root/init"
	chmod 755 "$root/init"
	cp -r "$kernel/modules" "$root/modules"
	printf '%s\n' "$build" "${tests%/tests}" "$(dirname "$script")" | sort -u >"$root/vm/keep"
	echo "$build" >"$root/vm/build"
	echo "$script" >"$root/vm/script"
	(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$dir/initrd"
}

# spawn COMMAND…: in the background, and never longer than this script lives.
spawn() {
	setpriv --pdeathsig KILL -- "$@" &
	started+=("$!")
}

# The C virtiofsd knows two sandboxes; inside some containers only one of them can be made.
share_files() {
	local sandbox end pid
	for sandbox in chroot namespace; do
		rm -f "$dir/fs.sock"
		spawn "$virtiofsd" --socket-path="$dir/fs.sock" -o source=/ -o cache=always \
			-o sandbox="$sandbox" >"$dir/virtiofsd" 2>&1 </dev/null
		pid=$!
		end=$((SECONDS + 10))
		while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -le "$end" ]; do
			[ ! -S "$dir/fs.sock" ] || return 0
			read -rt 0.05 <> <(:) || :
		done
		kill -KILL "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || : # it holds a lock while it lives
	done
	skip "virtiofsd cannot share /: $(tail -n 1 "$dir/virtiofsd")"
}

# no_timer_check: a busy host fails that test of the kernel's, which then panics. The other words
# leave out what costs time and proves nothing here.
machine_run() {
	spawn timeout -k 5 "$deadline_s" setpriv --pdeathsig KILL -- \
		qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-M pc -accel "tcg,thread=$threads" -cpu max -smp 2 -m 1G \
		-object memory-backend-memfd,id=mem,size=1G,share=on -numa node,memdev=mem \
		-chardev "socket,id=fs,path=$dir/fs.sock" -device vhost-user-fs-pci,chardev=fs,tag=host \
		-device virtio-rng-pci -serial "file:$dir/console" -serial "file:$dir/output" \
		-kernel "$kernel/vmlinuz" -initrd "$dir/initrd" -append "console=ttyS0 loglevel=4 \
panic=-1 no_timer_check no5lvl mitigations=off init_on_alloc=0" >"$dir/qemu" 2>&1 </dev/null
	wait "$!"
}

check_host
trap cleanup EXIT
trap 'exit 130' INT TERM
dir=$(mktemp -d "${TMPDIR:-/tmp}/ringspan-vm.XXXXXX")
kernel_get
initramfs_make

threads=multi

# One run; its exit code, or nothing if the machine ended before it, in $code.
run_once() {
	local start=$EPOCHREALTIME
	share_files
	rc=0
	machine_run || rc=$?
	echo "vm_kernels: ${kernel##*/} took $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms"
	touch "$dir/output" "$dir/console"
	code=$(sed -n 's/^vm: exit \([0-9]*\)$/\1/p' "$dir/output")
}

# The emulator's processors see patched code at different times, and a kernel that patches the jump into
# an XDP program while packets take it dies of its own breakpoint then. Verified BPF programs cannot do
# that; it is tried once more with processors that take turns, which is slower.
died_of_patching() {
	[ -z "$code" ] && grep -q 'Kernel panic' "$dir/console" && grep -q 'RIP:.*bpf_dispatcher_xdp' "$dir/console"
}

run_once
if died_of_patching; then
	echo "vm_kernels: the emulated machine died of patching its code; once more"
	rm -f "$dir/output" "$dir/console"
	threads=single
	run_once
fi
sed '/^vm: exit [0-9]*$/d' "$dir/output"
if [ -z "$code" ]; then
	cat "$dir/qemu" >&2
	tail -n 30 "$dir/console" >&2
	[ "$rc" != 124 ] || fail "not done within $deadline_s s"
	fail "the machine ended early (qemu: $rc)"
fi
exit "$code"
