/* SPDX-License-Identifier: ISC */
/* What mayhem modes share; see mayhem.h. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/monitor.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LEAST_NS (CLOCK_S / 2) /* between two faults of a mode */
#define KNOWN_NS (3 * CLOCK_S) /* a leader seen so long ago is known */

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
mayhem_tolerated(const struct run_config *c, unsigned n)
{
	uint64_t bound;

	if (strcmp(c->tolerate, "none") == 0)
		return UINT_MAX;
	if (text_to_u64(c->tolerate, CONFIG_NODES_MAX, &bound) == 0)
		return (unsigned)bound;
	/* A minority; where there is none, one at a time is an outage. */
	return n > 2 ? (n - 1) / 2 : 1;
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
	/* Short runs are to see a fault as well. */
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
		got = f->cluster->ops->node_signal(f->cluster, i, SIGKILL);
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

/* Called twice or on servers that never stopped: nothing to do. */
int
mayhem_start_all(struct fault *f)
{
	unsigned i, nodes = fault_nodes(f);
	int err = 0, got;

	f->mark = clock_mono_ns();
	for (i = 1; i <= f->cluster->n; i++) {
		if ((nodes & (1U << (i - 1))) == 0 ||
		    f->cluster->ops->node_runs(f->cluster, i))
			continue;
		got = f->cluster->ops->node_start(f->cluster, i);
		if (got < 0)
			err = got;
	}
	return err;
}

static bool
node_is_back(struct cluster *c, unsigned node)
{
	return c->ops->node_runs(c, node) &&
	       (c->ops->node_is_ready == NULL ||
		   c->ops->node_is_ready(c, node)) &&
	       (c->ops->node_is_stopped == NULL ||
		   !c->ops->node_is_stopped(c, node));
}

bool
mayhem_is_undone(struct fault *f)
{
	unsigned i, touches = f->ops->touches;
	unsigned nodes = (touches & TOUCH_SERVER) != 0 ? fault_nodes(f) : 0;
	struct link_flow flow;

	if (f->is_rollout)
		return false;
	for (i = 1; i <= f->cluster->n; i++)
		if ((nodes & (1U << (i - 1))) != 0 &&
		    !node_is_back(f->cluster, i))
			return false;
	return (touches & TOUCH_LINKS) == 0 ||
	       mayhem_sum_flows(f, NULL, true, &flow);
}

bool
mayhem_is_whole(struct fault *f, const char *how)
{
	unsigned i, nodes = f->ops->ends_server ? fault_nodes(f) : 0;
	char why[CLUSTER_WHY_MAX];

	/* One that took longer to end than we waited is started now. */
	for (i = 1; i <= f->cluster->n; i++)
		if ((nodes & (1U << (i - 1))) != 0 &&
		    !f->cluster->ops->node_runs(f->cluster, i))
			(void)f->cluster->ops->node_start(f->cluster, i);
	if (!monitor_is_healthy(f->cluster->monitor, f->mark, why)) {
		text_format(f->how, sizeof(f->how), "%.100s", why);
		return false;
	}
	text_set(f->how, sizeof(f->how), how);
	return true;
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
	return (enum mayhem_leader)(fault_dice(f, 0) % 3);
}

bool
mayhem_aim_leader(struct fault *f, enum mayhem_leader of)
{
	const struct monitor *m = f->cluster->monitor;
	uint64_t since = clock_mono_ns() - KNOWN_NS;

	f->before[0] = '\0';
	f->node = 0;
	if (of != LEADER_OF_META)
		f->node = monitor_pick_group(m, of == LEADER_OF_CONSUMER,
		    fault_dice(f, 1), f->before, sizeof(f->before));
	if (f->node == 0) { /* a test without streams has this one at least */
		of = LEADER_OF_META;
		f->before[0] = '\0';
		f->node = monitor_meta_leader(m, since);
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
mayhem_pause_node(struct fault *f)
{
	return f->cluster->ops->node_signal(f->cluster, f->node, SIGSTOP);
}

bool
mayhem_is_paused(struct fault *f)
{
	if (!f->cluster->ops->node_is_stopped(f->cluster, f->node))
		return false;
	text_set(f->how, sizeof(f->how), "SIGSTOP; the process is in state T");
	return true;
}

int
mayhem_continue_node(struct fault *f)
{
	f->mark = clock_mono_ns();
	return f->cluster->ops->node_signal(f->cluster, f->node, SIGCONT);
}

bool
mayhem_is_continued(struct fault *f)
{
	return !f->cluster->ops->node_is_stopped(f->cluster, f->node) &&
	       mayhem_is_whole(f,
		   "SIGCONT; it runs; all servers healthy, all streams "
		   "current");
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
			if (from == to ||
			    (is_in != NULL && is_in(f, from, to) != in))
				continue;
			got = c->ops->link_set(c, from, to, policy);
			if (got < 0)
				err = got;
		}
	return err;
}

bool
mayhem_sum_flows(
    struct fault *f, mayhem_links *is_in, bool in, struct link_flow *sum)
{
	struct cluster *c = f->cluster;
	struct link_flow flow;
	unsigned from, to;
	bool all = true;

	memset(sum, 0, sizeof(*sum));
	for (from = 1; from <= c->n; from++)
		for (to = 1; to <= c->n; to++) {
			if (from == to ||
			    (is_in != NULL && is_in(f, from, to) != in))
				continue;
			if (!c->ops->link_flow(c, from, to, &flow)) {
				all = false;
				continue;
			}
			sum->passed += flow.passed;
			sum->held += flow.held;
			sum->late += flow.late;
			sum->refused += flow.refused;
		}
	return all;
}
