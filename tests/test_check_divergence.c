/* SPDX-License-Identifier: ISC */
/*
 * divergence: copies that stay different convict; copies that agree in the
 * end, that could not be read, or that differ while the cluster is not
 * settled don't.
 */
#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"
#include "tests/story.h"

#define COPIES 3

static void
tell_copy(struct story *s, unsigned server, uint32_t round, uint64_t messages,
    uint64_t hash)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_COPY);

	ev->u.copy.round = round;
	ev->u.copy.first = 1;
	ev->u.copy.last = messages;
	ev->u.copy.messages = messages;
	ev->u.copy.hash = hash;
	(void)snprintf(
	    ev->u.copy.server, sizeof(ev->u.copy.server), "n%u", server);
}

static void
tell_message(struct story *s, unsigned server, uint64_t seq, uint64_t sum)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_COPY_MESSAGE);

	ev->u.copy_message.seq = seq;
	ev->u.copy_message.sum = sum;
	(void)snprintf(ev->u.copy_message.server,
	    sizeof(ev->u.copy_message.server), "n%u", server);
}

static void
tell_end(struct story *s, uint32_t copies, bool agree, uint64_t differed_ns)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_COPIES_END);

	ev->u.copies_end.copies = copies;
	ev->u.copies_end.expected = COPIES;
	ev->u.copies_end.agree = agree;
	ev->u.copies_end.differed_ns = differed_ns;
	(void)text_copy(ev->u.copies_end.why, sizeof(ev->u.copies_end.why),
	    copies < COPIES ? "only 2 of 3 copies were found" : "");
}

static void
judged(struct story *s, struct story_verdict *v)
{
	story_judge(s, v);
	story_fini(s);
}

static void
begin(struct story *s)
{
	story_init(s, support_seed());
	s->mayhem = "none";
	story_open(s);
	story_rounds(s, 20);
	story_close(s);
}

/* n2 lacks 7 and has another 9. */
static void
differ(struct story *s, uint32_t round)
{
	unsigned i;

	for (i = 1; i <= COPIES; i++)
		tell_copy(s, i, round, i == 2 ? 19 : 20, i == 2 ? 5 : 4);
}

static void
test_persistent(void **state)
{
	struct story_verdict v;
	struct story s;
	unsigned i;
	uint64_t seq;

	(void)state;
	begin(&s);
	differ(&s, 1);
	differ(&s, 2);
	for (i = 1; i <= COPIES; i++)
		for (seq = 1; seq <= 20; seq++)
			if (i != 2 || seq != 7)
				tell_message(&s, i, seq,
				    i == 2 && seq == 9 ? 99 : 100 + seq);
	tell_end(&s, COPIES, false, 63 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_FAIL);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 1);
	assert_int_equal(story_other_violations(&v, ANOMALY_DIVERGENCE), 0);
	/* It names the sequences and the servers. */
	if (strstr(v.says, "7 (n1 has it, n2 lacks it, n3 has it)") == NULL ||
	    strstr(v.says, "9 (n1 has it, n2 has another, n3 has it)") ==
		NULL ||
	    strstr(v.says, "n2 1..19, 19 messages") == NULL)
		fail_msg("says: %s", v.says);
}

static void
test_agree(void **state)
{
	struct story_verdict v;
	struct story s;
	unsigned i;

	(void)state;
	begin(&s);
	differ(&s, 1); /* one catches up */
	for (i = 1; i <= COPIES; i++)
		tell_copy(&s, i, 2, 20, 4);
	tell_end(&s, COPIES, true, 0);
	judged(&s, &v);
	assert_int_equal(v.result.verdict, VERDICT_PASS);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 0);
}

static void
test_short(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	differ(&s, 1);
	tell_end(&s, COPIES, false, 59 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 1);
	assert_int_equal(v.result.verdict, VERDICT_PASS);
}

static void
test_unsettled(void **state)
{
	struct story_verdict v;
	struct event *ev;
	struct story s;

	(void)state;
	begin(&s);
	ev = story_add(&s, STORY_CHAOS, MESSAGE_SETTLED);
	(void)text_copy(ev->u.settled.why, sizeof(ev->u.settled.why), "n2");
	differ(&s, 1);
	tell_end(&s, COPIES, false, 90 * CLOCK_S);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 1);
}

/* What could not be read is no difference, and no comfort either. */
static void
test_unread(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	begin(&s);
	tell_copy(&s, 1, 1, 20, 4);
	tell_copy(&s, 2, 1, 20, 4);
	tell_end(&s, 2, false, 0);
	judged(&s, &v);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_DIVERGENCE][CLASS_WARNING], 0);
	assert_int_equal(v.result.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(v.says, "2 of 3"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_persistent),
	    cmocka_unit_test(test_agree),
	    cmocka_unit_test(test_short),
	    cmocka_unit_test(test_unsettled),
	    cmocka_unit_test(test_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
