/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options_run - runs a ringspan command line up to where its options are known.
 *
 * Errors end the process, so every command line is parsed in a child; what it would run with is
 * printed there, and read here. The check functions fail the cmocka test they are called from.
 */
#ifndef TESTS_OPTIONS_RUN_H
#define TESTS_OPTIONS_RUN_H

struct options_result {
	int code; /* exit code; 99: options_parse() failed */
	char out[16384];
	char err[8192];
};

/* "ringspan <args>"; arguments are separated by blanks; EMPTY is an empty one. */
void options_run(struct options_result *r, const char *args);

/* It runs with what @part says, and does not complain. */
void check_runs(const char *args, const char *part);
/* The same, with a warning that has @warning in it. */
void check_warns(const char *args, const char *part, const char *warning);
/* One line, exit code 64, with @given and @reason in it. */
void check_refused(const char *args, const char *given, const char *reason);

void check_contains(const char *text, const char *part);
/* @part is in @text so often. */
void check_count(const char *text, const char *part, int times);
void check_lacks(const char *text, const char *part);

/* cmocka setup: no OTEL_* and no RINGSPAN_OTLP_* variable is set. */
int clear_environment(void **state);

#endif /* TESTS_OPTIONS_RUN_H */
