/* SPDX-License-Identifier: ISC */
/*
 * natsburn shrink: the smallest run that still has a run's failure. One thing
 * after the other is taken away; what the failure stays without is not needed.
 * Each step is tried as often as it takes to meet a failure of this rate with
 * some certainty.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/command/validate.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/attempts.h"
#include "orchestrator/many/past.h"
#include "orchestrator/many/shrink.h"
#include "orchestrator/report/command_line.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

#define SURE_PERCENT 90 /* that a step without the failure has lost it */
#define ENOUGH	     3	/* times it was met: its rate is known */
/* What a name below it leaves of a path. */
#define SCHEDULE_DIR_MAX (CONFIG_PATH_MAX - 32)

struct shrink_options {
	uint64_t tries;
};

/* --tries has its help among the options of bisect. */
static const struct option_spec shrink_options[] = {
    {"tries", OPTION_U64, OPTION_AT(struct shrink_options, tries), "10", 1,
	1000, NULL, "N", "", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

struct shrinking {
	struct shrink_options own;
	struct attempts t;
	struct run_config c, given, smaller;
	struct attempts_rate rate;
};

/* Does the smaller one still have it? Then it is taken. 1, 0 or -errno. */
static int
try_smaller(struct shrinking *s, const char *what)
{
	unsigned most = attempts_needed(&s->rate, SURE_PERCENT, s->own.tries);
	struct attempts_rate rate;
	int err;

	err = attempts_try(&s->t, &s->smaller, 1, most, &rate);
	if (err < 0)
		return err;
	if (!s->given.quiet)
		fprintf(stderr, "%-40s %s (%u of %u)\n", what,
		    rate.met > 0 ? "still fails" : "is needed", rate.met,
		    rate.of);
	if (rate.met > 0)
		s->c = s->smaller;
	return rate.met > 0;
}

/* All of these steps, each as long as it helps. 0 or -errno. */
static int
shrink_by(struct shrinking *s, const struct shrink_step *step)
{
	char what[SHRINK_WHAT_MAX];
	unsigned at;
	int got;

	for (; step->make != NULL; step++) {
		for (at = 0;;) {
			s->smaller = s->c;
			if (!step->make(&s->smaller, at, what))
				break;
			usage_be_silent(true);
			got = validate_config(&s->smaller);
			usage_be_silent(false);
			/* What can't be run is no smaller run. */
			got = got == 0 ? try_smaller(s, what) : 0;
			if (got < 0)
				return got;
			at += got == 0;
		}
	}
	return 0;
}

/*
 * Are the faults of the last run that failed enough, at the times at which they
 * began? Then some of them are taken away. 0 or -errno.
 */
static int
shrink_faults(struct shrinking *s)
{
	cJSON *report;
	uint64_t seed;
	int err;

	if (s->t.failed[0] == '\0')
		return 0;
	report = past_load(s->t.failed, &s->smaller);
	seed = s->smaller.seed;
	s->smaller = s->c;
	s->smaller.seed = seed;
	text_format(s->smaller.schedule, sizeof(s->smaller.schedule),
	    "%.*s/faults.json", SCHEDULE_DIR_MAX, s->t.dir);
	err = shrink_save_faults(report, s->smaller.schedule);
	cJSON_Delete(report);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	err = try_smaller(s, "faults when they began");
	return err > 0 ? shrink_by(s, shrink_fault_steps) : err;
}

static int
say_end(struct shrinking *s)
{
	char command[COMMAND_LINE_MAX];
	struct attempts_rate rate;
	int err;

	err = attempts_try(&s->t, &s->c, (unsigned)s->own.tries,
	    (unsigned)s->own.tries, &rate);
	if (err < 0)
		return err;
	s->c.out[0] = '\0';
	if (s->c.schedule[0] == '\0')
		s->c.seed = 0;
	text_format(command, sizeof(command), "natsburn run %s", s->c.test);
	command_line_options(command, &s->c);
	printf("%s\n%u of %u runs have it; evidence %s\n", command, rate.met,
	    rate.of, s->t.failed);
	return 0;
}

static int
shrink(struct shrinking *s)
{
	int err;

	printf("looking for %s\n", s->t.signature);
	err = attempts_try(
	    &s->t, &s->c, ENOUGH, (unsigned)s->own.tries, &s->rate);
	if (err == 0 && s->rate.met == 0) {
		printf("it did not come again in %u runs: more --tries, or "
		       "longer ones, are needed\n",
		    s->rate.of);
		return EXIT_INCONCLUSIVE;
	}
	if (err == 0)
		err = shrink_by(s, shrink_steps);
	if (err == 0)
		err = shrink_faults(s);
	if (err == 0)
		err = say_end(s);
	return err < 0 ? attempts_conclude(err) : EXIT_PASS;
}

static int
take_options(struct shrinking *s, int argc, char **argv, const char **dir)
{
	int bad = cli_take_own(shrink_options, &s->own, &argc, argv), n;

	if (bad != 0)
		return bad;
	config_init(&s->given);
	n = cli_options(&s->given, argc, argv, dir, 1);
	if (n < 0)
		return EXIT_USAGE;
	return n == 1
		   ? 0
		   : usage_error("shrink: which run? natsburn shrink RUN_DIR");
}

int
cmd_shrink(int argc, char **argv)
{
	struct shrinking *s = calloc(1, sizeof(*s));
	const char *dir = NULL;
	int code;

	if (s == NULL)
		return usage_error("out of memory");
	s->t.signals = -1;
	code = take_options(s, argc, argv, &dir);
	if (code == 0)
		code = attempts_begin(&s->t, dir, s->given.out, &s->c);
	if (code == 0)
		code = shrink(s);
	attempts_end(&s->t);
	free(s);
	return code;
}
