/* SPDX-License-Identifier: ISC */
/* The state of a hunt; see hunt.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/hunt.h"
#include "orchestrator/report/command_line.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "worker/worker.h"

#define FOLDER	 "run-%05d"
#define SEED_MAX (UINT64_C(1) << 31) /* a JSON number holds it exactly */

static const char *const keeps[] = {"all", "fail", NULL};

const struct option_spec hunt_options[] = {
    {"tests", OPTION_STRING, OPTION_AT(struct hunt_options, tests), "", 0, 0,
	NULL, "TEST[,TEST]", "hunt: tests to draw from; all if none is named",
	false},
    {"jobs", OPTION_U64, OPTION_AT(struct hunt_options, jobs), "1", 1,
	HUNT_JOBS_MAX, NULL, "N", "hunt: runs beside each other", false},
    {"run-time", OPTION_TIMES, OPTION_AT(struct hunt_options, run_time),
	"30s..180s", CLOCK_S, 3600 * CLOCK_S, NULL, "TIME[..TIME]",
	"hunt: load of a run; --duration is the time of all", false},
    {"keep", OPTION_CHOICE, OPTION_AT(struct hunt_options, keep), "fail", 0, 0,
	keeps, "WHAT", "hunt: run folders to keep: all, or fail", false},
    {"known", OPTION_STRING, OPTION_AT(struct hunt_options, known), "", 0, 0,
	NULL, "FILE", "hunt: failures that are known, each with a link", false},
    {"history", OPTION_STRING, OPTION_AT(struct hunt_options, history), "", 0,
	0, NULL, "DIR", "hunt: add this hunt to the history in that folder",
	false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

/* Is it for this cluster, and does it load it? */
static bool
suits(const struct hunt *h, const struct workload_ops *w)
{
	bool has_servers = cluster_find(h->base.cluster)->owner != OWNER_NONE;

	return w->needs_no_cluster != has_servers &&
	       strcmp(w->name, "none") != 0;
}

static int
take_tests(struct hunt *h)
{
	const struct workload_ops *const *w;
	const char *list = h->own.tests;
	char test[CONFIG_NAME_MAX + 1];
	int bad = 0;

	while (bad == 0 && text_next_item(&list, test, sizeof(test))) {
		if (workload_find(test) == NULL)
			return usage_error("--tests \"%s\": is no test; "
					   "\"natsburn list\" names them",
			    test);
		bad = axis_add(&h->tests, "tests", test, test);
	}
	for (w = workload_table; *w != NULL && h->own.tests[0] == '\0'; w++)
		if (bad == 0 && suits(h, *w))
			bad = axis_add(
			    &h->tests, "tests", (*w)->name, (*w)->name);
	return bad;
}

static int
check_mayhem(const struct hunt *h)
{
	const char *list = h->base.mayhem;
	char mode[64];

	while (text_next_item(&list, mode, sizeof(mode)))
		if (mayhem_find(mode) == NULL && strcmp(mode, "all") != 0)
			return usage_error("--mayhem \"%s\": is no mode; "
					   "\"natsburn list\" names them",
			    mode);
	return 0;
}

static int
read_tree(struct hunt *h)
{
	char path[CONFIG_PATH_MAX + 32];

	text_format(path, sizeof(path), "%s/" HUNT_JSON, h->dir);
	if (!file_exists(path)) {
		h->tree = cJSON_CreateObject();
		json_put_number(h->tree, "schema", 1);
		json_put_text(h->tree, "natsburn", NATSBURN_VERSION);
		(void)json_put_array(h->tree, "failures");
		(void)json_put_array(h->tree, "runs");
		return 0;
	}
	h->tree = json_load(path, REPORT_FILES_MAX);
	if (json_make_printable(h->tree) &&
	    json_count(h->tree, "schema") == 1 &&
	    cJSON_IsArray(json_get(h->tree, "runs")) &&
	    cJSON_IsArray(json_get(h->tree, "failures")))
		return 0;
	return usage_error(
	    "--out \"%s\": its " HUNT_JSON " is not that of a hunt", h->dir);
}

int
hunt_init(struct hunt *h)
{
	char started[CLOCK_UTC_MAX];
	int bad = take_tests(h);

	if (bad == 0)
		bad = check_mayhem(h);
	if (bad == 0)
		bad = axis_servers(&h->versions, &h->base);
	if (bad == 0)
		bad = hunt_read_known(h);
	if (bad == 0)
		bad = read_tree(h);
	if (bad != 0)
		return bad;
	clock_utc(clock_wall_ns(), started);
	json_set_text(h->tree, "started", started);
	h->seed =
	    h->base.seed != 0 ? h->base.seed : json_count(h->tree, "seed");
	if (h->seed == 0)
		h->seed = 1 + rng_fresh_seed() % SEED_MAX;
	json_set_number(h->tree, "seed", (double)h->seed);
	return 0;
}

void
hunt_fini(struct hunt *h)
{
	cJSON_Delete(h->tree);
	cJSON_Delete(h->known);
}

cJSON *
hunt_add_run(struct hunt *h, double now_s)
{
	cJSON *runs = json_get(h->tree, "runs"), *row = cJSON_CreateObject();
	int n = 1 + cJSON_GetArraySize(runs);
	char folder[HUNT_NAME_MAX];

	text_format(folder, sizeof(folder), FOLDER, n);
	json_put_number(row, "run", n);
	json_put_text(row, "folder", folder);
	json_put_number(row, "began_s", now_s);
	json_put_text(row, "result", "not run");
	json_put_text(row, "reason", "");
	json_append(runs, row);
	return row;
}

void
hunt_path(const struct hunt *h, const cJSON *row, const char *file, char *out,
    size_t size)
{
	/* Not its field: hunt.json may have been written by anybody. */
	text_format(out, size, "%s/" FOLDER "%s%s", h->dir,
	    (int)json_count(row, "run"), file != NULL ? "/" : "",
	    file != NULL ? file : "");
}

/* A failure that nobody has named with --known. */
static bool
has_news(const cJSON *tree)
{
	const cJSON *f;

	cJSON_ArrayForEach (f, json_get(tree, "failures"))
		if (json_text(f, "known")[0] == '\0')
			return true;
	return false;
}

int
hunt_exit_code(const struct hunt *h)
{
	bool has_verdict = false;
	const cJSON *row;
	int code;

	if (has_news(h->tree))
		return EXIT_VIOLATION;
	cJSON_ArrayForEach (row, json_get(h->tree, "runs")) {
		code = forms_word_code(json_text(row, "result"));
		if (code == EXIT_HARNESS)
			return code;
		has_verdict |= code == EXIT_PASS || code == EXIT_VIOLATION;
	}
	return has_verdict ? EXIT_PASS : EXIT_INCONCLUSIVE;
}

void
hunt_command(const struct hunt *h, char *out)
{
	const struct option_spec *row;
	struct run_config c = h->base;
	char value[OPTION_VALUE_MAX], flag[64];

	/* What was left open is left out. */
	c.replicas = 3;
	c.consumers = 10;
	if (h->base.replicas != 0)
		c.replicas = h->base.replicas;
	if (h->base.consumers != 0)
		c.consumers = h->base.consumers;
	text_set(out, COMMAND_LINE_MAX, "natsburn hunt");
	for (row = hunt_options; row->name != NULL; row++) {
		if (option_is_default(row, &h->own))
			continue;
		option_get(row, &h->own, value, sizeof(value));
		text_format(flag, sizeof(flag), "--%s", row->name);
		command_line_word(out, flag);
		command_line_word(out, value);
	}
	command_line_options(out, &c);
	command_line_word(out, "--out");
	command_line_word(out, h->dir);
}
