# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# packages - Debian 12 packages that building, showing and testing take; to be sourced.

packages_build=(gcc libc6-dev clang-14 llvm-14 bpftool cmake ninja-build pkg-config
	libbpf-dev libxdp-dev libelf-dev libnng-dev libmbedtls-dev nanopb libnanopb-dev
	protobuf-compiler python3-protobuf zlib1g-dev uuid-dev libcap-ng-dev)
packages_demo=(iproute2 iputils-ping python3-minimal python3)
packages_test=(libcmocka-dev libclang-rt-14-dev iproute2 iputils-ping ethtool tshark tcpdump tcpreplay
	iperf3 nftables python3-scapy curl procps kmod openssl python3 python3-protobuf python3-venv python3-pip python3-yaml util-linux
	libcap2-bin binutils valgrind)
packages_bench=(libcmocka-dev iproute2 ethtool tcpdump tcpreplay procps util-linux valgrind
	python3-matplotlib)
packages_vm=(qemu-system-x86 qemu-system-common busybox-static cpio xz-utils xdp-tools)

# Installs those of its arguments that are missing, saying which.
packages_install() {
	local missing=() package
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "==> installing ${#missing[@]} Debian packages: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# BPF maps are pinned in a bpffs; without one ringspan runs, too, but has no pin for others to read.
mount_bpffs() {
	grep -q ' /sys/fs/bpf bpf ' /proc/mounts || mount -t bpf bpf /sys/fs/bpf 2>/dev/null ||
		echo "==> no bpffs at /sys/fs/bpf, and none can be mounted here: going on without"
}
