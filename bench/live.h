/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * live - the frame that live_frames sends, agreed between its two halves: 64 bytes with the check
 * sum that a wire adds.
 */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#define LIVE_FRAME_BYTES 60
#define LIVE_TCP_PAYLOAD 6

#endif /* BENCH_LIVE_H */
