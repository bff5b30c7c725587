/* SPDX-License-Identifier: ISC */
/*
 * Damage to a store: one file of the kind that is wanted is another one
 * afterwards, in the way that is wanted, and no other file is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/rot.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "tests/support.h"

#define SIZE   3000
#define THROWS 60

static const char *const folders[] = {"jetstream", "jetstream/A",
    "jetstream/A/streams", "jetstream/A/streams/s",
    "jetstream/A/streams/s/msgs", "jetstream/A/streams/s/obs",
    "jetstream/A/streams/s/obs/c", "jetstream/$SYS", "jetstream/$SYS/_js_",
    "jetstream/$SYS/_js_/_meta_", "jetstream/$SYS/_js_/R"};

/* By kind, and one that holds nothing. */
static const char *const files[] = {
    [ROT_OF_MESSAGES] = "jetstream/A/streams/s/msgs/1.blk",
    [ROT_OF_INDEX] = "jetstream/A/streams/s/msgs/index.db",
    [ROT_OF_CONSUMER] = "jetstream/A/streams/s/obs/c/o.dat",
    [ROT_OF_RAFT] = "jetstream/$SYS/_js_/R/1.blk",
    [ROT_OF_META] = "jetstream/$SYS/_js_/_meta_/1.blk",
    [ROT_OF_ANY] = "jetstream/A/streams/s/msgs/2.blk"};

static char store[SUPPORT_PATH_MAX];

static void
path_of(const char *name, char out[SUPPORT_PATH_MAX + 64])
{
	text_format(out, SUPPORT_PATH_MAX + 64, "%s/%s", store, name);
}

static void
fill_store(void)
{
	char path[SUPPORT_PATH_MAX + 64], bytes[SIZE];
	size_t i;
	int fd;

	memset(bytes, 'x', sizeof(bytes));
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		path_of(folders[i], path);
		assert_int_equal(file_make_dir(path), 0);
	}
	for (i = 0; i <= ROT_OF_ANY; i++) {
		path_of(files[i], path);
		fd = file_create(path);
		assert_true(fd >= 0);
		if (i < ROT_OF_ANY)
			assert_int_equal(
			    file_write_all(fd, bytes, sizeof(bytes)), 0);
		close(fd);
	}
}

/* How many bytes differ from what was stored; those cut off do. */
static size_t
count_changed(enum disk_rot_of kind, size_t *len, size_t *zeros)
{
	char path[SUPPORT_PATH_MAX + 64], *bytes;
	size_t i, changed;

	path_of(files[kind], path);
	bytes = file_read(path, SIZE, len);
	assert_non_null(bytes);
	changed = SIZE - *len;
	for (i = 0, *zeros = 0; i < *len; i++) {
		changed += bytes[i] != 'x';
		*zeros += bytes[i] == '\0';
	}
	free(bytes);
	return changed;
}

static void
expect_damage(enum disk_rot_of of, enum disk_rot_how how)
{
	size_t len, zeros, changed, touched = 0;
	unsigned kind;

	for (kind = 0; kind < ROT_OF_ANY; kind++) {
		changed = count_changed(kind, &len, &zeros);
		touched += changed > 0;
		if (changed == 0)
			continue;
		assert_true(of == kind || of == ROT_OF_ANY);
		if (how == ROT_FLIP)
			assert_true(len == SIZE && changed <= 8);
		else if (how == ROT_ZERO)
			assert_true(
			    len == SIZE && zeros == changed && changed <= 512);
		else if (how == ROT_TAIL)
			assert_true(len < SIZE && len >= SIZE - 512);
		else
			assert_true(len < SIZE);
	}
	assert_int_equal(touched, 1);
}

static void
test_kinds(void **state)
{
	unsigned of, how, i;
	char said[160];

	(void)state;
	support_dir_make(store);
	for (of = 0; of <= ROT_OF_ANY; of++)
		for (how = 0; how < ROTS; how++)
			for (i = 0; i < THROWS; i++) {
				fill_store();
				assert_int_equal(
				    rot_store(store,
					&(struct disk_rot){of, how, i}, said,
					sizeof(said)),
				    0);
				assert_non_null(strstr(said, "jetstream/"));
				expect_damage(of, how);
			}
	support_dir_remove(store);
}

static void
test_nothing_there(void **state)
{
	char said[160];

	(void)state;
	support_dir_make(store);
	assert_int_equal(
	    rot_store(store, &(struct disk_rot){.of = ROT_OF_MESSAGES}, said,
		sizeof(said)),
	    -ENOENT);
	support_dir_remove(store);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
