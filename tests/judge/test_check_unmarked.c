/* SPDX-License-Identifier: ISC */
/*
 * Markers that servers make when the last message of a subject grows old: one
 * that lacks, one that nobody asked for, one that stays; and what is legal.
 */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define MANY  60
#define VOWED CLASS_VIOLATION

static const struct msg_contents marked = {.allow_rollup = 1,
    .allow_ttl = 1,
    .per_subject = 1,
    .marker_ttl_ns = 50 * CLOCK_S};
static const uint64_t places[] = {1, MANY / 2, MANY};

/* A value with a lifetime of 5 s. */
static uint64_t
fleeting(struct store_story *s, uint32_t subject)
{
	struct msg_publish_terms t = store_terms(s, subject);

	t.ttl_ns = 5 * CLOCK_S;
	return store_put(s, &t);
}

/* The next sequence is a marker's. */
static struct msg_marked
marker(struct store_story *s, uint32_t subject)
{
	struct msg_marked m = {.stream = STORE_STREAM,
	    .subject = subject,
	    .seq = ++s->last,
	    .ttl_ns = marked.marker_ttl_ns};

	return m;
}

/* Its leader is seen after the audit, too. */
static void
look_again(struct store_story *s)
{
	store_pass(s, 10 * CLOCK_S);
}

/* All of subject 2 are replaced but the last, which grows old: at places. */
static void
begin(struct store_story *s, unsigned i)
{
	uint64_t n;

	store_begin(s, &marked);
	s->more = look_again;
	for (n = 1; n <= MANY; n++)
		if (n == places[i])
			fleeting(s, 1);
		else
			store_publish(s, 2);
	for (n = 1; n < s->last; n++)
		if (n != places[i] && n != MANY - (i == 2))
			store_drop(s, n, n);
	store_drop(s, places[i], places[i]);
}

static void
look_last(struct store_story *s, uint32_t shown)
{
	struct msg_look q = {.how = LOOK_LAST, .subject = 1};

	store_look(s, &q);
	store_looked(s, shown);
}

static void
missing(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		begin(&s, i % 3);
		store_pass(&s, 25 * CLOCK_S);
		if (i >= 3) /* it is there */
			s.markers[marker(&s, 1).seq] = 1;
		s.expected[ANOMALY_UNMARKED][VOWED] = i < 3;
		store_end(&s);
	}

	/* The leader has neither, and a marker later. */
	begin(&s, 1);
	store_pass(&s, 10 * CLOCK_S);
	look_last(&s, 0);
	s.markers[marker(&s, 1).seq] = 1;
	store_pass(&s, 10 * CLOCK_S);
	store_end_with(&s, ANOMALY_UNMARKED, VOWED);

	/* A server ended meanwhile. */
	begin(&s, 1);
	store_pass(&s, 2 * CLOCK_S);
	store_fault(&s);
	store_pass(&s, 25 * CLOCK_S);
	store_end_with(&s, ANOMALY_UNMARKED, CLASS_WARNING);
}

/* No marker, and why there need not be one. */
static void
legally_missing(void **state)
{
	static const struct msg_remove_invoke purge = {
	    .how = REMOVER_PURGE, .subject = 1, .first = 1};
	struct msg_contents terms = marked;
	struct msg_publish_terms t;
	struct store_story s;
	unsigned i;

	(void)state;
	/* It is too old itself; or was not there when the audit began. */
	for (i = 0; i < 2; i++) {
		begin(&s, 1);
		store_pass(&s, i == 0 ? 56 * CLOCK_S : 15 * CLOCK_S);
		store_end(&s);
	}
	/* A purge took it; one whose outcome is unknown may have. */
	for (i = 0; i < 2; i++) {
		begin(&s, 1);
		store_pass(&s, 10 * CLOCK_S);
		store_changed(&s,
		    i == 0 ? MESSAGE_CHANGE_OK : MESSAGE_CHANGE_UNKNOWN,
		    store_remove(&s, &purge));
		store_pass(&s, 15 * CLOCK_S);
		look_last(&s, 0);
		store_end(&s);
	}
	/* A publish that nobody heard of may stand there, and be old. */
	begin(&s, 1);
	t = store_terms(&s, 1);
	t.ttl_ns = CLOCK_S;
	store_sent(&s, &t);
	store_unknown(&s, t.id, true);
	store_pass(&s, 25 * CLOCK_S);
	look_last(&s, 0);
	store_end(&s);
	/* What replaces others may be the marker of a purge. */
	store_begin(&s, &marked);
	t = store_terms(&s, 1);
	t.ttl_ns = 5 * CLOCK_S;
	t.rolls = ROLLS_SUBJECT;
	store_put(&s, &t);
	store_drop(&s, 1, 1);
	store_pass(&s, 25 * CLOCK_S);
	look_last(&s, 0);
	store_end(&s);
	/* An older one is there still. */
	terms.per_subject = 4;
	store_begin(&s, &terms);
	store_publish(&s, 1);
	fleeting(&s, 1);
	store_drop(&s, 2, 2);
	store_pass(&s, 25 * CLOCK_S);
	store_end(&s);
	/* A limit may have dropped it, or refused it. */
	terms.per_subject = 1;
	terms.max_messages = 100;
	store_begin(&s, &terms);
	fleeting(&s, 1);
	store_drop(&s, 1, 1);
	store_pass(&s, 25 * CLOCK_S);
	look_last(&s, 0);
	store_end(&s);
	/* None is asked for. */
	terms = marked;
	terms.marker_ttl_ns = 0;
	store_begin(&s, &terms);
	fleeting(&s, 1);
	store_drop(&s, 1, 1);
	store_pass(&s, 25 * CLOCK_S);
	look_last(&s, 0);
	store_end(&s);
}

/* A newer one stood there when it went, and was deleted since. */
static void
outlived(void **state)
{
	struct msg_contents terms = marked;
	struct store_story s;
	uint64_t seq;
	unsigned i;

	(void)state;
	terms.per_subject = 4;
	for (i = 0; i < 2; i++) {
		store_begin(&s, &terms);
		s.more = look_again;
		fleeting(&s, 1);
		store_drop(&s, 1, 1);
		store_pass(&s, 6 * CLOCK_S);
		seq = store_publish(&s, 1 + i);
		store_pass(&s, 4 * CLOCK_S);
		store_delete(&s, seq);
		store_pass(&s, 15 * CLOCK_S);
		look_last(&s, 0);
		s.expected[ANOMALY_UNMARKED][VOWED] = i == 1;
		store_end(&s);
	}
}

static void
set_clock(struct store_story *s, uint64_t ahead_ns)
{
	struct event ev = {.type = MESSAGE_CLOCK_SET};

	ev.u.clock_set.most_ns = (int64_t)ahead_ns;
	store_feed(s, &ev);
}

/* A clock is set ahead after a message was sent that may grow old by it. */
static void
skewed(void **state)
{
	struct msg_publish_terms t;
	struct store_story s;
	struct msg_marked m;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		store_begin(&s, &marked);
		t = store_terms(&s, 1);
		t.ttl_ns = 60 * CLOCK_S;
		store_put(&s, &t);
		if (i == 0)
			store_drop(&s, 1, 1);
		set_clock(&s, (i == 0 ? 40 : 20) * CLOCK_S);
		store_pass(&s, 30 * CLOCK_S);
		m = marker(&s, 1);
		store_marked(&s, &m);
		s.markers[m.seq] = 1;
		s.expected[ANOMALY_PHANTOM][VOWED] = i == 1 ? 2 : 0;
		store_end(&s);
	}
	/* Nothing is known of a marker when clocks are so far apart. */
	begin(&s, 1);
	set_clock(&s, 700 * CLOCK_S);
	store_pass(&s, 740 * CLOCK_S);
	look_last(&s, 0);
	store_end(&s);
}

/* A delete of a message of the run takes no marker away. */
static void
spared(void **state)
{
	struct store_story s;
	uint64_t seq;

	(void)state;
	begin(&s, 1);
	store_pass(&s, 10 * CLOCK_S);
	seq = store_publish(&s, 3);
	store_delete(&s, seq);
	store_pass(&s, 15 * CLOCK_S);
	store_end_with(&s, ANOMALY_UNMARKED, VOWED);
}

static void
phantoms(void **state)
{
	struct msg_contents terms = marked;
	struct store_story s;
	struct msg_marked m;
	unsigned i;

	(void)state;
	/* Before its time; of none that grows old; of another lifetime. */
	for (i = 0; i < 4; i++) {
		begin(&s, 1);
		store_pass(&s, i == 0 ? 2 * CLOCK_S : 8 * CLOCK_S);
		m = marker(&s, i == 1 ? 2 : 1);
		m.ttl_ns -= i == 2 ? CLOCK_S : 0;
		if (i == 3) /* of a version to come */
			text_set(m.reason, sizeof(m.reason), "Purge");
		store_marked(&s, &m);
		s.markers[m.seq] = 1;
		store_pass(&s, 15 * CLOCK_S);
		store_end_with(
		    &s, ANOMALY_PHANTOM, i == 3 ? CLASS_WARNING : VOWED);
	}
	/* A message is there that has not grown old. */
	store_begin(&s, &marked);
	fleeting(&s, 1);
	store_pass(&s, 10 * CLOCK_S);
	store_publish(&s, 1);
	store_drop(&s, 1, 1);
	m = marker(&s, 1);
	store_marked(&s, &m);
	store_end_with(&s, ANOMALY_PHANTOM, VOWED);
	/* Legal: that message came behind it. */
	store_begin(&s, &marked);
	fleeting(&s, 1);
	store_pass(&s, 10 * CLOCK_S);
	m = marker(&s, 1);
	store_publish(&s, 1);
	store_drop(&s, 1, 1);
	store_marked(&s, &m);
	store_end(&s);
	/* Legal: its age has become shorter since it was sent. */
	terms.max_age_ns = 60 * CLOCK_S;
	store_begin(&s, &terms);
	store_publish(&s, 1);
	store_limits(&s, 0, 5 * CLOCK_S);
	store_drop(&s, 1, 1);
	store_pass(&s, 8 * CLOCK_S);
	m = marker(&s, 1);
	store_marked(&s, &m);
	store_end(&s);
	/* Nobody asked for it. */
	terms.max_age_ns = 0;
	terms.marker_ttl_ns = 0;
	store_begin(&s, &terms);
	fleeting(&s, 1);
	store_drop(&s, 1, 1);
	store_pass(&s, 10 * CLOCK_S);
	m = marker(&s, 1);
	store_marked(&s, &m);
	store_end_with(&s, ANOMALY_PHANTOM, VOWED);
	/* It stands where a message was acknowledged. */
	begin(&s, 1);
	store_pass(&s, 8 * CLOCK_S);
	m = marker(&s, 1);
	m.seq = --s.last;
	store_marked(&s, &m);
	store_end_with(&s, ANOMALY_SEQ_REUSE, VOWED);
}

/* It is read, and again after its lifetime, and more. */
static void
late(void **state)
{
	static const uint64_t ages[] = {
	    40 * CLOCK_S, 61 * CLOCK_S, 66 * CLOCK_S};
	struct store_story s;
	struct msg_marked m;
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin(&s, 1);
		store_pass(&s, 8 * CLOCK_S);
		m = marker(&s, 1);
		store_marked(&s, &m);
		store_publish(&s, 1);
		store_pass(&s, ages[i % 3]);
		if (i == 3)
			store_pass(&s, 30 * CLOCK_S);
		if (i == 3)
			store_fault(&s); /* legal for a while */
		store_marked(&s, &m);
		s.expected[ANOMALY_EXPIRED_LATE][VOWED] = i == 2;
		store_end(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(missing),
	    cmocka_unit_test(legally_missing),
	    cmocka_unit_test(outlived),
	    cmocka_unit_test(skewed),
	    cmocka_unit_test(spared),
	    cmocka_unit_test(phantoms),
	    cmocka_unit_test(late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
