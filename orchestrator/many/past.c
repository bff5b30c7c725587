/* SPDX-License-Identifier: ISC */
/* The configuration of a run that is over; see past.h. */
#include <errno.h>

#include "orchestrator/command/usage.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/past.h"
#include "proto/base/text.h"
#include "proto/json.h"

/* Those of tests and modes. 0 or -EINVAL. */
static int
read_extras(const cJSON *list, struct run_config *c)
{
	char why[OPTION_WHY_MAX];
	const cJSON *o;
	int err = 0;

	cJSON_ArrayForEach (o, list) {
		if (err == 0 && cJSON_IsString(o))
			err = config_set(c, "o", o->valuestring, why);
	}
	return err;
}

int
past_options(const cJSON *report, struct run_config *c)
{
	const cJSON *options = json_get(report, "options"), *o;
	char why[OPTION_WHY_MAX];
	int err;

	config_init(c);
	err = read_extras(json_get(options, "o"), c);
	cJSON_ArrayForEach (o, options) {
		if (err == 0 && cJSON_IsString(o))
			err = config_set(c, o->string, o->valuestring, why);
	}
	if (err == 0 && c->test[0] == '\0')
		err = -EINVAL;
	c->json = c->quiet = false;
	c->metrics[0] = '\0';
	return err;
}

cJSON *
past_load(const char *run_dir, struct run_config *c)
{
	char path[CONFIG_PATH_MAX + 16];
	cJSON *report;

	text_format(path, sizeof(path), "%s/report.json", run_dir);
	report = forms_load(path);
	if (report != NULL && past_options(report, c) == 0)
		return report;
	cJSON_Delete(report);
	usage_error("\"%s\": has no report.json of a run", run_dir);
	return NULL;
}
