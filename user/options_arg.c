/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_arg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "user/log.h"
#include "user/options_value.h"

void options_arg_refuse(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_error("%s", text);
	exit(EX_USAGE);
}

void options_arg_check(int err, const char *option, const char *given, const char *why)
{
	if (err)
		options_arg_refuse("%s '%.100s': %s", option, given, why);
}

uint64_t options_arg_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	char why[OPTIONS_WHY_CAP];
	uint64_t v = 0;

	options_arg_check(options_value_number(text, min, max, &v, why), option, text, why);
	return v;
}

uint32_t options_arg_seconds(const char *option, const char *text, uint32_t min_ms, uint32_t max_ms)
{
	char why[OPTIONS_WHY_CAP];
	uint32_t v = 0;

	options_arg_check(options_value_seconds(text, min_ms, max_ms, &v, why), option, text, why);
	return v;
}

int options_arg_choice(const char *option, const char *text, const char *const *words, int len,
		       const char *all)
{
	int i;

	for (i = 0; i < len; i++)
		if (!strcmp(text, words[i]))
			return i;
	options_arg_refuse("%s '%.100s': no such choice: give one of %s", option, text, all);
}
