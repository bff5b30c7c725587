/* SPDX-License-Identifier: ISC */
/* A failure tried again; see attempts.h. */
#include "orchestrator/many/attempts.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orchestrator/command/folder.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/forms.h"
#include "orchestrator/many/past.h"
#include "orchestrator/many/process.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/sig.h"
#include "proto/base/text.h"
#include "proto/json.h"

#define LOOK_MS 500
#define ROOM	64 /* bytes of names below the folder */

/* The signature of the first violation: false when there is none. */
static bool
first_signature(const cJSON *report, const char *test, char out[HUNT_SHAPE_MAX])
{
	const cJSON *a;

	cJSON_ArrayForEach (a, json_get(report, "anomalies")) {
		if (strcmp(json_text(a, "class"), "violation") != 0)
			continue;
		hunt_signature(test, a, out);
		return true;
	}
	return false;
}

static bool
has_signature(const struct attempts *t, const cJSON *report)
{
	char signature[HUNT_SHAPE_MAX];
	const cJSON *a;

	cJSON_ArrayForEach (a, json_get(report, "anomalies")) {
		hunt_signature(t->test, a, signature);
		if (strcmp(json_text(a, "class"), "violation") == 0 &&
		    strcmp(signature, t->signature) == 0)
			return true;
	}
	return false;
}

static int
take_report(struct attempts *t, const char *run_dir, struct run_config *c)
{
	cJSON *report = past_load(run_dir, c);
	int bad = 0;

	if (report == NULL)
		return EXIT_USAGE;
	c->rounds = 0;
	if (!first_signature(report, c->test, t->signature))
		bad = usage_error(
		    "\"%s\": has no violation to look for", run_dir);
	text_set(t->test, sizeof(t->test), c->test);
	t->seed = c->seed;
	cJSON_Delete(report);
	return bad;
}

int
attempts_begin(struct attempts *t, const char *run_dir, const char *out,
    struct run_config *c)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	int bad = take_report(t, run_dir, c);

	t->signals = -1;
	text_set(t->dir, sizeof(t->dir), out);
	if (bad == 0)
		bad = folder_name(t->dir, sizeof(t->dir), "attempts");
	if (bad != 0)
		return bad;
	if (strlen(t->dir) + ROOM >= CONFIG_PATH_MAX)
		return usage_error("--out \"%s\": is too long", t->dir);
	if (mkdir(t->dir, 0700) < 0)
		return usage_error("--out \"%s\": cannot make this folder: %s",
		    t->dir, strerror(errno));
	t->signals = sig_open(signals, 4);
	if (process_environment(c) < 0 || t->signals < 0) {
		usage_say("cannot begin: %s", strerror(errno));
		return EXIT_HARNESS;
	}
	return 0;
}

void
attempts_end(struct attempts *t)
{
	if (t->signals >= 0)
		close(t->signals);
	t->signals = -1;
}

/* Wait for the run; who takes too long is ended. */
static void
follow(struct attempts *t, const struct run_config *c, pid_t pid)
{
	uint64_t limit = clock_mono_ns() + c->duration_ns + PROCESS_BESIDE_NS;
	struct pollfd p = {.fd = t->signals, .events = POLLIN};
	int status, sig;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		(void)poll(&p, 1, LOOK_MS); /* any answer: look again */
		while ((sig = sig_next(t->signals)) > 0) {
			if (sig == SIGCHLD)
				continue;
			/* Our child, not reaped yet. */
			(void)kill(pid, t->interrupted ? SIGKILL : SIGINT);
			t->interrupted = true;
		}
		if (clock_mono_ns() > limit)
			(void)kill(pid, SIGKILL);
	}
}

/* 1 when the run in this folder met the failure, 0 when it did not. */
static int
met(struct attempts *t, const char *dir)
{
	char path[CONFIG_PATH_MAX + ROOM];
	cJSON *report;
	bool has;

	text_format(path, sizeof(path), "%s/report.json", dir);
	report = forms_load(path);
	has = report != NULL && has_signature(t, report);
	cJSON_Delete(report);
	if (has) {
		text_set(t->failed, sizeof(t->failed), dir);
		return 1;
	}
	return file_remove_tree(dir); /* it shows nothing */
}

/* One run: 1, 0 or -errno. */
static int
run_once(struct attempts *t, struct run_config *c)
{
	pid_t pid;

	text_format(c->out, sizeof(c->out), "%s/try-%04u", t->dir, ++t->made);
	/* Recorded faults are those of their seed. */
	if (c->schedule[0] == '\0')
		c->seed = t->seed++;
	pid = process_begin(c);
	if (pid < 0)
		return (int)pid;
	follow(t, c, pid);
	return t->interrupted ? -EINTR : met(t, c->out);
}

int
attempts_try(struct attempts *t, const struct run_config *c, unsigned want,
    unsigned most, struct attempts_rate *rate)
{
	struct run_config one = *c;
	int got = 0;

	*rate = (struct attempts_rate){0, 0};
	while (got >= 0 && rate->met < want && rate->of < most) {
		got = run_once(t, &one);
		if (got < 0)
			break;
		rate->of++;
		rate->met += (unsigned)got;
	}
	return got < 0 ? got : 0;
}

unsigned
attempts_needed(
    const struct attempts_rate *rate, unsigned percent, uint64_t most)
{
	double p, n;

	/* One more that misses it is possible however often it was met. */
	p = ((double)rate->met + 0.5) / ((double)rate->of + 1);
	n = ceil(log(1 - (double)percent / 100) / log(1 - p));
	return n < (double)most ? (unsigned)n : (unsigned)most;
}

double
attempts_chance(const struct attempts_rate *rate, unsigned runs)
{
	double p = ((double)rate->met + 0.5) / ((double)rate->of + 1);

	return 100 * pow(1 - p, (double)runs);
}

int
attempts_conclude(int err)
{
	if (err == -EINTR) {
		puts("interrupted");
		return EXIT_INCONCLUSIVE;
	}
	usage_say("cannot try: %s", strerror(-err));
	return EXIT_HARNESS;
}
