/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP library tells of a failed handshake only that it failed. So it is made once more, with
 * the same rules but to the end (VERIFY_OPTIONAL), and what the verification and the server's last
 * alert say is put in words. Of several faults the one is told that stands nearest to the server.
 */
#include "otlp/tls_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"
#define NAMES_MAX 3 /* of a certificate, told */

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

int otlp_tls_read(struct otlp_tls_pem *ret, const struct otlp_tls_files *files, const char **why)
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

/* ---- the handshake ---- */

/* What the verification said of one certificate of the chain. */
struct verdict {
	uint32_t flags;
	bool is_own_issuer;
	mbedtls_x509_time from, to;
	char issuer[80], subject[80];
};

struct handshake {
	const struct otlp_tls_io *io;
	const struct otlp_tls_pem *pem;
	const char *host;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt ca, cert;
	mbedtls_pk_context key;
	int rv; /* of mbedTLS */
	int io_err;
	uint8_t out[4096]; /* still to be sent: see send_some() */
	size_t out_len;
	uint8_t first[5]; /* that came */
	size_t first_len;
	struct verdict fault; /* nearest to the server */
	char names[80]; /* whom the server's certificate is for */
};

static int flush(struct handshake *h)
{
	if (h->out_len)
		h->io_err = h->io->send(h->io->ctx, h->out, h->out_len);
	h->out_len = 0;
	return h->io_err ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : 0;
}

/* All that is said before an answer is waited for leaves at once: in pieces, the second would meet
 * a connection that was closed after the first, and the alert that says why would be lost. */
static int send_some(void *ctx, const unsigned char *data, size_t len)
{
	struct handshake *h = ctx;
	size_t room = sizeof(h->out) - h->out_len;

	if (len > room)
		len = room;
	memcpy(h->out + h->out_len, data, len);
	h->out_len += len;
	if (h->out_len == sizeof(h->out) && flush(h))
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	return (int)len;
}

static int recv_some(void *ctx, unsigned char *buf, size_t cap)
{
	struct handshake *h = ctx;
	size_t len = 0;

	if (flush(h))
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	h->io_err = h->io->recv(h->io->ctx, buf, cap, &len);
	if (h->io_err)
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	for (size_t i = 0; i < len && h->first_len < sizeof(h->first); i++)
		h->first[h->first_len++] = buf[i];
	return (int)len;
}

static int random_bytes(void *ctx, unsigned char *buf, size_t len)
{
	(void)ctx;
	while (len) {
		ssize_t n = getrandom(buf, len, 0);

		if (n <= 0)
			return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static bool name_text(const mbedtls_x509_buf *name, char *text, size_t cap)
{
	int kind = name->tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
	bool is_ip = kind == MBEDTLS_X509_SAN_IP_ADDRESS && (name->len == 4 || name->len == 16);

	if (is_ip)
		inet_ntop(name->len == 4 ? AF_INET : AF_INET6, name->p, text, (socklen_t)cap);
	else if (kind == MBEDTLS_X509_SAN_DNS_NAME)
		snprintf(text, cap, "%.*s", (int)name->len, (const char *)name->p);
	else
		return false;
	return true;
}

/* The names that count: of the extension, or the common name if there is none. */
static void list_names(struct handshake *h, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_sequence *alt = &crt->subject_alt_names;
	size_t used = 0;

	if (!(crt->ext_types & MBEDTLS_X509_EXT_SUBJECT_ALT_NAME)) {
		for (const mbedtls_x509_name *n = &crt->subject; n; n = n->next)
			if (n->oid.len == 3 && !memcmp(n->oid.p, "\x55\x04\x03", 3)) /* CN */
				snprintf(h->names, sizeof(h->names), "%.*s", (int)n->val.len,
					 (const char *)n->val.p);
		return;
	}
	for (int i = 0; alt && alt->buf.p && used < sizeof(h->names); alt = alt->next) {
		char name[64];

		if (!name_text(&alt->buf, name, sizeof(name)))
			continue;
		if (i == NAMES_MAX) {
			snprintf(h->names + used, sizeof(h->names) - used, ", ...");
			return;
		}
		used += (size_t)snprintf(h->names + used, sizeof(h->names) - used, "%s%s",
					 i++ ? ", " : "", name);
	}
}

/* Called from the root down to the server's own: the last fault that it sees is kept. */
static int on_certificate(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct handshake *h = ctx;
	struct verdict v = {.flags = *flags, .from = crt->valid_from, .to = crt->valid_to};

	if (depth == 0)
		list_names(h, crt);
	if (!*flags)
		return 0;
	v.is_own_issuer = crt->issuer_raw.len == crt->subject_raw.len &&
			  !memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->issuer_raw.len);
	mbedtls_x509_dn_gets(v.issuer, sizeof(v.issuer), &crt->issuer);
	mbedtls_x509_dn_gets(v.subject, sizeof(v.subject), &crt->subject);
	h->fault = v;
	if (depth == 0)
		v.subject[0] = '\0'; /* "the server's" says it */
	snprintf(h->fault.subject, sizeof(h->fault.subject), "%s", v.subject);
	return 0;
}

static int prepare(struct handshake *h)
{
	mbedtls_ssl_config *c = &h->config;
	const struct otlp_tls_pem *pem = h->pem;

	if (mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) ||
	    mbedtls_x509_crt_parse(&h->ca, (const uint8_t *)pem->ca, strlen(pem->ca) + 1))
		return -ENOMEM;
	mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_max_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_OPTIONAL);
	mbedtls_ssl_conf_rng(c, random_bytes, NULL);
	mbedtls_ssl_conf_verify(c, on_certificate, h);
	mbedtls_ssl_conf_ca_chain(c, &h->ca, NULL);
	if (pem->cert) {
		const uint8_t *cert = (const uint8_t *)pem->cert, *key = (const uint8_t *)pem->key;

		if (mbedtls_x509_crt_parse(&h->cert, cert, strlen(pem->cert) + 1) ||
		    mbedtls_pk_parse_key(&h->key, key, strlen(pem->key) + 1, NULL, 0) ||
		    mbedtls_ssl_conf_own_cert(c, &h->cert, &h->key))
			return -ENOMEM;
	}
	if (mbedtls_ssl_setup(&h->ssl, c) || mbedtls_ssl_set_hostname(&h->ssl, h->host))
		return -ENOMEM;
	mbedtls_ssl_set_bio(&h->ssl, h, send_some, recv_some, NULL);
	return 0;
}

/* ---- words ---- */

static void explain_name(const struct handshake *h, char *text, size_t cap)
{
	uint8_t addr[16];
	bool is_address = inet_pton(AF_INET, h->host, addr) == 1 || strchr(h->host, ':');

	if (is_address)
		snprintf(text, cap,
			 "the server's certificate is for %s; it can be checked against a host "
			 "name only, not against %s: use a name in the URL",
			 *h->names ? h->names : "no host name", h->host);
	else
		snprintf(text, cap, "the server's certificate is for %s, not for %s",
			 *h->names ? h->names : "no host name", h->host);
}

static int explain_fault(const struct handshake *h, char *text, size_t cap)
{
	const struct verdict *v = &h->fault;
	char whose[110] = "the server's certificate";

	if (*v->subject)
		snprintf(whose, sizeof(whose), "the certificate of its CA %s", v->subject);
	if (v->flags & MBEDTLS_X509_BADCERT_EXPIRED)
		snprintf(text, cap, "%s expired on %04d-%02d-%02d", whose, v->to.year, v->to.mon,
			 v->to.day);
	else if (v->flags & MBEDTLS_X509_BADCERT_FUTURE)
		snprintf(
			text, cap,
			"%s is valid only from %04d-%02d-%02d on: is the clock of this host right?",
			whose, v->from.year, v->from.mon, v->from.day);
	else if (v->flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		explain_name(h, text, cap);
	else if (v->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED && v->is_own_issuer && !*v->subject)
		snprintf(text, cap,
			 "the server's certificate is signed by itself and not among those that "
			 "are trusted: add it to the CA file");
	else if (v->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		snprintf(text, cap,
			 "the server's certificate is signed by %s, an unknown CA: give that CA's "
			 "certificate as the CA file",
			 v->issuer);
	else if (v->flags & (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
			     MBEDTLS_X509_BADCERT_BAD_KEY))
		snprintf(text, cap, "%s has a key or signature that is too weak", whose);
	else
		snprintf(text, cap, "%s is not made for this use (flags 0x%x)", whose, v->flags);
	return 0;
}

static const char *refusal(int alert)
{
	switch (alert) {
	case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED:
		return ": it is revoked";
	case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED:
		return ": it has expired";
	case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA:
		return ": its CA is unknown there";
	case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED:
		return ": access denied";
	default:
		return "";
	}
}

static int explain_failure(const struct handshake *h, char *text, size_t cap)
{
	/* The server has asked for our certificate, and had it or not. */
	bool is_asked = h->ssl.client_auth;
	bool is_alert = h->rv == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
	int alert = is_alert ? h->ssl.in_msg[1] : -1;
	bool is_old = h->rv == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION ||
		      alert == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION;

	if (h->first_len == sizeof(h->first) && !memcmp(h->first, "HTTP/", 5))
		snprintf(text, cap, "the server speaks plain HTTP on this port, not TLS");
	else if (h->first_len >= 2 && h->first[1] != MBEDTLS_SSL_MAJOR_VERSION_3)
		snprintf(text, cap, "the server does not speak TLS on this port");
	else if (is_asked && !h->pem->cert)
		snprintf(text, cap, "the server wants a client certificate, and none is given");
	else if (is_asked && (is_alert || h->io_err == -EPIPE))
		snprintf(text, cap, "the server refuses our client certificate%s", refusal(alert));
	else if (is_old)
		snprintf(text, cap,
			 "the server does not speak TLS 1.2, the only version that can be used");
	else if (alert == MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME)
		snprintf(text, cap, "the server does not know the name %s", h->host);
	else if (is_alert)
		snprintf(text, cap,
			 "the server ended the TLS handshake (alert %d): no cipher or key in "
			 "common?",
			 alert);
	else if (h->io_err == -EPIPE)
		snprintf(text, cap, "the server closed the connection during the TLS handshake");
	else
		return -ENODATA;
	return 0;
}

int otlp_tls_explain(const struct otlp_tls_pem *pem, const char *host, const struct otlp_tls_io *io,
		     char *text, size_t cap)
{
	struct handshake h = {.io = io, .pem = pem, .host = host};
	int err;

	mbedtls_ssl_init(&h.ssl);
	mbedtls_ssl_config_init(&h.config);
	mbedtls_x509_crt_init(&h.ca);
	mbedtls_x509_crt_init(&h.cert);
	mbedtls_pk_init(&h.key);
	err = prepare(&h);
	if (!err) {
		h.rv = mbedtls_ssl_handshake(&h.ssl);
		if (h.fault.flags)
			err = explain_fault(&h, text, cap);
		else
			err = h.rv ? explain_failure(&h, text, cap) : -ENODATA;
	}
	mbedtls_pk_free(&h.key);
	mbedtls_x509_crt_free(&h.cert);
	mbedtls_x509_crt_free(&h.ca);
	mbedtls_ssl_free(&h.ssl);
	mbedtls_ssl_config_free(&h.config);
	return err;
}
