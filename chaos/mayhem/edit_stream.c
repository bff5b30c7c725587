/* SPDX-License-Identifier: ISC */
/*
 * edit_stream: something of a stream's configuration is changed that nobody's
 * messages depend on, and later changed back.
 */
#include <string.h>

#include "chaos/change.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	(CLOCK_S / 2)
#define HIGH_NS (10 * CLOCK_S)

struct edit_options {
	char of[16];
};

static const char *const ofs[] = {
    "subject", "description", "metadata", "limits", "compression", "any", NULL};

/* In the order of the words. */
static const enum change_edit edits[] = {CHANGE_SUBJECT, CHANGE_DESCRIPTION,
    CHANGE_METADATA, CHANGE_LIMITS, CHANGE_COMPRESSION};

enum {
	EDITS = sizeof(edits) / sizeof(edits[0])
};

static const struct option_spec edit_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct edit_options, of),
	.def = "any",
	.choices = ofs,
	.arg = "WHAT",
	.help = "subject, description, metadata, limits, compression or any"},
    {.name = NULL},
};

static int
edit_check(const struct run_config *c, char *why)
{
	return mayhem_check_streams(c, "edit_stream", why);
}

static void
edit_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->mark = rng_below(&p->rng, EDITS);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

/* What servers don't know, or streams in memory don't have, is the next. */
static bool
edit_aim(struct fault *f)
{
	const struct run_config *c = f->cluster->config;
	const struct edit_options *o = f->options;
	unsigned i;

	for (i = 0; strcmp(o->of, ofs[i]) != 0; i++)
		;
	if (i < EDITS)
		f->mark = i;
	while (!change_is_known(f->cluster, edits[f->mark]) ||
	       (edits[f->mark] == CHANGE_COMPRESSION &&
		   strcmp(c->storage, "memory") == 0)) {
		if (i < EDITS)
			return false;
		f->mark = (f->mark + 1) % EDITS;
	}
	if (!mayhem_aim_stream(f))
		return false;
	text_format(f->target, sizeof(f->target), "%s of %.60s", ofs[f->mark],
	    f->before);
	return true;
}

static int
edit_inject(struct fault *f)
{
	const struct change_wish wish = {edits[f->mark], f->number, ""};

	return change_begin(f->cluster, f->number, f->before, &wish);
}

static bool
edit_is_applied(struct fault *f)
{
	if (!change_step(f->cluster)) {
		text_set(f->how, sizeof(f->how), change_why(f->cluster));
		return false;
	}
	text_set(f->how, sizeof(f->how), "INFO shows it");
	return true;
}

const struct mayhem_ops mayhem_edit_stream = {
    .name = "edit_stream",
    .summary = "change subjects, limits, description, metadata or compression "
	       "of a stream of the run, and back",
    .promise = "nothing of what is used changes",
    .needs = CLUSTER_CAN_ADMIN,
    .touches = TOUCH_STREAMS,
    .is_graceful = true, /* each request stops the clock, for 30 s */
    .options = edit_rows,
    .options_size = sizeof(struct edit_options),
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = edit_check,
    .plan = edit_plan,
    .aim = edit_aim,
    .inject = edit_inject,
    .is_applied = edit_is_applied,
    .heal = mayhem_restore_stream,
    .is_undone = mayhem_stream_is_restored,
    .is_healed = mayhem_stream_is_healed,
};
