/* SPDX-License-Identifier: ISC */
/*
 * corrupt: the bytes of a message changed.
 *
 * Rule (guarantees 2d): each payload carries run, publisher, counter, size
 * and a checksum of itself. A payload in one of the run's own streams that
 * does not pass its checksum, or differs from what the publisher says it
 * sent under that id, was changed on the way or on disk.
 *
 * Why no legal behaviour trips it: all attempts of one id send the same
 * bytes, TCP has its own checksum, and nobody else publishes there.
 */
#include <stddef.h>

#include "orchestrator/judge/check.h"

struct reading {
	uint32_t stream;
	uint64_t seq, id, run, sum;
	unsigned intact;
};

static void
judge_reading(struct check *c, const struct reading *r)
{
	struct anomaly a = {.kind = ANOMALY_CORRUPT, .stream = r->stream};
	const struct ledger_entry *e;

	a.seqs[0] = r->seq;
	if (!r->intact) {
		check_raise(c, &a,
		    "the payload at sequence %llu does not pass its checksum",
		    (unsigned long long)r->seq);
		return;
	}
	e = ledger_find(c->ledger, r->id);
	if (e == NULL || r->run != c->ledger->run || e->sum == r->sum)
		return;
	a.ids[0] = r->id;
	check_raise(c, &a,
	    "message %u:%llu was read at sequence %llu with checksum %016llx "
	    "but published with %016llx",
	    message_id_source(r->id),
	    (unsigned long long)message_id_counter(r->id),
	    (unsigned long long)r->seq, (unsigned long long)r->sum,
	    (unsigned long long)e->sum);
}

/* A message came without its payload: its header says what was left out. */
static void
on_bare(struct check *c, const struct msg_bare *m)
{
	const struct life *f = life_of(c->lives, m->consumer);
	const struct live *e = contents_find(c->contents, m->stream, m->seq);
	struct anomaly a = {.kind = ANOMALY_CORRUPT,
	    .rule = "guarantees 24",
	    .stream = m->stream,
	    .ids = {m->id},
	    .seqs = {m->seq}};

	if (f == NULL || c->lives->has_hole || !life_is_always_bare(f))
		return;
	if (m->payload != 0)
		check_raise(c, &a,
		    "sequence %llu came with %u bytes of payload from consumer "
		    "%s, which was asked for headers alone",
		    (unsigned long long)m->seq, m->payload, f->name);
	else if (e != NULL && e->id == m->id && e->bytes != m->stored)
		check_raise(c, &a,
		    "of sequence %llu consumer %s says that %llu bytes of "
		    "payload were left out (0: it does not say): then it would "
		    "be stored as %u bytes, and it is as %u",
		    (unsigned long long)m->seq, f->name,
		    (unsigned long long)m->size, m->stored, e->bytes);
}

static int
corrupt_event(struct check *c, const struct event *ev)
{
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_scan_message *s = &ev->u.scan_message;
	const struct msg_look_shown *l = &ev->u.look_shown;
	struct reading r;

	if (ev->type == MESSAGE_BARE) {
		on_bare(c, &ev->u.bare);
		return 0;
	}
	if (ev->type == MESSAGE_LOOK_SHOWN) {
		if (l->marker || l->subject == 0)
			return 0;
		r = (struct reading){
		    l->stream, l->seq, l->id, l->run, l->sum, l->intact};
	} else if (ev->type == MESSAGE_DELIVER) {
		if (life_is_bare(c->lives, d->consumer))
			return 0;
		r = (struct reading){
		    d->stream, d->seq, d->id, d->run, d->sum, d->intact};
	} else
		r = (struct reading){
		    s->stream, s->seq, s->id, s->run, s->sum, s->intact};
	judge_reading(c, &r);
	return 0;
}

static const enum message_type types[] = {
    MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, MESSAGE_LOOK_SHOWN, MESSAGE_BARE, 0};

static const enum message_type judges[] = {
    MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_corrupt = {
    .name = "corrupt",
    .summary = "payloads arrive and are stored as they were published",
    .rule = "guarantees 2",
    .types = types,
    .unit = "payloads",
    .judges = judges,
    .stands_alone = true,
    .event = corrupt_event,
};
