/* SPDX-License-Identifier: ISC */
/*
 * phantom: a message appears that nobody published.
 *
 * Rule (guarantees 0 and 1): the stream and its subjects are named after
 * the run, and each publish is in the history before its first byte is
 * sent. A whole payload whose id this run has not invoked was never
 * published by it.
 *
 * Why no legal behaviour trips it: an UNKNOWN publish that turns up late
 * was invoked, so it is not a phantom, however late; a damaged payload is
 * the business of "corrupt".
 */
#include <stddef.h>

#include "orchestrator/judge/check.h"

static void
judge_message(
    struct check *c, uint32_t stream, uint64_t seq, uint64_t id, uint64_t run)
{
	struct anomaly a = {
	    .kind = ANOMALY_PHANTOM, .stream = stream, .is_no_loss = true};

	if (c->ledger->run == 0)
		return; /* without a head nothing is known; the judge says so */
	if (run == c->ledger->run && ledger_was_invoked(c->ledger, id))
		return;
	a.ids[0] = id;
	a.seqs[0] = seq;
	check_raise(c, &a,
	    "sequence %llu holds message %u:%llu of run %llu, which this run "
	    "(%llu) never published",
	    (unsigned long long)seq, message_id_source(id),
	    (unsigned long long)message_id_counter(id), (unsigned long long)run,
	    (unsigned long long)c->ledger->run);
}

static int
phantom_event(struct check *c, const struct event *ev)
{
	const struct msg_deliver *d = &ev->u.deliver;
	const struct msg_scan_message *s = &ev->u.scan_message;
	const struct msg_look_shown *l = &ev->u.look_shown;

	if (ev->type == MESSAGE_DELIVER && d->intact)
		judge_message(c, d->stream, d->seq, d->id, d->run);
	else if (ev->type == MESSAGE_SCAN_MESSAGE && s->intact)
		judge_message(c, s->stream, s->seq, s->id, s->run);
	else if (ev->type == MESSAGE_LOOK_SHOWN && l->intact)
		judge_message(c, l->stream, l->seq, l->id, l->run);
	return 0;
}

static const enum message_type types[] = {
    MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, MESSAGE_LOOK_SHOWN, 0};

static const enum message_type judges[] = {
    MESSAGE_DELIVER, MESSAGE_SCAN_MESSAGE, 0};

const struct check_ops check_phantom = {
    .name = "phantom",
    .summary = "nothing is delivered or stored that was not published",
    .rule = "guarantees 1",
    .types = types,
    .unit = "messages read",
    .judges = judges,
    .event = phantom_event,
};
