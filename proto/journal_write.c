/* SPDX-License-Identifier: ISC */
/* The journal's writer; see journal.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/journal_format.h"

#define WRITE_BYTES ((size_t)64 << 10)
/* As small as level 1 makes them: events of one kind resemble each other. */
#define LEVEL (-1)
/* Of a segment without events. */
#define FRAME_BYTES                                                            \
	(BLOCK_MAGIC_SIZE + 2 * BLOCK_HEAD + BLOCK_SEGMENT_BODY +              \
	    BLOCK_END_BODY)

void
journal_path(char path[JOURNAL_FILE_MAX], const char *dir, unsigned segment,
    const char *kind, const char *suffix)
{
	path[0] = '\0';
	text_add(path, JOURNAL_FILE_MAX, "%s/journal/%06u%s%s", dir, segment,
	    kind, suffix);
}

/* The file of this segment; made when there is something for it. */
static int
open_file(struct journal_writer *j)
{
	char path[JOURNAL_FILE_MAX];
	int fd;

	if (j->fd >= 0)
		return 0;
	journal_path(path, j->dir, j->segment,
	    j->codec != NULL ? JOURNAL_PACKED : JOURNAL_PLAIN, j->suffix);
	fd = file_create(path);
	if (fd < 0)
		return fd;
	j->fd = fd;
	return 0;
}

static int
close_file(struct journal_writer *j)
{
	int fd = j->fd;

	j->fd = -1;
	return fd >= 0 && close(fd) < 0 ? -errno : 0;
}

/*
 * Write from the front of a buffer what can be written: the rest of the
 * segment before, then this one. 0 or -errno.
 */
static int
write_out(struct journal_writer *j)
{
	ssize_t n;
	int err;

	for (;;) {
		err = open_file(j);
		if (err < 0 || buf_len(&j->out) == 0)
			return err;
		n = write(j->fd, buf_data(&j->out),
		    j->old > 0 ? j->old : buf_len(&j->out));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf_consume(&j->out, (size_t)n);
		if (j->old == 0) {
			j->segment_disk += (uint64_t)n;
			continue;
		}
		j->old -= (size_t)n;
		err = j->old == 0 ? close_file(j) : 0;
		if (err < 0)
			return err;
	}
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
	(void)XXH3_64bits_update(j->sum, out.dst, out.pos); /* can't fail */
	j->packed += out.pos;
	buf_commit(&j->out, out.pos);
	return ZSTD_isError(*left) ? -ENOMEM : 0;
}

/* Behind what was compressed, when all of it was. */
static int
put_seal(struct journal_writer *j)
{
	uint8_t seal[BLOCK_SEAL];

	block_put_seal(seal, j->packed, XXH3_64bits_digest(j->sum));
	return buf_append(&j->out, seal, sizeof(seal));
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
	if (err == 0 && j->codec != NULL && how == ZSTD_e_end)
		err = put_seal(j);
	buf_consume(&j->buf, in.pos);
	return err;
}

/*
 * What is packed can't be taken back: an error while writing holds it, and
 * one while packing is the end, for half a frame may be missing.
 */
static int
put_out(struct journal_writer *j, enum block_kind kind, ZSTD_EndDirective how)
{
	bool is_much = j->error < 0 && buf_len(&j->out) > j->held_max;
	int err = j->is_cut || is_much ? -ENOBUFS : 0;

	if (err == 0 && buf_len(&j->buf) > 0)
		block_close(buf_data(&j->buf), buf_len(&j->buf) - BLOCK_HEAD,
		    kind, &j->chain);
	if (err == 0)
		err = pack(j, how);
	if (err < 0) {
		j->is_cut = true;
		j->error = j->error < 0 ? j->error : err;
	}
	if (j->error == 0)
		j->error = write_out(j);
	return j->error;
}

/* The magic and the head of a segment; an error stands in j->error. */
static void
segment_begin(struct journal_writer *j, unsigned segment)
{
	uint8_t out[BLOCK_MAGIC_SIZE + BLOCK_HEAD + BLOCK_SEGMENT_BODY];
	uint8_t *block = out + BLOCK_MAGIC_SIZE;
	const struct block_segment head = {
	    segment, j->run, j->previous, j->has_beats};
	int err;

	memcpy(out, BLOCK_MAGIC, BLOCK_MAGIC_SIZE);
	block_put_segment(block + BLOCK_HEAD, &head);
	j->chain = 0;
	block_close(block, BLOCK_SEGMENT_BODY, BLOCK_SEGMENT, &j->chain);
	j->segment = segment;
	j->segment_bytes = FRAME_BYTES;
	j->segment_disk = j->packed = 0;
	j->bytes += FRAME_BYTES;
	if (j->sum != NULL)
		(void)XXH3_64bits_reset(j->sum); /* can't fail */
	err = buf_append(&j->buf, out, sizeof(out));
	if (err == 0)
		err = pack(j, ZSTD_e_continue);
	j->is_cut |= err < 0;
	j->error = j->error < 0 ? j->error : err;
	if (j->error == 0)
		j->error = open_file(j);
}

/*
 * The end of a segment, with this link or its own. False when it could not
 * be packed: the segment then goes on.
 */
static bool
segment_end(struct journal_writer *j, enum block_how how, const uint64_t *link)
{
	uint8_t block[BLOCK_HEAD + BLOCK_END_BODY] = {0};
	struct block_end end = {how, 0};

	if (put_out(j, BLOCK_EVENTS, ZSTD_e_continue) < 0)
		return false;
	end.link = link != NULL ? *link : j->chain;
	j->previous = end.link;
	block_put_end(block + BLOCK_HEAD, &end);
	j->error = buf_append(&j->buf, block, sizeof(block));
	j->is_cut |= j->error < 0;
	(void)put_out(j, BLOCK_END, ZSTD_e_end); /* it may be held */
	return !j->is_cut;
}

/* What is not written yet of the old segment goes before the new one. */
static void
segment_next(struct journal_writer *j)
{
	if (!segment_end(j, BLOCK_GOES_ON, NULL))
		return;
	j->old = buf_len(&j->out);
	if (j->old == 0)
		j->error = close_file(j);
	segment_begin(j, j->segment + 1);
}

static int
codec_init(struct journal_writer *j)
{
	j->codec = ZSTD_createCCtx();
	j->sum = XXH3_createState();
	if (j->codec == NULL || j->sum == NULL)
		return -ENOMEM;
	(void)ZSTD_CCtx_setParameter(j->codec, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(j->codec, ZSTD_c_checksumFlag, 1);
	return 0;
}

static int
writer_init(
    struct journal_writer *j, const char *dir, uint64_t run, bool is_packed)
{
	memset(j, 0, sizeof(*j));
	j->fd = -1;
	j->run = run;
	j->segment_max = JOURNAL_SEGMENT_MAX;
	j->held_max = JOURNAL_HELD_MAX;
	if (!text_fits(j->dir, sizeof(j->dir), dir))
		return j->error = -ENAMETOOLONG;
	buf_init(&j->buf, WRITE_BYTES + FRAME_MAX + BLOCK_HEAD);
	buf_init(&j->out, JOURNAL_HELD_MAX + 2 * ZSTD_CStreamOutSize());
	return j->error = is_packed ? codec_init(j) : 0;
}

static void
writer_fini(struct journal_writer *j)
{
	(void)close_file(j); /* who wants to know called it before */
	ZSTD_freeCCtx(j->codec);
	j->codec = NULL;
	(void)XXH3_freeState(j->sum); /* can't fail */
	j->sum = NULL;
	buf_fini(&j->buf);
	buf_fini(&j->out);
}

/* The folder and the first segment of a writer that was initialised. */
static int
create(struct journal_writer *j, const char *dir)
{
	char path[JOURNAL_FILE_MAX] = "";

	text_add(path, sizeof(path), "%s/journal", dir);
	if (j->error == 0 && mkdir(path, 0700) < 0)
		j->error = -errno;
	if (j->error == 0)
		segment_begin(j, 1);
	if (j->error < 0)
		writer_fini(j);
	return j->error;
}

int
journal_create(struct journal_writer *j, const char *dir, uint64_t run)
{
	(void)writer_init(j, dir, run, true); /* stands in j->error */
	return create(j, dir);
}

int
journal_create_copy(
    struct journal_writer *j, const char *dir, const struct journal_reader *of)
{
	(void)writer_init(j, dir, of->run, false); /* stands in j->error */
	j->has_beats = of->has_beats;
	return create(j, dir);
}

int
journal_flush(struct journal_writer *j)
{
	if (j->error < 0 || (buf_len(&j->buf) == 0 && buf_len(&j->out) == 0 &&
				j->codec == NULL))
		return j->error;
	return put_out(j, BLOCK_EVENTS, ZSTD_e_flush);
}

/* Into the block that is being filled, or a new one. 0 or -errno. */
static int
add_frame(struct journal_writer *j, const uint8_t *raw, size_t len)
{
	static const uint8_t head[BLOCK_HEAD];
	size_t before = buf_len(&j->buf);
	int err = 0;

	if (before == 0)
		err = buf_append(&j->buf, head, sizeof(head));
	if (err == 0)
		err = buf_append(&j->buf, raw, len);
	j->segment_bytes += buf_len(&j->buf) - before;
	j->bytes += buf_len(&j->buf) - before;
	return err;
}

int
journal_append(struct journal_writer *j, const uint8_t *raw, size_t len)
{
	int err;

	/* While the disk is full the segment just grows. */
	if (j->segment_bytes + BLOCK_HEAD + len > j->segment_max &&
	    j->error == 0)
		segment_next(j);
	if (j->is_cut)
		return j->error;
	err = add_frame(j, raw, len);
	if (err < 0) {
		j->is_cut = true;
		return j->error = j->error < 0 ? j->error : err;
	}
	j->events++;
	if (buf_len(&j->buf) >= WRITE_BYTES)
		return put_out(j, BLOCK_EVENTS, ZSTD_e_continue);
	return j->error;
}

int
journal_retry(struct journal_writer *j)
{
	int old = j->error;

	if (old == 0)
		return 0;
	j->error = write_out(j);
	if (j->error == 0 && !j->is_cut)
		(void)put_out(j, BLOCK_EVENTS, ZSTD_e_flush);
	/* Behind a hole nothing may follow. */
	if (j->error == 0 && j->is_cut)
		j->error = old;
	return j->error;
}

static int
close_as(struct journal_writer *j, enum block_how how)
{
	int err;

	if (j->error == 0)
		(void)segment_end(j, how, NULL); /* stands in j->error */
	err = close_file(j);
	err = j->error < 0 ? j->error : err;
	writer_fini(j);
	return err;
}

int
journal_close(struct journal_writer *j)
{
	return close_as(j, BLOCK_OVER);
}

int
journal_close_copy(struct journal_writer *j, enum journal_state state)
{
	return close_as(j, state == JOURNAL_TORN      ? BLOCK_OVER_TORN
			   : state == JOURNAL_DAMAGED ? BLOCK_OVER_DAMAGED
						      : BLOCK_OVER);
}

int
journal_rewrite_begin(struct journal_writer *j, const struct journal_reader *r)
{
	if (writer_init(j, r->dir, r->run, true) == 0) {
		j->previous = r->previous;
		j->has_beats = r->has_beats;
		j->segment_max = UINT64_MAX;
		text_set(j->suffix, sizeof(j->suffix), ".new");
		segment_begin(j, r->segment);
	}
	if (j->error < 0)
		writer_fini(j);
	return j->error;
}

/* The new file is on the disk before it takes the place of the old one. */
static int
rewrite_place(struct journal_writer *j, const struct block_end *end)
{
	char from[JOURNAL_FILE_MAX], to[JOURNAL_FILE_MAX];

	(void)segment_end(j, end->how, &end->link); /* stands in j->error */
	if (j->error < 0)
		return j->error;
	journal_path(from, j->dir, j->segment, JOURNAL_PACKED, j->suffix);
	journal_path(to, j->dir, j->segment, JOURNAL_PACKED, "");
	if (fdatasync(j->fd) < 0 || rename(from, to) < 0)
		return -errno;
	return 0;
}

int
journal_rewrite_end(struct journal_writer *j, const struct journal_reader *r)
{
	int err = r != NULL ? rewrite_place(j, &r->end) : 0;
	char path[JOURNAL_FILE_MAX];

	journal_path(path, j->dir, j->segment, JOURNAL_PACKED, j->suffix);
	if (r == NULL || err < 0)
		(void)unlink(path);
	writer_fini(j);
	return err;
}
