/* SPDX-License-Identifier: ISC */
/*
 * Making streams and consumers. Creation is idempotent for an equal
 * configuration, so a request that timed out is simply sent again; just
 * after an election the server may say "no suitable peers" for a while.
 */
#include <errno.h>
#include <string.h>

#include "proto/backup.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "worker/creation.h"
#include "worker/denial.h"

#define SETUP_NS (60 * CLOCK_S)
#define CLEAN_NS (15 * CLOCK_S)
#define KNOWN_NS (10 * CLOCK_S) /* for every replica to have a consumer */
/* Short: a create sent before there is a meta leader is never answered. */
#define REQUEST_MS 2000

jsStorageType
setup_storage(const struct worker *w)
{
	return strcmp(w->config.storage, "memory") == 0 ? js_MemoryStorage
							: js_FileStorage;
}

void
setup_stream_config(
    const struct worker *w, const char *name, jsStreamConfig *sc)
{
	session_stream_config(sc, name);
	sc->Replicas = (int64_t)w->config.replicas;
	sc->Storage = setup_storage(w);
}

/* Servers say -1 where there is no limit, and take 0 for it. */
static long long
limit(int64_t n)
{
	return n > 0 ? (long long)n : -1;
}

void
setup_config_text(const jsStreamConfig *sc, char out[SETUP_CONFIG_MAX])
{
	int i;

	text_set(out, SETUP_CONFIG_MAX, "subjects=");
	for (i = 0; i < sc->SubjectsLen; i++)
		text_add(out, SETUP_CONFIG_MAX, "%s%s", i > 0 ? "," : "",
		    sc->Subjects[i]);
	text_add(out, SETUP_CONFIG_MAX,
	    "; retention=%d; storage=%d; replicas=%lld; discard=%d; "
	    "max_msgs=%lld; max_bytes=%lld; max_age=%lld; max_msg_size=%lld; "
	    "max_msgs_per_subject=%lld; max_consumers=%lld; duplicates=%lld; "
	    "sealed=%d; deny_delete=%d; deny_purge=%d; allow_rollup=%d; "
	    "no_ack=%d",
	    (int)sc->Retention, (int)sc->Storage, (long long)sc->Replicas,
	    (int)sc->Discard, limit(sc->MaxMsgs), limit(sc->MaxBytes),
	    (long long)sc->MaxAge, limit(sc->MaxMsgSize),
	    limit(sc->MaxMsgsPerSubject), limit(sc->MaxConsumers),
	    (long long)sc->Duplicates, sc->Sealed, sc->DenyDelete,
	    sc->DenyPurge, sc->AllowRollup, sc->NoAck);
}

static void
tell_asked(struct worker *w, uint32_t index, const jsStreamConfig *sc,
    const struct creation *made)
{
	struct event ev = {.type = MESSAGE_STREAM_CONFIG};
	jsStreamConfig asked = *sc;

	if (asked.Duplicates == 0)
		asked.Duplicates = made->config->Duplicates;
	ev.u.stream_config.stream = index;
	ev.u.stream_config.asked = 1;
	setup_config_text(&asked, ev.u.stream_config.text);
	child_emit(&w->child, &ev);
}

/*
 * Servers older than 2.10 make a stream without the compression that was asked
 * for, and don't say so. It is deleted again, as far as that can be done.
 */
static int
deny_uncompressed(struct worker *w, const char *name)
{
	natsStatus st = js_DeleteStream(w->session.js, name, NULL, NULL);

	if (st != NATS_OK)
		log_warn("cannot delete stream \"%s\": %s; it stays", name,
		    natsStatus_GetText(st));
	text_format(w->session.refusal, sizeof(w->session.refusal),
	    "cannot create stream %s with --storage-compression %s: servers "
	    "older than nats-server 2.10 don't compress",
	    name, w->config.storage_compression);
	return -EACCES;
}

/* 0 with *made, which is the caller's, or -EACCES: it was said why. */
static int
create_stream(struct worker *w, jsStreamConfig *sc, struct creation *made)
{
	uint64_t begun = clock_mono_ns();
	struct backoff b = {0};
	char what[128];

	do {
		if (creation_ask(w, sc, REQUEST_MS, made) == OUTCOME_OK) {
			if (made->is_as_asked)
				return 0;
			creation_fini(made);
			return deny_uncompressed(w, sc->Name);
		}
		if (denial_is_final(w, begun))
			break;
		session_backoff(&b, &w->child);
	} while (clock_mono_ns() < begun + SETUP_NS);
	text_format(what, sizeof(what),
	    "cannot create stream %s with %llu replica%s", sc->Name,
	    (unsigned long long)w->config.replicas,
	    w->config.replicas == 1 ? "" : "s");
	return denial_say(w, what);
}

int
setup_add_stream(struct worker *w, uint32_t index, jsStreamConfig *sc)
{
	struct creation made;
	int err = create_stream(w, sc, &made);

	if (err < 0)
		return err;
	tell_stream(w, index, sc->Name, made.created,
	    (uint64_t)made.config->Duplicates);
	tell_asked(w, index, sc, &made);
	child_flush(&w->child);
	creation_fini(&made);
	return 0;
}

int
setup_try_stream(struct worker *w)
{
	uint64_t deadline;
	struct backoff b = {0};
	char name[64], what[128];
	struct creation made;
	jsStreamConfig sc;
	jsErrCode code = 0;
	natsStatus st;
	int err;

	worker_stream_name(w, "try", name, sizeof(name));
	setup_stream_config(w, name, &sc);
	err = create_stream(w, &sc, &made);
	if (err < 0)
		return err;
	creation_fini(&made);
	deadline = clock_mono_ns() + CLEAN_NS;
	do {
		st = js_DeleteStream(w->session.js, name, NULL, &code);
		if (st == NATS_OK || code == JSStreamNotFoundErr)
			return 0;
		session_note(&w->session, st, code);
		session_backoff(&b, &w->child);
	} while (clock_mono_ns() < deadline);
	text_format(what, sizeof(what), "cannot delete stream %s", name);
	return denial_say(w, what);
}

int
setup_stream(struct worker *w, const struct worker_stream *ws)
{
	char name[64], subject[96], below[98] = "";
	/* Its subject, and what stands below: the filters of consumers. */
	const char *subjects[2] = {subject, below};
	jsStreamConfig sc;

	worker_stream_name(w, ws->suffix, name, sizeof(name));
	worker_subject(w, ws->suffix, subject, sizeof(subject));
	text_add(below, sizeof(below), "%s.>", subject);
	setup_stream_config(w, name, &sc);
	sc.Subjects = subjects;
	sc.SubjectsLen = 2;
	sc.Duplicates = (int64_t)ws->dedupe_ns;
	sc.Retention = ws->retention;
	return setup_add_stream(w, ws->index, &sc);
}

int
setup_add_consumer(struct worker *w, const char *stream, jsConsumerConfig *cc,
    uint64_t deadline_ns, jsConsumerInfo **ci)
{
	uint64_t begun = clock_mono_ns();
	struct backoff b = {0};

	do {
		if (session_add_consumer(
			&w->session, stream, cc, REQUEST_MS, ci) == OUTCOME_OK)
			return 0;
		if (denial_is_final(w, begun))
			break;
		session_backoff(&b, &w->child);
	} while (clock_mono_ns() < deadline_ns);
	return -ETIMEDOUT;
}

int
setup_consumer(struct worker *w, uint32_t index, uint32_t stream_index,
    const char *stream_suffix, jsConsumerConfig *cc)
{
	struct event ev = {.type = MESSAGE_CONSUMER};
	struct msg_consumer *m = &ev.u.consumer;
	jsConsumerInfo *ci = NULL;
	char stream[64], what[128];

	worker_stream_name(w, stream_suffix, stream, sizeof(stream));
	/* Those of its stream are followed only by who has no number. */
	cc->Replicas =
	    config_edits_streams(&w->config) ? 0 : (int64_t)w->config.replicas;
	if (setup_add_consumer(w, stream, cc, clock_mono_ns() + SETUP_NS, &ci) <
	    0) {
		text_format(what, sizeof(what),
		    "cannot create consumer %s with %llu replica%s",
		    cc->Durable, (unsigned long long)w->config.replicas,
		    w->config.replicas == 1 ? "" : "s");
		return denial_say(w, what);
	}
	m->stream = stream_index;
	m->consumer = index;
	m->created = (uint64_t)ci->Created;
	m->ack_wait_ns = (uint64_t)ci->Config->AckWait;
	text_set(m->name, sizeof(m->name), cc->Durable);
	jsConsumerInfo_Destroy(ci);
	child_emit(&w->child, &ev);
	child_flush(&w->child);
	return imports_try(w, stream, cc);
}

static bool
is_everywhere(const jsConsumerInfo *ci, uint64_t replicas)
{
	const jsClusterInfo *cluster = ci->Cluster;
	int i;

	if (replicas == 1)
		return true;
	if (cluster == NULL || cluster->Leader == NULL ||
	    (uint64_t)cluster->ReplicasLen + 1 < replicas)
		return false;
	for (i = 0; i < cluster->ReplicasLen; i++)
		if (!cluster->Replicas[i]->Current)
			return false;
	return true;
}

void
setup_await_replicas(struct worker *w, uint32_t index,
    const char *stream_suffix, const char *consumer)
{
	uint64_t deadline = clock_mono_ns() + KNOWN_NS;
	struct event ev = {.type = MESSAGE_CONSUMER_KNOWN};
	struct backoff b = {0};
	jsConsumerInfo *ci;
	char stream[64];
	struct session_consumer c = {stream, consumer};
	bool is_known = false;

	worker_stream_name(w, stream_suffix, stream, sizeof(stream));
	while (!is_known && clock_mono_ns() < deadline) {
		ci = NULL;
		if (session_consumer_info(&w->session, &c, REQUEST_MS, &ci) ==
		    OUTCOME_OK)
			is_known = is_everywhere(ci, w->config.replicas);
		jsConsumerInfo_Destroy(ci);
		if (!is_known)
			session_backoff(&b, &w->child);
	}
	if (!is_known) {
		log_warn("not every replica of stream \"%s\" is seen to have "
			 "consumer \"%s\": what it misses is a warning",
		    stream, consumer);
		return;
	}
	ev.u.consumer_known.consumer = index;
	child_emit(&w->child, &ev);
	child_flush(&w->child);
}

/* A stream that the audit restored and could not delete. */
static void
clean_backup(struct worker *w, const char *stream)
{
	char name[sizeof(w->targets[0].name)];

	text_format(name, sizeof(name), "%s" BACKUP_SUFFIX, stream);
	/* Most often it is not there. */
	(void)js_DeleteStream(w->session.js, name, NULL, NULL);
}

int
setup_clean(struct worker *w)
{
	bool has_backups = config_list_has(w->config.mayhem, BACKUP_MODE);
	uint64_t deadline = clock_mono_ns() + CLEAN_NS;
	const char *permission = NULL;
	struct backoff b = {0};
	jsErrCode code;
	natsStatus st;
	unsigned i = 0;

	while (i < w->ntargets) {
		if (has_backups)
			clean_backup(w, w->targets[i].name);
		code = 0;
		st = permission != NULL ? NATS_NOT_PERMITTED
					: js_DeleteStream(w->session.js,
					      w->targets[i].name, NULL, &code);
		if (st == NATS_OK || code == JSStreamNotFoundErr) {
			i++;
			continue;
		}
		permission = denial_permission(w);
		if (permission != NULL || clock_mono_ns() >= deadline) {
			session_note(&w->session, st, code);
			log_error("cannot delete stream \"%s\": %s; it stays",
			    w->targets[i].name,
			    permission != NULL ? permission : w->session.why);
			i++;
		}
		session_backoff(&b, &w->child);
	}
	return 0;
}
