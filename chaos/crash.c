/* SPDX-License-Identifier: ISC */
/* A server that ended by itself; see crash.h. */
#include "chaos/cluster/cluster.h"
#include "chaos/crash.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"

static int
crash_inject(struct fault *f)
{
	text_format(f->how, sizeof(f->how), "the server ended by itself");
	return 0;
}

static bool
crash_is_applied(struct fault *f)
{
	(void)f;
	return true;
}

static bool
crash_is_healed(struct fault *f)
{
	return mayhem_is_whole(f, "started again; healthy");
}

const struct mayhem_ops crash_ops = {
    .name = "crash",
    .touches = TOUCH_SERVER,
    .outage = OUTAGE_ONE,
    .ends_server = true,
    .apply_ns = CLOCK_S,
    .heal_ns = 120 * CLOCK_S,
    .inject = crash_inject,
    .is_applied = crash_is_applied,
    .heal = mayhem_start_all,
    .is_healed = crash_is_healed,
};
