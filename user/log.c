/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "user/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* The only mutable global of the program: set once before there are threads. */
static enum log_level log_level = LOG_LEVEL_INFO;

static const char *const log_prefix[] = {
    [LOG_LEVEL_ERROR] = "ringspan: error: ",
    [LOG_LEVEL_WARN] = "ringspan: warning: ",
    [LOG_LEVEL_INFO] = "ringspan: ",
    [LOG_LEVEL_DEBUG] = "ringspan: debug: ",
};

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

/* One write(2) a line, below PIPE_BUF, so that lines of several threads and processes do not mix.
 * Control characters become '?': text from a server or a file must not steer the terminal. */
static void log_line(enum log_level level, const char *fmt, va_list args)
{
	char line[2048];
	const size_t cap = sizeof(line) - 1; /* room for the newline */
	size_t len, i;
	int n;

	if (level > log_level)
		return;
	n = snprintf(line, cap, "%s", log_prefix[level]);
	len = (size_t)n;
	n = vsnprintf(line + len, cap - len, fmt, args);
	if (n < 0)
		return;
	len = (size_t)n < cap - len ? len + (size_t)n : cap - 1;
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say so */
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_ERROR, fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_WARN, fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_INFO, fmt, args);
	va_end(args);
}

void log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_DEBUG, fmt, args);
	va_end(args);
}
