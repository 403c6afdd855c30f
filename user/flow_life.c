/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_life.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "user/flow_facts.h"

/*
 * Why no packet is counted twice or forgotten:
 *
 * A record carries the kernel's totals so far, so records may be lost or swap places: the larger
 * totals are the newer ones. A peek or take is newer than any record and replaces what is known.
 * What a flow reports last is what take() removed from the map, and the next packet of that tuple
 * finds no entry: it begins another flow.
 *
 * A generation's final totals come in its LAST record. Normally it is in the ring before anything
 * of the next one; where two CPUs swap them, whatever is newer waits for it, once, for linger_ns.
 *
 * A flow without kernel state (map full) is the sum of its records. If the kernel has an entry for
 * it later, that one counts from zero: what was known becomes the base that its totals add to. A
 * state is told from another one by the time of its first packet. Two CPUs may come to the map in
 * another order than they read the clock: a record that seems to be of an older state is not
 * believed, but what is in the map is there to be reported, whatever its time.
 */

/* ---- deadlines ---- */

uint64_t flow_patience(const struct flow_table *t, const struct flow *f)
{
	if (flow_is_over(f))
		return t->opts.linger_ns;
	if (f->key.proto == IPPROTO_TCP && f->totals[0].pkts && f->totals[1].pkts)
		return t->opts.tcp_idle_timeout_ns;
	return t->opts.idle_timeout_ns;
}

uint64_t flow_deadline(const struct flow_table *t, const struct flow *f)
{
	uint64_t last = flow_last_mono_ns(f), patience = flow_patience(t, f);

	return last + patience < last ? UINT64_MAX : last + patience;
}

uint64_t flow_due_tick(const struct flow_table *t, const struct flow *f)
{
	uint64_t due = tick_after(flow_deadline(t, f));

	/* one that is over is reported once it is silent, not in between */
	return f->active_tick < due && !flow_is_over(f) ? f->active_tick : due;
}

/* ---- pool, index and wheel together ---- */

void flow_schedule(struct flow_table *t, uint32_t i, uint64_t due_tick)
{
	flow_wheel_remove(&t->wheel, t->flows, i);
	flow_wheel_insert(&t->wheel, t->flows, i, due_tick);
}

void flow_hasten(struct flow_table *t, uint32_t i)
{
	uint64_t due = flow_due_tick(t, &t->flows[i]);

	if (due < flow_wheel_due(&t->wheel, &t->flows[i]))
		flow_schedule(t, i, due);
}

void flow_renew(struct flow_table *t, struct flow *f, const struct flow_info *info)
{
	f->info = *info;
	memset(f->totals, 0, sizeof(f->totals));
	memset(f->reported, 0, sizeof(f->reported));
	memset(&f->handshake, 0, sizeof(f->handshake));
	f->is_incomplete = f->awaits_last = false;
	f->reports = 0;
	f->report_mono_ns = f->tag = f->tag_bits = 0;
	f->events = f->events_len = f->events_dropped = 0;
	f->icmp_type = f->icmp_code = 0;
	f->active_tick = tick_after(info->first_mono_ns) + t->active_ticks;
	t->stats.flows_begun++;
}

void flow_remove(struct flow_table *t, uint32_t i)
{
	struct flow *f = &t->flows[i];

	flow_wheel_remove(&t->wheel, t->flows, i);
	flow_index_remove(&t->index, flow_index_tag(f->hash, f->key.if_slot), i);
	f->next = t->free;
	t->free = i;
}

void flow_mark_incomplete(struct flow_table *t, uint32_t i, uint64_t state_mono_ns, bool has_state)
{
	t->flows[i].is_incomplete = true;
	t->rest[i] = (struct flow_rest){.state_mono_ns = state_mono_ns, .has_state = has_state};
}

void flow_merge(struct flow_table *t, uint32_t i, const struct flow_info *info,
		const struct flow_totals totals[2], bool is_truth)
{
	static const struct flow_counts none[2];
	struct flow *f = &t->flows[i];
	const struct flow_counts *base = f->is_incomplete ? t->rest[i].base : none;
	uint64_t before = flow_pkts(f);
	int d;

	if (!before) /* one that followed another flow knew little but when it began */
		f->info = *info;
	for (d = 0; d < 2; d++) {
		struct flow_totals *to = &f->totals[d];
		const struct flow_totals *from = &totals[d];

		to->pkts = larger(base[d].pkts + from->pkts,
				  is_truth ? f->reported[d].pkts : to->pkts);
		to->bytes = larger(base[d].bytes + from->bytes,
				   is_truth ? f->reported[d].bytes : to->bytes);
		to->last_mono_ns = larger(from->last_mono_ns, to->last_mono_ns);
		if (from->flags & FLOW_SAW_ISN)
			to->isn = from->isn;
		to->flags |= from->flags;
	}
	t->stats.pkts_held += flow_pkts(f) - before;
}

uint64_t flow_state_known(const struct flow_table *t, uint32_t i)
{
	return t->flows[i].is_incomplete ? t->rest[i].state_mono_ns
					 : t->flows[i].info.first_mono_ns;
}

void flow_await_last(struct flow_table *t, uint32_t i, uint64_t now_mono_ns)
{
	t->flows[i].awaits_last = true;
	flow_schedule(t, i, tick_after(now_mono_ns + t->opts.linger_ns));
}

/* ---- packet mode ---- */

void flow_estimate_add(struct flow_estimate *e, uint64_t pkts, uint64_t bytes, uint64_t interval)
{
	if (!pkts)
		return;
	e->pkts += pkts * interval;
	e->bytes += bytes * interval;
	e->max_interval = larger(e->max_interval, interval);
}

/* What the samples of one direction stand for. Where the kernel's sum is out of reach, and that is
 * after a loss only, they are taken at the rate that the flow began with. */
static struct flow_estimate flow_estimate(const struct flow_table *t, uint32_t i, int d)
{
	static const struct flow_rest none;
	const struct flow *f = &t->flows[i];
	const struct flow_rest *rest = f->is_incomplete ? &t->rest[i] : &none;
	struct flow_estimate e = rest->estimate[d];

	if (t->has_detail) {
		const struct flow_estimate *more = &t->detail[d].estimate;

		e.pkts += more->pkts;
		e.bytes += more->bytes;
		e.max_interval = larger(e.max_interval, more->max_interval);
	} else {
		flow_estimate_add(&e, f->totals[d].pkts - rest->base[d].pkts,
				  f->totals[d].bytes - rest->base[d].bytes, f->info.interval);
	}
	if (f->reports) { /* what was reported is never taken back */
		e.pkts = larger(e.pkts, t->estimated[i][d].pkts);
		e.bytes = larger(e.bytes, t->estimated[i][d].bytes);
	}
	return e;
}

/* ---- totals of this state or another ---- */

/* Totals of another state than the known one add to what was known. */
static void flow_change_state(struct flow_table *t, uint32_t i, const struct flow_info *info)
{
	struct flow *f = &t->flows[i];
	struct flow_estimate estimate[2] = {};
	int d;

	for (d = 0; d < 2 && t->opts.by_packets; d++)
		estimate[d] = flow_estimate(t, i, d);
	flow_mark_incomplete(t, i, info->first_mono_ns, true);
	memcpy(t->rest[i].estimate, estimate, sizeof(estimate));
	for (d = 0; d < 2; d++)
		t->rest[i].base[d] = (struct flow_counts){f->totals[d].pkts, f->totals[d].bytes};
	f->info.generation = info->generation;
}

bool flow_accepts(struct flow_table *t, uint32_t i, const struct flow_info *info)
{
	struct flow *f = &t->flows[i];
	uint64_t known = flow_state_known(t, i);

	if (info->first_mono_ns < known)
		return false;
	if (info->first_mono_ns == known || info->generation > f->info.generation)
		return info->generation >= f->info.generation;
	flow_change_state(t, i, info);
	return true;
}

bool flow_accepts_truth(struct flow_table *t, uint32_t i, const struct flow_info *info)
{
	if (info->first_mono_ns >= flow_state_known(t, i))
		return flow_accepts(t, i, info);
	if (info->generation <= t->flows[i].info.generation)
		flow_change_state(t, i, info);
	return true;
}

/* ---- reports ---- */

void flow_know_detail(struct flow_table *t, const union flow_detail *dir0,
		      const union flow_detail *dir1)
{
	t->detail[0] = *dir0;
	t->detail[1] = *dir1;
	t->has_detail = true;
}

void flow_report(struct flow_table *t, uint32_t i, enum flow_end_reason reason)
{
	struct flow *f = &t->flows[i];
	struct flow_report r = {
		.kind = FLOW_REPORT_ROOT,
		.reason = reason,
		.is_final = reason != FLOW_ACTIVE_TIMEOUT,
		.start_mono_ns = f->info.first_mono_ns,
		.end_mono_ns = flow_last_mono_ns(f),
		.detail = t->has_detail && !t->opts.by_packets ? t->detail : NULL,
	};
	struct flow_note notes[FLOW_NOTES_MAX];
	struct flow_estimate estimate[2], none[2] = {};
	int d;

	if (f->reports && r.is_final) {
		r.kind = FLOW_REPORT_END;
	} else if (f->reports) {
		r.kind = FLOW_REPORT_INTERVAL;
		r.start_mono_ns = f->report_mono_ns;
	}
	flow_find_initiator(f);
	r.notes = notes;
	r.notes_len = flow_events_take(&t->events, f, notes, &r.notes_dropped);
	if (t->opts.by_packets) {
		for (d = 0; d < 2; d++)
			estimate[d] = flow_estimate(t, i, d);
		r.estimate = estimate;
		r.estimate_before = f->reports ? t->estimated[i] : none;
	}
	t->stats.reports++;
	t->ops.report(t->ops.ctx, f, &r);
	if (t->opts.by_packets && !r.is_final)
		memcpy(t->estimated[i], estimate, sizeof(estimate));
	for (d = 0; d < 2; d++)
		f->reported[d] = (struct flow_counts){f->totals[d].pkts, f->totals[d].bytes};
	f->report_mono_ns = r.end_mono_ns;
	f->reports++;
	t->has_detail = false;
}

void flow_end(struct flow_table *t, uint32_t i, enum flow_end_reason reason)
{
	struct flow *f = &t->flows[i];
	uint64_t pkts = flow_pkts(f);

	flow_report(t, i, reason);
	t->stats.flows_ended++;
	t->stats.flows_incomplete += f->is_incomplete;
	t->stats.flows_evicted += reason == FLOW_LACK_OF_RESOURCES;
	t->stats.pkts_ended += pkts;
	t->stats.pkts_held -= pkts;
}

void flow_succeed(struct flow_table *t, uint32_t i, const struct flow_info *info,
		  const struct flow_totals totals[2], bool is_truth)
{
	flow_end(t, i, FLOW_END_DETECTED);
	flow_renew(t, &t->flows[i], info);
	flow_merge(t, i, info, totals, is_truth);
}

void flow_conclude(struct flow_table *t, uint32_t i, enum flow_end_reason reason, bool is_stopping)
{
	struct flow *f = &t->flows[i];
	struct flow_state st;
	int err;

	err = t->ops.take(t->ops.ctx, &f->key, &st);
	if (!err && flow_accepts_truth(t, i, &st.info)) {
		struct flow_totals totals[2] = {st.dir[0].totals, st.dir[1].totals};

		if (st.info.generation == f->info.generation) {
			flow_merge(t, i, &st.info, totals, true);
		} else {
			flow_succeed(t, i, &st.info, totals, true);
			if (!is_stopping) {
				flow_mark_incomplete(t, i, st.info.first_mono_ns, false);
				flow_schedule(t, i, flow_due_tick(t, f));
				return;
			}
		}
		flow_know_detail(t, &st.dir[0].detail, &st.dir[1].detail);
	} else if (err == -ENOENT && !f->is_incomplete) {
		flow_mark_incomplete(t, i, f->info.first_mono_ns, false);
	}
	if (flow_is_over(f) && reason != FLOW_LACK_OF_RESOURCES)
		reason = FLOW_END_DETECTED;
	flow_end(t, i, reason);
	flow_remove(t, i);
}
