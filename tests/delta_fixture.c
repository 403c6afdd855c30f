/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/delta_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct otlp_delta *delta_of(size_t series_max)
{
	struct otlp_delta *d;

	assert_int_equal(otlp_delta_create(&d, series_max), 0);
	return d;
}

struct otlp_metric sum_of(const struct otlp_point *points, size_t len)
{
	return (struct otlp_metric){.name = OTLP_STR("m"),
				    .unit = OTLP_STR("By"),
				    .type = OTLP_SUM,
				    .is_monotonic = true,
				    .points = points,
				    .points_len = len};
}

struct otlp_metric histogram_of(const struct otlp_point *points, size_t len)
{
	return (struct otlp_metric){.name = OTLP_STR("h"),
				    .type = OTLP_EXP_HISTOGRAM,
				    .points = points,
				    .points_len = len};
}
