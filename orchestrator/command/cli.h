/* SPDX-License-Identifier: ISC */
/*
 * The command line: commands, and options walked from the rows. Errors are
 * one line on stderr and exit code 64.
 */
#ifndef ORCHESTRATOR_CLI_H
#define ORCHESTRATOR_CLI_H

#include "proto/config.h"

/* natsburn run, check, list and so on: argv begins behind the command. */
int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_merge(int argc, char **argv); /* report --merge */
int cmd_dump(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_mayhem(int argc, char **argv);
int cmd_cluster(int argc, char **argv);
int cmd_matrix(int argc, char **argv);

/* natsburn --completion bash|zsh. */
int cmd_completion(int argc, char **argv);

/* The commands; a NULL name ends the table. */
struct cli_command {
	const char *name, *summary;
	int (*main)(int argc, char **argv);
};
extern const struct cli_command cli_commands[];

/*
 * Read options into config, from the environment (NATSBURN_<NAME>) and
 * then argv; at most max_words other words go to words. Returns how many,
 * or -EINVAL after the error was printed.
 */
int cli_options(struct run_config *, int argc, char **argv, const char **words,
    int max_words);

/* The name of an option's variable in the environment. */
void cli_variable(const char *option, char *out, size_t size);

/*
 * The same for commands that connect: what is needed to log in is looked at,
 * and secrets are taken from their files (login.h).
 */
int cli_connect_options(struct run_config *, int argc, char **argv,
    const char **words, int max_words);

/* Print "natsburn: ..." and return EXIT_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Check what the rows can't: that tests, modes, extras and files exist and
 * fit together. 0 or EXIT_USAGE after the error was printed.
 */
int cli_validate(const struct run_config *);

/*
 * --mayhem all becomes the names of all modes that this configuration
 * allows, so that reports and repeated runs name them. 0 or EXIT_USAGE.
 */
int cli_expand_mayhem(struct run_config *);

/* The first of that name on PATH, or where Debian puts daemons. */
bool cli_find_program(const char *name, char *out, size_t size);

/*
 * Resolve server binaries: config's list, or nats-server from PATH and the
 * usual places. Fills config->server_bin. 0 or an exit code, said.
 */
int cli_find_server(struct run_config *);

#endif
