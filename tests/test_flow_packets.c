/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet mode in user space: what reports carry of estimates, and what spans say and do not say.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/flow_samples.h"
#include "tests/flow_sim.h"
#include "user/flow_estimate.h"
#include "user/flow_otlp.h"

#define UDP_TUPLE (SIM_TUPLES - 1)

static const struct flow_table_opts usual = {
	.max_flows = 64,
	.active_timeout_ns = 60 * SIM_S,
	.idle_timeout_ns = 15 * SIM_S,
	.tcp_idle_timeout_ns = 300 * SIM_S,
	.linger_ns = 2 * SIM_S,
	.by_packets = true,
};

static struct sim *sim_at(uint64_t interval, unsigned states_cap)
{
	struct sim *s = sim_create(&usual, states_cap, 1);

	s->interval = interval;
	return s;
}

static void assert_estimate(const struct flow_estimate *e, uint64_t pkts, uint64_t max_interval)
{
	assert_int_equal(e->pkts, pkts);
	assert_int_equal(e->bytes, 100 * pkts);
	assert_int_equal(e->max_interval, max_interval);
}

/* ---- the table ---- */

static void test_flow_packets_report_has_the_kernels_estimate(void **state)
{
	struct sim *s = sim_at(10, 8);

	(void)state;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 3);
	s->interval = 100;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 2);
	sim_send(s, UDP_TUPLE, 1, 0, 0, 1);
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->reports_len, 1);
	assert_int_equal(s->reports[0].flow.totals[0].pkts, 5);
	assert_int_equal(s->reports[0].flow.info.interval, 10);
	assert_estimate(&s->reports[0].estimate[0], 3 * 10 + 2 * 100, 100);
	assert_estimate(&s->reports[0].estimate[1], 100, 100);
	assert_null(s->reports[0].report.detail); /* its bytes mean another thing in flow mode */
	sim_destroy(s);
}

static void test_flow_packets_flow_mode_has_no_estimate(void **state)
{
	struct flow_table_opts opts = usual;
	struct sim *s;

	(void)state;
	opts.by_packets = false;
	s = sim_create(&opts, 8, 1);
	sim_send(s, UDP_TUPLE, 0, 0, 0, 3);
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->reports_len, 1);
	assert_null(s->reports[0].report.estimate);
	assert_non_null(s->reports[0].report.detail);
	sim_destroy(s);
}

static void test_flow_packets_without_state_count_by_their_own_n(void **state)
{
	struct sim *s = sim_at(10, 0);

	(void)state;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 1);
	s->interval = 1000;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 1);
	sim_run(s, SIM_S);
	s->states_cap = 1; /* room now: the map counts from zero, on top */
	s->interval = 20;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 4);
	sim_send(s, UDP_TUPLE, 1, 0, 0, 1);
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->reports_len, 1);
	assert_true(s->reports[0].flow.is_incomplete);
	assert_int_equal(s->reports[0].flow.totals[0].pkts, 6);
	assert_estimate(&s->reports[0].estimate[0], 10 + 1000 + 4 * 20, 1000);
	assert_estimate(&s->reports[0].estimate[1], 20, 20);
	sim_destroy(s);
}

/* The entry is gone: what its samples stood for has gone with it, but for the rate they began at.
 */
static void test_flow_packets_lost_state_counts_by_the_first_n(void **state)
{
	struct sim *s = sim_at(10, 8);

	(void)state;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 3);
	sim_run(s, SIM_S);
	s->has_state[UDP_TUPLE] = false;
	s->states_len--;
	s->interval = 50;
	sim_send(s, UDP_TUPLE, 0, 0, 0, 2); /* a new entry, added to what is known */
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->reports_len, 1);
	assert_true(s->reports[0].flow.is_incomplete);
	assert_int_equal(s->reports[0].flow.totals[0].pkts, 5);
	assert_estimate(&s->reports[0].estimate[0], 3 * 10 + 2 * 50, 50);
	sim_destroy(s);
}

static void test_flow_packets_intervals_know_what_was_reported(void **state)
{
	struct sim *s = sim_at(10, 8);
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++) {
		s->interval = i < 8 ? 10 : 30;
		sim_send(s, UDP_TUPLE, 0, 0, 0, 1);
		sim_run(s, 8 * SIM_S);
	}
	sim_run(s, 30 * SIM_S);
	assert_int_equal(s->reports_len, 3);
	assert_int_equal(s->reports[0].report.kind, FLOW_REPORT_ROOT);
	assert_int_equal(s->reports[1].report.kind, FLOW_REPORT_INTERVAL);
	assert_int_equal(s->reports[2].report.kind, FLOW_REPORT_END);
	assert_int_equal(s->reports[0].before[0].pkts, 0);
	assert_estimate(&s->reports[0].estimate[0], 8 * 10, 10);
	for (i = 1; i < 3; i++)
		assert_memory_equal(s->reports[i].before, s->reports[i - 1].estimate,
				    sizeof(s->reports[i].before));
	assert_estimate(&s->reports[2].estimate[0], 8 * 10 + 12 * 30, 30);
	sim_destroy(s);
}

static void test_flow_packets_generations_do_not_share_estimates(void **state)
{
	struct sim *s = sim_at(7, 8);

	(void)state;
	sim_send(s, 0, 0, FLOW_TCP_SYN, 1, 1);
	sim_send(s, 0, 0, FLOW_TCP_RST, 0, 1);
	s->interval = 3;
	sim_send(s, 0, 0, FLOW_TCP_SYN, 900, 1);
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->reports_len, 2);
	assert_estimate(&s->reports[0].estimate[0], 14, 7);
	assert_estimate(&s->reports[1].estimate[0], 3, 3);
	sim_destroy(s);
}

/* ---- spans ---- */

static const struct otlp_attr *attr(const struct otlp_span *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->attrs.len; i++)
		if (s->attrs.list[i].key.len == strlen(key) &&
		    !memcmp(s->attrs.list[i].key.ptr, key, strlen(key)))
			return &s->attrs.list[i];
	return NULL;
}

static void assert_int(const struct otlp_span *s, const char *key, int64_t value)
{
	const struct otlp_attr *a = attr(s, key);

	if (!a || a->type != OTLP_INT || a->value.integer != value)
		fail_msg("%s is not %ld", key, (long)value);
}

static void assert_error(const struct otlp_span *s, const char *key, double value)
{
	const struct otlp_attr *a = attr(s, key);

	assert_true(a && a->type == OTLP_DOUBLE);
	assert_true(fabs(a->value.number - value) < 1e-9);
}

/* Nothing that would claim to be exact. */
static void assert_nothing_exact(const struct otlp_span *s)
{
	static const char *const keys[] = {
		"flow.packets.total",	      "flow.bytes.total",
		"flow.reverse.packets.total", "flow.reverse.bytes.total",
		"flow.packets.delta",	      "flow.bytes.delta",
		"flow.reverse.packets.delta", "flow.reverse.bytes.delta",
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (attr(s, keys[i]))
			fail_msg("%s in packet mode", keys[i]);
	assert_int_equal(s->trace_state.len, 0);
	assert_int_equal(s->status, OTLP_STATUS_UNSET);
}

struct told {
	struct flow_otlp *o;
	struct flow f;
	struct flow_estimate estimate[2], before[2];
	struct flow_report r;
};

/* A connection of 12 and 10 samples at 1/10. */
static void told_begin(struct told *t)
{
	const struct flow_otlp_opts opts = {.active_timeout_ns = 60 * S};

	*t = (struct told){
		.f = sample_http(),
		.r = {.kind = FLOW_REPORT_ROOT, .reason = FLOW_IDLE_TIMEOUT, .is_final = true}};
	t->f.info.interval = 10;
	t->f.initiator_known = true;
	for (int d = 0; d < 2; d++)
		t->estimate[d] = (struct flow_estimate){10 * t->f.totals[d].pkts,
							10 * t->f.totals[d].bytes, 10};
	t->r.start_mono_ns = t->f.info.first_mono_ns;
	t->r.end_mono_ns = t->r.start_mono_ns + S;
	t->r.estimate = t->estimate;
	t->r.estimate_before = t->before;
	assert_int_equal(flow_otlp_create(&t->o, &opts), 0);
}

static void test_flow_packets_span_says_samples_and_estimates(void **state)
{
	const struct otlp_span *s;
	const struct otlp_attr *mode;
	struct told t;
	char line[400];

	(void)state;
	told_begin(&t);
	s = flow_otlp_span(t.o, &t.f, &t.r, "eth0");
	assert_nothing_exact(s);
	mode = attr(s, "flow.sampling.mode");
	assert_true(mode && mode->value.string.len == 6 &&
		    !memcmp(mode->value.string.ptr, "packet", 6));
	assert_int(s, "flow.sampling.interval", 10);
	assert_int(s, "flow.sampled.packets", 12);
	assert_int(s, "flow.sampled.bytes", (int64_t)t.f.totals[0].bytes);
	assert_int(s, "flow.packets.estimated", 120);
	assert_int(s, "flow.bytes.estimated", 10 * (int64_t)t.f.totals[0].bytes);
	assert_error(s, "flow.estimate.error", 1.96 / sqrt(12));
	assert_int(s, "flow.reverse.sampled.packets", 10);
	assert_int(s, "flow.reverse.sampled.bytes", (int64_t)t.f.totals[1].bytes);
	assert_int(s, "flow.reverse.packets.estimated", 100);
	assert_int(s, "flow.reverse.bytes.estimated", 10 * (int64_t)t.f.totals[1].bytes);
	assert_error(s, "flow.reverse.estimate.error", 1.96 / sqrt(10));
	flow_otlp_line(s, line, sizeof(line));
	assert_non_null(strstr(line, "~120 pkts"));
	assert_non_null(strstr(line, "~100 pkts"));
	flow_otlp_destroy(t.o);
}

static void test_flow_packets_span_of_an_interval_says_what_is_new(void **state)
{
	const struct otlp_span *s;
	struct told t;

	(void)state;
	told_begin(&t);
	flow_otlp_span(t.o, &t.f, &t.r, "eth0");
	t.r.kind = FLOW_REPORT_INTERVAL;
	t.r.reason = FLOW_ACTIVE_TIMEOUT;
	t.r.is_final = false;
	t.f.reported[0] = (struct flow_counts){8, 800};
	t.f.totals[0].bytes = 1200;
	t.estimate[0].bytes = 12000;
	t.before[0] = (struct flow_estimate){80, 8000, 10};
	t.f.reported[1] = (struct flow_counts){t.f.totals[1].pkts, t.f.totals[1].bytes};
	t.before[1] = t.estimate[1];
	s = flow_otlp_span(t.o, &t.f, &t.r, "eth0");
	assert_nothing_exact(s);
	assert_int(s, "flow.sampled.packets.delta", 4);
	assert_int(s, "flow.sampled.bytes.delta", 400);
	assert_int(s, "flow.packets.estimated.delta", 40);
	assert_int(s, "flow.bytes.estimated.delta", 4000);
	assert_error(s, "flow.estimate.error", 1.96 / sqrt(4));
	assert_null(attr(s, "flow.sampled.packets"));
	assert_null(attr(s, "flow.packets.estimated"));
	/* no sample that way since the last report: nothing is said */
	assert_null(attr(s, "flow.reverse.sampled.packets.delta"));
	assert_null(attr(s, "flow.reverse.estimate.error"));
	flow_otlp_destroy(t.o);
}

static void test_flow_packets_error_is_that_of_the_coarsest_rate(void **state)
{
	struct told t;

	(void)state;
	told_begin(&t);
	/* 990 at 1/1 and 10 at 1/1000: the thousand samples know little */
	t.f.totals[0].pkts = 1000;
	t.estimate[0] = (struct flow_estimate){990 + 10 * 1000, 1, 1000};
	assert_true(flow_sampled(&t.f, &t.r, 0).error > 1.96 * sqrt(10 * 1e6) / 10990);
	assert_true(flow_sampled(&t.f, &t.r, 0).error < 1.1 * 1.96 * sqrt(10 * 1e6) / 10990);
	t.estimate[0] = (struct flow_estimate){1000, 1, 1};
	assert_true(flow_sampled(&t.f, &t.r, 0).error == 0);
	flow_otlp_destroy(t.o);
}

static void test_flow_packets_unseen_is_not_absent(void **state)
{
	const struct otlp_span *s;
	struct told t;

	(void)state;
	told_begin(&t);
	t.f.totals[1] = (struct flow_totals){};
	t.estimate[1] = (struct flow_estimate){};
	t.f.totals[0].flags = SYN; /* in flow mode: a SYN without answer */
	s = flow_otlp_span(t.o, &t.f, &t.r, "eth0");
	assert_nothing_exact(s);
	assert_null(attr(s, "flow.reverse.sampled.packets"));
	t.f.totals[1] = (struct flow_totals){.pkts = 1, .bytes = 60, .flags = FLOW_TCP_RST};
	t.estimate[1] = (struct flow_estimate){10, 600, 10};
	t.r.reason = FLOW_END_DETECTED;
	assert_nothing_exact(flow_otlp_span(t.o, &t.f, &t.r, "eth0")); /* refused */
	flow_otlp_destroy(t.o);
}

static void test_flow_packets_handshake_only_of_what_is_whole(void **state)
{
	struct told t;

	(void)state;
	told_begin(&t);
	t.f.handshake = (struct flow_handshake){1, 1000, 2000};
	t.f.tag = 0;
	flow_otlp_span(t.o, &t.f, &t.r, "eth0");
	assert_null(flow_otlp_handshake(t.o, &t.f, &t.r, "eth0"));
	t.estimate[0].max_interval = t.estimate[1].max_interval = 1;
	t.f.tag = 0;
	flow_otlp_span(t.o, &t.f, &t.r, "eth0");
	assert_non_null(flow_otlp_handshake(t.o, &t.f, &t.r, "eth0"));
	flow_otlp_destroy(t.o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_packets_report_has_the_kernels_estimate),
		cmocka_unit_test(test_flow_packets_flow_mode_has_no_estimate),
		cmocka_unit_test(test_flow_packets_without_state_count_by_their_own_n),
		cmocka_unit_test(test_flow_packets_lost_state_counts_by_the_first_n),
		cmocka_unit_test(test_flow_packets_intervals_know_what_was_reported),
		cmocka_unit_test(test_flow_packets_generations_do_not_share_estimates),
		cmocka_unit_test(test_flow_packets_span_says_samples_and_estimates),
		cmocka_unit_test(test_flow_packets_span_of_an_interval_says_what_is_new),
		cmocka_unit_test(test_flow_packets_error_is_that_of_the_coarsest_rate),
		cmocka_unit_test(test_flow_packets_unseen_is_not_absent),
		cmocka_unit_test(test_flow_packets_handshake_only_of_what_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
