/* SPDX-License-Identifier: ISC */
/*
 * The monitor asks every server for its pages /healthz, /jsz and /varz, and
 * for its goroutines where it has a profiling port, all the time without ever
 * blocking; what they answer is kept in health.h.
 */
#ifndef CHAOS_MONITOR_H
#define CHAOS_MONITOR_H

#include <curl/curl.h>
#include <stdbool.h>

#include "chaos/cluster/cluster.h"

struct monitor;
struct child;

/*
 * Begin to ask the cluster's nodes; their addresses may change meanwhile. Sets
 * cluster->monitor and cluster->health. 0 or -ENOMEM. monitor_end() is safe
 * without.
 */
int monitor_begin(struct cluster *, struct child *);
void monitor_end(struct cluster *);

/* Ask often while something is to be observed, seldom otherwise. */
void monitor_hurry(struct monitor *, bool hurry);

/*
 * Wait for answers, or for one of the n descriptors of extra (in libcurl's
 * form), at most timeout_ms, and take in what came.
 */
void monitor_wait(
    struct monitor *, struct curl_waitfd *extra, unsigned n, int timeout_ms);

#define MONITOR_FOREIGN_NS                                                     \
	(30 * CLOCK_S) /* a server that ends is over sooner */

/*
 * True when for that long a page that was answered was none of a nats-server's:
 * no JSON, or beyond a limit. why (CLUSTER_WHY_MAX bytes) says which and what
 * is wrong; waiting for that server is of no use.
 */
bool monitor_is_foreign(const struct monitor *, uint64_t for_ns, char *why);

#endif
