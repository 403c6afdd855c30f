/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A tenant map: any bytes. What is understood names tenants for any address, what is refused says
 * why in one line. */
#include "tests/fuzz.h"

#include <string.h>

#include "user/tenant_map.h"

static void check_tenant(const struct tenant_map *m, uint32_t tenant)
{
	const char *name = tenant_map_name(m, tenant);

	FUZZ_CHECK(!tenant == !name);
	FUZZ_CHECK(!name ||
		   (*name && strlen(name) <= TENANT_NAME_BYTES && !strpbrk(name, " \t\r\n")));
}

static void check_map(const struct tenant_map *m, const uint8_t *data, size_t size)
{
	uint8_t a[16] = {0}, b[16];
	uint32_t peer, tenant;
	unsigned i;

	memset(b, 0xff, sizeof(b));
	memcpy(a, data, size < sizeof(a) ? size : sizeof(a));
	for (i = 4; i <= 6; i += 2) {
		tenant = tenant_map_flow(m, i, a, b, "eth0", &peer);
		check_tenant(m, tenant);
		check_tenant(m, peer);
		FUZZ_CHECK(!peer || (tenant && tenant != peer));
		FUZZ_CHECK(!peer || tenant == tenant_map_address(m, i, a));
	}
	check_tenant(m, tenant_map_interface(m, "lo"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), why[TENANT_MAP_WHY_CAP];
	struct tenant_map *m;

	memset(why, 'x', sizeof(why));
	why[0] = '\0';
	memcpy(text, data, size);
	if (tenant_map_parse(&m, text, size, "f", why)) {
		FUZZ_CHECK(why[0] && memchr(why, '\0', sizeof(why)) && !strchr(why, '\n'));
	} else {
		check_map(m, data, size);
		tenant_map_destroy(m);
	}
	free(text);
	return 0;
}
