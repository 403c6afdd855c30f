/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live_frames IF FLOWS PACKETS [FIRST_PACKET [FIRST_FLOW]]
 *
 * Sends frames of 64 bytes of so many flows, each in turn, out of a network device: an XDP program,
 * run by BPF_PROG_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, writes them and the kernel transmits them,
 * without a socket buffer or a system call for each. The other end of a veth pair must have a
 * native XDP program or GRO switched on, else the kernel takes none. Needs root.
 *
 * FIRST_PACKET: how many packets of these flows went before, so that TCP sequence numbers go on
 * where they were. FIRST_FLOW: another sender's flows begin elsewhere.
 *
 * Prints one line: packets, and the CPU seconds of this thread, in which the receiving side of a
 * veth pair runs, too.
 */
#include <arpa/inet.h>
#include <err.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/bench.h"
#include "bench/live.h"
#include "live.skel.h"

#define BATCH 64
#define SLICE 100000 /* packets a call: it can be interrupted between them */

/* An Ethernet header to an address that nobody has, and IPv4 to 10.64.0.1; the rest is the
 * program's. */
static const unsigned char frame[LIVE_FRAME_BYTES] = {0x02, 0,	  0,	0,
						      0xff, 0xff, 0x02, 0,
						      0,    0,	  0,	0x01,
						      0x08, 0x00, /* Ethernet */
						      0x45, 0,	  0,	LIVE_FRAME_BYTES - 14,
						      0,    0,	  0,	0,
						      64,   0,	  0,	0, /* IPv4 */
						      0,    0,	  0,	0,
						      10,   64,	  0,	1};

static unsigned long long number(const char *text, unsigned long long least)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || end == text || n < least)
		errx(64, "not a number from %llu: %s", least, text);
	return n;
}

static unsigned long long gcd(unsigned long long a, unsigned long long b)
{
	return b ? gcd(b, a % b) : a;
}

/* About 0.618 of them, so that what is met one after the other lies far apart. */
static unsigned long long stride_of(unsigned long long flows)
{
	unsigned long long stride = flows * 618 / 1000 | 1;

	while (gcd(stride, flows) != 1)
		stride++;
	return stride;
}

static void send_all(int fd, unsigned ifindex, unsigned long long packets)
{
	struct xdp_md ctx = {.data_end = sizeof(frame), .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .batch_size = BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	unsigned long long left;

	for (left = packets; left > 0; left -= (unsigned long long)opts.repeat) {
		opts.repeat = left < SLICE ? (int)left : SLICE;
		if (bpf_prog_test_run_opts(fd, &opts))
			err(EXIT_FAILURE, "sending");
	}
}

int main(int argc, char **argv)
{
	unsigned long long flows, packets;
	struct live_bpf *live;
	unsigned ifindex;
	double begin;

	if (argc < 4 || argc > 6) {
		fprintf(stderr,
			"usage: live_frames IF FLOWS PACKETS [FIRST_PACKET [FIRST_FLOW]]\n");
		return 64;
	}
	ifindex = if_nametoindex(argv[1]);
	if (!ifindex)
		err(EXIT_FAILURE, "%s", argv[1]);
	flows = number(argv[2], 1);
	packets = number(argv[3], 1);
	live = live_bpf__open();
	if (!live)
		err(EXIT_FAILURE, "open");
	live->rodata->flows = flows;
	live->rodata->stride = stride_of(flows);
	live->bss->sent = argc > 4 ? number(argv[4], 0) : 0;
	live->rodata->first_flow = argc > 5 ? number(argv[5], 0) : 0;
	if (live_bpf__load(live))
		err(EXIT_FAILURE, "load (root?)");
	begin = bench_now_ns(CLOCK_THREAD_CPUTIME_ID);
	send_all(bpf_program__fd(live->progs.live_send), ifindex, packets);
	printf("%llu packets %.6f CPU seconds\n", packets,
	       (bench_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / 1e9);
	live_bpf__destroy(live);
	return EXIT_SUCCESS;
}
