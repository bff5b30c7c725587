/* SPDX-License-Identifier: ISC */
/* Hunts over time; see trend.h. */
#include "orchestrator/many/trend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/report/markup.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/config.h"
#include "proto/json.h"

#define HOLD_TRIES    100
#define HOLD_PAUSE_NS 100000000 /* 10 s in all */
#define SHOWN_MAX     12	/* the newest hunts, a column each */

/* An entry: the hunt's runs by version, and of each failure, too */

/* The member of an array whose field is text, made if it is missing. */
static cJSON *
entry_of(cJSON *list, const char *field, const char *text)
{
	cJSON *o;

	cJSON_ArrayForEach (o, list)
		if (strcmp(json_text(o, field), text) == 0)
			return o;
	o = cJSON_CreateObject();
	json_put_text(o, field, text);
	json_append(list, o);
	return o;
}

static void
count_up(cJSON *o, const char *field)
{
	json_set_number(o, field, json_number(o, field) + 1);
}

/* Did this run come to a verdict, so that it could have met a failure? */
static bool
has_verdict(const cJSON *row)
{
	int code = forms_word_code(json_text(row, "result"));

	return code == EXIT_PASS || code == EXIT_VIOLATION ||
	       code == EXIT_LIMIT;
}

static bool
met(const cJSON *row, const char *signature)
{
	const cJSON *s;

	cJSON_ArrayForEach (s, json_get(row, "signatures"))
		if (cJSON_IsString(s) && strcmp(s->valuestring, signature) == 0)
			return true;
	return false;
}

/* Runs of the failure's test by version, and those that met it. */
static void
put_rates(cJSON *entry, const cJSON *failure, const cJSON *runs)
{
	cJSON *list = json_put_array(entry, "versions"), *of;
	const char *signature = json_text(failure, "signature");
	const cJSON *row;

	cJSON_ArrayForEach (row, runs) {
		if (!has_verdict(row) || strcmp(json_text(row, "test"),
					     json_text(failure, "test")) != 0)
			continue;
		of = entry_of(list, "version", json_text(row, "version"));
		count_up(of, "runs");
		if (met(row, signature))
			count_up(of, "met");
	}
}

static cJSON *
make_entry(const cJSON *hunt, const char *folder)
{
	static const char *const fields[] = {
	    "seed", "started", "elapsed_s", "exit_code", "natsburn"};
	cJSON *o = cJSON_CreateObject(), *list, *entry;
	const cJSON *runs = json_get(hunt, "runs"), *row, *f;
	size_t i;

	json_put_text(o, "folder", folder);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_put_copy(o, hunt, fields[i]);
	list = json_put_array(o, "versions");
	cJSON_ArrayForEach (row, runs)
		count_up(entry_of(list, "version", json_text(row, "version")),
		    json_text(row, "result"));
	list = json_put_array(o, "failures");
	cJSON_ArrayForEach (f, json_get(hunt, "failures")) {
		entry = entry_of(list, "signature", json_text(f, "signature"));
		json_put_copy(entry, f, "known");
		json_put_copy(entry, f, "began_s");
		put_rates(entry, f, runs);
	}
	return o;
}

void
trend_enter(cJSON *trend, const cJSON *hunt, const char *folder)
{
	cJSON *hunts = json_get(trend, "hunts"), *o,
	      *entry = make_entry(hunt, folder);

	cJSON_ArrayForEach (o, hunts)
		if (strcmp(json_text(o, "folder"), folder) == 0 &&
		    json_count(o, "seed") == json_count(hunt, "seed")) {
			json_replace(hunts, o, entry);
			return;
		}
	json_append(hunts, entry);
	while (cJSON_GetArraySize(hunts) > TREND_MAX)
		cJSON_DeleteItemFromArray(hunts, 0);
}

/* Files */

cJSON *
trend_load(const char *dir)
{
	char path[CONFIG_PATH_MAX + 32];
	cJSON *tree;

	text_format(path, sizeof(path), "%s/" TREND_JSON, dir);
	if (!file_exists(path)) {
		tree = cJSON_CreateObject();
		json_put_number(tree, "schema", 1);
		(void)json_put_array(tree, "hunts"); /* is in the tree */
		return tree;
	}
	tree = json_load(path, REPORT_FILES_MAX);
	if (json_make_printable(tree) && json_count(tree, "schema") == 1 &&
	    cJSON_IsArray(json_get(tree, "hunts")))
		return tree;
	cJSON_Delete(tree);
	usage_say("--history \"%s\": its " TREND_JSON
		  " is not a history of hunts",
	    dir);
	return NULL;
}

static int
add_held(const char *dir, const cJSON *hunt, const char *folder)
{
	char whole[PATH_MAX];
	cJSON *tree = trend_load(dir);
	int err;

	if (tree == NULL)
		return -EINVAL;
	json_set_text(tree, "natsburn", NATSBURN_VERSION);
	trend_enter(
	    tree, hunt, realpath(folder, whole) != NULL ? whole : folder);
	err = forms_save(tree, dir, TREND_JSON, json_print);
	if (err == 0)
		err = forms_save(tree, dir, "index.html", trend_page);
	cJSON_Delete(tree);
	return err;
}

/* Others hold it for the time of two small files. 0 or -errno. */
static int
hold(int fd)
{
	const struct timespec pause = {.tv_nsec = HOLD_PAUSE_NS};
	int i;

	for (i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == HOLD_TRIES)
			return -errno;
		(void)nanosleep(&pause, NULL); /* sooner is no harm */
	}
	return 0;
}

int
trend_add(const char *dir, const cJSON *hunt, const char *folder)
{
	int err = file_make_dir(dir), fd;

	if (err < 0)
		return err;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = hold(fd);
	if (err == 0)
		err = add_held(dir, hunt, folder);
	close(fd);
	return err;
}

/* index.html */

static void
write_counts(const cJSON *versions, FILE *out)
{
	const struct forms_result *r;
	const cJSON *v;

	cJSON_ArrayForEach (v, versions) {
		if (v != versions->child)
			fputs("<br>", out);
		markup_text(out, json_text(v, "version"));
		fputc(':', out);
		for (r = forms_results; r->word != NULL; r++)
			if (json_count(v, r->word) > 0)
				fprintf(out, " %.0f %s",
				    json_number(v, r->word), r->word);
	}
}

static void
write_hunts(const cJSON *hunts, FILE *out)
{
	const cJSON *h;
	int n = 0;

	fputs("<section><h2>Hunts<small>the newest last</small></h2>\n"
	      "<div class=scroll tabindex=0><table><thead><tr><th class=n></th>"
	      "<th>began</th><th class=n>time</th><th>runs</th>"
	      "<th class=n>distinct failures</th><th>folder</th></tr></thead>"
	      "<tbody>\n",
	    out);
	cJSON_ArrayForEach (h, hunts) {
		fprintf(out, "<tr><td class=n>%d</td><td>", ++n);
		markup_text(out, json_text(h, "started"));
		fprintf(out, "</td><td class=n>%.0f s</td><td>",
		    json_number(h, "elapsed_s"));
		write_counts(json_get(h, "versions"), out);
		fprintf(out, "</td><td class=n>%d</td><td>",
		    cJSON_GetArraySize(json_get(h, "failures")));
		markup_text(out, json_text(h, "folder"));
		fputs("</td></tr>\n", out);
	}
	fputs("</tbody></table></div></section>\n", out);
}

static const cJSON *
failure_of(const cJSON *hunt, const char *signature)
{
	const cJSON *f;

	cJSON_ArrayForEach (f, json_get(hunt, "failures"))
		if (strcmp(json_text(f, "signature"), signature) == 0)
			return f;
	return NULL;
}

/* "after 31 s; 2.15.1: 2 of 9 runs" */
static void
write_meeting(const cJSON *failure, FILE *out)
{
	const cJSON *v;

	fprintf(out, "<td>after %.0f s", json_number(failure, "began_s"));
	cJSON_ArrayForEach (v, json_get(failure, "versions")) {
		if (json_count(v, "met") == 0)
			continue;
		fputs("<br>", out);
		markup_text(out, json_text(v, "version"));
		fprintf(out, ": %.0f of %.0f runs", json_number(v, "met"),
		    json_number(v, "runs"));
	}
	fputs("</td>", out);
}

static void
write_failure(const cJSON *hunts, const char *signature, int from, FILE *out)
{
	const cJSON *h, *f;
	const char *known = "";
	int i = 0;

	cJSON_ArrayForEach (h, hunts)
		if ((f = failure_of(h, signature)) != NULL)
			known = json_text(f, "known");
	fputs("<tr><td>", out);
	markup_text(out, signature);
	if (known[0] != '\0') {
		fputs("<br><small>known: ", out);
		markup_text(out, known);
		fputs("</small>", out);
	}
	fputs("</td>", out);
	cJSON_ArrayForEach (h, hunts) {
		if (i++ < from)
			continue;
		f = failure_of(h, signature);
		if (f == NULL)
			fputs("<td>·</td>", out);
		else
			write_meeting(f, out);
	}
	fputs("</tr>\n", out);
}

/* All failures, each in the row of the first hunt that met it. */
static void
write_failures(const cJSON *hunts, FILE *out)
{
	int n = cJSON_GetArraySize(hunts), i;
	int from = n > SHOWN_MAX ? n - SHOWN_MAX : 0;
	const cJSON *h, *f;
	cJSON *seen = cJSON_CreateArray();

	fputs("<section><h2>Failures<small>when each was first met in a hunt, "
	      "and by how many of the runs of its test; a dot: it was not met"
	      "</small></h2>\n<div class=scroll tabindex=0><table><thead><tr>"
	      "<th>failure</th>",
	    out);
	for (i = from; i < n; i++)
		fprintf(out, "<th>hunt %d</th>", i + 1);
	fputs("</tr></thead><tbody>\n", out);
	cJSON_ArrayForEach (h, hunts)
		cJSON_ArrayForEach (f, json_get(h, "failures")) {
			const char *signature = json_text(f, "signature");

			i = cJSON_GetArraySize(seen);
			(void)entry_of(seen, "signature", signature);
			if (cJSON_GetArraySize(seen) > i)
				write_failure(hunts, signature, from, out);
		}
	fputs("</tbody></table></div></section>\n", out);
	cJSON_Delete(seen);
}

void
trend_page(const cJSON *trend, FILE *out)
{
	const cJSON *hunts = json_get(trend, "hunts");

	forms_page_head(trend, "hunts over time", out);
	fprintf(out,
	    "<header class=skipped><div>\n<h1 class=verdict>%d hunts</h1>\n"
	    "<p class=what>Newest: ",
	    cJSON_GetArraySize(hunts));
	markup_text(out,
	    json_text(cJSON_GetArrayItem(hunts, cJSON_GetArraySize(hunts) - 1),
		"started"));
	forms_page_main(out);
	write_hunts(hunts, out);
	write_failures(hunts, out);
	fprintf(out,
	    "</main>\n<footer>natsburn %s. The same as data: " TREND_JSON
	    ".</footer>\n</body>\n</html>\n",
	    json_text(trend, "natsburn"));
}
