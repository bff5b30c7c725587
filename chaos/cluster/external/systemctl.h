/* SPDX-License-Identifier: ISC */
/* One question to systemd at a time, about a unit: systemctl is run for it. */
#ifndef CHAOS_EXTERNAL_SYSTEMCTL_H
#define CHAOS_EXTERNAL_SYSTEMCTL_H

#include <stdbool.h>
#include <sys/types.h>

struct systemctl {
	pid_t pid; /* 0: nothing is asked */
	int fd;
	char out[256]; /* what it said, the first of it */
};

/* Run systemctl VERB... UNIT; words ends with NULL. 0 or -errno. */
int systemctl_begin(
    struct systemctl *, const char *const *words, const char *unit);

/* True once it has ended: then out is a line, and code its exit code. */
bool systemctl_step(struct systemctl *, int *code);

/* End it; safe when nothing is asked. */
void systemctl_end(struct systemctl *);

#endif
