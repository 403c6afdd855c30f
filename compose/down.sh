#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Ends what compose/up.sh started.
set -euo pipefail
program=down.sh

usage() {
	cat <<'U'
Usage: sudo compose/down.sh [--engine podman|docker] [--purge [--yes]]

Stops and removes the containers and the network. Running it again, or without up.sh before, is fine.

  --engine NAME   podman or docker; without it, podman where it is installed, else docker
  --purge         remove the volumes, too: all metrics, traces and what Grafana keeps; asks first
  --yes           do not ask
  --help          this text
U
}

. "$(dirname "${BASH_SOURCE[0]}")/engine.sh"

wanted_engine='' purge='' yes=''
while [ $# -gt 0 ]; do
	case $1 in
	--engine) [ -n "${2:-}" ] || usage_error "--engine: nothing follows: give podman or docker"
		wanted_engine=$2 && shift 2 ;;
	--purge) purge=1 && shift ;;
	--yes) yes=1 && shift ;;
	--help | -h) usage && exit 0 ;;
	*) usage_error "'$1': not an option" ;;
	esac
done

engine_find "$wanted_engine"
engine_answers

# By label and not by compose: what an earlier compose.yaml started is found, too.
of_project=(--filter "label=com.docker.compose.project=$project")
list() { ask_engine "$@" "${of_project[@]}" </dev/null; } # COMMAND…: names or ids, one a line

mapfile -t volumes < <(list volume ls -q)
if [ -n "$purge" ] && [ ${#volumes[@]} -gt 0 ] && [ -z "$yes" ]; then
	[ -t 0 ] || die "--purge: would remove ${volumes[*]}, and cannot ask here: give --yes"
	read -rp "Remove ${volumes[*]} with all that is in them? [y/N] " answer
	[[ $answer == [yY]* ]] || die "--purge: nothing was removed, as you did not say yes"
fi

mapfile -t containers < <(list ps -aq)
if [ ${#containers[@]} -gt 0 ]; then
	echo "==> stopping ${#containers[@]} containers"
	# ringspan and the Collector send what they hold
	timeout 120 "$engine" stop -t 20 "${containers[@]}" >/dev/null 2>&1 </dev/null || :
	said=$(timeout 60 "$engine" rm -f "${containers[@]}" 2>&1 >/dev/null </dev/null) ||
		die "$engine was to remove the containers of $project: $(tail -n 1 <<<"$said")"
else
	echo "==> nothing of $project runs"
fi
if [ "$engine" = podman ]; then
	# podman-compose puts the containers into a pod, which has no label
	! podman pod exists "pod_$project" || podman pod rm -f "pod_$project" >/dev/null
fi
mapfile -t networks < <(list network ls -q)
for network in "${networks[@]}"; do
	said=$(ask_engine network rm "$network" 2>&1 >/dev/null </dev/null) ||
		die "$engine was to remove the network $network: $(tail -n 1 <<<"$said")"
done
if [ ${#volumes[@]} -gt 0 ]; then
	if [ -n "$purge" ]; then
		said=$(ask_engine volume rm "${volumes[@]}" 2>&1 >/dev/null </dev/null) ||
			die "$engine was to remove ${volumes[*]}: $(tail -n 1 <<<"$said")"
		echo "==> removed ${volumes[*]}"
	else
		echo "==> kept, and there again after up.sh: ${volumes[*]}"
	fi
fi
