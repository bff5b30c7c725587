/* SPDX-License-Identifier: ISC */
/* The folder of a run; see folder.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/command/folder.h"
#include "orchestrator/command/usage.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

#define RUNS_DIR "natsburn-runs"

int
folder_name(char *out, size_t size, const char *what)
{
	char iso[CLOCK_UTC_MAX], stamp[CLOCK_UTC_MAX];
	size_t i, n = 0;
	int err;

	if (out[0] != '\0')
		return 0;
	err = file_make_dir(RUNS_DIR);
	if (err < 0)
		return usage_error("cannot make the folder %s here: %s",
		    RUNS_DIR, strerror(-err));
	clock_utc(clock_wall_ns(), iso);
	for (i = 0; iso[i] != '\0'; i++)
		if (isalnum((unsigned char)iso[i]))
			stamp[n++] = iso[i];
	stamp[n] = '\0';
	text_add(
	    out, size, "%s/%s-%s-%d", RUNS_DIR, stamp, what, (int)getpid());
	return 0;
}

int
folder_hold(const char *dir, const char *what, int *fd)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return usage_error("--out \"%s\": cannot make this folder: %s",
		    dir, strerror(errno));
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 || access(dir, W_OK | X_OK) < 0)
		return usage_error("--out \"%s\": cannot be written: %s", dir,
		    strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) < 0)
		return usage_error(
		    "--out \"%s\": another natsburn %s works there", dir, what);
	return 0;
}
