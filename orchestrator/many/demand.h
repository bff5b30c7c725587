/* SPDX-License-Identifier: ISC */
/*
 * What is demanded of a report.json before it is believed: the members and
 * types of docs/report.schema.json that others are made of, and that verdict,
 * exit code and anomalies agree.
 */
#ifndef ORCHESTRATOR_DEMAND_H
#define ORCHESTRATOR_DEMAND_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define DEMAND_WHY_MAX 160

/* Is it a report, finished or not? why (DEMAND_WHY_MAX) says what it lacks. */
bool demand_report(const cJSON *, char *why);

#endif
