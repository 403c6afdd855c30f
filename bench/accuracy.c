/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far estimates are from the truth (tests/accuracy_model.h), against the bound of design 9: in
 * all but 5 % of the cases within 196/sqrt(c) % for c samples; where things of different size are
 * sampled sqrt(1 + CV^2) times that: packets, by their bytes; in flow mode flows, by their packets
 * and bytes. One table for each mode, rate and order; then a summary, which is what the targets are
 * about. The numbers are the same in every run.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "tests/accuracy_model.h"

#define RUNS_MAX 48
#define THREADS_MAX 16
#define PHASES_MAX 5

struct cell {
	const char *name;
	bool by_packets, is_periodic;
	uint64_t n[PHASES_MAX];
	size_t phases;
	uint64_t pkts; /* in each phase */
	unsigned runs;
	struct accuracy_result result[RUNS_MAX];
};

#define CHANGES {100, 10, 1000, 10, 100}, 5

static struct cell cells[] = {
	{"packet mode, 1/10, random order", true, false, {10}, 1, 20000, 48, {}},
	{"packet mode, 1/10, periodic order", true, true, {10}, 1, 20000, 48, {}},
	{"packet mode, 1/100, random order", true, false, {100}, 1, 200000, 32, {}},
	{"packet mode, 1/100, periodic order", true, true, {100}, 1, 200000, 32, {}},
	{"packet mode, 1/1000, random order", true, false, {1000}, 1, 2000000, 12, {}},
	{"packet mode, 1/1000, periodic order", true, true, {1000}, 1, 2000000, 12, {}},
	{"packet mode, 1/100 10 1000 10 100", true, false, CHANGES, 200000, 16, {}},
	{"flow mode, 1/10, random order", false, false, {10}, 1, 100000, 32, {}},
	{"flow mode, 1/10, periodic order", false, true, {10}, 1, 100000, 32, {}},
	{"flow mode, 1/100, random order", false, false, {100}, 1, 600000, 20, {}},
	{"flow mode, 1/100, periodic order", false, true, {100}, 1, 600000, 20, {}},
	{"flow mode, 1/1000, random order", false, false, {1000}, 1, 3000000, 8, {}},
	{"flow mode, 1/1000, periodic order", false, true, {1000}, 1, 3000000, 8, {}},
	{"flow mode, 1/100 10 1000 10 100", false, false, CHANGES, 300000, 32, {}},
};
#define CELLS (sizeof(cells) / sizeof(*cells))

static const char *const measures[ACCURACY_MEASURES] = {"packets", "bytes", "flows"};

/* ---- runs ---- */

struct bench {
	atomic_uint next; /* run, over all cells */
	atomic_int err;
};

struct bench_thread {
	struct bench *bench;
	pthread_t thread;
	int cpu;
};

/* The run number @i, the longest cells first. NULL: there are no more. */
static struct cell *find_run(unsigned i, unsigned *ret_run)
{
	size_t c;

	for (c = CELLS; c-- > 0; i -= cells[c].runs)
		if (i < cells[c].runs) {
			*ret_run = i;
			return &cells[c];
		}
	return NULL;
}

static void *run_some(void *arg)
{
	struct bench_thread *t = arg;
	struct accuracy *models[2] = {};
	struct accuracy_load load;
	struct cell *cell;
	unsigned run;
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	CPU_SET(t->cpu, &set);
	err = sched_setaffinity(0, sizeof(set), &set);
	while (!err && !atomic_load(&t->bench->err) &&
	       (cell = find_run(atomic_fetch_add(&t->bench->next, 1), &run))) {
		load = (struct accuracy_load){.n = cell->n,
					      .phases = cell->phases,
					      .pkts = cell->pkts,
					      .is_periodic = cell->is_periodic,
					      .seed = 1 + run};
		if (!models[cell->by_packets])
			err = accuracy_open(&models[cell->by_packets], cell->by_packets, 1);
		if (!err)
			err = accuracy_run(models[cell->by_packets], &load, &cell->result[run]);
	}
	if (err)
		atomic_store(&t->bench->err, err);
	accuracy_close(models[0]);
	accuracy_close(models[1]);
	return NULL;
}

static int run_all(void)
{
	struct bench_thread threads[THREADS_MAX];
	struct bench bench = {};
	unsigned len = 0, i;
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	for (cpu = 0; cpu < CPU_SETSIZE && len < THREADS_MAX; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		threads[len] = (struct bench_thread){.bench = &bench, .cpu = cpu};
		if (pthread_create(&threads[len].thread, NULL, run_some, &threads[len]))
			break;
		len++;
	}
	for (i = 0; i < len; i++)
		pthread_join(threads[i].thread, NULL);
	return len ? atomic_load(&bench.err) : -1;
}

/* ---- tables ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static double quantile(double *values, size_t len, double q)
{
	qsort(values, len, sizeof(*values), compare);
	return values[(size_t)((double)(len - 1) * q + 0.5)];
}

static double share_inside(const double *ratios, size_t len)
{
	size_t i, inside = 0;

	for (i = 0; i < len; i++)
		inside += ratios[i] <= 1;
	return (double)inside / (double)len;
}

/* Means over the runs. */
struct row {
	double truth, estimate, samples, plain, bound; /* the last two relative */
	double errors[RUNS_MAX], ratios[RUNS_MAX]; /* of each run: |error|, and to its bound */
};

static void make_row(const struct cell *cell, unsigned class, unsigned measure, struct row *ret)
{
	double runs = cell->runs;
	unsigned i;

	*ret = (struct row){};
	for (i = 0; i < cell->runs; i++) {
		const struct accuracy_sum *s = &cell->result[i].of[class][measure];
		double bound = 1.96 * accuracy_sigma(s);

		if (!s->truth)
			return;
		ret->truth += s->truth / runs;
		ret->estimate += s->estimate / runs;
		ret->samples += s->samples / runs;
		ret->plain += 1.96 / sqrt(s->samples) / runs;
		ret->bound += bound / runs;
		ret->errors[i] = fabs(accuracy_error(s));
		ret->ratios[i] = ret->errors[i] / bound;
	}
}

static void print_cell(const struct cell *cell)
{
	unsigned class, measure;
	struct row r;

	printf("\n%s: %u runs, %.0f packets each\n", cell->name, cell->runs,
	       (double)cell->pkts * (double)cell->phases);
	printf("%-11s %-8s %11s %11s %8s %8s %7s %7s %7s %7s %7s %7s\n", "class", "of", "truth",
	       "estimate", "error %", "samples", "196/vc", "bound", "|error|", "/bound", "p95",
	       "inside");
	for (class = 0; class < ACCURACY_CLASSES; class ++)
		for (measure = 0; measure < ACCURACY_MEASURES; measure++) {
			make_row(cell, class, measure, &r);
			if (!r.truth)
				continue;
			printf("%-11s %-8s %11.0f %11.0f %+8.2f %8.0f %6.1f%% %6.1f%% %6.1f%%",
			       accuracy_class_name(class), measures[measure], r.truth, r.estimate,
			       100 * (r.estimate / r.truth - 1), r.samples, 100 * r.plain,
			       100 * r.bound, 100 * quantile(r.errors, cell->runs, 0.5));
			printf(" %7.2f %7.2f %6.0f%%\n", quantile(r.ratios, cell->runs, 0.5),
			       quantile(r.ratios, cell->runs, 0.95),
			       100 * share_inside(r.ratios, cell->runs));
		}
}

/* |error|/bound of all classes together; how many. */
static size_t ratios_of(const struct cell *cell, unsigned measure, double *ratios)
{
	unsigned class;
	size_t len = 0;
	struct row r;

	for (class = 0; class < ACCURACY_CLASSES; class ++) {
		make_row(cell, class, measure, &r);
		if (!r.truth)
			continue;
		memcpy(ratios + len, r.ratios, cell->runs * sizeof(*ratios));
		len += cell->runs;
	}
	return len;
}

static void print_summary(const struct cell *cell)
{
	double ratios[ACCURACY_CLASSES * RUNS_MAX];
	unsigned measure;
	size_t len;

	printf("%-36s", cell->name);
	for (measure = 0; measure < ACCURACY_MEASURES; measure++) {
		len = ratios_of(cell, measure, ratios);
		printf("  %4.2f %4.2f %4.0f%%", quantile(ratios, len, 0.5),
		       quantile(ratios, len, 0.95), 100 * share_inside(ratios, len));
	}
	printf("\n");
}

static void print_rows(const struct cell *cell)
{
	double ratios[ACCURACY_CLASSES * RUNS_MAX];
	struct bench_row row = {.unit = "x bound", .better = BENCH_AT_MOST, .target = 1.15};
	unsigned measure;
	char name[96];
	size_t len;

	for (measure = 0; measure < ACCURACY_MEASURES; measure++) {
		len = ratios_of(cell, measure, ratios);
		snprintf(name, sizeof(name), "%s, %s, 95%% below", cell->name, measures[measure]);
		row.name = name;
		bench_row_one(&row, quantile(ratios, len, 0.95));
	}
}

/* Which cells, and how many runs: --quick a sixth of them; a word: of those with it in their name.
 */
static int choose(int argc, char **argv)
{
	const char *word = "";
	bool is_quick = false;
	size_t c, left = 0;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			is_quick = true;
		else if (argv[i][0] != '-' && !*word)
			word = argv[i];
		else
			return -1;
	}
	for (c = 0; c < CELLS; c++) {
		if (!strstr(cells[c].name, word))
			cells[c].runs = 0;
		else if (is_quick)
			cells[c].runs /= 6;
		left += cells[c].runs;
	}
	return left ? 0 : -1;
}

int main(int argc, char **argv)
{
	size_t c;
	int err;

	if (choose(argc, argv)) {
		fprintf(stderr, "usage: bench_accuracy [--quick] [\"PART OF A NAME\"]\n");
		return 64;
	}
	err = run_all();
	if (err) {
		fprintf(stderr, "bench_accuracy: %s (root?)\n", strerror(err < 0 ? -err : err));
		return EXIT_FAILURE;
	}
	printf("samples: expected. 196/vc: %% for so many samples; bound: that times "
	       "sqrt(1 + CV^2).\n|error| and /bound: median over the runs, and 95th percentile; "
	       "inside: runs within the bound.\nflows: in packet mode TCP connections, by their "
	       "SYNs.\n");
	for (c = 0; c < CELLS; c++)
		if (cells[c].runs)
			print_cell(&cells[c]);
	printf("\n|error|/bound over all classes: median, 95th percentile (target: at most 1.15), "
	       "share "
	       "within the bound (95%%)\n%-36s  %-15s  %-15s  %s\n",
	       "", measures[0], measures[1], measures[2]);
	for (c = 0; c < CELLS; c++)
		if (cells[c].runs)
			print_summary(&cells[c]);
	printf("\n");
	for (c = 0; c < CELLS; c++)
		if (cells[c].runs)
			print_rows(&cells[c]);
	return EXIT_SUCCESS;
}
