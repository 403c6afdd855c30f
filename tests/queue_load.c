/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue_load URL DIR FIRST COUNT [DISK_BYTES [WINDOW_MS [MEMORY_BYTES]]]: submits COUNT spans named
 * by their numbers from FIRST on, ten a request and about a thousand requests a second, through a
 * queue in DIR. Says on stdout "submitted N", and "safe N" whenever all spans up to number N are
 * delivered or on disk. With COUNT 0 it sends what it finds. Ends when all is delivered, or at
 * SIGTERM, with the account.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "otlp/exporter.h"
#include "tests/numbered_spans.h"

static void on_event(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
		     const char *sentence)
{
	(void)ctx;
	(void)signal;
	fprintf(stderr, "event %d: %s\n", kind, sentence);
}

static void submit(struct otlp_exporter *x, const struct otlp_encoder *e, uint64_t first)
{
	size_t size;
	uint8_t *data = numbered_spans(e, first, &size);

	if (otlp_exporter_submit(x, OTLP_TRACES, data, size, NUMBERED_SPANS))
		abort();
}

struct progress {
	uint64_t safe, submitted; /* numbers of the last such spans */
};

/* Spans are saved in order: what is not safe are the last ones. Returns whether all have left. */
static bool report(struct otlp_exporter *x, uint64_t first, struct progress *p)
{
	struct otlp_signal_stats s;
	struct progress now;

	otlp_exporter_stats(x, 0, OTLP_TRACES, &s);
	now.submitted = first + s.submitted - s.recovered - 1;
	now.safe = now.submitted - s.queued_volatile;
	if (now.submitted != p->submitted)
		printf("submitted %" PRIu64 "\n", now.submitted);
	if (now.safe != p->safe)
		printf("safe %" PRIu64 "\n", now.safe);
	*p = now;
	return s.queued == 0;
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct otlp_destination to = {.target[OTLP_TRACES].url = argc > 1 ? argv[1] : NULL};
	struct otlp_exporter_opts opts = {.destinations = &to,
					  .destinations_len = 1,
					  .retry_first_ms = 20,
					  .retry_max_ms = 200,
					  .event = on_event};
	struct otlp_exporter *x;
	struct otlp_encoder *e = numbered_encoder();
	struct otlp_signal_stats s;
	uint64_t first, count, sent = 0;
	struct progress progress;
	char error[OTLP_ERROR_CAP];
	sigset_t term;

	if (argc < 5)
		return 64;
	opts.queue_dir = argv[2];
	first = strtoull(argv[3], NULL, 10);
	count = strtoull(argv[4], NULL, 10);
	opts.queue_disk_bytes = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
	opts.queue_window_ms = argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 20;
	opts.queue_bytes = argc > 7 ? strtoull(argv[7], NULL, 10) : 1 << 20;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (otlp_exporter_create(&x, &opts, error)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	progress = (struct progress){first - 1, first - 1};
	while (!report(x, first, &progress) || sent < count) {
		if (sent < count) {
			submit(x, e, first + sent);
			sent += NUMBERED_SPANS;
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
