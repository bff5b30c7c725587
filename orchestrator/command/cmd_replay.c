/* SPDX-License-Identifier: ISC */
/*
 * natsburn replay: a run again, with its options, its seed, and its faults at
 * the times at which they began. Options that are given go over its own.
 */
#include <stdlib.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/live/run.h"
#include "orchestrator/many/past.h"
#include "proto/base/text.h"
#include "proto/json.h"

/* The options of the run, and its faults, if it had any. 0 or an exit code. */
static int
take_run(const char *dir, struct run_config *c)
{
	char path[CONFIG_PATH_MAX + 16];
	cJSON *report = past_load(dir, c);
	bool has_faults;

	if (report == NULL)
		return EXIT_USAGE;
	has_faults = cJSON_GetArraySize(json_get(report, "faults")) > 0;
	cJSON_Delete(report);
	c->out[0] = '\0';
	/* What a test does not have has a number all the same. */
	if (!validate_has_role(c->test, WORKLOAD_CONSUMERS))
		c->consumers = 0;
	text_format(path, sizeof(path), "%s/report.json", dir);
	if (has_faults && !text_fits(c->schedule, sizeof(c->schedule), path))
		return usage_error("\"%.60s...\": is too long", dir);
	return 0;
}

int
cmd_replay(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	const char *dir = NULL;
	int n, code = EXIT_USAGE;

	if (r == NULL)
		return usage_error("out of memory");
	config_init(&r->config);
	n = cli_options(&r->config, argc, argv, &dir, 1);
	if (n == 0)
		code =
		    usage_error("replay: which run? natsburn replay RUN_DIR");
	else if (n == 1)
		code = take_run(dir, &r->config);
	if (code == 0)
		code = cli_connect_options(&r->config, argc, argv, &dir, 1) < 0
			   ? EXIT_USAGE
			   : run_configured(r);
	free(r);
	return code;
}
