/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The journal's side of the queue. The journal works on requests outside the lock; meanwhile they
 * are `saving`: they may be sent and be done, but neither they nor their bodies are freed.
 */
#include "otlp/queue_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* The monotonic time of a moment of the past, at least 1. */
static uint64_t mono_of(uint64_t unix_ns)
{
	uint64_t now_mono_ns = otlp_queue_now_mono_ns(), now_unix_ns, age_ns;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	now_unix_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	age_ns = now_unix_ns > unix_ns ? now_unix_ns - unix_ns : 0;
	return now_mono_ns > age_ns ? now_mono_ns - age_ns : 1;
}

int otlp_queue_restore(struct otlp_queue *q, enum otlp_signal signal,
		       const struct otlp_wal_record *record)
{
	struct otlp_request *r = malloc(sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct otlp_request){.signal = signal,
				   .queued_mono_ns = mono_of(record->queued_unix_ns),
				   .size = record->size,
				   .items = record->items,
				   .queued_unix_ns = record->queued_unix_ns,
				   .is_saved = true,
				   .record = *record};
	pthread_mutex_lock(&q->lock);
	q->fifo[signal].stats.submitted += r->items;
	q->fifo[signal].stats.recovered += r->items;
	otlp_queue_link(q, r);
	pthread_mutex_unlock(&q->lock);
	return 0;
}

void otlp_queue_damaged(struct otlp_queue *q, enum otlp_signal signal, uint64_t items)
{
	pthread_mutex_lock(&q->lock);
	otlp_queue_lose(&q->fifo[signal], items, OTLP_DROP_DAMAGED);
	q->fifo[signal].stats.recovered += items;
	pthread_mutex_unlock(&q->lock);
}

bool otlp_queue_journal_wait(struct otlp_queue *q, uint32_t window_ms)
{
	uint64_t until;
	bool goes_on;

	pthread_mutex_lock(&q->lock);
	while (!q->is_dirty && !q->is_journal_stopped)
		otlp_queue_wait_until(q, UINT64_MAX);
	until = otlp_queue_now_mono_ns() + window_ms * OTLP_MS;
	while (!q->is_journal_stopped && otlp_queue_now_mono_ns() < until)
		otlp_queue_wait_until(q, until);
	q->is_dirty = false;
	goes_on = !q->is_journal_stopped;
	pthread_mutex_unlock(&q->lock);
	return goes_on;
}

void otlp_queue_journal_stop(struct otlp_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_journal_stopped = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

size_t otlp_queue_unsaved(struct otlp_queue *q, enum otlp_signal signal, struct otlp_request **ret,
			  size_t cap)
{
	struct otlp_request *r;
	size_t len = 0;

	pthread_mutex_lock(&q->lock);
	TAILQ_FOREACH(r, &q->fifo[signal].list, link)
	{
		if (len == cap)
			break;
		if (r->is_saved || r->is_done)
			continue;
		r->is_saving = true;
		ret[len++] = r;
	}
	pthread_mutex_unlock(&q->lock);
	return len;
}

void otlp_queue_saved(struct otlp_queue *q, struct otlp_request **list, size_t len,
		      const struct otlp_wal_record *records, size_t saved)
{
	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < len; i++) {
		struct otlp_request *r = list[i];
		struct otlp_fifo *f = &q->fifo[r->signal];

		r->is_saving = false;
		if (i < saved) {
			r->is_saved = true;
			r->record = records[i];
			if (!r->is_done)
				f->stats.queued_volatile -= r->items;
		} else {
			q->is_dirty = true;
		}
		if (r->is_done) {
			otlp_queue_forget_body(f, r);
			if (!r->is_saved) {
				TAILQ_REMOVE(&f->list, r, link);
				free(r);
			}
		} else if (r->is_saved && !r->is_in_flight &&
			   f->memory_bytes > q->opts.cap_bytes / 2) {
			/* it will be wanted last: half of the memory is for those before */
			otlp_queue_forget_body(f, r);
		}
		otlp_queue_sweep(q, f);
	}
	pthread_mutex_unlock(&q->lock);
}

bool otlp_queue_drop_saved(struct otlp_queue *q, enum otlp_signal signal, struct otlp_overflow *ret)
{
	struct otlp_fifo *f = &q->fifo[signal];
	struct otlp_request *r;

	*ret = (struct otlp_overflow){0};
	pthread_mutex_lock(&q->lock);
	r = TAILQ_FIRST(&f->list);
	while (r && r->is_done)
		r = TAILQ_NEXT(r, link);
	if (r && r->is_saved && !r->is_in_flight) {
		*ret = (struct otlp_overflow){1, r->items, !f->is_overflowing};
		f->is_overflowing = true;
		otlp_queue_drop_request(q, r, OTLP_DROP_QUEUE_FULL);
	}
	pthread_mutex_unlock(&q->lock);
	return ret->requests;
}

bool otlp_queue_acked(struct otlp_queue *q, enum otlp_signal signal, struct otlp_wal_pos *ret)
{
	struct otlp_fifo *f = &q->fifo[signal];
	bool has;

	pthread_mutex_lock(&q->lock);
	has = f->has_acked;
	*ret = f->acked;
	f->has_acked = false;
	pthread_mutex_unlock(&q->lock);
	return has;
}
