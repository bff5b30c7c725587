/* SPDX-License-Identifier: ISC */
/* Reads: how old they are, and for how long; see kv.h. */
#include <errno.h>

#include "orchestrator/check/kv/kv.h"

int
kv_on_read(struct check *c, const struct event *ev)
{
	struct kv_state *st = c->state;
	struct kv_client *cl = kv_client_at(st, ev->source);
	const struct kv_key *k = kv_key_at(st, ev->u.kv_read.key);

	if (cl == NULL || k == NULL)
		return -ENOMEM;
	cl->is_reading = true;
	cl->op = ev->u.kv_read.op;
	cl->acked = k->acked;
	cl->acked_id = k->acked_id;
	cl->asked_ns = ev->time_ns;
	if (cl->since_ns != 0)
		return 0;
	cl->since_ns = ev->time_ns;
	cl->told = false;
	return 0;
}

static void
raise_stale(
    struct check *c, const struct kv_client *cl, const struct kv_shown *s)
{
	struct anomaly a =
	    kv_anomaly(c, ANOMALY_STALE_READ, cl->acked_id, cl->acked);
	struct check_span span = kv_span(c, cl->asked_ns, c->now_ns);

	a.rule = "guarantees 11";
	a.ids[1] = s->id;
	a.seqs[1] = s->revision;
	if (s->path == KV_PATH_DIRECT)
		a.class = CLASS_DOCUMENTED;
	/*
	 * One replica has no other leader: it convicts as it is. But whatever
	 * keeps a server from its store it calls "no message found", as one
	 * does that switches JetStream off for lack of space.
	 */
	if (s->path == KV_PATH_DIRECT || (span.replicas == 1 && s->found)) {
		check_raise(c, &a,
		    "a %s of key %u returned revision %llu, although %llu had "
		    "been acknowledged before it was asked",
		    s->path == KV_PATH_DIRECT ? "direct get"
					      : "read by the leader",
		    s->key, (unsigned long long)s->revision,
		    (unsigned long long)cl->acked);
		return;
	}
	a.class = CLASS_WARNING;
	check_raise_steady(c, &a, &span,
	    "a read by the leader of key %u returned revision %llu, although "
	    "%llu had been acknowledged before it was asked",
	    s->key, (unsigned long long)s->revision,
	    (unsigned long long)cl->acked);
}

/* Since when is what the leader shows older than what was acknowledged? */
static void
judge_doubt(
    struct check *c, const struct kv_client *cl, const struct kv_shown *s)
{
	struct kv_state *st = c->state;
	struct kv_key *k = &st->keys[s->key];
	uint64_t confirm_ns = kv_settings(c)->confirm_ns, from_ns;
	struct check_span span;
	struct anomaly a;

	if (k->doubt_ns != 0 && s->revision >= k->doubted)
		k->doubt_ns = 0;
	if (s->revision >= cl->acked)
		return;
	if (k->doubt_ns == 0) {
		k->doubt_ns = cl->asked_ns;
		k->doubted = cl->acked;
		k->doubted_id = cl->acked_id;
		k->told = false;
	}
	/* A client that stood still tells late of an answer that is old. */
	if (k->told || cl->asked_ns < k->doubt_ns + confirm_ns)
		return;
	/* The 20 s before the span are looked at as well. */
	from_ns = confirm_ns > FAULTS_ELECTION_NS
		      ? cl->asked_ns - confirm_ns + FAULTS_ELECTION_NS
		      : cl->asked_ns;
	span = kv_span(c, from_ns, cl->asked_ns);
	if (check_steady(c, span.what, span.name, span.replicas, span.from_ns,
		span.to_ns) == STEADY_NO)
		return;
	k->told = true;
	a = kv_anomaly(c, ANOMALY_LOST_UPDATE, k->doubted_id, k->doubted);
	a.ids[1] = s->id;
	a.seqs[1] = s->revision;
	if (a.class == CLASS_VIOLATION)
		a.class = CLASS_WARNING;
	check_raise_steady(c, &a, &span,
	    "update %s was acknowledged at revision %llu of key %u; since "
	    "%.1f s every read by the leader is older, the last one at "
	    "revision %llu",
	    kv_id_text(k->doubted_id).s, (unsigned long long)k->doubted, s->key,
	    (double)(cl->asked_ns - k->doubt_ns) / 1e9,
	    (unsigned long long)s->revision);
}

int
kv_on_value(struct check *c, const struct event *ev)
{
	const struct msg_kv_value *m = &ev->u.kv_value;
	struct kv_shown s = {m->key, m->path, m->found, m->intact, m->revision,
	    m->id, m->run, m->sum};
	struct kv_state *st = c->state;
	struct kv_client *cl = kv_client_at(st, ev->source);
	struct kv_key *k = kv_key_at(st, m->key);
	const struct kv_link *known;
	int err;

	if (cl == NULL || k == NULL)
		return -ENOMEM;
	if (!cl->is_reading || cl->op != m->op)
		return 0; /* an event is missing: that alone spoils the run */
	cl->is_reading = false;
	cl->since_ns = 0;
	if (s.revision < cl->acked)
		raise_stale(c, cl, &s);
	if (s.path == KV_PATH_LEADER) {
		judge_doubt(c, cl, &s);
		k->streak.is_shown = s.revision == k->acked;
		if (!k->streak.is_shown)
			k->streak.tries = 0;
	}
	err = kv_judge_shown(c, &s);
	known = kv_link_find(k, s.revision);
	if (known != NULL && known->id == s.id && s.revision > k->read) {
		k->read = s.revision;
		k->read_id = s.id;
	}
	return err;
}

void
kv_judge_reading(struct check *c, struct kv_client *cl, uint32_t source)
{
	struct anomaly a = {.kind = ANOMALY_OP_TIMEOUT};
	const struct kv_state *st = c->state;
	struct check_time t = {cl->since_ns, c->config->op_timeout_ns, false};

	if (cl->since_ns == 0 || cl->told || !check_is_late(c, &t))
		return;
	cl->told = true;
	a.stream = st->stream;
	a.rule = "guarantees 15";
	check_raise_late(
	    c, &a, &t, "client %u got no answer to any read", source);
}
