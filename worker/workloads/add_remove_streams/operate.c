/* SPDX-License-Identifier: ISC */
/* Adding and deleting streams; see add_remove_streams.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/creation.h"
#include "worker/workloads/add_remove_streams/add_remove_streams.h"

#define ADD_MS	    3000
#define REMOVE_MS   2000
#define FILL_NS	    CLOCK_S
#define FILL_BYTES  64
#define STATE_TRIES 3

static void
tell(struct worker *w, struct event *ev)
{
	child_emit(&w->child, ev);
	child_flush(&w->child);
}

static void
tell_failed(struct worker *w, uint64_t id, bool certain)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_FAILED};
	struct msg_stream_op_failed *m = &ev.u.stream_op_failed;

	m->id = id;
	m->certain = certain;
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	tell(w, &ev);
}

static void
tell_op_end(struct worker *w, uint64_t id, enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_END};

	ev.u.stream_op_end.id = id;
	ev.u.stream_op_end.outcome = (uint8_t)outcome;
	tell(w, &ev);
}

static void
tell_counted(struct worker *w, uint64_t id, const jsStreamInfo *si)
{
	struct event ev = {.type = MESSAGE_STREAM_COUNTED};

	ev.u.stream_counted.id = id;
	if (si != NULL) {
		ev.u.stream_counted.found = 1;
		ev.u.stream_counted.messages = si->State.Msgs;
		ev.u.stream_counted.created = (uint64_t)si->Created;
	}
	tell(w, &ev);
}

/* After a failed attempt: whether another one follows. Pauses if so. */
static bool
tries_again(struct worker *w, struct backoff *b)
{
	struct ar_state *s = w->state;
	bool stopping = worker_must_stop(w);

	if (stopping && s->stop_ns == 0)
		s->stop_ns = clock_mono_ns();
	if (s->given_up ||
	    (stopping &&
		clock_mono_ns() >= s->stop_ns + w->config.op_timeout_ns))
		return false;
	session_backoff(b, &w->child);
	return true;
}

static enum outcome
add_once(struct worker *w, struct ar_held *h)
{
	struct event ev = {.type = MESSAGE_STREAM_ADD};
	const char *subjects[1] = {h->subject};
	char description[64];
	struct creation made;
	jsStreamConfig sc;
	bool certain;

	ev.u.stream_add.id = h->id;
	ev.u.stream_add.attempt = ++h->attempts;
	ev.u.stream_add.variant = h->variant;
	text_set(ev.u.stream_add.name, sizeof(ev.u.stream_add.name), h->name);
	tell(w, &ev);
	ar_config(w, h, &sc, description, sizeof(description));
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	if (creation_ask(w, &sc, ADD_MS, &made) == OUTCOME_OK) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_ADD_OK;
		ev.u.stream_add_ok.id = h->id;
		ev.u.stream_add_ok.variant = ar_variant(w, made.config);
		ev.u.stream_add_ok.created = made.created;
		h->created = made.created;
		creation_fini(&made);
		tell(w, &ev);
		return OUTCOME_OK;
	}
	/* "Name in use" and "no peers" may be a deposed meta leader's view. */
	certain = w->session.status == NATS_NO_RESPONDERS;
	tell_failed(w, h->id, certain);
	return certain ? OUTCOME_FAIL : OUTCOME_UNKNOWN;
}

/* Put the messages in: false when it was given up. */
static bool
fill(struct worker *w, struct ar_held *h)
{
	const struct ar_options *o = w->options;
	struct payload p = {.run = w->config.run,
	    .id = h->id,
	    .incarnation = w->incarnation,
	    .size = FILL_BYTES};
	struct event ev = {.type = MESSAGE_STREAM_FILLED};
	uint8_t data[FILL_BYTES];
	struct backoff b = {0};
	bool duplicate;
	char id[96];

	payload_write(&p, data);
	while (h->filled < o->messages) {
		text_format(id, sizeof(id), "%llx-%llx-%llu",
		    (unsigned long long)w->config.run,
		    (unsigned long long)h->id, (unsigned long long)h->filled);
		if (session_publish(&w->session, h->subject, data, sizeof(data),
			id, FILL_NS, &ev.u.stream_filled.seq,
			&duplicate) == OUTCOME_OK) {
			ev.u.stream_filled.id = h->id;
			tell(w, &ev);
			h->filled++;
			b.step = 0;
			continue;
		}
		h->unheard += w->session.status != NATS_NO_RESPONDERS;
		tell_failed(w, h->id, w->session.status == NATS_NO_RESPONDERS);
		if (!tries_again(w, &b))
			return false;
	}
	return true;
}

/* Attempts until one is answered with success: the outcome of them all. */
static enum outcome
add_until_done(struct worker *w, struct ar_held *h)
{
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct backoff b = {0};

	for (;;) {
		outcome = add_once(w, h);
		if (outcome == OUTCOME_OK)
			return OUTCOME_OK;
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (!tries_again(w, &b))
			return whole;
	}
}

static int
add_stream(struct worker *w)
{
	struct ar_state *s = w->state;
	struct ar_held h = {.state = HELD_GOOD};
	enum outcome outcome;

	ar_name_pick(w, &h);
	h.id = message_id(w->source, s->next++);
	h.variant = (uint32_t)rng_below(&s->rng, VARIANTS);
	s->at = h.id;
	s->given_up = false;
	outcome = add_until_done(w, &h);
	if (outcome == OUTCOME_UNKNOWN)
		h.state = HELD_DOUBTFUL;
	else if (outcome == OUTCOME_OK && !fill(w, &h))
		outcome = OUTCOME_UNKNOWN;
	tell_op_end(w, h.id, outcome);
	s->at = 0;
	if (outcome == OUTCOME_FAIL)
		return 0;
	return ar_held_add(s, &h) != NULL ? 0 : -ENOMEM;
}

/*
 * Count the messages of a stream that is to be deleted: true when all of
 * them are there, and no others. Without an answer the stream stays.
 */
static bool
count_messages(struct worker *w, const struct ar_held *h)
{
	struct backoff b = {0};
	jsStreamInfo *si = NULL;
	bool is_whole = false;
	unsigned i;

	for (i = 0; i < STATE_TRIES; i++) {
		if (session_stream_info(&w->session, h->name, STATE_MS, &si) ==
			OUTCOME_OK ||
		    w->session.code == JSStreamNotFoundErr)
			break;
		session_backoff(&b, &w->child);
	}
	if (i == STATE_TRIES)
		return false;
	tell_counted(w, h->id, si);
	if (si != NULL)
		is_whole = (si->State.Msgs >= h->filled ||
			       strcmp(w->config.storage, "memory") == 0) &&
			   si->State.Msgs <= h->filled + h->unheard;
	jsStreamInfo_Destroy(si);
	return is_whole;
}

/*
 * One attempt. "Not found" is neither success nor failure: a meta leader that
 * was just deposed says it of what it does not know, or of what it had only
 * proposed to delete, while the new one may delete the stream or keep it.
 */
static enum outcome
remove_once(struct worker *w, const struct ar_held *h, uint32_t attempt)
{
	struct event ev = {.type = MESSAGE_STREAM_REMOVE};
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;
	bool certain;

	ev.u.stream_remove.id = h->id;
	ev.u.stream_remove.attempt = attempt;
	text_set(
	    ev.u.stream_remove.name, sizeof(ev.u.stream_remove.name), h->name);
	tell(w, &ev);
	session_options(&jo, REMOVE_MS);
	st = js_DeleteStream(w->session.js, h->name, &jo, &code);
	session_note(&w->session, st, code);
	if (st == NATS_OK) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_REMOVE_OK;
		ev.u.stream_remove_ok.id = h->id;
		tell(w, &ev);
		return OUTCOME_OK;
	}
	certain = st == NATS_NO_RESPONDERS;
	tell_failed(w, h->id, certain);
	return certain ? OUTCOME_FAIL : OUTCOME_UNKNOWN;
}

/* Attempts until the stream is deleted: the outcome of them all. */
static enum outcome
remove_until_done(struct worker *w, const struct ar_held *h, uint32_t *attempts)
{
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct backoff b = {0};

	for (;;) {
		outcome = remove_once(w, h, ++*attempts);
		if (outcome == OUTCOME_OK)
			return OUTCOME_OK;
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		/* The listings tell whether it is so: it stays unknown. */
		if (w->session.code == JSStreamNotFoundErr ||
		    !tries_again(w, &b))
			return whole;
	}
}

static void
remove_stream(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t pick = rng_below(&s->rng, ar_held_good(s));
	enum outcome outcome;
	uint32_t attempts = 0;
	struct ar_held *h;
	uint32_t i;

	for (i = 0; s->held[i].state != HELD_GOOD || pick > 0; i++)
		pick -= s->held[i].state == HELD_GOOD;
	h = &s->held[i];
	if (!count_messages(w, h))
		return;
	s->at = h->id;
	s->given_up = false;
	outcome = remove_until_done(w, h, &attempts);
	tell_op_end(w, h->id, outcome);
	s->at = 0;
	if (outcome == OUTCOME_UNKNOWN)
		h->state = HELD_DOUBTFUL;
	if (outcome != OUTCOME_OK)
		return;
	/* Each was answered at the first attempt: nothing can come late. */
	if (h->attempts == 1 && attempts == 1 && h->unheard == 0)
		ar_name_return(s, h);
	ar_held_drop(s, i);
}

int
ar_operate(struct worker *w)
{
	struct ar_state *s = w->state;
	const struct ar_options *o = w->options;
	uint32_t n = ar_held_good(s);
	uint64_t what = rng_below(&s->rng, 3);

	if (s->next == 0)
		s->next = w->counter;
	if (n < o->min || (what == 0 && n < o->max))
		return add_stream(w);
	if (n > o->min && (what == 1 || n >= o->max))
		remove_stream(w);
	return 0; /* else the round is the listing alone */
}
