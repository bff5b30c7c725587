/* SPDX-License-Identifier: ISC */
/*
 * What a fault costs those who use the cluster: by mode, by fault, and the
 * time without any for comparison. A fault costs from the moment that it was
 * planned until the first round that was finished after it was healed; where
 * several overlap, each of them is charged.
 */
#ifndef ORCHESTRATOR_PRICES_H
#define ORCHESTRATOR_PRICES_H

#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/history/series.h"
#include "proto/base/hist.h"

#define PRICES_OPEN_MAX	  64 /* faults at once; further ones are not charged */
#define PRICES_DELIVERIES 4096 /* whose times are kept */

struct price {
	uint64_t faults;     /* that took effect */
	uint64_t outage_ns;  /* the longest without a finished round */
	uint64_t outages_ns; /* of all faults together */
	uint64_t heal_ns;    /* the longest from applied to healed */
	uint64_t retries, redeliveries;
	struct hist latency; /* of what ended in it: first attempt to ack */
};

/* What is charged to a single fault. */
struct price_row {
	uint64_t outage_ns, p50_ns, p99_ns, p999_ns, operations;
	uint64_t retries, redeliveries;
};

struct price_open {
	uint32_t fault; /* 0: free */
	unsigned mode;
	uint64_t since_ns, applied_ns, healed_ns; /* 0: not yet */
	uint64_t last_ns; /* the latest round, or since_ns */
	struct price price;
};

struct price_delivery {
	uint64_t id, time_ns;
	uint32_t consumer;
};

struct prices {
	struct price none, modes[SERIES_MODES];
	struct price_open open[PRICES_OPEN_MAX];
	unsigned nopen;
	/* What ends later and began before still belongs to it. */
	unsigned last_mode;
	uint64_t closed_ns;
	struct price_delivery deliveries[PRICES_DELIVERIES];
	/* The latest wait for a message that came again after its AckWait. */
	uint64_t wait_id, wait_ns, again_ns;
};

/* NULL without memory; the others then take NULL and do nothing. */
struct prices *prices_create(void);
void prices_destroy(struct prices *);

/* A fault of that mode was planned; took effect or failed; was healed. */
void prices_planned(
    struct prices *, uint32_t fault, unsigned mode, uint64_t now_ns);
void prices_applied(struct prices *, uint32_t fault, bool ok, uint64_t now_ns);
void prices_healed(struct prices *, uint32_t fault, uint64_t now_ns);

/* An operation succeeded, so long after its first attempt. */
void prices_latency(struct prices *, uint64_t now_ns, uint64_t ns);

void prices_retry(struct prices *);

/*
 * A delivery of a message to a consumer with that AckWait (0: not known), for
 * the first time or again.
 */
void prices_delivery(struct prices *, const struct price_delivery *,
    uint64_t ack_wait_ns, bool is_again);

/* Is most of this stall the wait of its message for the AckWait? */
bool prices_is_ack_wait(
    const struct prices *, uint64_t id, uint64_t begin_ns, uint64_t end_ns);

/*
 * A round was finished, or the load ended (is_end). The next fault that is
 * over by that, with its row: false when there is no further one.
 */
bool prices_round(struct prices *, uint64_t now_ns, bool is_end,
    uint32_t *fault, struct price_row *);

#endif
