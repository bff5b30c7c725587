/* SPDX-License-Identifier: ISC */
/*
 * streams: what listings of streams may and may not show.
 *
 * Rule (guarantees 12, and 1 for the messages): a wrong answer convicts
 * only when it persists: at least POLLS_MIN listings (or states of the one
 * stream), the last of them asked for at least PERSIST_NS after the first,
 * all of the same opinion, no fault in force from the first to the last and
 * the same meta leader throughout. Wrong answers are: a stream whose add
 * was confirmed before the listing began, and whose delete nobody asked
 * for, is not listed (stream_missing); one whose delete was confirmed
 * before the listing began is listed (stream_resurrected); one that holds
 * fewer messages than were acknowledged before (lost); one with another
 * configuration than it was given (corrupt). An operation that is retried
 * for longer than --op-timeout is op_timeout, as with every workload.
 *
 * Why no legal behaviour trips it: an attempt that was not answered may
 * take effect at any later time, so a stream with an open add may be there
 * or not, one with an open delete likewise, and so may a later stream of
 * the same name. A listing that failed shows nothing. A listing may be out
 * of date for a moment (elections; a follower that answers before it
 * applied the last change): whatever heals is told with its duration and
 * never convicts. Servers that don't answer for the state of their streams
 * leave a row without state, which is judged for presence only. Memory
 * storage may lose its messages when servers restart: documented.
 *
 * Each stream ever added is one entry, by its id. An entry goes away when
 * it is known that nothing of it can come any more; memory is that of the
 * streams alive and of those with an attempt that was never answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/check.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define POLLS_MIN  3
#define PERSIST_NS (30 * CLOCK_S)
#define LONG_NS	   (10 * CLOCK_S) /* healed later, in quiet: a warning */
#define KEEP_NS	   (60 * CLOCK_S) /* a deleted stream is remembered */
#define BUCKETS	   4096

enum flaw {
	FLAW_MISSING,
	FLAW_RESURRECTED,
	FLAW_SHORT,  /* acknowledged messages are gone */
	FLAW_CONFIG, /* another configuration */
	FLAW_ANEW,   /* another creation time */
	FLAWS
};

/* A wrong answer, for as long as every answer repeats it. */
struct episode {
	uint64_t first_ns; /* 0: none */
	uint64_t since_ns; /* undisturbed since; 0: it is not */
	uint32_t polls;	   /* wrong answers since then */
	uint32_t total;
	bool told;
};

enum op {
	OP_NONE,
	OP_ADD,
	OP_FILL,
	OP_REMOVE
};

struct stream {
	struct stream *next; /* in its bucket */
	uint64_t id;	     /* 0: listed, and not of this run's ids */
	uint32_t source, variant;
	enum op op; /* what its client is at */
	uint32_t attempts;
	uint64_t op_ns;
	bool op_told, late_told;
	/* attempts that may have happened, or may still happen */
	uint32_t adds_open, removes_open;
	uint64_t added_ns, removed_ns; /* confirmed; 0 not yet */
	uint64_t seen_ns;   /* listed, without being confirmed before */
	bool is_threatened; /* an open delete of its name is older than it */
	uint64_t created, acked, last_seq, filled_ns;
	uint64_t created_now; /* as the latest state said */
	uint64_t fewest;      /* messages, while they were too few */
	uint64_t listing;     /* the latest that showed it */
	struct episode flaws[FLAWS];
	char name[64];
};

/* A row of a listing that is going on. */
struct row {
	uint64_t id, messages, created;
	uint32_t variant;
	char name[64];
};

/* What a client is doing; every worker is one, by its source number. */
struct client {
	struct stream *current;
	bool is_listing;
	uint64_t list, begin_ns;
	char prefix[64];
	struct row *rows;
	uint32_t nrows, room;
	uint64_t failing_ns; /* since when listings fail */
	bool told;
};

struct streams_state {
	struct stream *buckets[BUCKETS];
	struct client *clients;
	uint32_t nclients;
	uint64_t listings; /* judged so far */
	char meta[32];	   /* the meta leader, as last told */
	uint64_t meta_ns;  /* when it last changed */
};

static const struct flaw_kind {
	enum anomaly_kind kind;
	const char *what;
} flaw_kinds[FLAWS] = {
    [FLAW_MISSING] = {ANOMALY_STREAM_MISSING, "is not there"},
    [FLAW_RESURRECTED] = {ANOMALY_STREAM_RESURRECTED, "is there"},
    [FLAW_SHORT] = {ANOMALY_LOST, "holds too few messages"},
    [FLAW_CONFIG] = {ANOMALY_CORRUPT, "has another configuration"},
    [FLAW_ANEW] = {ANOMALY_STREAM_MISSING, "was created anew"},
};

/* entries */

static unsigned
bucket_of(const char *name)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return hash % BUCKETS;
}

static struct stream *
stream_new(struct streams_state *st, uint64_t id, const char *name)
{
	struct stream **bucket = &st->buckets[bucket_of(name)];
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->id = id;
	text_set(s->name, sizeof(s->name), name);
	s->next = *bucket;
	*bucket = s;
	return s;
}

/* The first stream of a name from s on, in the order of their addition. */
static struct stream *
of_name(struct stream *s, const char *name)
{
	while (s != NULL && strcmp(s->name, name) != 0)
		s = s->next;
	return s;
}

static struct client *
client_at(struct check *c, uint32_t source)
{
	struct streams_state *st = c->state;

	return check_slot(
	    &st->clients, &st->nclients, source, sizeof(struct client));
}

/* The stream that a client speaks of: nearly always its current one. */
static struct stream *
find_id(struct check *c, uint32_t source, uint64_t id)
{
	struct streams_state *st = c->state;
	struct stream *s;
	unsigned i;

	if (source < st->nclients && st->clients[source].current != NULL &&
	    st->clients[source].current->id == id)
		return st->clients[source].current;
	for (i = 0; i < BUCKETS; i++)
		for (s = st->buckets[i]; s != NULL; s = s->next)
			if (s->id == id && id != 0)
				return s;
	return NULL;
}

/* Nothing of it is there any more, and nothing of it can come. */
static bool
is_over(const struct stream *s)
{
	return s->adds_open == 0 && s->removes_open == 0 && s->op == OP_NONE &&
	       (s->removed_ns != 0 || s->added_ns == 0);
}

static bool
is_flawed(const struct stream *s)
{
	unsigned i;

	for (i = 0; i < FLAWS; i++)
		if (s->flaws[i].first_ns != 0)
			return true;
	return false;
}

static bool
is_current(const struct streams_state *st, const struct stream *s)
{
	uint32_t i;

	for (i = 0; i < st->nclients; i++)
		if (st->clients[i].current == s)
			return true;
	return false;
}

/*
 * Forget what is over. A listing that goes on may have begun before a
 * delete was confirmed, and a client is often told of what it did last:
 * hence the delay, which is far longer than a request lives.
 */
static void
sweep(struct check *c)
{
	struct streams_state *st = c->state;
	struct stream **at, *s;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		for (at = &st->buckets[i]; *at != NULL;) {
			s = *at;
			if (!is_over(s) || is_flawed(s) || is_current(st, s) ||
			    c->now_ns < s->removed_ns + KEEP_NS) {
				at = &s->next;
				continue;
			}
			*at = s->next;
			free(s);
		}
}

/* what an answer that was asked for at begin_ns may show */

static bool
must_be_there(const struct stream *s, uint64_t begin_ns)
{
	bool was_there = (s->added_ns != 0 && s->added_ns < begin_ns) ||
			 (s->seen_ns != 0 && s->seen_ns < begin_ns);

	return was_there && s->removes_open == 0 && s->removed_ns == 0 &&
	       !s->is_threatened;
}

static bool
was_removed(const struct stream *s, uint64_t begin_ns)
{
	return s->removed_ns != 0 && s->removed_ns < begin_ns;
}

static bool
may_be_there(const struct stream *s, uint64_t begin_ns)
{
	if (s->adds_open > 0)
		return true;
	return (s->added_ns != 0 || s->seen_ns != 0) &&
	       !was_removed(s, begin_ns);
}

/* wrong answers */

/* No fault and no other meta leader from then until now. */
static bool
is_undisturbed(const struct check *c, uint64_t from_ns)
{
	const struct streams_state *st = c->state;

	return from_ns != 0 && st->meta_ns < from_ns &&
	       faults_quiet_for(c->faults, c->now_ns, c->now_ns - from_ns);
}

static bool
is_documented(const struct check *c, enum flaw flaw)
{
	return flaw == FLAW_SHORT && c->faults->applied > 0 &&
	       strcmp(c->config->storage, "memory") == 0;
}

static void
describe(const struct stream *s, enum flaw flaw, char *out, size_t size)
{
	out[0] = '\0';
	if (flaw == FLAW_MISSING && s->added_ns == 0)
		text_add(out, size, "which was listed before");
	else if (flaw == FLAW_MISSING)
		text_add(out, size, "whose add was confirmed");
	else if (flaw == FLAW_RESURRECTED && s->removed_ns != 0)
		text_add(out, size, "whose delete was confirmed");
	else if (flaw == FLAW_RESURRECTED)
		text_add(
		    out, size, "deleted long ago or never added by this run");
	else if (flaw == FLAW_SHORT)
		text_add(out, size,
		    "with %llu messages acknowledged and %llu there%s",
		    (unsigned long long)s->acked, (unsigned long long)s->fewest,
		    s->created_now != s->created
			? ", created anew by the server"
			: "");
	else
		text_add(out, size, "given configuration %u", s->variant);
}

static void
raise_flaw(struct check *c, const struct stream *s, enum flaw flaw,
    enum anomaly_class class, const char *end)
{
	struct anomaly a = {.kind = flaw_kinds[flaw].kind, .class = class};
	const struct episode *e = &s->flaws[flaw];
	char who[160];

	a.ids[0] = s->id;
	describe(s, flaw, who, sizeof(who));
	check_raise(c, &a,
	    "stream %s (%u:%llu), %s, %s: %u answers in %.3f s, %u of them "
	    "undisturbed; %s",
	    s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id), who,
	    flaw_kinds[flaw].what, e->total,
	    (double)(c->now_ns - e->first_ns) / 1e9, e->polls, end);
}

static enum anomaly_class
conviction_class(const struct check *c, const struct stream *s, enum flaw flaw)
{
	if (is_documented(c, flaw))
		return CLASS_DOCUMENTED;
	/* Never confirmed, only seen: nobody promised that it stays. */
	if (flaw == FLAW_MISSING && s->added_ns == 0)
		return CLASS_WARNING;
	/* A creation time alone: the messages say whether it is a loss. */
	return flaw == FLAW_ANEW ? CLASS_WARNING : CLASS_VIOLATION;
}

static void
wrong(struct check *c, struct stream *s, enum flaw flaw, uint64_t begin_ns)
{
	struct episode *e = &s->flaws[flaw];

	if (e->first_ns == 0)
		e->first_ns = begin_ns;
	e->total++;
	if (is_undisturbed(c, e->since_ns))
		e->polls++;
	else if (is_undisturbed(c, begin_ns)) {
		e->since_ns = begin_ns;
		e->polls = 1;
	} else {
		e->since_ns = 0;
		e->polls = 0;
	}
	if (e->told || e->polls < POLLS_MIN ||
	    begin_ns < e->since_ns + PERSIST_NS)
		return;
	e->told = true;
	raise_flaw(c, s, flaw, conviction_class(c, s, flaw),
	    "no fault was in force meanwhile and the meta leader stayed");
}

/* The flaw is no longer shown, or no longer one. */
static void
right(struct check *c, struct stream *s, enum flaw flaw, const char *end)
{
	struct episode *e = &s->flaws[flaw];
	enum anomaly_class class = CLASS_DOCUMENTED;

	if (e->first_ns == 0)
		return;
	if (e->since_ns != 0 && c->now_ns - e->since_ns >= LONG_NS &&
	    is_undisturbed(c, e->since_ns) && !is_documented(c, flaw))
		class = CLASS_WARNING;
	if (!e->told)
		raise_flaw(c, s, flaw, class, end);
	memset(e, 0, sizeof(*e));
}

/* answers */

/* Deleted for certain, but an add of it may still have been on its way. */
static void
judge_late_add(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	struct anomaly a = {
	    .kind = ANOMALY_STREAM_RESURRECTED, .class = CLASS_DOCUMENTED};

	/* The same creation time: it is the one that was deleted. */
	if (r->created != 0 &&
	    (r->created == s->created || r->created == s->created_now)) {
		wrong(c, s, FLAW_RESURRECTED, begin_ns);
		return;
	}
	right(c, s, FLAW_RESURRECTED, "it is another one");
	if (s->late_told || r->created == 0)
		return;
	s->late_told = true;
	a.ids[0] = s->id;
	check_raise(c, &a,
	    "stream %s (%u:%llu) is there again after its delete was "
	    "confirmed, created anew: an attempt to add it that was never "
	    "answered took effect late",
	    s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id));
}

static void
judge_state(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	if (s->removes_open > 0 || s->removed_ns != 0)
		return;
	if (s->created == 0)
		s->created = r->created;
	s->created_now = r->created;
	/*
	 * With an unanswered attempt the stream may have been assigned twice,
	 * and replicas then differ in which time they show (2.10.27 does).
	 */
	if (r->created != s->created && s->adds_open == 0)
		wrong(c, s, FLAW_ANEW, begin_ns);
	else
		right(c, s, FLAW_ANEW, "it healed");
	if (r->variant != s->variant)
		wrong(c, s, FLAW_CONFIG, begin_ns);
	else
		right(c, s, FLAW_CONFIG, "it healed");
	if (r->messages < s->acked && s->filled_ns < begin_ns) {
		if (s->flaws[FLAW_SHORT].first_ns == 0 ||
		    r->messages < s->fewest)
			s->fewest = r->messages;
		wrong(c, s, FLAW_SHORT, begin_ns);
	} else if (r->messages >= s->acked)
		right(c, s, FLAW_SHORT, "it healed");
}

static void
judge_there(
    struct check *c, struct stream *s, const struct row *r, uint64_t begin_ns)
{
	right(c, s, FLAW_MISSING, "it healed");
	if (!may_be_there(s, begin_ns))
		wrong(c, s, FLAW_RESURRECTED, begin_ns);
	else if (was_removed(s, begin_ns))
		judge_late_add(c, s, r, begin_ns);
	else {
		right(c, s, FLAW_RESURRECTED, "it healed");
		if (s->added_ns == 0 && s->op == OP_NONE && s->seen_ns == 0)
			s->seen_ns = c->now_ns;
		if (r->created != 0)
			judge_state(c, s, r, begin_ns);
	}
}

static void
judge_gone(struct check *c, struct stream *s, uint64_t begin_ns)
{
	right(c, s, FLAW_RESURRECTED, "it healed");
	if (must_be_there(s, begin_ns))
		wrong(c, s, FLAW_MISSING, begin_ns);
}

/* Without an id a row stands for every stream of its name that may be. */
static bool
row_is_of(const struct row *r, const struct stream *s, uint64_t begin_ns)
{
	return r->id != 0 ? r->id == s->id : may_be_there(s, begin_ns);
}

static int
judge_row(struct check *c, const struct row *r, uint64_t begin_ns)
{
	struct streams_state *st = c->state;
	struct stream *s, *last = NULL, *first;
	bool found = false;

	first = of_name(st->buckets[bucket_of(r->name)], r->name);
	for (s = first; s != NULL; s = of_name(s->next, r->name)) {
		if (last == NULL)
			last = s; /* buckets begin with the newest */
		if (!row_is_of(r, s, begin_ns))
			continue;
		found = true;
		s->listing = st->listings;
		judge_there(c, s, r, begin_ns);
	}
	if (found)
		return 0;
	/* Nobody may have it: it is the one deleted last, or unheard of. */
	s = r->id == 0 ? last : NULL;
	if (s == NULL)
		s = stream_new(st, r->id, r->name);
	if (s == NULL)
		return -ENOMEM;
	s->listing = st->listings;
	judge_there(c, s, r, begin_ns);
	return 0;
}

static int
judge_listing(struct check *c, const struct client *k)
{
	struct streams_state *st = c->state;
	size_t prefix_len = strlen(k->prefix);
	struct stream *s;
	uint32_t i;
	int err = 0;

	st->listings++;
	for (i = 0; i < k->nrows && err == 0; i++)
		err = judge_row(c, &k->rows[i], k->begin_ns);
	for (i = 0; i < BUCKETS; i++)
		for (s = st->buckets[i]; s != NULL; s = s->next)
			if (s->listing != st->listings &&
			    strncmp(s->name, k->prefix, prefix_len) == 0)
				judge_gone(c, s, k->begin_ns);
	sweep(c);
	return err;
}

/* events of operations */

/* An operation takes too long: told once, on the availability clock. */
static void
judge_op(struct check *c, struct stream *s, bool is_over)
{
	static const char *const names[] = {"", "add", "fill", "delete"};
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT};
	struct check_time t = {s->op_ns, c->config->op_timeout_ns, is_over};

	if (s->op == OP_NONE || s->op_told || !check_is_late(c, &t))
		return;
	s->op_told = true;
	a.ids[0] = s->id;
	check_raise_late(c, &a, &t,
	    "%s of stream %s (%u:%llu) was tried %u times without success",
	    names[s->op], s->name, message_id_source(s->id),
	    (unsigned long long)message_id_counter(s->id), s->attempts);
}

static void
op_begin(struct check *c, struct stream *s, enum op op)
{
	s->op = op;
	s->op_ns = c->now_ns;
	s->op_told = false;
	s->attempts = 0;
}

static int
on_add(struct check *c, const struct event *ev)
{
	const struct msg_stream_add *m = &ev->u.stream_add;
	struct streams_state *st = c->state;
	struct client *k = client_at(c, ev->source);
	struct stream *s, *old;

	if (k == NULL)
		return -ENOMEM;
	s = find_id(c, ev->source, m->id);
	if (s == NULL) {
		old = of_name(st->buckets[bucket_of(m->name)], m->name);
		s = stream_new(st, m->id, m->name);
		if (s == NULL)
			return -ENOMEM;
		for (; old != NULL; old = of_name(old->next, m->name))
			s->is_threatened |= old->removes_open > 0;
		s->source = ev->source;
		s->variant = m->variant;
	}
	k->current = s;
	if (s->op != OP_ADD)
		op_begin(c, s, OP_ADD);
	s->attempts = m->attempt;
	s->adds_open++;
	return 0;
}

static int
on_add_ok(struct check *c, struct stream *s, const struct msg_stream_add_ok *m)
{
	judge_op(c, s, true);
	if (s->adds_open > 0)
		s->adds_open--;
	s->added_ns = c->now_ns;
	s->created = m->created;
	op_begin(c, s, OP_FILL);
	return 0;
}

static int
on_remove(struct check *c, const struct event *ev)
{
	const struct msg_stream_remove *m = &ev->u.stream_remove;
	struct client *k = client_at(c, ev->source);
	struct stream *s;
	unsigned i;

	if (k == NULL)
		return -ENOMEM;
	s = find_id(c, ev->source, m->id);
	if (s == NULL)
		return 0;
	k->current = s;
	for (i = 0; i < FLAWS; i++)
		right(c, s, i, "it was then deleted");
	if (s->op != OP_REMOVE)
		op_begin(c, s, OP_REMOVE);
	s->attempts = m->attempt;
	s->removes_open++;
	return 0;
}

static int
on_remove_ok(struct check *c, struct stream *s)
{
	judge_op(c, s, true);
	if (s->removes_open > 0)
		s->removes_open--;
	s->removed_ns = c->now_ns;
	s->op = OP_NONE;
	return 0;
}

static int
on_failed(
    struct check *c, struct stream *s, const struct msg_stream_op_failed *m)
{
	judge_op(c, s, false);
	if (s->op == OP_FILL)
		s->attempts++;
	if (!m->certain)
		return 0;
	if (s->op == OP_ADD && s->adds_open > 0)
		s->adds_open--;
	else if (s->op == OP_REMOVE && s->removes_open > 0)
		s->removes_open--;
	return 0;
}

static int
on_filled(struct check *c, struct stream *s, const struct msg_stream_filled *m)
{
	judge_op(c, s, true);
	if (m->seq > s->last_seq) {
		s->last_seq = m->seq;
		s->acked++;
	}
	s->filled_ns = c->now_ns;
	op_begin(c, s, OP_FILL);
	return 0;
}

/* The state of one stream: its client asked when nothing was open. */
static int
on_counted(
    struct check *c, struct stream *s, const struct msg_stream_counted *m)
{
	struct row r = {.id = m->id, .variant = s->variant};

	r.messages = m->messages;
	r.created = m->created;
	if (m->found)
		judge_there(c, s, &r, c->now_ns);
	else
		judge_gone(c, s, c->now_ns);
	return 0;
}

/* events of listings */

static int
on_list(struct check *c, const struct event *ev)
{
	struct client *k = client_at(c, ev->source);

	if (k == NULL)
		return -ENOMEM;
	k->is_listing = true;
	k->list = ev->u.stream_list.list;
	k->begin_ns = ev->time_ns;
	k->nrows = 0;
	text_set(k->prefix, sizeof(k->prefix), ev->u.stream_list.prefix);
	return 0;
}

static int
on_listed(struct check *c, const struct event *ev)
{
	const struct msg_stream_listed *m = &ev->u.stream_listed;
	struct client *k = client_at(c, ev->source);
	struct row *r;

	if (k == NULL)
		return -ENOMEM;
	if (!k->is_listing || k->list != m->list)
		return 0;
	if (k->nrows == k->room) {
		k->room = k->room != 0 ? k->room * 2 : 16;
		r = realloc(k->rows, k->room * sizeof(*r));
		if (r == NULL)
			return -ENOMEM;
		k->rows = r;
	}
	r = &k->rows[k->nrows++];
	*r = (struct row){m->id, m->messages, m->created, m->variant, ""};
	text_set(r->name, sizeof(r->name), m->name);
	return 0;
}

static void
judge_failing(struct check *c, struct client *k, uint32_t source, bool is_over)
{
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT};
	struct check_time t = {
	    k->failing_ns, c->config->op_timeout_ns, is_over};

	if (k->failing_ns == 0 || k->told || !check_is_late(c, &t))
		return;
	k->told = true;
	check_raise_late(
	    c, &a, &t, "no listing of streams by client %u succeeded", source);
}

static int
on_list_end(struct check *c, const struct event *ev)
{
	const struct msg_stream_list_end *m = &ev->u.stream_list_end;
	struct client *k = client_at(c, ev->source);

	if (k == NULL)
		return -ENOMEM;
	if (!k->is_listing || k->list != m->list)
		return 0;
	k->is_listing = false;
	if (!m->ok) {
		if (k->failing_ns == 0)
			k->failing_ns = k->begin_ns;
		judge_failing(c, k, ev->source, false);
		return 0;
	}
	judge_failing(c, k, ev->source, true);
	k->failing_ns = 0;
	k->told = false;
	if (m->count != k->nrows)
		return 0; /* rows are missing: the gap is told elsewhere */
	return judge_listing(c, k);
}

/* the rest of the history */

static int
on_tick(struct check *c)
{
	struct streams_state *st = c->state;
	struct stream *s;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		for (s = st->buckets[i]; s != NULL; s = s->next)
			judge_op(c, s, false);
	for (i = 0; i < st->nclients; i++)
		judge_failing(c, &st->clients[i], i, false);
	return 0;
}

/* What a dead client was at is unknown, and no longer tried. */
static int
on_child_exit(struct check *c, uint32_t source)
{
	struct streams_state *st = c->state;
	struct client *k;

	if (source >= st->nclients)
		return 0;
	k = &st->clients[source];
	if (k->current != NULL)
		k->current->op = OP_NONE;
	k->current = NULL;
	k->is_listing = false;
	k->failing_ns = 0;
	return 0;
}

static int
on_leader(struct check *c, const struct msg_leader *m)
{
	struct streams_state *st = c->state;

	if (m->what != 1 || strcmp(st->meta, m->leader) == 0)
		return 0;
	/* The first that is heard of is no change. */
	if (st->meta[0] != '\0')
		st->meta_ns = c->now_ns;
	text_set(st->meta, sizeof(st->meta), m->leader);
	return 0;
}

static int
on_stream_event(struct check *c, const struct event *ev)
{
	/* The id is the first field of all these messages. */
	struct stream *s = find_id(c, ev->source, ev->u.stream_add_ok.id);

	if (s == NULL)
		return 0;
	switch ((unsigned)ev->type) {
	case MESSAGE_STREAM_ADD_OK:
		return on_add_ok(c, s, &ev->u.stream_add_ok);
	case MESSAGE_STREAM_REMOVE_OK:
		return on_remove_ok(c, s);
	case MESSAGE_STREAM_OP_FAILED:
		return on_failed(c, s, &ev->u.stream_op_failed);
	case MESSAGE_STREAM_FILLED:
		return on_filled(c, s, &ev->u.stream_filled);
	case MESSAGE_STREAM_COUNTED:
		return on_counted(c, s, &ev->u.stream_counted);
	default: /* STREAM_OP_END */
		judge_op(c, s, true);
		s->op = OP_NONE;
		return 0;
	}
}

static int
streams_event(struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_STREAM_ADD:
		return on_add(c, ev);
	case MESSAGE_STREAM_REMOVE:
		return on_remove(c, ev);
	case MESSAGE_STREAM_LIST:
		return on_list(c, ev);
	case MESSAGE_STREAM_LISTED:
		return on_listed(c, ev);
	case MESSAGE_STREAM_LIST_END:
		return on_list_end(c, ev);
	case MESSAGE_TICK:
		return on_tick(c);
	case MESSAGE_LEADER:
		return on_leader(c, &ev->u.leader);
	case MESSAGE_CHILD_EXIT:
		return on_child_exit(c, ev->u.child_exit.child);
	default:
		return on_stream_event(c, ev);
	}
}

/* What was wrong to the end, for too short a time to convict. */
static void
streams_finish(struct check *c)
{
	struct streams_state *st = c->state;
	struct stream *s;
	unsigned i, flaw;

	for (i = 0; i < BUCKETS; i++)
		for (s = st->buckets[i]; s != NULL; s = s->next)
			for (flaw = 0; flaw < FLAWS; flaw++) {
				if (s->flaws[flaw].first_ns == 0 ||
				    s->flaws[flaw].told)
					continue;
				if (is_documented(c, flaw)) {
					raise_flaw(c, s, flaw, CLASS_DOCUMENTED,
					    "memory storage and a fault");
					continue;
				}
				raise_flaw(c, s, flaw, CLASS_WARNING,
				    "it was so to the end, too short a time "
				    "to tell");
				check_doubt(c,
				    "stream %s %s at the end, which was not "
				    "watched for long enough",
				    s->name, flaw_kinds[flaw].what);
			}
}

/* An attempt that was not answered may take effect at any later time. */
static bool
is_open(const struct check *c, uint64_t id)
{
	const struct streams_state *st = c->state;
	const struct stream *s;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		for (s = st->buckets[i]; s != NULL; s = s->next)
			if (s->id == id && id != 0)
				return s->adds_open > 0 || s->removes_open > 0;
	return false;
}

static bool
streams_needs(const struct check *c, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_STREAM_ADD:
		return is_open(c, ev->u.stream_add.id);
	case MESSAGE_STREAM_REMOVE:
		return is_open(c, ev->u.stream_remove.id);
	case MESSAGE_STREAM_OP_FAILED:
		return is_open(c, ev->u.stream_op_failed.id);
	case MESSAGE_STREAM_OP_END:
		return is_open(c, ev->u.stream_op_end.id);
	default:
		return false;
	}
}

static void
streams_fini(struct check *c)
{
	struct streams_state *st = c->state;
	struct stream *s;
	unsigned i;

	for (i = 0; i < BUCKETS; i++)
		while ((s = st->buckets[i]) != NULL) {
			st->buckets[i] = s->next;
			free(s);
		}
	for (i = 0; i < st->nclients; i++)
		free(st->clients[i].rows);
	free(st->clients);
}

static const enum message_type types[] = {MESSAGE_STREAM_ADD,
    MESSAGE_STREAM_ADD_OK, MESSAGE_STREAM_REMOVE, MESSAGE_STREAM_REMOVE_OK,
    MESSAGE_STREAM_OP_FAILED, MESSAGE_STREAM_FILLED, MESSAGE_STREAM_LIST,
    MESSAGE_STREAM_LISTED, MESSAGE_STREAM_LIST_END, MESSAGE_STREAM_COUNTED,
    MESSAGE_STREAM_OP_END, MESSAGE_TICK, MESSAGE_LEADER, MESSAGE_CHILD_EXIT, 0};

const struct check_ops check_streams = {
    .name = "streams",
    .summary = "listings show the streams that exist, whole, and no others",
    .rule = "guarantees 12",
    .types = types,
    .state_size = sizeof(struct streams_state),
    .event = streams_event,
    .needs = streams_needs,
    .finish = streams_finish,
    .fini = streams_fini,
};
