/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Power cuts and rot, at every byte: of a tail that was not synced anything may be on the disk, and
 * anywhere a byte may change. What must be found and what must be counted is worked out here from
 * the bytes alone: a record is intact if no byte of it has changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/wal_fixture.h"

#define HEAD 64

/* A log as it was written, and what happened to it. */
struct cut {
	struct wal_fixture *f;
	struct wal_image whole;
	unsigned synced; /* records 0 to before this one are */
	unsigned records;
	uint64_t segment; /* in which all the others are */
	size_t from, end; /* of them */
};

static void make_cut(struct cut *c, struct wal_fixture *f, unsigned synced, unsigned records)
{
	struct otlp_wal *w = wal_fixture_open(f);
	const struct otlp_wal_record *first = &f->put[synced], *last = &f->put[records - 1];

	wal_fixture_put(f, w, 0, synced);
	assert_int_equal(otlp_wal_sync(w), 0);
	wal_fixture_put(f, w, synced, records);
	otlp_wal_close(w);
	c->f = f;
	c->synced = synced;
	c->records = records;
	c->segment = first->pos.segment;
	c->from = first->pos.offset;
	c->end = last->pos.offset + HEAD + last->size;
	assert_int_equal(last->pos.segment, first->pos.segment);
	wal_image_take(&c->whole, f);
	assert_int_equal(wal_image_segment(&c->whole, c->segment)->size, c->end);
}

/* Of bytes @from to before @to, all are as they were written. */
static bool is_whole(const struct wal_file *was, const struct wal_file *is, size_t from, size_t to)
{
	return to <= is->size && !memcmp(was->data + from, is->data + from, to - from);
}

static void check_reopened(struct wal_fixture *f, const unsigned *ids, size_t len)
{
	struct otlp_wal *w = wal_fixture_open(f);

	wal_fixture_check_ids(f, w, ids, len);
	wal_fixture_check_no_damage(f);
	otlp_wal_close(w);
}

/* What is put next is found behind the rest, and nothing looks lost. Closes the log. */
static void check_goes_on(struct wal_fixture *f, struct otlp_wal *w, unsigned *ids, size_t len,
			  unsigned next)
{
	wal_fixture_put(f, w, next, next + 2);
	assert_int_equal(otlp_wal_sync(w), 0);
	otlp_wal_close(w);
	ids[len] = next;
	ids[len + 1] = next + 1;
	check_reopened(f, ids, len + 2);
}

/* Puts the image on disk and opens it: all that must be there is, the loss is counted, once. */
static void check_cut(struct cut *c, struct wal_image *image, bool is_closed_first)
{
	const struct wal_file *was = wal_image_segment(&c->whole, c->segment);
	const struct wal_file *is = wal_image_segment(image, c->segment);
	uint64_t records = 0, items = 0, unknown = 0, pending = 0, pending_items = 0;
	size_t known_end = c->from;
	unsigned ids[WAL_TEST_MAX];
	size_t len = 0;
	struct otlp_wal *w;

	for (unsigned id = 0; id < c->records; id++) {
		const struct otlp_wal_record *r = &c->f->put[id];
		size_t at = r->pos.offset, end = at + HEAD + r->size;

		if (id < c->synced || is_whole(was, is, at, end)) {
			ids[len++] = id;
		} else {
			pending++;
			pending_items += r->items;
		}
		/* what has its header makes known how many are missing before it, and its own items
		 */
		if (id >= c->synced && is_whole(was, is, at, at + HEAD)) {
			records += pending;
			items += pending_items;
			known_end = end;
			pending = pending_items = 0;
		}
	}
	if (is->size > known_end)
		records++, unknown++;
	wal_image_put(image, c->f);
	w = wal_fixture_open(c->f);
	wal_fixture_check_ids(c->f, w, ids, len);
	wal_fixture_check_damage(c->f, records, items, unknown);
	assert_true(!!c->f->damage.bytes == (records > 0));
	if (is_closed_first) {
		otlp_wal_close(w);
		check_reopened(c->f, ids, len);
		w = wal_fixture_open(c->f);
	}
	check_goes_on(c->f, w, ids, len, c->records);
}

typedef void (*harm_fn)(struct wal_file *file, size_t at);

static void truncated(struct wal_file *file, size_t at)
{
	file->size = at;
}

static void zeroed(struct wal_file *file, size_t at)
{
	memset(file->data + at, 0, file->size - at);
}

static void random_bytes(struct wal_file *file, size_t at)
{
	srandom((unsigned)at);
	for (; at < file->size; at++)
		file->data[at] = (uint8_t)random();
}

/* One sector of 512 bytes is missing. */
static void sector_lost(struct wal_file *file, size_t at)
{
	memset(file->data + at, 0, file->size - at < 512 ? file->size - at : 512);
}

static void short_lost(struct wal_file *file, size_t at)
{
	memset(file->data + at, 0, file->size - at < 30 ? file->size - at : 30);
}

/* The harm @fn at every offset of the tail. */
static void check_everywhere(void **state, harm_fn fn)
{
	struct cut c;
	struct wal_image image;

	make_cut(&c, *state, 3, 8);
	for (size_t at = c.from; at <= c.end; at++) {
		wal_image_copy(&image, &c.whole);
		fn(wal_image_segment(&image, c.segment), at);
		check_cut(&c, &image, at % 2);
		wal_image_reset(&image);
	}
	wal_image_reset(&c.whole);
}

static void test_power_cut_leaves_the_tail_shorter(void **state)
{
	check_everywhere(state, truncated);
}

static void test_power_cut_leaves_the_tail_zero(void **state)
{
	check_everywhere(state, zeroed);
}

static void test_power_cut_leaves_the_tail_random(void **state)
{
	check_everywhere(state, random_bytes);
}

static void test_power_cut_leaves_a_hole(void **state)
{
	check_everywhere(state, short_lost);
}

static size_t some_sectors(unsigned id)
{
	return 40 + id * 331 % 900;
}

static void test_power_cut_loses_one_sector(void **state)
{
	struct wal_fixture *f = *state;
	struct cut c;
	struct wal_image image;

	f->body_size = some_sectors;
	make_cut(&c, f, 3, 9);
	for (size_t at = c.from; at < c.end; at += 61) {
		wal_image_copy(&image, &c.whole);
		sector_lost(wal_image_segment(&image, c.segment), at);
		check_cut(&c, &image, at % 122 < 61);
		wal_image_reset(&image);
	}
	wal_image_reset(&c.whole);
}

/* The blocks of the tail reached the disk in any order: each set of them that may be there. */
static void test_power_cut_keeps_any_set_of_blocks(void **state)
{
	struct wal_fixture *f = *state;
	struct cut c;
	struct wal_image image;
	unsigned blocks;

	f->body_size = some_sectors;
	make_cut(&c, f, 2, 7);
	blocks = (unsigned)((c.end - c.from + 511) / 512);
	assert_in_range(blocks, 5, 9);
	for (unsigned set = 0; set < 1u << blocks; set++) {
		struct wal_file *file;

		wal_image_copy(&image, &c.whole);
		file = wal_image_segment(&image, c.segment);
		for (unsigned b = 0; b < blocks; b++)
			if (!(set >> b & 1))
				sector_lost(file, c.from + b * 512);
		check_cut(&c, &image, set % 2);
		wal_image_reset(&image);
	}
	wal_image_reset(&c.whole);
}

/* Blocks at each other's places: nothing sensible can be counted, but what is given out is right
 * and the synced part is whole. */
static void test_power_cut_with_blocks_in_the_wrong_place(void **state)
{
	struct wal_fixture *f = *state;
	struct cut c;
	struct wal_image image;
	struct otlp_wal *w;
	uint8_t block[512];
	unsigned blocks, ids[WAL_TEST_MAX];
	size_t len;

	f->body_size = some_sectors;
	make_cut(&c, f, 2, 9);
	blocks = (unsigned)((c.end - c.from) / 512);
	for (unsigned pair = 0; pair < blocks * blocks; pair++) {
		size_t a = c.from + pair / blocks * 512, b = c.from + pair % blocks * 512;
		uint8_t *data;

		wal_image_copy(&image, &c.whole);
		data = wal_image_segment(&image, c.segment)->data;
		memcpy(block, data + a, 512);
		memmove(data + a, data + b, 512);
		memcpy(data + b, block, 512);
		wal_image_put(&image, f);
		w = wal_fixture_open(f);
		len = f->found_len;
		for (size_t i = 0; i < len; i++)
			ids[i] = wal_fixture_id(&f->found[i]);
		wal_fixture_check_ids(f, w, ids, len);
		assert_int_equal(ids[1], 1);
		assert_true(a == b ? len == 9 : f->damage.records > 0);
		otlp_wal_close(w);
		w = wal_fixture_open(f);
		wal_fixture_check_ids(f, w, ids, len);
		otlp_wal_close(w);
		wal_image_reset(&image);
	}
	wal_image_reset(&c.whole);
}

/* ---- a tail over several segments, whose files come and go on their own ---- */

struct many {
	struct wal_fixture *f;
	struct wal_image whole;
	unsigned synced, records;
	uint64_t first, last; /* segments of the tail */
};

/* What is found is right, in order and complete; if nothing is unknown, the numbers add up. */
static void check_many(struct many *m, struct wal_image *image, uint64_t seen_up_to,
		       bool is_closed_first)
{
	struct wal_fixture *f = m->f;
	unsigned ids[WAL_TEST_MAX];
	size_t len = 0;
	uint64_t items = 0, lost = 0, visible = 0;
	struct otlp_wal *w;

	for (unsigned id = 0; id < m->records; id++) {
		const struct otlp_wal_record *r = &f->put[id];
		const struct wal_file *was = wal_image_segment(&m->whole, r->pos.segment);
		const struct wal_file *is = wal_image_segment(image, r->pos.segment);
		size_t at = r->pos.offset;

		if (is && is_whole(was, is, at, at + HEAD + r->size)) {
			ids[len++] = id;
		} else {
			lost++;
			items += wal_fixture_items(id);
		}
		if (r->pos.segment <= seen_up_to)
			visible = lost;
	}
	wal_image_put(image, f);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, len);
	assert_in_range(f->damage.records, 0, lost);
	assert_true(f->damage.items <= items);
	/* everything before an intact segment is counted to the last item */
	if (visible && seen_up_to == m->last)
		wal_fixture_check_damage(f, lost, items, 0);
	if (is_closed_first) {
		otlp_wal_close(w);
		check_reopened(f, ids, len);
		w = wal_fixture_open(f);
	}
	check_goes_on(f, w, ids, len, m->records);
}

/* A segment of which nothing is left: something was in it, but what is unknown. */
static void test_power_cut_leaves_a_segment_without_anything(void **state)
{
	struct wal_fixture *f = *state;
	const unsigned ids[] = {0, 1, 2};
	struct wal_image image;
	struct otlp_wal *w;

	f->segment_bytes = 300;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 5);
	otlp_wal_close(w);
	wal_image_take(&image, f);
	assert_int_equal(f->put[2].pos.segment, 1);
	assert_int_equal(f->put[3].pos.segment, 2);
	for (unsigned is_short = 0; is_short < 2; is_short++) {
		memset(wal_image_segment(&image, 2)->data, 0, wal_image_segment(&image, 2)->size);
		if (is_short)
			wal_image_segment(&image, 2)->size = 50;
		wal_image_put(&image, f);
		w = wal_fixture_open(f);
		wal_fixture_check_ids(f, w, ids, 3);
		wal_fixture_check_damage(f, !is_short, 0, !is_short);
		assert_int_equal(f->damage.bytes, wal_image_segment(&image, 2)->size);
		otlp_wal_close(w);
		check_reopened(f, ids, 3);
	}
	wal_image_reset(&image);
}

static void test_power_cut_over_several_segments(void **state)
{
	struct wal_fixture *f = *state;
	struct many m = {.f = f, .synced = 3, .records = 12};
	struct otlp_wal *w;

	f->segment_bytes = 260;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, m.synced);
	assert_int_equal(otlp_wal_sync(w), 0);
	wal_fixture_put(f, w, m.synced, m.records);
	otlp_wal_close(w);
	m.first = f->put[m.synced].pos.segment;
	m.last = f->put[m.records - 1].pos.segment;
	assert_in_range(m.last - m.first, 2, 5);
	wal_image_take(&m.whole, f);
	for (uint64_t segment = m.first; segment <= m.last; segment++) {
		size_t size = wal_image_segment(&m.whole, segment)->size;
		size_t from = segment == m.first ? f->put[m.synced].pos.offset : 0;

		for (size_t at = from; at < size; at += 3) {
			struct wal_image image;

			/* this file is shorter, the later ones are whole */
			wal_image_copy(&image, &m.whole);
			truncated(wal_image_segment(&image, segment), at);
			check_many(&m, &image, segment < m.last ? m.last : 0, at % 2);
			wal_image_reset(&image);
			/* it is zero from here on, the later ones are, too */
			wal_image_copy(&image, &m.whole);
			zeroed(wal_image_segment(&image, segment), at);
			for (uint64_t later = segment + 1; later <= m.last; later++)
				zeroed(wal_image_segment(&image, later), 0);
			check_many(&m, &image, 0, at % 2);
			wal_image_reset(&image);
		}
	}
	wal_image_reset(&m.whole);
}

/* ---- rot ---- */

/* Which record byte @at of a segment belongs to; @records: none, the segment's header. */
static unsigned owner(const struct wal_fixture *f, unsigned records, uint64_t segment, size_t at,
		      bool *ret_in_head)
{
	for (unsigned id = 0; id < records; id++) {
		const struct otlp_wal_record *r = &f->put[id];

		if (r->pos.segment != segment || at < r->pos.offset ||
		    at >= r->pos.offset + HEAD + r->size)
			continue;
		*ret_in_head = at < r->pos.offset + HEAD;
		return id;
	}
	return records;
}

static void check_flip(struct wal_fixture *f, unsigned acked, unsigned records, uint64_t segment,
		       size_t at)
{
	bool is_head = false;
	unsigned hit = owner(f, records, segment, at, &is_head), ids[WAL_TEST_MAX];
	bool is_last = hit == records - 1 && is_head;
	size_t len = 0;
	struct otlp_wal *w;

	for (unsigned id = acked; id < records; id++)
		if (id != hit)
			ids[len++] = id;
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, len);
	if (hit == records || hit < acked)
		wal_fixture_check_damage(f, 0, 0, 0);
	else
		wal_fixture_check_damage(f, 1, is_last ? 0 : wal_fixture_items(hit), is_last);
	assert_true(!!f->damage.bytes == !(hit < acked));
	otlp_wal_close(w);
	check_reopened(f, ids, len);
}

static size_t tiny(unsigned id)
{
	return 1 + id % 3;
}

static void test_rot_of_any_byte_costs_at_most_its_record(void **state)
{
	struct wal_fixture *f = *state;
	const unsigned records = 7, acked = 2;
	struct wal_image whole, image;
	struct otlp_wal *w;

	f->segment_bytes = HEAD + 3 * (HEAD + 3);
	f->body_size = tiny;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, records);
	assert_int_equal(otlp_wal_sync(w), 0);
	for (unsigned id = 0; id < acked; id++)
		assert_int_equal(otlp_wal_ack(w, &f->put[id].pos), 0);
	otlp_wal_close(w);
	wal_image_take(&whole, f);
	for (uint64_t segment = 1; segment <= f->put[records - 1].pos.segment; segment++) {
		for (size_t at = 0; at < wal_image_segment(&whole, segment)->size; at++) {
			wal_image_copy(&image, &whole);
			wal_image_segment(&image, segment)->data[at] ^= (uint8_t)(1 << at % 8);
			wal_image_put(&image, f);
			check_flip(f, acked, records, segment, at);
			wal_image_reset(&image);
		}
	}
	wal_image_reset(&whole);
}

/* A body may hold a log: that does not come out as records, whatever is damaged before it. */
static void test_rot_does_not_bring_up_a_log_inside_a_body(void **state)
{
	struct wal_fixture *f = *state;
	struct otlp_wal *w = wal_fixture_open(f);
	struct wal_image image;
	struct wal_file *inner;
	struct otlp_wal_pos pos;
	const struct wal_image nothing = {.len = 0};
	const unsigned ids[] = {0, 1, 2, 8};

	wal_fixture_put(f, w, 0, 6); /* numbers up to 5, of which the outer log has come to 3 */
	otlp_wal_close(w);
	wal_image_take(&image, f);
	wal_image_put(&nothing, f);
	inner = wal_image_segment(&image, 1);
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 3);
	assert_int_equal(otlp_wal_append(w, inner->data, inner->size, 7, 1, &pos), 0);
	wal_fixture_put(f, w, 8, 9);
	assert_int_equal(otlp_wal_sync(w), 0);
	otlp_wal_close(w);
	wal_image_reset(&image);
	wal_image_take(&image, f);
	wal_image_segment(&image, pos.segment)->data[pos.offset + 17] ^= 1;
	wal_image_put(&image, f);
	w = wal_fixture_open(f);
	wal_fixture_check_ids(f, w, ids, 4);
	wal_fixture_check_damage(f, 1, 7, 0);
	otlp_wal_close(w);
	check_reopened(f, ids, 4);
	wal_image_reset(&image);
}

/* A length or number from the disk is never believed so far that memory is taken for it. */
static void test_rot_of_several_bytes_never_crashes(void **state)
{
	struct wal_fixture *f = *state;
	struct wal_image whole, image;
	struct otlp_wal *w;

	f->segment_bytes = 400;
	w = wal_fixture_open(f);
	wal_fixture_put(f, w, 0, 9);
	otlp_wal_close(w);
	wal_image_take(&whole, f);
	srandom(4);
	for (unsigned round = 0; round < 400; round++) {
		unsigned ids[WAL_TEST_MAX];
		size_t len;

		wal_image_copy(&image, &whole);
		for (unsigned hits = 0; hits < 1 + round % 6; hits++) {
			struct wal_file *file = wal_image_segment(&image, 1 + random() % 3);

			file->data[(size_t)random() % file->size] = (uint8_t)random();
		}
		wal_image_put(&image, f);
		w = wal_fixture_open(f);
		len = f->found_len;
		for (size_t i = 0; i < len; i++)
			ids[i] = wal_fixture_id(&f->found[i]);
		wal_fixture_check_ids(f, w, ids, len);
		otlp_wal_close(w);
		check_reopened(f, ids, len);
		wal_image_reset(&image);
	}
	wal_image_reset(&whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_fixture_setup, wal_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_power_cut_leaves_the_tail_shorter),
		TEST(test_power_cut_leaves_the_tail_zero),
		TEST(test_power_cut_leaves_the_tail_random),
		TEST(test_power_cut_leaves_a_hole),
		TEST(test_power_cut_loses_one_sector),
		TEST(test_power_cut_keeps_any_set_of_blocks),
		TEST(test_power_cut_with_blocks_in_the_wrong_place),
		TEST(test_power_cut_over_several_segments),
		TEST(test_power_cut_leaves_a_segment_without_anything),
		TEST(test_rot_of_any_byte_costs_at_most_its_record),
		TEST(test_rot_does_not_bring_up_a_log_inside_a_body),
		TEST(test_rot_of_several_bytes_never_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
