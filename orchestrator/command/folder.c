/* SPDX-License-Identifier: ISC */
/* The folder of a run; see folder.h. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
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
