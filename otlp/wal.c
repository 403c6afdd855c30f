/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is appended goes to the last segment; a full one is followed by a new one. Each start begins
 * a new segment, too, and so does everything after a failed write that could not be taken back or a
 * failed sync: what a file holds after these is not known, so nothing is put behind it.
 *
 * After a failed sync the new segment takes up the numbers of the records that were given up:
 * should these have reached the disk all the same, the numbers say that they are void.
 */
#include "otlp/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "otlp/crc32c.h"
#include "otlp/wal_about.h"
#include "otlp/wal_scan.h"
#include "otlp/wal_survey.h"

#define DEFAULT_SEGMENT_BYTES ((size_t)8 << 20)
/* A segment that is wholly done is given up from this part of its full size on. */
#define DONE_PART 8

struct otlp_wal {
	int folder_fd;
	int cursor_fd;
	enum otlp_signal signal;
	uint64_t segment_bytes;
	struct wal_segments segments;
	bool is_open; /* the last segment can be appended to */
	bool is_folder_dirty; /* a name in it is not durable */
	uint64_t last_segment; /* highest number in use */
	uint64_t tag; /* of the last segment */
	uint64_t void_from; /* first segment with records that were given up, since the last sync */
	struct wal_mark next; /* of the next record */
	struct wal_mark synced; /* the same, after the last sync */
	struct wal_cursor cursor; /* segment 0: there is none yet */
	char url[WAL_URL_CAP];
};

static struct wal_segment *last_segment(const struct otlp_wal *w)
{
	return &w->segments.list[w->segments.len - 1];
}

static int open_segment(const struct otlp_wal *w, uint64_t number, int flags)
{
	char name[WAL_SEGMENT_NAME_CAP];
	int fd;

	wal_segment_name(name, number);
	fd = openat(w->folder_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int unlink_segment(struct otlp_wal *w, uint64_t number)
{
	char name[WAL_SEGMENT_NAME_CAP];

	wal_segment_name(name, number);
	return unlinkat(w->folder_fd, name, 0) && errno != ENOENT ? -errno : 0;
}

/* Removes segments from the folder and the list; one that cannot be removed is so at the next
 * open. */
static void drop_segments(struct otlp_wal *w, size_t from, size_t count)
{
	if (from + count == w->segments.len && count)
		w->is_open = false;
	for (size_t i = from; i < from + count; i++)
		unlink_segment(w, w->segments.list[i].number);
	wal_segments_remove(&w->segments, from, count);
}

static bool is_no_room(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

/* ---- opening ---- */

static int open_folder(struct otlp_wal *w, const struct otlp_wal_opts *opts)
{
	bool is_new = !mkdirat(opts->dir_fd, opts->name, 0700);

	if (!is_new && errno != EEXIST)
		return -errno;
	w->folder_fd =
		openat(opts->dir_fd, opts->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (w->folder_fd < 0)
		return -errno;
	return is_new && fsync(opts->dir_fd) ? -errno : 0;
}

/* Checks the file that says what the log is for, or writes it where it is missing or damaged. */
static int open_about(struct otlp_wal *w, const struct otlp_wal_opts *opts)
{
	enum otlp_signal signal;
	int err = wal_about_load(w->folder_fd, &signal, w->url);

	if (!err)
		return signal == opts->signal && (!opts->url || !strcmp(w->url, opts->url))
			       ? 0
			       : -EEXIST;
	if (err != -EBADMSG)
		return err;
	if (opts->url && strlen(opts->url) >= sizeof(w->url))
		return -ENAMETOOLONG;
	strcpy(w->url, opts->url ? opts->url : "");
	w->is_folder_dirty = true;
	return wal_about_store(w->folder_fd, opts->signal, w->url);
}

static int open_cursor(struct otlp_wal *w)
{
	struct stat st;

	w->cursor_fd =
		openat(w->folder_fd, "cursor", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->cursor_fd < 0 || fstat(w->cursor_fd, &st))
		return -errno;
	if (st.st_size >= WAL_SLOT_STRIDE + WAL_HEAD)
		return 0;
	/* a block of its own, so that acknowledging needs no room on a full disk */
	w->is_folder_dirty = true;
	return wal_write_all(w->cursor_fd, (const uint8_t[WAL_HEAD]){0}, WAL_HEAD, WAL_SLOT_STRIDE);
}

static int move_cursor(struct otlp_wal *w, uint64_t segment, uint64_t offset,
		       const struct wal_mark *mark, bool is_durable)
{
	int err;

	w->cursor = (struct wal_cursor){.sequence = w->cursor.sequence + 1,
					.segment = segment,
					.offset = offset,
					.mark = *mark};
	err = wal_cursor_store(w->cursor_fd, &w->cursor);
	if (!err && is_durable && fdatasync(w->cursor_fd))
		err = -errno;
	if (err)
		w->cursor.sequence--; /* the next goes into the same slot: the other one is good */
	return err;
}

/* Moves the cursor, and removes the first @count segments, which are wholly before it: not before
 * it is durable, else after a power cut they would look lost. Only for want of room they go first.
 */
static int retire(struct otlp_wal *w, uint64_t segment, uint64_t offset, struct wal_mark mark,
		  size_t count)
{
	int err = move_cursor(w, segment, offset, &mark, count > 0);

	if (!count || (err && !is_no_room(err)))
		return err;
	drop_segments(w, 0, count);
	return err ? move_cursor(w, segment, offset, &mark, true) : 0;
}

/* Nothing waits any more: the log begins anew with the segment to come. */
static int retire_all(struct otlp_wal *w)
{
	w->is_open = false;
	w->synced = w->next;
	return retire(w, w->last_segment + 1, WAL_HEAD, w->next, w->segments.len);
}

static int recover(struct otlp_wal *w, const struct otlp_wal_opts *opts,
		   struct otlp_wal_damage *ret_damage)
{
	struct wal_survey s = {.folder_fd = w->folder_fd,
			       .mode = WAL_REPAIR,
			       .signal = opts->signal,
			       .found = opts->found,
			       .ctx = opts->ctx};
	int err = wal_survey(&s);

	w->segments = s.segments;
	if (err)
		return err;
	for (size_t i = 0; i < w->segments.len; i++)
		w->segments.list[i].synced = w->segments.list[i].bytes;
	w->cursor = s.cursor;
	w->last_segment = s.last_segment;
	w->next = w->synced = s.next;
	*ret_damage = s.damage;
	if (!s.requests && w->segments.len)
		return retire_all(w);
	if (!s.is_cursor_moved)
		return 0;
	return move_cursor(w, s.cursor.segment, s.cursor.offset, &s.cursor.mark, true);
}

int otlp_wal_open(struct otlp_wal **ret, const struct otlp_wal_opts *opts,
		  struct otlp_wal_damage *ret_damage, const char **why)
{
	struct otlp_wal *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		goto fail;
	w->folder_fd = w->cursor_fd = -1;
	w->void_from = UINT64_MAX;
	w->signal = opts->signal;
	w->segment_bytes = opts->segment_bytes ? opts->segment_bytes : DEFAULT_SEGMENT_BYTES;
	err = open_folder(w, opts);
	if (!err)
		err = open_about(w, opts);
	if (!err)
		err = open_cursor(w);
	if (!err)
		err = recover(w, opts, ret_damage);
	if (err)
		goto fail;
	*ret = w;
	return 0;
fail:
	*why = wal_about_error(err);
	otlp_wal_close(w);
	return err;
}

void otlp_wal_close(struct otlp_wal *w)
{
	if (!w)
		return;
	wal_segments_reset(&w->segments);
	if (w->cursor_fd >= 0)
		close(w->cursor_fd);
	if (w->folder_fd >= 0)
		close(w->folder_fd);
	free(w);
}

const char *otlp_wal_url(const struct otlp_wal *w)
{
	return w->url;
}

/* ---- writing ---- */

/* Nothing is put behind what a segment may hold now, and the next one says that it is void. */
static void leave_segment(struct otlp_wal *w, uint64_t number)
{
	w->is_open = false;
	if (number < w->void_from)
		w->void_from = number;
}

static int begin_segment(struct otlp_wal *w)
{
	struct wal_segment_head head = {.version = WAL_VERSION,
					.signal = w->signal,
					.segment = ++w->last_segment,
					.mark = w->next};
	struct wal_segment *g = wal_segments_add(&w->segments, head.segment);
	uint8_t buf[WAL_HEAD];
	int err;

	if (!g)
		return -ENOMEM;
	w->is_open = false;
	head.void_from = w->void_from < head.segment ? w->void_from : head.segment;
	err = getrandom(&head.tag, sizeof(head.tag), 0) == sizeof(head.tag) ? 0 : -EIO;
	if (!err) {
		g->fd = open_segment(w, head.segment, O_RDWR | O_CREAT | O_EXCL);
		err = g->fd < 0 ? g->fd : 0;
	}
	if (!err) {
		wal_segment_head_write(buf, &head);
		err = wal_write_all(g->fd, buf, sizeof(buf), 0);
	}
	if (err) {
		drop_segments(w, w->segments.len - 1, 1);
		return err;
	}
	g->bytes = WAL_HEAD;
	g->mark = w->next;
	w->tag = head.tag;
	w->is_open = true;
	w->is_folder_dirty = true;
	return 0;
}

static int write_record(struct otlp_wal *w, const struct wal_record_head *h, const uint8_t *data)
{
	struct wal_segment *g = last_segment(w);
	uint8_t buf[WAL_HEAD];
	struct iovec iov[2] = {{.iov_base = buf, .iov_len = sizeof(buf)},
			       {.iov_base = (void *)data, .iov_len = h->size}};
	size_t done = 0, size = WAL_HEAD + h->size;
	ssize_t n;
	int err = 0;

	wal_record_head_write(buf, h);
	do
		n = pwritev(g->fd, iov, 2, (off_t)g->bytes);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else
		done = (size_t)n;
	if (!err && done < WAL_HEAD) {
		err = wal_write_all(g->fd, buf + done, WAL_HEAD - done, g->bytes + done);
		done = WAL_HEAD;
	}
	if (!err && done < size)
		err = wal_write_all(g->fd, data + (done - WAL_HEAD), size - done, g->bytes + done);
	if (!err)
		g->bytes += size;
	else if (ftruncate(g->fd, (off_t)g->bytes))
		leave_segment(w, g->number);
	return err;
}

static int try_append(struct otlp_wal *w, struct wal_record_head *h, const uint8_t *data,
		      struct otlp_wal_pos *ret)
{
	struct wal_segment *g = w->is_open ? last_segment(w) : NULL;
	int err;

	if (!g || (g->bytes > WAL_HEAD && g->bytes + WAL_HEAD + h->size > w->segment_bytes)) {
		err = begin_segment(w);
		if (err)
			return err;
		g = last_segment(w);
	}
	h->tag = w->tag;
	h->mark = w->next;
	*ret = (struct otlp_wal_pos){.segment = g->number, .offset = g->bytes};
	err = write_record(w, h, data);
	if (!err)
		w->next = wal_mark_after(h);
	return err;
}

int otlp_wal_append(struct otlp_wal *w, const uint8_t *data, size_t size, size_t items,
		    uint64_t queued_unix_ns, struct otlp_wal_pos *ret)
{
	struct wal_record_head h = {
		.kind = WAL_RECORD, .size = size, .items = items, .queued_unix_ns = queued_unix_ns};
	int err;

	if (!size || size > WAL_BODY_MAX || items > WAL_NUMBER_MAX)
		return -EINVAL;
	h.body_crc = crc32c(0, data, size);
	err = try_append(w, &h, data, ret);
	/* a segment that is not full is kept when all in it is done; here its room is wanted */
	if (is_no_room(err) && w->segments.len && w->cursor.segment &&
	    w->cursor.mark.number == w->next.number && !retire_all(w))
		err = try_append(w, &h, data, ret);
	return err;
}

/* Takes back what was appended since the last sync, as far as that can be done. */
static void give_up(struct otlp_wal *w)
{
	struct wal_segments *all = &w->segments;

	for (size_t i = all->len; i-- > 0;) {
		struct wal_segment *g = &all->list[i];

		if (g->fd < 0)
			continue;
		leave_segment(w, g->number);
		if (!g->synced) {
			drop_segments(w, i, 1);
			continue;
		}
		if (g->bytes > g->synced && !ftruncate(g->fd, (off_t)g->synced))
			g->bytes = g->synced;
		g->synced = g->bytes; /* if not cut, void */
		close(g->fd);
		g->fd = -1;
	}
	w->next = w->synced;
	if (w->cursor.mark.number > w->next.number)
		retire_all(w); /* done before they were durable: so is all that was */
}

int otlp_wal_sync(struct otlp_wal *w)
{
	struct wal_segments *all = &w->segments;
	int err = 0;

	for (size_t i = 0; i < all->len && !err; i++)
		if (all->list[i].bytes > all->list[i].synced && fdatasync(all->list[i].fd))
			err = -errno;
	if (!err && w->is_folder_dirty && fsync(w->folder_fd))
		err = -errno;
	if (err) {
		give_up(w);
		return err;
	}
	w->is_folder_dirty = false;
	w->void_from = UINT64_MAX;
	w->synced = w->next;
	for (size_t i = 0; i < all->len; i++) {
		struct wal_segment *g = &all->list[i];

		g->synced = g->bytes;
		if (g->fd >= 0 && !(w->is_open && i == all->len - 1)) {
			close(g->fd);
			g->fd = -1;
		}
	}
	return 0;
}

/* ---- acknowledging ---- */

static const struct wal_segment *find_segment(const struct otlp_wal *w, uint64_t number)
{
	for (size_t i = 0; i < w->segments.len; i++)
		if (w->segments.list[i].number == number)
			return &w->segments.list[i];
	return NULL;
}

/* Where the record at @pos ends, and the mark of what follows. If its header has been damaged since
 * it was written, the records around it tell. */
static int find_end(const struct otlp_wal *w, const struct wal_segment *g,
		    const struct otlp_wal_pos *pos, uint64_t *ret_end, struct wal_mark *ret_mark)
{
	struct wal_record_head h;
	struct wal_scan *scan;
	struct wal_find find;
	uint8_t buf[WAL_HEAD];
	int fd = open_segment(w, g->number, O_RDONLY), err = 0;

	if (fd < 0)
		return fd;
	if (pread(fd, buf, sizeof(buf), (off_t)pos->offset) == sizeof(buf) &&
	    wal_record_head_read(&h, buf)) {
		*ret_end = pos->offset + WAL_HEAD + h.size;
		*ret_mark = wal_mark_after(&h);
		goto out;
	}
	scan = calloc(1, sizeof(*scan));
	if (!scan) {
		err = -ENOMEM;
		goto out;
	}
	scan->fd = fd;
	scan->size = g->bytes;
	scan->limit = UINT64_MAX;
	scan->at = WAL_HEAD;
	do
		wal_scan_next_head(scan, &find);
	while (find.what != WAL_END && find.what != WAL_GARBAGE && find.offset <= pos->offset);
	/* none behind it: what follows begins the next segment */
	*ret_end = scan->at;
	*ret_mark = g == last_segment(w) ? w->next : g[1].mark;
	if (find.what != WAL_END && find.what != WAL_GARBAGE) {
		*ret_end = find.offset;
		*ret_mark = find.head.mark;
	}
	free(scan);
out:
	close(fd);
	return err;
}

int otlp_wal_ack(struct otlp_wal *w, const struct otlp_wal_pos *pos)
{
	const struct wal_cursor *c = &w->cursor;
	const struct wal_segment *g;
	struct wal_mark mark;
	uint64_t end;
	size_t done = 0;
	int err;

	if (pos->segment < c->segment || (pos->segment == c->segment && pos->offset < c->offset))
		return 0;
	g = find_segment(w, pos->segment);
	if (!g || pos->offset < WAL_HEAD || pos->offset >= g->bytes)
		return -EINVAL;
	err = find_end(w, g, pos, &end, &mark);
	if (err)
		return err;
	if (mark.number == w->next.number &&
	    (!w->is_open || last_segment(w)->bytes >= w->segment_bytes / DONE_PART))
		return retire_all(w);
	while (w->segments.list[done].number < pos->segment)
		done++;
	return retire(w, pos->segment, end, mark, done);
}

/* ---- reading ---- */

int otlp_wal_read(struct otlp_wal *w, const struct otlp_wal_record *r, uint8_t **ret)
{
	uint8_t buf[WAL_HEAD], *body = r->size <= WAL_BODY_MAX ? malloc(r->size) : NULL;
	struct iovec iov[2] = {{.iov_base = buf, .iov_len = sizeof(buf)},
			       {.iov_base = body, .iov_len = r->size}};
	struct wal_record_head h;
	ssize_t n;
	int fd, err = 0;

	if (!body)
		return -ENOMEM;
	fd = open_segment(w, r->pos.segment, O_RDONLY);
	if (fd < 0) {
		err = fd == -ENOENT ? -EBADMSG : fd;
		goto fail;
	}
	do
		n = preadv(fd, iov, 2, (off_t)r->pos.offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	close(fd);
	if (!err && ((size_t)n != WAL_HEAD + r->size || !wal_record_head_read(&h, buf) ||
		     h.kind != WAL_RECORD || h.size != r->size || h.items != r->items ||
		     crc32c(0, body, r->size) != h.body_crc))
		err = -EBADMSG;
	if (err)
		goto fail;
	*ret = body;
	return 0;
fail:
	free(body);
	return err;
}

uint64_t otlp_wal_bytes(const struct otlp_wal *w)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < w->segments.len; i++)
		bytes += w->segments.list[i].bytes;
	return bytes;
}
