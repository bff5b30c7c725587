/* SPDX-License-Identifier: ISC */
/*
 * Backups that were made beside the load (chaos/backup.h) are restored, one
 * after the other, read whole, told message by message, and deleted. Servers
 * before 2.15 restore a stream under its own name only: there the stream has
 * to be deleted first, which is done when the user has asked for it.
 *
 * The restored stream is a plain one: no limits, no age, nobody publishes to it
 * and no consumer takes from it, so what it is read to hold is what the backup
 * held.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/backup.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "worker/audit/audit.h"
#include "worker/audit/label.h"
#include "worker/audit/reader.h"
#include "worker/audit/scan.h"
#include "worker/request.h"

#define ANSWER_MAX  131072
#define PART_SIZE   65536
#define BATCH	    256
#define REQUEST_MS  5000
#define END_MS	    20000	   /* the last part: the stream is made then */
#define TRIES_NS    (60 * CLOCK_S) /* for one backup to be restored */
#define CURRENT_NS  (30 * CLOCK_S)
#define READS_MAX   3
#define IDLE_PULLS  3
#define NAMES_ERROR 10062 /* "stream names do not match", and others */
#define REPLACED    "/" BACKUP_DIR "/replaced" /* streams are not as they were */

struct restoring {
	struct worker *w;
	const struct worker_target *of;
	struct worker_target target; /* the restored stream */
	uint32_t backup;
	unsigned number;
	cJSON *answer; /* to STREAM.SNAPSHOT */
	struct scan scan;
	uint64_t read;
	unsigned made; /* consumers */
	bool has_hole;
	char why[160];
};

static void
path_of(const struct worker *w, unsigned number, const char *end,
    char out[CONFIG_PATH_MAX + 32])
{
	text_format(out, CONFIG_PATH_MAX + 32, "%s/" BACKUP_DIR "/%u%s",
	    w->config.out, number, end);
}

static void
replaced_path(const struct worker *w, char out[CONFIG_PATH_MAX + 32])
{
	text_format(out, CONFIG_PATH_MAX + 32, "%s" REPLACED, w->config.out);
}

bool
restores_have_replaced(const struct worker *w)
{
	char path[CONFIG_PATH_MAX + 32];

	replaced_path(w, path);
	return file_exists(path);
}

bool
restores_are_due(const struct worker *w, const char *stream)
{
	char path[CONFIG_PATH_MAX + 32];
	bool is_due = false;
	cJSON *answer;
	unsigned i;

	if (!config_list_has(w->config.mayhem, BACKUP_MODE))
		return false;
	for (i = 0; i < BACKUP_KEPT && !is_due; i++) {
		path_of(w, i, ".json", path);
		answer = json_load(path, ANSWER_MAX);
		is_due = strcmp(json_text(answer, "stream"), stream) == 0;
		cJSON_Delete(answer);
	}
	return is_due;
}

static const struct worker_target *
target_named(const struct worker *w, const char *name)
{
	uint32_t i;

	for (i = 0; i < w->ntargets; i++)
		if (strcmp(w->targets[i].name, name) == 0)
			return &w->targets[i];
	return NULL;
}

/* Everything that could remove a message of it is left out. */
static char *
wish_of(const struct restoring *r)
{
	const cJSON *was = json_get(r->answer, "config");
	cJSON *wish = cJSON_CreateObject(), *config;
	char subject[128], *text;

	config = json_put_object(wish, "config");
	text_format(subject, sizeof(subject), "unused.%s", r->target.name);
	json_put_text(config, "name", r->target.name);
	json_append_text(json_put_array(config, "subjects"), subject);
	json_put_text(config, "retention", "limits");
	json_put_text(config, "storage", "file");
	json_put_copy(config, was, "num_replicas");
	json_put_copy(config, was, "compression");
	json_put_copy(wish, r->answer, "state");
	text = cJSON_PrintUnformatted(wish);
	cJSON_Delete(wish);
	return text;
}

static void
drop(const struct restoring *r, const char *name)
{
	/* What is not there need not be deleted; the rest is seen later. */
	(void)js_DeleteStream(r->w->session.js, name, NULL, NULL);
}

/* A part, or with len 0 the end: what the server says of it. */
static enum outcome
send_part(struct restoring *r, const char *to, const void *data, size_t len)
{
	struct session *s = &r->w->session;
	enum outcome outcome;
	natsMsg *reply = NULL;
	cJSON *tree = NULL;
	natsStatus st;

	st = natsConnection_Request(
	    &reply, s->nc, to, data, (int)len, len > 0 ? REQUEST_MS : END_MS);
	/* A part that was taken is answered by nothing. */
	if (st == NATS_OK && len > 0 && natsMsg_GetDataLength(reply) == 0 &&
	    !natsMsg_IsNoResponders(reply)) {
		natsMsg_Destroy(reply);
		return OUTCOME_OK;
	}
	outcome = request_answer(s, st, reply, &tree);
	cJSON_Delete(tree);
	return outcome;
}

static enum outcome
send_all(struct restoring *r, const char *to)
{
	enum outcome outcome = OUTCOME_OK;
	char path[CONFIG_PATH_MAX + 32];
	static uint8_t part[PART_SIZE];
	ssize_t got = 1;
	int fd;

	path_of(r->w, r->number, ".s2", path);
	fd = file_open(path);
	while (fd >= 0 && outcome == OUTCOME_OK && got > 0) {
		child_beat(&r->w->child);
		got = read(fd, part, sizeof(part));
		if (got >= 0)
			outcome = send_part(r, to, part, (size_t)got);
	}
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && got == 0)
		return outcome;
	text_set(r->w->session.why, sizeof(r->w->session.why),
	    "the backup can't be read, or a part of it was refused");
	return OUTCOME_FAIL;
}

static enum outcome
restore_once(struct restoring *r)
{
	char *wish = wish_of(r);
	struct request request = {
	    "STREAM.RESTORE", r->target.name, wish, REQUEST_MS};
	enum outcome outcome;
	cJSON *tree = NULL;

	if (wish == NULL)
		return OUTCOME_FAIL;
	outcome = request_send(&r->w->session, &request, &tree);
	if (outcome == OUTCOME_OK)
		outcome = send_all(r, json_text(tree, "deliver_subject"));
	cJSON_Delete(tree);
	cJSON_free(wish);
	return outcome;
}

/* It is as large as it was made, on all servers. */
static bool
is_current(struct restoring *r)
{
	jsStreamInfo *si = NULL;
	bool is_it;
	int i;

	if (session_stream_info(
		&r->w->session, r->target.name, REQUEST_MS, &si) != OUTCOME_OK)
		return false;
	is_it = si->Cluster == NULL ||
		(si->Cluster->Leader != NULL && si->Cluster->Leader[0] != '\0');
	for (i = 0;
	     is_it && si->Cluster != NULL && i < si->Cluster->ReplicasLen; i++)
		is_it = si->Cluster->Replicas[i]->Current;
	jsStreamInfo_Destroy(si);
	return is_it;
}

static bool
await_current(struct restoring *r)
{
	uint64_t deadline = limit_deadline(r->w, CURRENT_NS);
	struct backoff b = {0};

	while (!is_current(r)) {
		if (clock_mono_ns() >= deadline) {
			text_set(r->why, sizeof(r->why),
			    "its replicas did not become current");
			return false;
		}
		session_backoff(&b, &r->w->child);
	}
	return scan_state(&r->scan) == 0;
}

/*
 * Servers that know no other name are asked again under the stream's own one,
 * where the user lets us. An audit that follows this one has to know of that
 * before the stream is gone.
 */
static bool
use_own_name(struct restoring *r)
{
	struct backup_options o;
	char why[OPTION_WHY_MAX], path[CONFIG_PATH_MAX + 32];

	if (r->w->session.code != NAMES_ERROR ||
	    strcmp(r->target.name, r->of->name) == 0 ||
	    config_extras(&r->w->config, BACKUP_MODE, backup_rows, &o, why) <
		0 ||
	    strcmp(o.replace, "true") != 0)
		return false;
	replaced_path(r->w, path);
	child_flush(&r->w->child); /* what the streams held is told */
	if (file_replace(path, "", 0) < 0)
		return false;
	r->target = *r->of;
	return true;
}

static bool
restore(struct restoring *r)
{
	uint64_t deadline = limit_deadline(r->w, TRIES_NS);
	struct backoff b = {0};

	for (;;) {
		drop(r, r->target.name);
		if (restore_once(r) == OUTCOME_OK)
			return await_current(r);
		text_format(r->why, sizeof(r->why), "%u %.120s",
		    r->w->session.code, session_words(&r->w->session));
		if (use_own_name(r))
			continue;
		if (r->w->session.code == NAMES_ERROR ||
		    clock_mono_ns() >= deadline)
			return false;
		session_backoff(&b, &r->w->child);
	}
}

static void
tell_restored(const struct restoring *r, bool ok)
{
	struct event ev = {.type = MESSAGE_RESTORED};
	struct msg_restored *m = &ev.u.restored;

	m->stream = r->of->stream;
	m->backup = r->backup;
	m->ok = ok;
	if (ok) {
		m->messages = r->scan.messages;
		m->first = r->scan.first;
		m->last = r->scan.last;
	} else
		text_set(m->why, sizeof(m->why), r->why);
	child_emit(&r->w->child, &ev);
}

static int
take(struct reader *reader, natsMsg *msg, const struct delivery *d)
{
	struct restoring *r = reader->arg;
	struct event ev = {.type = MESSAGE_RESTORED_MESSAGE};
	struct msg_restored_message *m = &ev.u.restored_message;
	struct payload payload;

	if (d->consumer_seq != r->read + 1) {
		r->has_hole = reader->is_over = true;
		return 0;
	}
	r->read++;
	reader->is_over = d->pending == 0;
	if (request_header(msg, TELL_REASON)[0] != '\0')
		return 1; /* a marker, which the server wrote itself */
	m->stream = r->of->stream;
	m->backup = r->backup;
	m->seq = d->seq;
	m->intact = scan_payload(msg, &payload);
	m->sum = payload.sum;
	if (m->intact) {
		m->id = payload.id;
		m->run = payload.run;
	}
	child_emit(&r->w->child, &ev);
	if (m->intact)
		label_tell(r->w,
		    &(struct msg_labelled){.stream = m->stream,
			.backup = m->backup,
			.seq = m->seq,
			.stamp_ns = d->stamp_ns,
			.id = m->id},
		    msg);
	return 1;
}

/* All of it through a consumer: 0 or -errno. */
static int
read_once(struct restoring *r)
{
	char name[64];
	struct reader reader = {.w = r->w,
	    .consumer = {r->target.name, name},
	    .batch = reader_batch(BATCH, r->scan.bytes, r->scan.messages),
	    .take = take,
	    .arg = r,
	    .is_over = r->scan.messages == 0};
	unsigned idle = 0;
	jsConsumerConfig cc;
	int err, got;

	r->read = 0;
	r->has_hole = false;
	text_format(name, sizeof(name), "natsburn_restored_%u", ++r->made);
	reader_config(&cc, name);
	err = setup_add_consumer(r->w, r->target.name, &cc,
	    limit_deadline(r->w, SCAN_QUIET_NS), NULL);
	if (err == 0)
		err = reader_open(&reader);
	while (err == 0 && !reader.is_over && idle < IDLE_PULLS) {
		got = reader_pull(&reader);
		idle = got > 0 ? 0 : idle + 1;
		if (got < 0 || limit_is_over(r->w))
			err = -ETIMEDOUT;
	}
	reader_close(&reader);
	session_drop_consumer(&r->w->session, &reader.consumer, REQUEST_MS);
	return err == 0 && (r->has_hole || r->read != r->scan.messages)
		   ? -EAGAIN
		   : err;
}

static void
read_whole(struct restoring *r)
{
	struct event ev = {.type = MESSAGE_RESTORED_END};
	unsigned reads = 0;
	int err;

	do
		err = read_once(r);
	while (err == -EAGAIN && ++reads < READS_MAX);
	ev.u.restored_end.stream = r->of->stream;
	ev.u.restored_end.backup = r->backup;
	ev.u.restored_end.complete = err == 0;
	ev.u.restored_end.messages = r->read;
	child_emit(&r->w->child, &ev);
	child_flush(&r->w->child);
}

static void
restore_one(struct worker *w, unsigned number)
{
	struct restoring r = {.w = w, .number = number};
	char path[CONFIG_PATH_MAX + 32];

	path_of(w, number, ".json", path);
	r.answer = json_load(path, ANSWER_MAX);
	r.of = target_named(w, json_text(r.answer, "stream"));
	r.backup = (uint32_t)json_count(r.answer, "backup");
	if (r.of != NULL && !limit_is_over(w)) {
		r.target = *r.of;
		text_add(r.target.name, sizeof(r.target.name), BACKUP_SUFFIX);
		r.scan = (struct scan){.w = w, .target = &r.target};
		if (restore(&r)) {
			tell_restored(&r, true);
			read_whole(&r);
		} else
			tell_restored(&r, false);
		if (strcmp(r.target.name, r.of->name) != 0)
			drop(&r, r.target.name);
	}
	cJSON_Delete(r.answer);
}

void
restores_streams(struct worker *w)
{
	unsigned i;

	for (i = 0; i < BACKUP_KEPT; i++)
		restore_one(w, i);
}
