/* SPDX-License-Identifier: ISC */
/*
 * Publishing one message, retried until its outcome stands. Every attempt
 * is in the history before its first byte is sent, and every attempt that
 * timed out is UNKNOWN for ever: it may be stored at any later time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define ATTEMPT_NS CLOCK_S /* one publish; retrying it is harmless */

static void
emit_invoke(struct worker *w, const struct publication *p, uint32_t attempt,
    uint64_t sum)
{
	struct event ev = {.type = MESSAGE_PUBLISH_INVOKE};

	ev.u.publish_invoke.stream = p->stream;
	ev.u.publish_invoke.id = p->id;
	ev.u.publish_invoke.attempt = attempt;
	ev.u.publish_invoke.sum = sum;
	ev.u.publish_invoke.size = p->size;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_ok(struct worker *w, const struct publication *p, uint32_t attempt,
    bool duplicate)
{
	struct event ev = {.type = MESSAGE_PUBLISH_OK};

	ev.u.publish_ok.stream = p->stream;
	ev.u.publish_ok.id = p->id;
	ev.u.publish_ok.attempt = attempt;
	ev.u.publish_ok.seq = p->seq;
	ev.u.publish_ok.duplicate = duplicate;
	child_emit(&w->child, &ev); /* goes up with what follows */
}

/* FAIL and UNKNOWN of one attempt have the same fields. */
static void
emit_failure(struct worker *w, const struct publication *p, uint32_t attempt,
    enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_PUBLISH_UNKNOWN};
	struct msg_publish_unknown *m = &ev.u.publish_unknown;

	if (outcome == OUTCOME_FAIL)
		ev.type = MESSAGE_PUBLISH_FAIL;
	m->stream = p->stream;
	m->id = p->id;
	m->attempt = attempt;
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_end(struct worker *w, const struct publication *p, enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_PUBLISH_END};

	ev.u.publish_end.stream = p->stream;
	ev.u.publish_end.id = p->id;
	ev.u.publish_end.outcome = outcome == OUTCOME_FAIL ? 1 : 2;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static bool
must_give_up(struct worker *w, const struct publication *p, uint64_t since)
{
	(void)worker_commands(w, 0); /* GIVE_UP may have come */
	return p->given_up || clock_mono_ns() >= since + p->give_up_ns;
}

enum outcome
publish_message(struct worker *w, struct publication *p)
{
	struct payload payload = {
	    .run = w->config.run, .id = p->id, .incarnation = w->incarnation};
	uint64_t since = clock_mono_ns();
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct backoff b = {0};
	uint8_t *data = malloc(p->size);
	bool duplicate = false;
	uint32_t attempt = 0;
	char id[96];

	if (data == NULL)
		return OUTCOME_FAIL; /* not sent, and not in the history */
	payload.size = p->size;
	payload_write(&payload, data);
	text_format(id, sizeof(id), "%llx-%llx",
	    (unsigned long long)w->config.run, (unsigned long long)p->id);
	for (;;) {
		emit_invoke(w, p, ++attempt, payload.sum);
		outcome = session_publish(&w->session, p->subject, data,
		    p->size, id, ATTEMPT_NS, &p->seq, &duplicate);
		if (outcome == OUTCOME_OK) {
			emit_ok(w, p, attempt, duplicate);
			break;
		}
		emit_failure(w, p, attempt, outcome);
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (must_give_up(w, p, since)) {
			emit_end(w, p, whole);
			break;
		}
		session_backoff(&b, &w->child);
	}
	free(data);
	return outcome == OUTCOME_OK ? OUTCOME_OK : whole;
}
