#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What compose.yaml promises, read from it: ports on localhost only, exact tags, no privileges, limits and
# a restart policy everywhere, mounts that exist; both compose programs take it; scripts are shell.
set -euo pipefail
cd "$(dirname "$0")/.."
file=compose/compose.yaml

fail() {
	echo "compose_config: FAILED: $*" >&2
	exit 1
}

for script in compose/*.sh tests/podman.sh tests/compose_*.sh tests/interop_comp*.sh tests/interop_cont*.sh; do
	bash -n "$script" || fail "$script"
done
if command -v shellcheck >/dev/null; then
	shellcheck -s bash -S error compose/*.sh tests/podman.sh || fail "shellcheck"
fi

# Only programs that need no engine for it: "docker compose" wants its plugin, "podman-compose" of Debian 12
# has no config.
export COMPOSE_PROFILES=ringspan
for compose in "docker compose" docker-compose podman-compose; do
	command -v "${compose%% *}" >/dev/null || continue
	$compose config --help 2>&1 | grep -qiE '^usage: .*compose.* config' || continue
	said=$($compose -f "$file" config 2>&1 >/dev/null) || fail "$compose config: $said"
	! grep -iE 'warn|error|unsupported|unknown|ignor' <<<"$said" || fail "$compose config: $said"
	echo "compose_config: $compose config is clean"
done

/usr/bin/python3 -c 'import yaml' 2>/dev/null || {
	echo "compose_config: skipped: python3-yaml is not installed"
	exit 77
}
exec /usr/bin/python3 - "$file" <<'P'
import os
import re
import sys

import yaml

path = sys.argv[1]
text = open(path).read()
compose = yaml.safe_load(text)
services = compose["services"]
bad = []


def demand(holds, *words):
    if not holds:
        bad.append(" ".join(str(w) for w in words))


demand(set(services) == {"otel-collector", "prometheus", "grafana", "jaeger", "ringspan"}, "services", list(services))
demand(list(compose["networks"]) == ["monitoring"], "networks", compose["networks"])
published = []
images = [(name, s["image"]) for name, s in services.items()]
with open("compose/Containerfile") as lines:
    images += [("Containerfile", line.split()[1]) for line in lines if line.startswith("FROM ")]
for name, image in images:
    tag = image.rpartition("/")[2].partition(":")[2]
    demand(re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-slim)?", tag), name, "has no exact tag:", image)
    demand(image.split("/")[0] in ("docker.io", "localhost"), name, "names no registry:", image)
for name, s in services.items():
    body = re.search(rf"(?ms)^  {name}:\n(.*?)(?=^  \S|^\S|\Z)", text).group(1)
    for port in s.get("ports", []):
        match = re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:-(\d+)\}:(\d+)", port)
        demand(match, name, "publishes", port)
        if match:
            demand(match[1] == match[2], name, "moves", port)
            published.append(int(match[1]))
    demand(not s.get("privileged") and not s.get("pid") and not s.get("ipc"), name, "is privileged")
    demand(s["cap_drop"] == ["ALL"], name, "keeps capabilities")
    demand(s.get("cap_add", []) == (["BPF", "NET_ADMIN", "PERFMON"] if name == "ringspan" else []), name, "cap_add")
    for cap in s.get("cap_add", []):
        demand(re.search(rf"- {cap} # \S", body), name, cap, "without a reason")
    demand("no-new-privileges:true" in s["security_opt"], name, "may gain privileges")
    demand(s["read_only"] is True, name, "can write into its image")
    demand(s["restart"] in ("unless-stopped", "on-failure"), name, "has no restart policy")
    for limit in "mem_limit", "cpus", "pids_limit":
        demand(s.get(limit), name, "has no", limit)
    demand("healthcheck" in s or "# No health check:" in body, name, "has no health check, and no reason")
    demand("depends_on" not in s, name, "depends_on: --without would start it after all")
    if name == "ringspan":
        demand(s["profiles"] == ["ringspan"] and s["network_mode"] == "host", name, "starts by itself")
    else:
        demand(s["networks"] == ["monitoring"] and "network_mode" not in s, name, "network")
    for volume in s.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("./"):
            demand(os.path.exists(os.path.join("compose", source)), name, "mounts what is not there:", source)
            demand(mode and set(mode[0].split(",")) == {"ro", "z"}, name, "mounts", volume)
        elif source.startswith("/"):
            demand(volume == "/sys/fs/bpf:/sys/fs/bpf", name, "mounts", volume)
        else:
            demand(source in compose["volumes"], name, "has an unknown volume", source)
demand(sorted(published) == [3000, 4317, 4318, 8889, 9090, 13133, 16686], "ports", sorted(published))
flags = services["prometheus"]["command"]
for flag in "--storage.tsdb.retention.time=15d", "--web.enable-otlp-receiver", "--enable-feature=exemplar-storage":
    demand(flag in flags, "prometheus without", flag)
for flag in "--web.enable-lifecycle", "--web.enable-admin-api":
    demand(flag not in flags, "prometheus with", flag)
# up.sh knows the same ports by the same names
with open("compose/up.sh") as script:
    known = set(re.findall(r"([A-Z_]+_PORT) (\d+) ", script.read()))
demand(known == set(re.findall(r"\$\{([A-Z_]+_PORT):-(\d+)\}", text)), "up.sh knows other ports:", known)
if bad:
    sys.exit("compose_config: FAILED: " + "\n  ".join(bad))
print("compose_config: %d services as promised" % len(services))
P
