/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the XDP program costs a packet, as a ratio to a program that does nothing, both timed by
 * BPF_PROG_RUN in turn (bare, ours, bare). A sample during which somebody's BPF statistics were
 * switched on is thrown away, as they cost more than the program, and it is waited until they are
 * off.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bare.skel.h"
#include "bench/bare.h"
#include "bench/bench.h"
#include "flow.skel.h"
#include "kern/flow_abi.h"
#include "tests/frames.h"
#include "user/filter.h"

#define BENCH_RUNS 11
#define QUIET_S 120
#define CPUS_MAX 1024

struct bench {
	struct bare_bpf *bare;
	int ring;
};

static uint64_t bench_run_count(int fd)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.run_cnt;
}

/* How often a program runs for one figure. */
static int bench_repeat(void)
{
	return bench_runs(BENCH_RUNS) < BENCH_RUNS ? 200000 : 500000;
}

/* A program, and how it is run. */
struct side {
	struct flow_bpf *ours; /* NULL: the bare one */
	int fd;
	uint64_t knob; /* the threshold; in packet mode N */
	const struct frame *f;
	bool is_told; /* each packet is a record */
};

/* Nobody reads while a program runs, and a full ring is cheaper than one with room: as many runs at
 * once as there is room for. */
static unsigned side_slices(const struct side *s)
{
	return s->is_told ? 16 : 1;
}

/* Thread CPU ns per run; negative: spoiled or failed. */
static double bench_once(const struct side *s, struct ring_buffer *ring)
{
	unsigned slices = side_slices(s), i;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->f->data, .data_size_in = s->f->len,
		    .repeat = bench_repeat() / (int)slices);
	uint64_t runs = bench_run_count(s->fd);
	double total = 0, start;

	if (s->ours && s->ours->rodata->sample_packets)
		s->ours->bss->sample_interval = s->knob;
	else if (s->ours)
		s->ours->bss->sample_threshold = s->knob;
	for (i = 0; i < slices; i++) {
		ring_buffer__consume(ring);
		start = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
		if (bpf_prog_test_run_opts(s->fd, &opts))
			return -1;
		total += bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	}
	if (bench_run_count(s->fd) != runs)
		return -1;
	return total / (opts.repeat * (double)slices);
}

/* Until nobody's BPF statistics are on; longer than QUIET_S ends the process. */
static void bench_wait(const struct side *s)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = s->f->data, .data_size_in = s->f->len,
		    .repeat = 1);
	double end = bench_now_ns(CLOCK_MONOTONIC) + QUIET_S * 1e9;
	uint64_t runs;

	do {
		if (bench_now_ns(CLOCK_MONOTONIC) > end)
			errx(EXIT_FAILURE, "BPF statistics have been on for %d s", QUIET_S);
		usleep(100000);
		runs = bench_run_count(s->fd);
		if (bpf_prog_test_run_opts(s->fd, &opts))
			err(EXIT_FAILURE, "BPF_PROG_RUN");
	} while (bench_run_count(s->fd) != runs);
}

static int skip_record(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

/* Times the reference, and ns of the candidate; how many of each. */
static size_t bench_sides(const struct side *reference, const struct side *candidate, int ring_fd,
			  double *ratio, double *ns)
{
	struct ring_buffer *ring = ring_buffer__new(ring_fd, skip_record, NULL, NULL);
	size_t runs = bench_runs(BENCH_RUNS), len = 0, tries;
	double before, own, after;

	if (!ring)
		return 0;
	bench_once(candidate, ring);
	for (tries = 0; len < runs && tries < 10 * runs; tries++) {
		before = bench_once(reference, ring);
		own = bench_once(candidate, ring);
		after = bench_once(reference, ring);
		if (before < 0 || own < 0 || after < 0) {
			bench_wait(reference);
			continue;
		}
		ns[len] = own;
		ratio[len++] = own / ((before + after) / 2);
	}
	ring_buffer__free(ring);
	if (!len)
		errx(EXIT_FAILURE, "no clean sample: BPF statistics are switched on");
	return len;
}

/* The targets of design 9, in times a bare program. */
static const struct {
	const char *name;
	double target;
} bench_targets[] = {
	{"packet mode 1/1000, IPv4", 1.6}, {"packet mode 1/100, IPv4", 1.8},
	{"packet mode 1/10, IPv4", 2.6},   {"packet mode 1/1, IPv4", 10},
	{"flow mode 1/1000, IPv4", 1.8},   {"flow mode 1/100, IPv4", 2.1},
	{"not kept, IPv4", 1.8},
};

static void bench_print(const char *name, double *ratio, double *ns, size_t len)
{
	struct bench_row row = {.name = name, .unit = "x bare", .better = BENCH_LOWER, 0};
	char ns_name[80];
	size_t i;

	for (i = 0; i < sizeof(bench_targets) / sizeof(*bench_targets); i++)
		if (!strcmp(bench_targets[i].name, name)) {
			row.better = BENCH_AT_MOST;
			row.target = bench_targets[i].target;
		}
	bench_row(&row, ratio, len);
	snprintf(ns_name, sizeof(ns_name), "%s, CPU a packet", name);
	bench_row(&(struct bench_row){ns_name, "ns", BENCH_LOWER, 0}, ns, len);
}

static struct side side_of(struct flow_bpf *ours, uint64_t knob, const struct frame *f)
{
	return (struct side){ours, bpf_program__fd(ours->progs.ringspan_xdp), knob, f, false};
}

/* @knob: the threshold; in packet mode N. */
static void bench_case(const char *name, struct flow_bpf *ours, struct bench *b, uint64_t knob,
		       const struct frame *f)
{
	struct side candidate = side_of(ours, knob, f);
	struct side reference = {NULL, bpf_program__fd(b->bare->progs.bare_pass), 0, f, false};
	double ratio[BENCH_RUNS], ns[BENCH_RUNS];
	size_t len = bench_sides(&reference, &candidate, b->ring, ratio, ns);

	if (len)
		bench_print(name, ratio, ns, len);
}

/* One of ours against another of ours. */
static void bench_pair(const char *name, double target, int ring, const struct side *reference,
		       const struct side *candidate)
{
	struct bench_row row = {name, "x", BENCH_AT_MOST, target};
	double ratio[BENCH_RUNS], ns[BENCH_RUNS];
	size_t len = bench_sides(reference, candidate, ring, ratio, ns);

	if (len)
		bench_row(&row, ratio, len);
}

/* What our program costs above an empty one where each packet is of another flow, by chance, and
 * one flow in N is kept: what makes the flows is on both sides, and taken off. As a ratio to a bare
 * program. */
static void bench_flow_mode(struct flow_bpf *ours, struct bench *b, unsigned n,
			    const struct frame *f)
{
	struct side bare = {NULL, bpf_program__fd(b->bare->progs.bare_pass), 0, f, false};
	struct side reference = {NULL, bpf_program__fd(b->bare->progs.bare_vary_pass), 0, f, false};
	struct side candidate = {ours, bpf_program__fd(b->bare->progs.bare_vary_ours),
				 FLOW_R_MASK - FLOW_R_MASK / n, f, false};
	struct ring_buffer *ring = ring_buffer__new(b->ring, skip_record, NULL, NULL);
	double ratio[BENCH_RUNS], ns[BENCH_RUNS], before, own, after, nothing;
	size_t runs = bench_runs(BENCH_RUNS), len = 0, tries;
	char name[64];

	if (!ring)
		return;
	bench_once(&candidate, ring);
	for (tries = 0; len < runs && tries < 10 * runs; tries++) {
		before = bench_once(&reference, ring);
		own = bench_once(&candidate, ring);
		after = bench_once(&reference, ring);
		nothing = bench_once(&bare, ring);
		if (before < 0 || own < 0 || after < 0 || nothing < 0) {
			bench_wait(&bare);
			continue;
		}
		ns[len] = nothing + own - (before + after) / 2;
		ratio[len] = ns[len] / nothing;
		len++;
	}
	ring_buffer__free(ring);
	snprintf(name, sizeof(name), "flow mode 1/%u, IPv4", n);
	if (len)
		bench_print(name, ratio, ns, len);
}

/* The programs that those of bare.bpf.c go on to. */
static int bench_go_on(struct bench *b, const struct flow_bpf *ours)
{
	const int fds[BARE_NEXT_MAX] = {
		[BARE_NEXT_PASS] = bpf_program__fd(b->bare->progs.bare_pass),
		[BARE_NEXT_OURS] = bpf_program__fd(ours->progs.ringspan_xdp),
	};
	uint32_t i;

	for (i = 0; i < BARE_NEXT_MAX; i++)
		if (bpf_map_update_elem(bpf_map__fd(b->bare->maps.bare_next), &i, &fds[i], BPF_ANY))
			return -1;
	return 0;
}

static uint64_t records_of(const struct flow_bpf *ours)
{
	struct flow_ring_stats stats[CPUS_MAX];
	uint64_t count = 0;
	uint32_t zero = 0;
	int i, cpus = libbpf_num_possible_cpus();

	if (cpus > CPUS_MAX ||
	    bpf_map_lookup_elem(bpf_map__fd(ours->maps.ring_stats), &zero, stats))
		return 0;
	for (i = 0; i < cpus; i++)
		count += stats[i].submitted + stats[i].lost_full;
	return count;
}

/* Records of a million packets. */
static double records_rate(struct bench *b, const struct side *s)
{
	struct ring_buffer *ring = ring_buffer__new(b->ring, skip_record, NULL, NULL);
	uint64_t before = records_of(s->ours);

	if (!ring)
		err(EXIT_FAILURE, "ring");
	bench_once(s, ring);
	ring_buffer__free(ring);
	return (double)(records_of(s->ours) - before) * 1e6 / bench_repeat();
}

/* One flow that is all the traffic, all of it kept: a record now and then instead of one for each
 * packet, as there is one for each with RST. */
static void bench_elephant(struct flow_bpf *ours, struct bench *b, const struct frame *ack,
			   const struct frame *rst)
{
	struct side thinned = side_of(ours, 0, ack), each = side_of(ours, 0, rst);
	struct bench_row row = {"one elephant at 1/1: records of a million packets", "",
				BENCH_AT_MOST, 100};

	each.is_told = true;
	if (records_rate(b, &each) < 999999)
		errx(EXIT_FAILURE, "the reference is not a record for each packet");
	records_rate(b, &thinned); /* the flow's beginning */
	bench_row_one(&row, records_rate(b, &thinned));
	bench_pair("one elephant at 1/1: against a record for each packet", 0.75, b->ring, &each,
		   &thinned);
}

/* The programs with a filter; NULL: none. Returns NULL if they are refused. */
static struct flow_bpf *bench_load(const char *filter, bool by_packets, bool decap, int ring)
{
	struct flow_bpf *ours = flow_bpf__open();
	struct filter_program program = {.len = 0};
	char why[FILTER_WHY_CAP];
	uint32_t zero = 0;

	if (!ours || (filter && filter_parse(&program, filter, why)))
		goto fail;
	memcpy((void *)&ours->rodata->filter, &program, sizeof(program));
	bpf_map__set_max_entries(ours->maps.flow_states, 65536);
	ours->rodata->sample_packets = by_packets;
	ours->rodata->decap = decap;
	if (flow_bpf__load(ours) ||
	    bpf_map_update_elem(bpf_map__fd(ours->maps.flow_rings), &zero, &ring, BPF_ANY))
		goto fail;
	return ours;
fail:
	flow_bpf__destroy(ours);
	return NULL;
}

/* The same packets, not kept: judged by one condition after the other. */
static int bench_filters(struct bench *b, const struct frame *tcp4, const struct frame *tcp6)
{
	static const struct {
		const char *name, *filter;
	} filters[] = {
		{"tcp port 443", "tcp port 443"},
		{"16 ports",
		 "port 1 or port 2 or port 3 or port 4 or port 5 or port 6 or port 7 or "
		 "port 8 or port 9 or port 10 or port 11 or port 12 or port 13 or "
		 "port 14 or port 15 or port 16"},
		{"16 nets", "net 1.0.0.0/8 or net 2.0.0.0/8 or net 3.0.0.0/8 or net 4.0.0.0/8 or "
			    "net 5.0.0.0/8 or net 6.0.0.0/8 or net 7.0.0.0/8 or net 8.0.0.0/8 or "
			    "net fd01::/16 or net fd02::/16 or net fd03::/16 or net fd04::/16 or "
			    "net fd05::/16 or net fd06::/16 or net fd07::/16 or net fd08::/16"},
	};
	struct flow_bpf *ours;
	char name[64];
	size_t i;

	for (i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		ours = bench_load(filters[i].filter, false, false, b->ring);
		if (!ours)
			return -1;
		snprintf(name, sizeof(name), "%s, IPv4 TCP", filters[i].name);
		bench_case(name, ours, b, FLOW_R_MASK, tcp4);
		snprintf(name, sizeof(name), "%s, IPv6 TCP", filters[i].name);
		bench_case(name, ours, b, FLOW_R_MASK, tcp6);
		flow_bpf__destroy(ours);
	}
	return 0;
}

/* What looking for tunnels costs packets that are none, and those that are. */
static int bench_tunnels(struct bench *b, const struct frame *tcp4)
{
	struct flow_bpf *ours = bench_load(NULL, false, true, b->ring);
	static struct frame vxlan, icmp;

	if (!ours)
		return -1;
	frame_begin(&vxlan, 0x0800);
	frame_ipv4(&vxlan, "192.0.2.1", "192.0.2.2", 17, 0, 0);
	frame_udp(&vxlan, 50000, 4789, 8 + tcp4->len);
	memcpy(vxlan.data + vxlan.len - tcp4->len - 8, "\x08\0\0\0\0\0\x07\0", 8);
	memcpy(vxlan.data + vxlan.len - tcp4->len, tcp4->data, tcp4->len);
	frame_make(&icmp, FRAME_IPV4_ICMP_ECHO);
	bench_case("decap, not kept, IPv4 TCP", ours, b, FLOW_R_MASK, tcp4);
	bench_case("decap, not kept, VXLAN", ours, b, FLOW_R_MASK, &vxlan);
	bench_case("decap, kept, IPv4 TCP", ours, b, 0, tcp4);
	bench_case("decap, kept, VXLAN", ours, b, 0, &vxlan);
	bench_case("not kept, ICMP echo", ours, b, FLOW_R_MASK, &icmp);
	flow_bpf__destroy(ours);
	return 0;
}

int main(void)
{
	struct bench b = {
		.bare = bare_bpf__open_and_load(),
		.ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bench_ring", 0, 0, 16 << 20, NULL)};
	struct flow_bpf *ours = bench_load(NULL, false, false, b.ring);
	struct flow_bpf *packets = bench_load(NULL, true, false, b.ring);
	static struct frame ipv4, ipv6, tagged, tcp4, tcp6, stamped, syn, rst;
	struct side reference, candidate;

	if (!ours || !packets || !b.bare || bench_go_on(&b, ours))
		goto fail;
	bench_print_machine();
	frame_make(&ipv4, FRAME_IPV4_UDP);
	frame_make(&ipv6, FRAME_IPV6_UDP);
	frame_make(&tagged, FRAME_QINQ_IPV6_UDP);
	frame_make(&tcp4, FRAME_IPV4_TCP);
	frame_make(&tcp6, FRAME_IPV6_TCP);
	frame_begin(&stamped, 0x0800);
	frame_ipv4(&stamped, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(&stamped, 41235, 80, FLOW_TCP_ACK, 1000, 32);
	memcpy(stamped.data + stamped.len - 32, "\x01\x01\x08\x0a\0\0\0\x09\0\0\0\x07", 12);
	stamped.data[stamped.len - 32 - 8] = 0x80; /* twelve bytes of it are timestamps */
	frame_begin(&rst, 0x0800);
	frame_ipv4(&rst, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(&rst, 41236, 80, FLOW_TCP_ACK | FLOW_TCP_RST, 1000, 0);
	frame_begin(&syn, 0x0800);
	frame_ipv4(&syn, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(&syn, 41234, 80, FLOW_TCP_SYN, 1000, 0);
	bench_case("not kept, IPv4", ours, &b, FLOW_R_MASK, &ipv4);
	bench_case("not kept, IPv6", ours, &b, FLOW_R_MASK, &ipv6);
	bench_case("not kept, QinQ + IPv6", ours, &b, FLOW_R_MASK, &tagged);
	bench_case("not kept, IPv4 TCP", ours, &b, FLOW_R_MASK, &tcp4);
	bench_case("not kept, IPv6 TCP", ours, &b, FLOW_R_MASK, &tcp6);
	bench_case("not kept, IPv4 TCP SYN", ours, &b, FLOW_R_MASK, &syn);
	bench_case("kept, one hot flow, IPv4", ours, &b, 0, &ipv4);
	bench_case("kept, one hot flow, TCP", ours, &b, 0, &tcp4);
	bench_case("kept, TCP with timestamps", ours, &b, 0, &stamped);
	bench_flow_mode(ours, &b, 1000, &ipv4);
	bench_flow_mode(ours, &b, 100, &ipv4);
	bench_case("packet mode 1/1000, IPv4", packets, &b, 1000, &ipv4);
	bench_case("packet mode 1/100, IPv4", packets, &b, 100, &ipv4);
	bench_case("packet mode 1/10, IPv4", packets, &b, 10, &ipv4);
	bench_case("packet mode 1/1, IPv4", packets, &b, 1, &ipv4);
	bench_case("packet mode 1/100, IPv6", packets, &b, 100, &ipv6);
	reference = side_of(ours, FLOW_R_MASK, &ipv4);
	candidate = side_of(ours, FLOW_R_MASK, &tagged);
	bench_pair("not kept, QinQ + IPv6 against IPv4", 1.15, b.ring, &reference, &candidate);
	bench_elephant(ours, &b, &tcp4, &rst);
	flow_bpf__destroy(packets);
	if (bench_tunnels(&b, &tcp4) || bench_filters(&b, &tcp4, &tcp6))
		goto fail;
	flow_bpf__destroy(ours);
	bare_bpf__destroy(b.bare);
	return EXIT_SUCCESS;
fail:
	fprintf(stderr, "bench_kern: cannot load the programs (root?)\n");
	return EXIT_FAILURE;
}
