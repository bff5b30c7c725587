/* SPDX-License-Identifier: ISC */
/*
 * The audit of copies: every replica of a stream is read whole, by itself,
 * and compared with the others. A consumer with one replica reads the store
 * of the server that leads it, whoever leads the stream; consumers are made
 * until each server of the stream has led one. A copy is kept as hashes, one
 * for each block of sequences (copy.h).
 *
 * Copies may differ for a moment, while one catches up: they are read again
 * until they agree or have differed for PERSIST_NS; then the messages of
 * the blocks that differ are told one by one. Where a block is wide it is
 * read again by itself first, in narrower ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/copy.h"
#include "worker/audit/reader.h"

#define BATCH	    500
#define SERVERS_MAX CONFIG_NODES_MAX
#define MAKE_MAX    80		   /* consumers made until all have led */
#define MAKE_NS	    (60 * CLOCK_S) /* likewise */
#define STALL_NS    (20 * CLOCK_S) /* nothing is delivered any more */
#define PERSIST_NS  (60 * CLOCK_S) /* guarantees 13 */
#define TELL_NS	    (30 * CLOCK_S) /* to show where, and to read once more */
#define AGAIN_MS    3000
#define REQUEST_MS  2000
#define READS_MAX   3 /* of a copy whose deliveries get lost on the way */
#define TELL_BLOCKS 4 /* that differ, message by message */

struct copies {
	struct worker *w;
	const struct worker_target *target;
	struct copy copies[SERVERS_MAX];
	unsigned n, expected;
	struct copy_range range; /* all of the stream, or a block of that */
	bool is_block;
	unsigned batch;
	unsigned made; /* consumers, numbered over the whole audit */
	uint32_t round;
	char why[128];
};

/* A consumer at one server, being read. */
struct source {
	char name[64], server[64];
	uint64_t expected; /* messages it will deliver */
};

static void
copies_free(struct copies *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		copy_fini(&s->copies[i]);
	free(s);
}

static bool
block_differs(const struct copies *s, uint32_t i)
{
	unsigned k;

	for (k = 1; k < s->n; k++)
		if (copy_hash_at(&s->copies[k], i) !=
		    copy_hash_at(&s->copies[0], i))
			return true;
	return false;
}

static uint32_t
count_blocks(const struct copies *s)
{
	uint32_t most = 0;
	unsigned k;

	for (k = 0; k < s->n; k++)
		if (s->copies[k].nblocks > most)
			most = s->copies[k].nblocks;
	return most;
}

static bool
copies_agree(const struct copies *s)
{
	uint32_t i, n = count_blocks(s);

	for (i = 0; i < n; i++)
		if (block_differs(s, i))
			return false;
	return true;
}

/* Reading one copy */

static void
source_drop(struct copies *s, const struct source *src)
{
	struct session_consumer c = {s->target->name, src->name};

	session_drop_consumer(&s->w->session, &c, REQUEST_MS);
}

/* A new consumer with one replica, wherever it comes to lie. 0 or -errno. */
static int
source_make(struct copies *s, uint64_t from, struct source *src)
{
	struct session *session = &s->w->session;
	jsConsumerInfo *ci = NULL;
	jsConsumerConfig cc;
	const char *leader = NULL;
	enum outcome outcome;

	text_format(src->name, sizeof(src->name), "natsburn_copy_%u_%u_%u",
	    s->w->source, s->w->incarnation, ++s->made);
	reader_config(&cc, src->name);
	cc.Replicas = 1;
	cc.MemoryStorage = true;
	if (from > 1) {
		cc.DeliverPolicy = js_DeliverByStartSequence;
		cc.OptStartSeq = from;
	}
	outcome = session_add_consumer(
	    session, s->target->name, &cc, REQUEST_MS, &ci);
	if (outcome == OUTCOME_OK && ci->Cluster != NULL)
		leader = ci->Cluster->Leader;
	if (leader == NULL || leader[0] == '\0') {
		text_format(s->why, sizeof(s->why), "no consumer: %.100s",
		    outcome == OUTCOME_OK ? "nobody leads it" : session->why);
		jsConsumerInfo_Destroy(ci);
		return -EAGAIN;
	}
	text_set(src->server, sizeof(src->server), leader);
	src->expected = ci->NumPending;
	jsConsumerInfo_Destroy(ci);
	return 0;
}

/* What to do with a message of a copy. 0 or -errno. */
typedef int copy_sink(void *arg, natsMsg *msg, const struct delivery *d);

struct reading {
	struct copies *s;
	const struct source *source;
	copy_sink *sink;
	void *arg;
	uint64_t to;	      /* last sequence wanted */
	uint64_t taken;	      /* deliveries, all in order */
	uint64_t progress_ns; /* when the last one came */
	bool has_hole;	      /* a delivery was lost on its way */
};

/* It was taken before: it is told, and reading goes on. */
static void
tell_twice(const struct reading *g, const struct delivery *d)
{
	struct event ev = {.type = MESSAGE_COPY_TWICE};
	struct msg_copy_twice *m = &ev.u.copy_twice;

	m->stream = g->s->target->stream;
	m->seq = d->seq;
	m->consumer_seq = d->consumer_seq;
	text_set(m->consumer, sizeof(m->consumer), g->source->name);
	child_emit(&g->s->w->child, &ev);
}

static int
take(struct reader *r, natsMsg *msg, const struct delivery *d)
{
	struct reading *g = r->arg;
	int err;

	g->progress_ns = clock_mono_ns();
	if (d->consumer_seq <= g->taken) {
		tell_twice(g, d);
		return 0;
	}
	if (d->consumer_seq != g->taken + 1) {
		g->has_hole = r->is_over = true;
		return 0;
	}
	g->taken++;
	r->is_over = d->pending == 0 || d->seq >= g->to;
	if (d->seq > g->to)
		return 0;
	err = g->sink(g->arg, msg, d);
	return err < 0 ? err : 1;
}

/* All of a source up to a sequence: 0; -EAGAIN when it must be read anew. */
static int
read_all(struct reading *g)
{
	struct copies *s = g->s;
	struct reader r = {.w = s->w,
	    .consumer = {s->target->name, g->source->name},
	    .batch = s->batch,
	    .take = take,
	    .arg = g,
	    .is_over = g->source->expected == 0};
	int err = reader_open(&r) < 0 ? -EAGAIN : 0;

	g->progress_ns = clock_mono_ns();
	while (err >= 0 && !r.is_over) {
		err = reader_pull(&r);
		if (err >= 0 &&
		    (limit_is_over(s->w) ||
			clock_mono_ns() >= g->progress_ns + STALL_NS))
			err = -EAGAIN;
	}
	if (err >= 0 && g->has_hole)
		err = -EAGAIN;
	if (err == -EAGAIN)
		text_format(s->why, sizeof(s->why),
		    "the copy at %.40s: %s after %llu messages",
		    g->source->server,
		    g->has_hole ? "a delivery was lost" : "nothing comes",
		    (unsigned long long)g->taken);
	reader_close(&r);
	return err < 0 ? err : 0;
}

/* Where a copy's messages go. */
struct entering {
	struct copy *copy;
	const struct copy_range *range;
};

static int
sink_copy(void *arg, natsMsg *msg, const struct delivery *d)
{
	struct entering *e = arg;

	return copy_enter(e->copy, e->range, msg, d);
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
	m->hash = copy_hash(c, &s->range);
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

/* Read the copy where this source lies, if that is still to be done. */
static int
read_copy(struct copies *s, const struct source *src)
{
	struct copy *c = copy_of(s, src->server);
	struct entering e = {c, &s->range};
	struct reading g = {.s = s,
	    .source = src,
	    .sink = sink_copy,
	    .arg = &e,
	    .to = s->range.to};
	int err;

	if (c == NULL || c->is_read)
		return 0;
	copy_reset(c);
	err = read_all(&g);
	if (err < 0)
		return err;
	c->is_read = true;
	if (!s->is_block)
		emit_copy(s, c);
	return 0;
}

/* Each copy once. 0, or -errno with why. */
static int
read_copies(struct copies *s)
{
	uint64_t deadline = clock_mono_ns() + MAKE_NS, begin;
	struct backoff b = {0};
	struct source src;
	unsigned i, made = 0, failed = 0;
	int err;

	s->round++;
	for (i = 0; i < s->n; i++)
		s->copies[i].is_read = false;
	while (!all_read(s)) {
		if (made++ == MAKE_MAX || failed > READS_MAX * s->expected ||
		    (s->n < s->expected && clock_mono_ns() >= deadline) ||
		    limit_is_over(s->w)) {
			if (s->why[0] == '\0')
				text_format(s->why, sizeof(s->why),
				    "only %u of %u copies were found%s", s->n,
				    s->expected,
				    limit_is_over(s->w) ? " in time" : "");
			return -ETIMEDOUT;
		}
		err = source_make(s, s->range.from, &src);
		if (err == 0) {
			begin = clock_mono_ns();
			err = read_copy(s, &src);
			source_drop(s, &src);
			/* Time in which a copy was read does not count. */
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
	m->sum = copy_message_hash(msg, d);
	text_set(m->server, sizeof(m->server), t->server);
	child_emit(&t->s->w->child, &ev);
	return 0;
}

/* A block of every copy; what can't be read is not told. */
static void
tell_block(struct copies *s, uint32_t block)
{
	uint64_t from = s->range.from + block * s->range.width;
	bool told[SERVERS_MAX] = {false};
	unsigned i, left = s->n, tries;
	struct source src;
	struct copy *c;

	for (tries = 0; left > 0 && tries < MAKE_MAX && !limit_is_over(s->w);
	     tries++) {
		if (source_make(s, from, &src) < 0)
			continue;
		c = copy_of(s, src.server);
		i = c != NULL ? (unsigned)(c - s->copies) : SERVERS_MAX;
		if (i < SERVERS_MAX && !told[i]) {
			struct telling t = {s, c->server};
			struct reading g = {.s = s,
			    .source = &src,
			    .sink = sink_tell,
			    .arg = &t,
			    .to = from + s->range.width - 1};

			told[i] = read_all(&g) == 0;
			left -= told[i];
		}
		source_drop(s, &src);
	}
}

static void tell_differences(struct copies *, unsigned *told);

/* Read a wide block of every copy again, in narrower blocks. */
static void
tell_wide_block(struct copies *s, uint32_t block, unsigned *told)
{
	struct copies *in = calloc(1, sizeof(*in));
	struct copy_range *r;

	if (in == NULL)
		return; /* where in the block is not told */
	in->w = s->w;
	in->target = s->target;
	in->expected = s->expected;
	in->batch = s->batch;
	in->made = s->made;
	in->is_block = true;
	r = &in->range;
	r->from = s->range.from + block * s->range.width;
	r->to = r->from + s->range.width - 1;
	r->width = copy_width(r->from, r->to);
	if (read_copies(in) == 0)
		tell_differences(in, told);
	s->made = in->made;
	copies_free(in);
}

/* told: blocks so far, of TELL_BLOCKS. */
static void
tell_differences(struct copies *s, unsigned *told)
{
	uint32_t i, n = count_blocks(s);

	for (i = 0; i < n && *told < TELL_BLOCKS; i++) {
		if (!block_differs(s, i))
			continue;
		if (s->range.width > COPY_BLOCK) {
			tell_wide_block(s, i, told);
			continue;
		}
		tell_block(s, i);
		++*told;
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
	unsigned told = 0;
	bool agree = false;
	int err;

	for (;;) {
		err = read_copies(s);
		agree = err == 0 && copies_agree(s);
		if (err < 0 || agree)
			break;
		if (since == 0) {
			since = clock_mono_ns();
			limit_prove(s->w, PERSIST_NS + TELL_NS,
			    "the copies of a stream differ");
		}
		if (clock_mono_ns() >= since + PERSIST_NS) {
			tell_differences(s, &told);
			break;
		}
		if (limit_is_over(s->w)) {
			text_set(s->why, sizeof(s->why),
			    "they differ, and no time was left to see whether "
			    "they go on to (--settle-timeout)");
			break;
		}
		pause_a_while(s->w);
	}
	emit_end(s, agree, since != 0 && !agree ? clock_mono_ns() - since : 0);
}

/*
 * Replicas of a stream whose every message a new consumer may read, or 0: a
 * work queue and a stream with interest don't allow that. And how to read it.
 */
static int
replicas_of(struct copies *s, unsigned *out)
{
	uint64_t deadline = limit_deadline(s->w, MAKE_NS);
	struct session *session = &s->w->session;
	jsStreamInfo *si = NULL;
	struct backoff b = {0};

	*out = 0;
	while (session_stream_info(session, s->target->name, REQUEST_MS, &si) !=
	       OUTCOME_OK) {
		if (session->code == JSStreamNotFoundErr)
			return 0;
		if (clock_mono_ns() >= deadline) {
			text_format(s->why, sizeof(s->why),
			    "no stream info: %.90s", session->why);
			return -ETIMEDOUT;
		}
		session_backoff(&b, &s->w->child);
	}
	if (si->Config->Retention == js_LimitsPolicy && si->Cluster != NULL)
		*out = (unsigned)si->Config->Replicas;
	s->range.to = UINT64_MAX;
	s->range.width = copy_width(0, si->State.LastSeq);
	s->batch = reader_batch(BATCH, si->State.Bytes, si->State.Msgs);
	jsStreamInfo_Destroy(si);
	return 0;
}

static void
audit_stream_copies(struct worker *w, const struct worker_target *target)
{
	struct copies *s = calloc(1, sizeof(*s));
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
	copies_free(s);
}

int
copies_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		audit_stream_copies(w, &w->targets[i]);
	return 0;
}
