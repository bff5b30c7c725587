/* SPDX-License-Identifier: ISC */
/*
 * scale_stream: a stream of the run gets another number of replicas, and
 * later the one that it had. With overlap that is asked for as soon as the
 * first number is shown, while its replicas still come or go.
 */
#include <errno.h>
#include <string.h>

#include "chaos/change.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/topology.h"

#define LOW_NS	     (CLOCK_S / 2)
#define HIGH_NS	     (10 * CLOCK_S)
#define NUMBERS_MAX  CONFIG_NODES_MAX
#define SALT_TO	     1
#define SALT_OVERLAP 2

struct scale_options {
	char to[32], overlap[8];
};

static const char *const overlaps[] = {"false", "true", "some", NULL};

static const struct option_spec scale_rows[] = {
    {.name = "to",
	.type = OPTION_STRING,
	OPTION_AT(struct scale_options, to),
	.def = "1,3,5",
	.arg = "N[,N]",
	.help = "numbers of replicas to choose from"},
    {.name = "overlap",
	.type = OPTION_CHOICE,
	OPTION_AT(struct scale_options, overlap),
	.def = "some",
	.choices = overlaps,
	.arg = "WHEN",
	.help = "scale back before all replicas are current: true, false or "
		"some"},
    {.name = NULL},
};

/* The numbers that a stream may get on n servers; how many. */
static unsigned
numbers_of(const struct scale_options *o, uint64_t replicas, unsigned n,
    unsigned out[NUMBERS_MAX])
{
	const char *list = o->to;
	unsigned count = 0;
	char item[8];
	uint64_t number;

	while (count < NUMBERS_MAX && text_next_item(&list, item, sizeof(item)))
		if (text_to_u64(item, n, &number) == 0 && number > 0 &&
		    number != replicas)
			out[count++] = (unsigned)number;
	return count;
}

static int
scale_check(const struct run_config *c, char *why)
{
	struct scale_options o;
	unsigned out[NUMBERS_MAX];
	int err = mayhem_check_streams(c, "scale_stream", why);

	if (err == 0)
		err = config_extras(c, "scale_stream", scale_rows, &o, why);
	if (err < 0 || numbers_of(&o, c->replicas, topology_home(c), out))
		return err;
	text_format(why, OPTION_WHY_MAX,
	    "-o scale_stream.to=%s names no number from 1 to --servers %u "
	    "other than --replicas %llu",
	    o.to, topology_home(c), (unsigned long long)c->replicas);
	return -EINVAL;
}

static void
scale_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

static bool
overlaps_itself(const struct fault *f)
{
	const struct scale_options *o = f->options;

	return strcmp(o->overlap, "some") == 0
		   ? fault_dice(f, SALT_OVERLAP) % 3 == 0
		   : strcmp(o->overlap, "true") == 0;
}

static bool
scale_aim(struct fault *f)
{
	const struct run_config *c = f->cluster->config;
	uint64_t replicas = c->replicas;
	unsigned out[NUMBERS_MAX], count, n = f->cluster->n;

	if (strcmp(c->topology, TOPOLOGY_PLAIN) != 0)
		n = topology_home(c);
	count = numbers_of(f->options, replicas, n, out);
	if (count == 0 || !mayhem_aim_stream(f))
		return false;
	f->mark = out[fault_dice(f, SALT_TO) % count];
	f->fewest = f->mark < replicas ? (unsigned)f->mark : 0;
	if (overlaps_itself(f))
		f->hold_ns = 0;
	text_format(f->target, sizeof(f->target), "%.60s to R%u", f->before,
	    (unsigned)f->mark);
	return true;
}

static int
scale_inject(struct fault *f)
{
	const struct change_wish wish = {CHANGE_REPLICAS, f->mark, ""};

	return change_begin(f->cluster, f->number, f->before, &wish);
}

static bool
scale_is_applied(struct fault *f)
{
	bool is_early = overlaps_itself(f);

	if (!change_step(f->cluster) ||
	    (!is_early && !change_is_whole(f->cluster))) {
		text_set(f->how, sizeof(f->how), change_why(f->cluster));
		return false;
	}
	text_format(f->how, sizeof(f->how), "INFO shows %u replicas%s",
	    (unsigned)f->mark,
	    is_early ? ", and scaled back at once" : ", all current");
	return true;
}

const struct mayhem_ops mayhem_scale_stream = {
    .name = "scale_stream",
    .summary = "change how many replicas a stream of the run has, and back",
    .promise = "nothing acknowledged is lost; consumers keep their state",
    .needs = CLUSTER_CAN_ADMIN,
    .touches = TOUCH_STREAMS,
    .is_graceful = true, /* each request stops the clock, for 30 s */
    .options = scale_rows,
    .options_size = sizeof(struct scale_options),
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = scale_check,
    .plan = scale_plan,
    .aim = scale_aim,
    .inject = scale_inject,
    .is_applied = scale_is_applied,
    .heal = mayhem_restore_stream,
    .is_undone = mayhem_stream_is_restored,
    .is_healed = mayhem_stream_is_healed,
};
