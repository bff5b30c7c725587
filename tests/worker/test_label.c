/* SPDX-License-Identifier: ISC */
/* Subject and header of a message, as hashes and counts have them. */
#include "tests/support.h"

#include <string.h>

#include "proto/base/text.h"
#include "worker/audit/copy.h"
#include "worker/audit/label.h"
#include "worker/audit/scan.h"

#define SUBJECT "orders.1"

/* Header lines, key and value by turns, NULL at the end. */
static natsMsg *
make(const char *subject, const char *const *lines)
{
	natsMsg *msg = NULL;

	assert_int_equal(
	    natsMsg_Create(&msg, subject, NULL, "payload", 7), NATS_OK);
	for (; lines[0] != NULL; lines += 2)
		assert_int_equal(
		    natsMsgHeader_Add(msg, lines[0], lines[1]), NATS_OK);
	return msg;
}

static struct label
label_of(const char *subject, const char *const *lines)
{
	natsMsg *msg = make(subject, lines);
	struct label l;

	label_read(&l, msg);
	natsMsg_Destroy(msg);
	return l;
}

static void
a_line_that_is_lost_or_changed_shows(void **state)
{
	const char *const all[] = {
	    "Nats-Msg-Id", "1-2", "Other", "x", NULL, NULL};
	const char *const other_way[] = {
	    "Other", "x", "Nats-Msg-Id", "1-2", NULL, NULL};
	const char *const lost[] = {"Other", "x", NULL, NULL};
	const char *const changed[] = {
	    "Nats-Msg-Id", "1-3", "Other", "x", NULL, NULL};
	const char *const swapped[] = {
	    "Nats-Msg-Id", "x", "Other", "1-2", NULL, NULL};
	const char *const twice[] = {
	    "Nats-Msg-Id", "1-2", "Other", "x", "Other", "x", NULL, NULL};
	const char *const none[] = {NULL, NULL};
	uint64_t hash = label_of(SUBJECT, all).hash;

	(void)state;
	assert_true(label_of(SUBJECT, other_way).hash == hash);
	assert_true(label_of(SUBJECT, lost).hash != hash);
	assert_true(label_of(SUBJECT, changed).hash != hash);
	assert_true(label_of(SUBJECT, swapped).hash != hash);
	assert_true(label_of(SUBJECT, twice).hash != hash);
	assert_true(label_of(SUBJECT, none).hash != hash);
	assert_true(label_of("orders.2", all).hash != hash);
}

static void
lengths_are_those_that_servers_count(void **state)
{
	const char *const line[] = {"Nats-Msg-Id", "1-2", NULL, NULL};
	const char *const none[] = {NULL, NULL};
	struct label l = label_of(SUBJECT, line);

	(void)state;
	assert_int_equal(
	    l.header_len, strlen("NATS/1.0\r\nNats-Msg-Id: 1-2\r\n\r\n"));
	assert_int_equal(l.subject_len, strlen(SUBJECT));
	assert_int_equal(label_of(SUBJECT, none).header_len, 0);
}

/* Two copies of a message, of which one has lost its header, differ. */
static void
the_hash_of_a_copy_has_the_header(void **state)
{
	const char *const line[] = {"Nats-Msg-Id", "1-2", NULL, NULL};
	const char *const none[] = {NULL, NULL};
	struct delivery d = {.seq = 5, .stamp_ns = 7};
	natsMsg *whole = make(SUBJECT, line), *lost = make(SUBJECT, none);

	(void)state;
	assert_true(
	    copy_message_hash(whole, &d) != copy_message_hash(lost, &d));
	natsMsg_Destroy(whole);
	natsMsg_Destroy(lost);
}

static void
count(struct scan *s, uint64_t seq, const char *subject, const char *id)
{
	const char *const line[] = {"Nats-Msg-Id", id, NULL, NULL};
	const char *const none[] = {NULL, NULL};
	natsMsg *msg = make(subject, id != NULL ? line : none);

	tally_add(s, seq, msg, "1-2");
	natsMsg_Destroy(msg);
}

/* Bytes by both kinds of storage, as 2.9 to 2.15 count them. */
static void
a_tally_counts_as_servers_do(void **state)
{
	static struct worker w;
	static struct scan s = {.w = &w};
	uint64_t header = strlen("NATS/1.0\r\nNats-Msg-Id: 1-2\r\n\r\n");

	(void)state;
	text_set(w.config.storage, sizeof(w.config.storage), "file");
	count(&s, 7, "a", "1-2");
	assert_int_equal(s.tally.bytes, 30 + 4 + header + 1 + 7);
	count(&s, 5, "bb", NULL); /* it has lost its id */
	assert_int_equal(s.tally.bytes, 30 + 4 + header + 1 + 7 + 30 + 2 + 7);
	count(&s, 9, "a", "1-3"); /* and it has another one */
	count(&s, 8, "a", "1-2");
	assert_int_equal(s.tally.read, 4);
	assert_int_equal(s.tally.first, 5);
	assert_int_equal(s.tally.last, 9);
	assert_int_equal(s.tally.nsubjects, 2);
	assert_int_equal(s.tally.mislabelled, 2);
	assert_int_equal(s.tally.mislabelled_seq, 5);
	tally_reset(&s.tally);
	text_set(w.config.storage, sizeof(w.config.storage), "memory");
	count(&s, 1, "a", "1-2");
	assert_int_equal(s.tally.bytes, 16 + header + 1 + 7);
	tally_reset(&s.tally);
}

/* More subjects than are counted are not miscounted, but unknown. */
static void
a_tally_knows_how_many_subjects_it_can_count(void **state)
{
	static struct worker w;
	static struct scan s = {.w = &w};
	char subject[16];
	unsigned i;

	(void)state;
	for (i = 0; i <= TALLY_SUBJECTS; i++) {
		text_format(subject, sizeof(subject), "s%u", i * 7 % 4099);
		assert_false(s.tally.has_more);
		assert_int_equal(s.tally.nsubjects, i);
		count(&s, i + 1, subject, "1-2");
	}
	assert_true(s.tally.has_more);
	tally_reset(&s.tally);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_that_is_lost_or_changed_shows),
	    cmocka_unit_test(lengths_are_those_that_servers_count),
	    cmocka_unit_test(the_hash_of_a_copy_has_the_header),
	    cmocka_unit_test(a_tally_counts_as_servers_do),
	    cmocka_unit_test(a_tally_knows_how_many_subjects_it_can_count),
	};

	int failed;

	if (nats_Open(-1) != NATS_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	nats_Close();
	return failed;
}
