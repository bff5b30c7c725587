/* SPDX-License-Identifier: ISC */
/*
 * Mirrors and streams with sources, judged by what the audit reads of them:
 * what is wrong at the beginning, in the middle and at the end, and what is
 * legal although it looks like it. The origin is the stream of store_story.h.
 */
#include "tests/stories/store_story.h"

#include <string.h>

#include "proto/base/text.h"

#define MANY	 300
#define SUBJECTS 5
#define ROOM	 (2 * MANY)
#define COPY	 4 /* index of the first one */
#define COPIES	 2
#define STALL	 (150 * CLOCK_S)
#define VOWED	 CLASS_VIOLATION

static const struct msg_contents plain = {.allow_rollup = 1};
static const uint64_t places[] = {2, MANY / 2, MANY - 1};

/* What the audit tells of a copy. */
static struct told {
	struct msg_copy_terms terms;
	struct msg_copied list[ROOM];
	unsigned n;
	uint64_t stalled_ns;
	bool is_incomplete;
} copies[COPIES];
static unsigned ncopies;

static uint32_t
subject_of(uint64_t seq)
{
	return 1 + (uint32_t)(seq % SUBJECTS);
}

static void
publish(struct store_story *s, unsigned n)
{
	while (n-- > 0)
		store_publish(s, subject_of(s->last + 1));
}

/* The copy is read behind its origin. */
static void
audit_copies(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_SCAN_STATE};
	const struct told *t;
	unsigned i;

	ev.u.scan_state.first = 1;
	ev.u.scan_state.last = s->last;
	store_feed(s, &ev);
	for (t = copies; t < &copies[ncopies]; t++) {
		ev = (struct event){.type = MESSAGE_COPY_LAG};
		ev.u.copy_lag.stream = t->terms.stream;
		ev.u.copy_lag.origin = t->terms.origin;
		ev.u.copy_lag.stalled_ns = t->stalled_ns;
		store_feed(s, &ev);
		ev = (struct event){.type = MESSAGE_SCAN_BEGIN};
		ev.u.scan_begin.stream = t->terms.stream;
		store_feed(s, &ev);
		ev = (struct event){.type = MESSAGE_SCAN_STATE};
		ev.u.scan_state.stream = t->terms.stream;
		ev.u.scan_state.messages = t->n;
		store_feed(s, &ev);
		for (i = 0; i < t->n; i++) {
			ev = (struct event){.type = MESSAGE_COPIED};
			ev.u.copied = t->list[i];
			store_feed(s, &ev);
		}
		ev = (struct event){.type = MESSAGE_SCAN_END};
		ev.u.scan_end.stream = t->terms.stream;
		ev.u.scan_end.complete = !t->is_incomplete;
		store_feed(s, &ev);
	}
}

/* A history with copies, which hold what they should when it ends. */
static void
begin(struct store_story *s, const struct msg_copy_terms *terms, unsigned n)
{
	struct event ev;
	unsigned i;

	store_begin(s, &plain);
	s->more = audit_copies;
	memset(copies, 0, sizeof(copies));
	ncopies = n;
	for (i = 0; i < n; i++) {
		copies[i].terms = terms[i];
		copies[i].terms.stream = COPY + i;
		ev = (struct event){.type = MESSAGE_COPY_TERMS};
		ev.u.copy_terms = copies[i].terms;
		store_feed(s, &ev);
	}
	publish(s, MANY);
}

static struct msg_copied *
copy_one(struct told *t, const struct store_story *s, uint64_t seq)
{
	struct msg_copied *m = &t->list[t->n++];

	assert_true(t->n <= ROOM);
	*m = (struct msg_copied){.stream = t->terms.stream,
	    .seq = t->terms.mirrors ? seq : t->n,
	    .stamp_ns = (int64_t)(1 + seq),
	    .source_seq = t->terms.mirrors ? 0 : seq,
	    .subject = subject_of(seq),
	    .renamed = t->terms.renames,
	    .id = s->ids[seq],
	    .run = STORE_RUN,
	    .intact = 1};
	return m;
}

static void
copy_all(const struct store_story *s)
{
	struct told *t;
	uint64_t seq;

	for (t = copies; t < &copies[ncopies]; t++)
		for (seq = t->terms.start + (t->terms.start == 0);
		     seq <= s->last; seq++)
			if (t->terms.subjects == 0 ||
			    (t->terms.subjects >> (subject_of(seq) - 1) & 1))
				copy_one(t, s, seq);
}

/* The message of an origin's sequence, which is there. */
static struct msg_copied *
at(struct told *t, uint64_t seq)
{
	struct msg_copied *m = t->list;

	while ((t->terms.mirrors ? m->seq : m->source_seq) != seq)
		m++;
	return m;
}

static void
drop(struct told *t, uint64_t seq)
{
	struct msg_copied *m = at(t, seq);

	memmove(m, m + 1, (size_t)(&t->list[t->n] - m - 1) * sizeof(*m));
	t->n--;
}

static const struct msg_copy_terms mirror = {.mirrors = 1}, source = {0};

static void
absent(void **state)
{
	const struct msg_copy_terms *kinds[] = {&mirror, &source};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		begin(&s, kinds[i % 2], 1);
		copy_all(&s);
		drop(&copies[0], places[i / 2]);
		store_end_with(&s, ANOMALY_NOT_COPIED, VOWED);
		assert_int_equal(s.result.verdict, VERDICT_FAIL);
	}
}

/* Behind the last one only time proves. */
static void
absent_at_the_end(void **state)
{
	static const uint64_t stalls[] = {0, STALL - 1, STALL};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s, &mirror, 1);
		copy_all(&s);
		drop(&copies[0], MANY);
		drop(&copies[0], MANY - 1);
		copies[0].stalled_ns = stalls[i];
		if (i == 2)
			s.expected[ANOMALY_NOT_COPIED][VOWED] = 2;
		store_end(&s);
		assert_non_null(strstr(s.result.reasons[0],
		    i == 2 ? "not_copied" : "were not copied to stream"));
	}
}

/* By way of another mirror both of them may pause. */
static void
absent_behind_a_relay(void **state)
{
	static const uint64_t stalls[] = {STALL, 2 * STALL - 1, 2 * STALL};
	struct event ev = {.type = MESSAGE_COPY_RELAYED};
	struct store_story s;
	unsigned i;

	(void)state;
	ev.u.copy_relayed.stream = COPY;
	for (i = 0; i < 4; i++) {
		begin(&s, &mirror, 1);
		store_feed(&s, &ev);
		copy_all(&s);
		drop(&copies[0], i < 3 ? MANY : MANY / 2); /* or a hole */
		copies[0].stalled_ns = stalls[i % 3];
		s.expected[ANOMALY_NOT_COPIED][VOWED] = i >= 2;
		store_end(&s);
	}
}

/* A clock was set 30 s apart: by it a server may take as much longer. */
static void
absent_by_another_clock(void **state)
{
	static const uint64_t stalls[] = {
	    STALL + 30 * CLOCK_S - 1, STALL + 30 * CLOCK_S};
	struct event ev = {.type = MESSAGE_CLOCK_SET};
	struct store_story s;
	unsigned i;

	(void)state;
	ev.u.clock_set.least_ns = -30 * (int64_t)CLOCK_S;
	for (i = 0; i < 2; i++) {
		begin(&s, &mirror, 1);
		store_feed(&s, &ev);
		copy_all(&s);
		drop(&copies[0], MANY);
		copies[0].stalled_ns = stalls[i];
		if (i == 1)
			s.expected[ANOMALY_NOT_COPIED][VOWED] = 1;
		store_end(&s);
	}
}

/* All of a copy that never began. */
static void
empty(void **state)
{
	struct store_story s;

	(void)state;
	begin(&s, &source, 1);
	copies[0].stalled_ns = STALL;
	s.expected[ANOMALY_NOT_COPIED][VOWED] = MANY;
	store_end(&s);
}

/* What a mirror lacks the mirror of it can't have. */
static void
mirrors_of_mirrors(void **state)
{
	const struct msg_copy_terms both[] = {
	    {.mirrors = 1}, {.mirrors = 1, .origin = COPY}};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		begin(&s, both, 2);
		copy_all(&s);
		drop(&copies[1], places[i / 2]);
		if (i % 2 == 0)
			drop(&copies[0], places[i / 2]);
		store_end_with(&s, ANOMALY_NOT_COPIED, VOWED);
	}
}

static void
make_other(struct msg_copied *m)
{
	m->id = m[1].id;
}

static void
make_late(struct msg_copied *m)
{
	m->stamp_ns++;
}

static void
make_damaged(struct msg_copied *m)
{
	m->intact = 0;
}

static void
make_foreign(struct msg_copied *m)
{
	m->run++;
}

static void
make_invented(struct msg_copied *m)
{
	m->id = message_id(63, 1);
}

static void
make_subject(struct msg_copied *m)
{
	m->subject = m->subject % SUBJECTS + 1;
}

static void
make_home(struct msg_copied *m)
{
	m->home = 1;
}

static void
make_renamed(struct msg_copied *m)
{
	m->renamed = !m->renamed;
}

static void
make_nameless(struct msg_copied *m)
{
	m->source_seq = 0;
}

/* One message is not what it should be. */
static void
odd_message(void **state)
{
	static const struct {
		void (*make)(struct msg_copied *);
		enum anomaly_kind kind;
		bool is_mirror;
		bool is_missed; /* it is not found at its place, too */
	} rows[] = {
	    {make_other, ANOMALY_SEQ_REUSE, true, false},
	    {make_other, ANOMALY_SEQ_REUSE, false, false},
	    {make_late, ANOMALY_DIVERGENCE, true, false},
	    {make_damaged, ANOMALY_CORRUPT, true, false},
	    {make_foreign, ANOMALY_PHANTOM, true, false},
	    {make_invented, ANOMALY_PHANTOM, false, false},
	    {make_subject, ANOMALY_MISDELIVERED, true, false},
	    {make_home, ANOMALY_MISDELIVERED, false, false},
	    {make_renamed, ANOMALY_MISDELIVERED, true, false},
	    {make_nameless, ANOMALY_PHANTOM, false, true},
	};
	struct store_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 3; k++) {
			begin(&s, rows[i].is_mirror ? &mirror : &source, 1);
			copy_all(&s);
			rows[i].make(at(&copies[0], places[k]));
			s.expected[ANOMALY_NOT_COPIED][VOWED] =
			    rows[i].is_missed;
			store_end_with(&s, rows[i].kind, VOWED);
		}
}

/* It takes what lies before its beginning, or what its filter leaves out. */
static void
too_much(void **state)
{
	const struct msg_copy_terms late = {.mirrors = 1, .start = 5},
				    some = {.subjects = 6, .renames = 1};
	struct store_story s;

	(void)state;
	begin(&s, &late, 1);
	copy_one(&copies[0], &s, 4);
	copy_all(&s);
	store_end_with(&s, ANOMALY_MISDELIVERED, VOWED);
	begin(&s, &some, 1);
	copy_all(&s);
	copy_one(&copies[0], &s, MANY - 1)->subject = 5;
	assert_int_equal(subject_of(MANY - 1), 5);
	store_end_with(&s, ANOMALY_MISDELIVERED, VOWED);
	/* Renamed or not, it has to be as the copy has it. */
	begin(&s, &some, 1);
	copy_all(&s);
	copies[0].list[7].renamed = 0;
	store_end_with(&s, ANOMALY_MISDELIVERED, VOWED);
}

/* The origin never had so many messages. */
static void
beyond_the_origin(void **state)
{
	struct store_story s;

	(void)state;
	begin(&s, &mirror, 1);
	copy_all(&s);
	s.ids[MANY + 1] = s.ids[MANY];
	copy_one(&copies[0], &s, MANY + 1);
	s.ids[MANY + 1] = 0;
	store_end_with(&s, ANOMALY_PHANTOM, VOWED);
}

static void
swap(struct told *t, uint64_t seq)
{
	struct msg_copied *a = at(t, seq), was = *a;

	a[0] = a[1];
	a[1] = was;
}

/* Where the copy drops its oldest that may follow from it. */
static void
twice_and_out_of_order(void **state)
{
	const struct msg_copy_terms full = {.max_messages = MANY};
	const struct msg_copy_terms *kinds[] = {&source, &full};
	enum anomaly_class classes[] = {VOWED, CLASS_DOCUMENTED};
	struct store_story s;
	unsigned i, k;

	(void)state;
	for (i = 0; i < 2; i++)
		for (k = 0; k < 3; k++) {
			begin(&s, kinds[i], 1);
			copy_all(&s);
			copy_one(&copies[0], &s, places[k]);
			store_end_with(&s, ANOMALY_DUPLICATE, classes[i]);
			begin(&s, kinds[i], 1);
			copy_all(&s);
			swap(&copies[0], places[k]);
			store_end_with(&s, ANOMALY_REORDER, classes[i]);
		}
}

static void
legal_honest(void **state)
{
	static const struct msg_copy_terms kinds[] = {{.mirrors = 1}, {0},
	    {.mirrors = 1, .start = 100}, {.subjects = 9, .start = 7},
	    {.mirrors = 1, .subjects = 2, .renames = 1}, {.renames = 1}};
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		begin(&s, &kinds[i], 1);
		copy_all(&s);
		store_end(&s);
	}
}

/* Removals: before it was copied, behind that, and of unknown outcome. */
static void
legal_removals(void **state)
{
	struct msg_remove_invoke purge = {
	    .how = REMOVER_PURGE, .first = 1, .last = 50};
	struct store_story s;
	uint64_t seq;

	(void)state;
	begin(&s, &mirror, 1);
	for (seq = 3; seq <= MANY; seq += 3)
		store_delete(&s, seq);
	copy_all(&s);
	for (seq = 6; seq <= MANY; seq += 6)
		drop(&copies[0], seq);
	store_changed(&s, MESSAGE_CHANGE_UNKNOWN, store_remove(&s, &purge));
	for (seq = 10; seq <= 50; seq += 6)
		drop(&copies[0], seq);
	store_end(&s);
}

/* A second message with an id is dropped; one nobody heard of may come. */
static void
legal_ids(void **state)
{
	struct msg_publish_terms t;
	struct store_story s;

	(void)state;
	begin(&s, &source, 1);
	t = store_terms(&s, subject_of(MANY + 1));
	store_sent(&s, &t);
	store_unknown(&s, t.id, true);
	copy_all(&s);
	s.ids[MANY + 1] = t.id;
	copy_one(&copies[0], &s, MANY + 1);
	s.ids[MANY + 1] = 0;
	at(&copies[0], 20)->id = s.ids[40];
	drop(&copies[0], 40);
	s.expected[ANOMALY_SEQ_REUSE][VOWED] = 1; /* of 20 */
	store_end(&s);
}

/* One that is full has dropped its oldest; one that is not has none to drop. */
static void
full(void **state)
{
	const struct msg_copy_terms small = {.mirrors = 1, .max_messages = 200};
	struct store_story s;
	uint64_t seq;

	(void)state;
	begin(&s, &small, 1);
	copy_all(&s);
	for (seq = 1; seq <= 100; seq++)
		drop(&copies[0], seq);
	store_end(&s);
	begin(&s, &small, 1);
	copy_all(&s);
	for (seq = 1; seq <= 101; seq++)
		drop(&copies[0], seq);
	s.expected[ANOMALY_NOT_COPIED][VOWED] = 101;
	store_end(&s);
}

/* Nothing is proven of a cluster that did not settle, or not to the end. */
static void
unproven(void **state)
{
	struct event ev = {.type = MESSAGE_SETTLED};
	struct store_story s;

	(void)state;
	begin(&s, &mirror, 1);
	copy_all(&s);
	drop(&copies[0], 9);
	store_feed(&s, &ev);
	store_end_with(&s, ANOMALY_NOT_COPIED, CLASS_WARNING);
	begin(&s, &mirror, 1);
	copy_all(&s);
	drop(&copies[0], 9);
	copies[0].is_incomplete = true;
	store_end(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(absent),
	    cmocka_unit_test(absent_at_the_end),
	    cmocka_unit_test(absent_behind_a_relay),
	    cmocka_unit_test(absent_by_another_clock),
	    cmocka_unit_test(empty),
	    cmocka_unit_test(mirrors_of_mirrors),
	    cmocka_unit_test(odd_message),
	    cmocka_unit_test(too_much),
	    cmocka_unit_test(beyond_the_origin),
	    cmocka_unit_test(twice_and_out_of_order),
	    cmocka_unit_test(legal_honest),
	    cmocka_unit_test(legal_removals),
	    cmocka_unit_test(legal_ids),
	    cmocka_unit_test(full),
	    cmocka_unit_test(unproven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
