/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bare - what its programs go on to, agreed between the two halves of bench_kern. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

enum bare_next { BARE_NEXT_PASS, BARE_NEXT_OURS, BARE_NEXT_MAX };

#endif /* BENCH_BARE_H */
