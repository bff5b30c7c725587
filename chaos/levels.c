/* SPDX-License-Identifier: ISC */
/* What servers hold; see levels.h. */
#include "chaos/health.h"
#include "chaos/levels.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"

static void
tell(struct cluster *c, unsigned node, const struct health_varz *v,
    struct child *child)
{
	struct event ev = {.type = MESSAGE_SERVER_LEVEL};
	struct msg_server_level *m = &ev.u.server_level;

	m->node = node;
	m->boot = v->boot;
	m->memory = v->memory;
	m->goroutines = health_goroutines(c->health, node);
	if (c->ops->node_files != NULL)
		m->files = c->ops->node_files(c, node);
	m->subscriptions = v->subscriptions;
	m->connections = v->connections;
	health_assets(c->health, node, &m->assets, &m->stored);
	text_set(m->name, sizeof(m->name), c->nodes[node - 1].name);
	child_emit(child, &ev);
}

void
levels_step(struct levels_teller *l, struct cluster *c, struct child *child)
{
	struct health_varz v;
	unsigned i;

	for (i = 1; c->health != NULL && i <= c->n; i++) {
		if (!health_varz(c->health, i, &v) ||
		    v.asked_ns < l->asked_ns[i - 1] + CLOCK_S)
			continue;
		l->asked_ns[i - 1] = v.asked_ns;
		tell(c, i, &v, child);
	}
}
