/* SPDX-License-Identifier: ISC */
/*
 * The events of publishing, receiving and acking, which every workload tells
 * in the same way. An event is too large to be cleared for each message: all
 * its fields are set.
 */
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "worker/internal.h"

void
tell_reconnects(struct worker *w)
{
	struct event ev;
	uint64_t in, in_bytes, out, out_bytes, times = 0;

	if (w->stats == NULL && natsStatistics_Create(&w->stats) != NATS_OK)
		return;
	if (natsConnection_GetStats(w->session.nc, w->stats) != NATS_OK ||
	    natsStatistics_GetCounts(
		w->stats, &in, &in_bytes, &out, &out_bytes, &times) != NATS_OK)
		return;
	if (times == w->reconnects)
		return;
	w->reconnects = times;
	ev.type = MESSAGE_RECONNECTED;
	ev.u.reconnected.times = times;
	child_emit(&w->child, &ev);
}

void
tell_invoke(struct worker *w, const struct attempt *a)
{
	struct event ev;
	struct msg_publish_invoke *m = &ev.u.publish_invoke;

	ev.type = MESSAGE_PUBLISH_INVOKE;
	m->stream = a->stream;
	m->id = a->id;
	m->attempt = a->number;
	m->sum = a->sum;
	m->size = a->size;
	child_emit(&w->child, &ev);
}

void
tell_published(
    struct worker *w, const struct attempt *a, uint64_t seq, bool duplicate)
{
	struct event ev;
	struct msg_publish_ok *m = &ev.u.publish_ok;

	ev.type = MESSAGE_PUBLISH_OK;
	m->stream = a->stream;
	m->id = a->id;
	m->attempt = a->number;
	m->seq = seq;
	m->duplicate = duplicate;
	child_emit(&w->child, &ev);
}

void
tell_failure(struct worker *w, const struct attempt *a, enum outcome outcome)
{
	struct event ev;
	/* FAIL and UNKNOWN have the same fields. */
	struct msg_publish_unknown *m = &ev.u.publish_unknown;

	ev.type = outcome == OUTCOME_FAIL ? MESSAGE_PUBLISH_FAIL
					  : MESSAGE_PUBLISH_UNKNOWN;
	m->stream = a->stream;
	m->id = a->id;
	m->attempt = a->number;
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
}

void
tell_end(struct worker *w, const struct attempt *a, enum outcome outcome)
{
	struct event ev;
	struct msg_publish_end *m = &ev.u.publish_end;

	ev.type = MESSAGE_PUBLISH_END;
	m->stream = a->stream;
	m->id = a->id;
	m->outcome = (uint8_t)outcome;
	child_emit(&w->child, &ev);
}

void
tell_count(struct worker *w, const struct counted *c)
{
	struct event ev = {.type = MESSAGE_COUNTED};
	struct msg_counted *m = &ev.u.counted;

	m->stream = c->stream;
	m->id = c->id;
	m->seq = c->seq;
	m->how = (uint8_t)c->how;
	text_set(m->subject, sizeof(m->subject), c->subject);
	text_set(m->adds, sizeof(m->adds), c->adds);
	text_set(m->value, sizeof(m->value), c->value);
	child_emit(&w->child, &ev);
}

/* "20s"; what is written in another way is not known: 0. */
static uint64_t
read_ttl(const char *text)
{
	char seconds[24];
	size_t n = strspn(text, "0123456789");
	uint64_t value = 0;

	if (n == 0 || strcmp(text + n, "s") != 0 || n >= sizeof(seconds))
		return 0;
	text_format(seconds, sizeof(seconds), "%.*s", (int)n, text);
	return text_to_u64(seconds, UINT32_MAX, &value) < 0 ? 0
							    : value * CLOCK_S;
}

void
tell_marker(struct worker *w, const struct marker *m)
{
	struct event ev = {.type = MESSAGE_MARKED};
	struct msg_marked *e = &ev.u.marked;

	e->stream = m->stream;
	e->subject = m->subject;
	e->seq = m->seq;
	e->stamp_ns = m->stamp_ns;
	e->ttl_ns = read_ttl(m->ttl);
	e->scanned = m->is_scanned;
	text_set(e->reason, sizeof(e->reason), m->reason);
	child_emit(&w->child, &ev);
}

void
tell_delivery(struct worker *w, const struct consumption *c)
{
	struct event ev;
	struct msg_deliver *m = &ev.u.deliver;

	ev.type = MESSAGE_DELIVER;
	m->stream = c->stream;
	m->consumer = c->consumer;
	m->seq = c->delivery.seq;
	m->consumer_seq = c->delivery.consumer_seq;
	m->delivered = c->delivery.delivered;
	m->stamp_ns = c->delivery.stamp_ns;
	m->id = c->payload.id;
	m->run = c->payload.run;
	m->sum = c->payload.sum;
	m->intact = c->intact;
	child_emit(&w->child, &ev);
}

void
tell_ack_invoke(struct worker *w, const struct ack *a, uint32_t attempt)
{
	struct event ev;
	struct msg_ack_invoke *m = &ev.u.ack_invoke;

	ev.type = MESSAGE_ACK_INVOKE;
	m->consumer = a->consumer;
	m->seq = a->seq;
	m->consumer_seq = a->consumer_seq;
	m->id = a->id;
	m->attempt = attempt;
	child_emit(&w->child, &ev);
}

void
tell_confirmed(struct worker *w, const struct ack *a)
{
	struct event ev;
	struct msg_ack_ok *m = &ev.u.ack_ok;

	ev.type = MESSAGE_ACK_OK;
	m->consumer = a->consumer;
	m->seq = a->seq;
	m->consumer_seq = a->consumer_seq;
	m->id = a->id;
	child_emit(&w->child, &ev);
}

void
tell_unconfirmed(struct worker *w, const struct ack *a, bool gave_up)
{
	struct event ev;
	struct msg_ack_unknown *m = &ev.u.ack_unknown;

	ev.type = MESSAGE_ACK_UNKNOWN;
	m->consumer = a->consumer;
	m->seq = a->seq;
	m->consumer_seq = a->consumer_seq;
	m->id = a->id;
	m->gave_up = gave_up;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
}

void
tell_stream(struct worker *w, uint32_t stream, const char *name,
    uint64_t created, uint64_t dedupe_ns)
{
	struct event ev;
	struct msg_stream *m = &ev.u.stream;

	ev.type = MESSAGE_STREAM;
	m->stream = stream;
	m->created = created;
	m->dedupe_ns = dedupe_ns;
	m->replicas = (uint32_t)w->config.replicas;
	text_set(m->name, sizeof(m->name), name);
	text_set(m->storage, sizeof(m->storage), w->config.storage);
	child_emit(&w->child, &ev);
}

/* All messages of a change begin with its stream, id and attempt. */
static void
set_change(struct event *ev, const struct changing *c)
{
	ev->u.change_ok.stream = c->stream;
	ev->u.change_ok.id = c->id;
	ev->u.change_ok.attempt = c->attempt;
}

void
tell_changed(struct worker *w, const struct changing *c, const cJSON *answer)
{
	struct event ev = {.type = MESSAGE_CHANGE_OK};

	set_change(&ev, c);
	ev.u.change_ok.counts = json_get(answer, "purged") != NULL;
	ev.u.change_ok.removed = json_count(answer, "purged");
	child_emit(&w->child, &ev);
}

void
tell_unchanged(struct worker *w, const struct changing *c, enum outcome outcome)
{
	struct event ev = {.type = outcome == OUTCOME_FAIL
				       ? MESSAGE_CHANGE_FAIL
				       : MESSAGE_CHANGE_UNKNOWN};
	/* FAIL and UNKNOWN have the same fields. */
	struct msg_change_unknown *m = &ev.u.change_unknown;

	set_change(&ev, c);
	m->code = w->session.code;
	text_set(m->why, sizeof(m->why), w->session.why);
	child_emit(&w->child, &ev);
}

void
tell_change_over(struct worker *w, const struct changing *c, enum outcome whole)
{
	struct event ev = {.type = MESSAGE_CHANGE_END};

	ev.u.change_end.stream = c->stream;
	ev.u.change_end.id = c->id;
	ev.u.change_end.outcome = (uint8_t)whole;
	child_emit(&w->child, &ev);
}
