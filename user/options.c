/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line is read first and completely, then the environment fills in what it left open:
 * so precedence is the order of the code. Whoever types something wrong gets one line that says
 * what was given, why it is wrong and what is right, and exit code 64 (EX_USAGE).
 */
#include "user/options.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "user/log.h"
#include "user/options_arg.h"
#include "user/options_budget.h"
#include "user/options_env.h"
#include "user/options_impl.h"
#include "user/options_secret.h"
#include "user/options_value.h"

#define MIB (1ULL << 20)

/* Nobody knows the names of all interfaces by heart. */
static void __attribute__((noreturn)) refuse_no_interface(void)
{
	struct if_nameindex *list = if_nameindex(), *i;
	char names[512] = "";
	size_t len = 0;

	for (i = list; i && i->if_name && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
					i == list ? "" : ", ", i->if_name);
	options_arg_refuse("no interface to watch: name one with --interface; here are: %s", names);
}

static void set_defaults(struct options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	o->sample_n = 1;
	o->sample_auto = true;
	options_budget_default(&o->budget);
	o->workers = cpus >= 16 ? 4 : cpus >= 8 ? (unsigned)cpus / 4 : 1;
	o->max_flows = 262144;
	o->ring_bytes = 4 << 20;
	o->active_timeout_ms = 60000;
	o->idle_timeout_ms = 30000;
	o->tcp_idle_timeout_ms = 300000;
	o->connections = 1;
	o->queue_window_ms = 100;
	o->shutdown_timeout_ms = 10000;
	o->verbosity = LOG_LEVEL_INFO;
	options_series_defaults(o);
}

static void finish_queue(struct options *o, const struct options_given *given)
{
	if (o->command != OPTIONS_WATCH)
		o->queue_bytes = MIB * MIB; /* what is on disk already is never too much */
	else if (!given->queue_size)
		o->queue_bytes = o->queue_dir ? 1024 * MIB : 32 * MIB;
	if (given->queue_sync && !o->queue_dir)
		log_warn("--queue-sync has no effect without --queue-dir: what waits is in memory "
			 "only");
}

static int finish_watch(struct options *o, const struct options_given *given)
{
	const char *name = "--site-key", *key = given->site_key;
	char why[OPTIONS_WHY_CAP];

	if (!o->interfaces_len)
		refuse_no_interface();
	if (given->budget && !o->sample_auto)
		options_arg_refuse("--budget '%.100s': of no use with a fixed --sample: leave one of "
				   "them out",
				   given->budget);
	options_sample_threshold(o->sample_n, &o->sample_threshold, o->sample_th);
	options_series_finish(o, given);
	if (!key) {
		name = "RINGSPAN_SITE_KEY_FILE";
		key = options_env_get(name);
		if (key && options_secret_is_empty(key)) /* a credential that nobody gave */
			key = NULL;
	}
	if (key)
		options_arg_check(options_value_site_key(key, o->site_key, why), name, key, why);
	else if (getrandom(o->site_key, sizeof(o->site_key), 0) != sizeof(o->site_key))
		return -EIO;
	return 0;
}

/* What remains after the command line: checks across options, key, environment. */
static int finish(struct options *o, const struct options_given *given)
{
	char fault[OPTIONS_FAULT_CAP];
	int err = 0;

	if (o->command == OPTIONS_CTL || o->command == OPTIONS_TAIL)
		return 0;
	if (o->command == OPTIONS_WATCH)
		err = finish_watch(o, given);
	if (err)
		return err;
	finish_queue(o, given);
	options_sdk_read(o, given);
	if (o->command == OPTIONS_QUEUE_LS)
		return 0;
	err = options_otlp_read(o, given, fault);
	if (!err)
		err = options_target_read(o, fault);
	if (err == -EINVAL)
		options_arg_refuse("%s", fault);
	if (err || o->command != OPTIONS_WATCH)
		return err;
	if (!o->export_otlp && !o->export_console && !o->metrics_listen)
		log_warn("nothing is exported: packets are counted, and the ledger says so at the "
			 "end");
	return options_resource_read(o, given);
}

int options_parse(struct options **ret, int argc, char **argv)
{
	struct options_given given = {0};
	struct options *o;
	int err;

	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	set_defaults(o);
	err = options_cli_parse(o, &given, argc, argv);
	if (!err)
		err = finish(o, &given);
	if (err)
		goto fail;
	*ret = o;
	return 0;
fail:
	options_destroy(o);
	return err;
}

static void reset_target(struct options_target *t)
{
	free(t->url);
	options_pairs_free(t->headers, t->headers_len);
	free(t->ca_file);
	free(t->cert_file);
	free(t->key_file);
}

void options_destroy(struct options *o)
{
	size_t i, s;

	if (!o)
		return;
	for (i = 0; i < o->interfaces_len; i++)
		free((char *)o->interfaces[i]);
	for (i = 0; i < OPTIONS_DESTINATIONS_MAX; i++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++)
			reset_target(&o->otlp[i][s]);
	free(o->filter);
	free(o->queue_dir);
	free(o->metrics_listen);
	free(o->control);
	free(o->ctl_request);
	tenant_map_destroy(o->tenants);
	free(o->events);
	free(o->asked_interface);
	free(o->tail_filter);
	options_pairs_free(o->resource, o->resource_len);
	explicit_bzero(o, sizeof(*o));
	free(o);
}
