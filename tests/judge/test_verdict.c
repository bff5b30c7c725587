/* SPDX-License-Identifier: ISC */
/* The verdict's rules: what is no pass, and what goes before what. */
#include "tests/stories/story.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

struct rule {
	const char *name;
	void (*tell)(struct story *);
	enum verdict verdict;
	int exit_code;
	const char *says; /* in one of the reasons */
};

/* The load: some rounds, a fault with n rounds in it, some rounds. */
static void
load(struct story *s, unsigned under_fault)
{
	uint32_t fault;

	story_rounds(s, 5);
	story_phase(s, "mayhem");
	fault = story_fault(s, false);
	story_rounds(s, under_fault);
	story_healed(s, fault, true);
	story_rounds(s, 5);
}

static void
whole(struct story *s)
{
	story_open(s);
	load(s, 5);
	story_close(s);
}

static void
tell_without_faults(struct story *s)
{
	s->mayhem = "none";
	story_open(s);
	story_rounds(s, 5);
	story_close(s);
}

static void
tell_no_fault_applied(struct story *s)
{
	story_open(s);
	story_rounds(s, 5);
	story_close(s);
}

static void
tell_fault_failed(struct story *s)
{
	uint32_t fault;

	story_open(s);
	fault = story_fault(s, false);
	s->events[s->n - 1].u.fault_applied.ok = 0;
	story_rounds(s, 5);
	story_healed(s, fault, true);
	story_close(s);
}

static void
tell_no_op_under_fault(struct story *s)
{
	story_open(s);
	load(s, 0);
	story_close(s);
}

/*
 * Ops under a fault that had no effect prove nothing about the one that had.
 */
static void
tell_op_under_failed_fault(struct story *s)
{
	uint32_t fault;

	story_open(s);
	load(s, 0);
	fault = story_fault(s, false);
	s->events[s->n - 1].u.fault_applied.ok = 0;
	story_rounds(s, 5);
	story_healed(s, fault, true);
	story_close(s);
}

static void
tell_no_op(struct story *s)
{
	s->mayhem = "none";
	story_open(s);
	story_close(s);
}

static void
tell_no_audit(struct story *s)
{
	s->no_audit = true;
	whole(s);
}

static struct event *
find(struct story *s, enum message_type type)
{
	size_t i = s->n;

	while (i-- > 0)
		if (s->events[i].type == type)
			return &s->events[i];
	fail();
	return NULL;
}

static void
tell_incomplete_scan(struct story *s)
{
	struct msg_scan_end *m;

	whole(s);
	m = &find(s, MESSAGE_SCAN_END)->u.scan_end;
	m->complete = 0;
	text_set(m->why, sizeof(m->why), "no leader");
}

static void
tell_scan_without_end(struct story *s)
{
	whole(s);
	find(s, MESSAGE_SCAN_END)->type = MESSAGE_HEARTBEAT;
}

static void
tell_sequence_not_settled(struct story *s)
{
	story_open(s);
	load(s, 5);
	s->stored[3].state = STORY_UNREAD;
	story_close(s);
}

/* The first audit process died; the second did it all. */
static void
tell_second_audit(struct story *s)
{
	struct event *ev;

	story_open(s);
	load(s, 5);
	story_phase(s, "audit");
	ev = story_add(s, STORY_AUDIT + 1, MESSAGE_SCAN_BEGIN);
	ev->u.scan_begin.created = s->created;
	story_kill(s, STORY_AUDIT + 1);
	story_close(s);
}

static void
add_stream(struct story *s, uint32_t stream)
{
	struct msg_stream *m =
	    &story_add(s, STORY_SETUP, MESSAGE_STREAM)->u.stream;

	m->stream = stream;
	m->created = 99;
	text_format(m->name, sizeof(m->name), "NB_b0b_%u", stream);
	text_set(m->storage, sizeof(m->storage), "file");
}

/*
 * One of two streams was never looked at.
 */
static void
tell_one_stream_of_two(struct story *s)
{
	story_open(s);
	add_stream(s, 1);
	load(s, 5);
	story_close(s);
}

static void
tell_not_settled(struct story *s)
{
	whole(s);
	find(s, MESSAGE_SETTLED)->u.settled.ok = 0;
}

static void
tell_no_end(struct story *s)
{
	s->no_end = true;
	whole(s);
}

static void
tell_gap(struct story *s)
{
	story_open(s);
	load(s, 5);
	story_add(s, 0, MESSAGE_CHILD_GAP)->u.child_gap.child = 4;
	story_close(s);
}

static void
tell_diag(struct story *s)
{
	struct event *ev;

	story_open(s);
	load(s, 5);
	ev = story_add(s, 4, MESSAGE_DIAG);
	text_set(ev->u.diag.text, sizeof(ev->u.diag.text), "out of paper");
	story_close(s);
}

static void
tell_harness(struct story *s)
{
	struct event *ev;

	story_open(s);
	load(s, 5);
	ev = story_add(s, 0, MESSAGE_HARNESS);
	text_set(ev->u.harness.why, sizeof(ev->u.harness.why), "broke");
	story_close(s);
}

static void
tell_chaos_died(struct story *s)
{
	story_open(s);
	load(s, 5);
	story_kill(s, STORY_CHAOS);
	story_close(s);
}

static void
tell_leaking_links(struct story *s)
{
	story_open(s);
	load(s, 5);
	story_add(s, STORY_CHAOS, MESSAGE_LINKS)->u.links.bypassing = 1;
	story_close(s);
}

static void
tell_no_head(struct story *s)
{
	whole(s);
	find(s, MESSAGE_RUN)->type = MESSAGE_HEARTBEAT;
}

static void
tell_nothing(struct story *s)
{
	(void)s;
}

static void
tell_worker_died(struct story *s)
{
	story_open(s);
	load(s, 5);
	story_kill(s, STORY_CONSUMER);
	story_restart(s, STORY_CONSUMER);
	story_rounds(s, 5);
	story_close(s);
}

static void
add_cluster_failed(struct story *s)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_CLUSTER_FAILED);

	text_set(ev->u.cluster_failed.why, sizeof(ev->u.cluster_failed.why),
	    "port in use");
}

static void
tell_cluster_failed(struct story *s)
{
	story_say(s, 0, MESSAGE_RUN);
	story_phase(s, "up");
	add_cluster_failed(s);
	story_phase(s, "down");
	story_phase(s, "end");
}

static void
add_skipped(struct story *s)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_SKIPPED);

	text_set(ev->u.skipped.why, sizeof(ev->u.skipped.why), "can't do that");
}

/* Skipped: that nothing ran follows from it, and is not another reason. */
static void
tell_skipped(struct story *s)
{
	story_say(s, 0, MESSAGE_RUN);
	story_phase(s, "up");
	add_skipped(s);
	story_phase(s, "down");
	story_phase(s, "end");
}

/* A message that nobody published. */
static void
add_phantom(struct story *s)
{
	story_consume(s, story_store(s, message_id(STORY_PUBLISHER, 1000000)));
}

static void
tell_all_at_once(struct story *s)
{
	s->no_end = true;
	story_open(s);
	load(s, 0);
	add_phantom(s);
	story_add(s, 0, MESSAGE_CHILD_GAP)->u.child_gap.child = 4;
	add_cluster_failed(s);
	add_skipped(s);
	story_close(s);
}

/* Its publish may be among the events that are missing. */
static void
tell_gap_and_phantom(struct story *s)
{
	story_open(s);
	load(s, 5);
	story_add(s, 0, MESSAGE_CHILD_GAP)->u.child_gap.child = 3;
	add_phantom(s);
	story_close(s);
}

static void
tell_harness_and_cluster(struct story *s)
{
	tell_gap(s);
	add_cluster_failed(s);
	add_skipped(s);
}

static void
tell_cluster_and_no_end(struct story *s)
{
	tell_no_end(s);
	add_cluster_failed(s);
	add_skipped(s);
}

/* All servers killed at once; n rounds under it, from start to healed. */
static void
kill_all(struct story *s, unsigned n)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_FAULT_PLANNED);
	uint32_t fault = ++s->faults;

	ev->u.fault_planned.fault = fault;
	ev->u.fault_planned.stops_clock = ev->u.fault_planned.ends_server = 1;
	story_add(s, STORY_CHAOS, MESSAGE_NO_SERVICE)->u.no_service.fault =
	    fault;
	ev = story_add(s, STORY_CHAOS, MESSAGE_FAULT_APPLIED);
	ev->u.fault_applied.fault = fault;
	ev->u.fault_applied.ok = 1;
	story_rounds(s, n);
	story_healed(s, fault, true);
}

static void
tell_kill_all(struct story *s)
{
	story_open(s);
	story_rounds(s, 1);
	kill_all(s, 0);
	kill_all(s, 0);
	story_rounds(s, 1);
	story_close(s);
}

static void
tell_kill_all_then_nothing(struct story *s)
{
	story_open(s);
	story_rounds(s, 5);
	kill_all(s, 0);
	story_close(s);
}

/* One that succeeds while the servers start is not behind the fault. */
static void
tell_kill_all_first(struct story *s)
{
	story_open(s);
	kill_all(s, 1);
	story_rounds(s, 5);
	story_close(s);
}

/* Where an operation succeeded under a fault nothing is asked of the rest. */
static void
tell_kill_all_first_then_another(struct story *s)
{
	uint32_t fault;

	story_open(s);
	kill_all(s, 0);
	story_rounds(s, 5);
	fault = story_fault(s, true);
	story_rounds(s, 5);
	story_healed(s, fault, true);
	kill_all(s, 0);
	story_close(s);
}

/* Under the other fault an operation has to succeed as ever. */
static void
tell_kill_all_beside_another(struct story *s)
{
	story_open(s);
	story_rounds(s, 5);
	kill_all(s, 0);
	story_rounds(s, 5);
	story_healed(s, story_fault(s, true), true);
	story_rounds(s, 5);
	story_close(s);
}

static void
tell_unwatched(struct story *s)
{
	struct msg_settled *m;

	s->options[0][0] = "cluster";
	s->options[0][1] = "external";
	whole(s);
	m = &find(s, MESSAGE_SETTLED)->u.settled;
	m->ok = 0;
	text_set(m->why, sizeof(m->why), "give --monitor");
}

static void
host_load(struct story *s, uint32_t tasks)
{
	struct event *ev;
	unsigned t;

	for (t = 0; t < 40; t += 5) {
		story_pass(s, 5 * CLOCK_S);
		ev = story_add(s, 0, MESSAGE_HOST_LOAD);
		ev->u.host_load.span_ns = 5 * CLOCK_S;
		ev->u.host_load.tasks = tasks;
	}
}

/* An operation that is open for so long on such a host, and then succeeds. */
static void
host_operation(struct story *s, uint32_t tasks)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	host_load(s, tasks);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	story_consume(s, seq);
}

static void
tell_overloaded(struct story *s)
{
	story_open(s);
	load(s, 5);
	host_operation(s, 2345);
	story_pass(s, 60 * CLOCK_S);
	story_close(s);
}

static void
tell_overloaded_in_time(struct story *s)
{
	story_open(s);
	load(s, 5);
	host_load(s, 2345);
	load(s, 5);
	story_close(s);
}

static void
tell_busy_host(struct story *s)
{
	story_open(s);
	load(s, 5);
	host_load(s, FAULTS_BUSY_TASKS - 1);
	story_close(s);
}

static void
tell_mostly_silent(struct story *s)
{
	story_open(s);
	story_pass(s, 30 * CLOCK_S);
	load(s, 5);
	story_silence(s, 40 * CLOCK_S);
	story_close(s);
}

static void
tell_short_silence(struct story *s)
{
	story_open(s);
	story_pass(s, 60 * CLOCK_S);
	load(s, 5);
	story_silence(s, 40 * CLOCK_S);
	story_close(s);
}

/* Before the load nothing is lost by it. */
static void
tell_early_silence(struct story *s)
{
	story_open(s);
	s->n--; /* not yet "quiet" */
	s->sent[0]--;
	story_silence(s, 40 * CLOCK_S);
	story_phase(s, "quiet");
	load(s, 5);
	story_pass(s, 30 * CLOCK_S);
	story_close(s);
}

static void
tell_clock_stood(struct story *s)
{
	uint32_t fault;

	story_open(s);
	story_pass(s, 10 * CLOCK_S);
	fault = story_fault(s, true);
	story_rounds(s, 5);
	story_healed(s, fault, true);
	story_pass(s, 25 * CLOCK_S);
	story_close(s);
}

/* Twenty of some fifty seconds: nobody has to be told. */
static void
tell_clock_ran(struct story *s)
{
	uint32_t fault;

	story_open(s);
	story_pass(s, 30 * CLOCK_S);
	fault = story_fault(s, true);
	story_rounds(s, 5);
	story_healed(s, fault, true);
	story_pass(s, 22 * CLOCK_S);
	story_close(s);
}

static void
tell_most_failed(struct story *s)
{
	uint32_t fault;
	int i;

	story_open(s);
	load(s, 5);
	for (i = 0; i < 2; i++) {
		fault = story_fault(s, false);
		s->events[s->n - 1].u.fault_applied.ok = 0;
		story_healed(s, fault, true);
	}
	story_close(s);
}

/* After the first fault nothing more was done to servers. */
static void
tell_held(struct story *s)
{
	uint32_t fault;

	story_open(s);
	load(s, 5);
	fault = story_fault(s, false);
	story_healed(s, fault, false);
	story_pass(s, 200 * CLOCK_S);
	story_whole(s);
	story_pass(s, 100 * CLOCK_S);
	story_close(s);
}

/* The whole run, with so long to read in its audit. */
static void
tell_reading(struct story *s, uint64_t limit_ns)
{
	struct event *ev;

	story_open(s);
	load(s, 5);
	ev = story_add(s, 0, MESSAGE_AUDIT_READING);
	ev->u.audit_reading.messages = 700000;
	ev->u.audit_reading.bytes = 96 << 20;
	ev->u.audit_reading.times = 4;
	ev->u.audit_reading.limit_ns = limit_ns;
	s->before_scan = story_drained;
	story_close(s);
}

static void
tell_much_to_read(struct story *s)
{
	s->mayhem = "none";
	tell_reading(s, 300 * CLOCK_S);
}

static void
tell_little_to_read(struct story *s)
{
	s->mayhem = "none";
	tell_reading(s, 9 * CLOCK_S);
}

static const struct rule rules[] = {
    {"all killed", tell_kill_all, VERDICT_PASS, 0, NULL},
    {"all killed, and nothing after it", tell_kill_all_then_nothing,
	VERDICT_INCONCLUSIVE, 2, "after the last fault"},
    {"all killed before anything", tell_kill_all_first, VERDICT_INCONCLUSIVE, 2,
	"before the first fault"},
    {"all killed, beside another fault", tell_kill_all_beside_another,
	VERDICT_INCONCLUSIVE, 2, "while a fault was in force"},
    {"all killed before anything, then another",
	tell_kill_all_first_then_another, VERDICT_PASS, 0, NULL},
    {"nobody watched", tell_unwatched, VERDICT_INCONCLUSIVE, 2,
	"the cluster did not settle: give --monitor"},
    {"the host decided", tell_overloaded, VERDICT_INCONCLUSIVE, 2,
	"the host was overloaded for 40 s, and an operation took longer than "
	"its limit"},
    {"the host did not decide", tell_overloaded_in_time, VERDICT_PASS, 0,
	"note: the host was overloaded for 40 s: up to 23.4 tasks shared a "
	"processor"},
    {"the host was busy", tell_busy_host, VERDICT_PASS, 0, ""},
    {"we stood still for most of it", tell_mostly_silent, VERDICT_INCONCLUSIVE,
	2, "stood still for 40 of the 70 s of the load"},
    {"we stood still for a while", tell_short_silence, VERDICT_PASS, 0,
	"note: processes of natsburn stood still 1 time, for 40.0 s in all, "
	"the longest (links) for 40.0 s from 60."},
    {"we stood still before it", tell_early_silence, VERDICT_PASS, 0,
	"note: processes of natsburn stood still 1 time, for 40.0 s in all"},
    {"the clock stood", tell_clock_stood, VERDICT_PASS, 0,
	"note: the availability clock stood for 20 of the 35 s of the load"},
    {"the clock ran", tell_clock_ran, VERDICT_PASS, 0, ""},
    {"most faults failed", tell_most_failed, VERDICT_PASS, 0,
	"note: only 1 of 3 faults were seen to take effect"},
    {"held", tell_held, VERDICT_PASS, 0,
	"note: for 200 of the 300 s of the load no server was taken down"},
    {"much to read", tell_much_to_read, VERDICT_PASS, 0,
	"note: the audit had 700000 messages, of 96.0 MiB, to read 4 times, "
	"and up to 300 s beside --settle-timeout"},
    {"little to read", tell_little_to_read, VERDICT_PASS, 0, ""},
    {"whole", whole, VERDICT_PASS, 0, NULL},
    {"without faults, as asked", tell_without_faults, VERDICT_PASS, 0, NULL},
    {"a worker died", tell_worker_died, VERDICT_PASS, 0, NULL},
    {"the second audit did it", tell_second_audit, VERDICT_PASS, 0, NULL},
    {"no fault applied", tell_no_fault_applied, VERDICT_INCONCLUSIVE, 2,
	"no fault took effect"},
    {"fault failed", tell_fault_failed, VERDICT_INCONCLUSIVE, 2,
	"no fault took effect"},
    {"no op under fault", tell_no_op_under_fault, VERDICT_INCONCLUSIVE, 2,
	"while a fault was in force"},
    {"op under a failed fault", tell_op_under_failed_fault,
	VERDICT_INCONCLUSIVE, 2, "while a fault was in force"},
    {"no op", tell_no_op, VERDICT_INCONCLUSIVE, 2, "no operation succeeded"},
    {"no audit", tell_no_audit, VERDICT_INCONCLUSIVE, 2, "audited"},
    {"incomplete scan", tell_incomplete_scan, VERDICT_INCONCLUSIVE, 2,
	"not complete: no leader"},
    {"scan without end", tell_scan_without_end, VERDICT_INCONCLUSIVE, 2,
	"not complete"},
    {"a sequence not settled", tell_sequence_not_settled, VERDICT_INCONCLUSIVE,
	2, "sequence 3"},
    {"one stream of two audited", tell_one_stream_of_two, VERDICT_INCONCLUSIVE,
	2, "audit"},
    {"not settled", tell_not_settled, VERDICT_INCONCLUSIVE, 2, "settle"},
    {"no end", tell_no_end, VERDICT_INCONCLUSIVE, 2, "ends before"},
    {"gap", tell_gap, VERDICT_INCONCLUSIVE, 70, "gap"},
    {"diag", tell_diag, VERDICT_INCONCLUSIVE, 70, "out of paper"},
    {"harness", tell_harness, VERDICT_INCONCLUSIVE, 70, "broke"},
    {"chaos died", tell_chaos_died, VERDICT_INCONCLUSIVE, 70, "chaos"},
    {"leaking links", tell_leaking_links, VERDICT_INCONCLUSIVE, 70, "proxy"},
    {"no head", tell_no_head, VERDICT_INCONCLUSIVE, 70, "head"},
    {"nothing at all", tell_nothing, VERDICT_INCONCLUSIVE, 70, "head"},
    {"cluster failed", tell_cluster_failed, VERDICT_INCONCLUSIVE, 69,
	"port in use"},
    {"skipped", tell_skipped, VERDICT_SKIPPED, 3, "can't do that"},
    {"violation before all", tell_all_at_once, VERDICT_FAIL, 1, "phantom"},
    {"nothing convicts behind a gap", tell_gap_and_phantom,
	VERDICT_INCONCLUSIVE, 70, "gap"},
    {"harness before cluster", tell_harness_and_cluster, VERDICT_INCONCLUSIVE,
	70, "gap"},
    {"cluster before the rest", tell_cluster_and_no_end, VERDICT_INCONCLUSIVE,
	69, "port in use"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static void
test_rule(void **state)
{
	const struct rule *r = *state;
	struct story_verdict v;
	struct story s;
	bool good;

	story_init(&s, support_seed());
	r->tell(&s);
	story_judge(&s, &v);
	good = v.result.verdict == r->verdict &&
	       (int)v.result.exit_code == r->exit_code &&
	       (v.result.nreasons == 0) == (r->exit_code == 0) &&
	       (r->says == NULL || strstr(v.says, r->says) != NULL) &&
	       (r->says == NULL || r->says[0] != '\0' || v.result.nnotes == 0);
	if (!good)
		print_message("%s: %s, exit %d\n%s", r->name,
		    verdict_name(v.result.verdict), v.result.exit_code, v.says);
	story_fini(&s);
	assert_true(good);
}

int
main(void)
{
	struct CMUnitTest tests[RULES];
	size_t i;

	memset(tests, 0, sizeof(tests));
	for (i = 0; i < RULES; i++) {
		tests[i].name = rules[i].name;
		tests[i].test_func = test_rule;
		tests[i].initial_state = (void *)(uintptr_t)&rules[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
