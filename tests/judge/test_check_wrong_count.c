/* SPDX-License-Identifier: ISC */
/* Counters whose values are not the sums of what was added. */
#include "tests/stories/store_story.h"

#include "proto/base/text.h"

#define MANY  60
#define VOWED CLASS_VIOLATION
#define HUGE  "100000000000000000000000000000"

static const struct msg_contents plain = {.allow_rollup = 1};
static const uint64_t places[] = {1, MANY / 2, MANY};

static void
counted(struct store_story *s, uint64_t seq, enum message_word how,
    const char *subject, const char *value)
{
	struct event ev = {.type = MESSAGE_COUNTED};
	struct msg_counted *m = &ev.u.counted;

	m->stream = STORE_STREAM;
	m->id = s->ids[seq];
	m->seq = seq;
	m->how = (uint8_t)how;
	text_set(m->adds, sizeof(m->adds), seq % 2 == 0 ? "+3" : "-1");
	text_set(m->subject, sizeof(m->subject), subject);
	text_set(m->value, sizeof(m->value), value);
	store_feed(s, &ev);
}

static void
count(struct store_story *s, uint64_t seq, enum message_word how,
    const char *subject, long long value)
{
	char text[24];

	text_format(text, sizeof(text), "%lld", value);
	counted(s, seq, how, subject, text);
}

/* Two counters in turn, a pair of messages each. */
static const char *
subject_of(uint64_t seq)
{
	return (seq - 1) / 2 % 2 == 0 ? "a" : "b";
}

/* What a message holds: -1, 2, -1, 2, 1, 4, 1, 4 ... */
static long long
value_of(uint64_t seq)
{
	return (long long)((seq - 1) / 4 * 2) + (seq % 2 == 0 ? 2 : -1);
}

static void
begin(struct store_story *s)
{
	uint64_t seq;

	store_begin(s, &plain);
	for (seq = 1; seq <= MANY; seq++) {
		store_publish(s, 1);
		count(s, seq, COUNTED_ANSWER, subject_of(seq), value_of(seq));
	}
}

/* The audit reads them; that at a place has so much more than it should. */
static void
read_all(struct store_story *s, uint64_t place, long long more)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};
	uint64_t seq;

	store_feed(s, &ev);
	for (seq = 1; seq <= MANY; seq++)
		if (!s->is_gone[seq])
			count(s, seq, COUNTED_SCAN, subject_of(seq),
			    value_of(seq) + (seq >= place ? more : 0));
}

static void
true_values(void **state)
{
	struct store_story s;
	unsigned tries;

	(void)state;
	for (tries = 1; tries <= 2; tries++) {
		begin(&s);
		count(&s, 7, COUNTED_READ, subject_of(7), value_of(7));
		read_all(&s, MANY + 1, 0);
		if (tries == 2)
			read_all(&s, MANY + 1, 0);
		store_end(&s);
	}
}

/* All from there on: the first of each counter is no sum any more. */
static void
wrong_sums(void **state)
{
	struct store_story s;
	uint64_t seq;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		store_begin(&s, &plain);
		for (seq = 1; seq <= MANY; seq++)
			store_publish(&s, 1); /* no answer had a value */
		read_all(&s, places[i], 7);
		s.expected[ANOMALY_WRONG_COUNT][VOWED] =
		    places[i] == MANY ? 1 : 2;
		store_end(&s);
	}
}

/* The stored ones are right, and an answer or a read was not. */
static void
wrong_answers(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		count(&s, places[i], COUNTED_READ, subject_of(places[i]),
		    value_of(places[i]) + 1);
		read_all(&s, MANY + 1, 0);
		store_end_with(&s, ANOMALY_WRONG_COUNT, VOWED);
		store_begin(&s, &plain);
		for (; s.last < MANY;)
			store_publish(&s, 1);
		count(&s, places[i], COUNTED_ANSWER, subject_of(places[i]), -9);
		read_all(&s, MANY + 1, 0);
		store_end_with(&s, ANOMALY_WRONG_COUNT, VOWED);
	}
}

/* Another client is about to add to the counter. */
static void
others_add(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_PUBLISH_TERMS};

	ev.u.publish_terms = (struct msg_publish_terms){
	    .stream = STORE_STREAM, .id = message_id(6, 1), .subject = 1};
	ev.time_ns = s->now;
	ev.source = 6;
	assert_int_equal(judge_event(s->judge, &ev), 0);
}

/* One is purged; what is added behind it, alone, begins with nothing. */
static void
resets(void **state)
{
	static const struct msg_remove_invoke purge = {
	    .how = REMOVER_PURGE, .subject = 1};
	struct msg_publish_terms terms;
	struct store_story s;
	uint64_t id;
	unsigned how;

	(void)state;
	for (how = 0; how < 7; how++) {
		store_begin(&s, &plain);
		if (how == 3) { /* it may be added at any later time */
			terms = store_terms(&s, 1);
			store_sent(&s, &terms);
			store_unknown(&s, terms.id, true);
		}
		store_publish_many(&s, 5, 1);
		id = store_remove(&s, &purge);
		if (how == 2) /* nobody knows whether it was done */
			store_changed(&s, MESSAGE_CHANGE_UNKNOWN, id);
		else
			store_purged(&s, id, 5);
		store_drop(&s, 1, 5);
		if (how == 4) /* of another counter */
			store_publish(&s, 2);
		else
			store_publish(&s, 1);
		if (how == 5) /* not the first any more */
			store_publish(&s, 1);
		if (how == 6)
			others_add(&s);
		count(&s, s.last, COUNTED_ANSWER, "a",
		    (s.last % 2 == 0 ? 3 : -1) + (how == 0 ? 0 : 7));
		s.expected[ANOMALY_WRONG_COUNT][VOWED] = how == 1;
		store_end(&s);
	}
}

/* The audit reads what is there: order names the counters by sequence. */
static void
scan_counts(struct store_story *s, const char *order, const long long *values)
{
	uint64_t seq;

	for (seq = 1; order[seq - 1] != '\0'; seq++)
		if (!s->is_gone[seq])
			count(s, seq, COUNTED_SCAN,
			    order[seq - 1] == 'a' ? "a" : "b", values[seq]);
}

/*
 * A purge of one leaves gaps between the messages of another, whose sums go on;
 * not so where something else lacks.
 */
static void
beside_a_purge(void **state)
{
	static const struct msg_remove_invoke purge = {
	    .how = REMOVER_PURGE, .subject = 2};
	static const char order[] = "abbabbaa";
	static const struct {
		uint64_t wrong; /* "a" counts too much, from there on */
		uint64_t lost;
		bool is_told;
	} rows[] = {{0, 0, false}, {4, 0, true}, {7, 0, true}, {8, 0, true},
	    {4, 1, false}, {7, 4, false}, {8, 4, true}};
	struct event begun = {.type = MESSAGE_SCAN_BEGIN};
	long long sums[2], values[sizeof(order)];
	struct store_story s;
	uint64_t seq;
	unsigned of;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		store_begin(&s, &plain);
		sums[0] = sums[1] = 0;
		for (seq = 1; seq < sizeof(order); seq++) {
			if (seq == 6) {
				store_purged(&s, store_remove(&s, &purge), 3);
				store_drop(&s, 2, 3);
				store_drop(&s, 5, 5);
				sums[1] = 0;
			}
			of = (unsigned)(order[seq - 1] - 'a');
			store_publish(&s, 1 + of);
			sums[of] += (seq % 2 == 0 ? 3 : -1) +
				    (seq == rows[i].wrong ? 7 : 0);
			values[seq] = sums[of];
			count(&s, seq, COUNTED_ANSWER, of == 0 ? "a" : "b",
			    sums[of]);
		}
		if (rows[i].lost != 0)
			store_drop(&s, rows[i].lost, rows[i].lost);
		store_feed(&s, &begun);
		scan_counts(&s, order, values);
		s.expected[ANOMALY_WRONG_COUNT][VOWED] = rows[i].is_told;
		s.expected[ANOMALY_LOST][VOWED] = rows[i].lost != 0;
		store_end(&s);
	}
}

/* Another stream is told of: it adds up this one. */
static void
sums_told(struct store_story *s, const struct msg_summed *what)
{
	struct event ev = {.type = MESSAGE_SUMMED};

	ev.u.summed = *what;
	store_feed(s, &ev);
}

static void
read_sum(struct store_story *s, long long value, bool complete)
{
	struct event ev = {.type = MESSAGE_COUNTED};
	struct msg_counted *m = &ev.u.counted;

	m->stream = STORE_STREAM + 1;
	m->seq = 1;
	m->how = COUNTED_SCAN;
	text_format(m->adds, sizeof(m->adds), "%lld", value);
	text_set(m->value, sizeof(m->value), m->adds);
	text_set(m->subject, sizeof(m->subject), "sum.k1");
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_SCAN_END};
	ev.u.scan_end.stream = STORE_STREAM + 1;
	ev.u.scan_end.complete = complete;
	store_feed(s, &ev);
}

/* What a stream adds up of others is the sum of their values. */
static void
sums_of_others(void **state)
{
	static const struct {
		long long more; /* than the sum */
		bool complete;
		struct msg_summed told;
		bool is_wrong;
		int64_t ahead_ns; /* a clock is set by that */
		unsigned second;  /* the origin has an id twice: 1 last */
	} rows[] = {
	    {0, true, {1, 1, 1, 1, 1, 0}, false, 0, 0},
	    {1, true, {1, 1, 1, 1, 1, 0}, true, 0, 0},
	    {-1, true, {1, 1, 1, 1, 1, 0}, true, 0, 0},
	    {1, true, {1, 1, 1, 0, 1, 151 * CLOCK_S}, true, 0, 0},
	    /* A copy drops the second; one that comes behind it counts. */
	    {1, true, {1, 1, 1, 0, 1, 151 * CLOCK_S}, false, 0, 1},
	    {1, true, {1, 1, 1, 1, 1, 0}, true, 0, 1},
	    {1, true, {1, 1, 1, 0, 1, 151 * CLOCK_S}, true, 0, 2},
	    /* More may come; it is not known whether all was read. */
	    {1, true, {1, 1, 1, 0, 1, 149 * CLOCK_S}, false, 0, 0},
	    {1, true, {1, 1, 1, 0, 1, 179 * CLOCK_S}, false, 30 * CLOCK_S, 0},
	    {1, true, {1, 1, 1, 0, 1, 181 * CLOCK_S}, true, 30 * CLOCK_S, 0},
	    {1, true, {1, 1, 1, 1, 0, 0}, false, 0, 0},
	    {1, false, {1, 1, 1, 1, 1, 0}, false, 0, 0},
	    {1, true, {1, 1, 0, 1, 1, 0}, false, 0, 0}, /* of no counter */
	    {1, true, {1, 9, 1, 1, 1, 0}, false, 0, 0}, /* no such streams */
	};
	struct event ev;
	struct store_story s;
	uint64_t id;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		store_begin(&s, &plain);
		store_publish_many(&s, 3, 1);
		id = s.ids[4 - rows[i].second];
		if (rows[i].second > 0)
			s.ids[4 - rows[i].second] = s.ids[1];
		ev = (struct event){.type = MESSAGE_CLOCK_SET};
		ev.u.clock_set.most_ns = rows[i].ahead_ns;
		store_feed(&s, &ev);
		counted(&s, 1, COUNTED_SCAN, "s0.k1", "-1");
		counted(&s, 2, COUNTED_SCAN, "s0.k1", "2");
		counted(&s, 3, COUNTED_SCAN, "s0.k1", "1");
		ev = (struct event){.type = MESSAGE_SCAN_END};
		ev.u.scan_end.complete = 1;
		store_feed(&s, &ev);
		read_sum(&s, 1 + rows[i].more, rows[i].complete);
		sums_told(&s, &rows[i].told);
		s.ids[4 - rows[i].second] = id;
		s.expected[ANOMALY_WRONG_COUNT][VOWED] = rows[i].is_wrong;
		store_end(&s);
	}
}

/* What is lost is told once, and no sum behind it is wrong for that. */
static void
lost(void **state)
{
	struct store_story s;
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&s);
		store_drop(&s, places[i], places[i]);
		read_all(&s, MANY + 1, 0);
		store_end_with(&s, ANOMALY_LOST, VOWED);
	}
}

/* Beyond 64 bits, and what is no number. */
static void
numbers(void **state)
{
	static const struct {
		const char *value;
		bool is_wrong;
	} rows[] = {
	    {"-1", false},
	    {"-01", false},
	    {"", true},
	    {"-", true},
	    {"-1x", true},
	    {"1", true},
	    {HUGE, true},
	    {HUGE HUGE, true},
	    {"18446744073709551615", true},
	    {" -1", true},
	    {"+-1", true},
	};
	struct store_story s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		store_begin(&s, &plain);
		store_publish(&s, 1);
		counted(&s, 1, COUNTED_SCAN, "a", rows[i].value);
		s.expected[ANOMALY_WRONG_COUNT][VOWED] = rows[i].is_wrong;
		store_end(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(true_values),
	    cmocka_unit_test(wrong_sums),
	    cmocka_unit_test(wrong_answers),
	    cmocka_unit_test(resets),
	    cmocka_unit_test(beside_a_purge),
	    cmocka_unit_test(sums_of_others),
	    cmocka_unit_test(lost),
	    cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
