/* SPDX-License-Identifier: ISC */
/* Publishes that expect a last sequence, and were stored behind another. */
#include "tests/stories/store_story.h"

#define MANY  60
#define VOWED CLASS_VIOLATION

static const struct msg_contents plain = {.allow_rollup = 1};

/* Sequences 1.. belong to the subjects 1 2 3 4 5 1 2 ... */
static void
begin(struct store_story *s)
{
	uint64_t seq;

	store_begin(s, &plain);
	for (seq = 0; seq < MANY; seq++)
		store_publish(s, 1 + (uint32_t)(seq % 5));
}

static void
expected(void **state)
{
	static const struct {
		bool of_subject;
		uint64_t last;
		bool is_wrong;
	} rows[] = {
	    {false, MANY, false}, {false, MANY - 1, true}, {false, 0, true},
	    {false, MANY + 1, true}, {true, 56, false}, {true, 51, true},
	    {true, 0, true}, {true, 58, false}, /* it may have been removed */
	};
	struct store_story s;
	struct msg_publish_terms t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&s);
		t = store_terms(&s, 1);
		t.expects_last = !rows[i].of_subject;
		t.expects_subject = rows[i].of_subject;
		t.last = t.subject_last = rows[i].last;
		store_put(&s, &t);
		s.expected[ANOMALY_CAS_VIOLATED][VOWED] = rows[i].is_wrong;
		store_end(&s);
	}
	/* The subject's last one is deleted: then the one before it counts. */
	begin(&s);
	store_delete(&s, 56);
	t = store_terms(&s, 1);
	t.expects_subject = 1;
	t.subject_last = 51;
	store_put(&s, &t);
	store_end(&s);
	/* A stream's last sequence stays. */
	begin(&s);
	store_delete(&s, MANY);
	t = store_terms(&s, 1);
	t.expects_last = 1;
	t.last = MANY - 1;
	store_put(&s, &t);
	store_end_with(&s, ANOMALY_CAS_VIOLATED, VOWED);
}

/* The outcome of a publish that expects what is not so. */
static uint64_t
refuse(struct store_story *s, enum message_type type, uint32_t code)
{
	struct msg_publish_terms t = store_terms(s, 1);
	struct event ev = {.type = type};

	t.expects_subject = 1;
	t.subject_last = 51;
	store_sent(s, &t);
	/* PUBLISH_UNKNOWN begins like it. */
	ev.u.publish_fail =
	    (struct msg_publish_fail){.id = t.id, .attempt = 1, .code = code};
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_PUBLISH_END};
	ev.u.publish_end = (struct msg_publish_end){STORE_STREAM, t.id,
	    type == MESSAGE_PUBLISH_FAIL ? ENDED_FAILED : ENDED_UNKNOWN};
	store_feed(s, &ev);
	return t.id;
}

/* It is there all the same: misanswered, if one leader was steady. */
static void
refused(void **state)
{
	static const struct {
		enum message_type type;
		uint32_t code;
		bool is_disturbed, is_there;
		enum anomaly_class class; /* CLASS_COUNT: nothing */
	} rows[] = {
	    {MESSAGE_PUBLISH_FAIL, 10071, false, true, VOWED},
	    {MESSAGE_PUBLISH_FAIL, 10164, false, true, VOWED},
	    {MESSAGE_PUBLISH_FAIL, 0, false, true, VOWED}, /* 2.10 */
	    {MESSAGE_PUBLISH_FAIL, 10071, true, true, CLASS_DOCUMENTED},
	    {MESSAGE_PUBLISH_FAIL, 10071, false, false, CLASS_COUNT},
	    {MESSAGE_PUBLISH_FAIL, 10071, true, false, CLASS_COUNT},
	    {MESSAGE_PUBLISH_UNKNOWN, 10008, false, true, CLASS_COUNT},
	};
	struct store_story s;
	uint64_t id;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&s);
		store_pass(&s, 30 * CLOCK_S);
		if (rows[i].is_disturbed)
			store_fault(&s);
		id = refuse(&s, rows[i].type, rows[i].code);
		if (rows[i].is_there)
			s.ids[++s.last] = id;
		store_publish(&s, 2);
		store_pass(&s, 20 * CLOCK_S);
		if (rows[i].class != CLASS_COUNT)
			s.expected[ANOMALY_MISANSWERED][rows[i].class] = 1;
		store_end(&s);
	}
}

/*
 * Keys with two values each: what was refused by a leader that was deposed may
 * be stored, and have dropped an older value; nothing else may.
 */
static void
refused_and_dropped(void **state)
{
	static const struct msg_contents bucket = {
	    .per_subject = 2, .discard = DISCARD_NEW};
	struct store_story s;
	uint64_t id;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) { /* disturbed, stored; stored; disturbed */
		store_begin(&s, &bucket);
		store_publish_many(&s, 10, 5);
		store_pass(&s, 30 * CLOCK_S);
		if (i % 2 == 0)
			store_fault(&s);
		id = refuse(&s, MESSAGE_PUBLISH_FAIL, 10071);
		if (i < 2)
			s.ids[++s.last] = id;
		store_publish(&s, 1);
		store_drop(&s, 5, 5);	/* the oldest of subject 1 ... */
		store_drop(&s, 10, 10); /* ... and the next */
		store_pass(&s, 20 * CLOCK_S);
		if (i < 2)
			s.expected[ANOMALY_MISANSWERED]
				  [i == 0 ? CLASS_DOCUMENTED : VOWED] = 1;
		s.expected[ANOMALY_LOST][VOWED] = i > 0;
		store_end(&s);
	}
}

/* What happens beside a publish that expects what is so, and is refused. */
enum beside {
	NOTHING,
	OTHER_OPEN,    /* another one of its subject */
	OTHER_BEGAN,   /* and was refused itself */
	OTHER_UNKNOWN, /* before it */
	OTHER_SUBJECT, /* one of another subject is open */
	LAST_DELETED,  /* or will be */
	DISTURBED,
	SECOND_ATTEMPT, /* the first may be what it was refused for */
	BESIDES
};

static void
happen(struct store_story *s, enum beside what, uint64_t last)
{
	struct msg_publish_terms t =
	    store_terms(s, what == OTHER_SUBJECT ? 2 : 1);
	struct msg_remove_invoke del = {
	    .how = REMOVER_DELETE, .first = last, .last = last};

	if (what == DISTURBED)
		store_fault(s);
	if (what == LAST_DELETED)
		store_changed(s, MESSAGE_CHANGE_UNKNOWN, store_remove(s, &del));
	if (what < OTHER_OPEN || what > OTHER_SUBJECT)
		return;
	store_sent(s, &t);
	if (what == OTHER_UNKNOWN)
		store_unknown(s, t.id, true);
}

static void
refused_wrongly(void **state)
{
	struct event ev = {.type = MESSAGE_PUBLISH_FAIL}, more;
	struct store_story s;
	struct msg_publish_terms t;
	bool of_subject, is_told;
	unsigned i;

	(void)state;
	for (i = 0; i < 2 * BESIDES; i++) {
		of_subject = i < BESIDES;
		begin(&s);
		store_pass(&s, 30 * CLOCK_S);
		t = store_terms(&s, 1);
		t.expects_subject = of_subject;
		t.expects_last = !of_subject;
		t.subject_last = 56;
		t.last = MANY;
		if (i % BESIDES != OTHER_BEGAN)
			happen(&s, (enum beside)(i % BESIDES), 56);
		store_sent(&s, &t);
		if (i % BESIDES == SECOND_ATTEMPT) {
			more = (struct event){.type = MESSAGE_PUBLISH_INVOKE};
			more.u.publish_invoke.id = t.id;
			more.u.publish_invoke.attempt = 2;
			store_feed(&s, &more);
		}
		if (i % BESIDES == OTHER_BEGAN)
			refuse(&s, MESSAGE_PUBLISH_FAIL, 10071);
		ev.u.publish_fail = (struct msg_publish_fail){
		    .id = t.id, .attempt = 1, .code = 10164};
		store_feed(&s, &ev);
		more = (struct event){.type = MESSAGE_PUBLISH_END};
		more.u.publish_end =
		    (struct msg_publish_end){STORE_STREAM, t.id, ENDED_FAILED};
		store_feed(&s, &more);
		if (i % BESIDES == OTHER_OPEN || i % BESIDES == OTHER_SUBJECT)
			store_unknown(&s, message_id(5, s.counter), true);
		store_pass(&s, 20 * CLOCK_S);
		is_told =
		    i % BESIDES == NOTHING ||
		    i % BESIDES == (of_subject ? OTHER_SUBJECT : LAST_DELETED);
		s.expected[ANOMALY_MISANSWERED][VOWED] = is_told;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(expected),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(refused_wrongly),
	    cmocka_unit_test(refused_and_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
