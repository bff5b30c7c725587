/* SPDX-License-Identifier: ISC */
/*
 * Watches: what they show wrongly, or not at all, is told, and what only looks
 * so is not.
 */
#include "tests/stories/store_story.h"

#define CLIENT 5 /* as the story has it */
#define NUMBER 100
#define MANY   20
#define VOWED  CLASS_VIOLATION

static const struct msg_contents bucket = {.allow_rollup = 1,
    .per_subject = 4,
    .discard = DISCARD_NEW,
    .deny_delete = 1};

/* Sequences 1.. belong to the keys 1 2 3 4 1 2 ... */
static void
begin(struct store_story *s)
{
	uint64_t seq;

	store_begin(s, &bucket);
	for (seq = 0; seq < MANY; seq++)
		store_publish(s, 1 + (uint32_t)(seq % 4));
}

static void
made(struct store_story *s, uint32_t times, uint64_t from)
{
	struct event ev = {.type = MESSAGE_WATCH_MADE};

	ev.u.watch_made = (struct msg_watch_made){
	    .watch = NUMBER, .times = times, .from = from};
	store_feed(s, &ev);
}

/* A watch of the keys 1 to last, with a consumer. */
static void
watch(struct store_story *s, uint8_t how, uint32_t last, uint64_t from)
{
	struct event ev = {.type = MESSAGE_WATCH};

	ev.u.watch = (struct msg_watch){.watch = NUMBER,
	    .how = how,
	    .first = 1,
	    .last = last,
	    .from = from};
	store_feed(s, &ev);
	made(s, 1, 0);
	s->look = NUMBER;
}

static void
shows(struct store_story *s, uint64_t first, uint64_t last)
{
	for (; first <= last; first++)
		store_shown(s, 1 + (uint32_t)((first - 1) % 4), first);
}

static void
initial(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_WATCH_INITIAL};

	ev.u.watch_initial.watch = NUMBER;
	store_feed(s, &ev);
}

static void
ends(struct store_story *s, uint64_t waited_for, uint64_t since_ns)
{
	struct event ev = {.type = MESSAGE_WATCH_END};

	ev.u.watch_end = (struct msg_watch_end){.watch = NUMBER,
	    .ok = waited_for == 0,
	    .last = waited_for,
	    .since_ns = since_ns};
	store_feed(s, &ev);
}

static void
finish(struct store_story *s)
{
	/* Of each key four are kept. */
	store_drop(s, 1, s->last > 16 ? s->last - 16 : 0);
	store_end(s);
}

/* What is shown at first, of what is asked for, and what that is. */
static void
beginnings(void **state)
{
	static const struct {
		uint8_t how;
		uint32_t last;		 /* key */
		uint64_t from, shows[4]; /* sequences */
		enum anomaly_kind kind;
	} rows[] = {
	    {WATCH_LAST, 4, 0, {17, 18, 19, 20}, ANOMALY_COUNT},
	    {WATCH_LAST, 1, 0, {17}, ANOMALY_COUNT},
	    {WATCH_LAST, 4, 0, {17, 19, 20}, ANOMALY_SKIPPED},
	    {WATCH_LAST, 4, 0, {18, 19, 20}, ANOMALY_SKIPPED},
	    /* A replica that is behind shows what it has. */
	    {WATCH_LAST, 4, 0, {13, 14, 15, 16}, ANOMALY_COUNT},
	    {WATCH_LAST, 4, 0, {17, 18, 20, 19}, ANOMALY_REORDER},
	    {WATCH_LAST, 4, 0, {17, 17, 18, 19}, ANOMALY_REORDER},
	    {WATCH_LAST, 3, 0, {17, 18, 19, 20}, ANOMALY_MISDELIVERED},
	    {WATCH_ALL, 4, 0, {5, 6, 7, 8}, ANOMALY_COUNT},
	    {WATCH_ALL, 4, 0, {5, 6, 8}, ANOMALY_SKIPPED},
	    {WATCH_ALL, 4, 0, {6, 7, 8}, ANOMALY_SKIPPED},
	    {WATCH_ALL, 1, 0, {5, 9, 13, 17}, ANOMALY_COUNT},
	    {WATCH_ALL, 1, 0, {5, 13, 17}, ANOMALY_SKIPPED},
	    {WATCH_FROM, 4, 10, {10, 11, 12, 13}, ANOMALY_COUNT},
	    {WATCH_FROM, 4, 10, {11, 12, 13}, ANOMALY_SKIPPED},
	    {WATCH_FROM, 4, 10, {8, 9, 10, 11}, ANOMALY_COUNT},
	    {WATCH_FROM, 4, 10, {9, 8, 10, 11}, ANOMALY_REORDER},
	    {WATCH_FROM, 4, 10, {8, 9, 11}, ANOMALY_SKIPPED},
	    {WATCH_NEW, 4, 0, {0}, ANOMALY_COUNT},
	};
	struct store_story s;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&s);
		watch(&s, rows[i].how, rows[i].last, rows[i].from);
		for (k = 0; k < 4 && rows[i].shows[k] != 0; k++)
			shows(&s, rows[i].shows[k], rows[i].shows[k]);
		initial(&s);
		ends(&s, 0, 0);
		if (rows[i].kind != ANOMALY_COUNT)
			s.expected[rows[i].kind][VOWED] = 1;
		finish(&s);
	}
}

/* Updates: what is put since has to come, in any watch. */
static void
updates(void **state)
{
	static const uint8_t hows[] = {WATCH_LAST, WATCH_NEW};
	struct store_story s;
	unsigned i, skips;

	(void)state;
	for (i = 0; i < 4; i++) {
		skips = i % 2;
		begin(&s);
		watch(&s, hows[i / 2], 4, 0);
		if (hows[i / 2] == WATCH_LAST)
			shows(&s, 17, 20);
		initial(&s);
		store_publish_many(&s, 8, 1); /* 21 to 28, all of key 1 */
		store_shown(&s, 1, 21);
		if (!skips)
			store_shown(&s, 1, 25);
		store_shown(&s, 1, 26);
		s.expected[ANOMALY_SKIPPED][VOWED] = 1;
		ends(&s, 0, 0);
		store_drop(&s, 21, 24); /* of key 1 four are left */
		store_drop(&s, 1, 1);
		store_drop(&s, 5, 5);
		store_drop(&s, 9, 9);
		store_drop(&s, 13, 13);
		store_drop(&s, 17, 17);
		store_drop(&s, 1, 4);
		if (!skips)
			s.expected[ANOMALY_SKIPPED][VOWED] = 0;
		store_end(&s);
	}
}

/* The first update is not shown; a server may have made it anew. */
static void
first_update(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		if (i == 2) /* while it is made */
			store_publish(&s, 1);
		watch(&s, WATCH_NEW, 4, 0);
		if (i == 1)
			store_fault(&s);
		if (i != 2)
			store_publish(&s, 1);
		store_publish(&s, 2);
		store_shown(&s, 2, 22);
		s.expected[ANOMALY_SKIPPED][VOWED] = i == 0;
		ends(&s, 0, 0);
		finish(&s);
	}
}

/* A consumer that is made anew goes on behind what was shown. */
static void
made_anew(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin(&s);
		watch(&s, WATCH_LAST, 4, 0);
		shows(&s, 17, 18);
		made(&s, 2, 19);
		if (i == 0) /* all */
			shows(&s, 19, 20);
		else if (i == 1) /* one again, by a replica that is behind */
			shows(&s, 18, 20);
		else if (i == 2) /* not the first of them */
			shows(&s, 20, 20);
		s.expected[ANOMALY_SKIPPED][VOWED] = i == 2;
		ends(&s, 0, 0); /* i == 3: it is behind */
		finish(&s);
	}
}

/* What may be gone need not be shown. */
static void
removed(void **state)
{
	struct msg_remove_invoke purge = {
	    .how = REMOVER_PURGE, .subject = 2, .first = 1, .keep = 1};
	struct msg_publish_terms t;
	struct store_story s;

	(void)state;
	begin(&s); /* a purge of which nobody knows what it did */
	store_changed(&s, MESSAGE_CHANGE_UNKNOWN, store_remove(&s, &purge));
	watch(&s, WATCH_ALL, 4, 0);
	shows(&s, 5, 5);
	shows(&s, 7, 9);
	ends(&s, 0, 0);
	finish(&s);

	begin(&s); /* a value behind the last one may be stored, or was */
	t = store_terms(&s, 2);
	store_sent(&s, &t);
	store_unknown(&s, t.id, true);
	watch(&s, WATCH_LAST, 4, 0);
	shows(&s, 17, 17);
	shows(&s, 19, 20);
	ends(&s, 0, 0);
	finish(&s);

	begin(&s); /* a marker replaces what was there, and is shown */
	t = store_terms(&s, 2);
	t.rolls = ROLLS_SUBJECT;
	store_put(&s, &t);
	store_publish(&s, 1);
	watch(&s, WATCH_LAST, 4, 0);
	shows(&s, 19, 20);
	store_shown(&s, 2, 21);
	store_shown(&s, 1, 22);
	ends(&s, 0, 0);
	store_drop(&s, 1, 6);
	store_drop(&s, 10, 10);
	store_drop(&s, 14, 14);
	store_drop(&s, 18, 18);
	store_end(&s);

	begin(&s); /* or is not */
	t = store_terms(&s, 2);
	t.rolls = ROLLS_SUBJECT;
	store_put(&s, &t);
	store_publish(&s, 1);
	watch(&s, WATCH_LAST, 4, 0);
	shows(&s, 19, 20);
	store_shown(&s, 1, 22);
	ends(&s, 0, 0);
	store_drop(&s, 1, 6);
	store_drop(&s, 10, 10);
	store_drop(&s, 14, 14);
	store_drop(&s, 18, 18);
	store_end_with(&s, ANOMALY_SKIPPED, VOWED);
}

/* The last value does not come; or it is gone. */
static void
waits(void **state)
{
	struct msg_remove_invoke purge = {.how = REMOVER_PURGE, .first = 1};
	struct store_story s;
	uint64_t since_ns;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		watch(&s, WATCH_LAST, 4, 0);
		shows(&s, 17, 19);
		if (i == 1)
			store_changed(&s, MESSAGE_CHANGE_UNKNOWN,
			    store_remove(&s, &purge));
		since_ns = s.now;
		store_pass(&s, i == 2 ? 5 * CLOCK_S : 45 * CLOCK_S);
		ends(&s, 20, since_ns);
		store_pass(&s, 20 * CLOCK_S);
		s.expected[ANOMALY_STUCK][VOWED] = i == 0;
		finish(&s);
	}
}

/* Of keys without values the same is told. */
static void
keys(void **state)
{
	struct event ev = {.type = MESSAGE_WATCH_KEY};
	struct store_story s;
	uint64_t seq;

	(void)state;
	begin(&s);
	watch(&s, WATCH_LAST, 4, 0);
	for (seq = 17; seq <= 20; seq++) {
		if (seq == 19)
			continue;
		ev.u.watch_key = (struct msg_watch_key){.watch = NUMBER,
		    .subject = 1 + (uint32_t)((seq - 1) % 4),
		    .seq = seq,
		    .run = STORE_RUN,
		    .id = s.ids[seq]};
		store_feed(&s, &ev);
	}
	ends(&s, 0, 0);
	s.expected[ANOMALY_SKIPPED][VOWED] = 1;
	finish(&s);

	begin(&s); /* another message than was acknowledged */
	watch(&s, WATCH_LAST, 1, 0);
	ev.u.watch_key = (struct msg_watch_key){.watch = NUMBER,
	    .subject = 1,
	    .seq = 17,
	    .run = STORE_RUN,
	    .id = s.ids[13]};
	store_feed(&s, &ev);
	ends(&s, 0, 0);
	s.expected[ANOMALY_SEQ_REUSE][VOWED] = 1;
	finish(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(beginnings),
	    cmocka_unit_test(updates),
	    cmocka_unit_test(first_update),
	    cmocka_unit_test(made_anew),
	    cmocka_unit_test(removed),
	    cmocka_unit_test(waits),
	    cmocka_unit_test(keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
