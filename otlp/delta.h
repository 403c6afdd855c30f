/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * delta - cumulative metrics → delta ones, series by series.
 *
 * A series is a metric's name and a point's attributes in any order. Its first point stays as it
 * is; each later one begins at the time of the one before and has the difference: of integers
 * exactly, of doubles by subtraction, of histograms bucket by bucket, also where their range moves
 * or their scale becomes coarser. No change is a point too, of value 0. A value that fell, or whose
 * start or kind changed, is a new series: its full value since its own start. Where the clock went
 * back, a point begins at its own time.
 *
 * Series are never forgotten: one that came back would be counted twice. No clock, no I/O; one
 * thread per object. OpenTelemetry metrics data model, section "Temporality".
 */
#ifndef OTLP_DELTA_H
#define OTLP_DELTA_H

#include "otlp/otlp.h"

struct otlp_delta;

/* Remembers at most @series_max series, as they come. 0 and *ret set; -ENOMEM. */
int otlp_delta_create(struct otlp_delta **ret, size_t series_max);
void otlp_delta_destroy(struct otlp_delta *d); /* NULL is allowed */

/* Turns @m into *ret: histograms, and with @sums monotonic sums (without: "lowmemory"). All others
 * pass unchanged, as *ret = *m, and so does what is delta already. Exemplars pass unchanged.
 *
 * 0, and *ret is valid until the next call; it borrows what @m borrows.
 * -ENOSPC: more series than series_max. *ret is valid too, without the points of the new series:
 *  they are lost, m->points_len - ret->points_len of them. None may be left: then points_len is 0,
 *  and *ret must not be encoded.
 * -ENOMEM: *ret is not set and nothing is lost: the next differences contain what is missing now.
 */
int otlp_delta_apply(struct otlp_delta *d, const struct otlp_metric *m, bool sums,
		     struct otlp_metric *ret);

#endif /* OTLP_DELTA_H */
