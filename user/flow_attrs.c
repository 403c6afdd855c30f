/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/flow_attrs.h"

#include <string.h>

#include "user/flow_names.h"

struct otlp_str flow_attr_name(enum flow_attr attr)
{
	const struct otlp_str names[FLOW_ATTR_MAX] = {
		[FLOW_ATTR_INTERFACE] = NAME_INTERFACE,
		[FLOW_ATTR_IO_DIRECTION] = NAME_IO_DIRECTION,
		[FLOW_ATTR_TYPE] = NAME_TYPE,
		[FLOW_ATTR_TRANSPORT] = NAME_TRANSPORT,
		[FLOW_ATTR_SERVER_PORT] = NAME_SERVER_PORT,
		[FLOW_ATTR_SOURCE_SUBNET] = NAME_SOURCE_SUBNET,
		[FLOW_ATTR_DESTINATION_SUBNET] = NAME_DESTINATION_SUBNET,
		[FLOW_ATTR_SOURCE_ADDRESS] = NAME_SOURCE_ADDRESS,
		[FLOW_ATTR_DESTINATION_ADDRESS] = NAME_DESTINATION_ADDRESS,
		[FLOW_ATTR_TENANT] = NAME_TENANT,
	};

	return names[attr];
}

enum flow_attr flow_attr_find(const char *name)
{
	unsigned i;

	for (i = 0; i < FLOW_ATTR_MAX; i++) {
		struct otlp_str known = flow_attr_name(i);

		if (known.len == strlen(name) && !memcmp(known.ptr, name, known.len))
			break;
	}
	return i;
}
