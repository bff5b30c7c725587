/* SPDX-License-Identifier: ISC */
/*
 * What the link proxy process has: fronts, links, and what was set for each
 * direction between two servers.
 */
#ifndef CHAOS_PROXY_H
#define CHAOS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"
#include "chaos/cluster/local/links.h"
#include "proto/base/buf.h"
#include "proto/base/rng.h"
#include "proto/child.h"

#define PROXY_SIDES   (CONFIG_NODES_MAX + 1) /* LINK_CLIENTS and servers */
#define PROXY_UNNAMED PROXY_SIDES	     /* who dialled is not known yet */

enum watch_kind {
	PROXY_COMMANDS,
	PROXY_FRONT,
	PROXY_END
};

/* What a descriptor of the epoll set is. */
struct watch {
	enum watch_kind kind;
	int fd;
};

struct front {
	struct watch watch;
	unsigned node; /* 0: not opened */
	enum links_kind kind;
	uint16_t real_port;
};

/* Bytes that must not pass before their time. */
struct span {
	uint64_t due_ns;
	size_t len;
};

/* One end of a link. What is read from it is written to the other end. */
struct end {
	struct watch watch;
	struct end *other;
	struct link *link;
	struct buf out;	  /* waiting to be written to this end */
	struct buf spans; /* of out, in order: what is not due yet */
	size_t due;	  /* first bytes of out that may be written */
	uint64_t last_due_ns;
	uint32_t events; /* what epoll watches it for */
	bool at_end;	 /* nothing more comes from it */
	bool is_broken;	 /* nothing can be written to it */
};

struct link {
	struct end ends[2]; /* [0] dialler, [1] the server */
	unsigned node;	    /* that was dialled */
	unsigned from;	    /* that dialled, LINK_CLIENTS, or PROXY_UNNAMED */
	char name[32];
	struct buf head; /* first bytes of the dialler, until it is named */
	bool is_dead;
	struct link *next, *previous; /* of those alive */
	struct link *next_dead;
};

/* What was set for a direction, and what happened since. */
struct direction {
	struct link_policy policy;
	struct link_flow flow, told;
	uint32_t epoch, told_epoch;
};

struct proxy {
	struct child child;
	int epoll_fd;
	struct watch commands;
	struct front fronts[LINKS_KINDS][CONFIG_NODES_MAX];
	char names[CONFIG_NODES_MAX][32];
	struct direction directions[PROXY_SIDES][PROXY_SIDES]; /* from, to */
	struct rng rng;					       /* jitter */
	struct link *links;				       /* alive */
	struct link *dead; /* freed after the present batch of events */
	uint64_t told_ns;
	bool has_spans; /* an end may have spans */
};

#endif
