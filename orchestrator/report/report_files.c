/* SPDX-License-Identifier: ISC */
/* The report as files; see report_files.h. */
#include <errno.h>
#include <stdlib.h>

#include "orchestrator/report/hgrm.h"
#include "orchestrator/report/junit.h"
#include "orchestrator/report/markdown.h"
#include "orchestrator/report/page.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/stream.h"
#include "proto/base/text.h"
#include "proto/json.h"

cJSON *
report_files_read(const char *run_dir)
{
	char path[JOURNAL_PATH_MAX + 64] = "";

	text_add(path, sizeof(path), "%s/report.json", run_dir);
	return json_load(path, REPORT_FILES_MAX);
}

int
report_files_save(
    const char *text, size_t len, const char *run_dir, const char *name)
{
	char path[JOURNAL_PATH_MAX + 64] = "";

	text_add(path, sizeof(path), "%s/%s", run_dir, name);
	return file_replace(path, text, len);
}

/* Render one of the forms of the report. NULL without memory. */
static char *
render(const struct history *h, const cJSON *tree, size_t *len,
    void (*form)(const struct history *, const cJSON *, FILE *))
{
	struct stream out;
	char *text;

	if (stream_open(&out) == NULL)
		return NULL;
	form(h, tree, out.file);
	return stream_close(&out, &text, len) == 0 ? text : NULL;
}

static void
form_json(const struct history *h, const cJSON *tree, FILE *out)
{
	(void)h; /* all of it is in the tree */
	json_print(tree, out);
}

static void
form_markdown(const struct history *h, const cJSON *tree, FILE *out)
{
	(void)h;
	markdown_run(tree, out);
}

static void
form_publish(const struct history *h, const cJSON *tree, FILE *out)
{
	(void)tree; /* it has some percentiles only; so below */
	hgrm_write(&h->stats.publish, out);
}

static void
form_consume(const struct history *h, const cJSON *tree, FILE *out)
{
	(void)tree;
	hgrm_write(&h->stats.consume, out);
}

static void
form_operation(const struct history *h, const cJSON *tree, FILE *out)
{
	(void)tree;
	hgrm_write(&h->stats.other, out);
}

int
report_files_each(const struct history *h, const cJSON *tree,
    int (*put)(void *arg, const char *name, const char *text, size_t len),
    void *arg)
{
	static const struct {
		const char *name;
		void (*form)(const struct history *, const cJSON *, FILE *);
	} forms[] = {{"report.json", form_json}, {"junit.xml", junit_write},
	    {"report.html", page_write}, {"summary.md", form_markdown},
	    {"publish.hgrm", form_publish}, {"consume.hgrm", form_consume},
	    {"operation.hgrm", form_operation}};
	size_t i, len = 0;
	int err = 0, first = 0;
	char *text;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		text = render(h, tree, &len, forms[i].form);
		if (text != NULL && len == 0) {
			free(text); /* nothing was measured */
			continue;
		}
		err = text == NULL || !json_is_whole()
			  ? -ENOMEM
			  : put(arg, forms[i].name, text, len);
		free(text);
		if (first == 0)
			first = err;
	}
	return first;
}

static int
save_file(void *arg, const char *name, const char *text, size_t len)
{
	return report_files_save(text, len, arg, name);
}

int
report_files_write(
    const struct history *h, const cJSON *tree, const char *run_dir)
{
	return report_files_each(
	    h, tree, save_file, (void *)(uintptr_t)run_dir);
}
