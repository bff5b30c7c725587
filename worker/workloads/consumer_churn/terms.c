/* SPDX-License-Identifier: ISC */
/* What a consumer is asked to be; see consumer_churn.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/text.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define NESTING_MAX 4
#define WAITS	    3 /* of a list: once, twice, and three times the first */
#define TIME_MAX    48
#define NEAR	    300			 /* sequences */
#define RATE_LEAST  (UINT64_C(8) * 4096) /* bits a second */

static uint64_t
below(struct worker *w, uint64_t n)
{
	struct churn *s = w->state;

	return rng_below(&s->rng, n);
}

/* One of some bits, of which there is one at least. */
static uint64_t
one_of(struct worker *w, uint64_t bits)
{
	uint64_t n = below(w, (uint64_t)__builtin_popcountll(bits));

	while (n-- > 0)
		bits &= bits - 1;
	return bits & -bits;
}

static void
draw_filters(struct worker *w, struct msg_consumer_terms *c)
{
	const struct churn_options *o = w->options;
	const struct churn *s = w->state;
	bool is_old = s->streams[c->stream].level < CHURN_2_10;
	uint64_t mine = churn_subjects_of(w, c->stream, c->consumer);
	bool has_all = mine == UINT64_MAX >> (64 - o->subjects);
	uint64_t n = below(w, 4); /* none, one, or some */

	c->subjects = 0;
	c->filters = 0;
	if (has_all && n == 0 && c->policy != POLICY_LAST_PER_SUBJECT)
		return;
	if (has_all && n == 0) {
		c->filters = 1; /* of all subjects */
		return;
	}
	if (is_old || n <= 2)
		n = 1;
	else
		n = 2 + below(w, o->subjects / 2);
	while (n-- > 0)
		c->subjects |= one_of(w, mine);
	c->filters = (uint32_t)__builtin_popcountll(c->subjects);
}

static void
draw_start(struct worker *w, struct msg_consumer_terms *c)
{
	static const enum message_word policies[] = {POLICY_ALL, POLICY_ALL,
	    POLICY_NEW, POLICY_LAST, POLICY_LAST_PER_SUBJECT, POLICY_BY_SEQ,
	    POLICY_BY_TIME};
	const struct churn *s = w->state;
	const struct churn_stream *t = &s->streams[c->stream];
	uint64_t near;

	c->policy = (uint8_t)policies[below(w, 7)];
	if (t->kind.retention == RETENTION_WORKQUEUE)
		c->policy = POLICY_ALL; /* servers refuse others */
	/*
	 * Near what is newest. Not beyond it: servers up to 2.10 begin with
	 * what comes next, instead of waiting for the sequence.
	 */
	near = t->last + 1 < NEAR ? t->last + 1 : NEAR;
	if (c->policy == POLICY_BY_SEQ)
		c->start_seq = t->last + 1 - below(w, near);
	if (c->policy == POLICY_BY_TIME && t->stamp_ns == 0)
		c->policy = POLICY_ALL;
	if (c->policy == POLICY_BY_TIME)
		c->start_ns = t->stamp_ns;
}

static void
draw_waits(struct worker *w, struct msg_consumer_terms *c)
{
	if (c->acks == ACK_POLICY_NONE)
		return;
	c->ack_wait_ns = (1 + below(w, 3)) * CLOCK_S;
	c->max_ack_pending = 20 + below(w, c->kind == KIND_PULL ? 500 : 100);
	if (below(w, 4) == 0)
		c->max_ack_pending = 0;
	c->max_deliver = below(w, 4) == 0 ? WAITS + 1 + below(w, 8) : 0;
	/* Servers take the first of the list for the ack wait. */
	c->backoff_ns = below(w, 6) == 0 ? c->ack_wait_ns : 0;
}

/*
 * Most have to be acked one by one, for those owe every message. Who pulls
 * has to ack, says 2.9.
 */
static void
draw_kind(struct worker *w, struct msg_consumer_terms *c)
{
	const struct churn *s = w->state;
	uint64_t acks = below(w, 6);

	c->kind = (uint8_t)(below(w, 2) == 0 ? KIND_PULL : KIND_PUSH);
	c->acks = ACK_POLICY_EXPLICIT;
	if (acks == 0)
		c->acks = ACK_POLICY_ALL;
	else if (acks == 1 && c->kind == KIND_PUSH)
		c->acks = ACK_POLICY_NONE;
	if (s->streams[c->stream].kind.retention == RETENTION_WORKQUEUE)
		c->acks = ACK_POLICY_EXPLICIT; /* servers refuse others */
	if (c->kind == KIND_PUSH && below(w, 2) == 0)
		text_set(c->group, sizeof(c->group), "queue");
}

/* Others must have as many replicas as their stream. */
static bool
is_free(const struct churn_stream *t)
{
	return t->kind.retention == RETENTION_LIMITS;
}

void
churn_terms_draw(struct worker *w, struct msg_consumer_terms *c)
{
	const struct churn *s = w->state;

	*c = (struct msg_consumer_terms){
	    .stream = c->stream, .consumer = c->consumer};
	draw_kind(w, c);
	draw_start(w, c);
	draw_filters(w, c);
	draw_waits(w, c);
	c->is_durable = below(w, 2) == 0;
	if (!c->is_durable)
		c->inactive_ns = (below(w, 2) == 0 ? 10 : 120) * CLOCK_S;
	c->replicas = (uint32_t)w->config.replicas;
	if (below(w, 4) == 0 && is_free(&s->streams[c->stream]))
		c->replicas = 1;
	c->is_memory = below(w, 8) == 0;
	c->headers_only = below(w, 12) == 0;
	/* A work queue whose consumer is slow would be full for long. */
	if (c->kind == KIND_PUSH && !c->headers_only &&
	    is_free(&s->streams[c->stream]) && below(w, 3) == 0)
		c->rate = RATE_LEAST * (1 + below(w, 2));
}

void
churn_terms_vary(struct worker *w, struct msg_consumer_terms *c)
{
	const struct churn *s = w->state;
	const struct churn_options *o = w->options;
	uint64_t what = below(w, is_free(&s->streams[c->stream]) ? 5 : 4);

	if (what < 2 && !o->refilter)
		what += 2;
	if (what < 2)
		draw_filters(w, c);
	else if (what < 4)
		draw_waits(w, c);
	else
		c->replicas =
		    c->replicas == 1 ? (uint32_t)w->config.replicas : 1;
}

void
churn_terms_spoil(struct msg_consumer_terms *c)
{
	c->policy =
	    (uint8_t)(c->policy == POLICY_NEW ? POLICY_ALL : POLICY_NEW);
	c->start_seq = 0;
	c->start_ns = 0;
}

static void
write_time(int64_t ns, char out[TIME_MAX])
{
	char day[CLOCK_UTC_MAX];

	clock_utc(ns, day);
	day[strcspn(day, "Z")] = '\0';
	text_format(out, TIME_MAX, "%.24s.%09lldZ", day,
	    (long long)(ns % (int64_t)CLOCK_S));
}

static void
write_filters(const struct worker *w, const struct msg_consumer_terms *c,
    char out[CHURN_CONFIG_MAX])
{
	char subject[CHURN_SUBJECT_MAX];
	const char *comma = "";
	uint32_t k;

	if (c->filters == 0)
		return;
	if (c->subjects == 0) {
		churn_subject(w, c->stream, 0, subject);
		text_add(out, CHURN_CONFIG_MAX, ",\"filter_subject\":\"%s\"",
		    subject);
		return;
	}
	text_add(out, CHURN_CONFIG_MAX, ",\"filter_subject%s",
	    c->filters == 1 ? "\":" : "s\":[");
	for (k = 1; k <= CHURN_SUBJECTS_MAX; k++) {
		if ((c->subjects >> (k - 1) & 1) == 0)
			continue;
		churn_subject(w, c->stream, k, subject);
		text_add(out, CHURN_CONFIG_MAX, "%s\"%s\"", comma, subject);
		comma = ",";
	}
	text_add(out, CHURN_CONFIG_MAX, "%s", c->filters == 1 ? "" : "]");
}

/* Two tokens below the inbox: who listens there alone does not get it. */
void
churn_deliver_subject(
    const struct churn_life *l, char out[SESSION_INBOX_MAX + 8])
{
	text_format(out, SESSION_INBOX_MAX + 8, "%s.push.d", l->inbox);
}

/* A limit as servers have it, where -1 is none. */
static long long
limit(uint64_t value)
{
	return value != 0 ? (long long)value : -1;
}

void
churn_terms_write(const struct worker *w, const struct churn_life *l,
    const struct msg_consumer_terms *c, uint64_t revision,
    char out[CHURN_CONFIG_MAX])
{
	static const char *const policies[] = {"all", "last", "new",
	    "by_start_sequence", "by_start_time", "last_per_subject"};
	static const char *const acks[] = {"explicit", "none", "all"};
	const struct churn *s = w->state;
	char when[TIME_MAX], deliver[SESSION_INBOX_MAX + 8];

	text_format(out, CHURN_CONFIG_MAX,
	    "{\"name\":\"%s\",\"deliver_policy\":\"%s\",\"ack_policy\":\"%s\","
	    "\"replay_policy\":\"instant\",\"num_replicas\":%u",
	    l->name, policies[c->policy], acks[c->acks], c->replicas);
	if (c->is_durable)
		text_add(
		    out, CHURN_CONFIG_MAX, ",\"durable_name\":\"%s\"", l->name);
	if (c->kind == KIND_PUSH) {
		churn_deliver_subject(l, deliver);
		text_add(out, CHURN_CONFIG_MAX, ",\"deliver_subject\":\"%s\"",
		    deliver);
	}
	if (c->group[0] != '\0')
		text_add(out, CHURN_CONFIG_MAX, ",\"deliver_group\":\"%s\"",
		    c->group);
	if (c->policy == POLICY_BY_SEQ)
		text_add(out, CHURN_CONFIG_MAX, ",\"opt_start_seq\":%llu",
		    (unsigned long long)c->start_seq);
	if (c->policy == POLICY_BY_TIME) {
		write_time(c->start_ns, when);
		text_add(
		    out, CHURN_CONFIG_MAX, ",\"opt_start_time\":\"%s\"", when);
	}
	write_filters(w, c, out);
	if (c->acks != ACK_POLICY_NONE)
		text_add(out, CHURN_CONFIG_MAX,
		    ",\"ack_wait\":%llu,\"max_deliver\":%lld,"
		    "\"max_ack_pending\":%lld",
		    (unsigned long long)c->ack_wait_ns, limit(c->max_deliver),
		    limit(c->max_ack_pending));
	if (c->backoff_ns != 0)
		text_add(out, CHURN_CONFIG_MAX, ",\"backoff\":[%llu,%llu,%llu]",
		    (unsigned long long)c->backoff_ns,
		    (unsigned long long)(2 * c->backoff_ns),
		    (unsigned long long)(3 * c->backoff_ns));
	if (c->inactive_ns != 0)
		text_add(out, CHURN_CONFIG_MAX, ",\"inactive_threshold\":%llu",
		    (unsigned long long)c->inactive_ns);
	if (l->is_pinned)
		text_add(out, CHURN_CONFIG_MAX,
		    ",\"priority_policy\":\"pinned_client\","
		    "\"priority_groups\":[\"g\"],\"priority_timeout\":%llu",
		    (unsigned long long)CHURN_PIN_NS);
	if (l->is_overflow)
		text_add(out, CHURN_CONFIG_MAX,
		    ",\"priority_policy\":\"overflow\","
		    "\"priority_groups\":[\"g\"]");
	if (c->is_memory)
		text_add(out, CHURN_CONFIG_MAX, ",\"mem_storage\":true");
	if (c->rate != 0)
		text_add(out, CHURN_CONFIG_MAX, ",\"rate_limit_bps\":%llu",
		    (unsigned long long)c->rate);
	if (c->headers_only)
		text_add(out, CHURN_CONFIG_MAX, ",\"headers_only\":true");
	if (s->streams[c->stream].level >= CHURN_2_10)
		text_add(out, CHURN_CONFIG_MAX,
		    ",\"metadata\":{\"revision\":\"%llu\"}",
		    (unsigned long long)revision);
	text_add(out, CHURN_CONFIG_MAX, "}");
}

/* What servers leave out of what they say, for it is what they do anyway. */
static bool
is_nothing(const cJSON *item)
{
	return cJSON_IsFalse(item) ||
	       (cJSON_IsNumber(item) && item->valuedouble == 0);
}

static bool
is_same(const cJSON *asked, const cJSON *said)
{
	const cJSON *member;

	if (said == NULL)
		return is_nothing(asked);
	if (cJSON_IsObject(asked)) { /* servers add metadata of their own */
		cJSON_ArrayForEach (member, asked)
			if (!is_same(member, json_get(said, member->string)))
				return false;
		return true;
	}
	if (strcmp(asked->string, "opt_start_time") == 0)
		return cJSON_IsString(said) &&
		       request_time(asked->valuestring) ==
			   request_time(said->valuestring);
	return cJSON_Compare(asked, said, true);
}

bool
churn_terms_differ(const char asked[CHURN_CONFIG_MAX], const cJSON *said,
    char differs[CHURN_DIFFERS_MAX])
{
	cJSON *tree = json_parse(asked, strlen(asked), NESTING_MAX);
	static const char *const filters[] = {
	    "filter_subject", "filter_subjects"};
	const cJSON *member;
	size_t i;

	differs[0] = '\0';
	cJSON_ArrayForEach (member, tree)
		if (!is_same(member, json_get(said, member->string)))
			text_add(differs, CHURN_DIFFERS_MAX, "%s%s",
			    differs[0] != '\0' ? " " : "", member->string);
	/* Of others that were not asked for these would change what comes. */
	for (i = 0; i < 2; i++)
		if (json_get(tree, filters[i]) == NULL &&
		    json_get(said, filters[i]) != NULL)
			text_add(differs, CHURN_DIFFERS_MAX, "%s%s",
			    differs[0] != '\0' ? " " : "", filters[i]);
	cJSON_Delete(tree);
	return differs[0] != '\0';
}
