/* SPDX-License-Identifier: ISC */
/*
 * leak: a server does not give back what the load took.
 *
 * Rule (guarantees 22): when the load is over and its clients are gone, a
 * server holds about what it held before. Nobody promises how much that is,
 * so more is a warning; it is a violation that a server exceeds, at any time,
 * a limit that the user has set.
 *
 * Why no legal behaviour trips it: a level counts as grown only when it is
 * more than twice what it was and a margin, which grows with the streams and
 * consumers that the server has more; the lowest of several samples is taken;
 * short runs, and servers that were just started, are not judged. On an
 * external cluster others may be at work: there only limits are looked at.
 */
#include <string.h>

#include "orchestrator/judge/check.h"
#include "orchestrator/judge/levels.h"
#include "proto/base/text.h"

struct leak_state {
	struct levels levels;
	bool is_server[CONFIG_NODES_MAX];
	bool is_over[CONFIG_NODES_MAX][LEVELS_KINDS]; /* a limit: it was said */
	char phase[16];
};

static uint64_t
limit_of(const struct run_config *c, unsigned kind)
{
	switch (kind) {
	case LEVELS_MEMORY:
		return c->limit_memory;
	case LEVELS_GOROUTINES:
		return c->limit_goroutines;
	case LEVELS_FILES:
		return c->limit_files;
	default:
		return 0;
	}
}

static void
look_at_limits(struct check *c, uint32_t node, uint64_t now_ns)
{
	struct leak_state *st = c->state;
	const struct levels_server *s = &st->levels.servers[node - 1];
	struct anomaly a = {.kind = ANOMALY_LEAK};
	uint64_t limit;
	unsigned k;

	for (k = 0; k < LEVELS_KINDS; k++) {
		limit = limit_of(c->config, k);
		check_judged(c, limit != 0 && s->now[k] != 0);
		if (limit == 0 || s->now[k] <= limit ||
		    st->is_over[node - 1][k])
			continue;
		st->is_over[node - 1][k] = true;
		check_raise(c, &a,
		    "server %s has %llu %s, more than --limit-server-%s %llu, "
		    "in phase %s, %.0f s after it was first seen to run",
		    s->name, (unsigned long long)s->now[k], levels_what(k),
		    levels_name(k), (unsigned long long)limit, st->phase,
		    (double)(now_ns - s->boot_ns) / 1e9);
	}
}

static int
leak_event(struct check *c, const struct event *ev)
{
	struct leak_state *st = c->state;
	uint32_t node = ev->u.server_level.node;

	if (ev->type == MESSAGE_NODE) {
		node = ev->u.node.node;
		if (node >= 1 && node <= CONFIG_NODES_MAX)
			st->is_server[node - 1] = true;
		return 0;
	}
	levels_event(&st->levels, ev);
	if (ev->type == MESSAGE_PHASE)
		text_set(st->phase, sizeof(st->phase), ev->u.phase.name);
	else if (ev->type == MESSAGE_SERVER_LEVEL && node >= 1 &&
		 node <= CONFIG_NODES_MAX)
		look_at_limits(c, node, ev->time_ns);
	return 0;
}

static void
tell_growth(struct check *c, const struct levels_server *s, unsigned k)
{
	struct anomaly a = {.kind = ANOMALY_LEAK, .class = CLASS_WARNING};
	char more[96] = "";

	if (s->assets > s->before_assets && k != LEVELS_CONNECTIONS)
		text_format(more, sizeof(more),
		    ", and for %llu streams and consumers that it has more",
		    (unsigned long long)(s->assets - s->before_assets));
	check_raise(c, &a,
	    "server %s has %llu %s after the load, when its clients are gone "
	    "(the lowest of %llu samples in %.1f s), and had %llu before; "
	    "expected are at most %llu: twice as many, a margin%s; the most "
	    "was %llu",
	    s->name, (unsigned long long)s->after[k], levels_what(k),
	    (unsigned long long)s->nafter,
	    (double)(s->after_to_ns - s->after_from_ns) / 1e9,
	    (unsigned long long)s->before[k],
	    (unsigned long long)levels_bound(s, k), more,
	    (unsigned long long)s->highest[k]);
}

/* A limit that nobody could look at holds nothing. */
static void
doubt_limits(struct check *c)
{
	const struct leak_state *st = c->state;
	const struct levels_server *s;
	unsigned i, k, n = 0;

	for (k = 0; k < LEVELS_KINDS; k++) {
		if (limit_of(c->config, k) == 0)
			continue;
		for (i = n = 0; i < CONFIG_NODES_MAX; i++) {
			s = &st->levels.servers[i];
			n += st->is_server[i];
			if (!st->is_server[i] || s->highest[k] != 0)
				continue;
			check_doubt(c,
			    "--limit-server-%s was not looked at: server %u "
			    "does not tell its %s",
			    levels_name(k), i + 1, levels_what(k));
			break;
		}
		if (n == 0)
			check_doubt(c,
			    "--limit-server-%s was not looked at: there are no "
			    "servers",
			    levels_name(k));
	}
}

static void
leak_finish(struct check *c)
{
	const struct leak_state *st = c->state;
	const struct levels_server *s;
	enum levels_state state;
	unsigned i, k;

	doubt_limits(c);
	if (strcmp(c->config->cluster, "external") == 0)
		return;
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		s = &st->levels.servers[i];
		for (k = 0; k < LEVELS_KINDS; k++) {
			state = levels_state(&st->levels, s, k);
			check_judged(
			    c, state == LEVELS_WITHIN || state == LEVELS_GROWN);
			if (state == LEVELS_GROWN)
				tell_growth(c, s, k);
		}
	}
}

static const enum message_type types[] = {
    MESSAGE_SERVER_LEVEL, MESSAGE_PHASE, MESSAGE_SETTLED, MESSAGE_NODE, 0};

const struct check_ops check_leak = {
    .name = "leak",
    .summary = "servers give back what the load took, and keep to limits",
    .rule = "guarantees 22",
    .types = types,
    .unit = "levels of servers",
    .state_size = sizeof(struct leak_state),
    .event = leak_event,
    .finish = leak_finish,
    .is_of_servers = true,
};
