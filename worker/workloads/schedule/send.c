/* SPDX-License-Identifier: ISC */
/*
 * A schedule is sent or removed, until its outcome stands; see schedule.h.
 * Each is told before it is sent.
 */
#include <inttypes.h>

#include "proto/base/text.h"
#include "worker/operate/put.h"
#include "worker/workloads/schedule/schedule.h"

#define PATIENCE_NS (60 * CLOCK_S) /* half of the window for duplicates */
#define SIZE_MOST   400

static void
message_make(struct worker *w, const struct plan *p, struct operation *op,
    struct sending *s)
{
	op->id = p->id;
	op->size = (uint32_t)(PAYLOAD_MIN + rng_mix(p->id) % SIZE_MOST);
	schedule_subject(w, p, s->subject);
	publish_id(w, p->id, put_header(s, "Nats-Msg-Id"));
	schedule_when(p, put_header(s, "Nats-Schedule"));
	schedule_target(
	    w, p->stream, p->group, put_header(s, "Nats-Schedule-Target"));
	if (p->ttl_ns != 0)
		text_format(put_header(s, "Nats-Schedule-TTL"), PUT_VALUE_MAX,
		    "%" PRIu64 "s", p->ttl_ns / CLOCK_S);
}

static void
tell_schedule(struct worker *w, const struct plan *p, const struct attempt *a)
{
	struct event ev = {.type = MESSAGE_SCHEDULE};
	struct msg_schedule *m = &ev.u.schedule;

	m->stream = p->stream;
	m->id = p->id;
	m->attempt = a->number;
	m->group = p->group;
	m->times = (uint8_t)p->times;
	m->at_ns = p->at_ns;
	m->every_ns = p->every_ns;
	m->ttl_ns = p->ttl_ns;
	m->sum = a->sum;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
tell_stored(struct worker *w, const struct plan *p, uint32_t attempt,
    const cJSON *answer)
{
	struct event ev = {.type = MESSAGE_SCHEDULE_OK};
	struct msg_schedule_ok *m = &ev.u.schedule_ok;

	m->stream = p->stream;
	m->id = p->id;
	m->attempt = attempt;
	m->seq = p->seq;
	m->duplicate = json_is_true(answer, "duplicate");
	child_emit(&w->child, &ev);
}

/* What a removal removes: one schedule by its sequence, or a group. */
struct removing {
	uint64_t group, seq; /* seq 0: all of the group; group 0: all groups */
};

static void
tell_unschedule(struct worker *w, const void *what, const struct changing *at)
{
	struct event ev = {.type = MESSAGE_UNSCHEDULE};
	struct msg_unschedule *m = &ev.u.unschedule;
	const struct removing *r = what;

	m->stream = at->stream;
	m->id = at->id;
	m->attempt = at->attempt;
	m->how = r->seq != 0 ? REMOVER_DELETE : REMOVER_PURGE;
	m->group = r->group;
	m->seq = r->seq;
	child_emit(&w->child, &ev);
}

/* One attempt: the outcome, and the sequence if it is OK. */
static enum outcome
send_once(struct worker *w, struct plan *p, const struct operation *op,
    const struct sending *s, uint32_t attempt)
{
	natsMsg *msg = NULL;
	enum outcome outcome;
	natsStatus st;
	cJSON *tree;

	st = put_message(w, op, s, &msg);
	outcome =
	    request_message(&w->session, st, msg, OPERATE_ATTEMPT_MS, &tree);
	if (outcome != OUTCOME_OK)
		return outcome;
	p->seq = json_count(tree, "seq");
	if (p->seq != 0)
		tell_stored(w, p, attempt, tree);
	cJSON_Delete(tree);
	return p->seq != 0 ? OUTCOME_OK : OUTCOME_UNKNOWN;
}

/* Is another attempt of no use? */
static bool
is_over(struct worker *w, enum outcome outcome, uint64_t since_ns)
{
	bool is_certain = outcome == OUTCOME_FAIL && w->session.code != 0 &&
			  w->session.code != OPERATE_UNAVAILABLE;

	return is_certain || operate_must_give_up(w, since_ns, PATIENCE_NS);
}

bool
schedule_send(struct worker *w, struct plan *p)
{
	struct operation op = {.stream = p->stream};
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct changing at = {.stream = p->stream};
	struct attempt a = {.stream = p->stream};
	uint64_t since = clock_mono_ns();
	struct sending s = {.n = 0};
	struct backoff b = {0};

	at.id = a.id = p->id = operate_next_id(w);
	if (p->group == 0)
		p->group = p->id;
	operate_at(w->state, p->id);
	message_make(w, p, &op, &s);
	put_payload(w, &op, &a);
	for (;;) {
		a.number = ++at.attempt;
		tell_schedule(w, p, &a);
		outcome = send_once(w, p, &op, &s, a.number);
		if (outcome == OUTCOME_OK) {
			whole = OUTCOME_OK;
			break;
		}
		tell_unchanged(w, &at, outcome);
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (is_over(w, outcome, since))
			break;
		session_backoff(&b, &w->child);
	}
	tell_change_over(w, &at, whole);
	operate_at(w->state, 0);
	return whole == OUTCOME_OK;
}

static bool
remove_by(struct worker *w, uint32_t stream, const struct removing *r,
    const char *text)
{
	char name[64];
	const struct operate_change c = {.tell = tell_unschedule,
	    .what = r,
	    .verb = r->seq != 0 ? "STREAM.MSG.DELETE" : "STREAM.PURGE",
	    .name = name,
	    .text = text,
	    .patience_ns = PATIENCE_NS};

	operate_name(w, stream, name);
	return operate_change(w, stream, &c);
}

bool
schedule_remove(struct worker *w, const struct plan *p, enum message_word how)
{
	struct removing r = {p->group, how == REMOVER_DELETE ? p->seq : 0};
	char text[OPERATE_TEXT_MAX], subject[OPERATE_SUBJECT_MAX];

	schedule_subject(w, p, subject);
	if (r.seq != 0)
		text_format(text, sizeof(text),
		    "{\"seq\":%" PRIu64 ",\"no_erase\":true}", r.seq);
	else
		text_format(text, sizeof(text), "{\"filter\":\"%s\"}", subject);
	return remove_by(w, p->stream, &r, text);
}

bool
schedule_remove_repeats(struct worker *w, uint32_t stream)
{
	static const struct removing all;
	char text[OPERATE_TEXT_MAX], subject[OPERATE_SUBJECT_MAX];

	schedule_repeats(w, stream, subject);
	text_format(text, sizeof(text), "{\"filter\":\"%s\"}", subject);
	return remove_by(w, stream, &all, text);
}
