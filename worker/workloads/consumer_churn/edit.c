/* SPDX-License-Identifier: ISC */
/* Making, changing and ending a consumer; see consumer_churn.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/nats_login.h"
#include "proto/refusal.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define EDIT_MS	    2000	   /* one request: a group elects a leader */
#define PATIENCE_NS (20 * CLOCK_S) /* with answers that don't come */
#define PINNED_OF   5		   /* one of so many is */
#define STAYS_NS    (60 * CLOCK_S) /* then one that was left is ended */
#define REQUEST_MAX (CHURN_CONFIG_MAX + 256)

/* By these a server says that it can't for the moment. */
static const uint32_t passing[] = {0, 10004, 10005, 10008, 10023};

static void
tell_edit(struct worker *w, const struct churn_edit *e)
{
	struct event ev = {.type = MESSAGE_CONSUMER_TERMS};
	struct msg_consumer_edit *m = &ev.u.consumer_edit;

	if (e->what == EDIT_CREATE || e->what == EDIT_UPDATE) {
		ev.u.consumer_terms = e->terms;
		ev.u.consumer_terms.consumer = e->at->consumer;
		child_emit(&w->child, &ev);
	}
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_CONSUMER_EDIT;
	m->stream = e->at->life.terms.stream;
	m->consumer = e->at->consumer;
	m->id = e->id;
	m->attempt = e->attempt;
	m->what = (uint8_t)e->what;
	m->strict = e->is_strict;
	m->until_ns = e->until_ns;
	text_set(m->name, sizeof(m->name), e->at->life.name);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
tell_made(struct worker *w, const struct churn_edit *e, const cJSON *answer)
{
	struct event ev = {.type = MESSAGE_CONSUMER_MADE};
	struct msg_consumer_made *m = &ev.u.consumer_made;

	m->consumer = e->at->consumer;
	m->id = e->id;
	m->created = (uint64_t)request_time(json_text(answer, "created"));
	m->is_other = churn_terms_differ(
	    e->config, json_get(answer, "config"), m->differs);
	child_emit(&w->child, &ev);
}

static void
write_request(
    const struct churn_edit *e, const char *stream, char text[REQUEST_MAX])
{
	char until[CLOCK_UTC_MAX] = "";
	const char *action = "";

	text[0] = '\0';
	if (e->what == EDIT_PAUSE) {
		clock_utc(e->until_ns, until);
		if (e->until_ns != 0)
			text_add(text, REQUEST_MAX, "{\"pause_until\":\"%s\"}",
			    until);
	} else if (e->what != EDIT_DELETE) {
		if (e->is_strict)
			action = e->what == EDIT_CREATE
				     ? ",\"action\":\"create\""
				     : ",\"action\":\"update\"";
		text_add(text, REQUEST_MAX,
		    "{\"stream_name\":\"%s\"%s,\"config\":%s}", stream, action,
		    e->config);
	}
}

static enum outcome
ask(struct worker *w, const struct churn_edit *e, cJSON **tree)
{
	static const char *const verbs[] = {[EDIT_CREATE] = "CONSUMER.CREATE",
	    [EDIT_UPDATE] = "CONSUMER.CREATE",
	    [EDIT_DELETE] = "CONSUMER.DELETE",
	    [EDIT_PAUSE] = "CONSUMER.PAUSE"};
	const struct churn *s = w->state;
	const struct churn_life *l = &e->at->life;
	char where[132], text[REQUEST_MAX];
	struct request r = {verbs[e->what], where, text, EDIT_MS};
	enum outcome outcome;

	text_format(where, sizeof(where), "%s.%s",
	    s->streams[l->terms.stream].name, l->name);
	write_request(e, s->streams[l->terms.stream].name, text);
	outcome = request_send(&w->session, &r, tree);
	if (outcome != OUTCOME_OK || e->what == EDIT_DELETE ||
	    e->what == EDIT_PAUSE || json_get(*tree, "config") != NULL)
		return outcome;
	/*
	 * A server whose replica is just leaving (seen with 2.10.27) says that
	 * it is done, and nothing of the consumer: that promises nothing.
	 */
	cJSON_Delete(*tree);
	*tree = NULL;
	session_note(&w->session, NATS_ERR, 0);
	text_set(w->session.why, sizeof(w->session.why),
	    "an answer without a consumer");
	return OUTCOME_UNKNOWN;
}

/*
 * A refusal that follows from what there is proves nothing while two leaders
 * may hear of it. That a consumer is there which was confirmed both of them
 * say, and refuse alike; that there is none only one that was deposed before
 * it was made, while the other may do what it is asked for.
 */
static enum outcome
read_outcome(
    const struct worker *w, const struct churn_edit *e, enum outcome outcome)
{
	if (outcome == OUTCOME_UNKNOWN && e->at->life.state == LIFE_SURE &&
	    e->what != EDIT_DELETE &&
	    !refusal_is_no_consumer(w->session.code) &&
	    refusal_class(w->session.code) == REFUSAL_STEADY)
		return OUTCOME_FAIL;
	return outcome;
}

/* An answer with a code is final, unless it may pass. */
static bool
is_final(const struct worker *w)
{
	size_t i;

	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (w->session.code == passing[i])
			return false;
	return true;
}

static bool
must_give_up(struct worker *w, uint64_t since_ns)
{
	/* GIVE_UP is not sent for these; the end of the run waits. */
	worker_commands(w, 0);
	return clock_mono_ns() >= since_ns + PATIENCE_NS;
}

/* What this client knows of it after a change was confirmed. */
static void
learn(struct churn_edit *e, const cJSON *answer)
{
	struct churn_life *l = &e->at->life;

	if (e->what == EDIT_PAUSE)
		l->is_paused = json_is_true(answer, "paused");
	if (e->what != EDIT_CREATE && e->what != EDIT_UPDATE)
		return;
	l->terms = e->terms;
	l->created = (uint64_t)request_time(json_text(answer, "created"));
	text_set(l->config, sizeof(l->config), e->config);
}

enum outcome
churn_edit(struct worker *w)
{
	struct churn *s = w->state;
	struct churn_edit *e = &s->edit;
	struct changing c = {.stream = e->at->life.terms.stream};
	enum outcome whole = OUTCOME_FAIL, outcome;
	uint64_t since = clock_mono_ns();
	struct backoff b = {0};
	cJSON *tree;

	memset(&e->at->life.wait, 0, sizeof(e->at->life.wait));
	c.id = e->id = churn_next_id(w);
	for (;;) {
		c.attempt = ++e->attempt;
		tell_edit(w, e);
		outcome = ask(w, e, &tree);
		if (outcome == OUTCOME_OK) {
			tell_changed(w, &c, tree);
			if (e->what == EDIT_CREATE || e->what == EDIT_UPDATE)
				tell_made(w, e, tree);
			learn(e, tree);
			cJSON_Delete(tree);
			whole = OUTCOME_OK;
			break;
		}
		outcome = read_outcome(w, e, outcome);
		tell_unchanged(w, &c, outcome);
		if (outcome == OUTCOME_UNKNOWN) {
			whole = OUTCOME_UNKNOWN;
			e->at->life.unheard++;
		}
		if (is_final(w) || must_give_up(w, since))
			break;
		session_backoff(&b, &w->child);
	}
	tell_change_over(w, &c, whole);
	child_flush(&w->child);
	return whole;
}

/* One more subscription, to what is pushed. */
static natsStatus
subscribe(struct worker *w, struct churn_life *l)
{
	char deliver[SESSION_INBOX_MAX + 8];
	natsSubscription **sub = &l->subs[l->nsubs];
	const char *group = l->terms.group;
	natsStatus st;

	churn_deliver_subject(l, deliver);
	if (group[0] != '\0')
		st = natsConnection_QueueSubscribeSync(
		    sub, w->session.nc, deliver, group);
	else
		st = natsConnection_SubscribeSync(sub, w->session.nc, deliver);
	l->nsubs += st == NATS_OK;
	return st;
}

static int
open_intake(struct worker *w, struct churn_life *l)
{
	unsigned n, wanted = l->terms.group[0] != '\0' ? CHURN_SUBS_MAX : 1;
	bool is_pushed = l->terms.kind != KIND_PULL;
	natsStatus st = nats_login_inbox(&w->config, l->inbox);

	/* Who pulls listens for each request by itself. */
	while (is_pushed && l->nsubs < wanted && st == NATS_OK)
		st = subscribe(w, l);
	for (n = 0; n < l->nsubs && st == NATS_OK; n++)
		st = natsSubscription_SetPendingLimits(l->subs[n], -1, -1);
	if (st == NATS_OK)
		return 0;
	log_error("cannot listen for deliveries: %s", natsStatus_GetText(st));
	return -EIO;
}

static void
name_life(const struct worker *w, struct churn_place *p)
{
	struct churn_life *l = &p->life;

	if (p->again[0] != '\0')
		text_set(l->name, sizeof(l->name), p->again);
	else
		text_format(l->name, sizeof(l->name), "c%u_%u_%u_%llu",
		    w->source, w->incarnation, p->consumer,
		    (unsigned long long)p->lives);
	p->again[0] = '\0';
}

int
churn_begin(struct worker *w, struct churn_place *p)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	uint32_t stream = p->again[0] != '\0'
			      ? p->stream
			      : (uint32_t)rng_below(&s->rng, o->streams);
	struct churn_edit *e = &s->edit;
	struct churn_stream *t = &s->streams[stream];
	enum outcome outcome;
	int err;

	churn_stream_learn(w, t);
	if (!t->is_known || churn_subjects_of(w, stream, p->consumer) == 0) {
		session_backoff(&s->pause, &w->child);
		return 0;
	}
	s->pause.step = 0;
	memset(&p->life, 0, sizeof(p->life));
	memset(e, 0, sizeof(*e));
	p->lives++;
	e->at = p;
	e->what = EDIT_CREATE;
	e->is_strict = t->level >= CHURN_2_10;
	e->terms.stream = stream;
	e->terms.consumer = p->consumer;
	churn_terms_draw(w, &e->terms);
	p->life.terms = e->terms;
	p->life.is_pinned = t->level >= CHURN_2_11 &&
			    e->terms.kind == KIND_PULL &&
			    rng_below(&s->rng, PINNED_OF) == 0;
	p->life.is_overflow =
	    t->level >= CHURN_2_11 && e->terms.kind == KIND_PULL &&
	    !p->life.is_pinned && rng_below(&s->rng, PINNED_OF) == 0;
	name_life(w, p);
	err = open_intake(w, &p->life);
	if (err < 0)
		return err;
	churn_terms_write(w, &p->life, &e->terms, p->lives, e->config);
	outcome = churn_edit(w);
	p->life.state = outcome == OUTCOME_OK ? LIFE_SURE : LIFE_DOUBTED;
	if (outcome == OUTCOME_FAIL)
		churn_over(w, p);
	else if (outcome == OUTCOME_OK &&
		 t->kind.retention == RETENTION_INTEREST)
		churn_hold(w, p);
	return 0;
}

void
churn_over(struct worker *w, struct churn_place *p)
{
	struct event ev = {.type = MESSAGE_CONSUMER_OVER};

	ev.u.consumer_over.stream = p->life.terms.stream;
	ev.u.consumer_over.consumer = p->consumer;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	churn_close(&p->life);
	memset(&p->life, 0, sizeof(p->life));
}

void
churn_close(struct churn_life *l)
{
	while (l->nsubs > 0)
		natsSubscription_Destroy(l->subs[--l->nsubs]);
}

/* The name is free when each attempt was answered: nothing comes late. */
static void
keep_name(struct churn_place *p)
{
	text_set(p->again, sizeof(p->again), p->life.name);
	p->stream = p->life.terms.stream;
}

void
churn_recheck(struct worker *w, struct churn_place *p)
{
	struct churn_seen seen;

	if (clock_mono_ns() < p->life.ended_ns + CHURN_LATE_NS ||
	    !churn_see(w, p, false, &seen))
		return;
	churn_list(w, p->life.terms.stream);
	if (!seen.found && p->life.unheard == 0)
		keep_name(p);
	churn_over(w, p);
}

int
churn_end(struct worker *w, struct churn_place *p)
{
	struct churn *s = w->state;
	struct churn_life *l = &p->life;
	uint64_t then = rng_below(&s->rng, 3);
	enum outcome outcome;

	memset(&s->edit, 0, sizeof(s->edit));
	s->edit.at = p;
	s->edit.what = EDIT_DELETE;
	outcome = churn_edit(w);
	if (outcome == OUTCOME_OK && then == 0) {
		l->state = LIFE_ENDED;
		l->ended_ns = clock_mono_ns();
		return 0;
	}
	if (outcome == OUTCOME_OK && then == 1 && l->unheard == 0)
		keep_name(p);
	churn_over(w, p);
	return 0;
}

void
churn_leave(struct worker *w, struct churn_place *p)
{
	struct event ev = {.type = MESSAGE_CONSUMER_LEFT};

	churn_close(&p->life);
	p->life.state = LIFE_LEFT;
	p->life.ended_ns = clock_mono_ns();
	ev.u.consumer_left.stream = p->life.terms.stream;
	ev.u.consumer_left.consumer = p->consumer;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

int
churn_await_gone(struct worker *w, struct churn_place *p)
{
	struct churn_life *l = &p->life;
	uint64_t now = clock_mono_ns();
	struct churn_seen seen;

	if (now < l->looked_ns + CLOCK_S)
		return 0;
	l->looked_ns = now;
	if (!churn_see(w, p, false, &seen))
		return 0;
	if (seen.found && now >= l->ended_ns + STAYS_NS)
		return churn_end(w, p);
	if (!seen.found)
		churn_over(w, p);
	return 0;
}
