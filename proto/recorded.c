/* SPDX-License-Identifier: ISC */
/* A recorded schedule of faults; see recorded.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/json.h"
#include "proto/recorded.h"

#define FILE_MAX_BYTES ((size_t)1 << 26)
#define OFFSET_MAX_S   1e9 /* larger ones are no times */
/*
 * A fault that is aimed waits for its moment: it is due that much earlier than
 * it began, and as early as it can have been where its moment did not come.
 */
#define AIM_S  0.05
#define MISS_S 5.0

/* When the phase mayhem began, by the time of the report; negative: never. */
static double
mayhem_begin(const cJSON *report)
{
	const cJSON *phase;

	cJSON_ArrayForEach (phase, json_get(report, "phases"))
		if (strcmp(json_text(phase, "name"), "mayhem") == 0)
			return json_number(phase, "t");
	return -1;
}

static uint64_t
offset_ns(double s)
{
	return s > 0 && s < OFFSET_MAX_S ? (uint64_t)(s * 1e9) : 0;
}

static void
take_fault(struct recorded *r, const cJSON *fault, double origin)
{
	struct recorded_fault *f = &r->faults[r->n];
	double begin = json_number(fault, "t") - origin;

	if (json_text(fault, "moment")[0] != '\0')
		begin -= json_get(fault, "distance_ms") != NULL
			     ? json_number(fault, "distance_ms") / 1e3 + AIM_S
			     : MISS_S;
	text_set(f->mode, sizeof(f->mode), json_text(fault, "mode"));
	/* It is told in whole milliseconds. */
	f->planned_ms =
	    (offset_ns(json_number(fault, "planned_t")) + CLOCK_MS / 2) /
	    CLOCK_MS;
	f->begin_ns = offset_ns(begin);
	r->n++;
}

int
recorded_load(struct recorded *r, const char *path, char *why)
{
	cJSON *report = json_load(path, FILE_MAX_BYTES);
	const cJSON *faults = json_get(report, "faults"), *fault;
	double origin = mayhem_begin(report);
	int err = 0;

	memset(r, 0, sizeof(*r));
	why[0] = '\0';
	if (!cJSON_IsArray(faults) || origin < 0) {
		text_add(why, OPTION_WHY_MAX,
		    "\"%.200s\": must be the report.json of a run with faults",
		    path);
		err = -EINVAL;
	} else {
		r->faults = calloc(
		    (size_t)cJSON_GetArraySize(faults) + 1, sizeof(*r->faults));
		err = r->faults != NULL ? 0 : -ENOMEM;
	}
	cJSON_ArrayForEach (fault, faults)
		if (err == 0)
			take_fault(r, fault, origin);
	cJSON_Delete(report);
	if (err == -ENOMEM)
		text_set(why, OPTION_WHY_MAX, "out of memory");
	return err;
}

void
recorded_free(struct recorded *r)
{
	free(r->faults);
	r->faults = NULL;
	r->n = 0;
}

const struct recorded_fault *
recorded_find(const struct recorded *r, const char *mode, uint64_t planned_ns)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->faults[i].planned_ms == planned_ns / CLOCK_MS &&
		    strcmp(r->faults[i].mode, mode) == 0)
			return &r->faults[i];
	return NULL;
}

bool
recorded_goes_on(
    const struct recorded *r, const char *mode, uint64_t planned_ns)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->faults[i].planned_ms >= planned_ns / CLOCK_MS &&
		    strcmp(r->faults[i].mode, mode) == 0)
			return true;
	return false;
}
