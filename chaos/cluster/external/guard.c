/* SPDX-License-Identifier: ISC */
/* The guard; see guard.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "chaos/cluster/external/guard.h"
#include "proto/base/sig.h"
#include "proto/base/spawn.h"

#define DOWN	 3 /* its descriptors */
#define UP	 4
#define START_MS 10000

/* What it is told: less than a pipe tears. */
struct note {
	uint64_t start;
	pid_t pid;
	bool is_stopped;
};

int
guard_start(struct guard *g)
{
	/* No --child=: natsburn kills those that it doesn't know. */
	char title[] = "natsburn-guard", role[] = "--guard";
	char *argv[] = {title, role, NULL};
	struct spawn_request r = {.path = "/proc/self/exe", .argv = argv};
	int down[2], up[2], err;
	struct pollfd p;
	char ready;

	err = spawn_pipes(down, up);
	if (err < 0)
		return err;
	r.fds[r.nfds++] = (struct spawn_fd){down[0], DOWN};
	r.fds[r.nfds++] = (struct spawn_fd){up[1], UP};
	g->pid = spawn(&r);
	close(down[0]);
	close(up[1]);
	g->down = down[1];
	g->up = up[0];
	err = g->pid < 0 ? (int)g->pid : 0;
	p = (struct pollfd){.fd = g->up, .events = POLLIN};
	if (err == 0 &&
	    (poll(&p, 1, START_MS) != 1 || read(g->up, &ready, 1) != 1))
		err = -ETIMEDOUT;
	if (err < 0) {
		spawn_end(g->pid);
		close(g->down);
		close(g->up);
		g->pid = 0;
	}
	return err;
}

int
guard_note(struct guard *g, const struct process *p, bool is_stopped)
{
	struct note n;

	memset(&n, 0, sizeof(n));
	n.start = p->start;
	n.pid = p->pid;
	n.is_stopped = is_stopped;
	if (!guard_runs(g))
		return -EPIPE;
	return write(g->down, &n, sizeof(n)) == (ssize_t)sizeof(n) ? 0 : -EPIPE;
}

bool
guard_runs(const struct guard *g)
{
	struct pollfd p = {.fd = g->up, .events = POLLIN};

	return g->pid != 0 && poll(&p, 1, 0) == 0;
}

void
guard_stop(struct guard *g)
{
	if (g->pid == 0)
		return;
	close(g->down);
	(void)waitpid(g->pid, NULL, 0); /* that is what it ends at */
	close(g->up);
	g->pid = 0;
}

/* The process that was noted, for the caller to close: false if it ended. */
static bool
open_noted(const struct note *n, struct process *p)
{
	if (process_open(p, n->pid) < 0)
		return false;
	if (p->start != n->start)
		process_close(p);
	return p->pid != 0;
}

static void
take_note(struct note *stopped, const struct note *n)
{
	unsigned i, place = CONFIG_NODES_MAX;
	struct process p;

	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if (stopped[i].is_stopped && open_noted(&stopped[i], &p))
			process_close(&p);
		else
			stopped[i].is_stopped = false;
		if (stopped[i].pid == n->pid)
			stopped[i].is_stopped = false;
		if (!stopped[i].is_stopped)
			place = i;
	}
	if (n->is_stopped && place < CONFIG_NODES_MAX)
		stopped[place] = *n;
}

static void
continue_one(const struct note *n)
{
	struct process p;

	if (!open_noted(n, &p))
		return;
	(void)process_signal(&p, SIGCONT); /* there is no other way */
	process_close(&p);
}

int
guard_main(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct note stopped[CONFIG_NODES_MAX], n;
	unsigned i;

	memset(stopped, 0, sizeof(stopped));
	/* Who ends natsburn in order must not end this one before. */
	sig_hold(signals, sizeof(signals) / sizeof(signals[0]));
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 || write(UP, "", 1) != 1)
		return 1;
	while (read(DOWN, &n, sizeof(n)) == (ssize_t)sizeof(n))
		take_note(stopped, &n);
	for (i = 0; i < CONFIG_NODES_MAX; i++)
		if (stopped[i].is_stopped)
			continue_one(&stopped[i]);
	return 0;
}
