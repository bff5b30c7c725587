/* SPDX-License-Identifier: ISC */
/*
 * move_stream: a stream of the run is placed on servers with another tag, and
 * later the configuration that it had is put back. Servers of our own have a
 * tag "not-N" for each other server N, so a stream that is to be on "not-2"
 * leaves n2. Of other servers the user names the tags.
 */
#include <errno.h>
#include <string.h>

#include "chaos/change.h"
#include "chaos/cluster/cluster.h"
#include "chaos/health.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/topology.h"

#define LOW_NS	  (CLOCK_S / 2)
#define HIGH_NS	  (10 * CLOCK_S)
#define RECENT_NS (5 * CLOCK_S)
#define TAGS_MAX  16

enum salt {
	SALT_TAG = 1
};

struct move_options {
	char tags[128];
};

static const struct option_spec move_rows[] = {
    {.name = "tags",
	.type = OPTION_STRING,
	OPTION_AT(struct move_options, tags),
	.def = "",
	.arg = "TAG[,TAG]",
	.help = "tags of servers to choose from; natsburn's own have some"},
    {.name = NULL},
};

static int
move_check(const struct run_config *c, char *why)
{
	struct move_options o;
	bool is_ours = cluster_find(c->cluster)->owner == OWNER_US;
	int err = config_extras(c, "move_stream", move_rows, &o, why);

	if (err < 0)
		return err;
	if (!is_ours && o.tags[0] == '\0')
		text_set(why, OPTION_WHY_MAX,
		    "mayhem move_stream on a cluster that isn't natsburn's "
		    "needs -o move_stream.tags=TAG[,TAG], tags of its servers");
	else if (is_ours && topology_home(c) <= c->replicas)
		text_format(why, OPTION_WHY_MAX,
		    "needs more --servers than --replicas %llu, not %llu: "
		    "there has to be a server to move to",
		    (unsigned long long)c->replicas,
		    (unsigned long long)topology_home(c));
	else if (strcmp(c->test, "consumer-churn") == 0)
		text_set(why, OPTION_WHY_MAX,
		    "test consumer-churn has consumers with one replica, and "
		    "they may be lost with it");
	else
		return mayhem_check_streams(c, "move_stream", why);
	return -EINVAL;
}

static void
move_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
}

/* Which of so many. */
static unsigned
draw(const struct fault *f, unsigned n)
{
	return (unsigned)(fault_dice(f, SALT_TAG) % n);
}

/* One of the replicas, which has to go, is mark; 0 where users name tags. */
static bool
move_aim(struct fault *f)
{
	const struct move_options *o = f->options;
	unsigned peers, leader, skip, i;

	f->mark = 0;
	if (!mayhem_aim_stream(f))
		return false;
	text_format(f->target, sizeof(f->target), "%.60s", f->before);
	if (o->tags[0] != '\0')
		return true;
	peers = fault_peers(f, clock_mono_ns() - RECENT_NS, &leader);
	if (peers == 0)
		return false;
	skip = draw(f, fault_count(peers));
	for (i = 1; (peers & (1U << (i - 1))) == 0 || skip-- > 0; i++)
		;
	f->mark = i;
	text_add(f->target, sizeof(f->target), " away from %.20s",
	    f->cluster->nodes[i - 1].name);
	return true;
}

static int
move_inject(struct fault *f)
{
	const struct move_options *o = f->options;
	struct change_wish wish = {.edit = CHANGE_PLACEMENT};
	char tags[TAGS_MAX][32];
	const char *list = o->tags;
	unsigned n = 0;

	while (n < TAGS_MAX && text_next_item(&list, tags[n], sizeof(tags[n])))
		n++;
	if (n == 0)
		text_format(
		    wish.tag, sizeof(wish.tag), "not-%u", (unsigned)f->mark);
	else
		text_set(wish.tag, sizeof(wish.tag), tags[draw(f, n)]);
	f->next_ns = clock_mono_ns();
	return change_begin(f->cluster, f->number, f->before, &wish);
}

static bool
move_is_applied(struct fault *f)
{
	unsigned peers, leader;

	if (!change_step(f->cluster) || !change_is_whole(f->cluster)) {
		text_set(f->how, sizeof(f->how), change_why(f->cluster));
		return false;
	}
	peers = fault_peers(f, f->next_ns, &leader);
	if (f->mark != 0 &&
	    (peers == 0 || (peers & (1U << (f->mark - 1))) != 0)) {
		text_set(f->how, sizeof(f->how), "it is still there");
		return false;
	}
	text_set(f->how, sizeof(f->how),
	    f->mark != 0 ? "INFO shows it; it has left, all replicas current"
			 : "INFO shows it, all replicas current");
	return true;
}

const struct mayhem_ops mayhem_move_stream = {
    .name = "move_stream",
    .summary = "place a stream of the run on servers with another tag, and "
	       "back",
    .promise = "nothing acknowledged is lost; consumers keep their state",
    .needs = CLUSTER_CAN_ADMIN,
    .touches = TOUCH_STREAMS,
    .is_graceful = true, /* each request stops the clock, for 30 s */
    .options = move_rows,
    .options_size = sizeof(struct move_options),
    .apply_ns = 120 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = move_check,
    .plan = move_plan,
    .aim = move_aim,
    .inject = move_inject,
    .is_applied = move_is_applied,
    .heal = mayhem_restore_stream,
    .is_undone = mayhem_stream_is_restored,
    .is_healed = mayhem_stream_is_healed,
};
