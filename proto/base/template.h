/* SPDX-License-Identifier: ISC */
/*
 * A template process: our own image, once loaded, linked and initialised,
 * that forks on request. What a thousand children have in common (the
 * relocations of fifty libraries) then exists once, and is done once.
 *
 * The process that asks becomes the parent of the child, as with spawn():
 * the child is the orphan of a short-lived process in between, and orphans
 * fall to the one who asked, who must be a subreaper (spawn_subreaper). It
 * reaps the child by its pid, and its death is the child's, too.
 *
 * A template has one thread and opens nothing: nats.c never sees a fork.
 */
#ifndef BASE_TEMPLATE_H
#define BASE_TEMPLATE_H

#include "proto/base/spawn.h"

#define TEMPLATE_FD	   3   /* where the template has its requests from */
#define TEMPLATE_ARGV_MAX  8   /* words of a child's command line */
#define TEMPLATE_ARGV_SIZE 128 /* bytes of it, ends of words included */

/*
 * Start argv[0..] of our own image as a template. Returns its pid, and *fd to
 * ask it by (close-on-exec; when it is closed the template ends); or -errno.
 * The caller reaps it. Of a child's command line, as ps shows it, so many
 * bytes are seen as argv has: leave room.
 */
pid_t template_start(char *const *argv, int *fd);

/*
 * Ask the template at fd for what spawn() would start; path is not looked at.
 * Its answers come in the order of what was asked, each when the child runs.
 * 0, -EAGAIN (many are asked already), or -errno: it can't be asked.
 */
int template_ask(int fd, const struct spawn_request *);

/*
 * Take an answer, if there is one: 0 and *pid, which is -errno when it could
 * not fork; -EAGAIN when there is none yet; -EPIPE when the template is gone.
 *
 * Whoever has lost patience can't know whether the child comes after all. It
 * does not when the template was killed and reaped; what was forked until then
 * is an orphan that nobody has told the asker of.
 */
int template_answer(int fd, pid_t *pid);

/*
 * The template itself: serve requests at TEMPLATE_FD. Ends the process when
 * nobody can ask any more. Returns in each child: its argc, and argv, with
 * TEMPLATE_ARGV_MAX + 1 entries, filled; signals are as after an exec.
 */
int template_serve(int argc, char **main_argv, char **argv);

#endif
