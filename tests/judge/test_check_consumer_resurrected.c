/* SPDX-License-Identifier: ISC */
/*
 * Consumers that come, change and go: what they must, may and can't deliver,
 * and what is said of them. Each story has its legal twins.
 */
#include "proto/base/text.h"
#include "tests/stories/churn_story.h"

#define VOWED  CLASS_VIOLATION
#define BIT(n) (UINT64_C(1) << ((n)-1))

/* Made, and known for long; 40 more messages have come since. */
static void
settle(struct churn_story *s)
{
	churn_create(s);
	churn_pass(s, 30 * CLOCK_S);
	store_publish_many(&s->store, 40, 4);
	churn_pass(s, 30 * CLOCK_S);
}

/* From where it begins, it has to deliver all of it. */
static void
skipped(void **state)
{
	static const struct {
		uint8_t policy;
		uint64_t start_seq, takes, skips;
		unsigned told; /* of that message */
	} rows[] = {
	    {POLICY_ALL, 0, 1, 0, 0},
	    {POLICY_ALL, 0, 1, 1, 1},
	    {POLICY_ALL, 0, 1, 17, 1},
	    {POLICY_ALL, 0, 1, 80, 1},
	    {POLICY_BY_SEQ, 11, 11, 0, 0},
	    {POLICY_BY_SEQ, 11, 11, 30, 1},
	    {POLICY_NEW, 0, 41, 0, 0},
	    {POLICY_NEW, 0, 41, 41, 1},
	    {POLICY_NEW, 0, 41, 60, 1},
	    {POLICY_LAST, 0, 40, 60, 1},
	    {POLICY_LAST, 0, 40, 40, 0}, /* it may have been removed */
	    {POLICY_LAST_PER_SUBJECT, 0, 37, 80, 1},
	};
	struct churn_story s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		churn_begin(&s);
		s.terms.policy = rows[i].policy;
		s.terms.start_seq = rows[i].start_seq;
		settle(&s);
		if (rows[i].skips == 0)
			churn_take(&s, rows[i].takes, 80);
		else {
			churn_take(&s, rows[i].takes, rows[i].skips - 1);
			churn_take(&s, rows[i].skips + 1, 80);
		}
		churn_pass(&s, 10 * CLOCK_S);
		churn_drained(&s);
		churn_drained(&s);
		s.store.expected[ANOMALY_SKIPPED][VOWED] = rows[i].told;
		churn_end(&s);
	}
}

/* Other filters: confirmed, and taken back; or never answered. */
static void
filter_other(struct churn_story *s, bool is_ok)
{
	s->terms.subjects = BIT(1);
	if (is_ok)
		churn_update(s);
	else
		churn_answer(
		    s, MESSAGE_CHANGE_UNKNOWN, churn_ask(s, EDIT_UPDATE));
	s->terms.subjects = 0;
	if (is_ok)
		churn_update(s);
}

/* What nothing obliges it to deliver. */
static void
not_owed(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;
	uint64_t id;

	(void)state;
	for (i = 0; i < 12; i++) {
		churn_begin(&s);
		s.terms.acks = i == 0	? ACK_POLICY_NONE
			       : i == 1 ? ACK_POLICY_ALL
					: ACK_POLICY_EXPLICIT;
		s.terms.max_deliver = i == 2 ? 3 : 0;
		s.terms.subjects = i == 3 ? BIT(1) | BIT(3) : 0;
		if (i == 4) { /* published while it is made */
			id = churn_ask(&s, EDIT_CREATE);
			s.terms.policy = POLICY_NEW;
			store_publish_many(&s.store, 1, 1);
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN, id);
		}
		settle(&s);
		if (i == 5 || i == 6)
			filter_other(&s, i == 6);
		if (i == 7)
			store_delete(&s.store, 19);
		churn_take(&s, i == 4 ? 42 : 1, 18);
		churn_take(&s, i == 4 ? 42 : 20, s.store.last);
		churn_pass(&s, 10 * CLOCK_S);
		if (i == 8) { /* not on every server yet */
			store_publish(&s.store, 1);
			churn_deliver(&s, 19, 2);
			churn_ack(&s, 19);
		}
		if (i == 9)
			(void)churn_ask(&s, EDIT_DELETE);
		m = churn_look(&s);
		m.drained = i != 10;
		m.pending = i == 11;
		churn_seen(&s, &m);
		churn_end(&s);
	}
}

/* A leader is not known, or a server ended: then it is a warning at most. */
static void
unsteady(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		churn_begin(&s);
		s.terms.policy = i == 1 ? POLICY_NEW : POLICY_ALL;
		s.terms.replicas = i == 2;
		settle(&s);
		if (i != 1)
			churn_take(&s, 1, 79);
		if (i == 2)
			store_fault(&s.store);
		else
			s.leader = "n1";
		churn_pass(&s, 11 * CLOCK_S);
		churn_drained(&s);
		if (i == 0)
			s.store.expected[ANOMALY_SKIPPED][CLASS_WARNING] = 1;
		if (i == 2)
			s.store.expected[ANOMALY_SKIPPED][CLASS_DOCUMENTED] = 1;
		churn_end(&s);
	}
}

/* Message n of 80 is of subject 1 + (40 - n) % 4 (or 80 - n). */
#define SUBJECT_1 4
#define SUBJECT_4 5

/*
 * What it can't deliver: of other subjects whoever leads; what lies before its
 * beginning unless a replica may have been behind.
 */
static void
misplaced(void **state)
{
	enum anomaly_class class;
	struct churn_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 18; i++) {
		k = i / 6; /* 1: another meta leader; 2: a fault before */
		churn_begin(&s);
		if (k == 2)
			store_fault(&s.store);
		if (i % 6 < 2)
			s.terms.subjects = BIT(1);
		if (i % 6 == 2 || i % 6 == 3) {
			s.terms.policy = POLICY_BY_SEQ;
			s.terms.start_seq = SUBJECT_1 + (i % 6 == 2);
		}
		if (i % 6 > 3) {
			s.terms.policy = POLICY_BY_TIME;
			s.terms.start_ns = 1 + SUBJECT_1 + (i % 6 == 4);
		}
		settle(&s);
		if (k == 1)
			s.meta = "n1";
		churn_deliver(&s, i % 6 == 1 ? SUBJECT_4 : SUBJECT_1, 1);
		class = k > 0 && i % 6 > 1 ? CLASS_WARNING : VOWED;
		s.store.expected[ANOMALY_MISDELIVERED][class] =
		    i % 6 == 1 || i % 6 == 2 || i % 6 == 4;
		churn_end(&s);
	}
}

/* It begins at the end of a replica that has not the newest message yet. */
static void
behind(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		churn_begin(&s);
		store_publish(&s.store, 1);
		s.terms.policy = i == 0 ? POLICY_BY_SEQ : POLICY_BY_TIME;
		s.terms.start_seq = s.store.last + 1;
		s.terms.start_ns = (int64_t)s.store.last + 2;
		settle(&s);
		churn_deliver(&s, 41, 1);
		churn_end(&s);
	}
}

/* Where each subject begins another leader chooses anew before the first. */
static void
chosen_anew(void **state)
{
	struct churn_story s;

	(void)state;
	churn_begin(&s);
	s.terms.policy = POLICY_LAST_PER_SUBJECT;
	settle(&s);
	s.leader = "n1"; /* of subjects 1 to 4 the last are 80, 79, 78, 77 */
	store_publish(&s.store, 1);
	churn_take(&s, 77, 79);
	churn_take(&s, 81, 81);
	churn_pass(&s, 11 * CLOCK_S);
	churn_drained(&s);
	churn_end(&s);
}

/* What begins with the new or the last does not go back. */
static void
too_old(void **state)
{
	static const struct {
		uint8_t policy;
		uint64_t subjects, seq;
		bool is_told;
	} rows[] = {
	    {POLICY_NEW, 0, 41, false},
	    {POLICY_NEW, 0, 40, true},
	    {POLICY_NEW, 0, 1, true},
	    {POLICY_LAST, 0, 40, false},
	    {POLICY_LAST, 0, 39, true},
	    {POLICY_LAST, BIT(3) | BIT(4), 38, false},
	    {POLICY_LAST, BIT(3) | BIT(4), 37, true},
	    {POLICY_LAST_PER_SUBJECT, 0, 39, false},
	};
	struct churn_story s;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 3; k++) {
			churn_begin(&s);
			s.terms.policy = rows[i].policy;
			s.terms.subjects = rows[i].subjects;
			if (k == 2) /* not on every server yet, perhaps */
				store_publish_many(&s.store, 4, 4);
			settle(&s);
			if (k == 1)
				s.meta = "n1";
			churn_deliver(&s, rows[i].seq + (k == 2 ? 4 : 0), 1);
			if (k < 2 && rows[i].is_told)
				s.store
				    .expected[ANOMALY_MISDELIVERED]
					     [k == 1 ? CLASS_WARNING : VOWED] =
				    1;
			else if (k == 2 && rows[i].seq == 1)
				s.store.expected[ANOMALY_MISDELIVERED][VOWED] =
				    1;
			churn_end(&s);
		}
}

/* A subject that its filters take no longer, before and after that. */
static void
filters(void **state)
{
	struct churn_story s;
	uint64_t id;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		churn_begin(&s);
		s.terms.subjects = BIT(1) | BIT(2);
		settle(&s);
		s.terms.subjects = BIT(2);
		id = churn_ask(&s, EDIT_UPDATE);
		if (i == 1) /* while it is asked for */
			store_publish(&s.store, 1);
		churn_answer(&s,
		    i == 2   ? MESSAGE_CHANGE_UNKNOWN
		    : i == 3 ? MESSAGE_CHANGE_FAIL
			     : MESSAGE_CHANGE_OK,
		    id);
		if (i == 4) { /* it takes it again */
			s.terms.subjects = 0;
			churn_update(&s);
		}
		if (i == 5)
			s.leader = "n1";
		churn_pass(&s, 30 * CLOCK_S);
		if (i != 1)
			store_publish(&s.store, 1);
		churn_deliver(&s, s.store.last, 1);
		s.store.expected[ANOMALY_MISDELIVERED][VOWED] = i == 0;
		s.store.expected[ANOMALY_MISDELIVERED][CLASS_WARNING] = i == 5;
		churn_end(&s);
	}
}

/* Nothing that is new comes while it is paused, or after its end. */
static void
paused(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 7; i++) {
		churn_begin(&s);
		settle(&s);
		churn_answer(&s,
		    i == 1 ? MESSAGE_CHANGE_UNKNOWN : MESSAGE_CHANGE_OK,
		    churn_ask(&s, EDIT_PAUSE));
		m = churn_look(&s);
		m.paused = 1;
		if (i != 2)
			churn_seen(&s, &m);
		if (i == 3) {
			m.paused = 0;
			churn_seen(&s, &m);
		}
		if (i == 4) /* it goes on */
			(void)churn_ask(&s, EDIT_PAUSE);
		churn_pass(&s, (i == 5 ? 29 : 20) * CLOCK_S);
		if (i != 6)
			store_publish(&s.store, 1);
		churn_deliver(&s, s.store.last, 1);
		s.store.expected[ANOMALY_MISDELIVERED][VOWED] = i == 0;
		churn_end(&s);
	}
	for (i = 0; i < 5; i++) {
		churn_begin(&s);
		if (i == 1) /* one attempt has no answer */
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_CREATE));
		settle(&s);
		if (i == 2)
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_DELETE));
		else
			churn_delete(&s);
		if (i == 3) /* a leader that does not know */
			s.meta = "n1";
		if (i != 4)
			store_publish(&s.store, 1);
		churn_deliver(&s, s.store.last, 1);
		s.store.expected[ANOMALY_MISDELIVERED][VOWED] = i == 0;
		churn_end(&s);
	}
}

/* It is there, or is not, as it was confirmed to be. */
static void
there(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 11; i++) {
		churn_begin(&s);
		s.terms.inactive_ns = i == 1 ? 5 * CLOCK_S : 0;
		s.terms.is_durable = i != 2;
		s.terms.replicas = i == 3 || i == 4;
		s.terms.is_memory = i == 5;
		settle(&s);
		if (i == 4 || i == 5)
			store_fault(&s.store);
		churn_pass(&s, 60 * CLOCK_S);
		if (i == 6)
			(void)churn_ask(&s, EDIT_DELETE);
		m = churn_look(&s);
		m.found = 0;
		m.listed = i == 7;
		if (i == 8) /* a server that has not heard of it */
			m.asked_ns -= 120 * CLOCK_S;
		if (i == 9)
			s.meta = "n1";
		if (i == 10)
			m.found = 1;
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		if (i == 0 || i == 3 || i == 7)
			s.store.expected[ANOMALY_CONSUMER_MISSING][VOWED] = 1;
		else if (i == 4 || i == 5)
			s.store.expected[ANOMALY_CONSUMER_MISSING]
					[CLASS_DOCUMENTED] = 1;
		else if (i == 9)
			s.store
			    .expected[ANOMALY_CONSUMER_MISSING][CLASS_WARNING] =
			    1;
		churn_end(&s);
	}
}

/* The request is turned away, for there are others: it does not count as use.
 */
static void
turn_away(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_PULL_END};
	struct msg_pull_end *m = &ev.u.pull_end;

	*m = (struct msg_pull_end){
	    .consumer = CHURN_CONSUMER, .pull = s->pulls, .status = 408};
	text_set(m->why, sizeof(m->why), "Requests Pending");
	store_feed(&s->store, &ev);
}

/* Requests that are heard, as long as that, one every 5 s. */
static void
use(struct churn_story *s, uint64_t ns)
{
	uint64_t end = s->store.now + ns;

	while (s->store.now < end) {
		churn_pull(s, 10, 0);
		churn_pass(s, CLOCK_S / 2);
		churn_pulled(s, 0, 0);
		churn_pass(s, 9 * CLOCK_S / 2);
	}
}

/* It was about to go when it was asked: that does not stop its server. */
static void
goes_late(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		churn_begin(&s);
		s.terms.is_durable = 0;
		s.terms.inactive_ns = 10 * CLOCK_S;
		settle(&s);
		use(&s, i == 2 ? 5 * CLOCK_S : 70 * CLOCK_S);
		if (i == 1)
			churn_pass(&s, 6 * CLOCK_S);
		use(&s, CLOCK_S);
		m = churn_look(&s);
		m.found = 0;
		churn_seen(&s, &m);
		s.store.expected[ANOMALY_CONSUMER_MISSING][VOWED] = i == 0;
		churn_end(&s);
	}
}

/* It goes by itself, but not so soon after a request that was heard. */
static void
goes_early(void **state)
{
	static const struct {
		uint64_t wait_ms; /* behind that request */
		enum anomaly_class told;
	} rows[] = {
	    {9000, VOWED}, {9600, CLASS_COUNT}, /* nearly in time */
	    {20000, CLASS_COUNT},
	    {9000, CLASS_COUNT},      /* nobody says that it was heard */
	    {9000, VOWED},	      /* it brought nothing */
	    {9000, CLASS_COUNT},      /* another request was heard */
	    {9000, CLASS_COUNT},      /* some configuration goes sooner */
	    {9000, CLASS_COUNT},      /* one that was never answered may */
	    {9000, CLASS_WARNING},    /* a deposed leader may have heard it */
	    {9000, CLASS_WARNING},    /* another meta leader */
	    {9000, CLASS_COUNT},      /* it was to be deleted */
	    {9000, CLASS_COUNT},      /* who is pushed to need not ask */
	    {9000, CLASS_DOCUMENTED}, /* one replica, of a server that ended */
	    {9000, CLASS_COUNT},      /* it was turned away */
	};
	struct msg_consumer_seen m;
	struct churn_story s;
	uint64_t asked_ns;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		churn_begin(&s);
		s.terms.is_durable = 0;
		s.terms.inactive_ns = 10 * CLOCK_S;
		s.terms.replicas = i == 12;
		s.terms.kind = i == 11 ? KIND_PUSH : KIND_PULL;
		settle(&s);
		use(&s, 70 * CLOCK_S);
		if (i == 6 || i == 7)
			s.terms.inactive_ns = 5 * CLOCK_S;
		if (i == 6)
			churn_update(&s);
		if (i == 7)
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_UPDATE));
		asked_ns = s.store.now;
		churn_pull(&s, 10, 0);
		churn_pass(&s, CLOCK_S / 2);
		if (i == 8)
			s.leader = "n1";
		if (i == 12)
			store_fault(&s.store);
		if (i == 5)
			s.pulls++;
		if (i == 13)
			turn_away(&s);
		else if (i != 3)
			churn_pulled(&s, i != 4, 0);
		if (i == 9)
			s.meta = "n1";
		if (i == 10)
			(void)churn_ask(&s, EDIT_DELETE);
		churn_pass(&s, 5 * CLOCK_S);
		s.store.now = asked_ns + rows[i].wait_ms * CLOCK_MS;
		m = churn_look(&s);
		m.found = 0;
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		if (rows[i].told != CLASS_COUNT)
			s.store
			    .expected[ANOMALY_CONSUMER_MISSING][rows[i].told] =
			    1;
		churn_end(&s);
	}
}

/* Nobody uses it, and it stays: its timer looks once in its time. */
static void
stays(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++) {
		churn_begin(&s);
		s.terms.is_durable = i == 6; /* such ones go as well */
		s.terms.inactive_ns = i == 7 ? 0 : 10 * CLOCK_S;
		settle(&s);
		churn_pass(&s, 30 * CLOCK_S);
		churn_leave(&s);
		if (i == 1) /* it was used all the same */
			churn_pull(&s, 10, 0);
		if (i == 2)
			churn_update(&s);
		if (i == 3)
			s.leader = "n1";
		if (i == 4)
			store_fault(&s.store);
		churn_pass(&s, (i == 5 ? 51 : 53) * CLOCK_S);
		m = churn_look(&s);
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		s.store.expected[ANOMALY_WRONG_STATE][CLASS_WARNING] =
		    i == 0 || i == 6;
		churn_end(&s);
	}
}

static void
resurrected(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++) {
		churn_begin(&s);
		if (i == 1)
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_CREATE));
		settle(&s);
		if (i >= 7) /* refused: a late copy makes another one */
			churn_answer(&s, MESSAGE_CHANGE_FAIL,
			    churn_ask(&s, EDIT_CREATE));
		if (i == 2)
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_DELETE));
		else
			churn_delete(&s);
		if (i != 3) /* not every server knows */
			churn_pass(&s, 10 * CLOCK_S);
		m = churn_look(&s);
		m.listed = i == 4 || i == 8;
		m.found = i != 5;
		/* Which it is: another one, that was not answered. */
		m.created += i == 1 || i == 7;
		if (i == 6)
			s.meta = "n1";
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		if (i == 0 || i == 4 || i == 9)
			s.store.expected[ANOMALY_CONSUMER_RESURRECTED][VOWED] =
			    1;
		if (i == 6)
			s.store.expected[ANOMALY_CONSUMER_RESURRECTED]
					[CLASS_WARNING] = 1;
		churn_end(&s);
	}
	for (i = 0; i < 4; i++) { /* given back to whoever makes it again */
		churn_begin(&s);
		settle(&s);
		if (i == 1) /* it may never have been deleted */
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_DELETE));
		else
			churn_delete(&s);
		churn_over(&s);
		s.name = i == 2 ? "c2" : "c1";
		s.created += i == 3;
		churn_create(&s);
		s.store.expected[ANOMALY_CONSUMER_RESURRECTED][VOWED] = i == 0;
		churn_end(&s);
	}
}

static void
scale(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_STREAM_CHANGE};

	ev.u.stream_change.replicas = 1;
	text_set(
	    ev.u.stream_change.name, sizeof(ev.u.stream_change.name), "s0");
	store_feed(&s->store, &ev);
}

static void
differs(void **state)
{
	static const char *const says[] = {"max_deliver", "max_deliver",
	    "max_deliver", "max_deliver", "max_deliver", "max_deliver", "",
	    "num_replicas", "num_replicas", "num_replicas max_deliver"};
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++) {
		churn_begin(&s);
		settle(&s);
		if (i >= 8) /* its stream has fewer replicas, or had */
			scale(&s);
		if (i == 1)
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_UPDATE));
		if (i == 2)
			churn_answer(&s, MESSAGE_CHANGE_FAIL,
			    churn_ask(&s, EDIT_UPDATE));
		m = churn_look(&s);
		if (i == 3) /* asked before it was confirmed */
			churn_update(&s);
		if (i == 4)
			(void)churn_ask(&s, EDIT_UPDATE);
		if (i == 5)
			s.leader = "n1";
		text_set(m.differs, sizeof(m.differs), says[i]);
		churn_seen(&s, &m);
		if (i == 0 || i == 2 || i == 7 || i == 9)
			s.store.expected[ANOMALY_WRONG_STATE][VOWED] = 1;
		if (i == 5)
			s.store.expected[ANOMALY_WRONG_STATE][CLASS_WARNING] =
			    1;
		churn_end(&s);
	}
}

/* What happens before it is asked. */
static void
before_refusal(struct churn_story *s, unsigned i)
{
	churn_begin(s);
	s->terms.inactive_ns = i == 3 ? 5 * CLOCK_S : 0;
	s->terms.replicas = i == 4;
	if (i == 5)
		churn_create(s);
	else
		settle(s);
	if (i == 2) /* that one may have done it */
		churn_answer(
		    s, MESSAGE_CHANGE_UNKNOWN, churn_ask(s, EDIT_DELETE));
	if (i == 4 || i == 6)
		store_fault(&s->store);
	if (i == 4)
		churn_pass(s, 60 * CLOCK_S);
}

/* "There is none", in answer to an update, or to a first delete. */
static void
refused(void **state)
{
	struct event ev = {.type = MESSAGE_CHANGE_UNKNOWN};
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++) {
		before_refusal(&s, i);
		ev.u.change_unknown = (struct msg_change_unknown){
		    .id = churn_ask(
			&s, i == 1 || i == 2 ? EDIT_DELETE : EDIT_UPDATE),
		    .attempt = 1,
		    .code = i == 7   ? 10008
			    : i == 1 ? 10014
				     : 10149};
		ev.type = i == 8 ? MESSAGE_CHANGE_FAIL : MESSAGE_CHANGE_UNKNOWN;
		if (i == 9)
			s.meta = "n1";
		if (i == 9)
			churn_pass(&s, 2 * CLOCK_S);
		store_feed(&s.store, &ev);
		if (i < 2 || i == 8)
			s.store.expected[ANOMALY_MISANSWERED][VOWED] = 1;
		if (i == 4 || i == 6 || i == 9)
			s.store
			    .expected[ANOMALY_MISANSWERED][CLASS_DOCUMENTED] =
			    1;
		churn_end(&s);
	}
}

/* A publish of subject 1 whose outcome is open. */
static uint64_t
put_one(struct churn_story *s)
{
	struct msg_publish_terms terms = store_terms(&s->store, 1);

	store_sent(&s->store, &terms);
	return terms.id;
}

/* It counts more than there are, for long, from one leader. */
static void
counts(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 7; i++) {
		churn_begin(&s);
		s.terms.subjects = BIT(1);
		settle(&s);
		churn_take(&s, 1, 60);
		if (i == 1) /* a publish that may be stored */
			store_unknown(&s.store, put_one(&s), true);
		for (k = 0; k < 3; k++) {
			m = churn_look(&s);
			m.delivered_seq = 60;
			m.pending = i == 2 ? 5 : 6; /* of 20, 5 */
			m.pending += i == 3 && k == 1;
			if (i != 4 || k < 2)
				churn_seen(&s, &m);
			if (i == 5 && k == 1)
				s.leader = "n1";
			churn_pass(&s, (i == 6 ? 8 : 11) * CLOCK_S);
		}
		s.store.expected[ANOMALY_WRONG_STATE][VOWED] = i == 0;
		s.store.expected[ANOMALY_WRONG_STATE][CLASS_WARNING] = i == 5;
		churn_end(&s);
	}
}

/* The next life at the place, which has taken as much as the one before. */
static void
live_again(struct churn_story *s, const char *name)
{
	churn_delete(s);
	churn_over(s);
	s->created++;
	s->name = name;
	churn_create(s);
	churn_pass(s, 30 * CLOCK_S);
	churn_take(s, 1, 12);
}

/* What story i has beside what is right. */
static void
lives_plant(struct churn_story *s, unsigned i)
{
	switch (i) {
	case 0: /* one number twice */
	case 4:
		s->number = 12;
		churn_deliver(s, i == 0 ? 13 : 14, 1);
		break;
	case 1: /* once more than MaxDeliver */
		churn_deliver(s, 12, 2);
		churn_deliver(s, 12, 3);
		break;
	case 2: /* what was acked, by an ack of what came behind it */
		churn_deliver(s, 11, 2);
		break;
	case 3: /* what was not acked */
		churn_deliver(s, 13, 2);
		break;
	case 7: /* what was acked */
		churn_deliver(s, 10, 2);
		break;
	case 8: /* not in the order of the stream */
		churn_deliver(s, 20, 1);
		break;
	default: /* 5 and 6: a life that begins anew */
		break;
	}
}

/* What is judged of every consumer is judged of each of its lives alone. */
static void
lives(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 9; i++) {
		churn_begin(&s);
		s.terms.max_deliver = i == 1 ? 2 : 0;
		if (i == 2 || i == 3)
			s.terms.acks = ACK_POLICY_ALL;
		settle(&s);
		churn_take(&s, 1, 10);
		churn_deliver(&s, 11, 1);
		churn_deliver(&s, 12, 1);
		if (i == 2 || i == 3)
			churn_ack(&s, 12);
		churn_pass(&s, 30 * CLOCK_S);
		store_publish(&s.store, 1); /* behind that ack */
		if (i == 5 || i == 6)
			live_again(&s, i == 5 ? "c1" : "c2");
		churn_deliver(&s, 13, 1);
		churn_deliver(&s, s.store.last, 1); /* M1 */
		lives_plant(&s, i);
		s.store.expected[ANOMALY_DELIVERED_TWICE][VOWED] =
		    i == 0 || i == 4;
		s.store.expected[ANOMALY_LIMIT_EXCEEDED][VOWED] = i == 1;
		s.store.expected[ANOMALY_REDELIVERED_AFTER_ACK][VOWED] =
		    i == 2 || i == 7;
		s.store.expected[ANOMALY_REORDER][VOWED] = i == 8;
		churn_end(&s);
	}
}

/* What it says in look k of story i, of 61 of which 60 are acked. */
static struct msg_consumer_seen
left(struct churn_story *s, unsigned i, unsigned k)
{
	struct msg_consumer_seen m = churn_look(s);
	bool is_forgotten = i == 2 || i == 3;

	m.delivered_seq = 61;
	m.floor = m.floor_seq = i == 0 || is_forgotten ? 60 : 61;
	m.ack_pending = !is_forgotten;
	m.pending = i == 3 ? 20 : 19;
	m.delivered += i == 11 && k == 1;
	return m;
}

/* It forgets what was delivered and never acked. */
static void
forgets(void **state)
{
	/* Seconds between two looks. */
	static const unsigned rows[] = {6, 6, 6, 6, 11, 4, 6, 6, 6, 6, 6, 6, 6};
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 13; i++) {
		churn_begin(&s);
		s.terms.max_deliver = i == 6 ? 3 : 0;
		s.terms.acks = i == 10 ? ACK_POLICY_ALL : ACK_POLICY_EXPLICIT;
		s.terms.replicas = i == 12;
		settle(&s);
		if (i == 12)
			store_fault(&s.store);
		churn_take(&s, 1, 60);
		churn_deliver(&s, 61, 1);
		if (i == 7)
			churn_ack(&s, 61);
		if (i == 9)
			store_delete(&s.store, 61);
		churn_pass(&s, 15 * CLOCK_S);
		for (k = 0; k < (i == 4 ? 2 : 3); k++) {
			m = left(&s, i, k);
			churn_seen(&s, &m);
			if (i == 8)
				s.leader = "n1";
			churn_pass(&s, rows[i] * CLOCK_S);
		}
		s.store.expected[ANOMALY_WRONG_STATE][VOWED] = i == 1 || i == 2;
		s.store.expected[ANOMALY_WRONG_STATE][CLASS_WARNING] = i == 8;
		churn_end(&s);
	}
}

/* Another leader begins anew, with no quorum that knew of a delivery. */
static void
begins_anew(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		churn_begin(&s);
		s.terms.policy = POLICY_NEW;
		settle(&s);
		churn_deliver(&s, 41, 1);
		if (i == 2) /* a quorum knew */
			churn_ack(&s, 41);
		churn_deliver(&s, 42, 1);
		if (i > 0)
			s.leader = "n1";
		churn_pass(&s, 40 * CLOCK_S);
		for (k = 0; k < 3; k++) {
			m = churn_look(&s);
			m.delivered_seq = m.floor_seq = 80;
			churn_seen(&s, &m);
			churn_pass(&s, 6 * CLOCK_S);
		}
		s.store.expected[ANOMALY_WRONG_STATE]
				[i == 1 ? CLASS_WARNING : VOWED] = 1;
		churn_end(&s);
	}
}

/* What the client of a row gets, and does. */
static void
get_again(struct churn_story *s, unsigned i)
{
	churn_deliver(s, 61, 1);
	churn_deliver(s, 62, 1);
	churn_deliver(s, 61, 2);
	if (i != 2) /* the other one came once */
		churn_deliver(s, 62, i == 1 ? 1 : 2);
	if (i == 3)
		churn_ack(s, 62);
	if (i == 4)
		store_delete(&s->store, 62);
	if (i == 5 || i == 8)
		s->leader = "n1";
	if (i == 10) /* by what was never answered it need not */
		churn_answer(
		    s, MESSAGE_CHANGE_UNKNOWN, churn_ask(s, EDIT_DELETE));
}

/* What its client got more than once, and has not ended, it counts. */
static void
counts_again(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 11; i++) {
		churn_begin(&s);
		s.terms.policy = i == 8 ? POLICY_NEW : POLICY_ALL;
		s.terms.max_deliver = i == 9 ? 3 : 0;
		settle(&s);
		get_again(&s, i);
		churn_pass(&s, 40 * CLOCK_S);
		m = churn_look(&s);
		m.ack_pending = 2;
		m.redelivered = i == 6 ? 2 : i == 7 ? 0 : 1;
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		s.store.expected[ANOMALY_WRONG_STATE][VOWED] = i == 0 || i == 7;
		s.store.expected[ANOMALY_WRONG_STATE][CLASS_WARNING] =
		    i == 5 || i == 8;
		churn_end(&s);
	}
}

/* Its floor is not beyond its last delivery. */
static void
floors(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		churn_begin(&s);
		s.terms.replicas = i == 3;
		if (i == 4)
			s.terms.acks = ACK_POLICY_ALL;
		settle(&s);
		churn_take(&s, 1, 60);
		if (i == 2 || i == 4)
			s.leader = "n1";
		if (i == 3)
			store_fault(&s.store);
		/* An ack for all brought the floor of what its leader forgot.
		 */
		churn_pass(&s, (i == 4 ? 60 : 2) * CLOCK_S);
		m = churn_look(&s);
		m.floor = m.delivered + (i != 1);
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		s.store.expected[ANOMALY_WRONG_STATE][VOWED] = i == 0;
		s.store.expected[ANOMALY_WRONG_STATE][CLASS_WARNING] = i == 2;
		churn_end(&s);
	}
}

/* It awaits more acks than it may. */
static void
awaits(void **state)
{
	struct msg_consumer_seen m;
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		churn_begin(&s);
		s.terms.max_ack_pending = i == 3 ? 0 : 5;
		settle(&s);
		if (i == 2) { /* it may have had another limit */
			s.terms.max_ack_pending = 9;
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_UPDATE));
		}
		if (i == 4)
			s.leader = "n1";
		if (i == 5) { /* it has a lower one */
			s.terms.max_ack_pending = 3;
			churn_update(&s);
		}
		churn_pass(&s, 2 * CLOCK_S);
		m = churn_look(&s);
		m.ack_pending = i == 1 || i == 5 ? 5 : 6;
		churn_seen(&s, &m);
		churn_seen(&s, &m);
		s.store.expected[ANOMALY_LIMIT_EXCEEDED][VOWED] = i == 0;
		s.store.expected[ANOMALY_LIMIT_EXCEEDED][CLASS_WARNING] =
		    i == 4;
		churn_end(&s);
	}
}

static void
reconnect(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_RECONNECTED};

	store_feed(&s->store, &ev);
}

/* Servers have gateways, over which a message may come twice. */
static void
connect_remotes(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_SERVER_REMOTES};

	ev.u.server_remotes.node = 1;
	ev.u.server_remotes.gateways = 1;
	store_feed(&s->store, &ev);
}

/* A delivery comes twice, behind its ack and a message that is newer. */
static void
copies(void **state)
{
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		churn_begin(&s);
		if (i == 1)
			connect_remotes(&s);
		settle(&s);
		churn_take(&s, 1, 80);
		churn_pass(&s, 2 * CLOCK_S);
		churn_deliver(&s, store_publish(&s.store, 1), 1);
		s.number = s.numbers[80] - 1;
		churn_deliver(&s, 80, 1);
		churn_pass(&s, 2 * CLOCK_S);
		s.store.expected[ANOMALY_DELIVERED_TWICE]
				[i == 0 ? VOWED : CLASS_WARNING] = 1;
		s.store.expected[ANOMALY_REDELIVERED_AFTER_ACK][VOWED] = i == 0;
		churn_end(&s);
	}
}

struct brought {
	uint32_t batch;
	uint64_t max_bytes;
	uint32_t messages;
	uint64_t bytes;
	bool is_told;
};

/* A request, and what else happened, by k. */
static void
request(const struct brought *r, size_t k)
{
	struct churn_story s;

	churn_begin(&s);
	if (k == 5)
		connect_remotes(&s);
	settle(&s);
	churn_pull(&s, r->batch, r->max_bytes);
	if (k == 1) /* both of them may have heard of it */
		s.leader = "n1";
	if (k == 2) /* it may have been sent again */
		reconnect(&s);
	if (k == 3) /* of another request nothing is known */
		s.pulls++;
	churn_pass(&s, CLOCK_S);
	churn_pulled(&s, r->messages, r->bytes);
	if (k == 4) {
		churn_pull(&s, 100, 0);
		churn_pulled(&s, r->messages, 1);
	}
	if (r->is_told && k != 3)
		s.store.expected[ANOMALY_LIMIT_EXCEEDED]
				[k == 1 || k == 2 || k == 5 ? CLASS_WARNING
							    : VOWED] = 1;
	churn_end(&s);
}

/* A request brings what it asks for, and no more. */
static void
requests(void **state)
{
	static const struct brought rows[] = {
	    {5, 0, 5, 9999, false},
	    {5, 0, 6, 600, true},
	    {5, 500, 4, 500, false}, /* to the last byte */
	    {5, 500, 4, 501, true},
	    {5, 500, 0, 0, false},
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 6; k++)
			request(&rows[i], k);
}

static void
add_node(struct churn_story *s, const char *version)
{
	struct event ev = {.type = MESSAGE_NODE};

	ev.u.node.node = 1;
	text_set(ev.u.node.version, sizeof(ev.u.node.version), version);
	store_feed(&s->store, &ev);
}

/* A request that wants some only while there are many. */
struct overflow_row {
	uint64_t pending, ack_pending, other; /* other: requests on */
	uint32_t messages;
	bool is_told;
};

static void
overflow(const struct overflow_row *row, unsigned k)
{
	struct event ev = {.type = MESSAGE_PULL_MIN};
	struct churn_story s;

	churn_begin(&s);
	if (k > 2) {
		add_node(&s, "2.15.1");
		add_node(&s, k == 3 ? "2.10.27" : "2.15.1");
	}
	settle(&s);
	churn_pull(&s, 10, 0);
	ev.u.pull_min = (struct msg_pull_min){
	    CHURN_CONSUMER, s.pulls, row->pending, row->ack_pending};
	store_feed(&s.store, &ev);
	if (k == 1)
		s.leader = "n1";
	if (k == 2) /* it may have been sent again */
		reconnect(&s);
	churn_pass(&s, CLOCK_S);
	if (row->other != 0)
		churn_pull(&s, 10, 0);
	churn_pulled(&s, row->messages, 1);
	if (row->is_told && k != 3) /* some know it not */
		s.store.expected[ANOMALY_LIMIT_EXCEEDED]
				[k == 1 || k == 2 ? CLASS_WARNING : VOWED] = 1;
	churn_end(&s);
}

static void
overflows(void **state)
{
	static const struct overflow_row rows[] = {
	    {1000000000, 0, 0, 1, true}, {0, 1000000000, 0, 3, true},
	    {1000000000, 0, 0, 0, false}, {1, 0, 0, 1, false},
	    {0, 1, 0, 1, false},
	    {1000000000, 0, 1, 1, false}, /* of another one */
	};
	size_t i;
	unsigned k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 5; k++)
			overflow(&rows[i], k);
}

/* What is pushed keeps to its rate: 1000 bytes a second, and ten more. */
struct rate_row {
	uint64_t wait_s, bytes, burst;
	bool is_told;
};

static void
rate(const struct rate_row *row, unsigned k)
{
	struct event ev = {.type = MESSAGE_PUSHED};
	struct churn_story s;
	uint64_t made_ns;

	churn_begin(&s);
	if (k == 1)
		connect_remotes(&s);
	s.terms.kind = KIND_PUSH;
	s.terms.rate = k == 3 ? 0 : 8000;
	made_ns = s.store.now;
	churn_create(&s);
	if (k == 4) { /* it may have had a higher one */
		s.terms.rate = 16000;
		churn_update(&s);
	}
	if (k == 2) {
		churn_pass(&s, 10 * CLOCK_S);
		s.leader = "n1";
	}
	while (s.store.now + 2 * CLOCK_S < made_ns + row->wait_s * CLOCK_S)
		churn_pass(&s, CLOCK_S / 2);
	s.store.now = made_ns + row->wait_s * CLOCK_S;
	ev.u.pushed =
	    (struct msg_pushed){CHURN_CONSUMER, row->bytes, row->burst};
	store_feed(&s.store, &ev);
	store_feed(&s.store, &ev);
	if (row->is_told && k < 3)
		s.store.expected[ANOMALY_LIMIT_EXCEEDED]
				[k > 0 ? CLASS_WARNING : VOWED] = 1;
	churn_end(&s);
}

static void
rates(void **state)
{
	static const struct rate_row rows[] = {
	    {20, 30000, 0, false},
	    {20, 33000, 0, true},
	    {20, 33000, 1000, false},
	    {20, 40000, 1000, true},
	    {5, 99000, 0, false}, /* who leads it is not known yet */
	    {60, 70000, 0, false},
	    {60, 73000, 0, true},
	};
	unsigned k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 5; k++)
			rate(&rows[i], k);
}

/* Of headers alone: nothing else, and how much was left out. */
static void
bare(void **state)
{
	struct event ev = {.type = MESSAGE_BARE};
	struct churn_story s;
	const struct live *e;
	unsigned i;

	(void)state;
	for (i = 0; i < 7; i++) {
		churn_begin(&s);
		s.terms.headers_only = i != 3;
		settle(&s);
		if (i == 4) { /* it may have been asked for the rest */
			s.terms.headers_only = 0;
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_UPDATE));
			s.terms.headers_only = 1;
			churn_update(&s);
		}
		e = contents_find(judge_contents(s.store.judge), 0, 7);
		ev.u.bare = (struct msg_bare){.consumer = CHURN_CONSUMER,
		    .seq = 7,
		    .id = s.store.ids[i == 5 ? 8 : 7],
		    .payload = i == 1 || i == 3 || i == 4,
		    .size = 1,
		    .stored = e->bytes + (i == 2 || i == 5)};
		if (i == 6) /* nothing is said of its size */
			ev.u.bare.size = ev.u.bare.stored = 0;
		store_feed(&s.store, &ev);
		s.store.expected[ANOMALY_CORRUPT][VOWED] =
		    i == 1 || i == 2 || i == 6;
		churn_end(&s);
	}
}

/* One client at a time gets messages, while it is pinned. */
static void
pins(void **state)
{
	static const struct {
		uint64_t wait_s, sent, got; /* of a request behind that of 7 */
		uint64_t again_s;	    /* before it 7 asks again; 0: not */
		bool is_told;
	} rows[] = {
	    {1, 0, 8, 0, true}, {4, 9, 8, 0, true},
	    {5, 0, 8, 0, false}, /* the pin is over */
	    {1, 0, 0, 0, false}, {1, 7, 7, 0, false},
	    {6, 0, 8, 4, true}, /* it was kept */
	    {9, 0, 8, 4, false},
	    {8, 0, 8, 6, false}, /* it was over: nobody held it */
	};
	struct churn_story s;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 4; k++) {
			churn_begin(&s);
			settle(&s);
			churn_pull(&s, 10, 0);
			churn_pinned(&s, 0, 7);
			if (rows[i].again_s != 0) {
				churn_pass(&s, rows[i].again_s * CLOCK_S);
				churn_pull(&s, 10, 0);
				churn_pinned(&s, 7, 0);
			}
			if (k == 1)
				s.leader = "n1";
			if (k == 2) /* which may end a pin */
				churn_update(&s);
			if (k == 3) { /* of another life */
				churn_delete(&s);
				churn_over(&s);
				s.created++;
				churn_create(&s);
			}
			churn_pass(
			    &s, (rows[i].wait_s - rows[i].again_s) * CLOCK_S);
			churn_pull(&s, 10, 0);
			churn_pinned(&s, rows[i].sent, rows[i].got);
			s.store.expected[ANOMALY_MISDELIVERED][VOWED] =
			    rows[i].is_told && k == 0;
			churn_end(&s);
		}
}

static void
set_clock(struct churn_story *s, uint64_t ahead_ns)
{
	struct event ev = {.type = MESSAGE_CLOCK_SET};

	ev.u.clock_set.most_ns = (int64_t)ahead_ns;
	store_feed(&s->store, &ev);
}

/* It asks again and again, of a leader that may know of no pin. */
static void
pin_is_kept(void **state)
{
	struct churn_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 2; i++) {
		churn_begin(&s);
		settle(&s);
		churn_pull(&s, 10, 0);
		churn_pinned(&s, 0, 7);
		if (i == 1)
			s.leader = "n1";
		for (k = 0; k < 15; k++) {
			churn_pass(&s, 3 * CLOCK_S);
			churn_pull(&s, 10, 0);
			churn_pinned(&s, 7, 0);
		}
		churn_pull(&s, 10, 0);
		churn_pinned(&s, 0, 8);
		s.store.expected[ANOMALY_MISDELIVERED][VOWED] = i == 0;
		churn_end(&s);
	}
}

/* How long it was waited for, of story i. */
static struct msg_consumer_waited
waited(const struct churn_story *s, unsigned i)
{
	return (struct msg_consumer_waited){.consumer = CHURN_CONSUMER,
	    .since_ns = s->store.now - 70 * CLOCK_S,
	    .tried_ns = (i == 1 ? 59 : 60) * CLOCK_S,
	    .looks = i == 2 ? 2 : 3,
	    .pending = i != 7,
	    .ack_pending = i == 6 || i == 7 || i == 8};
}

/* It says that it has something, and gives nothing to who waits. */
static void
gives_nothing(void **state)
{
	struct event ev = {.type = MESSAGE_CONSUMER_WAITED};
	struct churn_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 14; i++) {
		churn_begin(&s);
		if (i >= 12) /* a clock was set so far */
			set_clock(&s, (13 - i) * CLOCK_S);
		s.terms.max_deliver = i >= 6 && i <= 8 ? i - 6 : 0;
		s.terms.ack_wait_ns = (i == 3 ? 7 : 5) * CLOCK_S;
		settle(&s);
		if (i == 4) /* it may be paused */
			churn_answer(&s, MESSAGE_CHANGE_UNKNOWN,
			    churn_ask(&s, EDIT_PAUSE));
		churn_take(&s, 1, 60);
		if (i == 9)
			s.leader = "n1";
		churn_pass(&s, 40 * CLOCK_S);
		if (i == 10)
			reconnect(&s);
		churn_pass(&s, 40 * CLOCK_S);
		if (i == 5)
			(void)churn_ask(&s, EDIT_DELETE);
		ev.u.consumer_waited = waited(&s, i);
		if (i == 9)
			ev.u.consumer_waited.since_ns -= 20 * CLOCK_S;
		store_feed(&s.store, &ev);
		s.store.expected[ANOMALY_NOT_REDELIVERED][VOWED] =
		    i == 0 || i == 6 || i == 11 || i == 13;
		s.store.expected[ANOMALY_NOT_REDELIVERED][CLASS_WARNING] =
		    i == 9 || i == 10;
		churn_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(skipped),
	    cmocka_unit_test(not_owed),
	    cmocka_unit_test(unsteady),
	    cmocka_unit_test(misplaced),
	    cmocka_unit_test(behind),
	    cmocka_unit_test(chosen_anew),
	    cmocka_unit_test(too_old),
	    cmocka_unit_test(filters),
	    cmocka_unit_test(paused),
	    cmocka_unit_test(there),
	    cmocka_unit_test(goes_late),
	    cmocka_unit_test(goes_early),
	    cmocka_unit_test(stays),
	    cmocka_unit_test(resurrected),
	    cmocka_unit_test(differs),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(counts),
	    cmocka_unit_test(forgets),
	    cmocka_unit_test(begins_anew),
	    cmocka_unit_test(counts_again),
	    cmocka_unit_test(floors),
	    cmocka_unit_test(awaits),
	    cmocka_unit_test(lives),
	    cmocka_unit_test(copies),
	    cmocka_unit_test(requests),
	    cmocka_unit_test(overflows),
	    cmocka_unit_test(rates),
	    cmocka_unit_test(bare),
	    cmocka_unit_test(pins),
	    cmocka_unit_test(pin_is_kept),
	    cmocka_unit_test(gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
