/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * probe - the kernel side: loads, attaches, reads maps, detaches. Owns the privileges.
 *
 * create, attach, set_sampling, tick, detach and destroy belong to the main thread; the reading functions may be
 * called from any thread while the probe lives.
 */
#ifndef USER_PROBE_H
#define USER_PROBE_H

#include "kern/flow_abi.h"
#include "user/options.h"

struct probe;

/* Checks privileges, kernel and interfaces, creates the maps for all interfaces of @o. 0 and *ret set, or -errno, and then it has said
 * in one line what failed and what to do. */
int probe_create(struct probe **ret, const struct options *o);

/* Loads the programs and attaches them to all interfaces, one line each on how and why; all or
 * none. Then drops every capability that is not needed to read maps and to detach. 0 or -errno, said. */
int probe_attach(struct probe *p);

/* Detaches, removes pins; the maps stay readable. Idempotent. */
void probe_detach(struct probe *p);
void probe_destroy(struct probe *p); /* NULL is allowed; detaches */

/* The sampling in force. */
struct probe_sampling {
	enum options_sample_mode mode;
	uint64_t n; /* one flow, or packet, in n */
	uint64_t threshold; /* flow mode: the 56-bit rejection threshold of 1/n */
	uint64_t floor; /* the lowest one that flows which are alive began under; else 0 */
};
void probe_sampling(const struct probe *p, struct probe_sampling *ret);

/* From the next packet on flows begin at one in @n; those that are kept already stay whole. Packet
 * mode: from the next packet on one in @n is taken, each with the weight of its own moment. */
void probe_set_sampling(struct probe *p, uint64_t n);

/* How an interface is watched; texts live as long as the probe. */
struct probe_if_status {
	const char *name, *receive, *transmit;
	bool is_up, is_gone;
};
void probe_if_status(const struct probe *p, size_t if_slot, struct probe_if_status *ret);

/* Once a second: mirrors the totals into xdp_stats_map, notices interfaces that went down or away
 * or got another name, and says so. Returns how many interfaces still exist. */
size_t probe_tick(struct probe *p);

size_t probe_interfaces(const struct probe *p);
/* The current name; the string lives as long as the probe. */
const char *probe_interface_name(const struct probe *p, size_t if_slot);

/* The ring buffer map of a worker. */
int probe_ring_fd(const struct probe *p, unsigned worker);

/* One flow's state, copied or copied and removed. 0, -ENOENT, -errno. */
int probe_flow_peek(const struct probe *p, const struct flow_key *key, struct flow_state *ret);
int probe_flow_take(const struct probe *p, const struct flow_key *key, struct flow_state *ret);

/* Calls @fn for each flow in the map. Flows that come or go meanwhile may be missed. */
typedef void (*probe_flow_fn)(void *ctx, uint64_t hash, const struct flow_key *key,
			      const struct flow_state *s);
int probe_flow_each(const struct probe *p, probe_flow_fn fn, void *ctx);

/* Sums over CPUs. @ret has FLOW_COUNTERS_PER_IF elements for each interface. */
int probe_read_counters(const struct probe *p, struct flow_counter *ret);
/* The same; FLOW_HOOK_MAX elements for each interface. */
int probe_read_costs(const struct probe *p, struct flow_cost *ret);
int probe_read_stats(const struct probe *p, struct flow_stats *ret);
/* How full the ring of a worker is now, 0..1. Any thread. */
double probe_ring_share(const struct probe *p, unsigned worker);

int probe_read_ring_stats(const struct probe *p, unsigned worker, struct flow_ring_stats *ret);

#endif /* USER_PROBE_H */
