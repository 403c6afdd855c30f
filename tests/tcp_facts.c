/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp_facts INTERFACE COMMAND…: runs the command while the TC programs keep every flow of the
 * interface, then prints a line for each direction of each TCP flow: endpoint, packets,
 * retransmissions, out of order, closed windows, smoothed round trip in us.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow.skel.h"
#include "kern/flow_abi.h"

static int facts_attach(int index, enum bpf_tc_attach_point point, const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(prog));

	return bpf_tc_attach(&hook, &opts);
}

static void facts_print(int fd)
{
	struct flow_key key, *last = NULL;
	struct flow_state st;
	int i;

	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		if (key.proto != 6 || bpf_map_lookup_elem(fd, &key, &st))
			continue;
		for (i = 0; i < 2; i++)
			printf("%d %llu %u %u %u %u\n", i,
			       (unsigned long long)st.dir[i].totals.pkts,
			       st.dir[i].detail.tcp.retransmits, st.dir[i].detail.tcp.out_of_order,
			       st.dir[i].detail.tcp.zero_windows, st.dir[i].detail.tcp.srtt_us);
	}
}

int main(int argc, char **argv)
{
	int index = argc > 2 ? (int)if_nametoindex(argv[1]) : 0, status = EXIT_FAILURE;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct flow_bpf *skel = flow_bpf__open();
	pid_t pid;

	if (!index || !skel)
		goto fail;
	bpf_map__set_max_entries(skel->maps.flow_states, 65536);
	if (flow_bpf__load(skel) || bpf_tc_hook_create(&hook) ||
	    facts_attach(index, BPF_TC_INGRESS, skel->progs.ringspan_tc_rx) ||
	    facts_attach(index, BPF_TC_EGRESS, skel->progs.ringspan_tc_tx))
		goto fail;
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		goto fail;
	facts_print(bpf_map__fd(skel->maps.flow_states));
	flow_bpf__destroy(skel);
	return EXIT_SUCCESS;
fail:
	fprintf(stderr, "tcp_facts: cannot watch the interface, or the command failed\n");
	flow_bpf__destroy(skel);
	return EXIT_FAILURE;
}
