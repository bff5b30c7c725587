/* SPDX-License-Identifier: ISC */
/*
 * natsburn bisect: which of some servers, from old to new, is the first that
 * has a run's failure. A failure that comes by chance has to stay away for
 * long enough before a server is called good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "orchestrator/judge/judge.h"
#include "orchestrator/many/attempts.h"
#include "orchestrator/many/axis.h"
#include "proto/base/text.h"

struct bisect_options {
	uint64_t tries, confidence;
};

const struct option_spec bisect_options[] = {
    {"tries", OPTION_U64, OPTION_AT(struct bisect_options, tries), "10", 1,
	1000, NULL, "N", "bisect, shrink: runs of one kind, at most", false},
    {"confidence", OPTION_U64, OPTION_AT(struct bisect_options, confidence),
	"95", 50, 99, NULL, "PERCENT",
	"bisect: how sure it has to be that a server is good", false},
    {NULL, OPTION_FLAG, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false},
};

struct bisection {
	struct bisect_options own;
	struct attempts t;
	struct run_config c, given; /* given: the command line's */
	struct axis versions;
	struct attempts_rate rates[AXIS_ITEMS_MAX];
	struct attempts_rate bad; /* how often a bad one shows it */
};

/* Is this one bad? 1, 0 or -errno. */
static int
try_version(struct bisection *b, unsigned i, unsigned want, unsigned most)
{
	const struct axis_item *v = &b->versions.items[i];
	int err;

	text_set(b->c.server_bin, sizeof(b->c.server_bin), v->value);
	err = attempts_try(&b->t, &b->c, want, most, &b->rates[i]);
	if (err < 0)
		return err;
	if (!b->given.quiet)
		fprintf(stderr, "%-16s %s: %u of %u\n", v->label,
		    b->rates[i].met > 0 ? "bad" : "good", b->rates[i].met,
		    b->rates[i].of);
	return b->rates[i].met > 0;
}

static void
say_good(const struct bisection *b, unsigned i)
{
	printf("%s: not in %u runs; at the rate of the newest that would "
	       "happen by chance in %.1f %% of cases\n",
	    b->versions.items[i].label, b->rates[i].of,
	    attempts_chance(&b->bad, b->rates[i].of));
}

static int
say_end(const struct bisection *b, unsigned first_bad)
{
	printf("first with it: %s (%u of %u)\n",
	    b->versions.items[first_bad].label, b->rates[first_bad].met,
	    b->rates[first_bad].of);
	if (first_bad == 0)
		puts("that is the oldest one given: it may be older");
	else
		say_good(b, first_bad - 1);
	printf("evidence %s\n", b->t.failed);
	return EXIT_PASS;
}

/* 0, or -errno; *first_bad is between good and bad then. */
static int
search(struct bisection *b, unsigned *first_bad)
{
	unsigned most =
	    attempts_needed(&b->bad, (unsigned)b->own.confidence, b->own.tries);
	unsigned low = 0, high = *first_bad, mid;
	int is_bad;

	while (low < high) {
		mid = low + (high - low) / 2;
		is_bad = try_version(b, mid, 1, most);
		if (is_bad < 0)
			return is_bad;
		if (is_bad)
			high = mid;
		else
			low = mid + 1;
	}
	*first_bad = high;
	return 0;
}

static int
bisect(struct bisection *b)
{
	unsigned newest = b->versions.n - 1, first_bad = newest;
	int err;

	printf("looking for %s\n", b->t.signature);
	err = try_version(b, newest, 3, (unsigned)b->own.tries);
	if (err == 0) {
		printf("%s, the newest, did not show it in %u runs: nothing to "
		       "search for\n",
		    b->versions.items[newest].label, b->rates[newest].of);
		return EXIT_INCONCLUSIVE;
	}
	b->bad = b->rates[newest];
	if (err > 0)
		err = search(b, &first_bad);
	return err < 0 ? attempts_conclude(err) : say_end(b, first_bad);
}

static int
take_options(struct bisection *b, int argc, char **argv, const char **dir)
{
	int bad = cli_take_own(bisect_options, &b->own, &argc, argv), n;

	if (bad != 0)
		return bad;
	config_init(&b->given);
	n = cli_options(&b->given, argc, argv, dir, 1);
	if (n < 0)
		return EXIT_USAGE;
	if (n == 0)
		return usage_error(
		    "bisect: which run? natsburn bisect RUN_DIR");
	if (b->given.server_bin[0] == '\0')
		return usage_error("bisect: which servers? --server-bin "
				   "OLD,...,NEW");
	return axis_servers(&b->versions, &b->given);
}

int
cmd_bisect(int argc, char **argv)
{
	struct bisection *b = calloc(1, sizeof(*b));
	const char *dir = NULL;
	int code;

	if (b == NULL)
		return usage_error("out of memory");
	b->t.signals = -1;
	code = take_options(b, argc, argv, &dir);
	if (code == 0)
		code = attempts_begin(&b->t, dir, b->given.out, &b->c);
	if (code == 0)
		code = bisect(b);
	attempts_end(&b->t);
	free(b);
	return code;
}
