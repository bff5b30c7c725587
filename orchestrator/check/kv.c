/* SPDX-License-Identifier: ISC */
/*
 * kv: the keys of a bucket under compare-and-set, over all clients.
 *
 * Rule (guarantees 10 and 11): a revision is a stream sequence, and an
 * update is stored only when the revision it expects is the key's last one.
 * So each stored revision of a key is a link (expected -> revision), and the
 * links of a key are one chain. A link is known from an ack, or from a read
 * that shows the update, whose expectation stands in the history since
 * before it was sent. No link may begin at or lie across a known revision
 * within another link: that is two updates on one expected revision, or an
 * update that overlooked one. On the one host clock an update's revision is
 * also above each that was acknowledged, for any key, before it was first
 * sent. What a read or the audit shows must be a link of an update that was
 * sent for that key.
 *
 * Why no legal behaviour trips it: a refused update makes no claim, with or
 * without a reason, and neither does one whose outcome is unknown; that one
 * may turn up at any later time and only then becomes a link. An old value
 * convicts nobody: direct gets may be old (documented), and a leader that
 * was just deposed may answer (warning; with one replica there is no other
 * leader). A committed value is lost only when the leader said so for
 * longer than kv-cas.confirm without fault or leader change, or when after
 * heal the audit saw it neither by the leader nor by a consumer. Memory
 * storage may forget when servers restart: documented. A client of ours
 * that stood still was not refused by anybody meanwhile.
 *
 * Memory: the latest LINKS_MAX links of each key, and every update that is
 * open or unknown. Evidence about older revisions is not judged.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define LINKS_MAX   4096
#define KEYS_MAX    1024
#define CLIENTS_MAX CHECK_SLOTS_MAX
#define ROOM_FIRST  64
#define STARVED_NS  (120 * CLOCK_S)

/* JetStream's error codes for an expectation that did not hold. */
#define ERR_WRONG_LAST_SEQ	 10071
#define ERR_WRONG_LAST_SEQ_CONST 10164

enum path {
	PATH_NONE,
	PATH_LEADER,
	PATH_DIRECT,
	PATH_CONSUMER,
	PATH_COUNT
};

/* A stored revision: update id was accepted because it expected expected. */
struct link {
	uint64_t revision, expected, id, sum;
};

/* An update that is open, or whose outcome is unknown for ever. */
struct update {
	uint64_t id; /* 0: free slot */
	uint32_t key, attempts;
	uint64_t expected, sum;
	uint64_t revision; /* where it was seen; 0 not yet */
	uint64_t floor;	   /* highest revision acked when it was first sent */
	uint64_t invoked_ns;
	bool is_unknown, is_ended, told;
};

/* What the audit saw on one path. */
struct final {
	bool seen;
	uint64_t newest, oldest; /* oldest: of several answers for the key */
};

struct key {
	struct link *links; /* by revision */
	uint32_t n, room;
	uint64_t forgotten;	  /* highest revision dropped from links */
	uint64_t acked, acked_id; /* highest acknowledged */
	uint64_t read, read_id;	  /* highest that a read showed */
	bool was_refused;	  /* without a reason, and not read since */
	/* The leader's answers are older than this since then. */
	uint64_t doubted, doubted_id, doubt_ns;
	bool told;
	struct final finals[PATH_COUNT];
};

struct client {
	bool is_reading;	      /* an answer is due */
	uint64_t op, acked, acked_id; /* of the key when it was asked */
	uint64_t asked_ns;
	/* No read succeeded since; 0 none was tried. */
	uint64_t since_ns;
	bool told;
	uint64_t starved_ns; /* refused without a success since; 0 not */
	bool told_starved;
};

struct kv_state {
	uint32_t stream;
	uint64_t confirm_ns;
	bool has_confirm;
	struct key *keys;
	uint32_t nkeys;
	struct client *clients;
	uint32_t nclients;
	uint64_t *invoked; /* highest counter, by source */
	uint32_t ninvoked;
	struct update *updates; /* open addressing by id */
	size_t nupdates, room;
	uint64_t attempts;  /* sent for any key: no revision is higher */
	uint64_t max_acked; /* of any key */
	char leader[32];
	uint64_t leader_ns; /* since when; 0 not known */
	bool unsettled;
};

/* the updates that are open or unknown */

static size_t
slot_of(const struct kv_state *st, uint64_t id)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
	       (st->room - 1);
}

static struct update *
update_find(const struct kv_state *st, uint64_t id)
{
	size_t i;

	if (st->room == 0 || id == 0)
		return NULL;
	for (i = slot_of(st, id); st->updates[i].id != 0;
	     i = (i + 1) & (st->room - 1))
		if (st->updates[i].id == id)
			return &st->updates[i];
	return NULL;
}

static struct update *
update_place(struct kv_state *st, uint64_t id)
{
	size_t i;

	for (i = slot_of(st, id); st->updates[i].id != 0;
	     i = (i + 1) & (st->room - 1))
		;
	return &st->updates[i];
}

static int
updates_grow(struct kv_state *st)
{
	size_t old = st->room, room = old ? old * 2 : ROOM_FIRST, i;
	struct update *from = st->updates;

	st->updates = calloc(room, sizeof(*st->updates));
	if (st->updates == NULL) {
		st->updates = from;
		return -ENOMEM;
	}
	st->room = room;
	for (i = 0; i < old; i++)
		if (from[i].id != 0)
			*update_place(st, from[i].id) = from[i];
	free(from);
	return 0;
}

static struct update *
update_add(struct kv_state *st, uint64_t id)
{
	struct update *u;

	if ((st->nupdates + 1) * 2 > st->room && updates_grow(st) < 0)
		return NULL;
	u = update_place(st, id);
	u->id = id;
	st->nupdates++;
	return u;
}

/* Remove by shifting back what would otherwise not be found any more. */
static void
update_remove(struct kv_state *st, struct update *u)
{
	size_t mask = st->room - 1, hole = (size_t)(u - st->updates), i, home;

	for (i = (hole + 1) & mask; st->updates[i].id != 0;
	     i = (i + 1) & mask) {
		home = slot_of(st, st->updates[i].id);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			st->updates[hole] = st->updates[i];
			hole = i;
		}
	}
	memset(&st->updates[hole], 0, sizeof(st->updates[hole]));
	st->nupdates--;
}

/* It leaves when nothing about it is open: its link, if any, stands. */
static void
update_settle(struct kv_state *st, struct update *u)
{
	if (u->is_ended && (u->revision != 0 || !u->is_unknown))
		update_remove(st, u);
}

/* what is raised */

static enum anomaly_class
loss_class(const struct check *c)
{
	const struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);

	if (s != NULL && strcmp(s->storage, "memory") == 0 &&
	    c->faults->applied > 0)
		return CLASS_DOCUMENTED;
	return CLASS_VIOLATION;
}

static struct anomaly
anomaly_of(const struct check *c, enum anomaly_kind kind, uint64_t id,
    uint64_t revision)
{
	const struct kv_state *st = c->state;
	struct anomaly a = {.kind = kind, .stream = st->stream};

	a.class = loss_class(c);
	a.ids[0] = id;
	a.seqs[0] = revision;
	return a;
}

/* "2:17" for sentences. */
struct id_text {
	char s[40];
};

static struct id_text
id_text(uint64_t id)
{
	struct id_text t;

	text_format(t.s, sizeof(t.s), "%u:%llu", message_id_source(id),
	    (unsigned long long)message_id_counter(id));
	return t;
}

static struct key *
key_at(struct kv_state *st, uint32_t key)
{
	if (key >= KEYS_MAX)
		return NULL;
	return check_slot(&st->keys, &st->nkeys, key, sizeof(struct key));
}

static struct client *
client_at(struct kv_state *st, uint32_t source)
{
	return check_slot(
	    &st->clients, &st->nclients, source, sizeof(struct client));
}

/* the chain of a key */

/* Index of the first link at or above revision. */
static uint32_t
link_index(const struct key *k, uint64_t revision)
{
	uint32_t low = 0, high = k->n, mid;

	if (high > 0 && k->links[high - 1].revision < revision)
		return high; /* nearly always */
	while (low < high) {
		mid = low + (high - low) / 2;
		if (k->links[mid].revision < revision)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct link *
link_find(const struct key *k, uint64_t revision)
{
	uint32_t i = link_index(k, revision);

	if (i < k->n && k->links[i].revision == revision)
		return &k->links[i];
	return NULL;
}

static int
link_insert(struct key *k, const struct link *l)
{
	struct link *grown;
	uint32_t i, room;

	if (k->n == LINKS_MAX) {
		i = LINKS_MAX / 4;
		k->forgotten = k->links[i - 1].revision;
		k->n -= i;
		memmove(k->links, k->links + i, k->n * sizeof(*k->links));
	}
	if (k->n == k->room) {
		room = k->room ? k->room * 2 : ROOM_FIRST;
		grown = realloc(k->links, room * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		k->links = grown;
		k->room = room;
	}
	i = link_index(k, l->revision);
	memmove(k->links + i + 1, k->links + i, (k->n - i) * sizeof(*k->links));
	k->links[i] = *l;
	k->n++;
	return 0;
}

/* The other link that can't stand beside l in one chain, if there is one. */
static const struct link *
link_conflict(const struct key *k, const struct link *l)
{
	uint32_t i = link_index(k, l->revision);

	if (i > 0 && k->links[i - 1].revision > l->expected)
		return &k->links[i - 1];
	if (i < k->n && k->links[i].expected < l->revision)
		return &k->links[i];
	return NULL;
}

static void
raise_chain(struct check *c, uint32_t key, const struct link *l,
    const struct link *other)
{
	struct anomaly a =
	    anomaly_of(c, ANOMALY_CAS_VIOLATED, l->id, l->revision);
	const struct link *low = l, *high = other;

	if (l->revision <= l->expected) {
		check_raise(c, &a,
		    "update %s of key %u expected revision %llu and was "
		    "stored at %llu",
		    id_text(l->id).s, key, (unsigned long long)l->expected,
		    (unsigned long long)l->revision);
		return;
	}
	a.ids[1] = other->id;
	a.seqs[1] = other->revision;
	if (l->expected == other->expected) {
		check_raise(c, &a,
		    "two updates of key %u were accepted on one expected "
		    "revision, %llu: %s at %llu and %s at %llu",
		    key, (unsigned long long)l->expected, id_text(other->id).s,
		    (unsigned long long)other->revision, id_text(l->id).s,
		    (unsigned long long)l->revision);
		return;
	}
	if (low->revision > high->revision) {
		low = other;
		high = l;
	}
	check_raise(c, &a,
	    "update %s of key %u expected revision %llu and was stored at "
	    "%llu although update %s stood in between, at %llu",
	    id_text(high->id).s, key, (unsigned long long)high->expected,
	    (unsigned long long)high->revision, id_text(low->id).s,
	    (unsigned long long)low->revision);
}

/* A link is known by an ack or a read: judge and enter it. 0 or -ENOMEM. */
static int
link_enter(struct check *c, uint32_t key, const struct link *l)
{
	struct kv_state *st = c->state;
	struct key *k = key_at(st, key);
	const struct link *other;
	struct anomaly a;

	if (k == NULL)
		return -ENOMEM;
	if (l->revision <= k->forgotten && l->revision > l->expected)
		return 0; /* late evidence of what is no longer kept */
	other = link_find(k, l->revision);
	if (other != NULL) {
		if (other->id == l->id)
			return 0;
		a = anomaly_of(c, ANOMALY_CAS_VIOLATED, l->id, l->revision);
		a.ids[1] = other->id;
		check_raise(c, &a,
		    "revision %llu of key %u was given to update %s and to "
		    "update %s",
		    (unsigned long long)l->revision, key, id_text(other->id).s,
		    id_text(l->id).s);
		return 0;
	}
	other = link_conflict(k, l);
	if (other != NULL || l->revision <= l->expected)
		raise_chain(c, key, l, other);
	/* Entered even so: one root cause is told once. */
	return link_insert(k, l);
}

/* what a read or the audit shows */

struct shown {
	uint32_t key;
	uint8_t path;
	bool found, intact;
	uint64_t revision, id, run, sum;
};

static void
raise_corrupt(struct check *c, const struct shown *s, uint64_t sum)
{
	struct anomaly a =
	    anomaly_of(c, ANOMALY_CORRUPT, s->intact ? s->id : 0, s->revision);

	a.class = CLASS_VIOLATION;
	a.rule = "guarantees 2";
	if (!s->intact)
		check_raise(c, &a,
		    "the value at revision %llu of key %u does not pass its "
		    "checksum",
		    (unsigned long long)s->revision, s->key);
	else
		check_raise(c, &a,
		    "update %s was read at revision %llu of key %u with "
		    "checksum %016llx but sent with %016llx",
		    id_text(s->id).s, (unsigned long long)s->revision, s->key,
		    (unsigned long long)s->sum, (unsigned long long)sum);
}

/* A value that nobody wrote, or not there. */
static void
raise_phantom(
    struct check *c, struct key *k, const struct shown *s, const char *why)
{
	struct anomaly a = anomaly_of(c, ANOMALY_PHANTOM, s->id, s->revision);

	a.rule = "guarantees 11";
	/* It explains a refusal that nothing else does. */
	if (k->was_refused) {
		a.kind = ANOMALY_CAS_VIOLATED;
		a.rule = NULL;
	}
	check_raise(c, &a, "key %u shows update %s at revision %llu%s: %s",
	    s->key, id_text(s->id).s, (unsigned long long)s->revision,
	    k->was_refused ? " after a refusal without a reason" : "", why);
}

static bool
was_invoked(const struct kv_state *st, uint64_t id)
{
	uint32_t source = message_id_source(id);

	return source < st->ninvoked && message_id_counter(id) != 0 &&
	       message_id_counter(id) <= st->invoked[source];
}

/*
 * Why the value can't be there, or NULL. *u becomes its open or unknown
 * update, NULL when its link is known already or no longer kept.
 */
static const char *
why_impossible(const struct check *c, const struct key *k,
    const struct shown *s, struct update **u)
{
	const struct kv_state *st = c->state;
	const struct link *known = link_find(k, s->revision);

	*u = NULL;
	if (s->run != c->ledger->run || !was_invoked(st, s->id))
		return "this run never sent such an update";
	if (s->revision > st->attempts)
		return "fewer updates than that were ever sent";
	if (known != NULL)
		return known->id == s->id
			   ? NULL
			   : "another update was stored at that revision";
	if (s->revision <= k->forgotten)
		return NULL;
	*u = update_find(st, s->id);
	if (*u == NULL)
		return "that update was refused, or stored at another revision";
	if ((*u)->key != s->key)
		return "that update was sent for another key";
	if ((*u)->revision != 0 && (*u)->revision != s->revision)
		return "that update was stored at another revision";
	return NULL;
}

/* Judge a value that was read. 0 or -ENOMEM. */
static int
judge_shown(struct check *c, const struct shown *s)
{
	struct kv_state *st = c->state;
	struct key *k = key_at(st, s->key);
	const struct link *known;
	struct link l = {s->revision, 0, s->id, s->sum};
	struct update *u;
	const char *why;
	int err;

	if (k == NULL)
		return -ENOMEM;
	if (!s->found)
		return 0;
	if (!s->intact) {
		raise_corrupt(c, s, 0);
		return 0;
	}
	why = why_impossible(c, k, s, &u);
	if (why != NULL)
		raise_phantom(c, k, s, why);
	k->was_refused = false;
	known = link_find(k, s->revision);
	if (why == NULL && known != NULL && known->sum != s->sum)
		raise_corrupt(c, s, known->sum);
	if (why != NULL || u == NULL)
		return 0;
	if (u->sum != s->sum)
		raise_corrupt(c, s, u->sum);
	l.expected = u->expected;
	l.sum = u->sum;
	u->revision = s->revision;
	err = link_enter(c, s->key, &l);
	update_settle(st, u);
	return err;
}

/* reads */

static int
on_read(struct check *c, const struct event *ev)
{
	struct kv_state *st = c->state;
	struct client *cl = client_at(st, ev->source);
	const struct key *k = key_at(st, ev->u.kv_read.key);

	if (cl == NULL || k == NULL)
		return -ENOMEM;
	cl->is_reading = true;
	cl->op = ev->u.kv_read.op;
	cl->acked = k->acked;
	cl->acked_id = k->acked_id;
	cl->asked_ns = ev->time_ns;
	if (cl->since_ns != 0)
		return 0;
	cl->since_ns = ev->time_ns;
	cl->told = false;
	return 0;
}

static uint32_t
replicas_of(const struct check *c)
{
	const struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);

	return s != NULL ? s->replicas : 0;
}

static void
raise_stale(struct check *c, const struct client *cl, const struct shown *s)
{
	struct anomaly a =
	    anomaly_of(c, ANOMALY_STALE_READ, cl->acked_id, cl->acked);

	a.rule = "guarantees 11";
	if (s->path == PATH_DIRECT)
		a.class = CLASS_DOCUMENTED;
	else if (replicas_of(c) != 1)
		a.class = CLASS_WARNING;
	a.ids[1] = s->id;
	a.seqs[1] = s->revision;
	check_raise(c, &a,
	    "a %s of key %u returned revision %llu, although %llu had been "
	    "acknowledged before it was asked",
	    s->path == PATH_DIRECT ? "direct get" : "read by the leader",
	    s->key, (unsigned long long)s->revision,
	    (unsigned long long)cl->acked);
}

static bool
was_steady(const struct check *c, uint64_t since_ns)
{
	const struct kv_state *st = c->state;

	if (!faults_quiet_for(c->faults, c->now_ns, c->now_ns - since_ns))
		return false;
	return replicas_of(c) == 1 ||
	       (st->leader_ns != 0 && st->leader_ns <= since_ns &&
		   st->leader[0] != '\0');
}

/* The leader's word on a key, against what was acknowledged. */
static void
judge_doubt(struct check *c, const struct client *cl, const struct shown *s)
{
	struct kv_state *st = c->state;
	struct key *k = &st->keys[s->key];
	struct anomaly a;

	if (k->doubt_ns != 0 && s->revision >= k->doubted)
		k->doubt_ns = 0;
	if (s->revision >= cl->acked)
		return;
	if (k->doubt_ns == 0) {
		k->doubt_ns = cl->asked_ns;
		k->doubted = cl->acked;
		k->doubted_id = cl->acked_id;
		k->told = false;
	}
	/* An answer is as old as its question: a client may stand still. */
	if (k->told || cl->asked_ns < k->doubt_ns + st->confirm_ns ||
	    !was_steady(c, cl->asked_ns - st->confirm_ns))
		return;
	k->told = true;
	a = anomaly_of(c, ANOMALY_LOST_UPDATE, k->doubted_id, k->doubted);
	a.ids[1] = s->id;
	a.seqs[1] = s->revision;
	check_raise(c, &a,
	    "update %s was acknowledged at revision %llu of key %u; since "
	    "%.1f s every read by the leader is older, the last one at "
	    "revision %llu, and there was no fault and no other leader",
	    id_text(k->doubted_id).s, (unsigned long long)k->doubted, s->key,
	    (double)(cl->asked_ns - k->doubt_ns) / 1e9,
	    (unsigned long long)s->revision);
}

static void
read_confirm(struct check *c)
{
	static const struct option_spec rows[] = {
	    {"confirm", OPTION_DURATION, 0, 8, "20s", 0, UINT64_MAX, NULL, NULL,
		NULL, false},
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
	};
	struct kv_state *st = c->state;
	static const char name[] = "kv-cas.confirm=";
	char why[OPTION_WHY_MAX];
	size_t i;

	if (st->has_confirm)
		return;
	st->has_confirm = true;
	option_defaults(rows, &st->confirm_ns);
	for (i = 0; i < c->config->nextras; i++)
		if (strncmp(c->config->extras[i], name, strlen(name)) == 0)
			(void)option_set(rows, &st->confirm_ns, "", "confirm",
			    c->config->extras[i] + strlen(name), why);
}

static int
on_value(struct check *c, const struct event *ev)
{
	const struct msg_kv_value *m = &ev->u.kv_value;
	struct shown s = {m->key, m->path, m->found, m->intact, m->revision,
	    m->id, m->run, m->sum};
	struct kv_state *st = c->state;
	struct client *cl = client_at(st, ev->source);
	struct key *k = key_at(st, m->key);
	const struct link *known;
	int err;

	if (cl == NULL || k == NULL)
		return -ENOMEM;
	if (!cl->is_reading || cl->op != m->op)
		return 0; /* not asked: the gap is told elsewhere */
	cl->is_reading = false;
	cl->since_ns = 0;
	if (s.revision < cl->acked)
		raise_stale(c, cl, &s);
	if (s.path == PATH_LEADER) {
		read_confirm(c);
		judge_doubt(c, cl, &s);
	}
	err = judge_shown(c, &s);
	known = link_find(k, s.revision);
	if (known != NULL && known->id == s.id && s.revision > k->read) {
		k->read = s.revision;
		k->read_id = s.id;
	}
	return err;
}

/* updates */

static int
note_invoked(struct kv_state *st, uint64_t id)
{
	uint64_t *counter = check_slot(&st->invoked, &st->ninvoked,
	    message_id_source(id), sizeof(*st->invoked));

	if (counter == NULL)
		return -ENOMEM;
	if (message_id_counter(id) > *counter)
		*counter = message_id_counter(id);
	return 0;
}

static int
on_update(struct check *c, const struct event *ev)
{
	const struct msg_kv_update *m = &ev->u.kv_update;
	struct kv_state *st = c->state;
	struct update *u = update_find(st, m->id);

	st->attempts++;
	st->stream = m->stream;
	if (u != NULL) {
		u->attempts++;
		return 0;
	}
	if (note_invoked(st, m->id) < 0 || key_at(st, m->key) == NULL)
		return -ENOMEM;
	u = update_add(st, m->id);
	if (u == NULL)
		return -ENOMEM;
	u->key = m->key;
	u->attempts = 1;
	u->expected = m->expected;
	u->sum = m->sum;
	u->floor = st->max_acked;
	u->invoked_ns = ev->time_ns;
	return 0;
}

static void
judge_time(struct check *c, struct update *u, bool is_over)
{
	struct anomaly a = anomaly_of(c, ANOMALY_OP_TIMEOUT, u->id, 0);
	struct check_time t = {
	    u->invoked_ns, c->config->op_timeout_ns, is_over};

	if (u->told || u->is_ended || u->revision != 0 || !check_is_late(c, &t))
		return;
	u->told = true;
	a.class = CLASS_VIOLATION;
	a.rule = "guarantees 15";
	check_raise_late(c, &a, &t,
	    "update %s of key %u was tried %u times without success",
	    id_text(u->id).s, u->key, u->attempts);
}

/* On the one host clock: what was sent after an ack comes after it. */
static void
judge_floor(
    struct check *c, const struct update *u, const struct msg_kv_update_ok *m)
{
	struct anomaly a =
	    anomaly_of(c, ANOMALY_CAS_VIOLATED, u->id, m->revision);

	/* A duplicate's ack names the first copy: nothing was stored now. */
	if (m->duplicate || m->revision > u->floor)
		return;
	a.rule = "guarantees 2";
	a.seqs[1] = u->floor;
	check_raise(c, &a,
	    "update %s of key %u was stored at revision %llu, although "
	    "revision %llu of the bucket had been acknowledged before it was "
	    "first sent",
	    id_text(u->id).s, m->key, (unsigned long long)m->revision,
	    (unsigned long long)u->floor);
}

/*
 * Memory storage that went back behind what it had acknowledged: that is
 * told once, and what follows begins anew.
 */
static bool
is_forgotten(
    struct check *c, const struct update *u, const struct msg_kv_update_ok *m)
{
	struct kv_state *st = c->state;
	struct anomaly a =
	    anomaly_of(c, ANOMALY_LOST_UPDATE, u->id, m->revision);
	uint32_t i;

	if (m->duplicate || m->revision > u->floor ||
	    a.class != CLASS_DOCUMENTED)
		return false;
	check_raise(c, &a,
	    "the bucket, in memory, went back from revision %llu to %llu",
	    (unsigned long long)u->floor, (unsigned long long)m->revision);
	for (i = 0; i < st->nkeys; i++) {
		free(st->keys[i].links);
		memset(&st->keys[i], 0, sizeof(st->keys[i]));
	}
	st->max_acked = 0;
	return true;
}

static int
on_ok(struct check *c, const struct event *ev)
{
	const struct msg_kv_update_ok *m = &ev->u.kv_update_ok;
	struct kv_state *st = c->state;
	struct update *u = update_find(st, m->id);
	struct client *cl = client_at(st, ev->source);
	struct anomaly a;
	struct link l;
	struct key *k;
	int err;

	if (cl == NULL)
		return -ENOMEM;
	cl->starved_ns = 0;
	if (u == NULL)
		return 0; /* never invoked: the gap is told elsewhere */
	judge_time(c, u, true);
	if (!is_forgotten(c, u, m))
		judge_floor(c, u, m);
	if (u->revision != 0 && u->revision != m->revision) {
		a = anomaly_of(c, ANOMALY_CAS_VIOLATED, m->id, m->revision);
		a.seqs[1] = u->revision;
		check_raise(c, &a,
		    "update %s of key %u was acknowledged at revision %llu "
		    "but read at %llu",
		    id_text(m->id).s, m->key, (unsigned long long)m->revision,
		    (unsigned long long)u->revision);
	}
	l = (struct link){m->revision, u->expected, m->id, u->sum};
	err = link_enter(c, u->key, &l);
	k = key_at(st, u->key);
	if (err == 0 && m->revision > k->acked) {
		k->acked = m->revision;
		k->acked_id = m->id;
	}
	k->was_refused = false;
	if (m->revision > st->max_acked)
		st->max_acked = m->revision;
	update_remove(st, u);
	return err;
}

static void
judge_starved(struct check *c, struct client *cl, uint32_t source)
{
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT, .class = CLASS_WARNING};
	const struct kv_state *st = c->state;
	uint64_t waited;

	if (cl->starved_ns == 0 || cl->told_starved)
		return;
	waited = c->now_ns - cl->starved_ns;
	if (waited < STARVED_NS ||
	    !faults_quiet_for(c->faults, c->now_ns, waited))
		return;
	cl->told_starved = true;
	a.stream = st->stream;
	check_raise(c, &a,
	    "each update of client %u was refused for %.0f s without a fault",
	    source, (double)waited / 1e9);
}

static int
on_rejected(struct check *c, const struct event *ev)
{
	const struct msg_kv_update_rejected *m = &ev->u.kv_update_rejected;
	struct kv_state *st = c->state;
	const struct update *u = update_find(st, m->id);
	struct client *cl = client_at(st, ev->source);
	struct key *k = key_at(st, m->key);

	if (cl == NULL || k == NULL)
		return -ENOMEM;
	if (m->code != ERR_WRONG_LAST_SEQ &&
	    m->code != ERR_WRONG_LAST_SEQ_CONST)
		return 0; /* nobody was there to judge it */
	if (cl->starved_ns == 0) {
		cl->starved_ns = ev->time_ns;
		cl->told_starved = false;
	}
	if (u != NULL && !u->is_unknown && u->expected == k->acked)
		k->was_refused = true;
	return 0;
}

static void
on_outcome(struct check *c, const struct event *ev)
{
	struct kv_state *st = c->state;
	struct update *u;

	if (ev->type == MESSAGE_KV_UPDATE_UNKNOWN) {
		u = update_find(st, ev->u.kv_update_unknown.id);
		if (u != NULL)
			u->is_unknown = true;
		return;
	}
	u = update_find(st, ev->u.kv_update_end.id);
	if (u == NULL)
		return;
	judge_time(c, u, true);
	u->is_ended = true;
	if (ev->u.kv_update_end.outcome == 2)
		u->is_unknown = true;
	update_settle(st, u);
}

/* time passes, processes end */

static void
judge_reading(struct check *c, struct client *cl, uint32_t source)
{
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT};
	const struct kv_state *st = c->state;
	struct check_time t = {cl->since_ns, c->config->op_timeout_ns, false};

	if (cl->since_ns == 0 || cl->told || !check_is_late(c, &t))
		return;
	cl->told = true;
	a.stream = st->stream;
	a.rule = "guarantees 15";
	check_raise_late(
	    c, &a, &t, "client %u got no answer to any read", source);
}

static void
on_tick(struct check *c)
{
	struct kv_state *st = c->state;
	uint32_t source;
	size_t i;

	for (i = 0; i < st->room; i++)
		if (st->updates[i].id != 0)
			judge_time(c, &st->updates[i], false);
	for (source = 0; source < st->nclients; source++) {
		judge_reading(c, &st->clients[source], source);
		judge_starved(c, &st->clients[source], source);
	}
}

/* What a process had open when it ended stays unknown for ever. */
static void
on_child_exit(struct kv_state *st, uint32_t source)
{
	struct update *u;
	size_t i;

	if (source < st->nclients)
		memset(&st->clients[source], 0, sizeof(st->clients[source]));
	for (i = 0; i < st->room; i++) {
		u = &st->updates[i];
		if (u->id == 0 || message_id_source(u->id) != source ||
		    u->is_ended)
			continue;
		u->is_unknown = u->is_ended = true;
	}
}

static void
on_leader(struct check *c, const struct msg_leader *m)
{
	struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);

	if (m->what != 2 || s == NULL || strcmp(m->name, s->name) != 0)
		return;
	if (st->leader_ns != 0 && strcmp(m->leader, st->leader) == 0)
		return;
	text_format(st->leader, sizeof(st->leader), "%s", m->leader);
	st->leader_ns = c->now_ns;
}

/* the audit */

static void
on_scan_begin(struct check *c, const struct msg_scan_begin *m)
{
	struct kv_state *st = c->state;
	const struct ledger_stream *s = ledger_stream(c->ledger, st->stream);
	struct anomaly a = anomaly_of(c, ANOMALY_LOST_UPDATE, 0, 0);
	uint32_t i;

	for (i = 0; i < st->nkeys; i++)
		memset(st->keys[i].finals, 0, sizeof(st->keys[i].finals));
	/* Another creation time alone proves nothing: see lost.c. */
	if (s == NULL || s->created == 0 || m->created == 0 ||
	    s->created == m->created || m->last >= st->max_acked)
		return;
	check_raise(c, &a,
	    "the bucket %s was created anew by the server and ends at revision "
	    "%llu: revisions up to %llu had been acknowledged in the one made "
	    "by this run",
	    s->name, (unsigned long long)m->last,
	    (unsigned long long)st->max_acked);
}

static int
on_final(struct check *c, const struct msg_kv_final *m)
{
	struct shown s = {m->key, m->path, m->found, m->intact, m->revision,
	    m->id, m->run, m->sum};
	struct key *k = key_at(c->state, m->key);
	struct final *f;

	if (k == NULL)
		return -ENOMEM;
	if (m->path >= PATH_COUNT)
		return 0;
	f = &k->finals[m->path];
	if (!f->seen || m->revision < f->oldest)
		f->oldest = m->revision;
	if (!f->seen || m->revision > f->newest)
		f->newest = m->revision;
	f->seen = true;
	return judge_shown(c, &s);
}

/* Unsound as long as the cluster says that it isn't whole again. */
static enum anomaly_class
final_class(const struct check *c)
{
	const struct kv_state *st = c->state;

	return st->unsettled ? CLASS_WARNING : loss_class(c);
}

static void
raise_lost(struct check *c, uint32_t key, uint64_t leader, uint64_t consumer)
{
	const struct kv_state *st = c->state;
	const struct key *k = &st->keys[key];
	bool was_acked = k->acked > leader && k->acked > consumer;
	struct anomaly a = anomaly_of(c, ANOMALY_LOST_UPDATE,
	    was_acked ? k->acked_id : k->read_id,
	    was_acked ? k->acked : k->read);

	/* Nobody promised what was not acknowledged. */
	a.class = was_acked ? final_class(c) : CLASS_WARNING;
	a.seqs[1] = leader;
	check_raise(c, &a,
	    "update %s was %s at revision %llu of key %u and is gone after "
	    "all faults were healed: the leader shows revision %llu and a "
	    "consumer revision %llu",
	    id_text(a.ids[0]).s, was_acked ? "acknowledged" : "read",
	    (unsigned long long)a.seqs[0], key, (unsigned long long)leader,
	    (unsigned long long)consumer);
}

static void
raise_divergence(struct check *c, uint32_t key)
{
	const struct kv_state *st = c->state;
	const struct key *k = &st->keys[key];
	const struct final *f = k->finals;
	struct anomaly a = anomaly_of(
	    c, ANOMALY_DIVERGENCE, k->acked_id, f[PATH_LEADER].newest);
	char direct[64] = "";

	a.class = final_class(c);
	a.rule = "guarantees 13";
	a.seqs[1] = f[PATH_CONSUMER].newest;
	if (f[PATH_DIRECT].seen)
		text_format(direct, sizeof(direct),
		    ", direct gets %llu to %llu",
		    (unsigned long long)f[PATH_DIRECT].oldest,
		    (unsigned long long)f[PATH_DIRECT].newest);
	check_raise(c, &a,
	    "a minute after all faults were healed the paths to key %u do not "
	    "agree: the leader shows revision %llu, a consumer %llu%s; "
	    "%llu was acknowledged",
	    key, (unsigned long long)f[PATH_LEADER].newest,
	    (unsigned long long)f[PATH_CONSUMER].newest, direct,
	    (unsigned long long)k->acked);
}

static void
judge_final(struct check *c, uint32_t key)
{
	const struct kv_state *st = c->state;
	const struct key *k = &st->keys[key];
	const struct final *f = k->finals;
	uint64_t leader = f[PATH_LEADER].newest, committed = k->acked;
	uint64_t consumer = f[PATH_CONSUMER].newest;
	bool direct_agrees =
	    !f[PATH_DIRECT].seen || (f[PATH_DIRECT].oldest == leader &&
					f[PATH_DIRECT].newest == leader);

	if (!f[PATH_LEADER].seen) {
		if (committed != 0)
			check_doubt(c, "the audit did not read key %u", key);
		return;
	}
	if (k->read > committed)
		committed = k->read;
	/* A consumer shows nothing where there is nothing. */
	if (committed > leader && committed > consumer)
		raise_lost(c, key, leader, consumer);
	else if (leader != consumer || !direct_agrees)
		raise_divergence(c, key);
}

static void
on_scan_end(struct check *c, const struct msg_scan_end *m)
{
	const struct kv_state *st = c->state;
	uint32_t key;

	if (!m->complete || m->stream != st->stream || st->attempts == 0)
		return; /* the judge already says so */
	for (key = 0; key < st->nkeys; key++)
		judge_final(c, key);
}

static int
on_rare(struct check *c, const struct event *ev)
{
	struct kv_state *st = c->state;

	switch ((unsigned)ev->type) {
	case MESSAGE_KV_FINAL:
		return on_final(c, &ev->u.kv_final);
	case MESSAGE_SCAN_BEGIN:
		on_scan_begin(c, &ev->u.scan_begin);
		break;
	case MESSAGE_SCAN_END:
		on_scan_end(c, &ev->u.scan_end);
		break;
	case MESSAGE_CHILD_EXIT:
		on_child_exit(st, ev->u.child_exit.child);
		break;
	case MESSAGE_LEADER:
		on_leader(c, &ev->u.leader);
		break;
	case MESSAGE_SETTLED:
		st->unsettled = !ev->u.settled.ok;
		break;
	case MESSAGE_TICK:
		on_tick(c);
		break;
	default:
		break;
	}
	return 0;
}

static int
kv_event(struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_KV_READ:
		return on_read(c, ev);
	case MESSAGE_KV_VALUE:
		return on_value(c, ev);
	case MESSAGE_KV_UPDATE:
		return on_update(c, ev);
	case MESSAGE_KV_UPDATE_OK:
		return on_ok(c, ev);
	case MESSAGE_KV_UPDATE_REJECTED:
		return on_rejected(c, ev);
	case MESSAGE_KV_UPDATE_UNKNOWN:
	case MESSAGE_KV_UPDATE_END:
		on_outcome(c, ev);
		return 0;
	default:
		return on_rare(c, ev);
	}
}

/* An update that is open or unknown may turn up at any later time. */
static bool
kv_needs(const struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_KV_UPDATE:
		return update_find(c->state, ev->u.kv_update.id) != NULL;
	case MESSAGE_KV_UPDATE_UNKNOWN:
		return update_find(c->state, ev->u.kv_update_unknown.id) !=
		       NULL;
	case MESSAGE_KV_UPDATE_END:
		return update_find(c->state, ev->u.kv_update_end.id) != NULL;
	default:
		return false;
	}
}

static void
kv_fini(struct check *c)
{
	struct kv_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->nkeys; i++)
		free(st->keys[i].links);
	free(st->keys);
	free(st->clients);
	free(st->invoked);
	free(st->updates);
}

static const enum message_type types[] = {MESSAGE_KV_READ, MESSAGE_KV_VALUE,
    MESSAGE_KV_UPDATE, MESSAGE_KV_UPDATE_OK, MESSAGE_KV_UPDATE_REJECTED,
    MESSAGE_KV_UPDATE_UNKNOWN, MESSAGE_KV_UPDATE_END, MESSAGE_KV_FINAL,
    MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_END, MESSAGE_CHILD_EXIT, MESSAGE_LEADER,
    MESSAGE_SETTLED, MESSAGE_TICK, 0};

const struct check_ops check_kv = {
    .name = "kv",
    .summary = "the revisions of a key are one chain of compare-and-set",
    .rule = "guarantees 10",
    .types = types,
    .state_size = sizeof(struct kv_state),
    .event = kv_event,
    .needs = kv_needs,
    .fini = kv_fini,
};
