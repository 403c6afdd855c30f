/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * journal - keeps a queue's requests on disk: a thread that appends what waits to a write-ahead log
 * per signal, makes it durable, and moves the logs' cursors behind what is done.
 *
 * It looks at the queue once per window: what is sent within one never touches the disk, what
 * waits for longer than one, and the time the disk takes, survives a kill and a power cut.
 */
#ifndef OTLP_JOURNAL_H
#define OTLP_JOURNAL_H

#include "otlp/queue.h"

struct otlp_journal;

struct otlp_journal_log {
	const char *name; /* folder in the queue directory; NULL: this signal is not kept */
	const char *url; /* to be recorded, or the recorded one; NULL: whatever is recorded */
};

struct otlp_journal_opts {
	struct otlp_queue *queue;
	int dir_fd; /* queue directory; the caller's */
	struct otlp_journal_log log[OTLP_SIGNAL_MAX];
	uint64_t cap_bytes; /* of each log on disk; beyond it the oldest requests are dropped */
	uint32_t window_ms;
	otlp_event_fn event; /* from the thread, and from start */
	void *event_ctx;
};

/* Opens the logs, puts what is in them into the queue, starts the thread. 0; or the errors of
 * otlp_wal_open() and *why; -ENOMEM. */
int otlp_journal_start(struct otlp_journal **ret, const struct otlp_journal_opts *opts,
		       const char **why);

/* Writes what is not on disk yet, as far as the disk lets it, and ends the thread. Not before all
 * consumers have left the queue. NULL is allowed. */
void otlp_journal_stop(struct otlp_journal *j);

/* The body of a request in flight; any thread. 0, or the errors of otlp_wal_read(). */
int otlp_journal_read(struct otlp_journal *j, const struct otlp_request *r, struct otlp_body **ret);

#endif /* OTLP_JOURNAL_H */
