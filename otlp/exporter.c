/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One thread takes requests in turn from the queue and sends them. When a signal may be sent next
 * is the later of two times: its own, which follows from retryable answers of its URL, and that of
 * its destination, which follows from attempts that got no answer. So a URL that asks for patience
 * holds back no other, and an outage is knocked at once per backoff, however many requests wait.
 * Signals with the same origin share a destination and its connection.
 *
 * All but the queue (which has the one lock, and the counts) belongs to the sender thread alone.
 */
#include "otlp/exporter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "otlp/http.h"
#include "otlp/queue.h"

#define RETRY_FIRST_MS 1000u
#define RETRY_MAX_MS 30000u
#define RETRY_AFTER_MAX_MS (15 * 60 * 1000u) /* taken from a server where there is no budget */
#define QUEUE_BYTES ((size_t)32 << 20)
#define MS UINT64_C(1000000) /* ns */

struct pace {
	uint64_t due_mono_ns;
	double backoff_ms; /* the next wait before jitter; 0: the last attempt went well */
};

struct destination {
	struct otlp_url url;
	struct otlp_http *http;
	struct pace pace;
	bool is_down; /* said so */
};

struct target {
	struct destination *dest; /* NULL: not exported */
	char path[sizeof(((struct otlp_url *)0)->path)];
	char label[1400]; /* the URL for people */
	struct pace pace;
	bool is_down; /* said so */
};

struct otlp_exporter {
	struct otlp_queue *queue;
	struct target target[OTLP_SIGNAL_MAX];
	struct destination dest[OTLP_SIGNAL_MAX];
	unsigned dest_len;
	uint32_t timeout_ms;
	uint32_t retry_budget_ms;
	uint32_t retry_first_ms;
	uint32_t retry_max_ms;
	size_t queue_bytes;
	otlp_event_fn event;
	void *event_ctx;
	uint64_t random; /* state, not 0 */
	pthread_t thread;
	bool has_thread;
};

static const char *items_name(enum otlp_signal signal, uint64_t n)
{
	static const char *const one[] = {"span", "data point", "log record"};
	static const char *const many[] = {"spans", "data points", "log records"};

	return n == 1 ? one[signal] : many[signal];
}

__attribute__((format(printf, 4, 5))) static void tell(struct otlp_exporter *x,
						       enum otlp_event_kind kind,
						       enum otlp_signal signal, const char *fmt,
						       ...)
{
	char sentence[2048];
	va_list args;
	int len;

	if (!x->event)
		return;
	len = snprintf(sentence, sizeof(sentence), "%s: ", x->target[signal].label);
	va_start(args, fmt);
	vsnprintf(sentence + len, sizeof(sentence) - (size_t)len, fmt, args);
	va_end(args);
	x->event(x->event_ctx, kind, signal, sentence);
}

/* ---- when ---- */

/* Uniform in 0.5..1.5. xorshift64: it need only differ between hosts. */
static double jitter(struct otlp_exporter *x)
{
	x->random ^= x->random << 13;
	x->random ^= x->random >> 7;
	x->random ^= x->random << 17;
	return 0.5 + (double)(x->random >> 11) / (double)(UINT64_C(1) << 53);
}

/* Puts the next attempt off by the backoff or @least_ms, the longer; returns by how much. */
static uint64_t pace_slow(struct otlp_exporter *x, struct pace *p, uint64_t least_ms)
{
	double wait_ms;

	/* With jitter the longest wait is the longest configured one. */
	if (p->backoff_ms == 0)
		p->backoff_ms = x->retry_first_ms;
	if (p->backoff_ms > x->retry_max_ms / 1.5)
		p->backoff_ms = x->retry_max_ms / 1.5;
	wait_ms = p->backoff_ms * jitter(x);
	p->backoff_ms *= 1.5;
	if (wait_ms < (double)least_ms)
		wait_ms = (double)least_ms;
	p->due_mono_ns = otlp_queue_now_mono_ns() + (uint64_t)(wait_ms * (double)MS);
	return (uint64_t)wait_ms;
}

static void pace_reset(struct pace *p)
{
	*p = (struct pace){0};
}

/* ---- what came of an attempt ---- */

static void on_success(struct otlp_exporter *x, const struct otlp_request *r,
		       const struct otlp_answer *a, struct otlp_outcome *o)
{
	struct target *t = &x->target[r->signal];

	o->is_done = true;
	o->fate = OTLP_FATE_EXPORTED;
	o->rejected = a->rejected < r->items ? a->rejected : r->items;
	pace_reset(&t->pace);
	if (t->is_down || t->dest->is_down) {
		struct otlp_queue_counts c;

		t->is_down = false;
		t->dest->is_down = false;
		otlp_queue_counts(x->queue, r->signal, &c);
		tell(x, OTLP_EVENT_RECOVERED, r->signal, "reachable again; %llu more %s to send",
		     (unsigned long long)c.requests_held - 1,
		     c.requests_held == 2 ? "request" : "requests");
	}
	if (o->rejected)
		tell(x, OTLP_EVENT_PARTIAL, r->signal,
		     "the server rejected %llu of %zu %s (%s); they are not sent again",
		     (unsigned long long)o->rejected, r->items, items_name(r->signal, r->items),
		     *a->text ? a->text : "no reason given");
	else if (a->kind == OTLP_ANSWER_PARTIAL)
		tell(x, OTLP_EVENT_PARTIAL, r->signal, "all accepted, with a warning: %s", a->text);
}

static void on_refused(struct otlp_exporter *x, const struct otlp_request *r,
		       const struct otlp_answer *a, struct otlp_outcome *o)
{
	o->is_done = true;
	o->fate = OTLP_FATE_REFUSED;
	pace_reset(&x->target[r->signal].pace);
	tell(x, OTLP_EVENT_REFUSED, r->signal, "refused with HTTP status %u%s%s%s; %zu %s dropped",
	     a->status, *a->text ? " (" : "", a->text, *a->text ? ")" : "", r->items,
	     items_name(r->signal, r->items));
}

static void reason(const struct otlp_answer *a, char *buf, size_t cap)
{
	if (!a->status)
		snprintf(buf, cap, "%s", a->text);
	else
		snprintf(buf, cap, "HTTP status %u%s%s%s", a->status, *a->text ? " (" : "", a->text,
			 *a->text ? ")" : "");
}

static void on_retry(struct otlp_exporter *x, const struct otlp_request *r,
		     const struct otlp_answer *a, struct otlp_outcome *o)
{
	struct target *t = &x->target[r->signal];
	bool was_down = t->is_down || t->dest->is_down;
	uint64_t age_ms = (otlp_queue_now_mono_ns() - r->queued_mono_ns) / MS;
	uint64_t left_ms = x->retry_budget_ms > age_ms ? x->retry_budget_ms - age_ms : 0;
	uint64_t bound_ms = x->retry_budget_ms ? left_ms : RETRY_AFTER_MAX_MS;
	uint64_t asked_ms = a->retry_after_ms < bound_ms ? a->retry_after_ms : bound_ms;
	uint64_t wait_ms = pace_slow(x, a->status ? &t->pace : &t->dest->pace, asked_ms);
	struct otlp_queue_counts c;
	char why[256];

	if (a->status)
		t->is_down = true;
	else
		t->dest->is_down = true;
	reason(a, why, sizeof(why));
	if (x->retry_budget_ms && wait_ms > left_ms) {
		o->is_done = true;
		o->fate = OTLP_FATE_EXPIRED;
		tell(x, OTLP_EVENT_DROPPED, r->signal,
		     "no success within %g s, at last: %s; %zu %s dropped",
		     x->retry_budget_ms / 1000.0, why, r->items, items_name(r->signal, r->items));
		return;
	}
	if (was_down)
		return;
	otlp_queue_counts(x->queue, r->signal, &c);
	tell(x, OTLP_EVENT_UNREACHABLE, r->signal, "%s; retrying in %.1f s, %llu %s", why,
	     (double)wait_ms / 1000, (unsigned long long)c.requests_held,
	     c.requests_held == 1 ? "request waits" : "requests wait");
}

static void attempt(struct otlp_exporter *x, const struct otlp_request *r)
{
	struct target *t = &x->target[r->signal];
	struct otlp_http_request request = {
		.path = t->path,
		.data = r->data,
		.size = r->size,
		.timeout_ms = x->timeout_ms,
	};
	struct otlp_http_attempt a;
	struct otlp_outcome o = {0};

	otlp_http_post(t->dest->http, &request, &a);
	o.is_answered = a.answer.status;
	o.sent_bytes = a.sent_bytes;
	o.connects = a.connects;
	if (a.answer.status)
		pace_reset(&t->dest->pace);
	switch (a.answer.kind) {
	case OTLP_ANSWER_OK:
	case OTLP_ANSWER_PARTIAL:
		on_success(x, r, &a.answer, &o);
		break;
	case OTLP_ANSWER_REFUSED:
		on_refused(x, r, &a.answer, &o);
		break;
	case OTLP_ANSWER_RETRY:
		if (!a.is_aborted)
			on_retry(x, r, &a.answer, &o);
		break;
	}
	otlp_queue_settle(x->queue, &o);
}

static void *sender(void *arg)
{
	struct otlp_exporter *x = arg;
	struct otlp_request r;

	for (;;) {
		uint64_t due[OTLP_SIGNAL_MAX] = {0};

		for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
			const struct target *t = &x->target[s];

			if (!t->dest)
				continue;
			due[s] = t->pace.due_mono_ns;
			if (t->dest->pace.due_mono_ns > due[s])
				due[s] = t->dest->pace.due_mono_ns;
		}
		if (otlp_queue_peek(x->queue, due, &r))
			break;
		attempt(x, &r);
	}
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		struct otlp_queue_counts c;

		otlp_queue_counts(x->queue, s, &c);
		if (c.items_held)
			tell(x, OTLP_EVENT_DROPPED, s,
			     "%llu %s in %llu %s not sent when the time to stop was up; dropped",
			     (unsigned long long)c.items_held, items_name(s, c.items_held),
			     (unsigned long long)c.requests_held,
			     c.requests_held == 1 ? "request" : "requests");
	}
	otlp_queue_leave(x->queue);
	return NULL;
}

/* ---- create ---- */

static int add_target(struct otlp_exporter *x, enum otlp_signal signal,
		      const struct otlp_http_opts *http, const char *text, const char **why)
{
	struct target *t = &x->target[signal];
	struct otlp_http_opts opts = *http;
	struct destination *d = x->dest;
	struct otlp_url url;
	int err = otlp_url_parse(&url, text, why);

	if (err)
		return err;
	strcpy(t->path, url.path);
	otlp_url_label(&url, t->label, sizeof(t->label));
	while (d < x->dest + x->dest_len && !otlp_url_same_origin(&d->url, &url))
		d++;
	if (d == x->dest + x->dest_len) {
		opts.url = &url;
		err = otlp_http_create(&d->http, &opts, why);
		if (err)
			return err;
		d->url = url;
		x->dest_len++;
	}
	t->dest = d;
	return 0;
}

static int add_targets(struct otlp_exporter *x, const struct otlp_exporter_opts *opts,
		       const char **why)
{
	struct otlp_http_header *headers = calloc(opts->headers_len + 1, sizeof(*headers));
	struct otlp_http_opts http = {
		.headers = headers,
		.headers_len = opts->headers_len,
		.user_agent = opts->user_agent,
		.gzip = opts->gzip,
	};
	int err = 0;

	if (!headers)
		return -ENOMEM;
	for (size_t i = 0; i < opts->headers_len; i++)
		headers[i] =
			(struct otlp_http_header){opts->headers[i].name, opts->headers[i].value};
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX && !err; s++)
		if (opts->url[s])
			err = add_target(x, s, &http, opts->url[s], why);
	free(headers);
	return err;
}

static int create(struct otlp_exporter **ret, const struct otlp_exporter_opts *opts,
		  const char **why)
{
	struct otlp_exporter *x = calloc(1, sizeof(*x));
	int err;

	*why = "out of memory";
	if (!x)
		return -ENOMEM;
	x->timeout_ms = opts->timeout_ms;
	x->retry_budget_ms = opts->retry_budget_ms;
	x->retry_first_ms = opts->retry_first_ms ? opts->retry_first_ms : RETRY_FIRST_MS;
	x->retry_max_ms = opts->retry_max_ms ? opts->retry_max_ms : RETRY_MAX_MS;
	x->queue_bytes = opts->queue_bytes ? opts->queue_bytes : QUEUE_BYTES;
	x->event = opts->event;
	x->event_ctx = opts->event_ctx;
	if (getrandom(&x->random, sizeof(x->random), GRND_NONBLOCK) != sizeof(x->random))
		x->random = otlp_queue_now_mono_ns();
	x->random |= 1;
	err = otlp_queue_create(&x->queue, x->queue_bytes);
	if (!err)
		err = add_targets(x, opts, why);
	if (err)
		goto fail;
	*why = "the sender thread cannot be started";
	err = -pthread_create(&x->thread, NULL, sender, x);
	if (err)
		goto fail;
	x->has_thread = true;
	pthread_setname_np(x->thread, "otlp-sender");
	*ret = x;
	return 0;
fail:
	otlp_exporter_destroy(x);
	return err;
}

/* Signals are blocked meanwhile, so that they are in all threads that begin here, the HTTP
 * library's too. */
int otlp_exporter_create(struct otlp_exporter **ret, const struct otlp_exporter_opts *opts,
			 const char **error)
{
	const char *why = NULL;
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = create(ret, opts, &why);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err && error)
		*error = why;
	return err;
}

int otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
			 size_t size, size_t items)
{
	struct otlp_request r = {.signal = signal, .data = data, .size = size, .items = items};
	struct otlp_overflow over;
	int err;

	if (!data || !size || !items)
		return -EINVAL;
	if (!x->target[signal].dest)
		return -ENOTSUP;
	err = otlp_queue_put(x->queue, &r, &over);
	if (err)
		return err;
	if (over.is_first)
		tell(x, OTLP_EVENT_DROPPED, signal,
		     "the queue of %.3g MiB is full; %zu %s dropped, further ones are only counted "
		     "until a request gets through",
		     (double)x->queue_bytes / (1 << 20), over.items,
		     items_name(signal, over.items));
	return 0;
}

void otlp_exporter_stop(struct otlp_exporter *x, uint32_t timeout_ms)
{
	if (!x->has_thread)
		return;
	otlp_queue_close(x->queue, otlp_queue_now_mono_ns() + timeout_ms * MS);
	if (!otlp_queue_await(x->queue))
		for (unsigned i = 0; i < x->dest_len; i++)
			otlp_http_abort(x->dest[i].http);
	pthread_join(x->thread, NULL);
	x->has_thread = false;
}

void otlp_exporter_destroy(struct otlp_exporter *x)
{
	if (!x)
		return;
	otlp_exporter_stop(x, 0);
	for (unsigned i = 0; i < x->dest_len; i++)
		otlp_http_destroy(x->dest[i].http);
	otlp_queue_destroy(x->queue);
	free(x);
}

/* ---- counts ---- */

size_t otlp_exporter_destinations(const struct otlp_exporter *x)
{
	(void)x;
	return 1;
}

void otlp_exporter_target(const struct otlp_exporter *x, size_t destination,
			  enum otlp_signal signal, struct otlp_target_info *ret)
{
	const struct target *t = &x->target[signal];

	(void)destination;
	*ret = (struct otlp_target_info){0};
	if (!t->dest)
		return;
	*ret = (struct otlp_target_info){t->label, t->dest->url.host, t->dest->url.port,
					 x->queue_bytes};
}

bool otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal)
{
	return x->target[signal].dest;
}

void otlp_exporter_stats(struct otlp_exporter *x, size_t destination, enum otlp_signal signal,
			 struct otlp_signal_stats *ret)
{
	struct otlp_queue_counts c;

	(void)destination;
	otlp_queue_counts(x->queue, signal, &c);
	*ret = (struct otlp_signal_stats){
		.submitted = c.items_in,
		.exported = c.items_out[OTLP_FATE_EXPORTED],
		.rejected = c.items_out[OTLP_FATE_REJECTED],
		.dropped =
			{
				[OTLP_DROP_QUEUE_FULL] = c.items_out[OTLP_FATE_OVERFLOW],
				[OTLP_DROP_REFUSED] = c.items_out[OTLP_FATE_REFUSED],
				[OTLP_DROP_RETRY_BUDGET] = c.items_out[OTLP_FATE_EXPIRED],
				[OTLP_DROP_SHUTDOWN] = c.items_out[OTLP_FATE_SHUTDOWN],
			},
		.queued = c.items_held,
		.queued_bytes = c.bytes_held,
		.queued_requests = c.requests_held,
		.queued_volatile = c.items_held,
		.requests = c.answers,
		.retries = c.repeats,
		.sent_bytes = c.sent_bytes,
	};
}

uint64_t otlp_exporter_connects(struct otlp_exporter *x)
{
	uint64_t connects = 0;

	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		struct otlp_queue_counts c;

		otlp_queue_counts(x->queue, s, &c);
		connects += c.connects;
	}
	return connects;
}

const char *otlp_drop_reason_name(enum otlp_drop_reason r)
{
	static const char *const names[] = {"queue_full", "refused", "retry_budget",
					    "shutdown",	  "damaged", "too_large"};

	return r < OTLP_DROP_MAX ? names[r] : "unknown";
}
