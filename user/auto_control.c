/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/auto_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct auto_control {
	struct auto_control_opts opts;
	bool is_auto;
	struct auto_rate rate;
};

int auto_control_create(struct auto_control **ret, const struct auto_control_opts *opts)
{
	const struct options *o = opts->options;
	struct auto_control *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->opts = *opts;
	c->is_auto = o->sample_auto;
	auto_rate_init(&c->rate, &o->budget, o->sample_n);
	*ret = c;
	return 0;
}

void auto_control_destroy(struct auto_control *c)
{
	free(c);
}

static uint64_t rate_in_force(const struct auto_control *c)
{
	struct probe_sampling now;

	probe_sampling(c->opts.probe, &now);
	return now.n;
}

/* Losses come before what was submitted, and are read after it: they never seem to be more. */
static void read_load(const struct auto_control *c, struct auto_load *ret)
{
	struct flow_ring_stats ring;
	struct worker_stats stats;
	unsigned w;

	*ret = (struct auto_load){
		.cpu_seconds = meter_cpu_seconds(),
		.ring_pressure = meter_ring_pressure(c->opts.meter),
	};
	for (w = 0; w < c->opts.options->workers; w++) {
		worker_stats(c->opts.workers[w], &stats);
		ret->flows_begun += stats.table.flows_begun;
		ret->flows_ended += stats.table.flows_ended;
		/* with their handshakes, where those are sent */
		ret->spans_made +=
			stats.spans.made > stats.spans_made ? stats.spans.made : stats.spans_made;
		if (probe_read_ring_stats(c->opts.probe, w, &ring))
			continue;
		ret->records += ring.submitted + ring.lost_full;
		ret->records_lost += ring.lost_full;
	}
}

const char *auto_control_limit(const struct auto_budget *b, enum auto_item i,
			       char buf[AUTO_LIMIT_CAP])
{
	switch (i) {
	case AUTO_ITEM_SPANS:
		snprintf(buf, AUTO_LIMIT_CAP, "%.10g spans/s", b->spans_per_s);
		break;
	case AUTO_ITEM_RECORDS:
		snprintf(buf, AUTO_LIMIT_CAP, "%.10g records/s", b->records_per_s);
		break;
	case AUTO_ITEM_CPU:
		snprintf(buf, AUTO_LIMIT_CAP, "%.10g%% of a CPU core", b->cpu_cores * 100);
		break;
	case AUTO_ITEM_RING:
		snprintf(buf, AUTO_LIMIT_CAP, "%.10g%% of a ring", b->ring_share * 100);
		break;
	case AUTO_ITEMS:
		break;
	}
	return buf;
}

static void apply(struct auto_control *c, uint64_t n, const char *reason, const char *because)
{
	uint64_t before = rate_in_force(c);

	if (n == before)
		return;
	probe_set_sampling(c->opts.probe, n);
	meter_note_sampling(c->opts.meter, before, n, reason, because);
}

static void apply_step(struct auto_control *c, uint64_t n, enum auto_reason why)
{
	char limit[AUTO_LIMIT_CAP], because[AUTO_LIMIT_CAP + 16];

	switch (why) {
	case AUTO_NONE:
		return;
	case AUTO_LOST:
		snprintf(because, sizeof(because), "records were lost");
		break;
	case AUTO_EASED:
		snprintf(because, sizeof(because), "the budget allows it");
		break;
	default:
		snprintf(because, sizeof(because), "more than %s",
			 auto_control_limit(&c->opts.options->budget,
					    (enum auto_item)(why - AUTO_SPANS), limit));
	}
	apply(c, n, auto_reason_name(why), because);
}

void auto_control_tick(struct auto_control *c, uint64_t now_mono_ns)
{
	enum auto_reason why;
	struct auto_load load;
	double used[AUTO_ITEMS];
	uint64_t n;

	if (!c->is_auto)
		return;
	read_load(c, &load);
	n = auto_rate_step(&c->rate, now_mono_ns, &load, &why);
	apply_step(c, n, why);
	auto_rate_used(&c->rate, used);
	meter_note_budget(c->opts.meter, &c->opts.options->budget, used);
}

void auto_control_fix(struct auto_control *c, uint64_t n)
{
	c->is_auto = false;
	meter_note_budget(c->opts.meter, NULL, NULL);
	apply(c, n, "asked", "asked by ringspan ctl");
}

void auto_control_release(struct auto_control *c)
{
	if (!c->is_auto)
		auto_rate_init(&c->rate, &c->opts.options->budget, rate_in_force(c));
	c->is_auto = true;
}

void auto_control_status(const struct auto_control *c, struct auto_control_status *ret)
{
	*ret = (struct auto_control_status){
		.is_auto = c->is_auto,
		.budget = c->opts.options->budget,
	};
	if (c->is_auto)
		auto_rate_used(&c->rate, ret->used);
}

void auto_control_say_ready(const struct auto_control *c)
{
	const struct options *o = c->opts.options;
	const struct auto_budget *b = &o->budget;
	const double limits[AUTO_ITEMS] = {b->spans_per_s, b->records_per_s, b->cpu_cores,
					   b->ring_share};
	char limit[AUTO_LIMIT_CAP];
	unsigned i, said = 0;

	fprintf(stderr, "ringspan ready: watching %zu interface%s, keeping 1 %s in %" PRIu64,
		o->interfaces_len, o->interfaces_len == 1 ? "" : "s",
		o->sample_mode == OPTIONS_SAMPLE_PACKET ? "packet" : "flow", o->sample_n);
	if (c->is_auto)
		fputs(" (auto: ", stderr);
	for (i = 0; i < AUTO_ITEMS; i++)
		if (c->is_auto && limits[i] > 0)
			fprintf(stderr, "%s%s", said++ ? ", " : "at most ",
				auto_control_limit(b, i, limit));
	fprintf(stderr, "%s%s\n", c->is_auto && !said ? "no limit" : "", c->is_auto ? ")" : "");
}
