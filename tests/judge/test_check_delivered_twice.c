/* SPDX-License-Identifier: ISC */
/*
 * What a consumer delivers again: one delivery that arrives twice, a consumer
 * that has lost its state and numbers anew, messages that come back too
 * early; and what looks like it and is legal.
 */
#include "tests/stories/story.h"

#include <string.h>

#include "proto/base/text.h"

#define AGAIN ANOMALY_REDELIVERED_AFTER_ACK
#define TWICE ANOMALY_DELIVERED_TWICE
#define RESET ANOMALY_CONSUMER_RESET
#define EARLY ANOMALY_REDELIVERED_EARLY
#define ORDER ANOMALY_REORDER

struct tale {
	const char *name;
	void (*tell)(struct story *);
	uint32_t replicas;
	enum anomaly_kind kind;
	enum anomaly_class class;
	uint64_t count;	  /* of that kind and class */
	const char *says; /* in what is said of them */
	/* Violations of another kind that come with it. */
	enum anomaly_kind also;
};

static void
ack(struct story *s, uint32_t source, uint64_t seq, uint64_t number)
{
	story_ack_invoke(s, source, seq, number);
	story_ack_ok(s, source, seq, number);
}

/* Time passes, and monitoring names the same leader again and again. */
static void
lead_on(struct story *s, uint64_t ns)
{
	uint64_t until_ns = s->now_ns + ns;

	while (s->now_ns < until_ns) {
		story_pass(s, 2 * CLOCK_S);
		story_leader(s, s->leader);
	}
}

/* The consumer begins again behind this number and sequence. */
static void
go_back(struct story *s, uint64_t number, uint64_t seq, uint64_t n)
{
	uint64_t last = seq + n;
	uint32_t source;

	s->number = number;
	while (seq++ < last) {
		source = story_consumer(s);
		ack(s, source, seq, story_deliver(s, source, seq, 1));
	}
}

static void
start_again(struct story *s, unsigned rounds)
{
	story_rounds(s, rounds);
	lead_on(s, 60 * CLOCK_S);
	go_back(s, 0, 0, rounds);
	story_rounds(s, 5);
	lead_on(s, 10 * CLOCK_S);
}

static void
lost_at_the_start(struct story *s)
{
	start_again(s, 1);
}

static void
lost_in_the_middle(struct story *s)
{
	start_again(s, 1000);
	story_rounds(s, 1000);
}

/* Further back than the numbers that are kept. */
static void
lost_long_after(struct story *s)
{
	start_again(s, 20000);
}

static void
lost_at_the_end(struct story *s)
{
	story_rounds(s, 1000);
	start_again(s, 20);
}

static void
went_back_a_little(struct story *s)
{
	story_rounds(s, 1000);
	lead_on(s, 60 * CLOCK_S);
	go_back(s, 950, 950, 50);
	lead_on(s, 10 * CLOCK_S);
}

/* Seconds after the acks, to a process that has received later ones. */
static void
behind_on_one_connection(struct story *s)
{
	uint64_t seq = story_publish(s), next;

	ack(s, STORY_CONSUMER, seq, story_deliver(s, STORY_CONSUMER, seq, 1));
	next = story_publish(s);
	ack(s, STORY_CONSUMER, next, story_deliver(s, STORY_CONSUMER, next, 1));
	story_rounds(s, 3);
	/* A number that was lost on the way, or never was one. */
	s->number += 1;
	story_rounds(s, 3);
	story_deliver_as(s, STORY_CONSUMER, seq, s->number - 3, 2);
	ack(s, STORY_CONSUMER, seq, s->number - 3);
	lead_on(s, 10 * CLOCK_S);
}

/*
 * The same, but the process was killed meanwhile: what was sent before the ack
 * went another way to the connection of the one that took its place.
 */
static void
behind_on_another_connection(struct story *s)
{
	uint64_t seq = story_publish(s), next, number;

	ack(s, STORY_CONSUMER, seq, story_deliver(s, STORY_CONSUMER, seq, 1));
	number = ++s->number; /* sent before the ack, and slow */
	next = story_publish(s);
	ack(s, STORY_CONSUMER, next, story_deliver(s, STORY_CONSUMER, next, 1));
	story_kill(s, STORY_CONSUMER);
	story_restart(s, STORY_CONSUMER);
	story_deliver_as(s, STORY_CONSUMER, seq, number, 2);
	ack(s, STORY_CONSUMER, seq, number);
	lead_on(s, 10 * CLOCK_S);
}

static void
reconnected(struct story *s)
{
	story_add(s, STORY_CONSUMER, MESSAGE_RECONNECTED)->u.reconnected.times =
	    1;
}

/* It was not killed, but the library made another connection. */
static void
behind_a_reconnect(struct story *s)
{
	uint64_t seq = story_publish(s), next, number;

	ack(s, STORY_CONSUMER, seq, story_deliver(s, STORY_CONSUMER, seq, 1));
	number = ++s->number; /* sent before the ack, and slow */
	next = story_publish(s);
	ack(s, STORY_CONSUMER, next, story_deliver(s, STORY_CONSUMER, next, 1));
	reconnected(s);
	/* This one had come by the old connection. */
	next = story_publish(s);
	ack(s, STORY_CONSUMER, next, story_deliver(s, STORY_CONSUMER, next, 1));
	story_deliver_as(s, STORY_CONSUMER, seq, number, 2);
	ack(s, STORY_CONSUMER, seq, number);
	lead_on(s, 10 * CLOCK_S);
}

/* Later everything comes by the new one. */
static void
behind_on_the_next_connection(struct story *s)
{
	reconnected(s);
	story_pass(s, 5 * CLOCK_S);
	behind_on_one_connection(s);
}

static void
lost_under_a_fault(struct story *s)
{
	uint32_t fault;

	story_rounds(s, 100);
	lead_on(s, 60 * CLOCK_S);
	fault = story_fault(s, false);
	go_back(s, 0, 0, 100);
	story_healed(s, fault, true);
	lead_on(s, 10 * CLOCK_S);
}

static void
lost_with_its_leader(struct story *s)
{
	story_rounds(s, 100);
	lead_on(s, 60 * CLOCK_S);
	story_leader(s, "n3");
	go_back(s, 0, 0, 100);
	lead_on(s, 10 * CLOCK_S);
}

/* One replica: the last acks before the server was killed were not written. */
static void
unwritten(struct story *s)
{
	uint32_t fault;

	story_rounds(s, 100);
	fault = story_fault(s, true);
	story_pass(s, 3 * CLOCK_S);
	go_back(s, 96, 96, 4);
	story_rounds(s, 5);
	story_healed(s, fault, true);
}

/* The same; and by accident its number is what a proof looks like. */
static void
unwritten_between(struct story *s)
{
	uint64_t seq = story_round(s);
	uint32_t fault = story_fault(s, true), source = story_consumer(s);

	story_rounds(s, 1);
	s->number += 2;
	ack(s, source, seq, story_deliver(s, source, seq, 1));
	story_healed(s, fault, true);
	story_rounds(s, 5);
}

static void
written_long_before(struct story *s)
{
	uint32_t fault;

	story_rounds(s, 100);
	story_pass(s, 60 * CLOCK_S);
	fault = story_fault(s, true);
	story_pass(s, 3 * CLOCK_S);
	go_back(s, 0, 0, 4);
	story_healed(s, fault, true);
}

static uint32_t
pause_begins(struct story *s)
{
	uint32_t fault = story_fault(s, true);

	s->events[s->n - 2].u.fault_planned.ends_server = 0;
	text_set(s->events[s->n - 2].u.fault_planned.mode, 32, "pause_leader");
	return fault;
}

static void
node(struct story *s, uint32_t number, const char *version)
{
	struct msg_node *m = &story_add(s, STORY_CHAOS, MESSAGE_NODE)->u.node;

	m->node = number;
	text_set(m->version, sizeof(m->version), version);
}

/*
 * Paused with seq pending, L1 sends it again when it goes on, before it hears
 * of L2; and L2's delivery of that number was lost.
 */
static void
paused_leader_goes_on(struct story *s)
{
	uint64_t seq = story_round(s);
	uint32_t fault = pause_begins(s);

	story_rounds(s, 2);
	s->number++; /* L2's, lost with a connection */
	story_deliver_as(s, STORY_CONSUMER, seq, s->number, 2);
	story_rounds(s, 4);
	story_pass(s, 6 * CLOCK_S);
	story_healed(s, fault, true);
}

/* L1 had sent it before it stepped down, and its ack came to L2 first. */
static void
stepped_down(struct story *s)
{
	uint64_t seq = story_publish(s), number;
	uint32_t fault;

	node(s, 1, "2.10.27");
	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	fault = story_fault(s, false);
	s->events[s->n - 2].u.fault_planned.ends_server = 0;
	text_set(
	    s->events[s->n - 2].u.fault_planned.mode, 32, "leader_stepdown");
	story_leader(s, "n3");
	ack(s, STORY_CONSUMER, seq, number);
	story_rounds(s, 2);
	s->number++; /* L2's, which its reader has not told yet */
	story_deliver_as(s, STORY_CONSUMER + 1, seq, s->number, 2);
	story_rounds(s, 4);
	story_healed(s, fault, true);
	story_pass(s, 6 * CLOCK_S);
}

/* So has one that was told to end, before it handed over. */
static void
restarted(struct story *s, const char *version)
{
	uint64_t seq = story_publish(s), number;
	uint32_t fault;

	node(s, 1, version);
	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	fault = story_fault(s, false);
	text_set(
	    s->events[s->n - 2].u.fault_planned.mode, 32, "rolling_restart");
	story_leader(s, "n3");
	ack(s, STORY_CONSUMER, seq, number);
	story_rounds(s, 2);
	s->number++; /* L2's, which its reader has not told yet */
	story_deliver_as(s, STORY_CONSUMER + 1, seq, s->number, 2);
	story_rounds(s, 4);
	story_healed(s, fault, true);
	story_pass(s, 6 * CLOCK_S);
}

static void
restarted_old_server(struct story *s)
{
	restarted(s, "2.10.27");
}

static void
restarted_new_server(struct story *s)
{
	restarted(s, "2.15.1");
}

static void
paused_old_server(struct story *s)
{
	node(s, 1, "2.15.1");
	node(s, 2, "2.10.27");
	paused_leader_goes_on(s);
}

/* These send when a quorum knows of it, so it is no L1. */
static void
paused_new_server(struct story *s)
{
	node(s, 1, "2.15.1");
	node(s, 2, "2.11.2");
	paused_leader_goes_on(s);
}

static void
state(struct story *s, uint64_t created, uint64_t number)
{
	struct msg_consumer_state *m =
	    &story_add(s, STORY_AUDIT, MESSAGE_CONSUMER_STATE)
		 ->u.consumer_state;

	m->quiet = 1;
	m->created = created;
	m->consumer_seq = number;
}

static void
created_anew(struct story *s)
{
	story_rounds(s, 50);
	lead_on(s, 30 * CLOCK_S);
	go_back(s, 0, 0, 50);
	story_rounds(s, 60);
	lead_on(s, 10 * CLOCK_S);
	state(s, s->created + 20 * CLOCK_S, s->number);
}

/*
 * The new one has another leader. What it delivers as new was confirmed under
 * one that led long before and after.
 */
static void
created_anew_elsewhere(struct story *s)
{
	lead_on(s, 10 * CLOCK_S);
	story_rounds(s, 50);
	lead_on(s, 30 * CLOCK_S);
	story_leader(s, "n3");
	go_back(s, 0, 0, 50);
	story_rounds(s, 5);
	story_leader(s, "n3");
	story_pass(s, 30 * CLOCK_S);
	story_leader(s, "n3");
	state(s, s->created + 20 * CLOCK_S, s->number);
}

/* Another replica answers, whose creation time is its own (2.10). */
static void
created_by_replica(struct story *s)
{
	story_rounds(s, 50);
	story_leader(s, "n3");
	go_back(s, 49, 49, 1);
	state(s, s->created + 25 * CLOCK_MS, s->number);
}

/* A request to create it that was sent twice: nothing went back. */
static void
created_twice(struct story *s)
{
	story_rounds(s, 50);
	state(s, s->created + 20 * CLOCK_S, s->number);
}

/* The same, and a number that a deposed leader has given to another message. */
static void
created_twice_and_deposed(struct story *s)
{
	uint32_t fault;

	story_rounds(s, 50);
	fault = story_fault(s, true);
	story_leader(s, "n3");
	s->number--;
	story_rounds(s, 5);
	story_healed(s, fault, true);
	state(s, s->created + 20 * CLOCK_S, s->number);
}

/* So may one that was deposed without a fault. */
static void
created_twice_and_elected(struct story *s)
{
	story_rounds(s, 50);
	lead_on(s, 30 * CLOCK_S);
	story_leader(s, "n3");
	s->number--;
	story_rounds(s, 5);
	story_leader(s, "n3");
	story_pass(s, 30 * CLOCK_S);
	story_leader(s, "n3");
	state(s, s->created + 20 * CLOCK_S, s->number);
}

/* So far ahead no deposed leader is. */
static void
created_anew_under_a_fault(struct story *s)
{
	uint32_t fault;

	story_rounds(s, 4000);
	fault = story_fault(s, true);
	story_leader(s, "n3");
	go_back(s, 0, 0, 1000);
	story_healed(s, fault, true);
	state(s, s->created + 20 * CLOCK_S, s->number);
}

static void
state_is_behind(struct story *s)
{
	story_rounds(s, 50);
	lead_on(s, 10 * CLOCK_S);
	state(s, s->created + 1, s->number - 1);
	lead_on(s, 10 * CLOCK_S);
}

/* The number that was highest came from a leader that was deposed. */
static void
state_of_another_leader(struct story *s)
{
	story_rounds(s, 50);
	story_leader(s, "n3");
	state(s, s->created + 1, s->number - 1);
	lead_on(s, 10 * CLOCK_S);
}

/* delivered_twice */

static void
copy_to(struct story *s, uint32_t source)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_deliver_as(s, source, seq, number, 1);
	ack(s, STORY_CONSUMER, seq, number);
	ack(s, source, seq, number);
	story_rounds(s, 3);
	lead_on(s, 10 * CLOCK_S);
}

static void
copy_to_another_member(struct story *s)
{
	story_rounds(s, 10);
	copy_to(s, STORY_CONSUMER + 1);
}

static void
copy_at_the_start(struct story *s)
{
	copy_to(s, STORY_CONSUMER + 1);
}

static void
copy_on_one_connection(struct story *s)
{
	story_rounds(s, 10);
	copy_to(s, STORY_CONSUMER);
}

/* It was acked, and confirmed, before the copy came. */
static void
copy_behind_the_ack(struct story *s)
{
	uint64_t seq = story_round(s);

	story_deliver_as(s, STORY_CONSUMER, seq, s->number, 1);
	lead_on(s, 10 * CLOCK_S);
}

static void
remotes(struct story *s, uint32_t gateways, uint32_t leafs)
{
	struct msg_server_remotes *m =
	    &story_add(s, STORY_CHAOS, MESSAGE_SERVER_REMOTES)
		 ->u.server_remotes;

	m->node = 1;
	m->gateways = gateways;
	m->leafs = leafs;
}

static void
copy_through_gateways(struct story *s)
{
	remotes(s, 1, 0);
	copy_on_one_connection(s);
}

/* The leaf node has gone; what came through it may still come again. */
static void
copy_through_leafs(struct story *s)
{
	remotes(s, 0, 2);
	story_rounds(s, 10);
	remotes(s, 0, 0);
	copy_to(s, STORY_CONSUMER + 1);
}

/* It says that it has neither. */
static void
copy_in_one_cluster(struct story *s)
{
	remotes(s, 0, 0);
	copy_on_one_connection(s);
}

static void
two_with_one_number(struct story *s)
{
	uint64_t seq = story_publish(s), next = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_deliver_as(s, STORY_CONSUMER + 1, next, number, 1);
	ack(s, STORY_CONSUMER, seq, number);
	ack(s, STORY_CONSUMER + 1, next, number);
	lead_on(s, 10 * CLOCK_S);
}

static void
every_message_twice(struct story *s)
{
	uint64_t seq, i;

	for (i = 0; i < 5000; i++) {
		seq = story_round(s);
		story_deliver_as(s, story_consumer(s), seq, s->number, 1);
	}
	lead_on(s, 10 * CLOCK_S);
}

/* The audit reads the copies, and a delivery of one comes twice. */
static void
copy_to_the_audit(struct story *s)
{
	struct event *ev;

	story_rounds(s, 10);
	ev = story_add(s, STORY_AUDIT, MESSAGE_COPY_TWICE);
	ev->u.copy_twice.seq = ev->u.copy_twice.consumer_seq = 3;
	text_set(ev->u.copy_twice.consumer, sizeof(ev->u.copy_twice.consumer),
	    "natsburn_copy_8_0_1");
}

/* So fast is no ring of 4096 numbers. */
static void
copy_after_many(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_rounds(s, 10000);
	story_deliver_as(s, STORY_CONSUMER, seq, number, 1);
	ack(s, STORY_CONSUMER, seq, number);
	lead_on(s, 10 * CLOCK_S);
}

/* With one replica: its server ended, but long before. */
static void
copy_long_after_an_end(struct story *s)
{
	story_healed(s, story_fault(s, true), true);
	story_pass(s, 100 * CLOCK_S);
	copy_to(s, STORY_CONSUMER + 1);
}

static void
copy_shortly_after_an_end(struct story *s)
{
	story_healed(s, story_fault(s, true), true);
	story_pass(s, 25 * CLOCK_S);
	copy_to(s, STORY_CONSUMER + 1);
}

static void
copy_over_leaders(struct story *s)
{
	uint64_t seq = story_publish(s), number;

	number = story_deliver(s, STORY_CONSUMER, seq, 1);
	story_leader(s, "n3");
	story_deliver_as(s, STORY_CONSUMER + 1, seq, number, 1);
	ack(s, STORY_CONSUMER, seq, number);
	lead_on(s, 10 * CLOCK_S);
}

static void
copy_under_a_fault(struct story *s)
{
	uint32_t fault = story_fault(s, false);

	copy_to(s, STORY_CONSUMER + 1);
	story_healed(s, fault, true);
}

/* A worker is killed; what it held comes again with the next number. */
static void
worker_dies(struct story *s)
{
	uint64_t seq = story_publish(s);
	uint32_t source = STORY_CONSUMER + 1;

	(void)story_deliver(s, STORY_CONSUMER, seq, 1);
	story_kill(s, STORY_CONSUMER);
	story_restart(s, STORY_CONSUMER);
	lead_on(s, STORY_WAIT_NS);
	ack(s, source, seq, story_deliver(s, source, seq, 2));
	lead_on(s, 10 * CLOCK_S);
}

/* reorder */

/* Nobody was at the inbox: the server takes the delivery count back. */
static void
taken_back(struct story *s)
{
	uint64_t low, high;

	story_rounds(s, 40);
	low = story_publish(s);
	high = story_publish(s);
	s->number++; /* low's, to a worker that is gone */
	story_consume(s, high);
	lead_on(s, STORY_WAIT_NS);
	story_consume(s, low);
	lead_on(s, 10 * CLOCK_S);
}

/* An earlier number is missing, but it was none of this message's. */
static void
reordered_all_the_same(struct story *s)
{
	uint64_t low, high;

	s->number++;
	story_rounds(s, 40);
	low = story_publish(s);
	high = story_publish(s);
	story_consume(s, high);
	story_consume(s, low);
	lead_on(s, 10 * CLOCK_S);
}

/* Its delivery was taken back, so its number is no proof against another. */
static void
taken_back_is_doubt(struct story *s)
{
	uint64_t seq = story_round(s), low, high;

	story_rounds(s, 1);
	/* A deposed leader's, whose number the living line gave to low. */
	story_deliver_as(s, STORY_CONSUMER, seq, s->number + 1, 2);
	low = story_publish(s);
	high = story_publish(s);
	s->number++;
	story_consume(s, high);
	story_consume(s, low);
	story_rounds(s, 3);
}

/* redelivered_early */

static void
ten_times_at_once(struct story *s)
{
	uint64_t seq = story_publish(s), i;

	for (i = 1; i < 10; i++)
		(void)story_deliver(s, STORY_CONSUMER, seq, i);
	ack(s, STORY_CONSUMER, seq, story_deliver(s, STORY_CONSUMER, seq, i));
	lead_on(s, 2 * CLOCK_S);
}

/* Servers before 2.10.16 count what they sent to nobody. */
static void
sent_to_nobody(struct story *s)
{
	uint64_t seq = story_publish(s);

	ack(s, STORY_CONSUMER, seq, story_deliver(s, STORY_CONSUMER, seq, 2));
	lead_on(s, 2 * CLOCK_S);
}

/* It was on its way for long, so it seems to come again at once. */
static void
late_then_again(struct story *s)
{
	uint64_t seq = story_publish(s);

	story_pass(s, STORY_WAIT_NS);
	(void)story_deliver(s, STORY_CONSUMER, seq, 1);
	ack(s, STORY_CONSUMER, seq, story_deliver(s, STORY_CONSUMER, seq, 2));
}

#define NOTHING 3, ANOMALY_COUNT, CLASS_COUNT, 0, "", ANOMALY_COUNT

static const struct tale tales[] = {
    {"lost at the start", lost_at_the_start, 3, AGAIN, CLASS_VIOLATION, 1,
	"n1 was the leader all the time", AGAIN},
    {"lost in the middle", lost_in_the_middle, 3, AGAIN, CLASS_VIOLATION, 1000,
	"the same 992 times more, of sequences from 9 to 1000", AGAIN},
    {"lost long after", lost_long_after, 3, AGAIN, CLASS_VIOLATION, 20000,
	"the process that received it", AGAIN},
    {"lost at the end", lost_at_the_end, 3, AGAIN, CLASS_VIOLATION, 20,
	"has the same number as before", AGAIN},
    {"lost, one replica, no fault", lost_at_the_end, 1, AGAIN, CLASS_VIOLATION,
	20, "one replica has no other leader", AGAIN},
    {"went back a little", went_back_a_little, 3, AGAIN, CLASS_VIOLATION, 50,
	"", AGAIN},
    {"behind on one connection", behind_on_one_connection, 3, AGAIN,
	CLASS_VIOLATION, 1, "the process that received it", AGAIN},
    {"behind on another connection", behind_on_another_connection, 3, AGAIN,
	CLASS_VIOLATION, 0, "", ANOMALY_COUNT},
    {"behind a reconnect", behind_a_reconnect, 3, AGAIN, CLASS_VIOLATION, 0, "",
	ANOMALY_COUNT},
    {"behind on the next connection", behind_on_the_next_connection, 3, AGAIN,
	CLASS_VIOLATION, 1, "the process that received it", AGAIN},
    {"a restart of an old server", restarted_old_server, 3, AGAIN,
	CLASS_VIOLATION, 0, "", ANOMALY_COUNT},
    {"a restart of a new server", restarted_new_server, 3, AGAIN,
	CLASS_VIOLATION, 1, "so the server sent this one later", AGAIN},
    {"created twice, and elected", created_twice_and_elected, 3, RESET,
	CLASS_WARNING, 1, "may have given them, too", ANOMALY_COUNT},
    {"copy after many", copy_after_many, 3, TWICE, CLASS_VIOLATION, 1, "",
	TWICE},
    {"one replica, copy long after an end", copy_long_after_an_end, 1, TWICE,
	CLASS_VIOLATION, 1, "", TWICE},
    {"one replica, copy shortly after an end", copy_shortly_after_an_end, 1,
	TWICE, CLASS_DOCUMENTED, 1, "", ANOMALY_COUNT},
    {"sent to nobody", sent_to_nobody, NOTHING},
    {"lost under a fault", lost_under_a_fault, 3, AGAIN, CLASS_WARNING, 100,
	"can't be excluded", ANOMALY_COUNT},
    {"lost with its leader", lost_with_its_leader, 3, AGAIN, CLASS_WARNING, 100,
	"can't be excluded", ANOMALY_COUNT},
    {"one replica, unwritten", unwritten, 1, AGAIN, CLASS_DOCUMENTED, 4,
	"a server ended at about that time", ANOMALY_COUNT},
    {"one replica, unwritten between", unwritten_between, 1, AGAIN,
	CLASS_DOCUMENTED, 1, "a server ended", ANOMALY_COUNT},
    {"one replica, written long before", written_long_before, 1, AGAIN,
	CLASS_WARNING, 4, "is not proven", ANOMALY_COUNT},
    {"a paused leader goes on", paused_leader_goes_on, 3, AGAIN, CLASS_WARNING,
	1, "deposed meanwhile", ANOMALY_COUNT},
    {"an old leader steps down", stepped_down, 3, AGAIN, CLASS_VIOLATION, 0, "",
	ANOMALY_COUNT},
    {"a pause with an old server", paused_old_server, 3, AGAIN, CLASS_WARNING,
	1, "deposed meanwhile", ANOMALY_COUNT},
    {"a pause with new servers", paused_new_server, 3, AGAIN, CLASS_VIOLATION,
	1, "so the server sent this one later", AGAIN},
    {"created anew", created_anew, 3, RESET, CLASS_VIOLATION, 1,
	"was created anew", AGAIN},
    {"created twice", created_twice, NOTHING},
    {"created by a replica", created_by_replica, 3, TWICE, CLASS_WARNING, 1,
	"can't be excluded", ANOMALY_COUNT},
    {"created twice, and deposed", created_twice_and_deposed, 3, RESET,
	CLASS_WARNING, 1, "may have given them, too", ANOMALY_COUNT},
    {"created anew elsewhere", created_anew_elsewhere, 3, RESET,
	CLASS_VIOLATION, 1, "was created anew", RESET},
    {"created anew under a fault", created_anew_under_a_fault, 3, RESET,
	CLASS_VIOLATION, 1, "was created anew", RESET},
    {"the state is behind", state_is_behind, 3, RESET, CLASS_VIOLATION, 1,
	"says that 49 is the last consumer sequence", RESET},
    {"the state of another leader", state_of_another_leader, 3, RESET,
	CLASS_WARNING, 1, "can't be excluded", ANOMALY_COUNT},
    {"copy to another member", copy_to_another_member, 3, TWICE,
	CLASS_VIOLATION, 1, "arrived", TWICE},
    {"copy at the start", copy_at_the_start, 3, TWICE, CLASS_VIOLATION, 1, "",
	TWICE},
    {"copy on one connection", copy_on_one_connection, 3, TWICE,
	CLASS_VIOLATION, 1, "", TWICE},
    {"copy in one cluster", copy_in_one_cluster, 3, TWICE, CLASS_VIOLATION, 1,
	"", TWICE},
    {"copy through gateways", copy_through_gateways, 3, TWICE, CLASS_WARNING, 1,
	"have gateways or leaf nodes", ANOMALY_COUNT},
    {"copy through leaf nodes", copy_through_leafs, 3, TWICE, CLASS_WARNING, 1,
	"have gateways or leaf nodes", ANOMALY_COUNT},
    {"copy behind the ack", copy_behind_the_ack, 3, TWICE, CLASS_VIOLATION, 1,
	"", TWICE},
    {"two with one number", two_with_one_number, 3, TWICE, CLASS_VIOLATION, 1,
	"to sequence 2, and", TWICE},
    {"every message twice", every_message_twice, 3, TWICE, CLASS_VIOLATION,
	5000, "the same 4992 times more", TWICE},
    {"copy to the audit", copy_to_the_audit, 3, TWICE, CLASS_WARNING, 1,
	"the audit's consumer natsburn_copy_8_0_1", ANOMALY_COUNT},
    {"copy over leaders", copy_over_leaders, 3, TWICE, CLASS_WARNING, 1,
	"can't be excluded", ANOMALY_COUNT},
    {"copy under a fault", copy_under_a_fault, 3, TWICE, CLASS_WARNING, 1, "",
	ANOMALY_COUNT},
    {"a worker dies", worker_dies, NOTHING},
    {"taken back", taken_back, 3, ORDER, CLASS_WARNING, 1, "received by nobody",
	ANOMALY_COUNT},
    {"reordered all the same", reordered_all_the_same, 3, ORDER,
	CLASS_VIOLATION, 1, "for the first time", ORDER},
    {"what was taken back is doubt", taken_back_is_doubt, 3, AGAIN,
	CLASS_VIOLATION, 0, "", ANOMALY_COUNT},
    {"ten times at once", ten_times_at_once, 3, EARLY, CLASS_WARNING, 9,
	"sooner than its AckWait of 5.000 s, 9 times", ANOMALY_COUNT},
    {"late, then again", late_then_again, NOTHING},
};

#define TALES (sizeof(tales) / sizeof(tales[0]))

static uint64_t
anomalies(const struct story_verdict *v)
{
	uint64_t n = 0;
	unsigned k, c;

	for (k = 0; k < ANOMALY_COUNT; k++)
		for (c = 0; c < CLASS_COUNT; c++)
			n += v->counts[k][c];
	return n;
}

static bool
judged_well(const struct tale *t, const struct story_verdict *v)
{
	uint64_t others = story_other_violations(v, t->kind);

	if (t->kind == ANOMALY_COUNT)
		return anomalies(v) == 0;
	if (v->counts[t->kind][t->class] != t->count ||
	    strstr(v->says, t->says) == NULL)
		return false;
	if (t->also == ANOMALY_COUNT)
		return others + v->counts[t->kind][CLASS_VIOLATION] == 0;
	return v->result.exit_code == EXIT_VIOLATION &&
	       others == (t->also == t->kind
				 ? 0
				 : v->counts[t->also][CLASS_VIOLATION]);
}

static void
test_tale(void **state_)
{
	const struct tale *t = *state_;
	struct story_verdict v;
	struct story s;
	uint64_t seed;

	for (seed = 1; seed <= 3; seed++) {
		story_init(&s, seed);
		s.mayhem = "none";
		s.replicas = t->replicas;
		story_open(&s);
		lead_on(&s, 6 * CLOCK_S); /* so the first leader counts */
		t->tell(&s);
		story_close(&s);
		story_judge(&s, &v);
		story_fini(&s);
		if (!judged_well(t, &v))
			fail_msg("%s, seed %u: exit %d, %llu\n%s", t->name,
			    (unsigned)seed, v.result.exit_code,
			    t->kind < ANOMALY_COUNT
				? (unsigned long long)
				      v.counts[t->kind][t->class]
				: 0,
			    v.says);
	}
}

/*
 * One replica of somebody's cluster: he may have killed its server. It
 * convicts where monitoring shows the same processes before and after.
 */
static void
test_external(void **state_)
{
	static void (*const tell[])(struct story *) = {
	    lost_at_the_end, copy_behind_the_ack, state_is_behind};
	static const enum anomaly_kind kinds[] = {AGAIN, TWICE, RESET};
	enum {
		ENDS = 4
	};
	static const struct {
		uint64_t before, after; /* as which they are seen */
		enum exit_code exit_code;
	} ends[ENDS] = {{0, 0, EXIT_PASS}, {1, 1, EXIT_VIOLATION},
	    {1, 2, EXIT_PASS}, {1, 0, EXIT_PASS}};
	struct story_verdict v;
	struct story s;
	unsigned i;

	(void)state_;
	for (i = 0; i < 3 * ENDS; i++) {
		story_init(&s, 1);
		s.mayhem = "none";
		s.replicas = 1;
		s.options[0][0] = "cluster";
		s.options[0][1] = "external";
		s.process = ends[i / 3].before;
		story_open(&s);
		story_pass(&s, 30 * CLOCK_S);
		s.process = ends[i / 3].after;
		tell[i % 3](&s);
		story_pass(&s, 20 * CLOCK_S);
		story_close(&s);
		story_judge(&s, &v);
		if (v.result.exit_code != ends[i / 3].exit_code ||
		    v.counts[kinds[i % 3]][CLASS_VIOLATION] +
			    v.counts[kinds[i % 3]][CLASS_DOCUMENTED] +
			    v.counts[kinds[i % 3]][CLASS_WARNING] ==
			0)
			fail_msg(
			    "%u: exit %d\n%s", i, v.result.exit_code, v.says);
		story_fini(&s);
	}
}

int
main(void)
{
	struct CMUnitTest tests[TALES + 1];
	size_t i;

	memset(tests, 0, sizeof(tests));
	for (i = 0; i < TALES; i++) {
		tests[i].name = tales[i].name;
		tests[i].test_func = test_tale;
		tests[i].initial_state = (void *)(uintptr_t)&tales[i];
	}
	tests[TALES] = (struct CMUnitTest)cmocka_unit_test(test_external);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
