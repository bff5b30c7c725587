/* SPDX-License-Identifier: ISC */
/* Whether a history is whole; see sequences.h. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/history/sequences.h"
#include "orchestrator/history/stats.h"
#include "proto/base/text.h"
#include "proto/child.h"

#define SOURCES_MAX STATS_WORKERS_MAX

void
sequences_init(struct sequences *s)
{
	memset(s, 0, sizeof(*s));
}

void
sequences_fini(struct sequences *s)
{
	free(s->sources);
	s->sources = NULL;
}

static bool
grow(struct sequences *s, uint32_t source)
{
	struct sequences_source *grown;
	uint32_t room = s->n > 0 ? s->n : 16;

	if (source >= SOURCES_MAX)
		return false;
	while (room <= source)
		room *= 2;
	grown = realloc(s->sources, room * sizeof(*grown));
	if (grown == NULL)
		return false;
	memset(grown + s->n, 0, (room - s->n) * sizeof(*grown));
	s->sources = grown;
	s->n = room;
	return true;
}

/*
 * So many events are not here. Where DROPPED stands for so many, they may;
 * and in old journals where a child may have sent so many heartbeats.
 */
static bool
may_lack(struct sequences *s, const struct sequences_source *at,
    uint64_t missing, uint64_t now_ns)
{
	uint64_t beats = s->has_beats && at != s->sources && at->incarnation
			     ? (now_ns - at->time_ns) / CHILD_BEAT_NS
			     : 0;

	missing -= missing < beats ? missing : beats;
	if (missing > s->dropped - s->missing)
		return false;
	s->missing += missing;
	return true;
}

/* The note in place of events that were left out. */
static bool
take_dropped(struct sequences *s, const struct event *ev)
{
	const struct msg_dropped *m = &ev->u.dropped;

	if (m->events == 0 || m->events > UINT64_MAX - s->dropped ||
	    m->first_ns > m->last_ns || m->last_ns > ev->time_ns)
		return false;
	s->dropped += m->events;
	return true;
}

/* A child ended: all that it sent has been seen. */
static bool
take_exit(struct sequences *s, const struct event *ev)
{
	const struct msg_child_exit *m = &ev->u.child_exit;
	const struct sequences_source *at;
	uint64_t seen;

	if (m->child >= s->n && !grow(s, m->child))
		return false;
	at = &s->sources[m->child];
	seen = at->incarnation == m->child_incarnation ? at->seq : 0;
	return at->incarnation <= m->child_incarnation && seen <= m->last_seq &&
	       may_lack(s, at, m->last_seq - seen, ev->time_ns);
}

/* The next event of its source. */
static bool
take_next(struct sequences *s, const struct event *ev)
{
	static const struct sequences_source none;
	struct sequences_source *at;
	const struct sequences_source *before;

	if (ev->source >= s->n && !grow(s, ev->source))
		return false;
	at = &s->sources[ev->source];
	before = ev->incarnation == at->incarnation ? at : &none;
	if (ev->incarnation == 0 || ev->incarnation < at->incarnation ||
	    ev->seq <= before->seq ||
	    !may_lack(s, before, ev->seq - before->seq - 1, ev->time_ns))
		return false;
	*at = (struct sequences_source){ev->incarnation, ev->seq, ev->time_ns};
	return true;
}

bool
sequences_take(struct sequences *s, const struct event *ev)
{
	if (ev->type == MESSAGE_DROPPED)
		return take_dropped(s, ev);
	return take_next(s, ev) && (ev->type != MESSAGE_CHILD_EXIT ||
				       ev->source != 0 || take_exit(s, ev));
}

uint64_t
sequences_heard(const struct sequences *s, uint32_t source)
{
	return source < s->n ? s->sources[source].time_ns : 0;
}

/* An exit that was taken as the parent's next event is wrong of the child. */
static bool
is_wrong_exit(const struct sequences *s, const struct event *ev)
{
	return ev->type == MESSAGE_CHILD_EXIT && ev->source == 0 && s->n > 0 &&
	       s->sources[0].seq == ev->seq &&
	       s->sources[0].incarnation == ev->incarnation;
}

uint64_t
sequences_since(const struct sequences *s, const struct event *ev)
{
	if (ev->type == MESSAGE_DROPPED)
		return 0;
	return sequences_heard(
	    s, is_wrong_exit(s, ev) ? ev->u.child_exit.child : ev->source);
}

void
sequences_why(
    const struct sequences *s, const struct event *ev, char *out, size_t size)
{
	const struct sequences_source *at =
	    ev->source < s->n ? &s->sources[ev->source] : NULL;

	if (ev->type == MESSAGE_DROPPED)
		text_format(out, size, "a note of dropped events is not true");
	else if (at == NULL)
		text_format(out, size, "there is no source %u", ev->source);
	else if (is_wrong_exit(s, ev))
		text_format(out, size,
		    "source %u sent %llu events before it ended, not all are "
		    "there",
		    ev->u.child_exit.child,
		    (unsigned long long)ev->u.child_exit.last_seq);
	else
		text_format(out, size,
		    "source %u goes from event %llu (process %u of it) to "
		    "event %llu (process %u)",
		    ev->source, (unsigned long long)at->seq, at->incarnation,
		    (unsigned long long)ev->seq, ev->incarnation);
}
