/* SPDX-License-Identifier: ISC */
/* Raw requests, and what their answers mean; see stream_store.h. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/refusal.h"
#include "worker/workloads/stream_store/stream_store.h"

#define NESTING_MAX 8

uint32_t
store_status(natsMsg *msg)
{
	const char *status = NULL;
	uint64_t code;

	/* A message of the stream may have any header, but not without data. */
	if (natsMsg_GetDataLength(msg) != 0 ||
	    natsMsgHeader_Get(msg, "Status", &status) != NATS_OK ||
	    text_to_u64(status, 999, &code) < 0)
		return 0;
	return (uint32_t)code;
}

/* The session has what an error in an answer says. */
static enum outcome
refused(struct session *s, const cJSON *error)
{
	const char *text = json_text(error, "description");
	uint64_t code = json_count(error, "err_code");

	session_note(s, NATS_ERR, 0);
	s->code = (uint32_t)code;
	s->why[0] = '\0';
	text_add(s->why, sizeof(s->why), "%s (%llu)", text,
	    (unsigned long long)code);
	if (refusal_class_said(s->code, text) == REFUSAL_CERTAIN ||
	    refusal_is_wrong_last(s->code))
		return OUTCOME_FAIL;
	return OUTCOME_UNKNOWN;
}

enum outcome
store_answer(struct worker *w, natsStatus st, natsMsg *msg, cJSON **tree)
{
	enum outcome outcome = OUTCOME_OK;
	const cJSON *error;

	*tree = NULL;
	if (st == NATS_OK && store_status(msg) == 503)
		st = NATS_NO_RESPONDERS; /* the library may hand it over */
	if (st == NATS_OK)
		*tree = json_parse(natsMsg_GetData(msg),
		    (size_t)natsMsg_GetDataLength(msg), NESTING_MAX);
	natsMsg_Destroy(msg);
	if (st != NATS_OK)
		return session_outcome(&w->session, st, 0);
	session_note(&w->session, *tree != NULL ? NATS_OK : NATS_ERR, 0);
	if (*tree == NULL)
		return OUTCOME_UNKNOWN; /* no answer of JetStream */
	error = json_get(*tree, "error");
	if (error != NULL)
		outcome = refused(&w->session, error);
	if (outcome != OUTCOME_OK) {
		cJSON_Delete(*tree);
		*tree = NULL;
	}
	return outcome;
}

enum outcome
store_ask(struct worker *w, const char *verb, const char *stream,
    const char *text, cJSON **tree)
{
	char api[128] = "";
	natsMsg *reply = NULL;
	natsStatus st;

	text_add(api, sizeof(api), "$JS.API.%s.%s", verb, stream);
	st = natsConnection_RequestString(
	    &reply, w->session.nc, api, text, STORE_ATTEMPT_MS);
	return store_answer(w, st, reply, tree);
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
