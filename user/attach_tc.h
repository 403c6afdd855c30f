/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach_tc - one TC program on one side of one interface: by a TCX link, which the kernel removes
 * with the process, or as a clsact filter where the kernel has no TCX (before 6.6). Main thread.
 */
#ifndef USER_ATTACH_TC_H
#define USER_ATTACH_TC_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_program;

struct attach_tc {
	int ifindex;
	bool is_egress;
	int link_fd;        /* -1: no TCX link */
	uint32_t priority;  /* of the clsact filter; 0: none */
	bool made_qdisc;    /* the clsact qdisc was not there before */
};

void attach_tc_init(struct attach_tc *a, int ifindex, bool is_egress);

/* Removes the filters that an earlier process of ours left behind, both sides. Returns how many. */
int attach_tc_sweep(int ifindex);

/* Attaches, first in the chain. 0 or -errno. */
int attach_tc_attach(struct attach_tc *a, const struct bpf_program *prog);

/* Removes our filter, and the qdisc if we made it and nobody else uses it by now. Idempotent. */
void attach_tc_detach(struct attach_tc *a);

const char *attach_tc_how(const struct attach_tc *a); /* "TCX" or "clsact" */

#endif /* USER_ATTACH_TC_H */
