/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * outbox - items of one signal → one growing request → the exporter.
 *
 * A request leaves when it holds enough items, when it is full, when it has waited long enough, or
 * when asked. Every item is accounted for. One thread per outbox; its counts are plain numbers of
 * that thread.
 */
#ifndef USER_OUTBOX_H
#define USER_OUTBOX_H

#include "otlp/encode.h"
#include "otlp/exporter.h"

struct outbox;

struct outbox_opts {
	const struct otlp_encoder *encoder;
	struct otlp_exporter *exporter;
	enum otlp_signal signal;
	size_t max_items; /* spans, points or log records of a request; 0: as many as fit */
	size_t max_bytes; /* of a request before compression */
	uint32_t delay_ms; /* wait after the first item; looked at by outbox_tick() */
};

/* 0 and *ret set, -ENOMEM. *ret is NULL where the exporter does not take the signal (or is NULL):
 * then there is nothing to be made, and nothing is lost by not making it. @opts is copied, what it
 * points to is borrowed. */
int outbox_create(struct outbox **ret, const struct outbox_opts *opts);
void outbox_destroy(struct outbox *o); /* NULL is allowed; what waits is thrown away */

/* Each: 0, the item is on its way; else it is lost and counted: -ENOMEM no memory for a request,
 * -EINVAL it breaks a MUST of the protocol, -EMSGSIZE no request can hold it. */
int outbox_add_span(struct outbox *o, const struct otlp_span *span, uint64_t now_mono_ns);
/* A metric that no request can hold is spread over several; the first error is returned. */
int outbox_add_metric(struct outbox *o, const struct otlp_metric *metric, uint64_t now_mono_ns);
int outbox_add_log(struct outbox *o, const struct otlp_log *log, uint64_t now_mono_ns);

/* Counts items as made and unencodable that could not even be handed over. */
void outbox_lose(struct outbox *o, size_t items);

/* Sends what has waited long enough, or everything. NULL is allowed. */
void outbox_tick(struct outbox *o, uint64_t now_mono_ns);
void outbox_flush(struct outbox *o);

/* Items (of metrics: points). made = submitted + waiting + unencodable + unsent, where submitted is
 * the exporter's count. */
struct outbox_stats {
	uint64_t made;
	uint64_t unencodable; /* they break a rule of the protocol, or are too large */
	uint64_t waiting; /* in the request that has not left yet */
	uint64_t unsent; /* the exporter would not take them: it was stopped, no memory */
};
void outbox_stats(const struct outbox *o, struct outbox_stats *ret); /* of NULL: all zero */

#endif /* USER_OUTBOX_H */
