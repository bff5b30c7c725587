/* SPDX-License-Identifier: ISC */
/* What is made of servers' pages: who is well, who leads, what is whole. */
#include "tests/support.h"

#include <string.h>

#include "chaos/health.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define NODES 3

static struct {
	struct cluster cluster;
	struct cluster_ops ops;
	struct run_config config;
	unsigned leaders; /* events that told one */
	unsigned unknown; /* of these, that none is known */
	uint64_t now;
	bool is_ready[NODES];
	unsigned remotes; /* times that was told, and what last */
	struct msg_server_remotes told;
} world;

void __wrap_child_emit(struct child *, struct event *);

void
__wrap_child_emit(struct child *c, struct event *ev)
{
	(void)c;
	if (ev->type == MESSAGE_SERVER_REMOTES) {
		world.remotes++;
		world.told = ev->u.server_remotes;
		return;
	}
	assert_int_equal(ev->type, MESSAGE_LEADER);
	world.leaders++;
	world.unknown += ev->u.leader.leader[0] == '\0';
}

uint64_t __wrap_clock_mono_ns(void);

uint64_t
__wrap_clock_mono_ns(void)
{
	return world.now;
}

static bool
node_is_ready(struct cluster *c, unsigned node)
{
	(void)c;
	return world.is_ready[node - 1];
}

static int
begin(void **state)
{
	unsigned i;

	(void)state;
	memset(&world, 0, sizeof(world));
	config_init(&world.config);
	world.config.run = 0xab;
	text_set(world.config.test, sizeof(world.config.test), "kv-cas");
	world.now = CLOCK_S;
	world.ops.node_is_ready = node_is_ready;
	world.cluster.ops = &world.ops;
	world.cluster.config = &world.config;
	world.cluster.n = NODES;
	for (i = 0; i < NODES; i++) {
		world.is_ready[i] = true;
		text_format(world.cluster.nodes[i].name, CLUSTER_NAME_MAX,
		    "n%u", i + 1);
		text_set(world.cluster.nodes[i].monitor, CLUSTER_URL_MAX,
		    "http://somewhere");
	}
	world.cluster.health = health_create(&world.cluster, NULL);
	return world.cluster.health != NULL ? 0 : -1;
}

static int
end(void **state)
{
	(void)state;
	health_destroy(world.cluster.health);
	return 0;
}

static void
answer(unsigned node, enum health_page page, uint64_t asked_ns, bool ok,
    const char *text)
{
	health_take(
	    world.cluster.health, &(struct health_answer){node, page, asked_ns,
				      ok, text, strlen(text)});
}

/* A /jsz in which that server leads all there is; the others replicate. */
static void
jsz(unsigned node, unsigned leader, uint64_t asked_ns, const char *current)
{
	char text[2048] = "";
	unsigned i;

	text_add(text, sizeof(text),
	    "{\"meta_cluster\":{\"leader\":\"n%u\",\"cluster_size\":3,"
	    "\"replicas\":[{\"name\":\"a\",\"current\":true},"
	    "{\"name\":\"b\",\"current\":true}]},"
	    "\"account_details\":[{\"stream_detail\":[{\"name\":\"NB_AB_s\","
	    "\"state\":{\"first_seq\":1,\"last_seq\":9,\"messages\":8},"
	    "\"cluster\":{\"leader\":\"n%u\",\"replicas\":[",
	    leader, leader);
	for (i = 1; i <= NODES; i++)
		if (i != node)
			text_add(text, sizeof(text),
			    "%s{\"name\":\"n%u\",\"current\":%s}",
			    i > 1 && !(node == 1 && i == 2) ? "," : "", i,
			    current);
	text_add(text, sizeof(text), "]}}]}]}");
	answer(node, HEALTH_JSZ, asked_ns, true, text);
}

static void
all_say(unsigned leader, uint64_t asked_ns)
{
	unsigned i;

	for (i = 1; i <= NODES; i++) {
		answer(i, HEALTH_HEALTHZ, asked_ns, true, "{}");
		jsz(i, leader, asked_ns, "true");
	}
}

static void
expect_lack(uint64_t since_ns, const char *lack)
{
	char why[CLUSTER_WHY_MAX];

	assert_false(health_is_whole(world.cluster.health, since_ns, why));
	assert_string_equal(why, lack);
}

static void
test_whole(void **state)
{
	const struct health *h = world.cluster.health;
	char why[CLUSTER_WHY_MAX];

	(void)state;
	expect_lack(0, "n1 is not healthy");
	all_say(2, 100);
	assert_true(health_is_whole(h, 99, why));
	assert_string_equal(why, "");
	/* An answer proves nothing about the moment of its question. */
	expect_lack(100, "n1 is not healthy");
	answer(1, HEALTH_HEALTHZ, 200, false, "{\"error\":\"no store\"}");
	expect_lack(99, "n1 is not healthy (no store)");
	assert_true(health_node_is_bad(h, 1, 99));
	assert_false(health_node_is_bad(h, 2, 99));
	answer(1, HEALTH_HEALTHZ, 300, true, "");
	assert_true(health_is_whole(h, 99, why));
	answer(3, HEALTH_JSZ, 400, true, "not JSON");
	expect_lack(99, "n3 does not tell its JetStream state");
	answer(3, HEALTH_JSZ, 400, true, "[]"); /* nor is that a page */
	expect_lack(99, "n3 does not tell its JetStream state");
	jsz(3, 2, 400, "true");
	jsz(2, 2, 400, "false"); /* the leader's own rows */
	expect_lack(99, "NB_AB_s is not current");
	jsz(2, 2, 400, "true");
	jsz(3, 2, 400, "false"); /* a follower's count for nothing */
	assert_true(health_is_whole(h, 99, why));
	world.is_ready[1] = false;
	expect_lack(99, "n2 is not ready");
	world.is_ready[1] = true;
	jsz(2, 1, 500, "true"); /* nobody says that it leads */
	expect_lack(99, "the meta leader does not see all servers current");
}

/*
 * A leader is told when it is another one and every 5 s; one that was not seen
 * for 3 s may have been another one meanwhile.
 */
static void
test_unseen_leaders(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i <= 5; i++, world.now += CLOCK_S)
		all_say(3, world.now);
	assert_int_equal(world.leaders, 4); /* meta and stream, twice */
	assert_int_equal(world.unknown, 0);
	world.now += 5 * CLOCK_S / 2;
	all_say(3, world.now);
	assert_int_equal(world.unknown, 2);
	assert_int_equal(world.leaders, 8);
}

/* A stream of that number, which n1 leads. */
static void
one_stream(unsigned number)
{
	char text[256];

	text_format(text, sizeof(text),
	    "{\"account_details\":[{\"stream_detail\":[{\"name\":\"S%u\","
	    "\"cluster\":{\"leader\":\"n1\",\"replicas\":[]}}]}]}",
	    number);
	answer(1, HEALTH_JSZ, world.now, true, text);
}

/* There is room for 512; who was not seen for long makes place. */
static void
test_many_leaders(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 513; i++)
		one_stream(i);
	assert_int_equal(world.leaders, 512);
	world.now += 31 * CLOCK_S;
	one_stream(512);
	assert_int_equal(world.leaders, 514);
	assert_int_equal(world.unknown, 1);
	/* The first had to go, and comes back. */
	one_stream(0);
	assert_int_equal(world.leaders, 516);
	assert_int_equal(world.unknown, 2);
}

static void
test_leaders(void **state)
{
	const struct health *h = world.cluster.health;
	struct health_stream s;
	unsigned i = 0, silent;
	char name[80];

	(void)state;
	assert_int_equal(health_meta_leader(h, 0), 0);
	all_say(3, 100);
	assert_int_equal(world.leaders, 2); /* of meta and of the stream */
	assert_int_equal(health_meta_leader(h, 99), 3);
	assert_int_equal(health_meta_leader(h, 100), 0);
	assert_int_equal(health_meta_size(h, 99), 3);
	assert_int_equal(health_pick_group(h, false, 7, name, sizeof(name)), 3);
	assert_string_equal(name, "NB_AB_s");
	assert_int_equal(health_pick_group(h, true, 7, name, sizeof(name)), 0);
	assert_int_equal(health_group_leader(h, "NB_AB_s", 99), 3);
	assert_true(health_stream(h, 3, &i, &s));
	assert_string_equal(s.name, "NB_AB_s");
	assert_true(s.is_led && s.first == 1 && s.last == 9);
	assert_int_equal(s.messages, 8);
	assert_int_equal(s.peers, 7);
	assert_false(health_stream(h, 3, &i, &s));
	assert_int_equal(health_tells_streams(h, 99, &silent), 3);
	assert_int_equal(silent, 0);
	assert_int_equal(health_tells_streams(h, 100, &silent), 3);
	assert_int_equal(silent, 1);
}

static void
say_version(unsigned node, const char *version)
{
	char text[64];

	text_format(text, sizeof(text), "{\"version\":\"%s\"}", version);
	answer(node, HEALTH_VARZ, 100, true, text);
}

/*
 * A durable, one with a single replica, one of the audit, and one of somebody
 * else, as n1 tells of them, whose streams have the given number of replicas.
 */
static void
say_consumers(void)
{
	answer(1, HEALTH_JSZ, 200, true,
	    "{\"account_details\":[{\"stream_detail\":["
	    "{\"name\":\"NB_AB_s\",\"config\":{\"num_replicas\":3},"
	    "\"state\":{\"messages\":8,\"bytes\":900,\"num_subjects\":2},"
	    "\"consumer_detail\":["
	    "{\"name\":\"c\",\"config\":{},\"num_ack_pending\":4,"
	    "\"delivered\":{\"consumer_seq\":9,\"stream_seq\":19},"
	    "\"ack_floor\":{\"consumer_seq\":5,\"stream_seq\":15}},"
	    "{\"name\":\"lone\",\"config\":{\"num_replicas\":1}},"
	    "{\"name\":\"natsburn_audit_1_1_1\",\"config\":{}}]},"
	    "{\"name\":\"ORDERS\",\"config\":{\"num_replicas\":3},"
	    "\"consumer_detail\":[{\"name\":\"c\",\"config\":{}}]}]}]}");
}

static unsigned
count_rows(struct health_stream *last)
{
	const struct health *h = world.cluster.health;
	unsigned i = 0, n = 0;

	while (health_stream(h, 1, &i, last))
		n++;
	return n;
}

static void
test_consumers(void **state)
{
	struct health_stream s;

	(void)state;
	say_consumers();
	assert_int_equal(count_rows(&s), 1); /* no versions are known */
	say_version(1, "2.10.27");
	say_version(2, "2.15.1");
	say_version(3, "2.10.26");
	assert_int_equal(count_rows(&s), 1); /* one of them is older */
	assert_int_equal(s.bytes, 900);
	assert_int_equal(s.subjects, 2);
	say_version(3, "2.11.0-RC.1");
	assert_int_equal(count_rows(&s), 2);
	assert_string_equal(s.name, "NB_AB_s/c");
	assert_true(s.is_consumer);
	assert_int_equal(s.delivered, 9);
	assert_int_equal(s.floor, 5);
	assert_int_equal(s.ack_pending, 4);
	memset(&s, 0, sizeof(s));
	assert_true(health_stream_of(world.cluster.health, 1, "NB_AB_s/c", &s));
	assert_int_equal(s.delivered, 9);
	assert_true(health_stream_of(world.cluster.health, 1, "NB_AB_s", &s));
	assert_false(s.is_consumer);
	assert_false(
	    health_stream_of(world.cluster.health, 1, "NB_AB_s/d", &s));
}

/* What a server holds: of the latest answers, as far as it tells. */
static void
test_levels(void **state)
{
	static const char profile[] =
	    "goroutine profile: total 93\n1 @ 0x46ece1\n";
	const struct health *h = world.cluster.health;
	struct health_varz v, other;
	uint64_t assets, stored;

	(void)state;
	assert_int_equal(health_goroutines(h, 1), 0);
	answer(1, HEALTH_GOROUTINES, 100, true, profile);
	assert_int_equal(health_goroutines(h, 1), 93);
	assert_int_equal(health_goroutines(h, 2), 0);
	answer(1, HEALTH_GOROUTINES, 200, true, "404 page not found");
	assert_int_equal(health_goroutines(h, 1), 0);
	answer(1, HEALTH_GOROUTINES, 300, true, profile);
	answer(1, HEALTH_GOROUTINES, 400, false, profile);
	assert_int_equal(health_goroutines(h, 1), 0);
	answer(1, HEALTH_GOROUTINES, 500, true, "goroutine profile: total ");
	assert_int_equal(health_goroutines(h, 1), 0);
	answer(1, HEALTH_VARZ, 100, true,
	    "{\"server_id\":\"NA\",\"mem\":12345,\"connections\":3,"
	    "\"subscriptions\":70,\"now\":\"2000-01-01T00:00:00.5Z\"}");
	answer(2, HEALTH_VARZ, 100, true, "{\"server_id\":\"NB\"}");
	assert_true(health_varz(h, 1, &v) && health_varz(h, 2, &other));
	assert_true(v.memory == 12345 && v.connections == 3);
	assert_int_equal(v.subscriptions, 70);
	assert_true(v.now_ns == INT64_C(946684800500000000) && v.ahead_ns < 0);
	assert_int_equal(other.now_ns, 0);
	assert_true(v.boot != 0 && other.boot != 0 && v.boot != other.boot);
	answer(1, HEALTH_JSZ, 100, true,
	    "{\"memory\":500,\"streams\":2,\"consumers\":5}");
	health_assets(h, 1, &assets, &stored);
	assert_int_equal(assets, 7);
	assert_int_equal(stored, 500);
}

/* Leaf nodes are a JetStream of their own, with or without a meta group. */
static void
test_leafs(void **state)
{
	const struct health *h = world.cluster.health;
	char why[CLUSTER_WHY_MAX];

	(void)state;
	world.cluster.nodes[2].group = 1;
	world.cluster.nodes[2].is_apart = true;
	all_say(1, 100);
	assert_true(health_is_whole(h, 99, why));
	world.cluster.nodes[1].group = 1;
	world.cluster.nodes[1].is_apart = true;
	expect_lack(99, "the meta leader does not see all servers current");
	jsz(2, 2, 100, "true");
	assert_true(health_is_whole(h, 99, why));
	assert_int_equal(health_meta_leader(h, 99), 1);
	jsz(1, 2, 100, "true"); /* it is not the one that leads the others */
	assert_int_equal(health_meta_leader(h, 99), 0);
}

/* Told when it changes, and nothing while there are none. */
static void
test_remotes(void **state)
{
	static const char gateways[] =
	    "{\"gateway\":{\"gateways\":[{\"name\":\"a\"},"
	    "{\"name\":\"b\"}]}}";

	(void)state;
	answer(1, HEALTH_VARZ, 100, true, "{\"gateway\":{},\"leafnodes\":0}");
	assert_int_equal(world.remotes, 0);
	answer(2, HEALTH_VARZ, 100, true, gateways);
	answer(2, HEALTH_VARZ, 200, true, gateways);
	assert_int_equal(world.remotes, 1);
	assert_true(world.told.node == 2 && world.told.gateways == 2 &&
		    world.told.leafs == 0);
	answer(1, HEALTH_VARZ, 300, true, "{\"leafnodes\":3}");
	assert_true(world.told.node == 1 && world.told.leafs == 3);
	answer(1, HEALTH_VARZ, 400, true, "{\"leafnodes\":0}");
	assert_int_equal(world.remotes, 3);
	assert_int_equal(world.told.leafs, 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_whole, begin, end),
	    cmocka_unit_test_setup_teardown(test_leaders, begin, end),
	    cmocka_unit_test_setup_teardown(test_unseen_leaders, begin, end),
	    cmocka_unit_test_setup_teardown(test_many_leaders, begin, end),
	    cmocka_unit_test_setup_teardown(test_consumers, begin, end),
	    cmocka_unit_test_setup_teardown(test_levels, begin, end),
	    cmocka_unit_test_setup_teardown(test_leafs, begin, end),
	    cmocka_unit_test_setup_teardown(test_remotes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
