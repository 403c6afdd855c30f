/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_log - things that happened → log records: failed connections, losses, clock steps.
 *
 * A record lives in the caller's struct until the next call on it; what it was made from is
 * borrowed as long. Pure.
 */
#ifndef USER_FLOW_LOG_H
#define USER_FLOW_LOG_H

#include "otlp/otlp.h"
#include "user/ledger.h"

#define FLOW_LOG_ATTRS 8
struct flow_log {
	struct otlp_log log;
	struct otlp_attr attrs[FLOW_LOG_ATTRS];
	char body[320];
};

/* The event beside the span of a connection that was refused, reset before data, or not answered,
 * with the span's ids; NULL: the span tells of none. */
const struct otlp_log *flow_log_connection(struct flow_log *l, const struct otlp_span *span,
					   uint64_t observed_unix_ns);

const struct otlp_log *flow_log_loss(struct flow_log *l, const struct ledger_growth *loss,
				     uint64_t now_unix_ns);

const struct otlp_log *flow_log_clock_step(struct flow_log *l, int64_t step_ns,
					   uint64_t now_unix_ns);

/* From one flow, or packet, in @before to one in @n; @because is for people. */
const struct otlp_log *flow_log_sampling(struct flow_log *l, bool by_packets, uint64_t before,
					 uint64_t n, const char *reason, const char *because,
					 uint64_t now_unix_ns);

#endif /* USER_FLOW_LOG_H */
