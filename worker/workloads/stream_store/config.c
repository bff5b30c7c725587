/* SPDX-License-Identifier: ISC */
/* The streams and their configurations; see stream_store.h. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/stream_store/stream_store.h"

#define KINDS 4

enum kind {
	KIND_FREE,
	KIND_OLD,
	KIND_NEW,
	KIND_UNBOUNDED
};

static uint64_t
between(struct rng *r, uint64_t low, uint64_t high)
{
	return low + rng_below(r, high - low + 1);
}

static bool
one_of(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/*
 * Small limits are reached again and again in a run of seconds; blocks of a
 * file store are a quarter of what the stream may hold.
 */
static void
draw_limits(struct rng *r, enum kind kind, struct operate_limits *l)
{
	memset(l, 0, sizeof(*l));
	if (kind == KIND_OLD || kind == KIND_NEW) {
		if (one_of(r, 2))
			l->messages = between(r, 20, 400);
		if (l->messages == 0 || one_of(r, 2))
			l->bytes = between(r, 64, 1024) << 10;
	}
	if (kind == KIND_OLD && one_of(r, 2))
		l->age_ns = between(r, 8, 20) * CLOCK_S;
	if (kind != KIND_FREE && one_of(r, 2))
		l->per_subject = between(r, 1, 64);
}

void
store_config_draw(const struct worker *w, uint32_t i, struct store_config *c)
{
	static const uint64_t windows_s[] = {4, 120, 300};
	const struct store_options *o = w->options;
	enum kind kind = (enum kind)(i % KINDS);
	char stream[32];
	struct rng r;

	text_format(stream, sizeof(stream), "stream-store %u", i);
	rng_init(&r, w->config.seed, stream);
	memset(c, 0, sizeof(*c));
	draw_limits(&r, kind, &c->limits);
	c->discard_new = kind == KIND_NEW;
	c->new_per_subject =
	    c->discard_new && c->limits.per_subject != 0 && one_of(&r, 2);
	c->max_size = one_of(&r, 4) ? between(&r, 4, 16) << 10 : 0;
	c->dedupe_ns = windows_s[rng_below(&r, 3)] * CLOCK_S;
	if (c->limits.age_ns != 0)
		c->dedupe_ns = windows_s[0] * CLOCK_S; /* not above the age */
	c->first_seq = one_of(&r, 3) ? between(&r, 2, UINT32_MAX) : 0;
	if (o->from_one)
		c->first_seq = 0;
	c->deny_delete = kind != KIND_UNBOUNDED && one_of(&r, 8);
	c->deny_purge = kind != KIND_UNBOUNDED && one_of(&r, 8);
	c->allow_rollup = !c->deny_purge && !one_of(&r, 4);
	c->allow_ttl = !one_of(&r, 3);
	c->is_compressed = one_of(&r, 2);
	c->is_memory = strcmp(w->config.storage, "memory") == 0;
	c->is_unbounded = kind == KIND_UNBOUNDED;
	c->changes_limits = one_of(&r, 2) && !config_edits_streams(&w->config);
	c->is_sealed = !c->allow_ttl && c->limits.age_ns == 0 && one_of(&r, 2);
	if (c->allow_ttl && c->allow_rollup && !o->from_one && one_of(&r, 2))
		c->marker_ns = between(&r, 1, 5) * CLOCK_S;
}

/* A limit that there is becomes half as large, up to twice. */
static void
vary(struct rng *r, uint64_t *limit)
{
	if (*limit != 0)
		*limit = between(r, (*limit + 1) / 2, *limit * 2);
}

void
store_limits_draw(
    struct rng *r, const struct store_config *c, struct operate_limits *l)
{
	*l = c->limits;
	vary(r, &l->messages);
	vary(r, &l->bytes);
	vary(r, &l->per_subject);
	if (l->age_ns != 0)
		l->age_ns = between(r, 8, 20) * CLOCK_S;
}

uint32_t
store_subject_read(const struct worker *w, uint32_t i, const char *subject)
{
	const struct store_options *o = w->options;

	return operate_subject_read(w, i, o->subjects, subject);
}

/* A limit as servers have it, where -1 is none. */
static long long
limit(uint64_t value)
{
	return value != 0 ? (long long)value : -1;
}

void
store_config_write(const struct worker *w, uint32_t i,
    const struct store_config *c, const struct operate_limits *l,
    char out[OPERATE_TEXT_MAX])
{
	char name[64], subject[OPERATE_SUBJECT_MAX];

	operate_name(w, i, name);
	operate_subject(w, i, 0, subject);
	out[0] = '\0';
	text_add(out, OPERATE_TEXT_MAX,
	    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"retention\":\"limits\","
	    "\"max_consumers\":-1,\"max_msgs\":%lld,\"max_bytes\":%lld,"
	    "\"max_age\":%llu,\"max_msgs_per_subject\":%lld,"
	    "\"max_msg_size\":%lld,\"discard\":\"%s\",\"storage\":\"%s\","
	    "\"num_replicas\":%llu,\"duplicate_window\":%llu,"
	    "\"allow_direct\":true",
	    name, subject, limit(l->messages), limit(l->bytes),
	    (unsigned long long)l->age_ns, limit(l->per_subject),
	    limit(c->max_size), c->discard_new ? "new" : "old",
	    c->is_memory ? "memory" : "file",
	    (unsigned long long)w->config.replicas,
	    (unsigned long long)c->dedupe_ns);
	text_add(out, OPERATE_TEXT_MAX, "%s%s%s%s%s%s",
	    c->new_per_subject ? ",\"discard_new_per_subject\":true" : "",
	    c->deny_delete ? ",\"deny_delete\":true" : "",
	    c->deny_purge ? ",\"deny_purge\":true" : "",
	    c->allow_rollup ? ",\"allow_rollup_hdrs\":true" : "",
	    c->allow_ttl ? ",\"allow_msg_ttl\":true" : "",
	    c->is_compressed ? ",\"compression\":\"s2\"" : "");
	if (c->first_seq != 0)
		text_add(out, OPERATE_TEXT_MAX, ",\"first_seq\":%llu",
		    (unsigned long long)c->first_seq);
	if (c->marker_ns != 0)
		text_add(out, OPERATE_TEXT_MAX,
		    ",\"subject_delete_marker_ttl\":%llu",
		    (unsigned long long)c->marker_ns);
	text_add(out, OPERATE_TEXT_MAX, "}");
}

void
store_config_read(struct store_config *c, const cJSON *config)
{
	c->allow_ttl = json_is_true(config, "allow_msg_ttl");
	c->marker_ns = json_count(config, "subject_delete_marker_ttl");
	c->allow_rollup = json_is_true(config, "allow_rollup_hdrs");
	c->deny_delete = json_is_true(config, "deny_delete");
	c->deny_purge = json_is_true(config, "deny_purge");
	c->new_per_subject = json_is_true(config, "discard_new_per_subject");
	c->first_seq = json_count(config, "first_seq");
	c->is_compressed = strcmp(json_text(config, "compression"), "s2") == 0;
}

/* The event of a stream whose configuration the server has taken. */
static void
tell_contents(struct worker *w, uint32_t i, const struct store_config *c)
{
	const struct store_options *o = w->options;
	struct event ev = {.type = MESSAGE_CONTENTS};
	struct msg_contents *m = &ev.u.contents;

	m->stream = i;
	m->subjects = (uint32_t)o->subjects;
	m->max_messages = c->limits.messages;
	m->max_bytes = c->limits.bytes;
	m->max_age_ns = c->limits.age_ns;
	m->per_subject = c->limits.per_subject;
	m->max_size = c->max_size;
	m->discard = c->discard_new ? DISCARD_NEW : DISCARD_OLD;
	m->discard_new_per_subject = c->new_per_subject;
	m->deny_delete = c->deny_delete;
	m->deny_purge = c->deny_purge;
	m->allow_rollup = c->allow_rollup;
	m->allow_ttl = c->allow_ttl;
	m->marker_ttl_ns = c->marker_ns;
	m->first_seq = c->first_seq != 0 ? c->first_seq : 1;
	child_emit(&w->child, &ev);
}

const struct store_config *
store_config(const struct worker *w, uint32_t i)
{
	const struct store_state *s = w->state;

	return &s->configs[i];
}

int
store_config_setup(struct worker *w, uint32_t i)
{
	char name[64], text[OPERATE_TEXT_MAX];
	struct store_config c;
	uint64_t created;
	cJSON *answer;
	int err;

	operate_name(w, i, name);
	store_config_draw(w, i, &c);
	store_config_write(w, i, &c, &c.limits, text);
	err = operate_make(w, name, text, &answer, &created);
	if (err < 0)
		return err;
	store_config_read(&c, json_get(answer, "config"));
	cJSON_Delete(answer);
	tell_stream(w, i, name, created, c.dedupe_ns);
	tell_contents(w, i, &c);
	child_flush(&w->child);
	return 0;
}
