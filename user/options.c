/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line is read first and completely, then the environment fills in what it left open:
 * so precedence is the order of the code. Whoever types something wrong gets one line that says
 * what was given, why it is wrong and what is right, and exit code 64 (EX_USAGE).
 */
#include "user/options.h"

#include <argp.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_value.h"

#define DAY_MS 86400000u

enum option_key {
	KEY_INTERFACE = 'i',
	KEY_QUIET = 'q',
	KEY_SAMPLE = 's',
	KEY_VERBOSE = 'v',
	KEY_XDP_MODE = 0x100,
	KEY_XDP_ATTACH,
	KEY_SITE_KEY,
	KEY_WORKERS,
	KEY_MAX_FLOWS,
	KEY_RING_SIZE,
	KEY_ACTIVE_TIMEOUT,
	KEY_IDLE_TIMEOUT,
	KEY_TCP_IDLE_TIMEOUT,
	KEY_EXPORTER,
	KEY_ENDPOINT,
	KEY_INTERVAL,
	KEY_LOGS,
	KEY_ENVIRONMENT,
	KEY_DURATION,
	KEY_SHUTDOWN_TIMEOUT
};

static const struct argp_option option_table[] = {
    {0, 0, 0, 0, "Interfaces:", 1},
    {"interface", KEY_INTERFACE, "IF", 0,
     "watch this interface, both directions; repeat it or give a comma list (at least one)", 1},
    {"xdp-mode", KEY_XDP_MODE, "MODE", 0,
     "how to see received packets: native, tc, generic, or auto: native where it costs the host "
     "nothing, else tc (default: auto)",
     1},
    {"xdp-attach", KEY_XDP_ATTACH, "WAY", 0,
     "how to attach XDP: link (ours alone), dispatcher (beside other programs), or auto: link "
     "where the interface is free (default: auto)",
     1},

    {0, 0, 0, 0, "Sampling:", 2},
    {"sample", KEY_SAMPLE, "1/N", 0,
     "keep one flow in N, whole; or a percentage. Counters are exact whatever it is (default: 1/1)",
     2},
    {"site-key", KEY_SITE_KEY, "FILE", 0,
     "64 hexadecimal digits; hosts that share them keep the same flows in the same traces "
     "(default: random at each start)",
     2},

    {0, 0, 0, 0, "Flows:", 3},
    {"max-flows", KEY_MAX_FLOWS, "N", 0, "kept flows at the same time (default: 262144)", 3},
    {"active-timeout", KEY_ACTIVE_TIMEOUT, "SECONDS", 0,
     "report a flow that goes on this often (default: 60)", 3},
    {"idle-timeout", KEY_IDLE_TIMEOUT, "SECONDS", 0, "silence that ends a flow (default: 30)", 3},
    {"tcp-idle-timeout", KEY_TCP_IDLE_TIMEOUT, "SECONDS", 0,
     "silence that ends a TCP connection which had packets both ways (default: 300)", 3},

    {0, 0, 0, 0, "Export:", 4},
    {"exporter", KEY_EXPORTER, "LIST", 0,
     "otlp, console, or both as a comma list (default: otlp if there is an endpoint, else console)",
     4},
    {"otlp-endpoint", KEY_ENDPOINT, "URL", 0,
     "OTLP/HTTP base URL, /v1/traces and /v1/metrics are appended (default: "
     "OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318)",
     4},
    {"otel-endpoint", 0, 0, OPTION_ALIAS, 0, 4},
    {"interval", KEY_INTERVAL, "SECONDS", 0,
     "how often metrics leave (default: OTEL_METRIC_EXPORT_INTERVAL, else 10)", 4},
    {"logs", KEY_LOGS, 0, 0, "send events, such as refused connections, as log records", 4},
    {"environment", KEY_ENVIRONMENT, "NAME", 0,
     "resource attribute deployment.environment (default: none)", 4},

    {0, 0, 0, 0, "Running:", 5},
    {"workers", KEY_WORKERS, "N", 0,
     "threads, each with its ring buffer (default: a quarter of the CPUs, 1 to 4)", 5},
    {"ring-size", KEY_RING_SIZE, "BYTES", 0,
     "ring buffer of each worker, a power of two, K, M and G are understood (default: 4M)", 5},
    {"duration", KEY_DURATION, "SECONDS", 0, "stop after this long (default: at a signal)", 5},
    {"shutdown-timeout", KEY_SHUTDOWN_TIMEOUT, "SECONDS", 0,
     "longest time to send what is left at the end (default: 10)", 5},
    {"verbose", KEY_VERBOSE, 0, 0, "say more", 5},
    {"quiet", KEY_QUIET, 0, 0, "say only warnings and errors", 5},
    {0, 0, 0, 0, "Help:", -1},
    {0}};

static const char option_doc[] =
    "Watches network interfaces from XDP and TC: counts every packet, turns flows into "
    "OpenTelemetry spans.\v"
    "Sizes are bytes, times are seconds and may have three decimals. Options win over OTEL_* "
    "variables, which win over defaults. Exit codes: 0 clean, 1 failure at run time, 64 usage.";

struct parse {
	struct options *o;
	struct options_given given;
	const char *site_key;
};

static void __attribute__((noreturn, format(printf, 1, 2))) refuse(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_error("%s", text);
	exit(EX_USAGE);
}

static void check(int err, const char *option, const char *given, const char *why)
{
	if (err)
		refuse("%s '%.100s': %s", option, given, why);
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	char why[OPTIONS_WHY_CAP];
	uint64_t v = 0;

	check(options_value_number(text, min, max, &v, why), option, text, why);
	return v;
}

static uint32_t seconds(const char *option, const char *text, uint32_t min_ms, uint32_t max_ms)
{
	char why[OPTIONS_WHY_CAP];
	uint32_t v = 0;

	check(options_value_seconds(text, min_ms, max_ms, &v, why), option, text, why);
	return v;
}

/* The index of @text in @words. */
static int choice(const char *option, const char *text, const char *const *words, int len,
		  const char *all)
{
	int i;

	for (i = 0; i < len; i++)
		if (!strcmp(text, words[i]))
			return i;
	refuse("%s '%.100s': no such choice: give one of %s", option, text, all);
}

static int add_interface(struct options *o, const char *name)
{
	size_t i;

	if (!*name || strlen(name) >= IFNAMSIZ)
		refuse("--interface '%.100s': not a name of an interface: give 1 to %d characters",
		       name, IFNAMSIZ - 1);
	for (i = 0; i < o->interfaces_len; i++)
		if (!strcmp(o->interfaces[i], name))
			refuse("--interface '%s': given twice: name each interface once", name);
	if (o->interfaces_len == FLOW_MAX_IFS)
		refuse("--interface '%s': one too many: at most %d interfaces", name, FLOW_MAX_IFS);
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

static int set_exporters(struct options_given *given, const char *text)
{
	static const char *const words[] = {"otlp", "console"};
	char *copy = strdup(text), *rest = copy, *word;

	if (!copy)
		return ENOMEM;
	given->exporter = true;
	given->exporter_otlp = given->exporter_console = false;
	while ((word = strsep(&rest, ",")))
		if (choice("--exporter", word, words, 2, "otlp, console, or otlp,console") == 0)
			given->exporter_otlp = true;
		else
			given->exporter_console = true;
	free(copy);
	return 0;
}

static void set_endpoint(struct options_given *given, const char *url)
{
	char why[OPTIONS_WHY_CAP];

	if (given->endpoint)
		refuse("--otlp-endpoint: given twice: one endpoint for now; a Collector can "
		       "forward to "
		       "several");
	if (options_value_url(url, false, why))
		/* what stands before an @ may be a password */
		refuse("--otlp-endpoint '%.100s': %s", strchr(url, '@') ? "…" : url, why);
	given->endpoint = url;
}

static error_t parse_export(int key, char *arg, struct parse *p)
{
	switch (key) {
	case KEY_EXPORTER:
		return set_exporters(&p->given, arg);
	case KEY_ENDPOINT:
		set_endpoint(&p->given, arg);
		return 0;
	case KEY_INTERVAL:
		p->given.interval = true;
		p->o->interval_ms = seconds("--interval", arg, 100, 3600000);
		return 0;
	case KEY_LOGS:
		p->o->has_logs = true;
		return 0;
	case KEY_ENVIRONMENT:
		if (!*arg)
			refuse("--environment '': empty: give a name, such as production");
		p->given.environment = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_running(int key, char *arg, struct options *o)
{
	char why[OPTIONS_WHY_CAP];

	switch (key) {
	case KEY_WORKERS:
		o->workers = (unsigned)number("--workers", arg, 1, FLOW_MAX_WORKERS);
		return 0;
	case KEY_RING_SIZE:
		check(options_value_ring(arg, &o->ring_bytes, why), "--ring-size", arg, why);
		return 0;
	case KEY_DURATION:
		o->duration_ms = seconds("--duration", arg, 1, 30 * DAY_MS);
		return 0;
	case KEY_SHUTDOWN_TIMEOUT:
		o->shutdown_timeout_ms = seconds("--shutdown-timeout", arg, 0, 3600000);
		return 0;
	case KEY_VERBOSE:
		o->verbosity = LOG_LEVEL_DEBUG;
		return 0;
	case KEY_QUIET:
		o->verbosity = LOG_LEVEL_WARN;
		return 0;
	case ARGP_KEY_ARG:
		refuse("'%.100s': not an option: interfaces are named with --interface", arg);
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	static const char *const modes[] = {"auto", "native", "tc", "generic"};
	static const char *const ways[] = {"auto", "link", "dispatcher"};
	char why[OPTIONS_WHY_CAP];
	struct parse *p = state->input;
	struct options *o = p->o;
	error_t err;

	switch (key) {
	case KEY_INTERFACE:
		return add_interfaces(o, arg);
	case KEY_XDP_MODE:
		o->xdp_mode = choice("--xdp-mode", arg, modes, 4, "auto, native, tc, generic");
		return 0;
	case KEY_XDP_ATTACH:
		o->xdp_attach = choice("--xdp-attach", arg, ways, 3, "auto, link, dispatcher");
		return 0;
	case KEY_SAMPLE:
		check(options_parse_sample(arg, &o->sample_n, why), "--sample", arg, why);
		return 0;
	case KEY_SITE_KEY:
		p->site_key = arg;
		return 0;
	case KEY_MAX_FLOWS:
		o->max_flows = (uint32_t)number("--max-flows", arg, 1, 1 << 24);
		return 0;
	case KEY_ACTIVE_TIMEOUT:
		o->active_timeout_ms = seconds("--active-timeout", arg, 100, DAY_MS);
		return 0;
	case KEY_IDLE_TIMEOUT:
		o->idle_timeout_ms = seconds("--idle-timeout", arg, 100, DAY_MS);
		return 0;
	case KEY_TCP_IDLE_TIMEOUT:
		o->tcp_idle_timeout_ms = seconds("--tcp-idle-timeout", arg, 100, DAY_MS);
		return 0;
	}
	err = parse_export(key, arg, p);
	return err == ARGP_ERR_UNKNOWN ? parse_running(key, arg, o) : err;
}

/* Nobody knows the names of all interfaces by heart. */
static void __attribute__((noreturn)) refuse_no_interface(void)
{
	struct if_nameindex *list = if_nameindex(), *i;
	char names[512] = "";
	size_t len = 0;

	for (i = list; i && i->if_name && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
					i == list ? "" : ", ", i->if_name);
	refuse("no interface to watch: name one with --interface; here are: %s", names);
}

static void set_defaults(struct options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (int i = 0; i < OTLP_SIGNAL_MAX; i++)
		o->batch[i] = (struct options_batch){.delay_ms = 1000, .max_items = 512};
	o->sample_n = 1;
	o->workers = cpus >= 16 ? 4 : cpus >= 8 ? (unsigned)cpus / 4 : 1;
	o->max_flows = 262144;
	o->ring_bytes = 4 << 20;
	o->active_timeout_ms = 60000;
	o->idle_timeout_ms = 30000;
	o->tcp_idle_timeout_ms = 300000;
	o->shutdown_timeout_ms = 10000;
	o->verbosity = LOG_LEVEL_INFO;
}

/* What remains after the command line: checks across options, key, environment. */
static int finish(struct parse *p)
{
	const char *variable = NULL, *value;
	char why[OPTIONS_WHY_CAP];
	struct options *o = p->o;
	int err;

	if (!o->interfaces_len)
		refuse_no_interface();
	options_sample_threshold(o->sample_n, &o->sample_threshold, o->sample_th);
	if (p->site_key)
		check(options_value_site_key(p->site_key, o->site_key, why), "--site-key",
		      p->site_key, why);
	else if (getrandom(o->site_key, sizeof(o->site_key), 0) != sizeof(o->site_key))
		return -EIO;
	err = options_env_export(o, &p->given, &variable, why);
	if (err == -EINVAL) {
		value = getenv(variable);
		refuse("%s='%.100s': %s", variable, value && !strchr(value, '@') ? value : "…",
		       why);
	}
	if (err)
		return err;
	if (!o->export_otlp && !o->export_console)
		log_warn(
		    "nothing is exported: packets are counted, and the ledger says so at the end");
	return options_env_resource(o, &p->given);
}

int options_parse(struct options **ret, int argc, char **argv)
{
	static const struct argp argp = {option_table, parse_one, NULL, option_doc,
					 NULL,	       NULL,	  NULL};
	char version[64];
	struct parse p = {0};
	int err;

	p.o = calloc(1, sizeof(*p.o));
	if (!p.o)
		return -ENOMEM;
	set_defaults(p.o);
	snprintf(version, sizeof(version), "ringspan %s (ABI %d)", RINGSPAN_VERSION,
		 FLOW_ABI_VERSION);
	argp_program_version = version;
	argp_err_exit_status = EX_USAGE;
	err = -argp_parse(&argp, argc, argv, 0, NULL, &p);
	argp_program_version = NULL;
	if (!err)
		err = finish(&p);
	if (err)
		goto fail;
	*ret = p.o;
	return 0;
fail:
	options_destroy(p.o);
	return err;
}

static void free_pairs(struct options_pair *pairs, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		explicit_bzero(pairs[i].value, strlen(pairs[i].value));
		free(pairs[i].value);
		free(pairs[i].name);
	}
	free(pairs);
}

void options_destroy(struct options *o)
{
	size_t i;

	if (!o)
		return;
	for (i = 0; i < o->interfaces_len; i++)
		free((char *)o->interfaces[i]);
	for (i = 0; i < sizeof(o->otlp_url) / sizeof(o->otlp_url[0]); i++)
		free(o->otlp_url[i]);
	free_pairs(o->otlp_headers, o->otlp_headers_len);
	free_pairs(o->resource, o->resource_len);
	explicit_bzero(o, sizeof(*o));
	free(o);
}
