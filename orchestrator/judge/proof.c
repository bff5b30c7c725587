/* SPDX-License-Identifier: ISC */
/* Anomalies that wait for what is known of leaders; see proof.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/proof.h"
#include "proto/base/array.h"
#include "proto/base/text.h"

/* An anomaly with a sentence of its own. */
struct single {
	struct anomaly a;
	uint64_t from_ns, to_ns;
	bool is_no_proof;
	char *says;
};

/* Many of which only this is kept. */
struct heap {
	uint64_t n;
	uint64_t from_ns, to_ns; /* the span that covers theirs */
	uint64_t first_ns;	 /* when the first came */
	uint64_t low, high;	 /* their sequences */
	struct anomaly a;	 /* the first */
};

struct proof_group {
	struct check *check;
	enum anomaly_kind kind;
	enum anomaly_class class; /* without proof */
	enum leaders_group what;
	char name[CHECK_CONSUMER_MAX];
	uint32_t replicas;
	unsigned singles; /* so many had a sentence */
	struct single waits[PROOF_SINGLES];
	unsigned nwaits;
	struct heap wait, sure, unsure;
};

void
proofs_init(struct proofs *p)
{
	memset(p, 0, sizeof(*p));
}

void
proofs_fini(struct proofs *p)
{
	uint32_t i;
	unsigned k;

	for (i = 0; i < p->n; i++)
		for (k = 0; k < p->groups[i].nwaits; k++)
			free(p->groups[i].waits[k].says);
	free(p->groups);
	proofs_init(p);
}

static struct proof_group *
group_of(struct proofs *p, struct check *c, const struct anomaly *a,
    const struct check_span *span)
{
	struct proof_group *g;
	uint32_t i;
	int err;

	for (i = 0; i < p->n; i++) {
		g = &p->groups[i];
		if (g->check == c && g->kind == a->kind &&
		    g->class == a->class && g->what == span->what &&
		    strcmp(g->name, span->name) == 0)
			return g;
	}
	err = array_reserve(
	    &p->groups, &p->room, p->n + 1, sizeof(*g), CHECK_SLOTS_MAX);
	if (err < 0) {
		p->no_memory = true;
		return NULL;
	}
	g = &p->groups[p->n++];
	memset(g, 0, sizeof(*g));
	g->check = c;
	g->kind = a->kind;
	g->class = a->class;
	g->what = span->what;
	text_set(g->name, sizeof(g->name), span->name);
	g->replicas = span->replicas;
	return g;
}

static enum steadiness
group_steady(const struct proof_group *g, uint64_t from_ns, uint64_t to_ns)
{
	return check_steady(
	    g->check, g->what, g->name, g->replicas, from_ns, to_ns);
}

/* Who led, and what was in force. */
static void
describe(const struct proof_group *g, const struct single *s, bool is_sure,
    char *out, size_t n)
{
	const uint64_t at[3] = {s->from_ns, s->to_ns, g->check->now_ns};
	char leader[3][40];
	unsigned i;

	for (i = 0; i < 3; i++) {
		text_set(leader[i], sizeof(leader[i]),
		    leaders_at(g->check->leaders, g->what, g->name, at[i]));
		if (leader[i][0] == '\0')
			text_set(leader[i], sizeof(leader[i]), "nobody");
	}
	if (is_sure && g->replicas == 1) {
		text_set(out, n,
		    "; there was no fault for 20 s before, nor since, and one "
		    "replica has no other leader");
		return;
	}
	if (is_sure) {
		text_format(out, n,
		    "; there was no fault for 20 s before, nor since, and %s "
		    "was the leader all the time",
		    leader[0]);
		return;
	}
	text_format(out, n,
	    "; that another leader or a fault explains it can't be excluded: "
	    "monitoring named %s as leader then, ",
	    leader[0]);
	if (strcmp(leader[1], leader[0]) != 0)
		text_add(out, n, "%s at the end of it, ", leader[1]);
	text_add(out, n, "%s by now", leader[2]);
	if (s->a.fault != 0)
		text_add(out, n, "; fault %u was in force, or 20 s before",
		    (unsigned)s->a.fault);
}

static void
single_raise(const struct proof_group *g, const struct single *s, bool is_sure)
{
	struct anomaly a = s->a;
	char how[320] = "";

	if (!is_sure && a.class == CLASS_COUNT)
		return;
	if (is_sure)
		a.class = CLASS_VIOLATION;
	if (!s->is_no_proof)
		describe(g, s, is_sure, how, sizeof(how));
	check_raise(g->check, &a, "%s%s", s->says, how);
}

static void
heap_pour(struct heap *to, struct heap *from)
{
	if (from->n == 0)
		return;
	if (to->n == 0) {
		*to = *from;
	} else {
		to->n += from->n;
		to->from_ns =
		    from->from_ns < to->from_ns ? from->from_ns : to->from_ns;
		to->to_ns = from->to_ns > to->to_ns ? from->to_ns : to->to_ns;
		to->low = from->low < to->low ? from->low : to->low;
		to->high = from->high > to->high ? from->high : to->high;
	}
	memset(from, 0, sizeof(*from));
}

static void
heap_raise(const struct proof_group *g, const struct heap *h, bool is_sure)
{
	struct anomaly a = h->a;

	if (h->n == 0 || (!is_sure && a.class == CLASS_COUNT))
		return;
	if (is_sure)
		a.class = CLASS_VIOLATION;
	a.more = h->n - 1;
	a.time_ns = h->first_ns;
	check_raise(g->check, &a,
	    "%s: the same %llu times more, of sequences from %llu to %llu, "
	    "within %.3f s",
	    g->name, (unsigned long long)h->n, (unsigned long long)h->low,
	    (unsigned long long)h->high,
	    (double)(h->to_ns - h->first_ns) / 1e9);
}

static void
heap_add(struct proof_group *g, struct heap *h, const struct anomaly *a,
    const struct check_span *span)
{
	struct heap one = {1, span->from_ns, span->to_ns, g->check->now_ns,
	    a->seqs[0], a->seqs[0], *a};

	heap_pour(h, &one);
}

/* The fault that was in force, or shortly before; 0: none was. */
static uint32_t
fault_around(const struct faults *f, const struct check_span *span)
{
	return faults_quiet_between(
		   f, faults_before(span->from_ns), span->to_ns)
		   ? 0
		   : f->latest;
}

void
proofs_add(struct proofs *p, struct check *c, const struct anomaly *a,
    const struct check_span *span, const char *says)
{
	struct proof_group *g = group_of(p, c, a, span);
	struct single s = {
	    *a, span->from_ns, span->to_ns, span->is_no_proof, NULL};
	enum steadiness is = STEADY_NO;

	if (g == NULL)
		return;
	if (s.a.time_ns == 0)
		s.a.time_ns = c->now_ns;
	if (s.a.fault == 0)
		s.a.fault = fault_around(c->faults, span);
	if (!span->is_no_proof)
		is = group_steady(g, span->from_ns, span->to_ns);
	if (g->singles >= PROOF_SINGLES) {
		heap_add(g,
		    is == STEADY_NO    ? &g->unsure
		    : is == STEADY_YES ? &g->sure
				       : &g->wait,
		    a, span);
		return;
	}
	s.says = strdup(says);
	if (s.says == NULL) {
		p->no_memory = true;
		return;
	}
	g->singles += is != STEADY_NO || a->class != CLASS_COUNT;
	if (is == STEADY_SO_FAR) {
		g->waits[g->nwaits++] = s;
		return;
	}
	single_raise(g, &s, is == STEADY_YES);
	free(s.says);
}

/* What is known of a group by now; at the end what is not known is not. */
static void
group_pass(struct proof_group *g, bool is_over)
{
	enum steadiness is;
	struct single *s;
	unsigned i = 0, left = 0;

	for (; i < g->nwaits; i++) {
		s = &g->waits[i];
		is = group_steady(g, s->from_ns, s->to_ns);
		if (is == STEADY_SO_FAR && !is_over) {
			g->waits[left++] = *s;
			continue;
		}
		single_raise(g, s, is == STEADY_YES);
		free(s->says);
	}
	g->nwaits = left;
	if (g->wait.n == 0)
		return;
	is = group_steady(g, g->wait.from_ns, g->wait.to_ns);
	if (is == STEADY_YES)
		heap_pour(&g->sure, &g->wait);
	else if (is == STEADY_NO || is_over)
		heap_pour(&g->unsure, &g->wait);
}

void
proofs_pass(struct proofs *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++)
		group_pass(&p->groups[i], false);
}

void
proofs_finish(struct proofs *p)
{
	struct proof_group *g;
	uint32_t i;

	for (i = 0; i < p->n; i++) {
		g = &p->groups[i];
		group_pass(g, true);
		heap_raise(g, &g->sure, true);
		heap_raise(g, &g->unsure, false);
		memset(&g->sure, 0, sizeof(g->sure));
		memset(&g->unsure, 0, sizeof(g->unsure));
	}
}
