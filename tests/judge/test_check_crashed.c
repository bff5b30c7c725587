/* SPDX-License-Identifier: ISC */
/*
 * Servers that end by themselves: what convicts, and what is a warning because
 * somebody else has ended them, or the host.
 */
#include "tests/stories/story.h"

#include <string.h>

#include "proto/base/text.h"

struct end {
	const char *name;
	uint8_t cause, signal, asked, unread;
	uint32_t code;
	uint64_t kills;
	const char *text, *frames;
	uint64_t violations, warnings;
	const char *says;
};

/* With the servers' versions. */
static void
open_story(struct story *s)
{
	struct msg_node *m;
	unsigned i;

	story_init(s, support_seed());
	story_open(s);
	for (i = 1; i <= 3; i++) {
		m = &story_add(s, STORY_CHAOS, MESSAGE_NODE)->u.node;
		m->node = i;
		text_format(m->name, sizeof(m->name), "n%u", i);
		text_set(m->version, sizeof(m->version), "2.10.27");
	}
}

static void
tell(struct story *s, const struct end *e)
{
	struct msg_server_ended *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_SERVER_ENDED)->u.server_ended;

	m->node = 2;
	m->code = e->code;
	m->signal = e->signal;
	m->asked = e->asked;
	m->cause = e->cause;
	m->is_read = !e->unread;
	m->lived_ns = 1500 * CLOCK_MS;
	m->oom_kills = e->kills;
	text_set(m->name, sizeof(m->name), "n2");
	text_set(m->says, sizeof(m->says), e->text);
	text_set(m->frames, sizeof(m->frames), e->frames);
}

static const struct end ends[] = {
    {"panic", CAUSE_PANIC, 0, 0, 0, 2, 0, "panic: boom", "server.f (a.go:1)", 1,
	0,
	"server n2 (2.10.27) ended by itself 1.5 s after its start with exit "
	"code 2: panic: boom, in server.f (a.go:1); no fault had been in "
	"force"},
    {"panic, killed before its end", CAUSE_PANIC, 9, 0, 0, 0, 0, "panic: boom",
	"", 1, 0, "by signal 9: panic: boom;"},
    {"panic at its end", CAUSE_PANIC, 0, 1, 0, 2, 0, "panic: boom", "", 1, 0,
	"crashed when it was told to end 1.5 s"},
    {"fatal error", CAUSE_FATAL, 0, 0, 0, 2, 0, "fatal error: fault", "", 1, 0,
	"with exit code 2: fatal error: fault;"},
    {"exit without a word", CAUSE_NONE, 0, 0, 0, 1, 0, "", "", 1, 0,
	"with exit code 1: its output does not say why;"},
    {"exit with success", CAUSE_NONE, 0, 0, 0, 0, 0, "[FTL] no", "", 1, 0,
	"with exit code 0: its output does not say why: its last error was "
	"[FTL] no;"},
    /* legal, or not known */
    {"not read", CAUSE_NONE, 0, 0, 1, 1, 0, "", "", 0, 1,
	"crashed (warning, guarantees 17)"},
    {"killed", CAUSE_SIGNAL, 9, 0, 0, 0, 0, "", "", 0, 1,
	"crashed (warning, guarantees 17)"},
    {"killed for lack of memory", CAUSE_SIGNAL, 9, 0, 0, 0, 1, "", "", 0, 1,
	"crashed (warning, guarantees 17)"},
    {"aborted", CAUSE_SIGNAL, 0, 0, 0, 2, 0, "SIGABRT: abort", "", 0, 1,
	"crashed (warning, guarantees 17)"},
    {"shut down", CAUSE_SHUTDOWN, 0, 0, 0, 0, 0, "", "", 0, 1,
	"crashed (warning, guarantees 17)"},
    {"no memory", CAUSE_HOST, 0, 0, 0, 2, 0, "fatal error: out of memory", "",
	0, 1, "crashed (warning, guarantees 17)"},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
expect(const struct story_verdict *v, const char *name, uint64_t violations,
    uint64_t warnings, const char *says)
{
	const uint64_t *counts = v->counts[ANOMALY_CRASHED];

	if (counts[CLASS_VIOLATION] != violations ||
	    counts[CLASS_WARNING] != warnings ||
	    story_other_violations(v, ANOMALY_CRASHED) > 0 ||
	    strstr(v->says, says) == NULL)
		fail_msg("%s: %s", name, v->says);
}

static void
judge(const struct end *e, unsigned before, unsigned behind)
{
	struct story_verdict v;
	struct story s;

	open_story(&s);
	while (before-- > 0)
		story_round(&s);
	tell(&s, e);
	story_pass(&s, CLOCK_S);
	while (behind-- > 0)
		story_round(&s);
	story_close(&s);
	story_judge(&s, &v);
	expect(&v, e->name, e->violations, e->warnings, e->says);
	story_fini(&s);
}

static void
test_ends(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(ends); i++) {
		judge(&ends[i], 0, 5);
		judge(&ends[i], 5, 5);
		judge(&ends[i], 5, 0);
	}
}

/* The review's P32: twenty panics without any mayhem, and nothing else. */
static void
test_twenty_panics(void **state)
{
	struct story_verdict v;
	struct story s;
	unsigned i;

	(void)state;
	open_story(&s);
	for (i = 0; i < 20; i++) {
		story_round(&s);
		tell(&s, &ends[0]);
	}
	story_round(&s);
	story_close(&s);
	story_judge(&s, &v);
	expect(&v, "twenty", 20, 0, "panic: boom");
	story_fini(&s);
}

/* A fault in force excuses nothing, and is named. */
static void
test_under_fault(void **state)
{
	struct story_verdict v;
	struct story s;
	uint32_t fault;

	(void)state;
	open_story(&s);
	story_round(&s);
	fault = story_fault(&s, true);
	tell(&s, &ends[0]);
	story_undone(&s, fault, 120 * CLOCK_S);
	story_healed(&s, fault, true);
	story_round(&s);
	story_close(&s);
	story_judge(&s, &v);
	expect(&v, "under a fault", 1, 0,
	    "the last fault was rolling_restart of n2");
	story_fini(&s);
}

static void
test_race(void **state)
{
	struct msg_server_race *m;
	struct story_verdict v;
	struct story s;

	(void)state;
	open_story(&s);
	story_round(&s);
	m = &story_add(&s, STORY_CHAOS, MESSAGE_SERVER_RACE)->u.server_race;
	m->node = 1;
	text_set(m->name, sizeof(m->name), "n1");
	text_set(m->frames, sizeof(m->frames), "Write: f (a.go:1)");
	story_round(&s);
	story_close(&s);
	story_judge(&s, &v);
	expect(&v, "race", 1, 0,
	    "server n1 (2.10.27) reports a data race, in Write: f (a.go:1);");
	story_fini(&s);
}

/* Memory storage loses what it holds; it does not let a server panic. */
static void
test_memory_storage(void **state)
{
	struct story_verdict v;
	struct story s;
	uint32_t fault;

	(void)state;
	story_init(&s, support_seed());
	s.options[0][0] = "storage";
	s.options[0][1] = "memory";
	story_open(&s);
	fault = story_fault(&s, true);
	story_undone(&s, fault, 120 * CLOCK_S);
	story_healed(&s, fault, true);
	tell(&s, &ends[0]);
	story_round(&s);
	story_close(&s);
	story_judge(&s, &v);
	expect(&v, "memory", 1, 0, "panic: boom");
	story_fini(&s);
}

/* An older history says that a server ended, and not how. */
static void
test_older_history(void **state)
{
	struct msg_fault_planned *m;
	struct story_verdict v;
	struct story s;
	uint32_t fault;

	(void)state;
	open_story(&s);
	story_round(&s);
	fault = story_fault(&s, true);
	m = &s.events[s.n - 2].u.fault_planned;
	assert_int_equal(s.events[s.n - 2].type, MESSAGE_FAULT_PLANNED);
	text_set(m->mode, sizeof(m->mode), "crash");
	story_undone(&s, fault, 120 * CLOCK_S);
	story_healed(&s, fault, true);
	story_round(&s);
	story_close(&s);
	story_judge(&s, &v);
	expect(&v, "older", 0, 1, "crashed (warning, guarantees 17)");
	story_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_twenty_panics),
	    cmocka_unit_test(test_under_fault),
	    cmocka_unit_test(test_race),
	    cmocka_unit_test(test_memory_storage),
	    cmocka_unit_test(test_older_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
