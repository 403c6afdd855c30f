/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otlp/spares.h"

#define KB ((size_t)1 << 10)

static struct otlp_spares *spares_of(size_t cap_bytes)
{
	struct otlp_spares *s;

	assert_int_equal(otlp_spares_create(&s, cap_bytes), 0);
	return s;
}

/* All of it may be written. */
static uint8_t *take(struct otlp_spares *s, size_t size)
{
	uint8_t *data = otlp_spares_take(s, size);

	assert_non_null(data);
	memset(data, 0xa5, size);
	return data;
}

static void test_spares_hand_out_what_was_given_last(void **state)
{
	struct otlp_spares *s = spares_of(1024 * KB);
	uint8_t *a = take(s, 100 * KB), *b = take(s, 100 * KB), *c;

	(void)state;
	assert_ptr_not_equal(a, b);
	otlp_spares_give(s, a);
	otlp_spares_give(s, b);
	assert_ptr_equal(take(s, 90 * KB), b);
	assert_ptr_equal(take(s, 100 * KB), a);
	c = take(s, 100 * KB); /* there is none left */
	assert_ptr_not_equal(c, a);
	assert_ptr_not_equal(c, b);
	free(a);
	free(b);
	free(c);
	otlp_spares_destroy(s);
}

static void test_spares_hand_out_what_fits(void **state)
{
	struct otlp_spares *s = spares_of(4096 * KB);
	uint8_t *small = take(s, 100 * KB), *middle = take(s, 300 * KB), *large = take(s, 900 * KB);
	uint8_t *other;

	(void)state;
	otlp_spares_give(s, small);
	otlp_spares_give(s, middle);
	otlp_spares_give(s, large);
	assert_ptr_equal(take(s, 200 * KB), middle); /* 900 would be a waste */
	other = take(s, 2000 * KB);
	assert_ptr_not_equal(other, large);
	assert_ptr_equal(take(s, 500 * KB), large);
	assert_ptr_equal(take(s, 100 * KB), small);
	free(small);
	free(middle);
	free(large);
	free(other);
	otlp_spares_destroy(s);
}

/* What it keeps it frees when it is destroyed, and what it does not keep at once: a leak, or a
 * piece freed twice, is the sanitizer's to tell. */
static void test_spares_keep_no_more_than_they_may(void **state)
{
	struct otlp_spares *s = spares_of(250 * KB);
	uint8_t *a[3], *b[3];
	int kept = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		a[i] = take(s, 100 * KB);
	otlp_spares_give(s, a[0]);
	otlp_spares_give(s, a[1]);
	for (int i = 0; i < 3; i++) {
		b[i] = take(s, 100 * KB);
		kept += b[i] == a[0] || b[i] == a[1];
	}
	assert_int_equal(kept, 2);
	otlp_spares_give(s, b[0]);
	otlp_spares_give(s, b[1]);
	otlp_spares_give(s, b[2]); /* one too many */
	assert_ptr_equal(take(s, 100 * KB), b[1]);
	assert_ptr_equal(take(s, 100 * KB), b[0]);
	otlp_spares_give(s, b[0]);
	otlp_spares_give(s, b[1]);
	otlp_spares_give(s, a[2]);
	otlp_spares_destroy(s);
}

static void test_spares_of_small_pieces_there_are_none(void **state)
{
	struct otlp_spares *s = spares_of(1024 * KB);
	uint8_t *large = take(s, 100 * KB), *small[50];

	(void)state;
	for (int i = 0; i < 50; i++)
		small[i] = take(s, KB);
	for (int i = 0; i < 50; i++)
		otlp_spares_give(s, small[i]);
	otlp_spares_give(s, large); /* there is still a place */
	assert_ptr_equal(take(s, 100 * KB), large);
	otlp_spares_give(NULL, large);
	otlp_spares_give(s, NULL);
	otlp_spares_destroy(s);
	otlp_spares_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spares_hand_out_what_was_given_last),
		cmocka_unit_test(test_spares_hand_out_what_fits),
		cmocka_unit_test(test_spares_keep_no_more_than_they_may),
		cmocka_unit_test(test_spares_of_small_pieces_there_are_none),
	};

	return cmocka_run_group_tests_name("spares", tests, NULL, NULL);
}
