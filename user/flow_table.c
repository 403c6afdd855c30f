/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_table.h"

#include <errno.h>
#include <stdlib.h>

#include "user/flow_facts.h"
#include "user/flow_life.h"

/*
 * Records come from the ring in batches, and a random flow is a cache miss: each batch is hashed
 * and prefetched first, then accounted.
 *
 * Each flow sits in the timing wheel at, or before, its next deadline. Packets only move a deadline
 * away, which needs no work: when the flow comes out, the deadline is computed again, and if it has
 * passed by what is known, the map is asked.
 *
 * A record may still be under way when its flow was taken out of the map and reported. So one that
 * seems to begin a flow in the middle is only believed if the map has that flow.
 */

#define BATCH 32

static const char *const end_reasons[FLOW_END_REASON_MAX] = {
	[FLOW_IDLE_TIMEOUT] = "idle timeout",		[FLOW_ACTIVE_TIMEOUT] = "active timeout",
	[FLOW_END_DETECTED] = "end of flow detected",	[FLOW_FORCED_END] = "forced end",
	[FLOW_LACK_OF_RESOURCES] = "lack of resources",
};

/* ---- records ---- */

static bool table_is_full(const struct flow_table *t)
{
	return t->stats.flows_begun - t->stats.flows_ended == t->opts.max_flows;
}

#define EVICT_CANDIDATES 16
#define EVICT_STEPS 64

/* The next flow without kernel state, going round the full pool; FLOW_NONE: none among the next
 * few. There are many of them in a full table: it has more room than the kernel's map. */
static uint32_t flow_next_stateless(struct flow_table *t)
{
	uint32_t steps, i;

	for (steps = 0; steps < EVICT_STEPS; steps++) {
		i = t->hand++ % t->used;
		if (t->flows[i].is_incomplete && !t->rest[i].has_state)
			return i;
	}
	return FLOW_NONE;
}

/* Makes room. To take the kernel's state of a flow that is not silent may lose a packet that is
 * being counted on it, so flows without go first; else, of those that the wheel hands out next,
 * the one nearest to its end. */
static void flow_evict(struct flow_table *t)
{
	uint32_t best = table_is_full(t) ? flow_next_stateless(t) : FLOW_NONE, seen = 0, i;
	uint64_t best_ns = UINT64_MAX, tick = t->wheel.tick;

	if (best != FLOW_NONE) {
		/* should the kernel have an entry by now, it stays, and is a flow of its own */
		flow_end(t, best, FLOW_LACK_OF_RESOURCES);
		flow_remove(t, best);
		return;
	}
	while (seen < EVICT_CANDIDATES) {
		i = flow_wheel_peek(&t->wheel, tick, &tick);
		if (i == FLOW_NONE)
			break;
		for (; i != FLOW_NONE && seen < EVICT_CANDIDATES; i = t->flows[i].next, seen++) {
			uint64_t deadline = flow_deadline(t, &t->flows[i]);

			if (best == FLOW_NONE || deadline < best_ns) {
				best = i;
				best_ns = deadline;
			}
		}
		tick++;
	}
	flow_conclude(t, best, FLOW_LACK_OF_RESOURCES, true);
}

static uint32_t flow_begin(struct flow_table *t, const struct flow_key *key, uint64_t hash,
			   const struct flow_info *info, int64_t clock_offset_ns)
{
	struct flow *f;
	uint32_t i;

	if (table_is_full(t) || flow_index_make_room(&t->index))
		flow_evict(t);
	i = t->free;
	if (i != FLOW_NONE)
		t->free = t->flows[i].next;
	else
		i = t->used++;
	f = &t->flows[i];
	f->key = *key;
	f->hash = hash;
	f->clock_offset_ns = clock_offset_ns;
	flow_renew(t, f, info);
	flow_index_insert(&t->index, flow_index_tag(hash, key->if_slot), i);
	/* an empty wheel costs nothing to turn, and far slots would be handed out early */
	if (t->stats.flows_begun - t->stats.flows_ended == 1)
		t->wheel.tick = larger(t->wheel.tick, info->first_mono_ns / FLOW_TICK_NS);
	flow_wheel_insert(&t->wheel, t->flows, i, flow_due_tick(t, f));
	return i;
}

/* Whether the map has the state that a record tells of, or for a LAST the one that follows. */
static bool record_is_in_map(struct flow_table *t, const struct flow_record *r)
{
	struct flow_state st;
	int err;

	err = t->ops.peek(t->ops.ctx, &r->key, &st);
	if (err)
		return err != -ENOENT;
	if (r->kind ==
	    FLOW_RECORD_UPDATE) /* of an older generation the LAST record will tell all */
		return st.info.generation == r->info.generation &&
		       st.info.first_mono_ns == r->info.first_mono_ns;
	if (st.info.generation == r->info.generation + 1)
		return st.info.first_mono_ns == r->mono_ns;
	return st.info.generation > r->info.generation;
}

/* Whether a record of a state that is unknown tells of one that was not reported already. A first
 * packet need not be asked for, unless flows were ended before all their records were read, to make
 * room. */
static bool record_is_news(struct flow_table *t, const struct flow_record *r)
{
	bool is_first = r->totals[0].pkts + r->totals[1].pkts <= 1 && !r->info.generation &&
			!table_is_full(t) && !t->stats.flows_evicted;

	return (r->kind == FLOW_RECORD_UPDATE && is_first) || record_is_in_map(t, r);
}

/* @i: the flow, or FLOW_NONE. */
static bool record_is_usable(struct flow_table *t, uint32_t i, const struct flow_record *r)
{
	if (i == FLOW_NONE)
		return record_is_news(t, r);
	/* a flow without state: the record's may have begun by a clock that was read before */
	if (r->info.first_mono_ns < flow_state_known(t, i) && t->flows[i].is_incomplete &&
	    !t->rest[i].has_state)
		return record_is_in_map(t, r) && flow_accepts_truth(t, i, &r->info);
	if (r->info.first_mono_ns > flow_state_known(t, i) &&
	    r->info.generation <= t->flows[i].info.generation && !record_is_news(t, r))
		return false;
	return flow_accepts(t, i, &r->info);
}

static void record_add_stateless(struct flow_table *t, uint32_t i, const struct flow_record *r,
				 int64_t clock_offset_ns)
{
	struct flow *f = &t->flows[i];
	const struct flow_totals *from = &r->totals[r->from & 1];
	struct flow_counts *base = &t->rest[i].base[r->from & 1];
	struct flow_totals *to = &f->totals[r->from & 1];

	if (flow_is_over(f) && (from->flags & FLOW_SAW_SYN) &&
	    !((to->flags & FLOW_SAW_ISN) && to->isn == from->isn) &&
	    r->mono_ns > flow_state_known(t, i)) {
		flow_end(t, i, FLOW_END_DETECTED);
		flow_renew(t, f, &r->info);
		f->clock_offset_ns = clock_offset_ns;
	}
	if (!f->is_incomplete) /* if it has state, this packet comes on top */
		flow_mark_incomplete(t, i, f->info.first_mono_ns, flow_pkts(f) > 0);
	base->pkts += from->pkts;
	base->bytes += from->bytes;
	if (t->opts.by_packets)
		flow_estimate_add(&t->rest[i].estimate[r->from & 1], from->pkts, from->bytes,
				  r->info.interval);
	to->pkts += from->pkts;
	to->bytes += from->bytes;
	to->last_mono_ns = larger(to->last_mono_ns, from->last_mono_ns);
	if (from->flags & FLOW_SAW_ISN)
		to->isn = from->isn;
	to->flags |= from->flags;
	t->stats.pkts_held += from->pkts;
}

/* The generation is over, its final totals are merged; its SYN begins the next one. */
static void record_end_generation(struct flow_table *t, uint32_t i, const struct flow_record *r,
				  int64_t clock_offset_ns)
{
	const struct flow_record_last *last = (const void *)r;
	struct flow_info next = t->flows[i].info;

	flow_know_detail(t, &last->detail[0], &last->detail[1]);
	flow_end(t, i, FLOW_END_DETECTED);
	next.generation = r->info.generation + 1;
	next.first_mono_ns = r->mono_ns;
	next.first_from = r->from;
	next.first_hook = r->hook;
	flow_renew(t, &t->flows[i], &next);
	t->flows[i].clock_offset_ns = clock_offset_ns;
}

static bool record_has_event(const struct flow_record *r)
{
	return (r->event != FLOW_EVENT_NONE && r->event < FLOW_EVENT_MAX) ||
	       (r->tcp_flags & FLOW_TCP_RST);
}

static void note_on(struct flow_table *t, struct flow *f, const struct flow_note *note)
{
	if (f && note->mono_ns >= f->info.first_mono_ns)
		flow_events_add(&t->events, f, note);
	else
		flow_events_late(&t->events);
}

/* @f NULL: the generation that it happened to is over, or waits for the end of the one before. */
static void record_note(struct flow_table *t, struct flow *f, const struct flow_record *r)
{
	struct flow_note note = {.mono_ns = r->mono_ns, .kind = r->event, .from = r->from & 1};

	if (r->event != FLOW_EVENT_NONE && r->event < FLOW_EVENT_MAX) {
		note.count = r->event_count;
		note_on(t, f, &note);
	}
	if (r->tcp_flags & FLOW_TCP_RST) {
		note.kind = FLOW_NOTE_RESET;
		note.count = 0;
		note_on(t, f, &note);
	}
}

/* An ICMP error, or the context of a request. It does not say which generation it is about: the
 * known one, by the time. If that one has a successor already, only what came before its last packet
 * can be about it. */
static void record_add_note(struct flow_table *t, const struct flow_record *r, uint32_t tag)
{
	uint32_t i = flow_index_find(&t->index, t->flows, tag, &r->key);
	struct flow *f = i == FLOW_NONE ? NULL : &t->flows[i];
	struct flow_note note = {.mono_ns = r->mono_ns, .from = r->from & 1};

	if (r->kind == FLOW_RECORD_QUOTE) {
		note.kind = FLOW_NOTE_ICMP;
		note.quote = r->quote;
	} else {
		note.kind = FLOW_NOTE_LINK;
		note.context = r->context;
	}

	if (f && (r->mono_ns < f->info.first_mono_ns ||
		  (f->awaits_last && r->mono_ns > flow_last_mono_ns(f)))) {
		flow_events_late(&t->events);
		return;
	}
	if (f && note.kind == FLOW_NOTE_ICMP) {
		f->icmp_type = r->quote.type;
		f->icmp_code = r->quote.code;
	}
	flow_events_add(&t->events, f, &note);
}

static void record_add(struct flow_table *t, const struct flow_record *r, uint32_t tag,
		       int64_t clock_offset_ns)
{
	uint32_t i = flow_index_find(&t->index, t->flows, tag, &r->key);
	bool is_stateless = r->kind == FLOW_RECORD_STATELESS;
	struct flow *f;
	uint64_t patience;

	if (!is_stateless && !record_is_usable(t, i, r)) {
		t->stats.records_late++;
		record_note(t, NULL, r);
		return;
	}
	if (i == FLOW_NONE)
		i = flow_begin(t, &r->key, r->hash, &r->info, clock_offset_ns);
	f = &t->flows[i];
	patience = flow_patience(t, f);
	if (is_stateless) {
		record_add_stateless(t, i, r, clock_offset_ns);
	} else if (r->info.generation == f->info.generation) {
		flow_merge(t, i, &r->info, r->totals, false);
	} else if (r->kind == FLOW_RECORD_LAST) {
		flow_succeed(t, i, &r->info, r->totals, false);
	} else {
		flow_await_last(t, i, r->mono_ns);
		record_note(t, NULL, r);
		return;
	}
	if (r->kind == FLOW_RECORD_LAST)
		record_end_generation(t, i, r, clock_offset_ns);
	flow_note_handshake(f, r->from, r->tcp_flags, r->mono_ns);
	if (record_has_event(r))
		record_note(t, f, r);
	if (flow_patience(t, f) < patience)
		flow_hasten(t, i);
}

void flow_table_add(struct flow_table *t, const struct flow_record *const *records, size_t n,
		    int64_t clock_offset_ns)
{
	uint32_t tags[BATCH];
	size_t len, i;

	t->stats.records += n;
	for (; n; records += len, n -= len) {
		len = n < BATCH ? n : BATCH;
		for (i = 0; i < len; i++) {
			tags[i] = flow_index_tag(records[i]->hash, records[i]->key.if_slot);
			flow_index_prefetch(&t->index, tags[i]);
		}
		for (i = 0; i < len; i++)
			flow_index_prefetch_flow(&t->index, t->flows, tags[i]);
		for (i = 0; i < len; i++) {
			if (records[i]->kind == FLOW_RECORD_QUOTE ||
			    records[i]->kind == FLOW_RECORD_PAYLOAD)
				record_add_note(t, records[i], tags[i]);
			else
				record_add(t, records[i], tags[i], clock_offset_ns);
		}
	}
}

void flow_table_adopt(struct flow_table *t, uint64_t hash, const struct flow_key *key,
		      int64_t clock_offset_ns)
{
	uint32_t tag = flow_index_tag(hash, key->if_slot), i;
	struct flow_totals totals[2];
	struct flow_state now;

	/* it may have been known when the map was read, and ended since, to make room for another */
	if (flow_index_find(&t->index, t->flows, tag, key) != FLOW_NONE ||
	    t->ops.peek(t->ops.ctx, key, &now))
		return;
	totals[0] = now.dir[0].totals;
	totals[1] = now.dir[1].totals;
	i = flow_begin(t, key, hash, &now.info, clock_offset_ns);
	flow_merge(t, i, &now.info, totals, true);
	flow_hasten(t, i);
	t->stats.flows_adopted++;
}

/* ---- time ---- */

/* Flow @i came out of the wheel. */
static void flow_check(struct flow_table *t, uint32_t i, uint64_t now_mono_ns)
{
	uint64_t now_tick = now_mono_ns / FLOW_TICK_NS;
	struct flow *f = &t->flows[i];
	struct flow_state st;
	int err;

	if (!f->awaits_last && flow_due_tick(t, f) > now_tick) {
		flow_schedule(t, i, flow_due_tick(t, f));
		return;
	}
	err = t->ops.peek(t->ops.ctx, &f->key, &st);
	if (!err && st.info.generation && !f->awaits_last &&
	    st.info.first_mono_ns != flow_state_known(t, i)) {
		/* the end of the one before must be in the ring */
		flow_await_last(t, i, now_mono_ns);
		return;
	}
	if (!err && flow_accepts_truth(t, i, &st.info)) {
		struct flow_totals totals[2] = {st.dir[0].totals, st.dir[1].totals};

		if (st.info.generation == f->info.generation)
			flow_merge(t, i, &st.info, totals, true);
		else
			flow_succeed(t, i, &st.info, totals, true);
	} else if (err == -ENOENT && !f->is_incomplete) {
		flow_mark_incomplete(t, i, f->info.first_mono_ns, false);
	}
	f->awaits_last = false;
	if (now_mono_ns >= flow_deadline(t, f)) {
		flow_conclude(t, i, FLOW_IDLE_TIMEOUT, false);
		return;
	}
	if (f->active_tick <= now_tick && !flow_is_over(f)) {
		f->active_tick = now_tick + t->active_ticks;
		if (flow_pkts(f) != f->reported[0].pkts + f->reported[1].pkts) {
			if (!err && st.info.first_mono_ns == flow_state_known(t, i))
				flow_know_detail(t, &st.dir[0].detail, &st.dir[1].detail);
			flow_report(t, i, FLOW_ACTIVE_TIMEOUT);
		}
	}
	flow_schedule(t, i, larger(flow_due_tick(t, f), now_tick + 1));
}

size_t flow_table_advance(struct flow_table *t, uint64_t now_mono_ns, size_t budget)
{
	uint64_t tick = now_mono_ns / FLOW_TICK_NS;
	size_t done;
	uint32_t i;

	for (done = 0; done < budget; done++) {
		i = flow_wheel_next(&t->wheel, tick);
		if (i == FLOW_NONE)
			break;
		flow_check(t, i, now_mono_ns);
	}
	return done;
}

void flow_table_finish(struct flow_table *t)
{
	uint64_t tick;
	uint32_t i;

	while ((i = flow_wheel_peek(&t->wheel, t->wheel.tick, &tick)) != FLOW_NONE)
		flow_conclude(t, i, FLOW_FORCED_END, true);
}

/* ---- the object ---- */

int flow_table_create(struct flow_table **ret, const struct flow_table_opts *opts,
		      const struct flow_table_ops *ops)
{
	struct flow_table *t;
	int err = -ENOMEM;

	if (!opts->max_flows || opts->max_flows > UINT32_MAX / 4)
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->opts = *opts;
	t->ops = *ops;
	t->free = FLOW_NONE;
	t->active_ticks = larger(tick_after(opts->active_timeout_ns), 1);
	flow_wheel_init(&t->wheel);
	/* zero pages that nobody touches: memory grows with the flows that live at once */
	t->flows = calloc(opts->max_flows, sizeof(*t->flows));
	t->rest = calloc(opts->max_flows, sizeof(*t->rest));
	if (opts->by_packets)
		t->estimated = calloc(opts->max_flows, sizeof(*t->estimated));
	if (!t->flows || !t->rest || (opts->by_packets && !t->estimated))
		goto fail;
	err = flow_events_init(&t->events, opts->max_flows);
	if (err)
		goto fail;
	err = flow_index_init(&t->index);
	if (err)
		goto fail;
	*ret = t;
	return 0;
fail:
	flow_table_destroy(t);
	return err;
}

void flow_table_destroy(struct flow_table *t)
{
	if (!t)
		return;
	flow_index_reset(&t->index);
	flow_events_reset(&t->events);
	free(t->estimated);
	free(t->rest);
	free(t->flows);
	free(t);
}

void flow_table_stats(const struct flow_table *t, struct flow_table_stats *ret)
{
	*ret = t->stats;
	ret->flows_held = ret->flows_begun - ret->flows_ended;
	ret->events = t->events.stats;
}

void flow_table_each(const struct flow_table *t, flow_table_fn fn, void *ctx)
{
	const struct flow_index *x = &t->index;
	uint32_t at;

	for (at = 0; at <= x->mask; at++) {
		flow_index_prefetch_flow(x, t->flows, at + 8); /* flows are met at random */
		if (x->slots[at].entry)
			fn(ctx, &t->flows[x->slots[at].entry - 1]);
	}
}

const char *flow_end_reason_name(enum flow_end_reason r)
{
	return r < FLOW_END_REASON_MAX ? end_reasons[r] : "unknown";
}
