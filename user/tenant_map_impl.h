/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tenant_map_impl - the lines of a tenant map, checked and sorted: a private part of tenant_map.
 */
#ifndef USER_TENANT_MAP_IMPL_H
#define USER_TENANT_MAP_IMPL_H

#include "user/tenant_map.h"

enum tenant_of { TENANT_OF_IPV4, TENANT_OF_IPV6, TENANT_OF_INTERFACE };

struct tenant_line {
	const char *tenant; /* names point into the text */
	const char *if_name; /* of an interface */
	uint8_t addr[16]; /* of a prefix: no bit beyond it is set */
	uint8_t what; /* enum tenant_of */
	uint8_t bits;
	uint32_t line; /* in the file, from 1 on */
};

struct tenant_lines {
	struct tenant_line *list; /* by what, then address and length or name; all different */
	size_t len;
};

/* Reads @text, which is @len bytes and a NUL, and cuts it into words. 0; -ENOMEM; -EINVAL and @why.
 * Reset it in any case. */
int tenant_lines_read(struct tenant_lines *l, char *text, size_t len, const char *name,
		      char why[TENANT_MAP_WHY_CAP]);
void tenant_lines_reset(struct tenant_lines *l);

/* Fills @why; line 0: none. Returns -EINVAL. */
int tenant_lines_fault(char why[TENANT_MAP_WHY_CAP], const char *name, uint32_t line,
		       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif /* USER_TENANT_MAP_IMPL_H */
