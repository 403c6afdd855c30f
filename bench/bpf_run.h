/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bpf_run - runs a BPF program in user space, one instruction after the other, and counts them.
 *
 * For programs that libbpf has loaded, hence has linked; the kernel's verifier has seen them, so
 * nothing is checked here. Their maps are imitated: arrays of any kind by memory, those of data and
 * constants by the skeleton's own, a hash map by a list; a ring takes everything. Clocks and random
 * numbers go the same way each time. Not for more than what our programs use: anything else ends
 * the process. x86-64 and others with 64-bit pointers; contexts need packets below 4 GiB.
 */
#ifndef BENCH_BPF_RUN_H
#define BENCH_BPF_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <bpf/libbpf.h>

struct bpf_run;

/* Ends the process if there is no memory. @obj must outlive it. */
struct bpf_run *bpf_run_create(struct bpf_object *obj);
void bpf_run_destroy(struct bpf_run *r);

/* What programs see of a packet. Copied to where 32 bits can address it. */
void bpf_run_packet(struct bpf_run *r, const void *data, size_t len);

/* Runs it on that packet; what it returned. */
uint64_t bpf_run_xdp(struct bpf_run *r, const struct bpf_program *prog);
uint64_t bpf_run_tc(struct bpf_run *r, const struct bpf_program *prog);

/* Since it was created or the counts were cleared. */
struct bpf_run_counts {
	uint64_t instructions; /* a 64-bit constant is one */
	uint64_t helpers; /* calls of helpers, of which */
	uint64_t updates; /* begin an element of a map, */
	uint64_t records; /* reserve room in a ring */
};
struct bpf_run_counts bpf_run_counts(const struct bpf_run *r);
void bpf_run_clear(struct bpf_run *r);

/* The value of an array's element. */
void *bpf_run_element(struct bpf_run *r, const struct bpf_map *map, uint32_t index);

#endif /* BENCH_BPF_RUN_H */
