/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PUB of nng 1.5 keeps a queue for each subscriber; when it is full, the oldest message in it is
 * thrown away, without a word. What nng does tell is how many messages of each pipe it has handed
 * to the kernel. So per subscriber we count what was published since it joined; what of this nng
 * has not sent waits or was thrown away. More than a full queue cannot wait: the rest is lost for
 * certain. This is looked at once in STREAM_LOOK messages and whenever somebody asks. A queue that
 * overflows and empties between two looks leaves fewer than STREAM_LOOK lost messages that still
 * seem to wait, until the subscriber leaves; its own gaps in seq tell it of them.
 *
 * One lock keeps seq, the order in the queues and these counts together. The messages are made
 * before, each worker's in its own memory; under the lock they get their number and are handed to
 * nng, which tries a write that does not block. Joining and leaving come as callbacks from threads
 * of nng that hold no lock of its own. A message that is published while somebody joins may or may
 * not be for him: if more was sent than published, it was.
 */
#include "user/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nng/nng.h>
#include <nng/protocol/pubsub0/pub.h>

#include "user/control_path.h"
#include "user/json.h"
#include "user/local_socket.h"
#include "user/log.h"
#include "user/span_json.h"

#define STREAM_HELD (STREAM_QUEUE + 1) /* the queue, and the one that is being sent */
#define STREAM_LOOK 512
#define STREAM_OTLP_BYTES (64 * 1024)
#define STREAM_SEQ_BYTES 40 /* `,"seq":N}` and the newline */
#define STREAM_LEAVE_NS 500000000ULL

struct stream_subscriber {
	uint32_t pipe; /* 0: free */
	bool has_joined; /* it speaks SUB */
	uint64_t published; /* since then */
	uint64_t sent; /* of these, at the last look */
	uint64_t lost;
};

struct stream {
	const struct otlp_encoder *encoder;
	nng_socket socket;
	struct local_socket *local; /* owns the socket */
	atomic_uint wanted; /* subscribers */

	pthread_mutex_t lock; /* guards the rest */
	struct stream_subscriber subscribers[STREAM_SUBSCRIBERS];
	struct stream_stats stats; /* of those that have left, and of all */
	unsigned since_look; /* messages */
	bool is_stopped;
};

/* ---- counting ---- */

static uint64_t subscriber_waiting(const struct stream_subscriber *sub)
{
	return sub->published - sub->sent - sub->lost;
}

static struct stream_subscriber *stream_find(struct stream *s, uint32_t pipe)
{
	size_t i;

	for (i = 0; i < STREAM_SUBSCRIBERS; i++)
		if (s->subscribers[i].pipe == pipe)
			return &s->subscribers[i];
	return NULL;
}

static void subscriber_look(struct stream_subscriber *sub, uint64_t sent)
{
	uint64_t waiting;

	sub->sent = sent;
	if (sub->sent + sub->lost > sub->published)
		sub->published = sub->sent + sub->lost;
	waiting = subscriber_waiting(sub);
	if (waiting > STREAM_HELD)
		sub->lost += waiting - STREAM_HELD;
}

static uint64_t stream_pipe_number(nng_stat *pipe, const char *name)
{
	nng_stat *stat = nng_stat_find(pipe, name);

	return stat ? nng_stat_value(stat) : 0;
}

static void stream_look(struct stream *s)
{
	nng_stat *all, *one;
	struct stream_subscriber *sub;

	s->since_look = 0;
	if (nng_stats_get(&all))
		return;
	for (one = nng_stat_child(all); one; one = nng_stat_next(one)) {
		if (strcmp(nng_stat_name(one), "pipe"))
			continue;
		sub = stream_find(s, (uint32_t)stream_pipe_number(one, "id"));
		if (sub && sub->has_joined)
			subscriber_look(sub, stream_pipe_number(one, "tx_msgs"));
	}
	nng_stats_free(all);
}

static void stream_add(struct stream_stats *to, const struct stream_subscriber *sub)
{
	to->for_subscribers += sub->published;
	to->sent += sub->sent;
	to->lost += sub->lost;
}

/* It is gone, or about to be. */
static void stream_settle(struct stream *s, struct stream_subscriber *sub)
{
	if (sub->has_joined) {
		stream_add(&s->stats, sub);
		s->stats.unread += subscriber_waiting(sub);
		s->stats.subscribers--;
		atomic_fetch_sub(&s->wanted, 1);
	}
	*sub = (struct stream_subscriber){0};
}

/* ---- coming and going ---- */

static void stream_on_join(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct stream *s = arg;
	struct stream_subscriber *sub;

	(void)event;
	pthread_mutex_lock(&s->lock);
	sub = s->is_stopped ? NULL : stream_find(s, 0);
	if (sub)
		sub->pipe = (uint32_t)nng_pipe_id(pipe);
	else
		s->stats.turned_away++;
	pthread_mutex_unlock(&s->lock);
	if (!sub)
		nng_pipe_close(pipe);
}

/* From here on it gets what is published. */
static void stream_on_joined(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct stream *s = arg;
	struct stream_subscriber *sub;

	(void)event;
	pthread_mutex_lock(&s->lock);
	sub = stream_find(s, (uint32_t)nng_pipe_id(pipe));
	if (sub) {
		sub->has_joined = true;
		s->stats.subscribers++;
		atomic_fetch_add(&s->wanted, 1);
	}
	pthread_mutex_unlock(&s->lock);
}

/* Also of one that speaks another protocol, or was turned away. */
static void stream_on_leave(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct stream *s = arg;
	struct stream_subscriber *sub;

	(void)event;
	pthread_mutex_lock(&s->lock);
	sub = stream_find(s, (uint32_t)nng_pipe_id(pipe));
	if (sub) {
		stream_look(s);
		stream_settle(s, sub);
	}
	pthread_mutex_unlock(&s->lock);
}

static int stream_open_socket(struct stream *s)
{
	int err = nng_pub0_open(&s->socket);

	if (err)
		return local_socket_errno(err);
	err = nng_socket_set_int(s->socket, NNG_OPT_SENDBUF, STREAM_QUEUE);
	if (!err) /* subscribers have nothing to say */
		err = nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, 64);
	if (!err)
		err = nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_PRE, stream_on_join, s);
	if (!err)
		err = nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_POST, stream_on_joined, s);
	if (!err)
		err = nng_pipe_notify(s->socket, NNG_PIPE_EV_REM_POST, stream_on_leave, s);
	if (err)
		nng_close(s->socket);
	return local_socket_errno(err);
}

int stream_open(struct stream **ret, const struct options *o, const struct otlp_encoder *encoder)
{
	struct local_socket_opts local = {
		.option = "--events",
		.what = "event socket",
		.prefix = CONTROL_EVENTS_PREFIX,
		.path = o->events,
		.interfaces = o->interfaces,
		.interfaces_len = o->interfaces_len,
	};
	struct stream *s;
	int err;

	*ret = NULL;
	if (o->events && !strcmp(o->events, "none"))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->encoder = encoder;
	pthread_mutex_init(&s->lock, NULL);
	err = stream_open_socket(s);
	if (err)
		log_error("cannot make an event socket: %s", strerror(-err));
	else
		err = local_socket_open(&s->local, s->socket, &local);
	if (s->local)
		*ret = s;
	else
		stream_close(s);
	return err;
}

/* Whether anything waits to be sent. */
static bool stream_has_more(struct stream *s)
{
	uint64_t waiting = 0;
	size_t i;

	pthread_mutex_lock(&s->lock);
	stream_look(s);
	for (i = 0; i < STREAM_SUBSCRIBERS; i++)
		waiting += subscriber_waiting(&s->subscribers[i]);
	pthread_mutex_unlock(&s->lock);
	return waiting;
}

void stream_stop(struct stream *s)
{
	const struct timespec pause = {.tv_nsec = STREAM_LEAVE_NS / 100};
	unsigned tries = 100;
	size_t i;

	if (!s)
		return;
	while (stream_has_more(s) && --tries)
		nanosleep(&pause, NULL);
	pthread_mutex_lock(&s->lock);
	s->is_stopped = true;
	for (i = 0; i < STREAM_SUBSCRIBERS; i++)
		if (s->subscribers[i].has_joined)
			stream_settle(s, &s->subscribers[i]);
	pthread_mutex_unlock(&s->lock);
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	local_socket_close(s->local); /* returns when there are no more callbacks */
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void stream_tend(struct stream *s)
{
	if (s)
		local_socket_tend(s->local);
}

bool stream_is_wanted(const struct stream *s)
{
	return s && atomic_load_explicit(&s->wanted, memory_order_relaxed);
}

void stream_stats(struct stream *s, struct stream_stats *ret)
{
	size_t i;

	*ret = (struct stream_stats){0};
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	stream_look(s);
	*ret = s->stats;
	for (i = 0; i < STREAM_SUBSCRIBERS; i++) {
		stream_add(ret, &s->subscribers[i]);
		ret->waiting += subscriber_waiting(&s->subscribers[i]);
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- publishing ---- */

/* Up to where the number goes; *ret_len bytes of text, and room for STREAM_SEQ_BYTES. NULL: no
 * memory. */
static nng_msg *stream_make_json(const struct otlp_span *span, size_t *ret_len)
{
	FILE *out;
	nng_msg *msg = NULL;
	char *text = NULL;
	struct json j;
	size_t len = 0;

	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	__fsetlocking(out, FSETLOCKING_BYCALLER);
	fputs(STREAM_TOPIC_JSON, out);
	json_init(&j, out);
	json_open_object(&j, NULL);
	span_json_write(&j, span);
	if (!fclose(out) && !nng_msg_alloc(&msg, len + STREAM_SEQ_BYTES)) {
		memcpy(nng_msg_body(msg), text, len);
		*ret_len = len;
	}
	free(text);
	return msg;
}

static void stream_number(nng_msg *msg, size_t len, uint64_t seq)
{
	char *at = (char *)nng_msg_body(msg) + len;
	int n = snprintf(at, STREAM_SEQ_BYTES, ",\"seq\":%llu}\n", (unsigned long long)seq);

	nng_msg_chop(msg, STREAM_SEQ_BYTES - (size_t)n);
}

/* NULL: it cannot be encoded, or there is no memory. */
static nng_msg *stream_make_otlp(const struct stream *s, const struct otlp_span *span)
{
	uint8_t *buffer = malloc(STREAM_OTLP_BYTES);
	struct otlp_batch batch;
	nng_msg *msg = NULL;
	size_t len;

	if (buffer &&
	    !otlp_batch_begin(&batch, s->encoder, OTLP_TRACES, buffer, STREAM_OTLP_BYTES) &&
	    !otlp_batch_add_span(&batch, span)) {
		len = otlp_batch_end(&batch);
		if (!nng_msg_alloc(&msg, STREAM_TOPIC_LEN + len)) {
			memcpy(nng_msg_body(msg), STREAM_TOPIC_OTLP, STREAM_TOPIC_LEN);
			memcpy((char *)nng_msg_body(msg) + STREAM_TOPIC_LEN, buffer, len);
		}
	}
	free(buffer);
	return msg;
}

/* Takes @msg over; NULL: there is none. */
static void stream_send(struct stream *s, nng_msg *msg)
{
	bool is_sent = msg && !nng_sendmsg(s->socket, msg, NNG_FLAG_NONBLOCK);
	size_t i;

	for (i = 0; i < STREAM_SUBSCRIBERS; i++) {
		if (!s->subscribers[i].has_joined)
			continue;
		if (is_sent) {
			s->subscribers[i].published++;
		} else {
			s->stats.for_subscribers++;
			s->stats.unmade++;
		}
	}
	if (msg && !is_sent)
		nng_msg_free(msg);
	s->since_look++;
}

void stream_publish(struct stream *s, const struct otlp_span *span)
{
	nng_msg *json, *otlp;
	size_t len = 0;

	json = stream_make_json(span, &len);
	otlp = stream_make_otlp(s, span);
	pthread_mutex_lock(&s->lock);
	s->stats.flows++;
	if (json)
		stream_number(json, len, s->stats.flows);
	stream_send(s, json);
	stream_send(s, otlp);
	if (s->since_look >= STREAM_LOOK)
		stream_look(s);
	pthread_mutex_unlock(&s->lock);
}
