/* SPDX-License-Identifier: ISC */
/*
 * divergence: the replicas of a stream hold different things.
 *
 * Rule (guarantees 13): after heal, without load, with all peers current,
 * copies that differ in sequences or contents for 60 s of repeated reading
 * will differ for ever. The audit reads each server's copy by itself and
 * says how long they differed; shorter than that, or without a settled
 * cluster, it is a warning. So do the servers' own words about their stores
 * (STATE) and their consumers (CONSUMER_AT), and two of them that lead the same
 * one.
 *
 * Why no legal behaviour trips it: a replica that catches up agrees in the
 * end; a copy that could not be read whole is compared with nothing; a
 * fault that is still in force, or servers that did not settle, make it a
 * warning only. So does a change of limits, which each replica takes over by
 * itself (guarantees 19): there it convicts for what certainly is in the
 * stream, or certainly is not. So do replicas of a stream with interest, by
 * the consumers that each of them knows of, where these come and go, and of a
 * work queue whose consumers are changed to take more (guarantees 31): what one
 * keeps for nobody it drops some minutes later. So do replicas of a stream with
 * ages of which one had another clock (guarantees 40).
 */
#include <limits.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define PERSIST_NS   (60 * CLOCK_S)
#define MESSAGES_MAX 8192 /* told near differences, of one stream */
#define SERVERS_MAX  CONFIG_NODES_MAX
#define NAMED_MAX    4 /* sequences that the sentence names */
#define BY_LIMITS                                                              \
	"; its limits were changed, which each replica does by itself, and "   \
	"that may be why"

#define BY_CONSUMERS                                                           \
	"; what no consumer takes any more each replica drops by itself, "     \
	"within minutes, and that may be why"

#define BY_CLOCKS                                                              \
	"; a fault had set the clock of a server apart, by which each drops "  \
	"what is too old, and that may be why"

/* A sequence as the servers told it: 0 where it is missing. */
struct told {
	uint64_t seq;
	uint64_t sums[SERVERS_MAX];
};

struct divergence {
	uint32_t stream; /* that the rest is about */
	char servers[SERVERS_MAX][64];
	uint64_t firsts[SERVERS_MAX], lasts[SERVERS_MAX], counts[SERVERS_MAX];
	unsigned nservers;
	struct told told[MESSAGES_MAX];
	unsigned ntold;
	char states[512]; /* what the servers tell of one stream or consumer */
	char state_of[80];
	bool has_size;	 /* the server told last has the stream */
	uint64_t fewest; /* messages that a replica has */
};

/* What is told of another stream begins anew. */
static void
turn_to(struct divergence *d, uint32_t stream)
{
	if (d->stream == stream)
		return;
	d->stream = stream;
	d->nservers = 0;
	d->ntold = 0;
}

static unsigned
server_index(struct divergence *d, const char *server)
{
	unsigned i;

	for (i = 0; i < d->nservers; i++)
		if (strcmp(d->servers[i], server) == 0)
			return i;
	if (i < SERVERS_MAX) {
		text_set(d->servers[i], sizeof(d->servers[0]), server);
		d->nservers++;
	}
	return i;
}

static void
on_copy(struct divergence *d, const struct msg_copy *m)
{
	unsigned i;

	turn_to(d, m->stream);
	i = server_index(d, m->server);
	if (i == SERVERS_MAX)
		return;
	d->firsts[i] = m->first;
	d->lasts[i] = m->last;
	d->counts[i] = m->messages;
	d->ntold = 0; /* what messages were told belongs to an older copy */
}

static void
on_copy_message(struct divergence *d, const struct msg_copy_message *m)
{
	struct told *t;
	unsigned i, k;

	turn_to(d, m->stream);
	i = server_index(d, m->server);
	for (k = d->ntold; k-- > 0;)
		if (d->told[k].seq == m->seq)
			break;
	if (k == UINT_MAX) {
		if (d->ntold == MESSAGES_MAX)
			return; /* enough to name some */
		k = d->ntold++;
		memset(&d->told[k], 0, sizeof(d->told[k]));
		d->told[k].seq = m->seq;
	}
	t = &d->told[k];
	if (i < SERVERS_MAX)
		t->sums[i] = m->sum;
}

static bool
differs(const struct divergence *d, const struct told *t)
{
	unsigned i;

	for (i = 1; i < d->nservers; i++)
		if (t->sums[i] != t->sums[0])
			return true;
	return false;
}

/* "5 (n1 lacks it), 9 (n1 and n3 differ)" */
static void
name_sequence(
    const struct divergence *d, const struct told *t, char *out, size_t size)
{
	unsigned i;

	text_add(out, size, "%s%llu (", out[0] != '\0' ? ", " : "",
	    (unsigned long long)t->seq);
	for (i = 0; i < d->nservers; i++)
		text_add(out, size, "%s%s %s", i > 0 ? ", " : "", d->servers[i],
		    t->sums[i] == 0	       ? "lacks it"
		    : t->sums[i] == t->sums[0] ? "has it"
					       : "has another");
	text_add(out, size, ")");
}

static void
name_sequences(
    const struct divergence *d, struct anomaly *a, char *out, size_t size)
{
	unsigned i, named = 0;

	out[0] = '\0';
	for (i = 0; i < d->ntold; i++) {
		if (!differs(d, &d->told[i]))
			continue;
		if (named < 2)
			a->seqs[named] = d->told[i].seq;
		if (named++ < NAMED_MAX)
			name_sequence(d, &d->told[i], out, size);
	}
	if (named > NAMED_MAX)
		text_add(out, size, " and more");
}

static void
name_counts(const struct divergence *d, char *out, size_t size)
{
	unsigned i;

	out[0] = '\0';
	for (i = 0; i < d->nservers; i++)
		text_add(out, size, "%s%s %llu..%llu, %llu messages",
		    i > 0 ? "; " : "", d->servers[i],
		    (unsigned long long)d->firsts[i],
		    (unsigned long long)d->lasts[i],
		    (unsigned long long)d->counts[i]);
}

static enum anomaly_class
class_of(const struct check *c, uint64_t lasted_ns)
{
	return lasted_ns >= PERSIST_NS && c->faults->settled_ns != 0 &&
		       !faults_active(c->faults)
		   ? CLASS_VIOLATION
		   : CLASS_WARNING;
}

/* Limits that were changed may have made the difference. */
static bool
is_by_limits(const struct check *c, uint32_t stream)
{
	const struct stock *st = contents_stock(c->contents, stream);

	return st != NULL && limits_are_unordered(st);
}

/* Consumers that came and went, or were changed, may have made it. */
static bool
is_by_consumers(const struct check *c, uint32_t stream)
{
	const struct stock *st = contents_stock(c->contents, stream);
	bool is_regained = false;
	unsigned i;

	for (i = 0; st != NULL && i < LIVES_SUBJECTS; i++)
		is_regained |= st->regained_ns[i] != 0;
	return st != NULL &&
	       (st->retention == RETENTION_INTEREST ||
		   (st->retention == RETENTION_WORKQUEUE && is_regained));
}

/* Messages that consumers have not ended: each replica has to have them. */
static uint64_t
messages_kept(const struct check *c, uint32_t stream)
{
	const struct stock *st = contents_stock(c->contents, stream);
	const struct live *e = contents_next(c->contents, stream, 0);
	enum life_debt debt;
	uint64_t n = 0;

	for (; e != NULL; e = contents_next(c->contents, stream, e->seq)) {
		debt = DEBT_NONE;
		if (contents_presence(c->contents, stream, e->seq, c->now_ns) ==
		    PRESENT)
			debt =
			    contents_is_regained(st, e) ? DEBT_NONE : DEBT_SURE;
		else if (contents_is_whole(c->contents, stream, e, c->now_ns))
			(void)lives_keeper(/* its debt is what counts */
			    c->lives, c->contents, stream, e, &debt);
		n += debt == DEBT_SURE;
	}
	return n;
}

static bool
is_all_open(const struct check *c, const struct divergence *d)
{
	unsigned i;

	for (i = 0; i < d->ntold; i++)
		if (differs(d, &d->told[i]) &&
		    contents_presence(c->contents, d->stream, d->told[i].seq,
			c->now_ns) != MAYBE_PRESENT)
			return false;
	return true;
}

static void
on_end(struct check *c, struct divergence *d, const struct msg_copies_end *m)
{
	struct anomaly a = {.kind = ANOMALY_DIVERGENCE, .stream = m->stream};
	char sequences[256], counts[192];
	const char *by = "";

	turn_to(d, m->stream);
	check_judged(c, m->copies > 1);
	if (m->agree)
		return;
	if (m->copies < m->expected || m->differed_ns == 0) {
		check_doubt(c,
		    "the copies of stream %u could not be compared: %u of %u "
		    "were read; %.120s",
		    m->stream, m->copies, m->expected, m->why);
		return;
	}
	name_sequences(d, &a, sequences, sizeof(sequences));
	name_counts(d, counts, sizeof(counts));
	a.class = class_of(c, m->differed_ns);
	if (is_by_limits(c, m->stream) && is_all_open(c, d)) {
		a.class = CLASS_WARNING;
		by = BY_LIMITS;
	} else if (is_by_consumers(c, m->stream)) {
		a.class = CLASS_WARNING;
		by = BY_CONSUMERS;
	} else if (contents_ages_apart(c->contents, m->stream) &&
		   is_all_open(c, d)) {
		a.class = CLASS_WARNING;
		by = BY_CLOCKS;
	}
	if (m->differed_ns < PERSIST_NS)
		check_doubt(c,
		    "the copies of stream %u differed for %.0f s, after which "
		    "nobody looked: %.120s",
		    m->stream, (double)m->differed_ns / 1e9, m->why);
	check_raise(c, &a,
	    "the copies of stream %u differed for %llu s: %s%s%s%s", m->stream,
	    (unsigned long long)(m->differed_ns / CLOCK_S), counts,
	    sequences[0] != '\0' ? "; sequence " : "", sequences, by);
}

/* What is told of another one begins anew. */
static void
turn_state(struct divergence *d, const char *name)
{
	if (strcmp(d->state_of, name) == 0)
		return;
	text_set(d->state_of, sizeof(d->state_of), name);
	d->states[0] = '\0';
	d->fewest = UINT64_MAX;
}

/* Name a server that has it, or has to. True when it does: what follows. */
static bool
add_server(
    struct divergence *d, const char *server, bool has_it, bool is_replica)
{
	if (!has_it && !is_replica)
		return false;
	text_add(d->states, sizeof(d->states), "%s%s%s",
	    d->states[0] ? "; " : "", server, has_it ? "" : " lacks it");
	return has_it;
}

static const char *
role(bool leads, bool is_replica)
{
	return leads ? ", leads" : is_replica ? "" : ", no replica";
}

static void
on_consumer_at(struct divergence *d, const struct msg_consumer_at *m)
{
	turn_state(d, m->name);
	if (add_server(d, m->server, m->has_it, m->is_replica))
		text_add(d->states, sizeof(d->states),
		    " %llu delivered, ack floor %llu, %llu awaiting their "
		    "ack%s",
		    (unsigned long long)m->delivered,
		    (unsigned long long)m->floor,
		    (unsigned long long)m->ack_pending,
		    role(m->leads, m->is_replica));
}

static void
on_state(struct divergence *d, const struct msg_state *m)
{
	turn_state(d, m->stream);
	d->has_size = m->has_it;
	if (m->is_replica && m->has_it && m->messages < d->fewest)
		d->fewest = m->messages;
	if (add_server(d, m->server, m->has_it, m->is_replica))
		text_add(d->states, sizeof(d->states),
		    " %llu..%llu, %llu messages%s",
		    (unsigned long long)m->first, (unsigned long long)m->last,
		    (unsigned long long)m->messages,
		    role(m->leads, m->is_replica));
}

/* The stream of that name, or of that consumer's. */
static uint32_t
stream_named(const struct check *c, const char *name)
{
	const struct ledger_stream *s;
	size_t len = strcspn(name, "/");
	uint32_t i;

	for (i = 0; i < c->ledger->nstreams; i++) {
		s = ledger_stream(c->ledger, i);
		if (s != NULL && strncmp(s->name, name, len) == 0 &&
		    s->name[len] == '\0')
			return i;
	}
	return UINT32_MAX; /* a stream that no STREAM event named */
}

static void
on_states_differ(
    struct check *c, struct divergence *d, const struct msg_states_differ *m)
{
	struct anomaly a = {.kind = ANOMALY_DIVERGENCE,
	    .stream = stream_named(c, m->stream),
	    .class = class_of(c, m->differed_ns)};
	bool is_consumer = strchr(m->stream, '/') != NULL;
	char by[160] = "";
	uint64_t kept;

	if (!is_consumer && is_by_limits(c, a.stream)) {
		a.class = CLASS_WARNING;
		text_set(by, sizeof(by), BY_LIMITS);
	} else if (!is_consumer &&
		   (is_by_consumers(c, a.stream) ||
		       contents_ages_apart(c->contents, a.stream))) {
		kept = messages_kept(c, a.stream);
		if (kept > d->fewest) {
			text_format(by, sizeof(by),
			    "; %llu have to be there, which consumers that "
			    "take them have not ended",
			    (unsigned long long)kept);
		} else {
			a.class = CLASS_WARNING;
			text_set(by, sizeof(by),
			    is_by_consumers(c, a.stream) ? BY_CONSUMERS
							 : BY_CLOCKS);
		}
	}
	check_raise(c, &a,
	    "for %llu s the servers told different things of %s %s: %s%s",
	    (unsigned long long)(m->differed_ns / CLOCK_S),
	    is_consumer ? "consumer" : "stream", m->stream,
	    strcmp(d->state_of, m->stream) == 0 ? d->states : "", by);
	d->state_of[0] = '\0';
}

static int
divergence_event(struct check *c, const struct event *ev)
{
	struct divergence *d = c->state;

	switch ((unsigned)ev->type) {
	case MESSAGE_COPY:
		on_copy(d, &ev->u.copy);
		break;
	case MESSAGE_COPY_MESSAGE:
		on_copy_message(d, &ev->u.copy_message);
		break;
	case MESSAGE_COPIES_END:
		on_end(c, d, &ev->u.copies_end);
		break;
	case MESSAGE_STATE:
		on_state(d, &ev->u.state);
		break;
	case MESSAGE_STATE_SIZE:
		if (d->has_size)
			text_add(d->states, sizeof(d->states),
			    ", %llu bytes, %llu subjects",
			    (unsigned long long)ev->u.state_size.bytes,
			    (unsigned long long)ev->u.state_size.subjects);
		break;
	case MESSAGE_CONSUMER_AT:
		on_consumer_at(d, &ev->u.consumer_at);
		break;
	case MESSAGE_STATES_DIFFER:
		on_states_differ(c, d, &ev->u.states_differ);
		break;
	case MESSAGE_COMPARED:
		if (ev->u.compared.servers > 1)
			check_judged(c, ev->u.compared.streams);
		if (ev->u.compared.why[0] != '\0')
			check_doubt(c,
			    "what the servers tell of the streams was not "
			    "compared: %s",
			    ev->u.compared.why);
		break;
	default:
		break;
	}
	return 0;
}

static const enum message_type types[] = {MESSAGE_COPY, MESSAGE_COPY_MESSAGE,
    MESSAGE_COPIES_END, MESSAGE_STATE, MESSAGE_STATE_SIZE, MESSAGE_CONSUMER_AT,
    MESSAGE_STATES_DIFFER, MESSAGE_COMPARED, 0};

const struct check_ops check_divergence = {
    .name = "divergence",
    .summary = "all replicas of a stream hold the same after the load",
    .rule = "guarantees 13",
    .types = types,
    .unit = "comparisons of streams",
    .stands_alone = true,
    .state_size = sizeof(struct divergence),
    .event = divergence_event,
};
