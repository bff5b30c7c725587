/* SPDX-License-Identifier: ISC */
/*
 * A server that ended by itself is reported as a fault of the mode "crash", and
 * started again as that fault is healed. It is no plug-in, for nobody can ask
 * for it.
 */
#ifndef CHAOS_CRASH_H
#define CHAOS_CRASH_H

#include "chaos/mayhem/mayhem.h"

extern const struct mayhem_ops crash_ops;

#endif
