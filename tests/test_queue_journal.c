/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The queue with a journal, and with everybody at once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>

#include "tests/queue_fixture.h"

static void test_queue_acknowledges_in_order(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_request *a, *b, *c;
	struct otlp_wal_pos pos;

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		queue_test_put(q, OTLP_TRACES, 1, i);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_volatile, 6);
	assert_int_equal(queue_test_save(q, OTLP_TRACES, 3, 100), 3);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_volatile, 0);
	assert_int_equal(queue_test_save(q, OTLP_TRACES, 3, 200), 0); /* nothing is written twice */
	a = queue_test_take(q);
	b = queue_test_take(q);
	c = queue_test_take(q);
	queue_test_settle(q, b, OTLP_SENT);
	assert_false(otlp_queue_acked(q, OTLP_TRACES, &pos)); /* the first is not done */
	queue_test_settle(q, a, OTLP_SENT);
	assert_true(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(pos.offset, 101);
	assert_false(otlp_queue_acked(q, OTLP_TRACES, &pos));
	queue_test_settle(q, c, OTLP_DROPPED);
	assert_true(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(pos.offset, 102);
	otlp_queue_destroy(q);
}

/* A request may be sent, and dropped, while the journal writes it. */
static void test_queue_request_may_be_done_while_it_is_saved(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_request *list[4];
	struct otlp_wal_record records[4];
	struct otlp_wal_pos pos;

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		queue_test_put(q, OTLP_TRACES, 30, i);
	assert_int_equal(otlp_queue_unsaved(q, OTLP_TRACES, list, 4), 3);
	assert_int_equal(queue_test_send(q), 1);
	assert_int_equal(queue_test_send(q), 2);
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 30, 4).items,
			 4); /* the journal still reads the others */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(list[i]->body->data[0], i + 1);
		records[i] = queue_test_record_at(i, list[i]);
	}
	otlp_queue_saved(q, list, 3, records, 1); /* the disk took one only */
	assert_true(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(pos.offset, 0);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_volatile, 3);
	assert_int_equal(queue_test_send(q), 3);
	assert_false(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued, 0);
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 100, 5).requests,
			 0); /* all memory is free again */
	otlp_queue_destroy(q);
}

/* Memory bounds bodies: what is on disk gives up its own first. */
static void test_queue_memory_is_for_what_is_not_on_disk(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_request *r;

	(void)state;
	for (size_t i = 1; i <= 4; i++)
		queue_test_put(q, OTLP_TRACES, 25, i);
	queue_test_save(q, OTLP_TRACES, 4, 0);
	for (size_t i = 5; i <= 8; i++)
		assert_int_equal(queue_test_put(q, OTLP_TRACES, 25, i).requests, 0);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued_bytes, 200);
	/* The disk takes no more: of those in memory the oldest goes. */
	assert_int_equal(queue_test_put(q, OTLP_TRACES, 25, 9).items, 5);
	r = queue_test_take(q);
	assert_int_equal(r->items, 1);
	assert_null(r->body);
	assert_true(r->is_saved);
	queue_test_settle(q, r, OTLP_SENT);
	otlp_queue_close(q, 0);
	otlp_queue_abandon(q);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN],
			 6 + 7 + 8 + 9);
	assert_int_equal(queue_test_counts(q, OTLP_TRACES).queued,
			 2 + 3 + 4); /* on disk, not lost */
	otlp_queue_destroy(q);
}

static void test_queue_drops_the_oldest_on_disk_on_demand(void **state)
{
	struct otlp_wal_record found = {.pos = {1, 5}, .size = 10, .items = 7};
	struct otlp_queue *q = queue_test_create(100);
	struct otlp_overflow over;
	struct otlp_wal_pos pos;
	struct otlp_request *r;

	(void)state;
	assert_false(otlp_queue_drop_saved(q, OTLP_LOGS, &over));
	assert_int_equal(otlp_queue_restore(q, OTLP_LOGS, &found), 0);
	otlp_queue_damaged(q, OTLP_LOGS, 2);
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).recovered, 9);
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).dropped[OTLP_DROP_DAMAGED], 2);
	queue_test_put(q, OTLP_LOGS, 1, 1);
	r = queue_test_take(q);
	assert_false(otlp_queue_drop_saved(q, OTLP_LOGS, &over)); /* in flight: it holds the room */
	queue_test_settle(q, r, OTLP_ABORTED);
	assert_true(otlp_queue_drop_saved(q, OTLP_LOGS, &over));
	assert_int_equal(over.items, 7);
	assert_true(over.is_first);
	assert_true(otlp_queue_acked(q, OTLP_LOGS, &pos));
	assert_int_equal(pos.offset, 5);
	assert_false(otlp_queue_drop_saved(q, OTLP_LOGS, &over));
	assert_int_equal(queue_test_counts(q, OTLP_LOGS).dropped[OTLP_DROP_QUEUE_FULL], 7);
	otlp_queue_destroy(q);
}

static void test_queue_journal_waits_for_work(void **state)
{
	struct otlp_queue *q = queue_test_create(100);
	uint64_t start = otlp_queue_now_mono_ns();

	(void)state;
	queue_test_put(q, OTLP_LOGS, 1, 1);
	assert_true(otlp_queue_journal_wait(q, 10));
	assert_true(otlp_queue_now_mono_ns() - start >= S / 100);
	otlp_queue_journal_stop(q);
	assert_false(otlp_queue_journal_wait(q, 1000000));
	otlp_queue_destroy(q);
}

/* ---- threads ---- */

static void *consume(void *arg)
{
	struct otlp_queue *q = arg;
	struct otlp_request *r;
	unsigned n = 0;

	while (!otlp_queue_take(q, &r))
		queue_test_settle(q, r, n++ % 3 ? OTLP_SENT : n % 2 ? OTLP_DROPPED : OTLP_ABORTED);
	otlp_queue_leave(q);
	return NULL;
}

static void *keep(void *arg)
{
	uint64_t offset = 0;

	while (otlp_queue_journal_wait(arg, 1)) {
		struct otlp_overflow over;
		struct otlp_wal_pos pos;

		for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
			queue_test_save(arg, s, offset % 8, offset);
			offset += 8;
			if (offset % 5 == 0)
				otlp_queue_drop_saved(arg, s, &over);
			otlp_queue_acked(arg, s, &pos);
		}
	}
	return NULL;
}

/* Puts, and reads after each put; returns NULL if all readings were right. */
static void *produce(void *arg)
{
	void *wrong = NULL;

	for (unsigned i = 0; i < 3000; i++) {
		struct otlp_queue_counts c;

		queue_test_put(arg, i % OTLP_SIGNAL_MAX, 1 + i % 50, 1 + i % 7);
		otlp_queue_counts(arg, i % OTLP_SIGNAL_MAX, &c);
		if (!queue_test_is_closed(&c.stats))
			wrong = arg;
	}
	return wrong;
}

static void test_queue_is_closed_at_every_reading(void **state)
{
	struct otlp_queue_opts opts = {.cap_bytes = 200, .pace = {1, 3}, .consumers = 3};
	pthread_t consumer[3], producer[2], journal;
	struct otlp_queue *q;
	uint64_t items = 0;

	(void)state;
	assert_int_equal(otlp_queue_create(&q, &opts), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&consumer[i], NULL, consume, q), 0);
	assert_int_equal(pthread_create(&journal, NULL, keep, q), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&producer[i], NULL, produce, q), 0);
	for (unsigned i = 0; i < 2; i++) {
		void *wrong;

		pthread_join(producer[i], &wrong);
		assert_null(wrong);
	}
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 10 * S);
	assert_true(otlp_queue_await(q));
	for (unsigned i = 0; i < 3; i++)
		pthread_join(consumer[i], NULL);
	otlp_queue_journal_stop(q);
	pthread_join(journal, NULL);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		assert_int_equal(queue_test_counts(q, s).queued, 0);
		items += queue_test_counts(q, s).submitted;
	}
	assert_int_equal(items, 2 * 11994);
	otlp_queue_destroy(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_acknowledges_in_order),
		cmocka_unit_test(test_queue_request_may_be_done_while_it_is_saved),
		cmocka_unit_test(test_queue_memory_is_for_what_is_not_on_disk),
		cmocka_unit_test(test_queue_drops_the_oldest_on_disk_on_demand),
		cmocka_unit_test(test_queue_journal_waits_for_work),
		cmocka_unit_test(test_queue_is_closed_at_every_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
