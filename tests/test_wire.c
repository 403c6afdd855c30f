/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define BAD "\xef\xbf\xbd"

static struct wire wire_on(uint8_t *data, size_t cap)
{
	return (struct wire){.start = data, .p = data, .end = data + cap};
}

static void test_wire_sizes_are_those_of_what_is_written(void **state)
{
	uint8_t data[16];
	unsigned bits;

	(void)state;
	assert_ptr_equal(wire_put_varint(data, 0), data + 1);
	assert_int_equal(wire_varint_size(0), 1);
	for (bits = 0; bits < 64; bits++) {
		uint64_t v = UINT64_C(1) << bits;

		assert_int_equal(wire_varint_size(v), wire_put_varint(data, v) - data);
		assert_int_equal(wire_varint_size(v - 1), wire_put_varint(data, v - 1) - data);
		assert_int_equal(wire_length_size(v), wire_varint_size(v));
	}
	assert_int_equal(wire_varint_size(UINT64_MAX), 10);
}

static void test_wire_zigzag_keeps_small_numbers_small(void **state)
{
	(void)state;
	assert_int_equal(wire_zigzag(0), 0);
	assert_int_equal(wire_zigzag(-1), 1);
	assert_int_equal(wire_zigzag(1), 2);
	assert_true(wire_zigzag(INT64_MIN) == UINT64_MAX);
}

static void test_wire_fields_are_the_bytes_of_the_standard(void **state)
{
	static const uint8_t expected[] = {
		0x08, 0x96, 0x01,			      /* field 1: varint 150 */
		0x12, 0x02, 'h', 'i',			      /* field 2: bytes */
		0x85, 0x01, 0x04, 0x03, 0x02, 0x01,	      /* field 16: fixed32 */
		0x19, 8, 7, 6, 5, 4, 3, 2, 1,		      /* field 3: fixed64 */
		0x22, 0x82, 0x00, 0x08, 0x00,		      /* field 4: message, 2 bytes */
		0x2a, 0x83, 0x80, 0x80, 0x00, 0x12, 0x01, 'x' /* field 5: message, 3 bytes */
	};
	uint8_t data[64];
	struct wire w = wire_on(data, sizeof(data));
	size_t opened;

	(void)state;
	wire_varint(&w, 1, 150);
	wire_bytes(&w, 2, "hi", 2);
	wire_fixed32(&w, 16, 0x01020304);
	wire_fixed64(&w, 3, 0x0102030405060708);
	opened = wire_open(&w, 4);
	wire_varint(&w, 1, 0);
	wire_close(&w, opened);
	opened = wire_open4(&w, 5);
	wire_string(&w, 2, OTLP_STR("x"));
	wire_patch4(data + opened, wire_size(&w) - opened);
	assert_int_equal(wire_size(&w), sizeof(expected));
	assert_memory_equal(data, expected, sizeof(expected));
}

/* @in stands in memory that ends with it. */
static void assert_repaired(const char *in, const char *expected)
{
	size_t len = strlen(in), size = strlen(expected);
	char *exact = malloc(len);
	struct otlp_str s = {exact, len};
	uint8_t data[80];
	struct wire w = wire_on(data, sizeof(data)), none = wire_on(data, 0);

	assert_non_null(exact);
	memcpy(exact, in, len);
	assert_int_equal(wire_is_utf8(s), strcmp(in, expected) == 0);
	assert_int_equal(wire_repaired_size(s), size);
	wire_string(&w, 1, s);
	assert_int_equal(wire_size(&w), 2 + size);
	assert_int_equal(data[1], size);
	assert_memory_equal(data + 2, expected, size);
	wire_string(&none, 1, s);
	assert_int_equal(none.missing, 2 + size);
	free(exact);
}

static void test_wire_repairs_what_is_not_utf8(void **state)
{
	static const char *const cases[][2] = {
		{"plain", "plain"},
		{"\x7f\xc2\x80\u07ff\u0800\ud7ff", "\x7f\xc2\x80\u07ff\u0800\ud7ff"},
		{"\ue000\uffff", "\ue000\uffff"},
		{"\U00010000\U0010ffff", "\U00010000\U0010ffff"},
		{"\x80", BAD},
		{"a\xff-b\xfe-", "a" BAD "-b" BAD "-"},
		{"\xc0\xaf", BAD BAD}, /* overlong */
		{"\xc1\xbf", BAD BAD},
		{"\xe0\x9f\xbf", BAD BAD BAD},
		{"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD},
		{"\xed\xa0\x80", BAD BAD BAD}, /* surrogates */
		{"\xed\xbf\xbf", BAD BAD BAD},
		{"\xf4\x90\x80\x80", BAD BAD BAD BAD}, /* above U+10FFFF */
		{"\xf5\x80\x80\x80", BAD BAD BAD BAD},
		{"\xc3", BAD}, /* cut */
		{"\xe2\x82", BAD},
		{"\xf0\x9f\x98", BAD},
		{"\xe2\x82-", BAD "-"},
		{"\xf0\x9f\x98\xc3\xa9", BAD "é"},
		{"\xe2\x82\xac\xe2\x82\xac\xe2", "€€" BAD},
	};
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(cases); i++)
		assert_repaired(cases[i][0], cases[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_sizes_are_those_of_what_is_written),
		cmocka_unit_test(test_wire_zigzag_keeps_small_numbers_small),
		cmocka_unit_test(test_wire_fields_are_the_bytes_of_the_standard),
		cmocka_unit_test(test_wire_repairs_what_is_not_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
