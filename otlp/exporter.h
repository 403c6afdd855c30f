/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exporter - sends encoded requests to an OTLP/HTTP endpoint: the library's public face.
 *
 * A sender thread takes requests from a bounded queue per signal and POSTs them on a kept-alive
 * connection, with retries and backoff as the OTLP 1.x specification, section OTLP/HTTP, says.
 * Never logs: what happens is in the counters and in one callback. All functions may be called
 * from any thread, except create, stop and destroy: one thread, in that order.
 */
#ifndef OTLP_EXPORTER_H
#define OTLP_EXPORTER_H

#include "otlp/otlp.h"

struct otlp_exporter;

struct otlp_header {
	const char *name;
	const char *value; /* secret: never shown */
};

enum otlp_event_kind {
	OTLP_EVENT_UNREACHABLE, /* first failed attempt after a success or the start */
	OTLP_EVENT_RECOVERED, /* first success after that */
	OTLP_EVENT_REFUSED, /* a final answer: the request is dropped */
	OTLP_EVENT_PARTIAL, /* the server rejected some items, or warns */
	OTLP_EVENT_DROPPED /* a request was dropped here: queue full, retry budget spent */
};

/* One thing that happened, as a sentence for a person: what, on what, why, what now. Valid only
 * during the call, which comes from the sender thread or from submit. */
typedef void (*otlp_event_fn)(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
			      const char *sentence);

struct otlp_exporter_opts {
	/* Full URL per signal (http://host:4318/v1/traces); NULL: this signal is not exported
	 * and submit returns -ENOTSUP. Copied. */
	const char *url[OTLP_SIGNAL_MAX];
	const struct otlp_header *headers; /* added to each request; copied */
	size_t headers_len;
	const char *user_agent; /* NULL: the library's own */
	bool gzip;
	uint32_t timeout_ms; /* one attempt, 0: no limit */
	uint32_t retry_budget_ms; /* a request is given up after this long, 0: never */
	uint32_t retry_first_ms; /* first backoff, 0: 1000 */
	uint32_t retry_max_ms; /* longest backoff, 0: 30000 */
	size_t queue_bytes; /* per signal; 0: 32 MiB */
	otlp_event_fn event; /* may be NULL */
	void *event_ctx;
};

/* 0 and *ret set; -EINVAL: an unusable URL or header, *error says which (static text, may be
 * NULL); -ENOMEM; or the error of the thread. Starts the sender; connects only when there is
 * something to send. */
int otlp_exporter_create(struct otlp_exporter **ret, const struct otlp_exporter_opts *opts,
			 const char **error);

/* Queues one encoded request (from otlp_batch_end) of @items items. @data comes from malloc; on 0
 * the exporter owns it. Errors, the caller still owns: -EINVAL empty, -ENOTSUP no such endpoint,
 * -ESHUTDOWN stopped. A full queue drops its oldest requests to make room and counts their items;
 * a request larger than the whole queue is dropped itself (0, counted). Never blocks on the
 * network. */
int otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
			 size_t size, size_t items);

/* Stops: sends what is queued for at most @timeout_ms, then counts the rest as dropped and ends the
 * thread. Retries are not waited for beyond that. */
void otlp_exporter_stop(struct otlp_exporter *x, uint32_t timeout_ms);
void otlp_exporter_destroy(struct otlp_exporter *x); /* NULL is allowed; stops at once */

enum otlp_drop_reason {
	OTLP_DROP_QUEUE_FULL,
	OTLP_DROP_REFUSED, /* a final error answer */
	OTLP_DROP_RETRY_BUDGET, /* no success within the budget */
	OTLP_DROP_SHUTDOWN, /* still queued when time was up */
	OTLP_DROP_DAMAGED, /* unreadable on disk */
	OTLP_DROP_TOO_LARGE, /* one item is larger than a request may be */
	OTLP_DROP_MAX
};

/* How long attempts took: bucket i holds those of (2^(i-20), 2^(i-19)] seconds, the first and the
 * last what lies beyond. */
#define OTLP_DURATION_BUCKETS 32
#define OTLP_DURATION_OFFSET (-20)
struct otlp_durations {
	uint64_t count;
	double sum_s;
	uint64_t buckets[OTLP_DURATION_BUCKETS];
};

/* Items submitted = exported + rejected + sum(dropped) + queued, at every reading. */
struct otlp_signal_stats {
	uint64_t submitted; /* items taken by submit, and found on disk at the start */
	uint64_t recovered; /* of those: found on disk, damaged ones too */
	uint64_t exported; /* items accepted by the server */
	uint64_t rejected; /* items the server named in partial_success */
	uint64_t dropped[OTLP_DROP_MAX];
	uint64_t queued; /* items waiting or in flight */
	uint64_t queued_bytes; /* body bytes of those */
	uint64_t queued_requests;
	uint64_t in_flight; /* of queued: on their way now */
	uint64_t
		queued_volatile; /* of queued: not on disk, and lost if the process is killed now */
	uint64_t requests; /* attempts that got an answer */
	uint64_t retries; /* attempts repeated */
	uint64_t sent_bytes; /* body bytes of successful requests, as sent */
	struct otlp_durations durations; /* of attempts, from connecting to the end of the answer */
};

size_t otlp_exporter_destinations(const struct otlp_exporter *x);

/* Where a signal goes; texts live as long as the exporter. */
struct otlp_target_info {
	const char *label; /* the URL without its query; NULL: not exported there */
	const char *server_address; /* host name or address */
	uint16_t server_port;
	uint64_t queue_cap_bytes; /* in memory, or on disk if there is a queue directory */
};
void otlp_exporter_target(const struct otlp_exporter *x, size_t destination,
			  enum otlp_signal signal, struct otlp_target_info *ret);

/* Whether any destination takes the signal: else submit returns -ENOTSUP. */
bool otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal);

/* One consistent reading. */
void otlp_exporter_stats(struct otlp_exporter *x, size_t destination, enum otlp_signal signal,
			 struct otlp_signal_stats *ret);
uint64_t otlp_exporter_connects(struct otlp_exporter *x); /* connections opened so far */
const char *otlp_drop_reason_name(enum otlp_drop_reason r); /* "queue_full", … */

#endif /* OTLP_EXPORTER_H */
