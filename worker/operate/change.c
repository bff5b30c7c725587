/* SPDX-License-Identifier: ISC */
/*
 * A removal or a change of limits, retried until its outcome stands; see
 * operate.h.
 */
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/operate.h"

/* For how long one is tried whose answers don't come. */
#define REMOVE_NS (30 * CLOCK_S)
#define LIMIT_NS  (UINT64_MAX / 2) /* until it is certain what is in force */

static void
tell_remove(struct worker *w, const void *what, const struct changing *at)
{
	const struct operation *op = what;
	struct event ev = {.type = MESSAGE_REMOVE_INVOKE};
	struct msg_remove_invoke *m = &ev.u.remove_invoke;

	m->stream = op->stream;
	m->id = at->id;
	m->attempt = at->attempt;
	m->how = (uint8_t)op->how;
	m->subject = op->subject;
	m->first = op->remove_first;
	m->last = op->remove_last;
	m->keep = op->keep;
	m->erases = op->erases;
	child_emit(&w->child, &ev);
}

static void
tell_limits(struct worker *w, const void *what, const struct changing *at)
{
	const struct operation *op = what;
	struct event ev = {.type = MESSAGE_LIMITS_INVOKE};
	struct msg_limits_invoke *m = &ev.u.limits_invoke;

	m->stream = op->stream;
	m->id = at->id;
	m->attempt = at->attempt;
	m->max_messages = op->limits.messages;
	m->max_bytes = op->limits.bytes;
	m->max_age_ns = op->limits.age_ns;
	m->per_subject = op->limits.per_subject;
	child_emit(&w->child, &ev);
}

/*
 * An answer with a code is final, be it certain or not. Without one, and when
 * the server says that it can't for the moment, another attempt may do it.
 */
static bool
is_final(const struct worker *w, const struct operate_change *c,
    enum outcome outcome)
{
	if (w->session.code == 0 || w->session.code == OPERATE_UNAVAILABLE)
		return false;
	return outcome == OUTCOME_FAIL || !c->insists;
}

bool
operate_change(
    struct worker *w, uint32_t stream, const struct operate_change *c)
{
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct changing at = {.stream = stream, .id = operate_next_id(w)};
	uint64_t since = clock_mono_ns();
	struct backoff b = {0};
	cJSON *tree;

	operate_at(w->state, at.id);
	for (;;) {
		at.attempt++;
		c->tell(w, c->what, &at);
		child_flush(&w->child);
		outcome = operate_ask(w, c->verb, c->name, c->text, &tree);
		if (outcome == OUTCOME_OK) {
			tell_changed(w, &at, tree);
			cJSON_Delete(tree);
			whole = OUTCOME_OK;
			break;
		}
		tell_unchanged(w, &at, outcome);
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (is_final(w, c, outcome) ||
		    operate_must_give_up(w, since, c->patience_ns))
			break;
		session_backoff(&b, &w->child);
	}
	tell_change_over(w, &at, whole);
	operate_at(w->state, 0);
	return whole == OUTCOME_OK;
}

static void
write_purge(const struct worker *w, const struct operation *op, char *text)
{
	const struct operate *s = w->state;
	char subject[OPERATE_SUBJECT_MAX];
	const char *comma = "";

	text_set(text, OPERATE_TEXT_MAX, "{");
	if (op->subject != 0) {
		s->ops->subject(w, op->stream, op->subject, subject);
		text_add(text, OPERATE_TEXT_MAX, "\"filter\":\"%s\"", subject);
		comma = ",";
	}
	if (op->remove_last != 0)
		text_add(text, OPERATE_TEXT_MAX, "%s\"seq\":%llu", comma,
		    (unsigned long long)op->remove_last + 1);
	else if (op->keep != 0)
		text_add(text, OPERATE_TEXT_MAX, "%s\"keep\":%llu", comma,
		    (unsigned long long)op->keep);
	text_add(text, OPERATE_TEXT_MAX, "}");
}

void
operate_remove(struct worker *w, struct operation *op)
{
	char text[OPERATE_TEXT_MAX];
	struct operate_change c = {.tell = tell_remove,
	    .what = op,
	    .name = op->at->name,
	    .text = text,
	    .patience_ns = REMOVE_NS};

	if (op->how == REMOVER_DELETE) {
		c.verb = "STREAM.MSG.DELETE";
		text_format(text, sizeof(text), "{\"seq\":%llu%s}",
		    (unsigned long long)op->remove_first,
		    op->erases ? "" : ",\"no_erase\":true");
	} else {
		c.verb = "STREAM.PURGE";
		write_purge(w, op, text);
	}
	if (operate_change(w, op->stream, &c))
		op->at->is_full = false;
}

static void
tell_seal(struct worker *w, const void *what, const struct changing *at)
{
	struct event ev = {.type = MESSAGE_SEAL_INVOKE};

	(void)what; /* a seal has no more to it than its id */
	ev.u.seal_invoke.stream = at->stream;
	ev.u.seal_invoke.id = at->id;
	ev.u.seal_invoke.attempt = at->attempt;
	child_emit(&w->child, &ev);
}

bool
operate_seal(struct worker *w, struct operation *op, const char *text)
{
	const struct operate_change c = {.tell = tell_seal,
	    .verb = "STREAM.UPDATE",
	    .name = op->at->name,
	    .text = text,
	    .patience_ns = REMOVE_NS};

	return operate_change(w, op->stream, &c);
}

void
operate_limit(struct worker *w, struct operation *op, const char *text)
{
	const struct operate_change c = {.tell = tell_limits,
	    .what = op,
	    .verb = "STREAM.UPDATE",
	    .name = op->at->name,
	    .text = text,
	    .patience_ns = LIMIT_NS,
	    .insists = true};

	/* What is in force is told by its events. */
	(void)operate_change(w, op->stream, &c);
}
