/* SPDX-License-Identifier: ISC */
/*
 * natsburn matrix: all combinations one after the other, each a "natsburn
 * run" of its own. What is finished is kept when the command is given
 * again; nothing that a run left is ever deleted.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/folder.h"
#include "orchestrator/command/job.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/matrix.h"
#include "orchestrator/many/process.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/term.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define SHOW_MS	  500
#define ASIDE_MAX 1000

struct driver {
	struct matrix *m;
	struct term term;
	int signals; /* signalfd */
	int dir_fd;  /* holds the lock */
	bool is_quiet, killed;
	unsigned width; /* of the longest test-mayhem-version-k */
};

static int
take_options(struct matrix *m, int argc, char **argv)
{
	const char *word = NULL;
	int bad = cli_take_own(matrix_options, &m->own, &argc, argv), n;

	if (bad != 0)
		return bad;
	config_init_open(&m->base);
	n = cli_connect_options(&m->base, argc, argv, &word, 1);
	if (n < 0)
		return EXIT_USAGE;
	if (n == 1 || m->base.test[0] != '\0')
		return usage_error("matrix: \"%s\": name tests with --tests",
		    n == 1 ? word : m->base.test);
	return job_is_dumped() ? job_dump(&m->base, matrix_options, &m->own)
			       : 0;
}

/* The folder */

static int
make_dir(struct driver *d)
{
	struct matrix *m = d->m;
	char path[CONFIG_PATH_MAX + 32] = "";
	int bad;

	clock_utc(clock_wall_ns(), m->started);
	bad = folder_name(m->base.out, sizeof(m->base.out), "matrix");
	if (bad != 0)
		return bad;
	if (strpbrk(m->base.out, "\"\\\n") != NULL)
		return usage_error(
		    "--out \"%s\": quotes, backslashes and line "
		    "ends can't stand in a server's configuration",
		    m->base.out);
	text_set(m->dir, sizeof(m->dir), m->base.out);
	text_add(path, sizeof(path), "%s/journal", m->dir);
	if (access(path, F_OK) == 0)
		return usage_error(
		    "--out \"%s\": is the folder of a single run", m->dir);
	return 0;
}

/* Whatever stands where the cell is to run is kept beside it. */
static int
set_aside(const struct matrix *m, const struct matrix_cell *cell)
{
	char path[CONFIG_PATH_MAX], aside[CONFIG_PATH_MAX + 16];
	int i;

	matrix_path(m, cell, NULL, path, sizeof(path));
	if (!file_exists(path))
		return 0;
	for (i = 1; i <= ASIDE_MAX; i++) {
		aside[0] = '\0';
		text_add(aside, sizeof(aside), "%s.old%d", path, i);
		if (!file_exists(aside))
			return rename(path, aside) < 0 ? -errno : 0;
	}
	return -EEXIST;
}

/* Showing it */

/* "[ 3/12] " of a cell. */
static void
show_place(const struct driver *d, const struct matrix_cell *cell, FILE *out)
{
	int digits = d->m->ncells < 10 ? 1 : d->m->ncells < 100 ? 2 : 4;

	fprintf(out, "[%*u/%u] ", digits, (unsigned)(cell - d->m->cells) + 1,
	    d->m->ncells);
}

static double
outcome_number(const struct matrix_cell *cell, const char *name)
{
	const cJSON *n = json_get(cell->outcome, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static void
show_cell(const struct driver *d, const struct matrix_cell *cell)
{
	const char *word = matrix_word(cell);

	if (d->is_quiet)
		return;
	if (d->term.is_terminal)
		fputs("\r\033[K", stderr);
	show_place(d, cell, stderr);
	fprintf(stderr, "%s%-12s%s  %-*s",
	    term_style(&d->term, forms_style(word)), word, term_plain(&d->term),
	    (int)d->width, cell->name);
	if (cell->outcome != NULL)
		fprintf(stderr, "  %8.0f rounds %6.0f s %4.0f faults",
		    outcome_number(cell, "rounds"),
		    outcome_number(cell, "duration_s"),
		    outcome_number(cell, "faults"));
	if (matrix_reason(cell)[0] != '\0')
		fprintf(stderr, "  %s", matrix_reason(cell));
	fprintf(stderr, "%s\n", cell->was_kept ? "  (kept)" : "");
}

/* On a terminal: the line of the cell that runs, renewed. */
static void
show_running(const struct driver *d, const struct matrix_cell *cell)
{
	char path[CONFIG_PATH_MAX + 32], line[512] = "", said[256];
	int digits = d->m->ncells < 10 ? 1 : d->m->ncells < 100 ? 2 : 4;

	if (d->is_quiet || !d->term.is_terminal)
		return;
	matrix_path(d->m, cell, PROCESS_LOG, path, sizeof(path));
	process_last_line(path, said, sizeof(said));
	text_add(line, sizeof(line), "[%*u/%u] %-12s  %-*s  %s", digits,
	    (unsigned)(cell - d->m->cells) + 1, d->m->ncells,
	    d->m->interrupted ? "ending" : "running", (int)d->width, cell->name,
	    said);
	fprintf(stderr, "\r%.*s\033[K", (int)d->term.width - 1, line);
	(void)fflush(stderr); /* a picture, not a promise */
}

/* Running it */

static void
mark_interrupted(const struct matrix *m, const struct matrix_cell *cell)
{
	char path[CONFIG_PATH_MAX + 32];
	int fd;

	/* Before the signal: whatever comes, this cell is run again. */
	matrix_path(m, cell, "interrupted", path, sizeof(path));
	fd = file_create(path);
	if (fd >= 0)
		close(fd);
	else
		fprintf(stderr, "natsburn: cannot write \"%s\": %s\n", path,
		    strerror(-fd));
}

static void
on_signal(struct driver *d, const struct matrix_cell *cell, pid_t pid)
{
	if (d->term.is_terminal && !d->is_quiet)
		fputc('\n', stderr);
	if (!d->m->interrupted) {
		mark_interrupted(d->m, cell);
		if (!d->is_quiet)
			fputs("interrupted: this run ends in order (once more "
			      "kills it)\n",
			    stderr);
	} else
		d->killed = true;
	d->m->interrupted = true;
	(void)kill(pid, SIGINT); /* our child, not reaped yet */
}

/* Wait for the cell's process; show it, and hand signals on. */
static int
follow(struct driver *d, const struct matrix_cell *cell, pid_t pid)
{
	struct pollfd p = {.fd = d->signals, .events = POLLIN};
	int status = 0, sig;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		show_running(d, cell);
		(void)poll(&p, 1, SHOW_MS); /* any answer: look again */
		while ((sig = sig_next(d->signals)) > 0)
			if (sig != SIGCHLD)
				on_signal(d, cell, pid);
	}
}

static void
died(struct matrix_cell *cell, const char *how, const char *last)
{
	cell->state = CELL_DIED;
	cell->exit_code = EXIT_HARNESS;
	cell->why[0] = '\0';
	text_add(cell->why, sizeof(cell->why), "%s%s%s", how,
	    last[0] != '\0' ? ": " : "", last);
}

static void
judge_cell(struct driver *d, struct matrix_cell *cell, int status)
{
	char path[CONFIG_PATH_MAX + 32], last[200], how[64] = "";

	if (d->m->interrupted) {
		cell->state = CELL_INTERRUPTED;
		return;
	}
	matrix_path(d->m, cell, PROCESS_LOG, path, sizeof(path));
	process_last_line(path, last, sizeof(last));
	if (WIFSIGNALED(status))
		text_add(
		    how, sizeof(how), "killed by signal %d", WTERMSIG(status));
	else
		text_add(how, sizeof(how), "exit code %d without a report",
		    WEXITSTATUS(status));
	if (WIFSIGNALED(status) || !matrix_take(d->m, cell))
		died(cell, how, last);
	else
		cell->exit_code = WEXITSTATUS(status);
}

static pid_t
begin_cell(const struct matrix *m, const struct matrix_cell *cell)
{
	struct run_config *c = calloc(1, sizeof(*c));
	pid_t pid = -ENOMEM;

	if (c != NULL) {
		matrix_config(m, cell, c);
		pid = process_begin(c);
	}
	free(c);
	return pid;
}

static void
run_cell(struct driver *d, struct matrix_cell *cell)
{
	int err = set_aside(d->m, cell);
	pid_t pid = err == 0 ? begin_cell(d->m, cell) : err;

	if (pid < 0)
		died(cell, "cannot be started", strerror((int)-pid));
	else
		judge_cell(d, cell, follow(d, cell, pid));
	show_cell(d, cell);
}

/* What an earlier matrix left: kept, before anything is started. */
static void
keep_finished(struct driver *d)
{
	struct matrix *m = d->m;
	unsigned i, n = 0;

	for (i = 0; i < m->ncells; i++) {
		m->cells[i].was_kept = matrix_take(m, &m->cells[i]);
		n += m->cells[i].was_kept;
		if (strlen(m->cells[i].name) > d->width)
			d->width = (unsigned)strlen(m->cells[i].name);
	}
	if (d->is_quiet)
		return;
	fprintf(stderr, "natsburn %s: matrix of %u cells, folder %s",
	    NATSBURN_VERSION, m->ncells, m->dir);
	fprintf(stderr, n > 0 ? ", %u of them finished already\n" : "\n", n);
}

/* False after it was said why not. */
static bool
write_forms(const struct driver *d)
{
	int err = matrix_write(d->m);

	if (err < 0)
		fprintf(stderr, "natsburn: cannot write in \"%s\": %s\n",
		    d->m->dir, strerror(-err));
	return err == 0;
}

static void
run_cells(struct driver *d)
{
	struct matrix *m = d->m;
	unsigned i;
	int sig;

	for (i = 0; i < m->ncells; i++) {
		while ((sig = sig_next(d->signals)) > 0)
			m->interrupted |= sig != SIGCHLD;
		if (m->cells[i].was_kept)
			show_cell(d, &m->cells[i]);
		else if (!m->interrupted) {
			run_cell(d, &m->cells[i]);
			(void)write_forms(d); /* the last time counts */
		}
	}
}

static int
conclude(const struct driver *d)
{
	bool is_written = write_forms(d);
	int code = matrix_exit_code(d->m);
	cJSON *tree;

	if (d->m->base.json) {
		tree = matrix_tree(d->m);
		json_print(tree, stdout);
		cJSON_Delete(tree);
	} else if (!d->is_quiet)
		matrix_say(d->m, stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		is_written = false;
	}
	if (!is_written || !json_is_whole())
		code = forms_worse(code, EXIT_HARNESS);
	return d->killed ? EXIT_KILLED : code;
}

static int
drive(struct driver *d)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	int bad = make_dir(d), err;
	char *full;

	if (bad == 0)
		bad = matrix_init(d->m);
	if (bad == 0)
		bad = folder_hold(d->m->dir, "matrix", &d->dir_fd);
	if (bad != 0)
		return bad;
	full = realpath(d->m->dir, NULL);
	if (full != NULL && strlen(full) < CONFIG_PATH_MAX - MATRIX_NAME_MAX)
		text_set(d->m->dir, sizeof(d->m->dir), full);
	free(full);
	err = process_environment(&d->m->base);
	d->signals = sig_open(signals, 4);
	if (err < 0 || d->signals < 0) {
		fputs("natsburn: cannot begin the matrix\n", stderr);
		return EXIT_HARNESS;
	}
	keep_finished(d);
	run_cells(d);
	return conclude(d);
}

int
cmd_matrix(int argc, char **argv)
{
	struct driver d = {.signals = -1, .dir_fd = -1};
	int code;

	d.m = calloc(1, sizeof(*d.m));
	if (d.m == NULL)
		return usage_error("out of memory");
	term_look(&d.term, stderr);
	code = take_options(d.m, argc, argv);
	d.is_quiet = d.m->base.quiet;
	if (code == 0 && !job_is_dumped())
		code = drive(&d);
	matrix_fini(d.m);
	free(d.m);
	if (d.signals >= 0)
		close(d.signals);
	if (d.dir_fd >= 0)
		close(d.dir_fd);
	return code;
}
