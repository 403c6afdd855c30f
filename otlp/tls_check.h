/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tls_check - whether certificate files can be used, and why a handshake with a server fails, in
 * words. Carries no data: what is sent goes over the HTTP library's own TLS. The door to mbedTLS.
 *
 * Any thread; objects are the caller's.
 */
#ifndef OTLP_TLS_CHECK_H
#define OTLP_TLS_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define OTLP_TLS_FILE_MAX (1u << 20) /* bytes of a PEM file */

struct otlp_tls_files {
	const char *ca; /* those who are trusted; NULL: the system's */
	const char *cert; /* our own, with its chain; NULL: none */
	const char *key; /* both or none */
};

/* 0, or -EINVAL and *why: a certificate without key, or the reverse. */
int otlp_tls_pair(const struct otlp_tls_files *files, const char **why);

struct otlp_tls_pem {
	char *ca; /* the usable ones of the file */
	char *cert, *key; /* NULL: none; the key is secret */
};

/* Reads and tries all that is named. 0; -EINVAL as above; -ENOENT, -EACCES, another -errno, or
 * -EBADMSG: a file that cannot be read or used, *why says which of them and what is wrong (static
 * text); -ENOMEM. */
int otlp_tls_read(struct otlp_tls_pem *ret, const struct otlp_tls_files *files, const char **why);
void otlp_tls_wipe(struct otlp_tls_pem *pem); /* all zero is allowed */

/* A connection to the server, plain so far. Both block, and return 0 or -errno; recv gives at least
 * one byte. */
struct otlp_tls_io {
	void *ctx;
	int (*send)(void *ctx, const uint8_t *data, size_t len);
	int (*recv)(void *ctx, uint8_t *buf, size_t cap, size_t *ret_len);
};

/* Shakes hands (TLS 1.2) and fills @text with the reason why the server is not to be trusted or
 * does not want us. 0; -ENODATA: there is none, or it cannot be found; -ENOMEM. */
int otlp_tls_explain(const struct otlp_tls_pem *pem, const char *host, const struct otlp_tls_io *io,
		     char *text, size_t cap);

#endif /* OTLP_TLS_CHECK_H */
