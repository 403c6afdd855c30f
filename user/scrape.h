/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * scrape - makes ready what pull serves: metrics as text, and how we are. Part of meter; main
 * thread. Of NULL nothing is made.
 */
#ifndef USER_SCRAPE_H
#define USER_SCRAPE_H

#include "user/flow_otlp.h"
#include "user/ledger.h"
#include "user/options.h"
#include "user/probe.h"
#include "user/pull_request.h"

struct scrape;

enum scrape_state { SCRAPE_STARTING, SCRAPE_READY, SCRAPE_STOPPING };

/* Listens. 0 and *ret set; *ret is NULL if nobody asked for it. Else -errno, said. @o and @probe
 * are borrowed. */
int scrape_open(struct scrape **ret, const struct options *o, const struct probe *probe);
void scrape_close(struct scrape *s); /* NULL is allowed */

/* Whether it is time for new texts: a second after the last ones if somebody fetched some within
 * the last minute, else ten, and never so often that making them takes more than a tenth of the
 * time. */
bool scrape_is_due(const struct scrape *s, uint64_t now_mono_ns);

/* From a snapshot whose sums are cumulative and whose exemplars are the newest ones, told or not.
 * @is_interval: its rates are over the interval that ends now. Else they are made to be over the
 * last interval and what has passed since, so that they are never over a moment. */
void scrape_make(struct scrape *s, struct flow_otlp *otlp,
		 const struct flow_otlp_snapshot *snapshot, uint64_t now_mono_ns, bool is_interval);

/* Once a second: we live. */
void scrape_tick(struct scrape *s, enum scrape_state state, const struct ledger *l,
		 uint64_t now_mono_ns);

/* Of now; valid until the next call. NULL if @s is. */
const struct pull_stats *scrape_stats(struct scrape *s);

#endif /* USER_SCRAPE_H */
