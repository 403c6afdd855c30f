/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command lines: watching (no subcommand), queue ls, queue send. All share what the keys mean;
 * which keys there are is each table's matter. ctl and tail have their own files.
 */
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
#include "user/options_table.h"
#include "user/options_value.h"

#define DAY_MS 86400000u
#define MIB (1ULL << 20)

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
	case KEY_METRICS_LISTEN:
		return options_pull_set(p->o, arg);
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
		o->sample_mode =
			options_arg_choice("--sample-mode", arg, samples, 2, "flow, packet");
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
	static const struct argp ls = {
		options_table_ls, parse_queue, "DIR", options_doc_ls, NULL, NULL, NULL};
	static const struct argp send = {
		options_table_send, parse_queue, "DIR", options_doc_send, NULL, NULL, NULL};
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
	static const struct argp watch = {
		options_table_watch, parse_watch, NULL, options_doc_watch, NULL, NULL, NULL};
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
