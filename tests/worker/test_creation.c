/* SPDX-License-Identifier: ISC */
/* Streams asked for in JSON, and what is answered. */
#include "tests/support.h"

#include <string.h>

#include "proto/base/clock.h"
#include "worker/creation.h"

/* One that differs from a new configuration in every member. */
static void
config_make(jsStreamConfig *sc, const char *const *subjects, int n)
{
	session_stream_config(sc, "NB_1_a");
	sc->Description = "natsburn stream 7";
	sc->Subjects = (const char **)subjects;
	sc->SubjectsLen = n;
	sc->Retention = js_WorkQueuePolicy;
	sc->Storage = js_MemoryStorage;
	sc->Discard = js_DiscardNew;
	sc->Replicas = 5;
	sc->MaxConsumers = 11;
	sc->MaxMsgs = 12;
	sc->MaxBytes = INT64_C(13) << 40;
	sc->MaxAge = INT64_C(36500) * 86400 * (int64_t)CLOCK_S;
	sc->MaxMsgsPerSubject = 14;
	sc->MaxMsgSize = 15;
	sc->Duplicates = 120 * (int64_t)CLOCK_S;
	sc->NoAck = sc->Sealed = sc->DenyDelete = sc->DenyPurge =
	    sc->AllowRollup = sc->AllowDirect = true;
}

static void
assert_reads_back(const jsStreamConfig *sc)
{
	const char *subjects[CREATION_SUBJECTS_MAX];
	char asked[SETUP_CONFIG_MAX], got[SETUP_CONFIG_MAX];
	char text[CREATION_TEXT_MAX];
	jsStreamConfig read;
	cJSON *tree;

	creation_write(sc, "s2", text);
	tree = json_parse(text, strlen(text), REQUEST_NESTING_MAX);
	assert_non_null(tree);
	creation_read(tree, &read, subjects);
	setup_config_text(sc, asked);
	setup_config_text(&read, got);
	assert_string_equal(got, asked);
	assert_string_equal(read.Name, sc->Name);
	assert_string_equal(
	    read.Description, sc->Description != NULL ? sc->Description : "");
	assert_int_equal(read.AllowDirect, sc->AllowDirect);
	assert_string_equal(json_text(tree, "compression"), "s2");
	cJSON_Delete(tree);
}

static void
what_is_asked_for_reads_back(void **state)
{
	static const char *const subjects[] = {"nb.1.a", "nb.1.a.>"};
	jsStreamConfig sc;

	(void)state;
	config_make(&sc, subjects, 2);
	assert_reads_back(&sc);
	session_stream_config(&sc, "NB_1_b");
	sc.Subjects = (const char **)subjects;
	sc.SubjectsLen = 1;
	assert_reads_back(&sc);
}

/* What servers are sent, by the names and words of their API. */
static void
a_request_has_the_words_of_the_api(void **state)
{
	static const char *const subjects[] = {"nb.1.a"};
	char text[CREATION_TEXT_MAX];
	jsStreamConfig sc;

	(void)state;
	config_make(&sc, subjects, 1);
	creation_write(&sc, "none", text);
	assert_string_equal(text,
	    "{\"subjects\":[\"nb.1.a\"],\"name\":\"NB_1_a\","
	    "\"description\":\"natsburn stream 7\","
	    "\"retention\":\"workqueue\",\"storage\":\"memory\","
	    "\"discard\":\"new\",\"num_replicas\":5,\"max_consumers\":11,"
	    "\"max_msgs\":12,\"max_bytes\":14293651161088,"
	    "\"max_age\":3153600000000000000,\"max_msgs_per_subject\":14,"
	    "\"max_msg_size\":15,\"duplicate_window\":120000000000,"
	    "\"no_ack\":true,\"sealed\":true,\"deny_delete\":true,"
	    "\"deny_purge\":true,\"allow_rollup_hdrs\":true,"
	    "\"allow_direct\":true,\"compression\":\"none\"}");
}

/* A stream of somebody else's: of many subjects, with words of a new server. */
static void
a_foreign_configuration_is_read_as_far_as_it_goes(void **state)
{
	static const char text[] =
	    "{\"subjects\":[\"a\",\"b\",3,\"c\",\"d\",\"e\"],"
	    "\"retention\":\"never\",\"max_msgs\":\"many\",\"sealed\":1}";
	const char *subjects[CREATION_SUBJECTS_MAX];
	cJSON *tree = json_parse(text, sizeof(text) - 1, REQUEST_NESTING_MAX);
	jsStreamConfig sc;

	(void)state;
	creation_read(tree, &sc, subjects);
	assert_int_equal(sc.SubjectsLen, CREATION_SUBJECTS_MAX);
	assert_string_equal(sc.Subjects[CREATION_SUBJECTS_MAX - 1], "d");
	assert_int_equal((int)sc.Retention, -1);
	assert_int_equal(sc.MaxMsgs, 0);
	assert_false(sc.Sealed);
	cJSON_Delete(tree);
	creation_read(NULL, &sc, subjects);
	assert_int_equal(sc.SubjectsLen, 0);
}

static void
times_of_servers_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
	    {"1970-01-01T00:00:01Z", INT64_C(1000000000)},
	    {"2026-01-02T03:04:05.123456789Z", INT64_C(1767323045123456789)},
	    {"2026-01-02T03:04:05.12Z", INT64_C(1767323045120000000)},
	    {"2026-01-02T03:04:05.1+01:00", 0},
	    {"2026-01-02", 0},
	    {"", 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(request_time(rows[i].text), rows[i].ns);
}

/* What an answer is taken for, and what is said of it. */
static void
an_answer_is_told_from_an_error(void **state)
{
	static const struct {
		const char *text;
		enum outcome outcome;
		uint32_t code;
		const char *words; /* NULL: the library's own */
	} rows[] = {
	    {"{\"config\":{},\"created\":\"x\"}", OUTCOME_OK, 0, NULL},
	    {"{\"error\":{\"code\":500,\"err_code\":10047,\"description\":"
	     "\"insufficient storage\"}}",
		OUTCOME_UNKNOWN, 10047, "insufficient storage"},
	    {"+ACK", OUTCOME_UNKNOWN, 0, NULL},
	    {"", OUTCOME_UNKNOWN, 0, NULL},
	};
	struct session s = {0};
	natsMsg *msg;
	cJSON *tree;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(natsMsg_Create(&msg, "reply", NULL,
				     rows[i].text, (int)strlen(rows[i].text)),
		    NATS_OK);
		assert_int_equal(
		    request_answer(&s, NATS_OK, msg, &tree), rows[i].outcome);
		assert_int_equal(tree != NULL, rows[i].outcome == OUTCOME_OK);
		assert_int_equal(s.code, rows[i].code);
		if (rows[i].words != NULL)
			assert_string_equal(session_words(&s), rows[i].words);
		else
			assert_string_equal(s.said, "");
		cJSON_Delete(tree);
	}
	assert_int_equal(
	    request_answer(&s, NATS_NO_RESPONDERS, NULL, &tree), OUTCOME_FAIL);
	assert_null(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_asked_for_reads_back),
	    cmocka_unit_test(a_request_has_the_words_of_the_api),
	    cmocka_unit_test(a_foreign_configuration_is_read_as_far_as_it_goes),
	    cmocka_unit_test(times_of_servers_are_read),
	    cmocka_unit_test(an_answer_is_told_from_an_error),
	};
	int failed;

	if (nats_Open(-1) != NATS_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	nats_Close();
	return failed;
}
