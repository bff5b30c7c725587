/* SPDX-License-Identifier: ISC */
/*
 * client_disconnect: clients lose their connections. Either one server
 * refuses all of them for a while, so that they must find another one, or a
 * random share of all connections breaks at once and may come back.
 */
#include <stdio.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LOW_NS	(CLOCK_S / 2)
#define HIGH_NS (10 * CLOCK_S)

/*
 * Half of the faults are about all clients of one server, the others about a
 * share of the clients of all servers.
 */
static bool
is_of_one(const struct fault *f, unsigned n)
{
	return n > 1 && fault_dice(f, 0) % 2 == 0;
}

static void
disconnect_plan(struct mayhem_plan *p, struct fault *f)
{
	mayhem_plan_next(p, f);
	f->hold_ns = mayhem_draw_hold(p, LOW_NS, HIGH_NS);
	if (is_of_one(f, p->nodes))
		return; /* aim finds one that has clients */
	f->hold_ns = 0;
	f->nodes = (1U << p->nodes) - 1;
	f->mark = 10 + fault_dice(f, 1) % 91; /* percent */
	text_format(f->target, sizeof(f->target), "%u %% of all connections",
	    (unsigned)f->mark);
}

/* The chosen server, or the next one that has clients. */
static bool
disconnect_aim(struct fault *f)
{
	struct cluster *c = f->cluster;
	unsigned i, node, any = 0;

	for (i = 0; i < c->n; i++) {
		node = 1 + (unsigned)((fault_dice(f, 2) + i) % c->n);
		if (c->ops->node_clients(c, node) == 0)
			continue;
		if (any == 0)
			any = node;
	}
	if (is_of_one(f, c->n))
		f->node = any;
	return any != 0;
}

static int
disconnect_inject(struct fault *f)
{
	static const struct link_policy refuse = {LINK_REFUSE, 0, 0};
	struct cluster *c = f->cluster;
	unsigned i;
	int err = 0;

	if (f->node != 0)
		return c->ops->link_set(c, LINK_CLIENTS, f->node, &refuse);
	for (i = 1; i <= c->n && err == 0; i++)
		err = c->ops->link_reset(c, LINK_CLIENTS, i, (unsigned)f->mark);
	return err;
}

static bool
disconnect_is_applied(struct fault *f)
{
	struct cluster *c = f->cluster;
	struct link_flow flow;
	uint64_t ended = 0;
	unsigned i;

	for (i = 1; i <= c->n; i++) {
		if ((fault_nodes(f) & (1U << (i - 1))) == 0)
			continue;
		if (!c->ops->link_flow(c, LINK_CLIENTS, i, &flow))
			return false;
		ended += flow.refused;
	}
	if (ended == 0)
		return false;
	text_format(f->how, sizeof(f->how),
	    "%llu connections of clients ended or refused so far",
	    (unsigned long long)ended);
	return true;
}

static int
disconnect_heal(struct fault *f)
{
	static const struct link_policy open = {LINK_OPEN, 0, 0};

	f->mark = clock_mono_ns();
	if (f->node == 0)
		return 0;
	return f->cluster->ops->link_set(
	    f->cluster, LINK_CLIENTS, f->node, &open);
}

static bool
disconnect_is_healed(struct fault *f)
{
	return mayhem_is_whole(f, "clients may connect; all servers healthy");
}

const struct mayhem_ops mayhem_client_disconnect = {
    .name = "client_disconnect",
    .summary = "end the connections of clients, of one server or a share of "
	       "all",
    .promise = "every promise holds; clients must connect anew",
    .needs = CLUSTER_CAN_CUT_CLIENTS,
    .touches = TOUCH_CLIENTS,
    .is_graceful = true,
    .apply_ns = 5 * CLOCK_S,
    .heal_ns = 60 * CLOCK_S,
    .plan = disconnect_plan,
    .aim = disconnect_aim,
    .inject = disconnect_inject,
    .is_applied = disconnect_is_applied,
    .heal = disconnect_heal,
    .is_healed = disconnect_is_healed,
};
