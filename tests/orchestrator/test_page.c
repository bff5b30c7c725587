/* SPDX-License-Identifier: ISC */
/*
 * The report of a very long run: the page stays small and needs no network,
 * and what others wrote can't become markup.
 */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/report/markup.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/text.h"
#include "tests/bench/central.h"

#define PAGE_MAX ((size_t)2 << 20)
#define EVENTS	 250000
#define ROUND_NS (2 * CLOCK_S) /* about a day, 10000 faults */

static char *
marked_up(const char *text)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	assert_non_null(f);
	markup_text(f, text);
	assert_int_equal(fclose(f), 0);
	return out;
}

static void
test_markup(void **state)
{
	static const char *const rows[][2] = {
	    {"plain \xC3\xA9 \xF0\x9F\x98\x80",
		"plain \xC3\xA9 \xF0\x9F\x98\x80"},
	    {"<script>&\"'", "&lt;script&gt;&amp;&quot;&#39;"},
	    {"a\x01z\x7F", "a\xEF\xBF\xBDz\xEF\xBF\xBD"},
	    {"tab\tline\n", "tab\tline\n"},
	    {"cut \xC3", "cut \xEF\xBF\xBD"},	      /* at the end */
	    {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* half */
	    {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong */
	    {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
	    {"\xEF\xBF\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
	    {"\xFF", "\xEF\xBF\xBD"}};
	size_t i;
	char *got;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = marked_up(rows[i][0]);
		assert_string_equal(got, rows[i][1]);
		free(got);
	}
}

struct forms {
	size_t json, junit, page, hgrm;
	char *html;
};

static int
take(void *arg, const char *name, const char *text, size_t len)
{
	struct forms *f = arg;

	assert_int_equal(strlen(text), len);
	if (strcmp(name, "report.json") == 0)
		f->json = len;
	else if (strcmp(name, "junit.xml") == 0)
		f->junit = len;
	else if (strcmp(name, "publish.hgrm") == 0) {
		f->hgrm = len;
		assert_non_null(strstr(text, "\n#[Mean    = "));
	} else if (strcmp(name, "report.html") == 0) {
		f->page = len;
		f->html = strdup(text);
	}
	return 0;
}

static void
report(const char *dir, struct forms *f, struct history *h)
{
	cJSON *tree;

	memset(f, 0, sizeof(*f));
	assert_int_equal(history_init(h, NULL, NULL), 0);
	assert_int_equal(history_replay(h, dir), 0);
	tree = report_tree(h, dir);
	assert_non_null(tree);
	assert_int_equal(report_files_each(h, tree, take, f), 0);
	cJSON_Delete(tree);
}

static void
test_long_run(void **state)
{
	char dir[SUPPORT_PATH_MAX];
	uint64_t rounds = 0;
	struct forms first, again;
	struct history h;
	size_t i;

	(void)state;
	support_dir_make(dir);
	assert_int_equal(generate_journal(dir, EVENTS, ROUND_NS), 0);
	report(dir, &first, &h);
	assert_true(h.stats.nfaults + h.stats.faults_omitted > 9000);
	for (i = 0; i < h.stats.series->n; i++)
		rounds += h.stats.series->buckets[i].rounds;
	assert_true(rounds == h.stats.rounds);
	print_message("%llu rounds, %zu faults, %zu buckets: report.json %zu, "
		      "junit.xml %zu, report.html %zu bytes\n",
	    (unsigned long long)rounds,
	    h.stats.nfaults + (size_t)h.stats.faults_omitted, h.stats.series->n,
	    first.json, first.junit, first.page);
	assert_true(first.hgrm > 0);
	assert_true(first.page > 10000 && first.page < PAGE_MAX);
	assert_null(strstr(first.html, "http:"));
	assert_null(strstr(first.html, "https:"));
	assert_null(strstr(first.html, "src="));
	assert_null(strstr(first.html, "url("));
	history_fini(&h);
	/* The same history, the same page. */
	report(dir, &again, &h);
	assert_string_equal(first.html, again.html);
	history_fini(&h);
	free(first.html);
	free(again.html);
	support_dir_remove(dir);
}

/* What servers hold and what their logs say are shown, and no markup. */
static void
test_servers(void **state)
{
	struct event level = {.type = MESSAGE_SERVER_LEVEL};
	struct msg_server_says says = {.node = 1,
	    .level = LEVEL_ERROR,
	    .count = 3,
	    .first_ns = 5,
	    .says = "<script> is slow: #"};
	char dir[SUPPORT_PATH_MAX];
	struct forms f;
	struct history h;
	cJSON *tree;

	(void)state;
	support_dir_make(dir);
	assert_int_equal(generate_journal(dir, 2000, ROUND_NS), 0);
	report(dir, &f, &h);
	assert_null(strstr(f.html, "class=\"lv\""));
	assert_null(strstr(f.html, "what they held"));
	free(f.html);
	memset(&f, 0, sizeof(f));
	text_set(
	    h.stats.servers[0].name, sizeof(h.stats.servers[0].name), "<b>n1");
	level.u.server_level.node = 1;
	level.u.server_level.boot = 1;
	level.u.server_level.memory = 300 << 20;
	levels_event(&h.stats.levels, &level);
	series_level(h.stats.series, h.stats.last_ns, &level.u.server_level);
	logs_event(&h.stats.logs, &says);
	tree = report_tree(&h, dir);
	assert_non_null(tree);
	assert_int_equal(report_files_each(&h, tree, take, &f), 0);
	cJSON_Delete(tree);
	assert_non_null(strstr(f.html, "class=\"lv\""));
	assert_non_null(strstr(f.html, ">300 MiB<"));
	assert_non_null(strstr(f.html, "what they held"));
	assert_non_null(strstr(f.html, "&lt;script&gt; is slow: #"));
	assert_null(strstr(f.html, "<script> is slow"));
	assert_null(strstr(f.html, "<b>n1"));
	history_fini(&h);
	free(f.html);
	support_dir_remove(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_markup),
	    cmocka_unit_test(test_long_run),
	    cmocka_unit_test(test_servers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
