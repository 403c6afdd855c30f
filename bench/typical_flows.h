/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * typical_flows - flows as a flow table would report them: the everyday ones, and one of which
 * there is everything to tell.
 */
#ifndef BENCH_TYPICAL_FLOWS_H
#define BENCH_TYPICAL_FLOWS_H

#include "user/flow_table.h"

#define TYPICAL_NOTES 4

enum typical_kind {
	TYPICAL_DNS, /* UDP over IPv4, a question and its answer */
	TYPICAL_HTTP, /* TCP over IPv4, short, with its handshake */
	TYPICAL_HTTPS6, /* the same over IPv6, without */
	TYPICAL_ECHO, /* ICMP over IPv4 */
	TYPICAL_INTERVAL, /* of a long TCP connection over IPv4 */
	TYPICAL_END, /* and its end */
	TYPICAL_ALL, /* TCP over IPv6 with retransmissions, round trips, events, a link */
	TYPICAL_MAX
};

struct typical_flow {
	const char *name;
	struct flow flow;
	struct flow_report report; /* points into this one: not to be copied */
	union flow_detail detail[2];
	struct flow_note notes[TYPICAL_NOTES];
};

/* Flow @i of a kind: each has other ports and numbers. @interval: 1 in so many was kept; 1: all. */
void typical_flow(struct typical_flow *ret, enum typical_kind kind, unsigned i, unsigned interval);

#endif /* BENCH_TYPICAL_FLOWS_H */
