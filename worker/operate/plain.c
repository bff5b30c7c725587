/* SPDX-License-Identifier: ISC */
/* Streams whose messages only a purge of the subject takes; see operate.h. */
#include <string.h>

#include "proto/base/text.h"
#include "worker/operate/operate.h"

#define DEDUPE_NS (120 * CLOCK_S)

static void
tell_contents(struct worker *w, uint32_t i, uint64_t subjects)
{
	struct event ev = {.type = MESSAGE_CONTENTS};

	ev.u.contents.stream = i;
	ev.u.contents.subjects = (uint32_t)subjects;
	ev.u.contents.first_seq = 1;
	child_emit(&w->child, &ev);
}

static int
setup_one(struct worker *w, uint32_t i, uint64_t subjects, const char *more)
{
	char name[64], text[OPERATE_TEXT_MAX], subject[OPERATE_SUBJECT_MAX];
	bool packs = strcmp(w->config.storage_compression, "s2") == 0;
	uint64_t created;
	cJSON *answer;
	int err;

	operate_name(w, i, name);
	operate_subject(w, i, 0, subject);
	text_format(text, sizeof(text),
	    "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"%s\","
	    "\"num_replicas\":%llu,\"duplicate_window\":%llu,"
	    "\"allow_direct\":true,%s%s}",
	    name, subject, w->config.storage,
	    (unsigned long long)w->config.replicas,
	    (unsigned long long)DEDUPE_NS, more,
	    packs ? ",\"compression\":\"s2\"" : "");
	err = operate_make(w, name, text, &answer, &created);
	if (err < 0)
		return err;
	cJSON_Delete(answer);
	tell_stream(w, i, name, created, DEDUPE_NS);
	tell_contents(w, i, subjects);
	child_flush(&w->child);
	return 0;
}

int
plain_setup(struct worker *w, uint64_t from, uint64_t to, const char *text)
{
	const struct plain_options *o = w->options;
	uint32_t i;
	int err = 0;

	for (i = (uint32_t)from; i < to && err == 0; i++)
		err = setup_one(w, i, o->subjects, text);
	return err;
}

int
plain_begin(struct worker *w, const struct operate_ops *ops)
{
	const struct plain_options *o = w->options;
	int err = operate_init(w, ops, o->weights, o->streams);
	struct operate *s = w->state;
	struct operate_stream *t;
	uint32_t i;

	for (i = 0; i < o->streams && err == 0; i++) {
		t = &s->streams[i];
		t->dedupe_ns = DEDUPE_NS;
		t->is_memory = strcmp(w->config.storage, "memory") == 0;
		operate_name(w, i, t->name);
	}
	return err;
}

int
plain_step(struct worker *w)
{
	const struct plain_options *o = w->options;
	uint32_t i = (uint32_t)operate_below(w, o->streams);
	struct operate *s = w->state;
	struct operation op = {.at = &s->streams[i], .stream = i};

	if (op.at->is_known)
		operate_step(w, i);
	else
		operate_look_state(w, &op);
	return 0;
}

uint32_t
plain_subject_read(const struct worker *w, uint32_t stream, const char *subject)
{
	const struct plain_options *o = w->options;

	return operate_subject_read(w, stream, o->subjects, subject);
}

bool
plain_draw_get(struct worker *w, struct operation *op)
{
	op->look = LOOK_SEQ;
	op->is_direct = operate_below(w, 4) == 0;
	return operate_draw_seq(w, op->at, &op->seq);
}

bool
plain_draw_state(struct worker *w, struct operation *op)
{
	(void)w; /* nothing is drawn */
	(void)op;
	return true;
}

void
plain_config_read(struct worker *w, uint32_t stream, const cJSON *config)
{
	(void)w;
	(void)stream;
	(void)config;
}
