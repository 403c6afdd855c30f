/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/ring.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>

#define RING_PUBLISH 64 /* records between two tellings of how far we are */

/* Positions count bytes from the ring's beginning and never go back. */
struct ring {
	uint64_t *consumer; /* ours */
	const uint64_t *producer;
	const uint8_t *data;
	size_t page, bytes;
	_Alignas(8) uint8_t whole[RING_RECORD_MAX];
};

int ring_open(struct ring **ret, int fd, size_t bytes)
{
	struct ring *r = calloc(1, sizeof(*r));
	void *at;
	int err;

	*ret = NULL;
	if (!r)
		return -ENOMEM;
	r->bytes = bytes;
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	at = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		goto fail;
	r->consumer = at;
	at = mmap(NULL, r->page + bytes, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
	if (at == MAP_FAILED)
		goto fail;
	r->producer = at;
	r->data = (const uint8_t *)at + r->page;
	*ret = r;
	return 0;
fail:
	err = -errno;
	ring_close(r);
	return err;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	if (r->consumer)
		munmap(r->consumer, r->page);
	if (r->producer)
		munmap((void *)r->producer, r->page + r->bytes);
	free(r);
}

/* The record of @size bytes at @position, in one piece; NULL: that can't be had. */
static const void *ring_record(struct ring *r, uint64_t position, size_t size)
{
	size_t at = position & (r->bytes - 1), here = r->bytes - at;

	if (size <= here)
		return r->data + at;
	if (size > sizeof(r->whole))
		return NULL;
	memcpy(r->whole, r->data + at, here);
	memcpy(r->whole + here, r->data, size - here);
	return r->whole;
}

size_t ring_drain(struct ring *r, size_t most, ring_fn fn, void *ctx)
{
	uint64_t at = *r->consumer, end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	size_t records = 0, seen = 0;

	while (at < end && records < most) {
		const void *header = r->data + (at & (r->bytes - 1)), *record;
		uint32_t word = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
		size_t size = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			record = ring_record(r, at + BPF_RINGBUF_HDR_SZ, size);
			fn(ctx, record, record ? size : 0);
			records++;
		}
		at += (size + BPF_RINGBUF_HDR_SZ + 7) & ~7ULL;
		if (++seen % RING_PUBLISH == 0)
			__atomic_store_n(r->consumer, at, __ATOMIC_RELEASE);
	}
	__atomic_store_n(r->consumer, at, __ATOMIC_RELEASE);
	return records;
}
