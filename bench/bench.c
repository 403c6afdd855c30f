/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double bench_now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct bench_stat bench_stat(double *values, size_t len)
{
	qsort(values, len, sizeof(*values), compare);
	return (struct bench_stat){.p10 = values[len / 10],
				   .median = values[len / 2],
				   .p90 = values[len - 1 - len / 10]};
}

void bench_print(const char *what, double *values, size_t len)
{
	struct bench_stat s = bench_stat(values, len);

	printf("%-52s %9.4f  (%.4f .. %.4f)\n", what, s.median, s.p10, s.p90);
}

void bench_print_machine(void)
{
	char line[256], *name = NULL;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && !name && fgets(line, sizeof(line), f))
		if (strncmp(line, "model name", 10) == 0)
			name = strchr(line, ':');
	printf("machine%s", name ? name : ": unknown\n");
	if (f)
		fclose(f);
}
