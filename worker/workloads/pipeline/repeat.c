/* SPDX-License-Identifier: ISC */
/*
 * Messages that are sent again with their ids after they were acknowledged
 * (-o pipeline.repeat): a server that forgets ids shows by its answer. They
 * have an inbox, a buffer and events of their own, so that the publishes
 * are what they are without them.
 *
 * When is drawn: at once, some seconds later, or when the stream has another
 * leader. Of those that wait for that only the latest RING do; the leader is
 * asked for once a second. An attempt is begun in the first half of the
 * dedupe window or not at all. One that is not answered is UNKNOWN.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "worker/workloads/pipeline/pipeline.h"

#define PLACES	    1024U /* messages that wait, or are on their way */
#define RING	    256U  /* of them, for another leader */
#define BURST	    64U
#define DATA_MAX    ((size_t)4 << 20) /* payloads of a burst */
#define ATTEMPTS    3U
#define ATTEMPT_NS  (2 * CLOCK_S)
#define AGAIN_NS    (CLOCK_S / 4)
#define LOOK_NS	    (20 * CLOCK_MS)
#define LATER_S	    10U
#define LEADER_NS   (120 * CLOCK_S) /* longest to wait for another leader */
#define ASK_NS	    CLOCK_S
#define ANSWERS_MAX 1024
#define SALT	    UINT64_C(0x7265706561740000) /* other draws than sizes */

struct repeat {
	struct attempt now; /* id 0: the place is free */
	uint64_t seq, first_ns;
	uint64_t due_ns; /* of the next attempt, or the answer to this one */
	bool is_sent, awaits_leader;
};

struct pipe_repeats {
	natsSubscription *sub;
	char inbox[SESSION_INBOX_MAX], subject[96], leader[64];
	struct repeat places[PLACES];
	uint32_t free[PLACES], nfree;
	uint32_t ring[RING], turn;
	uint64_t look_ns, ask_ns, percent;
	bool is_over;  /* the load ends: nothing waits any more */
	uint8_t *data; /* burst payloads */
	size_t data_each;
	unsigned burst; /* that one write covers, up to BURST */
};

int
pipe_repeats_begin(struct worker *w, struct pipe_repeats **out)
{
	const struct pipe_options *o = w->options;
	struct pipe_repeats *r;
	uint32_t i;

	*out = NULL;
	if (o->repeat == 0)
		return 0;
	*out = r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->percent = o->repeat;
	r->data_each = o->size[1];
	r->burst = BURST;
	if (r->burst * r->data_each > DATA_MAX)
		r->burst = (unsigned)(DATA_MAX / r->data_each);
	r->data = malloc(r->burst * r->data_each);
	if (r->data == NULL)
		return -ENOMEM;
	for (i = PLACES; i-- > 0;)
		r->free[r->nfree++] = i;
	worker_subject(w, PIPE_SUFFIX, r->subject, sizeof(r->subject));
	return session_listen(&w->session, &r->sub, r->inbox);
}

static void
repeat_free(struct pipe_repeats *r, struct repeat *at)
{
	at->now.id = 0;
	r->free[r->nfree++] = (uint32_t)(at - r->places);
}

/* Who waits longest for another leader does so no more. */
static void
await_leader(struct pipe_repeats *r, struct repeat *at, uint64_t now)
{
	uint32_t *turn = &r->ring[r->turn++ % RING];

	if (r->places[*turn].awaits_leader)
		r->places[*turn].due_ns = now;
	*turn = (uint32_t)(at - r->places);
	at->awaits_leader = true;
	at->due_ns = now + LEADER_NS;
}

void
pipe_repeats_add(struct pipe_repeats *r, const struct attempt *published,
    uint64_t first_ns, uint64_t seq)
{
	uint64_t draw = rng_mix(published->id ^ SALT), now = clock_mono_ns();
	struct repeat *at;

	if (draw % 100 >= r->percent || r->nfree == 0 || r->is_over)
		return;
	draw /= 100;
	at = &r->places[r->free[--r->nfree]];
	*at = (struct repeat){*published, seq, first_ns, now, false, false};
	at->now.number = 0;
	if (draw % 3 == 1)
		at->due_ns = now + (1 + draw / 3 % LATER_S) * CLOCK_S;
	else if (draw % 3 == 2)
		await_leader(r, at, now);
}

static void
tell_again(struct worker *w, const struct repeat *at)
{
	struct event ev = {.type = MESSAGE_REPEAT_INVOKE};
	struct msg_repeat_invoke *m = &ev.u.repeat_invoke;

	m->stream = at->now.stream;
	m->id = at->now.id;
	m->attempt = at->now.number;
	m->seq = at->seq;
	child_emit(&w->child, &ev);
}

static void
tell_answered(
    struct worker *w, const struct repeat *at, const struct pipe_answer *answer)
{
	struct event ev = {.type = MESSAGE_REPEAT_OK};
	struct msg_repeat_ok *m = &ev.u.repeat_ok;

	m->stream = at->now.stream;
	m->id = at->now.id;
	m->seq = answer->seq;
	m->duplicate = answer->duplicate;
	m->first = at->seq;
	m->first_ns = at->first_ns;
	child_emit(&w->child, &ev);
}

/* The attempt has no outcome: another one, or the end of it. */
static void
repeat_failed(struct worker *w, struct pipe_repeats *r, struct repeat *at,
    uint32_t code, const char *why)
{
	struct event ev = {.type = MESSAGE_REPEAT_UNKNOWN};
	struct msg_repeat_unknown *m = &ev.u.repeat_unknown;

	m->stream = at->now.stream;
	m->id = at->now.id;
	m->attempt = at->now.number;
	m->code = code;
	text_set(m->why, sizeof(m->why), why);
	child_emit(&w->child, &ev);
	at->is_sent = false;
	at->due_ns = clock_mono_ns() + AGAIN_NS;
	if (at->now.number == ATTEMPTS)
		repeat_free(r, at);
}

/* Begin an attempt, the k-th of a burst: what happens before the flush. */
static void
repeat_tell(
    struct worker *w, struct pipe_repeats *r, struct repeat *at, unsigned k)
{
	at->now.sum = pipe_fill(w, &at->now, r->data + k * r->data_each);
	at->now.number++;
	at->awaits_leader = false;
	at->is_sent = true;
	tell_again(w, at);
}

static void
repeat_send(
    struct worker *w, struct pipe_repeats *r, struct repeat *at, unsigned k)
{
	char reply[SESSION_INBOX_MAX + 48];

	text_format(reply, sizeof(reply), "%s.%u-%llu-%u", r->inbox,
	    (unsigned)(at - r->places), (unsigned long long)at->now.id,
	    at->now.number);
	at->due_ns = clock_mono_ns() + ATTEMPT_NS;
	if (!pipe_send(
		w, r->subject, &at->now, r->data + k * r->data_each, reply))
		at->due_ns = clock_mono_ns() + AGAIN_NS;
}

static void
look_at_places(struct worker *w, struct pipe_repeats *r, uint64_t now)
{
	struct repeat *burst[BURST], *at;
	unsigned n = 0, k;
	uint32_t i;

	r->look_ns = now + LOOK_NS;
	for (i = 0; i < PLACES && n < r->burst; i++) {
		at = &r->places[i];
		if (at->now.id == 0 ||
		    (now < at->due_ns && !(r->is_over && !at->is_sent)))
			continue;
		if (at->is_sent)
			repeat_failed(w, r, at, 0, "Timeout");
		else if (now >= at->first_ns + PIPE_DEDUPE_NS / 2)
			repeat_free(r, at);
		else {
			repeat_tell(w, r, at, n);
			burst[n++] = at;
		}
	}
	if (n > 0)
		child_flush(&w->child);
	for (k = 0; k < n; k++)
		repeat_send(w, r, burst[k], k);
}

static void
ask_for_leader(struct worker *w, struct pipe_repeats *r, uint64_t now)
{
	char api[SESSION_API_MAX], name[64], reply[SESSION_INBOX_MAX + 16];

	r->ask_ns = now + ASK_NS;
	worker_stream_name(w, PIPE_SUFFIX, name, sizeof(name));
	session_api(&w->session, api, "STREAM.INFO.%s", name);
	text_format(reply, sizeof(reply), "%s.leader", r->inbox);
	session_send(&w->session, api, reply, "");
}

/* Who waited for another leader than this one need wait no more. */
static void
take_leader(struct pipe_repeats *r, const char *json)
{
	static const char key[] = "\"leader\":\"";
	const char *at = json != NULL ? strstr(json, key) : NULL;
	char name[sizeof(r->leader)];
	uint32_t i;

	if (at == NULL)
		return;
	at += sizeof(key) - 1;
	text_format(name, sizeof(name), "%.*s", (int)strcspn(at, "\""), at);
	if (strcmp(name, r->leader) == 0)
		return;
	for (i = 0; i < PLACES && r->leader[0] != '\0'; i++)
		if (r->places[i].awaits_leader)
			r->places[i].due_ns = 0;
	text_set(r->leader, sizeof(r->leader), name);
}

static void
take_answer(struct worker *w, struct pipe_repeats *r, const natsMsg *msg)
{
	const char *dot = strrchr(natsMsg_GetSubject(msg), '.');
	struct pipe_answer answer;
	struct pipe_place place;
	struct repeat *at;

	if (dot != NULL && strcmp(dot, ".leader") == 0) {
		take_leader(r, natsMsg_GetData(msg));
		return;
	}
	if (!pipe_place_read(dot, &place) || place.at >= PLACES)
		return;
	at = &r->places[place.at];
	if (at->now.id != place.id || !pipe_answer_read(msg, &answer))
		return; /* settled meanwhile, or a bare status */
	if (answer.seq != 0) {
		/* Also the answer to an earlier attempt. */
		tell_answered(w, at, &answer);
		repeat_free(r, at);
	} else if (at->is_sent && place.attempt == at->now.number)
		repeat_failed(w, r, at, answer.code,
		    answer.duplicate ? "duplicate, and no sequence"
				     : "refused");
}

int
pipe_repeats_step(struct worker *w, struct pipe_repeats *r, uint64_t now)
{
	natsMsg *msg;
	natsStatus st = NATS_OK;
	int n;

	for (n = 0; n < ANSWERS_MAX; n++) {
		msg = NULL;
		st = natsSubscription_NextMsg(&msg, r->sub, 0);
		if (st == NATS_NO_RESPONDERS)
			continue; /* the library does not say for which */
		if (st != NATS_OK)
			break;
		take_answer(w, r, msg);
		natsMsg_Destroy(msg);
	}
	if (st != NATS_OK && st != NATS_TIMEOUT && st != NATS_NO_RESPONDERS) {
		log_error("cannot receive acks: %s", natsStatus_GetText(st));
		return -EIO;
	}
	if (now >= r->ask_ns)
		ask_for_leader(w, r, now);
	if (now >= r->look_ns)
		look_at_places(w, r, now);
	return 0;
}

bool
pipe_repeats_drain(struct pipe_repeats *r)
{
	r->is_over = true;
	return r->nfree == PLACES;
}

void
pipe_repeats_end(struct pipe_repeats *r)
{
	if (r == NULL)
		return;
	natsSubscription_Destroy(r->sub);
	free(r->data);
	free(r);
}
