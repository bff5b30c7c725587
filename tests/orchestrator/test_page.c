/* SPDX-License-Identifier: ISC */
/*
 * The report of a very long run: the page stays small and needs no network,
 * and what others wrote can't become markup.
 */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "orchestrator/report/markup.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"
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

/* A line of a server's log, so many seconds after the load began. */
static void
write_log(FILE *f, const struct history *h, double t, const char *text)
{
	uint64_t ns = (uint64_t)h->stats.wall_ns +
		      (h->stats.load_ns - h->stats.first_ns) +
		      (uint64_t)(int64_t)(t * 1e9);
	time_t s = (time_t)(ns / CLOCK_S);
	char at[64];
	struct tm tm;

	assert_non_null(localtime_r(&s, &tm));
	assert_true(strftime(at, sizeof(at), "%Y/%m/%d %H:%M:%S", &tm) > 0);
	fprintf(f, "[7] %s.%06u [INF] %s\n", at,
	    (unsigned)(ns % CLOCK_S / 1000), text);
}

static FILE *
open_file(const char *dir, const char *name)
{
	char path[SUPPORT_PATH_MAX + 64];
	FILE *f;

	text_format(path, sizeof(path), "%s/servers", dir);
	assert_int_equal(file_make_dir(path), 0);
	text_add(path, sizeof(path), "/n1");
	assert_int_equal(file_make_dir(path), 0);
	text_add(path, sizeof(path), "/%s", name);
	f = fopen(path, "we");
	assert_non_null(f);
	return f;
}

/*
 * What a server wrote around a fault is in the page: bounded, without secrets
 * and markup, and what is left out is said.
 */
static void
test_logs(void **state)
{
	char dir[SUPPORT_PATH_MAX], longer[301];
	struct forms f, more;
	struct history h;
	const cJSON *fault;
	cJSON *tree;
	double t;
	FILE *file;
	int i;

	(void)state;
	support_dir_make(dir);
	assert_int_equal(generate_journal(dir, EVENTS, ROUND_NS), 0);
	report(dir, &f, &h);
	assert_null(strstr(f.html, "id=logs"));
	free(f.html);
	tree = report_tree(&h, dir);
	fault = cJSON_GetArrayItem(json_get(tree, "faults"), 1);
	t = json_number(fault, "t");
	file = open_file(dir, "server.conf");
	fputs("password: verysecret77\n", file);
	assert_int_equal(fclose(file), 0);
	file = open_file(dir, "server.log");
	write_log(file, &h, t - 2.5, "longbefore");
	for (i = 0; i < 45; i++)
		write_log(file, &h, t - 1.9, "quite early");
	write_log(file, &h, t - 0.1, "<script>verysecret77");
	write_log(file, &h, t + 0.1, "         https://docs.nats.io");
	fputs("half a line\n[7] 2026/13/40 55:00 [INF] x\n[", file);
	assert_int_equal(fclose(file), 0);
	history_fini(&h);
	report(dir, &f, &h);
	assert_non_null(strstr(f.html, "<a href=#log-fault-2>"));
	assert_non_null(strstr(f.html, "<details id=log-fault-2>"));
	assert_non_null(strstr(f.html, "; 6 lines further from it"));
	assert_non_null(strstr(f.html, " n1 [INF] &lt;script&gt;"));
	assert_null(strstr(f.html, "verysecret77"));
	assert_null(strstr(f.html, "longbefore"));
	assert_null(strstr(f.html, "https:"));
	assert_null(strstr(f.html, "further moments"));
	/* Of all that would be too much. */
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	file = open_file(dir, "server.log");
	for (i = 0; i < 8000; i++)
		write_log(file, &h, (double)i / 10, longer);
	assert_int_equal(fclose(file), 0);
	history_fini(&h);
	report(dir, &more, &h);
	assert_non_null(strstr(more.html, "further moments are left out"));
	assert_true(more.page > f.page + 200000);
	assert_true(more.page < f.page + 450000);
	history_fini(&h);
	cJSON_Delete(tree);
	free(f.html);
	free(more.html);
	support_dir_remove(dir);
}

static char *
lanes(const struct history *h, const char *anomaly, double complete)
{
	cJSON *a = cJSON_Parse(anomaly), *tree = cJSON_CreateObject();
	char *out = NULL;
	size_t len;
	struct page p = {h, tree, open_memstream(&out, &len), NULL};

	assert_non_null(a);
	assert_non_null(p.out);
	page_lanes(&p, a, complete);
	assert_int_equal(fclose(p.out), 0);
	cJSON_Delete(a);
	cJSON_Delete(tree);
	return out;
}

static unsigned
count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text++;
		n++;
	}
	return n;
}

/* A lane a process, its operations connected, and nothing of later. */
static void
test_lanes(void **state)
{
	static const char two[] =
	    "{\"events\":["
	    "{\"t\":1,\"source\":3,\"event\":\"A<\",\"id\":\"3:1\"},"
	    "{\"t\":1.25,\"source\":4,\"event\":\"A\",\"id\":\"4:1\"},"
	    "{\"t\":1.5,\"source\":3,\"event\":\"B\",\"id\":\"3:1\"},"
	    "{\"t\":2,\"source\":4,\"event\":\"B\",\"id\":\"4:2\"},"
	    "{\"t\":9,\"source\":5,\"event\":\"C\"}]}";
	struct history h;
	char *got;

	(void)state;
	assert_int_equal(history_init(&h, NULL, NULL), 0);
	got = lanes(&h, two, 2.5);
	assert_int_equal(count(got, "<text x=\"0\""), 2);
	assert_int_equal(count(got, "<circle "), 4);
	assert_int_equal(count(got, "class=\"span\""), 1);
	assert_non_null(strstr(got, ">1.000000 s A&lt;</title>"));
	assert_null(strstr(got, " C</title>"));
	free(got);
	/* One process alone, or nothing, is no picture. */
	got = lanes(&h, two, 1);
	assert_string_equal(got, "");
	free(got);
	got = lanes(&h, "{}", 9);
	assert_string_equal(got, "");
	free(got);
	history_fini(&h);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_markup),
	    cmocka_unit_test(test_long_run),
	    cmocka_unit_test(test_servers),
	    cmocka_unit_test(test_logs),
	    cmocka_unit_test(test_lanes),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	frame_cleanup();
	return failed;
}
