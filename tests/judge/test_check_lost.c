/* SPDX-License-Identifier: ISC */
/*
 * Must fail: losses that are told in ranges or by the leader's numbers, and a
 * stream that is gone; planted at the start, in the middle, at the end, and
 * as all there is. And what looks alike and is legal, or not proven.
 */
#include "proto/base/text.h"
#include "tests/stories/story.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 300

/* What the audit finds; of one story at a time. */
static struct plan {
	uint64_t first, last;	  /* that hold nothing, 0: none */
	uint64_t begins, ends;	  /* as the leader says; 0: honest */
	uint64_t gone_ns;	  /* "no such stream" for so long */
	uint64_t last_told_ns;	  /* before its end: the meta leader */
	bool is_cut;		  /* the scan ends behind the range */
	bool no_copies, is_quiet; /* no COPIES_END; no SCAN_STATE */
	bool has_no_leader, new_leader;
	bool is_anew; /* one answer, at first, has another creation time */
	uint8_t retention;
} plan;

static void
tell_state(struct story *s)
{
	struct msg_scan_state *m =
	    &story_add(s, STORY_AUDIT, MESSAGE_SCAN_STATE)->u.scan_state;

	m->polls = 3;
	m->first = plan.begins != 0 ? plan.begins : 1;
	m->last = plan.ends != 0 ? plan.ends : s->last;
	m->messages = m->last + 1 - m->first;
	m->created = s->created;
}

static void
tell_meta(struct story *s, const char *leader)
{
	struct msg_leader *m;

	if (plan.has_no_leader)
		return;
	m = &story_add(s, STORY_CHAOS, MESSAGE_LEADER)->u.leader;
	m->what = LEADERS_META;
	text_set(m->leader, sizeof(m->leader), leader);
}

static void
tell_gone(struct story *s)
{
	struct msg_scan_gone *m;
	uint64_t left;

	/* The monitor tells every 5 to 7 s, and no more after the audit. */
	for (left = plan.gone_ns; left > 0; left -= CLOCK_S) {
		story_pass(s, CLOCK_S);
		if (left > plan.last_told_ns && left / CLOCK_S % 7 == 0)
			tell_meta(s, plan.new_leader && left <= 21 * CLOCK_S
					 ? "n2"
					 : "n1");
	}
	m = &story_add(s, STORY_AUDIT, MESSAGE_SCAN_GONE)->u.scan_gone;
	m->polls = 60;
	m->lasted_ns = plan.gone_ns;
}

static void
tell_scan(struct story *s)
{
	struct msg_scan_absent_range *r;
	struct msg_scan_message *m;
	uint64_t seq;

	for (seq = 1; seq <= s->last; seq++) {
		if (plan.first != 0 && seq == plan.first) {
			r = &story_add(
			    s, STORY_AUDIT, MESSAGE_SCAN_ABSENT_RANGE)
				 ->u.scan_absent_range;
			r->first = plan.first;
			r->last = plan.last;
			r->tries = 5;
			seq = plan.last;
			if (plan.is_cut)
				return;
			continue;
		}
		m = &story_add(s, STORY_AUDIT, MESSAGE_SCAN_MESSAGE)
			 ->u.scan_message;
		m->path = 1;
		m->seq = seq;
		m->stamp_ns = s->stored[seq].stamp_ns;
		m->id = s->stored[seq].id;
		m->run = s->stored[seq].run;
		m->sum = story_sum(m->id);
		m->intact = 1;
	}
}

static void
audit(struct story *s)
{
	bool is_gone = plan.gone_ns != 0;
	struct msg_scan_begin *b;
	struct msg_scan_end *e;
	struct msg_copies_end *c;

	b = &story_add(s, STORY_AUDIT, MESSAGE_SCAN_BEGIN)->u.scan_begin;
	b->created = is_gone ? 0 : s->created;
	b->last = is_gone ? 0 : s->last;
	if (plan.is_anew) {
		b->created++;
		b->last = 3;
	}
	if (is_gone)
		tell_gone(s);
	else if (!plan.is_quiet)
		tell_state(s);
	if (!is_gone)
		tell_scan(s);
	e = &story_add(s, STORY_AUDIT, MESSAGE_SCAN_END)->u.scan_end;
	e->complete = !is_gone && !plan.is_cut;
	text_set(e->why, sizeof(e->why), "the audit ended early");
	if (!is_gone && !plan.no_copies) {
		c = &story_add(s, STORY_AUDIT, MESSAGE_COPIES_END)
			 ->u.copies_end;
		c->copies = c->expected = 3;
		c->agree = 1;
	}
}

static void
audit_led(struct story *s)
{
	tell_meta(s, "n1");
	story_pass(s, 40 * CLOCK_S);
	audit(s);
	story_pass(s, CLOCK_S);
}

static void
tell(const struct plan *p, bool settled, struct story_verdict *v)
{
	struct story s;
	size_t i;

	plan = *p;
	story_init(&s, 7);
	s.replicas = 3;
	s.mayhem = "none";
	s.audit = audit_led;
	story_open(&s);
	if (plan.retention != 0)
		story_add(&s, STORY_SETUP, MESSAGE_STREAM_RULES)
		    ->u.stream_rules.retention = plan.retention;
	story_rounds(&s, ROUNDS);
	story_close(&s);
	for (i = 0; i < s.n; i++)
		if (s.events[i].type == MESSAGE_SETTLED)
			s.events[i].u.settled.ok = settled;
	story_judge(&s, v);
	story_fini(&s);
}

static void
expect(const struct plan *p, enum anomaly_kind kind, unsigned n,
    enum verdict verdict)
{
	struct story_verdict v;

	tell(p, true, &v);
	if (v.counts[kind][CLASS_VIOLATION] != n || v.result.verdict != verdict)
		print_message("%s\n", v.says);
	assert_int_equal(v.counts[kind][CLASS_VIOLATION], n);
	assert_int_equal(v.result.verdict, verdict);
}

/* Nothing convicts, but the run does not pass either. */
static void
expect_doubt(const struct plan *p, unsigned warnings)
{
	struct story_verdict v;

	tell(p, true, &v);
	assert_int_equal(v.counts[ANOMALY_LOST][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_LOST][CLASS_WARNING], warnings);
	assert_int_equal(v.result.verdict, VERDICT_INCONCLUSIVE);
}

static void
an_honest_audit_passes(void **state)
{
	(void)state;
	expect(&(struct plan){0}, ANOMALY_LOST, 0, VERDICT_PASS);
}

static void
a_range_convicts_wherever_it_lies(void **state)
{
	const struct plan plans[] = {{.first = 1, .last = 100},
	    {.first = 100, .last = 200}, {.first = ROUNDS - 50, .last = ROUNDS},
	    {.first = 1, .last = ROUNDS}, {.first = 7, .last = 7}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		expect(&plans[i], ANOMALY_LOST, 1, VERDICT_FAIL);
}

static void
a_range_convicts_although_the_scan_goes_no_further(void **state)
{
	struct plan p = {.first = 20, .last = 90, .is_cut = true};

	(void)state;
	expect(&p, ANOMALY_LOST, 1, VERDICT_FAIL);
}

static void
its_sentence_has_the_numbers(void **state)
{
	struct plan p = {.first = 20, .last = 90};
	struct story_verdict v;

	(void)state;
	tell(&p, true, &v);
	assert_non_null(strstr(v.says,
	    "71 of the 300 messages acknowledged in NB_b0b_queue are gone, "
	    "from "
	    "message 3:20 at sequence 20 to message 3:90 at sequence 90"));
}

static void
a_range_that_was_never_acknowledged_is_nothing(void **state)
{
	struct plan p = {.first = ROUNDS + 1, .last = UINT64_MAX};

	(void)state;
	expect(&p, ANOMALY_LOST, 0, VERDICT_PASS);
}

static void
a_range_without_a_settled_cluster_is_a_warning(void **state)
{
	struct plan p = {.first = 20, .last = 90};
	struct story_verdict v;

	(void)state;
	tell(&p, false, &v);
	assert_int_equal(v.counts[ANOMALY_LOST][CLASS_VIOLATION], 0);
	assert_int_equal(v.counts[ANOMALY_LOST][CLASS_WARNING], 1);
}

static void
the_leaders_numbers_convict(void **state)
{
	const struct plan plans[] = {{.ends = ROUNDS - 1, .is_cut = true},
	    {.ends = 1, .first = 1, .last = 1, .is_cut = true}, {.begins = 2},
	    {.begins = ROUNDS + 1}};

	(void)state;
	expect(&plans[0], ANOMALY_LOST, 1, VERDICT_FAIL);
	expect(&plans[1], ANOMALY_LOST, 2, VERDICT_FAIL);
	expect(&plans[2], ANOMALY_LOST, 1, VERDICT_FAIL);
	expect(&plans[3], ANOMALY_LOST, 1, VERDICT_FAIL);
}

/* A work queue begins where it was emptied; but its end never goes back. */
static void
a_work_queue_begins_later_and_never_ends_earlier(void **state)
{
	struct plan p = {.begins = ROUNDS + 1, .retention = 1};

	(void)state;
	expect(&p, ANOMALY_LOST, 0, VERDICT_PASS);
	p = (struct plan){.begins = 9, .ends = ROUNDS - 1, .retention = 1};
	expect(&p, ANOMALY_LOST, 1, VERDICT_FAIL);
}

static void
a_stream_that_is_gone_convicts(void **state)
{
	struct plan p = {.gone_ns = 56 * CLOCK_S};

	(void)state;
	expect(&p, ANOMALY_LOST, 1, VERDICT_FAIL);
}

static void
gone_says_a_meta_leader_nobody_knows_or_a_new_one(void **state)
{
	struct plan p = {.gone_ns = 56 * CLOCK_S, .has_no_leader = true};

	(void)state;
	expect_doubt(&p, 1);
	p = (struct plan){.gone_ns = 56 * CLOCK_S, .new_leader = true};
	expect_doubt(&p, 1);
	p = (struct plan){
	    .gone_ns = 56 * CLOCK_S, .last_told_ns = 14 * CLOCK_S};
	expect_doubt(&p, 1); /* it was told once since */
	p = (struct plan){.gone_ns = 21 * CLOCK_S};
	expect_doubt(&p, 0);
}

static void
copies_that_nobody_compared_are_a_reason(void **state)
{
	struct plan p = {.no_copies = true};
	struct story_verdict v;

	(void)state;
	tell(&p, true, &v);
	assert_int_equal(v.result.verdict, VERDICT_INCONCLUSIVE);
	assert_non_null(strstr(
	    v.says, "the copies of stream NB_b0b_queue were not compared"));
	p.is_quiet = true; /* a history from before the rule */
	expect(&p, ANOMALY_LOST, 0, VERDICT_PASS);
	p = (struct plan){.no_copies = true, .retention = 1};
	expect(&p, ANOMALY_LOST, 0, VERDICT_PASS);
}

/*
 * A replica that is behind, and that nobody leads, tells another time and an
 * early end. It counts when the leader says so several times.
 */
static void
created_anew_says_one_answer(void **state)
{
	struct plan p = {.is_anew = true};

	(void)state;
	expect(&p, ANOMALY_LOST, 0, VERDICT_PASS);
	p = (struct plan){.is_anew = true, .ends = 3, .is_cut = true};
	expect(&p, ANOMALY_LOST, 1, VERDICT_FAIL);
	p = (struct plan){
	    .is_anew = true, .is_quiet = true, .first = 7, .last = 7};
	expect(&p, ANOMALY_LOST, 1, VERDICT_FAIL); /* by the scan */
	p.first = ROUNDS + 1;
	p.is_cut = true;
	expect_doubt(&p, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_honest_audit_passes),
	    cmocka_unit_test(a_range_convicts_wherever_it_lies),
	    cmocka_unit_test(
		a_range_convicts_although_the_scan_goes_no_further),
	    cmocka_unit_test(its_sentence_has_the_numbers),
	    cmocka_unit_test(a_range_that_was_never_acknowledged_is_nothing),
	    cmocka_unit_test(a_range_without_a_settled_cluster_is_a_warning),
	    cmocka_unit_test(the_leaders_numbers_convict),
	    cmocka_unit_test(a_work_queue_begins_later_and_never_ends_earlier),
	    cmocka_unit_test(a_stream_that_is_gone_convicts),
	    cmocka_unit_test(gone_says_a_meta_leader_nobody_knows_or_a_new_one),
	    cmocka_unit_test(copies_that_nobody_compared_are_a_reason),
	    cmocka_unit_test(created_anew_says_one_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
