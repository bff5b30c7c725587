/* SPDX-License-Identifier: ISC */
/* natsburn mayhem: faults alone, beside somebody's own load. */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/live/run.h"
#include "proto/base/text.h"

int
cmd_mayhem(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	const char *word = NULL;
	int n, code = EXIT_USAGE;

	if (r == NULL)
		return usage_error("out of memory");
	config_init_open(&r->config);
	r->config.duration_ns = RUN_FOREVER_NS; /* until it is interrupted */
	n = cli_connect_options(&r->config, argc, argv, &word, 1);
	text_set(r->config.test, sizeof(r->config.test), "none");
	if (n == 0 && strcmp(r->config.mayhem, "none") == 0)
		code = usage_error("which faults? natsburn mayhem MODE[,MODE]; "
				   "\"natsburn list mayhem\" names them");
	else if (n == 1 &&
		 !text_fits(r->config.mayhem, sizeof(r->config.mayhem), word))
		code = usage_error("\"%.60s...\": too many modes", word);
	else if (n >= 0)
		code = run_configured(r);
	free(r);
	return code;
}
