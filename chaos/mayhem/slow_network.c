/* SPDX-License-Identifier: ISC */
/*
 * slow_network: for a while every byte between servers comes late, by a
 * delay and a jitter that are drawn anew each time.
 */
#include <stdio.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	(5 * CLOCK_S)
#define HIGH_NS (25 * CLOCK_S)

struct slow_options {
	struct option_times delay, jitter;
};

static const struct option_spec slow_rows[] = {
    {.name = "delay",
	.type = OPTION_TIMES,
	OPTION_AT(struct slow_options, delay),
	.def = "5ms..100ms",
	.min = 1,
	.max = 60 * CLOCK_S,
	.arg = "TIME[..TIME]",
	.help = "of every byte between servers"},
    {.name = "jitter",
	.type = OPTION_TIMES,
	OPTION_AT(struct slow_options, jitter),
	.def = "0..50ms",
	.max = 60 * CLOCK_S,
	.arg = "TIME[..TIME]",
	.help = "added to it at random, at most"},
    {.name = NULL},
};

static uint64_t
draw(const struct fault *f, const struct option_times *r, uint64_t salt)
{
	return r->low + fault_dice(f, salt) % (r->high - r->low + 1);
}

static void
slow_plan(struct mayhem_plan *p, struct fault *f)
{
	const struct slow_options *o = p->options;
	char delay[32], jitter[32];

	mayhem_plan_next(p, f);
	f->nodes = (1U << p->nodes) - 1;
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
	/* Milliseconds are precise enough for people. */
	text_from_duration(
	    draw(f, &o->delay, 1) / CLOCK_MS * CLOCK_MS, delay, sizeof(delay));
	text_from_duration(draw(f, &o->jitter, 2) / CLOCK_MS * CLOCK_MS, jitter,
	    sizeof(jitter));
	text_format(f->target, sizeof(f->target),
	    "all links, %s and up to %s more", delay, jitter);
}

static int
slow_inject(struct fault *f)
{
	const struct slow_options *o = f->options;
	struct link_policy policy = {
	    LINK_OPEN, draw(f, &o->delay, 1), draw(f, &o->jitter, 2)};

	return mayhem_set_links(f, NULL, true, &policy);
}

/* Bytes came through late. */
static bool
slow_is_applied(struct fault *f)
{
	struct link_flow sum;

	mayhem_sum_flows(f, NULL, true, &sum);
	if (sum.late == 0)
		return false;
	text_format(f->how, sizeof(f->how),
	    "%llu bytes between servers came late so far",
	    (unsigned long long)sum.late);
	return true;
}

static int
slow_heal(struct fault *f)
{
	static const struct link_policy open = {LINK_OPEN, 0, 0};

	f->mark = clock_mono_ns();
	return mayhem_set_links(f, NULL, true, &open);
}

static bool
slow_is_healed(struct fault *f)
{
	return mayhem_is_whole(
	    f, "links are fast; all servers healthy, all streams current");
}

const struct mayhem_ops mayhem_slow_network = {
    .name = "slow_network",
    .summary = "delay everything between servers for a while",
    .promise = "nothing acknowledged is lost; slow, and elections may come",
    .needs = CLUSTER_CAN_SHAPE,
    .touches = TOUCH_LINKS,
    .options = slow_rows,
    .options_size = sizeof(struct slow_options),
    .apply_ns = 10 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = slow_plan,
    .inject = slow_inject,
    .is_applied = slow_is_applied,
    .heal = slow_heal,
    .is_healed = slow_is_healed,
};
