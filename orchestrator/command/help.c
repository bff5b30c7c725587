/* SPDX-License-Identifier: ISC */
/* The commands, and what --help says of them and of their options. */
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/job.h"
#include "orchestrator/many/hunt.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/many/shards.h"
#include "orchestrator/report/report.h"

const struct cli_command cli_commands[] = {
    {"run", "run a test and judge it", cmd_run, "a run", "TEST [options]", NULL,
	NULL,
	"natsburn run kv-cas --mayhem rolling_restart --duration 2m\n"
	"natsburn run queue-group-consumer --consumers 20 --mayhem all\n"
	"natsburn run pipeline --server nats://127.0.0.1:4222 --duration 10m\n"
	"natsburn run kv-cas --clients 4 -o kv-cas.keys=2 --limit 'stall<10s'\n"
	"natsburn run --job scripts/jobs/smoke.ini --duration 30s"},
    {"doctor", "is this host, or somebody's cluster, ready for a run?",
	cmd_doctor, "a run", "[TEST | all] [options of the run]", NULL, NULL,
	"natsburn doctor pipeline --mayhem all\n"
	"natsburn doctor kv-cas --server nats://127.0.0.1:4222\n"
	"natsburn doctor all --context prod"},
    {"check", "judge a recorded run again", cmd_check, "a recorded run",
	"RUN_DIR [options]", "json,quiet", NULL,
	"natsburn check natsburn-runs/20261124T040013Z-kv-cas-28869"},
    {"report", "judge it again and write its reports anew", cmd_report,
	"a recorded run", "RUN_DIR, or --merge DIR... --out MERGED",
	"out,json,quiet", shards_options,
	"natsburn report natsburn-runs/20261124T040013Z-kv-cas-28869\n"
	"natsburn report --merge shard1 shard2 --out merged"},
    {"dump", "put it into one file to attach to an issue", cmd_dump,
	"a recorded run", "RUN_DIR", "quiet", NULL,
	"natsburn dump natsburn-runs/20261124T040013Z-kv-cas-28869"},
    {"events", "print its history, or what bears on one thing", cmd_events,
	"a recorded run", "RUN_DIR [options]", "json", events_options,
	"natsburn events RUN_DIR --id 3:5759\n"
	"natsburn events RUN_DIR --from 12.5 --to 14 --type DELIVER,ACK_OK\n"
	"natsburn events RUN_DIR --json | jq -c 'select(.seq == 507)'"},
    {"matrix", "all of --tests, --mayhem, --server-bin, each with each",
	cmd_matrix, "many runs", "--tests TEST[,TEST] [options of run]", NULL,
	matrix_options,
	"natsburn matrix --tests kv-cas,pipeline --mayhem pause,partition\n"
	"natsburn matrix --tests kv-cas --repeat 10 --out nightly"},
    {"hunt", "drawn runs for --duration, and the distinct failures they met",
	cmd_hunt, "many runs", "[options]", NULL, hunt_options,
	"natsburn hunt --duration 8h --out hunted\n"
	"natsburn hunt --tests pipeline --duration 2h --jobs 2"},
    {"replay", "run RUN_DIR again, with its faults when they began", cmd_replay,
	"many runs", "RUN_DIR [options of run]", NULL, NULL,
	"natsburn replay hunted/run-00017 --out again"},
    {"compare",
	"runs, matrices or hunts side by side: what is new, gone, worse",
	cmd_compare, "many runs", "DIR DIR... [options]", "out,json,quiet",
	NULL,
	"natsburn compare hunted-2.10 hunted-2.12\n"
	"natsburn compare before after --out compared"},
    {"shrink", "the smallest run that still fails like RUN_DIR", cmd_shrink,
	"many runs", "RUN_DIR [options]", "server-bin,out,json,quiet",
	bisect_options, "natsburn shrink hunted/17"},
    {"bisect", "the first of --server-bin OLD,...,NEW to fail like RUN_DIR",
	cmd_bisect, "many runs", "RUN_DIR --server-bin OLD,...,NEW",
	"server-bin,out,json,quiet", bisect_options,
	"natsburn bisect hunted/17 --server-bin "
	"old/nats-server,new/nats-server"},
    {"mayhem", "faults alone, beside a load of your own", cmd_mayhem,
	"servers alone", "MODE[,MODE] [options of run]", NULL, NULL,
	"natsburn mayhem rolling_restart --servers 3\n"
	"natsburn mayhem leader_stepdown --server nats://127.0.0.1:4222"},
    {"cluster", "servers alone: cluster up, status DIR, down DIR", cmd_cluster,
	"servers alone",
	"up [options of run] | status DIR | "
	"down DIR",
	NULL, NULL,
	"natsburn cluster up --servers 5 --out c5\n"
	"natsburn cluster down c5"},
    {"list", "tests, mayhem modes, checks, cluster drivers", cmd_list, "words",
	"[tests | mayhem | moments | checks | clusters]", "json", NULL,
	"natsburn list mayhem\n"
	"natsburn list tests --json"},
    {"explain", "what a word of a report means, and what to do", cmd_explain,
	"words",
	"KIND | CHECK | MODE | TEST | MOMENT | EVENT | EXIT_CODE | REASON", "",
	NULL,
	"natsburn explain redelivered_after_ack\n"
	"natsburn explain partition\n"
	"natsburn explain 69\n"
	"natsburn explain 'no fault took effect'"},
    {.name = NULL},
};

const struct option_spec *const cli_tables[] = {
    config_options,
    job_options,
    matrix_options,
    hunt_options + 1, /* --tests is told by the matrix */
    bisect_options,
    shards_options,
    events_options,
    NULL,
};

void
help_short(FILE *out)
{
	const struct cli_command *c;
	const char *group = "";

	fprintf(out,
	    "natsburn %s: burn-in and soak tester for NATS JetStream\n\n"
	    "  natsburn run TEST --mayhem MODE     and it says whether a "
	    "promise "
	    "was broken\n",
	    NATSBURN_VERSION);
	for (c = cli_commands; c->name != NULL; c++) {
		if (strcmp(group, c->group) != 0)
			fprintf(out, "\n  %-16s%s", c->group, c->name);
		else
			fprintf(out, ", %s", c->name);
		group = c->group;
	}
	fputs("\n\n"
	      "natsburn help COMMAND has its options, with examples\n"
	      "natsburn list         names the tests and the mayhem modes\n"
	      "natsburn --help       has everything\n",
	    out);
}

void
help_all(FILE *out)
{
	const struct cli_command *c;
	size_t i;

	fprintf(out,
	    "natsburn %s: burn-in and soak tester for NATS JetStream\n\n",
	    NATSBURN_VERSION);
	for (c = cli_commands; c->name != NULL; c++)
		fprintf(out, "  natsburn %-8s %s\n", c->name, c->summary);
	fputs("\noptions [default]\n", out);
	for (i = 0; cli_tables[i] != NULL; i++)
		option_help(cli_tables[i], "--", out);
	fputs("  -o NAME.KEY=VALUE            option of a test: see list\n"
	      "\nexit codes: 0 every exercised check holds, 1 violation, 2 "
	      "inconclusive, 3 skipped,\n4 beyond a --limit, 64 usage, 69 "
	      "cluster, 70 harness\n",
	    out);
}

/* Rows of a table that a list of names has; all if there is no list. */
static void
help_some(const struct option_spec *rows, const char *list, FILE *out)
{
	struct option_spec one[2] = {{.name = NULL}, {.name = NULL}};

	for (; rows->name != NULL; rows++) {
		one[0] = *rows;
		if (list == NULL || config_list_has(list, rows->name))
			option_help(one, "--", out);
	}
}

void
help_command(const struct cli_command *c, FILE *out)
{
	const char *line = c->examples, *end;

	fprintf(out, "natsburn %s: %s\n\n  natsburn %s %s\n\nexamples\n",
	    c->name, c->summary, c->name, c->words);
	for (; *line != '\0'; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		fprintf(out, "  %.*s\n", (int)(end - line), line);
	}
	if (c->own != NULL || (c->options == NULL || c->options[0] != '\0')) {
		fputs("\noptions [default]\n", out);
		help_some(config_options, c->options, out);
		if (c->options == NULL)
			help_some(job_options, NULL, out);
		if (c->own != NULL)
			help_some(c->own, NULL, out);
	}
	if (c->options == NULL)
		fputs("  -o NAME.KEY=VALUE            option of a test or a "
		      "mode: "
		      "see natsburn explain NAME\n",
		    out);
}
