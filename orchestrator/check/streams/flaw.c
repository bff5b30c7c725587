/* SPDX-License-Identifier: ISC */
/* Wrong answers, and whether they persist; see streams.h. */
#include <string.h>

#include "orchestrator/check/streams/streams.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define POLLS_MIN  3
#define PERSIST_NS (30 * CLOCK_S)
#define LONG_NS	   (10 * CLOCK_S) /* healed later, in quiet: a warning */

static const struct flaw_kind {
	enum anomaly_kind kind;
	const char *what;
	const char *rule; /* when it is not the check's */
} flaw_kinds[FLAWS] = {
    [FLAW_MISSING] = {ANOMALY_STREAM_MISSING, "is not there", NULL},
    [FLAW_RESURRECTED] = {ANOMALY_STREAM_RESURRECTED, "is there", NULL},
    [FLAW_SHORT] = {ANOMALY_LOST, "holds too few messages", "guarantees 1"},
    [FLAW_MANY] = {ANOMALY_WRONG_STATE, "holds too many messages",
	"guarantees 13"},
    [FLAW_CONFIG] = {ANOMALY_CORRUPT, "has another configuration", NULL},
    [FLAW_ANEW] = {ANOMALY_STREAM_MISSING, "was created anew", NULL},
};

/* Was there no fault, and one meta leader? A single server is its own. */
static enum steadiness
steadiness(const struct check *c, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns == 0)
		return STEADY_NO;
	return check_steady(
	    c, LEADERS_META, "", streams_meta_replicas(c), from_ns, to_ns);
}

static bool
is_undisturbed(const struct check *c, uint64_t from_ns)
{
	return steadiness(c, from_ns, c->now_ns) != STEADY_NO;
}

static bool
is_documented(const struct check *c, enum flaw flaw)
{
	return flaw == FLAW_SHORT && c->faults->applied > 0 &&
	       strcmp(c->config->storage, "memory") == 0;
}

static void
describe(const struct stream *s, enum flaw flaw, char *out, size_t size)
{
	out[0] = '\0';
	if (flaw == FLAW_MISSING && s->added_ns == 0)
		text_add(out, size, "which was listed before");
	else if (flaw == FLAW_MISSING)
		text_add(out, size, "whose add was confirmed");
	else if (flaw == FLAW_RESURRECTED && s->removed_ns != 0)
		text_add(out, size, "whose delete was confirmed");
	else if (flaw == FLAW_RESURRECTED)
		text_add(
		    out, size, "deleted long ago or never added by this run");
	else if (flaw == FLAW_SHORT)
		text_add(out, size,
		    "with %llu messages acknowledged and %llu there%s",
		    (unsigned long long)s->acked, (unsigned long long)s->fewest,
		    s->created_now != s->created
			? ", created anew by the server"
			: "");
	else if (flaw == FLAW_MANY)
		text_add(out, size,
		    "with %llu messages acknowledged, at most %llu more that "
		    "were not answered, and %llu there",
		    (unsigned long long)s->acked,
		    (unsigned long long)(s->unheard + s->unheard_before),
		    (unsigned long long)s->most);
	else
		text_add(out, size, "given configuration %u", s->variant);
}

static void
raise_flaw(struct check *c, const struct stream *s, enum flaw flaw,
    enum anomaly_class class, const char *end)
{
	struct anomaly a = {.kind = flaw_kinds[flaw].kind, .class = class};
	const struct episode *e = &s->flaws[flaw];
	char who[160];

	a.rule = flaw_kinds[flaw].rule;
	a.ids[0] = s->id;
	describe(s, flaw, who, sizeof(who));
	check_raise(c, &a,
	    "stream %s (%u:%llu), %s, %s: %u answers in %.3f s, %u of them "
	    "undisturbed; %s",
	    s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id), who,
	    flaw_kinds[flaw].what, e->total,
	    (double)(c->now_ns - e->first_ns) / 1e9, e->polls, end);
}

static enum anomaly_class
conviction_class(const struct check *c, const struct stream *s, enum flaw flaw)
{
	if (is_documented(c, flaw))
		return CLASS_DOCUMENTED;
	/* Its add was never confirmed, so nobody promised that it stays. */
	if (flaw == FLAW_MISSING && s->added_ns == 0)
		return CLASS_WARNING;
	/* Another creation time alone: FLAW_SHORT says whether it is a loss. */
	return flaw == FLAW_ANEW ? CLASS_WARNING : CLASS_VIOLATION;
}

/* It was seen to be steady some seconds after it was long enough. */
static void
judge_flaw(struct check *c, struct stream *s, enum flaw flaw)
{
	struct episode *e = &s->flaws[flaw];

	if (e->told || e->long_ns == 0 ||
	    steadiness(c, e->since_ns, e->long_ns) != STEADY_YES)
		return;
	e->told = true;
	raise_flaw(c, s, flaw, conviction_class(c, s, flaw),
	    "no fault was in force meanwhile and the meta leader stayed");
}

void
streams_wrong(
    struct check *c, struct stream *s, enum flaw flaw, uint64_t begin_ns)
{
	struct episode *e = &s->flaws[flaw];

	judge_flaw(c, s, flaw);
	if (e->first_ns == 0)
		e->first_ns = begin_ns;
	streams_watch(c->state, s);
	e->total++;
	if (is_undisturbed(c, e->since_ns))
		e->polls++;
	else if (is_undisturbed(c, begin_ns)) {
		e->since_ns = begin_ns;
		e->polls = 1;
	} else {
		e->since_ns = 0;
		e->polls = 0;
	}
	if (e->since_ns == 0 || e->since_ns == begin_ns)
		e->long_ns = 0;
	else if (e->long_ns == 0 && e->polls >= POLLS_MIN &&
		 begin_ns >= e->since_ns + PERSIST_NS)
		e->long_ns = c->now_ns;
	judge_flaw(c, s, flaw);
}

void
streams_judge_flaws(struct check *c, struct stream *s)
{
	unsigned flaw;

	for (flaw = 0; flaw < FLAWS; flaw++)
		judge_flaw(c, s, flaw);
}

void
streams_right(
    struct check *c, struct stream *s, enum flaw flaw, const char *end)
{
	struct episode *e = &s->flaws[flaw];
	enum anomaly_class class = CLASS_DOCUMENTED;

	if (e->first_ns == 0)
		return;
	judge_flaw(c, s, flaw);
	if (e->since_ns != 0 && c->now_ns - e->since_ns >= LONG_NS &&
	    is_undisturbed(c, e->since_ns) && !is_documented(c, flaw))
		class = CLASS_WARNING;
	if (!e->told)
		raise_flaw(c, s, flaw, class, end);
	memset(e, 0, sizeof(*e));
}

/* What was wrong to the end, for too short a time to convict. */
static void
tell_unproven(struct check *c, const struct stream *s, enum flaw flaw)
{
	if (is_documented(c, flaw)) {
		raise_flaw(
		    c, s, flaw, CLASS_DOCUMENTED, "memory storage and a fault");
		return;
	}
	raise_flaw(c, s, flaw, CLASS_WARNING,
	    "it was so to the end, too short a time to tell");
	check_doubt(c,
	    "stream %s %s at the end, which was not watched for long enough",
	    s->name, flaw_kinds[flaw].what);
}

void
streams_finish(struct check *c)
{
	struct streams_walk w = {0};
	struct stream *s;
	unsigned flaw;

	while ((s = streams_next(c->state, &w)) != NULL) {
		streams_judge_flaws(c, s);
		for (flaw = 0; flaw < FLAWS; flaw++)
			if (s->flaws[flaw].first_ns != 0 &&
			    !s->flaws[flaw].told)
				tell_unproven(c, s, flaw);
	}
}
