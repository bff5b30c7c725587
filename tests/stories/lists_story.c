/* SPDX-License-Identifier: ISC */
/* Histories of add-remove-streams, told by hand; see lists_story.h. */
#include "tests/stories/lists_story.h"

#include <string.h>

#include "proto/base/text.h"
#include "tests/stories/story.h"

void
lists_feed(struct lists_story *t, uint32_t source, struct event *ev)
{
	ev->time_ns = ++t->now;
	ev->source = source;
	ev->incarnation = 1;
	ev->seq = ++t->seq[source];
	assert_int_equal(judge_event(t->judge, ev), 0);
}

void
lists_option(struct lists_story *t, const char *name, const char *value)
{
	struct event ev = {.type = MESSAGE_OPTION};

	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	lists_feed(t, 0, &ev);
}

void
lists_begin(struct lists_story *t)
{
	struct event ev = {.type = MESSAGE_RUN};

	memset(t, 0, sizeof(*t));
	t->now = 1000 * CLOCK_S;
	t->judge = judge_create(NULL, NULL);
	assert_non_null(t->judge);
	ev.u.run.run = 7;
	lists_feed(t, 0, &ev);
	lists_leader(t, "n1");
	lists_pass(t, 25 * CLOCK_S);
}

/* What comes each second. */
static void
lists_tick(struct lists_story *t)
{
	struct event tick = {.type = MESSAGE_TICK};
	struct event told = {.type = MESSAGE_LEADER};

	lists_feed(t, 0, &tick);
	if (t->meta[0] == '\0')
		return;
	told.u.leader.what = LEADS_META;
	text_set(told.u.leader.leader, sizeof(told.u.leader.leader), t->meta);
	lists_feed(t, 1, &told);
}

void
lists_pass(struct lists_story *t, uint64_t ns)
{
	uint64_t end = t->now + ns;

	while (t->now + CLOCK_S < end) {
		t->now += CLOCK_S;
		lists_tick(t);
	}
	t->now = end;
}

void
lists_stand_still(struct lists_story *t, uint32_t source, uint64_t ns)
{
	struct event ev = {.type = MESSAGE_CHILD_SILENT};
	uint64_t begin_ns = t->now, end = t->now + ns;

	ev.u.child_silent.child = source;
	while (t->now + CLOCK_S < end) {
		t->now += CLOCK_S;
		lists_tick(t);
		ev.u.child_silent.silent_ns = t->now - begin_ns;
		lists_feed(t, 0, &ev);
	}
}

void
lists_leader(struct lists_story *t, const char *name)
{
	struct event ev = {.type = MESSAGE_LEADER};

	text_set(t->meta, sizeof(t->meta), name);
	ev.u.leader.what = LEADS_META;
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), name);
	lists_feed(t, 1, &ev);
}

void
lists_fault_begins(struct lists_story *t, bool stops)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = ++t->faults;
	ev.u.fault_planned.stops_clock = stops;
	lists_feed(t, 1, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_FAULT_APPLIED;
	ev.u.fault_applied.fault = t->faults;
	ev.u.fault_applied.ok = 1;
	lists_feed(t, 1, &ev);
}

void
lists_fault_ends(struct lists_story *t, bool ok)
{
	struct event ev = {.type = MESSAGE_FAULT_HEALED};

	ev.u.fault_healed.fault = t->faults;
	ev.u.fault_healed.ok = ok;
	lists_feed(t, 1, &ev);
}

void
lists_add(
    struct lists_story *t, uint64_t id, const char *name, uint32_t attempt)
{
	struct event ev = {.type = MESSAGE_STREAM_ADD};

	ev.u.stream_add.id = id;
	ev.u.stream_add.attempt = attempt;
	ev.u.stream_add.variant = (uint32_t)message_id_counter(id);
	text_set(ev.u.stream_add.name, sizeof(ev.u.stream_add.name), name);
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_add_ok(struct lists_story *t, uint64_t id, uint64_t created)
{
	struct event ev = {.type = MESSAGE_STREAM_ADD_OK};

	ev.u.stream_add_ok.id = id;
	ev.u.stream_add_ok.created = created;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_filled(struct lists_story *t, uint64_t id, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_STREAM_FILLED};

	ev.u.stream_filled.id = id;
	ev.u.stream_filled.seq = seq;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_remove(
    struct lists_story *t, uint64_t id, const char *name, uint32_t attempt)
{
	struct event ev = {.type = MESSAGE_STREAM_REMOVE};

	ev.u.stream_remove.id = id;
	ev.u.stream_remove.attempt = attempt;
	text_set(
	    ev.u.stream_remove.name, sizeof(ev.u.stream_remove.name), name);
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_remove_ok(struct lists_story *t, uint64_t id)
{
	struct event ev = {.type = MESSAGE_STREAM_REMOVE_OK};

	ev.u.stream_remove_ok.id = id;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_op_failed(struct lists_story *t, uint64_t id, bool certain)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_FAILED};

	ev.u.stream_op_failed.id = id;
	ev.u.stream_op_failed.certain = certain;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_op_refused(struct lists_story *t, uint64_t id, uint32_t code)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_FAILED};

	ev.u.stream_op_failed.id = id;
	ev.u.stream_op_failed.code = code;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_op_end(struct lists_story *t, uint64_t id, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_END};

	ev.u.stream_op_end.id = id;
	ev.u.stream_op_end.outcome = outcome;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_counted(struct lists_story *t, uint64_t id, bool found, uint64_t messages)
{
	struct event ev = {.type = MESSAGE_STREAM_COUNTED};

	ev.u.stream_counted.id = id;
	ev.u.stream_counted.found = found;
	ev.u.stream_counted.messages = messages;
	ev.u.stream_counted.created = found ? 100 : 0;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_settled(struct lists_story *t, bool ok)
{
	struct event ev = {.type = MESSAGE_SETTLED};

	ev.u.settled.ok = ok;
	lists_feed(t, 1, &ev);
}

void
lists_content(struct lists_story *t, uint64_t id, uint64_t seq, uint64_t held)
{
	struct event ev = {.type = MESSAGE_STREAM_CONTENT};

	t->has_damage |= held == 0;
	ev.u.stream_content.id = id;
	ev.u.stream_content.seq = seq;
	ev.u.stream_content.messages = 3;
	ev.u.stream_content.held = held;
	ev.u.stream_content.run = 7;
	ev.u.stream_content.intact = held != 0;
	lists_feed(t, message_id_source(id), &ev);
}

void
lists_have(struct lists_story *t, uint64_t id, const char *name)
{
	uint64_t seq;

	lists_add(t, id, name, 1);
	lists_add_ok(t, id, 100);
	for (seq = 1; seq <= 3; seq++)
		lists_filled(t, id, seq);
	lists_op_end(t, id, 0);
}

void
lists_drop(struct lists_story *t, uint64_t id, const char *name)
{
	lists_remove(t, id, name, 1);
	lists_remove_ok(t, id);
	lists_op_end(t, id, 0);
}

void
lists_list_begin(struct lists_story *t, uint32_t source, const char *prefix)
{
	struct event ev = {.type = MESSAGE_STREAM_LIST};

	ev.u.stream_list.list = ++t->lists;
	text_set(
	    ev.u.stream_list.prefix, sizeof(ev.u.stream_list.prefix), prefix);
	lists_feed(t, source, &ev);
}

void
lists_list_end(struct lists_story *t, uint32_t source,
    const struct lists_row *rows, unsigned n, bool ok)
{
	struct event ev;
	unsigned i;

	for (i = 0; i < n; i++) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_LISTED;
		ev.u.stream_listed.list = t->lists;
		ev.u.stream_listed.id = rows[i].id;
		ev.u.stream_listed.variant = rows[i].variant;
		ev.u.stream_listed.messages = rows[i].messages;
		ev.u.stream_listed.created = rows[i].created;
		text_set(ev.u.stream_listed.name,
		    sizeof(ev.u.stream_listed.name), rows[i].name);
		lists_feed(t, source, &ev);
	}
	memset(&ev, 0, sizeof(ev));
	ev.type = MESSAGE_STREAM_LIST_END;
	ev.u.stream_list_end.list = t->lists;
	ev.u.stream_list_end.ok = ok;
	ev.u.stream_list_end.count = n;
	lists_feed(t, source, &ev);
}

void
lists_list(struct lists_story *t, uint32_t source, const struct lists_row *rows,
    unsigned n)
{
	lists_list_begin(t, source, PREFIX);
	t->now += 2 * CLOCK_MS;
	lists_list_end(t, source, rows, n, true);
}

void
lists_list_for(struct lists_story *t, unsigned seconds,
    const struct lists_row *rows, unsigned n)
{
	unsigned i;

	for (i = 0; i <= seconds; i++) {
		lists_list(t, ANN, rows, n);
		t->now += CLOCK_S;
		lists_tick(t);
	}
}

uint64_t
lists_count(const struct lists_story *t, enum anomaly_kind kind,
    enum anomaly_class class)
{
	return judge_count(t->judge, kind, class);
}

uint64_t
lists_count_class(const struct lists_story *t, enum anomaly_class class)
{
	uint64_t n = 0;
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		n += judge_count(t->judge, k, class);
	return n;
}

/* The paragraph that the table of docs/guarantees.md names. */
static const char *
rule_of(const struct lists_story *t, enum anomaly_kind kind)
{
	if (kind == ANOMALY_LOST)
		return "guarantees 1";
	if (kind == ANOMALY_MISANSWERED)
		return "guarantees 0";
	if (kind == ANOMALY_WRONG_STATE)
		return "guarantees 13";
	if (kind == ANOMALY_CORRUPT && t->has_damage)
		return "guarantees 2";
	return kind == ANOMALY_OP_TIMEOUT ? "guarantees 15" : "guarantees 12";
}

void
lists_finish(struct lists_story *t)
{
	struct event ev = {.type = MESSAGE_PHASE};

	text_set(ev.u.phase.name, sizeof(ev.u.phase.name), "end");
	lists_feed(t, 0, &ev);
	judge_finish(t->judge, &t->result);
	story_expect_judged(t->judge);
}

void
lists_expect_violation(struct lists_story *t, enum anomaly_kind kind)
{
	const struct anomaly *a;
	size_t i;

	lists_finish(t);
	assert_int_equal(lists_count(t, kind, CLASS_VIOLATION), 1);
	assert_int_equal(lists_count_class(t, CLASS_VIOLATION), 1);
	assert_int_equal(t->result.verdict, VERDICT_FAIL);
	for (i = 0; (a = judge_anomaly(t->judge, i)) != NULL; i++)
		if (a->class == CLASS_VIOLATION)
			assert_string_equal(a->rule, rule_of(t, kind));
	judge_destroy(t->judge);
}

void
lists_expect_legal(
    struct lists_story *t, uint64_t warnings, uint64_t documented)
{
	lists_finish(t);
	assert_int_equal(lists_count_class(t, CLASS_VIOLATION), 0);
	assert_int_equal(lists_count_class(t, CLASS_WARNING), warnings);
	assert_int_equal(lists_count_class(t, CLASS_DOCUMENTED), documented);
	assert_int_not_equal(t->result.verdict, VERDICT_FAIL);
	judge_destroy(t->judge);
}

bool
lists_has_reason(const struct lists_story *t, const char *part)
{
	unsigned i;

	for (i = 0; i < t->result.nreasons; i++)
		if (strstr(t->result.reasons[i], part) != NULL)
			return true;
	return false;
}

struct lists_row
lists_row_of(uint64_t id, const char *name)
{
	struct lists_row r = {
	    name, id, 3, 100, (uint32_t)message_id_counter(id)};

	return r;
}
