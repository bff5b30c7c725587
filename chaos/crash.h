/* SPDX-License-Identifier: ISC */
/*
 * A server that ended by itself is no fault of the schedule, but it is one all
 * the same: it is told like the others, and the server is started again. Not a
 * plug-in: nobody can ask for it.
 */
#ifndef CHAOS_CRASH_H
#define CHAOS_CRASH_H

#include "chaos/mayhem/mayhem.h"

extern const struct mayhem_ops crash_ops;

#endif
