/* SPDX-License-Identifier: ISC */
/* none: no fault. */
#include "chaos/mayhem/mayhem.h"

const struct mayhem_ops mayhem_none = {
    .name = "none",
    .summary = "no fault at all",
    .promise = "every promise holds all the time",
    .is_graceful = true,
    .is_on_demand = true,
};
