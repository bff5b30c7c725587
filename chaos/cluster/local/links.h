/* SPDX-License-Identifier: ISC */
/*
 * The links between local servers go through front proxies, so that one can
 * be cut, slowed or stopped without root. The proxies live in a process of
 * their own (link_main), so that chaos may wait for anything without
 * holding up raft. One front a destination server: every server's routes
 * name the fronts, and its front is what it advertises, for route gossip
 * dials the real port otherwise.
 */
#ifndef CHAOS_LINKS_H
#define CHAOS_LINKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/local/aide.h"
#include "proto/config.h"

#define LINKS_CLIENT_NAME "a client" /* who dials a front for clients */

/* What a server listens for: it has a front for each kind. */
enum links_kind {
	LINKS_ROUTES,
	LINKS_CLIENTS,
	LINKS_REMOTES, /* gateways, or leaf nodes */
	LINKS_KINDS
};

struct links {
	struct aide aide;
	/* ports, 0 not yet */
	uint16_t fronts[LINKS_KINDS][CONFIG_NODES_MAX];
	struct link_state {
		/*
		 * numbers of policies: the last one set, and the one that flow
		 * is about
		 */
		uint32_t set, told;
		struct link_flow flow;
	} states[CONFIG_NODES_MAX + 1][CONFIG_NODES_MAX + 1]; /* from, to */
	unsigned open[CONFIG_NODES_MAX];    /* links to each server now */
	unsigned clients[CONFIG_NODES_MAX]; /* clients of each, likewise */
};

/* Start the proxy process, which is ended by aide_stop(): 0 or -errno. */
int links_start(struct links *);

/*
 * Ask for a front before a server's real port of that kind. A server names
 * itself so when it dials another.
 */
int links_open(struct links *, unsigned node, const char *name,
    uint16_t real_port, enum links_kind);

/* Take in what the proxies say. False once their process is gone. */
bool links_read(struct links *);

/* True once every one of n servers has its front of that kind. */
bool links_are_open(const struct links *, unsigned n, enum links_kind);

/*
 * Say what happens to bytes from one server to another; end connections;
 * ask what was seen since. As cluster_ops.link_set and its neighbours.
 */
int links_set(
    struct links *, unsigned from, unsigned to, const struct link_policy *);
int links_reset(struct links *, unsigned a, unsigned b, unsigned percent);
bool links_flow(
    const struct links *, unsigned from, unsigned to, struct link_flow *);

/*
 * Established connections of the processes pids[0..npids) that end at one of
 * these real ports: each is a leak. -errno when /proc can't be read.
 */
int links_count_leaks(const pid_t *pids, unsigned npids,
    const uint16_t *real_ports, unsigned nports);

#endif
