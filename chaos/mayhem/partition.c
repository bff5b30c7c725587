/* SPDX-License-Identifier: ISC */
/*
 * partition: links between groups of servers are cut for long enough that
 * leaders are elected anew (12 s) or step down (20 s and more), then opened.
 *
 *	isolate	one server against the rest
 *	split	a minority against the majority (five servers and more)
 *	leader	the leader of something against the rest
 *	oneway	one server, in one direction only
 *	ring	everybody sees its neighbours only, on both sides as many as
 *		make a majority with it (four and more)
 *	clusters	each cluster of a supercluster, or hub and leaf nodes,
 *		against the others: gateways and leaf nodes are cut, routes not
 *
 * A link that is refused is closed and can't be made; one that is held is a
 * black hole, whose bytes come late when it is opened, as with TCP. A driver
 * that can't choose cuts as it does, both ways.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/topology.h"

#define LOW_NS	(12 * CLOCK_S)
#define HIGH_NS (40 * CLOCK_S)

enum shape {
	SHAPE_ISOLATE,
	SHAPE_SPLIT,
	SHAPE_LEADER,
	SHAPE_ONEWAY,
	SHAPE_RING,
	SHAPE_CLUSTERS,
	SHAPES
};

static const char *const shapes[] = {
    "isolate", "split", "leader", "oneway", "ring", "clusters", "random", NULL};
static const char *const cuts[] = {"hold", "refuse", "random", NULL};

struct partition_options {
	char shape[16], cut[16], of[16];
};

static const struct option_spec partition_rows[] = {
    {.name = "shape",
	.type = OPTION_CHOICE,
	OPTION_AT(struct partition_options, shape),
	.def = "random",
	.choices = shapes,
	.arg = "SHAPE",
	.help = "isolate, split, leader, oneway, ring, clusters or random"},
    {.name = "cut",
	.type = OPTION_CHOICE,
	OPTION_AT(struct partition_options, cut),
	.def = "random",
	.choices = cuts,
	.arg = "HOW",
	.help = "hold, refuse or random"},
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct partition_options, of),
	.def = "any",
	.choices = mayhem_leader_names,
	.arg = "WHAT",
	.help = "shape leader: meta, stream, consumer or any"},
    {.name = NULL},
};

/* Fewest servers with which a shape makes sense. */
static const unsigned shape_nodes[SHAPES] = {
    [SHAPE_ISOLATE] = 2,
    [SHAPE_SPLIT] = 5,
    [SHAPE_LEADER] = 2,
    [SHAPE_ONEWAY] = 2,
    [SHAPE_RING] = 4,
    [SHAPE_CLUSTERS] = 2,
};

/* The command line was refused if it can't be read. */
static struct topology
topology_of(const struct run_config *c)
{
	char why[OPTION_WHY_MAX];
	struct topology t;

	(void)topology_read(c, &t, why);
	return t;
}

static bool
can_shape(const struct cluster_ops *driver)
{
	return (cluster_can(driver) & CLUSTER_CAN_SHAPE) != 0;
}

static int
look_at_shape(
    const struct run_config *c, const struct partition_options *o, char *why)
{
	bool is_oneway = strcmp(o->shape, shapes[SHAPE_ONEWAY]) == 0;

	if (can_shape(cluster_find(c->cluster)) ||
	    (!is_oneway && strcmp(o->cut, "random") == 0))
		return 0;
	text_add(why, OPTION_WHY_MAX,
	    "-o partition.%s=%s can't be done with --cluster %s: links are cut "
	    "there, but nobody may choose %s",
	    is_oneway ? "shape" : "cut", is_oneway ? o->shape : o->cut,
	    c->cluster, is_oneway ? "in which direction" : "how");
	return -ENOTSUP;
}

static unsigned
partition_least(const void *options)
{
	const struct partition_options *o = options;
	unsigned i;

	for (i = 0; i < SHAPES; i++)
		if (strcmp(shapes[i], o->shape) == 0)
			return shape_nodes[i];
	return 2;
}

static int
partition_check(const struct run_config *c, char *why)
{
	/* Of other servers it is not known yet how many there are. */
	bool is_known = cluster_find(c->cluster)->owner == OWNER_US;
	struct partition_options o;

	why[0] = '\0';
	if (is_known && c->servers < 2) {
		text_add(why, OPTION_WHY_MAX,
		    "with --servers 1 there are no links to cut");
		return -EINVAL;
	}
	if (config_extras(c, "partition", partition_rows, &o, why) < 0)
		return 0; /* the command line has refused it with the reason */
	if (strcmp(o.shape, shapes[SHAPE_CLUSTERS]) == 0 &&
	    topology_of(c).n < 2) {
		text_add(why, OPTION_WHY_MAX,
		    "-o partition.shape=%s needs --topology supercluster:CxN "
		    "or leaf:N+M",
		    o.shape);
		return -EINVAL;
	}
	if (!is_known || c->servers >= partition_least(&o))
		return look_at_shape(c, &o, why);
	text_add(why, OPTION_WHY_MAX,
	    "-o partition.shape=%s needs --servers %u or more", o.shape,
	    partition_least(&o));
	return -EINVAL;
}

static enum shape
shape_of(const struct fault *f, unsigned n)
{
	const struct partition_options *o = f->options;
	unsigned i, possible[SHAPES], count = 0;

	for (i = 0; i < SHAPES; i++) {
		if (strcmp(o->shape, shapes[i]) == 0)
			return (enum shape)i;
		if (n >= shape_nodes[i] &&
		    (i != SHAPE_ONEWAY || can_shape(f->cluster->ops)) &&
		    (i != SHAPE_CLUSTERS ||
			topology_of(f->cluster->config).n > 1))
			possible[count++] = i;
	}
	return (enum shape)possible[fault_dice(f, 1) % count];
}

/* A one-way cut is always a black hole: refusing ends both directions. */
static enum link_cut
cut_of(const struct fault *f, unsigned n)
{
	const struct partition_options *o = f->options;

	if (!can_shape(f->cluster->ops))
		return LINK_CUT;
	if (shape_of(f, n) == SHAPE_ONEWAY || strcmp(o->cut, "hold") == 0)
		return LINK_HOLD;
	if (strcmp(o->cut, "refuse") == 0)
		return LINK_REFUSE;
	return fault_dice(f, 2) % 2 ? LINK_HOLD : LINK_REFUSE;
}

static bool
is_minority(const struct fault *f, unsigned node)
{
	return (fault_nodes(f) & (1U << (node - 1))) != 0;
}

static bool
is_cut(const struct fault *f, unsigned from, unsigned to)
{
	unsigned n = f->cluster->n, apart = from > to ? from - to : to - from;
	unsigned neighbours = (n / 2 + 1) / 2; /* on each side */
	struct topology t = topology_of(f->cluster->config);

	switch (shape_of(f, n)) {
	case SHAPE_RING:
		return apart > neighbours && n - apart > neighbours;
	case SHAPE_ONEWAY:
		return is_minority(f, from) != is_minority(f, to) &&
		       is_minority(f, from) == (fault_dice(f, 3) % 2 == 0);
	case SHAPE_CLUSTERS:
		return topology_cluster(&t, from) != topology_cluster(&t, to);
	case SHAPE_ISOLATE:
	case SHAPE_SPLIT:
	case SHAPE_LEADER:
	case SHAPES:
		break;
	}
	return is_minority(f, from) != is_minority(f, to);
}

static void
name_target(struct fault *f, unsigned n)
{
	static const char *const cut_names[] = {
	    "open", "held", "refused", "cut"};
	enum shape shape = shape_of(f, n);
	unsigned i;

	f->target[0] = '\0';
	text_add(f->target, sizeof(f->target), "%s", shapes[shape]);
	for (i = 1; i <= n && !f->is_mild; i++)
		if (is_minority(f, i))
			text_add(f->target, sizeof(f->target), " %s",
			    f->cluster->nodes[i - 1].name);
	if (shape == SHAPE_ONEWAY)
		text_add(f->target, sizeof(f->target), " (%s)",
		    fault_dice(f, 3) % 2 == 0 ? "sends nothing"
					      : "hears nothing");
	text_add(f->target, sizeof(f->target), ", %s", cut_names[cut_of(f, n)]);
}

static void
partition_plan(struct mayhem_plan *p, struct fault *f)
{
	unsigned most = (p->nodes - 1) / 2;

	mayhem_plan_next(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
	if (most > p->tolerated)
		most = p->tolerated;
	switch (shape_of(f, p->nodes)) {
	case SHAPE_ISOLATE:
	case SHAPE_ONEWAY:
	case SHAPES:
		f->nodes = mayhem_draw_nodes(p, 1);
		break;
	case SHAPE_SPLIT:
		f->nodes = mayhem_draw_nodes(p, most > 1 ? most : 1);
		break;
	case SHAPE_RING:
	case SHAPE_CLUSTERS:
		f->cuts_clients = topology_of(f->cluster->config).has_leafs;
		f->nodes = (1U << p->nodes) - 1;
		f->is_mild = true;
		break;
	case SHAPE_LEADER:
		break; /* aim finds it */
	}
}

static bool
partition_aim(struct fault *f)
{
	const struct partition_options *o = f->options;

	if (shape_of(f, f->cluster->n) == SHAPE_LEADER &&
	    !mayhem_aim_leader(f, mayhem_leader_of(f, o->of)))
		return false;
	name_target(f, f->cluster->n);
	return true;
}

static int
partition_inject(struct fault *f)
{
	static const struct link_policy open = {LINK_OPEN, 0, 0};
	struct link_policy cut = {cut_of(f, f->cluster->n), 0, 0};
	int err;

	/*
	 * Links that stay open are set as well, so that what they carry is
	 * counted from now on.
	 */
	err = mayhem_set_links(f, is_cut, false, &open);
	if (err == 0)
		err = mayhem_set_links(f, is_cut, true, &cut);
	return err;
}

/*
 * What servers sent to each other is the probe: it was stopped at every cut
 * link, and came through where links are open.
 */
static bool
partition_is_applied(struct fault *f)
{
	struct link_flow cut, open;
	struct topology t = topology_of(f->cluster->config);
	enum shape shape = shape_of(f, f->cluster->n);
	bool has_open = f->cluster->n > 2 || shape == SHAPE_ONEWAY;

	if (shape == SHAPE_CLUSTERS)
		has_open = t.size > 1 || t.last > 1;

	if (!mayhem_are_told(f, is_cut, true))
		return false;
	mayhem_sum_flows(f, is_cut, true, &cut);
	mayhem_sum_flows(f, is_cut, false, &open);
	if (cut.held + cut.refused == 0 || cut.passed > 0 ||
	    (has_open && open.passed == 0))
		return false;
	text_format(f->how, sizeof(f->how),
	    "cut links: %llu bytes held, %llu connections refused, 0 bytes "
	    "passed; open ones: %llu bytes passed",
	    (unsigned long long)cut.held, (unsigned long long)cut.refused,
	    (unsigned long long)open.passed);
	return true;
}

static int
partition_heal(struct fault *f)
{
	static const struct link_policy open = {LINK_OPEN, 0, 0};

	f->mark = clock_mono_ns();
	return mayhem_set_links(f, NULL, true, &open);
}

static bool
partition_is_healed(struct fault *f)
{
	struct link_flow flow;

	mayhem_sum_flows(f, is_cut, true, &flow);
	if (flow.passed == 0) {
		text_set(f->how, sizeof(f->how),
		    "nothing came through the opened links yet");
		return false;
	}
	return mayhem_is_whole(
	    f, "links carry bytes again; all healthy, all streams current");
}

const struct mayhem_ops mayhem_partition = {
    .name = "partition",
    .summary = "cut the links between groups of servers for a while",
    .promise = "nothing acknowledged is lost; an election's time of outage",
    .needs = CLUSTER_CAN_CUT,
    .touches = TOUCH_LINKS,
    .outage = OUTAGE_MINORITY,
    .options = partition_rows,
    .options_size = sizeof(struct partition_options),
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = partition_check,
    .least = partition_least,
    .plan = partition_plan,
    .aim = partition_aim,
    .inject = partition_inject,
    .is_applied = partition_is_applied,
    .heal = partition_heal,
    .is_healed = partition_is_healed,
};
