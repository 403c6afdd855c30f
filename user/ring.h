/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ring - reads a BPF ring buffer, as the kernel's Documentation/bpf/ringbuf.rst lays it out. One
 * thread, which is the ring's only reader.
 *
 * libbpf's reader maps the data twice, one behind the other, so that each record is in one piece.
 * Here it is mapped once, which is 4 MB less to be resident, and the record that the end cuts is
 * put together.
 */
#ifndef USER_RING_H
#define USER_RING_H

#include <stddef.h>

#define RING_RECORD_MAX 2048 /* bytes of a record that may be cut */

struct ring;

/* @fd: of a map of type RINGBUF with @bytes of data; it stays the caller's. 0 or -errno. */
int ring_open(struct ring **ret, int fd, size_t bytes);
void ring_close(struct ring *r);

/* @record: aligned to 8 bytes, until this returns. @size 0: it was cut and is longer than
 * RING_RECORD_MAX. */
typedef void (*ring_fn)(void *ctx, const void *record, size_t size);

/* Hands over what is complete, at most @most records; returns how many. */
size_t ring_drain(struct ring *r, size_t most, ring_fn fn, void *ctx);

#endif /* USER_RING_H */
