/* SPDX-License-Identifier: ISC */
/*
 * What a simulated disk keeps when its power is lost: contents and names, as
 * POSIX and as the usual file systems have it; and a mounted one, where this
 * host has FUSE.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/disk.h"
#include "chaos/cluster/local/drive/drive.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "tests/support.h"

struct bench {
	char folder[SUPPORT_PATH_MAX];
	struct files files;
	struct disk_loss loss;
};

static void
begin(struct bench *b, enum disk_names names)
{
	memset(b, 0, sizeof(*b));
	support_dir_make(b->folder);
	assert_int_equal(files_init(&b->files, b->folder, names), 0);
}

static void
end(struct bench *b)
{
	files_fini(&b->files);
	support_dir_remove(b->folder);
}

static struct file_node *
make(struct bench *b, struct file_node *parent, const char *name, bool is_dir)
{
	struct file_node *n = NULL;

	assert_int_equal(files_make(&b->files, parent, name,
			     (struct file_what){is_dir, 0600}, &n),
	    0);
	return n;
}

static void
put(struct bench *b, struct file_node *n, const char *text, off_t at)
{
	size_t len = strlen(text);

	assert_int_equal(files_open(&b->files, n), 0);
	assert_int_equal(files_write(&b->files, n, text, len, at), len);
	files_close(&b->files, n);
}

static void
cut_to(struct bench *b, struct file_node *n, uint64_t size)
{
	assert_int_equal(files_open(&b->files, n), 0);
	assert_int_equal(files_truncate(&b->files, n, size), 0);
	files_close(&b->files, n);
}

static void
sync_it(struct bench *b, struct file_node *n)
{
	assert_int_equal(files_sync(&b->files, n), 0);
}

static void
drop(struct bench *b)
{
	assert_int_equal(files_drop(&b->files, NULL, &b->loss), 0);
}

/* There is a file of that name with these contents; NULL: there is none. */
static void
expect(struct bench *b, struct file_node *parent, const char *name,
    const char *text)
{
	struct file_node *n = files_find(&b->files, parent, name);
	char got[128] = "";

	if (text == NULL) {
		assert_null(n);
		return;
	}
	assert_non_null(n);
	assert_int_equal(n->size, strlen(text));
	assert_int_equal(files_open(&b->files, n), 0);
	assert_int_equal(files_read(n, got, sizeof(got) - 1, 0), strlen(text));
	files_close(&b->files, n);
	assert_string_equal(got, text);
}

static void
test_contents(void **state)
{
	struct file_node *n;
	struct bench b;

	(void)state;
	begin(&b, DISK_NAMES_FILE);
	n = make(&b, b.files.root, "a", false);
	put(&b, n, "synced", 0);
	sync_it(&b, n);
	put(&b, n, "+more", 6);
	expect(&b, b.files.root, "a", "synced+more");
	drop(&b);
	expect(&b, b.files.root, "a", "synced");
	assert_int_equal(b.loss.files, 1);
	assert_int_equal(b.loss.bytes, 5);
	/* What is kept is written over, cut off, and emptied. */
	n = files_find(&b.files, b.files.root, "a");
	put(&b, n, "SYN", 0);
	put(&b, n, "!", 6);
	expect(&b, b.files.root, "a", "SYNced!");
	drop(&b);
	expect(&b, b.files.root, "a", "synced");
	cut_to(&b, n, 3);
	put(&b, n, "x", 3);
	expect(&b, b.files.root, "a", "synx");
	drop(&b);
	expect(&b, b.files.root, "a", "synced");
	cut_to(&b, n, 0);
	put(&b, n, "new", 0);
	drop(&b);
	expect(&b, b.files.root, "a", "synced");
	cut_to(&b, n, 0);
	put(&b, n, "new", 0);
	sync_it(&b, n);
	drop(&b);
	expect(&b, b.files.root, "a", "new");
	assert_int_equal(b.loss.files + b.loss.names + b.loss.bytes, 0);
	end(&b);
}

static void
test_names(void **state)
{
	struct file_node *n, *dir;
	struct bench b;

	(void)state;
	begin(&b, DISK_NAMES_FILE);
	/* Never synced: gone, with its folder. */
	dir = make(&b, b.files.root, "d", true);
	n = make(&b, dir, "a", false);
	put(&b, n, "text", 0);
	drop(&b);
	expect(&b, b.files.root, "d", NULL);
	assert_int_equal(b.loss.files, 1);
	assert_int_equal(b.loss.names, 2);
	/* Synced: there, with its folder. */
	dir = make(&b, b.files.root, "d", true);
	n = make(&b, dir, "a", false);
	put(&b, n, "text", 0);
	sync_it(&b, n);
	drop(&b);
	expect(&b, files_find(&b.files, b.files.root, "d"), "a", "text");
	/* Renamed over an old one, and only the new contents are synced. */
	dir = files_find(&b.files, b.files.root, "d");
	n = make(&b, dir, "tmp", false);
	put(&b, n, "other", 0);
	sync_it(&b, n);
	assert_int_equal(files_rename(&b.files, (struct file_place){dir, "tmp"},
			     (struct file_place){dir, "a"}, false),
	    0);
	expect(&b, dir, "a", "other");
	drop(&b);
	expect(&b, dir, "a", "text");
	expect(&b, dir, "tmp", "other");
	/* The same, and the folder is synced. */
	assert_int_equal(files_rename(&b.files, (struct file_place){dir, "tmp"},
			     (struct file_place){dir, "a"}, false),
	    0);
	sync_it(&b, dir);
	drop(&b);
	expect(&b, dir, "a", "other");
	expect(&b, dir, "tmp", NULL);
	/* Removed; and removed for good. */
	assert_int_equal(files_remove(&b.files, dir, "a", false), 0);
	expect(&b, dir, "a", NULL);
	drop(&b);
	expect(&b, dir, "a", "other");
	assert_int_equal(files_remove(&b.files, dir, "a", false), 0);
	sync_it(&b, dir);
	drop(&b);
	expect(&b, dir, "a", NULL);
	end(&b);
}

/* By POSIX the name of a file is kept by its folder, and no other way. */
static void
test_strict_names(void **state)
{
	struct file_node *n, *dir;
	struct bench b;

	(void)state;
	begin(&b, DISK_NAMES_FOLDER);
	n = make(&b, b.files.root, "a", false);
	put(&b, n, "text", 0);
	sync_it(&b, n);
	drop(&b);
	expect(&b, b.files.root, "a", NULL);
	dir = make(&b, b.files.root, "d", true);
	n = make(&b, dir, "a", false);
	put(&b, n, "text", 0);
	sync_it(&b, n);
	sync_it(&b, dir); /* but not the folder's own name */
	drop(&b);
	expect(&b, b.files.root, "d", NULL);
	dir = make(&b, b.files.root, "d", true);
	n = make(&b, dir, "a", false);
	put(&b, n, "text", 0);
	sync_it(&b, dir); /* but not the contents */
	sync_it(&b, b.files.root);
	drop(&b);
	expect(&b, files_find(&b.files, b.files.root, "d"), "a", "");
	end(&b);
}

/* A journal of names: any sync keeps all there are, in their order. */
static void
test_journal(void **state)
{
	struct file_node *root, *other, *dir, *n;
	struct bench b;

	(void)state;
	begin(&b, DISK_NAMES_JOURNAL);
	root = b.files.root;
	other = make(&b, root, "other", false);
	dir = make(&b, root, "d", true);
	put(&b, make(&b, dir, "a", false), "A", 0);
	put(&b, make(&b, dir, "b", false), "B", 0);
	sync_it(&b, files_find(&b.files, dir, "a"));
	/* No sync since: removed, renamed and made in vain. */
	assert_int_equal(files_remove(&b.files, dir, "a", false), 0);
	assert_int_equal(files_rename(&b.files, (struct file_place){root, "d"},
			     (struct file_place){root, "e"}, false),
	    0);
	make(&b, root, "c", false);
	drop(&b);
	expect(&b, root, "c", NULL);
	expect(&b, root, "e", NULL);
	dir = files_find(&b.files, root, "d");
	expect(&b, dir, "a", "A");
	expect(&b, dir, "b", ""); /* its name, not its contents */
	/* The same, and something else is synced. */
	assert_int_equal(files_remove(&b.files, dir, "a", false), 0);
	assert_int_equal(files_rename(&b.files, (struct file_place){root, "d"},
			     (struct file_place){root, "e"}, false),
	    0);
	make(&b, root, "c", false);
	sync_it(&b, other);
	drop(&b);
	expect(&b, root, "c", "");
	expect(&b, root, "d", NULL);
	dir = files_find(&b.files, root, "e");
	expect(&b, dir, "a", NULL);
	expect(&b, dir, "b", "");
	/* Renamed over another one it is written first. */
	n = files_find(&b.files, dir, "b");
	put(&b, n, "old", 0);
	sync_it(&b, n);
	put(&b, make(&b, dir, "tmp", false), "new", 0);
	assert_int_equal(files_rename(&b.files, (struct file_place){dir, "tmp"},
			     (struct file_place){dir, "b"}, false),
	    0);
	drop(&b);
	expect(&b, dir, "b", "old");
	put(&b, make(&b, dir, "tmp", false), "new", 0);
	assert_int_equal(files_rename(&b.files, (struct file_place){dir, "tmp"},
			     (struct file_place){dir, "b"}, false),
	    0);
	sync_it(&b, files_find(&b.files, root, "other"));
	drop(&b);
	expect(&b, dir, "b", "new");
	expect(&b, dir, "tmp", NULL);
	/* A folder goes with what was in it, but for what has left it. */
	put(&b, make(&b, dir, "x", false), "X", 0);
	sync_it(&b, files_find(&b.files, dir, "x"));
	assert_int_equal(files_remove(&b.files, dir, "b", false), 0);
	assert_int_equal(files_rename(&b.files, (struct file_place){dir, "x"},
			     (struct file_place){root, "x"}, false),
	    0);
	assert_int_equal(files_remove(&b.files, root, "e", true), 0);
	sync_it(&b, files_find(&b.files, root, "other"));
	drop(&b);
	expect(&b, root, "e", NULL);
	expect(&b, root, "x", "X");
	end(&b);
}

/* Two files change places; a folder is moved with what is in it. */
static void
test_moves(void **state)
{
	struct file_node *root, *d, *e;
	struct bench b;

	(void)state;
	begin(&b, DISK_NAMES_FILE);
	root = b.files.root;
	put(&b, make(&b, root, "a", false), "A", 0);
	put(&b, make(&b, root, "b", false), "B", 0);
	sync_it(&b, files_find(&b.files, root, "a"));
	sync_it(&b, files_find(&b.files, root, "b"));
	assert_int_equal(files_rename(&b.files, (struct file_place){root, "a"},
			     (struct file_place){root, "t"}, false),
	    0);
	assert_int_equal(files_rename(&b.files, (struct file_place){root, "b"},
			     (struct file_place){root, "a"}, false),
	    0);
	assert_int_equal(files_rename(&b.files, (struct file_place){root, "t"},
			     (struct file_place){root, "b"}, true),
	    0);
	sync_it(&b, files_find(&b.files, root, "a"));
	drop(&b);
	expect(&b, root, "a", "B");
	expect(&b, root, "b", "A");
	d = make(&b, root, "d", true);
	e = make(&b, root, "e", true);
	put(&b, make(&b, d, "f", false), "F", 0);
	sync_it(&b, files_find(&b.files, d, "f"));
	assert_int_equal(files_remove(&b.files, root, "d", true), -ENOTEMPTY);
	assert_int_equal(files_rename(&b.files, (struct file_place){d, "f"},
			     (struct file_place){e, "g"}, false),
	    0);
	assert_int_equal(files_remove(&b.files, root, "d", true), 0);
	sync_it(&b, root); /* the folder is gone, not what has left it */
	drop(&b);
	expect(&b, root, "d", NULL);
	expect(&b, files_find(&b.files, root, "e"), "g", "F");
	/* Into a newer folder, which is never synced: it stays where it was. */
	e = files_find(&b.files, root, "e");
	d = make(&b, root, "n", true);
	assert_int_equal(files_rename(&b.files, (struct file_place){e, "g"},
			     (struct file_place){d, "h"}, false),
	    0);
	drop(&b);
	expect(&b, root, "n", NULL);
	expect(&b, files_find(&b.files, root, "e"), "g", "F");
	d = make(&b, root, "n", true);
	assert_int_equal(files_rename(&b.files, (struct file_place){e, "g"},
			     (struct file_place){d, "h"}, false),
	    0);
	end(&b); /* with what is moved older than where it is */
}

/* Whole sectors of what was appended, and never more than that. */
static void
test_torn(void **state)
{
	char text[5 * FILES_SECTOR + 1];
	bool seen[6] = {false};
	struct file_node *n;
	struct bench b;
	struct rng rng;
	unsigned i;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rng_init(&rng, 7, "torn");
	begin(&b, DISK_NAMES_FILE);
	n = make(&b, b.files.root, "a", false);
	put(&b, n, "kept", 0);
	sync_it(&b, n);
	for (i = 0; i < 200; i++) {
		cut_to(&b, n, 4);
		put(&b, n, text, 4);
		assert_int_equal(files_drop(&b.files, &rng, &b.loss), 0);
		assert_true(n->size % FILES_SECTOR == 0);
		assert_between(n->size / FILES_SECTOR, 1, 5);
		assert_int_equal(b.loss.bytes, sizeof(text) - 1 + 4 - n->size);
		seen[n->size / FILES_SECTOR] = true;
		cut_to(&b, n, 4);
		sync_it(&b, n);
	}
	for (i = 1; i <= 5; i++)
		assert_true(seen[i]);
	end(&b);
}

/* -- A mounted one */

struct mounted {
	char folder[SUPPORT_PATH_MAX], store[SUPPORT_PATH_MAX + 16];
	struct drive drive;
	pthread_t server;
	_Atomic bool is_over;
};

static void *
serve(void *arg)
{
	struct mounted *m = arg;
	struct pollfd fd = {.events = POLLIN};
	uint64_t next_ns;

	while (!m->is_over) {
		fd.fd = drive_fd(&m->drive);
		next_ns = drive_answer_late(&m->drive, clock_mono_ns());
		(void)poll(&fd, 1, clock_poll_ms(clock_mono_ns(), next_ns, 20));
		if (fd.revents != 0 && drive_serve(&m->drive) < 0)
			break;
	}
	return NULL;
}

static void
serve_begin(struct mounted *m)
{
	m->is_over = false;
	assert_int_equal(pthread_create(&m->server, NULL, serve, m), 0);
}

static void
serve_end(struct mounted *m)
{
	m->is_over = true;
	assert_int_equal(pthread_join(m->server, NULL), 0);
}

/* Skips the test where this host or this user has no FUSE. */
static void
mount_it(struct mounted *m)
{
	char ground[SUPPORT_PATH_MAX + 16];
	int err = disk_isolate();

	memset(m, 0, sizeof(*m));
	support_dir_make(m->folder);
	text_format(m->store, sizeof(m->store), "%s/store", m->folder);
	text_format(ground, sizeof(ground), "%s/ground", m->folder);
	if (err == 0)
		err = drive_open(&m->drive, m->store, ground, DISK_NAMES_FILE);
	if (err == 0)
		return;
	print_message("no FUSE here: %s\n", strerror(-err));
	support_dir_remove(m->folder);
	skip();
}

static void
unmount_it(struct mounted *m)
{
	drive_close(&m->drive);
	support_dir_remove(m->folder);
}

static int
open_at(const struct mounted *m, const char *name, int flags)
{
	char path[SUPPORT_PATH_MAX + 64];

	text_format(path, sizeof(path), "%s/%s", m->store, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

static void
write_file(const struct mounted *m, const char *name, int flags,
    const char *text, bool is_synced)
{
	int fd = open_at(m, name, O_WRONLY | O_CREAT | flags);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	if (is_synced)
		assert_int_equal(fsync(fd), 0);
	close(fd);
}

static void
expect_file(const struct mounted *m, const char *name, const char *text)
{
	char got[128] = "";
	int fd = open_at(m, name, O_RDONLY);

	if (text == NULL) {
		assert_int_equal(errno, ENOENT);
		return;
	}
	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
	close(fd);
}

static unsigned
count_names(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
test_mounted(void **state)
{
	char path[SUPPORT_PATH_MAX + 64], to[SUPPORT_PATH_MAX + 64];
	struct disk_loss loss;
	struct mounted m;
	struct stat st;

	(void)state;
	mount_it(&m);
	serve_begin(&m);
	text_format(path, sizeof(path), "%s/d", m.store);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mkdir(path, 0700), -1);
	write_file(&m, "d/synced", 0, "one", true);
	write_file(&m, "d/synced", O_APPEND, "two", false);
	write_file(&m, "d/always", O_SYNC, "each", false);
	write_file(&m, "d/never", 0, "gone", false);
	write_file(&m, "d/emptied", 0, "full", true);
	write_file(&m, "d/emptied", O_TRUNC, "", false);
	expect_file(&m, "d/synced", "onetwo");
	expect_file(&m, "d/emptied", "");
	assert_int_equal(count_names(path), 2 + 4);
	text_format(path, sizeof(path), "%s/d/never", m.store);
	text_format(to, sizeof(to), "%s/d/moved", m.store);
	assert_int_equal(rename(path, to), 0);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 4);
	serve_end(&m);
	assert_int_equal(drive_drop(&m.drive, false, &loss), 0);
	assert_int_equal(loss.bytes, 3 + 4);
	serve_begin(&m);
	expect_file(&m, "d/synced", "one");
	expect_file(&m, "d/always", "each");
	expect_file(&m, "d/never", NULL);
	expect_file(&m, "d/moved", NULL);
	expect_file(&m, "d/emptied", "full");
	text_format(path, sizeof(path), "%s/d/synced", m.store);
	assert_int_equal(unlink(path), 0);
	expect_file(&m, "d/synced", NULL);
	serve_end(&m);
	unmount_it(&m);
}

static void
test_trouble(void **state)
{
	static const struct disk_policy writes = {.fails = DISK_FAILS_WRITE,
					    .times = 1},
					syncs = {.fails = DISK_FAILS_SYNC},
					reads = {.fails = DISK_FAILS_READ},
					slow = {.low_ns = 50 * CLOCK_MS,
					    .high_ns = 60 * CLOCK_MS},
					none = {0};
	uint64_t begin_ns;
	struct mounted m;
	char byte;
	int fd;

	(void)state;
	mount_it(&m);
	drive_set(&m.drive, &writes);
	serve_begin(&m);
	fd = open_at(&m, "a", O_RDWR | O_CREAT);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(write(fd, "x", 1), 1); /* it failed once */
	serve_end(&m);
	assert_int_equal(m.drive.effect.failed, 1);
	drive_set(&m.drive, &syncs);
	serve_begin(&m);
	assert_int_equal(fsync(fd), -1);
	assert_int_equal(fdatasync(fd), -1);
	assert_int_equal(errno, EIO);
	serve_end(&m);
	drive_set(&m.drive, &reads);
	serve_begin(&m);
	assert_int_equal(pread(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EIO);
	serve_end(&m);
	drive_set(&m.drive, &slow);
	serve_begin(&m);
	begin_ns = clock_mono_ns();
	assert_int_equal(write(fd, "y", 1), 1);
	assert_int_equal(fsync(fd), 0);
	assert_true(clock_mono_ns() - begin_ns >= 100 * CLOCK_MS);
	serve_end(&m);
	assert_int_equal(m.drive.effect.late, 2);
	drive_set(&m.drive, &none);
	serve_begin(&m);
	assert_int_equal(pread(fd, &byte, 1, 1), 1);
	assert_int_equal(byte, 'y');
	close(fd);
	serve_end(&m);
	unmount_it(&m);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_strict_names),
	    cmocka_unit_test(test_journal),
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_torn),
	    cmocka_unit_test(test_mounted),
	    cmocka_unit_test(test_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
