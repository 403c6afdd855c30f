/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What flow metrics are split by, and tenants. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/flow_attrs.h"
#include "user/log.h"
#include "user/options_arg.h"
#include "user/options_impl.h"
#include "user/options_value.h"

#define CAP_DEFAULT 2000 /* OpenTelemetry metrics SDK, "Cardinality limits" */

static void __attribute__((noreturn)) refuse_attribute(const char *name)
{
	char names[512] = "";
	size_t len = 0;
	unsigned i;

	for (i = 0; i < FLOW_ATTR_MAX && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
					flow_attr_name(i).ptr);
	options_arg_refuse("--metric-attributes '%.100s': not an attribute that metrics can have; "
			   "there are: %s",
			   name, names);
}

static int add_attributes(struct options *o, const char *list)
{
	char *copy = strdup(list), *rest = copy, *name;

	if (!copy)
		return ENOMEM;
	while ((name = strsep(&rest, ","))) {
		enum flow_attr attr = flow_attr_find(name);

		if (attr == FLOW_ATTR_MAX)
			refuse_attribute(name);
		if (o->metric_attrs & FLOW_ATTR_BIT(attr))
			options_arg_refuse("--metric-attributes '%s': given twice: name each "
					   "attribute once",
					   name);
		o->metric_attrs |= FLOW_ATTR_BIT(attr);
	}
	free(copy);
	return 0;
}

static int set_subnets(struct options *o, const char *text)
{
	char why[OPTIONS_WHY_CAP], *copy = strdup(text), *rest = copy, *word;
	uint64_t bits[2] = {0};
	size_t len = 0;

	if (!copy)
		return ENOMEM;
	for (; len < 2 && (word = strsep(&rest, ",")); len++)
		options_arg_check(options_value_number(word, 0, len ? 128 : 32, &bits[len], why),
				  "--subnets", text, why);
	if (len < 2 || rest)
		options_arg_refuse("--subnets '%.100s': not two lengths: give one for IPv4 and one "
				   "for IPv6, such as 24,48",
				   text);
	free(copy);
	for (len = 0; len < 2; len++)
		o->subnet_bits[len] = (uint8_t)bits[len];
	return 0;
}

static int load_tenants(struct options *o, const char *path)
{
	char why[TENANT_MAP_WHY_CAP];
	int err;

	if (o->tenants)
		options_arg_refuse("--tenant-map '%.100s': given twice: put all lines into one "
				   "file",
				   path);
	err = tenant_map_load(&o->tenants, path, why);
	if (err == -EINVAL)
		options_arg_refuse("--tenant-map: %s", why);
	return -err;
}

int options_series_set(struct options *o, struct options_given *given, enum options_series what,
		       const char *arg)
{
	switch (what) {
	case OPTIONS_METRIC_ATTRIBUTES:
		return add_attributes(o, arg);
	case OPTIONS_SUBNETS:
		given->subnets = true;
		return set_subnets(o, arg);
	case OPTIONS_METRIC_CAP:
		given->metric_cap = true;
		o->metric_cap = (uint32_t)options_arg_number("--metric-cap", arg, 1,
							     OPTIONS_METRIC_CAP_MAX);
		return 0;
	case OPTIONS_TENANT_MAP:
		return load_tenants(o, arg);
	}
	return EINVAL;
}

void options_series_defaults(struct options *o)
{
	o->subnet_bits[0] = 24;
	o->subnet_bits[1] = 48;
	o->metric_cap = CAP_DEFAULT;
}

void options_series_finish(struct options *o, const struct options_given *given)
{
	unsigned subnets = FLOW_ATTR_BIT(FLOW_ATTR_SOURCE_SUBNET) |
			   FLOW_ATTR_BIT(FLOW_ATTR_DESTINATION_SUBNET);
	unsigned tenant = FLOW_ATTR_BIT(FLOW_ATTR_TENANT);

	if ((o->metric_attrs & tenant) && !o->tenants)
		options_arg_refuse("--metric-attributes 'tenant': nothing says which there are: "
				   "give a --tenant-map");
	if (given->subnets && !(o->metric_attrs & subnets))
		log_warn("--subnets has no effect: --metric-attributes names no subnet");
	if (given->metric_cap && !o->metric_attrs)
		log_warn("--metric-cap has no effect without --metric-attributes");
	if (o->metric_attrs && o->tenants)
		o->metric_attrs |= tenant;
}
