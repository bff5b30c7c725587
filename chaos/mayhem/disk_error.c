/* SPDX-License-Identifier: ISC */
/*
 * disk_error: writes, syncs or reads of a random server's store fail with EIO,
 * once or for a while. The stores are on simulated disks
 * (chaos/cluster/local/drive/).
 */
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	(CLOCK_S / 2)
#define HIGH_NS (10 * CLOCK_S)

struct error_options {
	char of[16], lasts[16];
};

static const char *const ofs[] = {"write", "sync", "read", "any", NULL};
static const char *const lasts[] = {"once", "while", "any", NULL};
static const unsigned fails[] = {
    DISK_FAILS_WRITE, DISK_FAILS_SYNC, DISK_FAILS_READ};

static const struct option_spec error_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct error_options, of),
	.def = "any",
	.choices = ofs,
	.arg = "WHAT",
	.help = "write, sync, read, or any of these"},
    {.name = "lasts",
	.type = OPTION_CHOICE,
	OPTION_AT(struct error_options, lasts),
	.def = "any",
	.choices = lasts,
	.arg = "HOW",
	.help = "once, for a while, or either"},
    {.name = NULL},
};

/* The choice of a row's words, drawn where it is the last one: any. */
static unsigned
choose(const struct fault *f, const char *const *words, unsigned n,
    const char *word)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return (unsigned)(fault_dice(f, n) % n);
}

static void
error_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static int
error_inject(struct fault *f)
{
	const struct error_options *o = f->options;
	struct disk_policy p = {.fails = fails[choose(f, ofs, 3, o->of)],
	    .times = choose(f, lasts, 2, o->lasts) == 0};

	f->mark = clock_mono_ns();
	return f->cluster->ops->disk_set(f->cluster, f->node, &p);
}

static bool
error_is_applied(struct fault *f)
{
	const struct error_options *o = f->options;
	struct disk_effect e;

	mayhem_look_at_disk(f);
	if (!f->cluster->ops->disk_effect(f->cluster, f->node, &e) ||
	    e.failed == 0)
		return false;
	text_format(f->how, sizeof(f->how), "a %s failed with EIO",
	    ofs[choose(f, ofs, 3, o->of)]);
	return true;
}

/* How many failed is known no more once the disk is told to be well. */
static int
error_heal(struct fault *f)
{
	static const struct disk_policy none = {0};
	struct disk_effect e;

	if (f->before[0] == '\0') {
		/* As it was told last. */
		(void)f->cluster->ops->disk_effect(f->cluster, f->node, &e);
		text_format(f->before, sizeof(f->before), "%llu failed",
		    (unsigned long long)e.failed);
	}
	f->mark = clock_mono_ns();
	return f->cluster->ops->disk_set(f->cluster, f->node, &none);
}

const struct mayhem_ops mayhem_disk_error = {
    .name = "disk_error",
    .summary = "a random server's writes, syncs or reads fail (EIO)",
    .promise = "nothing acknowledged is lost; an election's time of outage",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_DISK,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .is_on_demand = true, /* it puts the stores on disks of ours */
    .options = error_rows,
    .options_size = sizeof(struct error_options),
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = error_plan,
    .inject = error_inject,
    .is_applied = error_is_applied,
    .step = mayhem_look_at_disk,
    .heal = error_heal,
    .is_undone = mayhem_disk_is_undone,
    .is_healed = mayhem_disk_is_healed,
};
