/* SPDX-License-Identifier: ISC */
/*
 * Groups that don't become whole again: what convicts, and what doesn't
 * although it lasts.
 */
#include "tests/stories/story.h"

#include <string.h>

#include "proto/base/text.h"

#define BOUND_NS (240 * CLOCK_S) /* the default */
#define STREAM	 "NB_b0b_queue"

struct tale {
	const char *name;
	void (*tell)(struct story *);
	uint64_t violations, warnings;
	const char *says; /* of the first of them */
};

/* It is sick from now on for so long, and chaos says so every 10 s. */
static void
sick_for(struct story *s, uint8_t what, const char *name, uint64_t ns)
{
	uint64_t begin_ns = s->now_ns;

	while (s->now_ns < begin_ns + ns) {
		story_pass(s, 10 * CLOCK_S);
		story_sick(s, what, name, s->now_ns - begin_ns);
	}
}

static void
well(struct story *s, uint8_t what, const char *name)
{
	struct msg_group_well *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_GROUP_WELL)->u.group_well;

	m->what = what;
	text_set(m->name, sizeof(m->name), name);
}

/* A kill that is undone, and of which the cluster does not recover. */
static uint32_t
killed(struct story *s)
{
	uint32_t fault = story_fault(s, true);

	story_pass(s, 5 * CLOCK_S);
	story_undone(s, fault, 120 * CLOCK_S);
	return fault;
}

/* what convicts */

static void
stream_has_no_leader(struct story *s)
{
	uint32_t fault = killed(s);

	sick_for(s, 2, STREAM, 120 * CLOCK_S);
	story_healed(s, fault, false);
	s->now_ns += CLOCK_S;
	sick_for(s, 2, STREAM, 300 * CLOCK_S);
}

/* All servers go to 2.15, and the second one to this. */
static void
goes_to(struct story *s, const char *version)
{
	const char *const versions[] = {"2.10.27", "2.15.1", version};
	struct msg_node *m;
	unsigned i;

	for (i = 0; i < 3; i++) {
		m = &story_add(s, STORY_CHAOS, MESSAGE_NODE)->u.node;
		m->node = 2;
		text_set(m->version, sizeof(m->version), versions[i]);
	}
	stream_has_no_leader(s);
}

static void
upgraded(struct story *s)
{
	goes_to(s, "2.15.2");
}

/* What newer servers have written an older one need not read. */
static void
set_back(struct story *s)
{
	goes_to(s, "2.10.27");
}

static void
all_groups(struct story *s)
{
	uint64_t begin_ns;

	(void)killed(s);
	begin_ns = s->now_ns;
	story_pass(s, 250 * CLOCK_S);
	story_sick(s, 1, "", s->now_ns - begin_ns);
	story_sick(s, 2, STREAM, s->now_ns - begin_ns);
	story_sick(s, 3, STREAM "/burn", s->now_ns - begin_ns);
	/* Once is enough, and the end of it takes nothing back. */
	story_sick(s, 2, STREAM, s->now_ns - begin_ns);
	well(s, 2, STREAM);
}

/* No fault at all: it fell ill by itself. */
static void
without_fault(struct story *s)
{
	sick_for(s, 3, STREAM "/burn", 260 * CLOCK_S);
}

/* Begun before the fault was, which counts from when it was undone. */
static void
sick_before_fault(struct story *s)
{
	sick_for(s, 2, STREAM, 100 * CLOCK_S);
	(void)killed(s);
	story_pass(s, 250 * CLOCK_S);
	story_sick(s, 2, STREAM, 355 * CLOCK_S);
}

/* The bound is the user's. */
static void
shorter_bound(struct story *s)
{
	(void)killed(s);
	sick_for(s, 2, STREAM, 60 * CLOCK_S);
}

/* A stream that comes and goes, on so many servers, is sick too long. */
static void
passing_stream(struct story *s, uint32_t servers, bool is_led)
{
	struct msg_group_sick *m;

	story_pass(s, 250 * CLOCK_S);
	story_sick(s, 2, STREAM "2", 250 * CLOCK_S);
	m = &s->events[s->n - 1].u.group_sick;
	m->servers = servers;
	m->is_led = is_led;
}

static void
passing_without_leader(struct story *s)
{
	passing_stream(s, 2, false);
}

static void
passing_with_leader(struct story *s)
{
	passing_stream(s, 1, true);
}

/* what is legal */

/* It may be deleted, and that be left of it. */
static void
remains_of_a_stream(struct story *s)
{
	passing_stream(s, 1, false);
}

static void
within_bound(struct story *s)
{
	uint32_t fault = killed(s);

	sick_for(s, 2, STREAM, BOUND_NS - 10 * CLOCK_S);
	well(s, 2, STREAM);
	story_healed(s, fault, true);
	/* And once more, which is another time. */
	sick_for(s, 2, STREAM, BOUND_NS - 10 * CLOCK_S);
}

/* Its process was not started again: nobody can recover from that. */
static void
cause_in_force(struct story *s)
{
	uint32_t fault = story_fault(s, true);

	sick_for(s, 2, STREAM, 400 * CLOCK_S);
	story_healed(s, fault, false);
	sick_for(s, 2, STREAM, 400 * CLOCK_S);
}

/* The second fault begins before the bound is over. */
static void
fault_after_fault(struct story *s)
{
	uint32_t fault;
	int i;

	for (i = 0; i < 4; i++) {
		fault = killed(s);
		story_pass(s, 200 * CLOCK_S);
		story_sick(s, 2, STREAM, (uint64_t)(i + 1) * 200 * CLOCK_S);
		story_healed(s, fault, false);
	}
}

static void
server_does_not_answer(struct story *s)
{
	(void)killed(s);
	story_answer(s, 2, false);
	sick_for(s, 2, STREAM, 400 * CLOCK_S);
	/* Now it does, and has its time from now on. */
	story_answer(s, 2, true);
	story_pass(s, 200 * CLOCK_S);
	story_sick(s, 2, STREAM, 600 * CLOCK_S);
}

/* Links that stood still were cut by us. */
static void
links_stood_still(struct story *s)
{
	(void)killed(s);
	story_pass(s, 200 * CLOCK_S);
	story_silence(s, 60 * CLOCK_S);
	story_sick(s, 2, STREAM, 260 * CLOCK_S);
	story_pass(s, 200 * CLOCK_S);
	story_sick(s, 2, STREAM, 460 * CLOCK_S);
}

/* It was told once, and nobody knows how it went on. */
static void
told_once(struct story *s)
{
	(void)killed(s);
	story_sick(s, 2, STREAM, 10 * CLOCK_S);
	story_pass(s, 400 * CLOCK_S);
}

static const struct tale plants[] = {
    {"no leader", stream_has_no_leader, 1, 0,
	"stream NB_b0b_queue is not whole for 24"},
    {"all groups", all_groups, 3, 0, "the meta group is not whole for 25"},
    {"no leader, of a passing one", passing_without_leader, 1, 0,
	"stream NB_b0b_queue2 is not whole"},
    {"a passing one is led", passing_with_leader, 1, 0,
	"stream NB_b0b_queue2 is not whole"},
    {"upgraded", upgraded, 1, 0, "is not whole for"},
    {"set back", set_back, 0, 1, "set back to an older version"},
    {"without a fault", without_fault, 1, 0,
	"consumer NB_b0b_queue/burn is not whole for 240.0 s in which all 3 "
	"servers answered and no fault was in force: no server says"},
    {"sick before the fault", sick_before_fault, 1, 0,
	"is not whole for 250.0 s in which all 3 servers answered and no fault "
	"was in force (the last was rolling_restart of n2)"},
};

static const struct tale legal[] = {
    {"remains of a stream", remains_of_a_stream, 0, 1,
	"not_recovered (warning, guarantees 13)"},
    {"within the bound", within_bound, 0, 0, ""},
    {"cause in force", cause_in_force, 0, 0, ""},
    {"fault after fault", fault_after_fault, 0, 0, ""},
    {"a server does not answer", server_does_not_answer, 0, 0, ""},
    {"links stood still", links_stood_still, 0, 0, ""},
    {"told once", told_once, 0, 0, ""},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Tell it with quiet rounds before and behind it. */
static void
judge(struct story *s, const struct tale *t, unsigned before, unsigned behind,
    struct story_verdict *v)
{
	story_open(s);
	story_answers(s);
	story_rounds(s, before);
	t->tell(s);
	story_rounds(s, behind);
	story_close(s);
	story_judge(s, v);
}

static void
expect(const struct tale *t, const struct story_verdict *v)
{
	const uint64_t *n = v->counts[ANOMALY_NOT_RECOVERED];

	if (n[CLASS_VIOLATION] != t->violations ||
	    n[CLASS_WARNING] != t->warnings ||
	    story_other_violations(v, ANOMALY_NOT_RECOVERED) != 0 ||
	    strstr(v->says, t->says) == NULL)
		fail_msg("%s: %llu violations, %llu warnings\n%s", t->name,
		    (unsigned long long)n[CLASS_VIOLATION],
		    (unsigned long long)n[CLASS_WARNING], v->says);
	assert_int_equal(v->result.verdict == VERDICT_FAIL, t->violations > 0);
}

static void
test_all(const struct tale *tales, size_t n)
{
	static const unsigned places[3][2] = {{0, 20}, {10, 10}, {20, 0}};
	struct story_verdict v;
	struct story s;
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < 3; k++) {
			story_init(&s, support_seed());
			judge(&s, &tales[i], places[k][0], places[k][1], &v);
			expect(&tales[i], &v);
			story_fini(&s);
		}
}

static void
test_plants(void **state)
{
	(void)state;
	test_all(plants, COUNT(plants));
}

static void
test_legal(void **state)
{
	(void)state;
	test_all(legal, COUNT(legal));
}

/* The same tale under an option. */
static void
expect_with(const char *name, const char *value, const struct tale *t)
{
	struct story_verdict v;
	struct story s;

	story_init(&s, support_seed());
	s.options[0][0] = name;
	s.options[0][1] = value;
	judge(&s, t, 5, 5, &v);
	expect(t, &v);
	story_fini(&s);
}

static void
test_options(void **state)
{
	static const struct tale shorter = {
	    "shorter bound", shorter_bound, 1, 0, "is not whole for 40.0 s"};
	static const struct tale same = {
	    "shorter than the default", shorter_bound, 0, 0, ""};
	static const struct tale longer = {
	    "longer bound", stream_has_no_leader, 0, 0, ""};
	/* Whether somebody else's links are open is not known. */
	static const struct tale external = {"external", without_fault, 0, 1,
	    "not_recovered (warning, guarantees 13)"};

	(void)state;
	expect_with("recover-timeout", "35s", &shorter);
	expect_with("recover-timeout", "240s", &same);
	expect_with("recover-timeout", "10m", &longer);
	expect_with("cluster", "external", &external);
}

/* Which servers answer is not known: nothing is. */
static void
test_unknown_servers(void **state)
{
	struct story_verdict v;
	struct story s;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_answer(&s, 1, true);
	story_answer(&s, 3, true);
	stream_has_no_leader(&s);
	story_close(&s);
	story_judge(&s, &v);
	assert_int_equal(v.counts[ANOMALY_NOT_RECOVERED][CLASS_VIOLATION], 0);
	story_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plants),
	    cmocka_unit_test(test_legal),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_unknown_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
