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
#include <zlib.h>

#include "otlp/chunked.h"

#define USER_AGENT "OTel-OTLP-Exporter-C/0.1.0"
#define READ_STEP 16384u
#define OWN_HEADERS 3

struct otlp_http {
	struct otlp_http_conn *conn;
	struct otlp_http_header *headers; /* OWN_HEADERS places, then the caller's; strings owned */
	size_t headers_len; /* of the caller's */
	char *user_agent;
	z_stream gzip;
	bool has_gzip;
};

/* What one attempt works with. */
struct exchange {
	struct otlp_http_conn *conn;
	struct otlp_http_message message;
	struct otlp_http_attempt *attempt;
	uint8_t *gzipped;
	unsigned status;
	bool is_begun; /* some of the answer came */
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

	if (digits == 0 || value[digits] != '\0')
		return -EPROTO;
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
	const char *coding = otlp_http_conn_header(x->conn, "Transfer-Encoding");
	const char *length = otlp_http_conn_header(x->conn, "Content-Length");
	const char *connection = otlp_http_conn_header(x->conn, "Connection");
	int err;

	if (x->status == 204 || x->status == 304) {
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
	    (!otlp_http_conn_is_http11(x->conn) && !has_token(connection, "keep-alive")))
		x->keep = false;
	return err;
}

/* ---- the request ---- */

/* Leaves the body as it is if there is no memory: the server takes both. */
static void compress_body(struct otlp_http *h, struct exchange *x)
{
	size_t cap;

	if (!h->has_gzip || x->message.size > UINT32_MAX / 2)
		return;
	deflateReset(&h->gzip); /* before the bound, which depends on the state */
	cap = deflateBound(&h->gzip, x->message.size);
	x->gzipped = malloc(cap);
	if (!x->gzipped)
		return;
	h->gzip.next_in = (Bytef *)(uintptr_t)x->message.data;
	h->gzip.avail_in = (uInt)x->message.size;
	h->gzip.next_out = x->gzipped;
	h->gzip.avail_out = (uInt)cap;
	if (deflate(&h->gzip, Z_FINISH) != Z_STREAM_END)
		return;
	x->message.data = x->gzipped;
	x->message.size = h->gzip.total_out;
}

static void set_headers(struct otlp_http *h, struct exchange *x)
{
	size_t own = 0;

	h->headers[own++] = (struct otlp_http_header){"Content-Type", "application/x-protobuf"};
	if (x->message.data == x->gzipped)
		h->headers[own++] = (struct otlp_http_header){"Content-Encoding", "gzip"};
	else /* keeps the places filled; of the same name the last counts */
		h->headers[own++] = (struct otlp_http_header){"User-Agent", h->user_agent};
	h->headers[own++] = (struct otlp_http_header){"User-Agent", h->user_agent};
	x->message.headers = h->headers;
	x->message.headers_len = own + h->headers_len;
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
		err = otlp_http_conn_read_head(x->conn, &x->status, &x->is_begun);
	return err;
}

static int exchange(struct exchange *x)
{
	bool is_reused = otlp_http_conn_is_open(x->conn);
	int err = exchange_once(x);

	/* Closed while it was idle, or filled with what belongs to no request. */
	if (is_reused && !x->is_begun && (err == -EPIPE || err == -EPROTO)) {
		otlp_http_conn_close(x->conn);
		err = exchange_once(x);
	}
	if (err)
		return err;
	err = read_body(x);
	/* A final answer is final, however its explanation ends. */
	if (err && err != -ECANCELED && (x->status < 200 || x->status >= 300)) {
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
		return "TLS failed: the certificate is not trusted or not for this host, or the "
		       "server speaks no TLS 1.2";
	case -ECANCELED:
		return "interrupted";
	default:
		return NULL;
	}
}

static void answer_failed(struct otlp_http_attempt *a, int err, uint32_t timeout_ms)
{
	struct otlp_answer *ret = &a->answer;
	const char *text = failure_text(err);
	char buf[128];

	*ret = (struct otlp_answer){.kind = OTLP_ANSWER_RETRY};
	a->is_aborted = err == -ECANCELED;
	if (err == -ETIMEDOUT && timeout_ms) {
		snprintf(buf, sizeof(buf), "no answer within %g s", timeout_ms / 1000.0);
		text = buf;
	} else if (!text) {
		text = strerror_r(-err, buf, sizeof(buf));
	}
	otlp_answer_set_text(ret, text, strlen(text));
}

static void answer_read(struct exchange *x)
{
	struct otlp_answer *ret = &x->attempt->answer;
	struct otlp_response r = {
		.status = x->status,
		.content_type = otlp_http_conn_header(x->conn, "Content-Type"),
		.content_encoding = otlp_http_conn_header(x->conn, "Content-Encoding"),
		.retry_after = otlp_http_conn_header(x->conn, "Retry-After"),
		.body = x->body,
		.len = x->body_len,
	};

	if (x->is_too_large) {
		*ret = (struct otlp_answer){.kind = OTLP_ANSWER_REFUSED, .status = r.status};
		snprintf(ret->text, sizeof(ret->text), "the answer is larger than %u MiB",
			 OTLP_HTTP_ANSWER_MAX >> 20);
		return;
	}
	otlp_answer_read(ret, &r, time(NULL));
}

void otlp_http_post(struct otlp_http *h, const struct otlp_http_request *r,
		    struct otlp_http_attempt *ret)
{
	struct exchange x = {
		.conn = h->conn,
		.message = {.path = r->path, .data = r->data, .size = r->size},
		.attempt = ret,
	};
	int err;

	*ret = (struct otlp_http_attempt){0};
	compress_body(h, &x);
	set_headers(h, &x);
	ret->sent_bytes = x.message.size;
	otlp_http_conn_set_timeout(h->conn, r->timeout_ms);
	err = exchange(&x);
	if (err)
		answer_failed(ret, err, r->timeout_ms);
	else
		answer_read(&x);
	if (err || !x.keep)
		otlp_http_conn_close(h->conn);
	free(x.gzipped);
	free(x.body);
}

void otlp_http_abort(struct otlp_http *h)
{
	otlp_http_conn_abort(h->conn);
}

/* ---- create, destroy ---- */

static const char *header_fault(const struct otlp_http_header *header)
{
	static const char *const own[] = {"Host",
					  "Content-Type",
					  "Content-Length",
					  "Content-Encoding",
					  "Transfer-Encoding",
					  "Connection",
					  "Expect",
					  "Upgrade",
					  "TE",
					  "Accept-Encoding"};
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!*header->name || header->name[strspn(header->name, token)])
		return "a header name is empty or has a character that cannot be in one";
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcasecmp(header->name, own[i]))
			return "a header is one of those that the exporter sees to itself (Host, "
			       "Content-Type, Connection, ...)";
	for (const unsigned char *c = (const unsigned char *)header->value; *c; c++)
		if ((*c < ' ' && *c != '\t') || *c == 0x7f)
			return "a header value has a line break or another control character";
	return NULL;
}

static int copy_headers(struct otlp_http *h, const struct otlp_http_opts *opts, const char **why)
{
	struct otlp_http_header agent = {"User-Agent", h->user_agent};

	h->headers = calloc(OWN_HEADERS + opts->headers_len, sizeof(*h->headers));
	if (!h->headers)
		return -ENOMEM;
	*why = header_fault(&agent);
	for (size_t i = 0; i < opts->headers_len && !*why; i++) {
		struct otlp_http_header *copy = &h->headers[OWN_HEADERS + i];

		*why = header_fault(&opts->headers[i]);
		if (*why)
			break;
		h->headers_len++;
		copy->name = strdup(opts->headers[i].name);
		copy->value = strdup(opts->headers[i].value);
		if (!copy->name || !copy->value)
			return -ENOMEM;
	}
	return *why ? -EINVAL : 0;
}

int otlp_http_create(struct otlp_http **ret, const struct otlp_http_opts *opts, const char **why)
{
	struct otlp_http *h = calloc(1, sizeof(*h));
	int err = -ENOMEM;

	*why = "out of memory";
	if (!h)
		return -ENOMEM;
	h->user_agent = strdup(opts->user_agent ? opts->user_agent : USER_AGENT);
	if (!h->user_agent)
		goto fail;
	err = copy_headers(h, opts, why);
	if (err)
		goto fail;
	err = otlp_http_conn_create(&h->conn, opts->url, opts->ca_file, why);
	if (err)
		goto fail;
	if (opts->gzip) {
		/* Level 1 takes off nine tenths of such bodies at a third of the default's cost. */
		h->has_gzip = deflateInit2(&h->gzip, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8,
					   Z_DEFAULT_STRATEGY) == Z_OK;
		if (!h->has_gzip) {
			err = -ENOMEM;
			goto fail;
		}
	}
	*ret = h;
	return 0;
fail:
	otlp_http_destroy(h);
	return err;
}

static void free_secret(const char *secret)
{
	char *own = (char *)(uintptr_t)secret;

	if (own)
		explicit_bzero(own, strlen(own));
	free(own);
}

void otlp_http_destroy(struct otlp_http *h)
{
	if (!h)
		return;
	otlp_http_conn_destroy(h->conn);
	if (h->has_gzip)
		deflateEnd(&h->gzip);
	for (size_t i = 0; i < h->headers_len; i++) {
		free((char *)(uintptr_t)h->headers[OWN_HEADERS + i].name);
		free_secret(h->headers[OWN_HEADERS + i].value);
	}
	free(h->headers);
	free(h->user_agent);
	free(h);
}
