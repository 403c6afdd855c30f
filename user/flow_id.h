/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_id - the names of a flow that others must arrive at too: trace id, threshold, Community ID.
 *
 * All are functions of the packets and the site key alone, the same on hosts of either byte order.
 * Pure; any thread.
 */
#ifndef USER_FLOW_ID_H
#define USER_FLOW_ID_H

#include <stdint.h>

#include "user/flow_table.h"

/* What tells a connection from another one on the same tuple. Decided once, at the first span:
 * a sequence number may become known later. */
enum flow_id_form {
	FLOW_ID_HOUR = 0, /* the UTC hour of the first packet */
	FLOW_ID_ISN0 = 2, /* the sequence number of endpoint 0's SYN */
	FLOW_ID_ISN1 = 3
};
enum flow_id_form flow_id_form(const struct flow *f);

/* The 16 bytes:   0                         9                  16
 *                 | keyed hash of the flow  | R, big endian    |
 * @epoch counts the traces that a very long flow is cut into. */
void flow_id_trace(const uint64_t site_key[4], const struct flow *f, enum flow_id_form form,
		   uint64_t epoch, uint8_t ret[16]);

/* How many flows one that was kept stands for: 2^56 / (2^56 - threshold), rounded. */
uint64_t flow_id_interval(uint64_t threshold);

/* The trace state, "ot=th:fd70a": the rejection threshold as OpenTelemetry writes it. Returns its
 * length. */
#define FLOW_ID_STATE_CAP 24
size_t flow_id_trace_state(uint64_t threshold, char ret[FLOW_ID_STATE_CAP]);

/* Community ID version 1, seed 0, with a NUL. Returns its length without. @has_ports: the flow is not of fragments. */
#define FLOW_ID_COMMUNITY_CAP 32
size_t flow_id_community(const struct flow_key *key, bool has_ports,
			 char ret[FLOW_ID_COMMUNITY_CAP]);

/* Of ICMP and ICMPv6: whether nothing answers this message, and then which endpoint sends it. */
bool flow_id_is_oneway(const struct flow_key *key, uint8_t *ret_sender);

#endif /* USER_FLOW_ID_H */
