/* SPDX-License-Identifier: ISC */
/*
 * bit_rot: a server is killed, a file of its store is damaged, and it is
 * started again. It begins when the cluster is whole, so the others have
 * everything; and it is always the same server, for nobody knows whether
 * earlier damage is still there. No text promises that a server repairs its
 * store.
 */
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/health.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define RECENT_NS (5 * CLOCK_S)
#define VICTIM	  1
#define SALT_HOW  1
#define SALT_FILE 2

struct rot_options {
	char of[16], how[16];
};

/* As in enum disk_rot_of and enum disk_rot_how. */
static const char *const ofs[] = {
    "messages", "index", "consumer", "raft", "meta", "any", NULL};
static const char *const hows[] = {
    "flip", "zero", "truncate", "tail", "any", NULL};

static const struct option_spec rot_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct rot_options, of),
	.def = "any",
	.choices = ofs,
	.arg = "FILES",
	.help = "messages, index, consumer, raft, meta, or any file"},
    {.name = "how",
	.type = OPTION_CHOICE,
	OPTION_AT(struct rot_options, how),
	.def = "any",
	.choices = hows,
	.arg = "HOW",
	.help = "flip, zero, truncate, tail, or any of these"},
    {.name = NULL},
};

static unsigned
index_of(const char *const *words, const char *word)
{
	unsigned i;

	for (i = 0; strcmp(words[i], word) != 0; i++)
		;
	return i;
}

static void
rot_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->node = VICTIM;
	f->hold_ns = mayhem_draw_down(p);
}

static bool
rot_aim(struct fault *f)
{
	char why[CLUSTER_WHY_MAX];

	return health_is_whole(
	    f->cluster->health, clock_mono_ns() - RECENT_NS, why);
}

static bool
rot_is_applied(struct fault *f)
{
	const struct rot_options *o = f->options;
	unsigned how = index_of(hows, o->how);
	struct disk_rot rot = {.of = index_of(ofs, o->of),
	    .how =
		how < ROTS ? how : (unsigned)(fault_dice(f, SALT_HOW) % ROTS),
	    .dice = fault_dice(f, SALT_FILE + f->next_ns)};

	if (!mayhem_all_ended(f, "no file of this kind could be damaged"))
		return false;
	f->next_ns++; /* of tries */
	return f->cluster->ops->node_rot(
		   f->cluster, f->node, &rot, f->how, sizeof(f->how)) == 0;
}

const struct mayhem_ops mayhem_bit_rot = {
    .name = "bit_rot",
    .summary = "kill server n1, damage a file of its store, start it again",
    .promise = "none for this server; the others keep what was acknowledged",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_ROT,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .stands_alone = true, /* the others have to have everything */
    .is_on_demand = true, /* outside of what JetStream promises */
    .options = rot_rows,
    .options_size = sizeof(struct rot_options),
    .apply_ns = 10 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = rot_plan,
    .aim = rot_aim,
    .inject = mayhem_kill_targets,
    .is_applied = rot_is_applied,
    .heal = mayhem_start_all,
    .is_healed = mayhem_is_back,
};
