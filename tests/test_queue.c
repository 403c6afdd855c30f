/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/queue.h"

#define S UINT64_C(1000000000)
#define NEVER UINT64_MAX

static const uint64_t at_once[OTLP_SIGNAL_MAX];

static struct otlp_queue *queue(size_t cap)
{
	struct otlp_queue *q = NULL;

	assert_int_equal(otlp_queue_create(&q, cap), 0);
	return q;
}

static struct otlp_overflow put(struct otlp_queue *q, enum otlp_signal signal, size_t size,
				size_t items)
{
	struct otlp_request r = {.signal = signal, .size = size, .items = items};
	struct otlp_overflow over;

	r.data = calloc(1, size);
	r.data[0] = (uint8_t)items;
	assert_int_equal(otlp_queue_put(q, &r, &over), 0);
	return over;
}

static struct otlp_request peek(struct otlp_queue *q)
{
	struct otlp_request r = {0};

	assert_int_equal(otlp_queue_peek(q, at_once, &r), 0);
	assert_int_equal(r.data[0], r.items);
	return r;
}

static void settle(struct otlp_queue *q, bool is_done, enum otlp_fate fate)
{
	struct otlp_outcome o = {.is_done = is_done, .fate = fate, .is_answered = true};

	otlp_queue_settle(q, &o);
}

/* Reads the counts and checks that they are closed. */
static struct otlp_queue_counts counts(struct otlp_queue *q, enum otlp_signal signal)
{
	struct otlp_queue_counts c;
	uint64_t out = 0;

	otlp_queue_counts(q, signal, &c);
	for (unsigned i = 0; i < OTLP_FATE_MAX; i++)
		out += c.items_out[i];
	assert_int_equal(c.items_in, out + c.items_held);
	return c;
}

static void test_queue_is_first_in_first_out(void **state)
{
	struct otlp_queue *q = queue(1000);

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		put(q, OTLP_TRACES, 10, i);
	assert_int_equal(counts(q, OTLP_TRACES).bytes_held, 30);
	for (size_t i = 1; i <= 3; i++) {
		assert_int_equal(peek(q).items, i);
		settle(q, true, OTLP_FATE_EXPORTED);
	}
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_EXPORTED], 6);
	assert_int_equal(counts(q, OTLP_TRACES).bytes_held, 0);
	assert_int_equal(counts(q, OTLP_TRACES).requests_held, 0);
	otlp_queue_destroy(q);
}

static void test_queue_drops_the_oldest(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_overflow over;

	(void)state;
	for (size_t i = 1; i <= 4; i++)
		put(q, OTLP_TRACES, 25, i);
	over = put(q, OTLP_TRACES, 50, 5);
	assert_int_equal(over.requests, 2);
	assert_int_equal(over.items, 1 + 2);
	assert_true(over.is_first);
	over = put(q, OTLP_TRACES, 25, 6);
	assert_int_equal(over.requests, 1);
	assert_false(over.is_first);
	assert_int_equal(peek(q).items, 4);
	settle(q, true, OTLP_FATE_EXPORTED);
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_OVERFLOW], 1 + 2 + 3);
	/* An export ends the time of overflow. */
	put(q, OTLP_TRACES, 25, 7);
	assert_true(put(q, OTLP_TRACES, 25, 8).is_first);
	otlp_queue_destroy(q);
}

static void test_queue_keeps_what_is_in_flight(void **state)
{
	struct otlp_queue *q = queue(100);

	(void)state;
	put(q, OTLP_TRACES, 60, 1);
	put(q, OTLP_TRACES, 40, 2);
	assert_int_equal(peek(q).items, 1);
	assert_int_equal(put(q, OTLP_TRACES, 40, 3).items, 2);
	/* Nothing could make room for this one. */
	assert_int_equal(put(q, OTLP_TRACES, 41, 4).items, 4);
	assert_int_equal(counts(q, OTLP_TRACES).items_held, 1 + 3);
	settle(q, false, OTLP_FATE_EXPORTED);
	assert_int_equal(peek(q).items, 1);
	assert_int_equal(peek(q).attempts, 1);
	settle(q, true, OTLP_FATE_EXPORTED);
	assert_int_equal(counts(q, OTLP_TRACES).repeats, 1);
	assert_int_equal(counts(q, OTLP_TRACES).answers, 2);
	/* Settled unsent it is as any other: here the oldest. */
	assert_int_equal(peek(q).items, 3);
	settle(q, false, OTLP_FATE_EXPORTED);
	assert_int_equal(put(q, OTLP_TRACES, 100, 5).items, 3);
	otlp_queue_destroy(q);
}

static void test_queue_counts_what_is_larger_than_itself(void **state)
{
	struct otlp_queue *q = queue(100);

	(void)state;
	put(q, OTLP_LOGS, 50, 1);
	assert_int_equal(put(q, OTLP_LOGS, 101, 2).items, 2);
	assert_int_equal(counts(q, OTLP_LOGS).items_held, 1);
	assert_int_equal(counts(q, OTLP_LOGS).items_out[OTLP_FATE_OVERFLOW], 2);
	otlp_queue_destroy(q);
}

static void test_queue_takes_signals_in_turn(void **state)
{
	static const enum otlp_signal want[] = {OTLP_TRACES, OTLP_METRICS, OTLP_LOGS,
						OTLP_TRACES, OTLP_METRICS, OTLP_TRACES};
	struct otlp_queue *q = queue(1000);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		put(q, OTLP_TRACES, 1, 1);
	put(q, OTLP_METRICS, 1, 1);
	put(q, OTLP_METRICS, 1, 1);
	put(q, OTLP_LOGS, 1, 1);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(peek(q).signal, want[i]);
		settle(q, true, OTLP_FATE_EXPORTED);
	}
	otlp_queue_destroy(q);
}

static void test_queue_signals_do_not_hold_back_each_other(void **state)
{
	struct otlp_queue *q = queue(10);
	uint64_t due[OTLP_SIGNAL_MAX] = {[OTLP_TRACES] = NEVER};
	struct otlp_request r;

	(void)state;
	put(q, OTLP_TRACES, 10, 1);
	put(q, OTLP_METRICS, 10, 2); /* and each has its own room */
	assert_int_equal(otlp_queue_peek(q, due, &r), 0);
	assert_int_equal(r.signal, OTLP_METRICS);
	settle(q, true, OTLP_FATE_EXPORTED);
	assert_int_equal(counts(q, OTLP_TRACES).items_held, 1);
	otlp_queue_destroy(q);
}

static void test_queue_waits_until_due(void **state)
{
	struct otlp_queue *q = queue(10);
	uint64_t soon = otlp_queue_now_mono_ns() + S / 50;
	uint64_t due[OTLP_SIGNAL_MAX] = {soon, NEVER, NEVER};
	struct otlp_request r;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	put(q, OTLP_METRICS, 1, 1);
	assert_int_equal(otlp_queue_peek(q, due, &r), 0);
	assert_int_equal(r.signal, OTLP_TRACES);
	assert_true(otlp_queue_now_mono_ns() >= soon);
	settle(q, true, OTLP_FATE_EXPORTED);
	otlp_queue_destroy(q);
}

static void test_queue_rejected_items_are_part_of_the_request(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_outcome o = {.is_done = true,
				 .fate = OTLP_FATE_EXPORTED,
				 .rejected = 3,
				 .sent_bytes = 7,
				 .connects = 2};

	(void)state;
	put(q, OTLP_TRACES, 1, 10);
	put(q, OTLP_TRACES, 1, 10);
	peek(q);
	otlp_queue_settle(q, &o);
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_EXPORTED], 7);
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_REJECTED], 3);
	peek(q);
	o.rejected = 1000;
	otlp_queue_settle(q, &o);
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_EXPORTED], 7);
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_REJECTED], 13);
	assert_int_equal(counts(q, OTLP_TRACES).sent_bytes, 14);
	assert_int_equal(counts(q, OTLP_TRACES).connects, 4);
	otlp_queue_destroy(q);
}

static void test_queue_close_ends_when_empty(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request r = {.data = (uint8_t *)"x", .size = 1, .items = 1};
	struct otlp_overflow over;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 100 * S);
	assert_int_equal(otlp_queue_put(q, &r, &over), -ESHUTDOWN);
	peek(q);
	settle(q, true, OTLP_FATE_EXPORTED);
	assert_int_equal(otlp_queue_peek(q, at_once, &r), -ESHUTDOWN);
	otlp_queue_leave(q);
	assert_true(otlp_queue_await(q));
	otlp_queue_destroy(q);
}

/* What is due too late is tried once more, early; then there is nothing to wait for. */
static void test_queue_close_gives_one_early_turn(void **state)
{
	struct otlp_queue *q = queue(100);
	uint64_t late[OTLP_SIGNAL_MAX] = {NEVER, NEVER, NEVER};
	struct otlp_request r;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	put(q, OTLP_LOGS, 1, 2);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 100 * S);
	assert_int_equal(otlp_queue_peek(q, late, &r), 0);
	settle(q, false, OTLP_FATE_EXPORTED);
	assert_int_equal(otlp_queue_peek(q, late, &r), 0);
	assert_int_equal(r.signal, OTLP_LOGS);
	settle(q, false, OTLP_FATE_EXPORTED);
	assert_int_equal(otlp_queue_peek(q, late, &r), -ESHUTDOWN);
	otlp_queue_leave(q);
	assert_int_equal(counts(q, OTLP_TRACES).items_out[OTLP_FATE_SHUTDOWN], 1);
	assert_int_equal(counts(q, OTLP_LOGS).items_out[OTLP_FATE_SHUTDOWN], 2);
	otlp_queue_destroy(q);
}

static void test_queue_close_is_over_at_the_deadline(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request r;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + S / 50);
	assert_false(otlp_queue_await(q)); /* nobody consumes */
	assert_int_equal(otlp_queue_peek(q, at_once, &r), -ESHUTDOWN);
	otlp_queue_destroy(q);
}

static void *consume(void *arg)
{
	struct otlp_queue *q = arg;
	struct otlp_request r;
	unsigned n = 0;

	while (!otlp_queue_peek(q, at_once, &r)) {
		struct otlp_outcome o = {.is_done = n % 3 != 0, .fate = n % OTLP_FATE_OVERFLOW};

		otlp_queue_settle(q, &o);
		n++;
	}
	otlp_queue_leave(q);
	return NULL;
}

/* Puts, and reads after each put; returns NULL if all readings were right. */
static void *produce(void *arg)
{
	void *wrong = NULL;

	for (unsigned i = 0; i < 3000; i++) {
		struct otlp_queue_counts c;
		uint64_t out = 0;

		put(arg, i % OTLP_SIGNAL_MAX, 1 + i % 50, 1 + i % 7);
		otlp_queue_counts(arg, i % OTLP_SIGNAL_MAX, &c);
		for (unsigned fate = 0; fate < OTLP_FATE_MAX; fate++)
			out += c.items_out[fate];
		if (c.items_in != out + c.items_held || c.bytes_held > 200)
			wrong = arg;
	}
	return wrong;
}

static void test_queue_is_closed_at_every_reading(void **state)
{
	struct otlp_queue *q = queue(200);
	pthread_t consumer, producer[2];
	uint64_t items = 0;

	(void)state;
	assert_int_equal(pthread_create(&consumer, NULL, consume, q), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&producer[i], NULL, produce, q), 0);
	for (unsigned i = 0; i < 2; i++) {
		void *wrong;

		pthread_join(producer[i], &wrong);
		assert_null(wrong);
	}
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 10 * S);
	assert_true(otlp_queue_await(q));
	pthread_join(consumer, NULL);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		assert_int_equal(counts(q, s).items_held, 0);
		items += counts(q, s).items_in;
	}
	assert_int_equal(items, 2 * 11994);
	otlp_queue_destroy(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_is_first_in_first_out),
		cmocka_unit_test(test_queue_drops_the_oldest),
		cmocka_unit_test(test_queue_keeps_what_is_in_flight),
		cmocka_unit_test(test_queue_counts_what_is_larger_than_itself),
		cmocka_unit_test(test_queue_takes_signals_in_turn),
		cmocka_unit_test(test_queue_signals_do_not_hold_back_each_other),
		cmocka_unit_test(test_queue_waits_until_due),
		cmocka_unit_test(test_queue_rejected_items_are_part_of_the_request),
		cmocka_unit_test(test_queue_close_ends_when_empty),
		cmocka_unit_test(test_queue_close_gives_one_early_turn),
		cmocka_unit_test(test_queue_close_is_over_at_the_deadline),
		cmocka_unit_test(test_queue_is_closed_at_every_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
