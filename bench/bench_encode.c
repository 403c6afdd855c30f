/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_encode - what encoding a flow span costs, in one run: against memcpy() of its bytes and
 * against nanopb's encoder with callbacks. A round is A B A: ours, the other, ours; each ratio
 * compares the other with the mean of ours around it. Rows: medians with p10..p90 of rounds, and
 * what memory it takes: every allocation of this process is counted (-Wl,--wrap).
 */
#include <err.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/bench.h"
#include "bench/bench_spans.h"
#include "tests/otlp_reference.h"

#define ROUNDS 15
#define CAP (1 << 20)

static uint8_t ours[CAP], other[CAP];
static size_t ours_size;
static struct otlp_encoder *encoder;

static struct {
	size_t calls;
	size_t now; /* bytes */
	size_t peak;
} heap;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static void *heap_add(void *p)
{
	heap.calls++;
	heap.now += malloc_usable_size(p);
	if (heap.now > heap.peak)
		heap.peak = heap.now;
	return p;
}

void *__wrap_malloc(size_t size)
{
	return heap_add(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return heap_add(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	heap.now -= malloc_usable_size(p);
	return heap_add(__real_realloc(p, size));
}

void __wrap_free(void *p)
{
	heap.now -= malloc_usable_size(p);
	__real_free(p);
}

static void encode_ours(void)
{
	ours_size = bench_encode(encoder, BENCH_SPANS, ours, CAP);
}

static void copy_ours(void)
{
	memcpy(other, ours, ours_size);
	__asm__ volatile("" ::: "memory");
}

static void encode_reference(void)
{
	if (!otlp_reference_encode(&bench_source, NULL, OTLP_TRACES, bench_spans(), BENCH_SPANS,
				   other, CAP))
		errx(EXIT_FAILURE, "reference");
}

/* Microseconds a span, over @repeat requests. */
static double measure(void (*run)(void), int repeat)
{
	double from;
	int i;

	run();
	from = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < repeat; i++)
		run();
	return (bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - from) / 1e3 / repeat / BENCH_SPANS;
}

static void measure_memory(void)
{
	size_t resident_before, encoder_bytes;
	struct rusage usage;
	int i;

	encode_ours();
	getrusage(RUSAGE_SELF, &usage);
	resident_before = (size_t)usage.ru_maxrss;
	encoder_bytes = heap.now;
	heap.calls = 0;
	heap.peak = heap.now;
	for (i = 0; i < 1000; i++)
		encode_ours();
	getrusage(RUSAGE_SELF, &usage);
	printf("encoder after create: %zu bytes of heap; in a batch: %zu bytes beside its buffer\n",
	       encoder_bytes, sizeof(struct otlp_batch));
	printf("%d spans after that: peak heap %zu bytes\n", 1000 * BENCH_SPANS, heap.peak);
	printf("peak resident memory: %zu KiB, of which these spans added %zu\n",
	       (size_t)usage.ru_maxrss, (size_t)usage.ru_maxrss - resident_before);
	bench_row_one(&(struct bench_row){"allocations in 512000 spans", "", BENCH_AT_MOST, 0},
		      (double)heap.calls);
}

int main(void)
{
	double us[ROUNDS], copy[ROUNDS], slow[ROUNDS], per_copy[ROUNDS], faster[ROUNDS], a, b;
	size_t rounds = bench_runs(ROUNDS), i;

	if (otlp_encoder_create(&encoder, &bench_source))
		errx(EXIT_FAILURE, "create");
	bench_print_machine();
	measure_memory();
	for (i = 0; i < rounds; i++) {
		a = measure(encode_ours, 200);
		copy[i] = measure(copy_ours, 2000);
		b = measure(encode_ours, 200);
		slow[i] = measure(encode_reference, 4);
		us[i] = measure(encode_ours, 200);
		per_copy[i] = (a + b) / 2 / copy[i];
		faster[i] = slow[i] / ((b + us[i]) / 2);
	}
	printf("%d spans of %d attributes, %zu bytes a span, %zu rounds, median (p10 .. p90)\n",
	       BENCH_SPANS, BENCH_SPAN_ATTRS, ours_size / BENCH_SPANS, rounds);
	bench_row(&(struct bench_row){"encode, CPU a span", "us", BENCH_LOWER, 0}, us, rounds);
	bench_row(&(struct bench_row){"memcpy of its output, CPU a span", "us", BENCH_NEITHER, 0},
		  copy, rounds);
	bench_row(&(struct bench_row){"nanopb callback reference, CPU a span", "us", BENCH_NEITHER,
				      0},
		  slow, rounds);
	bench_row(
		&(struct bench_row){"encode against memcpy of its output", "x", BENCH_AT_MOST, 25},
		per_copy, rounds);
	bench_row(&(struct bench_row){"nanopb callback reference against encode", "x",
				      BENCH_AT_LEAST, 40},
		  faster, rounds);
	bench_row_one(
		&(struct bench_row){"bytes of such a span on the wire", "B", BENCH_NEITHER, 0},
		(double)ours_size / BENCH_SPANS);
	otlp_encoder_destroy(encoder);
	return EXIT_SUCCESS;
}
