/* SPDX-License-Identifier: ISC */
/* What the options of pipeline mean, and its names; see pipeline.h. */
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/pipeline/pipeline.h"

enum pipe_kind
pipe_kind(const struct pipe_options *o)
{
	if (strcmp(o->consumer, "ordered") == 0)
		return PIPE_ORDERED;
	return strcmp(o->consumer, "push-queue") == 0 ? PIPE_PUSH : PIPE_PULL;
}

bool
pipe_is_plain(const struct pipe_options *o)
{
	return strcmp(o->ack, "plain") == 0;
}

jsRetentionPolicy
pipe_retention(const struct pipe_options *o)
{
	if (strcmp(o->retention, "workqueue") == 0)
		return js_WorkQueuePolicy;
	return strcmp(o->retention, "interest") == 0 ? js_InterestPolicy
						     : js_LimitsPolicy;
}

uint32_t
pipe_subjects(const struct pipe_options *o)
{
	/* Consumers of a work queue may not overlap. */
	if (pipe_retention(o) == js_WorkQueuePolicy)
		return (uint32_t)o->durables;
	return o->filter ? 2 : 1;
}

bool
pipe_filter(const struct pipe_options *o, uint32_t k, uint32_t *subject)
{
	*subject = 0;
	if (pipe_retention(o) == js_WorkQueuePolicy) {
		*subject = k;
		return true;
	}
	if (!o->filter || k % 2 == 0)
		return false;
	*subject = 1;
	return true;
}

void
pipe_durable(uint32_t k, char *out, size_t size)
{
	out[0] = '\0';
	text_add(out, size, PIPE_SUFFIX "%u", k);
}

void
pipe_deliver(const struct worker *w, uint32_t k, char *out, size_t size)
{
	char suffix[32] = "";

	/* Not below the stream's own subjects: it must not be stored. */
	text_add(suffix, sizeof(suffix), "deliver.%u", k);
	worker_subject(w, suffix, out, size);
}

void
pipe_lag_subject(const struct worker *w, char *out, size_t size)
{
	worker_subject(w, "lag", out, size);
}

void
pipe_tell_rules(struct worker *w, uint32_t consumer, uint32_t k)
{
	const struct pipe_options *o = w->options;
	struct event ev = {.type = MESSAGE_CONSUMER_RULES};
	struct msg_consumer_rules *m = &ev.u.consumer_rules;

	m->consumer = consumer;
	m->kind = (uint8_t)pipe_kind(o);
	m->acks = pipe_is_plain(o) ? 2 : 1;
	if (m->kind == PIPE_ORDERED)
		m->acks = 3;
	else {
		m->max_ack_pending = o->max_ack_pending;
		m->max_deliver = o->max_deliver;
		m->filtered = pipe_filter(o, k, &m->subject);
	}
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}
