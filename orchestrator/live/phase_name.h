/* SPDX-License-Identifier: ISC */
/* The phases that lead through a run, in their order, and their names. */
#ifndef ORCHESTRATOR_PHASE_NAME_H
#define ORCHESTRATOR_PHASE_NAME_H

enum run_phase {
	PHASE_UP,     /* cluster is being formed */
	PHASE_SETUP,  /* streams and consumers are made */
	PHASE_START,  /* workers connect */
	PHASE_QUIET,  /* load without faults */
	PHASE_MAYHEM, /* load with faults */
	PHASE_HEAL,   /* load while the last faults are undone */
	PHASE_DRAIN,  /* open operations settle, consumers empty the stream */
	PHASE_SETTLE, /* servers healthy, replicas current */
	PHASE_AUDIT,  /* full scan */
	PHASE_CLEAN,  /* streams are deleted where the cluster isn't ours */
	PHASE_DOWN,   /* evidence, then the cluster goes down */
	PHASE_END,
	PHASES
};

const char *phase_name(enum run_phase);

#endif
