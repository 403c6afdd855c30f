/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * kern_fixture - the BPF programs loaded as probe does it, frames through them by BPF_PROG_RUN, and
 * what they counted and told. Each function asserts what must not fail.
 */
#ifndef TESTS_KERN_FIXTURE_H
#define TESTS_KERN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow.skel.h"
#include "kern/flow_abi.h"
#include "tests/frames.h"

#define KERN_RECORDS_MAX 4096

struct kern {
	struct flow_bpf *skel;
	int ring_fd;
	struct ring *ring;
	struct flow_record_last records[KERN_RECORDS_MAX]; /* of the last drain; longer ones cut */
	size_t records_len;
	struct flow_record_payload payload; /* the last one of its kind, whole */
	int cpus;
	struct flow_counter *percpu;
};

struct kern_opts {
	uint32_t max_flows; /* 0: 65536 */
	uint32_t ring_bytes; /* 0: 4 MiB */
	uint64_t threshold;
	bool is_looped, is_l3;
	void (*prepare)(
		struct flow_bpf *skel); /* sets other constants before the load; NULL: none */
};

struct kern *kern_open(struct kern_opts o);
void kern_close(struct kern *k);

/* The frame arrives @repeat times. */
void kern_xdp(struct kern *k, const struct frame *f, int repeat);

/* False: the kernel does not run TC programs on this (an IP header cut short, newer kernels). @skb
 * may be NULL. */
bool kern_try_tc(const struct bpf_program *prog, const struct frame *f, struct __sk_buff *skb);
void kern_tc(const struct bpf_program *prog, const struct frame *f, struct __sk_buff *skb);

/* Reads the ring: k->records are the ones that came since the last time. */
void kern_drain(struct kern *k);
/* The last of them of this kind; NULL: none. */
const struct flow_record *kern_last_of_kind(const struct kern *k, uint8_t kind);

/* Sums over the CPUs. */
struct flow_counter kern_counter(struct kern *k, enum flow_hook hook, uint32_t net,
				 uint32_t transport);
/* All counters of one direction, with the balance checked on the way. */
struct flow_counter kern_total(struct kern *k, enum flow_hook hook);
struct flow_cost kern_cost(struct kern *k, enum flow_hook hook);
uint64_t kern_stat(struct kern *k, enum flow_stat which);
struct flow_ring_stats kern_ring_stats(struct kern *k);

#endif /* TESTS_KERN_FIXTURE_H */
