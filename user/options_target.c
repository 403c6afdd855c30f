/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How requests are sent. Variables come in layers: OTEL_EXPORTER_OTLP_<SIGNAL>_* above
 * OTEL_EXPORTER_OTLP_*, both for the first destination; above them for the k-th
 * RINGSPAN_OTLP_<k>_*. What can be a secret, headers and the client's certificate, is taken from
 * the destination's own layers only: what was meant for one server is never sent to another. Its
 * headers from a file come on top, for every signal.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_headers.h"
#include "user/options_impl.h"
#include "user/options_secret.h"
#include "user/options_value.h"

#define DEFAULT_TIMEOUT_MS 10000
#define TIMEOUT_MAX_MS 3600000
#define GENERAL "OTEL_EXPORTER_OTLP_"
#define FURTHER "RINGSPAN_OTLP_"
#define FIRST_FILE "RINGSPAN_OTLP_HEADERS_FILE"

enum file { FILE_CA, FILE_CERT, FILE_KEY, FILE_MAX };

static const char *const file_names[FILE_MAX] = {
	[FILE_CA] = "CERTIFICATE", [FILE_CERT] = "CLIENT_CERTIFICATE", [FILE_KEY] = "CLIENT_KEY"};

static const char *const signal_prefix[OTLP_SIGNAL_MAX] = {
	[OTLP_TRACES] = "OTEL_EXPORTER_OTLP_TRACES_",
	[OTLP_METRICS] = "OTEL_EXPORTER_OTLP_METRICS_",
	[OTLP_LOGS] = "OTEL_EXPORTER_OTLP_LOGS_"};

/* The variables that begin with one prefix. */
struct layer {
	char prefix[40];
	bool has_headers, has_gzip, has_timeout, is_insecure, is_scheme_said;
	struct options_pair *headers;
	size_t headers_len;
	bool gzip;
	uint32_t timeout_ms;
	const char *files[FILE_MAX]; /* NULL: not set */
};

/* Who is asked first for one target, then, and so on; the first own_len may have secrets for it. */
struct chain {
	struct layer *layers[3];
	size_t len, own_len;
	const struct layer *file; /* has headers only */
};

typedef char name_buf[80];

static const char *name_of(const char *prefix, const char *rest, name_buf buf)
{
	snprintf(buf, sizeof(name_buf), "%s%s", prefix, rest);
	return buf;
}

/* ---- reading ---- */

static int layer_read(struct layer *l, const char *prefix)
{
	static const char *const words[] = {"none", "gzip", NULL};
	const char *value;
	name_buf name;
	int choice, f;
	uint32_t ms;

	snprintf(l->prefix, sizeof(l->prefix), "%s", prefix);
	choice = options_env_choice(name_of(prefix, "COMPRESSION", name), words, "gzip and none",
				    -1);
	l->has_gzip = choice >= 0;
	l->gzip = choice == 1;
	ms = options_env_number(name_of(prefix, "TIMEOUT", name), 0, TIMEOUT_MAX_MS, "milliseconds",
				UINT32_MAX);
	l->has_timeout = ms != UINT32_MAX;
	l->timeout_ms = ms;
	value = options_env_get(name_of(prefix, "INSECURE", name));
	l->is_insecure = value && !strcasecmp(value, "true");
	for (f = 0; f < FILE_MAX; f++)
		l->files[f] = options_env_get(name_of(prefix, file_names[f], name));
	value = options_env_get(name_of(prefix, "HEADERS", name));
	l->has_headers = value;
	return value ? options_headers_parse(name, value, &l->headers, &l->headers_len) : 0;
}

/* ---- files ---- */

/* The layer that has @file for this target; NULL: none has. */
static struct layer *layer_with(const struct chain *c, enum file file)
{
	size_t i, len = file == FILE_CA ? c->len : c->own_len;

	for (i = 0; i < len; i++)
		if (c->layers[i]->files[file])
			return c->layers[i];
	return NULL;
}

static int take_file(char **ret, const struct layer *l, enum file file, char *fault)
{
	const char *path = l->files[file], *shown = path;
	char why[OPTIONS_WHY_CAP];
	name_buf name;

	if (options_value_file(path, why)) {
		if (strstr(path, "-----BEGIN") || strchr(path, '\n')) {
			shown = "…";
			snprintf(why, sizeof(why),
				 "this is no path: write the text to a file and "
				 "give the path of that");
		}
		snprintf(fault, OPTIONS_FAULT_CAP, "%s='%.200s': %s",
			 name_of(l->prefix, file_names[file], name), shown, why);
		return -EINVAL;
	}
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

static int take_files(struct options_target *t, const struct chain *c, char *fault)
{
	char **const paths[FILE_MAX] = {&t->ca_file, &t->cert_file, &t->key_file};
	struct layer *from[FILE_MAX];
	enum file has, lacks;
	name_buf a, b;
	int f, err;

	for (f = 0; f < FILE_MAX; f++)
		from[f] = layer_with(c, f);
	if (!from[FILE_CERT] != !from[FILE_KEY]) {
		has = from[FILE_CERT] ? FILE_CERT : FILE_KEY;
		lacks = from[FILE_CERT] ? FILE_KEY : FILE_CERT;
		snprintf(fault, OPTIONS_FAULT_CAP,
			 "%s is set, %s is not: a client proves itself with both: set both or none",
			 name_of(from[has]->prefix, file_names[has], a),
			 name_of(from[has]->prefix, file_names[lacks], b));
		return -EINVAL;
	}
	for (f = 0; f < FILE_MAX; f++) {
		err = from[f] ? take_file(paths[f], from[f], f, fault) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* ---- one target ---- */

static int copy_headers(struct options_target *t, const struct layer *l)
{
	size_t i;
	int err = 0;

	for (i = 0; i < l->headers_len && !err; i++)
		err = options_pair_set(&t->headers, &t->headers_len, l->headers[i].name,
				       l->headers[i].value, strcasecmp);
	return err;
}

/* Only the scheme decides whether a connection is encrypted: who may believe otherwise is told. */
static void warn_of_scheme(const struct options_target *t, const struct chain *c)
{
	bool is_tls = !strncasecmp(t->url, "https:", 6);
	struct layer *l;
	size_t i;
	int f;

	for (i = 0; i < c->own_len; i++) {
		l = c->layers[i];
		for (f = 0; f < FILE_MAX && !l->files[f]; f++)
			;
		if (l->is_scheme_said || (is_tls ? !l->is_insecure : f == FILE_MAX))
			continue;
		l->is_scheme_said = true;
		if (is_tls)
			log_warn("%sINSECURE ignored: the scheme of the endpoint decides, and "
				 "https:// is always verified",
				 l->prefix);
		else
			log_warn("%s%s has no effect on an http:// endpoint, which is not "
				 "encrypted: give an https:// endpoint",
				 l->prefix, file_names[f]);
	}
}

static int target_fill(struct options_target *t, const struct chain *c, char *fault)
{
	const struct layer *l, *headers = NULL;
	size_t i;
	int err;

	t->timeout_ms = DEFAULT_TIMEOUT_MS;
	for (i = c->len; i-- > 0;) {
		l = c->layers[i];
		if (l->has_gzip)
			t->gzip = l->gzip;
		if (l->has_timeout)
			t->timeout_ms = l->timeout_ms;
		if (l->has_headers && i < c->own_len)
			headers = l;
	}
	err = take_files(t, c, fault);
	if (!err && headers)
		err = copy_headers(t, headers);
	if (!err)
		err = copy_headers(t, c->file);
	if (!err && t->url)
		warn_of_scheme(t, c);
	return err;
}

/* ---- all of them ---- */

/* One line, however many signals ask for another protocol. */
static void warn_of_protocol(const bool *in_use)
{
	const char *value, *prefix;
	name_buf name;
	int s;

	for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
		if (!in_use[s])
			continue;
		prefix = signal_prefix[s];
		value = options_env_get(name_of(prefix, "PROTOCOL", name));
		if (!value)
			value = options_env_get(name_of(GENERAL, "PROTOCOL", name));
		if (!value || !strcasecmp(value, "http/protobuf"))
			continue;
		log_warn("%s='%.40s' ignored: ringspan speaks http/protobuf only; its port is "
			 "usually 4318, where that of grpc is 4317",
			 name, value);
		return;
	}
}

/* A typing error here would send data without the header it needs. */
static void warn_of_strangers(size_t destinations)
{
	static const char *const known[] = {"HEADERS",	   "HEADERS_FILE",	 "COMPRESSION",
					    "TIMEOUT",	   "CERTIFICATE",	 "CLIENT_CERTIFICATE",
					    "CLIENT_KEY"};
	const size_t skip = strlen(FURTHER);
	const char *rest;
	size_t len, i;
	char **e;

	for (e = environ; *e; e++) {
		if (strncmp(*e, FURTHER, skip))
			continue;
		rest = *e + skip;
		len = strcspn(*e, "=");
		if (!(*e)[len] || !(*e)[len + 1])
			continue;
		if (len == strlen(FIRST_FILE) && !strncmp(*e, FIRST_FILE, len))
			continue;
		if (isdigit((unsigned char)rest[0]) && rest[1] == '_' && rest[0] >= '2' &&
		    (size_t)(rest[0] - '0') <= destinations) {
			for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
				if (len == skip + 2 + strlen(known[i]) &&
				    !strncmp(rest + 2, known[i], strlen(known[i])))
					break;
			if (i < sizeof(known) / sizeof(known[0]))
				continue;
		}
		log_warn("%.*s ignored: there are " FIRST_FILE " and " FURTHER
			 "<k>_HEADERS, _HEADERS_FILE, _COMPRESSION, _TIMEOUT, _CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY, where k counts the "
			 "--otlp-endpoint options from 2 on; given: %zu",
			 (int)(len < 80 ? len : 80), *e, destinations);
	}
}

static int read_destination(struct options *o, size_t d, struct layer *signals,
			    struct layer *general, const bool *in_use, char *fault)
{
	struct layer further = {0}, file = {0};
	struct chain chain;
	char prefix[40];
	name_buf name;
	int s, err = 0;

	if (d) {
		snprintf(prefix, sizeof(prefix), FURTHER "%zu_", d + 1);
		err = layer_read(&further, prefix);
	}
	if (!err)
		err = options_secret_headers(d ? name_of(prefix, "HEADERS_FILE", name) : FIRST_FILE,
					     &file.headers, &file.headers_len, fault);
	for (s = 0; s < OTLP_SIGNAL_MAX && !err; s++) {
		if (!in_use[s])
			continue;
		chain = d ? (struct chain){{&further, &signals[s], general}, 3, 1, &file}
			  : (struct chain){{&signals[s], general}, 2, 2, &file};
		err = target_fill(&o->otlp[d][s], &chain, fault);
	}
	options_pairs_free(further.headers, further.headers_len);
	options_pairs_free(file.headers, file.headers_len);
	return err;
}

int options_target_read(struct options *o, char fault[OPTIONS_FAULT_CAP])
{
	struct layer general = {0}, signals[OTLP_SIGNAL_MAX] = {0};
	bool in_use[OTLP_SIGNAL_MAX];
	int s, err;
	size_t d;

	if (!o->otlp_len)
		return 0;
	err = layer_read(&general, GENERAL);
	for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
		in_use[s] = !o->otlp_given || o->otlp[0][s].url;
		if (in_use[s] && !err)
			err = layer_read(&signals[s], signal_prefix[s]);
	}
	for (d = 0; d < o->otlp_len && !err; d++)
		err = read_destination(o, d, signals, &general, in_use, fault);
	if (!err) {
		warn_of_protocol(in_use);
		warn_of_strangers(o->otlp_len);
	}
	options_pairs_free(general.headers, general.headers_len);
	for (s = 0; s < OTLP_SIGNAL_MAX; s++)
		options_pairs_free(signals[s].headers, signals[s].headers_len);
	return err;
}
