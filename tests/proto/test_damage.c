/* SPDX-License-Identifier: ISC */
/*
 * A journal that is not as it was written: whatever bit changed, wherever it
 * is cut, whatever stands in another's place, no event is given out that was
 * not written there, and it is said. In both forms.
 */
#include "tests/image.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "proto/journal.h"

#define BLOCKS	 4
#define EACH	 6 /* events of a block */
#define EVENTS	 (BLOCKS * EACH)
#define SEGMENTS 3
#define RUN	 UINT64_C(4711)

/* A whole journal of one segment, and how it was written. */
static struct buf packed, plain;
static struct image_pieces blocks, frames;

/* Another of several segments. */
static struct buf segments[SEGMENTS], foreign[SEGMENTS];

static void
write_events(struct journal_writer *j, uint64_t first, uint64_t n)
{
	struct event ev = {.type = MESSAGE_OPTION, .incarnation = 1};
	uint8_t frame[FRAME_MAX];
	int len;

	for (; n > 0; n--) {
		ev.seq = first++;
		ev.time_ns = ev.seq * 1000;
		memset(ev.u.option.value, (int)('a' + ev.seq % 26), 40);
		len = frame_encode(&ev, frame);
		assert_int_equal(journal_append(j, frame, (size_t)len), 0);
	}
}

static void
make_whole(void)
{
	char dir[SUPPORT_PATH_MAX];
	struct journal_writer j;
	uint64_t i;

	support_dir_make(dir);
	assert_int_equal(journal_create(&j, dir, RUN), 0);
	for (i = 0; i < BLOCKS; i++) {
		write_events(&j, i * EACH + 1, EACH);
		assert_int_equal(journal_flush(&j), 0);
	}
	assert_int_equal(journal_close(&j), 0);
	image_load(&packed, dir, 1, true);
	image_unpack(&plain, &packed);
	image_blocks(&plain, &blocks);
	image_frames(&plain, &frames);
	support_dir_remove(dir);
}

static void
make_segments(struct buf *out, uint64_t run, uint64_t first)
{
	char dir[SUPPORT_PATH_MAX];
	struct journal_writer j;
	unsigned i;

	support_dir_make(dir);
	assert_int_equal(journal_create(&j, dir, run), 0);
	j.segment_max = 1000;
	for (; j.segment < SEGMENTS; first++)
		write_events(&j, first, 1);
	assert_int_equal(journal_close(&j), 0);
	for (i = 0; i < SEGMENTS; i++)
		image_load(&out[i], dir, i + 1, true);
	support_dir_remove(dir);
}

static enum journal_state
read_one(const struct buf *b, bool is_packed, uint64_t *events)
{
	const struct journal_bytes s = {buf_data(b), buf_len(b), is_packed};

	return image_read(&s, 1, events);
}

static void
test_whole(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(blocks.n, BLOCKS + 2);
	assert_int_equal(frames.n, EVENTS);
	assert_int_equal(read_one(&packed, true, &n), JOURNAL_END);
	assert_int_equal(n, EVENTS);
	assert_int_equal(read_one(&plain, false, &n), JOURNAL_END);
	assert_int_equal(n, EVENTS);
}

/* Each bit, one by one: said, and what is read before is in whole blocks. */
static void
flip_all(struct buf *b, bool is_packed)
{
	uint64_t n, bits = (uint64_t)buf_len(b) * 8, i;
	uint8_t *data = buf_data(b);

	for (i = 0; i < bits; i++) {
		data[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(read_one(b, is_packed, &n), JOURNAL_DAMAGED);
		assert_true(n <= EVENTS && n % EACH == 0);
		data[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	assert_int_equal(
	    read_one(b, is_packed, &n), JOURNAL_END); /* as it was */
}

static void
test_every_bit(void **state)
{
	(void)state;
	flip_all(&packed, true);
	flip_all(&plain, false);
}

/*
 * Cut anywhere: torn. Without any of its seal a compressed one is as another
 * program would compress it, and lacks nothing.
 */
static void
test_every_length(void **state)
{
	struct buf part;
	uint64_t n, last;
	size_t len;

	(void)state;
	for (len = 0, last = 0; len < buf_len(&plain); len++) {
		part = plain;
		part.tail = part.head + len;
		assert_int_equal(read_one(&part, false, &n), JOURNAL_TORN);
		assert_true(n == last || n == last + EACH);
		last = n;
	}
	for (len = 0, last = 0; len < buf_len(&packed); len++) {
		part = packed;
		part.tail = part.head + len;
		assert_int_equal(read_one(&part, true, &n),
		    len + BLOCK_SEAL == buf_len(&packed) ? JOURNAL_END
							 : JOURNAL_TORN);
		assert_true(n >= last && n % EACH == 0);
		last = n;
	}
	assert_int_equal(last, EVENTS);
}

/* Bytes behind the end. */
static void
test_more(void **state)
{
	struct buf longer;
	uint64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		buf_init(&longer, 1 << 20);
		buf_append(&longer, buf_data(i ? &packed : &plain),
		    buf_len(i ? &packed : &plain));
		buf_append(&longer, "x", 1);
		assert_int_equal(
		    read_one(&longer, i == 1, &n), JOURNAL_DAMAGED);
		buf_append(&longer, buf_data(i ? &packed : &plain),
		    buf_len(i ? &packed : &plain));
		assert_int_equal(
		    read_one(&longer, i == 1, &n), JOURNAL_DAMAGED);
		buf_fini(&longer);
	}
}

/* The pieces of the plain form in this order, n of them; others stay. */
static void
rearranged(const struct image_pieces *p, const size_t *order, size_t n)
{
	const struct image_piece *last = &p->piece[p->n - 1];
	size_t begin = p->piece[0].at, i;
	struct buf b, again;
	uint64_t events;

	buf_init(&b, 1 << 20);
	buf_append(&b, buf_data(&plain), begin);
	for (i = 0; i < n; i++)
		buf_append(&b, buf_data(&plain) + p->piece[order[i]].at,
		    p->piece[order[i]].len);
	buf_append(&b, buf_data(&plain) + last->at + last->len,
	    buf_len(&plain) - last->at - last->len);
	assert_int_equal(read_one(&b, false, &events), JOURNAL_DAMAGED);
	image_pack(&again, &b);
	assert_int_equal(read_one(&again, true, &events), JOURNAL_DAMAGED);
	buf_fini(&again);
	buf_fini(&b);
}

/* Each piece removed, doubled, and changed with the next. */
static void
rearrange(const struct image_pieces *p, size_t n)
{
	size_t order[EVENTS + 1], i, k, len;

	for (i = 0; i < n; i++) {
		for (k = 0, len = 0; k < p->n; k++)
			if (k != i)
				order[len++] = k;
		rearranged(p, order, len);
		for (k = 0, len = 0; k < p->n; k++) {
			order[len++] = k;
			if (k == i)
				order[len++] = k;
		}
		rearranged(p, order, len);
		for (k = 0; k < p->n; k++)
			order[k] = k;
		order[i] = i + 1 < p->n ? i + 1 : i - 1;
		order[order[i]] = i;
		rearranged(p, order, p->n);
	}
}

static void
test_rearranged_frames(void **state)
{
	struct image_pieces of_block;
	size_t i;

	(void)state;
	/* What is between blocks stays where it is. */
	for (i = 0; i < BLOCKS; i++) {
		of_block.n = EACH;
		memcpy(of_block.piece, &frames.piece[i * EACH],
		    EACH * sizeof(of_block.piece[0]));
		rearrange(&of_block, EACH);
	}
}

/* The end, if it is removed, is torn off. */
static void
test_rearranged_blocks(void **state)
{
	(void)state;
	rearrange(&blocks, blocks.n - 1);
}

static enum journal_state
read_segments(const struct buf *a, const struct buf *b, const struct buf *c,
    uint64_t *events)
{
	const struct journal_bytes s[SEGMENTS] = {
	    {buf_data(a), buf_len(a), true}, {buf_data(b), buf_len(b), true},
	    {c != NULL ? buf_data(c) : NULL, c != NULL ? buf_len(c) : 0, true}};

	return image_read(s, c != NULL ? 3 : 2, events);
}

static void
test_segments(void **state)
{
	const struct buf *s = segments;
	uint64_t n, all;
	unsigned i;

	(void)state;
	assert_int_equal(read_segments(&s[0], &s[1], &s[2], &all), JOURNAL_END);
	/* Of another run, and of the same at another time: each of them. */
	for (i = 0; i < SEGMENTS; i++)
		assert_int_equal(read_segments(i == 0 ? &foreign[0] : &s[0],
				     i == 1 ? &foreign[1] : &s[1],
				     i == 2 ? &foreign[2] : &s[2], &n),
		    JOURNAL_DAMAGED);
	/* Copied, swapped, one missing. */
	assert_int_equal(
	    read_segments(&s[0], &s[0], &s[2], &n), JOURNAL_DAMAGED);
	assert_int_equal(
	    read_segments(&s[0], &s[1], &s[1], &n), JOURNAL_DAMAGED);
	assert_int_equal(
	    read_segments(&s[1], &s[0], &s[2], &n), JOURNAL_DAMAGED);
	assert_int_equal(n, 0);
	assert_int_equal(
	    read_segments(&s[0], &s[2], &s[1], &n), JOURNAL_DAMAGED);
	assert_int_equal(
	    read_segments(&s[0], &s[2], NULL, &n), JOURNAL_DAMAGED);
	assert_int_equal(
	    read_segments(&s[1], &s[2], NULL, &n), JOURNAL_DAMAGED);
	assert_int_equal(n, 0);
	/* The last one may not have been made yet. */
	assert_int_equal(read_segments(&s[0], &s[1], NULL, &n), JOURNAL_TORN);
	assert_true(n < all);
	/* A whole journal, and something behind it. */
	assert_int_equal(
	    read_segments(&packed, &s[1], NULL, &n), JOURNAL_DAMAGED);
	assert_int_equal(n, EVENTS);
}

/* What a killed writer left: a changed bit never makes a whole one of it. */
static void
test_bits_of_torn(void **state)
{
	struct buf part = packed;
	uint64_t n, i;
	uint8_t *data = buf_data(&part);

	(void)state;
	part.tail -= BLOCK_SEAL + 10;
	for (i = 0; i < (uint64_t)buf_len(&part) * 8; i++) {
		data[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_not_equal(read_one(&part, true, &n), JOURNAL_END);
		assert_true(n <= EVENTS && n % EACH == 0);
		data[i / 8] ^= (uint8_t)(1U << i % 8);
	}
}

/*
 * Version 1: what the codec's checksum is wrong of gives out nothing. Where
 * bits are none of the content, or look as if bytes were missing, that is
 * all that can be known.
 */
static void
test_old(void **state)
{
	struct buf old, old_packed;
	uint64_t n, i, damaged = 0, bits;
	enum journal_state got;
	uint8_t *data;

	(void)state;
	image_build(&old, 1, buf_data(&plain), &frames, EVENTS);
	image_pack(&old_packed, &old);
	assert_int_equal(read_one(&old, false, &n), JOURNAL_END);
	assert_int_equal(n, EVENTS);
	assert_int_equal(read_one(&old_packed, true, &n), JOURNAL_END);
	assert_int_equal(n, EVENTS);
	data = buf_data(&old_packed);
	bits = (uint64_t)buf_len(&old_packed) * 8;
	for (i = 0; i < bits; i++) {
		data[i / 8] ^= (uint8_t)(1U << i % 8);
		got = read_one(&old_packed, true, &n);
		if (got == JOURNAL_DAMAGED) {
			assert_int_equal(n, 0);
			damaged++;
		}
		data[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	assert_true(damaged > bits * 9 / 10);
	buf_fini(&old_packed);
	buf_fini(&old);
}

/* The two versions are not mixed. */
static void
test_mixed(void **state)
{
	struct journal_bytes s[2] = {
	    {buf_data(&segments[0]), buf_len(&segments[0]), true}};
	struct buf old;
	uint64_t n;

	(void)state;
	image_build(&old, 1, buf_data(&plain), &frames, EVENTS);
	s[1] = (struct journal_bytes){buf_data(&old), buf_len(&old), false};
	assert_int_equal(image_read(s, 2, &n), JOURNAL_DAMAGED);
	s[1] = s[0];
	s[0] = (struct journal_bytes){buf_data(&old), buf_len(&old), false};
	assert_int_equal(image_read(s, 2, &n), JOURNAL_DAMAGED);
	assert_int_equal(n, EVENTS);
	buf_fini(&old);
}

static int
make_all(void **state)
{
	(void)state;
	make_whole();
	make_segments(segments, RUN, 1);
	make_segments(foreign, RUN, 2);
	return 0;
}

static int
free_all(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < SEGMENTS; i++) {
		buf_fini(&segments[i]);
		buf_fini(&foreign[i]);
	}
	buf_fini(&packed);
	buf_fini(&plain);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_every_bit),
	    cmocka_unit_test(test_every_length),
	    cmocka_unit_test(test_more),
	    cmocka_unit_test(test_rearranged_frames),
	    cmocka_unit_test(test_rearranged_blocks),
	    cmocka_unit_test(test_segments),
	    cmocka_unit_test(test_bits_of_torn),
	    cmocka_unit_test(test_old),
	    cmocka_unit_test(test_mixed),
	};
	int failed = cmocka_run_group_tests(tests, make_all, free_all);

	frame_cleanup();
	return failed;
}
