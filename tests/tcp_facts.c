/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp_facts INTERFACE COMMAND…: runs the command while the TC programs keep every flow of the
 * interface.
 * tcp_facts --replay IN OUT: gives the frames of a capture to the receiving program, each at its
 * time, and writes the capture with the times at which that was so.
 *
 * Either way it then prints a line for each direction of each TCP flow: from, port, to, port,
 * packets, retransmissions, out of order, closed windows, smoothed round trip in us. Captures are
 * pcap files with nanoseconds, of this machine's byte order.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "flow.skel.h"
#include "kern/flow_abi.h"

#define NS_PER_S 1000000000ULL

static void facts_print(int fd)
{
	struct flow_key key, *last = NULL;
	const struct flow_dir *d;
	char text[2][INET6_ADDRSTRLEN];
	struct flow_state st;
	int i;

	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		if (key.proto != 6 || bpf_map_lookup_elem(fd, &key, &st))
			continue;
		for (i = 0; i < 2; i++)
			inet_ntop(key.family == 4 ? AF_INET : AF_INET6, key.addr[i], text[i],
				  sizeof(text[i]));
		for (i = 0; i < 2; i++) {
			d = &st.dir[i];
			printf("%s %u %s %u %llu %u %u %u %u\n", text[i], ntohs(key.port[i]),
			       text[!i], ntohs(key.port[!i]), (unsigned long long)d->totals.pkts,
			       d->detail.tcp.retransmits, d->detail.tcp.out_of_order,
			       d->detail.tcp.zero_windows, d->detail.tcp.srtt_us);
		}
	}
}

/* ---- of an interface ---- */

static int facts_attach(int index, enum bpf_tc_attach_point point, const struct bpf_program *prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(prog));

	return bpf_tc_attach(&hook, &opts);
}

static int facts_watch(struct flow_bpf *skel, const char *interface, char **command)
{
	int index = (int)if_nametoindex(interface), status = -1;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	pid_t pid;

	if (!index || bpf_tc_hook_create(&hook)) /* not if somebody else's is there */
		return -1;
	if (facts_attach(index, BPF_TC_INGRESS, skel->progs.ringspan_tc_rx) ||
	    facts_attach(index, BPF_TC_EGRESS, skel->progs.ringspan_tc_tx))
		goto done;
	pid = fork();
	if (pid == 0) {
		execvp(*command, command);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		status = -1;
done:
	bpf_tc_hook_destroy(&hook);
	return status ? -1 : 0;
}

/* ---- of a capture ---- */

struct pcap_head {
	uint32_t magic;
	uint16_t version[2];
	uint32_t zero[2], snaplen, link;
};

struct pcap_frame {
	uint32_t s, ns, caplen, len;
};

static uint64_t facts_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Runs at once when it is time: shorter waits than a timer's slack are looped through. */
static void facts_wait(uint64_t until_ns)
{
	struct timespec t = {.tv_sec = (time_t)((until_ns - 200000) / NS_PER_S),
			     .tv_nsec = (long)((until_ns - 200000) % NS_PER_S)};

	if (facts_now_ns() + 300000 < until_ns)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	while (facts_now_ns() < until_ns)
		;
}

static int facts_feed(int prog, const uint8_t *data, struct pcap_frame *frame, uint64_t until_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = frame->caplen,
		    .repeat = 1);
	uint64_t ns;

	facts_wait(until_ns);
	ns = facts_now_ns();
	if (bpf_prog_test_run_opts(prog, &opts))
		return -1;
	frame->s = (uint32_t)(ns / NS_PER_S);
	frame->ns = (uint32_t)(ns % NS_PER_S);
	return 0;
}

static int facts_replay(struct flow_bpf *skel, const char *in_path, const char *out_path)
{
	struct sched_param param = {.sched_priority = 1};
	uint64_t start_ns = facts_now_ns() + NS_PER_S / 10;
	FILE *in = fopen(in_path, "rb"), *out = fopen(out_path, "wb");
	struct pcap_frame frame;
	struct pcap_head head;
	uint8_t data[2048];
	int rc = -1;

	if (!in || !out || fread(&head, sizeof(head), 1, in) != 1 || head.magic != 0xa1b23c4d)
		goto done;
	sched_setscheduler(0, SCHED_FIFO, &param); /* if it may not, it is less punctual */
	fwrite(&head, sizeof(head), 1, out);
	while (fread(&frame, sizeof(frame), 1, in) == 1) {
		if (frame.caplen > sizeof(data) || fread(data, frame.caplen, 1, in) != 1 ||
		    facts_feed(bpf_program__fd(skel->progs.ringspan_tc_rx), data, &frame,
			       start_ns + frame.s * NS_PER_S + frame.ns))
			goto done;
		fwrite(&frame, sizeof(frame), 1, out);
		fwrite(data, frame.caplen, 1, out);
	}
	rc = 0;
done:
	if (in)
		fclose(in);
	if (out && fclose(out))
		rc = -1;
	return rc;
}

int main(int argc, char **argv)
{
	struct flow_bpf *skel = argc > 2 ? flow_bpf__open() : NULL;
	int rc = -1;

	if (!skel)
		goto done;
	bpf_map__set_max_entries(skel->maps.flow_counters, FLOW_COUNTERS_PER_IF);
	bpf_map__set_max_entries(skel->maps.flow_states, 65536);
	if (flow_bpf__load(skel))
		goto done;
	if (strcmp(argv[1], "--replay"))
		rc = facts_watch(skel, argv[1], argv + 2);
	else if (argc == 4)
		rc = facts_replay(skel, argv[2], argv[3]);
	if (!rc)
		facts_print(bpf_map__fd(skel->maps.flow_states));
done:
	if (rc)
		fprintf(stderr, "tcp_facts: cannot watch, or the command failed\n");
	flow_bpf__destroy(skel);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
