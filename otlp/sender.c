/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A thread takes a request that may be sent, sends it, says what came of it. When the next may be
 * sent, and what is given up, is the queue's to decide; what is told to people is decided here.
 */
#include "otlp/sender.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/http.h"
#include "otlp/journal.h"
#include "otlp/queue.h"
#include "otlp/wal_dir.h"

#define RETRY_FIRST_MS 1000u
#define RETRY_MAX_MS 30000u
#define QUEUE_BYTES ((size_t)32 << 20)
#define QUEUE_DISK_BYTES ((uint64_t)1 << 30)
#define QUEUE_WINDOW_MS 100u

struct lane { /* of a signal */
	struct otlp_http_profile *profile; /* NULL: goes elsewhere */
	char label[1400]; /* the URL for people */
};

struct pilot { /* a thread and its connection */
	struct otlp_sender *sender;
	struct otlp_http *http;
	pthread_t thread;
	bool has_thread;
};

struct otlp_sender {
	struct otlp_url url; /* of the server */
	struct lane lane[OTLP_SIGNAL_MAX];
	struct otlp_queue *queue;
	struct otlp_journal *journal; /* NULL: memory only */
	struct pilot *pilots;
	unsigned pilots_len;
	uint64_t queue_cap_bytes;
	size_t queue_bytes;
	uint32_t retry_budget_ms[OTLP_SIGNAL_MAX];
	otlp_event_fn event;
	void *event_ctx;
};

__attribute__((format(printf, 4, 5))) static void tell(struct otlp_sender *s,
						       enum otlp_event_kind kind,
						       enum otlp_signal signal, const char *fmt,
						       ...)
{
	char sentence[2048];
	va_list args;
	int len;

	if (!s->event)
		return;
	len = snprintf(sentence, sizeof(sentence), "%s: ", s->lane[signal].label);
	va_start(args, fmt);
	vsnprintf(sentence + len, sizeof(sentence) - (size_t)len, fmt, args);
	va_end(args);
	s->event(s->event_ctx, kind, signal, sentence);
}

static void on_journal(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
		       const char *sentence)
{
	tell(ctx, kind, signal, "%s", sentence);
}

/* ---- what came of an attempt ---- */

static const char *reason(const struct otlp_answer *a, char *buf, size_t cap)
{
	if (!a->status)
		return a->text;
	snprintf(buf, cap, "HTTP status %u%s%s%s", a->status, *a->text ? " (" : "", a->text,
		 *a->text ? ")" : "");
	return buf;
}

static const char *requests_wait(uint64_t n)
{
	return n == 1 ? "request waits" : "requests wait";
}

static void tell_sent(struct otlp_sender *s, enum otlp_signal signal, size_t items,
		      const struct otlp_answer *a, const struct otlp_settled *done)
{
	uint64_t rejected = a->rejected < items ? a->rejected : items;

	if (done->is_recovered)
		tell(s, OTLP_EVENT_RECOVERED, signal, "reachable again; %llu more %s to send",
		     (unsigned long long)done->requests,
		     done->requests == 1 ? "request" : "requests");
	if (rejected)
		tell(s, OTLP_EVENT_PARTIAL, signal,
		     "the server rejected %llu of %zu %s (%s); they are not sent again",
		     (unsigned long long)rejected, items, otlp_items_name(signal, items),
		     *a->text ? a->text : "no reason given");
	else if (a->kind == OTLP_ANSWER_PARTIAL)
		tell(s, OTLP_EVENT_PARTIAL, signal, "all accepted, with a warning: %s", a->text);
}

static void tell_again(struct otlp_sender *s, enum otlp_signal signal, size_t items,
		       const struct otlp_answer *a, const struct otlp_settled *done)
{
	char buf[300];
	const char *why = reason(a, buf, sizeof(buf));

	if (done->is_expired)
		tell(s, OTLP_EVENT_DROPPED, signal,
		     "no success within %g s, at last: %s; %zu %s dropped",
		     s->retry_budget_ms[signal] / 1000.0, why, items,
		     otlp_items_name(signal, items));
	else if (done->is_first)
		tell(s, OTLP_EVENT_UNREACHABLE, signal, "%s; retrying in %.1f s, %llu %s", why,
		     (double)done->wait_ms / 1000, (unsigned long long)done->requests,
		     requests_wait(done->requests));
}

static enum otlp_verdict verdict(const struct otlp_http_attempt *a)
{
	switch (a->answer.kind) {
	case OTLP_ANSWER_OK:
	case OTLP_ANSWER_PARTIAL:
		return OTLP_SENT;
	case OTLP_ANSWER_REFUSED:
		return OTLP_DROPPED;
	default:
		return a->is_aborted ? OTLP_ABORTED : OTLP_AGAIN;
	}
}

static void settle(struct otlp_sender *s, struct otlp_request *r, const struct otlp_http_attempt *a)
{
	enum otlp_signal signal = r->signal;
	struct otlp_outcome o = {
		.verdict = verdict(a),
		.reason = OTLP_DROP_REFUSED,
		.rejected = a->answer.rejected,
		.retry_after_ms = a->answer.retry_after_ms,
		.status = a->answer.status,
		.sent_bytes = a->sent_bytes,
		.connects = a->connects,
	};
	struct otlp_settled done;
	size_t items = r->items;
	char buf[300];

	otlp_queue_settle(s->queue, r, &o, &done);
	if (o.verdict == OTLP_SENT)
		tell_sent(s, signal, items, &a->answer, &done);
	else if (o.verdict == OTLP_AGAIN)
		tell_again(s, signal, items, &a->answer, &done);
	else if (o.verdict == OTLP_DROPPED && done.is_first)
		tell(s, OTLP_EVENT_REFUSED, signal,
		     "refused with %s; %zu %s dropped, further ones are only counted until a "
		     "request gets through",
		     reason(&a->answer, buf, sizeof(buf)), items, otlp_items_name(signal, items));
}

static void settle_unreadable(struct otlp_sender *s, struct otlp_request *r, int err)
{
	struct otlp_outcome o = {.verdict = OTLP_DROPPED, .reason = OTLP_DROP_DAMAGED};
	enum otlp_signal signal = r->signal;
	struct otlp_settled done;
	size_t items = r->items;

	otlp_queue_settle(s->queue, r, &o, &done);
	tell(s, OTLP_EVENT_QUEUE, signal,
	     "a request in the queue on disk cannot be read (%s); %zu %s dropped",
	     err == -EBADMSG ? "damaged" : strerror(-err), items, otlp_items_name(signal, items));
}

static void *pilot_main(void *arg)
{
	struct pilot *p = arg;
	struct otlp_sender *s = p->sender;
	struct otlp_request *r;

	while (!otlp_queue_take(s->queue, &r)) {
		struct otlp_http_attempt a;
		struct otlp_body *body = r->body ? otlp_body_ref(r->body) : NULL;
		int err = body ? 0 : otlp_journal_read(s->journal, r, &body);

		if (err) {
			settle_unreadable(s, r, err);
			continue;
		}
		otlp_http_post(p->http, s->lane[r->signal].profile, body->data, body->size, &a);
		otlp_body_unref(body);
		settle(s, r, &a);
	}
	otlp_queue_leave(s->queue);
	return NULL;
}

/* ---- create ---- */

static int create_lane(struct otlp_sender *s, enum otlp_signal signal, const struct otlp_target *t,
		       const char *user_agent, const char **why)
{
	struct otlp_http_profile_opts opts = {.user_agent = user_agent,
					      .gzip = t->gzip,
					      .timeout_ms = t->timeout_ms,
					      .headers_len = t->headers_len};
	struct otlp_http_header *headers = calloc(t->headers_len + 1, sizeof(*headers));
	struct otlp_url url;
	int err = otlp_url_parse(&url, t->url, why);

	if (!headers)
		return -ENOMEM;
	for (size_t i = 0; i < t->headers_len; i++)
		headers[i] = (struct otlp_http_header){t->headers[i].name, t->headers[i].value};
	opts.headers = headers;
	if (!err) {
		s->url = url;
		opts.path = url.path;
		otlp_url_label(&url, s->lane[signal].label, sizeof(s->lane[signal].label));
		err = otlp_http_profile_create(&s->lane[signal].profile, &opts, why);
	}
	free(headers);
	return err;
}

static int create_lanes(struct otlp_sender *s, const struct otlp_sender_opts *opts,
			const struct otlp_target **ret_first, char *error)
{
	const char *why = "out of memory";

	*ret_first = NULL;
	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++) {
		const struct otlp_target *t = opts->target[i];
		int err = t ? create_lane(s, i, t, opts->exporter->user_agent, &why) : 0;

		if (err) {
			snprintf(error, OTLP_ERROR_CAP, "%.300s: %s",
				 *s->lane[i].label ? s->lane[i].label : "the URL", why);
			return err;
		}
		if (t && !*ret_first)
			*ret_first = t;
	}
	return 0;
}

static int create_pilots(struct otlp_sender *s, const struct otlp_target *t, unsigned len,
			 char *error)
{
	struct otlp_http_opts opts = {.url = &s->url,
				      .ca_file = t->ca_file,
				      .cert_file = t->cert_file,
				      .key_file = t->key_file};
	const char *why = "out of memory";
	int err = -ENOMEM;

	s->pilots = calloc(len, sizeof(*s->pilots));
	for (; s->pilots && s->pilots_len < len; s->pilots_len++) {
		s->pilots[s->pilots_len].sender = s;
		err = otlp_http_create(&s->pilots[s->pilots_len].http, &opts, &why);
		if (err)
			break;
	}
	if (err)
		snprintf(error, OTLP_ERROR_CAP, "%.200s: %s", s->url.authority, why);
	return err;
}

static int create_queue(struct otlp_sender *s, const struct otlp_exporter_opts *x)
{
	struct otlp_queue_opts opts = {
		.cap_bytes = s->queue_bytes,
		.pace = {.first_ms = x->retry_first_ms ? x->retry_first_ms : RETRY_FIRST_MS,
			 .max_ms = x->retry_max_ms ? x->retry_max_ms : RETRY_MAX_MS},
		.consumers = s->pilots_len,
	};

	memcpy(opts.cap_items, x->queue_items, sizeof(opts.cap_items));
	memcpy(opts.budget_ms, x->retry_budget_ms, sizeof(opts.budget_ms));
	memcpy(s->retry_budget_ms, x->retry_budget_ms, sizeof(s->retry_budget_ms));
	return otlp_queue_create(&s->queue, &opts);
}

static int start_journal(struct otlp_sender *s, const struct otlp_sender_opts *opts, char *error)
{
	const struct otlp_exporter_opts *x = opts->exporter;
	struct otlp_journal_opts journal = {
		.queue = s->queue,
		.dir_fd = opts->dir_fd,
		.cap_bytes = s->queue_cap_bytes,
		.window_ms = x->queue_window_ms ? x->queue_window_ms : QUEUE_WINDOW_MS,
		.event = on_journal,
		.event_ctx = s,
	};
	char name[OTLP_SIGNAL_MAX][128];
	const char *why = "out of memory";
	int err;

	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++) {
		const struct otlp_target *t = opts->target[i];

		if (!t)
			continue;
		otlp_wal_dir_name(i, t->url, name[i], sizeof(name[i]));
		if (t->queue_name)
			journal.log[i] = (struct otlp_journal_log){.name = t->queue_name};
		else
			journal.log[i] = (struct otlp_journal_log){name[i], t->url};
	}
	err = otlp_journal_start(&s->journal, &journal, &why);
	if (err)
		snprintf(error, OTLP_ERROR_CAP, "queue directory: %s", why);
	return err;
}

static int start_pilots(struct otlp_sender *s, char *error)
{
	for (unsigned i = 0; i < s->pilots_len; i++) {
		struct pilot *p = &s->pilots[i];
		int err = -pthread_create(&p->thread, NULL, pilot_main, p);

		if (err) {
			snprintf(error, OTLP_ERROR_CAP, "the sender thread cannot be started: %s",
				 strerror(-err));
			return err;
		}
		p->has_thread = true;
		pthread_setname_np(p->thread, "otlp-sender");
	}
	return 0;
}

int otlp_sender_create(struct otlp_sender **ret, const struct otlp_sender_opts *opts,
		       char error[OTLP_ERROR_CAP])
{
	const struct otlp_exporter_opts *x = opts->exporter;
	struct otlp_sender *s = calloc(1, sizeof(*s));
	const struct otlp_target *first;
	int err;

	snprintf(error, OTLP_ERROR_CAP, "out of memory");
	if (!s)
		return -ENOMEM;
	s->event = x->event;
	s->event_ctx = x->event_ctx;
	s->queue_bytes = x->queue_bytes ? x->queue_bytes : QUEUE_BYTES;
	s->queue_cap_bytes = s->queue_bytes;
	if (opts->dir_fd >= 0)
		s->queue_cap_bytes = x->queue_disk_bytes ? x->queue_disk_bytes : QUEUE_DISK_BYTES;
	if (s->queue_bytes > s->queue_cap_bytes - s->queue_cap_bytes / 8)
		/* what is larger than the log, with its own bytes, would never get there */
		s->queue_bytes = s->queue_cap_bytes - s->queue_cap_bytes / 8;
	err = create_lanes(s, opts, &first, error);
	if (!err)
		err = create_pilots(s, first, x->connections ? x->connections : 1, error);
	if (!err)
		err = create_queue(s, x);
	if (!err && opts->dir_fd >= 0)
		err = start_journal(s, opts, error);
	if (!err)
		err = start_pilots(s, error);
	if (err)
		goto fail;
	*ret = s;
	return 0;
fail:
	if (s->queue) {
		otlp_sender_close(s, 0);
		otlp_sender_stop(s);
	}
	otlp_sender_destroy(s);
	return err;
}

/* ---- in, out ---- */

void otlp_sender_put(struct otlp_sender *s, enum otlp_signal signal, struct otlp_body *body,
		     size_t items)
{
	struct otlp_overflow over;

	otlp_queue_put(s->queue, signal, body, items, &over);
	if (over.is_first)
		tell(s, OTLP_EVENT_DROPPED, signal,
		     "the queue of %.3g MiB is full; %zu %s dropped, further ones are only counted "
		     "until a request gets through",
		     (double)s->queue_bytes / (1 << 20), over.items,
		     otlp_items_name(signal, over.items));
}

void otlp_sender_drop(struct otlp_sender *s, enum otlp_signal signal, size_t items,
		      enum otlp_drop_reason why)
{
	otlp_queue_drop(s->queue, signal, items, why);
	tell(s, OTLP_EVENT_DROPPED, signal, "%zu %s dropped: larger than a request may be", items,
	     otlp_items_name(signal, items));
}

void otlp_sender_close(struct otlp_sender *s, uint64_t deadline_mono_ns)
{
	otlp_queue_close(s->queue, deadline_mono_ns);
}

static void tell_left(struct otlp_sender *s)
{
	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++) {
		struct otlp_queue_counts c;

		otlp_queue_counts(s->queue, i, &c);
		if (c.stats.queued_volatile)
			tell(s, OTLP_EVENT_DROPPED, i,
			     "%llu %s not sent when the time to stop was up; dropped",
			     (unsigned long long)c.stats.queued_volatile,
			     otlp_items_name(i, c.stats.queued_volatile));
	}
}

void otlp_sender_stop(struct otlp_sender *s)
{
	if (!otlp_queue_await(s->queue))
		for (unsigned i = 0; i < s->pilots_len; i++)
			otlp_http_abort(s->pilots[i].http);
	for (unsigned i = 0; i < s->pilots_len; i++) {
		if (s->pilots[i].has_thread)
			pthread_join(s->pilots[i].thread, NULL);
		s->pilots[i].has_thread = false;
	}
	otlp_journal_stop(s->journal);
	s->journal = NULL;
	tell_left(s);
	otlp_queue_abandon(s->queue);
}

void otlp_sender_destroy(struct otlp_sender *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->pilots_len; i++)
		otlp_http_destroy(s->pilots[i].http);
	free(s->pilots);
	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++)
		otlp_http_profile_destroy(s->lane[i].profile);
	otlp_queue_destroy(s->queue);
	free(s);
}

/* ---- counts ---- */

void otlp_sender_info(const struct otlp_sender *s, enum otlp_signal signal,
		      struct otlp_target_info *ret)
{
	*ret = (struct otlp_target_info){.label = s->lane[signal].label,
					 .server_address = s->url.host,
					 .server_port = s->url.port,
					 .queue_cap_bytes = s->queue_cap_bytes};
}

void otlp_sender_stats(struct otlp_sender *s, enum otlp_signal signal,
		       struct otlp_signal_stats *ret)
{
	struct otlp_queue_counts c;

	otlp_queue_counts(s->queue, signal, &c);
	*ret = c.stats;
}

uint64_t otlp_sender_connects(struct otlp_sender *s)
{
	uint64_t connects = 0;

	for (unsigned i = 0; i < OTLP_SIGNAL_MAX; i++) {
		struct otlp_queue_counts c;

		otlp_queue_counts(s->queue, i, &c);
		connects += c.connects;
	}
	return connects;
}
