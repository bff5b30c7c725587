/* SPDX-License-Identifier: ISC */
/*
 * A wall clock of its own for one process: this program, as a child that tells
 * its clocks when it is asked, is ahead and behind by what it is told, to the
 * nanosecond where seconds are carried; its monotonic clock is the host's, as
 * is the wall clock of a child that was let alone and of whatever it executes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chaos/cluster/local/vdso.h"
#include "proto/base/clock.h"
#include "proto/base/spawn.h"
#include "tests/support.h"

#define TELL "tell"

struct clocks {
	int64_t wall_ns;
	uint64_t mono_ns;
};

struct teller {
	pid_t pid;
	int ask, told;
};

/* The child: a byte asks for the clocks, the end of file ends it. */
static int
tell(void)
{
	struct clocks c;
	char byte;

	while (read(STDIN_FILENO, &byte, 1) == 1) {
		c = (struct clocks){clock_wall_ns(), clock_mono_ns()};
		if (write(STDOUT_FILENO, &c, sizeof(c)) != sizeof(c))
			return 1;
	}
	return 0;
}

static struct teller
begin(bool is_stopped)
{
	char path[] = "/proc/self/exe", word[] = TELL;
	char *argv[] = {path, word, NULL};
	struct spawn_request r = {
	    .path = path, .argv = argv, .is_stopped = is_stopped};
	int down[2], up[2];
	struct teller t;

	assert_int_equal(spawn_pipes(down, up), 0);
	r.fds[r.nfds++] = (struct spawn_fd){down[0], STDIN_FILENO};
	r.fds[r.nfds++] = (struct spawn_fd){up[1], STDOUT_FILENO};
	t = (struct teller){spawn(&r), down[1], up[0]};
	assert_true(t.pid > 0);
	close(down[0]);
	close(up[1]);
	return t;
}

static void
end(struct teller *t)
{
	close(t->ask);
	close(t->told);
	spawn_end(t->pid);
}

/* How far its wall clock is ahead of ours, from its least to its most. */
static void
expect_ahead(struct teller *t, int64_t ns)
{
	uint64_t before_ns = clock_mono_ns();
	int64_t wall_ns = clock_wall_ns(), gone_ns;
	struct clocks c;

	assert_int_equal(write(t->ask, "x", 1), 1);
	assert_int_equal(read(t->told, &c, sizeof(c)), sizeof(c));
	assert_true(c.mono_ns >= before_ns && c.mono_ns <= clock_mono_ns());
	gone_ns = (int64_t)(clock_mono_ns() - before_ns);
	assert_true(c.wall_ns - wall_ns >= ns);
	assert_true(c.wall_ns - wall_ns <= ns + gone_ns + (int64_t)CLOCK_MS);
}

static void
skip_where_it_cant_be(void)
{
	if (vdso_try() == 0)
		return;
	print_message("clocks can't be set here\n");
	skip();
}

static void
test_own_clock(void **state)
{
	static const int64_t offsets[] = {INT64_C(3600000000000), -1, 1,
	    999999999, -999999999, INT64_C(-30500000000),
	    INT64_C(86400000000000), 0};
	struct teller t, other;
	size_t i;
	unsigned k;

	(void)state;
	skip_where_it_cant_be();
	t = begin(true);
	other = begin(false);
	assert_int_equal(vdso_take_over(t.pid), 0);
	expect_ahead(&t, 0);
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		assert_int_equal(vdso_set_offset(t.pid, offsets[i]), 0);
		for (k = 0; k < 20; k++)
			expect_ahead(&t, offsets[i]);
		expect_ahead(&other, 0);
	}
	end(&t);
	end(&other);
}

/* What was never taken over is not written to. */
static void
test_another_process(void **state)
{
	struct teller t;

	(void)state;
	skip_where_it_cant_be();
	t = begin(false);
	assert_int_equal(vdso_set_offset(t.pid, CLOCK_S), -ENOTSUP);
	expect_ahead(&t, 0);
	end(&t);
	assert_true(vdso_set_offset(t.pid, CLOCK_S) < 0);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own_clock),
	    cmocka_unit_test(test_another_process),
	};

	if (argc > 1 && strcmp(argv[1], TELL) == 0)
		return tell();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
