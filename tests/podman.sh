# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# podman - containers for tests, apart from the user's: storage, volumes, networks and names of their own
# in the test's folder, in a process namespace that takes all of them along when the test ends or is
# killed. To be sourced after lib.sh.

# podman_isolate [--net] "$@" of the script, before begin; with --net, a network namespace of its own, so
# that no port of the host is taken.
podman_isolate() {
	local net=
	[ "${1:-}" != --net ] || { net=--net && shift; }
	[ -z "${RINGSPAN_PODMAN_ISOLATED:-}" ] || return 0
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v podman >/dev/null || skip "podman is not installed (apt install podman runc podman-compose)"
	RINGSPAN_PODMAN_ISOLATED=1 exec unshare --mount --propagation private --pid --fork --kill-child \
		--mount-proc $net -- "$0" "$@"
}

# What containers have mounted goes first, deepest first.
podman_cleanup() {
	local rc=$? mounted
	trap - EXIT INT TERM
	set +e
	podman rm -af -t 0 >/dev/null 2>&1
	awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do
		umount -l "$mounted" 2>/dev/null
	done
	(exit "$rc")
	cleanup
}

podman_begin() { # after begin
	local runtime=
	trap podman_cleanup EXIT
	! command -v runc >/dev/null || runtime='runtime = "runc"'
	cat >"$dir/containers.conf" <<C
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:1024"]
[engine]
$runtime
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
static_dir = "$dir/libpod"
tmp_dir = "$dir/libpod-tmp"
volume_path = "$dir/volumes"
[network]
network_backend = "netavark"
network_config_dir = "$dir/networks"
C
	cat >"$dir/storage.conf" <<C
[storage]
driver = "overlay"
graphroot = "$dir/storage"
runroot = "$dir/storage-run"
C
	export CONTAINERS_CONF=$dir/containers.conf CONTAINERS_STORAGE_CONF=$dir/storage.conf
	mkdir -p "$dir/networks"
	podman info >"$dir/podman.log" 2>&1 || skip "podman does not work here: $(tail -n 1 "$dir/podman.log")"
}

outer_podman() { env -u CONTAINERS_CONF -u CONTAINERS_STORAGE_CONF podman "$@"; }

# A Debian image under the name that the Containerfile gives: the user's if there is one, else a system
# made by debootstrap, kept in the cache, with this host's way to its packages.
podman_debian() { # IMAGE
	local cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringspan-tests mirror=() root
	if outer_podman image exists "$1" 2>/dev/null; then
		outer_podman save "$1" 2>"$dir/save.log" | podman load -q >"$dir/load.log" 2>&1 ||
			fail "copying $1: $(cat "$dir/save.log" "$dir/load.log")"
		return
	fi
	if [ ! -s "$cache/debian.tar" ]; then
		need debootstrap
		mapfile -t mirror < <(sed -nE 's#^(deb |URIs: *)(\[[^]]*\] )?(https?://[^ ]*/debian)/?( .*)?$#\3#p' \
			/etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
		mkdir -p "$cache"
		root=$dir/debian
		debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "${mirror[@]}" \
			>"$dir/debootstrap.log" 2>&1 || skip "debootstrap: $(tail -n 1 "$dir/debootstrap.log")"
		tar -C "$root" -cf "$cache/debian.tar.$$" .
		mv "$cache/debian.tar.$$" "$cache/debian.tar"
	fi
	mkdir -p "$dir/image"
	ln "$cache/debian.tar" "$dir/image/" 2>/dev/null || cp "$cache/debian.tar" "$dir/image/"
	# 2>/dev/null: not every host has each of them
	tar -C / -chf "$dir/image/host.tar" etc/ssl/certs/ca-certificates.crt etc/apt/sources.list.d \
		etc/apt/apt.conf.d 2>/dev/null || :
	printf 'FROM scratch\nADD debian.tar /\nADD host.tar /\n' >"$dir/image/Containerfile"
	podman build -q -t "$1" "$dir/image" >"$dir/image.log" 2>&1 || fail "$(tail -n 3 "$dir/image.log")"
}
