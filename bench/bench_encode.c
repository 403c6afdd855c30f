/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_encode - what encoding a flow span costs, in one run: against memcpy() of its bytes and
 * against nanopb's encoder with callbacks. A round is A B A: ours, the other, ours; each ratio
 * compares the other with the mean of ours around it. Printed: medians with p10..p90 of rounds.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otlp/encode.h"
#include "tests/otlp_reference.h"

#define SPANS 512
#define ATTRS 14
#define ROUNDS 15
#define CAP (1 << 20)
#define ADDRESS 24

static struct otlp_span spans[SPANS];
static struct otlp_attr attrs[SPANS][ATTRS];
static char addresses[SPANS][2][ADDRESS];
static uint8_t ours[CAP], other[CAP];
static size_t ours_size;
static struct otlp_encoder *encoder;
static const struct otlp_attr resource[] = {
	{.key = OTLP_STR("service.name"), .value.string = OTLP_STR("xdp-packet-counter")},
	{.key = OTLP_STR("host.name"), .value.string = OTLP_STR("host.example.net")},
};
static const struct otlp_source source = {{resource, 2}, OTLP_STR("ringspan"), OTLP_STR("0.1.0"),
					  OTLP_STR("")};

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
	spans[i] = (struct otlp_span){.name = OTLP_STR("tcp https"), .kind = OTLP_SPAN_CLIENT,
				      .trace_state = OTLP_STR("ot=th:fd70a"), .flags = 0x103,
				      .start_unix_ns = 1700000000000000000 + i,
				      .end_unix_ns = 1700000001000000000 + i,
				      .attrs = {attrs[i], ATTRS}};
	memcpy(spans[i].trace_id, &spans[i].start_unix_ns, 8);
	memcpy(spans[i].span_id, &spans[i].end_unix_ns, 8);
}

static void encode_ours(void)
{
	struct otlp_batch b;
	size_t i;

	if (otlp_batch_begin(&b, encoder, OTLP_TRACES, ours, CAP))
		errx(EXIT_FAILURE, "begin");
	for (i = 0; i < SPANS; i++)
		if (otlp_batch_add_span(&b, &spans[i]))
			errx(EXIT_FAILURE, "add");
	ours_size = otlp_batch_end(&b);
}

static void copy_ours(void)
{
	memcpy(other, ours, ours_size);
	__asm__ volatile("" ::: "memory");
}

static void encode_reference(void)
{
	if (!otlp_reference_encode(&source, NULL, OTLP_TRACES, spans, SPANS, other, CAP))
		errx(EXIT_FAILURE, "reference");
}

/* Microseconds a span, over @repeat requests. */
static double measure(void (*run)(void), int repeat)
{
	struct timespec from, to;
	int i;

	run();
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (i = 0; i < repeat; i++)
		run();
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) /
	       repeat / SPANS;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	printf("%-44s %9.4f  (%.4f .. %.4f)\n", what, values[ROUNDS / 2], values[ROUNDS / 10],
	       values[ROUNDS - 1 - ROUNDS / 10]);
}

int main(void)
{
	double us[ROUNDS], copy[ROUNDS], slow[ROUNDS], per_copy[ROUNDS], faster[ROUNDS], a, b;
	unsigned i;

	for (i = 0; i < SPANS; i++)
		make_span(i);
	if (otlp_encoder_create(&encoder, &source))
		errx(EXIT_FAILURE, "create");
	for (i = 0; i < ROUNDS; i++) {
		a = measure(encode_ours, 200);
		copy[i] = measure(copy_ours, 2000);
		b = measure(encode_ours, 200);
		slow[i] = measure(encode_reference, 4);
		us[i] = measure(encode_ours, 200);
		per_copy[i] = (a + b) / 2 / copy[i];
		faster[i] = slow[i] / ((b + us[i]) / 2);
	}
	if (system("grep -m1 'model name' /proc/cpuinfo"))
		puts("model name: unknown");
	printf("%d spans of %d attributes, %zu bytes a span, %d rounds, median (p10 .. p90)\n", SPANS,
	       ATTRS, ours_size / SPANS, ROUNDS);
	print("ours, us/span", us);
	print("memcpy of its output, us/span", copy);
	print("nanopb callback reference, us/span", slow);
	print("ours / memcpy (target <= 25)", per_copy);
	print("reference / ours (target >= 40)", faster);
	otlp_encoder_destroy(encoder);
	return EXIT_SUCCESS;
}
