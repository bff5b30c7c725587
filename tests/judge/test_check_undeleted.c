/* SPDX-License-Identifier: ISC */
/*
 * Streams whose messages go away, judged as a whole: what is gone without a
 * reason, what is still there, what is above a limit or too old; and what is
 * legal although it looks like it. Planted at the beginning, in the middle
 * and at the end.
 */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define MANY  300
#define VOWED CLASS_VIOLATION

static const struct msg_contents plain = {.allow_rollup = 1};
static const uint64_t places[] = {2, MANY / 2, MANY - 1};

/* Every third message is deleted, and what is below 100 purged: but one. */
static void
lost_beside_removals(void **state)
{
	struct store_story s;
	unsigned i;
	uint64_t seq;

	(void)state;
	for (i = 0; i < 3; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, MANY, 5);
		for (seq = 3; seq <= MANY; seq += 3)
			if (seq != places[i])
				store_delete(&s, seq);
		store_publish_many(&s, MANY, 5);
		store_drop(&s, places[i], places[i]);
		store_end_with(&s, ANOMALY_LOST, VOWED);
	}
}

static void
undeleted(void **state)
{
	struct store_story s;
	unsigned i;
	uint64_t seq;

	(void)state;
	for (i = 0; i < 3; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, MANY, 5);
		for (seq = 1; seq <= MANY; seq++)
			store_delete(&s, seq);
		s.is_gone[places[i]] = false;
		store_end_with(&s, ANOMALY_UNDELETED, VOWED);
	}
}

/*
 * The audit reads by a consumer on a replica that has not heard of the last
 * deletes: the leader counts fewer messages. One more than it lacks is one
 * that is there; and where it does not count, nothing is proven.
 */
static void
read_from_behind(void **state)
{
	static const uint64_t behind[] = {0, 2, 3};
	struct store_story s;
	unsigned i;
	uint64_t seq;

	(void)state;
	for (i = 0; i < 4; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, MANY, 5);
		for (seq = 1; seq <= 50; seq++)
			store_delete(&s, seq);
		for (seq = 48; seq <= 50; seq++)
			s.is_gone[seq] = false;
		s.is_uncounted = i == 3;
		s.behind = i < 3 ? behind[i] : 0;
		if (i < 2)
			s.expected[ANOMALY_UNDELETED][VOWED] = 3;
		if (i == 3)
			s.expected[ANOMALY_UNDELETED][CLASS_WARNING] = 3;
		store_end(&s);
	}
}

/* The same, but it read nothing that was removed: the leader is wrong. */
static void
counted_too_few(void **state)
{
	struct event settled = {
	    .type = MESSAGE_SETTLED, .u.settled = {.ok = 1}};
	struct store_story s;

	(void)state;
	store_begin(&s, &plain);
	store_publish_many(&s, MANY, 5);
	store_delete(&s, 48);
	store_delete(&s, 49);
	store_feed(&s, &settled);
	store_pass(&s, 40 * CLOCK_S);
	s.behind = 1;
	store_end_with(&s, ANOMALY_WRONG_STATE, VOWED);
}

static void
unpurged(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, MANY, 5);
		store_purge(&s, i == 0 ? 0 : MANY);
		store_publish_many(&s, 5, 5);
		s.is_gone[places[i]] = false;
		store_end_with(&s, ANOMALY_UNDELETED, VOWED);
	}
}

/* A purge that takes one too many: the next one, another subject's. */
static void
neighbour_removed(void **state)
{
	struct store_story s;
	struct msg_remove_invoke m = {
	    .how = REMOVER_PURGE, .subject = 2, .first = 1};
	uint64_t seq;

	(void)state;
	store_begin(&s, &plain);
	store_publish_many(&s, MANY, 5);
	store_purge(&s, 100);
	store_drop(&s, 101, 101);
	store_end_with(&s, ANOMALY_LOST, VOWED);

	store_begin(&s, &plain);
	for (seq = 1; seq <= MANY; seq++)
		store_publish(&s, 1 + (uint32_t)(seq % 5));
	store_changed(&s, MESSAGE_CHANGE_OK, store_remove(&s, &m));
	for (seq = 1; seq <= MANY; seq++)
		if (seq % 5 == 1)
			store_drop(&s, seq, seq);
	store_drop(&s, 150, 150);
	store_end_with(&s, ANOMALY_LOST, VOWED);
}

/* "Keep 3" leaves the newest three of a subject. */
static void
keep(void **state)
{
	struct store_story s;
	struct msg_remove_invoke m = {
	    .how = REMOVER_PURGE, .subject = 1, .first = 1, .keep = 3};

	(void)state;
	store_begin(&s, &plain);
	store_publish_many(&s, 10, 1);
	store_changed(&s, MESSAGE_CHANGE_OK, store_remove(&s, &m));
	store_drop(&s, 1, 7);
	store_end(&s);

	store_begin(&s, &plain);
	store_publish_many(&s, 10, 1);
	store_changed(&s, MESSAGE_CHANGE_OK, store_remove(&s, &m));
	store_drop(&s, 1, 8);
	store_end_with(&s, ANOMALY_LOST, VOWED);

	store_begin(&s, &plain);
	store_publish_many(&s, 10, 1);
	store_changed(&s, MESSAGE_CHANGE_OK, store_remove(&s, &m));
	store_drop(&s, 1, 6);
	store_end_with(&s, ANOMALY_UNDELETED, VOWED);
}

/* It replaces what is before it of its subject, and nothing else. */
static void
rollup(void **state)
{
	struct store_story s;
	struct msg_publish_terms t;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 20, 2);
		t = store_terms(&s, 1);
		t.rolls = ROLLS_SUBJECT;
		assert_int_equal(store_put(&s, &t), 21);
		store_publish_many(&s, 4, 2);
		/* Subject 1 has the even ones. */
		for (uint64_t seq = 2; seq <= 20; seq += 2)
			store_drop(&s, seq, seq);
		if (i == 1)
			s.is_gone[10] = false;
		else if (i == 2)
			store_drop(&s, 9, 9);
		else if (i == 3)
			store_drop(&s, 23, 23);
		s.expected[i == 1 ? ANOMALY_UNDELETED : ANOMALY_LOST][VOWED] =
		    i > 0;
		store_end(&s);
	}
}

/* The newest that the limit allows are there, and no others. */
static void
limits(void **state)
{
	static const struct msg_contents kinds[] = {
	    {.max_messages = 50}, {.max_bytes = 5000}, {.per_subject = 10}};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 9; i++) {
		store_begin(&s, &kinds[i / 3]);
		store_publish_many(&s, MANY, 5);
		store_drop(&s, 1, MANY - 50);
		store_numbers(&s, 50, 5000);
		if (i % 3 == 1)
			s.is_gone[MANY - 50] = false;
		else if (i % 3 == 2)
			store_drop(&s, MANY - 49, MANY - 49);
		s.expected[ANOMALY_UNDELETED][VOWED] = i % 3 == 1;
		s.expected[ANOMALY_LOST][VOWED] = i % 3 == 2;
		store_end(&s);
	}
}

static void
expired(void **state)
{
	static const struct msg_contents aging = {
	    .max_age_ns = 20 * CLOCK_S, .allow_ttl = 1};
	struct store_story s;
	struct msg_publish_terms t;

	(void)state;
	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 10 * CLOCK_S);
	store_drop(&s, 5, 5);
	store_end_with(&s, ANOMALY_EXPIRED_EARLY, VOWED);

	/* Gone, or not yet, at about its time. */
	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 21 * CLOCK_S);
	store_drop(&s, 5, 10);
	store_end(&s);

	/* Legal: who read them may have stood still for some seconds. */
	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 28 * CLOCK_S);
	store_end(&s);

	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 32 * CLOCK_S);
	store_drop(&s, 1, 9);
	store_end_with(&s, ANOMALY_EXPIRED_LATE, VOWED);

	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 90 * CLOCK_S);
	store_drop(&s, 2, 10);
	store_end_with(&s, ANOMALY_EXPIRED_LATE, VOWED);

	/* Long ago; but a fault, too, is a reason until 30 s after it. */
	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 90 * CLOCK_S);
	store_fault(&s);
	store_pass(&s, 20 * CLOCK_S);
	store_end(&s);

	store_begin(&s, &aging);
	store_publish_many(&s, 10, 5);
	store_pass(&s, 90 * CLOCK_S);
	store_fault(&s);
	store_pass(&s, 40 * CLOCK_S);
	store_drop(&s, 2, 10);
	store_end_with(&s, ANOMALY_EXPIRED_LATE, VOWED);

	/* A lifetime of its own, and none at all. */
	store_begin(&s, &aging);
	t = store_terms(&s, 1);
	t.ttl_ns = 5 * CLOCK_S;
	store_put(&s, &t);
	t = store_terms(&s, 1);
	t.ttl_ns = UINT64_MAX;
	store_put(&s, &t);
	store_pass(&s, 60 * CLOCK_S);
	store_drop(&s, 1, 1);
	store_end(&s);

	store_begin(&s, &aging);
	t = store_terms(&s, 1);
	t.ttl_ns = UINT64_MAX;
	store_put(&s, &t);
	store_pass(&s, 60 * CLOCK_S);
	store_drop(&s, 1, 1);
	store_end_with(&s, ANOMALY_LOST, VOWED);
}

/* Servers on several hosts: each replica goes by its own clock. */
static void
expired_elsewhere(void **state)
{
	static const struct msg_contents aging = {.max_age_ns = 20 * CLOCK_S};
	static const struct {
		uint64_t age_s;
		bool is_there;
		enum anomaly_kind kind; /* ANOMALY_COUNT: legal */
	} rows[] = {{10, false, ANOMALY_EXPIRED_EARLY},
	    {16, false, ANOMALY_COUNT}, {34, true, ANOMALY_COUNT},
	    {38, true, ANOMALY_EXPIRED_LATE}};
	struct store_story s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		store_begin_on(&s, &aging, "kubernetes");
		store_publish(&s, 1);
		store_pass(&s, rows[i].age_s * CLOCK_S);
		s.is_gone[1] = !rows[i].is_there;
		if (rows[i].kind != ANOMALY_COUNT)
			s.expected[rows[i].kind][VOWED] = 1;
		store_end(&s);
	}
}

/*
 * Clocks that faults have set 4 s behind and 6 s ahead: one server stamps, and
 * another one drops.
 */
static void
expired_apart(void **state)
{
	static const struct msg_contents aging = {.max_age_ns = 20 * CLOCK_S};
	static const struct {
		uint64_t age_s;
		bool is_there;
		enum anomaly_kind kind; /* ANOMALY_COUNT: legal */
	} rows[] = {{8, false, ANOMALY_EXPIRED_EARLY},
	    {11, false, ANOMALY_COUNT}, {39, true, ANOMALY_COUNT},
	    {43, true, ANOMALY_EXPIRED_LATE}};
	struct event ev = {.type = MESSAGE_CLOCK_SET};
	struct store_story s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		store_begin(&s, &aging);
		ev.u.clock_set = (struct msg_clock_set){
		    .node = 1, .least_ns = -4 * (int64_t)CLOCK_S};
		store_feed(&s, &ev);
		store_publish(&s, 1);
		ev.u.clock_set = (struct msg_clock_set){
		    .node = 2, .most_ns = 6 * (int64_t)CLOCK_S};
		store_feed(&s, &ev);
		store_pass(&s, rows[i].age_s * CLOCK_S);
		s.is_gone[1] = !rows[i].is_there;
		if (rows[i].kind != ANOMALY_COUNT)
			s.expected[rows[i].kind][VOWED] = 1;
		store_end(&s);
	}
}

/* Legal: what nobody knows the outcome of, and what happened meanwhile. */
static void
legal_unknown(void **state)
{
	struct msg_remove_invoke m = {
	    .how = REMOVER_PURGE, .first = 1, .last = 10};
	struct store_story s;
	struct msg_publish_terms t;
	uint64_t id;

	(void)state;
	/* Unknown: gone or not, each of them. */
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	store_changed(&s, MESSAGE_CHANGE_UNKNOWN, store_remove(&s, &m));
	store_drop(&s, 1, 5);
	store_end(&s);
	/* Refused for certain: nothing is gone. */
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	store_changed(&s, MESSAGE_CHANGE_FAIL, store_remove(&s, &m));
	store_drop(&s, 5, 5);
	store_end_with(&s, ANOMALY_LOST, VOWED);
	/* Published while everything was purged. */
	m.last = 0;
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	t = store_terms(&s, 1);
	store_sent(&s, &t);
	id = store_remove(&s, &m);
	store_changed(&s, MESSAGE_CHANGE_OK, id);
	store_acked(&s, t.id, 21, false);
	store_drop(&s, 1, 21);
	store_end(&s);
	/* Published afterwards. */
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	id = store_remove(&s, &m);
	store_changed(&s, MESSAGE_CHANGE_OK, id);
	store_publish(&s, 1);
	store_drop(&s, 1, 21);
	store_end_with(&s, ANOMALY_LOST, VOWED);
}

/*
 * Legal: a first attempt was stored, removed, and the second one is told so;
 * a publish that nobody heard of has pushed out the oldest.
 */
static void
legal_publishes(void **state)
{
	static const struct msg_contents small = {.max_messages = 10};
	struct store_story s;
	struct msg_publish_terms t;

	(void)state;
	store_begin(&s, &plain);
	t = store_terms(&s, 1);
	store_sent(&s, &t);
	store_unknown(&s, t.id, false);
	store_purge(&s, 0);
	store_sent(&s, &t);
	store_acked(&s, t.id, 1, true);
	store_drop(&s, 1, 1);
	store_end(&s);

	store_begin(&s, &small);
	store_publish_many(&s, 20, 5);
	t = store_terms(&s, 1);
	store_sent(&s, &t);
	store_unknown(&s, t.id, true);
	store_drop(&s, 1, 11);
	store_end(&s);
	/* But not two of them. */
	store_begin(&s, &small);
	store_publish_many(&s, 20, 5);
	t = store_terms(&s, 1);
	store_sent(&s, &t);
	store_unknown(&s, t.id, true);
	store_drop(&s, 1, 10);
	store_drop(&s, 14, 14);
	store_end_with(&s, ANOMALY_LOST, VOWED);
	/* An old id again is not stored, though its message is gone. */
	store_begin(&s, &plain);
	t = store_terms(&s, 1);
	store_put(&s, &t);
	store_delete(&s, 1);
	store_sent(&s, &t);
	store_acked(&s, t.id, 1, true);
	store_end(&s);
}

/*
 * Legal: a process died when it had told what it would send, and did not send
 * it; the next one has the same id for something smaller.
 */
static void
legal_untold(void **state)
{
	static const struct msg_contents small = {.max_bytes = 1000};
	struct store_story s;
	struct msg_publish_terms t;

	(void)state;
	store_begin(&s, &small);
	t = store_terms(&s, 1);
	t.stored = 900;
	store_told(&s, &t);
	t.stored = 100;
	store_put(&s, &t);
	store_publish_many(&s, 9, 5);
	store_end(&s);
}

/* Limits that change: the tightest drops, the loosest allows. */
static void
legal_changes(void **state)
{
	static const struct msg_contents wide = {.max_messages = 100};
	struct store_story s;

	(void)state;
	store_begin(&s, &wide);
	store_publish_many(&s, 90, 5);
	store_limits(&s, 10, 0);
	store_drop(&s, 1, 80);
	store_limits(&s, 100, 0);
	store_publish_many(&s, 50, 5);
	store_end(&s);

	store_begin(&s, &wide);
	store_publish_many(&s, 90, 5);
	store_limits(&s, 10, 0);
	store_drop(&s, 1, 80);
	s.is_gone[80] = false;
	store_end_with(&s, ANOMALY_UNDELETED, VOWED);

	store_begin(&s, &wide);
	store_publish_many(&s, 90, 5);
	store_limits(&s, 95, 0);
	store_drop(&s, 1, 1);
	store_end_with(&s, ANOMALY_LOST, VOWED);
}

/* A purge that says that it removed so many of the first ten. */
static void
purge_that_says(struct store_story *s, uint64_t removed)
{
	struct msg_remove_invoke m = {
	    .how = REMOVER_PURGE, .first = 1, .last = 10};

	store_purged(s, store_remove(s, &m), removed);
	store_drop(s, 1, 10);
}

/* What a purge counts, of what is there for certain, and at most. */
static void
purged_counts(void **state)
{
	static const uint64_t wrong[] = {0, 8, 10};
	struct msg_publish_terms t;
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 20, 5);
		store_delete(&s, 3);
		purge_that_says(&s, wrong[i]);
		store_pass(&s, 40 * CLOCK_S);
		store_end_with(&s, ANOMALY_WRONG_STATE, VOWED);
	}
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	store_delete(&s, 3);
	purge_that_says(&s, 9);
	store_pass(&s, 40 * CLOCK_S);
	store_end(&s);
	/* One more or not: nobody heard of it, or it is on its way. */
	for (i = 9; i <= 11; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 9, 5);
		t = store_terms(&s, 1);
		store_sent(&s, &t);
		if (i == 11) {
			store_unknown(&s, t.id, true);
			t = store_terms(&s, 1);
			store_sent(&s, &t);
		}
		purge_that_says(&s, i);
		store_unknown(&s, t.id, true);
		store_pass(&s, 40 * CLOCK_S);
		store_end(&s);
	}
	/* Another one removes some of them meanwhile. */
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	t.id =
	    store_remove(&s, &(struct msg_remove_invoke){
				 .how = REMOVER_DELETE, .first = 4, .last = 4});
	purge_that_says(&s, 9);
	store_changed(&s, MESSAGE_CHANGE_OK, t.id);
	store_pass(&s, 40 * CLOCK_S);
	store_end(&s);
}

/* "Not found", of what is there, and of what is not, or may not be. */
static void
not_there(void **state)
{
	struct msg_remove_invoke m = {
	    .how = REMOVER_DELETE, .first = 7, .last = 7};
	struct store_story s;
	uint64_t id;

	(void)state;
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	store_not_there(&s, store_remove(&s, &m));
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_MISANSWERED, VOWED);

	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	store_delete(&s, 7);
	store_not_there(&s, store_remove(&s, &m));
	store_pass(&s, 40 * CLOCK_S);
	store_end(&s);

	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	id = store_remove(&s, &m);
	store_not_there(&s, store_remove(&s, &m));
	store_changed(&s, MESSAGE_CHANGE_UNKNOWN, id);
	store_pass(&s, 40 * CLOCK_S);
	store_drop(&s, 7, 7);
	store_end(&s);
	/* A leader that was just deposed knows no better. */
	store_begin(&s, &plain);
	store_publish_many(&s, 20, 5);
	store_fault(&s);
	store_not_there(&s, store_remove(&s, &m));
	store_pass(&s, 40 * CLOCK_S);
	store_end_with(&s, ANOMALY_MISANSWERED, CLASS_DOCUMENTED);
}

static void
tell_copy(struct store_story *s, const char *server, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_COPY};

	text_set(ev.u.copy.server, sizeof(ev.u.copy.server), server);
	ev.u.copy.last = s->last;
	store_feed(s, &ev);
	if (seq == 0)
		return;
	ev = (struct event){.type = MESSAGE_COPY_MESSAGE};
	ev.u.copy_message.seq = seq;
	ev.u.copy_message.sum = 17;
	text_set(
	    ev.u.copy_message.server, sizeof(ev.u.copy_message.server), server);
	store_feed(s, &ev);
}

/* For a minute one of two servers has a sequence, and the other lacks it. */
static void
tell_copies(struct store_story *s, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_SETTLED};

	ev.u.settled.ok = 1;
	store_feed(s, &ev);
	tell_copy(s, "n1", 0);
	tell_copy(s, "n2", 0);
	tell_copy(s, "n1", seq);
	ev = (struct event){.type = MESSAGE_COPIES_END};
	ev.u.copies_end.copies = ev.u.copies_end.expected = 2;
	ev.u.copies_end.differed_ns = 61 * CLOCK_S;
	store_feed(s, &ev);
}

/* A replica that hears late of a limit goes by others than its leader. */
static void
legal_unordered(void **state)
{
	static const struct msg_contents wide = {.max_messages = 100},
					 small = {.max_messages = 10};
	struct store_story s;

	(void)state;
	/* It kept what others dropped until the limit was lifted, */
	store_begin(&s, &small);
	store_publish_many(&s, 20, 5);
	store_limits(&s, 100, 0);
	store_drop(&s, 1, 4);
	tell_copies(&s, 5);
	store_end_with(&s, ANOMALY_DIVERGENCE, CLASS_WARNING);
	/* or dropped by the old one what was stored after that. */
	store_begin(&s, &wide);
	store_limits(&s, 10, 0);
	store_limits(&s, 100, 0);
	store_publish_many(&s, 20, 5);
	store_drop(&s, 1, 10);
	tell_copies(&s, 10);
	store_end_with(&s, ANOMALY_DIVERGENCE, CLASS_WARNING);
	/* But what even the tightest limit lets be is there. */
	store_begin(&s, &wide);
	store_limits(&s, 10, 0);
	store_limits(&s, 100, 0);
	store_publish_many(&s, 20, 5);
	store_drop(&s, 1, 10);
	tell_copies(&s, 12);
	store_end_with(&s, ANOMALY_DIVERGENCE, VOWED);
	/* And what is dropped under the last limit is gone. */
	store_begin(&s, &small);
	store_limits(&s, 20, 0);
	store_publish_many(&s, 60, 5);
	store_drop(&s, 1, 39);
	store_end_with(&s, ANOMALY_UNDELETED, VOWED);
}

/* Of 20 messages the limit lets 10 be, and of one publish nobody heard. */
static struct msg_publish_terms
begin_with_stray(struct store_story *s, unsigned before, bool is_stored)
{
	static const struct msg_contents small = {.max_messages = 10};
	struct msg_publish_terms t;

	store_begin(s, &small);
	store_publish_many(s, before, 5);
	t = store_terms(s, 1);
	store_sent(s, &t);
	store_unknown(s, t.id, true);
	s->last += is_stored;
	store_publish_many(s, 20 - before, 5);
	s->end = s->last;
	return t;
}

/* What was stored, unheard, has taken a sequence. */
static void
strays(void **state)
{
	struct store_story s;

	(void)state;
	/* It was not stored, so it dropped nothing. */
	begin_with_stray(&s, 15, false);
	store_drop(&s, 1, 11);
	store_end_with(&s, ANOMALY_LOST, VOWED);
	/* It was. */
	begin_with_stray(&s, 15, true);
	store_drop(&s, 1, 11);
	store_end(&s);
	/* But it drops one, not two, */
	begin_with_stray(&s, 15, true);
	store_drop(&s, 1, 12);
	store_end_with(&s, ANOMALY_LOST, VOWED);
	/* and none that is newer than itself. */
	begin_with_stray(&s, 8, true);
	store_drop(&s, 1, 8);
	store_drop(&s, 10, 12);
	store_end_with(&s, ANOMALY_LOST, VOWED);
}

/* The same of one that replaces its subject's. */
static void
stray_rollup(void **state)
{
	struct msg_publish_terms t;
	struct store_story s;
	uint64_t end;

	(void)state;
	for (end = 5; end <= 6; end++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 5, 1);
		t = store_terms(&s, 1);
		t.rolls = ROLLS_SUBJECT;
		store_sent(&s, &t);
		store_unknown(&s, t.id, true);
		s.end = end;
		store_drop(&s, 2, 2);
		if (end == 5)
			store_end_with(&s, ANOMALY_LOST, VOWED);
		else
			store_end(&s);
	}
}

/* Its id came again, and was acknowledged where it had stood all the time. */
static void
stray_known_later(void **state)
{
	struct msg_publish_terms t;
	struct store_story s;

	(void)state;
	t = begin_with_stray(&s, 15, true);
	store_sent(&s, &t);
	store_acked(&s, t.id, 16, true);
	store_drop(&s, 1, 11);
	store_end(&s);
}

/* Where events were dropped a message may have been put back unseen. */
static void
beside_a_hole(void **state)
{
	struct event dropped = {.type = MESSAGE_DROPPED};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 10, 5);
		store_delete(&s, 5);
		s.is_gone[5] = false;
		if (i == 1)
			store_feed(&s, &dropped);
		s.expected[ANOMALY_UNDELETED][VOWED] = i == 0;
		store_end(&s);
	}
}

/* Limits meet messages in no order once there are several replicas. */
static void
scaled(void **state)
{
	static const struct msg_contents few = {.max_messages = 50};
	struct event ev = {.type = MESSAGE_STREAM_CHANGE};
	struct store_story s;
	unsigned i;

	(void)state;
	text_set(
	    ev.u.stream_change.name, sizeof(ev.u.stream_change.name), "s0");
	ev.u.stream_change.replicas = 3;
	for (i = 0; i < 2; i++) {
		store_begin_alone(&s, &few);
		store_publish_many(&s, 20, 5);
		if (i == 1)
			store_feed(&s, &ev);
		store_limits(&s, 10, 0);
		store_drop(&s, 1, 10);
		store_limits(&s, 50, 0);
		store_publish_many(&s, 20, 5);
		store_drop(&s, 25, 25);
		s.expected[ANOMALY_LOST][VOWED] = i == 0;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lost_beside_removals),
	    cmocka_unit_test(undeleted),
	    cmocka_unit_test(beside_a_hole),
	    cmocka_unit_test(scaled),
	    cmocka_unit_test(read_from_behind),
	    cmocka_unit_test(counted_too_few),
	    cmocka_unit_test(unpurged),
	    cmocka_unit_test(neighbour_removed),
	    cmocka_unit_test(keep),
	    cmocka_unit_test(rollup),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(expired),
	    cmocka_unit_test(expired_elsewhere),
	    cmocka_unit_test(expired_apart),
	    cmocka_unit_test(legal_unknown),
	    cmocka_unit_test(legal_publishes),
	    cmocka_unit_test(legal_untold),
	    cmocka_unit_test(legal_changes),
	    cmocka_unit_test(purged_counts),
	    cmocka_unit_test(not_there),
	    cmocka_unit_test(legal_unordered),
	    cmocka_unit_test(strays),
	    cmocka_unit_test(stray_rollup),
	    cmocka_unit_test(stray_known_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
