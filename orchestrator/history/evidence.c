/* SPDX-License-Identifier: ISC */
/* The events that show an anomaly; see evidence.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/history/evidence.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define EXACT_MAX (UINT64_C(1) << 53)
#define BEFORE_NS (10 * CLOCK_S) /* around an anomaly: AckWait and more */
#define AFTER_NS  (2 * CLOCK_S)

static void
add_field(cJSON *o, const struct event *ev, const struct message_field *f)
{
	const char *word;
	char text[64];
	uint64_t v;

	if (strcmp(f->name, "reserved") == 0)
		return;
	if (f->type == FIELD_string) {
		json_put_text(o, f->name, (const char *)&ev->u + f->offset);
		return;
	}
	v = (uint64_t)message_get(ev, f);
	word = message_word(f->key, v);
	if (word != NULL) {
		json_put_text(o, f->name, word);
	} else if (f->key == KEY_ID) {
		text_format(text, sizeof(text), "%u:%llu", message_id_source(v),
		    (unsigned long long)message_id_counter(v));
		json_put_text(o, f->name, text);
	} else if (v > EXACT_MAX) {
		/* More than a JSON number holds exactly: sums, stamps. */
		text_format(text, sizeof(text), "%llu", (unsigned long long)v);
		json_put_text(o, f->name, text);
	} else
		json_put_number(o, f->name, (double)v);
}

cJSON *
evidence_event(const struct event *ev, uint64_t start_ns)
{
	const struct message_spec *spec = message_spec(ev->type);
	cJSON *o = cJSON_CreateObject();
	unsigned i;

	if (o == NULL)
		return NULL;
	json_put_number(o, "t", ((double)ev->time_ns - (double)start_ns) / 1e9);
	json_put_number(o, "source", ev->source);
	json_put_number(o, "incarnation", ev->incarnation);
	json_put_number(o, "n", (double)ev->seq);
	json_put_text(o, "event", spec->name);
	for (i = 0; i < spec->nfields; i++)
		add_field(o, ev, &spec->fields[i]);
	return o;
}

static bool
key_matches(const struct anomaly *a, enum field_key key, uint64_t v)
{
	if (v == 0)
		return false;
	if (key == KEY_ID)
		return v == a->ids[0] || v == a->ids[1];
	if (key == KEY_SEQ)
		return v == a->seqs[0] || v == a->seqs[1];
	return key == KEY_FAULT && v == a->fault;
}

/*
 * False when the field says that the event is about another stream than the
 * anomaly is.
 */
static bool
may_be_its_stream(const struct judge *judge, const struct anomaly *a,
    enum field_key key, uint64_t v)
{
	const struct ledger_consumer *k;

	if (key == KEY_STREAM)
		return v == a->stream;
	if (key != KEY_CONSUMER)
		return true;
	k = ledger_consumer(judge_ledger(judge), (uint32_t)v);
	return k == NULL || k->stream == a->stream;
}

static bool
is_state(const struct event *ev)
{
	return ev->type == MESSAGE_STATE || ev->type == MESSAGE_STATES_DIFFER;
}

/* The beginning or the end of a scan bears on all of its stream. */
static bool
is_scan(const struct event *ev)
{
	return ev->type == MESSAGE_SCAN_BEGIN || ev->type == MESSAGE_SCAN_END;
}

static bool
is_health(const struct event *ev)
{
	return ev->type == MESSAGE_GROUP_SICK ||
	       ev->type == MESSAGE_GROUP_WELL ||
	       ev->type == MESSAGE_SERVER_ANSWERS;
}

bool
evidence_bears_on(
    const struct judge *judge, const struct event *ev, const struct anomaly *a)
{
	const struct message_spec *spec = message_spec(ev->type);
	const struct message_field *f;
	bool matches = false;
	uint64_t v;
	unsigned i;

	if (is_scan(ev)) /* both have their stream at the same place */
		return ev->u.scan_begin.stream == a->stream;
	if (is_state(ev)) /* they are told only of streams that differ */
		return a->kind == ANOMALY_DIVERGENCE;
	if (is_health(ev))
		return a->kind == ANOMALY_NOT_RECOVERED;
	for (i = 0; i < spec->nfields; i++) {
		f = &spec->fields[i];
		v = (uint64_t)message_get(ev, f);
		/* Other streams have messages with the same sequences. */
		if (!may_be_its_stream(judge, a, f->key, v))
			return false;
		matches |= key_matches(a, f->key, v);
	}
	return matches;
}

static uint64_t
sieve_place(uint64_t v)
{
	return v * UINT64_C(0x9e3779b97f4a7c15) >> (64 - EVIDENCE_SIEVE_BITS);
}

static void
sieve_add(struct evidence_sieve *s, uint64_t v)
{
	uint64_t at = sieve_place(v);

	if (v != 0)
		s->bits[at / 64] |= UINT64_C(1) << (at % 64);
}

void
evidence_sieve_fill(struct evidence_sieve *s, const struct judge *judge)
{
	const struct anomaly *a;
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; (a = judge_anomaly(judge, i)) != NULL; i++) {
		sieve_add(s, a->ids[0]);
		sieve_add(s, a->ids[1]);
		sieve_add(s, a->seqs[0]);
		sieve_add(s, a->seqs[1]);
		sieve_add(s, a->fault);
	}
}

bool
evidence_sieve_passes(const struct evidence_sieve *s, const struct event *ev)
{
	const struct message_spec *spec = message_spec(ev->type);
	const struct message_field *f;
	uint64_t at;
	unsigned i;

	if (is_scan(ev) || is_state(ev) || is_health(ev))
		return true;
	for (i = 0; i < spec->nfields; i++) {
		f = &spec->fields[i];
		if (f->key != KEY_ID && f->key != KEY_SEQ &&
		    f->key != KEY_FAULT)
			continue;
		at = sieve_place((uint64_t)message_get(ev, f));
		if (s->bits[at / 64] >> (at % 64) & 1)
			return true;
	}
	return false;
}

bool
evidence_is_frame(const struct event *ev)
{
	if (ev->type == MESSAGE_LOG)
		return ev->u.log.level >= LEVEL_WARNING;
	return message_class(ev->type) & IS_FRAME;
}

bool
evidence_is_around(const struct judge *judge, const struct evidence_sieve *s,
    const struct event *ev)
{
	bool may_bear = evidence_sieve_passes(s, ev);
	const struct anomaly *a;
	size_t i;

	for (i = 0; (a = judge_anomaly(judge, i)) != NULL; i++)
		if ((ev->time_ns + BEFORE_NS >= a->time_ns &&
			ev->time_ns <= a->time_ns + AFTER_NS) ||
		    (may_bear && evidence_bears_on(judge, ev, a)))
			return true;
	return false;
}

/* Keep the first and the last events; those between are counted only. */
static void
found_add(struct evidence *e, const struct event *ev, uint64_t start_ns)
{
	if (e->first_ns == 0)
		e->first_ns = ev->time_ns;
	e->last_ns = ev->time_ns;
	if (cJSON_GetArraySize(e->events) == EVIDENCE_EVENTS_MAX) {
		cJSON_DeleteItemFromArray(e->events, EVIDENCE_EVENTS_MAX / 2);
		e->omitted++;
	}
	json_append(e->events, evidence_event(ev, start_ns));
}

int
evidence_read(const struct judge *judge, struct journal_reader *reader,
    struct evidence *found, size_t n)
{
	struct evidence_sieve sieve;
	const struct anomaly *a;
	enum journal_state state = JOURNAL_EVENT;
	struct event ev;
	uint64_t start_ns = 0;
	size_t i;

	evidence_sieve_fill(&sieve, judge);
	while (
	    (state = journal_next(reader, &ev, NULL, NULL)) == JOURNAL_EVENT) {
		if (start_ns == 0)
			start_ns = ev.time_ns;
		if (!evidence_sieve_passes(&sieve, &ev))
			continue;
		for (i = 0; i < n; i++) {
			a = judge_anomaly(judge, i);
			if (a != NULL && evidence_bears_on(judge, &ev, a))
				found_add(&found[i], &ev, start_ns);
		}
	}
	return state == JOURNAL_DAMAGED ? -EIO : 0;
}

int
evidence_collect(const struct judge *judge, const char *run_dir,
    struct evidence *found, size_t n)
{
	struct journal_reader reader;
	int err;

	if (n == 0)
		return 0;
	err = journal_open(&reader, run_dir);
	if (err == 0)
		err = evidence_read(judge, &reader, found, n);
	journal_reader_fini(&reader);
	return err;
}
