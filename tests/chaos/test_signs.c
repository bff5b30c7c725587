/* SPDX-License-Identifier: ISC */
/* What lines of servers' logs have in common, and how often it is told. */
#include "tests/support.h"

#include <string.h>

#include "chaos/signs.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define HEAD "[4711] 2026/11/29 11:10:43.147424 "

static struct msg_server_says told[256];
static unsigned ntold;

void __wrap_child_emit(struct child *, struct event *);

void
__wrap_child_emit(struct child *c, struct event *ev)
{
	(void)c;
	assert_int_equal(ev->type, MESSAGE_SERVER_SAYS);
	assert_true(ntold < sizeof(told) / sizeof(told[0]));
	told[ntold++] = ev->u.server_says;
}

static void
test_make(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"Waiting for routing to be established...",
		"Waiting for routing to be established..."},
	    {"Healthcheck failed: \"JetStream stream 'A > b' is not current\"",
		"Healthcheck failed: \"*\""},
	    {"Catchup for stream 'BURN > NB_41EF_pipe' stalled",
		"Catchup for stream '*' stalled"},
	    {"RAFT [yrzKKRBu - _meta_] Falling behind, 12 of 99",
		"RAFT [*] Falling behind, # of #"},
	    {"RAFT [yrz", "RAFT [yrz"},
	    {"127.0.0.1:4222 - rid:17 - Readloop processing time: 5.2s",
		"# - # - Readloop processing time: #"},
	    {"Error: read tcp 127.0.0.1:1->[::1]:22: i/o timeout",
		"Error: read tcp #->[#]#: i/o timeout"},
	    {"can't open /var/lib/nats: it doesn't exist",
		"can't open #: it doesn't exist"},
	    {"login nats://bob:secret@host:1 of bob@example refused",
		"login # of # refused"},
	    {"key SUAGMJVOXYZABCDEFGHIJKLMNOPQRS is bad", "key # is bad"},
	    {"a tab\there, \x01\xff", "a tab here, ??"},
	    {"'", "'"},
	    {"it's 'open", "it's 'open"},
	    {"", ""},
	};
	char says[SIGNS_SAYS];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		signs_make(rows[i].text, says);
		assert_string_equal(says, rows[i].says);
	}
}

/* However long and odd a text is, its sign is a text, and printable. */
static void
test_long(void **state)
{
	char text[1000], says[SIGNS_SAYS];
	size_t i, k;

	(void)state;
	for (k = 1; k < 256; k++) {
		for (i = 0; i < sizeof(text) - 1; i++)
			text[i] = (char)(k * (i + 1) % 255 + 1);
		text[i] = '\0';
		signs_make(text, says);
		assert_true(strlen(says) < sizeof(says));
		for (i = 0; says[i] != '\0'; i++)
			assert_true(says[i] >= ' ' && says[i] <= '~');
	}
}

static void
test_count(void **state)
{
	static struct signs s;
	unsigned i;

	(void)state;
	memset(&s, 0, sizeof(s));
	ntold = 0;
	for (i = 1; i <= 5; i++) {
		signs_line(&s, HEAD "[WRN] slow: 1s", i * CLOCK_S);
		signs_tell(&s, 3, false, NULL);
	}
	/* neither of these is a warning */
	signs_line(&s, HEAD "[INF] all is [WRN] well", 9 * CLOCK_S);
	signs_line(&s, "[ERR] no head", 9 * CLOCK_S);
	signs_line(&s, "", 9 * CLOCK_S);
	signs_line(&s, HEAD "[ERR] slow: 1s", 7 * CLOCK_S);
	signs_line(&s, HEAD "[FTL] slow: 1s", 8 * CLOCK_S);
	signs_tell(&s, 3, true, NULL);
	/* the first, the second, the fourth; then what is left */
	assert_int_equal(ntold, 6);
	assert_int_equal(told[2].count, 4);
	assert_int_equal(told[3].count, 5);
	assert_int_equal(told[3].level, LEVEL_WARNING);
	assert_true(told[3].first_ns == CLOCK_S);
	assert_true(told[3].last_ns == 5 * CLOCK_S);
	assert_string_equal(told[3].says, "slow: #");
	assert_int_equal(told[4].level, LEVEL_ERROR);
	assert_int_equal(told[5].level, LEVEL_FATAL);
	assert_int_equal(told[5].node, 3);
	signs_tell(&s, 3, true, NULL); /* nothing is new */
	assert_int_equal(ntold, 6);
}

/* A server that says ever new things fills nothing. */
static void
test_bound(void **state)
{
	static struct signs s;
	char line[128];
	unsigned i;

	(void)state;
	memset(&s, 0, sizeof(s));
	ntold = 0;
	for (i = 0; i < 5 * SIGNS_MAX; i++) {
		text_format(line, sizeof(line), HEAD "[%s] %c%c is wrong",
		    i == 200 ? "ERR" : "WRN", 'a' + (char)(i / 20),
		    'a' + (char)(i % 20));
		signs_line(&s, line, CLOCK_S);
	}
	signs_tell(&s, 1, true, NULL);
	assert_int_equal(ntold, SIGNS_MAX + 1);
	assert_int_equal(told[SIGNS_MAX].count, 4 * SIGNS_MAX);
	assert_int_equal(told[SIGNS_MAX].level, LEVEL_ERROR);
	assert_string_equal(told[SIGNS_MAX].says, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_make),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_count),
	    cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
