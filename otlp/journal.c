/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A full or failing disk is no reason to lose anything that memory still holds: requests stay there
 * and the journal tries again a second later. Only where the log has its full size, or the memory,
 * too, the oldest go.
 */
#include "otlp/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64 /* requests between two syncs */
#define RECORD_BYTES 64 /* of a record on disk besides its body, at most */
#define SICK_WAIT_MS 1000 /* till the next try after the disk refused */
#define SEGMENT_BYTES ((uint64_t)8 << 20)

struct otlp_journal {
	struct otlp_journal_opts opts;
	struct otlp_wal *wal[OTLP_SIGNAL_MAX];
	pthread_t thread;
	bool is_sick; /* the disk refused the last write */
};

struct restore {
	struct otlp_queue *queue;
	enum otlp_signal signal;
	int err;
	uint64_t requests;
};

static void tell(struct otlp_journal *j, enum otlp_event_kind kind, enum otlp_signal signal,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void tell(struct otlp_journal *j, enum otlp_event_kind kind, enum otlp_signal signal,
		 const char *fmt, ...)
{
	char sentence[300];
	va_list args;

	if (!j->opts.event)
		return;
	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	j->opts.event(j->opts.event_ctx, kind, signal, sentence);
}

/* ---- one look at the queue ---- */

static bool make_room(struct otlp_journal *j, enum otlp_signal s, size_t size)
{
	struct otlp_overflow over;
	struct otlp_wal_pos pos;

	while (otlp_wal_bytes(j->wal[s]) + size + RECORD_BYTES > j->opts.cap_bytes) {
		if (!otlp_queue_drop_saved(j->opts.queue, s, &over))
			return false;
		if (over.is_first)
			tell(j, OTLP_EVENT_DROPPED, s,
			     "the queue on disk is full (%.3g MiB); %zu %s dropped, further ones "
			     "are only counted until a request gets through",
			     (double)j->opts.cap_bytes / (1 << 20), over.items,
			     otlp_items_name(s, over.items));
		if (otlp_queue_acked(j->opts.queue, s, &pos))
			otlp_wal_ack(j->wal[s], &pos);
	}
	return true;
}

static void tell_health(struct otlp_journal *j, enum otlp_signal s, int err)
{
	if (!err && j->is_sick)
		tell(j, OTLP_EVENT_RECOVERED, s, "the queue on disk can be written again");
	else if (err && !j->is_sick)
		tell(j, OTLP_EVENT_QUEUE, s,
		     "the queue on disk cannot be written (%s): requests stay in memory, and are "
		     "lost if the process is killed",
		     err == -ENOSPC ? "no space left: free some" : strerror(-err));
	j->is_sick = err;
}

/* Appends and syncs as many of @list as go; returns 0 or why not all did. */
static int write_batch(struct otlp_journal *j, enum otlp_signal s, struct otlp_request **list,
		       size_t len)
{
	struct otlp_wal_record records[BATCH];
	size_t n;
	int err = 0, sync;

	for (n = 0; n < len; n++) {
		struct otlp_request *r = list[n];

		if (!make_room(j, s, r->size)) {
			err = -EAGAIN; /* the oldest is in flight: soon */
			break;
		}
		records[n] = (struct otlp_wal_record){
			.size = r->size, .items = r->items, .queued_unix_ns = r->queued_unix_ns};
		err = otlp_wal_append(j->wal[s], r->body->data, r->size, r->items,
				      r->queued_unix_ns, &records[n].pos);
		if (err)
			break;
	}
	sync = n ? otlp_wal_sync(j->wal[s]) : 0;
	if (sync) {
		n = 0;
		err = sync;
	}
	otlp_queue_saved(j->opts.queue, list, len, records, n);
	return err;
}

static void look(struct otlp_journal *j)
{
	struct otlp_request *list[BATCH];
	struct otlp_wal_pos pos;
	size_t len;
	int err;

	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++) {
		if (!j->wal[s])
			continue;
		do {
			len = otlp_queue_unsaved(j->opts.queue, s, list, BATCH);
			err = len ? write_batch(j, s, list, len) : 0;
			if (len && err != -EAGAIN)
				tell_health(j, s, err);
		} while (len == BATCH && !err);
		if (otlp_queue_acked(j->opts.queue, s, &pos))
			otlp_wal_ack(j->wal[s], &pos);
	}
}

static void *journal_main(void *arg)
{
	struct otlp_journal *j = arg;

	while (otlp_queue_journal_wait(j->opts.queue,
				       j->is_sick ? SICK_WAIT_MS : j->opts.window_ms / 2))
		look(j);
	look(j);
	return NULL;
}

/* ---- start, stop ---- */

static void on_found(void *ctx, const struct otlp_wal_record *record)
{
	struct restore *r = ctx;

	if (!r->err)
		r->err = otlp_queue_restore(r->queue, r->signal, record);
	r->requests++;
}

static int open_log(struct otlp_journal *j, enum otlp_signal s, const char **why)
{
	struct restore restore = {.queue = j->opts.queue, .signal = s};
	uint64_t segment = j->opts.cap_bytes / 8;
	struct otlp_wal_opts opts = {
		.dir_fd = j->opts.dir_fd,
		.name = j->opts.log[s].name,
		.url = j->opts.log[s].url,
		.signal = s,
		.segment_bytes = segment < SEGMENT_BYTES ? segment : SEGMENT_BYTES,
		.found = on_found,
		.ctx = &restore,
	};
	struct otlp_wal_damage damage;
	int err = otlp_wal_open(&j->wal[s], &opts, &damage, why);

	if (err)
		return err;
	if (restore.err)
		return restore.err;
	if (damage.records) {
		/* Of a record whose head is gone nobody knows the items: it counts as one. */
		otlp_queue_damaged(j->opts.queue, s, damage.items + damage.unknown);
		tell(j, OTLP_EVENT_QUEUE, s,
		     "%llu damaged %s found in the queue on disk and left out (%llu items%s)",
		     (unsigned long long)damage.records,
		     damage.records == 1 ? "request was" : "requests were",
		     (unsigned long long)(damage.items + damage.unknown),
		     damage.unknown ? " at least" : "");
	}
	if (restore.requests)
		tell(j, OTLP_EVENT_RECOVERED, s,
		     "%llu %s found in the queue on disk, to be sent first",
		     (unsigned long long)restore.requests,
		     restore.requests == 1 ? "request" : "requests");
	return 0;
}

static void destroy(struct otlp_journal *j)
{
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX; s++)
		otlp_wal_close(j->wal[s]);
	free(j);
}

int otlp_journal_start(struct otlp_journal **ret, const struct otlp_journal_opts *opts,
		       const char **why)
{
	struct otlp_journal *j = calloc(1, sizeof(*j));
	int err = 0;

	*why = "out of memory";
	if (!j)
		return -ENOMEM;
	j->opts = *opts;
	for (unsigned s = 0; s < OTLP_SIGNAL_MAX && !err; s++)
		if (opts->log[s].name)
			err = open_log(j, s, why);
	if (err)
		goto fail;
	*why = "the journal's thread cannot be started";
	err = -pthread_create(&j->thread, NULL, journal_main, j);
	if (err)
		goto fail;
	pthread_setname_np(j->thread, "otlp-journal");
	*ret = j;
	return 0;
fail:
	destroy(j);
	return err;
}

void otlp_journal_stop(struct otlp_journal *j)
{
	if (!j)
		return;
	otlp_queue_journal_stop(j->opts.queue);
	pthread_join(j->thread, NULL);
	destroy(j);
}

int otlp_journal_read(struct otlp_journal *j, const struct otlp_request *r, struct otlp_body **ret)
{
	uint8_t *data;
	int err = otlp_wal_read(j->wal[r->signal], &r->record, &data);

	if (err)
		return err;
	*ret = otlp_body_create(data, r->size, NULL);
	if (!*ret) {
		free(data);
		return -ENOMEM;
	}
	return 0;
}
