/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/metrics_world.h"

/* ---- metrics as lines, one a point: "name unit type{key=value,…} value" ---- */

__attribute__((format(printf, 2, 3))) static void say(struct dump *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	d->len += vsnprintf(d->text + d->len, sizeof(d->text) - d->len, fmt, args);
	va_end(args);
	assert_true(d->len < sizeof(d->text));
}

static void say_value(struct dump *d, const struct otlp_metric *m, const struct otlp_point *p)
{
	const struct otlp_exp_histogram *h = &p->histogram;
	uint64_t count = 0;
	size_t i;

	if (m->type != OTLP_EXP_HISTOGRAM) {
		if (p->is_double)
			say(d, "%g", p->number);
		else
			say(d, "%lld", (long long)p->integer);
		return;
	}
	say(d, "scale %d count %llu sum %g offset %d buckets", h->scale,
	    (unsigned long long)h->count, h->sum, h->offset);
	for (i = 0; i < h->buckets_len; i++) {
		say(d, " %llu", (unsigned long long)h->buckets[i]);
		count += h->buckets[i];
	}
	assert_int_equal(count + h->zero_count, h->count);
	assert_true(h->buckets[0] && h->buckets[h->buckets_len - 1]);
}

static void say_attr(struct dump *d, const struct otlp_attr *a, const char *before)
{
	say(d, "%s%.*s=", before, (int)a->key.len, a->key.ptr);
	if (a->type == OTLP_INT)
		say(d, "%lld", (long long)a->value.integer);
	else if (a->type == OTLP_BOOL)
		say(d, a->value.boolean ? "true" : "false");
	else
		say(d, "%.*s", (int)a->value.string.len, a->value.string.ptr);
}

int world_emit(void *ctx, const struct otlp_metric *m)
{
	static const char *const types[] = {"gauge", "sum", "histogram"};
	const struct otlp_exemplar *x;
	struct dump *d = ctx;
	size_t i, k;

	assert_true(m->points_len > 0);
	assert_true(m->description.len > 0);
	assert_false(m->is_monotonic && m->type != OTLP_SUM);
	for (i = 0; i < m->points_len; i++) {
		const struct otlp_point *p = &m->points[i];

		assert_int_equal(p->time_unix_ns, 2000);
		assert_int_equal(p->start_unix_ns, m->type == OTLP_GAUGE ? 0 : 1000);
		say(d, "%.*s %.*s %s{", (int)m->name.len, m->name.ptr, (int)m->unit.len,
		    m->unit.ptr,
		    m->type == OTLP_SUM && !m->is_monotonic ? "updown" : types[m->type]);
		for (k = 0; k < p->attrs.len; k++)
			say_attr(d, &p->attrs.list[k], k ? "," : "");
		say(d, "} ");
		say_value(d, m, p);
		assert_true(p->exemplars_len <= 1);
		x = p->exemplars_len ? p->exemplars : NULL;
		if (x) {
			assert_true(x->has_trace && !x->is_double);
			say(d, " exemplar %lld at %llu of %02x-%02x", (long long)x->integer,
			    (unsigned long long)x->time_unix_ns, x->trace_id[0], x->span_id[0]);
		}
		say(d, "\n");
	}
	return ++d->metrics == d->fail_after ? -ENOSPC : 0;
}

/* ---- a snapshot ---- */

static struct world world;

int world_setup(void **state)
{
	struct flow_otlp_opts opts = {.active_timeout_ns = 1};
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	w->names[0] = "eth0";
	w->names[1] = "wg0";
	w->snapshot = (struct flow_otlp_snapshot){
		.start_unix_ns = 1000,
		.time_unix_ns = 2000,
		.interfaces = 2,
		.if_names = w->names,
		.counters = w->counters,
		.ledger = &w->ledger,
		.sample_n = 100,
		.cpu_seconds = 1.5,
		.rss_bytes = 4096,
		.ring_pressure = 0.25,
	};
	*state = w;
	return flow_otlp_create(&w->o, &opts);
}

int world_teardown(void **state)
{
	flow_otlp_destroy(((struct world *)*state)->o);
	return 0;
}

void world_count(struct flow_counter *counters, unsigned if_slot, unsigned hook, unsigned net,
		 unsigned transport, uint32_t bytes)
{
	struct flow_counter *c = &counters[flow_counter_index(if_slot, hook, net, transport)];
	unsigned slot = 0;

	while (slot < FLOW_SIZE_SLOTS - 1 && (1u << slot) < bytes)
		slot++;
	c->size[slot]++;
	c->bytes += bytes;
}

void world_destination(struct world *w, unsigned d, const char *address, uint16_t port)
{
	unsigned s;

	for (s = 0; s < OTLP_SIGNAL_MAX; s++)
		w->ledger.target[d][s] = (struct otlp_target_info){"http://x", address, port, 9000};
	w->ledger.destinations_len = d + 1;
	w->ledger.has_logs = true;
}

const char *world_dump(struct world *w)
{
	w->dump.len = 0;
	assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, world_emit, &w->dump), 0);
	return w->dump.text;
}

void world_assert_has(struct world *w, const char *line)
{
	if (!strstr(w->dump.text, line))
		fail_msg("no \"%s\" in:\n%s", line, w->dump.text);
}
