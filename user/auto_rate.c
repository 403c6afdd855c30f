/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything is reckoned as demand: the N at which the load would use the budget up. Flows that
 * begin, times N, are the same whatever N is, so they tell of a burst in its first second, and are
 * good evidence again one reading after a change. Spans, records and CPU time are not: a flow that
 * is kept stays whole, and its span comes when it has ended, an idle timeout later. So N rises
 * - for flows that begin at once, and by as much as they ask, where a span for each of them (and
 *   what else there is beside, such as its handshake's) would be over the budget;
 * - for what lags, by as much as it asks the first time, then one power at a time, with twice as
 *   long to wait as before while that does not help; and meanwhile as the flows that begin grow;
 * - for lost records at once, and for spans that go on for long only if they do so for a while.
 * The significance of what is counted goes by Poisson's law, so that a small budget is not moved by
 * chance.
 *
 * It falls to what would have been below four fifths of every budget in each second of the hold
 * time. That grows whenever a rise follows a fall, so whatever the load does, N does not swing with
 * it for long. Rings fill all of a sudden: an N at which one did is left alone while there are as
 * many flows, for some minutes.
 *
 * When N falls, flows that were alive before are met in their middle and seem to begin, up to as
 * many as the kept ones tell. They cost no more spans than the others, and are left out.
 */
#include "user/auto_rate.h"

#include <math.h>
#include <string.h>

#define SECOND_NS 1000000000ULL
#define STEP_MIN_NS (SECOND_NS / 5)
#define START_NS (5 * SECOND_NS) /* flows that were there before seem to begin */
#define SURGE_NS (15 * SECOND_NS)
#define FALL_NS (5 * SECOND_NS) /* between two falls */
#define FALL_POWERS 3
#define HOLD_NS (10 * SECOND_NS)
#define HOLD_MAX_NS (270 * SECOND_NS)
#define FLIP_NS (60 * SECOND_NS) /* a rise so soon after a fall: it should not have fallen */
#define CALM_NS (600 * SECOND_NS) /* no such thing for so long: the hold time shrinks */
#define WALL_NS (300 * SECOND_NS)
#define LAG_WAIT_NS (3 * SECOND_NS)
#define LAG_SPANS_WAIT_NS (65 * SECOND_NS)
#define LAG_WAIT_SHIFT 4 /* at most 2^4 times as long */

#define FULL 0.9 /* what a rise aims below */
#define EASY 0.8 /* what a fall must stay below */
#define OVER 1.1 /* for what lags */
#define SPANS_PER_FLOW_MAX 4.0 /* what begins is not the cause of more */
#define RATIO_SECONDS 60.0
#define RATIO_FLOWS_S 5.0 /* of the budget, taken for granted with one span each */
#define FEW_FLOWS 20
#define UNIT_CPU_SECONDS 1e-4 /* a record, flow or span never costs as much */

static double ratio_flows(const struct auto_rate *a)
{
	return fmax(RATIO_FLOWS_S * a->budget.spans_per_s, 1);
}

void auto_rate_init(struct auto_rate *a, const struct auto_budget *b, uint64_t n)
{
	memset(a, 0, sizeof(*a));
	a->budget = *b;
	a->n = n;
	a->spans_recent = a->ended_recent = ratio_flows(a);
	a->hold_ns = HOLD_NS;
	for (unsigned i = 0; i < AUTO_ITEMS; i++)
		a->lag[i].wait_ns = i == AUTO_ITEM_SPANS ? LAG_SPANS_WAIT_NS : LAG_WAIT_NS;
}

/* ---- what was read ---- */

/* The sum of @len samples, the newest @before left out; of the ring the fullest. */
static struct auto_sample newest(const struct auto_rate *a, unsigned len, unsigned before)
{
	struct auto_sample sum = {0};

	for (unsigned i = before; i < before + len && i < a->samples_len; i++) {
		const struct auto_sample *s =
			&a->samples[(a->samples_next + 2 * AUTO_SAMPLES - 1 - i) % AUTO_SAMPLES];

		sum.seconds += s->seconds;
		sum.begun += s->begun;
		sum.spans += s->spans;
		sum.records += s->records;
		sum.cpu_seconds += s->cpu_seconds;
		sum.ring = fmax(sum.ring, s->ring);
	}
	return sum;
}

/* Spans that come of one flow that begins. */
static double spans_per_flow(const struct auto_rate *a)
{
	return fmin(fmax(a->spans_recent / a->ended_recent, 1), SPANS_PER_FLOW_MAX);
}

/* Flows a second that begin, kept or not, in the last @len samples. */
static double flows_per_s(const struct auto_rate *a, unsigned len)
{
	struct auto_sample s = newest(a, len, 0);

	return s.seconds > 0 ? s.begun * (double)a->n / s.seconds : 0;
}

/* The share of an item's budget that the flows kept use. Of the CPU only as much as they can be the
 * cause of: N does not help against the rest. */
static double use_of(const struct auto_rate *a, enum auto_item item, const struct auto_sample *s)
{
	const struct auto_budget *b = &a->budget;
	double cpu = fmin(s->cpu_seconds, (s->begun + s->spans + s->records) * UNIT_CPU_SECONDS);

	if (s->seconds <= 0)
		return 0;
	switch (item) {
	case AUTO_ITEM_SPANS:
		return b->spans_per_s > 0 ? s->spans / s->seconds / b->spans_per_s : 0;
	case AUTO_ITEM_RECORDS:
		return b->records_per_s > 0 ? s->records / s->seconds / b->records_per_s : 0;
	case AUTO_ITEM_CPU:
		return b->cpu_cores > 0 ? cpu / s->seconds / b->cpu_cores : 0;
	case AUTO_ITEM_RING:
		return b->ring_share > 0 ? s->ring / b->ring_share : 0;
	case AUTO_ITEMS:
		break;
	}
	return 0;
}

/* Takes flows that only seem to begin off the account. */
static double without_surge(struct auto_rate *a, uint64_t now_ns, double begun, double seconds)
{
	double expected = a->surge_expected * seconds / (double)a->n, excess;

	if (now_ns >= a->surge_end_ns)
		a->surge = 0;
	excess = fmin(fmax(begun - expected, 0), a->surge);
	a->surge -= excess;
	return begun - excess;
}

/* Returns whether there is a new sample that is worth something. */
static bool take(struct auto_rate *a, uint64_t now_ns, const struct auto_load *load)
{
	double seconds = (double)(now_ns - a->last_ns) / 1e9, keep = exp(-seconds / RATIO_SECONDS);
	struct auto_sample s = {
		.seconds = seconds,
		.spans = (double)(load->spans_made - a->last.spans_made),
		.records = (double)(load->records - a->last.records),
		.cpu_seconds = load->cpu_seconds - a->last.cpu_seconds,
		.ring = load->ring_pressure,
	};
	double ended = (double)(load->flows_ended - a->last.flows_ended);

	s.begun = without_surge(a, now_ns, (double)(load->flows_begun - a->last.flows_begun),
				seconds);
	a->spans_recent = a->spans_recent * keep + s.spans + ratio_flows(a) * (1 - keep);
	a->ended_recent = a->ended_recent * keep + ended + ratio_flows(a) * (1 - keep);
	a->last = *load;
	a->last_ns = now_ns;
	if (now_ns - a->started_ns < START_NS)
		s.begun = 0;
	if (a->is_stale) {
		a->is_stale = false;
		return false;
	}
	a->samples[a->samples_next] = s;
	a->samples_next = (a->samples_next + 1) % AUTO_SAMPLES;
	if (a->samples_len < AUTO_SAMPLES)
		a->samples_len++;
	return true;
}

/* ---- how much is asked for: N that would do, 0 if this one does ---- */

/* By the flows that begin. */
static double begun_demand(const struct auto_rate *a)
{
	/* the shorter the time, the more there must be */
	static const struct {
		unsigned len;
		double over, sigmas;
	} windows[] = {{1, 1.2, 4}, {2, 1.12, 3.5}, {3, 1.08, 3}, {10, 1.04, 3}, {30, 1.02, 3}};
	double allowed = a->budget.spans_per_s / spans_per_flow(a), most = 0;

	if (allowed <= 0)
		return 0;
	for (unsigned i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		struct auto_sample s = newest(a, windows[i].len, 0);
		double room = allowed * s.seconds;

		if (a->samples_len < windows[i].len)
			break;
		if (s.begun > room * windows[i].over + windows[i].sigmas * sqrt(room))
			most = fmax(most, s.begun / room);
	}
	return most * (double)a->n;
}

/* Spans are over the budget in every five of the last twenty seconds. */
static double spans_use_sustained(const struct auto_rate *a)
{
	double least = INFINITY;

	if (a->samples_len < 20)
		return 0;
	for (unsigned before = 0; before < 20; before += 5) {
		struct auto_sample s = newest(a, 5, before);

		least = fmin(least, use_of(a, AUTO_ITEM_SPANS, &s));
	}
	return least;
}

static double lag_use(const struct auto_rate *a, enum auto_item item)
{
	struct auto_sample one = newest(a, 1, 0), before = newest(a, 1, 1), three = newest(a, 3, 0);
	double now = use_of(a, item, &one);

	if (item == AUTO_ITEM_SPANS)
		return spans_use_sustained(a);
	if (item == AUTO_ITEM_RING) /* a moment, so it must be seen twice, or nearly full */
		return one.ring > (1 + a->budget.ring_share) / 2
			       ? now
			       : fmin(now, use_of(a, item, &before));
	if (now > (item == AUTO_ITEM_CPU ? 2 : 1.5))
		return now;
	return a->samples_len < 3 ? 0 : use_of(a, item, &three);
}

static double lag_demand(struct auto_rate *a, enum auto_item item, uint64_t now_ns)
{
	struct auto_lag *lag = &a->lag[item];
	uint64_t base_ns = item == AUTO_ITEM_SPANS ? LAG_SPANS_WAIT_NS : LAG_WAIT_NS;
	double use = lag_use(a, item);
	bool by_much = item != AUTO_ITEM_SPANS && item != AUTO_ITEM_RING && !lag->is_again;

	if (use < 1 && now_ns - lag->risen_ns > base_ns) {
		lag->wait_ns = base_ns;
		lag->is_again = false;
	}
	/* for records and CPU time any rise counts: its effect has to be waited for */
	if (use <= OVER || (a->changed_ns && now_ns - a->changed_ns < lag->wait_ns))
		return 0;
	if (lag->is_again && lag->wait_ns < base_ns << LAG_WAIT_SHIFT)
		lag->wait_ns *= 2;
	lag->is_again = true;
	lag->risen_ns = now_ns;
	return (double)a->n * (by_much ? use : 1.01 * FULL);
}

/* While the last rise is waited for: as many flows more as begin since, so much more is asked for.
 */
static double grown_demand(const struct auto_rate *a, uint64_t now_ns)
{
	double flows = flows_per_s(a, 5), before = a->raised_flows, count;

	if (a->raised != AUTO_RECORDS && a->raised != AUTO_CPU)
		return 0;
	if (now_ns - a->changed_ns >= LAG_WAIT_NS + SECOND_NS || before <= 0)
		return 0;
	count = before / (double)a->n * newest(a, 5, 0).seconds;
	if (flows < 1.3 * before || flows / before * count < count + 4 * sqrt(count))
		return 0;
	return (double)a->raised_n * FULL * flows / before;
}

/* ---- moving ---- */

static uint64_t power_above(double n)
{
	uint64_t p = 1;

	while (p < AUTO_N_MAX && (double)p < n)
		p *= 2;
	return p;
}

static void change(struct auto_rate *a, uint64_t now_ns, uint64_t n)
{
	a->n = n;
	a->changed_ns = now_ns;
	a->samples_len = 0;
	a->is_stale = true;
}

static bool rise(struct auto_rate *a, uint64_t now_ns, double demand, enum auto_reason why)
{
	uint64_t n = power_above(demand / FULL);
	double flows = flows_per_s(a, 1);

	if (demand <= 0 || n <= a->n)
		return false;
	if (a->fell_ns && now_ns - a->fell_ns < fmax(FLIP_NS, 2 * a->hold_ns)) {
		a->hold_ns = a->hold_ns * 3 < HOLD_MAX_NS ? a->hold_ns * 3 : HOLD_MAX_NS;
		a->flip_ns = now_ns;
		a->fell_ns = 0; /* one fall is blamed once */
	}
	if (why == AUTO_LOST || why == AUTO_RING) {
		a->wall_n = n / 2;
		a->wall_ns = now_ns;
		a->wall_flows = flows;
	}
	for (unsigned k = 0; k < AUTO_POWERS && 1ULL << k < n; k++)
		a->over_ns[k] = now_ns;
	a->raised = why;
	a->raised_flows = flows;
	a->raised_n = n;
	a->surge = 0;
	change(a, now_ns, n);
	return true;
}

static bool rise_for_load(struct auto_rate *a, uint64_t now_ns, enum auto_reason *why)
{
	static const enum auto_reason reasons[AUTO_ITEMS] = {AUTO_SPANS, AUTO_RECORDS, AUTO_CPU,
							     AUTO_RING};
	double most = begun_demand(a), demand = grown_demand(a, now_ns);

	*why = AUTO_SPANS;
	if (demand > most) {
		most = demand;
		*why = a->raised;
	}
	for (unsigned i = 0; i < AUTO_ITEMS; i++) {
		demand = lag_demand(a, i, now_ns);
		if (demand > most) {
			most = demand;
			*why = reasons[i];
		}
	}
	return rise(a, now_ns, most, *why);
}

/* @lost of @records since the last reading. */
static bool rise_for_loss(struct auto_rate *a, uint64_t now_ns, double lost, double records)
{
	double left = fmax(records - lost, records / 16);

	return rise(a, now_ns, (double)a->n * FULL * fmax(records / left, 2), AUTO_LOST);
}

/* By Poisson's law hardly more than so many begin, of those that are kept. */
static double most_flows_per_s(const struct auto_sample *s)
{
	return s->seconds > 0 ? (s->begun + 2 * sqrt(s->begun + 1)) / s->seconds : 0;
}

/* Notes for which N the load of the last seconds would have been too much. The spans of now are of
 * flows that began at other rates: they count only where those that begin are not the cause. */
static void note_demand(struct auto_rate *a, uint64_t now_ns)
{
	struct auto_sample s = newest(a, 5, 0), all = newest(a, AUTO_SAMPLES, 0);
	double demand = 0, n = 1, flows = most_flows_per_s(&s);
	bool is_of_old = a->spans_recent > SPANS_PER_FLOW_MAX * a->ended_recent;

	if (s.begun < FEW_FLOWS) /* they tell a rate only in a longer time */
		flows = fmin(flows, most_flows_per_s(&all));
	if (a->budget.spans_per_s > 0)
		demand = flows * spans_per_flow(a) / a->budget.spans_per_s;
	for (unsigned i = 0; i < AUTO_ITEMS; i++)
		if (i != AUTO_ITEM_SPANS || is_of_old)
			demand = fmax(demand, use_of(a, i, &s));
	demand *= (double)a->n;
	for (unsigned k = 0; k < AUTO_POWERS; k++, n *= 2)
		if (demand >= EASY * n)
			a->over_ns[k] = now_ns;
}

/* Whether there are about as many flows as when a ring was full. */
static bool is_near_wall(const struct auto_rate *a)
{
	return a->wall_n && flows_per_s(a, 5) >= 0.7 * a->wall_flows;
}

/* The lowest of the powers from @k down that has been good enough for long enough; 0: none. */
static uint64_t eased(struct auto_rate *a, uint64_t now_ns, int k)
{
	int least = k - FALL_POWERS + 1 > 0 ? k - FALL_POWERS + 1 : 0;
	bool is_walled = is_near_wall(a) && a->wall_n >= 1ULL << k;
	uint64_t to = 0;

	if (is_walled && now_ns - a->wall_ns < WALL_NS)
		return 0;
	if (is_near_wall(a))
		least = k;
	for (; k >= least && now_ns - a->over_ns[k] >= a->hold_ns; k--)
		to = 1ULL << k;
	if (to && is_walled) { /* a trial; the next in some minutes */
		a->wall_n = to / 2;
		a->wall_ns = now_ns;
	}
	return to;
}

static bool fall(struct auto_rate *a, uint64_t now_ns)
{
	uint64_t wait_ns = a->hold_ns / 4 > FALL_NS ? a->hold_ns / 4 : FALL_NS, to;
	double held = (double)(a->last.flows_begun - a->last.flows_ended), n = (double)a->n;
	int k = 0;

	while (k < AUTO_POWERS - 1 && 1ULL << (k + 1) < a->n)
		k++; /* the power below */
	if (a->n == 1 || a->samples_len < 3 || now_ns - a->changed_ns < wait_ns)
		return false;
	to = eased(a, now_ns, k);
	if (!to)
		return false;
	a->surge_expected = flows_per_s(a, 10);
	a->surge = (held + 2 * sqrt(held) + 2) * (n / (double)to - 1);
	a->surge_end_ns = now_ns + SURGE_NS;
	a->fell_ns = now_ns;
	change(a, now_ns, to);
	return true;
}

static void start(struct auto_rate *a, uint64_t now_ns, const struct auto_load *load)
{
	a->has_last = true;
	a->last = *load;
	a->last_ns = a->started_ns = now_ns;
	for (unsigned k = 0; k < AUTO_POWERS; k++)
		a->over_ns[k] = now_ns;
}

static void note_use(struct auto_rate *a)
{
	struct auto_sample s = newest(a, 3, 0);

	if (s.seconds <= 0)
		return;
	for (unsigned i = 0; i < AUTO_ITEMS; i++)
		a->used[i] = use_of(a, i, &s);
	if (a->budget.cpu_cores > 0) /* whatever the cause */
		a->used[AUTO_ITEM_CPU] = s.cpu_seconds / s.seconds / a->budget.cpu_cores;
}

uint64_t auto_rate_step(struct auto_rate *a, uint64_t now_mono_ns, const struct auto_load *load,
			enum auto_reason *why)
{
	double lost = (double)(load->records_lost - a->last.records_lost);
	double records = (double)(load->records - a->last.records);
	bool was_stale = a->is_stale;

	*why = AUTO_NONE;
	if (!a->has_last)
		start(a, now_mono_ns, load);
	if (now_mono_ns - a->last_ns < STEP_MIN_NS)
		return a->n;
	if (take(a, now_mono_ns, load)) {
		note_demand(a, now_mono_ns);
		note_use(a);
	}
	if (now_mono_ns - a->flip_ns > CALM_NS && a->hold_ns > HOLD_NS) {
		a->hold_ns = a->hold_ns / 3 > HOLD_NS ? a->hold_ns / 3 : HOLD_NS;
		a->flip_ns = now_mono_ns;
	}
	/* right after a rise records may be lost that were on their way before */
	if (lost > 0 && !was_stale) {
		if (rise_for_loss(a, now_mono_ns, lost, records))
			*why = AUTO_LOST;
		return a->n;
	}
	if (a->n >
	    AUTO_N_MAX) { /* given by a person: no few flows could tell that it is too rare */
		change(a, now_mono_ns, AUTO_N_MAX);
		*why = AUTO_EASED;
	}
	if (!a->samples_len)
		return a->n;
	if (!rise_for_load(a, now_mono_ns, why))
		*why = fall(a, now_mono_ns) ? AUTO_EASED : AUTO_NONE;
	return a->n;
}

void auto_rate_used(const struct auto_rate *a, double ret[AUTO_ITEMS])
{
	memcpy(ret, a->used, sizeof(a->used));
}

const char *auto_item_name(enum auto_item i)
{
	static const char *const names[AUTO_ITEMS] = {"spans", "records", "cpu", "ring"};

	return names[i];
}

const char *auto_reason_name(enum auto_reason r)
{
	static const char *const names[] = {"none", "spans", "records", "cpu",
					    "ring", "lost",  "eased"};

	return names[r];
}
