/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * peers - the least that a program at either hook can do: nothing, and counting packets and bytes.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

char peers_license[] SEC("license") = "Dual BSD/GPL";

struct peers_sum {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct peers_sum);
} sums SEC(".maps");

static __always_inline void add(__u64 bytes)
{
	__u32 key = 0;
	struct peers_sum *sum = bpf_map_lookup_elem(&sums, &key);

	if (!sum)
		return;
	sum->packets++;
	sum->bytes += bytes;
}

SEC("xdp.frags")
int xdp_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("xdp.frags")
int xdp_count(struct xdp_md *ctx)
{
	add(bpf_xdp_get_buff_len(ctx));
	return XDP_PASS;
}

SEC("tc")
int tc_pass(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tc_count(struct __sk_buff *skb)
{
	add(skb->len);
	return TC_ACT_UNSPEC;
}
