/* SPDX-License-Identifier: ISC */
/*
 * pause_leader: the leader of the meta group, of a stream or of a consumer
 * is stopped (SIGSTOP) and continued (SIGCONT) later. When it comes back it
 * still believes that it leads.
 */
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"

#define LOW_NS	(CLOCK_S / 2)
#define HIGH_NS (20 * CLOCK_S) /* elections take 4-9 s */

struct pause_options {
	char of[16];
};

static const struct option_spec pause_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct pause_options, of),
	.def = "any",
	.choices = mayhem_leader_names,
	.arg = "WHAT",
	.help = "meta, stream, consumer or any"},
    {.name = NULL},
};

static void
pause_leader_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static bool
pause_leader_aim(struct fault *f)
{
	const struct pause_options *o = f->options;

	return mayhem_aim_leader(f, mayhem_leader_of(f, o->of));
}

const struct mayhem_ops mayhem_pause_leader = {
    .name = "pause_leader",
    .summary = "stop the leader of the meta group, a stream or a consumer",
    .promise = "nothing acknowledged is lost; an election's time of outage",
    .needs = CLUSTER_CAN_PAUSE,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .options = pause_rows,
    .options_size = sizeof(struct pause_options),
    .apply_ns = 5 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = pause_leader_plan,
    .aim = pause_leader_aim,
    .inject = mayhem_pause_node,
    .is_applied = mayhem_is_paused,
    .heal = mayhem_continue_node,
    .is_healed = mayhem_is_continued,
};
