/* SPDX-License-Identifier: ISC */
/*
 * The chaos process: owns the cluster, injects the faults of the schedule,
 * heals them, and takes the cluster down. Everything it sees and does goes
 * up its pipe as events.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/admin.h"
#include "chaos/backup.h"
#include "chaos/change.h"
#include "chaos/chaos.h"
#include "chaos/groups.h"
#include "chaos/internal.h"
#include "chaos/health.h"
#include "chaos/levels.h"
#include "chaos/monitor.h"
#include "chaos/page.h"
#include "chaos/schedule.h"
#include "chaos/signs.h"
#include "chaos/states.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/pace.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"

#define WAIT_MS	    1000
#define LOOP_MS	    50
#define SURE_NS	    (20 * CLOCK_S) /* behind --recover-timeout */
#define LINKS_NS    (10 * CLOCK_S) /* between looks for leaks */
#define EXIT_FAILED 70

struct chaos {
	struct child child;
	struct run_config config;
	struct cluster cluster;
	struct schedule schedule;
	int signal_fd;
	struct pace pace;
	bool terminated;    /* SIGTERM: the parent has lost patience */
	bool failed;	    /* a part of the harness broke; was said */
	bool healing;	    /* MAYHEM_STOP came; ALL_HEALED is owed */
	uint64_t settle_ns; /* SETTLE came then; SETTLED is owed */
	/* By chaos_time(): until then; and as long as a group is sick. */
	uint64_t patient_ns, hopeful_ns;
	struct states states;
	struct groups groups;
	struct levels_teller levels;
	struct signs signs[CONFIG_NODES_MAX];
	bool wants_dump;
	uint64_t links_ns;
	bool links_leak;
	/* as the last NODE message had it */
	char names[CONFIG_NODES_MAX][CLUSTER_NAME_MAX];
	char urls[CONFIG_NODES_MAX][CLUSTER_URL_MAX]; /* likewise */
};

struct child *
chaos_child(struct chaos *c)
{
	return &c->child;
}

bool
chaos_is_stopping(const struct chaos *c)
{
	return c->child.stopping || c->terminated;
}

void
chaos_fail(struct chaos *c, const char *why)
{
	if (c->failed)
		return;
	c->failed = c->terminated = true;
	child_diag(&c->child, 0, "%s", why);
}

void
chaos_fail_lack(struct chaos *c, int err, const char *what)
{
	char why[160];

	if (err != -EMFILE && err != -ENFILE && err != -ENOMEM &&
	    err != -ENOBUFS && err != -EAGAIN)
		return;
	text_format(
	    why, sizeof(why), "chaos cannot %s: %s", what, strerror(-err));
	chaos_fail(c, why);
}

uint64_t
chaos_time(const struct chaos *c)
{
	return c->pace.ns;
}

void
chaos_tell_silence(struct chaos *c, const char *who, uint64_t silent_ns)
{
	struct event ev = {.type = MESSAGE_OURS_SILENT};

	ev.u.ours_silent.silent_ns = silent_ns;
	text_set(ev.u.ours_silent.who, sizeof(ev.u.ours_silent.who), who);
	child_emit(&c->child, &ev);
}

void
chaos_take_log(struct chaos *c, unsigned node, const char *line)
{
	signs_line(&c->signs[node - 1], line, clock_mono_ns());
	schedule_line(&c->schedule, line);
}

static void
tell_signs(struct chaos *c, bool all)
{
	unsigned i;

	for (i = 1; i <= c->cluster.n; i++)
		signs_tell(&c->signs[i - 1], i, all, &c->child);
}

/* Half of what the end of the run may take: the other is the audit's. */
static uint64_t
settle_share(const struct chaos *c)
{
	uint64_t ns = config_settle_ns(&c->config);

	return (c->cluster.ops->is_slow ? 3 : 1) * ns / 2;
}

static void
begin_settling(struct chaos *c)
{
	c->settle_ns = clock_mono_ns();
	c->patient_ns = chaos_time(c) + settle_share(c);
	c->hopeful_ns = chaos_time(c) + c->config.recover_timeout_ns + SURE_NS;
}

static void
take_command(struct chaos *c, const struct event *cmd)
{
	switch ((unsigned)cmd->type) {
	case MESSAGE_MAYHEM_START:
		schedule_start(&c->schedule);
		break;
	case MESSAGE_MAYHEM_STOP:
		schedule_stop(&c->schedule);
		c->healing = true;
		break;
	case MESSAGE_MOMENT:
		schedule_moment(
		    &c->schedule, cmd->u.moment.moments, cmd->u.moment.at_ns);
		break;
	case MESSAGE_SETTLE:
		begin_settling(c);
		break;
	case MESSAGE_COMPARE:
		states_begin(&c->states, settle_share(c));
		break;
	case MESSAGE_DUMP:
		c->wants_dump = true;
		break;
	default:
		break;
	}
}

void
chaos_wait(struct chaos *c, int timeout_ms)
{
	struct curl_waitfd extra[2] = {
	    {.fd = CHILD_DOWN, .events = CURL_WAIT_POLLIN},
	    {.fd = c->signal_fd, .events = CURL_WAIT_POLLIN}};
	struct event cmd;
	int sig;

	(void)pace_turn(&c->pace, clock_mono_ns()); /* asked for by others */
	child_beat(&c->child);
	if (c->cluster.monitor != NULL) {
		monitor_wait(c->cluster.monitor, extra, 2, timeout_ms);
		timeout_ms = 0;
	}
	while (child_command(&c->child, timeout_ms, &cmd)) {
		take_command(c, &cmd);
		timeout_ms = 0;
	}
	while ((sig = sig_next(c->signal_fd)) > 0)
		c->terminated |= sig == SIGTERM;
	if (c->cluster.ops != NULL && c->cluster.ops->tend != NULL)
		c->cluster.ops->tend(&c->cluster);
}

static void
emit_failed(struct chaos *c)
{
	struct event ev = {.type = MESSAGE_CLUSTER_FAILED};

	text_set(ev.u.cluster_failed.why, sizeof(ev.u.cluster_failed.why),
	    c->cluster.why);
	child_emit(&c->child, &ev);
	child_flush(&c->child);
}

static void
emit_settings(struct chaos *c, unsigned node, const struct health_varz *v)
{
	struct event ev = {.type = MESSAGE_NODE_SETTINGS};

	ev.u.node_settings.node = node;
	ev.u.node_settings.sync_always = v->sync_always;
	ev.u.node_settings.sync_interval_ns = v->sync_interval_ns;
	ev.u.node_settings.max_memory = v->max_memory;
	ev.u.node_settings.max_storage = v->max_storage;
	child_emit(&c->child, &ev);
}

static void
emit_node(struct chaos *c, unsigned node)
{
	struct cluster_node *n = &c->cluster.nodes[node - 1];
	struct event ev = {.type = MESSAGE_NODE};
	struct health_varz v;
	bool is_known = c->cluster.health != NULL &&
			health_varz(c->cluster.health, node, &v);

	if (is_known)
		text_set(n->version, sizeof(n->version), v.version);
	text_set(c->names[node - 1], sizeof(c->names[node - 1]), n->name);
	ev.u.node.node = node;
	ev.u.node.pid = (uint32_t)n->pid;
	text_set(ev.u.node.name, sizeof(ev.u.node.name), n->name);
	text_set(ev.u.node.version, sizeof(ev.u.node.version), n->version);
	text_set(ev.u.node.url, sizeof(ev.u.node.url), n->url);
	text_set(ev.u.node.monitor, sizeof(ev.u.node.monitor), n->monitor);
	child_emit(&c->child, &ev);
	if (is_known)
		emit_settings(c, node, &v);
	text_set(c->urls[node - 1], sizeof(c->urls[0]), n->url);
}

/* Emit a server again when its version, its name or its address has changed. */
static void
look_at_servers(struct chaos *c)
{
	const struct cluster_node *n;
	struct health_varz v;
	unsigned i;

	for (i = 1; c->cluster.health != NULL && i <= c->cluster.n; i++) {
		n = &c->cluster.nodes[i - 1];
		if ((health_varz(c->cluster.health, i, &v) &&
			strcmp(v.version, n->version) != 0) ||
		    strcmp(c->names[i - 1], n->name) != 0 ||
		    strcmp(c->urls[i - 1], n->url) != 0)
			emit_node(c, i);
	}
}

/* Their versions, and what they hold before there is any load. */
static bool
servers_are_known(const struct chaos *c)
{
	const struct cluster_node *n;
	struct health_varz v;
	unsigned i;

	for (i = 1; c->cluster.health != NULL && i <= c->cluster.n; i++) {
		n = &c->cluster.nodes[i - 1];
		if ((n->monitor[0] != '\0' &&
			!health_varz(c->cluster.health, i, &v)) ||
		    (n->profile[0] != '\0' &&
			health_goroutines(c->cluster.health, i) == 0))
			return false;
	}
	return true;
}

static bool
is_foreign(struct chaos *c, uint64_t for_ns)
{
	return c->cluster.monitor != NULL &&
	       monitor_is_foreign(c->cluster.monitor, for_ns, c->cluster.why);
}

/* 0, or -errno when what should be a server's pages are something else. */
static int
emit_up(struct chaos *c, uint64_t begin_ns)
{
	struct event ev = {.type = MESSAGE_CLUSTER_UP};
	uint64_t deadline = clock_mono_ns() + 5 * CLOCK_S;
	unsigned i;

	while ((!servers_are_known(c) || is_foreign(c, 0)) &&
	       clock_mono_ns() < deadline)
		chaos_wait(c, 20);
	/* It is not one answer that was cut off. */
	if (is_foreign(c, 3 * CLOCK_S)) {
		emit_failed(c);
		return -EPROTO;
	}
	for (i = 1; i <= c->cluster.n; i++)
		emit_node(c, i);
	ev.u.cluster_up.size = c->cluster.n;
	ev.u.cluster_up.attempts = c->cluster.attempts;
	ev.u.cluster_up.took_ns = clock_mono_ns() - begin_ns;
	child_emit(&c->child, &ev);
	child_flush(&c->child);
	return 0;
}

/*
 * Servers must be connected through the proxies only: a connection past them
 * would go on during a partition.
 */
static void
look_at_links(struct chaos *c)
{
	struct event ev = {.type = MESSAGE_LINKS};
	unsigned through, past;

	c->links_ns = clock_mono_ns();
	if (c->cluster.ops->links == NULL || c->links_leak ||
	    c->cluster.ops->links(&c->cluster, &through, &past) < 0)
		return;
	c->links_leak = past > 0; /* said once */
	ev.u.links.through = through;
	ev.u.links.bypassing = past;
	child_emit(&c->child, &ev);
}

static void
answer_healed(struct chaos *c)
{
	struct event ev = {.type = MESSAGE_ALL_HEALED};

	if (!c->healing || !schedule_is_idle(&c->schedule))
		return;
	c->healing = false;
	ev.u.all_healed.ok = c->schedule.all_ok;
	child_emit(&c->child, &ev);
	child_flush(&c->child);
}

/*
 * While a group is sick not before it has had its time, and that was told;
 * nor for longer than it could still be told.
 */
static bool
settling_is_vain(const struct chaos *c, char *why)
{
	uint64_t limit = c->config.recover_timeout_ns + SURE_NS;
	uint64_t until_ns = c->patient_ns;

	if (groups_are_sick(&c->groups, c->cluster.n) &&
	    until_ns < c->hopeful_ns)
		until_ns = c->hopeful_ns;
	return chaos_time(c) >= until_ns ||
	       (c->cluster.monitor != NULL &&
		   monitor_is_foreign(
		       c->cluster.monitor, MONITOR_FOREIGN_NS, why)) ||
	       groups_are_hopeless(&c->groups, c->schedule.calm_ns, limit);
}

static void
answer_settled(struct chaos *c)
{
	struct event ev = {.type = MESSAGE_SETTLED};
	char why[CLUSTER_WHY_MAX] = "";
	bool ok = true, is_watched;

	if (c->settle_ns == 0)
		return;
	/* One replica is current without being watched. */
	is_watched = c->cluster.health == NULL || c->config.replicas == 1 ||
		     health_is_watching(c->cluster.health);
	if (!is_watched) {
		ok = false;
		text_set(why, sizeof(why),
		    "nobody watches its servers: give their monitoring "
		    "addresses with --monitor");
	} else if (c->cluster.health != NULL)
		ok = health_is_whole(c->cluster.health, c->settle_ns, why);
	if (!ok && is_watched && !settling_is_vain(c, why))
		return;
	look_at_links(c);
	c->settle_ns = 0;
	ev.u.settled.ok = ok;
	text_set(ev.u.settled.why, sizeof(ev.u.settled.why), ok ? "" : why);
	child_emit(&c->child, &ev);
	child_flush(&c->child);
}

static void
answer_dump(struct chaos *c)
{
	struct event ev = {.type = MESSAGE_DUMPED};
	char dir[CONFIG_PATH_MAX + 16] = "";

	if (!c->wants_dump)
		return;
	c->wants_dump = false;
	text_add(dir, sizeof(dir), "%s/servers", c->config.out);
	if (c->cluster.monitor != NULL)
		ev.u.dumped.files = page_dump(&c->cluster, dir, &c->child);
	if (c->cluster.ops->dump != NULL)
		ev.u.dumped.files += c->cluster.ops->dump(&c->cluster, dir);
	child_emit(&c->child, &ev);
	child_flush(&c->child);
}

static void
serve(struct chaos *c)
{
	while (!chaos_is_stopping(c)) {
		chaos_wait(c, schedule_wait_ms(&c->schedule, LOOP_MS));
		schedule_step(&c->schedule);
		if (c->cluster.monitor != NULL)
			monitor_hurry(c->cluster.monitor,
			    c->settle_ns != 0 || c->states.begin_ns != 0 ||
				!schedule_is_idle(&c->schedule));
		if (clock_mono_ns() >= c->links_ns + LINKS_NS)
			look_at_links(c);
		look_at_servers(c);
		groups_step(&c->groups, &c->cluster, &c->child);
		levels_step(&c->levels, &c->cluster, &c->child);
		tell_signs(c, false);
		answer_healed(c);
		answer_settled(c);
		states_step(&c->states, &c->cluster, &c->child);
		answer_dump(c);
	}
}

/* As long as the parent takes: at its end this process ends. */
static int
take_config(struct chaos *c)
{
	char why[OPTION_WHY_MAX];
	struct event cmd;

	config_init(&c->config);
	while (c->config.run == 0) {
		if (!child_command(&c->child, WAIT_MS, &cmd))
			continue;
		if (cmd.type == MESSAGE_OPTION &&
		    config_set(&c->config, cmd.u.option.name,
			cmd.u.option.value, why) < 0)
			return -EINVAL;
	}
	return 0;
}

static int
prepare(struct chaos *c)
{
	struct cluster *cl = &c->cluster;

	cl->ops = cluster_find(c->config.cluster);
	cl->config = &c->config;
	cl->chaos = c;
	if (cl->ops == NULL)
		return -ENOENT;
	cl->state = calloc(1, cl->ops->state_size ? cl->ops->state_size : 1);
	return cl->state != NULL ? 0 : -ENOMEM;
}

static void
emit_skipped(struct chaos *c, const char *why)
{
	struct event ev = {.type = MESSAGE_SKIPPED};

	text_set(ev.u.skipped.why, sizeof(ev.u.skipped.why), why);
	child_emit(&c->child, &ev);
	child_flush(&c->child);
}

/*
 * Bring the cluster up and serve until the end. A cluster that can't come up
 * was told to the parent, and is no failure: 0. -errno is one of this process.
 */
static int
run_cluster(struct chaos *c)
{
	struct cluster *cl = &c->cluster;
	char why[CLUSTER_WHY_MAX];
	uint64_t begin = clock_mono_ns();
	int err = 0;

	/*
	 * Find out whether the faults can be done before anything is started.
	 */
	cl->n = (unsigned)c->config.servers;
	if (schedule_init(&c->schedule, cl, &c->child, why) == -ENOTSUP) {
		emit_skipped(c, why);
		return 0;
	}
	if (cl->ops->prepare != NULL && cl->ops->prepare(cl) == -ENOTSUP) {
		emit_skipped(c, cl->why);
		return 0;
	}
	cl->n = 0;
	if ((cl->needs & CLUSTER_CAN_ADMIN) != 0)
		err = cl->ops->log_in(cl);
	if (err == 0)
		err = cl->ops->up(cl);
	if (err == 0)
		err = schedule_fits(&c->schedule, cl->why);
	if (err < 0) {
		if (err == -ENOTSUP)
			emit_skipped(c, cl->why);
		else if (!chaos_is_stopping(c))
			emit_failed(c);
		return 0; /* it was said; this process did its work */
	}
	if (cl->monitor == NULL && cl->ops->owner != OWNER_NONE)
		err = monitor_begin(cl, &c->child);
	if (err < 0)
		return err;
	if (cl->monitor != NULL)
		monitor_hurry(cl->monitor, false);
	if (emit_up(c, begin) == 0)
		serve(c);
	return 0;
}

int
chaos_main(uint32_t source, uint32_t incarnation)
{
	static const int signals[] = {SIGCHLD, SIGTERM};
	struct event bye = {.type = MESSAGE_BYE};
	struct chaos *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return EXIT_FAILED;
	c->signal_fd = sig_open(signals, 2);
	if (c->signal_fd < 0)
		return EXIT_FAILED;
	pace_begin(&c->pace, clock_mono_ns());
	child_init(&c->child, "chaos", "", source, incarnation);
	child_say(&c->child, MESSAGE_READY);
	err = take_config(c);
	if (err == 0)
		err = prepare(c);
	if (err == 0)
		err = run_cluster(c);
	if (c->cluster.state != NULL)
		c->cluster.ops->down(&c->cluster);
	tell_signs(c, true);
	if (err < 0)
		child_diag(&c->child, err, "chaos ends: %s", strerror(-err));
	if (c->failed)
		err = -EPIPE;
	bye.u.bye.ok = err == 0;
	child_emit(&c->child, &bye);
	child_flush(&c->child);
	change_end(&c->cluster);
	backup_end(&c->cluster);
	admin_destroy(c->cluster.admin);
	monitor_end(&c->cluster);
	schedule_fini(&c->schedule);
	groups_fini(&c->groups);
	free(c->cluster.state);
	close(c->signal_fd);
	child_fini(&c->child);
	free(c);
	curl_global_cleanup();
	frame_cleanup();
	return err == 0 ? 0 : EXIT_FAILED;
}
