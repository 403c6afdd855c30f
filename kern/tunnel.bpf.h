/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel - the packet inside a tunnel: VXLAN (RFC 7348), Geneve (RFC 8926), GRE (RFC 2784, 2890),
 * IP in IP (RFC 2003, 2473, 4213).
 *
 *   | Ethernet | IP | UDP | VXLAN or Geneve + options | Ethernet | ≤ 2 VLAN tags | IP | …
 *   | Ethernet | IP | GRE + C, K, S                   | the same, or straight  | IP | …
 *   | Ethernet | IP                                                            | IP | …
 *
 * One level is taken off. What is cut, contradicts itself, or carries something else than IP stays
 * the tunnel's own flow. Works on the copy of the headers alone, in global functions, so that the
 * verifier sees the walk once.
 */
#ifndef KERN_TUNNEL_BPF_H
#define KERN_TUNNEL_BPF_H

#include "kern/maps.bpf.h"
#include "kern/parse.bpf.h"

#define TUNNEL_PORT_VXLAN 4789
#define TUNNEL_PORT_GENEVE 6081
#define TUNNEL_VXLAN_HAS_ID 0x08
#define TUNNEL_ETHERNET 0x6558 /* transparent Ethernet bridging */
#define TUNNEL_GRE_CHECKSUM 0x8000
#define TUNNEL_GRE_KEY 0x2000
#define TUNNEL_GRE_SEQUENCE 0x1000
#define TUNNEL_GRE_STRANGE 0x4c07 /* routing, what RFC 2784 says to discard for, the version */

/* The UDP header and what follows it in VXLAN and Geneve. */
struct tunnel_udp {
	__be16 source;
	__be16 dest;
	__be16 len;
	__be16 checksum;
	__u8 first; /* VXLAN: flags; Geneve: version (2 bits), length of the options in words */
	__u8 second;
	__be16 type; /* Geneve: of what is inside */
	__u8 id[3];
	__u8 reserved;
};

struct tunnel_gre {
	__be16 flags;
	__be16 type;
};

/* What is known on the way in. */
struct tunnel_walk {
	__u32 off; /* of the next header */
	__u32 end; /* nothing of the tunnel lies beyond it; or PKT_LENGTH_UNKNOWN */
	__u32 id;
	__u8 kind;
	__be16 type; /* of the next header */
};

/* Whether a flow's packet may be a tunnel's, by its outermost headers. */
static __always_inline bool tunnel_may(const struct pkt_buff *b, const struct pkt *p)
{
	struct pkt_ports *udp;

	if (p->is_fragment || !p->is_flow)
		return false;
	if (p->transport == FLOW_TRANSPORT_OTHER)
		return p->proto == IPPROTO_GRE || p->proto == IPPROTO_IPIP ||
		       p->proto == IPPROTO_IPV6;
	if (p->transport != FLOW_TRANSPORT_UDP || p->l4 > PKT_HEADERS_MAX)
		return false;
	udp = b->data + p->l4;
	return (void *)(udp + 1) <= b->end && (udp->dest == bpf_htons(TUNNEL_PORT_VXLAN) ||
					       udp->dest == bpf_htons(TUNNEL_PORT_GENEVE));
}

/* Where the outer packet ends. Length 0 is that of a segment train too large for the field. */
static __always_inline __u32 tunnel_end(const struct pkt *p)
{
	return p->ip_end == p->l3 ? PKT_LENGTH_UNKNOWN : p->ip_end;
}

/* The header of @size bytes at @off; NULL: it is not there. The mask is for verifiers before 6.12,
 * which lose what the comparison said. */
static __always_inline void *tunnel_at(const struct pkt_buff *b, __u32 off, __u32 size)
{
	__u64 at = off;
	void *header;

	if (off >= PKT_HEADERS_MAX)
		return NULL;
	barrier_var(at);
	at &= PKT_HEADERS_MAX - 1;
	header = b->data + at;
	return header + size > b->end ? NULL : header;
}

static __always_inline bool tunnel_open_udp(const struct pkt_buff *b, struct tunnel_walk *w)
{
	struct tunnel_udp *t = tunnel_at(b, w->off, sizeof(*t));
	__u32 len;

	if (!t)
		return false;
	len = bpf_ntohs(t->len);
	if (len < sizeof(*t) || w->off + len > w->end)
		return false;
	w->end = w->off + len;
	w->off += sizeof(*t);
	w->id = t->id[0] << 16 | t->id[1] << 8 | t->id[2];
	if (t->dest == bpf_htons(TUNNEL_PORT_VXLAN)) {
		w->kind = FLOW_TUNNEL_VXLAN;
		w->type = bpf_htons(TUNNEL_ETHERNET);
		return t->first & TUNNEL_VXLAN_HAS_ID;
	}
	w->kind = FLOW_TUNNEL_GENEVE;
	w->type = t->type;
	w->off += (t->first & 0x3f) * 4;
	return t->dest == bpf_htons(TUNNEL_PORT_GENEVE) && !(t->first >> 6);
}

static __always_inline bool tunnel_open_gre(const struct pkt_buff *b, struct tunnel_walk *w)
{
	struct tunnel_gre *gre = tunnel_at(b, w->off, sizeof(*gre));
	__be32 *key;
	__u32 flags;

	if (!gre)
		return false;
	flags = bpf_ntohs(gre->flags);
	if (flags & TUNNEL_GRE_STRANGE)
		return false;
	w->kind = FLOW_TUNNEL_GRE;
	w->type = gre->type;
	w->off += sizeof(*gre);
	if (flags & TUNNEL_GRE_CHECKSUM)
		w->off += 4;
	if (flags & TUNNEL_GRE_KEY) {
		key = tunnel_at(b, w->off, sizeof(*key));
		if (!key)
			return false;
		w->id = bpf_ntohl(*key);
		w->off += sizeof(*key);
	}
	if (flags & TUNNEL_GRE_SEQUENCE)
		w->off += 4;
	return true;
}

/* From an inner Ethernet header to what it carries. */
static __always_inline bool tunnel_open_ethernet(const struct pkt_buff *b, struct tunnel_walk *w)
{
	struct ethhdr *eth = tunnel_at(b, w->off, sizeof(*eth));
	struct pkt_vlan *tag;
	int i;

	if (!eth)
		return false;
	w->type = eth->h_proto;
	w->off += sizeof(*eth);
#pragma unroll
	for (i = 0; i < 2; i++) {
		if (!pkt_is_vlan(w->type))
			break;
		tag = tunnel_at(b, w->off, sizeof(*tag));
		if (!tag)
			return false;
		w->type = tag->type;
		w->off += sizeof(*tag);
	}
	return true;
}

/* Whether the inner packet fits into the tunnel, and its headers into it. */
static __always_inline bool tunnel_fits(const struct pkt *in, __u32 end)
{
	__u32 need;

	pkt_transport(in->proto, in->net, &need);
	if (in->is_fragment)
		need = 0;
	if (in->ip_end != PKT_LENGTH_UNKNOWN && in->ip_end != in->l3) {
		if (in->ip_end > end)
			return false;
		end = in->ip_end;
	}
	return in->l4 + need <= end;
}

/* Finds the packet inside the one on @b, a copy of the headers, whose tunnel header of protocol
 * @proto begins at @l4 and which says that it ends at @end. */
static __always_inline bool tunnel_find(const struct pkt_buff *b, __u32 l4, __u32 proto, __u32 end,
					struct pkt *ret)
{
	struct tunnel_walk w = {.off = l4, .end = end, .kind = FLOW_TUNNEL_IPIP};
	struct pkt in = {.ip_end = PKT_LENGTH_UNKNOWN};

	if (proto == IPPROTO_UDP) {
		if (!tunnel_open_udp(b, &w))
			return false;
	} else if (proto == IPPROTO_GRE) {
		if (!tunnel_open_gre(b, &w))
			return false;
	} else {
		w.type = bpf_htons(proto == IPPROTO_IPV6 ? ETH_P_IPV6 : ETH_P_IP);
	}
	if (w.type == bpf_htons(TUNNEL_ETHERNET) && !tunnel_open_ethernet(b, &w))
		return false;
	if (w.off >= PKT_HEADERS_MAX)
		return false;
	in.l3 = w.off & (PKT_HEADERS_MAX - 1);
	if (w.type == bpf_htons(ETH_P_IP))
		pkt_parse_ipv4(b, &in);
	else if (w.type == bpf_htons(ETH_P_IPV6))
		pkt_parse_ipv6(b, &in);
	if (!in.is_flow || in.l4 >= PKT_HEADERS_MAX || !tunnel_fits(&in, w.end))
		return false;
	in.tunnel = w.kind;
	in.tunnel_id = w.id;
	*ret = in;
	return true;
}

/* The same on this CPU's copy of the headers of @skb or @xdp; the answer goes there, too. */
static __always_inline int tunnel_find_copied(struct __sk_buff *skb, struct xdp_md *xdp, __u32 l4,
					      __u32 proto, __u32 end)
{
	struct headers_copy *copy;
	struct pkt_buff b;
	__u32 zero = 0;

	copy = bpf_map_lookup_elem(&headers_copies, &zero);
	if (!copy)
		return 0;
	b = (struct pkt_buff){.data = copy->data, .skb = skb, .xdp = xdp};
	b.end = b.data + (copy->len <= sizeof(copy->data) ? copy->len : 0);
	copy->is_tunnel = tunnel_find(&b, l4, proto, end, &copy->inner);
	return copy->is_tunnel;
}

__noinline int tunnel_find_skb(struct __sk_buff *skb, __u32 l4, __u32 proto, __u32 end)
{
	if (!skb)
		return 0; /* not told, the compiler takes XDP's way for possible */
	return tunnel_find_copied(skb, NULL, l4, proto, end);
}

__noinline int tunnel_find_xdp(struct xdp_md *ctx, __u32 l4, __u32 proto, __u32 end)
{
	return tunnel_find_copied(NULL, ctx, l4, proto, end);
}

#endif /* KERN_TUNNEL_BPF_H */
