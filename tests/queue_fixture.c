/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/queue_fixture.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

struct otlp_queue *queue_test_create(size_t cap)
{
	struct otlp_queue_opts opts = {.cap_bytes = cap, .pace = {20, 100}, .consumers = 1};
	struct otlp_queue *q = NULL;

	assert_int_equal(otlp_queue_create(&q, &opts), 0);
	return q;
}

static struct otlp_body *body(size_t size, size_t items)
{
	uint8_t *data = calloc(1, size);
	struct otlp_body *b;

	data[0] = (uint8_t)items;
	b = otlp_body_create(data, size, NULL);
	assert_non_null(b);
	return b;
}

struct otlp_overflow queue_test_put(struct otlp_queue *q, enum otlp_signal signal, size_t size,
				    size_t items)
{
	struct otlp_overflow over;

	otlp_queue_put(q, signal, body(size, items), items, &over);
	return over;
}

struct otlp_request *queue_test_take(struct otlp_queue *q)
{
	struct otlp_request *r = NULL;

	assert_int_equal(otlp_queue_take(q, &r), 0);
	if (r->body)
		assert_int_equal(r->body->data[0], r->items);
	return r;
}

struct otlp_settled queue_test_settle(struct otlp_queue *q, struct otlp_request *r,
				      enum otlp_verdict verdict)
{
	struct otlp_outcome o = {.verdict = verdict,
				 .reason = OTLP_DROP_REFUSED,
				 .status = 503,
				 .sent_bytes = r->size};
	struct otlp_settled done;

	otlp_queue_settle(q, r, &o, &done);
	return done;
}

size_t queue_test_send(struct otlp_queue *q)
{
	struct otlp_request *r = queue_test_take(q);
	size_t items = r->items;

	queue_test_settle(q, r, OTLP_SENT);
	return items;
}

bool queue_test_is_closed(const struct otlp_signal_stats *s)
{
	uint64_t out = s->exported + s->rejected;

	for (unsigned i = 0; i < OTLP_DROP_MAX; i++)
		out += s->dropped[i];
	return s->submitted == out + s->queued && s->in_flight <= s->queued &&
	       s->queued_volatile <= s->queued;
}

struct otlp_signal_stats queue_test_counts(struct otlp_queue *q, enum otlp_signal signal)
{
	struct otlp_queue_counts c;

	otlp_queue_counts(q, signal, &c);
	assert_true(queue_test_is_closed(&c.stats));
	return c.stats;
}

struct otlp_wal_record queue_test_record_at(uint64_t offset, const struct otlp_request *r)
{
	return (struct otlp_wal_record){.pos = {1, offset}, .size = r->size, .items = r->items};
}

size_t queue_test_save(struct otlp_queue *q, enum otlp_signal signal, size_t n, uint64_t offset)
{
	struct otlp_request *list[8];
	struct otlp_wal_record records[8];
	size_t len = otlp_queue_unsaved(q, signal, list, 8);

	for (size_t i = 0; i < len; i++)
		records[i] = queue_test_record_at(offset + i, list[i]);
	otlp_queue_saved(q, list, len, records, n < len ? n : len);
	return len;
}
