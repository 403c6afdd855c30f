/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tenant_map - which tenant an address or an interface belongs to, by a file that a person wrote.
 *
 *   # comment
 *   10.0.0.0/8        blue      the longest prefix that holds an address counts
 *   2001:db8::/32     green
 *   192.0.2.7         red       one address
 *   interface eth1    blue
 *
 * Immutable after it was read: any thread, no clock, no I/O. A tenant is a number from 1 on, the
 * same for the same name; 0 is none.
 */
#ifndef USER_TENANT_MAP_H
#define USER_TENANT_MAP_H

#include <stddef.h>
#include <stdint.h>

#define TENANT_MAP_ENTRIES 65536
#define TENANT_MAP_FILE_BYTES (8u << 20)
#define TENANT_NAME_BYTES 64

struct tenant_map;

/* What is wrong, with the line, and what is right. */
#define TENANT_MAP_WHY_CAP 320

/* From a file. 0 and *ret set; -ENOMEM; -EINVAL and @why ("FILE:LINE: …"), for which the file is to
 * be changed. Free with tenant_map_destroy(). */
int tenant_map_load(struct tenant_map **ret, const char *path, char why[TENANT_MAP_WHY_CAP]);
/* The same from memory; @name stands for the file in @why. */
int tenant_map_parse(struct tenant_map **ret, const char *text, size_t len, const char *name,
		     char why[TENANT_MAP_WHY_CAP]);
void tenant_map_destroy(struct tenant_map *m); /* NULL is allowed */

/* @family 4 or 6; of an IPv4 address the first 4 bytes count. */
uint32_t tenant_map_address(const struct tenant_map *m, uint8_t family, const uint8_t addr[16]);
uint32_t tenant_map_interface(const struct tenant_map *m, const char *if_name);

/* NULL for 0. Lives as long as the map. */
const char *tenant_map_name(const struct tenant_map *m, uint32_t tenant);

/* Of what passes between two addresses on an interface: the source's tenant, else the
 * destination's, else the interface's. *ret_peer is the destination's where it is another one than
 * the source's, else 0. Of a NULL map all are 0. */
uint32_t tenant_map_flow(const struct tenant_map *m, uint8_t family, const uint8_t source[16],
			 const uint8_t destination[16], const char *if_name, uint32_t *ret_peer);

#endif /* USER_TENANT_MAP_H */
