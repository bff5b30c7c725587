/* SPDX-License-Identifier: ISC */
/*
 * A history that went through frames, merge and journal is judged as the
 * one that was judged live: same verdict, same reasons, same anomalies.
 */
#include "tests/stories/story.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/history/history.h"
#include "orchestrator/live/merge.h"
#include "proto/base/text.h"
#include "tests/image.h"
#include "tests/stories/record.h"

#define STORIES 300

static void
same(const struct history *a, const struct history *b)
{
	const struct anomaly *x, *y;
	size_t i;

	assert_int_equal(a->result.verdict, b->result.verdict);
	assert_int_equal(a->result.exit_code, b->result.exit_code);
	assert_int_equal(a->result.nreasons, b->result.nreasons);
	for (i = 0; i < a->result.nreasons; i++)
		assert_string_equal(a->result.reasons[i], b->result.reasons[i]);
	for (i = 0;; i++) {
		x = judge_anomaly(a->judge, i);
		y = judge_anomaly(b->judge, i);
		if (x == NULL || y == NULL)
			break;
		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->class, y->class);
		assert_true(x->time_ns == y->time_ns);
		assert_string_equal(x->says, y->says);
	}
	assert_true(x == NULL && y == NULL);
	assert_true(a->stats.events == b->stats.events);
	assert_true(stats_seen(&a->stats, MESSAGE_CHILD_GAP) ==
		    stats_seen(&b->stats, MESSAGE_CHILD_GAP));
	assert_true(a->stats.rounds == b->stats.rounds);
	assert_true(a->stats.longest_stall_ns == b->stats.longest_stall_ns);
	assert_true(a->stats.publish.max == b->stats.publish.max);
	assert_true(a->stats.consume.max == b->stats.consume.max);
}

static void
judge_again(const struct story *s, bool is_damaged)
{
	struct history live, again;
	char dir[SUPPORT_PATH_MAX];

	support_dir_make(dir);
	record(s, dir, &live);
	assert_int_equal(history_init(&again, NULL, NULL), 0);
	assert_int_equal(history_replay(&again, dir), 0);
	assert_false(again.torn);
	assert_int_equal(live.damaged, is_damaged);
	assert_int_equal(again.damaged, is_damaged);
	if (is_damaged)
		assert_int_equal(again.result.exit_code, EXIT_HARNESS);
	assert_string_equal(live.damage, again.damage);
	same(&live, &again);
	history_fini(&live);
	history_fini(&again);
	support_dir_remove(dir);
}

/* Random legal histories, every third with something wrong in it. */
static void
test_random(void **state)
{
	struct story s;
	uint64_t i;

	(void)state;
	for (i = 0; i < STORIES; i++) {
		story_init(&s, support_seed() * 1000 + i);
		if (i % 2 == 0)
			s.no_end = i % 4 == 0;
		story_chance(&s, 80);
		if (i % 3 == 0)
			s.events[s.n / 2].type = MESSAGE_CHILD_GAP;
		judge_again(&s, false);
		story_fini(&s);
	}
}

static void
test_violations(void **state)
{
	struct story s;
	int i;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	for (i = 0; i < 30; i++)
		story_mark(
		    &s, story_round(&s), i % 2 ? STORY_GONE : STORY_DAMAGED);
	(void)story_publish(&s); /* and nobody gets it */
	story_pass(&s, 40 * CLOCK_S);
	story_close(&s);
	judge_again(&s, false);
	story_fini(&s);
}

/* What is left after a kill is judged, and is no pass. */
static void
test_torn(void **state)
{
	char dir[SUPPORT_PATH_MAX], path[SUPPORT_PATH_MAX + 32];
	struct history live, again;
	struct story s;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, 10);
	story_close(&s);
	support_dir_make(dir);
	record(&s, dir, &live);
	text_format(path, sizeof(path), "%s/journal/000001.nbj.zst", dir);
	record_cut(path, 3);
	assert_int_equal(history_init(&again, NULL, NULL), 0);
	assert_int_equal(history_replay(&again, dir), 0);
	assert_true(again.torn);
	assert_false(again.damaged);
	assert_int_equal(again.result.exit_code, EXIT_INCONCLUSIVE);
	history_fini(&live);
	history_fini(&again);
	support_dir_remove(dir);
	story_fini(&s);
}

/* A story's journal in memory, both forms and its pieces. */
struct taken {
	struct buf packed, plain;
	struct image_pieces frames;
	enum exit_code code; /* of the run itself */
};

static void
take(struct taken *t, const struct story *s)
{
	char dir[SUPPORT_PATH_MAX];
	struct history live;

	support_dir_make(dir);
	record(s, dir, &live);
	t->code = live.result.exit_code;
	history_fini(&live);
	image_load(&t->packed, dir, 1, true);
	image_unpack(&t->plain, &t->packed);
	image_frames(&t->plain, &t->frames);
	support_dir_remove(dir);
}

static void
taken_fini(struct taken *t)
{
	buf_fini(&t->packed);
	buf_fini(&t->plain);
}

/* What is said of a segment. */
static enum exit_code
judge_bytes(const struct buf *b, bool is_packed)
{
	const struct journal_bytes bytes = {buf_data(b), buf_len(b), is_packed};
	struct journal_reader reader;
	struct history h;
	enum exit_code code;

	assert_int_equal(history_init(&h, NULL, NULL), 0);
	assert_int_equal(journal_open_memory(&reader, &bytes, 1), 0);
	history_read(&h, &reader);
	journal_reader_fini(&reader);
	code = h.result.exit_code;
	if (code == EXIT_HARNESS)
		assert_true(stats_seen(&h.stats, MESSAGE_CHILD_GAP) > 0 ||
			    h.stats.events == 0);
	history_fini(&h);
	return code;
}

/* Of a journal of these frames, whose checksums are right. */
static enum exit_code
judge_frames(
    const struct buf *data, const struct image_pieces *p, unsigned version)
{
	enum exit_code code;
	struct buf b;

	image_build(&b, version, buf_data(data), p, 16);
	code = judge_bytes(&b, false);
	buf_fini(&b);
	return code;
}

static void
flip(struct buf *b, size_t at, unsigned bit)
{
	buf_data(b)[at] ^= (uint8_t)(1U << bit);
}

static void
tell_pass(struct story *s)
{
	uint32_t fault;

	story_init(s, support_seed());
	story_open(s);
	fault = story_fault(s, false);
	story_rounds(s, 10);
	story_healed(s, fault, true);
	story_close(s);
}

/*
 * Damage is the harness's fault: never a pass, never a violation. That each
 * bit is noticed is shown in proto/test_damage.c; here a bit of each byte.
 */
static void
test_damaged(void **state)
{
	struct taken t;
	struct story s;
	struct rng rng;
	struct buf *b;
	unsigned bit, form;
	size_t at;

	(void)state;
	rng_init(&rng, support_seed(), "damage");
	tell_pass(&s);
	take(&t, &s);
	assert_int_equal(t.code, EXIT_PASS);
	for (form = 0; form < 2; form++) {
		b = form == 0 ? &t.plain : &t.packed;
		assert_int_equal(judge_bytes(b, form == 1), EXIT_PASS);
		for (at = 0; at < buf_len(b); at++) {
			bit = (unsigned)rng_below(&rng, 8);
			flip(b, at, bit);
			assert_int_equal(
			    judge_bytes(b, form == 1), EXIT_HARNESS);
			flip(b, at, bit);
		}
	}
	taken_fini(&t);
	story_fini(&s);
}

/*
 * Cut at every length: inconclusive; without its head it is no history. A
 * compressed one that lacks its seal alone lacks nothing.
 */
static void
test_every_length(void **state)
{
	enum exit_code code, want;
	struct buf b;
	struct taken t;
	struct story s;
	size_t len, head, end;

	(void)state;
	tell_pass(&s);
	take(&t, &s);
	head = t.frames.piece[0].at;
	end = t.frames.piece[t.frames.n - 1].at +
	      t.frames.piece[t.frames.n - 1].len;
	for (len = 0; len < buf_len(&t.plain); len++) {
		b = t.plain;
		b.tail = b.head + len;
		code = judge_bytes(&b, false);
		assert_true(code == EXIT_INCONCLUSIVE || code == EXIT_HARNESS);
		if (len <= head)
			assert_int_equal(code, EXIT_HARNESS);
		if (len >= end)
			assert_int_equal(code, EXIT_INCONCLUSIVE);
	}
	for (len = 0; len < buf_len(&t.packed); len++) {
		b = t.packed;
		b.tail = b.head + len;
		code = judge_bytes(&b, true);
		want = len + BLOCK_SEAL == buf_len(&t.packed)
			   ? EXIT_PASS
			   : EXIT_INCONCLUSIVE;
		assert_true(code == want ||
			    (code == EXIT_HARNESS && want != EXIT_PASS));
	}
	taken_fini(&t);
	story_fini(&s);
}

/* Each event but the last removed, doubled, changed with the next. */
static void
rearrange(const struct taken *t, unsigned version)
{
	static struct image_pieces p;
	size_t i, n = t->frames.n;
	struct image_piece piece;

	for (i = 0; i + 1 < n; i++) {
		p = t->frames;
		memmove(
		    &p.piece[i], &p.piece[i + 1], (n - i - 1) * sizeof(piece));
		p.n--;
		assert_int_equal(
		    judge_frames(&t->plain, &p, version), EXIT_HARNESS);
		p = t->frames;
		memmove(&p.piece[i + 1], &p.piece[i], (n - i) * sizeof(piece));
		p.n++;
		assert_int_equal(
		    judge_frames(&t->plain, &p, version), EXIT_HARNESS);
		p = t->frames;
		piece = p.piece[i];
		p.piece[i] = p.piece[i + 1];
		p.piece[i + 1] = piece;
		assert_int_equal(
		    judge_frames(&t->plain, &p, version), EXIT_HARNESS);
	}
	/* Of the last nothing speaks but that the run did not end. */
	p = t->frames;
	p.n--;
	assert_int_equal(
	    judge_frames(&t->plain, &p, version), EXIT_INCONCLUSIVE);
}

/* The checksums are right, and yet it is no history of a run. */
static void
test_sequences(void **state)
{
	struct taken t;
	struct story s;

	(void)state;
	tell_pass(&s);
	take(&t, &s);
	assert_int_equal(judge_frames(&t.plain, &t.frames, 2), EXIT_PASS);
	assert_int_equal(judge_frames(&t.plain, &t.frames, 1), EXIT_PASS);
	rearrange(&t, 2);
	rearrange(&t, 1);
	taken_fini(&t);
	story_fini(&s);
}

/* The last event of the same source before this one. */
static size_t
one_before(const struct story *s, size_t i)
{
	size_t k = i;

	while (k > 0)
		if (s->events[--k].source == s->events[i].source)
			return k;
	return 0;
}

/*
 * What convicts stands when the source of the missing event was heard since;
 * otherwise that event may be what shows that nothing is wrong.
 */
static void
test_before_and_behind(void **state)
{
	static struct image_pieces p;
	struct taken t;
	struct story s;
	size_t i, convicts, stands = 0;

	(void)state;
	story_init(&s, support_seed());
	story_open(&s);
	story_rounds(&s, 10);
	convicts = s.n;
	story_consume(
	    &s, story_store(&s, message_id(STORY_PUBLISHER, 1000000)));
	story_rounds(&s, 10);
	story_close(&s);
	take(&t, &s);
	assert_int_equal(t.code, EXIT_VIOLATION);
	assert_int_equal(t.frames.n, s.n);
	for (i = 0; i + 1 < t.frames.n; i++) {
		p = t.frames;
		memmove(&p.piece[i], &p.piece[i + 1],
		    (p.n - i - 1) * sizeof(p.piece[0]));
		p.n--;
		assert_int_equal(judge_frames(&t.plain, &p, 2),
		    one_before(&s, i) >= convicts ? EXIT_VIOLATION
						  : EXIT_HARNESS);
		stands += one_before(&s, i) >= convicts;
	}
	assert_true(stands > 10);
	taken_fini(&t);
	story_fini(&s);
}

/* An event of its source is missing live: said there and on replay. */
static void
test_gap(void **state)
{
	struct story s;
	size_t i;

	(void)state;
	tell_pass(&s);
	for (i = s.n / 2; s.events[i].source != STORY_PUBLISHER; i++)
		;
	memmove(&s.events[i], &s.events[i + 1],
	    (s.n - i - 1) * sizeof(s.events[0]));
	s.n--;
	judge_again(&s, true);
	story_fini(&s);
}

/* Times that no clock of a run gives: refused, without any arithmetic. */
static void
test_times(void **state)
{
	static const uint64_t times[] = {
	    0, 1, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
	uint8_t frame[FRAME_MAX];
	struct taken t;
	struct story s;
	struct buf b;
	size_t i, k, at, whole;
	int len;

	(void)state;
	tell_pass(&s);
	take(&t, &s);
	for (i = 0; i < s.n; i += 7) {
		at = t.frames.piece[i].at;
		whole = t.frames.piece[i].len;
		for (k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
			s.events[i].time_ns = times[k];
			len = frame_encode(&s.events[i], frame);
			buf_init(&b, 1 << 20);
			buf_append(&b, buf_data(&t.plain), buf_len(&t.plain));
			t.frames.piece[i].at = buf_len(&b);
			t.frames.piece[i].len = (size_t)len;
			buf_append(&b, frame, (size_t)len);
			if (i > 0 || k > 1)
				assert_int_equal(judge_frames(&b, &t.frames, 2),
				    EXIT_HARNESS);
			buf_fini(&b);
		}
		t.frames.piece[i].at = at;
		t.frames.piece[i].len = whole;
	}
	taken_fini(&t);
	story_fini(&s);
}

/* As --journal-keep leaves it: what a note stands for may lack, not more. */
static void
test_dropped(void **state)
{
	static const uint64_t said[] = {3, 2, 0, UINT64_MAX};
	struct event hole = {.type = MESSAGE_DROPPED};
	uint8_t frame[FRAME_MAX];
	struct taken t;
	struct story s;
	struct buf b;
	size_t i, at;
	int len;

	(void)state;
	tell_pass(&s);
	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		take(&t, &s);
		at = s.n / 2;
		hole.time_ns = hole.u.dropped.last_ns =
		    s.events[at + 2].time_ns;
		hole.u.dropped.first_ns = s.events[at].time_ns;
		hole.u.dropped.events = said[i];
		len = frame_encode(&hole, frame);
		buf_init(&b, 1 << 20);
		buf_append(&b, buf_data(&t.plain), buf_len(&t.plain));
		/* Three events go, the note takes the place of one. */
		t.frames.piece[at] =
		    (struct image_piece){buf_len(&b), (size_t)len};
		buf_append(&b, frame, (size_t)len);
		memmove(&t.frames.piece[at + 1], &t.frames.piece[at + 3],
		    (t.frames.n - at - 3) * sizeof(t.frames.piece[0]));
		t.frames.n -= 2;
		assert_int_equal(judge_frames(&b, &t.frames, 2),
		    said[i] >= 3 ? EXIT_INCONCLUSIVE : EXIT_HARNESS);
		buf_fini(&b);
		taken_fini(&t);
	}
	story_fini(&s);
}

static void
test_nothing_there(void **state)
{
	char dir[SUPPORT_PATH_MAX];
	struct history h;

	(void)state;
	support_dir_make(dir);
	assert_int_equal(history_init(&h, NULL, NULL), 0);
	assert_true(history_replay(&h, dir) < 0);
	history_fini(&h);
	support_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_violations),
	    cmocka_unit_test(test_torn),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_every_length),
	    cmocka_unit_test(test_sequences),
	    cmocka_unit_test(test_before_and_behind),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_dropped),
	    cmocka_unit_test(test_nothing_there),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
