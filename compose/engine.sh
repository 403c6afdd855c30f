# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# engine - podman or docker, and which compose goes with it; to be sourced by up.sh and down.sh, which
# have `program` set to their name.
#
# Sets engine (podman or docker), compose (an array, the command with project and file) and project.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=${COMPOSE_PROJECT_NAME:-ringspan}
export COMPOSE_PROJECT_NAME=$project PATH=$PATH:/usr/sbin:/sbin

# One line: what was tried, why it failed, what to do.
die() { # MESSAGE
	echo "$program: $*" >&2
	exit 1
}

usage_error() { # MESSAGE
	echo "$program: $*; see compose/$program --help" >&2
	exit 64
}

# $(…) waits for whoever holds the pipe, so no more than this long.
ask_engine() { timeout 20 "$engine" "$@"; }

engine_find() { # podman, docker, or nothing for the first there is
	local name
	case ${1:-} in
	'') for name in podman docker; do
		command -v "$name" >/dev/null && engine=$name && return
	done
		die "looked for podman and docker: neither is installed: apt install podman podman-compose" ;;
	podman | docker) ;;
	*) usage_error "--engine '$1': not an engine: give podman or docker" ;;
	esac
	engine=$1
	command -v "$engine" >/dev/null ||
		die "looked for $engine: it is not installed: apt install $engine, or give the other --engine"
}

engine_answers() {
	local said advice
	said=$(ask_engine info 2>&1 >/dev/null </dev/null) && return
	case $engine in
	docker) advice="start it (systemctl start docker), or use sudo, or give --engine podman" ;;
	podman) advice="see what 'podman info' says" ;;
	esac
	said=$(tail -n 1 <<<"$said")
	die "asked $engine for its state (info): ${said:-no answer within 20 s}: $advice"
}

compose_find() {
	local version
	if [ "$engine" = podman ]; then
		if command -v podman-compose >/dev/null; then
			compose=(podman-compose)
			version=$(timeout 20 podman-compose --version 2>/dev/null </dev/null |
				sed -nE 's/^podman-compose[r]? version *:? *([0-9.]+).*/\1/p')
			# that of Debian 12: see the wrapper
			[ "$(printf '%s\n1.0.4\n' "${version:-0}" | sort -V | head -n 1)" = 1.0.4 ] ||
				compose+=(--podman-path "$here/podman_host_network.sh")
		elif timeout 20 podman compose version >/dev/null 2>&1 </dev/null; then
			compose=(podman compose)
		else
			die "looked for podman-compose and 'podman compose': neither works: apt install podman-compose"
		fi
	elif timeout 20 docker compose version >/dev/null 2>&1 </dev/null; then
		compose=(docker compose)
	elif command -v docker-compose >/dev/null; then
		compose=(docker-compose)
	else
		die "looked for 'docker compose' and docker-compose: neither works: apt install docker-compose, or Docker's docker-compose-plugin"
	fi
	compose+=(-p "$project" -f "$here/compose.yaml")
}

# The id of a service's container, running or, with -a, in whatever state; nothing if there is none.
container_of() { # SERVICE [-a]
	ask_engine ps ${2:+"$2"} -q --filter "label=com.docker.compose.project=$project" \
		--filter "label=com.docker.compose.service=$1" </dev/null 2>/dev/null | head -n 1
}
