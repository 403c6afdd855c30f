/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue_fixture - short words for a queue with one consumer and a journal.
 */
#ifndef TESTS_QUEUE_FIXTURE_H
#define TESTS_QUEUE_FIXTURE_H

#include "otlp/queue.h"

#define S UINT64_C(1000000000)

struct otlp_queue *queue_test_create(size_t cap_bytes);

/* A body whose first byte is its number of items. */
struct otlp_overflow queue_test_put(struct otlp_queue *q, enum otlp_signal signal, size_t size,
				    size_t items);
struct otlp_request *queue_test_take(struct otlp_queue *q);
struct otlp_settled queue_test_settle(struct otlp_queue *q, struct otlp_request *r,
				      enum otlp_verdict verdict);
/* Takes the next and says that it was sent; returns its items. */
size_t queue_test_send(struct otlp_queue *q);

bool queue_test_is_closed(const struct otlp_signal_stats *s);
/* Reads the counts and checks that they are closed. */
struct otlp_signal_stats queue_test_counts(struct otlp_queue *q, enum otlp_signal signal);

struct otlp_wal_record queue_test_record_at(uint64_t offset, const struct otlp_request *r);
/* Plays the journal: the first @n unsaved ones are on disk, at offsets from @offset on. */
size_t queue_test_save(struct otlp_queue *q, enum otlp_signal signal, size_t n, uint64_t offset);

#endif /* TESTS_QUEUE_FIXTURE_H */
