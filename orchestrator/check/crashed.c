/* SPDX-License-Identifier: ISC */
/*
 * crashed: a server ended by itself, or reports a data race.
 *
 * Rule (guarantees 17): a server runs until it is told to end. A panic, a
 * fatal error of its runtime, a data race, and an end that nobody asked for
 * convict, whatever faults are in force: none allows them.
 *
 * Why no legal behaviour trips it: a signal that somebody else has sent, an
 * orderly shutdown, which a signal begins, and what the host refused (memory,
 * threads, a port, a full disk) are told apart by the server's own output;
 * they are warnings. So is an end of which the output could not be read.
 */
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/text.h"

#define SAYS_MAX 1024

struct crashed_state {
	uint32_t fault; /* the last one, and what it was */
	char last[140];
	char versions[CONFIG_NODES_MAX][32];
	bool is_ours[CONFIG_NODES_MAX]; /* its end would be seen */
	/*
	 * Servers that ended by themselves, as the faults have it, and the
	 * first; how each did older histories don't tell.
	 */
	uint64_t crashes, told;
	uint32_t first;
	char server[96];
};

static void
watch(struct check *c, uint32_t node)
{
	struct crashed_state *st = c->state;

	if (node < 1 || node > CONFIG_NODES_MAX)
		return;
	check_judged(c, !st->is_ours[node - 1]);
	st->is_ours[node - 1] = true;
}

static const char *
version_of(const struct crashed_state *st, uint32_t node)
{
	return node >= 1 && node <= CONFIG_NODES_MAX &&
		       st->versions[node - 1][0] != '\0'
		   ? st->versions[node - 1]
		   : "version not known";
}

static void
add_fault(const struct crashed_state *st, char *says)
{
	if (st->fault == 0)
		text_add(says, SAYS_MAX, "; no fault had been in force");
	else
		text_add(says, SAYS_MAX, "; the last fault was %s", st->last);
}

static void
add_frames(char *says, const char *frames)
{
	if (frames[0] != '\0')
		text_add(says, SAYS_MAX, ", in %s", frames);
}

static enum anomaly_class
class_of(const struct msg_server_ended *m)
{
	if (m->cause == CAUSE_PANIC || m->cause == CAUSE_FATAL)
		return CLASS_VIOLATION;
	return m->cause == CAUSE_NONE && m->is_read ? CLASS_VIOLATION
						    : CLASS_WARNING;
}

static void
add_cause(const struct msg_server_ended *m, char *says)
{
	static const char *const causes[] = {
	    [CAUSE_SIGNAL] = "somebody else has sent it a signal",
	    [CAUSE_SHUTDOWN] = "it shut down in order, as it does when it "
			       "gets a signal",
	    [CAUSE_HOST] = "the host, or its configuration, did not let it run",
	};

	if (m->cause < sizeof(causes) / sizeof(causes[0]) &&
	    causes[m->cause] != NULL)
		text_add(says, SAYS_MAX, ": %s", causes[m->cause]);
	else if (m->cause == CAUSE_NONE)
		text_add(says, SAYS_MAX, ": %s",
		    m->is_read ? "its output does not say why"
			       : "its output could not be read");
	if (m->says[0] != '\0')
		text_add(says, SAYS_MAX, ": %s%s",
		    m->cause == CAUSE_NONE || m->cause == CAUSE_SHUTDOWN
			? "its last error was "
			: "",
		    m->says);
	add_frames(says, m->frames);
	if (m->oom_kills > 0)
		text_add(says, SAYS_MAX,
		    "; while it ran the kernel killed %llu process%s for lack "
		    "of memory",
		    (unsigned long long)m->oom_kills,
		    m->oom_kills == 1 ? "" : "es");
}

static void
on_ended(struct check *c, const struct msg_server_ended *m)
{
	struct crashed_state *st = c->state;
	struct anomaly a = {
	    .kind = ANOMALY_CRASHED, .class = class_of(m), .fault = st->fault};
	char says[SAYS_MAX] = "";

	watch(c, m->node);
	st->told++;
	text_add(says, sizeof(says), "server %s (%s) %s", m->name,
	    version_of(st, m->node),
	    m->asked ? "crashed when it was told to end" : "ended by itself");
	if (m->lived_ns > 0)
		text_add(says, sizeof(says), " %.1f s after its start",
		    (double)m->lived_ns / 1e9);
	if (m->signal != 0)
		text_add(says, sizeof(says), " by signal %u", m->signal);
	else
		text_add(says, sizeof(says), " with exit code %u", m->code);
	add_cause(m, says);
	add_fault(st, says);
	check_raise(c, &a, "%s", says);
}

static void
on_race(struct check *c, const struct msg_server_race *m)
{
	struct crashed_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_CRASHED, .fault = st->fault};
	char says[SAYS_MAX] = "";

	watch(c, m->node);
	text_add(says, sizeof(says), "server %s (%s) reports a data race",
	    m->name, version_of(st, m->node));
	add_frames(says, m->frames);
	add_fault(st, says);
	check_raise(c, &a, "%s", says);
}

static void
on_node(struct check *c, const struct msg_node *n)
{
	struct crashed_state *st = c->state;

	if (n->node >= 1 && n->node <= CONFIG_NODES_MAX)
		text_set(st->versions[n->node - 1], sizeof(st->versions[0]),
		    n->version);
	if (n->pid != 0)
		watch(c, n->node);
}

static void
on_planned(struct crashed_state *st, const struct msg_fault_planned *m)
{
	if (strcmp(m->mode, "crash") != 0) {
		st->fault = m->fault;
		text_format(
		    st->last, sizeof(st->last), "%s of %s", m->mode, m->target);
	} else if (++st->crashes == 1) {
		st->first = m->fault;
		text_set(st->server, sizeof(st->server), m->target);
	}
}

static int
crashed_event(struct check *c, const struct event *ev)
{
	struct crashed_state *st = c->state;

	if (ev->type == MESSAGE_SERVER_ENDED)
		on_ended(c, &ev->u.server_ended);
	else if (ev->type == MESSAGE_SERVER_RACE)
		on_race(c, &ev->u.server_race);
	else if (ev->type == MESSAGE_FAULT_PLANNED)
		on_planned(st, &ev->u.fault_planned);
	else
		on_node(c, &ev->u.node);
	return 0;
}

static void
crashed_finish(struct check *c)
{
	const struct crashed_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_CRASHED,
	    .class = CLASS_WARNING,
	    .fault = st->first};

	if (st->crashes > 0 && st->told == 0)
		check_raise(c, &a,
		    "server %s ended by itself, and how is not in the history "
		    "(%llu times that a server did)",
		    st->server, (unsigned long long)st->crashes);
}

static const enum message_type types[] = {MESSAGE_SERVER_ENDED,
    MESSAGE_SERVER_RACE, MESSAGE_FAULT_PLANNED, MESSAGE_NODE, 0};

const struct check_ops check_crashed = {
    .name = "crashed",
    .summary = "a server runs until it is told to end, without data races",
    .rule = "guarantees 17",
    .types = types,
    .unit = "servers",
    .state_size = sizeof(struct crashed_state),
    .event = crashed_event,
    .finish = crashed_finish,
    .stands_alone = true,
    .is_of_servers = true,
};
