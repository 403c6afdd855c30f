#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The unit under a real systemd: the first process of namespaces of its own, on this host's files with an
# overlay above them, where ringspan is installed. Started, watched, stopped, hung, without its interface.
. "$(dirname "$0")/lib.sh"

# ---- inside: what systemd runs; $dir is $1 ----

property() { systemctl show -p "$1" --value "ringspan@${2:-va}"; } # NAME [INSTANCE]
property_is() { [ "$(property "$1")" = "$2" ]; }
restarted() { [ "$(property NRestarts)" -ge "$1" ] && property_is ActiveState active; }
status_field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property MainPID)/status"; }

programs_of() { awk '$1 == "prog_id:" { print $2 }' "/proc/$1"/fdinfo/* | sort -u; } # PID
programs_are_gone() { # ID…
	local id
	for id in "$@"; do
		! bpftool prog show id "$id" >/dev/null 2>&1 || return 1
	done
}

links_make() {
	ip link add va type veth peer name vb
	ip addr add 10.77.1.1/24 dev va # a host without any does not look for 127.0.0.1
	ip link set va up
	ip link set vb up
}

start() { # INSTANCE
	systemctl start "ringspan@$1" || fail "systemctl start ringspan@$1: $(systemctl status --no-pager "ringspan@$1"; tail -n 5 "$dir/service.log")"
}

# As what it runs, and with what; capabilities as in linux/capability.h: 12 NET_ADMIN, 38 PERFMON, 39 BPF.
is_confined() {
	local pid field
	pid=$(property MainPID)
	[ "$(stat -c %U "/proc/$pid")" = ringspan ] || fail "runs as $(stat -c %U "/proc/$pid")"
	for field in CapEff:0000008000000000 CapPrm:0000008000001000 CapInh:0000000000000000 \
		CapAmb:0000000000000000 NoNewPrivs:1 Seccomp:2; do
		[ "$(status_field "${field%:*}")" = "${field#*:}" ] ||
			fail "${field%:*} is $(status_field "${field%:*}"), not ${field#*:}"
	done
	nsenter --target "$pid" --mount -- sh -c 'for file in /etc/x /usr/x /var/x /sys/fs/x; do
		! touch $file 2>/dev/null || echo "$file can be made"
	done
	[ -z "$(ls -A /root /home 2>/dev/null | grep -v "^/\|^$")" ] || echo "homes are seen"
	[ "$(ls /sys/fs/bpf)" = ringspan ] || echo "in the bpffs is seen $(ls /sys/fs/bpf)"' >"$dir/reach"
	[ ! -s "$dir/reach" ] || fail "the files of the host are not out of reach: $(cat "$dir/reach")"
}

# Takes everything, and says with which headers it came.
receiver() {
	"$py" -u - <<-P
		from http.server import BaseHTTPRequestHandler, HTTPServer

		class Handler(BaseHTTPRequestHandler):
		    def do_POST(self):
		        self.rfile.read(int(self.headers["Content-Length"]))
		        print(self.path, self.headers.get("x-secret"))
		        self.send_response(200)
		        self.send_header("Content-Type", "application/x-protobuf")
		        self.send_header("Content-Length", "0")
		        self.end_headers()

		server = HTTPServer(("127.0.0.1", 0), Handler)
		print("http://127.0.0.1:%d" % server.server_port)
		server.serve_forever()
	P
}

inside() {
	local ids
	trap 'echo "$?" >"$dir/code"' EXIT
	mkdir -p /run/systemd/system/ringspan@.service.d
	cat >/run/systemd/system/ringspan@.service.d/test.conf <<-U
		[Service]
		WatchdogSec=2s
		RestartSec=300ms
		StandardOutput=append:$dir/service.log
		StandardError=append:$dir/service.log
	U
	systemctl daemon-reload
	ip link set lo up
	links_make
	receiver >"$dir/receiver.out" 2>"$dir/receiver.err" &
	wait_for 20 "the receiver listens" grep -qs '^http:' "$dir/receiver.out"
	install -m 600 /dev/null /etc/ringspan/otlp-headers
	echo 'x-secret=hush' >/etc/ringspan/otlp-headers
	# LeakSanitizer wants ptrace
	cat >>/etc/ringspan/ringspan.env <<-E
		OTEL_EXPORTER_OTLP_ENDPOINT=$(head -n 1 "$dir/receiver.out")
		ASAN_OPTIONS=detect_leaks=0
		RINGSPAN_OPTIONS=--interval 1 --shutdown-timeout 2
	E
	echo 'RINGSPAN_OPTIONS=--interval 1 --queue-dir /var/lib/ringspan/va' >/etc/ringspan/va.env

	start va
	property_is ActiveState active || fail "is $(property ActiveState) after the start"
	property_is WatchdogUSec 2s || fail "WatchdogUSec is $(property WatchdogUSec)"
	is_confined
	[ -e /sys/fs/bpf/ringspan/xdp_stats_map ] || fail "no pin"
	bpftool map dump pinned /sys/fs/bpf/ringspan/xdp_stats_map >/dev/null || fail "the pin is no map"
	ringspan ctl status >"$dir/status" || fail "root cannot ask it"
	wait_for 20 "metrics with the credential arrive" grep -qs '/v1/metrics hush' "$dir/receiver.out"
	[ -e /var/lib/ringspan/va ] || fail "no queue on disk"
	! grep -E 'warning|error|hush' "$dir/service.log" || fail "it complains"
	! systemctl show ringspan@va | grep hush || fail "the secret is shown"
	say "runs as its user with CAP_BPF in force, sends, is asked, has its pin and its queue"

	start vb
	ringspan ctl --control /run/ringspan/ctl-vb.sock status >/dev/null || fail "the second instance cannot be asked"
	[ "$(find /sys/fs/bpf/ringspan -name 'xdp_stats_map*' | wc -l)" = 2 ] || fail "not two pins"
	systemctl stop ringspan@vb
	[ "$(property ExecMainStatus vb)" = 0 ] || fail "vb ended with $(property ExecMainStatus vb)"
	ringspan ctl --control /run/ringspan/ctl-va.sock status >/dev/null || fail "the end of one instance took the other's socket"
	say "two instances live side by side"

	# three of its intervals long it is content
	! tries_until 6 restarted 1 || fail "the watchdog bit a ringspan that lives"
	kill -STOP "$(property MainPID)"
	wait_for 60 "a ringspan that hangs is started again" restarted 1
	say "the watchdog leaves a living one alone, a stopped one is started again"

	ip link del va
	wait_for 30 "without its interface it ends" grep -q 'no interface va here' "$dir/service.log"
	links_make
	wait_for 30 "it comes back with the interface" property_is ActiveState active
	say "an interface that vanishes is waited for"

	mapfile -t ids < <(programs_of "$(property MainPID)")
	[ "${#ids[@]}" -ge 2 ] || fail "only ${#ids[@]} programs are loaded"
	systemctl stop ringspan@va || fail "systemctl stop: $?"
	property_is Result success || fail "the stop's result is $(property Result)"
	property_is ExecMainStatus 0 || fail "it ended with $(property ExecMainStatus)"
	[ "$(grep '^ledger: ' "$dir/service.log" | tail -n 1)" = 'ledger: closed' ] || fail "no closed ledger"
	wait_for 20 "its programs are gone" programs_are_gone "${ids[@]}"
	[ -z "$(ls -A /sys/fs/bpf/ringspan /run/ringspan | grep -v '^/\|^$')" ] || fail "something is left"

	echo 'RINGSPAN_OPTIONS=--sample 0/5' >/etc/ringspan/va.env
	! systemctl start ringspan@va 2>/dev/null || fail "it starts with a wrong option"
	property_is ExecMainStatus 64 || fail "a wrong option is $(property ExecMainStatus)"
	property_is ActiveState failed || fail "a wrong option is tried again: $(property ActiveState)"
	say "stops clean; a wrong option is not tried again"
}

if [ "${1:-}" = --inside ]; then
	dir=$2
	inside
	exit
fi

# ---- outside ----

# What a machine has under a first process; nothing of the host is written but $dir.
root_make() { # ROOT UPPER
	local root=$1 where device
	mkdir -p "$2/upper" "$2/work" "$root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" "$root" ||
		skip "no overlay file system here"
	for where in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$where"; done
	chmod 1777 "$root/tmp"
	mkdir -p "$root/dev/shm" "$root/dev/pts" "$root/run/systemd/system" "$root$dir" "$root$repo" "$root$build"
	mount -t tmpfs tmpfs "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	for device in null zero full random urandom tty; do
		touch "$root/dev/$device"
		mount --bind "/dev/$device" "$root/dev/$device"
	done
	: >"$dir/console.err" >"$root/dev/kmsg"
	mount --bind "$dir/console.err" "$root/dev/kmsg" # what systemd says
	ln -s /proc/self/fd "$root/dev/fd"
	# these may be below one of the above
	for where in "$repo" "$build" "$dir"; do mount --bind "$where" "$root$where"; done
}

begin "$@"
systemd=/lib/systemd/systemd
[ -x "$systemd" ] || skip "systemd is not installed"
need systemctl systemd-sysusers cmake chroot

cleanup_mounts() { # all at once: they lie in each other
	local rc=$?
	set +e
	umount -R -l "$dir/over" 2>/dev/null
	(exit "$rc")
	cleanup
}
trap cleanup_mounts EXIT
mkdir "$dir/over"
mount -t tmpfs tmpfs "$dir/over"
root=$dir/over/root
root_make "$root" "$dir/over"
DESTDIR=$root cmake --install "$build" --prefix /usr >"$dir/install.log" 2>&1 ||
	fail "cmake --install: $(tail -n 3 "$dir/install.log")"
chroot "$root" systemd-sysusers ringspan.conf 2>"$dir/sysusers.err" || fail "$(cat "$dir/sysusers.err")"
cat >"$root/run/systemd/system/test.target" <<U
[Unit]
Requires=test.service
U
cat >"$root/run/systemd/system/test.service" <<U
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=$tests/e2e_systemd.sh --inside $dir
Environment=RINGSPAN_BUILD=$build
StandardOutput=append:$dir/inside.out
StandardError=append:$dir/inside.err
U
cat >"$dir/boot" <<'B'
root=$1
mount -t proc proc "$root/proc" && mount -t sysfs sysfs "$root/sys" &&
	mount -t bpf -o mode=700 bpf "$root/sys/fs/bpf" && mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" || exit 77
mkdir "$root/old" && cd "$root" && pivot_root . old && umount -l old && rmdir old && mount --make-rshared / || exit 77
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
	/lib/systemd/systemd --unit=test.target --log-target=kmsg --show-status=no
B
ns_add host
: >"$dir/inside.out"
spawn systemd host unshare --mount --pid --fork --uts --ipc --cgroup --kill-child --propagation private \
	sh "$dir/boot" "$root"
systemd_ended() { [ -s "$dir/code" ] || is_gone "${pid_of[systemd]}"; }
tries_until 150 systemd_ended || :
cat "$dir/inside.out"
[ -e "$dir/inside.err" ] || skip "systemd does not start here: $(tail -n 3 "$dir/systemd.err" "$dir/systemd.out" | xargs)"
cp "$dir/service.log" "$dir/service.err" 2>/dev/null || :
[ "$(cat "$dir/code" 2>/dev/null)" = 0 ] || fail "inside: $(tail -n 5 "$dir/inside.err")"
