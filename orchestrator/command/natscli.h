/* SPDX-License-Identifier: ISC */
/*
 * What users of the nats CLI have set already, for clusters of others: its
 * contexts (ADR-21 of NATS) and the variables NATS_*. They never choose the
 * cluster: that takes an option or variable of natsburn's own.
 */
#ifndef ORCHESTRATOR_NATSCLI_H
#define ORCHESTRATOR_NATSCLI_H

#include "proto/config.h"

/*
 * Take what the configuration leaves open from a context, and what that leaves
 * open from NATS_*. The context is --context, that of NATS_CONTEXT, or, where
 * no URL is given, the one that is selected; its name goes to the
 * configuration. A login comes whole from one place. Secrets in NATS_* are
 * overwritten and taken out of the environment. 0, or EXIT_USAGE after the
 * error was printed.
 */
int natscli_fill(struct run_config *);

#endif
