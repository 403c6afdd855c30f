/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kern_fixture.h"
#include "kern/flow_hash.h"
#include "user/ring.h"

#include <cmocka.h>
#include <linux/pkt_cls.h>

static const uint64_t test_key[4] = {0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110,
				     0x1f1e1d1c1b1a1918};

static void kern_record(void *ctx, const void *data, size_t size)
{
	const struct flow_record *r = data;
	struct kern *k = ctx;

	assert_int_equal(size, flow_record_size(r->kind));
	if (r->kind == FLOW_RECORD_PAYLOAD)
		memcpy(&k->payload, data, size);
	assert_true(k->records_len < KERN_RECORDS_MAX);
	assert_true(r->hash == hash_key(&r->key, k->skel->rodata->site_key));
	memcpy(&k->records[k->records_len++], r,
	       size < sizeof(k->records[0]) ? size : sizeof(k->records[0]));
}

struct kern *kern_open(struct kern_opts o)
{
	struct kern *k = calloc(1, sizeof(*k));
	uint32_t zero = 0;

	assert_non_null(k);
	k->skel = flow_bpf__open();
	assert_non_null(k->skel);
	bpf_map__set_max_entries(k->skel->maps.flow_counters, FLOW_COUNTERS_PER_IF);
	bpf_map__set_max_entries(k->skel->maps.flow_states, o.max_flows ? o.max_flows : 65536);
	bpf_map__set_max_entries(k->skel->maps.flow_rings, 1);
	k->skel->rodata->if_is_looped = o.is_looped;
	k->skel->rodata->if_is_l3 = o.is_l3;
	memcpy((void *)k->skel->rodata->site_key, test_key, sizeof(test_key));
	if (o.prepare)
		o.prepare(k->skel);
	assert_int_equal(flow_bpf__load(k->skel), 0);
	k->skel->bss->sample_threshold = o.threshold;
	k->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "test_ring", 0, 0,
				    o.ring_bytes ? o.ring_bytes : 4 << 20, NULL);
	assert_true(k->ring_fd >= 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(k->skel->maps.flow_rings), &zero,
					     &k->ring_fd, BPF_ANY),
			 0);
	assert_int_equal(ring_open(&k->ring, k->ring_fd, o.ring_bytes ? o.ring_bytes : 4 << 20), 0);
	k->cpus = libbpf_num_possible_cpus();
	k->percpu = calloc(k->cpus, sizeof(*k->percpu));
	assert_non_null(k->percpu);
	return k;
}

void kern_close(struct kern *k)
{
	ring_close(k->ring);
	close(k->ring_fd);
	flow_bpf__destroy(k->skel);
	free(k->percpu);
	free(k);
}

void kern_xdp(struct kern *k, const struct frame *f, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		    .repeat = repeat);

	assert_int_equal(
		bpf_prog_test_run_opts(bpf_program__fd(k->skel->progs.ringspan_xdp), &opts), 0);
	assert_int_equal(opts.retval, XDP_PASS);
}

bool kern_try_tc(const struct bpf_program *prog, const struct frame *f, struct __sk_buff *skb)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->data, .data_size_in = f->len,
		    .repeat = 1);

	if (skb) {
		opts.ctx_in = skb;
		opts.ctx_size_in = sizeof(*skb);
	}
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts)) {
		assert_int_equal(errno, EINVAL);
		return false;
	}
	assert_int_equal((int)opts.retval, TC_ACT_UNSPEC);
	return true;
}

void kern_tc(const struct bpf_program *prog, const struct frame *f, struct __sk_buff *skb)
{
	assert_true(kern_try_tc(prog, f, skb));
}

void kern_drain(struct kern *k)
{
	k->records_len = 0;
	ring_drain(k->ring, SIZE_MAX, kern_record, k);
}

static void kern_sum(struct kern *k, const struct bpf_map *map, uint32_t index, void *ret,
		     size_t size)
{
	uint64_t *sum = ret, *value = (uint64_t *)k->percpu;
	size_t i;
	int c;

	memset(ret, 0, size);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &index, k->percpu), 0);
	for (c = 0; c < k->cpus; c++)
		for (i = 0; i < size / 8; i++)
			sum[i] += *value++;
}

struct flow_counter kern_counter(struct kern *k, enum flow_hook hook, uint32_t net,
				 uint32_t transport)
{
	struct flow_counter c;

	kern_sum(k, k->skel->maps.flow_counters, flow_counter_index(0, hook, net, transport), &c,
		 sizeof(c));
	return c;
}

struct flow_counter kern_total(struct kern *k, enum flow_hook hook)
{
	struct flow_counter sum = {}, c;
	uint32_t net, transport;
	unsigned s;

	for (net = 0; net < FLOW_NET_MAX; net++)
		for (transport = 0; transport < FLOW_TRANSPORT_MAX; transport++) {
			c = kern_counter(k, hook, net, transport);
			assert_int_equal(flow_counter_pkts(&c),
					 c.kept + c.not_kept + c.no_flow + c.filtered);
			sum.bytes += c.bytes;
			sum.kept += c.kept;
			sum.not_kept += c.not_kept;
			sum.no_flow += c.no_flow;
			sum.filtered += c.filtered;
			for (s = 0; s < FLOW_SIZE_SLOTS; s++)
				sum.size[s] += c.size[s];
		}
	return sum;
}

struct flow_cost kern_cost(struct kern *k, enum flow_hook hook)
{
	struct flow_cost c;

	kern_sum(k, k->skel->maps.flow_costs, hook, &c, sizeof(c));
	return c;
}

uint64_t kern_stat(struct kern *k, enum flow_stat which)
{
	struct flow_stats s;

	kern_sum(k, k->skel->maps.flow_stats, 0, &s, sizeof(s));
	return s.stat[which];
}

struct flow_ring_stats kern_ring_stats(struct kern *k)
{
	struct flow_ring_stats s;

	kern_sum(k, k->skel->maps.ring_stats, 0, &s, sizeof(s));
	return s;
}

const struct flow_record *kern_last_of_kind(const struct kern *k, uint8_t kind)
{
	size_t i;

	for (i = k->records_len; i-- > 0;)
		if (k->records[i].record.kind == kind)
			return &k->records[i].record;
	return NULL;
}
