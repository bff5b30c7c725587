/* SPDX-License-Identifier: ISC */
/*
 * The schedule with all real modes over a cluster that is a stub, in a time
 * of the test's own: thousands of random schedules. What is looked at is
 * the stub, never the schedule's own book-keeping.
 */
#include "tests/support.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/account.h"
#include "chaos/admin.h"
#include "chaos/backup.h"
#include "chaos/cluster/cluster.h"
#include "chaos/change.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "chaos/schedule.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define STEP_NS	  (50 * CLOCK_MS)
#define FOUND_MAX 4096
#define MODES_MAX SCHEDULE_MODES_MAX

/* The stub: servers, their links, and how long everything takes. */
struct server {
	bool runs, is_stopped, is_told; /* told to end, by ends_ns */
	uint64_t ends_ns, well_ns;	/* healthy again since */
	struct health_varz varz;
};

/* A fault as the history has it. */
struct found {
	uint32_t number;
	char mode[32], target[FAULT_TARGET_MAX];
	uint64_t planned_ns, begun_ns, undone_ns, healed_ns;
	bool stops_clock, is_without_service;
};

static uint64_t now_ns;
static unsigned updates; /* of the stream, in all worlds */
static struct world {
	struct cluster cluster;
	struct run_config config;
	struct server servers[CONFIG_NODES_MAX];
	struct link_policy links[CONFIG_NODES_MAX + 1][CONFIG_NODES_MAX + 1];
	uint64_t links_ns; /* when one was set last */
	struct rng noise;
	uint64_t quiet_until_ns;   /* nothing is healthy before */
	unsigned meta_size, peers; /* replicas of the stream, as bits */
	cJSON *stream;		   /* configuration of the one there is */
	bool is_info;		   /* that is what was asked for last */
	bool refuses;		   /* to end servers */
	unsigned whole;		   /* times that it was told to be so again */
	struct found found[FOUND_MAX + 1];
	unsigned nfound;
	unsigned asked;	      /* moments that it waits for, as bits */
	unsigned met, missed; /* aimed faults, by whether theirs came */
} * world;

/* The time, and what goes up the pipe */

uint64_t __wrap_clock_mono_ns(void);
void __wrap_child_emit(struct child *, struct event *);
void __wrap_child_flush(struct child *);

uint64_t
__wrap_clock_mono_ns(void)
{
	return now_ns;
}

static struct found *
found_of(uint32_t number)
{
	unsigned i;

	for (i = 0; i < world->nfound; i++)
		if (world->found[i].number == number)
			return &world->found[i];
	return &world->found[FOUND_MAX]; /* nobody's */
}

/* A step late at most: what it waited for while it had no room is none. */
static void
look_at_aimed(const struct msg_fault_aimed *a)
{
	if (!a->came) {
		world->missed++;
		return;
	}
	world->met++;
	assert_true(a->distance_ns >= a->delay_ns);
	assert_true(a->distance_ns <= a->delay_ns + 2 * STEP_NS);
}

void
__wrap_child_emit(struct child *c, struct event *ev)
{
	struct found *f;

	(void)c;
	if (ev->type == MESSAGE_FAULT_PLANNED) {
		assert_true(world->nfound < FOUND_MAX);
		f = &world->found[world->nfound++];
		f->number = ev->u.fault_planned.fault;
		text_set(f->mode, sizeof(f->mode), ev->u.fault_planned.mode);
		text_set(
		    f->target, sizeof(f->target), ev->u.fault_planned.target);
		f->planned_ns = ev->u.fault_planned.planned_ns;
		f->begun_ns = now_ns;
		f->stops_clock = ev->u.fault_planned.stops_clock;
		return;
	}
	if (ev->type == MESSAGE_AIM)
		world->asked = ev->u.aim.moments;
	if (ev->type == MESSAGE_FAULT_AIMED)
		look_at_aimed(&ev->u.fault_aimed);
	if (ev->type == MESSAGE_AIM || ev->type == MESSAGE_FAULT_AIMED)
		return;
	world->whole += ev->type == MESSAGE_CLUSTER_WHOLE;
	/* The number of a fault is the first field of all these. */
	f = found_of(ev->u.fault_healed.fault);
	if (ev->type == MESSAGE_FAULT_HEALED)
		f->healed_ns = now_ns;
	else if (ev->type == MESSAGE_NO_SERVICE)
		f->is_without_service = true;
	else if (ev->type == MESSAGE_FAULT_UNDONE) {
		assert_true(f->undone_ns == 0 && f->healed_ns == 0);
		assert_true(ev->u.fault_undone.patience_ns ==
			    mayhem_find(f->mode)->heal_ns);
		f->undone_ns = now_ns;
	}
}

void
__wrap_child_flush(struct child *c)
{
	(void)c;
}

/* The monitor of the stub */

static uint64_t
some_time(uint64_t most_ns)
{
	return rng_below(&world->noise, most_ns + 1);
}

bool
health_is_whole(const struct health *h, uint64_t since_ns, char *why)
{
	unsigned i;

	(void)h;
	text_set(why, CLUSTER_WHY_MAX, "the stub says no");
	for (i = 0; i < world->cluster.n; i++)
		if (!world->servers[i].runs || world->servers[i].is_stopped ||
		    world->servers[i].well_ns > now_ns)
			return false;
	return since_ns + 10 * CLOCK_MS < now_ns &&
	       world->meta_size == world->cluster.n;
}

bool
health_node_is_ok(const struct health *h, unsigned node, uint64_t since_ns)
{
	const struct server *s = &world->servers[node - 1];

	(void)h;
	return s->runs && !s->is_stopped && s->well_ns <= now_ns &&
	       since_ns < now_ns;
}

bool
health_node_is_bad(const struct health *h, unsigned node, uint64_t since_ns)
{
	return !health_node_is_ok(h, node, since_ns);
}

static unsigned
any_running(void)
{
	unsigned i, first = (unsigned)some_time(world->cluster.n - 1), node;

	for (i = 0; i < world->cluster.n; i++) {
		node = (first + i) % world->cluster.n;
		if (world->servers[node].runs &&
		    !world->servers[node].is_stopped)
			return node + 1;
	}
	return 0;
}

unsigned
health_meta_leader(const struct health *h, uint64_t since_ns)
{
	(void)h;
	(void)since_ns;
	return any_running();
}

unsigned
health_pick_group(const struct health *h, bool consumers, uint64_t dice,
    char *name, size_t size)
{
	(void)h;
	(void)consumers;
	(void)dice;
	text_set(name, size, "NB_1_s");
	return any_running();
}

/* Its replicas; each server sees them. */
bool
health_stream_of(const struct health *h, unsigned node, const char *name,
    struct health_stream *out)
{
	(void)h;
	(void)node;
	*out = (struct health_stream){.name = name, .peers = world->peers};
	return true;
}

unsigned
health_group_leader(const struct health *h, const char *name, uint64_t since_ns)
{
	(void)name;
	return health_meta_leader(h, since_ns);
}

bool
health_varz(const struct health *h, unsigned node, struct health_varz *out)
{
	(void)h;
	*out = world->servers[node - 1].varz;
	out->asked_ns = now_ns;
	out->now_ns = 1;
	return world->servers[node - 1].runs;
}

unsigned
health_meta_size(const struct health *h, uint64_t since_ns)
{
	(void)h;
	(void)since_ns;
	return world->meta_size;
}

/* Another server, if there is one, takes the place of {"peer":"n3"}. */
static void
remove_peer(const char *body)
{
	unsigned node = (unsigned)(body[strlen("{\"peer\":\"n")] - '1'), i;

	for (i = 0; i < world->cluster.n; i++)
		if ((world->peers & (1U << i)) == 0 &&
		    (world->peers & (1U << node)) != 0) {
			world->peers &= ~(1U << node);
			world->peers |= 1U << i;
			return;
		}
}

/* It leaves server N when it is placed on "not-N". */
static void
move_stream(void)
{
	const cJSON *tags =
	    json_get(json_get(world->stream, "placement"), "tags");
	char body[32];

	if (tags == NULL)
		return;
	text_format(body, sizeof(body), "{\"peer\":\"n%s\"}",
	    cJSON_GetStringValue(cJSON_GetArrayItem(tags, 0)) + strlen("not-"));
	remove_peer(body);
}

int
admin_request(struct admin *a, enum admin_account account, unsigned node,
    const char *subject, const char *body)
{
	(void)a;
	(void)account;
	(void)node;
	if (strcmp(subject, "$JS.API.SERVER.REMOVE") == 0)
		world->meta_size = world->cluster.n - 1;
	if (strcmp(subject, "$JS.API.STREAM.PEER.REMOVE.NB_1_s") == 0)
		remove_peer(body);
	world->is_info = strcmp(subject, "$JS.API.STREAM.INFO.NB_1_s") == 0;
	if (strcmp(subject, "$JS.API.STREAM.UPDATE.NB_1_s") == 0 &&
	    some_time(4) != 0) {
		cJSON_Delete(world->stream);
		world->stream = json_parse(body, strlen(body), 8);
		assert_non_null(world->stream);
		move_stream();
		updates++;
	}
	return 0;
}

/* A stream whose replicas are current most of the time. */
static int
print_info(char *out, size_t size)
{
	uint64_t i, n = json_count(world->stream, "num_replicas");
	char *config = cJSON_PrintUnformatted(world->stream);

	text_format(
	    out, size, "{\"config\":%s,\"cluster\":{\"replicas\":[", config);
	for (i = 1; i < n; i++)
		text_add(out, size, "%s{\"current\":%s}", i > 1 ? "," : "",
		    some_time(9) != 0 ? "true" : "false");
	text_add(out, size, "]}}");
	cJSON_free(config);
	return (int)strlen(out);
}

/* Some requests are never answered. */
int
admin_poll(struct admin *a, char *out, size_t size)
{
	(void)a;
	if (some_time(9) == 0)
		return -EAGAIN;
	return world->is_info ? print_info(out, size)
			      : snprintf(out, size, "{}");
}

/* The account that has news; in the other one nobody can log in. */
static enum admin_account newsy;

int
admin_listen(struct admin *a, enum admin_account account)
{
	(void)a;
	if (account != newsy)
		return -EINVAL;
	return some_time(499) == 0 ? -ENOTCONN : 0;
}

/* Others, and now and then that a stream or the meta group has a leader. */
bool
admin_heard(struct admin *a, char *subject, size_t size)
{
	const char *elected = newsy == ADMIN_USER
				  ? "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.S"
				  : "$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED";

	(void)a;
	text_set(subject, size,
	    some_time(19) == 0 ? elected
			       : "$JS.EVENT.ADVISORY.STREAM.CREATED.S");
	return some_time(2) == 0;
}

struct admin *
admin_copy(const struct admin *a)
{
	static char one;

	(void)a;
	return (struct admin *)&one;
}

void
admin_destroy(struct admin *a)
{
	(void)a;
}

struct child *
chaos_child(struct chaos *c)
{
	(void)c;
	return NULL;
}

bool
account_is_given(const struct run_config *c)
{
	(void)c;
	return true;
}

void
admin_done(struct admin *a)
{
	(void)a;
}

const char *
admin_parts(struct admin *a, enum admin_account account)
{
	(void)a;
	(void)account;
	return some_time(9) != 0 ? "_INBOX.1.parts" : NULL;
}

/* The answer, then parts without end, which ends now and then. */
int
admin_take(struct admin *a, admin_sink *sink, void *arg)
{
	static const char answer[] = "{\"state\":{\"messages\":1}}";

	(void)a;
	switch (some_time(4)) {
	case 0:
		return -EAGAIN;
	case 1:
		sink(arg, false, answer, sizeof(answer) - 1, "");
		return 0;
	case 2:
		sink(arg, true, "", 0, some_time(9) == 0 ? "408" : "204");
		return 0;
	default:
		sink(arg, true, "part", 4, "");
		return 0;
	}
}

/* The driver of the stub */

static int
stub_start(struct cluster *c, unsigned node)
{
	struct server *s = &world->servers[node - 1];

	(void)c;
	if (s->runs)
		return 0;
	s->runs = true;
	s->is_stopped = s->is_told = false;
	s->varz.ahead_ns = 0;
	s->well_ns = now_ns + some_time(4 * CLOCK_S);
	text_format(s->varz.version, sizeof(s->varz.version), "9.%u.9",
	    c->nodes[node - 1].binary);
	return 0;
}

/* Drivers learn later that what they asked for was refused. */
static bool
is_refused(struct cluster *c, unsigned node)
{
	if (!world->refuses)
		return false;
	c->refused_nodes |= 1U << (node - 1);
	text_set(c->refused, sizeof(c->refused), "refused");
	return true;
}

static int
stub_end(struct cluster *c, unsigned node, int sig)
{
	struct server *s = &world->servers[node - 1];

	(void)sig;
	if (!s->runs)
		return -ESRCH;
	if (is_refused(c, node))
		return 0;
	s->is_told = true;
	s->ends_ns = now_ns + some_time(CLOCK_S);
	return 0;
}

static int
stub_end_gently(struct cluster *c, unsigned node)
{
	return stub_end(c, node, SIGTERM);
}

static int
stub_reload(struct cluster *c, unsigned node)
{
	struct server *s = &world->servers[node - 1];

	if (!s->runs)
		return -ESRCH;
	if (is_refused(c, node))
		return 0;
	s->varz.max_connections = ++c->nodes[node - 1].config_mark;
	text_format(s->varz.config_load_time, sizeof(s->varz.config_load_time),
	    "%llu", (unsigned long long)now_ns);
	return 0;
}

static int
stub_pause(struct cluster *c, unsigned node, bool paused)
{
	struct server *s = &world->servers[node - 1];

	if (!s->runs)
		return -ESRCH;
	if (!is_refused(c, node))
		s->is_stopped = paused;
	return 0;
}

/* The last ones go; they come back when they are started. */
static int
stub_scale(struct cluster *c, unsigned count)
{
	unsigned i;

	for (i = count + 1; i <= c->n; i++)
		(void)stub_end(c, i, SIGTERM);
	return 0;
}

static bool
stub_runs(struct cluster *c, unsigned node)
{
	struct server *s = &world->servers[node - 1];

	(void)c;
	if (s->runs && s->is_told && now_ns >= s->ends_ns)
		s->runs = false;
	return s->runs;
}

static bool
stub_is_paused(struct cluster *c, unsigned node)
{
	(void)c;
	return world->servers[node - 1].is_stopped;
}

static int
stub_check_upgrade(const struct run_config *c, char *why)
{
	(void)c;
	(void)why;
	return 0;
}

/* Its monitor and its requests are below without it. */
static int
stub_log_in(struct cluster *c)
{
	(void)c;
	return 0;
}

static int
stub_binary(struct cluster *c, unsigned node, unsigned binary)
{
	c->nodes[node - 1].binary = binary;
	return 0;
}

static int
stub_renew(struct cluster *c, unsigned node)
{
	char *name = c->nodes[node - 1].name;

	text_add(name, CLUSTER_NAME_MAX, "x");
	world->meta_size = c->n;
	return 0;
}

/* Only of a server that has ended. */
static int
stub_empty(struct cluster *c, unsigned node)
{
	assert_false(c->ops->node_runs(c, node));
	return 0;
}

static int
stub_fill(struct cluster *c, unsigned node, bool full)
{
	(void)c;
	/* A full one is out: it serves no more. */
	world->servers[node - 1].well_ns = full ? UINT64_MAX : now_ns;
	return 0;
}

static int64_t
stub_room(struct cluster *c, unsigned node)
{
	(void)c;
	return world->servers[node - 1].well_ns == UINT64_MAX ? 0 : 1;
}

static int
stub_link_set(
    struct cluster *c, unsigned from, unsigned to, const struct link_policy *p)
{
	(void)c;
	world->links[from][to] = *p;
	return 0;
}

static int
stub_link_reset(struct cluster *c, unsigned a, unsigned b, unsigned percent)
{
	(void)c;
	(void)a;
	(void)b;
	(void)percent;
	return 0;
}

static bool
stub_link_flow(
    struct cluster *c, unsigned from, unsigned to, struct link_flow *out)
{
	const struct link_policy *p = &world->links[from][to];

	(void)c;
	*out = (struct link_flow){0};
	out->held = p->cut == LINK_HOLD;
	out->refused = p->cut != LINK_HOLD;
	out->passed = p->cut == LINK_OPEN;
	out->late = p->delay_ns > 0;
	return true;
}

static unsigned
stub_clients(struct cluster *c, unsigned node)
{
	(void)c;
	(void)node;
	return 1;
}

static int
stub_drop(struct cluster *c, unsigned share)
{
	(void)c;
	(void)share;
	return 0;
}

static bool
stub_dropped(struct cluster *c, uint64_t *packets)
{
	(void)c;
	*packets = 1;
	return true;
}

/* Only of a server that has ended. */
static int
stub_rot(struct cluster *c, unsigned node, const struct disk_rot *rot,
    char *how, size_t size)
{
	assert_false(c->ops->node_runs(c, node));
	assert_true(rot->of <= ROT_OF_ANY && rot->how < ROTS);
	text_set(how, size, "damaged");
	return 0;
}

static int
stub_clock(struct cluster *c, unsigned node, int64_t ahead_ns)
{
	assert_true(c->ops->node_runs(c, node));
	world->servers[node - 1].varz.ahead_ns = ahead_ns;
	return 0;
}

static int
stub_disk_set(struct cluster *c, unsigned node, const struct disk_policy *p)
{
	(void)c;
	(void)node;
	(void)p;
	return 0;
}

static bool
stub_disk_effect(struct cluster *c, unsigned node, struct disk_effect *out)
{
	(void)c;
	(void)node;
	*out = (struct disk_effect){1, CLOCK_MS, 1};
	return true;
}

/* Only of a server that has ended. */
static int
stub_disk_cut(struct cluster *c, unsigned node, const struct disk_cut *cut)
{
	(void)cut;
	assert_false(c->ops->node_runs(c, node));
	return 0;
}

static bool
stub_disk_lost(struct cluster *c, unsigned node, struct disk_loss *out)
{
	(void)c;
	(void)node;
	*out = (struct disk_loss){1, 1, 1};
	return true;
}

static const struct cluster_ops stub = {
    .name = "local",
    .owner = OWNER_US,
    .node_start = stub_start,
    .node_end = stub_end,
    .node_lame_duck = stub_end_gently,
    .node_delete = stub_end_gently,
    .node_reload = stub_reload,
    .node_pause = stub_pause,
    .check_upgrade = stub_check_upgrade,
    .log_in = stub_log_in,
    .node_runs = stub_runs,
    .node_is_paused = stub_is_paused,
    .node_binary = stub_binary,
    .node_renew = stub_renew,
    .node_empty = stub_empty,
    .node_fill = stub_fill,
    .node_room = stub_room,
    .link_set = stub_link_set,
    .link_reset = stub_link_reset,
    .link_flow = stub_link_flow,
    .node_clients = stub_clients,
    .node_rot = stub_rot,
    .node_clock = stub_clock,
    .disk_set = stub_disk_set,
    .disk_effect = stub_disk_effect,
    .disk_cut = stub_disk_cut,
    .disk_lost = stub_disk_lost,
    .drop = stub_drop,
    .dropped = stub_dropped,
    .scale = stub_scale,
};

static const struct cluster_ops *driver = &stub;
static struct cluster_ops plain; /* the stub that can't choose how to cut */
const struct cluster_ops *const cluster_table[] = {&stub, &plain, NULL};

/* One run in the stub */

static void
world_end(void)
{
	if (world != NULL) {
		change_end(&world->cluster);
		backup_end(&world->cluster);
		support_dir_remove(world->config.out);
		cJSON_Delete(world->stream);
	}
	free(world);
	world = NULL;
}

static void
world_begin(const struct run_config *config, uint64_t noise)
{
	char folder[SUPPORT_PATH_MAX];
	unsigned i;

	world_end();
	world = calloc(1, sizeof(*world));
	assert_non_null(world);
	world->stream = cJSON_CreateObject();
	json_put_number(
	    world->stream, "num_replicas", (double)config->replicas);
	json_put_number(world->stream, "max_msgs", -1);
	json_put_number(world->stream, "max_age", 0);
	json_put_text(world->stream, "compression", "none");
	json_append_text(json_put_array(world->stream, "subjects"), "a");
	world->config = *config;
	text_set(
	    world->config.cluster, sizeof(world->config.cluster), driver->name);
	support_dir_make(folder);
	text_set(world->config.out, sizeof(world->config.out), folder);
	world->cluster.ops = driver;
	world->cluster.config = &world->config;
	world->cluster.n = (unsigned)config->servers;
	world->meta_size = world->cluster.n;
	world->peers = (1U << config->replicas) - 1;
	rng_init(&world->noise, noise, "noise");
	now_ns = 1000 * CLOCK_S;
	for (i = 0; i < world->cluster.n; i++) {
		text_format(world->cluster.nodes[i].name, CLUSTER_NAME_MAX,
		    "n%u", i + 1);
		world->servers[i].runs = true;
		text_set(world->servers[i].varz.version,
		    sizeof(world->servers[i].varz.version), "9.0.9");
	}
}

/*
 * Out of service: it does not run, or sees too few others, in either
 * direction, for a majority.
 */
static bool
is_out(unsigned node)
{
	const struct server *s = &world->servers[node - 1];
	unsigned i, heard = 1, n = world->cluster.n;

	if (!s->runs || s->is_stopped || s->well_ns == UINT64_MAX)
		return true;
	for (i = 1; i <= n; i++)
		heard += i != node && world->links[node][i].cut == LINK_OPEN &&
			 world->links[i][node].cut == LINK_OPEN;
	return n > 2 && heard < n / 2 + 1;
}

static unsigned
count_out(void)
{
	unsigned i, out = 0;

	for (i = 1; i <= world->cluster.n; i++) {
		(void)stub_runs(&world->cluster, i);
		out += is_out(i);
	}
	return out;
}

/* The load and the servers do what is waited for, one time in two. */
static void
happen(struct schedule *s)
{
	unsigned bits = world->asked;

	if (some_time(1) == 0)
		return;
	schedule_line(s, "JetStream cluster new stream leader for 'A > B'");
	world->asked = 0; /* it is told once */
	if (bits != 0)
		schedule_moment(s, bits, now_ns);
}

static void
step(struct schedule *s)
{
	now_ns += STEP_NS / 2 + some_time(STEP_NS);
	if (world->config.aim[0] != '\0')
		happen(s);
	schedule_step(s);
}

/* Random modes that these servers and this --tolerate allow. */
static void
draw_modes(struct rng *rng, struct run_config *c, unsigned share)
{
	const struct mayhem_ops *const *m;
	char why[OPTION_WHY_MAX];
	unsigned n = (unsigned)c->servers;

	c->mayhem[0] = '\0';
	for (m = mayhem_table; *m != NULL; m++) {
		/* Its black-outs are short, but do cut everybody off. */
		if ((*m)->plan == NULL ||
		    strcmp((*m)->name, "lossy_network") == 0 ||
		    mayhem_width(*m, n) > mayhem_tolerated(c, n) ||
		    ((*m)->check != NULL && (*m)->check(c, why) < 0) ||
		    rng_below(rng, 100) >= share)
			continue;
		text_add(c->mayhem, sizeof(c->mayhem), "%s%s",
		    c->mayhem[0] != '\0' ? "," : "", (*m)->name);
	}
	if (c->mayhem[0] == '\0')
		text_set(c->mayhem, sizeof(c->mayhem), "pause");
}

static void
draw_config(struct rng *rng, struct run_config *c)
{
	static const char *const bounds[] = {"minority", "none", "1", "2"};
	static const char *const aims[] = {
	    "", "", "all", "acked,healing", "elected,catchup,publish"};

	config_init(c);
	c->run = 1;
	c->seed = rng_next(rng);
	c->servers = 1 + rng_below(rng, CONFIG_NODES_MAX);
	c->replicas = c->servers < 3 ? 1 : 3;
	text_set(c->test, sizeof(c->test), "queue-group-consumer");
	text_set(c->server_bin, sizeof(c->server_bin), "/old,/new");
	text_set(c->tolerate, sizeof(c->tolerate), bounds[rng_below(rng, 4)]);
	c->fault_interval.low = (1 + rng_below(rng, 50)) * CLOCK_S / 10;
	c->fault_interval.high =
	    c->fault_interval.low * (1 + rng_below(rng, 2));
	if (rng_below(rng, 2) == 0) {
		c->fault_duration.low = (1 + rng_below(rng, 30)) * CLOCK_S / 10;
		c->fault_duration.high = c->fault_duration.low * 3;
	}
	text_set(c->aim, sizeof(c->aim), aims[rng_below(rng, 5)]);
	c->mix = rng_below(rng, 6);
	c->mix_time_ns = (5 + rng_below(rng, 30)) * CLOCK_S;
	c->quiet_ns = rng_below(rng, 5) * CLOCK_S;
	draw_modes(rng, c, 10 + (unsigned)rng_below(rng, 90));
}

static void
schedule_begin(struct schedule *s, const struct run_config *c, uint64_t noise)
{
	char why[CLUSTER_WHY_MAX];

	world_begin(c, noise);
	assert_int_equal(schedule_init(s, &world->cluster, NULL, why), 0);
	schedule_start(s);
}

/* Nothing is in force and nothing is left behind. */
static void
expect_all_undone(struct schedule *s)
{
	uint64_t deadline = now_ns + 1000 * CLOCK_S;
	unsigned i, k;

	schedule_stop(s);
	while (!schedule_is_idle(s)) {
		assert_true(now_ns < deadline);
		step(s);
	}
	for (i = 1; i <= world->cluster.n; i++) {
		assert_true(world->servers[i - 1].runs);
		assert_false(world->servers[i - 1].is_stopped);
		assert_true(world->servers[i - 1].well_ns < UINT64_MAX);
		for (k = 0; k <= world->cluster.n; k++) {
			assert_int_equal(world->links[i][k].cut, LINK_OPEN);
			assert_int_equal(world->links[k][i].cut, LINK_OPEN);
			assert_int_equal(world->links[i][k].delay_ns, 0);
		}
	}
	/* Nor is anything of the stream's configuration. */
	assert_int_equal(
	    json_count(world->stream, "num_replicas"), world->config.replicas);
	assert_int_equal(cJSON_GetArraySize(world->stream), 5);
	assert_int_equal(
	    cJSON_GetArraySize(json_get(world->stream, "subjects")), 1);
	assert_string_equal(json_text(world->stream, "compression"), "none");
	assert_true(json_number(world->stream, "max_msgs") < 0);
	for (i = 0; i < world->nfound; i++) {
		assert_true(world->found[i].healed_ns > 0);
		assert_true(world->found[i].undone_ns > 0);
	}
	schedule_fini(s);
}

static void
test_bound_is_never_exceeded(void **state)
{
	static struct schedule s;
	struct run_config c;
	struct rng rng;
	unsigned i, most, bound, reached = 0, faults = 0;
	uint64_t end;

	(void)state;
	rng_init(&rng, support_seed(), "bounds");
	for (i = 0; i < 3000; i++) {
		draw_config(&rng, &c);
		schedule_begin(&s, &c, rng_next(&rng));
		bound = mayhem_tolerated(&c, world->cluster.n);
		most = 0;
		for (end = now_ns + 60 * CLOCK_S; now_ns < end; step(&s))
			most = count_out() > most ? count_out() : most;
		if (most > bound)
			fail_msg("%u of %u servers out with --tolerate %s: %s",
			    most, world->cluster.n, c.tolerate, c.mayhem);
		reached += most == bound || most == world->cluster.n;
		expect_all_undone(&s);
		faults += world->nfound;
	}
	/* The bounds were put to the test. */
	assert_true(reached > 1000);
	assert_true(faults > 10000);
	assert_true(updates > 1000);
}

/* Faults wait for their moments; and for 5 s, where they never come. */
static void
test_faults_meet_their_moments(void **state)
{
	static struct schedule s;
	struct run_config c;
	unsigned met;
	uint64_t end;

	(void)state;
	config_init(&c);
	c.run = c.seed = 1;
	text_set(c.mayhem, sizeof(c.mayhem), "pause,client_disconnect");
	text_set(c.aim, sizeof(c.aim), "acked,elected,healing");
	schedule_begin(&s, &c, 1);
	for (end = now_ns + 300 * CLOCK_S; now_ns < end;)
		step(&s);
	met = world->met;
	assert_true(met > 30);
	assert_true(world->missed < met / 4); /* nothing heals */
	expect_all_undone(&s);
	assert_int_equal(world->asked, 0);
	assert_false(world->cluster.is_listened_to);

	text_set(c.aim, sizeof(c.aim), "catchup,created");
	schedule_begin(&s, &c, 1);
	for (end = now_ns + 300 * CLOCK_S; now_ns < end;) {
		now_ns += STEP_NS;
		schedule_step(&s);
	}
	assert_int_equal(world->met, 0);
	assert_true(world->missed > 30);
	expect_all_undone(&s);
}

static void
hear_in(enum admin_account account)
{
	static struct cluster_ops others;
	static struct schedule s;
	struct run_config c;
	uint64_t end;

	newsy = account;
	config_init(&c);
	c.run = c.seed = 1;
	text_set(c.mayhem, sizeof(c.mayhem), "pause,client_disconnect");
	text_set(c.aim, sizeof(c.aim), "elected");
	others = stub;
	others.needs_monitor = true;
	driver = &others;
	schedule_begin(&s, &c, 1);
	for (end = now_ns + 300 * CLOCK_S; now_ns < end;) {
		now_ns += STEP_NS;
		schedule_step(&s);
	}
	driver = &stub;
	assert_true(world->met > 30);
	assert_true(world->missed < world->met / 4);
	expect_all_undone(&s);
}

/* Nobody reads the logs of somebody else's servers. */
static void
test_advisories_are_moments(void **state)
{
	(void)state;
	hear_in(ADMIN_USER);
	hear_in(ADMIN_SYSTEM);
}

/* A fault is in force that stops the clock, or that leaves no service. */
static bool
is_told(bool stops_clock)
{
	const struct found *f;
	unsigned i;

	for (i = 0; i < world->nfound; i++) {
		f = &world->found[i];
		if (f->healed_ns == 0 &&
		    (stops_clock ? f->stops_clock : f->is_without_service))
			return true;
	}
	return false;
}

/*
 * Whenever so many servers are out that three replicas may have no quorum
 * the clock stands, however gracefully each of them went; and it is told
 * that nothing can be counted on. One alone does not do that.
 */
static void
test_quorum_is_never_taken_unsaid(void **state)
{
	static const char *const all[] = {"lame_duck,rolling_restart",
	    "lame_duck,rolling_restart,pod_delete,scale", "kill_all",
	    "kill_majority,lame_duck", "lame_duck", "pause,random_hard_kill"};
	static struct schedule s;
	struct run_config c;
	struct rng rng;
	unsigned i, taken = 0, alone = 0, quorum;
	uint64_t end;

	(void)state;
	rng_init(&rng, support_seed(), "quorum");
	for (i = 0; i < 600; i++) {
		draw_config(&rng, &c);
		c.servers = 3 + rng_below(&rng, 5);
		c.replicas = 1 + 2 * rng_below(&rng, 2);
		c.mix = 0;
		text_set(c.tolerate, sizeof(c.tolerate), "none");
		text_set(c.mayhem, sizeof(c.mayhem), all[i % 6]);
		quorum = (unsigned)c.replicas / 2 + 1;
		schedule_begin(&s, &c, rng_next(&rng));
		for (end = now_ns + 60 * CLOCK_S; now_ns < end; step(&s)) {
			if (count_out() > c.replicas - quorum) {
				assert_true(is_told(true) && is_told(false));
				taken++;
			} else if (i % 6 == 4 && c.replicas == 3) {
				assert_false(is_told(true) || is_told(false));
				alone++;
			}
		}
		expect_all_undone(&s);
	}
	assert_true(taken > 1000);
	assert_true(alone > 1000);
}

/* Which mix a fault is of, by its planned offset. */
static uint64_t
mix_of(
    const struct run_config *c, const struct schedule *s, const struct found *f)
{
	return s->at_once == s->n
		   ? 0
		   : f->planned_ns / (c->mix_time_ns + c->quiet_ns);
}

/* The faults of a mode and mix, in order. */
static unsigned
pick(const struct found *all, unsigned n, const struct run_config *c,
    const struct schedule *s, const char *mode, uint64_t mix,
    const struct found **out)
{
	unsigned i, count = 0;

	for (i = 0; i < n; i++)
		if (strcmp(all[i].mode, mode) == 0 &&
		    mix_of(c, s, &all[i]) == mix)
			out[count++] = &all[i];
	return count;
}

/* Modes that choose by what they find are not the seed's alone. */
static bool
is_aimed(const char *mode, const char *target)
{
	return mayhem_find(mode)->aim != NULL &&
	       strcmp(mode, "rolling_upgrade") != 0 &&
	       (strstr(target, "leader") != NULL ||
		   strstr(target, "follower") != NULL ||
		   strstr(target, "away from") != NULL);
}

static unsigned
compare_modes(const struct found *a, unsigned na, const struct found *b,
    unsigned nb, const struct run_config *c, const struct schedule *s)
{
	static const struct found *x[FOUND_MAX], *y[FOUND_MAX];
	const char *list = c->mayhem;
	char mode[32];
	unsigned i, nx, ny, same = 0;
	uint64_t mix;

	while (text_next_item(&list, mode, sizeof(mode)))
		for (mix = 0; mix < 20; mix++) {
			nx = pick(a, na, c, s, mode, mix, x);
			ny = pick(b, nb, c, s, mode, mix, y);
			for (i = 0; i < nx && i < ny; i++) {
				assert_int_equal(
				    x[i]->planned_ns, y[i]->planned_ns);
				if (!is_aimed(mode, x[i]->target))
					assert_string_equal(
					    x[i]->target, y[i]->target);
				same++;
			}
		}
	return same;
}

static void
test_same_seed_same_schedule(void **state)
{
	static struct found kept[FOUND_MAX];
	static struct schedule s;
	struct run_config c;
	struct rng rng;
	unsigned i, nkept = 0, pass, same = 0, differ = 0;
	uint64_t end;

	(void)state;
	rng_init(&rng, support_seed(), "seeds");
	for (i = 0; i < 300; i++) {
		draw_config(&rng, &c);
		/* A renewed server has another name: that is its history. */
		if (config_list_has(c.mayhem, "peer_remove"))
			continue;
		for (pass = 0; pass < 3; pass++) {
			c.seed += pass == 2; /* another one, at last */
			schedule_begin(&s, &c, rng_next(&rng));
			for (end = now_ns + 100 * CLOCK_S; now_ns < end;)
				step(&s);
			expect_all_undone(&s);
			if (pass == 0) {
				memcpy(kept, world->found, sizeof(kept));
				nkept = world->nfound;
			} else if (pass == 1)
				same += compare_modes(kept, nkept, world->found,
				    world->nfound, &c, &s);
			else if (nkept > 3 && world->nfound > 3)
				differ += kept[3].planned_ns !=
					  world->found[3].planned_ns;
		}
	}
	assert_true(same > 2000);
	assert_true(differ > 100);
}

/* As report.json has them, but for every third fault. */
static void
save_faults(const char *path)
{
	FILE *f = fopen(path, "w");
	const struct found *x;
	const char *between = "";
	unsigned i;

	assert_non_null(f);
	fputs("{\"phases\": [{\"name\": \"mayhem\", \"t\": 2}], \"faults\": [",
	    f);
	for (i = 0; i < world->nfound; i++) {
		x = &world->found[i];
		if (i % 3 == 2)
			continue;
		fprintf(f,
		    "%s{\"mode\": \"%s\", \"planned_t\": %.3f, \"t\": %.3f}",
		    between, x->mode, (double)(x->planned_ns / CLOCK_MS) / 1e3,
		    2 + (double)(x->begun_ns - 1000 * CLOCK_S) / 1e9);
		between = ",";
	}
	fputs("]}", f);
	assert_int_equal(fclose(f), 0);
}

/*
 * Recorded faults come again when they began, and no others, however long the
 * servers take to heal: the noise is another one.
 */
static void
test_recorded_faults_come_again(void **state)
{
	static struct found kept[FOUND_MAX];
	static struct schedule s;
	struct run_config c;
	unsigned i, n, nkept, same = 0;
	char dir[SUPPORT_PATH_MAX], path[SUPPORT_PATH_MAX + 16];
	uint64_t end;

	(void)state;
	support_dir_make(dir);
	text_format(path, sizeof(path), "%s/faults.json", dir);
	config_init(&c);
	c.run = c.seed = 7;
	c.servers = 5;
	text_set(
	    c.mayhem, sizeof(c.mayhem), "pause,client_disconnect,pause_leader");
	schedule_begin(&s, &c, 1);
	for (end = now_ns + 200 * CLOCK_S; now_ns < end;)
		step(&s);
	expect_all_undone(&s);
	nkept = world->nfound;
	memcpy(kept, world->found, sizeof(kept));
	save_faults(path);

	text_set(c.schedule, sizeof(c.schedule), path);
	schedule_begin(&s, &c, 2);
	for (end = now_ns + 400 * CLOCK_S; now_ns < end;)
		step(&s);
	expect_all_undone(&s);
	assert_int_equal(world->nfound, nkept - nkept / 3);
	for (i = n = 0; i < nkept; i++) {
		if (i % 3 == 2)
			continue;
		for (n = 0; n < world->nfound; n++)
			same +=
			    kept[i].planned_ns == world->found[n].planned_ns &&
			    strcmp(kept[i].mode, world->found[n].mode) == 0 &&
			    world->found[n].begun_ns + CLOCK_MS >=
				kept[i].begun_ns;
	}
	assert_int_equal(same, world->nfound);
	support_dir_remove(dir);
}

/* A new mix: each mode has come once before any comes again. */
static void
expect_fair_deal(const struct schedule *s, unsigned *dealt)
{
	unsigned k, least = UINT_MAX;

	for (k = 0; k < s->n; k++) {
		dealt[k] += s->modes[k].in_mix;
		least = dealt[k] < least ? dealt[k] : least;
	}
	for (k = 0; k < s->n; k++)
		assert_true(dealt[k] <= least + 1);
}

/* One run through so many mixes that each mode comes three times. */
static void
check_mixes(struct schedule *s, const struct run_config *c)
{
	unsigned dealt[MODES_MAX] = {0}, mixes = 0;
	uint64_t busy_ns = now_ns;

	assert_true(s->n > s->at_once && s->at_once == c->mix);
	while (mixes < 3 * s->n) {
		if (s->mix == mixes) {
			expect_fair_deal(s, dealt);
			/* Quiet before it, but for the first one. */
			assert_true(
			    mixes == 0 || now_ns - busy_ns >= c->quiet_ns);
			mixes++;
		}
		step(s);
		if (!schedule_is_idle(s))
			busy_ns = now_ns;
	}
	assert_true(world->nfound > 0);
}

static void
test_mixes(void **state)
{
	static struct schedule s;
	struct run_config c;
	struct rng rng;
	unsigned i;

	(void)state;
	rng_init(&rng, support_seed(), "mixes");
	for (i = 0; i < 200; i++) {
		draw_config(&rng, &c);
		c.servers = 5;
		c.mix = 1 + rng_below(&rng, 4);
		draw_modes(&rng, &c, 100);
		schedule_begin(&s, &c, rng_next(&rng));
		check_mixes(&s, &c);
		expect_all_undone(&s);
	}
}

/*
 * An outage that is due and has no room is not overtaken by outages that
 * were to come later; and its turn comes.
 */
static void
test_waiting_outage_is_not_starved(void **state)
{
	static struct schedule s;
	struct schedule_mode *wide = NULL;
	struct run_config c;
	struct rng rng;
	unsigned i, k, seen, before = 0, waited = 0;
	uint64_t end, due;

	(void)state;
	rng_init(&rng, support_seed(), "starving");
	for (i = 0; i < 200; i++) {
		config_init(&c);
		c.run = 1;
		c.seed = rng_next(&rng);
		c.servers = 5;
		c.replicas = 3;
		c.mix = 9;
		text_set(c.tolerate, sizeof(c.tolerate), "none");
		text_set(c.mayhem, sizeof(c.mayhem),
		    i % 2 ? "kill_all,random_hard_kill,pause,rolling_restart"
			  : "peer_remove,slow_network,random_hard_kill,pause");
		c.fault_interval.low = c.fault_interval.high = CLOCK_S / 2;
		c.fault_duration.low = CLOCK_S;
		c.fault_duration.high = 4 * CLOCK_S;
		schedule_begin(&s, &c, rng_next(&rng));
		wide = &s.modes[0];
		seen = 0;
		for (end = now_ns + 120 * CLOCK_S; now_ns < end;) {
			due = wide->stage == STAGE_NONE &&
				      s.start_ns + wide->fault.planned_ns <=
					  now_ns
				  ? wide->fault.planned_ns
				  : UINT64_MAX;
			before = world->nfound;
			step(&s);
			waited += due != UINT64_MAX;
			for (k = before; k < world->nfound; k++)
				if (strcmp(world->found[k].mode,
					wide->plan.ops->name) == 0)
					seen++;
				else if (world->found[k].planned_ns > due)
					fail_msg("%s, due at %llu ms, was "
						 "overtaken by %s of %llu ms",
					    wide->plan.ops->name,
					    (unsigned long long)(due /
								 CLOCK_MS),
					    world->found[k].mode,
					    (unsigned long long)(world->found[k]
								     .planned_ns /
								 CLOCK_MS));
		}
		assert_true(seen >= 2);
		expect_all_undone(&s);
	}
	assert_true(waited > 1000); /* it had to wait at all */
}

/* A fault that could not be undone keeps the others' hands off servers. */
static void
test_nothing_goes_down_beside_what_is_unhealed(void **state)
{
	static struct schedule s;
	struct run_config c;
	struct rng rng;
	uint64_t end;
	unsigned before, i;

	(void)state;
	rng_init(&rng, support_seed(), "unhealed");
	config_init(&c);
	c.run = 1;
	c.seed = 7;
	c.servers = 5;
	text_set(c.mayhem, sizeof(c.mayhem), "random_hard_kill,pause");
	c.fault_interval.low = c.fault_interval.high = CLOCK_S;
	c.fault_duration.low = c.fault_duration.high = CLOCK_S;
	schedule_begin(&s, &c, 1);
	while (world->nfound == 0)
		step(&s);
	world->meta_size = 4; /* whole no more */
	for (end = now_ns + 300 * CLOCK_S; now_ns < end;)
		step(&s);
	before = world->nfound;
	assert_true(before <= 4); /* what was in force, or began with it */
	assert_false(s.all_ok);
	/* The servers run, and that is told though nothing has healed. */
	for (i = 0; i < world->nfound; i++)
		assert_true(world->found[i].undone_ns > 0 &&
			    world->found[i].healed_ns >
				world->found[i].undone_ns + 100 * CLOCK_S);
	assert_int_equal(world->whole, 0);
	world->meta_size = 5;
	for (end = now_ns + 60 * CLOCK_S; now_ns < end;)
		step(&s);
	assert_true(world->nfound > before + 5);
	assert_int_equal(world->whole, 1);
	expect_all_undone(&s);
}

/* What can have no effect is not waited for: much shorter than apply_ns. */
static void
test_refused_is_not_awaited(void **state)
{
	static struct schedule s;
	struct run_config c;
	uint64_t end;
	unsigned i;

	(void)state;
	config_init(&c);
	c.run = 1;
	c.seed = 7;
	c.servers = 3;
	text_set(c.mayhem, sizeof(c.mayhem), "rolling_restart");
	c.fault_interval.low = c.fault_interval.high = CLOCK_S;
	schedule_begin(&s, &c, 1);
	world->refuses = true;
	for (end = now_ns + 100 * CLOCK_S; now_ns < end;)
		step(&s);
	assert_true(world->nfound > 10);
	for (i = 0; i + 1 < world->nfound; i++)
		assert_true(world->found[i].healed_ns <
			    world->found[i].begun_ns + 5 * CLOCK_S);
	expect_all_undone(&s);
}

/*
 * A driver that cuts links and can't choose how: both directions, nothing
 * else, whatever the seed; and who asks for more is told.
 */
static void
test_driver_that_only_cuts(void **state)
{
	static struct schedule s;
	char why[CLUSTER_WHY_MAX];
	struct run_config c;
	uint64_t end;
	unsigned i, k, cuts = 0;

	(void)state;
	plain = stub;
	plain.name = "plain";
	plain.link_reset = NULL;
	driver = &plain;
	config_init(&c);
	c.run = 1;
	c.servers = 5;
	text_set(c.mayhem, sizeof(c.mayhem), "partition");
	c.fault_interval.low = c.fault_interval.high = CLOCK_S;
	for (c.seed = 1; c.seed <= 20; c.seed++) {
		schedule_begin(&s, &c, c.seed);
		assert_int_equal(schedule_fits(&s, why), 0);
		for (end = now_ns + 200 * CLOCK_S; now_ns < end; step(&s))
			for (i = 1; i <= world->cluster.n; i++)
				for (k = 1; k <= world->cluster.n; k++) {
					assert_int_equal(world->links[i][k].cut,
					    world->links[k][i].cut);
					cuts +=
					    world->links[i][k].cut == LINK_CUT;
				}
		assert_true(world->nfound > 2);
		expect_all_undone(&s);
	}
	assert_true(cuts > 1000);
	text_set(c.extras[0], sizeof(c.extras[0]), "partition.shape=oneway");
	c.nextras = 1;
	world_begin(&c, 1);
	assert_int_equal(
	    schedule_init(&s, &world->cluster, NULL, why), -ENOTSUP);
	assert_non_null(strstr(why, "in which direction"));
	schedule_fini(&s);
	text_set(c.extras[0], sizeof(c.extras[0]), "partition.cut=hold");
	c.nextras = 1;
	world_begin(&c, 1);
	assert_int_equal(
	    schedule_init(&s, &world->cluster, NULL, why), -ENOTSUP);
	assert_non_null(strstr(why, "nobody may choose how"));
	schedule_fini(&s);
	c.nextras = 0;
	text_set(c.mayhem, sizeof(c.mayhem), "slow_network");
	world_begin(&c, 1);
	assert_int_equal(
	    schedule_init(&s, &world->cluster, NULL, why), -ENOTSUP);
	schedule_fini(&s);
	driver = &stub;
}

/* What a driver can do follows from its verbs, and from all of them. */
static void
test_abilities(void **state)
{
	const unsigned all =
	    ((1U << CLUSTER_ABILITY_COUNT) - 1) & ~(unsigned)CLUSTER_CAN_ROLL;
	static const struct cluster_ops none = {.name = "none"};
	struct cluster_ops less = stub;

	(void)state;
	assert_int_equal(cluster_can(&none), 0);
	assert_int_equal(cluster_can(&stub), all);
	less.node_room = NULL;
	less.log_in = NULL;
	less.link_reset = NULL;
	assert_int_equal(cluster_can(&less),
	    all & ~(unsigned)(CLUSTER_CAN_FILL | CLUSTER_CAN_ADMIN |
			      CLUSTER_CAN_SHAPE | CLUSTER_CAN_CUT_CLIENTS));
	assert_string_equal(cluster_can_words(CLUSTER_CAN_FILL),
	    "fill the disks of these servers");
	assert_string_equal(
	    cluster_can_words(CLUSTER_CAN_SCALE), "have fewer servers there");
}

static int
stub_roll(struct cluster *c, unsigned binary)
{
	(void)c;
	(void)binary;
	return 0;
}

static enum cluster_roll
stub_roll_state(struct cluster *c, char *how, size_t size)
{
	(void)c;
	text_set(how, size, "done");
	return ROLL_DONE;
}

/* The driver is told what the modes need, and by which of them. */
static void
test_needs(void **state)
{
	static struct schedule s;
	struct run_config c;
	char why[CLUSTER_WHY_MAX];
	const struct cluster *cl;

	(void)state;
	config_init(&c);
	c.run = 1;
	c.servers = 5;
	text_set(c.mayhem, sizeof(c.mayhem),
	    "none,pause,partition,pause_leader,kill_majority,rolling_restart");
	world_begin(&c, 1);
	cl = &world->cluster;
	assert_int_equal(schedule_init(&s, &world->cluster, NULL, why), 0);
	assert_int_equal(cl->needs,
	    CLUSTER_CAN_PAUSE | CLUSTER_CAN_CUT | CLUSTER_CAN_RESTART);
	assert_string_equal(
	    cl->needed_by[CLUSTER_ABILITY_PAUSE]->name, "pause");
	assert_string_equal(
	    cl->needed_by[CLUSTER_ABILITY_RESTART]->name, "kill_majority");
	assert_null(cl->needed_by[CLUSTER_ABILITY_FILL]);
	assert_string_equal(cl->widest->name, "kill_majority");
	schedule_fini(&s);
	/* Where the driver rolls, nothing else is needed for a rollout. */
	plain = stub;
	plain.name = "plain";
	plain.roll = stub_roll;
	plain.roll_state = stub_roll_state;
	driver = &plain;
	text_set(c.mayhem, sizeof(c.mayhem), "rolling_restart");
	world_begin(&c, 1);
	cl = &world->cluster;
	assert_int_equal(schedule_init(&s, &world->cluster, NULL, why), 0);
	assert_int_equal(cl->needs, CLUSTER_CAN_ROLL);
	assert_string_equal(cl->widest->name, "rolling_restart");
	schedule_fini(&s);
	text_set(c.mayhem, sizeof(c.mayhem), "leader_stepdown");
	world_begin(&c, 1);
	assert_int_equal(schedule_init(&s, &world->cluster, NULL, why), 0);
	assert_null(world->cluster.widest);
	schedule_fini(&s);
	driver = &stub;
}

/* What the owners of the cluster allow is less than --tolerate. */
static void
test_owners_bound(void **state)
{
	static struct schedule s;
	struct run_config c;
	char why[CLUSTER_WHY_MAX];
	uint64_t end;
	unsigned most = 0;

	(void)state;
	config_init(&c);
	c.run = 1;
	c.servers = 5;
	text_set(
	    c.mayhem, sizeof(c.mayhem), "random_hard_kill,pause,partition");
	c.fault_interval.low = c.fault_interval.high = CLOCK_S;
	for (c.seed = 1; c.seed <= 20; c.seed++) {
		world_begin(&c, c.seed);
		world->cluster.most_out = 1;
		assert_int_equal(
		    schedule_init(&s, &world->cluster, NULL, why), 0);
		schedule_start(&s);
		for (end = now_ns + 100 * CLOCK_S; now_ns < end; step(&s))
			most = count_out() > most ? count_out() : most;
		expect_all_undone(&s);
	}
	assert_int_equal(most, 1);
}

/* Of servers whose number is known late there may be too few. */
static void
test_too_few_servers(void **state)
{
	static struct schedule s;
	char why[CLUSTER_WHY_MAX];
	struct run_config c;

	(void)state;
	config_init(&c);
	c.run = 1;
	c.servers = 5;
	text_set(c.mayhem, sizeof(c.mayhem), "pause,partition");
	text_set(c.extras[0], sizeof(c.extras[0]), "partition.shape=split");
	c.nextras = 1;
	world_begin(&c, 1);
	assert_int_equal(schedule_init(&s, &world->cluster, NULL, why), 0);
	assert_int_equal(schedule_fits(&s, why), 0);
	world->cluster.n = 3;
	assert_int_equal(schedule_fits(&s, why), -ENOTSUP);
	assert_string_equal(why,
	    "mayhem partition can't be done with these options on 3 servers: "
	    "it needs 5 or more");
	schedule_fini(&s);
}

static int
end_world(void **state)
{
	(void)state;
	world_end();
	world = NULL;
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bound_is_never_exceeded),
	    cmocka_unit_test(test_faults_meet_their_moments),
	    cmocka_unit_test(test_advisories_are_moments),
	    cmocka_unit_test(test_quorum_is_never_taken_unsaid),
	    cmocka_unit_test(test_same_seed_same_schedule),
	    cmocka_unit_test(test_recorded_faults_come_again),
	    cmocka_unit_test(test_mixes),
	    cmocka_unit_test(test_waiting_outage_is_not_starved),
	    cmocka_unit_test(test_nothing_goes_down_beside_what_is_unhealed),
	    cmocka_unit_test(test_refused_is_not_awaited),
	    cmocka_unit_test(test_driver_that_only_cuts),
	    cmocka_unit_test(test_abilities),
	    cmocka_unit_test(test_needs),
	    cmocka_unit_test(test_owners_bound),
	    cmocka_unit_test(test_too_few_servers),
	};

	return cmocka_run_group_tests(tests, NULL, end_world);
}
