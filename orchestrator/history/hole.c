/* SPDX-License-Identifier: ISC */
/* A place in a journal where events were left out; see hole.h. */
#include <string.h>

#include "orchestrator/history/hole.h"

void
hole_init(struct hole *h)
{
	memset(h, 0, sizeof(*h));
	h->note.type = MESSAGE_DROPPED;
}

void
hole_add(struct hole *h, const struct event *ev)
{
	struct msg_dropped *m = &h->note.u.dropped;

	if (m->events++ == 0)
		m->first_ns = ev->time_ns;
	m->last_ns = h->note.time_ns = ev->time_ns;
}

int
hole_put(struct hole *h, struct journal_writer *j)
{
	uint8_t frame[FRAME_MAX];
	int len;

	if (h->note.u.dropped.events == 0)
		return 0;
	len = frame_encode(&h->note, frame);
	h->note.u.dropped.events = 0;
	return len < 0 ? len : journal_append(j, frame, (size_t)len);
}
