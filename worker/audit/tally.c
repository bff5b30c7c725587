/* SPDX-License-Identifier: ISC */
/* What a scan reads, counted; see tally.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/numbers.h"
#include "worker/audit/label.h"
#include "worker/audit/scan.h"

#define LONG_NS	  (NUMBERS_LONG_NS + 2 * CLOCK_S) /* of what does not fit */
#define SILENT_NS (20 * CLOCK_S)
#define STEP	  4 /* of the back-off: 160 ms and more */

void
tally_reset(struct tally *t)
{
	free(t->subjects);
	memset(t, 0, sizeof(*t));
}

static void
add_subject(struct tally *t, uint64_t hash)
{
	uint32_t low =
	    array_lower(t->subjects, t->nsubjects, sizeof(hash), hash);

	if (low < t->nsubjects && t->subjects[low] == hash)
		return;
	if (array_reserve(&t->subjects, &t->room, t->nsubjects + 1,
		sizeof(*t->subjects), TALLY_SUBJECTS) < 0) {
		t->has_more = true;
		return;
	}
	memmove(&t->subjects[low + 1], &t->subjects[low],
	    (t->nsubjects - low) * sizeof(*t->subjects));
	t->subjects[low] = hash;
	t->nsubjects++;
}

static uint64_t
stored_bytes(const struct worker *w, const struct label *l, natsMsg *msg)
{
	uint64_t n = l->subject_len + l->header_len +
		     (uint64_t)natsMsg_GetDataLength(msg);

	return payload_stored(
	    n, l->header_len > 0, setup_storage(w) == js_MemoryStorage);
}

void
tally_add(struct scan *s, uint64_t seq, natsMsg *msg, const char *id)
{
	struct tally *t = &s->tally;
	const char *has = "";
	struct label l;

	label_read(&l, msg);
	if (t->read++ == 0 || seq < t->first)
		t->first = seq;
	if (seq > t->last)
		t->last = seq;
	t->bytes += stored_bytes(s->w, &l, msg);
	add_subject(t, l.subject);
	if (id == NULL ||
	    (natsMsgHeader_Get(msg, "Nats-Msg-Id", &has) == NATS_OK &&
		strcmp(has, id) == 0))
		return;
	if (t->mislabelled++ == 0)
		t->mislabelled_seq = seq;
}

static bool
is_same(const struct scan *a, const struct scan *b)
{
	return a->first == b->first && a->last == b->last &&
	       a->messages == b->messages && a->bytes == b->bytes &&
	       a->subjects == b->subjects && a->deleted == b->deleted;
}

static void
fill(struct msg_scan_tally *m, const struct scan *s)
{
	const struct tally *t = &s->tally;

	m->stream = s->target->stream;
	m->read = t->read;
	m->read_first = t->first;
	m->read_last = t->last;
	m->read_bytes = t->bytes;
	m->read_subjects = t->has_more ? 0 : t->nsubjects;
	m->mislabelled = t->mislabelled;
	m->mislabelled_seq = t->mislabelled_seq;
	m->first = s->first;
	m->last = s->last;
	m->messages = s->messages;
	m->bytes = s->bytes;
	m->subjects = s->subjects;
	m->deleted = s->deleted;
	text_set(m->server, sizeof(m->server), s->server);
}

static void
tell_config(const struct scan *s)
{
	struct event ev = {.type = MESSAGE_STREAM_CONFIG};

	ev.u.stream_config.stream = s->target->stream;
	ev.u.stream_config.polls = s->config_polls;
	text_set(ev.u.stream_config.text, sizeof(ev.u.stream_config.text),
	    s->config);
	child_emit(&s->w->child, &ev);
}

/*
 * How long numbers are asked for that do not fit. Once they have changed behind
 * the scan only what they say of themselves counts (wrong_state): messages that
 * grow old one by one must not begin it anew each time.
 */
static uint64_t
patience_ns(const struct msg_scan_tally *m)
{
	return m->same || numbers_own_flaw(m) != NULL ? 3 * LONG_NS : LONG_NS;
}

int
tally_tell(struct scan *s)
{
	struct event ev = {.type = MESSAGE_SCAN_TALLY};
	struct msg_scan_tally *m = &ev.u.scan_tally;
	uint64_t first = clock_mono_ns(), now, begin = first, answered = first;
	struct backoff b = {.step = STEP};
	struct scan was = *s;

	m->same = s->polls > 0;
	for (;; session_backoff(&b, &s->w->child)) {
		now = clock_mono_ns();
		if (scan_state(s) < 0) {
			if (now >= answered + SILENT_NS)
				return -EIO;
			continue;
		}
		answered = now;
		if (s->polls++ == 0 || !is_same(&was, s)) {
			m->same = m->same && is_same(&was, s);
			s->polls = 1;
			s->since_ns = begin = now;
		}
		was = *s;
		fill(m, s);
		if (numbers_flaw(m) == NULL || now >= begin + LONG_NS ||
		    now >= first + patience_ns(m))
			break;
	}
	m->polls = s->polls;
	m->lasted_ns = now - s->since_ns;
	child_emit(&s->w->child, &ev);
	tell_config(s);
	return 0;
}
