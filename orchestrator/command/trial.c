/* SPDX-License-Identifier: ISC */
/* A short run; see trial.h. */
#include "orchestrator/command/trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/judge/judge.h"
#include "orchestrator/live/run.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define REPORT_MAX ((size_t)1 << 24)

/* The first reason of the run's report. */
static void
say_reason(const char *dir, int code, char says[TRIAL_SAYS_MAX])
{
	char path[CONFIG_PATH_MAX + 16];
	cJSON *report;
	const char *reason;

	text_format(path, sizeof(path), "%s/report.json", dir);
	report = json_load(path, REPORT_MAX);
	reason = cJSON_GetStringValue(
	    cJSON_GetArrayItem(json_get(report, "reasons"), 0));
	if (reason != NULL && strncmp(reason, "cluster: ", 9) == 0)
		reason += 9;
	if (reason != NULL)
		text_set(says, TRIAL_SAYS_MAX, reason);
	else
		text_format(says, TRIAL_SAYS_MAX,
		    "a run of one round ended with exit code %d", code);
	cJSON_Delete(report);
}

int
trial_run(const struct run_config *c, char says[TRIAL_SAYS_MAX])
{
	struct run *r = calloc(1, sizeof(*r));
	const char *tmp = getenv("TMPDIR");
	char dir[CONFIG_PATH_MAX];
	int code, err;

	text_format(dir, sizeof(dir), "%s/natsburn-doctor.XXXXXX",
	    tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	if (r == NULL || mkdtemp(dir) == NULL) {
		text_format(
		    says, TRIAL_SAYS_MAX, "cannot try: %s", strerror(errno));
		free(r);
		return EXIT_HARNESS;
	}
	r->config = *c;
	text_set(r->config.mayhem, sizeof(r->config.mayhem), "none");
	text_set(r->config.out, sizeof(r->config.out), dir);
	r->config.metrics[0] = '\0';
	r->config.quiet = true;
	r->config.json = false;
	r->config.rounds = 1;
	r->config.duration_ns = 10 * CLOCK_S;
	r->config.quiet_ns = 0;
	code = run_configured(r);
	if (code == 0)
		text_format(says, TRIAL_SAYS_MAX,
		    "a run of one round made its streams with %llu replica%s "
		    "and passed",
		    (unsigned long long)r->config.replicas,
		    r->config.replicas == 1 ? "" : "s");
	else
		say_reason(dir, code, says);
	free(r);
	err = file_remove_tree(dir);
	if (err < 0)
		fprintf(stderr, "natsburn: cannot remove \"%s\": %s\n", dir,
		    strerror(-err));
	return code;
}
