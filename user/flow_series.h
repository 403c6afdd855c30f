/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_series - sums of what flows carried, by the attributes that were asked for.
 *
 * At most so many series as there is room for: what comes when it is full goes into one more, so
 * that the sum over all of them is always the whole. A series that is there stays. Memory is
 * touched only as series appear; nothing is allocated after the start. One object for all workers:
 * any thread, each call holds a lock for a moment.
 */
#ifndef USER_FLOW_SERIES_H
#define USER_FLOW_SERIES_H

#include "user/flow_attrs.h"
#include "user/flow_table.h"
#include "user/tenant_map.h"

struct flow_series;

struct flow_series_opts {
	unsigned attrs; /* FLOW_ATTR_BIT()s */
	uint8_t subnet_bits[2]; /* of IPv4 and IPv6 */
	size_t cap; /* series of each metric, at least 1 */
	const struct tenant_map *tenants; /* borrowed; NULL: none */
};

/* 0 and *ret set; -ENOMEM; -EIO: no random numbers. */
int flow_series_create(struct flow_series **ret, const struct flow_series_opts *opts);
void flow_series_destroy(struct flow_series *s); /* NULL is allowed */

/* Adds what is new in a flow that is being reported (flow_growth.h). */
void flow_series_add(struct flow_series *s, const struct flow *f, const char *if_name);

/* What the flows of a series have in common; what was not asked for is zero. */
struct flow_series_key {
	uint8_t addr[2][16]; /* source, destination; beyond a subnet that was asked for zero */
	uint32_t tenant; /* of the tenant map; 0: none */
	uint16_t server_port; /* host order */
	uint16_t if_slot;
	uint8_t has_server_port;
	uint8_t family; /* 4, 6; with the addresses and the type */
	uint8_t proto; /* IP protocol number; FLOW_SERIES_OTHER: none that has a name */
	uint8_t pad;
};
#define FLOW_SERIES_OTHER 255

struct flow_series_one {
	struct flow_series_key key;
	/* Of each enum flow_hook through which something passed; where the direction was not asked
	 * for, all is in the first. */
	struct flow_counts counts[FLOW_HOOK_MAX];
	bool has[FLOW_HOOK_MAX]; /* this is a series of packets and bytes */
	bool has_flows; /* this is one of flows */
	uint64_t flows;
};

/* What found no room. */
struct flow_series_rest {
	struct flow_counts counts;
	uint64_t flows;
	uint64_t reports; /* of which something is in here */
};

/* Copies up to @len entries from the @first on, oldest first; returns how many. An entry never
 * moves. */
size_t flow_series_read(struct flow_series *s, size_t first, struct flow_series_one *ret,
			size_t len);
void flow_series_rest(struct flow_series *s, struct flow_series_rest *ret);

/* Series of packets, which are as many as of bytes and not less than of flows. */
size_t flow_series_len(struct flow_series *s);

const struct flow_series_opts *flow_series_opts(const struct flow_series *s);

#endif /* USER_FLOW_SERIES_H */
