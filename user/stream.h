/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stream - ended flows for other programs: nng's PUB on a local socket.
 *
 * For each ended flow there are two messages, which begin with their topic, one right after the
 * other:
 *
 *	"json " one line of JSON (user/span_json.h) with "seq":N as its last member, and a newline
 *	"otlp " an ExportTraceServiceRequest of opentelemetry-proto with just this span
 *
 * seq counts the ended flows that were published, from 1 on: a gap is what a subscriber has missed.
 * PUB sends all topics to everyone; SUB sorts them out at its end. Nobody is waited for: what a
 * subscriber does not take in time waits in a queue of STREAM_QUEUE messages, of which the oldest
 * then make room; that is counted. Without a subscriber nothing is made.
 */
#ifndef USER_STREAM_H
#define USER_STREAM_H

#include "otlp/encode.h"
#include "user/options.h"

#define STREAM_TOPIC_JSON "json "
#define STREAM_TOPIC_OTLP "otlp "
#define STREAM_TOPIC_LEN 5
#define STREAM_QUEUE 4096 /* messages that wait for a subscriber */
#define STREAM_SUBSCRIBERS 16 /* more are turned away */

struct stream;

/* Listens. 0 and *ret set; *ret is NULL if there is to be no stream, or if its default socket
 * cannot be made, which it then has said. Else -errno, said. Both are borrowed. */
int stream_open(struct stream **ret, const struct options *o, const struct otlp_encoder *encoder);

/* After the last publish: what waits has a moment to leave, and from then on the counts are final.
 * NULL is allowed. */
void stream_stop(struct stream *s);
void stream_close(struct stream *s); /* NULL is allowed; removes the socket */

/* Main thread, once a second or more often: keeps the socket alive. NULL is allowed. */
void stream_tend(struct stream *s);

/* Whether somebody listens. Any thread, cheap. NULL is allowed. */
bool stream_is_wanted(const struct stream *s);

/* Makes and sends the messages of a flow that has ended. Any thread; never waits for a subscriber.
 */
void stream_publish(struct stream *s, const struct otlp_span *span);

/* In messages, summed over the subscribers, of now and before.
 * for_subscribers = sent + waiting + unread + lost + unmade */
struct stream_stats {
	uint64_t flows; /* that were published: the last seq */
	uint64_t for_subscribers; /* for each that was there */
	uint64_t sent; /* handed to the kernel for them */
	uint64_t waiting; /* in their queues */
	uint64_t unread; /* waited when they left, or when ringspan ended */
	uint64_t lost; /* pushed out of a queue */
	uint64_t unmade; /* could not be encoded, or there was no memory */
	uint64_t subscribers; /* now */
	uint64_t turned_away; /* one too many */
};
void stream_stats(struct stream *s, struct stream_stats *ret); /* any thread; of NULL: all zero */

#endif /* USER_STREAM_H */
