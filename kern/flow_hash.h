/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_hash - the keyed, symmetric flow hash: both directions give the same 64 bits, without a sort.
 *
 * Part of the contract between hosts: those that share a site key keep the same flows and name the
 * same traces, so neither the formula nor its test vectors (tests/test_kern.c) may change. Each
 * endpoint is mixed by itself, the two are added (which commutes), and the sum is finished. Keyed,
 * not cryptographic: it keeps strangers from steering the sampling, not an observer of many trace
 * ids from solving for the key.
 *
 * Addresses and ports enter as loaded by a little-endian host from network order.
 */
#ifndef KERN_FLOW_HASH_H
#define KERN_FLOW_HASH_H

#include <linux/types.h>

#include "kern/flow_abi.h"

#define HASH_M1 0x9E3779B97F4A7C15ULL
#define HASH_M2 0xBF58476D1CE4E5B9ULL
#define HASH_M3 0x94D049BB133111EBULL
#define HASH_M4 0xD6E8FEB86659FD93ULL

static inline __attribute__((always_inline)) __u64 hash_endpoint(__u64 e, __u64 k0)
{
	__u64 x = (e ^ k0) * HASH_M1;

	x ^= x >> 32;
	x *= HASH_M4;
	return x ^ (x >> 29);
}

/* Two endpoint words → the flow's hash. */
static inline __attribute__((always_inline)) __u64 hash_flow(__u64 a, __u64 b,
							     const volatile __u64 *key)
{
	__u64 x = (hash_endpoint(a, key[0]) + hash_endpoint(b, key[0])) ^ key[1];

	x ^= x >> 32;
	x *= HASH_M2;
	x ^= x >> 29;
	x *= HASH_M3;
	return x ^ (x >> 32);
}

/* Endpoint words. */
static inline __attribute__((always_inline)) __u64 hash_word4(__u8 proto, __be32 addr, __be16 port)
{
	return (__u64)proto << 48 | (__u64)addr << 16 | port;
}

static inline __attribute__((always_inline)) __u64
hash_word6(__u8 proto, __u64 hi, __u64 lo, __be16 port, const volatile __u64 *key)
{
	__u64 x = (hi ^ key[2]) * HASH_M1;

	x ^= x >> 32;
	x = (x + lo + key[3]) * HASH_M4;
	x ^= x >> 29;
	return x + ((__u64)proto << 16 | port) * HASH_M2;
}

/* The same from a flow's key: the programs have it at hand, others make it from what the map says. */
static inline __attribute__((always_inline)) __u64 hash_key(const struct flow_key *k,
							    const volatile __u64 *key)
{
	__u64 a[2], b[2];

	__builtin_memcpy(a, k->addr[0], sizeof(a));
	__builtin_memcpy(b, k->addr[1], sizeof(b));
	if (k->family == 4)
		return hash_flow(hash_word4(k->proto, (__be32)a[0], k->port[0]),
				 hash_word4(k->proto, (__be32)b[0], k->port[1]), key);
	return hash_flow(hash_word6(k->proto, a[0], a[1], k->port[0], key),
			 hash_word6(k->proto, b[0], b[1], k->port[1], key), key);
}

#endif /* KERN_FLOW_HASH_H */
