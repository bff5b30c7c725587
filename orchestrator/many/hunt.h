/* SPDX-License-Identifier: ISC */
/*
 * A hunt: many short runs whose tests, faults and options are drawn, for as
 * long as it is given, and one list of the distinct failures that they met.
 *
 * All that is known stands in one tree, hunt.json: "runs" has a row for each
 * run that was begun, "failures" one for each signature. It is read again when
 * the hunt goes on, and every other form of the result is made from it.
 */
#ifndef ORCHESTRATOR_HUNT_H
#define ORCHESTRATOR_HUNT_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "orchestrator/many/axis.h"
#include "proto/base/rng.h"
#include "proto/config.h"

#define HUNT_JSON      "hunt.json"
#define HUNT_JOBS_MAX  16
#define HUNT_NAME_MAX  32
#define HUNT_SHAPE_MAX 320 /* bytes of a signature */

struct hunt_options {
	char tests[CONFIG_LIST_MAX];
	uint64_t jobs;
	struct option_times run_time;
	char keep[8]; /* all or fail */
	char known[CONFIG_PATH_MAX];
	char history[CONFIG_PATH_MAX];
};

/* The rows of struct hunt_options; all others are those of a run. */
extern const struct option_spec hunt_options[];

struct hunt {
	struct run_config base; /* duration_ns: of the whole hunt */
	struct run_config open; /* what an option is that nobody has set */
	struct hunt_options own;
	struct axis tests, versions;
	char dir[CONFIG_PATH_MAX];
	uint64_t seed;
	cJSON *tree;  /* hunt.json */
	cJSON *known; /* links by signature */
};

/*
 * hunt_draw.c: the configuration of run number n and, in the row that was made
 * for it, what it is. Tests and modes that were drawn least come first; one of
 * three is a neighbour of a run that failed, if there is one. 0, or EXIT_USAGE
 * after it was said why nothing can be drawn.
 */
int hunt_draw(const struct hunt *, unsigned n, struct run_config *, cJSON *row);

/* The same run again, seed included. */
int hunt_draw_again(
    const struct hunt *, const cJSON *failed, struct run_config *, cJSON *row);

/*
 * hunt_failures.c: what a finding of a run of test is an instance of: kind,
 * rule, test, and what is said of it without numbers and names.
 */
void hunt_signature(
    const char *test, const cJSON *anomaly, char out[HUNT_SHAPE_MAX]);

/* Enter a run's report into its row, and its findings into the failures. */
void hunt_take(const struct hunt *, cJSON *row, const cJSON *report);

/* The first run of a failure that nobody has repeated yet, or NULL. */
const cJSON *hunt_to_repeat(const struct hunt *);

/* "SIGNATURE<tab>LINK" lines: 0, or EXIT_USAGE after the error was said. */
int hunt_read_known(struct hunt *);

/* hunt.c */

/* A new tree, or that of an earlier hunt in dir. 0 or an exit code, said. */
int hunt_init(struct hunt *);
void hunt_fini(struct hunt *);

/* A row for a run that begins; it has a number, a folder and a time. */
cJSON *hunt_add_run(struct hunt *, double now_s);

void hunt_path(const struct hunt *, const cJSON *row, const char *file,
    char *out, size_t size);

/*
 * The exit code: 1 for a failure that isn't known, else 70 for a run that
 * failed by itself, else 0; 2 when no run came to a verdict.
 */
int hunt_exit_code(const struct hunt *);

/* The command that goes on with this hunt; COMMAND_LINE_MAX bytes. */
void hunt_command(const struct hunt *, char *out);

/* hunt_forms.c: hunt.json, junit.xml, index.html. 0 or the first -errno. */
int hunt_write(struct hunt *);
void hunt_junit(const cJSON *tree, FILE *);
void hunt_page(const cJSON *tree, FILE *);

/* The failures and the counts, for a log or a terminal. */
void hunt_say(const struct hunt *, FILE *);

#endif
