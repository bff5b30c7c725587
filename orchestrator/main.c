/* SPDX-License-Identifier: ISC */
/* One binary: the commands of users, and the roles of child processes. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chaos/chaos.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/hunt.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/many/shards.h"
#include "orchestrator/report/report.h"
#include "proto/base/sig.h"
#include "proto/base/template.h"
#include "proto/base/text.h"
#include "worker/worker.h"

const struct cli_command cli_commands[] = {
    {"run", "run a test: natsburn run TEST [options]", cmd_run},
    {"check", "judge a recorded run again: natsburn check RUN_DIR", cmd_check},
    {"report", "judge it again and write its reports anew", cmd_report},
    {"dump", "put it into one file to attach to an issue", cmd_dump},
    {"matrix", "all of --tests, --mayhem, --server-bin, each with each",
	cmd_matrix},
    {"hunt", "drawn runs for --duration, and the distinct failures they met",
	cmd_hunt},
    {"replay", "run RUN_DIR again, with its faults when they began",
	cmd_replay},
    {"compare",
	"runs, matrices or hunts side by side: what is new, gone, worse",
	cmd_compare},
    {"shrink", "the smallest run that still fails like RUN_DIR", cmd_shrink},
    {"bisect", "the first of --server-bin OLD,...,NEW to fail like RUN_DIR",
	cmd_bisect},
    {"list", "tests, mayhem modes, checks, cluster drivers", cmd_list},
    {"mayhem", "faults alone, beside a load of your own", cmd_mayhem},
    {"cluster", "servers alone: cluster up, status DIR, down DIR", cmd_cluster},
    {"doctor", "is this host ready for a run?", cmd_doctor},
    {NULL, NULL, NULL},
};

#define COMMANDS (sizeof(cli_commands) / sizeof(cli_commands[0]) - 1)

static int
help(FILE *out)
{
	size_t i;

	fprintf(out,
	    "natsburn %s: burn-in and soak tester for NATS JetStream\n\n",
	    NATSBURN_VERSION);
	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "  natsburn %-8s %s\n", cli_commands[i].name,
		    cli_commands[i].summary);
	fputs("\noptions [default]\n", out);
	option_help(config_options, "--", out);
	option_help(matrix_options, "--", out);
	option_help(hunt_options + 1, "--", out); /* --tests is told above */
	option_help(bisect_options, "--", out);
	option_help(shards_options, "--", out);
	fputs("  -o NAME.KEY=VALUE            option of a test: see list\n"
	      "\nexit codes: 0 every exercised check holds, 1 violation, 2 "
	      "inconclusive, 3 skipped,\n4 beyond a --limit, 64 usage, 69 "
	      "cluster, 70 harness\n",
	    out);
	return out == stdout ? 0 : EXIT_USAGE;
}

/* A child process: --child=PROGRAM ROLE SOURCE INCARNATION. */
static int
child_main(int argc, char **argv)
{
	const char *program = argv[1] + strlen("--child=");
	char *words[TEMPLATE_ARGV_MAX + 1];
	uint64_t source, incarnation;

	if (strcmp(program, "template") == 0) {
		/*
		 * Half of a worker's memory would be OpenSSL's tables, which
		 * nats.c sets up, with or without TLS. This does the same, and
		 * starts no thread.
		 */
		(void)curl_global_init(CURL_GLOBAL_DEFAULT); /* or later */
		argc = template_serve(argc, argv, words);
		argv = words;
		program = argv[1] + strlen("--child=");
	}
	if (argc != 5 || text_to_u64(argv[3], UINT32_MAX, &source) < 0 ||
	    text_to_u64(argv[4], UINT32_MAX, &incarnation) < 0)
		return usage_error("--child is for natsburn's own use");
	if (strcmp(program, "worker") == 0)
		return worker_main(
		    argv[2], (uint32_t)source, (uint32_t)incarnation);
	if (strcmp(program, "chaos") == 0)
		return chaos_main((uint32_t)source, (uint32_t)incarnation);
	if (strcmp(program, "links") == 0)
		return link_main((uint32_t)source, (uint32_t)incarnation);
	if (strcmp(program, "drive") == 0)
		return drive_main((uint32_t)source, (uint32_t)incarnation);
	return usage_error("--child is for natsburn's own use");
}

/*
 * Whoever closed standard input, output or error means nobody to read it. The
 * first file opened would else be that: the journal, with progress written
 * into it. 0 or -errno.
 */
static int
fill_standard(void)
{
	int fd, null;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		null = open("/dev/null", O_RDWR); /* the lowest: it is fd */
		if (null < 0)
			return -errno;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *names[COMMANDS], *near;
	size_t i;

	sig_ignore_writes();
	if (fill_standard() < 0) {
		(void)usage_error(
		    "a standard input, output or error is closed, "
		    "and there is no /dev/null to stand for it");
		return EXIT_HARNESS;
	}
	if (argc < 2)
		return help(stderr);
	if (strncmp(argv[1], "--child=", 8) == 0)
		return child_main(argc, argv);
	for (i = 1; i < (size_t)argc; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return help(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		printf("natsburn %s\n", NATSBURN_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--completion") == 0)
		return cmd_completion(argc - 2, argv + 2);
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], cli_commands[i].name) == 0)
			return cli_commands[i].main(argc - 2, argv + 2);
		names[i] = cli_commands[i].name;
	}
	near = text_nearest(argv[1], names, COMMANDS);
	if (near != NULL)
		return usage_error(
		    "unknown command \"%s\"; did you mean %s?", argv[1], near);
	return usage_error(
	    "unknown command \"%s\"; natsburn --help names them", argv[1]);
}
