/* SPDX-License-Identifier: ISC */
/* One server of ours; see server.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/cluster/local/local_state.h"
#include "chaos/cluster/local/server.h"
#include "chaos/cluster/local/vdso.h"
#include "chaos/internal.h"
#include "proto/base/buf.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/log.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define STOP_NS (5 * CLOCK_S) /* from SIGTERM to SIGKILL */

void
server_dir(const struct cluster *c, unsigned node, char *out, size_t size)
{
	const struct local *l = c->state;

	out[0] = '\0';
	text_add(out, size, "%s/%s", l->dir, c->nodes[node - 1].name);
}

void
server_store(const struct cluster *c, unsigned node, char *out, size_t size)
{
	server_dir(c, node, out, size);
	text_add(out, size, "/store");
}

bool
server_has_drive(const struct cluster *c)
{
	return (c->needs & CLUSTER_CAN_DISK) != 0;
}

void
server_ground(const struct cluster *c, unsigned node, char *out, size_t size)
{
	server_dir(c, node, out, size);
	text_add(out, size, server_has_drive(c) ? "/disk" : "/store");
}

bool
server_has_client_front(const struct cluster *c)
{
	return (c->needs & CLUSTER_CAN_CUT_CLIENTS) != 0;
}

unsigned
server_client_port(const struct cluster *c, unsigned node)
{
	const struct local *l = c->state;

	return server_has_client_front(c)
		   ? l->links.fronts[LINKS_CLIENTS][node - 1]
		   : l->nodes[node - 1].client;
}

int
server_write_config(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	const struct local_node *n = &l->nodes[node - 1];
	char dir[CONFIG_PATH_MAX], path[CONFIG_PATH_MAX + 32];
	char name[TOPOLOGY_FULL_MAX];
	struct conf_server s = {.name = c->nodes[node - 1].name,
	    .dir = dir,
	    .client = n->client,
	    .http = n->http,
	    .route = n->route,
	    .profile = n->profile,
	    .advertise = (uint16_t)server_client_port(c, node),
	    .remote = n->remote,
	    .cluster = name,
	    .topology = &l->topology,
	    .fronts = l->links.fronts[LINKS_ROUTES],
	    .remotes = l->links.fronts[LINKS_REMOTES],
	    .node = node,
	    .max_connections = c->nodes[node - 1].config_mark,
	    .is_tagged = config_list_has(c->config->mayhem, "move_stream")};
	struct buf out;
	int err;

	server_dir(c, node, dir, sizeof(dir));
	text_format(path, sizeof(path), "%s/server.conf", dir);
	topology_base(c->config, name);
	buf_init(&out, CONF_WRITE_MAX);
	err = conf_merge_write(&l->confs[node - 1], &s, &out);
	if (err == 0)
		err = file_replace(path, buf_data(&out), buf_len(&out));
	buf_fini(&out);
	return err;
}

int
server_wipe(struct cluster *c, unsigned node)
{
	char path[CONFIG_PATH_MAX + 16];

	if (c->nodes[node - 1].pid != 0)
		return -EBUSY;
	server_store(c, node, path, sizeof(path));
	return file_remove_tree(path);
}

int
server_start(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	char dir[CONFIG_PATH_MAX],
	    conf[CONFIG_PATH_MAX + 32] = "", out[CONFIG_PATH_MAX + 32] = "";
	char name[] = "nats-server", flag[] = "-c";
	char *argv[] = {name, flag, conf, NULL};
	struct spawn_request r = {.path = n->bin,
	    .argv = argv,
	    .is_stopped = (c->needs & CLUSTER_CAN_CLOCK) != 0};
	pid_t pid;
	int fd, err;

	if (c->nodes[node - 1].pid != 0)
		return 0;
	if (!drives_answered(&l->drives, node))
		return -EBUSY;
	server_dir(c, node, dir, sizeof(dir));
	text_add(conf, sizeof(conf), "%s/server.conf", dir);
	text_add(out, sizeof(out), "%s/output.log", dir);
	fd = file_append(out);
	if (fd < 0) {
		chaos_fail_lack(c->chaos, fd, "open a server's log");
		return fd;
	}
	r.fds[r.nfds++] = (struct spawn_fd){fd, 1};
	r.fds[r.nfds++] = (struct spawn_fd){fd, 2};
	output_begin(c, node);
	pid = spawn(&r);
	close(fd);
	err = pid > 0 && r.is_stopped ? vdso_take_over(pid) : 0;
	if (err < 0) {
		spawn_end(pid);
		pid = err;
	}
	if (pid < 0) {
		chaos_fail_lack(c->chaos, (int)pid, "start a server");
		return (int)pid;
	}
	c->nodes[node - 1].pid = pid;
	n->should_run = true;
	n->died_ns = 0;
	return 0;
}

int
server_signal(struct cluster *c, unsigned node, int sig)
{
	if (c->nodes[node - 1].pid == 0)
		return -ESRCH;
	/* Not reaped yet, so the pid is still our server's. */
	return kill(c->nodes[node - 1].pid, sig) < 0 ? -errno : 0;
}

int
server_end(struct cluster *c, unsigned node, int sig)
{
	struct local *l = c->state;

	if (c->nodes[node - 1].pid != 0)
		l->nodes[node - 1].should_run = false;
	return server_signal(c, node, sig);
}

int
server_lame_duck(struct cluster *c, unsigned node)
{
	return server_end(c, node, SIGUSR2);
}

int
server_reload(struct cluster *c, unsigned node)
{
	int err;

	c->nodes[node - 1].config_mark++;
	err = server_write_config(c, node);
	return err < 0 ? err : server_signal(c, node, SIGHUP);
}

int
server_pause(struct cluster *c, unsigned node, bool paused)
{
	return server_signal(c, node, paused ? SIGSTOP : SIGCONT);
}

int
server_clock(struct cluster *c, unsigned node, int64_t ahead_ns)
{
	pid_t pid = c->nodes[node - 1].pid;

	return pid != 0 ? vdso_set_offset(pid, ahead_ns) : -ESRCH;
}

/* The third word of /proc/PID/stat; the second is a name in brackets. */
bool
server_is_paused(struct cluster *c, unsigned node)
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

bool
server_runs(struct cluster *c, unsigned node)
{
	return c->nodes[node - 1].pid != 0;
}

void
server_reap(struct cluster *c, unsigned node)
{
	struct local *l = c->state;
	struct local_node *n = &l->nodes[node - 1];
	int status;

	if (c->nodes[node - 1].pid == 0 ||
	    waitpid(c->nodes[node - 1].pid, &status, WNOHANG) <= 0)
		return;
	c->nodes[node - 1].pid = 0;
	output_end(c, node, status, !n->should_run);
	if (!n->should_run)
		return;
	n->died_ns = clock_mono_ns();
	log_warn("server %s ended by itself (exit code %d, signal %d): see "
		 "its log",
	    c->nodes[node - 1].name,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

bool
server_crashed(struct cluster *c, unsigned node)
{
	const struct local *l = c->state;

	return l->nodes[node - 1].died_ns != 0;
}

void
server_stop_all(struct cluster *c, int sig)
{
	uint64_t deadline = clock_mono_ns() + STOP_NS;
	unsigned i, left;

	for (i = 1; i <= c->n; i++)
		if (c->nodes[i - 1].pid != 0) {
			/* A server that has ended already is reaped below. */
			(void)server_signal(c, i, SIGCONT);
			(void)server_end(c, i, sig);
		}
	do {
		for (i = 1, left = 0; i <= c->n; i++) {
			server_reap(c, i);
			left += c->nodes[i - 1].pid != 0;
		}
		if (left == 0)
			return;
		chaos_wait(c->chaos, 10);
	} while (clock_mono_ns() < deadline);
	for (i = 1; i <= c->n; i++) {
		if (c->nodes[i - 1].pid == 0)
			continue;
		spawn_end(c->nodes[i - 1].pid);
		c->nodes[i - 1].pid = 0;
	}
}

void
server_last_words(struct cluster *c, unsigned node)
{
	char path[CONFIG_PATH_MAX + 32], line[256], last[256] = "";
	FILE *f;
	size_t i;
	static const char *const files[] = {"output.log", "server.log"};

	for (i = 0; i < 2; i++) {
		server_dir(c, node, path, CONFIG_PATH_MAX);
		text_add(path, sizeof(path), "/%s", files[i]);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		while (fgets(line, sizeof(line), f) != NULL)
			if (line[0] != '\n')
				text_set(last, sizeof(last), line);
		(void)fclose(f); /* it was only read */
		if (last[0] != '\0')
			break;
	}
	last[strcspn(last, "\n")] = '\0';
	server_dir(c, node, path, CONFIG_PATH_MAX);
	text_add(path, sizeof(path), "/server.conf");
	conf_merge_explain(path, last, sizeof(last));
	text_add(c->why, sizeof(c->why), "; %s said: %.200s",
	    c->nodes[node - 1].name, last);
}
