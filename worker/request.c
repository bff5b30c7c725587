/* SPDX-License-Identifier: ISC */
/* Raw requests, and what their answers mean; see request.h. */
#include "worker/request.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/refusal.h"

uint32_t
request_status(natsMsg *msg)
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

const char *
request_header(natsMsg *msg, const char *key)
{
	const char *value = "";

	return natsMsgHeader_Get(msg, key, &value) == NATS_OK ? value : "";
}

int64_t
request_time(const char *text)
{
	return clock_from_utc(text);
}

/* The session has what an error in an answer says. */
static enum outcome
refused(struct session *s, const cJSON *error)
{
	const char *text = json_text(error, "description");
	uint64_t code = json_count(error, "err_code");

	session_note(s, NATS_ERR, 0);
	s->code = (uint32_t)code;
	text_set(s->said, sizeof(s->said), text);
	s->why[0] = '\0';
	text_add(s->why, sizeof(s->why), "%s (%llu)", text,
	    (unsigned long long)code);
	if (refusal_class_said(s->code, text) == REFUSAL_CERTAIN ||
	    refusal_is_wrong_last(s->code))
		return OUTCOME_FAIL;
	return OUTCOME_UNKNOWN;
}

enum outcome
request_answer(struct session *s, natsStatus st, natsMsg *msg, cJSON **tree)
{
	enum outcome outcome = OUTCOME_OK;
	const cJSON *error;

	*tree = NULL;
	if (st == NATS_OK && request_status(msg) == 503)
		st = NATS_NO_RESPONDERS; /* the library may hand it over */
	if (st == NATS_OK)
		*tree = json_parse(natsMsg_GetData(msg),
		    (size_t)natsMsg_GetDataLength(msg), REQUEST_NESTING_MAX);
	natsMsg_Destroy(msg);
	if (st != NATS_OK)
		return session_outcome(s, st, 0);
	session_note(s, *tree != NULL ? NATS_OK : NATS_ERR, 0);
	if (*tree == NULL)
		return OUTCOME_UNKNOWN; /* no answer of JetStream */
	error = json_get(*tree, "error");
	if (error != NULL)
		outcome = refused(s, error);
	if (outcome != OUTCOME_OK) {
		cJSON_Delete(*tree);
		*tree = NULL;
	}
	return outcome;
}

enum outcome
request_message(struct session *s, natsStatus st, natsMsg *msg, int64_t wait_ms,
    cJSON **tree)
{
	natsMsg *reply = NULL;

	if (st == NATS_OK)
		st = natsConnection_RequestMsg(&reply, s->nc, msg, wait_ms);
	natsMsg_Destroy(msg);
	return request_answer(s, st, reply, tree);
}

enum outcome
request_send(struct session *s, const struct request *r, cJSON **tree)
{
	char api[SESSION_API_MAX];
	natsMsg *reply = NULL;
	natsStatus st;

	session_api(s, api, "%s.%s", r->verb, r->stream);
	st = natsConnection_RequestString(
	    &reply, s->nc, api, r->text, r->wait_ms);
	return request_answer(s, st, reply, tree);
}
