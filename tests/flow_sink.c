/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow_sink - an OTLP/HTTP receiver on 127.0.0.1 that takes more spans than a script can,
 * and says at the end whether a flow came twice.
 *
 * Prints "listening on ADDRESS:PORT". Spans are read by a decoder of its own. At SIGTERM it prints
 * one line of what came:
 *   spans, roots    spans at all, and those without a parent
 *   traces, ids     distinct trace ids, and distinct pairs of trace and span id
 *   tuples          distinct source addresses and ports
 *   most, least     packets of a tuple, over all its final spans
 *   repeated        tuples with more than one root
 *   packets, bytes  the sums over all spans that end a flow
 *   guessed         of packets in those of packet mode, the estimates
 *   incomplete      spans of flows whose totals are a lower bound
 *   unread          bodies that could not be read
 */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 8192
#define BODY_MAX (16u << 20)
#define ADDRESS_MAX 40

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
			     "Content-Length: 0\r\n\r\n";

struct seen {
	uint8_t trace[16];
	uint8_t span[8];
	char source[ADDRESS_MAX];
	uint32_t port;
	bool is_root, is_incomplete, is_end;
	uint64_t packets, bytes, guessed;
};

struct sink {
	pthread_mutex_t lock; /* guards all that follows */
	struct seen *spans;
	size_t len, cap;
	uint64_t unread;
};

/* What is left of a message, and the field at hand. */
struct pb {
	const uint8_t *at, *end;
	uint32_t field;
	uint64_t number;
	const uint8_t *bytes; /* NULL: not of this kind */
	size_t len;
	bool is_bad;
};

/* ---- protobuf ---- */

static uint64_t pb_varint(struct pb *p)
{
	uint64_t value = 0;
	unsigned shift;

	for (shift = 0; shift < 64 && p->at < p->end; shift += 7) {
		value |= (uint64_t)(*p->at & 0x7f) << shift;
		if (!(*p->at++ & 0x80))
			return value;
	}
	p->is_bad = true;
	return 0;
}

static bool pb_next(struct pb *p)
{
	uint64_t tag, skip = 0;

	if (p->is_bad || p->at >= p->end)
		return false;
	tag = pb_varint(p);
	p->field = (uint32_t)(tag >> 3);
	p->bytes = NULL;
	p->number = p->len = 0;
	switch (tag & 7) {
	case 0:
		p->number = pb_varint(p);
		break;
	case 1:
		skip = 8;
		break;
	case 2:
		skip = pb_varint(p);
		p->bytes = p->at;
		p->len = skip;
		break;
	case 5:
		skip = 4;
		break;
	default:
		p->is_bad = true;
	}
	if (skip > (uint64_t)(p->end - p->at))
		p->is_bad = true;
	else
		p->at += skip;
	return !p->is_bad;
}

static struct pb pb_of(const struct pb *p)
{
	return (struct pb){.at = p->bytes, .end = p->bytes + p->len};
}

static bool pb_is(const struct pb *p, const char *text)
{
	return p->bytes && p->len == strlen(text) && !memcmp(p->bytes, text, p->len);
}

/* ---- spans ---- */

static void read_attribute(struct seen *s, struct pb key, struct pb value)
{
	while (pb_next(&value)) {
		if (pb_is(&key, "source.address") && value.len < ADDRESS_MAX)
			memcpy(s->source, value.bytes, value.len);
		else if (pb_is(&key, "source.port"))
			s->port = (uint32_t)value.number;
		else if (pb_is(&key, "flow.packets.total") ||
			 pb_is(&key, "flow.reverse.packets.total"))
			s->packets += value.number;
		else if (pb_is(&key, "flow.bytes.total") || pb_is(&key, "flow.reverse.bytes.total"))
			s->bytes += value.number;
		else if (pb_is(&key, "flow.packets.estimated") ||
			 pb_is(&key, "flow.reverse.packets.estimated"))
			s->guessed += value.number;
		else if (pb_is(&key, "flow.incomplete"))
			s->is_incomplete = value.number;
		else if (pb_is(&key, "flow.end_reason"))
			s->is_end = !pb_is(&value, "active timeout");
	}
}

/* False: it cannot be read. */
static bool read_span(struct seen *s, struct pb span)
{
	struct pb key, value, pair;

	*s = (struct seen){.is_root = true};
	while (pb_next(&span)) {
		if (span.field == 1 && span.len == sizeof(s->trace))
			memcpy(s->trace, span.bytes, sizeof(s->trace));
		if (span.field == 2 && span.len == sizeof(s->span))
			memcpy(s->span, span.bytes, sizeof(s->span));
		if (span.field == 4 && span.len)
			s->is_root = false;
		if (span.field != 9)
			continue;
		key = value = (struct pb){};
		pair = pb_of(&span);
		while (pb_next(&pair)) {
			if (pair.field == 1)
				key = pair;
			else if (pair.field == 2)
				value = pb_of(&pair);
		}
		read_attribute(s, key, value);
	}
	return !span.is_bad;
}

static void sink_add(struct sink *sink, const struct seen *s)
{
	if (sink->len == sink->cap) {
		sink->cap = sink->cap ? 2 * sink->cap : 4096;
		sink->spans = realloc(sink->spans, sink->cap * sizeof(*sink->spans));
		if (!sink->spans)
			err(EXIT_FAILURE, "spans");
	}
	sink->spans[sink->len++] = *s;
}

/* A request is resource spans, which hold scope spans, which hold spans. */
static void sink_read(struct sink *sink, const uint8_t *body, size_t len)
{
	struct pb request = {.at = body, .end = body + len}, resource, scope;
	struct seen s;

	pthread_mutex_lock(&sink->lock);
	while (pb_next(&request)) {
		resource = pb_of(&request);
		while (request.field == 1 && pb_next(&resource)) {
			scope = pb_of(&resource);
			while (resource.field == 2 && pb_next(&scope))
				if (scope.field == 2 && read_span(&s, pb_of(&scope)))
					sink_add(sink, &s);
			request.is_bad |= scope.is_bad;
		}
		request.is_bad |= resource.is_bad;
	}
	sink->unread += request.is_bad;
	pthread_mutex_unlock(&sink->lock);
}

static int by_id(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = memcmp(x->trace, y->trace, sizeof(x->trace));

	return order ? order : memcmp(x->span, y->span, sizeof(x->span));
}

static int by_tuple(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = strcmp(x->source, y->source);

	return order ? order : (x->port > y->port) - (x->port < y->port);
}

static void sink_print(struct sink *sink)
{
	uint64_t roots = 0, traces = 0, ids = 0, tuples = 0, repeated = 0, packets = 0,
		 incomplete = 0, bytes = 0, guessed = 0;
	uint64_t most = 0, least = UINT64_MAX, sum, its_roots;
	struct seen *s = sink->spans;
	size_t i, j;

	qsort(s, sink->len, sizeof(*s), by_id);
	for (i = 0; i < sink->len; i++) {
		traces += !i || memcmp(s[i - 1].trace, s[i].trace, sizeof(s->trace));
		ids += !i || by_id(&s[i - 1], &s[i]);
	}
	qsort(s, sink->len, sizeof(*s), by_tuple);
	for (i = 0; i < sink->len; i = j) {
		for (sum = its_roots = 0, j = i; j < sink->len && !by_tuple(&s[i], &s[j]); j++) {
			sum += s[j].is_end ? s[j].packets : 0;
			its_roots += s[j].is_root;
			incomplete += s[j].is_incomplete;
			bytes += s[j].is_end ? s[j].bytes : 0;
			guessed += s[j].is_end ? s[j].guessed : 0;
		}
		tuples++;
		roots += its_roots;
		repeated += its_roots > 1;
		packets += sum;
		most = sum > most ? sum : most;
		least = sum < least ? sum : least;
	}
	printf("spans=%zu roots=%lu traces=%lu ids=%lu tuples=%lu most=%lu least=%lu repeated=%lu "
	       "packets=%lu incomplete=%lu bytes=%lu guessed=%lu unread=%lu\n",
	       sink->len, roots, traces, ids, tuples, most, tuples ? least : 0, repeated, packets,
	       incomplete, bytes, guessed, sink->unread);
}

/* ---- HTTP ---- */

static struct sink the_sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char traces[] = "POST /v1/traces ";

/* Reads a head into @head, with what came behind it. The size of the body, or -1 at the end;
 * *ret_body is what there is of it. */
static long long read_head(int fd, char *head, const char **ret_body, size_t *ret_len)
{
	char *end, *length;
	size_t len = 0;
	ssize_t n;

	do {
		n = recv(fd, head + len, HEAD_MAX - len, 0);
		if (n <= 0)
			return -1;
		len += (size_t)n;
		head[len] = '\0';
		end = strstr(head, "\r\n\r\n");
	} while (!end && len < HEAD_MAX);
	if (!end)
		return -1;
	*ret_body = end + 4;
	*ret_len = len - (size_t)(end + 4 - head);
	*end = '\0';
	length = strcasestr(head, "\r\nContent-Length:");
	return length ? atoll(length + strlen("\r\nContent-Length:")) : 0;
}

static void *serve(void *arg)
{
	uint8_t *body = malloc(BODY_MAX);
	int fd = (int)(intptr_t)arg;
	char head[HEAD_MAX + 1];
	const char *begun;
	long long size;
	size_t got;
	ssize_t n;

	while (body && (size = read_head(fd, head, &begun, &got)) >= 0) {
		if (size > BODY_MAX || got > (size_t)size)
			break;
		memcpy(body, begun, got);
		for (; got < (size_t)size; got += (size_t)n) {
			n = recv(fd, body + got, (size_t)size - got, 0);
			if (n <= 0)
				goto out;
		}
		if (!strncmp(head, traces, strlen(traces)))
			sink_read(&the_sink, body, (size_t)size);
		if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
			break;
	}
out:
	free(body);
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;
	pthread_t thread;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
			err(EXIT_FAILURE, "accept");
		pthread_detach(thread);
	}
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), taken;
	socklen_t len = sizeof(address);
	pthread_t thread;
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 16) || getsockname(listener, (struct sockaddr *)&address, &len) ||
	    pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener))
		err(EXIT_FAILURE, "no server on 127.0.0.1");
	printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
	fflush(stdout);
	sigwait(&ends, &taken);
	pthread_mutex_lock(&the_sink.lock);
	sink_print(&the_sink);
	fflush(stdout);
	_exit(EXIT_SUCCESS); /* as other threads are still there */
}
