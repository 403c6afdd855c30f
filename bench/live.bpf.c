/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live - a frame of one of many flows out of each frame that is sent, and what ringspan is compared
 * with at the same hooks.
 *
 * Frames come back to the sender as they left it, so everything that differs is written each time.
 * The flow of packet number n is n * stride modulo their number: each in turn and equally often, in
 * an order that no cache guesses. Even flows are UDP, odd ones TCP in the middle of a connection.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench/live.h"

char live_license[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 flows = 1, stride = 1, first_flow;
__u64 sent;

static __always_inline void write_ip(struct iphdr *ip, __u32 flow, __u8 proto)
{
	__u16 *half = (void *)ip;
	__u32 sum = 0;
	int i;

	ip->protocol = proto;
	/* 2^16 flows share an address */
	ip->saddr = bpf_htonl(0x0a800000 + (flow >> 16));
	ip->check = 0;
#pragma unroll
	for (i = 0; i < 10; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~((sum & 0xffff) + (sum >> 16));
}

SEC("xdp")
int live_send(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u64 n = sent++;
	__u32 flow = first_flow + n * stride % flows;

	if (data + LIVE_FRAME_BYTES > end || (void *)(tcp + 1) > end)
		return XDP_ABORTED;
	if (flow & 1) {
		write_ip(ip, flow, IPPROTO_TCP);
		tcp->seq = bpf_htonl((__u32)(n / flows) * LIVE_TCP_PAYLOAD);
		tcp->ack_seq = 0;
		*((__u16 *)tcp + 6) = bpf_htons(0x5010); /* 20 bytes, ACK */
		tcp->window = bpf_htons(512);
		tcp->check = 0;
	} else {
		write_ip(ip, flow, IPPROTO_UDP);
		udp->len = bpf_htons(LIVE_FRAME_BYTES - sizeof(struct ethhdr) - sizeof(*ip));
		udp->check = 0;
	}
	udp->source = bpf_htons(flow);
	udp->dest = bpf_htons(443);
	return XDP_TX;
}
