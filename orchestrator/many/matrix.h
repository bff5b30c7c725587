/* SPDX-License-Identifier: ISC */
/*
 * A matrix: all combinations of tests, mayhem and server versions, each as
 * often as asked, one "natsburn run" a cell in a folder of its own. What is
 * known of a cell is a row of matrix.json; every form of the result is made
 * from these rows.
 */
#ifndef ORCHESTRATOR_MATRIX_H
#define ORCHESTRATOR_MATRIX_H

#include <cjson/cJSON.h>
#include <stdio.h>

#include "orchestrator/many/axis.h"
#include "proto/base/clock.h"

#define MATRIX_CELLS_MAX 4096 /* cells in all */
#define MATRIX_NAME_MAX	 224
#define MATRIX_JSON	 "matrix.json"

struct matrix_options {
	char tests[CONFIG_LIST_MAX];
	uint64_t repeat;
};

/* The rows of struct matrix_options; all others are those of a run. */
extern const struct option_spec matrix_options[];

enum cell_state {
	CELL_WAITING,
	CELL_FINISHED,
	CELL_DIED,	  /* it ended without a report */
	CELL_INTERRUPTED, /* by us, because we were */
	CELL_STATES
};

struct matrix_cell {
	unsigned test, mayhem, version, round; /* round counts from 1 */
	char name[MATRIX_NAME_MAX];	       /* its folder below ours */
	enum cell_state state;
	bool was_kept; /* finished in an earlier matrix */
	int exit_code;
	char why[256];	/* of CELL_DIED */
	cJSON *outcome; /* what its report says; NULL without one */
};

struct matrix {
	struct run_config base; /* mayhem and server_bin: as written */
	struct matrix_options own;
	struct axis tests, mayhems, versions;
	struct matrix_cell *cells;
	unsigned ncells;
	char dir[CONFIG_PATH_MAX];
	char started[CLOCK_UTC_MAX]; /* wall clock */
	bool interrupted;
};

/*
 * Make the cells from base and own, asking each server for its version, and
 * check every one's options. 0 or an exit code after the error was said.
 */
int matrix_init(struct matrix *);
void matrix_fini(struct matrix *);

/* The configuration of a cell's run. */
void matrix_config(
    const struct matrix *, const struct matrix_cell *, struct run_config *);

/* PATH of a cell's folder, or of a file in it. */
void matrix_path(const struct matrix *, const struct matrix_cell *,
    const char *file, char *out, size_t size);

/*
 * Is there a whole report of exactly this cell? Then it is taken: the cell
 * is finished. Its exit code is that of the report.
 */
bool matrix_take(struct matrix *, struct matrix_cell *);

/* The exit code: the worst of the cells; 2 for one that is not finished. */
int matrix_exit_code(const struct matrix *);

/* "pass", "FAIL", "harness" and so on, for tables. */
const char *matrix_word(const struct matrix_cell *);

/* The command that goes on with this matrix; COMMAND_LINE_MAX bytes. */
void matrix_command(const struct matrix *, char *out);

/* matrix.json; to be deleted by the caller. NULL without memory. */
cJSON *matrix_tree(const struct matrix *);

/* Write matrix.json, junit.xml and index.html. 0 or the first -errno. */
int matrix_write(const struct matrix *);
void matrix_junit(const cJSON *tree, FILE *);
void matrix_page(const cJSON *tree, FILE *);

/* The table at the end, for a log or a terminal. */
void matrix_say(const struct matrix *, FILE *);

/* Why the cell isn't a pass, in one line; "" if it is. */
const char *matrix_reason(const struct matrix_cell *);

/* Cells that ended with this word of matrix_word(), of all of them. */
unsigned matrix_count(const struct matrix *, const char *word);

#endif
