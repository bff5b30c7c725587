/* SPDX-License-Identifier: ISC */
/*
 * What servers sent each other, as they tell it themselves (/routez): the
 * probe of links that somebody else cuts, from some moment on that nobody
 * tells. Pure: pages in, flows out. Servers are numbered from 1.
 *
 * A connection's counters begin at 0, and its number is never used again by
 * the same process. What was sent counts by its sender, also what still
 * waits in its buffers; what passed, by its receiver.
 */
#ifndef CHAOS_KUBE_ROUTES_H
#define CHAOS_KUBE_ROUTES_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"

#define KUBE_ROUTES_MAX 256 /* connections of a server; more don't count */
#define KUBE_QUIET_NS	(UINT64_C(4) * 1000000000)

struct kube_route {
	uint64_t id, in, out;
	unsigned peer;
};

/* A server's last page. */
struct kube_page {
	uint64_t asked_ns; /* 0: none yet */
	char server[64];   /* its id, another one in every process */
	unsigned n;
	struct kube_route routes[KUBE_ROUTES_MAX];
};

struct kube_link {
	bool is_cut;
	uint64_t since_ns;    /* what came before does not count */
	bool has_in, has_out; /* its receiver, its sender has told since */
	uint64_t in, out, gone;
	uint64_t leaked; /* through a cut link, in all */
	/*
	 * of a cut link: when the last page was asked for that showed new bytes
	 */
	uint64_t passed_ns;
	/* when the last page of its receiver was asked for */
	uint64_t heard_ns;
};

struct kube_routes {
	unsigned n;
	const struct cluster_node *nodes; /* their names; the caller's */
	struct kube_page pages[CONFIG_NODES_MAX];
	struct kube_link links[CONFIG_NODES_MAX][CONFIG_NODES_MAX];
};

void kube_routes_init(
    struct kube_routes *, const struct cluster_node *nodes, unsigned n);

/* From now on that link is cut, or open: what was seen before is forgotten. */
void kube_routes_begin(struct kube_routes *, unsigned from, unsigned to,
    bool is_cut, uint64_t now_ns);

/* A server's page, asked at that time. -EINVAL: it isn't one. */
int kube_routes_take(
    struct kube_routes *, unsigned node, const cJSON *page, uint64_t asked_ns);

/*
 * What a link has carried since it was begun. passed: bytes received; held:
 * bytes sent and not received; refused: connections that are gone. For a cut
 * link all of it counts since bytes came through it last; passed is not 0 until
 * KUBE_QUIET_NS have gone by without any. False while sender or receiver have
 * not told enough.
 */
bool kube_routes_flow(
    const struct kube_routes *, unsigned from, unsigned to, struct link_flow *);

#endif
