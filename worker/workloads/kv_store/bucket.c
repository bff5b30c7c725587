/* SPDX-License-Identifier: ISC */
/* The buckets and their configurations; see kv_store.h. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/kv_store/kv_store.h"

#define KINDS	    4
#define HISTORY_LOG 6 /* 64 revisions at most, as ADR-8 allows */
#define WINDOW_NS   (120 * CLOCK_S)
#define MARKED_S    50 /* seconds, of a marker that shall be seen */

enum kind {
	KIND_ONE,
	KIND_AGE,
	KIND_BYTES,
	KIND_UNBOUNDED
};

static bool
one_of(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

void
bucket_config_draw(const struct worker *w, uint32_t i, struct bucket_config *c)
{
	enum kind kind = (enum kind)(i % KINDS);
	char stream[32];
	struct rng r;

	text_format(stream, sizeof(stream), "kv-store %u", i);
	rng_init(&r, w->config.seed, stream);
	memset(c, 0, sizeof(*c));
	c->history =
	    kind == KIND_ONE ? 1 : UINT64_C(2) << rng_below(&r, HISTORY_LOG);
	if (kind == KIND_BYTES)
		c->bytes = (64 + rng_below(&r, 961)) << 10;
	if (kind == KIND_AGE)
		c->age_ns = (8 + rng_below(&r, 13)) * CLOCK_S;
	c->dedupe_ns =
	    c->age_ns != 0 && c->age_ns < WINDOW_NS ? c->age_ns : WINDOW_NS;
	c->allow_ttl = !one_of(&r, 3);
	c->is_compressed = one_of(&r, 2);
	c->is_memory = strcmp(w->config.storage, "memory") == 0;
	c->is_unbounded = kind == KIND_UNBOUNDED;
	if (c->allow_ttl && !one_of(&r, 4))
		c->marker_ns =
		    (kind == KIND_ONE ? MARKED_S : 1 + rng_below(&r, 4)) *
		    CLOCK_S;
}

static void
bucket_of(const struct worker *w, uint32_t i, char out[64])
{
	char suffix[16];

	text_format(suffix, sizeof(suffix), "b%u", i);
	worker_stream_name(w, suffix, out, 64);
}

void
bucket_name(const struct worker *w, uint32_t i, char out[80])
{
	char bucket[64];

	bucket_of(w, i, bucket);
	text_format(out, 80, "KV_%s", bucket);
}

static uint32_t
group_of(uint32_t key)
{
	return (key - 1) / BUCKET_GROUP;
}

void
bucket_key(const struct worker *w, uint32_t i, uint32_t key,
    char out[OPERATE_SUBJECT_MAX])
{
	char bucket[64];

	bucket_of(w, i, bucket);
	if (key == 0)
		text_format(out, OPERATE_SUBJECT_MAX, "$KV.%s.>", bucket);
	else
		text_format(out, OPERATE_SUBJECT_MAX, "$KV.%s.g%u.k%u", bucket,
		    group_of(key), key);
}

uint32_t
bucket_key_read(const struct worker *w, uint32_t i, const char *subject)
{
	const struct bucket_options *o = w->options;
	char own[OPERATE_SUBJECT_MAX];
	const char *k = strrchr(subject, 'k');
	uint64_t n;

	if (k == NULL || text_to_u64(k + 1, o->keys, &n) < 0 || n == 0)
		return 0;
	bucket_key(w, i, (uint32_t)n, own);
	return strcmp(own, subject) == 0 ? (uint32_t)n : 0;
}

void
bucket_filter(const struct worker *w, uint32_t i, const struct watch *t,
    char out[OPERATE_SUBJECT_MAX])
{
	const struct bucket_options *o = w->options;
	char bucket[64];

	bucket_of(w, i, bucket);
	if (t->first == t->last)
		bucket_key(w, i, t->first, out);
	else if (t->first == 1 && t->last == o->keys)
		bucket_key(w, i, 0, out);
	else
		text_format(out, OPERATE_SUBJECT_MAX, "$KV.%s.g%u.>", bucket,
		    group_of(t->first));
}

/* As ADR-8 says. */
void
bucket_config_write(const struct worker *w, uint32_t i,
    const struct bucket_config *c, char out[OPERATE_TEXT_MAX])
{
	char name[80], subject[OPERATE_SUBJECT_MAX];

	bucket_name(w, i, name);
	bucket_key(w, i, 0, subject);
	text_format(out, OPERATE_TEXT_MAX,
	    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"retention\":\"limits\","
	    "\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":%lld,"
	    "\"max_age\":%llu,\"max_msgs_per_subject\":%llu,"
	    "\"max_msg_size\":-1,\"discard\":\"new\",\"storage\":\"%s\","
	    "\"num_replicas\":%llu,\"duplicate_window\":%llu,"
	    "\"allow_direct\":true,\"deny_delete\":true,"
	    "\"allow_rollup_hdrs\":true%s%s",
	    name, subject, c->bytes != 0 ? (long long)c->bytes : -1,
	    (unsigned long long)c->age_ns, (unsigned long long)c->history,
	    c->is_memory ? "memory" : "file",
	    (unsigned long long)w->config.replicas,
	    (unsigned long long)c->dedupe_ns,
	    c->allow_ttl ? ",\"allow_msg_ttl\":true" : "",
	    c->is_compressed ? ",\"compression\":\"s2\"" : "");
	if (c->marker_ns != 0)
		text_add(out, OPERATE_TEXT_MAX,
		    ",\"subject_delete_marker_ttl\":%llu",
		    (unsigned long long)c->marker_ns);
	text_add(out, OPERATE_TEXT_MAX, "}");
}

void
bucket_config_read(struct bucket_config *c, const cJSON *config)
{
	c->allow_ttl = json_is_true(config, "allow_msg_ttl");
	c->marker_ns = json_count(config, "subject_delete_marker_ttl");
	c->is_compressed = strcmp(json_text(config, "compression"), "s2") == 0;
}

/* The event of a bucket whose configuration the server has taken. */
static void
tell_contents(struct worker *w, uint32_t i, const struct bucket_config *c)
{
	const struct bucket_options *o = w->options;
	struct event ev = {.type = MESSAGE_CONTENTS};
	struct msg_contents *m = &ev.u.contents;

	m->stream = i;
	m->subjects = (uint32_t)o->keys;
	m->max_bytes = c->bytes;
	m->max_age_ns = c->age_ns;
	m->per_subject = c->history;
	m->discard = DISCARD_NEW;
	m->deny_delete = true;
	m->allow_rollup = true;
	m->allow_ttl = c->allow_ttl;
	m->marker_ttl_ns = c->marker_ns;
	m->first_seq = 1;
	child_emit(&w->child, &ev);
}

int
bucket_setup(struct worker *w, uint32_t i)
{
	char name[80], text[OPERATE_TEXT_MAX];
	struct bucket_config c;
	uint64_t created;
	cJSON *answer;
	int err;

	bucket_name(w, i, name);
	bucket_config_draw(w, i, &c);
	bucket_config_write(w, i, &c, text);
	err = operate_make(w, name, text, &answer, &created);
	if (err < 0)
		return err;
	bucket_config_read(&c, json_get(answer, "config"));
	cJSON_Delete(answer);
	tell_stream(w, i, name, created, c.dedupe_ns);
	tell_contents(w, i, &c);
	child_flush(&w->child);
	return 0;
}
