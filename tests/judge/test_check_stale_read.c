/* SPDX-License-Identifier: ISC */
/*
 * Reads of a stream: wrong ones are told, and those that only look so are not.
 */
#include "tests/stories/store_story.h"

#define MANY  60
#define VOWED CLASS_VIOLATION

static const struct msg_contents plain = {.allow_rollup = 1};

static struct msg_look
question(uint8_t how, uint32_t subject, uint64_t seq)
{
	return (struct msg_look){.how = how, .subject = subject, .seq = seq};
}

/* A read of what shows one message, or none; then time for a proof. */
static void
reads(struct store_story *s, const struct msg_look *q, uint32_t subject,
    uint64_t seq)
{
	store_look(s, q);
	if (seq != 0)
		store_shown(s, subject, seq);
	store_looked(s, seq != 0);
	store_pass(s, 20 * CLOCK_S);
}

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
stale(void **state)
{
	static const struct {
		uint8_t how;
		uint32_t subject;
		uint64_t seq, shown;
		bool is_stale;
	} rows[] = {
	    {LOOK_SEQ, 0, 1, 1, false},
	    {LOOK_SEQ, 0, 1, 0, true},
	    {LOOK_SEQ, 0, 30, 0, true},
	    {LOOK_SEQ, 0, MANY, 0, true},
	    {LOOK_SEQ, 0, MANY + 1, 0, false},
	    {LOOK_LAST, 1, 0, 56, false},
	    {LOOK_LAST, 1, 0, 51, true},
	    {LOOK_LAST, 1, 0, 0, true},
	    {LOOK_LAST, 7, 0, 0, false},
	    {LOOK_NEXT, 1, 2, 6, false},
	    {LOOK_NEXT, 1, 2, 11, true},
	    {LOOK_NEXT, 1, 57, 0, false},
	    {LOOK_NEXT, 1, 52, 0, true},
	};
	struct store_story s;
	struct msg_look q;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&s);
		q = question(rows[i].how, rows[i].subject, rows[i].seq);
		reads(&s, &q, rows[i].subject, rows[i].shown);
		s.expected[ANOMALY_STALE_READ][VOWED] = rows[i].is_stale;
		store_end(&s);
	}
}

/* Removed before the question, while it is open, or nobody knows. */
static void
removed(void **state)
{
	struct msg_remove_invoke m = {
	    .how = REMOVER_DELETE, .first = 30, .last = 30};
	struct store_story s;
	struct msg_look q = question(LOOK_SEQ, 0, 30);

	(void)state;
	begin(&s);
	store_delete(&s, 30);
	reads(&s, &q, 0, 0);
	store_end(&s);

	begin(&s);
	store_delete(&s, 30);
	reads(&s, &q, 5, 30);
	store_end_with(&s, ANOMALY_UNDELETED, VOWED);

	begin(&s); /* any replica may answer, and be behind */
	store_delete(&s, 30);
	q.direct = 1;
	reads(&s, &q, 5, 30);
	reads(&s, &q, 5, 0);
	q.direct = 0;
	store_end(&s);

	begin(&s);
	store_look(&s, &q);
	store_delete(&s, 30);
	store_shown(&s, 5, 30);
	store_looked(&s, 1);
	store_pass(&s, 20 * CLOCK_S);
	store_end(&s);

	begin(&s);
	store_changed(&s, MESSAGE_CHANGE_UNKNOWN, store_remove(&s, &m));
	reads(&s, &q, 5, 30);
	reads(&s, &q, 5, 0);
	store_end(&s);
}

static void
misanswered(void **state)
{
	struct store_story s;
	struct msg_look q = question(LOOK_BATCH, 1, 10);
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		begin(&s);
		q.direct = 1;
		q.up_to = 40;
		q.batch = 10;
		store_look(&s, &q);
		store_shown(&s, 1, 11);
		store_shown(&s, 1, 16);
		if (i == 1)
			store_shown(&s, 1, 16);
		else if (i == 2)
			store_shown(&s, 2, 17);
		else if (i == 3)
			store_shown(&s, 1, 41);
		else if (i == 4)
			store_shown(&s, 1, 6);
		store_looked(&s, 3);
		s.expected[ANOMALY_MISANSWERED][VOWED] = i > 0;
		store_end(&s);
	}
}

/* The last of each of subjects 2 to 4: once each, and of no other. */
static void
several(void **state)
{
	struct msg_look q = question(LOOK_MULTI, 2, 0);
	struct store_story s;
	unsigned i;

	(void)state;
	q.direct = 1;
	q.batch = 3;
	for (i = 0; i < 4; i++) {
		begin(&s);
		store_look(&s, &q);
		store_shown(&s, 2, 57);
		store_shown(&s, 3, 53); /* by a replica that is behind */
		if (i == 1)
			store_shown(&s, 2, 52);
		else if (i == 2)
			store_shown(&s, 5, 60);
		else if (i == 3)
			store_shown(&s, 1, 56);
		else
			store_shown(&s, 4, 59);
		store_looked(&s, 3);
		s.expected[ANOMALY_MISANSWERED][VOWED] = i > 0;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stale),
	    cmocka_unit_test(removed),
	    cmocka_unit_test(misanswered),
	    cmocka_unit_test(several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
