/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pull_board - what the main thread has to say, for the thread that answers: texts of numbers, how
 * we are; and back: what was asked for and answered. Any thread; one lock inside, held for a few
 * assignments.
 */
#ifndef USER_PULL_BOARD_H
#define USER_PULL_BOARD_H

#include <stdatomic.h>

#include "user/prom_text.h"
#include "user/pull_request.h"

/* Shared: whoever is sending it holds a reference, and a newer one takes its place. */
struct pull_text {
	atomic_uint refs;
	size_t len;
	char *data;
};
struct pull_text *pull_text_copy(const char *text); /* NULL: no memory */
void pull_text_put(struct pull_text *t); /* NULL is allowed */

struct pull_board;

int pull_board_create(struct pull_board **ret); /* 0, -ENOMEM */
void pull_board_destroy(struct pull_board *b); /* NULL is allowed */

/* ---- the main thread ---- */

/* Takes over the data of @text, which is then empty: the newest numbers. */
void pull_board_publish(struct pull_board *b, struct prom_text *text);

/* The main loop is alive, at @now_mono_ns. @text, with a newline at its end, is what /healthz and
 * /readyz say; copied, cut at PULL_STATE_CAP. */
#define PULL_STATE_CAP 8192
void pull_board_tick(struct pull_board *b, bool is_ready, const char *text, uint64_t now_mono_ns);

/* When somebody asked for the numbers in this format for the last time, 0: never. */
uint64_t pull_board_asked_mono_ns(struct pull_board *b, enum prom_format format);
void pull_board_stats(struct pull_board *b, struct pull_stats *ret);

/* ---- the thread that answers ---- */

/* A reference to the numbers, which were asked for now; NULL: there are none. */
struct pull_text *pull_board_metrics(struct pull_board *b, enum prom_format format,
				     uint64_t now_mono_ns);

/* What to say of how we are: of health, or of being ready. NULL: no memory. */
struct pull_text *pull_board_state(struct pull_board *b, bool is_health, uint64_t now_mono_ns,
				   enum pull_status *ret);

void pull_board_count(struct pull_board *b, enum pull_status status);

#endif /* USER_PULL_BOARD_H */
