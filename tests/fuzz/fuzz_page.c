/* SPDX-License-Identifier: ISC */
/*
 * Any texts as monitoring pages of three servers, parted by tabs: the first
 * byte of each says of whom, of what and how it came. What is made of them is
 * told in events that a journal takes, and in words that fit; a cluster is
 * whole only when every server said so. The clock goes on between the pages.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "chaos/groups.h"
#include "chaos/health.h"
#include "chaos/states.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/child.h"
#include "proto/frame.h"

#define NODES 3

static struct world {
	struct cluster cluster;
	struct run_config config;
	struct groups groups;
	struct states states;
	uint64_t now_ns, well_ns[NODES], told_ns[NODES];
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
	uint8_t frame[FRAME_MAX];
	struct event back;
	size_t used;
	int len;

	(void)c;
	len = frame_encode(ev, frame);
	MUST(len > 0 && (size_t)len <= FRAME_MAX);
	MUST(frame_decode(frame, (size_t)len, &back, &used) == FRAME_WHOLE);
}

void
__wrap_child_flush(struct child *c)
{
	(void)c;
}

static void
begin(void)
{
	unsigned i;

	memset(&world, 0, sizeof(world));
	config_init(&world.config);
	world.config.run = 0xab;
	text_set(world.config.test, sizeof(world.config.test), "kv-cas");
	world.now_ns = 1000 * CLOCK_S;
	world.cluster.ops = cluster_table[0];
	world.cluster.config = &world.config;
	world.cluster.n = NODES;
	for (i = 0; i < NODES; i++) {
		text_format(world.cluster.nodes[i].name, CLUSTER_NAME_MAX,
		    "n%u", i + 1);
		text_set(world.cluster.nodes[i].monitor, CLUSTER_URL_MAX, "x");
	}
	world.cluster.health = health_create(&world.cluster, NULL);
	MUST(world.cluster.health != NULL);
	states_begin(&world.states, CLOCK_S);
}

static void
take(uint8_t how, const char *text, size_t len)
{
	struct health_answer a = {.node = 1 + how % NODES,
	    .page = how / NODES % HEALTH_PAGES,
	    .asked_ns = world.now_ns,
	    .ok = how / (NODES * HEALTH_PAGES) % 4 != 3,
	    .text = text,
	    .len = len};

	if (health_take(world.cluster.health, &a) && a.ok &&
	    a.page == HEALTH_JSZ)
		world.told_ns[a.node - 1] = world.now_ns;
	if (a.page == HEALTH_HEALTHZ)
		world.well_ns[a.node - 1] = a.ok ? world.now_ns : 0;
}

/* What the server told of groups and streams, by its own list. */
static void
walk(unsigned node)
{
	const struct health *h = world.cluster.health;
	struct health_group g;
	struct health_stream s;
	struct health_meta meta;
	struct health_varz varz;
	unsigned i;

	for (i = 0; health_group(h, node, &i, &g);) {
		MUST(g.name[0] != '\0' && g.lagging >> NODES == 0);
		MUST(!g.is_current || (g.is_led && g.lagging == 0));
	}
	for (i = 0; health_stream(h, node, &i, &s);) {
		MUST(s.name[0] != '\0' && s.peers >> NODES == 0);
		MUST(health_stream_of(h, node, s.name, &s));
	}
	if (health_meta(h, node, &meta) != 0 && meta.is_current)
		MUST(meta.is_led && meta.lagging == 0);
	if (health_varz(h, node, &varz))
		MUST(memchr(varz.version, '\0', sizeof(varz.version)) != NULL);
}

/* Does a server say that it leads the meta group and sees all of it? */
static bool
is_led_whole(const struct health *h)
{
	struct health_meta meta;
	unsigned i;

	for (i = 1; i <= NODES; i++)
		if (health_meta(h, i, &meta) != 0 && meta.is_current &&
		    meta.size >= NODES)
			return true;
	return false;
}

static void
look(uint64_t since_ns)
{
	const struct health *h = world.cluster.health;
	char why[CLUSTER_WHY_MAX], name[80];
	unsigned i, node;

	for (i = 1; i <= NODES; i++)
		walk(i);
	if (health_is_whole(h, since_ns, why)) {
		MUST(why[0] == '\0');
		for (i = 0; i < NODES; i++)
			MUST(world.well_ns[i] > since_ns &&
			     world.told_ns[i] > since_ns);
		MUST(health_meta_leader(h, since_ns) != 0);
		MUST(is_led_whole(h));
	} else
		MUST(why[0] != '\0' && strnlen(why, sizeof(why)) < sizeof(why));
	for (i = 0; i < 2; i++) {
		node =
		    health_pick_group(h, i == 1, since_ns, name, sizeof(name));
		MUST(node <= NODES);
		if (node > 0)
			MUST(health_group_leader(h, name, 0) > 0);
	}
	groups_step(&world.groups, &world.cluster, NULL);
	states_step(&world.states, &world.cluster, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end;
	uint64_t begin_ns;
	unsigned i;
	size_t len;

	begin();
	begin_ns = world.now_ns - 1;
	for (; size > 0; data += len, size -= len) {
		end = memchr(data, '\t', size);
		len = end != NULL ? (size_t)(end - data) : size;
		if (len > 0)
			take(data[0], (const char *)data + 1, len - 1);
		if (end != NULL)
			len++;
		world.now_ns += CLOCK_S / 4;
		look(begin_ns);
	}
	/* What stays as it is long enough is told, and given up. */
	for (i = 0; i < 12; i++) {
		world.now_ns += 11 * CLOCK_S;
		look(begin_ns);
	}
	groups_fini(&world.groups);
	health_destroy(world.cluster.health);
	return 0;
}
