/* SPDX-License-Identifier: ISC */
/*
 * The phases of a run (docs/architecture.md). Each has a way in, a question
 * whether it is over, and a patience after which it is given up: a run ends,
 * whatever the cluster does.
 */
#include <string.h>
#include <sys/wait.h>

#include "chaos/cluster/cluster.h"
#include "orchestrator/live/run.h"
#include "proto/base/clock.h"
#include "proto/base/ensure.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define STARTS_AT_ONCE 32
#define LEAVE_NS       (30 * CLOCK_S) /* longer than signals take to end it */
#define STOP_NS	       (20 * CLOCK_S) /* as the servers have, and more */

struct phase_ops {
	uint64_t patience_ns; /* by children_time(); 0: it ends by itself */
	void (*enter)(struct run *);
	bool (*is_over)(struct run *);
	void (*late)(struct run *); /* patience is over; then is_over counts */
};

/* A server takes its time to come back there. */
static bool
is_slow(const struct run *r)
{
	return cluster_find(r->config.cluster)->is_slow;
}

static uint64_t
phase_deadline(const struct run *r, const struct phase_ops *p)
{
	return children_time(r->children) +
	       (is_slow(r) ? 3 : 1) * p->patience_ns;
}

static void
set_deadline(struct run *r, uint64_t ns)
{
	r->deadline_ns = children_time(r->children) + ns;
}

static void
say(struct run *r, struct child_slot *s, enum message_type type)
{
	struct event ev = {.type = type};

	children_send(r->children, s, &ev);
}

static struct child_slot *
plan_child(struct run *r, const char *program, const char *role, bool restarts)
{
	struct child_slot *s =
	    children_add(r->children, program, role, restarts);

	if (s == NULL)
		run_doom(r, "cannot add a process for %s", role);
	return s;
}

static struct child_slot *
add_child(struct run *r, const char *program, const char *role, bool restarts)
{
	struct child_slot *s = plan_child(r, program, role, restarts);

	if (s != NULL)
		children_start(r->children, s);
	return s;
}

static void
fail_cluster(struct run *r, const char *why)
{
	struct event ev = {.type = MESSAGE_CLUSTER_FAILED};

	text_set(ev.u.cluster_failed.why, sizeof(ev.u.cluster_failed.why), why);
	run_note(r, &ev);
	r->doomed = true;
}

/* up: the chaos process forms the cluster */

static void
up_enter(struct run *r)
{
	r->chaos = add_child(r, "chaos", "chaos", false);
}

static bool
up_is_over(struct run *r)
{
	return r->is_up;
}

static void
up_late(struct run *r)
{
	fail_cluster(r, "the cluster was not up in time");
}

/* setup: a short-lived worker makes streams and consumers */

static void
setup_enter(struct run *r)
{
	r->setup = add_child(r, "worker", "setup", false);
}

static bool
setup_is_over(struct run *r)
{
	struct child_slot *s = r->setup;

	if (s == NULL)
		return true;
	if (s->state == CHILD_READY)
		run_start_worker(r, s);
	if (s->state != CHILD_FINISHED)
		return false;
	if (!s->bye_ok && !r->doomed && WIFSIGNALED(s->wait_status))
		run_doom(r, "the setup process was killed by signal %d",
		    WTERMSIG(s->wait_status));
	else if (!s->bye_ok && !r->doomed && s->stood_still)
		run_doom(r,
		    "the setup process stood still (was stopped or got no "
		    "processor) and then failed");
	else if (!s->bye_ok && !r->doomed)
		fail_cluster(r,
		    "the test's streams could not be made: see the log lines "
		    "of \"setup\"");
	return true;
}

static void
setup_late(struct run *r)
{
	children_kill(r->children, r->setup);
	fail_cluster(r, "the test's streams could not be made in time");
}

/* start: every worker of the workload connects */

static unsigned
role_count(const struct run *r, const struct workload_role *role)
{
	if (role->count == WORKLOAD_CONSUMERS)
		return (unsigned)r->config.consumers;
	if (role->count == WORKLOAD_CLIENTS)
		return (unsigned)r->config.clients;
	return 1;
}

static void
start_enter(struct run *r)
{
	const struct workload_role *role;
	struct child_slot *s;
	unsigned i;

	for (role = r->workload->roles; role->name != NULL; role++)
		for (i = 0; i < role_count(r, role) && !r->doomed; i++) {
			s = plan_child(r, "worker", role->name, true);
			if (s == NULL)
				return;
			r->workers[s->source].is_load = true;
			r->workers[s->source].index = i;
			r->workers[s->source].produces = role->produces;
			r->nworkers = s->source;
		}
}

/* The i-th load worker's slot, or NULL when source i isn't one. */
static struct child_slot *
load_worker(const struct run *r, uint32_t source)
{
	if (!r->workers[source].is_load)
		return NULL;
	return children_slot(r->children, source);
}

/* Some at a time: those that run already must be heard meanwhile. */
static bool
start_is_over(struct run *r)
{
	struct child_slot *s;
	unsigned started = 0;
	bool all_ready = true;
	uint32_t i;

	for (i = 1; i <= r->nworkers && !r->doomed; i++) {
		s = load_worker(r, i);
		if (s == NULL || s->state == CHILD_READY)
			continue;
		all_ready = false;
		if (s->incarnation > 0)
			continue;
		if (!children_have_room(r->children) ||
		    started++ == STARTS_AT_ONCE)
			break;
		children_start(r->children, s);
	}
	return all_ready;
}

static void
start_late(struct run *r)
{
	run_doom(r, "not all workers were ready in time");
}

/* quiet and mayhem: the load runs */

static void
quiet_enter(struct run *r)
{
	struct child_slot *s;
	uint32_t i;

	for (i = 1; i <= r->nworkers; i++) {
		s = load_worker(r, i);
		if (s != NULL && s->state == CHILD_READY)
			run_start_worker(r, s);
	}
}

/* Time since the load began, which was when quiet began. */
static bool
load_is_over(const struct run *r)
{
	const struct stats *s = &r->history.stats;

	if (r->interrupted || r->stopped)
		return true;
	if (r->config.rounds != 0 && s->rounds >= r->config.rounds)
		return true;
	return s->load_ns != 0 &&
	       clock_mono_ns() >= s->load_ns + r->config.duration_ns;
}

static bool
quiet_is_over(struct run *r)
{
	return load_is_over(r) ||
	       clock_mono_ns() >= r->phase_ns + r->config.quiet_ns;
}

static void
mayhem_enter(struct run *r)
{
	if (!load_is_over(r))
		say(r, r->chaos, MESSAGE_MAYHEM_START);
}

static bool
mayhem_is_over(struct run *r)
{
	return load_is_over(r);
}

/*
 * heal: the load goes on until no fault is in force, and until an operation
 * succeeds after those during which none can: without it the run proves
 * nothing (judge.c). When none does for a while, that is what the run tells.
 */
#define HEAL_WORK_NS (30 * CLOCK_S)

static void
heal_enter(struct run *r)
{
	r->all_healed = false;
	say(r, r->chaos, MESSAGE_MAYHEM_STOP);
}

static bool
heal_is_over(struct run *r)
{
	return r->all_healed &&
	       (r->interrupted || r->stopped ||
		   judge_worked_since_idle(r->history.judge) ||
		   clock_mono_ns() >= r->healed_ns + HEAL_WORK_NS);
}

static void
give_up(struct run *r)
{
	log_warn("phase %s was given up after %llu s", phase_name(r->phase),
	    (unsigned long long)((clock_mono_ns() - r->phase_ns) / CLOCK_S));
	r->all_healed = r->settled = r->dumped = true;
	r->cleaner = NULL;
}

/* drain: producers end, then the rest when nothing is left to consume */

static uint64_t
stop_patience(const struct run *r)
{
	return r->config.op_timeout_ns + 40 * CLOCK_S;
}

static void
stop_workers(struct run *r, bool produces)
{
	struct child_slot *s;
	uint32_t i;

	for (i = 1; i <= r->nworkers; i++) {
		s = load_worker(r, i);
		if (s != NULL && r->workers[i].produces == produces)
			children_stop(r->children, s, stop_patience(r));
	}
}

static bool
workers_finished(const struct run *r, bool produces)
{
	const struct child_slot *s;
	uint32_t i;

	for (i = 1; i <= r->nworkers; i++) {
		s = load_worker(r, i);
		if (s != NULL && r->workers[i].produces == produces &&
		    s->state != CHILD_FINISHED)
			return false;
	}
	return true;
}

/* True when nothing acknowledged waits for a consumer any more. */
static bool
is_consumed(const struct run *r)
{
	const struct ledger *l = judge_ledger(r->history.judge);
	const struct ledger_entry *e;
	uint64_t missing;
	size_t i = 0;

	while ((e = ledger_next(l, &i)) != NULL)
		if (ledger_awaits(l, e, &missing))
			return false;
	return true;
}

/*
 * False when every load worker produces: then all of them have ended, each
 * has drained what it made, and nothing is gained by waiting. The wait would
 * even convict: with nobody left to take it, a message looks stuck.
 */
static bool
has_takers(const struct run *r)
{
	uint32_t i;

	for (i = 1; i <= r->nworkers; i++)
		if (load_worker(r, i) != NULL && !r->workers[i].produces)
			return true;
	return false;
}

/* A step of drain: it is given up when patience_ns are over. */
static void
drain_step(struct run *r, unsigned step, uint64_t patience_ns)
{
	r->step = step;
	set_deadline(r, patience_ns);
	if (step != 1)
		stop_workers(r, step == 0);
}

static void
drain_enter(struct run *r)
{
	drain_step(r, 0, stop_patience(r) + LEAVE_NS);
}

static void
drain_last(struct run *r)
{
	drain_step(r, 2, stop_patience(r) + LEAVE_NS);
}

static bool
drain_is_over(struct run *r)
{
	if (r->step == 0 && workers_finished(r, true))
		drain_step(r, 1, r->config.consume_timeout_ns + 40 * CLOCK_S);
	/* merge_waiting: what has arrived may not be in the ledger yet. */
	if (r->step == 1 && (!has_takers(r) || (merge_waiting(r->merge) == 0 &&
						   is_consumed(r))))
		drain_last(r);
	return r->step == 2 && workers_finished(r, false);
}

static void
drain_late(struct run *r)
{
	if (r->step == 1)
		drain_last(r); /* what was not taken until now is judged */
	else
		run_doom(r, "not all workers have ended in time");
}

/*
 * The end of a run, whatever the servers do: --settle-timeout for settle,
 * audit, clean and down. Settling may take half of that; or, where a group is
 * sick, as long as it takes until that convicts. What it leaves, half at
 * least, is the audit's, but for a fifth that is for the two last. Beyond it
 * the audit has time to read the streams, and to prove what only lasting
 * proves.
 */

#define REPLY_NS   (10 * CLOCK_S) /* until what a child says is here */
#define SURE_NS	   (20 * CLOCK_S) /* behind --recover-timeout */
#define PROOF_NS   (150 * CLOCK_S)
#define READ_RATE  10000 /* messages a second, at least */
#define READ_BYTES (UINT64_C(16) << 20)

static uint64_t
end_time(const struct run *r)
{
	return (is_slow(r) ? 3 : 1) * config_settle_ns(&r->config);
}

static uint64_t
last_time(const struct run *r)
{
	return end_time(r) / 5;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Until end_ns, and the least at least. */
static uint64_t
left_of_end(const struct run *r, uint64_t least_ns)
{
	uint64_t now = children_time(r->children);

	return r->end_ns > now ? larger(r->end_ns - now, least_ns) : least_ns;
}

/* settle: chaos says when the cluster is healthy and current */

static void
settle_enter(struct run *r)
{
	uint64_t sick = r->config.recover_timeout_ns + SURE_NS;

	r->settled = false;
	r->end_ns = children_time(r->children) + end_time(r);
	set_deadline(r, larger(end_time(r) / 2, sick) + REPLY_NS);
	say(r, r->chaos, MESSAGE_SETTLE);
}

static bool
settle_is_over(struct run *r)
{
	return r->settled;
}

/*
 * audit: a fresh process scans every stream by a second path, while chaos
 * compares what the servers tell of them.
 */

#define AUDITS_MAX 3

static void
start_audit(struct run *r)
{
	r->audits++;
	r->audit = add_child(r, "worker", "audit", false);
}

/*
 * Of streams whose messages stay: what was acknowledged, and as much of each of
 * their copies. *own is without these.
 */
static uint64_t
messages_to_read(const struct run *r, uint64_t *own)
{
	const struct ledger *l = judge_ledger(r->history.judge);
	const struct ledger_stream *s;
	uint64_t n = 0;
	uint32_t i;

	*own = 0;
	for (i = 0; i < l->nstreams; i++) {
		s = ledger_stream(l, i);
		if (s == NULL || s->retention != RETENTION_LIMITS)
			continue;
		*own += s->acked.count;
		n += s->acked.count * (UINT64_C(1) + s->copies);
	}
	return n;
}

/* By the scan, and of streams that are replicated once more of each copy. */
static uint32_t
reading_times(const struct run *r)
{
	return r->config.replicas > 1 ? 1 + (uint32_t)r->config.replicas : 1;
}

/* What the audit has to read, said beforehand: ns to read all of it once. */
static uint64_t
note_reading(struct run *r)
{
	struct event ev = {.type = MESSAGE_AUDIT_READING};
	struct msg_audit_reading *m = &ev.u.audit_reading;
	uint64_t ns, own;

	m->messages = messages_to_read(r, &own);
	m->bytes =
	    own > 0 ? r->published_bytes * ((m->messages - 1) / own + 1) : 0;
	m->times = reading_times(r);
	ns =
	    m->messages / READ_RATE * CLOCK_S + m->bytes / READ_BYTES * CLOCK_S;
	ns *= is_slow(r) ? 3 : 1;
	m->limit_ns = ns * m->times;
	run_note(r, &ev);
	if (m->limit_ns >= JUDGE_READING_NS)
		progress_say(&r->progress,
		    "the audit reads %llu messages %u times: up to %llu s",
		    (unsigned long long)m->messages, m->times,
		    (unsigned long long)(m->limit_ns / CLOCK_S));
	return ns;
}

static void
audit_enter(struct run *r)
{
	struct msg_audit_limit *m = &r->limit;
	uint64_t base = left_of_end(r, end_time(r) / 2) - last_time(r);
	uint64_t reading = note_reading(r);
	uint64_t all = base + reading * reading_times(r);

	/* Of a cluster that does not settle nothing new would be known. */
	r->compared = r->is_unsettled;
	if (!r->compared)
		say(r, r->chaos, MESSAGE_COMPARE);
	m->base_ns = base;
	m->reading_ns = reading;
	m->proof_ns = PROOF_NS;
	r->audit_ns = children_time(r->children);
	r->end_ns = r->audit_ns + all + last_time(r);
	set_deadline(r, all + PROOF_NS + REPLY_NS);
	start_audit(r);
}

/* The time that is left of the audit's, when another one has used some. */
static void
send_limit(struct run *r, struct child_slot *to)
{
	struct event ev = {.type = MESSAGE_AUDIT_LIMIT};
	uint64_t used = children_time(r->children) - r->audit_ns;

	ev.u.audit_limit = r->limit;
	ev.u.audit_limit.base_ns -=
	    used < r->limit.base_ns ? used : r->limit.base_ns;
	children_send(r->children, to, &ev);
}

/* Name every stream to a process, then let it begin. */
static void
send_streams(struct run *r, struct child_slot *to)
{
	const struct ledger *l = judge_ledger(r->history.judge);
	const struct ledger_stream *s;
	struct event ev;
	uint32_t i;

	for (i = 0; i < l->nstreams; i++) {
		s = ledger_stream(l, i);
		if (s == NULL)
			continue;
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_AUDIT_STREAM;
		ev.u.audit_stream.stream = i;
		ev.u.audit_stream.last_acked = seqmap_last(&s->acked);
		text_set(ev.u.audit_stream.name, sizeof(ev.u.audit_stream.name),
		    s->name);
		children_send(r->children, to, &ev);
	}
	run_start_worker(r, to);
}

/* Name every consumer that stays when nobody reads it. */
static void
send_consumers(struct run *r, struct child_slot *to)
{
	const struct ledger *l = judge_ledger(r->history.judge);
	const struct ledger_consumer *k;
	struct event ev;
	uint32_t i;

	for (i = 0; i < l->nconsumers; i++) {
		k = ledger_consumer(l, i);
		if (k == NULL || k->kind == KIND_ORDERED)
			continue;
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_AUDIT_CONSUMER;
		ev.u.audit_consumer.stream = k->stream;
		ev.u.audit_consumer.consumer = i;
		ev.u.audit_consumer.ack_wait_ns = k->longest_ns;
		text_set(ev.u.audit_consumer.name,
		    sizeof(ev.u.audit_consumer.name), k->name);
		children_send(r->children, to, &ev);
	}
}

static bool
audit_is_over(struct run *r)
{
	if (r->audit == NULL)
		return true;
	if (r->audit->state == CHILD_READY) {
		send_limit(r, r->audit);
		send_consumers(r, r->audit);
		send_streams(r, r->audit);
	}
	if (r->audit->state != CHILD_FINISHED)
		return false;
	if (!r->audit->bye_ok && !r->doomed && r->audits < AUDITS_MAX) {
		start_audit(r);
		return false;
	}
	return r->compared || r->chaos->state == CHILD_FINISHED;
}

/* Without it the run proves nothing; but it ends. */
static void
audit_late(struct run *r)
{
	give_up(r);
	children_kill(r->children, r->audit);
	r->audit = NULL;
}

/* clean: leave nothing on a cluster that isn't ours, unless it is evidence */

static bool
has_violation(const struct run *r)
{
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		if (judge_count(r->history.judge, k, CLASS_VIOLATION) > 0)
			return true;
	return false;
}

/* A worker may not do what the test needs: the others needn't end well. */
static void
end_load(struct run *r)
{
	struct child_slot *s;
	uint32_t i;

	for (i = 1; i <= r->nworkers; i++) {
		s = load_worker(r, i);
		if (s != NULL)
			children_stop(r->children, s, CLOCK_S);
	}
	if (r->setup != NULL)
		children_stop(r->children, r->setup, CLOCK_S);
	r->step = 1;
}

/* Once they have, what streams there are is known, if there are any. */
static void
clean_after_load(struct run *r)
{
	if (!workers_finished(r, true) || !workers_finished(r, false) ||
	    merge_waiting(r->merge) > 0)
		return;
	if (ledger_stream(judge_ledger(r->history.judge), 0) != NULL)
		r->cleaner = add_child(r, "worker", "clean", false);
	r->step = 2;
}

static void
clean_enter(struct run *r)
{
	/* A quarter of the least is for down, which takes a second or two. */
	set_deadline(r, left_of_end(r, last_time(r)) - last_time(r) / 4);
	if (cluster_find(r->config.cluster)->owner != OWNER_OTHERS)
		return;
	if (r->doomed)
		end_load(r); /* and then */
	else if (has_violation(r))
		progress_say(&r->progress,
		    "the run's streams (NB_%llX_...) are kept as evidence",
		    (unsigned long long)r->config.run);
	else
		r->cleaner = add_child(r, "worker", "clean", false);
}

static bool
clean_is_over(struct run *r)
{
	if (r->step == 1)
		clean_after_load(r);
	if (r->cleaner == NULL)
		return r->step != 1;
	if (r->cleaner->state == CHILD_READY)
		send_streams(r, r->cleaner);
	return r->cleaner->state == CHILD_FINISHED;
}

static void
clean_late(struct run *r)
{
	give_up(r);
	r->step = 2;
}

/* down: save what the servers can tell, then end them */

static bool
wants_dump(const struct run *r)
{
	unsigned k;

	if (r->doomed || !r->is_up)
		return false;
	if (has_violation(r) || r->is_unsettled)
		return true;
	for (k = 0; k < ANOMALY_COUNT; k++)
		if (judge_count(r->history.judge, k, CLASS_WARNING) > 0)
			return true;
	return false;
}

static void
down_enter(struct run *r)
{
	stop_workers(r, true);
	stop_workers(r, false);
	if (r->setup != NULL)
		children_stop(r->children, r->setup, CLOCK_S);
	if (r->audit != NULL)
		children_stop(r->children, r->audit, CLOCK_S);
	if (wants_dump(r))
		say(r, r->chaos, MESSAGE_DUMP);
	else
		r->dumped = true;
}

static bool
down_is_over(struct run *r)
{
	/* On Kubernetes what was changed is put back now. */
	uint64_t patience = is_slow(r) ? 90 * CLOCK_S : STOP_NS;

	if (r->chaos == NULL || r->chaos->state == CHILD_FINISHED)
		r->dumped = true;
	if (!r->dumped)
		return false;
	if (r->step == 0 && r->chaos != NULL) {
		/* After a failure workers may still hang: don't wait. */
		children_stop(r->children, r->chaos, patience);
		r->deadline_ns =
		    children_time(r->children) + patience + LEAVE_NS;
		r->step = 1;
	}
	return r->chaos == NULL || r->chaos->state == CHILD_FINISHED;
}

static void
down_late(struct run *r)
{
	give_up(r);
	if (r->step == 1)
		r->chaos = NULL; /* not even a signal has ended it */
}

static const struct phase_ops phases[PHASES] = {
    [PHASE_UP] = {90 * CLOCK_S, up_enter, up_is_over, up_late},
    [PHASE_SETUP] = {90 * CLOCK_S, setup_enter, setup_is_over, setup_late},
    [PHASE_START] = {90 * CLOCK_S, start_enter, start_is_over, start_late},
    [PHASE_QUIET] = {0, quiet_enter, quiet_is_over, NULL},
    [PHASE_MAYHEM] = {0, mayhem_enter, mayhem_is_over, NULL},
    [PHASE_HEAL] = {270 * CLOCK_S, heal_enter, heal_is_over, give_up},
    [PHASE_DRAIN] = {0, drain_enter, drain_is_over, drain_late},
    [PHASE_SETTLE] = {0, settle_enter, settle_is_over, give_up},
    [PHASE_AUDIT] = {0, audit_enter, audit_is_over, audit_late},
    [PHASE_CLEAN] = {0, clean_enter, clean_is_over, clean_late},
    [PHASE_DOWN] = {20 * CLOCK_S, down_enter, down_is_over, down_late},
    [PHASE_END] = {0, NULL, NULL, NULL},
};

void
phase_enter(struct run *r, enum run_phase phase)
{
	const struct phase_ops *p = &phases[phase];
	struct event ev = {.type = MESSAGE_PHASE};

	ensure(phase < PHASES && (phase > r->phase || phase == PHASE_UP));
	r->phase = phase;
	r->phase_ns = clock_mono_ns();
	r->deadline_ns = p->patience_ns ? phase_deadline(r, p) : 0;
	r->step = 0;
	ev.u.phase.phase = (uint8_t)phase;
	text_set(ev.u.phase.name, sizeof(ev.u.phase.name), phase_name(phase));
	run_note(r, &ev);
	if (p->enter != NULL)
		p->enter(r);
}

void
phase_prolong(struct run *r, enum run_phase phase)
{
	if (r->phase == phase && r->deadline_ns != 0)
		r->deadline_ns = phase_deadline(r, &phases[phase]);
}

void
phase_poll(struct run *r)
{
	const struct phase_ops *p = &phases[r->phase];

	if (r->deadline_ns != 0 &&
	    children_time(r->children) >= r->deadline_ns &&
	    !children_stand_still(r->children)) {
		r->deadline_ns = 0;
		p->late(r);
	}
	/* Who was refused something may have made streams before. */
	if (r->doomed && r->phase < PHASE_DOWN && r->phase != PHASE_CLEAN) {
		phase_enter(r, r->is_refused ? PHASE_CLEAN : PHASE_DOWN);
		return;
	}
	/* Before there is load there is nothing to heal or judge. */
	if (r->interrupted && r->phase < PHASE_QUIET) {
		phase_enter(r, PHASE_DOWN);
		return;
	}
	if (p->is_over(r))
		phase_enter(r, r->phase + 1);
}
