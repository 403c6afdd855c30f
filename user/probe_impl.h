/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe_impl - what probe.c (attaching) and probe_read.c (reading) share; nobody else's business.
 */
#ifndef USER_PROBE_IMPL_H
#define USER_PROBE_IMPL_H

#include <net/if.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "user/attach_tc.h"
#include "user/attach_xdp.h"
#include "user/pin.h"
#include "user/probe.h"

struct flow_bpf;

struct probe_name {
	struct probe_name *older;
	char name[IFNAMSIZ];
};

struct probe_if {
	int ifindex;
	_Atomic(struct probe_name *) name; /* newest first; freed with the probe */
	bool is_up, is_gone, is_looped, is_l3, is_veth;
	struct pin_lock lock;
	struct flow_bpf *skel; /* programs; NULL: not loaded */
	struct attach_xdp xdp;
	struct attach_tc rx, tx;
	bool has_rx_tc, has_tx;
	const char *receive; /* how, in words; static */
};

struct probe {
	const struct options *o;
	struct flow_bpf *maps; /* all maps; its own programs are never loaded */
	int ring_fds[FLOW_MAX_WORKERS];
	int states_fd, mirror_fd;
	int ioctl_fd;
	struct pin_map pin;
	int cpus;
	void *percpu; /* room to read one element of any per-CPU map: main thread only */
	bool is_attached;
	struct probe_if ifs[FLOW_MAX_IFS];
	size_t ifs_len;
	uint64_t sample_n; /* in force */
	uint64_t sample_look_mono_ns; /* when to look next for flows from before a change */
};

/* Makes @name the interface's current one. 0 or -ENOMEM. */
int probe_set_name(struct probe_if *i, const char *name);

/* Once a second: whether flows are left that began under a lower threshold. */
void probe_tick_sampling(struct probe *p);

#endif /* USER_PROBE_IMPL_H */
