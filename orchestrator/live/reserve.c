/* SPDX-License-Identifier: ISC */
/* Room for the end of a run; see reserve.h. */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "orchestrator/live/reserve.h"
#include "proto/base/text.h"
#include "proto/journal.h"

/* The journal's end, and a report of 2 MB; at most a part of what is free. */
#define RESERVE_BYTES (UINT64_C(4) << 20)
#define RESERVE_PART  4
/* Some messages of a server's store: it fails before all of it is used. */
#define FULL_BYTES (UINT64_C(256) << 10)

static void
reserve_path(char *path, size_t size, const char *run_dir)
{
	path[0] = '\0';
	text_add(path, size, "%s/reserve", run_dir);
}

/* Bytes that we could write, or UINT64_MAX when it can't be told. */
static uint64_t
room_of(const char *run_dir)
{
	struct statvfs fs;

	/* Some file systems don't know how many they have. */
	if (statvfs(run_dir, &fs) < 0 || fs.f_blocks == 0)
		return UINT64_MAX;
	return (geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * fs.f_frsize;
}

size_t
reserve_make(const char *run_dir)
{
	char path[JOURNAL_PATH_MAX + 16];
	uint64_t bytes = room_of(run_dir) / RESERVE_PART;
	int fd;

	bytes = bytes < RESERVE_BYTES ? bytes : RESERVE_BYTES;
	reserve_path(path, sizeof(path), run_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0;
	if (bytes == 0 || posix_fallocate(fd, 0, (off_t)bytes) != 0) {
		reserve_release(run_dir); /* a part would be in the way */
		bytes = 0;
	}
	close(fd);
	return bytes;
}

bool
reserve_has_room(const char *run_dir)
{
	return room_of(run_dir) >= FULL_BYTES;
}

void
reserve_release(const char *run_dir)
{
	char path[JOURNAL_PATH_MAX + 16];

	reserve_path(path, sizeof(path), run_dir);
	(void)unlink(path); /* given back before, perhaps */
}
