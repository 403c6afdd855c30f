# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers ringspan.conf || :
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	# $1 is how many of this package there are now
	[ "$1" -lt 2 ] || systemctl try-restart 'ringspan@*.service' || :
fi
