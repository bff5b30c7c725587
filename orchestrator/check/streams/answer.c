/* SPDX-License-Identifier: ISC */
/* What one answer says of one stream; see streams.h. */

#include "orchestrator/check/streams/streams.h"

static bool
must_be_there(const struct stream *s, uint64_t begin_ns)
{
	bool was_there = (s->added_ns != 0 && s->added_ns < begin_ns) ||
			 (s->seen_ns != 0 && s->seen_ns < begin_ns);

	return was_there && s->removes_open == 0 && s->removed_ns == 0 &&
	       !s->is_threatened;
}

static bool
was_removed(const struct stream *s, uint64_t begin_ns)
{
	return s->removed_ns != 0 && s->removed_ns < begin_ns;
}

bool
streams_may_be_there(const struct stream *s, uint64_t begin_ns)
{
	if (s->adds_open > 0)
		return true;
	return (s->added_ns != 0 || s->seen_ns != 0) &&
	       !was_removed(s, begin_ns);
}

/* Deleted for certain, but an add of it may still have been on its way. */
static void
judge_late_add(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	struct anomaly a = {
	    .kind = ANOMALY_STREAM_RESURRECTED, .class = CLASS_DOCUMENTED};

	/* The same creation time: it is the one that was deleted. */
	if (r->created != 0 &&
	    (r->created == s->created || r->created == s->created_now)) {
		streams_wrong(c, s, FLAW_RESURRECTED, begin_ns);
		return;
	}
	streams_right(c, s, FLAW_RESURRECTED, "it is another one");
	if (s->late_told || r->created == 0)
		return;
	s->late_told = true;
	a.ids[0] = s->id;
	check_raise(c, &a,
	    "stream %s (%u:%llu) is there again after its delete was "
	    "confirmed, created anew: an attempt to add it that was never "
	    "answered took effect late",
	    s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id));
}

/*
 * At most what was acknowledged, what was never answered, and one message that
 * is being put in just now.
 */
static void
judge_many(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	uint64_t most = s->acked + s->unheard + s->unheard_before;

	if (s->added_ns == 0)
		return; /* nobody knows what it may hold */
	if (r->messages <= most + (s->op == OP_FILL)) {
		streams_right(c, s, FLAW_MANY, "it healed");
		return;
	}
	s->most = r->messages;
	streams_wrong(c, s, FLAW_MANY, begin_ns);
}

static void
judge_state(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	if (s->removes_open > 0 || s->removed_ns != 0)
		return;
	if (s->created == 0)
		s->created = r->created;
	s->created_now = r->created;
	/*
	 * With an unanswered attempt the stream may have been assigned twice,
	 * and replicas then differ in which time they show (2.10.27 does).
	 */
	if (r->created != s->created && s->adds_open == 0)
		streams_wrong(c, s, FLAW_ANEW, begin_ns);
	else
		streams_right(c, s, FLAW_ANEW, "it healed");
	if (r->variant != s->variant)
		streams_wrong(c, s, FLAW_CONFIG, begin_ns);
	else
		streams_right(c, s, FLAW_CONFIG, "it healed");
	if (r->messages < s->acked && s->filled_ns < begin_ns) {
		if (s->flaws[FLAW_SHORT].first_ns == 0 ||
		    r->messages < s->fewest)
			s->fewest = r->messages;
		streams_wrong(c, s, FLAW_SHORT, begin_ns);
	} else if (r->messages >= s->acked)
		streams_right(c, s, FLAW_SHORT, "it healed");
	judge_many(c, s, r, begin_ns);
}

void
streams_judge_there(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	streams_right(c, s, FLAW_MISSING, "it healed");
	if (r->created != 0)
		streams_judge_refusal(c, s, r->created, begin_ns);
	if (!streams_may_be_there(s, begin_ns))
		streams_wrong(c, s, FLAW_RESURRECTED, begin_ns);
	else if (was_removed(s, begin_ns))
		judge_late_add(c, s, r, begin_ns);
	else {
		streams_right(c, s, FLAW_RESURRECTED, "it healed");
		if (s->added_ns == 0 && s->op == OP_NONE && s->seen_ns == 0)
			s->seen_ns = c->now_ns;
		if (r->created != 0)
			judge_state(c, s, r, begin_ns);
	}
}

void
streams_judge_gone(struct check *c, struct stream *s, uint64_t begin_ns)
{
	streams_right(c, s, FLAW_RESURRECTED, "it healed");
	if (must_be_there(s, begin_ns))
		streams_wrong(c, s, FLAW_MISSING, begin_ns);
}
