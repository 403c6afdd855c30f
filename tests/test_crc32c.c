/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "otlp/crc32c.h"

/* RFC 3720, appendix B.4. The RFC prints the bytes as they are sent, least significant first. */
static void test_crc32c_of_the_rfc_vectors(void **state)
{
	static const uint8_t read_pdu[48] = {
		0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02};
	uint8_t buf[32];

	(void)state;
	memset(buf, 0, sizeof(buf));
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x62a8ab43);
	for (uint8_t i = 0; i < sizeof(buf); i++)
		buf[i] = i;
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x46dd794e);
	for (uint8_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x113fdb5c);
	assert_int_equal(crc32c(0, read_pdu, sizeof(read_pdu)), 0xd9963a56);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

/* The definition: one bit at a time. */
static uint32_t by_bits(const uint8_t *p, size_t size)
{
	uint32_t crc = ~0u;

	while (size--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void test_crc32c_at_every_length_and_alignment(void **state)
{
	uint8_t data[80];

	(void)state;
	srandom(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random();
	for (size_t from = 0; from < 8; from++)
		for (size_t size = 0; from + size <= sizeof(data); size++)
			assert_int_equal(crc32c(0, data + from, size), by_bits(data + from, size));
}

static void test_crc32c_goes_on_where_it_stopped(void **state)
{
	const char *text = "a body in two pieces, cut at every place";
	size_t size = strlen(text);

	(void)state;
	for (size_t cut = 0; cut <= size; cut++)
		assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, size - cut),
				 crc32c(0, text, size));
}

/* Every entry of the tables takes part: a byte of every value at every place. */
static void test_crc32c_uses_the_right_table_entry(void **state)
{
	uint8_t data[8];

	(void)state;
	for (size_t at = 0; at < sizeof(data); at++) {
		for (unsigned v = 0; v < 256; v++) {
			memset(data, 0, sizeof(data));
			data[at] = (uint8_t)v;
			assert_int_equal(crc32c(0, data, 8), by_bits(data, 8));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c_of_the_rfc_vectors),
		cmocka_unit_test(test_crc32c_at_every_length_and_alignment),
		cmocka_unit_test(test_crc32c_goes_on_where_it_stopped),
		cmocka_unit_test(test_crc32c_uses_the_right_table_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
