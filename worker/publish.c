/* SPDX-License-Identifier: ISC */
/*
 * Publishing one message, retried until its outcome stands. Every attempt
 * is in the history before its first byte is sent, and every attempt that
 * timed out is UNKNOWN for ever: it may be stored at any later time.
 */
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/denial.h"
#include "worker/internal.h"

#define ATTEMPT_NS CLOCK_S /* one publish; retrying it is harmless */

void
publish_id(const struct worker *w, uint64_t id, char out[PUBLISH_ID_MAX])
{
	payload_write_id(w->config.run, id, out);
}

static bool
must_give_up(struct worker *w, const struct publication *p, uint64_t since)
{
	worker_commands(w, 0); /* GIVE_UP may have come */
	return p->given_up || clock_mono_ns() >= since + p->give_up_ns ||
	       denial_look(w) < 0;
}

enum outcome
publish_message(struct worker *w, struct publication *p)
{
	struct payload payload = {.run = w->config.run,
	    .id = p->id,
	    .incarnation = w->incarnation,
	    .size = p->size};
	struct attempt a = {.stream = p->stream, .id = p->id, .size = p->size};
	uint64_t since = clock_mono_ns();
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct backoff b = {0};
	uint8_t *data = malloc(p->size);
	bool duplicate = false;
	char id[PUBLISH_ID_MAX];

	if (data == NULL)
		return OUTCOME_FAIL; /* not sent, and not in the history */
	payload_write(&payload, data);
	a.sum = payload.sum;
	publish_id(w, p->id, id);
	for (;;) {
		a.number++;
		tell_invoke(w, &a);
		child_flush(&w->child);
		outcome = session_publish(&w->session, p->subject, data,
		    p->size, id, ATTEMPT_NS, &p->seq, &duplicate);
		if (outcome == OUTCOME_OK) {
			/* Goes up with what follows. */
			tell_published(w, &a, p->seq, duplicate);
			break;
		}
		tell_failure(w, &a, outcome);
		child_flush(&w->child);
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (must_give_up(w, p, since)) {
			tell_end(w, &a, whole);
			child_flush(&w->child);
			break;
		}
		session_backoff(&b, &w->child);
	}
	free(data);
	return outcome == OUTCOME_OK ? OUTCOME_OK : whole;
}
