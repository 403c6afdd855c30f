/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A sanitizer has an allocator of its own, and hooks in it; else the C library's functions are
 * overlaid by these.
 */
#include "tests/alloc_count.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t all;
static _Thread_local size_t own;

static void count(void)
{
	own++;
	atomic_fetch_add(&all, 1);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* of <sanitizer/allocator_interface.h>, which not every compiler brings */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t size)
{
	(void)p;
	(void)size;
	count();
}

static void on_free(const volatile void *p)
{
	(void)p;
}

struct alloc_count alloc_count(void)
{
	static atomic_flag is_installed = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&is_installed))
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
	return (struct alloc_count){own, all};
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
	count();
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count();
	return __libc_realloc(p, size);
}

struct alloc_count alloc_count(void)
{
	return (struct alloc_count){own, all};
}

#endif
