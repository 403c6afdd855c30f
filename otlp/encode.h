/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * encode - items → the bytes of one Export<Signal>ServiceRequest, appended as they come.
 *
 * A batch is one growing request in the caller's buffer: begin writes the constant head, each add
 * appends one item in a single pass, end closes it. Pure: no I/O, no allocation after create, no
 * clock. One thread per encoder and per batch. Follows opentelemetry-proto 1.11.
 */
#ifndef OTLP_ENCODE_H
#define OTLP_ENCODE_H

#include "otlp/otlp.h"

/* The resource and scope, encoded once and prepended to each request. */
struct otlp_encoder;

/* 0 and *ret set; -ENOMEM; -EINVAL if the source is unusable (an attribute without a key). The
 * source is copied. Free with otlp_encoder_destroy(). */
int otlp_encoder_create(struct otlp_encoder **ret, const struct otlp_source *source);
void otlp_encoder_destroy(struct otlp_encoder *e); /* NULL is allowed */

/* From now on spans and logs are cut to these limits; what is cut off is counted in
 * dropped_…_count (a text that was shortened is not). Before any batch; copied. Without it: no
 * limits. */
void otlp_encoder_limit(struct otlp_encoder *e, const struct otlp_limits *limits);

/* One request being built; the fields are read-only for the caller. */
struct otlp_batch {
	enum otlp_signal signal;
	uint8_t *data; /* the caller's */
	size_t cap;    /* bytes */
	size_t len;    /* bytes so far */
	size_t items;  /* spans, metric data points or log records so far */
	size_t open[2]; /* private: where the scope's content and the first item begin */
	struct otlp_limits limits; /* private: the encoder's */
};

/* Starts a request in @data. 0, or -ENOSPC if not even the head fits. */
int otlp_batch_begin(struct otlp_batch *b, const struct otlp_encoder *e, enum otlp_signal signal,
		     uint8_t *data, size_t cap);

/* Appends one item. 0; -ENOSPC: no room, the batch is as before, send it and begin another;
 * -EINVAL: the item breaks a MUST (zero ids, no name, no points), the batch is as before;
 * -EMSGSIZE: it would not fit an empty batch of this capacity either. */
int otlp_batch_add_span(struct otlp_batch *b, const struct otlp_span *span);
int otlp_batch_add_metric(struct otlp_batch *b, const struct otlp_metric *metric);
int otlp_batch_add_log(struct otlp_batch *b, const struct otlp_log *log);

/* Closes the request and returns its size in bytes; 0 if it has no items: then there is nothing
 * to send (the specification: no empty requests). */
size_t otlp_batch_end(struct otlp_batch *b);

#endif /* OTLP_ENCODE_H */
