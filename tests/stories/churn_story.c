/* SPDX-License-Identifier: ISC */
/* Histories of consumers that come and go; see churn_story.h. */
#include "tests/stories/churn_story.h"

#include <string.h>

#include "proto/base/text.h"

static void
leader(struct churn_story *s, uint8_t what, const char *name, const char *who)
{
	struct event ev = {.type = MESSAGE_LEADER};

	ev.u.leader.what = what;
	text_set(ev.u.leader.name, sizeof(ev.u.leader.name), name);
	text_set(ev.u.leader.leader, sizeof(ev.u.leader.leader), who);
	store_feed(&s->store, &ev);
}

void
churn_pass(struct churn_story *s, uint64_t ns)
{
	uint64_t end = s->store.now + ns;
	char name[80];

	text_format(name, sizeof(name), "s0/%s", s->name);
	while (s->store.now < end) {
		store_pass(&s->store, CLOCK_S / 2);
		leader(s, LEADS_META, "", s->meta);
		if (s->is_led)
			leader(s, LEADS_CONSUMER, name, s->leader);
	}
}

void
churn_begin(struct churn_story *s)
{
	static const struct msg_contents plain = {.allow_rollup = 1};

	memset(s, 0, sizeof(*s));
	s->name = "c1";
	s->leader = "n2";
	s->meta = "n3";
	s->created = CHURN_CREATED * CLOCK_S;
	s->terms.consumer = CHURN_CONSUMER;
	s->terms.kind = KIND_PULL;
	s->terms.ack_wait_ns = 5 * CLOCK_S;
	s->terms.is_durable = 1;
	store_begin(&s->store, &plain);
	churn_pass(s, 40 * CLOCK_S);
	store_publish_many(&s->store, 40, 4);
	churn_pass(s, 20 * CLOCK_S);
}

uint64_t
churn_ask(struct churn_story *s, uint8_t what)
{
	struct event ev = {.type = MESSAGE_CONSUMER_TERMS};
	uint64_t id = message_id(5, ++s->store.counter);

	ev.u.consumer_terms = s->terms;
	if (what == EDIT_CREATE || what == EDIT_UPDATE)
		store_feed(&s->store, &ev);
	ev = (struct event){.type = MESSAGE_CONSUMER_EDIT};
	ev.u.consumer_edit.consumer = CHURN_CONSUMER;
	ev.u.consumer_edit.id = id;
	ev.u.consumer_edit.attempt = 1;
	ev.u.consumer_edit.what = what;
	ev.u.consumer_edit.until_ns =
	    what == EDIT_PAUSE ? (int64_t)(s->store.now + 30 * CLOCK_S) : 0;
	text_set(
	    ev.u.consumer_edit.name, sizeof(ev.u.consumer_edit.name), s->name);
	store_feed(&s->store, &ev);
	return id;
}

void
churn_answer(struct churn_story *s, enum message_type outcome, uint64_t id)
{
	store_changed(&s->store, outcome, id);
}

void
churn_made(struct churn_story *s, uint64_t id)
{
	struct event ev = {.type = MESSAGE_CONSUMER_MADE};

	churn_answer(s, MESSAGE_CHANGE_OK, id);
	ev.u.consumer_made.consumer = CHURN_CONSUMER;
	ev.u.consumer_made.id = id;
	ev.u.consumer_made.created = s->created;
	store_feed(&s->store, &ev);
	s->is_led = true;
}

void
churn_create(struct churn_story *s)
{
	churn_made(s, churn_ask(s, EDIT_CREATE));
}

void
churn_update(struct churn_story *s)
{
	churn_made(s, churn_ask(s, EDIT_UPDATE));
}

void
churn_delete(struct churn_story *s)
{
	churn_answer(s, MESSAGE_CHANGE_OK, churn_ask(s, EDIT_DELETE));
	s->is_led = false;
}

void
churn_over(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_CONSUMER_OVER};

	ev.u.consumer_over.consumer = CHURN_CONSUMER;
	store_feed(&s->store, &ev);
	s->number = 0;
}

void
churn_deliver(struct churn_story *s, uint64_t seq, uint64_t delivered)
{
	struct event ev = {.type = MESSAGE_DELIVER};

	s->numbers[seq] = ++s->number;
	ev.u.deliver = (struct msg_deliver){.consumer = CHURN_CONSUMER,
	    .seq = seq,
	    .consumer_seq = s->number,
	    .delivered = delivered,
	    .stamp_ns = (int64_t)(1 + seq),
	    .id = s->store.ids[seq],
	    .run = STORE_RUN,
	    .sum = s->store.ids[seq] * 31,
	    .intact = 1};
	store_feed(&s->store, &ev);
}

void
churn_ack(struct churn_story *s, uint64_t seq)
{
	struct event ev = {.type = MESSAGE_ACK_INVOKE};

	ev.u.ack_invoke = (struct msg_ack_invoke){
	    CHURN_CONSUMER, seq, s->numbers[seq], s->store.ids[seq], 1};
	store_feed(&s->store, &ev);
	ev = (struct event){.type = MESSAGE_ACK_OK};
	ev.u.ack_ok = (struct msg_ack_ok){
	    CHURN_CONSUMER, seq, s->numbers[seq], s->store.ids[seq]};
	store_feed(&s->store, &ev);
}

void
churn_take(struct churn_story *s, uint64_t first, uint64_t last)
{
	const struct live *e;
	uint64_t seq;

	for (seq = first; seq <= last; seq++) {
		e = contents_find(judge_contents(s->store.judge), 0, seq);
		if (e == NULL ||
		    (s->terms.subjects != 0 &&
			(s->terms.subjects >> (e->subject - 1) & 1) == 0))
			continue;
		churn_deliver(s, seq, 1);
		churn_ack(s, seq);
	}
}

void
churn_pull(struct churn_story *s, uint32_t batch, uint64_t max_bytes)
{
	struct event ev = {.type = MESSAGE_PULL};

	ev.u.pull = (struct msg_pull){.consumer = CHURN_CONSUMER,
	    .pull = ++s->pulls,
	    .batch = batch,
	    .max_bytes = max_bytes,
	    .expires_ns = CLOCK_S};
	store_feed(&s->store, &ev);
}

void
churn_pulled(struct churn_story *s, uint32_t messages, uint64_t bytes)
{
	struct event ev = {.type = MESSAGE_PULL_END};

	ev.u.pull_end = (struct msg_pull_end){.consumer = CHURN_CONSUMER,
	    .pull = s->pulls,
	    .status = 408,
	    .messages = messages,
	    .bytes = bytes};
	store_feed(&s->store, &ev);
}

void
churn_leave(struct churn_story *s)
{
	struct event ev = {.type = MESSAGE_CONSUMER_LEFT};

	ev.u.consumer_left.consumer = CHURN_CONSUMER;
	store_feed(&s->store, &ev);
}

void
churn_pinned(struct churn_story *s, uint64_t sent, uint64_t got)
{
	struct event ev = {.type = MESSAGE_PULL_PIN};

	ev.u.pull_pin = (struct msg_pull_pin){.consumer = CHURN_CONSUMER,
	    .pull = s->pulls,
	    .sent = sent,
	    .got = got,
	    .held = 1,
	    .lasts_ns = 5 * CLOCK_S};
	store_feed(&s->store, &ev);
}

struct msg_consumer_seen
churn_look(struct churn_story *s)
{
	return (struct msg_consumer_seen){.consumer = CHURN_CONSUMER,
	    .asked_ns = s->store.now,
	    .found = 1,
	    .created = s->created,
	    .delivered = s->number};
}

void
churn_seen(struct churn_story *s, const struct msg_consumer_seen *m)
{
	struct event ev = {.type = MESSAGE_CONSUMER_SEEN};

	ev.u.consumer_seen = *m;
	store_feed(&s->store, &ev);
}

void
churn_drained(struct churn_story *s)
{
	struct msg_consumer_seen m = churn_look(s);

	m.drained = 1;
	churn_seen(s, &m);
}

void
churn_end(struct churn_story *s)
{
	churn_pass(s, 20 * CLOCK_S);
	store_end(&s->store);
}

void
churn_end_with(
    struct churn_story *s, enum anomaly_kind kind, enum anomaly_class class)
{
	s->store.expected[kind][class]++;
	churn_end(s);
}
