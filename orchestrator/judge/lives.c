/* SPDX-License-Identifier: ISC */
/* What consumers must, may and can't deliver that come and go; see lives.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/lives.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define ALL_SUBJECTS UINT64_MAX
#define TAKEN_RUNS   4096 /* then those that the stream dropped are, too */
#define CLOCKS_NS    (5 * CLOCK_S) /* wall clocks are set so much */
#define PAUSE_NS     (2 * CLOCK_S) /* it may end so much early */

void
lives_init(struct lives *l)
{
	memset(l, 0, sizeof(*l));
}

void
lives_fini(struct lives *l)
{
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		seqmap_fini(&l->at[i].taken);
		seqmap_fini(&l->at[i].again);
		seqmap_fini(&l->at[i].ended);
	}
	free(l->at);
	lives_init(l);
}

const struct life *
life_of(const struct lives *l, uint32_t consumer)
{
	return consumer < l->n && l->at[consumer].number != 0 ? &l->at[consumer]
							      : NULL;
}

bool
life_is_certain(const struct life *f)
{
	return f->made_ns != LIVES_NEVER && f->ending_ns == LIVES_NEVER &&
	       !f->is_vague && !f->is_unclear;
}

bool
life_was_there(const struct life *f)
{
	return f->open.id != 0 && f->made_ns != LIVES_NEVER &&
	       f->ending_ns >= f->open.asked_ns && !f->is_vague &&
	       !f->is_unclear;
}

bool
life_is_over(const struct life *f)
{
	return f->ended_ns != LIVES_NEVER && f->lost_makes == 0 && !f->is_vague;
}

bool
life_acks(const struct life *f, enum message_word acks)
{
	return f->range.acks == 1u << acks;
}

static uint64_t
subjects_of(const struct msg_consumer_terms *t)
{
	return t->subjects != 0 ? t->subjects : ALL_SUBJECTS;
}

static uint64_t
bit_of(uint32_t subject)
{
	return subject >= 1 && subject <= LIVES_SUBJECTS
		   ? UINT64_C(1) << (subject - 1)
		   : 0;
}

/* The higher one; 0 is none. */
static void
limit_widen(uint64_t *limit, uint64_t other)
{
	if (other == 0 || (*limit != 0 && other > *limit))
		*limit = other;
}

/* A configuration may have been in force. */
static void
range_widen(struct life_range *r, const struct msg_consumer_terms *t)
{
	if (!r->is_any)
		*r = (struct life_range){.always = ALL_SUBJECTS,
		    .start_low = UINT64_MAX,
		    .start_ns_low = INT64_MAX,
		    .start_ns_high = INT64_MIN,
		    .idle_low = UINT64_MAX,
		    .max_deliver = t->max_deliver,
		    .max_ack_pending = t->max_ack_pending,
		    .rate = t->rate,
		    .is_any = true};
	r->always &= subjects_of(t);
	r->ever |= subjects_of(t);
	if (t->start_seq < r->start_low)
		r->start_low = t->start_seq;
	if (t->start_seq > r->start_high)
		r->start_high = t->start_seq;
	if (t->start_ns < r->start_ns_low)
		r->start_ns_low = t->start_ns;
	if (t->start_ns > r->start_ns_high)
		r->start_ns_high = t->start_ns;
	limit_widen(&r->max_deliver, t->max_deliver);
	limit_widen(&r->max_ack_pending, t->max_ack_pending);
	limit_widen(&r->rate, t->rate);
	if (t->ack_wait_ns > r->ack_wait_ns)
		r->ack_wait_ns = t->ack_wait_ns;
	if (t->inactive_ns < r->idle_low)
		r->idle_low = t->inactive_ns;
	if (t->inactive_ns > r->idle_high)
		r->idle_high = t->inactive_ns;
	if (t->replicas > r->most)
		r->most = t->replicas;
	r->was_single |= t->replicas == 1;
	r->is_as_stream |= t->replicas == 0;
	r->policies |= 1u << t->policy;
	r->acks |= 1u << t->acks;
	r->kinds |= 1u << t->kind;
	r->is_bounded |= t->max_deliver != 0;
	r->may_go |= !t->is_durable || t->inactive_ns != 0;
	r->is_memory |= t->is_memory;
	r->is_bare |= t->headers_only;
	r->is_full |= !t->headers_only;
}

/* With what is asked for, and may be in force already. */
static struct life_range
range_now(const struct life *f)
{
	struct life_range r = f->range;

	if (f->open.id != 0 &&
	    (f->open.what == EDIT_CREATE || f->open.what == EDIT_UPDATE))
		range_widen(&r, &f->open.terms);
	return r;
}

bool
life_is_bare(const struct lives *l, uint32_t consumer)
{
	const struct life *f = life_of(l, consumer);

	return f != NULL && range_now(f).is_bare;
}

bool
life_is_always_bare(const struct life *f)
{
	return !f->is_vague && !f->is_unclear && !range_now(f).is_full;
}

bool
life_is_of(const struct life *f, enum message_word kind)
{
	return (range_now(f).kinds & 1u << kind) != 0;
}

uint32_t
life_replicas(const struct life *f, const struct ledger *ledger)
{
	const struct life_range r = range_now(f);
	uint32_t as_stream =
	    r.is_as_stream ? ledger_replicas(ledger, f->stream) : 0;

	return r.most > as_stream ? r.most : as_stream;
}

bool
life_was_alone(const struct life *f, const struct ledger *ledger)
{
	const struct life_range r = range_now(f);

	return r.is_memory || r.was_single ||
	       ledger_fewest(ledger, f->stream,
		   r.is_as_stream ? UINT64_MAX : f->asked_ns) == 1;
}

static struct life *
life_at(struct lives *l, uint32_t consumer)
{
	struct life *f =
	    array_at(&l->at, &l->n, consumer, sizeof(*f), LIVES_MAX);

	l->no_memory |= f == NULL && consumer < LIVES_MAX;
	return f;
}

/* The life at a place, to be changed, or NULL. */
static struct life *
life_find(struct lives *l, uint32_t consumer)
{
	return consumer < l->n && l->at[consumer].number != 0 ? &l->at[consumer]
							      : NULL;
}

/* What comes next at this place is of another life. */
static void
life_clear(struct life *f)
{
	struct life_former former = {0, 0};
	char name[sizeof(f->name)];

	/* It tells the next one of its name that it is gone, or whether. */
	if (life_is_over(f))
		former = (struct life_former){f->created, f->ended_ns};
	else if (f->asked_ns != LIVES_NEVER && f->number != 0)
		former.ended_ns = LIVES_NEVER;
	text_set(name, sizeof(name), f->name);
	seqmap_fini(&f->taken);
	seqmap_fini(&f->again);
	seqmap_fini(&f->ended);
	memset(f, 0, sizeof(*f));
	text_set(f->name, sizeof(f->name), name);
	f->former = former;
}

static void
life_begin(struct lives *l, struct life *f, const struct event *ev)
{
	f->number = ++l->born;
	f->owner = ev->source;
	f->stream = ev->u.consumer_terms.stream;
	f->asked_ns = f->made_ns = f->ending_ns = LIVES_NEVER;
	f->ended_ns = f->changed_ns = f->paused_ns = LIVES_NEVER;
	f->held_ns = LIVES_NEVER;
}

static void
enter_terms(struct lives *l, const struct event *ev, struct contents *ct)
{
	struct life *f = life_at(l, ev->u.consumer_terms.consumer);

	if (f == NULL)
		return;
	if (f->number == 0)
		life_begin(l, f, ev);
	f->told = ev->u.consumer_terms;
	contents_wanted(ct, f->stream, subjects_of(&f->told));
}

/*
 * The newest message of a subject (0: of all) that every server has when a
 * consumer is asked for, and that nothing can have removed; 0: none.
 */
static uint64_t
newest(const struct stock *st, uint32_t subject, uint64_t now_ns)
{
	const struct lane *lane;
	const struct live *e;
	uint64_t seq;

	if (subject != 0 && subject >= st->lanes.nsubjects)
		return 0;
	lane = subject != 0 ? &st->lanes.subjects[subject] : &st->lanes.stream;
	for (seq = lane->last; seq != 0; seq = e->prev[lane->kind]) {
		e = lanes_find(&st->lanes, seq);
		if (e->acked_ns + LIVES_SPREAD_NS < now_ns && e->open == 0 &&
		    e->touched == 0)
			return seq;
	}
	return 0;
}

/*
 * What every server had when a life was asked for that does not begin with all:
 * nothing below this may come that lies before its beginning, which is at the
 * end of a replica that is behind. Of the last the newest itself may.
 */
static uint64_t
floor_of(
    const struct stock *st, const struct msg_consumer_terms *t, uint64_t now_ns)
{
	uint64_t floor = 0, seq;
	uint32_t i;

	if (st == NULL)
		return 0;
	if (t->policy != POLICY_LAST) {
		seq = newest(st, 0, now_ns);
		return seq != 0 ? seq + 1 : 0;
	}
	if (t->subjects == 0)
		return newest(st, 0, now_ns);
	for (i = 1; i <= LIVES_SUBJECTS; i++)
		if ((t->subjects & bit_of(i)) != 0) {
			seq = newest(st, i, now_ns);
			floor = seq > floor ? seq : floor;
		}
	return floor;
}

static void
begin_create(struct life *f, const struct event *ev, const struct contents *ct)
{
	const struct msg_consumer_edit *m = &ev->u.consumer_edit;
	bool is_same = strcmp(f->name, m->name) == 0;
	uint64_t floor =
	    floor_of(contents_stock(ct, f->stream), &f->told, ev->time_ns);

	if (f->asked_ns != LIVES_NEVER) {
		f->is_vague |= f->ending_ns != LIVES_NEVER;
		f->is_unclear |= f->made_ns != LIVES_NEVER && f->range.may_go;
		if (f->made_ns == LIVES_NEVER && floor < f->floor)
			f->floor = floor;
		return;
	}
	f->asked_ns = ev->time_ns;
	f->is_vague |= is_same && f->former.ended_ns == LIVES_NEVER;
	if (!is_same)
		f->former = (struct life_former){0, 0};
	text_set(f->name, sizeof(f->name), m->name);
	f->floor = floor;
}

/* It was never answered: it may come into force at any time. */
static void
change_lost(struct life *f)
{
	const struct life_change *c = &f->open;
	uint32_t i;

	if (c->what == EDIT_CREATE || c->what == EDIT_UPDATE) {
		range_widen(&f->range, &c->terms);
		f->stray |= subjects_of(&c->terms);
		f->lost_changes++;
	}
	for (i = 0; i < LIVES_SUBJECTS; i++)
		if ((f->stray >> i & 1) != 0)
			f->left_ns[i] = 0;
	f->lost_makes += c->what == EDIT_CREATE;
	f->lost_pauses += c->what == EDIT_PAUSE;
	f->open.id = 0;
}

static void
enter_edit(struct lives *l, const struct event *ev, struct contents *ct)
{
	const struct msg_consumer_edit *m = &ev->u.consumer_edit;
	struct life *f = life_find(l, m->consumer);

	if (f == NULL)
		return;
	if (f->open.id != 0)
		change_lost(f);
	f->open = (struct life_change){.id = m->id,
	    .asked_ns = ev->time_ns,
	    .what = m->what,
	    .until_ns = m->until_ns,
	    .terms = f->told};
	if (m->what == EDIT_UPDATE)
		f->open.regained = subjects_of(&f->told) & ~f->range.always;
	contents_regained(ct, f->stream, f->open.regained, UINT64_MAX);
	if (m->what == EDIT_CREATE)
		begin_create(f, ev, ct);
	else if (m->what == EDIT_DELETE && f->ending_ns == LIVES_NEVER)
		f->ending_ns = ev->time_ns;
	/* Each of them may end a pause. */
	f->paused_ns = LIVES_NEVER;
}

/* From now on this is in force, and what was asked for without an answer. */
static void
terms_ok(struct life *f, const struct msg_consumer_terms *t, uint64_t now_ns)
{
	uint64_t loose = subjects_of(t) | f->stray;
	uint32_t i;

	range_widen(&f->range, t);
	f->changed_ns = now_ns;
	for (i = 0; i < LIVES_SUBJECTS; i++)
		if ((loose >> i & 1) != 0)
			f->left_ns[i] = 0;
		else if (f->left_ns[i] == 0)
			f->left_ns[i] = now_ns;
}

/* It was made meanwhile: is what was the last then still there? */
static void
confirm_floor(struct life *f, const struct stock *st)
{
	const struct live *e =
	    st != NULL ? lanes_find(&st->lanes, f->floor) : NULL;

	if (f->open.terms.policy == POLICY_LAST &&
	    (e == NULL || e->open != 0 || e->touched != 0))
		f->floor = 0;
}

static void
change_ok(const struct lives *l, struct life *f, const struct contents *ct,
    uint64_t now_ns)
{
	const struct life_change *c = &f->open;
	int64_t until_ns = c->until_ns - l->wall_ns;

	if (c->what == EDIT_CREATE || c->what == EDIT_UPDATE)
		terms_ok(f, &c->terms, now_ns);
	if (c->what == EDIT_CREATE && f->made_ns == LIVES_NEVER) {
		f->made_ns = now_ns;
		confirm_floor(f, contents_stock(ct, f->stream));
	}
	if (c->what == EDIT_DELETE)
		f->ended_ns = now_ns;
	if (c->what == EDIT_PAUSE)
		f->until_ns = until_ns > 0 ? (uint64_t)until_ns : 0;
	f->open.id = 0;
}

/* Where a change is open; l->n: nowhere. */
static uint32_t
place_of(const struct lives *l, uint64_t id)
{
	uint32_t i = 0;

	while (i < l->n && (l->at[i].number == 0 || l->at[i].open.id != id))
		i++;
	return id != 0 ? i : l->n;
}

const struct life *
life_changing(const struct lives *l, uint64_t id)
{
	return life_of(l, place_of(l, id));
}

static void
enter_change(struct lives *l, const struct event *ev, struct contents *ct)
{
	/* All of them have their id in one place. */
	uint64_t id = ev->type == MESSAGE_CHANGE_END ? ev->u.change_end.id
						     : ev->u.change_ok.id;
	uint32_t i = place_of(l, id);
	struct life *f = i < l->n ? &l->at[i] : NULL;

	if (f == NULL)
		return;
	if (ev->type == MESSAGE_CHANGE_OK || ev->type == MESSAGE_CHANGE_FAIL)
		contents_regained(ct, f->stream, f->open.regained, ev->time_ns);
	if (ev->type == MESSAGE_CHANGE_OK)
		change_ok(l, f, ct, ev->time_ns);
	else if (ev->type == MESSAGE_CHANGE_FAIL) {
		f->refused_makes += f->open.what == EDIT_CREATE;
		f->open.id = 0;
	} else
		change_lost(f);
}

static void
enter_made(struct lives *l, const struct msg_consumer_made *m)
{
	struct life *f = life_find(l, m->consumer);

	if (f == NULL)
		return;
	if (f->created == 0)
		f->created = m->created;
	if (f->created == m->created)
		f->is_unclear = false;
}

static void
enter_seen(struct lives *l, const struct event *ev)
{
	const struct msg_consumer_seen *m = &ev->u.consumer_seen;
	struct life *f = life_find(l, m->consumer);

	if (f == NULL || !m->found || m->listed)
		return;
	if (!m->paused || f->open.id != 0 || f->lost_pauses > 0)
		f->paused_ns = LIVES_NEVER;
	else if (f->paused_ns == LIVES_NEVER)
		f->paused_ns = ev->time_ns;
}

/* What its stream holds no more can't come. */
static void
taken_trim(struct life *f, const struct contents *ct)
{
	const struct stock *st = contents_stock(ct, f->stream);
	const struct seqmap_run *r;
	size_t n = 0;

	if (st == NULL || f->taken.n < TAKEN_RUNS)
		return;
	for (; n < f->taken.n; n++) {
		r = &f->taken.runs[n];
		if (r->key + r->len > st->lanes.stream.first)
			break;
	}
	seqmap_drop(&f->taken, n);
}

static void
enter_deliver(struct lives *l, const struct msg_deliver *m, struct contents *ct)
{
	struct life *f = life_find(l, m->consumer);

	if (f == NULL || !life_acks(f, ACK_POLICY_EXPLICIT))
		contents_taken(ct, m->stream, m->seq);
	if (f == NULL)
		return;
	if (seqmap_add(&f->taken, m->seq, m->seq) == -ENOMEM ||
	    (m->delivered > 1 &&
		seqmap_add(&f->again, m->seq, m->seq) == -ENOMEM))
		l->no_memory = true;
	taken_trim(f, ct);
	/* What is forgotten is not counted: nothing is judged by it. */
	(void)seqmap_trim(&f->again, TAKEN_RUNS);
}

/* Its client is about to ack or term it. */
static void
enter_ending(
    struct lives *l, uint32_t consumer, uint64_t seq, struct contents *ct)
{
	struct life *f = life_find(l, consumer);
	uint64_t low;

	if (f == NULL)
		return;
	if (seqmap_add(&f->ended, seq, seq) == -ENOMEM)
		l->no_memory = true;
	low = seqmap_trim(&f->ended, TAKEN_RUNS);
	if (low != 0)
		f->ended_low = low + 1;
	contents_ended(ct, f->stream, seq);
}

/* Its stream need not keep it any longer. */
static void
enter_settled(struct lives *l, const struct event *ev, struct contents *ct)
{
	bool is_ack = ev->type == MESSAGE_ACK_OK;
	uint64_t seq = is_ack ? ev->u.ack_ok.seq : ev->u.answer_ok.seq;
	struct life *f = life_find(
	    l, is_ack ? ev->u.ack_ok.consumer : ev->u.answer_ok.consumer);

	/* A refusal that was confirmed is in the leader's memory alone. */
	if (f == NULL || (!is_ack && ev->u.answer_ok.how != ANSWER_TERM))
		return;
	if (f->firm == 0 || seq < f->firm)
		f->firm = seq;
	contents_settled(ct, f->stream, seq, ev->time_ns);
}

/* What its process had open is unknown, and what it received it may not say. */
static void
enter_exit(struct lives *l, uint32_t source)
{
	struct life *f;
	uint32_t i;

	for (i = 0; i < l->n; i++) {
		f = &l->at[i];
		if (f->number == 0 || f->owner != source)
			continue;
		if (f->open.id != 0)
			change_lost(f);
		f->is_vague = true;
	}
}

/* True when a message lies where a life begins that takes what was there. */
static bool
is_begun_by(const struct lives *l, const struct contents *ct,
    const struct life_range *r, const struct live *e)
{
	uint64_t clocks_ns = CLOCKS_NS + ct->skew_ns;

	if (r->policies == 1u << POLICY_ALL)
		return true;
	if (r->policies == 1u << POLICY_BY_SEQ)
		return e->seq >= r->start_high;
	return r->policies == 1u << POLICY_BY_TIME &&
	       (int64_t)(e->invoked_ns - clocks_ns) + l->wall_ns >
		   r->start_ns_high;
}

bool
life_ever_takes(const struct life *f, uint32_t subject)
{
	uint64_t bit = bit_of(subject);

	return bit == 0 || (range_now(f).ever & bit) != 0;
}

bool
life_is_over_for_good(const struct life *f)
{
	return life_is_over(f) && f->refused_makes == 0;
}

uint64_t
life_max_deliver(const struct life *f)
{
	return f->is_vague || f->is_unclear ? 0 : range_now(f).max_deliver;
}

uint64_t
life_max_ack_pending(const struct life *f)
{
	return f->is_vague || f->is_unclear ? 0 : range_now(f).max_ack_pending;
}

uint64_t
life_rate(const struct life *f)
{
	return f->is_vague || f->is_unclear ? 0 : range_now(f).rate;
}

/* As life_must(), of one that may also have given it up (MaxDeliver). */
static enum life_debt
debt_of(const struct lives *l, const struct contents *ct, const struct life *f,
    const struct live *e)
{
	const struct life_range r = range_now(f);
	const unsigned begins_late = 1u << POLICY_NEW | 1u << POLICY_LAST |
				     1u << POLICY_LAST_PER_SUBJECT;

	if (l->has_hole || !life_is_certain(f) ||
	    r.acks != 1u << ACK_POLICY_EXPLICIT ||
	    (r.kinds & 1u << KIND_ORDERED) != 0 ||
	    (r.always & bit_of(e->subject)) == 0)
		return DEBT_NONE;
	if (e->invoked_ns <= f->made_ns && e->acked_ns >= f->asked_ns)
		return DEBT_NONE;
	if (is_begun_by(l, ct, &r, e))
		return DEBT_SURE;
	if ((r.policies & ~begins_late) != 0 || e->invoked_ns <= f->made_ns)
		return DEBT_NONE;
	/*
	 * Until a quorum knows where it has begun a new leader begins anew: of
	 * each subject with another message, so one does not tell of others.
	 */
	return f->firm != 0 && e->seq > f->firm &&
		       (r.policies & 1u << POLICY_LAST_PER_SUBJECT) == 0
		   ? DEBT_SURE
		   : DEBT_STEADY;
}

enum life_debt
life_must(const struct lives *l, const struct contents *ct,
    const struct life *f, const struct live *e)
{
	return range_now(f).is_bounded ? DEBT_NONE : debt_of(l, ct, f, e);
}

bool
life_has_ended(const struct life *f, uint64_t seq)
{
	uint64_t same;

	return seq < f->ended_low || seqmap_find(&f->ended, seq, &same);
}

enum life_debt
life_keeps(const struct lives *l, const struct contents *ct,
    const struct life *f, const struct live *e)
{
	const struct stock *st = contents_stock(ct, f->stream);
	const struct life_range r = range_now(f);

	if (st == NULL || st->retention != RETENTION_INTEREST || r.may_go ||
	    r.is_memory || e->invoked_ns <= f->made_ns ||
	    life_has_ended(f, e->seq))
		return DEBT_NONE;
	if (st->is_replicated &&
	    (f->held_ns == LIVES_NEVER ||
		e->invoked_ns < f->held_ns + LIVES_HELD_NS ||
		ledger_has_newcomer(
		    ct->ledger, f->stream, e->invoked_ns, e->acked_ns)))
		return DEBT_NONE;
	return debt_of(l, ct, f, e);
}

bool
life_finds(const struct lives *l, const struct contents *ct,
    const struct life *f, const struct live *e, uint64_t now_ns)
{
	if (contents_presence(ct, f->stream, e->seq, now_ns) == PRESENT)
		return true;
	return life_keeps(l, ct, f, e) != DEBT_NONE &&
	       contents_is_whole(ct, f->stream, e, now_ns);
}

struct life_owed
life_owes(const struct lives *l, const struct contents *ct,
    const struct life *f, uint64_t asked_ns, uint64_t now_ns)
{
	const struct stock *st = contents_stock(ct, f->stream);
	struct life_owed owed = {
	    .again_ns = UINT64_MAX, .since_ns = UINT64_MAX};
	const struct live *e;
	enum life_debt debt;
	uint64_t seq, same;

	for (seq = st != NULL ? st->lanes.stream.first : 0; seq != 0;
	     seq = e->next[LANE_STREAM]) {
		e = lanes_find(&st->lanes, seq);
		debt = life_must(l, ct, f, e);
		if (debt == DEBT_NONE ||
		    e->acked_ns + LIVES_SPREAD_NS >= asked_ns ||
		    life_has_ended(f, seq) || !life_finds(l, ct, f, e, now_ns))
			continue;
		owed.n++;
		if (debt == DEBT_STEADY && e->invoked_ns < owed.since_ns)
			owed.since_ns = e->invoked_ns;
		if (!seqmap_find(&f->taken, seq, &same))
			continue;
		owed.taken++;
		if (owed.lowest == 0)
			owed.lowest = seq;
		if (!seqmap_find(&f->again, seq, &same))
			continue;
		owed.again++;
		if (e->invoked_ns < owed.again_ns)
			owed.again_ns = e->invoked_ns;
	}
	return owed;
}

const struct life *
lives_keeper(const struct lives *l, const struct contents *ct, uint32_t stream,
    const struct live *e, enum life_debt *debt)
{
	const struct life *keeper = NULL, *f;
	enum life_debt of_it;
	uint32_t i;

	*debt = DEBT_NONE;
	for (i = 0; i < l->n && *debt != DEBT_SURE; i++) {
		f = &l->at[i];
		if (f->number == 0 || f->stream != stream)
			continue;
		of_it = life_keeps(l, ct, f, e);
		if (of_it <= *debt)
			continue;
		*debt = of_it;
		keeper = f;
	}
	return keeper;
}

/* Is nothing known for certain of it, and will not be? */
static bool
is_lost_sight_of(const struct lives *l, const struct contents *ct,
    const struct stock *st, const struct live *e)
{
	enum life_debt debt;

	if (st->retention == RETENTION_WORKQUEUE)
		return (e->touched & TOUCHED_TAKEN) != 0;
	return lives_keeper(l, ct, st->terms.stream, e, &debt) == NULL;
}

/* Of streams that drop what was ended, now and then. */
static void
sweep(struct lives *l, struct contents *ct, uint64_t now_ns)
{
	const struct stock *st;
	const struct live *e;
	uint64_t seq, next;
	uint32_t i;

	if (l->n == 0 || now_ns < l->swept_ns + LIVES_SWEEP_NS)
		return;
	l->swept_ns = now_ns;
	for (i = 0; i < ct->nstocks; i++) {
		st = contents_stock(ct, i);
		if (st == NULL || st->retention == RETENTION_LIMITS)
			continue;
		for (seq = st->lanes.stream.first; seq != 0; seq = next) {
			e = lanes_find(&st->lanes, seq);
			next = e->next[LANE_STREAM];
			if (e->acked_ns + LIVES_SWEEP_NS < now_ns &&
			    is_lost_sight_of(l, ct, st, e))
				contents_forget(ct, i, seq, now_ns);
		}
	}
}

void
lives_event(struct lives *l, const struct event *ev, struct contents *ct)
{
	struct life *f;

	switch ((unsigned)ev->type) {
	case MESSAGE_RUN:
		l->wall_ns = ev->u.run.wall_ns - (int64_t)ev->time_ns;
		break;
	case MESSAGE_DROPPED:
		l->has_hole = true;
		break;
	case MESSAGE_CONSUMER_TERMS:
		enter_terms(l, ev, ct);
		break;
	case MESSAGE_CONSUMER_EDIT:
		enter_edit(l, ev, ct);
		break;
	case MESSAGE_CONSUMER_MADE:
		enter_made(l, &ev->u.consumer_made);
		break;
	case MESSAGE_CONSUMER_SEEN:
		enter_seen(l, ev);
		break;
	case MESSAGE_CONSUMER_OVER:
		f = life_find(l, ev->u.consumer_over.consumer);
		if (f != NULL)
			life_clear(f);
		break;
	case MESSAGE_CHANGE_OK:
	case MESSAGE_CHANGE_FAIL:
	case MESSAGE_CHANGE_UNKNOWN:
	case MESSAGE_CHANGE_END:
		enter_change(l, ev, ct);
		break;
	case MESSAGE_DELIVER:
		enter_deliver(l, &ev->u.deliver, ct);
		break;
	case MESSAGE_CONSUMER_HELD:
		f = life_find(l, ev->u.consumer_held.consumer);
		if (f != NULL && f->held_ns == LIVES_NEVER)
			f->held_ns = ev->time_ns;
		break;
	case MESSAGE_ACK_INVOKE:
		enter_ending(
		    l, ev->u.ack_invoke.consumer, ev->u.ack_invoke.seq, ct);
		break;
	case MESSAGE_ANSWER_INVOKE:
		if (ev->u.answer_invoke.how == ANSWER_TERM)
			enter_ending(l, ev->u.answer_invoke.consumer,
			    ev->u.answer_invoke.seq, ct);
		break;
	case MESSAGE_TICK:
		sweep(l, ct, ev->time_ns);
		break;
	case MESSAGE_ACK_OK:
	case MESSAGE_ANSWER_OK:
		enter_settled(l, ev, ct);
		break;
	case MESSAGE_CHILD_EXIT:
		enter_exit(l, ev->u.child_exit.child);
		break;
	default:
		break;
	}
}

/* What is known of a message that was delivered. */
struct known {
	uint32_t subject; /* 0: not known */
	uint64_t invoked_ns;
};

static struct known
known_of(const struct contents *ct, const struct msg_deliver *m)
{
	const struct live *e = contents_find(ct, m->stream, m->seq);
	const struct publishing *p = contents_publishing(ct, m->id);

	if (e != NULL && e->id == m->id)
		return (struct known){e->subject, e->invoked_ns};
	if (p != NULL && p->has_terms)
		return (struct known){p->terms.subject, p->invoked_ns};
	return (struct known){0, 0};
}

/* It lies before where it begins, and each server had it then. */
static enum life_flaw
flaw_of_place(const struct life *f, const struct life_range *r,
    const struct msg_deliver *m, uint64_t skew_ns)
{
	if (f->made_ns == LIVES_NEVER || m->seq >= f->floor)
		return FLAW_NONE;
	if (r->policies == 1u << POLICY_BY_SEQ && m->seq < r->start_low)
		return FLAW_BELOW;
	/* Behind the first one clocks may have stamped earlier times. */
	if (r->policies == 1u << POLICY_BY_TIME && m->stamp_ns != 0 &&
	    m->stamp_ns < r->start_ns_low &&
	    (uint64_t)r->start_ns_low - (uint64_t)m->stamp_ns > skew_ns)
		return FLAW_EARLY;
	return r->policies == 1u << POLICY_NEW ||
		       r->policies == 1u << POLICY_LAST
		   ? FLAW_OLD
		   : FLAW_NONE;
}

enum life_flaw
life_flaw(const struct lives *l, const struct contents *ct,
    const struct msg_deliver *m, uint64_t now_ns, uint64_t *since_ns)
{
	const struct life *f = life_of(l, m->consumer);
	struct known k = known_of(ct, m);
	uint64_t bit = bit_of(k.subject);
	enum life_flaw flaw;
	struct life_range r;

	*since_ns = 0;
	if (f == NULL || l->has_hole || f->is_vague || f->is_unclear)
		return FLAW_NONE;
	r = range_now(f);
	if (bit != 0 && (r.ever & bit) == 0)
		return FLAW_SUBJECT;
	*since_ns = f->asked_ns;
	flaw = flaw_of_place(f, &r, m, ct->skew_ns);
	if (flaw != FLAW_NONE || k.invoked_ns == 0)
		return flaw;
	*since_ns = f->ended_ns;
	if (life_is_over_for_good(f) && k.invoked_ns > f->ended_ns)
		return FLAW_ENDED;
	if (f->paused_ns != LIVES_NEVER && k.invoked_ns > f->paused_ns &&
	    now_ns + PAUSE_NS + ct->skew_ns < f->until_ns) {
		*since_ns = f->paused_ns;
		return FLAW_PAUSED;
	}
	if (bit == 0 || f->open.id != 0)
		return FLAW_NONE;
	*since_ns = f->left_ns[k.subject - 1];
	return *since_ns != 0 && k.invoked_ns > *since_ns ? FLAW_LEFT
							  : FLAW_NONE;
}
