/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_arg - one argument of the command line → a value in range; else one line that says what
 * was given, why it is wrong and what is right, and the end of the process with 64 (EX_USAGE).
 * Part of options.
 */
#ifndef USER_OPTIONS_ARG_H
#define USER_OPTIONS_ARG_H

#include <stdint.h>

void options_arg_refuse(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Refuses if @err. */
void options_arg_check(int err, const char *option, const char *given, const char *why);

uint64_t options_arg_number(const char *option, const char *text, uint64_t min, uint64_t max);
/* In milliseconds. */
uint32_t options_arg_seconds(const char *option, const char *text, uint32_t min_ms,
			     uint32_t max_ms);
/* The index of @text in @words; @all names them to a person. */
int options_arg_choice(const char *option, const char *text, const char *const *words, int len,
		       const char *all);

#endif /* USER_OPTIONS_ARG_H */
