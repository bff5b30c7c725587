/* SPDX-License-Identifier: ISC */
/* The evidence of a run in one file; see bundle.h. */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "orchestrator/history/evidence.h"
#include "orchestrator/history/hole.h"
#include "orchestrator/live/retain.h"
#include "orchestrator/report/bundle.h"
#include "orchestrator/report/redact.h"
#include "orchestrator/report/report.h"
#include "proto/base/text.h"
#include "proto/frame.h"
#include "proto/json.h"

#define PATH_MAX_  (JOURNAL_PATH_MAX + 512)
#define PART_DIR   ".bundle"
#define HEAD_BYTES ((size_t)1 << 20) /* of a file that is cut */
#define LINE_MAX_  2048
#define NAME_BYTES 64 /* of a segment in the bundle */

struct bundle {
	const struct history *h;
	const cJSON *tree;
	const char *dir;
	const struct run_config *secrets;
	char top[128]; /* folder that everything is in */
	struct archive *out;
	struct redactor *redactor;
	struct evidence_sieve sieve;
	bool is_part; /* the journal is too large to be taken whole */
	uint64_t events, taken;
	char *why;
	size_t why_size;
};

static int
fail(struct bundle *b, int err, const char *what)
{
	b->why[0] = '\0';
	text_add(b->why, b->why_size, "%s: %s", what,
	    b->out != NULL && archive_error_string(b->out) != NULL
		? archive_error_string(b->out)
		: strerror(-err));
	return err;
}

static int
put(struct bundle *b, const char *name, const char *data, size_t len)
{
	struct archive_entry *e = archive_entry_new();
	char path[PATH_MAX_] = "";
	int err = 0;

	if (e == NULL)
		return fail(b, -ENOMEM, name);
	text_add(path, sizeof(path), "%s/%s", b->top, name);
	archive_entry_set_pathname(e, path);
	archive_entry_set_size(e, (la_int64_t)len);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(
	    e, (time_t)(b->h->stats.wall_ns / (int64_t)CLOCK_S), 0);
	if (archive_write_header(b->out, e) != ARCHIVE_OK ||
	    archive_write_data(b->out, data, len) != (la_ssize_t)len)
		err = fail(b, -EIO, name);
	archive_entry_free(e);
	return err;
}

static int
put_redacted(struct bundle *b, const char *name, const char *text, size_t len,
    enum redact_kind kind)
{
	size_t out_len = 0;
	char *out = redact_text(b->redactor, text, len, kind, &out_len);
	int err;

	if (out == NULL)
		return fail(b, -ENOMEM, name);
	err = put(b, name, out, out_len);
	free(out);
	return err;
}

static int
put_form(void *arg, const char *name, const char *text, size_t len)
{
	return put_redacted(arg, name, text, len, REDACT_OWN);
}

/* Files */

/*
 * A file's text; of one that is very large its beginning and its end. NULL
 * with errno. To be freed.
 */
static char *
read_text(const char *path, size_t *len)
{
	static const char cut[] =
	    "\n\n[natsburn: the middle of this file is left out]\n\n";
	FILE *f = fopen(path, "re");
	size_t want, head;
	struct stat st;
	char *text;

	*len = 0;
	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) {
		fclose(f);
		errno = EINVAL;
		return NULL;
	}
	want = (size_t)st.st_size;
	text = malloc(
	    (want < BUNDLE_FILE_MAX ? want : BUNDLE_FILE_MAX) + sizeof(cut));
	if (text == NULL) {
		fclose(f);
		return NULL;
	}
	if (want <= BUNDLE_FILE_MAX) {
		*len = fread(text, 1, want, f);
	} else {
		head = fread(text, 1, HEAD_BYTES, f);
		memcpy(text + head, cut, sizeof(cut) - 1);
		*len = head + sizeof(cut) - 1;
		want = BUNDLE_FILE_MAX - HEAD_BYTES;
		if (fseek(f, -(long)want, SEEK_END) == 0)
			*len += fread(text + *len, 1, want, f);
	}
	fclose(f);
	return text;
}

static bool
has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* Of a server's folder: no stores, no keys. */
static bool
is_wanted(const char *name)
{
	return has_end(name, ".conf") || has_end(name, ".log") ||
	       has_end(name, ".json");
}

static int
put_file(struct bundle *b, const char *name, const char *path, bool learns)
{
	size_t len;
	char *text = read_text(path, &len);
	int err = 0;

	if (text == NULL)
		return errno == ENOENT || errno == EINVAL
			   ? 0
			   : fail(b, -errno, name);
	if (learns)
		redact_learn(b->redactor, text, len);
	else
		err = put_redacted(b, name, text, len,
		    has_end(name, ".conf") ? REDACT_CONFIG : REDACT_LOG);
	free(text);
	return err;
}

/* One pass to learn from the configurations, one to take all. */
static int
put_server(struct bundle *b, const char *server, bool learns)
{
	char path[PATH_MAX_] = "", name[PATH_MAX_];
	const struct dirent *d;
	int err = 0;
	DIR *dir;

	text_add(path, sizeof(path), "%s/servers/%s", b->dir, server);
	dir = opendir(path);
	if (dir == NULL)
		return 0; /* a file, or gone */
	while (err == 0 && (d = readdir(dir)) != NULL) {
		if (!is_wanted(d->d_name) ||
		    (learns && !has_end(d->d_name, ".conf")))
			continue;
		name[0] = path[0] = '\0';
		text_add(
		    name, sizeof(name), "servers/%s/%s", server, d->d_name);
		text_add(path, sizeof(path), "%s/%s", b->dir, name);
		err = put_file(b, name, path, learns);
	}
	closedir(dir);
	return err;
}

static int
put_servers(struct bundle *b, bool learns)
{
	struct dirent **list = NULL;
	char path[PATH_MAX_] = "";
	int i, n, err = 0;

	text_add(path, sizeof(path), "%s/servers", b->dir);
	n = scandir(path, &list, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.' && err == 0)
			err = put_server(b, list[i]->d_name, learns);
		free(list[i]);
	}
	free(list);
	return err;
}

/* The journal */

static void
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
		text_set(text, f->size, out != NULL ? out : "");
		free(out);
	}
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
	enum journal_state state;
	struct hole hole;
	struct event ev;
	bool is_near;
	int len;

	hole_init(&hole);
	while ((state = journal_next(in, &ev, NULL, NULL)) == JOURNAL_EVENT) {
		b->events++;
		is_near = evidence_is_frame(&ev) ||
			  evidence_is_around(b->h->judge, &b->sieve, &ev);
		if (b->is_part && !is_near && !retain_is_frame(&ev)) {
			hole_add(&hole, &ev);
			continue;
		}
		b->taken++;
		redact_event(b, &ev);
		len = frame_encode(&ev, frame);
		/* An error is said by the end. */
		(void)hole_put(&hole, out);
		if (len > 0)
			(void)journal_append(out, frame, (size_t)len);
		if (is_near)
			print_event(b, &ev, text);
	}
	(void)hole_put(&hole, out); /* likewise */
	return journal_close_copy(out, state);
}

static int
put_segment(struct bundle *b, const char *name, const char *path)
{
	FILE *f = fopen(path, "re");
	char *data = NULL;
	struct stat st;
	size_t len;
	int err;

	if (f == NULL || fstat(fileno(f), &st) < 0 ||
	    (data = malloc((size_t)st.st_size + 1)) == NULL) {
		err = fail(b, errno ? -errno : -EIO, name);
	} else {
		len = fread(data, 1, (size_t)st.st_size, f);
		err = put(b, name, data, len);
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
	text_add(path, PATH_MAX_, "%s/" PART_DIR "/%s", b->dir, name);
}

static int
put_segments(struct bundle *b, unsigned n)
{
	char name[NAME_BYTES], path[PATH_MAX_];
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
	char name[NAME_BYTES], path[PATH_MAX_];
	unsigned i = 1;

	do
		part_path(b, i++, name, path);
	while (unlink(path) == 0);
}

static int
put_journal(struct bundle *b)
{
	char part[PATH_MAX_] = "", sub[PATH_MAX_] = "", *text = NULL;
	struct journal_reader in;
	struct journal_writer out;
	size_t len = 0;
	FILE *f = NULL;
	int err;

	text_add(part, sizeof(part), "%s/" PART_DIR, b->dir);
	text_add(sub, sizeof(sub), "%s/journal", part);
	if (mkdir(part, 0755) < 0 && errno != EEXIST)
		return fail(b, -errno, part);
	err = journal_open(&in, b->dir);
	if (err == 0)
		err = journal_create_copy(&out, part, &in);
	if (err == 0) {
		f = open_memstream(&text, &len);
		err = f != NULL ? copy_journal(b, &in, &out, f) : -ENOMEM;
		if (f != NULL && fclose(f) != 0 && err == 0)
			err = -ENOMEM;
		if (err < 0)
			(void)fail(b, err, "journal");
		if (err == 0)
			err = put_segments(b, out.segment);
		if (err == 0)
			err = put(b, "journal.txt", text, len);
	} else
		(void)fail(b, err, part);
	free(text);
	journal_reader_fini(&in);
	remove_segments(b);
	(void)rmdir(sub);
	(void)rmdir(part);
	return err;
}

/* The text */

/* When something was, by the clock that the servers' logs have. */
static void
say_wall(const struct bundle *b, uint64_t ns, FILE *out)
{
	const struct stats *s = &b->h->stats;
	/* The wall clock of a damaged history may be any. */
	int64_t wall = (int64_t)((uint64_t)s->wall_ns + (ns - s->first_ns));
	time_t when = (time_t)(wall / (int64_t)CLOCK_S);
	char text[32] = "?";
	struct tm tm;

	if (gmtime_r(&when, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(
	    out, "%s.%03d UTC", text, (int)(wall / (int64_t)CLOCK_MS % 1000));
}

static void
say_anomalies(const struct bundle *b, FILE *out)
{
	const struct anomaly *a;
	size_t i;

	if (judge_anomaly(b->h->judge, 0) == NULL)
		return;
	fputs("WHAT WAS OBSERVED\n\n", out);
	for (i = 0; i < 10; i++) {
		a = judge_anomaly(b->h->judge, i);
		if (a == NULL)
			break;
		fprintf(out, "* %s (%s, %s), one of %llu, at ",
		    anomaly_kind_name(a->kind), anomaly_class_name(a->class),
		    a->rule,
		    (unsigned long long)judge_count(
			b->h->judge, a->kind, a->class));
		say_wall(b, a->time_ns, out);
		fprintf(out, ":\n  %s\n", a->says);
	}
	fputs("\nThe rules are in natsburn's docs/guarantees.md, each with the "
	      "document or the\nsource of nats-server that it rests on. The "
	      "events that show each of these, and\nthe faults around them, "
	      "are in report.html (\"Anomalies\") and report.json.\n\n",
	    out);
}

static void
say_files(const struct bundle *b, FILE *out)
{
	fputs("FILES\n\n"
	      "report.html         the report: open it in a browser\n"
	      "report.json         the same as data; junit.xml: for CI\n"
	      "journal.txt         the run's frame (faults, leaders, phases), "
	      "and every event\n"
	      "                    from 10 s before to 2 s after an anomaly; "
	      "seconds since the\n"
	      "                    beginning of the load stand in front\n",
	    out);
	fprintf(out, "journal/            %s: %llu of %llu events\n",
	    b->is_part ? "the same, for natsburn" : "the whole history",
	    (unsigned long long)b->taken, (unsigned long long)b->events);
	fputs("servers/NAME/       configuration, log, and what the server "
	      "said at the end:\n"
	      "                    varz, jsz (streams, consumers, raft), "
	      "connz, routez, healthz\n\n",
	    out);
	if (!b->is_part)
		fputs("\"natsburn check .\" in this folder judges the history "
		      "again.\n",
		    out);
	fputs("Passwords, tokens, nkeys, JWTs and keys were replaced "
	      "by " REDACT_MARK
	      ".\nLook through it yourself before you make it "
	      "public.\n",
	    out);
}

static void
say_readme(const struct bundle *b, FILE *out)
{
	const cJSON *servers = json_get(b->tree, "servers");
	const cJSON *v;
	unsigned i;

	fprintf(out, "natsburn %s: %s (exit code %d)\n\n",
	    json_text(b->tree, "natsburn"), verdict_name(b->h->result.verdict),
	    (int)b->h->result.exit_code);
	for (i = 0; i < b->h->result.nreasons; i++)
		fprintf(out, "  %s\n", b->h->result.reasons[i]);
	fprintf(out, "\nWHAT WAS RUN\n\nTest %s, storage %s; servers:",
	    json_text(b->tree, "test"), json_text(b->tree, "storage"));
	cJSON_ArrayForEach (v, servers)
		fprintf(out, " %s %s", json_text(v, "name"),
		    json_text(v, "version"));
	fprintf(out, "; client %s.\nThe load began at ",
	    json_text(b->tree, "client_library"));
	say_wall(b, b->h->stats.load_ns, out);
	fprintf(out,
	    ".\nThis repeats it, with the same schedule of faults (what the "
	    "servers make of it\ndepends on the moment):\n\n  %s\n\n",
	    json_text(b->tree, "command"));
	say_anomalies(b, out);
	say_files(b, out);
}

static int
put_readme(struct bundle *b)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int err = -ENOMEM;

	if (f != NULL) {
		say_readme(b, f);
		err = fclose(f) == 0 ? 0 : -ENOMEM;
	}
	err = err == 0 ? put_redacted(b, "README.txt", text, len, REDACT_OWN)
		       : fail(b, err, "README.txt");
	free(text);
	return err;
}

/* What is secret by the options of this call. */
static void
learn_options(struct bundle *b)
{
	const struct option_spec *row;
	char text[OPTION_VALUE_MAX];

	for (row = config_options; row->name != NULL; row++) {
		if (!row->secret)
			continue;
		option_get(row, b->secrets, text, sizeof(text));
		redact_secret(b->redactor, text, strlen(text));
	}
}

static int
fill(struct bundle *b)
{
	char path[PATH_MAX_] = "";
	int err;

	evidence_sieve_fill(&b->sieve, b->h->judge);
	learn_options(b);
	err = put_servers(b, true);
	if (err == 0)
		err = put_journal(b);
	/* Behind the journal: it says how much of that was taken. */
	if (err == 0)
		err = put_readme(b);
	if (err == 0)
		err = report_files(b->h, b->tree, put_form, b);
	text_add(path, sizeof(path), "%s/stderr.log", b->dir);
	if (err == 0)
		err = put_file(b, "stderr.log", path, false);
	if (err == 0)
		err = put_servers(b, false);
	return err;
}

static void
name_top(struct bundle *b)
{
	char *full = realpath(b->dir, NULL);

	text_add(b->top, sizeof(b->top), "natsburn-%.100s",
	    full != NULL ? basename(full) : "run");
	free(full);
}

int
bundle_write(const struct history *h, const cJSON *tree, const char *run_dir,
    const struct run_config *secrets, char *why, size_t size)
{
	char path[PATH_MAX_] = "", temp[PATH_MAX_] = "";
	struct bundle b = {.h = h,
	    .tree = tree,
	    .dir = run_dir,
	    .secrets = secrets,
	    .why = why,
	    .why_size = size};
	int err = 0;

	name_top(&b);
	b.is_part = h->bytes > BUNDLE_JOURNAL_MAX;
	text_add(path, sizeof(path), "%s/" BUNDLE_NAME, run_dir);
	text_add(temp, sizeof(temp), "%s.new", path);
	b.redactor = redact_create();
	b.out = archive_write_new();
	if (b.redactor == NULL || b.out == NULL)
		err = fail(&b, -ENOMEM, path);
	else if (archive_write_add_filter_zstd(b.out) != ARCHIVE_OK ||
		 archive_write_set_format_pax_restricted(b.out) != ARCHIVE_OK ||
		 archive_write_open_filename(b.out, temp) != ARCHIVE_OK)
		err = fail(&b, -EIO, path);
	if (err == 0)
		err = fill(&b);
	if (b.out != NULL && archive_write_close(b.out) != ARCHIVE_OK &&
	    err == 0)
		err = fail(&b, -EIO, path);
	if (b.out != NULL)
		(void)archive_write_free(b.out);
	b.out = NULL;
	if (err == 0 && rename(temp, path) < 0)
		err = fail(&b, -errno, path);
	if (err < 0)
		(void)unlink(temp);
	redact_destroy(b.redactor);
	return err;
}
