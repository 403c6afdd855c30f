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

/* The n-th allocation from here on fails; 0: none. */
static unsigned fail_at;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (fail_at && !--fail_at)
		return NULL;
	return __real_calloc(n, size);
}

static void test_flow_metrics_counts_each_class_seen(void **state)
{
	struct world *w = *state;

	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 1514);
	world_count(w->counters, 0, FLOW_TRANSMIT, FLOW_NET_OTHER, FLOW_TRANSPORT_OTHER, 42);
	world_count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV6, FLOW_TRANSPORT_SCTP, 100);
	world_count(w->counters, 1, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_ICMPV6, 90);
	world_dump(w);
	world_assert_has(w,
		   "xdp.packets.total {packet} sum{network.interface.name=eth0,"
		   "network.io.direction=receive,network.type=ipv4,network.transport=tcp} 2\n"
		   "xdp.packets.total {packet} sum{network.interface.name=eth0,"
		   "network.io.direction=transmit,network.type=other,network.transport=other} 1\n"
		   "xdp.packets.total {packet} sum{network.interface.name=wg0,"
		   "network.io.direction=receive,network.type=ipv6,network.transport=icmpv6} 1\n"
		   "xdp.packets.total {packet} sum{network.interface.name=wg0,"
		   "network.io.direction=transmit,network.type=ipv6,network.transport=sctp} 1\n"
		   "xdp.bytes.total By sum{network.interface.name=eth0,"
		   "network.io.direction=receive,network.type=ipv4,network.transport=tcp} 1574\n");
	assert_null(strstr(w->dump.text, "xdp.packets.rate"));
}

static void test_flow_metrics_holds_every_class_at_once(void **state)
{
	struct world *w = *state;
	unsigned i, points = 0;
	const char *p;

	for (i = 0; i < 2 * FLOW_COUNTERS_PER_IF; i++)
		w->counters[i].size[7] = 1;
	world_dump(w);
	for (p = w->dump.text; (p = strstr(p, "xdp.packets.total ")); p++)
		points++;
	assert_int_equal(points, 2 * FLOW_COUNTERS_PER_IF);
}

static void test_flow_metrics_tells_of_those_who_fetch(void **state)
{
	struct pull_stats stats = {.answers = {[PULL_200] = 5, [PULL_503] = 2}};
	struct world *w = *state;

	world_dump(w);
	assert_null(strstr(w->dump.text, "ringspan.pull"));
	w->snapshot.pull = &stats;
	world_dump(w);
	world_assert_has(w, "ringspan.pull.requests {request} sum{http.response.status_code=200} 5\n");
	world_assert_has(w, "ringspan.pull.requests {request} sum{http.response.status_code=503} 2\n");
	world_assert_has(w, "ringspan.pull.requests {request} sum{http.response.status_code=431} 0\n");
}

static void test_flow_metrics_rate_is_over_the_last_interval(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 30; i++)
		world_count(i < 10 ? w->previous : w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV4,
		      i % FLOW_TRANSPORT_MAX, 60);
	for (i = 0; i < 10; i++)
		world_count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV4, 0, 60);
	w->snapshot.previous = w->previous;
	w->snapshot.elapsed_ns = 8000000000;
	world_dump(w);
	world_assert_has(w, "xdp.packets.rate {packet}/s gauge{network.interface.name=wg0,"
		      "network.io.direction=transmit} 2.5\n");
	world_assert_has(w, "xdp.packets.rate {packet}/s gauge{network.interface.name=eth0,"
		      "network.io.direction=receive} 0\n");
}

static void test_flow_metrics_size_falls_into_the_bucket_of_the_specification(void **state)
{
	static const struct {
		uint32_t bytes;
		int bucket;
	} known[] = {{1, -1}, {2, 0},  {3, 1},	   {4, 1},     {5, 2},
		     {64, 5}, {65, 6}, {1500, 10}, {9000, 13}, {65536, 15}};
	struct world *w = *state;
	char line[128];
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
		memset(w->counters, 0, sizeof(w->counters));
		world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, 0, known[i].bytes);
		world_dump(*state);
		snprintf(line, sizeof(line),
			 "direction=receive} scale 0 count 1 sum %u offset %d buckets 1\n",
			 known[i].bytes, known[i].bucket);
		world_assert_has(*state, line);
	}
}

static void test_flow_metrics_size_has_a_histogram_for_each_direction(void **state)
{
	struct world *w = *state;

	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, 1500);
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, 1400);
	world_count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV6, FLOW_TRANSPORT_UDP, 300);
	world_dump(w);
	world_assert_has(w,
		   "xdp.packet.size By histogram{network.interface.name=eth0,"
		   "network.io.direction=receive} scale 0 count 3 sum 2960 offset 5 buckets "
		   "1 0 0 0 0 2\n"
		   "xdp.packet.size By histogram{network.interface.name=wg0,"
		   "network.io.direction=transmit} scale 0 count 1 sum 300 offset 8 buckets 1\n");
}

static void test_flow_metrics_duration_falls_into_the_bucket_of_the_specification(void **state)
{
	struct flow_cost costs[2 * FLOW_HOOK_MAX] = {};
	struct world *w = *state;
	unsigned slot;
	char line[128];

	world_dump(w);
	assert_null(strstr(w->dump.text, "ringspan.packet.duration"));
	w->snapshot.costs = costs;
	world_dump(w);
	assert_null(strstr(w->dump.text, "ringspan.packet.duration"));
	for (slot = 0; slot < FLOW_COST_SLOTS; slot++) {
		memset(costs, 0, sizeof(costs));
		costs[0].slot[slot] = 2;
		costs[0].sum_ns = 1000 + slot;
		world_dump(w);
		snprintf(line, sizeof(line),
			 "direction=receive} scale 0 count 2 sum %g offset %d buckets 2\n",
			 (double)costs[0].sum_ns / 1e9, (int)slot - 1 - 30);
		world_assert_has(w, line);
	}
}

static void test_flow_metrics_duration_has_a_histogram_for_each_link_and_direction(void **state)
{
	struct flow_cost costs[2 * FLOW_HOOK_MAX] = {
		[1] = {.sum_ns = 350, .slot = {[6] = 1, [8] = 2}},
		[2] = {.sum_ns = 1, .slot = {[0] = 1}},
	};
	struct world *w = *state;

	w->snapshot.costs = costs;
	world_dump(w);
	world_assert_has(w,
		   "ringspan.packet.duration s histogram{network.interface.name=eth0,"
		   "network.io.direction=transmit} scale 0 count 3 sum 3.5e-07 offset -25 buckets 1 0 2\n"
		   "ringspan.packet.duration s histogram{network.interface.name=wg0,"
		   "network.io.direction=receive} scale 0 count 1 sum 1e-09 offset -31 buckets 1\n");
}

static void test_flow_metrics_tells_all_flags_where_tcp_was_seen(void **state)
{
	struct world *w = *state;
	struct flow_counter *c;
	const char *p;
	unsigned points = 0;

	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_TCP, 60);
	world_count(w->counters, 0, FLOW_TRANSMIT, FLOW_NET_IPV4, FLOW_TRANSPORT_UDP, 60);
	world_count(w->counters, 1, FLOW_TRANSMIT, FLOW_NET_IPV6, FLOW_TRANSPORT_TCP, 60);
	c = &w->counters[flow_counter_index(0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP)];
	c->segments[FLOW_SEGMENT_SYN] = 20000;
	c->segments[FLOW_SEGMENT_FIN] = 3;
	c = &w->counters[flow_counter_index(0, FLOW_RECEIVE, FLOW_NET_IPV6, FLOW_TRANSPORT_TCP)];
	c->segments[FLOW_SEGMENT_SYN] = 1;
	c->segments[FLOW_SEGMENT_SYN_ACK] = 7;
	c->segments[FLOW_SEGMENT_RST] = 5;
	world_dump(w);
	world_assert_has(w,
			 "xdp.tcp.segments {segment} sum{network.interface.name=eth0,"
			 "network.io.direction=receive,tcp.flag=syn} 20001\n"
			 "xdp.tcp.segments {segment} sum{network.interface.name=eth0,"
			 "network.io.direction=receive,tcp.flag=syn_ack} 7\n"
			 "xdp.tcp.segments {segment} sum{network.interface.name=eth0,"
			 "network.io.direction=receive,tcp.flag=fin} 3\n"
			 "xdp.tcp.segments {segment} sum{network.interface.name=eth0,"
			 "network.io.direction=receive,tcp.flag=rst} 5\n"
			 "xdp.tcp.segments {segment} sum{network.interface.name=wg0,"
			 "network.io.direction=transmit,tcp.flag=syn} 0\n");
	for (p = w->dump.text; (p = strstr(p, "xdp.tcp.segments ")); p++)
		points++;
	assert_int_equal(points, 2 * FLOW_SEGMENT_MAX);
}

static void test_flow_metrics_names_all_losses_even_when_there_are_none(void **state)
{
	static const char *const reasons[] = {
		"flow_state,reason=map_full",	     "flow_state,reason=no_memory",
		"flow_state,reason=busy",	     "flow_state,reason=other",
		"kept_packets,reason=no_record",     "generations,reason=ring_full",
		"records,reason=ring_full",	     "records,reason=strangers",
		"spans,reason=unencodable",	     "spans,reason=unsent",
		"spans_otlp,reason=rejected",	     "spans_otlp,reason=queue_full",
		"spans_otlp,reason=refused",	     "spans_otlp,reason=retry_budget",
		"spans_otlp,reason=shutdown",	     "metric_points,reason=shutdown",
		"spans_otlp,reason=damaged",	     "log_records,reason=too_large",
		"metrics,reason=unencodable",	     "logs,reason=unsent",
	};
	struct world *w = *state;
	char line[128];
	size_t i;

	world_destination(w, 0, "a", 1);
	world_dump(w);
	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		snprintf(line, sizeof(line), "ringspan.losses {item} sum{stage=%s} 0\n",
			 reasons[i]);
		world_assert_has(w, line);
	}
}

static void test_flow_metrics_tells_the_ledger(void **state)
{
	struct world *w = *state;
	struct ledger *l = &w->ledger;

	l->pkts_seen = 24;
	l->pkts_kept = 5;
	l->pkts_not_kept = 3;
	l->pkts_no_flow = 2;
	l->pkts_filtered = 14;
	l->records_submitted = 9;
	l->records_held = 1;
	l->records_lost = 4;
	l->kern.stat[FLOW_STAT_STATE_FULL] = 6;
	l->flows_begun = 8;
	l->flows_held = 7;
	l->spans_made = 11;
	l->signal[0][OTLP_TRACES].exported = 12;
	l->signal[0][OTLP_METRICS].dropped[OTLP_DROP_REFUSED] = 13;
	l->signal[0][OTLP_LOGS].queued = 14;
	l->connects = 16;
	l->signal[0][OTLP_TRACES].retries = 17;
	l->signal[0][OTLP_TRACES].queued_volatile = 18;
	l->signal[0][OTLP_METRICS].sent_bytes = 19;
	world_destination(w, 0, "a", 1);
	l->clock_steps = 15;
	w->snapshot.sample_changes = 3;
	world_dump(w);
	assert_null(strstr(w->dump.text, "ringspan.sampling.budget.used"));
	world_assert_has(w, "ringspan.packets {packet} sum{stage=seen} 24\n"
		      "ringspan.packets {packet} sum{stage=kept} 5\n"
		      "ringspan.packets {packet} sum{stage=not_kept} 3\n"
		      "ringspan.packets {packet} sum{stage=no_flow} 2\n"
		      "ringspan.packets {packet} sum{stage=filtered} 14\n");
	world_assert_has(w, "ringspan.records {record} sum{stage=submitted} 9\n");
	world_assert_has(w, "ringspan.records.held {record} gauge{} 1\n");
	world_assert_has(w, "ringspan.losses {item} sum{stage=records,reason=ring_full} 4\n");
	world_assert_has(w, "ringspan.losses {item} sum{stage=flow_state,reason=map_full} 6\n");
	world_assert_has(w, "ringspan.losses {item} sum{stage=metric_points,reason=refused} 13\n");
	world_assert_has(w, "ringspan.flows {flow} sum{stage=begun} 8\n");
	world_assert_has(w, "ringspan.flows.held {flow} gauge{} 7\n");
	world_assert_has(w, "ringspan.spans {span} sum{stage=made} 11\n");
	world_assert_has(w, "ringspan.spans {span} sum{stage=exported} 12\n");
	world_assert_has(w, "ringspan.queue.items {item} gauge{signal=logs} 14\n");
	world_assert_has(w, "ringspan.queue.bytes By gauge{signal=traces} 0\n");
	world_assert_has(w, "ringspan.queue.capacity By gauge{signal=logs} 9000\n");
	world_assert_has(w, "ringspan.queue.volatile {item} gauge{signal=traces} 18\n");
	world_assert_has(w, "ringspan.export.retries {attempt} sum{signal=traces} 17\n");
	world_assert_has(w, "ringspan.export.sent By sum{signal=metrics} 19\n");
	world_assert_has(w, "ringspan.export.connects {connection} sum{} 16\n");
	world_assert_has(w, "ringspan.ring.pressure 1 gauge{} 0.25\n");
	world_assert_has(w, "ringspan.sampling.interval {flow} gauge{} 100\n");
	world_assert_has(w, "ringspan.sampling.changes {change} sum{} 3\n");
	world_assert_has(w, "ringspan.process.cpu.time s sum{} 1.5\n");
	world_assert_has(w, "ringspan.process.memory By gauge{} 4096\n");
	world_assert_has(w, "ringspan.clock.steps {step} sum{} 15\n");
}

static void test_flow_metrics_say_what_is_used_of_the_budget(void **state)
{
	static const struct auto_budget budget = {.spans_per_s = 10, .cpu_cores = 1};
	static const double used[AUTO_ITEMS] = {0.5, 0.25, 2, 0};
	struct world *w = *state;

	w->snapshot.budget = &budget;
	w->snapshot.budget_used = used;
	world_dump(w);
	world_assert_has(w, "ringspan.sampling.budget.used 1 gauge{ringspan.budget=spans} 0.5\n"
			    "ringspan.sampling.budget.used 1 gauge{ringspan.budget=cpu} 2\n");
	assert_null(strstr(w->dump.text, "ringspan.budget=records")); /* not limited */
}

/* ---- exemplars ---- */

static void exemplar(struct world *w, unsigned hook, unsigned transport, uint8_t id, uint64_t end,
		     uint64_t pkts, uint64_t bytes)
{
	w->exemplars[flow_counter_index(0, hook, FLOW_NET_IPV4, transport)] = (struct exemplar){
		.end_mono_ns = end, .time_unix_ns = 1000 + end, .pkts = pkts, .bytes = bytes,
		.trace_id = {id}, .span_id = {id + 1}};
	w->snapshot.exemplars = w->exemplars;
}

static void test_flow_metrics_points_name_a_span(void **state)
{
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < 3; i++)
		world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 100);
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_UDP, 60);
	world_count(w->counters, 0, FLOW_TRANSMIT, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 100);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 500, 2, 190);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_UDP, 0xc0, 499, 1, 60);
	exemplar(w, FLOW_TRANSMIT, FLOW_TRANSPORT_UDP, 0xe0, 501, 1, 60); /* no such point */
	world_dump(w);
	world_assert_has(w, "direction=receive,network.type=ipv4,network.transport=tcp} 3 exemplar 2 at "
		      "1500 of a0-a1\n");
	world_assert_has(w, "direction=receive,network.type=ipv4,network.transport=tcp} 300 exemplar 190 "
		      "at 1500 of a0-a1\n");
	world_assert_has(w, "direction=receive,network.type=ipv4,network.transport=udp} 60 exemplar 60 "
		      "at 1499 of c0-c1\n");
	world_assert_has(w, "direction=transmit,network.type=ipv4,network.transport=tcp} 100\n");
	/* the newest of the direction, its mean size */
	world_assert_has(w, "count 4 sum 360 offset 5 buckets 1 3 exemplar 95 at 1500 of a0-a1\n");
}

static void test_flow_metrics_size_exemplar_was_counted(void **state)
{
	struct world *w = *state;

	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 1500);
	/* no packet had this size: the next newest, or none */
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 500, 2, 1560);
	world_dump(w);
	world_assert_has(w, "buckets 1 0 0 0 0 1\n");
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_UDP, 0xc0, 400, 2, 128);
	world_dump(w);
	world_assert_has(w, "buckets 1 0 0 0 0 1 exemplar 64 at 1400 of c0-c1\n");
}

/* A flow whose endpoint's packets passed in both directions has more of them than either counted. */
static void test_flow_metrics_no_exemplar_is_more_than_was_counted(void **state)
{
	struct world *w = *state;

	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_ICMP, 90);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_ICMP, 0xa0, 500, 2, 180);
	world_dump(w);
	assert_null(strstr(w->dump.text, "exemplar"));
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_ICMP, 0xa0, 500, 1, 91);
	world_dump(w);
	assert_null(strstr(w->dump.text, "exemplar"));
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_ICMP, 0xa0, 500, 1, 90);
	world_dump(w);
	assert_non_null(strstr(w->dump.text, "exemplar"));
}

/* After the wall clock stepped back. */
static void test_flow_metrics_no_exemplar_is_of_the_future(void **state)
{
	struct world *w = *state;

	world_count(w->counters, 0, FLOW_RECEIVE, FLOW_NET_IPV4, FLOW_TRANSPORT_TCP, 60);
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 1001, 1, 60);
	world_dump(w);
	assert_null(strstr(w->dump.text, "exemplar"));
	exemplar(w, FLOW_RECEIVE, FLOW_TRANSPORT_TCP, 0xa0, 1000, 1, 60);
	world_dump(w);
	assert_non_null(strstr(w->dump.text, "exemplar"));
	w->snapshot.exemplars = NULL;
	world_dump(w);
	assert_null(strstr(w->dump.text, "exemplar"));
}

static void test_flow_metrics_stops_at_the_first_error(void **state)
{
	struct world *w = *state;
	int n, all;

	world_dump(w);
	all = w->dump.metrics;
	for (n = 1; n <= all; n++) {
		w->dump = (struct dump){.fail_after = n};
		assert_int_equal(flow_otlp_metrics(w->o, &w->snapshot, world_emit, &w->dump),
				 -ENOSPC);
		assert_int_equal(w->dump.metrics, n);
	}
}

static void test_flow_metrics_survives_each_failing_allocation(void **state)
{
	struct world *w = *state;
	unsigned n;
	int err;

	for (n = 1;; n++) {
		fail_at = n;
		err = flow_otlp_metrics(w->o, &w->snapshot, world_emit, &w->dump);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	fail_at = 0;
	assert_int_equal(n, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow_metrics_counts_each_class_seen, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_holds_every_class_at_once, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_tells_of_those_who_fetch,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_rate_is_over_the_last_interval,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_size_falls_into_the_bucket_of_the_specification, world_setup,
			world_teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_size_has_a_histogram_for_each_direction, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_duration_falls_into_the_bucket_of_the_specification,
			world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_duration_has_a_histogram_for_each_link_and_direction,
			world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_tells_all_flags_where_tcp_was_seen, world_setup,
			world_teardown),
		cmocka_unit_test_setup_teardown(
			test_flow_metrics_names_all_losses_even_when_there_are_none, world_setup,
			world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_tells_the_ledger, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_say_what_is_used_of_the_budget,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_points_name_a_span, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_size_exemplar_was_counted, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_no_exemplar_is_more_than_was_counted,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_no_exemplar_is_of_the_future,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_stops_at_the_first_error, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_flow_metrics_survives_each_failing_allocation,
						world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
