/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signals of a destination that go to the same server with the same certificates share a sender;
 * all others have their own, so that a server that hangs holds back no other. A request is encoded
 * once, and its bytes are shared by all who send it.
 */
#include "otlp/exporter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otlp/queue.h"
#include "otlp/sender.h"
#include "otlp/spares.h"
#include "otlp/split.h"
#include "otlp/wal_dir.h"

#define SPARE_BYTES ((size_t)4 << 20)

struct otlp_exporter {
	struct otlp_sender *(*outlets)[OTLP_SIGNAL_MAX]; /* NULL: not exported there */
	size_t destinations;
	struct otlp_sender **senders;
	size_t senders_len;
	struct otlp_spares *spares;
	size_t request_bytes;
	int dir_fd; /* queue directory; -1: none */
	atomic_bool is_stopped;
};

/* ---- create ---- */

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Whether a connection for the one serves the other. */
static bool may_share(const struct otlp_target *a, const struct otlp_target *b)
{
	struct otlp_url url_a, url_b;
	const char *why;

	return !otlp_url_parse(&url_a, a->url, &why) && !otlp_url_parse(&url_b, b->url, &why) &&
	       otlp_url_same_origin(&url_a, &url_b) && is_same_text(a->ca_file, b->ca_file) &&
	       is_same_text(a->cert_file, b->cert_file) && is_same_text(a->key_file, b->key_file);
}

static int add_destination(struct otlp_exporter *x, const struct otlp_exporter_opts *opts,
			   size_t index, char *error)
{
	const struct otlp_target *targets = opts->destinations[index].target;
	struct otlp_sender **outlets = x->outlets[index];

	for (unsigned first = 0; first < OTLP_SIGNAL_MAX; first++) {
		struct otlp_sender_opts sender = {.exporter = opts, .dir_fd = x->dir_fd};
		int err;

		if (!targets[first].url || outlets[first])
			continue;
		for (unsigned s = first; s < OTLP_SIGNAL_MAX; s++)
			if (targets[s].url && may_share(&targets[first], &targets[s]))
				sender.target[s] = &targets[s];
		/* A URL that is no URL shares with nobody, and is refused here. */
		sender.target[first] = &targets[first];
		err = otlp_sender_create(&x->senders[x->senders_len], &sender, error);
		if (err)
			return err;
		for (unsigned s = first; s < OTLP_SIGNAL_MAX; s++)
			if (sender.target[s])
				outlets[s] = x->senders[x->senders_len];
		x->senders_len++;
	}
	return 0;
}

/* Two queues in one folder would be one too many. */
static bool is_same_queue(const struct otlp_target *a, const struct otlp_target *b)
{
	if (!a->url || !b->url)
		return false;
	return a->queue_name || b->queue_name ? is_same_text(a->queue_name, b->queue_name)
					      : is_same_text(a->url, b->url);
}

static int check_different(const struct otlp_exporter_opts *opts, char *error)
{
	for (size_t a = 0; a < opts->destinations_len; a++)
		for (size_t b = a + 1; b < opts->destinations_len; b++)
			for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
				if (is_same_queue(&opts->destinations[a].target[s],
						  &opts->destinations[b].target[s])) {
					snprintf(error, OTLP_ERROR_CAP,
						 "two destinations have the same URL: give each "
						 "once");
					return -EINVAL;
				}
	return 0;
}

static bool is_ours(const struct otlp_exporter_opts *opts, const struct otlp_wal_listing *l)
{
	for (size_t i = 0; i < opts->destinations_len; i++) {
		const struct otlp_target *t = &opts->destinations[i].target[l->signal];
		char name[128];

		if (!t->url)
			continue;
		otlp_wal_dir_name(l->signal, t->url, name, sizeof(name));
		if (!strcmp(l->name, t->queue_name ? t->queue_name : name))
			return true;
	}
	return false;
}

static void tell_stray(void *ctx, const struct otlp_wal_listing *l)
{
	const struct otlp_exporter_opts *opts = ctx;
	char sentence[OTLP_ERROR_CAP];

	if (!l->requests || is_ours(opts, l) || !opts->event)
		return;
	snprintf(sentence, sizeof(sentence),
		 "%.300s: %llu %s in the queue on disk, and no destination of this run is theirs: "
		 "they are left alone",
		 l->url, (unsigned long long)l->requests,
		 l->requests == 1 ? "request waits" : "requests wait");
	opts->event(opts->event_ctx, OTLP_EVENT_QUEUE, l->signal, sentence);
}

static int create(struct otlp_exporter **ret, const struct otlp_exporter_opts *opts, char *error)
{
	struct otlp_exporter *x = calloc(1, sizeof(*x));
	const char *why = NULL;
	int err = -ENOMEM;
	bool in_use;

	snprintf(error, OTLP_ERROR_CAP, "out of memory");
	if (!x)
		return err;
	x->dir_fd = -1;
	x->request_bytes = opts->request_bytes ? opts->request_bytes : OTLP_REQUEST_BYTES;
	x->destinations = opts->destinations_len;
	x->outlets = calloc(x->destinations + 1, sizeof(*x->outlets));
	x->senders = calloc(x->destinations * OTLP_SIGNAL_MAX + 1, sizeof(struct otlp_sender *));
	if (!x->outlets || !x->senders || otlp_spares_create(&x->spares, SPARE_BYTES))
		goto fail;
	err = check_different(opts, error);
	if (err)
		goto fail;
	if (opts->queue_dir) {
		err = otlp_wal_dir_open(&x->dir_fd, opts->queue_dir, &why);
		if (err) {
			snprintf(error, OTLP_ERROR_CAP, "queue directory %.200s: %s",
				 opts->queue_dir, why);
			goto fail;
		}
	}
	for (size_t i = 0; i < x->destinations; i++) {
		err = add_destination(x, opts, i, error);
		if (err)
			goto fail;
	}
	if (opts->queue_dir)
		otlp_wal_dir_list(opts->queue_dir, tell_stray, (void *)(uintptr_t)opts, &in_use,
				  &why);
	*ret = x;
	return 0;
fail:
	otlp_exporter_destroy(x);
	return err;
}

/* Signals are blocked meanwhile, so that they are in all threads that begin here, the HTTP
 * library's too. */
int otlp_exporter_create(struct otlp_exporter **ret, const struct otlp_exporter_opts *opts,
			 char error[OTLP_ERROR_CAP])
{
	char own[OTLP_ERROR_CAP];
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = create(ret, opts, error ? error : own);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

void otlp_exporter_stop(struct otlp_exporter *x, uint32_t timeout_ms)
{
	uint64_t deadline = otlp_queue_now_mono_ns() + timeout_ms * UINT64_C(1000000);

	if (!x || atomic_exchange(&x->is_stopped, true))
		return;
	for (size_t i = 0; i < x->senders_len; i++)
		otlp_sender_close(x->senders[i], deadline);
	for (size_t i = 0; i < x->senders_len; i++)
		otlp_sender_stop(x->senders[i]);
}

void otlp_exporter_destroy(struct otlp_exporter *x)
{
	if (!x)
		return;
	otlp_exporter_stop(x, 0);
	for (size_t i = 0; i < x->senders_len; i++)
		otlp_sender_destroy(x->senders[i]);
	if (x->dir_fd >= 0)
		close(x->dir_fd);
	otlp_spares_destroy(x->spares);
	free(x->senders);
	free(x->outlets);
	free(x);
}

/* ---- submit ---- */

struct pieces {
	struct otlp_exporter *x;
	enum otlp_signal signal;
	size_t items; /* dealt out so far */
};

/* Takes @data. 0 or -ENOMEM, and then it is the caller's. */
static int deal_out(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data, size_t size,
		    size_t items)
{
	struct otlp_body *body = otlp_body_create(data, size, x->spares);

	if (!body)
		return -ENOMEM;
	for (size_t i = 0; i < x->destinations; i++)
		if (x->outlets[i][signal])
			otlp_sender_put(x->outlets[i][signal], signal, otlp_body_ref(body), items);
	otlp_body_unref(body);
	return 0;
}

static void drop_everywhere(struct otlp_exporter *x, enum otlp_signal signal, size_t items,
			    enum otlp_drop_reason why)
{
	for (size_t i = 0; i < x->destinations; i++)
		if (x->outlets[i][signal])
			otlp_sender_drop(x->outlets[i][signal], signal, items, why);
}

static int on_piece(void *ctx, uint8_t *data, size_t size, size_t items)
{
	struct pieces *p = ctx;

	p->items += items;
	if (deal_out(p->x, p->signal, data, size, items)) {
		free(data);
		drop_everywhere(p->x, p->signal, items, OTLP_DROP_QUEUE_FULL);
	}
	return 0;
}

bool otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal)
{
	for (size_t i = 0; i < x->destinations; i++)
		if (x->outlets[i][signal])
			return true;
	return false;
}

uint8_t *otlp_exporter_buffer(struct otlp_exporter *x, size_t size)
{
	return otlp_spares_take(x->spares, size);
}

int otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
			 size_t size, size_t items)
{
	struct pieces pieces = {x, signal, 0};
	size_t too_large = 0;
	int err;

	if (!data || !size || !items)
		return -EINVAL;
	if (!otlp_exporter_takes(x, signal))
		return -ENOTSUP;
	if (atomic_load(&x->is_stopped))
		return -ESHUTDOWN;
	if (size <= x->request_bytes)
		return deal_out(x, signal, data, size, items);
	err = otlp_split(signal, data, size, x->request_bytes, on_piece, &pieces, &too_large);
	if (err == -EBADMSG)
		return -EINVAL;
	if (too_large)
		drop_everywhere(x, signal, too_large, OTLP_DROP_TOO_LARGE);
	if (err && pieces.items + too_large < items)
		drop_everywhere(x, signal, items - pieces.items - too_large, OTLP_DROP_QUEUE_FULL);
	free(data);
	return 0;
}

/* ---- counts ---- */

size_t otlp_exporter_destinations(const struct otlp_exporter *x)
{
	return x->destinations;
}

void otlp_exporter_target(const struct otlp_exporter *x, size_t destination,
			  enum otlp_signal signal, struct otlp_target_info *ret)
{
	*ret = (struct otlp_target_info){0};
	if (x->outlets[destination][signal])
		otlp_sender_info(x->outlets[destination][signal], signal, ret);
}

void otlp_exporter_stats(struct otlp_exporter *x, size_t destination, enum otlp_signal signal,
			 struct otlp_signal_stats *ret)
{
	*ret = (struct otlp_signal_stats){0};
	if (x->outlets[destination][signal])
		otlp_sender_stats(x->outlets[destination][signal], signal, ret);
}

uint64_t otlp_exporter_connects(struct otlp_exporter *x)
{
	uint64_t connects = 0;

	for (size_t i = 0; i < x->senders_len; i++)
		connects += otlp_sender_connects(x->senders[i]);
	return connects;
}
