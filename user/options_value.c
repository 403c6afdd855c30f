/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/options_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/log.h"
#include "user/options_secret.h"

#define SAMPLE_N_MAX                                                                               \
	2147483648u /* 2^31: below that the threshold keeps four significant digits                \
		     */
#define RING_BYTES_MAX (1u << 30)

static int refuse(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, OPTIONS_WHY_CAP, fmt, args);
	va_end(args);
	return -EINVAL;
}

/* Digits at @text, saturating; returns what follows them, NULL if there are none. */
static const char *parse_digits(const char *text, uint64_t *ret)
{
	const char *p = text;
	uint64_t v = 0;

	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			v = UINT64_MAX;
	*ret = v;
	return p == text ? NULL : p;
}

int options_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret, char *why)
{
	const char *end;
	uint64_t v;

	end = parse_digits(text, &v);
	if (!end || *end)
		return refuse(why, "not a whole number: give one from %" PRIu64 " to %" PRIu64, min,
			      max);
	if (v < min || v > max)
		return refuse(why, "out of range: give a number from %" PRIu64 " to %" PRIu64, min,
			      max);
	*ret = v;
	return 0;
}

int options_value_seconds(const char *text, uint32_t min_ms, uint32_t max_ms, uint32_t *ret_ms,
			  char *why)
{
	uint64_t whole = 0, part = 0;
	const char *p, *dot;

	p = parse_digits(text, &whole);
	if (p && *p == '.') {
		dot = p;
		p = parse_digits(dot + 1, &part);
		if (p && p - dot > 4)
			return refuse(why, "finer than a millisecond: give at most three decimals");
		for (; p && p - dot < 4; dot--)
			part *= 10;
	}
	if (!p || *p)
		return refuse(why,
			      "not a number of seconds: give one from %.10g to %.10g, as 10 or 0.5",
			      min_ms / 1e3, max_ms / 1e3);
	if (whole > max_ms / 1000 || whole * 1000 + part > max_ms || whole * 1000 + part < min_ms)
		return refuse(why, "out of range: give %.10g to %.10g seconds", min_ms / 1e3,
			      max_ms / 1e3);
	*ret_ms = (uint32_t)(whole * 1000 + part);
	return 0;
}

/* Digits with a unit or without, saturating; false: something else. */
static bool parse_bytes(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *end, *unit;

	end = parse_digits(text, ret);
	if (!end || !*end)
		return end;
	unit = strchr(units, toupper((unsigned char)*end));
	if (!unit || end[1])
		return false;
	if (__builtin_mul_overflow(*ret, 1ULL << (10 * (unit - units + 1)), ret))
		*ret = UINT64_MAX;
	return true;
}

int options_value_ring(const char *text, uint32_t *ret_bytes, char *why)
{
	long page = sysconf(_SC_PAGESIZE);
	uint64_t v;

	if (!parse_bytes(text, &v))
		return refuse(why, "not a size: give bytes, or a number with K, M or G, as 4M");
	if (v < (uint64_t)page || v > RING_BYTES_MAX || (v & (v - 1)))
		return refuse(why, "a ring is a power of two from %ld bytes to 1G, as 1M, 4M, 16M",
			      page);
	*ret_bytes = (uint32_t)v;
	return 0;
}

/* "1M", for a number that is a whole one of them. */
static void bytes_text(uint64_t bytes, char text[32])
{
	static const char *const units[] = {"", "K", "M", "G", "T"};
	size_t u = 0;

	for (; bytes % 1024 == 0 && bytes && u < 4; u++)
		bytes /= 1024;
	snprintf(text, 32, "%" PRIu64 "%s", bytes, units[u]);
}

int options_value_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes, char *why)
{
	char low[32], high[32];
	uint64_t v;

	bytes_text(min, low);
	bytes_text(max, high);
	if (!parse_bytes(text, &v))
		return refuse(why,
			      "not a size: give bytes, or a number with K, M or G, from %s to "
			      "%s",
			      low, high);
	if (v < min || v > max)
		return refuse(why, "out of range: give %s to %s", low, high);
	*ret_bytes = v;
	return 0;
}

/* "50%" → 2, if that is one flow in a whole number. */
static int parse_percentage(const char *text, uint64_t *ret_n, char *why)
{
	size_t digits = strspn(text, "0123456789");
	size_t len = digits;
	double percent, n, below;

	if (text[len] == '.')
		len += 1 + strspn(text + len + 1, "0123456789");
	if (!digits || strcmp(text + len, "%"))
		return refuse(why,
			      "not a percentage: give 1/N, or a percentage such as 50%% or 0.1%%");
	percent = strtod(text, NULL);
	if (percent <= 0)
		return refuse(why, "would keep nothing: give 1/N, or a percentage above 0%%");
	if (percent > 100)
		return refuse(why, "more than every flow: give at most 100%%, which is 1/1");
	n = 100 / percent;
	if (n > SAMPLE_N_MAX)
		return refuse(why, "too little: the smallest share is 1/%u", SAMPLE_N_MAX);
	if (fabs(n - round(n)) > 1e-9 * n) {
		below = floor(n);
		return refuse(
			why,
			"not one flow in a whole number: give 1/%.0f (%.4g%%) or 1/%.0f (%.4g%%)",
			below, 100 / below, below + 1, 100 / (below + 1));
	}
	*ret_n = (uint64_t)llround(n);
	return 0;
}

int options_parse_sample(const char *text, uint64_t *ret_n, char why[OPTIONS_WHY_CAP])
{
	uint64_t share, n;
	const char *p;

	if (*text && text[strlen(text) - 1] == '%')
		return parse_percentage(text, ret_n, why);
	p = parse_digits(text, &share);
	if (p && *p == '\0' && share > 0)
		return refuse(why, "not a share: for one flow in %" PRIu64 " give 1/%" PRIu64,
			      share, share);
	if (!p || *p != '/')
		return refuse(why,
			      "not a share: give 1/N, such as 1/100, a percentage such as 1%%, or auto");
	p = parse_digits(p + 1, &n);
	if (!p || *p)
		return refuse(why, "N is not a whole number: give 1/N, N from 1 to %u",
			      SAMPLE_N_MAX);
	if (share != 1)
		return refuse(why, "only one flow in N can be kept: give 1/N, N from 1 to %u",
			      SAMPLE_N_MAX);
	if (n < 1 || n > SAMPLE_N_MAX)
		return refuse(why, "N is out of range: give 1/N, N from 1 to %u", SAMPLE_N_MAX);
	*ret_n = n;
	return 0;
}

/*
 * OpenTelemetry, "TraceState: Probability Sampling", rejection threshold: of the 56 bits of
 * T = 2^56 (1 - 1/N) four hexadecimal digits are kept after the leading f digits, so that the
 * adjusted count stays good to four digits however rare the flow. The rounded T decides.
 */
void options_sample_threshold(uint64_t n, uint64_t *ret_threshold, char ret_th[15])
{
	const uint64_t one = 1ULL << 56;
	uint64_t t = one - (one + n / 2) / n;
	int digits = 4, shift, end = 14;

	for (shift = 52; shift >= 0 && (t >> shift & 0xf) == 0xf; shift -= 4)
		digits++;
	if (digits < 14) {
		shift = 56 - 4 * digits;
		t = (t + (1ULL << (shift - 1))) >> shift << shift;
	}
	*ret_threshold = t;
	snprintf(ret_th, 15, "%014" PRIx64, t);
	while (end > 1 && ret_th[end - 1] == '0')
		ret_th[--end] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int options_value_site_key(const char *path, uint64_t ret[4], char *why)
{
	uint64_t key[4] = {0};
	char text[72];
	struct stat st;
	ssize_t len;
	int fd, err = 0, i;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse(why, "cannot open the file: %s", strerror(errno));
	len = fstat(fd, &st) ? -1 : read(fd, text, sizeof(text));
	if (len < 0) {
		err = refuse(why, "cannot read the file: %s", strerror(errno));
		goto out;
	}
	if (len > 64 && text[len - 1] == '\n')
		len--;
	for (i = 0; len == 64 && i < 64 && hex_digit(text[i]) >= 0; i++)
		key[i / 16] = key[i / 16] << 4 | (uint64_t)hex_digit(text[i]);
	if (len != 64 || i != 64) {
		err = refuse(why,
			     "the file must hold 64 hexadecimal digits and nothing else: make one "
			     "with: openssl rand -hex 32");
		goto out;
	}
	options_secret_check_mode("site key", path, st.st_mode,
				  "who has it can tell which flows are kept");
	memcpy(ret, key, sizeof(key));
out:
	explicit_bzero(text, sizeof(text));
	explicit_bzero(key, sizeof(key));
	close(fd);
	return err;
}

/* [host] and :port of a URL; @len bytes at @text. */
static int check_authority(const char *text, size_t len, char *why)
{
	char host[256];
	struct in6_addr addr;
	const char *p;
	uint64_t port;
	size_t n;

	if (memchr(text, '@', len))
		return refuse(
			why,
			"a user and password in the URL are not supported: send an Authorization "
			"header (OTEL_EXPORTER_OTLP_HEADERS; for further endpoints "
			"RINGSPAN_OTLP_<k>_HEADERS)");
	n = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":/?");
	if (n == 0 || len == 0)
		return refuse(why, "no host: give http://HOST:PORT");
	if (n > len || n >= sizeof(host))
		return refuse(why, "the host is not a name or address: give http://HOST:PORT");
	memcpy(host, text, n);
	host[n] = '\0';
	if (*host == '[') {
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &addr) != 1)
			return refuse(why, "not an IPv6 address between the brackets: give "
					   "http://[ADDRESS]:PORT");
	} else {
		for (p = host; *p; p++)
			if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
				return refuse(why, "the host is not a name or address: give "
						   "http://HOST:PORT");
	}
	if (n == len)
		return 0;
	p = text[n] == ':' ? parse_digits(text + n + 1, &port) : NULL;
	if (p != text + len || port < 1 || port > 65535)
		return refuse(why,
			      "the port is not a number from 1 to 65535: give http://HOST:PORT");
	return 0;
}

int options_value_url(const char *url, bool has_query, char *why)
{
	const char *p, *host;

	for (p = url; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return refuse(why,
				      "spaces and characters beyond ASCII must be percent-encoded");
	if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8))
		return refuse(why, strstr(url, "://") ? "only http:// and https:// are supported"
						      : "no scheme: give http://HOST:PORT");
	host = strstr(url, "://") + 3;
	if (strchr(url, '#') || (!has_query && strchr(url, '?')))
		return refuse(
			why,
			"a query or fragment does not belong here: give http://HOST:PORT/PATH");
	return check_authority(host, strcspn(host, "/?"), why);
}

struct place {
	bool is_tls;
	const char *host, *path;
	size_t host_len, path_len;
	uint64_t port;
};

static struct place place_of(const char *url)
{
	struct place p = {.is_tls = !strncasecmp(url, "https:", 6)};

	p.host = strstr(url, "://") + 3;
	p.path = p.host + strcspn(p.host, "/");
	p.host_len = *p.host == '[' ? strcspn(p.host, "]") + 1 : strcspn(p.host, ":/");
	p.port = p.is_tls ? 443 : 80;
	if (p.host[p.host_len] == ':')
		parse_digits(p.host + p.host_len + 1, &p.port);
	for (p.path_len = strlen(p.path); p.path_len && p.path[p.path_len - 1] == '/';)
		p.path_len--;
	return p;
}

bool options_value_url_same(const char *a, const char *b)
{
	struct place p = place_of(a), q = place_of(b);

	return p.is_tls == q.is_tls && p.port == q.port && p.host_len == q.host_len &&
	       !strncasecmp(p.host, q.host, p.host_len) && p.path_len == q.path_len &&
	       !memcmp(p.path, q.path, p.path_len);
}

const char *options_value_url_shown(const char *url, char buf[OPTIONS_URL_SHOWN_CAP])
{
	if (strchr(url, '@'))
		return "…";
	snprintf(buf, OPTIONS_URL_SHOWN_CAP, "%.*s", (int)strcspn(url, "?#"), url);
	return buf;
}

int options_value_percent_decode(char *text)
{
	char *out = text;
	int hi, lo;

	for (; *text; text++) {
		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		hi = hex_digit(text[1]);
		lo = hi < 0 ? -1 : hex_digit(text[2]);
		if (lo < 0 || (hi == 0 && lo == 0))
			return -EINVAL;
		*out++ = (char)(hi << 4 | lo);
		text += 2;
	}
	*out = '\0';
	return 0;
}

int options_value_file(const char *path, char *why)
{
	struct stat st;
	int fd, err = 0;
	char c;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refuse(why,
			      "cannot open the file: %s: give a PEM file that ringspan may read",
			      strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		err = refuse(why, "not a regular file: give a PEM file");
	else if (read(fd, &c, 1) != 1)
		err = refuse(why, "the file is empty or cannot be read: give a PEM file");
	close(fd);
	return err;
}
