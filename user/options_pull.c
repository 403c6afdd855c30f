/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where others come and fetch the metrics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/options_arg.h"
#include "user/options_impl.h"
#include "user/options_value.h"

#define EXAMPLES "give ADDRESS:PORT, such as 127.0.0.1:9101 or [::1]:9101"

/* What stands before the port: "[::1]", "127.0.0.1", a name, or nothing. */
static void set_host(struct options *o, const char *text, size_t len)
{
	if (len && *text == '[') {
		if (len < 3 || text[len - 1] != ']')
			options_arg_refuse(
				"--metrics-listen '%.100s': the brackets do not close: " EXAMPLES,
				o->metrics_listen);
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		options_arg_refuse(
			"--metrics-listen '%.100s': an IPv6 address without brackets: " EXAMPLES,
			o->metrics_listen);
	}
	if (len < sizeof(o->metrics_host))
		memcpy(o->metrics_host, text, len);
	if (len >= sizeof(o->metrics_host) || strpbrk(o->metrics_host, " /@[]*"))
		options_arg_refuse("--metrics-listen '%.100s': not an address: " EXAMPLES,
				   o->metrics_listen);
	if (!len)
		strcpy(o->metrics_host, "127.0.0.1");
}

int options_pull_set(struct options *o, const char *text)
{
	const char *colon = strrchr(text, ':');
	char why[OPTIONS_WHY_CAP];
	uint64_t port = 0;

	if (o->metrics_listen)
		options_arg_refuse("--metrics-listen '%.100s': given twice: there is one place",
				   text);
	o->metrics_listen = strdup(text);
	if (!o->metrics_listen)
		return ENOMEM;
	if (!colon || strchr(colon, ']'))
		options_arg_refuse("--metrics-listen '%.100s': no port: " EXAMPLES, text);
	if (options_value_number(colon + 1, 1, 65535, &port, why))
		options_arg_refuse("--metrics-listen '%.100s': the port is not a number from 1 to "
				   "65535: " EXAMPLES,
				   text);
	snprintf(o->metrics_port, sizeof(o->metrics_port), "%u", (unsigned)port);
	set_host(o, text, (size_t)(colon - text));
	return 0;
}
