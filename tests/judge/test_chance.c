/* SPDX-License-Identifier: ISC */
/*
 * Random legal histories never convict; the same with one illegal change
 * always do. NATSBURN_TEST_SEED and NATSBURN_TEST_ROUNDS choose others.
 */
#include "tests/stories/story.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

#define STORIES 20000
#define STEPS	60

static uint64_t
stories(void)
{
	const char *text = getenv("NATSBURN_TEST_ROUNDS");
	uint64_t n = STORIES;

	if (text != NULL)
		assert_int_equal(text_to_u64(text, UINT32_MAX, &n), 0);
	return n;
}

static bool
has_violation(const struct story_verdict *v)
{
	return story_other_violations(v, ANOMALY_COUNT) > 0;
}

static void
test_legal(void **state)
{
	uint64_t first = support_seed() * 1000000, i, n = stories();
	uint64_t events = 0, warned = 0, wrong = 0;
	struct story_verdict v;
	struct story s;

	(void)state;
	for (i = 0; i < n && wrong < 5; i++) {
		story_init(&s, first + i);
		story_chance(&s, STEPS);
		story_judge(&s, &v);
		events += s.n;
		warned += v.says[0] != '\0';
		if (has_violation(&v)) {
			if (wrong++ == 0)
				story_dump(&s, 150);
			print_message("seed %llu:\n%s",
			    (unsigned long long)s.seed, v.says);
		}
		story_fini(&s);
	}
	print_message("%llu histories, %llu events, %llu with remarks\n",
	    (unsigned long long)i, (unsigned long long)events,
	    (unsigned long long)warned);
	assert_int_equal(wrong, 0);
}

/* The i-th event of a type that suits, counted round; or NULL. */
static struct event *
pick(struct story *s, enum message_type type, uint64_t i,
    bool (*suits)(const struct story *, const struct event *))
{
	uint64_t n = 0;
	size_t k;

	for (k = 0; k < s->n; k++)
		n += s->events[k].type == type && suits(s, &s->events[k]);
	if (n == 0)
		return NULL;
	i %= n;
	for (k = 0; k < s->n; k++)
		if (s->events[k].type == type && suits(s, &s->events[k]) &&
		    i-- == 0)
			return &s->events[k];
	return NULL;
}

static bool
any(const struct story *s, const struct event *ev)
{
	(void)s;
	(void)ev;
	return true;
}

/* Acknowledged, so that its place and presence are promised. */
static bool
scan_of_acked(const struct story *s, const struct event *ev)
{
	size_t k;

	for (k = 0; k < s->n; k++)
		if (s->events[k].type == MESSAGE_PUBLISH_OK &&
		    s->events[k].u.publish_ok.seq == ev->u.scan_message.seq)
			return true;
	return false;
}

static bool
tamper_lost(struct story *s, uint64_t i)
{
	struct event *ev = pick(s, MESSAGE_SCAN_MESSAGE, i, scan_of_acked);
	uint64_t seq;

	if (ev == NULL)
		return false;
	seq = ev->u.scan_message.seq;
	memset(&ev->u, 0, sizeof(ev->u));
	ev->type = MESSAGE_SCAN_ABSENT;
	ev->u.scan_absent.seq = seq;
	ev->u.scan_absent.tries = 5;
	return true;
}

static bool
tamper_phantom(struct story *s, uint64_t i)
{
	struct event *ev = pick(s, MESSAGE_SCAN_MESSAGE, i, any);

	if (ev == NULL)
		return false;
	ev->u.scan_message.id = message_id(STORY_PUBLISHER, 1000000);
	return true;
}

static bool
tamper_corrupt_delivery(struct story *s, uint64_t i)
{
	struct event *ev = pick(s, MESSAGE_DELIVER, i, any);

	if (ev == NULL)
		return false;
	ev->u.deliver.intact = 0;
	return true;
}

static bool
tamper_corrupt_scan(struct story *s, uint64_t i)
{
	struct event *ev = pick(s, MESSAGE_SCAN_MESSAGE, i, any);

	if (ev == NULL)
		return false;
	ev->u.scan_message.intact = 0;
	return true;
}

/* An ack that names the sequence of the first message there is. */
static bool
tamper_seq_reuse(struct story *s, uint64_t i)
{
	struct event *ev = pick(s, MESSAGE_PUBLISH_OK, i, any);

	if (ev == NULL || ev->u.publish_ok.seq == 1)
		return false;
	ev->u.publish_ok.seq = 1;
	return true;
}

static bool
scan_of_another(const struct story *s, const struct event *ev)
{
	return ev->u.scan_message.seq != 1 && scan_of_acked(s, ev);
}

/* The scan finds another message of ours where one was acknowledged. */
static bool
tamper_content(struct story *s, uint64_t i)
{
	struct event *ev = pick(s, MESSAGE_SCAN_MESSAGE, i, scan_of_another);

	if (ev == NULL)
		return false;
	ev->u.scan_message.id = s->stored[1].id;
	return true;
}

/*
 * Two rounds behind everything, the second of which gets a sequence below
 * that of the first: both acknowledged, one after the other.
 */
static bool
tamper_order(struct story *s, uint64_t i)
{
	struct event *first = NULL, *second = NULL;
	size_t k;

	(void)i;
	for (k = 0; k < s->n; k++) {
		if (s->events[k].type != MESSAGE_PUBLISH_OK)
			continue;
		if (first == NULL)
			first = &s->events[k];
		else if (second == NULL)
			second = &s->events[k];
	}
	/* The two honest rounds with which each history begins. */
	first->u.publish_ok.seq = 2;
	second->u.publish_ok.seq = 1;
	return true;
}

static const struct tampering {
	const char *name;
	enum anomaly_kind kind;
	bool (*go)(struct story *, uint64_t i);
} tamperings[] = {
    {"lost", ANOMALY_LOST, tamper_lost},
    {"phantom", ANOMALY_PHANTOM, tamper_phantom},
    {"corrupt delivery", ANOMALY_CORRUPT, tamper_corrupt_delivery},
    {"corrupt on disk", ANOMALY_CORRUPT, tamper_corrupt_scan},
    {"ack reuses a sequence", ANOMALY_SEQ_REUSE, tamper_seq_reuse},
    {"content changed", ANOMALY_SEQ_REUSE, tamper_content},
    {"order", ANOMALY_REORDER, tamper_order},
};

#define TAMPERINGS (sizeof(tamperings) / sizeof(tamperings[0]))

static void
test_tampered(void **state)
{
	uint64_t first = support_seed() * 1000000, i, n = stories() / 4;
	uint64_t caught = 0, wrong = 0;
	const struct tampering *t;
	struct story_verdict v;
	struct story s;

	(void)state;
	for (i = 0; i < n && wrong < 5; i++) {
		t = &tamperings[i % TAMPERINGS];
		story_init(&s, first + i);
		story_chance(&s, STEPS);
		if (t->go(&s, rng_next(&s.rng))) {
			story_judge(&s, &v);
			if (v.counts[t->kind][CLASS_VIOLATION] > 0 &&
			    v.result.exit_code == EXIT_VIOLATION)
				caught++;
			else {
				wrong++;
				print_message("seed %llu: %s not caught\n%s",
				    (unsigned long long)s.seed, t->name,
				    v.says);
			}
		}
		story_fini(&s);
	}
	print_message("%llu of %llu changed histories convicted\n",
	    (unsigned long long)caught, (unsigned long long)i);
	assert_int_equal(wrong, 0);
	assert_true(caught > i / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_legal),
	    cmocka_unit_test(test_tampered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
