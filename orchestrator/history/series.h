/* SPDX-License-Identifier: ISC */
/*
 * What happened when: rounds, latencies, faults in force, anomalies and
 * stalls over the time of the load, in memory that does not grow. Time is
 * cut into buckets; when all are in use, neighbours are merged and each is
 * twice as long, so a run of a week has as many as a run of ten minutes.
 */
#ifndef ORCHESTRATOR_SERIES_H
#define ORCHESTRATOR_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/clock.h"
#include "orchestrator/judge/levels.h"
#include "proto/config.h"

#define SERIES_BUCKETS 1024
#define SERIES_STEP_NS (250 * CLOCK_MS) /* length of a bucket at first */
#define SERIES_LANES   (CONFIG_NODES_MAX + 1)
#define SERIES_OTHER   CONFIG_NODES_MAX /* lane of faults that hit no server */
#define SERIES_MODES   32		/* the last stands for all further */
#define SERIES_STALLS  64
#define SERIES_LONG_NS CLOCK_S /* without a round: that is a stall */
#define SERIES_GRADES  98      /* of a latency: four an octave from 16 us */

enum series_kind {
	SERIES_ASK,	/* from a request to its confirmation */
	SERIES_CONSUME, /* from a publish ack to a confirmed consumption */
	SERIES_KINDS
};

struct series_bucket {
	uint32_t rounds, anomalies;
	uint64_t max[SERIES_KINDS];
	uint32_t faults[SERIES_LANES];	  /* modes in force, a bit each */
	uint64_t faulty_ns[SERIES_LANES]; /* with any of them */
	uint32_t grades[SERIES_KINDS][SERIES_GRADES];
	/* the highest of each server and 1; memory in KiB; 0: not told */
	uint32_t levels[LEVELS_KINDS][CONFIG_NODES_MAX];
};

struct series_stall {
	uint64_t begin_ns, end_ns;
	bool is_ack_wait; /* the test waited for what it was to get again */
};

struct series {
	uint64_t start_ns, step_ns;
	uint64_t end_ns; /* of the bucket in use */
	struct series_bucket *now;
	size_t n;
	char modes[SERIES_MODES][32];
	unsigned nmodes;
	uint32_t active[SERIES_LANES][SERIES_MODES];
	uint32_t nactive[SERIES_LANES];
	uint64_t since_ns[SERIES_LANES];	   /* not yet counted since */
	struct series_stall stalls[SERIES_STALLS]; /* the longest */
	size_t nstalls;
	uint64_t stalls_seen, stalled_ns;
	struct series_bucket buckets[SERIES_BUCKETS];
};

/* NULL without memory; the others then take NULL and do nothing. */
struct series *series_create(void);
void series_destroy(struct series *);

/* The load begins: nothing before this is kept. */
void series_begin(struct series *, uint64_t now_ns);

void series_round(struct series *, uint64_t now_ns);
void series_latency(
    struct series *, enum series_kind, uint64_t now_ns, uint64_t ns);
void series_level(
    struct series *, uint64_t now_ns, const struct msg_server_level *);
void series_anomaly(struct series *, uint64_t now_ns);
void series_stall(
    struct series *, uint64_t begin_ns, uint64_t end_ns, bool is_ack_wait);

/* A fault begins or ends in a lane. */
void series_fault(struct series *, uint64_t now_ns, const char *mode,
    unsigned lane, bool begins);

/* Time has come this far. */
void series_pass(struct series *, uint64_t now_ns);

/*
 * The latency that fraction of a bucket's samples do not exceed, within
 * some 10 %; 0 without samples.
 */
uint64_t series_quantile(
    const struct series_bucket *, enum series_kind, double fraction);

#endif
