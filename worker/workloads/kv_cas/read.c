/* SPDX-License-Identifier: ISC */
/* Names, and reading keys; see kv_cas.h. */
#include <errno.h>
#include <string.h>

#include "proto/base/text.h"
#include "worker/workloads/kv_cas/kv_cas.h"

void
kv_names(struct worker *w)
{
	const struct kv_options *o = w->options;
	struct kv_state *kv = w->state;

	worker_stream_name(w, "kv", kv->bucket, sizeof(kv->bucket));
	kv->stream[0] = '\0';
	text_add(kv->stream, sizeof(kv->stream), "KV_%s", kv->bucket);
	kv->mode = READ_LEADER;
	if (strcmp(o->read, "direct") == 0)
		kv->mode = READ_DIRECT;
	else if (strcmp(o->read, "mixed") == 0)
		kv->mode = READ_MIXED;
}

void
kv_key_subject(const struct kv_state *kv, uint32_t key, char *out, size_t size)
{
	text_format(out, size, "$KV.%s.k%u", kv->bucket, key);
}

void
kv_take(struct kv_reading *r, natsMsg *msg)
{
	memset(r, 0, sizeof(*r));
	if (msg == NULL)
		return;
	r->found = true;
	r->revision = natsMsg_GetSequence(msg);
	r->intact = payload_read(&r->payload, natsMsg_GetData(msg),
	    (size_t)natsMsg_GetDataLength(msg));
}

int
kv_get(struct session *s, const struct kv_state *kv, uint32_t key,
    enum kv_path path, struct kv_reading *r)
{
	jsDirectGetMsgOptions direct;
	natsMsg *msg = NULL;
	char subject[96];
	jsErrCode code = 0;
	jsOptions jo;
	natsStatus st;
	bool none;

	kv_key_subject(kv, key, subject, sizeof(subject));
	session_options(&jo, ATTEMPT_MS);
	if (path == PATH_DIRECT) {
		session_direct_options(&direct, subject);
		st = js_DirectGetMsg(&msg, s->js, kv->stream, &jo, &direct);
		none = st == NATS_NOT_FOUND;
	} else {
		st =
		    js_GetLastMsg(&msg, s->js, kv->stream, subject, &jo, &code);
		none = st != NATS_OK && code == JSNoMessageFoundErr;
	}
	kv_take(r, msg);
	natsMsg_Destroy(msg);
	if (st == NATS_OK)
		return 1;
	session_note(s, st, code);
	return none ? 0 : -EIO;
}

int
kv_read_key(
    struct worker *w, uint32_t key, enum kv_path path, struct kv_reading *r)
{
	struct kv_state *kv = w->state;
	struct event ev = {.type = MESSAGE_KV_READ};
	struct msg_kv_value *m = &ev.u.kv_value;
	uint64_t op = ++kv->reads;
	int got;

	ev.u.kv_read.op = op;
	ev.u.kv_read.key = key;
	ev.u.kv_read.path = (uint8_t)path;
	child_emit(&w->child, &ev);
	got = kv_get(&w->session, kv, key, path, r);
	memset(&ev, 0, sizeof(ev));
	if (got < 0) {
		ev.type = MESSAGE_KV_READ_FAILED;
		ev.u.kv_read_failed.op = op;
		ev.u.kv_read_failed.key = key;
		text_set(ev.u.kv_read_failed.why,
		    sizeof(ev.u.kv_read_failed.why), w->session.why);
	} else {
		ev.type = MESSAGE_KV_VALUE;
		m->op = op;
		m->key = key;
		m->path = (uint8_t)path;
		m->found = r->found;
		m->revision = r->revision;
		m->id = r->payload.id;
		m->run = r->payload.run;
		m->sum = r->payload.sum;
		m->intact = r->intact;
	}
	child_emit(&w->child, &ev);
	return got < 0 ? got : 0;
}

void
kv_know(struct kv_key *k, uint64_t revision, uint64_t id)
{
	k->revision = revision;
	k->id = id;
}
