/* SPDX-License-Identifier: ISC */
/*
 * pipeline: many messages in flight through one stream. P publishers keep
 * a window of W publishes open each; C consumer processes share S durable
 * consumers, each of which has to get every message of its subjects once
 * confirmed. The roles are in publisher.c and consumer.c; here are the
 * options and what setup makes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/workloads/pipeline/pipeline.h"

struct pipe_state {
	struct pipe_publisher *publisher;
	struct pipe_consumer *consumer;
};

static const char *const kinds[] = {"pull", "push-queue", "ordered", NULL};
static const char *const acks[] = {"sync", "plain", NULL};
static const char *const retentions[] = {
    "limits", "workqueue", "interest", NULL};

#define AT(member)                                                             \
	offsetof(struct pipe_options, member),                                 \
	    sizeof(((struct pipe_options *)NULL)->member)

static const struct option_spec options[] = {
    {"durables", OPTION_U64, AT(durables), "2", 1, PIPE_DURABLES_MAX, NULL, "N",
	"durable consumers; the consumer processes share them", false},
    {"consumer", OPTION_CHOICE, AT(consumer), "pull", 0, 0, kinds, "KIND",
	"pull, push-queue or ordered", false},
    {"ack", OPTION_CHOICE, AT(ack), "sync", 0, 0, acks, "KIND",
	"sync waits for the server's confirmation, plain does not", false},
    {"window", OPTION_U64, AT(window), "256", 1, PIPE_WINDOW_MAX, NULL, "N",
	"publishes in flight, each publisher", false},
    {"batch", OPTION_U64, AT(batch), "100", 1, PIPE_BATCH_MAX, NULL, "N",
	"messages asked for by one pull", false},
    {"size", OPTION_RANGE, AT(size), "128", PAYLOAD_MIN, PAYLOAD_MAX, NULL,
	"N[..N]", "bytes of a payload, or a range", false},
    {"ack-wait", OPTION_DURATION, AT(ack_wait_ns), "5s", CLOCK_S / 10,
	3600 * CLOCK_S, NULL, "TIME", "redelivery of what was not acked",
	false},
    {"max-ack-pending", OPTION_U64, AT(max_ack_pending), "1000", 1, 65536, NULL,
	"N", "most deliveries of a durable that wait for their ack", false},
    {"backlog", OPTION_U64, AT(backlog), "20000", 1, 1000000000, NULL, "N",
	"publishers pause while a durable is so many messages behind", false},
    {"churn", OPTION_DURATION, AT(churn_ns), "0", 0, 86400 * CLOCK_S, NULL,
	"TIME", "each consumer process connects anew about so often; 0 never",
	false},
    {"retention", OPTION_CHOICE, AT(retention), "limits", 0, 0, retentions,
	"KIND", "limits, workqueue or interest", false},
    {"repeat", OPTION_U64, AT(repeat), "0", 0, 100, NULL, "PERCENT",
	"share of the acknowledged messages that is sent again with its id",
	false},
    {"filter", OPTION_FLAG, AT(filter), "false", 0, 0, NULL, NULL,
	"every other durable takes half of the messages by its subject", false},
    {"answers", OPTION_STRING, AT(answers), "", 0, 0, NULL, "NAME:WEIGHT,...",
	"what is said of deliveries, of ack, nak, nak-delay, term, progress, "
	"none; empty: all are acked",
	false},
    {"max-deliver", OPTION_U64, AT(max_deliver), "0", 0, 1000, NULL, "N",
	"deliveries of a message, then the server gives it up; 0 any number",
	false},
    {"backoff", OPTION_STRING, AT(backoff), "", 0, 0, NULL, "TIME,...",
	"waits for the acks of a message's deliveries, instead of ack-wait",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

static void
tell_stream_rules(struct worker *w)
{
	const struct pipe_options *o = w->options;
	struct event ev = {.type = MESSAGE_STREAM_RULES};

	if (pipe_retention(o) == js_WorkQueuePolicy)
		ev.u.stream_rules.retention = 1;
	else if (pipe_retention(o) == js_InterestPolicy)
		ev.u.stream_rules.retention = 2;
	ev.u.stream_rules.subjects = pipe_subjects(o);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* The waits of a consumer, where it has more than one. */
static void
tell_waits(
    struct worker *w, uint32_t consumer, const int64_t *waits, uint32_t n)
{
	struct event ev = {.type = MESSAGE_CONSUMER_WAIT};
	uint32_t i;

	for (i = 0; i < n; i++) {
		ev.u.consumer_wait.consumer = consumer;
		ev.u.consumer_wait.delivery = i + 1;
		ev.u.consumer_wait.wait_ns = (uint64_t)waits[i];
		child_emit(&w->child, &ev);
	}
}

static int
durable_setup(struct worker *w, uint32_t k)
{
	const struct pipe_options *o = w->options;
	char name[24], deliver[96], suffix[24] = "", filter[96];
	char why[OPTION_WHY_MAX];
	int64_t waits[PIPE_WAITS_MAX];
	jsConsumerConfig cc;
	uint32_t subject;
	int err, nwaits;

	pipe_durable(k, name, sizeof(name));
	session_consumer_config(&cc, name);
	cc.AckPolicy = js_AckExplicit;
	cc.AckWait = (int64_t)o->ack_wait_ns;
	cc.MaxAckPending = (int64_t)o->max_ack_pending;
	cc.MaxDeliver = o->max_deliver != 0 ? (int64_t)o->max_deliver : -1;
	err = pipe_backoff_read(o, waits, &nwaits, why);
	if (err < 0)
		return err;
	if (nwaits > 0) {
		cc.AckWait = waits[0];
		cc.BackOff = waits;
		cc.BackOffLen = nwaits;
	}
	/* Requests of all its processes, also of those that are gone. */
	if (pipe_kind(o) == PIPE_PULL)
		cc.MaxWaiting =
		    (int64_t)(512 + 4 * w->config.consumers / o->durables);
	if (pipe_kind(o) == PIPE_PUSH) {
		pipe_deliver(w, k, deliver, sizeof(deliver));
		cc.DeliverSubject = deliver;
		cc.DeliverGroup = name;
	}
	if (pipe_filter(o, k, &subject)) {
		text_add(suffix, sizeof(suffix), PIPE_SUFFIX ".%u", subject);
		worker_subject(w, suffix, filter, sizeof(filter));
		cc.FilterSubject = filter;
	}
	err = setup_consumer(w, k, 0, PIPE_SUFFIX, &cc);
	if (err == 0) {
		tell_waits(w, k, waits, (uint32_t)nwaits);
		pipe_tell_rules(w, k, k);
	}
	/* A replica that does not know of it drops what it has to take. */
	if (err == 0 && pipe_retention(o) == js_InterestPolicy)
		setup_await_replicas(w, k, PIPE_SUFFIX, name);
	return err;
}

static int
pipeline_setup(struct worker *w)
{
	const struct pipe_options *o = w->options;
	struct worker_stream ws = {.suffix = PIPE_SUFFIX,
	    .dedupe_ns = PIPE_DEDUPE_NS,
	    .retention = pipe_retention(o)};
	uint32_t k;
	int err = setup_stream(w, &ws);

	if (err == 0)
		tell_stream_rules(w);
	/* Each consumer process makes its own ordered consumer. */
	if (pipe_kind(o) == PIPE_ORDERED)
		return err;
	for (k = 0; err == 0 && k < o->durables; k++)
		err = durable_setup(w, k);
	return err;
}

static int refuse(char *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int
refuse(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, OPTION_WHY_MAX, fmt, ap); /* cut is fine */
	va_end(ap);
	return -EINVAL;
}

static int
validate_answers(const struct pipe_options *o, char *why)
{
	struct pipe_answers a;
	int64_t waits[PIPE_WAITS_MAX];
	int n, err = pipe_answers_read(o, &a, why);

	if (err == 0)
		err = pipe_backoff_read(o, waits, &n, why);
	if (err < 0)
		return err;
	if ((a.sum != 0 || o->max_deliver != 0 || n > 0) &&
	    (pipe_kind(o) == PIPE_ORDERED || pipe_is_plain(o)))
		return refuse(why,
		    "-o pipeline.answers, max-deliver and backoff do not go "
		    "with %s, of which nobody hears",
		    pipe_is_plain(o) ? "plain acks" : "ordered consumers");
	if (o->max_deliver != 0 && (uint64_t)n >= o->max_deliver)
		return refuse(why,
		    "-o pipeline.backoff \"%s\": must have fewer times than "
		    "max-deliver (%llu)",
		    o->backoff, (unsigned long long)o->max_deliver);
	return 0;
}

static int
pipeline_validate(const struct run_config *c, const void *options_, char *why)
{
	const struct pipe_options *o = options_;
	int err = validate_answers(o, why);

	if (err < 0)
		return err;
	if (pipe_kind(o) == PIPE_ORDERED) {
		if (pipe_retention(o) != js_LimitsPolicy)
			return refuse(why,
			    "-o pipeline.retention \"%s\": must be limits when "
			    "consumers are ordered: they ack nothing",
			    o->retention);
		if (o->filter || pipe_is_plain(o))
			return refuse(why,
			    "-o pipeline.%s: does not go with ordered "
			    "consumers",
			    o->filter ? "filter" : "ack");
		if (c->consumers > PIPE_DURABLES_MAX)
			return refuse(why,
			    "--consumers %llu: must be at most %d when "
			    "consumers are ordered",
			    (unsigned long long)c->consumers,
			    PIPE_DURABLES_MAX);
		return 0;
	}
	if (c->consumers < o->durables)
		return refuse(why,
		    "-o pipeline.durables \"%llu\": must be at most %llu "
		    "(--consumers): each durable needs a process",
		    (unsigned long long)o->durables,
		    (unsigned long long)c->consumers);
	if (o->filter && pipe_retention(o) == js_WorkQueuePolicy)
		return refuse(why,
		    "-o pipeline.filter: must be false with retention %s, "
		    "where every durable has a subject of its own",
		    o->retention);
	return 0;
}

static int
pipeline_begin(struct worker *w)
{
	struct pipe_state *s = w->state;

	if (strcmp(w->role, "publisher") == 0)
		return pipe_publisher_begin(w, &s->publisher);
	return pipe_consumer_begin(w, &s->consumer);
}

static int
pipeline_step(struct worker *w)
{
	struct pipe_state *s = w->state;

	if (s->publisher != NULL)
		return pipe_publisher_step(w, s->publisher);
	return pipe_consumer_step(w, s->consumer);
}

static int
pipeline_drain(struct worker *w)
{
	struct pipe_state *s = w->state;

	if (s->publisher != NULL)
		return pipe_publisher_drain(w, s->publisher);
	return pipe_consumer_drain(w, s->consumer);
}

static void
pipeline_command(struct worker *w, const struct event *cmd)
{
	struct pipe_state *s = w->state;

	if (cmd->type == MESSAGE_GIVE_UP && s->publisher != NULL)
		pipe_publisher_give_up(s->publisher, cmd->u.give_up.id);
}

static void
pipeline_end(struct worker *w)
{
	struct pipe_state *s = w->state;

	pipe_publisher_end(s->publisher);
	pipe_consumer_end(s->consumer);
	s->publisher = NULL;
	s->consumer = NULL;
}

static int
pipeline_audit(struct worker *w)
{
	const struct pipe_options *o = w->options;

	if (pipe_retention(o) == js_LimitsPolicy)
		return audit_streams(w);
	return remains_streams(w);
}

static const struct workload_role roles[] = {
    {"publisher", WORKLOAD_CLIENTS, true},
    {"consumer", WORKLOAD_CONSUMERS, false},
    {NULL, WORKLOAD_ONE, false},
};

const struct workload_ops workload_pipeline = {
    .name = "pipeline",
    .summary = "many messages in flight through shared durable consumers",
    .roles = roles,
    .options = options,
    .options_size = sizeof(struct pipe_options),
    .state_size = sizeof(struct pipe_state),
    .takes_rate = true,
    .is_bulk = true,
    .validate = pipeline_validate,
    .setup = pipeline_setup,
    .audit = pipeline_audit,
    .begin = pipeline_begin,
    .step = pipeline_step,
    .command = pipeline_command,
    .drain = pipeline_drain,
    .end = pipeline_end,
};
