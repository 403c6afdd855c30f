/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/http_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define USER_AGENT "OTel-OTLP-Exporter-C/0.1.0"
#define OWN_HEADERS 2

static const char *header_fault(const struct otlp_http_header *header)
{
	static const char *const own[] = {"Host",
					  "Content-Type",
					  "Content-Length",
					  "Content-Encoding",
					  "Transfer-Encoding",
					  "Connection",
					  "Expect",
					  "Upgrade",
					  "TE",
					  "Accept-Encoding"};
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!*header->name || header->name[strspn(header->name, token)])
		return "a header name is empty or has a character that cannot be in one";
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcasecmp(header->name, own[i]))
			return "a header is one of those that the exporter sees to itself (Host, "
			       "Content-Type, Connection, ...)";
	for (const unsigned char *c = (const unsigned char *)header->value; *c; c++)
		if ((*c < ' ' && *c != '\t') || *c == 0x7f)
			return "a header value has a line break or another control character";
	return NULL;
}

static int add_header(struct otlp_http_profile *p, const char *name, const char *value)
{
	struct otlp_http_header *h = &p->headers[p->headers_len++];

	h->name = strdup(name);
	h->value = strdup(value);
	return h->name && h->value ? 0 : -ENOMEM;
}

static int copy_headers(struct otlp_http_profile *p, const struct otlp_http_profile_opts *opts,
			const char **why)
{
	struct otlp_http_header agent = {"User-Agent",
					 opts->user_agent ? opts->user_agent : USER_AGENT};
	int err;

	p->headers = calloc(OWN_HEADERS + opts->headers_len, sizeof(*p->headers));
	if (!p->headers)
		return -ENOMEM;
	err = add_header(p, "Content-Type", "application/x-protobuf");
	if (!err)
		err = add_header(p, agent.name, agent.value);
	if (err)
		return err;
	*why = header_fault(&agent);
	for (size_t i = 0; i < opts->headers_len && !*why; i++) {
		*why = header_fault(&opts->headers[i]);
		if (!*why && add_header(p, opts->headers[i].name, opts->headers[i].value)) {
			*why = "out of memory";
			return -ENOMEM;
		}
	}
	return *why ? -EINVAL : 0;
}

int otlp_http_profile_create(struct otlp_http_profile **ret,
			     const struct otlp_http_profile_opts *opts, const char **why)
{
	struct otlp_http_profile *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	*why = "out of memory";
	if (!p)
		return err;
	p->gzip = opts->gzip;
	p->timeout_ms = opts->timeout_ms;
	p->path = strdup(opts->path);
	if (p->path)
		err = copy_headers(p, opts, why);
	if (err)
		goto fail;
	*ret = p;
	return 0;
fail:
	otlp_http_profile_destroy(p);
	return err;
}

void otlp_http_profile_destroy(struct otlp_http_profile *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->headers_len; i++) {
		char *value = (char *)(uintptr_t)p->headers[i].value;

		if (value)
			explicit_bzero(value, strlen(value));
		free(value);
		free((char *)(uintptr_t)p->headers[i].name);
	}
	free(p->headers);
	free(p->path);
	free(p);
}
