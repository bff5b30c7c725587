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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
