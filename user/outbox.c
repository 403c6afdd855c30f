/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A request is built in a buffer of the largest size it may have, the exporter's, which leaves with
 * it, uncopied, and comes back with what it has been in before. One that fills little of its buffer
 * leaves as a copy of just its size: many of them may wait in the exporter's queue for long.
 */
#include "user/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct outbox {
	struct outbox_opts opts;
	uint8_t *buffer; /* max_bytes; NULL: not needed now */
	struct otlp_batch batch;
	bool has_batch;
	uint64_t begun_mono_ns;
	struct outbox_stats stats;
};

#define OUTBOX_WASTE_MAX 4 /* times the size of a request */

typedef int (*outbox_add_fn)(struct otlp_batch *b, const void *item);

int outbox_create(struct outbox **ret, const struct outbox_opts *opts)
{
	struct outbox *o;

	if (!opts->exporter || !otlp_exporter_takes(opts->exporter, opts->signal)) {
		*ret = NULL;
		return 0;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->opts = *opts;
	*ret = o;
	return 0;
}

void outbox_destroy(struct outbox *o)
{
	if (!o)
		return;
	free(o->buffer);
	free(o);
}

static int outbox_begin(struct outbox *o, uint64_t now_mono_ns)
{
	if (o->has_batch)
		return 0;
	if (!o->buffer)
		o->buffer = otlp_exporter_buffer(o->opts.exporter, o->opts.max_bytes);
	if (!o->buffer)
		return -ENOMEM;
	if (otlp_batch_begin(&o->batch, o->opts.encoder, o->opts.signal, o->buffer,
			     o->opts.max_bytes))
		return -EMSGSIZE; /* not even the resource fits */
	o->has_batch = true;
	o->begun_mono_ns = now_mono_ns;
	return 0;
}

/* What is submitted: the buffer itself or a copy; NULL: no memory. */
static uint8_t *outbox_leave(struct outbox *o, size_t size)
{
	uint8_t *data = o->buffer;

	if (size >= o->opts.max_bytes / OUTBOX_WASTE_MAX) {
		o->buffer = NULL;
		return data;
	}
	data = malloc(size);
	if (data)
		memcpy(data, o->buffer, size);
	return data;
}

void outbox_flush(struct outbox *o)
{
	uint8_t *data;
	size_t items, size;

	if (!o || !o->has_batch)
		return;
	items = o->batch.items;
	o->has_batch = false;
	o->stats.waiting = 0;
	size = otlp_batch_end(&o->batch);
	if (!size)
		return;
	data = outbox_leave(o, size);
	if (!data || otlp_exporter_submit(o->opts.exporter, o->opts.signal, data, size, items)) {
		o->stats.unsent += items;
		free(data);
	}
}

static int outbox_try(struct outbox *o, outbox_add_fn add, const void *item, uint64_t now_mono_ns)
{
	int err = outbox_begin(o, now_mono_ns);

	if (!err)
		err = add(&o->batch, item);
	if (err == -ENOSPC) {
		outbox_flush(o);
		err = outbox_begin(o, now_mono_ns);
		if (!err)
			err = add(&o->batch, item);
	}
	return err;
}

static int outbox_account(struct outbox *o, size_t items, int err)
{
	o->stats.made += items;
	if (err == -ENOMEM)
		o->stats.unsent += items;
	else if (err)
		o->stats.unencodable += items;
	o->stats.waiting = o->has_batch ? o->batch.items : 0;
	if (o->opts.max_items && o->stats.waiting >= o->opts.max_items)
		outbox_flush(o);
	return err;
}

static int outbox_add(struct outbox *o, outbox_add_fn add, const void *item, uint64_t now_mono_ns)
{
	return outbox_account(o, 1, outbox_try(o, add, item, now_mono_ns));
}

static int add_span(struct otlp_batch *b, const void *item)
{
	return otlp_batch_add_span(b, item);
}

static int add_metric(struct otlp_batch *b, const void *item)
{
	return otlp_batch_add_metric(b, item);
}

static int add_log(struct otlp_batch *b, const void *item)
{
	return otlp_batch_add_log(b, item);
}

int outbox_add_span(struct outbox *o, const struct otlp_span *span, uint64_t now_mono_ns)
{
	return outbox_add(o, add_span, span, now_mono_ns);
}

int outbox_add_metric(struct outbox *o, const struct otlp_metric *metric, uint64_t now_mono_ns)
{
	struct otlp_metric part = *metric;
	size_t most = metric->points_len, done = 0;
	int err, ret = 0;

	do {
		part.points = metric->points + done;
		part.points_len = metric->points_len - done;
		if (part.points_len > most)
			part.points_len = most;
		err = outbox_try(o, add_metric, &part, now_mono_ns);
		if (err == -EMSGSIZE && most > 1) {
			most = (part.points_len + 1) / 2;
			continue;
		}
		ret = ret ? ret : err;
		outbox_account(o, part.points_len, err);
		done += part.points_len;
		most *= 2; /* it may have been one large point */
		if (done < metric->points_len)
			outbox_flush(o); /* a metric is in a request once */
	} while (done < metric->points_len);
	return ret;
}

int outbox_add_log(struct outbox *o, const struct otlp_log *log, uint64_t now_mono_ns)
{
	return outbox_add(o, add_log, log, now_mono_ns);
}

void outbox_lose(struct outbox *o, size_t items)
{
	o->stats.made += items;
	o->stats.unencodable += items;
}

void outbox_tick(struct outbox *o, uint64_t now_mono_ns)
{
	if (o && o->has_batch && now_mono_ns - o->begun_mono_ns >= o->opts.delay_ms * 1000000ULL)
		outbox_flush(o);
}

void outbox_stats(const struct outbox *o, struct outbox_stats *ret)
{
	*ret = o ? o->stats : (struct outbox_stats){0};
}
