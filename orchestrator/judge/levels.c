/* SPDX-License-Identifier: ISC */
/* What servers hold; see levels.h. */
#include <string.h>

#include "orchestrator/judge/levels.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

/* What a byte of a message in memory costs at the most, all told. */
#define STORED_COST 4

static const struct measure {
	const char *name, *what;
	uint64_t margin, asset, warm_ns, least_ns;
} measures[LEVELS_KINDS] = {
#define X(KIND, kind, what, margin, asset, warm, least)                        \
	[LEVELS_##KIND] = {                                                    \
	    #kind, what, margin, asset, warm * CLOCK_S, least * CLOCK_S},
    LEVELS(X)
#undef X
};

const char *
levels_name(enum levels_kind kind)
{
	return measures[kind].name;
}

const char *
levels_what(enum levels_kind kind)
{
	return measures[kind].what;
}

/* It was running before the workers were started. */
static bool
is_first(const struct levels *l, const struct levels_server *s)
{
	return l->load_ns == 0 || s->boot_ns < l->load_ns;
}

/* Up to here what it holds is its level before, 0: as long as no load is. */
static uint64_t
before_until(const struct levels *l, const struct levels_server *s,
    enum levels_kind kind)
{
	uint64_t warm = measures[kind].warm_ns;

	if (!is_first(l, s))
		return s->boot_ns + warm;
	if (kind == LEVELS_MEMORY)
		return l->load_ns != 0 ? l->load_ns + warm : 0;
	return l->load_ns;
}

static void
take_level(struct levels *l, struct levels_server *s, uint64_t now_ns)
{
	uint64_t until, lowest;
	unsigned k;

	for (k = 0; k < LEVELS_KINDS; k++) {
		until = before_until(l, s, k);
		if ((until == 0 || now_ns < until) && s->now[k] > s->before[k])
			s->before[k] = s->now[k];
		if (s->now[k] > s->highest[k]) {
			s->highest[k] = s->now[k];
			s->highest_ns[k] = now_ns;
		}
		lowest = s->nafter > 0 && s->after[k] < s->now[k] ? s->after[k]
								  : s->now[k];
		if (l->settle_ns != 0)
			s->after[k] = lowest;
	}
	if (is_first(l, s)
		? l->load_ns == 0
		: now_ns < s->boot_ns + measures[LEVELS_GOROUTINES].warm_ns) {
		s->before_assets = s->assets;
		s->before_stored = s->stored;
	}
	if (l->settle_ns == 0)
		return;
	if (s->nafter++ == 0)
		s->after_from_ns = now_ns;
	s->after_to_ns = now_ns;
}

static void
on_level(struct levels *l, const struct msg_server_level *m, uint64_t now_ns)
{
	struct levels_server *s;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	s = &l->servers[m->node - 1];
	if (s->boot != m->boot) {
		s->boot = m->boot;
		s->boot_ns = now_ns;
		memset(s->before, 0, sizeof(s->before));
		memset(s->after, 0, sizeof(s->after));
		s->before_assets = s->before_stored = s->nafter = 0;
	}
	text_set(s->name, sizeof(s->name), m->name);
	s->now[LEVELS_MEMORY] = m->memory;
	s->now[LEVELS_GOROUTINES] = m->goroutines;
	s->now[LEVELS_FILES] = m->files;
	s->now[LEVELS_SUBSCRIPTIONS] = m->subscriptions;
	s->now[LEVELS_CONNECTIONS] = m->connections;
	s->assets = m->assets;
	s->stored = m->stored;
	take_level(l, s, now_ns);
}

void
levels_event(struct levels *l, const struct event *ev)
{
	if (ev->type == MESSAGE_SERVER_LEVEL)
		on_level(l, &ev->u.server_level, ev->time_ns);
	else if (ev->type == MESSAGE_SETTLED)
		l->is_settled = ev->u.settled.ok != 0;
	else if (ev->type != MESSAGE_PHASE)
		return;
	else if (strcmp(ev->u.phase.name, "start") == 0)
		l->load_ns = ev->time_ns;
	else if (strcmp(ev->u.phase.name, "settle") == 0)
		l->settle_ns = ev->time_ns;
}

uint64_t
levels_bound(const struct levels_server *s, enum levels_kind kind)
{
	const struct measure *m = &measures[kind];
	uint64_t bound = 2 * s->before[kind] + m->margin;

	if (s->assets > s->before_assets)
		bound += (s->assets - s->before_assets) * m->asset;
	if (kind == LEVELS_MEMORY && s->stored > s->before_stored)
		bound += (s->stored - s->before_stored) * STORED_COST;
	return bound;
}

/* Goroutines are not told by all that tell the rest. */
enum levels_state
levels_state(const struct levels *l, const struct levels_server *s,
    enum levels_kind kind)
{
	if (s->highest[kind] == 0 && kind <= LEVELS_FILES)
		return LEVELS_NOT_TOLD;
	if (!l->is_settled || s->nafter < LEVELS_AFTER_MIN ||
	    s->after_to_ns < s->after_from_ns + LEVELS_AFTER_NS ||
	    (s->before[kind] == 0 && kind <= LEVELS_FILES) ||
	    l->settle_ns < before_until(l, s, kind) + measures[kind].least_ns)
		return LEVELS_NOT_LONG;
	return s->after[kind] > levels_bound(s, kind) ? LEVELS_GROWN
						      : LEVELS_WITHIN;
}
