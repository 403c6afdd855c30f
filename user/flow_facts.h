/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_facts - what the totals of one flow say about it. Pure.
 */
#ifndef USER_FLOW_FACTS_H
#define USER_FLOW_FACTS_H

#include "user/flow_table.h"

/* Packets known, both directions. */
static inline uint64_t flow_pkts(const struct flow *f)
{
	return f->totals[0].pkts + f->totals[1].pkts;
}

/* When the last packet known was seen; never before the first. */
static inline uint64_t flow_last_mono_ns(const struct flow *f)
{
	uint64_t last = f->info.first_mono_ns;

	if (f->totals[0].last_mono_ns > last)
		last = f->totals[0].last_mono_ns;
	if (f->totals[1].last_mono_ns > last)
		last = f->totals[1].last_mono_ns;
	return last;
}

/* TCP that was reset, or closed from both sides; SCTP that was aborted or shut down. */
bool flow_is_over(const struct flow *f);

/* Takes note of a packet of the flow that may be part of a TCP handshake, or, of other transports,
 * the first answer. In any order; its totals are in the flow already. */
void flow_note_handshake(struct flow *f, uint8_t from, uint8_t tcp_flags, uint64_t mono_ns);

struct flow_handshake_times {
	uint64_t syn_mono_ns, synack_mono_ns, ack_mono_ns;
};
/* False: some segment of it was not seen, they contradict each other, or both sides opened. */
bool flow_handshake_times(const struct flow *f, struct flow_handshake_times *ret);

/* The power of ten that a handshake took at least: "0ms" (less than 1 ms), "1ms", "10ms", "100ms",
 * "1s" (or more). For back ends that search attributes only for what equals them. */
const char *flow_handshake_class(const struct flow_handshake_times *t);

/* Not TCP: the time from the first packet to the first one the other way. False: there was none,
 * it came after a minute, or which one it was is not known. Sets *ret_ns. */
bool flow_answer_time(const struct flow *f, uint64_t *ret_ns);

/* Sets f->initiator and f->initiator_known. */
void flow_find_initiator(struct flow *f);

#endif /* USER_FLOW_FACTS_H */
