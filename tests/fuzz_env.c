/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The environment: each line is a variable, which its first character chooses, and its value.
 * A value that is refused ends the process; here that leads back, and what had been allocated is
 * freed where a sanitizer can name it.
 */
#include "tests/fuzz.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "user/options.h"

static const char *const names[] = {
	"OTEL_EXPORTER_OTLP_HEADERS",
	"OTEL_EXPORTER_OTLP_TRACES_HEADERS",
	"OTEL_RESOURCE_ATTRIBUTES",
	"OTEL_SERVICE_NAME",
	"OTEL_EXPORTER_OTLP_ENDPOINT",
	"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
	"OTEL_TRACES_EXPORTER",
	"OTEL_LOGS_EXPORTER",
	"OTEL_EXPORTER_OTLP_TIMEOUT",
	"OTEL_EXPORTER_OTLP_COMPRESSION",
	"OTEL_EXPORTER_OTLP_PROTOCOL",
	"OTEL_SDK_DISABLED",
	"OTEL_METRIC_EXPORT_INTERVAL",
	"OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
	"OTEL_BSP_MAX_QUEUE_SIZE",
	"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
	"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
	"OTEL_METRICS_EXEMPLAR_FILTER",
	"RINGSPAN_OTLP_2_HEADERS",
	"OTEL_EXPORTER_OTLP_CERTIFICATE",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* ---- leaving half-way ---- */

#define LIVE_MAX 8192

static jmp_buf back;
static bool is_inside;
static const volatile void *live[LIVE_MAX];
static size_t live_len;

void __wrap_exit(int code) __attribute__((noreturn));
void __real_exit(int code) __attribute__((noreturn));
/* Of the sanitizers, if there are any. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *))
	__attribute__((weak));

void __wrap_exit(int code)
{
	if (is_inside)
		longjmp(back, 1 + code);
	__real_exit(code);
}

static void on_malloc(const volatile void *p, size_t size)
{
	(void)size;
	if (is_inside && p && live_len < LIVE_MAX)
		live[live_len++] = p;
}

static void on_free(const volatile void *p)
{
	for (size_t i = live_len; p && is_inside && i-- > 0;) {
		if (live[i] == p) {
			live[i] = live[--live_len];
			return;
		}
	}
}

/* ---- the target ---- */

static void check(const struct options *o)
{
	for (size_t d = 0; d < o->otlp_len; d++) {
		for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
			const struct options_target *t = &o->otlp[d][s];

			FUZZ_CHECK(!t->url || !strncasecmp(t->url, "http", 4));
			FUZZ_CHECK(!t->url || !strpbrk(t->url, " \r\n"));
			for (size_t i = 0; i < t->headers_len; i++) {
				FUZZ_CHECK(t->headers[i].name[0]);
				FUZZ_CHECK(!strpbrk(t->headers[i].name, " :\r\n\t"));
				FUZZ_CHECK(!strpbrk(t->headers[i].value, "\r\n"));
			}
		}
	}
	FUZZ_CHECK(o->resource_len > 0 && !strcmp(o->resource[0].name, "service.name"));
	for (size_t i = 0; i < o->resource_len; i++)
		FUZZ_CHECK(o->resource[i].name[0]);
	FUZZ_CHECK(o->interval_ms > 0);
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		FUZZ_CHECK(!o->batch[s].queue_items ||
			   o->batch[s].queue_items >= o->batch[s].max_items);
}

static void parse(void)
{
	char *argv[] = {(char *)"ringspan", (char *)"--interface", (char *)"lo", NULL};
	struct options *o = NULL;
	int code;

	live_len = 0;
	is_inside = true;
	code = setjmp(back);
	if (!code) {
		code = options_parse(&o, 3, argv);
		is_inside = false;
		FUZZ_CHECK(!code);
		check(o);
		options_destroy(o);
		return;
	}
	is_inside = false;
	FUZZ_CHECK(code == 1 + 64);
	while (live_len)
		free((void *)live[--live_len]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_ready;
	char *copy = malloc(size + 1), *rest = copy, *line;

	memcpy(copy, data, size);
	copy[size] = '\0';
	for (size_t i = 0; i < NAMES; i++)
		unsetenv(names[i]);
	if (!is_ready) {
		/* what the library keeps for good is not freed with the rest */
		parse();
		if (__sanitizer_install_malloc_and_free_hooks)
			__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
		is_ready = true;
	}
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		setenv(names[(unsigned char)(*line - 'a') % NAMES], line + 1, 1);
	}
	free(copy);
	parse();
	return 0;
}
