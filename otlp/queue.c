/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A list per signal under one mutex. A request is counted as held from put to its fate, and leaves
 * `held` in the same critical section in which its fate is counted.
 *
 * With a journal a request goes through these states: in memory -> saving -> saved, with its body
 * still in memory or not. One that is done before the journal comes to it never touches the disk.
 * One that is done when it is saved stays in the list, as a place holder without items, until all
 * older ones are done, too: then the log's cursor may pass it.
 *
 * One condition variable serves the few waiters there are.
 */
#include "otlp/queue_impl.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define RETRY_AFTER_MAX_MS (15 * 60 * 1000u) /* taken from a server */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t otlp_queue_now_mono_ns(void)
{
	return now_ns(CLOCK_MONOTONIC);
}

int otlp_queue_create(struct otlp_queue **ret, const struct otlp_queue_opts *opts)
{
	struct otlp_queue *q = calloc(1, sizeof(*q));
	pthread_condattr_t attr;

	if (!q)
		return -ENOMEM;
	q->opts = *opts;
	q->consumers = opts->consumers;
	q->last = OTLP_SIGNAL_MAX - 1;
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		TAILQ_INIT(&q->fifo[s].list);
	if (getrandom(&q->random, sizeof(q->random), GRND_NONBLOCK) != sizeof(q->random))
		q->random = otlp_queue_now_mono_ns();
	q->random |= 1;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = q;
	return 0;
}

void otlp_queue_destroy(struct otlp_queue *q)
{
	struct otlp_request *r;

	if (!q)
		return;
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		while ((r = TAILQ_FIRST(&q->fifo[s].list))) {
			TAILQ_REMOVE(&q->fifo[s].list, r, link);
			otlp_body_unref(r->body);
			free(r);
		}
	}
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/* ---- with the lock held ---- */

void otlp_queue_wait_until(struct otlp_queue *q, uint64_t mono_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(mono_ns / 1000000000u),
			      .tv_nsec = (long)(mono_ns % 1000000000u)};

	if (mono_ns == UINT64_MAX)
		pthread_cond_wait(&q->changed, &q->lock);
	else
		pthread_cond_timedwait(&q->changed, &q->lock, &ts);
}

void otlp_queue_forget_body(struct otlp_fifo *f, struct otlp_request *r)
{
	if (!r->body)
		return;
	f->memory_bytes -= r->size;
	otlp_body_unref(r->body);
	r->body = NULL;
}

void otlp_queue_link(struct otlp_queue *q, struct otlp_request *r)
{
	struct otlp_fifo *f = &q->fifo[r->signal];

	TAILQ_INSERT_TAIL(&f->list, r, link);
	f->stats.queued += r->items;
	f->stats.queued_bytes += r->size;
	f->stats.queued_requests++;
	if (r->body)
		f->memory_bytes += r->size;
	if (!r->is_saved)
		f->stats.queued_volatile += r->items;
}

void otlp_queue_sweep(struct otlp_queue *q, struct otlp_fifo *f)
{
	struct otlp_request *r;

	while ((r = TAILQ_FIRST(&f->list)) && r->is_done && !r->is_saving) {
		TAILQ_REMOVE(&f->list, r, link);
		if (r->is_saved) {
			f->acked = r->record.pos;
			f->has_acked = true;
			q->is_dirty = true;
		}
		free(r);
	}
}

/* The items of @r leave the queue; who calls has counted or will count what became of them. */
static void finish(struct otlp_queue *q, struct otlp_request *r)
{
	struct otlp_fifo *f = &q->fifo[r->signal];

	f->stats.queued -= r->items;
	f->stats.queued_bytes -= r->size;
	f->stats.queued_requests--;
	if (!r->is_saved)
		f->stats.queued_volatile -= r->items;
	if (!r->is_saving)
		otlp_queue_forget_body(f, r);
	r->is_done = true;
	if (!r->is_saved && !r->is_saving) {
		TAILQ_REMOVE(&f->list, r, link);
		free(r);
	}
	otlp_queue_sweep(q, f);
}

void otlp_queue_drop_request(struct otlp_queue *q, struct otlp_request *r,
			     enum otlp_drop_reason reason)
{
	q->fifo[r->signal].stats.dropped[reason] += r->items;
	finish(q, r);
}

static bool is_idle(const struct otlp_request *r)
{
	return !r->is_in_flight && !r->is_saving && !r->is_done;
}

struct otlp_request *otlp_queue_oldest(struct otlp_fifo *f, bool saved)
{
	struct otlp_request *r;

	TAILQ_FOREACH(r, &f->list, link)
	if (is_idle(r) && r->is_saved == saved)
		return r;
	return NULL;
}

/* Whether there is room now. What is saved gives up its body first. */
static bool make_room(struct otlp_queue *q, struct otlp_request *new, struct otlp_overflow *ret)
{
	struct otlp_fifo *f = &q->fifo[new->signal];
	size_t cap_items = q->opts.cap_items[new->signal];
	struct otlp_request *r;

	TAILQ_FOREACH_REVERSE(r, &f->list, otlp_request_list, link)
	{
		if (f->memory_bytes + new->size <= q->opts.cap_bytes)
			break;
		if (r->is_saved && is_idle(r))
			otlp_queue_forget_body(f, r);
	}
	for (;;) {
		bool needs_memory = f->memory_bytes + new->size > q->opts.cap_bytes;

		if (!needs_memory && (!cap_items || f->stats.queued + new->items <= cap_items))
			return true;
		r = needs_memory ? NULL : otlp_queue_oldest(f, true);
		if (!r)
			r = otlp_queue_oldest(f, false);
		if (!r)
			return false;
		ret->requests++;
		ret->items += r->items;
		otlp_queue_drop_request(q, r, OTLP_DROP_QUEUE_FULL);
	}
}

void otlp_queue_lose(struct otlp_fifo *f, uint64_t items, enum otlp_drop_reason reason)
{
	f->stats.submitted += items;
	f->stats.dropped[reason] += items;
}

/* ---- producers ---- */

void otlp_queue_put(struct otlp_queue *q, enum otlp_signal signal, struct otlp_body *body,
		    size_t items, struct otlp_overflow *ret)
{
	struct otlp_request *r = calloc(1, sizeof(*r));
	struct otlp_fifo *f = &q->fifo[signal];
	size_t cap_items = q->opts.cap_items[signal];

	*ret = (struct otlp_overflow){0};
	pthread_mutex_lock(&q->lock);
	if (r)
		*r = (struct otlp_request){.signal = signal,
					   .body = body,
					   .size = body->size,
					   .items = items,
					   .queued_mono_ns = otlp_queue_now_mono_ns(),
					   .queued_unix_ns = now_ns(CLOCK_REALTIME)};
	if (q->is_closed) {
		otlp_queue_lose(f, items, OTLP_DROP_SHUTDOWN);
	} else if (!r || body->size > q->opts.cap_bytes || (cap_items && items > cap_items) ||
		   !make_room(q, r, ret)) {
		otlp_queue_lose(f, items, OTLP_DROP_QUEUE_FULL);
		ret->requests++;
		ret->items += items;
	} else {
		f->stats.submitted += items;
		otlp_queue_link(q, r);
		q->is_dirty = true;
		body = NULL;
		r = NULL;
	}
	if (ret->requests) {
		ret->is_first = !f->is_overflowing;
		f->is_overflowing = true;
	}
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	otlp_body_unref(body);
	free(r);
}

void otlp_queue_drop(struct otlp_queue *q, enum otlp_signal signal, size_t items,
		     enum otlp_drop_reason reason)
{
	pthread_mutex_lock(&q->lock);
	otlp_queue_lose(&q->fifo[signal], items, reason);
	pthread_mutex_unlock(&q->lock);
}

/* ---- consumers ---- */

static struct otlp_request *first_waiting(struct otlp_fifo *f)
{
	struct otlp_request *r;

	TAILQ_FOREACH(r, &f->list, link)
	if (!r->is_in_flight && !r->is_done)
		return r;
	return NULL;
}

/* While something is down one attempt at a time finds out whether it still is. */
static bool may_fly(const struct otlp_queue *q, enum otlp_signal signal)
{
	const struct otlp_fifo *f = &q->fifo[signal];
	unsigned all = 0;

	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		all += q->fifo[s].in_flight;
	if (q->pace.is_down && all)
		return false;
	return !f->in_flight || (signal != OTLP_METRICS && !f->pace.is_down);
}

/* The next request in turn that may be sent at @now, or NULL and *ret_next, when the first may. */
static struct otlp_request *choose(struct otlp_queue *q, uint64_t now, uint64_t *ret_next)
{
	*ret_next = UINT64_MAX;
	for (unsigned i = 1; i <= OTLP_SIGNAL_MAX; i++) {
		unsigned s = (q->last + i) % OTLP_SIGNAL_MAX;
		struct otlp_fifo *f = &q->fifo[s];
		struct otlp_request *r = first_waiting(f);
		uint64_t due = f->pace.due_mono_ns;

		if (!r || !may_fly(q, s))
			continue;
		if (q->pace.due_mono_ns > due)
			due = q->pace.due_mono_ns;
		if (due <= now)
			return r;
		if (q->is_closed && due >= q->deadline_mono_ns && !f->is_hurried) {
			f->is_hurried = true;
			return r;
		}
		if (due < *ret_next)
			*ret_next = due;
	}
	return NULL;
}

static bool is_any_in_flight(const struct otlp_queue *q)
{
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		if (q->fifo[s].in_flight)
			return true;
	return false;
}

int otlp_queue_take(struct otlp_queue *q, struct otlp_request **ret)
{
	struct otlp_request *r = NULL;
	int err = 0;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		uint64_t now = otlp_queue_now_mono_ns(), next;

		err = -ESHUTDOWN;
		if (q->is_closed && now >= q->deadline_mono_ns)
			break;
		r = choose(q, now, &next);
		if (r) {
			q->last = r->signal;
			q->fifo[r->signal].in_flight++;
			q->fifo[r->signal].stats.in_flight += r->items;
			r->is_in_flight = true;
			r->began_mono_ns = now;
			*ret = r;
			err = 0;
			break;
		}
		/* What is in flight may come back. */
		if (q->is_closed && next >= q->deadline_mono_ns && !is_any_in_flight(q))
			break;
		if (q->is_closed && next > q->deadline_mono_ns)
			next = q->deadline_mono_ns;
		otlp_queue_wait_until(q, next);
	}
	pthread_mutex_unlock(&q->lock);
	return err;
}

static void count_duration(struct otlp_durations *d, uint64_t ns)
{
	double seconds = (double)ns / 1e9;
	int bucket = seconds > 0 ? (int)ceil(log2(seconds)) - 1 - OTLP_DURATION_OFFSET : 0;

	if (bucket < 0)
		bucket = 0;
	if (bucket >= OTLP_DURATION_BUCKETS)
		bucket = OTLP_DURATION_BUCKETS - 1;
	d->count++;
	d->sum_s += seconds;
	d->buckets[bucket]++;
}

static void count_attempt(struct otlp_fifo *f, struct otlp_request *r, const struct otlp_outcome *o,
			  uint64_t now)
{
	f->in_flight--;
	f->stats.in_flight -= r->items;
	r->is_in_flight = false;
	f->stats.requests += o->status != 0;
	f->connects += o->connects;
	if (o->verdict == OTLP_ABORTED)
		return;
	if (r->attempts++)
		f->stats.retries++;
	count_duration(&f->stats.durations, now - r->began_mono_ns);
}

static void on_sent(struct otlp_queue *q, struct otlp_request *r, const struct otlp_outcome *o,
		    struct otlp_settled *ret)
{
	struct otlp_fifo *f = &q->fifo[r->signal];
	uint64_t rejected = o->rejected < r->items ? o->rejected : r->items;

	ret->is_recovered = f->pace.is_down || q->pace.is_down;
	otlp_pace_reset(&f->pace);
	otlp_pace_reset(&q->pace);
	f->is_overflowing = false;
	f->refused_status = 0;
	f->stats.sent_bytes += o->sent_bytes;
	f->stats.exported += r->items - rejected;
	f->stats.rejected += rejected;
	finish(q, r);
}

static void on_again(struct otlp_queue *q, struct otlp_request *r, const struct otlp_outcome *o,
		     uint64_t now, struct otlp_settled *ret)
{
	struct otlp_fifo *f = &q->fifo[r->signal];
	struct otlp_pace *pace = o->status ? &f->pace : &q->pace;
	uint64_t budget_ms = q->opts.budget_ms[r->signal];
	uint64_t age_ms = (now - r->queued_mono_ns) / OTLP_MS;
	uint64_t left_ms = budget_ms > age_ms ? budget_ms - age_ms : 0;
	uint64_t asked_ms =
		o->retry_after_ms < RETRY_AFTER_MAX_MS ? o->retry_after_ms : RETRY_AFTER_MAX_MS;

	ret->is_first = !f->pace.is_down && !q->pace.is_down;
	if (o->status)
		otlp_pace_reset(&q->pace);
	if (budget_ms && asked_ms > left_ms)
		asked_ms = left_ms;
	ret->wait_ms =
		otlp_pace_fail(pace, &q->opts.pace, r->began_mono_ns, now, asked_ms, &q->random);
	if (budget_ms && ret->wait_ms > left_ms) {
		ret->is_dropped = ret->is_expired = true;
		otlp_queue_drop_request(q, r, OTLP_DROP_RETRY_BUDGET);
	}
}

void otlp_queue_settle(struct otlp_queue *q, struct otlp_request *r, const struct otlp_outcome *o,
		       struct otlp_settled *ret)
{
	struct otlp_fifo *f = &q->fifo[r->signal];
	uint64_t now;

	*ret = (struct otlp_settled){0};
	pthread_mutex_lock(&q->lock);
	now = otlp_queue_now_mono_ns();
	count_attempt(f, r, o, now);
	switch (o->verdict) {
	case OTLP_SENT:
		on_sent(q, r, o, ret);
		break;
	case OTLP_AGAIN:
		on_again(q, r, o, now, ret);
		break;
	case OTLP_DROPPED:
		if (o->status) {
			otlp_pace_reset(&f->pace);
			otlp_pace_reset(&q->pace);
		}
		ret->is_first = o->status != f->refused_status;
		f->refused_status = o->status;
		ret->is_dropped = true;
		otlp_queue_drop_request(q, r, o->reason);
		break;
	case OTLP_ABORTED:
		break;
	}
	ret->requests = f->stats.queued_requests;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void otlp_queue_leave(struct otlp_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->consumers--;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

/* ---- the end ---- */

void otlp_queue_close(struct otlp_queue *q, uint64_t deadline_mono_ns)
{
	pthread_mutex_lock(&q->lock);
	if (!q->is_closed) {
		q->is_closed = true;
		q->deadline_mono_ns = deadline_mono_ns;
	}
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

bool otlp_queue_await(struct otlp_queue *q)
{
	bool has_left;

	pthread_mutex_lock(&q->lock);
	while (q->consumers && otlp_queue_now_mono_ns() < q->deadline_mono_ns)
		otlp_queue_wait_until(q, q->deadline_mono_ns);
	has_left = !q->consumers;
	pthread_mutex_unlock(&q->lock);
	return has_left;
}

void otlp_queue_abandon(struct otlp_queue *q)
{
	struct otlp_request *r;

	pthread_mutex_lock(&q->lock);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		while ((r = otlp_queue_oldest(&q->fifo[s], false)))
			otlp_queue_drop_request(q, r, OTLP_DROP_SHUTDOWN);
	pthread_mutex_unlock(&q->lock);
}

void otlp_queue_counts(struct otlp_queue *q, enum otlp_signal signal, struct otlp_queue_counts *ret)
{
	pthread_mutex_lock(&q->lock);
	ret->stats = q->fifo[signal].stats;
	ret->connects = q->fifo[signal].connects;
	pthread_mutex_unlock(&q->lock);
}
