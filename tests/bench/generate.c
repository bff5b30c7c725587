/* SPDX-License-Identifier: ISC */
/*
 * A journal as a run of queue-group-consumer under rolling_restart leaves
 * it, of any length and written as it is made up: lockstep rounds, a fault
 * at regular intervals with what it brings (attempts that fail or stay
 * unknown, acks that are not confirmed, redeliveries, a delivery that comes
 * late), and the scan at the end. All of it is legal: it must judge PASS.
 * And one as stream-store leaves it: publishes, of which every third is deleted
 * soon, and a purge now and then, so that some thousands are there at a time.
 */
#include <errno.h>
#include <string.h>

#include "orchestrator/live/phase_name.h"
#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "proto/journal.h"
#include "tests/bench/central.h"

#define SEED	       UINT64_C(1)
#define CHAOS	       1
#define SETUP	       2
#define PUBLISHER      3
#define CONSUMERS      10
#define AUDIT	       (PUBLISHER + CONSUMERS + 1)
#define SOURCES	       (AUDIT + 1)
#define EVENTS_A_ROUND 6 /* with the scan's */
#define FAULT_NS       (5 * CLOCK_S)
#define FAULT_LASTS_NS (2 * CLOCK_S)
#define TROUBLE	       4 /* rounds at the head of a fault that feel it */
#define START_NS       (1000 * CLOCK_S)
#define WALL_NS	       INT64_C(1750000000000000000)
#define STREAM_NAME    "NB_1_queue"
#define RUN_ID	       1
#define STREAM_CREATED UINT64_C(1750000000000000001)
#define EVENTS_A_PUT   5 /* with the removals */
#define KEPT	       4096
#define SUBJECTS       16
#define BETWEEN_NS     (100 * UINT64_C(1000)) /* mean, two events of a round */

struct generator {
	struct journal_writer out;
	struct rng rng;
	uint64_t now_ns, tick_ns, fault_ns, heal_ns;
	uint64_t seqs[SOURCES];
	uint64_t round, consumer_seq;
	uint64_t round_ns; /* from one to the next */
	uint32_t fault;
	unsigned trouble; /* rounds that still feel the fault */
	bool removes;	  /* as stream-store does */
	uint64_t removals, purged;
	bool is_gone[2 * KEPT]; /* by sequence, a ring */
	int err;
};

static void
emit(struct generator *g, uint32_t source, enum message_type type,
    struct event *ev)
{
	uint8_t frame[FRAME_MAX];
	int len;

	g->now_ns += rng_below(&g->rng, 2 * BETWEEN_NS);
	ev->type = type;
	ev->source = source;
	ev->incarnation = 1;
	ev->seq = ++g->seqs[source];
	ev->time_ns = g->now_ns;
	len = frame_encode(ev, frame);
	if (g->err == 0 && len < 0)
		g->err = len;
	if (g->err == 0)
		g->err = journal_append(&g->out, frame, (size_t)len);
}

/* An event without fields worth setting. */
static void
emit_bare(struct generator *g, uint32_t source, enum message_type type)
{
	struct event ev = {.seq = 0};

	emit(g, source, type, &ev);
}

static void
emit_option(struct generator *g, const char *name, const char *value)
{
	struct event ev = {.seq = 0};

	text_set(ev.u.option.name, sizeof(ev.u.option.name), name);
	text_set(ev.u.option.value, sizeof(ev.u.option.value), value);
	emit(g, 0, MESSAGE_OPTION, &ev);
}

static void
emit_phase(struct generator *g, enum run_phase phase)
{
	struct event ev = {.seq = 0};

	ev.u.phase.phase = (uint8_t)phase;
	text_set(ev.u.phase.name, sizeof(ev.u.phase.name), phase_name(phase));
	emit(g, 0, MESSAGE_PHASE, &ev);
}

static void
emit_start(struct generator *g, uint32_t source, const char *role)
{
	struct event ev = {.seq = 0};

	ev.u.child_start.child = source;
	ev.u.child_start.child_incarnation = 1;
	ev.u.child_start.pid = 1000 + source;
	text_set(ev.u.child_start.role, sizeof(ev.u.child_start.role), role);
	emit(g, 0, MESSAGE_CHILD_START, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.u.hello.pid = 1000 + source;
	ev.u.hello.wall_ns = WALL_NS;
	text_set(ev.u.hello.role, sizeof(ev.u.hello.role), role);
	emit(g, source, MESSAGE_HELLO, &ev);
	emit_bare(g, source, MESSAGE_READY);
}

static void
emit_exit(struct generator *g, uint32_t source)
{
	struct event ev = {.seq = 0};

	ev.u.bye.ok = 1;
	emit(g, source, MESSAGE_BYE, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.u.child_exit.child = source;
	ev.u.child_exit.child_incarnation = 1;
	ev.u.child_exit.pid = 1000 + source;
	ev.u.child_exit.expected = 1;
	ev.u.child_exit.last_seq = g->seqs[source];
	emit(g, 0, MESSAGE_CHILD_EXIT, &ev);
}

static void
emit_nodes(struct generator *g)
{
	struct event ev;
	uint32_t i;

	for (i = 1; i <= 3; i++) {
		memset(&ev, 0, sizeof(ev));
		ev.u.node.node = i;
		ev.u.node.pid = 2000 + i;
		text_add(ev.u.node.name, sizeof(ev.u.node.name), "n%u", i);
		text_set(
		    ev.u.node.version, sizeof(ev.u.node.version), "2.10.27");
		text_add(ev.u.node.url, sizeof(ev.u.node.url),
		    "nats://127.0.0.1:%u", 4221 + i);
		emit(g, CHAOS, MESSAGE_NODE, &ev);
	}
	memset(&ev, 0, sizeof(ev));
	ev.u.cluster_up.size = 3;
	ev.u.cluster_up.attempts = 1;
	ev.u.cluster_up.took_ns = CLOCK_S;
	emit(g, CHAOS, MESSAGE_CLUSTER_UP, &ev);
}

static void
emit_stream(struct generator *g)
{
	struct event ev = {.seq = 0};

	ev.u.stream.created = STREAM_CREATED;
	ev.u.stream.dedupe_ns = 600 * CLOCK_S;
	ev.u.stream.replicas = 3;
	text_set(ev.u.stream.name, sizeof(ev.u.stream.name), STREAM_NAME);
	text_set(ev.u.stream.storage, sizeof(ev.u.stream.storage), "file");
	emit(g, SETUP, MESSAGE_STREAM, &ev);
	memset(&ev, 0, sizeof(ev));
	if (g->removes) {
		ev.u.contents.subjects = SUBJECTS;
		ev.u.contents.first_seq = 1;
		emit(g, SETUP, MESSAGE_CONTENTS, &ev);
		return;
	}
	ev.u.consumer.created = STREAM_CREATED + 1;
	ev.u.consumer.ack_wait_ns = 5 * CLOCK_S;
	text_set(ev.u.consumer.name, sizeof(ev.u.consumer.name), "burn");
	emit(g, SETUP, MESSAGE_CONSUMER, &ev);
}

static void
head(struct generator *g)
{
	struct event ev = {.seq = 0};
	uint32_t i;

	ev.u.run.run = RUN_ID;
	ev.u.run.wall_ns = WALL_NS;
	text_set(ev.u.run.version, sizeof(ev.u.run.version), "bench");
	emit(g, 0, MESSAGE_RUN, &ev);
	emit_option(
	    g, "test", g->removes ? "stream-store" : "queue-group-consumer");
	emit_option(g, "mayhem", "rolling_restart");
	emit_option(g, "run", "1");
	emit_phase(g, PHASE_UP);
	emit_start(g, CHAOS, "chaos");
	emit_nodes(g);
	emit_phase(g, PHASE_SETUP);
	emit_start(g, SETUP, "setup");
	emit_stream(g);
	emit_exit(g, SETUP);
	emit_phase(g, PHASE_START);
	emit_start(g, PUBLISHER, "publisher");
	for (i = 1; i <= CONSUMERS; i++)
		emit_start(g, PUBLISHER + i, "consumer");
	emit_phase(g, PHASE_QUIET);
	emit_phase(g, PHASE_MAYHEM);
	g->fault_ns = g->now_ns + FAULT_NS;
}

static uint64_t
round_id(uint64_t round)
{
	return message_id(PUBLISHER, round);
}

static void
publish_invoke(struct generator *g, uint32_t attempt)
{
	struct event ev = {.seq = 0};

	ev.u.publish_invoke.id = round_id(g->round);
	ev.u.publish_invoke.attempt = attempt;
	ev.u.publish_invoke.sum = rng_mix(g->round);
	ev.u.publish_invoke.size = 128;
	emit(g, PUBLISHER, MESSAGE_PUBLISH_INVOKE, &ev);
}

static void
publish_ok(struct generator *g, uint32_t attempt, bool duplicate)
{
	struct event ev = {.seq = 0};

	ev.u.publish_ok.id = round_id(g->round);
	ev.u.publish_ok.attempt = attempt;
	ev.u.publish_ok.seq = g->round;
	ev.u.publish_ok.duplicate = duplicate;
	emit(g, PUBLISHER, MESSAGE_PUBLISH_OK, &ev);
}

/* FAIL and UNKNOWN have the same fields. */
static void
publish_trouble(struct generator *g, enum message_type type, uint32_t attempt)
{
	struct msg_publish_unknown *m;
	struct event ev = {.seq = 0};

	m = &ev.u.publish_unknown;
	m->id = round_id(g->round);
	m->attempt = attempt;
	text_set(m->why, sizeof(m->why),
	    type == MESSAGE_PUBLISH_FAIL ? "No responders available for request"
					 : "Timeout");
	emit(g, PUBLISHER, type, &ev);
}

static void
deliver(struct generator *g, uint32_t source, uint64_t number, unsigned times)
{
	struct event ev = {.seq = 0};
	struct msg_deliver *m = &ev.u.deliver;

	m->seq = g->round;
	m->consumer_seq = number;
	m->delivered = times;
	m->stamp_ns = WALL_NS + (int64_t)(g->round * g->round_ns);
	m->id = round_id(g->round);
	m->run = RUN_ID;
	m->sum = rng_mix(g->round);
	m->intact = 1;
	emit(g, source, MESSAGE_DELIVER, &ev);
}

/* The ack messages begin with the same fields. */
static void
ack(struct generator *g, uint32_t source, enum message_type type,
    uint64_t number)
{
	struct event ev = {.seq = 0};

	ev.u.ack_invoke.seq = g->round;
	ev.u.ack_invoke.consumer_seq = number;
	ev.u.ack_invoke.id = round_id(g->round);
	if (type == MESSAGE_ACK_INVOKE)
		ev.u.ack_invoke.attempt = 1;
	else if (type == MESSAGE_ACK_UNKNOWN) {
		/* The message comes to another one before it tries again. */
		ev.u.ack_unknown.gave_up = 1;
		text_set(ev.u.ack_unknown.why, sizeof(ev.u.ack_unknown.why),
		    "Timeout");
	}
	emit(g, source, type, &ev);
}

static uint32_t
some_consumer(struct generator *g)
{
	return PUBLISHER + 1 + (uint32_t)rng_below(&g->rng, CONSUMERS);
}

static void
round_quiet(struct generator *g)
{
	uint32_t consumer = some_consumer(g);
	bool early = rng_below(&g->rng, 4) == 0;

	publish_invoke(g, 1);
	if (!early)
		publish_ok(g, 1, false);
	deliver(g, consumer, ++g->consumer_seq, 1);
	ack(g, consumer, MESSAGE_ACK_INVOKE, g->consumer_seq);
	if (early) /* the delivery overtook the ack of the publish */
		publish_ok(g, 1, false);
	ack(g, consumer, MESSAGE_ACK_OK, g->consumer_seq);
}

/* A round that feels a server go: everything is tried twice. */
static void
round_troubled(struct generator *g)
{
	uint32_t first = some_consumer(g), second = some_consumer(g);
	bool failed = rng_below(&g->rng, 2) == 0;

	publish_invoke(g, 1);
	publish_trouble(
	    g, failed ? MESSAGE_PUBLISH_FAIL : MESSAGE_PUBLISH_UNKNOWN, 1);
	publish_invoke(g, 2);
	publish_ok(g, 2, !failed);
	deliver(g, first, ++g->consumer_seq, 1);
	ack(g, first, MESSAGE_ACK_INVOKE, g->consumer_seq);
	g->now_ns += 2 * CLOCK_S;
	ack(g, first, MESSAGE_ACK_UNKNOWN, g->consumer_seq);
	deliver(g, second, ++g->consumer_seq, 2);
	ack(g, second, MESSAGE_ACK_INVOKE, g->consumer_seq);
	ack(g, second, MESSAGE_ACK_OK, g->consumer_seq);
	/* Sent before the ack, it came late: the number tells. */
	if (rng_below(&g->rng, 4) == 0)
		deliver(g, first, g->consumer_seq - 1, 1);
}

/* It is retried once while a server is gone. */
static void
put(struct generator *g, bool is_troubled)
{
	struct event ev = {.seq = 0};
	struct msg_publish_terms *m = &ev.u.publish_terms;
	uint32_t attempt = 1;

	m->id = round_id(g->round);
	m->subject = 1 + (uint32_t)(g->round % SUBJECTS);
	m->stored = 200;
	emit(g, PUBLISHER, MESSAGE_PUBLISH_TERMS, &ev);
	publish_invoke(g, attempt);
	if (is_troubled) {
		publish_trouble(g, MESSAGE_PUBLISH_UNKNOWN, attempt);
		publish_invoke(g, ++attempt);
	}
	publish_ok(g, attempt, false);
	memset(&ev, 0, sizeof(ev));
	ev.u.publish_end.id = round_id(g->round);
	ev.u.publish_end.outcome = ENDED_OK;
	emit(g, PUBLISHER, MESSAGE_PUBLISH_END, &ev);
	g->is_gone[g->round % (2 * KEPT)] = false;
}

/* By another client, and confirmed. */
static void
remove_messages(
    struct generator *g, enum message_word how, uint64_t first, uint64_t last)
{
	uint64_t id = message_id(PUBLISHER + 1, ++g->removals);
	struct event ev = {.seq = 0};

	ev.u.remove_invoke.id = id;
	ev.u.remove_invoke.attempt = 1;
	ev.u.remove_invoke.how = (uint8_t)how;
	ev.u.remove_invoke.first = first;
	ev.u.remove_invoke.last = last;
	emit(g, PUBLISHER + 1, MESSAGE_REMOVE_INVOKE, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.u.change_ok.id = id;
	ev.u.change_ok.attempt = 1;
	emit(g, PUBLISHER + 1, MESSAGE_CHANGE_OK, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.u.change_end.id = id;
	ev.u.change_end.outcome = ENDED_OK;
	emit(g, PUBLISHER + 1, MESSAGE_CHANGE_END, &ev);
}

static void
round_of_store(struct generator *g)
{
	uint64_t seq;

	put(g, g->trouble > 0);
	g->trouble -= g->trouble > 0;
	if (g->round % 3 == 0) {
		seq = g->round - rng_below(&g->rng, g->round - g->purged);
		remove_messages(g, REMOVER_DELETE, seq, seq);
		g->is_gone[seq % (2 * KEPT)] = true;
	}
	if (g->round % KEPT == 0 && g->round > KEPT) {
		g->purged = g->round - KEPT;
		remove_messages(g, REMOVER_PURGE, 1, g->purged);
	}
}

static void
fault_begin(struct generator *g)
{
	struct event ev = {.seq = 0};
	struct msg_fault_planned *m = &ev.u.fault_planned;

	m->fault = ++g->fault;
	m->round = 1 + (g->fault - 1) / 3;
	m->planned_ns = (uint64_t)g->fault * FAULT_NS;
	m->ends_server = 1;
	text_set(m->mode, sizeof(m->mode), "rolling_restart");
	text_add(m->target, sizeof(m->target), "n%u", 3 - (g->fault - 1) % 3);
	emit(g, CHAOS, MESSAGE_FAULT_PLANNED, &ev);
	memset(&ev, 0, sizeof(ev));
	ev.u.fault_applied.fault = g->fault;
	ev.u.fault_applied.ok = 1;
	text_set(ev.u.fault_applied.how, sizeof(ev.u.fault_applied.how),
	    "exit code 1 after SIGTERM");
	emit(g, CHAOS, MESSAGE_FAULT_APPLIED, &ev);
	g->heal_ns = g->now_ns + FAULT_LASTS_NS;
	g->trouble = 1 + (unsigned)rng_below(&g->rng, TROUBLE);
}

static void
fault_end(struct generator *g)
{
	struct event ev = {.seq = 0};

	ev.u.fault_healed.fault = g->fault;
	ev.u.fault_healed.ok = 1;
	text_set(ev.u.fault_healed.how, sizeof(ev.u.fault_healed.how),
	    "healthy and current");
	emit(g, CHAOS, MESSAGE_FAULT_HEALED, &ev);
	g->heal_ns = 0;
	g->fault_ns = g->now_ns + FAULT_NS;
}

static void
rounds(struct generator *g, uint64_t n)
{
	uint64_t next = g->now_ns;

	for (g->round = 1; g->round <= n && g->err == 0; g->round++) {
		next += g->round_ns;
		if (g->heal_ns == 0 && g->now_ns >= g->fault_ns)
			fault_begin(g);
		if (g->now_ns >= g->tick_ns) {
			emit_bare(g, 0, MESSAGE_TICK);
			g->tick_ns = g->now_ns + CLOCK_S;
		}
		if (g->removes) {
			round_of_store(g);
		} else if (g->trouble > 0) {
			g->trouble--;
			round_troubled(g);
		} else
			round_quiet(g);
		if (g->heal_ns != 0 && g->now_ns >= g->heal_ns)
			fault_end(g);
		if (next > g->now_ns)
			g->now_ns = next;
		next = g->now_ns;
	}
	if (g->heal_ns != 0)
		fault_end(g);
}

static void
scan(struct generator *g, uint64_t n)
{
	struct event ev = {.seq = 0};
	struct msg_scan_message *m = &ev.u.scan_message;
	uint64_t seq;

	ev.u.scan_begin.first = 1;
	ev.u.scan_begin.last = n;
	ev.u.scan_begin.messages = n;
	ev.u.scan_begin.created = STREAM_CREATED;
	emit(g, AUDIT, MESSAGE_SCAN_BEGIN, &ev);
	for (seq = g->purged + 1; seq <= n && g->err == 0; seq++) {
		memset(m, 0, sizeof(*m));
		if (g->removes && g->is_gone[seq % (2 * KEPT)])
			continue;
		m->path = 1;
		m->seq = seq;
		m->stamp_ns = WALL_NS + (int64_t)(seq * g->round_ns);
		m->id = round_id(seq);
		m->run = RUN_ID;
		m->sum = rng_mix(seq);
		m->intact = 1;
		emit(g, AUDIT, MESSAGE_SCAN_MESSAGE, &ev);
	}
	memset(&ev, 0, sizeof(ev));
	ev.u.scan_end.complete = 1;
	ev.u.scan_end.messages = n;
	ev.u.scan_end.last = n;
	emit(g, AUDIT, MESSAGE_SCAN_END, &ev);
}

static void
tail(struct generator *g, uint64_t n)
{
	struct event ev = {.seq = 0};
	uint32_t i;

	emit_phase(g, PHASE_HEAL);
	ev.u.all_healed.ok = 1;
	emit(g, CHAOS, MESSAGE_ALL_HEALED, &ev);
	emit_phase(g, PHASE_DRAIN);
	for (i = PUBLISHER; i <= PUBLISHER + CONSUMERS; i++)
		emit_exit(g, i);
	emit_phase(g, PHASE_SETTLE);
	memset(&ev, 0, sizeof(ev));
	ev.u.settled.ok = 1;
	emit(g, CHAOS, MESSAGE_SETTLED, &ev);
	emit_phase(g, PHASE_AUDIT);
	emit_start(g, AUDIT, "audit");
	scan(g, n);
	emit_exit(g, AUDIT);
	emit_phase(g, PHASE_CLEAN);
	emit_phase(g, PHASE_DOWN);
	emit_exit(g, CHAOS);
	emit_phase(g, PHASE_END);
}

static int
generate(struct generator *g, const char *dir, uint64_t n)
{
	int err;

	rng_init(&g->rng, SEED, "generate");
	g->err = journal_create(&g->out, dir, 1);
	head(g);
	rounds(g, n);
	tail(g, n);
	err = journal_close(&g->out);
	return g->err < 0 ? g->err : err;
}

int
generate_journal(const char *dir, uint64_t events, uint64_t round_ns)
{
	struct generator g = {.now_ns = START_NS, .round_ns = round_ns};

	return generate(&g, dir, events / EVENTS_A_ROUND + 1);
}

int
generate_store(const char *dir, uint64_t events)
{
	struct generator g = {
	    .now_ns = START_NS, .round_ns = CLOCK_MS, .removes = true};

	return generate(&g, dir, events / EVENTS_A_PUT + 1);
}
