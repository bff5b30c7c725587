/* SPDX-License-Identifier: ISC */
/*
 * add-remove-streams: one client; add a stream with a few messages, delete
 * one after asking for its state, or nothing; then list the names and the
 * states of all. What is done when is drawn as the workload draws it, so
 * that the same seed gives the same operations: an add costs a hundred
 * times what a listing does. The listings aren't looked at.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "tests/bench/bare.h"

#define FEWEST	      1
#define MOST	      10
#define MESSAGES      3
#define AGAIN	      30 /* percent */
#define USED_MAX      8
#define VARIANTS      8
#define SIZE_LEAST    4096
#define DEDUPE_LEAST  60
#define FILL_BYTES    64
#define ADD_MS	      3000
#define REMOVE_MS     2000
#define STATE_MS      2000
#define LIST_MS	      3000
#define STATES_MS     1500
#define NAMES_ONLY_NS (5 * CLOCK_S) /* after that took too long */

struct name {
	char stream[64], subject[96];
};

struct streams {
	struct rng rng;
	struct name held[MOST], used[USED_MAX];
	size_t nheld, nused;
	uint64_t names, ids;
	uint64_t names_only_ns; /* until then states are not asked for */
};

/* One client, one load: what is left of it is for tear_down. */
static struct streams streams;

static int
streams_set_up(struct bare *b)
{
	rng_init(&streams.rng, b->seed, "add-remove-streams 3 1");
	return 0; /* the load makes what it needs */
}

static void
name_pick(struct bare *b, struct streams *s, struct name *n)
{
	char what[64];
	struct name *u;

	if (s->nused > 0 && rng_below(&s->rng, 100) < AGAIN) {
		u = &s->used[rng_below(&s->rng, s->nused)];
		*n = *u;
		*u = s->used[--s->nused];
		return;
	}
	s->names++;
	text_format(
	    what, sizeof(what), "3_1_%llu", (unsigned long long)s->names);
	bare_stream_name(b, what, n->stream, sizeof(n->stream));
	text_format(
	    what, sizeof(what), "3.1.%llu", (unsigned long long)s->names);
	bare_subject(b, what, n->subject, sizeof(n->subject));
}

static void
fill(const struct bare *b, const struct streams *s, const struct name *n)
{
	uint8_t data[FILL_BYTES] = {0};
	unsigned i;
	char id[64];

	for (i = 0; i < MESSAGES; i++) {
		text_format(id, sizeof(id), "%s-%llx-%u", b->tag,
		    (unsigned long long)s->ids, i);
		bare_publish(b, n->subject, data, sizeof(data), id);
	}
}

static void
add_stream(struct bare *b, struct streams *s)
{
	struct name *n = &s->held[s->nheld];
	const char *subjects[1] = {n->subject};
	jsStreamInfo *si = NULL;
	char description[64];
	jsStreamConfig sc;
	uint64_t variant;
	jsOptions jo;

	name_pick(b, s, n);
	s->ids++;
	variant = rng_below(&s->rng, VARIANTS);
	text_format(description, sizeof(description), "natsburn stream %llu",
	    (unsigned long long)s->ids);
	(void)jsStreamConfig_Init(&sc); /* can't fail: not NULL */
	sc.Name = n->stream;
	sc.Description = description;
	sc.Subjects = subjects;
	sc.SubjectsLen = 1;
	sc.Replicas = (int64_t)b->replicas;
	sc.Storage = js_FileStorage;
	sc.MaxMsgSize = (int32_t)(SIZE_LEAST + variant);
	sc.Duplicates = (int64_t)((DEDUPE_LEAST + variant) * CLOCK_S);
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = ADD_MS;
	while (js_AddStream(&si, b->js, &sc, &jo, NULL) != NATS_OK)
		bare_pause(10);
	jsStreamInfo_Destroy(si);
	fill(b, s, n);
	s->nheld++;
	b->adds++;
}

static void
remove_stream(struct bare *b, struct streams *s)
{
	size_t i = rng_below(&s->rng, s->nheld), to;
	struct name *n = &s->held[i];
	jsStreamInfo *si = NULL;
	jsErrCode code = 0;
	jsOptions jo;

	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = STATE_MS;
	while (js_GetStreamInfo(&si, b->js, n->stream, &jo, NULL) != NATS_OK)
		bare_pause(10);
	jsStreamInfo_Destroy(si);
	jo.Wait = REMOVE_MS;
	while (js_DeleteStream(b->js, n->stream, &jo, &code) != NATS_OK &&
	       code != JSStreamNotFoundErr)
		bare_pause(10);
	to = s->nused < USED_MAX ? s->nused++ : rng_below(&s->rng, USED_MAX);
	s->used[to] = *n;
	*n = s->held[--s->nheld];
	b->removes++;
}

/* A cluster that isn't natsburn's own has other streams too: filtered. */
static bool
list_streams(const struct bare *b, struct streams *s)
{
	jsStreamNamesList *names = NULL;
	jsStreamInfoList *infos = NULL;
	jsErrCode code = 0;
	char filter[96];
	natsStatus st;
	jsOptions jo;

	bare_subject(b, ">", filter, sizeof(filter));
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = LIST_MS;
	jo.Stream.Info.SubjectsFilter = filter;
	st = js_StreamNames(&names, b->js, &jo, &code);
	jsStreamNamesList_Destroy(names);
	if (st == NATS_NOT_FOUND && code == 0)
		return true;
	if (st != NATS_OK)
		return false;
	if (clock_mono_ns() < s->names_only_ns)
		return true;
	jo.Wait = STATES_MS;
	if (js_Streams(&infos, b->js, &jo, NULL) != NATS_OK)
		s->names_only_ns = clock_mono_ns() + NAMES_ONLY_NS;
	jsStreamInfoList_Destroy(infos);
	return true;
}

static void
operate(struct bare *b, struct streams *s)
{
	uint64_t what = rng_below(&s->rng, 3);

	if (s->nheld < FEWEST || (what == 0 && s->nheld < MOST))
		add_stream(b, s);
	else if (s->nheld > FEWEST && (what == 1 || s->nheld >= MOST))
		remove_stream(b, s);
}

static int
streams_load(struct bare *b)
{
	uint64_t begun = clock_mono_ns(), end = begun + b->seconds * CLOCK_S;

	for (; begun < end; begun = clock_mono_ns()) {
		operate(b, &streams);
		while (!list_streams(b, &streams))
			bare_pause(10);
		b->rounds++;
		hist_add(&b->round, clock_mono_ns() - begun);
	}
	return 0;
}

static void
streams_tear_down(struct bare *b)
{
	size_t i;

	for (i = 0; i < streams.nheld; i++)
		/* Tidiness. */
		(void)js_DeleteStream(
		    b->js, streams.held[i].stream, NULL, NULL);
}

const struct bare_loop bare_streams = {
    .test = "add-remove-streams",
    .set_up = streams_set_up,
    .load = streams_load,
    .tear_down = streams_tear_down,
};
