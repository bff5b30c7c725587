/* SPDX-License-Identifier: ISC */
/* Figures of a history; see stats.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/stats.h"
#include "orchestrator/judge/faults.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

void
stats_init(struct stats *s)
{
	memset(s, 0, sizeof(*s));
	s->series = series_create();
	s->prices = prices_create();
	s->ran_out = s->series == NULL || s->prices == NULL; /* no picture */
}

void
stats_fini(struct stats *s)
{
	free(s->faults);
	free(s->workers);
	series_destroy(s->series);
	prices_destroy(s->prices);
	s->prices = NULL;
	s->faults = NULL;
	s->workers = NULL;
	s->series = NULL;
}

void
stats_anomaly(struct stats *s)
{
	s->anomalies++;
	series_anomaly(s->series, s->last_ns);
}

/* The worker of a source, or NULL. */
static struct stats_worker *
worker_of(struct stats *s, uint32_t source)
{
	struct stats_worker *w = array_at(&s->workers, &s->nworkers, source,
	    sizeof(*s->workers), STATS_WORKERS_MAX);

	s->ran_out |= w == NULL && source < STATS_WORKERS_MAX;
	return w;
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

static bool
is_named(const char *target, const char *name)
{
	size_t len = strlen(name);
	const char *at;

	if (len == 0)
		return false;
	for (at = strstr(target, name); at != NULL; at = strstr(at + 1, name))
		if ((at == target || !is_word(at[-1])) && !is_word(at[len]))
			return true;
	return false;
}

bool
stats_hits(const struct stats *s, unsigned i, const char *target)
{
	/* A server that came back may be named "n2-2" instead of "n2". */
	return is_named(target, s->servers[i].first) ||
	       is_named(target, s->servers[i].name);
}

static bool
is_in_load(const struct stats *s)
{
	return s->load_ns != 0 && s->load_end_ns == 0;
}

static struct stats_fault *
fault_row(struct stats *s, uint32_t fault)
{
	size_t i;

	for (i = s->nfaults; i-- > 0;)
		if (s->faults[i].fault == fault)
			return &s->faults[i];
	return NULL;
}

/* Faults that are over now are charged. */
static void
charge(struct stats *s, uint64_t now, bool is_end)
{
	struct stats_fault *f;
	struct price_row row;
	uint32_t fault;

	while (prices_round(s->prices, now, is_end, &fault, &row)) {
		f = fault_row(s, fault);
		if (f != NULL)
			f->price = row;
	}
}

/* Nothing was finished since; id is what ended it, 0: nothing. */
static void
stalled(struct stats *s, uint64_t since, uint64_t now, uint64_t id)
{
	uint64_t *longest = &s->longest_stall_ns;
	bool is_own = id != 0 && prices_is_ack_wait(s->prices, id, since, now);

	series_stall(s->series, since, now, is_own);
	if (now - since > *longest)
		*longest = now - since;
	longest = is_own ? &s->ack_wait_stall_ns : &s->other_stall_ns;
	if (now - since > *longest)
		*longest = now - since;
}

static void
round_done(struct stats *s, uint64_t now, uint64_t id)
{
	uint64_t since = s->last_round_ns ? s->last_round_ns : s->load_ns;

	s->rounds++;
	s->last_round_ns = now;
	if (!is_in_load(s))
		return;
	hist_add(&s->round, now - since);
	series_round(s->series, now);
	stalled(s, since, now, id);
	charge(s, now, false);
}

/* An operation succeeded, this long after its first attempt. */
static void
answered(struct stats *s, uint64_t now, uint64_t ns)
{
	series_latency(s->series, SERIES_ASK, now, ns);
	if (is_in_load(s))
		prices_latency(s->prices, now, ns);
}

static void
on_publish_ok(struct stats *s, const struct ledger *l, const struct event *ev)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	const struct ledger_stream *stream = ledger_stream(l, m->stream);
	const struct ledger_entry *e = ledger_find(l, m->id);
	uint64_t ns;

	if (e != NULL) {
		ns = ev->time_ns - e->invoked_ns + e->late_ns;
		hist_add(&s->publish, ns);
		answered(s, ev->time_ns, ns);
	}
	if (stream == NULL || stream->consumers == 0)
		round_done(s, ev->time_ns, 0);
}

/* This event completes a message: count it as a round. */
static void
consumed(struct stats *s, const struct ledger_entry *e, const struct event *ev)
{
	if (e->is_acked && !e->was_parked) {
		hist_add(&s->consume, ev->time_ns - e->acked_ns);
		series_latency(s->series, SERIES_CONSUME, ev->time_ns,
		    ev->time_ns - e->acked_ns);
	}
	round_done(s, ev->time_ns, e->id);
}

static void
on_ack_ok(struct stats *s, const struct ledger *l, const struct event *ev)
{
	const struct ledger_entry *e = ledger_find(l, ev->u.ack_ok.id);
	const struct ledger_consumer *k =
	    ledger_consumer(l, ev->u.ack_ok.consumer);

	if (e == NULL || e->is_confirmed)
		return; /* it was confirmed before; this is a further ack */
	if (k != NULL && (e->required & ~(e->confirmed | k->bit)) != 0)
		return; /* others have to confirm it as well */
	consumed(s, e, ev);
}

/* Where acks are not confirmed, a delivery completes a message. */
static void
on_deliver(struct stats *s, const struct ledger *l, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	const struct ledger_consumer *k = ledger_consumer(l, m->consumer);
	const struct ledger_entry *e;

	if (is_in_load(s))
		prices_delivery(s->prices,
		    &(struct price_delivery){m->id, ev->time_ns, m->consumer},
		    k != NULL ? k->ack_wait_ns : 0,
		    message_case(ev) == CASE_AGAIN);
	if (k == NULL || !k->has_rules || k->acks == ACKS_CONFIRMED)
		return;
	e = ledger_find(l, m->id);
	if (e == NULL || e->is_confirmed ||
	    (e->required & ~(e->confirmed | k->bit)) != 0)
		return;
	consumed(s, e, ev);
}

static struct stats_mode *
mode_of(struct stats *s, const char *name)
{
	struct stats_mode *m;
	unsigned i;

	for (i = 0; i < s->nmodes; i++)
		if (strcmp(s->modes[i].name, name) == 0)
			return &s->modes[i];
	if (s->nmodes == STATS_MODES_MAX)
		return &s->modes[STATS_MODES_MAX - 1];
	m = &s->modes[s->nmodes++];
	text_set(m->name, sizeof(m->name),
	    s->nmodes == STATS_MODES_MAX ? "others" : name);
	return m;
}

static struct stats_open *
open_of(struct stats *s, uint32_t fault)
{
	unsigned i;

	for (i = 0; i < STATS_OPEN_MAX; i++)
		if (s->open[i].fault == fault)
			return &s->open[i];
	return NULL;
}

static void
open_planned(
    struct stats *s, const struct msg_fault_planned *m, uint64_t now_ns)
{
	struct stats_open *o = open_of(s, 0);

	mode_of(s, m->mode)->planned++;
	if (is_in_load(s))
		prices_planned(s->prices, m->fault,
		    (unsigned)(mode_of(s, m->mode) - s->modes), now_ns);
	if (o == NULL)
		return;
	memset(o, 0, sizeof(*o));
	o->fault = m->fault;
	o->ends_server = m->ends_server;
	text_set(o->mode, sizeof(o->mode), m->mode);
	text_set(o->target, sizeof(o->target), m->target);
}

static struct stats_moment *
moment_of(struct stats *s, const char *name)
{
	struct stats_moment *m;
	unsigned i;

	for (i = 0; i < s->nmoments; i++)
		if (strcmp(s->moments[i].name, name) == 0)
			return &s->moments[i];
	if (s->nmoments == STATS_MOMENTS_MAX)
		return NULL; /* damaged: there are no more */
	m = &s->moments[s->nmoments++];
	text_set(m->name, sizeof(m->name), name);
	return m;
}

static void
on_fault_aimed(struct stats *s, const struct msg_fault_aimed *a)
{
	struct stats_open *o = a->fault != 0 ? open_of(s, a->fault) : NULL;
	struct stats_fault *f = fault_row(s, a->fault);
	struct stats_moment *m = moment_of(s, a->moment);

	if (f != NULL) {
		text_set(f->moment, sizeof(f->moment), a->moment);
		f->distance_ns = a->distance_ns;
	}
	if (m == NULL)
		return;
	if (!a->came) {
		m->missed++;
		return;
	}
	m->came++;
	hist_add(&m->distance, a->distance_ns);
	if (o != NULL)
		m->modes[mode_of(s, o->mode) - s->modes]++;
}

/* A fault begins or ends on the servers that its target names. */
static void
open_lanes(struct stats *s, const struct stats_open *o, uint64_t now)
{
	struct stats_server *v;
	bool hit = false;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (!stats_hits(s, i, o->target))
			continue;
		hit = true;
		v = &s->servers[i];
		if (o->in_force) {
			v->faults++;
			v->ended += o->ends_server;
		} else
			v->faulty_ns += now - o->since_ns;
		series_fault(s->series, now, o->mode, i, o->in_force);
	}
	if (!hit)
		series_fault(
		    s->series, now, o->mode, SERIES_OTHER, o->in_force);
}

static void
open_outcome(struct stats *s, const struct event *ev)
{
	bool is_applied = ev->type == MESSAGE_FAULT_APPLIED;
	bool ok = is_applied ? ev->u.fault_applied.ok : ev->u.fault_healed.ok;
	uint32_t fault =
	    is_applied ? ev->u.fault_applied.fault : ev->u.fault_healed.fault;
	struct stats_open *o = fault != 0 ? open_of(s, fault) : NULL;
	struct stats_mode *m;

	if (is_applied)
		prices_applied(s->prices, fault, ok, ev->time_ns);
	else
		prices_healed(s->prices, fault, ev->time_ns);
	if (o == NULL)
		return;
	m = mode_of(s, o->mode);
	if (is_applied) {
		m->applied += ok;
		m->failed += !ok;
		if (!ok || o->in_force)
			return;
		o->in_force = true;
		o->since_ns = ev->time_ns;
		s->in_force++;
		open_lanes(s, o, ev->time_ns);
		return;
	}
	m->healed += ok;
	m->unhealed += !ok;
	if (o->in_force) {
		o->in_force = false;
		s->in_force--;
		open_lanes(s, o, ev->time_ns);
	}
	o->fault = 0;
}

static void
on_fault_planned(struct stats *s, const struct event *ev)
{
	const struct msg_fault_planned *m = &ev->u.fault_planned;
	struct stats_fault *f;

	open_planned(s, m, ev->time_ns);

	text_format(
	    s->fault_now, sizeof(s->fault_now), "%s %s", m->mode, m->target);
	f = array_at(&s->faults, &s->faults_room, s->nfaults, sizeof(*f),
	    STATS_FAULTS_MAX);
	if (f == NULL) {
		s->ran_out |= s->nfaults < STATS_FAULTS_MAX;
		s->faults_omitted++;
		return;
	}
	s->nfaults++;
	f->fault = m->fault;
	f->planned_ns = m->planned_ns;
	f->due_ns = ev->time_ns;
	text_set(f->mode, sizeof(f->mode), m->mode);
	text_set(f->target, sizeof(f->target), m->target);
}

static void
on_fault_outcome(struct stats *s, const struct event *ev)
{
	struct stats_fault *f;

	open_outcome(s, ev);
	if (ev->type == MESSAGE_FAULT_APPLIED) {
		f = fault_row(s, ev->u.fault_applied.fault);
		if (f == NULL)
			return;
		f->applied = ev->u.fault_applied.ok;
		f->applied_ns = ev->time_ns;
		text_set(f->applied_how, sizeof(f->applied_how),
		    ev->u.fault_applied.how);
		return;
	}
	s->fault_now[0] = '\0';
	f = fault_row(s, ev->u.fault_healed.fault);
	if (f == NULL)
		return;
	f->healed = ev->u.fault_healed.ok;
	f->healed_ns = ev->time_ns;
	text_set(f->healed_how, sizeof(f->healed_how), ev->u.fault_healed.how);
}

static void
on_phase(struct stats *s, const struct event *ev)
{
	const char *name = ev->u.phase.name;

	text_set(s->phase, sizeof(s->phase), name);
	if (s->nphases < STATS_PHASES_MAX) {
		text_set(s->phases[s->nphases].name, sizeof(s->phases[0].name),
		    name);
		s->phases[s->nphases++].begin_ns = ev->time_ns;
	}
	if (strcmp(name, "quiet") == 0) {
		s->load_ns = ev->time_ns;
		series_begin(s->series, ev->time_ns);
	} else if (strcmp(name, "mayhem") == 0)
		s->mayhem_ns = ev->time_ns;
	else if (strcmp(name, "drain") == 0 && s->load_ns != 0 &&
		 s->load_end_ns == 0) {
		uint64_t since =
		    s->last_round_ns ? s->last_round_ns : s->load_ns;

		s->load_end_ns = ev->time_ns;
		if (s->no_load)
			return;
		/* A stall that lasts until the end counts as well. */
		stalled(s, since, ev->time_ns, 0);
		charge(s, ev->time_ns, true);
	}
}

/* Note a version that a server runs, when it is not the one before. */
static void
add_version(struct stats_server *v, const char *version, uint64_t now_ns)
{
	struct stats_version *row;

	if (v->nversions == STATS_VERSIONS_MAX) {
		memmove(&v->versions[1], &v->versions[2],
		    (STATS_VERSIONS_MAX - 2) * sizeof(v->versions[0]));
		v->nversions--;
	}
	row = &v->versions[v->nversions++];
	row->since_ns = now_ns;
	text_set(row->version, sizeof(row->version), version);
	text_set(v->version, sizeof(v->version), version);
}

static void
on_node(struct stats *s, const struct msg_node *m, uint64_t now_ns)
{
	struct stats_server *v;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	v = &s->servers[m->node - 1];
	text_set(v->name, sizeof(v->name), m->name);
	if (v->first[0] == '\0')
		text_set(v->first, sizeof(v->first), m->name);
	if (m->version[0] != '\0' && strcmp(m->version, v->version) != 0)
		add_version(v, m->version, now_ns);
}

static void
on_node_settings(struct stats *s, const struct msg_node_settings *m)
{
	struct stats_server *v;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	v = &s->servers[m->node - 1];
	v->sync_always = m->sync_always;
	v->sync_interval_ns = m->sync_interval_ns;
	v->max_memory = m->max_memory;
	v->max_storage = m->max_storage;
}

static void
on_host_load(struct stats_host *h, const struct msg_host_load *m)
{
	h->span_ns += m->span_ns;
	h->tasks = m->tasks;
	h->pressure = m->pressure;
	if (m->pressure <= 1000) {
		h->known_ns += m->span_ns;
		h->pressure_ns += m->span_ns / 1000 * m->pressure;
	}
	if (faults_is_busy(m))
		h->busy_ns += m->span_ns;
	if (m->tasks > h->most)
		h->most = m->tasks;
	if (m->late_ns > h->late_ns)
		h->late_ns = m->late_ns;
}

static void
on_leader(struct stats *s, const struct msg_leader *m)
{
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX && m->what <= LEADS_CONSUMER; i++)
		if (m->leader[0] != '\0' &&
		    strcmp(s->servers[i].name, m->leader) == 0)
			s->servers[i].leads[m->what]++;
}

static void
on_child(struct stats *s, const struct event *ev)
{
	struct stats_worker *w;

	if (ev->type == MESSAGE_CHILD_START) {
		w = worker_of(s, ev->u.child_start.child);
		if (w == NULL)
			return;
		text_set(w->role, sizeof(w->role), ev->u.child_start.role);
		w->incarnations++;
		w->alive = true;
		return;
	}
	s->workers_died += !ev->u.child_exit.expected;
	w = worker_of(s, ev->u.child_exit.child);
	if (w == NULL)
		return;
	w->died += !ev->u.child_exit.expected;
	w->alive = false;
}

/*
 * An operation that is a round of its test; a client has one open at a time.
 * It begins with its first attempt, and takes until one succeeds.
 */
static void
on_round(struct stats *s, const struct event *ev, bool is_invoke,
    enum message_case which)
{
	struct stats_worker *w = worker_of(s, ev->source);

	if (is_invoke) {
		if (w != NULL && (which == CASE_FIRST || w->asked_ns == 0))
			w->asked_ns = ev->time_ns;
		return;
	}
	if (which != CASE_OK)
		return;
	if (w != NULL && w->asked_ns != 0) {
		hist_add(&s->other, ev->time_ns - w->asked_ns);
		answered(s, ev->time_ns, ev->time_ns - w->asked_ns);
		w->asked_ns = 0;
	}
	round_done(s, ev->time_ns, 0);
}

static void
on_rare(struct stats *s, const struct event *ev)
{
	levels_event(&s->levels, ev);
	switch ((unsigned)ev->type) {
	case MESSAGE_PHASE:
		on_phase(s, ev);
		break;
	case MESSAGE_NODE:
		on_node(s, &ev->u.node, ev->time_ns);
		break;
	case MESSAGE_NODE_SETTINGS:
		on_node_settings(s, &ev->u.node_settings);
		break;
	case MESSAGE_RUN:
		s->wall_ns = ev->u.run.wall_ns;
		break;
	case MESSAGE_OPTION:
		s->no_load |= strcmp(ev->u.option.name, "test") == 0 &&
			      strcmp(ev->u.option.value, "none") == 0;
		break;
	case MESSAGE_HELLO:
		if (ev->u.hello.library[0] != '\0')
			text_set(s->library, sizeof(s->library),
			    ev->u.hello.library);
		break;
	case MESSAGE_FAULT_PLANNED:
		on_fault_planned(s, ev);
		break;
	case MESSAGE_FAULT_APPLIED:
	case MESSAGE_FAULT_HEALED:
		on_fault_outcome(s, ev);
		break;
	case MESSAGE_FAULT_AIMED:
		on_fault_aimed(s, &ev->u.fault_aimed);
		break;
	case MESSAGE_CHILD_START:
	case MESSAGE_CHILD_EXIT:
		on_child(s, ev);
		break;
	case MESSAGE_LEADER:
		on_leader(s, &ev->u.leader);
		break;
	case MESSAGE_SERVER_SAYS:
		logs_event(&s->logs, &ev->u.server_says);
		break;
	case MESSAGE_SERVER_LEVEL:
		series_level(s->series, ev->time_ns, &ev->u.server_level);
		break;
	case MESSAGE_HOST_LOAD:
		on_host_load(&s->host, &ev->u.host_load);
		break;
	case MESSAGE_TICK:
		series_pass(s->series, ev->time_ns);
		break;
	case MESSAGE_DROPPED:
		/*
		 * The note was counted as one event. It stands for the events
		 * that --journal-keep dropped, so they are counted instead.
		 */
		s->events += ev->u.dropped.events - 1;
		break;
	case MESSAGE_BEHIND:
		if (ev->u.behind.behind > s->behind)
			s->behind = ev->u.behind.behind;
		break;
	default:
		break;
	}
}

static void
count_worker(struct stats *s, const struct event *ev, unsigned class,
    enum message_case which)
{
	struct stats_worker *w = worker_of(s, ev->source);

	if (w == NULL)
		return;
	w->events++;
	w->last_ns = ev->time_ns;
	if (class & (IS_OK | IS_READ))
		w->ok += which == CASE_OK;
	else if (class & IS_UNKNOWN)
		w->unknown++;
	else if (ev->type == MESSAGE_DELIVER) {
		w->deliver++;
		w->redeliver += which == CASE_AGAIN;
	}
}

void
stats_event(struct stats *s, const struct ledger *l, const struct event *ev)
{
	unsigned class = message_class(ev->type);
	enum message_case which = message_case(ev);

	if (s->events++ == 0)
		s->first_ns = ev->time_ns;
	s->last_ns = ev->time_ns;
	s->seen[ev->type][which]++;
	count_worker(s, ev, class, which);
	if (class & IS_INVOKE && which == CASE_AGAIN && is_in_load(s))
		prices_retry(s->prices);
	if (class & IS_ROUND)
		on_round(s, ev, class & IS_INVOKE, which);
	else if (ev->type == MESSAGE_PUBLISH_OK)
		on_publish_ok(s, l, ev);
	else if (ev->type == MESSAGE_DELIVER)
		on_deliver(s, l, ev);
	else if (ev->type == MESSAGE_ACK_OK)
		on_ack_ok(s, l, ev);
	else if ((class & IS_OPERATION) == 0)
		on_rare(s, ev);
}

uint64_t
stats_seen(const struct stats *s, enum message_type type)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < CASE_COUNT; i++)
		n += s->seen[type][i];
	return n;
}

double
stats_since_load(const struct stats *s, uint64_t ns)
{
	int64_t ms = ns < s->load_ns ? -(int64_t)((s->load_ns - ns) / CLOCK_MS)
				     : (int64_t)((ns - s->load_ns) / CLOCK_MS);

	return s->load_ns != 0 ? (double)ms / 1e3 : 0.0;
}

struct stats_totals
stats_faults(const struct stats *s)
{
	struct stats_totals all = {0};
	unsigned i;

	for (i = 0; i < s->nmodes; i++) {
		all.planned += s->modes[i].planned;
		all.applied += s->modes[i].applied;
		all.healed += s->modes[i].healed;
	}
	return all;
}
