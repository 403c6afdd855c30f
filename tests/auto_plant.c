/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/auto_plant.h"

#include <math.h>
#include <string.h>

#define STEP_S (1.0 / PLANT_STEPS_PER_S)
#define MEET_S 2.0 /* time until a packet of a flow that goes on is met */

void plant_init(struct plant *p, const struct auto_budget *b, uint64_t seed)
{
	memset(p, 0, sizeof(*p));
	p->life_s = 5;
	p->silence_s = 2;
	p->active_s = 60;
	p->first_records = 4;
	p->spans_per_flow = 1;
	p->seed = seed * 0x9e3779b97f4a7c15ULL + 1;
	p->noise_now = 1;
	auto_rate_init(&p->rate, b, 1);
	p->n_max = 1;
}

double plant_now(const struct plant *p)
{
	return (double)p->step * STEP_S;
}

void plant_mark(struct plant *p)
{
	p->worst_begun = p->worst_spans = p->worst_records = p->worst_cpu = 0;
	p->second_begun = p->begun;
	p->second_spans = p->spans;
	p->second_records = p->records;
	p->second_cpu = p->cpu;
}

static double uniform(struct plant *p)
{
	p->seed ^= p->seed << 13;
	p->seed ^= p->seed >> 7;
	p->seed ^= p->seed << 17;
	return ((double)(p->seed >> 11) + 0.5) / 9007199254740992.0;
}

static double poisson(struct plant *p, double mean)
{
	double product = 1, limit = exp(-mean), k = -1;

	if (mean <= 0)
		return 0;
	if (mean > 50) /* near enough to normal */
		return fmax(0, round(mean + sqrt(mean) * sqrt(-2 * log(uniform(p))) *
						    cos(2 * M_PI * uniform(p))));
	do {
		product *= uniform(p);
		k++;
	} while (product > limit);
	return k;
}

/* How many of @count have something happen to them that takes @time_s on average. */
static double some(struct plant *p, double count, double time_s)
{
	return fmin(count, poisson(p, count * (1 - exp(-STEP_S / time_s))));
}

static bool is_kept(const struct plant *p, unsigned k)
{
	return p->rate.n <= 1ULL << k;
}

/* Flows of one class begin, are met in their middle, end. */
static void step_class(struct plant *p, unsigned k, double *ret_begun)
{
	double share = k == PLANT_CLASSES - 1 ? ldexp(1, -(int)k) : ldexp(1, -(int)k - 1);
	double mean = p->flows_per_s * p->noise_now * share * STEP_S, n, ended;
	unsigned silence = (unsigned)(p->silence_s * PLANT_STEPS_PER_S);

	n = poisson(p, mean);
	if (is_kept(p, k)) {
		p->kept[k] += n;
		*ret_begun += n;
		n = some(p, p->rejected[k], MEET_S);
		p->rejected[k] -= n;
		p->kept[k] += n;
		*ret_begun += n;
	} else {
		p->rejected[k] += n;
	}
	p->rejected[k] -= some(p, p->rejected[k], p->life_s);
	ended = some(p, p->kept[k], p->life_s);
	p->kept[k] -= ended;
	p->ends[(p->step + silence) % PLANT_SILENCE_MAX] += ended;
}

static void step_even(struct plant *p, double *ret_begun)
{
	double begun;

	p->carry += p->flows_per_s * p->noise_now * STEP_S / (double)p->rate.n;
	begun = floor(p->carry);
	p->carry -= begun;
	*ret_begun += begun;
	p->ends[(p->step + (unsigned)((p->silence_s + p->life_s) * PLANT_STEPS_PER_S)) %
		PLANT_SILENCE_MAX] += begun;
}

static void step_ring(struct plant *p, double records)
{
	p->records += records;
	if (!p->drained_per_s)
		return;
	p->backlog = fmax(0, p->backlog + records - p->drained_per_s * STEP_S);
	if (p->backlog > p->ring_records) {
		p->lost += p->backlog - p->ring_records;
		p->backlog = p->ring_records;
	}
}

static void step_flows(struct plant *p)
{
	double *end = &p->ends[p->step % PLANT_SILENCE_MAX];
	double begun = 0, kept = 0, records, intervals;

	if (p->step % PLANT_STEPS_PER_S == 0)
		p->noise_now = 1 + p->noise * (2 * uniform(p) - 1);
	if (p->is_even)
		step_even(p, &begun);
	for (unsigned k = 0; !p->is_even && k < PLANT_CLASSES; k++)
		step_class(p, k, &begun);
	for (unsigned k = 0; k < PLANT_CLASSES; k++)
		kept += p->kept[k];
	intervals = poisson(p, kept * exp(-p->active_s / p->life_s) / p->active_s * STEP_S);
	records = begun * p->first_records + poisson(p, kept * p->records_per_s * STEP_S);
	p->begun += begun;
	p->ended += *end;
	p->spans += *end * p->spans_per_flow + intervals;
	*end = 0;
	step_ring(p, records);
	p->cpu += p->cpu_idle * STEP_S + begun * p->cpu_per_flow + records * p->cpu_per_record;
}

static void see_worst(double *worst, double *before, double now)
{
	*worst = fmax(*worst, now - *before);
	*before = now;
}

static void tick(struct plant *p)
{
	uint64_t before = p->rate.n, n;
	enum auto_reason why;

	n = auto_rate_step(&p->rate, (uint64_t)(plant_now(p) * 1e9) + 1000000000, &p->reading,
			   &why);
	if (n != before) {
		p->last_why = why;
		p->rises += n > before;
		if (p->changes < sizeof(p->change_s) / sizeof(*p->change_s))
			p->change_s[p->changes] = plant_now(p);
		p->changes++;
		if (n > p->n_max)
			p->n_max = n;
	}
}

void plant_run(struct plant *p, double seconds)
{
	uint64_t end = p->step + (uint64_t)round(seconds * PLANT_STEPS_PER_S);
	unsigned phase = (unsigned)(p->phase * PLANT_STEPS_PER_S);

	while (p->step < end) {
		step_flows(p);
		p->step++;
		if (p->step % PLANT_STEPS_PER_S == phase)
			tick(p);
		if (p->step % PLANT_STEPS_PER_S == 0) {
			see_worst(&p->worst_begun, &p->second_begun, p->begun);
			see_worst(&p->worst_spans, &p->second_spans, p->spans);
			see_worst(&p->worst_records, &p->second_records, p->records);
			see_worst(&p->worst_cpu, &p->second_cpu, p->cpu);
		}
		p->reading = (struct auto_load){
			.flows_begun = (uint64_t)p->begun,
			.flows_ended = (uint64_t)p->ended,
			.spans_made = (uint64_t)p->spans,
			.records = (uint64_t)p->records,
			.records_lost = (uint64_t)p->lost,
			.cpu_seconds = p->cpu,
			.ring_pressure = p->ring_records > 0 ? p->backlog / p->ring_records : 0,
		};
	}
}

unsigned plant_changes_a_minute(const struct plant *p, double from_s)
{
	unsigned most = 0, count;

	for (uint64_t i = 0; i < p->changes; i++) {
		if (p->change_s[i] < from_s)
			continue;
		for (count = 0; i + count < p->changes; count++)
			if (p->change_s[i + count] >= p->change_s[i] + 60)
				break;
		if (count > most)
			most = count;
	}
	return most;
}
