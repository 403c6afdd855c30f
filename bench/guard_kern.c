/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard_kern - BPF instructions and helper calls that packets cost, for bench/guard.py.
 *
 *	guard_kern --key  the compiler of the BPF programs
 *	guard_kern        lines of a row, a tab, a number; 77 if programs may not be loaded
 *
 * The numbers are those of the programs as libbpf loads them, run in user space (bpf_run): the same
 * on every machine and kernel. The verifier removes dead code and puts some helpers in line after
 * that, and a JIT makes something else of all of it: they tell changes, not nanoseconds.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bpf_run.h"
#include "flow.skel.h"
#include "kern/flow_abi.h"
#include "tests/frames.h"
#include "user/filter.h"

#define SKIP 77
#define PACKETS 4000

#define NETS                                                                                       \
	"net 1.0.0.0/8 or net 2.0.0.0/8 or net 3.0.0.0/8 or net 4.0.0.0/8 or net 5.0.0.0/8 or "    \
	"net 6.0.0.0/8 or net fd01::/16 or net fd02::/16"

/* Interfaces' programs as they are loaded. */
struct setting {
	const char *filter; /* NULL: none */
	bool by_packets, decap;
};

enum shape {
	UDP4,
	UDP6,
	QINQ_UDP6,
	TCP4,
	TCP6,
	TCP4_STAMPED,
	TCP4_SYN,
	ICMP_ECHO,
	VXLAN_TCP4,
	SHAPES
};

struct scenario {
	const char *name;
	enum shape shape;
	uint64_t knob; /* the threshold; in packet mode N */
	bool is_new; /* each packet begins a flow */
	bool is_tc;
	uint64_t kept_min, kept_max; /* of PACKETS */
};

static struct frame frames[SHAPES];

static void make_frames(void)
{
	struct frame *f = &frames[TCP4_STAMPED], *inner = &frames[TCP4];

	frame_make(&frames[UDP4], FRAME_IPV4_UDP);
	frame_make(&frames[UDP6], FRAME_IPV6_UDP);
	frame_make(&frames[QINQ_UDP6], FRAME_QINQ_IPV6_UDP);
	frame_make(&frames[TCP4], FRAME_IPV4_TCP);
	frame_make(&frames[TCP6], FRAME_IPV6_TCP);
	frame_make(&frames[ICMP_ECHO], FRAME_IPV4_ICMP_ECHO);
	frame_begin(f, 0x0800);
	frame_ipv4(f, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(f, 41235, 80, FLOW_TCP_ACK, 1000, 32);
	memcpy(f->data + f->len - 32, "\x01\x01\x08\x0a\0\0\0\x09\0\0\0\x07", 12);
	f->data[f->len - 32 - 8] = 0x80; /* twelve bytes of it are timestamps */
	f = &frames[TCP4_SYN];
	frame_begin(f, 0x0800);
	frame_ipv4(f, "10.1.0.1", "10.1.0.2", 6, 0, 0);
	frame_tcp(f, 41234, 80, FLOW_TCP_SYN, 1000, 0);
	f = &frames[VXLAN_TCP4];
	frame_begin(f, 0x0800);
	frame_ipv4(f, "192.0.2.1", "192.0.2.2", 17, 0, 0);
	frame_udp(f, 50000, 4789, 8 + inner->len);
	memcpy(f->data + f->len - inner->len - 8, "\x08\0\0\0\0\0\x07\0", 8);
	memcpy(f->data + f->len - inner->len, inner->data, inner->len);
}

static struct flow_bpf *load(const struct setting *s)
{
	struct flow_bpf *skel = flow_bpf__open();
	struct filter_program program = {.len = 0};
	static const uint64_t key[4] = {0x0706050403020100, 0x0f0e0d0c0b0a0908, 3, 4};
	char why[FILTER_WHY_CAP];
	int error;

	if (!skel || (s->filter && filter_parse(&program, s->filter, why)))
		errx(EXIT_FAILURE, "cannot open the programs");
	bpf_map__set_max_entries(skel->maps.flow_states, PACKETS);
	memcpy((void *)skel->rodata->site_key, key, sizeof(key));
	memcpy((void *)&skel->rodata->filter, &program, sizeof(program));
	skel->rodata->sample_packets = s->by_packets;
	skel->rodata->decap = s->decap;
	error = flow_bpf__load(skel);
	if (!error)
		return skel;
	flow_bpf__destroy(skel);
	if (error == -EPERM) {
		puts("BPF programs cannot be loaded here: it takes root");
		exit(SKIP);
	}
	errx(EXIT_FAILURE, "the programs are refused: %s", strerror(-error));
}

/* The programs' own counters tell whether they went the way that the name says. */
static void check_counts(struct bpf_run *r, const struct flow_bpf *skel, const struct scenario *s)
{
	uint64_t pkts = 0, kept = 0;
	uint32_t i;

	for (i = 0; i < FLOW_COUNTERS_PER_IF; i++) {
		const struct flow_counter *c = bpf_run_element(r, skel->maps.flow_counters, i);

		pkts += flow_counter_pkts(c);
		kept += c->kept;
	}
	if (pkts != PACKETS || kept < s->kept_min || kept > s->kept_max)
		errx(EXIT_FAILURE, "%s: %llu packets were counted, %llu kept", s->name,
		     (unsigned long long)pkts, (unsigned long long)kept);
}

static void run(struct flow_bpf *skel, const struct scenario *s)
{
	struct bpf_run *r = bpf_run_create(skel->obj);
	struct frame f = frames[s->shape];
	struct bpf_run_counts c;
	unsigned i;

	skel->bss->sample_threshold = skel->bss->sample_interval = s->knob;
	memset((void *)skel->bss->cost_tick, 0, sizeof(skel->bss->cost_tick));
	for (i = 0; i < PACKETS; i++) {
		if (s->is_new) { /* in the source port */
			f.data[f.l3 + 20] = 0x80 | i >> 8;
			f.data[f.l3 + 21] = i;
		}
		bpf_run_packet(r, f.data, f.len);
		if (s->is_tc)
			bpf_run_tc(r, skel->progs.ringspan_tc_rx);
		else
			bpf_run_xdp(r, skel->progs.ringspan_xdp);
	}
	check_counts(r, skel, s);
	c = bpf_run_counts(r);
	printf("%s: instructions\t%.3f\n", s->name, (double)c.instructions / PACKETS);
	printf("%s: helper calls\t%.3f\n", s->name, (double)c.helpers / PACKETS);
	printf("%s: records\t%.4f\n", s->name, (double)c.records / PACKETS);
	bpf_run_destroy(r);
}

static void run_all(struct setting setting, const struct scenario *list, size_t len)
{
	struct flow_bpf *skel = load(&setting);

	for (; len--; list++)
		run(skel, list);
	flow_bpf__destroy(skel);
}
#define LEN(list) (sizeof(list) / sizeof(*(list)))

#define NONE .knob = FLOW_R_MASK, .kept_max = 0
#define ALL .knob = 0, .kept_min = PACKETS, .kept_max = PACKETS
#define ONE_IN(n) .knob = (n), .kept_min = PACKETS / (n) / 2, .kept_max = 2 * PACKETS / (n)

static const struct scenario flow_mode[] = {
	{"not kept, IPv4 UDP", UDP4, NONE},
	{"not kept, IPv6 UDP", UDP6, NONE},
	{"not kept, QinQ + IPv6 UDP", QINQ_UDP6, NONE},
	{"not kept, IPv4 TCP", TCP4, NONE},
	{"not kept, IPv6 TCP", TCP6, NONE},
	{"not kept, ICMP echo", ICMP_ECHO, NONE},
	{"not kept, IPv4 TCP, TC", TCP4, NONE, .is_tc = true},
	{"kept, one flow, IPv4 UDP", UDP4, ALL},
	{"kept, one flow, IPv4 TCP", TCP4, ALL},
	{"kept, one flow, TCP with timestamps", TCP4_STAMPED, ALL},
	{"kept, one flow, IPv4 TCP, TC", TCP4, ALL, .is_tc = true},
	{"kept, new flows, IPv4 UDP", UDP4, ALL, .is_new = true},
	{"kept, new flows, IPv4 TCP SYN", TCP4_SYN, ALL, .is_new = true},
};
static const struct scenario packet_mode[] = {
	{"packet mode 1/1000, IPv4 UDP", UDP4, ONE_IN(1000)},
	{"packet mode 1/10, IPv4 UDP", UDP4, ONE_IN(10)},
	{"packet mode 1/1, IPv4 UDP", UDP4, ONE_IN(1)},
};
static const struct scenario decap[] = {
	{"decap, not kept, IPv4 TCP", TCP4, NONE},
	{"decap, not kept, VXLAN", VXLAN_TCP4, NONE},
	{"decap, kept, VXLAN", VXLAN_TCP4, ALL},
};
static const struct scenario filtered[] = {
	{"8 nets to filter by, IPv4 TCP", TCP4, NONE},
	{"8 nets to filter by, IPv6 TCP", TCP6, NONE},
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--key")) {
		puts(GUARD_BPF_COMPILER);
		return EXIT_SUCCESS;
	}
	if (geteuid()) {
		puts("BPF programs cannot be loaded here: it takes root");
		return SKIP;
	}
	make_frames();
	run_all((struct setting){0}, flow_mode, LEN(flow_mode));
	run_all((struct setting){.by_packets = true}, packet_mode, LEN(packet_mode));
	run_all((struct setting){.decap = true}, decap, LEN(decap));
	run_all((struct setting){.filter = NETS}, filtered, LEN(filtered));
	return EXIT_SUCCESS;
}
