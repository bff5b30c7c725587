/* SPDX-License-Identifier: ISC */
/* Room for the end of a run; see reserve.h. */
#include <fcntl.h>
#include <unistd.h>

#include "orchestrator/reserve.h"
#include "proto/base/text.h"
#include "proto/journal.h"

/* The journal's end, and a report of 2 MB; less where there is no more. */
#define RESERVE_BYTES ((off_t)4 << 20)
#define RESERVE_LEAST ((off_t)128 << 10)

static void
reserve_path(char *path, size_t size, const char *run_dir)
{
	path[0] = '\0';
	(void)text_add(path, size, "%s/reserve", run_dir);
}

void
reserve_make(const char *run_dir)
{
	char path[JOURNAL_PATH_MAX + 16];
	off_t bytes = RESERVE_BYTES;
	int fd, err = -1;

	reserve_path(path, sizeof(path), run_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	for (; err != 0 && bytes >= RESERVE_LEAST; bytes /= 4) {
		err = posix_fallocate(fd, 0, bytes);
		/* A part of it would be no use, and in the way. */
		if (err != 0 && ftruncate(fd, 0) < 0)
			break;
	}
	close(fd);
}

void
reserve_release(const char *run_dir)
{
	char path[JOURNAL_PATH_MAX + 16];

	reserve_path(path, sizeof(path), run_dir);
	(void)unlink(path);
}
