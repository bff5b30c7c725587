/* SPDX-License-Identifier: ISC */
/* Backups of streams; see backup.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/admin.h"
#include "chaos/backup.h"
#include "chaos/internal.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define ANSWER_MAX	65536
#define NESTING_MAX	32
#define PARTS_MAX	64 /* that are taken in one step */
#define BACKUP_PATH_MAX (CONFIG_PATH_MAX + 32)

struct backup {
	struct admin *admin; /* its own: others ask meanwhile */
	uint32_t fault;
	char stream[64];
	uint64_t limit, bytes;
	int fd;		 /* of what comes; -1: none */
	bool is_open;	 /* BACKUP_BEGIN was told, and no BACKUP_END */
	bool is_at_end;	 /* the last part has come */
	bool has_failed; /* why says how */
	unsigned kept;	 /* backups that were whole, of the run */
	struct msg_backup_end said; /* by the answer */
	cJSON *answer;
	char why[BACKUP_WHY_MAX];
};

static void
path_of(const struct cluster *c, const char *name, char out[BACKUP_PATH_MAX])
{
	text_format(
	    out, BACKUP_PATH_MAX, "%s/" BACKUP_DIR "/%s", c->config->out, name);
}

static void
numbered(const struct cluster *c, const char *end, char out[BACKUP_PATH_MAX])
{
	char name[16];

	text_format(
	    name, sizeof(name), "%u%s", c->backup->kept % BACKUP_KEPT, end);
	path_of(c, name, out);
}

static void
fail(struct backup *b, const char *why)
{
	b->has_failed = true;
	text_set(b->why, sizeof(b->why), why);
}

/* The answer: what the stream is, and what it held. */
static void
take_answer(struct backup *b, const char *data, size_t len)
{
	const cJSON *state, *error;

	cJSON_Delete(b->answer);
	b->answer =
	    len < ANSWER_MAX ? json_parse(data, len, NESTING_MAX) : NULL;
	state = json_get(b->answer, "state");
	error = json_get(b->answer, "error");
	if (error != NULL) {
		text_format(b->why, sizeof(b->why), "refused: %d %.120s",
		    (int)json_number(error, "err_code"),
		    json_text(error, "description"));
		b->has_failed = true;
		return;
	}
	if (state == NULL) {
		fail(b, "the answer to STREAM.SNAPSHOT is none");
		return;
	}
	b->said.messages = json_count(state, "messages");
	b->said.first = json_count(state, "first_seq");
	b->said.last = json_count(state, "last_seq");
}

static void
take_part(struct backup *b, const void *data, size_t len, const char *status)
{
	if (len == 0 && status[0] != '\0' && strcmp(status, "204") != 0) {
		text_format(b->why, sizeof(b->why),
		    "the server ends it after %llu bytes with status %.40s",
		    (unsigned long long)b->bytes, status);
		b->has_failed = true;
		return;
	}
	b->is_at_end = len == 0;
	b->bytes += len;
	if (b->bytes > b->limit)
		fail(b, "it is larger than -o backup_stream.size");
	else if (file_write_all(b->fd, data, len) < 0)
		fail(b, "it can't be written to the run folder");
}

static void
take(void *arg, bool is_part, const void *data, size_t len, const char *status)
{
	struct backup *b = arg;

	if (b->has_failed)
		return;
	if (is_part)
		take_part(b, data, len, status);
	else
		take_answer(b, data, len);
}

static void
tell_end(struct cluster *c, bool ok)
{
	struct backup *b = c->backup;
	struct event ev = {.type = MESSAGE_BACKUP_END};

	if (!b->is_open)
		return;
	b->is_open = false;
	ev.u.backup_end = b->said;
	ev.u.backup_end.fault = b->fault;
	ev.u.backup_end.ok = ok;
	ev.u.backup_end.bytes = b->bytes;
	text_set(ev.u.backup_end.name, sizeof(ev.u.backup_end.name), b->stream);
	child_emit(chaos_child(c->chaos), &ev);
	child_flush(chaos_child(c->chaos));
}

/* Give what has come its name: the audit looks for the text beside it. */
static int
keep(struct cluster *c)
{
	struct backup *b = c->backup;
	char part[BACKUP_PATH_MAX], data[BACKUP_PATH_MAX],
	    json[BACKUP_PATH_MAX], *text;
	int err;

	json_put_number(b->answer, "backup", b->fault);
	json_put_text(b->answer, "stream", b->stream);
	text = cJSON_PrintUnformatted(b->answer);
	if (text == NULL)
		return -ENOMEM;
	path_of(c, "part", part);
	numbered(c, ".s2", data);
	numbered(c, ".json", json);
	err = unlink(json) < 0 && errno != ENOENT ? -errno : 0;
	if (err == 0 && rename(part, data) < 0)
		err = -errno;
	if (err == 0)
		err = file_replace(json, text, strlen(text));
	cJSON_free(text);
	return err;
}

static int
ask(struct cluster *c)
{
	struct backup *b = c->backup;
	char subject[CONFIG_PREFIX_MAX + 128], prefix[CONFIG_PREFIX_MAX];
	const char *parts = admin_parts(b->admin, ADMIN_USER);
	char body[256];

	if (parts == NULL)
		return -ENOTCONN;
	config_js_prefix(c->config, prefix);
	text_format(subject, sizeof(subject), "%s.STREAM.SNAPSHOT.%s", prefix,
	    b->stream);
	text_format(body, sizeof(body),
	    "{\"deliver_subject\":\"%s\",\"no_consumers\":true,"
	    "\"chunk_size\":65536}",
	    parts);
	return admin_request(b->admin, ADMIN_USER, 0, subject, body);
}

static struct backup *
take_over(struct cluster *c)
{
	struct backup *b = c->backup;

	if (b == NULL) {
		b = calloc(1, sizeof(*b));
		if (b == NULL)
			return NULL;
		b->admin = admin_copy(c->admin);
		b->fd = -1;
		if (b->admin == NULL) {
			free(b);
			return NULL;
		}
		c->backup = b;
	}
	cJSON_Delete(b->answer);
	b->answer = NULL;
	b->bytes = 0;
	b->is_at_end = b->has_failed = false;
	memset(&b->said, 0, sizeof(b->said));
	text_set(b->why, sizeof(b->why), "no answer to STREAM.SNAPSHOT");
	return b;
}

int
backup_begin(
    struct cluster *c, uint32_t fault, const char *stream, uint64_t limit)
{
	struct event ev = {.type = MESSAGE_BACKUP_BEGIN};
	struct backup *b = take_over(c);
	char path[BACKUP_PATH_MAX];
	int err;

	if (b == NULL)
		return -ENOMEM;
	b->fault = fault;
	b->limit = limit;
	text_set(b->stream, sizeof(b->stream), stream);
	text_format(path, sizeof(path), "%s/" BACKUP_DIR, c->config->out);
	err = file_make_dir(path);
	if (err < 0)
		return err;
	path_of(c, "part", path);
	b->fd = file_create(path);
	if (b->fd < 0)
		return b->fd;
	/* The judge knows of it before a server does. */
	ev.u.backup_begin.fault = fault;
	text_set(
	    ev.u.backup_begin.name, sizeof(ev.u.backup_begin.name), stream);
	child_emit(chaos_child(c->chaos), &ev);
	child_flush(chaos_child(c->chaos));
	b->is_open = true;
	return ask(c);
}

bool
backup_step(struct cluster *c)
{
	struct backup *b = c->backup;
	unsigned i;
	int err = 0;

	if (!b->is_open || b->has_failed)
		return !b->is_open && !b->has_failed;
	for (i = 0; i < PARTS_MAX && err == 0 && !b->has_failed &&
		    !(b->is_at_end && b->answer != NULL);
	     i++)
		err = admin_take(b->admin, take, b);
	if (err < 0 && err != -EAGAIN)
		fail(b, "the connection was lost");
	if (!b->has_failed && b->answer != NULL && !b->is_at_end)
		text_format(b->why, sizeof(b->why),
		    "after %llu bytes nothing comes",
		    (unsigned long long)b->bytes);
	if (b->has_failed || !b->is_at_end || b->answer == NULL)
		return false;
	if (keep(c) < 0) {
		fail(b, "it can't be kept in the run folder");
		return false;
	}
	tell_end(c, true);
	b->kept++;
	text_format(b->why, sizeof(b->why),
	    "%llu messages up to %llu, %llu bytes",
	    (unsigned long long)b->said.messages,
	    (unsigned long long)b->said.last, (unsigned long long)b->bytes);
	return true;
}

const char *
backup_why(const struct cluster *c)
{
	return c->backup->why;
}

void
backup_stop(struct cluster *c)
{
	struct backup *b = c->backup;

	if (b == NULL)
		return;
	tell_end(c, false);
	admin_done(b->admin);
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

void
backup_end(struct cluster *c)
{
	struct backup *b = c->backup;
	char path[BACKUP_PATH_MAX];

	if (b == NULL)
		return;
	backup_stop(c);
	text_format(path, sizeof(path), "%s/" BACKUP_DIR, c->config->out);
	(void)file_remove_tree(path); /* what stays does no harm */
	cJSON_Delete(b->answer);
	admin_destroy(b->admin);
	free(b);
	c->backup = NULL;
}
