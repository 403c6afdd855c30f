/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_service - well-known ports and protocols by name: a closed set, so that span names are one.
 *
 * A table of our own: the system's differs from host to host, and reading it is not thread-safe.
 */
#ifndef USER_FLOW_SERVICE_H
#define USER_FLOW_SERVICE_H

#include <stdint.h>

/* NULL: none. @port in host order. */
const char *flow_service_name(uint8_t proto, uint16_t port);

/* "tcp", "gre", …; "other" for what has no name here. @family: 4 or 6. */
const char *flow_service_transport(uint8_t proto, uint8_t family);

#endif /* USER_FLOW_SERVICE_H */
