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
#include "orchestrator/command/job.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/report/report.h"
#include "proto/base/sig.h"
#include "proto/base/template.h"
#include "proto/base/text.h"
#include "worker/worker.h"

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

/* A test is often given in place of a command. */
static int
unknown(const char *word)
{
	const char *names[64], *near;
	size_t n = 0;

	if (workload_find(word) != NULL)
		return usage_error("unknown command \"%s\": it is a test; did "
				   "you mean natsburn run %s?",
		    word, word);
	for (; cli_commands[n].name != NULL; n++)
		names[n] = cli_commands[n].name;
	near = text_nearest(word, names, n);
	if (near != NULL)
		return usage_error(
		    "unknown command \"%s\"; did you mean %s?", word, near);
	return usage_error(
	    "unknown command \"%s\"; natsburn help names them", word);
}

static int
print_version(void)
{
	printf("natsburn %s\n", NATSBURN_VERSION);
	return 0;
}

/* natsburn help [COMMAND] */
static int
help(const char *word)
{
	const struct cli_command *c;

	if (word == NULL) {
		help_short(stdout);
		return 0;
	}
	for (c = cli_commands; c->name != NULL; c++)
		if (strcmp(word, c->name) == 0) {
			help_command(c, stdout);
			return 0;
		}
	return unknown(word);
}

static bool
asks_for_help(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* A job is for commands that take all options of run. */
static int
run_command(const struct cli_command *c, int argc, char **argv)
{
	int code = c->options == NULL ? job_take(&argc, argv) : 0;

	return code == 0 ? c->main(argc, argv) : code;
}

static int
command_main(int argc, char **argv)
{
	const struct cli_command *c;
	const char *word = argv[0];

	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 ||
	    strcmp(word, "-v") == 0 || strcmp(word, "version") == 0)
		return print_version();
	if (strcmp(word, "help") == 0)
		return help(argc > 1 ? argv[1] : NULL);
	if (strcmp(word, "--completion") == 0 ||
	    strcmp(word, "completion") == 0)
		return cmd_completion(argc - 1, argv + 1);
	for (c = cli_commands; c->name != NULL; c++) {
		if (strcmp(word, c->name) != 0)
			continue;
		if (!asks_for_help(argc - 1, argv + 1))
			return run_command(c, argc - 1, argv + 1);
		help_command(c, stdout);
		return 0;
	}
	if (!asks_for_help(argc, argv))
		return unknown(word);
	help_all(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	sig_ignore_writes();
	if (fill_standard() < 0) {
		(void)usage_error(
		    "a standard input, output or error is closed, "
		    "and there is no /dev/null to stand for it");
		return EXIT_HARNESS;
	}
	if (argc < 2) {
		help_short(stderr);
		return EXIT_USAGE;
	}
	if (strncmp(argv[1], "--child=", 8) == 0)
		return child_main(argc, argv);
	if (strcmp(argv[1], "--guard") == 0)
		return guard_main();
	return command_main(argc - 1, argv + 1);
}
