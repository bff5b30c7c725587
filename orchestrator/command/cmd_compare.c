/* SPDX-License-Identifier: ISC */
/* natsburn compare: runs, matrices or hunts side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/compare.h"
#include "orchestrator/many/forms.h"
#include "proto/base/file.h"
#include "proto/json.h"

/* Into a folder, when one is given: as data, and as a page. 0 or -errno. */
static int
save(const cJSON *tree, const char *dir)
{
	int err = file_make_dir(dir);

	if (err == 0)
		err = forms_save(tree, dir, "compare.json", json_print);
	return err == 0 ? forms_save(tree, dir, "compare.html", compare_page)
			: err;
}

static int
conclude(const struct compare *c, const struct run_config *config)
{
	cJSON *tree = compare_make(c);
	int err = config->out[0] != '\0' ? save(tree, config->out) : 0;

	if (err < 0)
		usage_say("--out \"%s\": %s", config->out, strerror(-err));
	if (config->json)
		json_print(tree, stdout);
	else if (!config->quiet)
		compare_say(tree, stdout);
	if (fflush(stdout) != 0 || ferror(stdout) || !json_is_whole())
		err = -1;
	cJSON_Delete(tree);
	return err < 0 ? EXIT_HARNESS : EXIT_PASS;
}

int
cmd_compare(int argc, char **argv)
{
	struct run_config *config = calloc(1, sizeof(*config));
	const char *dirs[COMPARE_MAX];
	struct compare c = {0};
	int n, i, code = EXIT_USAGE;

	if (config == NULL)
		return usage_error("out of memory");
	config_init(config);
	n = cli_options(config, argc, argv, dirs, COMPARE_MAX);
	if (n == 0 || n == 1)
		code = usage_error(
		    "compare: two folders or more: natsburn compare DIR DIR");
	else if (n > 0)
		code = 0;
	for (i = 0; i < n && code == 0; i++)
		code = compare_add(&c, dirs[i]);
	if (code == 0)
		code = conclude(&c, config);
	compare_fini(&c);
	free(config);
	return code;
}
