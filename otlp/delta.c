/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/delta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A call has two halves: first everything is found and all memory is got, which may fail and then
 * has changed nothing but that some series without a point exist; then the points are turned, which
 * cannot fail. Were it mixed, a failure in the middle would lose the differences before it.
 *
 * A series is found by its key: name and attributes, sorted by their keys, one behind the other as
 *
 *     SIZE name  SIZE key TYPE value  SIZE key TYPE value ...     (value: a text is SIZE text)
 *
 * The table of series is open addressing at a load of at most 1/2; nothing ever leaves it.
 */
#define TABLE_MIN 64 /* a power of two */

struct series {
	uint64_t hash;
	bool is_known; /* the following are set */
	enum otlp_metric_type type;
	struct otlp_point last; /* its buckets are the next ones; no attributes, no exemplars */
	uint64_t *buckets;
	size_t buckets_cap;
	size_t key_size;
	uint8_t key[];
};

struct otlp_delta {
	size_t series_max;
	size_t series_len;
	struct series **table;
	size_t table_cap;
	/* of the current call */
	struct series **found; /* of each point; NULL: there is no room for one */
	size_t found_cap;
	struct otlp_point *points;
	size_t points_cap;
	uint64_t *buckets;
	size_t buckets_cap;
	const struct otlp_attr **sorted;
	size_t sorted_cap;
	uint8_t *key;
	size_t key_cap;
	size_t key_size;
};

/* @array, moved if need be, with room for @len elements of @size bytes; NULL: no memory, and it is
 * as it was. Never NULL for a length of 0. */
static void *grow(void *array, size_t *cap, size_t len, size_t size)
{
	if (array && len <= *cap)
		return array;
	len = len < 8 ? 8 : len + len / 2;
	array = reallocarray(array, len, size);
	if (array)
		*cap = len;
	return array;
}

int otlp_delta_create(struct otlp_delta **ret, size_t series_max)
{
	struct otlp_delta *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->series_max = series_max;
	d->table_cap = TABLE_MIN;
	d->table = calloc(d->table_cap, sizeof(struct series *));
	if (!d->table) {
		free(d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void otlp_delta_destroy(struct otlp_delta *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < d->table_cap; i++) {
		if (d->table[i])
			free(d->table[i]->buckets);
		free(d->table[i]);
	}
	free(d->table);
	free(d->found);
	free(d->points);
	free(d->buckets);
	free(d->sorted);
	free(d->key);
	free(d);
}

static int compare_keys(const struct otlp_attr *a, const struct otlp_attr *b)
{
	size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
	int diff = len ? memcmp(a->key.ptr, b->key.ptr, len) : 0;

	return diff ? diff : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

/* By insertion: lists are short, and mostly in order. */
static int sort_attrs(struct otlp_delta *d, const struct otlp_attrs *attrs)
{
	const struct otlp_attr **sorted =
		grow(d->sorted, &d->sorted_cap, attrs->len, sizeof(*sorted));
	size_t i, at;

	if (!sorted)
		return -ENOMEM;
	d->sorted = sorted;
	for (i = 0; i < attrs->len; i++) {
		for (at = i; at && compare_keys(sorted[at - 1], &attrs->list[i]) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &attrs->list[i];
	}
	return 0;
}

static void key_add(struct otlp_delta *d, const void *data, size_t size)
{
	if (size)
		memcpy(d->key + d->key_size, data, size);
	d->key_size += size;
}

static void key_add_text(struct otlp_delta *d, struct otlp_str s)
{
	key_add(d, &s.len, sizeof(s.len));
	key_add(d, s.ptr, s.len);
}

static void key_add_value(struct otlp_delta *d, const struct otlp_attr *a)
{
	const uint8_t type = (uint8_t)a->type;

	key_add(d, &type, sizeof(type));
	switch (a->type) {
	case OTLP_STRING:
		key_add_text(d, a->value.string);
		break;
	case OTLP_BOOL:
		key_add(d, &a->value.boolean, sizeof(a->value.boolean));
		break;
	case OTLP_INT:
		key_add(d, &a->value.integer, sizeof(a->value.integer));
		break;
	case OTLP_DOUBLE:
		key_add(d, &a->value.number, sizeof(a->value.number));
		break;
	}
}

static int make_key(struct otlp_delta *d, struct otlp_str name, const struct otlp_attrs *attrs)
{
	size_t size = sizeof(size_t) + name.len, i;
	int err = sort_attrs(d, attrs);
	uint8_t *key;

	if (err)
		return err;
	for (i = 0; i < attrs->len; i++) {
		const struct otlp_attr *a = &attrs->list[i];

		/* sizes of key and text, the type, any value that is no text */
		size += 2 * sizeof(size_t) + 1 + 8 + a->key.len;
		size += a->type == OTLP_STRING ? a->value.string.len : 0;
	}
	key = grow(d->key, &d->key_cap, size, 1);
	if (!key)
		return -ENOMEM;
	d->key = key;
	d->key_size = 0;
	key_add_text(d, name);
	for (i = 0; i < attrs->len; i++) {
		key_add_text(d, d->sorted[i]->key);
		key_add_value(d, d->sorted[i]);
	}
	return 0;
}

/* FNV-1a */
static uint64_t hash_of(const uint8_t *data, size_t size)
{
	uint64_t h = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < size; i++)
		h = (h ^ data[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

/* Where the series of d->key is, or an empty place for it. */
static struct series **table_place(const struct otlp_delta *d, uint64_t hash, const uint8_t *key,
				   size_t key_size)
{
	struct series **place;
	size_t i = hash;

	for (;; i++) {
		place = &d->table[i & (d->table_cap - 1)];
		if (!*place || ((*place)->hash == hash && (*place)->key_size == key_size &&
				memcmp((*place)->key, key, key_size) == 0))
			return place;
	}
}

static int table_grow(struct otlp_delta *d)
{
	struct otlp_delta twice = *d;
	size_t i;

	twice.table_cap = 2 * d->table_cap;
	twice.table = calloc(twice.table_cap, sizeof(struct series *));
	if (!twice.table)
		return -ENOMEM;
	for (i = 0; i < d->table_cap; i++) {
		struct series *s = d->table[i];

		if (s)
			*table_place(&twice, s->hash, s->key, s->key_size) = s;
	}
	free(d->table);
	d->table = twice.table;
	d->table_cap = twice.table_cap;
	return 0;
}

/* The series of d->key, new if need be; -ENOSPC, -ENOMEM. */
static int find_series(struct otlp_delta *d, struct series **ret)
{
	uint64_t hash = hash_of(d->key, d->key_size);
	struct series **place = table_place(d, hash, d->key, d->key_size), *s;

	if (*place) {
		*ret = *place;
		return 0;
	}
	if (d->series_len >= d->series_max)
		return -ENOSPC;
	if (2 * (d->series_len + 1) > d->table_cap) {
		if (table_grow(d))
			return -ENOMEM;
		place = table_place(d, hash, d->key, d->key_size);
	}
	s = calloc(1, sizeof(*s) + d->key_size);
	if (!s)
		return -ENOMEM;
	s->hash = hash;
	s->key_size = d->key_size;
	memcpy(s->key, d->key, d->key_size);
	*place = s;
	d->series_len++;
	*ret = s;
	return 0;
}

/* The first half, for one point; -ENOMEM, or 0. */
static int prepare_point(struct otlp_delta *d, const struct otlp_metric *m, size_t i)
{
	const struct otlp_point *point = &m->points[i];
	struct series *s = NULL;
	uint64_t *buckets;
	int err;

	d->found[i] = NULL;
	if (make_key(d, m->name, &point->attrs))
		return -ENOMEM;
	err = find_series(d, &s);
	if (err)
		return err == -ENOSPC ? 0 : err;
	if (m->type == OTLP_EXP_HISTOGRAM) {
		buckets = grow(s->buckets, &s->buckets_cap, point->histogram.buckets_len,
			       sizeof(*buckets));
		if (!buckets)
			return -ENOMEM;
		s->buckets = buckets;
		s->last.histogram.buckets = buckets;
	}
	d->found[i] = s;
	return 0;
}

static int prepare(struct otlp_delta *d, const struct otlp_metric *m)
{
	struct series **found = grow(d->found, &d->found_cap, m->points_len, sizeof(*found));
	struct otlp_point *points;
	size_t len = 0, i;
	uint64_t *buckets;

	if (!found)
		return -ENOMEM;
	d->found = found;
	points = grow(d->points, &d->points_cap, m->points_len, sizeof(*points));
	if (!points)
		return -ENOMEM;
	d->points = points;
	for (i = 0; i < m->points_len; i++) {
		if (prepare_point(d, m, i))
			return -ENOMEM;
		if (m->type == OTLP_EXP_HISTOGRAM)
			len += m->points[i].histogram.buckets_len;
	}
	buckets = grow(d->buckets, &d->buckets_cap, len, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	d->buckets = buckets;
	return 0;
}

/* Each subtraction: false if the value fell, *ret then unchanged or unusable. */
static bool subtract_number(const struct otlp_point *last, struct otlp_point *ret)
{
	int64_t diff;

	if (ret->is_double != last->is_double)
		return false;
	if (ret->is_double) {
		if (!(ret->number >= last->number))
			return false;
		ret->number -= last->number;
		return true;
	}
	if (ret->integer < last->integer ||
	    __builtin_sub_overflow(ret->integer, last->integer, &diff))
		return false;
	ret->integer = diff;
	return true;
}

/* @buckets: room for as many as *ret has. A bucket of index i belongs to that of i >> n of a
 * histogram whose scale is n less. The count falls only if one of its parts does. */
static bool subtract_histogram(const struct otlp_exp_histogram *last,
			       struct otlp_exp_histogram *ret, uint64_t *buckets)
{
	int64_t coarser = (int64_t)last->scale - ret->scale, at;
	size_t i;

	if (coarser < 0 || ret->zero_count < last->zero_count)
		return false;
	if (ret->buckets_len)
		memcpy(buckets, ret->buckets, ret->buckets_len * sizeof(*buckets));
	for (i = 0; i < last->buckets_len; i++) {
		if (last->buckets[i] == 0)
			continue;
		at = ((int64_t)last->offset + (int64_t)i) >> (coarser < 63 ? coarser : 63);
		at -= ret->offset;
		if ((uint64_t)at >= ret->buckets_len || buckets[at] < last->buckets[i])
			return false;
		buckets[at] -= last->buckets[i];
	}
	ret->buckets = buckets;
	ret->count -= last->count;
	ret->sum -= last->sum;
	ret->zero_count -= last->zero_count;
	return true;
}

/* *ret is the point as it came. */
static void turn_point(const struct series *s, enum otlp_metric_type type, struct otlp_point *ret,
		       uint64_t *buckets)
{
	const struct otlp_point *last = &s->last;
	struct otlp_point diff = *ret;
	bool ok;

	if (!s->is_known || s->type != type || last->start_unix_ns != ret->start_unix_ns)
		return;
	if (type == OTLP_SUM)
		ok = subtract_number(last, &diff);
	else
		ok = subtract_histogram(&last->histogram, &diff.histogram, buckets);
	if (!ok)
		return;
	diff.start_unix_ns =
		last->time_unix_ns < diff.time_unix_ns ? last->time_unix_ns : diff.time_unix_ns;
	*ret = diff;
}

static void remember(struct series *s, enum otlp_metric_type type, const struct otlp_point *point)
{
	size_t len = point->histogram.buckets_len;

	s->is_known = true;
	s->type = type;
	s->last = *point;
	s->last.attrs = (struct otlp_attrs){0};
	s->last.exemplars = NULL;
	s->last.exemplars_len = 0;
	s->last.histogram.buckets = s->buckets;
	if (type == OTLP_EXP_HISTOGRAM && len)
		memcpy(s->buckets, point->histogram.buckets, len * sizeof(*s->buckets));
}

int otlp_delta_apply(struct otlp_delta *d, const struct otlp_metric *m, bool sums,
		     struct otlp_metric *ret)
{
	bool is_turned =
		m->type == OTLP_EXP_HISTOGRAM || (m->type == OTLP_SUM && m->is_monotonic && sums);
	uint64_t *buckets;
	size_t i, len = 0;

	if (!is_turned || m->is_delta) {
		*ret = *m;
		return 0;
	}
	if (prepare(d, m))
		return -ENOMEM;
	buckets = d->buckets;
	for (i = 0; i < m->points_len; i++) {
		struct series *s = d->found[i];

		if (!s)
			continue;
		d->points[len] = m->points[i];
		turn_point(s, m->type, &d->points[len++], buckets);
		remember(s, m->type, &m->points[i]);
		if (m->type == OTLP_EXP_HISTOGRAM)
			buckets += m->points[i].histogram.buckets_len;
	}
	*ret = *m;
	ret->is_delta = true;
	ret->points = d->points;
	ret->points_len = len;
	return len < m->points_len ? -ENOSPC : 0;
}
