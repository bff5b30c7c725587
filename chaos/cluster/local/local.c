/* SPDX-License-Identifier: ISC */
/*
 * local: nats-servers on loopback, started, signalled and reaped here. Each
 * has a folder under RUN_DIR/servers with its configuration, log and store;
 * nothing outside is touched. Routes go through front proxies (links.h).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "chaos/admin.h"
#include "chaos/cluster/local/disk.h"
#include "chaos/cluster/local/form.h"
#include "chaos/cluster/local/local_state.h"
#include "chaos/cluster/local/profile.h"
#include "chaos/cluster/local/rot.h"
#include "chaos/cluster/local/server.h"
#include "chaos/cluster/local/vdso.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "chaos/monitor.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"

#define LINKS_NS   (60 * CLOCK_S) /* our own: on a slow host as well */
#define DISK_LOW   4		  /* it grows when less than 1/4 is free */
#define DISK_SHARE 20		  /* less than 1/20 free is too little */

static int
local_check_upgrade(const struct run_config *c, char *why)
{
	const char *list = c->server_bin;
	char bin[CONFIG_PATH_MAX];
	unsigned n = 0;

	while (text_next_item(&list, bin, sizeof(bin)))
		n++;
	if (n == 2)
		return 0;
	text_format(why, OPTION_WHY_MAX,
	    "needs two binaries, --server-bin OLD,NEW, not %u", n);
	return -EINVAL;
}

static int
local_node_binary(struct cluster *c, unsigned node, unsigned binary)
{
	struct local *l = c->state;
	const char *list = c->config->server_bin;
	char bin[CONFIG_PATH_MAX];
	unsigned i;

	for (i = 0; text_next_item(&list, bin, sizeof(bin)); i++) {
		if (i != binary)
			continue;
		text_set(l->nodes[node - 1].bin, sizeof(l->nodes[node - 1].bin),
		    bin);
		c->nodes[node - 1].binary = binary;
		return 0;
	}
	return -EINVAL;
}

static int
local_link_set(struct cluster *c, unsigned from, unsigned to,
    const struct link_policy *policy)
{
	struct local *l = c->state;

	return links_set(&l->links, from, to, policy);
}

static int
local_link_reset(struct cluster *c, unsigned a, unsigned b, unsigned percent)
{
	struct local *l = c->state;

	return links_reset(&l->links, a, b, percent);
}

static bool
local_link_flow(
    struct cluster *c, unsigned from, unsigned to, struct link_flow *out)
{
	const struct local *l = c->state;

	return links_flow(&l->links, from, to, out);
}

static unsigned
local_node_clients(struct cluster *c, unsigned node)
{
	const struct local *l = c->state;

	return l->links.clients[node - 1];
}

static bool
has_disks(const struct cluster *c)
{
	return (c->needs & CLUSTER_CAN_FILL) != 0;
}

static int
local_node_fill(struct cluster *c, unsigned node, bool full)
{
	struct local *l = c->state;
	char dir[CONFIG_PATH_MAX + 16];

	server_ground(c, node, dir, sizeof(dir));
	l->nodes[node - 1].is_full = full;
	return full ? disk_fill(dir) : disk_free(dir);
}

static int64_t
local_node_room(struct cluster *c, unsigned node)
{
	char dir[CONFIG_PATH_MAX + 16];

	server_ground(c, node, dir, sizeof(dir));
	return disk_room(dir);
}

/*
 * When the load itself fills a disk the servers would be blamed: before that
 * the disk is made twice as large.
 */
static void
look_at_disk(struct cluster *c, unsigned node)
{
	struct cluster_node *n = &c->nodes[node - 1];
	int64_t room = local_node_room(c, node);
	char dir[CONFIG_PATH_MAX + 16];

	if (room < 0 || (uint64_t)room >= n->disk_bytes / DISK_LOW)
		return;
	server_ground(c, node, dir, sizeof(dir));
	if (disk_grow(dir, n->disk_bytes, 2 * n->disk_bytes) == 0)
		n->disk_bytes *= 2;
	else if ((uint64_t)room < n->disk_bytes / DISK_SHARE)
		chaos_fail(c->chaos,
		    "a store's disk is almost full without a fault, and there "
		    "is no memory for a larger one: it takes less load");
}

static void
look_at_disks(struct cluster *c)
{
	const struct local *l = c->state;
	unsigned i;

	for (i = 1; i <= c->n && has_disks(c); i++)
		if (!l->nodes[i - 1].is_full)
			look_at_disk(c, i);
}

static uint64_t
local_node_files(struct cluster *c, unsigned node)
{
	return profile_files(c->nodes[node - 1].pid);
}

/* Packets between servers are those to and from the fronts of their links. */
static int
local_drop(struct cluster *c, unsigned share)
{
	struct local *l = c->state;

	uint16_t ports[2 * CONFIG_NODES_MAX];
	unsigned i, n = 0;

	for (i = 0; i < c->n; i++) {
		ports[n++] = l->links.fronts[LINKS_ROUTES][i];
		if (l->nodes[i].remote != 0)
			ports[n++] = l->links.fronts[LINKS_REMOTES][i];
	}
	return loss_set(&l->loss, share, ports, n);
}

static bool
local_dropped(struct cluster *c, uint64_t *packets)
{
	struct local *l = c->state;

	return loss_dropped(&l->loss, packets);
}

static int
local_node_rot(struct cluster *c, unsigned node, const struct disk_rot *rot,
    char *how, size_t size)
{
	char dir[CONFIG_PATH_MAX + 16];

	if (c->nodes[node - 1].pid != 0)
		return -EBUSY;
	server_store(c, node, dir, sizeof(dir));
	return rot_store(dir, rot, how, size);
}

static int
local_disk_set(
    struct cluster *c, unsigned node, const struct disk_policy *policy)
{
	struct local *l = c->state;

	return drives_set(&l->drives, node, policy);
}

static bool
local_disk_effect(struct cluster *c, unsigned node, struct disk_effect *out)
{
	const struct local *l = c->state;

	return drives_effect(&l->drives, node, out);
}

static int
local_disk_cut(struct cluster *c, unsigned node, const struct disk_cut *cut)
{
	struct local *l = c->state;

	if (c->nodes[node - 1].pid != 0)
		return -EBUSY;
	l->nodes[node - 1].is_cut = true;
	l->nodes[node - 1].whole_ns = cut->whole_ns;
	return drives_cut(&l->drives, node, cut->is_torn);
}

static bool
local_disk_lost(struct cluster *c, unsigned node, struct disk_loss *out)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	struct event ev = {.type = MESSAGE_POWER_LOST};
	struct msg_power_lost *m = &ev.u.power_lost;

	if (!drives_lost(&l->drives, node, out))
		return false;
	if (!n->is_cut)
		return true;
	n->is_cut = false;
	m->node = node;
	m->whole_ns = n->whole_ns;
	m->files = out->files;
	m->names = out->names;
	m->bytes = out->bytes;
	child_emit(chaos_child(c->chaos), &ev);
	return true;
}

/* What a process of ours does not do meanwhile is not the servers' doing. */
static void
look_at_silence(struct cluster *c, struct aide *a)
{
	uint64_t silent_ns = aide_silence(a, clock_mono_ns());
	char why[96];

	if (silent_ns > 0)
		chaos_tell_silence(c->chaos, a->name, silent_ns);
	if (silent_ns <= AIDE_DEAD_NS)
		return;
	text_format(
	    why, sizeof(why), "the %s process was silent for 120 s", a->name);
	chaos_fail(c->chaos, why);
}

static void
local_tend(struct cluster *c)
{
	struct local *l = c->state;
	unsigned i;

	if (!links_read(&l->links))
		chaos_fail(c->chaos, l->links.aide.why);
	look_at_silence(c, &l->links.aide);
	if (!drives_read(&l->drives))
		chaos_fail(c->chaos, l->drives.aide.why);
	look_at_silence(c, &l->drives.aide);
	if (!loss_read(&l->loss))
		chaos_fail(c->chaos, "nft ended");
	look_at_disks(c);
	for (i = 0; i < c->n; i++) {
		server_reap(c, i + 1);
		output_look(c, i + 1);
	}
}

static int
local_links(struct cluster *c, unsigned *through, unsigned *past)
{
	struct local *l = c->state;
	uint16_t ports[2 * CONFIG_NODES_MAX];
	pid_t pids[CONFIG_NODES_MAX];
	unsigned i, n = 0;
	int leaks;

	*through = 0;
	for (i = 0; i < c->n; i++) {
		ports[n++] = l->nodes[i].route;
		if (l->nodes[i].remote != 0)
			ports[n++] = l->nodes[i].remote;
		pids[i] = c->nodes[i].pid;
		*through += l->links.open[i];
	}
	leaks = links_count_leaks(pids, c->n, ports, n);
	*past = leaks > 0 ? (unsigned)leaks : 0;
	return leaks < 0 ? leaks : 0;
}

/* The simulated disk of its store. */
static int
open_drive(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	char store[CONFIG_PATH_MAX + 16], ground[CONFIG_PATH_MAX + 16];
	int err;

	server_store(c, node, store, sizeof(store));
	server_ground(c, node, ground, sizeof(ground));
	err = drives_open(&l->drives, node,
	    &(struct drive_place){store, ground, c->disk_names});
	return err < 0 ? err : drives_wait(&l->drives, node);
}

/* Its folder, and the disk for its store if it is to have one. */
static int
make_dirs(struct cluster *c, unsigned node)
{
	const struct local *l = c->state;
	char dir[CONFIG_PATH_MAX + 16];
	int err;

	server_dir(c, node, dir, sizeof(dir));
	err = file_make_dir(dir);
	if (err == 0)
		err = conf_merge_copy(&l->confs[node - 1], dir);
	if (err < 0)
		return err;
	server_ground(c, node, dir, sizeof(dir));
	c->nodes[node - 1].disk_bytes = c->disk_bytes;
	if (has_disks(c))
		err = disk_mount(dir, c->disk_bytes);
	return err == 0 && server_has_drive(c) ? open_drive(c, node) : err;
}

static int
assign_node(struct cluster *c, unsigned node, const char *bin)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	struct cluster_node *cn = &c->nodes[node - 1];
	unsigned cluster;

	text_format(cn->name, sizeof(cn->name), "n%u", node);
	text_set(n->bin, sizeof(n->bin), bin);
	n->client = ports_take(&l->ports);
	n->http = ports_take(&l->ports);
	n->route = ports_take(&l->ports);
	cluster = topology_cluster(&l->topology, node);
	cn->is_apart = topology_is_apart(&l->topology, c->config, cluster);
	cn->group = l->topology.has_leafs ? cluster : 0;
	if (l->topology.has_gateways ||
	    (l->topology.has_leafs && cluster == 0)) {
		n->remote = ports_take(&l->ports);
		if (n->remote == 0)
			return -EADDRNOTAVAIL;
	}
	if (profile_is_cheap(c->config->server_bin))
		n->profile = ports_take(&l->ports);
	if (n->client == 0 || n->http == 0 || n->route == 0)
		return -EADDRNOTAVAIL;
	cn->config_mark = l->confs[node - 1].max_connections;
	text_format(
	    cn->direct, sizeof(cn->direct), "nats://127.0.0.1:%u", n->client);
	text_format(
	    cn->monitor, sizeof(cn->monitor), "http://127.0.0.1:%u", n->http);
	if (n->profile != 0)
		text_format(cn->profile, sizeof(cn->profile),
		    "http://127.0.0.1:%u", n->profile);
	return make_dirs(c, node);
}

static int
assign_nodes(struct cluster *c)
{
	const char *list = c->config->server_bin;
	char bin[CONFIG_PATH_MAX] = "";
	unsigned i;
	int err;

	for (i = 1; i <= c->config->servers; i++) {
		/* Fewer binaries than servers: the last serves the rest. */
		if (i == 1 || (c->needs & CLUSTER_CAN_UPGRADE) == 0)
			(void)text_next_item(&list, bin, sizeof(bin));
		err = assign_node(c, i, bin);
		if (err < 0)
			return err;
		c->n = i;
	}
	return 0;
}

/* Its fronts, of all kinds that it has or will have. */
static int
open_fronts(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	const struct local_node *n = &l->nodes[node - 1];
	const char *name = c->nodes[node - 1].name;
	int err = links_open(&l->links, node, name, n->route, LINKS_ROUTES);

	if (err == 0 && server_has_client_front(c))
		err =
		    links_open(&l->links, node, name, n->client, LINKS_CLIENTS);
	if (err == 0 && n->remote != 0)
		err =
		    links_open(&l->links, node, name, n->remote, LINKS_REMOTES);
	return err;
}

static bool
fronts_are_open(const struct cluster *c)
{
	const struct local *l = c->state;
	unsigned remotes = 0;

	while (remotes < c->n && l->nodes[remotes].remote != 0)
		remotes++;
	return links_are_open(&l->links, c->n, LINKS_ROUTES) &&
	       links_are_open(&l->links, remotes, LINKS_REMOTES) &&
	       (!server_has_client_front(c) ||
		   links_are_open(&l->links, c->n, LINKS_CLIENTS));
}

static int
open_links(struct cluster *c)
{
	struct local *l = c->state;
	uint64_t deadline = chaos_time(c->chaos) + LINKS_NS;
	unsigned i;
	int err = links_start(&l->links);

	for (i = 1; err == 0 && i <= c->n; i++)
		err = open_fronts(c, i);
	while (err == 0 && !fronts_are_open(c)) {
		if (chaos_is_stopping(c->chaos))
			err = -EINTR;
		if (chaos_time(c->chaos) >= deadline) {
			chaos_fail(c->chaos, "the link proxies don't answer");
			err = -ETIMEDOUT;
		}
		chaos_wait(c->chaos, 5);
	}
	for (i = 0; i < c->n; i++)
		text_format(c->nodes[i].url, sizeof(c->nodes[i].url),
		    "nats://127.0.0.1:%u", server_client_port(c, i + 1));
	return err;
}

/* What a server has stored goes, and its disks. */
static int
clear_disk(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	char dir[CONFIG_PATH_MAX + 16];
	int err = 0;

	if (server_has_drive(c))
		err = drives_close(&l->drives, node);
	if (err == 0 && server_has_drive(c))
		err = drives_wait(&l->drives, node);
	server_ground(c, node, dir, sizeof(dir));
	if (has_disks(c))
		disk_unmount(dir);
	return err == 0 ? server_wipe(c, node) : err;
}

static int
local_node_renew(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct cluster_node *cn = &c->nodes[node - 1];
	int err;

	err = clear_disk(c, node);
	if (err < 0)
		return err;
	/* Configuration and log of the old one stay in its folder. */
	text_format(cn->name, sizeof(cn->name), "n%u-%u", node,
	    ++l->nodes[node - 1].renewed + 1);
	err = make_dirs(c, node);
	if (err == 0)
		err = server_write_config(c, node);
	if (err == 0)
		err = open_fronts(c, node);
	return err;
}

static int
local_node_empty(struct cluster *c, unsigned node)
{
	char store[CONFIG_PATH_MAX + 16];
	int err = clear_disk(c, node);

	server_store(c, node, store, sizeof(store));
	if (err == 0 && file_exists(store))
		err = -ENOTEMPTY;
	return err == 0 ? make_dirs(c, node) : err;
}

static void
make_base(struct cluster *c)
{
	struct local *l = c->state;

	l->dir[0] = '\0';
	text_add(l->dir, sizeof(l->dir), "%s/servers", c->config->out);
	/* what needs the folder says why it failed */
	(void)file_make_dir(l->dir);
}

/*
 * The same with a simulated disk, whose process goes on. Why it can't be is
 * said.
 */
static int
try_drive(struct cluster *c)
{
	struct local *l = c->state;
	int err = drives_start(&l->drives);

	if (err == 0)
		err = drives_open(&l->drives, 1,
		    &(struct drive_place){l->dir, l->dir, false});
	if (err == 0)
		err = drives_wait(&l->drives, 1);
	if (err == 0)
		err = drives_close(&l->drives, 1);
	if (err == 0)
		return drives_wait(&l->drives, 1);
	text_add(c->why, sizeof(c->why),
	    "mayhem %s needs FUSE (/dev/fuse), and root or user namespaces: "
	    "%s",
	    c->needed_by[CLUSTER_ABILITY_DISK]->name,
	    err == -ENOTSUP ? l->drives.seen[0].why : strerror(-err));
	return -ENOTSUP;
}

/* Try to mount a disk, in the folder of the servers, which is empty yet. */
static int
try_disk(struct cluster *c)
{
	struct local *l = c->state;
	int err;

	err = disk_mount(l->dir, c->disk_bytes);
	if (err == 0) {
		disk_unmount(l->dir);
		return 0;
	}
	text_add(c->why, sizeof(c->why),
	    "mayhem disk_full needs small disks for the stores, which want "
	    "root or user namespaces here: %s",
	    strerror(-err));
	return -ENOTSUP;
}

/* Mounts of our own, in a namespace of our own. */
static int
try_mounts(struct cluster *c)
{
	unsigned wants =
	    has_disks(c) ? CLUSTER_ABILITY_FILL : CLUSTER_ABILITY_DISK;
	int err = 0;

	if (!has_disks(c) && !server_has_drive(c))
		return 0;
	err = disk_isolate();
	if (err < 0) {
		text_add(c->why, sizeof(c->why),
		    "mayhem %s mounts disks for the stores, which wants root "
		    "or user namespaces here: %s",
		    c->needed_by[wants]->name, strerror(-err));
		return -ENOTSUP;
	}
	if (has_disks(c))
		err = try_disk(c);
	return err == 0 && server_has_drive(c) ? try_drive(c) : err;
}

static int
try_clocks(struct cluster *c)
{
	int err = (c->needs & CLUSTER_CAN_CLOCK) != 0 ? vdso_try() : 0;

	if (err == 0)
		return 0;
	text_add(c->why, sizeof(c->why),
	    "mayhem %s gives servers clocks of their own, which wants Linux on "
	    "x86-64, and to trace children (ptrace): %s",
	    c->needed_by[CLUSTER_ABILITY_CLOCK]->name, strerror(-err));
	return -ENOTSUP;
}

#define OWN_OPTIONS 4 /* the first ones */

/* Logins and TLS are for what a user's own configuration wants. */
static const char *const local_options[] = {"topology", "js-domain",
    "encryption", "sync", "creds", "sys-creds", "tls", "tls-ca", "tls-cert",
    "tls-key", "tls-hostname", NULL};

/* What goes with which topology. */
static int
topology_check(const struct run_config *c, char *why)
{
	struct topology t;

	if (topology_read(c, &t, why) < 0)
		return -EINVAL;
	why[0] = '\0';
	if (c->js_domain[0] != '\0' && !t.has_leafs)
		text_format(why, OPTION_WHY_MAX,
		    "--js-domain \"%s\": goes with --cluster external, or "
		    "with --topology leaf:N+M",
		    c->js_domain);
	else if (t.has_leafs && strcmp(c->js_domain, TOPOLOGY_HUB) != 0 &&
		 strcmp(c->js_domain, TOPOLOGY_LEAF) != 0)
		text_format(why, OPTION_WHY_MAX,
		    "--js-domain \"%s\": of --topology \"%s\" it is hub or "
		    "leaf",
		    c->js_domain, c->topology);
	else if (t.n > 1 && c->server_conf[0] != '\0')
		text_format(why, OPTION_WHY_MAX,
		    "--topology \"%s\": goes without --server-conf, whose "
		    "gateways and leaf nodes would be others",
		    c->topology);
	return why[0] == '\0' ? 0 : -EINVAL;
}

static int
local_validate(const struct run_config *c, char *why)
{
	char value[OPTION_VALUE_MAX];
	const struct option_spec *row;
	const char *const *o;

	for (o = local_options + OWN_OPTIONS;
	     *o != NULL && c->server_conf[0] == '\0'; o++) {
		row = option_find(config_options, *o);
		if (option_is_default(row, c))
			continue;
		option_get(row, c, value, sizeof(value));
		text_format(why, OPTION_WHY_MAX,
		    "--%s \"%s\": goes with --cluster external or kubernetes, "
		    "or with --server-conf",
		    *o, value);
		return -EINVAL;
	}
	if (topology_check(c, why) < 0)
		return -EINVAL;
	if (c->replicas <= topology_home(c))
		return conf_merge_check(c, why, OPTION_WHY_MAX);
	text_format(why, OPTION_WHY_MAX, "--replicas %llu: more than %s %u",
	    (unsigned long long)c->replicas,
	    strcmp(c->topology, TOPOLOGY_PLAIN) == 0
		? "--servers"
		: "the servers of a cluster:",
	    topology_home(c));
	return -EINVAL;
}

static void
say_overruled(void *arg, const char *text)
{
	(void)arg; /* there is one log */
	log_warn("%s", text);
}

static int
read_confs(struct cluster *c)
{
	struct local *l = c->state;
	unsigned i;
	int err = 0;

	text_format(l->password, sizeof(l->password), "%016llx",
	    (unsigned long long)rng_fresh_seed());
	text_format(l->key, sizeof(l->key), "%016llx%016llx",
	    (unsigned long long)rng_fresh_seed(),
	    (unsigned long long)rng_fresh_seed());
	for (i = 0; i < c->config->servers && err == 0; i++) {
		l->confs[i].system_password = l->password;
		l->confs[i].say = i == 0 ? say_overruled : NULL;
		conf_merge_stores(&l->confs[i], c->config, l->key);
		err = conf_merge_read(&l->confs[i], c->config->server_conf,
		    (unsigned)c->config->servers);
	}
	if (err < 0)
		text_set(c->why, sizeof(c->why),
		    l->confs[i - 1].c != NULL ? l->confs[i - 1].c->why
					      : strerror(-err));
	return err;
}

/* With an operator natsburn can't make itself users. */
static bool
lacks_system_login(const struct cluster *c)
{
	const struct local *l = c->state;

	return l->conf_error == 0 &&
	       l->confs[0].operator!= NULL && c->config->sys_creds[0] ==
		   '\0' &&(c->needs & CLUSTER_CAN_ADMIN) != 0;
}

static int
local_prepare(struct cluster *c)
{
	struct local *l = c->state;
	char why[256];
	int err;

	make_base(c);
	/* The command line was refused if it can't be read. */
	(void)topology_read(c->config, &l->topology, c->why);
	l->conf_error = read_confs(c); /* told by local_up() */
	if (lacks_system_login(c)) {
		text_set(c->why, sizeof(c->why),
		    "a mode of this run asks as the system account: "
		    "--server-conf with an operator needs --sys-creds FILE");
		return -ENOTSUP;
	}
	err = try_clocks(c);
	if (err == 0)
		err = try_mounts(c);
	if (err < 0 || (c->needs & CLUSTER_CAN_DROP) == 0)
		return err;
	err = loss_start(&l->loss, c->config->run, why, sizeof(why));
	if (err == 0)
		return 0;
	text_add(c->why, sizeof(c->why),
	    "-o lossy_network.nft=true needs root and nftables with tables "
	    "that go with their owner (Linux 5.12, nft 1.0): %s",
	    why);
	return -ENOTSUP;
}

static int
local_log_in(struct cluster *c)
{
	struct local *l = c->state;
	const struct conf_merge *m = &l->confs[0];
	struct config_login system = {
	    .user = m->system_user, .password = l->password};
	struct config_login user = {.user = m->user, .password = "burn"};

	if (l->conf_error < 0)
		return l->conf_error;
	if (m->operator!= NULL) {
		system = (struct config_login){.creds = c->config->sys_creds};
		user = (struct config_login){.creds = c->config->creds};
	}
	c->admin = admin_create(c, &system, &user);
	return c->admin != NULL ? 0 : -ENOMEM;
}

static int
local_up(struct cluster *c)
{
	struct local *l = c->state;
	int err;

	if (l->conf_error < 0)
		return l->conf_error;
	ports_init(&l->ports);
	err = assign_nodes(c);
	if (err == 0)
		err = open_links(c);
	if (err == 0) /* the nodes have addresses now */
		err = monitor_begin(c, chaos_child(c->chaos));
	if (err < 0) {
		text_add(c->why, sizeof(c->why),
		    "cannot prepare %llu servers in \"%s\": %s",
		    (unsigned long long)c->config->servers, l->dir,
		    strerror(-err));
		return err;
	}
	monitor_hurry(c->monitor, true);
	err = form_cluster(c);
	l->is_up = err == 0;
	return err;
}

static void
local_down(struct cluster *c)
{
	struct local *l = c->state;
	unsigned i;

	server_stop_all(c, SIGTERM);
	aide_stop(&l->links.aide);
	aide_stop(&l->drives.aide);
	loss_stop(&l->loss);
	ports_fini(&l->ports);
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		conf_merge_fini(&l->confs[i]);
}

const struct cluster_ops cluster_local = {
    .name = "local",
    .summary = "nats-servers of its own on loopback (the default)",
    .owner = OWNER_US,
    .options = local_options,
    .validate = local_validate,
    .state_size = sizeof(struct local),
    .prepare = local_prepare,
    .log_in = local_log_in,
    .up = local_up,
    .tend = local_tend,
    .node_start = server_start,
    .node_end = server_end,
    .node_runs = server_runs,
    .node_crashed = server_crashed,
    .node_files = local_node_files,
    .node_lame_duck = server_lame_duck,
    .node_reload = server_reload,
    .node_pause = server_pause,
    .node_is_paused = server_is_paused,
    .check_upgrade = local_check_upgrade,
    .node_binary = local_node_binary,
    .node_renew = local_node_renew,
    .node_empty = local_node_empty,
    .node_fill = local_node_fill,
    .node_room = local_node_room,
    .node_rot = local_node_rot,
    .node_clock = server_clock,
    .disk_set = local_disk_set,
    .disk_effect = local_disk_effect,
    .disk_cut = local_disk_cut,
    .disk_lost = local_disk_lost,
    .drop = local_drop,
    .dropped = local_dropped,
    .link_set = local_link_set,
    .link_reset = local_link_reset,
    .link_flow = local_link_flow,
    .node_clients = local_node_clients,
    .links = local_links,
    .down = local_down,
};
