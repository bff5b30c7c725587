/* SPDX-License-Identifier: ISC */
/*
 * add-remove-streams: each client works on streams of its own:
 *
 *	for i in 1..N { one of { add a stream, delete one, nothing };
 *	list the streams; verify the list }
 *
 * A stream gets a few messages when it is added; they are counted in each
 * listing and before it is deleted. Its configuration says which stream it
 * is: the id stands in the description, the variant in numbers that the
 * server keeps. An add or delete is retried until it is answered; a name is
 * only used again when its first life had no attempt without an answer,
 * since such an attempt may take effect at any later time.
 *
 * What is judged is judged centrally (check/streams.c). A client compares
 * too, but only to know when to look again: while a listing is wrong it
 * does nothing else, until a listing is right or the parent, or its own
 * patience, gives up. The audit compares with what the clients, at their
 * end, said that there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define ADD_MS	  3000
#define REMOVE_MS 2000
#define LIST_MS	  3000
/*
 * A server that gathers states waits 4 s for streams without a leader: too
 * long in an election, when the names are answer enough.
 */
#define STATES_MS      1500
#define STATES_LAST_MS 8000
#define NAMES_ONLY_NS  (5 * CLOCK_S) /* after that took too long */
#define STATE_MS       2000
#define FILL_NS	       CLOCK_S
#define FILL_BYTES     64
#define PATIENCE_NS    (120 * CLOCK_S) /* with a listing that stays wrong */
#define LAST_NS	       (20 * CLOCK_S)  /* beyond --op-timeout, after STOP */
/* The check wants 30 s; a fault or election may eat the first of them. */
#define AUDIT_WRONG_NS (45 * CLOCK_S)
#define AUDIT_NS       (90 * CLOCK_S)
#define STATE_TRIES    3
#define USED_MAX       8
#define VARIANTS       8
#define VARIANT_NONE   UINT32_MAX /* a configuration that nobody gave */
#define SIZE_LEAST     4096	  /* max_msg_size of variant 0 */
#define DEDUPE_LEAST   60	  /* its duplicate window, in seconds */
#define WHOLE_CLIENTS  8	  /* clients that always list everything */
#define INDICES	       65000	  /* stream numbers to share out */
#define DESCRIPTION    "natsburn stream "

struct ar_options {
	uint64_t min, max, messages, again;
};

enum held_state {
	HELD_GOOD,     /* must be there */
	HELD_DOUBTFUL, /* may be there: an attempt was not answered */
	HELD_STRAY,    /* listed, and nobody has it */
	HELD_IGNORED   /* stayed wrong for too long */
};

/* A stream of this client. */
struct held {
	uint64_t id;
	enum held_state state;
	uint32_t variant, attempts;
	uint64_t filled, created;
	bool is_listed, is_wrong; /* in the latest listing */
	char name[64], subject[96];
};

struct used {
	char name[64], subject[96];
};

/* A row of a listing. */
struct row {
	char name[64];
	uint64_t id, messages, created;
	uint32_t variant;
};

struct view {
	struct row *rows;
	size_t n;
	bool is_thorough;	/* wait for states, ask for those that lack */
	bool has_states;	/* of every row */
	uint64_t names_only_ns; /* until then states are not asked for */
	char stateless[64];
};

struct ar_state {
	struct rng rng;
	uint64_t next, names, listings;
	struct held *held;
	size_t nheld, room;
	struct used used[USED_MAX]; /* names fit to be used again */
	size_t nused;
	struct view view;  /* the latest listing */
	uint64_t wrong_ns; /* since when listings are wrong; 0: they aren't */
	struct backoff pause, failing;
	uint64_t at;   /* id of the operation that is going on */
	bool given_up; /* by the parent */
	uint64_t stop_ns;
};

static const struct option_spec options[] = {
    {"min", OPTION_U64, offsetof(struct ar_options, min), 8, "1", 0, 1000, NULL,
	"N", "fewest streams of a client", false},
    {"max", OPTION_U64, offsetof(struct ar_options, max), 8, "10", 1, 1000,
	NULL, "N", "most streams of a client", false},
    {"messages", OPTION_U64, offsetof(struct ar_options, messages), 8, "3", 0,
	1000, NULL, "N", "messages put into a new stream", false},
    {"again", OPTION_U64, offsetof(struct ar_options, again), 8, "30", 0, 100,
	NULL, "PERCENT", "adds that use the name of a deleted stream", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

/* names */

static void
prefix_whole(const struct worker *w, char *name, size_t size)
{
	worker_stream_name(w, "", name, size);
}

static void
prefix_own(const struct worker *w, char *name, size_t size)
{
	char suffix[16];

	text_format(suffix, sizeof(suffix), "%u_", w->source);
	worker_stream_name(w, suffix, name, size);
}

/* A subject that all streams of a listing have. */
static void
filter_of(const struct worker *w, bool is_whole, char *out, size_t size)
{
	char suffix[16] = ">";

	if (!is_whole)
		text_format(suffix, sizeof(suffix), "%u.>", w->source);
	worker_subject(w, suffix, out, size);
}

/* A name is a client's, an incarnation's, and new. */
static void
name_new(struct worker *w, struct held *h)
{
	struct ar_state *s = w->state;
	char suffix[64];

	s->names++;
	text_format(suffix, sizeof(suffix), "%u_%u_%llu", w->source,
	    w->incarnation, (unsigned long long)s->names);
	worker_stream_name(w, suffix, h->name, sizeof(h->name));
	text_format(suffix, sizeof(suffix), "%u.%u.%llu", w->source,
	    w->incarnation, (unsigned long long)s->names);
	worker_subject(w, suffix, h->subject, sizeof(h->subject));
}

/* configurations */

static void
config_of(const struct worker *w, const struct held *h, jsStreamConfig *sc,
    char *description, size_t size)
{
	text_format(
	    description, size, DESCRIPTION "%llu", (unsigned long long)h->id);
	(void)jsStreamConfig_Init(sc); /* can't fail: not NULL */
	sc->Name = h->name;
	sc->Description = description;
	sc->Replicas = (int64_t)w->config.replicas;
	sc->Storage = strcmp(w->config.storage, "memory") == 0
			  ? js_MemoryStorage
			  : js_FileStorage;
	sc->MaxMsgSize = (int32_t)(SIZE_LEAST + h->variant);
	sc->Duplicates = (int64_t)((DEDUPE_LEAST + h->variant) * CLOCK_S);
}

/* Which of our configurations it is, all its parts agreeing. */
static uint32_t
variant_of(const struct worker *w, const jsStreamConfig *sc)
{
	int64_t v = sc->MaxMsgSize - SIZE_LEAST;
	bool is_memory = strcmp(w->config.storage, "memory") == 0;

	if (v < 0 || v >= VARIANTS ||
	    sc->Duplicates != (DEDUPE_LEAST + v) * (int64_t)CLOCK_S ||
	    sc->Replicas != (int64_t)w->config.replicas ||
	    sc->Storage != (is_memory ? js_MemoryStorage : js_FileStorage))
		return VARIANT_NONE;
	return (uint32_t)v;
}

static uint64_t
id_of(const jsStreamConfig *sc)
{
	size_t len = sizeof(DESCRIPTION) - 1;
	uint64_t id = 0;

	if (sc->Description == NULL ||
	    strncmp(sc->Description, DESCRIPTION, len) != 0 ||
	    text_to_u64(sc->Description + len, UINT64_MAX, &id) < 0)
		return 0;
	return id;
}

/* events */

static void
say(struct worker *w, struct event *ev)
{
	child_emit(&w->child, ev);
	child_flush(&w->child);
}

static void
say_failed(struct worker *w, uint64_t id, bool certain)
{
	struct event ev = {.type = MESSAGE_STREAM_OP_FAILED};
	struct msg_stream_op_failed *m = &ev.u.stream_op_failed;

	m->id = id;
	m->certain = certain;
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	say(w, &ev);
}

static void
say_end(struct worker *w, uint64_t id, enum outcome outcome)
{
	static const uint8_t numbers[] = {
	    [OUTCOME_OK] = 0, [OUTCOME_FAIL] = 1, [OUTCOME_UNKNOWN] = 2};
	struct event ev = {.type = MESSAGE_STREAM_OP_END};

	ev.u.stream_op_end.id = id;
	ev.u.stream_op_end.outcome = numbers[outcome];
	say(w, &ev);
}

static void
say_counted(struct worker *w, uint64_t id, const jsStreamInfo *si)
{
	struct event ev = {.type = MESSAGE_STREAM_COUNTED};

	ev.u.stream_counted.id = id;
	if (si != NULL) {
		ev.u.stream_counted.found = 1;
		ev.u.stream_counted.messages = si->State.Msgs;
		ev.u.stream_counted.created = (uint64_t)si->Created;
	}
	say(w, &ev);
}

/* listings */

static void
view_clear(struct view *v)
{
	free(v->rows);
	v->rows = NULL;
	v->n = 0;
	v->has_states = false;
}

static int
info_order(const void *a, const void *b)
{
	const jsStreamInfo *const *x = a, *const *y = b;

	return strcmp((*x)->Config->Name, (*y)->Config->Name);
}

static int
info_match(const void *name, const void *b)
{
	const jsStreamInfo *const *y = b;

	return strcmp(name, (*y)->Config->Name);
}

static int
row_order(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
row_state(const struct worker *w, struct row *r, const jsStreamInfo *si)
{
	r->id = id_of(si->Config);
	r->variant = variant_of(w, si->Config);
	r->messages = si->State.Msgs;
	r->created = (uint64_t)si->Created;
}

/* What the listing of states knows of the streams named. */
static void
view_states(struct worker *w, struct view *v, jsStreamInfoList *infos)
{
	jsStreamInfo **si;
	size_t i, n = infos != NULL ? (size_t)infos->Count : 0;

	if (n == 0)
		return;
	qsort(infos->List, n, sizeof(infos->List[0]), info_order);
	for (i = 0; i < v->n; i++) {
		si = bsearch(v->rows[i].name, infos->List, n,
		    sizeof(infos->List[0]), info_match);
		if (si != NULL)
			row_state(w, &v->rows[i], *si);
	}
}

/*
 * Ask for states that the listing lacked, one by one. A leader need not
 * take part in listings to be there: on 2.9.10 one of a stream that was
 * deleted and added again did not for minutes.
 */
static void
view_ask(struct worker *w, struct view *v)
{
	jsStreamInfo *si;
	jsErrCode code;
	jsOptions jo;
	size_t i;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = STATE_MS;
	v->has_states = true;
	for (i = 0; i < v->n; i++) {
		if (v->rows[i].created != 0)
			continue;
		si = NULL;
		if (v->is_thorough &&
		    js_GetStreamInfo(&si, w->session.js, v->rows[i].name, &jo,
			&code) == NATS_OK) {
			row_state(w, &v->rows[i], si);
			jsStreamInfo_Destroy(si);
			child_beat(&w->child);
			continue;
		}
		v->has_states = false;
		text_set(v->stateless, sizeof(v->stateless), v->rows[i].name);
		if (v->is_thorough)
			return; /* it can take seconds each: not now */
	}
}

static int
view_names(struct view *v, const jsStreamNamesList *names, const char *prefix)
{
	size_t i, n = names != NULL ? (size_t)names->Count : 0;

	if (n == 0)
		return 0;
	v->rows = calloc(n, sizeof(*v->rows));
	if (v->rows == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (strncmp(names->List[i], prefix, strlen(prefix)) == 0)
			text_set(v->rows[v->n++].name, sizeof(v->rows[0].name),
			    names->List[i]);
	/* The library hands them out in no order. */
	qsort(v->rows, v->n, sizeof(*v->rows), row_order);
	return 0;
}

static void
say_view(struct worker *w, const struct view *v, uint64_t list)
{
	struct event ev;
	struct msg_stream_listed *m;
	size_t i;

	for (i = 0; i < v->n; i++) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_LISTED;
		m = &ev.u.stream_listed;
		m->list = list;
		m->id = v->rows[i].id;
		m->variant = v->rows[i].variant;
		m->messages = v->rows[i].messages;
		m->created = v->rows[i].created;
		text_set(m->name, sizeof(m->name), v->rows[i].name);
		child_emit(&w->child, &ev);
	}
}

/*
 * Names and then states, by both requests that there are. The names decide
 * what is there. 0, or -errno when the names could not be had: that says
 * nothing of what is there.
 */
static int
view_fetch(struct worker *w, struct view *v, const char *prefix, bool is_whole)
{
	jsStreamNamesList *names = NULL;
	jsStreamInfoList *infos = NULL;
	jsErrCode code = 0;
	char filter[96];
	jsOptions jo;
	natsStatus st;
	int err;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = LIST_MS + (int64_t)w->config.clients; /* more pages */
	/* A cluster of our own has no other streams: all of it is listed. */
	if (!is_whole || !w->config.servers_are_ours) {
		filter_of(w, is_whole, filter, sizeof(filter));
		jo.Stream.Info.SubjectsFilter = filter;
	}
	st = js_StreamNames(&names, w->session.js, &jo, &code);
	/* Without an error code "not found" is how it says "none". */
	if (st != NATS_OK && !(st == NATS_NOT_FOUND && code == 0)) {
		(void)session_outcome(&w->session, st, code);
		return -EIO;
	}
	child_beat(&w->child);
	err = view_names(v, names, prefix);
	jsStreamNamesList_Destroy(names);
	if (err < 0 || v->n == 0) {
		v->has_states = true;
		return err;
	}
	if (!v->is_thorough && clock_mono_ns() < v->names_only_ns)
		return 0;
	jo.Wait = (v->is_thorough ? STATES_LAST_MS : STATES_MS) +
		  (int64_t)w->config.clients * 2;
	if (js_Streams(&infos, w->session.js, &jo, &code) != NATS_OK)
		v->names_only_ns = clock_mono_ns() + NAMES_ONLY_NS;
	else
		view_states(w, v, infos);
	jsStreamInfoList_Destroy(infos);
	view_ask(w, v);
	return 0;
}

/* One listing with its events: 0 with v filled in, or -errno. */
static int
list_streams(struct worker *w, struct view *v, uint64_t list, bool is_whole)
{
	struct event begin = {.type = MESSAGE_STREAM_LIST};
	struct event end = {.type = MESSAGE_STREAM_LIST_END};
	char *prefix = begin.u.stream_list.prefix;
	int err;

	view_clear(v);
	begin.u.stream_list.list = list;
	if (is_whole)
		prefix_whole(w, prefix, sizeof(begin.u.stream_list.prefix));
	else
		prefix_own(w, prefix, sizeof(begin.u.stream_list.prefix));
	say(w, &begin);
	err = view_fetch(w, v, prefix, is_whole);
	end.u.stream_list_end.list = list;
	end.u.stream_list_end.ok = err == 0;
	if (err == 0) {
		say_view(w, v, list);
		end.u.stream_list_end.count = (uint32_t)v->n;
	} else
		text_set(end.u.stream_list_end.why,
		    sizeof(end.u.stream_list_end.why), w->session.why);
	say(w, &end);
	return err;
}

/* the streams of a client */

static struct held *
held_add(struct ar_state *s, const struct held *h)
{
	size_t room = s->room != 0 ? s->room * 2 : 16;
	struct held *grown;

	if (s->nheld == s->room) {
		grown = realloc(s->held, room * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		s->held = grown;
		s->room = room;
	}
	s->held[s->nheld] = *h;
	return &s->held[s->nheld++];
}

static void
held_drop(struct ar_state *s, size_t i)
{
	s->held[i] = s->held[--s->nheld];
}

static struct held *
held_find(struct ar_state *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nheld; i++)
		if (strcmp(s->held[i].name, name) == 0)
			return &s->held[i];
	return NULL;
}

static size_t
held_good(const struct ar_state *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->nheld; i++)
		n += s->held[i].state == HELD_GOOD;
	return n;
}

/* The prefix of names that only this process uses. */
static bool
is_own_name(const struct worker *w, const char *name)
{
	char suffix[32], prefix[64];

	text_format(
	    suffix, sizeof(suffix), "%u_%u_", w->source, w->incarnation);
	worker_stream_name(w, suffix, prefix, sizeof(prefix));
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool
row_is_wrong(const struct worker *w, const struct held *h, const struct row *r)
{
	if (r->created == 0)
		return false; /* its state isn't known */
	if (r->id != h->id || r->variant != h->variant)
		return true;
	/* Memory storage may forget: not worth waiting for. */
	return r->messages < h->filled &&
	       strcmp(w->config.storage, "memory") != 0;
}

static void
verify_row(struct worker *w, const struct row *r)
{
	struct ar_state *s = w->state;
	struct held *h = held_find(s, r->name), stray = {0};

	if (h == NULL) {
		if (!is_own_name(w, r->name))
			return;
		stray.id = r->id;
		stray.state = HELD_STRAY;
		text_set(stray.name, sizeof(stray.name), r->name);
		h = held_add(s, &stray);
		if (h == NULL)
			return; /* the check sees it anyway */
	}
	h->is_listed = true;
	if (h->state == HELD_STRAY)
		h->is_wrong = true;
	else if (h->state == HELD_GOOD)
		h->is_wrong = row_is_wrong(w, h, r);
}

/* Compare the latest listing with what there should be. */
static bool
verify(struct worker *w)
{
	struct ar_state *s = w->state;
	struct held *h;
	bool is_right = true;
	size_t i;

	for (i = 0; i < s->nheld; i++)
		s->held[i].is_listed = s->held[i].is_wrong = false;
	for (i = 0; i < s->view.n; i++)
		verify_row(w, &s->view.rows[i]);
	for (i = 0; i < s->nheld;) {
		h = &s->held[i];
		if (h->state == HELD_STRAY && !h->is_listed) {
			held_drop(s, i);
			continue;
		}
		if (h->state == HELD_GOOD && !h->is_listed)
			h->is_wrong = true;
		is_right &= !h->is_wrong;
		i++;
	}
	return is_right;
}

/* List and verify; sets when listings began to be wrong, or are right. */
static int
list_verify(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t clients = w->config.clients;
	bool is_whole = clients <= WHOLE_CLIENTS ||
			rng_below(&s->rng, clients) < WHOLE_CLIENTS;
	int err;

	s->view.is_thorough = s->wrong_ns != 0;
	err = list_streams(w, &s->view, ++s->listings, is_whole);
	if (err < 0)
		return err;
	if (verify(w))
		s->wrong_ns = 0;
	else if (s->wrong_ns == 0) {
		s->wrong_ns = clock_mono_ns();
		s->pause.step = 0;
	}
	return 0;
}

/* What stayed wrong no longer matters here; the check has it in mind. */
static void
ignore_wrong(struct ar_state *s)
{
	size_t i;

	for (i = 0; i < s->nheld; i++)
		if (s->held[i].is_wrong)
			s->held[i].state = HELD_IGNORED;
	s->wrong_ns = 0;
}

/* operations */

/* After a failed attempt: whether another one follows. Pauses if so. */
static bool
tries_again(struct worker *w, struct backoff *b)
{
	struct ar_state *s = w->state;
	bool stopping = worker_commands(w, 0);

	if (stopping && s->stop_ns == 0)
		s->stop_ns = clock_mono_ns();
	if (s->given_up ||
	    (stopping &&
		clock_mono_ns() >= s->stop_ns + w->config.op_timeout_ns))
		return false;
	session_backoff(b, &w->child);
	return true;
}

static enum outcome
add_once(struct worker *w, struct held *h)
{
	struct event ev = {.type = MESSAGE_STREAM_ADD};
	const char *subjects[1] = {h->subject};
	jsStreamInfo *si = NULL;
	jsErrCode code = 0;
	char description[64];
	jsStreamConfig sc;
	jsOptions jo;
	natsStatus st;
	bool certain;

	ev.u.stream_add.id = h->id;
	ev.u.stream_add.attempt = ++h->attempts;
	ev.u.stream_add.variant = h->variant;
	text_set(ev.u.stream_add.name, sizeof(ev.u.stream_add.name), h->name);
	say(w, &ev);
	config_of(w, h, &sc, description, sizeof(description));
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = ADD_MS;
	st = js_AddStream(&si, w->session.js, &sc, &jo, &code);
	if (session_outcome(&w->session, st, code) == OUTCOME_OK) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_ADD_OK;
		ev.u.stream_add_ok.id = h->id;
		ev.u.stream_add_ok.variant = variant_of(w, si->Config);
		ev.u.stream_add_ok.created = (uint64_t)si->Created;
		h->created = (uint64_t)si->Created;
		jsStreamInfo_Destroy(si);
		say(w, &ev);
		return OUTCOME_OK;
	}
	/* Refused before anything was proposed: name in use, no peers. */
	certain = st == NATS_NO_RESPONDERS || code == JSStreamNameExistErr ||
		  code == JSClusterNoPeersErr;
	say_failed(w, h->id, certain);
	return certain ? OUTCOME_FAIL : OUTCOME_UNKNOWN;
}

/* Put the messages in: false when it was given up. */
static bool
fill(struct worker *w, struct held *h)
{
	const struct ar_options *o = w->options;
	struct payload p = {.run = w->config.run,
	    .id = h->id,
	    .incarnation = w->incarnation,
	    .size = FILL_BYTES};
	struct event ev = {.type = MESSAGE_STREAM_FILLED};
	uint8_t data[FILL_BYTES];
	struct backoff b = {0};
	bool duplicate;
	char id[96];

	payload_write(&p, data);
	while (h->filled < o->messages) {
		text_format(id, sizeof(id), "%llx-%llx-%llu",
		    (unsigned long long)w->config.run,
		    (unsigned long long)h->id, (unsigned long long)h->filled);
		if (session_publish(&w->session, h->subject, data, sizeof(data),
			id, FILL_NS, &ev.u.stream_filled.seq,
			&duplicate) == OUTCOME_OK) {
			ev.u.stream_filled.id = h->id;
			say(w, &ev);
			h->filled++;
			b.step = 0;
			continue;
		}
		say_failed(w, h->id, w->session.status == NATS_NO_RESPONDERS);
		if (!tries_again(w, &b))
			return false;
	}
	return true;
}

/* A name that was used once and cleanly, or a new one. */
static void
name_pick(struct worker *w, struct held *h)
{
	struct ar_state *s = w->state;
	const struct ar_options *o = w->options;
	struct used *u;

	if (s->nused == 0 || rng_below(&s->rng, 100) >= o->again) {
		name_new(w, h);
		return;
	}
	u = &s->used[rng_below(&s->rng, s->nused)];
	text_set(h->name, sizeof(h->name), u->name);
	text_set(h->subject, sizeof(h->subject), u->subject);
	*u = s->used[--s->nused];
}

static void
name_return(struct ar_state *s, const struct held *h)
{
	struct used *u;

	if (s->nused < USED_MAX)
		u = &s->used[s->nused++];
	else
		u = &s->used[rng_below(&s->rng, USED_MAX)];
	text_set(u->name, sizeof(u->name), h->name);
	text_set(u->subject, sizeof(u->subject), h->subject);
}

/* Attempts until one is answered with success: the outcome of them all. */
static enum outcome
add_until_done(struct worker *w, struct held *h)
{
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct backoff b = {0};

	for (;;) {
		outcome = add_once(w, h);
		if (outcome == OUTCOME_OK)
			return OUTCOME_OK;
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		if (!tries_again(w, &b))
			return whole;
	}
}

static int
add_stream(struct worker *w)
{
	struct ar_state *s = w->state;
	struct held h = {.state = HELD_GOOD};
	enum outcome outcome;

	name_pick(w, &h);
	h.id = message_id(w->source, s->next++);
	h.variant = (uint32_t)rng_below(&s->rng, VARIANTS);
	s->at = h.id;
	s->given_up = false;
	outcome = add_until_done(w, &h);
	if (outcome == OUTCOME_UNKNOWN)
		h.state = HELD_DOUBTFUL;
	else if (outcome == OUTCOME_OK && !fill(w, &h))
		outcome = OUTCOME_UNKNOWN;
	say_end(w, h.id, outcome);
	s->at = 0;
	if (outcome == OUTCOME_FAIL)
		return 0;
	return held_add(s, &h) != NULL ? 0 : -ENOMEM;
}

/*
 * Count the messages of a stream that is to be deleted: true when all of
 * them are there. Not to be told how many is no reason to delete it.
 */
static bool
count_messages(struct worker *w, const struct held *h)
{
	struct backoff b = {0};
	jsStreamInfo *si = NULL;
	jsErrCode code;
	jsOptions jo;
	natsStatus st;
	bool is_whole = false;
	unsigned i;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = STATE_MS;
	for (i = 0; i < STATE_TRIES; i++) {
		code = 0;
		st = js_GetStreamInfo(&si, w->session.js, h->name, &jo, &code);
		if (st == NATS_OK || code == JSStreamNotFoundErr)
			break;
		session_backoff(&b, &w->child);
	}
	if (i == STATE_TRIES)
		return false;
	say_counted(w, h->id, si);
	if (si != NULL)
		is_whole = si->State.Msgs >= h->filled ||
			   strcmp(w->config.storage, "memory") == 0;
	jsStreamInfo_Destroy(si);
	return is_whole;
}

/*
 * One attempt. "Not found" is success when an attempt before it was not
 * answered; else it is a wrong answer, and the listings will tell.
 */
static enum outcome
remove_once(
    struct worker *w, const struct held *h, uint32_t attempt, bool is_unknown)
{
	struct event ev = {.type = MESSAGE_STREAM_REMOVE};
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;
	bool is_absent, certain;

	ev.u.stream_remove.id = h->id;
	ev.u.stream_remove.attempt = attempt;
	text_set(
	    ev.u.stream_remove.name, sizeof(ev.u.stream_remove.name), h->name);
	say(w, &ev);
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REMOVE_MS;
	st = js_DeleteStream(w->session.js, h->name, &jo, &code);
	(void)session_outcome(&w->session, st, code);
	is_absent = st != NATS_OK && code == JSStreamNotFoundErr;
	if (st == NATS_OK || (is_absent && is_unknown)) {
		memset(&ev, 0, sizeof(ev));
		ev.type = MESSAGE_STREAM_REMOVE_OK;
		ev.u.stream_remove_ok.id = h->id;
		say(w, &ev);
		return OUTCOME_OK;
	}
	certain = is_absent || st == NATS_NO_RESPONDERS;
	say_failed(w, h->id, certain);
	return certain ? OUTCOME_FAIL : OUTCOME_UNKNOWN;
}

/* Attempts until the stream is deleted: the outcome of them all. */
static enum outcome
remove_until_done(struct worker *w, const struct held *h, uint32_t *attempts)
{
	enum outcome whole = OUTCOME_FAIL, outcome;
	struct backoff b = {0};

	for (;;) {
		outcome =
		    remove_once(w, h, ++*attempts, whole == OUTCOME_UNKNOWN);
		if (outcome == OUTCOME_OK)
			return OUTCOME_OK;
		if (outcome == OUTCOME_UNKNOWN)
			whole = OUTCOME_UNKNOWN;
		else if (w->session.code == JSStreamNotFoundErr)
			return whole;
		if (!tries_again(w, &b))
			return whole;
	}
}

static void
remove_stream(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t pick = rng_below(&s->rng, held_good(s));
	enum outcome outcome;
	uint32_t attempts = 0;
	struct held *h;
	size_t i;

	for (i = 0; s->held[i].state != HELD_GOOD || pick > 0; i++)
		pick -= s->held[i].state == HELD_GOOD;
	h = &s->held[i];
	if (!count_messages(w, h))
		return;
	s->at = h->id;
	s->given_up = false;
	outcome = remove_until_done(w, h, &attempts);
	say_end(w, h->id, outcome);
	s->at = 0;
	if (outcome == OUTCOME_UNKNOWN)
		h->state = HELD_DOUBTFUL;
	if (outcome != OUTCOME_OK)
		return;
	/* No attempt of its life can still come: the name is free. */
	if (h->attempts == 1 && attempts == 1)
		name_return(s, h);
	held_drop(s, i);
}

/* hooks */

static int
ar_setup(struct worker *w)
{
	const struct ar_options *o = w->options;

	if (o->min <= o->max)
		return 0;
	log_error("-o %s.min=%llu is more than max=%llu", w->ops->name,
	    (unsigned long long)o->min, (unsigned long long)o->max);
	return -EINVAL;
}

static int
ar_begin(struct worker *w)
{
	struct ar_state *s = w->state;
	char stream[64];

	text_format(stream, sizeof(stream), "add-remove-streams %u %u",
	    w->source, w->incarnation);
	rng_init(&s->rng, w->config.seed, stream);
	return 0;
}

static int
operate(struct worker *w)
{
	struct ar_state *s = w->state;
	const struct ar_options *o = w->options;
	size_t n = held_good(s);
	uint64_t what = rng_below(&s->rng, 3);

	if (s->next == 0)
		s->next = w->counter;
	if (n < o->min || (what == 0 && n < o->max))
		return add_stream(w);
	if (n > o->min && (what == 1 || n >= o->max))
		remove_stream(w);
	return 0; /* else the round is the listing alone */
}

static int
ar_step(struct worker *w)
{
	struct ar_state *s = w->state;
	int err = 0;

	if (s->wrong_ns == 0)
		err = operate(w);
	else if (clock_mono_ns() - s->wrong_ns > PATIENCE_NS)
		ignore_wrong(s);
	else
		session_backoff(&s->pause, &w->child);
	if (err < 0)
		return err;
	if (list_verify(w) == 0)
		s->failing.step = 0;
	else
		session_backoff(&s->failing, &w->child);
	return 0;
}

static void
ar_command(struct worker *w, const struct event *cmd)
{
	struct ar_state *s = w->state;
	uint64_t id = cmd->u.give_up.id;
	size_t i;

	if (cmd->type != MESSAGE_GIVE_UP || id == 0)
		return;
	if (id == s->at)
		s->given_up = true;
	for (i = 0; i < s->nheld; i++)
		if (s->held[i].id == id && s->held[i].is_wrong)
			s->held[i].state = HELD_IGNORED;
}

/* The audit, and whoever cleans up, learns of a stream through this. */
static void
say_stream(struct worker *w, uint32_t index, const char *name, uint64_t created)
{
	struct event ev = {.type = MESSAGE_STREAM};
	struct msg_stream *m = &ev.u.stream;

	m->stream = index;
	m->created = created;
	m->replicas = (uint32_t)w->config.replicas;
	text_set(m->name, sizeof(m->name), name);
	text_set(m->storage, sizeof(m->storage), w->config.storage);
	child_emit(&w->child, &ev);
}

/* Everything of this client, those of its earlier incarnations too. */
static void
say_streams(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t share = INDICES / w->config.clients, n = 0;
	uint32_t first = (uint32_t)(1 + w->index * share); /* 0: the audit */
	const struct held *h;
	const struct row *r;
	char prefix[64];
	size_t i;

	prefix_own(w, prefix, sizeof(prefix));
	for (i = 0; i < s->nheld && n < share; i++) {
		h = &s->held[i];
		if (h->state == HELD_GOOD ||
		    (h->state != HELD_STRAY && h->is_listed))
			say_stream(
			    w, first + (uint32_t)n++, h->name, h->created);
	}
	for (i = 0; i < s->view.n && n < share; i++) {
		r = &s->view.rows[i];
		if (strncmp(r->name, prefix, strlen(prefix)) == 0 &&
		    !is_own_name(w, r->name))
			say_stream(
			    w, first + (uint32_t)n++, r->name, r->created);
	}
}

/* It is right, or was wrong for as long as the check wants to see it. */
static bool
is_settled(struct ar_state *s)
{
	if (s->wrong_ns == 0)
		return true;
	if (clock_mono_ns() - s->wrong_ns < AUDIT_WRONG_NS)
		return false;
	ignore_wrong(s);
	return true;
}

/* The last listing is a right one, if time can make it so. */
static int
ar_drain(struct worker *w)
{
	struct ar_state *s = w->state;
	uint64_t deadline = s->stop_ns != 0 ? s->stop_ns : clock_mono_ns();

	deadline += w->config.op_timeout_ns + LAST_NS;
	s->pause.step = 0;
	while (list_verify(w) < 0 || !is_settled(s)) {
		if (clock_mono_ns() >= deadline)
			break;
		(void)worker_commands(w, 0); /* GIVE_UP may have come */
		session_backoff(&s->pause, &w->child);
	}
	say_streams(w);
	return 0;
}

static void
ar_end(struct worker *w)
{
	struct ar_state *s = w->state;

	view_clear(&s->view);
	free(s->held);
}

/* the audit */

static int
target_order(const void *a, const void *b)
{
	const struct worker_target *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Rows and targets are both sorted: exactly the same names? */
static bool
view_is_expected(const struct worker *w, const struct view *v)
{
	size_t i;

	if (v->n != w->ntargets)
		return false;
	for (i = 0; i < v->n; i++)
		if (strcmp(v->rows[i].name, w->targets[i].name) != 0)
			return false;
	return true;
}

/* What the listings say of a stream is all that its scan says. */
static void
say_scan(struct worker *w, uint32_t stream, const struct row *r)
{
	struct event begin = {.type = MESSAGE_SCAN_BEGIN};
	struct event end = {.type = MESSAGE_SCAN_END};

	begin.u.scan_begin.stream = stream;
	end.u.scan_end.stream = stream;
	end.u.scan_end.complete = 1;
	if (r != NULL) {
		begin.u.scan_begin.messages = r->messages;
		begin.u.scan_begin.created = r->created;
		end.u.scan_end.messages = r->messages;
	}
	child_emit(&w->child, &begin);
	child_emit(&w->child, &end);
}

static void
say_scans(struct worker *w, const struct view *v)
{
	struct row key;
	unsigned i;

	for (i = 0; i < w->ntargets; i++) {
		text_set(key.name, sizeof(key.name), w->targets[i].name);
		say_scan(w, w->targets[i].stream,
		    v->n > 0
			? bsearch(&key, v->rows, v->n, sizeof(key), row_order)
			: NULL);
	}
}

/* Streams that no client told of are to be known to who cleans up. */
static void
say_others(struct worker *w, const struct view *v)
{
	struct worker_target key;
	uint32_t index = 1;
	size_t i;

	for (i = 0; i < w->ntargets; i++)
		if (w->targets[i].stream >= index)
			index = w->targets[i].stream + 1;
	for (i = 0; i < v->n && index <= UINT16_MAX; i++) {
		text_set(key.name, sizeof(key.name), v->rows[i].name);
		if (w->ntargets > 0 && bsearch(&key, w->targets, w->ntargets,
					   sizeof(key), target_order) != NULL)
			continue;
		say_stream(w, index, v->rows[i].name, v->rows[i].created);
		say_scan(w, index++, &v->rows[i]);
	}
}

/* List until it is as expected, or was not for long enough to convict. */
static int
audit_listings(struct worker *w, struct view *v, char *why, size_t size)
{
	uint64_t now = clock_mono_ns(), deadline = now + AUDIT_NS, list = 0;
	uint64_t wrong_ns = 0;
	struct backoff b = {.step = 3};

	for (;; session_backoff(&b, &w->child)) {
		why[0] = '\0';
		if (list_streams(w, v, ++list, true) < 0)
			text_add(
			    why, size, "no listing: %.90s", w->session.why);
		else if (!v->has_states)
			text_add(
			    why, size, "no state of stream %s", v->stateless);
		else if (view_is_expected(w, v))
			return 0;
		now = clock_mono_ns();
		if (wrong_ns == 0 && why[0] == '\0')
			wrong_ns = now;
		/* The check has seen enough, right or wrong. */
		if (why[0] == '\0' && now >= wrong_ns + AUDIT_WRONG_NS)
			return 0;
		if (now >= deadline)
			return why[0] == '\0' ? 0 : -ETIMEDOUT;
	}
}

static int
ar_audit(struct worker *w)
{
	struct event begin = {.type = MESSAGE_SCAN_BEGIN};
	struct event end = {.type = MESSAGE_SCAN_END};
	struct msg_scan_end *m = &end.u.scan_end;
	struct view v = {.is_thorough = true};
	size_t i;
	int err;

	if (w->ntargets > 0)
		qsort(w->targets, w->ntargets, sizeof(w->targets[0]),
		    target_order);
	say(w, &begin);
	err = audit_listings(w, &v, m->why, sizeof(m->why));
	m->complete = err == 0;
	for (i = 0; i < v.n; i++)
		m->messages += v.rows[i].messages;
	say_scans(w, &v);
	say_others(w, &v);
	say(w, &end);
	view_clear(&v);
	return 0;
}

static const struct workload_role roles[] = {
    {"client", WORKLOAD_CLIENTS, true},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_add_remove_streams = {
    .name = "add-remove-streams",
    .summary = "streams are added and deleted, and every listing verified",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct ar_options),
    .state_size = sizeof(struct ar_state),
    .setup = ar_setup,
    .audit = ar_audit,
    .begin = ar_begin,
    .step = ar_step,
    .command = ar_command,
    .drain = ar_drain,
    .end = ar_end,
};
