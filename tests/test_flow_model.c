/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* flow_table under random packets and all combinations of faults, against the simulated truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/flow_sim.h"

#define SYN FLOW_TCP_SYN
#define SYNACK (FLOW_TCP_SYN | FLOW_TCP_ACK)
#define ACK FLOW_TCP_ACK
#define DATA (FLOW_TCP_ACK | FLOW_SAW_DATA)
#define FIN (FLOW_TCP_FIN | FLOW_TCP_ACK)
#define RST FLOW_TCP_RST

#define BACKWARDS_NS 100000 /* at most; an interrupt may be in between */

static const struct flow_table_opts usual = {
	.max_flows = SIM_TUPLES,
	.active_timeout_ns = 60 * SIM_S,
	.idle_timeout_ns = 15 * SIM_S,
	.tcp_idle_timeout_ns = 300 * SIM_S,
	.linger_ns = 2 * SIM_S,
};

enum {
	LOSSY = 1, /* records get lost */
	SWAPPED = 2, /* records swap places */
	RACING = 4, /* packets come between peek and take */
	MAP_FULL = 8, /* flows without state */
	TABLE_FULL = 16, /* flows are evicted */
	BACKWARDS = 32, /* packets whose clocks were read before those of others were counted */
	ALL_FAULTS = 63,
};

static void send_random(struct sim *s, unsigned tuple, bool may_open)
{
	static const uint32_t kinds[] = {SYN, SYNACK, ACK, DATA, DATA, DATA, FIN, RST};
	uint32_t flags = tuple < SIM_TUPLES - 4 ? kinds[sim_random(s, 8)] : FLOW_SAW_DATA;
	unsigned pkts = flags & (SYN | FLOW_TCP_FIN | RST) ? 1 : 1 + sim_random(s, 3);

	if (flags == SYN && !may_open)
		flags = ACK;
	if (!sim_random(s, 6))
		s->next_event = 1 + sim_random(s, FLOW_EVENT_MAX - 1);
	sim_send(s, tuple, sim_random(s, 2), flags, sim_random(s, 4), pkts);
}

static void race(struct sim *s, unsigned tuple)
{
	if (!sim_random(s, 8))
		send_random(s, tuple, false);
}

static void swap_two(struct sim *s, bool is_lossy)
{
	struct flow_record_last r;
	unsigned i, lasts;

	if (s->queue_len < 2)
		return;
	i = sim_random(s, s->queue_len - 1);
	lasts = (s->queue[i].record.kind == FLOW_RECORD_LAST) +
		(s->queue[i + 1].record.kind == FLOW_RECORD_LAST);
	/* The kernel tells the end of one generation before it begins the next. A generation of
	 * which every other record was lost, overtaken by the next one, is not known to have been.
	 */
	if (lasts > !is_lossy)
		return;
	if (s->was_swapped[i] || s->was_swapped[i + 1]) /* CPUs are not that far apart */
		return;
	r = s->queue[i];
	s->queue[i] = s->queue[i + 1];
	s->queue[i + 1] = r;
	s->was_swapped[i] = s->was_swapped[i + 1] = true;
}

static void adopt_all(struct sim *s)
{
	unsigned i;

	for (i = 0; i < SIM_TUPLES; i++) {
		if (s->has_state[i])
			flow_table_adopt(s->table, sim_hash(i), &s->keys[i], s->offset_ns);
	}
}

static void check_reports(struct sim *s)
{
	uint64_t deltas;
	unsigned i, d;

	for (i = 0; i < s->reports_len; i++) {
		const struct sim_report *r = &s->reports[i];

		assert_int_equal(r->report.kind == FLOW_REPORT_ROOT, !r->flow.reports);
		assert_int_equal(r->report.kind == FLOW_REPORT_INTERVAL,
				 r->flow.reports && !r->report.is_final);
		assert_true(r->report.end_mono_ns >= r->report.start_mono_ns);
		for (d = 0, deltas = 0; d < 2; d++) {
			assert_true(r->flow.totals[d].pkts >= r->flow.reported[d].pkts);
			deltas += r->flow.totals[d].pkts - r->flow.reported[d].pkts;
		}
		assert_true(r->report.is_final || deltas);
	}
}

/* What happened is told of the connection that it happened to: nothing of before its first packet
 * or after the first of the next one. */
static void check_notes(struct sim *s, bool are_quotes_certain, uint64_t tolerance_ns)
{
	unsigned i, c;

	for (i = 0; i < s->notes_len; i++) {
		const struct flow *f = &s->reports[s->notes[i].report].flow;
		const struct flow_note *n = &s->notes[i].note;
		bool is_later = false;

		if (n->kind == FLOW_NOTE_ICMP && !are_quotes_certain)
			continue;
		assert_true(n->mono_ns >= f->info.first_mono_ns);
		for (c = 0; c < s->conns_len; c++) { /* in the order in which they began */
			if (s->keys[s->conns[c].tuple].port[0] != f->key.port[0])
				continue;
			if (is_later)
				assert_true(n->mono_ns < s->conns[c].first_mono_ns + tolerance_ns);
			is_later |= s->conns[c].first_mono_ns == f->info.first_mono_ns;
		}
		assert_true(is_later);
	}
}

/* What each connection truly carried is what its one last report says. */
static void check_connections(struct sim *s, uint64_t tolerance_ns)
{
	unsigned i;

	for (i = 0; i < s->conns_len; i++)
		assert_int_equal(s->conns[i].finals, 1);
	for (i = 0; i < s->reports_len; i++) {
		const struct flow *f = &s->reports[i].flow;
		unsigned c, d;

		if (!s->reports[i].report.is_final)
			continue;
		assert_false(f->is_incomplete);
		for (c = 0; c < s->conns_len; c++) {
			if (s->conns[c].first_mono_ns == f->info.first_mono_ns)
				break;
		}
		assert_true(c < s->conns_len);
		for (d = 0; d < 2; d++) {
			assert_int_equal(f->totals[d].pkts, s->conns[c].pkts[d]);
			assert_int_equal(f->totals[d].bytes, s->conns[c].bytes[d]);
		}
		assert_in_range(s->reports[i].report.end_mono_ns,
				s->conns[c].last_mono_ns - tolerance_ns, s->conns[c].last_mono_ns);
	}
}

static void run_random(unsigned faults, uint32_t seed)
{
	uint64_t tolerance_ns = faults & BACKWARDS ? BACKWARDS_NS : 0;
	struct flow_table_opts opts = usual;
	struct sim *s;
	unsigned step, i;

	opts.active_timeout_ns = 20 * SIM_S;
	opts.tcp_idle_timeout_ns = 30 * SIM_S;
	opts.max_flows = faults & TABLE_FULL ? 5 : SIM_TUPLES;
	s = sim_create(&opts, faults & MAP_FULL ? 8 : 100, seed);
	s->after_peek = faults & RACING ? race : NULL;
	for (step = 0; step < 8000; step++) {
		s->is_mute = (faults & LOSSY) && !sim_random(s, 3);
		s->late_ns =
			faults & BACKWARDS ? sim_random(s, 2) * sim_random(s, BACKWARDS_NS) : 0;
		/* a state taken before its time may leave the end of its last generation in the
		 * ring */
		send_random(s, sim_random(s, SIM_TUPLES), !(faults & TABLE_FULL));
		if (!sim_random(s, 20))
			sim_quote(s, sim_random(s, SIM_TUPLES), sim_random(s, 2), 3, 0);
		if (faults & SWAPPED)
			swap_two(s, faults & LOSSY);
		s->now += sim_random(s, faults & BACKWARDS && sim_random(s, 2) ? BACKWARDS_NS / 4
									       : 80 * SIM_MS);
		if (!sim_random(s, 5))
			sim_deliver(s, sim_random(s, 8));
		if (!sim_random(s, 300)) { /* silence: all is read before long */
			sim_deliver(s, SIM_QUEUE);
			s->now += sim_random(s, 40) * SIM_S;
		}
		if (s->queue_len > 12)
			sim_deliver(s, SIM_QUEUE);
		flow_table_advance(s->table, s->now, 1 + sim_random(s, 6));
		sim_check_balance(s);
	}
	s->after_peek = NULL;
	sim_deliver(s, SIM_QUEUE);
	adopt_all(s);
	flow_table_finish(s->table);
	sim_check_balance(s);
	assert_int_equal(s->states_len, 0);
	for (i = 0; i < SIM_TUPLES; i++)
		assert_int_equal(s->finals[i], s->sent[i]);
	check_reports(s);
	if (!(faults & (MAP_FULL | TABLE_FULL))) {
		check_connections(s, tolerance_ns);
		check_notes(s, !(faults & (LOSSY | SWAPPED | BACKWARDS)), tolerance_ns);
	}
	assert_true(s->notes_len > 500);
	sim_destroy(s);
}

static void test_flow_model_is_exact_whatever_happens(void **state)
{
	unsigned faults;

	(void)state;
	for (faults = 0; faults <= ALL_FAULTS; faults++)
		run_random(faults, 1000 + faults);
}

/* A packet finds the map full; another one of its flow read the clock before, and comes to a map
 * with room: it begins a state that is older than what is known. */
static void test_flow_model_takes_a_state_older_than_a_packet_without_one(void **state)
{
	struct sim *s;
	unsigned way, i;

	(void)state;
	for (way = 0; way < 3; way++) {
		s = sim_create(&usual, 1, 5);
		sim_send(s, 0, 0, DATA, 0, 1);
		sim_send(s, 1, 0, DATA, 0, 1);
		sim_deliver(s, SIM_QUEUE);
		s->states_cap = 2;
		s->now += 1000;
		s->late_ns = BACKWARDS_NS;
		sim_send(s, 1, 1, DATA, 0, 2);
		s->late_ns = 0;
		sim_send(s, 1, 0, DATA, 0, 4);
		if (way == 0)
			s->queue_len = 0; /* the map alone knows */
		sim_deliver(s, SIM_QUEUE);
		if (way < 2)
			sim_run(s, 400 * SIM_S);
		flow_table_finish(s->table);
		sim_check_balance(s);
		for (i = 0; i < 2; i++)
			assert_int_equal(s->finals[i], s->sent[i]);
		assert_int_equal(s->states_len, 0);
		sim_destroy(s);
	}
}

/* No flow is ended early, and none is kept much longer than a tick. */
static void test_flow_model_keeps_its_timeouts(void **state)
{
	const uint64_t tick_ns = 50 * SIM_MS;
	struct sim *s = sim_create(&usual, 100, 77);
	unsigned step, i, idle = 0;

	(void)state;
	for (step = 0; step < 2000; step++) {
		send_random(s, sim_random(s, SIM_TUPLES), true);
		sim_run(s, sim_random(s, 4) ? sim_random(s, SIM_S) : sim_random(s, 20) * SIM_S);
	}
	for (i = 0; i < s->reports_len; i++) {
		const struct sim_report *r = &s->reports[i];
		const struct flow_totals *t = r->flow.totals;
		uint64_t wait = r->at_mono_ns - r->report.end_mono_ns;
		uint64_t patience = r->flow.key.proto == 6 && t[0].pkts && t[1].pkts
					    ? usual.tcp_idle_timeout_ns
					    : usual.idle_timeout_ns;

		if (r->report.reason == FLOW_IDLE_TIMEOUT) {
			assert_in_range(wait, patience, patience + 2 * tick_ns);
			idle++;
		}
	}
	assert_true(idle > 100);
	sim_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_model_is_exact_whatever_happens),
		cmocka_unit_test(test_flow_model_takes_a_state_older_than_a_packet_without_one),
		cmocka_unit_test(test_flow_model_keeps_its_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
