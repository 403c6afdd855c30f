/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frame_sender - sends Ethernet frames out of an interface, many at a time, and knows how to wait
 * for their time. Whatever fails ends the program, and is said.
 */
#ifndef TESTS_FRAME_SENDER_H
#define TESTS_FRAME_SENDER_H

#include <stddef.h>
#include <stdint.h>

#define SECOND_NS 1000000000ULL
#define FRAME_SHORTEST 60 /* that an Ethernet has */
#define FRAME_LONGEST 1514

struct frame_sender;

struct frame_sender *frame_sender_create(const char *interface);

/* Room for the next frame, FRAME_LONGEST bytes; what was there before is left as it was. */
uint8_t *frame_sender_next(struct frame_sender *s);

/* What is there now is @len bytes long. Sent with others, or by frame_sender_flush(). */
void frame_sender_add(struct frame_sender *s, size_t len);
void frame_sender_flush(struct frame_sender *s);

/* Sent so far. */
uint64_t frame_sender_frames(const struct frame_sender *s);
uint64_t frame_sender_bytes(const struct frame_sender *s);

/* Monotonic. */
uint64_t now_ns(void);
void sleep_until(uint64_t ns);

/* With what errno says. */
_Noreturn void die(const char *what);

/* Big endian. */
static inline void put16(uint8_t *at, uint64_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint64_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

#endif /* TESTS_FRAME_SENDER_H */
