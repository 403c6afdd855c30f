/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * alloc_count - how often memory was asked for, in this process, by anybody: our code and every
 * library, of all threads. Counts from the first call on.
 */
#ifndef TESTS_ALLOC_COUNT_H
#define TESTS_ALLOC_COUNT_H

#include <stddef.h>

struct alloc_count {
	size_t own; /* by the calling thread */
	size_t all;
};
struct alloc_count alloc_count(void);

#endif /* TESTS_ALLOC_COUNT_H */
