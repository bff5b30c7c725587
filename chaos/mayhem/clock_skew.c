/* SPDX-License-Identifier: ISC */
/*
 * clock_skew: the wall clock of one server is set ahead of the host's or behind
 * it for a while, and may run fast or slow meanwhile; all others stay right. A
 * server that is started has the host's clock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define LOW_NS	  (5 * CLOCK_S)
#define HIGH_NS	  (25 * CLOCK_S)
#define LEAST_NS  CLOCK_S
#define NEARLY_NS ((int64_t)(CLOCK_S / 4)) /* an offset is seen as exactly */

enum salt {
	SALT_STEP = 200,
	SALT_DRIFT,
	SALT_WAY,
	SALT_WHO
};

struct skew_options {
	struct option_times step, drift;
	char way[16], of[16];
};

static const char *const ways[] = {"ahead", "behind", "any", NULL};
static const char *const targets[] = {"leader", "server", "any", NULL};

static const struct option_spec skew_rows[] = {
    {.name = "step",
	.type = OPTION_TIMES,
	OPTION_AT(struct skew_options, step),
	.def = "1s..30s",
	.min = LEAST_NS,
	.max = 24 * 3600 * CLOCK_S,
	.arg = "TIME[..TIME]",
	.help = "so far its clock is set"},
    {.name = "drift",
	.type = OPTION_TIMES,
	OPTION_AT(struct skew_options, drift),
	.def = "0..50ms",
	.max = CLOCK_S / 2,
	.arg = "TIME[..TIME]",
	.help = "and goes so much further in each second"},
    {.name = "way",
	.type = OPTION_CHOICE,
	OPTION_AT(struct skew_options, way),
	.def = "any",
	.choices = ways,
	.arg = "WAY",
	.help = "ahead, behind or any"},
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct skew_options, of),
	.def = "any",
	.choices = targets,
	.arg = "WHOM",
	.help = "a leader of something, any server, or either"},
    {.name = NULL},
};

static void
skew_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_one(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static bool
skew_aim(struct fault *f)
{
	const struct skew_options *o = f->options;

	if (strcmp(o->of, "server") == 0 ||
	    (strcmp(o->of, "any") == 0 && fault_dice(f, SALT_WHO) % 2 == 0))
		return true;
	return mayhem_aim_leader(f, mayhem_leader_of(f, "any"));
}

static uint64_t
drawn(const struct fault *f, enum salt salt, const struct option_times *t)
{
	return t->low + fault_dice(f, salt) % (t->high - t->low + 1);
}

/* What its clock is to be ahead by, so long after inject. */
static int64_t
offset_after(const struct fault *f, uint64_t ns)
{
	const struct skew_options *o = f->options;
	double drift = (double)drawn(f, SALT_DRIFT, &o->drift) / 1e9;
	int64_t offset = (int64_t)drawn(f, SALT_STEP, &o->step);
	bool is_behind = strcmp(o->way, "any") == 0
			     ? fault_dice(f, SALT_WAY) % 2 == 0
			     : strcmp(o->way, "behind") == 0;

	ns = ns < f->hold_ns ? ns : f->hold_ns;
	offset += (int64_t)(drift * (double)ns);
	return is_behind ? -offset : offset;
}

static int64_t
offset_now(const struct fault *f)
{
	return offset_after(f, clock_mono_ns() - f->mark);
}

/* How far it may be off from now on: told before it is. */
static void
tell_clock(const struct fault *f)
{
	struct event ev = {.type = MESSAGE_CLOCK_SET};
	struct msg_clock_set *m = &ev.u.clock_set;
	int64_t most = offset_after(f, f->hold_ns);

	m->node = f->node;
	m->least_ns = most < 0 ? most : 0;
	m->most_ns = most > 0 ? most : 0;
	child_emit(chaos_child(f->cluster->chaos), &ev);
}

/* The process whose clock was set still runs. */
static bool
is_same(const struct fault *f)
{
	return f->cluster->ops->node_runs(f->cluster, f->node) &&
	       (uint64_t)f->cluster->nodes[f->node - 1].pid == f->next_ns;
}

static int
set_clock(struct fault *f, int64_t offset)
{
	int err = f->cluster->ops->node_clock(f->cluster, f->node, offset);

	if (err < 0)
		text_format(f->how, sizeof(f->how),
		    "its clock can't be set: %s", strerror(-err));
	return err;
}

static int
skew_inject(struct fault *f)
{
	tell_clock(f);
	f->mark = clock_mono_ns();
	f->next_ns = (uint64_t)f->cluster->nodes[f->node - 1].pid;
	return set_clock(f, offset_now(f));
}

/* Its page, asked for since f->mark; false: it has not told its time yet. */
static bool
is_told(const struct fault *f, struct health_varz *v)
{
	return health_varz(f->cluster->health, f->node, v) &&
	       v->asked_ns > f->mark && v->now_ns != 0 &&
	       v->took_ns < LEAST_NS / 2;
}

static bool
is_near(const struct health_varz *v, int64_t offset)
{
	return llabs(v->ahead_ns - offset) < NEARLY_NS + (int64_t)v->took_ns;
}

static void
say_offset(const struct fault *f, char *out, size_t size)
{
	int64_t offset = offset_now(f);

	text_format(out, size, "its clock was %.3f s %s",
	    (double)llabs(offset) / 1e9, offset < 0 ? "behind" : "ahead");
}

/* The clock drifts. What fails now fails when it is to be undone. */
static void
skew_step(struct fault *f)
{
	if (is_same(f))
		(void)set_clock(f, offset_now(f));
}

static bool
skew_is_applied(struct fault *f)
{
	struct health_varz v;
	char text[64];

	skew_step(f);
	if (!is_told(f, &v) ||
	    !is_near(&v, offset_after(f, v.asked_ns - f->mark)))
		return false;
	say_offset(f, text, sizeof(text));
	text_format(f->how, sizeof(f->how), "%s, as /varz tells", text);
	return true;
}

static int
skew_heal(struct fault *f)
{
	if (f->before[0] == '\0') {
		if (is_same(f))
			say_offset(f, f->before, sizeof(f->before));
		else
			text_set(f->before, sizeof(f->before),
			    "it was started anew, with the host's clock");
	}
	f->mark = clock_mono_ns();
	return is_same(f) ? set_clock(f, 0) : 0;
}

static bool
is_right(const struct fault *f)
{
	struct health_varz v;

	return is_told(f, &v) && is_near(&v, 0);
}

static bool
skew_is_undone(struct fault *f)
{
	return is_right(f) && mayhem_is_undone(f);
}

static bool
skew_is_healed(struct fault *f)
{
	char how[FAULT_HOW_MAX];

	text_format(how, sizeof(how),
	    "%s, and is right; all servers healthy, all streams current",
	    f->before);
	return is_right(f) && mayhem_is_whole(f, how);
}

const struct mayhem_ops mayhem_clock_skew = {
    .name = "clock_skew",
    .summary = "set a server's wall clock ahead or behind, and have it drift",
    .promise = "nothing acknowledged is lost; ages, windows and waits are off "
	       "by as much as the clock, and elections may come",
    .needs = CLUSTER_CAN_CLOCK,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .is_on_demand = true, /* ages and windows are judged with more room */
    .options = skew_rows,
    .options_size = sizeof(struct skew_options),
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .plan = skew_plan,
    .aim = skew_aim,
    .inject = skew_inject,
    .is_applied = skew_is_applied,
    .step = skew_step,
    .heal = skew_heal,
    .is_undone = skew_is_undone,
    .is_healed = skew_is_healed,
};
