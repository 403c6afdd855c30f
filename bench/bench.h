/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench - what the benchmarks share: clocks, medians, the way results are printed.
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

/* "what   median  (p10 .. p90)", and the processor. */
void bench_print(const char *what, double *values, size_t len);
void bench_print_machine(void);

#endif /* BENCH_BENCH_H */
