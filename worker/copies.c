/* SPDX-License-Identifier: ISC */
/*
 * The audit of copies: every replica of a stream is read whole, by itself,
 * and compared with the others. A consumer with one replica reads the store
 * of the server that leads it, whoever leads the stream; consumers are made
 * until each server of the stream has led one. Subject, sequence, time and
 * content of every message go into a hash a block of sequences, so that
 * copies compare in little memory and a difference has a place.
 *
 * Copies may differ for a moment, while one catches up: they are read again
 * until they agree or have differed for PERSIST_NS; then the messages of
 * the blocks that differ are told one by one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define BATCH	    500
#define BLOCK	    256 /* sequences a hash is for */
#define SERVERS_MAX CONFIG_NODES_MAX
#define MAKE_MAX    80		   /* consumers made until all have led */
#define MAKE_NS	    (60 * CLOCK_S) /* likewise */
#define STALL_NS    (20 * CLOCK_S) /* nothing is delivered any more */
#define PULL_NS	    (2 * CLOCK_S)
#define PERSIST_NS  (60 * CLOCK_S) /* guarantees 13 */
#define AGAIN_MS    3000
#define REQUEST_MS  2000
#define READS_MAX   3 /* of a copy whose deliveries get lost on the way */
#define TELL_BLOCKS 4 /* that differ, message by message */

/* One server's copy. */
struct copy {
	char server[64];
	uint64_t first, last, messages;
	uint64_t *blocks; /* hashes; block i begins at sequence i * BLOCK */
	size_t nblocks;
	bool is_read;
};

struct copies {
	struct worker *w;
	const struct worker_target *target;
	struct copy copies[SERVERS_MAX];
	unsigned n, expected;
	unsigned made; /* consumers, numbered over the whole audit */
	uint32_t round;
	char why[128];
};

/* A consumer at one server, being read. */
struct reader {
	char name[64], server[64];
	uint64_t expected; /* messages it will deliver */
};

static void
copy_reset(struct copy *c)
{
	c->first = c->last = c->messages = 0;
	c->is_read = false;
	if (c->blocks != NULL)
		memset(c->blocks, 0, c->nblocks * sizeof(*c->blocks));
}

static uint64_t *
copy_block(struct copy *c, uint64_t seq)
{
	size_t i = seq / BLOCK, n = c->nblocks ? c->nblocks : 64;
	uint64_t *grown;

	if (i >= c->nblocks) {
		while (n <= i)
			n *= 2;
		grown = realloc(c->blocks, n * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		memset(
		    grown + c->nblocks, 0, (n - c->nblocks) * sizeof(*grown));
		c->blocks = grown;
		c->nblocks = n;
	}
	return &c->blocks[i];
}

static uint64_t
message_hash(natsMsg *msg, const struct delivery *d)
{
	const char *subject = natsMsg_GetSubject(msg);
	uint64_t parts[4];

	parts[0] = d->seq;
	parts[1] = (uint64_t)d->stamp_ns;
	parts[2] = XXH64(subject, strlen(subject), 0);
	parts[3] =
	    XXH64(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0);
	return XXH64(parts, sizeof(parts), 0);
}

/* Messages come in order, so a block's hash is that of its sequence. */
static int
copy_enter(struct copy *c, natsMsg *msg, const struct delivery *d)
{
	uint64_t *block = copy_block(c, d->seq), pair[2];

	if (block == NULL)
		return -ENOMEM;
	pair[0] = *block;
	pair[1] = message_hash(msg, d);
	*block = XXH64(pair, sizeof(pair), 0);
	if (c->messages++ == 0)
		c->first = d->seq;
	c->last = d->seq;
	return 0;
}

static uint64_t
block_of(const struct copy *c, size_t i)
{
	return i < c->nblocks ? c->blocks[i] : 0;
}

static bool
block_differs(const struct copies *s, size_t i)
{
	unsigned k;

	for (k = 1; k < s->n; k++)
		if (block_of(&s->copies[k], i) != block_of(&s->copies[0], i))
			return true;
	return false;
}

static size_t
count_blocks(const struct copies *s)
{
	size_t most = 0;
	unsigned k;

	for (k = 0; k < s->n; k++)
		if (s->copies[k].nblocks > most)
			most = s->copies[k].nblocks;
	return most;
}

static bool
copies_agree(const struct copies *s)
{
	size_t i, n = count_blocks(s);

	for (i = 0; i < n; i++)
		if (block_differs(s, i))
			return false;
	return true;
}

/* Reading one copy */

static void
delete_reader(struct copies *s, const struct reader *r)
{
	jsOptions jo;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	/* What stays ends by its threshold. */
	(void)js_DeleteConsumer(
	    s->w->session.js, s->target->name, r->name, &jo, NULL);
}

/* A new consumer with one replica, wherever it comes to lie. 0 or -errno. */
static int
make_reader(struct copies *s, uint64_t from, struct reader *r)
{
	jsConsumerInfo *ci = NULL;
	jsConsumerConfig cc;
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	text_format(r->name, sizeof(r->name), "natsburn_copy_%u_%u_%u",
	    s->w->source, s->w->incarnation, ++s->made);
	(void)jsConsumerConfig_Init(&cc); /* can't fail: not NULL */
	cc.Durable = r->name;
	cc.AckPolicy = js_AckNone;
	cc.Replicas = 1;
	cc.MemoryStorage = true;
	cc.InactiveThreshold = (int64_t)(300 * CLOCK_S);
	if (from > 1) {
		cc.DeliverPolicy = js_DeliverByStartSequence;
		cc.OptStartSeq = from;
	}
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	st = js_AddConsumer(
	    &ci, s->w->session.js, s->target->name, &cc, &jo, &code);
	if (st != NATS_OK || ci->Cluster == NULL ||
	    ci->Cluster->Leader == NULL || ci->Cluster->Leader[0] == '\0') {
		(void)session_outcome(&s->w->session, st, code);
		text_format(s->why, sizeof(s->why), "no consumer: %.100s",
		    st == NATS_OK ? "nobody leads it" : s->w->session.why);
		jsConsumerInfo_Destroy(ci);
		return -EAGAIN;
	}
	text_set(r->server, sizeof(r->server), ci->Cluster->Leader);
	r->expected = ci->NumPending;
	jsConsumerInfo_Destroy(ci);
	return 0;
}

/* What to do with a message of a copy. 0 or -errno. */
typedef int copy_sink(void *arg, natsMsg *msg, const struct delivery *d);

struct reading {
	struct copies *s;
	const struct reader *reader;
	copy_sink *sink;
	void *arg;
	uint64_t to;		/* last sequence wanted */
	uint64_t taken;		/* deliveries, all in order */
	uint64_t progress_ns;	/* when the last one came */
	bool is_over, has_hole; /* a delivery was lost on its way */
};

static int
take_message(struct reading *g, natsMsg *msg)
{
	struct delivery d;

	if (session_delivery(natsMsg_GetReply(msg), &d) < 0)
		return 0; /* a status */
	g->progress_ns = clock_mono_ns();
	if (d.consumer_seq != g->taken + 1) {
		g->has_hole = true;
		return 0;
	}
	g->taken++;
	g->is_over = d.pending == 0 || d.seq >= g->to;
	return d.seq > g->to ? 0 : g->sink(g->arg, msg, &d);
}

/* One pull: 0 or -errno of the sink. */
static int
pull_once(struct reading *g, natsSubscription *sub, const char *inbox)
{
	struct copies *s = g->s;
	uint64_t deadline = clock_mono_ns() + PULL_NS;
	char api[256] = "", request[64];
	unsigned came = 0;
	natsMsg *msg;
	int err = 0, wait_ms;

	text_add(api, sizeof(api), "$JS.API.CONSUMER.MSG.NEXT.%s.%s",
	    s->target->name, g->reader->name);
	text_format(request, sizeof(request), "{\"batch\":%d,\"expires\":%llu}",
	    BATCH, (unsigned long long)PULL_NS);
	if (natsConnection_PublishRequestString(
		s->w->session.nc, api, inbox, request) != NATS_OK)
		return 0; /* progress stops: the caller notices */
	while (err == 0 && came < BATCH && !g->is_over && !g->has_hole) {
		wait_ms = clock_poll_ms(clock_mono_ns(), deadline, 500);
		if (wait_ms == 0)
			break;
		msg = NULL;
		if (natsSubscription_NextMsg(&msg, sub, wait_ms) != NATS_OK) {
			child_beat(&s->w->child);
			continue;
		}
		came++;
		err = take_message(g, msg);
		natsMsg_Destroy(msg);
	}
	child_beat(&s->w->child);
	return err;
}

/* All of a reader up to a sequence: 0; -EAGAIN when it must be read anew. */
static int
read_all(struct reading *g)
{
	struct copies *s = g->s;
	natsSubscription *sub = NULL;
	natsInbox *inbox = NULL;
	int err = 0;

	g->is_over = g->reader->expected == 0;
	g->progress_ns = clock_mono_ns();
	if (natsInbox_Create(&inbox) != NATS_OK ||
	    natsConnection_SubscribeSync(&sub, s->w->session.nc, inbox) !=
		NATS_OK)
		err = -EAGAIN;
	while (err == 0 && !g->is_over) {
		err = pull_once(g, sub, inbox);
		if (g->has_hole || clock_mono_ns() >= g->progress_ns + STALL_NS)
			err = -EAGAIN;
	}
	if (err == -EAGAIN)
		text_format(s->why, sizeof(s->why),
		    "the copy at %.40s: %s after %llu messages",
		    g->reader->server,
		    g->has_hole ? "a delivery was lost" : "nothing comes",
		    (unsigned long long)g->taken);
	natsSubscription_Destroy(sub);
	natsInbox_Destroy(inbox);
	return err;
}

static int
sink_copy(void *arg, natsMsg *msg, const struct delivery *d)
{
	return copy_enter(arg, msg, d);
}

static void
emit_copy(struct copies *s, const struct copy *c)
{
	struct event ev = {.type = MESSAGE_COPY};
	struct msg_copy *m = &ev.u.copy;

	m->stream = s->target->stream;
	m->round = s->round;
	m->first = c->first;
	m->last = c->last;
	m->messages = c->messages;
	m->hash = XXH64(
	    c->blocks, (c->last / BLOCK + 1) * sizeof(*c->blocks), c->messages);
	text_set(m->server, sizeof(m->server), c->server);
	child_emit(&s->w->child, &ev);
}

/* The copy of a server; NULL when there is no room for another server. */
static struct copy *
copy_of(struct copies *s, const char *server)
{
	struct copy *c;
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->copies[i].server, server) == 0)
			return &s->copies[i];
	if (s->n == SERVERS_MAX)
		return NULL;
	c = &s->copies[s->n++];
	text_set(c->server, sizeof(c->server), server);
	return c;
}

static bool
all_read(const struct copies *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (!s->copies[i].is_read)
			return false;
	return s->n >= s->expected;
}

/* Read the copy where this reader lies, if that is still to be done. */
static int
read_copy(struct copies *s, const struct reader *r)
{
	struct copy *c = copy_of(s, r->server);
	struct reading g = {
	    .s = s, .reader = r, .sink = sink_copy, .arg = c, .to = UINT64_MAX};
	int err;

	if (c == NULL || c->is_read)
		return 0;
	copy_reset(c);
	if (copy_block(c, 0) == NULL)
		return -ENOMEM;
	err = read_all(&g);
	if (err == 0 && copy_block(c, c->last) == NULL)
		err = -ENOMEM;
	if (err < 0)
		return err;
	c->is_read = true;
	emit_copy(s, c);
	return 0;
}

/* Each copy once. 0, or -errno with why. */
static int
read_copies(struct copies *s)
{
	uint64_t deadline = clock_mono_ns() + MAKE_NS, begin;
	struct backoff b = {0};
	struct reader r;
	unsigned i, made = 0, failed = 0;
	int err;

	s->round++;
	for (i = 0; i < s->n; i++)
		s->copies[i].is_read = false;
	while (!all_read(s)) {
		if (made++ == MAKE_MAX || failed > READS_MAX * s->expected ||
		    (s->n < s->expected && clock_mono_ns() >= deadline)) {
			if (s->why[0] == '\0')
				text_format(s->why, sizeof(s->why),
				    "only %u of %u copies were found", s->n,
				    s->expected);
			return -ETIMEDOUT;
		}
		err = make_reader(s, 1, &r);
		if (err == 0) {
			begin = clock_mono_ns();
			err = read_copy(s, &r);
			delete_reader(s, &r);
			/* A large copy takes its time, which isn't lost. */
			deadline += clock_mono_ns() - begin;
		}
		if (err == -ENOMEM)
			return err;
		if (err == 0)
			continue;
		failed++;
		session_backoff(&b, &s->w->child);
	}
	s->why[0] = '\0';
	return 0;
}

/* Where they differ, message by message */

struct telling {
	struct copies *s;
	const char *server;
};

static int
sink_tell(void *arg, natsMsg *msg, const struct delivery *d)
{
	struct telling *t = arg;
	struct event ev = {.type = MESSAGE_COPY_MESSAGE};
	struct msg_copy_message *m = &ev.u.copy_message;

	m->stream = t->s->target->stream;
	m->seq = d->seq;
	m->sum = message_hash(msg, d);
	text_set(m->server, sizeof(m->server), t->server);
	child_emit(&t->s->w->child, &ev);
	return 0;
}

/* A block of every copy; what can't be read is not told. */
static void
tell_block(struct copies *s, size_t block)
{
	bool told[SERVERS_MAX] = {false};
	unsigned i, left = s->n, tries;
	struct reader r;
	struct copy *c;

	for (tries = 0; left > 0 && tries < MAKE_MAX; tries++) {
		if (make_reader(s, block == 0 ? 1 : block * BLOCK, &r) < 0)
			continue;
		c = copy_of(s, r.server);
		i = c != NULL ? (unsigned)(c - s->copies) : SERVERS_MAX;
		if (i < SERVERS_MAX && !told[i]) {
			struct telling t = {s, c->server};
			struct reading g = {.s = s,
			    .reader = &r,
			    .sink = sink_tell,
			    .arg = &t,
			    .to = block * BLOCK + BLOCK - 1};

			told[i] = read_all(&g) == 0;
			left -= told[i];
		}
		delete_reader(s, &r);
	}
}

static void
tell_differences(struct copies *s)
{
	size_t i, n = count_blocks(s);
	unsigned told = 0;

	for (i = 0; i < n && told < TELL_BLOCKS; i++) {
		if (!block_differs(s, i))
			continue;
		tell_block(s, i);
		told++;
	}
}

static void
emit_end(struct copies *s, bool agree, uint64_t differed_ns)
{
	struct event ev = {.type = MESSAGE_COPIES_END};
	struct msg_copies_end *m = &ev.u.copies_end;
	unsigned i;

	m->stream = s->target->stream;
	m->expected = s->expected;
	for (i = 0; i < s->n; i++)
		m->copies += s->copies[i].is_read;
	m->agree = agree;
	m->differed_ns = differed_ns;
	text_set(m->why, sizeof(m->why), s->why);
	child_emit(&s->w->child, &ev);
	child_flush(&s->w->child);
}

static void
pause_a_while(struct worker *w)
{
	uint64_t end = clock_mono_ns() + AGAIN_MS * CLOCK_MS;
	struct backoff b = {0};

	while (clock_mono_ns() < end && !w->child.stopping)
		session_backoff(&b, &w->child);
}

static void
compare_copies(struct copies *s)
{
	uint64_t since = 0;
	bool agree = false;
	int err;

	for (;;) {
		err = read_copies(s);
		agree = err == 0 && copies_agree(s);
		if (err < 0 || agree)
			break;
		if (since == 0)
			since = clock_mono_ns();
		if (clock_mono_ns() >= since + PERSIST_NS) {
			tell_differences(s);
			break;
		}
		pause_a_while(s->w);
	}
	emit_end(s, agree, since != 0 && !agree ? clock_mono_ns() - since : 0);
}

/*
 * Replicas of a stream whose every message a new consumer may read, or 0:
 * a work queue and a stream with interest don't allow that.
 */
static int
replicas_of(struct copies *s, unsigned *out)
{
	uint64_t deadline = clock_mono_ns() + MAKE_NS;
	jsStreamInfo *si = NULL;
	struct backoff b = {0};
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	while ((st = js_GetStreamInfo(&si, s->w->session.js, s->target->name,
		    &jo, &code)) != NATS_OK) {
		if (code == JSStreamNotFoundErr) {
			*out = 0;
			return 0;
		}
		if (clock_mono_ns() >= deadline) {
			(void)session_outcome(&s->w->session, st, code);
			text_format(s->why, sizeof(s->why),
			    "no stream info: %.90s", s->w->session.why);
			return -ETIMEDOUT;
		}
		session_backoff(&b, &s->w->child);
	}
	*out = si->Config->Retention == js_LimitsPolicy && si->Cluster != NULL
		   ? (unsigned)si->Config->Replicas
		   : 0;
	jsStreamInfo_Destroy(si);
	return 0;
}

static void
audit_stream_copies(struct worker *w, const struct worker_target *target)
{
	struct copies *s = calloc(1, sizeof(*s));
	unsigned i;
	int err;

	if (s == NULL)
		return; /* no COPIES_END: the run is not conclusive */
	s->w = w;
	s->target = target;
	err = replicas_of(s, &s->expected);
	if (err < 0)
		emit_end(s, false, 0);
	else if (s->expected > 1)
		compare_copies(s);
	for (i = 0; i < s->n; i++)
		free(s->copies[i].blocks);
	free(s);
}

int
audit_copies(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		audit_stream_copies(w, &w->targets[i]);
	return 0;
}
