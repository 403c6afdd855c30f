/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tls - the client's side of TLS 1.2, from memory to memory: whoever has the connection carries the
 * bytes. Verifies chain and name, and says in words why a handshake failed.
 *
 * One thread at a time. Own code because nng 1.5.2's TLS streams do not survive the end of an idle
 * connection: the next read is never answered, and closing the stream waits for it for ever.
 */
#ifndef OTLP_TLS_H
#define OTLP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otlp/tls_check.h"

struct otlp_tls;

/* For connections to @host, one after the other. 0 or -ENOMEM. */
int otlp_tls_create(struct otlp_tls **ret, const struct otlp_tls_pem *pem, const char *host);
void otlp_tls_destroy(struct otlp_tls *t); /* NULL is allowed */
int otlp_tls_restart(struct otlp_tls *t); /* for a new connection; 0 or -ENOMEM */

/* What came from the server goes to *at, at most @return bytes; then it is told how many. Room is
 * there whenever read or write said -EAGAIN. */
size_t otlp_tls_room(struct otlp_tls *t, uint8_t **at);
void otlp_tls_received(struct otlp_tls *t, size_t len);

/* What is to be sent: @return bytes at *at, which stay till they are told as sent. */
size_t otlp_tls_waiting(const struct otlp_tls *t, const uint8_t **at);
void otlp_tls_sent(struct otlp_tls *t, size_t len);

/* Both shake hands first. 0 and *ret_len > 0; -EAGAIN: bytes must be carried first, then the same
 * again; -EPIPE: the server said good-bye; -EKEYREJECTED: it failed, and for good. */
int otlp_tls_write(struct otlp_tls *t, const uint8_t *data, size_t len, size_t *ret_len);
int otlp_tls_read(struct otlp_tls *t, uint8_t *buf, size_t cap, size_t *ret_len);

/* Why there was no handshake: after -EKEYREJECTED, or when the server closed the connection. 0, or
 * -ENODATA: there was one. */
int otlp_tls_explain(const struct otlp_tls *t, char *text, size_t cap);

#endif /* OTLP_TLS_H */
