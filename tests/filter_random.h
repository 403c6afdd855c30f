/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * filter_random - random filter expressions and packets, and what must come out: each expression is
 * a tree, walked as it is written, that knows nothing of steps.
 */
#ifndef TESTS_FILTER_RANDOM_H
#define TESTS_FILTER_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/frames.h"

/* From *seed on always the same numbers: 0 to n - 1. */
unsigned filter_random(uint32_t *seed, unsigned n);

/* What a packet is about. */
struct filter_facts {
	uint8_t family, proto;
	bool has_ports;
	uint16_t port[2];
	const char *addr[2];
};

/* @plain: without tags, extension headers, options and first fragments, of which tcpdump has
 * another opinion than we. */
void filter_random_packet(uint32_t *seed, bool plain, struct filter_facts *ret, struct frame *f);
/* The packet the other way. */
void filter_packet_back(const struct filter_facts *facts, struct frame *f);

#define FILTER_TREE_NODES 64

enum filter_leaf {
	LEAF_TCP,
	LEAF_UDP,
	LEAF_SCTP,
	LEAF_ICMP,
	LEAF_ICMP6,
	LEAF_IP,
	LEAF_IP6,
	LEAF_PROTO,
	LEAF_PORT,
	LEAF_PORTRANGE,
	LEAF_TCP_PORT,
	LEAF_UDP_PORTRANGE,
	LEAF_HOST,
	LEAF_NET,
	LEAF_IP_PROTO,
	LEAF_MAX
};

struct filter_node {
	enum { NODE_AND, NODE_OR, NODE_NOT, NODE_LEAF } kind;
	unsigned left, right; /* nodes */
	enum filter_leaf leaf;
	uint16_t low, high; /* ports, or a protocol */
	const char *addr;
	unsigned bits; /* of a network */
};

struct filter_tree {
	struct filter_node node[FILTER_TREE_NODES]; /* the first one is the root */
	unsigned len;
};

void filter_random_tree(uint32_t *seed, unsigned leaves, struct filter_tree *ret);
/* With parentheses only where our precedence asks for them, or with all of them. */
void filter_tree_print(const struct filter_tree *t, bool all, char *buf, size_t cap);
bool filter_tree_holds(const struct filter_tree *t, const struct filter_facts *facts);

#endif /* TESTS_FILTER_RANDOM_H */
