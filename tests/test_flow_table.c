/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/flow_sim.h"
#include "user/flow_facts.h"

#define SYN FLOW_TCP_SYN
#define SYNACK (FLOW_TCP_SYN | FLOW_TCP_ACK)
#define ACK FLOW_TCP_ACK
#define DATA (FLOW_TCP_ACK | FLOW_SAW_DATA)
#define FIN (FLOW_TCP_FIN | FLOW_TCP_ACK)
#define RST FLOW_TCP_RST
#define UDP (SIM_TUPLES - 1)
#define TICK_NS (50 * SIM_MS)

static const struct flow_table_opts usual = {
	.max_flows = 64,
	.active_timeout_ns = 60 * SIM_S,
	.idle_timeout_ns = 15 * SIM_S,
	.tcp_idle_timeout_ns = 300 * SIM_S,
	.linger_ns = 2 * SIM_S,
};

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

static void assert_report(struct sim *s, unsigned index, enum flow_report_kind kind,
			  enum flow_end_reason reason, uint64_t pkts)
{
	struct sim_report *r = &s->reports[index];

	assert_true(index < s->reports_len);
	assert_int_equal(r->report.kind, kind);
	assert_int_equal(r->report.reason, reason);
	assert_int_equal(r->report.is_final, reason != FLOW_ACTIVE_TIMEOUT);
	assert_int_equal(r->flow.totals[0].pkts + r->flow.totals[1].pkts, pkts);
}

static void test_flow_table_refuses_no_capacity(void **state)
{
	struct flow_table_opts opts = usual;
	struct flow_table_ops ops = {0};
	struct flow_table *t;

	(void)state;
	opts.max_flows = 0;
	assert_int_equal(flow_table_create(&t, &opts, &ops), -EINVAL);
	flow_table_destroy(NULL);
}

static void test_flow_table_survives_each_failing_allocation(void **state)
{
	struct flow_table_ops ops = {0};
	struct flow_table *t = NULL;
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		fail_at = n;
		if (!flow_table_create(&t, &usual, &ops))
			break;
		assert_null(t);
	}
	fail_at = 0;
	assert_int_equal(n, 6);
	flow_table_destroy(t);
}

static void test_flow_table_reports_a_short_flow_once_at_its_idle_timeout(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	uint64_t last;

	(void)state;
	s->now -= 1; /* the packet falls on a tick */
	sim_send(s, UDP, 1, 0, 0, 1);
	last = s->now;
	sim_deliver(s, 1);
	assert_int_equal(flow_table_advance(s->table, last + 15 * SIM_S - 1, SIZE_MAX), 0);
	assert_int_equal(s->reports_len, 0);
	assert_int_equal(flow_table_advance(s->table, last + 15 * SIM_S, SIZE_MAX), 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT, 1);
	assert_int_equal(s->reports[0].report.start_mono_ns, last);
	assert_int_equal(s->reports[0].report.end_mono_ns, last);
	assert_int_equal(s->reports[0].flow.clock_offset_ns, s->offset_ns);
	assert_int_equal(s->reports[0].flow.initiator, 1);
	assert_false(s->reports[0].flow.initiator_known);
	assert_false(s->has_state[UDP]);
	flow_table_finish(s->table);
	assert_int_equal(s->reports_len, 1);
	sim_check_balance(s);
	sim_destroy(s);
}

static void test_flow_table_believes_the_map_not_the_records(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	unsigned i;

	(void)state;
	sim_send(s, UDP, 0, 0, 0, 1);
	sim_deliver(s, 1);
	s->is_mute = true;
	for (i = 0; i < 5; i++) { /* silent for user space, not in truth */
		sim_run(s, 10 * SIM_S);
		sim_send(s, UDP, 0, 0, 0, 1);
		assert_int_equal(s->reports_len, 0);
	}
	sim_run(s, 15 * SIM_S + TICK_NS);
	/* the active timeout fell into it */
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_ACTIVE_TIMEOUT, 6);
	assert_report(s, 1, FLOW_REPORT_END, FLOW_IDLE_TIMEOUT, 6);
	assert_int_equal(s->reports[1].report.end_mono_ns, s->conns[0].last_mono_ns);
	sim_destroy(s);
}

static void send_one(struct sim *s, unsigned tuple)
{
	s->after_peek = NULL;
	sim_send(s, tuple, 0, 0, 0, 3);
}

static void test_flow_table_counts_what_came_between_peek_and_take(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_table_stats st;

	(void)state;
	sim_send(s, UDP, 0, 0, 0, 1);
	sim_deliver(s, 1);
	s->after_peek = send_one;
	sim_run(s, 16 * SIM_S);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT, 4);
	/* its record came when all was over: no new flow */
	assert_int_equal(s->queue_len, 0);
	flow_table_stats(s->table, &st);
	assert_int_equal(st.records_late, 1);
	assert_int_equal(st.flows_begun, 1);
	sim_destroy(s);
}

static void test_flow_table_ends_tcp_after_linger(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	uint64_t last;

	(void)state;
	sim_send(s, 0, 1, SYN, 7, 1);
	sim_send(s, 0, 0, SYNACK, 9, 1);
	sim_send(s, 0, 1, DATA, 0, 5);
	sim_send(s, 0, 1, FIN, 0, 1);
	sim_send(s, 0, 0, FIN, 0, 1);
	last = s->now;
	sim_deliver(s, SIM_QUEUE);
	flow_table_advance(s->table, last + 2 * SIM_S - 1, SIZE_MAX);
	assert_int_equal(s->reports_len, 0);
	flow_table_advance(s->table, last + 2 * SIM_S + TICK_NS, SIZE_MAX);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 9);
	assert_int_equal(s->reports[0].flow.initiator, 1);
	assert_true(s->reports[0].flow.initiator_known);
	sim_destroy(s);
}

static void test_flow_table_ends_an_association_after_linger(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	uint64_t last;

	(void)state;
	s->keys[0].proto = IPPROTO_SCTP;
	sim_send(s, 0, 1, FLOW_SAW_ECHO, 0, 3);
	sim_send(s, 0, 0, 0, 0, 3);
	sim_send(s, 0, 1, FLOW_SAW_END, 0, 1);
	last = s->now;
	sim_deliver(s, SIM_QUEUE);
	flow_table_advance(s->table, last + 2 * SIM_S - 1, SIZE_MAX);
	assert_int_equal(s->reports_len, 0);
	flow_table_advance(s->table, last + 2 * SIM_S + TICK_NS, SIZE_MAX);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 7);
	sim_destroy(s);
}

static void test_flow_table_keeps_established_tcp_longer(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_send(s, 0, 1, SYN, 7, 1); /* never answered */
	sim_send(s, 1, 0, DATA, 0, 1);
	sim_send(s, 1, 1, SYNACK, 5, 1);
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->reports_len, 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT, 1);
	sim_run(s, 279 * SIM_S);
	assert_int_equal(s->reports_len, 2);
	assert_report(s, 1, FLOW_REPORT_ROOT, FLOW_ACTIVE_TIMEOUT, 2);
	sim_run(s, 2 * SIM_S);
	assert_report(s, 2, FLOW_REPORT_END, FLOW_IDLE_TIMEOUT, 2);
	/* the sender of the SYN/ACK answers */
	assert_int_equal(s->reports[2].flow.initiator, 0);
	assert_true(s->reports[2].flow.initiator_known);
	sim_destroy(s);
}

static void test_flow_table_reports_intervals_with_what_is_new(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < 130; i++) {
		sim_send(s, UDP, 0, 0, 0, 1);
		sim_run(s, SIM_S);
	}
	assert_int_equal(s->reports_len, 2);
	assert_int_equal(s->reports[0].report.kind, FLOW_REPORT_ROOT);
	assert_int_equal(s->reports[0].flow.reported[0].pkts, 0);
	assert_int_equal(s->reports[1].report.kind, FLOW_REPORT_INTERVAL);
	assert_int_equal(s->reports[1].report.start_mono_ns, s->reports[0].report.end_mono_ns);
	assert_int_equal(s->reports[1].flow.reported[0].pkts, s->reports[0].flow.totals[0].pkts);
	assert_int_equal(s->reports[1].flow.totals[0].pkts - s->reports[1].flow.reported[0].pkts,
			 60);
	assert_int_equal(s->reports[1].flow.tag, 1); /* kept for the reporter */
	sim_run(s, 20 * SIM_S);
	assert_report(s, 2, FLOW_REPORT_END, FLOW_IDLE_TIMEOUT, 130);
	assert_int_equal(s->reports[2].report.start_mono_ns, s->conns[0].first_mono_ns);
	assert_int_equal(s->reports_len, 3);
	sim_destroy(s);
}

static void test_flow_table_tells_generations_apart(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		sim_send(s, 0, 1, SYN, 100 + i, 1);
		sim_send(s, 0, 0, RST | ACK, 0, 1 + i);
	}
	sim_deliver(s, SIM_QUEUE);
	assert_int_equal(s->reports_len, 2);
	for (i = 0; i < 2; i++) {
		assert_report(s, i, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 2 + i);
		assert_int_equal(s->reports[i].flow.info.generation, i);
		assert_int_equal(s->reports[i].flow.totals[1].isn, 100 + i);
		assert_int_equal(s->reports[i].flow.tag, 0);
	}
	assert_int_equal(s->takes, 0); /* the state is the next one's */
	sim_run(s, 3 * SIM_S);
	assert_report(s, 2, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 4);
	assert_int_equal(s->reports[2].report.start_mono_ns, s->conns[2].first_mono_ns);
	sim_check_balance(s);
	sim_destroy(s);
}

static void test_flow_table_waits_for_the_end_of_a_generation(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_record_last last;

	(void)state;
	sim_send(s, 0, 1, SYN, 1, 1);
	sim_deliver(s, 1);
	s->is_mute = true;
	sim_send(s, 0, 1, RST, 1, 41);
	s->is_mute = false;
	sim_send(s, 0, 1, SYN, 2, 1);
	assert_int_equal(s->queue[0].record.kind, FLOW_RECORD_LAST);
	last = s->queue[0];
	s->queue[0] = s->queue[1]; /* the other CPU was faster */
	s->queue[1] = last;
	sim_deliver(s, 1);
	assert_int_equal(s->reports_len, 0);
	sim_deliver(s, 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 42);
	flow_table_finish(s->table);
	assert_report(s, 1, FLOW_REPORT_ROOT, FLOW_FORCED_END, 1);
	assert_int_equal(s->reports_detailed, 2);
	sim_destroy(s);
}

static void test_flow_table_gives_up_waiting_for_the_end_of_a_generation(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_send(s, 0, 1, SYN, 1, 1);
	sim_send(s, 0, 1, RST, 1, 1);
	sim_deliver(s, 2);
	sim_send(s, 0, 1, SYN, 2, 1);
	s->queue[0] = s->queue[1]; /* the LAST record vanishes */
	s->queue_len = 1;
	sim_run(s, 3 * SIM_S);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 2);
	sim_run(s, 20 * SIM_S);
	assert_report(s, 1, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT, 1);
	assert_int_equal(s->reports[1].flow.info.generation, 1);
	sim_check_balance(s);
	sim_destroy(s);
}

static void test_flow_table_adds_up_flows_without_state(void **state)
{
	struct sim *s = sim_create(&usual, 0, 1);
	struct flow_table_stats st;

	(void)state;
	sim_send(s, 0, 1, SYN, 1, 1);
	sim_send(s, 0, 0, SYNACK, 2, 1);
	sim_send(s, 0, 1, DATA, 0, 7);
	sim_run(s, SIM_S);
	s->states_cap = 1; /* room now: the map counts from zero */
	sim_send(s, 0, 1, DATA, 0, 10);
	sim_send(s, 0, 1, DATA, 0, 10);
	sim_run(s, SIM_S);
	sim_send(s, 0, 1, RST, 0, 1);
	sim_run(s, 3 * SIM_S);
	assert_int_equal(s->reports_len, 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 30);
	assert_true(s->reports[0].flow.is_incomplete);
	assert_int_equal(s->reports[0].flow.totals[1].isn, 1);
	flow_table_stats(s->table, &st);
	assert_int_equal(st.flows_incomplete, 1);
	sim_destroy(s);
}

static void test_flow_table_starts_anew_after_a_reset_without_state(void **state)
{
	struct sim *s = sim_create(&usual, 0, 1);

	(void)state;
	sim_send(s, 0, 1, SYN, 1, 1);
	sim_send(s, 0, 0, RST, 0, 1);
	sim_send(s, 0, 1, SYN, 1, 1); /* sent again: no other connection */
	sim_send(s, 0, 1, SYN, 2, 1);
	sim_deliver(s, SIM_QUEUE);
	assert_int_equal(s->reports_len, 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 3);
	sim_destroy(s);
}

static void test_flow_table_does_not_start_anew_behind_a_state_it_knows(void **state)
{
	struct sim *s = sim_create(&usual, 0, 1);

	(void)state;
	sim_send(s, 0, 1, RST, 0, 1);
	sim_deliver(s, 1);
	s->now += 2 * SIM_S;
	sim_send(s, 0, 1, SYN, 1, 1); /* waits in the ring */
	s->states_cap = 1;
	s->is_mute = true;
	sim_send(s, 0, 1, DATA, 0, 6);
	s->now += TICK_NS;
	flow_table_advance(s->table, s->now, SIZE_MAX); /* finds the state */
	assert_int_equal(s->peeks, 1);
	sim_deliver(s, 1);
	s->is_mute = false;
	sim_send(s, 0, 1, DATA, 0, 1);
	sim_deliver(s, 1);
	flow_table_finish(s->table);
	assert_int_equal(s->reports_len, 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_END_DETECTED, 9);
	sim_destroy(s);
}

static void test_flow_table_lets_the_map_correct_a_record(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_send(s, UDP, 0, 0, 0, 1);
	sim_send(s, UDP, 0, 0, 0, 1);
	s->queue[1].record.totals[0].pkts = 1000; /* copied while another CPU was writing */
	s->queue[1].record.totals[0].bytes = 100000;
	sim_run(s, 20 * SIM_S);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_IDLE_TIMEOUT, 2);
	sim_check_balance(s);
	sim_destroy(s);
}

static void test_flow_table_makes_room_by_ending_the_nearest(void **state)
{
	struct flow_table_opts opts = usual;
	struct flow_table_stats st;
	struct sim *s;

	(void)state;
	opts.max_flows = 2;
	s = sim_create(&opts, 100, 1);
	sim_send(s, UDP, 0, 0, 0, 1);
	sim_run(s, SIM_S);
	sim_send(s, UDP - 1, 0, 0, 0, 1);
	sim_run(s, SIM_S);
	sim_send(s, UDP, 0, 0, 0, 1);
	sim_deliver(s, 1);
	sim_send(s, UDP - 2, 0, 0, 0, 1);
	sim_deliver(s, 1);
	assert_int_equal(s->reports_len, 1);
	assert_report(s, 0, FLOW_REPORT_ROOT, FLOW_LACK_OF_RESOURCES, 1);
	assert_memory_equal(&s->reports[0].flow.key, &s->keys[UDP - 1], sizeof(struct flow_key));
	flow_table_stats(s->table, &st);
	assert_int_equal(st.flows_evicted, 1);
	assert_int_equal(st.flows_held, 2);
	sim_destroy(s);
}

static void test_flow_table_adopts_only_unknown_flows(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_table_stats st;
	unsigned i;

	(void)state;
	sim_send(s, UDP, 0, 0, 0, 5);
	sim_deliver(s, 1);
	sim_send(s, 0, 0, RST, 0, 5);
	s->queue_len = 0; /* lost */
	for (i = 0; i < 2; i++) {
		flow_table_adopt(s->table, sim_hash(UDP), &s->keys[UDP], 5);
		flow_table_adopt(s->table, sim_hash(0), &s->keys[0], 5);
	}
	flow_table_stats(s->table, &st);
	assert_int_equal(st.flows_adopted, 1);
	assert_int_equal(st.flows_begun, 2);
	assert_int_equal(st.pkts_held, 10);
	flow_table_finish(s->table);
	/* read from the map before the flow was ended: it is not another flow */
	flow_table_adopt(s->table, sim_hash(UDP), &s->keys[UDP], 5);
	flow_table_stats(s->table, &st);
	assert_int_equal(st.flows_begun, 2);
	assert_int_equal(s->reports_len, 2);
	for (i = 0; i < 2; i++)
		assert_int_equal(s->reports[i].report.reason, s->reports[i].flow.key.proto == 6
								      ? FLOW_END_DETECTED
								      : FLOW_FORCED_END);
	assert_int_equal(s->states_len, 0);
	sim_check_balance(s);
	sim_destroy(s);
}

static void test_flow_table_handles_no_more_than_its_budget(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++)
		sim_send(s, i, 0, SYN, 1, 1);
	sim_deliver(s, 20);
	s->now += 16 * SIM_S;
	assert_int_equal(flow_table_advance(s->table, s->now, 15), 15);
	assert_int_equal(s->reports_len, 15);
	assert_int_equal(flow_table_advance(s->table, s->now, 15), 5);
	assert_int_equal(s->reports_len, 20);
	sim_destroy(s);
}

static void test_flow_table_names_reasons_as_ipfix_does(void **state)
{
	(void)state;
	assert_string_equal(flow_end_reason_name(FLOW_IDLE_TIMEOUT), "idle timeout");
	assert_string_equal(flow_end_reason_name(FLOW_ACTIVE_TIMEOUT), "active timeout");
	assert_string_equal(flow_end_reason_name(FLOW_END_DETECTED), "end of flow detected");
	assert_string_equal(flow_end_reason_name(FLOW_FORCED_END), "forced end");
	assert_string_equal(flow_end_reason_name(FLOW_LACK_OF_RESOURCES), "lack of resources");
}

/* Each connection on a tuple has its own, also where its SYN ends the one before. */
static void test_flow_table_knows_the_handshake_of_each_generation(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_handshake_times t;
	uint64_t begun[2];
	unsigned n;

	(void)state;
	for (n = 0; n < 2; n++) {
		sim_send(s, 0, 0, SYN, 100 + n, 1);
		begun[n] = s->now;
		s->now += 2000;
		sim_send(s, 0, 1, SYNACK, 200 + n, 1);
		s->now += 3000;
		sim_send(s, 0, 0, ACK, 0, 1);
		sim_send(s, 0, 0, DATA, 0, 1);
		sim_send(s, 0, 1, RST, 0, 1);
		sim_deliver(s, UINT_MAX);
	}
	flow_table_finish(s->table);
	assert_int_equal(s->reports_len, 2);
	for (n = 0; n < 2; n++) {
		assert_true(flow_handshake_times(&s->reports[n].flow, &t));
		assert_int_equal(t.syn_mono_ns, begun[n]);
		assert_in_range(t.synack_mono_ns - t.syn_mono_ns, 2001 - 16, 2001);
		assert_in_range(t.ack_mono_ns - t.synack_mono_ns, 3001 - 16, 3001 + 16);
	}
	sim_check_balance(s);
	sim_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_table_refuses_no_capacity),
		cmocka_unit_test(test_flow_table_survives_each_failing_allocation),
		cmocka_unit_test(test_flow_table_reports_a_short_flow_once_at_its_idle_timeout),
		cmocka_unit_test(test_flow_table_believes_the_map_not_the_records),
		cmocka_unit_test(test_flow_table_counts_what_came_between_peek_and_take),
		cmocka_unit_test(test_flow_table_ends_tcp_after_linger),
		cmocka_unit_test(test_flow_table_ends_an_association_after_linger),
		cmocka_unit_test(test_flow_table_keeps_established_tcp_longer),
		cmocka_unit_test(test_flow_table_reports_intervals_with_what_is_new),
		cmocka_unit_test(test_flow_table_tells_generations_apart),
		cmocka_unit_test(test_flow_table_waits_for_the_end_of_a_generation),
		cmocka_unit_test(test_flow_table_gives_up_waiting_for_the_end_of_a_generation),
		cmocka_unit_test(test_flow_table_adds_up_flows_without_state),
		cmocka_unit_test(test_flow_table_starts_anew_after_a_reset_without_state),
		cmocka_unit_test(test_flow_table_does_not_start_anew_behind_a_state_it_knows),
		cmocka_unit_test(test_flow_table_lets_the_map_correct_a_record),
		cmocka_unit_test(test_flow_table_makes_room_by_ending_the_nearest),
		cmocka_unit_test(test_flow_table_adopts_only_unknown_flows),
		cmocka_unit_test(test_flow_table_handles_no_more_than_its_budget),
		cmocka_unit_test(test_flow_table_names_reasons_as_ipfix_does),
		cmocka_unit_test(test_flow_table_knows_the_handshake_of_each_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
