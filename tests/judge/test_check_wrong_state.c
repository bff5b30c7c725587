/* SPDX-License-Identifier: ISC */
/*
 * Must fail: a stream's leader counts what is not there, for long and always
 * the same. And what looks alike and is passing, disturbed, or legal.
 */
#include "proto/base/text.h"
#include "proto/numbers.h"
#include "tests/stories/story.h"

#include <string.h>

#define ROUNDS 60
#define BYTES  200 /* of each message */

/* A twist of what is told; of one story at a time. */
static void (*twist)(struct msg_scan_tally *);
static bool has_fault, has_schedules;

/* The configuration as setup asked for it, and as the audit finds it. */
static const char *asked, *found;
static unsigned config_polls;

#define CONFIG "subjects=a,a.>; replicas=3; max_msgs=-1; no_ack=0"

static void
tell_config(struct story *s, uint32_t source, const char *text)
{
	struct msg_stream_config *m;

	if (text == NULL)
		return;
	m = &story_add(s, source, MESSAGE_STREAM_CONFIG)->u.stream_config;
	m->asked = source == STORY_SETUP;
	m->polls = config_polls;
	text_set(m->text, sizeof(m->text), text);
}

/* Honest numbers of ROUNDS messages, as the audit tells them. */
static void
tell_tally(struct story *s)
{
	struct event *ev;
	struct msg_scan_tally *m;
	struct msg_copies_end *e;
	uint32_t fault;

	story_scan(s, STORY_AUDIT);
	if (has_fault) {
		fault = story_fault(s, true);
		story_healed(s, fault, true);
	}
	story_pass(s, 30 * CLOCK_S);
	ev = story_add(s, STORY_AUDIT, MESSAGE_SCAN_TALLY);
	m = &ev->u.scan_tally;
	m->polls = 40;
	m->lasted_ns = 12 * CLOCK_S;
	m->same = 1;
	m->read = m->messages = s->last;
	m->read_first = m->first = 1;
	m->read_last = m->last = s->last;
	m->read_bytes = m->bytes = s->last * BYTES;
	m->read_subjects = m->subjects = 1;
	text_set(m->server, sizeof(m->server), "n2");
	if (twist != NULL)
		twist(m);
	tell_config(s, STORY_AUDIT, found);
	e = &story_add(s, STORY_AUDIT, MESSAGE_COPIES_END)->u.copies_end;
	e->copies = e->expected = 3;
	e->agree = 1;
}

static void
tell(bool settled, struct story_verdict *v)
{
	struct story s;
	size_t i;

	story_init(&s, 11);
	s.replicas = 3;
	s.mayhem = "none";
	s.audit = tell_tally;
	story_open(&s);
	tell_config(&s, STORY_SETUP, asked);
	if (has_schedules)
		(void)story_add(&s, STORY_PUBLISHER, MESSAGE_SCHEDULE);
	story_rounds(&s, ROUNDS);
	story_close(&s);
	for (i = 0; i < s.n; i++)
		if (s.events[i].type == MESSAGE_SETTLED)
			s.events[i].u.settled.ok = settled;
	story_judge(&s, v);
	story_fini(&s);
}

static void
expect(void (*with)(struct msg_scan_tally *), enum anomaly_kind kind,
    unsigned violations, unsigned warnings)
{
	struct story_verdict v;

	twist = with;
	tell(true, &v);
	if (v.counts[kind][CLASS_VIOLATION] != violations ||
	    v.counts[kind][CLASS_WARNING] != warnings)
		print_message("%s\n", v.says);
	assert_int_equal(v.counts[kind][CLASS_VIOLATION], violations);
	assert_int_equal(v.counts[kind][CLASS_WARNING], warnings);
	assert_int_equal(story_other_violations(&v, kind), 0);
	assert_int_equal(
	    v.result.verdict, violations > 0 ? VERDICT_FAIL : VERDICT_PASS);
}

static void
one_more(struct msg_scan_tally *m)
{
	m->messages++;
	m->last++;
}

static void
one_fewer(struct msg_scan_tally *m)
{
	m->messages--;
	m->deleted++;
}

static void
much_more(struct msg_scan_tally *m)
{
	m->messages += 123;
	m->last += 123;
}

static void
none(struct msg_scan_tally *m)
{
	m->messages = m->bytes = m->subjects = 0;
	m->first = m->last + 1;
}

static void
begins_late(struct msg_scan_tally *m)
{
	m->first++;
	m->last++;
}

static void
ends_early(struct msg_scan_tally *m)
{
	m->read_last++;
}

static void
does_not_add_up(struct msg_scan_tally *m)
{
	m->deleted = 1;
}

static void
deleted_too_few(struct msg_scan_tally *m)
{
	m->last += 3;
	m->deleted = 2;
}

static void
counts_more_than_fit(struct msg_scan_tally *m)
{
	m->messages = m->read = m->last + 1;
}

static void
bytes_more(struct msg_scan_tally *m)
{
	m->bytes += BYTES;
}

static void
bytes_fewer(struct msg_scan_tally *m)
{
	m->bytes--;
}

static void
bytes_wrapped(struct msg_scan_tally *m)
{
	m->bytes = UINT64_MAX - 5;
}

static void
subjects_more(struct msg_scan_tally *m)
{
	m->subjects = 2;
}

static void
no_subjects(struct msg_scan_tally *m)
{
	m->subjects = 0;
}

static void
every_wrong_number_convicts(void **state)
{
	static void (*const twists[])(struct msg_scan_tally *) = {one_more,
	    one_fewer, much_more, none, begins_late, ends_early,
	    does_not_add_up, deleted_too_few, counts_more_than_fit, bytes_more,
	    bytes_fewer, bytes_wrapped, subjects_more, no_subjects};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(twists) / sizeof(twists[0]); i++)
		expect(twists[i], ANOMALY_WRONG_STATE, 1, 0);
}

static void
its_sentence_has_all_numbers(void **state)
{
	struct story_verdict v;

	(void)state;
	twist = much_more;
	tell(true, &v);
	assert_non_null(strstr(v.says,
	    "stream NB_b0b_queue counts more messages than there are; its "
	    "leader n2 said 40 times in 12.0 s: 183 messages, sequences 1 to "
	    "183, 0 of them deleted, 12000 bytes, 1 subjects; read were 60 "
	    "messages, 1 to 60, 12000 bytes, 1 subjects"));
}

static void
honest_numbers_pass(void **state)
{
	(void)state;
	expect(NULL, ANOMALY_WRONG_STATE, 0, 0);
}

/* Everything was removed; the last sequence stays. */
static void
emptied(struct msg_scan_tally *m)
{
	m->read = m->read_first = m->read_last = 0;
	m->read_bytes = m->read_subjects = 0;
	none(m);
}

static void
fresh(struct msg_scan_tally *m)
{
	emptied(m);
	m->first = m->last = 0;
}

/* What lies behind the last message was removed. */
static void
tail_removed(struct msg_scan_tally *m)
{
	m->last += 4;
	m->deleted = 4;
}

static void
too_many_subjects(struct msg_scan_tally *m)
{
	m->subjects = 50;
	m->read_subjects = 0; /* not counted */
}

static void
legal_numbers_are_nothing(void **state)
{
	static void (*const twists[])(struct msg_scan_tally *) = {
	    emptied, fresh, tail_removed, too_many_subjects};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(twists) / sizeof(twists[0]); i++)
		expect(twists[i], ANOMALY_WRONG_STATE, 0, 0);
}

static void
passing(struct msg_scan_tally *m)
{
	one_more(m);
	m->lasted_ns = 9 * CLOCK_S;
}

static void
said_too_seldom(struct msg_scan_tally *m)
{
	one_more(m);
	m->polls = NUMBERS_POLLS - 1;
}

/* A publish of unknown outcome was stored while the scan went on. */
static void
stored_late(struct msg_scan_tally *m)
{
	one_more(m);
	m->same = 0;
}

static void
what_does_not_last_is_a_warning(void **state)
{
	(void)state;
	expect(passing, ANOMALY_WRONG_STATE, 0, 1);
	expect(said_too_seldom, ANOMALY_WRONG_STATE, 0, 1);
	expect(stored_late, ANOMALY_WRONG_STATE, 0, 1);
}

/* A schedule may have sent its message meanwhile, or been removed by that. */
static void
what_schedules_send_meanwhile_is_nothing(void **state)
{
	(void)state;
	has_schedules = true;
	expect(stored_late, ANOMALY_WRONG_STATE, 0, 0);
	expect(one_more, ANOMALY_WRONG_STATE, 1, 0);
	has_schedules = false;
}

/* But numbers that do not fit each other need no scan. */
static void
changed_and_odd(struct msg_scan_tally *m)
{
	does_not_add_up(m);
	m->same = 0;
}

static void
odd_numbers_convict_although_they_changed(void **state)
{
	(void)state;
	expect(changed_and_odd, ANOMALY_WRONG_STATE, 1, 0);
}

static void
an_unsettled_cluster_makes_it_a_warning(void **state)
{
	struct story_verdict v;

	(void)state;
	twist = one_more;
	tell(false, &v);
	assert_int_equal(v.counts[ANOMALY_WRONG_STATE][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_WRONG_STATE][CLASS_WARNING], 1);
}

static void
since_before_a_fault(struct msg_scan_tally *m)
{
	one_more(m);
	m->lasted_ns = 31 * CLOCK_S;
}

static void
a_fault_meanwhile_makes_it_a_warning(void **state)
{
	(void)state;
	has_fault = true;
	expect(since_before_a_fault, ANOMALY_WRONG_STATE, 0, 1);
	expect(one_more, ANOMALY_WRONG_STATE, 1, 0);
	has_fault = false;
}

static void
one_mislabelled(struct msg_scan_tally *m)
{
	m->mislabelled = 1;
	m->mislabelled_seq = 17;
	m->lasted_ns = 0; /* it needs no time */
	m->same = 0;
}

static void
a_message_that_lost_its_id_is_corrupt(void **state)
{
	(void)state;
	expect(one_mislabelled, ANOMALY_CORRUPT, 1, 0);
}

static void
configured(const char *was, const char *is, unsigned polls, unsigned violations,
    unsigned warnings)
{
	asked = was;
	found = is;
	config_polls = polls;
	expect(NULL, ANOMALY_CORRUPT, violations, warnings);
	asked = found = NULL;
}

static void
another_configuration_convicts(void **state)
{
	static const char *const others[] = {
	    "subjects=a; replicas=3; max_msgs=-1; no_ack=0",
	    "subjects=a,a.>; replicas=1; max_msgs=-1; no_ack=0",
	    "subjects=a,a.>; replicas=3; max_msgs=100; no_ack=0",
	    "subjects=a,a.>; replicas=3; max_msgs=-1; no_ack=1",
	    "subjects=a,a.>; replicas=3; max_msgs=-1", ""};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		configured(CONFIG, others[i], 4, 1, 0);
}

static void
its_sentence_names_the_item(void **state)
{
	struct story_verdict v;

	(void)state;
	asked = CONFIG;
	found = "subjects=a,a.>; replicas=3; max_msgs=100; no_ack=0";
	config_polls = 4;
	twist = NULL;
	tell(true, &v);
	asked = found = NULL;
	assert_non_null(strstr(v.says,
	    "stream NB_b0b_queue was created with max_msgs=-1, and its leader "
	    "said 4 times that it has max_msgs=100; nobody changed it"));
}

static void
the_same_configuration_or_an_unknown_one_is_nothing(void **state)
{
	(void)state;
	configured(CONFIG, CONFIG, 4, 0, 0);
	configured(NULL, CONFIG, 4, 0, 0); /* an older history */
	configured(CONFIG, NULL, 4, 0, 0);
}

static void
another_configuration_said_twice_is_a_warning(void **state)
{
	(void)state;
	configured(CONFIG, "subjects=a", 2, 0, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_wrong_number_convicts),
	    cmocka_unit_test(its_sentence_has_all_numbers),
	    cmocka_unit_test(honest_numbers_pass),
	    cmocka_unit_test(legal_numbers_are_nothing),
	    cmocka_unit_test(what_does_not_last_is_a_warning),
	    cmocka_unit_test(what_schedules_send_meanwhile_is_nothing),
	    cmocka_unit_test(odd_numbers_convict_although_they_changed),
	    cmocka_unit_test(an_unsettled_cluster_makes_it_a_warning),
	    cmocka_unit_test(a_fault_meanwhile_makes_it_a_warning),
	    cmocka_unit_test(a_message_that_lost_its_id_is_corrupt),
	    cmocka_unit_test(another_configuration_convicts),
	    cmocka_unit_test(its_sentence_names_the_item),
	    cmocka_unit_test(
		the_same_configuration_or_an_unknown_one_is_nothing),
	    cmocka_unit_test(another_configuration_said_twice_is_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
