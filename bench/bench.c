/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bench/bench.h"

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUICK_RUNS 3

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

static bool has_target(const struct bench_row *row)
{
	return row->better == BENCH_AT_MOST || row->better == BENCH_AT_LEAST;
}

static void print_human(const struct bench_row *row, const struct bench_stat *s, size_t len)
{
	bool is_inside =
		row->better == BENCH_AT_MOST ? s->median <= row->target : s->median >= row->target;

	printf("%-52s %10.4g %s", row->name, s->median, row->unit);
	if (len > 1)
		printf("  (%.4g .. %.4g)", s->p10, s->p90);
	if (has_target(row))
		printf("  target %s %.4g: %s",
		       row->better == BENCH_AT_MOST ? "<=" : ">=", row->target,
		       is_inside ? "inside" : "MISSED");
	printf("\n");
	fflush(stdout);
}

/* Names and units are plain text of ours; what JSON would want escaped ends the process. */
static const char *checked(const char *text)
{
	const char *c;

	for (c = text; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
			errx(EXIT_FAILURE, "a row's name with %#x in it", *c);
	return text;
}

static void write_json(const char *path, const struct bench_row *row, const struct bench_stat *s,
		       size_t len)
{
	static const char *const better[] = {"none", "lower", "higher", "lower", "higher"};
	FILE *f = fopen(path, "a");

	if (!f)
		err(EXIT_FAILURE, "BENCH_JSON: %s", path);
	/* one write() a line, so that programs beside each other can share the file */
	setvbuf(f, NULL, _IOFBF, 4096);
	fprintf(f, "{\"bench\":\"%s\",\"row\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",",
		checked(program_invocation_short_name), checked(row->name), s->median,
		checked(row->unit));
	if (len > 1)
		fprintf(f, "\"p10\":%.6g,\"p90\":%.6g,", s->p10, s->p90);
	if (has_target(row))
		fprintf(f, "\"target\":%.6g,", row->target);
	fprintf(f, "\"runs\":%zu,\"better\":\"%s\"}\n", len, better[row->better]);
	if (fclose(f))
		err(EXIT_FAILURE, "BENCH_JSON: %s", path);
}

void bench_row(const struct bench_row *row, double *values, size_t len)
{
	struct bench_stat s = bench_stat(values, len);
	const char *path = getenv("BENCH_JSON");

	print_human(row, &s, len);
	if (path && *path)
		write_json(path, row, &s, len);
}

void bench_row_one(const struct bench_row *row, double value)
{
	bench_row(row, &value, 1);
}

size_t bench_runs(size_t full)
{
	return getenv("BENCH_QUICK") && full > QUICK_RUNS ? QUICK_RUNS : full;
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
