/* SPDX-License-Identifier: ISC */
/*
 * Whose messages a stream holds: each has the id of the stream that it was put
 * into. See streams.h.
 */
#include "orchestrator/check/streams/streams.h"

static enum anomaly_class
class_of(const struct check *c, const struct stream *s)
{
	/* A publish to the earlier one that nobody answered may come late. */
	if (s->unheard_before > 0)
		return CLASS_DOCUMENTED;
	return faults_quiet_since_settled(c->faults, c->now_ns)
		   ? CLASS_VIOLATION
		   : CLASS_WARNING;
}

void
streams_on_content(struct check *c, const struct msg_stream_content *m)
{
	struct stream *s = streams_find(c->state, m->id);
	struct anomaly a = {.kind = ANOMALY_STREAM_RESURRECTED};
	const struct stream *other;
	bool is_ours = check_is_ours(c, m->run, m->intact);

	if (s == NULL || s->content_told || (is_ours && m->held == m->id))
		return;
	s->content_told = true;
	a.class = class_of(c, s);
	a.ids[0] = m->id;
	a.seqs[0] = m->seq;
	if (!is_ours) {
		a.kind = ANOMALY_CORRUPT;
		a.rule = "guarantees 2";
	} else
		a.ids[1] = m->held;
	other = is_ours ? streams_find(c->state, m->held) : NULL;
	check_raise(c, &a,
	    "stream %s (%u:%llu) holds at sequence %llu, of %llu, %s%s%s",
	    s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id),
	    (unsigned long long)m->seq, (unsigned long long)m->messages,
	    is_ours ? "a message that was put into another stream"
		    : "what nobody put there: its payload is damaged or of "
		      "another run",
	    other != NULL ? ", of the name " : "",
	    other != NULL ? other->name : "");
}
