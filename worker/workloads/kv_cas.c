/* SPDX-License-Identifier: ISC */
/*
 * kv-cas: compare and set on the keys of a replicated bucket:
 *
 *	for i in 1..N { read(k); verify k; update(k) with the revision last
 *	known to be committed }
 *
 * The bucket is a stream made as ADR-8 says, and the calls are those that a
 * KV client sends, without the client library's KV layer: that one hides
 * the error codes by which "refused" and "unknown" are told apart. One
 * client has a perfect view of what it saw; several contend for the same
 * keys. Nothing is judged here: the check "kv" does that for all clients.
 *
 * All attempts of an update carry one message id, so a retry of one that
 * was stored comes back as its duplicate and never as a second update.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "worker/scan.h"

#define KEYS_MAX    256
#define SETUP_NS    (60 * CLOCK_S)
#define SETUP_MS    2000 /* short: see setup.c */
#define ATTEMPT_MS  1000 /* one request; retrying it is harmless */
#define DEDUPE_NS   (600 * CLOCK_S)
#define FORGET_NS   CLOCK_S
#define LEADER_TURN 4 /* each so many re-reads go to the leader */

/* JetStream's error codes for an expectation that did not hold. */
#define ERR_WRONG_LAST_SEQ	 10071
#define ERR_WRONG_LAST_SEQ_CONST 10164

enum path {
	PATH_LEADER = 1,
	PATH_DIRECT,
	PATH_CONSUMER
};

enum read_mode {
	READ_LEADER,
	READ_DIRECT,
	READ_MIXED
};

struct kv_options {
	uint64_t keys, size, history, confirm_ns;
	char read[8];
};

struct key {
	uint64_t revision, id; /* last known to be committed; 0 none */
};

/* What a read returned. */
struct reading {
	bool found, intact;
	uint64_t revision;
	struct payload payload;
};

struct update {
	uint64_t id, expected, sum, revision;
	uint32_t key, size, attempt;
	bool is_unknown; /* an attempt's outcome is */
	bool given_up;	 /* the parent's GIVE_UP, or too late */
	char subject[96], message_id[48];
	uint8_t *data;
};

struct kv_state {
	char bucket[64], stream[72];
	enum read_mode mode;
	struct rng rng;
	struct key keys[KEYS_MAX];
	uint64_t counter, reads;
	struct update now;
	uint32_t key;	   /* being worked on */
	uint64_t doubt_ns; /* its reads are too old since; 0 they are not */
	unsigned rereads;
	struct backoff pause;
	uint8_t *data;
};

static const char *const read_modes[] = {"leader", "direct", "mixed", NULL};

static const struct option_spec options[] = {
    {"keys", OPTION_U64, offsetof(struct kv_options, keys), 8, "8", 1, KEYS_MAX,
	NULL, "N", "keys of the bucket", false},
    {"size", OPTION_U64, offsetof(struct kv_options, size), 8, "512",
	PAYLOAD_MIN, PAYLOAD_MAX, NULL, "BYTES",
	"longest value; each has a random size up to it", false},
    {"history", OPTION_U64, offsetof(struct kv_options, history), 8, "1", 1, 64,
	NULL, "N", "revisions that the bucket keeps of a key", false},
    {"read", OPTION_CHOICE, offsetof(struct kv_options, read),
	sizeof(((struct kv_options *)0)->read), "leader", 0, 0, read_modes,
	"PATH", "who answers reads", false},
    {"confirm", OPTION_DURATION, offsetof(struct kv_options, confirm_ns), 8,
	"20s", CLOCK_S, 3600 * CLOCK_S, NULL, "TIME",
	"how long a read may stay older than the last commit", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void
kv_names(struct worker *w)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	unsigned i;

	worker_stream_name(w, "kv", kv->bucket, sizeof(kv->bucket));
	kv->stream[0] = '\0';
	text_add(kv->stream, sizeof(kv->stream), "KV_%s", kv->bucket);
	for (i = 0; read_modes[i] != NULL; i++)
		if (strcmp(o->read, read_modes[i]) == 0)
			kv->mode = (enum read_mode)i;
}

static void
key_subject(const struct kv_state *kv, uint32_t key, char *out, size_t size)
{
	text_format(out, size, "$KV.%s.k%u", kv->bucket, key);
}

/* setup: the bucket */

static void
emit_stream(struct worker *w, const char *name, const jsStreamInfo *si)
{
	struct event ev = {.type = MESSAGE_STREAM};
	struct msg_stream *m = &ev.u.stream;

	m->created = (uint64_t)si->Created;
	m->dedupe_ns = (uint64_t)si->Config->Duplicates;
	m->replicas = (uint32_t)si->Config->Replicas;
	text_set(m->name, sizeof(m->name), name);
	text_set(m->storage, sizeof(m->storage), w->config.storage);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* As ADR-8 says, except that allow_direct is what the test is about. */
static void
bucket_config(const struct worker *w, jsStreamConfig *sc)
{
	const struct kv_options *o = w->options;
	const struct kv_state *kv = w->state;

	(void)jsStreamConfig_Init(sc); /* can't fail: not NULL */
	sc->Name = kv->stream;
	sc->Replicas = (int64_t)w->config.replicas;
	sc->Storage = strcmp(w->config.storage, "memory") == 0
			  ? js_MemoryStorage
			  : js_FileStorage;
	sc->MaxMsgsPerSubject = (int64_t)o->history;
	sc->Discard = js_DiscardNew;
	sc->AllowRollup = true;
	sc->DenyDelete = true;
	sc->AllowDirect = kv->mode != READ_LEADER;
	sc->Duplicates = (int64_t)DEDUPE_NS;
}

static int
kv_setup(struct worker *w)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	struct kv_state *kv = w->state;
	char subject[96];
	const char *subjects[1] = {subject};
	struct backoff b = {0};
	jsStreamInfo *si = NULL;
	jsStreamConfig sc;
	jsErrCode code;
	jsOptions jo;
	natsStatus st;

	kv_names(w);
	text_format(subject, sizeof(subject), "$KV.%s.>", kv->bucket);
	bucket_config(w, &sc);
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	do {
		code = 0;
		st = js_AddStream(&si, w->session.js, &sc, &jo, &code);
		if (st == NATS_OK) {
			emit_stream(w, kv->stream, si);
			jsStreamInfo_Destroy(si);
			return 0;
		}
		session_backoff(&b, &w->child);
	} while (clock_mono_ns() < deadline);
	(void)session_outcome(&w->session, st, code);
	log_error("cannot create bucket \"%s\" with %llu replicas: %s",
	    kv->bucket, (unsigned long long)w->config.replicas, w->session.why);
	return -ETIMEDOUT;
}

static int
kv_begin(struct worker *w)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	char stream[32];

	kv_names(w);
	text_format(
	    stream, sizeof(stream), "kv %u.%u", w->source, w->incarnation);
	rng_init(&kv->rng, w->config.seed, stream);
	kv->data = malloc(o->size);
	return kv->data != NULL ? 0 : -ENOMEM;
}

/* reading */

static void
take_value(struct reading *r, natsMsg *msg)
{
	memset(r, 0, sizeof(*r));
	if (msg == NULL)
		return;
	r->found = true;
	r->revision = natsMsg_GetSequence(msg);
	r->intact = payload_read(&r->payload, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg));
}

/*
 * One request for the last value of a key: 1 it has one, 0 it has none,
 * -EIO no answer. An absence only counts when the server says so in words:
 * "no stream" or "no responders" are no answers about the key.
 */
static int
get_value(struct session *s, const struct kv_state *kv, uint32_t key,
    enum path path, struct reading *r)
{
	jsDirectGetMsgOptions direct;
	natsMsg *msg = NULL;
	char subject[96];
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;
	bool none;

	key_subject(kv, key, subject, sizeof(subject));
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = ATTEMPT_MS;
	if (path == PATH_DIRECT) {
		(void)jsDirectGetMsgOptions_Init(&direct); /* nor this */
		direct.LastBySubject = subject;
		st = js_DirectGetMsg(&msg, s->js, kv->stream, &jo, &direct);
		none = st == NATS_NOT_FOUND;
	} else {
		st =
		    js_GetLastMsg(&msg, s->js, kv->stream, subject, &jo, &code);
		none = st != NATS_OK && code == JSNoMessageFoundErr;
	}
	take_value(r, msg);
	natsMsg_Destroy(msg);
	if (st == NATS_OK)
		return 1;
	(void)session_outcome(s, st, code);
	return none ? 0 : -EIO;
}

/*
 * A read with its events. 0 or -EIO when there was no answer. A read changes
 * nothing, so its events may go up with what follows it: an update flushes
 * before it is sent, a pause at its begin.
 */
static int
read_key(struct worker *w, uint32_t key, enum path path, struct reading *r)
{
	struct kv_state *kv = w->state;
	struct event ev = {.type = MESSAGE_KV_READ};
	struct msg_kv_value *m = &ev.u.kv_value;
	uint64_t op = ++kv->reads;
	int got;

	ev.u.kv_read.op = op;
	ev.u.kv_read.key = key;
	ev.u.kv_read.path = (uint8_t)path;
	child_emit(&w->child, &ev);
	got = get_value(&w->session, kv, key, path, r);
	memset(&ev, 0, sizeof(ev));
	if (got < 0) {
		ev.type = MESSAGE_KV_READ_FAILED;
		ev.u.kv_read_failed.op = op;
		ev.u.kv_read_failed.key = key;
		text_set(ev.u.kv_read_failed.why,
		    sizeof(ev.u.kv_read_failed.why), w->session.why);
	} else {
		ev.type = MESSAGE_KV_VALUE;
		m->op = op;
		m->key = key;
		m->path = (uint8_t)path;
		m->found = r->found;
		m->revision = r->revision;
		m->id = r->payload.id;
		m->run = r->payload.run;
		m->sum = r->payload.sum;
		m->intact = r->intact;
	}
	child_emit(&w->child, &ev);
	return got < 0 ? got : 0;
}

static void
key_know(struct key *k, uint64_t revision, uint64_t id)
{
	k->revision = revision;
	k->id = id;
}

/* updating */

static void
emit_invoke(struct worker *w, const struct update *u)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE};

	ev.u.kv_update.id = u->id;
	ev.u.kv_update.key = u->key;
	ev.u.kv_update.expected = u->expected;
	ev.u.kv_update.attempt = u->attempt;
	ev.u.kv_update.sum = u->sum;
	ev.u.kv_update.size = u->size;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_ok(struct worker *w, const struct update *u, bool duplicate)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_OK};

	ev.u.kv_update_ok.id = u->id;
	ev.u.kv_update_ok.key = u->key;
	ev.u.kv_update_ok.expected = u->expected;
	ev.u.kv_update_ok.attempt = u->attempt;
	ev.u.kv_update_ok.revision = u->revision;
	ev.u.kv_update_ok.duplicate = duplicate;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* REJECTED and UNKNOWN of one attempt have the same fields. */
static void
emit_failure(struct worker *w, const struct update *u, enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_UNKNOWN};
	struct msg_kv_update_unknown *m = &ev.u.kv_update_unknown;

	if (outcome == OUTCOME_FAIL)
		ev.type = MESSAGE_KV_UPDATE_REJECTED;
	m->id = u->id;
	m->key = u->key;
	m->expected = u->expected;
	m->attempt = u->attempt;
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static void
emit_end(struct worker *w, const struct update *u, enum outcome outcome)
{
	struct event ev = {.type = MESSAGE_KV_UPDATE_END};

	ev.u.kv_update_end.id = u->id;
	ev.u.kv_update_end.key = u->key;
	ev.u.kv_update_end.outcome = (uint8_t)outcome;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

static enum outcome
publish_update(struct worker *w, struct update *u, bool *duplicate)
{
	jsPubAck *ack = NULL;
	jsErrCode code = 0;
	jsPubOptions o;
	natsStatus st;

	(void)jsPubOptions_Init(&o); /* can't fail: not NULL */
	o.MaxWait = ATTEMPT_MS;
	o.MsgId = u->message_id;
	o.ExpectLastSubjectSeq = u->expected;
	o.ExpectNoMessage = u->expected == 0;
	st = js_Publish(
	    &ack, w->session.js, u->subject, u->data, (int)u->size, &o, &code);
	if (st == NATS_OK) {
		u->revision = ack->Sequence;
		*duplicate = ack->Duplicate;
	}
	jsPubAck_Destroy(ack);
	if (st != NATS_OK || u->revision != 0)
		return session_outcome(&w->session, st, code);
	/*
	 * Older servers answer a retry whose first copy is not stored yet
	 * with "duplicate" and no sequence: that copy may yet be dropped.
	 */
	(void)session_outcome(&w->session, NATS_ERR, 0);
	return OUTCOME_UNKNOWN;
}

static bool
was_refused(const struct session *s)
{
	return s->code == ERR_WRONG_LAST_SEQ ||
	       s->code == ERR_WRONG_LAST_SEQ_CONST;
}

/*
 * Refused after an attempt whose outcome is unknown: most likely by that
 * attempt itself. True when the update is over, with its outcome.
 */
static bool
resolve_update(struct worker *w, struct update *u, enum outcome *outcome)
{
	struct kv_state *kv = w->state;
	struct reading r;

	*outcome = OUTCOME_UNKNOWN;
	if (read_key(w, u->key, PATH_LEADER, &r) < 0)
		return false;
	if (r.intact && r.payload.id == u->id) {
		key_know(&kv->keys[u->key], r.revision, u->id);
		*outcome = OUTCOME_OK;
		return true;
	}
	/* Nothing came after what it expects: it can still be accepted. */
	return r.revision > u->expected;
}

/* The end of an attempt that did not succeed; true when it was the last. */
static bool
is_over(struct worker *w, struct update *u, enum outcome *outcome)
{
	if (*outcome == OUTCOME_UNKNOWN) {
		u->is_unknown = true;
		return false;
	}
	if (was_refused(&w->session)) {
		if (u->is_unknown)
			return resolve_update(w, u, outcome);
		return true;
	}
	return false; /* nobody was there to take it */
}

static bool
must_give_up(struct worker *w, const struct update *u, uint64_t since)
{
	bool stopping = worker_commands(w, 0); /* GIVE_UP may have come */
	uint64_t now = clock_mono_ns();

	/* A retry must lie within the dedupe window of the first attempt. */
	return u->given_up || now >= since + DEDUPE_NS / 2 ||
	       (stopping && now >= since + w->config.op_timeout_ns);
}

static void
make_update(struct worker *w, struct update *u, uint32_t key)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	struct payload p = {.run = w->config.run};

	if (kv->counter == 0)
		kv->counter = w->counter;
	memset(u, 0, sizeof(*u));
	u->id = message_id(w->source, kv->counter++);
	u->key = key;
	u->expected = kv->keys[key].revision;
	u->size = (uint32_t)(PAYLOAD_MIN +
			     rng_below(&kv->rng, o->size - PAYLOAD_MIN + 1));
	u->data = kv->data;
	p.id = u->id;
	p.incarnation = w->incarnation;
	p.size = u->size;
	payload_write(&p, u->data);
	u->sum = p.sum;
	key_subject(kv, key, u->subject, sizeof(u->subject));
	text_format(u->message_id, sizeof(u->message_id), "%llx-%llx",
	    (unsigned long long)w->config.run, (unsigned long long)u->id);
}

static void
update_key(struct worker *w, uint32_t key)
{
	struct kv_state *kv = w->state;
	struct update *u = &kv->now;
	uint64_t since = clock_mono_ns();
	struct backoff b = {0};
	bool duplicate = false;
	enum outcome outcome;

	make_update(w, u, key);
	for (;;) {
		u->attempt++;
		emit_invoke(w, u);
		outcome = publish_update(w, u, &duplicate);
		if (outcome == OUTCOME_OK) {
			emit_ok(w, u, duplicate);
			key_know(&kv->keys[key], u->revision, u->id);
			break;
		}
		emit_failure(w, u, outcome);
		if (is_over(w, u, &outcome)) {
			emit_end(w, u, outcome);
			break;
		}
		if (must_give_up(w, u, since)) {
			emit_end(w, u,
			    u->is_unknown ? OUTCOME_UNKNOWN : OUTCOME_FAIL);
			break;
		}
		session_backoff(&b, &w->child);
	}
	u->id = 0;
}

/* the load */

static enum path
choose_path(struct kv_state *kv)
{
	if (kv->mode == READ_LEADER)
		return PATH_LEADER;
	/* Doubt is not settled by asking the same replica for ever. */
	if (kv->doubt_ns != 0 && ++kv->rereads % LEADER_TURN == 0)
		return PATH_LEADER;
	if (kv->mode == READ_MIXED && rng_below(&kv->rng, 2) == 0)
		return PATH_LEADER;
	return PATH_DIRECT;
}

/*
 * Older than what is known to be committed: read again until it agrees. If
 * that takes longer than it should, go on from what is there, so that the
 * run does: updating what was really overwritten would be refused.
 */
static bool
is_too_old(struct worker *w, const struct reading *r)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	struct key *k = &kv->keys[kv->key];
	uint64_t now = clock_mono_ns(), patience = o->confirm_ns;

	if (r->revision >= k->revision) {
		kv->doubt_ns = 0;
		return false;
	}
	if (kv->doubt_ns == 0) {
		kv->doubt_ns = now;
		kv->rereads = 0;
		memset(&kv->pause, 0, sizeof(kv->pause));
	}
	/* Memory may lawfully forget all of it: don't stand still for that. */
	if (strcmp(w->config.storage, "memory") == 0 && patience > FORGET_NS)
		patience = FORGET_NS;
	if (now >= kv->doubt_ns + patience) {
		kv->doubt_ns = 0;
		return false;
	}
	session_backoff(&kv->pause, &w->child);
	return true;
}

static int
kv_step(struct worker *w)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	struct reading r;

	if (kv->doubt_ns == 0)
		kv->key = (uint32_t)rng_below(&kv->rng, o->keys);
	if (read_key(w, kv->key, choose_path(kv), &r) < 0) {
		session_backoff(&kv->pause, &w->child);
		return 0;
	}
	if (is_too_old(w, &r))
		return 0;
	memset(&kv->pause, 0, sizeof(kv->pause));
	key_know(&kv->keys[kv->key], r.revision, r.payload.id);
	update_key(w, kv->key);
	return 0;
}

static void
kv_command(struct worker *w, const struct event *cmd)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;
	uint64_t id = cmd->u.give_up.id, i;

	if (cmd->type != MESSAGE_GIVE_UP || id == 0)
		return;
	if (id == kv->now.id)
		kv->now.given_up = true;
	/* What the parent calls lost is not waited for any more. */
	for (i = 0; i < o->keys; i++)
		if (kv->keys[i].id == id) {
			key_know(&kv->keys[i], 0, 0);
			if (kv->key == i)
				kv->doubt_ns = 0;
		}
}

static void
kv_end(struct worker *w)
{
	struct kv_state *kv = w->state;

	free(kv->data);
}

/*
 * audit: after all faults were healed each key is asked of the leader, of a
 * fresh consumer and, where the bucket allows it, of each server by direct
 * get. Rounds of it, until two of them in a row say the same on all paths.
 */

#define AUDIT_NS       (75 * CLOCK_S)
#define AUDIT_APART_NS CLOCK_S
#define FIRST_MS       3000 /* a consumer's first message */
#define NEXT_MS	       1000
#define INACTIVE_NS    (60 * CLOCK_S)

struct final {
	uint32_t key;
	enum path path;
	struct reading reading;
};

struct audit {
	struct scan scan;
	struct session servers[CONFIG_NODES_MAX];
	unsigned nservers, round;
	struct final *finals; /* of this round */
	size_t nfinals, room;
	uint64_t latest[KEYS_MAX], before[KEYS_MAX]; /* by the leader */
};

static int
final_add(
    struct audit *a, uint32_t key, enum path path, const struct reading *r)
{
	struct final *grown;
	size_t room;

	if (a->nfinals == a->room) {
		room = a->room ? a->room * 2 : 256;
		grown = realloc(a->finals, room * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		a->finals = grown;
		a->room = room;
	}
	a->finals[a->nfinals++] = (struct final){key, path, *r};
	return 0;
}

static int
audit_fail(struct audit *a, const struct session *s, const char *what)
{
	text_format(
	    a->scan.why, sizeof(a->scan.why), "%s: %.80s", what, s->why);
	return -EIO;
}

/* Every key by one request each, to the leader or by direct get. */
static int
audit_ask(struct audit *a, struct session *s, enum path path)
{
	const struct kv_options *o = a->scan.w->options;
	struct reading r;
	uint32_t key;
	int err = 0;

	for (key = 0; err == 0 && key < o->keys; key++) {
		if (get_value(s, a->scan.w->state, key, path, &r) < 0)
			return audit_fail(a, s, "no answer");
		if (path == PATH_LEADER)
			a->latest[key] = r.revision;
		err = final_add(a, key, path, &r);
		child_beat(&a->scan.w->child);
	}
	return err;
}

/* "$KV.<bucket>.k<key>" -> key, or -EINVAL. */
static int
key_of(const struct audit *a, const char *subject)
{
	const struct kv_options *o = a->scan.w->options;
	const char *k = strrchr(subject, 'k');
	uint64_t key;

	if (k == NULL || text_to_u64(k + 1, o->keys - 1, &key) < 0)
		return -EINVAL;
	return (int)key;
}

/* All that the consumer delivers: every value that the bucket still has. */
static int
audit_receive(struct audit *a, natsSubscription *sub, uint64_t pending)
{
	int wait_ms = pending > 0 ? FIRST_MS : NEXT_MS, key, err = 0;
	struct delivery d = {.pending = 1};
	natsMsg *msg = NULL;
	struct reading r;

	while (err == 0 && d.pending > 0 &&
	       natsSubscription_NextMsg(&msg, sub, wait_ms) == NATS_OK) {
		key = key_of(a, natsMsg_GetSubject(msg));
		if (key >= 0 &&
		    session_delivery(natsMsg_GetReply(msg), &d) == 0) {
			take_value(&r, msg);
			r.revision = d.seq;
			err = final_add(a, (uint32_t)key, PATH_CONSUMER, &r);
		}
		natsMsg_Destroy(msg);
		msg = NULL;
		wait_ms = NEXT_MS;
		child_beat(&a->scan.w->child);
	}
	return err;
}

static int
audit_consume(struct audit *a)
{
	const struct kv_options *o = a->scan.w->options;
	const struct kv_state *kv = a->scan.w->state;
	struct session *s = &a->scan.w->session;
	natsSubscription *sub = NULL;
	natsInbox *inbox = NULL;
	jsConsumerInfo *ci = NULL;
	jsConsumerConfig cc;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;
	char name[64], filter[96];
	int err;

	text_format(filter, sizeof(filter), "$KV.%s.>", kv->bucket);
	text_format(name, sizeof(name), "natsburn_audit_%u_%u_%u",
	    a->scan.w->source, a->scan.w->incarnation, a->round);
	st = natsInbox_Create(&inbox);
	if (st == NATS_OK)
		st = natsConnection_SubscribeSync(&sub, s->nc, inbox);
	(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
	cc.Durable = name;
	cc.DeliverSubject = inbox;
	cc.DeliverPolicy =
	    o->history > 1 ? js_DeliverAll : js_DeliverLastPerSubject;
	/* "Last per subject" is refused without a filter. */
	cc.FilterSubject = filter;
	cc.AckPolicy = js_AckNone;
	cc.Replicas = (int64_t)a->scan.w->config.replicas;
	cc.InactiveThreshold = (int64_t)INACTIVE_NS;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = SETUP_MS;
	if (st == NATS_OK)
		st = js_AddConsumer(&ci, s->js, kv->stream, &cc, &jo, &code);
	(void)session_outcome(s, st, code);
	if (st != NATS_OK)
		err = audit_fail(a, s, "no audit consumer");
	else {
		err = audit_receive(a, sub, ci->NumPending);
		/* It ends by itself should this be lost. */
		(void)js_DeleteConsumer(s->js, kv->stream, name, &jo, NULL);
	}
	jsConsumerInfo_Destroy(ci);
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
	return err;
}

/* True when every path says what the leader says, and it did before. */
static bool
audit_agrees(struct audit *a)
{
	const struct kv_options *o = a->scan.w->options;
	uint64_t shown[KEYS_MAX] = {0};
	bool same = a->round > 1;
	const struct final *f;
	uint64_t key;
	size_t i;

	for (i = 0; i < a->nfinals; i++) {
		f = &a->finals[i];
		if (f->path == PATH_DIRECT)
			same &= f->reading.revision == a->latest[f->key];
		else if (f->path == PATH_CONSUMER &&
			 f->reading.revision > shown[f->key])
			shown[f->key] = f->reading.revision;
	}
	for (key = 0; key < o->keys; key++) {
		same &= shown[key] == a->latest[key];
		same &= a->before[key] == a->latest[key];
		a->before[key] = a->latest[key];
	}
	/* What is known to be acknowledged has been applied here by now. */
	return same && a->scan.last >= a->scan.target->last_acked;
}

static int
audit_round(struct audit *a)
{
	unsigned i;
	int err;

	a->round++;
	a->nfinals = 0;
	err = scan_state(&a->scan);
	if (err == 0)
		err = audit_ask(a, &a->scan.w->session, PATH_LEADER);
	if (err == 0)
		err = audit_consume(a);
	for (i = 0; err == 0 && i < a->nservers; i++)
		err = audit_ask(a, &a->servers[i], PATH_DIRECT);
	return err;
}

/* A direct get is answered by the server one is connected to, if it can. */
static void
audit_connect(struct audit *a)
{
	const struct kv_state *kv = a->scan.w->state;
	struct session *from = &a->scan.w->session, *s;
	unsigned i;

	for (i = 0; kv->mode != READ_LEADER && i < from->nurls; i++) {
		s = &a->servers[a->nservers];
		s->nurls = 1;
		text_set(s->urls[0], sizeof(s->urls[0]), from->urls[i]);
		if (session_open(s, &a->scan.w->child, &a->scan.w->config,
			clock_mono_ns() + 5 * CLOCK_S) == 0)
			a->nservers++;
	}
}

static void
emit_finals(struct audit *a)
{
	struct event ev = {.type = MESSAGE_KV_FINAL};
	struct msg_kv_final *m = &ev.u.kv_final;
	const struct final *f;
	size_t i;

	for (i = 0; i < a->nfinals; i++) {
		f = &a->finals[i];
		m->stream = a->scan.target->stream;
		m->key = f->key;
		m->path = (uint8_t)f->path;
		m->found = f->reading.found;
		m->revision = f->reading.revision;
		m->id = f->reading.payload.id;
		m->run = f->reading.payload.run;
		m->sum = f->reading.payload.sum;
		m->intact = f->reading.intact;
		child_emit(&a->scan.w->child, &ev);
	}
}

static void
audit_bucket(struct worker *w, const struct worker_target *target)
{
	uint64_t deadline = clock_mono_ns() + AUDIT_NS;
	struct audit *a = calloc(1, sizeof(*a));
	unsigned i;
	int err = 0;

	if (a == NULL) {
		child_diag(&w->child, -ENOMEM, "cannot audit the bucket");
		return;
	}
	a->scan.w = w;
	a->scan.target = target;
	audit_connect(a);
	do {
		if (a->round > 0)
			(void)worker_commands(w, AUDIT_APART_NS / CLOCK_MS);
		err = audit_round(a);
		if (err == 0 && audit_agrees(a))
			break;
	} while (!w->child.stopping && clock_mono_ns() < deadline);
	/* Disagreement that lasted is a result: the check judges it. */
	scan_tell_begin(&a->scan);
	if (err == 0)
		emit_finals(a);
	a->scan.read = a->nfinals;
	scan_end(&a->scan, err);
	for (i = 0; i < a->nservers; i++)
		session_close(&a->servers[i]);
	free(a->finals);
	free(a);
}

static int
kv_audit(struct worker *w)
{
	unsigned i;

	kv_names(w);
	for (i = 0; i < w->ntargets; i++)
		audit_bucket(w, &w->targets[i]);
	return 0;
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_kv_cas = {
    .name = "kv-cas",
    .summary = "clients read keys and update them by compare-and-set",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct kv_options),
    .state_size = sizeof(struct kv_state),
    .setup = kv_setup,
    .audit = kv_audit,
    .begin = kv_begin,
    .step = kv_step,
    .command = kv_command,
    .end = kv_end,
};
