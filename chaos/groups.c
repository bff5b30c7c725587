/* SPDX-License-Identifier: ISC */
/* The health of the run's raft groups; see groups.h. */
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/groups.h"
#include "chaos/health.h"
#include "proto/base/array.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define LOOK_NS	  CLOCK_S
#define SILENT_NS (10 * CLOCK_S) /* longer than some requests that failed */
#define FOUND_MAX (1U << 20)

enum groups_what {
	WHAT_META = 1,
	WHAT_STREAM = 2,
	WHAT_CONSUMER = 3
};

struct groups_found {
	unsigned node;
	struct health_group g;
};

void
groups_fini(struct groups *s)
{
	free(s->found);
	memset(s, 0, sizeof(*s));
}

static void
tell_server(struct groups *s, struct child *child, unsigned node, bool ok)
{
	struct event ev = {.type = MESSAGE_SERVER_ANSWERS};

	if (s->is_told[node - 1] && s->answers[node - 1] == ok)
		return;
	s->is_told[node - 1] = true;
	s->answers[node - 1] = ok;
	ev.u.server_answers.node = node;
	ev.u.server_answers.ok = ok;
	child_emit(child, &ev);
}

/* Which servers answer; true when all of them just did. */
static bool
look_at_servers(struct groups *s, const struct cluster *c, struct child *child,
    uint64_t now)
{
	struct health_meta m;
	uint64_t asked_ns;
	bool all = true;
	unsigned i;

	for (i = 1; i <= c->n; i++) {
		if (c->nodes[i - 1].monitor[0] == '\0')
			return false; /* nobody knows */
		asked_ns = health_meta(c->health, i, &m);
		if (asked_ns > s->heard_ns[i - 1])
			s->heard_ns[i - 1] = asked_ns;
		else if (s->heard_ns[i - 1] == 0)
			s->heard_ns[i - 1] = now; /* it has some time */
		if (asked_ns != 0 && now < asked_ns + SILENT_NS)
			tell_server(s, child, i, true);
		else if (now >= s->heard_ns[i - 1] + SILENT_NS)
			tell_server(s, child, i, false);
		all &= asked_ns != 0 && now < asked_ns + SILENT_NS;
	}
	return all;
}

/* What the nodes of a group have, as its leader and they say. */
struct groups_moves {
	unsigned lagging; /* nodes, as bits */
	/* Of each a number that moves with it, or what it lacks. */
	uint64_t has[CONFIG_NODES_MAX];
	bool is_lack;
};

/* Since when those that lag have not moved. */
static void
note_moves(struct groups_row *r, const struct groups_moves *m, uint64_t now)
{
	unsigned i, was = r->lagging;
	uint64_t since_ns = now;

	r->lagging = m->lagging;
	if (m->lagging == 0 && was == 0)
		return; /* it has too few replicas */
	for (i = 0; i < CONFIG_NODES_MAX; i++) {
		if ((m->lagging >> i & 1) == 0)
			continue;
		if ((was >> i & 1) == 0 ||
		    (m->is_lack ? m->has[i] < r->has[i]
				: m->has[i] != r->has[i])) {
			r->stuck_ns[i] = now;
			r->has[i] = m->has[i];
		}
		if (r->stuck_ns[i] < since_ns)
			since_ns = r->stuck_ns[i];
	}
	r->since_ns = since_ns;
}

/* A group of that kind, name and making; nobody leads it: m is NULL. */
static void
note_sick(struct groups *s, const struct groups_row *of,
    const struct groups_moves *m, uint64_t now)
{
	struct groups_row *r;
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->rows[i].what == of->what &&
		    s->rows[i].made == of->made &&
		    strcmp(s->rows[i].name, of->name) == 0)
			break;
	if (i == GROUPS_MAX)
		return;
	r = &s->rows[i];
	if (i == s->n) {
		s->n++;
		*r = *of;
		r->since_ns = now;
	}
	r->is_sick = true;
	if (m != NULL)
		note_moves(r, m, now);
}

/* Names of nodes, by their bits. */
static void
add_names(const struct cluster *c, unsigned nodes, char *out)
{
	const char *between = "";
	unsigned i;

	for (i = 0; i < c->n; i++) {
		if ((nodes & (1U << i)) == 0)
			continue;
		text_add(
		    out, GROUPS_SAYS_MAX, "%s%.40s", between, c->nodes[i].name);
		between = ", ";
	}
}

/* Where there are several meta groups one is named by its servers. */
static void
note_sick_meta(struct groups *s, const struct cluster *c,
    const struct groups_moves *m, unsigned group)
{
	struct groups_row of = {.what = WHAT_META, .group = group};
	char names[GROUPS_SAYS_MAX] = "";
	unsigned i, nodes = 0;

	for (i = 0; i < c->n; i++)
		nodes |= (c->nodes[i].group == group ? 1U : 0U) << i;
	if (cluster_group_size(c, group) < c->n)
		add_names(c, nodes, names);
	text_set(of.name, sizeof(of.name), names);
	note_sick(s, &of, m, s->looked_ns);
}

/* What the servers of one meta group say: true when one sees it whole. */
static bool
meta_is_whole(const struct cluster *c, unsigned group,
    struct groups_moves *moves, bool *is_led)
{
	unsigned i, size = cluster_group_size(c, group);
	bool is_whole = size == 1;
	struct health_meta m;

	*moves = (struct groups_moves){.is_lack = true};
	*is_led = false;
	for (i = 1; i <= c->n; i++) {
		if (c->nodes[i - 1].group != group)
			continue;
		(void)health_meta(c->health, i, &m); /* known to be young */
		is_whole |= m.is_led && m.is_current && m.size == size;
		if (!m.is_led)
			continue;
		*is_led = true;
		moves->lagging = m.lagging;
		memcpy(moves->has, m.lags, sizeof(moves->has));
	}
	return is_whole;
}

static void
look_at_meta(struct groups *s, const struct cluster *c)
{
	bool are_whole = true, is_led;
	struct groups_moves moves;
	unsigned group;

	for (group = 0; cluster_group_size(c, group) > 0; group++)
		are_whole &= meta_is_whole(c, group, &moves, &is_led);
	s->was_whole |= are_whole;
	while (s->was_whole && group-- > 0)
		if (!meta_is_whole(c, group, &moves, &is_led))
			note_sick_meta(s, c, is_led ? &moves : NULL, group);
}

static int
by_group(const void *a, const void *b)
{
	const struct groups_found *x = a, *y = b;

	if (x->g.id != y->g.id)
		return x->g.id < y->g.id ? -1 : 1;
	return (int)x->node - (int)y->node;
}

/* All rows of all servers, those of a group beside each other. */
static bool
gather(struct groups *s, const struct cluster *c)
{
	struct health_group g;
	unsigned node, i;

	s->nfound = 0;
	for (node = 1; node <= c->n; node++) {
		i = 0;
		while (health_group(c->health, node, &i, &g)) {
			if (array_reserve(&s->found, &s->room, s->nfound + 1,
				sizeof(*s->found), FOUND_MAX) < 0)
				return false;
			s->found[s->nfound++] = (struct groups_found){node, g};
		}
	}
	if (s->nfound > 0)
		qsort(s->found, s->nfound, sizeof(*s->found), by_group);
	return true;
}

static uint32_t
end_of_group(const struct groups *s, uint32_t from)
{
	uint32_t to = from;

	while (to < s->nfound && s->found[to].g.id == s->found[from].g.id)
		to++;
	return to;
}

static uint8_t
what_of(const struct health_group *g)
{
	return g->is_consumer ? WHAT_CONSUMER : WHAT_STREAM;
}

static void
look_at_groups(struct groups *s, uint64_t now)
{
	struct groups_row of = {0};
	struct groups_moves moves;
	const struct groups_found *f;
	uint32_t from, to, i;
	bool is_well, is_led;

	for (from = 0; from < s->nfound; from = to) {
		to = end_of_group(s, from);
		is_well = is_led = false;
		memset(&moves, 0, sizeof(moves));
		of.made = s->found[from].g.made;
		/* Of two who say that they lead one may be out of date. */
		for (i = from; i < to; i++) {
			f = &s->found[i];
			moves.has[f->node - 1] = f->g.moves;
			is_well |= f->g.is_current;
			is_led |= f->g.is_led;
			if (!f->g.is_led)
				continue;
			moves.lagging |= f->g.lagging;
			of.made = f->g.made;
		}
		if (is_well)
			continue;
		of.what = what_of(&s->found[from].g);
		text_set(of.name, sizeof(of.name), s->found[from].g.name);
		note_sick(s, &of, is_led ? &moves : NULL, now);
	}
}

static void
add_leader(const struct cluster *c, unsigned node, unsigned lagging,
    unsigned has, unsigned want, char *out)
{
	text_add(
	    out, GROUPS_SAYS_MAX, "%.40s leads it", c->nodes[node - 1].name);
	if (lagging != 0) {
		text_add(out, GROUPS_SAYS_MAX, " and does not see ");
		add_names(c, lagging, out);
		text_add(out, GROUPS_SAYS_MAX, " current");
	}
	if (has < want)
		text_add(out, GROUPS_SAYS_MAX, ", with %u of %u replicas", has,
		    want);
}

static void
describe_meta(const struct cluster *c, unsigned group, struct msg_group_sick *m)
{
	unsigned i, size = cluster_group_size(c, group);
	struct health_meta meta;

	m->servers = size;
	for (i = 1; i <= c->n; i++) {
		if (c->nodes[i - 1].group != group)
			continue;
		(void)health_meta(c->health, i, &meta); /* known: young */
		if (!meta.is_led)
			continue;
		m->is_led = true;
		add_leader(c, i, meta.lagging, meta.size, size, m->says);
		if (meta.size > size)
			text_add(m->says, GROUPS_SAYS_MAX,
			    ", with %u members of %u servers", meta.size, size);
		return;
	}
	text_set(m->says, GROUPS_SAYS_MAX, "no server says that it leads it");
}

/* What each server says, of a group whose rows are these. */
static void
describe_nodes(const struct groups *s, const struct cluster *c, uint32_t from,
    uint32_t to, char *out)
{
	const struct health_group *g;
	unsigned has = 0;

	for (; from < to; from++) {
		g = &s->found[from].g;
		has |= 1U << (s->found[from].node - 1);
		text_add(out, GROUPS_SAYS_MAX, "; %.40s has it",
		    c->nodes[s->found[from].node - 1].name);
		if (!g->is_consumer)
			text_add(out, GROUPS_SAYS_MAX,
			    ", %llu messages up to %llu",
			    (unsigned long long)g->messages,
			    (unsigned long long)g->last);
	}
	has = ~has & ((1U << c->n) - 1);
	if (has == 0)
		return;
	text_add(out, GROUPS_SAYS_MAX, "; not ");
	add_names(c, has, out);
}

static void
describe(const struct groups *s, const struct cluster *c,
    const struct groups_row *r, struct msg_group_sick *m)
{
	const struct groups_found *f;
	uint32_t from = 0, to, i;

	while (from < s->nfound &&
	       (what_of(&s->found[from].g) != r->what ||
		   strcmp(s->found[from].g.name, r->name) != 0))
		from++;
	to = from < s->nfound ? end_of_group(s, from) : from;
	m->servers = to - from;
	for (i = from; i < to; i++) {
		f = &s->found[i];
		if (!f->g.is_led)
			continue;
		if (m->is_led)
			text_add(m->says, GROUPS_SAYS_MAX, "; ");
		m->is_led = true;
		add_leader(
		    c, f->node, f->g.lagging, f->g.copies, f->g.want, m->says);
	}
	if (!m->is_led)
		text_set(m->says, GROUPS_SAYS_MAX,
		    "no server says that it leads it");
	describe_nodes(s, c, from, to, m->says);
}

static void
tell_sick(struct groups *s, const struct cluster *c, struct child *child,
    struct groups_row *r, uint64_t now)
{
	struct event ev = {.type = MESSAGE_GROUP_SICK};
	struct msg_group_sick *m = &ev.u.group_sick;

	if (now < r->since_ns + GROUPS_SICK_NS ||
	    (r->told_ns != 0 && now < r->told_ns + GROUPS_SICK_NS))
		return;
	r->told_ns = now;
	m->what = r->what;
	m->sick_ns = now - r->since_ns;
	text_set(m->name, sizeof(m->name), r->name);
	if (r->what == WHAT_META)
		describe_meta(c, r->group, m);
	else
		describe(s, c, r, m);
	child_emit(child, &ev);
}

static void
tell_well(struct child *child, const struct groups_row *r)
{
	struct event ev = {.type = MESSAGE_GROUP_WELL};

	if (r->told_ns == 0)
		return;
	ev.u.group_well.what = r->what;
	text_set(ev.u.group_well.name, sizeof(ev.u.group_well.name), r->name);
	child_emit(child, &ev);
}

void
groups_step(struct groups *s, const struct cluster *c, struct child *child)
{
	uint64_t now = clock_mono_ns();
	unsigned i, kept = 0;

	if (c->health == NULL || now < s->looked_ns + LOOK_NS)
		return;
	s->looked_ns = now;
	if (!look_at_servers(s, c, child, now) || !gather(s, c))
		return;
	for (i = 0; i < s->n; i++)
		s->rows[i].is_sick = false;
	look_at_meta(s, c);
	/* Of servers that we don't see one may lead what none of these does. */
	if (s->was_whole)
		look_at_groups(s, now);
	for (i = 0; i < s->n; i++) {
		if (s->rows[i].is_sick) {
			tell_sick(s, c, child, &s->rows[i], now);
			s->rows[kept++] = s->rows[i];
		} else
			tell_well(child, &s->rows[i]);
	}
	s->n = kept;
}

bool
groups_are_sick(const struct groups *s, unsigned servers)
{
	unsigned i;

	for (i = 0; i < servers; i++)
		if (!s->answers[i])
			return false;
	return s->n > 0;
}

bool
groups_are_hopeless(const struct groups *s, uint64_t calm_ns, uint64_t limit_ns)
{
	uint64_t now = clock_mono_ns(), since;
	unsigned i;

	for (i = 0; i < s->n; i++) {
		since = s->rows[i].since_ns > calm_ns ? s->rows[i].since_ns
						      : calm_ns;
		if (s->rows[i].told_ns != 0 && now > since + limit_ns)
			return true;
	}
	return false;
}
