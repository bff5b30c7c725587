/* SPDX-License-Identifier: ISC */
/*
 * file: whole or not at all; links, FIFOs, folders and devices are neither
 * read nor written through; modes are the user's alone.
 */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/file.h"
#include "proto/base/text.h"

static char dir[SUPPORT_PATH_MAX];

static const char *
at(const char *name)
{
	static char path[2][SUPPORT_PATH_MAX + 32];
	static unsigned turn;

	turn ^= 1;
	text_format(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static int
make_dir(void **state)
{
	(void)state;
	support_dir_make(dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	support_dir_remove(dir);
	return 0;
}

static void
expect_text(const char *name, const char *want)
{
	size_t len;
	char *text = file_read(at(name), 1 << 20, &len);

	assert_non_null(text);
	assert_int_equal(len, strlen(want));
	assert_string_equal(text, want);
	free(text);
}

static void
test_replace_and_read(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(file_replace(at("a"), "one", 3), 0);
	expect_text("a", "one");
	assert_int_equal(stat(at("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_replace(at("a"), "", 0), 0);
	expect_text("a", "");
	assert_int_equal(access(at("a.new"), F_OK), -1);
}

static void
test_large(void **state)
{
	size_t n = 100001, len;
	char *text = malloc(n + 1), *got;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', n);
	text[n] = '\0';
	assert_int_equal(file_replace(at("large"), text, n), 0);
	got = file_read(at("large"), n, &len);
	assert_non_null(got);
	assert_int_equal(len, n);
	assert_memory_equal(got, text, n);
	free(got);
	assert_null(file_read(at("large"), n - 1, &len));
	assert_int_equal(errno, EFBIG);
	free(text);
}

/* A link at the place of the file, or of the file beside it, leads nowhere. */
static void
test_links_are_not_followed(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(file_replace(at("victim"), "mine", 4), 0);
	assert_int_equal(symlink("victim", at("link")), 0);
	assert_null(file_read(at("link"), 100, &len));
	assert_int_equal(errno, ELOOP);
	assert_int_equal(symlink("victim", at("b.new")), 0);
	assert_int_equal(file_replace(at("b"), "other", 5), 0);
	assert_int_equal(file_replace(at("link"), "other", 5), 0);
	expect_text("victim", "mine");
	expect_text("link", "other");
	expect_text("b", "other");
}

static void
test_only_regular_files(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(file_open(at("fifo")), -EINVAL);
	assert_int_equal(file_open("/dev/zero"), -EINVAL);
	assert_int_equal(file_open(dir), -EINVAL);
	assert_int_equal(file_open(at("none")), -ENOENT);
	assert_null(file_read(at("fifo"), 100, &len));
	assert_int_equal(mkfifo(at("c.new"), 0600), 0);
	assert_int_equal(file_replace(at("c"), "c", 1), 0);
	expect_text("c", "c");
}

/* What is there stays; links and FIFOs are no files to write to. */
static void
test_append(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	fd = file_append(at("log"));
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "one ", 4), 0);
	close(fd);
	assert_int_equal(stat(at("log"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fd = file_append(at("log"));
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "two", 3), 0);
	close(fd);
	expect_text("log", "one two");
	assert_int_equal(symlink("log", at("log.link")), 0);
	assert_int_equal(file_append(at("log.link")), -ELOOP);
	assert_int_equal(mkfifo(at("log.fifo"), 0600), 0);
	assert_int_equal(file_append(at("log.fifo")), -ENXIO);
	assert_int_equal(file_append("/dev/null"), -EINVAL);
}

static void
test_folders(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(file_make_dir(at("folder")), 0);
	assert_int_equal(file_make_dir(at("folder")), 0);
	assert_int_equal(stat(at("folder"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(symlink("folder", at("folder.link")), 0);
	assert_int_equal(file_make_dir(at("folder.link")), -ENOTDIR);
	fd = file_open_dir(at("folder"));
	assert_true(fd >= 0);
	close(fd);
	assert_true(file_open_dir(at("folder.link")) < 0);
	assert_int_equal(file_replace(at("folder.file"), "", 0), 0);
	assert_int_equal(file_make_dir(at("folder.file")), -ENOTDIR);
	assert_int_equal(symlink("nowhere", at("dangling")), 0);
	assert_true(file_exists(at("dangling")));
	assert_false(file_exists(at("nowhere")));
}

static void
test_failures_leave_the_old_file(void **state)
{
	(void)state;
	assert_int_equal(file_replace(at("d"), "old", 3), 0);
	assert_int_equal(mkdir(at("d.new"), 0700), 0);
	assert_true(file_replace(at("d"), "new", 3) < 0);
	expect_text("d", "old");
	assert_int_equal(file_replace(at("no/such"), "x", 1), -ENOENT);
	assert_int_equal(file_write_all(-1, "x", 1), -EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replace_and_read),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_links_are_not_followed),
	    cmocka_unit_test(test_only_regular_files),
	    cmocka_unit_test(test_append),
	    cmocka_unit_test(test_folders),
	    cmocka_unit_test(test_failures_leave_the_old_file),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
