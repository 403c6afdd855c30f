/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which signal goes where. --exporter decides; else each signal's variable; else OTLP where there
 * is an endpoint, and the console where there is none. A bad URL is an error, not a warning: data
 * would go elsewhere than was meant.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_impl.h"
#include "user/options_value.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"
#define ENV_ENDPOINT "OTEL_EXPORTER_OTLP_ENDPOINT"

static const struct {
	const char *exporter; /* variable */
	const char *endpoint; /* variable */
	const char *path;
} signal_names[OTLP_SIGNAL_MAX] = {
	[OTLP_TRACES] = {"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "v1/traces"},
	[OTLP_METRICS] = {"OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
			  "v1/metrics"},
	[OTLP_LOGS] = {"OTEL_LOGS_EXPORTER", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "v1/logs"},
};

/* For one signal. */
enum wish {
	WISH_NONE,
	WISH_WHERE_KNOWN, /* if there is an endpoint */
	WISH_ASKED /* OTLP was named: there is a default endpoint */
};

/* What OTEL_<SIGNAL>_EXPORTER asks for. False: it is not set, or says nothing we know. */
static bool env_exporter(enum otlp_signal signal, bool *ret_otlp, bool *ret_console)
{
	const char *name = signal_names[signal].exporter, *value = options_env_get(name);
	char copy[128], *list = copy, *e;
	bool is_known = false;

	*ret_otlp = *ret_console = false;
	if (!value)
		return false;
	snprintf(copy, sizeof(copy), "%s", value);
	while ((e = options_env_element(&list))) {
		if (!strcasecmp(e, "otlp"))
			*ret_otlp = is_known = true;
		else if (!strcasecmp(e, "console") && signal != OTLP_LOGS)
			*ret_console = is_known = true;
		else if (!strcasecmp(e, "none"))
			is_known = true;
		else
			log_warn("%s: exporter '%.40s' ignored: there are otlp, %s", name, e,
				 signal == OTLP_LOGS
					 ? "none; log records are not written to the console"
					 : "console and none");
	}
	return is_known;
}

/* A base URL and the signal's path, with exactly one '/' between them. */
static char *url_join(const char *base, const char *path)
{
	size_t len = strlen(base);
	char *url;

	while (len && base[len - 1] == '/')
		len--;
	return asprintf(&url, "%.*s/%s", (int)len, base, path) < 0 ? NULL : url;
}

/* A signal's own URL: as it is, but never without a path. */
static char *url_complete(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t len = (size_t)(host - url) + strcspn(host, "/?");
	char *ret;

	return asprintf(&ret, "%.*s%s%s", (int)len, url, url[len] == '/' ? "" : "/", url + len) < 0
		       ? NULL
		       : ret;
}

/* The URL of @signal as the environment has it. */
static int env_url(enum otlp_signal signal, bool is_asked, char **ret, char *fault)
{
	const char *name = signal_names[signal].endpoint, *value = options_env_get(name);
	char why[OPTIONS_WHY_CAP], shown[OPTIONS_URL_SHOWN_CAP];
	bool is_own = value;

	if (!is_own) {
		name = ENV_ENDPOINT;
		value = options_env_get(name);
	}
	if (!value && !is_asked)
		return 0;
	if (value && options_value_url(value, is_own, why)) {
		snprintf(fault, OPTIONS_FAULT_CAP, "%s='%s': %s", name,
			 options_value_url_shown(value, shown), why);
		return -EINVAL;
	}
	*ret = is_own ? url_complete(value)
		      : url_join(value ? value : DEFAULT_ENDPOINT, signal_names[signal].path);
	return *ret ? 0 : -ENOMEM;
}

static int set_urls(struct options *o, const struct options_given *given, const enum wish *wishes,
		    char *fault)
{
	size_t d;
	int s, err = 0;

	o->otlp_len = given->endpoints_len ? given->endpoints_len : 1;
	for (s = 0; s < OTLP_SIGNAL_MAX && !err; s++) {
		if (wishes[s] == WISH_NONE)
			continue;
		if (!given->endpoints_len)
			err = env_url(s, wishes[s] == WISH_ASKED, &o->otlp[0][s].url, fault);
		for (d = 0; d < given->endpoints_len && !err; d++) {
			o->otlp[d][s].url = url_join(given->endpoints[d], signal_names[s].path);
			err = o->otlp[d][s].url ? 0 : -ENOMEM;
		}
		o->export_otlp |= o->otlp[0][s].url != NULL;
	}
	return err;
}

static bool has_endpoint(const struct options_given *given, enum otlp_signal signal)
{
	return given->endpoints_len || options_env_get(ENV_ENDPOINT) ||
	       options_env_get(signal_names[signal].endpoint);
}

/* Spans and metrics; sets o->export_console. */
static void choose_flows(struct options *o, const struct options_given *given, enum wish *wishes)
{
	bool is_known = has_endpoint(given, OTLP_TRACES) || has_endpoint(given, OTLP_METRICS);
	bool otlp, console, is_set;
	int s;

	o->export_console = given->exporter_console;
	for (s = OTLP_TRACES; s <= OTLP_METRICS; s++) {
		if (given->exporter) {
			wishes[s] = given->exporter_otlp ? WISH_ASKED : WISH_NONE;
			continue;
		}
		is_set = env_exporter(s, &otlp, &console);
		wishes[s] = otlp ? WISH_ASKED : !is_set && is_known ? WISH_WHERE_KNOWN : WISH_NONE;
		o->export_console |= is_set ? console : !is_known && s == OTLP_TRACES;
	}
}

/* Log records are off unless somebody wants them, and have no way but OTLP. */
static void choose_logs(const struct options_given *given, enum wish *wishes)
{
	bool otlp, console;

	env_exporter(OTLP_LOGS, &otlp, &console);
	if (given->exporter && !given->exporter_otlp)
		otlp = false;
	else if (given->logs)
		otlp |= has_endpoint(given, OTLP_LOGS) || wishes[OTLP_TRACES] != WISH_NONE ||
			wishes[OTLP_METRICS] != WISH_NONE;
	wishes[OTLP_LOGS] = otlp ? WISH_ASKED : WISH_NONE;
	if (given->logs && !otlp)
		log_warn("--logs has no effect: log records go by OTLP only: give --otlp-endpoint "
			 "or --exporter otlp");
}

int options_otlp_read(struct options *o, const struct options_given *given,
		      char fault[OPTIONS_FAULT_CAP])
{
	bool is_disabled = options_env_is_true("OTEL_SDK_DISABLED");
	enum wish wishes[OTLP_SIGNAL_MAX];
	int s, err;

	for (s = 0; s < OTLP_SIGNAL_MAX; s++)
		o->otlp_given |= has_endpoint(given, s);
	if (o->command == OPTIONS_QUEUE_SEND) {
		if (is_disabled) {
			snprintf(fault, OPTIONS_FAULT_CAP,
				 "OTEL_SDK_DISABLED=true: nothing may be "
				 "sent: unset it to send a queue");
			return -EINVAL;
		}
		for (s = 0; s < OTLP_SIGNAL_MAX; s++)
			wishes[s] = WISH_WHERE_KNOWN;
	} else {
		choose_flows(o, given, wishes);
		choose_logs(given, wishes);
	}
	if (is_disabled) {
		log_warn("OTEL_SDK_DISABLED=true: nothing is sent by OTLP");
		return 0;
	}
	err = set_urls(o, given, wishes, fault);
	if (err)
		return err;
	o->has_logs = o->otlp[0][OTLP_LOGS].url;
	if (o->command == OPTIONS_QUEUE_SEND && !o->otlp_given)
		o->otlp_len = OPTIONS_DESTINATIONS_MAX;
	else if (!o->export_otlp)
		o->otlp_len = 0;
	return 0;
}
