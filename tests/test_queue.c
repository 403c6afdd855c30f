/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "tests/queue_fixture.h"

static void test_queue_is_first_in_first_out(void **state)
{
	struct otlp_queue *q = queue_test_create(1000);

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		queue_test_put(q, OTLP_TRACES, 10, i);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_bytes, 30);
	for (size_t i = 1; i <= 3; i++)
		assert_int_equal(queue_test_send(q), i);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).exported, 6);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).sent_bytes, 30);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_bytes, 0);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_requests, 0);
	otlp_queue_destroy(q);
}

static void test_queue_drops_the_oldest(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_overflow over;

	(void)state;
	for (size_t i = 1; i <= 4; i++)
		queue_test_put(q, OTLP_TRACES, 25, i);
	over = queue_test_put(q, OTLP_TRACES, 50, 5);
	assert_int_equal(over.requests, 2);
	assert_int_equal(over.items, 1 + 2);
	assert_true(over.is_first);
	over = queue_test_put(q, OTLP_TRACES, 25, 6);
	assert_int_equal(over.requests, 1);
	assert_false(over.is_first);
	assert_int_equal(queue_test_send(q), 4);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).dropped[OTLP_DROP_QUEUE_FULL],
			 1 + 2 + 3);
	/* An export ends the time of overflow. */
	queue_test_put(q, OTLP_TRACES, 25, 7);
	assert_true(queue_test_put(q, OTLP_TRACES, 25, 8).is_first);
	otlp_queue_destroy(q);
}

/* Of cumulative metrics only the newest matter: they are what stays. */
static void test_queue_keeps_the_newest_metrics(void **state)
{
	struct otlp_queue *q = queue_test_create(20);

	(void)state;
	for (size_t i = 1; i <= 9; i++)
		queue_test_put(q, OTLP_METRICS, 10, i);
	assert_int_equal(queue_test_send(q), 8);
	assert_int_equal(queue_test_send(q), 9);
	otlp_queue_destroy(q);
}

static void test_queue_keeps_what_is_in_flight(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_request *r;

	(void)state;
	queue_test_put(q, OTLP_TRACES, 60, 1);
	queue_test_put(q, OTLP_TRACES, 40, 2);
	r = queue_test_take(q);
	assert_int_equal(r->items, 1);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).in_flight, 1);
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 40, 3).items, 2);
	/* Nothing could make room for this one. */
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 61, 4).items, 3 + 4);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued, 1);
	queue_test_put(q, OTLP_TRACES, 40, 3);
	queue_test_settle(q, r, OTLP_AGAIN);
	r = queue_test_take(q);
	assert_int_equal(r->items, 1);
	assert_int_equal(r->attempts, 1);
	queue_test_settle(q, r, OTLP_SENT);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).retries, 1);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).requests, 2);
	/* Settled unsent it is as any other: here the oldest. */
	r = queue_test_take(q);
	assert_int_equal(r->items, 3);
	queue_test_settle(q, r, OTLP_AGAIN);
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 100, 5).items, 3);
	otlp_queue_destroy(q);
}

static void test_queue_counts_what_is_larger_than_itself(void **state)
{
	struct otlp_queue *q = queue_test_create(100);

	(void)state;
	queue_test_put(q, OTLP_LOGS, 50, 1);
	assert_int_equal(queue_test_put(q, OTLP_LOGS, 101, 2).items, 2);
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).queued, 1);
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).dropped[OTLP_DROP_QUEUE_FULL], 2);
	otlp_queue_drop(q, OTLP_LOGS, 4, OTLP_DROP_TOO_LARGE);
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).dropped[OTLP_DROP_TOO_LARGE], 4);
	otlp_queue_destroy(q);
}

static void test_queue_is_bounded_by_items(void **state)
{
	struct otlp_queue_opts opts = {.cap_bytes = 1000, .cap_items = {10, 0, 0}, .consumers = 1};
	struct otlp_queue *q;

	(void)state;
	assert_int_equal(otlp_queue_create(&q, &opts), 0);
	queue_test_put(q, OTLP_TRACES, 1, 4);
	queue_test_put(q, OTLP_TRACES, 1, 5);
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 1, 2).items, 4);
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 1, 11).items, 11);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued, 5 + 2);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(queue_test_put(q, OTLP_LOGS, 1, 11).items, 0);
	otlp_queue_destroy(q);
}

static void test_queue_takes_signals_in_turn(void **state)
{
	static const enum otlp_signal want[] = {OTLP_TRACES, OTLP_METRICS, OTLP_LOGS,
						OTLP_TRACES, OTLP_METRICS, OTLP_TRACES};
	struct otlp_queue *q = queue_test_create(1000);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		queue_test_put(q, OTLP_TRACES, 1, 1);
	queue_test_put(q, OTLP_METRICS, 1, 1);
	queue_test_put(q, OTLP_METRICS, 1, 1);
	queue_test_put(q, OTLP_LOGS, 1, 1);
	for (unsigned i = 0; i < 6; i++) {
		struct otlp_request *r = queue_test_take(q);

		assert_int_equal(r->signal, want[i]);
		queue_test_settle(q, r, OTLP_SENT);
	}
	otlp_queue_destroy(q);
}

/* An answer is the signal's own affair, no answer that of all that the server serves. */
static void test_queue_signals_hold_back_each_other_only_without_an_answer(void **state)
{
	struct otlp_queue *q = queue_test_create(10);
	struct otlp_outcome o = {.verdict = OTLP_AGAIN, .status = 503, .retry_after_ms = 50000};
	struct otlp_settled done;
	struct otlp_request *r;
	uint64_t start;

	(void)state;
	queue_test_put(q, OTLP_TRACES, 10, 1);
	queue_test_put(q, OTLP_METRICS, 10, 2); /* and each has its own room */
	r = queue_test_take(q);
	assert_int_equal(r->signal, OTLP_TRACES);
	otlp_queue_settle(q, r, &o, &done);
	assert_int_equal(done.wait_ms, 50000);
	assert_true(done.is_first);
	r = queue_test_take(q);
	assert_int_equal(r->signal, OTLP_METRICS);
	o = (struct otlp_outcome){.verdict = OTLP_AGAIN};
	otlp_queue_settle(q, r, &o, &done);
	assert_true(done.is_first); /* the traces had failed, the server had not */
	assert_in_range(done.wait_ms, 10, 30);
	start = otlp_queue_now_mono_ns();
	queue_test_put(q, OTLP_LOGS, 1, 3);
	r = queue_test_take(q);
	assert_true(otlp_queue_now_mono_ns() - start >= (done.wait_ms - 1) * 1000000 / 2);
	assert_true(r->signal == OTLP_LOGS || r->signal == OTLP_METRICS);
	done = queue_test_settle(q, r, OTLP_SENT);
	assert_true(done.is_recovered);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued, 1);
	otlp_queue_destroy(q);
}

static void test_queue_gives_up_after_the_budget(void **state)
{
	struct otlp_queue_opts opts = {
		.cap_bytes = 1000, .budget_ms = {1000, 0, 0}, .pace = {5000, 9000}, .consumers = 1};
	struct otlp_outcome o = {.verdict = OTLP_AGAIN, .retry_after_ms = 3600000};
	struct otlp_settled done;
	struct otlp_queue *q;

	(void)state;
	assert_int_equal(otlp_queue_create(&q, &opts), 0);
	queue_test_put(q, OTLP_TRACES, 1, 3);
	queue_test_put(q, OTLP_METRICS, 1, 4);
	otlp_queue_settle(q, queue_test_take(q), &o, &done);
	assert_true(done.is_expired);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).dropped[OTLP_DROP_RETRY_BUDGET], 3);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + S); /* early turn, without the wait */
	otlp_queue_settle(q, queue_test_take(q), &o, &done);
	assert_false(done.is_expired);
	assert_in_range(done.wait_ms, 15 * 60 * 1000, 15 * 60 * 1000); /* no longer than that */
	assert_int_equal(queue_test_counts(q, OTLP_METRICS).queued, 4);
	otlp_queue_destroy(q);
}

/* Several consumers: spans fly together, data points one request after the other; in an outage one
 * request at a time finds out whether it is over. */
static void test_queue_shares_out_to_consumers(void **state)
{
	struct otlp_queue *q = queue_test_create(1000);
	struct otlp_outcome down = {.verdict = OTLP_AGAIN};
	struct otlp_request *a, *b, *m;
	struct otlp_settled done;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		queue_test_put(q, OTLP_TRACES, 1, 1 + i);
	queue_test_put(q, OTLP_METRICS, 1, 10);
	queue_test_put(q, OTLP_METRICS, 1, 11);
	a = queue_test_take(q);
	m = queue_test_take(q);
	b = queue_test_take(q);
	assert_int_equal(m->items, 10);
	assert_int_equal(a->items, 1);
	assert_int_equal(b->items, 2);
	assert_int_equal(queue_test_take(q)->items, 3); /* no second metrics request */
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).in_flight, 6);
	queue_test_settle(q, m, OTLP_SENT);
	m = queue_test_take(q);
	assert_int_equal(m->items, 11);
	queue_test_settle(q, m, OTLP_SENT);
	otlp_queue_settle(q, a, &down, &done);
	assert_true(done.is_first);
	otlp_queue_settle(q, b, &down, &done);
	assert_false(done.is_first);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + S / 100);
	/* Two wait, and one is still in flight: nobody else may try. */
	assert_int_equal(otlp_queue_take(q, &a), -ESHUTDOWN);
	otlp_queue_destroy(q);
}

static void test_queue_rejected_items_are_part_of_the_request(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_outcome o = {
		.verdict = OTLP_SENT, .rejected = 3, .sent_bytes = 7, .connects = 2};
	struct otlp_queue_counts c;
	struct otlp_settled done;

	(void)state;
	queue_test_put(q, OTLP_TRACES, 1, 10);
	queue_test_put(q, OTLP_TRACES, 1, 10);
	otlp_queue_settle(q, queue_test_take(q), &o, &done);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).exported, 7);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).rejected, 3);
	o.rejected = 1000;
	otlp_queue_settle(q, queue_test_take(q), &o, &done);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).exported, 7);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).rejected, 13);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).sent_bytes, 14);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).durations.count, 2);
	otlp_queue_counts(q, OTLP_TRACES, &c);
	assert_int_equal(c.connects, 4);
	otlp_queue_destroy(q);
}

static void test_queue_close_ends_when_empty(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_request *r;

	(void)state;
	queue_test_put(q, OTLP_TRACES, 1, 1);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 100 * S);
	queue_test_put(q, OTLP_TRACES, 1, 2);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 2);
	assert_int_equal(queue_test_send(q), 1);
	assert_int_equal(otlp_queue_take(q, &r), -ESHUTDOWN);
	otlp_queue_leave(q);
	assert_true(otlp_queue_await(q));
	otlp_queue_destroy(q);
}

/* What is due too late is tried once more, early; then there is nothing to wait for. */
static void test_queue_close_gives_one_early_turn(void **state)
{
	struct otlp_outcome late = {.verdict = OTLP_AGAIN, .status = 503, .retry_after_ms = 600000};
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_settled done;
	struct otlp_request *r;

	(void)state;
	queue_test_put(q, OTLP_TRACES, 1, 1);
	queue_test_put(q, OTLP_LOGS, 1, 2);
	for (unsigned i = 0; i < 2; i++)
		otlp_queue_settle(q, queue_test_take(q), &late, &done);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 100 * S);
	otlp_queue_settle(q, queue_test_take(q), &late, &done);
	r = queue_test_take(q);
	assert_int_equal(r->signal, OTLP_LOGS);
	otlp_queue_settle(q, r, &late, &done);
	assert_int_equal(otlp_queue_take(q, &r), -ESHUTDOWN);
	otlp_queue_leave(q);
	otlp_queue_abandon(q);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 1);
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).dropped[OTLP_DROP_SHUTDOWN], 2);
	otlp_queue_destroy(q);
}

static void test_queue_close_is_over_at_the_deadline(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_request *r;

	(void)state;
	queue_test_put(q, OTLP_TRACES, 1, 1);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + S / 50);
	assert_false(otlp_queue_await(q)); /* nobody consumes */
	assert_int_equal(otlp_queue_take(q, &r), -ESHUTDOWN);
	otlp_queue_destroy(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_is_first_in_first_out),
		cmocka_unit_test(test_queue_drops_the_oldest),
		cmocka_unit_test(test_queue_keeps_the_newest_metrics),
		cmocka_unit_test(test_queue_keeps_what_is_in_flight),
		cmocka_unit_test(test_queue_counts_what_is_larger_than_itself),
		cmocka_unit_test(test_queue_is_bounded_by_items),
		cmocka_unit_test(test_queue_takes_signals_in_turn),
		cmocka_unit_test(test_queue_signals_hold_back_each_other_only_without_an_answer),
		cmocka_unit_test(test_queue_gives_up_after_the_budget),
		cmocka_unit_test(test_queue_shares_out_to_consumers),
		cmocka_unit_test(test_queue_rejected_items_are_part_of_the_request),
		cmocka_unit_test(test_queue_close_ends_when_empty),
		cmocka_unit_test(test_queue_close_gives_one_early_turn),
		cmocka_unit_test(test_queue_close_is_over_at_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
