/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/split.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/encode_fixture.h"
#include "tests/otlp_dump.h"
#include "tests/otlp_samples.h"
#include "tests/split_model.h"

#define NO_FAILURE SIZE_MAX

static size_t memory_left = NO_FAILURE; /* allocations that still succeed */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	if (memory_left == NO_FAILURE)
		return __real_malloc(size);
	return memory_left == 0 || memory_left-- == 0 ? NULL : __real_malloc(size);
}

/* What came out. */
struct pieces {
	struct flat flat; /* of all of them */
	size_t limit;
	size_t len;
	size_t items;
	size_t first_size;
	int err; /* to be returned for the second one */
};

static int take_piece(void *ctx, uint8_t *data, size_t size, size_t items)
{
	struct pieces *pieces = ctx;
	size_t before = pieces->flat.items;

	assert_in_range(size, 1, pieces->limit);
	assert_true(flat_add(&pieces->flat, data, size));
	assert_true(items > 0);
	assert_int_equal(pieces->flat.items - before, items);
	pieces->items += items;
	if (pieces->len++ == 0)
		pieces->first_size = size;
	free(data);
	return pieces->len == 2 ? pieces->err : 0;
}

static struct pieces pieces_of(enum otlp_signal signal, size_t limit)
{
	return (struct pieces){.flat = {.signal = signal, .limit = SIZE_MAX}, .limit = limit};
}

/* Splits a copy behind which no byte may be read, and compares with the second reader. Returns
 * whether it was a request. */
static bool check(enum otlp_signal signal, const uint8_t *data, size_t size, size_t limit)
{
	struct flat whole = {.signal = signal, .limit = size <= limit ? SIZE_MAX : limit};
	struct pieces pieces = pieces_of(signal, limit);
	size_t too_large = 99, count = 99;
	uint8_t *copy = malloc(size ? size : 1);
	bool ok;
	int err;

	assert_non_null(copy);
	if (size)
		memcpy(copy, data, size);
	ok = flat_add(&whole, copy, size);
	err = otlp_split(signal, copy, size, limit, take_piece, &pieces, &too_large);
	assert_int_equal(err, ok ? 0 : -EBADMSG);
	assert_int_equal(otlp_split_count(signal, copy, size, &count), err);
	if (ok) {
		assert_int_equal(count, whole.items);
		assert_int_equal(too_large, whole.too_large);
		assert_int_equal(pieces.items + too_large, whole.items);
		assert_int_equal(pieces.flat.out.len, whole.out.len);
		if (whole.out.len)
			assert_memory_equal(pieces.flat.out.p, whole.out.p, whole.out.len);
	} else {
		assert_int_equal(pieces.len, 0);
	}
	free(copy);
	flat_free(&whole);
	flat_free(&pieces.flat);
	return ok;
}

static void add_text_field(struct bytes *b, uint32_t tag, size_t len)
{
	struct bytes body = {0};

	for (; len; len--)
		bytes_add(&body, "abcdefgh" + rand() % 8, 1);
	bytes_add_message(b, tag, &body);
	free(body.p);
}

/* A field of any kind that does not lead to an item. */
static void add_other_field(struct bytes *b, unsigned depth)
{
	static const uint32_t tags[] = {4, 6, 13, 15, 16, 31, 32, 33, 34, 35, 2047, (1 << 29) - 1};
	uint32_t tag = tags[(size_t)rand() % LENGTH(tags)];

	switch (rand() % (depth < 4 ? 6 : 5)) {
	case 0:
		bytes_add_varint(b, tag << 3);
		bytes_add_varint(b, (uint64_t)rand() << (rand() % 33));
		break;
	case 1:
		bytes_add_varint(b, tag << 3 | 1);
		bytes_add(b, "12345678", 8);
		break;
	case 2:
		bytes_add_varint(b, tag << 3 | 5);
		bytes_add(b, "1234", 4);
		break;
	case 3:
		/* the number of a message, but it is a number */
		bytes_add_varint(b, 2 << 3);
		bytes_add_varint(b, 7);
		break;
	case 4:
		add_text_field(b, tag, (size_t)rand() % 20);
		break;
	default:
		bytes_add_varint(b, tag << 3 | 3);
		add_other_field(b, depth + 1);
		add_other_field(b, depth + 1);
		bytes_add_varint(b, tag << 3 | 4);
	}
}

static void add_tree(struct bytes *b, enum otlp_signal signal, size_t depth)
{
	const char *way = flat_paths[signal][depth];
	size_t n = (size_t)rand() % (depth ? 6 : 4), i;
	struct bytes body = {0};

	for (i = 0; i < n; i++) {
		uint32_t tag = (uint32_t)(way[(size_t)rand() % strlen(way)] - 'A' + 1);

		if (rand() % 3 == 0)
			add_other_field(b, 0);
		if (!flat_paths[signal][depth + 1]) {
			add_text_field(b, tag, (size_t)rand() % 60);
			continue;
		}
		body.len = 0;
		add_tree(&body, signal, depth + 1);
		bytes_add_message(b, tag, &body);
	}
	free(body.p);
	if (rand() % 3 == 0)
		add_other_field(b, 0);
}

static void test_split_of_any_request_loses_nothing(void **state)
{
	struct bytes b = {0};
	int round;

	(void)state;
	srand(1);
	for (round = 0; round < 3000; round++) {
		enum otlp_signal signal = (enum otlp_signal)(round % OTLP_SIGNAL_MAX);

		b.len = 0;
		add_tree(&b, signal, 0);
		assert_true(check(signal, b.p, b.len, (size_t)rand() % 300));
		assert_true(check(signal, b.p, b.len, b.len));
		assert_true(check(signal, b.p, b.len, b.len ? b.len - 1 : 0));
	}
	free(b.p);
}

static void test_split_of_what_is_cut_anywhere_is_right_or_refused(void **state)
{
	struct bytes b = {0};
	size_t refused = 0, size;
	int round;

	(void)state;
	srand(2);
	for (round = 0; round < 60; round++) {
		enum otlp_signal signal = (enum otlp_signal)(round % OTLP_SIGNAL_MAX);

		b.len = 0;
		add_tree(&b, signal, 0);
		for (size = 0; size < b.len; size++)
			refused += !check(signal, b.p, size, 100);
	}
	assert_true(refused > 1000);
	free(b.p);
}

static void test_split_of_damaged_requests_is_right_or_refused(void **state)
{
	struct bytes b = {0};
	size_t ok = 0, refused = 0, i;
	int round;

	(void)state;
	srand(3);
	for (round = 0; round < 6000; round++) {
		enum otlp_signal signal = (enum otlp_signal)(round % OTLP_SIGNAL_MAX);
		size_t n = 1 + (size_t)rand() % 3;

		b.len = 0;
		add_tree(&b, signal, 0);
		for (i = 0; b.len && i < n; i++)
			b.p[(size_t)rand() % b.len] = (uint8_t)rand();
		if (check(signal, b.p, b.len, (size_t)rand() % 200))
			ok++;
		else
			refused++;
	}
	for (round = 0; round < 20000; round++) {
		uint8_t noise[16];
		size_t size = (size_t)rand() % sizeof(noise);

		/* small numbers are more often keys and lengths */
		for (i = 0; i < size; i++)
			noise[i] = (uint8_t)(rand() % (rand() % 2 ? 256 : 20));
		if (check((enum otlp_signal)(round % OTLP_SIGNAL_MAX), noise, size, 6))
			ok++;
		else
			refused++;
	}
	assert_true(ok > 1000 && refused > 1000);
	free(b.p);
}

static void test_split_takes_groups_so_deep_and_no_deeper(void **state)
{
	uint8_t data[4096];
	size_t depth, deepest = 0;

	(void)state;
	for (depth = 1; depth < 110; depth++) {
		memset(data, 15 << 3 | 3, depth);
		memset(data + depth, 15 << 3 | 4, depth);
		if (check(OTLP_TRACES, data, 2 * depth, 1000))
			deepest = depth;
	}
	assert_int_equal(deepest, 100);
	memset(data, 15 << 3 | 3, sizeof(data));
	assert_false(check(OTLP_LOGS, data, sizeof(data), 1000));
}

static void test_split_takes_numbers_of_64_bits_and_no_more(void **state)
{
	uint8_t number[] = {15 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
	uint8_t padded_key[] = {0x8a, 0x80, 0x80, 0x80, 0x00, 0x82, 0x00, 0x12, 0x00};

	(void)state;
	assert_true(check(OTLP_TRACES, number, sizeof(number), 1000));
	number[10] = 0x02;
	assert_false(check(OTLP_TRACES, number, sizeof(number), 1000));
	number[10] = 0x81;
	assert_false(check(OTLP_TRACES, number, sizeof(number), 1000));
	assert_true(check(OTLP_TRACES, padded_key, sizeof(padded_key), 1000));
}

/* Of our own encoder: metrics are split between points. */
static struct bytes encoded(enum otlp_signal signal, uint64_t seed, size_t len, size_t *items)
{
	struct otlp_samples *samples = otlp_samples_create(seed);
	const void *list = otlp_samples_items(samples, signal, len);
	struct otlp_encoder *e = encode_encoder();
	struct bytes b = {.cap = 8 << 20};
	struct otlp_batch batch;
	size_t i;

	b.p = malloc(b.cap);
	assert_non_null(b.p);
	assert_int_equal(otlp_batch_begin(&batch, e, signal, b.p, b.cap), 0);
	for (i = 0; i < len; i++)
		assert_int_equal(encode_add(&batch, list, i), 0);
	*items = batch.items;
	b.len = otlp_batch_end(&batch);
	otlp_encoder_destroy(e);
	otlp_samples_destroy(samples);
	return b;
}

/* The items' text of one request, without its head and tail. */
static int take_dump(void *ctx, uint8_t *data, size_t size, size_t items)
{
	static const char head[] = "1{1{1{1'service.name'2{1's'}}}2{1{1'ringspan'2'1'}";
	static const char tail[] = "3'u'}3'u'}";
	char *dump = otlp_dump(OTLP_TRACES, data, size);
	struct bytes *text = ctx;
	size_t len;

	(void)items;
	assert_non_null(dump);
	len = strlen(dump);
	assert_memory_equal(dump, head, strlen(head));
	assert_string_equal(dump + len - strlen(tail), tail);
	bytes_add(text, dump + strlen(head), len - strlen(head) - strlen(tail));
	free(dump);
	free(data);
	return 0;
}

static void test_split_pieces_decode_to_what_was_encoded(void **state)
{
	struct bytes whole = {0}, split = {0}, b, copy = {0};
	size_t items, too_large;

	(void)state;
	b = encoded(OTLP_TRACES, 5, 200, &items);
	bytes_add(&copy, b.p, b.len);
	take_dump(&whole, copy.p, copy.len, items);
	assert_int_equal(otlp_split(OTLP_TRACES, b.p, b.len, 300000, take_dump, &split, &too_large),
			 0);
	assert_int_equal(too_large, 0);
	assert_int_equal(split.len, whole.len);
	assert_memory_equal(split.p, whole.p, whole.len);
	free(b.p);
	free(whole.p);
	free(split.p);
}

static void test_split_of_our_own_requests_loses_nothing(void **state)
{
	static const size_t limits[] = {100, 5000, 60000, 500000};
	int signal;
	size_t i, items, count;

	(void)state;
	for (signal = 0; signal < OTLP_SIGNAL_MAX; signal++) {
		struct bytes b = encoded((enum otlp_signal)signal, 9, 100, &items);

		assert_int_equal(otlp_split_count((enum otlp_signal)signal, b.p, b.len, &count), 0);
		assert_int_equal(count, items);
		for (i = 0; i < LENGTH(limits); i++)
			assert_true(check((enum otlp_signal)signal, b.p, b.len, limits[i]));
		free(b.p);
	}
}

/* A request of one resource and scope with so many items of so many bytes each. */
static struct bytes even_request(size_t items, size_t item_size)
{
	struct bytes scope = {0}, resource = {0}, request = {0};

	add_text_field(&scope, 1, 10);
	for (; items; items--)
		add_text_field(&scope, 2, item_size - 2);
	add_text_field(&resource, 1, 10);
	bytes_add_message(&resource, 2, &scope);
	bytes_add_message(&request, 1, &resource);
	free(scope.p);
	free(resource.p);
	return request;
}

static void test_split_fills_its_pieces(void **state)
{
	struct bytes b = even_request(10, 50);
	const size_t frame = 2 * (5 + 12);
	size_t too_large;
	struct pieces p;

	(void)state;
	/* of ten, 3 3 3 1; and what is one byte too small for three takes two */
	p = pieces_of(OTLP_LOGS, frame + 150);
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, p.limit, take_piece, &p, &too_large), 0);
	assert_int_equal(p.len, 4);
	assert_int_equal(p.first_size, frame + 150);
	assert_int_equal(too_large, 0);
	flat_free(&p.flat);
	p = pieces_of(OTLP_LOGS, frame + 149);
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, p.limit, take_piece, &p, &too_large), 0);
	assert_int_equal(p.len, 5);
	flat_free(&p.flat);
	/* one byte too small for one */
	p = pieces_of(OTLP_LOGS, frame + 49);
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, p.limit, take_piece, &p, &too_large), 0);
	assert_int_equal(p.len, 0);
	assert_int_equal(too_large, 10);
	free(b.p);
}

static int keep_piece(void *ctx, uint8_t *data, size_t size, size_t items)
{
	(void)items;
	bytes_add(ctx, data, size);
	free(data);
	return 0;
}

static void test_split_leaves_alone_what_is_not_too_large(void **state)
{
	struct bytes b = even_request(3, 50), out = {0}, none = even_request(0, 0);
	size_t too_large = 1;

	(void)state;
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, b.len, keep_piece, &out, &too_large), 0);
	assert_int_equal(too_large, 0);
	assert_int_equal(out.len, b.len);
	assert_memory_equal(out.p, b.p, b.len);
	/* no items, no request */
	out.len = 0;
	assert_int_equal(
		otlp_split(OTLP_LOGS, none.p, none.len, none.len, keep_piece, &out, &too_large), 0);
	assert_int_equal(otlp_split(OTLP_LOGS, none.p, none.len, 1, keep_piece, &out, &too_large),
			 0);
	assert_int_equal(otlp_split(OTLP_LOGS, NULL, 0, 1, keep_piece, &out, &too_large), 0);
	assert_int_equal(out.len, 0);
	free(b.p);
	free(out.p);
	free(none.p);
}

/* A metric of a kind that is not known yet has no items that we could count: it travels whole, with
 * others. */
static void test_split_keeps_metrics_of_unknown_kinds(void **state)
{
	struct bytes unknown = {0}, points = {0}, gauge = {0}, scope = {0}, resource = {0}, b = {0};
	struct bytes out = {0};
	size_t too_large, i;

	(void)state;
	add_text_field(&unknown, 1, 7); /* the name */
	add_text_field(&unknown, 13, 5); /* its data */
	for (i = 0; i < 3; i++)
		add_text_field(&points, 1, 40);
	add_text_field(&gauge, 1, 7);
	bytes_add_message(&gauge, 5, &points);
	bytes_add_message(&scope, 2, &unknown);
	bytes_add_message(&scope, 2, &gauge);
	bytes_add_message(&resource, 2, &scope);
	bytes_add_message(&b, 1, &resource);
	assert_true(check(OTLP_METRICS, b.p, b.len, 150));
	assert_int_equal(otlp_split(OTLP_METRICS, b.p, b.len, 150, keep_piece, &out, &too_large),
			 0);
	assert_non_null(memmem(out.p, out.len, unknown.p, unknown.len));
	/* alone it is no request */
	out.len = 0;
	assert_int_equal(otlp_split(OTLP_METRICS, b.p, b.len, 40, keep_piece, &out, &too_large), 0);
	assert_int_equal(too_large, 3);
	assert_int_equal(out.len, 0);
	free(unknown.p);
	free(points.p);
	free(gauge.p);
	free(scope.p);
	free(resource.p);
	free(b.p);
	free(out.p);
}

static int refuse_piece(void *ctx, uint8_t *data, size_t size, size_t items)
{
	(void)ctx;
	(void)size;
	(void)items;
	free(data);
	return -EDQUOT;
}

static void test_split_ends_at_the_first_error(void **state)
{
	struct bytes b = even_request(10, 50);
	struct pieces p = pieces_of(OTLP_LOGS, 200);
	size_t too_large, n;
	int err = -ENOMEM;

	(void)state;
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, b.len, refuse_piece, NULL, &too_large),
			 -EDQUOT);
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, 500, refuse_piece, NULL, &too_large),
			 -EDQUOT);
	p.err = -ENOSPC;
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, p.limit, take_piece, &p, &too_large),
			 -ENOSPC);
	assert_int_equal(p.len, 2);
	flat_free(&p.flat);
	for (n = 0; err; n++) {
		struct bytes out = {0};

		memory_left = n;
		err = otlp_split(OTLP_LOGS, b.p, b.len, 200, keep_piece, &out, &too_large);
		memory_left = NO_FAILURE;
		if (err)
			assert_int_equal(err, -ENOMEM);
		free(out.p);
	}
	/* the heads, and one for each piece */
	assert_int_equal(n - 1, 1 + 4);
	memory_left = 0;
	assert_int_equal(otlp_split(OTLP_LOGS, b.p, b.len, b.len, keep_piece, NULL, &too_large),
			 -ENOMEM);
	memory_left = NO_FAILURE;
	free(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_of_any_request_loses_nothing),
		cmocka_unit_test(test_split_of_what_is_cut_anywhere_is_right_or_refused),
		cmocka_unit_test(test_split_of_damaged_requests_is_right_or_refused),
		cmocka_unit_test(test_split_takes_groups_so_deep_and_no_deeper),
		cmocka_unit_test(test_split_takes_numbers_of_64_bits_and_no_more),
		cmocka_unit_test(test_split_pieces_decode_to_what_was_encoded),
		cmocka_unit_test(test_split_of_our_own_requests_loses_nothing),
		cmocka_unit_test(test_split_fills_its_pieces),
		cmocka_unit_test(test_split_leaves_alone_what_is_not_too_large),
		cmocka_unit_test(test_split_keeps_metrics_of_unknown_kinds),
		cmocka_unit_test(test_split_ends_at_the_first_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
