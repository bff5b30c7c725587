/* SPDX-License-Identifier: ISC */
/* The time that each part of the audit has, in a time of the test's own. */
#include <string.h>

#include "proto/base/clock.h"
#include "tests/support.h"
#include "worker/internal.h"

#define BEGIN_NS (1000 * CLOCK_S)

static uint64_t now_ns;
static unsigned said;

uint64_t __wrap_clock_mono_ns(void);
void __wrap_log_warn(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

uint64_t
__wrap_clock_mono_ns(void)
{
	return now_ns;
}

void
__wrap_log_warn(const char *fmt, ...)
{
	(void)fmt;
	said++;
}

static void
set_up(struct worker *w, uint64_t replicas)
{
	static const struct msg_audit_limit m = {
	    .base_ns = 30 * CLOCK_S,
	    .reading_ns = 7 * CLOCK_S,
	    .proof_ns = 50 * CLOCK_S,
	};

	memset(w, 0, sizeof(*w));
	w->config.replicas = replicas;
	now_ns = BEGIN_NS;
	said = 0;
	limit_begin(w, &m);
}

/* The part's time is over after so many seconds since the beginning. */
static void
expect_end(struct worker *w, uint64_t seconds)
{
	uint64_t was_ns = now_ns;

	now_ns = BEGIN_NS + seconds * CLOCK_S - 1;
	assert_false(limit_is_over(w));
	assert_int_equal(limit_deadline(w, CLOCK_S), now_ns + 1);
	now_ns++;
	assert_true(limit_is_over(w));
	now_ns = was_ns;
}

static void
test_parts(void **state)
{
	struct worker w;

	(void)state;
	set_up(&w, 3);
	assert_int_equal(limit_deadline(&w, CLOCK_S), BEGIN_NS + CLOCK_S);
	expect_end(&w, 10);
	limit_enter(&w, LIMIT_SCANS);
	expect_end(&w, 20 + 7);
	limit_enter(&w, LIMIT_COPIES);
	expect_end(&w, 30 + 4 * 7);
	set_up(&w, 1); /* nothing to compare */
	limit_enter(&w, LIMIT_COPIES);
	expect_end(&w, 30 + 7);
	assert_int_equal(said, 0);
}

/* What lasts is waited for, as long as the store goes. */
static void
test_prove(void **state)
{
	struct worker w;

	(void)state;
	set_up(&w, 3);
	limit_prove(&w, 10 * CLOCK_S, "it lasts no longer than the part");
	expect_end(&w, 10);
	assert_int_equal(said, 0);
	now_ns += 8 * CLOCK_S;
	limit_prove(&w, 22 * CLOCK_S, "20 s longer");
	expect_end(&w, 30);
	limit_enter(&w, LIMIT_SCANS);
	expect_end(&w, 20 + 20 + 7); /* and so those after it */
	now_ns = BEGIN_NS + 40 * CLOCK_S;
	limit_prove(&w, 60 * CLOCK_S, "53 s longer, of which 30 are left");
	expect_end(&w, 47 + 30);
	limit_enter(&w, LIMIT_COPIES);
	expect_end(&w, 58 + 50);
	limit_prove(&w, 600 * CLOCK_S, "nothing is left");
	expect_end(&w, 58 + 50);
	assert_int_equal(said, 2);
}

/* Whoever was stopped loses no time by it. */
static void
test_stands_still(void **state)
{
	struct worker w;

	(void)state;
	set_up(&w, 3);
	w.child.up.last_ns = UINT64_MAX - CHILD_BEAT_NS; /* it has no pipe */
	w.child.lazy_ns = UINT64_MAX / 2;
	child_beat(&w.child);
	now_ns += CHILD_CALL_NS;
	child_beat(&w.child);
	expect_end(&w, 10);
	now_ns += CHILD_CALL_NS + 40 * CLOCK_S;
	child_beat(&w.child);
	expect_end(&w, 10 + 40);
	limit_enter(&w, LIMIT_COPIES);
	expect_end(&w, 30 + 4 * 7 + 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_prove),
	    cmocka_unit_test(test_stands_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
