/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command lines: watching (no subcommand), queue ls, queue send. All share what the keys mean;
 * which keys there are is each table's matter. ctl and tail have their own files.
 */
#include <argp.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "user/log.h"
#include "user/options_arg.h"
#include "user/options_budget.h"
#include "user/options_impl.h"
#include "user/options_value.h"

#define DAY_MS 86400000u
#define MIB (1ULL << 20)

enum option_key {
	KEY_INTERFACE = 'i',
	KEY_QUIET = 'q',
	KEY_SAMPLE = 's',
	KEY_VERBOSE = 'v',
	KEY_XDP_MODE = 0x100,
	KEY_XDP_ATTACH,
	KEY_BUDGET,
	KEY_SITE_KEY,
	KEY_SAMPLE_MODE,
	KEY_WORKERS,
	KEY_MAX_FLOWS,
	KEY_DECAP,
	KEY_TRACE_LINKS,
	KEY_RING_SIZE,
	KEY_FILTER,
	KEY_ACTIVE_TIMEOUT,
	KEY_IDLE_TIMEOUT,
	KEY_TCP_IDLE_TIMEOUT,
	KEY_EXPORTER,
	KEY_ENDPOINT,
	KEY_LOGS,
	KEY_INTERVAL,
	KEY_ENVIRONMENT,
	KEY_QUEUE_DIR,
	KEY_QUEUE_SIZE,
	KEY_QUEUE_SYNC,
	KEY_RETRY_BUDGET,
	KEY_CONNECTIONS,
	KEY_CONTROL,
	KEY_EVENTS,
	KEY_DURATION,
	KEY_SHUTDOWN_TIMEOUT,
	KEY_SERIES /* and enum options_series; the last */
};

#define DOC_CONNECTIONS "requests on their way to one server at the same time (default: 1)"

static const struct argp_option watch_table[] = {
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

static const char watch_doc[] =
	"Watches network interfaces from XDP and TC: counts every packet, turns flows into "
	"OpenTelemetry spans.\v"
	"'ringspan queue ls DIR' shows what waits in a --queue-dir, 'ringspan queue send DIR' "
	"sends "
	"it; 'ringspan ctl' asks a running ringspan, 'ringspan tail' shows its flows as they end, "
	"each with --help.\n\n"
	"Sizes are bytes, times are seconds and may have three decimals. Options win over OTEL_* "
	"variables, which win over defaults. OTEL_EXPORTER_OTLP_* variables describe the first "
	"--otlp-endpoint, RINGSPAN_OTLP_2_HEADERS, _COMPRESSION, _TIMEOUT, _CERTIFICATE, "
	"_CLIENT_CERTIFICATE and _CLIENT_KEY the second, and so on. Exit codes: 0 clean, 1 failure "
	"at "
	"run time, 64 usage.";

static const struct argp_option ls_table[] = {
	{"verbose", KEY_VERBOSE, 0, 0, "say more", 1},
	{"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 1},
	{0}};

static const char ls_doc[] = "Shows what waits to be sent in a --queue-dir of ringspan.";

static const struct argp_option send_table[] = {
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

static const char send_doc[] =
	"Sends what waits in a --queue-dir of ringspan. What is not sent when it ends stays "
	"there.\v"
	"Headers, certificates, compression and timeouts come from the same variables as for "
	"ringspan.";

struct parse {
	struct options *o;
	struct options_given *given;
};

/* ---- interfaces ---- */

static int add_interface(struct options *o, const char *name)
{
	size_t i;

	if (!*name || strlen(name) >= IFNAMSIZ)
		options_arg_refuse("--interface '%.100s': not a name of an interface: give 1 to %d "
				   "characters",
				   name, IFNAMSIZ - 1);
	for (i = 0; i < o->interfaces_len; i++)
		if (!strcmp(o->interfaces[i], name))
			options_arg_refuse("--interface '%s': given twice: name each interface "
					   "once",
					   name);
	if (o->interfaces_len == FLOW_MAX_IFS)
		options_arg_refuse("--interface '%s': one too many: at most %d interfaces", name,
				   FLOW_MAX_IFS);
	o->interfaces[o->interfaces_len] = strdup(name);
	if (!o->interfaces[o->interfaces_len])
		return ENOMEM;
	o->interfaces_len++;
	return 0;
}

static int add_interfaces(struct options *o, const char *list)
{
	char *copy = strdup(list), *rest = copy, *name;
	int err = copy ? 0 : ENOMEM;

	while (!err && (name = strsep(&rest, ",")))
		err = add_interface(o, name);
	free(copy);
	return err;
}

/* ---- export and delivery ---- */

static int set_exporters(struct options_given *given, const char *text)
{
	static const char *const words[] = {"otlp", "console"};
	char *copy = strdup(text), *rest = copy, *word;

	if (!copy)
		return ENOMEM;
	given->exporter = true;
	given->exporter_otlp = given->exporter_console = false;
	while ((word = strsep(&rest, ",")))
		if (options_arg_choice("--exporter", word, words, 2,
				       "otlp, console, or otlp,console") == 0)
			given->exporter_otlp = true;
		else
			given->exporter_console = true;
	free(copy);
	return 0;
}

static void add_endpoint(struct options_given *given, const char *url)
{
	char why[OPTIONS_WHY_CAP], buf[OPTIONS_URL_SHOWN_CAP];
	const char *shown = options_value_url_shown(url, buf);
	size_t i;

	options_arg_check(options_value_url(url, false, why), "--otlp-endpoint", shown, why);
	for (i = 0; i < given->endpoints_len; i++)
		if (options_value_url_same(given->endpoints[i], url))
			options_arg_refuse("--otlp-endpoint '%s': given twice: name each endpoint "
					   "once",
					   shown);
	if (given->endpoints_len == OPTIONS_DESTINATIONS_MAX)
		options_arg_refuse("--otlp-endpoint '%s': one too many: at most %d endpoints; a "
				   "Collector can forward to more",
				   shown, OPTIONS_DESTINATIONS_MAX);
	given->endpoints[given->endpoints_len++] = url;
}

static int set_queue_dir(struct options *o, const char *option, const char *path)
{
	if (!*path)
		options_arg_refuse("%s '': empty: give a directory", option);
	free(o->queue_dir);
	o->queue_dir = strdup(path);
	return o->queue_dir ? 0 : ENOMEM;
}

static error_t parse_delivery(int key, char *arg, struct parse *p)
{
	char why[OPTIONS_WHY_CAP];

	switch (key) {
	case KEY_ENDPOINT:
		add_endpoint(p->given, arg);
		return 0;
	case KEY_QUEUE_DIR:
		return set_queue_dir(p->o, "--queue-dir", arg);
	case KEY_QUEUE_SIZE:
		p->given->queue_size = true;
		options_arg_check(options_value_size(arg, MIB, MIB * MIB, &p->o->queue_bytes, why),
				  "--queue-size", arg, why);
		return 0;
	case KEY_QUEUE_SYNC:
		p->given->queue_sync = true;
		p->o->queue_window_ms = options_arg_seconds("--queue-sync", arg, 10, 10000);
		return 0;
	case KEY_RETRY_BUDGET:
		p->given->retry_budget = true;
		p->given->retry_budget_ms =
			options_arg_seconds("--retry-budget", arg, 0, 30 * DAY_MS);
		return 0;
	case KEY_CONNECTIONS:
		p->o->connections = (unsigned)options_arg_number("--connections", arg, 1, 16);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_export(int key, char *arg, struct parse *p)
{
	switch (key) {
	case KEY_EXPORTER:
		return set_exporters(p->given, arg);
	case KEY_LOGS:
		p->given->logs = true;
		return 0;
	case KEY_INTERVAL:
		p->given->interval = true;
		p->o->interval_ms = options_arg_seconds("--interval", arg, 100, 3600000);
		return 0;
	case KEY_ENVIRONMENT:
		if (!*arg)
			options_arg_refuse("--environment '': empty: give a name, such as "
					   "production");
		p->given->environment = arg;
		return 0;
	}
	if (key >= KEY_SERIES && key <= KEY_SERIES + OPTIONS_TENANT_MAP)
		return options_series_set(p->o, p->given, key - KEY_SERIES, arg);
	return parse_delivery(key, arg, p);
}

/* ---- the rest ---- */

static error_t parse_running(int key, char *arg, struct parse *p)
{
	char why[OPTIONS_WHY_CAP];
	struct options *o = p->o;

	switch (key) {
	case KEY_WORKERS:
		o->workers = (unsigned)options_arg_number("--workers", arg, 1, FLOW_MAX_WORKERS);
		return 0;
	case KEY_RING_SIZE:
		options_arg_check(options_value_ring(arg, &o->ring_bytes, why), "--ring-size", arg,
				  why);
		return 0;
	case KEY_CONTROL:
		return options_ctl_set_path(&o->control, "--control", arg);
	case KEY_EVENTS:
		return options_ctl_set_path(&o->events, "--events", arg);
	case KEY_DURATION:
		o->duration_ms = options_arg_seconds("--duration", arg, 1, 30 * DAY_MS);
		return 0;
	case KEY_SHUTDOWN_TIMEOUT:
		o->shutdown_timeout_ms = options_arg_seconds("--shutdown-timeout", arg, 0, 3600000);
		return 0;
	case KEY_VERBOSE:
	case KEY_QUIET:
		p->given->verbosity = true;
		o->verbosity = key == KEY_VERBOSE ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_watch(int key, char *arg, struct argp_state *state)
{
	static const char *const modes[] = {"auto", "native", "tc", "generic"};
	static const char *const samples[] = {"flow", "packet"};
	static const char *const ways[] = {"auto", "link", "dispatcher"};
	char why[OPTIONS_WHY_CAP];
	struct parse *p = state->input;
	struct options *o = p->o;
	bool is_command;
	error_t err;

	switch (key) {
	case KEY_INTERFACE:
		return add_interfaces(o, arg);
	case KEY_XDP_MODE:
		o->xdp_mode = options_arg_choice("--xdp-mode", arg, modes, 4,
						 "auto, native, tc, generic");
		return 0;
	case KEY_XDP_ATTACH:
		o->xdp_attach =
			options_arg_choice("--xdp-attach", arg, ways, 3, "auto, link, dispatcher");
		return 0;
	case KEY_SAMPLE:
		p->given->sample = true;
		options_arg_check(options_parse_rate(arg, &o->sample_auto, &o->sample_n, why),
				  "--sample", arg, why);
		return 0;
	case KEY_BUDGET:
		p->given->budget = arg;
		options_arg_check(options_budget_parse(arg, &o->budget, why), "--budget", arg, why);
		return 0;
	case KEY_SAMPLE_MODE:
		o->sample_mode = options_arg_choice("--sample-mode", arg, samples, 2, "flow, packet");
		return 0;
	case KEY_SITE_KEY:
		p->given->site_key = arg;
		return 0;
	case KEY_FILTER:
		return options_filter_set(o, arg);
	case KEY_TRACE_LINKS:
		o->trace_links = true;
		return 0;
	case KEY_DECAP:
		o->decap = true;
		return 0;
	case KEY_MAX_FLOWS:
		o->max_flows = (uint32_t)options_arg_number("--max-flows", arg, 1, 1 << 24);
		return 0;
	case KEY_ACTIVE_TIMEOUT:
		o->active_timeout_ms = options_arg_seconds("--active-timeout", arg, 100, DAY_MS);
		return 0;
	case KEY_IDLE_TIMEOUT:
		o->idle_timeout_ms = options_arg_seconds("--idle-timeout", arg, 100, DAY_MS);
		return 0;
	case KEY_TCP_IDLE_TIMEOUT:
		o->tcp_idle_timeout_ms =
			options_arg_seconds("--tcp-idle-timeout", arg, 100, DAY_MS);
		return 0;
	case ARGP_KEY_ARG:
		is_command = !strcmp(arg, "queue") || !strcmp(arg, "ctl") || !strcmp(arg, "tail");
		options_arg_refuse("'%.100s': not an option: interfaces are named with "
				   "--interface%s%s%s",
				   arg, is_command ? "; '" : "", is_command ? arg : "",
				   is_command ? "' comes first" : "");
	}
	err = parse_export(key, arg, p);
	return err == ARGP_ERR_UNKNOWN ? parse_running(key, arg, p) : err;
}

/* ---- queue ---- */

static error_t parse_queue(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	const char *name = p->o->command == OPTIONS_QUEUE_LS ? "queue ls" : "queue send";
	error_t err;

	switch (key) {
	case ARGP_KEY_ARG:
		if (p->o->queue_dir)
			options_arg_refuse("%s '%.100s': one too many: give one directory", name,
					   arg);
		return set_queue_dir(p->o, name, arg);
	case ARGP_KEY_END:
		if (!p->o->queue_dir)
			options_arg_refuse("%s: no directory: give the --queue-dir of a ringspan",
					   name);
		return 0;
	}
	err = parse_delivery(key, arg, p);
	return err == ARGP_ERR_UNKNOWN ? parse_running(key, arg, p) : err;
}

static int parse_subcommand(struct parse *p, int argc, char **argv)
{
	static const struct argp ls = {ls_table, parse_queue, "DIR", ls_doc, NULL, NULL, NULL};
	static const struct argp send = {send_table, parse_queue, "DIR", send_doc,
					 NULL,	     NULL,	  NULL};
	static const char have[] = "there are 'ringspan queue ls DIR' and 'ringspan queue send "
				   "DIR', each with --help";
	char ls_name[] = "ringspan queue ls", send_name[] = "ringspan queue send", *word = argv[2];
	bool is_ls;
	int err;

	if (argc < 3)
		options_arg_refuse("queue: nothing to do given: %s", have);
	if (!strcmp(word, "--help") || !strcmp(word, "-?")) {
		printf("ringspan queue: %s\n", have);
		exit(EXIT_SUCCESS);
	}
	is_ls = !strcmp(word, "ls");
	if (!is_ls && strcmp(word, "send"))
		options_arg_refuse("queue '%.100s': no such thing: %s", word, have);
	p->o->command = is_ls ? OPTIONS_QUEUE_LS : OPTIONS_QUEUE_SEND;
	argv[2] = is_ls ? ls_name : send_name; /* what argp calls the program */
	err = argp_parse(is_ls ? &ls : &send, argc - 2, argv + 2, 0, NULL, p);
	argv[2] = word;
	return err;
}

int options_cli_parse(struct options *o, struct options_given *given, int argc, char **argv)
{
	static const struct argp watch = {watch_table, parse_watch, NULL, watch_doc,
					  NULL,	       NULL,	    NULL};
	struct parse p = {o, given};
	char version[64];
	int err;

	snprintf(version, sizeof(version), "ringspan %s (ABI %d)", RINGSPAN_VERSION,
		 FLOW_ABI_VERSION);
	argp_program_version = version;
	argp_err_exit_status = EX_USAGE;
	if (argc > 1 && !strcmp(argv[1], "ctl"))
		err = options_ctl_parse(o, argc, argv);
	else if (argc > 1 && !strcmp(argv[1], "tail"))
		err = options_tail_parse(o, argc, argv);
	else if (argc > 1 && !strcmp(argv[1], "queue"))
		err = parse_subcommand(&p, argc, argv);
	else
		err = argp_parse(&watch, argc, argv, 0, NULL, &p);
	argp_program_version = NULL;
	return -err;
}
