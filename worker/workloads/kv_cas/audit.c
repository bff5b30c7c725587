/* SPDX-License-Identifier: ISC */
/*
 * The audit of a bucket: after all faults were healed each key is asked of the
 * leader, of a fresh consumer and, where the bucket allows it, of each server
 * by direct get. Rounds of it, until two of them in a row say the same on all
 * paths.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/text.h"
#include "worker/audit/scan.h"
#include "worker/workloads/kv_cas/kv_cas.h"

#define AUDIT_NS       (75 * CLOCK_S)
#define AUDIT_APART_MS 1000
#define REQUEST_MS     2000
#define FIRST_MS       3000 /* a consumer's first message */
#define NEXT_MS	       1000
#define INACTIVE_NS    (60 * CLOCK_S)

struct final {
	uint32_t key;
	enum kv_path path;
	struct kv_reading reading;
};

struct audit {
	struct scan scan;
	struct session servers[CONFIG_NODES_MAX];
	unsigned nservers, round, whole; /* rounds; those read to their ends */
	struct final *finals;		 /* of this round */
	uint32_t nfinals, room;
	uint64_t latest[KEYS_MAX], before[KEYS_MAX]; /* by the leader */
};

static int
final_add(struct audit *a, uint32_t key, enum kv_path path,
    const struct kv_reading *r)
{
	struct final *f =
	    array_at(&a->finals, &a->room, a->nfinals, sizeof(*f), UINT32_MAX);

	if (f == NULL)
		return -ENOMEM;
	a->nfinals++;
	*f = (struct final){key, path, *r};
	return 0;
}

static int
audit_fail(struct audit *a, const struct session *s, const char *what)
{
	text_format(
	    a->scan.why, sizeof(a->scan.why), "%s: %.80s", what, s->why);
	return -EIO;
}

/* Every key by one request each, to the leader or by direct get. */
static int
audit_ask(struct audit *a, struct session *s, enum kv_path path)
{
	const struct kv_options *o = a->scan.w->options;
	struct kv_reading r;
	uint32_t key;
	int err = 0;

	for (key = 0; err == 0 && key < o->keys; key++) {
		if (kv_get(s, a->scan.w->state, key, path, &r) < 0)
			return audit_fail(a, s, "no answer");
		if (path == PATH_LEADER)
			a->latest[key] = r.revision;
		err = final_add(a, key, path, &r);
		child_beat(&a->scan.w->child);
	}
	return err;
}

/* "$KV.<bucket>.k<key>" -> key, or -EINVAL. */
static int
key_of(const struct audit *a, const char *subject)
{
	const struct kv_options *o = a->scan.w->options;
	const char *k = strrchr(subject, 'k');
	uint64_t key;

	if (k == NULL || text_to_u64(k + 1, o->keys - 1, &key) < 0)
		return -EINVAL;
	return (int)key;
}

/*
 * All that the consumer delivers: every value that the bucket still has. It
 * sends without acks, so what is lost on the way does not come again, and
 * another round has to show it. Which values lack is known only when all that
 * were sent have come, *came of them.
 */
static int
audit_receive(struct audit *a, natsSubscription *sub, uint64_t *came)
{
	struct session *s = &a->scan.w->session;
	int wait_ms = FIRST_MS, key, err = 0;
	struct delivery d = {.pending = 1};
	natsMsg *msg = NULL;
	struct kv_reading r;

	*came = 0;
	while (err == 0 && d.pending > 0 &&
	       natsSubscription_NextMsg(&msg, sub, wait_ms) == NATS_OK) {
		key = key_of(a, natsMsg_GetSubject(msg));
		if (key >= 0 &&
		    session_delivery(natsMsg_GetReply(msg), &d) == 0) {
			if (d.consumer_seq > *came + 1)
				err = audit_fail(a, s, "a delivery was lost");
			if (d.consumer_seq > *came) {
				*came = d.consumer_seq;
				tally_add(&a->scan, d.seq, msg, NULL);
			}
			kv_take(&r, msg);
			r.revision = d.seq;
			if (err == 0)
				err = final_add(
				    a, (uint32_t)key, PATH_CONSUMER, &r);
		}
		natsMsg_Destroy(msg);
		msg = NULL;
		wait_ms = NEXT_MS;
		child_beat(&a->scan.w->child);
	}
	return err;
}

/* True when the consumer says that it has sent so many, and has no more. */
static bool
audit_has_all(struct audit *a, const struct session_consumer *c, uint64_t came)
{
	jsConsumerInfo *ci = NULL;
	bool is_all;

	if (session_consumer_info(&a->scan.w->session, c, REQUEST_MS, &ci) !=
	    OUTCOME_OK)
		return false;
	/* Before it has begun it says 0 of everything, and names no leader. */
	is_all = ci->NumPending == 0 && ci->Delivered.Consumer == came &&
		 (a->scan.w->config.replicas == 1 ||
		     (ci->Cluster != NULL && ci->Cluster->Leader != NULL));
	jsConsumerInfo_Destroy(ci);
	return is_all;
}

static int
audit_consume(struct audit *a)
{
	const struct kv_options *o = a->scan.w->options;
	const struct kv_state *kv = a->scan.w->state;
	struct session *s = &a->scan.w->session;
	natsSubscription *sub = NULL;
	char inbox[SESSION_INBOX_MAX];
	jsConsumerInfo *ci = NULL;
	jsConsumerConfig cc;
	natsStatus st;
	char name[64], filter[96];
	struct session_consumer c = {kv->stream, name};
	uint64_t came;
	int err;

	text_format(filter, sizeof(filter), "$KV.%s.>", kv->bucket);
	text_format(name, sizeof(name), "natsburn_audit_%u_%u_%u",
	    a->scan.w->source, a->scan.w->incarnation, a->round);
	st = nats_login_inbox(s->config, inbox);
	if (st == NATS_OK)
		st = natsConnection_SubscribeSync(&sub, s->nc, inbox);
	session_consumer_config(&cc, name);
	cc.DeliverSubject = inbox;
	cc.DeliverPolicy =
	    o->history > 1 ? js_DeliverAll : js_DeliverLastPerSubject;
	/* "Last per subject" is refused without a filter. */
	cc.FilterSubject = filter;
	cc.AckPolicy = js_AckNone;
	cc.Replicas = (int64_t)a->scan.w->config.replicas;
	cc.InactiveThreshold = (int64_t)INACTIVE_NS;
	session_note(s, st, 0);
	if (st != NATS_OK || session_add_consumer(s, kv->stream, &cc,
				 REQUEST_MS, &ci) != OUTCOME_OK)
		err = audit_fail(a, s, "no audit consumer");
	else {
		err = audit_receive(a, sub, &came);
		if (err == 0 && !audit_has_all(a, &c, came))
			err = audit_fail(a, s, "the consumer did not go on");
		session_drop_consumer(s, &c, REQUEST_MS);
	}
	jsConsumerInfo_Destroy(ci);
	natsSubscription_Destroy(sub);
	return err;
}

/* True when every path says what the leader says, and it did before. */
static bool
audit_agrees(struct audit *a)
{
	const struct kv_options *o = a->scan.w->options;
	uint64_t shown[KEYS_MAX] = {0};
	bool same = a->whole > 1;
	const struct final *f;
	uint64_t key;
	uint32_t i;

	for (i = 0; i < a->nfinals; i++) {
		f = &a->finals[i];
		if (f->path == PATH_DIRECT)
			same &= f->reading.revision == a->latest[f->key];
		else if (f->path == PATH_CONSUMER &&
			 f->reading.revision > shown[f->key])
			shown[f->key] = f->reading.revision;
	}
	for (key = 0; key < o->keys; key++) {
		same &= shown[key] == a->latest[key];
		same &= a->before[key] == a->latest[key];
		a->before[key] = a->latest[key];
	}
	/* What is known to be acknowledged has been applied here by now. */
	return same && a->scan.last >= a->scan.target->last_acked;
}

static int
audit_round(struct audit *a)
{
	unsigned i;
	int err;

	a->round++;
	a->nfinals = 0;
	tally_reset(&a->scan.tally);
	a->scan.since_ns = clock_mono_ns();
	err = scan_state(&a->scan);
	a->scan.polls = err == 0;
	if (err == 0)
		err = audit_ask(a, &a->scan.w->session, PATH_LEADER);
	if (err == 0)
		err = audit_consume(a);
	for (i = 0; err == 0 && i < a->nservers; i++)
		err = audit_ask(a, &a->servers[i], PATH_DIRECT);
	a->whole += err == 0;
	return err;
}

/* A direct get is answered by the server one is connected to, if it can. */
static void
audit_connect(struct audit *a)
{
	const struct kv_state *kv = a->scan.w->state;
	struct session *from = &a->scan.w->session, *s;
	unsigned i;

	for (i = 0; kv->mode != READ_LEADER && i < from->nurls; i++) {
		s = &a->servers[a->nservers];
		s->nurls = 1;
		text_set(s->urls[0], sizeof(s->urls[0]), from->urls[i]);
		if (session_open(s, &a->scan.w->child, &a->scan.w->config,
			clock_mono_ns() + 5 * CLOCK_S) == 0)
			a->nservers++;
	}
}

static void
emit_finals(struct audit *a)
{
	struct event ev = {.type = MESSAGE_KV_FINAL};
	struct msg_kv_final *m = &ev.u.kv_final;
	const struct final *f;
	size_t i;

	for (i = 0; i < a->nfinals; i++) {
		f = &a->finals[i];
		m->stream = a->scan.target->stream;
		m->key = f->key;
		m->path = (uint8_t)f->path;
		m->found = f->reading.found;
		m->revision = f->reading.revision;
		m->id = f->reading.payload.id;
		m->run = f->reading.payload.run;
		m->sum = f->reading.payload.sum;
		m->intact = f->reading.intact;
		child_emit(&a->scan.w->child, &ev);
	}
}

static void
audit_bucket(struct worker *w, const struct worker_target *target)
{
	uint64_t begin_ns = clock_mono_ns();
	bool is_proving = false, agrees;
	struct audit *a = calloc(1, sizeof(*a));
	unsigned i;
	int err = 0;

	if (a == NULL) {
		child_diag(&w->child, -ENOMEM, "cannot audit the bucket");
		return;
	}
	a->scan.w = w;
	a->scan.target = target;
	audit_connect(a);
	do {
		if (a->round > 0)
			worker_commands(w, AUDIT_APART_MS);
		err = audit_round(a);
		agrees = err == 0 && audit_agrees(a);
		if (agrees)
			break;
		if (err == 0 && a->round > 1 && !is_proving) {
			is_proving = true;
			limit_prove(w, AUDIT_NS, "the bucket is not at rest");
		}
	} while (!w->child.stopping && !limit_is_over(w) &&
		 clock_mono_ns() < begin_ns + AUDIT_NS);
	/* Disagreement that lasted is a result: the check judges it. */
	if (err == 0 && !agrees && clock_mono_ns() < begin_ns + AUDIT_NS)
		err = scan_is_late(&a->scan, "to see the bucket at rest");
	if (err == 0 && a->whole < 2)
		err = audit_fail(a, &w->session, "too slow for a second round");
	scan_tell_begin(&a->scan);
	if (agrees)
		err = tally_tell(&a->scan);
	if (err == 0)
		emit_finals(a);
	a->scan.read = a->nfinals;
	scan_end(&a->scan, err);
	for (i = 0; i < a->nservers; i++)
		session_close(&a->servers[i]);
	free(a->finals);
	free(a);
}

int
kv_audit(struct worker *w)
{
	unsigned i;

	kv_names(w);
	for (i = 0; i < w->ntargets; i++)
		audit_bucket(w, &w->targets[i]);
	return 0;
}
