/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The body is read here and not by the HTTP library, which would allocate whatever length the
 * server claims. The connection is kept only if the end of the answer was seen in it; after
 * anything doubtful it is closed.
 */
#include "otlp/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "otlp/chunked.h"
#include "otlp/gzip.h"
#include "otlp/http_profile.h"

#define READ_STEP 16384u

struct otlp_http {
	struct otlp_http_conn *conn;
	struct otlp_gzip *gzip; /* NULL: not needed so far */
};

/* What one attempt works with. */
struct exchange {
	struct otlp_http_conn *conn;
	struct otlp_http_message message;
	struct otlp_http_attempt *attempt;
	uint8_t *gzipped;
	const struct otlp_head *head; /* of the answer */
	uint8_t *body;
	size_t body_len, body_cap;
	bool is_too_large;
	bool keep; /* the connection can take another request */
};

/* ---- the answer ---- */

/* Whether the comma-separated list @value has the token @token. */
static bool has_token(const char *value, const char *token)
{
	while (value && *value) {
		size_t len;

		value += strspn(value, ", \t");
		len = strcspn(value, ", \t");
		if (len == strlen(token) && !strncasecmp(value, token, len))
			return true;
		value += len;
	}
	return false;
}

/* Reads what comes next behind the body so far, at most @max bytes. */
static int read_some(struct exchange *x, uint64_t max, size_t *ret_len)
{
	size_t cap = x->body_cap ? x->body_cap * 2 : READ_STEP, room;

	if (x->body_len == x->body_cap) {
		uint8_t *body;

		/* One byte more than the limit shows that it is passed. */
		if (cap > OTLP_HTTP_ANSWER_MAX + 1)
			cap = OTLP_HTTP_ANSWER_MAX + 1;
		body = realloc(x->body, cap);
		if (!body)
			return -ENOMEM;
		x->body = body;
		x->body_cap = cap;
	}
	room = x->body_cap - x->body_len;
	if (room > max)
		room = (size_t)max;
	return otlp_http_conn_read(x->conn, x->body + x->body_len, room, ret_len);
}

static int read_length(struct exchange *x, const char *value)
{
	size_t digits = strspn(value, "0123456789"), len;
	unsigned long long left = strtoull(value, NULL, 10); /* ULLONG_MAX if out of range */

	if (digits == 0)
		return -EPROTO;
	/* Said twice it may be, if both times the same. */
	for (const char *at = value + digits; *at; at += digits) {
		size_t gap = strspn(at, ", ");

		at += gap;
		if (gap == 0 || strncmp(at, value, digits) || (at[digits] && at[digits] != ','))
			return -EPROTO;
	}
	if (left > OTLP_HTTP_ANSWER_MAX) {
		x->is_too_large = true;
		return 0;
	}
	for (; left; left -= len, x->body_len += len) {
		int err = read_some(x, left, &len);

		if (err)
			return err;
	}
	x->keep = true;
	return 0;
}

static int read_chunks(struct exchange *x)
{
	struct otlp_chunked chunked;
	size_t len, payload, used;
	int err;

	otlp_chunked_init(&chunked);
	do {
		err = read_some(x, READ_STEP, &len);
		if (err)
			return err;
		err = otlp_chunked_feed(&chunked, x->body + x->body_len, len, &payload, &used);
		if (err < 0)
			return -EPROTO;
		x->body_len += payload;
		if (x->body_len > OTLP_HTTP_ANSWER_MAX) {
			x->is_too_large = true;
			return 0;
		}
	} while (err == 0);
	x->keep = used == len;
	return 0;
}

static int read_until_close(struct exchange *x)
{
	size_t len;

	do {
		int err = read_some(x, READ_STEP, &len);

		if (err)
			return err == -EPIPE ? 0 : err;
		x->body_len += len;
	} while (x->body_len <= OTLP_HTTP_ANSWER_MAX);
	x->is_too_large = true;
	return 0;
}

/* RFC 9112, section 6.3. */
static int read_body(struct exchange *x)
{
	const char *coding = otlp_head_field(x->head, OTLP_FIELD_TRANSFER_ENCODING);
	const char *length = otlp_head_field(x->head, OTLP_FIELD_CONTENT_LENGTH);
	const char *connection = otlp_head_field(x->head, OTLP_FIELD_CONNECTION);
	int err;

	if (x->head->status == 204 || x->head->status == 304) {
		x->keep = true;
		err = 0;
	} else if (coding) {
		/* Of any other coding the end cannot be found: judged by the status alone. */
		err = strcasecmp(coding, "chunked") ? 0 : read_chunks(x);
		if (length)
			x->keep = false;
	} else if (length) {
		err = read_length(x, length);
	} else {
		err = read_until_close(x);
	}
	if (has_token(connection, "close") ||
	    (!x->head->is_http11 && !has_token(connection, "keep-alive")))
		x->keep = false;
	return err;
}

/* ---- the request ---- */

/* Leaves the body as it is if there is no memory: the server takes both. */
static void compress_body(struct otlp_http *h, struct exchange *x)
{
	if (!h->gzip && otlp_gzip_create(&h->gzip))
		return;
	if (otlp_gzip_pack(h->gzip, x->message.data, x->message.size, &x->gzipped,
			   &x->message.size))
		return;
	x->message.data = x->gzipped;
	x->message.encoding = "gzip";
}

static int exchange_once(struct exchange *x)
{
	int err = 0;

	if (!otlp_http_conn_is_open(x->conn)) {
		err = otlp_http_conn_open(x->conn);
		if (!err)
			x->attempt->connects++;
	}
	if (!err)
		err = otlp_http_conn_post(x->conn, &x->message);
	if (!err)
		err = otlp_http_conn_read_head(x->conn, &x->head);
	return err;
}

static int exchange(struct exchange *x)
{
	bool is_reused = otlp_http_conn_is_open(x->conn);
	int err = exchange_once(x);
	/* Closed while it was idle, or filled with what belongs to no request. */
	bool is_stale =
		err ? !otlp_http_conn_is_answered(x->conn) && (err == -EPIPE || err == -EPROTO)
		    : x->head->status == 408; /* some say so before they close an idle one */

	if (is_reused && is_stale) {
		otlp_http_conn_close(x->conn);
		err = exchange_once(x);
	}
	if (err)
		return err;
	err = read_body(x);
	/* A final answer is final, however its explanation ends. */
	if (err && err != -ECANCELED && (x->head->status < 200 || x->head->status >= 300)) {
		x->body_len = 0;
		x->keep = false;
		err = 0;
	}
	return err;
}

static const char *failure_text(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "no answer in time";
	case -ECONNREFUSED:
		return "connection refused";
	case -EPIPE:
		return "the connection was closed before the answer was complete";
	case -EPROTO:
		return "the answer is not proper HTTP/1.1";
	case -EADDRNOTAVAIL:
		return "the host name cannot be resolved";
	case -EKEYREJECTED:
		return "the TLS connection was broken";
	case -ECANCELED:
		return "interrupted";
	default:
		return NULL;
	}
}

static void answer_failed(const struct exchange *x, int err, uint32_t timeout_ms)
{
	struct otlp_http_attempt *a = x->attempt;
	const char *text = failure_text(err);
	char buf[sizeof(a->answer.text)];

	a->answer = (struct otlp_answer){.kind = OTLP_ANSWER_RETRY};
	a->is_aborted = err == -ECANCELED;
	if (err == -ETIMEDOUT && timeout_ms) {
		snprintf(buf, sizeof(buf), "no answer within %g s", timeout_ms / 1000.0);
		text = buf;
	} else if ((err == -EKEYREJECTED || err == -EPIPE) &&
		   otlp_http_conn_explain(x->conn, buf, sizeof(buf)) == 0) {
		text = buf;
	} else if (!text) {
		text = strerror_r(-err, buf, sizeof(buf));
	}
	otlp_answer_set_text(&a->answer, text, strlen(text));
}

/* Nobody asked for a packed answer; but where it comes, it may name rejected items. */
static const char *unpack_body(struct exchange *x)
{
	const char *encoding = otlp_head_field(x->head, OTLP_FIELD_CONTENT_ENCODING);
	uint8_t *body;
	int err;

	if (x->is_too_large || !encoding || x->body_len == 0 ||
	    (strcasecmp(encoding, "gzip") && strcasecmp(encoding, "x-gzip")))
		return encoding;
	err = otlp_gzip_unpack(x->body, x->body_len, OTLP_HTTP_ANSWER_MAX, &body, &x->body_len);
	if (err) {
		x->is_too_large = err == -EMSGSIZE;
		return encoding;
	}
	free(x->body);
	x->body = body;
	return NULL;
}

static void answer_read(struct exchange *x)
{
	struct otlp_answer *ret = &x->attempt->answer;
	struct otlp_response r = {
		.status = x->head->status,
		.content_type = otlp_head_field(x->head, OTLP_FIELD_CONTENT_TYPE),
		.content_encoding = unpack_body(x),
		.retry_after = otlp_head_field(x->head, OTLP_FIELD_RETRY_AFTER),
		.location = otlp_head_field(x->head, OTLP_FIELD_LOCATION),
	};

	if (x->is_too_large) {
		*ret = (struct otlp_answer){.kind = OTLP_ANSWER_REFUSED, .status = r.status};
		snprintf(ret->text, sizeof(ret->text), "the answer is larger than %u MiB",
			 OTLP_HTTP_ANSWER_MAX >> 20);
		return;
	}
	r.body = x->body;
	r.len = x->body_len;
	otlp_answer_read(ret, &r, time(NULL));
}

void otlp_http_post(struct otlp_http *h, const struct otlp_http_profile *p, const uint8_t *data,
		    size_t size, struct otlp_http_attempt *ret)
{
	struct exchange x = {
		.conn = h->conn,
		.message = {.path = p->path,
			    .headers = p->headers,
			    .headers_len = p->headers_len,
			    .data = data,
			    .size = size},
		.attempt = ret,
	};
	int err;

	*ret = (struct otlp_http_attempt){0};
	if (p->gzip)
		compress_body(h, &x);
	ret->sent_bytes = x.message.size;
	otlp_http_conn_set_timeout(h->conn, p->timeout_ms);
	err = exchange(&x);
	if (err) {
		otlp_http_conn_close(h->conn);
		answer_failed(&x, err, p->timeout_ms);
	} else {
		answer_read(&x);
		if (x.keep)
			otlp_http_conn_release(h->conn);
		else
			otlp_http_conn_close(h->conn);
	}
	free(x.gzipped);
	free(x.body);
}

void otlp_http_abort(struct otlp_http *h)
{
	otlp_http_conn_abort(h->conn);
}

/* ---- create, destroy ---- */

int otlp_http_create(struct otlp_http **ret, const struct otlp_http_opts *opts, const char **why)
{
	struct otlp_tls_files files = {opts->ca_file, opts->cert_file, opts->key_file};
	struct otlp_http *h = calloc(1, sizeof(*h));
	int err;

	*why = "out of memory";
	if (!h)
		return -ENOMEM;
	err = otlp_http_conn_create(&h->conn, opts->url, &files, why);
	if (err)
		goto fail;
	*ret = h;
	return 0;
fail:
	otlp_http_destroy(h);
	return err;
}

void otlp_http_destroy(struct otlp_http *h)
{
	if (!h)
		return;
	otlp_http_conn_destroy(h->conn);
	otlp_gzip_destroy(h->gzip);
	free(h);
}
