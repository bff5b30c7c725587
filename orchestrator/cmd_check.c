/* SPDX-License-Identifier: ISC */
/*
 * natsburn check: judge a recorded run again. Reads the journal and
 * nothing else, so it gives the verdict of the live run, or of what is left
 * of one that was killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/cli.h"
#include "orchestrator/report.h"

static void
say_rest(const struct history *h)
{
	if (h->torn)
		fputs("natsburn: the journal ends inside an event: its writer "
		      "was killed; all before it was judged\n",
		    stderr);
	if (h->damaged)
		fprintf(stderr,
		    "natsburn: the journal is damaged after event %llu\n",
		    (unsigned long long)h->stats.events);
}

static int
judge_dir(const char *dir, const struct run_config *c)
{
	struct history h;
	char *json;
	int err, code;

	err = history_init(&h, NULL, NULL);
	if (err == 0)
		err = history_replay(&h, dir);
	if (err < 0) {
		history_fini(&h);
		return cli_usage("\"%s\" holds no journal that can be read: %s",
		    dir, strerror(-err));
	}
	say_rest(&h);
	if (c->json) {
		json = report_json(&h, dir);
		if (json != NULL)
			puts(json);
		free(json);
	} else if (!c->quiet)
		report_say(&h, dir, stdout);
	code = (int)h.result.exit_code;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		code = EXIT_HARNESS;
	}
	history_fini(&h);
	return code;
}

int
cmd_check(int argc, char **argv)
{
	struct run_config *c = calloc(1, sizeof(*c));
	const char *dir = NULL;
	int n, code;

	if (c == NULL)
		return cli_usage("out of memory");
	config_init(c);
	n = cli_options(c, argc, argv, &dir, 1);
	if (n < 0)
		code = EXIT_USAGE;
	else if (n == 0)
		code = cli_usage("check: which run folder?");
	else
		code = judge_dir(dir, c);
	free(c);
	return code;
}
