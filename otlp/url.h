/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * url - an http or https URL taken apart. Pure.
 */
#ifndef OTLP_URL_H
#define OTLP_URL_H

#include <stdbool.h>
#include <stdint.h>

struct otlp_url {
	bool is_tls;
	uint16_t port;
	char host[254]; /* lower case, without brackets */
	char authority[264]; /* as in a Host header: no port where it is the default one */
	char path[1024]; /* request target, with the query; "/" at least */
};

/* Takes the path as it stands. 0, or -EINVAL with *why set to a static text. */
int otlp_url_parse(struct otlp_url *ret, const char *text, const char **why);

/* Whether requests to both may share a connection. */
bool otlp_url_same_origin(const struct otlp_url *a, const struct otlp_url *b);

/* The URL for people, without its query, which may hold a secret. Returns @buf. */
const char *otlp_url_label(const struct otlp_url *u, char *buf, unsigned cap);

#endif /* OTLP_URL_H */
