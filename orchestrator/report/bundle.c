/* SPDX-License-Identifier: ISC */
/* The evidence of a run in one file; see bundle.h. */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/report/bundle_parts.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

#define HEAD_BYTES ((size_t)1 << 20) /* of a file that is cut */

int
bundle_fail(struct bundle *b, int err, const char *what)
{
	b->why[0] = '\0';
	text_add(b->why, b->why_size, "%s: %s", what,
	    b->out != NULL && archive_error_string(b->out) != NULL
		? archive_error_string(b->out)
		: strerror(-err));
	return err;
}

int
bundle_put(struct bundle *b, const char *name, const char *data, size_t len)
{
	struct archive_entry *e = archive_entry_new();
	char path[BUNDLE_PATH_MAX] = "";
	int err = 0;

	if (e == NULL)
		return bundle_fail(b, -ENOMEM, name);
	text_add(path, sizeof(path), "%s/%s", b->top, name);
	archive_entry_set_pathname(e, path);
	archive_entry_set_size(e, (la_int64_t)len);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(
	    e, (time_t)(b->h->stats.wall_ns / (int64_t)CLOCK_S), 0);
	if (archive_write_header(b->out, e) != ARCHIVE_OK ||
	    archive_write_data(b->out, data, len) != (la_ssize_t)len)
		err = bundle_fail(b, -EIO, name);
	archive_entry_free(e);
	return err;
}

int
bundle_put_redacted(struct bundle *b, const char *name, const char *text,
    size_t len, enum redact_kind kind)
{
	size_t out_len = 0;
	char *out = redact_text(b->redactor, text, len, kind, &out_len);
	int err;

	if (out == NULL)
		return bundle_fail(b, -ENOMEM, name);
	err = bundle_put(b, name, out, out_len);
	free(out);
	return err;
}

static int
put_form(void *arg, const char *name, const char *text, size_t len)
{
	return bundle_put_redacted(arg, name, text, len, REDACT_OWN);
}

/* Files */

FILE *
bundle_open(const char *path)
{
	int fd = file_open(path);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (f != NULL)
		return f;
	if (fd < 0)
		errno = -fd;
	else
		(void)close(fd); /* nothing was written */
	return NULL;
}

/*
 * A file's text; of one that is very large its beginning and its end. NULL
 * with errno. To be freed.
 */
static char *
read_text(const char *path, size_t *len)
{
	static const char cut[] =
	    "\n\n[natsburn: the middle of this file is left out]\n\n";
	FILE *f = bundle_open(path);
	size_t want, head;
	struct stat st;
	char *text;

	*len = 0;
	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) < 0) {
		fclose(f);
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

	/* A link, a FIFO or the like is nothing that a run has left. */
	if (text == NULL)
		return errno == ENOENT || errno == EINVAL || errno == ELOOP ||
			       errno == ENXIO
			   ? 0
			   : bundle_fail(b, -errno, name);
	if (learns)
		redact_learn(b->redactor, text, len);
	else
		err = bundle_put_redacted(b, name, text, len,
		    has_end(name, ".conf") ? REDACT_CONFIG : REDACT_LOG);
	free(text);
	return err;
}

/* One pass to learn from the configurations, one to take all. */
static int
put_server(struct bundle *b, const char *server, bool learns)
{
	char path[BUNDLE_PATH_MAX] = "", name[BUNDLE_PATH_MAX];
	const struct dirent *d;
	int err = 0, fd;
	DIR *dir;

	text_add(path, sizeof(path), "%s/servers/%s", b->dir, server);
	fd = file_open_dir(path);
	if (fd < 0) /* a file, a link, or gone */
		return fd == -ENOTDIR || fd == -ENOENT || fd == -ELOOP
			   ? 0
			   : bundle_fail(b, fd, path);
	dir = fdopendir(fd);
	if (dir == NULL) {
		err = -errno;
		(void)close(fd); /* nothing was written */
		return bundle_fail(b, err, path);
	}
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
	char path[BUNDLE_PATH_MAX] = "";
	int i, n, err = 0;
	struct stat st;

	text_add(path, sizeof(path), "%s/servers", b->dir);
	if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return 0; /* nothing that a run has left */
	n = scandir(path, &list, NULL, alphasort);
	if (n < 0 && errno != ENOENT)
		return bundle_fail(b, -errno, path);
	for (i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.' && err == 0)
			err = put_server(b, list[i]->d_name, learns);
		free(list[i]);
	}
	free(list);
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
	char path[BUNDLE_PATH_MAX] = "";
	int err;

	evidence_sieve_fill(&b->sieve, b->h->judge);
	learn_options(b);
	err = put_servers(b, true);
	if (err == 0)
		err = bundle_put_journal(b);
	/* Behind the journal: it says how much of that was taken. */
	if (err == 0)
		err = bundle_put_readme(b);
	if (err == 0)
		err = report_files_each(b->h, b->tree, put_form, b);
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
	char path[BUNDLE_PATH_MAX] = "", temp[BUNDLE_PATH_MAX] = "";
	struct bundle b = {.h = h,
	    .tree = tree,
	    .dir = run_dir,
	    .secrets = secrets,
	    .why = why,
	    .why_size = size};
	int err = 0, fd = -1;

	name_top(&b);
	b.is_part = h->bytes > BUNDLE_JOURNAL_MAX;
	text_add(path, sizeof(path), "%s/" BUNDLE_NAME, run_dir);
	text_add(temp, sizeof(temp), "%s.new", path);
	b.redactor = redact_create();
	b.out = archive_write_new();
	if (b.redactor == NULL || b.out == NULL)
		err = bundle_fail(&b, -ENOMEM, path);
	else if ((fd = file_create(temp)) < 0)
		err = bundle_fail(&b, fd, path);
	else if (archive_write_add_filter_zstd(b.out) != ARCHIVE_OK ||
		 archive_write_set_format_pax_restricted(b.out) != ARCHIVE_OK ||
		 archive_write_open_fd(b.out, fd) != ARCHIVE_OK)
		err = bundle_fail(&b, -EIO, path);
	if (err == 0)
		err = fill(&b);
	if (b.out != NULL && archive_write_close(b.out) != ARCHIVE_OK &&
	    err == 0)
		err = bundle_fail(&b, -EIO, path);
	if (b.out != NULL)
		(void)archive_write_free(b.out); /* closing told all */
	b.out = NULL;
	if (fd >= 0 && close(fd) < 0 && err == 0)
		err = bundle_fail(&b, -errno, path);
	if (err == 0 && rename(temp, path) < 0)
		err = bundle_fail(&b, -errno, path);
	if (err < 0 && fd >= 0)
		(void)unlink(temp); /* half of one is worse than none */
	redact_destroy(b.redactor);
	return err;
}
