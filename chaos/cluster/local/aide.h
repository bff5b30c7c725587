/* SPDX-License-Identifier: ISC */
/*
 * A process of this binary that works for chaos and beats ten times a second:
 * the link proxies, and the simulated disks. It dies with chaos.
 */
#ifndef CHAOS_LOCAL_AIDE_H
#define CHAOS_LOCAL_AIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/base/clock.h"
#include "proto/channel.h"

/*
 * When it stands still for less than this no server loses its leaders: an
 * election begins after 4 s at the soonest.
 */
#define AIDE_SILENT_NS (3 * CLOCK_S)
#define AIDE_DEAD_NS   (120 * CLOCK_S) /* as with every child process */

struct aide {
	pid_t pid; /* 0 when it doesn't run */
	struct channel_out down;
	struct channel_in up;
	const char *name;
	char why[160];	   /* what is said when it ends by itself */
	uint64_t heard_ns; /* the time of the last that it said */
	uint64_t since_ns; /* it stood still since then, and speaks again */
	uint64_t told_ns;  /* that it does was told then */
};

/* Start it as --child=NAME; the name is not copied. 0 or -errno. */
int aide_start(struct aide *, const char *name);

/* Send it a command. 0 or -errno. */
int aide_send(struct aide *, struct event *);

/* Take in what it says. False once its process is gone. */
typedef void aide_take(void *arg, const struct event *);
bool aide_read(struct aide *, aide_take *, void *arg);

/*
 * For how long, up to now, it stands still, or did until a moment ago; 0 when
 * it doesn't, and for a second after it was told that it does.
 */
uint64_t aide_silence(struct aide *, uint64_t now_ns);

/* End and reap it; safe when it never ran. */
void aide_stop(struct aide *);

#endif
