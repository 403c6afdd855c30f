/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/log.h"

/* What log writes to stderr while @fn runs. */
static void capture_log(char *text, size_t cap, void (*fn)(void))
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);

	dup2(fileno(f), STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	text[fread(text, 1, cap - 1, f)] = '\0';
	fclose(f);
}

static void log_each_level(void)
{
	log_set_level(LOG_LEVEL_INFO);
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("d");
	log_set_level(LOG_LEVEL_WARN);
	log_info("not shown");
	log_set_level(LOG_LEVEL_INFO);
}

static void log_odd_text(void)
{
	log_info("a\nb\033[31m");
	log_info("%3000s", "x");
}

static void test_log_has_a_line_per_event(void **state)
{
	char text[8192], *second;

	(void)state;
	capture_log(text, sizeof(text), log_each_level);
	assert_string_equal(text, "ringspan: error: e 1\nringspan: warning: w\nringspan: i\n");
	capture_log(text, sizeof(text), log_odd_text);
	assert_int_equal(strncmp(text, "ringspan: a?b?[31m\n", 19), 0);
	second = strchr(text, '\n') + 1;
	assert_int_equal(strlen(second), 2047);
	assert_int_equal(second[2046], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_log_has_a_line_per_event),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
