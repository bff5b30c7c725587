/* SPDX-License-Identifier: ISC */
/*
 * natsburn hunt: runs that are drawn, beside each other, until the time is
 * over; then the distinct failures that they met. The same command goes on.
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
#include "orchestrator/command/limits.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/demand.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/hunt.h"
#include "orchestrator/many/process.h"
#include "orchestrator/many/trend.h"
#include "orchestrator/report/report.h"
#include "orchestrator/report/term.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define LOOK_MS 500
#define KILL_NS (60 * CLOCK_S) /* from SIGINT to SIGKILL */

/* A run that goes on. */
struct job {
	pid_t pid; /* 0: none */
	cJSON *row;
	uint64_t began_ns, limit_ns;
	bool was_asked; /* to end, for it took too long */
};

struct driver {
	struct hunt h;
	struct job jobs[HUNT_JOBS_MAX];
	struct term term;
	int signals; /* signalfd */
	int dir_fd;  /* holds the lock */
	uint64_t began_ns;
	double before_s; /* of earlier hunts in this folder */
	bool interrupted, killed, is_broken;
};

static double
now_s(const struct driver *d)
{
	return d->before_s +
	       (double)(clock_mono_ns() - d->began_ns) / (double)CLOCK_S;
}

/* Time of the budget that is left, ns. */
static uint64_t
left_ns(const struct driver *d)
{
	double left =
	    (double)d->h.base.duration_ns / (double)CLOCK_S - now_s(d);

	return left > 0 ? (uint64_t)(left * (double)CLOCK_S) : 0;
}

/* Showing it */

static void
show_run(const struct driver *d, const cJSON *row)
{
	const char *word = json_text(row, "result");
	const cJSON *s;

	if (d->h.base.quiet)
		return;
	fprintf(stderr, "[%.0f] %s%-12s%s  %s  %s  %s  %.0f s", /* a line */
	    json_number(row, "run"), term_style(&d->term, forms_style(word)),
	    word, term_plain(&d->term), json_text(row, "test"),
	    json_text(row, "mayhem"), json_text(row, "version"),
	    json_number(row, "duration_s"));
	if (json_get(row, "again") != NULL)
		fprintf(
		    stderr, "  (run %.0f again)", json_number(row, "again"));
	if (json_text(row, "reason")[0] != '\0')
		fprintf(stderr, "  %s", json_text(row, "reason"));
	fputc('\n', stderr);
	cJSON_ArrayForEach (s, json_get(row, "signatures"))
		fprintf(stderr, "      %s\n", cJSON_GetStringValue(s));
}

static void
write_forms(struct driver *d)
{
	int err;

	json_set_number(d->h.tree, "elapsed_s", now_s(d));
	err = hunt_write(&d->h);
	if (err < 0)
		fprintf(stderr, "natsburn: cannot write in \"%s\": %s\n",
		    d->h.dir, strerror(-err));
	d->is_broken = err < 0; /* the last time counts */
}

/* Running it */

static void
fail_row(cJSON *row, const char *why)
{
	json_set_text(row, "result", "died");
	json_set_text(row, "reason", why);
	json_put_bool(row, "kept", true);
}

/* 0 or -errno. */
static int
start(struct job *j, const struct run_config *c)
{
	pid_t pid = process_begin(c);

	if (pid < 0)
		return (int)pid;
	j->pid = pid;
	j->began_ns = clock_mono_ns();
	j->limit_ns = c->duration_ns + PROCESS_BESIDE_NS;
	return 0;
}

/* A run in a free place: a failure once more, or one that is drawn. */
static int
begin_run(struct driver *d, struct job *j)
{
	struct run_config *c = calloc(1, sizeof(*c));
	const cJSON *failed = hunt_to_repeat(&d->h);
	int bad, err;

	if (c == NULL)
		return usage_error("out of memory");
	j->row = hunt_add_run(&d->h, now_s(d));
	if (failed != NULL)
		bad = hunt_draw_again(&d->h, failed, c, j->row);
	else
		bad = hunt_draw(
		    &d->h, (unsigned)json_count(j->row, "run"), c, j->row);
	if (bad == 0)
		bad = limits_check(c);
	err = bad == 0 ? start(j, c) : 0;
	if (err < 0)
		fail_row(j->row, strerror(-err));
	if (bad == 0 && !d->h.base.quiet && err == 0 && d->term.is_terminal)
		fprintf(stderr, "[%.0f] begins: %s  %s\n",
		    json_number(j->row, "run"), c->test, c->mayhem);
	free(c);
	return bad;
}

/* A pass has nothing to show. */
static void
keep_or_remove(const struct driver *d, cJSON *row)
{
	const char *word = json_text(row, "result");
	bool keep = strcmp(d->h.own.keep, "all") == 0 ||
		    strcmp(word, "FAIL") == 0 || strcmp(word, "died") == 0 ||
		    strcmp(word, "harness") == 0;
	char path[CONFIG_PATH_MAX + 32];
	int err;

	json_put_bool(row, "kept", keep);
	if (keep)
		return;
	hunt_path(&d->h, row, NULL, path, sizeof(path));
	err = file_remove_tree(path);
	if (err < 0)
		fprintf(stderr, "natsburn: cannot remove \"%s\": %s\n", path,
		    strerror(-err));
}

static void
take_report(struct driver *d, cJSON *row, const cJSON *report)
{
	static const char *const fields[] = {"exit_code", "total_s", "rounds"};
	const char *reason = cJSON_GetStringValue(
	    cJSON_GetArrayItem(json_get(report, "reasons"), 0));
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_put_copy(row, report, fields[i]);
	json_set_text(
	    row, "result", forms_word(json_get(report, "exit_code")->valueint));
	json_set_text(row, "reason", reason != NULL ? reason : "");
	hunt_take(&d->h, row, report);
}

static void
end_run(struct driver *d, struct job *j, int status)
{
	char path[CONFIG_PATH_MAX + 32], lacks[DEMAND_WHY_MAX], why[256] = "";
	cJSON *report;

	j->pid = 0;
	if (d->interrupted) {
		json_set_text(j->row, "reason", "interrupted");
		json_put_bool(j->row, "kept", true);
		return;
	}
	hunt_path(&d->h, j->row, "report.json", path, sizeof(path));
	report = forms_load(path);
	if (j->was_asked)
		text_format(why, sizeof(why), "did not end within %llu s",
		    (unsigned long long)(j->limit_ns / CLOCK_S));
	else if (WIFSIGNALED(status))
		text_format(
		    why, sizeof(why), "killed by signal %d", WTERMSIG(status));
	else if (report == NULL || !demand_report(report, lacks))
		text_format(why, sizeof(why),
		    "exit code %d without a whole report", WEXITSTATUS(status));
	if (why[0] != '\0')
		fail_row(j->row, why);
	else {
		take_report(d, j->row, report);
		keep_or_remove(d, j->row);
	}
	cJSON_Delete(report);
	show_run(d, j->row);
	write_forms(d);
}

static void
signal_jobs(struct driver *d, int sig)
{
	unsigned i;

	for (i = 0; i < HUNT_JOBS_MAX; i++)
		if (d->jobs[i].pid > 0)
			(void)kill(d->jobs[i].pid, sig); /* not reaped yet */
}

static void
take_signals(struct driver *d)
{
	int sig;

	while ((sig = sig_next(d->signals)) > 0) {
		if (sig == SIGCHLD)
			continue;
		d->killed = d->interrupted;
		if (!d->interrupted && !d->h.base.quiet)
			fputs("interrupted: what runs ends in order (once "
			      "more kills it)\n",
			    stderr);
		d->interrupted = true;
		signal_jobs(d, SIGINT);
	}
}

/* Who takes too long is asked to end, and then ended. */
static void
watch(struct job *j)
{
	uint64_t took = clock_mono_ns() - j->began_ns;

	if (!j->was_asked && took > j->limit_ns) {
		j->was_asked = true;
		(void)kill(j->pid, SIGINT); /* our child, not reaped yet */
	} else if (took > j->limit_ns + KILL_NS)
		(void)kill(j->pid, SIGKILL);
}

/* How many run. */
static unsigned
look_after(struct driver *d)
{
	unsigned i, n = 0;
	struct job *j;
	int status;

	for (i = 0; i < HUNT_JOBS_MAX; i++) {
		j = &d->jobs[i];
		if (j->pid <= 0)
			continue;
		if (waitpid(j->pid, &status, WNOHANG) == j->pid) {
			end_run(d, j, status);
			continue;
		}
		watch(j);
		n++;
	}
	return n;
}

static struct job *
free_place(struct driver *d)
{
	unsigned i;

	for (i = 0; i < d->h.own.jobs; i++)
		if (d->jobs[i].pid <= 0)
			return &d->jobs[i];
	return NULL;
}

/* 0 or an exit code. */
static int
hunt_on(struct driver *d)
{
	struct pollfd p = {.fd = d->signals, .events = POLLIN};
	struct job *j;
	unsigned running;
	int bad = 0;

	for (;;) {
		take_signals(d);
		running = look_after(d);
		j = free_place(d);
		if (bad == 0 && !d->interrupted && j != NULL &&
		    left_ns(d) > d->h.own.run_time.low) {
			*j = (struct job){.pid = 0};
			bad = begin_run(d, j);
			continue;
		}
		if (running == 0)
			return bad;
		(void)poll(&p, 1, LOOK_MS); /* any answer: look again */
	}
}

/* The command line, and the folder */

/* Hours later is too late to hear it. */
static int
check_history(const char *dir)
{
	cJSON *tree;
	int err;

	if (dir[0] == '\0')
		return 0;
	err = file_make_dir(dir);
	if (err < 0 || access(dir, W_OK | X_OK) < 0)
		return usage_error("--history \"%s\": cannot be written: %s",
		    dir, strerror(err < 0 ? -err : errno));
	tree = trend_load(dir);
	cJSON_Delete(tree);
	return tree != NULL ? 0 : EXIT_USAGE;
}

static int
take_options(struct driver *d, int argc, char **argv)
{
	struct hunt *h = &d->h;
	const char *word = NULL;
	int bad = cli_take_own(hunt_options, &h->own, &argc, argv), n;

	if (bad != 0)
		return bad;
	config_init_open(&h->open);
	h->base = h->open;
	n = cli_connect_options(&h->base, argc, argv, &word, 1);
	if (n < 0)
		return EXIT_USAGE;
	if (n == 1 || h->base.test[0] != '\0')
		return usage_error("hunt: \"%s\": name tests with --tests",
		    n == 1 ? word : h->base.test);
	if (job_is_dumped())
		return job_dump(&h->base, hunt_options, &h->own);
	bad = folder_name(h->base.out, sizeof(h->base.out), "hunt");
	text_set(h->dir, sizeof(h->dir), h->base.out);
	if (bad == 0)
		bad = check_history(h->own.history);
	if (bad == 0 && strlen(h->dir) + HUNT_NAME_MAX + 32 >= CONFIG_PATH_MAX)
		return usage_error("--out \"%s\": is too long", h->dir);
	return bad;
}

static void
add_to_history(struct driver *d)
{
	const char *dir = d->h.own.history;
	int err = dir[0] != '\0' ? trend_add(dir, d->h.tree, d->h.dir) : 0;

	if (err < 0 && err != -EINVAL)
		fprintf(stderr, "natsburn: cannot write in \"%s\": %s\n", dir,
		    strerror(-err));
	d->is_broken |= err < 0;
}

static int
conclude(struct driver *d, int bad)
{
	int code;

	write_forms(d);
	add_to_history(d);
	code = hunt_exit_code(&d->h);
	if (d->h.base.json)
		json_print(d->h.tree, stdout);
	else if (!d->h.base.quiet)
		hunt_say(&d->h, stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("natsburn: cannot write to stdout\n", stderr);
		d->is_broken = true;
	}
	if (d->is_broken || !json_is_whole())
		code = forms_worse(code, EXIT_HARNESS);
	if (bad != 0)
		code = bad;
	return d->killed ? EXIT_KILLED : code;
}

static int
drive(struct driver *d)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	int bad = hunt_init(&d->h);

	if (bad == 0)
		bad = folder_hold(d->h.dir, "hunt", &d->dir_fd);
	if (bad != 0)
		return bad;
	d->signals = sig_open(signals, 4);
	if (process_environment(&d->h.base) < 0 || d->signals < 0) {
		fputs("natsburn: cannot begin the hunt\n", stderr);
		return EXIT_HARNESS;
	}
	d->before_s = json_number(d->h.tree, "elapsed_s");
	d->began_ns = clock_mono_ns();
	if (!d->h.base.quiet)
		fprintf(stderr,
		    "natsburn %s: hunt, seed %llu, folder %s, %.0f s of it "
		    "done\n",
		    NATSBURN_VERSION, (unsigned long long)d->h.seed, d->h.dir,
		    d->before_s);
	return conclude(d, hunt_on(d));
}

int
cmd_hunt(int argc, char **argv)
{
	struct driver *d = calloc(1, sizeof(*d));
	int code;

	if (d == NULL)
		return usage_error("out of memory");
	d->signals = d->dir_fd = -1;
	term_look(&d->term, stderr);
	code = take_options(d, argc, argv);
	if (code == 0 && !job_is_dumped())
		code = drive(d);
	hunt_fini(&d->h);
	if (d->signals >= 0)
		close(d->signals);
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	free(d);
	return code;
}
