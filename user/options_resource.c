/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "user/log.h"
#include "user/options_env.h"
#include "user/options_impl.h"
#include "user/options_value.h"

static int resource_set(struct options *o, const char *name, const char *value)
{
	return *value ? options_pair_set(&o->resource, &o->resource_len, name, value, strcmp) : 0;
}

static int resource_host(struct options *o)
{
	static const char *const arch[][2] = {{"x86_64", "amd64"},
					      {"aarch64", "arm64"},
					      {"armv7l", "arm32"},
					      {"i686", "x86"},
					      {"ppc64le", "ppc64"}};
	struct utsname u;
	char id[33] = "";
	FILE *f;
	size_t i;
	int err;

	if (uname(&u))
		return 0;
	for (i = 0; i < sizeof(arch) / sizeof(arch[0]); i++)
		if (!strcmp(u.machine, arch[i][0]))
			snprintf(u.machine, sizeof(u.machine), "%s", arch[i][1]);
	f = fopen("/etc/machine-id", "re");
	if (f) {
		if (!fgets(id, sizeof(id), f) || strspn(id, "0123456789abcdef") != 32)
			id[0] = '\0';
		fclose(f);
	}
	err = resource_set(o, "host.name", u.nodename);
	if (!err)
		err = resource_set(o, "host.id", id);
	if (!err)
		err = resource_set(o, "host.arch", u.machine);
	return err;
}

/* A random UUID (version 4): two runs on a host are two writers of metrics. */
static int resource_instance(struct options *o)
{
	uint8_t r[16];
	char text[37];

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return -EIO;
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	snprintf(text, sizeof(text),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
		 r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
		 r[15]);
	return resource_set(o, "service.instance.id", text);
}

/* One pass checks (@o is NULL), the next sets: an error anywhere drops the whole variable. */
static int resource_from(struct options *o, const char *value)
{
	char *copy = strdup(value), *list = copy, *e, *name, *text;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (e = options_env_element(&list))) {
		if (!options_env_pair(e, &name, &text) || options_value_percent_decode(name) ||
		    !*name || options_value_percent_decode(text))
			err = -EINVAL;
		else if (o)
			err = resource_set(o, name, text);
	}
	free(copy);
	return err;
}

int options_resource_read(struct options *o, const struct options_given *given)
{
	const char *attributes = options_env_get("OTEL_RESOURCE_ATTRIBUTES"),
		   *name = options_env_get("OTEL_SERVICE_NAME");
	int err;

	err = resource_set(o, "service.name", "xdp-packet-counter");
	if (!err)
		err = resource_set(o, "service.version", RINGSPAN_VERSION);
	if (!err)
		err = resource_instance(o);
	if (!err)
		err = resource_host(o);
	if (!err)
		err = resource_set(o, "os.type", "linux");
	if (!err && attributes) {
		err = resource_from(NULL, attributes);
		if (err == -EINVAL)
			log_warn("OTEL_RESOURCE_ATTRIBUTES ignored as a whole: it must be "
				 "name=value,name=value, with ',' '=' and '%%' in them as %%2C "
				 "%%3D %%25");
		err = err ? (err == -EINVAL ? 0 : err) : resource_from(o, attributes);
	}
	if (!err && name)
		err = resource_set(o, "service.name", name);
	if (!err && given->environment)
		err = resource_set(o, "deployment.environment", given->environment);
	return err;
}
