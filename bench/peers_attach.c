/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peers_attach IF PROGRAM - one of the programs of peers.bpf.c on what an interface receives:
 * xdp_pass and xdp_count natively, tc_pass and tc_count as ringspan attaches there. Prints "ready",
 * and after SIGTERM what was counted.
 */
#include "user/attach_tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.skel.h"

struct sum {
	uint64_t packets, bytes;
};

/* The programs that are not asked for are not loaded: who measures takes all that this process has.
 */
static struct bpf_program *load(struct peers_bpf *skel, const char *name)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), name));
	p = bpf_object__find_program_by_name(skel->obj, name);
	if (!p)
		errx(64, "there is no program %s", name);
	if (peers_bpf__load(skel))
		err(EXIT_FAILURE, "%s cannot be loaded", name);
	return p;
}

static void print_sum(struct peers_bpf *skel)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct sum *each = calloc((size_t)(cpus > 0 ? cpus : 1), sizeof(*each)), all = {};
	uint32_t key = 0;

	if (!each || cpus < 0 || bpf_map_lookup_elem(bpf_map__fd(skel->maps.sums), &key, each))
		err(EXIT_FAILURE, "the counters");
	for (cpu = 0; cpu < cpus; cpu++) {
		all.packets += each[cpu].packets;
		all.bytes += each[cpu].bytes;
	}
	printf("packets=%lu bytes=%lu\n", all.packets, all.bytes);
	free(each);
}

int main(int argc, char **argv)
{
	struct peers_bpf *skel = peers_bpf__open();
	struct bpf_program *prog;
	struct attach_tc tc;
	sigset_t ends;
	int taken, ifindex, e;

	if (argc != 3)
		errx(64, "usage: peers_attach IF xdp_pass|xdp_count|tc_pass|tc_count");
	ifindex = (int)if_nametoindex(argv[1]);
	if (!ifindex || !skel)
		err(EXIT_FAILURE, "%s", argv[1]);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	prog = load(skel, argv[2]);
	attach_tc_init(&tc, ifindex, false);
	if (bpf_program__type(prog) == BPF_PROG_TYPE_XDP) {
		LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
		e = bpf_link_create(bpf_program__fd(prog), ifindex, BPF_XDP, &opts);
	} else {
		e = attach_tc_attach(&tc, prog);
	}
	if (e < 0)
		errx(EXIT_FAILURE, "%s: %s", argv[2], strerror(-e));
	puts("ready");
	fflush(stdout);
	sigwait(&ends, &taken);
	attach_tc_detach(&tc);
	print_sum(skel);
	peers_bpf__destroy(skel);
	return EXIT_SUCCESS;
}
