/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One singly linked list per signal under one mutex. A request is counted as held from put to
 * settle, in flight or not, and leaves `held` in the same critical section in which its fate is
 * counted. In flight is only ever a head; overflow therefore starts behind it. One condition
 * variable serves the few waiters there are: the consumer, and at the end whoever stops it.
 */
#include "otlp/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct node {
	struct node *next;
	struct otlp_request request;
};

struct fifo {
	struct node *head, *tail;
	struct otlp_queue_counts counts;
	bool is_overflowing; /* dropped something since the last export */
	bool is_hurried; /* had its early turn after close */
};

struct otlp_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t cap_bytes;
	struct fifo fifo[OTLP_SIGNAL_MAX];
	int in_flight; /* signal, or -1 */
	unsigned last; /* signal that had the last turn */
	bool is_closed;
	bool has_left;
	uint64_t deadline_mono_ns; /* once closed */
};

uint64_t otlp_queue_now_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int otlp_queue_create(struct otlp_queue **ret, size_t cap_bytes)
{
	struct otlp_queue *q = calloc(1, sizeof(*q));
	pthread_condattr_t attr;

	if (!q)
		return -ENOMEM;
	q->cap_bytes = cap_bytes;
	q->in_flight = -1;
	q->last = OTLP_SIGNAL_MAX - 1;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret = q;
	return 0;
}

/* The three below hold the lock. */

/* Unlinks the request behind @before (NULL: the head), counts its items and frees it. */
static void fifo_drop(struct fifo *f, struct node *before, enum otlp_fate fate)
{
	struct node *n = before ? before->next : f->head;

	if (before)
		before->next = n->next;
	else
		f->head = n->next;
	if (f->tail == n)
		f->tail = before;
	f->counts.items_held -= n->request.items;
	f->counts.items_out[fate] += n->request.items;
	f->counts.bytes_held -= n->request.size;
	f->counts.requests_held--;
	free(n->request.data);
	free(n);
}

static void wait_until(struct otlp_queue *q, uint64_t mono_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(mono_ns / 1000000000u),
			      .tv_nsec = (long)(mono_ns % 1000000000u)};

	if (mono_ns == UINT64_MAX)
		pthread_cond_wait(&q->changed, &q->lock);
	else
		pthread_cond_timedwait(&q->changed, &q->lock, &ts);
}

static void make_room(struct otlp_queue *q, struct fifo *f, struct node *in_flight, size_t size,
		      struct otlp_overflow *ret)
{
	while (f->counts.bytes_held + size > q->cap_bytes) {
		struct node *oldest = in_flight ? in_flight->next : f->head;

		ret->requests++;
		ret->items += oldest->request.items;
		fifo_drop(f, in_flight, OTLP_FATE_OVERFLOW);
	}
}

int otlp_queue_put(struct otlp_queue *q, const struct otlp_request *r, struct otlp_overflow *ret)
{
	struct fifo *f = &q->fifo[r->signal];
	struct node *n = calloc(1, sizeof(*n)), *in_flight;
	size_t kept;

	*ret = (struct otlp_overflow){0};
	if (!n)
		return -ENOMEM;
	n->request = *r;
	n->request.attempts = 0;
	n->request.queued_mono_ns = otlp_queue_now_mono_ns();

	pthread_mutex_lock(&q->lock);
	if (q->is_closed) {
		pthread_mutex_unlock(&q->lock);
		free(n);
		return -ESHUTDOWN;
	}
	in_flight = q->in_flight == (int)r->signal ? f->head : NULL;
	kept = in_flight ? in_flight->request.size : 0;
	f->counts.items_in += r->items;
	if (r->size > q->cap_bytes - kept) {
		f->counts.items_out[OTLP_FATE_OVERFLOW] += r->items;
		*ret = (struct otlp_overflow){.requests = 1, .items = r->items};
		free(n->request.data);
		free(n);
	} else {
		make_room(q, f, in_flight, r->size, ret);
		if (f->tail)
			f->tail->next = n;
		else
			f->head = n;
		f->tail = n;
		f->counts.items_held += r->items;
		f->counts.bytes_held += r->size;
		f->counts.requests_held++;
	}
	if (ret->requests) {
		ret->is_first = !f->is_overflowing;
		f->is_overflowing = true;
	}
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	return 0;
}

/* The next signal in turn that may be sent at @now, or -1 and *ret_next, when the first will be. */
static int choose(struct otlp_queue *q, const uint64_t *due, uint64_t now, uint64_t *ret_next)
{
	*ret_next = UINT64_MAX;
	for (unsigned i = 1; i <= OTLP_SIGNAL_MAX; i++) {
		unsigned s = (q->last + i) % OTLP_SIGNAL_MAX;
		struct fifo *f = &q->fifo[s];

		if (!f->head)
			continue;
		if (due[s] <= now)
			return (int)s;
		if (q->is_closed && due[s] >= q->deadline_mono_ns && !f->is_hurried) {
			f->is_hurried = true;
			return (int)s;
		}
		if (due[s] < *ret_next)
			*ret_next = due[s];
	}
	return -1;
}

int otlp_queue_peek(struct otlp_queue *q, const uint64_t due_mono_ns[OTLP_SIGNAL_MAX],
		    struct otlp_request *ret)
{
	int err = 0;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		uint64_t now = otlp_queue_now_mono_ns(), next;
		int s;

		if (q->is_closed && now >= q->deadline_mono_ns) {
			err = -ESHUTDOWN;
			break;
		}
		s = choose(q, due_mono_ns, now, &next);
		if (s >= 0) {
			q->last = (unsigned)s;
			q->in_flight = s;
			*ret = q->fifo[s].head->request;
			break;
		}
		if (q->is_closed && next >= q->deadline_mono_ns) {
			err = -ESHUTDOWN;
			break;
		}
		wait_until(q, next);
	}
	pthread_mutex_unlock(&q->lock);
	return err;
}

void otlp_queue_settle(struct otlp_queue *q, const struct otlp_outcome *o)
{
	struct fifo *f;
	struct otlp_queue_counts *c;

	pthread_mutex_lock(&q->lock);
	f = &q->fifo[q->in_flight];
	c = &f->counts;
	q->in_flight = -1;
	c->answers += o->is_answered;
	c->connects += o->connects;
	if (f->head->request.attempts++)
		c->repeats++;
	if (o->is_done) {
		uint64_t rejected =
			o->rejected < f->head->request.items ? o->rejected : f->head->request.items;

		if (o->fate == OTLP_FATE_EXPORTED) {
			f->is_overflowing = false;
			c->sent_bytes += o->sent_bytes;
			c->items_out[OTLP_FATE_EXPORTED] -= rejected;
			c->items_out[OTLP_FATE_REJECTED] += rejected;
		}
		fifo_drop(f, NULL, o->fate);
	}
	pthread_mutex_unlock(&q->lock);
}

void otlp_queue_leave(struct otlp_queue *q)
{
	pthread_mutex_lock(&q->lock);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		while (q->fifo[s].head)
			fifo_drop(&q->fifo[s], NULL, OTLP_FATE_SHUTDOWN);
	q->has_left = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

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
	while (!q->has_left && otlp_queue_now_mono_ns() < q->deadline_mono_ns)
		wait_until(q, q->deadline_mono_ns);
	has_left = q->has_left;
	pthread_mutex_unlock(&q->lock);
	return has_left;
}

void otlp_queue_counts(struct otlp_queue *q, enum otlp_signal signal, struct otlp_queue_counts *ret)
{
	pthread_mutex_lock(&q->lock);
	*ret = q->fifo[signal].counts;
	pthread_mutex_unlock(&q->lock);
}

void otlp_queue_destroy(struct otlp_queue *q)
{
	if (!q)
		return;
	otlp_queue_leave(q);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
