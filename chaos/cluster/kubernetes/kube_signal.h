/* SPDX-License-Identifier: ISC */
/*
 * Signals to servers, by commands in their pods, and the deletion of pods: a
 * command can't kill process 1 of its own container.
 */
#ifndef CHAOS_KUBE_SIGNAL_H
#define CHAOS_KUBE_SIGNAL_H

#include "chaos/cluster/cluster.h"

/*
 * Begin to send a signal by a command in the pod. wanted is the value that
 * the configuration must show first, "-" that it must not be ours, "" any.
 * 0 or -errno; -ENOTSUP when nothing there can send it.
 */
int kube_signal_send(
    struct cluster *, unsigned node, int sig, const char *wanted);

/* Take in what the commands answer. */
void kube_signal_step(struct cluster *);

/* Is there a shell in the pods, and is the server process 1? 0 or -ENOTSUP. */
int kube_signal_look(struct cluster *);

/*
 * Delete its pod with a grace period of a second: when it is gone, the server
 * has ended for sure. 0 or -errno.
 */
int kube_signal_end_pod(struct cluster *, unsigned node);

/* Commands whose answer is awaited. */
unsigned kube_signal_open(const struct cluster *);

/*
 * Continue all servers that are stopped, and wait until they run. Close ends
 * all commands.
 */
void kube_signal_restore(struct cluster *);
void kube_signal_close(struct cluster *);

/* As of the same name in struct cluster_ops. */
int kube_signal_end(struct cluster *, unsigned node, int sig);
int kube_signal_delete(struct cluster *, unsigned node);
int kube_signal_lame_duck(struct cluster *, unsigned node);
int kube_signal_pause(struct cluster *, unsigned node, bool paused);
bool kube_signal_is_paused(struct cluster *, unsigned node);

#endif
