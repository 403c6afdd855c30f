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

static int export_create_encoder(struct otlp_encoder **ret, const struct options *o)
{
	struct otlp_attr *attrs = calloc(o->resource_len + 1, sizeof(*attrs));
	struct otlp_source source = {
		.resource = {attrs, o->resource_len},
		.scope_name = OTLP_STR("ringspan"),
		.scope_version = OTLP_STR(RINGSPAN_VERSION),
	};
	int err = -ENOMEM;
	size_t i;

	for (i = 0; attrs && i < o->resource_len; i++)
		attrs[i] = (struct otlp_attr){.key = export_str(o->resource[i].name),
					      .type = OTLP_STRING,
					      .value.string = export_str(o->resource[i].value)};
	if (attrs)
		err = otlp_encoder_create(ret, &source);
	if (err)
		log_error("cannot export: %s", strerror(-err));
	else
		otlp_encoder_limit(*ret, &o->limits);
	free(attrs);
	return err;
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

/* Its headers go to @headers, which has the room. */
static struct otlp_target export_target(const struct options_target *from,
					struct otlp_header *headers)
{
	size_t i;

	for (i = 0; i < from->headers_len; i++)
		headers[i] = (struct otlp_header){from->headers[i].name, from->headers[i].value};
	return (struct otlp_target){.url = from->url,
				    .headers = headers,
				    .headers_len = from->headers_len,
				    .gzip = from->gzip,
				    .timeout_ms = from->timeout_ms,
				    .ca_file = from->ca_file,
				    .cert_file = from->cert_file,
				    .key_file = from->key_file};
}

static int export_create(struct otlp_exporter **ret, const struct options *o,
			 const struct otlp_destination *destinations, size_t len)
{
	struct otlp_exporter_opts opts = {
		.destinations = destinations,
		.destinations_len = len,
		.connections = o->connections,
		.queue_dir = o->queue_dir,
		.queue_window_ms = o->queue_window_ms,
		.event = export_event,
	};
	char error[OTLP_ERROR_CAP];
	int err, s;

	if (o->queue_dir)
		opts.queue_disk_bytes = o->queue_bytes;
	else
		opts.queue_bytes = o->queue_bytes;
	for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
		opts.retry_budget_ms[s] = o->batch[s].retry_budget_ms;
		opts.queue_items[s] = o->batch[s].queue_items;
	}
	err = otlp_exporter_create(ret, &opts, error);
	if (err)
		log_error("cannot export: %s", error);
	return err;
}

int export_open(struct otlp_encoder **ret_encoder, struct otlp_exporter **ret_exporter,
		const struct options *o)
{
	struct otlp_destination *destinations = calloc(o->otlp_len + 1, sizeof(*destinations));
	struct otlp_header *headers;
	size_t total = 0, i, s;
	int err = -ENOMEM;

	for (i = 0; i < o->otlp_len; i++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++)
			total += o->otlp[i][s].headers_len;
	headers = calloc(total + 1, sizeof(*headers));
	if (!destinations || !headers)
		goto out;
	for (i = 0, total = 0; i < o->otlp_len; i++)
		for (s = 0; s < OTLP_SIGNAL_MAX; s++) {
			destinations[i].target[s] = export_target(&o->otlp[i][s], &headers[total]);
			total += o->otlp[i][s].headers_len;
		}
	err = export_create_encoder(ret_encoder, o);
	if (!err && o->export_otlp)
		err = export_create(ret_exporter, o, destinations, o->otlp_len);
out:
	free(headers);
	free(destinations);
	return err;
}

int export_open_routes(struct otlp_exporter **ret, const struct options *o,
		       const struct export_route *routes, size_t routes_len)
{
	struct otlp_destination *destinations = calloc(routes_len + 1, sizeof(*destinations));
	struct otlp_header *headers;
	size_t total = 0, i;
	int err = -ENOMEM;

	for (i = 0; i < routes_len; i++)
		total += o->otlp[routes[i].destination][routes[i].signal].headers_len;
	headers = calloc(total + 1, sizeof(*headers));
	if (!destinations || !headers)
		goto out;
	for (i = 0, total = 0; i < routes_len; i++) {
		const struct options_target *from =
			&o->otlp[routes[i].destination][routes[i].signal];
		struct otlp_target *t = &destinations[i].target[routes[i].signal];

		*t = export_target(from, &headers[total]);
		t->url = routes[i].url;
		t->queue_name = routes[i].queue_name;
		total += from->headers_len;
	}
	err = export_create(ret, o, destinations, routes_len);
out:
	free(headers);
	free(destinations);
	return err;
}
