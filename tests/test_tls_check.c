/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Files of certificates and keys, good and bad, as a client is made with them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otlp/http.h"
#include "otlp/tls_check.h"
#include "tests/https_fixture.h"

static int create(const char *url, const char *ca, const char *cert, const char *key,
		  const char **why)
{
	struct otlp_http_opts opts = {.ca_file = ca, .cert_file = cert, .key_file = key};
	struct otlp_http *h = NULL;
	struct otlp_url u;
	int err;

	assert_int_equal(otlp_url_parse(&u, url, why), 0);
	opts.url = &u;
	*why = "";
	err = otlp_http_create(&h, &opts, why);
	assert_true(!h == !!err);
	otlp_http_destroy(h);
	return err;
}

static void test_tls_check_names_the_file_and_the_fault(void **state)
{
	const char *ca = strdup(https_cert("ca.pem")), *cert = strdup(https_cert("client.pem"));
	const char *key = strdup(https_cert("client.key")), *large = strdup(https_cert("large"));
	const struct {
		const char *ca, *cert, *key;
		int err;
		const char *why;
	} cases[] = {
		{ca, cert, key, 0, NULL},
		{ca, NULL, NULL, 0, NULL},
		{ca, cert, NULL, -EINVAL,
		 "the client certificate file needs the client key file, too"},
		{ca, NULL, key, -EINVAL,
		 "the client key file needs the client certificate file, too"},
		{"/nonexistent/x", NULL, NULL, -ENOENT, "the CA file does not exist"},
		{ca, "/nonexistent/x", key, -ENOENT, "the client certificate file does not exist"},
		{ca, cert, "/nonexistent/x", -ENOENT, "the client key file does not exist"},
		{"/tmp", NULL, NULL, -EISDIR, "the CA file cannot be read"},
		{ca, cert, "/tmp", -EISDIR, "the client key file cannot be read"},
		{"/dev/zero", NULL, NULL, -EFBIG, "the CA file is larger than 1 MiB"},
		{ca, large, key, -EFBIG, "the client certificate file is larger than 1 MiB"},
		{ca, cert, large, -EFBIG, "the client key file is larger than 1 MiB"},
		{"/dev/null", NULL, NULL, -EBADMSG,
		 "the CA file holds no certificate (PEM) that can be used"},
		{key, NULL, NULL, -EBADMSG,
		 "the CA file holds no certificate (PEM) that can be used"},
		{https_cert("garbage.pem"), NULL, NULL, -EBADMSG,
		 "the CA file holds no certificate (PEM) that can be used"},
		{ca, key, key, -EBADMSG,
		 "the client certificate file holds no certificate (PEM) that can be used"},
		{ca, cert, cert, -EBADMSG,
		 "the client key file holds no private key (PEM) that can be used"},
		{ca, cert, https_cert("other.key"), -EBADMSG,
		 "the client key file does not belong to the client certificate"},
		{ca, cert, https_cert("locked.key"), -EBADMSG,
		 "the client key file is encrypted: give one without a password"},
	};
	FILE *f;

	(void)state;
	https_need_certs();
	f = fopen(large, "w");
	for (unsigned i = 0; i <= OTLP_TLS_FILE_MAX; i++)
		fputc('\n', f);
	fclose(f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why;

		assert_int_equal(
			create("https://h", cases[i].ca, cases[i].cert, cases[i].key, &why),
			cases[i].err);
		if (cases[i].why)
			assert_string_equal(why, cases[i].why);
		assert_null(strchr(why, '/')); /* no path: the caller knows it */
	}
	free((char *)(uintptr_t)ca);
	free((char *)(uintptr_t)cert);
	free((char *)(uintptr_t)key);
	free((char *)(uintptr_t)large);
}

static void test_tls_check_unreadable_file_says_permission(void **state)
{
	const char *why;

	(void)state;
	https_need_certs();
	if (geteuid() == 0) {
		print_message("to root every file is readable\n");
		skip();
	}
	chmod(https_cert("ca2.pem"), 0);
	assert_int_equal(create("https://h", https_cert("ca2.pem"), NULL, NULL, &why), -EACCES);
	chmod(https_cert("ca2.pem"), 0600);
	assert_string_equal(why, "the CA file cannot be read: permission denied");
}

/* Plain http needs none of them, but half a pair is a mistake. */
static void test_tls_check_http_reads_no_file(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(create("http://h", "/nonexistent", "/nonexistent", "/nonexistent", &why),
			 0);
	assert_int_equal(create("http://h", NULL, "/nonexistent", NULL, &why), -EINVAL);
	assert_string_equal(why, "the client certificate file needs the client key file, too");
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* One that cannot be used takes no other with it; what is not a certificate is left out. */
static void test_tls_check_keeps_the_usable_certificates(void **state)
{
	static const char *const names[] = {"garbage.pem", "ca.pem", "client.key", "garbage.pem",
					    "ca2.pem"};
	struct otlp_tls_files files = {0};
	struct otlp_tls_pem pem = {0};
	const char *why = "";
	char command[400];
	size_t used;

	(void)state;
	https_need_certs();
	used = (size_t)snprintf(command, sizeof(command), "cat");
	for (size_t i = 0; i < 5; i++)
		used += (size_t)snprintf(command + used, sizeof(command) - used, " %s",
					 https_cert(names[i]));
	/* and the last line without its end */
	snprintf(command + used, sizeof(command) - used, " | head -c -1 >%s",
		 https_cert("mixed.pem"));
	assert_int_equal(system(command), 0);
	files.ca = https_cert("mixed.pem");
	assert_int_equal(otlp_tls_check(&pem, &files, &why), 0);
	assert_int_equal(count(pem.ca, "-----BEGIN"), 2);
	assert_int_equal(count(pem.ca, "-----END"), 2);
	assert_int_equal(count(pem.ca, "PRIVATE"), 0);
	assert_null(pem.cert);
	assert_null(pem.key);
	otlp_tls_wipe(&pem);
	assert_null(pem.ca);
	assert_int_equal(create("https://h", https_cert("mixed.pem"), NULL, NULL, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_check_names_the_file_and_the_fault),
		cmocka_unit_test(test_tls_check_unreadable_file_says_permission),
		cmocka_unit_test(test_tls_check_http_reads_no_file),
		cmocka_unit_test(test_tls_check_keeps_the_usable_certificates),
	};

	return cmocka_run_group_tests(tests, https_make_certs, https_remove_certs);
}
