/* SPDX-License-Identifier: ISC */
/*
 * not_recovered: a raft group of the run does not become whole again.
 *
 * Rule (guarantees 13): a group (the meta group, a stream, a consumer) has no
 * leader, or its leader does not see all replicas current, or counts fewer
 * than are configured, and this has been so for longer than
 * --recover-timeout in which every server answered, no cause of a fault was
 * in force and nothing of natsburn stood still.
 *
 * Why no legal behaviour trips it: elections take 4-9 s and catching up
 * seconds, also after faults; the bound is many times as long, begins anew
 * with each fault, and only what monitoring says at its end convicts. What a
 * fault still hinders is not counted, however it was meant. Of somebody
 * else's cluster nobody knows whether its links are open: a warning. So is
 * what a minority of the servers has of a stream that comes and goes and that
 * nobody leads: the stream may be deleted, and that be left of it. And so is
 * all that comes after a server was set back to an older version: what a newer
 * one has written nobody promises that an older one reads (2.10 does not
 * catch up behind 2.15).
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/text.h"

#define TOLD_MAX 256 /* groups; further ones are not judged */

struct not_recovered_state {
	uint32_t servers, answering;
	bool answers[CONFIG_NODES_MAX];
	uint64_t answering_ns; /* when one of them began to answer last */
	uint32_t fault;	       /* the last one, and what it was */
	char last[140];
	unsigned long versions[CONFIG_NODES_MAX]; /* 2015 is 2.15; 0: none */
	bool was_set_back;	 /* a server, to an older version */
	uint64_t told[TOLD_MAX]; /* hashes of names */
	unsigned ntold;
};

static void
on_answers(struct check *c, const struct msg_server_answers *m)
{
	struct not_recovered_state *st = c->state;
	bool *answers;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	answers = &st->answers[m->node - 1];
	if (m->ok)
		st->answering_ns = c->now_ns;
	st->answering += m->ok != 0;
	st->answering -= *answers;
	*answers = m->ok != 0;
}

static void
on_planned(struct check *c, const struct msg_fault_planned *m)
{
	struct not_recovered_state *st = c->state;

	st->fault = m->fault;
	text_format(st->last, sizeof(st->last), "%s of %s", m->mode, m->target);
}

static void
on_node(struct not_recovered_state *st, const struct msg_node *m)
{
	char *end;
	unsigned long version = 1000 * strtoul(m->version, &end, 10);

	if (m->node < 1 || m->node > CONFIG_NODES_MAX || *end != '.')
		return;
	version += strtoul(end + 1, NULL, 10);
	st->was_set_back |= version < st->versions[m->node - 1];
	st->versions[m->node - 1] = version;
}

static bool
was_told(struct not_recovered_state *st, const struct msg_group_sick *m)
{
	uint64_t hash = text_hash(TEXT_HASH ^ m->what, m->name);
	unsigned i;

	for (i = 0; i < st->ntold; i++)
		if (st->told[i] == hash)
			return true;
	if (st->ntold == TOLD_MAX)
		return true;
	st->told[st->ntold++] = hash;
	return false;
}

/* The stream, also of a consumer, is there for the whole run. */
static bool
is_lasting(const struct check *c, const struct msg_group_sick *m)
{
	return m->what == 1 || ledger_stream_named(c->ledger, m->name) != NULL;
}

static enum anomaly_class
class_of(const struct check *c, const struct msg_group_sick *m)
{
	const struct not_recovered_state *st = c->state;

	if (st->was_set_back || strcmp(c->config->cluster, "external") == 0)
		return CLASS_WARNING;
	if (m->is_led || 2 * m->servers > c->config->replicas)
		return CLASS_VIOLATION;
	return is_lasting(c, m) ? CLASS_VIOLATION : CLASS_WARNING;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
on_sick(struct check *c, const struct msg_group_sick *m)
{
	static const char *const kinds[] = {
	    "group", "the meta group", "stream ", "consumer "};
	struct not_recovered_state *st = c->state;
	struct anomaly a = {.kind = ANOMALY_NOT_RECOVERED,
	    .class = class_of(c, m),
	    .fault = st->fault};
	uint64_t since_ns = later(c->now_ns - m->sick_ns, st->answering_ns);
	uint64_t calm_ns = faults_calm_since(c->faults);

	if (st->servers == 0 || st->answering != st->servers ||
	    calm_ns == UINT64_MAX)
		return;
	since_ns = later(since_ns, calm_ns);
	if (c->now_ns - since_ns <= c->config->recover_timeout_ns ||
	    was_told(st, m))
		return;
	check_raise(c, &a,
	    "%s%s%.128s is not whole for %.1f s in which all %u servers "
	    "answered "
	    "and no fault was in force%s%.140s%s%s: %.320s",
	    kinds[m->what < 4 ? m->what : 0],
	    m->what == 1 && m->name[0] != '\0' ? " of " : "", m->name,
	    (double)(c->now_ns - since_ns) / 1e9, st->servers,
	    st->fault != 0 ? " (the last was " : "", st->last,
	    st->fault != 0 ? ")" : "",
	    st->was_set_back ? ", and a server had been set back to an older "
			       "version"
			     : "",
	    m->says);
}

static int
not_recovered_event(struct check *c, const struct event *ev)
{
	struct not_recovered_state *st = c->state;

	if (ev->type == MESSAGE_GROUP_SICK)
		on_sick(c, &ev->u.group_sick);
	else if (ev->type == MESSAGE_SERVER_ANSWERS)
		on_answers(c, &ev->u.server_answers);
	else if (ev->type == MESSAGE_FAULT_PLANNED)
		on_planned(c, &ev->u.fault_planned);
	else if (ev->type == MESSAGE_NODE)
		on_node(st, &ev->u.node);
	else
		st->servers = ev->u.cluster_up.size;
	return 0;
}

static const enum message_type types[] = {MESSAGE_GROUP_SICK,
    MESSAGE_SERVER_ANSWERS, MESSAGE_FAULT_PLANNED, MESSAGE_NODE,
    MESSAGE_CLUSTER_UP, 0};

static const enum message_type judges[] = {
    MESSAGE_FAULT_PLANNED, MESSAGE_GROUP_SICK, 0};

const struct check_ops check_not_recovered = {
    .name = "not_recovered",
    .summary = "after faults every group is whole again in --recover-timeout",
    .rule = "guarantees 13",
    .types = types,
    .unit = "faults and sick groups",
    .judges = judges,
    .state_size = sizeof(struct not_recovered_state),
    .event = not_recovered_event,
    .stands_alone = true,
};
