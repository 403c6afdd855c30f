/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * payload - the beginning of HTTP requests in plain text, for those who asked for --trace-links.
 *
 * Nothing else of any packet's content ever leaves the kernel. Bounded: the first requests of a
 * connection, the first bytes of each.
 */
#ifndef KERN_PAYLOAD_BPF_H
#define KERN_PAYLOAD_BPF_H

#include "kern/emit.bpf.h"
#include "kern/maps.bpf.h"
#include "kern/state.bpf.h"

/* Whether a segment begins with the method of a request (RFC 9110, section 9.3) that may carry
 * fields: by its first four characters, as the host loads them. */
static __always_inline bool payload_is_request(__be32 word)
{
	return word == bpf_htonl(0x47455420) || /* GET */
	       word == bpf_htonl(0x504f5354) || /* POST */
	       word == bpf_htonl(0x50555420) || /* PUT */
	       word == bpf_htonl(0x48454144) || /* HEAD */
	       word == bpf_htonl(0x44454c45) || /* DELETE */
	       word == bpf_htonl(0x50415443) || /* PATCH */
	       word == bpf_htonl(0x4f505449); /* OPTIONS */
}

static __always_inline int payload_load(const struct pkt_buff *b, __u32 off, void *to, __u32 len)
{
	return b->skb ? bpf_skb_load_bytes(b->skb, off, to, len)
		      : bpf_xdp_load_bytes(b->xdp, off, to, len);
}

/* Where the payload of a TCP segment begins, and its length by the IP header. 0: there is none. */
static __always_inline __u32 payload_find(const struct pkt_buff *b, const struct pkt *p,
					  __u32 *ret_len)
{
	struct pkt_tcp *tcp = b->data + p->l4;
	__u32 off;

	if (p->transport != FLOW_TRANSPORT_TCP || p->is_fragment || p->l4 > PKT_HEADERS_MAX ||
	    (void *)(tcp + 1) > b->end)
		return 0;
	off = p->l4 + (tcp->offset >> 4) * 4;
	if (p->ip_end == PKT_LENGTH_UNKNOWN || p->ip_end <= off || off < p->l4 + sizeof(*tcp))
		return 0;
	*ret_len = p->ip_end - off;
	return off;
}

/* Tells of the segment, if a request begins with it. A request that is cut by the end of the
 * segment is told as far as it goes. */
static __always_inline void payload_tell(const struct pkt_buff *b, const struct pkt *p,
					 const struct state_pkt *sp, struct flow_state *st)
{
	struct flow_record_payload *r;
	__u32 off, len = 0;
	__be32 word;

	off = payload_find(b, p, &len);
	if (!off || st->info.requests >= FLOW_REQUESTS_MAX ||
	    payload_load(b, off, &word, sizeof(word)) || !payload_is_request(word))
		return;
	r = emit_reserve(sp->hash, sizeof(*r));
	if (!r)
		return;
	st->info.requests++;
	state_fill_head(&r->record, sp, FLOW_RECORD_PAYLOAD);
	__builtin_memset(&r->record.info, 0, sizeof(r->record.info));
	__builtin_memset(r->record.totals, 0, sizeof(r->record.totals));
	r->pad = 0;
	if (len > FLOW_PAYLOAD_MAX)
		len = FLOW_PAYLOAD_MAX;
	len--; /* so that the verifier sees 1..FLOW_PAYLOAD_MAX */
	barrier_var(len);
	if (len > FLOW_PAYLOAD_MAX - 1)
		len = FLOW_PAYLOAD_MAX - 1;
	/* what the frame does not hold, though its IP length says so, is told as nothing */
	r->len = payload_load(b, off, r->data, len + 1) ? 0 : len + 1;
	emit_submit(r);
}

#endif /* KERN_PAYLOAD_BPF_H */
