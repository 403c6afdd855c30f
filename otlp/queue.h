/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue - encoded requests waiting to be sent: one bounded FIFO per signal, and the account of what
 * became of every item.
 *
 * Any number of producers, one consumer. The consumer looks at a head, sends it and settles it:
 * till then the request keeps its place and overflow cannot touch it. Everything lies under one
 * lock, so that at every reading items in = sum(items by fate) + items held.
 */
#ifndef OTLP_QUEUE_H
#define OTLP_QUEUE_H

#include "otlp/otlp.h"

struct otlp_queue;

struct otlp_request {
	enum otlp_signal signal;
	uint8_t *data; /* from malloc */
	size_t size; /* bytes */
	size_t items;
	uint64_t queued_mono_ns; /* set by put */
	unsigned attempts; /* settled so far */
};

enum otlp_fate {
	OTLP_FATE_EXPORTED,
	OTLP_FATE_REJECTED, /* by a server that took the others of the request */
	OTLP_FATE_OVERFLOW,
	OTLP_FATE_REFUSED,
	OTLP_FATE_EXPIRED, /* no success in time */
	OTLP_FATE_SHUTDOWN,
	OTLP_FATE_MAX
};

/* @cap_bytes bounds the bodies of each signal. 0 and *ret set, or -errno. */
int otlp_queue_create(struct otlp_queue **ret, size_t cap_bytes);
void otlp_queue_destroy(struct otlp_queue *q); /* NULL is allowed; frees what is queued */

struct otlp_overflow {
	size_t requests; /* dropped by this put */
	size_t items;
	bool is_first; /* since a request of this signal was last exported */
};

/* Queues a request; on 0 its data belongs to the queue. Drops the oldest requests that are not in
 * flight until the new one fits, or the new one if it cannot. -ESHUTDOWN after close; -ENOMEM. */
int otlp_queue_put(struct otlp_queue *q, const struct otlp_request *r, struct otlp_overflow *ret);

/* ---- the consumer ---- */

/* Waits for a head whose signal is due at @due_mono_ns[signal] or earlier, taking signals in turn;
 * copies it to *ret, the data stays the queue's. Once closed every signal gets one early turn where
 * its time would come too late. -ESHUTDOWN: closed, and empty or nothing can be done in time. */
int otlp_queue_peek(struct otlp_queue *q, const uint64_t due_mono_ns[OTLP_SIGNAL_MAX],
		    struct otlp_request *ret);

struct otlp_outcome {
	bool is_done; /* the request leaves the queue and is freed */
	enum otlp_fate fate; /* of its items, if it is done */
	uint64_t rejected; /* with OTLP_FATE_EXPORTED: items that were not; at most all count */
	bool is_answered;
	size_t sent_bytes; /* body as sent; counted with OTLP_FATE_EXPORTED */
	unsigned connects;
};
/* Says what came of the request that peek gave. */
void otlp_queue_settle(struct otlp_queue *q, const struct otlp_outcome *o);

/* The consumer goes: frees what is left as OTLP_FATE_SHUTDOWN, wakes otlp_queue_await(). */
void otlp_queue_leave(struct otlp_queue *q);

/* ---- the end ---- */

/* No more puts; the consumer has until @deadline_mono_ns. The first call counts. */
void otlp_queue_close(struct otlp_queue *q, uint64_t deadline_mono_ns);

/* Waits till the consumer has left; false: the deadline given to close passed before. */
bool otlp_queue_await(struct otlp_queue *q);

struct otlp_queue_counts {
	uint64_t items_in;
	uint64_t items_out[OTLP_FATE_MAX];
	uint64_t items_held;
	uint64_t bytes_held;
	uint64_t requests_held;
	uint64_t answers; /* attempts that got one */
	uint64_t repeats; /* attempts after a request's first */
	uint64_t sent_bytes; /* bodies of exported requests, as sent */
	uint64_t connects;
};
void otlp_queue_counts(struct otlp_queue *q, enum otlp_signal signal,
		       struct otlp_queue_counts *ret);

uint64_t otlp_queue_now_mono_ns(void); /* the clock of all deadlines here */

#endif /* OTLP_QUEUE_H */
