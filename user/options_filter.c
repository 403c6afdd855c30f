/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/filter.h"
#include "user/options_arg.h"
#include "user/options_impl.h"

int options_filter_set(struct options *o, const char *text)
{
	char why[FILTER_WHY_CAP];

	options_arg_check(filter_parse(&o->filter_program, text, why), "--filter", text, why);
	free(o->filter);
	o->filter = strdup(text);
	return o->filter ? 0 : ENOMEM;
}
