/* SPDX-License-Identifier: ISC */
/*
 * A publisher of the workload "pipeline": a window of publishes in flight,
 * each with an answer address and a deadline of its own. js_PublishAsync is
 * not used: it hides which attempt an answer belongs to and gives up by
 * itself when it stalls.
 *
 * Every attempt is in the parent's pipe before its first byte is sent; one
 * write covers a burst. An attempt without an answer is UNKNOWN and tried
 * again with the same message id, until the message is acknowledged or
 * given up. The library turns "no responders" into a status that does not
 * say for which publish, so those time out like others: UNKNOWN, which is
 * never wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/rng.h"
#include "proto/base/text.h"
#include "worker/workloads/pipeline/pipeline.h"

#define BURST	    64
#define DATA_MAX    ((size_t)4 << 20) /* payloads of a burst */
#define ANSWERS_MAX 1024
#define ATTEMPT_NS  (2 * CLOCK_S)
#define AGAIN_NS    (CLOCK_S / 4) /* after an answer that was no ack */
#define LOOK_NS	    (20 * CLOCK_MS)
#define LATE_NS	    (2 * CLOCK_MS)
#define LAG_NS	    CLOCK_S /* a lag that was told so long ago is history */
#define IDLE_MS	    10

struct flight {
	struct attempt now; /* the latest; id 0: the flight is free */
	uint64_t first_ns;  /* first attempt */
	uint64_t due_ns;    /* when its answer, or its next attempt, is due */
	bool is_waiting;    /* for its next attempt */
	bool is_unknown, is_given_up;
};

struct pipe_publisher {
	natsSubscription *sub, *lag_sub;
	struct pipe_repeats *repeats; /* NULL: nothing is sent again */
	char inbox[SESSION_INBOX_MAX];
	struct flight *flights;
	uint32_t *free, nfree; /* free flights */
	uint32_t window;
	unsigned burst; /* publishes that one write covers, up to BURST */
	uint64_t next;	/* counter; 0 before the first step */
	uint64_t rate;	/* a second, this process's share; 0: no limit */
	uint64_t sent;	/* messages since start_ns */
	uint64_t start_ns, look_ns, behind_ns, lag_ns[PIPE_DURABLES_MAX];
	uint64_t lag[PIPE_DURABLES_MAX];
	char subject[96];
	uint8_t *data; /* burst payloads */
	size_t data_each;
};

static int
listen_to(struct worker *w, struct pipe_publisher *p)
{
	char lag[96];
	natsStatus st;
	int err = session_listen(&w->session, &p->sub, p->inbox);

	if (err < 0)
		return err;
	pipe_lag_subject(w, lag, sizeof(lag));
	st = natsSubscription_SetPendingLimits(p->sub, -1, -1);
	if (st == NATS_OK)
		st = natsConnection_SubscribeSync(
		    &p->lag_sub, w->session.nc, lag);
	if (st == NATS_OK)
		return 0;
	log_error("cannot listen for acks: %s", natsStatus_GetText(st));
	return -EIO;
}

int
pipe_publisher_begin(struct worker *w, struct pipe_publisher **out)
{
	const struct pipe_options *o = w->options;
	struct pipe_publisher *p = calloc(1, sizeof(*p));
	uint32_t i;
	int err;

	*out = p;
	if (p == NULL)
		return -ENOMEM;
	w->child.lazy_ns = PIPE_LAZY_NS;
	p->window = (uint32_t)o->window;
	p->flights = calloc(p->window, sizeof(*p->flights));
	p->free = calloc(p->window, sizeof(*p->free));
	p->data_each = o->size[1];
	p->burst = BURST;
	if (p->burst * p->data_each > DATA_MAX)
		p->burst = (unsigned)(DATA_MAX / p->data_each);
	p->data = malloc(p->burst * p->data_each);
	if (p->flights == NULL || p->free == NULL || p->data == NULL)
		return -ENOMEM;
	for (i = p->window; i-- > 0;)
		p->free[p->nfree++] = i;
	worker_subject(w, PIPE_SUFFIX, p->subject, sizeof(p->subject));
	err = listen_to(w, p);
	return err < 0 ? err : pipe_repeats_begin(w, &p->repeats);
}

/* The share of the rate, and where the counters begin: known at START. */
static void
publisher_start(struct worker *w, struct pipe_publisher *p, uint64_t now)
{
	const struct run_config *c = &w->config;

	p->next = w->counter;
	p->start_ns = now;
	p->rate = c->rate / c->clients + (w->index < c->rate % c->clients);
}

static uint32_t
size_of(const struct pipe_options *o, uint64_t id)
{
	uint64_t span = o->size[1] - o->size[0] + 1;

	return (uint32_t)(o->size[0] + rng_mix(id) % span);
}

static void
flight_free(struct pipe_publisher *p, struct flight *f)
{
	f->now.id = 0;
	p->free[p->nfree++] = (uint32_t)(f - p->flights);
}

uint64_t
pipe_fill(const struct worker *w, const struct attempt *a, uint8_t *out)
{
	struct payload payload = {.run = w->config.run,
	    .id = a->id,
	    .incarnation = w->incarnation,
	    .size = a->size};

	payload_write(&payload, out);
	return payload.sum;
}

/* Begin an attempt, the k-th of a burst: what happens before the flush. */
static void
attempt_tell(
    struct worker *w, struct pipe_publisher *p, struct flight *f, unsigned k)
{
	f->now.sum = pipe_fill(w, &f->now, p->data + k * p->data_each);
	f->now.number++;
	f->is_waiting = false;
	tell_invoke(w, &f->now);
}

bool
pipe_send(struct worker *w, const char *stem, const struct attempt *a,
    const uint8_t *data, const char *reply)
{
	char subject[128], id[PUBLISH_ID_MAX];
	natsMsg *msg = NULL;
	natsStatus st;

	text_format(subject, sizeof(subject), "%s.%u", stem,
	    (unsigned)(message_id_counter(a->id) % pipe_subjects(w->options)));
	publish_id(w, a->id, id);
	st = natsMsg_Create(
	    &msg, subject, reply, (const char *)data, (int)a->size);
	if (st == NATS_OK)
		st = natsMsgHeader_Set(msg, "Nats-Msg-Id", id);
	if (st == NATS_OK)
		st = natsConnection_PublishMsg(w->session.nc, msg);
	natsMsg_Destroy(msg);
	return st == NATS_OK;
}

/* Send it: what happens after the flush. */
static void
attempt_send(
    struct worker *w, struct pipe_publisher *p, struct flight *f, unsigned k)
{
	uint64_t now = clock_mono_ns();
	char reply[sizeof(p->inbox) + 48];

	text_format(reply, sizeof(reply), "%s.%u-%llu-%u", p->inbox,
	    (unsigned)(f - p->flights), (unsigned long long)f->now.id,
	    f->now.number);
	f->due_ns = now + ATTEMPT_NS;
	if (!pipe_send(
		w, p->subject, &f->now, p->data + k * p->data_each, reply))
		f->due_ns = now + AGAIN_NS; /* it fails for want of an answer */
}

static void
tell_over(struct worker *w, const struct flight *f)
{
	tell_end(w, &f->now, f->is_unknown ? OUTCOME_UNKNOWN : OUTCOME_FAIL);
}

/* The latest attempt did not succeed: another one, or the end of it. */
static void
attempt_failed(struct worker *w, struct pipe_publisher *p, struct flight *f,
    enum outcome outcome)
{
	uint64_t now = clock_mono_ns();

	tell_failure(w, &f->now, outcome);
	if (outcome == OUTCOME_UNKNOWN)
		f->is_unknown = true;
	/* A retry must lie within the dedupe window of the first attempt. */
	if (f->is_given_up || now >= f->first_ns + PIPE_DEDUPE_NS / 2) {
		tell_over(w, f);
		flight_free(p, f);
		return;
	}
	f->is_waiting = true;
	f->due_ns = now + AGAIN_NS;
}

/* A number behind a key of the answer's JSON, or 0. */
static uint64_t
json_number(const char *json, const char *key)
{
	const char *at = strstr(json, key);

	if (at == NULL)
		return 0;
	at += strlen(key);
	at += strspn(at, " :");
	return strtoull(at, NULL, 10);
}

bool
pipe_answer_read(const natsMsg *msg, struct pipe_answer *out)
{
	char json[512];
	int len = natsMsg_GetDataLength(msg);

	if (len <= 0)
		return false;
	if ((size_t)len >= sizeof(json))
		len = sizeof(json) - 1;
	memcpy(json, natsMsg_GetData(msg), (size_t)len);
	json[len] = '\0';
	out->duplicate = strstr(json, "\"duplicate\":true") != NULL ||
			 strstr(json, "\"duplicate\": true") != NULL;
	out->seq = json_number(json, "\"seq\"");
	out->code = 0;
	if (strstr(json, "\"error\"") == NULL && out->seq != 0)
		return true;
	out->seq = 0;
	out->code = (uint32_t)json_number(json, "\"err_code\"");
	return true;
}

static void
take_ack(struct worker *w, struct pipe_publisher *p, struct flight *f,
    uint32_t attempt, const struct pipe_answer *answer)
{
	enum outcome outcome;

	if (answer->seq != 0) {
		f->now.number = attempt;
		tell_published(w, &f->now, answer->seq, answer->duplicate);
		if (p->repeats != NULL)
			pipe_repeats_add(
			    p->repeats, &f->now, f->first_ns, answer->seq);
		flight_free(p, f);
		return;
	}
	outcome =
	    session_outcome(&w->session, NATS_ERR, (jsErrCode)answer->code);
	if (answer->code == 0)
		text_set(w->session.why, sizeof(w->session.why),
		    answer->duplicate
			? "duplicate of a message that is not stored yet"
			: "an answer that can't be read");
	/* When it was an older attempt the latest may still succeed. */
	if (attempt == f->now.number && !f->is_waiting)
		attempt_failed(w, p, f, outcome);
}

bool
pipe_place_read(const char *dot, struct pipe_place *out)
{
	char *end;

	if (dot == NULL)
		return false;
	out->at = strtoul(dot + 1, &end, 10);
	if (*end != '-')
		return false;
	out->id = strtoull(end + 1, &end, 10);
	if (*end != '-' || out->id == 0)
		return false;
	out->attempt = (uint32_t)strtoul(end + 1, NULL, 10);
	return true;
}

static void
take_answer(struct worker *w, struct pipe_publisher *p, natsMsg *msg)
{
	struct pipe_answer answer;
	struct pipe_place place;

	/* The id must fit, for the place may have another message by now. */
	if (!pipe_place_read(strrchr(natsMsg_GetSubject(msg), '.'), &place) ||
	    place.at >= p->window || p->flights[place.at].now.id != place.id ||
	    !pipe_answer_read(msg, &answer))
		return; /* settled meanwhile, or a bare status */
	take_ack(w, p, &p->flights[place.at], place.attempt, &answer);
}

/* What has come, waiting for the first up to wait_ms. */
static int
take_answers(struct worker *w, struct pipe_publisher *p, int wait_ms)
{
	natsMsg *msg;
	natsStatus st;
	int n;

	for (n = 0; n < ANSWERS_MAX; n++) {
		msg = NULL;
		st = natsSubscription_NextMsg(&msg, p->sub, n ? 0 : wait_ms);
		if (st == NATS_TIMEOUT)
			break;
		if (st == NATS_NO_RESPONDERS)
			continue; /* the library does not say for which */
		if (st != NATS_OK) {
			log_error(
			    "cannot receive acks: %s", natsStatus_GetText(st));
			return -EIO;
		}
		take_answer(w, p, msg);
		natsMsg_Destroy(msg);
	}
	return n;
}

/* Deadlines and retries; not at every step, there may be thousands. */
static void
look_at_flights(struct worker *w, struct pipe_publisher *p, uint64_t now)
{
	struct flight *burst[BURST], *f;
	unsigned n = 0, k;
	uint32_t i;

	if (now < p->look_ns)
		return;
	p->look_ns = now + LOOK_NS;
	for (i = 0; i < p->window && n < p->burst; i++) {
		f = &p->flights[i];
		if (f->now.id == 0 || now < f->due_ns)
			continue;
		if (!f->is_waiting) {
			session_note(&w->session, NATS_TIMEOUT, 0);
			attempt_failed(w, p, f, OUTCOME_UNKNOWN);
			continue;
		}
		attempt_tell(w, p, f, n);
		burst[n++] = f;
	}
	if (n > 0)
		child_flush(&w->child);
	for (k = 0; k < n; k++)
		attempt_send(w, p, burst[k], k);
}

/* What consumers say of how far behind they are. */
static void
take_lags(struct pipe_publisher *p, uint64_t now)
{
	natsMsg *msg = NULL;
	unsigned long long pending;
	unsigned k;

	while (natsSubscription_NextMsg(&msg, p->lag_sub, 0) == NATS_OK) {
		if (sscanf(natsMsg_GetData(msg), "%u %llu", &k, &pending) ==
			2 &&
		    k < PIPE_DURABLES_MAX) {
			p->lag[k] = pending;
			p->lag_ns[k] = now;
		}
		natsMsg_Destroy(msg);
		msg = NULL;
	}
}

static bool
is_too_far_ahead(
    const struct worker *w, const struct pipe_publisher *p, uint64_t now)
{
	const struct pipe_options *o = w->options;
	uint32_t k;

	for (k = 0; k < PIPE_DURABLES_MAX; k++)
		if (p->lag[k] > o->backlog && now < p->lag_ns[k] + LAG_NS)
			return true;
	return false;
}

/* Messages that the rate asks for and that were not sent yet. */
static uint64_t
due_by_rate(const struct pipe_publisher *p, uint64_t now)
{
	uint64_t passed = now - p->start_ns, due;

	if (p->rate == 0)
		return UINT64_MAX;
	due = passed / CLOCK_S * p->rate + passed % CLOCK_S * p->rate / CLOCK_S;
	return due > p->sent ? due - p->sent : 0;
}

static void
tell_behind(struct worker *w, struct pipe_publisher *p, uint64_t now)
{
	struct event ev;

	if (p->rate == 0 || now < p->behind_ns)
		return;
	p->behind_ns = now + CLOCK_S;
	ev.type = MESSAGE_BEHIND;
	ev.u.behind.behind = due_by_rate(p, now);
	if (ev.u.behind.behind > p->rate / 10 + 1)
		child_emit(&w->child, &ev);
}

/*
 * The next message was due before now: what its reader waits for began then.
 * Else a fault that holds messages back would hide itself. Less than it takes
 * to wake up is not told.
 */
static void
tell_late(struct worker *w, const struct pipe_publisher *p, uint64_t id,
    uint64_t due_index, uint64_t now)
{
	struct event ev = {.type = MESSAGE_PUBLISH_LATE};
	uint64_t n = due_index + 1, due;

	if (p->rate == 0)
		return;
	due = p->start_ns + n / p->rate * CLOCK_S +
	      n % p->rate * CLOCK_S / p->rate;
	if (now < due + LATE_NS)
		return;
	ev.u.publish_late.id = id;
	ev.u.publish_late.late_ns = now - due;
	child_emit(&w->child, &ev);
}

/* New messages, as many as window, rate and consumers leave room for. */
static unsigned
send_new(struct worker *w, struct pipe_publisher *p, uint64_t now)
{
	struct flight *burst[BURST], *f;
	uint64_t most = due_by_rate(p, now);
	unsigned n = 0, k;

	if (is_too_far_ahead(w, p, now))
		return 0;
	while (n < p->burst && n < most && p->nfree > 0) {
		f = &p->flights[p->free[--p->nfree]];
		memset(f, 0, sizeof(*f));
		f->now.id = message_id(w->source, p->next++);
		f->first_ns = now;
		f->now.size = size_of(w->options, f->now.id);
		attempt_tell(w, p, f, n);
		tell_late(w, p, f->now.id, p->sent + n, now);
		burst[n++] = f;
	}
	if (n > 0)
		child_flush(&w->child);
	for (k = 0; k < n; k++)
		attempt_send(w, p, burst[k], k);
	p->sent += n;
	return n;
}

/* How long an answer may be waited for when nothing else is to do. */
static int
idle_ms(const struct pipe_publisher *p, uint64_t now)
{
	uint64_t ms;

	if (p->rate == 0 || p->nfree == 0)
		return IDLE_MS;
	if (due_by_rate(p, now) > 0)
		return 1;
	ms = 1000 / p->rate + 1;
	return ms < IDLE_MS ? (int)ms : IDLE_MS;
}

int
pipe_publisher_step(struct worker *w, struct pipe_publisher *p)
{
	uint64_t now = clock_mono_ns();
	unsigned sent;
	int got;

	if (p->next == 0)
		publisher_start(w, p, now);
	tell_reconnects(w);
	take_lags(p, now);
	look_at_flights(w, p, now);
	sent = send_new(w, p, now);
	tell_behind(w, p, now);
	got = take_answers(w, p, sent > 0 ? 0 : idle_ms(p, now));
	if (got >= 0 && p->repeats != NULL)
		got = pipe_repeats_step(w, p->repeats, now);
	child_beat(&w->child);
	return got < 0 ? got : 0;
}

static bool
is_open(const struct pipe_publisher *p)
{
	return (p->repeats != NULL && !pipe_repeats_drain(p->repeats)) ||
	       p->nfree < p->window;
}

/* Nothing new; what is open gets its outcome. */
int
pipe_publisher_drain(struct worker *w, struct pipe_publisher *p)
{
	uint64_t now = clock_mono_ns(),
		 deadline = now + w->config.op_timeout_ns;
	uint32_t i;
	int got = 0;

	while (got >= 0 && is_open(p) && now < deadline) {
		look_at_flights(w, p, now);
		got = take_answers(w, p, IDLE_MS);
		if (got >= 0 && p->repeats != NULL)
			got = pipe_repeats_step(w, p->repeats, now);
		worker_commands(w, 0); /* GIVE_UP may come */
		now = clock_mono_ns();
	}
	for (i = 0; i < p->window; i++)
		if (p->flights[i].now.id != 0) {
			p->flights[i].is_unknown |= !p->flights[i].is_waiting;
			tell_over(w, &p->flights[i]);
		}
	child_flush(&w->child);
	return got < 0 ? got : 0;
}

void
pipe_publisher_give_up(struct pipe_publisher *p, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < p->window; i++)
		if (p->flights[i].now.id == id)
			p->flights[i].is_given_up = true;
}

void
pipe_publisher_end(struct pipe_publisher *p)
{
	if (p == NULL)
		return;
	natsSubscription_Destroy(p->sub);
	natsSubscription_Destroy(p->lag_sub);
	pipe_repeats_end(p->repeats);
	free(p->flights);
	free(p->free);
	free(p->data);
	free(p);
}
