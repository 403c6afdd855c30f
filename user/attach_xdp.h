/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * attach_xdp - one XDP program on one interface: by a link of our own, which the kernel removes
 * with the process, or as a guest of libxdp's dispatcher, beside other programs. Main thread.
 */
#ifndef USER_ATTACH_XDP_H
#define USER_ATTACH_XDP_H

#include <stdbool.h>

struct bpf_object;
struct bpf_program;
struct xdp_program;

#define ATTACH_XDP_PROGRAM "ringspan_xdp"

struct attach_xdp {
	int ifindex;
	int link_fd;               /* -1: no link of our own */
	struct xdp_program *guest; /* NULL: not at the dispatcher */
	bool is_alone;             /* the dispatcher could not be used: libxdp attached it directly */
};

void attach_xdp_init(struct attach_xdp *a, int ifindex);

/* Whether an XDP program is on the interface now: 1, 0 or -errno. */
int attach_xdp_is_taken(int ifindex);

/* Removes what an earlier process of ours left behind at a dispatcher. Returns how many. */
int attach_xdp_sweep(int ifindex);

/* Attaches the loaded @prog by a link. 0; -EBUSY another program is there; -EOPNOTSUPP and others
 * from the driver. */
int attach_xdp_link(struct attach_xdp *a, const struct bpf_program *prog, bool is_generic);

/* Attaches through the dispatcher; libxdp loads @obj, which must be opened, not loaded, and must
 * outlive the attachment. 0; -EBUSY: the program that is there is not of a dispatcher. */
int attach_xdp_guest(struct attach_xdp *a, struct bpf_object *obj);

void attach_xdp_detach(struct attach_xdp *a); /* idempotent; before the object is closed */

#endif /* USER_ATTACH_XDP_H */
