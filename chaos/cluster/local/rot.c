/* SPDX-License-Identifier: ISC */
/* Damage to a store; see rot.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/rot.h"
#include "proto/base/array.h"
#include "proto/base/file.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"

#define FILES_MAX 65536
#define READ_MAX  ((size_t)1 << 28)
#define SECTOR	  UINT64_C(512)
#define FLIPS	  8
#define DEPTH_FDS 16

/* nftw() has no argument of its own; one store is walked at a time. */
static struct found {
	enum disk_rot_of of;
	char **paths;
	uint32_t n, room;
	bool no_memory;
} found;

/*
 * What kind of file of nats-server's store that is:
 *
 *	jetstream/ACCOUNT/streams/STREAM/msgs/N.blk, index.db
 *	jetstream/ACCOUNT/streams/STREAM/obs/CONSUMER/o.dat
 *	jetstream/$SYS/_js_/GROUP/..., and _meta_ is the meta group's
 */
static bool
is_of(const char *path, enum disk_rot_of of)
{
	bool is_raft = strstr(path, "/_js_/") != NULL;
	const char *name = strrchr(path, '/') + 1;

	switch (of) {
	case ROT_OF_MESSAGES:
		return !is_raft && strstr(name, ".blk") != NULL;
	case ROT_OF_INDEX:
		return !is_raft && strcmp(name, "index.db") == 0;
	case ROT_OF_CONSUMER:
		return !is_raft && strcmp(name, "o.dat") == 0;
	case ROT_OF_RAFT:
		return is_raft && strstr(path, "/_meta_/") == NULL;
	case ROT_OF_META:
		return is_raft && strstr(path, "/_meta_/") != NULL;
	case ROT_OF_ANY:
		break;
	}
	return true;
}

static int
note_file(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
	(void)walk;
	if (flag != FTW_F || st->st_size == 0 || !is_of(path, found.of))
		return 0;
	if (array_reserve(&found.paths, &found.room, found.n + 1,
		sizeof(*found.paths), FILES_MAX) < 0)
		return 1;
	found.paths[found.n] = strdup(path);
	if (found.paths[found.n] == NULL) {
		found.no_memory = true;
		return 1;
	}
	found.n++;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Change one byte of a file: 0 or -errno. */
static int
change_byte(int fd, uint64_t at, unsigned char flip, bool is_zeroed)
{
	unsigned char byte;

	if (pread(fd, &byte, 1, (off_t)at) != 1)
		return -EIO;
	byte = is_zeroed ? 0 : byte ^ flip;
	return pwrite(fd, &byte, 1, (off_t)at) == 1 ? 0 : -EIO;
}

/* Flip some bits of a file, or zero a part of it. */
static int
change(int fd, uint64_t size, bool is_zeroed, struct rng *rng)
{
	uint64_t left = 1 + rng_below(rng, is_zeroed ? SECTOR : FLIPS);
	uint64_t at = rng_below(rng, size);
	int err = 0;

	for (; err == 0 && left > 0; left--) {
		err = change_byte(fd, at,
		    (unsigned char)(1U << rng_below(rng, 8)), is_zeroed);
		at = is_zeroed ? at + 1 : rng_below(rng, size);
		if (at >= size)
			break;
	}
	return err;
}

/* How long a file is that lost its end. */
static uint64_t
cut_size(uint64_t size, enum disk_rot_how how, struct rng *rng)
{
	uint64_t most = size < SECTOR ? size : SECTOR;

	return how == ROT_TRUNCATE ? rng_below(rng, size)
				   : size - 1 - rng_below(rng, most);
}

static int
damage_file(
    const char *path, uint64_t size, enum disk_rot_how how, struct rng *rng)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), err = 0;

	if (fd < 0)
		return -errno;
	if (how == ROT_FLIP || how == ROT_ZERO)
		err = change(fd, size, how == ROT_ZERO, rng);
	else if (ftruncate(fd, (off_t)cut_size(size, how, rng)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* -EAGAIN when it is as it was: zeros were zeroed. */
static int
damage(const char *path, enum disk_rot_how how, struct rng *rng)
{
	size_t len = 0, len_after = 0;
	char *before = file_read(path, READ_MAX, &len), *after;
	int err;

	if (before == NULL)
		return -errno;
	err = damage_file(path, len, how, rng);
	after = file_read(path, READ_MAX, &len_after);
	if (err == 0 && after == NULL)
		err = -EIO;
	else if (err == 0 && len == len_after &&
		 memcmp(before, after, len) == 0)
		err = -EAGAIN;
	free(before);
	free(after);
	return err;
}

int
rot_store(const char *store, const struct disk_rot *rot, char *how, size_t size)
{
	static const char *const words[] = {
	    [ROT_FLIP] = "bits flipped in",
	    [ROT_ZERO] = "a part zeroed of",
	    [ROT_TRUNCATE] = "cut off at a random place:",
	    [ROT_TAIL] = "up to 512 bytes cut off the end of",
	};
	const char *path;
	struct rng rng;
	uint32_t i;
	int err = -ENOENT;

	rng_init(&rng, rot->dice, "rot");
	found = (struct found){.of = rot->of};
	if (nftw(store, note_file, DEPTH_FDS, FTW_PHYS) < 0)
		err = -errno;
	else if (found.no_memory)
		err = -ENOMEM;
	else if (found.n > 0) {
		qsort(found.paths, found.n, sizeof(*found.paths), by_name);
		path = found.paths[rng_below(&rng, found.n)];
		err = damage(path, rot->how, &rng);
		text_format(how, size, "%s %s", words[rot->how],
		    path + strlen(store) + 1);
	}
	for (i = 0; i < found.n; i++)
		free(found.paths[i]);
	free(found.paths);
	return err;
}
