/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ring - what bench_ring.c and its program agree on.
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include "kern/flow_abi.h"

#define RING_BURST 16 /* records a run of the program */
#define RING_RECORD_BYTES sizeof(struct flow_record)

#endif /* BENCH_RING_H */
