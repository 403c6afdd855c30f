/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse - where the headers are: bounds-checked, no maps, no copies.
 *
 * Only offsets and classes are kept: what a packet's fate does not ask for is never loaded. Works
 * on packet pointers and, for buffers whose headers are not linear, on a copy in a map value; for
 * the latter every offset stays below PKT_HEADERS_MAX.
 */
#ifndef KERN_PARSE_BPF_H
#define KERN_PARSE_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kern/flow_abi.h"

#define PKT_HEADERS_MAX 512 /* transport headers that start later are taken as cut */
#define PKT_EXTENSIONS_MAX 8 /* IPv6 extension headers walked */
#define PKT_LENGTH_UNKNOWN 0xffffffffu

/* The bytes at hand, and the context they came from: one of @xdp, @skb. */
struct pkt_buff {
	void *data;
	void *end;
	struct xdp_md *xdp;
	struct __sk_buff *skb;
};

struct pkt {
	__u32 net; /* enum flow_net */
	__u32 transport; /* enum flow_transport */
	__u32 l3; /* offset of the IP header */
	__u32 l4; /* offset of the transport header */
	__u32 ip_end; /* where the IP packet says it ends, or PKT_LENGTH_UNKNOWN */
	__u32 tunnel_id; /* as flow_key */
	__u8 tunnel; /* enum flow_tunnel: where the headers above are from */
	__u8 proto; /* IP protocol number */
	bool is_fragment;
	bool is_flow; /* all headers a flow needs are there */
};

struct pkt_vlan {
	__be16 tci;
	__be16 type;
};

/* The first bytes of any transport header we look at. */
struct pkt_ports {
	__be16 source;
	__be16 dest;
};

struct pkt_icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
};

struct pkt_tcp {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 offset; /* high nibble: header length in words */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

#define PKT_SCTP_CHUNK 12 /* bytes before the first chunk, whose type is its first byte */
#define PKT_SCTP_INIT 1
#define PKT_SCTP_ABORT 6
#define PKT_SCTP_SHUTDOWN_COMPLETE 14

static __always_inline bool pkt_is_vlan(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD) ||
	       type == bpf_htons(0x9100);
}

static __always_inline bool pkt_is_extension(__u8 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS ||
	       proto == IPPROTO_MH || proto == IPPROTO_AH || proto == IPPROTO_FRAGMENT;
}

/* Class and least header length of the transport protocol. */
static __always_inline __u32 pkt_transport(__u8 proto, __u32 net, __u32 *ret_need)
{
	if (proto == IPPROTO_TCP) {
		*ret_need = sizeof(struct pkt_tcp);
		return FLOW_TRANSPORT_TCP;
	}
	if (proto == IPPROTO_UDP) {
		*ret_need = 8;
		return FLOW_TRANSPORT_UDP;
	}
	if (proto == IPPROTO_ICMP && net == FLOW_NET_IPV4) {
		*ret_need = sizeof(struct pkt_icmp);
		return FLOW_TRANSPORT_ICMP;
	}
	if (proto == IPPROTO_ICMPV6 && net == FLOW_NET_IPV6) {
		*ret_need = sizeof(struct pkt_icmp);
		return FLOW_TRANSPORT_ICMPV6;
	}
	if (proto == IPPROTO_SCTP) {
		*ret_need = 12;
		return FLOW_TRANSPORT_SCTP;
	}
	*ret_need = 0;
	return FLOW_TRANSPORT_OTHER;
}

static __always_inline bool pkt_is_icmp(const struct pkt *p)
{
	return p->transport == FLOW_TRANSPORT_ICMP || p->transport == FLOW_TRANSPORT_ICMPV6;
}

static __always_inline void pkt_parse_l4(const struct pkt_buff *b, struct pkt *p)
{
	__u32 need;

	p->transport = pkt_transport(p->proto, p->net, &need);
	if (p->is_fragment)
		need = 0; /* only the first piece has the header: none is looked at */
	if (p->l4 <= PKT_HEADERS_MAX && b->data + p->l4 + need <= b->end)
		p->is_flow = true;
}

static __always_inline void pkt_parse_ipv4(const struct pkt_buff *b, struct pkt *p)
{
	struct iphdr *ip = b->data + p->l3;
	__u32 header;

	p->net = FLOW_NET_IPV4;
	if ((void *)(ip + 1) > b->end)
		return;
	header = ip->ihl * 4;
	if (ip->version != 4 || header < sizeof(*ip))
		return;
	p->ip_end = p->l3 + bpf_ntohs(ip->tot_len);
	p->l4 = p->l3 + header;
	p->proto = ip->protocol;
	p->is_fragment = ip->frag_off & bpf_htons(0x3fff);
	pkt_parse_l4(b, p);
}

/* What the walk over IPv6 extension headers found, in one scalar: see pkt_walk(). */
#define PKT_WALK_OK (1ULL << 63)
#define PKT_WALK_FRAGMENT (1ULL << 62)

/* Walks from the extension header @proto at @off to the transport header. Returns PKT_WALK_OK |
 * PKT_WALK_FRAGMENT | offset << 8 | protocol; 0: cut, or more headers than we follow. Reads through
 * helpers and lives in global functions, so that the verifier sees it once and not on every path.
 */
static __always_inline __u64 pkt_walk(void *ctx, bool is_skb, __u32 off, __u32 proto)
{
	__u8 ext[4];
	__be16 piece;
	int i;

	for (i = 0; i < PKT_EXTENSIONS_MAX; i++) {
		if (off >= PKT_HEADERS_MAX)
			return 0;
		if (!pkt_is_extension(proto))
			return PKT_WALK_OK | (__u64)off << 8 | proto;
		if (is_skb ? bpf_skb_load_bytes(ctx, off, ext, sizeof(ext))
			   : bpf_xdp_load_bytes(ctx, off, ext, sizeof(ext)))
			return 0;
		if (proto == IPPROTO_FRAGMENT) {
			__builtin_memcpy(&piece, ext + 2, sizeof(piece));
			proto = ext[0];
			off += 8;
			/* offset 0 without "more": an atomic fragment, whole in itself (RFC 6946);
			 * of others only the first piece goes on with headers */
			if (piece & bpf_htons(0xfff9) && off < PKT_HEADERS_MAX)
				return PKT_WALK_OK | PKT_WALK_FRAGMENT | (__u64)off << 8 | proto;
			continue;
		}
		off += proto == IPPROTO_AH ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		proto = ext[0];
	}
	return 0;
}

__noinline __u64 pkt_walk_xdp(struct xdp_md *ctx, __u32 off, __u32 proto)
{
	return pkt_walk(ctx, false, off, proto);
}

__noinline __u64 pkt_walk_skb(struct __sk_buff *skb, __u32 off, __u32 proto)
{
	return pkt_walk(skb, true, off, proto);
}

static __always_inline void pkt_parse_ipv6(const struct pkt_buff *b, struct pkt *p)
{
	struct ipv6hdr *ip = b->data + p->l3;
	__u32 need, payload;
	__u64 walk;

	p->net = FLOW_NET_IPV6;
	if ((void *)(ip + 1) > b->end || ip->version != 6)
		return;
	payload = bpf_ntohs(ip->payload_len);
	p->l4 = p->l3 + sizeof(*ip);
	if (payload) /* 0: a jumbogram, or a segment train too large for the field */
		p->ip_end = p->l4 + payload;
	p->proto = ip->nexthdr;
	if (pkt_is_extension(p->proto)) {
		walk = b->skb ? pkt_walk_skb(b->skb, p->l4, p->proto)
			      : pkt_walk_xdp(b->xdp, p->l4, p->proto);
		if (!(walk & PKT_WALK_OK)) {
			p->transport = pkt_transport(p->proto, p->net, &need);
			return;
		}
		p->proto = walk;
		p->l4 = (walk >> 8) & (PKT_HEADERS_MAX - 1);
		p->is_fragment = walk & PKT_WALK_FRAGMENT;
	}
	pkt_parse_l4(b, p);
}

/* @is_l3: the link has no link-layer header (tun, WireGuard). */
static __always_inline void pkt_parse(const struct pkt_buff *b, bool is_l3, struct pkt *p)
{
	struct ethhdr *eth = b->data;
	struct pkt_vlan *tag;
	__be16 type;
	int i;

	*p = (struct pkt){.ip_end = PKT_LENGTH_UNKNOWN};
	if (is_l3) {
		if (b->data + 1 > b->end)
			return;
		type = *(__u8 *)b->data >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	} else {
		if ((void *)(eth + 1) > b->end)
			return;
		type = eth->h_proto;
		p->l3 = sizeof(*eth);
#pragma unroll
		for (i = 0; i < 2; i++) {
			if (!pkt_is_vlan(type))
				break;
			tag = b->data + p->l3;
			if ((void *)(tag + 1) > b->end)
				return;
			type = tag->type;
			p->l3 += sizeof(*tag);
		}
	}
	if (type == bpf_htons(ETH_P_IP))
		pkt_parse_ipv4(b, p);
	else if (type == bpf_htons(ETH_P_IPV6))
		pkt_parse_ipv6(b, p);
}

/* The type that answers, or is answered by, an ICMP type; -1: nothing does (Community ID v1). */
static __always_inline int pkt_icmp_counterpart(__u8 type, bool is_v6)
{
	if (is_v6) {
		switch (type) {
		case 128: /* echo */
		case 130: /* multicast listener */
		case 144: /* home agent discovery */
			return type + 1;
		case 129:
		case 131:
		case 145:
			return type - 1;
		case 133: /* router solicitation */
		case 135: /* neighbour solicitation */
		case 139: /* node information */
			return type + 1;
		case 134:
		case 136:
		case 140:
			return type - 1;
		}
		return -1;
	}
	switch (type) {
	case 8: /* echo */
		return 0;
	case 0:
		return 8;
	case 9: /* router advertisement */
	case 13: /* timestamp */
	case 15: /* information */
	case 17: /* address mask */
		return type + 1;
	case 10:
	case 14:
	case 16:
	case 18:
		return type - 1;
	}
	return -1;
}

/* Whether an ICMP type with a counterpart is the asking one. */
static __always_inline bool pkt_icmp_asks(__u8 type, bool is_v6)
{
	if (is_v6)
		return type == 128 || type == 130 || type == 133 || type == 135 || type == 139 ||
		       type == 144;
	return type == 8 || type == 10 || type == 13 || type == 15 || type == 17;
}

static __always_inline struct pkt_ports pkt_icmp_ports(const struct pkt_icmp *icmp, bool is_v6)
{
	int counterpart = pkt_icmp_counterpart(icmp->type, is_v6);
	struct pkt_ports ports;

	if (counterpart < 0) {
		ports.source = bpf_htons(icmp->type | FLOW_ICMP_ONEWAY);
		ports.dest = bpf_htons(icmp->code);
	} else {
		ports.source = bpf_htons(icmp->type);
		ports.dest = bpf_htons(counterpart);
	}
	return ports;
}

/* The ports of a flow's packet, as struct flow_key has them. Only for pkts that are a flow's. */
static __always_inline struct pkt_ports pkt_ports(const struct pkt_buff *b, const struct pkt *p)
{
	struct pkt_ports ports = {};
	struct pkt_ports *l4;
	struct pkt_icmp *icmp;
	__u32 off = p->l4;

	if (p->is_fragment || p->transport == FLOW_TRANSPORT_OTHER || off > PKT_HEADERS_MAX)
		return ports;
	if (p->transport == FLOW_TRANSPORT_ICMP || p->transport == FLOW_TRANSPORT_ICMPV6) {
		icmp = b->data + off;
		if ((void *)(icmp + 1) > b->end)
			return ports;
		return pkt_icmp_ports(icmp, p->transport == FLOW_TRANSPORT_ICMPV6);
	}
	l4 = b->data + off;
	if ((void *)(l4 + 1) > b->end)
		return ports;
	return *l4;
}

/* What the first chunk of an SCTP packet says of the association, as flow_totals.flags. */
static __always_inline __u32 pkt_sctp_turn(const struct pkt_buff *b, const struct pkt *p)
{
	__u32 off = p->l4;
	__u8 *chunk;

	if (off > PKT_HEADERS_MAX || p->ip_end <= off + PKT_SCTP_CHUNK)
		return 0;
	chunk = b->data + off + PKT_SCTP_CHUNK;
	if ((void *)(chunk + 1) > b->end)
		return 0;
	if (*chunk == PKT_SCTP_INIT)
		return FLOW_SAW_ECHO;
	return *chunk == PKT_SCTP_ABORT || *chunk == PKT_SCTP_SHUTDOWN_COMPLETE ? FLOW_SAW_END : 0;
}

/* The offset in an IP header's, and in a fragment header's, flags-and-offset field. */
#define PKT_IP4_OFFSET bpf_htons(0x1fff)
#define PKT_IP6_OFFSET bpf_htons(0xfff8)

/* The flags of a fragment that is its packet's first and holds the whole TCP header; 0: another.
 * @field: where the fragment's offset is. Reads through helpers: such a header may well lie beyond
 * the linear part, since nothing asked for it so far. */
static __always_inline __u32 pkt_piece_flags(void *ctx, bool is_skb, __u32 field, __u32 mask,
					     __u32 l4)
{
	struct pkt_tcp tcp;
	__be16 piece;

	if (is_skb ? bpf_skb_load_bytes(ctx, field, &piece, sizeof(piece))
		   : bpf_xdp_load_bytes(ctx, field, &piece, sizeof(piece)))
		return 0;
	if (piece & mask)
		return 0;
	if (is_skb ? bpf_skb_load_bytes(ctx, l4, &tcp, sizeof(tcp))
		   : bpf_xdp_load_bytes(ctx, l4, &tcp, sizeof(tcp)))
		return 0;
	return tcp.flags;
}

__noinline __u32 pkt_piece_flags_xdp(struct xdp_md *ctx, __u32 field, __u32 mask, __u32 l4)
{
	return pkt_piece_flags(ctx, false, field, mask, l4);
}

__noinline __u32 pkt_piece_flags_skb(struct __sk_buff *skb, __u32 field, __u32 mask, __u32 l4)
{
	return pkt_piece_flags(skb, true, field, mask, l4);
}

/* The flags of a TCP segment that opens or ends a connection. 0: another packet, or one whose TCP
 * header is not there: in another fragment, or, by the IP length, padding. */
static __always_inline __u32 pkt_tcp_turn(const struct pkt_buff *b, const struct pkt *p)
{
	bool is_v4 = p->net == FLOW_NET_IPV4;
	__u32 off = p->l4, flags, field, mask;
	struct pkt_tcp *tcp;

	if (p->transport != FLOW_TRANSPORT_TCP || !p->is_flow)
		return 0;
	if (p->is_fragment) {
		/* in IPv6 the walk stopped after the fragment header */
		field = is_v4 ? p->l3 + 6 : off - 6;
		mask = is_v4 ? PKT_IP4_OFFSET : PKT_IP6_OFFSET;
		flags = b->skb ? pkt_piece_flags_skb(b->skb, field, mask, off)
			       : pkt_piece_flags_xdp(b->xdp, field, mask, off);
	} else {
		tcp = b->data + off;
		if (off > PKT_HEADERS_MAX || (void *)(tcp + 1) > b->end)
			return 0;
		flags = tcp->flags;
	}
	if (!(flags & (FLOW_TCP_SYN | FLOW_TCP_FIN | FLOW_TCP_RST)))
		return 0;
	/* length 0 is that of a segment train too large for the field */
	if (p->ip_end < off + sizeof(*tcp) && p->ip_end != p->l3)
		return 0;
	return flags;
}

#endif /* KERN_PARSE_BPF_H */
