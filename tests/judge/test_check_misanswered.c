/* SPDX-License-Identifier: ISC */
/*
 * Streams that forbid deletes, purges or rollups: one that does them, and one
 * that says so of what it allows.
 */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define VOWED CLASS_VIOLATION

static void
refused(struct store_story *s, uint64_t id, const char *why)
{
	struct event ev = {.type = MESSAGE_CHANGE_FAIL};

	ev.u.change_fail.stream = STORE_STREAM;
	ev.u.change_fail.id = id;
	ev.u.change_fail.attempt = 1;
	ev.u.change_fail.code = 10057;
	text_set(ev.u.change_fail.why, sizeof(ev.u.change_fail.why), why);
	store_feed(s, &ev);
}

/* Deletes and purges that are forbidden, confirmed or refused; and allowed. */
static void
removals(void **state)
{
	static const struct msg_contents terms[] = {
	    {.deny_delete = 1}, {.deny_purge = 1}};
	struct msg_remove_invoke m;
	struct store_story s;
	unsigned i, done;

	(void)state;
	for (i = 0; i < 4; i++) {
		for (done = 0; done < 2; done++) {
			store_begin(&s, &terms[i % 2]);
			store_publish_many(&s, 5, 5);
			m = (struct msg_remove_invoke){.first = 2,
			    .last = 2,
			    .how = i < 2 ? REMOVER_PURGE : REMOVER_DELETE};
			if (done)
				store_changed(&s, MESSAGE_CHANGE_OK,
				    store_remove(&s, &m));
			else
				refused(&s, store_remove(&s, &m),
				    "message delete not permitted (10057)");
			if (done)
				store_drop(&s, 2, 2);
			/* 1 and 2 are the forbidden ones. */
			s.expected[ANOMALY_MISANSWERED][VOWED] =
			    done == (i == 1 || i == 2);
			store_end(&s);
		}
	}
}

/* Legal: another text; an attempt that nobody heard of; a change of limits. */
static void
legal(void **state)
{
	static const struct msg_contents terms = {.max_messages = 100};
	static const struct msg_contents denied = {
	    .max_messages = 100, .deny_delete = 1, .deny_purge = 1};
	const struct msg_remove_invoke m = {
	    .how = REMOVER_DELETE, .first = 9, .last = 9};
	struct store_story s;

	(void)state;
	store_begin(&s, &terms);
	store_publish_many(&s, 5, 5);
	refused(&s, store_remove(&s, &m), "no message found (10057)");
	store_end(&s);

	store_begin(&s, &denied);
	store_publish_many(&s, 5, 5);
	store_changed(&s, MESSAGE_CHANGE_UNKNOWN, store_remove(&s, &m));
	store_limits(&s, 50, 0);
	store_end(&s);
}

static void
rolled(struct store_story *s, bool is_allowed, const char *why)
{
	struct msg_contents terms = {.allow_rollup = is_allowed};
	struct event ev = {.type = MESSAGE_PUBLISH_FAIL};
	struct msg_publish_terms t;

	store_begin(s, &terms);
	store_publish(s, 1);
	t = store_terms(s, 2);
	t.rolls = ROLLS_SUBJECT;
	store_sent(s, &t);
	if (why == NULL) {
		store_acked(s, t.id, 2, false);
		return;
	}
	ev.u.publish_fail.stream = STORE_STREAM;
	ev.u.publish_fail.id = t.id;
	ev.u.publish_fail.attempt = 1;
	ev.u.publish_fail.code = 10111;
	text_set(ev.u.publish_fail.why, sizeof(ev.u.publish_fail.why), why);
	store_feed(s, &ev);
}

static void
rollups(void **state)
{
	struct store_story s;

	(void)state;
	rolled(&s, false, NULL);
	store_end_with(&s, ANOMALY_MISANSWERED, VOWED);
	rolled(&s, true, "rollup not permitted (10111)");
	store_end_with(&s, ANOMALY_MISANSWERED, VOWED);
	rolled(&s, true, NULL);
	store_end(&s);
	rolled(&s, false, "rollup not permitted (10111)");
	store_end(&s);
	/* Of a value that it does not know. */
	rolled(&s, true, "rollup value invalid (10111)");
	store_end(&s);
}

static void
is_full(
    struct store_story *s, enum message_type type, uint64_t id, const char *why)
{
	struct event ev = {.type = type};

	ev.u.publish_fail.stream = STORE_STREAM;
	ev.u.publish_fail.id = id;
	ev.u.publish_fail.attempt = 1;
	ev.u.publish_fail.code = 10077;
	text_set(ev.u.publish_fail.why, sizeof(ev.u.publish_fail.why), why);
	store_feed(s, &ev);
}

static void
full(struct store_story *s, enum message_type type, const char *why)
{
	struct msg_publish_terms t = store_terms(s, 1);

	store_sent(s, &t);
	is_full(s, type, t.id, why);
}

/* Its leader is seen after that, too. */
static void
look_again(struct store_story *s)
{
	store_pass(s, 10 * CLOCK_S);
}

/* Ten messages, of five subjects, and a refusal for a limit of so many. */
static void
refuse(struct store_story *s, uint64_t messages, uint64_t of_subject,
    enum message_type type)
{
	struct msg_contents terms = {.discard = DISCARD_NEW,
	    .max_messages = messages,
	    .per_subject = of_subject,
	    .discard_new_per_subject = of_subject != 0};

	store_begin(s, &terms);
	s->more = look_again;
	store_publish_many(s, 10, 5);
	full(s, type,
	    of_subject != 0 ? "maximum messages per subject exceeded (10077)"
			    : "maximum messages exceeded (10077)");
}

/* A stream that says that it is full: is, was, may be, or can't be. */
static void
too_full(void **state)
{
	static const enum message_type types[] = {
	    MESSAGE_PUBLISH_FAIL, MESSAGE_PUBLISH_UNKNOWN};
	struct msg_publish_terms t;
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		refuse(&s, 11, 0, types[i]);
		store_end_with(&s, ANOMALY_MISANSWERED, VOWED);
		refuse(&s, 0, 3, types[i]);
		store_end_with(&s, ANOMALY_MISANSWERED, VOWED);
		refuse(&s, 10, 0, types[i]);
		store_end(&s);
		refuse(&s, 0, 2, types[i]);
		store_end(&s);
	}
	/* Another one may be stored, unheard; and one has left meanwhile. */
	for (i = 0; i < 2; i++) {
		store_begin(&s, &(struct msg_contents){.discard = DISCARD_NEW,
				    .max_messages = 11});
		store_publish_many(&s, 10, 5);
		t = store_terms(&s, 2);
		store_sent(&s, &t);
		if (i == 0) {
			store_unknown(&s, t.id, true);
			full(&s, MESSAGE_PUBLISH_FAIL,
			    "maximum messages exceeded (10077)");
		} else {
			store_acked(&s, t.id, s.last + 1, false);
			t = store_terms(&s, 1);
			store_sent(&s, &t);
			store_delete(&s, 3);
			is_full(&s, MESSAGE_PUBLISH_FAIL, t.id,
			    "maximum messages exceeded (10077)");
		}
		store_end(&s);
	}
	/* A fault: who refused it may not know all. */
	store_begin(&s,
	    &(struct msg_contents){.discard = DISCARD_NEW, .max_messages = 20});
	store_publish_many(&s, 10, 5);
	store_fault(&s);
	full(&s, MESSAGE_PUBLISH_FAIL, "maximum messages exceeded (10077)");
	store_end_with(&s, ANOMALY_MISANSWERED, CLASS_WARNING);
	/* By bytes nothing is said. */
	store_begin(&s,
	    &(struct msg_contents){.discard = DISCARD_NEW, .max_messages = 20});
	full(&s, MESSAGE_PUBLISH_FAIL, "maximum bytes exceeded (10077)");
	store_end(&s);
}

/* By a limit that was in force when it was sent, and is none any more. */
static void
was_full(void **state)
{
	struct msg_publish_terms t;
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		store_begin_alone(
		    &s, &(struct msg_contents){
			    .discard = DISCARD_NEW, .max_messages = 10});
		s.more = look_again;
		store_publish_many(&s, 10, 5);
		t = store_terms(&s, 1);
		if (i == 0)
			store_sent(&s, &t);
		store_limits(&s, 20, 0);
		if (i == 1)
			store_sent(&s, &t);
		is_full(&s, MESSAGE_PUBLISH_FAIL, t.id,
		    "maximum messages exceeded (10077)");
		s.expected[ANOMALY_MISANSWERED][VOWED] = i == 1;
		store_end(&s);
	}
}

/* Somebody seals the stream, and hears of it as of other changes. */
static void
sealed(struct store_story *s, enum message_type outcome)
{
	struct event ev = {.type = MESSAGE_SEAL_INVOKE};

	store_begin(s, &(struct msg_contents){.allow_rollup = 1});
	s->more = look_again;
	store_publish_many(s, 10, 5);
	ev.u.seal_invoke.stream = STORE_STREAM;
	ev.u.seal_invoke.id = message_id(5, ++s->counter);
	ev.u.seal_invoke.attempt = 1;
	store_feed(s, &ev);
	if (outcome == MESSAGE_CHANGE_OK || outcome == MESSAGE_CHANGE_UNKNOWN)
		store_changed(s, outcome, message_id(5, s->counter));
}

/* What a stream takes after it was sealed; and what it need not refuse. */
static void
seals(void **state)
{
	static const struct msg_remove_invoke m = {
	    .how = REMOVER_DELETE, .first = 3, .last = 3};
	struct msg_publish_terms t;
	struct store_story s;
	unsigned i;

	(void)state;
	sealed(&s, MESSAGE_CHANGE_OK);
	store_publish(&s, 1);
	store_end_with(&s, ANOMALY_MISANSWERED, VOWED);
	sealed(&s, MESSAGE_CHANGE_OK);
	store_changed(&s, MESSAGE_CHANGE_OK, store_remove(&s, &m));
	store_drop(&s, 3, 3);
	store_end_with(&s, ANOMALY_MISANSWERED, VOWED);
	/* A fault between: another leader may not know of it yet. */
	sealed(&s, MESSAGE_CHANGE_OK);
	store_fault(&s);
	store_publish(&s, 1);
	store_end_with(&s, ANOMALY_MISANSWERED, CLASS_WARNING);
	/* Legal: refused; or not known to be sealed, or not yet. */
	sealed(&s, MESSAGE_CHANGE_OK);
	refused(&s, store_remove(&s, &m), "message delete not permitted");
	store_end(&s);
	for (i = 0; i < 2; i++) {
		sealed(&s, i == 0 ? MESSAGE_CHANGE_UNKNOWN : MESSAGE_TICK);
		store_publish(&s, 1);
		refused(
		    &s, store_remove(&s, &m), "message delete not permitted");
		store_end(&s);
	}
	/* One that had been sent before. */
	sealed(&s, MESSAGE_TICK);
	t = store_terms(&s, 1);
	store_sent(&s, &t);
	store_changed(&s, MESSAGE_CHANGE_OK, message_id(5, s.counter - 1));
	store_acked(&s, t.id, s.last + 1, false);
	store_end(&s);
}

/* Who seals a stream gives it the limits that it began with. */
static void
seals_limits(void **state)
{
	struct event ev = {.type = MESSAGE_LIMITS_INVOKE}, seal;
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		store_begin_alone(&s, &(struct msg_contents){.per_subject = 4});
		s.more = look_again;
		ev.u.limits_invoke.id = message_id(5, ++s.counter);
		ev.u.limits_invoke.attempt = 1;
		ev.u.limits_invoke.per_subject = 8;
		store_feed(&s, &ev);
		store_changed(&s, MESSAGE_CHANGE_OK, ev.u.limits_invoke.id);
		store_publish_many(&s, 8, 1);
		seal = (struct event){.type = MESSAGE_SEAL_INVOKE};
		seal.u.seal_invoke.id = message_id(5, ++s.counter);
		seal.u.seal_invoke.attempt = 1;
		store_feed(&s, &seal);
		store_changed(&s, MESSAGE_CHANGE_OK, seal.u.seal_invoke.id);
		store_drop(&s, 1 + 4 * i, 4 + i);
		s.expected[ANOMALY_LOST][VOWED] = i == 1;
		store_end(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(removals),
	    cmocka_unit_test(legal),
	    cmocka_unit_test(rollups),
	    cmocka_unit_test(too_full),
	    cmocka_unit_test(was_full),
	    cmocka_unit_test(seals),
	    cmocka_unit_test(seals_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
