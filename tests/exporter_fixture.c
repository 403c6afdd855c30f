/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/exporter_fixture.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void on_event(void *ctx, enum otlp_event_kind kind, enum otlp_signal signal,
		     const char *sentence)
{
	struct fixture_told *t = ctx;

	(void)signal;
	pthread_mutex_lock(&t->lock);
	if (t->len < FIXTURE_TOLD_MAX) {
		t->kind[t->len] = kind;
		snprintf(t->text[t->len++], sizeof(t->text[0]), "%s", sentence);
	}
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void fixture_init(struct fixture *t, struct fault *f)
{
	static const char *const path[] = {"traces", "metrics", "logs"};

	*t = (struct fixture){.f = f};
	pthread_mutex_init(&t->told.lock, NULL);
	pthread_cond_init(&t->told.changed, NULL);
	t->opts = (struct otlp_exporter_opts){
		.destinations = &t->to,
		.destinations_len = 1,
		.retry_first_ms = 20,
		.retry_max_ms = 100,
		.event = on_event,
		.event_ctx = &t->told,
	};
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		t->to.target[s].timeout_ms = 10000;
	for (unsigned s = 0; f && s < OTLP_SIGNAL_MAX; s++) {
		snprintf(t->url[s], sizeof(t->url[s]), "%s/v1/%s", fault_url(f), path[s]);
		t->to.target[s].url = t->url[s];
	}
}

void fixture_start(struct fixture *t)
{
	char error[OTLP_ERROR_CAP] = "";

	if (otlp_exporter_create(&t->x, &t->opts, error))
		fail_msg("%s", error);
}

void fixture_reset(struct fixture *t)
{
	otlp_exporter_destroy(t->x);
	if (t->f)
		fault_stop(t->f);
	pthread_cond_destroy(&t->told.changed);
	pthread_mutex_destroy(&t->told.lock);
}

void fixture_submit(struct fixture *t, enum otlp_signal signal, const char *text, size_t items)
{
	assert_int_equal(
		otlp_exporter_submit(t->x, signal, (uint8_t *)strdup(text), strlen(text), items),
		0);
}

uint64_t fixture_account(const struct otlp_signal_stats *s)
{
	uint64_t items = s->exported + s->rejected + s->queued;

	for (unsigned i = 0; i < OTLP_DROP_MAX; i++)
		items += s->dropped[i];
	return items;
}

struct otlp_signal_stats fixture_stats(struct fixture *t, enum otlp_signal signal)
{
	struct otlp_signal_stats s;

	otlp_exporter_stats(t->x, 0, signal, &s);
	assert_int_equal(s.submitted, fixture_account(&s));
	return s;
}

size_t fixture_wait_told(struct fixture *t, enum otlp_event_kind kind)
{
	struct timespec until;
	size_t i = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	pthread_mutex_lock(&t->told.lock);
	for (;;) {
		while (i < t->told.len && t->told.kind[i] != kind)
			i++;
		if (i < t->told.len)
			break;
		assert_int_equal(pthread_cond_timedwait(&t->told.changed, &t->told.lock, &until),
				 0);
	}
	pthread_mutex_unlock(&t->told.lock);
	return i;
}

uint64_t fixture_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
