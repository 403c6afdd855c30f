/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * delta_fixture - what goes into otlp/delta: a monotonic sum "m", a histogram "h".
 */
#ifndef TESTS_DELTA_FIXTURE_H
#define TESTS_DELTA_FIXTURE_H

#include "otlp/delta.h"

struct otlp_delta *delta_of(size_t series_max);
struct otlp_metric sum_of(const struct otlp_point *points, size_t len);
struct otlp_metric histogram_of(const struct otlp_point *points, size_t len);

#endif /* TESTS_DELTA_FIXTURE_H */
