/* SPDX-License-Identifier: ISC */
/* none: no load and no streams: servers, and faults, alone. */
#include "worker/internal.h"

static const struct workload_role roles[] = {{NULL, WORKLOAD_ONE, false}};

const struct workload_ops workload_none = {
    .name = "none",
    .summary = "no load: servers and faults alone, beside your own load",
    .roles = roles,
};
