/* SPDX-License-Identifier: ISC */
/* Faults, silences and the availability clock; see faults.h. */
#include <string.h>

#include "orchestrator/judge/faults.h"
#include "proto/base/text.h"

void
faults_init(struct faults *f)
{
	memset(f, 0, sizeof(*f));
}

/* One more span; those that touch become one, and the oldest is forgotten. */
static void
span_add(struct fault_spans *all, struct fault_span s)
{
	struct fault_span *at = all->at;
	unsigned first = all->n, last;

	while (first > 0 && at[first - 1].to_ns >= s.from_ns)
		first--;
	for (last = first; last < all->n && at[last].from_ns <= s.to_ns;
	     last++) {
		if (at[last].from_ns < s.from_ns)
			s.from_ns = at[last].from_ns;
		if (at[last].to_ns > s.to_ns)
			s.to_ns = at[last].to_ns;
	}
	if (first == last && all->n == FAULTS_PAST) {
		all->from_ns = at[0].to_ns;
		memmove(at, at + 1, (FAULTS_PAST - 1) * sizeof(at[0]));
		all->n--;
		if (first == 0)
			return; /* it is older than all of them */
		first--;
		last--;
	}
	memmove(at + first + 1, at + last, (all->n - last) * sizeof(at[0]));
	all->n = all->n + 1 - (last - first);
	at[first] = s;
}

/* The clock stood in this time, too. */
static void
stood_add(struct faults *f, struct fault_span s)
{
	span_add(&f->stood, s);
}

/* Something disturbed JetStream. What overlaps the one before is one. */
static void
past_add(struct faults *f, uint64_t from_ns, uint64_t to_ns)
{
	struct fault_span *p = &f->past[(f->npast - 1) % FAULTS_PAST];

	if (to_ns > f->last_end_ns)
		f->last_end_ns = to_ns;
	if (f->npast > 0 && from_ns <= p->to_ns && p->from_ns <= to_ns) {
		p->from_ns = from_ns < p->from_ns ? from_ns : p->from_ns;
		p->to_ns = to_ns > p->to_ns ? to_ns : p->to_ns;
		return;
	}
	p = &f->past[f->npast++ % FAULTS_PAST];
	if (p->to_ns > f->forgotten_ns)
		f->forgotten_ns = p->to_ns;
	*p = (struct fault_span){from_ns, to_ns};
}

static void
calm_from(struct faults *f, uint64_t ns)
{
	f->calm_ns = ns > f->calm_ns ? ns : f->calm_ns;
}

static void
silence_count(
    struct fault_silences *s, uint64_t from_ns, uint64_t to_ns, const char *who)
{
	struct fault_span *last = &s->last;

	if (s->n == 0 || from_ns > last->to_ns) {
		s->n++;
		*last = (struct fault_span){from_ns, from_ns};
	}
	if (to_ns > last->to_ns) {
		s->total_ns += to_ns - last->to_ns;
		last->to_ns = to_ns;
	}
	if (to_ns - from_ns <= s->longest_ns)
		return;
	s->longest_ns = to_ns - from_ns;
	s->longest_from_ns = from_ns;
	text_set(s->longest_who, sizeof(s->longest_who), who);
}

/* A process of ours, or the host, stood still. */
static void
silence_add(struct faults *f, uint64_t from_ns, uint64_t to_ns, const char *who)
{
	silence_count(&f->silences, from_ns, to_ns, who);
	calm_from(f, to_ns);
	past_add(f, from_ns, to_ns);
	stood_add(f, (struct fault_span){from_ns, to_ns + FAULTS_ELECTION_NS});
}

/* The fault at a place in the table is over. */
static void
fault_close(struct faults *f, unsigned i, uint64_t over_ns)
{
	const struct fault_open *o = &f->open[i];

	if (!o->is_undone && !o->only_reads)
		calm_from(f, over_ns);
	if (!o->only_reads)
		past_add(f, o->planned_ns, over_ns);
	if (o->stops_clock)
		stood_add(f, (struct fault_span){
				 o->planned_ns, over_ns + FAULTS_ELECTION_NS});
	f->open[i] = f->open[--f->nopen];
}

void
faults_pass(struct faults *f, const struct event *ev)
{
	uint64_t now_ns = ev->time_ns;
	unsigned i = f->nopen;

	if (ev->type == MESSAGE_DROPPED)
		f->tick_ns = 0; /* ticks are among what was dropped */
	while (i-- > 0)
		if (f->open[i].is_unhealed && f->open[i].is_undone &&
		    now_ns >= f->open[i].over_ns)
			fault_close(f, i, f->open[i].over_ns);
	/*
	 * Ticks come every second, whatever the children do. When they don't,
	 * natsburn or the whole host stands still.
	 */
	if (f->tick_ns != 0 && now_ns >= f->tick_ns + FAULTS_SLEPT_NS)
		silence_add(f, f->tick_ns, now_ns, "natsburn itself");
}

static void
end_add(struct faults *f, uint64_t ns)
{
	f->ends[f->servers_ended++ % FAULTS_ENDS] = ns;
}

bool
faults_ended_since(const struct faults *f, uint64_t ns, uint64_t *at_ns)
{
	uint64_t i, n = f->servers_ended, end_ns;

	*at_ns = UINT64_MAX;
	for (i = 0; i < n && i < FAULTS_ENDS; i++) {
		end_ns = f->ends[i];
		if (end_ns + FAULTS_END_NS >= ns && end_ns < *at_ns)
			*at_ns = end_ns;
	}
	/* All that are remembered came since: there may have been others. */
	if (n > FAULTS_ENDS && f->ends[n % FAULTS_ENDS] >= ns)
		*at_ns = 0;
	return *at_ns != UINT64_MAX;
}

bool
faults_is_restart(const struct faults *f, const struct msg_server_seen *m)
{
	const struct fault_server *s;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return false;
	s = &f->servers.at[m->node - 1];
	return s->first_ns != 0 && s->process != m->process;
}

/*
 * Another process answers as this server than before: it was restarted since
 * it was seen last, by whom natsburn can't know.
 */
static void
on_server_seen(struct faults *f, const struct event *ev)
{
	const struct msg_server_seen *m = &ev->u.server_seen;
	struct fault_server *s;
	uint64_t now_ns = ev->time_ns;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	s = &f->servers.at[m->node - 1];
	if (faults_is_restart(f, m)) {
		end_add(f, s->seen_ns[0]);
		calm_from(f, now_ns);
		past_add(f, s->seen_ns[0], now_ns);
		stood_add(f, (struct fault_span){
				 s->seen_ns[0], now_ns + FAULTS_ELECTION_NS});
	}
	if (s->first_ns == 0)
		s->first_ns = now_ns;
	s->process = m->process;
	s->seen_ns[1] = s->seen_ns[0];
	s->seen_ns[0] = now_ns;
}

uint64_t
faults_servers_seen(const struct faults *f, bool before)
{
	const struct fault_servers *s = &f->servers;
	uint64_t ns = UINT64_MAX;
	unsigned i;

	for (i = 0; i < s->size && i < CONFIG_NODES_MAX; i++)
		if (s->at[i].seen_ns[before] < ns)
			ns = s->at[i].seen_ns[before];
	return s->size == 0 || s->was_missed ? 0 : ns;
}

static struct fault_open *
fault_find(struct faults *f, uint32_t fault)
{
	unsigned i;

	for (i = 0; i < f->nopen; i++)
		if (f->open[i].fault == fault && !f->open[i].is_unhealed)
			return &f->open[i];
	return NULL;
}

static void
on_planned(struct faults *f, const struct event *ev)
{
	const struct msg_fault_planned *p = &ev->u.fault_planned;

	f->planned++;
	f->latest = p->fault;
	if (p->ends_server)
		end_add(f, ev->time_ns);
	if (f->nopen == FAULTS_OPEN_MAX)
		return; /* chaos never has that many in force */
	f->open[f->nopen++] = (struct fault_open){.fault = p->fault,
	    .stops_clock = p->stops_clock && !f->strict,
	    .leaves_service = true,
	    .planned_ns = ev->time_ns};
}

static void
on_applied(struct faults *f, const struct msg_fault_applied *m)
{
	struct fault_open *o = fault_find(f, m->fault);

	if (m->ok)
		f->applied++;
	else
		f->failed++;
	if (o == NULL || !m->ok)
		return;
	o->applied = true;
	if (o->leaves_service)
		return;
	if (f->applied_idle++ == 0)
		f->idle_from_ns = o->planned_ns;
	f->idle_to_ns = UINT64_MAX; /* as long as it is in force */
}

static void
on_undone(struct faults *f, const struct event *ev)
{
	struct fault_open *o = fault_find(f, ev->u.fault_undone.fault);

	if (o == NULL)
		return;
	if (!o->only_reads)
		calm_from(f, ev->time_ns);
	o->is_undone = true;
	o->over_ns = ev->time_ns + ev->u.fault_undone.patience_ns;
}

static void
on_no_service(struct faults *f, uint32_t fault)
{
	struct fault_open *o = fault_find(f, fault);

	if (o != NULL)
		o->leaves_service = false;
}

static void
on_backup(struct faults *f, uint32_t fault)
{
	struct fault_open *o = fault_find(f, fault);

	if (o != NULL)
		o->only_reads = true;
}

/* Somebody neither works nor beats, and has not for so long. */
static void
on_silent(struct faults *f, const struct event *ev)
{
	char who[48];

	if (ev->type == MESSAGE_OURS_SILENT) {
		silence_add(f, ev->time_ns - ev->u.ours_silent.silent_ns,
		    ev->time_ns, ev->u.ours_silent.who);
		return;
	}
	text_format(
	    who, sizeof(who), "child process %u", ev->u.child_silent.child);
	silence_add(
	    f, ev->time_ns - ev->u.child_silent.silent_ns, ev->time_ns, who);
}

static void
on_healed(struct faults *f, const struct event *ev)
{
	struct fault_open *o = fault_find(f, ev->u.fault_healed.fault);

	if (o == NULL)
		return;
	if (o->applied && !o->leaves_service)
		f->idle_to_ns = ev->time_ns;
	if (!ev->u.fault_healed.ok) {
		f->unhealed++;
		o->is_unhealed = true;
		if (f->held_since_ns == 0)
			f->held_since_ns = ev->time_ns;
		return;
	}
	f->healed++;
	fault_close(f, (unsigned)(o - f->open), ev->time_ns);
}

/* Whatever could not be seen healed has healed since. */
static void
on_whole(struct faults *f, uint64_t now_ns)
{
	unsigned i = f->nopen;

	if (f->held_since_ns != 0)
		f->held_ns += now_ns - f->held_since_ns;
	f->held_since_ns = 0;
	while (i-- > 0)
		if (f->open[i].is_unhealed)
			fault_close(f, i, now_ns);
}

static void
on_host_load(struct faults *f, const struct event *ev)
{
	uint64_t span_ns = ev->u.host_load.span_ns;

	if (!faults_is_busy(&ev->u.host_load) || span_ns > ev->time_ns)
		return;
	f->busy_ns += span_ns;
	if (ev->u.host_load.tasks > f->busy_tasks)
		f->busy_tasks = ev->u.host_load.tasks;
	span_add(
	    &f->busy, (struct fault_span){ev->time_ns - span_ns, ev->time_ns});
}

void
faults_event(struct faults *f, const struct event *ev)
{
	uint64_t now = ev->time_ns;

	faults_pass(f, ev);
	switch ((unsigned)ev->type) {
	case MESSAGE_TICK:
		f->tick_ns = now;
		break;
	case MESSAGE_FAULT_PLANNED:
		on_planned(f, ev);
		break;
	case MESSAGE_FAULT_APPLIED:
		on_applied(f, &ev->u.fault_applied);
		break;
	case MESSAGE_FAULT_UNDONE:
		on_undone(f, ev);
		break;
	case MESSAGE_FAULT_HEALED:
		on_healed(f, ev);
		break;
	case MESSAGE_SETTLED:
		f->is_unsettled = !ev->u.settled.ok;
		f->settled_ns = ev->u.settled.ok ? now : 0;
		if (ev->u.settled.ok)
			on_whole(f, now);
		break;
	case MESSAGE_CLUSTER_WHOLE:
		on_whole(f, now);
		break;
	case MESSAGE_CLUSTER_UP:
		f->servers.size = ev->u.cluster_up.size;
		break;
	case MESSAGE_SERVER_SEEN:
		on_server_seen(f, ev);
		break;
	case MESSAGE_PHASE:
		if (strcmp(ev->u.phase.name, "quiet") == 0)
			f->servers.was_missed =
			    faults_servers_seen(f, false) == 0;
		break;
	case MESSAGE_STREAM_CHANGE:
		if (!f->strict)
			stood_add(f,
			    (struct fault_span){now, now + FAULTS_CHANGE_NS});
		break;
	case MESSAGE_NO_SERVICE:
		on_no_service(f, ev->u.no_service.fault);
		break;
	case MESSAGE_BACKUP_BEGIN:
		on_backup(f, ev->u.backup_begin.fault);
		break;
	case MESSAGE_HOST_LOAD:
		on_host_load(f, ev);
		break;
	case MESSAGE_CHILD_SILENT:
	case MESSAGE_OURS_SILENT:
		on_silent(f, ev);
		break;
	default:
		break;
	}
}

bool
faults_in_effect(const struct faults *f)
{
	unsigned i;

	for (i = 0; i < f->nopen; i++)
		if (f->open[i].applied && !f->open[i].is_unhealed)
			return true;
	return false;
}

bool
faults_active(const struct faults *f)
{
	unsigned i;

	for (i = 0; i < f->nopen; i++)
		if (!f->open[i].only_reads)
			return true;
	return false;
}

uint64_t
faults_calm_since(const struct faults *f)
{
	unsigned i;

	for (i = 0; i < f->nopen; i++)
		if (!f->open[i].is_undone && !f->open[i].only_reads)
			return UINT64_MAX;
	return f->calm_ns;
}

bool
faults_quiet_for(const struct faults *f, uint64_t now_ns, uint64_t ns)
{
	if (faults_active(f))
		return false;
	return f->last_end_ns == 0 || now_ns >= f->last_end_ns + ns;
}

bool
faults_quiet_between(const struct faults *f, uint64_t from_ns, uint64_t to_ns)
{
	unsigned i;

	if (from_ns < f->forgotten_ns)
		return false;
	for (i = 0; i < f->nopen; i++)
		if (f->open[i].planned_ns <= to_ns && !f->open[i].only_reads)
			return false;
	for (i = 0; i < FAULTS_PAST && i < f->npast; i++)
		if (f->past[i].from_ns <= to_ns && f->past[i].to_ns >= from_ns)
			return false;
	return true;
}

bool
faults_quiet_since_settled(const struct faults *f, uint64_t now_ns)
{
	return f->settled_ns != 0 &&
	       faults_quiet_between(f, f->settled_ns, now_ns);
}

uint64_t
faults_before(uint64_t ns)
{
	return ns > FAULTS_ELECTION_NS ? ns - FAULTS_ELECTION_NS : 0;
}

/* How much of a is in b. */
static uint64_t
overlap(struct fault_span a, struct fault_span b)
{
	uint64_t from = a.from_ns > b.from_ns ? a.from_ns : b.from_ns;
	uint64_t to = a.to_ns < b.to_ns ? a.to_ns : b.to_ns;

	return to > from ? to - from : 0;
}

/*
 * The time in which open faults stop the clock. All of them do now, so that
 * is one span. Empty when none does.
 */
static struct fault_span
open_span(const struct faults *f)
{
	struct fault_span s = {UINT64_MAX, 0};
	const struct fault_open *o;
	uint64_t to;
	unsigned i;

	for (i = 0; i < f->nopen; i++) {
		o = &f->open[i];
		if (!o->stops_clock)
			continue;
		to = o->is_unhealed && o->is_undone
			 ? o->over_ns + FAULTS_ELECTION_NS
			 : UINT64_MAX;
		s.from_ns =
		    o->planned_ns < s.from_ns ? o->planned_ns : s.from_ns;
		s.to_ns = to > s.to_ns ? to : s.to_ns;
	}
	return s;
}

uint64_t
faults_stood(const struct faults *f, uint64_t from_ns, uint64_t to_ns)
{
	struct fault_span asked = {from_ns, to_ns}, open = open_span(f), both;
	const struct fault_spans *all = &f->stood;
	uint64_t stood = 0;
	unsigned i = all->n;

	if (from_ns < all->from_ns) {
		stood = overlap(asked, (struct fault_span){0, all->from_ns});
		asked.from_ns = all->from_ns;
	}
	both.from_ns =
	    open.from_ns > asked.from_ns ? open.from_ns : asked.from_ns;
	both.to_ns = open.to_ns < asked.to_ns ? open.to_ns : asked.to_ns;
	stood += overlap(open, asked);
	while (i-- > 0 && all->at[i].to_ns > asked.from_ns)
		stood += overlap(all->at[i], asked) - overlap(all->at[i], both);
	return stood;
}

/* How much of a span the clock ran that is asked for. */
static uint64_t
ran_in(const struct faults *f, struct fault_span asked, struct fault_span s)
{
	s.from_ns = s.from_ns > asked.from_ns ? s.from_ns : asked.from_ns;
	s.to_ns = s.to_ns < asked.to_ns ? s.to_ns : asked.to_ns;
	return s.to_ns > s.from_ns
		   ? s.to_ns - s.from_ns - faults_stood(f, s.from_ns, s.to_ns)
		   : 0;
}

uint64_t
faults_busy(const struct faults *f, uint64_t from_ns, uint64_t to_ns)
{
	struct fault_span asked = {from_ns, to_ns};
	uint64_t busy =
	    ran_in(f, asked, (struct fault_span){0, f->busy.from_ns});
	unsigned i = f->busy.n;

	if (asked.from_ns < f->busy.from_ns)
		asked.from_ns = f->busy.from_ns;
	while (i-- > 0 && f->busy.at[i].to_ns > asked.from_ns)
		busy += ran_in(f, asked, f->busy.at[i]);
	return busy;
}

bool
faults_is_busy(const struct msg_host_load *m)
{
	return m->tasks >= FAULTS_BUSY_TASKS ||
	       m->late_ns >= FAULTS_BUSY_LATE_NS;
}
