/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_env - what the OTEL_* variables say, where the command line left it open. Part of
 * options.
 *
 * Follows OpenTelemetry's "Environment Variable Specification" and "OTLP Exporter": an empty
 * variable is an unset one, a bad value is warned about and ignored. Only a bad URL is an error:
 * data would go elsewhere than was meant.
 */
#ifndef USER_OPTIONS_ENV_H
#define USER_OPTIONS_ENV_H

#include "user/options.h"

/* What was on the command line; NULL or false: nothing. */
struct options_given {
	const char *endpoint; /* valid */
	const char *environment;
	bool exporter, exporter_otlp, exporter_console;
	bool interval;
};

/* Fills in exporters, URLs, headers, transfer, interval. 0; -ENOMEM; -EINVAL: *variable is set, or
 * the option of which @why says what is wrong. */
int options_env_export(struct options *o, const struct options_given *given, const char **variable,
		       char why[OPTIONS_WHY_CAP]);

/* Fills in the resource. 0 or -ENOMEM. */
int options_env_resource(struct options *o, const struct options_given *given);

#endif /* USER_OPTIONS_ENV_H */
