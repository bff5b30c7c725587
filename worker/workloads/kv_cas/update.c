/* SPDX-License-Identifier: ISC */
/* One update of a key; see kv_cas.h. */
#include <string.h>

#include "proto/base/text.h"
#include "proto/refusal.h"
#include "worker/denial.h"
#include "worker/workloads/kv_cas/kv_cas.h"

static void
emit_invoke(struct worker *w, const struct kv_update *u)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE};

	ev.u.kv_update.id = u->id;
	ev.u.kv_update.key = u->key;
	ev.u.kv_update.expected = u->expected;
	ev.u.kv_update.attempt = u->attempt;
	ev.u.kv_update.sum = u->sum;
	ev.u.kv_update.size = u->size;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_ok(struct worker *w, const struct kv_update *u, bool duplicate)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_OK};

	ev.u.kv_update_ok.id = u->id;
	ev.u.kv_update_ok.key = u->key;
	ev.u.kv_update_ok.expected = u->expected;
	ev.u.kv_update_ok.attempt = u->attempt;
	ev.u.kv_update_ok.revision = u->revision;
	ev.u.kv_update_ok.duplicate = duplicate;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* REJECTED and UNKNOWN of one attempt have the same fields. */
static void
emit_failure(struct worker *w, const struct kv_update *u, enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_UNKNOWN};
	struct msg_kv_update_unknown *m = &ev.u.kv_update_unknown;

	if (outcome == OUTCOME_FAIL)
		ev.type = MESSAGE_KV_UPDATE_REJECTED;
	m->id = u->id;
	m->key = u->key;
	m->expected = u->expected;
	m->attempt = u->attempt;
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_end(struct worker *w, const struct kv_update *u, enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_END};

	ev.u.kv_update_end.id = u->id;
	ev.u.kv_update_end.key = u->key;
	ev.u.kv_update_end.outcome = (uint8_t)outcome;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static enum outcome
publish_update(struct worker *w, struct kv_update *u, bool *duplicate)
{
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	char subject[SESSION_API_MAX];
	jsPubOptions o;
	natsStatus st;

	session_put_subject(&w->session, u->subject, subject);
	session_publish_options(&o, u->message_id, ATTEMPT_MS);
	o.ExpectLastSubjectSeq = u->expected;
	o.ExpectNoMessage = u->expected == 0;
	st = js_Publish(
	    &ack, w->session.js, subject, u->data, (int)u->size, &o, &code);
	if (st == NATS_OK) {
		u->revision = ack->Sequence;
		*duplicate = ack->Duplicate;
	}
	jsPubAck_Destroy(ack);
	if (st != NATS_OK || u->revision != 0)
		return session_outcome(&w->session, st, code);
	/*
	 * Older servers answer a retry whose first copy is not stored yet
	 * with "duplicate" and no sequence: that copy may yet be dropped.
	 */
	session_note(&w->session, NATS_ERR, 0);
	return OUTCOME_UNKNOWN;
}

/*
 * Refused after an attempt whose outcome is unknown: most likely by that
 * attempt itself. True when the update is over, with its outcome.
 */
static bool
resolve_update(struct worker *w, struct kv_update *u, enum outcome *outcome)
{
	struct kv_state *kv = w->state;
	struct kv_reading r;

	*outcome = OUTCOME_UNKNOWN;
	if (kv_read_key(w, u->key, PATH_LEADER, &r) < 0)
		return false;
	if (r.intact && r.payload.id == u->id) {
		kv_know(&kv->keys[u->key], r.revision, u->id);
		*outcome = OUTCOME_OK;
		return true;
	}
	/* Nothing came after what it expects: it can still be accepted. */
	return r.revision > u->expected;
}

/* The end of an attempt that did not succeed; true when it was the last. */
static bool
is_over(struct worker *w, struct kv_update *u, enum outcome *outcome)
{
	if (*outcome == OUTCOME_UNKNOWN) {
		u->is_unknown = true;
		return false;
	}
	if (refusal_is_wrong_last(w->session.code)) {
		if (u->is_unknown)
			return resolve_update(w, u, outcome);
		return true;
	}
	return false; /* no server was there: the next one may take it */
}

static bool
must_give_up(struct worker *w, const struct kv_update *u, uint64_t since)
{
	bool stopping = worker_must_stop(w); /* and GIVE_UP may have come */
	uint64_t now = clock_mono_ns();

	/* A retry must lie within the dedupe window of the first attempt. */
	return u->given_up || now >= since + DEDUPE_NS / 2 ||
	       (stopping && now >= since + w->config.op_timeout_ns) ||
	       denial_look(w) < 0;
}

static void
make_update(struct worker *w, struct kv_update *u, uint32_t key)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	struct payload p = {.run = w->config.run};

	if (kv->counter == 0)
		kv->counter = w->counter;
	memset(u, 0, sizeof(*u));
	u->id = message_id(w->source, kv->counter++);
	u->key = key;
	u->expected = kv->keys[key].revision;
	u->size = (uint32_t)(PAYLOAD_MIN +
			     rng_below(&kv->rng, o->size - PAYLOAD_MIN + 1));
	u->data = kv->data;
	p.id = u->id;
	p.incarnation = w->incarnation;
	p.size = u->size;
	payload_write(&p, u->data);
	u->sum = p.sum;
	kv_key_subject(kv, key, u->subject, sizeof(u->subject));
	publish_id(w, u->id, u->message_id);
}

void
kv_update_key(struct worker *w, uint32_t key)
{
	struct kv_state *kv = w->state;
	struct kv_update *u = &kv->now;
	uint64_t since = clock_mono_ns();
	struct backoff b = {0};
	bool duplicate = false;
	enum outcome outcome;

	make_update(w, u, key);
	for (;;) {
		u->attempt++;
		emit_invoke(w, u);
		outcome = publish_update(w, u, &duplicate);
		if (outcome == OUTCOME_OK) {
			emit_ok(w, u, duplicate);
			kv_know(&kv->keys[key], u->revision, u->id);
			break;
		}
		emit_failure(w, u, outcome);
		if (is_over(w, u, &outcome)) {
			emit_end(w, u, outcome);
			break;
		}
		if (must_give_up(w, u, since)) {
			emit_end(w, u,
			    u->is_unknown ? OUTCOME_UNKNOWN : OUTCOME_FAIL);
			break;
		}
		session_backoff(&b, &w->child);
	}
	u->id = 0;
}
