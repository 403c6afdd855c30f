/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bench/bpf_run.h"

#include <endian.h>
#include <err.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAPS 32
#define ELEMENTS 4096 /* of a hash map */
#define FRAME 512
#define DEPTH 8
#define PACKET_CAP 16384
#define ROOM 2048 /* of a record */

struct map {
	struct bpf_map *map;
	int fd;
	enum bpf_map_type type;
	uint32_t key_size, value_size, entries;
	uint8_t *values; /* of a hash map: each behind its key */
};

struct bpf_run {
	struct map maps[MAPS];
	size_t maps_len;
	uint8_t *packet; /* below 4 GiB */
	size_t packet_len;
	uint64_t now_ns, random;
	struct bpf_run_counts counts;
	uint8_t record[ROOM];
	uint8_t stack[DEPTH][FRAME];
};

static uint64_t bpf_run_from(struct bpf_run *r, const struct bpf_insn *i, const uint64_t args[5],
			     unsigned depth);

/* ---- maps ---- */

static bool is_hash(const struct map *m)
{
	return m->type == BPF_MAP_TYPE_HASH;
}

static void add_map(struct bpf_run *r, struct bpf_map *map)
{
	struct map *m = &r->maps[r->maps_len++];
	size_t size;

	if (r->maps_len > MAPS)
		errx(EXIT_FAILURE, "bpf_run: too many maps");
	*m = (struct map){.map = map,
			  .fd = bpf_map__fd(map),
			  .type = bpf_map__type(map),
			  .key_size = bpf_map__key_size(map),
			  .value_size = (bpf_map__value_size(map) + 7) & ~7u,
			  .entries = bpf_map__max_entries(map)};
	m->values = (uint8_t *)bpf_map__initial_value(map, &size); /* shared with the skeleton */
	if (m->values)
		return;
	if (is_hash(m))
		m->entries = 0;
	m->values = is_hash(m) ? calloc(ELEMENTS, m->key_size + m->value_size)
			       : calloc(m->entries, m->value_size);
	if (!m->values)
		err(EXIT_FAILURE, "bpf_run");
}

static struct map *map_of(struct bpf_run *r, int fd)
{
	struct map *m = r->maps;

	while (m < r->maps + r->maps_len && m->fd != fd)
		m++;
	if (m == r->maps + r->maps_len)
		errx(EXIT_FAILURE, "bpf_run: an unknown map");
	return m;
}

static uint64_t map_lookup(struct map *m, const void *key)
{
	uint32_t index, size = m->key_size + m->value_size;

	if (is_hash(m)) {
		for (index = m->entries; index--;)
			if (!memcmp(m->values + index * size, key, m->key_size))
				return (uintptr_t)(m->values + index * size + m->key_size);
		return 0;
	}
	memcpy(&index, key, sizeof(index));
	return index < m->entries ? (uintptr_t)(m->values + (size_t)index * m->value_size) : 0;
}

static uint64_t map_update(struct map *m, const void *key, const void *value)
{
	uint64_t at = map_lookup(m, key);

	if (!at) {
		if (!is_hash(m) || m->entries == ELEMENTS)
			errx(EXIT_FAILURE, "bpf_run: no room in a map");
		at = (uintptr_t)(m->values + m->entries++ * (m->key_size + m->value_size) +
				 m->key_size);
		memcpy((void *)(at - m->key_size), key, m->key_size);
	}
	memcpy((void *)at, value, bpf_map__value_size(m->map));
	return 0;
}

/* ---- helpers ---- */

static uint64_t load_bytes(struct bpf_run *r, uint64_t at, void *to, uint64_t len)
{
	if (at > r->packet_len || len > r->packet_len - at)
		return -1;
	memcpy(to, r->packet + at, len);
	return 0;
}

static uint64_t loop(struct bpf_run *r, const uint64_t a[5], unsigned depth)
{
	uint64_t i;

	for (i = 0; i < a[0];) {
		const uint64_t args[5] = {i++, a[2]};

		if (bpf_run_from(r, (const struct bpf_insn *)a[1], args, depth + 1))
			break;
	}
	return i;
}

static uint64_t call_helper(struct bpf_run *r, int helper, const uint64_t a[5], unsigned depth)
{
	r->counts.helpers++;
	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
		return map_lookup((struct map *)a[0], (void *)a[1]);
	case BPF_FUNC_map_update_elem:
		r->counts.updates++;
		return map_update((struct map *)a[0], (void *)a[1], (void *)a[2]);
	case BPF_FUNC_ktime_get_ns:
		return r->now_ns += 1000;
	case BPF_FUNC_get_smp_processor_id:
		return 0;
	case BPF_FUNC_jiffies64:
		return r->now_ns / 4000000;
	case BPF_FUNC_get_prandom_u32:
		r->random = r->random * 6364136223846793005 + 1442695040888963407;
		return r->random >> 32;
	case BPF_FUNC_skb_load_bytes:
	case BPF_FUNC_xdp_load_bytes:
		return load_bytes(r, a[1], (void *)a[2], a[3]);
	case BPF_FUNC_xdp_get_buff_len:
		return r->packet_len;
	case BPF_FUNC_ringbuf_reserve:
		r->counts.records++;
		return a[1] <= ROOM ? (uintptr_t)r->record : 0;
	case BPF_FUNC_ringbuf_submit:
	case BPF_FUNC_ringbuf_discard:
		return 0;
	case BPF_FUNC_loop:
		return loop(r, a, depth);
	}
	errx(EXIT_FAILURE, "bpf_run: helper %d is not imitated", helper);
}

/* ---- instructions ---- */

static __attribute__((noreturn)) void unknown(const struct bpf_insn *i)
{
	errx(EXIT_FAILURE, "bpf_run: instruction %#x is not imitated", i->code);
}

static uint64_t swap(const struct bpf_insn *i, uint64_t v)
{
	bool to_be = BPF_SRC(i->code) == BPF_TO_BE;

	if (i->imm == 16)
		return to_be ? htobe16(v) : htole16(v);
	if (i->imm == 32)
		return to_be ? htobe32(v) : htole32(v);
	return to_be ? htobe64(v) : htole64(v);
}

static uint64_t alu64(const struct bpf_insn *i, uint64_t d, uint64_t s)
{
	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		return d + s;
	case BPF_SUB:
		return d - s;
	case BPF_MUL:
		return d * s;
	case BPF_DIV:
		return s ? d / s : 0;
	case BPF_MOD:
		return s ? d % s : d;
	case BPF_OR:
		return d | s;
	case BPF_AND:
		return d & s;
	case BPF_XOR:
		return d ^ s;
	case BPF_LSH:
		return d << (s & 63);
	case BPF_RSH:
		return d >> (s & 63);
	case BPF_ARSH:
		return (uint64_t)((int64_t)d >> (s & 63));
	case BPF_NEG:
		return -d;
	case BPF_MOV:
		return s;
	}
	unknown(i);
}

static uint32_t alu32(const struct bpf_insn *i, uint32_t d, uint32_t s)
{
	switch (BPF_OP(i->code)) {
	case BPF_LSH:
		return d << (s & 31);
	case BPF_RSH:
		return d >> (s & 31);
	case BPF_ARSH:
		return (uint32_t)((int32_t)d >> (s & 31));
	}
	return (uint32_t)alu64(i, d, s);
}

static bool jumps(const struct bpf_insn *i, uint64_t d, uint64_t s)
{
	bool is_32 = BPF_CLASS(i->code) == BPF_JMP32;
	int64_t sd = is_32 ? (int32_t)d : (int64_t)d, ss = is_32 ? (int32_t)s : (int64_t)s;

	if (is_32) {
		d = (uint32_t)d;
		s = (uint32_t)s;
	}
	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return true;
	case BPF_JEQ:
		return d == s;
	case BPF_JNE:
		return d != s;
	case BPF_JGT:
		return d > s;
	case BPF_JGE:
		return d >= s;
	case BPF_JLT:
		return d < s;
	case BPF_JLE:
		return d <= s;
	case BPF_JSET:
		return d & s;
	case BPF_JSGT:
		return sd > ss;
	case BPF_JSGE:
		return sd >= ss;
	case BPF_JSLT:
		return sd < ss;
	case BPF_JSLE:
		return sd <= ss;
	}
	unknown(i);
}

static size_t width(const struct bpf_insn *i)
{
	static const size_t bytes[] = {4, 2, 1, 8}; /* W, H, B, DW */

	return bytes[BPF_SIZE(i->code) >> 3];
}

static uint64_t load(const struct bpf_insn *i, uint64_t from)
{
	uint64_t v = 0;

	memcpy(&v, (void *)(from + i->off), width(i)); /* little endian */
	return v;
}

static void store(const struct bpf_insn *i, uint64_t to, uint64_t v)
{
	memcpy((void *)(to + i->off), &v, width(i));
}

/* Nobody else is here: what is atomic is done one step after the other. */
static void atomic(const struct bpf_insn *i, uint64_t reg[11])
{
	uint64_t to = reg[i->dst_reg], v = reg[i->src_reg], was = load(i, to);

	switch (i->imm & ~BPF_FETCH) {
	case BPF_ADD:
		store(i, to, was + v);
		break;
	case BPF_OR:
		store(i, to, was | v);
		break;
	case BPF_AND:
		store(i, to, was & v);
		break;
	case BPF_XOR:
		store(i, to, was ^ v);
		break;
	case BPF_XCHG & ~BPF_FETCH:
		store(i, to, v);
		break;
	case BPF_CMPXCHG & ~BPF_FETCH:
		if (was == (width(i) == 4 ? (uint32_t)reg[0] : reg[0]))
			store(i, to, v);
		reg[0] = was;
		return;
	default:
		unknown(i);
	}
	if (i->imm & BPF_FETCH)
		reg[i->src_reg] = was;
}

/* A constant of 64 bits, or what libbpf has put in its place. */
static uint64_t constant(struct bpf_run *r, const struct bpf_insn *i)
{
	switch (i->src_reg) {
	case 0:
		return (uint32_t)i[0].imm | (uint64_t)(uint32_t)i[1].imm << 32;
	case BPF_PSEUDO_MAP_FD:
		return (uintptr_t)map_of(r, i->imm);
	case BPF_PSEUDO_MAP_VALUE:
		return (uintptr_t)(map_of(r, i->imm)->values + i[1].imm);
	case BPF_PSEUDO_FUNC:
		return (uintptr_t)(i + 1 + i->imm);
	}
	unknown(i);
}

static void compute(const struct bpf_insn *i, uint64_t reg[11], uint64_t s)
{
	uint64_t *d = &reg[i->dst_reg];

	if (BPF_OP(i->code) == BPF_END)
		*d = swap(i, *d);
	else if (BPF_CLASS(i->code) == BPF_ALU64)
		*d = alu64(i, *d, s);
	else
		*d = alu32(i, *d, s);
}

static const struct bpf_insn *branch(struct bpf_run *r, const struct bpf_insn *i, uint64_t reg[11],
				     uint64_t s, unsigned depth)
{
	if (BPF_OP(i->code) != BPF_CALL)
		return i + 1 + (jumps(i, reg[i->dst_reg], s) ? i->off : 0);
	reg[0] = i->src_reg == BPF_PSEUDO_CALL ? bpf_run_from(r, i + 1 + i->imm, &reg[1], depth + 1)
					       : call_helper(r, i->imm, &reg[1], depth);
	return i + 1;
}

static uint64_t bpf_run_from(struct bpf_run *r, const struct bpf_insn *i, const uint64_t args[5],
			     unsigned depth)
{
	uint64_t reg[11] = {0}, s;

	if (depth == DEPTH)
		errx(EXIT_FAILURE, "bpf_run: calls go too deep");
	memcpy(&reg[1], args, 5 * sizeof(*args));
	reg[10] = (uintptr_t)(r->stack[depth] + FRAME);
	for (;;) {
		r->counts.instructions++;
		s = BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (uint64_t)(int64_t)i->imm;
		switch (BPF_CLASS(i->code)) {
		case BPF_ALU:
		case BPF_ALU64:
			compute(i++, reg, s);
			break;
		case BPF_LDX:
			reg[i->dst_reg] = load(i, reg[i->src_reg]);
			i++;
			break;
		case BPF_ST:
			store(i, reg[i->dst_reg], (uint64_t)(int64_t)i->imm);
			i++;
			break;
		case BPF_STX:
			if (BPF_MODE(i->code) == BPF_ATOMIC)
				atomic(i, reg);
			else
				store(i, reg[i->dst_reg], reg[i->src_reg]);
			i++;
			break;
		case BPF_LD:
			reg[i->dst_reg] = constant(r, i);
			i += 2;
			break;
		default:
			if (i->code == (BPF_JMP | BPF_EXIT))
				return reg[0];
			i = branch(r, i, reg, s, depth);
		}
	}
}

/* ---- programs ---- */

struct bpf_run *bpf_run_create(struct bpf_object *obj)
{
	struct bpf_run *r = calloc(1, sizeof(*r));
	struct bpf_map *map;

	if (!r)
		err(EXIT_FAILURE, "bpf_run");
	bpf_object__for_each_map(map, obj) add_map(r, map);
	r->packet = mmap(NULL, PACKET_CAP, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (r->packet == MAP_FAILED)
		err(EXIT_FAILURE, "bpf_run");
	r->now_ns = 1000000000;
	return r;
}

void bpf_run_destroy(struct bpf_run *r)
{
	size_t i, size;

	for (i = 0; i < r->maps_len; i++)
		if (!bpf_map__initial_value(r->maps[i].map, &size))
			free(r->maps[i].values);
	munmap(r->packet, PACKET_CAP);
	free(r);
}

void bpf_run_packet(struct bpf_run *r, const void *data, size_t len)
{
	if (len > PACKET_CAP)
		errx(EXIT_FAILURE, "bpf_run: a packet too long");
	memcpy(r->packet, data, len);
	r->packet_len = len;
}

uint64_t bpf_run_xdp(struct bpf_run *r, const struct bpf_program *prog)
{
	struct xdp_md ctx = {.data = (uint32_t)(uintptr_t)r->packet};
	const uint64_t args[5] = {(uintptr_t)&ctx};

	ctx.data_end = ctx.data + r->packet_len;
	return bpf_run_from(r, bpf_program__insns(prog), args, 0);
}

uint64_t bpf_run_tc(struct bpf_run *r, const struct bpf_program *prog)
{
	struct __sk_buff ctx = {.data = (uint32_t)(uintptr_t)r->packet, .len = r->packet_len};
	const uint64_t args[5] = {(uintptr_t)&ctx};

	ctx.data_end = ctx.data + r->packet_len;
	return bpf_run_from(r, bpf_program__insns(prog), args, 0);
}

struct bpf_run_counts bpf_run_counts(const struct bpf_run *r)
{
	return r->counts;
}

void bpf_run_clear(struct bpf_run *r)
{
	r->counts = (struct bpf_run_counts){0};
}

void *bpf_run_element(struct bpf_run *r, const struct bpf_map *map, uint32_t index)
{
	return (void *)map_lookup(map_of(r, bpf_map__fd(map)), &index);
}
