/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue - encoded requests that wait for one server: a FIFO per signal, bounded; when each may be
 * sent; and the account of what became of every item.
 *
 * Any number of producers and consumers, and at most one journal, which keeps requests on disk.
 * Everything lies under one lock, so that at every reading items in = sum(items by fate) + held.
 * A request in flight keeps its place: overflow cannot touch it.
 *
 * Order: data points leave one request at a time, in order. Spans and log records, too, where
 * there is one consumer; with several some are in flight together.
 */
#ifndef OTLP_QUEUE_H
#define OTLP_QUEUE_H

#include <sys/queue.h>

#include "otlp/account.h"
#include "otlp/body.h"
#include "otlp/pace.h"
#include "otlp/wal.h"

struct otlp_queue;

/* Only the queue writes to it. */
struct otlp_request {
	enum otlp_signal signal;
	struct otlp_body *body; /* NULL: on disk only */
	size_t size; /* bytes */
	size_t items;
	uint64_t queued_mono_ns;
	uint64_t queued_unix_ns;
	unsigned attempts; /* settled so far */
	bool is_saved; /* durable, at */
	struct otlp_wal_record record;

	/* private */
	TAILQ_ENTRY(otlp_request) link;
	uint64_t began_mono_ns;
	bool is_in_flight, is_saving, is_done;
};

struct otlp_queue_opts {
	size_t cap_bytes; /* bodies in memory, of each signal */
	size_t cap_items[OTLP_SIGNAL_MAX]; /* 0: as many as fit */
	uint32_t budget_ms[OTLP_SIGNAL_MAX]; /* given up when older; 0: never */
	struct otlp_pace_opts pace;
	unsigned consumers; /* each calls take until it fails, then leave */
};

/* 0 and *ret set, or -ENOMEM. */
int otlp_queue_create(struct otlp_queue **ret, const struct otlp_queue_opts *opts);
void otlp_queue_destroy(struct otlp_queue *q); /* NULL is allowed */

/* ---- producers ---- */

struct otlp_overflow {
	size_t requests; /* dropped by this put */
	size_t items;
	bool is_first; /* since a request of this signal was last exported */
};

/* Queues a request of @items; takes over a reference to @body. Never fails: drops the oldest that
 * can be dropped until the new one fits, or the new one if it cannot, and counts; after close it
 * is counted as dropped by the shutdown. */
void otlp_queue_put(struct otlp_queue *q, enum otlp_signal signal, struct otlp_body *body,
		    size_t items, struct otlp_overflow *ret);

/* Counts items that could not be queued. */
void otlp_queue_drop(struct otlp_queue *q, enum otlp_signal signal, size_t items,
		     enum otlp_drop_reason reason);

/* ---- consumers ---- */

/* Waits for a request that may be sent now. It is in flight till it is settled. -ESHUTDOWN: closed,
 * and nothing is left that could be sent in time. Once closed every signal gets one early turn
 * where its time would come too late. */
int otlp_queue_take(struct otlp_queue *q, struct otlp_request **ret);

enum otlp_verdict {
	OTLP_SENT,
	OTLP_DROPPED,
	OTLP_AGAIN, /* later */
	OTLP_ABORTED /* as if it had not been tried */
};
struct otlp_outcome {
	enum otlp_verdict verdict;
	enum otlp_drop_reason reason; /* DROPPED */
	uint64_t rejected; /* SENT: items that were not taken */
	uint64_t retry_after_ms; /* AGAIN: as the server asked, 0: it did not */
	unsigned status; /* of HTTP; 0: no answer, nothing that this server serves can be sent */
	size_t sent_bytes; /* body as sent; counted with SENT */
	unsigned connects;
};
struct otlp_settled {
	bool is_dropped;
	bool is_expired; /* AGAIN, but the budget is spent: dropped */
	bool is_first; /* AGAIN: of the failures in a row; DROPPED: with this status in a row */
	bool is_recovered; /* the first success after failures */
	uint64_t wait_ms; /* AGAIN: till the next attempt */
	uint64_t requests; /* of the signal, that wait */
};
/* Says what came of @r, which is the queue's again and may be gone. */
void otlp_queue_settle(struct otlp_queue *q, struct otlp_request *r, const struct otlp_outcome *o,
		       struct otlp_settled *ret);

void otlp_queue_leave(struct otlp_queue *q);

/* ---- the journal ---- */

/* A record found on disk goes to the end of the queue. 0 or -ENOMEM. */
int otlp_queue_restore(struct otlp_queue *q, enum otlp_signal signal,
		       const struct otlp_wal_record *record);
/* Counts items that were found damaged. */
void otlp_queue_damaged(struct otlp_queue *q, enum otlp_signal signal, uint64_t items);

/* Waits till there is something to write or to acknowledge, then for @window_ms more. Returns at
 * once, false, after otlp_queue_journal_stop(). */
bool otlp_queue_journal_wait(struct otlp_queue *q, uint32_t window_ms);
void otlp_queue_journal_stop(struct otlp_queue *q);

/* The oldest requests not on disk, at most @cap: from here to saved they stay with their bodies.
 * Returns how many. */
size_t otlp_queue_unsaved(struct otlp_queue *q, enum otlp_signal signal, struct otlp_request **ret,
			  size_t cap);
/* The first @saved of them are on disk, at @records; the others are not. */
void otlp_queue_saved(struct otlp_queue *q, struct otlp_request **list, size_t len,
		      const struct otlp_wal_record *records, size_t saved);
/* Drops the oldest request if it is on disk and not in flight; false: it is not. (Room on disk is
 * freed from the oldest on: dropping others would free none.) */
bool otlp_queue_drop_saved(struct otlp_queue *q, enum otlp_signal signal,
			   struct otlp_overflow *ret);
/* The last record behind which nothing older waits, if it is another than at the last call. */
bool otlp_queue_acked(struct otlp_queue *q, enum otlp_signal signal, struct otlp_wal_pos *ret);

/* ---- the end ---- */

/* The consumers have until @deadline_mono_ns. The first call counts. */
void otlp_queue_close(struct otlp_queue *q, uint64_t deadline_mono_ns);
/* Waits till all consumers have left; false: the deadline passed before. */
bool otlp_queue_await(struct otlp_queue *q);
/* After that: what is not on disk is dropped. */
void otlp_queue_abandon(struct otlp_queue *q);

struct otlp_queue_counts {
	struct otlp_signal_stats stats;
	uint64_t connects;
};
void otlp_queue_counts(struct otlp_queue *q, enum otlp_signal signal,
		       struct otlp_queue_counts *ret);

uint64_t otlp_queue_now_mono_ns(void); /* the clock of all deadlines here */

#endif /* OTLP_QUEUE_H */
