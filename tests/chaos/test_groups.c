/* SPDX-License-Identifier: ISC */
/*
 * What is told of the run's raft groups and of servers that do not answer,
 * with a monitor and a clock of the test's own.
 */
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/groups.h"
#include "chaos/health.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "tests/support.h"

#define NODES 3
#define MOST  4 /* of a test of its own */
#define NAMES 400

/* A group at a node. */
struct row {
	bool is_there, is_led;
	unsigned copies, lagging;
};

static struct world {
	uint64_t now_ns;
	bool is_dead[MOST]; /* does not answer */
	struct health_meta meta[MOST];
	struct row stream[MOST], consumer[MOST];
	uint64_t made; /* which stream of its name it is */
	uint64_t more; /* messages that the stream has on n1 */
	uint64_t acks; /* what the consumer has come to on n2 */
	unsigned many; /* further streams, that nobody leads */
	struct cluster cluster;
	struct groups groups;
	/* what was said */
	unsigned sick, well, answers[2];
	struct msg_group_sick last;
	struct msg_group_well last_well;
} world;

uint64_t __wrap_clock_mono_ns(void);
void __wrap_child_emit(struct child *, struct event *);

uint64_t
__wrap_clock_mono_ns(void)
{
	return world.now_ns;
}

void
__wrap_child_emit(struct child *c, struct event *ev)
{
	(void)c;
	if (ev->type == MESSAGE_GROUP_SICK) {
		world.sick++;
		world.last = ev->u.group_sick;
	} else if (ev->type == MESSAGE_GROUP_WELL) {
		world.well++;
		world.last_well = ev->u.group_well;
	} else {
		assert_int_equal(ev->type, MESSAGE_SERVER_ANSWERS);
		world.answers[ev->u.server_answers.ok]++;
	}
}

uint64_t
health_meta(const struct health *m, unsigned node, struct health_meta *out)
{
	(void)m;
	*out = world.meta[node - 1];
	return world.is_dead[node - 1] ? 0 : world.now_ns - CLOCK_S;
}

bool
health_group(const struct health *m, unsigned node, unsigned *i,
    struct health_group *out)
{
	static char names[NAMES][32];
	const struct row *r;

	(void)m;
	while (*i < 2 + world.many) {
		memset(out, 0, sizeof(*out));
		out->id = 1000 - (*i)++;
		if (*i > 2) {
			text_format(names[*i], sizeof(names[0]), "NB_1_%u", *i);
			out->name = names[*i];
			return true;
		}
		r = *i == 1 ? &world.stream[node - 1]
			    : &world.consumer[node - 1];
		if (!r->is_there)
			continue;
		out->name = *i == 1 ? "NB_1_s" : "NB_1_s/c";
		out->made = world.made;
		out->is_consumer = *i == 2;
		out->is_led = r->is_led;
		out->copies = r->copies;
		out->lagging = r->lagging;
		out->want = 3;
		out->is_current =
		    r->is_led && r->copies >= 3 && r->lagging == 0;
		out->last = 20 + node;
		out->messages = 10 + node + (node == 1 ? world.more : 0);
		out->moves = out->is_consumer ? node == 2 ? world.acks : 0
					      : out->messages;
		return true;
	}
	return false;
}

static void
all_well(void)
{
	unsigned i;

	for (i = 0; i < NODES; i++) {
		world.meta[i] = (struct health_meta){i == 0, i == 0, 3, 0, {0}};
		world.stream[i] = (struct row){true, i == 1, 3, 0};
		world.consumer[i] = (struct row){true, i == 2, 3, 0};
	}
}

static int
begin(void **state)
{
	unsigned i;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_ns = 1000 * CLOCK_S;
	world.cluster.n = NODES;
	world.cluster.health = (struct health *)&world; /* never looked at */
	for (i = 0; i < MOST; i++) {
		text_format(world.cluster.nodes[i].name, CLUSTER_NAME_MAX,
		    "n%u", i + 1);
		text_set(world.cluster.nodes[i].monitor, CLUSTER_URL_MAX, "x");
	}
	all_well();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	groups_fini(&world.groups);
	return 0;
}

static void
pass(unsigned seconds)
{
	for (; seconds > 0; seconds--) {
		world.now_ns += CLOCK_S;
		groups_step(&world.groups, &world.cluster, NULL);
	}
}

static void
test_all_well(void **state)
{
	(void)state;
	pass(100);
	assert_int_equal(world.answers[1], NODES);
	assert_int_equal(world.answers[0], 0);
	assert_int_equal(world.sick, 0);
	assert_int_equal(world.well, 0);
}

/* Nobody leads it: told when it has lasted, again and again, then well. */
static void
test_no_leader(void **state)
{
	(void)state;
	pass(5);
	world.stream[1].is_led = false;
	pass(10);
	assert_int_equal(world.sick, 0);
	pass(1);
	assert_int_equal(world.sick, 1);
	assert_int_equal(world.last.what, 2);
	assert_string_equal(world.last.name, "NB_1_s");
	assert_true(world.last.sick_ns == 10 * CLOCK_S);
	assert_false(world.last.is_led);
	assert_int_equal(world.last.servers, 3);
	assert_string_equal(world.last.says,
	    "no server says that it leads it; n1 has it, 11 messages up to 21; "
	    "n2 has it, 12 messages up to 22; n3 has it, 13 messages up to 23");
	pass(30);
	assert_int_equal(world.sick, 4);
	assert_true(world.last.sick_ns == 40 * CLOCK_S);
	assert_false(groups_are_hopeless(&world.groups, 0, 40 * CLOCK_S));
	assert_true(groups_are_hopeless(&world.groups, 0, 39 * CLOCK_S));
	assert_false(groups_are_hopeless(
	    &world.groups, world.now_ns - 5 * CLOCK_S, 5 * CLOCK_S));
	world.stream[2].is_led = true;
	pass(1);
	assert_int_equal(world.well, 1);
	assert_string_equal(world.last_well.name, "NB_1_s");
	assert_false(groups_are_hopeless(&world.groups, 0, 0));
	/* Once more: it counts anew. */
	world.stream[2].is_led = false;
	pass(11);
	assert_int_equal(world.sick, 5);
	assert_true(world.last.sick_ns == 10 * CLOCK_S);
}

/* A replica that lags, and one that is gone for good. */
static void
test_replicas(void **state)
{
	(void)state;
	pass(5);
	world.consumer[2].lagging = 3;
	pass(11);
	assert_int_equal(world.last.what, 3);
	assert_string_equal(world.last.name, "NB_1_s/c");
	assert_string_equal(world.last.says,
	    "n3 leads it and does not see n1, n2 current; n1 has it; n2 has "
	    "it; n3 has it");
	world.consumer[2] = (struct row){true, true, 2, 0};
	world.consumer[1].is_there = false;
	pass(11); /* none lags any more: that counts anew */
	assert_string_equal(world.last.says,
	    "n3 leads it, with 2 of 3 replicas; n1 has it; n3 has it; not n2");
	assert_true(world.last.is_led);
	assert_int_equal(world.last.servers, 2);
	/* Two say that they lead: the one that sees it whole may be right. */
	world.consumer[0] = (struct row){true, true, 3, 0};
	pass(1);
	assert_int_equal(world.well, 1);
	/* And when none of them does, both are told. */
	world.consumer[0].lagging = 2;
	pass(11);
	assert_string_equal(world.last.says,
	    "n1 leads it and does not see n2 current; n3 leads it, with 2 of 3 "
	    "replicas; n1 has it; n3 has it; not n2");
	/* It is deleted: then it is sick no more. */
	memset(world.consumer, 0, sizeof(world.consumer));
	pass(1);
	assert_int_equal(world.well, 2);
	assert_int_equal(world.last_well.what, 3);
}

static void
test_meta(void **state)
{
	(void)state;
	pass(5);
	world.meta[0].is_led = world.meta[0].is_current = false;
	pass(11);
	assert_int_equal(world.last.what, 1);
	assert_string_equal(world.last.name, "");
	assert_string_equal(world.last.says, "no server says that it leads it");
	world.meta[2] = (struct health_meta){true, false, 2, 2, {0}};
	pass(11);
	assert_string_equal(world.last.says,
	    "n3 leads it and does not see n2 current, with 2 of 3 replicas");
	world.meta[2] = (struct health_meta){true, true, 4, 0, {0}};
	pass(11);
	assert_string_equal(
	    world.last.says, "n3 leads it, with 4 members of 3 servers");
	world.meta[2].size = 3;
	pass(1);
	assert_int_equal(world.well, 1);
}

/* A hub and its leaf nodes have one each: each is told by itself. */
static void
test_two_metas(void **state)
{
	unsigned i;

	(void)state;
	world.cluster.n = MOST;
	world.cluster.nodes[2].group = world.cluster.nodes[3].group = 1;
	world.meta[0].size = 2;
	world.meta[2] = (struct health_meta){true, true, 2, 0, {0}};
	pass(100);
	assert_int_equal(world.sick, 0);
	/* The one catches up, the other does not. */
	world.meta[0] = (struct health_meta){
	    .is_led = true, .size = 2, .lagging = 2, .lags = {0, 200}};
	world.meta[2] = (struct health_meta){
	    .is_led = true, .size = 2, .lagging = 8, .lags = {0, 0, 0, 7}};
	for (i = 0; i < 11; i++) {
		world.meta[0].lags[1]--;
		pass(1);
	}
	assert_int_equal(world.sick, 1);
	assert_string_equal(world.last.name, "n3, n4");
	assert_string_equal(
	    world.last.says, "n3 leads it and does not see n4 current");
	assert_int_equal(world.last.servers, 2);
	pass(10); /* now neither does */
	assert_int_equal(world.sick, 3);
	assert_string_equal(world.last.name, "n1, n2");
	world.meta[0] = (struct health_meta){true, true, 2, 0, {0}};
	pass(1);
	assert_int_equal(world.well, 1);
	assert_string_equal(world.last_well.name, "n1, n2");
}

/* What catches up is given the time that it takes; what stays behind not. */
static void
test_catching_up(void **state)
{
	unsigned i;

	(void)state;
	pass(5);
	world.stream[1].lagging = 1;
	for (i = 0; i < 500; i++) {
		world.more++;
		pass(1);
	}
	assert_int_equal(world.sick, 0);
	pass(10);
	assert_int_equal(world.sick, 1);
	assert_true(world.last.sick_ns == 10 * CLOCK_S);
	/* That others go on is no progress of its own. */
	world.stream[1].lagging = 4;
	pass(1);
	for (i = 0; i < 20; i++) {
		world.more++;
		pass(1);
	}
	assert_int_equal(world.sick, 3);
	assert_true(world.last.sick_ns == 20 * CLOCK_S);
	/* Nor is it one that for a while nobody says who leads. */
	world.stream[1].is_led = false;
	pass(10);
	world.stream[1].is_led = true;
	pass(10);
	assert_true(world.last.sick_ns == 40 * CLOCK_S);
}

/* One that catches up hides no other that is stuck, nor the other way round. */
static void
test_one_is_stuck(void **state)
{
	unsigned i;

	(void)state;
	pass(5);
	world.stream[1].lagging = 1 | 4;
	for (i = 0; i < 21; i++) {
		world.more++;
		pass(1);
	}
	assert_int_equal(world.sick, 2);
	assert_true(world.last.sick_ns == 20 * CLOCK_S);
	/* n3 is there, and n1 still on its way: it has all its time. */
	world.stream[1].lagging = 1;
	for (i = 0; i < 100; i++) {
		world.more++;
		pass(1);
	}
	assert_int_equal(world.sick, 2);
	pass(10);
	assert_int_equal(world.sick, 3);
	assert_true(world.last.sick_ns == 10 * CLOCK_S);
}

/* Consumers move by what was delivered and acked. */
static void
test_consumer_catches_up(void **state)
{
	unsigned i;

	(void)state;
	pass(5);
	world.consumer[2].lagging = 2;
	for (i = 0; i < 100; i++) {
		world.acks++;
		pass(1);
	}
	assert_int_equal(world.sick, 0);
	pass(10);
	assert_int_equal(world.sick, 1);
	assert_int_equal(world.last.what, 3);
}

/* The meta group by what its leader says that another lacks: if that falls. */
static void
test_meta_catches_up(void **state)
{
	unsigned i;

	(void)state;
	pass(5);
	world.meta[0] = (struct health_meta){
	    .is_led = true, .size = 3, .lagging = 2, .lags = {0, 200}};
	for (i = 0; i < 100; i++) {
		world.meta[0].lags[1]--;
		pass(1);
	}
	assert_int_equal(world.sick, 0);
	for (i = 0; i < 10; i++) {
		world.meta[0].lags[1] = 150 + i % 2 * 7;
		pass(1);
	}
	assert_int_equal(world.sick, 1);
	assert_int_equal(world.last.what, 1);
	assert_true(world.last.sick_ns == 10 * CLOCK_S);
}

/* Each of them is young, and gone before it could be whole. */
static void
test_one_name(void **state)
{
	unsigned i;

	(void)state;
	pass(5);
	world.stream[1].lagging = 1;
	for (i = 0; i < 100; i++) {
		world.made++;
		pass(5);
	}
	assert_int_equal(world.sick, 0);
	pass(10);
	assert_int_equal(world.sick, 1);
	assert_true(world.last.sick_ns < 20 * CLOCK_S);
}

/* Somebody's cluster of which we see a part: nothing can be said of it. */
static void
test_never_whole(void **state)
{
	(void)state;
	world.meta[0].size = 5;
	world.stream[1].is_led = false;
	pass(100);
	assert_int_equal(world.sick, 0);
	world.meta[0].size = 3;
	pass(11);
	assert_int_equal(world.sick, 1);
	assert_int_equal(world.last.what, 2);
}

/* One server alone has no meta group. */
static void
test_one_server(void **state)
{
	(void)state;
	world.cluster.n = 1;
	memset(world.meta, 0, sizeof(world.meta));
	pass(100);
	/* Of stream and consumer each time, for they have two too few. */
	assert_int_equal(world.sick, 2 * 9);
	assert_int_equal(world.last.what, 2);
}

/* Who does not answer may be the leader. */
static void
test_silent_server(void **state)
{
	(void)state;
	pass(5);
	world.is_dead[1] = true;
	world.stream[1].is_led = false;
	pass(8);
	assert_int_equal(world.answers[0], 0); /* a request or two failed */
	pass(92);
	assert_int_equal(world.answers[0], 1);
	assert_int_equal(world.sick, 0);
	world.is_dead[1] = false;
	pass(11);
	assert_int_equal(world.answers[1], NODES + 1);
	assert_int_equal(world.sick, 1);
	/* What was sick before it fell silent has been so all the time. */
	world.is_dead[1] = true;
	pass(100);
	assert_int_equal(world.sick, 1);
	world.is_dead[1] = false;
	pass(1);
	assert_int_equal(world.sick, 2);
	assert_true(world.last.sick_ns == 111 * CLOCK_S);
}

/* Without addresses to ask nothing is said. */
static void
test_unwatched_server(void **state)
{
	(void)state;
	world.cluster.nodes[2].monitor[0] = '\0';
	world.stream[1].is_led = false;
	pass(100);
	assert_int_equal(world.sick, 0);
	assert_int_equal(world.answers[0], 0);
}

/* Of very many the table holds some, and the others when these are well. */
static void
test_more_than_fit(void **state)
{
	(void)state;
	pass(5);
	world.many = GROUPS_MAX + 40;
	pass(11);
	assert_int_equal(world.sick, GROUPS_MAX);
	world.many = 0;
	pass(1);
	assert_int_equal(world.well, GROUPS_MAX);
}

int
main(void)
{
#define GROUPS_TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	static const struct CMUnitTest tests[] = {
	    GROUPS_TEST(test_all_well),
	    GROUPS_TEST(test_no_leader),
	    GROUPS_TEST(test_replicas),
	    GROUPS_TEST(test_meta),
	    GROUPS_TEST(test_two_metas),
	    GROUPS_TEST(test_catching_up),
	    GROUPS_TEST(test_one_is_stuck),
	    GROUPS_TEST(test_consumer_catches_up),
	    GROUPS_TEST(test_meta_catches_up),
	    GROUPS_TEST(test_one_name),
	    GROUPS_TEST(test_never_whole),
	    GROUPS_TEST(test_one_server),
	    GROUPS_TEST(test_silent_server),
	    GROUPS_TEST(test_unwatched_server),
	    GROUPS_TEST(test_more_than_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
