/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bare - the baseline: a program that does nothing; and one that makes another flow of each run's
 * packet, one of 2^20 at random, before it goes on to a program that is put into bare_next.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>

#include "bench/bare.h"

char bare_license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, BARE_NEXT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} bare_next SEC(".maps");

__u64 bare_random = 1;

SEC("xdp.frags")
int bare_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

/* IPv4 without options, UDP. */
static __always_inline void vary(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);

	bare_random = bare_random * 0x5851f42d4c957f2dULL + 0x14057b7ef767814fULL;
	if ((void *)(udp + 1) > end)
		return;
	ip->saddr = (__u32)(bare_random >> 60) << 24 | 10;
	udp->source = bare_random >> 32;
}

SEC("xdp.frags")
int bare_vary_pass(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &bare_next, BARE_NEXT_PASS);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int bare_vary_ours(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &bare_next, BARE_NEXT_OURS);
	return XDP_ABORTED;
}
