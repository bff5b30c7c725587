/* SPDX-License-Identifier: ISC */
/* Processes of others' servers; see processes.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "chaos/cluster/external/info.h"
#include "chaos/cluster/external/processes.h"
#include "chaos/health.h"
#include "chaos/internal.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"

#define FIND_NS	 (10 * CLOCK_S) /* a unit's process, and whom it serves */
#define AGAIN_NS (200 * CLOCK_MS)
#define NEEDS	 (CLUSTER_CAN_PAUSE | CLUSTER_CAN_RELOAD | CLUSTER_CAN_RESTART)
#define PID_LAST 4194304 /* Linux has no higher one */

static const char *const step_words[][6] = {
    [STEP_RESET] = {"reset-failed", NULL},
    [STEP_START] = {"start", "--no-block", NULL},
    [STEP_SHOW] = {"show", "--property=MainPID", "--value", NULL},
};

static struct processes_node *
node_of(struct cluster *c, unsigned node)
{
	struct processes *p = c->state;

	return &p->nodes[node - 1];
}

int
processes_validate(const struct run_config *c, char *why)
{
	const char *list = c->pid;
	char item[CONFIG_LIST_MAX];
	uint64_t pid;

	why[0] = '\0';
	if (c->pid[0] != '\0' && c->unit[0] != '\0')
		text_set(why, OPTION_WHY_MAX,
		    "--pid and --unit: only one of them can be given");
	while (why[0] == '\0' && text_next_item(&list, item, sizeof(item)))
		if (text_to_u64(item, PID_LAST, &pid) < 0 || pid < 2)
			text_format(why, OPTION_WHY_MAX,
			    "--pid \"%.100s\": must be numbers of processes",
			    item);
	return why[0] == '\0' ? 0 : -EINVAL;
}

unsigned
processes_lack(const struct run_config *c)
{
	if (c->monitor[0] == '\0' || (c->pid[0] == '\0' && c->unit[0] == '\0'))
		return NEEDS;
	return c->unit[0] == '\0' ? CLUSTER_CAN_RESTART : 0;
}

int
processes_prepare(struct cluster *c)
{
	unsigned lacks = c->needs & processes_lack(c->config), i = 0;
	bool is_blind = c->config->monitor[0] == '\0';

	if (lacks == 0)
		return 0;
	while ((lacks & (1U << i)) == 0)
		i++;
	text_format(c->why, sizeof(c->why),
	    "mayhem %s on a cluster that isn't natsburn's needs %s%s",
	    c->needed_by[i]->name,
	    i == CLUSTER_ABILITY_RESTART
		? "--unit, for systemd brings its servers back"
		: "--pid or --unit, its servers' processes on this host",
	    is_blind ? ", and --monitor" : "");
	return -ENOTSUP;
}

/* Run the step's question to systemd; the next one comes when it is over. */
static void
ask(struct processes_node *o, enum processes_step step)
{
	o->step = step;
	if (systemctl_begin(&o->asked, step_words[step], o->unit) < 0)
		o->next_ns = clock_mono_ns() + AGAIN_NS;
}

/* systemd has named the unit's process: is it there, and another one? */
static void
take_main(struct processes_node *o)
{
	struct process p;
	uint64_t pid;

	o->next_ns = clock_mono_ns() + AGAIN_NS;
	if (text_to_u64(o->asked.out, PID_LAST, &pid) < 0 || pid < 2 ||
	    process_open(&p, (pid_t)pid) < 0)
		return;
	if (process_check_server(&p) < 0) {
		process_close(&p); /* what starts it, it may be */
		return;
	}
	o->process = p;
	o->step = STEP_NONE;
	o->was_told = false;
}

static void
tend_unit(struct processes_node *o)
{
	int code;

	if (o->step == STEP_NONE || clock_mono_ns() < o->next_ns)
		return;
	if (o->asked.pid == 0) {
		ask(o, o->step);
		return;
	}
	if (!systemctl_step(&o->asked, &code))
		return;
	if (code != 0 && o->step == STEP_START)
		log_warn("systemctl start %s: exit code %d: %.200s", o->unit,
		    code, o->asked.out);
	switch (o->step) {
	case STEP_RESET:
		ask(o, STEP_START);
		break;
	case STEP_START:
		ask(o, STEP_SHOW);
		break;
	case STEP_SHOW:
		take_main(o);
		break;
	case STEP_NONE:
		break;
	}
}

void
processes_tend(struct cluster *c)
{
	struct processes *p = c->state;
	struct processes_node *o;
	unsigned i;

	if (!p->are_needed)
		return;
	if (!guard_runs(&p->guard))
		chaos_fail(c->chaos, "the process that continues stopped "
				     "servers ended");
	for (i = 0; i < c->n; i++) {
		o = &p->nodes[i];
		if (o->process.pid != 0 && !process_runs(&o->process)) {
			log_info("the process of %s ended", c->nodes[i].name);
			process_close(&o->process);
			o->is_paused = false;
			if (!o->was_told && o->unit[0] != '\0')
				ask(o, STEP_SHOW);
		}
		tend_unit(o);
		c->nodes[i].pid = o->process.pid;
	}
}

/* May it be looked at and signalled? 0, or -ENOTSUP with why. */
static int
check_process(
    struct cluster *c, const struct processes_node *o, bool wants_config)
{
	int err = process_check_server(&o->process);

	if (err == 0)
		err = process_signal(&o->process, 0);
	if (err == -ENOEXEC)
		text_format(c->why, sizeof(c->why),
		    "process %d is no nats-server", (int)o->process.pid);
	else if (err < 0)
		text_format(c->why, sizeof(c->why),
		    "process %d can't be looked at and signalled: %s; run "
		    "natsburn as its user, or as root",
		    (int)o->process.pid, strerror(-err));
	else if (wants_config && !process_has_config(&o->process))
		text_format(c->why, sizeof(c->why),
		    "mayhem %s: process %d was started without --config, and "
		    "has nothing to read again",
		    c->needed_by[CLUSTER_ABILITY_RELOAD]->name,
		    (int)o->process.pid);
	return c->why[0] == '\0' ? 0 : -ENOTSUP;
}

/* Which of the n processes serves this address: its place, or n. */
static unsigned
find_server(struct cluster *c, const struct processes_node *list, unsigned n,
    unsigned node)
{
	uint64_t deadline = clock_mono_ns() + FIND_NS;
	unsigned i = n;
	int fd = info_connect(c->nodes[node - 1].url);

	while (fd >= 0 && i == n && clock_mono_ns() < deadline &&
	       !chaos_is_stopping(c->chaos)) {
		for (i = 0; i < n && !process_has_peer(&list[i].process, fd);
		     i++)
			;
		if (i == n)
			chaos_wait(c->chaos, 20);
	}
	if (fd >= 0)
		close(fd);
	return i;
}

/* The next process that the options name, in *o. 0, or -ENOTSUP with why. */
static int
open_named(struct cluster *c, const char *name, struct processes_node *o)
{
	uint64_t deadline = clock_mono_ns() + FIND_NS, pid = 0;
	int err = 0;

	if (c->config->unit[0] == '\0') {
		(void)text_to_u64(name, PID_LAST, &pid); /* was validated */
		err = process_open(&o->process, (pid_t)pid);
	} else {
		text_set(o->unit, sizeof(o->unit), name);
		ask(o, STEP_SHOW);
		while (o->step != STEP_NONE && clock_mono_ns() < deadline &&
		       !chaos_is_stopping(c->chaos)) {
			chaos_wait(c->chaos, 20);
			tend_unit(o);
		}
		systemctl_end(&o->asked);
		if (o->step != STEP_NONE)
			err = -ESRCH;
	}
	if (err == 0)
		return 0;
	text_format(c->why, sizeof(c->why), "--%s \"%.100s\": %s%s%.200s",
	    o->unit[0] != '\0' ? "unit" : "pid", name,
	    o->unit[0] != '\0' ? "has no nats-server that runs"
			       : strerror(-err),
	    o->asked.out[0] != '\0' ? "; systemctl says " : "", o->asked.out);
	return -ENOTSUP;
}

/* Give each server its process. 0, or -ENOTSUP with why. */
static int
match(struct cluster *c, struct processes *p, struct processes_node *list,
    unsigned n)
{
	unsigned node, i;

	for (node = 1; node <= c->n; node++) {
		i = find_server(c, list, n, node);
		if (i == n) {
			text_format(c->why, sizeof(c->why),
			    "none of the processes that --%s names is at the "
			    "other end of a connection to server %s, and "
			    "faults need those of all",
			    c->config->unit[0] != '\0' ? "unit" : "pid",
			    c->nodes[node - 1].name);
			return -ENOTSUP;
		}
		p->nodes[node - 1] = list[i];
		c->nodes[node - 1].pid = list[i].process.pid;
		list[i].process.pid = 0;
	}
	for (i = 0; i < n; i++)
		if (list[i].process.pid != 0) {
			text_format(c->why, sizeof(c->why),
			    "process %d serves no address of --url",
			    (int)list[i].process.pid);
			return -ENOTSUP;
		}
	return 0;
}

int
processes_find(struct cluster *c)
{
	struct processes *p = c->state;
	const char *names =
	    c->config->unit[0] != '\0' ? c->config->unit : c->config->pid;
	struct processes_node list[CONFIG_NODES_MAX] = {0};
	char name[128];
	unsigned n = 0, i;
	int err = 0;

	if ((c->needs & NEEDS) == 0)
		return 0;
	while (err == 0 && n < CONFIG_NODES_MAX &&
	       text_next_item(&names, name, sizeof(name))) {
		err = open_named(c, name, &list[n++]);
		if (err == 0)
			err = check_process(c, &list[n - 1],
			    (c->needs & CLUSTER_CAN_RELOAD) != 0);
	}
	if (err == 0)
		err = match(c, p, list, n);
	for (i = 0; i < n; i++)
		process_close(&list[i].process);
	if (err == 0)
		err = guard_start(&p->guard);
	p->are_needed = err == 0;
	return err;
}

void
processes_leave(struct cluster *c)
{
	struct processes *p = c->state;
	struct processes_node *o;
	unsigned i;

	for (i = 1; i <= CONFIG_NODES_MAX; i++) {
		o = node_of(c, i);
		if (o->is_paused)
			(void)processes_pause(c, i, false); /* or it ended */
		process_close(&o->process);
		systemctl_end(&o->asked);
	}
	guard_stop(&p->guard);
	p->are_needed = false;
}

int
processes_start(struct cluster *c, unsigned node)
{
	struct processes_node *o = node_of(c, node);

	if (o->process.pid == 0 && o->step == STEP_NONE)
		ask(o, STEP_RESET);
	return 0;
}

int
processes_stop(struct cluster *c, unsigned node, int sig)
{
	struct processes_node *o = node_of(c, node);

	o->was_told = true;
	return process_signal(&o->process, sig);
}

int
processes_reload(struct cluster *c, unsigned node)
{
	struct health_varz v;

	/* It reads what its owner has configured: nothing is changed. */
	if (health_varz(c->health, node, &v))
		c->nodes[node - 1].config_mark = v.max_connections;
	return process_signal(&node_of(c, node)->process, SIGHUP);
}

const char *
processes_reload_how(struct cluster *c, unsigned node)
{
	(void)c; /* all are told alike */
	(void)node;
	return "SIGHUP, its configuration as it is";
}

int
processes_pause(struct cluster *c, unsigned node, bool paused)
{
	struct processes *p = c->state;
	struct processes_node *o = node_of(c, node);
	int err;

	if (paused) {
		err = guard_note(&p->guard, &o->process, true);
		if (err < 0)
			return err;
		o->is_paused = true;
		return process_signal(&o->process, SIGSTOP);
	}
	err = process_signal(&o->process, SIGCONT);
	if (err == 0 && o->is_paused)
		err = guard_note(&p->guard, &o->process, false);
	if (err == 0)
		o->is_paused = false;
	return err;
}

bool
processes_is_paused(struct cluster *c, unsigned node)
{
	return process_is_stopped(&node_of(c, node)->process);
}

bool
processes_is_running(struct cluster *c, unsigned node)
{
	return process_runs(&node_of(c, node)->process);
}
