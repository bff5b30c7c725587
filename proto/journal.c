/* SPDX-License-Identifier: ISC */
/* The journal on disk; see journal.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "proto/base/ensure.h"
#include "proto/base/text.h"
#include "proto/journal.h"

#define MAGIC	    "NBJRNL1\n"
#define MAGIC_BYTES 8
#define WRITE_BYTES ((size_t)64 << 10)
#define READ_BYTES  ((size_t)256 << 10)
#define PATH_BYTES  (JOURNAL_PATH_MAX + 48)
/* As small as level 1 makes them: events of one kind resemble each other. */
#define LEVEL	    (-1)
#define WINDOW_LOG  23 /* a reader takes no file that wants more memory */
#define FIRST_BYTES 16 /* to look at the head of a compressed file */
#define PACKED	    ".nbj.zst"
#define PLAIN	    ".nbj"

static void
segment_path(char *path, const char *dir, unsigned segment, const char *kind,
    const char *suffix)
{
	path[0] = '\0';
	text_add(path, PATH_BYTES, "%s/journal/%06u%s%s", dir, segment, kind,
	    suffix);
}

/* Writing */

/* Write from the front of a buffer what can be written. 0 or -errno. */
static int
write_out(struct journal_writer *j)
{
	ssize_t n;

	while (buf_len(&j->out) > 0) {
		n = write(j->fd, buf_data(&j->out), buf_len(&j->out));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		j->segment_disk += (uint64_t)n;
		buf_consume(&j->out, (size_t)n);
	}
	return 0;
}

/* The file of this segment; made when there is something for it. */
static int
open_file(struct journal_writer *j)
{
	char path[PATH_BYTES];

	if (j->fd >= 0)
		return 0;
	segment_path(path, j->dir, j->segment,
	    j->codec != NULL ? PACKED : PLAIN, j->suffix);
	j->fd = open(path,
	    O_WRONLY | O_CREAT | O_CLOEXEC |
		(j->suffix[0] != '\0' ? O_TRUNC : O_EXCL),
	    0644);
	return j->fd < 0 ? -errno : 0;
}

/* One step of the codec: from in to the buffer of what is to be written. */
static int
pack_some(struct journal_writer *j, ZSTD_inBuffer *in, ZSTD_EndDirective how,
    size_t *left)
{
	ZSTD_outBuffer out = {NULL, ZSTD_CStreamOutSize(), 0};

	out.dst = buf_reserve(&j->out, out.size);
	if (out.dst == NULL)
		return -errno;
	*left = ZSTD_compressStream2(j->codec, &out, in, how);
	buf_commit(&j->out, out.pos);
	return ZSTD_isError(*left) ? -ENOMEM : 0;
}

/* Move everything from buf to out, by the codec if there is one. */
static int
pack(struct journal_writer *j, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = {buf_data(&j->buf), buf_len(&j->buf), 0};
	size_t left = 0;
	int err = 0;

	if (j->codec == NULL) {
		err = buf_append(&j->out, in.src, in.size);
		in.pos = err == 0 ? in.size : 0;
	} else
		do
			err = pack_some(j, &in, how, &left);
		while (err == 0 &&
		       (how == ZSTD_e_continue ? in.pos < in.size : left > 0));
	buf_consume(&j->buf, in.pos);
	return err;
}

/*
 * What is packed can't be taken back: an error while writing holds it, and
 * one while packing is the end, for half a frame may be missing.
 */
static int
put_out(struct journal_writer *j, ZSTD_EndDirective how)
{
	bool is_much = j->error < 0 && buf_len(&j->out) > j->held_max;
	int err = j->is_cut || is_much ? -ENOBUFS : pack(j, how);

	if (err < 0) {
		j->is_cut = true;
		j->error = j->error < 0 ? j->error : err;
	}
	if (j->error == 0)
		j->error = open_file(j);
	if (j->error == 0)
		j->error = write_out(j);
	return j->error;
}

static int
segment_begin(struct journal_writer *j, unsigned segment)
{
	ensure(j->fd < 0 && buf_len(&j->buf) == 0 && buf_len(&j->out) == 0);
	j->segment = segment;
	j->segment_bytes = MAGIC_BYTES;
	j->segment_disk = 0;
	j->bytes += MAGIC_BYTES;
	j->error = buf_append(&j->buf, MAGIC, MAGIC_BYTES);
	if (j->error == 0)
		j->error = open_file(j);
	return j->error;
}

static int
segment_end(struct journal_writer *j)
{
	if (put_out(j, ZSTD_e_end) < 0)
		return j->error;
	if (close(j->fd) < 0)
		j->error = -errno;
	j->fd = -1;
	return j->error;
}

static int
codec_init(struct journal_writer *j)
{
	j->codec = ZSTD_createCCtx();
	if (j->codec == NULL)
		return -ENOMEM;
	(void)ZSTD_CCtx_setParameter(j->codec, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(j->codec, ZSTD_c_checksumFlag, 1);
	return 0;
}

static int
writer_init(struct journal_writer *j, const char *dir, bool is_packed)
{
	memset(j, 0, sizeof(*j));
	j->fd = -1;
	j->segment_max = JOURNAL_SEGMENT_MAX;
	j->held_max = JOURNAL_HELD_MAX;
	if (!text_fits(j->dir, sizeof(j->dir), dir))
		return j->error = -ENAMETOOLONG;
	buf_init(&j->buf, WRITE_BYTES + FRAME_MAX + MAGIC_BYTES);
	buf_init(&j->out, JOURNAL_HELD_MAX + ZSTD_CStreamOutSize());
	return j->error = is_packed ? codec_init(j) : 0;
}

static void
writer_fini(struct journal_writer *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	ZSTD_freeCCtx(j->codec);
	j->codec = NULL;
	buf_fini(&j->buf);
	buf_fini(&j->out);
}

static int
create(struct journal_writer *j, const char *dir, bool is_packed)
{
	char path[PATH_BYTES] = "";

	(void)writer_init(j, dir, is_packed);
	text_add(path, sizeof(path), "%s/journal", dir);
	if (j->error == 0 && mkdir(path, 0755) < 0)
		j->error = -errno;
	if (j->error == 0)
		(void)segment_begin(j, 1);
	if (j->error < 0)
		writer_fini(j);
	return j->error;
}

int
journal_create(struct journal_writer *j, const char *dir)
{
	return create(j, dir, true);
}

int
journal_create_plain(struct journal_writer *j, const char *dir)
{
	return create(j, dir, false);
}

int
journal_flush(struct journal_writer *j)
{
	if (j->error < 0 || (buf_len(&j->buf) == 0 && buf_len(&j->out) == 0 &&
				j->codec == NULL))
		return j->error;
	return put_out(j, ZSTD_e_flush);
}

int
journal_append(struct journal_writer *j, const uint8_t *raw, size_t len)
{
	int err;

	ensure(len > 0 && len <= FRAME_MAX);
	/* While the disk is full the segment just grows. */
	if (j->segment_bytes + len > j->segment_max && j->error == 0 &&
	    segment_end(j) == 0)
		(void)segment_begin(j, j->segment + 1);
	if (j->is_cut)
		return j->error;
	err = buf_append(&j->buf, raw, len);
	if (err < 0) {
		j->is_cut = true;
		return j->error = j->error < 0 ? j->error : err;
	}
	j->segment_bytes += len;
	j->bytes += len;
	j->events++;
	if (buf_len(&j->buf) >= WRITE_BYTES)
		return put_out(j, ZSTD_e_continue);
	return j->error;
}

int
journal_retry(struct journal_writer *j)
{
	int old = j->error;

	if (old == 0)
		return 0;
	j->error = open_file(j);
	if (j->error == 0)
		j->error = write_out(j);
	if (j->error == 0 && !j->is_cut)
		(void)put_out(j, ZSTD_e_flush);
	/* Behind a hole nothing may follow. */
	if (j->error == 0 && j->is_cut)
		j->error = old;
	return j->error;
}

int
journal_close(struct journal_writer *j)
{
	int err = j->error < 0 || j->fd < 0 ? j->error : segment_end(j);

	writer_fini(j);
	return err;
}

int
journal_rewrite_begin(
    struct journal_writer *j, const char *dir, unsigned segment)
{
	if (writer_init(j, dir, true) == 0) {
		j->segment_max = UINT64_MAX;
		text_set(j->suffix, sizeof(j->suffix), ".new");
		(void)segment_begin(j, segment);
	}
	if (j->error < 0)
		writer_fini(j);
	return j->error;
}

/* The new file is on the disk before it takes the place of the old one. */
static int
rewrite_place(struct journal_writer *j)
{
	char from[PATH_BYTES], to[PATH_BYTES];

	if (put_out(j, ZSTD_e_end) < 0)
		return j->error;
	segment_path(from, j->dir, j->segment, PACKED, j->suffix);
	segment_path(to, j->dir, j->segment, PACKED, "");
	if (fdatasync(j->fd) < 0 || rename(from, to) < 0)
		return -errno;
	return 0;
}

int
journal_rewrite_end(struct journal_writer *j, bool is_wanted)
{
	int err = is_wanted ? rewrite_place(j) : 0;
	char path[PATH_BYTES];

	segment_path(path, j->dir, j->segment, PACKED, j->suffix);
	if (!is_wanted || err < 0)
		(void)unlink(path);
	writer_fini(j);
	return err;
}

/* Reading */

/* Open a segment in either form: a descriptor or -errno. */
static int
segment_open(const char *dir, unsigned segment, bool *is_packed)
{
	char path[PATH_BYTES];
	int fd;

	segment_path(path, dir, segment, PACKED, "");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	*is_packed = fd >= 0;
	if (fd < 0 && errno == ENOENT) {
		segment_path(path, dir, segment, PLAIN, "");
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

uint64_t
journal_segment_size(const char *dir, unsigned segment)
{
	bool is_packed;
	struct stat st;
	int fd = segment_open(dir, segment, &is_packed);

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		st.st_size = 0;
	close(fd);
	return (uint64_t)st.st_size;
}

/* Number of a segment's file, or 0 for any other name. */
static unsigned
segment_number(const char *name)
{
	char number[16];
	uint64_t n;
	size_t len = strcspn(name, ".");

	if (len >= sizeof(number) ||
	    (strcmp(name + len, PACKED) != 0 && strcmp(name + len, PLAIN) != 0))
		return 0;
	text_set(number, len + 1, name);
	return text_to_u64(number, UINT32_MAX, &n) == 0 ? (unsigned)n : 0;
}

/* The highest number of a segment: one that is missing must be noticed. */
static int
find_last(const char *dir, unsigned *last)
{
	char path[PATH_BYTES] = "";
	const struct dirent *d;
	unsigned n;
	DIR *list;

	text_add(path, sizeof(path), "%s/journal", dir);
	list = opendir(path);
	if (list == NULL)
		return -errno;
	*last = 0;
	while ((d = readdir(list)) != NULL) {
		n = segment_number(d->d_name);
		*last = n > *last ? n : *last;
	}
	closedir(list);
	return *last > 0 ? 0 : -ENOENT;
}

/* Take in what is compressed: 1, 0 at the end of the file, or -errno. */
static int
fill_packed(struct journal_reader *j)
{
	ssize_t n;

	if (j->packed == NULL)
		j->packed = malloc(READ_BYTES);
	if (j->packed == NULL)
		return -ENOMEM;
	do
		n = read(j->fd, j->packed, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	j->at = 0;
	j->npacked = (size_t)n;
	return n > 0;
}

static int
fill_unpacking(struct journal_reader *j, uint8_t *room)
{
	ZSTD_outBuffer out = {room, READ_BYTES, 0};
	ZSTD_inBuffer in;
	size_t left;
	int got;

	/* A call that fails gives nothing: so no more than it asks for. */

	while (out.pos == 0) {
		if (j->at == j->npacked && !j->has_more) {
			got = fill_packed(j);
			if (got <= 0)
				return got;
		}
		left = j->npacked - j->at;
		left = left < j->wanted ? left : j->wanted;
		in = (ZSTD_inBuffer){j->packed, j->at + left, j->at};
		left = ZSTD_decompressStream(j->codec, &out, &in);
		j->at = in.pos;
		if (ZSTD_isError(left))
			return -EILSEQ;
		j->wanted = left > 0 ? left : FIRST_BYTES;
		j->in_pack = left != 0;
		j->has_more = out.pos == out.size;
	}
	buf_commit(&j->buf, out.pos);
	return 1;
}

/* Take in more bytes: 1, 0 at the end of this segment, or -errno. */
static int
reader_fill(struct journal_reader *j)
{
	uint8_t *room = buf_reserve(&j->buf, READ_BYTES);
	ssize_t n;

	if (room == NULL)
		return -errno;
	if (j->is_packed)
		return fill_unpacking(j, room);
	do
		n = read(j->fd, room, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf_commit(&j->buf, (size_t)n);
	return n > 0;
}

/* The codec for a segment: as new, and of bounded memory. */
static int
reader_codec(struct journal_reader *j)
{
	if (!j->is_packed)
		return 0;
	if (j->codec == NULL)
		j->codec = ZSTD_createDCtx();
	if (j->codec == NULL)
		return -ENOMEM;
	(void)ZSTD_DCtx_reset(j->codec, ZSTD_reset_session_only);
	(void)ZSTD_DCtx_setParameter(j->codec, ZSTD_d_windowLogMax, WINDOW_LOG);
	return 0;
}

/* A kill tears the last segment only: 0, or -EILSEQ for any other. */
static int
torn_here(const struct journal_reader *j)
{
	return j->segment == j->last ? 0 : -EILSEQ;
}

/* Open the next segment: 1, 0 when there is none, or -errno. */
static int
reader_advance(struct journal_reader *j)
{
	int fd, got;

	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	if (j->segment == j->last)
		return 0;
	fd = segment_open(j->dir, j->segment + 1, &j->is_packed);
	if (fd < 0)
		return fd;
	j->fd = fd;
	j->segment++;
	j->at = j->npacked = 0;
	j->in_pack = j->has_more = false;
	j->wanted = FIRST_BYTES;
	got = reader_codec(j);
	while (got >= 0 && buf_len(&j->buf) < MAGIC_BYTES) {
		got = reader_fill(j);
		if (got == 0)
			break;
	}
	if (got < 0)
		return got;
	if (buf_len(&j->buf) == 0) /* killed before anything was written */
		return torn_here(j) == 0 ? 1 : -EILSEQ;
	if (buf_len(&j->buf) < MAGIC_BYTES ||
	    memcmp(buf_data(&j->buf), MAGIC, MAGIC_BYTES) != 0)
		return -EILSEQ;
	buf_consume(&j->buf, MAGIC_BYTES);
	return 1;
}

static int
reader_init(struct journal_reader *j, const char *dir)
{
	memset(j, 0, sizeof(*j));
	j->fd = -1;
	if (!text_fits(j->dir, sizeof(j->dir), dir))
		return -ENAMETOOLONG;
	buf_init(&j->buf, READ_BYTES + FRAME_MAX);
	return 0;
}

int
journal_open(struct journal_reader *j, const char *dir)
{
	int got = reader_init(j, dir);

	if (got == 0)
		got = find_last(dir, &j->last);
	if (got == 0)
		got = reader_advance(j);
	return got < 0 ? got : 0;
}

int
journal_open_segment(
    struct journal_reader *j, const char *dir, unsigned segment)
{
	int got = reader_init(j, dir);

	j->segment = segment - 1;
	j->last = segment;
	if (got == 0)
		got = reader_advance(j);
	return got < 0 ? got : 0;
}

/* The end of a segment: go on with the next. */
static enum journal_state
end_of_segment(struct journal_reader *j)
{
	int got;

	if (buf_len(&j->buf) > 0 || j->in_pack)
		return torn_here(j) == 0 ? JOURNAL_TORN : JOURNAL_DAMAGED;
	got = reader_advance(j);
	if (got < 0)
		return JOURNAL_DAMAGED;
	return got == 0 ? JOURNAL_END : JOURNAL_EVENT;
}

enum journal_state
journal_next(struct journal_reader *j, struct event *ev, const uint8_t **raw,
    size_t *raw_len)
{
	enum journal_state end;
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
		end = end_of_segment(j);
		if (end != JOURNAL_EVENT)
			return end;
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
	ZSTD_freeDCtx(j->codec);
	j->codec = NULL;
	free(j->packed);
	j->packed = NULL;
	buf_fini(&j->buf);
}
