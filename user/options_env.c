/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_env.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "otlp/otlp.h"
#include "user/log.h"
#include "user/options_value.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"
#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_INTERVAL_MS 10000

struct signal_names {
	const char *exporter; /* variable */
	const char *endpoint; /* variable */
	const char *path;
};

static const struct signal_names signal_names[] = {
    [OTLP_TRACES] = {"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "v1/traces"},
    [OTLP_METRICS] = {"OTEL_METRICS_EXPORTER", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "v1/metrics"},
};
#define SIGNALS (sizeof(signal_names) / sizeof(signal_names[0]))

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static uint32_t env_ms(const char *name, uint32_t min, uint32_t max, uint32_t otherwise)
{
	const char *value = env(name);
	char why[OPTIONS_WHY_CAP];
	uint64_t v;

	if (!value)
		return otherwise;
	if (options_value_number(value, min, max, &v, why)) {
		log_warn("%s='%.40s' ignored (%s milliseconds): using %u", name, value, why,
			 otherwise);
		return otherwise;
	}
	return (uint32_t)v;
}

/* Cuts the next element off a comma list, without the spaces around it; NULL at the end. */
static char *next_element(char **list)
{
	char *element = strsep(list, ","), *end;

	if (!element)
		return NULL;
	while (isspace((unsigned char)*element))
		element++;
	end = element + strlen(element);
	while (end > element && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return element;
}

/* Splits "name = value"; false without '='. */
static bool split_pair(char *element, char **name, char **value)
{
	char *equals = strchr(element, '='), *end;

	if (!equals)
		return false;
	for (end = equals; end > element && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	*name = element;
	*value = equals + 1 + strspn(equals + 1, " \t");
	return true;
}

/* Adds a pair, or gives an older one of that name the new value. */
static int pair_set(struct options_pair **list, size_t *len, const char *name, const char *value,
		    int (*compare)(const char *, const char *))
{
	struct options_pair *grown;
	char *copy = strdup(value);
	size_t i;

	if (!copy)
		return -ENOMEM;
	for (i = 0; i < *len; i++)
		if (!compare((*list)[i].name, name)) {
			explicit_bzero((*list)[i].value, strlen((*list)[i].value));
			free((*list)[i].value);
			(*list)[i].value = copy;
			return 0;
		}
	grown = reallocarray(*list, *len + 1, sizeof(**list));
	if (!grown)
		goto fail;
	*list = grown;
	grown[*len].name = strdup(name);
	if (!grown[*len].name)
		goto fail;
	grown[(*len)++].value = copy;
	return 0;
fail:
	free(copy);
	return -ENOMEM;
}

/* ---- where to ---- */

/* What OTEL_<SIGNAL>_EXPORTER asks for. False: it is not set, or says nothing we know. */
static bool env_exporter(const char *name, bool *ret_otlp, bool *ret_console)
{
	const char *value = env(name);
	char copy[128], *list = copy, *e;
	bool is_known = false;

	*ret_otlp = *ret_console = false;
	if (!value)
		return false;
	snprintf(copy, sizeof(copy), "%s", value);
	while ((e = next_element(&list))) {
		if (!strcasecmp(e, "otlp"))
			*ret_otlp = is_known = true;
		else if (!strcasecmp(e, "console"))
			*ret_console = is_known = true;
		else if (!strcasecmp(e, "none"))
			is_known = true;
		else
			log_warn("%s: exporter '%.40s' ignored: there are otlp, console and none",
				 name, e);
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

/* Sets o->otlp_url[signal]. @is_asked: OTLP was named, so that there is a default. */
static int signal_url(struct options *o, size_t signal, const char *option, bool is_asked,
		      const char **variable, char *why)
{
	const struct signal_names *names = &signal_names[signal];
	const char *own = option ? NULL : env(names->endpoint);
	const char *base = option ? option : env("OTEL_EXPORTER_OTLP_ENDPOINT");

	if (!own && !base && !is_asked)
		return 0;
	*variable = own ? names->endpoint : "OTEL_EXPORTER_OTLP_ENDPOINT";
	if (own ? options_value_url(own, true, why) : base && options_value_url(base, false, why))
		return -EINVAL;
	o->otlp_url[signal] =
	    own ? url_complete(own) : url_join(base ? base : DEFAULT_ENDPOINT, names->path);
	return o->otlp_url[signal] ? 0 : -ENOMEM;
}

static bool env_has_endpoint(void)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		if (env(signal_names[i].endpoint))
			return true;
	return env("OTEL_EXPORTER_OTLP_ENDPOINT");
}

static bool env_is_disabled(void)
{
	const char *value = env("OTEL_SDK_DISABLED");

	if (!value || !strcasecmp(value, "false"))
		return false;
	if (!strcasecmp(value, "true"))
		return true;
	log_warn("OTEL_SDK_DISABLED='%.40s' ignored: only true and false have a meaning", value);
	return false;
}

/* The option decides; else each signal's variable; else OTLP where there is an endpoint, and the
 * console where there is none. */
static int choose_exporters(struct options *o, const struct options_given *given,
			    const char **variable, char *why)
{
	bool has_endpoint = given->endpoint || env_has_endpoint();
	bool otlp, console, is_set;
	size_t i;
	int err;

	o->export_console = given->exporter ? given->exporter_console : false;
	for (i = 0; i < SIGNALS; i++) {
		otlp = given->exporter_otlp;
		if (!given->exporter) {
			is_set = env_exporter(signal_names[i].exporter, &otlp, &console);
			o->export_console |= is_set ? console : !has_endpoint && i == OTLP_TRACES;
			if (!is_set && has_endpoint) {
				err = signal_url(o, i, given->endpoint, false, variable, why);
				if (err)
					return err;
			}
		}
		if (!otlp)
			continue;
		err = signal_url(o, i, given->endpoint, true, variable, why);
		if (err)
			return err;
	}
	if (env_is_disabled()) {
		log_warn("OTEL_SDK_DISABLED=true: nothing is sent by OTLP");
		for (i = 0; i < SIGNALS; i++) {
			free(o->otlp_url[i]);
			o->otlp_url[i] = NULL;
		}
	}
	for (i = 0; i < SIGNALS; i++)
		o->export_otlp |= o->otlp_url[i] != NULL;
	return 0;
}

/* ---- headers ---- */

static bool is_token(const char *s)
{
	const char *p;

	for (p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p))
			return false;
	return p != s;
}

static bool is_ours(const char *name)
{
	static const char *const ours[] = {
	    "content-type", "content-length", "content-encoding", "transfer-encoding",
	    "connection",   "host",	      "expect",		  "accept-encoding"};
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcasecmp(name, ours[i]))
			return true;
	return false;
}

static const char *header_fault(const char *name, char *value)
{
	if (!is_token(name))
		return "its name is not a header name";
	if (is_ours(name))
		return "ringspan sets this header itself";
	if (options_value_percent_decode(value))
		return "its value has a broken percent sequence";
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return "its value has a line break or control character";
	return NULL;
}

/* Neither names nor values are shown: a key that was pasted wrongly may stand for either. */
static int env_headers(struct options *o)
{
	const char *variable = "OTEL_EXPORTER_OTLP_HEADERS", *value = env(variable), *fault;
	char *copy, *list, *e, *name, *text;
	unsigned position = 0;
	int err = 0;

	if (!value)
		return 0;
	copy = list = strdup(value);
	if (!copy)
		return -ENOMEM;
	while (!err && (e = next_element(&list))) {
		position++;
		if (!*e)
			continue;
		fault = split_pair(e, &name, &text) ? header_fault(name, text)
						    : "it is not of the form name=value";
		if (fault)
			log_warn("%s: pair %u ignored: %s", variable, position, fault);
		else
			err = pair_set(&o->otlp_headers, &o->otlp_headers_len, name, text,
				       strcasecmp);
	}
	explicit_bzero(copy, strlen(value));
	free(copy);
	return err;
}

int options_env_export(struct options *o, const struct options_given *given, const char **variable,
		       char why[OPTIONS_WHY_CAP])
{
	const char *value;
	int err;

	if (!given->interval)
		o->interval_ms =
		    env_ms("OTEL_METRIC_EXPORT_INTERVAL", 100, 3600000, DEFAULT_INTERVAL_MS);
	o->otlp_timeout_ms = env_ms("OTEL_EXPORTER_OTLP_TIMEOUT", 0, 3600000, DEFAULT_TIMEOUT_MS);
	value = env("OTEL_EXPORTER_OTLP_COMPRESSION");
	o->otlp_gzip = value && !strcasecmp(value, "gzip");
	if (value && !o->otlp_gzip && strcasecmp(value, "none"))
		log_warn("OTEL_EXPORTER_OTLP_COMPRESSION='%.40s' ignored: there are gzip and none",
			 value);
	value = env("OTEL_EXPORTER_OTLP_PROTOCOL");
	if (value && strcasecmp(value, "http/protobuf"))
		log_warn(
		    "OTEL_EXPORTER_OTLP_PROTOCOL='%.40s' ignored: ringspan speaks http/protobuf",
		    value);
	err = choose_exporters(o, given, variable, why);
	return err ? err : env_headers(o);
}

/* ---- who we are ---- */

static int resource_set(struct options *o, const char *name, const char *value)
{
	return *value ? pair_set(&o->resource, &o->resource_len, name, value, strcmp) : 0;
}

static int resource_host(struct options *o)
{
	static const char *const arch[][2] = {{"x86_64", "amd64"},
					      {"aarch64", "arm64"},
					      {"armv7l", "arm32"},
					      {"i686", "x86"},
					      {"ppc64le", "ppc64"}};
	struct utsname u;
	char id[33] = "";
	FILE *f;
	size_t i;
	int err;

	if (uname(&u))
		return 0;
	for (i = 0; i < sizeof(arch) / sizeof(arch[0]); i++)
		if (!strcmp(u.machine, arch[i][0]))
			snprintf(u.machine, sizeof(u.machine), "%s", arch[i][1]);
	f = fopen("/etc/machine-id", "re");
	if (f) {
		if (!fgets(id, sizeof(id), f) || strspn(id, "0123456789abcdef") != 32)
			id[0] = '\0';
		fclose(f);
	}
	err = resource_set(o, "host.name", u.nodename);
	if (!err)
		err = resource_set(o, "host.id", id);
	if (!err)
		err = resource_set(o, "host.arch", u.machine);
	return err;
}

/* A random UUID (version 4): two runs on a host are two writers of metrics. */
static int resource_instance(struct options *o)
{
	uint8_t r[16];
	char text[37];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return -EIO;
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	snprintf(text, sizeof(text),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
		 r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
		 r[15]);
	return resource_set(o, "service.instance.id", text);
}

/* One pass checks (@o is NULL), the next sets: an error anywhere drops the whole variable. */
static int resource_from(struct options *o, const char *value)
{
	char *copy = strdup(value), *list = copy, *e, *name, *text;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (e = next_element(&list))) {
		if (!split_pair(e, &name, &text) || options_value_percent_decode(name) || !*name ||
		    options_value_percent_decode(text))
			err = -EINVAL;
		else if (o)
			err = resource_set(o, name, text);
	}
	free(copy);
	return err;
}

int options_env_resource(struct options *o, const struct options_given *given)
{
	const char *attributes = env("OTEL_RESOURCE_ATTRIBUTES"), *name = env("OTEL_SERVICE_NAME");
	int err;

	err = resource_set(o, "service.name", "xdp-packet-counter");
	if (!err)
		err = resource_set(o, "service.version", RINGSPAN_VERSION);
	if (!err)
		err = resource_instance(o);
	if (!err)
		err = resource_host(o);
	if (!err)
		err = resource_set(o, "os.type", "linux");
	if (!err && attributes) {
		err = resource_from(NULL, attributes);
		if (err == -EINVAL)
			log_warn("OTEL_RESOURCE_ATTRIBUTES ignored as a whole: it must be "
				 "name=value,name=value, with ',' '=' and '%%' in them as %%2C "
				 "%%3D %%25");
		err = err ? (err == -EINVAL ? 0 : err) : resource_from(o, attributes);
	}
	if (!err && name)
		err = resource_set(o, "service.name", name);
	if (!err && given->environment)
		err = resource_set(o, "deployment.environment", given->environment);
	return err;
}
