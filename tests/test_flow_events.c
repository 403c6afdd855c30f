/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What happens to flows: on the right one, in order, told once, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/flow_sim.h"
#include "user/flow_events.h"

#define SYN FLOW_TCP_SYN
#define SYNACK (FLOW_TCP_SYN | FLOW_TCP_ACK)
#define ACK FLOW_TCP_ACK
#define DATA (FLOW_TCP_ACK | FLOW_SAW_DATA)
#define RST FLOW_TCP_RST
#define UDP (SIM_TUPLES - 1)

static const struct flow_table_opts usual = {
	.max_flows = 64,
	.active_timeout_ns = 60 * SIM_S,
	.idle_timeout_ns = 15 * SIM_S,
	.tcp_idle_timeout_ns = 300 * SIM_S,
	.linger_ns = 2 * SIM_S,
};

static void send_event(struct sim *s, unsigned tuple, unsigned from, enum flow_event event,
		       uint16_t count)
{
	s->next_event = event;
	s->next_event_count = count;
	sim_send(s, tuple, from, tuple == UDP ? 0 : DATA, 0, 1);
}

static void assert_note(struct sim *s, unsigned index, unsigned report, enum flow_note_kind kind,
			unsigned from, unsigned count)
{
	const struct sim_note *n = &s->notes[index];

	assert_true(index < s->notes_len);
	assert_int_equal(n->report, report);
	assert_int_equal(n->note.kind, kind);
	assert_int_equal(n->note.from, from);
	assert_int_equal(n->note.count, count);
}

static struct flow_event_stats stats(struct sim *s)
{
	struct flow_table_stats st;

	flow_table_stats(s->table, &st);
	return st.events;
}

static void test_flow_events_are_told_once_by_the_next_report(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_send(s, 0, 0, SYN, 7, 1);
	sim_send(s, 0, 1, SYNACK, 8, 1);
	send_event(s, 0, 0, FLOW_EVENT_RETRANSMISSION, 1);
	send_event(s, 0, 1, FLOW_EVENT_OUT_OF_ORDER, 3);
	send_event(s, 1, 0, FLOW_EVENT_CONGESTION, 1); /* another flow */
	sim_run(s, 61 * SIM_S);
	assert_int_equal(s->reports_len, 2);
	assert_int_equal(s->notes_len, 3);
	send_event(s, 0, 1, FLOW_EVENT_ZERO_WINDOW, 2);
	sim_send(s, 0, 1, RST, 0, 1);
	sim_run(s, 10 * SIM_S);
	assert_int_equal(s->reports_len, 3);
	assert_int_equal(s->notes_len, 5);
	assert_note(s, 3, 2, FLOW_NOTE_ZERO_WINDOW, 1, 2);
	assert_note(s, 4, 2, FLOW_NOTE_RESET, 1, 0);
	assert_int_equal(s->notes[4].note.mono_ns, s->reports[2].report.end_mono_ns);
	if (s->reports[0].flow.key.port[0] != s->keys[0].port[0]) {
		assert_note(s, 0, 0, FLOW_NOTE_CONGESTION, 0, 1);
		assert_note(s, 1, 1, FLOW_NOTE_RETRANSMISSION, 0, 1);
		assert_note(s, 2, 1, FLOW_NOTE_OUT_OF_ORDER, 1, 3);
	} else {
		assert_note(s, 0, 0, FLOW_NOTE_RETRANSMISSION, 0, 1);
		assert_note(s, 1, 0, FLOW_NOTE_OUT_OF_ORDER, 1, 3);
		assert_note(s, 2, 1, FLOW_NOTE_CONGESTION, 0, 1);
	}
	assert_int_equal(stats(s).held, 0);
	sim_check_balance(s);
	sim_destroy(s);
}

/* Records of several CPUs swap places; sim_report() sees that the notes do not. */
static void test_flow_events_are_in_order_of_time(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_record_last r;
	unsigned i;

	(void)state;
	sim_send(s, UDP, 0, 0, 0, 1);
	for (i = 1; i <= 4; i++) {
		sim_quote(s, UDP, 0, 3, 1000 * i);
		send_event(s, UDP, 0, FLOW_EVENT_CONGESTION, i);
	}
	for (i = 1; i < 5; i++) { /* all but the first turned round */
		r = s->queue[i];
		s->queue[i] = s->queue[9 - i];
		s->queue[9 - i] = r;
	}
	sim_run(s, 20 * SIM_S);
	assert_int_equal(s->notes_len, 8);
	for (i = 0; i < 4; i++) {
		assert_int_equal(s->notes[2 * i].note.kind, FLOW_NOTE_ICMP);
		assert_int_equal(s->notes[2 * i].note.quote.mtu, 1000 * (i + 1));
		assert_int_equal(s->notes[2 * i].note.quote.type, 3);
		assert_int_equal(s->notes[2 * i].note.quote.reporter[3], 1);
		assert_int_equal(s->notes[2 * i].note.count, 0);
		assert_note(s, 2 * i + 1, 0, FLOW_NOTE_CONGESTION, 0, i + 1);
	}
	sim_destroy(s);
}

/* The same ports again within seconds. */
static void test_flow_events_stay_with_their_connection(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_send(s, 0, 0, SYN, 7, 1);
	sim_quote(s, 0, 0, 3, 0);
	sim_send(s, 0, 1, RST, 0, 1);
	sim_send(s, 0, 0, SYN, 8, 1);
	send_event(s, 0, 0, FLOW_EVENT_RETRANSMISSION, 1);
	sim_quote(s, 0, 0, 11, 0);
	sim_run(s, 30 * SIM_S);
	assert_int_equal(s->reports_len, 2);
	assert_int_equal(s->notes_len, 4);
	assert_note(s, 0, 0, FLOW_NOTE_ICMP, 0, 0);
	assert_note(s, 1, 0, FLOW_NOTE_RESET, 1, 0);
	assert_note(s, 2, 1, FLOW_NOTE_RETRANSMISSION, 0, 1);
	assert_note(s, 3, 1, FLOW_NOTE_ICMP, 0, 0);
	assert_int_equal(s->reports[0].flow.icmp_type, 3);
	assert_int_equal(s->reports[1].flow.icmp_type, 11);
	/* a third one begins, about which no ICMP came */
	sim_send(s, 0, 0, SYN, 9, 1);
	sim_run(s, 30 * SIM_S);
	assert_int_equal(s->reports[2].flow.icmp_type, 0);
	sim_check_balance(s);
	sim_destroy(s);
}

/* What belongs to a generation that is over, or to one that is not known yet, is on neither. */
static void test_flow_events_do_not_land_on_another_generation(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_record_last late, quote, early, last;

	(void)state;
	sim_send(s, 0, 0, SYN, 7, 1);
	send_event(s, 0, 0, FLOW_EVENT_RETRANSMISSION, 1);
	sim_quote(s, 0, 0, 3, 0);
	late = s->queue[1];
	quote = s->queue[2];
	s->queue_len = 1;
	sim_send(s, 0, 1, RST, 0, 1);
	sim_deliver(s, SIM_QUEUE);
	sim_send(s, 0, 0, SYN, 8, 1);
	send_event(s, 0, 0, FLOW_EVENT_ZERO_WINDOW, 1);
	assert_int_equal(s->queue_len, 3); /* LAST, SYN, data */
	last = s->queue[0];
	early = s->queue[2];
	/* the newer one first: its event is lost, and an ICMP error of that time, too */
	s->queue[0] = early;
	s->queue_len = 1;
	sim_quote(s, 0, 0, 3, 0);
	sim_deliver(s, SIM_QUEUE);
	assert_int_equal(stats(s).late, 2);
	/* an ICMP error of before is still about the one that is known */
	s->queue[s->queue_len++] = quote;
	s->queue[s->queue_len++] = last;
	sim_deliver(s, SIM_QUEUE);
	assert_int_equal(s->reports_len, 1);
	assert_int_equal(s->notes_len, 2);
	assert_note(s, 0, 0, FLOW_NOTE_ICMP, 0, 0);
	assert_note(s, 1, 0, FLOW_NOTE_RESET, 1, 0);
	/* and what is of the old one comes too late for it */
	s->queue[s->queue_len++] = late;
	s->queue[s->queue_len++] = quote;
	sim_deliver(s, SIM_QUEUE);
	assert_int_equal(stats(s).late, 4);
	sim_run(s, 30 * SIM_S);
	assert_int_equal(s->reports_len, 2);
	assert_int_equal(s->notes_len, 2);
	sim_check_balance(s);
	sim_destroy(s);
}

/* Without kernel state a record names no generation: the time tells. */
static void test_flow_events_of_before_the_flow_are_late(void **state)
{
	struct sim *s = sim_create(&usual, 0, 1);
	struct flow_record_last late;

	(void)state;
	sim_send(s, 0, 0, SYN, 7, 1);
	send_event(s, 0, 0, FLOW_EVENT_RETRANSMISSION, 1);
	late = s->queue[1];
	s->queue_len = 1;
	sim_send(s, 0, 1, RST, 0, 1);
	sim_send(s, 0, 0, SYN, 8, 1);
	s->queue[s->queue_len++] = late;
	sim_run(s, 30 * SIM_S);
	assert_int_equal(s->reports_len, 2);
	assert_int_equal(s->notes_len, 1);
	assert_note(s, 0, 0, FLOW_NOTE_RESET, 1, 0);
	assert_int_equal(stats(s).late, 1);
	sim_check_balance(s);
	sim_destroy(s);
}

/* One segment may be two of them. */
static void test_flow_events_of_one_segment_are_both_told(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_send(s, 0, 0, SYN, 7, 1);
	s->next_event = FLOW_EVENT_ZERO_WINDOW;
	s->next_event_count = 5;
	sim_send(s, 0, 1, RST, 0, 1);
	sim_run(s, 10 * SIM_S);
	assert_int_equal(s->notes_len, 2);
	assert_note(s, 0, 0, FLOW_NOTE_ZERO_WINDOW, 1, 5);
	assert_note(s, 1, 0, FLOW_NOTE_RESET, 1, 0);
	sim_destroy(s);
}

static void test_flow_events_of_no_flow_are_counted(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);

	(void)state;
	sim_quote(s, UDP, 0, 3, 0);
	sim_deliver(s, 1);
	assert_int_equal(stats(s).no_flow, 1);
	sim_send(s, UDP, 0, 0, 0, 1);
	sim_run(s, 20 * SIM_S);
	sim_quote(s, UDP, 0, 3, 0);
	sim_deliver(s, 1);
	assert_int_equal(stats(s).no_flow, 2);
	assert_int_equal(s->notes_len, 0);
	assert_int_equal(s->reports_len, 1);
	sim_check_balance(s);
	sim_destroy(s);
}

static void test_flow_events_keep_room_for_the_rare_ones(void **state)
{
	struct sim *s = sim_create(&usual, 100, 1);
	unsigned i;

	(void)state;
	sim_send(s, 0, 0, SYN, 7, 1);
	sim_send(s, 0, 1, SYNACK, 7, 1);
	for (i = 1; i <= 100; i++)
		send_event(s, 0, 0, FLOW_EVENT_RETRANSMISSION, i);
	sim_quote(s, 0, 0, 3, 1400);
	for (i = 1; i <= 10; i++)
		sim_send(s, 0, 1, RST, 0, 1);
	assert_int_equal(s->notes_len, 0);
	sim_deliver(s, SIM_QUEUE);
	assert_int_equal(stats(s).held, 16);
	sim_run(s, 10 * SIM_S);
	assert_int_equal(s->notes_len, 16);
	for (i = 0; i < 12; i++) /* the first ones stay */
		assert_note(s, i, 0, FLOW_NOTE_RETRANSMISSION, 0, i + 1);
	assert_note(s, 12, 0, FLOW_NOTE_ICMP, 0, 0);
	assert_note(s, 13, 0, FLOW_NOTE_RESET, 1, 0);
	assert_note(s, 15, 0, FLOW_NOTE_RESET, 1, 0);
	assert_int_equal(s->notes_dropped, 88 + 7);
	assert_int_equal(stats(s).flow_limit, 88 + 7);
	assert_int_equal(stats(s).pool_full, 0);
	sim_check_balance(s);
	sim_destroy(s);
}

/* A tiny table: 1 / 4 + 32 nodes, of which an ICMP error takes two. */
static void test_flow_events_share_a_bounded_pool(void **state)
{
	struct flow_note got[FLOW_NOTES_MAX], icmp = {.kind = FLOW_NOTE_ICMP};
	struct flow_note note = {.kind = FLOW_NOTE_CONGESTION};
	struct flow flows[4] = {0};
	struct flow_events e;
	unsigned round, i;
	uint32_t dropped;

	(void)state;
	assert_int_equal(flow_events_init(&e, 1), 0);
	for (round = 0; round < 1000; round++) {
		for (i = 0; i < 15; i++)
			flow_events_add(&e, &flows[0], &icmp);
		flow_events_add(&e, &flows[1], &note);
		flow_events_add(&e, &flows[1], &icmp); /* one node is left: not enough, */
		flow_events_add(&e, &flows[2], &note); /* but for this one */
		flow_events_add(&e, &flows[3], &note);
		assert_int_equal(e.stats.held, 17);
		assert_int_equal(e.stats.pool_full, 2 * (round + 1));
		assert_int_equal(flow_events_take(&e, &flows[0], got, &dropped), 15);
		assert_int_equal(dropped, 0);
		assert_int_equal(flow_events_take(&e, &flows[1], got, &dropped), 1);
		assert_int_equal(got[0].kind, FLOW_NOTE_CONGESTION);
		assert_int_equal(dropped, 1);
		assert_int_equal(flow_events_take(&e, &flows[1], got, &dropped), 0);
		assert_int_equal(dropped, 0);
		assert_int_equal(flow_events_take(&e, &flows[2], got, &dropped), 1);
		assert_int_equal(flow_events_take(&e, &flows[3], got, &dropped), 0);
		assert_int_equal(dropped, 1);
		assert_int_equal(e.stats.held, 0);
	}
	assert_int_equal(e.stats.reported, 17000);
	flow_events_reset(&e);
}

static void test_flow_events_dropped_do_not_wrap(void **state)
{
	struct flow_note got[FLOW_NOTES_MAX], note = {.kind = FLOW_NOTE_RETRANSMISSION};
	struct flow f = {0};
	struct flow_events e;
	uint32_t dropped;
	unsigned i;

	(void)state;
	assert_int_equal(flow_events_init(&e, 1), 0);
	for (i = 0; i < 70000; i++)
		flow_events_add(&e, &f, &note);
	assert_int_equal(flow_events_take(&e, &f, got, &dropped), FLOW_NOTES_OF_SEGMENTS);
	assert_int_equal(dropped, 65535);
	flow_events_reset(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_events_are_told_once_by_the_next_report),
		cmocka_unit_test(test_flow_events_are_in_order_of_time),
		cmocka_unit_test(test_flow_events_stay_with_their_connection),
		cmocka_unit_test(test_flow_events_do_not_land_on_another_generation),
		cmocka_unit_test(test_flow_events_of_before_the_flow_are_late),
		cmocka_unit_test(test_flow_events_of_one_segment_are_both_told),
		cmocka_unit_test(test_flow_events_of_no_flow_are_counted),
		cmocka_unit_test(test_flow_events_keep_room_for_the_rare_ones),
		cmocka_unit_test(test_flow_events_share_a_bounded_pool),
		cmocka_unit_test(test_flow_events_dropped_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
