/* SPDX-License-Identifier: ISC */
/*
 * slow_disk: writes and syncs of a random server's store are answered late for
 * a while, and now and then the whole disk stalls. The stores are on simulated
 * disks (chaos/cluster/local/drive/).
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	(5 * CLOCK_S)
#define HIGH_NS (25 * CLOCK_S)

struct slow_options {
	struct option_times delay;
	uint64_t stall_ns, share;
};

static const struct option_spec slow_rows[] = {
    {.name = "delay",
	.type = OPTION_TIMES,
	OPTION_AT(struct slow_options, delay),
	.def = "1ms..50ms",
	.min = 1,
	.max = 60 * CLOCK_S,
	.arg = "TIME[..TIME]",
	.help = "a write or sync takes so long"},
    {.name = "stall",
	.type = OPTION_DURATION,
	OPTION_AT(struct slow_options, stall_ns),
	.def = "5s",
	.max = 60 * CLOCK_S,
	.arg = "TIME",
	.help = "longest stall of the whole disk; 0: none"},
    {.name = "stalls",
	.type = OPTION_U64,
	OPTION_AT(struct slow_options, share),
	.def = "5",
	.min = 0,
	.max = 1000,
	.arg = "N",
	.help = "of 1000 writes and syncs begin a stall"},
    {.name = NULL},
};

static void
slow_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static int
slow_inject(struct fault *f)
{
	const struct slow_options *o = f->options;
	struct disk_policy p = {.low_ns = o->delay.low,
	    .high_ns = o->delay.high,
	    .stall_ns = o->stall_ns,
	    .stall_share = (uint32_t)o->share};

	return f->cluster->ops->disk_set(f->cluster, f->node, &p);
}

static bool
slow_is_applied(struct fault *f)
{
	struct disk_effect e;

	if (!f->cluster->ops->disk_effect(f->cluster, f->node, &e) ||
	    e.late == 0)
		return false;
	text_set(f->how, sizeof(f->how), "writes or syncs came late");
	return true;
}

/* What came late is known no more once the disk is told to be quick. */
static int
slow_heal(struct fault *f)
{
	static const struct disk_policy none = {0};
	struct disk_effect e;

	if (f->before[0] == '\0') {
		/* As it was told last. */
		(void)f->cluster->ops->disk_effect(f->cluster, f->node, &e);
		text_format(f->before, sizeof(f->before),
		    "%llu writes and syncs were late, %.3f s at most",
		    (unsigned long long)e.late, (double)e.latest_ns / 1e9);
	}
	f->mark = clock_mono_ns();
	return f->cluster->ops->disk_set(f->cluster, f->node, &none);
}

const struct mayhem_ops mayhem_slow_disk = {
    .name = "slow_disk",
    .summary = "a random server's disk writes and syncs slowly, and stalls",
    .promise = "nothing acknowledged is lost; slow, and elections may come",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_DISK,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_on_demand = true, /* it puts the stores on disks of ours */
    .options = slow_rows,
    .options_size = sizeof(struct slow_options),
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = slow_plan,
    .inject = slow_inject,
    .is_applied = slow_is_applied,
    .step = mayhem_look_at_disk,
    .heal = slow_heal,
    .is_undone = mayhem_disk_is_undone,
    .is_healed = mayhem_disk_is_healed,
};
