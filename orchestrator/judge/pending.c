/* SPDX-License-Identifier: ISC */
/* Anomalies that wait for their class; see pending.h. */
#include "orchestrator/judge/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/text.h"

struct pending {
	struct check *check;
	struct anomaly a;
	struct check_span span;
	uint32_t fault; /* in force meanwhile or shortly before; 0: none */
	char name[64], *says;
};

void
pendings_init(struct pendings *p)
{
	memset(p, 0, sizeof(*p));
}

void
pendings_fini(struct pendings *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++)
		free(p->rows[i].says);
	free(p->rows);
	pendings_init(p);
}

static enum steadiness
steadiness_of(const struct pending *w)
{
	const struct check_span *s = &w->span;

	return check_steady(
	    w->check, s->group, w->name, s->replicas, s->from_ns, s->to_ns);
}

/* Who led, and what was in force. */
static void
describe(const struct pending *w, enum steadiness steady, char *out, size_t n)
{
	const struct leaders *l = w->check->leaders;
	const struct check_span *s = &w->span;
	char leader[3][40];
	uint64_t at[3] = {s->from_ns, s->to_ns, w->check->now_ns};
	unsigned i;

	for (i = 0; i < 3; i++) {
		text_set(leader[i], sizeof(leader[i]),
		    leaders_at(l, s->group, w->name, at[i]));
		if (leader[i][0] == '\0')
			text_set(leader[i], sizeof(leader[i]), "nobody");
	}
	out[0] = '\0';
	if (steady == STEADY_YES) {
		text_add(out, n,
		    "no fault was in force in the 20 s before, nor until then");
		if (s->replicas != 1)
			text_add(out, n, ", and %s led", leader[0]);
		return;
	}
	text_add(out, n, "monitoring named %s as leader then, ", leader[0]);
	if (strcmp(leader[1], leader[0]) != 0)
		text_add(out, n, "%s at the end of it, ", leader[1]);
	text_add(out, n, "%s by now", leader[2]);
	if (w->fault != 0)
		text_add(out, n, "; fault %u was in force, or 20 s before",
		    (unsigned)w->fault);
}

static void
pending_raise(struct pending *w, enum steadiness steady)
{
	char how[256];

	if (steady == STEADY_YES)
		w->a.class = CLASS_VIOLATION;
	describe(w, steady, how, sizeof(how));
	check_raise(w->check, &w->a, "%s; %s", w->says, how);
	free(w->says);
}

void
pendings_add(struct pendings *p, struct check *c, const struct anomaly *a,
    const struct check_span *span, const char *says)
{
	const struct faults *f = c->faults;
	struct pending w = {.check = c, .a = *a, .span = *span};
	enum steadiness steady;
	uint64_t from_ns = span->from_ns > FAULTS_ELECTION_NS
			       ? span->from_ns - FAULTS_ELECTION_NS
			       : 0;

	text_set(w.name, sizeof(w.name), span->name);
	w.span.name = NULL; /* it may be gone when this is judged */
	w.says = strdup(says);
	if (w.says == NULL) {
		p->no_memory = true;
		return;
	}
	if (w.a.time_ns == 0)
		w.a.time_ns = c->now_ns;
	if (!faults_quiet_between(f, from_ns, span->to_ns))
		w.a.fault = w.fault = f->latest;
	steady = steadiness_of(&w);
	if (steady == STEADY_SO_FAR &&
	    array_reserve(&p->rows, &p->room, p->n + 1, sizeof(*p->rows),
		PENDINGS_MAX) == 0)
		p->rows[p->n++] = w;
	else
		pending_raise(&w, steady);
}

void
pendings_pass(struct pendings *p)
{
	enum steadiness steady;
	uint32_t i, n = 0;

	for (i = 0; i < p->n; i++) {
		steady = steadiness_of(&p->rows[i]);
		if (steady == STEADY_SO_FAR)
			p->rows[n++] = p->rows[i];
		else
			pending_raise(&p->rows[i], steady);
	}
	p->n = n;
}

void
pendings_finish(struct pendings *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++)
		pending_raise(&p->rows[i], STEADY_NO);
	p->n = 0;
}
