/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_headers.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_value.h"

static bool is_token(const char *s)
{
	const char *p;

	for (p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p))
			return false;
	return p != s;
}

static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"content-type", "content-length", "content-encoding", "transfer-encoding",
		"connection",	"host",		  "expect",	      "accept-encoding"};
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcasecmp(name, ours[i]))
			return true;
	return false;
}

static const char *header_fault(const char *name, char *value)
{
	if (!is_token(name))
		return "its name is not a header name";
	if (is_ours(name))
		return "ringspan sets this header itself";
	if (options_value_percent_decode(value))
		return "its value has a broken percent sequence";
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return "its value has a line break or control character";
	return NULL;
}

int options_headers_parse(const char *variable, const char *text, struct options_pair **list,
			  size_t *len)
{
	char *copy = strdup(text), *rest = copy, *e, *name, *value;
	unsigned position = 0;
	const char *fault;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	while (!err && (e = options_env_element(&rest))) {
		position++;
		if (!*e)
			continue;
		fault = options_env_pair(e, &name, &value) ? header_fault(name, value)
							   : "it is not of the form name=value";
		if (fault)
			log_warn("%s: pair %u ignored: %s", variable, position, fault);
		else
			err = options_pair_set(list, len, name, value, strcasecmp);
	}
	explicit_bzero(copy, strlen(text));
	free(copy);
	return err;
}
