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

static struct otlp_queue *queue(size_t cap)
{
	struct otlp_queue_opts opts = {
		.cap_bytes = cap, .pace = {20, 100}, .consumers = 1, .has_journal = true};
	struct otlp_queue *q = NULL;

	assert_int_equal(otlp_queue_create(&q, &opts), 0);
	return q;
}

static struct otlp_body *body(size_t size, size_t items)
{
	uint8_t *data = calloc(1, size);
	struct otlp_body *b;

	data[0] = (uint8_t)items;
	b = otlp_body_create(data, size);
	assert_non_null(b);
	return b;
}

static struct otlp_overflow put(struct otlp_queue *q, enum otlp_signal signal, size_t size,
				size_t items)
{
	struct otlp_overflow over;

	otlp_queue_put(q, signal, body(size, items), items, &over);
	return over;
}

static struct otlp_request *take(struct otlp_queue *q)
{
	struct otlp_request *r = NULL;

	assert_int_equal(otlp_queue_take(q, &r), 0);
	if (r->body)
		assert_int_equal(r->body->data[0], r->items);
	return r;
}

static struct otlp_settled settle(struct otlp_queue *q, struct otlp_request *r,
				  enum otlp_verdict verdict)
{
	struct otlp_outcome o = {.verdict = verdict,
				 .reason = OTLP_DROP_REFUSED,
				 .is_answered = true,
				 .sent_bytes = r->size};
	struct otlp_settled done;

	otlp_queue_settle(q, r, &o, &done);
	return done;
}

/* Takes the next and says that it was sent; returns its items. */
static size_t send(struct otlp_queue *q)
{
	struct otlp_request *r = take(q);
	size_t items = r->items;

	settle(q, r, OTLP_SENT);
	return items;
}

static bool is_closed(const struct otlp_signal_stats *s)
{
	uint64_t out = s->exported + s->rejected;

	for (unsigned i = 0; i < OTLP_DROP_MAX; i++)
		out += s->dropped[i];
	return s->submitted == out + s->queued && s->in_flight <= s->queued &&
	       s->queued_volatile <= s->queued;
}

/* Reads the counts and checks that they are closed. */
static struct otlp_signal_stats counts(struct otlp_queue *q, enum otlp_signal signal)
{
	struct otlp_queue_counts c;

	otlp_queue_counts(q, signal, &c);
	assert_true(is_closed(&c.stats));
	return c.stats;
}

static struct otlp_wal_record record_at(uint64_t offset, const struct otlp_request *r)
{
	return (struct otlp_wal_record){.pos = {1, offset}, .size = r->size, .items = r->items};
}

/* Plays the journal: the first @n unsaved ones are on disk, at offsets from @offset on. */
static size_t save(struct otlp_queue *q, enum otlp_signal signal, size_t n, uint64_t offset)
{
	struct otlp_request *list[8];
	struct otlp_wal_record records[8];
	size_t len = otlp_queue_unsaved(q, signal, list, 8);

	for (size_t i = 0; i < len; i++)
		records[i] = record_at(offset + i, list[i]);
	otlp_queue_saved(q, list, len, records, n < len ? n : len);
	return len;
}

static void test_queue_is_first_in_first_out(void **state)
{
	struct otlp_queue *q = queue(1000);

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		put(q, OTLP_TRACES, 10, i);
	assert_int_equal(counts(q, OTLP_TRACES).queued_bytes, 30);
	for (size_t i = 1; i <= 3; i++)
		assert_int_equal(send(q), i);
	assert_int_equal(counts(q, OTLP_TRACES).exported, 6);
	assert_int_equal(counts(q, OTLP_TRACES).sent_bytes, 30);
	assert_int_equal(counts(q, OTLP_TRACES).queued_bytes, 0);
	assert_int_equal(counts(q, OTLP_TRACES).queued_requests, 0);
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
	assert_int_equal(send(q), 4);
	assert_int_equal(counts(q, OTLP_TRACES).dropped[OTLP_DROP_QUEUE_FULL], 1 + 2 + 3);
	/* An export ends the time of overflow. */
	put(q, OTLP_TRACES, 25, 7);
	assert_true(put(q, OTLP_TRACES, 25, 8).is_first);
	otlp_queue_destroy(q);
}

/* Of cumulative metrics only the newest matter: they are what stays. */
static void test_queue_keeps_the_newest_metrics(void **state)
{
	struct otlp_queue *q = queue(20);

	(void)state;
	for (size_t i = 1; i <= 9; i++)
		put(q, OTLP_METRICS, 10, i);
	assert_int_equal(send(q), 8);
	assert_int_equal(send(q), 9);
	otlp_queue_destroy(q);
}

static void test_queue_keeps_what_is_in_flight(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request *r;

	(void)state;
	put(q, OTLP_TRACES, 60, 1);
	put(q, OTLP_TRACES, 40, 2);
	r = take(q);
	assert_int_equal(r->items, 1);
	assert_int_equal(counts(q, OTLP_TRACES).in_flight, 1);
	assert_int_equal(put(q, OTLP_TRACES, 40, 3).items, 2);
	/* Nothing could make room for this one. */
	assert_int_equal(put(q, OTLP_TRACES, 61, 4).items, 3 + 4);
	assert_int_equal(counts(q, OTLP_TRACES).queued, 1);
	put(q, OTLP_TRACES, 40, 3);
	settle(q, r, OTLP_AGAIN);
	r = take(q);
	assert_int_equal(r->items, 1);
	assert_int_equal(r->attempts, 1);
	settle(q, r, OTLP_SENT);
	assert_int_equal(counts(q, OTLP_TRACES).retries, 1);
	assert_int_equal(counts(q, OTLP_TRACES).requests, 2);
	/* Settled unsent it is as any other: here the oldest. */
	r = take(q);
	assert_int_equal(r->items, 3);
	settle(q, r, OTLP_AGAIN);
	assert_int_equal(put(q, OTLP_TRACES, 100, 5).items, 3);
	otlp_queue_destroy(q);
}

static void test_queue_counts_what_is_larger_than_itself(void **state)
{
	struct otlp_queue *q = queue(100);

	(void)state;
	put(q, OTLP_LOGS, 50, 1);
	assert_int_equal(put(q, OTLP_LOGS, 101, 2).items, 2);
	assert_int_equal(counts(q, OTLP_LOGS).queued, 1);
	assert_int_equal(counts(q, OTLP_LOGS).dropped[OTLP_DROP_QUEUE_FULL], 2);
	otlp_queue_drop(q, OTLP_LOGS, 4, OTLP_DROP_TOO_LARGE);
	assert_int_equal(counts(q, OTLP_LOGS).dropped[OTLP_DROP_TOO_LARGE], 4);
	otlp_queue_destroy(q);
}

static void test_queue_is_bounded_by_items(void **state)
{
	struct otlp_queue_opts opts = {.cap_bytes = 1000, .cap_items = {10, 0, 0}, .consumers = 1};
	struct otlp_queue *q;

	(void)state;
	assert_int_equal(otlp_queue_create(&q, &opts), 0);
	put(q, OTLP_TRACES, 1, 4);
	put(q, OTLP_TRACES, 1, 5);
	assert_int_equal(put(q, OTLP_TRACES, 1, 2).items, 4);
	assert_int_equal(put(q, OTLP_TRACES, 1, 11).items, 11);
	assert_int_equal(counts(q, OTLP_TRACES).queued, 5 + 2);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(put(q, OTLP_LOGS, 1, 11).items, 0);
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
		struct otlp_request *r = take(q);

		assert_int_equal(r->signal, want[i]);
		settle(q, r, OTLP_SENT);
	}
	otlp_queue_destroy(q);
}

/* An answer is the signal's own affair, no answer that of all that the server serves. */
static void test_queue_signals_hold_back_each_other_only_without_an_answer(void **state)
{
	struct otlp_queue *q = queue(10);
	struct otlp_outcome o = {
		.verdict = OTLP_AGAIN, .is_answered = true, .retry_after_ms = 50000};
	struct otlp_settled done;
	struct otlp_request *r;
	uint64_t start;

	(void)state;
	put(q, OTLP_TRACES, 10, 1);
	put(q, OTLP_METRICS, 10, 2); /* and each has its own room */
	r = take(q);
	assert_int_equal(r->signal, OTLP_TRACES);
	otlp_queue_settle(q, r, &o, &done);
	assert_int_equal(done.wait_ms, 50000);
	assert_true(done.is_first);
	r = take(q);
	assert_int_equal(r->signal, OTLP_METRICS);
	o = (struct otlp_outcome){.verdict = OTLP_AGAIN};
	otlp_queue_settle(q, r, &o, &done);
	assert_true(done.is_first); /* the traces had failed, the server had not */
	assert_in_range(done.wait_ms, 10, 30);
	start = otlp_queue_now_mono_ns();
	put(q, OTLP_LOGS, 1, 3);
	r = take(q);
	assert_true(otlp_queue_now_mono_ns() - start >= (done.wait_ms - 1) * 1000000 / 2);
	assert_true(r->signal == OTLP_LOGS || r->signal == OTLP_METRICS);
	done = settle(q, r, OTLP_SENT);
	assert_true(done.is_recovered);
	assert_int_equal(counts(q, OTLP_TRACES).queued, 1);
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
	put(q, OTLP_TRACES, 1, 3);
	put(q, OTLP_METRICS, 1, 4);
	otlp_queue_settle(q, take(q), &o, &done);
	assert_true(done.is_expired);
	assert_int_equal(counts(q, OTLP_TRACES).dropped[OTLP_DROP_RETRY_BUDGET], 3);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + S); /* early turn, without the wait */
	otlp_queue_settle(q, take(q), &o, &done);
	assert_false(done.is_expired);
	assert_in_range(done.wait_ms, 15 * 60 * 1000, 15 * 60 * 1000); /* no longer than that */
	assert_int_equal(counts(q, OTLP_METRICS).queued, 4);
	otlp_queue_destroy(q);
}

/* Several consumers: spans fly together, data points one request after the other; in an outage one
 * request at a time finds out whether it is over. */
static void test_queue_shares_out_to_consumers(void **state)
{
	struct otlp_queue *q = queue(1000);
	struct otlp_outcome down = {.verdict = OTLP_AGAIN};
	struct otlp_request *a, *b, *m;
	struct otlp_settled done;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		put(q, OTLP_TRACES, 1, 1 + i);
	put(q, OTLP_METRICS, 1, 10);
	put(q, OTLP_METRICS, 1, 11);
	a = take(q);
	m = take(q);
	b = take(q);
	assert_int_equal(m->items, 10);
	assert_int_equal(a->items, 1);
	assert_int_equal(b->items, 2);
	assert_int_equal(take(q)->items, 3); /* no second metrics request */
	assert_int_equal(counts(q, OTLP_TRACES).in_flight, 6);
	settle(q, m, OTLP_SENT);
	m = take(q);
	assert_int_equal(m->items, 11);
	settle(q, m, OTLP_SENT);
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
	struct otlp_queue *q = queue(100);
	struct otlp_outcome o = {
		.verdict = OTLP_SENT, .rejected = 3, .sent_bytes = 7, .connects = 2};
	struct otlp_queue_counts c;
	struct otlp_settled done;

	(void)state;
	put(q, OTLP_TRACES, 1, 10);
	put(q, OTLP_TRACES, 1, 10);
	otlp_queue_settle(q, take(q), &o, &done);
	assert_int_equal(counts(q, OTLP_TRACES).exported, 7);
	assert_int_equal(counts(q, OTLP_TRACES).rejected, 3);
	o.rejected = 1000;
	otlp_queue_settle(q, take(q), &o, &done);
	assert_int_equal(counts(q, OTLP_TRACES).exported, 7);
	assert_int_equal(counts(q, OTLP_TRACES).rejected, 13);
	assert_int_equal(counts(q, OTLP_TRACES).sent_bytes, 14);
	assert_int_equal(counts(q, OTLP_TRACES).durations.count, 2);
	otlp_queue_counts(q, OTLP_TRACES, &c);
	assert_int_equal(c.connects, 4);
	otlp_queue_destroy(q);
}

static void test_queue_close_ends_when_empty(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request *r;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 100 * S);
	put(q, OTLP_TRACES, 1, 2);
	assert_int_equal(counts(q, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 2);
	assert_int_equal(send(q), 1);
	assert_int_equal(otlp_queue_take(q, &r), -ESHUTDOWN);
	otlp_queue_leave(q);
	assert_true(otlp_queue_await(q));
	otlp_queue_destroy(q);
}

/* What is due too late is tried once more, early; then there is nothing to wait for. */
static void test_queue_close_gives_one_early_turn(void **state)
{
	struct otlp_outcome late = {
		.verdict = OTLP_AGAIN, .is_answered = true, .retry_after_ms = 600000};
	struct otlp_queue *q = queue(100);
	struct otlp_settled done;
	struct otlp_request *r;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	put(q, OTLP_LOGS, 1, 2);
	for (unsigned i = 0; i < 2; i++)
		otlp_queue_settle(q, take(q), &late, &done);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + 100 * S);
	otlp_queue_settle(q, take(q), &late, &done);
	r = take(q);
	assert_int_equal(r->signal, OTLP_LOGS);
	otlp_queue_settle(q, r, &late, &done);
	assert_int_equal(otlp_queue_take(q, &r), -ESHUTDOWN);
	otlp_queue_leave(q);
	otlp_queue_abandon(q);
	assert_int_equal(counts(q, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 1);
	assert_int_equal(counts(q, OTLP_LOGS).dropped[OTLP_DROP_SHUTDOWN], 2);
	otlp_queue_destroy(q);
}

static void test_queue_close_is_over_at_the_deadline(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request *r;

	(void)state;
	put(q, OTLP_TRACES, 1, 1);
	otlp_queue_close(q, otlp_queue_now_mono_ns() + S / 50);
	assert_false(otlp_queue_await(q)); /* nobody consumes */
	assert_int_equal(otlp_queue_take(q, &r), -ESHUTDOWN);
	otlp_queue_destroy(q);
}

/* ---- with a journal ---- */

static void test_queue_acknowledges_in_order(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request *a, *b, *c;
	struct otlp_wal_pos pos;

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		put(q, OTLP_TRACES, 1, i);
	assert_int_equal(counts(q, OTLP_TRACES).queued_volatile, 6);
	assert_int_equal(save(q, OTLP_TRACES, 3, 100), 3);
	assert_int_equal(counts(q, OTLP_TRACES).queued_volatile, 0);
	assert_int_equal(save(q, OTLP_TRACES, 3, 200), 0); /* nothing is written twice */
	a = take(q);
	b = take(q);
	c = take(q);
	settle(q, b, OTLP_SENT);
	assert_false(otlp_queue_acked(q, OTLP_TRACES, &pos)); /* the first is not done */
	settle(q, a, OTLP_SENT);
	assert_true(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(pos.offset, 101);
	assert_false(otlp_queue_acked(q, OTLP_TRACES, &pos));
	settle(q, c, OTLP_DROPPED);
	assert_true(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(pos.offset, 102);
	otlp_queue_destroy(q);
}

/* A request may be sent, and dropped, while the journal writes it. */
static void test_queue_request_may_be_done_while_it_is_saved(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request *list[4];
	struct otlp_wal_record records[4];
	struct otlp_wal_pos pos;

	(void)state;
	for (size_t i = 1; i <= 3; i++)
		put(q, OTLP_TRACES, 30, i);
	assert_int_equal(otlp_queue_unsaved(q, OTLP_TRACES, list, 4), 3);
	assert_int_equal(send(q), 1);
	assert_int_equal(send(q), 2);
	assert_int_equal(put(q, OTLP_TRACES, 30, 4).items,
			 4); /* the journal still reads the others */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(list[i]->body->data[0], i + 1);
		records[i] = record_at(i, list[i]);
	}
	otlp_queue_saved(q, list, 3, records, 1); /* the disk took one only */
	assert_true(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(pos.offset, 0);
	assert_int_equal(counts(q, OTLP_TRACES).queued_volatile, 3);
	assert_int_equal(send(q), 3);
	assert_false(otlp_queue_acked(q, OTLP_TRACES, &pos));
	assert_int_equal(counts(q, OTLP_TRACES).queued, 0);
	assert_int_equal(put(q, OTLP_TRACES, 100, 5).requests, 0); /* all memory is free again */
	otlp_queue_destroy(q);
}

/* Memory bounds bodies: what is on disk gives up its own first. */
static void test_queue_memory_is_for_what_is_not_on_disk(void **state)
{
	struct otlp_queue *q = queue(100);
	struct otlp_request *r;

	(void)state;
	for (size_t i = 1; i <= 4; i++)
		put(q, OTLP_TRACES, 25, i);
	save(q, OTLP_TRACES, 4, 0);
	for (size_t i = 5; i <= 8; i++)
		assert_int_equal(put(q, OTLP_TRACES, 25, i).requests, 0);
	assert_int_equal(counts(q, OTLP_TRACES).queued_bytes, 200);
	/* The disk takes no more: of those in memory the oldest goes. */
	assert_int_equal(put(q, OTLP_TRACES, 25, 9).items, 5);
	r = take(q);
	assert_int_equal(r->items, 1);
	assert_null(r->body);
	assert_true(r->is_saved);
	settle(q, r, OTLP_SENT);
	otlp_queue_close(q, 0);
	otlp_queue_abandon(q);
	assert_int_equal(counts(q, OTLP_TRACES).dropped[OTLP_DROP_SHUTDOWN], 6 + 7 + 8 + 9);
	assert_int_equal(counts(q, OTLP_TRACES).queued, 2 + 3 + 4); /* on disk, not lost */
	otlp_queue_destroy(q);
}

static void test_queue_drops_the_oldest_on_disk_on_demand(void **state)
{
	struct otlp_wal_record found = {.pos = {1, 5}, .size = 10, .items = 7};
	struct otlp_queue *q = queue(100);
	struct otlp_overflow over;
	struct otlp_wal_pos pos;

	(void)state;
	assert_false(otlp_queue_drop_saved(q, OTLP_LOGS, &over));
	assert_int_equal(otlp_queue_restore(q, OTLP_LOGS, &found), 0);
	otlp_queue_damaged(q, OTLP_LOGS, 2);
	assert_int_equal(counts(q, OTLP_LOGS).recovered, 9);
	assert_int_equal(counts(q, OTLP_LOGS).dropped[OTLP_DROP_DAMAGED], 2);
	put(q, OTLP_LOGS, 1, 1);
	assert_true(otlp_queue_drop_saved(q, OTLP_LOGS, &over));
	assert_int_equal(over.items, 7);
	assert_true(over.is_first);
	assert_true(otlp_queue_acked(q, OTLP_LOGS, &pos));
	assert_int_equal(pos.offset, 5);
	assert_false(otlp_queue_drop_saved(q, OTLP_LOGS, &over));
	assert_int_equal(counts(q, OTLP_LOGS).dropped[OTLP_DROP_QUEUE_FULL], 7);
	otlp_queue_destroy(q);
}

static void test_queue_journal_waits_for_work(void **state)
{
	struct otlp_queue *q = queue(100);
	uint64_t start = otlp_queue_now_mono_ns();

	(void)state;
	put(q, OTLP_LOGS, 1, 1);
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
		settle(q, r, n++ % 3 ? OTLP_SENT : n % 2 ? OTLP_DROPPED : OTLP_ABORTED);
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
			save(arg, s, offset % 8, offset);
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

		put(arg, i % OTLP_SIGNAL_MAX, 1 + i % 50, 1 + i % 7);
		otlp_queue_counts(arg, i % OTLP_SIGNAL_MAX, &c);
		if (!is_closed(&c.stats))
			wrong = arg;
	}
	return wrong;
}

static void test_queue_is_closed_at_every_reading(void **state)
{
	struct otlp_queue_opts opts = {
		.cap_bytes = 200, .pace = {1, 3}, .consumers = 3, .has_journal = true};
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
		assert_int_equal(counts(q, s).queued, 0);
		items += counts(q, s).submitted;
	}
	assert_int_equal(items, 2 * 11994);
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
		cmocka_unit_test(test_queue_acknowledges_in_order),
		cmocka_unit_test(test_queue_request_may_be_done_while_it_is_saved),
		cmocka_unit_test(test_queue_memory_is_for_what_is_not_on_disk),
		cmocka_unit_test(test_queue_drops_the_oldest_on_disk_on_demand),
		cmocka_unit_test(test_queue_journal_waits_for_work),
		cmocka_unit_test(test_queue_is_closed_at_every_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
