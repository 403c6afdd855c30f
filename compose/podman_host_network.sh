#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# podman, as podman-compose before 1.0.4 needs it: that puts a service with "network_mode: host" on the
# networks of the others as well, which podman refuses. What follows --network host is left out.
arguments=()
has_host=
while [ $# -gt 0 ]; do
	case $1 in
	--network)
		[ "${2:-}" != host ] || has_host=1
		arguments+=("$1" "${2:-}") && shift
		;;
	--net | --network-alias) [ -z "$has_host" ] && arguments+=("$1" "${2:-}"); shift ;;
	*) arguments+=("$1") ;;
	esac
	shift
done
exec podman "${arguments[@]}"
