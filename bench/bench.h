/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench - what the benchmarks share: clocks, medians, and the rows that they print. A row is a line
 * for people on stdout; where the environment names a file in BENCH_JSON it is a line of JSON
 * there, too, which is what bench/run.sh makes its tables from (bench/rows.py is the same for
 * scripts).
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <time.h>

/* Nanoseconds on a clock: CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID, CLOCK_PROCESS_CPUTIME_ID. */
double bench_now_ns(clockid_t clock);

struct bench_stat {
	double p10;
	double median;
	double p90;
};
/* Sorts the values, at least one. */
struct bench_stat bench_stat(double *values, size_t len);

enum bench_better {
	BENCH_NEITHER, /* told beside the others */
	BENCH_LOWER,
	BENCH_HIGHER,
	BENCH_AT_MOST, /* lower is better, and there is a target */
	BENCH_AT_LEAST,
};

struct bench_row {
	const char *name; /* what was measured: the same in every run, once in a program */
	const char *unit;
	enum bench_better better;
	double target;
};
/* The median of the values with p10..p90, of which there is at least one; sorts them. The program's
 * name is the bench's. Ends the process if BENCH_JSON can't be written. */
void bench_row(const struct bench_row *row, double *values, size_t len);
void bench_row_one(const struct bench_row *row, double value);

/* How many runs: fewer where BENCH_QUICK is in the environment. */
size_t bench_runs(size_t full);

/* The processor. */
void bench_print_machine(void);

#endif /* BENCH_BENCH_H */
