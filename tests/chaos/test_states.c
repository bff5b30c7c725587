/* SPDX-License-Identifier: ISC */
/*
 * What servers tell of a stream, compared: the rows alone, and the whole
 * step with a monitor of the test's own, whose clock is the test's, too.
 */
#include <stdio.h>
#include <string.h>

#include "chaos/health.h"
#include "chaos/states.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "tests/support.h"

#define NODES	   3
#define PATIENCE_S 30 /* shorter than what differs has */

static const struct state_row whole = {.first = 1,
    .last = 20,
    .messages = 20,
    .has_it = true,
    .bytes = 900,
    .subjects = 2};
static const struct state_row leads = {.first = 1,
    .last = 20,
    .messages = 20,
    .has_it = true,
    .leads = true,
    .bytes = 900,
    .subjects = 2};

static void
test_rows(void **state)
{
	struct state_row r[NODES] = {leads, whole, whole};

	(void)state;
	assert_false(states_differ(r, NODES, 7));
	r[1].messages = 19; /* a hole in its store */
	assert_true(states_differ(r, NODES, 7));
	assert_false(states_differ(r, NODES, 5)); /* it is no replica */
	r[1] = whole;
	r[1].first = 2;
	assert_true(states_differ(r, NODES, 7));
	r[1] = whole;
	r[1].last = 21;
	assert_true(states_differ(r, NODES, 7));
	r[1] = whole;
	r[1].bytes++;
	assert_true(states_differ(r, NODES, 7));
	r[1] = whole;
	r[1].subjects = 1;
	assert_true(states_differ(r, NODES, 7));
	r[1] = whole;
	r[1].delivered = 1;
	assert_true(states_differ(r, NODES, 7));
	r[1] = whole;
	r[1].floor = 1;
	assert_true(states_differ(r, NODES, 7));
	r[1] = whole;
	r[1].ack_pending = 1;
	assert_true(states_differ(r, NODES, 7));
	memset(&r[1], 0, sizeof(r[1]));
	assert_true(states_differ(r, NODES, 7));
	assert_false(states_differ(r, NODES, 5));
	r[1] = leads; /* two of them, whoever counts it as a replica */
	assert_true(states_differ(r, NODES, 7));
	assert_true(states_differ(r, NODES, 5));
	r[0] = r[1] = r[2] = whole; /* an election */
	assert_false(states_differ(r, NODES, 7));
}

/* The world: what each server tells, and when it was asked. */
static struct {
	uint64_t now_ns, asked_ns[NODES];
	struct state_row rows[NODES];
	unsigned peers;
	const char *name;
	/* what was said */
	unsigned states, sizes, consumers, differ, compared;
	struct msg_states_differ last_differ;
	struct msg_compared last;
} world;

uint64_t __wrap_clock_mono_ns(void);
void __wrap_child_emit(struct child *, struct event *);
void __wrap_child_flush(struct child *);

uint64_t
__wrap_clock_mono_ns(void)
{
	return world.now_ns;
}

void
__wrap_child_emit(struct child *c, struct event *ev)
{
	(void)c;
	if (ev->type == MESSAGE_STATE) {
		world.states++;
	} else if (ev->type == MESSAGE_STATE_SIZE) {
		world.sizes++;
	} else if (ev->type == MESSAGE_CONSUMER_AT) {
		world.consumers++;
		assert_string_equal(ev->u.consumer_at.name, "NB_1_s/c");
	} else if (ev->type == MESSAGE_STATES_DIFFER) {
		world.differ++;
		world.last_differ = ev->u.states_differ;
	} else {
		assert_int_equal(ev->type, MESSAGE_COMPARED);
		world.compared++;
		world.last = ev->u.compared;
	}
}

void
__wrap_child_flush(struct child *c)
{
	(void)c;
}

bool
health_stream_of(const struct health *h, unsigned node, const char *name,
    struct health_stream *out)
{
	const struct state_row *r = &world.rows[node - 1];

	(void)h;
	assert_string_equal(name, world.name);
	*out = (struct health_stream){.name = world.name,
	    .first = r->first,
	    .last = r->last,
	    .messages = r->messages,
	    .is_led = r->leads,
	    .peers = world.peers,
	    .bytes = r->bytes,
	    .subjects = r->subjects,
	    .is_consumer = strchr(world.name, '/') != NULL,
	    .delivered = r->delivered,
	    .floor = r->floor,
	    .ack_pending = r->ack_pending};
	return r->has_it;
}

bool
health_stream(const struct health *h, unsigned node, unsigned *i,
    struct health_stream *out)
{
	return (*i)++ == 0 && health_stream_of(h, node, world.name, out);
}

unsigned
health_tells_streams(
    const struct health *h, uint64_t since_ns, unsigned *silent)
{
	unsigned i;

	(void)h;
	*silent = 0;
	for (i = NODES; i-- > 0;)
		if (world.asked_ns[i] <= since_ns)
			*silent = i + 1;
	return NODES;
}

static void
set_up(struct cluster *c, struct states *s)
{
	unsigned i;

	memset(&world, 0, sizeof(world));
	memset(c, 0, sizeof(*c));
	world.now_ns = 1000 * CLOCK_S;
	world.peers = 7;
	world.name = "NB_1_s";
	world.rows[0] = leads;
	world.rows[1] = world.rows[2] = whole;
	c->n = NODES;
	c->health = (struct health *)&world; /* never looked into */
	for (i = 0; i < NODES; i++) {
		text_format(
		    c->nodes[i].name, sizeof(c->nodes[i].name), "n%u", i + 1);
		text_set(c->nodes[i].monitor, sizeof(c->nodes[i].monitor),
		    "http://x");
	}
	states_begin(s, PATIENCE_S * CLOCK_S);
}

/* Seconds go by, in which all servers that answer are asked. */
static bool
pass(struct states *s, struct cluster *c, unsigned seconds, unsigned answer)
{
	struct child child = {0};
	unsigned i, before = world.compared;

	for (; seconds > 0; seconds--) {
		states_step(s, c, &child); /* before they have answered */
		if (world.compared > before)
			return true;
		for (i = 0; i < NODES; i++)
			if ((answer & (1U << i)) != 0)
				world.asked_ns[i] = world.now_ns + CLOCK_S / 2;
		world.now_ns += CLOCK_S;
		states_step(s, c, &child);
		if (world.compared > before)
			return true;
	}
	return false;
}

static void
test_agree(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	assert_false(pass(&s, &c, 5, 3)); /* the third does not answer yet */
	assert_true(pass(&s, &c, 1, 7));
	assert_int_equal(world.compared, 1);
	assert_int_equal(world.last.streams, 1);
	assert_int_equal(world.last.servers, NODES);
	assert_int_equal(world.last.differ + world.states, 0);
	assert_string_equal(world.last.why, "");
	assert_false(pass(&s, &c, 5, 7)); /* once */
	assert_int_equal(world.compared, 1);
}

static void
test_catches_up(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	world.rows[2].last = world.rows[2].messages = 12;
	assert_false(pass(&s, &c, 40, 7));
	world.rows[2] = whole;
	assert_true(pass(&s, &c, 1, 7));
	assert_int_equal(world.last.differ + world.states + world.differ, 0);
}

static void
test_stays(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	world.rows[2].messages = 19;
	assert_false(pass(&s, &c, 58, 7));
	assert_true(pass(&s, &c, 10, 7));
	assert_int_equal(world.states, NODES);
	assert_int_equal(world.sizes, NODES);
	assert_int_equal(world.differ, 1);
	assert_int_equal(world.last.differ, 1);
	assert_string_equal(world.last_differ.stream, "NB_1_s");
	assert_true(world.last_differ.differed_ns >= 60 * CLOCK_S);
	assert_true(world.last_differ.differed_ns <= 68 * CLOCK_S);
}

/* A consumer's replica keeps another ack floor. */
static void
test_consumer_stays(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	world.name = "NB_1_s/c";
	world.rows[2].floor = 3;
	assert_false(pass(&s, &c, 58, 7));
	assert_true(pass(&s, &c, 10, 7));
	assert_int_equal(world.consumers, NODES);
	assert_int_equal(world.states + world.sizes, 0);
	assert_int_equal(world.differ, 1);
	assert_int_equal(world.last.streams + world.last.differ, 0);
	assert_string_equal(world.last_differ.stream, "NB_1_s/c");
	assert_true(world.last_differ.differed_ns >= 60 * CLOCK_S);
}

/* The audit reads from it, and each look finds a replica that lags. */
static void
test_consumer_moves(void **state)
{
	struct cluster c;
	struct states s;
	unsigned i;

	(void)state;
	set_up(&c, &s);
	world.name = "NB_1_s/c";
	for (i = 1; i < 90; i++) {
		world.rows[0].delivered = world.rows[1].delivered = i;
		world.rows[2].delivered = i - 1;
		assert_false(pass(&s, &c, 1, 7));
	}
	world.rows[2].delivered = world.rows[0].delivered;
	assert_true(pass(&s, &c, 1, 7));
	assert_int_equal(world.consumers + world.differ, 0);
}

/* Of a consumer that nobody leads other checks know more. */
static void
test_consumer_leaderless(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	world.name = "NB_1_s/c";
	world.rows[0].leads = false;
	assert_true(pass(&s, &c, 2, 7));
	assert_string_equal(world.last.why, "");
}

/* What was seen once and can't be asked again has not lasted. */
static void
test_falls_silent(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	world.rows[2].messages = 19;
	assert_false(pass(&s, &c, 10, 7));
	assert_true(pass(&s, &c, 100, 3));
	assert_int_equal(world.differ, 1);
	assert_true(world.last_differ.differed_ns <= 10 * CLOCK_S);
	assert_string_equal(
	    world.last.why, "n3 does not tell its JetStream state");
}

static void
test_leaderless(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	world.rows[0].leads = false;
	assert_false(pass(&s, &c, PATIENCE_S - 1, 7));
	assert_true(pass(&s, &c, 2, 7));
	assert_int_equal(world.states + world.differ, 0);
	assert_string_not_equal(world.last.why, "");
}

/* Nobody can be asked: nothing is claimed, at once. */
static void
test_nobody(void **state)
{
	struct cluster c;
	struct states s;

	(void)state;
	set_up(&c, &s);
	c.health = NULL;
	assert_true(pass(&s, &c, 1, 0));
	assert_int_equal(world.last.servers, 0);
	assert_string_equal(world.last.why, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_agree),
	    cmocka_unit_test(test_catches_up),
	    cmocka_unit_test(test_stays),
	    cmocka_unit_test(test_consumer_stays),
	    cmocka_unit_test(test_consumer_moves),
	    cmocka_unit_test(test_consumer_leaderless),
	    cmocka_unit_test(test_falls_silent),
	    cmocka_unit_test(test_leaderless),
	    cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
