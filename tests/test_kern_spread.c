/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flows chosen to collide: whoever knows the formula of the hash but not the key cannot choose
 * which flows are kept, which worker gets them, or where they lie in its table.
 *
 * The hashes are the program's own: frames through it by BPF_PROG_RUN, read from the flow map. For
 * sets too large for that the formula is run here, once it has been seen to be the program's. Keys
 * and seeds are fixed, and so are the results: the bounds are those of chance, 1 in 10000.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/kern_fixture.h"

#include <cmocka.h>

#include "kern/flow_hash.h"
#include "user/flow_table.h"

#include "user/flow_index.h"

#define FLOWS 16384
#define RUN_FLOWS 16 /* of a set, through the program; each run costs milliseconds */
#define KEPT_16 (15ULL << 52) /* the threshold of 1/16 */

/* 255 degrees of freedom: chi-square is above with probability 1e-4. */
#define CHI2_255_MAX 347.7
/* 1/16 of 16384 are 1024, standard deviation 31; and four of them */
#define KEPT_MIN 900
#define KEPT_MAX 1148
/* Distance to the home slot, mean: at a load of 1/2, (1/(1-a)-1)/2 = 0.5 for linear probing. */
#define PROBES_MAX 0.6

struct tuple {
	uint32_t addr[2]; /* host order */
	uint16_t port[2];
	uint8_t proto;
};

struct set {
	const char *name;
	void (*fill)(struct tuple *set, size_t len);
};

static const __u64 keys[][4] = {
	/* 0: the one the attacker believes in */
	{0, 0, 0, 0},
	{0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110, 0x1f1e1d1c1b1a1918},
	{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89},
	{0x452821e638d01377, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917},
	{1, 0, 0, 0}, /* nearly the attacker's */
	{0, 1, 0, 0},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static uint64_t hash_of(const struct tuple *t, const __u64 *key)
{
	return hash_flow(hash_word4(t->proto, htonl(t->addr[0]), htons(t->port[0])),
			 hash_word4(t->proto, htonl(t->addr[1]), htons(t->port[1])), key);
}

/* ---- what an attacker sends ---- */

static void fill_sequential(struct tuple *set, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		set[i] = (struct tuple){.addr = {0x0a000000 + (uint32_t)i, 0x0aff0001},
					.port = {1024, 53},
					.proto = IPPROTO_UDP};
}

static void fill_scan(struct tuple *set, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		set[i] = (struct tuple){.addr = {0x0a420042, 0x0aff0001},
					.port = {40000, (uint16_t)i},
					.proto = IPPROTO_TCP};
}

static void fill_same_ports(struct tuple *set, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		set[i] = (struct tuple){
			.addr = {0x0a000000 + (uint32_t)(i >> 7), 0x0b000000 + (uint32_t)(i & 127)},
			.port = {443, 443},
			.proto = IPPROTO_TCP};
}

/* Ends that are each other's complement, or differ in one bit: what a sum might cancel out. */
static void fill_mirrored(struct tuple *set, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		uint32_t a = 0x0a000000 + (uint32_t)i;

		set[i] = (struct tuple){.addr = {a, i & 1 ? ~a : a ^ 1},
					.port = {(uint16_t)i, i & 1 ? (uint16_t)~i : (uint16_t)i},
					.proto = IPPROTO_UDP};
	}
}

/* Those of many tuples that the key that is believed in gives @value under @mask. */
static void fill_chosen(struct tuple *set, size_t len, uint64_t mask, uint64_t value)
{
	struct tuple t = {.addr = {0, 0x0aff0001}, .port = {0, 80}, .proto = IPPROTO_TCP};
	size_t found = 0;
	uint64_t n;

	for (n = 0; found < len; n++) {
		t.addr[0] = 0x0a000000 + (uint32_t)(n >> 14);
		t.port[0] = (uint16_t)(1024 + (n & 0x3fff));
		if ((hash_of(&t, keys[0]) & mask) == value)
			set[found++] = t;
	}
}

/* All kept at 1/256: the first byte of R is 255. */
static void fill_all_kept(struct tuple *set, size_t len)
{
	fill_chosen(set, len, 0xffULL << 48, 0xffULL << 48);
}

/* None kept at 1/256: what hides from sampling. */
static void fill_hidden(struct tuple *set, size_t len)
{
	fill_chosen(set, len, 0xffULL << 48, 0);
}

/* All in the first of up to 256 workers. */
static void fill_one_worker(struct tuple *set, size_t len)
{
	fill_chosen(set, len, 0xffULL << 56, 0);
}

/* All in one 256th of a table of 32768 slots. */
static void fill_one_slot(struct tuple *set, size_t len)
{
	struct tuple t = {.addr = {0, 0x0aff0001}, .port = {0, 80}, .proto = IPPROTO_TCP};
	size_t found = 0;
	uint64_t n;

	for (n = 0; found < len; n++) {
		t.addr[0] = 0x0a000000 + (uint32_t)(n >> 14);
		t.port[0] = (uint16_t)(1024 + (n & 0x3fff));
		if ((flow_index_tag(hash_of(&t, keys[0]), 0) & 0x7f80) == 0)
			set[found++] = t;
	}
}

static const struct set sets[] = {
	{"sequential addresses", fill_sequential}, {"port scan", fill_scan},
	{"one pair of ports", fill_same_ports},	   {"mirrored ends", fill_mirrored},
	{"chosen: all kept", fill_all_kept},	   {"chosen: none kept", fill_hidden},
	{"chosen: one worker", fill_one_worker},   {"chosen: one slot", fill_one_slot},
};
#define SETS (sizeof(sets) / sizeof(sets[0]))

/* ---- how they spread ---- */

struct spread {
	double worker, prefix; /* chi-square of the first byte of the hash, and of R */
	unsigned kept; /* at 1/16 */
	double probes; /* mean distance from the home slot in the table's index */
};

static double chi2(const unsigned *counts, size_t total)
{
	double expected = (double)total / 256, sum = 0;
	unsigned i;

	for (i = 0; i < 256; i++)
		sum += (counts[i] - expected) * (counts[i] - expected) / expected;
	return sum;
}

/* Mean distance of flows of these tags from where a lookup begins. */
static double index_probes(const uint32_t *tags, size_t len)
{
	struct flow_index x;
	uint64_t sum = 0;
	uint32_t i, at;

	assert_int_equal(flow_index_init(&x), 0);
	for (i = 0; i < len; i++) {
		assert_int_equal(flow_index_make_room(&x), 0);
		flow_index_insert(&x, tags[i], i);
	}
	for (at = 0; at <= x.mask; at++)
		if (x.slots[at].entry)
			sum += (at - x.slots[at].tag) & x.mask;
	assert_int_equal(x.mask + 1, 2 * len);
	flow_index_reset(&x);
	return (double)sum / (double)len;
}

static struct spread spread_of(const struct tuple *set, const __u64 *key)
{
	static uint32_t tags[FLOWS];
	unsigned worker[256] = {}, prefix[256] = {};
	struct spread s = {};
	size_t i;

	for (i = 0; i < FLOWS; i++) {
		uint64_t hash = hash_of(&set[i], key);

		worker[hash >> 56]++;
		prefix[hash >> 48 & 255]++;
		s.kept += (hash & FLOW_R_MASK) >= KEPT_16;
		tags[i] = flow_index_tag(hash, 0);
	}
	s.worker = chi2(worker, FLOWS);
	s.prefix = chi2(prefix, FLOWS);
	s.probes = index_probes(tags, FLOWS);
	return s;
}

static struct tuple *set_make(const struct set *s)
{
	struct tuple *set = calloc(FLOWS, sizeof(*set));

	assert_non_null(set);
	s->fill(set, FLOWS);
	return set;
}

static bool is_spread(const struct spread *s)
{
	return s->worker <= CHI2_255_MAX && s->prefix <= CHI2_255_MAX && s->kept >= KEPT_MIN &&
	       s->kept <= KEPT_MAX && s->probes <= PROBES_MAX;
}

/* ---- tests ---- */

static uint64_t run_key; /* which one the program is loaded with */

static void prepare_key(struct flow_bpf *skel)
{
	memcpy((void *)skel->rodata->site_key, keys[run_key], sizeof(keys[0]));
}

static void send_tuple(struct kern *k, const struct tuple *t)
{
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
	uint32_t addr[2] = {htonl(t->addr[0]), htonl(t->addr[1])};
	struct frame f;

	inet_ntop(AF_INET, &addr[0], from, sizeof(from));
	inet_ntop(AF_INET, &addr[1], to, sizeof(to));
	frame_begin(&f, 0x0800);
	frame_ipv4(&f, from, to, t->proto, 0, 0);
	if (t->proto == IPPROTO_TCP)
		frame_tcp(&f, t->port[0], t->port[1], FLOW_TCP_SYN, 1, 0);
	else
		frame_udp(&f, t->port[0], t->port[1], 8);
	kern_xdp(k, &f, 1);
}

/* Without this the rest would be about nothing. */
static void test_kern_spread_is_of_the_hash_that_the_program_makes(void **state)
{
	struct tuple *set;
	struct kern *k;
	size_t s, i;

	(void)state;
	for (run_key = 0; run_key < KEYS; run_key += 2) {
		k = kern_open((struct kern_opts){.prepare = prepare_key});
		for (s = 0; s < SETS; s++) {
			set = set_make(&sets[s]);
			for (i = 0; i < RUN_FLOWS; i++) {
				send_tuple(k, &set[i * (FLOWS / RUN_FLOWS)]);
				kern_drain(k);
				assert_int_equal(k->records_len, 1);
				assert_int_equal(
					k->records[0].record.hash,
					hash_of(&set[i * (FLOWS / RUN_FLOWS)], keys[run_key]));
			}
			free(set);
		}
		kern_close(k);
	}
}

static void test_kern_spread_of_any_set_is_even_under_other_keys(void **state)
{
	struct spread s;
	struct tuple *set;
	unsigned bad = 0;
	size_t i, key;

	(void)state;
	printf("%-22s %4s %10s %10s %10s %8s\n", "16384 flows", "key", "chi2 first", "chi2 R",
	       "kept 1/16", "probes");
	for (i = 0; i < SETS; i++) {
		set = set_make(&sets[i]);
		for (key = 1; key < KEYS; key++) {
			s = spread_of(set, keys[key]);
			printf("%-22s %4zu %10.1f %10.1f %10u %8.3f%s\n", sets[i].name, key,
			       s.worker, s.prefix, s.kept, s.probes,
			       is_spread(&s) ? "" : "  UNEVEN");
			bad += !is_spread(&s);
		}
		free(set);
	}
	assert_int_equal(bad, 0);
}

/* The sets are what they claim to be, and the measures would see it. */
static void test_kern_spread_of_chosen_sets_is_not_even_under_their_own_key(void **state)
{
	struct spread s;
	struct tuple *set;
	size_t i;

	(void)state;
	for (i = SETS - 4; i < SETS; i++) {
		set = set_make(&sets[i]);
		s = spread_of(set, keys[0]);
		printf("%-22s %4d %10.1f %10.1f %10u %8.3f\n", sets[i].name, 0, s.worker, s.prefix,
		       s.kept, s.probes);
		assert_false(is_spread(&s));
		free(set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kern_spread_is_of_the_hash_that_the_program_makes),
		cmocka_unit_test(test_kern_spread_of_any_set_is_even_under_other_keys),
		cmocka_unit_test(test_kern_spread_of_chosen_sets_is_not_even_under_their_own_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
