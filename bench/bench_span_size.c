/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_span_size - bytes that a flow's span takes on the wire, before gzip, for typical flows as
 * flow_otlp tells them, in requests of 512 spans with everything that a request has beside them.
 * With --attributes also where these bytes go.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/typical_flows.h"
#include "otlp/encode.h"
#include "user/flow_otlp.h"

#define SPANS 512 /* of a request */
#define CAP (1 << 21)
#define ATTRS_MAX 64
#define TARGET 550
#define INTERVAL 100

static uint8_t request[CAP];
static struct otlp_encoder *encoder;
static struct flow_otlp *otlp;

/* As ringspan has it on a host of no particular kind. */
static const struct otlp_attr resource[] = {
	{.key = OTLP_STR("service.name"), .value.string = OTLP_STR("ringspan")},
	{.key = OTLP_STR("service.version"), .value.string = OTLP_STR("0.1.0")},
	{.key = OTLP_STR("service.instance.id"),
	 .value.string = OTLP_STR("6d1f5a0e-3c1b-4a57-9d6e-0b8f3a2c4d5e")},
	{.key = OTLP_STR("host.name"), .value.string = OTLP_STR("host.example.net")},
	{.key = OTLP_STR("host.id"), .value.string = OTLP_STR("0123456789abcdef0123456789abcdef")},
	{.key = OTLP_STR("host.arch"), .value.string = OTLP_STR("amd64")},
	{.key = OTLP_STR("telemetry.sdk.name"), .value.string = OTLP_STR("ringspan")},
	{.key = OTLP_STR("telemetry.sdk.language"), .value.string = OTLP_STR("c")},
	{.key = OTLP_STR("telemetry.sdk.version"), .value.string = OTLP_STR("0.1.0")},
};
static const struct otlp_source source = {{resource, sizeof(resource) / sizeof(*resource)},
					  OTLP_STR("ringspan"),
					  OTLP_STR("0.1.0"),
					  OTLP_STR("")};

static void add_span(struct otlp_batch *b, const struct otlp_span *span)
{
	if (otlp_batch_add_span(b, span))
		errx(EXIT_FAILURE, "no room for a span");
}

static void begin(struct otlp_batch *b)
{
	if (otlp_batch_begin(b, encoder, OTLP_TRACES, request, CAP))
		errx(EXIT_FAILURE, "no room for a request");
}

/* Bytes of the whole request for each span; of their handshakes' alone if asked for. */
static double request_bytes(enum typical_kind kind, bool of_handshake)
{
	const struct otlp_span *span;
	struct typical_flow t;
	struct otlp_batch b;
	unsigned i;

	begin(&b);
	for (i = 0; i < SPANS; i++) {
		typical_flow(&t, kind, i, INTERVAL);
		span = flow_otlp_span(otlp, &t.flow, &t.report, "eth0");
		if (of_handshake)
			span = flow_otlp_handshake(otlp, &t.flow, &t.report, "eth0");
		if (!span)
			errx(EXIT_FAILURE, "there is no such span");
		add_span(&b, span);
	}
	return (double)otlp_batch_end(&b) / SPANS;
}

/* ---- where they go ---- */

static size_t span_bytes(const struct otlp_span *span)
{
	struct otlp_batch b;
	size_t before;

	begin(&b);
	add_span(&b, span);
	before = b.len;
	add_span(&b, span);
	return b.len - before;
}

static void print_bytes(const struct otlp_str what, size_t bytes)
{
	printf("    %4zu  %.*s\n", bytes, (int)what.len, what.ptr);
}

/* What @span is shorter by without one part after the other. */
static void print_parts(struct otlp_span span)
{
	struct otlp_attr attrs[ATTRS_MAX];
	const struct otlp_attrs all = span.attrs;
	size_t whole = span_bytes(&span), i;

	print_bytes(OTLP_STR("all"), whole);
	span.attrs.list = attrs;
	span.attrs.len = all.len - 1;
	for (i = 0; i < all.len; i++) {
		memcpy(attrs, all.list, i * sizeof(*attrs));
		memcpy(&attrs[i], &all.list[i + 1], (all.len - 1 - i) * sizeof(*attrs));
		print_bytes(all.list[i].key, whole - span_bytes(&span));
	}
	span.attrs.len = 0;
	whole = span_bytes(&span);
	span.events_len = 0;
	print_bytes(OTLP_STR("events"), whole - span_bytes(&span));
	whole = span_bytes(&span);
	span.links_len = 0;
	print_bytes(OTLP_STR("links"), whole - span_bytes(&span));
	print_bytes(OTLP_STR("ids, name, times, trace state, flags"), span_bytes(&span));
}

static void print_attributes(enum typical_kind kind)
{
	const struct otlp_span *span;
	struct typical_flow t;

	typical_flow(&t, kind, 0, INTERVAL);
	span = flow_otlp_span(otlp, &t.flow, &t.report, "eth0");
	printf("  %s\n", t.name);
	print_parts(*span);
	span = flow_otlp_handshake(otlp, &t.flow, &t.report, "eth0");
	if (!span)
		return;
	printf("  %s: handshake\n", t.name);
	print_parts(*span);
}

static void print_rows(enum typical_kind kind)
{
	struct typical_flow t;
	struct bench_row row = {.unit = "bytes", .better = BENCH_AT_MOST, .target = TARGET};
	char name[64];

	typical_flow(&t, kind, 0, INTERVAL);
	row.name = name;
	snprintf(name, sizeof(name), "%s, a span", t.name);
	bench_row_one(&row, request_bytes(kind, false));
	flow_otlp_span(otlp, &t.flow, &t.report, "eth0");
	if (!flow_otlp_handshake(otlp, &t.flow, &t.report, "eth0"))
		return;
	snprintf(name, sizeof(name), "%s, its handshake", t.name);
	bench_row_one(&row, request_bytes(kind, true));
}

int main(int argc, char **argv)
{
	static const struct flow_otlp_opts opts = {.site_key = {1, 2, 3, 4},
						   .active_timeout_ns = 60000000000ULL};
	struct bench_row head = {.name = "resource and scope, a request", .unit = "bytes"};
	static const struct otlp_span least = {
		.trace_id = {1}, .span_id = {1}, .name = OTLP_STR("x")};
	struct otlp_batch b;
	int kind; /* enum typical_kind */

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--attributes")))
		errx(EXIT_FAILURE, "usage: bench_span_size [--attributes]");
	if (otlp_encoder_create(&encoder, &source) || flow_otlp_create(&otlp, &opts))
		errx(EXIT_FAILURE, "create");
	begin(&b);
	add_span(&b, &least);
	bench_row_one(&head, (double)(otlp_batch_end(&b) - span_bytes(&least)));
	for (kind = 0; kind < TYPICAL_MAX; kind++)
		print_rows(kind);
	for (kind = 0; argc == 2 && kind < TYPICAL_MAX; kind++)
		print_attributes(kind);
	flow_otlp_destroy(otlp);
	otlp_encoder_destroy(encoder);
	return EXIT_SUCCESS;
}
