/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * auto_control - --sample auto: reads what the kept flows cost, asks auto_rate, sets the rate and
 * says so. Also the way a person's wish for another rate goes. Main thread.
 */
#ifndef USER_AUTO_CONTROL_H
#define USER_AUTO_CONTROL_H

#include "user/auto_rate.h"
#include "user/meter.h"
#include "user/options.h"
#include "user/probe.h"
#include "user/worker.h"

struct auto_control;

struct auto_control_opts {
	const struct options *options;
	struct probe *probe;
	struct worker *const *workers;
	struct meter *meter;
};

/* 0 and *ret set, -ENOMEM. What @opts points to is borrowed. */
int auto_control_create(struct auto_control **ret, const struct auto_control_opts *opts);
void auto_control_destroy(struct auto_control *c); /* NULL is allowed */

/* Once a second, after meter_tick(). */
void auto_control_tick(struct auto_control *c, uint64_t now_mono_ns);

/* From now on one flow in @n. */
void auto_control_fix(struct auto_control *c, uint64_t n);
/* From now on as the budget allows, beginning with the rate in force. */
void auto_control_release(struct auto_control *c);

struct auto_control_status {
	bool is_auto;
	struct auto_budget budget;
	double used[AUTO_ITEMS]; /* shares of it; 0 unless auto */
};
void auto_control_status(const struct auto_control *c, struct auto_control_status *ret);

/* The line that says that everything is attached, and what is kept. */
void auto_control_say_ready(const struct auto_control *c);

/* "1000 spans/s", "50% of a CPU core", … */
#define AUTO_LIMIT_CAP 64
const char *auto_control_limit(const struct auto_budget *b, enum auto_item i,
			       char buf[AUTO_LIMIT_CAP]);

#endif /* USER_AUTO_CONTROL_H */
