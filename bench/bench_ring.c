/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bench_ring - records a second through a BPF ring buffer, and how many find it full: by its size,
 * by how long its reader sleeps between two looks, and by the number of processors that write. The
 * reference is a reader that never sleeps. A rate is records a second of the writers' CPU time, and
 * readers go before all other programs (SCHED_FIFO), so that others on the machine count less: 4
 * MiB are full after a millisecond. What is dropped counts as not written. Reference and candidate
 * alternate; medians of the runs.
 */
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/bench.h"
#include "bench/ring.h"
#include "ring.skel.h"

#define RUNS 7
#define REPEAT 100000 /* runs of the program of one writer */
#define WRITERS_MAX 16

struct writer {
	pthread_t thread;
	int fd, cpu;
	double cpu_ns;
};

struct reader {
	pthread_t thread;
	struct ring_buffer *ring;
	atomic_bool is_over;
	unsigned sleep_us; /* 0: never */
	int cpu;
	uint64_t seen;
	double cpu_ns, wall_ns;
};

struct result {
	double rate; /* millions a second of CPU */
	double dropped; /* % */
	double cores; /* of the reader */
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(EXIT_FAILURE, "affinity");
}

static void *write_all(void *arg)
{
	static const unsigned char frame[64];
	struct writer *w = arg;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = REPEAT);

	pin(w->cpu);
	w->cpu_ns = -bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	if (bpf_prog_test_run_opts(w->fd, &opts))
		err(EXIT_FAILURE, "BPF_PROG_RUN");
	w->cpu_ns += bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static int see(void *ctx, void *data, size_t size)
{
	(void)data;
	(void)size;
	++*(uint64_t *)ctx;
	return 0;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct timespec nap = {.tv_nsec = r->sleep_us * 1000L};
	struct sched_param first = {.sched_priority = 1};

	pin(r->cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		warn("SCHED_FIFO: others on this processor delay the reader");
	prctl(PR_SET_TIMERSLACK, 1000);
	r->cpu_ns = -bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	r->wall_ns = -bench_now_ns(CLOCK_MONOTONIC);
	while (!atomic_load(&r->is_over)) {
		ring_buffer__consume(r->ring);
		if (r->sleep_us)
			nanosleep(&nap, NULL);
	}
	r->cpu_ns += bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	r->wall_ns += bench_now_ns(CLOCK_MONOTONIC);
	ring_buffer__consume(r->ring);
	return NULL;
}

/* One run of @writers on the last processors, the reader on the first. */
static struct result run(struct ring_bpf *bpf, unsigned sleep_us, unsigned writers)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t all = (uint64_t)writers * REPEAT * RING_BURST;
	struct reader reader = {.sleep_us = sleep_us};
	struct writer list[WRITERS_MAX] = {};
	struct result result = {};
	double cpu_ns = 0;
	unsigned i;

	bpf->bss->dropped = 0;
	reader.ring = ring_buffer__new(bpf_map__fd(bpf->maps.records), see, &reader.seen, NULL);
	if (!reader.ring || pthread_create(&reader.thread, NULL, read_all, &reader))
		err(EXIT_FAILURE, "reader");
	for (i = 0; i < writers; i++) {
		list[i].fd = bpf_program__fd(bpf->progs.ring_fill);
		list[i].cpu = cpus - 1 - (int)i % cpus;
		if (pthread_create(&list[i].thread, NULL, write_all, &list[i]))
			err(EXIT_FAILURE, "writer");
	}
	for (i = 0; i < writers; i++) {
		pthread_join(list[i].thread, NULL);
		cpu_ns += list[i].cpu_ns;
	}
	atomic_store(&reader.is_over, true);
	pthread_join(reader.thread, NULL);
	ring_buffer__free(reader.ring);
	if (reader.seen + bpf->bss->dropped != all)
		errx(EXIT_FAILURE, "%llu records went astray",
		     (unsigned long long)(all - reader.seen - bpf->bss->dropped));
	result.rate = (double)reader.seen * writers * 1e3 / cpu_ns;
	result.dropped = 100.0 * (double)bpf->bss->dropped / (double)all;
	result.cores = reader.cpu_ns / reader.wall_ns;
	return result;
}

static void print_row(const char *of, const char *what, const char *unit, enum bench_better better,
		      double target, double *values, size_t len)
{
	char name[128];
	struct bench_row row = {name, unit, better, target};

	snprintf(name, sizeof(name), "%s: %s", of, what);
	bench_row(&row, values, len);
}

/* @is_target: the case that design 9 is about. */
static void bench_case(unsigned ring_kib, unsigned sleep_us, unsigned writers, bool is_target)
{
	double rate[RUNS], dropped[RUNS], cores[RUNS], busy[RUNS];
	size_t runs = bench_runs(RUNS), i;
	struct ring_bpf *bpf = ring_bpf__open();
	struct result r;
	char of[64];

	if (!bpf || bpf_map__set_max_entries(bpf->maps.records, ring_kib << 10) ||
	    ring_bpf__load(bpf))
		err(EXIT_FAILURE, "load (root?)");
	for (i = 0; i < runs; i++) {
		busy[i] = is_target ? run(bpf, 0, writers).rate : 0;
		r = run(bpf, sleep_us, writers);
		rate[i] = r.rate;
		dropped[i] = r.dropped;
		cores[i] = r.cores;
		if (is_target)
			busy[i] = r.rate / ((busy[i] + run(bpf, 0, writers).rate) / 2);
	}
	snprintf(of, sizeof(of), "ring of %u KiB, reader sleeps %u us, %u writing", ring_kib,
		 sleep_us, writers);
	print_row(of, "records a second", "M/s", BENCH_HIGHER, 0, rate, runs);
	print_row(of, "dropped", "%", is_target ? BENCH_AT_MOST : BENCH_LOWER, 0, dropped, runs);
	print_row(of, "reader", "cores", is_target ? BENCH_AT_MOST : BENCH_LOWER, 0.35, cores,
		  runs);
	if (is_target)
		print_row(of, "against a reader that never sleeps", "x", BENCH_AT_LEAST, 4, busy,
			  runs);
	ring_bpf__destroy(bpf);
}

int main(void)
{
	static const unsigned kib[] = {1024, 4096, 16384}, us[] = {100, 1000, 5000};
	unsigned i, j, cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), writers;

	bench_print_machine();
	printf("records of %zu bytes\n", RING_RECORD_BYTES);
	bench_case(4096, 100, 1, true);
	for (i = 0; i < sizeof(kib) / sizeof(*kib); i++)
		for (j = 0; j < sizeof(us) / sizeof(*us); j++)
			if (kib[i] != 4096 || us[j] != 100)
				bench_case(kib[i], us[j], 1, false);
	for (writers = 2; writers <= cpus && writers <= WRITERS_MAX; writers *= 2)
		bench_case(4096, 100, writers, false);
	return EXIT_SUCCESS;
}
