/* SPDX-License-Identifier: ISC */
/* A histogram in the percentile format of HdrHistogram's plotter. */
#ifndef ORCHESTRATOR_HGRM_H
#define ORCHESTRATOR_HGRM_H

#include <stdio.h>

#include "proto/base/hist.h"

/* Write one of nanoseconds, in milliseconds; nothing if it is empty. */
void hgrm_write(const struct hist *, FILE *);

#endif
