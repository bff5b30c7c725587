/* SPDX-License-Identifier: ISC */
/*
 * The model of streams whose messages go away, against a small stream that
 * really does what clients ask for: operations take effect at any moment of
 * their interval, answers get lost, attempts come late or never, processes
 * die. At any time what the model calls present is there, and what it calls
 * gone is not. Where nothing is open, and nothing was unknown, it knows all.
 * When an audit tells where the stream ends it knows more.
 *
 * The whole judge is told such histories, too, with the audit's scan of what
 * is there: it raises nothing, until one message of the scan is changed.
 *
 * NATSBURN_HISTORIES=N runs so many histories instead of the usual number.
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/contents.h"
#include "orchestrator/judge/judge.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "tests/support.h"

#define CLIENTS	  4
#define SUBJECTS  5
#define MESSAGES  600
#define LATE	  64
#define STREAM	  1
#define HISTORIES 400
#define RUN_ID	  7
#define CONTROL	  1 /* source of what no client tells */
#define NOBODY	  99

enum kind {
	PUBLISH,
	REMOVE,
	LIMITS
};

struct request {
	enum kind kind;
	bool is_sent, is_applied, is_refused, is_duplicate;
	uint32_t attempt, subject, bytes, rolls;
	uint64_t id, ttl_ns, seq;
	uint64_t first, last, keep;
	struct limits to;
};

struct message {
	uint64_t id, stamp_ns, ttl_ns, slack_ns, gone_ns;
	uint32_t subject, bytes;
	bool is_here, is_acked;
};

struct world {
	struct rng rng;
	struct contents contents;
	struct ledger ledger;
	struct faults faults;
	struct msg_contents terms;
	struct limits limits; /* 0: none */
	struct message messages[MESSAGES];
	uint64_t last, now_ns, removed_one;
	struct request requests[CLIENTS];
	struct request late[LATE];
	unsigned nlate;
	uint64_t counters[CLIENTS];
	uint32_t attempts[CLIENTS][MESSAGES]; /* by client and counter */
	bool is_calm; /* every answer arrives, and one client works */
	bool had_limits;
	uint64_t asked, unsure; /* of all answers so many were MAYBE */
	/* The same when the end is known, and of these when it is not. */
	uint64_t audited, audited_unsure, blind;
	bool is_forgetful;   /* the stream forgets ids soon */
	struct judge *judge; /* is told as well; or NULL */
};

/* What the scan says, beside the truth, of one message. */
enum lie {
	TRUTH,
	LIE_DROPPED, /* it is there */
	LIE_KEPT,    /* it is gone */
	LIE_BROKEN,
	LIE_FOREIGN,
	LIES
};

static bool
chance(struct world *w, uint32_t one_in)
{
	return rng_below(&w->rng, one_in) == 0;
}

static uint64_t
between(struct world *w, uint64_t low, uint64_t high)
{
	return low + rng_below(&w->rng, high - low + 1);
}

static void
feed(struct world *w, struct event *ev)
{
	ev->time_ns = w->now_ns;
	contents_event(&w->contents, ev, &w->ledger, &w->faults);
	faults_event(&w->faults, ev);
	ledger_event(&w->ledger, ev);
	assert_false(w->contents.no_memory);
	if (w->judge != NULL)
		assert_int_equal(judge_event(w->judge, ev), 0);
}

/* What the stream does. */

static void
remove_if(struct world *w, uint64_t seq, bool is_meant)
{
	struct message *m = &w->messages[seq];

	if (!is_meant || !m->is_here)
		return;
	m->is_here = false;
	m->gone_ns = w->now_ns;
}

static unsigned
count_of(const struct world *w, uint32_t subject, uint64_t *bytes)
{
	unsigned n = 0;
	uint64_t seq;

	*bytes = 0;
	for (seq = 1; seq <= w->last; seq++) {
		if (!w->messages[seq].is_here ||
		    (subject != 0 && w->messages[seq].subject != subject))
			continue;
		n++;
		*bytes += w->messages[seq].bytes;
	}
	return n;
}

static void
drop_oldest(struct world *w, uint32_t subject)
{
	uint64_t seq;

	for (seq = 1; seq <= w->last; seq++)
		if (w->messages[seq].is_here &&
		    (subject == 0 || w->messages[seq].subject == subject)) {
			remove_if(w, seq, true);
			return;
		}
}

static void
enforce(struct world *w)
{
	uint64_t bytes;
	uint32_t s;

	for (s = 1; s <= SUBJECTS && w->limits.per_subject != 0; s++)
		while (count_of(w, s, &bytes) > w->limits.per_subject)
			drop_oldest(w, s);
	if (w->terms.discard == DISCARD_NEW)
		return;
	while (w->limits.messages != 0 &&
	       count_of(w, 0, &bytes) > w->limits.messages)
		drop_oldest(w, 0);
	while (w->limits.bytes != 0 && count_of(w, 0, &bytes) > 0 &&
	       bytes > w->limits.bytes)
		drop_oldest(w, 0);
}

static bool
is_full(const struct world *w, const struct request *r)
{
	uint64_t bytes;

	if (w->terms.discard != DISCARD_NEW)
		return false;
	if (w->terms.discard_new_per_subject && w->limits.per_subject != 0 &&
	    count_of(w, r->subject, &bytes) >= w->limits.per_subject)
		return true;
	if (w->limits.messages != 0 &&
	    count_of(w, 0, &bytes) >= w->limits.messages)
		return true;
	(void)count_of(w, 0, &bytes); /* for the bytes */
	return w->limits.bytes != 0 && bytes + r->bytes > w->limits.bytes;
}

static void
store(struct world *w, struct request *r)
{
	struct message *m;
	uint64_t seq;

	for (seq = w->last; seq > 0; seq--)
		if (w->messages[seq].id == r->id &&
		    (!w->is_forgetful || chance(w, 2))) {
			r->is_duplicate = true;
			r->seq = seq;
			return;
		}
	r->is_refused = w->last + 1 == MESSAGES || is_full(w, r);
	if (r->is_refused)
		return;
	r->seq = ++w->last;
	m = &w->messages[r->seq];
	*m = (struct message){.id = r->id,
	    .stamp_ns = w->now_ns,
	    .ttl_ns = r->ttl_ns,
	    .slack_ns = rng_below(&w->rng, 4700) * CLOCK_MS,
	    .subject = r->subject,
	    .bytes = r->bytes,
	    .is_here = true};
	enforce(w);
	for (seq = 1; seq < r->seq && r->rolls != ROLLS_NOTHING; seq++)
		remove_if(w, seq,
		    r->rolls == ROLLS_ALL ||
			w->messages[seq].subject == r->subject);
}

static void
take_away(struct world *w, const struct request *r)
{
	uint64_t seq, newer = 0;
	const struct message *m;

	for (seq = w->last; seq > 0; seq--) {
		m = &w->messages[seq];
		if (!m->is_here || seq < r->first ||
		    (r->last != 0 && seq > r->last) ||
		    (r->subject != 0 && m->subject != r->subject))
			continue;
		remove_if(w, seq, newer >= r->keep);
		newer++;
	}
}

static void
apply(struct world *w, struct request *r)
{
	r->is_applied = true;
	if (r->kind == PUBLISH)
		store(w, r);
	else if (r->kind == REMOVE)
		take_away(w, r);
	else {
		w->limits = r->to;
		enforce(w);
	}
}

static void
grow_old(struct world *w)
{
	uint64_t seq, age_ns;
	struct message *m;

	for (seq = 1; seq <= w->last; seq++) {
		m = &w->messages[seq];
		age_ns = w->limits.age_ns;
		if (m->ttl_ns == UINT64_MAX)
			continue;
		if (m->ttl_ns != 0 && (age_ns == 0 || m->ttl_ns < age_ns))
			age_ns = m->ttl_ns;
		remove_if(w, seq,
		    age_ns != 0 && w->now_ns >= m->stamp_ns + age_ns -
						    200 * CLOCK_MS +
						    m->slack_ns);
	}
}

/* What clients do and learn. */

static uint32_t
source_of(unsigned client)
{
	return 10 + client;
}

static unsigned
client_of(const struct request *r)
{
	return message_id_source(r->id) - source_of(0);
}

static void
tell_invoke(struct world *w, const struct request *r)
{
	struct event ev = {.type = MESSAGE_PUBLISH_TERMS};

	if (r->kind == PUBLISH) {
		ev.u.publish_terms =
		    (struct msg_publish_terms){.stream = STREAM,
			.id = r->id,
			.subject = r->subject,
			.stored = r->bytes,
			.rolls = (uint8_t)r->rolls,
			.ttl_ns = r->ttl_ns};
		feed(w, &ev);
		ev = (struct event){.type = MESSAGE_PUBLISH_INVOKE};
		ev.u.publish_invoke.stream = STREAM;
		ev.u.publish_invoke.id = r->id;
		ev.u.publish_invoke.attempt = r->attempt;
	} else if (r->kind == REMOVE) {
		ev.type = MESSAGE_REMOVE_INVOKE;
		ev.u.remove_invoke =
		    (struct msg_remove_invoke){.stream = STREAM,
			.id = r->id,
			.attempt = r->attempt,
			.how = REMOVER_PURGE,
			.subject = r->subject,
			.first = r->first,
			.last = r->last,
			.keep = r->keep};
	} else {
		ev.type = MESSAGE_LIMITS_INVOKE;
		ev.u.limits_invoke = (struct msg_limits_invoke){STREAM, r->id,
		    r->attempt, r->to.messages, r->to.bytes, r->to.age_ns,
		    r->to.per_subject};
	}
	feed(w, &ev);
}

static void
tell_outcome(struct world *w, const struct request *r,
    enum message_type publish, enum message_type change)
{
	struct event ev = {.type = r->kind == PUBLISH ? publish : change};

	if (ev.type == MESSAGE_PUBLISH_OK) {
		ev.u.publish_ok = (struct msg_publish_ok){
		    STREAM, r->id, r->attempt, r->seq, r->is_duplicate};
		w->messages[r->seq].is_acked = true;
	} else if (r->kind == PUBLISH) {
		ev.u.publish_fail.stream = STREAM;
		ev.u.publish_fail.id = r->id;
		ev.u.publish_fail.attempt = r->attempt;
	} else {
		ev.u.change_ok.stream = STREAM;
		ev.u.change_ok.id = r->id;
		ev.u.change_ok.attempt = r->attempt;
	}
	feed(w, &ev);
}

static void
tell_end(struct world *w, struct request *r, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_PUBLISH_END};

	if (r->kind == PUBLISH) {
		ev.u.publish_end =
		    (struct msg_publish_end){STREAM, r->id, outcome};
	} else {
		ev.type = MESSAGE_CHANGE_END;
		ev.u.change_end.stream = STREAM;
		ev.u.change_end.id = r->id;
		ev.u.change_end.outcome = outcome;
	}
	feed(w, &ev);
	r->is_sent = false;
}

static uint64_t
some_limit(struct world *w, uint64_t low, uint64_t high)
{
	return chance(w, 3) ? 0 : between(w, low, high);
}

static struct limits
some_limits(struct world *w)
{
	struct limits l = {0, 0, 0, 0};

	if (chance(w, 2))
		l.messages = some_limit(w, 3, 30);
	if (chance(w, 2))
		l.bytes = some_limit(w, 600, 4000);
	if (chance(w, 2))
		l.per_subject = some_limit(w, 1, 6);
	if (chance(w, 3))
		l.age_ns = some_limit(w, 2, 20) * CLOCK_S;
	return l;
}

static void
draw_publish(struct world *w, unsigned client, struct request *r)
{
	uint64_t n = w->counters[client];
	bool is_again = n > 1 && !w->is_calm && chance(w, 10);

	r->kind = PUBLISH;
	if (is_again) { /* an old one, with all it asks for or without */
		n = between(w, 1, n);
		is_again = w->attempts[client][n] != 0;
	}
	if (!is_again)
		n = ++w->counters[client];
	r->id = message_id(source_of(client), n * 2);
	r->attempt = ++w->attempts[client][n];
	r->subject = 1 + (uint32_t)(r->id * 7919 / 13 % SUBJECTS);
	r->bytes = 50 + (uint32_t)(r->id * 31 % 200);
	if (r->id % 17 == 0)
		r->rolls = r->id % 5 == 0 ? ROLLS_ALL : ROLLS_SUBJECT;
	if (w->terms.allow_ttl && r->id % 3 == 0)
		r->ttl_ns =
		    r->id % 11 == 0 ? UINT64_MAX : (1 + r->id % 9) * CLOCK_S;
	if (!is_again || chance(w, 2))
		return; /* the same for the same id */
	r->bytes -= (uint32_t)rng_below(&w->rng, 40);
	r->rolls = ROLLS_NOTHING;
	r->ttl_ns = 0;
}

static void
draw_removal(struct world *w, struct request *r)
{
	uint64_t at =
	    w->last > 20 ? between(w, w->last - 20, w->last) : w->last;

	r->kind = REMOVE;
	r->first = 1;
	switch (rng_below(&w->rng, 8)) {
	case 0:
		r->last = at > 1 ? at - 1 : 1;
		break;
	case 1:
		r->subject = 1 + (uint32_t)rng_below(&w->rng, SUBJECTS);
		break;
	case 2:
		r->keep = 1 + rng_below(&w->rng, 6);
		if (chance(w, 2))
			r->subject = 1 + (uint32_t)rng_below(&w->rng, SUBJECTS);
		break;
	case 3:
		r->last = chance(w, 4) ? 0 : at + 1;
		break;
	default:
		r->first = r->last = at > 0 ? at : 1;
	}
}

static void
begin(struct world *w, unsigned client)
{
	struct request *r = &w->requests[client];

	memset(r, 0, sizeof(*r));
	r->is_sent = true;
	r->attempt = 1;
	if (rng_below(&w->rng, 100) < 70)
		draw_publish(w, client, r);
	else if (client == 0 && chance(w, 8)) {
		r->kind = LIMITS;
		r->to = some_limits(w);
		if (w->is_calm)
			r->to.age_ns = 0;
	} else
		draw_removal(w, r);
	if (r->kind != PUBLISH)
		r->id = message_id(
		    source_of(client), ++w->counters[client] * 2 + 1);
	tell_invoke(w, r);
}

/* Nobody hears of this attempt any more, but it may still take effect. */
static void
lose(struct world *w, const struct request *r)
{
	if (!r->is_applied && w->nlate < LATE && !chance(w, 3))
		w->late[w->nlate++] = *r;
}

static void
again(struct world *w, struct request *r, uint8_t outcome)
{
	if (chance(w, 3)) {
		tell_end(w, r, outcome);
		return;
	}
	r->attempt++;
	if (r->kind == PUBLISH)
		w->attempts[client_of(r)][message_id_counter(r->id) / 2] =
		    r->attempt;
	r->is_applied = r->is_refused = r->is_duplicate = false;
	w->now_ns += CLOCK_MS;
	tell_invoke(w, r);
}

static bool
has_limits(const struct world *w)
{
	return w->limits.messages != 0 || w->limits.bytes != 0 ||
	       w->limits.per_subject != 0;
}

static void
learn(struct world *w, struct request *r)
{
	if (!w->is_calm && chance(w, r->is_applied ? 12 : 4)) {
		tell_outcome(
		    w, r, MESSAGE_PUBLISH_UNKNOWN, MESSAGE_CHANGE_UNKNOWN);
		lose(w, r);
		again(w, r, ENDED_UNKNOWN);
	} else if (!r->is_applied) {
		apply(w, r);
		w->had_limits |= has_limits(w);
	} else if (r->is_refused && !w->is_calm && chance(w, 2)) {
		/* As a full stream does: nobody knows what it proves. */
		tell_outcome(
		    w, r, MESSAGE_PUBLISH_UNKNOWN, MESSAGE_CHANGE_UNKNOWN);
		tell_end(w, r, ENDED_UNKNOWN);
	} else if (r->is_refused) {
		tell_outcome(w, r, MESSAGE_PUBLISH_FAIL, MESSAGE_CHANGE_FAIL);
		/* Where an attempt is unknown so is the whole. */
		tell_end(w, r, r->attempt > 1 ? ENDED_UNKNOWN : ENDED_FAILED);
	} else {
		tell_outcome(w, r, MESSAGE_PUBLISH_OK, MESSAGE_CHANGE_OK);
		w->now_ns += CLOCK_MS;
		tell_end(w, r, ENDED_OK);
	}
}

static void
die(struct world *w, unsigned client)
{
	struct event ev = {.type = MESSAGE_CHILD_EXIT};
	struct request *r = &w->requests[client];

	ev.u.child_exit.child = source_of(client);
	if (r->is_sent)
		lose(w, r);
	r->is_sent = false;
	feed(w, &ev);
}

/* One step of anybody. */
static void
step(struct world *w)
{
	unsigned client =
	    w->is_calm ? 0 : (unsigned)rng_below(&w->rng, CLIENTS);
	struct request *r = &w->requests[client];

	w->now_ns += rng_below(&w->rng, 20) * CLOCK_MS;
	if (chance(w, 60))
		w->now_ns += rng_below(&w->rng, 3000) * CLOCK_MS;
	grow_old(w);
	if (w->nlate > 0 && chance(w, 12)) {
		apply(w, &w->late[w->nlate - 1]);
		w->nlate--;
	} else if (!w->is_calm && chance(w, 200))
		die(w, client);
	else if (!r->is_sent)
		begin(w, client);
	else
		learn(w, r);
}

/* No limit is kept less than the model says, and nothing left before. */
static void
compare_bounds(struct world *w, uint64_t seed)
{
	const struct stock *st = contents_stock(&w->contents, STREAM);
	struct limits loose = limits_loose(st);
	uint64_t seq, bytes, n = count_of(w, 0, &bytes),
			     ns = w->now_ns - rng_below(&w->rng, CLOCK_S);
	const struct message *m;
	bool is_sound = w->terms.discard == DISCARD_NEW ||
			(n <= loose.messages && bytes <= loose.bytes);

	for (seq = 1; seq <= w->last; seq++) {
		m = &w->messages[seq];
		if (m->is_acked && m->gone_ns > ns &&
		    contents_presence(&w->contents, STREAM, seq, w->now_ns) ==
			GONE)
			is_sound &=
			    !contents_gone_by(&w->contents, STREAM, seq, ns);
	}
	if (!is_sound)
		print_error("seed %llu\n", (unsigned long long)seed);
	assert_true(is_sound);
}

/* The model's word against what is. */
static void
compare(struct world *w, uint64_t seed, bool is_exact)
{
	const struct message *m;
	enum presence p;
	uint64_t seq;

	for (seq = 1; seq <= w->last; seq++) {
		m = &w->messages[seq];
		if (!m->is_acked)
			continue;
		p = contents_presence(&w->contents, STREAM, seq, w->now_ns);
		w->asked++;
		w->unsure += p == MAYBE_PRESENT;
		if ((p == PRESENT && !m->is_here) ||
		    ((p == GONE || p == AGED) && m->is_here) ||
		    (is_exact && p == MAYBE_PRESENT)) {
			print_error("seed %llu: sequence %llu is called %d and "
				    "is%s there (%s)\n",
			    (unsigned long long)seed, (unsigned long long)seq,
			    (int)p, m->is_here ? "" : " not",
			    is_exact ? "calm" : "rough");
			fail();
		}
	}
}

/* An audit reads the stream now, and tells its last sequence. */
static void
look_at_end(struct world *w, uint64_t seed)
{
	struct event ev = {.type = MESSAGE_SCAN_TALLY};
	uint64_t asked = w->asked, unsure = w->unsure;

	ev.u.scan_tally.stream = STREAM;
	ev.u.scan_tally.last = w->last;
	feed(w, &ev);
	compare(w, seed, false);
	w->audited += w->asked - asked;
	w->audited_unsure += w->unsure - unsure;
	w->asked = asked;
	w->unsure = unsure;
	ev = (struct event){.type = MESSAGE_SCAN_BEGIN};
	ev.u.scan_begin.stream = STREAM;
	feed(w, &ev);
	compare(w, seed, false); /* without it */
	w->blind += w->unsure - unsure;
}

/* The head that the whole judge wants to see. */
static void
judge_begin(struct world *w)
{
	struct event ev = {.type = MESSAGE_RUN, .source = CONTROL};

	w->judge = judge_create(NULL, NULL);
	assert_non_null(w->judge);
	w->is_forgetful = false;
	ev.u.run.run = RUN_ID;
	ev.u.run.wall_ns = (int64_t)w->now_ns;
	feed(w, &ev);
	ev = (struct event){.type = MESSAGE_OPTION, .source = CONTROL};
	text_set(ev.u.option.name, sizeof(ev.u.option.name), "cluster");
	text_set(ev.u.option.value, sizeof(ev.u.option.value), "local");
	feed(w, &ev);
}

static void
world_begin(struct world *w, uint64_t seed, bool is_calm, bool is_judged)
{
	struct event ev = {.type = MESSAGE_STREAM};

	memset(w, 0, sizeof(*w));
	rng_init(&w->rng, seed, is_calm ? "calm" : "rough");
	contents_init(&w->contents);
	ledger_init(&w->ledger);
	faults_init(&w->faults);
	w->now_ns = 1000 * CLOCK_S;
	w->is_calm = is_calm;
	w->is_forgetful = !is_calm && chance(w, 4);
	if (is_judged)
		judge_begin(w);
	ev.u.stream.stream = STREAM;
	/* The world has one store; of several each is one of these. */
	ev.u.stream.replicas = is_calm || chance(w, 2) ? 1 : 3;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), "s1");
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), "file");
	ev.u.stream.created = 1000;
	ev.u.stream.dedupe_ns = (w->is_forgetful ? 1 : 600) * CLOCK_S;
	feed(w, &ev);
	w->limits = some_limits(w);
	if (is_calm) /* when a message ages is not known exactly */
		w->limits.age_ns = 0;
	w->terms = (struct msg_contents){.stream = STREAM,
	    .subjects = SUBJECTS,
	    .max_messages = w->limits.messages,
	    .max_bytes = w->limits.bytes,
	    .max_age_ns = w->limits.age_ns,
	    .per_subject = w->limits.per_subject,
	    .discard = chance(w, 3) ? DISCARD_NEW : DISCARD_OLD,
	    .discard_new_per_subject = chance(w, 2),
	    .allow_rollup = 1,
	    .allow_ttl = !is_calm && chance(w, 3)};
	ev = (struct event){.type = MESSAGE_CONTENTS};
	ev.u.contents = w->terms;
	feed(w, &ev);
}

static void
world_end(struct world *w)
{
	contents_fini(&w->contents);
	ledger_fini(&w->ledger);
}

static unsigned
histories(void)
{
	const char *n = getenv("NATSBURN_HISTORIES");

	return n != NULL ? (unsigned)strtoul(n, NULL, 10) : HISTORIES;
}

static void
sound(void **state)
{
	struct world *w = malloc(sizeof(*w));
	uint64_t audited = 0, unsure = 0, blind = 0;
	unsigned seed, i;

	(void)state;
	assert_non_null(w);
	for (seed = 1; seed <= histories(); seed++) {
		world_begin(w, seed, false, false);
		for (i = 0; i < 400; i++) {
			step(w);
			if (i % 8 == 0)
				look_at_end(w, seed);
			else
				compare(w, seed, false);
			compare_bounds(w, seed);
		}
		audited += w->audited;
		unsure += w->audited_unsure;
		blind += w->blind;
		world_end(w);
	}
	print_message("of %llu %llu are not known, %llu when the end is\n",
	    (unsigned long long)audited, (unsigned long long)blind,
	    (unsigned long long)unsure);
	assert_true(unsure < blind);
	free(w);
}

/*
 * One client, whose answers all arrive: without limits nothing is only maybe
 * there. With limits little is: what stands at the edge while a publish is
 * open that is then refused, or which replaces others.
 */
static void
exact(void **state)
{
	struct world *w = malloc(sizeof(*w));
	uint64_t asked = 0, unsure = 0;
	unsigned seed, i;

	(void)state;
	assert_non_null(w);
	for (seed = 1; seed <= histories(); seed++) {
		world_begin(w, seed, true, false);
		for (i = 0; i < 400; i++) {
			step(w);
			compare(
			    w, seed, !w->requests[0].is_sent && !w->had_limits);
		}
		asked += w->asked;
		unsure += w->unsure;
		world_end(w);
	}
	assert_true(unsure < asked / 20);
	free(w);
}

/* One of the acknowledged messages of which the model says that; or 0. */
static uint64_t
some_message(struct world *w, enum presence presence, bool is_here)
{
	uint64_t seq, found = 0, n = 0;

	for (seq = 1; seq <= w->last; seq++)
		if (w->messages[seq].is_acked &&
		    w->messages[seq].is_here == is_here &&
		    contents_presence(&w->contents, STREAM, seq, w->now_ns) ==
			presence &&
		    rng_below(&w->rng, ++n) == 0)
			found = seq;
	return found;
}

/* Which message the lie is about, as everything is known; 0: there is none. */
static uint64_t
victim_of(struct world *w, enum lie lie)
{
	if (lie == TRUTH)
		return 0;
	if (lie == LIE_KEPT)
		return some_message(w, GONE, false);
	return some_message(w, PRESENT, true);
}

static void
scan_one(struct world *w, uint64_t seq, enum lie lie)
{
	const struct message *m = &w->messages[seq];
	struct event ev = {.type = MESSAGE_SCAN_ABSENT, .source = NOBODY};
	bool is_shown = lie == TRUTH ? m->is_here : lie != LIE_DROPPED;

	ev.u.scan_absent.stream = STREAM;
	ev.u.scan_absent.seq = seq;
	ev.u.scan_absent.tries = 5;
	if (is_shown) {
		ev.type = MESSAGE_SCAN_MESSAGE;
		ev.u.scan_message = (struct msg_scan_message){.stream = STREAM,
		    .path = SCAN_PATH_CONSUMER,
		    .seq = seq,
		    .stamp_ns = (int64_t)m->stamp_ns,
		    .id = lie == LIE_FOREIGN ? message_id(NOBODY, 1) : m->id,
		    .run = RUN_ID,
		    .intact = lie != LIE_BROKEN};
	}
	feed(w, &ev);
}

/* The audit reads what is there, but for one message; of which it is told. */
static uint64_t
scan(struct world *w, enum lie lie)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN, .source = NOBODY};
	struct msg_scan_tally t = {.stream = STREAM,
	    .polls = 3,
	    .same = 1,
	    .last = w->last,
	    .subjects = 1,
	    .read_subjects = 1};
	uint64_t seq, victim = victim_of(w, lie);
	bool is_shown;

	ev.u.scan_begin.stream = STREAM;
	ev.u.scan_begin.first = 1;
	ev.u.scan_begin.last = w->last;
	feed(w, &ev);
	for (seq = 1; seq <= w->last; seq++) {
		is_shown = w->messages[seq].is_here;
		if (seq == victim)
			is_shown = lie != LIE_DROPPED;
		scan_one(w, seq, seq == victim ? lie : TRUTH);
		if (is_shown && t.read++ == 0)
			t.read_first = seq;
		if (is_shown)
			t.read_last = seq;
	}
	t.messages = t.read;
	t.first = t.read != 0 ? t.read_first : w->last + 1;
	t.deleted = t.last + 1 - t.first - t.messages;
	ev = (struct event){.type = MESSAGE_SCAN_TALLY, .source = NOBODY};
	ev.u.scan_tally = t;
	feed(w, &ev);
	ev = (struct event){.type = MESSAGE_SCAN_END, .source = NOBODY};
	ev.u.scan_end.stream = STREAM;
	ev.u.scan_end.complete = 1;
	feed(w, &ev);
	return victim;
}

static bool
is_caught_as(const struct world *w, enum lie lie)
{
	static const enum anomaly_kind kinds[LIES][2] = {{0, 0},
	    {ANOMALY_LOST, ANOMALY_EXPIRED_EARLY},
	    {ANOMALY_UNDELETED, ANOMALY_EXPIRED_LATE},
	    {ANOMALY_CORRUPT, ANOMALY_CORRUPT},
	    {ANOMALY_PHANTOM, ANOMALY_SEQ_REUSE}};

	return judge_count(w->judge, kinds[lie][0], CLASS_VIOLATION) +
		   judge_count(w->judge, kinds[lie][1], CLASS_VIOLATION) >
	       0;
}

static uint64_t
violations(const struct world *w)
{
	uint64_t n = 0;
	unsigned kind;

	for (kind = 0; kind < ANOMALY_COUNT; kind++)
		n += judge_count(w->judge, kind, CLASS_VIOLATION);
	return n;
}

/* A history, with one lie; true when it had a place. */
static bool
tell_whole(struct world *w, uint64_t seed, enum lie lie)
{
	struct judge_result result;
	uint64_t victim;
	unsigned i;

	world_begin(w, seed, false, true);
	for (i = 0; i < 300; i++)
		step(w);
	for (i = 0; i < CLIENTS; i++)
		die(w, i);
	w->now_ns += CLOCK_S;
	grow_old(w);
	victim = scan(w, lie);
	judge_finish(w->judge, &result);
	if (victim == 0 ? violations(w) != 0 : !is_caught_as(w, lie)) {
		print_error("seed %llu, lie %d of sequence %llu\n",
		    (unsigned long long)seed, (int)lie,
		    (unsigned long long)victim);
		for (i = 0; judge_anomaly(w->judge, i) != NULL; i++)
			print_error("%s\n", judge_anomaly(w->judge, i)->says);
		fail();
	}
	judge_destroy(w->judge);
	world_end(w);
	return victim != 0;
}

/* Nothing convicts but a lie, and each of what is certain does. */
static void
whole(void **state)
{
	struct world *w = malloc(sizeof(*w));
	unsigned seed, told[LIES] = {0};
	enum lie lie;

	(void)state;
	assert_non_null(w);
	for (seed = 1; seed <= histories(); seed++)
		for (lie = TRUTH; lie < LIES; lie++)
			told[lie] += tell_whole(w, seed, lie);
	for (lie = LIE_DROPPED; lie < LIES; lie++)
		assert_true(told[lie] > histories() / 8);
	free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sound),
	    cmocka_unit_test(exact),
	    cmocka_unit_test(whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
