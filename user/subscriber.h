/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * subscriber - takes messages from a PUB socket of nng on this host, all topics. One thread.
 *
 * It speaks the protocol itself, since nng's SUB throws away, without a word, what its reader does
 * not take in time. This one just does not read: then the sender knows. On the wire (SP over ipc):
 *
 *	greeting, each way:  0 'S' 'P' 0 0 TYPE 0 0       TYPE: 0x20 PUB, 0x21 SUB
 *	message:             1, length (8 bytes, big-endian), body
 */
#ifndef USER_SUBSCRIBER_H
#define USER_SUBSCRIBER_H

#include <stddef.h>
#include <stdint.h>

struct subscriber;

/* Connects and greets, again where the connection is lost meanwhile. @stop_fd: readable when it is
 * to give up, -1: none. 0 and *ret set; -EPROTO: there is something else; -ETIMEDOUT; -EINTR: gave
 * up; -errno. */
int subscriber_open(struct subscriber **ret, const char *path, int stop_fd,
		    uint64_t deadline_mono_ns);
void subscriber_close(struct subscriber *s); /* NULL is allowed */

/* The next message that is here whole, valid until the next call; *ret_data NULL: none. 0, or
 * -EPROTO: this is no message. */
int subscriber_next(struct subscriber *s, const char **ret_data, size_t *ret_len);

int subscriber_fd(const struct subscriber *s); /* readable when there is something to fill in */

/* Reads what there is. 0; -ENODATA: the other side has closed; -errno. */
int subscriber_fill(struct subscriber *s);

#endif /* USER_SUBSCRIBER_H */
