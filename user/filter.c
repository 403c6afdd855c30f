/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One pass, no tree: conditions become steps in the order in which they are read. What is parsed
 * so far has exits that lead nowhere yet, in two sets: where it is true and where it is false.
 * "and" lets the true exits of its left side lead to the first step of its right side, "or" the
 * false ones, "not" swaps the sets. So every step leads to a later one, and as few as can be run.
 */
#include "user/filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_CAP 64 /* more than any address with its prefix length */

_Static_assert(FILTER_STEPS_MAX <= 64, "a set of exits is a word");

/* Bit i: that side of step i. */
struct exits {
	uint64_t on_true, on_false;
};

struct part {
	struct exits in, out; /* where it is true, where it is false */
};

struct parse {
	struct filter_program *prog;
	const char *text;
	const char *token; /* the one to be looked at next */
	size_t len; /* its; 0: the end */
	unsigned depth;
	char *why;
};

/* ---- words ---- */

static int __attribute__((format(printf, 2, 3))) refuse(struct parse *p, const char *fmt, ...)
{
	size_t shown = p->len < 40 ? p->len : 40, i, at;
	char token[41];
	va_list args;

	for (i = 0; i < shown; i++)
		token[i] = isprint((unsigned char)p->token[i]) ? p->token[i] : '?';
	token[shown] = '\0';
	if (p->len)
		at = (size_t)snprintf(p->why, FILTER_WHY_CAP,
				      "at character %zu, '%s': ", (size_t)(p->token - p->text) + 1,
				      token);
	else
		at = (size_t)snprintf(p->why, FILTER_WHY_CAP, "at the end: ");
	va_start(args, fmt);
	vsnprintf(p->why + at, FILTER_WHY_CAP - at, fmt, args);
	va_end(args);
	return -EINVAL;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(".:/-_", c));
}

static void next_token(struct parse *p)
{
	const char *t = p->token + p->len;

	while (isspace((unsigned char)*t))
		t++;
	p->token = t;
	for (p->len = 0; is_word_char(t[p->len]);)
		p->len++;
	if (!p->len && *t)
		p->len = (t[0] == '&' || t[0] == '|') && t[1] == t[0] ? 2 : 1;
}

static bool is_token(const struct parse *p, const char *text)
{
	return strlen(text) == p->len && !memcmp(p->token, text, p->len);
}

/* Takes the token if it is one of the two. */
static bool take(struct parse *p, const char *text, const char *other)
{
	if (!is_token(p, text) && !(other && is_token(p, other)))
		return false;
	next_token(p);
	return true;
}

/* The token as a string; "" if it is longer than any that makes sense. */
static const char *word_of(const struct parse *p, char buf[WORD_CAP])
{
	size_t len = p->len < WORD_CAP ? p->len : 0;

	memcpy(buf, p->token, len);
	buf[len] = '\0';
	return buf;
}

/* Decimal digits up to @end; false: anything else, or more than @max. */
static bool read_number(const char *text, const char *end, unsigned max, uint16_t *ret)
{
	unsigned v = 0;

	if (text == end || end - text > 5)
		return false;
	for (; text < end; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		v = v * 10 + (unsigned)(*text - '0');
	}
	if (v > max)
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* ---- steps ---- */

static void lead(struct parse *p, struct exits e, uint8_t where)
{
	unsigned i;

	for (i = 0; i < p->prog->len; i++) {
		if (e.on_true >> i & 1)
			p->prog->step[i].on_true = where;
		if (e.on_false >> i & 1)
			p->prog->step[i].on_false = where;
	}
}

static struct exits both(struct exits a, struct exits b)
{
	return (struct exits){a.on_true | b.on_true, a.on_false | b.on_false};
}

static int add_step(struct parse *p, const struct filter_step *s, struct part *ret)
{
	uint64_t bit = 1ULL << (p->prog->len & 63);

	if (p->prog->len == FILTER_STEPS_MAX)
		return refuse(p, "too large: at most %d conditions; 'tcp port 443' are two",
			      FILTER_STEPS_MAX);
	p->prog->step[p->prog->len++] = *s;
	*ret = (struct part){{bit, 0}, {0, bit}};
	return 0;
}

/* @ret and one more condition. */
static int and_step(struct parse *p, const struct filter_step *s, struct part *ret)
{
	uint8_t first = (uint8_t)p->prog->len;
	struct part right;
	int err = add_step(p, s, &right);

	if (err)
		return err;
	lead(p, ret->in, first);
	ret->in = right.in;
	ret->out = both(ret->out, right.out);
	return 0;
}

/* ---- conditions ---- */

/* "port N" or "portrange A-B"; the keyword is the token. */
static int parse_ports(struct parse *p, struct filter_step *s)
{
	bool is_range = take(p, "portrange", NULL);
	const char *dash, *end;

	if (!is_range)
		next_token(p);
	*s = (struct filter_step){.op = FILTER_PORTS};
	end = p->token + p->len;
	if (!is_range) {
		if (!read_number(p->token, end, 65535, &s->port_low))
			return refuse(p, "'port' takes a number from 0 to 65535, no name");
		s->port_high = s->port_low;
	} else {
		dash = memchr(p->token, '-', p->len);
		if (!dash || !read_number(p->token, dash, 65535, &s->port_low) ||
		    !read_number(dash + 1, end, 65535, &s->port_high))
			return refuse(p, "'portrange' takes two numbers from 0 to 65535, such as "
					 "6000-6008");
		if (s->port_low > s->port_high)
			return refuse(p, "ends before it begins: say %u-%u", s->port_high,
				      s->port_low);
	}
	next_token(p);
	return 0;
}

static int parse_proto(struct parse *p, struct filter_step *s)
{
	uint16_t number;

	next_token(p);
	if (!read_number(p->token, p->token + p->len, 255, &number))
		return refuse(p, "'proto' takes the number of an IP protocol, 0 to 255");
	*s = (struct filter_step){.op = FILTER_PROTO, .value = (uint8_t)number};
	next_token(p);
	return 0;
}

/* Sets family, address and a mask of @bits; negative: of the whole address. False: no address. */
static bool set_net(struct filter_step *s, const char *addr, int bits)
{
	bool is_v6 = strchr(addr, ':');
	uint8_t bytes[16] = {0}, mask[16] = {0};
	int i;

	*s = (struct filter_step){.op = FILTER_NET, .value = is_v6 ? 6 : 4};
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, addr, bytes) != 1)
		return false;
	if (bits < 0)
		bits = is_v6 ? 128 : 32;
	for (i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	memcpy(s->addr, bytes, sizeof(bytes));
	memcpy(s->mask, mask, sizeof(mask));
	return true;
}

static int parse_host(struct parse *p, struct filter_step *s)
{
	char word[WORD_CAP];

	if (!set_net(s, word_of(p, word), -1))
		return memchr(p->token, '/', p->len)
			       ? refuse(p, "'host' takes one address; for a network say 'net'")
			       : refuse(p, "'host' takes an IPv4 or IPv6 address, no name");
	return 0;
}

static int parse_net(struct parse *p, struct filter_step *s)
{
	char word[WORD_CAP], right[INET6_ADDRSTRLEN], *slash;
	uint64_t net[2];
	uint16_t bits;

	word_of(p, word);
	slash = strchr(word, '/');
	if (slash)
		*slash = '\0';
	if (!set_net(s, word, -1))
		return refuse(p, "'net' takes a network, such as 10.0.0.0/8 or fd00::/8");
	if (!slash ||
	    !read_number(slash + 1, slash + 1 + strlen(slash + 1), s->value == 6 ? 128 : 32, &bits))
		return refuse(p, "'net' takes an address and how long its prefix is: say %s/%s",
			      word, s->value == 6 ? "0 to 128" : "0 to 32");
	set_net(s, word, bits);
	net[0] = s->addr[0] & s->mask[0];
	net[1] = s->addr[1] & s->mask[1];
	if (net[0] != s->addr[0] || net[1] != s->addr[1]) {
		inet_ntop(s->value == 6 ? AF_INET6 : AF_INET, net, right, sizeof(right));
		return refuse(p, "an address within the network: say %s/%u, or 'host %s'", right,
			      bits, word);
	}
	return 0;
}

/* "host ADDRESS" or "net CIDR"; @family: 0, or the one that was said. */
static int parse_address(struct parse *p, struct filter_step *s, uint8_t family)
{
	bool is_host = take(p, "host", NULL);
	int err;

	if (!is_host)
		next_token(p);
	err = is_host ? parse_host(p, s) : parse_net(p, s);
	if (err)
		return err;
	if (family && family != s->value)
		return refuse(p, "not of the family that 'ip%s' names", family == 6 ? "6" : "");
	next_token(p);
	return 0;
}

static int refuse_condition(struct parse *p)
{
	static const char *const no_flows[] = {"arp", "rarp", "ether", "vlan",	    "mpls",
					       "stp", "lldp", "link",  "broadcast", "multicast"};
	char word[WORD_CAP];
	struct filter_step s;
	uint16_t number;
	size_t i;

	for (i = 0; i < sizeof(no_flows) / sizeof(*no_flows); i++)
		if (is_token(p, no_flows[i]))
			return refuse(p, "flows are told by IP addresses, protocols and ports "
					 "alone: the link layer is counted, and not filtered");
	if (is_token(p, "src") || is_token(p, "dst"))
		return refuse(p, "a flow has two directions and is in or out as a whole: 'host', "
				 "'net' and 'port' fit either end");
	if (read_number(p->token, p->token + p->len, 65535, &number))
		return refuse(p, "a number alone is no condition: say 'port %u'", number);
	if (set_net(&s, word_of(p, word), -1))
		return refuse(p, "an address alone is no condition: say 'host %s'", word);
	return refuse(p, "expected one of tcp, udp, sctp, icmp, icmp6, ip, ip6, proto, host, net, "
			 "port, portrange, not, (");
}

static int parse_transport(struct parse *p, uint8_t proto, struct part *ret)
{
	struct filter_step s = {.op = FILTER_PROTO, .value = proto};
	int err = add_step(p, &s, ret);

	if (err || (!is_token(p, "port") && !is_token(p, "portrange")))
		return err;
	err = parse_ports(p, &s);
	return err ? err : and_step(p, &s, ret);
}

static int parse_family(struct parse *p, uint8_t family, struct part *ret)
{
	struct filter_step s = {.op = FILTER_FAMILY, .value = family};
	int err;

	if (is_token(p, "host") || is_token(p, "net")) {
		err = parse_address(p, &s, family);
		return err ? err : add_step(p, &s, ret);
	}
	err = add_step(p, &s, ret);
	if (err || !is_token(p, "proto"))
		return err;
	err = parse_proto(p, &s);
	return err ? err : and_step(p, &s, ret);
}

/* ICMP is one of IPv4, ICMPv6 one of IPv6. */
static int parse_icmp(struct parse *p, uint8_t family, uint8_t proto, struct part *ret)
{
	struct filter_step s = {.op = FILTER_FAMILY, .value = family};
	int err = add_step(p, &s, ret);

	s = (struct filter_step){.op = FILTER_PROTO, .value = proto};
	return err ? err : and_step(p, &s, ret);
}

static int parse_condition(struct parse *p, struct part *ret)
{
	struct filter_step s;
	int err;

	if (take(p, "tcp", NULL))
		return parse_transport(p, IPPROTO_TCP, ret);
	if (take(p, "udp", NULL))
		return parse_transport(p, IPPROTO_UDP, ret);
	if (take(p, "sctp", NULL))
		return parse_transport(p, IPPROTO_SCTP, ret);
	if (take(p, "ip", NULL))
		return parse_family(p, 4, ret);
	if (take(p, "ip6", NULL))
		return parse_family(p, 6, ret);
	if (take(p, "icmp", NULL))
		return parse_icmp(p, 4, IPPROTO_ICMP, ret);
	if (take(p, "icmp6", NULL))
		return parse_icmp(p, 6, IPPROTO_ICMPV6, ret);
	if (is_token(p, "port") || is_token(p, "portrange"))
		err = parse_ports(p, &s);
	else if (is_token(p, "host") || is_token(p, "net"))
		err = parse_address(p, &s, 0);
	else if (is_token(p, "proto"))
		err = parse_proto(p, &s);
	else
		err = refuse_condition(p);
	return err ? err : add_step(p, &s, ret);
}

/* ---- expressions ---- */

static int parse_expression(struct parse *p, struct part *ret);

static int parse_factor(struct parse *p, struct part *ret)
{
	struct exits in;
	int err;

	if (!is_token(p, "not") && !is_token(p, "!") && !is_token(p, "("))
		return parse_condition(p, ret);
	if (p->depth == FILTER_DEPTH_MAX)
		return refuse(p, "too deep: at most %d 'not' and parentheses within each other",
			      FILTER_DEPTH_MAX);
	p->depth++;
	if (take(p, "not", "!")) {
		err = parse_factor(p, ret);
		if (err)
			return err;
		in = ret->in;
		ret->in = ret->out;
		ret->out = in;
	} else {
		next_token(p);
		err = parse_expression(p, ret);
		if (err)
			return err;
		if (!take(p, ")", NULL))
			return refuse(p, "expected 'and', 'or' or ')'");
	}
	p->depth--;
	return 0;
}

static int parse_term(struct parse *p, struct part *ret)
{
	struct part right;
	uint8_t first;
	int err = parse_factor(p, ret);

	while (!err && take(p, "and", "&&")) {
		first = (uint8_t)p->prog->len;
		err = parse_factor(p, &right);
		if (err)
			return err;
		lead(p, ret->in, first);
		ret->in = right.in;
		ret->out = both(ret->out, right.out);
	}
	return err;
}

static int parse_expression(struct parse *p, struct part *ret)
{
	struct part right;
	uint8_t first;
	int err = parse_term(p, ret);

	while (!err && take(p, "or", "||")) {
		first = (uint8_t)p->prog->len;
		err = parse_term(p, &right);
		if (err)
			return err;
		lead(p, ret->out, first);
		ret->out = right.out;
		ret->in = both(ret->in, right.in);
	}
	return err;
}

int filter_parse(struct filter_program *ret, const char *text, char why[FILTER_WHY_CAP])
{
	struct filter_program prog = {.len = 0};
	struct parse p = {.prog = &prog, .text = text, .token = text, .why = why};
	struct part all;
	int err;

	if (strlen(text) > FILTER_TEXT_MAX) {
		snprintf(why, FILTER_WHY_CAP, "too long: at most %d characters", FILTER_TEXT_MAX);
		return -EINVAL;
	}
	next_token(&p);
	if (!p.len) {
		snprintf(why, FILTER_WHY_CAP, "empty: give an expression, such as tcp port 443");
		return -EINVAL;
	}
	err = parse_expression(&p, &all);
	if (err)
		return err;
	if (p.len)
		return refuse(&p, is_token(&p, ")") ? "nothing is open here"
						    : "expected 'and' or 'or'");
	lead(&p, all.in, FILTER_IN);
	lead(&p, all.out, FILTER_OUT);
	*ret = prog;
	return 0;
}
