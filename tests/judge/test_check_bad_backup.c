/* SPDX-License-Identifier: ISC */
/*
 * Backups, judged by what the audit reads of them when they are restored: what
 * is wrong at the beginning, in the middle and at the end, and what is legal
 * although it looks like it.
 */
#include "tests/stories/store_story.h"

#include <string.h>

#include "proto/base/text.h"

#define MANY   300
#define BACKUP 3 /* number of the fault */
#define ROOM   (2 * MANY)
#define VOWED  CLASS_VIOLATION
#define QUIET  (25 * CLOCK_S)
#define OF_SEQ (MANY / 2)

static const struct msg_contents plain = {0};
static const uint64_t places[] = {1, MANY / 2, MANY};

/* What the audit tells of the backup. */
static struct msg_restored_message told[ROOM];
static unsigned ntold;
static bool is_incomplete;

static void
audit_backup(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_RESTORED};
	unsigned i;

	ev.u.restored.backup = BACKUP;
	ev.u.restored.ok = 1;
	store_feed(s, &ev);
	for (i = 0; i < ntold; i++) {
		ev = (struct event){.type = MESSAGE_RESTORED_MESSAGE};
		ev.u.restored_message = told[i];
		store_feed(s, &ev);
	}
	ev = (struct event){.type = MESSAGE_RESTORED_END};
	ev.u.restored_end.backup = BACKUP;
	ev.u.restored_end.complete = !is_incomplete;
	store_feed(s, &ev);
}

/* Where it is read, and what differs there. */
enum read_in {
	STREAM,
	IN_BACKUP,
	OTHER_BACKUP
};
enum differs {
	NOTHING,
	HEADERS,
	STAMP,
	ANOTHER_ONE
};

static void
label(struct store_story *s, enum read_in in, uint64_t seq, enum differs what)
{
	struct event ev = {.type = MESSAGE_LABELLED};

	ev.u.labelled = (struct msg_labelled){
	    .backup = in == STREAM ? 0 : BACKUP + (in == OTHER_BACKUP),
	    .seq = seq,
	    .id = s->ids[seq] + (what == ANOTHER_ONE),
	    .hash = seq + (what == HEADERS || what == ANOTHER_ONE),
	    .stamp_ns = (int64_t)seq + (what == STAMP)};
	store_feed(s, &ev);
}

static void
publish(struct store_story *s, unsigned n)
{
	while (n-- > 0)
		store_publish(s, 1);
}

static void
begin_of(struct store_story *s, const struct msg_contents *terms)
{
	store_begin(s, terms);
	s->more = audit_backup;
	ntold = 0;
	is_incomplete = false;
}

/* A stream with messages, whose leader is known. */
static void
begin(struct store_story *s)
{
	begin_of(s, &plain);
	publish(s, MANY);
	store_pass(s, QUIET);
}

static void
backup_begins(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = BACKUP;
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_BACKUP_BEGIN};
	ev.u.backup_begin.fault = BACKUP;
	text_set(ev.u.backup_begin.name, sizeof(ev.u.backup_begin.name), "s0");
	store_feed(s, &ev);
}

static void
backup_ends(struct store_story *s, bool ok)
{
	struct event ev = {.type = MESSAGE_BACKUP_END};

	ev.u.backup_end.fault = BACKUP;
	ev.u.backup_end.ok = ok;
	text_set(ev.u.backup_end.name, sizeof(ev.u.backup_end.name), "s0");
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_FAULT_HEALED};
	ev.u.fault_healed.fault = BACKUP;
	ev.u.fault_healed.ok = 1;
	store_feed(s, &ev);
	store_pass(s, QUIET);
}

static void
back_up(struct store_story *s)
{
	backup_begins(s);
	backup_ends(s, true);
}

static void
tell(const struct store_story *s, uint64_t seq)
{
	told[ntold++] = (struct msg_restored_message){.backup = BACKUP,
	    .seq = seq,
	    .id = s->ids[seq],
	    .run = STORE_RUN,
	    .intact = 1};
}

/* All that is stored but what is left out. */
static void
tell_all_but(const struct store_story *s, uint64_t left_out)
{
	uint64_t seq;

	for (seq = 1; seq <= s->last; seq++)
		if (seq != left_out)
			tell(s, seq);
}

static void
absent(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		back_up(&s);
		tell_all_but(&s, places[i]);
		store_end_with(&s, ANOMALY_BAD_BACKUP, VOWED);
		assert_int_equal(s.result.verdict, VERDICT_FAIL);
	}
}

static void
odd_message(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 4 * 3; i++) {
		begin(&s);
		back_up(&s);
		tell_all_but(&s, 0);
		if (i % 4 == 0)
			told[places[i / 4] - 1].run++;
		else if (i % 4 == 1)
			told[places[i / 4] - 1].intact = 0;
		else if (i % 4 == 2)
			told[places[i / 4] - 1].id = s.ids[OF_SEQ + 1];
		else
			told[places[i / 4] - 1].id += 1000;
		store_end_with(&s, ANOMALY_BAD_BACKUP, VOWED);
	}
}

/* The audit reads the stream, and then what was restored. */
static enum differs differs;
static enum read_in read_in;

static void
audit_labels(struct store_story *s)
{
	unsigned i;

	for (i = 0; i < 3; i++)
		label(s, STREAM, places[i], NOTHING);
	for (i = 0; i < 3; i++)
		label(s, read_in, places[i], i == 1 ? differs : NOTHING);
	label(s, read_in, 2, NOTHING); /* the stream has it no more */
	audit_backup(s);
}

static void
tell_labels(struct store_story *s, enum read_in in, enum differs what)
{
	begin(s);
	back_up(s);
	tell_all_but(s, 0);
	s->more = audit_labels;
	read_in = in;
	differs = what;
}

static void
odd_label(void **state)
{
	struct store_story s;

	(void)state;
	tell_labels(&s, IN_BACKUP, HEADERS);
	store_end_with(&s, ANOMALY_BAD_BACKUP, VOWED);
	tell_labels(&s, IN_BACKUP, STAMP);
	store_end_with(&s, ANOMALY_BAD_BACKUP, VOWED);
}

/* Another message, or one of a backup of which nothing is known. */
static void
legal_label(void **state)
{
	struct store_story s;

	(void)state;
	tell_labels(&s, IN_BACKUP, NOTHING);
	store_end(&s);
	tell_labels(&s, IN_BACKUP, ANOTHER_ONE);
	store_end(&s);
	tell_labels(&s, OTHER_BACKUP, STAMP);
	store_end(&s);
	/* Read twice, and not equally: the last time counts. */
	tell_labels(&s, STREAM, STAMP);
	store_end(&s);
}

static void
audit_unsure(struct store_story *s)
{
	label(s, STREAM, MANY + 1, NOTHING);
	label(s, IN_BACKUP, MANY + 1, differs);
	audit_backup(s);
}

/*
 * It was lost with the server that had not answered, and sent once more: at
 * another time, perhaps with fewer headers.
 */
static void
stored_anew(void **state)
{
	struct msg_publish_terms terms;
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&s);
		terms = store_terms(&s, 1);
		store_sent(&s, &terms);
		backup_begins(&s);
		backup_ends(&s, true);
		store_fault(&s);
		store_acked(&s, terms.id, MANY + 1, false);
		store_pass(&s, QUIET);
		tell_all_but(&s, 0);
		s.more = audit_unsure;
		differs = i == 0 ? STAMP : HEADERS;
		store_end(&s);
	}
}

/* It was removed before the backup was asked for. */
static void
removed_before(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		store_delete(&s, places[i]);
		store_pass(&s, CLOCK_S);
		back_up(&s);
		tell_all_but(&s, 0);
		store_end_with(&s, ANOMALY_BAD_BACKUP, VOWED);
	}
}

static void
legal_honest(void **state)
{
	struct store_story s;

	(void)state;
	begin(&s);
	store_delete(&s, OF_SEQ);
	back_up(&s);
	tell_all_but(&s, OF_SEQ);
	store_end(&s);
	assert_int_equal(s.result.verdict, VERDICT_PASS);
}

/* Published or removed meanwhile, or removed later: there or not. */
static void
legal_meanwhile(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin(&s);
		backup_begins(&s);
		if (i < 2)
			publish(&s, 1);
		else
			store_delete(&s, OF_SEQ);
		backup_ends(&s, true);
		tell_all_but(&s, i % 2 == 0 ? 0 : (i == 1 ? s.last : OF_SEQ));
		store_end(&s);
	}
	begin(&s);
	back_up(&s);
	tell_all_but(&s, 0);
	store_delete(&s, OF_SEQ);
	store_end(&s);
}

/* One that has a time to live may have expired when it is restored. */
static void
legal_expired(void **state)
{
	struct msg_contents terms = {.allow_ttl = 1};
	struct msg_publish_terms mine;
	struct store_story s;

	(void)state;
	begin_of(&s, &terms);
	mine = store_terms(&s, 1);
	mine.ttl_ns = 3600 * CLOCK_S;
	(void)store_put(&s, &mine);
	publish(&s, 1);
	store_pass(&s, QUIET);
	back_up(&s);
	tell(&s, 2);
	store_end(&s);
}

/* Of schedules, and of values of keys, other events tell. */
static void
legal_otherwise(void **state)
{
	struct store_story s;
	struct event ev;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin_of(&s, &plain);
		s.ids[++s.last] = message_id(5, ++s.counter);
		ev = (struct event){
		    .type = i == 0 ? MESSAGE_SCHEDULE : MESSAGE_KV_UPDATE};
		if (i == 0)
			ev.u.schedule = (struct msg_schedule){.id = s.ids[1],
			    .attempt = 1,
			    .group = s.ids[1],
			    .times = TIMES_ONCE};
		else
			ev.u.kv_update = (struct msg_kv_update){
			    .id = s.ids[1], .attempt = 1};
		store_feed(&s, &ev);
		ev = (struct event){.type = MESSAGE_KV_UPDATE_END};
		ev.u.kv_update_end.id = s.ids[1];
		ev.u.kv_update_end.outcome = ENDED_UNKNOWN;
		if (i == 1)
			store_feed(&s, &ev);
		store_pass(&s, QUIET);
		back_up(&s);
		tell(&s, 1);
		store_end(&s);
	}
}

/* A deposed leader may not have it yet: that is no proof. */
static void
unproven(void **state)
{
	struct store_story s;

	(void)state;
	begin(&s);
	store_fault(&s);
	back_up(&s);
	tell_all_but(&s, OF_SEQ);
	store_end_with(&s, ANOMALY_BAD_BACKUP, CLASS_WARNING);
}

/* What was not read, or never was whole, lacks nothing. */
static void
not_whole(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&s);
		backup_begins(&s);
		backup_ends(&s, i == 0);
		is_incomplete = i == 0;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(absent),
	    cmocka_unit_test(odd_message),
	    cmocka_unit_test(odd_label),
	    cmocka_unit_test(legal_label),
	    cmocka_unit_test(stored_anew),
	    cmocka_unit_test(removed_before),
	    cmocka_unit_test(legal_honest),
	    cmocka_unit_test(legal_meanwhile),
	    cmocka_unit_test(legal_expired),
	    cmocka_unit_test(legal_otherwise),
	    cmocka_unit_test(unproven),
	    cmocka_unit_test(not_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
