/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RFC 3986, the part that OTLP/HTTP needs. Own code since the HTTP library canonicalises the path,
 * and a per-signal endpoint is to be used as it is.
 */
#include "otlp/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Copies the host and returns what follows it, or NULL. */
static const char *parse_host(struct otlp_url *u, const char *s, const char **why)
{
	struct in6_addr addr;
	bool is_literal = *s == '[';
	size_t len;

	if (is_literal)
		s++;
	len = strcspn(s, is_literal ? "]/?#" : ":/?#");
	if (len == 0) {
		*why = "the URL has no host";
		return NULL;
	}
	if (len >= sizeof(u->host)) {
		*why = "the host name is too long";
		return NULL;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_literal && !isalnum((unsigned char)s[i]) && !strchr("-._", s[i])) {
			*why = "the host name has a character that cannot be in one";
			return NULL;
		}
		u->host[i] = (char)tolower((unsigned char)s[i]);
	}
	u->host[len] = '\0';
	s += len;
	if (!is_literal)
		return s;
	if (*s != ']' || inet_pton(AF_INET6, u->host, &addr) != 1) {
		*why = "what is in brackets is no IPv6 address";
		return NULL;
	}
	/* One address, one text: so that the same origin is known as such. */
	inet_ntop(AF_INET6, &addr, u->host, sizeof(u->host));
	return s + 1;
}

static const char *parse_port(struct otlp_url *u, const char *s, const char **why)
{
	unsigned port = 0, digits = 0;

	u->port = u->is_tls ? 443 : 80;
	if (*s != ':')
		return s;
	for (s++; isdigit((unsigned char)*s); s++) {
		port = port * 10 + (unsigned)(*s - '0');
		if (++digits > 5 || port > UINT16_MAX)
			break;
	}
	if (digits == 0 || digits > 5 || port == 0 || port > UINT16_MAX) {
		*why = "the port is not a number from 1 to 65535";
		return NULL;
	}
	u->port = (uint16_t)port;
	return s;
}

static int parse_path(struct otlp_url *u, const char *s, const char **why)
{
	size_t len = strcspn(s, "#");
	size_t at = *s == '/' ? 0 : 1;

	if (at + len >= sizeof(u->path)) {
		*why = "the path is too long";
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f) {
			*why = "the path has a character that must be percent-encoded";
			return -EINVAL;
		}
	}
	u->path[0] = '/';
	memcpy(u->path + at, s, len);
	u->path[at + len] = '\0';
	return 0;
}

int otlp_url_parse(struct otlp_url *ret, const char *text, const char **why)
{
	struct otlp_url u = {0};
	const char *s = text;
	bool is_literal;

	if (!strncasecmp(s, "http://", 7)) {
		s += 7;
	} else if (!strncasecmp(s, "https://", 8)) {
		u.is_tls = true;
		s += 8;
	} else {
		*why = "the URL must begin with http:// or https://";
		return -EINVAL;
	}
	if (memchr(s, '@', strcspn(s, "/?#"))) {
		*why = "a URL must not hold a user name or password, use a header";
		return -EINVAL;
	}
	is_literal = *s == '[';
	s = parse_host(&u, s, why);
	if (!s)
		return -EINVAL;
	if (*s != '\0' && !strchr(":/?#", *s)) {
		*why = "something stands between the host and the port or path";
		return -EINVAL;
	}
	s = parse_port(&u, s, why);
	if (!s)
		return -EINVAL;
	if (*s != '\0' && !strchr("/?#", *s)) {
		*why = "the port is not a number from 1 to 65535";
		return -EINVAL;
	}
	if (parse_path(&u, s, why))
		return -EINVAL;
	snprintf(u.authority, sizeof(u.authority), is_literal ? "[%s]" : "%s", u.host);
	if (u.port != (u.is_tls ? 443 : 80)) {
		size_t len = strlen(u.authority);

		snprintf(u.authority + len, sizeof(u.authority) - len, ":%u", u.port);
	}
	*ret = u;
	return 0;
}

bool otlp_url_same_origin(const struct otlp_url *a, const struct otlp_url *b)
{
	return a->is_tls == b->is_tls && a->port == b->port && !strcmp(a->host, b->host);
}

const char *otlp_url_label(const struct otlp_url *u, char *buf, unsigned cap)
{
	snprintf(buf, cap, "http%s://%s%.*s", u->is_tls ? "s" : "", u->authority,
		 (int)strcspn(u->path, "?"), u->path);
	return buf;
}
