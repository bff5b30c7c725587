/* SPDX-License-Identifier: ISC */
/*
 * What the liar can be asked for: plants, which break a promise or the
 * harness, and legal oddities. A table ends with a row without a name; the
 * names stand by themselves, too, as the choices of an option.
 */
#ifndef WORKER_LIAR_TWISTS_H
#define WORKER_LIAR_TWISTS_H

#include "worker/workloads/liar/acts.h"

extern const struct twist liar_plants[], liar_legals[];
extern const char *const liar_plant_names[], *const liar_legal_names[];

#endif
