/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A URL. What is taken apart and put together again is the same, and makes a safe folder name. */
#include "tests/fuzz.h"

#include <string.h>

#include "otlp/url.h"
#include "otlp/wal_dir.h"

static void check_name(const char *text)
{
	char name[96];
	size_t len;

	otlp_wal_dir_name(OTLP_METRICS, text, name, sizeof(name));
	len = strlen(name);
	FUZZ_CHECK(len < sizeof(name) - 1);
	FUZZ_CHECK(!strncmp(name, "metrics-", 8));
	FUZZ_CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), again[4096], label[64];
	struct otlp_url u, v;
	const char *why = NULL;

	memcpy(text, data, size);
	text[size] = '\0';
	check_name(text);
	if (otlp_url_parse(&u, text, &why)) {
		FUZZ_CHECK(why);
		free(text);
		return 0;
	}
	FUZZ_CHECK(u.port && u.host[0] && u.path[0] == '/');
	FUZZ_CHECK(!strpbrk(u.path, " \r\n#") && !strpbrk(u.authority, " \r\n/@?#"));
	snprintf(again, sizeof(again), "http%s://%s%s", u.is_tls ? "s" : "", u.authority, u.path);
	FUZZ_CHECK(!otlp_url_parse(&v, again, &why));
	FUZZ_CHECK(otlp_url_same_origin(&u, &v));
	FUZZ_CHECK(!strcmp(u.path, v.path) && !strcmp(u.authority, v.authority));
	FUZZ_CHECK(!strchr(otlp_url_label(&u, label, sizeof(label)), '?'));
	free(text);
	return 0;
}
