/* SPDX-License-Identifier: ISC */
/* journal: what was appended is read; what is broken is said. */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/journal.h"

static char dir[SUPPORT_PATH_MAX];

static void
segment_path(char *out, size_t size, unsigned segment)
{
	(void)snprintf(out, size, "%s/journal/%06u.nbj", dir, segment);
}

static void
write_events(struct journal_writer *j, uint64_t first, uint64_t n)
{
	struct event ev = {.type = MESSAGE_DONE};
	uint8_t frame[FRAME_MAX];
	int len;

	for (; n > 0; n--) {
		ev.seq = ev.u.done.id = first++;
		len = frame_encode(&ev, frame);
		assert_int_equal(journal_append(j, frame, (size_t)len), 0);
	}
}

/* Read all: events of ids 1, 2, 3..., their count, and how it ended. */
static enum journal_state
read_events(uint64_t *n)
{
	struct journal_reader r;
	enum journal_state state;
	const uint8_t *raw;
	struct event ev;
	size_t len;

	*n = 0;
	assert_int_equal(journal_open(&r, dir), 0);
	while ((state = journal_next(&r, &ev, &raw, &len)) == JOURNAL_EVENT) {
		++*n;
		if (ev.type == MESSAGE_DONE)
			assert_int_equal(ev.u.done.id, *n);
	}
	assert_int_equal(r.events, *n);
	journal_reader_fini(&r);
	return state;
}

static void
make(uint64_t n)
{
	struct journal_writer j;

	assert_int_equal(journal_create(&j, dir), 0);
	write_events(&j, 1, n);
	assert_int_equal(j.events, n);
	assert_int_equal(journal_close(&j), 0);
}

static void
test_there_and_back(void **state)
{
	uint64_t n;

	(void)state;
	make(100000);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 100000);
}

static void
test_empty(void **state)
{
	uint64_t n;

	(void)state;
	make(0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 0);
}

static void
test_exists(void **state)
{
	struct journal_writer j;

	(void)state;
	make(1);
	assert_int_equal(journal_create(&j, dir), -EEXIST);
}

static void
test_no_folder(void **state)
{
	struct journal_writer j;
	struct journal_reader r;
	char path[SUPPORT_PATH_MAX + 8], *lengthy;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(journal_create(&j, path), -ENOENT);
	assert_int_equal(journal_open(&r, path), -ENOENT);
	journal_reader_fini(&r);
	lengthy = malloc(JOURNAL_PATH_MAX + 1);
	assert_non_null(lengthy);
	memset(lengthy, 'x', JOURNAL_PATH_MAX);
	lengthy[JOURNAL_PATH_MAX] = '\0';
	assert_int_equal(journal_create(&j, lengthy), -ENAMETOOLONG);
	assert_int_equal(journal_open(&r, lengthy), -ENAMETOOLONG);
	free(lengthy);
}

/* What was flushed is there for a reader although nobody closed. */
static void
test_flush(void **state)
{
	struct journal_writer j;
	uint64_t n;

	(void)state;
	assert_int_equal(journal_create(&j, dir), 0);
	write_events(&j, 1, 10);
	assert_int_equal(journal_flush(&j), 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 10);
	assert_int_equal(journal_close(&j), 0);
}

static off_t
size_of(unsigned segment)
{
	char path[SUPPORT_PATH_MAX + 32];
	struct stat st;

	segment_path(path, sizeof(path), segment);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
cut(unsigned segment, off_t size)
{
	char path[SUPPORT_PATH_MAX + 32];

	segment_path(path, sizeof(path), segment);
	assert_int_equal(truncate(path, size), 0);
}

static void
patch(unsigned segment, off_t at, uint8_t byte)
{
	char path[SUPPORT_PATH_MAX + 32];
	int fd;

	segment_path(path, sizeof(path), segment);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* Cut at every length of the last frames: torn, or a whole event less. */
static void
test_torn_tail(void **state)
{
	uint64_t n, last = 50;
	off_t size;

	(void)state;
	make(50);
	for (size = size_of(1) - 1; last > 45; size--) {
		cut(1, size);
		if (read_events(&n) == JOURNAL_END)
			last = n;
		else
			assert_int_equal(n, last - 1);
		assert_in_range(n, last - 1, last);
	}
	cut(1, 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
}

static void
test_damage(void **state)
{
	enum journal_state got;
	uint64_t n;

	(void)state;
	make(50);
	patch(1, 8, 0);
	patch(1, 9, 0);
	got = read_events(&n);
	assert_int_equal(got, JOURNAL_DAMAGED);
	assert_int_equal(n, 0);
	patch(1, 0, 'X'); /* the magic */
	assert_int_equal(
	    journal_open(&(struct journal_reader){0}, dir), -EILSEQ);
}

static int
big_frame(uint8_t frame[FRAME_MAX])
{
	struct rng rng;
	struct event ev;

	rng_init(&rng, 1, "journal");
	support_fill(&ev, MESSAGE_OPTION, FILL_MOST, &rng);
	return frame_encode(&ev, frame);
}

static void
make_segments(unsigned segments)
{
	struct journal_writer j;
	uint8_t frame[FRAME_MAX];
	int len = big_frame(frame);

	assert_int_equal(journal_create(&j, dir), 0);
	while (j.segment < segments)
		assert_int_equal(journal_append(&j, frame, (size_t)len), 0);
	assert_int_equal(journal_close(&j), 0);
}

static void
test_segments(void **state)
{
	uint64_t n, per;
	uint8_t frame[FRAME_MAX];

	(void)state;
	make_segments(3);
	assert_true((uint64_t)size_of(1) <= JOURNAL_SEGMENT_MAX);
	per = ((uint64_t)size_of(1) - 8) / (uint64_t)big_frame(frame);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 2 * per + 1);
	/* A writer killed just after it made a segment. */
	cut(3, 8);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 2 * per);
	cut(3, 0);
	assert_int_equal(read_events(&n), JOURNAL_END);
	assert_int_equal(n, 2 * per);
	patch(2, 3, 0);
	assert_int_equal(read_events(&n), JOURNAL_DAMAGED);
	assert_int_equal(n, per);
}

/*
 * Only the last segment may end inside a frame: a kill leaves no other.
 */
static void
test_torn_in_the_middle(void **state)
{
	uint64_t n;

	(void)state;
	make_segments(2);
	cut(1, size_of(1) - 1);
	assert_int_equal(read_events(&n), JOURNAL_DAMAGED);
}

/* The first error stays, and nothing is written behind a hole. */
static void
test_full_disk(void **state)
{
	struct journal_writer j;
	uint8_t frame[FRAME_MAX];
	int len = big_frame(frame), err = 0, i;

	(void)state;
	assert_int_equal(journal_create(&j, dir), 0);
	close(j.fd);
	j.fd = open("/dev/full", O_WRONLY);
	assert_true(j.fd >= 0);
	for (i = 0; i < 200 && err == 0; i++)
		err = journal_append(&j, frame, (size_t)len);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(journal_append(&j, frame, (size_t)len), -ENOSPC);
	assert_int_equal(journal_flush(&j), -ENOSPC);
	assert_int_equal(journal_close(&j), -ENOSPC);
}

static int
setup(void **state)
{
	(void)state;
	support_dir_make(dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	support_dir_remove(dir);
	return 0;
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_DIR(test_there_and_back),
	    IN_DIR(test_empty),
	    IN_DIR(test_exists),
	    IN_DIR(test_no_folder),
	    IN_DIR(test_flush),
	    IN_DIR(test_torn_tail),
	    IN_DIR(test_damage),
	    IN_DIR(test_segments),
	    IN_DIR(test_torn_in_the_middle),
	    IN_DIR(test_full_disk),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
