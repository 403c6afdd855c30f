/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tls_check - reads the files of certificates and keys, and says which of them cannot be used and
 * why. Any thread.
 */
#ifndef OTLP_TLS_CHECK_H
#define OTLP_TLS_CHECK_H

#include <stddef.h>

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
int otlp_tls_check(struct otlp_tls_pem *ret, const struct otlp_tls_files *files, const char **why);
void otlp_tls_wipe(struct otlp_tls_pem *pem); /* all zero is allowed */

#endif /* OTLP_TLS_CHECK_H */
