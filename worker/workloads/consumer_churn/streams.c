/* SPDX-License-Identifier: ISC */
/* The streams, and what is published to them; see consumer_churn.h. */
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/operate.h"
#include "worker/workloads/consumer_churn/consumer_churn.h"

#define DEDUPE_NS  (120 * CLOCK_S)
#define BESIDE_MAX 1024 /* bytes of a message beside its payload */
#define LEAST	   400	/* messages of a stream */
#define MOST	   2000
#define BACKLOG	   1500 /* of one that drops what was acked */
#define FULL_MS	   10
#define COUNT_NS   (CLOCK_S / 2)

void
churn_stream_name(const struct worker *w, uint32_t i, char out[64])
{
	char suffix[16];

	text_format(suffix, sizeof(suffix), "c%u", i);
	worker_stream_name(w, suffix, out, 64);
}

void
churn_subject(const struct worker *w, uint32_t i, uint32_t subject,
    char out[CHURN_SUBJECT_MAX])
{
	char suffix[32];

	if (subject == 0)
		text_format(suffix, sizeof(suffix), "c%u.>", i);
	else
		text_format(suffix, sizeof(suffix), "c%u.k%u", i, subject);
	worker_subject(w, suffix, out, CHURN_SUBJECT_MAX);
}

/*
 * How many messages it keeps is what a consumer that begins has to read. What
 * drops what was acked has no limit: then nothing else removes a message.
 */
struct churn_kind
churn_stream_kind(const struct worker *w, uint32_t i)
{
	static const enum message_word kinds[] = {
	    RETENTION_LIMITS, RETENTION_WORKQUEUE, RETENTION_INTEREST};
	const struct churn_options *o = w->options;
	struct churn_kind k = {RETENTION_LIMITS, 0, false};
	char stream[32];
	struct rng r;

	text_format(stream, sizeof(stream), "consumer-churn %u", i);
	rng_init(&r, w->config.seed, stream);
	k.messages = LEAST + rng_below(&r, MOST - LEAST);
	k.has_unwanted = rng_below(&r, 2) == 0;
	if (strcmp(o->retention, "mixed") == 0)
		k.retention = kinds[(i + rng_below(&r, 2)) % 3];
	else if (strcmp(o->retention, "workqueue") == 0)
		k.retention = RETENTION_WORKQUEUE;
	else if (strcmp(o->retention, "interest") == 0)
		k.retention = RETENTION_INTEREST;
	k.has_unwanted &= k.retention == RETENTION_INTEREST;
	if (k.retention != RETENTION_LIMITS)
		k.messages = 0;
	return k;
}

uint64_t
churn_subjects_of(const struct worker *w, uint32_t i, uint32_t consumer)
{
	const struct churn_options *o = w->options;
	struct churn_kind kind = churn_stream_kind(w, i);
	uint64_t all = UINT64_MAX >> (64 - o->subjects), mine = 0, n, k;

	if (kind.has_unwanted)
		return all >> 1;
	if (kind.retention != RETENTION_WORKQUEUE)
		return all;
	n = (w->config.clients * o->places + 1) / 2;
	for (k = 0; consumer % 2 == 0 && k < o->subjects; k++)
		if ((k + i * o->subjects) % n == consumer / 2)
			mine |= UINT64_C(1) << k;
	return mine;
}

uint64_t
churn_stream_largest(const struct worker *w)
{
	const struct churn_options *o = w->options;

	return o->size[1] + BESIDE_MAX;
}

uint32_t
churn_stored(
    const struct worker *w, const char *subject, uint64_t id, uint64_t size)
{
	char text[PUBLISH_ID_MAX];

	publish_id(w, id, text);
	return (uint32_t)payload_stored(
	    strlen(subject) + strlen(text) + size +
		strlen("NATS/1.0\r\nNats-Msg-Id: \r\n\r\n"),
	    true, setup_storage(w) == js_MemoryStorage);
}

static void
write_config(const struct worker *w, uint32_t i, char text[OPERATE_TEXT_MAX])
{
	static const char *const words[] = {"limits", "workqueue", "interest"};
	struct churn_kind kind = churn_stream_kind(w, i);
	char name[64], subject[CHURN_SUBJECT_MAX];

	churn_stream_name(w, i, name);
	churn_subject(w, i, 0, subject);
	text[0] = '\0';
	text_add(text, OPERATE_TEXT_MAX,
	    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"retention\":\"%s\","
	    "\"max_consumers\":-1,\"max_msgs\":%lld,\"max_bytes\":-1,"
	    "\"max_msg_size\":%llu,"
	    "\"discard\":\"old\",\"storage\":\"%s\",\"num_replicas\":%llu,"
	    "\"duplicate_window\":%llu,\"allow_direct\":true}",
	    name, subject, words[kind.retention],
	    kind.messages != 0 ? (long long)kind.messages : -1,
	    (unsigned long long)churn_stream_largest(w), w->config.storage,
	    (unsigned long long)w->config.replicas,
	    (unsigned long long)DEDUPE_NS);
}

static void
tell_contents(struct worker *w, uint32_t i)
{
	const struct churn_options *o = w->options;
	struct churn_kind kind = churn_stream_kind(w, i);
	struct event ev = {.type = MESSAGE_STREAM_RULES};
	struct msg_contents *m = &ev.u.contents;

	ev.u.stream_rules.stream = i;
	ev.u.stream_rules.retention = (uint8_t)kind.retention;
	if (kind.retention != RETENTION_LIMITS)
		child_emit(&w->child, &ev);
	ev = (struct event){.type = MESSAGE_CONTENTS};
	m->stream = i;
	m->subjects = (uint32_t)o->subjects;
	m->max_messages = kind.messages;
	m->discard = DISCARD_OLD;
	m->first_seq = 1;
	child_emit(&w->child, &ev);
}

int
churn_stream_setup(struct worker *w, uint32_t i)
{
	char name[64], text[OPERATE_TEXT_MAX];
	uint64_t created;
	cJSON *answer;
	int err;

	churn_stream_name(w, i, name);
	write_config(w, i, text);
	err = operate_make(w, name, text, &answer, &created);
	if (err < 0)
		return err;
	cJSON_Delete(answer);
	tell_stream(w, i, name, created, DEDUPE_NS);
	tell_contents(w, i);
	child_flush(&w->child);
	return 0;
}

/* Compression is told from 2.10 on, and a level of the API from 2.11 on. */
void
churn_stream_learn(struct worker *w, struct churn_stream *t)
{
	const cJSON *config;
	cJSON *tree;

	if (t->is_known)
		return;
	if (operate_ask(w, "STREAM.INFO", t->name, "", &tree) != OUTCOME_OK)
		return; /* later */
	config = json_get(tree, "config");
	t->last = json_count(json_get(tree, "state"), "last_seq");
	if (json_text(json_get(config, "metadata"), "_nats.level")[0] != '\0')
		t->level = CHURN_2_11;
	else if (json_text(config, "compression")[0] != '\0')
		t->level = CHURN_2_10;
	t->is_known = true;
	cJSON_Delete(tree);
}

uint64_t
churn_next_id(struct worker *w)
{
	struct churn *s = w->state;

	if (s->counter == 0)
		s->counter = w->counter;
	return message_id(w->source, s->counter++);
}

static void
tell_terms(struct worker *w, const struct publication *p, uint32_t subject)
{
	struct event ev = {.type = MESSAGE_PUBLISH_TERMS};
	struct msg_publish_terms *m = &ev.u.publish_terms;

	m->stream = p->stream;
	m->id = p->id;
	m->subject = subject;
	m->stored = churn_stored(w, p->subject, p->id, p->size);
	child_emit(&w->child, &ev);
}

/* Without a limit it is left alone while consumers are behind. */
static bool
is_full(struct worker *w, struct churn_stream *t)
{
	uint64_t now = clock_mono_ns();
	cJSON *tree;

	if (t->kind.messages != 0 || now < t->counted_ns + COUNT_NS)
		return t->is_full;
	t->counted_ns = now;
	if (operate_ask(w, "STREAM.INFO", t->name, "", &tree) != OUTCOME_OK)
		return t->is_full;
	t->is_full = json_count(json_get(tree, "state"), "messages") > BACKLOG;
	cJSON_Delete(tree);
	return t->is_full;
}

void
churn_publish(struct worker *w)
{
	const struct churn_options *o = w->options;
	struct churn *s = w->state;
	uint32_t stream = (uint32_t)rng_below(&s->rng, o->streams);
	uint32_t subject = 1 + (uint32_t)rng_below(&s->rng, o->subjects);
	char name[CHURN_SUBJECT_MAX];

	if (is_full(w, &s->streams[stream])) {
		worker_commands(w, FULL_MS);
		return;
	}
	churn_subject(w, stream, subject, name);
	s->now = (struct publication){.stream = stream,
	    .subject = name,
	    .id = churn_next_id(w),
	    .size = (uint32_t)(o->size[0] +
			       rng_below(&s->rng, o->size[1] - o->size[0] + 1)),
	    /* A retry has to lie within the dedupe window of the first. */
	    .give_up_ns = DEDUPE_NS / 2};
	tell_terms(w, &s->now, subject);
	/* Whatever became of it is in its events. */
	(void)publish_message(w, &s->now);
	s->now.subject = NULL;
	worker_commands(w, (int)(o->pause_ns / CLOCK_MS));
}
