/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `ringspan tail` and --events of a ringspan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/options_run.h"

static void test_options_tail_is_read(void **state)
{
	(void)state;
	check_runs("tail", "command=4\n");
	check_runs("tail", "events=- tail=- filter=- form=0 count=0\n");
	check_runs("tail eth0 --json", "events=- tail=eth0 filter=- form=1 count=0\n");
	check_runs("tail --otlp --count 7 --events ./s --filter tcp",
		   "events=./s tail=- filter=tcp form=2 count=7\n");
	check_runs("tail --duration 1.5", " duration=1500 ");
	check_runs("-i a", "events=- ");
	check_runs("-i a --events none", "events=none ");
}

static void test_options_bad_tail_is_refused(void **state)
{
	(void)state;
	check_refused("tail a b", "tail 'b'", "one too many");
	check_refused("tail /run/s", "tail '/run/s'", "--events");
	check_refused("tail a-name-that-is-too-long", "not a name", "--events");
	check_refused("tail --json --otlp", "--json and --otlp", "one of them");
	check_refused("tail a --events b", "tail 'a'", "one of them");
	check_refused("tail --count 0", "--count '0'", "1 to");
	check_refused("tail --filter a\nb", "--filter", "not plain text");
	check_refused("tail --events EMPTY", "--events ''", "1 to 106 bytes");
	check_refused("-i a tail", "'tail'", "comes first");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_tail_is_read),
		cmocka_unit_test(test_options_bad_tail_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
