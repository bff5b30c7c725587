/* SPDX-License-Identifier: ISC */
/*
 * The command line: commands, and options walked from the rows. Errors are
 * said as usage.h does.
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
int cmd_hunt(int argc, char **argv);
int cmd_shrink(int argc, char **argv);
int cmd_bisect(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_events(int argc, char **argv);

/* natsburn --completion bash|zsh|fish. */
int cmd_completion(int argc, char **argv);

/* Options of bisect, some of which shrink has, too. */
extern const struct option_spec bisect_options[];

/* Options of events, and the tables of all options; NULL ends them. */
extern const struct option_spec events_options[];
extern const struct option_spec *const cli_tables[];

/* The commands; a NULL name ends the table. */
struct cli_command {
	const char *name, *summary;
	int (*main)(int argc, char **argv);
	const char *group;   /* under which a list of commands has it */
	const char *words;   /* what stands behind it */
	const char *options; /* those of run that it takes; NULL: all */
	const struct option_spec *own; /* its own options, or NULL */
	const char *examples;	       /* lines */
};
extern const struct cli_command cli_commands[];

/* Print what there is in a screenful, all of it, or a command's part. */
void help_short(FILE *);
void help_all(FILE *);
void help_command(const struct cli_command *, FILE *);

/*
 * Read options into config, from the job (job.h), the environment
 * (NATSBURN_<NAME>) and then argv; at most max_words other words go to words.
 * Returns how many, or -EINVAL after the error was printed.
 */
int cli_options(struct run_config *, int argc, char **argv, const char **words,
    int max_words);

/*
 * The same for commands that connect: what is needed to log in is looked at,
 * and secrets are taken from their files (login.h).
 */
int cli_connect_options(struct run_config *, int argc, char **argv,
    const char **words, int max_words);

/*
 * Take the options of these rows out of the job, the environment and argv;
 * what is left are options of run. 0 or EXIT_USAGE after the error was said.
 */
int cli_take_own(
    const struct option_spec *rows, void *values, int *argc, char **argv);

/* What the nats CLI calls an option becomes our name of it. */
void cli_resolve_alias(char *name, size_t size);

/* The name of an option's variable in the environment. */
void cli_variable(const char *option, char *out, size_t size);

#endif
