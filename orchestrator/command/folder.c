/* SPDX-License-Identifier: ISC */
/* The folder of a run; see folder.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "orchestrator/command/folder.h"
#include "orchestrator/command/usage.h"
#include "proto/base/text.h"

#define RUNS_DIR "natsburn-runs"

int
folder_name(char *out, size_t size, const char *what)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (out[0] != '\0')
		return 0;
	if (mkdir(RUNS_DIR, 0755) < 0 && errno != EEXIST)
		return usage_error("cannot make the folder %s here: %s",
		    RUNS_DIR, strerror(errno));
	(void)gmtime_r(&now, &tm); /* now is in range */
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm); /* fits */
	text_add(
	    out, size, "%s/%s-%s-%d", RUNS_DIR, stamp, what, (int)getpid());
	return 0;
}
