/* SPDX-License-Identifier: ISC */
/* The events that show an anomaly; see evidence.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/evidence.h"
#include "proto/journal.h"

#define EXACT_MAX (UINT64_C(1) << 53)

static void
add_field(cJSON *o, const struct event *ev, const struct message_field *f)
{
	char text[64];
	uint64_t v;

	if (strcmp(f->name, "reserved") == 0)
		return;
	if (f->type == FIELD_string) {
		(void)cJSON_AddStringToObject(
		    o, f->name, (const char *)&ev->u + f->offset);
		return;
	}
	v = (uint64_t)message_get(ev, f);
	if (f->key == KEY_ID) {
		(void)snprintf(text, sizeof(text), "%u:%llu",
		    message_id_source(v),
		    (unsigned long long)message_id_counter(v));
		(void)cJSON_AddStringToObject(o, f->name, text);
	} else if (v > EXACT_MAX) {
		/* Beyond what a JSON number holds exactly: checksums, stamps.
		 */
		(void)snprintf(
		    text, sizeof(text), "%llu", (unsigned long long)v);
		(void)cJSON_AddStringToObject(o, f->name, text);
	} else
		(void)cJSON_AddNumberToObject(o, f->name, (double)v);
}

cJSON *
evidence_event(const struct event *ev, uint64_t start_ns)
{
	const struct message_spec *spec = message_spec(ev->type);
	cJSON *o = cJSON_CreateObject();
	unsigned i;

	if (o == NULL)
		return NULL;
	(void)cJSON_AddNumberToObject(
	    o, "t", ((double)ev->time_ns - (double)start_ns) / 1e9);
	(void)cJSON_AddNumberToObject(o, "source", ev->source);
	(void)cJSON_AddNumberToObject(o, "incarnation", ev->incarnation);
	(void)cJSON_AddNumberToObject(o, "n", (double)ev->seq);
	(void)cJSON_AddStringToObject(o, "event", spec->name);
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

static bool
event_bears_on(const struct event *ev, const struct anomaly *a)
{
	const struct message_spec *spec = message_spec(ev->type);
	const struct message_field *f;
	bool matches = false;
	uint64_t v;
	unsigned i;

	if (ev->type == MESSAGE_SCAN_BEGIN || ev->type == MESSAGE_SCAN_END)
		return ev->u.scan_begin.stream == a->stream;
	for (i = 0; i < spec->nfields; i++) {
		f = &spec->fields[i];
		v = (uint64_t)message_get(ev, f);
		/* Sequences mean something within their stream only. */
		if (f->key == KEY_STREAM && v != a->stream)
			return false;
		matches |= key_matches(a, f->key, v);
	}
	return matches;
}

int
evidence_collect(const struct judge *judge, const char *run_dir,
    cJSON *const *lists, size_t n)
{
	struct journal_reader reader;
	const struct anomaly *a;
	struct event ev;
	uint64_t start_ns = 0;
	size_t i;
	int err;

	if (n == 0)
		return 0;
	err = journal_open(&reader, run_dir);
	while (err == 0 &&
	       journal_next(&reader, &ev, NULL, NULL) == JOURNAL_EVENT) {
		if (start_ns == 0)
			start_ns = ev.time_ns;
		for (i = 0; i < n; i++) {
			a = judge_anomaly(judge, i);
			if (a == NULL || !event_bears_on(&ev, a) ||
			    cJSON_GetArraySize(lists[i]) >= EVIDENCE_EVENTS_MAX)
				continue;
			(void)cJSON_AddItemToArray(
			    lists[i], evidence_event(&ev, start_ns));
		}
	}
	journal_reader_fini(&reader);
	return err;
}
