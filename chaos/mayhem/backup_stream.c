/* SPDX-License-Identifier: ISC */
/*
 * backup_stream: a stream of the run is backed up beside the load. It only
 * reads, so it disturbs nothing that is judged; what a backup holds the audit
 * looks at (worker/audit/restores.c).
 */
#include <errno.h>
#include <string.h>

#include "chaos/backup.h"
#include "chaos/cluster/cluster.h"
#include "chaos/mayhem/mayhem.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

static int
backup_check(const struct run_config *c, char *why)
{
	if (strcmp(c->storage, "memory") != 0)
		return mayhem_check_streams(c, BACKUP_MODE, why);
	text_set(why, OPTION_WHY_MAX,
	    "--storage memory: servers back up streams in files only");
	return -EINVAL;
}

static bool
backup_aim(struct fault *f)
{
	if (!mayhem_aim_stream(f))
		return false;
	text_format(f->target, sizeof(f->target), "%.60s", f->before);
	return true;
}

static int
backup_inject(struct fault *f)
{
	const struct backup_options *o = f->options;

	return backup_begin(f->cluster, f->number, f->before, o->size);
}

static bool
backup_is_applied(struct fault *f)
{
	bool is_whole = backup_step(f->cluster);

	text_set(f->how, sizeof(f->how), backup_why(f->cluster));
	return is_whole;
}

static int
backup_heal(struct fault *f)
{
	backup_stop(f->cluster);
	return 0;
}

static bool
backup_is_healed(struct fault *f)
{
	text_set(f->how, sizeof(f->how), "nothing to undo");
	return true;
}

const struct mayhem_ops mayhem_backup_stream = {
    .name = "backup_stream",
    .summary = "back up a stream of the run; restored and compared at the end",
    .promise = "nothing changes; what was acknowledged is in the backup",
    .needs = CLUSTER_CAN_ADMIN,
    .is_graceful = true,
    .options = backup_rows,
    .options_size = sizeof(struct backup_options),
    .apply_ns = 60 * CLOCK_S,
    .heal_ns = 10 * CLOCK_S,
    .check = backup_check,
    .plan = mayhem_plan_next,
    .aim = backup_aim,
    .inject = backup_inject,
    .is_applied = backup_is_applied,
    .heal = backup_heal,
    .is_healed = backup_is_healed,
};
