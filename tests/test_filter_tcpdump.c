/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpdump reads random captures with random expressions, and takes the packets that we take. With
 * all parentheses, since its "and" and "or" bind alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/filter_random.h"

#define PACKETS 300
#define EXPRESSIONS 120

/* The n-th packet is n seconds old. */
static void write_capture(FILE *out, uint32_t *seed, struct filter_facts facts[PACKETS])
{
	const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
	uint32_t record[4];
	struct frame f;
	uint32_t n;

	assert_int_equal(fwrite(head, sizeof(head), 1, out), 1);
	for (n = 0; n < PACKETS; n++) {
		filter_random_packet(seed, true, &facts[n], &f);
		record[0] = n;
		record[1] = 0;
		record[2] = record[3] = (uint32_t)f.len;
		assert_int_equal(fwrite(record, sizeof(record), 1, out), 1);
		assert_int_equal(fwrite(f.data, f.len, 1, out), 1);
	}
	assert_int_equal(fflush(out), 0);
}

static void tcpdump_takes(const char *path, const char *text, bool ret[PACKETS])
{
	char command[4096], line[1024];
	bool takes_none = false; /* it has found out, and then does not even look */
	unsigned n;
	FILE *in;

	memset(ret, 0, PACKETS * sizeof(*ret));
	snprintf(command, sizeof(command), "tcpdump -nqtt -r - '%s' <%s 2>&1", text, path);
	in = popen(command, "r");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		if (sscanf(line, "%u.000000 ", &n) == 1 && n < PACKETS && strchr(line, '>'))
			ret[n] = true;
		else if (strstr(line, "expression rejects all packets"))
			takes_none = true;
	if (pclose(in) && !takes_none)
		fail_msg("tcpdump does not take: %s", text);
}

static void test_filter_tcpdump_takes_the_same_packets(void **state)
{
	char path[] = "/tmp/ringspan-filter.XXXXXX", text[2000];
	struct filter_facts facts[PACKETS];
	unsigned i, n, wanted = 0;
	struct filter_tree tree;
	bool takes[PACKETS];
	uint32_t seed = 3;
	int fd = mkstemp(path);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	(void)state;
	assert_non_null(out);
	*state = strdup(path);
	write_capture(out, &seed, facts);
	fclose(out);
	for (i = 0; i < EXPRESSIONS; i++) {
		filter_random_tree(&seed, 1 + i % 8, &tree);
		filter_tree_print(&tree, true, text, sizeof(text));
		tcpdump_takes(path, text, takes);
		for (n = 0; n < PACKETS; n++) {
			wanted += takes[n];
			if (takes[n] != filter_tree_holds(&tree, &facts[n]))
				fail_msg("packet %u (proto %u, %s): %s", n, facts[n].proto,
					 facts[n].addr[0], text);
		}
	}
	assert_in_range(wanted, EXPRESSIONS * PACKETS / 5, EXPRESSIONS * PACKETS * 4 / 5);
}

static int remove_capture(void **state)
{
	if (*state)
		unlink(*state);
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_filter_tcpdump_takes_the_same_packets,
					  remove_capture),
	};

	if (system("tcpdump --version >/dev/null 2>&1")) {
		printf("skipped: tcpdump is not installed\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
