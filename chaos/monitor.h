/* SPDX-License-Identifier: ISC */
/*
 * The monitor watches every server's monitoring port (/healthz, /varz,
 * /jsz) all the time without ever blocking, and keeps what was last known,
 * with the time at which it was ASKED: an answer proves something about the
 * moments after its question, never about those before.
 */
#ifndef CHAOS_MONITOR_H
#define CHAOS_MONITOR_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"

struct monitor;
struct child;

/* NULL without memory. The cluster's nodes are watched as they are now. */
struct monitor *monitor_create(struct cluster *, struct child *);
void monitor_destroy(struct monitor *);

/* Ask often while something is to be observed, seldom otherwise. */
void monitor_hurry(struct monitor *, bool hurry);

/*
 * Wait for answers or for a descriptor of extra (n of them, curl's form),
 * at most timeout_ms, and take in what came.
 */
void monitor_wait(
    struct monitor *, struct curl_waitfd *extra, unsigned n, int timeout_ms);

/*
 * True when, asked after since_ns, every server said it is healthy, the
 * meta leader sees all servers current, and every stream and consumer has a
 * leader that sees all its replicas current; of the run's as many as are
 * configured. why (CLUSTER_WHY_MAX) says what is missing.
 */
bool monitor_is_healthy(const struct monitor *, uint64_t since_ns, char *why);

/* False when no server has a monitoring address: nothing is known then. */
bool monitor_is_watching(const struct monitor *);

/* The same of one server's own /healthz only. */
bool monitor_node_is_ok(
    const struct monitor *, unsigned node, uint64_t since_ns);

/* True when, asked after since_ns, this server said that it is not healthy. */
bool monitor_node_is_bad(
    const struct monitor *, unsigned node, uint64_t since_ns);

/* The server that leads the meta group, 0 if not known since then. */
unsigned monitor_meta_leader(const struct monitor *, uint64_t since_ns);

/*
 * A stream (or "stream/consumer") whose leader is known: the one that dice
 * choose among the run's (with test none: among all). Copies its name and
 * returns its leader, or 0 when there is none.
 */
unsigned monitor_pick_group(const struct monitor *, bool consumers,
    uint64_t dice, char *name, size_t size);

/* Who leads that one, as seen since then; 0 if nobody is known to. */
unsigned monitor_group_leader(
    const struct monitor *, const char *name, uint64_t since_ns);

/* What /varz of a node said last: false when it was never heard. */
struct monitor_varz {
	uint64_t asked_ns;
	uint64_t max_connections;
	char version[24], id[64];
	char config_load_time[40];
	/* of JetStream; 0 when it does not tell */
	uint64_t sync_interval_ns, max_memory, max_storage;
	bool sync_always;
};
bool monitor_varz(const struct monitor *, unsigned node, struct monitor_varz *);

/* Members of the meta group as its leader sees them, 0 if not known. */
unsigned monitor_meta_size(const struct monitor *, uint64_t since_ns);

/*
 * The meta group as a node tells it. Returns when that was asked for, 0 when
 * the node did not answer.
 */
struct monitor_meta {
	bool is_led;	  /* by this node, it says */
	bool is_current;  /* then: it sees all others current */
	unsigned size;	  /* then: members */
	unsigned lagging; /* then: those of ours that it doesn't, as bits */
};
uint64_t monitor_meta(
    const struct monitor *, unsigned node, struct monitor_meta *);

/*
 * What a node tells of a raft group of the run, a stream's or a consumer's:
 * true, and is counted up, or false when there are no more.
 */
struct monitor_group {
	uint64_t id;	  /* the same on all nodes */
	const char *name; /* until the monitor is waited for */
	bool is_consumer;
	bool is_led;	  /* by this node, it says */
	bool is_current;  /* then: it sees as many as are configured, current */
	unsigned copies;  /* then: replicas that it counts, itself too */
	unsigned lagging; /* then: nodes that it doesn't see current, as bits */
	unsigned want;	  /* replicas that are configured; 0: not told */
	uint64_t last, messages; /* of a stream, by the node's own store */
};
bool monitor_group(
    const struct monitor *, unsigned node, unsigned *i, struct monitor_group *);

/*
 * What a node tells of a stream of the run, by its own store: true, and is
 * counted up, or false when there are no more. peers has a bit (node - 1) for
 * each node of the cluster that is a replica, as this one sees it.
 */
struct monitor_stream {
	const char *name; /* until the monitor is waited for */
	uint64_t first, last, messages;
	bool is_led; /* by this node, it says */
	unsigned peers;
};
bool monitor_stream(const struct monitor *, unsigned node, unsigned *i,
    struct monitor_stream *);

/* The same of the stream of that name. */
bool monitor_stream_of(const struct monitor *, unsigned node, const char *name,
    struct monitor_stream *);

/*
 * Nodes that can be asked for their streams (0: none can), and the first of
 * them that has not told them since then (0: all have).
 */
unsigned monitor_tells_streams(
    const struct monitor *, uint64_t since_ns, unsigned *silent);

/*
 * Ask for a page of a node, once and at once (2 s at most). 0, or -EPROTO
 * with why when it is https and TLS failed; -ENOTCONN for anything else that
 * may pass.
 */
int monitor_try(const struct cluster *, unsigned node, char *why);

/* Save all pages of all servers below dir; returns how many. */
unsigned monitor_dump(struct monitor *, const char *dir);

#endif
