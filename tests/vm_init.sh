#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The first process of a test machine: the host's root file system, read-only, with a tmpfs wherever
# something is written, and the test in it. Its output goes to the second serial port, so that the
# kernel's words cannot fall into it. vm_kernels.sh puts what is to be seen and run
# into /vm, and reads the last line.
export PATH=/bin
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /host /root
mount -t proc proc /proc
mount -t devtmpfs dev /dev

end() { # EXIT-CODE
	echo "vm: exit $1" >/dev/ttyS1
	reboot -f # qemu runs with -no-reboot
}
die() {
	echo "vm: $*" >/dev/ttyS1
	end 70
}

stty -F /dev/ttyS1 raw
exec </dev/null
echo "vm: kernel $(uname -r) up after $(cut -d' ' -f1 /proc/uptime) s" >/dev/ttyS1
for module in /modules/*; do
	insmod "$module" || die "cannot load ${module#/modules/}"
done
# Old sanitizer runtimes lose their way in a wider address space.
echo 28 >/proc/sys/vm/mmap_rnd_bits

mount -t virtiofs -o ro host /host || die "cannot mount the host's files"
mount -o bind /host /root
for where in /tmp /run /var/tmp; do
	[ ! -d "/root$where" ] || mount -t tmpfs tmpfs "/root$where"
done
mount -t proc proc /root/proc
mount -t sysfs sys /root/sys
mount -t bpf bpf /root/sys/fs/bpf
mount -t devtmpfs dev /root/dev
ln -s /proc/self/fd /root/dev/fd
mkdir -p /root/dev/shm
mount -t tmpfs tmpfs /root/dev/shm
while read -r path; do # parents first; a tmpfs may lie over them
	mkdir -p "/root$path"
	mount -o bind "/host$path" "/root$path"
done </vm/keep

chroot /root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
	RINGSPAN_BUILD="$(cat /vm/build)" /bin/bash "$(cat /vm/script)" >/dev/ttyS1 2>&1
end $?
