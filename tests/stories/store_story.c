/* SPDX-License-Identifier: ISC */
/* Histories of streams whose messages go away; see store_story.h. */
#include "tests/stories/store_story.h"

#include <string.h>

#include "proto/base/text.h"

#define CLIENT 5
#define BYTES  100

void
store_feed(struct store_story *s, struct event *ev)
{
	s->now += CLOCK_MS;
	ev->time_ns = s->now;
	ev->source = CLIENT;
	assert_int_equal(judge_event(s->judge, ev), 0);
}

void
store_pass(struct store_story *s, uint64_t ns)
{
	struct event tick = {.type = MESSAGE_TICK}, lead;
	uint64_t end = s->now + ns;

	while (s->now < end) {
		s->now += CLOCK_S;
		store_feed(s, &tick);
		lead = (struct event){.type = MESSAGE_LEADER};
		lead.u.leader.what = LEADS_STREAM;
		text_set(lead.u.leader.name, sizeof(lead.u.leader.name), "s0");
		text_set(
		    lead.u.leader.leader, sizeof(lead.u.leader.leader), "n1");
		store_feed(s, &lead);
	}
}

static void
begin(struct store_story *s, const struct msg_contents *terms,
    const char *cluster, uint32_t replicas)
{
	struct event ev = {.type = MESSAGE_RUN};

	memset(s, 0, sizeof(*s));
	s->now = 1000 * CLOCK_S;
	s->judge = judge_create(NULL, NULL);
	assert_non_null(s->judge);
	ev.u.run.run = STORE_RUN;
	ev.u.run.wall_ns = (int64_t)(s->now + CLOCK_MS); /* one clock */
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_OPTION};
	text_set(ev.u.option.name, sizeof(ev.u.option.name), "cluster");
	text_set(ev.u.option.value, sizeof(ev.u.option.value), cluster);
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_STREAM};
	ev.u.stream.replicas = replicas;
	ev.u.stream.created = 1000;
	ev.u.stream.dedupe_ns = 600 * CLOCK_S;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), "s0");
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), "file");
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_CONTENTS};
	ev.u.contents = *terms;
	ev.u.contents.subjects = 8;
	ev.u.contents.first_seq = 1;
	store_feed(s, &ev);
	store_pass(s, 40 * CLOCK_S);
}

void
store_begin(struct store_story *s, const struct msg_contents *terms)
{
	begin(s, terms, "local", 3);
}

void
store_begin_on(struct store_story *s, const struct msg_contents *terms,
    const char *cluster)
{
	begin(s, terms, cluster, 3);
}

void
store_begin_alone(struct store_story *s, const struct msg_contents *terms)
{
	begin(s, terms, "local", 1);
}

void
store_retain(struct store_story *s, uint8_t retention)
{
	struct event ev = {.type = MESSAGE_STREAM_RULES};

	s->retention = retention;
	ev.u.stream_rules.retention = retention;
	store_feed(s, &ev);
}

void
store_fault(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_FAULT_PLANNED};

	ev.u.fault_planned.fault = 1;
	ev.u.fault_planned.ends_server = 1;
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_FAULT_APPLIED};
	ev.u.fault_applied.fault = 1;
	ev.u.fault_applied.ok = 1;
	store_feed(s, &ev);
	s->now += CLOCK_S;
	ev = (struct event){.type = MESSAGE_FAULT_HEALED};
	ev.u.fault_healed.fault = 1;
	ev.u.fault_healed.ok = 1;
	store_feed(s, &ev);
}

void
store_dies(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_CHILD_EXIT};

	ev.u.child_exit.child = CLIENT;
	ev.u.child_exit.expected = 1;
	store_feed(s, &ev);
}

struct msg_publish_terms
store_terms(struct store_story *s, uint32_t subject)
{
	return (struct msg_publish_terms){.stream = STORE_STREAM,
	    .id = message_id(CLIENT, ++s->counter),
	    .subject = subject,
	    .stored = BYTES};
}

void
store_told(struct store_story *s, const struct msg_publish_terms *terms)
{
	struct event ev = {.type = MESSAGE_PUBLISH_TERMS};

	ev.u.publish_terms = *terms;
	store_feed(s, &ev);
}

void
store_sent(struct store_story *s, const struct msg_publish_terms *terms)
{
	struct event ev = {.type = MESSAGE_PUBLISH_INVOKE};

	store_told(s, terms);
	ev.u.publish_invoke.stream = STORE_STREAM;
	ev.u.publish_invoke.id = terms->id;
	ev.u.publish_invoke.attempt = 1;
	ev.u.publish_invoke.sum = terms->id * 31;
	store_feed(s, &ev);
}

static void
publish_over(struct store_story *s, uint64_t id, uint8_t outcome)
{
	struct event ev = {.type = MESSAGE_PUBLISH_END};

	ev.u.publish_end = (struct msg_publish_end){STORE_STREAM, id, outcome};
	store_feed(s, &ev);
}

void
store_acked(struct store_story *s, uint64_t id, uint64_t seq, bool duplicate)
{
	struct event ev = {.type = MESSAGE_PUBLISH_OK};

	assert_true(seq < STORE_SEQS);
	s->ids[seq] = id;
	if (seq > s->last)
		s->last = seq;
	ev.u.publish_ok =
	    (struct msg_publish_ok){STORE_STREAM, id, 1, seq, duplicate};
	store_feed(s, &ev);
	publish_over(s, id, ENDED_OK);
}

void
store_unknown(struct store_story *s, uint64_t id, bool ends)
{
	struct event ev = {.type = MESSAGE_PUBLISH_UNKNOWN};

	ev.u.publish_unknown.stream = STORE_STREAM;
	ev.u.publish_unknown.id = id;
	ev.u.publish_unknown.attempt = 1;
	store_feed(s, &ev);
	if (ends)
		publish_over(s, id, ENDED_UNKNOWN);
}

uint64_t
store_put(struct store_story *s, const struct msg_publish_terms *terms)
{
	store_sent(s, terms);
	store_acked(s, terms->id, s->last + 1, false);
	return s->last;
}

uint64_t
store_publish(struct store_story *s, uint32_t subject)
{
	struct msg_publish_terms terms = store_terms(s, subject);

	return store_put(s, &terms);
}

void
store_publish_many(struct store_story *s, unsigned n, uint32_t subjects)
{
	while (n-- > 0)
		store_publish(s, 1 + n % subjects);
}

void
store_batch_begun(struct store_story *s, uint64_t last_id, uint32_t n)
{
	struct event ev = {.type = MESSAGE_BATCH};

	ev.u.batch = (struct msg_batch){STORE_STREAM, last_id, n};
	store_feed(s, &ev);
}

uint64_t
store_batch(struct store_story *s, uint32_t n)
{
	uint64_t first = message_id(CLIENT, s->counter + 1);

	s->counter += n;
	store_batch_begun(s, first + n - 1, n);
	return first;
}

void
store_batch_sent(struct store_story *s, uint64_t first, uint32_t n)
{
	struct msg_publish_terms terms = store_terms(s, 1);

	s->counter--; /* they have their ids */
	for (; n > 0; n--) {
		terms.id = first++;
		store_sent(s, &terms);
	}
}

void
store_batch_told(struct store_story *s, uint64_t last_id, uint32_t n, bool same)
{
	struct event ev = {.type = MESSAGE_BATCH_OK};

	ev.u.batch_ok =
	    (struct msg_batch_ok){STORE_STREAM, last_id, s->last + n, n, same};
	store_feed(s, &ev);
}

void
store_batch_ok(struct store_story *s, uint64_t first, uint32_t n)
{
	store_batch_told(s, first + n - 1, n, true);
	for (; n > 0; n--)
		store_acked(s, first++, s->last + 1, false);
}

void
store_batch_not(
    struct store_story *s, enum message_type how, uint64_t first, uint32_t n)
{
	struct event ev;

	for (; n > 0; n--) {
		ev = (struct event){.type = how};
		ev.u.publish_fail.stream = STORE_STREAM;
		ev.u.publish_fail.id = first;
		ev.u.publish_fail.attempt = 1;
		store_feed(s, &ev);
		publish_over(s, first++,
		    how == MESSAGE_PUBLISH_FAIL ? ENDED_FAILED : ENDED_UNKNOWN);
	}
}

uint64_t
store_remove(struct store_story *s, const struct msg_remove_invoke *what)
{
	struct event ev = {.type = MESSAGE_REMOVE_INVOKE};

	ev.u.remove_invoke = *what;
	ev.u.remove_invoke.stream = STORE_STREAM;
	ev.u.remove_invoke.id = message_id(CLIENT, ++s->counter);
	ev.u.remove_invoke.attempt = 1;
	store_feed(s, &ev);
	return ev.u.remove_invoke.id;
}

void
store_changed(struct store_story *s, enum message_type outcome, uint64_t id)
{
	struct event ev = {.type = outcome};

	ev.u.change_ok.stream = STORE_STREAM;
	ev.u.change_ok.id = id;
	ev.u.change_ok.attempt = 1;
	store_feed(s, &ev);
	ev = (struct event){.type = MESSAGE_CHANGE_END};
	ev.u.change_end.stream = STORE_STREAM;
	ev.u.change_end.id = id;
	ev.u.change_end.outcome = outcome == MESSAGE_CHANGE_OK ? ENDED_OK
				  : outcome == MESSAGE_CHANGE_FAIL
				      ? ENDED_FAILED
				      : ENDED_UNKNOWN;
	store_feed(s, &ev);
}

void
store_purged(struct store_story *s, uint64_t id, uint64_t removed)
{
	struct event ev = {.type = MESSAGE_CHANGE_OK};

	ev.u.change_ok =
	    (struct msg_change_ok){STORE_STREAM, id, 1, 1, removed};
	store_feed(s, &ev);
}

void
store_not_there(struct store_story *s, uint64_t id)
{
	struct event ev = {.type = MESSAGE_CHANGE_FAIL};

	ev.u.change_fail.stream = STORE_STREAM;
	ev.u.change_fail.id = id;
	ev.u.change_fail.attempt = 1;
	ev.u.change_fail.code = 10043;
	store_feed(s, &ev);
}

void
store_drop(struct store_story *s, uint64_t first, uint64_t last)
{
	for (; first <= last; first++)
		s->is_gone[first] = true;
}

void
store_delete(struct store_story *s, uint64_t seq)
{
	struct msg_remove_invoke m = {
	    .how = REMOVER_DELETE, .first = seq, .last = seq};

	store_changed(s, MESSAGE_CHANGE_OK, store_remove(s, &m));
	store_drop(s, seq, seq);
}

void
store_purge(struct store_story *s, uint64_t last)
{
	struct msg_remove_invoke m = {
	    .how = REMOVER_PURGE, .first = 1, .last = last};

	store_changed(s, MESSAGE_CHANGE_OK, store_remove(s, &m));
	store_drop(s, 1, last != 0 ? last : s->last);
}

void
store_limits(struct store_story *s, uint64_t messages, uint64_t age_ns)
{
	struct event ev = {.type = MESSAGE_LIMITS_INVOKE};
	uint64_t id = message_id(CLIENT, ++s->counter);

	ev.u.limits_invoke.stream = STORE_STREAM;
	ev.u.limits_invoke.id = id;
	ev.u.limits_invoke.attempt = 1;
	ev.u.limits_invoke.max_messages = messages;
	ev.u.limits_invoke.max_age_ns = age_ns;
	store_feed(s, &ev);
	store_changed(s, MESSAGE_CHANGE_OK, id);
}

void
store_look(struct store_story *s, const struct msg_look *what)
{
	struct event ev = {.type = MESSAGE_LOOK};

	ev.u.look = *what;
	ev.u.look.look = ++s->look;
	store_feed(s, &ev);
}

void
store_shown(struct store_story *s, uint32_t subject, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_LOOK_SHOWN};

	ev.u.look_shown = (struct msg_look_shown){.stream = STORE_STREAM,
	    .look = s->look,
	    .subject = subject,
	    .seq = seq,
	    .stamp_ns = (int64_t)s->now,
	    .id = s->ids[seq],
	    .run = STORE_RUN,
	    .sum = s->ids[seq] * 31,
	    .intact = 1};
	store_feed(s, &ev);
}

void
store_looked(struct store_story *s, uint32_t shown)
{
	struct event ev = {.type = MESSAGE_LOOK_END};

	ev.u.look_end.stream = STORE_STREAM;
	ev.u.look_end.look = s->look;
	ev.u.look_end.ok = 1;
	ev.u.look_end.shown = shown;
	store_feed(s, &ev);
}

void
store_marked(struct store_story *s, const struct msg_marked *m)
{
	struct event ev = {.type = MESSAGE_MARKED};

	ev.u.marked = *m;
	if (m->reason[0] == '\0')
		text_set(
		    ev.u.marked.reason, sizeof(ev.u.marked.reason), "MaxAge");
	store_feed(s, &ev);
}

/* The audit finds one, of 50 s. */
static void
scan_marker(struct store_story *s, uint64_t seq)
{
	store_marked(s, &(struct msg_marked){.stream = STORE_STREAM,
			    .subject = s->markers[seq],
			    .seq = seq,
			    .ttl_ns = 50 * CLOCK_S,
			    .scanned = 1});
}

void
store_numbers(struct store_story *s, uint64_t messages, uint64_t bytes)
{
	struct event ev = {.type = MESSAGE_LOOK_STATE};

	ev.u.look_state.stream = STORE_STREAM;
	ev.u.look_state.asked_ns = s->now;
	ev.u.look_state.messages = messages;
	ev.u.look_state.bytes = bytes;
	ev.u.look_state.last = s->last;
	ev.u.look_state.subjects = 8;
	store_feed(s, &ev);
}

/* The leader's numbers, which fit what was read. */
static void
tally(struct store_story *s, const struct msg_scan_tally *read)
{
	struct event ev = {.type = MESSAGE_SCAN_TALLY};
	struct msg_scan_tally *m = &ev.u.scan_tally;

	*m = *read;
	m->stream = STORE_STREAM;
	m->polls = s->behind == 0 ? 3 : 40;
	m->lasted_ns = s->behind == 0 ? 0 : 12 * CLOCK_S;
	m->same = 1;
	m->last = s->end != 0 ? s->end : s->last;
	m->first = m->read != 0 ? m->read_first : m->last + 1;
	m->messages = m->read - s->behind;
	m->deleted = m->last + 1 - m->first - m->messages;
	m->subjects = m->read_subjects = 1;
	store_feed(s, &ev);
}

static void
scan(struct store_story *s)
{
	struct event ev = {.type = MESSAGE_SCAN_BEGIN};
	struct msg_scan_tally read = {0};
	uint64_t seq;

	ev.u.scan_begin.first = 1;
	ev.u.scan_begin.last = s->last;
	store_feed(s, &ev);
	for (seq = 1; seq <= s->last; seq++) {
		ev = (struct event){.type = MESSAGE_SCAN_ABSENT};
		if (s->markers[seq] != 0) {
			scan_marker(s, seq);
			read.read_first =
			    read.read++ == 0 ? seq : read.read_first;
			read.read_last = seq;
			continue;
		}
		if (s->is_gone[seq] && s->retention != RETENTION_LIMITS) {
			ev.type = MESSAGE_SCAN_REMOVED;
			ev.u.scan_removed.first = ev.u.scan_removed.last = seq;
		} else if (s->is_gone[seq]) {
			ev.u.scan_absent.seq = seq;
			ev.u.scan_absent.tries = 5;
		} else if (s->ids[seq] != 0) {
			ev.type = MESSAGE_SCAN_MESSAGE;
			ev.u.scan_message = (struct msg_scan_message){
			    .path = SCAN_PATH_CONSUMER,
			    .seq = seq,
			    .stamp_ns = (int64_t)(1 + seq),
			    .id = s->ids[seq],
			    .run = STORE_RUN,
			    .sum = s->ids[seq] * 31,
			    .intact = 1};
			if (read.read++ == 0)
				read.read_first = seq;
			read.read_last = seq;
		} else
			continue;
		store_feed(s, &ev);
	}
	if (!s->is_uncounted)
		tally(s, &read);
	ev = (struct event){.type = MESSAGE_SCAN_END};
	ev.u.scan_end.complete = 1;
	store_feed(s, &ev);
}

void
store_end(struct store_story *s)
{
	struct event over = {.type = MESSAGE_PHASE};
	unsigned kind, class;
	uint64_t n;
	size_t i;

	scan(s);
	if (s->more != NULL)
		s->more(s);
	text_set(over.u.phase.name, sizeof(over.u.phase.name), "end");
	store_feed(s, &over);
	judge_finish(s->judge, &s->result);
	for (kind = 0; kind < ANOMALY_COUNT; kind++)
		for (class = 0; class < CLASS_COUNT; class ++) {
			n = judge_count(s->judge, kind, class);
			if (n == s->expected[kind][class])
				continue;
			print_error("%s (%s): %llu instead of %llu\n",
			    anomaly_kind_name(kind), anomaly_class_name(class),
			    (unsigned long long)n,
			    (unsigned long long)s->expected[kind][class]);
			for (i = 0; judge_anomaly(s->judge, i) != NULL; i++)
				print_error(
				    "%s\n", judge_anomaly(s->judge, i)->says);
			fail();
		}
	judge_destroy(s->judge);
}

void
store_end_with(
    struct store_story *s, enum anomaly_kind kind, enum anomaly_class class)
{
	s->expected[kind][class]++;
	store_end(s);
}
