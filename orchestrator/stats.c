/* SPDX-License-Identifier: ISC */
/* Figures of a history; see stats.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/stats.h"
#include "proto/base/text.h"

void
stats_init(struct stats *s)
{
	memset(s, 0, sizeof(*s));
}

void
stats_fini(struct stats *s)
{
	free(s->faults);
	s->faults = NULL;
}

static void
round_done(struct stats *s, uint64_t now)
{
	uint64_t since = s->last_round_ns ? s->last_round_ns : s->load_ns;

	s->rounds++;
	s->last_round_ns = now;
	if (s->load_ns == 0 || s->load_end_ns != 0)
		return;
	hist_add(&s->round, now - since);
	if (now - since > s->longest_stall_ns)
		s->longest_stall_ns = now - since;
}

static void
on_publish_ok(struct stats *s, const struct ledger *l, const struct event *ev)
{
	const struct msg_publish_ok *m = &ev->u.publish_ok;
	const struct ledger_stream *stream = ledger_stream(l, m->stream);
	const struct ledger_entry *e = ledger_find(l, m->id);

	s->publish_ok++;
	if (e != NULL)
		hist_add(&s->publish, ev->time_ns - e->invoked_ns);
	if (stream == NULL || stream->consumers == 0)
		round_done(s, ev->time_ns);
}

static void
on_ack_ok(struct stats *s, const struct ledger *l, const struct event *ev)
{
	const struct ledger_entry *e = ledger_find(l, ev->u.ack_ok.id);
	const struct ledger_consumer *k =
	    ledger_consumer(l, ev->u.ack_ok.consumer);

	s->ack_ok++;
	if (e == NULL || e->is_confirmed)
		return; /* confirmed before: the same message once more */
	if (k != NULL && (e->required & ~(e->confirmed | k->bit)) != 0)
		return; /* others have to confirm it as well */
	if (e->is_acked)
		hist_add(&s->consume, ev->time_ns - e->acked_ns);
	round_done(s, ev->time_ns);
}

/* Where nothing is confirmed, a message is done when it was delivered. */
static void
on_deliver(struct stats *s, const struct ledger *l, const struct event *ev)
{
	const struct msg_deliver *m = &ev->u.deliver;
	const struct ledger_consumer *k = ledger_consumer(l, m->consumer);
	const struct ledger_entry *e;

	s->deliver++;
	s->redeliver += m->delivered > 1;
	if (k == NULL || !k->has_rules || k->acks == ACKS_CONFIRMED)
		return;
	e = ledger_find(l, m->id);
	if (e == NULL || e->is_confirmed ||
	    (e->required & ~(e->confirmed | k->bit)) != 0)
		return;
	if (e->is_acked)
		hist_add(&s->consume, ev->time_ns - e->acked_ns);
	round_done(s, ev->time_ns);
}

static struct stats_fault *
fault_row(struct stats *s, uint32_t fault)
{
	size_t i;

	for (i = s->nfaults; i-- > 0;)
		if (s->faults[i].fault == fault)
			return &s->faults[i];
	return NULL;
}

static void
on_fault_planned(struct stats *s, const struct event *ev)
{
	const struct msg_fault_planned *m = &ev->u.fault_planned;
	struct stats_fault *rows, *f;
	size_t room;

	(void)snprintf(
	    s->fault_now, sizeof(s->fault_now), "%s %s", m->mode, m->target);
	if (s->nfaults == STATS_FAULTS_MAX) {
		s->faults_omitted++;
		return;
	}
	if (s->nfaults == s->faults_room) {
		room = s->faults_room ? s->faults_room * 2 : 64;
		rows = realloc(s->faults, room * sizeof(*rows));
		if (rows == NULL) {
			s->faults_omitted++;
			return;
		}
		s->faults = rows;
		s->faults_room = room;
	}
	f = &s->faults[s->nfaults++];
	memset(f, 0, sizeof(*f));
	f->fault = m->fault;
	f->planned_ns = m->planned_ns;
	f->due_ns = ev->time_ns;
	(void)text_copy(f->mode, sizeof(f->mode), m->mode);
	(void)text_copy(f->target, sizeof(f->target), m->target);
}

static void
on_fault_outcome(struct stats *s, const struct event *ev)
{
	struct stats_fault *f;

	if (ev->type == MESSAGE_FAULT_APPLIED) {
		f = fault_row(s, ev->u.fault_applied.fault);
		if (f == NULL)
			return;
		f->applied = ev->u.fault_applied.ok;
		f->applied_ns = ev->time_ns;
		(void)text_copy(f->applied_how, sizeof(f->applied_how),
		    ev->u.fault_applied.how);
		return;
	}
	s->fault_now[0] = '\0';
	f = fault_row(s, ev->u.fault_healed.fault);
	if (f == NULL)
		return;
	f->healed = ev->u.fault_healed.ok;
	f->healed_ns = ev->time_ns;
	(void)text_copy(
	    f->healed_how, sizeof(f->healed_how), ev->u.fault_healed.how);
}

static void
on_phase(struct stats *s, const struct event *ev)
{
	const char *name = ev->u.phase.name;

	(void)text_copy(s->phase, sizeof(s->phase), name);
	if (strcmp(name, "quiet") == 0)
		s->load_ns = ev->time_ns;
	else if (strcmp(name, "mayhem") == 0)
		s->mayhem_ns = ev->time_ns;
	else if (strcmp(name, "drain") == 0 && s->load_ns != 0 &&
		 s->load_end_ns == 0) {
		uint64_t since =
		    s->last_round_ns ? s->last_round_ns : s->load_ns;

		s->load_end_ns = ev->time_ns;
		/* A stall that lasts until the end counts as well. */
		if (ev->time_ns - since > s->longest_stall_ns)
			s->longest_stall_ns = ev->time_ns - since;
	}
}

static void
on_node(struct stats *s, const struct msg_node *m)
{
	struct stats_server *v;

	if (m->node < 1 || m->node > CONFIG_NODES_MAX)
		return;
	v = &s->servers[m->node - 1];
	(void)text_copy(v->name, sizeof(v->name), m->name);
	if (m->version[0] != '\0')
		(void)text_copy(v->version, sizeof(v->version), m->version);
}

static void
on_rare(struct stats *s, const struct event *ev)
{
	switch ((unsigned)ev->type) {
	case MESSAGE_PHASE:
		on_phase(s, ev);
		break;
	case MESSAGE_NODE:
		on_node(s, &ev->u.node);
		break;
	case MESSAGE_RUN:
		s->wall_ns = ev->u.run.wall_ns;
		break;
	case MESSAGE_HELLO:
		if (ev->u.hello.library[0] != '\0')
			(void)text_copy(s->library, sizeof(s->library),
			    ev->u.hello.library);
		break;
	case MESSAGE_FAULT_PLANNED:
		on_fault_planned(s, ev);
		break;
	case MESSAGE_FAULT_APPLIED:
	case MESSAGE_FAULT_HEALED:
		on_fault_outcome(s, ev);
		break;
	case MESSAGE_CHILD_EXIT:
		s->workers_died += !ev->u.child_exit.expected;
		break;
	case MESSAGE_CHILD_GAP:
		s->gaps++;
		break;
	case MESSAGE_BEHIND:
		if (ev->u.behind.behind > s->behind)
			s->behind = ev->u.behind.behind;
		break;
	case MESSAGE_SCAN_ABSENT:
		s->absent++;
		break;
	default:
		break;
	}
}

void
stats_event(struct stats *s, const struct ledger *l, const struct event *ev)
{
	if (s->events++ == 0)
		s->first_ns = ev->time_ns;
	s->last_ns = ev->time_ns;
	switch ((unsigned)ev->type) {
	case MESSAGE_PUBLISH_INVOKE:
		s->publish_retries += ev->u.publish_invoke.attempt > 1;
		break;
	case MESSAGE_PUBLISH_OK:
		on_publish_ok(s, l, ev);
		break;
	case MESSAGE_PUBLISH_END:
		s->publish_fail += ev->u.publish_end.outcome == 1;
		s->publish_unknown += ev->u.publish_end.outcome == 2;
		break;
	case MESSAGE_DELIVER:
		on_deliver(s, l, ev);
		break;
	case MESSAGE_ACK_OK:
		on_ack_ok(s, l, ev);
		break;
	case MESSAGE_ACK_UNKNOWN:
		s->ack_unknown += ev->u.ack_unknown.gave_up;
		break;
	case MESSAGE_SCAN_MESSAGE:
		s->scanned++;
		break;
	case MESSAGE_KV_UPDATE_OK:
		s->updates++;
		round_done(s, ev->time_ns);
		break;
	case MESSAGE_KV_UPDATE_REJECTED:
		s->rejected++;
		break;
	case MESSAGE_KV_VALUE:
		s->reads++;
		break;
	case MESSAGE_STREAM_ADD_OK:
		s->streams_added++;
		break;
	case MESSAGE_STREAM_REMOVE_OK:
		s->streams_removed++;
		break;
	case MESSAGE_STREAM_LIST_END:
		s->listings += ev->u.stream_list_end.ok;
		if (ev->u.stream_list_end.ok)
			round_done(s, ev->time_ns);
		break;
	default:
		on_rare(s, ev);
		break;
	}
}
