/* SPDX-License-Identifier: ISC */
/*
 * disk_full: the disk of a random server's store is filled to the last byte
 * and freed again some seconds later. The stores are on small disks of their
 * own in memory (chaos/cluster/local/disk.h). A server that can't write may
 * switch its JetStream off until it is started again, which then is done; or
 * hang for good (2.9.10 does), deaf to SIGTERM, and then it is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	   (CLOCK_S / 2)
#define HIGH_NS	   (10 * CLOCK_S)
#define RECOVER_NS (5 * CLOCK_S)  /* by itself, else it is restarted */
#define CURRENT_NS (30 * CLOCK_S) /* likewise, for all of its streams */
#define END_NS	   (10 * CLOCK_S) /* from SIGTERM to SIGKILL */
#define MIB	   (UINT64_C(1) << 20)

/* What f->next_ns says of the server. */
enum effect {
	EFFECT_NONE, /* it was healthy all the time */
	EFFECT_SEEN, /* it was not, while its disk was full */
	EFFECT_TOLD, /* still unhealthy: it was told to end */
	EFFECT_RESTARTED,
	EFFECT_KILLED /* it did not end when told */
};

struct full_options {
	uint64_t size;
};

static const struct option_spec full_rows[] = {
    {.name = "size",
	.type = OPTION_U64,
	OPTION_AT(struct full_options, size),
	.def = "256",
	.min = 16,
	.max = 65536,
	.arg = "MIB",
	.help = "size of a store's disk at first; it grows with the load, in "
		"memory"},
    {.name = NULL},
};

static void
full_require(struct cluster *c, const void *options)
{
	const struct full_options *o = options;

	c->disk_bytes = o->size * MIB;
}

static void
full_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static int
full_inject(struct fault *f)
{
	f->mark = clock_mono_ns();
	return f->cluster->ops->node_fill(f->cluster, f->node, true);
}

/* The server frees space meanwhile: take that as well. */
static void
full_step(struct fault *f)
{
	struct cluster *c = f->cluster;

	/* the next step tries again */
	(void)c->ops->node_fill(c, f->node, true);
	if (health_node_is_bad(c->health, f->node, f->mark) &&
	    f->next_ns == EFFECT_NONE)
		f->next_ns = EFFECT_SEEN;
}

static bool
full_is_applied(struct fault *f)
{
	struct cluster *c = f->cluster;

	if (c->ops->node_room(c, f->node) != 0) {
		full_step(f);
		return false;
	}
	text_format(f->how, sizeof(f->how),
	    "0 of %llu MiB are left on the disk of its store",
	    (unsigned long long)(c->nodes[f->node - 1].disk_bytes / MIB));
	return true;
}

/* Freeing twice does no harm. */
static int
full_heal(struct fault *f)
{
	f->mark = clock_mono_ns();
	return f->cluster->ops->node_fill(f->cluster, f->node, false);
}

static bool
full_is_undone(struct fault *f)
{
	return f->cluster->ops->node_room(f->cluster, f->node) > 0 &&
	       mayhem_is_undone(f);
}

/*
 * A server that stays unhealthy is ended, first by SIGTERM; is_healed starts it
 * again.
 */
static void
end_if_bad(struct fault *f)
{
	struct cluster *c = f->cluster;
	uint64_t now = clock_mono_ns();
	uint64_t patience = health_node_is_bad(c->health, f->node, f->mark)
				? RECOVER_NS
				: CURRENT_NS;

	if (f->next_ns == EFFECT_TOLD && now >= f->mark + END_NS) {
		f->next_ns = EFFECT_KILLED;
		/* unless it has ended */
		(void)c->ops->node_end(c, f->node, SIGKILL);
	}
	if (f->next_ns >= EFFECT_TOLD || now < f->mark + patience)
		return;
	f->next_ns = EFFECT_TOLD;
	f->mark = now;
	(void)c->ops->node_end(c, f->node, SIGTERM); /* unless it has ended */
}

static bool
full_is_healed(struct fault *f)
{
	static const char *const effects[] = {
	    [EFFECT_NONE] = "it was healthy all the time",
	    [EFFECT_SEEN] = "it was unhealthy, and recovered by itself",
	    [EFFECT_TOLD] = "it was unhealthy, and told to end",
	    [EFFECT_RESTARTED] = "it was unhealthy until restarted",
	    [EFFECT_KILLED] = "it was unhealthy until killed: it hung",
	};
	struct cluster *c = f->cluster;
	char how[FAULT_HOW_MAX];

	if (!c->ops->node_runs(c, f->node)) {
		if (f->next_ns != EFFECT_KILLED)
			f->next_ns = EFFECT_RESTARTED;
		(void)mayhem_start_all(f); /* mayhem_is_whole tries again */
	}
	text_format(how, sizeof(how),
	    "%llu MiB are free; %s; all servers healthy, all streams current",
	    (unsigned long long)c->ops->node_room(c, f->node) / MIB,
	    effects[f->next_ns]);
	if (c->ops->node_room(c, f->node) > 0 && mayhem_is_whole(f, how))
		return true;
	end_if_bad(f);
	return false;
}

const struct mayhem_ops mayhem_disk_full = {
    .name = "disk_full",
    .summary = "fill the disk of a random server's store, free it later",
    .promise = "nothing acknowledged is lost; an election's time of outage",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_FILL,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_on_demand = true, /* it puts the stores of the whole run into memory */
    .options = full_rows,
    .options_size = sizeof(struct full_options),
    .apply_ns = 10 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .require = full_require,
    .plan = full_plan,
    .inject = full_inject,
    .is_applied = full_is_applied,
    .step = full_step,
    .heal = full_heal,
    .is_undone = full_is_undone,
    .is_healed = full_is_healed,
};
