/* SPDX-License-Identifier: ISC */
/* The journal's reader; see journal.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/journal_format.h"

#define READ_BYTES  ((size_t)256 << 10)
#define WINDOW_LOG  23 /* a reader takes no file that wants more memory */
#define FIRST_BYTES 16 /* to look at the head of a compressed file */

/* Files */

/* Open a segment in either form: a descriptor or -errno. */
static int
segment_open(const char *dir, unsigned segment, bool *is_packed)
{
	char path[JOURNAL_FILE_MAX];
	int fd;

	journal_path(path, dir, segment, JOURNAL_PACKED, "");
	fd = file_open(path);
	*is_packed = fd != -ENOENT;
	if (*is_packed)
		return fd;
	journal_path(path, dir, segment, JOURNAL_PLAIN, "");
	return file_open(path);
}

static uint64_t
file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t
journal_segment_size(const char *dir, unsigned segment)
{
	bool is_packed;
	uint64_t size;
	int fd = segment_open(dir, segment, &is_packed);

	if (fd < 0)
		return 0;
	size = file_size(fd);
	(void)close(fd); /* nothing was written */
	return size;
}

/* Number of a segment's file, or 0 for any other name. */
static unsigned
segment_number(const char *name)
{
	char number[16];
	uint64_t n;
	size_t len = strcspn(name, ".");

	if (len >= sizeof(number) ||
	    (strcmp(name + len, JOURNAL_PACKED) != 0 &&
		strcmp(name + len, JOURNAL_PLAIN) != 0))
		return 0;
	text_set(number, len + 1, name);
	return text_to_u64(number, UINT32_MAX, &n) == 0 ? (unsigned)n : 0;
}

/* The highest number of a segment: one that is missing must be noticed. */
static int
find_last(const char *dir, unsigned *last)
{
	char path[JOURNAL_FILE_MAX] = "";
	const struct dirent *d;
	unsigned n;
	DIR *list;
	int fd;

	text_add(path, sizeof(path), "%s/journal", dir);
	fd = file_open_dir(path);
	if (fd < 0)
		return fd;
	list = fdopendir(fd);
	if (list == NULL) {
		(void)close(fd); /* nothing was written */
		return -ENOMEM;
	}
	*last = 0;
	while ((d = readdir(list)) != NULL) {
		n = segment_number(d->d_name);
		*last = n > *last ? n : *last;
	}
	closedir(list);
	return *last > 0 ? 0 : -ENOENT;
}

/* Bytes of a segment */

static enum journal_state
damaged(struct journal_reader *j, const char *why)
{
	j->why = why;
	return j->over = JOURNAL_DAMAGED;
}

/* Bytes as they stand in the file, before its seal: how many, or -errno. */
static ssize_t
take_bytes(struct journal_reader *j, uint8_t *room, size_t len)
{
	const struct journal_bytes *m;
	ssize_t n;

	len = len < j->left ? len : (size_t)j->left;
	if (j->memory != NULL) {
		m = &j->memory[j->segment - 1];
		len = len < m->len - j->offset ? len : m->len - j->offset;
		if (len > 0)
			memcpy(room, m->data + j->offset, len);
		j->offset += len;
		n = (ssize_t)len;
	} else
		do
			n = read(j->fd, room, len);
		while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	j->left -= (uint64_t)n;
	j->size += (uint64_t)n;
	return n;
}

/* Take in what is compressed: 1, 0 at the end of the file, or -errno. */
static int
fill_packed(struct journal_reader *j)
{
	ssize_t n = take_bytes(j, j->packed, READ_BYTES);

	if (n < 0)
		return (int)n;
	(void)XXH3_64bits_update(j->sum, j->packed, (size_t)n); /* can't fail */
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
		/* One frame is all of a segment; in version 1 more could be. */
		if (j->version == 2 && !j->in_pack)
			return 0;
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
	n = take_bytes(j, room, READ_BYTES);
	if (n < 0)
		return (int)n;
	buf_commit(&j->buf, (size_t)n);
	return n > 0;
}

/* The last bytes of a segment: whether it was written to its end. */
static void
look_at_seal(struct journal_reader *j)
{
	const struct journal_bytes *m =
	    j->memory != NULL ? &j->memory[j->segment - 1] : NULL;
	uint64_t size = m != NULL ? m->len : file_size(j->fd);
	uint8_t tail[BLOCK_HEAD + BLOCK_END_BODY];

	j->is_sealed = false;
	j->left = UINT64_MAX;
	if (size < sizeof(tail))
		return;
	size -= sizeof(tail);
	if (m != NULL)
		memcpy(tail, m->data + size, sizeof(tail));
	else if (pread(j->fd, tail, sizeof(tail), (off_t)size) !=
		 (ssize_t)sizeof(tail))
		return;
	if (!j->is_packed) {
		j->is_sealed = block_may_be_end(tail);
		return;
	}
	memcpy(j->seal, tail + sizeof(tail) - BLOCK_SEAL, BLOCK_SEAL);
	size += sizeof(tail) - BLOCK_SEAL;
	j->is_sealed = block_is_seal(j->seal, BLOCK_SEAL, size, NULL);
	j->left = j->is_sealed ? size : UINT64_MAX;
}

/* The codec for a segment: as new, and of bounded memory. */
static int
reader_codec(struct journal_reader *j)
{
	if (j->codec == NULL)
		j->codec = ZSTD_createDCtx();
	if (j->sum == NULL)
		j->sum = XXH3_createState();
	if (j->packed == NULL)
		j->packed = malloc(READ_BYTES);
	if (j->codec == NULL || j->sum == NULL || j->packed == NULL)
		return -ENOMEM;
	(void)ZSTD_DCtx_reset(j->codec, ZSTD_reset_session_only);
	(void)ZSTD_DCtx_setParameter(j->codec, ZSTD_d_windowLogMax, WINDOW_LOG);
	(void)XXH3_64bits_reset(j->sum); /* can't fail */
	return 0;
}

/* From the first byte of the segment that is open, to behind its magic. */
static enum journal_state
from_the_top(struct journal_reader *j)
{
	unsigned version;
	int got = 1;

	buf_consume(&j->buf, buf_len(&j->buf));
	j->at = j->npacked = j->offset = 0;
	j->size = 0;
	j->in_pack = j->has_more = false;
	j->wanted = FIRST_BYTES;
	look_at_seal(j);
	if (j->is_packed && reader_codec(j) < 0)
		return damaged(j, "no memory to read it");
	j->in_pack = j->is_packed;
	while (got > 0 && buf_len(&j->buf) < BLOCK_MAGIC_SIZE)
		got = reader_fill(j);
	if (got < 0)
		return damaged(j, "it can't be unpacked");
	if (got == 0) { /* killed before anything was written */
		if (j->segment == j->last && !j->is_sealed &&
		    memcmp(buf_data(&j->buf), BLOCK_MAGIC, buf_len(&j->buf)) ==
			0)
			return j->over = JOURNAL_TORN;
		return damaged(j, "it has no head");
	}
	version =
	    memcmp(buf_data(&j->buf), BLOCK_MAGIC, BLOCK_MAGIC_SIZE) == 0 ? 2
	    : memcmp(buf_data(&j->buf), BLOCK_MAGIC_OLD, BLOCK_MAGIC_SIZE) == 0
		? 1
		: 0;
	if (version == 0 || (j->version != 0 && version != j->version))
		return damaged(j, "it is no segment of this journal");
	j->version = version;
	j->has_beats = version == 1;
	buf_consume(&j->buf, BLOCK_MAGIC_SIZE);
	return JOURNAL_EVENT;
}

/*
 * In version 1 the only checksum is the codec's, which stands at the end: the
 * segment is read to there, and then again for its events.
 */
static enum journal_state
look_through(struct journal_reader *j)
{
	int got;

	do {
		buf_consume(&j->buf, buf_len(&j->buf));
		got = reader_fill(j);
	} while (got > 0);
	if (got < 0)
		return damaged(j, "it can't be unpacked");
	if (j->memory == NULL && lseek(j->fd, 0, SEEK_SET) < 0)
		return damaged(j, "it can't be read");
	return from_the_top(j);
}

/* Open the next segment; JOURNAL_END when there is none. *err of opening. */
static enum journal_state
reader_advance(struct journal_reader *j, int *err)
{
	enum journal_state state;

	if (j->fd >= 0)
		(void)close(j->fd); /* nothing was written */
	j->fd = -1;
	if (j->segment == j->last)
		return j->over = JOURNAL_END;
	j->segment++;
	if (j->memory != NULL)
		j->is_packed = j->memory[j->segment - 1].is_packed;
	else {
		*err = segment_open(j->dir, j->segment, &j->is_packed);
		if (*err < 0)
			return damaged(j, "it is not there");
		j->fd = *err;
	}
	*err = 0;
	j->link = j->end.link;
	memset(&j->end, 0, sizeof(j->end));
	j->chain = 0;
	j->has_head = false;
	state = from_the_top(j);
	if (state == JOURNAL_EVENT && j->version == 1 && j->is_packed)
		state = look_through(j);
	return state;
}

/* Blocks */

/* Whether the head is that of the segment that belongs here. */
static bool
take_head(struct journal_reader *j, const uint8_t *body, size_t len)
{
	struct block_segment head;

	if (!block_get_segment(body, len, &head) || head.number != j->segment)
		return false;
	if (!j->is_single && (head.previous != j->link ||
				 (j->segment > 1 && head.run != j->run)))
		return false;
	j->run = head.run;
	j->previous = head.previous;
	j->has_beats = head.has_beats;
	return j->has_head = true;
}

/* A block that was found whole stands at the front of the buffer. */
static enum journal_state
take_block(struct journal_reader *j, const struct block *b)
{
	const uint8_t *body;

	buf_consume(&j->buf, BLOCK_HEAD);
	body = buf_data(&j->buf);
	if (j->has_head != (b->kind != BLOCK_SEGMENT))
		return damaged(j, "a block is not where it belongs");
	if (b->kind == BLOCK_SEGMENT && !take_head(j, body, b->body))
		return damaged(j, "it is another segment, or of another run");
	if (b->kind == BLOCK_END && !block_get_end(body, b->body, &j->end))
		return damaged(j, "its end can't be read");
	if (b->kind == BLOCK_EVENTS)
		j->block = b->body;
	else
		buf_consume(&j->buf, b->body);
	return JOURNAL_EVENT;
}

/*
 * A kill tears the last segment only, and one that was written to its end was
 * not torn.
 */
static enum journal_state
torn(struct journal_reader *j)
{
	if (j->segment != j->last || j->is_single || j->is_sealed)
		return damaged(j, "bytes are missing at its end");
	return j->over = JOURNAL_TORN;
}

/*
 * What stands behind the codec's frame: the seal, whole and true. One that was
 * compressed by another program has none, and lacks nothing.
 */
static enum journal_state
look_behind(struct journal_reader *j)
{
	size_t len = j->npacked - j->at;
	uint64_t sum, bytes = j->size - len;
	ssize_t n = 1;

	if (j->is_sealed) {
		sum = XXH3_64bits_digest(j->sum);
		if (len > 0 || j->left > 0 ||
		    !block_is_seal(j->seal, BLOCK_SEAL, j->size, &sum))
			return damaged(j, "its checksum is wrong");
		return JOURNAL_EVENT;
	}
	if (len > 0)
		memmove(j->packed, j->packed + j->at, len);
	for (; n > 0 && len < BLOCK_SEAL; len += (size_t)n) {
		n = take_bytes(j, j->packed + len, BLOCK_SEAL - len);
		if (n < 0)
			return damaged(j, "it can't be read");
	}
	if (len == BLOCK_SEAL || !block_is_seal(j->packed, len, bytes, NULL))
		return damaged(j, "something else stands behind its end");
	return len > 0 ? torn(j) : JOURNAL_EVENT;
}

/* The end of a segment of version 2: whether it is the right one. */
static enum journal_state
look_at_end(struct journal_reader *j)
{
	enum journal_state state = JOURNAL_EVENT;

	if (j->end.how == 0 && j->is_packed && !j->in_pack)
		return damaged(j, "it has no end");
	if (j->end.how == 0 || j->in_pack)
		return torn(j);
	if (j->is_packed)
		state = look_behind(j);
	if (state != JOURNAL_EVENT || j->is_single)
		return state;
	if (j->end.how != BLOCK_GOES_ON && j->segment != j->last)
		return damaged(j, "it is the last, and others follow");
	if (j->end.how == BLOCK_OVER_DAMAGED)
		return damaged(j, "it is a copy of what was damaged here");
	/* Or killed between two segments. */
	if (j->end.how == BLOCK_OVER_TORN ||
	    (j->end.how == BLOCK_GOES_ON && j->segment == j->last))
		j->over = JOURNAL_TORN;
	return j->over;
}

/* The end of a segment: go on with the next. */
static enum journal_state
end_of_segment(struct journal_reader *j)
{
	enum journal_state state = JOURNAL_EVENT;
	int err;

	if (j->version == 2)
		state = look_at_end(j);
	else if (buf_len(&j->buf) > 0 || j->in_pack)
		state = torn(j);
	return state == JOURNAL_EVENT ? reader_advance(j, &err) : state;
}

/* Have a whole frame or block more in the buffer, or come to an end. */
static enum journal_state
need_more(struct journal_reader *j)
{
	int got = reader_fill(j);

	if (got < 0)
		return damaged(j, "it can't be unpacked");
	return got > 0 ? JOURNAL_EVENT : end_of_segment(j);
}

/* Take the next block, or the bytes that it lacks. */
static enum journal_state
next_block(struct journal_reader *j)
{
	struct block b;

	if (j->end.how != 0 && buf_len(&j->buf) > 0)
		return damaged(j, "something stands behind its end");
	switch (
	    block_look(buf_data(&j->buf), buf_len(&j->buf), &j->chain, &b)) {
	case BLOCK_WHOLE:
		return take_block(j, &b);
	case BLOCK_MORE:
		return need_more(j);
	case BLOCK_DAMAGED:
	case BLOCK_STATES:
		break;
	}
	return damaged(j, "a checksum is wrong");
}

/* Opening, and reading on */

static int
reader_init(struct journal_reader *j, const char *dir)
{
	memset(j, 0, sizeof(*j));
	j->fd = -1;
	if (!text_fits(j->dir, sizeof(j->dir), dir))
		return -ENAMETOOLONG;
	buf_init(&j->buf, READ_BYTES + BLOCK_HEAD + BLOCK_BODY_MAX);
	return 0;
}

/* The first segment: what is wrong in it is said by journal_next(). */
static int
reader_begin(struct journal_reader *j)
{
	int err = 0;
	enum journal_state state = reader_advance(j, &err);

	/* Who copies it wants to know its head. */
	while (state == JOURNAL_EVENT && j->version == 2 && !j->has_head)
		state = next_block(j);
	return err;
}

int
journal_open(struct journal_reader *j, const char *dir)
{
	int err = reader_init(j, dir);

	if (err == 0)
		err = find_last(dir, &j->last);
	return err == 0 ? reader_begin(j) : err;
}

int
journal_open_segment(
    struct journal_reader *j, const char *dir, unsigned segment)
{
	int err = reader_init(j, dir);

	j->segment = segment - 1;
	j->last = segment;
	j->is_single = true;
	return err == 0 ? reader_begin(j) : err;
}

int
journal_open_memory(
    struct journal_reader *j, const struct journal_bytes *segments, unsigned n)
{
	int err = reader_init(j, "");

	j->memory = segments;
	j->last = n;
	return err == 0 ? reader_begin(j) : err;
}

/* A whole frame in front, of used bytes. */
static enum journal_state
next_frame(struct journal_reader *j, struct event *ev, size_t *used)
{
	enum journal_state state = JOURNAL_EVENT;
	enum frame_state frame;

	for (;;) {
		while (
		    state == JOURNAL_EVENT && j->version == 2 && j->block == 0)
			state = next_block(j);
		if (state != JOURNAL_EVENT)
			return state;
		frame = frame_decode(buf_data(&j->buf),
		    j->version == 2 ? j->block : buf_len(&j->buf), ev, used);
		if (frame == FRAME_WHOLE)
			return JOURNAL_EVENT;
		if (frame == FRAME_MALFORMED || j->version == 2)
			return damaged(j, "something that is no event");
		state = need_more(j);
	}
}

enum journal_state
journal_next(struct journal_reader *j, struct event *ev, const uint8_t **raw,
    size_t *raw_len)
{
	size_t used = 0;

	if (j->over != JOURNAL_EVENT ||
	    next_frame(j, ev, &used) != JOURNAL_EVENT)
		return j->over;
	if (raw != NULL) {
		*raw = buf_data(&j->buf);
		*raw_len = used;
	}
	buf_consume(&j->buf, used);
	j->block -= j->version == 2 ? used : 0;
	j->events++;
	return JOURNAL_EVENT;
}

void
journal_reader_fini(struct journal_reader *j)
{
	if (j->fd >= 0)
		(void)close(j->fd); /* nothing was written */
	j->fd = -1;
	ZSTD_freeDCtx(j->codec);
	j->codec = NULL;
	(void)XXH3_freeState(j->sum); /* can't fail */
	j->sum = NULL;
	free(j->packed);
	j->packed = NULL;
	buf_fini(&j->buf);
}
