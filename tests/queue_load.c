/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue_load URL DIR FIRST COUNT [DISK_BYTES]: submits COUNT spans named by their numbers from
 * FIRST on, ten a request and about a thousand requests a second, through a queue in DIR. Says on
 * stdout "safe N" whenever all spans up to number N are delivered or on disk. With COUNT 0 it sends
 * what it finds. Ends when all is delivered, or at SIGTERM, with the account.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "otlp/exporter.h"

#define SPANS 10
#define BATCH_BYTES 4096

static void on_event(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
		     const char *sentence)
{
	(void)ctx;
	(void)signal;
	fprintf(stderr, "event %d: %s\n", kind, sentence);
}

static void submit(struct otlp_exporter *x, const struct otlp_encoder *e, uint64_t first)
{
	uint8_t *data = malloc(BATCH_BYTES);
	struct otlp_batch batch;
	size_t size;

	if (!data || otlp_batch_begin(&batch, e, OTLP_TRACES, data, BATCH_BYTES))
		abort();
	for (uint64_t n = first; n < first + SPANS; n++) {
		char name[32];
		struct otlp_span span = {
			.name = {name, (size_t)snprintf(name, sizeof(name), "%" PRIu64, n)},
			.kind = OTLP_SPAN_INTERNAL,
			.start_unix_ns = n,
			.end_unix_ns = n,
		};

		memset(span.trace_id, 1, sizeof(span.trace_id));
		memcpy(span.span_id, &n, sizeof(span.span_id));
		if (otlp_batch_add_span(&batch, &span))
			abort();
	}
	size = otlp_batch_end(&batch);
	if (otlp_exporter_submit(x, OTLP_TRACES, data, size, SPANS))
		abort();
}

/* Spans are saved in order: what is not safe are the last ones. Returns whether all have left. */
static bool report(struct otlp_exporter *x, uint64_t first, uint64_t *safe)
{
	struct otlp_signal_stats s;
	uint64_t now;

	otlp_exporter_stats(x, 0, OTLP_TRACES, &s);
	now = first + s.submitted - s.recovered - s.queued_volatile - 1;
	if (now != *safe)
		printf("safe %" PRIu64 "\n", now);
	*safe = now;
	return s.queued == 0;
}

int main(int argc, char **argv)
{
	static const char *const name = "queue_load";
	const struct otlp_source source = {.scope_name = {name, strlen(name)}};
	const struct timespec pause = {.tv_nsec = 1000000};
	struct otlp_destination to = {.target[OTLP_TRACES].url = argc > 1 ? argv[1] : NULL};
	struct otlp_exporter_opts opts = {.destinations = &to,
					  .destinations_len = 1,
					  .retry_first_ms = 20,
					  .retry_max_ms = 200,
					  .queue_bytes = 1 << 20,
					  .queue_window_ms = 20,
					  .event = on_event};
	struct otlp_exporter *x;
	struct otlp_encoder *e;
	struct otlp_signal_stats s;
	uint64_t first, count, safe, sent = 0;
	char error[OTLP_ERROR_CAP];
	sigset_t term;

	if (argc < 5)
		return 64;
	opts.queue_dir = argv[2];
	first = strtoull(argv[3], NULL, 10);
	count = strtoull(argv[4], NULL, 10);
	opts.queue_disk_bytes = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (otlp_exporter_create(&x, &opts, error) || otlp_encoder_create(&e, &source)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	safe = first - 1;
	while (!report(x, first, &safe) || sent < count) {
		if (sent < count) {
			submit(x, e, first + sent);
			sent += SPANS;
		}
		if (sigtimedwait(&term, NULL, &pause) > 0)
			break;
	}
	otlp_exporter_stop(x, 1000);
	otlp_exporter_stats(x, 0, OTLP_TRACES, &s);
	printf("end submitted=%" PRIu64 " recovered=%" PRIu64 " exported=%" PRIu64
	       " queue_full=%" PRIu64 " shutdown=%" PRIu64 " damaged=%" PRIu64 " queued=%" PRIu64
	       " retries=%" PRIu64 "\n",
	       s.submitted, s.recovered, s.exported, s.dropped[OTLP_DROP_QUEUE_FULL],
	       s.dropped[OTLP_DROP_SHUTDOWN], s.dropped[OTLP_DROP_DAMAGED], s.queued, s.retries);
	otlp_exporter_destroy(x);
	otlp_encoder_destroy(e);
	return 0;
}
