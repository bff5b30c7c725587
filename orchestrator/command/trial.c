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
#define QUIET_NS   (3600 * CLOCK_S) /* the trial is over long before */

/*
 * Faults that would come after the trial are kept, for the cluster then says
 * whether they may be made. But a partition is tried before any load.
 */
static bool
may_prepare(const char *mayhem)
{
	return strcmp(mayhem, "all") != 0 &&
	       !config_list_has(mayhem, "partition");
}

/*
 * The first reason of the run's report. False when nothing is wrong but that
 * there was no fault.
 */
static bool
say_reason(const char *dir, int code, char says[TRIAL_SAYS_MAX])
{
	char path[CONFIG_PATH_MAX + 16];
	cJSON *report;
	const char *reason;
	bool is_bad;

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
	is_bad = code != EXIT_INCONCLUSIVE || reason == NULL ||
		 cJSON_GetArraySize(json_get(report, "reasons")) > 1 ||
		 strcmp(reason, "no fault took effect") != 0;
	cJSON_Delete(report);
	return is_bad;
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
	if (!may_prepare(r->config.mayhem))
		text_set(r->config.mayhem, sizeof(r->config.mayhem), "none");
	text_set(r->config.out, sizeof(r->config.out), dir);
	r->config.metrics[0] = '\0';
	r->config.quiet = true;
	r->config.json = false;
	r->config.rounds = 1;
	r->config.duration_ns = 10 * CLOCK_S;
	r->config.quiet_ns = QUIET_NS;
	code = run_configured(r);
	if (code != 0 && !say_reason(dir, code, says))
		code = 0;
	if (code == 0)
		text_format(says, TRIAL_SAYS_MAX,
		    "a run of one round made its streams with %llu replica%s "
		    "and passed",
		    (unsigned long long)r->config.replicas,
		    r->config.replicas == 1 ? "" : "s");
	free(r);
	err = file_remove_tree(dir);
	if (err < 0)
		fprintf(stderr, "natsburn: cannot remove \"%s\": %s\n", dir,
		    strerror(-err));
	return code;
}
