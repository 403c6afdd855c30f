/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exporter - sends traces, metrics and logs to OTLP/HTTP servers: the library's public face. This
 * header is all that a program needs:
 *
 *	otlp_encoder_create(&encoder, &source);        who speaks (otlp.h: struct otlp_source)
 *	otlp_exporter_create(&exporter, &opts, &why);  to whom (below)
 *	otlp_batch_begin(&batch, encoder, OTLP_TRACES, otlp_exporter_buffer(exporter, cap), cap);
 *	otlp_batch_add_span(&batch, &span);            as often as it takes; -ENOSPC: full, send it
 *	size = otlp_batch_end(&batch);
 *	otlp_exporter_submit(exporter, OTLP_TRACES, batch.data, size, batch.items);
 *	otlp_exporter_stop(exporter, 10000);           sends what is left, at most 10 s
 *	otlp_exporter_stats(exporter, 0, OTLP_TRACES, &stats);
 *	otlp_exporter_destroy(exporter);
 *	otlp_encoder_destroy(encoder);
 *
 * Requests wait in a bounded queue per destination and signal, in memory or with a copy on disk,
 * and are POSTed over kept-alive connections, with retries and backoff, as the OTLP 1.x
 * specification, section OTLP/HTTP, says. Never logs: what happens is in the counters and in one
 * callback. Never loses silently: see struct otlp_signal_stats.
 *
 * All functions may be called from any thread, except create, stop and destroy: one thread, in that
 * order. Threads of its own, with all signals blocked: for each server (scheme, host, port) one per
 * connection, and one more if there is a queue directory.
 */
#ifndef OTLP_EXPORTER_H
#define OTLP_EXPORTER_H

#include "otlp/account.h"
#include "otlp/encode.h"
#include "otlp/otlp.h"

struct otlp_exporter;

struct otlp_header {
	const char *name;
	const char *value; /* secret: never shown */
};

/* Where one signal goes, and how. All is copied; zeroed: the signal is not exported there. */
struct otlp_target {
	const char *url; /* in full: http://host:4318/v1/traces */
	const struct otlp_header *headers; /* added to each request */
	size_t headers_len;
	bool gzip;
	uint32_t timeout_ms; /* one attempt, 0: no limit */
	/* PEM files for https. Whose certificates are trusted, NULL: the distribution's list. Our
	 * own certificate and its key, both or none. */
	const char *ca_file, *cert_file, *key_file;
	const char *queue_name; /* folder in the queue directory; NULL: made from the URL */
};

/* One backend: gets every request of the signals that have a URL. */
struct otlp_destination {
	struct otlp_target target[OTLP_SIGNAL_MAX];
};

struct otlp_exporter_opts {
	const struct otlp_destination
		*destinations; /* each has queues, retries, counts of its own */
	size_t destinations_len; /* at least 1 */
	const char *user_agent; /* NULL: the library's own */
	unsigned connections; /* to one server at the same time; 0: 1. With more than one, spans and
			       * log records may arrive out of order */
	size_t request_bytes; /* soft limit: larger requests are split; 0: OTLP_REQUEST_BYTES */
	uint32_t retry_budget_ms[OTLP_SIGNAL_MAX]; /* a request is given up when older, 0: never */
	uint32_t retry_first_ms; /* first backoff, 0: 1000 */
	uint32_t retry_max_ms; /* longest backoff, 0: 30000 */
	size_t queue_bytes; /* in memory, per destination and signal; 0: 32 MiB */
	size_t queue_items[OTLP_SIGNAL_MAX]; /* 0: as many as fit */

	/* Keeps what waits on disk, too, and sends it after a restart: what was queued for longer
	 * than the window, and the time the disk takes for an fdatasync, is delivered at least
	 * once. One process at a time. NULL: memory only. */
	const char *queue_dir;
	uint64_t queue_disk_bytes; /* per destination and signal; 0: 1 GiB */
	uint32_t queue_window_ms; /* 0: 100 */

	otlp_event_fn event; /* may be NULL */
	void *event_ctx;
};

#define OTLP_ERROR_CAP 512
/* 0 and *ret set. Errors, @error (may be NULL) says what is wrong and what to do: -EINVAL an
 * unusable URL, header or certificate; -ENOENT, -EACCES a file that cannot be read; -EBUSY the
 * queue directory is used by another process; -ENOTEMPTY, -ENOTSUP, -EROFS … it cannot be used;
 * -ENOMEM; or the error of a thread. Connects only when there is something to send. */
int otlp_exporter_create(struct otlp_exporter **ret, const struct otlp_exporter_opts *opts,
			 char error[OTLP_ERROR_CAP]);

/* Memory for a request of at most @size bytes, to be submitted or freed: like malloc, but rather
 * that of one that was sent. NULL: none. What is not used of it counts in no limit. */
uint8_t *otlp_exporter_buffer(struct otlp_exporter *x, size_t size);

/* Queues one encoded request (from otlp_batch_end) of @items items for all destinations. @data
 * comes from otlp_exporter_buffer() or malloc; on 0 the exporter owns it. Errors, the caller still owns: -EINVAL empty,
 * -ENOTSUP no destination takes the signal, -ESHUTDOWN stopped, -ENOMEM. A full queue drops its
 * oldest requests to make room and counts their items; a request larger than the whole queue is
 * dropped itself (0, counted). Never blocks on the network or on a disk. */
int otlp_exporter_submit(struct otlp_exporter *x, enum otlp_signal signal, uint8_t *data,
			 size_t size, size_t items);

/* Stops: sends what is queued for at most @timeout_ms, then ends the threads. What is left stays
 * in the queue directory, or without one is counted as dropped. NULL is allowed. */
void otlp_exporter_stop(struct otlp_exporter *x, uint32_t timeout_ms);
void otlp_exporter_destroy(struct otlp_exporter *x); /* NULL is allowed; stops at once */

size_t otlp_exporter_destinations(const struct otlp_exporter *x);

/* Where a signal goes; texts live as long as the exporter. */
struct otlp_target_info {
	const char *label; /* the URL without its query; NULL: not exported there */
	const char *server_address; /* host name or address */
	uint16_t server_port;
	uint64_t queue_cap_bytes; /* in memory, or on disk if there is a queue directory */
};
void otlp_exporter_target(const struct otlp_exporter *x, size_t destination,
			  enum otlp_signal signal, struct otlp_target_info *ret);

/* Whether any destination takes the signal: else submit returns -ENOTSUP. */
bool otlp_exporter_takes(const struct otlp_exporter *x, enum otlp_signal signal);

/* One consistent reading. */
void otlp_exporter_stats(struct otlp_exporter *x, size_t destination, enum otlp_signal signal,
			 struct otlp_signal_stats *ret);
uint64_t otlp_exporter_connects(struct otlp_exporter *x); /* connections opened so far */

#endif /* OTLP_EXPORTER_H */
