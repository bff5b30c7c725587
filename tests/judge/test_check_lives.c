/* SPDX-License-Identifier: ISC */
/*
 * Consumers that come and go, against a small server that really has them:
 * they are made, changed, paused and ended while messages are published,
 * removed and dropped by a limit, requests take effect at any moment of their
 * interval, answers are lost, attempts come late or never, deliveries get lost
 * and come again, replicas are behind, leaders change, and clients die. Its
 * stream keeps all, or is a work queue, or has interest. The whole judge has
 * nothing to say of that; and each single fault that is planted when all that
 * is over it finds, and nothing else.
 *
 * NATSBURN_HISTORIES=N runs so many histories instead of the usual number.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "tests/stories/store_story.h"

#define PLACES	  3
#define SUBJECTS  4
#define MESSAGES  1024
#define HISTORIES 60
#define STEPS	  600
#define WAIT_NS	  (5 * CLOCK_S)
#define IDLE_NS	  (15 * CLOCK_S) /* some go when unused for so long */
#define LIMIT	  100		 /* messages, in every third history */
#define BEHIND_S  3		 /* so far a replica is behind */
#define AHEAD_S	  4 /* so far a clock is ahead, or behind as that */
#define SOURCE	  5 /* of all events, as the story has it */

/* A message of the stream. */
struct message {
	uint64_t stamp_ns;
	int64_t told_ns; /* as its leader's clock has it */
	uint32_t subject;
	bool is_here;
};

/* One that a consumer waits for the ack of. */
struct pending {
	uint64_t due_ns; /* 0: it waits for none */
	uint64_t count, number;
	bool has_count; /* it was sent before */
};

/* What the server has at a place. */
struct served {
	bool exists;
	unsigned led; /* by n1 and this number */
	struct msg_consumer_terms terms;
	uint64_t created, cursor, number, until_ns;
	uint64_t used_ns;     /* it was asked for messages, or made */
	bool lasts[MESSAGES]; /* below the cursor: these as well */
	struct pending at[MESSAGES];
};

/* What its client knows. */
struct client {
	bool is_used, is_made, is_ended, is_spoilt, is_drained;
	uint64_t pulls;
	char name[16];
	struct msg_consumer_terms terms;
	struct event open; /* CONSUMER_EDIT that waits for its answer */
	bool is_open, is_applied;
	struct msg_consumer_terms asked, late; /* late: never answered */
	uint8_t late_what;		       /* 0: nothing is */
	uint64_t got[MESSAGES];		       /* numbers that it may ack */
	uint64_t acked[MESSAGES];	       /* confirmed, by number */
};

struct world {
	struct store_story story;
	struct rng rng;
	bool is_calm, is_limited, is_apart;
	uint8_t retention; /* RETENTION_... */
	struct message messages[MESSAGES];
	struct served served[PLACES];
	struct client clients[PLACES];
	struct msg_publish_terms put; /* open */
	bool is_putting, is_put;
	uint64_t names, told_ns, put_ns;
};

static bool
chance(struct world *w, uint32_t one_in)
{
	return rng_below(&w->rng, one_in) == 0;
}

static uint32_t
below(struct world *w, uint64_t n)
{
	return (uint32_t)rng_below(&w->rng, n);
}

static void
leader(struct world *w, uint8_t what, const char *name, unsigned led)
{
	struct event ev = {.type = MESSAGE_LEADER};

	ev.u.leader.what = what;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), name);
	text_format(
	    ev.u.leader.leader, sizeof(ev.u.leader.leader), "n%u", 1 + led);
	store_feed(&w->story, &ev);
}

/* It goes by itself, soon after nobody has used it for its time. */
static void
expire(struct world *w, struct served *v)
{
	if (v->terms.inactive_ns != 0 &&
	    w->story.now > v->used_ns + v->terms.inactive_ns && chance(w, 2))
		v->exists = false;
}

static void
pass(struct world *w, uint64_t ns)
{
	uint64_t end = w->story.now + ns;
	char name[32];
	unsigned i;

	do {
		if (w->story.now >= w->told_ns + CLOCK_S) {
			w->told_ns = w->story.now;
			store_pass(&w->story, 1);
			leader(w, LEADS_META, "", 0);
			for (i = 0; i < PLACES; i++) {
				expire(w, &w->served[i]);
				if (!w->served[i].exists)
					continue;
				text_format(name, sizeof(name), "s0/%s",
				    w->clients[i].name);
				leader(
				    w, LEADS_CONSUMER, name, w->served[i].led);
			}
		} else
			w->story.now += CLOCK_S / 10;
	} while (w->story.now < end);
}

static bool
takes(const struct msg_consumer_terms *t, uint32_t subject)
{
	return t->subjects == 0 || (t->subjects >> (subject - 1) & 1) != 0;
}

/* A message leaves, or is not stored at all. */
static void
drop(struct world *w, uint64_t seq)
{
	w->messages[seq].is_here = false;
	store_drop(&w->story, seq, seq);
}

/* Has a consumer still to deliver a message, or to hear of it? */
static bool
is_needed(const struct world *w, uint64_t seq)
{
	const struct served *v = w->served;

	for (; v < w->served + PLACES; v++)
		if (v->exists && takes(&v->terms, w->messages[seq].subject) &&
		    (seq >= v->cursor || v->lasts[seq] ||
			v->at[seq].due_ns != 0))
			return true;
	return false;
}

/* With interest what none needs goes, sooner or later. */
static void
reap(struct world *w)
{
	uint64_t seq;

	for (seq = 1; seq <= w->story.last; seq++)
		if (w->retention == RETENTION_INTEREST &&
		    w->messages[seq].is_here && !is_needed(w, seq))
			drop(w, seq);
}

/* The last message of a replica, which may be behind. */
static uint64_t
end_of_replica(struct world *w)
{
	uint64_t lag_ns = w->is_calm ? 0 : below(w, BEHIND_S) * CLOCK_S;
	uint64_t seq = w->story.last;

	while (seq > 0 && w->messages[seq].stamp_ns + lag_ns > w->story.now)
		seq--;
	return seq;
}

/* The newest up to an end of one subject, or (0) of all it takes; 0: none. */
static uint64_t
newest(const struct world *w, const struct msg_consumer_terms *t, uint32_t of,
    uint64_t end)
{
	uint64_t seq;

	for (seq = end; seq > 0; seq--)
		if (w->messages[seq].is_here &&
		    takes(t, w->messages[seq].subject) &&
		    (of == 0 || w->messages[seq].subject == of))
			return seq;
	return 0;
}

/* Where a consumer begins that is made now. */
static void
serve(struct world *w, unsigned i, const struct msg_consumer_terms *t)
{
	struct served *v = &w->served[i];
	uint64_t end = end_of_replica(w);
	uint32_t s;

	memset(v, 0, sizeof(*v));
	v->exists = true;
	v->terms = *t;
	v->created = v->used_ns = w->story.now;
	v->cursor = end + 1;
	if (t->policy == POLICY_ALL)
		v->cursor = 1;
	else if (t->policy == POLICY_BY_SEQ &&
		 (t->start_seq <= end || chance(w, 2)))
		v->cursor = t->start_seq; /* or it does not wait for it */
	else if (t->policy == POLICY_LAST)
		v->lasts[newest(w, t, 0, end)] = true;
	else if (t->policy == POLICY_BY_TIME)
		while (v->cursor > 1 &&
		       w->messages[v->cursor - 1].told_ns >= t->start_ns)
			v->cursor--;
	for (s = 1; s <= SUBJECTS && t->policy == POLICY_LAST_PER_SUBJECT; s++)
		v->lasts[newest(w, t, s, end)] = true;
}

/*
 * Another server leads it, and sends what awaits an ack again. Where nothing
 * was delivered it chooses anew where to begin.
 */
static void
elect(struct world *w, unsigned i)
{
	struct served *v = &w->served[i];
	uint64_t created = v->created, until_ns = v->until_ns, seq;
	unsigned led = v->led ^ 1;
	struct msg_consumer_terms terms = v->terms;

	if (!v->exists)
		return;
	if (v->number == 0)
		serve(w, i, &terms);
	v->created = created;
	v->until_ns = until_ns;
	v->led = led;
	for (seq = 1; seq <= w->story.last; seq++)
		if (v->at[seq].due_ns != 0)
			v->at[seq].due_ns = w->story.now;
}

static void
apply(struct world *w, unsigned i, uint8_t what,
    const struct msg_consumer_terms *t, int64_t until_ns)
{
	struct served *v = &w->served[i];

	if (what == EDIT_CREATE && !v->exists)
		serve(w, i, t);
	else if (what == EDIT_UPDATE && v->exists)
		v->terms = *t;
	else if (what == EDIT_DELETE)
		v->exists = false;
	else if (what == EDIT_PAUSE)
		v->until_ns = (uint64_t)until_ns;
}

/* The next that a consumer sends: again, or for the first time; 0: none. */
static uint64_t
next_of(struct world *w, unsigned i)
{
	struct served *v = &w->served[i];
	uint64_t seq;

	if (!v->exists || v->until_ns > w->story.now)
		return 0;
	for (seq = 1; seq <= w->story.last; seq++) {
		if (v->at[seq].due_ns != 0 &&
		    (!w->messages[seq].is_here ||
			(v->terms.max_deliver != 0 &&
			    v->at[seq].count >= v->terms.max_deliver)))
			v->at[seq].due_ns = 0;
		if (v->at[seq].due_ns != 0 && v->at[seq].due_ns <= w->story.now)
			return seq;
	}
	for (seq = 1; seq <= w->story.last; seq++) {
		if ((seq < v->cursor && !v->lasts[seq]) ||
		    !w->messages[seq].is_here ||
		    !takes(&v->terms, w->messages[seq].subject))
			continue;
		return seq;
	}
	return 0;
}

static unsigned
waiting(const struct world *w, unsigned i)
{
	const struct served *v = &w->served[i];
	unsigned n = 0;
	uint64_t seq;

	for (seq = 1; seq <= w->story.last; seq++)
		n += v->at[seq].due_ns != 0 && w->messages[seq].is_here;
	return n;
}

static void
tell_deliver(
    struct world *w, unsigned i, uint64_t seq, uint64_t number, uint64_t count)
{
	struct event ev = {.type = MESSAGE_DELIVER};

	ev.u.deliver = (struct msg_deliver){.consumer = i,
	    .seq = seq,
	    .consumer_seq = number,
	    .delivered = count,
	    .stamp_ns = w->messages[seq].told_ns,
	    .id = w->story.ids[seq],
	    .run = STORE_RUN,
	    .sum = w->story.ids[seq] * 31,
	    .intact = 1};
	store_feed(&w->story, &ev);
	w->clients[i].got[seq] = number;
}

/* It sends one message, which may get lost. False: it has none to send. */
static bool
deliver(struct world *w, unsigned i)
{
	struct served *v = &w->served[i];
	uint64_t seq = next_of(w, i);
	struct pending *p = &v->at[seq];

	if (seq == 0)
		return false;
	if (p->due_ns == 0) { /* for the first time */
		memset(v->lasts, 0, (seq + 1) * sizeof(v->lasts[0]));
		if (seq >= v->cursor)
			v->cursor = seq + 1;
	}
	p->count++;
	p->number = ++v->number;
	if (v->terms.acks != ACK_POLICY_NONE)
		p->due_ns = w->story.now + WAIT_NS;
	if (w->is_calm || !chance(w, 10))
		tell_deliver(w, i, seq, p->number, p->count);
	return true;
}

/* A request for so many messages; what it brought. */
static void
pull(struct world *w, unsigned i, uint32_t batch)
{
	struct event ev = {.type = MESSAGE_PULL};

	ev.u.pull = (struct msg_pull){
	    .consumer = i, .pull = ++w->clients[i].pulls, .batch = batch};
	store_feed(&w->story, &ev);
	w->served[i].used_ns = w->story.now;
}

static void
pulled(struct world *w, unsigned i, uint32_t messages)
{
	struct event ev = {.type = MESSAGE_PULL_END};

	ev.u.pull_end = (struct msg_pull_end){.consumer = i,
	    .pull = w->clients[i].pulls,
	    .status = w->served[i].exists ? 408 : 503,
	    .messages = messages};
	store_feed(&w->story, &ev);
}

/* The server settles an ack: of one, or of all before it. */
static void
settle(struct world *w, struct served *v, uint64_t seq)
{
	uint64_t s;

	for (s = 1; s < seq && v->terms.acks == ACK_POLICY_ALL; s++)
		v->at[s].due_ns = 0;
	v->at[seq].due_ns = 0;
	if (w->retention == RETENTION_WORKQUEUE && v->exists)
		drop(w, seq);
}

static void
tell_ack(struct world *w, unsigned i, uint64_t seq, bool is_ok)
{
	uint64_t number = w->clients[i].got[seq], id = w->story.ids[seq];
	struct event ev = {.type = MESSAGE_ACK_INVOKE};

	ev.u.ack_invoke = (struct msg_ack_invoke){i, seq, number, id, 1};
	store_feed(&w->story, &ev);
	ev = (struct event){
	    .type = is_ok ? MESSAGE_ACK_OK : MESSAGE_ACK_UNKNOWN};
	if (is_ok)
		ev.u.ack_ok = (struct msg_ack_ok){i, seq, number, id};
	else
		ev.u.ack_unknown =
		    (struct msg_ack_unknown){i, seq, number, id, .gave_up = 1};
	store_feed(&w->story, &ev);
}

/* A client answers one of those that it has. */
static void
answer(struct world *w, unsigned i)
{
	struct served *v = &w->served[i];
	struct client *k = &w->clients[i];
	struct event ev = {.type = MESSAGE_ANSWER_INVOKE};
	uint64_t seq = 1 + below(w, w->story.last);
	bool is_lost = !w->is_calm && chance(w, 6);

	while (seq <= w->story.last && k->got[seq] == 0)
		seq++;
	if (seq > w->story.last || v->terms.acks == ACK_POLICY_NONE)
		return;
	if (!w->is_calm && chance(w, 5)) {
		ev.u.answer_invoke = (struct msg_answer_invoke){.consumer = i,
		    .seq = seq,
		    .consumer_seq = k->got[seq],
		    .id = w->story.ids[seq],
		    .attempt = 1,
		    .how = ANSWER_NAK};
		store_feed(&w->story, &ev);
		if (v->at[seq].due_ns != 0)
			v->at[seq].due_ns = w->story.now;
		k->got[seq] = 0;
		return;
	}
	if (!is_lost || chance(w, 2))
		settle(w, v, seq);
	/* Whether a consumer that ended confirms it nobody promises. */
	tell_ack(w, i, seq, !is_lost && v->exists);
	k->got[seq] = 0;
}

static void
over(struct world *w, unsigned i)
{
	struct event ev = {.type = MESSAGE_CONSUMER_OVER};
	struct client *k = &w->clients[i];
	bool is_same = k->is_ended && !k->is_spoilt && chance(w, 2);
	char name[16];

	ev.u.consumer_over.consumer = i;
	store_feed(&w->story, &ev);
	text_set(name, sizeof(name), k->name);
	memset(k, 0, sizeof(*k));
	w->served[i].exists = false; /* or it goes on, and nobody looks */
	if (is_same)
		text_set(k->name, sizeof(k->name), name);
}

/* Those of a work queue must not overlap. */
static void
draw_filters(struct world *w, struct msg_consumer_terms *t)
{
	if (w->retention == RETENTION_WORKQUEUE)
		t->subjects = UINT64_C(1) << t->consumer;
	else
		t->subjects = below(w, 1u << SUBJECTS);
}

static struct msg_consumer_terms
draw_terms(struct world *w, unsigned i)
{
	struct msg_consumer_terms t = {.consumer = i,
	    .kind = KIND_PULL,
	    .policy = (uint8_t)below(w, 6),
	    .start_seq = 1 + below(w, w->story.last + 3),
	    .ack_wait_ns = WAIT_NS,
	    .is_durable = 1};

	if (chance(w, 4)) {
		t.is_durable = 0;
		t.inactive_ns = IDLE_NS;
	}
	if (t.policy != POLICY_BY_SEQ)
		t.start_seq = 0;
	if (t.policy == POLICY_BY_TIME)
		t.start_ns = (int64_t)(w->story.now - below(w, 60) * CLOCK_S);
	if (chance(w, 4))
		t.acks = (uint8_t)below(w, 3);
	if (w->retention == RETENTION_LIMITS && chance(w, 6))
		t.max_deliver = 2 + below(w, 3);
	if (w->retention == RETENTION_WORKQUEUE) {
		t.policy = POLICY_ALL;
		t.start_seq = 0;
		t.start_ns = 0;
		t.acks = ACK_POLICY_EXPLICIT;
	}
	if (w->retention == RETENTION_WORKQUEUE || chance(w, 2))
		draw_filters(w, &t);
	return t;
}

/* Ask for a change of what is at a place, or for its creation. */
static void
ask(struct world *w, unsigned i, uint8_t what)
{
	struct client *k = &w->clients[i];
	struct event ev = {.type = MESSAGE_CONSUMER_TERMS};

	k->asked = k->terms;
	if (what == EDIT_CREATE && !k->is_used)
		k->asked = draw_terms(w, i);
	if (what == EDIT_UPDATE && !w->is_calm) {
		draw_filters(w, &k->asked);
		/* Elsewhere what is given up stays, which this one forgets. */
		if (w->retention == RETENTION_LIMITS && chance(w, 4))
			k->asked.max_deliver = below(w, 5);
	}
	ev.u.consumer_terms = k->asked;
	if (what == EDIT_CREATE || what == EDIT_UPDATE)
		store_feed(&w->story, &ev);
	if (k->name[0] == '\0')
		text_format(k->name, sizeof(k->name), "c%llu",
		    (unsigned long long)++w->names);
	k->open = (struct event){.type = MESSAGE_CONSUMER_EDIT};
	k->open.u.consumer_edit = (struct msg_consumer_edit){.consumer = i,
	    .id = message_id(5, ++w->story.counter),
	    .attempt = 1,
	    .what = what};
	if (what == EDIT_PAUSE)
		k->open.u.consumer_edit.until_ns =
		    (int64_t)(w->story.now + 40 * CLOCK_S);
	text_set(k->open.u.consumer_edit.name,
	    sizeof(k->open.u.consumer_edit.name), k->name);
	ev = k->open;
	store_feed(&w->story, &ev);
	k->is_open = k->is_used = true;
	k->is_applied = false;
}

/* The change takes effect, or its answer comes, or never does. */
static void
go_on(struct world *w, unsigned i)
{
	struct client *k = &w->clients[i];
	const struct msg_consumer_edit *m = &k->open.u.consumer_edit;
	struct event ev = {.type = MESSAGE_CONSUMER_MADE};

	if (!k->is_applied && !w->is_calm && chance(w, 8)) {
		/* It never is, or later. */
		if (chance(w, 2)) {
			k->late_what = m->what;
			k->late = k->asked;
		}
		k->is_spoilt = true;
	} else if (!k->is_applied) {
		apply(w, i, m->what, &k->asked, m->until_ns);
		k->is_applied = true;
		return;
	} else if ((!w->is_calm && chance(w, 10)) ||
		   (m->what != EDIT_DELETE && !w->served[i].exists))
		k->is_spoilt = true; /* or it is gone */
	else {
		store_changed(&w->story, MESSAGE_CHANGE_OK, m->id);
		k->is_open = false;
		k->is_made |= m->what == EDIT_CREATE;
		k->is_ended |= m->what == EDIT_DELETE;
		k->terms = k->asked;
		if (m->what != EDIT_CREATE && m->what != EDIT_UPDATE)
			return;
		ev.u.consumer_made.consumer = i;
		ev.u.consumer_made.id = m->id;
		ev.u.consumer_made.created = w->served[i].created;
		store_feed(&w->story, &ev);
		ev = (struct event){.type = MESSAGE_CONSUMER_HELD};
		ev.u.consumer_held.consumer = i;
		if (m->what == EDIT_CREATE && w->served[i].exists)
			store_feed(&w->story, &ev);
		return;
	}
	store_changed(&w->story, MESSAGE_CHANGE_UNKNOWN, m->id);
	k->is_open = false;
}

/* What is said of it, and numbers that are added to that, or a difference. */
static void
see_as(struct world *w, unsigned i, const struct msg_consumer_seen *said,
    bool forgets)
{
	const struct served *v = &w->served[i];
	struct event ev = {.type = MESSAGE_CONSUMER_SEEN};
	struct msg_consumer_seen *m = &ev.u.consumer_seen;
	uint64_t seq;

	*m = *said;
	m->consumer = i;
	m->asked_ns = w->story.now;
	m->found = v->exists;
	m->paused = v->until_ns > w->story.now;
	m->created = v->created;
	m->delivered = v->number;
	m->delivered_seq = v->cursor - 1;
	m->ack_pending = forgets ? 0 : waiting(w, i);
	for (seq = 1; seq <= w->story.last; seq++)
		m->redelivered += v->at[seq].due_ns != 0 &&
				  v->at[seq].count > 1 &&
				  w->messages[seq].is_here;
	m->floor_seq += v->cursor - 1;
	for (seq = 1; seq < v->cursor; seq++)
		if (v->at[seq].due_ns != 0 && w->messages[seq].is_here) {
			m->floor_seq -= v->cursor - seq;
			break;
		}
	for (seq = w->story.last; seq > 0; seq--) {
		if (v->lasts[seq])
			m->delivered_seq = seq - 1;
		m->pending += (seq >= v->cursor || v->lasts[seq]) &&
			      w->messages[seq].is_here &&
			      takes(&v->terms, w->messages[seq].subject);
	}
	store_feed(&w->story, &ev);
}

static void
see(struct world *w, unsigned i, bool is_drained)
{
	const struct msg_consumer_seen said = {
	    .drained = is_drained && w->served[i].exists};

	see_as(w, i, &said, false);
}

/* What is beyond the limit goes, the oldest first. */
static void
enforce_limit(struct world *w)
{
	uint64_t n = 0, seq;

	for (seq = w->story.last; w->is_limited && seq > 0; seq--) {
		n += w->messages[seq].is_here;
		if (n > LIMIT && w->messages[seq].is_here)
			drop(w, seq);
	}
}

/* One that is stored now, and stamped by a clock that may be off. */
static struct message
message_now(struct world *w, uint32_t subject)
{
	int64_t off =
	    w->is_apart
		? (int64_t)(below(w, AHEAD_S + BEHIND_S + 1) * CLOCK_S) -
		      BEHIND_S * (int64_t)CLOCK_S
		: 0;

	return (struct message){
	    w->story.now, (int64_t)w->story.now + off, subject, true};
}

/* A publish is sent, or stored, or answered; or never. */
static void
publish(struct world *w)
{
	uint64_t seq;

	if (!w->is_putting) {
		if (w->story.last + 8 >= MESSAGES)
			return;
		w->put = store_terms(&w->story, 1 + below(w, SUBJECTS));
		store_sent(&w->story, &w->put);
		w->is_putting = true;
		w->put_ns = w->story.now;
		w->is_put = false;
		return;
	}
	if (!w->is_put && (w->is_calm || !chance(w, 10))) {
		seq = ++w->story.last;
		w->messages[seq] = message_now(w, w->put.subject);
		w->story.ids[seq] = w->put.id;
		w->is_put = true;
		enforce_limit(w);
		if (chance(w, 2))
			reap(w);
		return;
	}
	w->is_putting = false;
	if (w->is_put && (w->is_calm || !chance(w, 10)))
		store_acked(&w->story, w->put.id, w->story.last, false);
	else
		store_unknown(&w->story, w->put.id, true);
}

/* Its client takes and acks all that there is. */
static void
drain(struct world *w, unsigned i)
{
	struct served *v = &w->served[i];
	unsigned n;

	while (w->is_putting)
		publish(w);
	for (n = 0; n < 3 * MESSAGES && v->exists; n++) {
		v->used_ns = w->story.now;
		while (deliver(w, i))
			;
		answer(w, i);
		if (n % 16 == 15)
			pass(w, CLOCK_S);
		if (next_of(w, i) == 0 && waiting(w, i) == 0)
			break;
	}
	see(w, i, true);
}

static void
remove_one(struct world *w)
{
	uint64_t seq = 1 + below(w, w->story.last);

	if (!w->messages[seq].is_here || (w->is_putting && w->is_put))
		return;
	w->messages[seq].is_here = false;
	store_delete(&w->story, seq);
}

/* What was asked for is done, and its client is not there to hear of it. */
static void
go_on_unheard(struct world *w, unsigned i)
{
	const struct client *k = &w->clients[i];
	const struct msg_consumer_edit *m = &k->open.u.consumer_edit;

	if (!k->is_applied)
		apply(w, i, m->what, &k->asked, m->until_ns);
}

/* The client dies, and another one takes its place. */
static void
die(struct world *w)
{
	struct event ev = {.type = MESSAGE_CHILD_EXIT};
	unsigned i;

	ev.u.child_exit.child = SOURCE;
	store_feed(&w->story, &ev);
	w->is_putting = false;
	for (i = 0; i < PLACES; i++) {
		if (w->clients[i].is_open && chance(w, 2))
			go_on_unheard(w, i);
		w->clients[i].is_spoilt = true;
		over(w, i);
	}
	ev = (struct event){.type = MESSAGE_READY};
	store_feed(&w->story, &ev);
}

/* What happens at a place. */
static void
live(struct world *w, unsigned i)
{
	static const uint8_t edits[] = {EDIT_UPDATE, EDIT_DELETE, EDIT_PAUSE};
	struct client *k = &w->clients[i];
	unsigned n, batch;

	if (k->late_what != 0 && chance(w, 10)) {
		apply(w, i, k->late_what, &k->late,
		    (int64_t)(w->story.now + 40 * CLOCK_S));
		k->late_what = 0;
	}
	if (k->is_open)
		go_on(w, i);
	else if (!k->is_used)
		ask(w, i, EDIT_CREATE);
	else if (k->is_ended || (k->is_spoilt && chance(w, 20))) {
		see(w, i, false);
		if (chance(w, 3))
			over(w, i);
	} else if (!w->is_calm && !k->is_spoilt && chance(w, 40))
		ask(w, i, edits[below(w, 3)]);
	else if (!w->is_calm && chance(w, 60))
		ask(w, i, EDIT_DELETE);
	else if (!w->is_calm && chance(w, 30))
		drain(w, i);
	else {
		batch = below(w, 4);
		pull(w, i, batch);
		for (n = 0; n < batch && deliver(w, i); n++)
			;
		pulled(w, i, n);
		answer(w, i);
		if (chance(w, 10))
			see(w, i, false);
	}
}

static void
step(struct world *w)
{
	if (chance(w, 3))
		pass(w, (1 + below(w, 20)) * CLOCK_S / 10);
	/* None waits so long for its answer that this is an anomaly. */
	if (chance(w, 2) ||
	    (w->is_putting && w->story.now > w->put_ns + 10 * CLOCK_S))
		publish(w);
	if (!w->is_calm && w->story.last > 0 && chance(w, 20))
		remove_one(w);
	if (!w->is_calm && chance(w, 30))
		elect(w, below(w, PLACES));
	if (!w->is_calm && chance(w, 200))
		die(w);
	live(w, below(w, PLACES));
}

static void
begin(struct world *w, uint64_t seed, bool is_calm, uint8_t retention)
{
	struct msg_contents terms = {
	    .subjects = SUBJECTS, .discard = DISCARD_OLD};
	struct event ev = {.type = MESSAGE_CLOCK_SET};

	memset(w, 0, sizeof(*w));
	rng_init(&w->rng, seed, is_calm ? "calm" : "rough");
	w->is_calm = is_calm;
	w->retention = retention;
	w->is_limited =
	    !is_calm && retention == RETENTION_LIMITS && seed % 2 == 0;
	terms.max_messages = w->is_limited ? LIMIT : 0;
	store_begin(&w->story, &terms);
	store_retain(&w->story, retention);
	if (seed % 3 == 0) {
		ev.u.clock_set = (struct msg_clock_set){1,
		    -BEHIND_S * (int64_t)CLOCK_S, AHEAD_S * (int64_t)CLOCK_S};
		store_feed(&w->story, &ev);
		w->is_apart = true;
	}
	pass(w, 30 * CLOCK_S);
	while (w->story.last < 8 || w->is_putting)
		publish(w);
}

/* All is drained, later than what was published last; and the end. */
static void
finish(struct world *w)
{
	unsigned i;

	pass(w, 15 * CLOCK_S);
	for (i = 0; i < PLACES; i++)
		if (w->clients[i].is_used && !w->clients[i].is_open)
			drain(w, i);
	pass(w, 20 * CLOCK_S);
	reap(w);
	store_end(&w->story);
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
	unsigned seed, i;

	(void)state;
	assert_non_null(w);
	for (seed = 1; seed <= histories(); seed++) {
		begin(w, seed, false, (uint8_t)(seed % 3));
		for (i = 0; i < STEPS; i++)
			step(w);
		finish(w);
	}
	free(w);
}

/* A fault of the server, planted in a calm history. */
enum plant {
	PLANT_SKIP,    /* it never sends what is next */
	PLANT_SUBJECT, /* it sends what its filters do not take */
	PLANT_BELOW,   /* ... what lies before its first sequence */
	PLANT_EARLY,   /* ... before its first time */
	PLANT_OLD,     /* ... before what was new */
	PLANT_LEFT,    /* ... what its filters take no longer */
	PLANT_COUNT,   /* ... more often than MaxDeliver */
	PLANT_TWICE,   /* it gives a number twice */
	PLANT_AFTER,   /* it sends again what was acked */
	PLANT_ORDER,   /* it sends the last before the next */
	PLANT_BATCH,   /* it sends more than it was asked for */
	PLANT_MORE,    /* it counts messages that are not there */
	PLANT_FLOOR,   /* its floor is behind what is not acked */
	PLANT_FORGET,  /* it awaits no ack of that */
	PLANT_AGAIN,   /* it does not count what it sent again */
	PLANT_TERMS,   /* it has another configuration */
	PLANT_MISSING, /* it forgets the consumer */
	PLANT_IDLE,    /* ... which was used not long ago */
	PLANT_BACK,    /* it forgets that the consumer was deleted */
	PLANT_LATE,    /* it delivers after that */
	PLANT_PAUSED,  /* it does not pause */
	PLANT_ANEW,    /* it makes of a name what was deleted */
	PLANT_UNQUEUE, /* a work queue drops what is not acked ... */
	PLANT_UNKEPT,  /* ... a stream with interest does */
	PLANTS
};

static const enum anomaly_kind plant_kinds[PLANTS] = {
    [PLANT_SKIP] = ANOMALY_SKIPPED,
    [PLANT_SUBJECT] = ANOMALY_MISDELIVERED,
    [PLANT_BELOW] = ANOMALY_MISDELIVERED,
    [PLANT_EARLY] = ANOMALY_MISDELIVERED,
    [PLANT_OLD] = ANOMALY_MISDELIVERED,
    [PLANT_LEFT] = ANOMALY_MISDELIVERED,
    [PLANT_COUNT] = ANOMALY_LIMIT_EXCEEDED,
    [PLANT_TWICE] = ANOMALY_DELIVERED_TWICE,
    [PLANT_AFTER] = ANOMALY_REDELIVERED_AFTER_ACK,
    [PLANT_ORDER] = ANOMALY_REORDER,
    [PLANT_BATCH] = ANOMALY_LIMIT_EXCEEDED,
    [PLANT_MORE] = ANOMALY_WRONG_STATE,
    [PLANT_FLOOR] = ANOMALY_WRONG_STATE,
    [PLANT_FORGET] = ANOMALY_WRONG_STATE,
    [PLANT_AGAIN] = ANOMALY_WRONG_STATE,
    [PLANT_TERMS] = ANOMALY_WRONG_STATE,
    [PLANT_MISSING] = ANOMALY_CONSUMER_MISSING,
    [PLANT_IDLE] = ANOMALY_CONSUMER_MISSING,
    [PLANT_BACK] = ANOMALY_CONSUMER_RESURRECTED,
    [PLANT_LATE] = ANOMALY_MISDELIVERED,
    [PLANT_PAUSED] = ANOMALY_MISDELIVERED,
    [PLANT_ANEW] = ANOMALY_CONSUMER_RESURRECTED,
    [PLANT_UNQUEUE] = ANOMALY_REMOVED_EARLY,
    [PLANT_UNKEPT] = ANOMALY_REMOVED_EARLY,
};

/* Put, stored and answered. */
static uint64_t
publish_whole(struct world *w, uint32_t subject)
{
	uint64_t seq = w->story.last + 1;

	w->messages[seq] = message_now(w, subject);
	return store_publish(&w->story, subject);
}

/* The whole of a change. */
static void
change(struct world *w, unsigned i, uint8_t what)
{
	ask(w, i, what);
	while (w->clients[i].is_open)
		go_on(w, i);
}

/* It has delivered n messages at least, and all of it is acked. */
static void
take_some(struct world *w, unsigned i, unsigned n)
{
	struct served *v = &w->served[i];

	while (v->number < n) {
		publish_whole(w, 1);
		while (deliver(w, i))
			answer(w, i);
		v->used_ns = w->story.now;
		pass(w, CLOCK_S);
	}
	while (waiting(w, i) > 0)
		answer(w, i);
	pass(w, 10 * CLOCK_S);
}

/* A sequence that it has been through, at random. */
static uint64_t
some_taken(struct world *w, unsigned i)
{
	uint64_t seq;

	do
		seq = 1 + below(w, w->story.last);
	while (w->served[i].at[seq].count == 0);
	return seq;
}

/* One that is there and that it takes, of those it has not been through. */
static uint64_t
some_older(const struct world *w, unsigned i)
{
	const struct served *v = &w->served[i];
	uint64_t seq = 1;

	while (v->at[seq].count != 0 || !w->messages[seq].is_here ||
	       !takes(&v->terms, w->messages[seq].subject))
		seq++;
	return seq;
}

static void
plant_delivery(struct world *w, unsigned i, enum plant plant)
{
	struct served *v = &w->served[i];
	uint64_t seq;

	if (plant == PLANT_SUBJECT || plant == PLANT_LEFT) {
		if (plant == PLANT_LEFT) {
			w->clients[i].terms.subjects = 1 | 2;
			change(w, i, EDIT_UPDATE);
			w->clients[i].terms.subjects = 1;
			change(w, i, EDIT_UPDATE);
			pass(w, 10 * CLOCK_S);
		}
		tell_deliver(w, i, publish_whole(w, 2), ++v->number, 1);
	} else if (plant == PLANT_BELOW || plant == PLANT_EARLY ||
		   plant == PLANT_OLD)
		/* As if again, so that its order is not looked at. */
		tell_deliver(w, i, some_older(w, i), ++v->number, 2);
	else if (plant == PLANT_COUNT) {
		seq = publish_whole(w, 1);
		deliver(w, i);
		tell_deliver(w, i, seq, ++v->number, 2);
		tell_deliver(w, i, seq, ++v->number, 3);
	} else if (plant == PLANT_TWICE) {
		seq = publish_whole(w, 1);
		deliver(w, i);
		tell_deliver(w, i, seq, v->number, 1);
	} else if (plant == PLANT_BATCH) {
		publish_whole(w, 1);
		publish_whole(w, 1);
		pull(w, i, 1);
		deliver(w, i);
		deliver(w, i);
		pulled(w, i, 2);
	} else if (plant == PLANT_AFTER) {
		seq = some_taken(w, i);
		publish_whole(w, 1);
		deliver(w, i);
		tell_deliver(w, i, seq, ++v->number, v->at[seq].count + 1);
	} else {
		seq = publish_whole(w, 1);
		publish_whole(w, 1);
		v->cursor = w->story.last;
		deliver(w, i);
		v->cursor = seq;
		deliver(w, i);
		v->cursor = w->story.last + 1;
	}
}

/* What it says of itself is wrong. */
static void
plant_numbers(struct world *w, unsigned i, enum plant plant)
{
	struct msg_consumer_seen said = {.drained = 0};
	unsigned n;

	if (plant == PLANT_FLOOR || plant == PLANT_FORGET) {
		publish_whole(w, 1);
		pass(w, 11 * CLOCK_S);
		deliver(w, i);
	}
	if (plant == PLANT_AGAIN) {
		publish_whole(w, 1);
		deliver(w, i);
		pass(w, 11 * CLOCK_S);
		deliver(w, i);
		said.redelivered = UINT64_MAX; /* one less */
	}
	said.floor_seq = plant == PLANT_FLOOR;
	for (n = 0; n < 3; n++) {
		said.pending = plant == PLANT_MORE ? MESSAGES : 0;
		text_set(said.differs, sizeof(said.differs),
		    plant == PLANT_TERMS && n == 1 ? "acks" : "");
		see_as(w, i, &said, plant == PLANT_FORGET);
		pass(w, 10 * CLOCK_S);
	}
}

/* It is gone, and comes back. */
static void
plant_absence(struct world *w, unsigned i)
{
	struct served was;
	unsigned n;

	was = w->served[i];
	for (n = 0; n < 70; n += 5) { /* it is not about to go */
		pull(w, i, 1);
		pulled(w, i, 0);
		pass(w, 5 * CLOCK_S);
	}
	pull(w, i, 1);
	pass(w, CLOCK_S);
	pulled(w, i, 0);
	pass(w, 6 * CLOCK_S);
	w->served[i].exists = false;
	see(w, i, false);
	w->served[i] = was;
}

/* What is wrong with its existence, or its pause. */
static void
plant_existence(struct world *w, unsigned i, enum plant plant)
{
	struct served *v = &w->served[i];
	struct served was = *v;
	struct msg_consumer_terms terms;
	char name[16];

	if (plant <= PLANT_TERMS) {
		plant_numbers(w, i, plant);
		return;
	}
	if (plant == PLANT_MISSING || plant == PLANT_IDLE) {
		plant_absence(w, i);
		return;
	}
	change(w, i, plant == PLANT_PAUSED ? EDIT_PAUSE : EDIT_DELETE);
	if (plant == PLANT_PAUSED) {
		see(w, i, false);
		v->until_ns = 0;
	} else
		*v = was;
	if (plant == PLANT_BACK) {
		pass(w, 10 * CLOCK_S);
		see(w, i, false);
	} else if (plant == PLANT_ANEW) {
		text_set(name, sizeof(name), w->clients[i].name);
		terms = w->clients[i].terms;
		over(w, i);
		text_set(w->clients[i].name, sizeof(name), name);
		w->clients[i].terms = terms;
		w->clients[i].is_used = true;
		*v = was;
		change(w, i, EDIT_CREATE);
	} else {
		publish_whole(w, 1);
		deliver(w, i);
		if (plant == PLANT_PAUSED)
			pass(w, 40 * CLOCK_S);
	}
	v->exists = plant == PLANT_PAUSED || plant == PLANT_ANEW;
}

/* Of the consumer that does the wrong thing. */
static struct msg_consumer_terms
plant_terms(struct world *w, enum plant plant)
{
	struct msg_consumer_terms t = draw_terms(w, 0);

	/* What is given back also skips what it has taken before. */
	t.policy = POLICY_NEW;
	if (plant == PLANT_BELOW)
		t.policy = POLICY_BY_SEQ;
	else if (plant == PLANT_EARLY)
		t.policy = POLICY_BY_TIME;
	else if (plant != PLANT_ANEW && plant != PLANT_OLD && below(w, 2) == 0)
		t.policy = POLICY_ALL;
	t.start_seq = w->story.last + 1;
	t.start_ns = (int64_t)w->story.now;
	t.max_deliver = plant == PLANT_COUNT ? 2 : 0;
	t.is_durable = plant != PLANT_IDLE;
	t.inactive_ns = plant == PLANT_IDLE ? IDLE_NS : 0;
	t.acks = ACK_POLICY_EXPLICIT;
	t.subjects = 1;
	if (w->retention != RETENTION_WORKQUEUE)
		t.subjects += 4 * below(w, 2);
	return t;
}

static void
plant_one(struct world *w, enum plant plant)
{
	struct client *k = &w->clients[0];
	unsigned n;

	publish_whole(w, 1); /* what it must not begin with */
	pass(w, 11 * CLOCK_S);
	/* It takes subject 1, and has begun. */
	do {
		if (k->is_used)
			over(w, 0);
		k->name[0] = '\0';
		k->terms = plant_terms(w, plant);
		k->is_used = true;
		change(w, 0, EDIT_CREATE);
	} while (!k->is_made);
	if (plant != PLANT_IDLE)
		pass(w, 10 * CLOCK_S);
	take_some(w, 0, 4 + below(w, 10));
	if (plant == PLANT_SKIP)
		w->served[0].cursor = publish_whole(w, 1) + 1;
	else if (plant < PLANT_MORE)
		plant_delivery(w, 0, plant);
	else if (plant >= PLANT_UNQUEUE) {
		/* Of others it would be missed, too. */
		for (n = 1; n < PLACES; n++)
			if (w->clients[n].is_used)
				over(w, n);
		drop(w, publish_whole(w, 1));
		w->story.expected[ANOMALY_SKIPPED][CLASS_VIOLATION] = 1;
	} else
		plant_existence(w, 0, plant);
	for (n = 0; n < 6 && w->served[0].exists; n++) {
		publish_whole(w, 1);
		while (deliver(w, 0))
			answer(w, 0);
		pass(w, CLOCK_S);
	}
}

/* What was rough is over for long, and each place is free. */
static void
calm(struct world *w)
{
	unsigned i;

	for (i = 0; !w->is_calm && i < PLACES; i++) {
		w->clients[i].is_spoilt = true;
		over(w, i);
	}
	while (w->is_putting)
		publish(w);
	w->is_calm = true;
	pass(w, 60 * CLOCK_S);
}

/* Each of them is found, and nothing else. */
static void
caught(void **state)
{
	struct world *w = malloc(sizeof(*w));
	unsigned seed, plant, i;
	enum anomaly_kind kind;

	(void)state;
	assert_non_null(w);
	for (seed = 1; seed <= histories(); seed++)
		for (plant = 0; plant < PLANTS; plant++) {
			begin(w, seed,
			    seed % 2 == 0 || plant == PLANT_UNQUEUE ||
				plant == PLANT_UNKEPT,
			    plant == PLANT_UNQUEUE  ? RETENTION_WORKQUEUE
			    : plant == PLANT_UNKEPT ? RETENTION_INTEREST
						    : RETENTION_LIMITS);
			for (i = below(w, 100); i > 0; i--)
				step(w);
			calm(w);
			plant_one(w, plant);
			kind = plant_kinds[plant];
			w->story.expected[kind][CLASS_VIOLATION] = 1;
			finish(w);
		}
	free(w);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sound),
	    cmocka_unit_test(caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
