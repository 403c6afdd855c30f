/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/filter_random.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define PICK(seed, from) ((from)[filter_random(seed, sizeof(from) / sizeof(*(from)))])

static const char *const addrs4[] = {"10.0.0.1", "10.0.0.2", "10.1.2.3", "192.168.1.1",
				     "172.16.5.5"};
static const char *const addrs6[] = {"2001:db8::1", "2001:db8::2", "2001:db8:8000::7", "fd00::1:2",
				     "fe80::1"};
static const uint16_t ports[] = {0, 53, 80, 443, 1000, 1001, 1002, 65535};
static const uint8_t protos[] = {IPPROTO_TCP,  IPPROTO_TCP,    IPPROTO_UDP, IPPROTO_UDP,
				 IPPROTO_SCTP, IPPROTO_ICMPV6, IPPROTO_GRE, IPPROTO_ICMP};

unsigned filter_random(uint32_t *seed, unsigned n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % n;
}

/* ---- packets ---- */

static void append_transport(const struct filter_facts *facts, unsigned from, struct frame *f)
{
	uint16_t a = facts->port[from], b = facts->port[from ^ 1];

	switch (facts->proto) {
	case IPPROTO_TCP:
		frame_tcp(f, a, b, 0x10, 1, 8);
		break;
	case IPPROTO_UDP:
		frame_udp(f, a, b, 8);
		break;
	case IPPROTO_SCTP:
		frame_sctp(f, a, b);
		break;
	default:
		frame_icmp(f, 8, 0, 24);
	}
}

static void append_ip(const struct filter_facts *facts, unsigned from, size_t options,
		      uint16_t fragment, struct frame *f)
{
	if (facts->family == 4)
		frame_ipv4(f, facts->addr[from], facts->addr[from ^ 1], facts->proto, options,
			   fragment);
	else
		frame_ipv6(f, facts->addr[from], facts->addr[from ^ 1], facts->proto);
}

/* The same facts in another dress. */
static void dress(uint32_t *seed, struct filter_facts *facts, struct frame *f)
{
	bool is_v4 = facts->family == 4;
	uint16_t type = is_v4 ? 0x0800 : 0x86dd;

	frame_begin(f, type);
	if (filter_random(seed, 2))
		frame_vlan(f, 0x8100, 7, type);
	switch (filter_random(seed, 3)) {
	case 0: /* a first fragment */
		facts->has_ports = false;
		if (is_v4) {
			append_ip(facts, 0, 0, 0x2000, f);
			break;
		}
		frame_ipv6(f, facts->addr[0], facts->addr[1], IPPROTO_FRAGMENT);
		frame_fragment6(f, facts->proto, 1);
		break;
	case 1:
		if (is_v4) {
			append_ip(facts, 0, 12, 0, f);
			break;
		}
		frame_ipv6(f, facts->addr[0], facts->addr[1], IPPROTO_HOPOPTS);
		frame_extension(f, facts->proto, 1);
		break;
	default:
		append_ip(facts, 0, 0, 0, f);
	}
	append_transport(facts, 0, f);
}

void filter_random_packet(uint32_t *seed, bool plain, struct filter_facts *ret, struct frame *f)
{
	uint16_t fragment = 0;
	unsigned i;

	ret->family = filter_random(seed, 2) ? 4 : 6;
	ret->proto = PICK(seed, protos);
	ret->has_ports = ret->proto == IPPROTO_TCP || ret->proto == IPPROTO_UDP ||
			 ret->proto == IPPROTO_SCTP;
	for (i = 0; i < 2; i++) {
		ret->port[i] = PICK(seed, ports);
		ret->addr[i] = ret->family == 4 ? PICK(seed, addrs4) : PICK(seed, addrs6);
	}
	if (!plain && filter_random(seed, 2)) {
		dress(seed, ret, f);
		return;
	}
	if (ret->family == 4 && !filter_random(seed, 8)) {
		fragment = 100; /* a later one */
		ret->has_ports = false;
	}
	frame_begin(f, ret->family == 4 ? 0x0800 : 0x86dd);
	append_ip(ret, 0, 0, fragment, f);
	append_transport(ret, 0, f);
}

void filter_packet_back(const struct filter_facts *facts, struct frame *f)
{
	uint16_t fragment = 0;

	/* of a fragment the other direction has fragments, too; in IPv6 as an extension header */
	if (!facts->has_ports && facts->family == 4)
		fragment = 100;
	frame_begin(f, facts->family == 4 ? 0x0800 : 0x86dd);
	if (!facts->has_ports && facts->family == 6) {
		frame_ipv6(f, facts->addr[1], facts->addr[0], IPPROTO_FRAGMENT);
		frame_fragment6(f, facts->proto, 8 << 3);
	} else {
		append_ip(facts, 1, 0, fragment, f);
	}
	append_transport(facts, 1, f);
}

/* ---- trees ---- */

static unsigned add_node(struct filter_tree *t)
{
	return t->len++;
}

static void make_leaf(uint32_t *seed, struct filter_node *n)
{
	uint16_t a = PICK(seed, ports), b = PICK(seed, ports);
	bool is_v4 = filter_random(seed, 2);

	n->kind = NODE_LEAF;
	n->leaf = filter_random(seed, LEAF_MAX);
	n->addr = is_v4 ? PICK(seed, addrs4) : PICK(seed, addrs6);
	n->bits = 1 + filter_random(seed, is_v4 ? 32 : 128);
	n->low = a < b ? a : b;
	n->high = a < b ? b : a;
	if (n->leaf == LEAF_PORT || n->leaf == LEAF_TCP_PORT)
		n->high = n->low;
	if (n->leaf == LEAF_PROTO || n->leaf == LEAF_IP_PROTO)
		n->low = PICK(seed, protos);
}

static unsigned make_node(uint32_t *seed, unsigned leaves, struct filter_tree *t)
{
	unsigned at = add_node(t), first;

	if (!filter_random(seed, 4) && t->len + 2 * leaves < FILTER_TREE_NODES) {
		t->node[at].kind = NODE_NOT;
		t->node[at].left = make_node(seed, leaves, t);
	} else if (leaves == 1) {
		make_leaf(seed, &t->node[at]);
	} else {
		first = 1 + filter_random(seed, leaves - 1);
		t->node[at].kind = filter_random(seed, 2) ? NODE_AND : NODE_OR;
		t->node[at].left = make_node(seed, first, t);
		t->node[at].right = make_node(seed, leaves - first, t);
	}
	return at;
}

void filter_random_tree(uint32_t *seed, unsigned leaves, struct filter_tree *ret)
{
	memset(ret, 0, sizeof(*ret));
	make_node(seed, leaves, ret);
}

static size_t print_leaf(const struct filter_node *n, char *buf, size_t cap)
{
	static const char *const words[LEAF_MAX] = {"tcp",   "udp", "sctp", "icmp",
						    "icmp6", "ip",  "ip6"};
	uint8_t bytes[16], i;
	char net[64];

	switch (n->leaf) {
	case LEAF_PROTO:
	case LEAF_IP_PROTO:
		return (size_t)snprintf(buf, cap, "%sproto %u",
					n->leaf == LEAF_IP_PROTO ? "ip " : "", n->low);
	case LEAF_PORT:
	case LEAF_TCP_PORT:
		return (size_t)snprintf(buf, cap, "%sport %u", n->leaf == LEAF_PORT ? "" : "tcp ",
					n->low);
	case LEAF_PORTRANGE:
	case LEAF_UDP_PORTRANGE:
		return (size_t)snprintf(buf, cap, "%sportrange %u-%u",
					n->leaf == LEAF_PORTRANGE ? "" : "udp ", n->low, n->high);
	case LEAF_HOST:
		return (size_t)snprintf(buf, cap, "host %s", n->addr);
	case LEAF_NET:
		inet_pton(strchr(n->addr, ':') ? AF_INET6 : AF_INET, n->addr, bytes);
		for (i = (uint8_t)n->bits; i < (strchr(n->addr, ':') ? 128 : 32); i++)
			bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
		inet_ntop(strchr(n->addr, ':') ? AF_INET6 : AF_INET, bytes, net, sizeof(net));
		return (size_t)snprintf(buf, cap, "net %s/%u", net, n->bits);
	default:
		return (size_t)snprintf(buf, cap, "%s", words[n->leaf]);
	}
}

static size_t print_node(const struct filter_tree *t, unsigned at, bool all, char *buf, size_t cap)
{
	const struct filter_node *n = &t->node[at];
	const unsigned sides[2] = {n->left, n->right};
	size_t len = 0;
	unsigned i;
	bool wrap;

	if (n->kind == NODE_LEAF)
		return print_leaf(n, buf, cap);
	for (i = 0; i < (n->kind == NODE_NOT ? 1 : 2); i++) {
		if (n->kind == NODE_NOT)
			len += (size_t)snprintf(buf, cap, "%s", at % 2 ? "not " : "!");
		else if (i)
			len += (size_t)snprintf(buf + len, cap - len, "%s",
						n->kind == NODE_AND ? at % 2 ? " and " : "&&"
						: at % 2	    ? " or "
								    : " || ");
		/* our order: leaf > not > and > or; the enum has it the other way round */
		wrap = all || (t->node[sides[i]].kind == NODE_OR && n->kind != NODE_OR) ||
		       (t->node[sides[i]].kind == NODE_AND && n->kind == NODE_NOT);
		len += (size_t)snprintf(buf + len, cap - len, wrap ? "(" : "");
		len += print_node(t, sides[i], all, buf + len, cap - len);
		len += (size_t)snprintf(buf + len, cap - len, wrap ? ")" : "");
	}
	return len;
}

void filter_tree_print(const struct filter_tree *t, bool all, char *buf, size_t cap)
{
	print_node(t, 0, all, buf, cap);
}

/* Bit by bit. */
static bool is_in(const char *text, const char *net, unsigned bits)
{
	int family = strchr(net, ':') ? AF_INET6 : AF_INET;
	uint8_t a[16], b[16];
	unsigned i;

	if (inet_pton(family, text, a) != 1 || inet_pton(family, net, b) != 1)
		return false;
	for (i = 0; i < bits; i++)
		if ((a[i / 8] >> (7 - i % 8) & 1) != (b[i / 8] >> (7 - i % 8) & 1))
			return false;
	return true;
}

static bool leaf_holds(const struct filter_node *n, const struct filter_facts *x)
{
	unsigned bits = n->bits;
	bool fits = x->has_ports && ((x->port[0] >= n->low && x->port[0] <= n->high) ||
				     (x->port[1] >= n->low && x->port[1] <= n->high));

	switch (n->leaf) {
	case LEAF_TCP:
		return x->proto == 6;
	case LEAF_UDP:
		return x->proto == 17;
	case LEAF_SCTP:
		return x->proto == 132;
	case LEAF_ICMP:
		return x->family == 4 && x->proto == 1;
	case LEAF_ICMP6:
		return x->family == 6 && x->proto == 58;
	case LEAF_IP:
		return x->family == 4;
	case LEAF_IP6:
		return x->family == 6;
	case LEAF_PROTO:
		return x->proto == n->low;
	case LEAF_IP_PROTO:
		return x->family == 4 && x->proto == n->low;
	case LEAF_PORT:
	case LEAF_PORTRANGE:
		return fits;
	case LEAF_TCP_PORT:
		return x->proto == 6 && fits;
	case LEAF_UDP_PORTRANGE:
		return x->proto == 17 && fits;
	case LEAF_HOST:
		bits = strchr(n->addr, ':') ? 128 : 32;
		/* fall through */
	default:
		return is_in(x->addr[0], n->addr, bits) || is_in(x->addr[1], n->addr, bits);
	}
}

static bool node_holds(const struct filter_tree *t, unsigned at, const struct filter_facts *facts)
{
	const struct filter_node *n = &t->node[at];

	switch (n->kind) {
	case NODE_AND:
		return node_holds(t, n->left, facts) && node_holds(t, n->right, facts);
	case NODE_OR:
		return node_holds(t, n->left, facts) || node_holds(t, n->right, facts);
	case NODE_NOT:
		return !node_holds(t, n->left, facts);
	default:
		return leaf_holds(n, facts);
	}
}

bool filter_tree_holds(const struct filter_tree *t, const struct filter_facts *facts)
{
	return node_holds(t, 0, facts);
}
