/* SPDX-License-Identifier: ISC */
/* Requests, and the operation that is going on; see stream_store.h. */
#include "worker/workloads/stream_store/stream_store.h"

enum outcome
store_ask(struct worker *w, const char *verb, const char *stream,
    const char *text, cJSON **tree)
{
	struct request r = {verb, stream, text, STORE_ATTEMPT_MS};

	return request_send(&w->session, &r, tree);
}

void
store_at(struct store_state *s, uint64_t id)
{
	s->at = id;
	s->given_up = false;
}

uint64_t
store_next_id(struct worker *w)
{
	struct store_state *s = w->state;

	if (s->counter == 0)
		s->counter = w->counter;
	return message_id(w->source, s->counter++);
}

bool
store_must_give_up(struct worker *w, uint64_t since_ns, uint64_t patience_ns)
{
	const struct store_state *s = w->state;
	bool stopping = worker_must_stop(w); /* and GIVE_UP may have come */
	uint64_t now = clock_mono_ns();

	return s->given_up || now >= since_ns + patience_ns ||
	       (stopping && now >= since_ns + w->config.op_timeout_ns);
}
