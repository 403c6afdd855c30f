/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_impl - what the parts of options tell each other. Part of options.
 *
 * The command line is read first (options_cli, options_arg); what it leaves open is filled in from
 * the environment: where to (options_otlp), how (options_target, options_headers), the rest
 * (options_sdk), who we are (options_resource).
 */
#ifndef USER_OPTIONS_IMPL_H
#define USER_OPTIONS_IMPL_H

#include "user/options.h"

/* What was on the command line, where that is not to be seen in struct options. Borrows argv. */
struct options_given {
	const char *endpoints[OPTIONS_DESTINATIONS_MAX]; /* valid, all different */
	size_t endpoints_len;
	const char *environment;
	const char *budget;
	const char *site_key; /* a file */
	bool exporter, exporter_otlp, exporter_console;
	bool subnets, metric_cap;
	bool interval, logs, queue_size, queue_sync, retry_budget, sample, verbosity;
	uint32_t retry_budget_ms;
};

/* A complete sentence for the person who has to change something. */
#define OPTIONS_FAULT_CAP 640

/* Ends the process as argp does. 0 or -ENOMEM. */
int options_cli_parse(struct options *o, struct options_given *given, int argc, char **argv);

/* `ringspan ctl …`, the same way. */
int options_ctl_parse(struct options *o, int argc, char **argv);

/* `ringspan tail …`, the same way. */
int options_tail_parse(struct options *o, int argc, char **argv);

/* --control PATH, --events PATH. 0 or ENOMEM. */
int options_ctl_set_path(char **ret, const char *option, const char *path);
/* The interface of the ringspan that is meant; @what is refused, @socket the option to give instead. */
int options_ctl_set_interface(struct options *o, const char *what, const char *socket,
			      const char *name);

/* Ends the process unless @text is words for a filter. */
void options_ctl_check_filter(const char *text);

/* Flow metrics and tenants. 0 or ENOMEM. */
enum options_series {
	OPTIONS_METRIC_ATTRIBUTES,
	OPTIONS_SUBNETS,
	OPTIONS_METRIC_CAP,
	OPTIONS_TENANT_MAP
};
#define OPTIONS_METRIC_CAP_MAX 100000
void options_series_defaults(struct options *o);
int options_series_set(struct options *o, struct options_given *given, enum options_series what,
		       const char *arg);
/* Checks across these, when all are known. */
void options_series_finish(struct options *o, const struct options_given *given);

/* --metrics-listen; ends the process if it is wrong. 0 or ENOMEM. */
int options_pull_set(struct options *o, const char *text);

/* --filter EXPRESSION; ends the process if it is wrong. 0 or ENOMEM. */
int options_filter_set(struct options *o, const char *text);

/* Exporters and URLs. 0; -ENOMEM; -EINVAL and @fault. */
int options_otlp_read(struct options *o, const struct options_given *given,
		      char fault[OPTIONS_FAULT_CAP]);

/* For everything that has a URL, or may get a recorded one: headers, compression, timeout, files.
 * 0; -ENOMEM; -EINVAL and @fault. */
int options_target_read(struct options *o, char fault[OPTIONS_FAULT_CAP]);

/* Batches, limits, metrics, own log; notes about variables that have no effect here. */
void options_sdk_read(struct options *o, const struct options_given *given);

/* 0, -ENOMEM or -EIO. */
int options_resource_read(struct options *o, const struct options_given *given);

#endif /* USER_OPTIONS_IMPL_H */
