/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mbedTLS asks for bytes and gives bytes through two buffers here; when one is empty, or full, it
 * says so, and goes on where it stood after they were carried.
 *
 * Of several faults of a chain the one is told that stands nearest to the server. An address in the
 * URL is compared with those of the certificate here, since mbedTLS 2.28 compares names only.
 */
#include "otlp/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#define NAMES_MAX 3 /* of a certificate, told */

/* What the verification said of one certificate of the chain. */
struct verdict {
	uint32_t flags;
	bool is_own_issuer;
	mbedtls_x509_time from, to;
	char issuer[80], subject[80];
};

struct otlp_tls {
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt ca, cert;
	mbedtls_pk_context key;
	char host[254];
	uint8_t addr[16]; /* of the host, if it is one */
	size_t addr_len; /* 0: it is a name */
	bool has_cert;
	bool is_over; /* the handshake */
	int rv; /* the failure, of mbedTLS; 0: none */
	uint8_t in[16384], out[32768];
	size_t in_at, in_len, out_at, out_len;
	uint8_t first[5]; /* that came */
	size_t first_len;
	struct verdict fault; /* nearest to the server */
	char names[80]; /* whom the server's certificate is for */
};

/* ---- bytes ---- */

static int send_some(void *ctx, const unsigned char *data, size_t len)
{
	struct otlp_tls *t = ctx;
	size_t room;

	if (t->out_at == t->out_len)
		t->out_at = t->out_len = 0;
	room = sizeof(t->out) - t->out_len;
	if (len > room)
		len = room;
	if (len == 0)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	memcpy(t->out + t->out_len, data, len);
	t->out_len += len;
	return (int)len;
}

static int recv_some(void *ctx, unsigned char *buf, size_t cap)
{
	struct otlp_tls *t = ctx;
	size_t len = t->in_len - t->in_at;

	if (len == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (len > cap)
		len = cap;
	memcpy(buf, t->in + t->in_at, len);
	t->in_at += len;
	return (int)len;
}

size_t otlp_tls_room(struct otlp_tls *t, uint8_t **at)
{
	if (t->in_at == t->in_len)
		t->in_at = t->in_len = 0;
	*at = t->in + t->in_len;
	return sizeof(t->in) - t->in_len;
}

void otlp_tls_received(struct otlp_tls *t, size_t len)
{
	for (size_t i = 0; i < len && t->first_len < sizeof(t->first); i++)
		t->first[t->first_len++] = t->in[t->in_len + i];
	t->in_len += len;
}

size_t otlp_tls_waiting(const struct otlp_tls *t, const uint8_t **at)
{
	*at = t->out + t->out_at;
	return t->out_len - t->out_at;
}

void otlp_tls_sent(struct otlp_tls *t, size_t len)
{
	t->out_at += len;
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

/* ---- certificates ---- */

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
static void list_names(struct otlp_tls *t, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_sequence *alt = &crt->subject_alt_names;
	size_t used = 0;

	if (!(crt->ext_types & MBEDTLS_X509_EXT_SUBJECT_ALT_NAME)) {
		for (const mbedtls_x509_name *n = &crt->subject; n; n = n->next)
			if (n->oid.len == 3 && !memcmp(n->oid.p, "\x55\x04\x03", 3)) /* CN */
				snprintf(t->names, sizeof(t->names), "%.*s", (int)n->val.len,
					 (const char *)n->val.p);
		return;
	}
	for (int i = 0; alt && alt->buf.p && used < sizeof(t->names); alt = alt->next) {
		char name[64];

		if (!name_text(&alt->buf, name, sizeof(name)))
			continue;
		if (i == NAMES_MAX) {
			snprintf(t->names + used, sizeof(t->names) - used, ", ...");
			return;
		}
		used += (size_t)snprintf(t->names + used, sizeof(t->names) - used, "%s%s",
					 i++ ? ", " : "", name);
	}
}

static bool has_address(const struct otlp_tls *t, const mbedtls_x509_crt *crt)
{
	for (const mbedtls_x509_sequence *alt = &crt->subject_alt_names; alt && alt->buf.p;
	     alt = alt->next)
		if ((alt->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
		    alt->buf.len == t->addr_len && !memcmp(alt->buf.p, t->addr, t->addr_len))
			return true;
	return false;
}

/* Called from the root down to the server's own: the last fault that it sees is kept. */
static int on_certificate(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct otlp_tls *t = ctx;
	struct verdict v = {.from = crt->valid_from, .to = crt->valid_to};

	if (depth == 0) {
		list_names(t, crt);
		if (t->addr_len && !has_address(t, crt))
			*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	}
	if (!*flags)
		return 0;
	v.flags = *flags;
	v.is_own_issuer = crt->issuer_raw.len == crt->subject_raw.len &&
			  !memcmp(crt->issuer_raw.p, crt->subject_raw.p, crt->issuer_raw.len);
	mbedtls_x509_dn_gets(v.issuer, sizeof(v.issuer), &crt->issuer);
	if (depth) /* else "the server's" says it */
		mbedtls_x509_dn_gets(v.subject, sizeof(v.subject), &crt->subject);
	t->fault = v;
	return 0;
}

/* ---- create ---- */

/* All files were tried before: what fails here fails for lack of memory. */
static int configure(struct otlp_tls *t, const struct otlp_tls_pem *pem)
{
	mbedtls_ssl_config *c = &t->config;

	if (mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
					MBEDTLS_SSL_PRESET_DEFAULT) ||
	    mbedtls_x509_crt_parse(&t->ca, (const uint8_t *)pem->ca, strlen(pem->ca) + 1))
		return -ENOMEM;
	mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_max_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
	mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_rng(c, random_bytes, NULL);
	mbedtls_ssl_conf_verify(c, on_certificate, t);
	mbedtls_ssl_conf_ca_chain(c, &t->ca, NULL);
	t->has_cert = pem->cert;
	if (pem->cert) {
		const uint8_t *cert = (const uint8_t *)pem->cert, *key = (const uint8_t *)pem->key;

		if (mbedtls_x509_crt_parse(&t->cert, cert, strlen(pem->cert) + 1) ||
		    mbedtls_pk_parse_key(&t->key, key, strlen(pem->key) + 1, NULL, 0) ||
		    mbedtls_ssl_conf_own_cert(c, &t->cert, &t->key))
			return -ENOMEM;
	}
	/* An address is no server name (RFC 6066); without one no name is compared, see above. */
	if (mbedtls_ssl_setup(&t->ssl, c) ||
	    mbedtls_ssl_set_hostname(&t->ssl, t->addr_len ? NULL : t->host))
		return -ENOMEM;
	mbedtls_ssl_set_bio(&t->ssl, t, send_some, recv_some, NULL);
	return 0;
}

int otlp_tls_create(struct otlp_tls **ret, const struct otlp_tls_pem *pem, const char *host)
{
	struct otlp_tls *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	mbedtls_ssl_init(&t->ssl);
	mbedtls_ssl_config_init(&t->config);
	mbedtls_x509_crt_init(&t->ca);
	mbedtls_x509_crt_init(&t->cert);
	mbedtls_pk_init(&t->key);
	snprintf(t->host, sizeof(t->host), "%s", host);
	if (inet_pton(AF_INET, host, t->addr) == 1)
		t->addr_len = 4;
	else if (inet_pton(AF_INET6, host, t->addr) == 1)
		t->addr_len = 16;
	if (configure(t, pem)) {
		otlp_tls_destroy(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void otlp_tls_destroy(struct otlp_tls *t)
{
	if (!t)
		return;
	mbedtls_ssl_free(&t->ssl);
	mbedtls_ssl_config_free(&t->config);
	mbedtls_x509_crt_free(&t->ca);
	mbedtls_x509_crt_free(&t->cert);
	mbedtls_pk_free(&t->key);
	free(t);
}

int otlp_tls_restart(struct otlp_tls *t)
{
	t->is_over = false;
	t->rv = 0;
	t->in_at = t->in_len = t->out_at = t->out_len = t->first_len = 0;
	t->fault = (struct verdict){0};
	t->names[0] = '\0';
	return mbedtls_ssl_session_reset(&t->ssl) ? -ENOMEM : 0;
}

/* ---- data ---- */

static int result(struct otlp_tls *t, int rv, size_t *ret_len)
{
	*ret_len = 0;
	if (t->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER)
		t->is_over = true;
	if (rv > 0) {
		*ret_len = (size_t)rv;
		return 0;
	}
	if (rv == MBEDTLS_ERR_SSL_WANT_READ || rv == MBEDTLS_ERR_SSL_WANT_WRITE)
		return -EAGAIN;
	if (rv == 0 || rv == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return -EPIPE;
	t->rv = rv;
	return -EKEYREJECTED;
}

int otlp_tls_write(struct otlp_tls *t, const uint8_t *data, size_t len, size_t *ret_len)
{
	return result(t, t->rv ? t->rv : mbedtls_ssl_write(&t->ssl, data, len), ret_len);
}

int otlp_tls_read(struct otlp_tls *t, uint8_t *buf, size_t cap, size_t *ret_len)
{
	return result(t, t->rv ? t->rv : mbedtls_ssl_read(&t->ssl, buf, cap), ret_len);
}

/* ---- words ---- */

static void explain_fault(const struct otlp_tls *t, char *text, size_t cap)
{
	const struct verdict *v = &t->fault;
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
		snprintf(text, cap, "the server's certificate is for %s%s, not for %s",
			 *t->names ? t->names : "no host name",
			 strcmp(t->names, t->host) ? "" : " as a name", t->host);
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

static void explain_failure(const struct otlp_tls *t, char *text, size_t cap)
{
	/* The server has asked for our certificate, and had it or not. */
	bool is_asked = t->ssl.client_auth;
	bool is_alert = t->rv == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
	int alert = is_alert ? t->ssl.in_msg[1] : -1;
	bool is_old = t->rv == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION ||
		      alert == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION;

	if (t->first_len == sizeof(t->first) && !memcmp(t->first, "HTTP/", 5))
		snprintf(text, cap, "the server speaks plain HTTP on this port, not TLS");
	else if (t->first_len >= 2 && t->first[1] != MBEDTLS_SSL_MAJOR_VERSION_3)
		snprintf(text, cap, "the server does not speak TLS on this port");
	else if (is_asked && !t->has_cert)
		snprintf(text, cap, "the server wants a client certificate, and none is given");
	else if (is_asked && (is_alert || !t->rv))
		snprintf(text, cap, "the server refuses our client certificate%s", refusal(alert));
	else if (is_old)
		snprintf(text, cap,
			 "the server does not speak TLS 1.2, the only version that can be used");
	else if (alert == MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME)
		snprintf(text, cap, "the server does not know the name %s", t->host);
	else if (is_alert)
		snprintf(text, cap,
			 "the server ended the TLS handshake (alert %d): no cipher or key in "
			 "common?",
			 alert);
	else if (!t->rv)
		snprintf(text, cap, "the server closed the connection during the TLS handshake");
	else
		snprintf(text, cap, "the TLS handshake failed (mbedTLS -0x%04x)", (unsigned)-t->rv);
}

int otlp_tls_explain(const struct otlp_tls *t, char *text, size_t cap)
{
	if (t->is_over)
		return -ENODATA;
	if (t->fault.flags)
		explain_fault(t, text, cap);
	else
		explain_failure(t, text, cap);
	return 0;
}
