/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading maps by system call. Per-CPU values are summed here; the sums are exact for every packet
 * that had left the programs before the call.
 */
#include "user/probe_impl.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow.skel.h"
#include "kern/flow_hash.h"
#include "user/log.h"

#define PROBE_BATCH 1024 /* flows read from the map at once */

size_t probe_interfaces(const struct probe *p)
{
	return p->ifs_len;
}

const char *probe_interface_name(const struct probe *p, size_t if_slot)
{
	return if_slot < p->ifs_len ? atomic_load(&p->ifs[if_slot].name)->name : "?";
}

void probe_if_status(const struct probe *p, size_t if_slot, struct probe_if_status *ret)
{
	const struct probe_if *i = &p->ifs[if_slot];

	*ret = (struct probe_if_status){
	    .name = probe_interface_name(p, if_slot),
	    .receive = i->receive,
	    .transmit = i->has_tx ? attach_tc_how(&i->tx) : NULL,
	    .is_up = i->is_up && !i->is_gone,
	    .is_gone = i->is_gone,
	};
}

int probe_set_name(struct probe_if *i, const char *name)
{
	struct probe_name *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	strncpy(n->name, name, sizeof(n->name) - 1);
	n->older = atomic_load(&i->name);
	atomic_store(&i->name, n);
	return 0;
}

int probe_ring_fd(const struct probe *p, unsigned worker)
{
	return p->ring_fds[worker];
}

/* The first page of a ring's map has the consumer's position, the second the producer's. */
static uint64_t ring_position(int fd, off_t offset, size_t page)
{
	uint64_t position;
	void *at = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, offset);

	if (at == MAP_FAILED)
		return 0;
	position = __atomic_load_n((uint64_t *)at, __ATOMIC_ACQUIRE);
	munmap(at, page);
	return position;
}

double probe_ring_share(const struct probe *p, unsigned worker)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t taken = ring_position(p->ring_fds[worker], 0, page);
	uint64_t put = ring_position(p->ring_fds[worker], (off_t)page, page);

	return put > taken ? (double)(put - taken) / p->o->ring_bytes : 0;
}

int probe_flow_peek(const struct probe *p, const struct flow_key *key, struct flow_state *ret)
{
	return bpf_map_lookup_elem(p->states_fd, key, ret);
}

int probe_flow_take(const struct probe *p, const struct flow_key *key, struct flow_state *ret)
{
	return bpf_map_lookup_and_delete_elem(p->states_fd, key, ret);
}

int probe_flow_each(const struct probe *p, probe_flow_fn fn, void *ctx)
{
	const __u64 *site_key = (const __u64 *)p->o->site_key;
	struct flow_state *states = calloc(PROBE_BATCH, sizeof(*states));
	struct flow_key *keys = calloc(PROBE_BATCH, sizeof(*keys));
	__u32 position = 0, n, i;
	bool is_first = true;
	int err = -ENOMEM;

	if (!states || !keys)
		goto out;
	do {
		n = PROBE_BATCH;
		err = bpf_map_lookup_batch(p->states_fd, is_first ? NULL : &position, &position,
					   keys, states, &n, NULL);
		if (err && err != -ENOENT)
			goto out;
		for (i = 0; i < n; i++)
			fn(ctx, hash_key(&keys[i], site_key), &keys[i], &states[i]);
		is_first = false;
	} while (!err);
	err = 0; /* -ENOENT: the end of the map */
out:
	free(states);
	free(keys);
	return err;
}

/* Adds up one element over the CPUs, as @words 64-bit numbers. */
static int probe_sum(const struct probe *p, const struct bpf_map *map, __u32 index, __u64 *ret,
		     size_t words)
{
	const __u64 *value = p->percpu;
	size_t w;
	int err, cpu;

	memset(ret, 0, words * sizeof(*ret));
	err = bpf_map_lookup_elem(bpf_map__fd(map), &index, p->percpu);
	if (err)
		return err;
	for (cpu = 0; cpu < p->cpus; cpu++, value += words)
		for (w = 0; w < words; w++)
			ret[w] += value[w];
	return 0;
}

int probe_read_counters(const struct probe *p, struct flow_counter *ret)
{
	__u32 i;
	int err;

	for (i = 0; i < FLOW_COUNTERS_PER_IF * p->ifs_len; i++) {
		err = probe_sum(p, p->maps->maps.flow_counters, i, (__u64 *)&ret[i],
				sizeof(*ret) / 8);
		if (err)
			return err;
	}
	return 0;
}

int probe_read_costs(const struct probe *p, struct flow_cost *ret)
{
	__u32 i;
	int err;

	for (i = 0; i < FLOW_HOOK_MAX * p->ifs_len; i++) {
		err = probe_sum(p, p->maps->maps.flow_costs, i, (__u64 *)&ret[i],
				sizeof(*ret) / 8);
		if (err)
			return err;
	}
	return 0;
}

int probe_read_stats(const struct probe *p, struct flow_stats *ret)
{
	return probe_sum(p, p->maps->maps.flow_stats, 0, (__u64 *)ret, sizeof(*ret) / 8);
}

int probe_read_ring_stats(const struct probe *p, unsigned worker, struct flow_ring_stats *ret)
{
	return probe_sum(p, p->maps->maps.ring_stats, worker, (__u64 *)ret, sizeof(*ret) / 8);
}

/* The totals of all interfaces for other programs; a torn pair cannot be read, as an update
 * replaces the element. */
static void probe_mirror(const struct probe *p)
{
	struct xdp_stats stats = {};
	struct flow_counter c;
	__u32 zero = 0, slot, net, transport;

	for (slot = 0; slot < p->ifs_len; slot++)
		for (net = 0; net < FLOW_NET_MAX; net++)
			for (transport = 0; transport < FLOW_TRANSPORT_MAX; transport++) {
				if (probe_sum(
					p, p->maps->maps.flow_counters,
					flow_counter_index(slot, FLOW_RECEIVE, net, transport),
					(__u64 *)&c, sizeof(c) / 8))
					return;
				stats.rx_bytes += c.bytes;
				stats.rx_packets += flow_counter_pkts(&c);
			}
	bpf_map_update_elem(p->mirror_fd, &zero, &stats, BPF_ANY);
}

static void probe_check_interface(struct probe *p, struct probe_if *i)
{
	const char *name = atomic_load(&i->name)->name;
	struct ifreq req = {.ifr_ifindex = i->ifindex};
	bool is_up;

	if (i->is_gone)
		return;
	if (ioctl(p->ioctl_fd, SIOCGIFNAME, &req)) {
		i->is_gone = true;
		log_warn("%s is gone: its counters stay as they are", name);
		return;
	}
	if (strcmp(name, req.ifr_name) != 0 && !probe_set_name(i, req.ifr_name)) {
		log_info("%s is now called %s", name, req.ifr_name);
		name = atomic_load(&i->name)->name;
	}
	if (ioctl(p->ioctl_fd, SIOCGIFFLAGS, &req))
		return; /* renamed or removed this moment: the next look tells */
	is_up = req.ifr_flags & IFF_UP;
	if (is_up != i->is_up)
		log_info("%s is %s", name, is_up ? "up again" : "down: waiting for it");
	i->is_up = is_up;
}

size_t probe_tick(struct probe *p)
{
	size_t left = 0, i;

	for (i = 0; i < p->ifs_len; i++) {
		probe_check_interface(p, &p->ifs[i]);
		left += !p->ifs[i].is_gone;
	}
	probe_mirror(p);
	probe_tick_sampling(p);
	return left;
}
