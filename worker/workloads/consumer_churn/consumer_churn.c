/* SPDX-License-Identifier: ISC */
/*
 * consumer-churn: consumers come, change and go while messages are published:
 *
 *	for i in 1..N { in one of the places of this client: make a consumer,
 *	or take from it, look at it, change it, pause it, end it }
 *
 * Nothing is judged here: the judge keeps a model of what each consumer must
 * deliver, may deliver and can't deliver. A change whose outcome stays unknown
 * may be done at any later time, so its consumer is only ended after that, and
 * its name not used again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define SIZE_LOW   PAYLOAD_MIN
#define LAST_NS	   (15 * CLOCK_S) /* to drain a consumer at the end */
#define END_NS	   (50 * CLOCK_S) /* and all of them */
#define PROOF_NS   (62 * CLOCK_S) /* of one that gives nothing */
#define STEP_NS	   (5 * CLOCK_S)
#define LEAVE_NS   (36 * CLOCK_S) /* and --op-timeout: the end of all that */
#define WAIT_MS	   100
#define LEFT_OF	   2 /* one of so many places */
#define LEFT_BATCH 20

static const char *const retentions[] = {
    "mixed", "limits", "workqueue", "interest", NULL};

static const struct option_spec options[] = {
    {"streams", OPTION_U64, OPTION_AT(struct churn_options, streams), "3", 1,
	CHURN_STREAMS_MAX, NULL, "N", "streams", false},
    {"subjects", OPTION_U64, OPTION_AT(struct churn_options, subjects), "8", 2,
	CHURN_SUBJECTS_MAX, NULL, "N", "subjects of each stream", false},
    {"places", OPTION_U64, OPTION_AT(struct churn_options, places), "4", 1,
	CHURN_PLACES_MAX, NULL, "N", "consumers of a client, at a time", false},
    {"size", OPTION_RANGE, OPTION_AT(struct churn_options, size), "40..400",
	SIZE_LOW, PAYLOAD_MAX - 1024, NULL, "N..N", "bytes of a payload",
	false},
    {"pause", OPTION_DURATION, OPTION_AT(struct churn_options, pause_ns), "2ms",
	0, 10 * CLOCK_S, NULL, "TIME",
	"between two messages that are published", false},
    {"retention", OPTION_CHOICE, OPTION_AT(struct churn_options, retention),
	"mixed", 0, 0, retentions, "KIND",
	"of the streams: limits, workqueue, interest, or mixed", false},
    {"refilter", OPTION_FLAG, OPTION_AT(struct churn_options, refilter), "true",
	0, 0, NULL, NULL, "the filters of consumers are changed, too", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static int
setup(struct worker *w)
{
	const struct churn_options *o = w->options;
	uint32_t i;
	int err = 0;

	for (i = 0; i < o->streams && err == 0; i++)
		err = churn_stream_setup(w, i);
	return err;
}

static bool
is_publisher(const struct worker *w)
{
	return strcmp(w->role, "publisher") == 0;
}

static int
begin(struct worker *w)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	char stream[48];
	uint32_t i;

	text_format(stream, sizeof(stream), "consumer-churn %u.%u", w->source,
	    w->incarnation);
	rng_init(&s->rng, w->config.seed, stream);
	for (i = 0; i < o->streams; i++) {
		churn_stream_name(w, i, s->streams[i].name);
		s->streams[i].kind = churn_stream_kind(w, i);
	}
	if (is_publisher(w))
		return 0;
	s->places = calloc(o->places, sizeof(*s->places));
	if (s->places == NULL)
		return -ENOMEM;
	return session_listen(&w->session, &s->answers, s->inbox);
}

/* Which places are this client's is known with START. */
static void
start(struct worker *w)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	uint32_t i;

	s->is_started = true;
	for (i = 0; i < o->places; i++) {
		s->places[i].consumer = w->index * (uint32_t)o->places + i;
		if (w->incarnation > 1)
			churn_over(w, &s->places[i]);
	}
	if (w->incarnation > 1)
		churn_sweep(w);
}

static int
step(struct worker *w)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	struct churn_place *p;

	if (is_publisher(w)) {
		churn_publish(w);
		return 0;
	}
	if (!s->is_started)
		start(w);
	p = &s->places[rng_below(&s->rng, o->places)];
	if (p->life.state == LIFE_NONE)
		return churn_begin(w, p);
	return churn_operate(w, p);
}

static void
command(struct worker *w, const struct event *cmd)
{
	struct churn *s = w->state;

	if (cmd->type == MESSAGE_GIVE_UP && s->now.subject != NULL &&
	    cmd->u.give_up.id == s->now.id)
		s->now.given_up = true;
}

static int
drain_place(struct worker *w, struct churn_place *p, uint64_t deadline)
{
	uint64_t now = clock_mono_ns();

	if (now >= deadline)
		return 0;
	if (p->life.state == LIFE_ENDED)
		churn_recheck(w, p);
	if (p->life.state == LIFE_LEFT)
		return churn_await_gone(w, p);
	if (p->life.state != LIFE_SURE)
		return 0;
	return churn_drain(
	    w, p, now + LAST_NS < deadline ? LAST_NS : deadline - now);
}

/*
 * One that has something to deliver and gives nothing is waited for until
 * that is a proof.
 */
static int
wait_at(struct worker *w, struct churn_place *p, uint64_t deadline)
{
	const struct churn_wait *t = &p->life.wait;
	uint64_t now = clock_mono_ns();
	int err = 0;

	while (err == 0 && t->since_ns != 0 && t->tried_ns < PROOF_NS &&
	       now < deadline) {
		err = churn_drain(
		    w, p, now + STEP_NS < deadline ? STEP_NS : deadline - now);
		now = clock_mono_ns();
	}
	churn_tell_wait(w, p);
	return err;
}

/* Some of those that are pulled from are left as they are at first. */
static bool
is_left(const struct churn_place *p)
{
	return p->life.state == LIFE_SURE && p->life.terms.kind == KIND_PULL &&
	       p->consumer % LEFT_OF == 0;
}

/* They have delivered something that nobody answers. 0 or -EIO. */
static int
begin_left(struct worker *w)
{
	static const struct churn_take take = {.batch = LEFT_BATCH,
	    .expires_ns = CLOCK_S / 4,
	    .is_instant = true,
	    .is_silent = true};
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	uint32_t i;
	int got = 0;

	for (i = 0; i < o->places && got >= 0; i++)
		if (is_left(&s->places[i]))
			got = churn_take(w, &s->places[i], &take);
	return got < 0 ? got : 0;
}

/* What those say that nobody touches, which does not change. */
static void
look_at_left(struct worker *w)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	struct churn_seen seen;
	uint32_t i;

	for (i = 0; i < o->places; i++)
		if (is_left(&s->places[i]))
			(void)churn_see(w, &s->places[i], false, &seen);
}

static void
pause_until(struct worker *w, uint64_t ns)
{
	while (clock_mono_ns() < ns)
		worker_commands(w, WAIT_MS);
}

/*
 * Nobody publishes any more. Everything that consumers have is taken, but of
 * some, at which is looked meanwhile; then, when nothing can be late, what is
 * left of all.
 */
static int
drain(struct worker *w)
{
	uint64_t begun = clock_mono_ns();
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	uint32_t i;
	int err;

	if (s->places == NULL)
		return 0;
	err = begin_left(w);
	look_at_left(w);
	for (i = 0; i < o->places && err == 0; i++)
		if (!is_left(&s->places[i]))
			err = drain_place(w, &s->places[i], begun + END_NS);
	for (i = 1; i <= 2; i++) {
		pause_until(w, begun + i * CHURN_LATE_NS / 2);
		look_at_left(w);
	}
	for (i = 0; i < o->places && err == 0; i++)
		err = drain_place(w, &s->places[i], begun + END_NS);
	for (i = 0; i < o->places && err == 0; i++)
		err = wait_at(w, &s->places[i],
		    begun + w->config.op_timeout_ns + LEAVE_NS);
	return err;
}

static int
audit(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->ntargets; i++)
		if (churn_stream_kind(w, w->targets[i].stream).retention ==
		    RETENTION_LIMITS)
			audit_stream(w, &w->targets[i]);
		else
			remains_stream(w, &w->targets[i]);
	return 0;
}

static void
end(struct worker *w)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	uint32_t i;

	for (i = 0; s->places != NULL && i < o->places; i++)
		churn_close(&s->places[i].life);
	natsSubscription_Destroy(s->answers);
	free(s->places);
}

static const struct workload_role roles[] = {
    {"publisher", WORKLOAD_ONE, true},
    {"client", WORKLOAD_CLIENTS, false},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_consumer_churn = {
    .name = "consumer-churn",
    .summary = "consumers are made, changed, paused and ended under load",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct churn_options),
    .state_size = sizeof(struct churn),
    .clients = 2,
    .setup = setup,
    .begin = begin,
    .step = step,
    .command = command,
    .drain = drain,
    .audit = audit,
    .end = end,
};
