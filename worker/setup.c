/* SPDX-License-Identifier: ISC */
/*
 * Making streams and consumers. Creation is idempotent for an equal
 * configuration, so a request that timed out is simply sent again; just
 * after an election the server may say "no suitable peers" for a while.
 */
#include <errno.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/internal.h"

#define SETUP_NS (60 * CLOCK_S)
/* Short: a create sent before there is a meta leader is never answered. */
#define REQUEST_MS 2000

static void
stream_config(jsStreamConfig *sc, const struct worker *w, const char *name,
    const char **subjects)
{
	(void)jsStreamConfig_Init(sc); /* can't fail: not NULL */
	sc->Name = name;
	sc->Subjects = subjects;
	sc->SubjectsLen = 2;
	sc->Replicas = (int64_t)w->config.replicas;
	sc->Storage = strcmp(w->config.storage, "memory") == 0
			  ? js_MemoryStorage
			  : js_FileStorage;
}

static void
emit_stream(struct worker *w, const struct worker_stream *ws, const char *name,
    const jsStreamInfo *si)
{
	struct event ev = {.type = MESSAGE_STREAM};
	struct msg_stream *m = &ev.u.stream;

	m->stream = ws->index;
	m->created = (uint64_t)si->Created;
	m->dedupe_ns = (uint64_t)si->Config->Duplicates;
	m->replicas = (uint32_t)si->Config->Replicas;
	text_set(m->name, sizeof(m->name), name);
	text_set(m->storage, sizeof(m->storage), w->config.storage);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

int
setup_stream(struct worker *w, const struct worker_stream *ws)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	char name[64], subject[96], below[98] = "";
	/* Its subject, and what stands below: the filters of consumers. */
	const char *subjects[2] = {subject, below};
	struct backoff b = {0};
	jsStreamInfo *si = NULL;
	jsStreamConfig sc;
	jsOptions jo;
	jsErrCode code;
	natsStatus st;

	worker_stream_name(w, ws->suffix, name, sizeof(name));
	worker_subject(w, ws->suffix, subject, sizeof(subject));
	text_add(below, sizeof(below), "%s.>", subject);
	stream_config(&sc, w, name, subjects);
	sc.Duplicates = (int64_t)ws->dedupe_ns;
	sc.Retention = ws->retention;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	do {
		code = 0;
		st = js_AddStream(&si, w->session.js, &sc, &jo, &code);
		if (st == NATS_OK) {
			emit_stream(w, ws, name, si);
			jsStreamInfo_Destroy(si);
			return 0;
		}
		session_backoff(&b, &w->child);
	} while (clock_mono_ns() < deadline);
	(void)session_outcome(&w->session, st, code);
	log_error("cannot create stream \"%s\" with %llu replicas: %s", name,
	    (unsigned long long)w->config.replicas, w->session.why);
	return -ETIMEDOUT;
}

int
setup_consumer(struct worker *w, uint32_t index, uint32_t stream_index,
    const char *stream_suffix, jsConsumerConfig *cc)
{
	uint64_t deadline = clock_mono_ns() + SETUP_NS;
	struct event ev = {.type = MESSAGE_CONSUMER};
	struct msg_consumer *m = &ev.u.consumer;
	struct backoff b = {0};
	jsConsumerInfo *ci = NULL;
	char stream[64];
	jsOptions jo;
	jsErrCode code;
	natsStatus st;

	worker_stream_name(w, stream_suffix, stream, sizeof(stream));
	cc->Replicas = (int64_t)w->config.replicas;
	(void)jsOptions_Init(&jo); /* can't fail: not NULL */
	jo.Wait = REQUEST_MS;
	do {
		code = 0;
		st = js_AddConsumer(&ci, w->session.js, stream, cc, &jo, &code);
		if (st == NATS_OK)
			break;
		session_backoff(&b, &w->child);
	} while (clock_mono_ns() < deadline);
	if (st != NATS_OK) {
		(void)session_outcome(&w->session, st, code);
		log_error("cannot create consumer \"%s\" of stream \"%s\": %s",
		    cc->Durable, stream, w->session.why);
		return -ETIMEDOUT;
	}
	m->stream = stream_index;
	m->consumer = index;
	m->created = (uint64_t)ci->Created;
	m->ack_wait_ns = (uint64_t)ci->Config->AckWait;
	text_set(m->name, sizeof(m->name), cc->Durable);
	jsConsumerInfo_Destroy(ci);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	return 0;
}

#define CLEAN_NS (15 * CLOCK_S)

int
setup_clean(struct worker *w)
{
	uint64_t deadline = clock_mono_ns() + CLEAN_NS;
	struct backoff b = {0};
	jsErrCode code;
	natsStatus st;
	unsigned i = 0;

	while (i < w->ntargets) {
		code = 0;
		st = js_DeleteStream(
		    w->session.js, w->targets[i].name, NULL, &code);
		if (st == NATS_OK || code == JSStreamNotFoundErr) {
			i++;
			continue;
		}
		if (clock_mono_ns() >= deadline) {
			(void)session_outcome(&w->session, st, code);
			log_warn("cannot delete stream \"%s\": %s; it stays",
			    w->targets[i].name, w->session.why);
			i++;
		}
		session_backoff(&b, &w->child);
	}
	return 0;
}
