/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "otlp/tls_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

/* ---- files ---- */

struct file_words {
	const char *missing, *denied, *unreadable, *too_large;
};
#define FILE_WORDS(what)                                                                           \
	{                                                                                          \
		what " does not exist", what " cannot be read: permission denied",                 \
			what " cannot be read", what " is larger than 1 MiB"                       \
	}
static const struct file_words ca_words = FILE_WORDS("the CA file");
static const struct file_words cert_words = FILE_WORDS("the client certificate file");
static const struct file_words key_words = FILE_WORDS("the client key file");

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static int file_fault(int err, const struct file_words *words, const char **why)
{
	if (err == -ENOMEM)
		*why = "out of memory";
	else if (err == -ENOENT || err == -ENOTDIR)
		*why = words->missing;
	else if (err == -EACCES || err == -EPERM)
		*why = words->denied;
	else
		*why = err == -EFBIG ? words->too_large : words->unreadable;
	return err;
}

/* One allocation, so that no copy of a key is left behind. */
static int read_fd(int fd, char **ret)
{
	char *text = calloc(1, OTLP_TLS_FILE_MAX + 2);
	size_t len = 0;
	int err = -ENOMEM;

	if (!text)
		return err;
	for (;;) {
		ssize_t n = read(fd, text + len, OTLP_TLS_FILE_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		err = n < 0 ? -errno : 0;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > OTLP_TLS_FILE_MAX) {
			err = -EFBIG;
			break;
		}
	}
	if (err) {
		explicit_bzero(text, len);
		free(text);
		return err;
	}
	*ret = text;
	return 0;
}

static int read_file(char **ret, const char *path, const struct file_words *words, const char **why)
{
	/* A FIFO without a writer would block. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = fd < 0 ? -errno : read_fd(fd, ret);

	if (fd >= 0)
		close(fd);
	return err ? file_fault(err, words, why) : 0;
}

static bool is_certificate(const char *pem, size_t len)
{
	mbedtls_x509_crt crt;
	char *copy = strndup(pem, len);
	bool is_good;

	mbedtls_x509_crt_init(&crt);
	is_good = copy && mbedtls_x509_crt_parse(&crt, (const uint8_t *)copy, len + 1) == 0;
	mbedtls_x509_crt_free(&crt);
	free(copy);
	return is_good;
}

/* Keeps only what can be used: one certificate of an unknown kind among the system's would
 * otherwise make them all useless. Returns how many stay. */
static size_t keep_certificates(char *pem)
{
	char *out = pem, *at = pem;
	size_t count = 0;

	while ((at = strstr(at, PEM_BEGIN))) {
		char *end = strstr(at, PEM_END);
		size_t len;

		if (!end)
			break;
		len = (size_t)(end - at) + strlen(PEM_END);
		if (is_certificate(at, len)) {
			memmove(out, at, len);
			out[len] = '\n'; /* out + len < end + its length: still within the text */
			out += len + 1;
			count++;
		}
		at += len;
	}
	*out = '\0';
	return count;
}

static int read_ca(struct otlp_tls_pem *ret, const char *path, const char **why)
{
	int err = read_file(&ret->ca, path ? path : CA_FILE, &ca_words, why);

	if (!err && keep_certificates(ret->ca) == 0) {
		*why = "the CA file holds no certificate (PEM) that can be used";
		err = -EBADMSG;
	}
	if (err && err != -ENOMEM && !path)
		*why = "https needs the CA certificates of the system (" CA_FILE "), and "
		       "they cannot be used: install ca-certificates";
	return err;
}

static int try_key(mbedtls_pk_context *key, const char *pem, const char **why)
{
	int rv = mbedtls_pk_parse_key(key, (const uint8_t *)pem, strlen(pem) + 1, NULL, 0);

	if (rv == 0)
		return 0;
	*why = rv == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || rv == MBEDTLS_ERR_PK_PASSWORD_MISMATCH
		       ? "the client key file is encrypted: give one without a password"
		       : "the client key file holds no private key (PEM) that can be used";
	return -EBADMSG;
}

static int try_pair(const struct otlp_tls_pem *pem, const char **why)
{
	mbedtls_x509_crt crt;
	mbedtls_pk_context key;
	int err = -EBADMSG;

	mbedtls_x509_crt_init(&crt);
	mbedtls_pk_init(&key);
	if (mbedtls_x509_crt_parse(&crt, (const uint8_t *)pem->cert, strlen(pem->cert) + 1)) {
		*why = "the client certificate file holds no certificate (PEM) that can be used";
	} else if (try_key(&key, pem->key, why) == 0) {
		if (mbedtls_pk_check_pair(&crt.pk, &key))
			*why = "the client key file does not belong to the client certificate";
		else
			err = 0;
	}
	mbedtls_pk_free(&key);
	mbedtls_x509_crt_free(&crt);
	return err;
}

int otlp_tls_pair(const struct otlp_tls_files *files, const char **why)
{
	if (!files->cert == !files->key)
		return 0;
	*why = files->cert ? "the client certificate file needs the client key file, too"
			   : "the client key file needs the client certificate file, too";
	return -EINVAL;
}

int otlp_tls_check(struct otlp_tls_pem *ret, const struct otlp_tls_files *files, const char **why)
{
	struct otlp_tls_pem pem = {0};
	int err = otlp_tls_pair(files, why);

	if (err)
		return err;
	err = read_ca(&pem, files->ca, why);
	if (!err && files->cert) {
		err = read_file(&pem.cert, files->cert, &cert_words, why);
		if (!err)
			err = read_file(&pem.key, files->key, &key_words, why);
		if (!err)
			err = try_pair(&pem, why);
	}
	if (err)
		otlp_tls_wipe(&pem);
	else
		*ret = pem;
	return err;
}

void otlp_tls_wipe(struct otlp_tls_pem *pem)
{
	free(pem->ca);
	free(pem->cert);
	free_secret(pem->key);
	*pem = (struct otlp_tls_pem){0};
}
