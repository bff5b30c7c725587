/* SPDX-License-Identifier: ISC */
/* The history in the bundle, without secrets; see bundle_parts.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/history/hole.h"
#include "orchestrator/live/retain.h"
#include "orchestrator/report/bundle_parts.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"
#include "proto/frame.h"

#define PART_DIR   ".bundle-XXXXXX" /* no other has this one */
#define LINE_MAX_  2048
#define NAME_BYTES 64 /* of a segment in the bundle */

static int
redact_event(const struct bundle *b, struct event *ev)
{
	const struct message_spec *spec = message_spec(ev->type);
	const struct message_field *f;
	char *text, *out;
	size_t len;
	unsigned i;

	for (i = 0; i < spec->nfields; i++) {
		f = &spec->fields[i];
		if (f->type != FIELD_string)
			continue;
		text = (char *)&ev->u + f->offset;
		if (text[0] == '\0')
			continue;
		out = redact_text(
		    b->redactor, text, strlen(text), REDACT_LOG, &len);
		if (out == NULL)
			return -ENOMEM;
		text_set(text, f->size, out);
		free(out);
	}
	return 0;
}

static void
print_event(const struct bundle *b, const struct event *ev, FILE *text)
{
	char line[LINE_MAX_];

	(void)message_print(ev, line, sizeof(line)); /* cut is fine */
	fprintf(text, "%12.6f  %s\n",
	    ((double)ev->time_ns - (double)b->h->stats.load_ns) / 1e9, line);
}

static int
copy_journal(struct bundle *b, struct journal_reader *in,
    struct journal_writer *out, FILE *text)
{
	uint8_t frame[FRAME_MAX];
	enum journal_state state = JOURNAL_END;
	struct hole hole;
	struct event ev;
	bool is_near;
	int len, err = 0, end;

	hole_init(&hole);
	while (err == 0 &&
	       (state = journal_next(in, &ev, NULL, NULL)) == JOURNAL_EVENT) {
		b->events++;
		is_near = evidence_is_frame(&ev) ||
			  evidence_is_around(b->h->judge, &b->sieve, &ev);
		if (b->is_part && !is_near && !retain_is_frame(&ev)) {
			hole_add(&hole, &ev);
			continue;
		}
		b->taken++;
		err = redact_event(b, &ev);
		len = frame_encode(&ev, frame);
		(void)hole_put(&hole, out); /* an error is said by the end */
		if (len > 0) /* an error stays until it is closed */
			(void)journal_append(out, frame, (size_t)len);
		if (is_near)
			print_event(b, &ev, text);
	}
	(void)hole_put(&hole, out); /* likewise */
	end = journal_close_copy(out, state);
	return err < 0 ? err : end;
}

static int
put_segment(struct bundle *b, const char *name, const char *path)
{
	FILE *f = bundle_open(path);
	char *data = NULL;
	struct stat st;
	size_t len;
	int err;

	if (f == NULL || fstat(fileno(f), &st) < 0 ||
	    (data = malloc((size_t)st.st_size + 1)) == NULL) {
		err = bundle_fail(b, errno ? -errno : -EIO, name);
	} else {
		len = fread(data, 1, (size_t)st.st_size, f);
		err = bundle_put(b, name, data, len);
	}
	if (f != NULL)
		fclose(f);
	free(data);
	return err;
}

static void
part_path(const struct bundle *b, unsigned segment, char *name, char *path)
{
	name[0] = path[0] = '\0';
	text_add(name, NAME_BYTES, "journal/%06u.nbj", segment);
	text_add(path, BUNDLE_PATH_MAX, "%s/%s", b->part, name);
}

static int
put_segments(struct bundle *b, unsigned n)
{
	char name[NAME_BYTES], path[BUNDLE_PATH_MAX];
	int err = 0;
	unsigned i;

	for (i = 1; i <= n && err == 0; i++) {
		part_path(b, i, name, path);
		err = put_segment(b, name, path);
	}
	return err;
}

/* Whatever went wrong: on a full disk it would be in the way. */
static void
remove_segments(const struct bundle *b)
{
	char name[NAME_BYTES], path[BUNDLE_PATH_MAX];
	unsigned i = 1;

	do
		part_path(b, i++, name, path);
	while (unlink(path) == 0);
}

int
bundle_put_journal(struct bundle *b)
{
	char sub[BUNDLE_PATH_MAX] = "", *text = NULL;
	struct journal_reader in;
	struct journal_writer out;
	struct stream events;
	size_t len = 0;
	FILE *f;
	int err;

	text_format(b->part, sizeof(b->part), "%s/" PART_DIR, b->dir);
	if (mkdtemp(b->part) == NULL)
		return bundle_fail(b, -errno, b->part);
	text_add(sub, sizeof(sub), "%s/journal", b->part);
	err = journal_open(&in, b->dir);
	if (err == 0)
		err = journal_create_copy(&out, b->part, &in);
	if (err == 0) {
		f = stream_open(&events);
		if (f != NULL)
			err = copy_journal(b, &in, &out, f);
		else
			(void)journal_close(&out); /* nothing is in it */
		if (f == NULL || stream_close(&events, &text, &len) < 0)
			err = err < 0 ? err : -ENOMEM;
		if (err < 0)
			err = bundle_fail(b, err, "journal");
		if (err == 0)
			err = put_segments(b, out.segment);
		if (err == 0)
			err = bundle_put(b, "journal.txt", text, len);
	} else
		err = bundle_fail(b, err, b->part);
	free(text);
	journal_reader_fini(&in);
	remove_segments(b);
	(void)rmdir(sub); /* or it stays, empty */
	(void)rmdir(b->part);
	return err;
}
