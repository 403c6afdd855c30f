/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ip_text - addresses as text, for each span: what inet_ntop() writes, in a twentieth of its
 * instructions. Pure; any thread.
 */
#ifndef USER_IP_TEXT_H
#define USER_IP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define IP_TEXT_CAP 46 /* with its NUL */

/* @family: 4 or 6; @addr: 4 or 16 bytes, in network order. IPv6 as RFC 5952 has it. Returns the
 * length without the NUL. */
size_t ip_text(uint8_t family, const uint8_t *addr, char ret[IP_TEXT_CAP]);

#endif /* USER_IP_TEXT_H */
