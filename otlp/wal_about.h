/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wal_about - the file "about" in a log's folder: what the log is for. Part of wal.
 *
 *   ringspan wal 1
 *   signal traces
 *   url http://localhost:4318/v1/traces
 *   crc 89abcdef              CRC32C of the lines before
 */
#ifndef OTLP_WAL_ABOUT_H
#define OTLP_WAL_ABOUT_H

#include "otlp/otlp.h"

#define WAL_URL_CAP 2048

/* 0; -EBADMSG: missing or damaged; -ENOTSUP: a newer version; -EACCES, … */
int wal_about_load(int folder_fd, enum otlp_signal *ret_signal, char ret_url[WAL_URL_CAP]);

/* Durable with the folder. 0 or -errno. */
int wal_about_store(int folder_fd, enum otlp_signal signal, const char *url);

/* Creates or replaces the file @name at once, as a whole; its bytes are durable, its name is not
 * yet. 0 or -errno. */
int wal_about_replace(int dir_fd, const char *name, const char *text, size_t len);

const char *wal_about_signal(enum otlp_signal signal); /* "traces", … */

/* A sentence: what it means that a log cannot be opened, and what to do. */
const char *wal_about_error(int err);

#endif /* OTLP_WAL_ABOUT_H */
