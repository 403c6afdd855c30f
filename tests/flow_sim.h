/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_sim - the kernel's side of a flow table, simulated: the map, the ring, and the truth.
 *
 * Packets go in; records wait in a queue until delivered. Each connection that the kernel told
 * apart is remembered with its true totals, and every report is kept.
 */
#ifndef TESTS_FLOW_SIM_H
#define TESTS_FLOW_SIM_H

#include "user/flow_table.h"

#define SIM_TUPLES 24
#define SIM_QUEUE 512
#define SIM_CONNS 20000
#define SIM_REPORTS 60000
#define SIM_NOTES 60000
#define SIM_MS 1000000ULL
#define SIM_S 1000000000ULL

struct sim_conn {
	unsigned tuple;
	uint64_t first_mono_ns;
	uint32_t generation;
	uint64_t pkts[2], bytes[2], last_mono_ns;
	unsigned finals; /* final reports that named it */
};

struct sim_report {
	struct flow flow;
	struct flow_report report;
	uint64_t at_mono_ns; /* when it was made */
	struct flow_estimate estimate[2], before[2]; /* packet mode; the report's pointers are stale */
};

struct sim_note {
	unsigned report; /* which one told it */
	struct flow_note note;
};

struct sim {
	struct flow_table *table;
	uint64_t now;
	int64_t offset_ns;
	struct flow_key keys[SIM_TUPLES];
	struct flow_state states[SIM_TUPLES];
	bool has_state[SIM_TUPLES];
	unsigned states_len, states_cap;
	uint64_t interval; /* packet mode: N in force, and packets are samples; 0: flow mode */
	uint64_t sent[SIM_TUPLES];
	uint64_t finals[SIM_TUPLES]; /* packets in final reports */
	struct flow_record_last queue[SIM_QUEUE]; /* of any kind */
	union flow_detail last_detail[2];
	bool was_swapped[SIM_QUEUE]; /* by a test, while it is in the queue */
	unsigned queue_len;
	bool is_mute; /* updates find no room in the ring */
	struct sim_conn conns[SIM_CONNS];
	unsigned conns_len;
	struct sim_report reports[SIM_REPORTS];
	unsigned reports_len;
	unsigned reports_detailed;
	uint8_t next_event; /* of the packet that is sent next: enum flow_event, and */
	uint16_t next_event_count;
	uint64_t late_ns; /* so much before now the next packets' clocks were read: by a CPU that
			   * others overtook */
	unsigned events_sent; /* in records that the table was given */
	struct sim_note notes[SIM_NOTES];
	unsigned notes_len;
	uint64_t notes_dropped; /* as reports say */
	void (*after_peek)(struct sim *s, unsigned tuple); /* may send packets */
	unsigned peeks, takes;
	uint32_t seed;
};

/* A simulation with a table of @opts; all TCP but the last four tuples, which are UDP. */
struct sim *sim_create(const struct flow_table_opts *opts, unsigned states_cap, uint32_t seed);
void sim_destroy(struct sim *s);

uint32_t sim_random(struct sim *s, uint32_t below);
/* @flags as in flow_totals; @isn only with a SYN. */
void sim_send(struct sim *s, unsigned tuple, unsigned from, uint32_t flags, uint32_t isn,
	      unsigned pkts);
/* The hash of a tuple. */
uint64_t sim_hash(unsigned tuple);

/* An ICMP error of @type and @code 0 comes, about a packet that @from sent; its reporter is 192.0.2.1
 * and its mtu @mtu. */
void sim_quote(struct sim *s, unsigned tuple, unsigned from, uint8_t type, uint32_t mtu);
/* The first @len records of the queue go to the table. */
void sim_deliver(struct sim *s, unsigned len);
/* Time goes on by @ns, in steps of a wheel tick, all records delivered. */
void sim_run(struct sim *s, uint64_t ns);
/* Whether the table's own counts are what its reports say. */
void sim_check_balance(struct sim *s);

#endif /* TESTS_FLOW_SIM_H */
