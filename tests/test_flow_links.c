/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Requests that belong to a trace of their application: from the record to the links of a span. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/flow_samples.h"
#include "tests/flow_sim.h"
#include "user/flow_events.h"
#include "user/flow_facts.h"
#include "user/flow_otlp.h"

#define SECOND 1000000000ULL

static struct flow_context context(uint8_t n)
{
	struct flow_context c = {.flags = n};

	memset(c.trace_id, n, sizeof(c.trace_id));
	memset(c.span_id, 0x80 | n, sizeof(c.span_id));
	return c;
}

static void assert_context(const struct flow_note *note, uint8_t n)
{
	struct flow_context c = context(n);

	assert_int_equal(note->kind, FLOW_NOTE_LINK);
	assert_memory_equal(&note->context, &c, sizeof(c));
}

static void test_flow_links_keep_their_context_and_order(void **state)
{
	struct flow_note got[FLOW_NOTES_MAX], link = {.kind = FLOW_NOTE_LINK, .from = 1};
	struct flow_note icmp = {.kind = FLOW_NOTE_ICMP, .mono_ns = 3, .quote = {.mtu = 1400}};
	struct flow f = {0};
	struct flow_events e;
	uint32_t dropped;

	(void)state;
	assert_int_equal(flow_events_init(&e, 100), 0);
	link.context = context(2);
	link.mono_ns = 2;
	flow_events_add(&e, &f, &link);
	flow_events_add(&e, &f, &icmp);
	link.context = context(1);
	link.mono_ns = 1;
	flow_events_add(&e, &f, &link);
	link.context = context(4);
	link.mono_ns = 4;
	flow_events_add(&e, &f, &link);
	assert_int_equal(flow_events_take(&e, &f, got, &dropped), 4);
	assert_context(&got[0], 1);
	assert_context(&got[1], 2);
	assert_int_equal(got[1].from, 1);
	assert_int_equal(got[2].quote.mtu, 1400);
	assert_context(&got[3], 4);
	assert_int_equal(dropped, 0);
	flow_events_reset(&e);
}

static void test_flow_links_are_bounded_and_leave_room(void **state)
{
	struct flow_note got[FLOW_NOTES_MAX], link = {.kind = FLOW_NOTE_LINK};
	struct flow_note reset = {.kind = FLOW_NOTE_RESET, .mono_ns = 99};
	struct flow f = {0};
	struct flow_events e;
	uint32_t dropped;
	int i;

	(void)state;
	assert_int_equal(flow_events_init(&e, 1000), 0);
	for (i = 0; i < 20; i++)
		flow_events_add(&e, &f, &link);
	flow_events_add(&e, &f, &reset);
	assert_int_equal(flow_events_take(&e, &f, got, &dropped), FLOW_NOTES_OF_SEGMENTS + 1);
	assert_int_equal(got[FLOW_NOTES_OF_SEGMENTS].kind, FLOW_NOTE_RESET);
	assert_int_equal(dropped, 20 - FLOW_NOTES_OF_SEGMENTS);
	assert_int_equal(e.stats.held, 0);
	flow_events_reset(&e);
}

/* As the worker makes it of a PAYLOAD record. */
static void test_flow_links_find_their_flow(void **state)
{
	static const struct flow_table_opts usual = {.max_flows = 100,
						     .active_timeout_ns = 60 * SECOND,
						     .idle_timeout_ns = 10 * SECOND,
						     .tcp_idle_timeout_ns = 10 * SECOND,
						     .linger_ns = 2 * SECOND};
	struct sim *s = sim_create(&usual, 100, 1);
	struct flow_record r = {
		.version = FLOW_ABI_VERSION, .kind = FLOW_RECORD_PAYLOAD, .from = 1};
	const struct flow_record *list = &r;

	(void)state;
	sim_send(s, 3, 1, FLOW_TCP_SYN, 7, 1);
	sim_send(s, 3, 1, FLOW_TCP_ACK, 0, 1);
	sim_deliver(s, 2);
	r.key = s->keys[3];
	r.hash = sim_hash(3);
	r.mono_ns = ++s->now;
	r.context = context(5);
	flow_table_add(s->table, &list, 1, 0);
	s->events_sent++;
	sim_run(s, 60 * SECOND);
	assert_int_equal(s->reports_len, 1);
	assert_int_equal(s->notes_len, 1);
	assert_context(&s->notes[0].note, 5);
	assert_int_equal(s->reports[0].flow.icmp_type, 0);
	sim_check_balance(s);
	sim_destroy(s);
}

static void assert_link(const struct otlp_link *link, uint8_t n)
{
	struct flow_context c = context(n);

	assert_memory_equal(link->trace_id, c.trace_id, sizeof(c.trace_id));
	assert_memory_equal(link->span_id, c.span_id, sizeof(c.span_id));
	assert_int_equal(link->flags, n | OTLP_FLAG_REMOTE_KNOWN | OTLP_FLAG_REMOTE);
}

static void test_flow_links_stand_in_the_span_and_are_no_parents(void **state)
{
	const struct flow_otlp_opts opts = {.active_timeout_ns = SECOND};
	struct flow_note notes[3] = {{.kind = FLOW_NOTE_LINK, .context = context(1)},
				     {.kind = FLOW_NOTE_RESET},
				     {.kind = FLOW_NOTE_LINK, .context = context(2)}};
	struct flow f = sample_http();
	struct flow_report r = {.kind = FLOW_REPORT_ROOT,
				.reason = FLOW_ACTIVE_TIMEOUT,
				.start_mono_ns = f.info.first_mono_ns,
				.end_mono_ns = flow_last_mono_ns(&f),
				.notes = notes,
				.notes_len = 3};
	struct flow_otlp *o;
	const struct otlp_span *s;
	uint8_t first[16];

	(void)state;
	assert_int_equal(flow_otlp_create(&o, &opts), 0);
	flow_find_initiator(&f);
	s = flow_otlp_span(o, &f, &r, "eth0");
	assert_false(s->has_parent);
	assert_int_equal(s->links_len, 2);
	assert_link(&s->links[0], 1);
	assert_link(&s->links[1], 2);
	assert_int_equal(s->events_len, 1);
	memcpy(first, s->trace_id, sizeof(first));
	/* the next epoch: its link to the one before comes first */
	r.kind = FLOW_REPORT_INTERVAL;
	f.report_mono_ns = f.info.first_mono_ns + 256 * SECOND;
	s = flow_otlp_span(o, &f, &r, "eth0");
	assert_false(s->has_parent);
	assert_int_equal(s->links_len, 3);
	assert_memory_equal(s->links[0].trace_id, first, sizeof(first));
	assert_link(&s->links[1], 1);
	assert_link(&s->links[2], 2);
	flow_otlp_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_links_keep_their_context_and_order),
		cmocka_unit_test(test_flow_links_are_bounded_and_leave_room),
		cmocka_unit_test(test_flow_links_find_their_flow),
		cmocka_unit_test(test_flow_links_stand_in_the_span_and_are_no_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
