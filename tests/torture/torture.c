/* SPDX-License-Identifier: ISC */
/*
 * Fail the N-th call: natsburn with calls that fail (fail.h) judges recorded
 * journals, writes reports and runs, again and again, and each time another
 * call fails, once or from then on. Whatever fails: no crash, no leak (in a
 * build with sanitizers), no hang, nothing that survives; no pass where there
 * was none, no violation where there was none, and no report that lacks
 * something.
 *
 * A sample of the calls is tried, the same each time; TORTURE_EVERY=1 tries
 * all of them.
 */
#include "tests/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"
#include "tests/torture/fail.h"

#define JOBS	     6
#define ARGS_MAX     24
#define PATH_BYTES   (SUPPORT_PATH_MAX + 64)
#define FILE_MAX     ((size_t)16 << 20)
#define SANITIZER    99 /* exit code of a program with a finding or a leak */
#define DEADLINE_NS  (60 * CLOCK_S)
#define SURVIVOR_NS  (20 * CLOCK_S)
#define FAILURES_MAX 10		     /* told of */
#define WHOLE	     "memory 0 once" /* nothing fails */

struct scenario {
	const char *name;
	const char *program;
	const char *args[ARGS_MAX]; /* "@" stands for the scratch folder */
	int code;		    /* when nothing fails */
	/* Recorded journals, copied to the folders @/a and @/b. */
	const char *a, *b;
	const char *out; /* the folder with the reports, below @ */
	/* What is done with what it left, without a failure. */
	const char *again[4];
	/* How many calls of each kind are tried, once and for ever. */
	unsigned once[FAIL_KINDS], ever[FAIL_KINDS];
};

struct order {
	enum fail_kind kind;
	uint64_t nth;
	bool for_ever;
};

struct job {
	pid_t pid; /* 0: idle */
	struct order order;
	uint64_t deadline_ns;
	bool was_killed, is_again;
	char dir[SUPPORT_PATH_MAX];
};

struct bench {
	const struct scenario *s;
	struct job jobs[JOBS];
	uint64_t counts[FAIL_KINDS];
	char *reports[3]; /* when nothing fails */
	unsigned tried, failures, codes[256];
};

static const char *const kinds[FAIL_KINDS] = FAIL_NAMES;
static const char *const files[3] = {"report.json", "junit.xml", "report.html"};

static void
path_of(char *out, const char *dir, const char *name)
{
	text_format(out, PATH_BYTES, "%s/%s", dir, name);
}

/* Give the scratch folder what the scenario begins with. */
static void
copy_journal(const char *name, const char *dir, const char *to)
{
	char from[PATH_BYTES], path[PATH_BYTES];
	size_t len;
	char *text;

	if (name == NULL)
		return;
	text_format(from, sizeof(from),
	    TESTS_DIR "/golden/journals/%s/journal/000001.nbj", name);
	text = file_read(from, FILE_MAX, &len);
	assert_non_null(text);
	path_of(path, dir, to);
	assert_int_equal(mkdir(path, 0755), 0);
	text_add(path, sizeof(path), "/journal");
	assert_int_equal(mkdir(path, 0755), 0);
	text_add(path, sizeof(path), "/000001.nbj");
	assert_int_equal(file_replace(path, text, len), 0);
	free(text);
}

static void
make_scratch(const struct scenario *s, const char *dir)
{
	support_dir_remove(dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	copy_journal(s->a, dir, "a");
	copy_journal(s->b, dir, "b");
}

/* Start the program, with its words in @/said. */
static void
start(struct job *j, const struct scenario *s, const char *const *words,
    const char *order)
{
	char args[ARGS_MAX][PATH_BYTES], *argv[ARGS_MAX + 2], said[PATH_BYTES];
	struct spawn_request r = {.path = s->program, .argv = argv};
	int i, fd;

	argv[0] = (char *)(uintptr_t)s->program;
	for (i = 0; words[i] != NULL; i++) {
		argv[i + 1] = args[i];
		if (words[i][0] == '@')
			path_of(args[i], j->dir, words[i] + 1);
		else
			text_set(args[i], PATH_BYTES, words[i]);
	}
	argv[i + 1] = NULL;
	assert_int_equal(setenv("TORTURE", order, 1), 0);
	path_of(said, j->dir, "said");
	fd = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	r.fds[r.nfds++] = (struct spawn_fd){fd, 1};
	r.fds[r.nfds++] = (struct spawn_fd){fd, 2};
	j->pid = spawn(&r);
	close(fd);
	assert_true(j->pid > 0);
	j->was_killed = false;
	j->is_again = words == s->again;
	j->deadline_ns = clock_mono_ns() + DEADLINE_NS;
}

/* Wait for any child: its job, or NULL for another process or for none. */
static struct job *
wait_some(struct bench *b, int *status)
{
	pid_t pid = waitpid(-1, status, WNOHANG);
	int i;

	for (i = 0; i < JOBS; i++) {
		if (b->jobs[i].pid == 0)
			continue;
		if (b->jobs[i].pid == pid)
			return &b->jobs[i];
		if (clock_mono_ns() > b->jobs[i].deadline_ns) {
			b->jobs[i].was_killed = true;
			assert_int_equal(kill(b->jobs[i].pid, SIGKILL), 0);
		}
	}
	if (pid <= 0)
		assert_true(poll(NULL, 0, 2) == 0);
	return NULL;
}

static char *
read_report(const struct scenario *s, const char *dir, int i)
{
	char out[PATH_BYTES], path[PATH_BYTES + 32];
	size_t len;

	if (s->out == NULL)
		return NULL;
	path_of(out, dir, s->out);
	text_format(path, sizeof(path), "%s/%s", out, files[i]);
	return file_read(path, FILE_MAX, &len);
}

/* The exit code that a report.json tells of; -1: none is there. */
static int
code_in(const char *json)
{
	static const char name[] = "\n\t\"exit_code\":";
	const char *at = json != NULL ? strstr(json, name) : NULL;

	return at != NULL ? (int)strtol(at + sizeof(name) - 1, NULL, 10) : -1;
}

/* Are the reports right for the code? Why not, or NULL. */
static const char *
examine_reports(const struct bench *b, const struct job *j, int code)
{
	const char *why = NULL;
	char *text;
	int i, told;

	for (i = 0; i < 3 && b->reports[i] != NULL && why == NULL; i++) {
		text = read_report(b->s, j->dir, i);
		told = i == 0 ? code_in(text) : -1;
		if (text == NULL && code == 0)
			why = "the report is missing";
		else if (code == 0 && b->s->a != NULL &&
			 strcmp(text, b->reports[i]) != 0)
			why = "the report is another one";
		else if (told != b->s->code && (told == 0 || told == 1))
			why = "report.json tells of another verdict";
		free(text);
	}
	return why;
}

/* Did it end as it may? Why not, or NULL. */
static const char *
examine(const struct bench *b, const struct job *j, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	bool is_short = j->order.kind == FAIL_SHORT_READ ||
			j->order.kind == FAIL_SHORT_WRITE;

	if (j->was_killed)
		return "it hangs";
	if (code < 0)
		return "it crashed";
	if (code == SANITIZER)
		return "the sanitizer has a finding";
	if (code != b->s->code && code == 0)
		return "a pass where there was none";
	if (code != b->s->code && code == 1)
		return "a violation where there was none";
	if (j->is_again)
		return NULL;
	if (code != b->s->code && is_short)
		return "it can't do with single bytes";
	return examine_reports(b, j, code);
}

static void
tell(struct bench *b, const struct job *j, int status, const char *why)
{
	char path[PATH_BYTES], *said;
	size_t len;

	if (b->failures++ >= FAILURES_MAX)
		return;
	path_of(path, j->dir, "said");
	said = file_read(path, FILE_MAX, &len);
	print_error("TORTURE=\"%s %llu %s\"%s (status %d): %s\n%s\n",
	    kinds[j->order.kind], (unsigned long long)j->order.nth,
	    j->order.for_ever ? "ever" : "once",
	    j->is_again ? ", judged again" : "", status, why,
	    said == NULL ? ""
	    : len > 3000 ? said + len - 3000
			 : said);
	free(said);
}

static void
finish_one(struct bench *b)
{
	const char *why;
	struct job *j;
	int status;

	do
		j = wait_some(b, &status);
	while (j == NULL);
	j->pid = 0;
	why = examine(b, j, status);
	if (why != NULL)
		tell(b, j, status, why);
	if (j->is_again)
		return;
	b->tried++;
	if (WIFEXITED(status))
		b->codes[WEXITSTATUS(status)]++;
	if (b->s->again[0] != NULL)
		start(j, b->s, b->s->again, WHOLE);
}

static void
try_order(struct bench *b, const struct order *o)
{
	struct job *j = NULL;
	char order[64];
	int i;

	for (;;) {
		for (i = 0; i < JOBS && j == NULL; i++)
			if (b->jobs[i].pid == 0)
				j = &b->jobs[i];
		if (j != NULL)
			break;
		finish_one(b);
	}
	j->order = *o;
	text_format(order, sizeof(order), "%s %llu %s", kinds[o->kind],
	    (unsigned long long)o->nth, o->for_ever ? "ever" : "once");
	make_scratch(b->s, j->dir);
	start(j, b->s, b->s->args, order);
}

/* The calls of a kind, or an even sample of them. */
static void
try_kind(struct bench *b, enum fail_kind kind, bool for_ever)
{
	uint64_t n = for_ever ? b->s->ever[kind] : b->s->once[kind], i;
	uint64_t all = b->counts[kind];
	struct order o = {kind, 0, for_ever};

	if (n > all || (n > 0 && getenv("TORTURE_EVERY") != NULL))
		n = all;
	for (i = 0; i < n; i++) {
		o.nth = 1 + i * all / n;
		try_order(b, &o);
	}
}

static bool
is_busy(const struct bench *b)
{
	int i;

	for (i = 0; i < JOBS; i++)
		if (b->jobs[i].pid != 0)
			return true;
	return false;
}

/* When nothing fails: what it comes to, and how many calls there are. */
static void
look_at_whole(struct bench *b)
{
	char path[PATH_BYTES], *text, *at;
	struct job *j = &b->jobs[0];
	size_t len;
	int status, k;

	path_of(path, j->dir, "../counts");
	assert_int_equal(setenv("TORTURE_COUNTS", path, 1), 0);
	make_scratch(b->s, j->dir);
	start(j, b->s, b->s->args, WHOLE);
	while (wait_some(b, &status) != j)
		;
	j->pid = 0;
	assert_int_equal(unsetenv("TORTURE_COUNTS"), 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != b->s->code)
		tell(b, j, status, "not even without a failure");
	assert_int_equal(b->failures, 0);
	text = file_read(path, FILE_MAX, &len);
	assert_non_null(text);
	for (k = 0, at = text; k < FAIL_KINDS; k++)
		b->counts[k] = strtoull(at, &at, 10);
	free(text);
	for (k = 0; k < 3; k++)
		b->reports[k] = read_report(b->s, j->dir, k);
}

/* What it started ends with it; orphans are ours (a subreaper). */
static void
expect_nothing_survives(void)
{
	uint64_t deadline = clock_mono_ns() + SURVIVOR_NS;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0) {
		if (pid == 0)
			assert_true(poll(NULL, 0, 10) == 0);
		if (clock_mono_ns() > deadline)
			fail_msg("a process survived");
	}
	assert_int_equal(errno, ECHILD);
}

static void
test_scenario(void **state)
{
	char top[SUPPORT_PATH_MAX], line[1024] = "";
	struct bench b = {.s = *state};
	unsigned k;

	support_dir_make(top);
	for (k = 0; k < JOBS; k++)
		text_format(
		    b.jobs[k].dir, SUPPORT_PATH_MAX, "%.400s/%u", top, k);
	look_at_whole(&b);
	for (k = 0; k < FAIL_KINDS; k++) {
		try_kind(&b, k, false);
		try_kind(&b, k, true);
	}
	while (is_busy(&b))
		finish_one(&b);
	expect_nothing_survives();
	for (k = 0; k < FAIL_KINDS; k++)
		text_add(line, sizeof(line), " %llu %s",
		    (unsigned long long)b.counts[k], kinds[k]);
	text_add(line, sizeof(line), "; %u tried, exit codes:", b.tried);
	for (k = 0; k < 256; k++)
		if (b.codes[k] > 0)
			text_add(line, sizeof(line), " %u x %u", k, b.codes[k]);
	print_message("%s: calls%s\n", b.s->name, line);
	for (k = 0; k < 3; k++)
		free(b.reports[k]);
	support_dir_remove(top);
	assert_int_equal(b.failures, 0);
}

#define PROGRAM TORTURE_NATSBURN
#define ALL_KINDS(memory, other)                                               \
	{                                                                      \
		[FAIL_MEMORY] = memory, [FAIL_READ] = other,                   \
		[FAIL_WRITE] = other, [FAIL_POLL] = other,                     \
		[FAIL_FORK] = other, [FAIL_SHORT_READ] = 1,                    \
		[FAIL_SHORT_WRITE] = 1                                         \
	}
/* One byte at a time for ever would take a pipe longer than there is. */
#define ALL_KINDS_OF_A_RUN(memory, other)                                      \
	{                                                                      \
		[FAIL_MEMORY] = memory, [FAIL_READ] = other,                   \
		[FAIL_WRITE] = other, [FAIL_POLL] = other, [FAIL_FORK] = other \
	}
#define RUN                                                                    \
	"run", "liar", "--cluster", "null", "--quiet-time", "0", "--rounds",   \
	    "100", "--quiet", "--seed", "1", "--out", "@run"

static const struct scenario scenarios[] = {
    {.name = "report_pass",
	.program = PROGRAM,
	.args = {"report", "@a"},
	.a = "pass",
	.out = "a",
	.once = ALL_KINDS(120, 20),
	.ever = ALL_KINDS(60, 10)},
    {.name = "report_lost",
	.program = PROGRAM,
	.args = {"report", "@a"},
	.code = 1,
	.a = "lost",
	.out = "a",
	.once = ALL_KINDS(120, 20),
	.ever = ALL_KINDS(60, 10)},
    {.name = "report_merge",
	.program = PROGRAM,
	.args = {"report", "--merge", "--out", "@m", "@a", "@b"},
	.code = 1,
	.a = "pass",
	.b = "duplicate",
	.out = "m",
	.once = ALL_KINDS(60, 10),
	.ever = ALL_KINDS(30, 10)},
    {.name = "dump",
	.program = PROGRAM,
	.args = {"dump", "@a"},
	.a = "lost",
	.once = ALL_KINDS(60, 10),
	.ever = ALL_KINDS(30, 10)},
    {.name = "journal",
	.program = TORTURE_JOURNAL,
	.args = {"@"},
	.once = ALL_KINDS(60, 60),
	.ever = ALL_KINDS(30, 60)},
    {.name = "run_pass",
	.program = PROGRAM,
	.args = {RUN},
	.out = "run",
	.again = {"check", "@run"},
	.once = ALL_KINDS(60, 10),
	.ever = ALL_KINDS_OF_A_RUN(30, 5)},
    {.name = "run_violation",
	.program = PROGRAM,
	.args = {RUN, "-o", "liar.plant=redelivered_after_ack"},
	.code = 1,
	.out = "run",
	.again = {"check", "@run"},
	.once = ALL_KINDS(60, 10),
	.ever = ALL_KINDS_OF_A_RUN(30, 5)},
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

int
main(void)
{
	struct CMUnitTest tests[SCENARIOS];
	size_t i;

	if (spawn_subreaper() < 0 ||
	    setenv("ASAN_OPTIONS", "detect_leaks=1:exitcode=99", 1) < 0 ||
	    setenv("UBSAN_OPTIONS", "print_stacktrace=1:exitcode=99", 1) < 0)
		return 1;
	memset(tests, 0, sizeof(tests));
	for (i = 0; i < SCENARIOS; i++) {
		tests[i].name = scenarios[i].name;
		tests[i].test_func = test_scenario;
		tests[i].initial_state = (void *)(uintptr_t)&scenarios[i];
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
