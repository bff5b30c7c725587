/* SPDX-License-Identifier: ISC */
/*
 * What the servers said of themselves last, by their pages /healthz, /jsz
 * and /varz, with the time at which each was ASKED for: an answer proves
 * something about the moments after its question, never about those before.
 * Only a leader's own rows are believed.
 */
#ifndef CHAOS_HEALTH_H
#define CHAOS_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chaos/cluster/cluster.h"

struct health;
struct child;

enum health_page {
	HEALTH_HEALTHZ,
	HEALTH_JSZ,
	HEALTH_VARZ,
	HEALTH_GOROUTINES, /* of the profiling port, where there is one */
	HEALTH_PAGES
};

/* NULL without memory. Changes of leaders are told by events of the child. */
struct health *health_create(struct cluster *, struct child *);
void health_destroy(struct health *);

/*
 * An answer of a server: len bytes of text. ok: it came whole and with status
 * 200.
 */
struct health_answer {
	unsigned node; /* from 1 */
	enum health_page page;
	uint64_t asked_ns;
	bool ok;
	const char *text;
	size_t len;
};

/* False when a page that was answered is none of a nats-server's. */
bool health_take(struct health *, const struct health_answer *);

/*
 * True when, asked after since_ns, every server said it is healthy, the
 * meta leader sees all servers of its group current, and every stream and
 * consumer has a leader that sees all its replicas current; of the run's as
 * many as are configured. why (CLUSTER_WHY_MAX) says what is missing.
 */
bool health_is_whole(const struct health *, uint64_t since_ns, char *why);

/* False when no server has a monitoring address: nothing is known then. */
bool health_is_watching(const struct health *);

/* The same of one server's own /healthz only. */
bool health_node_is_ok(const struct health *, unsigned node, uint64_t since_ns);

/* True when, asked after since_ns, this server said that it is not healthy. */
bool health_node_is_bad(
    const struct health *, unsigned node, uint64_t since_ns);

/*
 * The server that leads the meta group, 0 if not known since then. Of several
 * it is the one whose JetStream has the run's streams; so below.
 */
unsigned health_meta_leader(const struct health *, uint64_t since_ns);

/*
 * A stream (or "stream/consumer") whose leader is known: the one that dice
 * choose among the run's (with test none: among all). Copies its name and
 * returns its leader, or 0 when there is none.
 */
unsigned health_pick_group(const struct health *, bool consumers, uint64_t dice,
    char *name, size_t size);

/* Who leads that one, as seen since then; 0 if nobody is known to. */
unsigned health_group_leader(
    const struct health *, const char *name, uint64_t since_ns);

/* What /varz of a node said last: false when it was never heard. */
struct health_varz {
	uint64_t asked_ns;
	uint64_t max_connections;
	char version[24], id[64];
	char config_load_time[40];
	/* of JetStream; 0 when it does not tell */
	uint64_t sync_interval_ns, max_memory, max_storage;
	bool sync_always;
	uint64_t boot; /* of this process of the server, never 0 */
	uint64_t memory, subscriptions, connections;
	/*
	 * Its wall clock, 0 when it does not tell; how far that is ahead of
	 * ours, at least; and how long it took to hear of it, which is how much
	 * further it may be.
	 */
	int64_t now_ns, ahead_ns;
	uint64_t took_ns;
};
bool health_varz(const struct health *, unsigned node, struct health_varz *);

/* Goroutines of a node, 0 when it does not tell, or not any more. */
uint64_t health_goroutines(const struct health *, unsigned node);

/* Streams and consumers that it has, and bytes that they keep in memory. */
void health_assets(
    const struct health *, unsigned node, uint64_t *assets, uint64_t *stored);

/* Members of the meta group as its leader sees them, 0 if not known. */
unsigned health_meta_size(const struct health *, uint64_t since_ns);

/*
 * The meta group as a node tells it. Returns when that was asked for, 0 when
 * the node did not answer.
 */
struct health_meta {
	bool is_led;	  /* by this node, it says */
	bool is_current;  /* then: it sees all others current */
	unsigned size;	  /* then: members */
	unsigned lagging; /* then: those of ours that it doesn't, as bits */
	/* Then, by node: entries of its log that this one has not yet. */
	uint64_t lags[CONFIG_NODES_MAX];
};
uint64_t health_meta(
    const struct health *, unsigned node, struct health_meta *);

/*
 * What a node tells of a raft group of the run, a stream's or a consumer's:
 * true, and is counted up, or false when there are no more.
 */
struct health_group {
	uint64_t id;	  /* the same on all nodes, and of all of its name */
	uint64_t made;	  /* differs from that of another one of the name */
	const char *name; /* until the monitor is waited for */
	bool is_consumer;
	bool is_led;	  /* by this node, it says */
	bool is_current;  /* then: it sees as many as are configured, current */
	unsigned copies;  /* then: replicas that it counts, itself too */
	unsigned lagging; /* then: nodes that it doesn't see current, as bits */
	unsigned want;	  /* replicas that are configured; 0: not told */
	uint64_t last, messages; /* of a stream, by the node's own store */
	/* Another number when that, or the node's state of a consumer, is. */
	uint64_t moves;
};
bool health_group(
    const struct health *, unsigned node, unsigned *i, struct health_group *);

/*
 * Walk the run's streams on a node, by its own store, and its durable consumers
 * with several replicas, if all servers tell of those that they don't lead:
 * start with *i = 0; true with the next one, and *i moves on; false at the end.
 * peers has a bit (node - 1) for each node of the cluster that is a replica, as
 * this one sees it.
 */
struct health_stream {
	const char *name; /* valid until monitor_wait() */
	uint64_t first, last, messages;
	bool is_led; /* this node says that it leads */
	unsigned peers;
	uint64_t bytes, subjects;
	bool is_consumer; /* "stream/consumer", and only the following */
	uint64_t delivered, floor, ack_pending; /* consumer sequences */
};
bool health_stream(
    const struct health *, unsigned node, unsigned *i, struct health_stream *);

/* The same of the stream or consumer of that name. */
bool health_stream_of(const struct health *, unsigned node, const char *name,
    struct health_stream *);

/*
 * How many nodes can be asked for their streams. *silent is the first of them
 * that has not answered since then, or 0 when all have.
 */
unsigned health_tells_streams(
    const struct health *, uint64_t since_ns, unsigned *silent);

#endif
