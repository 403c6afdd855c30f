/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/flow_sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TICK_NS (50 * SIM_MS)

uint32_t sim_random(struct sim *s, uint32_t below)
{
	s->seed = s->seed * 1664525 + 1013904223;
	return (uint64_t)s->seed * below >> 32;
}

static unsigned tuple_of(const struct flow_key *key)
{
	return ntohs(key->port[0]) - 1000;
}

static int sim_peek(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	struct sim *s = ctx;
	unsigned tuple = tuple_of(key);

	s->peeks++;
	if (!s->has_state[tuple])
		return -ENOENT;
	*ret = s->states[tuple];
	if (s->after_peek)
		s->after_peek(s, tuple);
	return 0;
}

static int sim_take(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	struct sim *s = ctx;
	unsigned tuple = tuple_of(key);

	s->takes++;
	if (!s->has_state[tuple])
		return -ENOENT;
	*ret = s->states[tuple];
	s->has_state[tuple] = false;
	s->states_len--;
	return 0;
}

static void sim_report(void *ctx, struct flow *f, const struct flow_report *r)
{
	struct sim *s = ctx;
	unsigned tuple = tuple_of(&f->key), i;

	assert_true(s->reports_len < SIM_REPORTS);
	assert_true(s->notes_len + r->notes_len <= SIM_NOTES);
	for (i = 0; i < r->notes_len; i++) {
		assert_true(!i || r->notes[i].mono_ns >= r->notes[i - 1].mono_ns);
		s->notes[s->notes_len++] = (struct sim_note){s->reports_len, r->notes[i]};
	}
	s->notes_dropped += r->notes_dropped;
	s->reports[s->reports_len] = (struct sim_report){.flow = *f, .report = *r, .at_mono_ns = s->now};
	for (i = 0; i < 2 && r->estimate; i++) {
		s->reports[s->reports_len].estimate[i] = r->estimate[i];
		s->reports[s->reports_len].before[i] = r->estimate_before[i];
	}
	s->reports_len++;
	f->tag++;
	for (i = 0; i < 2; i++)
		assert_int_equal(f->totals[i].bytes, 100 * f->totals[i].pkts);
	if (!f->is_incomplete && r->detail) {
		assert_int_equal(r->detail[0].estimate.pkts, 10 * f->totals[0].pkts);
		assert_int_equal(r->detail[1].estimate.pkts, 10 * f->totals[1].pkts);
	}
	s->reports_detailed += r->detail != NULL;
	if (!r->is_final)
		return;
	s->finals[tuple] += f->totals[0].pkts + f->totals[1].pkts;
	for (i = 0; i < s->conns_len; i++) {
		struct sim_conn *c = &s->conns[i];

		if (c->tuple == tuple && c->first_mono_ns == f->info.first_mono_ns &&
		    c->generation == f->info.generation)
			c->finals++;
	}
}

struct sim *sim_create(const struct flow_table_opts *opts, unsigned states_cap, uint32_t seed)
{
	struct flow_table_ops ops = {.peek = sim_peek, .take = sim_take, .report = sim_report};
	struct sim *s = calloc(1, sizeof(*s));
	unsigned i;
	int err;

	assert_true(s);
	s->now = 1000 * SIM_S;
	s->offset_ns = 1700000000 * (int64_t)SIM_S;
	s->states_cap = states_cap;
	s->seed = seed;
	for (i = 0; i < SIM_TUPLES; i++) {
		s->keys[i].addr[0][0] = 10;
		s->keys[i].addr[1][0] = 11;
		s->keys[i].port[0] = htons(1000 + i);
		s->keys[i].port[1] = htons(80);
		s->keys[i].proto = i < SIM_TUPLES - 4 ? IPPROTO_TCP : IPPROTO_UDP;
		s->keys[i].family = 4;
	}
	ops.ctx = s;
	err = flow_table_create(&s->table, opts, &ops);
	assert_true(!err);
	return s;
}

void sim_destroy(struct sim *s)
{
	flow_table_destroy(s->table);
	free(s);
}

static void sim_emit(struct sim *s, const struct flow_record *r)
{
	struct flow_record_last *to;

	if (s->is_mute && r->kind == FLOW_RECORD_UPDATE)
		return;
	if (s->queue_len == SIM_QUEUE)
		sim_deliver(s, SIM_QUEUE);
	s->was_swapped[s->queue_len] = false;
	to = &s->queue[s->queue_len++];
	to->record = *r;
	to->detail[0] = s->last_detail[0];
	to->detail[1] = s->last_detail[1];
}

static struct sim_conn *sim_conn_begin(struct sim *s, unsigned tuple, uint32_t generation)
{
	struct sim_conn *c = &s->conns[s->conns_len++];

	assert_true(s->conns_len <= SIM_CONNS);
	c->tuple = tuple;
	c->generation = generation;
	c->first_mono_ns = s->now;
	return c;
}

static struct sim_conn *sim_conn_of(struct sim *s, unsigned tuple)
{
	unsigned i = s->conns_len;

	while (i--) {
		if (s->conns[i].tuple == tuple)
			return &s->conns[i];
	}
	return NULL;
}

static bool sim_is_over(const struct flow_state *st, unsigned from)
{
	uint32_t own = st->dir[from].totals.flags, other = st->dir[!from].totals.flags;

	return ((own | other) & FLOW_TCP_RST) || (own & other & FLOW_TCP_FIN) ||
	       ((own & FLOW_SAW_SYN) && !(own & FLOW_TCP_ACK) && !st->dir[!from].totals.pkts);
}

static void sim_count(struct flow_totals *to, struct sim *s, uint32_t flags, uint32_t isn,
		      unsigned pkts)
{
	to->pkts += pkts;
	to->bytes += 100 * pkts;
	to->last_mono_ns = s->now;
	if ((flags & FLOW_SAW_ISN) && !(to->flags & FLOW_SAW_ISN))
		to->isn = isn;
	to->flags |= flags;
}

static void sim_estimate(struct flow_estimate *e, uint64_t interval, unsigned pkts)
{
	e->pkts += interval * pkts;
	e->bytes += interval * pkts * 100;
	if (e->max_interval < interval)
		e->max_interval = interval;
}

uint64_t sim_hash(unsigned tuple)
{
	return (tuple + 1) * 0x9E3779B97F4A7C15ULL;
}

/* As the programs in kern/ do it, but that every packet is worth a record. */
static void sim_pass(struct sim *s, unsigned tuple, unsigned from, uint32_t flags, uint32_t isn,
		     unsigned pkts)
{
	struct flow_state *st = &s->states[tuple];
	struct flow_totals *own = &st->dir[from].totals;
	struct flow_record r = {.version = FLOW_ABI_VERSION,
				.from = from,
				.mono_ns = s->now,
				.hash = sim_hash(tuple),
				.key = s->keys[tuple],
				.tcp_flags = flags};
	struct sim_conn *c;
	uint8_t event = s->next_event;

	r.event = event;
	r.event_count = s->next_event_count;
	s->next_event = FLOW_EVENT_NONE;
	if (flags & FLOW_TCP_SYN)
		flags |= FLOW_SAW_ISN | (flags & FLOW_TCP_ACK ? FLOW_SAW_SYNACK : FLOW_SAW_SYN);
	s->sent[tuple] += pkts;
	r.info = (struct flow_info){.first_mono_ns = s->now,
				    .first_from = from,
				    .interval = s->interval};
	if (!s->has_state[tuple] && s->states_len == s->states_cap) {
		r.kind = FLOW_RECORD_STATELESS;
		sim_count(&r.totals[from], s, flags, isn, pkts);
		sim_emit(s, &r);
		return;
	}
	if (!s->has_state[tuple]) {
		s->has_state[tuple] = true;
		s->states_len++;
		memset(st, 0, sizeof(*st));
		st->info = r.info;
		sim_conn_begin(s, tuple, 0);
	} else if ((flags & FLOW_SAW_SYN) && !((own->flags & FLOW_SAW_ISN) && own->isn == isn) &&
		   sim_is_over(st, from)) {
		r.kind = FLOW_RECORD_LAST;
		r.info = st->info;
		r.totals[0] = st->dir[0].totals;
		r.totals[1] = st->dir[1].totals;
		r.event = FLOW_EVENT_NONE;
		s->last_detail[0] = st->dir[0].detail;
		s->last_detail[1] = st->dir[1].detail;
		sim_emit(s, &r);
		r.event = event;
		memset(st->dir, 0, sizeof(st->dir));
		st->info.generation++;
		st->info.first_mono_ns = s->now;
		st->info.first_from = from;
		st->info.interval = s->interval;
		sim_conn_begin(s, tuple, st->info.generation);
	}
	sim_count(own, s, flags, isn, pkts);
	sim_estimate(&st->dir[from].detail.estimate, s->interval ? s->interval : 10, pkts);
	c = sim_conn_of(s, tuple);
	c->pkts[from] += pkts;
	c->bytes[from] += 100 * pkts;
	if (c->last_mono_ns < s->now)
		c->last_mono_ns = s->now;
	r.kind = FLOW_RECORD_UPDATE;
	r.info = st->info;
	r.totals[0] = st->dir[0].totals;
	r.totals[1] = st->dir[1].totals;
	sim_emit(s, &r);
}

void sim_send(struct sim *s, unsigned tuple, unsigned from, uint32_t flags, uint32_t isn,
	      unsigned pkts)
{
	uint64_t late_ns = s->late_ns;

	s->now = s->now + 1 - late_ns;
	sim_pass(s, tuple, from, flags, isn, pkts);
	s->now += late_ns;
}

void sim_quote(struct sim *s, unsigned tuple, unsigned from, uint8_t type, uint32_t mtu)
{
	struct flow_record r = {
		.version = FLOW_ABI_VERSION,
		.kind = FLOW_RECORD_QUOTE,
		.from = from,
		.mono_ns = ++s->now,
		.hash = sim_hash(tuple),
		.key = s->keys[tuple],
		.quote = {.reporter = {192, 0, 2, 1}, .type = type, .mtu = mtu},
	};

	sim_emit(s, &r);
}

void sim_deliver(struct sim *s, unsigned len)
{
	const struct flow_record *list[SIM_QUEUE];
	struct flow_record_last copy[SIM_QUEUE];
	unsigned i;

	if (len > s->queue_len)
		len = s->queue_len;
	memcpy(copy, s->queue, len * sizeof(*copy));
	s->queue_len -= len;
	memmove(s->queue, s->queue + len, s->queue_len * sizeof(*copy));
	memmove(s->was_swapped, s->was_swapped + len, s->queue_len * sizeof(bool));
	for (i = 0; i < len; i++) {
		const struct flow_record *r = list[i] = &copy[i].record;

		s->events_sent += (r->event != FLOW_EVENT_NONE) +
				  !!(r->tcp_flags & FLOW_TCP_RST) +
				  (r->kind == FLOW_RECORD_QUOTE);
	}
	flow_table_add(s->table, list, len, s->offset_ns);
}

void sim_run(struct sim *s, uint64_t ns)
{
	uint64_t end = s->now + ns;

	sim_deliver(s, SIM_QUEUE);
	while (s->now < end) {
		s->now = s->now + TICK_NS < end ? s->now + TICK_NS : end;
		flow_table_advance(s->table, s->now, SIZE_MAX);
		sim_deliver(s, SIM_QUEUE);
	}
}

void sim_check_balance(struct sim *s)
{
	struct flow_table_stats st;
	uint64_t finals = 0;
	unsigned i;

	flow_table_stats(s->table, &st);
	for (i = 0; i < SIM_TUPLES; i++)
		finals += s->finals[i];
	assert_true(st.flows_begun == st.flows_ended + st.flows_held);
	assert_true(st.pkts_ended == finals);
	assert_true(st.reports == s->reports_len);
	assert_true(st.events.seen == s->events_sent);
	assert_true(st.events.reported == s->notes_len);
	assert_true(st.events.seen == st.events.reported + st.events.held + st.events.flow_limit +
					      st.events.no_flow + st.events.pool_full +
					      st.events.late);
}
