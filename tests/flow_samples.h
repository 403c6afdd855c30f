/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_samples - flows to tell of, as a flow table would hand them out.
 */
#ifndef TESTS_FLOW_SAMPLES_H
#define TESTS_FLOW_SAMPLES_H

#include "user/flow_table.h"

#define S 1000000000ULL
#define SYN (FLOW_TCP_SYN | FLOW_SAW_SYN | FLOW_SAW_ISN)
#define SYNACK (FLOW_TCP_SYN | FLOW_TCP_ACK | FLOW_SAW_SYNACK | FLOW_SAW_ISN)
#define DATA (FLOW_TCP_ACK | FLOW_TCP_PSH | FLOW_SAW_DATA)

/* 12 packets from @source to @destination and 10 back; the endpoints in the kernel's order. */
struct flow sample_flow(uint8_t proto, const char *source, uint16_t sport, const char *destination,
			uint16_t dport);

/* An HTTP connection from endpoint 0 to 1, seen from its SYN on. */
struct flow sample_http(void);

#endif /* TESTS_FLOW_SAMPLES_H */
