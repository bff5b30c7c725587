/* SPDX-License-Identifier: ISC */
/*
 * watch: a watch of a bucket shows every final value, in order.
 *
 * Rule (guarantees 23): a watch is an ordered consumer of one replica, which
 * delivers what its filter takes in the order of the stream. So when it has
 * shown a sequence it has shown what lies below and is there: all of that if
 * it asked for all, what was put since it was made if it asked for the last of
 * each key, and of each key in any case the last one, unless another is
 * unknown. It convicts as skipped when it has not; as reorder when it goes
 * back, or shows a sequence twice; as misdelivered when it shows a key that it
 * did not ask for. It is stuck when it does not come to a value that stays.
 *
 * Why no legal behaviour trips it: nothing is expected before something later
 * was shown, so a replica that is behind may be asked. Only what nothing can
 * have removed counts as being there. A consumer that is made anew, by the
 * client or by a server that was started again, counts from its first delivery
 * on (if no server has ended, from when it was made), for it numbers anew and
 * the client sees that; one that goes on behind
 * what was shown has to show all from there. On a replica that is behind it
 * begins at that one's end, below what it was asked for.
 */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/judge/check.h"
#include "proto/base/array.h"

#define KEYS_MAX    65	  /* keys that a watch is judged for, and 0 */
#define WATCHES_MAX 65536 /* at one time */
#define PROBES	    8192  /* sequences below one that is shown */

struct watching {
	uint64_t key;
	struct msg_watch asked;
	uint64_t made_ns;      /* its consumer; 0: it has none yet */
	uint64_t from;	       /* where that goes on; 0: as asked for */
	uint64_t begun, shown; /* sequences that it showed first and last */
	uint64_t latest;       /* by its consumer; 0: nothing yet */
	uint64_t of_key[KEYS_MAX];
};

/* The highest sequence that is known of each key. */
struct bucket {
	uint64_t top[KEYS_MAX];
};

struct watch_state {
	struct hashmap watches; /* struct watching */
	struct bucket *buckets; /* by stream */
	uint32_t nbuckets;
};

/* Something that a watch shows. */
struct showing {
	uint32_t stream, subject;
	uint64_t watch, seq, id;
};

static uint64_t
key_of(uint32_t source, uint64_t watch)
{
	return ((uint64_t)source + 1) << 32 ^ (uint32_t)watch;
}

static struct watching *
find(const struct check *c, uint32_t source, uint64_t watch)
{
	const struct watch_state *st = c->state;

	return hashmap_find(&st->watches, key_of(source, watch));
}

static const char *
name_of(const struct check *c, const struct watching *w)
{
	return ledger_stream(c->ledger, w->asked.stream)->name;
}

static bool
is_watched(const struct watching *w, uint32_t subject)
{
	return subject >= w->asked.first && subject <= w->asked.last;
}

/*
 * Whether it has to be shown if it is there: below one that was shown, above
 * what was shown before.
 */
static bool
is_owed(const struct check *c, const struct watching *w, const struct live *e)
{
	if (w->from != 0 || w->asked.how == WATCH_ALL)
		return true;
	if (w->asked.how == WATCH_FROM)
		return e->seq >= w->asked.from;
	/* A server that was started again may have begun it anew. */
	if (w->latest == 0 && check_lone_class(c, w->asked.stream, true,
				  w->made_ns) != CLASS_VIOLATION)
		return false;
	return (w->latest != 0 && w->asked.how == WATCH_NEW) ||
	       e->invoked_ns > w->made_ns;
}

static void
raise_skipped(
    struct check *c, struct watching *w, uint64_t skipped, uint64_t shown)
{
	const struct live *e =
	    contents_find(c->contents, w->asked.stream, skipped);
	struct anomaly a = {.kind = ANOMALY_SKIPPED,
	    .stream = w->asked.stream,
	    .ids = {e->id},
	    .seqs = {skipped, shown}};

	w->of_key[e->subject] = skipped; /* it is told once */
	check_raise(c, &a,
	    "a watch of %s (%s, keys %u to %u) shows sequence %llu and has not "
	    "shown sequence %llu of key %u, which was acknowledged and which "
	    "nothing has removed",
	    name_of(c, w), message_word(KEY_WATCH, w->asked.how),
	    w->asked.first, w->asked.last, (unsigned long long)shown,
	    (unsigned long long)skipped, e->subject);
}

static bool
is_present(const struct check *c, const struct watching *w, uint64_t seq)
{
	return contents_presence(
		   c->contents, w->asked.stream, seq, c->now_ns) == PRESENT;
}

/* What it has passed over from the one that was shown before to this one. */
static void
judge_gap(struct check *c, struct watching *w, uint64_t shown)
{
	uint64_t seq = w->shown + 1;
	const struct live *e;

	if (shown - seq > PROBES)
		seq = shown - PROBES;
	for (; seq < shown; seq++) {
		e = contents_find(c->contents, w->asked.stream, seq);
		if (e == NULL || !is_watched(w, e->subject) ||
		    !is_owed(c, w, e) || !is_present(c, w, seq))
			continue;
		raise_skipped(c, w, seq, shown);
		return; /* one tells of all of them */
	}
}

/* May the key have a message behind its last one that nobody knows of? */
static bool
is_settled(const struct check *c, const struct watching *w, uint32_t key)
{
	const struct stock *st = contents_stock(c->contents, w->asked.stream);
	const struct lane *lane;

	if (st == NULL || key >= st->lanes.nsubjects)
		return false;
	lane = &st->lanes.subjects[key];
	return lane->pending.messages == 0 && lane->stray.messages == 0;
}

/* The last value of each key, if it lies below what was shown last. */
static void
judge_finals(struct check *c, struct watching *w)
{
	const struct watch_state *st = c->state;
	const uint64_t *top;
	uint32_t key;

	if (w->asked.stream >= st->nbuckets || w->made_ns == 0)
		return;
	top = st->buckets[w->asked.stream].top;
	for (key = w->asked.first; key <= w->asked.last; key++) {
		if (top[key] == 0 || top[key] > w->shown ||
		    w->of_key[key] >= top[key] ||
		    (w->asked.how == WATCH_NEW && top[key] <= w->begun) ||
		    (w->asked.how == WATCH_FROM && top[key] < w->asked.from))
			continue;
		if (is_present(c, w, top[key]) && is_settled(c, w, key))
			raise_skipped(c, w, top[key], w->shown);
	}
}

/* What is wrong with it, whatever is stored: the kind, or ANOMALY_COUNT. */
static enum anomaly_kind
flaw_of(const struct watching *w, const struct showing *m)
{
	if (!is_watched(w, m->subject))
		return ANOMALY_MISDELIVERED;
	return m->seq <= w->latest ? ANOMALY_REORDER : ANOMALY_COUNT;
}

/* Where its consumer was told to begin. */
static uint64_t
start_of(const struct watching *w)
{
	if (w->from != 0)
		return w->from;
	return w->asked.how == WATCH_FROM ? w->asked.from : 0;
}

static int
note_top(struct check *c, uint32_t stream, uint32_t subject, uint64_t seq)
{
	struct watch_state *st = c->state;
	struct bucket *b;

	if (subject == 0 || subject >= KEYS_MAX)
		return 0;
	b = array_at(
	    &st->buckets, &st->nbuckets, stream, sizeof(*b), CHECK_SLOTS_MAX);
	if (b == NULL)
		return -ENOMEM;
	if (b->top[subject] < seq)
		b->top[subject] = seq;
	return 0;
}

static int
on_shown(struct check *c, uint32_t source, const struct showing *m)
{
	struct watching *w = find(c, source, m->watch);
	struct anomaly a = {.stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq, w != NULL ? w->shown : 0}};

	if (w == NULL || w->asked.stream != m->stream || w->made_ns == 0)
		return note_top(c, m->stream, m->subject, m->seq);
	check_judged(c, 1);
	a.kind = flaw_of(w, m);
	a.is_no_loss = a.kind == ANOMALY_MISDELIVERED;
	if (a.kind != ANOMALY_COUNT) {
		check_raise(c, &a,
		    "a watch of %s (%s %llu, keys %u to %u) shows sequence "
		    "%llu, of key %u, after sequence %llu",
		    name_of(c, w), message_word(KEY_WATCH, w->asked.how),
		    (unsigned long long)w->asked.from, w->asked.first,
		    w->asked.last, (unsigned long long)m->seq, m->subject,
		    (unsigned long long)w->latest);
		if (is_watched(w, m->subject) && w->of_key[m->subject] < m->seq)
			w->of_key[m->subject] = m->seq;
		return 0;
	}
	if (m->seq < start_of(w)) {
		w->latest = m->seq;
		return note_top(c, m->stream, m->subject, m->seq);
	}
	judge_gap(c, w, m->seq);
	w->latest = m->seq;
	if (w->begun == 0)
		w->begun = m->seq;
	w->shown = m->seq;
	w->of_key[m->subject] = m->seq;
	return note_top(c, m->stream, m->subject, m->seq);
}

static int
on_begin(struct check *c, uint32_t source, const struct msg_watch *m)
{
	struct watch_state *st = c->state;
	struct watching *w;

	if (ledger_stream(c->ledger, m->stream) == NULL || m->first == 0 ||
	    m->last >= KEYS_MAX || find(c, source, m->watch) != NULL)
		return 0;
	w = hashmap_add(&st->watches, key_of(source, m->watch));
	if (w == NULL)
		return -ENOMEM;
	w->asked = *m;
	return 0;
}

static void
on_made(struct check *c, struct watching *w, const struct msg_watch_made *m)
{
	w->made_ns = c->now_ns;
	w->from = m->from;
	w->latest = 0;
}

/* What was waited for did not come, though it stays. */
static void
judge_waiting(
    struct check *c, const struct watching *w, const struct msg_watch_end *m)
{
	struct check_time t = {
	    m->since_ns, c->config->consume_timeout_ns, true};
	struct anomaly a = {.kind = ANOMALY_STUCK,
	    .stream = m->stream,
	    .seqs = {m->last, w->shown}};

	if (m->ok || !is_present(c, w, m->last) || !check_is_late(c, &t))
		return;
	check_raise_late(c, &a, &t,
	    "a watch of %s (keys %u to %u) has shown nothing behind sequence "
	    "%llu, although sequence %llu was acknowledged",
	    name_of(c, w), w->asked.first, w->asked.last,
	    (unsigned long long)w->shown, (unsigned long long)m->last);
}

static void
on_end(struct check *c, struct watching *w, const struct msg_watch_end *m)
{
	struct watch_state *st = c->state;

	judge_finals(c, w);
	judge_waiting(c, w, m);
	hashmap_remove(&st->watches, w);
}

static void
on_exit_of(struct check *c, uint32_t source)
{
	struct watch_state *st = c->state;
	struct watching *w;
	size_t at = 0;

	while ((w = hashmap_next(&st->watches, &at)) != NULL)
		if (w->key >> 32 == (uint64_t)source + 1) {
			hashmap_remove(&st->watches, w);
			at--;
		}
}

static int
on_publish(struct check *c, const struct msg_publish_ok *m)
{
	const struct publishing *p = contents_publishing(c->contents, m->id);

	return p == NULL ? 0 : note_top(c, m->stream, p->terms.subject, m->seq);
}

static int
watch_event(struct check *c, const struct event *ev)
{
	const struct msg_look_shown *l = &ev->u.look_shown;
	const struct msg_watch_key *k = &ev->u.watch_key;
	const struct showing value = {
	    l->stream, l->subject, l->look, l->seq, l->id};
	const struct showing key = {
	    k->stream, k->subject, k->watch, k->seq, k->id};
	struct watching *w;

	if (ev->type == MESSAGE_WATCH)
		return on_begin(c, ev->source, &ev->u.watch);
	if (ev->type == MESSAGE_PUBLISH_OK)
		return on_publish(c, &ev->u.publish_ok);
	if (ev->type == MESSAGE_LOOK_SHOWN)
		return on_shown(c, ev->source, &value);
	if (ev->type == MESSAGE_WATCH_KEY)
		return on_shown(c, ev->source, &key);
	if (ev->type == MESSAGE_CHILD_EXIT) {
		on_exit_of(c, ev->u.child_exit.child);
		return 0;
	}
	/* The number of the watch is the second field of all others. */
	w = find(c, ev->source, ev->u.watch_made.watch);
	if (w == NULL || w->asked.stream != ev->u.watch_made.stream)
		return 0;
	if (ev->type == MESSAGE_WATCH_MADE)
		on_made(c, w, &ev->u.watch_made);
	else if (ev->type == MESSAGE_WATCH_INITIAL)
		judge_finals(c, w);
	else
		on_end(c, w, &ev->u.watch_end);
	return 0;
}

static int
watch_init(struct check *c)
{
	struct watch_state *st = c->state;

	hashmap_init(&st->watches, sizeof(struct watching), WATCHES_MAX);
	return 0;
}

static void
watch_fini(struct check *c)
{
	struct watch_state *st = c->state;

	hashmap_fini(&st->watches);
	free(st->buckets);
}

static const enum message_type types[] = {MESSAGE_WATCH, MESSAGE_WATCH_MADE,
    MESSAGE_WATCH_INITIAL, MESSAGE_WATCH_KEY, MESSAGE_WATCH_END,
    MESSAGE_LOOK_SHOWN, MESSAGE_PUBLISH_OK, MESSAGE_CHILD_EXIT, 0};

const struct check_ops check_watch = {
    .name = "watch",
    .summary = "watches show every final value, in order, and no other keys",
    .rule = "guarantees 23",
    .types = types,
    .unit = "messages shown by watches",
    .state_size = sizeof(struct watch_state),
    .init = watch_init,
    .event = watch_event,
    .fini = watch_fini,
};
