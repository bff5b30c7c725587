/* SPDX-License-Identifier: ISC */
/*
 * redelivered_after_ack: a message came again after its ack was confirmed.
 *
 * Rule (guarantees 6): after a confirmed ack, or term, "the message will never
 *be re-delivered by the consumer". A delivery that was SENT before the ack
 * committed may lawfully ARRIVE after it, from any buffer on the way, so
 * the time of arrival proves nothing. The proof is in the consumer's own
 * numbering. For an acked sequence s with ack confirmed at time t:
 *
 *	M1  a message whose publish was invoked after t, delivered as m1
 *	D   the redelivery of s, numbered d
 *	M2  a message whose publish was invoked after D arrived, number m2;
 *	    three of them, each published after the one before arrived
 *
 * m1 < d means that the server numbered D after M1, so after t. That holds
 * only if D comes from the same line of consumer leaders: a deposed leader
 * may have numbered ahead of the one that follows it. d < m2 without any
 * other delivery numbered d shows that the line which is alive passed d and
 * did not use it for anything else: D was its own. Both together convict.
 *
 * A consumer that lost its state numbers anew, below every M1. While one
 * leader was steady (check_steady) from before the ack until after D arrived,
 * either of these convicts:
 *
 *	D has a number that was received before, and came 20 s and AckWait
 *	after the ack
 *	D arrived at a process that had received an M1 before: each process
 *	has one subscription, which keeps the order of what one leader sends
 *	(one that is started again begins with another connection)
 *
 * Whatever else comes later than the ack wait is a warning.
 *
 * Memory: the numbers and confirmations of the latest KEEP and of what was
 * in flight stand in rings; of older ones only the time is kept by which a
 * block of them had been confirmed (stamps.h), which is later than the truth.
 * Blocks are much smaller than KEEP, or than what was confirmed since: that
 * time, too, is long before the redelivery.
 *
 * Why no legal behaviour trips it: an ack that timed out is UNKNOWN and
 * never enters; late arrivals have d < m1, and do not come behind an M1 on
 * their own connection; a deposed leader's numbers collide with, or lie
 * beyond, those of its successor. Where a leader may have been deposed while
 * what it sent was on its way (it stepped down, a pause, a partition, and
 * servers that send before a quorum knows) the first proof is a warning. With
 * one replica an ack is confirmed before it is written (R1_FLUSH_NS), and after
 * a server has ended the numbers go back: nothing convicts then, and what was
 * confirmed shortly before the end is documented.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/order.h"
#include "orchestrator/judge/stamps.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define PASSES	     3 /* numbers on the way have arrived by then */
#define SUSPECTS_MAX 4096
#define KEEP	     4096  /* numbers and confirmations */
#define BACK_MAX     KEEP  /* numbers looked at to find M1 */
#define RUNS_MAX     16384 /* of confirmed sequences; then half are dropped */
#define ENDS	     64	   /* ends of servers that are remembered */
#define AHEAD_MAX    3072  /* numbers of a deposed leader, at most */
#define APART_NS     (20 * CLOCK_S) /* no delivery is on its way so long */
/* consumerFileStore.flushLoop writes each 100 ms; on a slow host later. */
#define R1_FLUSH_NS (5 * CLOCK_S)
/* What came by a connection is read by then when there is another one. */
#define READ_NS (5 * CLOCK_S)
#define BACKS	8 /* numbers that came again in quiet, of a consumer */

/* What the number of a delivery says. */
enum number {
	NUMBER_NEW,
	NUMBER_AGAIN, /* this message came as this number before */
	NUMBER_TAKEN, /* another message did */
	NUMBER_OLD    /* too far back to be known */
};

struct suspect {
	uint64_t id, seq, consumer_seq, delivered;
	uint64_t arrived_ns;
	uint64_t confirmed_ns; /* at the latest */
	bool is_term;	       /* what was confirmed, if that is known */
	bool is_old;	       /* when exactly is no longer kept */
	uint64_t behind_seq;   /* M1 that its process had received; 0 none */
	uint64_t bar;	       /* m1, 0 not yet known */
	uint64_t bar_seq;      /* the sequence of M1 */
	uint64_t bar_ns;       /* when its publish was invoked */
	uint64_t passed_ns;    /* when the last M2 was delivered */
	unsigned passes;       /* M2s so far, each published after the last */
};

/* The message published last of those that a process has received. */
struct reader {
	uint64_t invoked_ns, seq, number;
	uint64_t mixed_ns; /* until then it may read what the last one got */
};

struct line {
	uint32_t stream, replicas;
	bool is_alone;	/* it may have had one replica */
	bool is_pushed; /* what is sent comes whether its client reads or not */
	uint64_t life;	/* whose it is, if it comes and goes */
	uint64_t ack_wait_ns, created;
	uint64_t first_ns;	       /* when it was told */
	char name[CHECK_CONSUMER_MAX]; /* as LEADER events have it */
	/* consumer sequence: stream sequence, and when it was published */
	struct order numbers;
	uint64_t top_ns; /* when the highest number came */
	uint64_t back;	 /* numbers that came again, or far behind */
	bool is_back;	 /* and no deposed leader can have given them */
	uint64_t quiet_ns[BACKS]; /* when they came without a fault: a ring */
	uint64_t nquiet;
	/* Of the first that came again as new: when they were confirmed. */
	uint64_t firm_ns[BACKS];
	unsigned nfirm;
	struct order confirmed; /* stream sequence: when it was confirmed */
	struct seqmap set;	/* stream sequences that were confirmed */
	uint64_t dropped;	/* below this the ledger knows it as well */
	struct stamps stamps;	/* latest confirmation */
	struct suspect *suspects;
	uint32_t nsuspects, suspects_room;
	struct reader *readers; /* by source */
	uint32_t nreaders;
};

struct redelivered_state {
	struct line *lines; /* by consumer */
	uint32_t n;
	/* Faults in force after which a deposed leader may go on. */
	uint32_t haunts[FAULTS_OPEN_MAX];
	unsigned nhaunts;
	uint64_t haunted_ns;	/* when the last of them was over */
	bool saw_node, is_slow; /* servers that send before a quorum knows */
	bool has_remotes;	/* gateways or leaf nodes, at any time */
};

static struct line *
line_at(struct check *c, uint32_t consumer)
{
	struct redelivered_state *st = c->state;

	return array_at(
	    &st->lines, &st->n, consumer, sizeof(struct line), CHECK_SLOTS_MAX);
}

/* It came later than what was sent before the ack usually takes. */
static bool
came_late(const struct line *l, const struct suspect *s)
{
	return s->is_old || s->arrived_ns - s->confirmed_ns > l->ack_wait_ns;
}

/*
 * With one replica, and a server that ended since the ack: CLASS_DOCUMENTED
 * when the ack may not have been written by then, otherwise CLASS_WARNING.
 * CLASS_VIOLATION: nothing of this kind excuses it.
 */
static enum anomaly_class
class_of(const struct check *c, const struct line *l, const struct suspect *s)
{
	enum anomaly_class class =
	    check_lone_class(c, l->stream, l->is_alone, s->confirmed_ns);
	uint64_t end_ns;

	if (class != CLASS_DOCUMENTED)
		return class;
	return faults_ended_since(c->faults, s->confirmed_ns, &end_ns) &&
		       end_ns <= s->confirmed_ns + R1_FLUSH_NS
		   ? CLASS_DOCUMENTED
		   : CLASS_WARNING;
}

/* A leader that was deposed since the ack may have gone on sending. */
static bool
is_haunted(const struct check *c, const struct suspect *s)
{
	const struct redelivered_state *st = c->state;

	if (st->saw_node && !st->is_slow)
		return false;
	return st->nhaunts > 0 || st->haunted_ns >= s->confirmed_ns ||
	       c->faults->silences.last.to_ns >= s->confirmed_ns;
}

/* "sequence ... was delivered again ... after its ack was confirmed" */
static void
suspect_says(const struct suspect *s, char *out, size_t size)
{
	char after[48] = "";

	if (!s->is_old)
		text_format(after, sizeof(after), "%.3f s ",
		    (double)(s->arrived_ns - s->confirmed_ns) / 1e9);
	text_format(out, size,
	    "sequence %llu was delivered again (delivery %llu, consumer "
	    "sequence %llu) %safter its %s was confirmed",
	    (unsigned long long)s->seq, (unsigned long long)s->delivered,
	    (unsigned long long)s->consumer_seq, after,
	    s->is_term ? "term" : "ack");
}

static struct anomaly
suspect_anomaly(const struct line *l, const struct suspect *s)
{
	return (struct anomaly){.kind = ANOMALY_REDELIVERED_AFTER_ACK,
	    .stream = l->stream,
	    .time_ns = s->arrived_ns,
	    .ids = {s->id, 0},
	    .seqs = {s->seq, s->bar_seq}};
}

/* It is not proven: of a burst only the first have their own sentences. */
static void
raise_unproven(struct check *c, const struct line *l, const struct suspect *s)
{
	struct anomaly a = suspect_anomaly(l, s);
	struct check_span span = {.what = LEADERS_CONSUMER,
	    .name = l->name,
	    .to_ns = c->now_ns,
	    .is_no_proof = true};
	char says[256];

	a.class = class_of(c, l, s);
	/* Of what is pushed much is on its way when an ack is confirmed. */
	if (a.class != CLASS_DOCUMENTED && (!came_late(l, s) || l->is_pushed))
		return;
	suspect_says(s, says, sizeof(says));
	if (a.class == CLASS_VIOLATION)
		a.class = CLASS_WARNING;
	check_raise_steady(c, &a, &span, "%s; %s", says,
	    a.class == CLASS_DOCUMENTED
		? "with one replica an ack is confirmed before it is written, "
		  "and a server ended at about that time"
		: "that it was sent after the ack is not proven");
}

/* It stands between two messages that were published after the ack. */
static void
raise_proven(struct check *c, const struct line *l, const struct suspect *s)
{
	struct anomaly a = suspect_anomaly(l, s);
	char says[256];

	if (class_of(c, l, s) != CLASS_VIOLATION) {
		raise_unproven(c, l, s);
		return;
	}
	suspect_says(s, says, sizeof(says));
	a.class = is_haunted(c, s) ? CLASS_WARNING : CLASS_VIOLATION;
	check_raise(c, &a,
	    "%s; sequence %llu, published after that ack, has the lower "
	    "consumer sequence %llu, so the server sent this one later%s",
	    says, (unsigned long long)s->bar_seq, (unsigned long long)s->bar,
	    a.class == CLASS_VIOLATION
		? ""
		: ", unless a leader that was deposed meanwhile had sent it "
		  "before");
}

/*
 * Its number is none that a server which kept its state gives: *says why,
 * and true when that convicts a steady leader.
 */
static bool
is_back(const struct line *l, const struct suspect *s, enum number number,
    char *why, size_t size)
{
	uint64_t apart_ns =
	    l->ack_wait_ns > APART_NS ? l->ack_wait_ns : APART_NS;

	text_set(why, size,
	    number == NUMBER_AGAIN ? "it has the same number as before"
				   : "another message had its number");
	if ((number == NUMBER_AGAIN || number == NUMBER_TAKEN) &&
	    s->arrived_ns - s->confirmed_ns >= apart_ns)
		return true;
	text_format(why, size,
	    "the process that received it had received sequence %llu before, "
	    "which was published after that ack",
	    (unsigned long long)s->behind_seq);
	return s->behind_seq != 0;
}

/* A redelivery whose number does not lie above those known before. */
static void
raise_back(struct check *c, const struct line *l, const struct suspect *s,
    enum number number)
{
	struct anomaly a = suspect_anomaly(l, s);
	struct check_span span = {.what = LEADERS_CONSUMER,
	    .name = l->name,
	    .replicas = l->replicas,
	    .from_ns = s->confirmed_ns,
	    .to_ns = s->arrived_ns};
	char says[256], why[160];

	if (class_of(c, l, s) != CLASS_VIOLATION ||
	    !is_back(l, s, number, why, sizeof(why))) {
		raise_unproven(c, l, s);
		return;
	}
	suspect_says(s, says, sizeof(says));
	a.class =
	    came_late(l, s) && !l->is_pushed ? CLASS_WARNING : CLASS_COUNT;
	check_raise_steady(c, &a, &span, "%s; %s", says, why);
}

static void
set_bar(struct suspect *s, uint64_t number, uint64_t seq, uint64_t invoked_ns)
{
	s->bar = number;
	s->bar_seq = seq;
	s->bar_ns = invoked_ns;
}

static void
suspect_drop(struct line *l, uint32_t i)
{
	l->suspects[i] = l->suspects[--l->nsuspects];
}

/* What a delivery of a message published at invoked_ns says of suspects. */
static void
suspects_judge(struct check *c, struct line *l, const struct msg_deliver *m,
    uint64_t invoked_ns)
{
	uint64_t number = m->consumer_seq;
	struct suspect *s;
	uint32_t i = 0;

	while (i < l->nsuspects) {
		s = &l->suspects[i];
		if (invoked_ns > s->confirmed_ns && number < s->consumer_seq &&
		    invoked_ns > s->bar_ns)
			set_bar(s, number, m->seq, invoked_ns);
		if (invoked_ns <= s->passed_ns) {
			i++;
			continue;
		}
		s->passed_ns = c->now_ns;
		if (number > s->consumer_seq && ++s->passes < PASSES) {
			i++;
			continue;
		}
		/*
		 * Otherwise the living line is behind, so it is not its
		 * number; or nothing shows that it was numbered after the ack.
		 */
		if (number > s->consumer_seq && s->bar != 0)
			raise_proven(c, l, s);
		else
			raise_back(c, l, s, NUMBER_NEW);
		suspect_drop(l, i);
	}
}

/* The latest that it can have been confirmed; 0 when it was not. */
static uint64_t
confirmed_before(struct check *c, const struct line *l,
    const struct msg_deliver *m, struct suspect *s)
{
	const struct order_item *item = order_find(&l->confirmed, m->seq);
	uint64_t same;

	if (item != NULL && item->time_ns != 0) {
		s->is_term = item->value == ANSWER_TERM;
		return item->time_ns;
	}
	s->is_old = true;
	if (seqmap_find(&l->set, m->seq, &same) ||
	    (m->seq < l->dropped && m->delivered > 1 &&
		ledger_was_confirmed(c->ledger, m->consumer, m->id)))
		return stamps_at(&l->stamps, m->seq);
	return 0;
}

/*
 * A redelivery of another message tells that an earlier number of its was
 * lost on the way. A suspect below it may owe its number to a deposed
 * leader, and the lost delivery had the same: nothing is proven then.
 * Unless the other was itself confirmed before M1 was published: whichever
 * of the two has that number, it was sent after its ack.
 */
static void
suspects_doubt(struct check *c, struct line *l, const struct msg_deliver *m)
{
	struct suspect other;
	uint64_t confirmed_ns = confirmed_before(c, l, m, &other);
	const struct suspect *s;
	uint32_t i = 0;

	while (i < l->nsuspects) {
		s = &l->suspects[i];
		if (s->seq == m->seq || s->consumer_seq >= m->consumer_seq ||
		    (confirmed_ns != 0 && confirmed_ns < s->bar_ns)) {
			i++;
			continue;
		}
		raise_back(c, l, s, NUMBER_NEW);
		suspect_drop(l, i);
	}
}

/*
 * It came before, or it was sent before and taken back because nobody was at
 * the inbox: then a message behind it in the stream has a lower number.
 */
static bool
was_sent_before(const struct line *l, const struct msg_deliver *m)
{
	const struct order_item *below;

	if (m->delivered > 1)
		return true;
	below = order_below(&l->numbers, m->consumer_seq);
	return below != NULL && below->value > m->seq;
}

/*
 * So far back that the ring may hold some of the numbers around it and have
 * lost others: what is known of them proves nothing.
 */
static bool
is_forgotten(const struct order *o, uint64_t number)
{
	return o->room >= o->keep && number < o->top &&
	       o->top - number >= o->room;
}

/*
 * A number was used before. A leader that was deposed by a fault may have
 * given it, too, and is not far ahead of its successor.
 */
static void
note_back(const struct check *c, struct line *l, uint64_t number)
{
	l->back++;
	l->is_back |= l->numbers.top - number >= AHEAD_MAX;
	if (faults_quiet_between(
		c->faults, faults_before(c->now_ns), c->now_ns))
		l->quiet_ns[l->nquiet++ % BACKS] = c->now_ns;
}

/* What came again as new was confirmed then: of a second one is enough. */
static void
note_firm(struct line *l, uint64_t confirmed_ns)
{
	if (l->nfirm == 0 ||
	    (l->nfirm < BACKS &&
		confirmed_ns >= l->firm_ns[l->nfirm - 1] + CLOCK_S))
		l->firm_ns[l->nfirm++] = confirmed_ns;
}

/*
 * One of them came while one leader was steady. Or one was confirmed under
 * such a leader: whoever leads later knows that, and who led before is not
 * heard any more.
 */
static bool
came_back_steady(const struct check *c, const struct line *l)
{
	uint64_t i;

	for (i = 0; i < l->nfirm; i++)
		if (check_steady(c, LEADERS_CONSUMER, l->name, l->replicas,
			l->firm_ns[i], l->firm_ns[i]) == STEADY_YES)
			return true;
	for (i = 0; i < BACKS && i < l->nquiet; i++)
		if (check_steady(c, LEADERS_CONSUMER, l->name, l->replicas,
			l->quiet_ns[i], l->quiet_ns[i]) == STEADY_YES)
			return true;
	return false;
}

/* Enter a number: 0 and what it says, or -ENOMEM. */
static int
number_enter(struct check *c, struct line *l, const struct msg_deliver *m,
    uint64_t invoked_ns, enum number *number)
{
	struct order_item *item;
	uint32_t i = 0;
	int err;

	if (m->consumer_seq > l->numbers.top)
		l->top_ns = c->now_ns;
	*number = NUMBER_OLD;
	if (is_forgotten(&l->numbers, m->consumer_seq)) {
		if (l->numbers.top - m->consumer_seq >= ORDER_MAX)
			note_back(c, l, m->consumer_seq);
		return 0;
	}
	err = order_put(&l->numbers, m->consumer_seq, &item);
	if (err < 0)
		return err == -ENOMEM ? err : 0;
	*number = NUMBER_NEW;
	if (item->value == 0) {
		item->value = m->seq;
		item->time_ns = invoked_ns;
		return 0;
	}
	note_back(c, l, m->consumer_seq);
	*number = NUMBER_AGAIN;
	if (item->value == m->seq)
		return 0;
	*number = NUMBER_TAKEN;
	while (i < l->nsuspects) {
		if (l->suspects[i].consumer_seq != m->consumer_seq) {
			i++;
			continue;
		}
		raise_back(c, l, &l->suspects[i], NUMBER_TAKEN);
		suspect_drop(l, i);
	}
	return 0;
}

/* A message published after the ack, with a lower number: M1. */
static void
find_bar(const struct line *l, struct suspect *s)
{
	const struct order_item *item;
	uint64_t at = s->consumer_seq;
	unsigned n;

	for (n = 0; n < BACK_MAX; n++) {
		item = order_below(&l->numbers, at);
		if (item == NULL)
			return;
		if (item->time_ns > s->confirmed_ns) {
			set_bar(s, item->number, item->value, item->time_ns);
			return;
		}
		at = item->number;
	}
}

/* What came was confirmed before: it waits for proof, or goes back. */
static int
suspect_add(struct check *c, struct line *l, const struct msg_deliver *m,
    const struct reader *r, enum number number)
{
	const struct redelivered_state *st = c->state;
	struct suspect s = {.id = m->id, .seq = m->seq}, *slot;

	s.confirmed_ns = confirmed_before(c, l, m, &s);
	if (s.confirmed_ns == 0)
		return 0;
	s.consumer_seq = m->consumer_seq;
	s.delivered = m->delivered;
	s.arrived_ns = s.passed_ns = c->now_ns;
	/* A copy that took another way may come behind what is newer. */
	if (r->invoked_ns > s.confirmed_ns &&
	    (number != NUMBER_AGAIN || !st->has_remotes))
		s.behind_seq = r->seq;
	if (number == NUMBER_AGAIN && m->delivered == 1)
		note_firm(l, s.confirmed_ns);
	if (number == NUMBER_NEW)
		find_bar(l, &s);
	if (number != NUMBER_NEW ||
	    (s.bar == 0 && m->consumer_seq < l->numbers.top)) {
		raise_back(c, l, &s, number);
		return 0;
	}
	if (l->nsuspects >= SUSPECTS_MAX) {
		raise_back(c, l, &s, NUMBER_NEW);
		return 0;
	}
	slot = array_at(&l->suspects, &l->suspects_room, l->nsuspects,
	    sizeof(*slot), CHECK_SLOTS_MAX);
	if (slot == NULL)
		return -ENOMEM;
	*slot = s;
	l->nsuspects++;
	return 0;
}

static void
line_fini(struct line *l)
{
	order_fini(&l->numbers);
	order_fini(&l->confirmed);
	seqmap_fini(&l->set);
	stamps_fini(&l->stamps);
	free(l->suspects);
	free(l->readers);
	memset(l, 0, sizeof(*l));
}

/* A new consumer may deliver all of them again. */
static void
line_begin(struct check *c, struct line *l, uint32_t stream, const char *name)
{
	line_fini(l);
	order_init(&l->numbers, KEEP);
	order_init(&l->confirmed, KEEP);
	l->stream = stream;
	l->replicas = ledger_replicas(c->ledger, stream);
	l->is_alone = l->replicas == 1;
	l->first_ns = c->now_ns;
	check_consumer_name(c, stream, name, l->name);
}

static void suspects_finish(struct check *, struct line *);

/*
 * The line of a consumer, in the life that it has; NULL without memory, or
 * where nobody can say which consumer it is: *err says which.
 */
static struct line *
line_of(struct check *c, uint32_t consumer, int *err)
{
	const struct life *f = life_of(c->lives, consumer);
	struct line *l = line_at(c, consumer);

	*err = l == NULL ? -ENOMEM : 0;
	if (l == NULL || f == NULL)
		return l;
	if (f->is_vague || f->is_unclear)
		return NULL;
	if (l->life != f->number) {
		suspects_finish(c, l);
		line_begin(c, l, f->stream, f->name);
		l->life = f->number;
	}
	l->replicas = life_replicas(f, c->ledger);
	l->is_alone = life_was_alone(f, c->ledger);
	l->ack_wait_ns = f->range.ack_wait_ns;
	l->is_pushed = life_is_of(f, KIND_PUSH);
	return l;
}

/* When a message was sent first; 0: that is not known any more. */
static uint64_t
invoked_ns(const struct check *c, const struct msg_deliver *m)
{
	const struct ledger_entry *e = ledger_find(c->ledger, m->id);
	const struct live *there =
	    contents_find(c->contents, m->stream, m->seq);

	if (e != NULL)
		return e->invoked_ns;
	return there != NULL && there->id == m->id ? there->invoked_ns : 0;
}

static int
on_deliver(struct check *c, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	enum number number;
	uint64_t sent_ns;
	struct reader *r;
	struct line *l;
	int err;

	if (!check_is_ours(c, m->run, m->intact))
		return 0;
	l = line_of(c, m->consumer, &err);
	if (l == NULL)
		return err;
	r = array_at(
	    &l->readers, &l->nreaders, ev->source, sizeof(*r), CHECK_SLOTS_MAX);
	if (r == NULL)
		return -ENOMEM;
	sent_ns = invoked_ns(c, m);
	err = number_enter(c, l, m, sent_ns, &number);
	if (err < 0)
		return err;
	if (was_sent_before(l, m))
		suspects_doubt(c, l, m);
	if (sent_ns != 0)
		suspects_judge(c, l, m, sent_ns);
	err = suspect_add(c, l, m, r, number);
	if (sent_ns > r->invoked_ns && c->now_ns >= r->mixed_ns)
		*r = (struct reader){sent_ns, m->seq, m->consumer_seq, 0};
	return err;
}

/* Of too many runs the older half is forgotten. */
static void
set_trim(struct line *l)
{
	const struct seqmap_run *r;

	if (l->set.n <= RUNS_MAX)
		return;
	r = &l->set.runs[RUNS_MAX / 2 - 1];
	l->dropped = r->key + r->len;
	seqmap_drop(&l->set, RUNS_MAX / 2);
}

/* From now on it must not come again. -EEXIST: that was known. */
static int
note_confirmed(
    struct check *c, struct line *l, uint64_t seq, enum message_word how)
{
	struct order_item *item;
	int err = seqmap_add(&l->set, seq, seq), put;

	if (err == -ENOMEM)
		return err;
	set_trim(l);
	put = order_put(&l->confirmed, seq, &item);
	if (put == 0 && item->time_ns == 0) {
		item->time_ns = c->now_ns;
		item->value = how;
	}
	if (put == -ENOMEM)
		return put;
	return err == 0 ? stamps_note(&l->stamps, seq, c->now_ns) : err;
}

/* An ack of one that acks all that it had delivered of lower sequences. */
static int
note_all_below(struct check *c, struct line *l, const struct msg_ack_ok *m)
{
	const struct order_item *item;
	uint64_t at = m->consumer_seq;
	int err = 0;

	while (err == 0 && (item = order_below(&l->numbers, at)) != NULL) {
		at = item->number;
		if (item->value < m->seq)
			err = note_confirmed(c, l, item->value, ANSWER_ACK);
	}
	return err;
}

/* An ack, or a term, was confirmed. */
static int
on_ack_ok(struct check *c, const struct msg_ack_ok *m, enum message_word how)
{
	const struct life *f = life_of(c->lives, m->consumer);
	int err;
	struct line *l = line_of(c, m->consumer, &err);

	if (l == NULL)
		return err;
	err = note_confirmed(c, l, m->seq, how);
	if (err == 0 && how == ANSWER_ACK && f != NULL &&
	    life_acks(f, ACK_POLICY_ALL))
		err = note_all_below(c, l, m);
	return err == -ENOMEM ? err : 0;
}

static int
on_consumer(struct check *c, const struct msg_consumer *m)
{
	struct line *l = line_at(c, m->consumer);

	if (l == NULL)
		return -ENOMEM;
	line_begin(c, l, m->stream, m->name);
	l->ack_wait_ns = m->ack_wait_ns;
	l->created = m->created;
	return 0;
}

/*
 * The consumer's own numbers, after the load. A creation time alone proves
 * nothing: a request to create it that was sent twice may change it.
 */
static void
consumer_judge(
    struct check *c, uint32_t consumer, uint64_t created, uint64_t number)
{
	struct redelivered_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_CONSUMER_RESET};
	struct check_span span = {.what = LEADERS_CONSUMER};
	const struct line *l;
	bool is_back;

	if (consumer >= st->n)
		return;
	l = &st->lines[consumer];
	a.stream = l->stream;
	a.class = check_lone_class(c, l->stream, l->is_alone, l->first_ns);
	if (l->created != 0 && check_is_made_later(c, created, l->created) &&
	    l->back > 0) {
		is_back = l->is_back || came_back_steady(c, l);
		if (!is_back && a.class == CLASS_VIOLATION)
			a.class = CLASS_WARNING;
		check_raise(c, &a,
		    "consumer %s was created anew by the server: its creation "
		    "time was %llu and is %llu, and %llu deliveries came with "
		    "numbers that had been used before, the highest of which "
		    "was %llu%s",
		    l->name, (unsigned long long)l->created,
		    (unsigned long long)created, (unsigned long long)l->back,
		    (unsigned long long)l->numbers.top,
		    is_back ? ""
			    : "; all of them when a leader that was deposed "
			      "may have given them, too");
		return;
	}
	if (number >= l->numbers.top)
		return;
	span.is_no_proof = a.class != CLASS_VIOLATION;
	if (a.class == CLASS_VIOLATION)
		a.class = CLASS_WARNING;
	span.name = l->name;
	span.replicas = l->replicas;
	span.from_ns = l->top_ns;
	span.to_ns = c->now_ns;
	check_raise_steady(c, &a, &span,
	    "consumer %s says that %llu is the last consumer sequence that it "
	    "delivered, and number %llu was received %.3f s before",
	    l->name, (unsigned long long)number,
	    (unsigned long long)l->numbers.top,
	    (double)(c->now_ns - l->top_ns) / 1e9);
}

/*
 * It has another connection, or ended, and whoever takes its place has one of
 * its own. What it reads next may still have come by the last one.
 */
static void
reader_forget(
    const struct redelivered_state *st, uint32_t source, uint64_t mixed_ns)
{
	uint32_t i;

	for (i = 0; i < st->n; i++)
		if (source < st->lines[i].nreaders)
			st->lines[i].readers[source] =
			    (struct reader){.mixed_ns = mixed_ns};
}

static bool
is_among(const char *const *modes, size_t n, const char *mode)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(mode, modes[i]) == 0)
			return true;
	return false;
}

/*
 * After these there is no deposed leader. One that was told to step down sends
 * no more, but what it sent last, ahead of its successor, may still come.
 */
static bool
leaves_no_ghost(const char *mode)
{
	static const char *const modes[] = {
	    "random_reload", "client_disconnect"};

	return is_among(modes, sizeof(modes) / sizeof(modes[0]), mode);
}

/*
 * A server that is told to end hands over what it leads before it ends, like
 * one that steps down.
 */
static bool
hands_over(const char *mode)
{
	static const char *const modes[] = {
	    "lame_duck", "rolling_restart", "rolling_upgrade"};

	return is_among(modes, sizeof(modes) / sizeof(modes[0]), mode);
}

static void
on_planned(struct redelivered_state *st, const struct msg_fault_planned *m)
{

	bool haunts = m->ends_server ? st->is_slow && hands_over(m->mode)
				     : !leaves_no_ghost(m->mode);

	if (haunts && st->nhaunts < FAULTS_OPEN_MAX)
		st->haunts[st->nhaunts++] = m->fault;
}

/* One that could not be seen healed stays in force. */
static void
on_healed(struct redelivered_state *st, const struct event *ev)
{
	unsigned i;

	for (i = 0; i < st->nhaunts && ev->u.fault_healed.ok; i++)
		if (st->haunts[i] == ev->u.fault_healed.fault) {
			st->haunts[i] = st->haunts[--st->nhaunts];
			st->haunted_ns = ev->time_ns;
			return;
		}
}

/* From 2.11.2 on a delivery is sent when a quorum knows of it. */
static void
on_node(struct redelivered_state *st, const char *version)
{
	char *end;
	unsigned long major = strtoul(version, &end, 10), minor = 0, patch = 0;

	if (*end == '.')
		minor = strtoul(end + 1, &end, 10);
	if (*end == '.')
		patch = strtoul(end + 1, NULL, 10);
	st->saw_node = true;
	st->is_slow |= major < 2 || (major == 2 && minor < 11) ||
		       (major == 2 && minor == 11 && patch < 2);
}

static int
redelivered_event(struct check *c, const struct event *ev)
{
	struct redelivered_state *st = c->state;

	switch ((unsigned)ev->type) {
	case MESSAGE_DELIVER:
		return on_deliver(c, ev);
	case MESSAGE_ACK_OK:
		return on_ack_ok(c, &ev->u.ack_ok, ANSWER_ACK);
	case MESSAGE_ANSWER_OK: /* with the same fields at its beginning */
		return ev->u.answer_ok.how == ANSWER_TERM
			   ? on_ack_ok(c, &ev->u.ack_ok, ANSWER_TERM)
			   : 0;
	case MESSAGE_CONSUMER:
		return on_consumer(c, &ev->u.consumer);
	case MESSAGE_CONSUMER_STATE:
		consumer_judge(c, ev->u.consumer_state.consumer,
		    ev->u.consumer_state.created,
		    ev->u.consumer_state.consumer_seq);
		return 0;
	case MESSAGE_CHILD_EXIT:
		reader_forget(c->state, ev->u.child_exit.child, 0);
		return 0;
	case MESSAGE_RECONNECTED:
		reader_forget(c->state, ev->source, ev->time_ns + READ_NS);
		return 0;
	case MESSAGE_SERVER_REMOTES:
		st->has_remotes |= ev->u.server_remotes.gateways != 0 ||
				   ev->u.server_remotes.leafs != 0;
		return 0;
	case MESSAGE_NODE:
		on_node(c->state, ev->u.node.version);
		return 0;
	case MESSAGE_FAULT_PLANNED:
		on_planned(c->state, &ev->u.fault_planned);
		return 0;
	default: /* FAULT_HEALED */
		on_healed(c->state, ev);
		return 0;
	}
}

/* At the end nothing is on its way: one M2 is enough. */
static void
suspects_finish(struct check *c, struct line *l)
{
	const struct suspect *s;
	uint32_t k;

	for (k = 0; k < l->nsuspects; k++) {
		s = &l->suspects[k];
		if (s->passes > 0 && s->bar != 0)
			raise_proven(c, l, s);
		else
			raise_back(c, l, s, NUMBER_NEW);
	}
	l->nsuspects = 0;
}

static void
redelivered_finish(struct check *c)
{
	struct redelivered_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		suspects_finish(c, &st->lines[i]);
}

static void
redelivered_fini(struct check *c)
{
	struct redelivered_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		line_fini(&st->lines[i]);
	free(st->lines);
}

static const enum message_type types[] = {MESSAGE_DELIVER, MESSAGE_ACK_OK,
    MESSAGE_CONSUMER, MESSAGE_CONSUMER_STATE, MESSAGE_CHILD_EXIT, MESSAGE_NODE,
    MESSAGE_FAULT_PLANNED, MESSAGE_FAULT_HEALED, MESSAGE_RECONNECTED,
    MESSAGE_ANSWER_OK, MESSAGE_SERVER_REMOTES, 0};

static const enum message_type judges[] = {MESSAGE_ACK_OK, 0};

const struct check_ops check_redelivered_after_ack = {
    .name = "redelivered_after_ack",
    .summary = "a message whose ack was confirmed never comes again",
    .rule = "guarantees 6",
    .types = types,
    .unit = "confirmed acks",
    .judges = judges,
    .state_size = sizeof(struct redelivered_state),
    .event = redelivered_event,
    .finish = redelivered_finish,
    .fini = redelivered_fini,
};
