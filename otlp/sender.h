/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sender - everything on its way to one server: a queue, a thread per connection that empties it,
 * and a journal if the queue is kept on disk.
 */
#ifndef OTLP_SENDER_H
#define OTLP_SENDER_H

#include "otlp/exporter.h"
#include "otlp/url.h"

struct otlp_sender;

struct otlp_sender_opts {
	const struct otlp_exporter_opts *exporter; /* what holds for all; read by create only */
	/* By signal, NULL: goes elsewhere. The same server and the same certificates for all. */
	const struct otlp_target *target[OTLP_SIGNAL_MAX];
	int dir_fd; /* queue directory, the caller's till destroy; -1: memory only */
};

/* 0 and *ret set; errors as otlp_exporter_create(). Starts the threads. */
int otlp_sender_create(struct otlp_sender **ret, const struct otlp_sender_opts *opts,
		       char error[OTLP_ERROR_CAP]);

/* Takes over a reference to @body. */
struct otlp_body;
void otlp_sender_put(struct otlp_sender *s, enum otlp_signal signal, struct otlp_body *body,
		     size_t items);
/* Counts items that cannot be sent. */
void otlp_sender_drop(struct otlp_sender *s, enum otlp_signal signal, size_t items,
		      enum otlp_drop_reason reason);

/* Both in this order; between them several senders use up their time together. */
void otlp_sender_close(struct otlp_sender *s, uint64_t deadline_mono_ns);
void otlp_sender_stop(struct otlp_sender *s);
void otlp_sender_destroy(struct otlp_sender *s); /* NULL is allowed; after stop */

void otlp_sender_info(const struct otlp_sender *s, enum otlp_signal signal,
		      struct otlp_target_info *ret);
void otlp_sender_stats(struct otlp_sender *s, enum otlp_signal signal,
		       struct otlp_signal_stats *ret);
uint64_t otlp_sender_connects(struct otlp_sender *s);

#endif /* OTLP_SENDER_H */
