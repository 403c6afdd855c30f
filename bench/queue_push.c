/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * queue_push URL FIRST COUNT CONNECTIONS: posts what tests/queue_load.c submits to somebody else's
 * queue: COUNT spans, ten a request, at most about a thousand requests a second, each once. Says on
 * stdout "accepted N" for a request from span N on that was answered with success, "refused N
 * STATUS" for another answer, "unanswered N" for none. Ends when all is posted, or at SIGTERM.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "otlp/http.h"
#include "otlp/url.h"
#include "tests/numbered_spans.h"

#define CONNECTIONS_MAX 64
#define TIMEOUT_MS 10000

struct push {
	const char *url;
	struct otlp_encoder *encoder;
	pthread_mutex_t lock; /* of the numbers below */
	uint64_t next, end;
};

/* The next request's first span, no sooner than a millisecond after the one before; 0: none. */
static uint64_t take(struct push *p)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t ret = 0;

	pthread_mutex_lock(&p->lock);
	if (p->next < p->end) {
		ret = p->next;
		p->next += NUMBERED_SPANS;
		nanosleep(&pause, NULL);
	}
	pthread_mutex_unlock(&p->lock);
	return ret;
}

static void stop(struct push *p)
{
	pthread_mutex_lock(&p->lock);
	p->end = 0;
	pthread_mutex_unlock(&p->lock);
}

static void post(struct push *p, struct otlp_http *h, struct otlp_http_profile *profile, uint64_t n)
{
	struct otlp_http_attempt a;
	size_t size;
	uint8_t *data = numbered_spans(p->encoder, n, &size);

	otlp_http_post(h, profile, data, size, &a);
	free(data);
	if (a.answer.status == 0)
		printf("unanswered %" PRIu64 "\n", n);
	else if (a.answer.kind == OTLP_ANSWER_OK)
		printf("accepted %" PRIu64 "\n", n);
	else
		printf("refused %" PRIu64 " %u\n", n, a.answer.status);
}

static void *run(void *ctx)
{
	struct push *p = ctx;
	struct otlp_http_profile *profile = NULL;
	struct otlp_http *h = NULL;
	struct otlp_url url;
	const char *why = "";
	uint64_t n;

	if (otlp_url_parse(&url, p->url, &why) ||
	    otlp_http_profile_create(
		    &profile,
		    &(struct otlp_http_profile_opts){.path = url.path, .timeout_ms = TIMEOUT_MS},
		    &why) ||
	    otlp_http_create(&h, &(struct otlp_http_opts){.url = &url}, &why)) {
		fprintf(stderr, "queue_push: %s: %s\n", p->url, why);
		exit(1);
	}
	while ((n = take(p)))
		post(p, h, profile, n);
	otlp_http_destroy(h);
	otlp_http_profile_destroy(profile);
	return NULL;
}

int main(int argc, char **argv)
{
	struct push p = {.lock = PTHREAD_MUTEX_INITIALIZER};
	const struct timespec look = {.tv_nsec = 10000000};
	pthread_t thread[CONNECTIONS_MAX];
	size_t threads;
	sigset_t term;

	if (argc != 5 || (threads = strtoul(argv[4], NULL, 10)) - 1 >= CONNECTIONS_MAX)
		return 64;
	p.url = argv[1];
	p.next = strtoull(argv[2], NULL, 10);
	p.end = p.next + strtoull(argv[3], NULL, 10);
	p.encoder = numbered_encoder();
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], NULL, run, &p))
			abort();
	}
	for (bool is_done = false; !is_done;) {
		if (sigtimedwait(&term, NULL, &look) > 0)
			stop(&p);
		pthread_mutex_lock(&p.lock);
		is_done = p.next >= p.end;
		pthread_mutex_unlock(&p.lock);
	}
	for (size_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	otlp_encoder_destroy(p.encoder);
	return 0;
}
