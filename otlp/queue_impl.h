/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue_impl - what the parts of queue share. Every function here wants the lock held.
 */
#ifndef OTLP_QUEUE_IMPL_H
#define OTLP_QUEUE_IMPL_H

#include <pthread.h>

#include "otlp/queue.h"

#define OTLP_MS UINT64_C(1000000) /* ns */

TAILQ_HEAD(otlp_request_list, otlp_request);

struct otlp_fifo {
	struct otlp_request_list list;
	struct otlp_signal_stats stats;
	uint64_t connects;
	size_t memory_bytes; /* bodies here */
	unsigned in_flight;
	struct otlp_pace pace;
	bool is_overflowing; /* dropped something since the last export */
	unsigned refused_status; /* of the last refusal since a success; 0: none */
	bool is_hurried; /* had its early turn after close */
	bool has_acked; /* the journal has not been told yet of */
	struct otlp_wal_pos acked;
};

struct otlp_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct otlp_queue_opts opts;
	struct otlp_fifo fifo[OTLP_SIGNAL_MAX];
	struct otlp_pace pace; /* of the server */
	uint64_t random; /* state, not 0 */
	unsigned last; /* signal that had the last turn */
	unsigned consumers;
	bool is_dirty; /* the journal has work */
	bool is_journal_stopped;
	bool is_closed;
	uint64_t deadline_mono_ns; /* once closed */
};

void otlp_queue_wait_until(struct otlp_queue *q, uint64_t mono_ns);
void otlp_queue_link(struct otlp_queue *q, struct otlp_request *r);
void otlp_queue_forget_body(struct otlp_fifo *f, struct otlp_request *r);

/* Counts items that never were in the queue. */
void otlp_queue_lose(struct otlp_fifo *f, uint64_t items, enum otlp_drop_reason reason);
void otlp_queue_drop_request(struct otlp_queue *q, struct otlp_request *r,
			     enum otlp_drop_reason reason);

/* Frees done requests, as far as the order of the log allows. */
void otlp_queue_sweep(struct otlp_queue *q, struct otlp_fifo *f);

/* The oldest that nobody works on, in memory (@saved: on disk); NULL: none. */
struct otlp_request *otlp_queue_oldest(struct otlp_fifo *f, bool saved);

#endif /* OTLP_QUEUE_IMPL_H */
