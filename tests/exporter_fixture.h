/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exporter_fixture - an exporter, the server it talks to, and a record of what it told.
 */
#ifndef TESTS_EXPORTER_FIXTURE_H
#define TESTS_EXPORTER_FIXTURE_H

#include <pthread.h>

#include "otlp/exporter.h"
#include "tests/http_fault.h"

#define FIXTURE_TOLD_MAX 64

struct fixture_told {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum otlp_event_kind kind[FIXTURE_TOLD_MAX]; /* in order */
	char text[FIXTURE_TOLD_MAX][400];
	size_t len;
};

struct fixture {
	struct fault *f; /* may be NULL */
	struct otlp_exporter *x;
	struct fixture_told told;
	struct otlp_exporter_opts opts; /* to be changed before fixture_start(), as what follows */
	struct otlp_destination to;
	char url[OTLP_SIGNAL_MAX][64];
};

/* Options to export all signals to @f (NULL: none yet) with short backoffs. */
void fixture_init(struct fixture *t, struct fault *f);
void fixture_start(struct fixture *t);
void fixture_reset(struct fixture *t); /* stops both */

void fixture_submit(struct fixture *t, enum otlp_signal signal, const char *text, size_t items);

/* Reads the counts and checks that they are closed. */
struct otlp_signal_stats fixture_stats(struct fixture *t, enum otlp_signal signal);
/* What must equal the items submitted. */
uint64_t fixture_account(const struct otlp_signal_stats *s);

/* Waits till an event of @kind has been told; returns which. */
size_t fixture_wait_told(struct fixture *t, enum otlp_event_kind kind);

uint64_t fixture_now_ms(void);

#endif /* TESTS_EXPORTER_FIXTURE_H */
