/* SPDX-License-Identifier: ISC */
/*
 * misfired: a schedule did not send its message as it should.
 *
 * Rule (guarantees 30): a schedule that was acknowledged sends its message at
 * its time, not before, once or once a period, and goes away with the last
 * one; one that was removed or replaced sends nothing more. The audit reads
 * what was sent and what still waits.
 *
 * Why no legal behaviour trips it: that a message came before its time is said
 * by the clock of the leader alone, which decided it and stamped it; a fault
 * may set that between the two. What compares times of servers with those of
 * clients convicts on one host only, and where no clock was set meanwhile. Late
 * is what took longer than --op-timeout of the availability clock. Whatever may
 * have removed a schedule counts from when it was sent, for ever if it was not
 * answered. What came twice, or after a confirmed removal, is a warning unless
 * one leader was steady. Nothing that is not there is concluded when the stream
 * changed during the scan; what is there or not is a warning if the cluster did
 * not settle.
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/check/misfired/misfired.h"

static int
misfired_event(struct check *c, const struct event *ev)
{
	struct misfired_state *st = c->state;
	struct misfired_plan *p;

	switch ((unsigned)ev->type) {
	case MESSAGE_RUN:
		misfired_on_wall(c, ev->u.run.wall_ns);
		return 0;
	case MESSAGE_HELLO:
		misfired_on_wall(c, ev->u.hello.wall_ns);
		return 0;
	case MESSAGE_FAULT_PLANNED:
		st->was_set |=
		    strcmp(ev->u.fault_planned.mode, "clock_skew") == 0;
		return 0;
	case MESSAGE_SCHEDULE:
	case MESSAGE_SCHEDULE_OK:
	case MESSAGE_UNSCHEDULE:
	case MESSAGE_CHANGE_OK:
	case MESSAGE_CHANGE_END:
		return misfired_on_client(c, ev);
	case MESSAGE_FIRED:
		misfired_on_fired(c, &ev->u.fired);
		return 0;
	case MESSAGE_SCHEDULED:
		p = misfired_find(st, ev->u.scheduled.id);
		if (p != NULL)
			p->is_waiting = true;
		return 0;
	default:
		return misfired_on_scan(c, ev);
	}
}

static void
misfired_fini(struct check *c)
{
	struct misfired_state *st = c->state;
	uint32_t i;

	for (i = 0; i < st->n; i++)
		free(st->sources[i].plans);
	free(st->sources);
	free(st->readings);
}

static const enum message_type types[] = {MESSAGE_RUN, MESSAGE_HELLO,
    MESSAGE_FAULT_PLANNED, MESSAGE_SCHEDULE, MESSAGE_SCHEDULE_OK,
    MESSAGE_UNSCHEDULE, MESSAGE_CHANGE_OK, MESSAGE_CHANGE_END, MESSAGE_FIRED,
    MESSAGE_SCHEDULED, MESSAGE_SCAN_BEGIN, MESSAGE_SCAN_TALLY, MESSAGE_SCAN_END,
    MESSAGE_SCHEDULES_READ, 0};

const struct check_ops check_misfired = {
    .name = "misfired",
    .summary = "what is scheduled comes at its time, once, unless cancelled",
    .rule = "guarantees 30",
    .types = types,
    .unit = "schedules",
    .state_size = sizeof(struct misfired_state),
    .event = misfired_event,
    .fini = misfired_fini,
};
