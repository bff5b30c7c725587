/* SPDX-License-Identifier: ISC */
/* The schedule of faults; see schedule.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chaos/monitor.h"
#include "chaos/schedule.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

/*
 * A server that ended by itself is no fault of the schedule, but it is one
 * all the same: it is told like the others, and the server is started again.
 */
static int
crash_inject(struct fault *f)
{
	(void)snprintf(f->how, sizeof(f->how), "the server ended by itself");
	return 0;
}

static bool
crash_is_applied(struct fault *f)
{
	(void)f;
	return true;
}

static int
crash_heal(struct fault *f)
{
	f->mark = clock_mono_ns();
	return f->cluster->ops->node_start(f->cluster, f->node);
}

static bool
crash_is_healed(struct fault *f)
{
	char why[CLUSTER_WHY_MAX];

	if (!monitor_is_healthy(f->cluster->monitor, f->mark, why)) {
		(void)snprintf(f->how, sizeof(f->how), "%.100s", why);
		return false;
	}
	(void)snprintf(f->how, sizeof(f->how), "started again; healthy");
	return true;
}

static const struct mayhem_ops crash_ops = {
    .name = "crash",
    .takes_node_down = true,
    .apply_ns = CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .inject = crash_inject,
    .is_applied = crash_is_applied,
    .heal = crash_heal,
    .is_healed = crash_is_healed,
};

static unsigned
slots(const struct schedule *s)
{
	return s->n + s->cluster->n;
}

static void
plan_next(struct schedule *s, struct schedule_mode *m)
{
	memset(&m->fault, 0, sizeof(m->fault));
	m->fault.ops = m->plan.ops;
	m->fault.cluster = s->cluster;
	m->stage = STAGE_NONE;
	m->applied = false;
	if (m->plan.ops->plan != NULL)
		m->plan.ops->plan(&m->plan, &m->fault);
}

int
schedule_init(
    struct schedule *s, struct cluster *cluster, struct child *child, char *why)
{
	const char *list = cluster->config->mayhem;
	const struct mayhem_ops *ops;
	struct schedule_mode *m;
	char name[64];

	memset(s, 0, sizeof(*s));
	s->cluster = cluster;
	s->child = child;
	s->all_ok = true;
	while (text_next_item(&list, name, sizeof(name))) {
		ops = mayhem_find(name);
		if (ops == NULL || s->n == SCHEDULE_MODES_MAX)
			return -EINVAL; /* the parent has looked already */
		if ((ops->needs & ~cluster->ops->can) != 0) {
			why[0] = '\0';
			(void)text_add(why, CLUSTER_WHY_MAX,
			    "mayhem %s can't be done with --cluster %s: "
			    "natsburn may not %s these servers",
			    name, cluster->ops->name,
			    ops->needs & CLUSTER_CAN_RESTART ? "stop and start"
							     : "reload");
			return -ENOTSUP;
		}
		if (ops->plan == NULL)
			continue; /* none */
		m = &s->modes[s->n++];
		m->plan.ops = ops;
		m->plan.nodes = cluster->n;
		m->plan.interval_ns = cluster->config->fault_interval_ns;
		/* A stream of its own: modes don't disturb each other. */
		rng_init(&m->plan.rng, cluster->config->seed, ops->name);
		plan_next(s, m);
	}
	return 0;
}

void
schedule_start(struct schedule *s)
{
	s->start_ns = clock_mono_ns();
}

void
schedule_stop(struct schedule *s)
{
	s->is_stopping = true;
}

bool
schedule_is_idle(const struct schedule *s)
{
	unsigned i;

	for (i = 0; i < slots(s); i++)
		if (s->modes[i].stage != STAGE_NONE)
			return false;
	return true;
}

static const char *
target_name(const struct schedule *s, const struct fault *f)
{
	return f->node != 0 ? s->cluster->nodes[f->node - 1].name : "cluster";
}

/* With fewer than three replicas a server that is down is an outage. */
static bool
stops_clock(const struct schedule *s, const struct mayhem_ops *ops)
{
	if (!ops->is_graceful)
		return true;
	return ops->takes_node_down && s->cluster->config->replicas < 3;
}

static void
emit_planned(struct schedule *s, const struct fault *f)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};
	struct msg_fault_planned *m = &ev.u.fault_planned;

	m->fault = f->number;
	m->round = f->round;
	m->planned_ns = f->planned_ns;
	m->stops_clock = stops_clock(s, f->ops);
	m->ends_server = f->ops->takes_node_down;
	(void)text_copy(m->mode, sizeof(m->mode), f->ops->name);
	(void)text_copy(m->target, sizeof(m->target), target_name(s, f));
	child_emit(s->child, &ev);
	child_flush(s->child);
}

static void
emit_outcome(
    struct schedule *s, const struct fault *f, enum message_type type, bool ok)
{
	struct event ev = {.type = type};

	/* APPLIED and HEALED have the same fields. */
	ev.u.fault_applied.fault = f->number;
	ev.u.fault_applied.ok = ok;
	(void)text_copy(
	    ev.u.fault_applied.how, sizeof(ev.u.fault_applied.how), f->how);
	child_emit(s->child, &ev);
	child_flush(s->child);
}

/* After a fault that could not be undone no server goes down by us. */
static bool
is_whole(struct schedule *s)
{
	char why[CLUSTER_WHY_MAX];

	if (s->unhealed_ns != 0 &&
	    monitor_is_healthy(s->cluster->monitor, s->unhealed_ns, why))
		s->unhealed_ns = 0;
	return s->unhealed_ns == 0;
}

/* May this fault begin beside those in force? */
static bool
has_room(struct schedule *s, const struct schedule_mode *m)
{
	unsigned i, down = 0, tolerated = (s->cluster->n - 1) / 2;
	const struct schedule_mode *o;

	for (i = 0; i < slots(s); i++) {
		o = &s->modes[i];
		if (o->stage == STAGE_NONE)
			continue;
		if (o->fault.node == m->fault.node)
			return false;
		down += o->fault.ops->takes_node_down;
	}
	if (!m->fault.ops->takes_node_down)
		return true;
	if (!is_whole(s))
		return false;
	return down < (tolerated > 0 ? tolerated : 1);
}

static void
begin_heal(struct schedule_mode *m)
{
	struct fault *f = &m->fault;
	int err;

	f->how[0] = '\0';
	m->stage = STAGE_HEALING;
	m->since_ns = clock_mono_ns();
	err = f->ops->heal != NULL ? f->ops->heal(f) : 0;
	if (err < 0)
		log_warn("cannot undo %s: %s", f->ops->name, strerror(-err));
}

static void
begin_fault(struct schedule *s, struct schedule_mode *m)
{
	struct fault *f = &m->fault;
	int err;

	f->number = ++s->faults;
	emit_planned(s, f);
	m->stage = STAGE_APPLYING;
	m->since_ns = clock_mono_ns();
	err = f->ops->inject(f);
	if (err == 0)
		return;
	if (f->how[0] == '\0')
		(void)snprintf(f->how, sizeof(f->how), "%s", strerror(-err));
	emit_outcome(s, f, MESSAGE_FAULT_APPLIED, false);
	begin_heal(m);
}

static void
step_applying(struct schedule *s, struct schedule_mode *m, uint64_t now)
{
	struct fault *f = &m->fault;
	bool applied = f->ops->is_applied(f);

	if (!applied && now < m->since_ns + f->ops->apply_ns)
		return;
	if (!applied && f->how[0] == '\0')
		(void)snprintf(f->how, sizeof(f->how),
		    "no effect was observed within %llu s",
		    (unsigned long long)(f->ops->apply_ns / CLOCK_S));
	emit_outcome(s, f, MESSAGE_FAULT_APPLIED, applied);
	m->applied = applied;
	m->stage = STAGE_HOLDING;
	m->since_ns = now;
}

static void
step_healing(struct schedule *s, struct schedule_mode *m, uint64_t now)
{
	struct fault *f = &m->fault;
	bool healed = f->ops->is_healed == NULL || f->ops->is_healed(f);
	char why[FAULT_HOW_MAX];

	if (!healed && now < m->since_ns + f->ops->heal_ns)
		return;
	if (!healed) {
		s->all_ok = false;
		s->unhealed_ns = now;
		(void)text_copy(why, sizeof(why), f->how);
		(void)snprintf(f->how, sizeof(f->how),
		    "not healthy after %llu s: %.100s",
		    (unsigned long long)(f->ops->heal_ns / CLOCK_S), why);
		log_warn(
		    "%s of %s: %s", f->ops->name, target_name(s, f), f->how);
	}
	emit_outcome(s, f, MESSAGE_FAULT_HEALED, healed);
	plan_next(s, m);
}

static void
step_mode(struct schedule *s, struct schedule_mode *m, uint64_t now)
{
	switch (m->stage) {
	case STAGE_NONE:
		if (!s->is_stopping &&
		    now >= s->start_ns + m->fault.planned_ns && has_room(s, m))
			begin_fault(s, m);
		break;
	case STAGE_APPLYING:
		step_applying(s, m, now);
		break;
	case STAGE_HOLDING:
		if (s->is_stopping || now >= m->since_ns + m->fault.hold_ns)
			begin_heal(m);
		break;
	case STAGE_HEALING:
		step_healing(s, m, now);
		break;
	}
}

/* Servers that ended by themselves are started again, load or no load. */
static void
step_crashes(struct schedule *s)
{
	struct schedule_mode *m;
	unsigned i;

	for (i = 0; i < s->cluster->n; i++) {
		m = &s->modes[s->n + i];
		if (m->stage == STAGE_NONE &&
		    s->cluster->ops->node_crashed != NULL &&
		    s->cluster->ops->node_crashed(s->cluster, i + 1)) {
			m->plan.ops = &crash_ops;
			plan_next(s, m);
			m->fault.node = i + 1;
			begin_fault(s, m);
		} else if (m->stage != STAGE_NONE)
			step_mode(s, m, clock_mono_ns());
	}
}

void
schedule_step(struct schedule *s)
{
	unsigned i;

	step_crashes(s);
	for (i = 0; i < s->n && s->start_ns != 0; i++)
		step_mode(s, &s->modes[i], clock_mono_ns());
}
