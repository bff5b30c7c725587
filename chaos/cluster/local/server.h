/* SPDX-License-Identifier: ISC */
/*
 * One server of ours: its folder, its configuration, and its process.
 */
#ifndef CHAOS_LOCAL_SERVER_H
#define CHAOS_LOCAL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "chaos/cluster/cluster.h"

/* Its folder, and the one of its store. */
void server_dir(const struct cluster *, unsigned node, char *out, size_t size);
void server_store(
    const struct cluster *, unsigned node, char *out, size_t size);

/* Is its store on a simulated disk? */
bool server_has_drive(const struct cluster *);

/* Where what it stores lies: the ground of that disk, or its store. */
void server_ground(
    const struct cluster *, unsigned node, char *out, size_t size);

/* Do clients go through fronts, because they are to be cut off? */
bool server_has_client_front(const struct cluster *);

/* Where clients go. */
unsigned server_client_port(const struct cluster *, unsigned node);

/* Write its configuration: 0 or -errno. */
int server_write_config(struct cluster *, unsigned node);

/* Take away what it has stored. 0, -EBUSY while it runs, or -errno. */
int server_wipe(struct cluster *, unsigned node);

/* Send it any signal: 0, -ESRCH when it does not run, or -errno. */
int server_signal(struct cluster *, unsigned node, int sig);

/* See whether it has ended. If nobody has told it to, that is logged. */
void server_reap(struct cluster *, unsigned node);

/*
 * End all of them by that signal, after 5 s by SIGKILL, and wait until they
 * have ended.
 */
void server_stop_all(struct cluster *, int sig);

/* Add to why what it wrote last: that tells why it won't run. */
void server_last_words(struct cluster *, unsigned node);

/*
 * As of the same name in struct cluster_ops. server_start() is -EBUSY while
 * its disk is not there.
 */
int server_start(struct cluster *, unsigned node);
int server_end(struct cluster *, unsigned node, int sig);
int server_lame_duck(struct cluster *, unsigned node);
int server_reload(struct cluster *, unsigned node);
int server_pause(struct cluster *, unsigned node, bool paused);
int server_clock(struct cluster *, unsigned node, int64_t ahead_ns);
bool server_is_paused(struct cluster *, unsigned node);
bool server_runs(struct cluster *, unsigned node);
bool server_crashed(struct cluster *, unsigned node);

#endif
