/* SPDX-License-Identifier: ISC */
/*
 * power_loss: servers are killed, and what they had written and not synced is
 * lost, as when the power of their machines fails. The stores are on simulated
 * disks (chaos/cluster/local/drive/). A fault waits for a while until every
 * replica was seen to be current: what was acknowledged before that was on all
 * of them, so the judge knows what a minority can't have lost
 * (orchestrator/judge/power.h).
 */
#include <errno.h>
#include <string.h>

#include "chaos/cluster/cluster.h"
#include "chaos/health.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/config.h"

#define RECENT_NS   (5 * CLOCK_S)
#define PATIENCE_NS (10 * CLOCK_S) /* for a whole cluster */

/* What f->next_ns says, once the servers are killed. */
enum progress {
	POWER_ON,
	POWER_CUT, /* the disks were told */
};

struct power_options {
	char of[16], names[16];
	bool torn;
};

static const char *const of_names[] = {"one", "minority", "all", NULL};
static const char *const names_names[] = {
    [DISK_NAMES_JOURNAL] = "journal",
    [DISK_NAMES_FILE] = "file",
    [DISK_NAMES_FOLDER] = "folder",
    [DISK_NAMES_FOLDER + 1] = NULL,
};

static const struct option_spec power_rows[] = {
    {.name = "of",
	.type = OPTION_CHOICE,
	OPTION_AT(struct power_options, of),
	.def = "one",
	.choices = of_names,
	.arg = "SERVERS",
	.help = "one, minority, or all at once (--tolerate none)"},
    {.name = "torn",
	.type = OPTION_FLAG,
	OPTION_AT(struct power_options, torn),
	.def = "false",
	.help = "some of what was appended is on disk, in whole sectors"},
    {.name = "names",
	.type = OPTION_CHOICE,
	OPTION_AT(struct power_options, names),
	.def = "journal",
	.choices = names_names,
	.arg = "HOW",
	.help = "names are kept by any later sync, by that of their file, or "
		"of their folder"},
    {.name = NULL},
};

static int
power_check(const struct run_config *c, char *why)
{
	struct power_options o;

	if (config_extras(c, "power_loss", power_rows, &o, why) < 0)
		return 0; /* said elsewhere */
	if (strcmp(o.of, "all") != 0 ||
	    mayhem_tolerated(c, (unsigned)c->servers) >= c->servers)
		return 0;
	text_format(why, OPTION_WHY_MAX,
	    "-o power_loss.of=all puts all servers out at once: it needs "
	    "--tolerate none");
	return -EINVAL;
}

static void
power_require(struct cluster *c, const void *options)
{
	const struct power_options *o = options;

	c->disk_names = DISK_NAMES_JOURNAL;
	while (strcmp(names_names[c->disk_names], o->names) != 0)
		c->disk_names++;
}

static void
power_plan(struct mayhem_plan *p, struct fault *f)
{
	const struct power_options *o = p->options;
	unsigned most = (p->nodes - 1) / 2, count = 1;

	mayhem_plan_next(p, f);
	if (most > p->tolerated)
		most = p->tolerated;
	if (strcmp(o->of, "all") == 0)
		count = p->nodes;
	else if (strcmp(o->of, "minority") == 0 && most > 1)
		count += (unsigned)rng_below(&p->rng, most);
	f->nodes = mayhem_draw_nodes(p, count);
	f->hold_ns = mayhem_draw_down(p);
}

/*
 * Every replica is current, as asked after f->mark. When that is not seen for
 * PATIENCE_NS since f->next_ns it is not known, and f->mark is 0.
 */
static bool
power_aim(struct fault *f)
{
	uint64_t now_ns = clock_mono_ns();
	char why[CLUSTER_WHY_MAX];

	f->mark = now_ns - RECENT_NS;
	if (f->next_ns == 0)
		f->next_ns = now_ns;
	if (health_is_whole(f->cluster->health, f->mark, why))
		return true;
	f->mark = 0;
	return now_ns >= f->next_ns + PATIENCE_NS;
}

static int
power_inject(struct fault *f)
{
	f->next_ns = POWER_ON;
	return mayhem_kill_targets(f);
}

static int
cut_power(struct fault *f)
{
	const struct power_options *o = f->options;
	struct disk_cut cut = {o->torn, f->mark};
	unsigned i, nodes = fault_nodes(f);
	int err = 0, got;

	for (i = 1; i <= f->cluster->n; i++) {
		if ((nodes & (1U << (i - 1))) == 0)
			continue;
		got = f->cluster->ops->disk_cut(f->cluster, i, &cut);
		err = got < 0 ? got : err;
	}
	return err;
}

static bool
power_is_applied(struct fault *f)
{
	struct disk_loss sum = {0, 0, 0}, one;
	unsigned i, nodes = fault_nodes(f);

	if (!mayhem_all_ended(f, "killed; what was not synced is not lost yet"))
		return false;
	if (f->next_ns == POWER_ON) {
		f->next_ns = POWER_CUT;
		if (cut_power(f) < 0)
			return false;
	}
	for (i = 1; i <= f->cluster->n; i++) {
		if ((nodes & (1U << (i - 1))) == 0)
			continue;
		if (!f->cluster->ops->disk_lost(f->cluster, i, &one))
			return false;
		sum.files += one.files;
		sum.names += one.names;
		sum.bytes += one.bytes;
	}
	text_format(f->how, sizeof(f->how),
	    "SIGKILL, end seen; %llu bytes in %llu files were not synced and "
	    "are lost, %llu names are as before",
	    (unsigned long long)sum.bytes, (unsigned long long)sum.files,
	    (unsigned long long)sum.names);
	return true;
}

const struct mayhem_ops mayhem_power_loss = {
    .name = "power_loss",
    .summary = "kill servers, and lose what they have not synced to disk",
    .promise = "with --sync always nothing acknowledged is lost; else what a "
	       "majority had on disk or in other servers is kept",
    .needs = CLUSTER_CAN_RESTART | CLUSTER_CAN_DISK,
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_MINORITY,
    .ends_server = true,
    .stands_alone = true, /* the judge has to know who had what */
    .is_on_demand = true, /* it puts the stores on disks of ours */
    .options = power_rows,
    .options_size = sizeof(struct power_options),
    .apply_ns = 20 * CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .check = power_check,
    .require = power_require,
    .plan = power_plan,
    .aim = power_aim,
    .inject = power_inject,
    .is_applied = power_is_applied,
    .heal = mayhem_start_all,
    .is_healed = mayhem_is_back,
};
