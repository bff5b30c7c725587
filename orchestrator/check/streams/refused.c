/* SPDX-License-Identifier: ISC */
/*
 * Refusals of what was there, or was done; see streams.h. They prove nothing
 * of the stream, but they are wrong answers, and told as such.
 */
#include "orchestrator/check/streams/streams.h"
#include "proto/refusal.h"

static const char *
leader_at(const struct check *c, uint64_t ns)
{
	const char *name = leaders_at(c->leaders, LEADERS_META, "", ns);

	return name[0] != '\0' ? name : "nobody";
}

static struct anomaly
misanswer(const struct check *c, struct stream *s)
{
	struct anomaly a = {
	    .kind = ANOMALY_MISANSWERED, .class = CLASS_DOCUMENTED};

	s->misanswered = true;
	a.rule = "guarantees 0";
	a.ids[0] = s->id;
	if (c->config->strict_answers)
		a.class = CLASS_VIOLATION;
	return a;
}

/*
 * Nobody has tried to delete it before, so it was there: either the answer is
 * wrong or the stream was lost.
 */
static void
judge_not_found(struct check *c, struct stream *s)
{
	struct anomaly a = misanswer(c, s);
	struct check_span span = {.what = LEADERS_META,
	    .name = "",
	    .replicas = streams_meta_replicas(c),
	    .from_ns = s->asked_ns,
	    .to_ns = c->now_ns};
	uint64_t known_ns = s->shown_ns != 0 ? s->shown_ns : s->added_ns;

	check_raise_steady(c, &a, &span,
	    "the first delete of stream %s (%u:%llu) was answered \"stream not "
	    "found\" (%u) after %.3f s, although %s %.3f s before it was asked "
	    "for, and nobody had asked to delete it",
	    s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id), s->refused_code,
	    (double)(c->now_ns - s->asked_ns) / 1e9,
	    s->shown_ns != 0 ? "its state had been told"
			     : "its add had been confirmed",
	    (double)(s->asked_ns - known_ns) / 1e9);
}

void
streams_refused(
    struct check *c, struct stream *s, const struct msg_stream_op_failed *m)
{
	if (m->code == 0 || (s->op != OP_ADD && s->op != OP_REMOVE))
		return;
	s->refused_ns = c->now_ns;
	s->refused_code = m->code;
	if (s->op == OP_ADD)
		s->adds_refused += refusal_class(m->code) != REFUSAL_CERTAIN;
	else if (m->code == REFUSAL_NOT_FOUND && !s->misanswered &&
		 s->removes_open == 1 && s->removed_ns == 0 &&
		 s->added_ns != 0 && !s->is_threatened)
		judge_not_found(c, s);
}

void
streams_judge_refusal(
    struct check *c, struct stream *s, uint64_t created, uint64_t begin_ns)
{
	bool was_denied = s->op != OP_ADD && s->removes_open > 0 &&
			  s->refused_code == REFUSAL_NOT_FOUND &&
			  created == s->created;
	bool was_refused = s->added_ns == 0 && s->op == OP_NONE &&
			   s->adds_refused > 0 &&
			   s->adds_refused == s->adds_open;
	struct anomaly a;

	s->shown_ns = c->now_ns;
	if (s->misanswered || s->refused_ns == 0 || begin_ns <= s->refused_ns ||
	    (!was_denied && !was_refused))
		return;
	a = misanswer(c, s);
	check_raise(c, &a,
	    "%s of stream %s (%u:%llu) was refused with error %u after %.3f s, "
	    "and %.3f s later an answer shows that stream%s; monitoring named "
	    "%s as meta leader when it was asked for, and %s now",
	    was_denied ? "a delete" : "each add", s->name,
	    message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id), s->refused_code,
	    (double)(s->refused_ns - s->asked_ns) / 1e9,
	    (double)(c->now_ns - s->refused_ns) / 1e9,
	    was_denied ? ", of the same creation time" : "",
	    leader_at(c, s->asked_ns), leader_at(c, c->now_ns));
}
