/* SPDX-License-Identifier: ISC */
/*
 * What the list of messages says of them: classes, cases, ids, words. The
 * tables of the product are made by the compiler; here the same is looked
 * up field by field.
 */
#include "tests/support.h"

#include <string.h>

#define INSTANCES 50

static const struct message_field *
field_of(unsigned type, enum field_key first, enum field_key last)
{
	const struct message_spec *spec = message_spec(type);
	unsigned i;

	for (i = 0; i < spec->nfields; i++)
		if (spec->fields[i].key >= first && spec->fields[i].key <= last)
			return &spec->fields[i];
	return NULL;
}

static unsigned
case_of(const struct event *ev)
{
	const struct message_field *f =
	    field_of(ev->type, KEY_ATTEMPT, KEY_FINAL);
	uint64_t v = f != NULL ? (uint64_t)message_get(ev, f) : 0;

	if (f == NULL)
		return 0;
	if (f->key == KEY_ATTEMPT)
		return v > 1;
	if (f->key == KEY_OK)
		return v == 0;
	if (f->key == KEY_FINAL)
		return v != 0;
	return v <= 2 ? (unsigned)v : 2;
}

static void
test_fields_are_found(void **state)
{
	const struct message_field *id;
	struct event ev;
	struct rng rng;
	unsigned i, n, cases[CASE_COUNT] = {0};

	(void)state;
	rng_init(&rng, support_seed(), "message");
	for (i = 0; i < support_types(); i++)
		for (n = 0; n < INSTANCES; n++) {
			support_fill(&ev, support_type(i), n % FILLS, &rng);
			id = field_of(ev.type, KEY_ID, KEY_ID);
			assert_int_equal(message_id_of(&ev),
			    id != NULL ? (uint64_t)message_get(&ev, id) : 0);
			assert_int_equal(message_case(&ev), case_of(&ev));
			cases[message_case(&ev)]++;
		}
	for (i = 0; i < CASE_COUNT; i++)
		assert_true(cases[i] > 0);
}

static void
test_cases(void **state)
{
	struct event ev = {.type = MESSAGE_PUBLISH_INVOKE};

	(void)state;
	ev.u.publish_invoke.attempt = 1;
	assert_int_equal(message_case(&ev), CASE_FIRST);
	ev.u.publish_invoke.attempt = 256; /* its lowest byte is 0 */
	assert_int_equal(message_case(&ev), CASE_AGAIN);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_STREAM_LIST_END;
	assert_int_equal(message_case(&ev), CASE_FAILED);
	ev.u.stream_list_end.ok = 1;
	assert_int_equal(message_case(&ev), CASE_OK);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_ACK_UNKNOWN;
	assert_int_equal(message_case(&ev), CASE_OPEN);
	ev.u.ack_unknown.gave_up = 1;
	assert_int_equal(message_case(&ev), CASE_FINAL);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_KV_UPDATE_END;
	ev.u.kv_update_end.outcome = ENDED_FAILED;
	assert_int_equal(message_case(&ev), CASE_FAILED);
	ev.u.kv_update_end.outcome = 200; /* of a later version, perhaps */
	assert_int_equal(message_case(&ev), CASE_UNKNOWN);
}

/* An event of a worker is of one class at most, commands are of none. */
static void
test_classes(void **state)
{
	unsigned i, type, is, begin = 0, done = 0;

	(void)state;
	for (i = 0; i < support_types(); i++) {
		type = support_type(i);
		is = message_class(type);
		if (is & IS_ROUND) {
			assert_true(is & (IS_INVOKE | IS_OK | IS_READ));
			begin += (is & IS_INVOKE) != 0;
			done += (is & IS_INVOKE) == 0;
		}
		is &= ~(unsigned)IS_ROUND;
		assert_int_equal(is & (is - 1), 0);
		if (is & (IS_FRAME | IS_FACT))
			assert_int_equal(is & IS_OPERATION, 0);
		if (message_spec(type)->direction == DIRECTION_DOWN)
			assert_int_equal(is, IS_NOTE);
	}
	assert_true(begin > 0);
	assert_int_equal(begin, done);
	assert_int_equal(message_class(MESSAGE_TYPES - 1), IS_NOTE);
}

static void
test_words(void **state)
{
	struct event ev = {.type = MESSAGE_LEADER};
	char line[512];

	(void)state;
	assert_string_equal(message_word(KEY_LEADS, LEADS_STREAM), "stream");
	assert_string_equal(message_word(KEY_ENDED, 0), "ok");
	assert_null(message_word(KEY_ENDED, 3));
	assert_null(message_word(KEY_LEADS, 0));
	assert_null(message_word(KEY_NONE, 0));
	ev.u.leader.what = LEADS_META;
	(void)message_print(&ev, line, sizeof(line)); /* it fits */
	assert_non_null(strstr(line, " what=meta "));
	ev.u.leader.what = 9;
	(void)message_print(&ev, line, sizeof(line));
	assert_non_null(strstr(line, " what=9 "));
}

/* No number of a key has two words, and none of its words is empty. */
static void
test_words_are_distinct(void **state)
{
	static const struct {
		enum field_key key;
		uint64_t number;
		const char *word;
	} all[] = {
#define W(KEY, NAME, n, w) {KEY_##KEY, n, w},
#include "proto/messages.def"
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_true(all[i].word[0] != '\0');
		/* It gives the first one. */
		assert_string_equal(
		    message_word(all[i].key, all[i].number), all[i].word);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fields_are_found),
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_words_are_distinct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
