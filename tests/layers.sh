#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Who may know whom: a module includes only modules above it in the list below, a foreign library only
# where its door is, and the top level holds what the layout names and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
complain() {
	echo "layers: $*" >&2
	bad=1
}

# From the ground up; a line may include itself and what stands above it. A * at the end: all so named.
layers='
kern/flow_abi
kern/flow_hash
kern/parse.bpf kern/count.bpf
kern/filter.bpf
kern/maps.bpf
kern/cost.bpf kern/emit.bpf kern/sample.bpf kern/tcp.bpf
kern/state.bpf
kern/payload.bpf
kern/quote.bpf kern/tunnel.bpf
kern/flow.bpf
otlp/otlp
otlp/wire
otlp/encode_item
otlp/encode_metric
otlp/encode
otlp/url otlp/answer otlp/chunked otlp/crc32c otlp/head otlp/gzip otlp/tls_check
otlp/wal_format otlp/wal_about
otlp/wal_scan
otlp/wal otlp/wal_survey
otlp/wal_dir
otlp/delta otlp/split
otlp/tls
otlp/http_op
otlp/http_conn
otlp/http otlp/http_profile
otlp/account otlp/spares otlp/pace
otlp/body
otlp/queue otlp/queue_impl otlp/queue_journal
otlp/journal
otlp/exporter otlp/sender
user/utf8 user/ip_text user/ring
user/log user/clock user/notify user/json user/control_path user/privileges user/pin user/traceparent
user/wait user/auto_rate
user/local_socket user/local_find user/filter
user/flow_names
user/tenant_map user/tenant_map_impl user/tenant_lines user/flow_attrs
user/options*
user/outbox
user/prom_name
user/prom_text
user/pull_request
user/pull_board
user/pull_listen
user/pull
user/span_json user/subscriber
user/stream
user/flow_table user/flow_facts user/flow_wheel user/flow_index user/flow_life user/flow_events user/flow_tcp user/flow_estimate
user/ledger
user/exemplars
user/flow_text user/flow_service user/flow_id
user/flow_growth
user/flow_series
user/flow_log
user/flow_story user/flow_otlp user/flow_line user/metric_writer user/self_metrics user/sdk_metrics user/series_metrics user/flow_metrics
user/console
user/attach_xdp user/attach_tc
user/probe user/probe_impl user/probe_read user/probe_sample
user/export
user/queue_command
user/worker
user/scrape user/link_rates
user/meter
user/auto_control
user/control_filter
user/control_request
user/ctl_command user/tail_command
user/control_flows
user/control user/control_status user/control_answer
user/command
user/main
'
rank() { # MODULE: the number of its line, nothing if it has none
	awk -v m="$1" '{for (i = 1; i <= NF; i++) if ($i == m || sub(/\*$/, "", $i) && index(m, $i) == 1) print NR}' <<<"$layers"
}

# HEADER PATTERN | files that may include it
doors='
nng/                   | otlp/http* user/control.* user/stream.* user/local_socket.* user/ctl_command.c
zlib.h                 | otlp/gzip.c
pb.*\.h                | otlp/wire.* otlp/encode* otlp/answer.* otlp/http.*
.*\.pb\.h              | otlp/wire.* otlp/encode* otlp/answer.* otlp/http.*
bpf/(bpf|libbpf)\.h    | user/probe* user/attach_* user/pin.c
xdp/                   | user/probe.c user/attach_xdp.*
cap-ng\.h              | user/privileges.c
uuid/                  | user/flow_*
mbedtls/               | otlp/tls.c otlp/tls_check.c user/flow_id.c
argp\.h                | user/options_table.* user/options_ctl.* user/options_tail.*
flow\.skel\.h          | user/probe*
'

for file in kern/*.[ch] otlp/*.[ch] user/*.[ch]; do
	module=${file%.*}
	own=$(rank "$module")
	[ -n "$own" ] || {
		complain "$file has no place in the layers; give $module a line"
		continue
	}
	while IFS= read -r header; do
		case $header in
		kern/* | otlp/* | user/* | tests/* | bench/*)
			other=$(rank "${header%.h}")
			if [ -z "$other" ] || [ "$other" -gt "$own" ]; then
				complain "$file includes $header, which is not below it"
			fi
			case $file:$header in
			otlp/*:kern/* | otlp/*:user/*) complain "$file: otlp/ knows no flow" ;;
			kern/*:otlp/* | kern/*:user/*) complain "$file: kern/ knows nobody" ;;
			user/*:kern/flow_abi.h | user/*:kern/flow_hash.h) ;;
			user/*:kern/*) complain "$file: of kern/ only the ABI and the hash are for user/" ;;
			user/*:otlp/otlp.h | user/*:otlp/encode.h | user/*:otlp/exporter.h | user/*:otlp/delta.h) ;;
			user/queue_command.c:otlp/wal_dir.h) ;;
			user/*:otlp/*) complain "$file: $header is the library's own" ;;
			esac
			continue
			;;
		esac
		while IFS='|' read -r pattern files; do
			pattern=${pattern//[[:space:]]/}
			[ -n "$pattern" ] && [[ $header =~ ^$pattern ]] || continue
			allowed=
			for glob in $files; do
				# shellcheck disable=SC2053
				[[ $file == $glob ]] && allowed=1
			done
			[ -n "$allowed" ] || complain "$file includes <$header>: its doors are $files"
		done <<<"$doors"
	done < <(grep -ohE '^#include [<"][^>"]+' "$file" | sed -E 's/^#include [<"]//' |
		if [[ $file == kern/*.bpf.* ]]; then grep -v '^bpf/\|^linux/' || :; else cat; fi)
done

if git rev-parse --git-dir >/dev/null 2>&1; then
	while IFS= read -r top; do
		case $top in
		CMakeLists.txt | CMakePresets.json | LICENSE | README.md) ;;
		kern | user | proto | otlp | compose | bench | tests | .*) ;;
		*) complain "the top level holds $top" ;;
		esac
	done < <(git ls-files | cut -d/ -f1 | sort -u)
fi
exit "$bad"
