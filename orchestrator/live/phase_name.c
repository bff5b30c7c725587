/* SPDX-License-Identifier: ISC */
/* Names of phases, as the history has them; see phase_name.h. */
#include "orchestrator/live/phase_name.h"

static const char *const names[PHASES] = {
    [PHASE_UP] = "up",
    [PHASE_SETUP] = "setup",
    [PHASE_START] = "start",
    [PHASE_QUIET] = "quiet",
    [PHASE_MAYHEM] = "mayhem",
    [PHASE_HEAL] = "heal",
    [PHASE_DRAIN] = "drain",
    [PHASE_SETTLE] = "settle",
    [PHASE_AUDIT] = "audit",
    [PHASE_CLEAN] = "clean",
    [PHASE_DOWN] = "down",
    [PHASE_END] = "end",
};

const char *
phase_name(enum run_phase phase)
{
	return names[phase];
}
