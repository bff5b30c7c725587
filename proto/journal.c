/* SPDX-License-Identifier: ISC */
/* The journal on disk; see journal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/text.h"
#include "proto/journal.h"

#define MAGIC	    "NBJRNL1\n"
#define MAGIC_BYTES 8
#define WRITE_BYTES ((size_t)64 << 10)
#define READ_BYTES  ((size_t)256 << 10)

static int
segment_open(const char *dir, unsigned segment, int flags)
{
	char path[JOURNAL_PATH_MAX + 32] = "";
	int fd;

	(void)text_add(path, sizeof(path), "%s/journal/%06u.nbj", dir, segment);
	fd = open(path, flags | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

static int
write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
segment_begin(struct journal_writer *j)
{
	int fd =
	    segment_open(j->dir, ++j->segment, O_WRONLY | O_CREAT | O_EXCL);

	if (fd < 0)
		return fd;
	j->fd = fd;
	j->segment_bytes = MAGIC_BYTES;
	j->bytes += MAGIC_BYTES;
	return write_all(fd, MAGIC, MAGIC_BYTES);
}

int
journal_create(struct journal_writer *j, const char *dir)
{
	char path[JOURNAL_PATH_MAX + 16] = "";

	memset(j, 0, sizeof(*j));
	j->fd = -1;
	if (!text_copy(j->dir, sizeof(j->dir), dir))
		return -ENAMETOOLONG;
	(void)text_add(path, sizeof(path), "%s/journal", dir);
	if (mkdir(path, 0755) < 0)
		return -errno;
	buf_init(&j->buf, WRITE_BYTES + FRAME_MAX);
	return j->error = segment_begin(j);
}

int
journal_flush(struct journal_writer *j)
{
	size_t len = buf_len(&j->buf);

	if (j->error < 0 || len == 0)
		return j->error;
	j->error = write_all(j->fd, buf_data(&j->buf), len);
	buf_consume(&j->buf, len);
	return j->error;
}

int
journal_append(struct journal_writer *j, const uint8_t *raw, size_t len)
{
	if (j->error < 0)
		return j->error;
	if (j->segment_bytes + len > JOURNAL_SEGMENT_MAX) {
		if (journal_flush(j) < 0)
			return j->error;
		close(j->fd);
		j->fd = -1;
		j->error = segment_begin(j);
		if (j->error < 0)
			return j->error;
	}
	j->error = buf_append(&j->buf, raw, len);
	if (j->error < 0)
		return j->error;
	j->segment_bytes += len;
	j->bytes += len;
	j->events++;
	if (buf_len(&j->buf) >= WRITE_BYTES)
		return journal_flush(j);
	return 0;
}

int
journal_close(struct journal_writer *j)
{
	int err = journal_flush(j);

	if (j->fd >= 0 && close(j->fd) < 0 && err == 0)
		err = -errno;
	j->fd = -1;
	buf_fini(&j->buf);
	return err;
}

/* Open the next segment: 1, 0 when there is none, or -errno. */
static int
reader_advance(struct journal_reader *j)
{
	char magic[MAGIC_BYTES];
	ssize_t n;
	int fd;

	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	fd = segment_open(j->dir, j->segment + 1, O_RDONLY);
	if (fd == -ENOENT && j->segment > 0)
		return 0;
	if (fd < 0)
		return fd;
	j->fd = fd;
	j->segment++;
	n = read(fd, magic, sizeof(magic));
	if (n == 0)
		return 1; /* killed between creating and writing it */
	if (n != MAGIC_BYTES || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
		return -EILSEQ;
	return 1;
}

int
journal_open(struct journal_reader *j, const char *dir)
{
	int got;

	memset(j, 0, sizeof(*j));
	j->fd = -1;
	if (!text_copy(j->dir, sizeof(j->dir), dir))
		return -ENAMETOOLONG;
	buf_init(&j->buf, READ_BYTES + FRAME_MAX);
	got = reader_advance(j);
	return got < 0 ? got : 0;
}

/* Take in more bytes: 1, 0 at the end of this segment, or -errno. */
static int
reader_fill(struct journal_reader *j)
{
	uint8_t *room = buf_reserve(&j->buf, READ_BYTES);
	ssize_t n;

	if (room == NULL)
		return -errno;
	do
		n = read(j->fd, room, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf_commit(&j->buf, (size_t)n);
	return n > 0;
}

/* A kill tears the last segment only. */
static bool
reader_has_next(const struct journal_reader *j)
{
	int fd = segment_open(j->dir, j->segment + 1, O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd != -ENOENT;
}

enum journal_state
journal_next(struct journal_reader *j, struct event *ev, const uint8_t **raw,
    size_t *raw_len)
{
	enum frame_state state;
	size_t used = 0;
	int got;

	for (;;) {
		state = frame_decode(
		    buf_data(&j->buf), buf_len(&j->buf), ev, &used);
		if (state == FRAME_WHOLE)
			break;
		if (state == FRAME_MALFORMED)
			return JOURNAL_DAMAGED;
		got = reader_fill(j);
		if (got < 0)
			return JOURNAL_DAMAGED;
		if (got > 0)
			continue;
		if (buf_len(&j->buf) > 0)
			return reader_has_next(j) ? JOURNAL_DAMAGED
						  : JOURNAL_TORN;
		got = reader_advance(j);
		if (got <= 0)
			return got < 0 ? JOURNAL_DAMAGED : JOURNAL_END;
	}
	if (raw != NULL) {
		*raw = buf_data(&j->buf);
		*raw_len = used;
	}
	buf_consume(&j->buf, used);
	j->events++;
	return JOURNAL_EVENT;
}

void
journal_reader_fini(struct journal_reader *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	buf_fini(&j->buf);
}
