/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live_hold xdp|tc pass|count IF
 *
 * Attaches a program that does nothing, or one that counts packets and bytes, to what a network
 * device receives; says "ready", and keeps it there until a signal ends it. For devices of one's
 * own: what else is attached to them is not looked at, and the TC program stays on the device.
 */
#include <err.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "live.skel.h"

static int hold_xdp(const struct bpf_program *program, int ifindex)
{
	return bpf_program__attach_xdp(program, ifindex) ? 0 : -1;
}

static int hold_tc(const struct bpf_program *program, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(program));

	bpf_tc_hook_create(&hook); /* it may be there already */
	return bpf_tc_attach(&hook, &opts);
}

int main(int argc, char **argv)
{
	struct live_bpf *live;
	bool is_xdp, is_count;
	int ifindex;

	if (argc != 4 || (strcmp(argv[1], "xdp") && strcmp(argv[1], "tc")) ||
	    (strcmp(argv[2], "pass") && strcmp(argv[2], "count"))) {
		fprintf(stderr, "usage: live_hold xdp|tc pass|count IF\n");
		return 64;
	}
	is_xdp = !strcmp(argv[1], "xdp");
	is_count = !strcmp(argv[2], "count");
	ifindex = (int)if_nametoindex(argv[3]);
	live = live_bpf__open_and_load();
	if (!ifindex || !live)
		err(EXIT_FAILURE, "%s (root?)", argv[3]);
	if (is_xdp ? hold_xdp(is_count ? live->progs.live_count : live->progs.live_pass, ifindex)
		   : hold_tc(is_count ? live->progs.live_tc_count : live->progs.live_tc_pass,
			     ifindex))
		err(EXIT_FAILURE, "attach to %s", argv[3]);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
