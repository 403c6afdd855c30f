/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/log.h"

static struct otlp_str export_str(const char *s)
{
	return (struct otlp_str){s, strlen(s)};
}

static void export_event(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
			 const char *sentence)
{
	(void)ctx;
	(void)signal;
	if (kind == OTLP_EVENT_RECOVERED)
		log_info("%s", sentence);
	else
		log_warn("%s", sentence);
}

static int export_create_encoder(struct otlp_encoder **ret, const struct options *o,
				 struct otlp_attr *attrs)
{
	struct otlp_source source = {
	    .resource = {attrs, o->resource_len},
	    .scope_name = OTLP_STR("ringspan"),
	    .scope_version = OTLP_STR(RINGSPAN_VERSION),
	};
	size_t i;

	for (i = 0; i < o->resource_len; i++)
		attrs[i] = (struct otlp_attr){.key = export_str(o->resource[i].name),
					      .type = OTLP_STRING,
					      .value.string = export_str(o->resource[i].value)};
	return otlp_encoder_create(ret, &source);
}

int export_open(struct otlp_encoder **ret_encoder, struct otlp_exporter **ret_exporter,
		const struct options *o)
{
	struct otlp_attr *attrs = calloc(o->resource_len + 1, sizeof(*attrs));
	const struct options_target *t = &o->otlp[0][o->otlp[0][OTLP_TRACES].url ? OTLP_TRACES
								       : OTLP_METRICS];
	struct otlp_header *headers = calloc(t->headers_len + 1, sizeof(*headers));
	struct otlp_exporter_opts opts = {
	    .headers = headers,
	    .headers_len = t->headers_len,
	    .gzip = t->gzip,
	    .timeout_ms = t->timeout_ms,
	    .retry_budget_ms = o->batch[OTLP_TRACES].retry_budget_ms,
	    .event = export_event,
	};
	struct otlp_encoder *encoder = NULL;
	const char *why = NULL;
	int err = -ENOMEM;
	size_t i;

	if (!attrs || !headers)
		goto out;
	for (i = 0; i < OTLP_SIGNAL_MAX; i++)
		opts.url[i] = o->otlp[0][i].url;
	for (i = 0; i < t->headers_len; i++)
		headers[i] = (struct otlp_header){t->headers[i].name, t->headers[i].value};
	err = export_create_encoder(&encoder, o, attrs);
	if (!err)
		err = otlp_exporter_create(ret_exporter, &opts, &why);
	if (!err) {
		*ret_encoder = encoder;
		encoder = NULL;
	}
out:
	if (err)
		log_error("cannot export: %s", why ? why : strerror(-err));
	otlp_encoder_destroy(encoder);
	free(attrs);
	free(headers);
	return err;
}
