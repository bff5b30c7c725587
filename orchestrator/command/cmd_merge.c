/* SPDX-License-Identifier: ISC */
/*
 * natsburn report --merge DIR...: the reports of a soak's shards as one. A
 * shard that left no report is judged from its journal; one that left
 * nothing makes the whole inconclusive. Nothing is written before all of
 * them are read, and nothing but in the folder of the merged report.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/folder.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/demand.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/shards.h"
#include "orchestrator/report/command_line.h"
#include "orchestrator/report/junit.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define LINK_MAX 4096

struct merger {
	struct run_config config;
	struct shards shards;
	const char *dirs[SHARDS_MAX];
	int n;
	char *full;	      /* of the folder it goes to */
	struct stream suites; /* of junit.xml */
	struct junit_tally tally;
	double seconds;
};

/* Which folders */

static int
check_dir(const struct merger *m, int i)
{
	struct stat st, other;
	int k;

	if (stat(m->dirs[i], &st) < 0)
		return usage_error(
		    "--merge \"%s\": %s", m->dirs[i], strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return usage_error("--merge \"%s\": is not a folder; name the "
				   "run folders of the shards",
		    m->dirs[i]);
	for (k = 0; k < i; k++)
		if (stat(m->dirs[k], &other) == 0 &&
		    st.st_ino == other.st_ino && st.st_dev == other.st_dev)
			return usage_error(
			    "--merge \"%s\": is named twice", m->dirs[i]);
	return 0;
}

static int
take_words(struct merger *m, int argc, char **argv)
{
	int i, k = 0, bad = 0;

	for (i = 0; i < argc; i++)
		if (strcmp(argv[i], "--merge") != 0)
			argv[k++] = argv[i];
	config_init(&m->config);
	m->n = cli_options(&m->config, k, argv, m->dirs, SHARDS_MAX);
	if (m->n < 0)
		return EXIT_USAGE;
	if (m->n == 0)
		return usage_error("report --merge: which run folders?");
	for (i = 0; i < m->n && bad == 0; i++)
		bad = check_dir(m, i);
	return bad;
}

/* Not the folder of a run: its own report would be lost. */
static int
check_out(const struct merger *m)
{
	char path[CONFIG_PATH_MAX + 32] = "", report[CONFIG_PATH_MAX + 32] = "";
	const char *out = m->config.out;
	struct stat st;
	cJSON *there;
	bool is_run;

	if (out[0] == '\0')
		return 0;
	if (stat(out, &st) == 0 && !S_ISDIR(st.st_mode))
		return usage_error("--out \"%s\": is not a folder", out);
	text_add(path, sizeof(path), "%s/journal", out);
	text_add(report, sizeof(report), "%s/report.json", out);
	there = forms_load(report);
	is_run = access(path, F_OK) == 0 ||
		 (there != NULL && json_get(there, "shards") == NULL);
	cJSON_Delete(there);
	return is_run ? usage_error(
			    "--out \"%s\": is the folder of a single run", out)
		      : 0;
}

static int
make_out(struct merger *m)
{
	char *out = m->config.out;
	int bad = folder_name(out, sizeof(m->config.out), "merged");

	if (bad != 0)
		return bad;
	if (mkdir(out, 0700) < 0 && errno != EEXIST)
		return usage_error("--out \"%s\": cannot make this folder: %s",
		    out, strerror(errno));
	m->full = realpath(out, NULL);
	if (m->full == NULL || access(out, W_OK | X_OK) < 0)
		return usage_error("--out \"%s\": cannot be written: %s", out,
		    strerror(errno));
	return 0;
}

/* What they left */

/* What its journal says, and whether that is all of it. */
static cJSON *
judge_journal(const char *dir, bool *has_holes, char *why, size_t size)
{
	struct history h;
	cJSON *tree = NULL;
	int err = history_init(&h, NULL, NULL);

	if (err == 0)
		err = history_replay(&h, dir);
	if (err == 0)
		tree = report_tree(&h, dir);
	else
		text_format(why, size,
		    "left no report, and no journal that can be read: %s",
		    strerror(-err));
	*has_holes = h.dropped.places > 0;
	history_fini(&h);
	return tree;
}

/* The report of a run folder, if it is one; else why not, or "". */
static cJSON *
load_report(const char *dir, char *why, size_t size)
{
	char path[LINK_MAX] = "", lacks[DEMAND_WHY_MAX] = "";
	cJSON *tree = NULL;

	if (text_fits_add(path, sizeof(path), "%s/report.json", dir))
		tree = forms_load(path);
	if (tree != NULL && !demand_report(tree, lacks)) {
		cJSON_Delete(tree);
		tree = NULL;
	}
	text_set(why, size, lacks);
	return tree;
}

/* Report and journal disagree: the worse of them, which says so. */
static cJSON *
take_worse(cJSON *report, cJSON *judged)
{
	int said = (int)json_number(report, "exit_code"),
	    found = (int)json_number(judged, "exit_code");
	cJSON *worse = forms_worse(said, found) == found ? judged : report;
	cJSON *reason;
	char text[160];

	text_format(text, sizeof(text),
	    "its report.json says %s (exit code %d), its journal %s (exit "
	    "code %d)",
	    forms_word(said), said, forms_word(found), found);
	reason = cJSON_CreateString(text);
	if (!cJSON_InsertItemInArray(json_get(worse, "reasons"), 0, reason))
		cJSON_Delete(reason);
	cJSON_Delete(worse == judged ? report : judged);
	return worse;
}

/*
 * Where there is a journal a report isn't believed without it. A journal
 * that lacks what was not kept proves less than the run knew, but what it
 * finds is found.
 */
static cJSON *
read_shard(const char *dir, char *why, size_t size)
{
	char path[LINK_MAX] = "", lacks[DEMAND_WHY_MAX];
	cJSON *tree = load_report(dir, lacks, sizeof(lacks)), *judged;
	bool has_holes;
	double code;

	why[0] = '\0';
	judged = judge_journal(dir, &has_holes, why, size);
	if (judged == NULL) {
		text_add(path, sizeof(path), "%s/journal", dir);
		if (tree != NULL && file_exists(path)) {
			text_set(why, size, "its journal can't be read");
			cJSON_Delete(tree);
			return NULL;
		}
		if (lacks[0] != '\0')
			text_set(why, size, lacks);
		return tree;
	}
	code = json_number(judged, "exit_code");
	if (tree == NULL || cJSON_IsFalse(json_get(tree, "finished"))) {
		cJSON_Delete(tree);
		return judged;
	}
	if (code == json_number(tree, "exit_code") ||
	    (has_holes && code != EXIT_VIOLATION)) {
		cJSON_Delete(judged);
		return tree;
	}
	return take_worse(tree, judged);
}

/* The path that leads from one folder to another, both absolute. */
static void
path_between(const char *from, const char *to, char *out, size_t size)
{
	size_t same = 0, i;

	out[0] = '\0';
	for (i = 0;; i++) {
		if ((from[i] == '/' || from[i] == '\0') &&
		    (to[i] == '/' || to[i] == '\0'))
			same = i;
		if (from[i] != to[i] || from[i] == '\0')
			break;
	}
	for (i = same; from[i] != '\0'; i++)
		if (from[i] == '/' && from[i + 1] != '\0')
			text_add(out, size, "../");
	text_add(out, size, "%s", to[same] == '/' ? to + same + 1 : "");
}

static void
link_shard(struct merger *m, int i)
{
	const char *dir = m->dirs[i];
	char path[LINK_MAX] = "", *full = realpath(dir, NULL);

	text_add(path, sizeof(path), "%s/report.html", dir);
	if (full != NULL && access(path, R_OK) == 0) {
		path_between(m->full, full, path, sizeof(path));
		shards_link(&m->shards, i, path);
	}
	free(full);
}

/* A suite of junit.xml. */
static void
write_suite(struct merger *m, const char *dir, const cJSON *report)
{
	struct junit_tally t = junit_count(report);
	char name[CONFIG_PATH_MAX + 80] = "";

	text_add(name, sizeof(name), "%s %s", json_text(report, "test"), dir);
	junit_suite(report, name, m->suites.file);
	m->tally.tests += t.tests;
	m->tally.failures += t.failures;
	m->tally.errors += t.errors;
	m->seconds += json_number(report, "total_s");
}

static void
write_missing(struct merger *m, const char *dir, const char *why)
{
	cJSON *o = cJSON_CreateObject(), *list;

	json_put_text(o, "test",
	    m->shards.first != NULL ? json_text(m->shards.first, "test")
				    : "shard");
	json_put_text(o, "verdict", "inconclusive");
	list = json_put_array(o, "reasons");
	json_append_text(list, why);
	write_suite(m, dir, o);
	cJSON_Delete(o);
}

static int
take_shard(struct merger *m, const char *dir)
{
	char why[256];
	cJSON *report = read_shard(dir, why, sizeof(why));
	int bad = 0;

	if (shards_add(&m->shards, dir, report, why, sizeof(why)) < 0)
		bad = usage_error("--merge \"%s\": %s", dir, why);
	else if (report != NULL)
		write_suite(m, dir, report);
	else
		write_missing(m, dir, why);
	cJSON_Delete(report);
	return bad;
}

/* What comes of it */

static int
write_junit(struct merger *m)
{
	char *suites = NULL, *text = NULL;
	struct stream out;
	size_t len;
	int err = stream_close(&m->suites, &suites, &len);

	if (err == 0 && stream_open(&out) == NULL)
		err = -ENOMEM;
	if (err < 0)
		goto out;
	fprintf(out.file,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuites name=\"natsburn shards\" tests=\"%u\" "
	    "failures=\"%u\" errors=\"%u\" time=\"%.3f\">\n",
	    m->tally.tests, m->tally.failures, m->tally.errors, m->seconds);
	fputs(suites, out.file);
	fputs("</testsuites>\n", out.file);
	err = stream_close(&out, &text, &len);
	if (err == 0)
		err = report_files_save(text, len, m->config.out, "junit.xml");
out:
	free(suites);
	free(text);
	return err;
}

static void
make_command(const struct merger *m, char *out)
{
	int i;

	out[0] = '\0';
	text_add(out, COMMAND_LINE_MAX, "natsburn report --merge");
	for (i = 0; i < m->n; i++)
		command_line_word(out, m->dirs[i]);
}

static int
conclude(struct merger *m, const char *command)
{
	int code = shards_finish(&m->shards, command), err, first;
	const cJSON *tree = m->shards.tree;
	const char *dir = m->config.out;

	first = forms_save(tree, dir, "report.json", json_print);
	err = write_junit(m);
	first = first < 0 ? first : err;
	err = forms_save(tree, dir, "report.html", shards_page);
	first = first < 0 ? first : err;
	if (first < 0) {
		fprintf(stderr, "natsburn: cannot write in \"%s\": %s\n", dir,
		    strerror(-first));
		code = forms_worse(code, EXIT_HARNESS);
	}
	if (m->config.json)
		json_print(tree, stdout);
	else if (!m->config.quiet)
		shards_say(tree, dir, stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		code = forms_worse(code, EXIT_HARNESS);
	}
	return code;
}

static int
merge(struct merger *m)
{
	char command[COMMAND_LINE_MAX];
	int i, bad = check_out(m);

	for (i = 0; i < m->n && bad == 0; i++)
		bad = take_shard(m, m->dirs[i]);
	if (bad == 0 && m->shards.first == NULL)
		bad = usage_error(
		    "report --merge: no report and no journal in any of these "
		    "folders");
	if (bad == 0)
		bad = make_out(m);
	if (bad != 0)
		return bad;
	for (i = 0; i < m->n; i++)
		link_shard(m, i);
	make_command(m, command);
	return conclude(m, command);
}

int
cmd_merge(int argc, char **argv)
{
	struct merger *m = calloc(1, sizeof(*m));
	int code;

	if (m == NULL)
		return usage_error("out of memory");
	if (stream_open(&m->suites) == NULL || shards_init(&m->shards) < 0)
		code = usage_error("out of memory");
	else
		code = take_words(m, argc, argv);
	if (code == 0)
		code = merge(m);
	stream_drop(&m->suites);
	free(m->full);
	shards_fini(&m->shards);
	free(m);
	return code;
}
