/* SPDX-License-Identifier: ISC */
/*
 * disk_full: the disk of a random server's store is filled to the last byte
 * and freed again some seconds later. The stores are on small disks of their
 * own in memory (chaos/cluster/local/disk.h).
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	(CLOCK_S / 2)
#define HIGH_NS (10 * CLOCK_S)
#define MIB	(UINT64_C(1) << 20)

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
	mayhem_look_at_disk(f);
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

static bool
full_is_healed(struct fault *f)
{
	int64_t room = f->cluster->ops->node_room(f->cluster, f->node);
	char what[48];

	text_format(what, sizeof(what), "%llu MiB are free",
	    (unsigned long long)room / MIB);
	return room > 0 && mayhem_is_recovered(f, what);
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
