/* SPDX-License-Identifier: ISC */
/* The judge; see judge.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/judge/late.h"
#include "orchestrator/judge/power.h"
#include "orchestrator/judge/proof.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/ensure.h"
#include "proto/base/text.h"
#include "proto/refusal.h"

#define CHECKS_MAX 64

/* One that led before the first that was told knows after so long. */
#define FIRST_LEADER_NS (5 * CLOCK_S)
#define SETTLED_NS	(10 * CLOCK_S) /* who led then was told again */
#define SEEN_NS		(10 * CLOCK_S) /* servers are, every 2 to 4 s */
#define MADE_NS		(5 * CLOCK_S)
#define SAYS_MAX	1024
#define KEPT_MAX	(ANOMALY_COUNT * CLASS_COUNT * JUDGE_KEEP * 2)

/* What the verdict rests on besides the anomalies. */
struct facts {
	bool saw_run, saw_end;
	uint64_t ok_ops, ok_under_fault, first_ok_ns, last_ok_ns;
	struct seqmap begun, complete; /* streams whose scan was */
	struct seqmap stated, copied;  /* that SCAN_STATE, COPIES_END name */
	uint64_t gaps;
	uint64_t updates, contended; /* of keys; and refused for another one */
	uint64_t load_ns, load_end_ns; /* when the load began, and ended */
	uint64_t clock_ns, stood_ns;   /* it stood so long, up to then */
	uint64_t silent_ns[2];	       /* of ours in all, when it did */
	struct msg_audit_reading reading;
	uint64_t dropped, holes, dropped_first_ns, dropped_last_ns;
	bool lost_memory;
	bool is_broken; /* events are missing or changed: no check goes on */
	char broken[256];
	char harness[256], cluster[256], skipped[256], scan_why[160];
	char settle_why[200];
	char doubt[256];
	bool was_overloaded; /* the host was, or something had been late */
};

struct judge {
	struct run_config config;
	struct ledger ledger;
	struct contents contents;
	struct lives lives;
	struct faults faults;
	struct leaders leaders;
	struct power power;
	struct lates lates;
	struct proofs proofs;
	struct check checks[CHECKS_MAX];
	size_t nchecks;
	/* by message type: indices of the checks that want it */
	uint8_t wants[MESSAGE_TYPES][CHECKS_MAX];
	uint8_t nwants[MESSAGE_TYPES];
	uint64_t judges[MESSAGE_TYPES]; /* bits of those that count it */
	uint64_t counts[ANOMALY_COUNT][CLASS_COUNT];
	uint64_t check_counts[CHECKS_MAX][CLASS_COUNT];
	uint64_t judged[CHECKS_MAX];
	struct anomaly *kept;
	uint32_t nkept, kept_room;
	judge_notice *notice;
	void *notice_arg;
	struct facts facts;
	uint64_t last_ns; /* of the last event */
	bool is_over;
};

static const char *const kind_names[] = {
#define X(KIND, kind, command) #kind,
    ANOMALY_KINDS(X)
#undef X
};

const char *
anomaly_kind_name(enum anomaly_kind kind)
{
	return kind < ANOMALY_COUNT ? kind_names[kind] : "?";
}

enum message_type
anomaly_command(enum anomaly_kind kind)
{
	static const enum message_type commands[ANOMALY_COUNT] = {
#define X(KIND, kind, command) command,
	    ANOMALY_KINDS(X)
#undef X
	};

	return commands[kind];
}

const char *anomaly_class_name(enum anomaly_class class)
{
	static const char *const names[CLASS_COUNT] = {
	    "violation", "documented", "warning"};

	return class < CLASS_COUNT ? names[class] : "?";
}

const char *
verdict_name(enum verdict v)
{
	static const char *const names[VERDICT_COUNT] = {
	    "pass", "fail", "inconclusive", "skipped"};

	return v < VERDICT_COUNT ? names[v] : "?";
}

static int
check_add(struct judge *j, const struct check_ops *ops)
{
	struct check *c = &j->checks[j->nchecks];
	const enum message_type *t;

	if (j->nchecks == CHECKS_MAX)
		return -E2BIG;
	c->ops = ops;
	c->config = &j->config;
	c->ledger = &j->ledger;
	c->contents = &j->contents;
	c->lives = &j->lives;
	c->faults = &j->faults;
	c->leaders = &j->leaders;
	c->judge = j;
	c->state = calloc(1, ops->state_size ? ops->state_size : 1);
	if (c->state == NULL)
		return -ENOMEM;
	j->nchecks++;
	for (t = ops->types; *t != 0; t++)
		j->wants[*t][j->nwants[*t]++] = (uint8_t)(j->nchecks - 1);
	for (t = ops->judges; t != NULL && *t != 0; t++)
		j->judges[*t] |= UINT64_C(1) << (j->nchecks - 1);
	return ops->init != NULL ? ops->init(c) : 0;
}

struct judge *
judge_create(judge_notice *notice, void *arg)
{
	struct judge *j = calloc(1, sizeof(*j));
	size_t i;

	if (j == NULL)
		return NULL;
	config_init(&j->config);
	ledger_init(&j->ledger);
	contents_init(&j->contents);
	lives_init(&j->lives);
	faults_init(&j->faults);
	leaders_init(&j->leaders);
	power_init(&j->power);
	lates_init(&j->lates);
	proofs_init(&j->proofs);
	j->notice = notice;
	j->notice_arg = arg;
	for (i = 0; check_table[i] != NULL; i++)
		if (check_add(j, check_table[i]) < 0) {
			judge_destroy(j);
			errno = ENOMEM;
			return NULL;
		}
	return j;
}

void
judge_destroy(struct judge *j)
{
	size_t i;

	if (j == NULL)
		return;
	for (i = 0; i < j->nchecks; i++) {
		if (j->checks[i].ops->fini != NULL)
			j->checks[i].ops->fini(&j->checks[i]);
		free(j->checks[i].state);
	}
	seqmap_fini(&j->facts.begun);
	seqmap_fini(&j->facts.complete);
	seqmap_fini(&j->facts.stated);
	seqmap_fini(&j->facts.copied);
	ledger_fini(&j->ledger);
	contents_fini(&j->contents);
	lives_fini(&j->lives);
	leaders_fini(&j->leaders);
	power_fini(&j->power);
	lates_fini(&j->lates);
	proofs_fini(&j->proofs);
	for (i = 0; i < j->nkept; i++)
		free(j->kept[i].says);
	free(j->kept);
	free(j);
}

/*
 * Keep the first of each kind and class: they carry the evidence. So do the
 * first that stand for many.
 */
static bool
is_kept(const struct judge *j, const struct anomaly *a)
{
	const struct anomaly *k;
	unsigned same = 0;
	uint32_t i;

	if (a->more == 0)
		return j->counts[a->kind][a->class] <= JUDGE_KEEP;
	for (i = 0; i < j->nkept; i++) {
		k = &j->kept[i];
		same +=
		    k->more > 0 && k->kind == a->kind && k->class == a->class;
	}
	return same < JUDGE_KEEP;
}

static void
judge_keep(struct judge *j, const struct anomaly *a)
{
	char *says;
	int err;

	if (!is_kept(j, a))
		return;
	err = array_reserve(
	    &j->kept, &j->kept_room, j->nkept + 1, sizeof(*j->kept), KEPT_MAX);
	says = strdup(a->says);
	if (err < 0 || says == NULL) {
		free(says);
		j->facts.lost_memory = true;
		return;
	}
	j->kept[j->nkept] = *a;
	j->kept[j->nkept++].says = says;
}

static bool
is_external(const struct run_config *config)
{
	return strcmp(config->cluster, "external") == 0;
}

/*
 * Of what the end of a server excuses. Whether somebody else ended theirs is
 * seen only where monitoring tells which processes they are.
 */
static enum anomaly_class
ended_class(const struct check *c, uint64_t since_ns)
{
	uint64_t end_ns;

	if (faults_ended_since(c->faults, since_ns, &end_ns))
		return CLASS_DOCUMENTED;
	return is_external(c->config) &&
		       faults_servers_seen(c->faults, false) == 0
		   ? CLASS_WARNING
		   : CLASS_VIOLATION;
}

/* Of the one replica of somebody else: its server has to be the same since. */
static enum steadiness
lone_steady(const struct check *c, uint64_t to_ns)
{
	if (!is_external(c->config) ||
	    faults_servers_seen(c->faults, true) > to_ns)
		return STEADY_YES;
	return faults_servers_seen(c->faults, false) == 0 ? STEADY_NO
							  : STEADY_SO_FAR;
}

/*
 * Memory storage may lose what it holds when servers restart (guarantees 1),
 * and a stream that lost its end numbers anew: then nothing that follows
 * convicts the server.
 */
static enum anomaly_class
memory_class(const struct check *c, uint32_t stream)
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);
	const char *storage = s != NULL && s->storage[0] != '\0'
				  ? s->storage
				  : c->config->storage;

	return strcmp(storage, "memory") == 0 ? ended_class(c, 0)
					      : CLASS_VIOLATION;
}

/*
 * What was not synced is lost with the power (guarantees 1). Where sequences
 * tell it, only what may be gone is excused (power.h).
 */
static bool
is_lost_with_power(const struct check *c, const struct anomaly *a)
{
	const struct power *p = &c->judge->power;
	const struct ledger_stream *s = ledger_stream(c->ledger, a->stream);
	uint64_t seq = a->lowest != 0 ? a->lowest : a->seqs[0];

	if (!power_was_cut(p))
		return false;
	/* Of keys, and of what streams count, no sequences are known. */
	if (s != NULL && s->acked.count > 0 &&
	    (a->kind == ANOMALY_LOST || a->kind == ANOMALY_EXPIRED_EARLY ||
		a->kind == ANOMALY_SEQ_REUSE))
		return power_may_lack(p, a->stream, seq);
	return a->kind != ANOMALY_OP_TIMEOUT || power_took_all(p);
}

/* What the loss of stored things explains is not a violation. */
static void
excuse(const struct check *c, struct anomaly *a, char says[SAYS_MAX])
{
	if (a->class != CLASS_VIOLATION || c->ops->is_of_servers ||
	    a->is_no_loss || a->kind == ANOMALY_CORRUPT ||
	    a->kind == ANOMALY_DIVERGENCE || a->kind == ANOMALY_NOT_RECOVERED)
		return;
	if (a->kind != ANOMALY_OP_TIMEOUT)
		a->class = memory_class(c, a->stream);
	if (a->class != CLASS_VIOLATION || !is_lost_with_power(c, a))
		return;
	a->class = CLASS_DOCUMENTED;
	text_add(says, SAYS_MAX,
	    c->judge->power.is_wiped
		? "; a server had lost all that it had stored"
		: "; a server had lost its power, and with it what it had not "
		  "synced to disk");
}

void
check_raise(struct check *c, const struct anomaly *proto, const char *fmt, ...)
{
	struct anomaly a = *proto;
	char says[SAYS_MAX];
	va_list ap;

	if (a.rule == NULL)
		a.rule = c->ops->rule;
	if (a.time_ns == 0)
		a.time_ns = c->now_ns;
	a.check = c->ops->name;
	a.raised_ns = c->now_ns;
	va_start(ap, fmt);
	(void)vsnprintf(says, sizeof(says), fmt, ap); /* cut is fine */
	va_end(ap);
	excuse(c, &a, says);
	a.says = says;
	c->judge->counts[a.kind][a.class] += 1 + a.more;
	c->judge->check_counts[c - c->judge->checks][a.class] += 1 + a.more;
	judge_keep(c->judge, &a);
	if (c->judge->notice != NULL)
		c->judge->notice(c->judge->notice_arg, &a);
}

void
check_judged(struct check *c, uint64_t n)
{
	c->judge->judged[c - c->judge->checks] += n;
}

void
check_doubt(struct check *c, const char *fmt, ...)
{
	struct facts *f = &c->judge->facts;
	va_list ap;

	if (f->doubt[0] != '\0')
		return;
	va_start(ap, fmt);
	(void)vsnprintf(f->doubt, sizeof(f->doubt), fmt, ap); /* cut is fine */
	va_end(ap);
}

bool
check_is_ours(const struct check *c, uint64_t run, unsigned intact)
{
	return intact && run == c->ledger->run;
}

/*
 * Time of the availability clock that an operation used for certain, on a host
 * that had time for it. One that is late but for that can't be judged.
 */
static uint64_t
time_used(const struct check *c, const struct check_time *t)
{
	uint64_t to_ns = c->now_ns - (t->is_over ? 0 : FAULTS_LAG_NS), used;

	/* Most have not even passed so much time, whatever stood still. */
	if (to_ns > c->now_ns || to_ns < t->start_ns ||
	    to_ns - t->start_ns <= t->limit_ns)
		return 0;
	used =
	    to_ns - t->start_ns - faults_stood(c->faults, t->start_ns, to_ns);
	if (used <= t->limit_ns || t->is_over)
		return used; /* of what is over it is known later: late.h */
	return judge_used(c, t, used, to_ns);
}

uint64_t
judge_used(const struct check *c, const struct check_time *t, uint64_t used,
    uint64_t to_ns)
{
	uint64_t busy_ns = faults_busy(c->faults, t->start_ns, to_ns);

	if (used - busy_ns <= t->limit_ns)
		c->judge->facts.was_overloaded = true;
	return used - busy_ns;
}

bool
check_is_late(const struct check *c, const struct check_time *t)
{
	return time_used(c, t) > t->limit_ns;
}

void
check_raise_late(struct check *c, const struct anomaly *proto,
    const struct check_time *t, const char *fmt, ...)
{
	char says[SAYS_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(says, sizeof(says), fmt, ap); /* cut is fine */
	va_end(ap);
	if (t->is_over)
		lates_add(&c->judge->lates, c, proto, t, says);
	else
		check_raise(c, proto,
		    "%s within %.1f s in which the cluster could serve", says,
		    (double)time_used(c, t) / 1e9);
}

void
check_raise_steady(struct check *c, const struct anomaly *proto,
    const struct check_span *span, const char *fmt, ...)
{
	char says[SAYS_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(says, sizeof(says), fmt, ap); /* cut is fine */
	va_end(ap);
	proofs_add(&c->judge->proofs, c, proto, span, says);
}

/* A stream of one replica that may have got more has leaders as others do. */
static bool
got_more(const struct check *c, const char *name, uint64_t since_ns)
{
	const struct ledger_stream *s = ledger_stream_named(c->ledger, name);

	return s != NULL && scales_most(&s->scales, 1, since_ns) > 1;
}

enum steadiness
check_steady(const struct check *c, enum leaders_group what, const char *name,
    uint32_t replicas, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t begin_ns = faults_before(from_ns), first_ns;

	if (!faults_quiet_between(c->faults, begin_ns, to_ns))
		return STEADY_NO;
	if (replicas == 1 && !got_more(c, name, from_ns))
		return lone_steady(c, to_ns);
	first_ns = leaders_first(c->leaders, what, name);
	/* Of a group that the run made then; it did not make the meta group. */
	if (what != LEADERS_META && first_ns > begin_ns &&
	    first_ns + FIRST_LEADER_NS <= from_ns)
		begin_ns = first_ns;
	return leaders_steady(c->leaders, what, name, begin_ns, to_ns);
}

void
check_consumer_name(const struct check *c, uint32_t stream, const char *name,
    char out[CHECK_CONSUMER_MAX])
{
	const struct ledger_stream *s = ledger_stream(c->ledger, stream);

	text_format(
	    out, CHECK_CONSUMER_MAX, "%s/%s", s != NULL ? s->name : "?", name);
}

bool
check_drops_none(
    const struct check *c, const struct ledger_consumer *k, uint64_t since_ns)
{
	char name[CHECK_CONSUMER_MAX];
	uint64_t to_ns = c->now_ns > SETTLED_NS ? c->now_ns - SETTLED_NS : 0;

	check_consumer_name(c, k->stream, k->name, name);
	return to_ns > since_ns && check_steady(c, LEADERS_CONSUMER, name,
				       ledger_replicas(c->ledger, k->stream),
				       since_ns, to_ns) == STEADY_YES;
}

enum anomaly_class
check_lone_class(
    const struct check *c, uint32_t stream, bool was_alone, uint64_t since_ns)
{
	return was_alone || ledger_fewest(c->ledger, stream, since_ns) == 1
		   ? ended_class(c, since_ns)
		   : CLASS_VIOLATION;
}

struct check_span
check_life_span(const struct check *c, const struct life *f, uint64_t from_ns,
    char name[CHECK_CONSUMER_MAX])
{
	check_consumer_name(c, f->stream, f->name, name);
	return (struct check_span){.what = LEADERS_CONSUMER,
	    .name = name,
	    .replicas = life_replicas(f, c->ledger),
	    .from_ns = from_ns,
	    .to_ns = c->now_ns};
}

struct check_span
check_meta_span(const struct check *c, uint64_t from_ns)
{
	return (struct check_span){.what = LEADERS_META,
	    .name = "",
	    .replicas = c->config->servers == 1 ? 1 : UINT32_MAX,
	    .from_ns = from_ns,
	    .to_ns = c->now_ns};
}

enum anomaly_class
check_life_class(const struct check *c, const struct life *f)
{
	return check_lone_class(
	    c, f->stream, life_was_alone(f, c->ledger), f->asked_ns);
}

static void
note_ok(struct judge *j, uint64_t now_ns)
{
	if (j->facts.ok_ops++ == 0)
		j->facts.first_ok_ns = now_ns;
	j->facts.last_ok_ns = now_ns;
	if (faults_in_effect(&j->faults))
		j->facts.ok_under_fault++;
}

/* The first reason of its kind is the one that explains. */
static void
note_text(char *out, size_t size, const char *prefix, const char *text)
{
	if (out[0] == '\0')
		text_add(out, size, "%s%s", prefix, text);
}

bool
check_is_made_later(const struct check *c, uint64_t made, uint64_t other)
{
	return made > other &&
	       made - other > MADE_NS + contents_apart_ns(c->contents);
}

/* Servers of these clusters run on one host, and go by its clock. */
static bool
has_one_clock(const struct run_config *config)
{
	return strcmp(config->cluster, "local") == 0 ||
	       strcmp(config->cluster, "null") == 0;
}

static void
note_option(struct judge *j, const struct msg_option *m)
{
	char why[OPTION_WHY_MAX];

	/* An option that this version doesn't know changes no verdict. */
	(void)config_set(&j->config, m->name, m->value, why);
	j->faults.strict = j->config.strict_availability;
	j->contents.skew_ns = has_one_clock(&j->config) ? 0 : STOCK_SKEW_NS;
}

static void
note_stream(struct facts *f, struct seqmap *m, uint32_t stream)
{
	/* Keys begin at 1: the map's searches start there. */
	if (seqmap_add(m, stream + UINT64_C(1), stream) == -ENOMEM)
		f->lost_memory = true;
}

static void
note_phase(struct facts *f, const struct faults *faults, const struct event *ev)
{
	f->saw_end |= strcmp(ev->u.phase.name, "end") == 0;
	if (strcmp(ev->u.phase.name, "quiet") == 0) {
		f->load_ns = f->clock_ns = ev->time_ns;
		f->silent_ns[0] = faults->silences.total_ns;
	} else if (strcmp(ev->u.phase.name, "drain") == 0) {
		f->load_end_ns = ev->time_ns;
		f->silent_ns[1] = faults->silences.total_ns;
	}
}

/* For how much of the load the clock stood, as far as that is known. */
static void
note_clock(struct judge *j, uint64_t now_ns)
{
	struct facts *f = &j->facts;
	uint64_t to = now_ns - FAULTS_LAG_NS;

	if (f->load_end_ns != 0 && to > f->load_end_ns)
		to = f->load_end_ns;
	if (f->load_ns == 0 || to <= f->clock_ns || now_ns < FAULTS_LAG_NS)
		return;
	f->stood_ns += faults_stood(&j->faults, f->clock_ns, to);
	f->clock_ns = to;
}

/* What follows is judged only by checks that need nothing before it. */
static void
note_hole(struct judge *j)
{
	size_t i;

	for (i = 0; i < j->nchecks; i++)
		j->checks[i].has_hole = true;
}

static void
note_dropped(struct judge *j, const struct msg_dropped *m)
{
	struct facts *f = &j->facts;

	if (f->holes++ == 0)
		f->dropped_first_ns = m->first_ns;
	f->dropped += m->events;
	f->dropped_last_ns = m->last_ns;
	proofs_finish(&j->proofs); /* what leaders did meanwhile is unknown */
	note_hole(j);
}

static void
note_child_exit(struct facts *f, const struct msg_child_exit *m)
{
	char text[96] = "";

	if (m->expected || m->child != 1)
		return;
	text_add(
	    text, sizeof(text), "exit code %u, signal %u", m->code, m->signal);
	note_text(
	    f->harness, sizeof(f->harness), "the chaos process died: ", text);
}

/* Facts that decide between pass and inconclusive, harness or skipped. */
static void
note_facts(struct judge *j, const struct event *ev)
{
	struct facts *f = &j->facts;
	unsigned class = message_class(ev->type);

	if (class & IS_OK)
		note_ok(j, ev->time_ns);
	f->updates += ev->type == MESSAGE_KV_UPDATE_OK;
	f->contended += ev->type == MESSAGE_KV_UPDATE_REJECTED &&
			refusal_is_wrong_last(ev->u.kv_update_rejected.code);
	if (class & IS_OPERATION)
		return;
	switch ((unsigned)ev->type) {
	case MESSAGE_OPTION:
		note_option(j, &ev->u.option);
		break;
	case MESSAGE_RUN:
		f->saw_run = true;
		break;
	case MESSAGE_PHASE:
		note_phase(f, &j->faults, ev);
		break;
	case MESSAGE_TICK:
		note_clock(j, ev->time_ns);
		break;
	case MESSAGE_DROPPED:
		note_dropped(j, &ev->u.dropped);
		break;
	case MESSAGE_AUDIT_READING:
		f->reading = ev->u.audit_reading;
		break;
	case MESSAGE_SCAN_BEGIN:
		note_stream(f, &f->begun, ev->u.scan_begin.stream);
		break;
	case MESSAGE_SCAN_STATE:
		note_stream(f, &f->stated, ev->u.scan_state.stream);
		break;
	case MESSAGE_COPIES_END:
		note_stream(f, &f->copied, ev->u.copies_end.stream);
		break;
	case MESSAGE_SCAN_END:
		if (ev->u.scan_end.complete)
			note_stream(f, &f->complete, ev->u.scan_end.stream);
		else
			note_text(f->scan_why, sizeof(f->scan_why), "",
			    ev->u.scan_end.why);
		break;
	case MESSAGE_SETTLED:
		if (!ev->u.settled.ok)
			note_text(f->settle_why, sizeof(f->settle_why), "",
			    ev->u.settled.why[0] != '\0' ? ev->u.settled.why
							 : "no reason given");
		break;
	case MESSAGE_CHILD_GAP:
		f->gaps++;
		f->is_broken = true;
		break;
	case MESSAGE_DIAG:
		note_text(f->harness, sizeof(f->harness), "", ev->u.diag.text);
		break;
	case MESSAGE_HARNESS:
		note_text(
		    f->harness, sizeof(f->harness), "", ev->u.harness.why);
		break;
	case MESSAGE_LINKS:
		if (ev->u.links.bypassing > 0)
			note_text(f->harness, sizeof(f->harness), "",
			    "a link between servers bypasses its proxy");
		break;
	case MESSAGE_CHILD_EXIT:
		note_child_exit(f, &ev->u.child_exit);
		break;
	case MESSAGE_CLUSTER_FAILED:
		note_text(f->cluster, sizeof(f->cluster), "",
		    ev->u.cluster_failed.why);
		break;
	case MESSAGE_SKIPPED:
		note_text(
		    f->skipped, sizeof(f->skipped), "", ev->u.skipped.why);
		break;
	default:
		break;
	}
}

/*
 * A check that does not know everything would convict for what it did not
 * see: after a hole only those go on that need nothing before it, and when
 * memory ran out, none.
 */
static bool
is_off(const struct check *c)
{
	return c->judge->facts.is_broken || c->judge->facts.lost_memory ||
	       (c->has_hole && !c->ops->stands_alone);
}

/* So many violations of a kind that this check raised are warnings now. */
static void
demote(struct judge *j, const struct anomaly *a, uint64_t n)
{
	uint64_t *counts;
	size_t i;

	j->counts[a->kind][CLASS_VIOLATION] -= n;
	j->counts[a->kind][CLASS_WARNING] += n;
	for (i = 0; i < j->nchecks; i++) {
		counts = j->check_counts[i];
		if (strcmp(j->checks[i].ops->name, a->check) != 0)
			continue;
		counts[CLASS_VIOLATION] -= n;
		counts[CLASS_WARNING] += n;
	}
}

/*
 * The first of each kind are kept, so when one of them was raised too late
 * all that are not kept were, too.
 */
static void
judge_revoke(struct judge *j, uint64_t since_ns)
{
	uint64_t stand[ANOMALY_COUNT] = {0};
	struct anomaly *a;
	size_t i;

	for (i = 0; i < j->nkept; i++) {
		a = &j->kept[i];
		if (a->class == CLASS_VIOLATION && a->raised_ns <= since_ns)
			stand[a->kind] += 1 + a->more;
	}
	for (i = 0; i < j->nkept; i++) {
		a = &j->kept[i];
		if (a->class != CLASS_VIOLATION || a->raised_ns <= since_ns)
			continue;
		a->class = CLASS_WARNING;
		demote(
		    j, a, j->counts[a->kind][CLASS_VIOLATION] - stand[a->kind]);
	}
}

void
judge_distrust(struct judge *j, uint64_t since_ns, const char *why)
{
	j->facts.is_broken = true;
	note_text(j->facts.broken, sizeof(j->facts.broken), "", why);
	judge_revoke(j, since_ns);
}

/*
 * Of streams that a restart may empty, or make a little older, a violation
 * stands when their servers have been seen to be the same since. Those of
 * somebody else may have been restarted shortly before it.
 */
static void
judge_seen(struct judge *j, uint64_t seen_ns)
{
	bool is_lone =
	    j->config.replicas == 1 || strcmp(j->config.storage, "memory") == 0;

	if (is_lone && is_external(&j->config))
		judge_revoke(j, seen_ns);
}

void
judge_cut(struct judge *j)
{
	j->facts.saw_end = false;
}

void
judge_forget(struct judge *j)
{
	j->facts.lost_memory = true;
}

/* What waited for what is known of leaders. */
static void
judge_prove(struct judge *j, const struct event *ev)
{
	size_t i;

	if (ev->type != MESSAGE_TICK && ev->type != MESSAGE_LEADER)
		return;
	for (i = 0; i < j->nchecks; i++)
		j->checks[i].now_ns = ev->time_ns;
	proofs_pass(&j->proofs);
}

/* What the checks that go on say of themselves they judge. */
static void
judge_tally(struct judge *j, enum message_type type)
{
	uint64_t left;
	unsigned i;

	for (left = j->judges[type]; left != 0; left &= left - 1) {
		i = (unsigned)__builtin_ctzll(left);
		if (!is_off(&j->checks[i]))
			j->judged[i]++;
	}
}

/*
 * Whether an attempt that was refused for what it expects may be stored all the
 * same, for whoever refused it may have been deposed (guarantees 0).
 */
static bool
is_doubted(const struct judge *j, const struct event *ev)
{
	const struct msg_publish_fail *m = &ev->u.publish_fail;
	const struct publishing *p;
	const struct ledger_stream *s;

	if (ev->type != MESSAGE_PUBLISH_FAIL)
		return false;
	p = contents_publishing(&j->contents, m->id);
	s = ledger_stream(&j->ledger, m->stream);
	return p != NULL && s != NULL && publishing_is_refused(p, m->code) &&
	       check_steady(&j->checks[0], LEADERS_STREAM, s->name, s->replicas,
		   p->sent_ns, ev->time_ns) == STEADY_NO;
}

int
judge_event(struct judge *j, const struct event *ev)
{
	struct check *c;
	unsigned i;

	ensure(!j->is_over);
	faults_pass(&j->faults, ev);
	if (!j->facts.is_broken && !j->facts.lost_memory)
		lates_pass(&j->lates, ev->time_ns);
	judge_tally(j, ev->type);
	for (i = 0; i < j->nwants[ev->type]; i++) {
		c = &j->checks[j->wants[ev->type][i]];
		c->now_ns = ev->time_ns;
		if (!is_off(c) && c->ops->event(c, ev) < 0)
			j->facts.lost_memory = true;
	}
	if (ev->type == MESSAGE_SERVER_SEEN &&
	    faults_is_restart(&j->faults, &ev->u.server_seen))
		judge_seen(j, faults_servers_seen(&j->faults, false));
	faults_event(&j->faults, ev);
	j->last_ns = ev->time_ns;
	leaders_event(&j->leaders, ev);
	j->contents.is_doubted = is_doubted(j, ev);
	contents_event(&j->contents, ev, &j->ledger, &j->faults);
	lives_event(&j->lives, ev, &j->contents);
	ledger_event(&j->ledger, ev);
	power_event(&j->power, ev, &j->ledger, &j->config);
	note_facts(j, ev);
	if (!j->facts.is_broken && !j->facts.lost_memory)
		judge_prove(j, ev);
	j->facts.lost_memory |= j->ledger.no_memory || j->contents.no_memory ||
				j->lives.no_memory || j->leaders.no_memory ||
				j->power.no_memory || j->lates.no_memory ||
				j->proofs.no_memory;
	return j->facts.lost_memory ? -ENOMEM : 0;
}

static void reason(struct judge_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
reason(struct judge_result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->nreasons == JUDGE_REASONS)
		return;
	va_start(ap, fmt);
	/* Cut is fine. */
	(void)vsnprintf(
	    r->reasons[r->nreasons++], sizeof(r->reasons[0]), fmt, ap);
	va_end(ap);
}

static void
reasons_violation(const struct judge *j, struct judge_result *r)
{
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		if (j->counts[k][CLASS_VIOLATION] > 0)
			reason(r, "%s: %llu", kind_names[k],
			    (unsigned long long)j->counts[k][CLASS_VIOLATION]);
}

static void
reasons_harness(const struct judge *j, struct judge_result *r)
{
	const struct facts *f = &j->facts;

	if (f->harness[0] != '\0')
		reason(r, "harness: %.230s", f->harness);
	if (f->broken[0] != '\0')
		reason(r, "harness: %.240s", f->broken);
	if (f->gaps > 0)
		reason(r, "harness: %llu gaps in the history",
		    (unsigned long long)f->gaps);
	if (f->lost_memory)
		reason(r, "harness: out of memory while judging");
	if (!f->saw_run)
		reason(r, "harness: the history has no head");
}

/* A stream that exists, or whose scan began, without a complete scan. */
static bool
unaudited_stream(const struct judge *j, uint64_t *stream)
{
	uint64_t id;
	uint32_t i;

	for (i = 0; i < j->ledger.nstreams; i++) {
		*stream = i;
		if (ledger_stream(&j->ledger, i) != NULL &&
		    !seqmap_find(&j->facts.complete, i + UINT64_C(1), &id))
			return true;
	}
	return seqmap_first_missing(
	    &j->facts.begun, &j->facts.complete, 1, stream);
}

/*
 * A stream of several copies that nobody compared. Histories without
 * SCAN_STATE are older than this rule.
 */
static const struct ledger_stream *
uncompared_stream(const struct judge *j)
{
	const struct ledger_stream *s;
	uint64_t id;
	uint32_t i;

	for (i = 0; i < j->ledger.nstreams; i++) {
		s = ledger_stream(&j->ledger, i);
		if (s != NULL && s->replicas > 1 &&
		    s->retention == RETENTION_LIMITS &&
		    seqmap_find(&j->facts.stated, i + UINT64_C(1), &id) &&
		    !seqmap_find(&j->facts.copied, i + UINT64_C(1), &id))
			return s;
	}
	return NULL;
}

/* Seconds since the load began; negative before it. */
static double
since_load(const struct facts *f, uint64_t ns)
{
	return ((double)ns - (double)f->load_ns) / 1e9;
}

static void
reason_dropped(const struct facts *f, struct judge_result *r)
{
	reason(r,
	    "the journal is not whole: --journal-keep dropped %llu events "
	    "between %.1f s and %.1f s of the load; only what stands without "
	    "them was judged again",
	    (unsigned long long)f->dropped, since_load(f, f->dropped_first_ns),
	    since_load(f, f->dropped_last_ns));
}

bool
judge_worked_since_idle(const struct judge *j)
{
	return j->faults.applied_idle == 0 || !config_has_load(&j->config) ||
	       j->facts.last_ok_ns > j->faults.idle_to_ns;
}

/*
 * Under some faults an operation may succeed, and has to once. When all leave
 * no service one has to before the first and another after the last of them.
 */
static void
reasons_faults(const struct judge *j, struct judge_result *r)
{
	const struct facts *f = &j->facts;

	if (j->faults.applied == 0)
		reason(r, "no fault took effect");
	else if (!config_has_load(&j->config))
		return;
	else if (j->faults.applied > j->faults.applied_idle) {
		if (f->ok_under_fault == 0)
			reason(r, "no operation succeeded while a fault was in "
				  "force");
	} else if (f->ok_ops == 0 || f->first_ok_ns >= j->faults.idle_from_ns)
		reason(r, "no operation succeeded before the first fault");
	else if (!judge_worked_since_idle(j))
		reason(r, "no operation succeeded after the last fault");
}

static uint64_t
load_lasted(const struct judge *j)
{
	const struct facts *f = &j->facts;

	return (f->load_end_ns != 0 ? f->load_end_ns : f->clock_ns) -
	       f->load_ns;
}

/* Reasons why a run shows nothing. Events that were dropped might have. */
static void
reasons_idle(const struct judge *j, struct judge_result *r)
{
	uint64_t silent_ns = j->facts.silent_ns[1] - j->facts.silent_ns[0];

	if (config_has_load(&j->config) && j->facts.ok_ops == 0)
		reason(r, "no operation succeeded");
	if (strcmp(j->config.mayhem, "none") != 0)
		reasons_faults(j, r);
	if (j->facts.load_end_ns != 0 && silent_ns > load_lasted(j) / 2)
		reason(r,
		    "processes of natsburn stood still for %.0f of the %.0f s "
		    "of the load",
		    (double)silent_ns / 1e9, (double)load_lasted(j) / 1e9);
}

static void
reasons_inconclusive(
    const struct judge *j, struct judge_result *r, bool is_over)
{
	const struct facts *f = &j->facts;
	bool has_load = config_has_load(&j->config);
	const struct ledger_stream *s = uncompared_stream(j);
	uint64_t stream;

	if (f->dropped > 0)
		reason_dropped(f, r);
	if (!f->saw_end && is_over)
		reason(r, "the history ends before the run did");
	if (!f->saw_end && !is_over) {
		reason(r, "the run is not over");
		return; /* the rest may still come */
	}
	if (f->dropped == 0)
		reasons_idle(j, r);
	if (f->settle_why[0] != '\0')
		reason(r, "the cluster did not settle: %.190s", f->settle_why);
	if (f->doubt[0] != '\0')
		reason(r, "%.250s", f->doubt);
	if (f->was_overloaded)
		reason(r,
		    "the host was overloaded for %.0f s, and an operation took "
		    "longer than its limit",
		    (double)j->faults.busy_ns / 1e9);
	if (!has_load) {
		if (j->faults.unhealed > 0)
			reason(r, "faults that could not be undone: %llu",
			    (unsigned long long)j->faults.unhealed);
		return;
	}
	if (f->begun.count == 0)
		reason(r, "no stream was audited");
	else if (unaudited_stream(j, &stream))
		reason(r, "the audit is not complete: %.150s", f->scan_why);
	if (s != NULL)
		reason(r, "the copies of stream %s were not compared", s->name);
}

static void note(struct judge_result *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
note(struct judge_result *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(
	    r->notes[r->nnotes++], sizeof(r->notes[0]), fmt, ap); /* fits */
	va_end(ap);
}

/* The end of the run was longer than --settle-timeout, if it had to be. */
static void
note_reading(const struct facts *f, struct judge_result *r)
{
	const struct msg_audit_reading *m = &f->reading;

	if (m->limit_ns >= JUDGE_READING_NS)
		note(r,
		    "the audit had %llu messages, of %.1f MiB, to read %u "
		    "times, and up to %.0f s beside --settle-timeout for that",
		    (unsigned long long)m->messages, (double)m->bytes / 1048576,
		    m->times, (double)m->limit_ns / 1e9);
}

/* At most JUDGE_NOTES of them. */
static void
judge_annotate(const struct judge *j, struct judge_result *r)
{
	const struct fault_silences *s = &j->faults.silences;
	const struct faults *f = &j->faults;
	double load = (double)load_lasted(j) / 1e9;
	uint64_t held_ns = f->held_ns, stood_ns = j->facts.stood_ns;

	if (j->facts.load_end_ns != 0)
		stood_ns +=
		    faults_stood(f, j->facts.clock_ns, j->facts.load_end_ns);
	if (f->held_since_ns != 0 && j->facts.clock_ns > f->held_since_ns)
		held_ns += j->facts.clock_ns - f->held_since_ns;
	if (stood_ns > load_lasted(j) / 2)
		note(r,
		    "the availability clock stood for %.0f of the %.0f s of "
		    "the load: stuck and op_timeout judged the rest",
		    (double)stood_ns / 1e9, load);
	if (f->busy_ns > 0)
		note(r,
		    "the host was overloaded for %.0f s: up to %.1f tasks "
		    "shared a processor; that time does not count for stuck "
		    "and op_timeout",
		    (double)f->busy_ns / 1e9, (double)f->busy_tasks / 100);
	if (held_ns > load_lasted(j) / 2)
		note(r,
		    "for %.0f of the %.0f s of the load no server was taken "
		    "down, since a fault had not been seen healed",
		    (double)held_ns / 1e9, load);
	if (f->failed > f->applied)
		note(r, "only %llu of %llu faults were seen to take effect",
		    (unsigned long long)f->applied,
		    (unsigned long long)(f->applied + f->failed));
	/* One client is refused, too, when it tries again what was done. */
	if (j->facts.updates > 0 &&
	    (j->config.clients == 1 || j->facts.contended == 0))
		note(r, "no update was ever contended by another client: what "
			"compare-and-set promises to several was not tried");
	if (s->n > 0)
		note(r,
		    "processes of natsburn stood still %llu time%s, for %.1f s "
		    "in all, the longest (%s) for %.1f s from %.1f s of the "
		    "load on: that time does not count",
		    (unsigned long long)s->n, s->n == 1 ? "" : "s",
		    (double)s->total_ns / 1e9, s->longest_who,
		    (double)s->longest_ns / 1e9,
		    since_load(&j->facts, s->longest_from_ns));
	note_reading(&j->facts, r);
}

static void judge_conclude(
    const struct judge *, struct judge_result *, bool is_over);

/*
 * Beside a violation the other reasons are not said, but whoever says that
 * the other checks hold has to know whether they could have seen.
 */
static bool
is_whole(const struct judge *j)
{
	struct judge_result rest = {0};

	reasons_harness(j, &rest);
	reasons_inconclusive(j, &rest, true);
	return rest.nreasons == 0 && j->facts.cluster[0] == '\0' &&
	       j->facts.skipped[0] == '\0';
}

void
judge_finish(struct judge *j, struct judge_result *r)
{
	uint64_t seen_ns;
	size_t i;

	ensure(!j->is_over);
	j->is_over = true;
	memset(r, 0, sizeof(*r));
	for (i = 0; i < j->nchecks; i++)
		if (j->checks[i].ops->finish != NULL && !is_off(&j->checks[i]))
			j->checks[i].ops->finish(&j->checks[i]);
	if (!j->facts.is_broken && !j->facts.lost_memory) {
		lates_finish(&j->lates, j->facts.saw_end);
		proofs_finish(&j->proofs);
	}
	seen_ns = faults_servers_seen(&j->faults, false);
	if (seen_ns != 0 && seen_ns + SEEN_NS < j->last_ns)
		judge_seen(j, seen_ns); /* one is seen no more */
	judge_conclude(j, r, true);
	judge_annotate(j, r);
	r->is_whole = is_whole(j);
}

void
judge_look(const struct judge *j, struct judge_result *r)
{
	memset(r, 0, sizeof(*r));
	judge_conclude(j, r, false);
	judge_annotate(j, r);
}

bool
judge_saw_end(const struct judge *j)
{
	return j->facts.saw_end;
}

bool
judge_needs(const struct judge *j, const struct event *ev)
{
	const struct message_spec *spec = message_spec(ev->type);
	const struct check *c;
	unsigned i;

	for (i = 0; i < j->nwants[ev->type]; i++) {
		c = &j->checks[j->wants[ev->type][i]];
		if (c->ops->needs != NULL && c->ops->needs(c, ev))
			return true;
	}
	for (i = 0; i < spec->nfields; i++)
		if (spec->fields[i].key == KEY_ID &&
		    ledger_find(&j->ledger,
			(uint64_t)message_get(ev, &spec->fields[i])) != NULL)
			return true;
	return false;
}

/*
 * Where several apply: violation, harness, cluster, inconclusive. A skipped
 * run did nothing, so nothing of it is inconclusive either.
 */
static void
judge_conclude(const struct judge *j, struct judge_result *r, bool is_over)
{
	r->verdict = VERDICT_FAIL;
	r->exit_code = EXIT_VIOLATION;
	reasons_violation(j, r);
	if (r->nreasons > 0)
		return;
	r->verdict = VERDICT_INCONCLUSIVE;
	r->exit_code = EXIT_HARNESS;
	reasons_harness(j, r);
	if (r->nreasons > 0)
		return;
	r->exit_code = EXIT_CLUSTER;
	if (j->facts.cluster[0] != '\0') {
		reason(r, "cluster: %.230s", j->facts.cluster);
		return;
	}
	if (j->facts.skipped[0] != '\0') {
		r->verdict = VERDICT_SKIPPED;
		r->exit_code = EXIT_SKIPPED;
		reason(r, "skipped: %.230s", j->facts.skipped);
		return;
	}
	r->exit_code = EXIT_INCONCLUSIVE;
	reasons_inconclusive(j, r, is_over);
	if (r->nreasons > 0)
		return;
	r->verdict = VERDICT_PASS;
	r->exit_code = EXIT_PASS;
}

uint64_t
judge_count(
    const struct judge *j, enum anomaly_kind kind, enum anomaly_class class)
{
	return j->counts[kind][class];
}

uint64_t
judge_check_count(const struct judge *j, const struct check_ops *ops,
    enum anomaly_class class)
{
	size_t i;

	for (i = 0; i < j->nchecks; i++)
		if (j->checks[i].ops == ops)
			return j->check_counts[i][class];
	return 0;
}

uint64_t
judge_check_judged(const struct judge *j, const struct check_ops *ops)
{
	size_t i;

	for (i = 0; i < j->nchecks; i++)
		if (j->checks[i].ops == ops)
			return j->judged[i];
	return 0;
}

const struct anomaly *
judge_anomaly(const struct judge *j, size_t i)
{
	return i < j->nkept ? &j->kept[i] : NULL;
}

const struct ledger *
judge_ledger(const struct judge *j)
{
	return &j->ledger;
}

const struct contents *
judge_contents(const struct judge *j)
{
	return &j->contents;
}

const struct faults *
judge_faults(const struct judge *j)
{
	return &j->faults;
}

const struct run_config *
judge_config(const struct judge *j)
{
	return &j->config;
}
