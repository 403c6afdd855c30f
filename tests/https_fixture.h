/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * https_fixture - certificates made for the occasion by openssl(1), and servers with them in
 * python. Where either is missing the test is skipped.
 */
#ifndef TESTS_HTTPS_FIXTURE_H
#define TESTS_HTTPS_FIXTURE_H

#include <stdint.h>
#include <stdio.h>

/* For cmocka's group: makes and removes the folder of https_certs.sh. */
int https_make_certs(void **state);
int https_remove_certs(void **state);
void https_need_certs(void); /* or skips */

/* The path of one of them; valid for a few calls. NULL for NULL. */
const char *https_cert(const char *name);

struct https_server {
	FILE *in; /* its stdin; closing it ends the server */
	uint16_t port;
};
/* With NAME.pem; @options: see https_server.py, each %s is the folder. */
void https_start(struct https_server *s, const char *name, const char *options);
void https_stop(struct https_server *s);

#endif /* TESTS_HTTPS_FIXTURE_H */
