/* SPDX-License-Identifier: ISC */
/* Histories told by hand; see story.h. */
#include "tests/stories/story.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/text.h"

#define BEGIN_NS (1000 * CLOCK_S)
#define WALL_NS	 INT64_C(1700000000000000000)

void
story_init(struct story *s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->seed = seed;
	rng_init(&s->rng, seed, "story");
	s->now_ns = BEGIN_NS;
	s->tick_ns = BEGIN_NS + CLOCK_S;
	s->created = 77;
	s->mayhem = "rolling_restart";
	s->storage = "file";
	s->replicas = 3;
	s->ack_wait_ns = STORY_WAIT_NS;
}

void
story_fini(struct story *s)
{
	free(s->events);
	free(s->stored);
	memset(s, 0, sizeof(*s));
}

static struct event *
add(struct story *s, uint32_t source, enum message_type type)
{
	struct event *ev;

	ev = array_at(&s->events, &s->room, s->n++, sizeof(*ev), UINT32_MAX);
	assert_non_null(ev);
	memset(ev, 0, sizeof(*ev));
	ev->type = type;
	ev->source = source;
	if (s->incarnation[source] == 0)
		s->incarnation[source] = 1;
	ev->incarnation = s->incarnation[source];
	ev->seq = ++s->sent[source];
	ev->time_ns = s->now_ns;
	return ev;
}

static void
see_servers(struct story *s)
{
	struct msg_server_seen *m;
	uint32_t node;

	for (node = 1; node <= 3 && s->process != 0; node++) {
		m = &add(s, STORY_CHAOS, MESSAGE_SERVER_SEEN)->u.server_seen;
		m->node = node;
		m->process = s->process;
	}
}

void
story_pass(struct story *s, uint64_t ns)
{
	uint64_t until = s->now_ns + ns;

	while (s->tick_ns <= until) {
		s->now_ns = s->tick_ns;
		s->tick_ns += CLOCK_S;
		(void)add(s, 0, MESSAGE_TICK); /* has no fields */
		if (s->now_ns / CLOCK_S % 5 == 0)
			see_servers(s);
	}
	s->now_ns = until;
}

struct event *
story_add(struct story *s, uint32_t source, enum message_type type)
{
	story_pass(s, 50000 + rng_below(&s->rng, 100000));
	return add(s, source, type);
}

void
story_say(struct story *s, uint32_t source, enum message_type type)
{
	(void)story_add(s, source, type); /* it has no fields */
}

void
story_phase(struct story *s, const char *name)
{
	static const char *const names[] = {"up", "setup", "start", "quiet",
	    "mayhem", "heal", "drain", "settle", "audit", "down", "end"};
	struct event *ev = story_add(s, 0, MESSAGE_PHASE);
	uint8_t i;

	for (i = 0; i < 11; i++)
		if (strcmp(names[i], name) == 0)
			ev->u.phase.phase = i;
	text_set(ev->u.phase.name, sizeof(ev->u.phase.name), name);
}

static void
option(struct story *s, const char *name, const char *value)
{
	struct event *ev = story_add(s, 0, MESSAGE_OPTION);

	text_set(ev->u.option.name, sizeof(ev->u.option.name), name);
	text_set(ev->u.option.value, sizeof(ev->u.option.value), value);
}

/* It takes so long to connect. */
static void
child_start(
    struct story *s, uint32_t source, const char *role, uint64_t connects_ns)
{
	struct event *ev = story_add(s, 0, MESSAGE_CHILD_START);

	ev->u.child_start.child = source;
	ev->u.child_start.child_incarnation =
	    s->incarnation[source] ? s->incarnation[source] : 1;
	ev->u.child_start.pid = 100 + source;
	text_set(ev->u.child_start.role, sizeof(ev->u.child_start.role), role);
	ev = story_add(s, source, MESSAGE_HELLO);
	ev->u.hello.pid = 100 + source;
	text_set(ev->u.hello.role, sizeof(ev->u.hello.role), role);
	if (connects_ns > 0)
		story_pass(s, connects_ns);
	story_say(s, source, MESSAGE_READY);
}

static void
child_exit(struct story *s, uint32_t source, uint8_t sig)
{
	struct msg_child_exit *m;

	if (sig == 0)
		story_add(s, source, MESSAGE_BYE)->u.bye.ok = 1;
	m = &story_add(s, 0, MESSAGE_CHILD_EXIT)->u.child_exit;
	m->child = source;
	m->child_incarnation = s->incarnation[source];
	m->pid = 100 + source;
	m->signal = sig;
	m->expected = sig == 0;
	m->last_seq = s->sent[source];
}

void
story_kill(struct story *s, uint32_t source)
{
	child_exit(s, source, 9);
}

void
story_restart_slowly(struct story *s, uint32_t source, uint64_t connects_ns)
{
	story_pass(s, CLOCK_S / 5);
	s->incarnation[source]++;
	s->sent[source] = 0;
	child_start(s, source,
	    source == STORY_PUBLISHER ? "publisher" : "consumer", connects_ns);
}

void
story_restart(struct story *s, uint32_t source)
{
	story_restart_slowly(s, source, 0);
}

static void
setup(struct story *s)
{
	struct msg_stream *m;
	struct msg_consumer *c;

	child_start(s, STORY_SETUP, "setup", 0);
	m = &story_add(s, STORY_SETUP, MESSAGE_STREAM)->u.stream;
	m->created = s->created;
	m->dedupe_ns = STORY_DEDUPE_NS;
	m->replicas = s->replicas;
	text_set(m->name, sizeof(m->name), "NB_b0b_queue");
	text_set(m->storage, sizeof(m->storage), s->storage);
	c = &story_add(s, STORY_SETUP, MESSAGE_CONSUMER)->u.consumer;
	c->created = s->created + 1;
	c->ack_wait_ns = s->ack_wait_ns;
	text_set(c->name, sizeof(c->name), "burn");
	child_exit(s, STORY_SETUP, 0);
}

void
story_open(struct story *s)
{
	struct event *ev = story_add(s, 0, MESSAGE_RUN);
	uint32_t i;

	ev->u.run.run = STORY_RUN;
	ev->u.run.wall_ns = WALL_NS;
	option(s, "test", "queue-group-consumer");
	option(s, "mayhem", s->mayhem);
	option(s, "storage", s->storage);
	for (i = 0; i < 4 && s->options[i][0] != NULL; i++)
		option(s, s->options[i][0], s->options[i][1]);
	if (s->strict)
		option(s, "strict-availability", "true");
	option(s, "run", "2827");
	story_phase(s, "up");
	story_say(s, 0, MESSAGE_TICK);
	child_start(s, STORY_CHAOS, "chaos", 0);
	ev = story_add(s, STORY_CHAOS, MESSAGE_CLUSTER_UP);
	ev->u.cluster_up.size = 3;
	ev->u.cluster_up.attempts = 1;
	see_servers(s);
	story_phase(s, "setup");
	setup(s);
	story_phase(s, "start");
	child_start(s, STORY_PUBLISHER, "publisher", 0);
	for (i = 0; i < STORY_CONSUMERS; i++)
		child_start(s, STORY_CONSUMER + i, "consumer", 0);
	story_leader(s, "n1");
	story_phase(s, "quiet");
}

void
story_leader(struct story *s, const char *leader)
{
	struct msg_leader *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_LEADER)->u.leader;

	m->what = 3;
	text_set(m->name, sizeof(m->name), "NB_b0b_queue/burn");
	text_set(m->leader, sizeof(m->leader), leader);
	text_set(s->leader, sizeof(s->leader), leader);
}

uint32_t
story_fault(struct story *s, bool stops_clock)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_FAULT_PLANNED);
	uint32_t fault = ++s->faults;

	ev->u.fault_planned.fault = fault;
	ev->u.fault_planned.stops_clock = stops_clock;
	ev->u.fault_planned.ends_server = 1;
	text_set(ev->u.fault_planned.mode, sizeof(ev->u.fault_planned.mode),
	    s->mayhem);
	text_set(ev->u.fault_planned.target, sizeof(ev->u.fault_planned.target),
	    "n2");
	ev = story_add(s, STORY_CHAOS, MESSAGE_FAULT_APPLIED);
	ev->u.fault_applied.fault = fault;
	ev->u.fault_applied.ok = 1;
	return fault;
}

void
story_healed(struct story *s, uint32_t fault, bool ok)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_FAULT_HEALED);

	ev->u.fault_healed.fault = fault;
	ev->u.fault_healed.ok = ok;
}

void
story_undone(struct story *s, uint32_t fault, uint64_t patience_ns)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_FAULT_UNDONE);

	ev->u.fault_undone.fault = fault;
	ev->u.fault_undone.patience_ns = patience_ns;
}

void
story_whole(struct story *s)
{
	(void)story_add(s, STORY_CHAOS, MESSAGE_CLUSTER_WHOLE);
}

static void
tell_silence(struct story *s, uint64_t begin_ns)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_OURS_SILENT);

	ev->u.ours_silent.silent_ns = s->now_ns - begin_ns;
	text_set(ev->u.ours_silent.who, sizeof(ev->u.ours_silent.who), "links");
}

void
story_silence(struct story *s, uint64_t ns)
{
	uint64_t begin_ns = s->now_ns;

	/* As chaos does: after 3 s, then each second, and at the end. */
	while (s->now_ns + CLOCK_S < begin_ns + ns) {
		story_pass(s, CLOCK_S);
		if (s->now_ns > begin_ns + 3 * CLOCK_S)
			tell_silence(s, begin_ns);
	}
	story_pass(s, begin_ns + ns - s->now_ns);
	if (ns > 3 * CLOCK_S)
		tell_silence(s, begin_ns);
}

void
story_answer(struct story *s, uint32_t node, bool ok)
{
	struct event *ev = story_add(s, STORY_CHAOS, MESSAGE_SERVER_ANSWERS);

	ev->u.server_answers.node = node;
	ev->u.server_answers.ok = ok;
}

void
story_answers(struct story *s)
{
	uint32_t node;

	for (node = 1; node <= 3; node++)
		story_answer(s, node, true);
}

void
story_sick(struct story *s, uint8_t what, const char *name, uint64_t sick_ns)
{
	struct msg_group_sick *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_GROUP_SICK)->u.group_sick;

	m->what = what;
	m->sick_ns = sick_ns;
	text_set(m->name, sizeof(m->name), name);
	text_set(m->says, sizeof(m->says), "no server says that it leads it");
}

uint64_t
story_sum(uint64_t id)
{
	return rng_mix(id + 1);
}

uint64_t
story_new_id(struct story *s)
{
	return message_id(STORY_PUBLISHER, ++s->counter);
}

void
story_invoke(struct story *s, uint64_t id, uint32_t attempt)
{
	struct msg_publish_invoke *m =
	    &story_add(s, STORY_PUBLISHER, MESSAGE_PUBLISH_INVOKE)
		 ->u.publish_invoke;

	m->id = id;
	m->attempt = attempt;
	m->sum = story_sum(id);
	m->size = 128;
}

void
story_ok(struct story *s, uint64_t id, uint64_t seq, bool duplicate)
{
	struct msg_publish_ok *m =
	    &story_add(s, STORY_PUBLISHER, MESSAGE_PUBLISH_OK)->u.publish_ok;

	m->id = id;
	m->attempt = 1;
	m->seq = seq;
	m->duplicate = duplicate;
}

void
story_unknown(struct story *s, uint64_t id, uint32_t attempt)
{
	struct msg_publish_unknown *m =
	    &story_add(s, STORY_PUBLISHER, MESSAGE_PUBLISH_UNKNOWN)
		 ->u.publish_unknown;

	m->id = id;
	m->attempt = attempt;
	text_set(m->why, sizeof(m->why), "Timeout");
}

void
story_fail(struct story *s, uint64_t id, uint32_t attempt)
{
	struct msg_publish_fail *m =
	    &story_add(s, STORY_PUBLISHER, MESSAGE_PUBLISH_FAIL)
		 ->u.publish_fail;

	m->id = id;
	m->attempt = attempt;
	text_set(m->why, sizeof(m->why), "No responders");
}

void
story_publish_end(struct story *s, uint64_t id, uint8_t outcome)
{
	struct msg_publish_end *m =
	    &story_add(s, STORY_PUBLISHER, MESSAGE_PUBLISH_END)->u.publish_end;

	m->id = id;
	m->outcome = outcome;
}

uint64_t
story_store(struct story *s, uint64_t id)
{
	struct story_message *m;

	do {
		m = array_at(&s->stored, &s->stored_room, ++s->last, sizeof(*m),
		    UINT32_MAX);
		assert_non_null(m);
	} while (s->outage_seqs > 0 && s->outage_seqs-- > 0);
	m->state = STORY_STORED;
	m->id = id;
	m->run = STORY_RUN;
	m->stamp_ns = WALL_NS + (int64_t)s->now_ns;
	return s->last;
}

void
story_mark(struct story *s, uint64_t seq, enum story_state state)
{
	s->stored[seq].state = state;
}

uint64_t
story_publish(struct story *s)
{
	uint64_t id = story_new_id(s), seq;

	story_invoke(s, id, 1);
	seq = story_store(s, id);
	story_ok(s, id, seq, false);
	return seq;
}

uint32_t
story_consumer(struct story *s)
{
	return STORY_CONSUMER + (uint32_t)rng_below(&s->rng, STORY_CONSUMERS);
}

struct event *
story_deliver_event(struct story *s, uint32_t source, uint64_t seq,
    uint64_t number, uint64_t delivered)
{
	struct event *ev = story_add(s, source, MESSAGE_DELIVER);
	const struct story_message *m = &s->stored[seq];

	ev->u.deliver.seq = seq;
	ev->u.deliver.consumer_seq = number;
	ev->u.deliver.delivered = delivered;
	ev->u.deliver.stamp_ns = m->stamp_ns;
	ev->u.deliver.id = m->id;
	ev->u.deliver.run = m->run;
	ev->u.deliver.sum = story_sum(m->id);
	ev->u.deliver.intact = 1;
	return ev;
}

void
story_deliver_as(struct story *s, uint32_t source, uint64_t seq,
    uint64_t number, uint64_t delivered)
{
	/* As it is. */
	(void)story_deliver_event(s, source, seq, number, delivered);
}

uint64_t
story_deliver(
    struct story *s, uint32_t source, uint64_t seq, uint64_t delivered)
{
	uint64_t number = ++s->number;

	story_deliver_as(s, source, seq, number, delivered);
	return number;
}

void
story_ack_invoke(
    struct story *s, uint32_t source, uint64_t seq, uint64_t number)
{
	struct msg_ack_invoke *m =
	    &story_add(s, source, MESSAGE_ACK_INVOKE)->u.ack_invoke;

	m->seq = seq;
	m->consumer_seq = number;
	m->id = s->stored[seq].id;
	m->attempt = 1;
}

void
story_ack_ok(struct story *s, uint32_t source, uint64_t seq, uint64_t number)
{
	struct msg_ack_ok *m = &story_add(s, source, MESSAGE_ACK_OK)->u.ack_ok;

	m->seq = seq;
	m->consumer_seq = number;
	m->id = s->stored[seq].id;
}

void
story_ack_unknown(struct story *s, uint32_t source, uint64_t seq,
    uint64_t number, bool gave_up)
{
	struct msg_ack_unknown *m =
	    &story_add(s, source, MESSAGE_ACK_UNKNOWN)->u.ack_unknown;

	m->seq = seq;
	m->consumer_seq = number;
	m->id = s->stored[seq].id;
	m->gave_up = gave_up;
}

void
story_consume(struct story *s, uint64_t seq)
{
	uint32_t source = story_consumer(s);
	uint64_t number = story_deliver(s, source, seq, 1);

	story_ack_invoke(s, source, seq, number);
	story_ack_ok(s, source, seq, number);
}

uint64_t
story_round(struct story *s)
{
	uint64_t seq = story_publish(s);

	story_consume(s, seq);
	return seq;
}

void
story_rounds(struct story *s, unsigned n)
{
	for (; n > 0; n--)
		story_consume(s, story_publish(s));
}

static void
scan_one(struct story *s, uint32_t source, uint64_t seq)
{
	const struct story_message *m = &s->stored[seq];
	struct event *ev;

	if (m->state == STORY_UNREAD)
		return;
	if (m->state == STORY_HOLE || m->state == STORY_GONE) {
		ev = story_add(s, source, MESSAGE_SCAN_ABSENT);
		ev->u.scan_absent.seq = seq;
		ev->u.scan_absent.tries = 5;
		return;
	}
	ev = story_add(s, source, MESSAGE_SCAN_MESSAGE);
	ev->u.scan_message.path = 1;
	ev->u.scan_message.seq = seq;
	ev->u.scan_message.stamp_ns = m->stamp_ns;
	if (m->state == STORY_DAMAGED) {
		ev->u.scan_message.sum = 4711;
		return;
	}
	ev->u.scan_message.id = m->id;
	ev->u.scan_message.run = m->run;
	ev->u.scan_message.sum = story_sum(m->id);
	ev->u.scan_message.intact = 1;
}

void
story_scan(struct story *s, uint32_t source)
{
	struct msg_scan_begin *b;
	struct msg_scan_state *t;
	struct msg_scan_end *e;
	uint64_t seq;

	b = &story_add(s, source, MESSAGE_SCAN_BEGIN)->u.scan_begin;
	b->first = 1;
	b->last = s->is_anew ? 0 : s->last;
	b->created = s->created + s->is_anew;
	if (s->is_anew) {
		t = &story_add(s, source, MESSAGE_SCAN_STATE)->u.scan_state;
		t->polls = 3;
		t->created = s->created + 1;
	}
	for (seq = 1; seq <= s->last && !s->is_anew; seq++)
		scan_one(s, source, seq);
	e = &story_add(s, source, MESSAGE_SCAN_END)->u.scan_end;
	e->complete = !s->is_anew; /* so much is missing */
	e->last = s->last;
}

void
story_drained(struct story *s)
{
	struct event *ev = story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_INFO);

	ev->u.consumer_info.polls = 3;
	ev->u.consumer_info.created = s->created + 1;
	ev->u.consumer_info.consumer_seq = s->number;
	ev->u.consumer_info.stream_seq = s->last;
	ev->u.consumer_info.floor_consumer = s->number;
	ev->u.consumer_info.floor_stream = s->last;
	ev = story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_STATE);
	ev->u.consumer_state.quiet = 1;
	ev->u.consumer_state.consumer_seq = s->number;
}

void
story_close(struct story *s)
{
	struct event *ev;
	uint32_t i;

	story_phase(s, "heal");
	story_add(s, STORY_CHAOS, MESSAGE_ALL_HEALED)->u.all_healed.ok = 1;
	story_phase(s, "drain");
	for (i = 0; i <= STORY_CONSUMERS; i++)
		child_exit(s, STORY_PUBLISHER + i, 0);
	story_phase(s, "settle");
	ev = story_add(s, STORY_CHAOS, MESSAGE_SETTLED);
	ev->u.settled.ok = 1;
	story_phase(s, "audit");
	child_start(s, STORY_AUDIT, "audit", 0);
	if (s->before_scan != NULL)
		s->before_scan(s);
	if (s->audit != NULL)
		s->audit(s);
	else if (!s->no_audit)
		story_scan(s, STORY_AUDIT);
	child_exit(s, STORY_AUDIT, 0);
	story_phase(s, "down");
	child_exit(s, STORY_CHAOS, 0);
	if (!s->no_end)
		story_phase(s, "end");
}

static void
keep_anomalies(const struct judge *j, struct story_verdict *v)
{
	const struct anomaly *a;
	size_t i;
	unsigned k, c;

	for (k = 0; k < ANOMALY_COUNT; k++)
		for (c = 0; c < CLASS_COUNT; c++)
			v->counts[k][c] = judge_count(j, k, c);
	for (i = 0; (a = judge_anomaly(j, i)) != NULL; i++)
		text_add(v->says, sizeof(v->says), "%s (%s, %s): %s\n",
		    anomaly_kind_name(a->kind), anomaly_class_name(a->class),
		    a->rule, a->says);
}

void
story_expect_judged(const struct judge *j)
{
	const struct check_ops *const *c;

	for (c = check_table; *c != NULL; c++)
		if (judge_check_count(j, *c, CLASS_VIOLATION) > 0 &&
		    judge_check_judged(j, *c) == 0)
			fail_msg("\"%s\" found a violation and does not "
				 "count what it judges",
			    (*c)->name);
}

void
story_judge(const struct story *s, struct story_verdict *v)
{
	struct judge *j = judge_create(NULL, NULL);
	size_t i;

	assert_non_null(j);
	memset(v, 0, sizeof(*v));
	for (i = 0; i < s->n; i++)
		assert_int_equal(judge_event(j, &s->events[i]), 0);
	judge_finish(j, &v->result);
	story_expect_judged(j);
	keep_anomalies(j, v);
	for (i = 0; i < v->result.nreasons; i++)
		text_add(v->says, sizeof(v->says), "reason: %s\n",
		    v->result.reasons[i]);
	for (i = 0; i < v->result.nnotes; i++)
		text_add(
		    v->says, sizeof(v->says), "note: %s\n", v->result.notes[i]);
	judge_destroy(j);
}

uint64_t
story_other_violations(const struct story_verdict *v, enum anomaly_kind but)
{
	uint64_t n = 0;
	unsigned k;

	for (k = 0; k < ANOMALY_COUNT; k++)
		if (k != but)
			n += v->counts[k][CLASS_VIOLATION];
	return n;
}

void
story_dump(const struct story *s, size_t last)
{
	char line[2048];
	size_t i = s->n > last ? s->n - last : 0;

	for (; i < s->n; i++) {
		/* A cut line is fine. */
		(void)message_print(&s->events[i], line, sizeof(line));
		print_message("%s\n", line);
	}
}
