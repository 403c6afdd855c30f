/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bench/bench_spans.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS 24

static struct otlp_span spans[BENCH_SPANS];
static struct otlp_attr attrs[BENCH_SPANS][BENCH_SPAN_ATTRS];
static char addresses[BENCH_SPANS][2][ADDRESS];
static const struct otlp_attr resource[] = {
	{.key = OTLP_STR("service.name"), .value.string = OTLP_STR("xdp-packet-counter")},
	{.key = OTLP_STR("host.name"), .value.string = OTLP_STR("host.example.net")},
};
const struct otlp_source bench_source = {
	{resource, 2}, OTLP_STR("ringspan"), OTLP_STR("0.1.0"), OTLP_STR("")};

#define TEXT(key, text) ((struct otlp_attr){OTLP_STR(key), .value.string = {text, strlen(text)}})
#define INT(key, v) ((struct otlp_attr){OTLP_STR(key), OTLP_INT, .value.integer = (v)})

static void make_span(unsigned i)
{
	struct otlp_attr *a = attrs[i];

	snprintf(addresses[i][0], ADDRESS, "192.0.2.%u", i % 256);
	snprintf(addresses[i][1], ADDRESS, "198.51.100.%u", i * 7 % 256);
	*a++ = TEXT("source.address", addresses[i][0]);
	*a++ = INT("source.port", 1024 + i * 101 % 60000);
	*a++ = TEXT("destination.address", addresses[i][1]);
	*a++ = INT("destination.port", 443);
	*a++ = TEXT("network.transport", "tcp");
	*a++ = TEXT("network.type", "ipv4");
	*a++ = TEXT("network.interface.name", "eth0");
	*a++ = INT("flow.packets.total", i * 13);
	*a++ = INT("flow.bytes.total", i * 13001);
	*a++ = INT("flow.reverse.packets.total", i * 17);
	*a++ = INT("flow.reverse.bytes.total", i * 170001);
	*a++ = TEXT("flow.end_reason", "end of flow detected");
	*a++ = TEXT("flow.community_id", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	*a++ = INT("flow.tcp.flags", 0x1b);
	spans[i] = (struct otlp_span){.name = OTLP_STR("tcp https"),
				      .kind = OTLP_SPAN_CLIENT,
				      .trace_state = OTLP_STR("ot=th:fd70a"),
				      .flags = 0x103,
				      .start_unix_ns = 1700000000000000000 + i,
				      .end_unix_ns = 1700000001000000000 + i,
				      .attrs = {attrs[i], BENCH_SPAN_ATTRS}};
	memcpy(spans[i].trace_id, &spans[i].start_unix_ns, 8);
	memcpy(spans[i].span_id, &spans[i].end_unix_ns, 8);
}

const struct otlp_span *bench_spans(void)
{
	unsigned i;

	for (i = 0; i < BENCH_SPANS && !spans[i].name.len; i++)
		make_span(i);
	return spans;
}

size_t bench_encode(const struct otlp_encoder *e, size_t len, uint8_t *data, size_t cap)
{
	const struct otlp_span *list = bench_spans();
	struct otlp_batch b;
	size_t i;

	if (otlp_batch_begin(&b, e, OTLP_TRACES, data, cap))
		errx(EXIT_FAILURE, "begin");
	for (i = 0; i < len; i++)
		if (otlp_batch_add_span(&b, &list[i % BENCH_SPANS]))
			errx(EXIT_FAILURE, "add");
	return otlp_batch_end(&b);
}
