/* SPDX-License-Identifier: ISC */
/*
 * Supervision: whatever becomes of the template and of our own time, each
 * slot has one process, on pipes that no other has, and an end.
 */
#include "tests/support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/live/children.h"
#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "proto/base/template.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define MANY	40
#define TURN_NS (100 * CLOCK_MS)
#define WAIT_S	60 /* for what comes at once on an idle host */

/* Our time is the real one and what was put before it. */
static uint64_t ahead_ns;

uint64_t __real_clock_mono_ns(void);
uint64_t __wrap_clock_mono_ns(void);

uint64_t
__wrap_clock_mono_ns(void)
{
	return __real_clock_mono_ns() + ahead_ns;
}

/* What the hooks were told. */
struct told {
	struct children *children;
	struct child_slot *slots[MANY];
	unsigned starting, started, failed, ended, expected, gaps;
	int err;
};

static void
hook_event(void *arg, struct child_slot *s, const struct event *ev,
    const uint8_t *raw, size_t raw_len)
{
	(void)arg;
	(void)s;
	(void)ev;
	(void)raw;
	(void)raw_len;
}

static void
hook_gap(void *arg, struct child_slot *s, uint64_t expected, uint64_t got)
{
	struct told *t = arg;

	(void)s;
	(void)expected;
	(void)got;
	t->gaps++;
}

static void
hook_starting(void *arg, struct child_slot *s)
{
	struct told *t = arg;

	(void)s;
	t->starting++;
}

static void
hook_started(void *arg, struct child_slot *s)
{
	struct told *t = arg;

	assert_true(s->pid > 0);
	t->started++;
}

static void
hook_failed(void *arg, struct child_slot *s, int err)
{
	struct told *t = arg;

	(void)s;
	t->failed++;
	t->err = err;
}

static void
hook_ended(void *arg, struct child_slot *s, const struct child_end *end)
{
	struct told *t = arg;

	(void)s;
	t->ended++;
	t->expected += end->expected;
}

static void
hook_signalled(void *arg, int sig)
{
	(void)arg;
	fail_msg("signal %d", sig);
}

static void
begin(struct told *t, const char *role, unsigned n, int stderr_fd)
{
	static const struct children_hooks hooks = {hook_event, hook_gap,
	    hook_starting, hook_started, hook_failed, hook_ended,
	    hook_signalled};
	unsigned i;

	memset(t, 0, sizeof(*t));
	t->children = children_create(&hooks, t, stderr_fd);
	assert_non_null(t->children);
	for (i = 0; i < n; i++) {
		t->slots[i] = children_add(t->children, "worker", role, false);
		assert_non_null(t->slots[i]);
	}
}

/* Nothing of it is left. */
static void
end(struct told *t)
{
	pid_t pid;

	children_destroy(t->children);
	assert_int_equal(spawn_find_children("", &pid, 1), 0);
}

/* Turns of our loop, each as long as counts as one. */
static void
pass(struct told *t, uint64_t ns)
{
	for (; ns >= TURN_NS; ns -= TURN_NS) {
		ahead_ns += TURN_NS;
		assert_int_equal(children_poll(t->children, 0), 0);
	}
}

static bool
all_are(const struct told *t, unsigned n, enum child_state state)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (t->slots[i]->state != state)
			return false;
	return true;
}

/* Which are not as they should be, and whether their processes are there. */
static void
fail_states(const struct told *t, unsigned n)
{
	const struct child_slot *s;
	unsigned i;

	for (i = 0; i < n; i++) {
		s = t->slots[i];
		print_error("%u: state %d, pid %d (%s), %s%s\n", s->source,
		    (int)s->state, (int)s->pid,
		    s->pid > 0 && kill(s->pid, 0) == 0 ? "there" : "gone",
		    s->reaped ? "reaped " : "", s->at_end ? "at end" : "");
	}
	fail();
}

static void
await_all(struct told *t, unsigned n, enum child_state state)
{
	uint64_t deadline = clock_mono_ns() + WAIT_S * CLOCK_S;

	while (!all_are(t, n, state)) {
		if (clock_mono_ns() > deadline)
			fail_states(t, n);
		assert_int_equal(children_poll(t->children, 10), 0);
	}
}

static void
start_all(struct told *t, unsigned from, unsigned n)
{
	unsigned i;

	for (i = from; i < from + n; i++) {
		while (!children_have_room(t->children))
			assert_int_equal(children_poll(t->children, 10), 0);
		children_start(t->children, t->slots[i]);
	}
}

static void
stop_all(struct told *t, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		children_stop(t->children, t->slots[i], 30 * CLOCK_S);
	await_all(t, n, CHILD_FINISHED);
}

/* So many processes of that program are children of ours, in a moment. */
static void
await_processes(struct told *t, const char *word, int n)
{
	uint64_t deadline = clock_mono_ns() + WAIT_S * CLOCK_S;
	pid_t pids[2 * MANY];

	while (spawn_find_children(word, pids, 2 * MANY) != n) {
		assert_true(clock_mono_ns() < deadline);
		assert_int_equal(children_poll(t->children, 10), 0);
	}
}

/* Ask while it forks nobody: a child has its words until it begins. */
static pid_t
template_pid(void)
{
	pid_t pid;

	assert_int_equal(spawn_find_children("--child=template", &pid, 1), 1);
	return pid;
}

static void
test_by_template(void **state)
{
	struct told t;

	(void)state;
	begin(&t, "beats", MANY, -1);
	start_all(&t, 0, MANY);
	await_all(&t, MANY, CHILD_READY);
	await_processes(&t, "--child=worker", MANY);
	assert_true(template_pid() > 0);
	stop_all(&t, MANY);
	assert_int_equal(t.starting, MANY);
	assert_int_equal(t.started, MANY);
	assert_int_equal(t.ended, MANY);
	assert_int_equal(t.expected, MANY);
	assert_int_equal(t.gaps + t.failed, 0);
	end(&t);
}

/* A slow template is waited for, and our loop goes on. */
static void
test_slow_template(void **state)
{
	struct told t;
	pid_t template;

	(void)state;
	begin(&t, "beats", 6, -1);
	start_all(&t, 0, 1);
	await_all(&t, 1, CHILD_READY);
	template = template_pid();
	assert_int_equal(kill(template, SIGSTOP), 0);
	start_all(&t, 1, 5);
	pass(&t, 20 * CLOCK_S);
	assert_int_equal(t.started, 1);
	assert_int_equal(t.slots[1]->state, CHILD_FORKING);
	/* The one that is there has not been waited for, it was heard. */
	assert_int_equal(t.slots[0]->state, CHILD_READY);
	assert_int_equal(kill(template, SIGCONT), 0);
	await_all(&t, 6, CHILD_READY);
	assert_int_equal(template_pid(), template);
	stop_all(&t, 6);
	assert_int_equal(t.expected, 6);
	assert_int_equal(t.gaps, 0);
	end(&t);
}

/* One that does not answer is ended, and nobody has two processes. */
static void
test_stuck_template(void **state)
{
	struct told t;

	(void)state;
	begin(&t, "beats", 6, -1);
	start_all(&t, 0, 1);
	await_all(&t, 1, CHILD_READY);
	assert_int_equal(kill(template_pid(), SIGSTOP), 0);
	start_all(&t, 1, 5);
	pass(&t, 31 * CLOCK_S);
	assert_int_equal(t.started, 6);
	await_all(&t, 6, CHILD_READY);
	await_processes(&t, "--child=template", 0);
	await_processes(&t, "--child=worker", 6);
	assert_int_equal(t.starting, 6);
	assert_int_equal(t.started, 6);
	assert_int_equal(t.slots[5]->incarnation, 1);
	stop_all(&t, 6);
	assert_int_equal(t.expected, 6);
	assert_int_equal(t.gaps, 0);
	end(&t);
}

/* Killed while it forks, at any moment of that. */
static void
test_killed_template(void **state)
{
	struct told t;
	unsigned round, i;
	pid_t template;

	(void)state;
	for (round = 0; round < 20; round++) {
		begin(&t, "beats", MANY, -1);
		start_all(&t, 0, 1);
		await_all(&t, 1, CHILD_READY);
		template = template_pid();
		start_all(&t, 1, 30);
		for (i = 0; i < round; i++)
			assert_int_equal(poll(NULL, 0, 1), 0);
		assert_int_equal(kill(template, SIGKILL), 0);
		start_all(&t, 31, MANY - 31);
		await_all(&t, MANY, CHILD_READY);
		await_processes(&t, "--child=worker", MANY);
		stop_all(&t, MANY);
		assert_int_equal(t.started, MANY);
		assert_int_equal(t.expected, MANY);
		assert_int_equal(t.gaps, 0);
		end(&t);
	}
}

/* Idle, it is replaced by another one. */
static void
test_idle_template(void **state)
{
	struct told t;
	pid_t first;

	(void)state;
	begin(&t, "beats", 2, -1);
	start_all(&t, 0, 1);
	await_all(&t, 1, CHILD_READY);
	first = template_pid();
	assert_int_equal(kill(first, SIGKILL), 0);
	while (waitid(P_PID, (id_t)first, NULL, WEXITED | WNOWAIT) == 0)
		assert_int_equal(children_poll(t.children, 10), 0);
	start_all(&t, 1, 1);
	await_all(&t, 2, CHILD_READY);
	assert_int_not_equal(template_pid(), first);
	stop_all(&t, 2);
	assert_int_equal(t.expected, 2);
	end(&t);
}

/* What is decided about one that has no pid yet is done when it has one. */
static void
test_not_wanted_any_more(void **state)
{
	struct told t;
	pid_t template;
	bool answers;

	(void)state;
	for (answers = false;; answers = true) {
		begin(&t, "beats", 3, -1);
		start_all(&t, 0, 1);
		await_all(&t, 1, CHILD_READY);
		template = template_pid();
		assert_int_equal(kill(template, SIGSTOP), 0);
		start_all(&t, 1, 2);
		children_stop(t.children, t.slots[1], 300 * CLOCK_S);
		children_kill(t.children, t.slots[2]);
		pass(&t, answers ? CLOCK_S : 31 * CLOCK_S);
		if (answers)
			assert_int_equal(kill(template, SIGCONT), 0);
		stop_all(&t, 3);
		await_processes(&t, "--child=worker", 0);
		assert_int_equal(t.started, answers ? 3 : 1);
		assert_int_equal(t.ended, answers ? 3 : 1);
		assert_int_equal(t.failed, answers ? 0 : 2);
		assert_true(answers || t.err == -ECANCELED);
		assert_int_equal(t.gaps, 0);
		end(&t);
		if (answers)
			return;
	}
}

static void
test_cannot_be_started(void **state)
{
	struct told t;

	(void)state;
	begin(&t, "beats", 1, 9999);
	start_all(&t, 0, 1);
	assert_int_equal(t.failed, 1);
	assert_int_equal(t.err, -EBADF);
	assert_int_equal(t.slots[0]->state, CHILD_FINISHED);
	end(&t);
}

/* Time in which nobody read is nobody's silence; other time is. */
static void
test_silence(void **state)
{
	struct told t;
	uint64_t before;

	(void)state;
	begin(&t, "beats", 1, -1);
	start_all(&t, 0, 1);
	await_all(&t, 1, CHILD_READY);
	before = children_time(t.children);
	ahead_ns += 1000 * CLOCK_S;
	assert_int_equal(children_poll(t.children, 0), 0);
	assert_true(children_time(t.children) <= before + TURN_NS);
	assert_int_equal(t.slots[0]->state, CHILD_READY);

	assert_int_equal(kill(t.slots[0]->pid, SIGSTOP), 0);
	assert_int_equal(poll(NULL, 0, 50), 0);
	pass(&t, 10 * CLOCK_S);
	assert_true(children_stand_still(t.children));
	/* It is not late as long as it stands still. */
	children_stop(t.children, t.slots[0], CLOCK_S);
	pass(&t, 100 * CLOCK_S);
	assert_int_equal(t.slots[0]->state, CHILD_STOPPING);
	pass(&t, 20 * CLOCK_S);
	await_all(&t, 1, CHILD_FINISHED);
	assert_int_equal(t.ended, 1);
	assert_int_equal(t.expected, 0);
	end(&t);
}

/* Its end is its end, although the end of its pipe does not come. */
static void
test_pipe_is_held(void **state)
{
	struct told t;

	(void)state;
	begin(&t, "leaves one", 1, -1);
	start_all(&t, 0, 1);
	await_all(&t, 1, CHILD_READY);
	children_kill(t.children, t.slots[0]);
	await_processes(&t, "holds", 1);
	pass(&t, 5 * CLOCK_S);
	assert_int_equal(t.slots[0]->state, CHILD_KILLED);
	pass(&t, 11 * CLOCK_S);
	assert_int_equal(t.slots[0]->state, CHILD_FINISHED);
	assert_int_equal(t.ended, 1);
	children_destroy(t.children);
	while (wait(NULL) > 0)
		; /* it sees that nobody listens */
}

/* Leaves a process that has its pipes, too, and does not die with it. */
static int
leave_one(struct child *c)
{
	char *argv[] = {(char *)"x", (char *)"holds", NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	char byte;
	int fds[2];

	if (spawn_pipe(fds) < 0)
		return 1;
	r.fds[r.nfds++] = (struct spawn_fd){CHILD_DOWN, CHILD_DOWN};
	r.fds[r.nfds++] = (struct spawn_fd){CHILD_UP, CHILD_UP};
	r.fds[r.nfds++] = (struct spawn_fd){fds[1], CHILD_UP + 1};
	if (spawn(&r) < 0 || read(fds[0], &byte, 1) != 1)
		return 1;
	child_say(c, MESSAGE_READY);
	for (;;)
		(void)poll(NULL, 0, 1000); /* until it is killed */
}

static int
hold(void)
{
	struct pollfd p = {.fd = CHILD_UP};

	return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ||
	       write(CHILD_UP + 1, "", 1) != 1 || poll(&p, 1, -1) < 0;
}

static int
worker(const char *role, const char *source, const char *incarnation)
{
	struct event cmd, bye = {.type = MESSAGE_BYE};
	uint64_t s = 0, i = 0;
	struct child c;

	(void)text_to_u64(source, UINT32_MAX, &s); /* ours */
	(void)text_to_u64(incarnation, UINT32_MAX, &i);
	child_init(&c, role, "", (uint32_t)s, (uint32_t)i);
	if (strcmp(role, "leaves one") == 0)
		return leave_one(&c);
	child_say(&c, MESSAGE_READY);
	while (!c.stopping)
		(void)child_command(&c, 1000, &cmd); /* it notes the stop */
	bye.u.bye.ok = 1;
	child_emit(&c, &bye);
	child_flush(&c);
	child_fini(&c);
	frame_cleanup();
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_template),
	    cmocka_unit_test(test_slow_template),
	    cmocka_unit_test(test_stuck_template),
	    cmocka_unit_test(test_killed_template),
	    cmocka_unit_test(test_idle_template),
	    cmocka_unit_test(test_not_wanted_any_more),
	    cmocka_unit_test(test_cannot_be_started),
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_pipe_is_held),
	};
	char *words[TEMPLATE_ARGV_MAX + 1];

	if (argc > 1 && strcmp(argv[1], "--child=template") == 0) {
		argc = template_serve(argc, argv, words);
		argv = words;
	}
	if (argc == 5)
		return worker(argv[2], argv[3], argv[4]);
	if (argc > 1)
		return hold();
	if (spawn_subreaper() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
