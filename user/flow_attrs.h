/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_attrs - the attributes by which flow metrics can be split, to be chosen by name. Pure.
 */
#ifndef USER_FLOW_ATTRS_H
#define USER_FLOW_ATTRS_H

#include <stddef.h>

#include "otlp/otlp.h"

/* In the order in which a point carries them. */
enum flow_attr {
	FLOW_ATTR_INTERFACE, /* always there */
	FLOW_ATTR_IO_DIRECTION, /* of packets and bytes */
	FLOW_ATTR_TYPE,
	FLOW_ATTR_TRANSPORT,
	FLOW_ATTR_SERVER_PORT, /* where the initiator is known */
	FLOW_ATTR_SOURCE_SUBNET, /* source and destination as in spans */
	FLOW_ATTR_DESTINATION_SUBNET,
	FLOW_ATTR_SOURCE_ADDRESS,
	FLOW_ATTR_DESTINATION_ADDRESS,
	FLOW_ATTR_TENANT,
	FLOW_ATTR_MAX
};
#define FLOW_ATTR_BIT(attr) (1u << (attr))

struct otlp_str flow_attr_name(enum flow_attr attr);

/* FLOW_ATTR_MAX: there is none of this name. */
enum flow_attr flow_attr_find(const char *name);

#endif /* USER_FLOW_ATTRS_H */
