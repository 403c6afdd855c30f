/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * account - what becomes of items that are to be exported: events, and counts that add up.
 */
#ifndef OTLP_ACCOUNT_H
#define OTLP_ACCOUNT_H

#include "otlp/otlp.h"

enum otlp_event_kind {
	OTLP_EVENT_UNREACHABLE, /* first failed attempt after a success or the start */
	OTLP_EVENT_RECOVERED, /* good news: first success after that, requests found on disk */
	OTLP_EVENT_REFUSED, /* a final answer: the request is dropped */
	OTLP_EVENT_PARTIAL, /* the server rejected some items, or warns */
	OTLP_EVENT_DROPPED, /* requests were dropped here: queue full, retry budget spent */
	OTLP_EVENT_QUEUE /* the queue on disk: damaged requests, no space left */
};

/* One thing that happened, as a sentence for a person: what, on what, why, what now. Valid only
 * during the call, which comes from a thread of the exporter, from create or from submit. */
typedef void (*otlp_event_fn)(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
			      const char *sentence);

enum otlp_drop_reason {
	OTLP_DROP_QUEUE_FULL,
	OTLP_DROP_REFUSED, /* a final error answer */
	OTLP_DROP_RETRY_BUDGET, /* no success within the budget */
	OTLP_DROP_SHUTDOWN, /* still queued when time was up */
	OTLP_DROP_DAMAGED, /* unreadable on disk */
	OTLP_DROP_TOO_LARGE, /* one item is larger than a request may be */
	OTLP_DROP_MAX
};
const char *otlp_drop_reason_name(enum otlp_drop_reason r); /* "queue_full", … */

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
	uint64_t queued_volatile; /* of queued: not on disk, lost if the process is killed now */
	uint64_t requests; /* attempts that got an answer */
	uint64_t retries; /* attempts repeated */
	uint64_t sent_bytes; /* body bytes of successful requests, as sent */
	struct otlp_durations durations; /* of attempts, from connecting to the end of the answer */
};

const char *otlp_items_name(enum otlp_signal signal, uint64_t n); /* "spans", "data point", … */

#endif /* OTLP_ACCOUNT_H */
