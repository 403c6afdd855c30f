/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * utf8 - tells what is UTF-8 (RFC 3629): for whoever writes text that must be.
 */
#ifndef USER_UTF8_H
#define USER_UTF8_H

#include <stddef.h>

/* How many bytes at @p are one character; 0: none are. @left of them are there, at least 1. */
size_t utf8_len(const unsigned char *p, size_t left);

#endif /* USER_UTF8_H */
