/* SPDX-License-Identifier: ISC */
/* Reads: how old they are, and for how long; see kv.h. */
#include <errno.h>
#include <string.h>

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

	a.rule = "guarantees 11";
	if (s->path == KV_PATH_DIRECT)
		a.class = CLASS_DOCUMENTED;
	else if (kv_replicas_of(c) != 1)
		a.class = CLASS_WARNING;
	a.ids[1] = s->id;
	a.seqs[1] = s->revision;
	check_raise(c, &a,
	    "a %s of key %u returned revision %llu, although %llu had been "
	    "acknowledged before it was asked",
	    s->path == KV_PATH_DIRECT ? "direct get" : "read by the leader",
	    s->key, (unsigned long long)s->revision,
	    (unsigned long long)cl->acked);
}

static bool
was_steady(const struct check *c, uint64_t since_ns)
{
	const struct kv_state *st = c->state;

	if (!faults_quiet_for(c->faults, c->now_ns, c->now_ns - since_ns))
		return false;
	return kv_replicas_of(c) == 1 ||
	       (st->leader_ns != 0 && st->leader_ns <= since_ns &&
		   st->leader[0] != '\0');
}

/* Since when is what the leader shows older than what was acknowledged? */
static void
judge_doubt(
    struct check *c, const struct kv_client *cl, const struct kv_shown *s)
{
	struct kv_state *st = c->state;
	struct kv_key *k = &st->keys[s->key];
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
	if (k->told || cl->asked_ns < k->doubt_ns + st->confirm_ns ||
	    !was_steady(c, cl->asked_ns - st->confirm_ns))
		return;
	k->told = true;
	a = kv_anomaly(c, ANOMALY_LOST_UPDATE, k->doubted_id, k->doubted);
	a.ids[1] = s->id;
	a.seqs[1] = s->revision;
	check_raise(c, &a,
	    "update %s was acknowledged at revision %llu of key %u; since "
	    "%.1f s every read by the leader is older, the last one at "
	    "revision %llu, and there was no fault and no other leader",
	    kv_id_text(k->doubted_id).s, (unsigned long long)k->doubted, s->key,
	    (double)(cl->asked_ns - k->doubt_ns) / 1e9,
	    (unsigned long long)s->revision);
}

static void
read_confirm(struct check *c)
{
	static const struct option_spec rows[] = {
	    {"confirm", OPTION_DURATION, 0, 8, "20s", 0, UINT64_MAX, NULL, NULL,
		NULL, false},
	    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
	};
	struct kv_state *st = c->state;
	static const char name[] = "kv-cas.confirm=";
	char why[OPTION_WHY_MAX];
	size_t i;

	if (st->has_confirm)
		return;
	st->has_confirm = true;
	option_defaults(rows, &st->confirm_ns);
	for (i = 0; i < c->config->nextras; i++)
		if (strncmp(c->config->extras[i], name, strlen(name)) == 0)
			/* A bad value never gets here: the default stays. */
			(void)option_set(rows, &st->confirm_ns, "", "confirm",
			    c->config->extras[i] + strlen(name), why);
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
		read_confirm(c);
		judge_doubt(c, cl, &s);
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
