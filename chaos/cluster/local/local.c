/* SPDX-License-Identifier: ISC */
/*
 * local: nats-servers on loopback, started, signalled and reaped here. Each
 * has a folder under RUN_DIR/servers with its configuration, log and store;
 * nothing outside is touched. Routes go through front proxies (links.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/admin.h"
#include "chaos/cluster/local/disk.h"
#include "chaos/cluster/local/links.h"
#include "chaos/cluster/local/loss.h"
#include "chaos/internal.h"
#include "chaos/monitor.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define PORT_LOW	 20000 /* below the kernel's own range of ports */
#define PORT_HIGH	 32000
#define PORT_TRIES	 2000
#define FORM_NS		 (20 * CLOCK_S) /* healthy, but the group too small */
#define START_NS	 (30 * CLOCK_S)
#define FORM_MAX	 5
#define STOP_NS		 (5 * CLOCK_S) /* from SIGTERM to SIGKILL */
#define CONNECTIONS_BASE 60000
#define CONFIG_MAX	 65536
#define DISK_LOW	 4  /* when less than such a part is free it grows */
#define DISK_SHARE	 20 /* less than such a part free is too little */

struct local_node {
	uint16_t client, http, route;
	char bin[CONFIG_PATH_MAX];
	bool should_run;
	uint64_t died_ns; /* by itself; 0 when it did not */
	unsigned renewed; /* times it was replaced by a new one */
	bool is_full;	  /* its disk, by us */
};

struct local {
	struct links links;
	struct loss loss;
	struct rng rng;
	char dir[CONFIG_PATH_MAX + 16]; /* RUN_DIR/servers */
	char password[24];		/* of the system account */
	struct local_node nodes[CONFIG_NODES_MAX];
	int held[3 * CONFIG_NODES_MAX]; /* what keeps our ports from others */
	unsigned nheld;
};

/* Ours already, though nobody listens there yet. */
static bool
is_assigned(const struct local *l, uint16_t port)
{
	const struct local_node *n;
	unsigned i;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		n = &l->nodes[i];
		if (n->client == port || n->http == port || n->route == port)
			return true;
	}
	return false;
}

/*
 * Several of us may begin at once, and a port is seen to be taken only when
 * its server listens: each says by an abstract socket which ones it has
 * chosen. That goes with the process, whatever ends it.
 */
static bool
hold_port(struct local *l, uint16_t port)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, len;

	len = snprintf(
	    a.sun_path + 1, sizeof(a.sun_path) - 1, "natsburn/port/%u", port);
	if (l->nheld == sizeof(l->held) / sizeof(l->held[0]))
		return true;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (bind(fd, (struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			    (size_t)len)) < 0) {
		close(fd);
		return false;
	}
	l->held[l->nheld++] = fd;
	return true;
}

/* A port that is free now and that no outgoing connection will take. */
static uint16_t
free_port(struct local *l)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t port;
	int fd, i, bound;

	for (i = 0; i < PORT_TRIES; i++) {
		port = (uint16_t)(PORT_LOW +
				  rng_below(&l->rng, PORT_HIGH - PORT_LOW));
		if (is_assigned(l, port))
			continue;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return 0;
		a.sin_port = htons(port);
		bound = bind(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
		if (bound == 0 && hold_port(l, port))
			return port;
	}
	return 0;
}

static void
node_dir(const struct cluster *c, unsigned node, char *out, size_t size)
{
	const struct local *l = c->state;

	out[0] = '\0';
	text_add(out, size, "%s/%s", l->dir, c->nodes[node - 1].name);
}

static bool
has_client_fronts(const struct cluster *c)
{
	return (c->needs & CLUSTER_CAN_CUT_CLIENTS) != 0;
}

/* Where clients go: to the front where they are to be cut off. */
static unsigned
client_port(const struct cluster *c, unsigned node)
{
	const struct local *l = c->state;

	return has_client_fronts(c) ? l->links.client_fronts[node - 1]
				    : l->nodes[node - 1].client;
}

static void
config_cluster(struct cluster *c, unsigned node, char *out)
{
	const struct local *l = c->state;
	unsigned i;

	text_add(out, CONFIG_MAX,
	    "cluster {\n"
	    "  name: nb_%llx\n"
	    "  listen: \"127.0.0.1:%u\"\n"
	    "  advertise: \"127.0.0.1:%u\"\n"
	    "  routes: [\n",
	    (unsigned long long)c->config->run, l->nodes[node - 1].route,
	    l->links.fronts[node - 1]);
	for (i = 0; i < c->n; i++)
		text_add(out, CONFIG_MAX, "    \"nats://127.0.0.1:%u\"\n",
		    l->links.fronts[i]);
	text_add(out, CONFIG_MAX, "  ]\n}\n");
}

static int
copy_user_config(struct cluster *c, const char *dir)
{
	char path[CONFIG_PATH_MAX + 64] = "", *text = calloc(1, CONFIG_MAX);
	int fd, err = 0;

	if (text == NULL)
		return -ENOMEM;
	fd = open(c->config->server_conf, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, CONFIG_MAX - 1) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	text_add(path, sizeof(path), "%s/user.conf", dir);
	if (err == 0)
		err = file_replace(path, text, strlen(text));
	free(text);
	return err;
}

static int
write_config(struct cluster *c, unsigned node)
{
	const struct local *l = c->state;
	const struct local_node *n = &l->nodes[node - 1];
	char dir[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX + 32] = "", *text;
	int err = 0;

	text = calloc(1, CONFIG_MAX);
	if (text == NULL)
		return -ENOMEM;
	node_dir(c, node, dir, sizeof(dir));
	text_add(text, CONFIG_MAX,
	    "server_name: %s\n"
	    "listen: \"127.0.0.1:%u\"\n"
	    "client_advertise: \"127.0.0.1:%u\"\n"
	    "lame_duck_duration: 30s\n"
	    "lame_duck_grace_period: 1s\n"
	    "http: \"127.0.0.1:%u\"\n"
	    "log_file: \"%s/server.log\"\n"
	    "max_connections: %llu\n"
	    "jetstream {\n"
	    "  store_dir: \"%s/store\"\n"
	    "  max_memory_store: 4G\n"
	    "  max_file_store: 1T\n"
	    "}\n"
	    "accounts {\n"
	    "  SYS { users: [{user: sys, password: \"%s\"}] }\n"
	    "  BURN { jetstream: enabled, users: [{user: burn, password: "
	    "burn}] }\n"
	    "}\n"
	    "system_account: SYS\n"
	    "no_auth_user: burn\n",
	    c->nodes[node - 1].name, n->client, client_port(c, node), n->http,
	    dir, (unsigned long long)c->nodes[node - 1].config_mark, dir,
	    l->password);
	if (c->n > 1)
		config_cluster(c, node, text);
	if (c->config->server_conf[0] != '\0') {
		err = copy_user_config(c, dir);
		text_add(text, CONFIG_MAX, "include \"./user.conf\"\n");
	}
	text_add(path, sizeof(path), "%s/server.conf", dir);
	if (err == 0)
		err = file_replace(path, text, strlen(text));
	free(text);
	return err;
}

static int
local_node_start(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	char dir[CONFIG_PATH_MAX],
	    conf[CONFIG_PATH_MAX + 32] = "", out[CONFIG_PATH_MAX + 32] = "";
	char name[] = "nats-server", flag[] = "-c";
	char *argv[] = {name, flag, conf, NULL};
	struct spawn_request r = {.path = n->bin, .argv = argv};
	pid_t pid;
	int fd;

	if (c->nodes[node - 1].pid != 0)
		return 0;
	node_dir(c, node, dir, sizeof(dir));
	text_add(conf, sizeof(conf), "%s/server.conf", dir);
	text_add(out, sizeof(out), "%s/output.log", dir);
	fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r.fds[r.nfds++] = (struct spawn_fd){fd, 1};
	r.fds[r.nfds++] = (struct spawn_fd){fd, 2};
	pid = spawn(&r);
	close(fd);
	if (pid < 0)
		return (int)pid;
	c->nodes[node - 1].pid = pid;
	n->should_run = true;
	n->died_ns = 0;
	return 0;
}

static int
local_node_signal(struct cluster *c, unsigned node, int sig)
{
	struct local *l = c->state;

	if (c->nodes[node - 1].pid == 0)
		return -ESRCH;
	if (sig == SIGTERM || sig == SIGKILL || sig == SIGUSR2)
		l->nodes[node - 1].should_run = false;
	/* Not reaped yet, so the pid is still our server's. */
	return kill(c->nodes[node - 1].pid, sig) < 0 ? -errno : 0;
}

static bool
local_node_runs(struct cluster *c, unsigned node)
{
	return c->nodes[node - 1].pid != 0;
}

/* The third word of /proc/PID/stat; the second is a name in brackets. */
static bool
local_node_is_stopped(struct cluster *c, unsigned node)
{
	char path[64], text[512];
	const char *at;
	ssize_t n;
	int fd;

	text_format(
	    path, sizeof(path), "/proc/%d/stat", (int)c->nodes[node - 1].pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	return at != NULL && at[1] == ' ' && at[2] == 'T';
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

static void
store_dir(const struct cluster *c, unsigned node, char *out, size_t size)
{
	node_dir(c, node, out, size);
	text_add(out, size, "/store");
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

	store_dir(c, node, dir, sizeof(dir));
	l->nodes[node - 1].is_full = full;
	return full ? disk_fill(dir) : disk_free(dir);
}

static int64_t
local_node_room(struct cluster *c, unsigned node)
{
	char dir[CONFIG_PATH_MAX + 16];

	store_dir(c, node, dir, sizeof(dir));
	return disk_room(dir);
}

/*
 * A disk that the load itself fills would be blamed on the servers: in time
 * it is made twice as large.
 */
static void
look_at_disk(struct cluster *c, unsigned node)
{
	struct cluster_node *n = &c->nodes[node - 1];
	int64_t room = local_node_room(c, node);
	char dir[CONFIG_PATH_MAX + 16];

	if (room < 0 || (uint64_t)room >= n->disk_bytes / DISK_LOW)
		return;
	store_dir(c, node, dir, sizeof(dir));
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

/* Packets between the servers: what goes to or comes from the fronts. */
static int
local_drop(struct cluster *c, unsigned share)
{
	struct local *l = c->state;

	return loss_set(&l->loss, share, l->links.fronts, c->n);
}

static bool
local_dropped(struct cluster *c, uint64_t *packets)
{
	struct local *l = c->state;

	return loss_dropped(&l->loss, packets);
}

static void
reap_node(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	int status;

	if (c->nodes[node - 1].pid == 0 ||
	    waitpid(c->nodes[node - 1].pid, &status, WNOHANG) <= 0)
		return;
	c->nodes[node - 1].pid = 0;
	if (!n->should_run)
		return;
	n->died_ns = clock_mono_ns();
	log_warn("server %s ended by itself (exit code %d, signal %d): see "
		 "its log",
	    c->nodes[node - 1].name,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* What they do not carry meanwhile is not the servers' doing. */
static void
look_at_silence(struct cluster *c)
{
	struct local *l = c->state;
	uint64_t silent_ns = links_silence(&l->links, clock_mono_ns());

	if (silent_ns > 0)
		chaos_tell_silence(c->chaos, "links", silent_ns);
	if (silent_ns > LINKS_DEAD_NS)
		chaos_fail(
		    c->chaos, "the link proxy process was silent for 120 s");
}

static void
local_tend(struct cluster *c)
{
	struct local *l = c->state;
	unsigned i;

	if (!links_read(&l->links))
		chaos_fail(c->chaos, "the link proxy process died");
	look_at_silence(c);
	if (!loss_read(&l->loss))
		chaos_fail(c->chaos, "nft ended");
	look_at_disks(c);
	for (i = 0; i < c->n; i++)
		reap_node(c, i + 1);
}

static bool
local_node_crashed(struct cluster *c, unsigned node)
{
	const struct local *l = c->state;

	return l->nodes[node - 1].died_ns != 0;
}

static int
local_node_reconfigure(struct cluster *c, unsigned node)
{
	c->nodes[node - 1].config_mark++;
	return write_config(c, node);
}

static int
local_links(struct cluster *c, unsigned *through, unsigned *past)
{
	struct local *l = c->state;
	uint16_t ports[CONFIG_NODES_MAX];
	pid_t pids[CONFIG_NODES_MAX];
	unsigned i;
	int leaks;

	*through = 0;
	for (i = 0; i < c->n; i++) {
		ports[i] = l->nodes[i].route;
		pids[i] = c->nodes[i].pid;
		*through += l->links.open[i];
	}
	leaks = links_count_leaks(pids, ports, c->n);
	*past = leaks > 0 ? (unsigned)leaks : 0;
	return leaks < 0 ? leaks : 0;
}

/* Up */

/* Its folder, and the disk for its store if it is to have one. */
static int
make_dirs(struct cluster *c, unsigned node)
{
	char dir[CONFIG_PATH_MAX + 16];

	node_dir(c, node, dir, sizeof(dir));
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	store_dir(c, node, dir, sizeof(dir));
	c->nodes[node - 1].disk_bytes = c->disk_bytes;
	return has_disks(c) ? disk_mount(dir, c->disk_bytes) : 0;
}

static int
assign_node(struct cluster *c, unsigned node, const char *bin)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	struct cluster_node *cn = &c->nodes[node - 1];

	text_format(cn->name, sizeof(cn->name), "n%u", node);
	text_set(n->bin, sizeof(n->bin), bin);
	n->client = free_port(l);
	n->http = free_port(l);
	n->route = free_port(l);
	if (n->client == 0 || n->http == 0 || n->route == 0)
		return -EADDRNOTAVAIL;
	cn->config_mark = CONNECTIONS_BASE;
	text_format(
	    cn->direct, sizeof(cn->direct), "nats://127.0.0.1:%u", n->client);
	text_format(
	    cn->monitor, sizeof(cn->monitor), "http://127.0.0.1:%u", n->http);
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

static int
open_links(struct cluster *c)
{
	struct local *l = c->state;
	uint64_t deadline = clock_mono_ns() + START_NS;
	unsigned i;
	int err = links_start(&l->links);

	for (i = 0; err == 0 && i < c->n; i++) {
		err = links_open(&l->links, i + 1, c->nodes[i].name,
		    l->nodes[i].route, false);
		if (err == 0 && has_client_fronts(c))
			err = links_open(&l->links, i + 1, c->nodes[i].name,
			    l->nodes[i].client, true);
	}
	while (err == 0 &&
	       !links_are_open(&l->links, c->n, has_client_fronts(c))) {
		if (clock_mono_ns() >= deadline)
			err = -ETIMEDOUT;
		chaos_wait(c->chaos, 5);
	}
	for (i = 0; i < c->n; i++)
		text_format(c->nodes[i].url, sizeof(c->nodes[i].url),
		    "nats://127.0.0.1:%u", client_port(c, i + 1));
	return err;
}

static int
unlink_entry(
    const char *path, const struct stat *st, int flag, struct FTW *walk)
{
	(void)st;
	(void)flag;
	(void)walk;
	return remove(path);
}

static int
local_node_wipe(struct cluster *c, unsigned node)
{
	char path[CONFIG_PATH_MAX + 16];

	if (c->nodes[node - 1].pid != 0)
		return -EBUSY;
	store_dir(c, node, path, sizeof(path));
	return nftw(path, unlink_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 &&
		       errno != ENOENT
		   ? -errno
		   : 0;
}

static int
local_node_renew(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct cluster_node *cn = &c->nodes[node - 1];
	char dir[CONFIG_PATH_MAX + 16];
	int err;

	store_dir(c, node, dir, sizeof(dir));
	if (has_disks(c))
		disk_unmount(dir);
	err = local_node_wipe(c, node);
	if (err < 0)
		return err;
	/* Configuration and log of the old one stay in its folder. */
	text_format(cn->name, sizeof(cn->name), "n%u-%u", node,
	    ++l->nodes[node - 1].renewed + 1);
	err = make_dirs(c, node);
	if (err == 0)
		err = write_config(c, node);
	if (err == 0)
		err = links_open(
		    &l->links, node, cn->name, l->nodes[node - 1].route, false);
	return err;
}

/* Form anew: what the servers stored so far is nobody's yet. */
static void
wipe_stores(struct cluster *c)
{
	unsigned i;

	for (i = 1; i <= c->n; i++)
		(void)local_node_wipe(c, i); /* what is left is overwritten */
}

static void
stop_servers(struct cluster *c, int sig)
{
	uint64_t deadline = clock_mono_ns() + STOP_NS;
	unsigned i, left;

	for (i = 1; i <= c->n; i++)
		if (c->nodes[i - 1].pid != 0) {
			(void)local_node_signal(c, i, SIGCONT);
			(void)local_node_signal(c, i, sig);
		}
	do {
		for (i = 1, left = 0; i <= c->n; i++) {
			reap_node(c, i);
			left += c->nodes[i - 1].pid != 0;
		}
		if (left == 0)
			return;
		chaos_wait(c->chaos, 10);
	} while (clock_mono_ns() < deadline);
	for (i = 1; i <= c->n; i++) {
		if (c->nodes[i - 1].pid == 0)
			continue;
		(void)local_node_signal(c, i, SIGKILL);
		(void)waitpid(c->nodes[i - 1].pid, NULL, 0);
		c->nodes[i - 1].pid = 0;
	}
}

static int
start_servers(struct cluster *c)
{
	unsigned i;
	int err = 0;

	for (i = 1; i <= c->n && err == 0; i++) {
		err = write_config(c, i);
		if (err == 0)
			err = local_node_start(c, i);
		if (err < 0)
			text_add(c->why, sizeof(c->why),
			    "cannot start \"%s\": %s",
			    ((struct local *)c->state)->nodes[i - 1].bin,
			    strerror(-err));
	}
	return err;
}

/* The last line of a server's output tells why it won't run. */
static void
add_last_words(struct cluster *c, unsigned node)
{
	char path[CONFIG_PATH_MAX + 32], line[256], last[256] = "";
	FILE *f;
	size_t i;
	static const char *const files[] = {"output.log", "server.log"};

	for (i = 0; i < 2; i++) {
		node_dir(c, node, path, CONFIG_PATH_MAX);
		text_add(path, sizeof(path), "/%s", files[i]);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		while (fgets(line, sizeof(line), f) != NULL)
			if (line[0] != '\n')
				text_set(last, sizeof(last), line);
		(void)fclose(f);
		if (last[0] != '\0')
			break;
	}
	last[strcspn(last, "\n")] = '\0';
	text_add(c->why, sizeof(c->why), "; %s said: %.200s",
	    c->nodes[node - 1].name, last);
}

/* 0 formed, 1 formed too small, -errno not even healthy. */
static int
wait_formed(struct cluster *c)
{
	uint64_t begin = clock_mono_ns(), whole_ns = 0;
	struct local *l = c->state;
	char why[CLUSTER_WHY_MAX] = "";
	unsigned i, size;

	for (;;) {
		chaos_wait(c->chaos, 20);
		if (chaos_is_stopping(c->chaos))
			return -EINTR;
		if (monitor_is_healthy(c->monitor, begin, why))
			return 0;
		for (i = 0; i < c->n; i++)
			if (l->nodes[i].died_ns != 0) {
				text_add(c->why, sizeof(c->why),
				    "server %s does not run", c->nodes[i].name);
				add_last_words(c, i + 1);
				return -ECHILD;
			}
		size = monitor_meta_size(c->monitor, begin);
		if (size != 0 && whole_ns == 0)
			whole_ns = clock_mono_ns();
		if (whole_ns != 0 && clock_mono_ns() > whole_ns + FORM_NS / 4 &&
		    size < c->n)
			return 1;
		if (clock_mono_ns() > begin + START_NS) {
			text_add(c->why, sizeof(c->why),
			    "the servers run but after %llu s %s",
			    (unsigned long long)(START_NS / CLOCK_S), why);
			return size != 0 && size < c->n ? 1 : -ETIMEDOUT;
		}
	}
}

static int
form(struct cluster *c)
{
	int got = -EAGAIN;

	for (c->attempts = 1; c->attempts <= FORM_MAX; c->attempts++) {
		c->why[0] = '\0';
		got = start_servers(c);
		if (got == 0)
			got = wait_formed(c);
		if (got <= 0)
			return got;
		/* Seen with 2.10: a group of 2 of 3 that never grows. */
		log_warn("the meta group has %u of %u members and does not "
			 "grow: the cluster is formed anew",
		    monitor_meta_size(c->monitor, 0), c->n);
		stop_servers(c, SIGKILL);
		wipe_stores(c);
	}
	text_add(c->why, sizeof(c->why),
	    "the meta group never got all %u members in %d attempts", c->n,
	    FORM_MAX);
	return -EAGAIN;
}

static void
make_base(struct cluster *c)
{
	struct local *l = c->state;

	l->dir[0] = '\0';
	text_add(l->dir, sizeof(l->dir), "%s/servers", c->config->out);
	(void)mkdir(l->dir, 0755); /* what fails below says why */
}

/* Can a disk be mounted? The first server's place is as good as any. */
static int
try_disk(struct cluster *c)
{
	struct local *l = c->state;
	int err = disk_isolate();

	if (err == 0)
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

static int
local_prepare(struct cluster *c)
{
	struct local *l = c->state;
	char why[256];
	int err = 0;

	make_base(c);
	if (has_disks(c))
		err = try_disk(c);
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
local_up(struct cluster *c)
{
	struct local *l = c->state;
	int err;

	rng_init(&l->rng, rng_fresh_seed(), "ports");
	text_format(l->password, sizeof(l->password), "%016llx",
	    (unsigned long long)rng_fresh_seed());
	err = assign_nodes(c);
	if (err == 0)
		err = open_links(c);
	if (err == 0) {
		/* The monitor watches the nodes that now have addresses. */
		c->monitor = monitor_create(c, chaos_child(c->chaos));
		c->admin = admin_create(c,
		    &(struct config_login){
			.user = "sys", .password = l->password},
		    &(struct config_login){.user = "burn", .password = "burn"});
		if (c->monitor == NULL || c->admin == NULL)
			err = -ENOMEM;
	}
	if (err < 0) {
		text_add(c->why, sizeof(c->why),
		    "cannot prepare %llu servers in \"%s\": %s",
		    (unsigned long long)c->config->servers, l->dir,
		    strerror(-err));
		return err;
	}
	monitor_hurry(c->monitor, true);
	return form(c);
}

static void
local_down(struct cluster *c)
{
	struct local *l = c->state;

	if (l == NULL)
		return;
	stop_servers(c, SIGTERM);
	links_stop(&l->links);
	loss_stop(&l->loss);
	while (l->nheld > 0)
		close(l->held[--l->nheld]);
}

const struct cluster_ops cluster_local = {
    .name = "local",
    .summary = "nats-servers of its own on loopback (the default)",
    .can = CLUSTER_CAN_RESTART | CLUSTER_CAN_RELOAD | CLUSTER_CAN_PAUSE |
	   CLUSTER_CAN_CUT | CLUSTER_CAN_CUT_CLIENTS | CLUSTER_CAN_ADMIN |
	   CLUSTER_CAN_UPGRADE | CLUSTER_CAN_WIPE | CLUSTER_CAN_FILL |
	   CLUSTER_CAN_DROP | CLUSTER_CAN_SHAPE,
    .state_size = sizeof(struct local),
    .prepare = local_prepare,
    .up = local_up,
    .tend = local_tend,
    .node_start = local_node_start,
    .node_signal = local_node_signal,
    .node_runs = local_node_runs,
    .node_crashed = local_node_crashed,
    .node_is_stopped = local_node_is_stopped,
    .node_binary = local_node_binary,
    .node_renew = local_node_renew,
    .node_fill = local_node_fill,
    .node_room = local_node_room,
    .drop = local_drop,
    .dropped = local_dropped,
    .link_set = local_link_set,
    .link_reset = local_link_reset,
    .link_flow = local_link_flow,
    .node_clients = local_node_clients,
    .node_reconfigure = local_node_reconfigure,
    .links = local_links,
    .down = local_down,
};
