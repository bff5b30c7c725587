/* SPDX-License-Identifier: ISC */
/* The schedule of faults; see schedule.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/crash.h"
#include "chaos/health.h"
#include "chaos/schedule.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/moment.h"

static unsigned
slots(const struct schedule *s)
{
	return s->n + s->cluster->n;
}

/* When the mix would have begun if healing took no time. */
static uint64_t
mix_offset(const struct schedule *s)
{
	const struct run_config *c = s->cluster->config;

	return s->mix * (c->mix_time_ns + c->quiet_ns);
}

static void
draw_next(struct schedule *s, struct schedule_mode *m)
{
	memset(&m->fault, 0, sizeof(m->fault));
	m->fault.ops = m->plan.ops;
	m->fault.options = m->plan.options;
	m->fault.cluster = s->cluster;
	m->stage = STAGE_NONE;
	m->applied = m->undone = false;
	aim_draw(&s->aim, &m->aim_rng, &m->shot);
	if (m->plan.ops->plan != NULL)
		m->plan.ops->plan(&m->plan, &m->fault);
	m->due_ns = m->fault.planned_ns;
}

/* The next fault that is recorded; when there is no further one it never is. */
static void
find_recorded(struct schedule *s, struct schedule_mode *m)
{
	const char *mode = m->plan.ops->name;
	const struct recorded_fault *f;
	uint64_t planned, late = s->start_ns - s->first_ns;

	for (;; draw_next(s, m)) {
		planned = mix_offset(s) + m->fault.planned_ns;
		f = recorded_find(&s->recorded, mode, planned);
		if (f != NULL) {
			m->due_ns = f->begin_ns > late ? f->begin_ns - late : 0;
			return;
		}
		if (!recorded_goes_on(&s->recorded, mode, planned)) {
			m->due_ns = UINT64_MAX;
			return;
		}
	}
}

static void
plan_next(struct schedule *s, struct schedule_mode *m)
{
	draw_next(s, m);
	if (s->recorded.faults != NULL && m->plan.ops->plan != NULL)
		find_recorded(s, m);
}

/*
 * Each mix has a stream of random numbers of its own for the mode, so that its
 * faults do not depend on how many the mixes before had.
 */
static void
begin_mode(struct schedule *s, struct schedule_mode *m)
{
	const struct run_config *config = s->cluster->config;
	char stream[64];

	/*
	 * Modes have streams of their own, too: one does not depend on the
	 * other.
	 */
	text_format(stream, sizeof(stream), "%s#%u", m->plan.ops->name,
	    (unsigned)s->mix);
	rng_init(&m->plan.rng, config->seed, stream);
	text_add(stream, sizeof(stream), "#aim");
	rng_init(&m->aim_rng, config->seed, stream);
	m->plan.nodes = s->cluster->n;
	m->plan.tolerated = s->tolerated;
	m->plan.rolls = s->cluster->ops->roll != NULL;
	m->plan.next_ns = 0;
	m->plan.round = 0;
	m->plan.left = 0;
	m->in_mix = true;
	plan_next(s, m);
}

static bool
is_in_mix(const void *arg, unsigned mode)
{
	const struct schedule *s = arg;

	return s->modes[mode].in_mix;
}

/* Modes are dealt like cards: each comes once before any comes again. */
static void
deal_mix(struct schedule *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		s->modes[i].in_mix = false;
		s->modes[i].shot.asked_ns = 0;
	}
	for (i = 0; i < s->at_once; i++)
		begin_mode(s, &s->modes[deck_next(&s->deck, is_in_mix, s)]);
}

/* Tell the driver what this mode needs of it. */
static void
note_needs(struct cluster *c, const struct mayhem_ops *ops)
{
	unsigned i;

	c->needs |= mayhem_needs(ops, c->ops);
	for (i = 0; i < CLUSTER_ABILITY_COUNT; i++)
		if ((c->needs & (1U << i)) != 0 && c->needed_by[i] == NULL)
			c->needed_by[i] = ops;
	if (mayhem_width(ops, CONFIG_NODES_MAX) >
	    (c->widest != NULL ? mayhem_width(c->widest, CONFIG_NODES_MAX) : 0))
		c->widest = ops;
}

/* The modes before passed: what is lacking now is what this one needs. */
static int
look_at_needs(struct cluster *c, const struct mayhem_ops *ops, char *why)
{
	unsigned lacks;
	char said[OPTION_WHY_MAX];

	note_needs(c, ops);
	lacks = c->needs & ~cluster_can(c->ops);
	if (lacks != 0) {
		text_format(why, CLUSTER_WHY_MAX,
		    "mayhem %s can't be done with --cluster %s: natsburn may "
		    "not %s",
		    ops->name, c->ops->name, cluster_can_words(lacks));
		return -ENOTSUP;
	}
	if (ops->check == NULL || ops->check(c->config, said) != -ENOTSUP)
		return 0;
	text_set(why, CLUSTER_WHY_MAX, said);
	return -ENOTSUP;
}

static int
add_mode(struct schedule *s, const struct mayhem_ops *ops)
{
	const struct run_config *config = s->cluster->config;
	struct schedule_mode *m = &s->modes[s->n];
	char why[OPTION_WHY_MAX];
	int err;

	s->n++;
	m->plan.ops = ops;
	m->plan.interval = config->fault_interval;
	m->plan.hold = config->fault_duration;
	if (ops->options == NULL)
		return 0;
	m->options = calloc(1, ops->options_size);
	m->plan.options = m->options;
	if (m->options == NULL)
		return -ENOMEM;
	err = config_extras(config, ops->name, ops->options, m->options, why);
	if (err == 0 && ops->require != NULL)
		ops->require(s->cluster, m->options);
	return err;
}

int
schedule_init(
    struct schedule *s, struct cluster *cluster, struct child *child, char *why)
{
	const char *list = cluster->config->mayhem;
	const struct mayhem_ops *ops;
	char name[64], unread[OPTION_WHY_MAX];
	int err;

	memset(s, 0, sizeof(*s));
	s->cluster = cluster;
	s->child = child;
	s->all_ok = true;
	aim_init(&s->aim, child, cluster->config->aim);
	while (text_next_item(&list, name, sizeof(name))) {
		ops = mayhem_find(name);
		/* The command line would have refused it. */
		if (ops == NULL || s->n == SCHEDULE_MODES_MAX)
			return -EINVAL;
		err = ops->plan != NULL ? add_mode(s, ops) : 0; /* none */
		if (err == 0)
			err = look_at_needs(cluster, ops, why);
		if (err < 0)
			return err;
	}
	if (cluster->config->schedule[0] != '\0' &&
	    recorded_load(&s->recorded, cluster->config->schedule, unread) <
		0) {
		text_set(why, CLUSTER_WHY_MAX, unread);
		return -ENOTSUP;
	}
	s->at_once = mayhem_at_once(cluster->config, s->n);
	return 0;
}

int
schedule_fits(const struct schedule *s, char *why)
{
	const struct mayhem_plan *p;
	unsigned i, least;

	for (i = 0; i < s->n; i++) {
		p = &s->modes[i].plan;
		least = p->ops->least != NULL ? p->ops->least(p->options) : 1;
		if (s->cluster->n >= least)
			continue;
		why[0] = '\0';
		text_add(why, CLUSTER_WHY_MAX,
		    "mayhem %s can't be done with these options on %u servers: "
		    "it needs %u or more",
		    p->ops->name, s->cluster->n, least);
		return -ENOTSUP;
	}
	return 0;
}

void
schedule_fini(struct schedule *s)
{
	unsigned i;

	aim_fini(&s->aim);
	for (i = 0; i < s->n; i++)
		free(s->modes[i].options);
	recorded_free(&s->recorded);
}

/*
 * The bound of --tolerate, or a lower one that the cluster's owners have set.
 */
static unsigned
tolerated(const struct cluster *c)
{
	unsigned bound = mayhem_tolerated(c->config, c->n);

	if (c->most_out == 0 || bound <= c->most_out)
		return bound;
	log_info("%u of %u servers at most may be out at once: more is not "
		 "allowed here",
	    c->most_out, c->n);
	return c->most_out;
}

void
schedule_start(struct schedule *s)
{
	s->tolerated = tolerated(s->cluster);
	s->start_ns = s->first_ns = clock_mono_ns();
	deck_init(&s->deck, s->n, s->cluster->config->seed);
	deal_mix(s);
}

void
schedule_stop(struct schedule *s)
{
	unsigned i;

	s->is_stopping = true;
	for (i = 0; i < s->n; i++)
		s->modes[i].shot.asked_ns = 0;
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
target_name(const struct schedule *s, struct fault *f)
{
	unsigned i, nodes = fault_nodes(f);

	if (f->target[0] != '\0')
		return f->target;
	for (i = 0; i < s->cluster->n; i++)
		if ((nodes & (1U << i)) != 0)
			text_add(f->target, sizeof(f->target), "%s%s",
			    f->target[0] != '\0' ? "," : "",
			    s->cluster->nodes[i].name);
	if (nodes == 0)
		text_set(f->target, sizeof(f->target), "cluster");
	return f->target;
}

/* The servers that a fault puts out of service, as bits. */
static unsigned
nodes_out(const struct fault *f)
{
	return f->ops->outage != OUTAGE_NONE && !f->is_mild ? fault_nodes(f)
							    : 0;
}

/* The fewest replicas that a stream has with this fault. */
static unsigned
fewest_with(const struct fault *f, unsigned replicas)
{
	return f->fewest != 0 && f->fewest < replicas ? f->fewest : replicas;
}

/*
 * Do clients reach the streams by leaf nodes? Such a link ends at one server,
 * which may be the one that is out.
 */
static bool
has_leafs(const struct cluster *c)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (c->nodes[i].is_apart)
			return true;
	return false;
}

/*
 * With what is in force already, can this fault take so many servers, or
 * leave so few replicas, that a stream's replicas have no quorum or no clients?
 * A rollout takes one of its servers at a time, whichever.
 */
static bool
may_take_quorum(const struct schedule *s, const struct fault *f)
{
	unsigned replicas = (unsigned)s->cluster->config->replicas;
	unsigned i, out = 0, rollouts = 0;
	const struct fault *g;

	if (f->cuts_clients)
		return true;
	if (nodes_out(f) == 0 && f->fewest == 0)
		return false;
	for (i = 0; i < slots(s); i++) {
		g = &s->modes[i].fault;
		if (g != f && s->modes[i].stage == STAGE_NONE)
			continue;
		replicas = fewest_with(g, replicas);
		if (g->is_rollout)
			rollouts++;
		else
			out |= nodes_out(g);
	}
	return fault_count(out) + rollouts > replicas - (replicas / 2 + 1) ||
	       has_leafs(s->cluster);
}

static void
emit_no_service(struct schedule *s, const struct fault *f)
{
	struct event ev = {.type = MESSAGE_NO_SERVICE};

	ev.u.no_service.fault = f->number;
	child_emit(s->child, &ev);
}

static void
emit_planned(struct schedule *s, struct fault *f)
{
	bool takes_quorum = may_take_quorum(s, f);
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};
	struct msg_fault_planned *m = &ev.u.fault_planned;

	m->fault = f->number;
	m->round = f->round;
	m->planned_ns = mix_offset(s) + f->planned_ns;
	m->stops_clock = !f->ops->is_graceful || takes_quorum;
	m->ends_server = f->ops->ends_server;
	text_set(m->mode, sizeof(m->mode), f->ops->name);
	text_set(m->target, sizeof(m->target), target_name(s, f));
	child_emit(s->child, &ev);
	if (takes_quorum)
		emit_no_service(s, f);
	child_flush(s->child);
}

static void
emit_undone(struct schedule *s, const struct fault *f)
{
	struct event ev = {.type = MESSAGE_FAULT_UNDONE};

	s->calm_ns = clock_mono_ns();
	ev.u.fault_undone.fault = f->number;
	ev.u.fault_undone.patience_ns = f->ops->heal_ns + s->cluster->slower_ns;
	child_emit(s->child, &ev);
}

static void
emit_outcome(
    struct schedule *s, const struct fault *f, enum message_type type, bool ok)
{
	struct event ev = {.type = type};

	/* APPLIED and HEALED have the same fields. */
	ev.u.fault_applied.fault = f->number;
	ev.u.fault_applied.ok = ok;
	text_set(
	    ev.u.fault_applied.how, sizeof(ev.u.fault_applied.how), f->how);
	child_emit(s->child, &ev);
	child_flush(s->child);
}

/*
 * After a fault that could not be undone no other server is put out of service
 * until all are healthy again.
 */
static bool
is_whole(struct schedule *s)
{
	struct event ev = {.type = MESSAGE_CLUSTER_WHOLE};
	char why[CLUSTER_WHY_MAX];

	if (s->unhealed_ns != 0 &&
	    health_is_whole(s->cluster->health, s->unhealed_ns, why)) {
		s->unhealed_ns = 0;
		child_emit(s->child, &ev);
		child_flush(s->child);
	}
	return s->unhealed_ns == 0;
}

/* The cluster's owners may have set a bound of their own. */
static bool
may_disrupt(struct schedule *s, const struct fault *f)
{
	struct cluster *c = s->cluster;
	unsigned count = f->is_rollout ? 1 : fault_count(nodes_out(f));

	return c->ops->may_disrupt == NULL || c->ops->may_disrupt(c, count);
}

/*
 * False when one of the two stands alone and the other touches servers, their
 * links, or streams.
 */
static bool
are_apart(const struct mayhem_ops *a, const struct mayhem_ops *b)
{
	const unsigned where = TOUCH_SERVER | TOUCH_LINKS | TOUCH_STREAMS;

	return (a->stands_alone && (b->touches & where) != 0) ||
	       (b->stands_alone && (a->touches & where) != 0);
}

/* May this fault begin beside those in force? */
static bool
has_room(struct schedule *s, const struct schedule_mode *m)
{
	const struct mayhem_ops *mine = m->fault.ops, *ops;
	unsigned i, nodes = fault_nodes(&m->fault), out = 0, theirs, shared;
	const struct schedule_mode *o;

	for (i = 0; i < slots(s); i++) {
		o = &s->modes[i];
		if (o->stage == STAGE_NONE)
			continue;
		ops = o->fault.ops;
		if (are_apart(ops, mine))
			return false;
		theirs = fault_nodes(&o->fault);
		shared = ops->touches & mine->touches;
		if (((nodes & theirs) != 0 && shared != 0) ||
		    (shared & TOUCH_STREAMS) != 0)
			return false;
		if ((nodes_out(&o->fault) & nodes_out(&m->fault)) != 0)
			return false;
		out |= nodes_out(&o->fault);
	}
	if (nodes_out(&m->fault) == 0)
		return true;
	if (!is_whole(s) || !may_disrupt(s, &m->fault))
		return false;
	return m->fault.is_rollout ||
	       fault_count(out | nodes_out(&m->fault)) <= s->tolerated;
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
	s->cluster->refused_nodes &= ~fault_nodes(f);
	err = f->ops->inject(f);
	aim_tell(&s->aim, &m->shot, f->number);
	if (err == 0)
		return;
	if (f->how[0] == '\0')
		text_format(f->how, sizeof(f->how), "%s", strerror(-err));
	emit_outcome(s, f, MESSAGE_FAULT_APPLIED, false);
	begin_heal(m);
}

static void
step_applying(struct schedule *s, struct schedule_mode *m, uint64_t now)
{
	struct fault *f = &m->fault;
	uint64_t patience = f->ops->apply_ns + s->cluster->slower_ns;
	bool applied = f->ops->is_applied(f);
	bool refused = (fault_nodes(f) & s->cluster->refused_nodes) != 0;

	/* When the request was refused no effect is waited for. */
	if (!applied && !refused && now < m->since_ns + patience)
		return;
	if (!applied && refused)
		text_format(f->how, sizeof(f->how), "%s", s->cluster->refused);
	if (!applied && f->how[0] == '\0')
		text_format(f->how, sizeof(f->how),
		    "no effect was observed within %llu s",
		    (unsigned long long)(patience / CLOCK_S));
	emit_outcome(s, f, MESSAGE_FAULT_APPLIED, applied);
	f->how[0] = '\0';
	m->stage = STAGE_HOLDING;
	m->since_ns = now;
}

static void
step_healing(struct schedule *s, struct schedule_mode *m, uint64_t now)
{
	struct fault *f = &m->fault;
	bool healed = f->ops->is_healed == NULL || f->ops->is_healed(f);
	uint64_t patience = f->ops->heal_ns + s->cluster->slower_ns;
	char why[FAULT_HOW_MAX];

	if (!m->undone && (f->ops->is_undone != NULL ? f->ops->is_undone
						     : mayhem_is_undone)(f)) {
		m->undone = true;
		emit_undone(s, f);
	}
	if (!healed && now < m->since_ns + patience)
		return;
	if (!healed) {
		s->all_ok = false;
		s->unhealed_ns = now;
		text_set(why, sizeof(why), f->how);
		text_format(f->how, sizeof(f->how),
		    "not healthy after %llu s: %.100s",
		    (unsigned long long)(patience / CLOCK_S), why);
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
		break;
	case STAGE_APPLYING:
		step_applying(s, m, now);
		break;
	case STAGE_HOLDING:
		if (s->is_stopping || now >= m->since_ns + m->fault.hold_ns)
			begin_heal(m);
		else if (m->fault.ops->step != NULL)
			m->fault.ops->step(&m->fault);
		break;
	case STAGE_HEALING:
		step_healing(s, m, now);
		break;
	}
}

/* Of the modes not looked at yet, the one whose fault is due the longest. */
static struct schedule_mode *
longest_due(struct schedule *s, uint64_t elapsed, const bool *looked_at)
{
	struct schedule_mode *m, *best = NULL;
	unsigned i;

	for (i = 0; i < s->n; i++) {
		m = &s->modes[i];
		if (!m->in_mix || looked_at[i] || m->stage != STAGE_NONE ||
		    m->due_ns > elapsed)
			continue;
		if (best == NULL || m->due_ns < best->due_ns)
			best = m;
	}
	return best;
}

/*
 * Begin what is due and has room, the longest due first. While a fault that
 * puts servers out waits for room, no other of that kind begins, or the first
 * could wait for ever.
 */
static void
begin_due(struct schedule *s, uint64_t elapsed)
{
	bool looked_at[SCHEDULE_MODES_MAX] = {false}, outage_waits = false;
	const struct mayhem_ops *alone = NULL, *ops;
	struct schedule_mode *m;

	while ((m = longest_due(s, elapsed, looked_at)) != NULL) {
		ops = m->fault.ops;
		looked_at[m - s->modes] = true;
		if ((ops->outage == OUTAGE_NONE || !outage_waits) &&
		    (alone == NULL || !are_apart(alone, ops)) &&
		    (ops->aim == NULL || ops->aim(&m->fault))) {
			if (has_room(s, m)) {
				if (aim_is_due(
					&s->aim, &m->shot, clock_mono_ns()))
					begin_fault(s, m);
				continue;
			}
			outage_waits |= nodes_out(&m->fault) != 0;
		}
		m->shot.asked_ns = 0; /* a moment that comes now is no use */
		if (ops->stands_alone)
			alone = ops;
	}
}

/* A mix that is over makes room for the next one, after a quiet time. */
static void
step_mix(struct schedule *s, uint64_t now)
{
	const struct run_config *c = s->cluster->config;

	if (s->is_stopping)
		return;
	if (s->at_once == s->n || now < s->start_ns + c->mix_time_ns) {
		begin_due(s, now - s->start_ns);
		return;
	}
	if (!schedule_is_idle(s)) {
		s->idle_ns = 0;
		return;
	}
	if (s->idle_ns == 0)
		s->idle_ns = now;
	if (now < s->idle_ns + c->quiet_ns)
		return;
	s->mix++;
	s->start_ns = now;
	s->idle_ns = 0;
	deal_mix(s);
}

/*
 * Servers that ended by themselves are started again, also before the load
 * begins and after it.
 */
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
schedule_moment(struct schedule *s, unsigned bits, uint64_t at_ns)
{
	unsigned i;

	s->aim.told &= ~bits; /* it tells each once */
	for (i = 0; i < s->n; i++)
		aim_take(&s->modes[i].shot, bits, at_ns);
}

/* The moments that faults wait for, as bits. */
static unsigned
awaited(const struct schedule *s)
{
	unsigned i, bits = 0;

	for (i = 0; i < s->n; i++)
		bits |= aim_waits_for(&s->modes[i].shot);
	return bits;
}

void
schedule_line(struct schedule *s, const char *line)
{
	unsigned bits = awaited(s), i;

	/* One that was missed comes by itself: it can be drawn again. */
	if (s->aim.missed != 0)
		s->aim.missed &= ~moment_of_line(s->aim.missed, line);
	bits = bits != 0 ? moment_of_line(bits, line) : 0;
	for (i = 0; bits != 0 && i < s->n; i++)
		aim_take(&s->modes[i].shot, bits, clock_mono_ns());
}

int
schedule_wait_ms(const struct schedule *s, int most_ms)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		most_ms =
		    aim_wait_ms(&s->modes[i].shot, clock_mono_ns(), most_ms);
	return most_ms;
}

static bool
is_healing(const struct schedule *s)
{
	unsigned i;

	for (i = 0; i < slots(s); i++)
		if (s->modes[i].stage == STAGE_HEALING)
			return true;
	return false;
}

/* Look for the moments that are chaos's own, and ask for the others. */
static void
step_aim(struct schedule *s)
{
	unsigned bits = awaited(s), heal = moment_bits_of(MOMENT_OF_HEAL);
	unsigned servers = moment_bits_of(MOMENT_OF_SERVER), came;

	s->cluster->is_listened_to = (bits & servers) != 0;
	came = aim_listen(&s->aim, s->cluster, clock_mono_ns());
	s->aim.missed &= ~came;
	if (came != 0)
		schedule_moment(s, came, clock_mono_ns());
	if ((bits & heal) != 0 && is_healing(s))
		schedule_moment(s, heal, clock_mono_ns());
	aim_ask(&s->aim, bits & moment_bits_of(MOMENT_OF_WORKER));
}

void
schedule_step(struct schedule *s)
{
	unsigned i;

	step_crashes(s);
	(void)is_whole(s); /* says so when it is again */
	if (s->start_ns == 0)
		return;
	for (i = 0; i < s->n; i++)
		step_mode(s, &s->modes[i], clock_mono_ns());
	step_mix(s, clock_mono_ns());
	if (s->aim.bits != 0)
		step_aim(s);
}
