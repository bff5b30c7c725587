/* SPDX-License-Identifier: ISC */
/*
 * What is read out of a server's output: panics, fatal errors, data races and
 * signals as Go's runtime writes them, and files that grow meanwhile.
 */
#include "tests/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/oom.h"
#include "chaos/tail.h"
#include "chaos/trace.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"

static void
take(void *arg, const char *line)
{
	trace_line(arg, line);
}

static void
take_text(struct trace *t, const char *text)
{
	char copy[4096], *rest = copy, *line;

	text_set(copy, sizeof(copy), text);
	trace_reset(t);
	while ((line = strsep(&rest, "\n")) != NULL)
		trace_line(t, line);
}

static void
test_files(void **state)
{
	static const struct {
		const char *file;
		uint8_t cause;
		const char *says, *frames;
	} rows[] = {
	    {"panic.txt", CAUSE_PANIC,
		"panic: runtime error: invalid memory address or nil pointer "
		"dereference",
		"server.(*stream).isMigrating (jetstream_cluster.go:1937) < "
		"server.(*jetStream).monitorStream "
		"(jetstream_cluster.go:1773)"},
	    {"race.txt", CAUSE_RACE, "WARNING: DATA RACE",
		"Write: server.(*raft).addPeer (raft.go:3062); Previous read: "
		"server.(*raft).checkAccountNRGStatus (raft.go:640)"},
	};
	char path[512];
	struct trace t;
	struct tail tail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&tail, 0, sizeof(tail));
		trace_reset(&t);
		text_format(path, sizeof(path), "%s/chaos/traces/%s", TESTS_DIR,
		    rows[i].file);
		assert_true(tail_read(&tail, path, 1 << 20, take, &t) > 0);
		assert_true(t.is_over);
		assert_int_equal(t.cause, rows[i].cause);
		assert_string_equal(t.says, rows[i].says);
		assert_string_equal(t.frames, rows[i].frames);
		assert_int_equal(tail_read(&tail, path, 1 << 20, take, &t), 0);
	}
}

static void
test_causes(void **state)
{
	static const struct {
		const char *text;
		uint8_t cause;
		const char *says, *frames;
	} rows[] = {
	    {"", CAUSE_NONE, "", ""},
	    {"[1] 2024/10/28 17:16:04.266396 [INF] Starting nats-server",
		CAUSE_NONE, "", ""},
	    /* of a client's making, in a line of the log */
	    {"[1] 2024/10/28 17:16:04 [ERR] panic: not ours", CAUSE_NONE, "",
		""},
	    {"fatal error: concurrent map read and map write\n"
	     "goroutine 200 [running]:\n"
	     "runtime.throw({0xa366ce, 0xe620e0})\n"
	     "\t/go/src/runtime/panic.go:1198 +0x71 fp=0xc0 sp=0xc0\n"
	     "github.com/x/v2/server.(*Tree[...]).Match(0xc000681000, {0x1})\n"
	     "\t/src/server/stree.go:2454 +0x8ce fp=0xc0 sp=0xc0\n",
		CAUSE_FATAL, "fatal error: concurrent map read and map write",
		"server.(*Tree[...]).Match (stree.go:2454)"},
	    {"fatal error: stack overflow\n\nruntime stack:\n"
	     "runtime.throw({0x1, 0xe})\n\t/go/src/runtime/panic.go:1 +0x1\n\n"
	     "goroutine 1 [running]:\nmain.f(0x1)\n\t/src/main.go:7 +0x1\n",
		CAUSE_FATAL, "fatal error: stack overflow",
		"main.f (main.go:7)"},
	    /* the ten thousand threads are Go's own limit */
	    {"runtime: program exceeds 10000-thread limit\n"
	     "fatal error: thread exhaustion\n",
		CAUSE_FATAL, "fatal error: thread exhaustion", ""},
	    {"runtime: out of memory: cannot allocate 4194304-byte block (1 in "
	     "use)\nfatal error: out of memory\n",
		CAUSE_HOST,
		"fatal error: out of memory (runtime: out of memory: cannot "
		"allocate 4194304-byte block (1 in use))",
		""},
	    {"runtime: failed to create new OS thread (have 9 already; "
	     "errno=11)\nfatal error: newosproc\n",
		CAUSE_HOST,
		"fatal error: newosproc (runtime: failed to create new OS "
		"thread (have 9 already; errno=11))",
		""},
	    /* no more open files for it */
	    {"runtime: epollcreate failed with 24\n"
	     "fatal error: runtime: netpollinit failed\n",
		CAUSE_HOST, "fatal error: runtime: netpollinit failed", ""},
	    {"runtime: eventfd failed with 23\n"
	     "fatal error: runtime: eventfd failed\n",
		CAUSE_HOST,
		"fatal error: runtime: eventfd failed (runtime: eventfd failed "
		"with 23)",
		""},
	    /* kill -ABRT, as 2.9.10 and 2.15.1 wrote it */
	    {"SIGABRT: abort\nPC=0x46ece1 m=0 sigcode=0\n\n"
	     "goroutine 0 [idle]:\nmain.f()\n\t/src/main.go:1 +0x21\n",
		CAUSE_SIGNAL, "SIGABRT: abort", ""},
	    {"SIGSEGV: segmentation violation\n"
	     "PC=0x46ece1 m=0 sigcode=-6 addr=0x1\n",
		CAUSE_SIGNAL, "SIGSEGV: segmentation violation", ""},
	    /* the C library's abort(), here for lack of threads */
	    {"runtime/cgo: pthread_create failed: Resource temporarily "
	     "unavailable\nSIGABRT: abort\n"
	     "PC=0x7f512b7365f7 m=0 sigcode=18446744073709551610\n\n"
	     "goroutine 0 [idle]:\nmain.f()\n\t/src/main.go:1 +0x21\n",
		CAUSE_SIGNAL, "SIGABRT: abort", ""},
	    /* the program's own doing, in code that is not Go's */
	    {"SIGSEGV: segmentation violation\n"
	     "PC=0x7f6ece1 m=4 sigcode=1 addr=0x0\n\n"
	     "goroutine 9 [syscall]:\nmain.f()\n\t/src/main.go:1 +0x21\n",
		CAUSE_FATAL, "SIGSEGV: segmentation violation",
		"main.f (main.go:1)"},
	    {"panic: \033[31mred\007\n\ngoroutine 1 [running]:\n\n"
	     "goroutine 2 [select]:\nmain.other()\n\t/src/main.go:1 +0x1\n",
		CAUSE_PANIC, "panic: ?[31mred?", ""},
	    /* a race whose report was cut off, and one stack is not known */
	    {"WARNING: DATA RACE\nWrite at 0x00c0 by goroutine 9:\n"
	     "  sync/atomic.AddInt32()\n      /go/src/race_amd64.s:2 +0xb\n"
	     "  main.f()\n      /src/main.go:3 +0x1\n\n"
	     "Previous read at 0x00c0 by goroutine 2:\n"
	     "  [failed to restore the stack]\n\n"
	     "Goroutine 9 (running) created at:\n"
	     "  main.late()\n      /src/main.go:9 +0x1\n",
		CAUSE_RACE, "WARNING: DATA RACE",
		"Write: atomic.AddInt32 (race_amd64.s:2) < main.f "
		"(main.go:3); Previous read: "},
	};
	struct trace t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		take_text(&t, rows[i].text);
		assert_int_equal(t.cause, rows[i].cause);
		assert_string_equal(t.says, rows[i].says);
		assert_string_equal(t.frames, rows[i].frames);
	}
}

/* Any bytes: all that is kept is printable, and fits. */
static void
test_any_bytes(void **state)
{
	static const char *const heads[] = {
	    "panic: ", "fatal error: ", "WARNING: DATA RACE",
	    "SIGX: ", "goroutine 1 ", "\t", "  ", "Read at 0x"};
	struct rng r;
	struct trace t;
	char line[TAIL_LINE_MAX];
	unsigned i, k;
	const char *c;

	(void)state;
	rng_init(&r, support_seed(), "bytes");
	trace_reset(&t);
	for (i = 0; i < 20000; i++) {
		if (rng_below(&r, 40) == 0)
			trace_reset(&t);
		text_set(line, sizeof(line),
		    heads[rng_below(&r, sizeof(heads) / sizeof(heads[0]))]);
		for (k = (unsigned)strlen(line); k < rng_below(&r, 500); k++) {
			line[k] = (char)(1 + rng_below(&r, 255));
			line[k + 1] = '\0';
		}
		trace_line(&t, line);
		for (c = t.says; *c != '\0'; c++)
			assert_true(*c >= ' ' && *c <= '~');
		for (c = t.frames; *c != '\0'; c++)
			assert_true(*c >= ' ' && *c <= '~');
	}
}

struct lines {
	unsigned n;
	char last[TAIL_LINE_MAX];
};

static void
count(void *arg, const char *line)
{
	struct lines *l = arg;

	l->n++;
	text_set(l->last, sizeof(l->last), line);
}

static void
append(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Lines come whole, however their bytes do; what was there before does not. */
static void
test_tail(void **state)
{
	char path[] = "/tmp/natsburn-tail.XXXXXX";
	char big[2 * TAIL_LINE_MAX];
	struct lines l = {0};
	struct tail t;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	append(path, "old\nold");
	tail_begin(&t, path);
	assert_int_equal(tail_read(&t, path, 100, count, &l), 0);
	append(path, "one\ntw");
	assert_false(tail_is_at_end(&t, path));
	assert_int_equal(tail_read(&t, path, 100, count, &l), 6);
	assert_string_equal(l.last, "one");
	append(path, "o\n");
	assert_int_equal(tail_read(&t, path, 100, count, &l), 2);
	assert_string_equal(l.last, "two");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	append(path, big);
	append(path, "\nend\n");
	assert_true(tail_read(&t, path, 1 << 20, count, &l) > sizeof(big));
	assert_string_equal(l.last, "end");
	assert_int_equal(l.n, 4);
	assert_true(tail_is_at_end(&t, path));
	assert_int_equal(truncate(path, 3), 0);
	assert_int_equal(tail_read(&t, path, 100, count, &l), 0);
	assert_false(tail_is_at_end(&t, path));
	unlink(path);
	assert_int_equal(tail_read(&t, path, 100, count, &l), 0);
	assert_false(tail_is_at_end(&t, path));
}

/* It only grows, wherever it is read. */
static void
test_oom(void **state)
{
	uint64_t first = oom_kills();

	(void)state;
	assert_true(oom_kills() >= first);
}

/* The host's word stands whatever other goroutines write after it. */
static void
test_last_error(void **state)
{
	static const char host[] = "[FTL] listen: address already in use";
	struct trace_error e = {0};

	(void)state;
	assert_false(trace_error_is_host(&e));
	trace_error_note(&e, "[ERR] JetStream: no space left on device");
	assert_true(trace_error_is_host(&e));
	trace_error_note(&e, "[ERR] RAFT: term is older");
	assert_false(trace_error_is_host(&e));
	trace_error_note(&e, host);
	trace_error_note(&e, "[ERR] RAFT: term is older");
	assert_string_equal(e.says, host);
	assert_true(trace_error_is_host(&e));
	trace_error_note(&e, "[FTL] can't go on");
	assert_false(trace_error_is_host(&e));
	memset(&e, 0, sizeof(e));
	trace_error_note(&e, "nats-server: unknown field \"x\"");
	assert_true(trace_error_is_host(&e));
}

/* A server that goes on for long after an error does not end of it. */
static void
test_old_error(void **state)
{
	struct trace_error e = {0};

	(void)state;
	trace_error_note(&e, "[ERR] JetStream: no space left on device");
	for (e.looks = 0; e.looks < 10; e.looks++)
		assert_true(trace_error_is_host(&e));
	assert_false(trace_error_is_host(&e));
	trace_error_note(&e, "[ERR] JetStream: no space left on device");
	assert_true(trace_error_is_host(&e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_last_error),
	    cmocka_unit_test(test_old_error),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_causes),
	    cmocka_unit_test(test_any_bytes),
	    cmocka_unit_test(test_tail),
	    cmocka_unit_test(test_oom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
