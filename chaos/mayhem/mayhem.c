/* SPDX-License-Identifier: ISC */
/* What mayhem modes share; see mayhem.h. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chaos/account.h"
#include "chaos/admin.h"
#include "chaos/change.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/topology.h"

#define ANSWER_MAX  1024
#define MIX_WHOLE   3		  /* up to so many modes run all together */
#define MIX_OF_MANY 2		  /* of more modes, so many at once */
#define LEAST_NS    (CLOCK_S / 2) /* between two faults of a mode */
/* a leader that was seen later than that is known */
#define KNOWN_NS (3 * CLOCK_S)

/* Killed servers stay away for so long: shorter than an election, or longer. */
#define DOWN_LEAST_NS (CLOCK_S / 10)
#define DOWN_SHORT_NS CLOCK_S
#define DOWN_LONG_NS  (12 * CLOCK_S)

/* They come back so far apart; or one comes so late. */
#define APART_NS  (3 * CLOCK_S)
#define LATE_NS	  (5 * CLOCK_S)
#define LATEST_NS (15 * CLOCK_S)

/* A server whose disk was harmed. */
#define RECOVER_NS (5 * CLOCK_S)  /* by itself, else it is restarted */
#define CURRENT_NS (30 * CLOCK_S) /* likewise, for all of its streams */
#define END_NS	   (10 * CLOCK_S) /* from SIGTERM to SIGKILL */

/* What fault_dice() is asked for. */
enum salt {
	SALT_LEADER, /* and 1 */
	SALT_RETURN = 100,
	SALT_LATE,
	SALT_STREAM,
	SALT_APART /* and by server */
};

/* How several servers come back. */
enum comeback {
	BACK_TOGETHER,
	BACK_APART,
	BACK_ONE_LATE,
	BACKS
};

const struct mayhem_ops *
mayhem_find(const char *name)
{
	const struct mayhem_ops *const *m;

	for (m = mayhem_table; *m != NULL; m++)
		if (strcmp((*m)->name, name) == 0)
			return *m;
	return NULL;
}

unsigned
mayhem_needs(const struct mayhem_ops *ops, const struct cluster_ops *driver)
{
	return ops->needs_rolling != 0 &&
		       (cluster_can(driver) & CLUSTER_CAN_ROLL) != 0
		   ? ops->needs_rolling
		   : ops->needs;
}

unsigned
mayhem_tolerated(const struct run_config *c, unsigned n)
{
	uint64_t bound;

	if (strcmp(c->tolerate, "none") == 0)
		return UINT_MAX;
	if (text_to_u64(c->tolerate, CONFIG_NODES_MAX, &bound) == 0)
		return (unsigned)bound;
	/*
	 * A minority, of the cluster where the streams are. Of one or two
	 * servers none is a minority; there a fault of one server is an outage,
	 * and that is allowed.
	 */
	if (strcmp(c->topology, TOPOLOGY_PLAIN) != 0)
		n = topology_home(c);
	return n > 2 ? (n - 1) / 2 : 1;
}

unsigned
mayhem_at_once(const struct run_config *c, unsigned n)
{
	uint64_t most = c->mix != 0 ? c->mix : n <= MIX_WHOLE ? n : MIX_OF_MANY;

	return most < n ? (unsigned)most : n;
}

unsigned
mayhem_width(const struct mayhem_ops *ops, unsigned n)
{
	switch (ops->outage) {
	case OUTAGE_NONE:
		return 0;
	case OUTAGE_ONE:
	case OUTAGE_MINORITY:
		return 1;
	case OUTAGE_MAJORITY:
		return n / 2 + 1;
	case OUTAGE_ALL:
		return n;
	}
	return n;
}

unsigned
fault_nodes(const struct fault *f)
{
	return f->nodes | (f->node != 0 ? 1U << (f->node - 1) : 0);
}

unsigned
fault_count(unsigned nodes)
{
	return (unsigned)__builtin_popcount(nodes);
}

unsigned
fault_peers(const struct fault *f, uint64_t since_ns, unsigned *leader)
{
	const struct health *h = f->cluster->health;
	struct health_stream s;

	*leader = health_group_leader(h, f->before, since_ns);
	return *leader != 0 && health_stream_of(h, *leader, f->before, &s)
		   ? s.peers
		   : 0;
}

void
mayhem_take_refusal(struct fault *f)
{
	char answer[ANSWER_MAX];

	if (admin_poll(f->cluster->admin, answer, sizeof(answer)) <= 0)
		return;
	admin_done(f->cluster->admin);
	if (strstr(answer, "\"error\"") != NULL)
		text_format(f->how, sizeof(f->how), "refused: %.140s", answer);
}

uint64_t
fault_dice(const struct fault *f, uint64_t salt)
{
	return rng_mix(f->dice + rng_mix(salt));
}

static uint64_t
draw_between(struct rng *rng, uint64_t low, uint64_t high)
{
	return high > low ? low + rng_below(rng, high - low + 1) : low;
}

void
mayhem_plan_next(struct mayhem_plan *p, struct fault *f)
{
	const struct option_times *r = &p->interval;
	uint64_t wait;

	if (r->low == r->high)
		wait = (uint64_t)rng_exponential(&p->rng, (double)r->low);
	else
		wait = draw_between(&p->rng, r->low, r->high);
	/*
	 * The first fault comes within one interval, so that short runs have
	 * one.
	 */
	if (p->round == 0 && wait > r->high)
		wait %= r->high;
	p->next_ns += wait > LEAST_NS ? wait : LEAST_NS;
	f->round = ++p->round;
	f->planned_ns = p->next_ns;
	f->dice = rng_next(&p->rng);
}

uint64_t
mayhem_draw_hold(struct mayhem_plan *p, uint64_t low, uint64_t high)
{
	if (p->hold.high > 0)
		return draw_between(&p->rng, p->hold.low, p->hold.high);
	return draw_between(&p->rng, low, high);
}

unsigned
mayhem_draw_nodes(struct mayhem_plan *p, unsigned count)
{
	unsigned nodes = 0;

	if (count > p->nodes)
		count = p->nodes;
	while (fault_count(nodes) < count)
		nodes |= 1U << rng_below(&p->rng, p->nodes);
	return nodes;
}

void
mayhem_plan_one(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->node = 1 + (unsigned)rng_below(&p->rng, p->nodes);
}

int
mayhem_kill_targets(struct fault *f)
{
	unsigned i, nodes = fault_nodes(f);
	int err = 0, got;

	for (i = 1; i <= f->cluster->n; i++) {
		if ((nodes & (1U << (i - 1))) == 0)
			continue;
		got = f->cluster->ops->node_end(f->cluster, i, SIGKILL);
		if (got < 0)
			err = got;
	}
	return err;
}

bool
mayhem_all_ended(struct fault *f, const char *how)
{
	unsigned i, nodes = fault_nodes(f);

	for (i = 1; i <= f->cluster->n; i++) {
		if ((nodes & (1U << (i - 1))) == 0)
			continue;
		if (f->cluster->ops->node_runs(f->cluster, i))
			return false;
		if (f->cluster->ops->node_how != NULL)
			how = f->cluster->ops->node_how(f->cluster, i);
	}
	text_set(f->how, sizeof(f->how), how);
	return true;
}

uint64_t
mayhem_draw_down(struct mayhem_plan *p)
{
	return rng_below(&p->rng, 2) == 0
		   ? mayhem_draw_hold(p, DOWN_LEAST_NS, DOWN_SHORT_NS)
		   : mayhem_draw_hold(p, DOWN_SHORT_NS, DOWN_LONG_NS);
}

static enum comeback
comeback_of(const struct fault *f)
{
	return fault_count(fault_nodes(f)) < 2
		   ? BACK_TOGETHER
		   : (enum comeback)(fault_dice(f, SALT_RETURN) % BACKS);
}

/* The server that comes late, from 1. */
static unsigned
late_one(const struct fault *f)
{
	unsigned nodes = fault_nodes(f), i;
	uint64_t skip = fault_dice(f, SALT_LATE) % fault_count(nodes);

	for (i = 1; (nodes & (1U << (i - 1))) == 0 || skip-- > 0; i++)
		;
	return i;
}

/* How long after the first one a target is started. */
static uint64_t
start_after(const struct fault *f, unsigned node)
{
	uint64_t dice = fault_dice(f, SALT_APART + node);

	switch (comeback_of(f)) {
	case BACK_APART:
		return dice % APART_NS;
	case BACK_ONE_LATE:
		return node == late_one(f)
			   ? LATE_NS + dice % (LATEST_NS - LATE_NS)
			   : 0;
	case BACK_TOGETHER:
	case BACKS:
		break;
	}
	return 0;
}

/* Start the targets that are due and don't run. 0 or -errno of the last. */
static int
start_due(struct fault *f, uint64_t now_ns)
{
	unsigned i, nodes = fault_nodes(f);
	int err = 0, got;

	if (f->start_ns == 0)
		f->start_ns = now_ns;
	for (i = 1; i <= f->cluster->n; i++) {
		if ((nodes & (1U << (i - 1))) == 0 ||
		    f->cluster->ops->node_runs(f->cluster, i) ||
		    now_ns < f->start_ns + start_after(f, i))
			continue;
		f->mark = now_ns;
		got = f->cluster->ops->node_start(f->cluster, i);
		err = got < 0 ? got : err;
	}
	return err;
}

/*
 * Servers that run are left alone: heal may be called twice, and without effect
 * of inject.
 */
int
mayhem_start_all(struct fault *f)
{
	f->mark = clock_mono_ns();
	return start_due(f, f->mark);
}

static bool
node_is_back(struct cluster *c, unsigned node)
{
	return c->ops->node_runs(c, node) &&
	       (c->ops->node_is_ready == NULL ||
		   c->ops->node_is_ready(c, node)) &&
	       (c->ops->node_is_paused == NULL ||
		   !c->ops->node_is_paused(c, node));
}

bool
mayhem_is_undone(struct fault *f)
{
	unsigned i, touches = f->ops->touches;
	unsigned nodes = (touches & TOUCH_SERVER) != 0 ? fault_nodes(f) : 0;

	if (f->is_rollout)
		return false;
	for (i = 1; i <= f->cluster->n; i++)
		if ((nodes & (1U << (i - 1))) != 0 &&
		    !node_is_back(f->cluster, i))
			return false;
	return (touches & TOUCH_LINKS) == 0 || mayhem_are_told(f, NULL, true);
}

bool
mayhem_is_whole(struct fault *f, const char *how)
{
	char why[CLUSTER_WHY_MAX];

	/*
	 * A server may end later than apply_ns allowed: it is started as soon
	 * as it has. What fails is tried again until it is whole.
	 */
	if (f->ops->ends_server)
		(void)start_due(f, clock_mono_ns());
	if (!health_is_whole(f->cluster->health, f->mark, why)) {
		text_format(f->how, sizeof(f->how), "%.100s", why);
		return false;
	}
	text_set(f->how, sizeof(f->how), how);
	return true;
}

bool
mayhem_is_back(struct fault *f)
{
	static const char *const words[BACKS] = {
	    [BACK_TOGETHER] = "started",
	    [BACK_APART] = "started within 3 s",
	    [BACK_ONE_LATE] = "started, one of them later",
	};
	char how[FAULT_HOW_MAX];

	text_format(how, sizeof(how),
	    "%s; all servers healthy, all streams current",
	    words[comeback_of(f)]);
	return mayhem_is_whole(f, how);
}

/* What f->next_ns says of a server whose disk was harmed. */
enum effect {
	EFFECT_NONE, /* it was healthy all the time */
	EFFECT_SEEN, /* it was not, while its disk was bad */
	EFFECT_TOLD, /* still unhealthy: it was told to end */
	EFFECT_RESTARTED,
	EFFECT_KILLED /* it did not end when told */
};

void
mayhem_look_at_disk(struct fault *f)
{
	if (health_node_is_bad(f->cluster->health, f->node, f->mark) &&
	    f->next_ns == EFFECT_NONE)
		f->next_ns = EFFECT_SEEN;
}

/*
 * A server that stays unhealthy is ended, first by SIGTERM;
 * mayhem_is_recovered() starts it again.
 */
static void
end_if_bad(struct fault *f)
{
	struct cluster *c = f->cluster;
	uint64_t now = clock_mono_ns();
	uint64_t patience = health_node_is_bad(c->health, f->node, f->mark)
				? RECOVER_NS
				: CURRENT_NS;

	if (f->next_ns == EFFECT_TOLD && now >= f->mark + END_NS) {
		f->next_ns = EFFECT_KILLED;
		f->mark = now; /* what it says is of no account any more */
		/* unless it has ended */
		(void)c->ops->node_end(c, f->node, SIGKILL);
	}
	if (f->next_ns >= EFFECT_TOLD || now < f->mark + patience)
		return;
	f->next_ns = EFFECT_TOLD;
	f->mark = now;
	(void)c->ops->node_end(c, f->node, SIGTERM); /* unless it has ended */
}

bool
mayhem_is_recovered(struct fault *f, const char *what)
{
	static const char *const effects[] = {
	    [EFFECT_NONE] = "it was healthy all the time",
	    [EFFECT_SEEN] = "it was unhealthy, and recovered by itself",
	    [EFFECT_TOLD] = "it was unhealthy, and told to end",
	    [EFFECT_RESTARTED] = "it was unhealthy until restarted",
	    [EFFECT_KILLED] = "it was unhealthy until killed: it hung",
	};
	char how[FAULT_HOW_MAX];

	if (!f->cluster->ops->node_runs(f->cluster, f->node)) {
		if (f->next_ns != EFFECT_KILLED)
			f->next_ns = EFFECT_RESTARTED;
		(void)mayhem_start_all(f); /* mayhem_is_whole tries again */
	}
	text_format(how, sizeof(how),
	    "%s; %s; all servers healthy, all streams current", what,
	    effects[f->next_ns]);
	/* Who was told to end may look healthy until it does. */
	if (f->next_ns != EFFECT_TOLD && mayhem_is_whole(f, how))
		return true;
	end_if_bad(f);
	return false;
}

/* The driver has told it, so the disk does what it was set to. */
static bool
disk_is_well(struct fault *f)
{
	struct disk_effect e;

	return f->cluster->ops->disk_effect(f->cluster, f->node, &e);
}

bool
mayhem_disk_is_undone(struct fault *f)
{
	return disk_is_well(f) && mayhem_is_undone(f);
}

bool
mayhem_disk_is_healed(struct fault *f)
{
	return disk_is_well(f) && mayhem_is_recovered(f, f->before);
}

const char *const mayhem_leader_names[] = {
    "meta", "stream", "consumer", "any", NULL};

enum mayhem_leader
mayhem_leader_of(const struct fault *f, const char *of)
{
	unsigned i;

	for (i = 0; i <= LEADER_OF_CONSUMER; i++)
		if (strcmp(of, mayhem_leader_names[i]) == 0)
			return (enum mayhem_leader)i;
	return (enum mayhem_leader)(fault_dice(f, SALT_LEADER) % 3);
}

bool
mayhem_aim_leader(struct fault *f, enum mayhem_leader of)
{
	const struct health *h = f->cluster->health;
	uint64_t since = clock_mono_ns() - KNOWN_NS;

	f->before[0] = '\0';
	f->node = 0;
	if (of != LEADER_OF_META)
		f->node = health_pick_group(h, of == LEADER_OF_CONSUMER,
		    fault_dice(f, SALT_LEADER + 1), f->before,
		    sizeof(f->before));
	/* a run without streams has a meta leader at least */
	if (f->node == 0) {
		of = LEADER_OF_META;
		f->before[0] = '\0';
		f->node = health_meta_leader(h, since);
	}
	if (f->node == 0)
		return false;
	f->target[0] = '\0';
	text_add(f->target, sizeof(f->target), "%s, %s leader%s%s",
	    f->cluster->nodes[f->node - 1].name, mayhem_leader_names[of],
	    f->before[0] != '\0' ? " of " : "", f->before);
	return true;
}

int
mayhem_check_streams(const struct run_config *c, const char *mode, char *why)
{
	const struct cluster_ops *driver = cluster_find(c->cluster);

	if (!config_has_load(c) || strcmp(c->test, "add-remove-streams") == 0) {
		text_format(why, OPTION_WHY_MAX,
		    "test %s has no streams that stay", c->test);
		return -EINVAL;
	}
	if (driver->owner == OWNER_US ||
	    (driver->needs_monitor ? c->monitor[0] != '\0'
				   : account_is_given(c)))
		return 0;
	text_format(why, OPTION_WHY_MAX,
	    "mayhem %s on a cluster that isn't natsburn's needs %s", mode,
	    driver->needs_monitor
		? "--monitor"
		: "the system account: --sys-user, --sys-nkey or --sys-creds");
	return -ENOTSUP;
}

bool
mayhem_aim_stream(struct fault *f)
{
	return health_pick_group(f->cluster->health, false,
		   fault_dice(f, SALT_STREAM), f->before,
		   sizeof(f->before)) != 0;
}

int
mayhem_restore_stream(struct fault *f)
{
	f->mark = clock_mono_ns();
	change_undo(f->cluster);
	return 0;
}

bool
mayhem_stream_is_restored(struct fault *f)
{
	return change_step(f->cluster);
}

bool
mayhem_stream_is_healed(struct fault *f)
{
	if (!change_step(f->cluster) || !change_is_whole(f->cluster)) {
		text_set(f->how, sizeof(f->how), change_why(f->cluster));
		return false;
	}
	if (!mayhem_is_whole(f,
		"INFO shows it as it was; all servers healthy, all streams "
		"current"))
		return false;
	change_tell_restored(f->cluster);
	return true;
}

int
mayhem_pause_node(struct fault *f)
{
	return f->cluster->ops->node_pause(f->cluster, f->node, true);
}

bool
mayhem_is_paused(struct fault *f)
{
	if (!f->cluster->ops->node_is_paused(f->cluster, f->node))
		return false;
	text_set(f->how, sizeof(f->how), "SIGSTOP; the process is in state T");
	return true;
}

int
mayhem_continue_node(struct fault *f)
{
	f->mark = clock_mono_ns();
	return f->cluster->ops->node_pause(f->cluster, f->node, false);
}

bool
mayhem_is_continued(struct fault *f)
{
	return !f->cluster->ops->node_is_paused(f->cluster, f->node) &&
	       mayhem_is_whole(f,
		   "SIGCONT; it runs; all servers healthy, all streams "
		   "current");
}

static bool
is_meant(
    struct fault *f, mayhem_links *is_in, bool in, unsigned from, unsigned to)
{
	return from != to && (is_in == NULL || is_in(f, from, to) == in);
}

int
mayhem_set_links(struct fault *f, mayhem_links *is_in, bool in,
    const struct link_policy *policy)
{
	struct cluster *c = f->cluster;
	unsigned from, to;
	int err = 0, got;

	for (from = 1; from <= c->n; from++)
		for (to = 1; to <= c->n; to++) {
			if (!is_meant(f, is_in, in, from, to))
				continue;
			got = c->ops->link_set(c, from, to, policy);
			if (got < 0)
				err = got;
		}
	return err;
}

bool
mayhem_are_told(struct fault *f, mayhem_links *is_in, bool in)
{
	struct cluster *c = f->cluster;
	struct link_flow flow;
	unsigned from, to;

	for (from = 1; from <= c->n; from++)
		for (to = 1; to <= c->n; to++)
			if (is_meant(f, is_in, in, from, to) &&
			    !c->ops->link_flow(c, from, to, &flow))
				return false;
	return true;
}

void
mayhem_sum_flows(
    struct fault *f, mayhem_links *is_in, bool in, struct link_flow *sum)
{
	struct cluster *c = f->cluster;
	struct link_flow flow;
	unsigned from, to;

	memset(sum, 0, sizeof(*sum));
	for (from = 1; from <= c->n; from++)
		for (to = 1; to <= c->n; to++) {
			if (!is_meant(f, is_in, in, from, to) ||
			    !c->ops->link_flow(c, from, to, &flow))
				continue;
			sum->passed += flow.passed;
			sum->held += flow.held;
			sum->late += flow.late;
			sum->refused += flow.refused;
		}
}
