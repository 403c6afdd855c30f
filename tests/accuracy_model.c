/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/accuracy_model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow.skel.h"
#include "tests/frames.h"
#include "user/flow_estimate.h"
#include "user/flow_growth.h"
#include "user/probe_impl.h"

#define LIVE_MAX 1024 /* flows of a class that take turns */
#define DRAIN_CALLS 128
#define RING_BYTES (4 << 20)
#define MAX_FLOWS 100000
#define FOREVER_NS 3600000000000ULL
#define HEADERS 54 /* where the payload may begin: Ethernet, IPv4, TCP */
#define ADDRESS_OFFSET 26
#define PORT_OFFSET 34
#define FLAGS_OFFSET 47

/* As in kern/sample.bpf.h. */
struct sample_state {
	uint64_t left, interval, random, taken, pkts, pad[3];
};

static const struct traffic {
	const char *name;
	uint8_t proto;
	uint16_t port;
	unsigned tenths; /* of the packets */
	double least, most, shape; /* of a flow's packets */
	uint16_t sizes[4]; /* of its frames, in equal shares */
} traffic[ACCURACY_CLASSES] = {
	[ACCURACY_WEB] = {"tcp https", IPPROTO_TCP, 443, 4, 3, 1000, 1.3, {66, 66, 583, 1514}},
	[ACCURACY_SSH] = {"tcp ssh", IPPROTO_TCP, 22, 2, 10, 1000, 1.3, {66, 90, 102, 330}},
	[ACCURACY_DNS] = {"udp domain", IPPROTO_UDP, 53, 1, 1, 4, 2, {74, 85, 130, 300}},
	[ACCURACY_VIDEO] =
		{"udp https", IPPROTO_UDP, 443, 2, 20, 2000, 1.3, {80, 1242, 1292, 1292}},
	[ACCURACY_NTP] = {"udp ntp", IPPROTO_UDP, 123, 1, 1, 4, 2, {90, 90, 90, 90}},
};

struct live_flow {
	uint32_t addr;
	uint16_t port;
	double left, pkts, bytes, n; /* N when it began */
};

struct accuracy {
	struct flow_bpf *skel;
	struct probe probe; /* as much of it as the sampling needs */
	struct options options;
	int ring_fd, prog_fd, cpus;
	struct ring_buffer *ring;
	struct flow_table *table;
	uint8_t frames[ACCURACY_CLASSES][1514];

	/* of the run */
	const struct accuracy_load *load;
	struct accuracy_result *result;
	uint64_t random, n;
	uint32_t mask; /* of addresses: the key */
	uint32_t begun, turn, calls;
	unsigned live_len;
	struct live_flow live[ACCURACY_CLASSES][LIVE_MAX];
};

static uint64_t random_next(struct accuracy *a)
{
	uint64_t x = a->random += 0x9E3779B97F4A7C15ULL;

	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
	return x ^ (x >> 31);
}

static double random_unit(struct accuracy *a) /* in 0..1, without 1 */
{
	return (double)(random_next(a) >> 11) / (double)(1ULL << 53);
}

static unsigned random_below(struct accuracy *a, unsigned n)
{
	return (unsigned)(random_unit(a) * n);
}

const char *accuracy_class_name(enum accuracy_class c)
{
	return traffic[c].name;
}

/* ---- what user space makes of it ---- */

static int on_record(void *ctx, void *data, size_t size)
{
	const struct flow_record *r = data;
	struct accuracy *a = ctx;

	if (size != flow_record_size(r->kind) || r->kind == FLOW_RECORD_PAYLOAD)
		return -EPROTO;
	flow_table_add(a->table, &r, 1, 0);
	return 0;
}

static int on_peek(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	return probe_flow_peek(&((struct accuracy *)ctx)->probe, key, ret);
}

static int on_take(void *ctx, const struct flow_key *key, struct flow_state *ret)
{
	return probe_flow_take(&((struct accuracy *)ctx)->probe, key, ret);
}

static enum accuracy_class class_of(const struct flow_key *key)
{
	uint16_t ports[2] = {ntohs(key->port[0]), ntohs(key->port[1])};
	uint16_t port = ports[0] < ports[1] ? ports[0] : ports[1];
	enum accuracy_class c = 0;

	while (c < ACCURACY_CLASSES - 1 &&
	       (traffic[c].proto != key->proto || traffic[c].port != port))
		c++;
	return c;
}

static void on_report(void *ctx, struct flow *f, const struct flow_report *r)
{
	struct accuracy *a = ctx;
	struct accuracy_sum *to = a->result->of[class_of(&f->key)];
	struct flow_growth growth;
	struct flow_counts counts;
	unsigned i;

	if (!r->estimate) {
		growth = flow_growth(f);
		to[ACCURACY_FLOWS].estimate += (double)growth.flows;
	}
	for (i = 0; i < 2; i++) {
		counts = r->estimate ? flow_sampled(f, r, i).estimated : growth.counts[i];
		to[ACCURACY_PACKETS].estimate += (double)counts.pkts;
		to[ACCURACY_BYTES].estimate += (double)counts.bytes;
		if (r->estimate && (f->totals[i].flags & FLOW_SAW_SYN))
			to[ACCURACY_FLOWS].estimate += (double)f->info.interval;
	}
}

static int start_table(struct accuracy *a)
{
	struct flow_table_opts opts = {
		.max_flows = MAX_FLOWS,
		.active_timeout_ns = FOREVER_NS,
		.idle_timeout_ns = FOREVER_NS,
		.tcp_idle_timeout_ns = FOREVER_NS,
		.by_packets = a->options.sample_mode == OPTIONS_SAMPLE_PACKET,
	};
	struct flow_table_ops ops = {
		.peek = on_peek, .take = on_take, .report = on_report, .ctx = a};

	return flow_table_create(&a->table, &opts, &ops);
}

/* The last totals of all flows; whether something is missing. */
static int finish_table(struct accuracy *a)
{
	struct flow_ring_stats rings[a->cpus];
	struct flow_table_stats stats;
	uint32_t zero = 0;
	int err, c;

	err = ring_buffer__consume(a->ring);
	if (err < 0)
		return err;
	flow_table_finish(a->table);
	flow_table_stats(a->table, &stats);
	if (stats.flows_incomplete || stats.flows_evicted)
		return -ENOBUFS;
	err = bpf_map_lookup_elem(bpf_map__fd(a->skel->maps.ring_stats), &zero, rings);
	for (c = 0; c < a->cpus && !err; c++)
		if (rings[c].lost_full)
			err = -ENOBUFS;
	return err;
}

/* ---- packets ---- */

/* @pkts of one flow, @is_reverse: from the server. */
static int send_pkts(struct accuracy *a, enum accuracy_class c, struct live_flow *f, unsigned pkts,
		     uint8_t flags, unsigned size, bool is_reverse)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = a->frames[c], .data_size_in = size,
		    .repeat = (int)pkts);
	uint32_t addr[2] = {f->addr ^ a->mask, htonl(0xc0000201) ^ a->mask};
	uint16_t port[2] = {htons(f->port), htons(traffic[c].port)};
	struct accuracy_sum *of = a->result->of[c];
	double n = (double)a->n;
	uint8_t *frame = a->frames[c];

	memcpy(frame + ADDRESS_OFFSET, &addr[is_reverse], 4);
	memcpy(frame + ADDRESS_OFFSET + 4, &addr[!is_reverse], 4);
	memcpy(frame + PORT_OFFSET, &port[is_reverse], 2);
	memcpy(frame + PORT_OFFSET + 2, &port[!is_reverse], 2);
	if (traffic[c].proto == IPPROTO_TCP)
		frame[FLAGS_OFFSET] = flags;
	if (bpf_prog_test_run_opts(a->prog_fd, &opts))
		return -errno;
	f->pkts += pkts;
	f->bytes += (double)pkts * size;
	f->left -= pkts;
	of[ACCURACY_PACKETS].truth += pkts;
	of[ACCURACY_BYTES].truth += (double)pkts * size;
	if (a->options.sample_mode == OPTIONS_SAMPLE_PACKET) {
		of[ACCURACY_PACKETS].variance += pkts * n;
		of[ACCURACY_BYTES].variance += (double)pkts * size * size * n;
		of[ACCURACY_PACKETS].samples += pkts / n;
		of[ACCURACY_BYTES].samples += pkts / n;
	}
	if (++a->calls % DRAIN_CALLS)
		return 0;
	return ring_buffer__consume(a->ring) < 0 ? -EPROTO : 0;
}

/* A flow is over, or the run: flow mode samples flows. */
static void end_flow(struct accuracy *a, enum accuracy_class c, struct live_flow *f)
{
	const double of_flow[ACCURACY_MEASURES] = {
		[ACCURACY_PACKETS] = f->pkts, [ACCURACY_BYTES] = f->bytes, [ACCURACY_FLOWS] = 1};
	bool by_packets = a->options.sample_mode == OPTIONS_SAMPLE_PACKET;
	struct accuracy_sum *to = a->result->of[c];
	int m;

	if (!f->pkts)
		return;
	if (!by_packets || traffic[c].proto == IPPROTO_TCP)
		to[ACCURACY_FLOWS].truth++;
	for (m = by_packets ? ACCURACY_FLOWS : 0; m < ACCURACY_MEASURES; m++) {
		to[m].variance += of_flow[m] * of_flow[m] * f->n;
		to[m].samples += 1 / f->n;
	}
}

static int begin_flow(struct accuracy *a, enum accuracy_class c, struct live_flow *f)
{
	const struct traffic *t = &traffic[c];
	double share = pow(t->least / t->most, t->shape);
	uint32_t i = a->begun++;

	end_flow(a, c, f);
	*f = (struct live_flow){.n = (double)a->n};
	f->left = floor(t->least * pow(1 - random_unit(a) * (1 - share), -1 / t->shape));
	if (a->load->is_periodic) {
		f->addr = htonl(0x0a000000 + i / 50000);
		f->port = (uint16_t)(1024 + i % 50000);
	} else {
		f->addr = (uint32_t)random_next(a);
		f->port = (uint16_t)(1024 + random_below(a, 64000));
	}
	if (t->proto != IPPROTO_TCP)
		return 0;
	return send_pkts(a, c, f, 1, FLOW_TCP_SYN, 74, false);
}

/* A train of one class; more than one flow if the first one ends. */
static int send_train(struct accuracy *a, enum accuracy_class c, double len)
{
	double end = a->result->of[c][ACCURACY_PACKETS].truth + len, pkts;
	struct live_flow *f;
	unsigned size;
	int err = 0;

	while (!err && (len = end - a->result->of[c][ACCURACY_PACKETS].truth) > 0) {
		f = &a->live[c][a->load->is_periodic ? a->turn++ % a->live_len
						     : random_below(a, a->live_len)];
		if (f->left <= 0) {
			err = begin_flow(a, c, f);
			continue;
		}
		pkts = len < f->left ? len : f->left;
		size = traffic[c].sizes[random_below(a, 4)];
		err = send_pkts(a, c, f, (unsigned)pkts, FLOW_TCP_ACK, size, random_below(a, 2));
	}
	return err;
}

static enum accuracy_class class_at(unsigned tenth)
{
	unsigned c = 0;

	while (tenth >= traffic[c].tenths)
		tenth -= traffic[c++].tenths;
	return (enum accuracy_class)c;
}

static int send_phase(struct accuracy *a)
{
	bool by_packets = a->options.sample_mode == OPTIONS_SAMPLE_PACKET;
	/* short against the gaps between samples, which are then as good as independent */
	double mean = !by_packets ? 32 : a->n <= 50 ? 1 : (double)a->n / 50;
	double sent, len;
	unsigned place = 0;
	int err = 0;

	for (sent = 0; sent < (double)a->load->pkts && !err; sent += len) {
		if (a->load->is_periodic) {
			len = (double)a->n / 10;
			err = send_train(a, class_at(place++ % 10), len);
		} else {
			len = mean > 1 ? 1 + floor(log1p(-random_unit(a)) / log1p(-1 / mean)) : 1;
			err = send_train(a, class_at(random_below(a, 10)), len);
		}
	}
	return err;
}

/* ---- a run ---- */

/* As a fresh start is: at @n, nothing before, nothing drawn. */
static int start_sampling(struct accuracy *a, uint64_t n, uint64_t seed)
{
	struct sample_state states[a->cpus];
	uint64_t threshold;
	uint32_t zero = 0;
	char th[15];
	int c;

	memset(states, 0, sizeof(states));
	for (c = 0; c < a->cpus; c++)
		states[c].random = seed * 0xD1342543DE82EF95ULL;
	a->skel->bss->sample_before = a->skel->bss->sample_ceiling = 0;
	options_sample_threshold(n, &threshold, th);
	a->skel->bss->sample_threshold = threshold;
	a->skel->bss->sample_interval = n;
	return bpf_map_update_elem(bpf_map__fd(a->skel->maps.sample_states), &zero, states,
				   BPF_ANY);
}

int accuracy_run(struct accuracy *a, const struct accuracy_load *load, struct accuracy_result *ret)
{
	unsigned c, i;
	uint64_t live;
	size_t phase;
	int err;

	memset(ret, 0, sizeof(*ret));
	memset(a->live, 0, sizeof(a->live));
	a->load = load;
	a->result = ret;
	a->random = load->seed * 0xA0761D6478BD642FULL;
	a->mask = (uint32_t)random_next(a);
	a->begun = a->turn = a->calls = 0;
	live = load->pkts / (load->phases > 1 ? 100 : 500); /* many are to be alive at a change */
	a->live_len = live < LIVE_MAX ? 1 + (unsigned)live : LIVE_MAX;
	err = start_sampling(a, load->n[0], load->seed);
	if (!err)
		err = start_table(a);
	for (phase = 0; phase < load->phases && !err; phase++) {
		a->n = load->n[phase];
		if (phase)
			probe_set_sampling(&a->probe, a->n);
		err = send_phase(a);
	}
	for (c = 0; c < ACCURACY_CLASSES; c++)
		for (i = 0; i < a->live_len; i++)
			end_flow(a, (enum accuracy_class)c, &a->live[c][i]);
	if (!err)
		err = finish_table(a);
	flow_table_destroy(a->table);
	a->table = NULL;
	return err;
}

/* ---- the object ---- */

static void make_frames(struct accuracy *a)
{
	static const char *const any = "192.0.2.1";
	struct frame f;
	int c;

	for (c = 0; c < ACCURACY_CLASSES; c++) {
		frame_begin(&f, 0x0800);
		frame_ipv4(&f, any, any, traffic[c].proto, 0, 0);
		/* By the IP length nothing is in it, what follows is padding: the same segment may
		 * come again and again without being one that was sent again. */
		if (traffic[c].proto == IPPROTO_TCP)
			frame_tcp(&f, 0, traffic[c].port, FLOW_TCP_ACK, 2, 0);
		else
			frame_udp(&f, 0, traffic[c].port, HEADERS - 42);
		memcpy(a->frames[c], f.data, HEADERS);
	}
}

static int load_programs(struct accuracy *a, uint64_t key_seed)
{
	struct bpf_program *prog;
	uint32_t zero = 0;
	int err, i;

	a->skel = flow_bpf__open();
	if (!a->skel)
		return -errno;
	bpf_object__for_each_program(prog, a->skel->obj)
		bpf_program__set_autoload(prog, prog == a->skel->progs.ringspan_tc_rx);
	bpf_map__set_max_entries(a->skel->maps.flow_counters, FLOW_COUNTERS_PER_IF);
	bpf_map__set_max_entries(a->skel->maps.flow_states, MAX_FLOWS);
	bpf_map__set_max_entries(a->skel->maps.flow_rings, 1);
	a->skel->rodata->sample_packets = a->options.sample_mode == OPTIONS_SAMPLE_PACKET;
	a->random = key_seed;
	for (i = 0; i < 4; i++)
		((uint64_t *)a->skel->rodata->site_key)[i] = random_next(a);
	err = flow_bpf__load(a->skel);
	if (err)
		return err;
	a->prog_fd = bpf_program__fd(a->skel->progs.ringspan_tc_rx);
	a->probe = (struct probe){.o = &a->options,
				  .maps = a->skel,
				  .states_fd = bpf_map__fd(a->skel->maps.flow_states)};
	a->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "accuracy", 0, 0, RING_BYTES, NULL);
	if (a->ring_fd < 0)
		return -errno;
	err = bpf_map_update_elem(bpf_map__fd(a->skel->maps.flow_rings), &zero, &a->ring_fd,
				  BPF_ANY);
	if (err)
		return err;
	a->ring = ring_buffer__new(a->ring_fd, on_record, a, NULL);
	return a->ring ? 0 : -errno;
}

int accuracy_open(struct accuracy **ret, bool by_packets, uint64_t key_seed)
{
	struct accuracy *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->ring_fd = -1;
	a->cpus = libbpf_num_possible_cpus();
	a->options.sample_mode = by_packets ? OPTIONS_SAMPLE_PACKET : OPTIONS_SAMPLE_FLOW;
	make_frames(a);
	err = load_programs(a, key_seed);
	if (err)
		goto fail;
	*ret = a;
	return 0;
fail:
	accuracy_close(a);
	return err;
}

void accuracy_close(struct accuracy *a)
{
	if (!a)
		return;
	ring_buffer__free(a->ring);
	if (a->ring_fd >= 0)
		close(a->ring_fd);
	flow_bpf__destroy(a->skel);
	free(a);
}
