/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_table.h"

#include "user/options_impl.h"

#define DOC_CONNECTIONS "requests on their way to one server at the same time (default: 1)"

const struct argp_option options_table_watch[] = {
	{0, 0, 0, 0, "Interfaces:", 1},
	{"interface", KEY_INTERFACE, "IF", 0,
	 "watch this interface, both directions; repeat it or give a comma list (at least one)", 1},
	{"xdp-mode", KEY_XDP_MODE, "MODE", 0,
	 "how to see received packets: native, tc, generic, or auto: native where it costs the "
	 "host "
	 "nothing, else tc (default: auto)",
	 1},
	{"xdp-attach", KEY_XDP_ATTACH, "WAY", 0,
	 "how to attach XDP: link (ours alone), dispatcher (beside other programs), or auto: link "
	 "where the interface is free (default: auto)",
	 1},

	{0, 0, 0, 0, "Sampling:", 2},
	{"sample", KEY_SAMPLE, "1/N", 0,
	 "keep one flow in N, whole; or a percentage; or auto: everything while the budget allows. "
	 "Counters are exact whatever it is (default: auto)",
	 2},
	{"budget", KEY_BUDGET, "LIST", 0,
	 "what auto may spend, 0 for no limit; of the CPU 100% is one core (default: "
	 "1000spans/s,200000records/s,50%cpu,50%ring)",
	 2},
	{"sample-mode", KEY_SAMPLE_MODE, "MODE", 0,
	 "what --sample means one of: flow: keep one flow in N, whole; packet: take one packet in "
	 "N of all flows, and estimate (default: flow)",
	 2},
	{"site-key", KEY_SITE_KEY, "FILE", 0,
	 "64 hexadecimal digits; hosts that share them keep the same flows in the same traces "
	 "(default: random at each start)",
	 2},

	{0, 0, 0, 0, "Flows:", 3},
	{"decap", KEY_DECAP, 0, 0, "flows in tunnels are those inside", 3},
	{"filter", KEY_FILTER, "EXPRESSION", 0,
	 "only flows that fit, such as 'tcp port 443 and not net 10.0.0.0/8'; packets of others "
	 "are counted, too (default: all)",
	 3},
	{"trace-links", KEY_TRACE_LINKS, 0, 0,
	 "link spans to the traces that HTTP requests in plain text name in a traceparent", 3},
	{"max-flows", KEY_MAX_FLOWS, "N", 0, "kept flows at the same time (default: 262144)", 3},
	{"active-timeout", KEY_ACTIVE_TIMEOUT, "SECONDS", 0,
	 "report a flow that goes on this often (default: 60)", 3},
	{"idle-timeout", KEY_IDLE_TIMEOUT, "SECONDS", 0, "silence that ends a flow (default: 30)",
	 3},
	{"tcp-idle-timeout", KEY_TCP_IDLE_TIMEOUT, "SECONDS", 0,
	 "silence that ends a TCP connection which had packets both ways (default: 300)", 3},

	{0, 0, 0, 0, "Export:", 4},
	{"exporter", KEY_EXPORTER, "LIST", 0,
	 "otlp, console, or both as a comma list (default: otlp if there is an endpoint, else "
	 "console)",
	 4},
	{"otlp-endpoint", KEY_ENDPOINT, "URL", 0,
	 "OTLP/HTTP base URL, /v1/traces, /v1/metrics and /v1/logs are appended; repeat it to send "
	 "to "
	 "up to 8 (default: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318)",
	 4},
	{"otel-endpoint", 0, 0, OPTION_ALIAS, 0, 4},
	{"logs", KEY_LOGS, 0, 0,
	 "send log records of what happens, too (default: only if OTEL_LOGS_EXPORTER is otlp)", 4},
	{"interval", KEY_INTERVAL, "SECONDS", 0,
	 "how often metrics leave (default: OTEL_METRIC_EXPORT_INTERVAL, else 10)", 4},
	{"environment", KEY_ENVIRONMENT, "NAME", 0,
	 "resource attribute deployment.environment (default: none)", 4},

	{"metric-attributes", KEY_SERIES + OPTIONS_METRIC_ATTRIBUTES, "LIST", 0,
	 "metrics of flows, too, split by these attributes, such as server.port,source.subnet "
	 "(default: none)",
	 4},
	{"subnets", KEY_SERIES + OPTIONS_SUBNETS, "N,M", 0,
	 "lengths of a subnet in metrics, of IPv4 and IPv6 (default: 24,48)", 4},
	{"metric-cap", KEY_SERIES + OPTIONS_METRIC_CAP, "N", 0,
	 "series of each of these metrics; the rest goes into one more (default: 2000)", 4},
	{"tenant-map", KEY_SERIES + OPTIONS_TENANT_MAP, "FILE", 0,
	 "lines of a prefix or 'interface IF' and the name of its tenant, which spans and metrics "
	 "then carry (default: none)",
	 4},

	{"metrics-listen", KEY_METRICS_LISTEN, "ADDRESS:PORT", 0,
	 "let Prometheus and others fetch /metrics, /healthz and /readyz there by HTTP, such as "
	 "127.0.0.1:9101; without ADDRESS localhost (default: none)",
	 4},

	{0, 0, 0, 0, "Delivery:", 5},
	{"queue-dir", KEY_QUEUE_DIR, "DIR", 0,
	 "keep what waits to be sent in this directory, so that it outlives a restart (default: in "
	 "memory)",
	 5},
	{"queue-size", KEY_QUEUE_SIZE, "BYTES", 0,
	 "what may wait for each destination and signal; K, M and G are understood (default: 32M "
	 "in "
	 "memory, 1G on disk)",
	 5},
	{"queue-sync", KEY_QUEUE_SYNC, "SECONDS", 0,
	 "what waits longer than this is safe on disk (default: 0.1)", 5},
	{"retry-budget", KEY_RETRY_BUDGET, "SECONDS", 0,
	 "how long to try to send a request, 0 for without end (default: 300, with --queue-dir 0)",
	 5},
	{"connections", KEY_CONNECTIONS, "N", 0, DOC_CONNECTIONS, 5},

	{0, 0, 0, 0, "Running:", 6},
	{"workers", KEY_WORKERS, "N", 0,
	 "threads, each with its ring buffer (default: a quarter of the CPUs, 1 to 4)", 6},
	{"ring-size", KEY_RING_SIZE, "BYTES", 0,
	 "ring buffer of each worker, a power of two, K, M and G are understood (default: 4M)", 6},
	{"control", KEY_CONTROL, "PATH", 0,
	 "socket on which ringspan ctl is answered, or none (default: "
	 "/run/ringspan/ctl-IF.sock)",
	 6},
	{"events", KEY_EVENTS, "PATH", 0,
	 "socket on which flows that have ended are published, or none (default: "
	 "/run/ringspan/events-IF.sock)",
	 6},
	{"duration", KEY_DURATION, "SECONDS", 0, "stop after this long (default: at a signal)", 6},
	{"shutdown-timeout", KEY_SHUTDOWN_TIMEOUT, "SECONDS", 0,
	 "longest time to send what is left at the end (default: 10)", 6},
	{"verbose", KEY_VERBOSE, 0, 0, "say more", 6},
	{"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 6},
	{0, 0, 0, 0, "Help:", -1},
	{0}};

const char options_doc_watch[] =
	"Watches network interfaces from XDP and TC: counts every packet, turns flows into "
	"OpenTelemetry spans.\v"
	"'ringspan queue ls DIR' shows what waits in a --queue-dir, 'ringspan queue send DIR' "
	"sends "
	"it; 'ringspan ctl' asks a running ringspan, 'ringspan tail' shows its flows as they end, "
	"each with --help.\n\n"
	"Sizes are bytes, times are seconds and may have three decimals. Options win over OTEL_* "
	"variables, which win over defaults. OTEL_EXPORTER_OTLP_* variables describe the first "
	"--otlp-endpoint, RINGSPAN_OTLP_2_HEADERS, _COMPRESSION, _TIMEOUT, _CERTIFICATE, "
	"_CLIENT_CERTIFICATE and _CLIENT_KEY the second, and so on; RINGSPAN_OTLP_HEADERS_FILE and "
	"RINGSPAN_OTLP_2_HEADERS_FILE name files with headers. Exit codes: 0 clean, 1 failure "
	"at "
	"run time, 64 usage.";

const struct argp_option options_table_ls[] = {
	{"verbose", KEY_VERBOSE, 0, 0, "say more", 1},
	{"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 1},
	{0}};

const char options_doc_ls[] = "Shows what waits to be sent in a --queue-dir of ringspan.";

const struct argp_option options_table_send[] = {
	{"otlp-endpoint", KEY_ENDPOINT, "URL", 0,
	 "send everything there; or repeat it, and each gets what waits for it (default: "
	 "OTEL_EXPORTER_OTLP_ENDPOINT, else where it was to go)",
	 1},
	{"otel-endpoint", 0, 0, OPTION_ALIAS, 0, 1},
	{"retry-budget", KEY_RETRY_BUDGET, "SECONDS", 0,
	 "how long to try to send a request before it is dropped, 0 for without end (default: 0)",
	 1},
	{"connections", KEY_CONNECTIONS, "N", 0, DOC_CONNECTIONS, 1},
	{"duration", KEY_DURATION, "SECONDS", 0,
	 "stop after this long (default: when everything is sent, or at a signal)", 1},
	{"shutdown-timeout", KEY_SHUTDOWN_TIMEOUT, "SECONDS", 0,
	 "longest time to finish at the end (default: 10)", 1},
	{"verbose", KEY_VERBOSE, 0, 0, "say more", 1},
	{"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 1},
	{0}};

const char options_doc_send[] =
	"Sends what waits in a --queue-dir of ringspan. What is not sent when it ends stays "
	"there.\v"
	"Headers, certificates, compression and timeouts come from the same variables as for "
	"ringspan.";
