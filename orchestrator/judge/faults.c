/* SPDX-License-Identifier: ISC */
/* Faults and the availability clock; see faults.h. */
#include <string.h>

#include "orchestrator/judge/faults.h"
#include "proto/base/ensure.h"

void
faults_init(struct faults *f)
{
	memset(f, 0, sizeof(*f));
}

/* The clock goes on at resume_ns: settle that once it has passed. */
static void
clock_settle(struct faults *f, uint64_t now_ns)
{
	if (!f->is_stopped || f->resume_ns == 0 || now_ns < f->resume_ns)
		return;
	f->total_ns += f->resume_ns - f->stopped_ns;
	f->is_stopped = false;
	f->resume_ns = 0;
}

/*
 * Ticks come every second, whatever the children do. Where they are missing
 * the whole host stood still (a paused machine): that time does not count.
 */
static uint64_t
clock_slept(const struct faults *f, uint64_t now_ns)
{
	if (f->is_stopped || f->tick_ns == 0 ||
	    now_ns < f->tick_ns + FAULTS_SLEPT_NS)
		return 0;
	return now_ns - f->tick_ns;
}

/* A gap without ticks ends with the next tick, and with a fault. */
static void
clock_tick(struct faults *f, const struct event *ev)
{
	if (ev->type != MESSAGE_TICK && (ev->type != MESSAGE_FAULT_PLANNED ||
					    clock_slept(f, ev->time_ns) == 0))
		return;
	f->total_ns += clock_slept(f, ev->time_ns);
	f->tick_ns = ev->time_ns;
}

static void
fault_begin(struct faults *f, const struct event *ev)
{
	const struct msg_fault_planned *p = &ev->u.fault_planned;

	f->planned++;
	f->servers_ended += p->ends_server;
	if (f->nopen == FAULTS_OPEN_MAX)
		return; /* chaos never has that many in force */
	f->open[f->nopen++] = (struct fault_open){.fault = p->fault,
	    .stops_clock = p->stops_clock && !f->strict,
	    .planned_ns = ev->time_ns};
	if (!p->stops_clock || f->strict)
		return;
	f->nstopping++;
	f->resume_ns = 0;
	if (!f->is_stopped) {
		f->is_stopped = true;
		f->stopped_ns = ev->time_ns;
	}
}

static void
past_add(struct faults *f, uint64_t from_ns, uint64_t to_ns)
{
	struct fault_past *p = &f->past[f->npast++ % FAULTS_PAST];

	if (p->to_ns > f->forgotten_ns)
		f->forgotten_ns = p->to_ns;
	*p = (struct fault_past){from_ns, to_ns};
}

static void
fault_end(struct faults *f, const struct event *ev)
{
	unsigned i;

	for (i = 0; i < f->nopen; i++)
		if (f->open[i].fault == ev->u.fault_healed.fault)
			break;
	if (i == f->nopen)
		return;
	if (ev->u.fault_healed.ok)
		f->healed++;
	else
		f->unhealed++;
	f->last_end_ns = ev->time_ns;
	past_add(f, f->open[i].planned_ns, ev->time_ns);
	/* What could not be undone may hinder JetStream for ever. */
	if (f->open[i].stops_clock && ev->u.fault_healed.ok) {
		ensure(f->nstopping > 0 && f->is_stopped);
		if (--f->nstopping == 0)
			f->resume_ns = ev->time_ns + FAULTS_ELECTION_NS;
	}
	f->open[i] = f->open[--f->nopen];
}

static void
fault_outcome(struct faults *f, const struct event *ev)
{
	unsigned i;

	if (!ev->u.fault_applied.ok) {
		f->failed++;
		return;
	}
	f->applied++;
	for (i = 0; i < f->nopen; i++)
		if (f->open[i].fault == ev->u.fault_applied.fault)
			f->open[i].applied = true;
}

void
faults_event(struct faults *f, const struct event *ev)
{
	clock_settle(f, ev->time_ns);
	clock_tick(f, ev);
	if (ev->type == MESSAGE_FAULT_PLANNED)
		fault_begin(f, ev);
	else if (ev->type == MESSAGE_FAULT_HEALED)
		fault_end(f, ev);
	else if (ev->type == MESSAGE_FAULT_APPLIED)
		fault_outcome(f, ev);
}

bool
faults_in_effect(const struct faults *f)
{
	unsigned i;

	for (i = 0; i < f->nopen; i++)
		if (f->open[i].applied)
			return true;
	return false;
}

bool
faults_active(const struct faults *f)
{
	return f->nopen > 0;
}

bool
faults_quiet_for(const struct faults *f, uint64_t now_ns, uint64_t ns)
{
	if (f->nopen > 0)
		return false;
	return f->last_end_ns == 0 || now_ns >= f->last_end_ns + ns;
}

bool
faults_quiet_between(const struct faults *f, uint64_t from_ns, uint64_t to_ns)
{
	unsigned i;

	if (from_ns < f->forgotten_ns)
		return false;
	for (i = 0; i < f->nopen; i++)
		if (f->open[i].planned_ns <= to_ns)
			return false;
	for (i = 0; i < FAULTS_PAST && i < f->npast; i++)
		if (f->past[i].from_ns <= to_ns && f->past[i].to_ns >= from_ns)
			return false;
	return true;
}

uint64_t
faults_stood(const struct faults *f, uint64_t now_ns)
{
	uint64_t end = now_ns;

	if (!f->is_stopped)
		return f->total_ns + clock_slept(f, now_ns);
	if (f->resume_ns != 0 && f->resume_ns < end)
		end = f->resume_ns;
	return f->total_ns + (end > f->stopped_ns ? end - f->stopped_ns : 0);
}
