/* SPDX-License-Identifier: ISC */
/*
 * The merge; see merge.h. A binary heap holds every live source by the time
 * it could next contribute: that of its first queued event or, when the
 * queue is empty, the time it said it is past. If the least is a queue's
 * event, no source can still come before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/live/merge.h"
#include "proto/base/buf.h"
#include "proto/base/ensure.h"
#include "proto/frame.h"

#define LEAN_FROM ((size_t)1 << 20) /* bytes of a queue */
#define KEEP_MAX  ((size_t)4 << 20) /* of an empty queue's room */

/*
 * A queued event: this head, the payload's structure, the frame. Where many
 * wait the structure is left out, and made again of the frame: payload is 0.
 */
struct record {
	uint32_t total, payload, raw;
	struct event stamp; /* without its payload; see record_bytes */
};

#define STAMP_BYTES  offsetof(struct event, u)
#define RECORD_BYTES (offsetof(struct record, stamp) + STAMP_BYTES)
#define ALIGN(n)     (((n) + 7) & ~(size_t)7)
#define NOWHERE	     UINT32_MAX

struct merge_source {
	bool is_open, is_closing;
	uint32_t place; /* in the heap, or NOWHERE */
	uint64_t past_ns;
	uint64_t key;
	struct buf queue;
};

struct merge {
	struct merge_source *sources[MERGE_SOURCES_MAX];
	uint32_t heap[MERGE_SOURCES_MAX];
	uint32_t nheap;
	size_t waiting, waiting_bytes;
	uint64_t released_ns; /* time of the last event released */
};

struct merge *
merge_create(void)
{
	return calloc(1, sizeof(struct merge));
}

void
merge_destroy(struct merge *m)
{
	uint32_t i;

	if (m == NULL)
		return;
	for (i = 0; i < MERGE_SOURCES_MAX; i++) {
		if (m->sources[i] == NULL)
			continue;
		buf_fini(&m->sources[i]->queue);
		free(m->sources[i]);
	}
	free(m);
}

static bool
comes_first(const struct merge *m, uint32_t a, uint32_t b)
{
	const struct merge_source *sa = m->sources[a], *sb = m->sources[b];

	if (sa->key != sb->key)
		return sa->key < sb->key;
	return a < b;
}

static void
heap_put(struct merge *m, uint32_t place, uint32_t source)
{
	m->heap[place] = source;
	m->sources[source]->place = place;
}

static void
heap_fix(struct merge *m, uint32_t place)
{
	uint32_t source = m->heap[place], up, down;

	while (place > 0) {
		up = (place - 1) / 2;
		if (!comes_first(m, source, m->heap[up]))
			break;
		heap_put(m, place, m->heap[up]);
		place = up;
	}
	for (;;) {
		down = 2 * place + 1;
		if (down >= m->nheap)
			break;
		if (down + 1 < m->nheap &&
		    comes_first(m, m->heap[down + 1], m->heap[down]))
			down++;
		if (!comes_first(m, m->heap[down], source))
			break;
		heap_put(m, place, m->heap[down]);
		place = down;
	}
	heap_put(m, place, source);
}

static void
heap_remove(struct merge *m, uint32_t place)
{
	uint32_t last;

	ensure(place < m->nheap);
	last = m->heap[--m->nheap];
	m->sources[m->heap[place]]->place = NOWHERE;
	if (place == m->nheap)
		return;
	heap_put(m, place, last);
	heap_fix(m, place);
}

/* Bring a source to its place after its queue or its time changed. */
static void
source_update(struct merge *m, uint32_t source)
{
	struct merge_source *s = m->sources[source];
	struct record head;

	if (buf_len(&s->queue) > 0) {
		memcpy(&head, buf_data(&s->queue), RECORD_BYTES);
		s->key = head.stamp.time_ns;
	} else if (s->is_closing) {
		s->is_open = s->is_closing = false;
		heap_remove(m, s->place);
		return;
	} else
		s->key = s->past_ns;
	heap_fix(m, s->place);
}

int
merge_open(struct merge *m, uint32_t source, uint64_t now_ns)
{
	struct merge_source *s;

	if (source >= MERGE_SOURCES_MAX)
		return -E2BIG;
	s = m->sources[source];
	if (s == NULL) {
		s = m->sources[source] = calloc(1, sizeof(*s));
		if (s == NULL)
			return -ENOMEM;
		buf_init(&s->queue, MERGE_QUEUE_MAX);
		s->place = NOWHERE;
	}
	s->is_closing = false;
	if (!s->is_open) {
		s->is_open = true;
		s->past_ns = s->key = now_ns;
		s->place = m->nheap++;
		m->heap[s->place] = source;
	} else if (now_ns > s->past_ns)
		s->past_ns = now_ns;
	source_update(m, source);
	return 0;
}

static struct merge_source *
open_source(struct merge *m, uint32_t source)
{
	struct merge_source *s =
	    source < MERGE_SOURCES_MAX ? m->sources[source] : NULL;

	return s != NULL && s->is_open ? s : NULL;
}

void
merge_mark(struct merge *m, uint32_t source, uint64_t time_ns)
{
	struct merge_source *s = open_source(m, source);

	if (s == NULL || time_ns <= s->past_ns)
		return;
	s->past_ns = time_ns;
	if (buf_len(&s->queue) == 0)
		source_update(m, source);
}

int
merge_push(
    struct merge *m, const struct event *ev, const uint8_t *raw, size_t raw_len)
{
	struct merge_source *s = open_source(m, ev->source);
	const struct message_spec *spec = message_spec(ev->type);
	struct record head;
	struct event late;
	uint8_t frame[FRAME_MAX], *at;
	int len;

	if (s == NULL || spec == NULL)
		return -EINVAL;
	if (ev->time_ns < s->past_ns) {
		/* The journal must say the time that was judged. */
		late = *ev;
		late.time_ns = s->past_ns;
		len = frame_encode(&late, frame);
		ensure(len > 0);
		raw_len = (size_t)len;
		raw = frame;
		ev = &late;
	}
	if (buf_len(&s->queue) == 0 && s->queue.room > KEEP_MAX)
		buf_fini(&s->queue); /* of a time when somebody stood still */
	memcpy(&head.stamp, ev, STAMP_BYTES);
	s->past_ns = ev->time_ns;
	head.payload =
	    buf_len(&s->queue) < LEAN_FROM ? (uint32_t)spec->size : 0;
	head.raw = (uint32_t)raw_len;
	head.total = (uint32_t)ALIGN(RECORD_BYTES + head.payload + raw_len);
	at = buf_reserve(&s->queue, head.total);
	if (at == NULL)
		return -errno;
	memcpy(at, &head, RECORD_BYTES);
	memcpy(at + RECORD_BYTES, &ev->u, head.payload);
	memcpy(at + RECORD_BYTES + head.payload, raw, raw_len);
	buf_commit(&s->queue, head.total);
	m->waiting++;
	m->waiting_bytes += head.total;
	if (buf_len(&s->queue) == head.total)
		source_update(m, ev->source);
	return 0;
}

void
merge_close(struct merge *m, uint32_t source)
{
	struct merge_source *s = open_source(m, source);

	if (s == NULL)
		return;
	s->is_closing = true;
	source_update(m, source);
}

static void
take_record(const struct record *head, const uint8_t *at, struct event *ev)
{
	enum frame_state state;
	size_t used;

	if (head->payload > 0) {
		memcpy(ev, &head->stamp, STAMP_BYTES);
		memcpy(&ev->u, at + RECORD_BYTES, head->payload);
		return;
	}
	/* It was a whole frame when it was queued. */
	state = frame_decode(at + RECORD_BYTES, head->raw, ev, &used);
	ensure(state == FRAME_WHOLE);
}

bool
merge_next(
    struct merge *m, struct event *ev, const uint8_t **raw, size_t *raw_len)
{
	struct merge_source *s;
	struct record head;
	uint8_t *at;
	uint32_t source;

	if (m->nheap == 0)
		return false;
	source = m->heap[0];
	s = m->sources[source];
	if (buf_len(&s->queue) == 0)
		return false;
	at = buf_data(&s->queue);
	memcpy(&head, at, RECORD_BYTES);
	*raw = at + RECORD_BYTES + head.payload;
	*raw_len = head.raw;
	take_record(&head, at, ev);
	/* The judge and the journal rely on it: time never goes back. */
	ensure(ev->time_ns >= m->released_ns);
	m->released_ns = ev->time_ns;
	ensure(m->waiting > 0);
	/* Consuming moves no bytes: the frame lives until the next push. */
	buf_consume(&s->queue, head.total);
	m->waiting--;
	m->waiting_bytes -= head.total;
	source_update(m, source);
	return true;
}

bool
merge_is_held_up(const struct merge *m, uint32_t *holder)
{
	if (m->nheap == 0)
		return false;
	*holder = m->heap[0];
	return buf_len(&m->sources[*holder]->queue) == 0 &&
	       m->waiting_bytes > MERGE_HELD_MAX;
}

size_t
merge_waiting(const struct merge *m)
{
	return m->waiting;
}
