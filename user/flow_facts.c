/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_facts.h"

#include <netinet/in.h>

bool flow_is_over(const struct flow *f)
{
	uint32_t a = f->totals[0].flags, b = f->totals[1].flags;

	if (f->key.proto == IPPROTO_SCTP)
		return (a | b) & FLOW_SAW_END;
	return f->key.proto == IPPROTO_TCP && (((a | b) & FLOW_TCP_RST) || (a & b & FLOW_TCP_FIN));
}

#define HANDSHAKE_UNIT_NS 16
#define ANSWER_PKTS 4 /* so many of each direction have a record of their own */

void flow_note_handshake(struct flow *f, uint8_t from, uint8_t tcp_flags, uint64_t mono_ns)
{
	const struct flow_totals *sender = &f->totals[from & 1];
	uint64_t after = (mono_ns - f->info.first_mono_ns) / HANDSHAKE_UNIT_NS + 1;
	uint32_t *at = NULL;

	if (mono_ns < f->info.first_mono_ns || after > UINT32_MAX ||
	    (tcp_flags & (FLOW_TCP_RST | FLOW_TCP_FIN)))
		return;
	if (f->key.proto != IPPROTO_TCP) {
		if ((from & 1) != f->info.first_from && sender->pkts <= ANSWER_PKTS)
			at = &f->handshake.synack;
	} else if (tcp_flags & FLOW_TCP_SYN)
		at = tcp_flags & FLOW_TCP_ACK ? &f->handshake.synack : &f->handshake.syn;
	else if ((tcp_flags & FLOW_TCP_ACK) && (sender->flags & FLOW_SAW_SYN))
		at = &f->handshake.ack;
	if (at && (!*at || after < *at))
		*at = (uint32_t)after;
}

bool flow_handshake_times(const struct flow *f, struct flow_handshake_times *ret)
{
	const struct flow_handshake *h = &f->handshake;
	uint64_t first = f->info.first_mono_ns - HANDSHAKE_UNIT_NS;

	/* where both opened, each answered the other: these are not two shares of one round trip */
	if (f->totals[0].flags & f->totals[1].flags & FLOW_SAW_SYN)
		return false;
	if (!h->syn || h->synack < h->syn || h->ack < h->synack)
		return false;
	ret->syn_mono_ns = first + (uint64_t)h->syn * HANDSHAKE_UNIT_NS;
	ret->synack_mono_ns = first + (uint64_t)h->synack * HANDSHAKE_UNIT_NS;
	ret->ack_mono_ns = first + (uint64_t)h->ack * HANDSHAKE_UNIT_NS;
	return true;
}

const char *flow_handshake_class(const struct flow_handshake_times *t)
{
	static const char *const names[] = {"0ms", "1ms", "10ms", "100ms", "1s"};
	uint64_t ms = (t->ack_mono_ns - t->syn_mono_ns) / 1000000;
	size_t i = 0;

	for (; ms && i < sizeof(names) / sizeof(*names) - 1; ms /= 10)
		i++;
	return names[i];
}

bool flow_answer_time(const struct flow *f, uint64_t *ret_ns)
{
	bool is_icmp = f->key.proto == IPPROTO_ICMP || f->key.proto == IPPROTO_ICMPV6;

	if (!f->handshake.synack ||
	    (!is_icmp && f->key.proto != IPPROTO_UDP && f->key.proto != IPPROTO_SCTP) ||
	    ((f->totals[0].flags | f->totals[1].flags) & FLOW_SAW_FRAGMENT))
		return false;
	/* if the first one seen is an answer, the next one the other way is none */
	if (f->initiator_known ? f->initiator != f->info.first_from : is_icmp)
		return false;
	*ret_ns = (uint64_t)(f->handshake.synack - 1) * HANDSHAKE_UNIT_NS;
	return true;
}

void flow_find_initiator(struct flow *f)
{
	uint32_t a = f->totals[0].flags, b = f->totals[1].flags;
	uint32_t asks = (a | b) & FLOW_SAW_SYN ? FLOW_SAW_SYN : FLOW_SAW_ECHO;

	f->initiator = f->info.first_from & 1;
	f->initiator_known = true;
	if ((a ^ b) & asks)
		f->initiator = !(a & asks);
	else if (a & b & asks)
		return; /* both opened at once: the first one did */
	else if ((a ^ b) & FLOW_SAW_SYNACK)
		f->initiator = !!(a & FLOW_SAW_SYNACK);
	else
		f->initiator_known = false;
}
