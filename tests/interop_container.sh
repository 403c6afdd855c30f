#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# An image built from compose/Containerfile watches a link with the capabilities, mounts and options of its
# service in compose.yaml: what it sends has the exact counts, and it ends cleanly.
. "$(dirname "$0")/lib.sh"
. "$tests/podman.sh"
. "$tests/interop/lib.sh"
podman_isolate "$@"
begin "$@"
need ping
"$py" -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
podman_begin

base=$(sed -n 's/^FROM \([^ ]*\) AS build/\1/p' "$repo/compose/Containerfile")
podman_debian "$base"
mkdir -p "$dir/source"
(cd "$repo" && git ls-files -co --exclude-standard -z | grep -zv '^build/' | xargs -0 cp --parents -t "$dir/source")
podman build --network host -f "$dir/source/compose/Containerfile" -t ringspan-test "$dir/source" >"$dir/build.log" 2>&1 || {
	! grep -qE 'Temporary failure|Unable to connect|Could not resolve|Failed to fetch' "$dir/build.log" ||
		skip "the image's packages cannot be had: $(grep -m 1 -E 'Temporary|Unable|resolve|Failed' "$dir/build.log")"
	fail "the image: $(tail -n 5 "$dir/build.log")"
}
say "the image is built: $(podman image inspect -f '{{.Size}}' ringspan-test | numfmt --to=iec)"

watched_link
sink_start sink watch

# The service's own flags; only network, interface and endpoint are the test's.
mapfile -t flags < <("$py" - "$repo/compose/compose.yaml" <<'P'
import sys, yaml
s = yaml.safe_load(open(sys.argv[1]))["services"]["ringspan"]
for key, flag in (("cap_drop", "--cap-drop"), ("cap_add", "--cap-add"), ("security_opt", "--security-opt"),
                  ("volumes", "--volume"), ("tmpfs", "--tmpfs")):
    for value in s[key]:
        print(f"{flag}={value}")
print(f"--memory={s['mem_limit']}\n--cpus={s['cpus']}\n--pids-limit={s['pids_limit']}")
if s["read_only"]:
    print("--read-only")
P
)
mapfile -t options < <("$py" - "$repo/compose/compose.yaml" va "$sink_url" <<'P'
import re, sys, yaml
for option in yaml.safe_load(open(sys.argv[1]))["services"]["ringspan"]["command"]:
    name = option.split("=")[0]
    print({"--interface": f"{name}={sys.argv[2]}", "--otlp-endpoint": f"{name}={sys.argv[3]}"}.get(name, option))
P
)
[ ${#flags[@]} -ge 9 ] && [ ${#options[@]} -ge 5 ] || fail "compose.yaml's service is not as expected"
podman run -d --name watching --network ns:/run/netns/watch "${flags[@]}" ringspan-test "${options[@]}" \
	>"$dir/run.log" 2>&1 || fail "podman run: $(cat "$dir/run.log")"
logged() { podman logs watching 2>&1 | grep -q "$1"; }
tries_until 60 logged '^ringspan ready:' || fail "not ready: $(podman logs watching 2>&1 | tail -n 3)"
[ "$(podman inspect -f '{{.EffectiveCaps}}' watching)" = "[CAP_BPF CAP_NET_ADMIN CAP_PERFMON]" ] ||
	fail "capabilities: $(podman inspect -f '{{.EffectiveCaps}}' watching)"
podman exec watching ringspan ctl status >"$dir/status" 2>&1 || fail "ctl inside: $(cat "$dir/status")"

# 50 echo requests in, 50 answers out: 98 bytes each, and nothing else on this link
in_ns peer ping -q -c 50 -i 0.01 -s 56 10.77.1.1 >"$dir/ping.log" || fail "$(cat "$dir/ping.log")"
podman stop -t 20 watching >"$dir/stop.log" 2>&1
[ "$(podman inspect -f '{{.State.ExitCode}}' watching)" = 0 ] ||
	fail "exit code $(podman inspect -f '{{.State.ExitCode}}' watching): $(podman logs watching 2>&1 | tail -n 3)"
podman logs watching >"$dir/watching.err" 2>&1
ledger_is_closed watching
sink_stop sink
"$py" - "$tests" "$dir/sink" >"$dir/check.log" 2>&1 <<'P' || fail "$(tail -n 3 "$dir/check.log")"
import collections, sys
sys.path.insert(0, sys.argv[1])
import otlp_read
seen, flows = {}, collections.Counter()
for point in otlp_read.metrics(sys.argv[2]):
    a = point["attributes"]
    if point["metric"] in ("xdp.packets.total", "xdp.bytes.total") and a["network.transport"] == "icmp":
        seen[point["metric"], a["network.io.direction"]] = point["value"]
    if point["metric"] == "xdp.flow.packets":
        flows[a.get("source.address"), a.get("destination.address")] += 1
for direction in "receive", "transmit":
    assert seen["xdp.packets.total", direction] == 50, seen
    assert seen["xdp.bytes.total", direction] == 50 * (14 + 20 + 8 + 56), seen
assert flows["10.77.1.2", "10.77.1.1"], flows
spans = [s for s in otlp_read.spans(sys.argv[2]) if s["attributes"]["network.transport"] == "icmp"]
assert len(spans) == 1, [s["name"] for s in spans]
a = spans[0]["attributes"]
assert a["flow.packets.total"] == 50 and a["flow.reverse.packets.total"] == 50, a
assert spans[0]["resource"]["deployment.environment"] == "demo", spans[0]["resource"]
P
say "50 packets each way, counted exactly, one span of them; ended with 0, ledger closed"
