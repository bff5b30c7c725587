/* SPDX-License-Identifier: ISC */
/*
 * natsburn check: judge a recorded run again. Reads the journal and
 * nothing else, so it gives the verdict of the live run, or of what is left
 * of one that was killed. natsburn report is the same and writes the
 * reports anew; natsburn dump writes the bundle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/live/phase_name.h"
#include "orchestrator/report/bundle.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/report_files.h"
#include "proto/json.h"

enum what {
	WHAT_CHECK,
	WHAT_REPORT,
	WHAT_DUMP
};

/* The phases that a run still had to go through when it was killed. */
static void
say_missing(const struct history *h)
{
	const struct stats *s = &h->stats;
	double t = ((double)s->last_ns - (double)s->load_ns) / 1e9;
	enum run_phase phase;
	bool is_behind = false;

	if (s->load_ns != 0)
		fprintf(stderr,
		    "natsburn: the journal ends in phase %s, %.1f s after the "
		    "load began; missing:",
		    s->phase, t);
	else
		fprintf(stderr,
		    "natsburn: the journal ends in phase %s; missing:",
		    s->phase[0] != '\0' ? s->phase : "up");
	for (phase = PHASE_UP; phase < PHASES; phase++) {
		if (is_behind)
			fprintf(stderr, " %s", phase_name(phase));
		is_behind |= strcmp(phase_name(phase), s->phase) == 0;
	}
	fputc('\n', stderr);
}

/* What the run itself said, where its journal can't say it any more. */
static void
say_recorded(const struct history *h, const char *dir)
{
	const struct dropped *d = &h->dropped;
	double from = ((double)d->first_ns - (double)h->stats.load_ns) / 1e9;
	double to = ((double)d->last_ns - (double)h->stats.load_ns) / 1e9;
	cJSON *tree = report_files_read(dir);
	const cJSON *finished = json_get(tree, "finished");
	const char *verdict = cJSON_GetStringValue(json_get(tree, "verdict"));

	fprintf(stderr,
	    "natsburn: the journal is not whole: --journal-keep dropped %llu "
	    "of %llu events, in %llu places from %.1f s to %.1f s of the "
	    "load\n",
	    (unsigned long long)d->events, (unsigned long long)h->stats.events,
	    (unsigned long long)d->places, from, to);
	fputs("natsburn: judged again is all before that, and behind it what "
	      "convicts without it\n",
	    stderr);
	if (verdict == NULL)
		fputs("natsburn: there is no report.json that holds the "
		      "verdict of the run itself\n",
		    stderr);
	else
		fprintf(stderr,
		    "natsburn: recorded in report.json by the run itself%s: "
		    "%s (exit code %d)\n",
		    cJSON_IsFalse(finished) ? ", before it was over" : "",
		    verdict,
		    (int)cJSON_GetNumberValue(json_get(tree, "exit_code")));
	cJSON_Delete(tree);
}

static void
say_rest(const struct history *h, const char *dir)
{
	if (h->torn)
		fputs("natsburn: the journal ends where its writer was "
		      "killed; all before it was judged\n",
		    stderr);
	if (h->damaged)
		fprintf(stderr, "natsburn: %s\n", h->damage);
	if (!judge_saw_end(h->judge))
		say_missing(h);
	if (h->dropped.events > 0)
		say_recorded(h, dir);
}

/*
 * A journal that is not whole gives a poorer report than the run itself did.
 * One that is damaged gives none that is better than that of a run's end.
 */
static bool
keeps_report(const struct history *h, const char *dir)
{
	bool may = h->dropped.events > 0 || h->damaged;
	cJSON *tree = may ? report_files_read(dir) : NULL;
	bool keeps = tree != NULL &&
		     (h->dropped.events > 0 || json_is_true(tree, "finished"));

	cJSON_Delete(tree);
	if (keeps)
		fprintf(stderr,
		    "natsburn: the reports in \"%s\" are those of the run "
		    "itself and are kept\n",
		    dir);
	return keeps;
}

/* Write the reports. 0, or -errno after it was said. */
static int
write_reports(const struct history *h, const cJSON *tree, const char *dir)
{
	int err;

	if (keeps_report(h, dir))
		return 0;
	err = tree != NULL ? report_files_write(h, tree, dir) : -ENOMEM;
	if (err < 0)
		fprintf(stderr,
		    "natsburn: cannot write the report in \"%s\": %s\n", dir,
		    strerror(-err));
	return err;
}

/* natsburn dump: the exit code says whether there is a bundle. */
static int
dump(const struct history *h, const char *dir, const struct run_config *c)
{
	cJSON *tree = report_tree(h, dir);
	char why[256] = "out of memory";
	int err = tree != NULL ? bundle_write(h, tree, dir, c, why, sizeof(why))
			       : -ENOMEM;

	cJSON_Delete(tree);
	if (err < 0) {
		fprintf(stderr, "natsburn: cannot write \"%s/%s\": %s\n", dir,
		    BUNDLE_NAME, why);
		return EXIT_HARNESS;
	}
	if (!c->quiet)
		printf("%s/%s\n", dir, BUNDLE_NAME);
	return EXIT_PASS;
}

static int
show(const struct history *h, const char *dir, const struct run_config *c,
    bool writes)
{
	bool wants_tree = writes || c->json, has_failed;
	cJSON *tree = wants_tree ? report_tree(h, dir) : NULL;

	has_failed = writes && write_reports(h, tree, dir) < 0;
	if (c->json)
		json_print(tree, stdout);
	else if (!c->quiet)
		report_say(h, dir, stdout);
	cJSON_Delete(tree);
	if (fflush(stdout) != 0 || ferror(stdout) ||
	    (c->json && !json_is_whole())) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		has_failed = true;
	}
	/* A violation stays one. */
	if (has_failed && h->result.exit_code != EXIT_VIOLATION)
		return EXIT_HARNESS;
	return (int)h->result.exit_code;
}

static int
judge_dir(const char *dir, const struct run_config *c, enum what what)
{
	struct history h;
	int err, code;

	err = history_init(&h, NULL, NULL);
	if (err == 0)
		err = history_replay(&h, dir);
	if (err < 0) {
		history_fini(&h);
		return usage_error(
		    "\"%s\" holds no journal that can be read: %s", dir,
		    strerror(-err));
	}
	say_rest(&h, dir);
	code = what == WHAT_DUMP ? dump(&h, dir, c)
				 : show(&h, dir, c, what == WHAT_REPORT);
	history_fini(&h);
	return code;
}

static int
judge_command(const char *name, int argc, char **argv, enum what what)
{
	struct run_config *c = calloc(1, sizeof(*c));
	const char *dir = NULL;
	int n, code;

	if (c == NULL)
		return usage_error("out of memory");
	config_init(c);
	n = cli_options(c, argc, argv, &dir, 1);
	if (n < 0)
		code = EXIT_USAGE;
	else if (n == 0)
		code = usage_error("%s: which run folder?", name);
	else
		code = judge_dir(dir, c, what);
	free(c);
	return code;
}

int
cmd_check(int argc, char **argv)
{
	return judge_command("check", argc, argv, WHAT_CHECK);
}

int
cmd_report(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (strcmp(argv[i], "--merge") == 0)
			return cmd_merge(argc, argv);
	return judge_command("report", argc, argv, WHAT_REPORT);
}

int
cmd_dump(int argc, char **argv)
{
	return judge_command("dump", argc, argv, WHAT_DUMP);
}
